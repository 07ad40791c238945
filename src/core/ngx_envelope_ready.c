
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_ready.h"

#include <openssl/evp.h>


static void ngx_envelope_ready_cleanup(void *data);
static void *ngx_envelope_ready_pkey_dup(const void *ctx);
static void ngx_envelope_ready_pkey_free(void *ctx);
static void *ngx_envelope_ready_md_dup(const void *ctx);
static void ngx_envelope_ready_md_free(void *ctx);
static void *ngx_envelope_ready_mac_dup(const void *ctx);
static void ngx_envelope_ready_mac_free(void *ctx);


const ngx_envelope_ready_type_t  ngx_envelope_ready_pkey = {
    ngx_envelope_ready_pkey_dup,
    ngx_envelope_ready_pkey_free
};

const ngx_envelope_ready_type_t  ngx_envelope_ready_md = {
    ngx_envelope_ready_md_dup,
    ngx_envelope_ready_md_free
};

const ngx_envelope_ready_type_t  ngx_envelope_ready_mac = {
    ngx_envelope_ready_mac_dup,
    ngx_envelope_ready_mac_free
};


ngx_int_t
ngx_envelope_ready_add(ngx_envelope_ready_t **list, ngx_pool_t *pool,
    const ngx_envelope_ready_type_t *type, const void *key, ngx_uint_t way,
    void *ctx)
{
    ngx_pool_cleanup_t    *cln;
    ngx_envelope_ready_t  *ready;

    cln = ctx ? ngx_pool_cleanup_add(pool, sizeof(ngx_envelope_ready_t))
              : NULL;
    if (cln == NULL) {
        type->free(ctx);
        return NGX_ERROR;
    }

    ready = cln->data;

    ready->key = key;
    ready->way = way;
    ready->type = type;
    ready->ctx = ctx;
    ready->spare = NULL;
    ready->next = *list;

    cln->handler = ngx_envelope_ready_cleanup;

    *list = ready;

    return NGX_OK;
}


static void
ngx_envelope_ready_cleanup(void *data)
{
    ngx_envelope_ready_t *ready = data;

    ready->type->free(ready->spare);
    ready->type->free(ready->ctx);
}


ngx_envelope_ready_t *
ngx_envelope_ready_find(ngx_envelope_ready_t *list, const void *key,
    ngx_uint_t way)
{
    while (list && (list->key != key || list->way != way)) {
        list = list->next;
    }

    return list;
}


void *
ngx_envelope_ready_take(ngx_envelope_ready_t *ready)
{
    void  *ctx;

    ctx = __atomic_exchange_n(&ready->spare, NULL, __ATOMIC_ACQ_REL);

    return ctx ? ctx : ready->type->dup(ready->ctx);
}


void
ngx_envelope_ready_give(ngx_envelope_ready_t *ready, void *ctx)
{
    ctx = __atomic_exchange_n(&ready->spare, ctx, __ATOMIC_ACQ_REL);

    if (ctx) {
        ready->type->free(ctx);
    }
}


static void *
ngx_envelope_ready_pkey_dup(const void *ctx)
{
    return EVP_PKEY_CTX_dup(ctx);
}


static void
ngx_envelope_ready_pkey_free(void *ctx)
{
    EVP_PKEY_CTX_free(ctx);
}


static void *
ngx_envelope_ready_md_dup(const void *ctx)
{
    EVP_MD_CTX  *copy;

    copy = EVP_MD_CTX_new();

    if (copy == NULL || EVP_MD_CTX_copy_ex(copy, ctx) != 1) {
        EVP_MD_CTX_free(copy);
        return NULL;
    }

    return copy;
}


static void
ngx_envelope_ready_md_free(void *ctx)
{
    EVP_MD_CTX_free(ctx);
}


static void *
ngx_envelope_ready_mac_dup(const void *ctx)
{
    return EVP_MAC_CTX_dup(ctx);
}


static void
ngx_envelope_ready_mac_free(void *ctx)
{
    EVP_MAC_CTX_free(ctx);
}
