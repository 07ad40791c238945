
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"
#include "ngx_envelope_codec.h"
#include "ngx_envelope_secret.h"


/* the steps without a key: base64, base64url, hex, prefix */


static u_char *ngx_envelope_codec_alloc(ngx_envelope_run_t *run, size_t len);
static ngx_int_t ngx_envelope_codec_room(ngx_envelope_run_t *run,
    ngx_str_t *out, size_t len);
static ngx_int_t ngx_envelope_base64_seal(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_str_t *in, ngx_str_t *out);
static ngx_int_t ngx_envelope_base64_open(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_str_t *in, ngx_str_t *out);
static ngx_int_t ngx_envelope_base64url_seal(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_str_t *in, ngx_str_t *out);
static ngx_int_t ngx_envelope_base64url_open(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_str_t *in, ngx_str_t *out);
static ngx_int_t ngx_envelope_hex_seal(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_str_t *in, ngx_str_t *out);
static ngx_int_t ngx_envelope_hex_open(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_str_t *in, ngx_str_t *out);
static ngx_int_t ngx_envelope_prefix_parse(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_prefix_seal(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_str_t *in, ngx_str_t *out);
static ngx_int_t ngx_envelope_prefix_open(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_str_t *in, ngx_str_t *out);


const ngx_envelope_step_def_t  ngx_envelope_base64_step = {
    ngx_string("base64"),
    NGX_ENVELOPE_MAKES_TEXT,
    0,
    NULL,
    NULL,
    NULL,
    ngx_envelope_base64_seal,
    ngx_envelope_base64_open
};


const ngx_envelope_step_def_t  ngx_envelope_base64url_step = {
    ngx_string("base64url"),
    NGX_ENVELOPE_MAKES_TEXT,
    0,
    NULL,
    NULL,
    NULL,
    ngx_envelope_base64url_seal,
    ngx_envelope_base64url_open
};


const ngx_envelope_step_def_t  ngx_envelope_hex_step = {
    ngx_string("hex"),
    NGX_ENVELOPE_MAKES_TEXT,
    0,
    NULL,
    NULL,
    NULL,
    ngx_envelope_hex_seal,
    ngx_envelope_hex_open
};


const ngx_envelope_step_def_t  ngx_envelope_prefix_step = {
    ngx_string("prefix"),
    NGX_ENVELOPE_MAKES_SAME,
    0,
    ngx_envelope_prefix_parse,
    NULL,
    NULL,
    ngx_envelope_prefix_seal,
    ngx_envelope_prefix_open
};


static u_char *
ngx_envelope_codec_alloc(ngx_envelope_run_t *run, size_t len)
{
    if (run->wire) {
        return ngx_pnalloc(run->pool, len ? len : 1);
    }

    return ngx_envelope_secret_alloc(run->pool, len);
}


/* with a byte in front and one behind, see NGX_ENVELOPE_MAKES_TEXT */

static ngx_int_t
ngx_envelope_codec_room(ngx_envelope_run_t *run, ngx_str_t *out, size_t len)
{
    u_char  *p;

    p = ngx_envelope_codec_alloc(run, 1 + len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p + 1;
    out->len = len;

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_base64_seal(ngx_envelope_run_t *run, ngx_envelope_step_t *step,
    ngx_str_t *in, ngx_str_t *out)
{
    if (ngx_envelope_codec_room(run, out, ngx_envelope_base64_length(in->len))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_envelope_base64_encode(out, in);

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_base64_open(ngx_envelope_run_t *run, ngx_envelope_step_t *step,
    ngx_str_t *in, ngx_str_t *out)
{
    out->data = ngx_envelope_codec_alloc(run,
                                  ngx_envelope_base64_decoded_max(in->len));
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    return ngx_envelope_base64_decode(out, in, run->reason);
}


static ngx_int_t
ngx_envelope_base64url_seal(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_str_t *in, ngx_str_t *out)
{
    if (ngx_envelope_codec_room(run, out,
                                ngx_envelope_base64url_length(in->len))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_envelope_base64url_encode(out, in);

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_base64url_open(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_str_t *in, ngx_str_t *out)
{
    out->data = ngx_envelope_codec_alloc(run,
                               ngx_envelope_base64url_decoded_max(in->len));
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    return ngx_envelope_base64url_decode(out, in, run->reason);
}


static ngx_int_t
ngx_envelope_hex_seal(ngx_envelope_run_t *run, ngx_envelope_step_t *step,
    ngx_str_t *in, ngx_str_t *out)
{
    if (ngx_envelope_codec_room(run, out, ngx_envelope_hex_length(in->len))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_envelope_hex_encode(out, in);

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_hex_open(ngx_envelope_run_t *run, ngx_envelope_step_t *step,
    ngx_str_t *in, ngx_str_t *out)
{
    out->data = ngx_envelope_codec_alloc(run,
                                     ngx_envelope_hex_decoded_max(in->len));
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    return ngx_envelope_hex_decode(out, in, run->reason);
}


static ngx_int_t
ngx_envelope_prefix_parse(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason)
{
    ngx_str_t  *word;

    word = ngx_envelope_word(words);
    if (word == NULL || word->len == 0) {
        return ngx_envelope_declined(reason, "write: prefix TEXT");
    }

    return ngx_envelope_copy(format->pool, &step->text, word);
}


static ngx_int_t
ngx_envelope_prefix_seal(ngx_envelope_run_t *run, ngx_envelope_step_t *step,
    ngx_str_t *in, ngx_str_t *out)
{
    u_char  *p;

    out->len = step->text.len + in->len;
    out->data = ngx_envelope_codec_alloc(run, out->len);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(out->data, step->text.data, step->text.len);
    ngx_memcpy(p, in->data, in->len);

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_prefix_open(ngx_envelope_run_t *run, ngx_envelope_step_t *step,
    ngx_str_t *in, ngx_str_t *out)
{
    if (in->len < step->text.len
        || ngx_memcmp(in->data, step->text.data, step->text.len) != 0)
    {
        return ngx_envelope_declined(run->reason, "it does not begin with "
                                     "\"%V\"", &step->text);
    }

    out->data = in->data + step->text.len;
    out->len = in->len - step->text.len;

    return NGX_OK;
}
