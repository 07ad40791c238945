
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_PROBLEM_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_PROBLEM_H_INCLUDED_


#include "ngx_http_envelope_request.h"


typedef enum {
    NGX_HTTP_ENVELOPE_REQUEST_SIDE = 0,
    NGX_HTTP_ENVELOPE_RESPONSE_SIDE
} ngx_http_envelope_side_e;


/*
 * The refusal of a message: logs it, once, and prepares the answer that the
 * client gets in its place, a problem of RFC 9457.  A client inside is told
 * the reason; a stranger gets the same bytes for every refusal of a status.
 * "statement" may be NULL.
 */

void ngx_http_envelope_refuse(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_side_e side,
    ngx_envelope_fault_e fault, const ngx_envelope_statement_t *statement,
    ngx_envelope_reason_t *reason);

/* the same where nginx has refused the message, and logged it, itself */

void ngx_http_envelope_problem_set(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_side_e side,
    ngx_uint_t status, const ngx_envelope_statement_t *statement,
    ngx_envelope_reason_t *reason);

/*
 * Whether the header that is about to be sent is nginx's own error page for
 * a message that was refused, by this module or for its size, and which no
 * "error_page" has taken.
 */

ngx_uint_t ngx_http_envelope_problem_due(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_loc_conf_t *elcf);

/* makes r->headers_out those of the problem */

void ngx_http_envelope_problem_headers(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx);


#endif /* _NGX_HTTP_ENVELOPE_PROBLEM_H_INCLUDED_ */
