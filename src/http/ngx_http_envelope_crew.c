
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_crew.h"
#include "ngx_http_envelope_gate.h"

#if (NGX_THREADS)

#include <ngx_event.h>
#include <ngx_thread_pool.h>
#include <pthread.h>


/* threads that one message may have at a time */

#define NGX_HTTP_ENVELOPE_CREW_MAX  4

/*
 * Pieces after which a helper goes back to the pool, so that whoever waits
 * there for a thread gets this one; if there is more to do it queues up again.
 */

#define NGX_HTTP_ENVELOPE_CREW_PIECES  8


/*
 * Lives on its own, as helpers may come to it when the message is long gone;
 * they then find nothing to do and look at nothing but this.
 */

typedef struct {
    pthread_mutex_t       mutex;    /* of all that follows */
    pthread_cond_t        idle;
    void                (*work)(void *ctx, ngx_uint_t i);
    void                 *ctx;
    ngx_uint_t            n;
    ngx_uint_t            next;     /* the first piece that nobody has */
    ngx_uint_t            busy;     /* pieces at which somebody is */
    ngx_uint_t            refs;     /* the caller, and helpers posted */

    ngx_thread_pool_t    *pool;
    ngx_thread_task_t     helpers[NGX_HTTP_ENVELOPE_CREW_MAX - 1];
} ngx_http_envelope_crew_t;


static ngx_http_envelope_crew_t *ngx_http_envelope_crew_create(
    ngx_thread_pool_t *pool);
static void ngx_http_envelope_crew_post(ngx_http_envelope_crew_t *crew,
    ngx_uint_t helpers);
static void ngx_http_envelope_crew_work(ngx_http_envelope_crew_t *crew,
    ngx_uint_t max);
static void ngx_http_envelope_crew_finish(ngx_http_envelope_crew_t *crew);
static void ngx_http_envelope_crew_help(void *data, ngx_log_t *log);
static void ngx_http_envelope_crew_helped(ngx_event_t *ev);
static ngx_uint_t ngx_http_envelope_crew_left(ngx_http_envelope_crew_t *crew);
static void ngx_http_envelope_crew_release(ngx_http_envelope_crew_t *crew);


void
ngx_http_envelope_crew_each(void *data, ngx_uint_t n,
    void (*work)(void *ctx, ngx_uint_t i), void *ctx)
{
    ngx_thread_pool_t *pool = data;

    ngx_uint_t                 i, threads;
    ngx_http_envelope_crew_t  *crew;

    threads = ngx_min(n, NGX_HTTP_ENVELOPE_CREW_MAX);
    threads = ngx_min(threads, ngx_http_envelope_gate_turns());

    /* a message may have many texts of a few pieces */

    ngx_http_envelope_gate_pause();

    crew = (threads > 1) ? ngx_http_envelope_crew_create(pool) : NULL;

    if (crew == NULL) {

        for (i = 0; i < n; i++) {

            if (i) {
                ngx_http_envelope_gate_pause();
            }

            if (ngx_http_envelope_gate_closing()) {
                return;
            }

            work(ctx, i);
        }

        return;
    }

    crew->work = work;
    crew->ctx = ctx;
    crew->n = n;

    ngx_http_envelope_crew_post(crew, threads - 1);
    ngx_http_envelope_crew_work(crew, n);
    ngx_http_envelope_crew_finish(crew);
}


static ngx_http_envelope_crew_t *
ngx_http_envelope_crew_create(ngx_thread_pool_t *pool)
{
    ngx_http_envelope_crew_t  *crew;

    crew = ngx_calloc(sizeof(ngx_http_envelope_crew_t), ngx_cycle->log);
    if (crew == NULL) {
        return NULL;
    }

    if (pthread_mutex_init(&crew->mutex, NULL) != 0) {
        ngx_free(crew);
        return NULL;
    }

    if (pthread_cond_init(&crew->idle, NULL) != 0) {
        (void) pthread_mutex_destroy(&crew->mutex);
        ngx_free(crew);
        return NULL;
    }

    crew->pool = pool;
    crew->refs = 1;

    return crew;
}


/*
 * From a thread: the queue of a pool has a mutex, and no helper is in a
 * hurry.  With a queue that is full there are none.
 */

