
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_INFLATE_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_INFLATE_H_INCLUDED_


#include "ngx_envelope_reason.h"


/*
 * Inflates a whole gzip body (RFC 1952, of one member or several) of at most
 * "limit" bytes once inflated.  Memory follows what comes out, so a small
 * body that claims to be large costs nothing.
 *
 * Returns NGX_OK with out->data allocated from the pool, NGX_DECLINED with a
 * reason when it is too large, truncated, damaged or followed by other bytes,
 * or NGX_ERROR.
 */

ngx_int_t ngx_http_envelope_inflate(ngx_pool_t *pool, ngx_str_t *in,
    size_t limit, ngx_str_t *out, ngx_envelope_reason_t *reason);


#endif /* _NGX_HTTP_ENVELOPE_INFLATE_H_INCLUDED_ */
