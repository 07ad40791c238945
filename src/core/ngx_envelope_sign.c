
/*
 * Copyright (C) The authors of the envelope module
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
static ngx_int_t ngx_envelope_sign_candidates(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *sigs, ngx_uint_t *n);


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
ngx_envelope_sign_shape(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_int_t             rc;
    ngx_str_t             value, sigs[NGX_ENVELOPE_CANDIDATES_MAX];
    ngx_uint_t            n;
    ngx_envelope_sign_t  *sign;

    sign = &st->u.sign;

    if (!st->address.inner) {
        rc = ngx_envelope_sign_candidates(run, st, sigs, &n);
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

    rc = ngx_envelope_run_template_shape(run, &sign->over);

    return (rc == NGX_OK) ? ngx_envelope_steps_shape(run, &sign->steps) : rc;
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

    run->wire = !st->address.inner;

    rc = ngx_envelope_steps_seal(run, &sign->steps, &sig);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_envelope_steps_write(run, &sign->steps, &st->address, &sig);
}


/*
 * The signature is taken out first: what it was made over did not have it
 * yet.
 */

static ngx_int_t
ngx_envelope_sign_open(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_int_t                 rc;
    ngx_str_t                *text, sigs[NGX_ENVELOPE_CANDIDATES_MAX];
    ngx_uint_t                n, i, nsigs;
    ngx_envelope_sign_t      *sign;
    ngx_envelope_sign_key_t   key;

    sign = &st->u.sign;

    rc = ngx_envelope_sign_candidates(run, st, sigs, &nsigs);
    if (rc != NGX_OK) {
        return rc;
    }

    run->decoded = 1;

    rc = ngx_envelope_run_remove(run, &st->address);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_envelope_run_template(run, &sign->over, st, &text, &n);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = sign->kid ? ngx_envelope_sign_key_by_id(run, sign, &key)
                   : ngx_envelope_sign_key(run, sign, &key);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = NGX_DECLINED;

    for (i = 0; i < nsigs && rc == NGX_DECLINED; i++) {
        run->reason->len = 0;
        rc = ngx_envelope_sign_verify(run, st, &key, text, n, &sigs[i]);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    run->kid = key.id;

    return sign->kid ? ngx_envelope_run_remove(run, sign->kid) : NGX_OK;
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

    run->wire = !st->address.inner;

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

        if (id->len && ngx_envelope_str_equal(id, &kid)) {
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


/*
 * The signature as it is written; a structured header may have several, of
 * which any may be the right one.
 */

static ngx_int_t
ngx_envelope_sign_candidates(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *sigs, ngx_uint_t *n)
{
    ngx_int_t             rc;
    ngx_envelope_node_t  *node;

    *n = 0;

    if (st->address.kind == NGX_ENVELOPE_ADDRESS_PARAM) {

        while (*n < NGX_ENVELOPE_CANDIDATES_MAX
               && ngx_envelope_headers_param(&run->headers,
                                             &st->address.header,
                                             &st->address.param, *n,
                                             &sigs[*n])
                  == NGX_OK)
        {
            (*n)++;
        }

        if (*n) {
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

    *n = 1;

    return ngx_envelope_run_read(run, &st->address, sigs);
}
