
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"


/* "sign" at configuration */


static ngx_int_t ngx_envelope_sign_params(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_sign_kid(ngx_envelope_format_t *format,
    ngx_envelope_sign_t *sign, ngx_str_t *kid,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_sign_except(ngx_envelope_format_t *format,
    ngx_envelope_sign_t *sign, ngx_str_t *names,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_sign_prepare_secrets(
    ngx_envelope_format_t *format, ngx_envelope_sign_t *sign,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_sign_check_keys(ngx_envelope_format_t *format,
    ngx_envelope_sign_t *sign, ngx_uint_t all, ngx_uint_t need_private,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_sign_check_ids(ngx_envelope_format_t *format,
    ngx_envelope_sign_t *sign, ngx_uint_t seal,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_sign_check_final(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason);


ngx_int_t
ngx_envelope_sign_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t             rc;
    ngx_str_t            *address, *assign, *alg;
    ngx_envelope_sign_t  *sign;

    sign = &st->u.sign;

    address = ngx_envelope_word(words);
    assign = ngx_envelope_word(words);
    alg = ngx_envelope_word(words);

    if (alg == NULL || !ngx_envelope_is(assign, "=")) {
        return ngx_envelope_declined(reason, "write: sign ADDRESS = ALG "
                                     "[key=NAME] over=TEMPLATE | step ..");
    }

    rc = ngx_envelope_format_address(format, &st->address, address, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (st->address.many) {
        return ngx_envelope_declined(reason, "a signature cannot be put at "
                                     "\"*\"");
    }

    st->writes = 1;

    rc = ngx_envelope_alg_init(&sign->alg, format->pool, alg, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_array_init(&sign->except, format->pool, 2, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_envelope_sign_params(format, st, words, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_envelope_steps_parse(format, &sign->steps, words, 0, reason);
}


static ngx_int_t
ngx_envelope_sign_params(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t             rc;
    ngx_str_t             key, kid, over, except, skip;
    ngx_envelope_sign_t  *sign;

    sign = &st->u.sign;

    ngx_str_null(&key);
    ngx_str_null(&kid);
    ngx_str_null(&over);
    ngx_str_null(&except);
    ngx_str_null(&skip);

    while (ngx_envelope_word_param(words, "key", &key)
           || ngx_envelope_word_param(words, "kid", &kid)
           || ngx_envelope_word_param(words, "over", &over)
           || ngx_envelope_word_param(words, "except", &except)
           || ngx_envelope_word_param(words, "skip", &skip))
    {
        /* void */
    }

    if (over.len == 0) {
        return ngx_envelope_declined(reason, "over=TEMPLATE is missing");
    }

    rc = ngx_envelope_template_parse(&sign->over, format, &over, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if ((sign->alg.kind == NGX_ENVELOPE_ALG_DIGEST) != (key.len == 0)) {
        return ngx_envelope_declined(reason, key.len
                                     ? "a digest takes no key=, write "
                                       "<secret:NAME> into over="
                                     : "key=NAME is missing");
    }

    if (ngx_envelope_copy(format->pool, &sign->key.text, &key) != NGX_OK) {
        return NGX_ERROR;
    }

    if (skip.data) {

        if (!ngx_envelope_is(&skip, "empty")) {
            return ngx_envelope_declined(reason, "\"skip=%V\" should be "
                                         "\"skip=empty\"", &skip);
        }

        sign->skip_empty = 1;
    }

    if (!sign->over.sorted && (skip.data || except.data)) {
        return ngx_envelope_declined(reason, "except= and skip= are for "
                                     "over= with <sorted> in it");
    }

    rc = ngx_envelope_sign_except(format, sign, &except, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    return kid.data ? ngx_envelope_sign_kid(format, sign, &kid, reason)
                    : NGX_OK;
}


static ngx_int_t
ngx_envelope_sign_kid(ngx_envelope_format_t *format,
    ngx_envelope_sign_t *sign, ngx_str_t *kid, ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;

    if (sign->key.text.len == 0) {
        return ngx_envelope_declined(reason, "kid= goes with key=");
    }

    sign->kid = ngx_palloc(format->pool, sizeof(ngx_envelope_address_t));
    if (sign->kid == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_envelope_format_address(format, sign->kid, kid, reason);

    if (rc == NGX_OK && sign->kid->many) {
        return ngx_envelope_declined(reason, "kid=%V is more than one value",
                                     kid);
    }

    return rc;
}


static ngx_int_t
ngx_envelope_sign_except(ngx_envelope_format_t *format,
    ngx_envelope_sign_t *sign, ngx_str_t *names,
    ngx_envelope_reason_t *reason)
{
    u_char     *p, *comma, *end;
    ngx_str_t  *name, part;

    if (names->len == 0) {
        return NGX_OK;
    }

    p = names->data;
    end = p + names->len;

    while (p < end) {
        comma = ngx_strlchr(p, end, ',');

        if (comma == NULL) {
            comma = end;
        }

        part.data = p;
        part.len = comma - p;

        if (part.len == 0) {
            return ngx_envelope_declined(reason, "a name is missing in "
                                         "\"except=%V\"", names);
        }

        name = ngx_array_push(&sign->except);
        if (name == NULL
            || ngx_envelope_copy(format->pool, name, &part) != NGX_OK)
        {
            return NGX_ERROR;
        }

        p = comma + 1;
    }

    return NGX_OK;
}


ngx_int_t
ngx_envelope_sign_link(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_reason_t *reason)
{
    uint64_t              tries;
    ngx_int_t             rc;
    ngx_envelope_sign_t  *sign;

    sign = &st->u.sign;

    if (sign->alg.kind == NGX_ENVELOPE_ALG_PUBLIC) {
        format->pairs = 1;
    }

    if (sign->alg.kind != NGX_ENVELOPE_ALG_DIGEST) {
        tries = format->tries;

        rc = ngx_envelope_ref_link(format, &sign->key,
                                   sign->alg.kind == NGX_ENVELOPE_ALG_HMAC,
                                   reason);
        if (rc != NGX_OK) {
            return rc;
        }

        rc = ngx_envelope_sign_check_keys(format, sign, 1, 0, reason);
        if (rc != NGX_OK) {
            return rc;
        }

        if (sign->kid) {

            if (sign->key.kind != NGX_ENVELOPE_REF_RING) {
                return ngx_envelope_declined(reason, "kid= cannot name a "
                                             "random");
            }

            format->tries = tries;
        }
    }

    rc = ngx_envelope_template_link(&sign->over, format, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_envelope_steps_link(format, &sign->steps, reason);
}


ngx_int_t
ngx_envelope_sign_check(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t             rc;
    ngx_uint_t            seal;
    ngx_envelope_sign_t  *sign;

    sign = &st->u.sign;
    seal = (check->direction == NGX_ENVELOPE_SEAL);

    if (sign->alg.kind == NGX_ENVELOPE_ALG_PUBLIC) {
        rc = ngx_envelope_sign_check_keys(format, sign, !seal, seal, reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_envelope_ref_check(format, &sign->key, check, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_envelope_steps_check(format, &sign->steps, check, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (sign->kid) {
        rc = ngx_envelope_sign_check_ids(format, sign, seal, reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return seal ? ngx_envelope_sign_check_final(format, st, check, reason)
                : NGX_OK;
}


static ngx_int_t
ngx_envelope_sign_check_keys(ngx_envelope_format_t *format,
    ngx_envelope_sign_t *sign, ngx_uint_t all, ngx_uint_t need_private,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t              rc;
    ngx_uint_t             i, n;
    ngx_envelope_key_t    *keys;
    ngx_envelope_ring_t  **rings;

    if (sign->alg.kind != NGX_ENVELOPE_ALG_PUBLIC) {
        return ngx_envelope_sign_prepare_secrets(format, sign, reason);
    }

    rings = format->rings.elts;
    keys = rings[sign->key.index]->keys.elts;
    n = all ? rings[sign->key.index]->keys.nelts : 1;

    for (i = 0; i < n; i++) {

        rc = ngx_envelope_alg_prepare(&sign->alg, &keys[i], need_private,
                                      format->pool, reason);
        if (rc != NGX_OK) {
            ngx_envelope_reason_prepend(reason, "key \"%V\": ",
                                        &sign->key.text);
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_sign_prepare_secrets(ngx_envelope_format_t *format,
    ngx_envelope_sign_t *sign, ngx_envelope_reason_t *reason)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    ngx_envelope_ring_t          **rings, *ring;
    ngx_envelope_shared_secret_t  *secrets;

    if (sign->key.kind != NGX_ENVELOPE_REF_RING) {
        return NGX_OK;
    }

    rings = format->rings.elts;
    ring = rings[sign->key.index];
    secrets = ring->secrets.elts;

    for (i = 0; i < ring->secrets.nelts; i++) {

        rc = ngx_envelope_alg_prepare_secret(&sign->alg, &secrets[i].value,
                                             format->pool, reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* the first key's id is sent; of those that came any may be named */

static ngx_int_t
ngx_envelope_sign_check_ids(ngx_envelope_format_t *format,
    ngx_envelope_sign_t *sign, ngx_uint_t seal, ngx_envelope_reason_t *reason)
{
    ngx_uint_t                     i, n;
    ngx_envelope_key_t            *keys;
    ngx_envelope_ring_t           *ring, **rings;
    ngx_envelope_shared_secret_t  *secrets;

    rings = format->rings.elts;
    ring = rings[sign->key.index];
    keys = ring->keys.elts;
    secrets = ring->secrets.elts;
    n = seal ? 1 : ring->keys.nelts + ring->secrets.nelts;

    for (i = 0; i < n; i++) {
        if (ring->is_secret ? secrets[i].id.len : keys[i].id.len) {
            return NGX_OK;
        }
    }

    return ngx_envelope_declined(reason, "kid= needs an id, write \"%s %V .. "
                                 "id=KID;\"",
                                 ring->is_secret ? "secret" : "key",
                                 &sign->key.text);
}


/* <body> is what goes out, so nothing may change it after it was signed */

static ngx_int_t
ngx_envelope_sign_check_final(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason)
{
    ngx_uint_t                  i;
    ngx_envelope_address_t     *kid;
    ngx_envelope_statement_t  **sts;

    if (!st->u.sign.over.body) {
        return NGX_OK;
    }

    sts = format->statements.elts;

    for (i = check->position; i < format->statements.nelts; i++) {

        kid = (sts[i] != st && sts[i]->def == &ngx_envelope_sign_def)
              ? sts[i]->u.sign.kid : NULL;

        if ((sts[i]->address.text.len
             && sts[i]->address.kind == NGX_ENVELOPE_ADDRESS_MEMBER
             && !ngx_envelope_only_reads(sts[i]))
            || (kid && kid->kind == NGX_ENVELOPE_ADDRESS_MEMBER))
        {
            return ngx_envelope_declined(reason, "<body> is signed before "
                                         "\"%V\" changes it, move this to "
                                         "the end", &sts[i]->label);
        }
    }

    return NGX_OK;
}
