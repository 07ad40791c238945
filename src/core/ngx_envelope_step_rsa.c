
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"


/* the steps rsa-pkcs1, rsa-oaep and rsa-private */


static ngx_int_t ngx_envelope_rsa_step_parse(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_rsa_step_link(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_rsa_step_check(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_rsa_step_seal(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_str_t *in, ngx_str_t *out);
static ngx_int_t ngx_envelope_rsa_step_open(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_str_t *in, ngx_str_t *out);
static ngx_int_t ngx_envelope_rsa_step_count(ngx_envelope_run_t *run,
    size_t len);
static ngx_int_t ngx_envelope_rsa_step_keys(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason);


const ngx_envelope_step_def_t  ngx_envelope_rsa_pkcs1_step = {
    ngx_string("rsa-pkcs1"),
    NGX_ENVELOPE_MAKES_BYTES,
    NGX_ENVELOPE_RSA_PKCS1,
    ngx_envelope_rsa_step_parse,
    ngx_envelope_rsa_step_link,
    ngx_envelope_rsa_step_check,
    ngx_envelope_rsa_step_seal,
    ngx_envelope_rsa_step_open
};


const ngx_envelope_step_def_t  ngx_envelope_rsa_oaep_step = {
    ngx_string("rsa-oaep"),
    NGX_ENVELOPE_MAKES_BYTES,
    NGX_ENVELOPE_RSA_OAEP,
    ngx_envelope_rsa_step_parse,
    ngx_envelope_rsa_step_link,
    ngx_envelope_rsa_step_check,
    ngx_envelope_rsa_step_seal,
    ngx_envelope_rsa_step_open
};


const ngx_envelope_step_def_t  ngx_envelope_rsa_private_step = {
    ngx_string("rsa-private"),
    NGX_ENVELOPE_MAKES_BYTES,
    NGX_ENVELOPE_RSA_PRIVATE,
    ngx_envelope_rsa_step_parse,
    ngx_envelope_rsa_step_link,
    ngx_envelope_rsa_step_check,
    ngx_envelope_rsa_step_seal,
    ngx_envelope_rsa_step_open
};


static ngx_int_t
ngx_envelope_rsa_step_parse(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t   rc;
    ngx_str_t   hash, mgf1, label, key;

    ngx_str_null(&hash);
    ngx_str_null(&mgf1);
    ngx_str_null(&label);
    ngx_str_null(&key);

    step->rsa.padding = step->def->padding;

    for ( ;; ) {

        if (ngx_envelope_word_param(words, "key", &key)) {
            continue;
        }

        if (step->rsa.padding == NGX_ENVELOPE_RSA_OAEP
            && (ngx_envelope_word_param(words, "hash", &hash)
                || ngx_envelope_word_param(words, "mgf1", &mgf1)
                || ngx_envelope_word_param(words, "label", &label)))
        {
            continue;
        }

        break;
    }

    if (key.len == 0) {
        return ngx_envelope_declined(reason, "%V needs key=NAME",
                                     &step->name);
    }

    if (ngx_envelope_copy(format->pool, &step->key.text, &key) != NGX_OK
        || ngx_envelope_copy(format->pool, &step->rsa.label, &label)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (step->rsa.padding != NGX_ENVELOPE_RSA_OAEP) {
        return NGX_OK;
    }

    rc = ngx_envelope_rsa_init(&step->rsa, format->pool, &hash, &mgf1,
                               reason);
    if (rc != NGX_OK) {
        ngx_envelope_reason_prepend(reason, "%V: ", &step->name);
    }

    return rc;
}


static ngx_int_t
ngx_envelope_rsa_step_link(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;

    rc = ngx_envelope_ref_link(format, &step->key, 0, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_envelope_rsa_step_keys(format, step, NULL, reason);
}


static ngx_int_t
ngx_envelope_rsa_step_check(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason)
{
    return ngx_envelope_rsa_step_keys(format, step, check, reason);
}


/*
 * Whether all of them are what the step takes; with a direction, that they
 * can do it: the first key seals, any of them may have to open.
 */

static ngx_int_t
ngx_envelope_rsa_step_keys(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t              rc;
    ngx_uint_t             i, n, seal;
    ngx_envelope_key_t    *keys;
    ngx_envelope_ring_t  **rings;

    rings = format->rings.elts;
    keys = rings[step->key.index]->keys.elts;

    seal = (check && check->direction == NGX_ENVELOPE_SEAL);
    n = seal ? 1 : rings[step->key.index]->keys.nelts;

    for (i = 0; i < n; i++) {

        rc = check ? ngx_envelope_rsa_prepare(&step->rsa, &keys[i], seal,
                                              format->pool, reason)
                   : ngx_envelope_rsa_check(&step->rsa, &keys[i], 0, reason);
        if (rc != NGX_OK) {
            ngx_envelope_reason_prepend(reason, "key \"%V\": ",
                                        &step->key.text);
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_rsa_step_seal(ngx_envelope_run_t *run, ngx_envelope_step_t *step,
    ngx_str_t *in, ngx_str_t *out)
{
    ngx_int_t  rc;

    rc = ngx_envelope_rsa_seal(&step->rsa,
                               ngx_envelope_run_key(run, &step->key),
                               run->pool, run->input->env, in, out,
                               run->reason);

    return (rc == NGX_OK) ? ngx_envelope_rsa_step_count(run, out->len) : rc;
}


static ngx_int_t
ngx_envelope_rsa_step_open(ngx_envelope_run_t *run, ngx_envelope_step_t *step,
    ngx_str_t *in, ngx_str_t *out)
{
    ngx_int_t  rc;

    rc = ngx_envelope_rsa_step_count(run, in->len);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_envelope_rsa_open(&step->rsa,
                                 ngx_envelope_run_key(run, &step->key),
                                 run->pool, run->input->env->each, in, out,
                                 run->reason);
}


/* what bounds one value bounds all the values of a "*" together, too */

static ngx_int_t
ngx_envelope_rsa_step_count(ngx_envelope_run_t *run, size_t len)
{
    if (len > NGX_ENVELOPE_RSA_TEXT_MAX
        || run->rsa + len > NGX_ENVELOPE_RSA_TEXT_MAX)
    {
        return ngx_envelope_declined(run->reason, "more than %d bytes of RSA "
                                     "ciphertext in one message",
                                     NGX_ENVELOPE_RSA_TEXT_MAX);
    }

    run->rsa += len;

    return NGX_OK;
}
