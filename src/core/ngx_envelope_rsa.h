
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_RSA_H_INCLUDED_
#define _NGX_ENVELOPE_RSA_H_INCLUDED_


#include "ngx_envelope_env.h"
#include "ngx_envelope_key.h"
#include "ngx_envelope_ready.h"


/*
 * RSA over texts of any length, in blocks of the key's own size k: the text
 * is cut into blocks of at most k - overhead bytes, each becomes k bytes,
 * and these are joined.  An empty text makes no block and is refused in
 * both directions, as is an empty block.
 */

/* bytes of ciphertext in one message: a bound on work, not a format's rule */

#define NGX_ENVELOPE_RSA_TEXT_MAX   262144

#define NGX_ENVELOPE_RSA_LABEL_MAX  4096  /* bytes of an OAEP label */


typedef enum {
    NGX_ENVELOPE_RSA_PKCS1 = 0,  /* RSAES-PKCS1-v1_5, RFC 8017, 7.2 */
    NGX_ENVELOPE_RSA_OAEP,       /* RSAES-OAEP, RFC 8017, 7.1 */
    NGX_ENVELOPE_RSA_PRIVATE     /* private key operation, type 1 padding */
} ngx_envelope_rsa_padding_e;


typedef struct {
    ngx_envelope_rsa_padding_e   padding;
    EVP_MD                      *hash;     /* OAEP only; owned by the pool */
    EVP_MD                      *mgf1;
    ngx_str_t                    label;    /* of OAEP, may be empty */
    ngx_envelope_ready_t        *ready;    /* see .._rsa_prepare() */
} ngx_envelope_rsa_t;


/*
 * Fetches the digests by the names the profile language has (sha1, sha256,
 * sha384, sha512); an empty mgf1 is the hash, an empty hash is sha1 as in
 * RFC 8017.  NGX_DECLINED names what is unknown.  The padding and the label
 * are the caller's to set; the digests matter to OAEP alone.
 */

ngx_int_t ngx_envelope_rsa_init(ngx_envelope_rsa_t *rsa, ngx_pool_t *pool,
    ngx_str_t *hash, ngx_str_t *mgf1, ngx_envelope_reason_t *reason);

/*
 * Whether the key can do it: an RSA key, large enough for the overhead, with
 * its private half if "need_private".
 */

ngx_int_t ngx_envelope_rsa_check(const ngx_envelope_rsa_t *rsa,
    const ngx_envelope_key_t *key, ngx_uint_t need_private,
    ngx_envelope_reason_t *reason);

/*
 * Does once what sealing (or opening) with that key takes each time: checks
 * the key as above and keeps a context that is set up, see
 * ngx_envelope_ready.h.  The padding and the label are final by then.
 */

ngx_int_t ngx_envelope_rsa_prepare(ngx_envelope_rsa_t *rsa,
    const ngx_envelope_key_t *key, ngx_uint_t seal, ngx_pool_t *pool,
    ngx_envelope_reason_t *reason);

/* what the padding takes of every block, in bytes */

size_t ngx_envelope_rsa_overhead(const ngx_envelope_rsa_t *rsa);

/*
 * out->data is allocated from the pool, as secret memory when opening.
 * "each" is asked for operations with a private key, be it a single one; it
 * may be NULL, and they are done one after the other.  The random bytes of env
 * are for the padding of PKCS1.
 *
 * Opening PKCS1: a block with bad padding does not fail here.  It becomes
 * the single byte 0xff (in no UTF-8, JSON, base64 or hex), and all blocks
 * are always worked through, so that bad padding ends where pseudo-random
 * bytes do, which OpenSSL 3.2 gives for it ("implicit rejection").  The
 * error queue is cleared without formatting it.  Every other failure
 * (length not a multiple of k, no block, too many, c >= n for OAEP and
 * PRIVATE, any failure of OAEP with one constant reason) is NGX_DECLINED.
 * For PKCS1 c >= n is bad padding like any other.
 */

ngx_int_t ngx_envelope_rsa_seal(const ngx_envelope_rsa_t *rsa,
    const ngx_envelope_key_t *key, ngx_pool_t *pool,
    const ngx_envelope_env_t *env, ngx_str_t *in, ngx_str_t *out,
    ngx_envelope_reason_t *reason);

ngx_int_t ngx_envelope_rsa_open(const ngx_envelope_rsa_t *rsa,
    const ngx_envelope_key_t *key, ngx_pool_t *pool,
    const ngx_envelope_each_t *each, ngx_str_t *in, ngx_str_t *out,
    ngx_envelope_reason_t *reason);


#endif /* _NGX_ENVELOPE_RSA_H_INCLUDED_ */
