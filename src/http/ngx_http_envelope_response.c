
/*
 * Copyright (C) The ngx_http_envelope_module authors
 */


#include "ngx_http_envelope_response.h"
#include "ngx_http_envelope_body.h"
#include "ngx_http_envelope_headers.h"
#include "ngx_http_envelope_problem.h"


/*
 * The header waits until the body has come and been transformed.  Both leave
 * through ngx_http_envelope_response_send() or, when the message is refused,
 * ngx_http_envelope_response_answer(), and through nothing else.
 */


#define NGX_HTTP_ENVELOPE_COLLECT_MIN  4096


static ngx_int_t ngx_http_envelope_header_filter(ngx_http_request_t *r);
static ngx_uint_t ngx_http_envelope_is_problem(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_loc_conf_t *elcf);
static ngx_int_t ngx_http_envelope_header_problem(ngx_http_request_t *r,
    ngx_http_envelope_loc_conf_t *elcf);
static ngx_uint_t ngx_http_envelope_is_message(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_loc_conf_t *elcf);
static ngx_int_t ngx_http_envelope_header_only(ngx_http_request_t *r);
static ngx_int_t ngx_http_envelope_header_hold(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_loc_conf_t *elcf);

static ngx_int_t ngx_http_envelope_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_uint_t ngx_http_envelope_swallow(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_envelope_collect(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_chain_t *in);
static ngx_envelope_fault_e ngx_http_envelope_collect_buf(
    ngx_http_request_t *r, ngx_http_envelope_ctx_t *ctx, ngx_buf_t *b,
    ngx_envelope_reason_t *reason);
static size_t ngx_http_envelope_collect_size(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, size_t len);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_int_t
ngx_http_envelope_header_filter(ngx_http_request_t *r)
{
    ngx_http_envelope_ctx_t       *ctx;
    ngx_http_envelope_loc_conf_t  *elcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);
    elcf = ngx_http_get_module_loc_conf(r, ngx_http_envelope_module);

    if (ngx_http_envelope_is_problem(r, ctx, elcf)) {
        return ngx_http_envelope_header_problem(r, elcf);
    }

    if (!ngx_http_envelope_is_message(r, ctx, elcf)) {
        return ngx_http_next_header_filter(r);
    }

    if (r->method == NGX_HTTP_HEAD) {
        return ngx_http_envelope_header_only(r);
    }

    ctx = ngx_http_envelope_get_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (r->header_only) {

        if (elcf->role->response_direction == NGX_ENVELOPE_SEAL) {
            return ngx_http_envelope_header_only(r);
        }

        /*
         * Whoever asked (auth_request) goes by the status alone, which is
         * worth something only if the message opens.
         */

        r->header_only = 0;
        ctx->verify_only = 1;
    }

    return ngx_http_envelope_header_hold(r, ctx, elcf);
}


/*
 * Whether this is nginx's own error page for a message that was refused, by
 * this module or for its size, and which no "error_page" has taken.
 */

static ngx_uint_t
ngx_http_envelope_is_problem(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_loc_conf_t *elcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (ctx && ctx->problem_status) {
        return !ctx->problem_sent && r->err_status == ctx->problem_status;
    }

    if (elcf->profile == NULL
        || r != r->main
        || r->err_status != NGX_HTTP_REQUEST_ENTITY_TOO_LARGE
        || r->headers_out.status != NGX_HTTP_REQUEST_ENTITY_TOO_LARGE
        || r->upstream)
    {
        return 0;
    }

    if (!r->internal) {
        return 1;
    }

    /* after a redirect: unless it was the one to an error page */

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    return !r->error_page && !clcf->recursive_error_pages;
}


static ngx_int_t
ngx_http_envelope_header_problem(ngx_http_request_t *r,
    ngx_http_envelope_loc_conf_t *elcf)
{
    ngx_envelope_reason_t     reason;
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_envelope_get_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (ctx->problem_status == 0) {
        ctx->role = elcf->role;
        ctx->profile = elcf->profile;

        (void) ngx_envelope_declined(&reason,
                                     "larger than client_max_body_size");

        ngx_http_envelope_problem_set(r, ctx, NGX_HTTP_ENVELOPE_REQUEST_SIDE,
                                      NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, NULL,
                                      &reason);
    }

    ngx_http_envelope_problem_headers(r, ctx);

    ctx->problem_sent = 1;
    ctx->response_state = NGX_HTTP_ENVELOPE_PROBLEM;

    return ngx_http_next_header_filter(r);
}


