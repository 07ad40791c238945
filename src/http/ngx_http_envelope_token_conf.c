
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_token_conf.h"

#include <openssl/err.h>
#include <openssl/x509.h>


#define NGX_HTTP_ENVELOPE_TOKEN_REFRESH      60000
#define NGX_HTTP_ENVELOPE_TOKEN_TIMEOUT      5000


static ngx_http_envelope_token_t *ngx_http_envelope_token_create(
    ngx_conf_t *cf, ngx_http_envelope_profile_t *profile);
static ngx_int_t ngx_http_envelope_token_texts(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile,
    ngx_http_envelope_token_texts_t *texts);
static char *ngx_http_envelope_token_command(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static ngx_int_t ngx_http_envelope_token_complete(ngx_conf_t *cf,
    ngx_http_envelope_token_block_t *block, ngx_envelope_reason_t *reason);

static ngx_int_t ngx_http_envelope_token_identify(
    ngx_http_envelope_token_t *token, ngx_envelope_reason_t *reason);
static void ngx_http_envelope_token_cleanup(void *data);


/* these are written by libcurl, as they must be for the body there is */

static ngx_str_t  ngx_http_envelope_token_framing[] = {
    ngx_string("Content-Length"),
    ngx_string("Transfer-Encoding"),
    ngx_string("Expect"),
    ngx_string("Connection"),
    ngx_null_string
};


char *
ngx_http_envelope_token_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                             *rv;
    ngx_int_t                         rc;
    ngx_conf_t                        save;
    ngx_envelope_reason_t             reason;
    ngx_http_envelope_profile_t      *profile;
    ngx_http_envelope_main_conf_t    *emcf;
    ngx_http_envelope_token_block_t   block;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_envelope_module);

    profile = emcf->current;

    if (profile->token) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "envelope_profile \"%V\": duplicate \"token\" "
                           "block, the first one is in %V:%ui",
                           &profile->name, &profile->token->place.file,
                           profile->token->place.line);
        return NGX_CONF_ERROR;
    }

    block.seen = 0;
    block.token = ngx_http_envelope_token_create(cf, profile);

    if (block.token == NULL) {
        return NGX_CONF_ERROR;
    }

    save = *cf;
    cf->handler = ngx_http_envelope_token_command;
    cf->handler_conf = (void *) &block;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    (void) ngx_envelope_failed(&reason, "out of memory");

    rc = ngx_http_envelope_token_complete(cf, &block, &reason);

    if (rc != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "envelope_profile \"%V\": token: %*s",
                           &profile->name, reason.len, reason.data);
        return NGX_CONF_ERROR;
    }

    profile->token = block.token;

    return NGX_CONF_OK;
}


static ngx_http_envelope_token_t *
ngx_http_envelope_token_create(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_envelope_token_t  *token;

    token = ngx_pcalloc(cf->pool, sizeof(ngx_http_envelope_token_t));
    if (token == NULL) {
        return NULL;
    }

    token->profile = profile;
    token->http = cf->ctx;
    token->refresh = NGX_HTTP_ENVELOPE_TOKEN_REFRESH;
    token->timeout = NGX_HTTP_ENVELOPE_TOKEN_TIMEOUT;

    ngx_http_envelope_place(cf, &token->place);

    token->local = ngx_pcalloc(cf->pool,
                               sizeof(ngx_http_envelope_token_local_t));
    if (token->local == NULL) {
        return NULL;
    }

    ngx_queue_init(&token->local->waiters);

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_envelope_token_cleanup;
    cln->data = token;

    if (ngx_array_init(&token->headers, cf->pool, 4,
                       sizeof(ngx_http_envelope_token_header_t))
        != NGX_OK
        || ngx_array_init(&token->sends, cf->pool, 1,
                          sizeof(ngx_http_envelope_token_header_t))
           != NGX_OK
        || ngx_http_envelope_token_texts(cf, profile, &token->fetch) != NGX_OK
        || ngx_http_envelope_token_texts(cf, profile, &token->call) != NGX_OK)
    {
        return NULL;
    }

    token->digest = EVP_MD_CTX_new();

    if (token->digest == NULL
        || EVP_DigestInit_ex(token->digest, EVP_sha256(), NULL) != 1)
    {
        ERR_clear_error();
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "EVP_DigestInit_ex() failed");
        return NULL;
    }

    ngx_http_envelope_token_digest(token, &profile->name);

    return token;
}


static ngx_int_t
ngx_http_envelope_token_texts(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile,
    ngx_http_envelope_token_texts_t *texts)
{
    texts->format = ngx_envelope_format_create(cf->pool, profile->profile,
                                               NGX_ENVELOPE_REQUEST);
    if (texts->format == NULL) {
        return NGX_ERROR;
    }

    return ngx_array_init(&texts->values, cf->pool, 4,
                          sizeof(ngx_http_complex_value_t));
}


/* words may hold a literal secret: only a statement's name is repeated */

