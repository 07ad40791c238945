
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_threads.h"
#include "ngx_http_envelope_crew.h"
#include "ngx_http_envelope_gate.h"


/*
 * A thread does what takes operations with keys of so many microseconds, by
 * ngx_envelope_format_cost(), or has a body of so many bytes: a nanosecond or
 * two for each.  To hand a job over and back takes 10 to 30 microseconds of a
 * core, most of it for changes of context.
 */

#ifndef NGX_HTTP_ENVELOPE_THREADS_COST
#define NGX_HTTP_ENVELOPE_THREADS_COST  100
#endif

#define NGX_HTTP_ENVELOPE_THREADS_SIZE  131072


/*
 * Work of so many microseconds is heavy.  As many of those as there are
 * turns have threads at a time and the others wait for these, up to a number
 * that is bounded: messages of hundreds of blocks would have all the threads
 * of a pool otherwise, for as long as they please, and the ordinary ones
 * none.
 */

#define NGX_HTTP_ENVELOPE_THREADS_HEAVY    50000
#define NGX_HTTP_ENVELOPE_THREADS_WAITING  256

/* a worker that is to exit does not while it has a timer */

#define NGX_HTTP_ENVELOPE_THREADS_STAY     60000


#if (NGX_THREADS)

/* of the event loop alone, but for the job while it is on a thread */

struct ngx_http_envelope_task_s {
    ngx_queue_t                 queue;        /* while it waits */
    ngx_http_envelope_job_t    *job;
    ngx_thread_pool_t          *pool;
    ngx_thread_task_t          *thread;
    void                      (*run)(ngx_http_envelope_job_t *job);
    void                      (*done)(ngx_http_envelope_job_t *job,
                                      ngx_int_t rc);
    ngx_int_t                   rc;           /* the thread's: NGX_OK, it has
                                                 been run */
    unsigned                    heavy:1;
    unsigned                    waiting:1;
    unsigned                    abandoned:1;  /* the request was given up */
};


/* of this process */

typedef struct {
    ngx_queue_t                 waiting;      /* heavy ones, in their order */
    ngx_uint_t                  nwaiting;
    ngx_uint_t                  nheavy;       /* that are on threads */
    ngx_uint_t                  ntasks;       /* of any kind */
    ngx_event_t                 stay;         /* set while there are any */
    ngx_connection_t            dumb;         /* .. which wants one */
} ngx_http_envelope_threads_t;


static ngx_http_envelope_task_t *ngx_http_envelope_threads_task(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_envelope_threads_start(
    ngx_http_envelope_task_t *task);
static void ngx_http_envelope_threads_run(void *data, ngx_log_t *log);
static void ngx_http_envelope_threads_done(ngx_event_t *ev);
static void ngx_http_envelope_threads_next(void);
static void ngx_http_envelope_threads_finish(ngx_http_envelope_task_t *task,
    ngx_int_t rc);
static void ngx_http_envelope_threads_abandon(void *data);
static void ngx_http_envelope_threads_enter(void);
static void ngx_http_envelope_threads_leave(void);
static void ngx_http_envelope_threads_stay(ngx_event_t *ev);


static ngx_http_envelope_threads_t  ngx_http_envelope_threads;

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

void
ngx_http_envelope_threads_init(void)
{
    ngx_memzero(&ngx_http_envelope_threads,
                sizeof(ngx_http_envelope_threads_t));

    ngx_queue_init(&ngx_http_envelope_threads.waiting);

    ngx_http_envelope_threads.dumb.fd = (ngx_socket_t) -1;

    ngx_http_envelope_threads.stay.handler = ngx_http_envelope_threads_stay;
    ngx_http_envelope_threads.stay.data = &ngx_http_envelope_threads.dumb;
    ngx_http_envelope_threads.stay.log = ngx_cycle->log;
}


void
ngx_http_envelope_threads_exit(void)
{
    ngx_http_envelope_gate_close();
}


ngx_int_t
ngx_http_envelope_threads_post(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job, void (*run)(ngx_http_envelope_job_t *job),
    void (*done)(ngx_http_envelope_job_t *job, ngx_int_t rc))
{
    size_t                         size;
    ngx_uint_t                     i, cost;
    ngx_http_envelope_task_t      *task;
    ngx_http_envelope_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_envelope_module);

    if (!elcf->threads || elcf->thread_pool == NULL) {
        return NGX_DECLINED;
    }

    size = job->input.body.len;

    for (i = 0; i < job->input.nparts; i++) {
        size += job->input.parts[i].len;
    }

    cost = ngx_envelope_format_cost(job->input.format, job->input.direction,
                                    size);

    if (cost < NGX_HTTP_ENVELOPE_THREADS_COST
        && size < NGX_HTTP_ENVELOPE_THREADS_SIZE)
    {
        return NGX_DECLINED;
    }

    task = ngx_http_envelope_threads_task(r);
    if (task == NULL) {
        return NGX_ERROR;
    }

    task->job = job;
    task->run = run;
    task->done = done;
    task->rc = NGX_ERROR;
    task->pool = elcf->thread_pool;
    task->heavy = (cost >= NGX_HTTP_ENVELOPE_THREADS_HEAVY);

    job->each.run = ngx_http_envelope_crew_each;
    job->each.data = task->pool;
    job->env.each = &job->each;

    if (!task->heavy
        || ngx_http_envelope_threads.nheavy < ngx_http_envelope_gate_turns())
    {
        return ngx_http_envelope_threads_start(task);
    }

    if (ngx_http_envelope_threads.nwaiting
        == NGX_HTTP_ENVELOPE_THREADS_WAITING)
    {
        return NGX_BUSY;
    }

    task->waiting = 1;

    ngx_queue_insert_tail(&ngx_http_envelope_threads.waiting, &task->queue);
    ngx_http_envelope_threads.nwaiting++;

    ngx_http_envelope_threads_enter();

    return NGX_OK;
}


