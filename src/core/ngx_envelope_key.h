
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_KEY_H_INCLUDED_
#define _NGX_ENVELOPE_KEY_H_INCLUDED_


#include "ngx_envelope_reason.h"

#include <openssl/evp.h>


#define NGX_ENVELOPE_KEY_CONTENT_MAX   65536  /* bytes of a key file */
#define NGX_ENVELOPE_RSA_BITS_MIN      1024
#define NGX_ENVELOPE_RSA_BITS_MAX      16384
#define NGX_ENVELOPE_KEY_NAME_LEN      64


/* one key of a ring; parsed at configuration, never written to afterwards */

typedef struct {
    EVP_PKEY    *pkey;          /* owned by the pool it was parsed with */
    ngx_str_t    id;            /* "id=", empty when there is none */
    time_t       not_after;     /* of the certificate, else 0 */
    unsigned     has_private:1;
} ngx_envelope_key_t;


/*
 * Reads a key from its content, whatever it is: PEM (private keys, encrypted
 * ones too, SubjectPublicKeyInfo, PKCS#1, certificates), DER of the same,
 * PKCS#12, or bare base64 of DER with or without line breaks.  Where the
 * content holds both a private key and a certificate (PKCS#12, PEM bundles)
 * the private key is taken, and the certificate's expiry.  RSA, EC and
 * EdDSA keys are taken, RSA from NGX_ENVELOPE_RSA_BITS_MIN bits.
 * "password" may be empty.  key->pkey is freed with the pool.
 *
 * Returns NGX_OK, NGX_DECLINED with a reason (which says what the content
 * looks like and what is wrong with it), or NGX_ERROR.
 */

ngx_int_t ngx_envelope_key_parse(ngx_envelope_key_t *key, ngx_pool_t *pool,
    ngx_str_t *content, ngx_str_t *password, ngx_envelope_reason_t *reason);

/* the same by an OSSL_STORE URI, zero-terminated: "file:/..", "pkcs11:.." */

ngx_int_t ngx_envelope_key_store(ngx_envelope_key_t *key, ngx_pool_t *pool,
    u_char *uri, ngx_str_t *password, ngx_envelope_reason_t *reason);

/*
 * What the key is, for reasons: "RSA of 2048 bits", "EC on P-256", "ED25519".
 * Zero-terminated, in the caller's NGX_ENVELOPE_KEY_NAME_LEN bytes.
 */

u_char *ngx_envelope_key_describe(const ngx_envelope_key_t *key, u_char *buf);


#endif /* _NGX_ENVELOPE_KEY_H_INCLUDED_ */
