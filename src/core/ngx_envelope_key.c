
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_key_read.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/ui.h>


typedef struct {
    const char  *name;     /* EVP_PKEY_is_a() */
    ngx_uint_t   rsa;
} ngx_envelope_key_type_t;


static ngx_int_t ngx_envelope_key_found_init(ngx_envelope_key_found_t *found,
    ngx_str_t *password, ngx_envelope_reason_t *reason);
static void ngx_envelope_key_found_free(ngx_envelope_key_found_t *found);
static ngx_int_t ngx_envelope_key_take(ngx_envelope_key_t *key,
    ngx_pool_t *pool, ngx_envelope_key_found_t *found,
    ngx_envelope_reason_t *reason);
static void ngx_envelope_key_cleanup(void *data);
static ngx_int_t ngx_envelope_key_check(const ngx_envelope_key_t *key,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_key_check_rsa(const ngx_envelope_key_t *key,
    ngx_envelope_reason_t *reason);
static ngx_uint_t ngx_envelope_key_pair(EVP_PKEY *pkey);
static time_t ngx_envelope_key_expiry(ngx_envelope_key_found_t *found,
    EVP_PKEY *pkey);
static ngx_int_t ngx_envelope_key_load(ngx_envelope_key_found_t *found,
    OSSL_STORE_CTX *store, ngx_envelope_reason_t *reason);


static const ngx_envelope_key_type_t  ngx_envelope_key_types[] = {
    { "RSA", 1 },
    { "RSA-PSS", 1 },
    { "EC", 0 },
    { "ED25519", 0 },
    { "ED448", 0 },
    { NULL, 0 }
};


ngx_int_t
ngx_envelope_key_parse(ngx_envelope_key_t *key, ngx_pool_t *pool,
    ngx_str_t *content, ngx_str_t *password, ngx_envelope_reason_t *reason)
{
    ngx_int_t                 rc;
    ngx_envelope_key_found_t  found;

    if (content->len > NGX_ENVELOPE_KEY_CONTENT_MAX) {
        return ngx_envelope_declined(reason, "%uz bytes are too many for a "
                                     "key, %uz are the most", content->len,
                                     (size_t) NGX_ENVELOPE_KEY_CONTENT_MAX);
    }

    rc = ngx_envelope_key_found_init(&found, password, reason);

    if (rc == NGX_OK) {
        rc = ngx_envelope_key_read(&found, content, reason);
    }

    if (rc == NGX_OK) {
        rc = ngx_envelope_key_take(key, pool, &found, reason);
    }

    ngx_envelope_key_found_free(&found);
    ERR_clear_error();

    return rc;
}


static ngx_int_t
ngx_envelope_key_found_init(ngx_envelope_key_found_t *found,
    ngx_str_t *password, ngx_envelope_reason_t *reason)
{
    ngx_memzero(found, sizeof(ngx_envelope_key_found_t));

    if (password->len
        && memchr(password->data, '\0', password->len) != NULL)
    {
        return ngx_envelope_declined(reason, "there is a zero byte in the "
                                     "password");
    }

    if (password->len > NGX_ENVELOPE_KEY_CONTENT_MAX) {
        return ngx_envelope_declined(reason, "the password is too long");
    }

    found->password = OPENSSL_zalloc(password->len + 1);
    if (found->password == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    if (password->len) {
        ngx_memcpy(found->password, password->data, password->len);
    }

    found->password_len = password->len;

    return NGX_OK;
}


static void
ngx_envelope_key_found_free(ngx_envelope_key_found_t *found)
{
    EVP_PKEY_free(found->priv);
    EVP_PKEY_free(found->pub);
    sk_X509_pop_free(found->certs, X509_free);
    OPENSSL_clear_free(found->password, found->password_len + 1);
}


static ngx_int_t
ngx_envelope_key_take(ngx_envelope_key_t *key, ngx_pool_t *pool,
    ngx_envelope_key_found_t *found, ngx_envelope_reason_t *reason)
{
    ngx_int_t            rc;
    ngx_envelope_key_t   taken;
    ngx_pool_cleanup_t  *cln;

    taken = *key;
    taken.pkey = found->priv ? found->priv : found->pub;
    taken.has_private = (found->priv != NULL);

    if (taken.pkey == NULL) {
        return ngx_envelope_declined(reason, "there is no key in it");
    }

    taken.not_after = ngx_envelope_key_expiry(found, taken.pkey);

    rc = ngx_envelope_key_check(&taken, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL || EVP_PKEY_up_ref(taken.pkey) != 1) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    cln->handler = ngx_envelope_key_cleanup;
    cln->data = taken.pkey;

    *key = taken;

    return NGX_OK;
}


static void
ngx_envelope_key_cleanup(void *data)
{
    EVP_PKEY_free(data);
}


static ngx_int_t
ngx_envelope_key_check(const ngx_envelope_key_t *key,
    ngx_envelope_reason_t *reason)
{
    u_char                          buf[NGX_ENVELOPE_KEY_NAME_LEN];
    ngx_int_t                       rc;
    const ngx_envelope_key_type_t  *type;

    for (type = ngx_envelope_key_types; type->name; type++) {
        if (EVP_PKEY_is_a(key->pkey, type->name) == 1) {
            break;
        }
    }

    if (type->name == NULL) {
        return ngx_envelope_declined(reason, "a key of type %s is of no use "
                                     "here, RSA, EC or EdDSA is",
                                     ngx_envelope_key_describe(key, buf));
    }

    if (type->rsa) {
        rc = ngx_envelope_key_check_rsa(key, reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (key->has_private && !ngx_envelope_key_pair(key->pkey)) {
        return ngx_envelope_declined(reason, "the private key (%s) is "
                                     "damaged: it does not sign what its own "
                                     "public key verifies",
                                     ngx_envelope_key_describe(key, buf));
    }

    return NGX_OK;
}


/* an exponent of 1 would send everything as it is */

static ngx_int_t
ngx_envelope_key_check_rsa(const ngx_envelope_key_t *key,
    ngx_envelope_reason_t *reason)
{
    int         bits;
    BIGNUM     *e;
    ngx_int_t   rc;

    bits = EVP_PKEY_get_bits(key->pkey);

    if (bits < NGX_ENVELOPE_RSA_BITS_MIN || bits > NGX_ENVELOPE_RSA_BITS_MAX) {
        return ngx_envelope_declined(reason, "an RSA key of %d bits is not "
                                     "taken, %d to %d are", bits,
                                     NGX_ENVELOPE_RSA_BITS_MIN,
                                     NGX_ENVELOPE_RSA_BITS_MAX);
    }

    e = NULL;

    if (EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1) {
        return ngx_envelope_declined(reason, "the RSA key has no public "
                                     "exponent");
    }

    rc = NGX_OK;

    if (BN_is_one(e) || !BN_is_odd(e)) {
        rc = ngx_envelope_declined(reason, "the RSA key's public exponent is "
                                   "even or 1");
    }

    BN_free(e);

    return rc;
}


/*
 * EVP_PKEY_check() would look for primes, which takes a second for RSA of
 * 4096 bits.  This takes one signature and finds what happens to keys: halves
 * of different pairs, damaged numbers.
 */

static ngx_uint_t
ngx_envelope_key_pair(EVP_PKEY *pkey)
{
    size_t         len;
    u_char        *sig;
    ngx_uint_t     ok;
    EVP_MD_CTX    *ctx;
    static u_char  text[] = "ngx_envelope_key_check";

    ok = 0;
    len = EVP_PKEY_get_size(pkey);

    sig = OPENSSL_malloc(len);
    ctx = EVP_MD_CTX_new();

    if (sig == NULL || ctx == NULL
        || EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) != 1
        || EVP_DigestSign(ctx, sig, &len, text, sizeof(text)) != 1
        || EVP_MD_CTX_reset(ctx) != 1
        || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) != 1)
    {
        goto done;
    }

    ok = (EVP_DigestVerify(ctx, sig, len, text, sizeof(text)) == 1);

done:

    EVP_MD_CTX_free(ctx);
    OPENSSL_free(sig);

    return ok;
}


/* of the key's own certificate, not of one further up its chain */

static time_t
ngx_envelope_key_expiry(ngx_envelope_key_found_t *found, EVP_PKEY *pkey)
{
    int         i, days, seconds;
    X509       *cert;
    time_t      expiry;
    EVP_PKEY   *pub;
    ASN1_TIME  *epoch;

    expiry = 0;

    epoch = ASN1_TIME_set(NULL, 0);
    if (epoch == NULL) {
        return 0;
    }

    for (i = 0; i < sk_X509_num(found->certs); i++) {
        cert = sk_X509_value(found->certs, i);
        pub = X509_get0_pubkey(cert);

        if (pub != NULL && EVP_PKEY_eq(pub, pkey) == 1) {
            if (ASN1_TIME_diff(&days, &seconds, epoch,
                               X509_get0_notAfter(cert))
                == 1)
            {
                expiry = (time_t) days * 86400 + seconds;
            }

            break;
        }
    }

    ASN1_TIME_free(epoch);

    return expiry;
}


u_char *
ngx_envelope_key_describe(const ngx_envelope_key_t *key, u_char *buf)
{
    char         group[NGX_ENVELOPE_KEY_NAME_LEN / 2];
    u_char      *p, *last;
    size_t       len;
    const char  *name, *nist;

    last = buf + NGX_ENVELOPE_KEY_NAME_LEN - 1;
    name = EVP_PKEY_get0_type_name(key->pkey);

    p = ngx_slprintf(buf, last, "%s", name ? name : "unknown");

    if (EVP_PKEY_is_a(key->pkey, "RSA") == 1
        || EVP_PKEY_is_a(key->pkey, "RSA-PSS") == 1)
    {
        p = ngx_slprintf(p, last, " of %d bits", EVP_PKEY_get_bits(key->pkey));

    } else if (EVP_PKEY_is_a(key->pkey, "EC") == 1
               && EVP_PKEY_get_group_name(key->pkey, group, sizeof(group),
                                          &len)
                  == 1)
    {
        nist = EC_curve_nid2nist(OBJ_txt2nid(group));
        p = ngx_slprintf(p, last, " on %s", nist ? nist : group);
    }

    *p = '\0';

    ERR_clear_error();

    return buf;
}


/*
 * A URI may hold a PIN, so that no reason quotes it.  What a store hands out
 * stays in its provider: a key in a token is used there.
 */

ngx_int_t
ngx_envelope_key_store(ngx_envelope_key_t *key, ngx_pool_t *pool, u_char *uri,
    ngx_str_t *password, ngx_envelope_reason_t *reason)
{
    ngx_int_t                  rc;
    UI_METHOD                 *ui;
    OSSL_STORE_CTX            *store;
    ngx_envelope_key_found_t   found;

    ui = NULL;
    store = NULL;

    rc = ngx_envelope_key_found_init(&found, password, reason);
    if (rc != NGX_OK) {
        goto done;
    }

    ui = UI_UTIL_wrap_read_pem_callback(ngx_envelope_key_password, 0);
    if (ui == NULL) {
        rc = ngx_envelope_failed(reason, "UI_UTIL_wrap_read_pem_callback() "
                                 "failed");
        goto done;
    }

    store = OSSL_STORE_open_ex((char *) uri, NULL, NULL, ui, &found, NULL,
                               NULL, NULL);
    if (store == NULL) {
        rc = ngx_envelope_declined(reason, "OpenSSL cannot open this store: "
                                   "there is nothing at the URI, or no loader "
                                   "or provider for its scheme");
        goto done;
    }

    rc = ngx_envelope_key_load(&found, store, reason);

    if (rc == NGX_OK) {
        rc = ngx_envelope_key_take(key, pool, &found, reason);
    }

done:

    if (store != NULL) {
        (void) OSSL_STORE_close(store);
    }

    UI_destroy_method(ui);
    ngx_envelope_key_found_free(&found);
    ERR_clear_error();

    return rc;
}


static ngx_int_t
ngx_envelope_key_load(ngx_envelope_key_found_t *found, OSSL_STORE_CTX *store,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t         rc;
    ngx_uint_t        failed;
    OSSL_STORE_INFO  *info;

    rc = NGX_OK;
    failed = 0;

    while (rc == NGX_OK && OSSL_STORE_eof(store) != 1) {

        ERR_clear_error();

        info = OSSL_STORE_load(store);

        if (info == NULL) {

            /* the end of a PEM file is an "error" too, with none queued */

            if (OSSL_STORE_error(store) == 1) {
                failed = (ERR_peek_error() != 0);
                break;
            }

            continue;
        }

        switch (OSSL_STORE_INFO_get_type(info)) {

        case OSSL_STORE_INFO_PKEY:
            rc = ngx_envelope_key_found_private(found,
                                          OSSL_STORE_INFO_get0_PKEY(info),
                                          reason);
            break;

        case OSSL_STORE_INFO_PUBKEY:
            rc = ngx_envelope_key_found_public(found,
                                         OSSL_STORE_INFO_get0_PUBKEY(info),
                                         reason);
            break;

        case OSSL_STORE_INFO_CERT:
            rc = ngx_envelope_key_found_cert(found,
                                       OSSL_STORE_INFO_get0_CERT(info),
                                       reason);
            break;
        }

        OSSL_STORE_INFO_free(info);
    }

    if (failed) {
        return found->asked
               ? ngx_envelope_key_locked(found, "the store", 0, reason)
               : ngx_envelope_declined(reason, "OpenSSL cannot read this "
                                       "store");
    }

    return rc;
}
