
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_alg_key.h"
#include "ngx_envelope_secret.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>


/* a key that the algorithm has been prepared for, to sign or to verify */

typedef struct {
    const ngx_envelope_key_t     *key;
    ngx_uint_t                    sign;
    EVP_MD_CTX                   *ctx;
} ngx_envelope_alg_ready_t;


static EVP_MD_CTX *ngx_envelope_alg_ready(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign);
static void ngx_envelope_alg_ready_cleanup(void *data);
static EVP_MD_CTX *ngx_envelope_alg_context(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign);
static ngx_int_t ngx_envelope_alg_join(ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t n, ngx_str_t *joined);
static int ngx_envelope_alg_sign_final(const ngx_envelope_alg_t *alg,
    EVP_MD_CTX *ctx, ngx_str_t *text, ngx_uint_t n, ngx_str_t *sig);
static int ngx_envelope_alg_verify_final(const ngx_envelope_alg_t *alg,
    EVP_MD_CTX *ctx, ngx_str_t *text, ngx_uint_t n, u_char *sig, size_t len);
static ngx_int_t ngx_envelope_alg_from_der(ngx_str_t *sig, size_t half);
static int ngx_envelope_alg_to_der(ngx_str_t *sig, size_t half,
    u_char **der);


ngx_int_t
ngx_envelope_alg_prepare(ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign, ngx_pool_t *pool,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t                  rc;
    ngx_pool_cleanup_t        *cln;
    ngx_envelope_alg_ready_t  *ready;

    rc = ngx_envelope_alg_check(alg, key, sign, reason);

    if (rc != NGX_OK || ngx_envelope_alg_ready(alg, key, sign)) {
        return rc;
    }

    if (alg->ready.elts == NULL
        && ngx_array_init(&alg->ready, pool, 2,
                          sizeof(ngx_envelope_alg_ready_t))
           != NGX_OK)
    {
        return ngx_envelope_failed(reason, "out of memory");
    }

    cln = ngx_pool_cleanup_add(pool, 0);
    ready = ngx_array_push(&alg->ready);

    if (cln == NULL || ready == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    ready->key = key;
    ready->sign = sign;
    ready->ctx = ngx_envelope_alg_key_start(alg, key, sign);

    if (ready->ctx == NULL) {
        alg->ready.nelts--;
        ERR_clear_error();
        return ngx_envelope_failed(reason, "%V failed", &alg->def->name);
    }

    cln->handler = ngx_envelope_alg_ready_cleanup;
    cln->data = ready->ctx;

    return NGX_OK;
}


static EVP_MD_CTX *
ngx_envelope_alg_ready(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign)
{
    ngx_uint_t                 i;
    ngx_envelope_alg_ready_t  *ready;

    ready = alg->ready.elts;

    for (i = 0; i < alg->ready.nelts; i++) {
        if (ready[i].key == key && ready[i].sign == sign) {
            return ready[i].ctx;
        }
    }

    return NULL;
}


static void
ngx_envelope_alg_ready_cleanup(void *data)
{
    EVP_MD_CTX_free(data);
}


/* a copy of the context that was prepared, or a new one where none was */

static EVP_MD_CTX *
ngx_envelope_alg_context(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign)
{
    EVP_MD_CTX  *ready, *ctx;

    ready = ngx_envelope_alg_ready(alg, key, sign);

    if (ready == NULL) {
        return ngx_envelope_alg_key_start(alg, key, sign);
    }

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL || EVP_MD_CTX_copy_ex(ctx, ready) != 1) {
        EVP_MD_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


/*
 * PSS: the digest of MGF1 is the signature's own by default.  When verifying,
 * RSA_PSS_SALTLEN_DIGEST takes no other length of salt.
 */

EVP_MD_CTX *
ngx_envelope_alg_key_start(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t sign)
{
    int            rc;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return NULL;
    }

    rc = sign ? EVP_DigestSignInit(ctx, &pctx, alg->md, NULL, key->pkey)
              : EVP_DigestVerifyInit(ctx, &pctx, alg->md, NULL, key->pkey);
    if (rc != 1) {
        goto failed;
    }

    if (!(alg->def->flags & NGX_ENVELOPE_ALG_PSS)) {
        return ctx;
    }

    if (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) != 1
        || EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, alg->md) != 1
        || EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) != 1)
    {
        goto failed;
    }

    return ctx;

