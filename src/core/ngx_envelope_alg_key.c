
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_alg_key.h"
#include "ngx_envelope_errors.h"
#include "ngx_envelope_secret.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>


static void *ngx_envelope_alg_start(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign);
static EVP_PKEY_CTX *ngx_envelope_alg_start_key(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign);
static EVP_MD_CTX *ngx_envelope_alg_start_whole(const ngx_envelope_key_t *key,
    ngx_uint_t sign);
static void *ngx_envelope_alg_take(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign);
static void ngx_envelope_alg_give(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign, void *ctx,
    ngx_uint_t good);
static ngx_int_t ngx_envelope_alg_join(ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t n, ngx_str_t *joined);
static int ngx_envelope_alg_sign_text(const ngx_envelope_alg_t *alg,
    void *ctx, ngx_str_t *text, ngx_uint_t n, ngx_str_t *sig);
static int ngx_envelope_alg_verify_text(const ngx_envelope_alg_t *alg,
    void *ctx, ngx_str_t *text, ngx_uint_t n, ngx_str_t *sig);
static ngx_int_t ngx_envelope_alg_from_der(ngx_str_t *sig, size_t half);
static int ngx_envelope_alg_to_der(ngx_str_t *sig, size_t half,
    u_char **der);


/* Ed25519 takes the text itself, and another type of context for that */

static ngx_inline const ngx_envelope_ready_type_t *
ngx_envelope_alg_type(const ngx_envelope_alg_t *alg)
{
    return alg->md ? &ngx_envelope_ready_pkey : &ngx_envelope_ready_md;
}


ngx_int_t
ngx_envelope_alg_prepare(ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign, ngx_pool_t *pool,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;

    rc = ngx_envelope_alg_check(alg, key, sign, reason);

    if (rc != NGX_OK || ngx_envelope_ready_find(alg->ready, key, sign)) {
        return rc;
    }

    if (ngx_envelope_ready_add(&alg->ready, pool, ngx_envelope_alg_type(alg),
                               key, sign,
                               ngx_envelope_alg_start(alg, key, sign))
        != NGX_OK)
    {
        ngx_envelope_errors_clear();
        return ngx_envelope_failed(reason, "%V failed", &alg->def->name);
    }

    return NGX_OK;
}


ngx_int_t
ngx_envelope_alg_key_try(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign)
{
    void  *ctx;

    ctx = ngx_envelope_alg_start(alg, key, sign);
    ngx_envelope_alg_type(alg)->free(ctx);

    return ctx ? NGX_OK : NGX_DECLINED;
}


static void *
ngx_envelope_alg_start(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign)
{
    return alg->md ? (void *) ngx_envelope_alg_start_key(alg, key, sign)
                   : (void *) ngx_envelope_alg_start_whole(key, sign);
}


/*
 * PSS: the digest of MGF1 is the signature's own by default.  When verifying,
 * RSA_PSS_SALTLEN_DIGEST takes no other length of salt.
 */

static EVP_PKEY_CTX *
ngx_envelope_alg_start_key(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign)
{
    EVP_PKEY_CTX  *ctx;

    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);

    if (ctx == NULL
        || (sign ? EVP_PKEY_sign_init(ctx) : EVP_PKEY_verify_init(ctx)) != 1
        || EVP_PKEY_CTX_set_signature_md(ctx, alg->md) != 1)
    {
        goto failed;
    }

    if (!(alg->def->flags & NGX_ENVELOPE_ALG_PSS)) {
        return ctx;
    }

    if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) != 1
        || EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, alg->md) != 1
        || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) != 1)
    {
        goto failed;
    }

    return ctx;

failed:

    EVP_PKEY_CTX_free(ctx);

    return NULL;
}


