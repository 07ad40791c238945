
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_token_conf.h"
#include "ngx_http_envelope_curl.h"
#include "ngx_http_envelope_source.h"
#include "ngx_envelope_statement.h"

#include <openssl/err.h>
#include <openssl/pem.h>


/* the statements of the "token" block */


#define NGX_HTTP_ENVELOPE_TOKEN_TIMEOUT_MAX  60000


typedef struct {
    ngx_str_t                   name;
    ngx_uint_t                  min;     /* words after the name */
    ngx_uint_t                  max;     /* 0: no limit */
    ngx_uint_t                  many;    /* it may stand there repeatedly */
    ngx_int_t                 (*set)(ngx_conf_t *cf,
                                     ngx_http_envelope_token_t *token,
                                     ngx_str_t *value,
                                     ngx_envelope_reason_t *reason);
} ngx_http_envelope_token_command_t;


static ngx_int_t ngx_http_envelope_token_pointer(ngx_conf_t *cf,
    ngx_envelope_address_t *address, ngx_str_t *text,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_time(ngx_str_t *text,
    ngx_msec_t max, ngx_msec_t *msec, ngx_envelope_reason_t *reason);

static ngx_int_t ngx_http_envelope_token_set_url(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_set_method(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_set_header(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_set_body(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_set_sign(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_set_value(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_set_expires_at(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_set_expires_in(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_set_lifetime(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_set_send(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_set_refresh(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_set_timeout(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_set_ca(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_set_proxy(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason);


static const ngx_http_envelope_token_command_t
    ngx_http_envelope_token_commands[] = {

    { ngx_string("url"), 1, 1, 0, ngx_http_envelope_token_set_url },
    { ngx_string("method"), 1, 1, 0, ngx_http_envelope_token_set_method },
    { ngx_string("header"), 2, 2, 1, ngx_http_envelope_token_set_header },
    { ngx_string("body"), 1, 1, 0, ngx_http_envelope_token_set_body },
    { ngx_string("sign"), 2, 0, 1, ngx_http_envelope_token_set_sign },
    { ngx_string("value"), 1, 1, 0, ngx_http_envelope_token_set_value },
    { ngx_string("expires_at"), 1, 1, 0,
      ngx_http_envelope_token_set_expires_at },
    { ngx_string("expires_in"), 1, 1, 0,
      ngx_http_envelope_token_set_expires_in },
    { ngx_string("lifetime"), 1, 1, 0, ngx_http_envelope_token_set_lifetime },
    { ngx_string("send"), 1, 2, 1, ngx_http_envelope_token_set_send },
    { ngx_string("refresh"), 1, 1, 0, ngx_http_envelope_token_set_refresh },
    { ngx_string("timeout"), 1, 1, 0, ngx_http_envelope_token_set_timeout },
    { ngx_string("ca"), 1, 1, 0, ngx_http_envelope_token_set_ca },
    { ngx_string("proxy"), 1, 1, 0, ngx_http_envelope_token_set_proxy },
    { ngx_null_string, 0, 0, 0, NULL }
};


static ngx_str_t  ngx_http_envelope_token_methods[] = {
    ngx_string("GET"),
    ngx_string("POST"),
    ngx_string("PUT"),
    ngx_string("PATCH"),
    ngx_null_string
};


ngx_int_t
ngx_http_envelope_token_dispatch(ngx_conf_t *cf,
    ngx_http_envelope_token_block_t *block, ngx_envelope_reason_t *reason)
{
    ngx_str_t                                *value;
    ngx_uint_t                                i, n;
    const ngx_http_envelope_token_command_t  *cmd;

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    for (cmd = ngx_http_envelope_token_commands; cmd->name.len; cmd++) {
        if (cmd->name.len == value[0].len
            && ngx_strncmp(cmd->name.data, value[0].data, value[0].len) == 0)
        {
            break;
        }
    }

    if (cmd->name.len == 0) {
        return ngx_envelope_declined(reason, "unknown statement, there are: "
                  "url, method, header, body, sign, value, expires_at, "
                  "expires_in, lifetime, send, refresh, timeout, ca, proxy, "
                  "include");
    }

    if (n < cmd->min || (cmd->max && n > cmd->max)) {
        return ngx_envelope_declined(reason, "it takes %ui word%s, but there "
                  "%s %ui (a text with spaces is put in quotes)",
                  n < cmd->min ? cmd->min : cmd->max,
                  (n < cmd->min ? cmd->min : cmd->max) == 1 ? "" : "s",
                  n == 1 ? "is" : "are", n);
    }

    i = cmd - ngx_http_envelope_token_commands;

    if (!cmd->many && (block->seen & ((ngx_uint_t) 1 << i))) {
        return ngx_envelope_declined(reason, "it is there already");
    }

    block->seen |= (ngx_uint_t) 1 << i;

    for (i = 0; i <= n; i++) {
        ngx_http_envelope_token_digest(block->token, &value[i]);
    }

    return cmd->set(cf, block->token, value, reason);
}


static ngx_int_t
ngx_http_envelope_token_set_url(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t              rc;
    ngx_str_t              start;
    ngx_envelope_piece_t  *piece;

    rc = ngx_http_envelope_token_template(cf, &token->fetch, &token->url,
                                          &value[1], reason);
    if (rc != NGX_OK) {
        return rc;
    }

    /* up to the first variable or secret */

    ngx_str_null(&start);

    if (token->url.pieces.nelts) {
        piece = token->url.pieces.elts;

        start = piece->text;

        if (piece->kind == NGX_ENVELOPE_PIECE_SECRET) {
            start.len = 0;
        }

        if (piece->kind == NGX_ENVELOPE_PIECE_VALUE) {
            start.len = ngx_strlchr(start.data, start.data + start.len, '$')
                        - start.data;
        }
    }

    return ngx_http_envelope_curl_check_url(&start,
                             start.len == token->url.text.len, 0, reason);
}


static ngx_int_t
ngx_http_envelope_token_set_method(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    ngx_str_t  *method;

    for (method = ngx_http_envelope_token_methods; method->len; method++) {
        if (method->len == value[1].len
            && ngx_strncmp(method->data, value[1].data, method->len) == 0)
        {
            token->method = *method;
            return NGX_OK;
        }
    }

    return ngx_envelope_declined(reason, "\"%V\" is not GET, POST, PUT or "
                                 "PATCH", &value[1]);
}


static ngx_int_t
ngx_http_envelope_token_set_header(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    return ngx_http_envelope_token_add_header(cf, &token->fetch,
                                              &token->headers, &value[1],
                                              &value[2], reason);
}


static ngx_int_t
ngx_http_envelope_token_set_body(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    token->body_set = 1;

    return ngx_http_envelope_token_template(cf, &token->fetch, &token->body,
                                            &value[1], reason);
}


/* the profile language's own statement, over what the fetch sends */

static ngx_int_t
ngx_http_envelope_token_set_sign(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t                   rc;
    ngx_envelope_format_t      *format;
    ngx_envelope_statement_t  **st;

    format = token->fetch.format;

    rc = ngx_envelope_format_add(format, value, cf->args->nelts,
                                 &cf->conf_file->file.name,
                                 cf->conf_file->line, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    st = format->statements.elts;
    st += format->statements.nelts - 1;

    if ((*st)->address.kind == NGX_ENVELOPE_ADDRESS_MEMBER
        || format->members)
    {
        return ngx_envelope_declined(reason, "it can write \"header:NAME\" "
                          "and sign headers, <body>, <secret:NAME> and "
                          "variables, but no member of a message");
    }

    return ngx_http_envelope_token_compile(cf, &token->fetch, reason);
}


static ngx_int_t
ngx_http_envelope_token_set_value(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    return ngx_http_envelope_token_pointer(cf, &token->value, &value[1],
                                           reason);
}


static ngx_int_t
ngx_http_envelope_token_set_expires_at(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    if (token->expires.text.len || token->lifetime) {
        return ngx_envelope_declined(reason, "the expiry is said already");
    }

    token->expiry = NGX_HTTP_ENVELOPE_TOKEN_AT;

    return ngx_http_envelope_token_pointer(cf, &token->expires, &value[1],
                                           reason);
}


static ngx_int_t
ngx_http_envelope_token_set_expires_in(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    if (token->expires.text.len || token->lifetime) {
        return ngx_envelope_declined(reason, "the expiry is said already");
    }

    token->expiry = NGX_HTTP_ENVELOPE_TOKEN_IN;

    return ngx_http_envelope_token_pointer(cf, &token->expires, &value[1],
                                           reason);
}


static ngx_int_t
ngx_http_envelope_token_set_lifetime(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    if (token->expires.text.len) {
        return ngx_envelope_declined(reason, "the expiry is said already");
    }

    token->expiry = NGX_HTTP_ENVELOPE_TOKEN_LIFETIME;

    return ngx_http_envelope_token_time(&value[1], NGX_MAX_INT32_VALUE,
                                        &token->lifetime, reason);
}


/* "send off" is for tokens that travel in the message, by a "set" */

static ngx_int_t
ngx_http_envelope_token_set_send(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    token->send_set = 1;

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "off") == 0 && token->sends.nelts == 0)
        {
            return NGX_OK;
        }

        return ngx_envelope_declined(reason, "write \"send NAME VALUE\", or "
                                     "\"send off\" alone");
    }

    return ngx_http_envelope_token_add_header(cf, &token->call, &token->sends,
                                              &value[1], &value[2], reason);
}


static ngx_int_t
ngx_http_envelope_token_set_refresh(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    return ngx_http_envelope_token_time(&value[1], NGX_MAX_INT32_VALUE,
                                        &token->refresh, reason);
}


static ngx_int_t
ngx_http_envelope_token_set_timeout(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    return ngx_http_envelope_token_time(&value[1],
                                        NGX_HTTP_ENVELOPE_TOKEN_TIMEOUT_MAX,
                                        &token->timeout, reason);
}


/* read here, so that the workers need not be able to */

static ngx_int_t
ngx_http_envelope_token_set_ca(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    BIO                         *bio;
    X509                        *cert;
    ngx_int_t                    rc;
    ngx_http_envelope_source_t   source;

    rc = ngx_http_envelope_source_read_file(&source, cf->cycle, &value[1],
                                            reason);
    if (rc == NGX_OK) {
        rc = ngx_envelope_copy(cf->pool, &token->ca, &source.content);
    }

    ngx_http_envelope_source_done(&source);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_envelope_token_digest(token, &token->ca);

    bio = BIO_new_mem_buf(token->ca.data, (int) token->ca.len);
    cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    BIO_free(bio);
    X509_free(cert);
    ERR_clear_error();

    if (cert == NULL) {
        return ngx_envelope_declined(reason, "\"%V\" holds no certificate in "
                                     "PEM", &value[1]);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_token_set_proxy(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    token->proxy.len = value[1].len;
    token->proxy.data = ngx_pnalloc(cf->pool, value[1].len + 1);
    if (token->proxy.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(token->proxy.data, value[1].data, value[1].len + 1);

    return ngx_http_envelope_curl_check_url(&value[1], 1, 1, reason);
}


static ngx_int_t
ngx_http_envelope_token_pointer(ngx_conf_t *cf,
    ngx_envelope_address_t *address, ngx_str_t *text,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;

    rc = ngx_envelope_address_parse(address, cf->pool, text, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (address->kind != NGX_ENVELOPE_ADDRESS_MEMBER || address->many) {
        return ngx_envelope_declined(reason, "\"%V\" is not a JSON pointer to "
                                     "one value", text);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_token_time(ngx_str_t *text, ngx_msec_t max,
    ngx_msec_t *msec, ngx_envelope_reason_t *reason)
{
    ngx_int_t  n;

    n = ngx_parse_time(text, 0);

    if (n == NGX_ERROR || n <= 0) {
        return ngx_envelope_declined(reason, "\"%V\" is not a time above 0",
                                     text);
    }

    if ((ngx_msec_t) n > max) {
        return ngx_envelope_declined(reason, "\"%V\" is more than %M seconds",
                                     text, max / 1000);
    }

    *msec = (ngx_msec_t) n;

    return NGX_OK;
}
