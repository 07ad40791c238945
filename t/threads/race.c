
/*
 * For the thread sanitizer: transformations of all six formats on several
 * threads at a time, with one configuration and its keys between them, and
 * the blocks of long messages shared by a crew.  The pool is a plain one with
 * the interface of nginx's; the main thread stands for the event loop.
 *
 * libcrypto is not instrumented.  Its locks are pthread's, which the
 * sanitizer sees, but not what it does with atomic operations.
 */


#include "engine.h"

#include "ngx_http_envelope_crew.h"
#include "ngx_http_envelope_gate.h"
#include "ngx_http_envelope_random.h"

#include <ngx_event.h>
#include <ngx_thread_pool.h>
#include <pthread.h>
#include <sched.h>


#define THREADS  8
#define MESSAGES  6
#define ROUNDS    12


/* what of nginx the code under test calls */

volatile ngx_cycle_t  *ngx_cycle;
sig_atomic_t           ngx_terminate;
ngx_int_t              ngx_ncpu = 4;
ngx_pid_t              ngx_pid;


/* four processors, whatever there are */

int
sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
    int  i;

    CPU_ZERO(set);

    for (i = 0; i < 4; i++) {
        CPU_SET(i, set);
    }

    return 0;
}


struct ngx_thread_pool_s {
    pthread_mutex_t       mutex;
    pthread_cond_t        some;
    ngx_thread_task_t    *first;
    ngx_thread_task_t   **last;
    ngx_uint_t            waiting;
    ngx_uint_t            max;
    ngx_uint_t            quit;

    pthread_mutex_t       done_mutex;
    pthread_cond_t        done_some;
    ngx_thread_task_t    *done;

    pthread_t             threads[THREADS];
};


static ngx_thread_pool_t  tp;
static ngx_uint_t         posted;   /* and not come back */


ngx_int_t
ngx_thread_task_post(ngx_thread_pool_t *p, ngx_thread_task_t *task)
{
    pthread_mutex_lock(&p->mutex);

    if (p->waiting == p->max) {
        pthread_mutex_unlock(&p->mutex);
        return NGX_ERROR;
    }

    task->next = NULL;
    *p->last = task;
    p->last = &task->next;
    p->waiting++;
    posted++;

    pthread_cond_signal(&p->some);
    pthread_mutex_unlock(&p->mutex);

    return NGX_OK;
}


static void *
pool_thread(void *data)
{
    ngx_thread_pool_t  *p = data;
    ngx_thread_task_t  *task;

    for ( ;; ) {
        pthread_mutex_lock(&p->mutex);

        while (p->first == NULL && !p->quit) {
            pthread_cond_wait(&p->some, &p->mutex);
        }

        task = p->first;

        if (task == NULL) {
            pthread_mutex_unlock(&p->mutex);
            return NULL;
        }

        p->first = task->next;

        if (p->first == NULL) {
            p->last = &p->first;
        }

        p->waiting--;
        pthread_mutex_unlock(&p->mutex);

        task->handler(task->ctx, &shim_log);

        pthread_mutex_lock(&p->done_mutex);
        task->next = p->done;
        p->done = task;
        pthread_cond_signal(&p->done_some);
        pthread_mutex_unlock(&p->done_mutex);
    }
}


static void
pool_start(ngx_uint_t max)
{
    ngx_uint_t  i;

    memset(&tp, 0, sizeof(tp));
    pthread_mutex_init(&tp.mutex, NULL);
    pthread_cond_init(&tp.some, NULL);
    pthread_mutex_init(&tp.done_mutex, NULL);
    pthread_cond_init(&tp.done_some, NULL);
    tp.last = &tp.first;
    tp.max = max;

    for (i = 0; i < THREADS; i++) {
        if (pthread_create(&tp.threads[i], NULL, pool_thread, &tp) != 0) {
            abort();
        }
    }
}


/* the event loop, until all that was posted has come back */

static void
pool_drain(void)
{
    ngx_uint_t          left;
    ngx_event_t        *ev;
    ngx_thread_task_t  *task, *next;

    for ( ;; ) {
        pthread_mutex_lock(&tp.mutex);
        left = posted;
        pthread_mutex_unlock(&tp.mutex);

        if (left == 0) {
            return;
        }

        pthread_mutex_lock(&tp.done_mutex);

        while (tp.done == NULL) {
            pthread_cond_wait(&tp.done_some, &tp.done_mutex);
        }

        task = tp.done;
        tp.done = NULL;
        pthread_mutex_unlock(&tp.done_mutex);

        for ( /* void */ ; task; task = next) {
            next = task->next;
            ev = &task->event;
            ev->handler(ev);

            pthread_mutex_lock(&tp.mutex);
            posted--;
            pthread_mutex_unlock(&tp.mutex);
        }
    }
}


static void
pool_stop(void)
{
    ngx_uint_t  i;

    pthread_mutex_lock(&tp.mutex);
    tp.quit = 1;
    pthread_cond_broadcast(&tp.some);
    pthread_mutex_unlock(&tp.mutex);

    for (i = 0; i < THREADS; i++) {
        pthread_join(tp.threads[i], NULL);
    }
}


