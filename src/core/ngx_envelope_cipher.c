
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_cipher.h"
#include "ngx_envelope_secret.h"

#include <openssl/err.h>


/* EVP counts in int, a block and a tag are to fit too */

#define NGX_ENVELOPE_CIPHER_TEXT_MAX  (NGX_MAX_INT32_VALUE - 64)


typedef struct {
    ngx_str_t                    name;
    const char                  *evp;
    ngx_envelope_cipher_mode_e   mode;
    size_t                       key_len;
} ngx_envelope_cipher_def_t;


static void ngx_envelope_cipher_cleanup(void *data);
static ngx_int_t ngx_envelope_cipher_check(const ngx_envelope_cipher_t *cipher,
    ngx_str_t *key, ngx_str_t *iv, ngx_str_t *aad, size_t len,
    ngx_envelope_reason_t *reason);
static EVP_CIPHER_CTX *ngx_envelope_cipher_start(
    const ngx_envelope_cipher_t *cipher, ngx_str_t *key, ngx_str_t *iv,
    ngx_str_t *aad, int encrypt);
static ngx_int_t ngx_envelope_cipher_run(EVP_CIPHER_CTX *ctx, u_char *in,
    size_t len, ngx_str_t *out);
static ngx_int_t ngx_envelope_cipher_unpad(ngx_str_t *text);


static const ngx_envelope_cipher_def_t  ngx_envelope_cipher_defs[] = {

    { ngx_string("aes-128-ecb"), "AES-128-ECB", NGX_ENVELOPE_CIPHER_ECB, 16 },
    { ngx_string("aes-192-ecb"), "AES-192-ECB", NGX_ENVELOPE_CIPHER_ECB, 24 },
    { ngx_string("aes-256-ecb"), "AES-256-ECB", NGX_ENVELOPE_CIPHER_ECB, 32 },
    { ngx_string("aes-128-cbc"), "AES-128-CBC", NGX_ENVELOPE_CIPHER_CBC, 16 },
    { ngx_string("aes-192-cbc"), "AES-192-CBC", NGX_ENVELOPE_CIPHER_CBC, 24 },
    { ngx_string("aes-256-cbc"), "AES-256-CBC", NGX_ENVELOPE_CIPHER_CBC, 32 },
    { ngx_string("aes-128-gcm"), "AES-128-GCM", NGX_ENVELOPE_CIPHER_GCM, 16 },
    { ngx_string("aes-192-gcm"), "AES-192-GCM", NGX_ENVELOPE_CIPHER_GCM, 24 },
    { ngx_string("aes-256-gcm"), "AES-256-GCM", NGX_ENVELOPE_CIPHER_GCM, 32 },

    { ngx_null_string, NULL, NGX_ENVELOPE_CIPHER_ECB, 0 }
};


/* indexed by ngx_envelope_cipher_mode_e: the lengths an IV may have */

static const struct {
    size_t      min;
    size_t      max;
} ngx_envelope_cipher_ivs[] = {
    { 0, 0 },
    { NGX_ENVELOPE_BLOCK_LEN, NGX_ENVELOPE_BLOCK_LEN },
    { 1, NGX_ENVELOPE_GCM_IV_MAX }
};


ngx_int_t
ngx_envelope_cipher_init(ngx_envelope_cipher_t *cipher, ngx_pool_t *pool,
    ngx_str_t *name, ngx_envelope_reason_t *reason)
{
    ngx_pool_cleanup_t               *cln;
    const ngx_envelope_cipher_def_t  *def;

    for (def = ngx_envelope_cipher_defs; def->name.len; def++) {
        if (def->name.len == name->len
            && ngx_strncmp(def->name.data, name->data, name->len) == 0)
        {
            break;
        }
    }

    if (def->name.len == 0) {
        return ngx_envelope_declined(reason, "unknown cipher \"%V\"", name);
    }

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    cipher->evp = EVP_CIPHER_fetch(NULL, def->evp, NULL);
    if (cipher->evp == NULL) {
        ERR_clear_error();
        return ngx_envelope_failed(reason, "EVP_CIPHER_fetch(\"%s\") failed",
                                   def->evp);
    }

    cln->handler = ngx_envelope_cipher_cleanup;
    cln->data = cipher->evp;

    cipher->mode = def->mode;
    cipher->key_len = def->key_len;

    return NGX_OK;
}


