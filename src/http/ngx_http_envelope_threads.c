
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_threads.h"
#include "ngx_http_envelope_gate.h"


/*
 * Microseconds of work, by ngx_envelope_format_cost(), from which on a thread
 * does it.  To hand a job over and back takes a core about 10 microseconds
 * and two changes of context; what costs ten times as much is worth it.
 */

#define NGX_HTTP_ENVELOPE_THREADS_COST  100


#if (NGX_THREADS)

typedef struct {
    ngx_http_envelope_job_t    *job;
    void                      (*run)(ngx_http_envelope_job_t *job);
} ngx_http_envelope_threads_ctx_t;


static void ngx_http_envelope_threads_run(void *data, ngx_log_t *log);
static void ngx_http_envelope_threads_done(ngx_event_t *ev);
static void ngx_http_envelope_threads_abandon(void *data);

#endif


char *
ngx_http_envelope_threads_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_envelope_loc_conf_t *elcf = conf;

    ngx_str_t  *value;

    if (elcf->threads != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        elcf->threads = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "on") != 0
        && (value[1].len <= sizeof("pool=") - 1
            || ngx_strncmp(value[1].data, "pool=", sizeof("pool=") - 1) != 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\" directive, it must "
                           "be \"on\", \"off\" or \"pool=NAME\"",
                           &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

#if (NGX_THREADS)

    elcf->threads = 1;

    if (value[1].data[0] == 'p') {
        value[1].data += sizeof("pool=") - 1;
        value[1].len -= sizeof("pool=") - 1;

        elcf->thread_pool = ngx_thread_pool_add(cf, &value[1]);
        if (elcf->thread_pool == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V %V\" needs an nginx that was built with threads, "
                       "write \"%V off\"",
                       &cmd->name, &value[1], &cmd->name);
    return NGX_CONF_ERROR;

#endif
}


ngx_int_t
ngx_http_envelope_threads_merge(ngx_conf_t *cf,
    ngx_http_envelope_loc_conf_t *prev, ngx_http_envelope_loc_conf_t *conf)
{
#if (NGX_THREADS)

    if (conf->threads == NGX_CONF_UNSET) {
        conf->threads = prev->threads;
        conf->thread_pool = prev->thread_pool;
    }

    if (conf->threads == NGX_CONF_UNSET) {
        conf->threads = 1;
    }

    /* a pool that nobody asks for has no threads */

    if (conf->threads && conf->profile && conf->thread_pool == NULL) {
        conf->thread_pool = ngx_thread_pool_add(cf, NULL);
        if (conf->thread_pool == NULL) {
            return NGX_ERROR;
        }
    }

#else

    conf->threads = 0;

#endif

    return NGX_OK;
}


#if (NGX_THREADS)

ngx_int_t
ngx_http_envelope_threads_post(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job, void (*run)(ngx_http_envelope_job_t *job))
{
    ngx_thread_task_t                *task;
    ngx_http_cleanup_t               *cln;
    ngx_http_envelope_loc_conf_t     *elcf;
    ngx_http_envelope_threads_ctx_t  *ctx;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_envelope_module);

    if (!elcf->threads
        || elcf->thread_pool == NULL
        || ngx_envelope_format_cost(job->input.format, job->input.direction,
                                    job->input.body.len)
           < NGX_HTTP_ENVELOPE_THREADS_COST)
    {
        return NGX_DECLINED;
    }

    task = ngx_thread_task_alloc(r->pool,
                                 sizeof(ngx_http_envelope_threads_ctx_t));
    if (task == NULL) {
        return NGX_ERROR;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_envelope_threads_abandon;
    cln->data = job;

    ctx = task->ctx;
    ctx->job = job;
    ctx->run = run;

    task->handler = ngx_http_envelope_threads_run;
    task->event.handler = ngx_http_envelope_threads_done;
    task->event.data = job;
    task->event.log = r->connection->log;

    if (ngx_thread_task_post(elcf->thread_pool, task) != NGX_OK) {
        return NGX_BUSY;
    }

    r->main->blocked++;

    return NGX_OK;
}


static void
ngx_http_envelope_threads_run(void *data, ngx_log_t *log)
{
    ngx_http_envelope_threads_ctx_t *ctx = data;

    ngx_http_envelope_gate_enter();

    ctx->run(ctx->job);

    ngx_http_envelope_gate_leave();
}


static void
ngx_http_envelope_threads_done(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_envelope_job_t  *job;

    job = ev->data;
    r = job->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->main->blocked--;

    if (job->abandoned) {

        /* nginx has done all but to free it, which could not be done then */

        ngx_http_finalize_request(r->main, NGX_ERROR);

    } else {
        job->handler(r, job);
    }

    ngx_http_run_posted_requests(c);
}


/* called when the request is terminated, or freed in the end */

static void
ngx_http_envelope_threads_abandon(void *data)
{
    ngx_http_envelope_job_t *job = data;

    job->abandoned = 1;
}

#else

ngx_int_t
ngx_http_envelope_threads_post(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job, void (*run)(ngx_http_envelope_job_t *job))
{
    return NGX_DECLINED;
}

#endif
