
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_alg_key.h"

#include "ngx_envelope_errors.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>


/* from 3.0.3 on a context starts anew with the key it has: commit 4f675d8 */

#define NGX_ENVELOPE_HMAC_RESTARTS    0x30000030L

/*
 * Digests with blocks of that many bytes overwrite the last one, a part of
 * the text, when they are done; the larger ones do when they are freed.
 */

#define NGX_ENVELOPE_DIGEST_CLEANSED  64


static ngx_int_t ngx_envelope_alg_fetch_md(ngx_envelope_alg_t *alg,
    ngx_pool_t *pool, ngx_envelope_reason_t *reason);
static void ngx_envelope_alg_md_cleanup(void *data);
static ngx_int_t ngx_envelope_alg_fetch_mac(ngx_envelope_alg_t *alg,
    ngx_pool_t *pool, ngx_envelope_reason_t *reason);
static ngx_uint_t ngx_envelope_alg_fits(const ngx_envelope_alg_def_t *def,
    const ngx_envelope_key_t *key);
static ngx_uint_t ngx_envelope_alg_long_enough(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key);
static ngx_int_t ngx_envelope_alg_hmac(const ngx_envelope_alg_t *alg,
    ngx_str_t *secret, ngx_str_t *text, ngx_uint_t n, u_char *out,
    size_t *len);
static ngx_int_t ngx_envelope_alg_keyless(const ngx_envelope_alg_t *alg,
    ngx_str_t *secret, ngx_str_t *text, ngx_uint_t n, u_char *out,
    size_t *len, ngx_envelope_reason_t *reason);


#define ngx_envelope_alg_rsa(name, md, flags)                                 \
    { ngx_string(name), NGX_ENVELOPE_ALG_PUBLIC, md, "RSA", NULL, NULL, 0,    \
      flags }

#define ngx_envelope_alg_ec(name, md, group, curve, half)                     \
    { ngx_string(name), NGX_ENVELOPE_ALG_PUBLIC, md, "EC", group, curve,      \
      half, 0 }

#define ngx_envelope_alg_other(name, kind, md, type)                          \
    { ngx_string(name), kind, md, type, NULL, NULL, 0, 0 }


static const ngx_envelope_alg_def_t  ngx_envelope_alg_defs[] = {

    ngx_envelope_alg_rsa("rs1", "SHA1", 0),
    ngx_envelope_alg_rsa("rs256", "SHA256", 0),
    ngx_envelope_alg_rsa("rs384", "SHA384", 0),
    ngx_envelope_alg_rsa("rs512", "SHA512", 0),

    ngx_envelope_alg_rsa("ps256", "SHA256", NGX_ENVELOPE_ALG_PSS),
    ngx_envelope_alg_rsa("ps384", "SHA384", NGX_ENVELOPE_ALG_PSS),
    ngx_envelope_alg_rsa("ps512", "SHA512", NGX_ENVELOPE_ALG_PSS),

    ngx_envelope_alg_ec("es256", "SHA256", "prime256v1", "P-256", 32),
    ngx_envelope_alg_ec("es384", "SHA384", "secp384r1", "P-384", 48),

    ngx_envelope_alg_other("eddsa", NGX_ENVELOPE_ALG_PUBLIC, NULL, "ED25519"),

    ngx_envelope_alg_other("hs1", NGX_ENVELOPE_ALG_HMAC, "SHA1", NULL),
    ngx_envelope_alg_other("hs256", NGX_ENVELOPE_ALG_HMAC, "SHA256", NULL),
    ngx_envelope_alg_other("hs384", NGX_ENVELOPE_ALG_HMAC, "SHA384", NULL),
    ngx_envelope_alg_other("hs512", NGX_ENVELOPE_ALG_HMAC, "SHA512", NULL),

    ngx_envelope_alg_other("md5", NGX_ENVELOPE_ALG_DIGEST, "MD5", NULL),
    ngx_envelope_alg_other("sha1", NGX_ENVELOPE_ALG_DIGEST, "SHA1", NULL),
    ngx_envelope_alg_other("sha256", NGX_ENVELOPE_ALG_DIGEST, "SHA256", NULL),
    ngx_envelope_alg_other("sha512", NGX_ENVELOPE_ALG_DIGEST, "SHA512", NULL),

    { ngx_null_string, NGX_ENVELOPE_ALG_DIGEST, NULL, NULL, NULL, NULL, 0, 0 }
};


