
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_request.h"
#include "ngx_http_envelope_body.h"
#include "ngx_http_envelope_headers.h"
#include "ngx_http_envelope_job.h"
#include "ngx_http_envelope_mark.h"
#include "ngx_http_envelope_problem.h"
#include "ngx_http_envelope_token.h"


static ngx_int_t ngx_http_envelope_request_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_envelope_request_begin(ngx_http_request_t *r,
    ngx_http_envelope_loc_conf_t *elcf, ngx_http_envelope_marks_t *marks);
static ngx_int_t ngx_http_envelope_request_bare(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx);
static void ngx_http_envelope_request_bare_token(ngx_http_request_t *r,
    ngx_int_t rc);
static ngx_int_t ngx_http_envelope_request_bare_apply(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx);
static ngx_uint_t ngx_http_envelope_request_skip(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_marks_t *marks);
static ngx_int_t ngx_http_envelope_request_read(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_marks_t *marks);
static void ngx_http_envelope_request_body(ngx_http_request_t *r);
static void ngx_http_envelope_request_token(ngx_http_request_t *r,
    ngx_int_t rc);
static void ngx_http_envelope_request_transform(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx);
static ngx_http_envelope_job_t *ngx_http_envelope_request_job(
    ngx_http_request_t *r, ngx_http_envelope_ctx_t *ctx,
    ngx_envelope_reason_t *reason);
static void ngx_http_envelope_request_done(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job);

static ngx_int_t ngx_http_envelope_request_release(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_job_t *job);
static ngx_uint_t ngx_http_envelope_request_stale(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx);
static ngx_int_t ngx_http_envelope_request_send(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_pool_t *pool, ngx_array_t *edits);
static ngx_int_t ngx_http_envelope_request_frame(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job, ngx_array_t *edits);
static void ngx_http_envelope_request_fail(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_envelope_reason_t *reason);
static void ngx_http_envelope_request_refuse(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx);
static ngx_int_t ngx_http_envelope_request_drop(ngx_http_request_t *r,
    ngx_http_envelope_marks_t *marks);


