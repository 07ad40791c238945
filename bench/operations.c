/*
 * The OpenSSL operations of a message, by their names: see operations.h.
 */

#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>


#define BLOCK    2048     /* bytes of RSA of 16384 bits */
#define ROOM     (BLOCK + 64)
#define AES_KEY  32
#define AES_IV   16
#define AES_TAG  16
#define SHA256   32


typedef struct operation_s  op_t;

typedef struct {
    const char      *name;
    void           (*prepare)(op_t *op);
    int            (*run)(op_t *op);
} kind_t;

struct operation_s {
    const kind_t    *kind;
    size_t           length;
    unsigned char   *data;      /* goes in, "size" bytes of it */
    size_t           size;
    unsigned char   *out;
    size_t           written;

    EVP_PKEY        *key;
    EVP_PKEY_CTX    *pctx;
    unsigned char    signature[BLOCK];
    size_t           signed_size;

    EVP_MD          *md;
    EVP_MD_CTX      *mctx;
    EVP_MAC_CTX     *mac;

    EVP_CIPHER_CTX  *cctx;
    int              encrypt;
    int              gcm;
    unsigned char    aes_key[AES_KEY];
    unsigned char    aes_iv[AES_IV];
    unsigned char    tag[AES_TAG];
};


static void
fail(const char *what)
{
    fprintf(stderr, "%s failed\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}


static void *
need(void *p, const char *what)
{
    if (p == NULL) {
        fail(what);
    }

    return p;
}


static void
need_one(int rc, const char *what)
{
    if (rc != 1) {
        fail(what);
    }
}


static void
read_key(op_t *op, const char *file)
{
    FILE  *f;

    f = need(fopen(file, "r"), file);

    op->key = PEM_read_PrivateKey(f, NULL, NULL, NULL);

    if (op->key == NULL) {
        ERR_clear_error();
        rewind(f);
        op->key = need(PEM_read_PUBKEY(f, NULL, NULL, NULL), file);
    }

    fclose(f);
}


/* RSA, one block */

static EVP_PKEY_CTX *
rsa(op_t *op, int (*init)(EVP_PKEY_CTX *ctx), int padding)
{
    EVP_PKEY_CTX  *ctx;

    ctx = need(EVP_PKEY_CTX_new_from_pkey(NULL, op->key, NULL),
               "EVP_PKEY_CTX_new_from_pkey()");

    need_one(init(ctx), "EVP_PKEY_..._init()");
    need_one(EVP_PKEY_CTX_set_rsa_padding(ctx, padding), "padding");

    if (padding == RSA_PKCS1_OAEP_PADDING) {
        need_one(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()), "oaep");
        need_one(EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()), "mgf1");
    }

    return ctx;
}


static int
encrypt_run(op_t *op)
{
    size_t  n;

    n = BLOCK;

    return EVP_PKEY_encrypt(op->pctx, op->out, &n, op->data, op->length);
}


static int
decrypt_run(op_t *op)
{
    size_t  n;

    n = BLOCK;

    return EVP_PKEY_decrypt(op->pctx, op->out, &n, op->data, op->size) == 1
           && n == op->length;
}


static void
encrypted(op_t *op, int padding)
{
    op->pctx = rsa(op, EVP_PKEY_encrypt_init, padding);

    op->size = BLOCK;
    need_one(EVP_PKEY_encrypt(op->pctx, op->out, &op->size, op->data,
                              op->length), "EVP_PKEY_encrypt()");
    memcpy(op->data, op->out, op->size);

    EVP_PKEY_CTX_free(op->pctx);
    op->pctx = rsa(op, EVP_PKEY_decrypt_init, padding);
}


static void
pkcs1_encrypt(op_t *op)
{
    op->pctx = rsa(op, EVP_PKEY_encrypt_init, RSA_PKCS1_PADDING);
}


static void
pkcs1_decrypt(op_t *op)
{
    encrypted(op, RSA_PKCS1_PADDING);
}


static void
oaep_encrypt(op_t *op)
{
    op->pctx = rsa(op, EVP_PKEY_encrypt_init, RSA_PKCS1_OAEP_PADDING);
}


static void
oaep_decrypt(op_t *op)
{
    encrypted(op, RSA_PKCS1_OAEP_PADDING);
}


