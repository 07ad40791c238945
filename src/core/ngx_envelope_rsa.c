
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_rsa.h"
#include "ngx_envelope_secret.h"

#include <openssl/err.h>
#include <openssl/rsa.h>


/* 00, the block type, at least eight bytes of padding, 00 */

#define NGX_ENVELOPE_RSA_PKCS1_OVERHEAD  11

/* what a block that has no text becomes, see ngx_envelope_rsa_open() */

#define NGX_ENVELOPE_RSA_JUNK  0xff


typedef struct {
    int        (*init)(EVP_PKEY_CTX *ctx);
    int        (*run)(EVP_PKEY_CTX *ctx, unsigned char *out, size_t *outlen,
                   const unsigned char *in, size_t inlen);
} ngx_envelope_rsa_op_t;


typedef struct {
    ngx_str_t              name;
    int                    padding;    /* OpenSSL's */
    ngx_envelope_rsa_op_t  seal;
    ngx_envelope_rsa_op_t  open;
} ngx_envelope_rsa_scheme_t;


static ngx_int_t ngx_envelope_rsa_digest(EVP_MD **md, ngx_pool_t *pool,
    ngx_str_t *name, ngx_envelope_reason_t *reason);
static void ngx_envelope_rsa_digest_cleanup(void *data);
static EVP_PKEY_CTX *ngx_envelope_rsa_start(const ngx_envelope_rsa_t *rsa,
    const ngx_envelope_key_t *key, const ngx_envelope_rsa_op_t *op);
static ngx_int_t ngx_envelope_rsa_set_oaep(const ngx_envelope_rsa_t *rsa,
    EVP_PKEY_CTX *ctx);
static ngx_uint_t ngx_envelope_rsa_open_blocks(const ngx_envelope_rsa_t *rsa,
    EVP_PKEY_CTX *ctx, size_t k, ngx_str_t *in, ngx_str_t *out);


/* indexed by ngx_envelope_rsa_padding_e */

static const ngx_envelope_rsa_scheme_t  ngx_envelope_rsa_schemes[] = {

    { ngx_string("rsa-pkcs1"), RSA_PKCS1_PADDING,
      { EVP_PKEY_encrypt_init, EVP_PKEY_encrypt },
      { EVP_PKEY_decrypt_init, EVP_PKEY_decrypt } },

    { ngx_string("rsa-oaep"), RSA_PKCS1_OAEP_PADDING,
      { EVP_PKEY_encrypt_init, EVP_PKEY_encrypt },
      { EVP_PKEY_decrypt_init, EVP_PKEY_decrypt } },

    /* with no digest set these two do the bare operation: no DigestInfo */

    { ngx_string("rsa-private"), RSA_PKCS1_PADDING,
      { EVP_PKEY_sign_init, EVP_PKEY_sign },
      { EVP_PKEY_verify_recover_init, EVP_PKEY_verify_recover } }
};


static const ngx_str_t  ngx_envelope_rsa_digests[] = {
    ngx_string("sha1"),
    ngx_string("sha256"),
    ngx_string("sha384"),
    ngx_string("sha512"),
    ngx_null_string
};