static void
ngx_http_envelope_crew_post(ngx_http_envelope_crew_t *crew,
    ngx_uint_t helpers)
{
    ngx_uint_t          i;
    ngx_thread_task_t  *task;

    for (i = 0; i < helpers; i++) {
        task = &crew->helpers[i];

        task->ctx = crew;
        task->handler = ngx_http_envelope_crew_help;
        task->event.handler = ngx_http_envelope_crew_helped;
        task->event.data = task;
        task->event.log = ngx_cycle->log;

        pthread_mutex_lock(&crew->mutex);
        crew->refs++;
        pthread_mutex_unlock(&crew->mutex);

        if (ngx_thread_task_post(crew->pool, task) != NGX_OK) {

            /* the caller's own reference is left */

            pthread_mutex_lock(&crew->mutex);
            crew->refs--;
            pthread_mutex_unlock(&crew->mutex);

            return;
        }
    }
}


static void
ngx_http_envelope_crew_work(ngx_http_envelope_crew_t *crew, ngx_uint_t max)
{
    ngx_uint_t  i, done;

    for (done = 0; done < max; done++) {

        if (done) {
            ngx_http_envelope_gate_pause();
        }

        pthread_mutex_lock(&crew->mutex);

        if (ngx_http_envelope_gate_closing()) {
            crew->next = crew->n;
        }

        if (crew->next == crew->n) {
            pthread_mutex_unlock(&crew->mutex);
            return;
        }

        i = crew->next++;
        crew->busy++;

        pthread_mutex_unlock(&crew->mutex);

        crew->work(crew->ctx, i);

        pthread_mutex_lock(&crew->mutex);

        if (--crew->busy == 0 && crew->next == crew->n) {
            pthread_cond_signal(&crew->idle);
        }

        pthread_mutex_unlock(&crew->mutex);
    }
}


/* who waits for others must not keep them from their turn */

static void
ngx_http_envelope_crew_finish(ngx_http_envelope_crew_t *crew)
{
    ngx_uint_t  busy;

    pthread_mutex_lock(&crew->mutex);
    busy = crew->busy;
    pthread_mutex_unlock(&crew->mutex);

    if (busy) {
        ngx_http_envelope_gate_leave();

        pthread_mutex_lock(&crew->mutex);

        while (crew->busy) {
            pthread_cond_wait(&crew->idle, &crew->mutex);
        }

        pthread_mutex_unlock(&crew->mutex);

        ngx_http_envelope_gate_enter();
    }

    ngx_http_envelope_crew_release(crew);
}


static void
ngx_http_envelope_crew_help(void *data, ngx_log_t *log)
{
    ngx_http_envelope_crew_t *crew = data;

    if (!ngx_http_envelope_crew_left(crew)) {
        return;
    }

    ngx_http_envelope_gate_enter();

    ngx_http_envelope_crew_work(crew, NGX_HTTP_ENVELOPE_CREW_PIECES);

    ngx_http_envelope_gate_leave();
}


/* on the event loop, as nginx has done with the task only then */

static void
ngx_http_envelope_crew_helped(ngx_event_t *ev)
{
    ngx_thread_task_t         *task;
    ngx_http_envelope_crew_t  *crew;

    task = ev->data;
    crew = task->ctx;

    if (ngx_http_envelope_crew_left(crew)
        && ngx_thread_task_post(crew->pool, task) == NGX_OK)
    {
        return;
    }

    ngx_http_envelope_crew_release(crew);
}


static ngx_uint_t
ngx_http_envelope_crew_left(ngx_http_envelope_crew_t *crew)
{
    ngx_uint_t  left;

    pthread_mutex_lock(&crew->mutex);
    left = crew->n - crew->next;
    pthread_mutex_unlock(&crew->mutex);

    return left;
}


static void
ngx_http_envelope_crew_release(ngx_http_envelope_crew_t *crew)
{
    ngx_uint_t  refs;

    pthread_mutex_lock(&crew->mutex);
    refs = --crew->refs;
    pthread_mutex_unlock(&crew->mutex);

    if (refs) {
        return;
    }

    (void) pthread_cond_destroy(&crew->idle);
    (void) pthread_mutex_destroy(&crew->mutex);

    ngx_free(crew);
}

#endif