static ngx_uint_t
ngx_http_envelope_is_message(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_loc_conf_t *elcf)
{
    ngx_uint_t  status;

    if (elcf->profile == NULL
        || elcf->profile->profile->formats[elcf->role->response] == NULL)
    {
        return 0;
    }

    if (ctx && ctx->response_state != NGX_HTTP_ENVELOPE_START) {
        return 0;
    }

    /* of these (mirror, cache update) nobody sees anything */

    if (r->background) {
        return 0;
    }

    status = r->headers_out.status;

    if (status < NGX_HTTP_OK
        || status >= NGX_HTTP_SPECIAL_RESPONSE
        || status == NGX_HTTP_NO_CONTENT)
    {
        return 0;
    }

    if (elcf->role->response_direction == NGX_ENVELOPE_SEAL) {
        return r == r->main
               || (ctx && ctx->request_state == NGX_HTTP_ENVELOPE_DONE);
    }

    if (ngx_http_envelope_upstream_active(r)) {
        return 1;
    }

    /*
     * Without an upstream the provider's bytes may come from elsewhere (a
     * proxy_store file), but not where nobody was asked ("return"), nor
     * where this machine steps in for the provider by an error page.
     */

    return ctx
           && ctx->request_state == NGX_HTTP_ENVELOPE_DONE
           && !ctx->request_refused
           && !r->error_page;
}


/* one that answers now; r->upstream stays set after a redirect */

ngx_uint_t
ngx_http_envelope_upstream_active(ngx_http_request_t *r)
{
    if (r->upstream == NULL) {
        return 0;
    }

#if (NGX_HTTP_CACHE)

    if (r->cached) {
        return 1;
    }

#endif

    return r->upstream->cleanup != NULL;
}


/* the fields that would describe a body that is not the one of a GET */