static void
ngx_envelope_cipher_cleanup(void *data)
{
    EVP_CIPHER_free(data);
}


ngx_int_t
ngx_envelope_cipher_seal(const ngx_envelope_cipher_t *cipher,
    ngx_pool_t *pool, ngx_str_t *key, ngx_str_t *iv, ngx_str_t *aad,
    ngx_str_t *in, ngx_str_t *out, ngx_envelope_reason_t *reason)
{
    u_char          *tag;
    ngx_int_t        rc;
    EVP_CIPHER_CTX  *ctx;

    rc = ngx_envelope_cipher_check(cipher, key, iv, aad, in->len, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    /* room for the padding's block, or for the tag, which is as long */

    out->data = ngx_pnalloc(pool, in->len + NGX_ENVELOPE_BLOCK_LEN);
    if (out->data == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    ctx = ngx_envelope_cipher_start(cipher, key, iv, aad, 1);

    if (ctx == NULL
        || ngx_envelope_cipher_run(ctx, in->data, in->len, out) != NGX_OK)
    {
        goto failed;
    }

    if (cipher->mode == NGX_ENVELOPE_CIPHER_GCM) {
        tag = out->data + out->len;

        if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG,
                                NGX_ENVELOPE_GCM_TAG_LEN, tag)
            != 1)
        {
            goto failed;
        }

        out->len += NGX_ENVELOPE_GCM_TAG_LEN;
    }

    EVP_CIPHER_CTX_free(ctx);

    return NGX_OK;

failed:

    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();

    return ngx_envelope_failed(reason, "encryption failed");
}


ngx_int_t
ngx_envelope_cipher_open(const ngx_envelope_cipher_t *cipher,
    ngx_pool_t *pool, ngx_str_t *key, ngx_str_t *iv, ngx_str_t *aad,
    ngx_str_t *in, ngx_str_t *out, ngx_envelope_reason_t *reason)
{
    u_char          *tag;
    size_t           len;
    ngx_int_t        rc;
    EVP_CIPHER_CTX  *ctx;

    rc = ngx_envelope_cipher_check(cipher, key, iv, aad, in->len, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    len = in->len;
    tag = NULL;

    if (cipher->mode == NGX_ENVELOPE_CIPHER_GCM) {

        if (len < NGX_ENVELOPE_GCM_TAG_LEN) {
            return ngx_envelope_declined(reason, "%uz bytes of ciphertext are "
                                         "shorter than the tag", len);
        }

        len -= NGX_ENVELOPE_GCM_TAG_LEN;
        tag = in->data + len;

    } else if (len == 0 || len % NGX_ENVELOPE_BLOCK_LEN != 0) {
        return ngx_envelope_declined(reason, "%uz bytes of ciphertext are no "
                                     "whole number of blocks", len);
    }

    out->len = 0;
    out->data = ngx_envelope_secret_alloc(pool, len + NGX_ENVELOPE_BLOCK_LEN);
    if (out->data == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    ctx = ngx_envelope_cipher_start(cipher, key, iv, aad, 0);

    if (ctx == NULL
        || (tag != NULL
            && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG,
                                   NGX_ENVELOPE_GCM_TAG_LEN, tag)
               != 1))
    {
        rc = ngx_envelope_failed(reason, "decryption failed");
        goto done;
    }

    /*
     * With a tag there is but this one way to fail.  Without, it does not
     * fail at all, as it is not OpenSSL that looks at the padding.
     */

    if (ngx_envelope_cipher_run(ctx, in->data, len, out) != NGX_OK) {
        rc = tag ? ngx_envelope_declined(reason, "the tag does not match")
                 : ngx_envelope_failed(reason, "decryption failed");

    } else if (tag == NULL && ngx_envelope_cipher_unpad(out) != NGX_OK) {
        rc = ngx_envelope_declined(reason, "the padding is wrong");
    }

done:

    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();

    if (rc != NGX_OK) {
        OPENSSL_cleanse(out->data, len + NGX_ENVELOPE_BLOCK_LEN);
        out->len = 0;
    }

    return rc;
}


static ngx_int_t
ngx_envelope_cipher_check(const ngx_envelope_cipher_t *cipher, ngx_str_t *key,
    ngx_str_t *iv, ngx_str_t *aad, size_t len, ngx_envelope_reason_t *reason)
{
    size_t  min, max;

    if (key->len != cipher->key_len) {
        return ngx_envelope_declined(reason, "the key has %uz bytes instead "
                                     "of %uz", key->len, cipher->key_len);
    }

    min = ngx_envelope_cipher_ivs[cipher->mode].min;
    max = ngx_envelope_cipher_ivs[cipher->mode].max;

    if (max && (iv->len < min || iv->len > max)) {
        return ngx_envelope_declined(reason, "the IV has %uz bytes instead "
                                     "of %uz to %uz", iv->len, min, max);
    }

    if (len > NGX_ENVELOPE_CIPHER_TEXT_MAX
        || (cipher->mode == NGX_ENVELOPE_CIPHER_GCM
            && aad->len > NGX_ENVELOPE_CIPHER_TEXT_MAX))
    {
        return ngx_envelope_declined(reason, "the text is too long to be "
                                     "encrypted");
    }

    return NGX_OK;
}


static EVP_CIPHER_CTX *
ngx_envelope_cipher_start(const ngx_envelope_cipher_t *cipher, ngx_str_t *key,
    ngx_str_t *iv, ngx_str_t *aad, int encrypt)
{
    int              n;
    u_char          *p;
    EVP_CIPHER_CTX  *ctx;

    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL) {
        return NULL;
    }

    if (EVP_CipherInit_ex(ctx, cipher->evp, NULL, NULL, NULL, encrypt) != 1) {
        goto failed;
    }

    /* the length of the IV comes before the IV */

    if (cipher->mode == NGX_ENVELOPE_CIPHER_GCM
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int) iv->len,
                               NULL)
           != 1)
    {
        goto failed;
    }

    p = (cipher->mode == NGX_ENVELOPE_CIPHER_ECB) ? NULL : iv->data;

    if (EVP_CipherInit_ex(ctx, NULL, NULL, key->data, p, encrypt) != 1) {
        goto failed;
    }

    if (cipher->mode != NGX_ENVELOPE_CIPHER_GCM) {

        if (EVP_CIPHER_CTX_set_padding(ctx, encrypt) != 1) {
            goto failed;
        }

    } else if (aad->len
               && EVP_CipherUpdate(ctx, NULL, &n, aad->data, (int) aad->len)
                  != 1)
    {
        goto failed;
    }

    return ctx;

