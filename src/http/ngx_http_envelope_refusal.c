
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_response.h"
#include "ngx_http_envelope_problem.h"


static void ngx_http_envelope_response_clear(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx);
static ngx_uint_t ngx_http_envelope_error_page(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx);
static void ngx_http_envelope_response_abort(ngx_http_request_t *r);
static void ngx_http_envelope_abort_handler(ngx_event_t *ev);
static void ngx_http_envelope_abort_cleanup(void *data);


ngx_uint_t
ngx_http_envelope_response_interim(ngx_http_request_t *r)
{
    ngx_uint_t  status;

    status = r->headers_out.status;

    if (status >= NGX_HTTP_OK) {
        return 0;
    }

    if (status < NGX_HTTP_CONTINUE) {

        if (r->http_version == NGX_HTTP_VERSION_9 && r->http_major) {
            r->http_version = r->http_major * 1000 + r->http_minor;
        }

        return 0;
    }

    if (status == NGX_HTTP_SWITCHING_PROTOCOLS && r->headers_in.upgrade) {
        return 1;
    }

    r->header_only = 1;
    r->main->keepalive = 0;

    if (r->upstream) {
        r->upstream->upgrade = 0;
    }

    return 1;
}


void
ngx_http_envelope_response_refuse(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_envelope_fault_e fault,
    const ngx_envelope_statement_t *statement, ngx_envelope_reason_t *reason)
{
    ngx_http_envelope_refuse(r, ctx, NGX_HTTP_ENVELOPE_RESPONSE_SIDE, fault,
                             statement, reason);

    ctx->response_state = NGX_HTTP_ENVELOPE_REFUSED;

    if (ctx->collected_max && !ctx->inflated) {
        ngx_pfree(r->pool, ctx->collected.data);
    }

    ngx_str_null(&ctx->collected);
    ctx->collected_max = 0;

    /* else the message's end, which is swallowed too, is the time to answer */

    if (r->upstream && r->upstream->cleanup) {
        ngx_http_envelope_response_abort(r);
    }
}


/*
 * A status is what "error_page" waits for, and ngx_http_finalize_request()
 * has to get it; but not all that call a filter look at what it returns, the
 * filters in between included.  So the request is finalized first, stays as
 * something is due, and its writer gets the status.
 */

ngx_int_t
ngx_http_envelope_response_answer(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_uint_t final)
{
    ngx_int_t  rc;

    if (ngx_http_envelope_error_page(r, ctx)) {

        if (!final) {
            ctx->response_state = NGX_HTTP_ENVELOPE_ANSWER;
            ngx_http_envelope_response_suspend(r, ctx);

            return (ngx_http_post_request(r, NULL) == NGX_OK) ? NGX_AGAIN
                                                              : NGX_ERROR;
        }

        ngx_http_envelope_response_clear(r, ctx);
        ctx->response_state = NGX_HTTP_ENVELOPE_PASS;

        return ctx->problem_status;
    }

    ngx_http_envelope_response_clear(r, ctx);
    ngx_http_envelope_problem_headers(r, ctx);

    ctx->response_state = NGX_HTTP_ENVELOPE_DONE;
    ctx->problem_sent = 1;

    r->err_status = ctx->problem_status;

    /* from the top, so that "add_header .. always" sees the status */

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_envelope_response_body(r, ctx, &ctx->problem_body);
}


/* nothing of the header that was held back belongs to the answer */

static void
ngx_http_envelope_response_clear(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx)
{
    ngx_http_envelope_response_resume(r, ctx);

    if (ctx->verify_only) {
        r->header_only = 1;
    }

    ngx_http_clean_header(r);

    r->headers_out.status = ctx->problem_status;
}


static ngx_uint_t
ngx_http_envelope_error_page(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->error_page || clcf->error_pages == NULL || r->uri_changes == 0) {
        return 0;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (page[i].status == (ngx_int_t) ctx->problem_status) {
            return 1;
        }
    }

    return 0;
}


/*
 * The upstream cannot be closed here, deep inside its own reading: that is
 * done as soon as the event is through.
 */

static void
ngx_http_envelope_response_abort(ngx_http_request_t *r)
{
    ngx_event_t         *ev;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_event_t));
    if (cln == NULL) {
        return;
    }

    ev = cln->data;
    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = ngx_http_envelope_abort_handler;
    ev->data = r;
    ev->log = r->connection->log;

    cln->handler = ngx_http_envelope_abort_cleanup;

    ngx_post_event(ev, &ngx_posted_events);
}


static void
ngx_http_envelope_abort_handler(ngx_event_t *ev)
{
    ngx_int_t                 rc;
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_upstream_t      *u;
    ngx_http_envelope_ctx_t  *ctx;

    r = ev->data;
    c = r->connection;
    u = r->upstream;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);

    if (ctx == NULL
        || ctx->response_state != NGX_HTTP_ENVELOPE_REFUSED
        || u == NULL
        || u->cleanup == NULL
        || r->aio
        || r->main->blocked)
    {
        /* it has been answered, or is when the upstream has come to its end */
        return;
    }

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "envelope: the upstream is closed: \"%V\"", &r->uri);

    /* as ngx_http_upstream_create() does with an old one */

    r->main->count++;
    (*u->cleanup)(r);

    rc = ngx_http_envelope_response_answer(r, ctx, 1);
    ngx_http_finalize_request(r, rc);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_envelope_abort_cleanup(void *data)
{
    ngx_event_t  *ev = data;

    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }
}


/*
 * In front of the upstream's own: this is where one learns that the response
 * will not be whole.  What follows from nginx is a flush, or nothing at all
 * where the upstream module has found the body malformed: the request is then
 * terminated, and there is no waiting for an error page.
 */

void
ngx_http_envelope_finalize_upstream(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_envelope_reason_t     reason;
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);

    if (ctx == NULL || ctx->finalize_upstream == NULL) {
        return;
    }

    r->upstream->finalize_request = ctx->finalize_upstream;
    ctx->finalize_upstream(r, rc);

    if (rc == NGX_HTTP_CLIENT_CLOSED_REQUEST
        || rc == NGX_HTTP_REQUEST_TIME_OUT
        || (rc < NGX_HTTP_SPECIAL_RESPONSE && rc != NGX_ERROR)
        || (rc == NGX_ERROR && r != r->main)
        || r->connection->error)
    {
        return;
    }

    if (ctx->response_state == NGX_HTTP_ENVELOPE_COLLECT) {

        (void) ngx_envelope_declined(&reason, "%s", (rc == NGX_ERROR)
                                     ? "its body is malformed"
                                     : "it ended before its end");

        ngx_http_envelope_response_refuse(r, ctx, NGX_ENVELOPE_FAULT_SHAPE,
                                          NULL, &reason);
    }

    if (ctx->response_state != NGX_HTTP_ENVELOPE_REFUSED) {
        return;
    }

    if (rc == NGX_ERROR) {
        r->error_page = 1;
    }

    /* nginx will close it, and says so only in headers that come later */

    r->keepalive = 0;

    (void) ngx_http_envelope_response_answer(r, ctx, 0);
}