static ngx_http_envelope_task_t *
ngx_http_envelope_threads_task(ngx_http_request_t *r)
{
    ngx_thread_task_t         *thread;
    ngx_http_cleanup_t        *cln;
    ngx_http_envelope_task_t  *task;

    thread = ngx_thread_task_alloc(r->pool, sizeof(ngx_http_envelope_task_t));
    if (thread == NULL) {
        return NULL;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    task = thread->ctx;
    task->thread = thread;

    cln->handler = ngx_http_envelope_threads_abandon;
    cln->data = task;

    thread->handler = ngx_http_envelope_threads_run;
    thread->event.handler = ngx_http_envelope_threads_done;
    thread->event.data = task;
    thread->event.log = r->connection->log;

    return task;
}


static ngx_int_t
ngx_http_envelope_threads_start(ngx_http_envelope_task_t *task)
{
    if (ngx_thread_task_post(task->pool, task->thread) != NGX_OK) {
        return NGX_BUSY;
    }

    /*
     * Whatever happens, the request stays until the thread is done with it:
     * where nginx would close it, and where it would keep the connection and
     * free the request alone.
     */

    task->job->request->main->blocked++;
    task->job->request->main->count++;

    if (task->heavy) {
        ngx_http_envelope_threads.nheavy++;
    }

    ngx_http_envelope_threads_enter();

    return NGX_OK;
}


static void
ngx_http_envelope_threads_run(void *data, ngx_log_t *log)
{
    ngx_http_envelope_task_t *task = data;

    ngx_http_envelope_gate_enter();

    if (!ngx_http_envelope_gate_closing()) {
        task->run(task->job);
        task->rc = NGX_OK;
    }

    ngx_http_envelope_gate_leave();
}


static void
ngx_http_envelope_threads_done(ngx_event_t *ev)
{
    ngx_uint_t                 heavy;
    ngx_http_request_t        *mr;
    ngx_http_envelope_task_t  *task;

    task = ev->data;
    heavy = task->heavy;
    mr = task->job->request->main;

    ngx_http_envelope_threads_leave();

    mr->blocked--;
    mr->count--;

    ngx_http_envelope_threads_finish(task, task->rc);

    if (heavy) {
        ngx_http_envelope_threads.nheavy--;
        ngx_http_envelope_threads_next();
    }
}


static void
ngx_http_envelope_threads_next(void)
{
    ngx_queue_t               *q;
    ngx_http_envelope_task_t  *task;

    while (!ngx_queue_empty(&ngx_http_envelope_threads.waiting)
           && ngx_http_envelope_threads.nheavy
              < ngx_http_envelope_gate_turns())
    {
        q = ngx_queue_head(&ngx_http_envelope_threads.waiting);
        ngx_queue_remove(q);
        ngx_http_envelope_threads.nwaiting--;

        ngx_http_envelope_threads_leave();

        task = ngx_queue_data(q, ngx_http_envelope_task_t, queue);
        task->waiting = 0;

        if (ngx_http_envelope_threads_start(task) != NGX_OK) {
            ngx_http_envelope_threads_finish(task, NGX_BUSY);
        }
    }
}


/* the request may be gone when this returns */

static void
ngx_http_envelope_threads_finish(ngx_http_envelope_task_t *task, ngx_int_t rc)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = task->job->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (task->abandoned) {

        /* nginx has done all but to free it, which could not be done then */

        ngx_http_finalize_request(r->main, NGX_ERROR);

    } else if (r->main->count == 0) {

        /* it has come to its end meanwhile, by another way */

        r->main->count = 1;
        ngx_http_finalize_request(r->main, NGX_DONE);

    } else {
        task->done(task->job, rc);
    }

    ngx_http_run_posted_requests(c);
}


/* called when the request is terminated, or freed in the end */

static void
ngx_http_envelope_threads_abandon(void *data)
{
    ngx_http_envelope_task_t *task = data;

    task->abandoned = 1;

    if (task->waiting) {
        task->waiting = 0;

        ngx_queue_remove(&task->queue);
        ngx_http_envelope_threads.nwaiting--;

        ngx_http_envelope_threads_leave();
    }
}


static void
ngx_http_envelope_threads_enter(void)
{
    if (ngx_http_envelope_threads.ntasks++ == 0) {
        ngx_add_timer(&ngx_http_envelope_threads.stay,
                      NGX_HTTP_ENVELOPE_THREADS_STAY);
    }
}


static void
ngx_http_envelope_threads_leave(void)
{
    if (--ngx_http_envelope_threads.ntasks == 0) {
        ngx_del_timer(&ngx_http_envelope_threads.stay);
    }
}


static void
ngx_http_envelope_threads_stay(ngx_event_t *ev)
{
    ngx_add_timer(ev, NGX_HTTP_ENVELOPE_THREADS_STAY);
}

#else

void
ngx_http_envelope_threads_init(void)
{
}


void
ngx_http_envelope_threads_exit(void)
{
}


ngx_int_t
ngx_http_envelope_threads_post(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job, void (*run)(ngx_http_envelope_job_t *job),
    void (*done)(ngx_http_envelope_job_t *job, ngx_int_t rc))
{
    return NGX_DECLINED;
}

#endif
