
/*
 * Copyright (C) The ngx_http_envelope_module authors
 */


#include "ngx_envelope_run.h"


/* "sign": a signature, a MAC or a digest over a template, and its check */


/* signatures that one structured header may offer */

#define NGX_ENVELOPE_CANDIDATES_MAX  16


/* the key that signs or verifies; of its kinds the algorithm takes one */

typedef struct {
    ngx_envelope_key_t  *key;
    ngx_str_t            secret;
    ngx_str_t            id;
} ngx_envelope_sign_key_t;


static ngx_int_t ngx_envelope_sign_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_sign_params(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_sign_kid(ngx_envelope_format_t *format,
    ngx_envelope_sign_t *sign, ngx_str_t *kid,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_sign_except(ngx_envelope_format_t *format,
    ngx_envelope_sign_t *sign, ngx_str_t *names,
    ngx_envelope_reason_t *reason);

static ngx_int_t ngx_envelope_sign_link(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_sign_check(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_sign_check_keys(ngx_envelope_format_t *format,
    ngx_envelope_sign_t *sign, ngx_uint_t all, ngx_uint_t need_private,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_sign_check_final(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_sign_shape(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);

static ngx_int_t ngx_envelope_sign_seal(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_sign_open(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_sign_verify(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_envelope_sign_key_t *key,
    ngx_str_t *text, ngx_uint_t n, ngx_str_t *sig);

static ngx_int_t ngx_envelope_sign_key(ngx_envelope_run_t *run,
    ngx_envelope_sign_t *sign, ngx_envelope_sign_key_t *key);
static ngx_int_t ngx_envelope_sign_key_by_id(ngx_envelope_run_t *run,
    ngx_envelope_sign_t *sign, ngx_envelope_sign_key_t *key);
static ngx_int_t ngx_envelope_sign_candidate(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_uint_t nth, ngx_str_t *sig);


const ngx_envelope_statement_def_t  ngx_envelope_sign_def = {
    ngx_string("sign"),
    ngx_envelope_sign_parse,
    ngx_envelope_sign_link,
    ngx_envelope_sign_check,
    ngx_envelope_sign_shape,
    ngx_envelope_sign_seal,
    ngx_envelope_sign_open
};


static ngx_int_t
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

    if (over.data == NULL) {
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


static ngx_int_t
ngx_envelope_sign_link(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_reason_t *reason)
{
    ngx_int_t             rc;
    ngx_envelope_sign_t  *sign;

    sign = &st->u.sign;

    if (sign->alg.kind != NGX_ENVELOPE_ALG_DIGEST) {

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

        if (sign->kid && sign->key.kind != NGX_ENVELOPE_REF_RING) {
            return ngx_envelope_declined(reason, "kid= cannot name a random");
        }
    }

    rc = ngx_envelope_template_link(&sign->over, format, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_envelope_steps_link(format, &sign->steps, reason);
}


static ngx_int_t
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

    rc = ngx_envelope_template_check(format, &sign->over, check, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_envelope_steps_check(format, &sign->steps, check, reason);
    if (rc != NGX_OK) {
        return rc;
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
        return NGX_OK;
    }

    rings = format->rings.elts;
    keys = rings[sign->key.index]->keys.elts;
    n = all ? rings[sign->key.index]->keys.nelts : 1;

    for (i = 0; i < n; i++) {

        rc = ngx_envelope_alg_check(&sign->alg, &keys[i], need_private,
                                    reason);
        if (rc != NGX_OK) {
            ngx_envelope_reason_prepend(reason, "key \"%V\": ",
                                        &sign->key.text);
            return rc;
        }
    }

    return NGX_OK;
}


/* <body> is what goes out, so nothing may change it after it was signed */

static ngx_int_t
ngx_envelope_sign_check_final(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason)
{
    ngx_str_t                    id;
    ngx_uint_t                   i;
    ngx_envelope_key_t          *keys;
    ngx_envelope_ring_t        **rings;
    ngx_envelope_statement_t   **sts;
    ngx_envelope_shared_secret_t  *secrets;

    sts = format->statements.elts;

    for (i = check->position; st->u.sign.over.body
                              && i < format->statements.nelts; i++)
    {
        if (sts[i]->address.kind == NGX_ENVELOPE_ADDRESS_MEMBER
            && sts[i]->address.n
            && sts[i]->def != &ngx_envelope_when_def)
        {
            return ngx_envelope_declined(reason, "<body> is signed before "
                                         "\"%V\" changes it, move this to "
                                         "the end", &sts[i]->label);
        }
    }

    if (st->u.sign.kid == NULL) {
        return NGX_OK;
    }

    rings = format->rings.elts;
    i = st->u.sign.key.index;
    keys = rings[i]->keys.elts;
    secrets = rings[i]->secrets.elts;
    id = rings[i]->is_secret ? secrets[0].id : keys[0].id;

    if (id.len == 0) {
        return ngx_envelope_declined(reason, "kid= needs an id of the key, "
                                     "write \"key %V .. id=KID;\"",
                                     &st->u.sign.key.text);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_sign_shape(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_int_t             rc;
    ngx_str_t             value;
    ngx_envelope_sign_t  *sign;

    sign = &st->u.sign;

    if (!st->address.inner) {
        rc = ngx_envelope_sign_candidate(run, st, 0, &value);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (sign->kid && !sign->kid->inner) {
        rc = ngx_envelope_run_read(run, sign->kid, &value);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_envelope_run_template_shape(run, &sign->over);
}


static ngx_int_t
ngx_envelope_sign_seal(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_int_t                 rc;
    ngx_str_t                *text, sig;
    ngx_uint_t                n;
    ngx_envelope_sign_t      *sign;
    ngx_envelope_sign_key_t   key;

    sign = &st->u.sign;

    rc = ngx_envelope_sign_key(run, sign, &key);
    if (rc != NGX_OK) {
        return rc;
    }

    run->kid = key.id;

    if (sign->kid) {
        rc = ngx_envelope_run_write(run, sign->kid, &key.id);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_envelope_run_template(run, &sign->over, st, &text, &n);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_envelope_alg_sign(&sign->alg, key.key, &key.secret, run->pool,
                               text, n, &sig, run->reason);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_envelope_steps_seal(run, &sign->steps, &sig);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_envelope_run_write(run, &st->address, &sig);
}


static ngx_int_t
ngx_envelope_sign_open(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_int_t                 rc;
    ngx_str_t                *text, sig;
    ngx_uint_t                n, i;
    ngx_envelope_sign_t      *sign;
    ngx_envelope_sign_key_t   key;

    sign = &st->u.sign;

    rc = ngx_envelope_run_template(run, &sign->over, st, &text, &n);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_envelope_sign_candidate(run, st, 0, &sig);
    if (rc != NGX_OK) {
        return rc;
    }

    run->decoded = 1;

    rc = sign->kid ? ngx_envelope_sign_key_by_id(run, sign, &key)
                   : ngx_envelope_sign_key(run, sign, &key);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_envelope_sign_verify(run, st, &key, text, n, &sig);

    for (i = 1; rc == NGX_DECLINED && i < NGX_ENVELOPE_CANDIDATES_MAX; i++) {

        if (st->address.kind != NGX_ENVELOPE_ADDRESS_PARAM
            || ngx_envelope_sign_candidate(run, st, i, &sig) != NGX_OK)
        {
            break;
        }

        rc = ngx_envelope_sign_verify(run, st, &key, text, n, &sig);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    run->kid = key.id;

    rc = ngx_envelope_run_remove(run, &st->address);

    if (rc == NGX_OK && sign->kid) {
        rc = ngx_envelope_run_remove(run, sign->kid);
    }

    return rc;
}


static ngx_int_t
ngx_envelope_sign_verify(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_envelope_sign_key_t *key,
    ngx_str_t *text, ngx_uint_t n, ngx_str_t *sig)
{
    ngx_int_t             rc;
    ngx_str_t             bytes;
    ngx_envelope_sign_t  *sign;

    sign = &st->u.sign;
    bytes = *sig;

    rc = ngx_envelope_steps_open(run, &sign->steps, &bytes);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_envelope_alg_verify(&sign->alg, key->key, &key->secret,
                                   run->pool, text, n, &bytes, run->reason);
}


static ngx_int_t
ngx_envelope_sign_key(ngx_envelope_run_t *run, ngx_envelope_sign_t *sign,
    ngx_envelope_sign_key_t *key)
{
    ngx_uint_t                     i;
    ngx_envelope_ring_t          **rings;
    ngx_envelope_shared_secret_t  *secrets;

    ngx_memzero(key, sizeof(ngx_envelope_sign_key_t));

    if (sign->alg.kind == NGX_ENVELOPE_ALG_DIGEST) {
        return NGX_OK;
    }

    if (sign->alg.kind == NGX_ENVELOPE_ALG_PUBLIC) {
        key->key = ngx_envelope_run_key(run, &sign->key);
        key->id = key->key->id;
        return NGX_OK;
    }

    if (sign->key.kind == NGX_ENVELOPE_REF_RING) {
        i = sign->key.index;
        rings = run->format->rings.elts;
        secrets = rings[i]->secrets.elts;
        key->id = secrets[run->choice[i]].id;
    }

    return ngx_envelope_run_bytes(run, &sign->key, &key->secret);
}


/* a key id only selects inside of the profile's ring */

static ngx_int_t
ngx_envelope_sign_key_by_id(ngx_envelope_run_t *run,
    ngx_envelope_sign_t *sign, ngx_envelope_sign_key_t *key)
{
    ngx_int_t                      rc;
    ngx_str_t                      kid, *id;
    ngx_uint_t                     i, n;
    ngx_envelope_key_t            *keys;
    ngx_envelope_ring_t           *ring, **rings;
    ngx_envelope_shared_secret_t  *secrets;

    ngx_memzero(key, sizeof(ngx_envelope_sign_key_t));

    rc = ngx_envelope_run_read(run, sign->kid, &kid);
    if (rc != NGX_OK) {
        return rc;
    }

    rings = run->format->rings.elts;
    ring = rings[sign->key.index];
    keys = ring->keys.elts;
    secrets = ring->secrets.elts;
    n = ring->is_secret ? ring->secrets.nelts : ring->keys.nelts;

    for (i = 0; i < n; i++) {
        id = ring->is_secret ? &secrets[i].id : &keys[i].id;

        if (id->len && id->len == kid.len
            && ngx_memcmp(id->data, kid.data, kid.len) == 0)
        {
            key->id = *id;

            if (ring->is_secret) {
                key->secret = secrets[i].value;

            } else {
                key->key = &keys[i];
            }

            return NGX_OK;
        }
    }

    return ngx_envelope_declined(run->reason, "no key \"%V\" has the id "
                                 "that %V names", &sign->key.text,
                                 &sign->kid->text);
}


/* the signature as it is written, of a structured header the nth */

static ngx_int_t
ngx_envelope_sign_candidate(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_uint_t nth, ngx_str_t *sig)
{
    ngx_int_t             rc;
    ngx_envelope_node_t  *node;

    if (st->address.kind == NGX_ENVELOPE_ADDRESS_PARAM) {

        if (ngx_envelope_headers_param(&run->headers, &st->address.header,
                                       &st->address.param, nth, sig)
            == NGX_OK)
        {
            return NGX_OK;
        }

        return ngx_envelope_declined(run->reason, "%V is absent",
                                     &st->address.text);
    }

    if (st->address.kind == NGX_ENVELOPE_ADDRESS_MEMBER) {

        rc = ngx_envelope_address_find(&st->address, run->root, &node,
                                       run->reason);
        if (rc != NGX_OK) {
            return rc;
        }

        if (node && node->type != NGX_ENVELOPE_JSON_STRING) {
            return ngx_envelope_declined(run->reason, "%V is not a string",
                                         &st->address.text);
        }
    }

    return ngx_envelope_run_read(run, &st->address, sig);
}