static char *
ngx_http_envelope_token_command(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf)
{
    ngx_http_envelope_token_block_t *block = conf;

    ngx_str_t              *value;
    ngx_envelope_reason_t   reason;

    value = cf->args->elts;

    if (ngx_strcmp(value[0].data, "include") == 0) {

        if (cf->args->nelts != 2) {
            return "invalid number of arguments in \"include\" directive";
        }

        return ngx_conf_include(cf, dummy, conf);
    }

    (void) ngx_envelope_failed(&reason, "out of memory");

    if (ngx_http_envelope_token_dispatch(cf, block, &reason) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "envelope_profile \"%V\": token: \"%V\": %*s",
                           &block->token->profile->name, &value[0],
                           reason.len, reason.data);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_envelope_token_complete(ngx_conf_t *cf,
    ngx_http_envelope_token_block_t *block, ngx_envelope_reason_t *reason)
{
    ngx_str_t                   name, text;
    ngx_http_envelope_token_t  *token;

    token = block->token;

    if (token->url.text.len == 0) {
        return ngx_envelope_declined(reason, "there is no \"url\"");
    }

    if (token->value.text.len == 0) {
        return ngx_envelope_declined(reason, "there is no \"value\", the "
                              "JSON pointer to the token in the answer");
    }

    if (token->expires.text.len == 0 && token->lifetime == 0) {
        return ngx_envelope_declined(reason, "there is no \"expires_at\", "
                              "\"expires_in\" or \"lifetime\"");
    }

    if (token->method.len == 0) {

        if (token->body_set) {
            ngx_str_set(&token->method, "POST");

        } else {
            ngx_str_set(&token->method, "GET");
        }
    }

    if (token->send_set) {
        return NGX_OK;
    }

    ngx_str_set(&name, "Authorization");
    ngx_str_set(&text, "Bearer $envelope_token");

    return ngx_http_envelope_token_add_header(cf, &token->call, &token->sends,
                                              &name, &text, reason);
}


/* only variables and secrets: there is no message to address */

ngx_int_t
ngx_http_envelope_token_template(ngx_conf_t *cf,
    ngx_http_envelope_token_texts_t *texts, ngx_envelope_template_t *template,
    ngx_str_t *text, ngx_envelope_reason_t *reason)
{
    ngx_int_t              rc;
    ngx_uint_t             i;
    ngx_envelope_piece_t  *piece;

    rc = ngx_envelope_template_parse(template, texts->format, text, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    piece = template->pieces.elts;

    for (i = 0; i < template->pieces.nelts; i++) {

        if (piece[i].kind != NGX_ENVELOPE_PIECE_TEXT
            && piece[i].kind != NGX_ENVELOPE_PIECE_VALUE
            && piece[i].kind != NGX_ENVELOPE_PIECE_SECRET)
        {
            return ngx_envelope_declined(reason, "of \"<..>\" only "
                              "<secret:NAME> can stand here, a literal \"<\" "
                              "is written \"<<\"");
        }
    }

    return ngx_http_envelope_token_compile(cf, texts, reason);
}


ngx_int_t
ngx_http_envelope_token_compile(ngx_conf_t *cf,
    ngx_http_envelope_token_texts_t *texts, ngx_envelope_reason_t *reason)
{
    ngx_str_t                         *text;
    ngx_http_complex_value_t          *value;
    ngx_http_compile_complex_value_t   ccv;

    text = texts->format->values.elts;

    while (texts->values.nelts < texts->format->values.nelts) {

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &text[texts->values.nelts];

        value = ngx_array_push(&texts->values);
        if (value == NULL) {
            return NGX_ERROR;
        }

        ccv.complex_value = value;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return ngx_envelope_declined(reason, "the variables in it cannot "
                                         "be compiled");
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_envelope_token_add_header(ngx_conf_t *cf,
    ngx_http_envelope_token_texts_t *texts, ngx_array_t *headers,
    ngx_str_t *name, ngx_str_t *text, ngx_envelope_reason_t *reason)
{
    size_t                             i;
    u_char                             c;
    ngx_str_t                         *framing;
    ngx_http_envelope_token_header_t  *header;

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (c <= ' ' || c >= 0x7f || ngx_strchr("\"(),/:;<=>?@[\\]{}", c)) {
            break;
        }
    }

    if (name->len == 0 || i < name->len) {
        return ngx_envelope_declined(reason, "\"%V\" is no name of a header",
                                     name);
    }

    for (framing = ngx_http_envelope_token_framing; framing->len; framing++) {
        if (framing->len == name->len
            && ngx_strncasecmp(framing->data, name->data, name->len) == 0)
        {
            return ngx_envelope_declined(reason, "\"%V\" cannot be set", name);
        }
    }

    if (headers->nelts == NGX_HTTP_ENVELOPE_TOKEN_HEADERS_MAX) {
        return ngx_envelope_declined(reason, "more than %d headers",
                                     NGX_HTTP_ENVELOPE_TOKEN_HEADERS_MAX);
    }

    header = ngx_array_push(headers);
    if (header == NULL) {
        return NGX_ERROR;
    }

    header->name.len = name->len;
    header->name.data = ngx_pnalloc(cf->pool, name->len + 1);
    if (header->name.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(header->name.data, name->data, name->len + 1);

    return ngx_http_envelope_token_template(cf, texts, &header->value, text,
                                            reason);
}


ngx_int_t
ngx_http_envelope_token_link(ngx_conf_t *cf, ngx_http_envelope_token_t *token)
{
    ngx_int_t                          rc;
    ngx_str_t                          label, file;
    ngx_uint_t                         i, line;
    ngx_envelope_reason_t              reason;
    ngx_envelope_statement_t          *st;
    ngx_http_envelope_token_header_t  *header;

    st = NULL;
    (void) ngx_envelope_failed(&reason, "out of memory");

    rc = ngx_envelope_format_link(token->fetch.format, &st, &reason);

    if (rc == NGX_OK) {
        rc = ngx_envelope_format_check(token->fetch.format, NGX_ENVELOPE_SEAL,
                                       &st, &reason);
    }

    if (rc != NGX_OK) {
        goto failed;
    }

    ngx_str_set(&label, "url");

    rc = ngx_envelope_template_link(&token->url, token->fetch.format,
                                    &reason);
    if (rc != NGX_OK) {
        goto failed;
    }

    ngx_str_set(&label, "body");

    rc = ngx_envelope_template_link(&token->body, token->fetch.format,
                                    &reason);
    if (rc != NGX_OK) {
        goto failed;
    }

    header = token->headers.elts;
    ngx_str_set(&label, "header");

    for (i = 0; i < token->headers.nelts; i++) {
        rc = ngx_envelope_template_link(&header[i].value, token->fetch.format,
                                        &reason);
        if (rc != NGX_OK) {
            goto failed;
        }
    }

    header = token->sends.elts;
    ngx_str_set(&label, "send");

    for (i = 0; i < token->sends.nelts; i++) {
        rc = ngx_envelope_template_link(&header[i].value, token->call.format,
                                        &reason);
        if (rc != NGX_OK) {
            goto failed;
        }
    }

    ngx_str_null(&label);

    rc = ngx_http_envelope_token_identify(token, &reason);
    if (rc == NGX_OK) {
        return NGX_OK;
    }

failed:

    file = token->place.file;
    line = token->place.line;

    if (st) {
        ngx_envelope_statement_where(st, &label, &file, &line);
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "envelope_profile \"%V\": token: \"%V\": %*s in %V:%ui",
                  &token->profile->name, &label, reason.len, reason.data,
                  &file, line);

    return NGX_ERROR;
}


void
ngx_http_envelope_token_digest(ngx_http_envelope_token_t *token,
    ngx_str_t *text)
{
    (void) EVP_DigestUpdate(token->digest, &text->len, sizeof(size_t));
    (void) EVP_DigestUpdate(token->digest, text->data, text->len);
}


/* with the secrets and keys in use: a changed one is a changed token */

static ngx_int_t
ngx_http_envelope_token_identify(ngx_http_envelope_token_t *token,
    ngx_envelope_reason_t *reason)
{
    int                           len;
    u_char                       *der;
    ngx_str_t                     text;
    ngx_uint_t                    i;
    ngx_envelope_key_t           *key;
    ngx_envelope_ring_t         **rings;
    ngx_envelope_shared_secret_t  *secret;

    rings = token->fetch.format->rings.elts;

    for (i = 0; i < token->fetch.format->rings.nelts; i++) {

        if (rings[i]->is_secret) {
            secret = rings[i]->secrets.elts;
            ngx_http_envelope_token_digest(token, &secret->value);
            continue;
        }

        key = rings[i]->keys.elts;
        der = NULL;

        len = i2d_PUBKEY(key->pkey, &der);
        if (len <= 0) {
            ERR_clear_error();
            return ngx_envelope_failed(reason, "i2d_PUBKEY() failed");
        }

        text.data = der;
        text.len = len;

        ngx_http_envelope_token_digest(token, &text);

        OPENSSL_free(der);
    }

    if (EVP_DigestFinal_ex(token->digest, token->id, NULL) != 1) {
        ERR_clear_error();
        return ngx_envelope_failed(reason, "EVP_DigestFinal_ex() failed");
    }

    EVP_MD_CTX_free(token->digest);
    token->digest = NULL;

    return NGX_OK;
}


/* what the process has made of it must not outlive the configuration */

static void
ngx_http_envelope_token_cleanup(void *data)
{
    ngx_http_envelope_token_t *token = data;

    EVP_MD_CTX_free(token->digest);

    ngx_http_envelope_token_abort(token);

    if (token->local->poll.timer_set) {
        ngx_del_timer(&token->local->poll);
    }

    if (token->local->renew.timer_set) {
        ngx_del_timer(&token->local->renew);
    }
}
