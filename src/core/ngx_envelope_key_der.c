
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_key_read.h"

#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>


/* returns NGX_AGAIN when the structure is another one */

typedef ngx_int_t (*ngx_envelope_key_form_pt)(ngx_envelope_key_found_t *found,
    ngx_str_t *der, ngx_envelope_reason_t *reason);


static ngx_int_t ngx_envelope_key_pkcs8(ngx_envelope_key_found_t *found,
    ngx_str_t *der, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_key_encrypted(ngx_envelope_key_found_t *found,
    ngx_str_t *der, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_key_plain(ngx_envelope_key_found_t *found,
    PKCS8_PRIV_KEY_INFO *info, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_key_cert(ngx_envelope_key_found_t *found,
    ngx_str_t *der, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_key_spki(ngx_envelope_key_found_t *found,
    ngx_str_t *der, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_key_rsa_private(ngx_envelope_key_found_t *found,
    ngx_str_t *der, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_key_ec_private(ngx_envelope_key_found_t *found,
    ngx_str_t *der, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_key_traditional(ngx_envelope_key_found_t *found,
    int type, ngx_str_t *der, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_key_rsa_public(ngx_envelope_key_found_t *found,
    ngx_str_t *der, ngx_envelope_reason_t *reason);


/* no two of these read the same bytes: the order is that of likelihood */

static const ngx_envelope_key_form_pt  ngx_envelope_key_forms[] = {
    ngx_envelope_key_pkcs8,
    ngx_envelope_key_encrypted,
    ngx_envelope_key_spki,
    ngx_envelope_key_cert,
    ngx_envelope_key_rsa_private,
    ngx_envelope_key_ec_private,
    ngx_envelope_key_rsa_public,
    ngx_envelope_key_read_pkcs12,
    NULL
};


ngx_int_t
ngx_envelope_key_read_der(ngx_envelope_key_found_t *found, ngx_str_t *der,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t                        rc;
    const ngx_envelope_key_form_pt  *form;

    for (form = ngx_envelope_key_forms; *form; form++) {
        ERR_clear_error();

        rc = (*form)(found, der, reason);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_envelope_key_pkcs8(ngx_envelope_key_found_t *found, ngx_str_t *der,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t             rc;
    const u_char         *p;
    PKCS8_PRIV_KEY_INFO  *info;

    p = der->data;

    info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long) der->len);

    if (info != NULL && p == der->data + der->len) {
        rc = ngx_envelope_key_plain(found, info, reason);

    } else {
        rc = NGX_AGAIN;
    }

    PKCS8_PRIV_KEY_INFO_free(info);

    return rc;
}


static ngx_int_t
ngx_envelope_key_encrypted(ngx_envelope_key_found_t *found, ngx_str_t *der,
    ngx_envelope_reason_t *reason)
{
    X509_SIG                   *sig;
    ngx_int_t                   rc;
    const u_char               *p;
    PKCS8_PRIV_KEY_INFO        *info;
    ngx_envelope_key_legacy_t   legacy;

    p = der->data;

    sig = d2i_X509_SIG(NULL, &p, (long) der->len);

    if (sig == NULL || p != der->data + der->len) {
        X509_SIG_free(sig);
        return NGX_AGAIN;
    }

    info = PKCS8_decrypt(sig, found->password, (int) found->password_len);

    if (info == NULL && found->password_len) {

        /* single DES and RC2 are in the legacy provider alone */

        rc = ngx_envelope_key_legacy_load(&legacy);

        if (rc == NGX_OK) {
            ERR_clear_error();
            info = PKCS8_decrypt_ex(sig, found->password,
                                    (int) found->password_len, legacy.ctx,
                                    NULL);
        }

        ngx_envelope_key_legacy_unload(&legacy);
    }

    if (info != NULL) {
        rc = ngx_envelope_key_plain(found, info, reason);

    } else {
        rc = ngx_envelope_key_locked(found, "the private key", 1, reason);
    }

    PKCS8_PRIV_KEY_INFO_free(info);
    X509_SIG_free(sig);

    return rc;
}


static ngx_int_t
ngx_envelope_key_plain(ngx_envelope_key_found_t *found,
    PKCS8_PRIV_KEY_INFO *info, ngx_envelope_reason_t *reason)
{
    EVP_PKEY   *pkey;
    ngx_int_t   rc;

    pkey = EVP_PKCS82PKEY(info);
    if (pkey == NULL) {
        return ngx_envelope_declined(reason, "the PKCS#8 private key is "
                                     "damaged or of an unknown type");
    }

    rc = ngx_envelope_key_found_private(found, pkey, reason);

    EVP_PKEY_free(pkey);

    return rc;
}


static ngx_int_t
ngx_envelope_key_spki(ngx_envelope_key_found_t *found, ngx_str_t *der,
    ngx_envelope_reason_t *reason)
{
    EVP_PKEY      *pkey;
    ngx_int_t      rc;
    const u_char  *p;

    p = der->data;

    pkey = d2i_PUBKEY(NULL, &p, (long) der->len);

    if (pkey != NULL && p == der->data + der->len) {
        rc = ngx_envelope_key_found_public(found, pkey, reason);

    } else {
        rc = NGX_AGAIN;
    }

    EVP_PKEY_free(pkey);

    return rc;
}


static ngx_int_t
ngx_envelope_key_cert(ngx_envelope_key_found_t *found, ngx_str_t *der,
    ngx_envelope_reason_t *reason)
{
    X509          *cert;
    ngx_int_t      rc;
    const u_char  *p;

    p = der->data;

    cert = d2i_X509_AUX(NULL, &p, (long) der->len);

    if (cert != NULL && p == der->data + der->len) {
        rc = ngx_envelope_key_found_cert(found, cert, reason);

    } else {
        rc = NGX_AGAIN;
    }

    X509_free(cert);

    return rc;
}


static ngx_int_t
ngx_envelope_key_rsa_private(ngx_envelope_key_found_t *found, ngx_str_t *der,
    ngx_envelope_reason_t *reason)
{
    return ngx_envelope_key_traditional(found, EVP_PKEY_RSA, der, reason);
}


static ngx_int_t
ngx_envelope_key_ec_private(ngx_envelope_key_found_t *found, ngx_str_t *der,
    ngx_envelope_reason_t *reason)
{
    return ngx_envelope_key_traditional(found, EVP_PKEY_EC, der, reason);
}


static ngx_int_t
ngx_envelope_key_traditional(ngx_envelope_key_found_t *found, int type,
    ngx_str_t *der, ngx_envelope_reason_t *reason)
{
    EVP_PKEY      *pkey;
    ngx_int_t      rc;
    const u_char  *p;

    p = der->data;

    pkey = d2i_PrivateKey(type, NULL, &p, (long) der->len);

    if (pkey != NULL && p == der->data + der->len) {
        rc = ngx_envelope_key_found_private(found, pkey, reason);

    } else {
        rc = NGX_AGAIN;
    }

    EVP_PKEY_free(pkey);

    return rc;
}


/* d2i_PublicKey() would leave a key that is not of a provider */

static ngx_int_t
ngx_envelope_key_rsa_public(ngx_envelope_key_found_t *found, ngx_str_t *der,
    ngx_envelope_reason_t *reason)
{
    size_t             len;
    EVP_PKEY          *pkey;
    ngx_int_t          rc;
    const u_char      *p;
    OSSL_DECODER_CTX  *ctx;

    pkey = NULL;
    p = der->data;
    len = der->len;

    ctx = OSSL_DECODER_CTX_new_for_pkey(&pkey, "DER", "type-specific", "RSA",
                                        EVP_PKEY_PUBLIC_KEY, NULL, NULL);
    if (ctx == NULL) {
        return ngx_envelope_failed(reason, "OSSL_DECODER_CTX_new_for_pkey() "
                                   "failed");
    }

    if (OSSL_DECODER_from_data(ctx, &p, &len) == 1
        && p == der->data + der->len)
    {
        rc = ngx_envelope_key_found_public(found, pkey, reason);

    } else {
        rc = NGX_AGAIN;
    }

    EVP_PKEY_free(pkey);
    OSSL_DECODER_CTX_free(ctx);

    return rc;
}


ngx_int_t
ngx_envelope_key_found_private(ngx_envelope_key_found_t *found,
    EVP_PKEY *pkey, ngx_envelope_reason_t *reason)
{
    if (found->priv != NULL) {
        if (EVP_PKEY_eq(found->priv, pkey) == 1) {
            return NGX_OK;
        }

        return ngx_envelope_declined(reason, "there are two different private "
                                     "keys in it");
    }

    if (EVP_PKEY_up_ref(pkey) != 1) {
        return ngx_envelope_failed(reason, "EVP_PKEY_up_ref() failed");
    }

    found->priv = pkey;

    return NGX_OK;
}


ngx_int_t
ngx_envelope_key_found_public(ngx_envelope_key_found_t *found, EVP_PKEY *pkey,
    ngx_envelope_reason_t *reason)
{
    if (found->pub != NULL) {
        return NGX_OK;
    }

    if (EVP_PKEY_up_ref(pkey) != 1) {
        return ngx_envelope_failed(reason, "EVP_PKEY_up_ref() failed");
    }

    found->pub = pkey;

    return NGX_OK;
}


ngx_int_t
ngx_envelope_key_found_cert(ngx_envelope_key_found_t *found, X509 *cert,
    ngx_envelope_reason_t *reason)
{
    EVP_PKEY  *pkey;

    pkey = X509_get0_pubkey(cert);
    if (pkey == NULL) {
        return ngx_envelope_declined(reason, "the key of a certificate is of "
                                     "an unknown type");
    }

    if (found->certs == NULL) {
        found->certs = sk_X509_new_null();
        if (found->certs == NULL) {
            return ngx_envelope_failed(reason, "out of memory");
        }
    }

    if (X509_up_ref(cert) != 1) {
        return ngx_envelope_failed(reason, "X509_up_ref() failed");
    }

    if (sk_X509_push(found->certs, cert) <= 0) {
        X509_free(cert);
        return ngx_envelope_failed(reason, "out of memory");
    }

    return ngx_envelope_key_found_public(found, pkey, reason);
}