static ngx_int_t
ngx_http_envelope_header_only(ngx_http_request_t *r)
{
    r->single_range = 0;

    ngx_http_envelope_headers_out_clean(r);

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_http_envelope_header_hold(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_loc_conf_t *elcf)
{
    ngx_envelope_reason_t  reason;

    ctx->role = elcf->role;
    ctx->profile = elcf->profile;
    ctx->response_state = NGX_HTTP_ENVELOPE_COLLECT;

    /* the range filter measures what is held back here */

    r->allow_ranges = 0;
    r->single_range = 0;

    r->filter_need_in_memory = 1;

    if (r->upstream && r->upstream->cleanup) {
        ctx->upstream = 1;
        ctx->finalize_upstream = r->upstream->finalize_request;
        r->upstream->finalize_request = ngx_http_envelope_finalize_upstream;
    }

    if (r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT) {
        (void) ngx_envelope_declined(&reason,
                                     "a part of a message (status 206)");

        ngx_http_envelope_response_refuse(r, ctx, NGX_ENVELOPE_FAULT_SHAPE,
                                          NULL, &reason);
        return NGX_OK;
    }

    if (r->headers_out.content_length_n > (off_t) elcf->max_response_size) {
        (void) ngx_envelope_declined(&reason,
                                     "larger than envelope_max_response_size");

        ngx_http_envelope_response_refuse(r, ctx, NGX_ENVELOPE_FAULT_SHAPE,
                                          NULL, &reason);
        return NGX_OK;
    }

    if (ngx_http_envelope_response_coding(r) == NGX_ERROR) {
        (void) ngx_envelope_declined(&reason,
                               "Content-Encoding is neither gzip nor identity");

        ngx_http_envelope_response_refuse(r, ctx, NGX_ENVELOPE_FAULT_SHAPE,
                                          NULL, &reason);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_uint_t                last;
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);

    if (ctx == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    switch (ctx->response_state) {

    case NGX_HTTP_ENVELOPE_START:
    case NGX_HTTP_ENVELOPE_PASS:
        return ngx_http_next_body_filter(r, in);

    case NGX_HTTP_ENVELOPE_COLLECT:
        return ngx_http_envelope_collect(r, ctx, in);

    default:
        break;
    }

    /* nothing of what still comes may get out */

    last = ngx_http_envelope_swallow(r, in);

    switch (ctx->response_state) {

    case NGX_HTTP_ENVELOPE_TRANSFORM:
        return NGX_AGAIN;

    case NGX_HTTP_ENVELOPE_RELEASE:
        return ngx_http_envelope_response_release(r, ctx);

    case NGX_HTTP_ENVELOPE_REFUSED:
        return (last || ctx->truncated)
               ? ngx_http_envelope_response_answer(r, ctx) : NGX_OK;

    case NGX_HTTP_ENVELOPE_PROBLEM:

        if (in) {
            ctx->response_state = NGX_HTTP_ENVELOPE_DONE;
            return ngx_http_envelope_response_body(r, &ctx->problem_body);
        }

        /* fall through */

    default: /* NGX_HTTP_ENVELOPE_DONE */
        return ngx_http_next_body_filter(r, NULL);
    }
}


/* frees what the sender holds; returns whether it was the last of it */

static ngx_uint_t
ngx_http_envelope_swallow(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t   *b;
    ngx_uint_t   last;

    last = 0;

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;

        b->pos = b->last;
        b->file_pos = b->file_last;

        if (b->last_buf || (b->last_in_chain && r != r->main)) {
            last = 1;
        }
    }

    return last;
}


static ngx_int_t
ngx_http_envelope_collect(ngx_http_request_t *r, ngx_http_envelope_ctx_t *ctx,
    ngx_chain_t *in)
{
    ngx_chain_t           *cl;
    ngx_envelope_fault_e   fault;
    ngx_envelope_reason_t  reason;

    fault = NGX_ENVELOPE_FAULT_NONE;

    for (cl = in; cl; cl = cl->next) {

        fault = ngx_http_envelope_collect_buf(r, ctx, cl->buf, &reason);

        if (fault != NGX_ENVELOPE_FAULT_NONE) {
            break;
        }
    }

    if (fault == NGX_ENVELOPE_FAULT_NONE) {

        if (ngx_http_envelope_swallow(r, in)) {
            return ngx_http_envelope_response_transform(r, ctx);
        }

        if (!ctx->truncated) {
            return NGX_OK;
        }

        fault = NGX_ENVELOPE_FAULT_SHAPE;
        (void) ngx_envelope_declined(&reason, "it ended before its end");
    }

    ngx_http_envelope_response_refuse(r, ctx, fault, NULL, &reason);

    return ngx_http_envelope_body_filter(r, in);
}


static ngx_envelope_fault_e
ngx_http_envelope_collect_buf(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_buf_t *b, ngx_envelope_reason_t *reason)
{
    size_t                         len, max;
    u_char                        *p;
    ngx_http_envelope_loc_conf_t  *elcf;

    if (ngx_buf_size(b) == 0) {
        return NGX_ENVELOPE_FAULT_NONE;
    }

    if (!ngx_buf_in_memory(b)) {
        (void) ngx_envelope_failed(reason, "the body is not in memory");
        return NGX_ENVELOPE_FAULT_INTERNAL;
    }

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_envelope_module);

    len = b->last - b->pos;

    if (len > elcf->max_response_size - ctx->collected.len) {
        (void) ngx_envelope_declined(reason,
                                     "larger than envelope_max_response_size");
        return NGX_ENVELOPE_FAULT_SHAPE;
    }

    if (ctx->collected.len + len > ctx->collected_max) {

        max = ngx_http_envelope_collect_size(r, ctx, len);
        max = ngx_min(max, elcf->max_response_size);

        p = ngx_palloc(r->pool, max);
        if (p == NULL) {
            (void) ngx_envelope_failed(reason, "out of memory");
            return NGX_ENVELOPE_FAULT_INTERNAL;
        }

        if (ctx->collected_max) {
            ngx_memcpy(p, ctx->collected.data, ctx->collected.len);
            ngx_pfree(r->pool, ctx->collected.data);
        }

        ctx->collected.data = p;
        ctx->collected_max = max;
    }

    ngx_memcpy(ctx->collected.data + ctx->collected.len, b->pos, len);
    ctx->collected.len += len;

    return NGX_ENVELOPE_FAULT_NONE;
}


/*
 * The announced length is a hint for the first allocation alone: it may be
 * another's, if a filter in front of this one changes the body.
 */

static size_t
ngx_http_envelope_collect_size(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, size_t len)
{
    size_t  size;

    size = ctx->collected_max * 2;

    if (ctx->collected_max == 0 && r->headers_out.content_length_n > 0) {
        size = (size_t) r->headers_out.content_length_n;
    }

    size = ngx_max(size, NGX_HTTP_ENVELOPE_COLLECT_MIN);

    return ngx_max(size, ctx->collected.len + len);
}


ngx_int_t
ngx_http_envelope_response_send(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_str_t *body)
{
    ngx_int_t  rc;

    ctx->response_state = NGX_HTTP_ENVELOPE_DONE;

    if (ctx->verify_only) {
        r->header_only = 1;
    }

    rc = ngx_http_next_header_filter(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {

        if (rc > NGX_OK) {
            ctx->response_state = NGX_HTTP_ENVELOPE_PASS;
        }

        return rc;
    }

    return ngx_http_envelope_response_body(r, body);
}


ngx_int_t
ngx_http_envelope_response_body(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_chain_t  *cl;

    cl = ngx_http_envelope_body_chain(r, body);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_next_body_filter(r, cl);
}


ngx_int_t
ngx_http_envelope_response_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_envelope_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_envelope_body_filter;

    return NGX_OK;
}
