
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_token_slot.h"

#include <openssl/crypto.h>


/* a fetch that failed is tried again after so long, doubled by each failure */

#define NGX_HTTP_ENVELOPE_TOKEN_RETRY_MIN    100
#define NGX_HTTP_ENVELOPE_TOKEN_RETRY_MAX    1500

/*
 * Tokens that the provider refuses are dropped at once, up to FREE of them
 * that had been good and one that never was; then not before PENALTY, which
 * doubles.  All is forgotten after CALM without.
 */

#define NGX_HTTP_ENVELOPE_TOKEN_FREE         3
#define NGX_HTTP_ENVELOPE_TOKEN_PENALTY      1000
#define NGX_HTTP_ENVELOPE_TOKEN_PENALTY_MAX  60000
#define NGX_HTTP_ENVELOPE_TOKEN_CALM         120000

/* a timer is set for so long at most */

#define NGX_HTTP_ENVELOPE_TOKEN_LOOK_MAX     3600000


#define ngx_http_envelope_token_past(time, now)                               \
    ((ngx_msec_int_t) ((now) - (time)) >= 0)


static ngx_http_envelope_token_value_t *ngx_http_envelope_token_valid(
    ngx_http_envelope_token_slot_t *slot, ngx_msec_t now);
static ngx_uint_t ngx_http_envelope_token_leased(
    ngx_http_envelope_token_slot_t *slot, ngx_msec_t now);
static void ngx_http_envelope_token_lease(ngx_http_envelope_token_t *token,
    ngx_http_envelope_token_slot_t *slot,
    ngx_http_envelope_token_answer_t *answer, ngx_msec_t now);
static void ngx_http_envelope_token_look(ngx_http_envelope_token_t *token,
    ngx_http_envelope_token_slot_t *slot, ngx_uint_t renewal,
    ngx_http_envelope_token_answer_t *answer, ngx_msec_t now);
static ngx_uint_t ngx_http_envelope_token_same(
    ngx_http_envelope_token_value_t *value, ngx_str_t *text);
static ngx_msec_t ngx_http_envelope_token_backoff(ngx_uint_t failures);


static ngx_http_envelope_token_value_t *
ngx_http_envelope_token_valid(ngx_http_envelope_token_slot_t *slot,
    ngx_msec_t now)
{
    ngx_http_envelope_token_value_t  *value;

    value = &slot->values[slot->current & 1];

    if (value->len == 0 || value->len > NGX_HTTP_ENVELOPE_TOKEN_MAX) {
        return NULL;
    }

    if (ngx_http_envelope_token_past(value->expires, now)) {
        return NULL;
    }

    return value;
}


/* a holder that is no more has lost it */

static ngx_uint_t
ngx_http_envelope_token_leased(ngx_http_envelope_token_slot_t *slot,
    ngx_msec_t now)
{
    if (slot->pid == 0 || ngx_http_envelope_token_past(slot->until, now)) {
        return 0;
    }

    return !ngx_http_envelope_token_gone(slot->pid);
}


static void
ngx_http_envelope_token_lease(ngx_http_envelope_token_t *token,
    ngx_http_envelope_token_slot_t *slot,
    ngx_http_envelope_token_answer_t *answer, ngx_msec_t now)
{
    slot->since = now;
    slot->until = now + token->timeout + NGX_HTTP_ENVELOPE_TOKEN_DRAIN
                  + NGX_HTTP_ENVELOPE_TOKEN_GRACE;
    slot->serial++;
    slot->fetches++;
    slot->pid = ngx_pid;

    answer->verdict = NGX_HTTP_ENVELOPE_TOKEN_FETCH;
    answer->serial = slot->serial;
}


void
ngx_http_envelope_token_ask(ngx_http_envelope_token_t *token,
    ngx_uint_t renewal, ngx_http_envelope_token_answer_t *answer)
{
    ngx_http_envelope_token_slot_t  *slot;

    ngx_memzero(answer, sizeof(ngx_http_envelope_token_answer_t));

    slot = ngx_http_envelope_token_lock(token);

    if (slot) {
        ngx_http_envelope_token_look(token, slot, renewal, answer,
                                     ngx_current_msec);
        ngx_http_envelope_token_unlock(token);
        return;
    }

    answer->verdict = renewal ? NGX_HTTP_ENVELOPE_TOKEN_READY
                              : NGX_HTTP_ENVELOPE_TOKEN_NONE;
    answer->len = ngx_sprintf(answer->reason, "the configuration has changed")
                  - answer->reason;
}


