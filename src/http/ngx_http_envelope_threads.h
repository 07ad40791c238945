
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

/*
 * Has run() called with the job on a thread, and then the job's handler on
 * the event loop; the request stays meanwhile.  A request that nginx gave up
 * in between is ended, and its handler is not called.
 *
 * NGX_OK; NGX_DECLINED when the job is better run here and now; NGX_BUSY
 * when the pool's queue is full, which nginx has logged; or NGX_ERROR.
 */

ngx_int_t ngx_http_envelope_threads_post(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job, void (*run)(ngx_http_envelope_job_t *job));


#endif /* _NGX_HTTP_ENVELOPE_THREADS_H_INCLUDED_ */
