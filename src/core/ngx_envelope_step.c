
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"


static ngx_int_t ngx_envelope_step_parse(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason);
static const ngx_envelope_step_def_t *ngx_envelope_step_find(
    ngx_str_t *name);
static ngx_int_t ngx_envelope_step_failed(ngx_envelope_run_t *run,
    ngx_envelope_step_t *step, ngx_int_t rc);
static ngx_uint_t ngx_envelope_step_keyed(ngx_envelope_step_t *step);


static const ngx_envelope_step_def_t  *ngx_envelope_step_defs[] = {
    &ngx_envelope_base64_step,
    &ngx_envelope_base64url_step,
    &ngx_envelope_hex_step,
    &ngx_envelope_prefix_step,
    &ngx_envelope_rsa_pkcs1_step,
    &ngx_envelope_rsa_oaep_step,
    &ngx_envelope_rsa_private_step,
    NULL
};


ngx_int_t
ngx_envelope_steps_parse(ngx_envelope_format_t *format,
    ngx_envelope_steps_t *steps, ngx_envelope_words_t *words, ngx_uint_t text,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t             rc;
    ngx_str_t            *word;
    ngx_envelope_step_t  *step;

    if (ngx_array_init(&steps->elts, format->pool, 4,
                       sizeof(ngx_envelope_step_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    while ((word = ngx_envelope_word(words)) != NULL) {

        if (word->len && (word->data[word->len - 1] == '"'
                          || word->data[word->len - 1] == '\''))
        {
            return ngx_envelope_declined(reason, "unexpected \"%V\", quotes "
                                         "go around the whole word: "
                                         "\"over=..\"", word);
        }

        if (!ngx_envelope_is(word, "|")) {
            return ngx_envelope_declined(reason, "unexpected \"%V\", steps "
                                         "are separated by \"|\"", word);
        }

        if (steps->elts.nelts == NGX_ENVELOPE_STEPS_MAX) {
            return ngx_envelope_declined(reason, "more than %d steps",
                                         NGX_ENVELOPE_STEPS_MAX);
        }

        step = ngx_array_push(&steps->elts);
        if (step == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(step, sizeof(ngx_envelope_step_t));

        rc = ngx_envelope_step_parse(format, step, words, reason);
        if (rc != NGX_OK) {
            return rc;
        }

        if (step->def == &ngx_envelope_rsa_pkcs1_step) {
            steps->pkcs1 = 1;
        }

        if (step->def->makes != NGX_ENVELOPE_MAKES_SAME) {
            text = (step->def->makes == NGX_ENVELOPE_MAKES_TEXT);
        }
    }

    if (!text) {
        return ngx_envelope_declined(reason, "the last step makes bytes that "
                                     "no text can hold, add \"| base64\" or "
                                     "\"| hex\"");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_step_parse(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t   rc;
    ngx_str_t  *word;

    word = ngx_envelope_word(words);

    if (word == NULL || ngx_envelope_is(word, "|")) {
        return ngx_envelope_declined(reason, "a step is missing after \"|\"");
    }

    step->def = ngx_envelope_step_find(word);

    if (step->def == NULL) {
        return ngx_envelope_declined(reason, "unknown step \"%V\", there "
                                     "are: base64, base64url, hex, prefix, "
                                     "rsa-pkcs1, rsa-oaep, rsa-private, "
                                     "aes-128-ecb .. aes-256-gcm", word);
    }

    if (step->def == &ngx_envelope_aes_step) {
        rc = ngx_envelope_cipher_init(&step->cipher, format->pool, word,
                                      reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ngx_envelope_copy(format->pool, &step->name, word) != NGX_OK) {
        return NGX_ERROR;
    }

    return step->def->parse ? step->def->parse(format, step, words, reason)
                            : NGX_OK;
}


static const ngx_envelope_step_def_t *
ngx_envelope_step_find(ngx_str_t *name)
{
    ngx_uint_t                       i;
    const ngx_envelope_step_def_t  **def;

    for (def = ngx_envelope_step_defs; *def; def++) {

        if (ngx_envelope_str_equal((ngx_str_t *) &(*def)->name, name)) {
            return *def;
        }
    }

    /* the rest of the name says which AES it is */

    i = ngx_envelope_aes_step.name.len;

    if (name->len > i
        && ngx_strncmp(name->data, ngx_envelope_aes_step.name.data, i) == 0)
    {
        return &ngx_envelope_aes_step;
    }

    return NULL;
}


ngx_int_t
ngx_envelope_steps_link(ngx_envelope_format_t *format,
    ngx_envelope_steps_t *steps, ngx_envelope_reason_t *reason)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_envelope_step_t  *step;

    step = steps->elts.elts;

    for (i = 0; i < steps->elts.nelts; i++) {

        if (step[i].def->link == NULL) {
            continue;
        }

        rc = step[i].def->link(format, &step[i], reason);

        if (rc != NGX_OK) {
            ngx_envelope_reason_prepend(reason, "%V: ", &step[i].name);
            return rc;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_envelope_steps_check(ngx_envelope_format_t *format,
    ngx_envelope_steps_t *steps, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_envelope_step_t  *step;

    step = steps->elts.elts;

    for (i = 0; i < steps->elts.nelts; i++) {

        if (step[i].def->check == NULL) {
            continue;
        }

        rc = step[i].def->check(format, &step[i], check, reason);

        if (rc != NGX_OK) {
            ngx_envelope_reason_prepend(reason, "%V: ", &step[i].name);
            return rc;
        }
    }

    return NGX_OK;
}


/* AES-GCM under a shared secret proves that its holder made the message */

ngx_uint_t
ngx_envelope_steps_authentic(ngx_envelope_steps_t *steps)
{
    ngx_uint_t            i;
    ngx_envelope_step_t  *step;

    step = steps->elts.elts;

    for (i = 0; i < steps->elts.nelts; i++) {

        if (step[i].def == &ngx_envelope_aes_step
            && step[i].cipher.mode == NGX_ENVELOPE_CIPHER_GCM
            && step[i].key.kind == NGX_ENVELOPE_REF_RING)
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_envelope_steps_seal(ngx_envelope_run_t *run, ngx_envelope_steps_t *steps,
    ngx_str_t *text)
{
    ngx_int_t             rc;
    ngx_str_t             in;
    ngx_uint_t            i;
    ngx_envelope_step_t  *step;

    step = steps->elts.elts;

    for (i = 0; i < steps->elts.nelts; i++) {
        in = *text;

        rc = step[i].def->seal(run, &step[i], &in, text);

        if (rc != NGX_OK) {
            return ngx_envelope_step_failed(run, &step[i], rc);
        }

        run->wire |= ngx_envelope_step_keyed(&step[i]);
    }

    return NGX_OK;
}


ngx_int_t
ngx_envelope_steps_quote(ngx_envelope_run_t *run, ngx_envelope_steps_t *steps,
    ngx_str_t *text, ngx_str_t *string)
{
    ngx_uint_t            n;
    ngx_envelope_step_t  *step;

    step = steps->elts.elts;
    n = steps->elts.nelts;

    if (n == 0 || step[n - 1].def->makes != NGX_ENVELOPE_MAKES_TEXT) {
        return ngx_envelope_json_encode(run->pool, text, string, run->reason);
    }

    string->data = text->data - 1;
    string->len = 1 + text->len + 1;

    string->data[0] = '"';
    string->data[string->len - 1] = '"';

    return NGX_OK;
}


ngx_int_t
ngx_envelope_steps_write(ngx_envelope_run_t *run, ngx_envelope_steps_t *steps,
    ngx_envelope_address_t *address, ngx_str_t *text)
{
    ngx_int_t  rc;
    ngx_str_t  quoted;

    if (address->kind != NGX_ENVELOPE_ADDRESS_MEMBER) {
        return ngx_envelope_run_write(run, address, text);
    }

    rc = ngx_envelope_steps_quote(run, steps, text, &quoted);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_envelope_run_write_quoted(run, address, text, &quoted);
}


/*
 * Behind a key nothing is told of what was recovered, not even how long it
 * was: for who sends one message after the other that would be an oracle.
 */


ngx_int_t
ngx_envelope_steps_open(ngx_envelope_run_t *run, ngx_envelope_steps_t *steps,
    ngx_str_t *text)
{
    ngx_int_t             rc;
    ngx_str_t             in;
    ngx_uint_t            i, keyed;
    ngx_envelope_step_t  *step;

    keyed = 0;
    step = steps->elts.elts;

    for (i = steps->elts.nelts; i-- > 0; /* void */ ) {
        in = *text;

        rc = step[i].def->open(run, &step[i], &in, text);

        if (rc == NGX_DECLINED && keyed) {
            ngx_envelope_declined(run->reason, "what was recovered is not "
                                  "of this kind");
        }

        if (rc != NGX_OK) {
            return ngx_envelope_step_failed(run, &step[i], rc);
        }

        if (ngx_envelope_step_keyed(&step[i])) {
            keyed = 1;
            run->wire = 0;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_step_failed(ngx_envelope_run_t *run, ngx_envelope_step_t *step,
    ngx_int_t rc)
{
    if (run->reason->len == 0) {
        ngx_envelope_failed(run->reason, "out of memory");
    }

    /* some say it themselves */

    if (run->reason->len < step->name.len
        || ngx_strncmp(run->reason->data, step->name.data, step->name.len)
           != 0)
    {
        ngx_envelope_reason_prepend(run->reason, "%V: ", &step->name);
    }

    return rc;
}


static ngx_uint_t
ngx_envelope_step_keyed(ngx_envelope_step_t *step)
{
    return step->key.kind != NGX_ENVELOPE_REF_NONE;
}


ngx_envelope_step_t *
ngx_envelope_steps_gcm(ngx_envelope_steps_t *steps)
{
    ngx_uint_t            i;
    ngx_envelope_step_t  *step;

    step = steps->elts.elts;

    for (i = 0; i < steps->elts.nelts; i++) {

        if (step[i].def == &ngx_envelope_aes_step
            && step[i].cipher.mode == NGX_ENVELOPE_CIPHER_GCM)
        {
            return &step[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_envelope_steps_keyed(ngx_envelope_steps_t *steps)
{
    ngx_uint_t            i;
    ngx_envelope_step_t  *step;

    step = steps->elts.elts;

    for (i = 0; i < steps->elts.nelts; i++) {
        if (ngx_envelope_step_keyed(&step[i])) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_envelope_steps_shape(ngx_envelope_run_t *run, ngx_envelope_steps_t *steps)
{
    ngx_int_t             rc;
    ngx_str_t             text;
    ngx_uint_t            i;
    ngx_envelope_step_t  *step;

    step = steps->elts.elts;

    for (i = 0; i < steps->elts.nelts; i++) {

        if (step[i].iv.kind == NGX_ENVELOPE_REF_ADDRESS
            && !step[i].iv.address->inner)
        {
            rc = ngx_envelope_run_read(run, step[i].iv.address, &text);
            if (rc != NGX_OK) {
                return rc;
            }
        }

        if (step[i].aad) {
            rc = ngx_envelope_run_template_shape(run, step[i].aad);
            if (rc != NGX_OK) {
                return rc;
            }
        }
    }

    return NGX_OK;
}
