
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_RESPONSE_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_RESPONSE_H_INCLUDED_


#include "ngx_http_envelope_request.h"


/*
 * The response side, in three files: the filters, which collect a body and
 * send what came of it; the transformation; and the answer that stands in
 * for a message that was refused.  What returns ngx_int_t returns to nginx
 * as a body filter does.
 *
 * There are two places in nginx's chain of filters.  Opening is done in the
 * inner one, right behind the upstream, so that all other filters work on the
 * opened body.  Sealing is done in the outer one, where bodies are complete
 * and subrequests joined, so that nothing plain gets in behind the seal.
 */

extern ngx_module_t  ngx_http_envelope_seal_filter_module;



/* the body is all there */

ngx_int_t ngx_http_envelope_response_transform(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx);

/* what came of it is there */

ngx_int_t ngx_http_envelope_response_release(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx);

/* NGX_OK: gzip; NGX_DECLINED: none; NGX_ERROR: one that is not known here */

ngx_int_t ngx_http_envelope_response_coding(ngx_http_request_t *r);

/* sends the header that was held back, and the body; or a body alone */

ngx_int_t ngx_http_envelope_response_send(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_str_t *body);
ngx_int_t ngx_http_envelope_response_body(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_str_t *body);

/* keeps the request alive until it is released or answered; or no more */

void ngx_http_envelope_response_suspend(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx);
void ngx_http_envelope_response_resume(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx);

/*
 * Whether it is a 1xx, which passes as a header alone: nginx knows no answer
 * behind it, and what follows it would be one to whoever asked.  Takes back,
 * too, that nginx answers in HTTP/0.9 where there was no status.
 */

ngx_uint_t ngx_http_envelope_response_interim(ngx_http_request_t *r);

/* refuses the message: from here on all of it is swallowed */

void ngx_http_envelope_response_refuse(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_envelope_fault_e fault,
    const ngx_envelope_statement_t *statement, ngx_envelope_reason_t *reason);

/*
 * Answers a refused one, once nobody sends anything else.  "final" is when
 * the request will be finalized with what this returns, and with nothing
 * else.
 */

ngx_int_t ngx_http_envelope_response_answer(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_uint_t final);

/* takes the place of the upstream's own while a body is collected */

void ngx_http_envelope_finalize_upstream(ngx_http_request_t *r, ngx_int_t rc);


#endif /* _NGX_HTTP_ENVELOPE_RESPONSE_H_INCLUDED_ */
