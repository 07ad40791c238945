
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_secret.h"

#include <openssl/crypto.h>


typedef struct {
    u_char      *data;
    size_t       size;
} ngx_envelope_secret_t;


static void ngx_envelope_secret_cleanup(void *data);


u_char *
ngx_envelope_secret_alloc(ngx_pool_t *pool, size_t size)
{
    ngx_pool_cleanup_t     *cln;
    ngx_envelope_secret_t  *secret;

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_envelope_secret_t));
    if (cln == NULL) {
        return NULL;
    }

    secret = cln->data;
    secret->size = size;
    secret->data = ngx_pnalloc(pool, size ? size : 1);

    if (secret->data == NULL) {
        return NULL;
    }

    cln->handler = ngx_envelope_secret_cleanup;

    return secret->data;
}


static void
ngx_envelope_secret_cleanup(void *data)
{
    ngx_envelope_secret_t  *secret = data;

    ngx_explicit_memzero(secret->data, secret->size);
}