static ngx_int_t
ngx_http_envelope_request_handler(ngx_http_request_t *r)
{
    ngx_http_envelope_ctx_t       *ctx;
    ngx_http_envelope_marks_t     *marks;
    ngx_http_envelope_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_envelope_module);

    if (elcf->profile == NULL && !r->internal) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);

    if (ctx && ctx->request_state != NGX_HTTP_ENVELOPE_START) {
        return (ctx->request_state == NGX_HTTP_ENVELOPE_DONE) ? NGX_DECLINED
                                                              : NGX_DONE;
    }

    marks = ngx_http_envelope_marks(r, 0);

    if (marks && marks->reading && r == r->main) {

        /*
         * An error page of a body that was too large, or broken: what has
         * been read of it was never transformed.
         */

        if (ngx_http_envelope_request_drop(r, marks) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (elcf->profile == NULL) {
        return NGX_DECLINED;
    }

    return ngx_http_envelope_request_begin(r, elcf, marks);
}


static ngx_int_t
ngx_http_envelope_request_begin(ngx_http_request_t *r,
    ngx_http_envelope_loc_conf_t *elcf, ngx_http_envelope_marks_t *marks)
{
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_envelope_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->role = elcf->role;
    ctx->profile = elcf->profile;

    if (!ngx_http_envelope_request_skip(r, ctx, marks)) {
        return ngx_http_envelope_request_read(r, ctx, marks);
    }

    if (ctx->profile->profile->formats[ctx->role->request] == NULL
        && ngx_http_envelope_token_needed(ctx))
    {
        return ngx_http_envelope_request_bare(r, ctx);
    }

    return ngx_http_envelope_request_bare_apply(r, ctx);
}


/* a request that passes as it is, but with a token */

static ngx_int_t
ngx_http_envelope_request_bare(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx)
{
    ngx_int_t  rc;

    ctx->request_state = NGX_HTTP_ENVELOPE_WAIT;

    rc = ngx_http_envelope_token_need(r, ctx,
                                      ngx_http_envelope_request_bare_token);

    if (rc == NGX_OK) {
        return ngx_http_envelope_request_bare_apply(r, ctx);
    }

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    ctx->request_state = NGX_HTTP_ENVELOPE_DONE;
    ctx->request_refused = 1;

    return ctx->problem_status;
}


static void
ngx_http_envelope_request_bare_token(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);

    ctx->request_state = NGX_HTTP_ENVELOPE_DONE;

    if (rc != NGX_OK) {
        ctx->request_refused = 1;
        ngx_http_finalize_request(r, ctx->problem_status);
        return;
    }

    rc = ngx_http_envelope_request_bare_apply(r, ctx);

    if (rc != NGX_DECLINED) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


static ngx_int_t
ngx_http_envelope_request_bare_apply(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx)
{
    ngx_array_t  edits;

    if (ngx_array_init(&edits, r->pool, 4, sizeof(ngx_envelope_header_t))
        != NGX_OK
        || ngx_http_envelope_request_send(r, ctx, r->pool, &edits) != NGX_OK
        || ngx_http_envelope_headers_in_apply(r, &edits,
                                      ngx_http_envelope_request_stale(r, ctx))
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->request_state = NGX_HTTP_ENVELOPE_DONE;

    return NGX_DECLINED;
}


/*
 * A sealed body is never sealed again, by whatever profile it was; one that
 * this very format has opened is not opened again.  But an opened one that
 * comes to a place where messages leave is plain, and has to be sealed.
 */

static ngx_uint_t
ngx_http_envelope_request_skip(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_marks_t *marks)
{
    ngx_envelope_format_t     *format;
    ngx_http_envelope_mark_t  *mark;

    format = ctx->profile->profile->formats[ctx->role->request];

    if (format == NULL) {
        return 1;
    }

    /* an error page, the body of whose request was thrown away by nginx */

    if (r->discard_body) {
        ctx->request_refused = 1;
        return 1;
    }

    mark = ngx_http_envelope_mark_find(r, marks);

    if (mark == NULL) {
        return 0;
    }

    if (mark->format == NULL) {
        ctx->request_refused = 1;
        return 1;
    }

    if (mark->direction != ctx->role->request_direction) {
        return 0;
    }

    return mark->direction == NGX_ENVELOPE_SEAL || mark->format == format;
}


static ngx_int_t
ngx_http_envelope_request_read(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_marks_t *marks)
{
    ngx_int_t  rc;

    if (marks == NULL) {
        marks = ngx_http_envelope_marks(r, 1);
        if (marks == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ctx->request_state = NGX_HTTP_ENVELOPE_COLLECT;

    if (r == r->main) {
        marks->reading = 1;
    }

    if (r == r->main && r->request_body == NULL) {
        r->request_body_in_single_buf = 1;
        ctx->own_body = 1;
    }

    rc = ngx_http_read_client_request_body(r, ngx_http_envelope_request_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_http_envelope_request_body(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_envelope_ctx_t    *ctx;
    ngx_http_envelope_marks_t  *marks;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);
    marks = ngx_http_envelope_marks(r, 0);

    if (r == r->main) {
        marks->reading = 0;
    }

    /* as long as the job runs, no event may start the phases again */

    r->write_event_handler = ngx_http_request_empty_handler;

    if (!ngx_http_envelope_token_needed(ctx)) {
        ngx_http_envelope_request_transform(r, ctx);
        return;
    }

    ctx->request_state = NGX_HTTP_ENVELOPE_WAIT;

    rc = ngx_http_envelope_token_need(r, ctx, ngx_http_envelope_request_token);

    if (rc != NGX_AGAIN) {
        ngx_http_envelope_request_token(r, rc);
    }
}


static void
ngx_http_envelope_request_token(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);

    if (rc == NGX_OK) {
        ngx_http_envelope_request_transform(r, ctx);

    } else {
        ngx_http_envelope_request_refuse(r, ctx);
    }
}


static void
ngx_http_envelope_request_transform(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx)
{
    ngx_envelope_reason_t     reason;
    ngx_http_envelope_job_t  *job;

    job = ngx_http_envelope_request_job(r, ctx, &reason);

    if (job == NULL) {

        if (reason.len == 0) {
            (void) ngx_envelope_failed(&reason, "it cannot be prepared");
        }

        ngx_http_envelope_request_fail(r, ctx, &reason);
        return;
    }

    ctx->request_job = job;
    ctx->request_state = NGX_HTTP_ENVELOPE_TRANSFORM;

    /* that may take a while, and nobody may wait for it any more */

    if (r == r->main) {
        r->read_event_handler = ngx_http_test_reading;
    }

    ngx_http_envelope_job_start(r, job, ngx_http_envelope_request_done);
}


static ngx_http_envelope_job_t *
ngx_http_envelope_request_job(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_envelope_reason_t *reason)
{
    ngx_http_envelope_job_t  *job;

    reason->len = 0;

    job = ngx_http_envelope_job_create(r, ctx->profile, ctx->role->request,
                                       ctx->role->request_direction);
    if (job == NULL) {
        return NULL;
    }

    if (job->input.format->headers
        && ngx_http_envelope_headers_in(r, job->pool, &job->input.headers,
                                        &job->input.nheaders)
           != NGX_OK)
    {
        return NULL;
    }

    if (ngx_http_envelope_body_gather(r, job, reason) != NGX_OK) {
        return NULL;
    }

    if (job->input.direction == NGX_ENVELOPE_SEAL
        && ngx_http_envelope_body_members(r, ctx, job->pool,
                                          &job->input.body)
           != NGX_OK)
    {
        return NULL;
    }

    return job;
}


static void
ngx_http_envelope_request_done(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job)
{
    ngx_envelope_reason_t     reason;
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);

    if (ctx == NULL || ctx->request_job != job) {

        /* nginx has redirected the request ("post_action") */

        return;
    }

    ctx->request_state = NGX_HTTP_ENVELOPE_RELEASE;

    if (r == r->main) {
        r->read_event_handler = ngx_http_block_reading;
    }

    ngx_http_envelope_job_note(ctx, job);

    if (job->output.outcome == NGX_ENVELOPE_REJECTED) {
        ngx_http_envelope_refuse(r, ctx, NGX_HTTP_ENVELOPE_REQUEST_SIDE,
                                 job->output.fault, job->output.statement,
                                 &job->output.reason);
        ngx_http_envelope_request_refuse(r, ctx);
        return;
    }

    if (ngx_http_envelope_request_release(r, ctx, job) != NGX_OK) {
        (void) ngx_envelope_failed(&reason, "it cannot be passed on");
        ngx_http_envelope_request_fail(r, ctx, &reason);
        return;
    }

    ctx->request_state = NGX_HTTP_ENVELOPE_DONE;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


static ngx_int_t
ngx_http_envelope_request_release(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_job_t *job)
{
    ngx_str_t                  *body;
    ngx_uint_t                  stale;
    ngx_array_t                *edits;
    ngx_http_request_body_t    *rb;
    ngx_http_envelope_marks_t  *marks;

    rb = r->request_body;
    stale = ngx_http_envelope_request_stale(r, ctx);
    edits = &job->output.headers;

    if (edits->pool == NULL
        && ngx_array_init(edits, job->pool, 8, sizeof(ngx_envelope_header_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    body = NULL;

    if (job->output.body_set) {
        body = &job->output.body;
        stale |= NGX_HTTP_ENVELOPE_STALE_BODY;

        if (ngx_http_envelope_request_frame(r, job, edits) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (job->input.direction == NGX_ENVELOPE_OPEN
        && ngx_http_envelope_body_members(r, ctx, job->pool,
                                          body ? body : &job->input.body)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    marks = ngx_http_envelope_marks(r, 0);

    if (ngx_http_envelope_request_send(r, ctx, job->pool, edits) != NGX_OK
        || ngx_http_envelope_headers_in_apply(r, edits, stale) != NGX_OK
        || ngx_http_envelope_body_replace(r, body) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (body) {
        ngx_http_envelope_body_release(r, rb, job);
    }

    return ngx_http_envelope_mark_add(r, marks, job->input.format,
                                      job->input.direction);
}


/* what must not go on, since the answer is read and written anew here */

static ngx_uint_t
ngx_http_envelope_request_stale(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx)
{
    ngx_uint_t  stale;

    stale = 0;

    /* it has been answered where the body was read */

    if (r->request_body) {
        stale |= NGX_HTTP_ENVELOPE_STALE_EXPECT;
    }

    if (ctx->profile->profile->formats[ctx->role->response]) {
        stale |= NGX_HTTP_ENVELOPE_STALE_ANSWER;
    }

    return stale;
}


/* the token, once all that is sealed is sealed */

static ngx_int_t
ngx_http_envelope_request_send(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_pool_t *pool, ngx_array_t *edits)
{
    ngx_envelope_reason_t  reason;

    if (ctx->token == NULL) {
        return NGX_OK;
    }

    if (ngx_http_envelope_token_send(r, ctx->token->token, pool, edits,
                                     &reason)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "envelope: profile \"%V\" token cannot be sent: %*s",
                      &ctx->profile->name, reason.len, reason.data);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the header fields that frame and describe the new body */

static ngx_int_t
ngx_http_envelope_request_frame(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job, ngx_array_t *edits)
{
    ngx_str_t  type, value;

    value.data = ngx_pnalloc(job->pool, NGX_SIZE_T_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%uz", job->output.body.len)
                - value.data;

    if (ngx_http_envelope_headers_edit(edits, "Content-Length", &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_set(&type, "Content-Type");

    if (!job->input.format->members
        || ngx_http_envelope_headers_find(edits, &type))
    {
        return NGX_OK;
    }

    ngx_str_set(&value, "application/json");

    return ngx_http_envelope_headers_edit(edits, "Content-Type", &value);
}


/* a failure of this machine and not of the message */

static void
ngx_http_envelope_request_fail(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_envelope_reason_t *reason)
{
    ngx_http_envelope_refuse(r, ctx, NGX_HTTP_ENVELOPE_REQUEST_SIDE,
                             NGX_ENVELOPE_FAULT_INTERNAL, NULL, reason);
    ngx_http_envelope_request_refuse(r, ctx);
}


static void
ngx_http_envelope_request_refuse(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx)
{
    ctx->request_state = NGX_HTTP_ENVELOPE_DONE;
    ctx->request_refused = 1;

    /* an error page may lead to an upstream, which must not see the body */

    if (ngx_http_envelope_request_drop(r, ngx_http_envelope_marks(r, 0))
        != NGX_OK)
    {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    ngx_http_finalize_request(r, ctx->problem_status);
}


static ngx_int_t
ngx_http_envelope_request_drop(ngx_http_request_t *r,
    ngx_http_envelope_marks_t *marks)
{
    ngx_str_t    empty;
    ngx_array_t  edits;

    ngx_str_null(&empty);

    marks->reading = 0;

    if (ngx_array_init(&edits, r->pool, 1, sizeof(ngx_envelope_header_t))
        != NGX_OK
        || ngx_http_envelope_headers_in_apply(r, &edits,
                                              NGX_HTTP_ENVELOPE_STALE_BODY
                                              |NGX_HTTP_ENVELOPE_STALE_CONTENT
                                              |NGX_HTTP_ENVELOPE_STALE_EXPECT)
           != NGX_OK
        || ngx_http_envelope_body_replace(r, &empty) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_envelope_mark_add(r, marks, NULL, 0);
}


ngx_int_t
ngx_http_envelope_request_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_envelope_request_handler;

    return ngx_http_envelope_headers_in_init(cf);
}
