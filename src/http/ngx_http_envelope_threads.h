
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_THREADS_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_THREADS_H_INCLUDED_


#include "ngx_http_envelope_request.h"


/*
 * Where transformations run that would keep the event loop from everybody
 * else.  Without threads in nginx, or with "envelope_threads off", all of
 * them run on the event loop.
 */

/* "envelope_threads on | off | pool=NAME" */

char *ngx_http_envelope_threads_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

ngx_int_t ngx_http_envelope_threads_merge(ngx_conf_t *cf,
    ngx_http_envelope_loc_conf_t *prev, ngx_http_envelope_loc_conf_t *conf);

/* in a worker, before it has any request; and when it exits */

void ngx_http_envelope_threads_init(void);
void ngx_http_envelope_threads_exit(void);

/*
 * Has run() called on a thread and then done() on the event loop, with
 * NGX_OK, or with NGX_BUSY or, when the worker is about to exit, NGX_ERROR
 * where it could not be run; the request stays meanwhile.  Of one that nginx
 * gave up in between, done() is not called.
 *
 * NGX_OK; NGX_DECLINED when the job is better run here and now; NGX_BUSY
 * when the pool's queue is full, which nginx has logged, or too many heavy
 * jobs wait; or NGX_ERROR.
 */

ngx_int_t ngx_http_envelope_threads_post(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job, void (*run)(ngx_http_envelope_job_t *job),
    void (*done)(ngx_http_envelope_job_t *job, ngx_int_t rc));


#endif /* _NGX_HTTP_ENVELOPE_THREADS_H_INCLUDED_ */