static EVP_MD_CTX *
ngx_envelope_alg_start_whole(const ngx_envelope_key_t *key, ngx_uint_t sign)
{
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL
        || (sign ? EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey)
                 : EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->pkey))
           != 1)
    {
        EVP_MD_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


/* one that was prepared, or a new one where none was */

static void *
ngx_envelope_alg_take(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign)
{
    ngx_envelope_ready_t  *ready;

    ready = ngx_envelope_ready_find(alg->ready, key, sign);

    return ready ? ngx_envelope_ready_take(ready)
                 : ngx_envelope_alg_start(alg, key, sign);
}


/* Ed25519's can be used but once */

static void
ngx_envelope_alg_give(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign, void *ctx,
    ngx_uint_t good)
{
    ngx_envelope_ready_t  *ready;

    ready = ngx_envelope_ready_find(alg->ready, key, sign);

    if (good && ready && alg->md) {
        ngx_envelope_ready_give(ready, ctx);

    } else {
        ngx_envelope_alg_type(alg)->free(ctx);
    }
}


static ngx_int_t
ngx_envelope_alg_join(ngx_pool_t *pool, ngx_str_t *text, ngx_uint_t n,
    ngx_str_t *joined)
{
    u_char      *p;
    size_t       len;
    ngx_uint_t   i;

    if (n == 1) {
        *joined = text[0];
        return NGX_OK;
    }

    len = 0;

    for (i = 0; i < n; i++) {
        len += text[i].len;
    }

    p = ngx_envelope_secret_alloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    joined->data = p;
    joined->len = len;

    for (i = 0; i < n; i++) {
        if (text[i].len) {
            p = ngx_cpymem(p, text[i].data, text[i].len);
        }
    }

    return NGX_OK;
}


/*
 * RSA and ECDSA hash as the pieces come.  Ed25519 goes over the text twice
 * and takes it in one piece only: md is NULL.
 */

ngx_int_t
ngx_envelope_alg_key_sign(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t n, ngx_str_t *sig, ngx_envelope_reason_t *reason)
{
    void        *ctx;
    ngx_str_t    joined;
    ngx_uint_t   good;

    if (!key->has_private) {
        return ngx_envelope_declined(reason, "%V needs a private key here, "
                                     "this is a public one", &alg->def->name);
    }

    sig->len = EVP_PKEY_get_size(key->pkey);
    sig->data = ngx_pnalloc(pool, sig->len);
    if (sig->data == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    if (alg->md == NULL) {
        if (ngx_envelope_alg_join(pool, text, n, &joined) != NGX_OK) {
            return ngx_envelope_failed(reason, "out of memory");
        }

        text = &joined;
        n = 1;
    }

    ctx = ngx_envelope_alg_take(alg, key, 1);

    good = (ctx && ngx_envelope_alg_sign_text(alg, ctx, text, n, sig) == 1);

    ngx_envelope_alg_give(alg, key, 1, ctx, good);

    if (!good
        || (alg->def->half
            && ngx_envelope_alg_from_der(sig, alg->def->half) != NGX_OK))
    {
        ngx_envelope_errors_clear();
        return ngx_envelope_failed(reason, "%V failed", &alg->def->name);
    }

    return NGX_OK;
}


ngx_int_t
ngx_envelope_alg_key_verify(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t n, ngx_str_t *sig, ngx_envelope_reason_t *reason)
{
    int          len;
    void        *ctx;
    u_char      *der;
    ngx_str_t    joined, given;
    ngx_uint_t   good;

    if (alg->md == NULL) {
        if (ngx_envelope_alg_join(pool, text, n, &joined) != NGX_OK) {
            return ngx_envelope_failed(reason, "out of memory");
        }

        text = &joined;
        n = 1;
    }

    der = NULL;
    given = *sig;

    if (alg->def->half) {
        len = ngx_envelope_alg_to_der(sig, alg->def->half, &der);
        given.data = der;
        given.len = ngx_max(len, 0);
    }

    ctx = ngx_envelope_alg_take(alg, key, 0);

    /* anything but exactly 1, a fault inside OpenSSL too, is a refusal */

    good = (ctx
            && given.len
            && ngx_envelope_alg_verify_text(alg, ctx, text, n, &given) == 1);

    ngx_envelope_alg_give(alg, key, 0, ctx, good);

    OPENSSL_free(der);

    if (good) {
        return NGX_OK;
    }

    ngx_envelope_errors_clear();

    if (ctx == NULL) {
        return ngx_envelope_failed(reason, "%V failed", &alg->def->name);
    }

    return ngx_envelope_declined(reason, NGX_ENVELOPE_ALG_MISMATCH);
}


static int
ngx_envelope_alg_sign_text(const ngx_envelope_alg_t *alg, void *ctx,
    ngx_str_t *text, ngx_uint_t n, ngx_str_t *sig)
{
    int     rc;
    size_t  len;
    u_char  digest[EVP_MAX_MD_SIZE];

    if (alg->md == NULL) {
        return EVP_DigestSign(ctx, sig->data, &sig->len, text->data,
                              text->len);
    }

    if (ngx_envelope_alg_digest(alg, text, n, digest, &len) != NGX_OK) {
        return 0;
    }

    rc = EVP_PKEY_sign(ctx, sig->data, &sig->len, digest, len);

    OPENSSL_cleanse(digest, sizeof(digest));

    return rc;
}


static int
ngx_envelope_alg_verify_text(const ngx_envelope_alg_t *alg, void *ctx,
    ngx_str_t *text, ngx_uint_t n, ngx_str_t *sig)
{
    int     rc;
    size_t  len;
    u_char  digest[EVP_MAX_MD_SIZE];

    if (alg->md == NULL) {
        return EVP_DigestVerify(ctx, sig->data, sig->len, text->data,
                                text->len);
    }

    if (ngx_envelope_alg_digest(alg, text, n, digest, &len) != NGX_OK) {
        return 0;
    }

    rc = EVP_PKEY_verify(ctx, sig->data, sig->len, digest, len);

    OPENSSL_cleanse(digest, sizeof(digest));

    return rc;
}


/*
 * ECDSA: OpenSSL has a SEQUENCE of r and s in DER, RFC 7518 has them one after
 * the other, each as long as the curve's order.  sig->data has room for what
 * EVP_PKEY_get_size() says, which is the longest SEQUENCE: more than both.
 */

static ngx_int_t
ngx_envelope_alg_from_der(ngx_str_t *sig, size_t half)
{
    ngx_int_t       rc;
    ECDSA_SIG      *ecdsa;
    const u_char   *p;

    p = sig->data;

    ecdsa = d2i_ECDSA_SIG(NULL, &p, (long) sig->len);
    if (ecdsa == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (BN_bn2binpad(ECDSA_SIG_get0_r(ecdsa), sig->data, (int) half)
            == (int) half
        && BN_bn2binpad(ECDSA_SIG_get0_s(ecdsa), sig->data + half, (int) half)
               == (int) half)
    {
        sig->len = 2 * half;
        rc = NGX_OK;
    }

    ECDSA_SIG_free(ecdsa);

    return rc;
}


/* returns the length of *der, which OPENSSL_free() takes, or at most 0 */

static int
ngx_envelope_alg_to_der(ngx_str_t *sig, size_t half, u_char **der)
{
    int         len;
    BIGNUM     *r, *s;
    ECDSA_SIG  *ecdsa;

    if (sig->len != 2 * half) {
        return 0;
    }

    len = 0;

    r = BN_bin2bn(sig->data, (int) half, NULL);
    s = BN_bin2bn(sig->data + half, (int) half, NULL);
    ecdsa = ECDSA_SIG_new();

    if (r == NULL || s == NULL || ecdsa == NULL
        || ECDSA_SIG_set0(ecdsa, r, s) != 1)
    {
        goto done;
    }

    /* r and s are the signature's from here on */

    r = NULL;
    s = NULL;

    len = i2d_ECDSA_SIG(ecdsa, der);

done:

    ECDSA_SIG_free(ecdsa);
    BN_free(r);
    BN_free(s);

    return len;
}