/* jobs, as ngx_http_envelope_job.c has them */

typedef struct {
    const char             *name;
    const char             *text;
    size_t                  len;       /* of the plain body */
    ngx_envelope_format_t  *format;
} subject_t;


typedef struct {
    ngx_pool_t             *pool;
    ngx_envelope_env_t      env;
    ngx_envelope_each_t     each;
    ngx_envelope_input_t    input;
    ngx_envelope_output_t   sealed;
    ngx_envelope_output_t   opened;
    ngx_str_t               values[ENGINE_VALUES];
    ngx_thread_task_t       task;
    ngx_uint_t              back;
} job_t;


static subject_t  subjects[] = {

    { "A", "body content; field content = json | rsa-pkcs1 key=rsa2 | base64"
           " | hex", 2000, NULL },

    { "A, one block", "field content = json | rsa-oaep key=rsa2 label=a"
                      " | base64", 100, NULL },

    { "B", "random session key:32 iv:16; set apiKey $v;"
           "field content = json | aes-256-gcm key=session.key iv=session.iv"
           " | base64;"
           "field key = session | rsa-oaep key=rsa2 hash=sha256 | base64;"
           "sign sig = rs256 key=rsa2 over=<sorted> | base64", 300, NULL },

    { "C", "body dataContent; field dataContent = json | base64"
           " | rsa-private key=rsa2 | hex", 2000, NULL },

    { "D", "sign sign = ps256 key=rsa2 over=<content> | base64;"
           "field content = json | aes-128-ecb key=aes | base64", 300, NULL },

    { "E", "body param; field param = json;"
           "sign sign = es256 key=p256 over=<param> | base64", 300, NULL },

    { "labels", "body content; field content = json | rsa-oaep key=rsa2"
                " hash=sha256 label=some | base64", 2000, NULL },

    { "F", "sign header:sign = hs256 key=app over=<body> | hex", 300, NULL }
};

#define SUBJECTS  (sizeof(subjects) / sizeof(subjects[0]))


static void
job_run(void *data, ngx_log_t *log)
{
    job_t  *job = data;

    ngx_http_envelope_gate_enter();

    job->input.direction = NGX_ENVELOPE_SEAL;
    ngx_envelope_transform(job->pool, &job->input, &job->sealed);

    if (job->sealed.outcome == NGX_ENVELOPE_SEALED) {

        if (job->sealed.body_set) {
            job->input.body = job->sealed.body;
        }

        job->input.headers = job->sealed.headers.elts;
        job->input.nheaders = job->sealed.headers.nelts;
        job->input.direction = NGX_ENVELOPE_OPEN;
        ngx_envelope_transform(job->pool, &job->input, &job->opened);
    }

    ERR_clear_error();

    ngx_http_envelope_gate_leave();
}


static void
job_done(ngx_event_t *ev)
{
    job_t  *job = ev->data;

    job->back = 1;
}


static void
job_start(job_t *job, subject_t *subject, ngx_str_t *body)
{
    ngx_str_t   *text;
    ngx_uint_t   i;

    memset(job, 0, sizeof(job_t));

    job->pool = ngx_create_pool(4096, &shim_log);
    job->env.random = ngx_http_envelope_random;
    job->env.each = &job->each;
    job->each.run = ngx_http_envelope_crew_each;
    job->each.data = &tp;
    job->input.format = subject->format;
    job->input.body = *body;
    job->input.env = &job->env;
    job->input.values = job->values;

    text = subject->format->values.elts;

    for (i = 0; i < subject->format->values.nelts; i++) {
        job->values[i] = engine_value(&text[i]);
    }

    job->task.ctx = job;
    job->task.handler = job_run;
    job->task.event.handler = job_done;
    job->task.event.data = job;

    if (ngx_thread_task_post(&tp, &job->task) != NGX_OK) {
        abort();
    }
}


/* {"content":"..."} of a length, in which every place differs */

static ngx_str_t
job_body(size_t len)
{
    size_t     i;
    ngx_str_t  v;

    v = filled(pool, ' ', len);
    memcpy(v.data, "{\"content\":\"", 12);
    memcpy(v.data + len - 2, "\"}", 2);

    for (i = 12; i < len - 2; i++) {
        v.data[i] = (u_char) ('a' + (i * 7 + i / 25) % 26);
    }

    return v;
}


