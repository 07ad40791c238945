
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_CREW_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_CREW_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#if (NGX_THREADS)

/*
 * The pieces of one message's work on several threads of a pool.  As the
 * run() of ngx_envelope_each_t; "data" is the pool, the caller one of its
 * threads, which has a turn (see ngx_http_envelope_gate.h) and does what
 * nobody else does, be it all of it.  Pieces are left undone where the worker
 * is about to exit.
 */

void ngx_http_envelope_crew_each(void *data, ngx_uint_t n,
    void (*work)(void *ctx, ngx_uint_t i), void *ctx);

#endif


#endif /* _NGX_HTTP_ENVELOPE_CREW_H_INCLUDED_ */