ngx_int_t
ngx_envelope_alg_init(ngx_envelope_alg_t *alg, ngx_pool_t *pool,
    ngx_str_t *name, ngx_envelope_reason_t *reason)
{
    const ngx_envelope_alg_def_t  *def;

    for (def = ngx_envelope_alg_defs; def->name.len; def++) {
        if (def->name.len == name->len
            && ngx_strncmp(def->name.data, name->data, name->len) == 0)
        {
            break;
        }
    }

    if (def->name.len == 0) {
        return ngx_envelope_declined(reason, "unknown algorithm \"%V\"", name);
    }

    alg->def = def;
    alg->kind = def->kind;
    alg->md = NULL;
    alg->once = NULL;
    alg->ready = NULL;

    return def->md ? ngx_envelope_alg_fetch_md(alg, pool, reason) : NGX_OK;
}


static ngx_int_t
ngx_envelope_alg_fetch_md(ngx_envelope_alg_t *alg, ngx_pool_t *pool,
    ngx_envelope_reason_t *reason)
{
    EVP_MD_CTX          *ctx;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    alg->md = EVP_MD_fetch(NULL, alg->def->md, NULL);
    if (alg->md == NULL) {
        ngx_envelope_errors_clear();
        return ngx_envelope_failed(reason, "EVP_MD_fetch(\"%s\") failed",
                                   alg->def->md);
    }

    cln->handler = ngx_envelope_alg_md_cleanup;
    cln->data = alg->md;

    if (alg->kind == NGX_ENVELOPE_ALG_HMAC) {
        return ngx_envelope_alg_fetch_mac(alg, pool, reason);
    }

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL || EVP_DigestInit_ex2(ctx, alg->md, NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        ctx = NULL;
    }

    if (ngx_envelope_ready_add(&alg->once, pool, &ngx_envelope_ready_md, NULL,
                               0, ctx)
        != NGX_OK)
    {
        ngx_envelope_errors_clear();
        return ngx_envelope_failed(reason, "%s failed", alg->def->md);
    }

    return NGX_OK;
}


static void
ngx_envelope_alg_md_cleanup(void *data)
{
    EVP_MD_free(data);
}


/* with its digest; the secret comes with each message */

static ngx_int_t
ngx_envelope_alg_fetch_mac(ngx_envelope_alg_t *alg, ngx_pool_t *pool,
    ngx_envelope_reason_t *reason)
{
    EVP_MAC      *mac;
    OSSL_PARAM    params[2];
    EVP_MAC_CTX  *ctx;

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                 (char *) alg->def->md, 0);
    params[1] = OSSL_PARAM_construct_end();

    mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);

    /* the context has a reference of its own */

    ctx = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);

    if (ctx && EVP_MAC_CTX_set_params(ctx, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        ctx = NULL;
    }

    if (ngx_envelope_ready_add(&alg->once, pool, &ngx_envelope_ready_mac,
                               NULL, 0, ctx)
        != NGX_OK)
    {
        ngx_envelope_errors_clear();
        return ngx_envelope_failed(reason, "HMAC of %s failed", alg->def->md);
    }

    return NGX_OK;
}


ngx_int_t
ngx_envelope_alg_check(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t need_private,
    ngx_envelope_reason_t *reason)
{
    u_char                         buf[NGX_ENVELOPE_KEY_NAME_LEN];
    const ngx_envelope_alg_def_t  *def;

    def = alg->def;

    if (def->kind != NGX_ENVELOPE_ALG_PUBLIC) {
        return ngx_envelope_declined(reason, "%V takes no key of a pair",
                                     &def->name);
    }

    if (!ngx_envelope_alg_fits(def, key)) {
        return ngx_envelope_declined(reason, "%V needs a key of type "
                                     "%s%s%s, this is %s", &def->name,
                                     def->type, def->curve ? " on " : "",
                                     def->curve ? def->curve : "",
                                     ngx_envelope_key_describe(key, buf));
    }

    if (need_private && !key->has_private) {
        return ngx_envelope_declined(reason, "%V needs a private key here, "
                                     "this is a public one", &def->name);
    }

    if (!ngx_envelope_alg_long_enough(alg, key)) {
        return ngx_envelope_declined(reason, "%s is too short for %V",
                                     ngx_envelope_key_describe(key, buf),
                                     &def->name);
    }

    if (ngx_envelope_alg_key_try(alg, key, need_private) != NGX_OK) {
        ngx_envelope_errors_clear();
        return ngx_envelope_declined(reason, "this key's own parameters do "
                                     "not allow %V", &def->name);
    }

    return NGX_OK;
}


