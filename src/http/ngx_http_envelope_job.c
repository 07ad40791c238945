
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_job.h"
#include "ngx_http_envelope_once.h"
#include "ngx_http_envelope_pool.h"
#include "ngx_http_envelope_random.h"
#include "ngx_http_envelope_threads.h"
#include "ngx_envelope_secret.h"

#include <openssl/crypto.h>


/* bytes of a message whose memory is worth keeping for the next one */

#define NGX_HTTP_ENVELOPE_JOB_KEEP  1048576


static ngx_int_t ngx_http_envelope_job_values(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job, ngx_array_t *values);
static ngx_int_t ngx_http_envelope_job_secret(ngx_http_envelope_job_t *job,
    ngx_str_t *value);
static void ngx_http_envelope_job_done(ngx_http_envelope_job_t *job,
    ngx_int_t rc);
static void ngx_http_envelope_job_run(ngx_http_envelope_job_t *job);
static void ngx_http_envelope_job_cleanup(void *data);
static ngx_msec_t ngx_http_envelope_job_clock(void);


/* what the error log says nginx was doing, by direction */

static char  *ngx_http_envelope_job_actions[] = {
    "sealing a message",
    "opening a message"
};


/*
 * The C library of GNU gives the end of the heap back to the kernel once
 * 128 KB of it are free, so with each large message, and the next one pays
 * for getting every page of it anew.  A block that has once been mapped on
 * its own and freed tells it to keep twice as much.
 */

void
ngx_http_envelope_job_init_process(void)
{
    ngx_free(ngx_alloc(NGX_HTTP_ENVELOPE_JOB_KEEP, ngx_cycle->log));
}


ngx_http_envelope_job_t *
ngx_http_envelope_job_create(ngx_http_request_t *r,
    ngx_http_envelope_profile_t *profile, ngx_envelope_message_e message,
    ngx_envelope_direction_e direction)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_envelope_job_t  *job;

    job = ngx_palloc(r->pool, sizeof(ngx_http_envelope_job_t));
    if (job == NULL) {
        return NULL;
    }

    ngx_memzero(job, offsetof(ngx_http_envelope_job_t, output.reason.data));

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    job->pool = ngx_http_envelope_pool_create();
    if (job->pool == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_envelope_job_cleanup;
    cln->data = job->pool;

    job->request = r;
    job->input.format = profile->profile->formats[message];
    job->input.direction = direction;
    job->input.env = &job->env;
    job->input.now = ngx_http_envelope_once_now();
    job->env.random = ngx_http_envelope_random;

    /* until it has been run */

    job->output.outcome = NGX_ENVELOPE_REJECTED;
    job->output.fault = NGX_ENVELOPE_FAULT_INTERNAL;

    if (ngx_http_envelope_job_values(r, job, profile->values[message])
        != NGX_OK)
    {
        return NULL;
    }

    return job;
}


static ngx_int_t
ngx_http_envelope_job_values(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job, ngx_array_t *values)
{
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_complex_value_t  *cv;

    if (values == NULL || values->nelts == 0) {
        return NGX_OK;
    }

    value = ngx_palloc(job->pool, values->nelts * sizeof(ngx_str_t));
    if (value == NULL) {
        return NGX_ERROR;
    }

    cv = values->elts;

    for (i = 0; i < values->nelts; i++) {
        if (ngx_http_complex_value(r, &cv[i], &value[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        if (cv[i].lengths
            && ngx_http_envelope_job_secret(job, &value[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    job->input.values = value;

    return NGX_OK;
}


/* there may be a token in it: it moves to where it will be overwritten */

static ngx_int_t
ngx_http_envelope_job_secret(ngx_http_envelope_job_t *job, ngx_str_t *value)
{
    u_char  *p;

    p = ngx_envelope_secret_alloc(job->pool, value->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, value->data, value->len);
    OPENSSL_cleanse(value->data, value->len);

    value->data = p;

    return NGX_OK;
}


void
ngx_http_envelope_job_start(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job, ngx_http_envelope_job_pt handler)
{
    ngx_int_t  rc;

    job->handler = handler;
    job->action = r->connection->log->action;

    r->connection->log->action =
                          ngx_http_envelope_job_actions[job->input.direction];

    rc = ngx_http_envelope_threads_post(r, job, ngx_http_envelope_job_run,
                                        ngx_http_envelope_job_done);
    if (rc == NGX_OK) {
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_envelope_job_run(job);
        rc = NGX_OK;
    }

    ngx_http_envelope_job_done(job, rc);
}


/* NGX_OK: it was run; otherwise why not */

static void
ngx_http_envelope_job_done(ngx_http_envelope_job_t *job, ngx_int_t rc)
{
    ngx_http_request_t  *r;

    r = job->request;
    r->connection->log->action = job->action;

    if (rc != NGX_OK) {
        job->output.outcome = NGX_ENVELOPE_REJECTED;
    }

    if (rc == NGX_BUSY) {
        job->output.fault = NGX_ENVELOPE_FAULT_BUSY;
        (void) ngx_envelope_declined(&job->output.reason,
                                     "no thread is free for it");

    } else if (rc == NGX_ERROR) {
        job->output.fault = NGX_ENVELOPE_FAULT_INTERNAL;
        (void) ngx_envelope_failed(&job->output.reason,
                                   "it could not be run");
    }

    ngx_http_envelope_once(r, job);

    job->handler(r, job);
}


/* of the job alone, so that it may be called on a thread */

static void
ngx_http_envelope_job_run(ngx_http_envelope_job_t *job)
{
    ngx_msec_t  start;

    start = ngx_http_envelope_job_clock();

    ngx_envelope_transform(job->pool, &job->input, &job->output);

    job->spent = ngx_http_envelope_job_clock() - start;
}


void
ngx_http_envelope_job_note(ngx_http_envelope_ctx_t *ctx,
    ngx_http_envelope_job_t *job)
{
    ctx->result = job->output.outcome + 1;

    if (job->output.kid.len) {
        ctx->kid = job->output.kid;
    }

    if (job->input.direction == NGX_ENVELOPE_SEAL) {
        ctx->seal_time = job->spent;
        ctx->seal_timed = 1;

    } else {
        ctx->open_time = job->spent;
        ctx->open_timed = 1;
    }
}


static void
ngx_http_envelope_job_cleanup(void *data)
{
    ngx_pool_t  *pool = data;

    ngx_http_envelope_pool_destroy(pool);
}


/* nginx's cached time stands still while an event is handled */

static ngx_msec_t
ngx_http_envelope_job_clock(void)
{
#if (NGX_HAVE_CLOCK_MONOTONIC)

    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (ngx_msec_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;

#else

    struct timeval  tv;

    ngx_gettimeofday(&tv);

    return (ngx_msec_t) tv.tv_sec * 1000 + tv.tv_usec / 1000;

#endif
}
