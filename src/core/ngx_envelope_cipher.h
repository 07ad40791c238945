
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_CIPHER_H_INCLUDED_
#define _NGX_ENVELOPE_CIPHER_H_INCLUDED_


#include "ngx_envelope_reason.h"

#include <openssl/evp.h>


#define NGX_ENVELOPE_GCM_TAG_LEN     16   /* the only length taken */
#define NGX_ENVELOPE_GCM_IV_LEN      12   /* of "iv=prefix" */
#define NGX_ENVELOPE_GCM_IV_MAX      128
#define NGX_ENVELOPE_BLOCK_LEN       16   /* of AES; the IV of CBC */
#define NGX_ENVELOPE_CIPHER_KEY_MAX  32


typedef enum {
    NGX_ENVELOPE_CIPHER_ECB = 0,  /* PKCS#7 padding */
    NGX_ENVELOPE_CIPHER_CBC,      /* PKCS#7 padding */
    NGX_ENVELOPE_CIPHER_GCM       /* the tag follows the ciphertext */
} ngx_envelope_cipher_mode_e;


typedef struct {
    EVP_CIPHER                  *evp;      /* fetched, owned by the pool */
    ngx_envelope_cipher_mode_e   mode;
    size_t                       key_len;  /* 16, 24 or 32 bytes */
} ngx_envelope_cipher_t;


/*
 * By the profile language's name: "aes-256-gcm".  NGX_DECLINED when there is
 * none of that name.
 */

ngx_int_t ngx_envelope_cipher_init(ngx_envelope_cipher_t *cipher,
    ngx_pool_t *pool, ngx_str_t *name, ngx_envelope_reason_t *reason);

/*
 * iv is unused for ECB, 16 bytes for CBC, 1 to NGX_ENVELOPE_GCM_IV_MAX for
 * GCM; aad is for GCM, may be empty.  Key and IV lengths are checked.
 * The output is allocated from the pool, as secret memory when opening;
 * nothing of it is handed out before the tag or the padding has been found
 * right.  CBC and ECB want a positive multiple of 16 bytes; bad padding has
 * one constant reason.
 */

ngx_int_t ngx_envelope_cipher_seal(const ngx_envelope_cipher_t *cipher,
    ngx_pool_t *pool, ngx_str_t *key, ngx_str_t *iv, ngx_str_t *aad,
    ngx_str_t *in, ngx_str_t *out, ngx_envelope_reason_t *reason);

ngx_int_t ngx_envelope_cipher_open(const ngx_envelope_cipher_t *cipher,
    ngx_pool_t *pool, ngx_str_t *key, ngx_str_t *iv, ngx_str_t *aad,
    ngx_str_t *in, ngx_str_t *out, ngx_envelope_reason_t *reason);


#endif /* _NGX_ENVELOPE_CIPHER_H_INCLUDED_ */
