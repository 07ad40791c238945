
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_KEY_READ_H_INCLUDED_
#define _NGX_ENVELOPE_KEY_READ_H_INCLUDED_


/* how ngx_envelope_key.c gets at keys; for that file alone */


#include "ngx_envelope_key.h"

#include <openssl/provider.h>
#include <openssl/x509.h>


/*
 * What has been read so far.  All of it belongs to whoever declared it and
 * goes with ngx_envelope_key_found_free().
 */

typedef struct {
    EVP_PKEY              *priv;
    EVP_PKEY              *pub;      /* the first one, a certificate's too */
    STACK_OF(X509)        *certs;
    char                  *password; /* zero-terminated, empty for none */
    size_t                 password_len;
    ngx_uint_t             asked;    /* a password was asked for */
} ngx_envelope_key_found_t;


/* a library context of its own with OpenSSL's old algorithms */

typedef struct {
    OSSL_LIB_CTX          *ctx;
    OSSL_PROVIDER         *base;
    OSSL_PROVIDER         *legacy;
} ngx_envelope_key_legacy_t;


/*
 * Reads PEM, or DER, or base64 of DER.  NGX_OK says that nothing was wrong
 * with it, not that there was a key in it.
 */

ngx_int_t ngx_envelope_key_read(ngx_envelope_key_found_t *found,
    ngx_str_t *content, ngx_envelope_reason_t *reason);

/* of one structure; NGX_AGAIN: it is none of those known */

ngx_int_t ngx_envelope_key_read_der(ngx_envelope_key_found_t *found,
    ngx_str_t *der, ngx_envelope_reason_t *reason);

/* PKCS#12, moved here by way of DER; the return codes of the one above */

ngx_int_t ngx_envelope_key_read_pkcs12(ngx_envelope_key_found_t *found,
    ngx_str_t *der, ngx_envelope_reason_t *reason);

/* NGX_DECLINED when it is not installed; unload in any case */

ngx_int_t ngx_envelope_key_legacy_load(ngx_envelope_key_legacy_t *legacy);
void ngx_envelope_key_legacy_unload(ngx_envelope_key_legacy_t *legacy);

/*
 * These take a reference of their own.  A second private key that differs
 * from the first is NGX_DECLINED.
 */

ngx_int_t ngx_envelope_key_found_private(ngx_envelope_key_found_t *found,
    EVP_PKEY *pkey, ngx_envelope_reason_t *reason);
ngx_int_t ngx_envelope_key_found_public(ngx_envelope_key_found_t *found,
    EVP_PKEY *pkey, ngx_envelope_reason_t *reason);
ngx_int_t ngx_envelope_key_found_cert(ngx_envelope_key_found_t *found,
    X509 *cert, ngx_envelope_reason_t *reason);

/* a pem_password_cb, its data is an ngx_envelope_key_found_t; never prompts */

int ngx_envelope_key_password(char *buf, int size, int rwflag, void *data);

/*
 * Empties OpenSSL's error queue and says whether one of the errors was that
 * there is no such algorithm.
 */

ngx_uint_t ngx_envelope_key_unsupported(void);

/*
 * Why something encrypted did not open, from OpenSSL's error queue, which is
 * emptied: no password given, an algorithm that is not there, or a password
 * that is wrong.  "what" names it.
 */

ngx_int_t ngx_envelope_key_locked(ngx_envelope_key_found_t *found,
    const char *what, ngx_uint_t legacy, ngx_envelope_reason_t *reason);


#endif /* _NGX_ENVELOPE_KEY_READ_H_INCLUDED_ */
