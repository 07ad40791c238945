
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_pool.h"


/* room for a message of a few hundred bytes, so that its pool can be kept */

#define NGX_HTTP_ENVELOPE_POOL_SIZE  8192


/*
 * So many are kept for messages to come.  None where memory is watched: what
 * is used after its message is gone must be seen.
 */

#if (__SANITIZE_ADDRESS__ || __SANITIZE_THREAD__ || NGX_DEBUG_PALLOC)
#define NGX_HTTP_ENVELOPE_POOLS      0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NGX_HTTP_ENVELOPE_POOLS      0
#endif
#endif

#ifndef NGX_HTTP_ENVELOPE_POOLS
#define NGX_HTTP_ENVELOPE_POOLS      16
#endif


#if (NGX_HTTP_ENVELOPE_POOLS)

static ngx_pool_t  *ngx_http_envelope_pools[NGX_HTTP_ENVELOPE_POOLS];
static ngx_uint_t   ngx_http_envelope_pools_n;

#endif


ngx_pool_t *
ngx_http_envelope_pool_create(void)
{
#if (NGX_HTTP_ENVELOPE_POOLS)

    ngx_pool_t  *pool;

    if (ngx_http_envelope_pools_n) {
        pool = ngx_http_envelope_pools[--ngx_http_envelope_pools_n];
        pool->log = ngx_cycle->log;

        return pool;
    }

#endif

    return ngx_create_pool(NGX_HTTP_ENVELOPE_POOL_SIZE, ngx_cycle->log);
}


void
ngx_http_envelope_pool_destroy(ngx_pool_t *pool)
{
#if (NGX_HTTP_ENVELOPE_POOLS)

    ngx_pool_cleanup_t  *cln;

    /* one that has grown is given back */

    if (ngx_http_envelope_pools_n < NGX_HTTP_ENVELOPE_POOLS
        && pool->d.next == NULL)
    {
        for (cln = pool->cleanup; cln; cln = cln->next) {
            if (cln->handler) {
                cln->handler(cln->data);
            }
        }

        pool->cleanup = NULL;
        ngx_reset_pool(pool);

        ngx_http_envelope_pools[ngx_http_envelope_pools_n++] = pool;

        return;
    }

#endif

    ngx_destroy_pool(pool);
}


void
ngx_http_envelope_pool_exit_process(void)
{
#if (NGX_HTTP_ENVELOPE_POOLS)

    while (ngx_http_envelope_pools_n) {
        ngx_destroy_pool(ngx_http_envelope_pools[--ngx_http_envelope_pools_n]);
    }

#endif
}