static void
ngx_http_envelope_token_look(ngx_http_envelope_token_t *token,
    ngx_http_envelope_token_slot_t *slot, ngx_uint_t renewal,
    ngx_http_envelope_token_answer_t *answer, ngx_msec_t now)
{
    ngx_uint_t                        leased;
    ngx_http_envelope_token_value_t  *value;

    value = ngx_http_envelope_token_valid(slot, now);
    leased = ngx_http_envelope_token_leased(slot, now);

    answer->verdict = NGX_HTTP_ENVELOPE_TOKEN_READY;
    answer->renewal = (value != NULL);
    answer->timed_out = slot->timed_out;

    if (value) {

        if (!ngx_http_envelope_token_past(value->renew, now)) {
            answer->delay = value->renew - now;

        } else if (leased) {
            answer->delay = slot->until - now;

            if (!renewal
                && now - slot->since < NGX_HTTP_ENVELOPE_TOKEN_HOLD)
            {
                answer->verdict = NGX_HTTP_ENVELOPE_TOKEN_WAIT;
            }

        } else if (slot->failures
                   && !ngx_http_envelope_token_past(slot->retry, now))
        {
            answer->delay = slot->retry - now;

        } else if (slot->used || !renewal) {
            ngx_http_envelope_token_lease(token, slot, answer, now);
        }

        answer->delay = ngx_min(answer->delay,
                                NGX_HTTP_ENVELOPE_TOKEN_LOOK_MAX);
        return;
    }

    if (renewal) {
        return;
    }

    if (leased) {
        answer->verdict = NGX_HTTP_ENVELOPE_TOKEN_WAIT;
        return;
    }

    if (slot->failures && !ngx_http_envelope_token_past(slot->retry, now)) {
        answer->verdict = NGX_HTTP_ENVELOPE_TOKEN_NONE;
        answer->delay = slot->retry - now;
        answer->len = ngx_min(slot->reason_len,
                              NGX_HTTP_ENVELOPE_TOKEN_REASON_MAX);
        ngx_memcpy(answer->reason, slot->reason, answer->len);
        return;
    }

    ngx_http_envelope_token_lease(token, slot, answer, now);
}