ngx_int_t
ngx_envelope_rsa_init(ngx_envelope_rsa_t *rsa, ngx_pool_t *pool,
    ngx_str_t *hash, ngx_str_t *mgf1, ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;
    ngx_str_t  name;

    if (hash->len) {
        name = *hash;

    } else {
        ngx_str_set(&name, "sha1");
    }

    rc = ngx_envelope_rsa_digest(&rsa->hash, pool, &name, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (mgf1->len == 0) {
        rsa->mgf1 = rsa->hash;
        return NGX_OK;
    }

    return ngx_envelope_rsa_digest(&rsa->mgf1, pool, mgf1, reason);
}


static ngx_int_t
ngx_envelope_rsa_digest(EVP_MD **md, ngx_pool_t *pool, ngx_str_t *name,
    ngx_envelope_reason_t *reason)
{
    const ngx_str_t     *digest;
    ngx_pool_cleanup_t  *cln;

    for (digest = ngx_envelope_rsa_digests; digest->len; digest++) {
        if (digest->len == name->len
            && ngx_strncmp(digest->data, name->data, name->len) == 0)
        {
            break;
        }
    }

    if (digest->len == 0) {
        return ngx_envelope_declined(reason, "unknown digest \"%V\"", name);
    }

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    *md = EVP_MD_fetch(NULL, (char *) digest->data, NULL);
    if (*md == NULL) {
        ERR_clear_error();
        return ngx_envelope_failed(reason, "EVP_MD_fetch(\"%V\") failed",
                                   name);
    }

    cln->handler = ngx_envelope_rsa_digest_cleanup;
    cln->data = *md;

    return NGX_OK;
}


static void
ngx_envelope_rsa_digest_cleanup(void *data)
{
    EVP_MD_free(data);
}


ngx_int_t
ngx_envelope_rsa_check(const ngx_envelope_rsa_t *rsa,
    const ngx_envelope_key_t *key, ngx_uint_t need_private,
    ngx_envelope_reason_t *reason)
{
    int               size;
    u_char            buf[NGX_ENVELOPE_KEY_NAME_LEN];
    const ngx_str_t  *name;

    name = &ngx_envelope_rsa_schemes[rsa->padding].name;

    if (EVP_PKEY_is_a(key->pkey, "RSA") != 1) {
        return ngx_envelope_declined(reason, "%V needs a key of type RSA, "
                                     "this is %s", name,
                                     ngx_envelope_key_describe(key, buf));
    }

    if (need_private && !key->has_private) {
        return ngx_envelope_declined(reason, "%V needs a private key here, "
                                     "this is a public one", name);
    }

    size = EVP_PKEY_get_size(key->pkey);

    if (size <= 0 || (size_t) size <= ngx_envelope_rsa_overhead(rsa)) {
        return ngx_envelope_declined(reason, "%s is too short for %V with "
                                     "this digest",
                                     ngx_envelope_key_describe(key, buf),
                                     name);
    }

    if (rsa->padding == NGX_ENVELOPE_RSA_OAEP
        && rsa->label.len > NGX_ENVELOPE_RSA_LABEL_MAX)
    {
        return ngx_envelope_declined(reason, "a label of %uz bytes is too "
                                     "long", rsa->label.len);
    }

    return NGX_OK;
}


size_t
ngx_envelope_rsa_overhead(const ngx_envelope_rsa_t *rsa)
{
    if (rsa->padding == NGX_ENVELOPE_RSA_OAEP) {
        return 2 * (size_t) EVP_MD_get_size(rsa->hash) + 2;
    }

    return NGX_ENVELOPE_RSA_PKCS1_OVERHEAD;
}


ngx_int_t
ngx_envelope_rsa_seal(const ngx_envelope_rsa_t *rsa,
    const ngx_envelope_key_t *key, ngx_pool_t *pool, ngx_str_t *in,
    ngx_str_t *out, ngx_envelope_reason_t *reason)
{
    u_char                           *p, *last;
    size_t                            k, max, len, size;
    ngx_int_t                         rc;
    EVP_PKEY_CTX                     *ctx;
    const ngx_envelope_rsa_scheme_t  *scheme;

    scheme = &ngx_envelope_rsa_schemes[rsa->padding];

    rc = ngx_envelope_rsa_check(rsa, key,
                                rsa->padding == NGX_ENVELOPE_RSA_PRIVATE,
                                reason);
    if (rc != NGX_OK) {
        return rc;
    }

    k = EVP_PKEY_get_size(key->pkey);
    max = k - ngx_envelope_rsa_overhead(rsa);

    if (in->len == 0) {
        return ngx_envelope_declined(reason, "%V of an empty text",
                                     &scheme->name);
    }

    if (in->len > NGX_ENVELOPE_RSA_TEXT_MAX / k * max) {
        return ngx_envelope_declined(reason, "%uz bytes are too long for %V, "
                                     "%uz are the most", in->len,
                                     &scheme->name,
                                     NGX_ENVELOPE_RSA_TEXT_MAX / k * max);
    }

    out->len = 0;
    out->data = ngx_pnalloc(pool, (in->len + max - 1) / max * k);
    if (out->data == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    ctx = ngx_envelope_rsa_start(rsa, key, &scheme->seal);
    if (ctx == NULL) {
        goto failed;
    }

    last = in->data + in->len;

    for (p = in->data; p < last; p += len) {
        len = ngx_min(max, (size_t) (last - p));
        size = k;

        if (scheme->seal.run(ctx, out->data + out->len, &size, p, len) != 1
            || size != k)
        {
            goto failed;
        }

        out->len += size;
    }

    EVP_PKEY_CTX_free(ctx);

    return NGX_OK;

failed:

    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();

    return ngx_envelope_failed(reason, "%V failed", &scheme->name);
}


ngx_int_t
ngx_envelope_rsa_open(const ngx_envelope_rsa_t *rsa,
    const ngx_envelope_key_t *key, ngx_pool_t *pool, ngx_str_t *in,
    ngx_str_t *out, ngx_envelope_reason_t *reason)
{
    size_t                            k;
    ngx_int_t                         rc;
    ngx_uint_t                        bad;
    EVP_PKEY_CTX                     *ctx;
    const ngx_envelope_rsa_scheme_t  *scheme;

    scheme = &ngx_envelope_rsa_schemes[rsa->padding];

    rc = ngx_envelope_rsa_check(rsa, key,
                                rsa->padding != NGX_ENVELOPE_RSA_PRIVATE,
                                reason);
    if (rc != NGX_OK) {
        return rc;
    }

    k = EVP_PKEY_get_size(key->pkey);

    if (in->len == 0 || in->len % k != 0) {
        return ngx_envelope_declined(reason, "%uz bytes of %V are no whole "
                                     "number of blocks of %uz", in->len,
                                     &scheme->name, k);
    }

    if (in->len > NGX_ENVELOPE_RSA_TEXT_MAX) {
        return ngx_envelope_declined(reason, "%uz bytes are too long for %V, "
                                     "%uz are the most", in->len,
                                     &scheme->name,
                                     (size_t) NGX_ENVELOPE_RSA_TEXT_MAX);
    }

    out->len = 0;
    out->data = ngx_envelope_secret_alloc(pool, in->len);
    if (out->data == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    ctx = ngx_envelope_rsa_start(rsa, key, &scheme->open);
    if (ctx == NULL) {
        ERR_clear_error();
        return ngx_envelope_failed(reason, "%V failed", &scheme->name);
    }

    bad = ngx_envelope_rsa_open_blocks(rsa, ctx, k, in, out);

    EVP_PKEY_CTX_free(ctx);

    if (bad && rsa->padding != NGX_ENVELOPE_RSA_PKCS1) {
        OPENSSL_cleanse(out->data, in->len);
        out->len = 0;

        return ngx_envelope_declined(reason, "%V does not open with this key",
                                     &scheme->name);
    }

    return NGX_OK;
}


/*
 * Every block is worked through whatever came of those before it, and the
 * error queue is cleared whether there is something on it or not, so that
 * the way a good block takes and the way a bad one takes are the same but
 * for the byte written.  Returns the number of blocks without a text.
 *
 * OpenSSL wants room for k bytes each time: there is, as out is as large as
 * in and no block gives more than k.
 */

static ngx_uint_t
ngx_envelope_rsa_open_blocks(const ngx_envelope_rsa_t *rsa, EVP_PKEY_CTX *ctx,
    size_t k, ngx_str_t *in, ngx_str_t *out)
{
    int                           rc;
    u_char                       *p;
    size_t                        len, rest;
    ngx_uint_t                    bad;
    const ngx_envelope_rsa_op_t  *op;

    op = &ngx_envelope_rsa_schemes[rsa->padding].open;

    bad = 0;

    for (rest = in->len; rest; rest -= k) {
        p = out->data + out->len;
        len = in->len - out->len;

        rc = op->run(ctx, p, &len, in->data + (in->len - rest), k);

        ERR_clear_error();

        if (rc != 1 || len == 0) {
            *p = NGX_ENVELOPE_RSA_JUNK;
            len = 1;
            bad++;
        }

        out->len += len;
    }

    return bad;
}


static EVP_PKEY_CTX *
ngx_envelope_rsa_start(const ngx_envelope_rsa_t *rsa,
    const ngx_envelope_key_t *key, const ngx_envelope_rsa_op_t *op)
{
    EVP_PKEY_CTX                     *ctx;
    const ngx_envelope_rsa_scheme_t  *scheme;

    scheme = &ngx_envelope_rsa_schemes[rsa->padding];

    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    if (ctx == NULL) {
        return NULL;
    }

    if (op->init(ctx) != 1
        || EVP_PKEY_CTX_set_rsa_padding(ctx, scheme->padding) != 1)
    {
        goto failed;
    }

    if (rsa->padding == NGX_ENVELOPE_RSA_OAEP
        && ngx_envelope_rsa_set_oaep(rsa, ctx) != NGX_OK)
    {
        goto failed;
    }

    return ctx;

failed:

    EVP_PKEY_CTX_free(ctx);

    return NULL;
}


static ngx_int_t
ngx_envelope_rsa_set_oaep(const ngx_envelope_rsa_t *rsa, EVP_PKEY_CTX *ctx)
{
    u_char  *label;

    if (EVP_PKEY_CTX_set_rsa_oaep_md(ctx, rsa->hash) != 1
        || EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, rsa->mgf1) != 1)
    {
        return NGX_ERROR;
    }

    if (rsa->label.len == 0) {
        return NGX_OK;
    }

    label = OPENSSL_memdup(rsa->label.data, rsa->label.len);
    if (label == NULL) {
        return NGX_ERROR;
    }

    /* the context owns the label once this has succeeded */

    if (EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, label, rsa->label.len) != 1) {
        OPENSSL_free(label);
        return NGX_ERROR;
    }

    return NGX_OK;
}
