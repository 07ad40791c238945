
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_TOKEN_CONF_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_TOKEN_CONF_H_INCLUDED_


/* the two halves of the "token" block; for these files alone */


#include "ngx_http_envelope_token.h"


typedef struct {
    ngx_http_envelope_token_t  *token;
    ngx_uint_t                  seen;    /* bits of the commands */
} ngx_http_envelope_token_block_t;


/* one statement: the words of cf->args */

ngx_int_t ngx_http_envelope_token_dispatch(ngx_conf_t *cf,
    ngx_http_envelope_token_block_t *block, ngx_envelope_reason_t *reason);

/* a text that may hold variables and secrets */

ngx_int_t ngx_http_envelope_token_template(ngx_conf_t *cf,
    ngx_http_envelope_token_texts_t *texts, ngx_envelope_template_t *template,
    ngx_str_t *text, ngx_envelope_reason_t *reason);

/* compiles what a statement has added to the format's values */

ngx_int_t ngx_http_envelope_token_compile(ngx_conf_t *cf,
    ngx_http_envelope_token_texts_t *texts, ngx_envelope_reason_t *reason);

ngx_int_t ngx_http_envelope_token_add_header(ngx_conf_t *cf,
    ngx_http_envelope_token_texts_t *texts, ngx_array_t *headers,
    ngx_str_t *name, ngx_str_t *text, ngx_envelope_reason_t *reason);

/* what a change of makes another token */

void ngx_http_envelope_token_digest(ngx_http_envelope_token_t *token,
    ngx_str_t *text);


#endif /* _NGX_HTTP_ENVELOPE_TOKEN_CONF_H_INCLUDED_ */