ngx_int_t
ngx_http_envelope_token_take(ngx_http_envelope_token_t *token, u_char *buf,
    size_t *len)
{
    ngx_http_envelope_token_slot_t   *slot;
    ngx_http_envelope_token_value_t  *value;

    slot = ngx_http_envelope_token_lock(token);
    if (slot == NULL) {
        return NGX_DECLINED;
    }

    value = ngx_http_envelope_token_valid(slot, ngx_current_msec);

    if (value) {
        ngx_memcpy(buf, value->data, value->len);
        *len = value->len;

        slot->used = 1;
        ngx_http_envelope_token_count(token, slot);
    }

    ngx_http_envelope_token_unlock(token);

    return value ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_envelope_token_store(ngx_http_envelope_token_t *token,
    ngx_uint_t serial, ngx_str_t *text, ngx_msec_t lifetime)
{
    ngx_int_t                         rc;
    ngx_msec_t                        now, early;
    ngx_http_envelope_token_slot_t   *slot;
    ngx_http_envelope_token_value_t  *value, *old;

    slot = ngx_http_envelope_token_lock(token);
    if (slot == NULL) {
        return NGX_DECLINED;
    }

    if (slot->serial != serial || slot->pid != ngx_pid) {
        ngx_http_envelope_token_unlock(token);
        return NGX_DECLINED;
    }

    now = ngx_current_msec;
    early = ngx_min(token->refresh, lifetime / 2);

    old = &slot->values[slot->current & 1];
    value = &slot->values[(slot->current & 1) ^ 1];

    ngx_memcpy(value->data, text->data, text->len);
    value->expires = now + lifetime;
    value->renew = now + lifetime - early;
    value->len = text->len;

    ngx_memory_barrier();

    slot->current ^= 1;
    slot->used = 0;
    slot->accepted = 0;

    ngx_http_envelope_token_clear(old);

    rc = slot->failures ? NGX_DONE : NGX_OK;

    slot->failures = 0;
    slot->timed_out = 0;
    slot->pid = 0;

    ngx_http_envelope_token_unlock(token);

    return rc;
}


ngx_int_t
ngx_http_envelope_token_failed(ngx_http_envelope_token_t *token,
    ngx_uint_t serial, ngx_uint_t timed_out, ngx_envelope_reason_t *reason)
{
    ngx_int_t                        rc;
    ngx_http_envelope_token_slot_t  *slot;

    slot = ngx_http_envelope_token_lock(token);
    if (slot == NULL) {
        return NGX_DECLINED;
    }

    if (slot->serial != serial || slot->pid != ngx_pid) {
        ngx_http_envelope_token_unlock(token);
        return NGX_DECLINED;
    }

    rc = slot->failures ? NGX_OK : NGX_DONE;

    slot->failures++;
    slot->fetch_failures++;
    slot->retry = ngx_current_msec
                  + ngx_http_envelope_token_backoff(slot->failures);
    slot->timed_out = timed_out;

    slot->reason_len = ngx_min(reason->len,
                               NGX_HTTP_ENVELOPE_TOKEN_REASON_MAX);
    ngx_memcpy(slot->reason, reason->data, slot->reason_len);

    slot->pid = 0;

    ngx_http_envelope_token_unlock(token);

    return rc;
}


/* its second half is left to chance, so that machines do not march in step */

static ngx_msec_t
ngx_http_envelope_token_backoff(ngx_uint_t failures)
{
    ngx_msec_t  delay;

    delay = NGX_HTTP_ENVELOPE_TOKEN_RETRY_MAX;

    if (failures < 5) {
        delay = NGX_HTTP_ENVELOPE_TOKEN_RETRY_MIN << (failures - 1);
    }

    return delay / 2 + (ngx_msec_t) ngx_random() % (delay / 2);
}


void
ngx_http_envelope_token_accepted(ngx_http_envelope_token_t *token,
    ngx_str_t *text)
{
    ngx_http_envelope_token_slot_t  *slot;

    slot = ngx_http_envelope_token_lock(token);
    if (slot == NULL) {
        return;
    }

    if (!slot->accepted
        && ngx_http_envelope_token_same(&slot->values[slot->current & 1],
                                        text))
    {
        slot->accepted = 1;
    }

    ngx_http_envelope_token_unlock(token);
}


ngx_int_t
ngx_http_envelope_token_refused(ngx_http_envelope_token_t *token,
    ngx_str_t *text)
{
    ngx_int_t                         rc;
    ngx_msec_t                        now, penalty;
    ngx_uint_t                        n;
    ngx_http_envelope_token_slot_t   *slot;
    ngx_http_envelope_token_value_t  *value;

    slot = ngx_http_envelope_token_lock(token);
    if (slot == NULL) {
        return NGX_DECLINED;
    }

    now = ngx_current_msec;
    value = &slot->values[slot->current & 1];

    if (!ngx_http_envelope_token_same(value, text)) {
        rc = NGX_DECLINED;
        goto done;
    }

    if (now - slot->refused >= NGX_HTTP_ENVELOPE_TOKEN_CALM) {
        slot->refusals = 0;
    }

    penalty = 0;
    n = slot->accepted ? NGX_HTTP_ENVELOPE_TOKEN_FREE : 1;

    if (slot->refusals >= n) {
        n = ngx_min(slot->refusals - n, 6);
        penalty = ngx_min(NGX_HTTP_ENVELOPE_TOKEN_PENALTY << n,
                          NGX_HTTP_ENVELOPE_TOKEN_PENALTY_MAX);
    }

    if (now - slot->refused < penalty) {
        rc = NGX_BUSY;
        goto done;
    }

    ngx_http_envelope_token_clear(value);

    slot->refusals++;
    slot->refused = now;

    rc = NGX_OK;

done:

    ngx_http_envelope_token_unlock(token);

    return rc;
}


static ngx_uint_t
ngx_http_envelope_token_same(ngx_http_envelope_token_value_t *value,
    ngx_str_t *text)
{
    return text->len
           && value->len == text->len
           && CRYPTO_memcmp(value->data, text->data, text->len) == 0;
}
