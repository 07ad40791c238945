
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_response.h"
#include "ngx_http_envelope_body.h"
#include "ngx_http_envelope_headers.h"
#include "ngx_http_envelope_once.h"
#include "ngx_http_envelope_problem.h"
#include "ngx_http_envelope_token.h"


/*
 * The header waits until the body has come and been transformed.  Both leave
 * through ngx_http_envelope_response_send() or, when the message is refused,
 * ngx_http_envelope_response_answer(), and through nothing else.
 */


static ngx_int_t ngx_http_envelope_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_envelope_outer_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_envelope_header(ngx_http_request_t *r,
    ngx_uint_t outer);
static ngx_uint_t ngx_http_envelope_is_part(ngx_http_request_t *r);
static ngx_int_t ngx_http_envelope_header_part(ngx_http_request_t *r);
static ngx_int_t ngx_http_envelope_header_problem(ngx_http_request_t *r,
    ngx_http_envelope_loc_conf_t *elcf, ngx_uint_t outer);
static ngx_uint_t ngx_http_envelope_is_message(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_loc_conf_t *elcf);
static ngx_uint_t ngx_http_envelope_is_sealed(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx);
static ngx_uint_t ngx_http_envelope_upstream_active(ngx_http_request_t *r);
static ngx_int_t ngx_http_envelope_header_hold(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_loc_conf_t *elcf,
    ngx_uint_t outer);

static ngx_int_t ngx_http_envelope_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_envelope_outer_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_envelope_body(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_chain_t *in);
static ngx_int_t ngx_http_envelope_next_body(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_chain_t *in);
static ngx_uint_t ngx_http_envelope_swallow(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_envelope_collect(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_chain_t *in);

static ngx_int_t ngx_http_envelope_outer_init(ngx_conf_t *cf);


static ngx_http_module_t  ngx_http_envelope_seal_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_envelope_outer_init,          /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


/* a module of its own, for a place of its own in the chain of filters */

ngx_module_t  ngx_http_envelope_seal_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_envelope_seal_filter_module_ctx, /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;

/* of the outer place: NULL where it is not used, and the inner one does all */

static ngx_http_output_header_filter_pt  ngx_http_next_outer_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_outer_body_filter;


static ngx_int_t
ngx_http_envelope_header_filter(ngx_http_request_t *r)
{
    ngx_http_envelope_once_release(r);

    return ngx_http_envelope_header(r, 0);
}


static ngx_int_t
ngx_http_envelope_outer_header_filter(ngx_http_request_t *r)
{
    return ngx_http_envelope_header(r, 1);
}


static ngx_int_t
ngx_http_envelope_header(ngx_http_request_t *r, ngx_uint_t outer)
{
    ngx_uint_t                         last, seal;
    ngx_http_envelope_ctx_t           *ctx;
    ngx_http_envelope_loc_conf_t      *elcf;
    ngx_http_output_header_filter_pt   next;

    if (!outer && ngx_http_envelope_is_part(r)) {
        return ngx_http_envelope_header_part(r);
    }

    next = outer ? ngx_http_next_outer_header_filter
                 : ngx_http_next_header_filter;

    /* bodies of subrequests become the main request's on their way out */

    last = (outer || r != r->main || !ngx_http_next_outer_header_filter);

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);
    elcf = ngx_http_get_module_loc_conf(r, ngx_http_envelope_module);

    if (!outer && ctx && ctx->token) {
        ngx_http_envelope_token_answered(ctx->token);
    }

    if (ngx_http_envelope_problem_due(r, ctx, elcf)) {
        return last ? ngx_http_envelope_header_problem(r, elcf, outer)
                    : next(r);
    }

    if (!ngx_http_envelope_is_message(r, ctx, elcf)) {
        return next(r);
    }

    if (ngx_http_envelope_response_interim(r)) {
        return next(r);
    }

    seal = (elcf->role->response_direction == NGX_ENVELOPE_SEAL);

    if (seal && !last) {
        return next(r);
    }

    if (r->headers_out.status >= NGX_HTTP_OK
        && (r->method == NGX_HTTP_HEAD || (r->header_only && seal)))
    {

        /* what it says is of another body than a GET would have */

        r->single_range = 0;
        ngx_http_envelope_headers_out_clean(r);

        return next(r);
    }

    ctx = ngx_http_envelope_get_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (r->header_only) {

        /*
         * Whoever asked (auth_request) goes by the status alone, which is
         * worth something only if the message opens.
         */

        r->header_only = 0;
        ctx->verify_only = 1;
    }

    return ngx_http_envelope_header_hold(r, ctx, elcf, outer);
}


