
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_key_read.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>


static ngx_int_t ngx_envelope_key_pkcs12_open(ngx_envelope_key_found_t *found,
    ngx_str_t *der, OSSL_LIB_CTX *libctx, ngx_uint_t *mac,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_key_pkcs12_move(ngx_envelope_key_found_t *found,
    EVP_PKEY *pkey, X509 *cert, STACK_OF(X509) *chain,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_key_pkcs12_cert(ngx_envelope_key_found_t *found,
    X509 *cert, ngx_envelope_reason_t *reason);


/*
 * What browsers and Windows wrote for years is encrypted with RC2 of 40 bits,
 * which OpenSSL 3 has in its legacy provider only.  That one is loaded into a
 * library context of its own for the time of the second try: the rest of
 * nginx is not to find RC2 in its own.
 */

ngx_int_t
ngx_envelope_key_read_pkcs12(ngx_envelope_key_found_t *found, ngx_str_t *der,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t                   rc;
    ngx_uint_t                  mac;
    ngx_envelope_key_legacy_t   legacy;

    mac = 0;

    rc = ngx_envelope_key_pkcs12_open(found, der, NULL, &mac, reason);

    if (rc != NGX_ABORT) {
        return rc;
    }

    /* with a right MAC the password is right: an algorithm is missing */

    if (mac && ngx_envelope_key_unsupported()) {
        rc = ngx_envelope_key_legacy_load(&legacy);

        if (rc == NGX_OK) {
            rc = ngx_envelope_key_pkcs12_open(found, der, legacy.ctx, &mac,
                                              reason);

        } else {
            rc = ngx_envelope_declined(reason, "PKCS#12 is encrypted in an "
                                       "old way that needs OpenSSL's "
                                       "\"legacy\" provider, which is not "
                                       "installed");
        }

        ngx_envelope_key_legacy_unload(&legacy);

        if (rc != NGX_ABORT) {
            return rc;
        }
    }

    if (mac) {
        return ngx_envelope_declined(reason, "PKCS#12 does not open: it is "
                                     "damaged, or encrypted in an unknown "
                                     "way, or has no MAC, which this OpenSSL "
                                     "may want to see");
    }

    ERR_clear_error();

    return ngx_envelope_key_locked(found, "PKCS#12", 1, reason);
}


/*
 * Returns NGX_ABORT when it did not open, with *mac set when that was not for
 * the password.  A PKCS#12 without a MAC says nothing about the password.
 */

static ngx_int_t
ngx_envelope_key_pkcs12_open(ngx_envelope_key_found_t *found, ngx_str_t *der,
    OSSL_LIB_CTX *libctx, ngx_uint_t *mac, ngx_envelope_reason_t *reason)
{
    X509            *cert;
    PKCS12          *p12;
    EVP_PKEY        *pkey;
    ngx_int_t        rc;
    const u_char    *p;
    STACK_OF(X509)  *chain;

    p = der->data;
    pkey = NULL;
    cert = NULL;
    chain = NULL;

    /* it takes the library context along when it is read into this */

    p12 = PKCS12_init_ex(NID_pkcs7_data, libctx, NULL);
    if (p12 == NULL) {
        return ngx_envelope_failed(reason, "PKCS12_init_ex() failed");
    }

    if (d2i_PKCS12(&p12, &p, (long) der->len) == NULL
        || p != der->data + der->len)
    {
        rc = NGX_AGAIN;
        goto done;
    }

    if (PKCS12_parse(p12, found->password, &pkey, &cert, &chain) != 1) {
        *mac = !PKCS12_mac_present(p12)
               || PKCS12_verify_mac(p12, found->password, -1) == 1
               || (found->password_len == 0
                   && PKCS12_verify_mac(p12, NULL, 0) == 1);

        rc = NGX_ABORT;
        goto done;
    }

    rc = ngx_envelope_key_pkcs12_move(found, pkey, cert, chain, reason);

done:

    EVP_PKEY_free(pkey);
    X509_free(cert);
    sk_X509_pop_free(chain, X509_free);
    PKCS12_free(p12);

    return rc;
}


static ngx_int_t
ngx_envelope_key_pkcs12_move(ngx_envelope_key_found_t *found, EVP_PKEY *pkey,
    X509 *cert, STACK_OF(X509) *chain, ngx_envelope_reason_t *reason)
{
    int                   i, len;
    u_char               *data;
    ngx_int_t             rc;
    ngx_str_t             der;
    PKCS8_PRIV_KEY_INFO  *info;

    if (pkey != NULL) {
        data = NULL;
        len = -1;

        info = EVP_PKEY2PKCS8(pkey);
        if (info != NULL) {
            len = i2d_PKCS8_PRIV_KEY_INFO(info, &data);
            PKCS8_PRIV_KEY_INFO_free(info);
        }

        if (len <= 0) {
            return ngx_envelope_failed(reason, "EVP_PKEY2PKCS8() failed");
        }

        der.data = data;
        der.len = len;

        rc = ngx_envelope_key_read_der(found, &der, reason);

        OPENSSL_clear_free(data, len);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = (cert != NULL) ? ngx_envelope_key_pkcs12_cert(found, cert, reason)
                        : NGX_OK;

    for (i = 0; rc == NGX_OK && i < sk_X509_num(chain); i++) {
        rc = ngx_envelope_key_pkcs12_cert(found, sk_X509_value(chain, i),
                                          reason);
    }

    return rc;
}


static ngx_int_t
ngx_envelope_key_pkcs12_cert(ngx_envelope_key_found_t *found, X509 *cert,
    ngx_envelope_reason_t *reason)
{
    int         len;
    u_char     *data;
    ngx_int_t   rc;
    ngx_str_t   der;

    data = NULL;

    len = i2d_X509(cert, &data);
    if (len <= 0) {
        return ngx_envelope_failed(reason, "i2d_X509() failed");
    }

    der.data = data;
    der.len = len;

    rc = ngx_envelope_key_read_der(found, &der, reason);

    OPENSSL_free(data);

    return (rc == NGX_AGAIN)
           ? ngx_envelope_declined(reason, "a certificate in PKCS#12 is "
                                   "damaged")
           : rc;
}


ngx_int_t
ngx_envelope_key_legacy_load(ngx_envelope_key_legacy_t *legacy)
{
    ngx_memzero(legacy, sizeof(ngx_envelope_key_legacy_t));

    legacy->ctx = OSSL_LIB_CTX_new();
    if (legacy->ctx == NULL) {
        return NGX_ERROR;
    }

    legacy->base = OSSL_PROVIDER_load(legacy->ctx, "default");
    legacy->legacy = OSSL_PROVIDER_load(legacy->ctx, "legacy");

    return (legacy->base && legacy->legacy) ? NGX_OK : NGX_DECLINED;
}


void
ngx_envelope_key_legacy_unload(ngx_envelope_key_legacy_t *legacy)
{
    if (legacy->legacy) {
        (void) OSSL_PROVIDER_unload(legacy->legacy);
    }

    if (legacy->base) {
        (void) OSSL_PROVIDER_unload(legacy->base);
    }

    OSSL_LIB_CTX_free(legacy->ctx);
}
