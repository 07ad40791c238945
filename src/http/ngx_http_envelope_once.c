
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_once.h"
#include "ngx_http_envelope_mark.h"


/* it is said so often at most that messages are taken without a mark */

#define NGX_HTTP_ENVELOPE_ONCE_SAY  1000


/* the values of one message on their way into the table */

typedef struct {
    ngx_http_request_t              *request;
    ngx_http_envelope_zone_t        *zone;
    ngx_http_envelope_marks_t       *marks;    /* NULL: of a response */
    ngx_envelope_once_t             *values;
    ngx_http_envelope_seen_t        *seen;     /* what is marked by now */
    ngx_uint_t                       nvalues;
    ngx_uint_t                       nseen;
    uint64_t                         now;
    ngx_uint_t                       unchecked;
} ngx_http_envelope_once_t;


/* a client that goes away is sent no answer, so the end has to do */

typedef struct {
    ngx_http_request_t              *request;
    ngx_http_envelope_marks_t       *marks;    /* NULL: there is no mark */
} ngx_http_envelope_once_cleanup_t;


static ngx_http_envelope_once_cleanup_t *ngx_http_envelope_once_init(
    ngx_http_envelope_once_t *once, ngx_http_request_t *r,
    ngx_http_envelope_job_t *job);
static ngx_int_t ngx_http_envelope_once_take(ngx_http_envelope_once_t *once,
    ngx_uint_t *at, uint64_t *expires);
static ngx_int_t ngx_http_envelope_once_mark(ngx_http_envelope_once_t *once,
    ngx_envelope_once_t *value);
static void ngx_http_envelope_once_unmark(
    ngx_http_envelope_once_table_t *table, ngx_http_envelope_seen_t *seen,
    uint64_t now);
static ngx_uint_t ngx_http_envelope_once_own(ngx_http_envelope_once_t *once,
    ngx_envelope_once_t *value);

static void ngx_http_envelope_once_keep(ngx_http_envelope_once_t *once,
    ngx_http_envelope_once_cleanup_t *oc);
static void ngx_http_envelope_once_cleanup(void *data);
static void ngx_http_envelope_once_withdraw(ngx_http_request_t *r,
    ngx_http_envelope_marks_t *marks);
static ngx_uint_t ngx_http_envelope_once_undelivered(ngx_http_request_t *r);

static void ngx_http_envelope_once_seen(ngx_envelope_once_t *value,
    uint64_t expires, uint64_t now, ngx_envelope_reason_t *reason);
static void ngx_http_envelope_once_refuse(ngx_http_envelope_job_t *job,
    ngx_envelope_fault_e fault, ngx_envelope_once_t *value);
static void ngx_http_envelope_once_unchecked(ngx_http_envelope_once_t *once,
    ngx_http_envelope_job_t *job);


void
ngx_http_envelope_once(ngx_http_request_t *r, ngx_http_envelope_job_t *job)
{
    ngx_int_t                          rc;
    uint64_t                           expires;
    ngx_uint_t                         at;
    ngx_http_envelope_once_t           once;
    ngx_http_envelope_once_cleanup_t  *oc;

    if (job->output.once.nelts == 0) {
        return;
    }

    oc = ngx_http_envelope_once_init(&once, r, job);

    if (oc == NULL) {
        (void) ngx_envelope_failed(&job->output.reason, "out of memory");
        ngx_http_envelope_once_refuse(job, NGX_ENVELOPE_FAULT_INTERNAL, NULL);
        return;
    }

    ngx_shmtx_lock(&once.zone->shpool->mutex);

    rc = ngx_http_envelope_once_take(&once, &at, &expires);

    ngx_shmtx_unlock(&once.zone->shpool->mutex);

    if (rc == NGX_DECLINED) {
        ngx_http_envelope_once_seen(&once.values[at], expires, once.now,
                                    &job->output.reason);
        ngx_http_envelope_once_refuse(job, NGX_ENVELOPE_FAULT_REPLAYED,
                                      &once.values[at]);
        return;
    }

    if (rc == NGX_BUSY) {
        (void) ngx_envelope_declined(&job->output.reason, "envelope_zone "
                                     "\"%V\" is full, the message is refused",
                                     &once.zone->name);
        ngx_http_envelope_once_refuse(job, NGX_ENVELOPE_FAULT_BUSY,
                                      &once.values[at]);
        return;
    }

    ngx_http_envelope_once_keep(&once, oc);

    if (once.unchecked) {
        ngx_http_envelope_once_unchecked(&once, job);
    }
}


/* whatever may fail does before the first mark is made */

