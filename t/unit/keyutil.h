
/* Keys and bytes for the tests of keys, RSA, ciphers and signatures. */


#ifndef _KEYUTIL_H_INCLUDED_
#define _KEYUTIL_H_INCLUDED_


#include "shim.h"
#include "tap.h"

#include "ngx_envelope_env.h"
#include "ngx_envelope_key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>


#define util  __attribute__((unused)) static


util ngx_int_t
random_bytes(void *data, u_char *buf, size_t len)
{
    return RAND_bytes(buf, (int) len) == 1 ? NGX_OK : NGX_ERROR;
}


/* without threads */

util ngx_envelope_env_t  env = { random_bytes, NULL, NULL };


util ngx_str_t
str(const char *s)
{
    ngx_str_t  v;

    v.data = (u_char *) s;
    v.len = strlen(s);

    return v;
}


util ngx_str_t
bytes(ngx_pool_t *pool, const void *p, size_t len)
{
    ngx_str_t  v;

    v.len = len;
    v.data = ngx_pnalloc(pool, len ? len : 1);

    if (len) {
        memcpy(v.data, p, len);
    }

    return v;
}


util ngx_str_t
hex(ngx_pool_t *pool, const char *s)
{
    size_t     i;
    ngx_str_t  v;

    v.len = strlen(s) / 2;
    v.data = ngx_pnalloc(pool, v.len ? v.len : 1);

    for (i = 0; i < v.len; i++) {
        v.data[i] = (u_char) ngx_hextoi((u_char *) s + 2 * i, 2);
    }

    return v;
}


util ngx_str_t
filled(ngx_pool_t *pool, int ch, size_t len)
{
    ngx_str_t  v;

    v.len = len;
    v.data = ngx_pnalloc(pool, len ? len : 1);
    memset(v.data, ch, len);

    return v;
}


/* whether OpenSSL's error queue is empty; empties it */

util int
drained(void)
{
    int  empty;

    empty = (ERR_peek_error() == 0);
    ERR_clear_error();

    return empty;
}


/* the contents of a memory BIO, which is freed */

util ngx_str_t
bio_str(ngx_pool_t *pool, BIO *bio)
{
    char       *p;
    long        len;
    ngx_str_t   v;

    len = BIO_get_mem_data(bio, &p);
    v = bytes(pool, p, len);
    BIO_free(bio);

    return v;
}


/* OPENSSL_malloc()ed DER of an i2d function */

util ngx_str_t
der_str(ngx_pool_t *pool, int len, u_char *der)
{
    ngx_str_t  v;

    v = bytes(pool, der, len > 0 ? len : 0);
    OPENSSL_free(der);

    return v;
}


util ngx_str_t
base64(ngx_pool_t *pool, ngx_str_t *in)
{
    ngx_str_t  v;

    v.data = ngx_pnalloc(pool, in->len / 3 * 4 + 8);
    v.len = EVP_EncodeBlock(v.data, in->data, (int) in->len);

    return v;
}


util ngx_envelope_key_t
wrap(EVP_PKEY *pkey, ngx_uint_t has_private)
{
    ngx_envelope_key_t  key;

    memset(&key, 0, sizeof(key));
    key.pkey = pkey;
    key.has_private = has_private;

    return key;
}


util ngx_str_t
spki(ngx_pool_t *pool, EVP_PKEY *pkey)
{
    u_char  *der = NULL;
    int      len = i2d_PUBKEY(pkey, &der);

    return der_str(pool, len, der);
}


util EVP_PKEY *
public_half(EVP_PKEY *pkey)
{
    int            len;
    u_char        *der = NULL;
    EVP_PKEY      *pub;
    const u_char  *p;

    len = i2d_PUBKEY(pkey, &der);
    p = der;
    pub = d2i_PUBKEY(NULL, &p, len);
    OPENSSL_free(der);

    return pub;
}


#define is_reason(reason, part, ...)                                          \
    reason_has(&(reason), part, __FILE__, __LINE__, "" __VA_ARGS__)

util int
reason_has(ngx_envelope_reason_t *reason, const char *part, const char *file,
    int line, const char *name)
{
    char  text[NGX_ENVELOPE_REASON_LEN + 1];

    memcpy(text, reason->data, reason->len);
    text[reason->len] = '\0';

    if (strstr(text, part) != NULL) {
        return tap_ok(1, file, line, "", "%s", name);
    }

    tap_ok(0, file, line, "", "%s", name);
    diag("  reason: %s", text);
    diag("  lacks: %s", part);

    return 0;
}


#endif /* _KEYUTIL_H_INCLUDED_ */
