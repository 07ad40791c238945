
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_ALG_KEY_H_INCLUDED_
#define _NGX_ENVELOPE_ALG_KEY_H_INCLUDED_


/* the half of ngx_envelope_alg.h that signs with keys; for that file alone */


#include "ngx_envelope_alg.h"


#define NGX_ENVELOPE_ALG_PSS  1   /* of flags */

/* the one reason for whatever is wrong with a signature */

#define NGX_ENVELOPE_ALG_MISMATCH  "the signature does not match"


struct ngx_envelope_alg_def_s {
    ngx_str_t                 name;
    ngx_envelope_alg_kind_e   kind;
    const char               *md;
    const char               *type;      /* of the key, EVP_PKEY_is_a() */
    const char               *group;     /* of an EC key, OpenSSL's name */
    const char               *curve;     /* the same, NIST's name */
    size_t                    half;      /* bytes of r and of s */
    ngx_uint_t                flags;
};


/*
 * Whether a context to sign or to verify can be set up with that key; if not
 * there is something on OpenSSL's error queue.
 */

ngx_int_t ngx_envelope_alg_key_try(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign);

/* the digest of the text; "out" has room for EVP_MAX_MD_SIZE bytes */

ngx_int_t ngx_envelope_alg_digest(const ngx_envelope_alg_t *alg,
    ngx_str_t *text, ngx_uint_t n, u_char *out, size_t *len);

/* as in ngx_envelope_alg.h, for NGX_ENVELOPE_ALG_PUBLIC */

ngx_int_t ngx_envelope_alg_key_sign(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t n, ngx_str_t *sig, ngx_envelope_reason_t *reason);
ngx_int_t ngx_envelope_alg_key_verify(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t n, ngx_str_t *sig, ngx_envelope_reason_t *reason);


#endif /* _NGX_ENVELOPE_ALG_KEY_H_INCLUDED_ */
