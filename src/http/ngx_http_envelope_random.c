
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_random.h"
#include "ngx_envelope_errors.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>


/*
 * Bytes that are drawn at a time.  RAND_bytes() takes as long for one as for
 * a thousand: the state of its generator is made anew with each call, and it
 * asks the kernel whether this is still the process that it was.
 */

#define NGX_HTTP_ENVELOPE_RANDOM_STORE  1024


/*
 * Each thread's own.  What has been given away is overwritten, so that what
 * it is good for has no second place in memory.
 */

typedef struct {
    ngx_pid_t    pid;       /* whose these are: a fork() makes a copy */
    size_t       left;      /* the last so many */
    u_char       bytes[NGX_HTTP_ENVELOPE_RANDOM_STORE];
} ngx_http_envelope_random_store_t;


static ngx_int_t ngx_http_envelope_random_draw(u_char *buf, size_t len);


static __thread ngx_http_envelope_random_store_t
    ngx_http_envelope_random_store;


ngx_int_t
ngx_http_envelope_random(void *data, u_char *buf, size_t len)
{
    u_char                            *p;
    ngx_http_envelope_random_store_t  *store;

    if (len > NGX_HTTP_ENVELOPE_RANDOM_STORE / 2) {
        return ngx_http_envelope_random_draw(buf, len);
    }

    store = &ngx_http_envelope_random_store;

    if (store->left < len || store->pid != ngx_pid) {
        store->left = 0;

        if (ngx_http_envelope_random_draw(store->bytes,
                                          NGX_HTTP_ENVELOPE_RANDOM_STORE)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        store->left = NGX_HTTP_ENVELOPE_RANDOM_STORE;
        store->pid = ngx_pid;
    }

    p = store->bytes + NGX_HTTP_ENVELOPE_RANDOM_STORE - store->left;
    store->left -= len;

    ngx_memcpy(buf, p, len);
    ngx_explicit_memzero(p, len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_random_draw(u_char *buf, size_t len)
{
    if (len > NGX_MAX_INT32_VALUE || RAND_bytes(buf, (int) len) != 1) {
        ngx_envelope_errors_clear();
        return NGX_ERROR;
    }

    return NGX_OK;
}