static ngx_http_envelope_once_cleanup_t *
ngx_http_envelope_once_init(ngx_http_envelope_once_t *once,
    ngx_http_request_t *r, ngx_http_envelope_job_t *job)
{
    ngx_pool_cleanup_t                *cln;
    ngx_envelope_message_e             message;
    ngx_http_envelope_main_conf_t     *emcf;
    ngx_http_envelope_once_cleanup_t  *oc;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_envelope_module);
    message = job->input.format->message;

    ngx_memzero(once, sizeof(ngx_http_envelope_once_t));

    once->request = r;
    once->zone = emcf->zone;
    once->values = job->output.once.elts;
    once->nvalues = job->output.once.nelts;
    once->now = ngx_http_envelope_once_now();

    once->seen = ngx_palloc(r->pool, once->nvalues
                                     * sizeof(ngx_http_envelope_seen_t));

    cln = ngx_pool_cleanup_add(r->pool,
                               sizeof(ngx_http_envelope_once_cleanup_t));

    if (once->seen == NULL || cln == NULL) {
        return NULL;
    }

    oc = cln->data;
    ngx_memzero(oc, sizeof(ngx_http_envelope_once_cleanup_t));

    cln->handler = ngx_http_envelope_once_cleanup;

    if (message != NGX_ENVELOPE_REQUEST && message != NGX_ENVELOPE_WEBHOOK) {
        return oc;
    }

    once->marks = ngx_http_envelope_marks(r, 1);

    return once->marks ? oc : NULL;
}


/*
 * All of them or none.  NGX_DECLINED: the one at *at has come before, and is
 * remembered until *expires; NGX_BUSY: there is no room for it.
 */