static void
test_formats(void)
{
    job_t       *job, *jobs;
    ngx_str_t    bodies[SUBJECTS], back;
    ngx_uint_t   i, n, round, good[SUBJECTS];

    jobs = malloc(SUBJECTS * MESSAGES * sizeof(job_t));

    memset(good, 0, sizeof(good));

    for (i = 0; i < SUBJECTS; i++) {
        subjects[i].format = request(subjects[i].text);
        bodies[i] = job_body(subjects[i].len);
    }

    for (round = 0; round < ROUNDS; round++) {

        for (n = 0; n < SUBJECTS * MESSAGES; n++) {
            i = n % SUBJECTS;
            job_start(&jobs[n], &subjects[i], &bodies[i]);
        }

        pool_drain();

        for (n = 0; n < SUBJECTS * MESSAGES; n++) {
            i = n % SUBJECTS;
            job = &jobs[n];

            back = job->opened.body_set ? job->opened.body : job->input.body;

            if (job->back && job->opened.outcome == NGX_ENVELOPE_OPENED
                && ngx_envelope_str_equal(&back, &bodies[i]))
            {
                good[i]++;

            } else if (good[i] == round * MESSAGES) {
                engine_diag_reason(subjects[i].name,
                                   job->opened.outcome ? &job->opened.reason
                                                       : &job->sealed.reason);
            }

            ngx_destroy_pool(job->pool);
        }
    }

    for (i = 0; i < SUBJECTS; i++) {
        is_int(good[i], ROUNDS * MESSAGES, "%s", subjects[i].name);
    }

    free(jobs);
}


/* pieces of work that are counted, and not more at a time than may be */

static ngx_uint_t  counted[1000], at_once, most_at_once;


static void
count(void *ctx, ngx_uint_t i)
{
    ngx_uint_t   n, most;
    ngx_uint_t  *counts = ctx;

    n = __atomic_add_fetch(&at_once, 1, __ATOMIC_RELAXED);
    most = __atomic_load_n(&most_at_once, __ATOMIC_RELAXED);

    while (n > most
           && !__atomic_compare_exchange_n(&most_at_once, &most, n, 0,
                                           __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED))
    {
        /* void */
    }

    counts[i]++;          /* nobody else may be at this one */
    sched_yield();

    __atomic_sub_fetch(&at_once, 1, __ATOMIC_RELAXED);
}


typedef struct {
    ngx_uint_t         *counts;
    ngx_uint_t          n;
    ngx_thread_task_t   task;
} crew_job_t;


static void
crew_run(void *data, ngx_log_t *log)
{
    crew_job_t  *job = data;

    ngx_http_envelope_gate_enter();
    ngx_http_envelope_crew_each(&tp, job->n, count, job->counts);
    ngx_http_envelope_gate_leave();
}


static void
crew_done(ngx_event_t *ev)
{
}


static void
test_crew(ngx_uint_t n)
{
    ngx_uint_t  i, bad;
    crew_job_t  jobs[10];

    memset(jobs, 0, sizeof(jobs));
    memset(counted, 0, sizeof(counted));
    most_at_once = 0;

    for (i = 0; i < 10; i++) {
        jobs[i].counts = counted + i * 100;
        jobs[i].n = n;
        jobs[i].task.ctx = &jobs[i];
        jobs[i].task.handler = crew_run;
        jobs[i].task.event.handler = crew_done;
        jobs[i].task.event.data = &jobs[i];

        /* helpers of the jobs before may fill a small queue */

        while (ngx_thread_task_post(&tp, &jobs[i].task) != NGX_OK) {
            sched_yield();
        }
    }

    pool_drain();

    for (bad = 0, i = 0; i < 1000; i++) {
        bad += (counted[i] != (i % 100 < n));
    }

    is_int(bad, 0, "each of %d pieces once", (int) n);
    ok(most_at_once <= ngx_http_envelope_gate_turns(),
       "%d at a time, of %d", (int) most_at_once,
       (int) ngx_http_envelope_gate_turns());
}


static void
test_closing(void)
{
    ngx_uint_t  i, done;
    crew_job_t  job;

    memset(&job, 0, sizeof(job));
    memset(counted, 0, sizeof(counted));

    ngx_terminate = 1;

    job.counts = counted;
    job.n = 100;
    job.task.ctx = &job;
    job.task.handler = crew_run;
    job.task.event.handler = crew_done;
    job.task.event.data = &job;

    (void) ngx_thread_task_post(&tp, &job.task);
    pool_drain();

    for (done = 0, i = 0; i < 100; i++) {
        done += counted[i];
    }

    is_int(done, 0, "a worker that exits leaves pieces out");

    ngx_http_envelope_gate_close();
    pass("none computes");
}


int
main(void)
{
    ngx_cycle_t  cycle;

    memset(&cycle, 0, sizeof(cycle));
    cycle.log = &shim_log;
    shim_log.log_level = NGX_LOG_ERR;
    ngx_cycle = &cycle;

    engine_start();

    ngx_http_envelope_gate_init(&cycle);
    is_int(ngx_http_envelope_gate_turns(), 4, "a turn for each processor");

    pool_start(1000);

    test_formats();
    test_crew(1);
    test_crew(2);
    test_crew(100);

    /* there is no room for helpers */

    pthread_mutex_lock(&tp.mutex);
    tp.max = 10;
    pthread_mutex_unlock(&tp.mutex);

    test_crew(100);
    test_closing();

    pool_stop();
    engine_end();

    return done_testing();
}
