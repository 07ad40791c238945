
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"
#include "ngx_envelope_codec.h"


/* the steps aes-128-ecb .. aes-256-gcm */


static ngx_int_t ngx_envelope_aes_parse(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_aes_parse_iv(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_str_t *iv, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_aes_parse_aad(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_str_t *aad,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_aes_link(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_aes_length(ngx_envelope_format_t *format,
    ngx_envelope_ref_t *ref, size_t min, size_t max, const char *what,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_aes_check(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_aes_seal(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_str_t *in, ngx_str_t *out);
static ngx_int_t ngx_envelope_aes_open(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_str_t *in, ngx_str_t *out);
static ngx_int_t ngx_envelope_aes_inputs(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_str_t *key, ngx_str_t *iv,
    ngx_str_t *aad);


const ngx_envelope_step_def_t  ngx_envelope_aes_step = {
    ngx_string("aes-"),
    NGX_ENVELOPE_MAKES_BYTES,
    0,
    ngx_envelope_aes_parse,
    ngx_envelope_aes_link,
    ngx_envelope_aes_check,
    ngx_envelope_aes_seal,
    ngx_envelope_aes_open
};


/* of "iv=prefix", and of the IVs a mode takes at all */

#define ngx_envelope_aes_iv_len(step)                                         \
    ((step)->cipher.mode == NGX_ENVELOPE_CIPHER_GCM                           \
     ? NGX_ENVELOPE_GCM_IV_LEN : NGX_ENVELOPE_BLOCK_LEN)

#define ngx_envelope_aes_iv_min(step)                                         \
    ((step)->cipher.mode == NGX_ENVELOPE_CIPHER_GCM                           \
     ? 1 : NGX_ENVELOPE_BLOCK_LEN)

#define ngx_envelope_aes_iv_max(step)                                         \
    ((step)->cipher.mode == NGX_ENVELOPE_CIPHER_GCM                           \
     ? NGX_ENVELOPE_GCM_IV_MAX : NGX_ENVELOPE_BLOCK_LEN)


static ngx_int_t
ngx_envelope_aes_parse(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;
    ngx_str_t  key, iv, aad;

    ngx_str_null(&key);
    ngx_str_null(&iv);
    ngx_str_null(&aad);

    while (ngx_envelope_word_param(words, "key", &key)
           || ngx_envelope_word_param(words, "iv", &iv)
           || ngx_envelope_word_param(words, "aad", &aad))
    {
        /* void */
    }

    if (key.len == 0) {
        return ngx_envelope_declined(reason, "%V needs key=NAME",
                                     &step->name);
    }

    if (ngx_envelope_copy(format->pool, &step->key.text, &key) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_envelope_aes_parse_iv(format, step, &iv, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    return aad.data ? ngx_envelope_aes_parse_aad(format, step, &aad, reason)
                    : NGX_OK;
}


static ngx_int_t
ngx_envelope_aes_parse_iv(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_str_t *iv, ngx_envelope_reason_t *reason)
{
    ngx_int_t            rc;
    ngx_str_t            text;
    ngx_envelope_ref_t  *ref;

    if (step->cipher.mode == NGX_ENVELOPE_CIPHER_ECB) {

        if (iv->data) {
            return ngx_envelope_declined(reason, "%V takes no iv=",
                                         &step->name);
        }

        return NGX_OK;
    }

    if (iv->len == 0) {
        return ngx_envelope_declined(reason, "%V needs iv=NAME, iv=prefix, "
                                     "iv=hex:.. or iv=<ADDRESS>",
                                     &step->name);
    }

    ref = &step->iv;

    if (ngx_envelope_copy(format->pool, &ref->text, iv) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_envelope_is(iv, "prefix")) {
        ref->kind = NGX_ENVELOPE_REF_PREFIX;
        return NGX_OK;
    }

    if (iv->len > 2 && iv->data[0] == '<' && iv->data[iv->len - 1] == '>') {
        ref->kind = NGX_ENVELOPE_REF_ADDRESS;

        ref->address = ngx_palloc(format->pool,
                                  sizeof(ngx_envelope_address_t));
        if (ref->address == NULL) {
            return NGX_ERROR;
        }

        text.data = iv->data + 1;
        text.len = iv->len - 2;

        rc = ngx_envelope_format_address(format, ref->address, &text, reason);

        if (rc == NGX_OK && ref->address->many) {
            return ngx_envelope_declined(reason, "iv=%V is more than one "
                                         "value", iv);
        }

        return rc;
    }

    if (iv->len >= sizeof("hex:") - 1
        && ngx_strncmp(iv->data, "hex:", sizeof("hex:") - 1) == 0)
    {
        ref->kind = NGX_ENVELOPE_REF_CONSTANT;

        text.data = ref->text.data + sizeof("hex:") - 1;
        text.len = ref->text.len - (sizeof("hex:") - 1);

        rc = ngx_envelope_hex_decode(&text, &text, reason);
        if (rc != NGX_OK) {
            ngx_envelope_reason_prepend(reason, "iv=%V: ", iv);
            return rc;
        }

        ref->text = text;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_aes_parse_aad(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_str_t *aad, ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;

    if (step->cipher.mode != NGX_ENVELOPE_CIPHER_GCM) {
        return ngx_envelope_declined(reason, "%V takes no aad=",
                                     &step->name);
    }

    step->aad = ngx_pcalloc(format->pool, sizeof(ngx_envelope_template_t));
    if (step->aad == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_envelope_template_parse(step->aad, format, aad, reason);

    if (rc == NGX_OK && (step->aad->body || step->aad->sorted)) {
        return ngx_envelope_declined(reason, "aad= cannot hold %s, which "
                                     "this statement changes",
                                     step->aad->body ? "<body>"
                                                     : "<sorted>");
    }

    return rc;
}


static ngx_int_t
ngx_envelope_aes_link(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;

    rc = ngx_envelope_ref_link(format, &step->key, 1, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_envelope_aes_length(format, &step->key, step->cipher.key_len,
                                 step->cipher.key_len, "key", reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (step->iv.kind == NGX_ENVELOPE_REF_NONE && step->iv.text.len) {
        rc = ngx_envelope_ref_link(format, &step->iv, 1, reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_envelope_aes_length(format, &step->iv,
                                 ngx_envelope_aes_iv_min(step),
                                 ngx_envelope_aes_iv_max(step), "iv", reason);
    if (rc != NGX_OK) {
        return rc;
    }

    return step->aad ? ngx_envelope_template_link(step->aad, format, reason)
                     : NGX_OK;
}


/* lengths that are known before there is a message */

static ngx_int_t
ngx_envelope_aes_length(ngx_envelope_format_t *format,
    ngx_envelope_ref_t *ref, size_t min, size_t max, const char *what,
    ngx_envelope_reason_t *reason)
{
    size_t                         len;
    ngx_uint_t                     i, n;
    ngx_envelope_ring_t          **rings;
    ngx_envelope_shared_secret_t  *secrets;

    n = 1;
    secrets = NULL;

    switch (ref->kind) {

    case NGX_ENVELOPE_REF_RING:
        rings = format->rings.elts;
        secrets = rings[ref->index]->secrets.elts;
        n = rings[ref->index]->secrets.nelts;
        break;

    case NGX_ENVELOPE_REF_RANDOM:
    case NGX_ENVELOPE_REF_CONSTANT:
        break;

    default:
        return NGX_OK;
    }

    for (i = 0; i < n; i++) {

        len = secrets ? secrets[i].value.len
                      : (ref->kind == NGX_ENVELOPE_REF_RANDOM
                         ? ref->len : ref->text.len);

        if (len < min || len > max) {

            if (min == max) {
                return ngx_envelope_declined(reason, "the %s has %uz bytes, "
                                             "%uz are needed", what, len,
                                             min);
            }

            return ngx_envelope_declined(reason, "the %s has %uz bytes, %uz "
                                         "to %uz are needed", what, len, min,
                                         max);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_aes_check(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;

    rc = ngx_envelope_ref_check(format, &step->key, check, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_envelope_ref_check(format, &step->iv, check, reason);
}


static ngx_int_t
ngx_envelope_aes_seal(ngx_envelope_run_t *run, ngx_envelope_step_t *step,
    ngx_str_t *in, ngx_str_t *out)
{
    u_char      prefix[NGX_ENVELOPE_BLOCK_LEN], *p;
    ngx_int_t   rc;
    ngx_str_t   key, iv, aad, text;

    rc = ngx_envelope_aes_inputs(run, step, &key, &iv, &aad);
    if (rc != NGX_OK) {
        return rc;
    }

    if (step->iv.kind != NGX_ENVELOPE_REF_PREFIX) {
        return ngx_envelope_cipher_seal(&step->cipher, run->pool, &key, &iv,
                                        &aad, in, out, run->reason);
    }

    iv.data = prefix;
    iv.len = ngx_envelope_aes_iv_len(step);

    if (run->input->env->random(run->input->env->data, iv.data, iv.len)
        != NGX_OK)
    {
        return ngx_envelope_failed(run->reason, "no random bytes");
    }

    rc = ngx_envelope_cipher_seal(&step->cipher, run->pool, &key, &iv, &aad,
                                  in, &text, run->reason);
    if (rc != NGX_OK) {
        return rc;
    }

    out->len = iv.len + text.len;
    out->data = ngx_pnalloc(run->pool, out->len);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(out->data, iv.data, iv.len);
    ngx_memcpy(p, text.data, text.len);

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_aes_open(ngx_envelope_run_t *run, ngx_envelope_step_t *step,
    ngx_str_t *in, ngx_str_t *out)
{
    ngx_int_t  rc;
    ngx_str_t  key, iv, aad, text;

    rc = ngx_envelope_aes_inputs(run, step, &key, &iv, &aad);
    if (rc != NGX_OK) {
        return rc;
    }

    text = *in;

    if (step->iv.kind == NGX_ENVELOPE_REF_PREFIX) {
        iv.len = ngx_envelope_aes_iv_len(step);
        iv.data = in->data;

        if (in->len < iv.len) {
            return ngx_envelope_declined(run->reason, "it is shorter than "
                                         "the iv in front of it");
        }

        text.data += iv.len;
        text.len -= iv.len;
    }

    return ngx_envelope_cipher_open(&step->cipher, run->pool, &key, &iv, &aad,
                                    &text, out, run->reason);
}


static ngx_int_t
ngx_envelope_aes_inputs(ngx_envelope_run_t *run, ngx_envelope_step_t *step,
    ngx_str_t *key, ngx_str_t *iv, ngx_str_t *aad)
{
    ngx_int_t   rc;
    ngx_str_t  *pieces;
    ngx_uint_t  n;

    ngx_str_null(iv);
    ngx_str_null(aad);

    rc = ngx_envelope_run_bytes(run, &step->key, key);
    if (rc != NGX_OK) {
        return rc;
    }

    if (step->iv.kind != NGX_ENVELOPE_REF_NONE
        && step->iv.kind != NGX_ENVELOPE_REF_PREFIX)
    {
        rc = ngx_envelope_run_bytes(run, &step->iv, iv);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (step->aad == NULL) {
        return NGX_OK;
    }

    rc = ngx_envelope_run_template(run, step->aad, NULL, &pieces, &n);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_envelope_run_join(run, pieces, n, aad);
}