failed:

    EVP_MD_CTX_free(ctx);

    return NULL;
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
    ngx_str_t    joined;
    EVP_MD_CTX  *ctx;

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

    ctx = ngx_envelope_alg_context(alg, key, 1);

    if (ctx == NULL
        || ngx_envelope_alg_sign_final(alg, ctx, text, n, sig) != 1)
    {
        goto failed;
    }

    if (alg->def->half
        && ngx_envelope_alg_from_der(sig, alg->def->half) != NGX_OK)
    {
        goto failed;
    }

    EVP_MD_CTX_free(ctx);

    return NGX_OK;

failed:

    EVP_MD_CTX_free(ctx);
    ERR_clear_error();

    return ngx_envelope_failed(reason, "%V failed", &alg->def->name);
}


ngx_int_t
ngx_envelope_alg_key_verify(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t n, ngx_str_t *sig, ngx_envelope_reason_t *reason)
{
    int          len;
    u_char      *der;
    ngx_int_t    rc;
    ngx_str_t    joined, given;
    EVP_MD_CTX  *ctx;

    if (alg->md == NULL) {
        if (ngx_envelope_alg_join(pool, text, n, &joined) != NGX_OK) {
            return ngx_envelope_failed(reason, "out of memory");
        }

        text = &joined;
        n = 1;
    }

    der = NULL;
    given = *sig;

    ctx = ngx_envelope_alg_context(alg, key, 0);
    if (ctx == NULL) {
        rc = ngx_envelope_failed(reason, "%V failed", &alg->def->name);
        goto done;
    }

    rc = NGX_DECLINED;

    if (alg->def->half) {
        len = ngx_envelope_alg_to_der(sig, alg->def->half, &der);
        if (len <= 0) {
            goto done;
        }

        given.data = der;
        given.len = len;
    }

    /* anything but exactly 1, a fault inside OpenSSL too, is a refusal */

    if (ngx_envelope_alg_verify_final(alg, ctx, text, n, given.data,
                                      given.len)
        == 1)
    {
        rc = NGX_OK;
    }

done:

    OPENSSL_free(der);
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();

    if (rc == NGX_DECLINED) {
        return ngx_envelope_declined(reason, NGX_ENVELOPE_ALG_MISMATCH);
    }

    return rc;
}


static int
ngx_envelope_alg_sign_final(const ngx_envelope_alg_t *alg, EVP_MD_CTX *ctx,
    ngx_str_t *text, ngx_uint_t n, ngx_str_t *sig)
{
    ngx_uint_t  i;

    if (alg->md == NULL) {
        return EVP_DigestSign(ctx, sig->data, &sig->len, text->data,
                              text->len);
    }

    for (i = 0; i < n; i++) {
        if (EVP_DigestSignUpdate(ctx, text[i].data, text[i].len) != 1) {
            return 0;
        }
    }

    return EVP_DigestSignFinal(ctx, sig->data, &sig->len);
}


static int
ngx_envelope_alg_verify_final(const ngx_envelope_alg_t *alg, EVP_MD_CTX *ctx,
    ngx_str_t *text, ngx_uint_t n, u_char *sig, size_t len)
{
    ngx_uint_t  i;

    if (alg->md == NULL) {
        return EVP_DigestVerify(ctx, sig, len, text->data, text->len);
    }

    for (i = 0; i < n; i++) {
        if (EVP_DigestVerifyUpdate(ctx, text[i].data, text[i].len) != 1) {
            return 0;
        }
    }

    return EVP_DigestVerifyFinal(ctx, sig, len);
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