failed:

    EVP_CIPHER_CTX_free(ctx);

    return NULL;
}


static ngx_int_t
ngx_envelope_cipher_run(EVP_CIPHER_CTX *ctx, u_char *in, size_t len,
    ngx_str_t *out)
{
    int  n, last;

    n = 0;

    if (len && EVP_CipherUpdate(ctx, out->data, &n, in, (int) len) != 1) {
        return NGX_ERROR;
    }

    if (EVP_CipherFinal_ex(ctx, out->data + n, &last) != 1) {
        return NGX_ERROR;
    }

    out->len = (size_t) n + (size_t) last;

    return NGX_OK;
}


/*
 * PKCS#7 padding, RFC 5652 section 6.3.  All of the last block is looked at
 * whatever is in it and nothing branches on what is found but the verdict:
 * OpenSSL's own check stops at the first wrong byte.
 */

static ngx_int_t
ngx_envelope_cipher_unpad(ngx_str_t *text)
{
    u_char    *last;
    uint32_t   pad, bad, inside, i;

    if (text->len < NGX_ENVELOPE_BLOCK_LEN) {
        return NGX_DECLINED;
    }

    last = text->data + text->len - 1;
    pad = *last;

    /* the highest bit of what has wrapped around: pad - 1 for 0, 16 - pad */

    bad = ((pad - 1) | (NGX_ENVELOPE_BLOCK_LEN - pad)) >> 31;

    for (i = 0; i < NGX_ENVELOPE_BLOCK_LEN; i++) {
        inside = 0 - ((i - pad) >> 31);
        bad |= inside & (*(last - i) ^ pad);
    }

    if (bad) {
        return NGX_DECLINED;
    }

    text->len -= pad;

    return NGX_OK;
}