/*
 * Whether this is a subrequest that adds to a response which is held back
 * (slice, in front of this filter): what it sent now would come in front of
 * the header.
 */

static ngx_uint_t
ngx_http_envelope_is_part(ngx_http_request_t *r)
{
    ngx_http_envelope_ctx_t  *ctx;

    if (r == r->main || r->background) {
        return 0;
    }

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_envelope_module);

    if (ctx == NULL || ctx->outer) {
        return 0;
    }

    return ctx->response_state == NGX_HTTP_ENVELOPE_COLLECT
           || ctx->response_state == NGX_HTTP_ENVELOPE_REFUSED;
}


static ngx_int_t
ngx_http_envelope_header_part(ngx_http_request_t *r)
{
    ngx_envelope_reason_t     reason;
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_envelope_module);

    if (ctx->response_state == NGX_HTTP_ENVELOPE_COLLECT) {
        (void) ngx_envelope_declined(&reason, "a message in parts (slice)");

        ngx_http_envelope_response_refuse(r->main, ctx,
                                          NGX_ENVELOPE_FAULT_SHAPE, NULL,
                                          &reason);
    }

    ctx = ngx_http_envelope_get_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->response_state = NGX_HTTP_ENVELOPE_DONE;

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_header_problem(ngx_http_request_t *r,
    ngx_http_envelope_loc_conf_t *elcf, ngx_uint_t outer)
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
    ctx->outer = outer;

    return outer ? ngx_http_next_outer_header_filter(r)
                 : ngx_http_next_header_filter(r);
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

    if (status >= NGX_HTTP_SPECIAL_RESPONSE || status == NGX_HTTP_NO_CONTENT) {
        return 0;
    }

    if (elcf->role->response_direction == NGX_ENVELOPE_SEAL) {
        return ngx_http_envelope_is_sealed(r, ctx);
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


/* a subrequest's response is, unless it gets into one that will be */

static ngx_uint_t
ngx_http_envelope_is_sealed(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx)
{
    ngx_http_envelope_loc_conf_t  *elcf;

    if (r == r->main) {
        return 1;
    }

    if (ctx == NULL || ctx->request_state != NGX_HTTP_ENVELOPE_DONE) {
        return 0;
    }

    elcf = ngx_http_get_module_loc_conf(r->main, ngx_http_envelope_module);

    return ngx_http_next_outer_header_filter == NULL
           || elcf->profile == NULL
           || elcf->role->response_direction != NGX_ENVELOPE_SEAL
           || elcf->profile->profile->formats[elcf->role->response] == NULL;
}


/* one that answers now; r->upstream stays set after a redirect */

static ngx_uint_t
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


static ngx_int_t
ngx_http_envelope_header_hold(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_loc_conf_t *elcf,
    ngx_uint_t outer)
{
    ngx_envelope_reason_t  reason;

    ctx->role = elcf->role;
    ctx->profile = elcf->profile;
    ctx->response_state = NGX_HTTP_ENVELOPE_COLLECT;
    ctx->outer = outer;

    /* the range filter measures what is held back here */

    r->allow_ranges = 0;
    r->single_range = 0;

    if (outer) {
        r->main_filter_need_in_memory = 1;

    } else {
        r->filter_need_in_memory = 1;
    }

    if (r->upstream && r->upstream->cleanup) {
        ctx->finalize_upstream = r->upstream->finalize_request;
        r->upstream->finalize_request = ngx_http_envelope_finalize_upstream;
    }

    if (r->headers_out.status < NGX_HTTP_OK) {
        (void) ngx_envelope_declined(&reason, "it has no HTTP status");

        ngx_http_envelope_response_refuse(r, ctx, NGX_ENVELOPE_FAULT_SHAPE,
                                          NULL, &reason);
        return NGX_OK;
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
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);

    if (ctx == NULL || ctx->outer) {
        return ngx_http_next_body_filter(r, in);
    }

    return ngx_http_envelope_body(r, ctx, in);
}


static ngx_int_t
ngx_http_envelope_outer_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);

    if (ctx == NULL || !ctx->outer) {
        return ngx_http_next_outer_body_filter(r, in);
    }

    return ngx_http_envelope_body(r, ctx, in);
}


