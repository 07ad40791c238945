
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_alg_key.h"

#include <openssl/core_names.h>
#include <openssl/err.h>


static ngx_int_t ngx_envelope_alg_fetch_md(ngx_envelope_alg_t *alg,
    ngx_pool_t *pool, ngx_envelope_reason_t *reason);
static void ngx_envelope_alg_md_cleanup(void *data);
static ngx_int_t ngx_envelope_alg_fetch_mac(ngx_envelope_alg_t *alg,
    ngx_pool_t *pool, ngx_envelope_reason_t *reason);
static void ngx_envelope_alg_mac_cleanup(void *data);
static ngx_uint_t ngx_envelope_alg_fits(const ngx_envelope_alg_def_t *def,
    const ngx_envelope_key_t *key);
static ngx_uint_t ngx_envelope_alg_long_enough(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key);
static ngx_int_t ngx_envelope_alg_digest(const ngx_envelope_alg_t *alg,
    ngx_str_t *text, ngx_uint_t n, u_char *out, size_t *len);
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
    ngx_int_t                      rc;
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
    alg->mac = NULL;
    ngx_memzero(&alg->ready, sizeof(ngx_array_t));

    if (def->md) {
        rc = ngx_envelope_alg_fetch_md(alg, pool, reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (def->kind == NGX_ENVELOPE_ALG_HMAC) {
        return ngx_envelope_alg_fetch_mac(alg, pool, reason);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_alg_fetch_md(ngx_envelope_alg_t *alg, ngx_pool_t *pool,
    ngx_envelope_reason_t *reason)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    alg->md = EVP_MD_fetch(NULL, alg->def->md, NULL);
    if (alg->md == NULL) {
        ERR_clear_error();
        return ngx_envelope_failed(reason, "EVP_MD_fetch(\"%s\") failed",
                                   alg->def->md);
    }

    cln->handler = ngx_envelope_alg_md_cleanup;
    cln->data = alg->md;

    return NGX_OK;
}


static void
ngx_envelope_alg_md_cleanup(void *data)
{
    EVP_MD_free(data);
}


static ngx_int_t
ngx_envelope_alg_fetch_mac(ngx_envelope_alg_t *alg, ngx_pool_t *pool,
    ngx_envelope_reason_t *reason)
{
    EVP_MAC             *mac;
    OSSL_PARAM           params[2];
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                 (char *) alg->def->md, 0);
    params[1] = OSSL_PARAM_construct_end();

    mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);

    /* the context has a reference of its own */

    alg->mac = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);

    if (alg->mac == NULL) {
        ERR_clear_error();
        return ngx_envelope_failed(reason, "EVP_MAC_fetch(\"HMAC\") failed");
    }

    cln->handler = ngx_envelope_alg_mac_cleanup;
    cln->data = alg->mac;

    if (EVP_MAC_CTX_set_params(alg->mac, params) != 1) {
        ERR_clear_error();
        return ngx_envelope_failed(reason, "EVP_MAC_CTX_set_params(\"%s\") "
                                   "failed", alg->def->md);
    }

    return NGX_OK;
}


static void
ngx_envelope_alg_mac_cleanup(void *data)
{
    EVP_MAC_CTX_free(data);
}


ngx_int_t
ngx_envelope_alg_check(const ngx_envelope_alg_t *alg,
    const ngx_envelope_key_t *key, ngx_uint_t need_private,
    ngx_envelope_reason_t *reason)
{
    u_char                         buf[NGX_ENVELOPE_KEY_NAME_LEN];
    EVP_MD_CTX                    *ctx;
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

    ctx = ngx_envelope_alg_key_start(alg, key, need_private);
    if (ctx == NULL) {
        ERR_clear_error();
        return ngx_envelope_declined(reason, "this key's own parameters do "
                                     "not allow %V", &def->name);
    }

    EVP_MD_CTX_free(ctx);

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
        ERR_clear_error();
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
        ERR_clear_error();
        return ngx_envelope_failed(reason, "%V failed", &alg->def->name);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_alg_digest(const ngx_envelope_alg_t *alg, ngx_str_t *text,
    ngx_uint_t n, u_char *out, size_t *len)
{
    ngx_int_t     rc;
    ngx_uint_t    i;
    EVP_MD_CTX   *ctx;
    unsigned int  size;

    rc = NGX_ERROR;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (EVP_DigestInit_ex(ctx, alg->md, NULL) != 1) {
        goto done;
    }

    for (i = 0; i < n; i++) {
        if (EVP_DigestUpdate(ctx, text[i].data, text[i].len) != 1) {
            goto done;
        }
    }

    if (EVP_DigestFinal_ex(ctx, out, &size) == 1) {
        *len = size;
        rc = NGX_OK;
    }

done:

    EVP_MD_CTX_free(ctx);

    return rc;
}


static ngx_int_t
ngx_envelope_alg_hmac(const ngx_envelope_alg_t *alg, ngx_str_t *secret,
    ngx_str_t *text, ngx_uint_t n, u_char *out, size_t *len)
{
    ngx_int_t     rc;
    ngx_uint_t    i;
    EVP_MAC_CTX  *ctx;

    rc = NGX_ERROR;

    ctx = EVP_MAC_CTX_dup(alg->mac);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (EVP_MAC_init(ctx, secret->data, secret->len, NULL) != 1) {
        goto done;
    }

    for (i = 0; i < n; i++) {
        if (EVP_MAC_update(ctx, text[i].data, text[i].len) != 1) {
            goto done;
        }
    }

    if (EVP_MAC_final(ctx, out, len, EVP_MAX_MD_SIZE) == 1) {
        rc = NGX_OK;
    }

done:

    EVP_MAC_CTX_free(ctx);

    return rc;
}
