
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_once.h"


/*
 * A bucket holds WAYS marks, and a mark goes to the emptier one of two, which
 * its digest names: so the table is nearly full before the first one finds no
 * room, and a look takes as long as ever.
 */


/* of the zone's free pages, the rest being left to what comes later */

#define NGX_HTTP_ENVELOPE_ONCE_SHARE(pages)  ((pages) * 3 / 4)

/* the mark of a clock that has been set back since is not kept for ever */

#define ngx_http_envelope_once_live(slot, now)                                \
    ((slot)->expires > (now)                                                  \
     && (slot)->expires - (now) <= NGX_ENVELOPE_WITHIN_MAX)


static ngx_http_envelope_once_slot_t *ngx_http_envelope_once_bucket(
    ngx_http_envelope_once_table_t *table, u_char *digest, ngx_uint_t n);
static ngx_uint_t ngx_http_envelope_once_free(
    ngx_http_envelope_once_slot_t *bucket, uint64_t now,
    ngx_http_envelope_once_slot_t **slot);


ngx_int_t
ngx_http_envelope_once_attach(ngx_http_envelope_zone_t *zone)
{
    size_t                           size, bucket;
    ngx_uint_t                       pages, log_nomem;
    ngx_slab_pool_t                 *shpool;
    ngx_http_envelope_once_table_t  *table;

    if (zone->sh->once) {
        return NGX_OK;
    }

    shpool = zone->shpool;
    table = NULL;
    size = 0;

    ngx_shmtx_lock(&shpool->mutex);

    /* free pages may be scattered */

    log_nomem = shpool->log_nomem;
    shpool->log_nomem = 0;

    pages = NGX_HTTP_ENVELOPE_ONCE_SHARE(shpool->pfree);

    for ( /* void */ ; pages > 0; pages = pages * 3 / 4) {
        size = pages * ngx_pagesize;

        table = ngx_slab_calloc_locked(shpool, size);
        if (table) {
            break;
        }
    }

    shpool->log_nomem = log_nomem;

    if (table) {
        bucket = NGX_HTTP_ENVELOPE_ONCE_WAYS
                 * sizeof(ngx_http_envelope_once_slot_t);

        table->nbuckets =
                  (size - offsetof(ngx_http_envelope_once_table_t, slots))
                  / bucket;

        ngx_memory_barrier();

        zone->sh->once = table;
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return table ? NGX_OK : NGX_ERROR;
}


ngx_http_envelope_once_slot_t *
ngx_http_envelope_once_find(ngx_http_envelope_once_table_t *table,
    u_char *digest, uint64_t now)
{
    ngx_uint_t                      i, n;
    ngx_http_envelope_once_slot_t  *slot;

    for (n = 0; n < 2; n++) {
        slot = ngx_http_envelope_once_bucket(table, digest, n);

        for (i = 0; i < NGX_HTTP_ENVELOPE_ONCE_WAYS; i++, slot++) {

            if (ngx_memcmp(slot->id, digest, NGX_HTTP_ENVELOPE_ONCE_ID_LEN)
                == 0
                && ngx_http_envelope_once_live(slot, now))
            {
                return slot;
            }
        }
    }

    return NULL;
}


ngx_http_envelope_once_slot_t *
ngx_http_envelope_once_put(ngx_http_envelope_once_table_t *table,
    u_char *digest, uint64_t expires, uint64_t now)
{
    ngx_uint_t                      n;
    ngx_http_envelope_once_slot_t  *slot, *other;

    n = ngx_http_envelope_once_free(
                   ngx_http_envelope_once_bucket(table, digest, 0), now,
                   &slot);

    if (ngx_http_envelope_once_free(
                   ngx_http_envelope_once_bucket(table, digest, 1), now,
                   &other)
        > n)
    {
        slot = other;
    }

    if (slot == NULL) {
        return NULL;
    }

    /* never half a mark, wherever we are killed */

    slot->expires = 0;

    ngx_memory_barrier();

    ngx_memcpy(slot->id, digest, NGX_HTTP_ENVELOPE_ONCE_ID_LEN);

    ngx_memory_barrier();

    slot->expires = expires;

    return slot;
}


/* by the bytes of the digest that the mark does not keep */

static ngx_http_envelope_once_slot_t *
ngx_http_envelope_once_bucket(ngx_http_envelope_once_table_t *table,
    u_char *digest, ngx_uint_t n)
{
    uint64_t  hash;

    ngx_memcpy(&hash, digest + NGX_HTTP_ENVELOPE_ONCE_ID_LEN
                      + n * sizeof(uint64_t), sizeof(uint64_t));

    return &table->slots[hash % table->nbuckets
                         * NGX_HTTP_ENVELOPE_ONCE_WAYS];
}


/* how many are free, and the first of them, NULL if none */

static ngx_uint_t
ngx_http_envelope_once_free(ngx_http_envelope_once_slot_t *bucket,
    uint64_t now, ngx_http_envelope_once_slot_t **slot)
{
    ngx_uint_t  i, n;

    *slot = NULL;
    n = 0;

    for (i = NGX_HTTP_ENVELOPE_ONCE_WAYS; i-- > 0; /* void */ ) {

        if (!ngx_http_envelope_once_live(&bucket[i], now)) {
            *slot = &bucket[i];
            n++;
        }
    }

    return n;
}
