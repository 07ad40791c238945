
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_JOB_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_JOB_H_INCLUDED_


#include "ngx_http_envelope_request.h"


/* in each worker, where messages are sealed or opened */

void ngx_http_envelope_job_init_process(void);

/*
 * A job for one message of the profile; what the format needs of nginx's
 * variables is evaluated.  The caller fills in body and headers.  Its pool
 * lives as long as the request's, as do the bytes that it makes.  Returns
 * NULL, and has logged why, when out of memory or a variable failed.
 */

ngx_http_envelope_job_t *ngx_http_envelope_job_create(ngx_http_request_t *r,
    ngx_http_envelope_profile_t *profile, ngx_envelope_message_e message,
    ngx_envelope_direction_e direction);

/*
 * Runs the transformation and has the handler called with what came of it,
 * either before this returns or later, from the event loop.
 */

void ngx_http_envelope_job_start(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job, ngx_http_envelope_job_pt handler);

/* notes in the context, for variables, what the job did and how long */

void ngx_http_envelope_job_note(ngx_http_envelope_ctx_t *ctx,
    ngx_http_envelope_job_t *job);


#endif /* _NGX_HTTP_ENVELOPE_JOB_H_INCLUDED_ */
