
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_POOL_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_POOL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The pool of one message, which logs where the cycle does: a request's log
 * speaks of the request, which no thread may read.  For the event loop only.
 */

/* NULL when out of memory */

ngx_pool_t *ngx_http_envelope_pool_create(void);

/* runs its cleanups; the pool itself may be kept for another message */

void ngx_http_envelope_pool_destroy(ngx_pool_t *pool);

/* gives back those that are kept */

void ngx_http_envelope_pool_exit_process(void);


#endif /* _NGX_HTTP_ENVELOPE_POOL_H_INCLUDED_ */