/* the private-key operation with type-1 padding, and its inverse */

static int
private_run(op_t *op)
{
    op->signed_size = BLOCK;

    return EVP_PKEY_sign(op->pctx, op->signature, &op->signed_size,
                         op->data, op->length);
}


static void
private_prepare(op_t *op)
{
    op->pctx = rsa(op, EVP_PKEY_sign_init, RSA_PKCS1_PADDING);
}


static int
recover_run(op_t *op)
{
    size_t  n;

    n = BLOCK;

    return EVP_PKEY_verify_recover(op->pctx, op->out, &n, op->signature,
                                   op->signed_size) == 1
           && n == op->length;
}


static void
recover_prepare(op_t *op)
{
    private_prepare(op);
    need_one(private_run(op), "EVP_PKEY_sign()");
    EVP_PKEY_CTX_free(op->pctx);

    op->pctx = rsa(op, EVP_PKEY_verify_recover_init, RSA_PKCS1_PADDING);
}


/* SHA-256, RS256, HMAC with SHA-256, random bytes */

static void
digest_prepare(op_t *op)
{
    op->md = need(EVP_MD_fetch(NULL, "SHA256", NULL), "EVP_MD_fetch()");
    op->mctx = need(EVP_MD_CTX_new(), "EVP_MD_CTX_new()");
    need_one(EVP_DigestInit_ex2(op->mctx, op->md, NULL),
             "EVP_DigestInit_ex2()");
}


static int
digest_run(op_t *op)
{
    unsigned  n;

    return EVP_DigestInit_ex2(op->mctx, NULL, NULL) == 1
           && EVP_DigestUpdate(op->mctx, op->data, op->length) == 1
           && EVP_DigestFinal_ex(op->mctx, op->out, &n) == 1;
}


static int
sign_run(op_t *op)
{
    op->signed_size = BLOCK;

    return digest_run(op) == 1
           && EVP_PKEY_sign(op->pctx, op->signature, &op->signed_size,
                            op->out, SHA256) == 1;
}


static void
sign_prepare(op_t *op)
{
    digest_prepare(op);
    op->pctx = rsa(op, EVP_PKEY_sign_init, RSA_PKCS1_PADDING);
    need_one(EVP_PKEY_CTX_set_signature_md(op->pctx, op->md), "digest");
}


static int
verify_run(op_t *op)
{
    return digest_run(op) == 1
           && EVP_PKEY_verify(op->pctx, op->signature, op->signed_size,
                              op->out, SHA256) == 1;
}


static void
verify_prepare(op_t *op)
{
    sign_prepare(op);
    need_one(sign_run(op), "EVP_PKEY_sign()");
    EVP_PKEY_CTX_free(op->pctx);

    op->pctx = rsa(op, EVP_PKEY_verify_init, RSA_PKCS1_PADDING);
    need_one(EVP_PKEY_CTX_set_signature_md(op->pctx, op->md), "digest");
}


static void
hmac_prepare(op_t *op)
{
    EVP_MAC     *mac;
    OSSL_PARAM   params[2];

    mac = need(EVP_MAC_fetch(NULL, "HMAC", NULL), "EVP_MAC_fetch()");
    op->mac = need(EVP_MAC_CTX_new(mac), "EVP_MAC_CTX_new()");

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                 (char *) "SHA256", 0);
    params[1] = OSSL_PARAM_construct_end();

    need_one(EVP_MAC_init(op->mac, op->aes_key, AES_KEY, params),
             "EVP_MAC_init()");
}


static int
hmac_run(op_t *op)
{
    size_t  n;

    return EVP_MAC_init(op->mac, NULL, 0, NULL) == 1
           && EVP_MAC_update(op->mac, op->data, op->length) == 1
           && EVP_MAC_final(op->mac, op->out, &n, SHA256) == 1;
}


static int
random_run(op_t *op)
{
    return RAND_bytes(op->out, (int) op->length);
}


/* AES: each message has a key of its own, so it is scheduled again */