static ngx_int_t
ngx_http_envelope_body(ngx_http_request_t *r, ngx_http_envelope_ctx_t *ctx,
    ngx_chain_t *in)
{
    ngx_uint_t  last;

    switch (ctx->response_state) {

    case NGX_HTTP_ENVELOPE_START:
    case NGX_HTTP_ENVELOPE_PASS:
        return ngx_http_envelope_next_body(r, ctx, in);

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
        return last ? ngx_http_envelope_response_answer(r, ctx, 0) : NGX_OK;

    case NGX_HTTP_ENVELOPE_ANSWER:
        return in ? NGX_AGAIN : ngx_http_envelope_response_answer(r, ctx, 1);

    case NGX_HTTP_ENVELOPE_PROBLEM:

        if (in) {
            ctx->response_state = NGX_HTTP_ENVELOPE_DONE;
            return ngx_http_envelope_response_body(r, ctx,
                                                   &ctx->problem_body);
        }

        /* fall through */

    default: /* NGX_HTTP_ENVELOPE_DONE */

        /* nginx alerts where there is nothing at all to write */

        if ((in || ctx->outer) && !r->connection->buffered) {
            return NGX_OK;
        }

        return ngx_http_envelope_next_body(r, ctx, NULL);
    }
}


static ngx_int_t
ngx_http_envelope_next_body(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_chain_t *in)
{
    return ctx->outer ? ngx_http_next_outer_body_filter(r, in)
                      : ngx_http_next_body_filter(r, in);
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

        fault = ngx_http_envelope_body_collect(r, ctx, cl->buf, &reason);

        if (fault != NGX_ENVELOPE_FAULT_NONE) {
            break;
        }
    }

    if (fault == NGX_ENVELOPE_FAULT_NONE) {

        return ngx_http_envelope_swallow(r, in)
               ? ngx_http_envelope_response_transform(r, ctx) : NGX_OK;
    }

    ngx_http_envelope_response_refuse(r, ctx, fault, NULL, &reason);

    return ngx_http_envelope_body(r, ctx, in);
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

    rc = ctx->outer ? ngx_http_next_outer_header_filter(r)
                    : ngx_http_next_header_filter(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {

        if (rc > NGX_OK) {
            ctx->response_state = NGX_HTTP_ENVELOPE_PASS;
        }

        return rc;
    }

    return ngx_http_envelope_response_body(r, ctx, body);
}


ngx_int_t
ngx_http_envelope_response_body(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_str_t *body)
{
    ngx_chain_t  *cl;

    cl = ngx_http_envelope_body_chain(r, body);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_envelope_next_body(r, ctx, cl);
}


/* nginx takes a request for finished that has nothing left to send */

void
ngx_http_envelope_response_suspend(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx)
{
    r->buffered |= NGX_HTTP_ENVELOPE_BUFFERED;

    if (ctx->outer) {
        r->connection->buffered |= NGX_HTTP_ENVELOPE_C_BUFFERED;
    }
}


void
ngx_http_envelope_response_resume(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx)
{
    r->buffered &= ~NGX_HTTP_ENVELOPE_BUFFERED;

    if (ctx->outer) {
        r->connection->buffered &= ~NGX_HTTP_ENVELOPE_C_BUFFERED;
    }
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


static ngx_int_t
ngx_http_envelope_outer_init(ngx_conf_t *cf)
{
    ngx_http_next_outer_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_envelope_outer_header_filter;

    ngx_http_next_outer_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_envelope_outer_body_filter;

    return NGX_OK;
}
