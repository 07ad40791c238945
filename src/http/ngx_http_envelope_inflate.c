
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_inflate.h"
#include "ngx_envelope_secret.h"

#include <zlib.h>


#define NGX_HTTP_ENVELOPE_INFLATE_MIN   4096
#define NGX_HTTP_ENVELOPE_INFLATE_GZIP  (MAX_WBITS + 16)  /* gzip alone */


typedef struct {
    ngx_pool_t             *pool;
    z_stream                stream;
    u_char                 *data;
    size_t                  size;    /* of data */
    size_t                  limit;
    ngx_envelope_reason_t  *reason;
} ngx_http_envelope_inflate_t;


static ngx_int_t ngx_http_envelope_inflate_all(
    ngx_http_envelope_inflate_t *inf);
static ngx_int_t ngx_http_envelope_inflate_grow(
    ngx_http_envelope_inflate_t *inf);


ngx_int_t
ngx_http_envelope_inflate(ngx_pool_t *pool, ngx_str_t *in, size_t limit,
    ngx_str_t *out, ngx_envelope_reason_t *reason)
{
    ngx_int_t                    rc;
    ngx_http_envelope_inflate_t  inf;

    ngx_memzero(&inf, sizeof(ngx_http_envelope_inflate_t));

    inf.pool = pool;
    inf.limit = limit;
    inf.reason = reason;
    inf.stream.next_in = in->data;
    inf.stream.avail_in = (uInt) in->len;

    if (in->len > NGX_MAX_INT32_VALUE || limit > NGX_MAX_INT32_VALUE) {
        return ngx_envelope_declined(reason, "too large to be inflated");
    }

    if (inflateInit2(&inf.stream, NGX_HTTP_ENVELOPE_INFLATE_GZIP) != Z_OK) {
        return ngx_envelope_failed(reason, "inflateInit2() failed");
    }

    rc = ngx_http_envelope_inflate_all(&inf);

    if (rc == NGX_OK) {
        out->data = inf.data;
        out->len = inf.size - inf.stream.avail_out;
    }

    (void) inflateEnd(&inf.stream);

    return rc;
}


static ngx_int_t
ngx_http_envelope_inflate_all(ngx_http_envelope_inflate_t *inf)
{
    int        rc;
    z_stream  *s;

    s = &inf->stream;

    for ( ;; ) {

        if (s->avail_out == 0
            && ngx_http_envelope_inflate_grow(inf) != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = inflate(s, Z_NO_FLUSH);

        if (inf->size - s->avail_out > inf->limit) {
            return ngx_envelope_declined(inf->reason, "larger than %uz bytes "
                                         "once inflated", inf->limit);
        }

        if (rc == Z_STREAM_END) {

            if (s->avail_in == 0) {
                return NGX_OK;
            }

            if (inflateReset(s) != Z_OK) {
                return ngx_envelope_failed(inf->reason,
                                           "inflateReset() failed");
            }

            continue;
        }

        if (rc == Z_MEM_ERROR) {
            return ngx_envelope_failed(inf->reason, "inflate() failed");
        }

        if (rc != Z_OK && rc != Z_BUF_ERROR) {
            return ngx_envelope_declined(inf->reason, "no valid gzip stream");
        }

        if (s->avail_in == 0 && s->avail_out != 0) {
            return ngx_envelope_declined(inf->reason,
                                         "the gzip stream is truncated");
        }
    }
}


/* one byte more than the limit, so that what goes beyond it is noticed */

static ngx_int_t
ngx_http_envelope_inflate_grow(ngx_http_envelope_inflate_t *inf)
{
    size_t   size;
    u_char  *p;

    size = inf->size ? inf->size * 2 : NGX_HTTP_ENVELOPE_INFLATE_MIN;
    size = ngx_min(size, inf->limit + 1);

    p = ngx_envelope_secret_alloc(inf->pool, size);
    if (p == NULL) {
        return ngx_envelope_failed(inf->reason, "out of memory");
    }

    if (inf->size) {
        ngx_memcpy(p, inf->data, inf->size);
    }

    inf->stream.next_out = p + inf->size;
    inf->stream.avail_out = (uInt) (size - inf->size);

    inf->data = p;
    inf->size = size;

    return NGX_OK;
}