ngx_int_t
ngx_envelope_alg_prepare_secret(ngx_envelope_alg_t *alg, ngx_str_t *secret,
    ngx_pool_t *pool, ngx_envelope_reason_t *reason)
{
    EVP_MAC_CTX  *ctx;

    if (alg->kind != NGX_ENVELOPE_ALG_HMAC
        || secret->len == 0
        || ngx_envelope_ready_find(alg->ready, secret->data, 0))
    {
        return NGX_OK;
    }

    ctx = ngx_envelope_ready_take(alg->once);

    if (ctx && EVP_MAC_init(ctx, secret->data, secret->len, NULL) != 1) {
        EVP_MAC_CTX_free(ctx);
        ctx = NULL;
    }

    if (ngx_envelope_ready_add(&alg->ready, pool, &ngx_envelope_ready_mac,
                               secret->data, 0, ctx)
        != NGX_OK)
    {
        ngx_envelope_errors_clear();
        return ngx_envelope_failed(reason, "%V failed", &alg->def->name);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_envelope_alg_fits(const ngx_envelope_alg_def_t *def,
    const ngx_envelope_key_t *key)
{
    char    group[NGX_ENVELOPE_KEY_NAME_LEN];
    size_t  len;

    if (EVP_PKEY_is_a(key->pkey, def->type) != 1) {
        return (def->flags & NGX_ENVELOPE_ALG_PSS)
               && EVP_PKEY_is_a(key->pkey, "RSA-PSS") == 1;
    }

    if (def->group == NULL) {
        return 1;
    }

    if (EVP_PKEY_get_group_name(key->pkey, group, sizeof(group), &len) != 1) {
        ngx_envelope_errors_clear();
        return 0;
    }

    return ngx_strcmp(group, def->group) == 0
           || ngx_strcmp(group, def->curve) == 0;
}


/*
 * PSS wants room for the digest, as much salt, and two bytes, RFC 8017 section
 * 9.1.1; the other RSA signatures fit in any key that is taken at all.
 */

static ngx_uint_t
ngx_envelope_alg_long_enough(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key)
{
    int  bits;

    if (!(alg->def->flags & NGX_ENVELOPE_ALG_PSS)) {
        return 1;
    }

    bits = EVP_PKEY_get_bits(key->pkey);

    return (bits - 1 + 7) / 8 >= 2 * EVP_MD_get_size(alg->md) + 2;
}


ngx_int_t
ngx_envelope_alg_sign(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_str_t *secret, ngx_pool_t *pool,
    ngx_str_t *text, ngx_uint_t n, ngx_str_t *sig,
    ngx_envelope_reason_t *reason)
{
    sig->len = 0;

    if (alg->kind == NGX_ENVELOPE_ALG_PUBLIC) {
        return ngx_envelope_alg_key_sign(alg, key, pool, text, n, sig, reason);
    }

    sig->data = ngx_pnalloc(pool, EVP_MAX_MD_SIZE);
    if (sig->data == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    return ngx_envelope_alg_keyless(alg, secret, text, n, sig->data,
                                    &sig->len, reason);
}


ngx_int_t
ngx_envelope_alg_verify(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_str_t *secret, ngx_pool_t *pool,
    ngx_str_t *text, ngx_uint_t n, ngx_str_t *sig,
    ngx_envelope_reason_t *reason)
{
    u_char     expected[EVP_MAX_MD_SIZE];
    size_t     len;
    ngx_int_t  rc;

    if (alg->kind == NGX_ENVELOPE_ALG_PUBLIC) {
        return ngx_envelope_alg_key_verify(alg, key, pool, text, n, sig,
                                           reason);
    }

    rc = ngx_envelope_alg_keyless(alg, secret, text, n, expected, &len,
                                  reason);

    if (rc == NGX_OK
        && (sig->len != len || CRYPTO_memcmp(sig->data, expected, len) != 0))
    {
        rc = ngx_envelope_declined(reason, NGX_ENVELOPE_ALG_MISMATCH);
    }

    OPENSSL_cleanse(expected, sizeof(expected));

    return rc;
}


static ngx_int_t
ngx_envelope_alg_keyless(const ngx_envelope_alg_t *alg, ngx_str_t *secret,
    ngx_str_t *text, ngx_uint_t n, u_char *out, size_t *len,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;

    if (alg->kind == NGX_ENVELOPE_ALG_DIGEST) {
        rc = ngx_envelope_alg_digest(alg, text, n, out, len);

    } else if (secret == NULL || secret->len == 0) {
        return ngx_envelope_declined(reason, "%V with an empty secret",
                                     &alg->def->name);

    } else {
        rc = ngx_envelope_alg_hmac(alg, secret, text, n, out, len);
    }

    if (rc != NGX_OK) {
        ngx_envelope_errors_clear();
        return ngx_envelope_failed(reason, "%V failed", &alg->def->name);
    }

    return NGX_OK;
}


ngx_int_t
ngx_envelope_alg_digest(const ngx_envelope_alg_t *alg, ngx_str_t *text,
    ngx_uint_t n, u_char *out, size_t *len)
{
    ngx_uint_t    i;
    EVP_MD_CTX   *ctx;
    unsigned int  size;

    ctx = ngx_envelope_ready_take(alg->once);

    if (ctx == NULL || EVP_DigestInit_ex2(ctx, alg->md, NULL) != 1) {
        goto failed;
    }

    for (i = 0; i < n; i++) {
        if (EVP_DigestUpdate(ctx, text[i].data, text[i].len) != 1) {
            goto failed;
        }
    }

    if (EVP_DigestFinal_ex(ctx, out, &size) != 1) {
        goto failed;
    }

    *len = size;

    if (EVP_MD_get_block_size(alg->md) <= NGX_ENVELOPE_DIGEST_CLEANSED) {
        ngx_envelope_ready_give(alg->once, ctx);

    } else {
        EVP_MD_CTX_free(ctx);
    }

    return NGX_OK;

failed:

    EVP_MD_CTX_free(ctx);

    return NGX_ERROR;
}


static ngx_int_t
ngx_envelope_alg_hmac(const ngx_envelope_alg_t *alg, ngx_str_t *secret,
    ngx_str_t *text, ngx_uint_t n, u_char *out, size_t *len)
{
    int                    rc;
    ngx_uint_t             i;
    EVP_MAC_CTX           *ctx;
    ngx_envelope_ready_t  *ready;

    ready = ngx_envelope_ready_find(alg->ready, secret->data, 0);

    ctx = ngx_envelope_ready_take(ready ? ready : alg->once);
    if (ctx == NULL) {
        goto failed;
    }

    if (ready && OpenSSL_version_num() >= NGX_ENVELOPE_HMAC_RESTARTS) {
        rc = EVP_MAC_init(ctx, NULL, 0, NULL);

    } else {
        rc = EVP_MAC_init(ctx, secret->data, secret->len, NULL);
    }

    if (rc != 1) {
        goto failed;
    }

    for (i = 0; i < n; i++) {
        if (EVP_MAC_update(ctx, text[i].data, text[i].len) != 1) {
            goto failed;
        }
    }

    if (EVP_MAC_final(ctx, out, len, EVP_MAX_MD_SIZE) != 1) {
        goto failed;
    }

    if (ready) {
        ngx_envelope_ready_give(ready, ctx);

    } else {
        EVP_MAC_CTX_free(ctx);
    }

    return NGX_OK;

failed:

    EVP_MAC_CTX_free(ctx);

    return NGX_ERROR;
}
