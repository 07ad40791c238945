
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_mark.h"


static void ngx_http_envelope_marks_cleanup(void *data);


ngx_http_envelope_ctx_t *
ngx_http_envelope_get_ctx(ngx_http_request_t *r)
{
    ngx_http_envelope_ctx_t    *ctx, *old;
    ngx_http_envelope_marks_t  *marks;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);

    if (ctx) {
        return ctx;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_envelope_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    if (r == r->main) {
        marks = ngx_http_envelope_marks(r, 1);
        if (marks == NULL) {
            return NULL;
        }

        old = marks->ctx;

        if (old) {
            ctx->nonce = old->nonce;
            ctx->uuid = old->uuid;
            ctx->kid = old->kid;
            ctx->reason = old->reason;
            ctx->result = old->result;
            ctx->members = old->members;
            ctx->seal_time = old->seal_time;
            ctx->seal_timed = old->seal_timed;
            ctx->open_time = old->open_time;
            ctx->open_timed = old->open_timed;
        }

        marks->ctx = ctx;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_envelope_module);

    return ctx;
}


ngx_http_envelope_ctx_t *
ngx_http_envelope_last_ctx(ngx_http_request_t *r)
{
    ngx_http_envelope_ctx_t    *ctx;
    ngx_http_envelope_marks_t  *marks;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);

    if (ctx || r != r->main) {
        return ctx;
    }

    marks = ngx_http_envelope_marks(r, 0);

    return marks ? marks->ctx : NULL;
}


ngx_http_envelope_marks_t *
ngx_http_envelope_marks(ngx_http_request_t *r, ngx_uint_t create)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_envelope_marks_t  *marks;

    for (cln = r->main->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_envelope_marks_cleanup) {
            return cln->data;
        }
    }

    if (!create) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->main->pool,
                               sizeof(ngx_http_envelope_marks_t));
    if (cln == NULL) {
        return NULL;
    }

    marks = cln->data;
    ngx_memzero(marks, sizeof(ngx_http_envelope_marks_t));

    cln->handler = ngx_http_envelope_marks_cleanup;

    return marks;
}


/* only there to be found by */

static void
ngx_http_envelope_marks_cleanup(void *data)
{
}


ngx_int_t
ngx_http_envelope_mark_add(ngx_http_request_t *r,
    ngx_http_envelope_marks_t *marks, const ngx_envelope_format_t *format,
    ngx_envelope_direction_e direction)
{
    ngx_http_envelope_mark_t  *mark;

    mark = ngx_palloc(r->pool, sizeof(ngx_http_envelope_mark_t));
    if (mark == NULL) {
        return NGX_ERROR;
    }

    mark->body = r->request_body;
    mark->format = format;
    mark->direction = direction;
    mark->next = marks->first;

    marks->first = mark;

    return NGX_OK;
}


ngx_http_envelope_mark_t *
ngx_http_envelope_mark_find(ngx_http_request_t *r,
    ngx_http_envelope_marks_t *marks)
{
    ngx_http_envelope_mark_t  *mark;

    if (marks == NULL || r->request_body == NULL) {
        return NULL;
    }

    for (mark = marks->first; mark; mark = mark->next) {
        if (mark->body == r->request_body) {
            return mark;
        }
    }

    return NULL;
}
