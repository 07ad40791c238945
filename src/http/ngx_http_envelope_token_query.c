
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_token.h"
#include "ngx_http_envelope_headers.h"
#include "ngx_http_envelope_random.h"
#include "ngx_envelope_secret.h"
#include "ngx_envelope_transform.h"

#include <openssl/crypto.h>
#include <openssl/err.h>


static ngx_int_t ngx_http_envelope_token_url(
    ngx_http_envelope_token_t *token, ngx_str_t *values, ngx_pool_t *pool,
    ngx_str_t *url, ngx_envelope_reason_t *reason);
static u_char *ngx_http_envelope_token_escape(u_char *p, ngx_str_t *text,
    ngx_uint_t given);
static ngx_int_t ngx_http_envelope_token_headers(
    ngx_http_envelope_token_t *token, ngx_str_t *values, ngx_pool_t *pool,
    ngx_http_envelope_token_query_t *query, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_sign(
    ngx_http_envelope_token_t *token, ngx_str_t *values, ngx_pool_t *pool,
    ngx_http_envelope_token_query_t *query, ngx_envelope_reason_t *reason);

static ngx_int_t ngx_http_envelope_token_values(ngx_http_request_t *r,
    ngx_http_envelope_token_texts_t *texts, ngx_pool_t *pool,
    ngx_str_t **values, ngx_uint_t strict, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_absent(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv, ngx_envelope_reason_t *reason);
static void ngx_http_envelope_token_piece(
    ngx_http_envelope_token_texts_t *texts, ngx_envelope_piece_t *piece,
    ngx_str_t *values, ngx_str_t *text);
static ngx_int_t ngx_http_envelope_token_join(
    ngx_http_envelope_token_texts_t *texts, ngx_envelope_template_t *template,
    ngx_str_t *values, ngx_pool_t *pool, ngx_str_t *text);
static ngx_int_t ngx_http_envelope_token_printable(ngx_str_t *name,
    ngx_str_t *value, ngx_envelope_reason_t *reason);
static ngx_http_request_t *ngx_http_envelope_token_request(
    ngx_http_envelope_token_t *token, ngx_pool_t *pool);


static const ngx_envelope_env_t  ngx_http_envelope_token_env = {
    ngx_http_envelope_random,
    NULL,
    NULL
};


ngx_int_t
ngx_http_envelope_token_query(ngx_http_envelope_token_t *token,
    ngx_pool_t *pool, ngx_http_envelope_token_query_t *query,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t            rc;
    ngx_str_t           *values;
    ngx_http_request_t  *r;

    (void) ngx_envelope_failed(reason, "out of memory");

    ngx_memzero(query, sizeof(ngx_http_envelope_token_query_t));

    r = ngx_http_envelope_token_request(token, pool);
    if (r == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_envelope_token_values(r, &token->fetch, pool, &values, 1,
                                        reason);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_envelope_token_url(token, values, pool, &query->url,
                                     reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (token->body_set
        && ngx_http_envelope_token_join(&token->fetch, &token->body, values,
                                        pool, &query->body)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_envelope_token_headers(token, values, pool, query, reason);

    if (rc != NGX_OK || token->fetch.format->statements.nelts == 0) {
        return rc;
    }

    return ngx_http_envelope_token_sign(token, values, pool, query, reason);
}


/*
 * What the operator wrote is sent as it is written, but for bytes that a URL
 * cannot hold; of a secret a "#" as well, since what follows one is not sent.
 */

static ngx_int_t
ngx_http_envelope_token_url(ngx_http_envelope_token_t *token,
    ngx_str_t *values, ngx_pool_t *pool, ngx_str_t *url,
    ngx_envelope_reason_t *reason)
{
    u_char                *p;
    size_t                 len;
    ngx_str_t              text;
    ngx_uint_t             i;
    ngx_envelope_piece_t  *piece;

    piece = token->url.pieces.elts;
    len = 0;

    for (i = 0; i < token->url.pieces.nelts; i++) {
        ngx_http_envelope_token_piece(&token->fetch, &piece[i], values, &text);
        len += 3 * text.len;
    }

    p = ngx_envelope_secret_alloc(pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    url->data = p;

    for (i = 0; i < token->url.pieces.nelts; i++) {
        ngx_http_envelope_token_piece(&token->fetch, &piece[i], values, &text);

        p = ngx_http_envelope_token_escape(p, &text,
                                piece[i].kind == NGX_ENVELOPE_PIECE_SECRET);
    }

    *p = '\0';
    url->len = p - url->data;

    return NGX_OK;
}


static u_char *
ngx_http_envelope_token_escape(u_char *p, ngx_str_t *text, ngx_uint_t given)
{
    u_char  c;
    size_t  i;

    static const u_char  hex[] = "0123456789ABCDEF";

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if (c > ' ' && c < 0x7f
            && ngx_strchr("\"<>\\^`{|}", c) == NULL
            && (c != '#' || !given))
        {
            *p++ = c;
            continue;
        }

        *p++ = '%';
        *p++ = hex[c >> 4];
        *p++ = hex[c & 0xf];
    }

    return p;
}


static ngx_int_t
ngx_http_envelope_token_headers(ngx_http_envelope_token_t *token,
    ngx_str_t *values, ngx_pool_t *pool,
    ngx_http_envelope_token_query_t *query, ngx_envelope_reason_t *reason)
{
    ngx_int_t                          rc;
    ngx_str_t                          type;
    ngx_uint_t                         i;
    ngx_array_t                        list;
    ngx_envelope_header_t             *field;
    ngx_http_envelope_token_header_t  *header;

    if (ngx_array_init(&list, pool, token->headers.nelts + 1,
                       sizeof(ngx_envelope_header_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    header = token->headers.elts;

    for (i = 0; i < token->headers.nelts; i++) {

        field = ngx_array_push(&list);
        if (field == NULL) {
            return NGX_ERROR;
        }

        field->name = header[i].name;

        if (ngx_http_envelope_token_join(&token->fetch, &header[i].value,
                                         values, pool, &field->value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_http_envelope_token_printable(&field->name, &field->value,
                                               reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    ngx_str_set(&type, "Content-Type");

    if (query->body.len
        && (query->body.data[0] == '{' || query->body.data[0] == '[')
        && ngx_http_envelope_headers_find(&list, &type) == NULL)
    {
        field = ngx_array_push(&list);
        if (field == NULL) {
            return NGX_ERROR;
        }

        field->name = type;
        ngx_str_set(&field->value, "application/json");
    }

    query->headers = list.elts;
    query->nheaders = list.nelts;

    return NGX_OK;
}


/* the "sign" statements see the fetch as a message that is sealed */

static ngx_int_t
ngx_http_envelope_token_sign(ngx_http_envelope_token_t *token,
    ngx_str_t *values, ngx_pool_t *pool,
    ngx_http_envelope_token_query_t *query, ngx_envelope_reason_t *reason)
{
    ngx_str_t               label, file;
    ngx_uint_t              i, line;
    ngx_array_t             list;
    ngx_envelope_input_t    input;
    ngx_envelope_header_t  *field, *edit;
    ngx_envelope_output_t   output;

    ngx_memzero(&input, sizeof(ngx_envelope_input_t));

    input.format = token->fetch.format;
    input.direction = NGX_ENVELOPE_SEAL;
    input.body = query->body;
    input.headers = query->headers;
    input.nheaders = query->nheaders;
    input.values = values;
    input.env = &ngx_http_envelope_token_env;

    ngx_envelope_transform(pool, &input, &output);

    ERR_clear_error();

    if (output.outcome != NGX_ENVELOPE_SEALED) {
        *reason = output.reason;

        if (output.statement) {
            ngx_envelope_statement_where(output.statement, &label, &file,
                                         &line);
            ngx_envelope_reason_prepend(reason, "%V: ", &label);
        }

        return NGX_DECLINED;
    }

    if (ngx_array_init(&list, pool, query->nheaders + output.headers.nelts,
                       sizeof(ngx_envelope_header_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < query->nheaders; i++) {

        if (ngx_http_envelope_headers_find(&output.headers,
                                           &query->headers[i].name))
        {
            continue;
        }

        field = ngx_array_push(&list);
        if (field == NULL) {
            return NGX_ERROR;
        }

        *field = query->headers[i];
    }

    edit = output.headers.elts;

    for (i = 0; i < output.headers.nelts; i++) {

        if (edit[i].value.data == NULL) {
            continue;
        }

        field = ngx_array_push(&list);
        if (field == NULL) {
            return NGX_ERROR;
        }

        *field = edit[i];
    }

    query->headers = list.elts;
    query->nheaders = list.nelts;

    return NGX_OK;
}


ngx_int_t
ngx_http_envelope_token_send(ngx_http_request_t *r,
    ngx_http_envelope_token_t *token, ngx_pool_t *pool, ngx_array_t *edits,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t                          rc;
    ngx_str_t                         *values, value;
    ngx_uint_t                         i;
    ngx_http_envelope_token_header_t  *header;

    (void) ngx_envelope_failed(reason, "out of memory");

    rc = ngx_http_envelope_token_values(r, &token->call, pool, &values, 0,
                                        reason);
    if (rc != NGX_OK) {
        return rc;
    }

    header = token->sends.elts;

    for (i = 0; i < token->sends.nelts; i++) {

        if (ngx_http_envelope_token_join(&token->call, &header[i].value,
                                         values, pool, &value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_http_envelope_token_printable(&header[i].name, &value,
                                               reason);
        if (rc != NGX_OK) {
            return rc;
        }

        if (ngx_http_envelope_headers_edit(edits,
                                           (char *) header[i].name.data,
                                           &value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Variables evaluated, and moved to memory that is overwritten.  A fetch is
 * "strict": a variable that has no value without a request is a mistake that
 * would otherwise show as a strange answer of the endpoint's.
 */

static ngx_int_t
ngx_http_envelope_token_values(ngx_http_request_t *r,
    ngx_http_envelope_token_texts_t *texts, ngx_pool_t *pool,
    ngx_str_t **values, ngx_uint_t strict, ngx_envelope_reason_t *reason)
{
    u_char                    *p;
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_complex_value_t  *cv;

    value = ngx_pcalloc(pool, (texts->values.nelts + 1) * sizeof(ngx_str_t));
    if (value == NULL) {
        return NGX_ERROR;
    }

    *values = value;

    cv = texts->values.elts;

    for (i = 0; i < texts->values.nelts; i++) {

        if (ngx_http_complex_value(r, &cv[i], &value[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        if (cv[i].lengths == NULL) {
            continue;
        }

        p = ngx_envelope_secret_alloc(pool, value[i].len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, value[i].data, value[i].len);
        OPENSSL_cleanse(value[i].data, value[i].len);

        value[i].data = p;

        if (strict
            && ngx_http_envelope_token_absent(r, &cv[i], reason) != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_token_absent(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv, ngx_envelope_reason_t *reason)
{
    ngx_uint_t                 *index;
    ngx_http_variable_t        *v;
    ngx_http_variable_value_t  *vv;
    ngx_http_core_main_conf_t  *cmcf;

    if (cv->flushes == NULL) {
        return NGX_OK;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    for (index = cv->flushes; *index != (ngx_uint_t) -1; index++) {

        vv = ngx_http_get_indexed_variable(r, *index);

        if (vv == NULL || vv->not_found) {
            v = cmcf->variables.elts;

            return ngx_envelope_declined(reason, "the variable \"$%V\" has "
                                         "no value without a request",
                                         &v[*index].name);
        }
    }

    return NGX_OK;
}


static void
ngx_http_envelope_token_piece(ngx_http_envelope_token_texts_t *texts,
    ngx_envelope_piece_t *piece, ngx_str_t *values, ngx_str_t *text)
{
    ngx_envelope_ring_t           **rings;
    ngx_envelope_shared_secret_t   *secret;

    switch (piece->kind) {

    case NGX_ENVELOPE_PIECE_VALUE:
        *text = values[piece->index];
        break;

    case NGX_ENVELOPE_PIECE_SECRET:
        rings = texts->format->rings.elts;
        secret = rings[piece->index]->secrets.elts;
        *text = secret->value;
        break;

    default: /* NGX_ENVELOPE_PIECE_TEXT */
        *text = piece->text;
        break;
    }
}


static ngx_int_t
ngx_http_envelope_token_join(ngx_http_envelope_token_texts_t *texts,
    ngx_envelope_template_t *template, ngx_str_t *values, ngx_pool_t *pool,
    ngx_str_t *joined)
{
    u_char                *p;
    size_t                 len;
    ngx_str_t              text;
    ngx_uint_t             i;
    ngx_envelope_piece_t  *piece;

    piece = template->pieces.elts;
    len = 0;

    for (i = 0; i < template->pieces.nelts; i++) {
        ngx_http_envelope_token_piece(texts, &piece[i], values, &text);
        len += text.len;
    }

    p = ngx_envelope_secret_alloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    joined->data = p;
    joined->len = len;

    for (i = 0; i < template->pieces.nelts; i++) {
        ngx_http_envelope_token_piece(texts, &piece[i], values, &text);
        p = ngx_cpymem(p, text.data, text.len);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_token_printable(ngx_str_t *name, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < ' ' || value->data[i] == 0x7f) {
            return ngx_envelope_declined(reason, "the value of the header "
                                         "\"%V\" has a control character in "
                                         "it", name);
        }
    }

    return NGX_OK;
}


/*
 * Variables are evaluated for a request, and a fetch has none: this one has
 * just enough in it for nginx's variables to find nothing.
 */

static ngx_http_request_t *
ngx_http_envelope_token_request(ngx_http_envelope_token_t *token,
    ngx_pool_t *pool)
{
    ngx_connection_t            *c;
    struct sockaddr             *sockaddr;
    ngx_http_request_t          *r;
    ngx_http_conf_ctx_t         *http;
    ngx_http_core_srv_conf_t   **servers;
    ngx_http_core_main_conf_t   *cmcf;

    r = ngx_pcalloc(pool, sizeof(ngx_http_request_t));
    c = ngx_pcalloc(pool, sizeof(ngx_connection_t));
    sockaddr = ngx_pcalloc(pool, sizeof(struct sockaddr_in));

    if (r == NULL || c == NULL || sockaddr == NULL) {
        return NULL;
    }

    sockaddr->sa_family = AF_UNSPEC;

    c->fd = (ngx_socket_t) -1;
    c->pool = pool;
    c->log = ngx_cycle->log;
    c->sockaddr = sockaddr;
    c->socklen = sizeof(sa_family_t);
    c->local_sockaddr = sockaddr;
    c->local_socklen = sizeof(sa_family_t);
    c->data = r;

    /* the first server's, as http's own are not merged with defaults */

    http = token->http;
    cmcf = http->main_conf[ngx_http_core_module.ctx_index];

    if (cmcf->servers.nelts) {
        servers = cmcf->servers.elts;
        http = servers[0]->ctx;
    }

    r->signature = NGX_HTTP_MODULE;
    r->connection = c;
    r->pool = pool;
    r->main = r;
    r->count = 1;
    r->main_conf = http->main_conf;
    r->srv_conf = http->srv_conf;
    r->loc_conf = http->loc_conf;
    r->method = NGX_HTTP_UNKNOWN;
    r->http_version = NGX_HTTP_VERSION_11;
    r->headers_in.content_length_n = -1;
    r->headers_out.content_length_n = -1;
    r->start_sec = ngx_time();
    r->start_msec = ngx_cached_time->msec;

    r->ctx = ngx_pcalloc(pool, sizeof(void *) * ngx_http_max_module);
    r->variables = ngx_pcalloc(pool, cmcf->variables.nelts
                                     * sizeof(ngx_http_variable_value_t));

    if (r->ctx == NULL || r->variables == NULL) {
        return NULL;
    }

    return r;
}