static ngx_int_t
ngx_http_envelope_once_take(ngx_http_envelope_once_t *once, ngx_uint_t *at,
    uint64_t *expires)
{
    ngx_uint_t                      i;
    ngx_envelope_once_t            *value;
    ngx_http_envelope_once_slot_t  *slot;

    for (i = 0; i < once->nvalues; i++) {
        value = &once->values[i];

        if (ngx_http_envelope_once_own(once, value)) {
            continue;
        }

        slot = ngx_http_envelope_once_find(once->zone->sh->once,
                                           value->digest, once->now);
        if (slot) {
            *at = i;
            *expires = slot->expires;
            return NGX_DECLINED;
        }
    }

    for (i = 0; i < once->nvalues; i++) {

        if (ngx_http_envelope_once_mark(once, &once->values[i]) != NGX_OK) {

            while (once->nseen > 0) {
                ngx_http_envelope_once_unmark(once->zone->sh->once,
                                              &once->seen[--once->nseen],
                                              once->now);
            }

            *at = i;
            return NGX_BUSY;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_once_mark(ngx_http_envelope_once_t *once,
    ngx_envelope_once_t *value)
{
    ngx_http_envelope_seen_t       *seen;
    ngx_http_envelope_once_slot_t  *slot;

    if (ngx_http_envelope_once_own(once, value)) {
        return NGX_OK;
    }

    slot = ngx_http_envelope_once_put(once->zone->sh->once, value->digest,
                                      once->now + value->within, once->now);

    if (slot == NULL && !value->accept) {
        return NGX_BUSY;
    }

    if (slot == NULL) {
        once->unchecked = 1;
        return NGX_OK;
    }

    seen = &once->seen[once->nseen++];

    ngx_memcpy(seen->digest, value->digest, NGX_ENVELOPE_ONCE_LEN);
    seen->expires = slot->expires;

    return NGX_OK;
}


/* one that has expired may be somebody else's by now */

static void
ngx_http_envelope_once_unmark(ngx_http_envelope_once_table_t *table,
    ngx_http_envelope_seen_t *seen, uint64_t now)
{
    ngx_http_envelope_once_slot_t  *slot;

    slot = ngx_http_envelope_once_find(table, seen->digest, now);

    if (slot && slot->expires == seen->expires) {
        slot->expires = 0;
    }
}


static ngx_uint_t
ngx_http_envelope_once_own(ngx_http_envelope_once_t *once,
    ngx_envelope_once_t *value)
{
    ngx_http_envelope_seen_t  *seen;

    if (once->marks == NULL) {
        return 0;
    }

    for (seen = once->marks->seen; seen; seen = seen->next) {
        if (ngx_memcmp(seen->digest, value->digest, NGX_ENVELOPE_ONCE_LEN)
            == 0)
        {
            return 1;
        }
    }

    return 0;
}


uint64_t
ngx_http_envelope_once_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}


static void
ngx_http_envelope_once_keep(ngx_http_envelope_once_t *once,
    ngx_http_envelope_once_cleanup_t *oc)
{
    ngx_uint_t           i;
    ngx_http_request_t  *r;

    if (once->marks == NULL) {
        return;
    }

    r = once->request;

    for (i = 0; i < once->nseen; i++) {

        /* what a subrequest has done with it is not known here */

        once->seen[i].kept = (r != r->main);
        once->seen[i].next = once->marks->seen;

        once->marks->seen = &once->seen[i];
    }

    oc->request = r->main;
    oc->marks = once->marks;
}


static void
ngx_http_envelope_once_cleanup(void *data)
{
    ngx_http_envelope_once_cleanup_t *oc = data;

    if (oc->marks && ngx_http_envelope_once_undelivered(oc->request)) {
        ngx_http_envelope_once_withdraw(oc->request, oc->marks);
    }
}


void
ngx_http_envelope_once_release(ngx_http_request_t *r)
{
    ngx_http_envelope_marks_t  *marks;

    if (r != r->main || !ngx_http_envelope_once_undelivered(r)) {
        return;
    }

    marks = ngx_http_envelope_marks(r, 0);

    if (marks) {
        ngx_http_envelope_once_withdraw(r, marks);
    }
}


static void
ngx_http_envelope_once_withdraw(ngx_http_request_t *r,
    ngx_http_envelope_marks_t *marks)
{
    uint64_t                         now;
    ngx_http_envelope_zone_t        *zone;
    ngx_http_envelope_seen_t        *seen, *kept, *next;
    ngx_http_envelope_main_conf_t   *emcf;

    if (marks->seen == NULL) {
        return;
    }

    emcf = ngx_http_get_module_main_conf(r, ngx_http_envelope_module);

    zone = emcf->zone;
    now = ngx_http_envelope_once_now();
    kept = NULL;

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (seen = marks->seen; seen; seen = next) {
        next = seen->next;

        if (seen->kept) {
            seen->next = kept;
            kept = seen;

        } else {
            ngx_http_envelope_once_unmark(zone->sh->once, seen, now);
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    marks->seen = kept;
}


/*
 * Whether it failed, and every upstream that was tried failed before a byte
 * was sent to it: one that answers with a failure may have done its work.
 */

static ngx_uint_t
ngx_http_envelope_once_undelivered(ngx_http_request_t *r)
{
    ngx_uint_t                  i;
    ngx_http_upstream_state_t  *state;

    if (r->headers_out.status < NGX_HTTP_CLIENT_CLOSED_REQUEST
        || r->upstream_states == NULL)
    {
        return 0;
    }

    /* one that has not ended has not said yet what it was sent */

    if (r->upstream && r->upstream->cleanup) {
        return 0;
    }

    state = r->upstream_states->elts;

    for (i = 0; i < r->upstream_states->nelts; i++) {
        if (state[i].bytes_sent || state[i].bytes_received) {
            return 0;
        }
    }

    return 1;
}


static void
ngx_http_envelope_once_seen(ngx_envelope_once_t *value, uint64_t expires,
    uint64_t now, ngx_envelope_reason_t *reason)
{
    uint64_t  made;

    made = expires - value->within;

    if (expires < value->within || made > now) {

        /* the configuration has changed since */

        (void) ngx_envelope_declined(reason, "its value came before");
        return;
    }

    (void) ngx_envelope_declined(reason, "its value came %uL s ago",
                                 (now - made) / 1000);
}


static void
ngx_http_envelope_once_refuse(ngx_http_envelope_job_t *job,
    ngx_envelope_fault_e fault, ngx_envelope_once_t *value)
{
    job->output.outcome = NGX_ENVELOPE_REJECTED;
    job->output.fault = fault;
    job->output.statement = value ? value->statement : NULL;
    job->output.body_set = 0;
    job->output.headers.nelts = 0;

    ngx_str_null(&job->output.body);
    ngx_str_null(&job->output.kid);
}


static void
ngx_http_envelope_once_unchecked(ngx_http_envelope_once_t *once,
    ngx_http_envelope_job_t *job)
{
    uint64_t                         n;
    ngx_uint_t                       say;
    ngx_envelope_format_t           *format;
    ngx_http_envelope_once_table_t  *table;

    table = once->zone->sh->once;
    format = job->input.format;

    ngx_shmtx_lock(&once->zone->shpool->mutex);

    n = ++table->unchecked;
    say = (once->now - table->said >= NGX_HTTP_ENVELOPE_ONCE_SAY);

    if (say) {
        table->said = once->now;
    }

    ngx_shmtx_unlock(&once->zone->shpool->mutex);

    if (say) {
        ngx_log_error(NGX_LOG_CRIT, once->request->connection->log, 0,
                      "envelope: profile \"%V\" %V: envelope_zone \"%V\" is "
                      "full, the message is accepted without a mark, %uL so "
                      "far",
                      &format->profile->name,
                      &ngx_envelope_message_names[format->message],
                      &once->zone->name, n);
    }
}