static void
cipher_prepare(op_t *op, const char *name)
{
    EVP_CIPHER  *cipher;

    cipher = need(EVP_CIPHER_fetch(NULL, name, NULL), "EVP_CIPHER_fetch()");

    op->cctx = need(EVP_CIPHER_CTX_new(), "EVP_CIPHER_CTX_new()");
    op->gcm = (EVP_CIPHER_get_mode(cipher) == EVP_CIPH_GCM_MODE);
    op->encrypt = 1;
    op->size = op->length;

    need_one(EVP_CipherInit_ex2(op->cctx, cipher, NULL, NULL, 1, NULL),
             "EVP_CipherInit_ex2()");

    if (op->gcm) {
        need_one(EVP_CIPHER_CTX_ctrl(op->cctx, EVP_CTRL_AEAD_SET_IVLEN,
                                     AES_IV, NULL), "length of the iv");
    }
}


static int
cipher_run(op_t *op)
{
    int  n, last;

    if (EVP_CipherInit_ex2(op->cctx, NULL, op->aes_key, op->aes_iv,
                           op->encrypt, NULL) != 1
        || (op->gcm && !op->encrypt
            && EVP_CIPHER_CTX_ctrl(op->cctx, EVP_CTRL_AEAD_SET_TAG, AES_TAG,
                                   op->tag) != 1)
        || EVP_CipherUpdate(op->cctx, op->out, &n, op->data, (int) op->size)
           != 1
        || EVP_CipherFinal_ex(op->cctx, op->out + n, &last) != 1
        || (op->gcm && op->encrypt
            && EVP_CIPHER_CTX_ctrl(op->cctx, EVP_CTRL_AEAD_GET_TAG, AES_TAG,
                                   op->tag) != 1))
    {
        return 0;
    }

    op->written = (size_t) (n + last);

    return 1;
}


static void
decipher_prepare(op_t *op, const char *name)
{
    cipher_prepare(op, name);
    need_one(cipher_run(op), name);

    memcpy(op->data, op->out, op->written);
    op->size = op->written;
    op->encrypt = 0;
}


static void
gcm_encrypt(op_t *op)
{
    cipher_prepare(op, "AES-256-GCM");
}


static void
gcm_decrypt(op_t *op)
{
    decipher_prepare(op, "AES-256-GCM");
}


static void
ecb_encrypt(op_t *op)
{
    cipher_prepare(op, "AES-128-ECB");
}


static void
ecb_decrypt(op_t *op)
{
    decipher_prepare(op, "AES-128-ECB");
}


static void
nothing(op_t *op)
{
    (void) op;
}


static const kind_t  kinds[] = {
    { "pkcs1-encrypt", pkcs1_encrypt, encrypt_run },
    { "pkcs1-decrypt", pkcs1_decrypt, decrypt_run },
    { "oaep-encrypt", oaep_encrypt, encrypt_run },
    { "oaep-decrypt", oaep_decrypt, decrypt_run },
    { "private", private_prepare, private_run },
    { "recover", recover_prepare, recover_run },
    { "rs256-sign", sign_prepare, sign_run },
    { "rs256-verify", verify_prepare, verify_run },
    { "hmac-sha256", hmac_prepare, hmac_run },
    { "aes-256-gcm-encrypt", gcm_encrypt, cipher_run },
    { "aes-256-gcm-decrypt", gcm_decrypt, cipher_run },
    { "aes-128-ecb-encrypt", ecb_encrypt, cipher_run },
    { "aes-128-ecb-decrypt", ecb_decrypt, cipher_run },
    { "random", nothing, random_run },
    { NULL, NULL, NULL }
};


operation_t *
operation_make(const char *text)
{
    char          *word, *length, *file;
    op_t          *op;
    const kind_t  *kind;

    op = need(calloc(1, sizeof(op_t)), "calloc()");
    word = need(strdup(text), "strdup()");
    length = need(strchr(word, ':'), text);
    *length++ = '\0';

    file = strchr(length, ':');
    if (file) {
        read_key(op, file + 1);
    }

    op->length = strtoul(length, NULL, 10);
    op->data = need(calloc(1, op->length + ROOM), "calloc()");
    op->out = need(calloc(1, op->length + ROOM), "calloc()");

    for (kind = kinds; kind->name; kind++) {
        if (strcmp(kind->name, word) == 0) {
            op->kind = kind;
            kind->prepare(op);
            free(word);
            return op;
        }
    }

    fprintf(stderr, "unknown operation \"%s\"\n", word);
    exit(2);
}


void
operation_run(operation_t *op)
{
    need_one(op->kind->run(op), op->kind->name);
}
