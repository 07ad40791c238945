
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_BODY_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_BODY_H_INCLUDED_


#include "ngx_http_envelope_request.h"


/*
 * The request body, wherever nginx has put it (buffers, a temporary file or
 * both), as the job's input.  A body in a single buffer is used in place, and
 * so are several buffers where the format has no members; what came in front
 * of a buffer is moved into it, if there is room; else the body is copied into
 * secret memory of the job's pool.  Empty when there is none.  Returns
 * NGX_ERROR with a reason when it cannot be read.
 */

ngx_int_t ngx_http_envelope_body_gather(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job, ngx_envelope_reason_t *reason);

/*
 * Gives the request a body structure of its own; one shared with the parent
 * request is left as it is.  With "body" not NULL these bytes, which must
 * outlive the request, become the body (an empty one: none), and its length
 * is set; header fields are the caller's to edit.
 */

ngx_int_t ngx_http_envelope_body_replace(ngx_http_request_t *r,
    ngx_str_t *body);

/*
 * Frees the body that the request had before another took its place, so that
 * not both of them stay until the end: if it is large, nothing that the job
 * made lies in it, and nobody else has it.
 */

void ngx_http_envelope_body_release(ngx_http_request_t *r,
    ngx_http_request_body_t *rb, ngx_http_envelope_job_t *job);

/*
 * Fills ctx->members from the plain body.  A body that is no JSON object, a
 * member that is absent or ambiguous only leave variables without a value.
 */

ngx_int_t ngx_http_envelope_body_members(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_pool_t *pool, ngx_str_t *body);

/*
 * Appends what is in a buffer of the response to ctx->collected.  Returns
 * what is wrong with it, with a reason, or NGX_ENVELOPE_FAULT_NONE.
 */

ngx_envelope_fault_e ngx_http_envelope_body_collect(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_buf_t *b,
    ngx_envelope_reason_t *reason);

/*
 * The bytes as the whole of a response body, with the marks of its end.
 * NULL when out of memory.
 */

ngx_chain_t *ngx_http_envelope_body_chain(ngx_http_request_t *r,
    ngx_str_t *body);


#endif /* _NGX_HTTP_ENVELOPE_BODY_H_INCLUDED_ */
