
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_gate.h"

#if (NGX_THREADS)

#include <pthread.h>

#if (NGX_LINUX)
#include <sys/syscall.h>
#endif


/*
 * A computing thread is a batch job to Linux: when it wakes up it does not take
 * the processor from another, which may just have finished and not have told
 * the event loop yet.
 *
 * And how long it would like to go on at a time, in nanoseconds.  The event
 * loop, which asks for nothing, does not wait for the end of a slice: who wakes
 * up takes the processor at once from one that has asked for more than itself
 * (since 6.12; older ones do it anyway or do not know of it).
 *
 * So a thread loses the processor, too, when it has finished and tells the
 * event loop, just before it would sleep.  To take all of this back each time,
 * and to ask again, costs more than those changes of context.
 */

#define NGX_HTTP_ENVELOPE_GATE_SLICE  20000000


typedef struct {
    ngx_queue_t       queue;
    pthread_cond_t    turn;
    ngx_uint_t        admitted;
} ngx_http_envelope_gate_waiter_t;


/* of this process; all but the mutex itself is protected by the mutex */

typedef struct {
    pthread_mutex_t   mutex;
    pthread_cond_t    idle;
    ngx_queue_t       waiters;
    ngx_uint_t        turns;
    ngx_uint_t        free;       /* turns that nobody has */
    ngx_uint_t        closed;     /* nobody gets one any more */
} ngx_http_envelope_gate_t;


static ngx_uint_t ngx_http_envelope_gate_processors(void);
static void ngx_http_envelope_gate_schedule(void);
static void ngx_http_envelope_gate_wait(void);
static void ngx_http_envelope_gate_next(void);


static ngx_http_envelope_gate_t  ngx_http_envelope_gate = {
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
    { NULL, NULL }, 1, 1, 0
};


void
ngx_http_envelope_gate_init(ngx_cycle_t *cycle)
{
    ngx_queue_init(&ngx_http_envelope_gate.waiters);

    ngx_http_envelope_gate.turns = ngx_http_envelope_gate_processors();
    ngx_http_envelope_gate.free = ngx_http_envelope_gate.turns;

    ngx_log_debug1(NGX_LOG_DEBUG_CORE, cycle->log, 0,
                   "envelope: %ui threads compute at a time",
                   ngx_http_envelope_gate.turns);
}


/* that the worker may run on, see "worker_cpu_affinity" */

static ngx_uint_t
ngx_http_envelope_gate_processors(void)
{
#if (NGX_HAVE_SCHED_SETAFFINITY)

    cpu_set_t  set;

    CPU_ZERO(&set);

    if (sched_getaffinity(0, sizeof(cpu_set_t), &set) == 0
        && CPU_COUNT(&set) > 0)
    {
        return CPU_COUNT(&set);
    }

#endif

    return ngx_max(ngx_ncpu, 1);
}


ngx_uint_t
ngx_http_envelope_gate_turns(void)
{
    return ngx_http_envelope_gate.turns;
}


void
ngx_http_envelope_gate_enter(void)
{
    ngx_http_envelope_gate_schedule();

    pthread_mutex_lock(&ngx_http_envelope_gate.mutex);

    if (ngx_http_envelope_gate.free && !ngx_http_envelope_gate.closed) {
        ngx_http_envelope_gate.free--;

    } else {
        ngx_http_envelope_gate_wait();
    }

    pthread_mutex_unlock(&ngx_http_envelope_gate.mutex);
}


void
ngx_http_envelope_gate_leave(void)
{
    pthread_mutex_lock(&ngx_http_envelope_gate.mutex);

    ngx_http_envelope_gate_next();

    if (ngx_http_envelope_gate.closed) {
        ngx_http_envelope_gate_wait();
    }

    pthread_mutex_unlock(&ngx_http_envelope_gate.mutex);
}


void
ngx_http_envelope_gate_pause(void)
{
    pthread_mutex_lock(&ngx_http_envelope_gate.mutex);

    if (!ngx_queue_empty(&ngx_http_envelope_gate.waiters)
        || ngx_http_envelope_gate.closed)
    {
        ngx_http_envelope_gate_next();
        ngx_http_envelope_gate_wait();
    }

    pthread_mutex_unlock(&ngx_http_envelope_gate.mutex);
}


ngx_uint_t
ngx_http_envelope_gate_closing(void)
{
    return ngx_terminate ? 1 : 0;
}


void
ngx_http_envelope_gate_close(void)
{
    pthread_mutex_lock(&ngx_http_envelope_gate.mutex);

    ngx_http_envelope_gate.closed = 1;

    while (ngx_http_envelope_gate.free != ngx_http_envelope_gate.turns) {
        pthread_cond_wait(&ngx_http_envelope_gate.idle,
                          &ngx_http_envelope_gate.mutex);
    }

    pthread_mutex_unlock(&ngx_http_envelope_gate.mutex);
}


/* the calling thread, once; it is as well if the system does not want to */

static void
ngx_http_envelope_gate_schedule(void)
{
#if (NGX_LINUX && defined SYS_sched_setattr)

    /* of sched_setattr(2), for which glibc 2.36 has neither */

    static __thread ngx_uint_t  asked;

    struct {
        uint32_t  size;
        uint32_t  policy;
        uint64_t  flags;
        int32_t   nice;
        uint32_t  priority;
        uint64_t  runtime;
        uint64_t  deadline;
        uint64_t  period;
    } attr;

    if (asked) {
        return;
    }

    asked = 1;

    ngx_memzero(&attr, sizeof(attr));

    /* how nice it is may have been changed from outside, and stays */

    if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) == -1
        || attr.policy != SCHED_OTHER)
    {
        return;
    }

    attr.size = sizeof(attr);
    attr.policy = SCHED_BATCH;
    attr.runtime = NGX_HTTP_ENVELOPE_GATE_SLICE;

    (void) syscall(SYS_sched_setattr, 0, &attr, 0);

#endif
}


/* the turn is handed over by who leaves, nobody can snatch it in between */

static void
ngx_http_envelope_gate_wait(void)
{
    ngx_http_envelope_gate_waiter_t  waiter;

    waiter.admitted = 0;
    pthread_cond_init(&waiter.turn, NULL);

    ngx_queue_insert_tail(&ngx_http_envelope_gate.waiters, &waiter.queue);

    while (!waiter.admitted) {
        pthread_cond_wait(&waiter.turn, &ngx_http_envelope_gate.mutex);
    }

    pthread_cond_destroy(&waiter.turn);
}


static void
ngx_http_envelope_gate_next(void)
{
    ngx_queue_t                      *q;
    ngx_http_envelope_gate_waiter_t  *waiter;

    if (ngx_queue_empty(&ngx_http_envelope_gate.waiters)
        || ngx_http_envelope_gate.closed)
    {
        ngx_http_envelope_gate.free++;
        pthread_cond_signal(&ngx_http_envelope_gate.idle);
        return;
    }

    q = ngx_queue_head(&ngx_http_envelope_gate.waiters);
    ngx_queue_remove(q);

    waiter = ngx_queue_data(q, ngx_http_envelope_gate_waiter_t, queue);
    waiter->admitted = 1;

    pthread_cond_signal(&waiter->turn);
}

#endif
