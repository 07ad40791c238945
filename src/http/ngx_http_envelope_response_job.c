
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_response.h"
#include "ngx_http_envelope_headers.h"
#include "ngx_http_envelope_inflate.h"
#include "ngx_http_envelope_job.h"


static ngx_int_t ngx_http_envelope_response_decode(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_pool_t *pool,
    ngx_envelope_reason_t *reason);
static void ngx_http_envelope_response_done(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job);
static ngx_int_t ngx_http_envelope_response_headers(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_str_t *body);


ngx_int_t
ngx_http_envelope_response_transform(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_envelope_fault_e      fault;
    ngx_envelope_reason_t     reason;
    ngx_http_envelope_job_t  *job;

    job = ngx_http_envelope_job_create(r, ctx->profile, ctx->role->response,
                                       ctx->role->response_direction);
    if (job == NULL
        || (job->input.format->headers
            && ngx_http_envelope_headers_out(r, job->pool, &job->input.headers,
                                             &job->input.nheaders)
               != NGX_OK))
    {
        (void) ngx_envelope_failed(&reason, "it cannot be prepared");

        ngx_http_envelope_response_refuse(r, ctx, NGX_ENVELOPE_FAULT_INTERNAL,
                                          NULL, &reason);
        return ngx_http_envelope_response_answer(r, ctx, 0);
    }

    rc = ngx_http_envelope_response_decode(r, ctx, job->pool, &reason);

    if (rc != NGX_OK) {
        fault = (rc == NGX_ERROR) ? NGX_ENVELOPE_FAULT_INTERNAL
                                  : NGX_ENVELOPE_FAULT_SHAPE;

        ngx_http_envelope_response_refuse(r, ctx, fault, NULL, &reason);
        return ngx_http_envelope_response_answer(r, ctx, 0);
    }

    job->input.body = ctx->collected;

    ctx->response_job = job;
    ctx->response_state = NGX_HTTP_ENVELOPE_TRANSFORM;

    ngx_http_envelope_response_suspend(r, ctx);

    ngx_http_envelope_job_start(r, job, ngx_http_envelope_response_done);

    if (ctx->response_state == NGX_HTTP_ENVELOPE_TRANSFORM) {
        ctx->suspended = 1;
        return NGX_AGAIN;
    }

    return ngx_http_envelope_response_release(r, ctx);
}


/* the body as it was before it was compressed, which is what was signed */

static ngx_int_t
ngx_http_envelope_response_decode(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_pool_t *pool,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t                      rc;
    ngx_str_t                      body;
    ngx_http_envelope_loc_conf_t  *elcf;

    if (ngx_http_envelope_response_coding(r) != NGX_OK) {
        return NGX_OK;
    }

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_envelope_module);

    rc = ngx_http_envelope_inflate(pool, &ctx->collected,
                                   elcf->max_response_size, &body, reason);
    if (rc == NGX_OK) {
        ngx_pfree(r->pool, ctx->collected.data);

        ctx->collected = body;
        ctx->inflated = 1;
    }

    return rc;
}


/* NGX_OK: gzip; NGX_DECLINED: none; NGX_ERROR: one that is not known here */

ngx_int_t
ngx_http_envelope_response_coding(ngx_http_request_t *r)
{
    ngx_int_t         rc;
    ngx_str_t        *value;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    rc = NGX_DECLINED;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].hash == 0
                || h[i].key.len != sizeof("Content-Encoding") - 1
                || ngx_strncasecmp(h[i].key.data,
                                   (u_char *) "Content-Encoding",
                                   sizeof("Content-Encoding") - 1)
                   != 0)
            {
                continue;
            }

            value = &h[i].value;

            if (value->len == sizeof("identity") - 1
                && ngx_strncasecmp(value->data, (u_char *) "identity",
                                   sizeof("identity") - 1)
                   == 0)
            {
                continue;
            }

            /* more than one coding is one too many */

            if (rc == NGX_OK) {
                return NGX_ERROR;
            }

            if ((value->len == sizeof("gzip") - 1
                 && ngx_strncasecmp(value->data, (u_char *) "gzip",
                                    sizeof("gzip") - 1)
                    == 0)
                || (value->len == sizeof("x-gzip") - 1
                    && ngx_strncasecmp(value->data, (u_char *) "x-gzip",
                                       sizeof("x-gzip") - 1)
                       == 0))
            {
                rc = NGX_OK;
                continue;
            }

            return NGX_ERROR;
        }
    }

    return rc;
}


static void
ngx_http_envelope_response_done(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job)
{
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);

    if (ctx == NULL || ctx->response_job != job) {

        /* nginx has redirected the request ("post_action") */

        return;
    }

    ctx->response_state = NGX_HTTP_ENVELOPE_RELEASE;

    /* the writer of the request calls the body filter, which goes on */

    if (ctx->suspended && ngx_http_post_request(r, NULL) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }
}


ngx_int_t
ngx_http_envelope_response_release(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx)
{
    ngx_str_t                *body;
    ngx_envelope_reason_t     reason;
    ngx_http_envelope_job_t  *job;

    job = ctx->response_job;

    ngx_http_envelope_response_resume(r, ctx);

    ngx_http_envelope_job_note(ctx, job);

    if (job->output.outcome == NGX_ENVELOPE_REJECTED) {
        ngx_http_envelope_response_refuse(r, ctx, job->output.fault,
                                          job->output.statement,
                                          &job->output.reason);
        return ngx_http_envelope_response_answer(r, ctx, ctx->suspended);
    }

    body = job->output.body_set ? &job->output.body : &ctx->collected;

    if (ngx_http_envelope_response_headers(r, ctx, body) != NGX_OK) {
        (void) ngx_envelope_failed(&reason, "it cannot be passed on");

        ngx_http_envelope_response_refuse(r, ctx, NGX_ENVELOPE_FAULT_INTERNAL,
                                          NULL, &reason);
        return ngx_http_envelope_response_answer(r, ctx, ctx->suspended);
    }

    return ngx_http_envelope_response_send(r, ctx, body);
}


/*
 * A message that passes keeps what is said of it, unless it had been inflated
 * to be looked at: it then goes on as it was without that coding.
 */

static ngx_int_t
ngx_http_envelope_response_headers(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_str_t *body)
{
    ngx_str_t                 value;
    ngx_array_t              *edits;
    ngx_http_envelope_job_t  *job;

    job = ctx->response_job;
    edits = &job->output.headers;

    if (edits->pool == NULL
        && ngx_array_init(edits, job->pool, 4, sizeof(ngx_envelope_header_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (job->output.body_set || ctx->inflated) {
        ngx_http_envelope_headers_out_clean(r);

        if (ngx_http_envelope_headers_edit(edits, "Content-Encoding", NULL)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (job->output.body_set && job->input.format->members) {
        ngx_str_set(&value, "application/json");

        if (ngx_http_envelope_headers_edit(edits, "Content-Type", &value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n = body->len;

    return ngx_http_envelope_headers_out_apply(r, edits);
}
