
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_token_slot.h"

#include <openssl/crypto.h>
#include <signal.h>


static ngx_uint_t ngx_http_envelope_token_enroll(
    ngx_http_envelope_token_slot_t *slot);
static ngx_http_envelope_token_calls_t *ngx_http_envelope_token_own(
    ngx_http_envelope_token_t *token, ngx_http_envelope_token_slot_t *slot);


const size_t  ngx_http_envelope_token_slot_size =
    sizeof(ngx_http_envelope_token_slot_t);


/*
 * Slots are never freed: a worker of an old configuration may still look at
 * one.  One that no configuration has is taken for another token.
 */

void
ngx_http_envelope_token_outdate(ngx_http_envelope_zone_t *zone)
{
    ngx_queue_t                     *q;
    ngx_http_envelope_token_slot_t  *slot;

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (q = ngx_queue_head(&zone->sh->tokens);
         q != ngx_queue_sentinel(&zone->sh->tokens);
         q = ngx_queue_next(q))
    {
        slot = ngx_queue_data(q, ngx_http_envelope_token_slot_t, queue);
        slot->outdated++;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


/*
 * The first reload without it leaves an outdated slot alone, as it may fail
 * and the old configuration go on.  So do all while there is another binary,
 * which need not have that configuration.
 */

ngx_int_t
ngx_http_envelope_token_attach(ngx_http_envelope_zone_t *zone,
    ngx_http_envelope_token_t *token)
{
    ngx_queue_t                     *q;
    ngx_http_envelope_token_slot_t  *slot, *old;

    old = NULL;

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (q = ngx_queue_head(&zone->sh->tokens);
         q != ngx_queue_sentinel(&zone->sh->tokens);
         q = ngx_queue_next(q))
    {
        slot = ngx_queue_data(q, ngx_http_envelope_token_slot_t, queue);

        if (ngx_memcmp(slot->id, token->id, sizeof(slot->id)) == 0) {

            /* the configuration had changed, and has changed back */

            if (slot->outdated > 1) {
                ngx_http_envelope_token_clear(&slot->values[slot->current]);
            }

            slot->outdated = 0;
            goto found;
        }

        if (slot->outdated > 1) {
            old = slot;
        }
    }

    slot = ngx_http_envelope_zone_upgrading(zone) ? NULL : old;

    if (slot == NULL) {
        slot = ngx_slab_calloc_locked(zone->shpool,
                                      sizeof(ngx_http_envelope_token_slot_t));
        if (slot == NULL) {
            ngx_shmtx_unlock(&zone->shpool->mutex);
            return NGX_ERROR;
        }

        ngx_memcpy(slot->id, token->id, sizeof(slot->id));
        ngx_queue_insert_tail(&zone->sh->tokens, &slot->queue);

    } else {
        ngx_queue_remove(&slot->queue);
        OPENSSL_cleanse(slot, sizeof(ngx_http_envelope_token_slot_t));
        ngx_memcpy(slot->id, token->id, sizeof(slot->id));
        ngx_queue_insert_tail(&zone->sh->tokens, &slot->queue);
    }

found:

    ngx_shmtx_unlock(&zone->shpool->mutex);

    token->slot = slot;
    token->shpool = zone->shpool;

    return NGX_OK;
}


ngx_http_envelope_token_slot_t *
ngx_http_envelope_token_lock(ngx_http_envelope_token_t *token)
{
    if (token->slot == NULL) {
        return NULL;
    }

    ngx_shmtx_lock(&token->shpool->mutex);

    if (ngx_memcmp(token->slot->id, token->id, sizeof(token->slot->id)) == 0)
    {
        return token->slot;
    }

    ngx_shmtx_unlock(&token->shpool->mutex);

    return NULL;
}


void
ngx_http_envelope_token_unlock(ngx_http_envelope_token_t *token)
{
    ngx_shmtx_unlock(&token->shpool->mutex);
}


void
ngx_http_envelope_token_count(ngx_http_envelope_token_t *token,
    ngx_http_envelope_token_slot_t *slot)
{
    ngx_http_envelope_token_calls_t  *calls;

    if (token->local->calls == 0) {
        token->local->calls = ngx_http_envelope_token_enroll(slot) + 1;
    }

    calls = ngx_http_envelope_token_own(token, slot);

    if (calls) {
        calls->n++;
    }
}


/*
 * By process id and not by ngx_process_slot, which two binaries give out
 * independently.
 */

static ngx_uint_t
ngx_http_envelope_token_enroll(ngx_http_envelope_token_slot_t *slot)
{
    ngx_uint_t                        i;
    ngx_http_envelope_token_calls_t  *calls;

    for (i = 0; i < NGX_HTTP_ENVELOPE_TOKEN_WORKERS_MAX; i++) {

        calls = &slot->calls[i];

        if (calls->pid == 0
            || calls->pid == ngx_pid
            || ngx_http_envelope_token_gone(calls->pid))
        {
            calls->n = 0;
            calls->pid = ngx_pid;
            break;
        }
    }

    return i;
}


/* none where there are too many, or the slot has been another token's since */

static ngx_http_envelope_token_calls_t *
ngx_http_envelope_token_own(ngx_http_envelope_token_t *token,
    ngx_http_envelope_token_slot_t *slot)
{
    ngx_uint_t  i;

    i = token->local->calls;

    if (i == 0
        || i > NGX_HTTP_ENVELOPE_TOKEN_WORKERS_MAX
        || slot->calls[i - 1].pid != ngx_pid)
    {
        return NULL;
    }

    return &slot->calls[i - 1];
}


void
ngx_http_envelope_token_release(ngx_http_envelope_token_t *token)
{
    ngx_http_envelope_token_slot_t   *slot;
    ngx_http_envelope_token_calls_t  *calls;

    slot = ngx_http_envelope_token_lock(token);
    if (slot == NULL) {
        return;
    }

    calls = ngx_http_envelope_token_own(token, slot);

    if (calls && calls->n) {
        calls->n--;
    }

    ngx_http_envelope_token_unlock(token);
}


ngx_uint_t
ngx_http_envelope_token_calls(ngx_http_envelope_token_t *token)
{
    ngx_uint_t                       i, n;
    ngx_http_envelope_token_slot_t  *slot;

    slot = ngx_http_envelope_token_lock(token);
    if (slot == NULL) {
        return 0;
    }

    n = 0;

    for (i = 0; i < NGX_HTTP_ENVELOPE_TOKEN_WORKERS_MAX; i++) {

        if (slot->calls[i].n
            && !ngx_http_envelope_token_gone(slot->calls[i].pid))
        {
            n += slot->calls[i].n;
        }
    }

    ngx_http_envelope_token_unlock(token);

    return n;
}


void
ngx_http_envelope_token_end(ngx_http_envelope_token_t *token)
{
    ngx_http_envelope_token_slot_t   *slot;
    ngx_http_envelope_token_calls_t  *calls;

    slot = ngx_http_envelope_token_lock(token);
    if (slot == NULL) {
        return;
    }

    calls = ngx_http_envelope_token_own(token, slot);

    if (calls) {
        calls->n = 0;
        calls->pid = 0;
    }

    if (slot->pid == ngx_pid) {
        slot->pid = 0;
    }

    ngx_http_envelope_token_unlock(token);
}


ngx_uint_t
ngx_http_envelope_token_gone(ngx_pid_t pid)
{
    return pid != ngx_pid && kill(pid, 0) == -1 && ngx_errno == NGX_ESRCH;
}


/* the length goes first: without it there is no token */

void
ngx_http_envelope_token_clear(ngx_http_envelope_token_value_t *value)
{
    value->len = 0;

    ngx_memory_barrier();

    OPENSSL_cleanse(value->data, NGX_HTTP_ENVELOPE_TOKEN_MAX);
}
