
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_ALG_H_INCLUDED_
#define _NGX_ENVELOPE_ALG_H_INCLUDED_


#include "ngx_envelope_key.h"
#include "ngx_envelope_ready.h"


/* what a signature algorithm is keyed with */

typedef enum {
    NGX_ENVELOPE_ALG_DIGEST = 0,  /* nothing: md5 sha1 sha256 sha512 */
    NGX_ENVELOPE_ALG_HMAC,        /* a secret: hs1 hs256 hs384 hs512 */
    NGX_ENVELOPE_ALG_PUBLIC       /* a key: rs* ps* es* eddsa */
} ngx_envelope_alg_kind_e;


typedef struct ngx_envelope_alg_def_s  ngx_envelope_alg_def_t;


typedef struct {
    const ngx_envelope_alg_def_t  *def;   /* row of a static table */
    ngx_envelope_alg_kind_e        kind;
    EVP_MD                        *md;    /* fetched, owned by the pool;
                                             NULL for eddsa */
    ngx_envelope_ready_t          *once;  /* what hashes, for HMAC and for
                                             all else but eddsa */
    ngx_envelope_ready_t          *ready; /* see .._alg_prepare() */
} ngx_envelope_alg_t;


/*
 * By the name in the profile language: rs1 rs256 rs384 rs512 (RSASSA-PKCS1-
 * v1_5), ps256 ps384 ps512 (RSASSA-PSS, MGF1 of the same digest, the salt as
 * long as the digest), es256 es384 (P-256, P-384, r || s as in RFC 7518
 * section 3.4), eddsa (Ed25519, RFC 8037), hs1 hs256 hs384 hs512 (RFC 2104),
 * md5 sha1 sha256 sha512.  NGX_DECLINED when there is none of that name.
 */

ngx_int_t ngx_envelope_alg_init(ngx_envelope_alg_t *alg, ngx_pool_t *pool,
    ngx_str_t *name, ngx_envelope_reason_t *reason);

/*
 * Whether the key is of the algorithm's type (curve), long enough, free to be
 * used so (an RSA-PSS key may be bound to a digest), and private if needed.
 */

ngx_int_t ngx_envelope_alg_check(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t need_private,
    ngx_envelope_reason_t *reason);

/*
 * Does once what signing (or verifying) with that key takes each time: checks
 * it as above and keeps a context that is set up, see ngx_envelope_ready.h.
 */

ngx_int_t ngx_envelope_alg_prepare(ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign, ngx_pool_t *pool,
    ngx_envelope_reason_t *reason);

/*
 * The same for HMAC and a secret of the configuration, known by the address
 * of its bytes.  What is made for any other secret is freed with its message.
 */

ngx_int_t ngx_envelope_alg_prepare_secret(ngx_envelope_alg_t *alg,
    ngx_str_t *secret, ngx_pool_t *pool, ngx_envelope_reason_t *reason);

/*
 * "key" is for PUBLIC and has passed ngx_envelope_alg_check(), "secret" is
 * for HMAC, where an empty one is refused; the other is NULL.  The text comes
 * in "n" pieces that are signed as if joined, so that a body need not be
 * copied to stand between two words.  sig->data is allocated from the pool.
 *
 * Verifying returns NGX_OK, NGX_DECLINED with one constant reason, or
 * NGX_ERROR; digests and HMACs are compared in constant time.
 */

ngx_int_t ngx_envelope_alg_sign(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_str_t *secret, ngx_pool_t *pool,
    ngx_str_t *text, ngx_uint_t n, ngx_str_t *sig,
    ngx_envelope_reason_t *reason);

ngx_int_t ngx_envelope_alg_verify(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_str_t *secret, ngx_pool_t *pool,
    ngx_str_t *text, ngx_uint_t n, ngx_str_t *sig,
    ngx_envelope_reason_t *reason);


#endif /* _NGX_ENVELOPE_ALG_H_INCLUDED_ */
