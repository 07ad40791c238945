
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"


/*
 * "once": a value that has not come before.  What has come is not known here:
 * opening gives out what to look for and to remember.
 */


/* what a digest is made of */

#define NGX_ENVELOPE_ONCE_PIECES  9


static ngx_int_t ngx_envelope_once_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_once_link(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_once_shape(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_once_open(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_once_value(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *value);
static ngx_int_t ngx_envelope_once_digest(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *value, ngx_str_t *digest);


const ngx_envelope_statement_def_t  ngx_envelope_once_def = {
    ngx_string("once"),
    ngx_envelope_once_parse,
    ngx_envelope_once_link,
    NULL,
    ngx_envelope_once_shape,
    NULL,
    ngx_envelope_once_open
};


static ngx_int_t
ngx_envelope_once_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t               rc;
    ngx_str_t               full, sha256;
    ngx_envelope_window_t  *window;

    window = &st->u.window;

    rc = ngx_envelope_window_parse(format, st, words, "full", &full, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (full.data && ngx_envelope_is(&full, "accept")) {
        window->accept = 1;

    } else if (full.data && !ngx_envelope_is(&full, "reject")) {
        return ngx_envelope_declined(reason, "\"full=%V\" should be "
                                     "\"full=reject\" or \"full=accept\"",
                                     &full);
    }

    ngx_str_set(&sha256, "sha256");

    return ngx_envelope_alg_init(&window->alg, format->pool, &sha256, reason);
}


static ngx_int_t
ngx_envelope_once_link(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_reason_t *reason)
{
    ngx_envelope_statement_t  **sts;

    for (sts = format->statements.elts; *sts != st; sts++) {

        if ((*sts)->def == &ngx_envelope_once_def
            && ngx_envelope_order_same(*sts, st)
            && ngx_envelope_address_equal(&(*sts)->address, &st->address))
        {
            return ngx_envelope_declined(reason, "line %ui looks at that "
                                         "already", (*sts)->line);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_once_shape(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_str_t  value;

    return st->address.inner ? NGX_OK
                             : ngx_envelope_once_value(run, st, &value);
}


static ngx_int_t
ngx_envelope_once_open(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_int_t             rc;
    ngx_str_t             value, digest;
    ngx_envelope_once_t  *once;

    rc = ngx_envelope_once_value(run, st, &value);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_envelope_once_digest(run, st, &value, &digest);
    if (rc != NGX_OK) {
        return rc;
    }

    if (run->once->elts == NULL
        && ngx_array_init(run->once, run->pool, 2,
                          sizeof(ngx_envelope_once_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    once = ngx_array_push(run->once);
    if (once == NULL) {
        return NGX_ERROR;
    }

    once->statement = st;
    once->within = st->u.window.within;
    once->accept = st->u.window.accept;
    ngx_memcpy(once->digest, digest.data, NGX_ENVELOPE_ONCE_LEN);

    return NGX_OK;
}


/* all that have no value would be one and the same */

static ngx_int_t
ngx_envelope_once_value(ngx_envelope_run_t *run, ngx_envelope_statement_t *st,
    ngx_str_t *value)
{
    ngx_int_t  rc;

    rc = ngx_envelope_run_scalar(run, &st->address, 1, value);

    if (rc == NGX_OK && value->len == 0) {
        return ngx_envelope_declined(run->reason, "%V is empty",
                                     &st->address.text);
    }

    return rc;
}


/*
 * No name holds a NUL, so no two values of different things look alike.  Two
 * places may have one name, in the plain message and in the envelope.
 */

static ngx_int_t
ngx_envelope_once_digest(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *value, ngx_str_t *digest)
{
    ngx_str_t               nul, text[NGX_ENVELOPE_ONCE_PIECES];
    ngx_uint_t              n;
    ngx_envelope_format_t  *format;

    format = run->format;
    n = 0;

    nul.len = 1;
    nul.data = (u_char *) "";

    text[n++] = format->profile->name;
    text[n++] = nul;
    text[n++] = ngx_envelope_message_names[format->message];
    text[n++] = nul;
    text[n].len = 1;
    text[n++].data = (u_char *) (st->plain ? "p" : "e");
    text[n++] = nul;
    text[n++] = st->address.text;
    text[n++] = nul;
    text[n++] = *value;

    return ngx_envelope_alg_sign(&st->u.window.alg, NULL, NULL, run->pool,
                                 text, n, digest, run->reason);
}
