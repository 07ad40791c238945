
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_GATE_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_GATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#if (NGX_THREADS)

/*
 * Which of the threads that have a message in hand may compute.  A pool may
 * have many threads; as many as there are processors for the worker run at a
 * time, and the others wait their turn.  More would take processor time from
 * the event loop, and from each other, for nothing.
 */

/* in a worker, before its threads have anything to do */

void ngx_http_envelope_gate_init(ngx_cycle_t *cycle);

/* how many threads may compute at a time, the same as long as it lives */

ngx_uint_t ngx_http_envelope_gate_turns(void);

/* on a thread: waits for a turn, first come, first served; gives it back */

void ngx_http_envelope_gate_enter(void);
void ngx_http_envelope_gate_leave(void);

/*
 * Between two pieces of work: if others wait, the longest of them goes on
 * and the caller queues up behind the last.
 */

void ngx_http_envelope_gate_pause(void);

/*
 * On a thread: whether the worker is about to exit at once, so that nobody
 * will want what is still to be done.
 */

ngx_uint_t ngx_http_envelope_gate_closing(void);

/*
 * In a worker that exits.  nginx ends its threads before, but for those of a
 * pool whose queue is full: when this returns none of them computes, and
 * none ever comes back from here, so keys and memory may go.
 */

void ngx_http_envelope_gate_close(void);

#endif


#endif /* _NGX_HTTP_ENVELOPE_GATE_H_INCLUDED_ */
