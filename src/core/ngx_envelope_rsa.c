
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_rsa.h"
#include "ngx_envelope_rsa_pad.h"
#include "ngx_envelope_errors.h"
#include "ngx_envelope_secret.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rsa.h>


/* what a block that has no text becomes, see ngx_envelope_rsa_open() */

#define NGX_ENVELOPE_RSA_JUNK  0xff


typedef struct {
    int          padding;    /* OpenSSL's; none: the block is padded here */
    int        (*init)(EVP_PKEY_CTX *ctx);
    int        (*run)(EVP_PKEY_CTX *ctx, unsigned char *out, size_t *outlen,
                   const unsigned char *in, size_t inlen);
} ngx_envelope_rsa_op_t;


typedef struct {
    ngx_str_t              name;
    ngx_envelope_rsa_op_t  seal;
    ngx_envelope_rsa_op_t  open;
} ngx_envelope_rsa_scheme_t;


/* what became of a block; its bytes are where they belong in the output */

typedef struct {
    size_t                        len;
    int                           rc;      /* OpenSSL's */
    unsigned                      done:1;
} ngx_envelope_rsa_block_t;


/* a text on its way through; the threads that share it share nothing else */

typedef struct {
    const ngx_envelope_rsa_t     *rsa;
    const ngx_envelope_key_t     *key;
    const ngx_envelope_rsa_op_t  *op;
    const ngx_envelope_env_t     *env;
    ngx_envelope_ready_t         *ready;   /* NULL: it was not prepared */
    EVP_PKEY_CTX                 *ctx;     /* unless each block has its own */
    size_t                        k;       /* bytes of the key */
    size_t                        piece;   /* .. of input in each block */
    ngx_uint_t                    n;       /* blocks */
    ngx_str_t                    *in;
    u_char                       *out;     /* room for n blocks of k */
    ngx_envelope_rsa_block_t     *block;
    size_t                        total;   /* bytes of output */
    ngx_uint_t                    bad;     /* blocks without a text */
    unsigned                      shared:1;     /* by several threads */
    unsigned                      is_public:1;  /* the half of the key */
} ngx_envelope_rsa_work_t;


static ngx_int_t ngx_envelope_rsa_digest(EVP_MD **md, ngx_pool_t *pool,
    ngx_str_t *name, ngx_envelope_reason_t *reason);
static void ngx_envelope_rsa_digest_cleanup(void *data);
static EVP_PKEY_CTX *ngx_envelope_rsa_start(const ngx_envelope_rsa_t *rsa,
    const ngx_envelope_key_t *key, const ngx_envelope_rsa_op_t *op);
static EVP_PKEY_CTX *ngx_envelope_rsa_take(ngx_envelope_rsa_work_t *work);
static void ngx_envelope_rsa_give(ngx_envelope_rsa_work_t *work,
    EVP_PKEY_CTX *ctx);
static ngx_int_t ngx_envelope_rsa_set_oaep(const ngx_envelope_rsa_t *rsa,
    EVP_PKEY_CTX *ctx);
static ngx_int_t ngx_envelope_rsa_set_label(const ngx_envelope_rsa_t *rsa,
    EVP_PKEY_CTX *ctx);
static ngx_int_t ngx_envelope_rsa_blocks(const ngx_envelope_rsa_t *rsa,
    const ngx_envelope_key_t *key, const ngx_envelope_rsa_op_t *op,
    ngx_pool_t *pool, const ngx_envelope_each_t *each,
    ngx_envelope_rsa_work_t *work);
static void ngx_envelope_rsa_block(void *data, ngx_uint_t i);
static int ngx_envelope_rsa_pad_run(ngx_envelope_rsa_work_t *work,
    EVP_PKEY_CTX *ctx, ngx_envelope_rsa_block_t *block, u_char *out,
    u_char *in, size_t len);
static ngx_int_t ngx_envelope_rsa_join(ngx_envelope_rsa_work_t *work);


/* indexed by ngx_envelope_rsa_padding_e */

static const ngx_envelope_rsa_scheme_t  ngx_envelope_rsa_schemes[] = {

    { ngx_string("rsa-pkcs1"),
      { RSA_NO_PADDING, EVP_PKEY_encrypt_init, EVP_PKEY_encrypt },
      { RSA_PKCS1_PADDING, EVP_PKEY_decrypt_init, EVP_PKEY_decrypt } },

    { ngx_string("rsa-oaep"),
      { RSA_PKCS1_OAEP_PADDING, EVP_PKEY_encrypt_init, EVP_PKEY_encrypt },
      { RSA_PKCS1_OAEP_PADDING, EVP_PKEY_decrypt_init, EVP_PKEY_decrypt } },

    /* with no digest set these two do the bare operation: no DigestInfo */

    { ngx_string("rsa-private"),
      { RSA_PKCS1_PADDING, EVP_PKEY_sign_init, EVP_PKEY_sign },
      { RSA_PKCS1_PADDING, EVP_PKEY_verify_recover_init,
        EVP_PKEY_verify_recover } }
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

    rsa->ready = NULL;

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
        ngx_envelope_errors_clear();
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


ngx_int_t
ngx_envelope_rsa_prepare(ngx_envelope_rsa_t *rsa,
    const ngx_envelope_key_t *key, ngx_uint_t seal, ngx_pool_t *pool,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t                         rc;
    const ngx_envelope_rsa_scheme_t  *scheme;

    scheme = &ngx_envelope_rsa_schemes[rsa->padding];

    rc = ngx_envelope_rsa_check(rsa, key,
                                seal == (rsa->padding
                                         == NGX_ENVELOPE_RSA_PRIVATE),
                                reason);

    if (rc != NGX_OK || ngx_envelope_ready_find(rsa->ready, key, seal)) {
        return rc;
    }

    if (ngx_envelope_ready_add(&rsa->ready, pool, &ngx_envelope_ready_pkey,
                               key, seal,
                               ngx_envelope_rsa_start(rsa, key,
                                                      seal ? &scheme->seal
                                                           : &scheme->open))
        != NGX_OK)
    {
        ngx_envelope_errors_clear();
        return ngx_envelope_failed(reason, "%V failed", &scheme->name);
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
    const ngx_envelope_key_t *key, ngx_pool_t *pool,
    const ngx_envelope_env_t *env, ngx_str_t *in, ngx_str_t *out,
    ngx_envelope_reason_t *reason)
{
    size_t                            max;
    ngx_int_t                         rc;
    ngx_envelope_rsa_work_t           work;
    const ngx_envelope_rsa_scheme_t  *scheme;

    scheme = &ngx_envelope_rsa_schemes[rsa->padding];

    work.ready = ngx_envelope_ready_find(rsa->ready, key, 1);

    if (work.ready == NULL) {
        rc = ngx_envelope_rsa_check(rsa, key,
                                    rsa->padding == NGX_ENVELOPE_RSA_PRIVATE,
                                    reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    work.k = EVP_PKEY_get_size(key->pkey);
    work.piece = work.k - ngx_envelope_rsa_overhead(rsa);

    if (in->len == 0) {
        return ngx_envelope_declined(reason, "%V of an empty text",
                                     &scheme->name);
    }

    max = NGX_ENVELOPE_RSA_TEXT_MAX / work.k * work.piece;

    if (in->len > max) {
        return ngx_envelope_declined(reason, "%uz bytes are too long for %V, "
                                     "%uz are the most", in->len,
                                     &scheme->name, max);
    }

    work.env = env;
    work.in = in;
    work.n = (in->len + work.piece - 1) / work.piece;

    out->len = work.n * work.k;
    out->data = ngx_pnalloc(pool, out->len);
    if (out->data == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    work.out = out->data;

    work.is_public = (rsa->padding != NGX_ENVELOPE_RSA_PRIVATE);

    if (ngx_envelope_rsa_blocks(rsa, key, &scheme->seal, pool, env->each,
                                &work)
        != NGX_OK
        || work.bad
        || work.total != out->len)
    {
        return ngx_envelope_failed(reason, "%V failed", &scheme->name);
    }

    return NGX_OK;
}


ngx_int_t
ngx_envelope_rsa_open(const ngx_envelope_rsa_t *rsa,
    const ngx_envelope_key_t *key, ngx_pool_t *pool,
    const ngx_envelope_each_t *each, ngx_str_t *in, ngx_str_t *out,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t                         rc;
    ngx_envelope_rsa_work_t           work;
    const ngx_envelope_rsa_scheme_t  *scheme;

    scheme = &ngx_envelope_rsa_schemes[rsa->padding];

    work.ready = ngx_envelope_ready_find(rsa->ready, key, 0);

    if (work.ready == NULL) {
        rc = ngx_envelope_rsa_check(rsa, key,
                                    rsa->padding != NGX_ENVELOPE_RSA_PRIVATE,
                                    reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    work.k = EVP_PKEY_get_size(key->pkey);
    work.piece = work.k;

    if (in->len == 0 || in->len % work.k != 0) {
        return ngx_envelope_declined(reason, "%uz bytes of %V are no whole "
                                     "number of blocks of %uz", in->len,
                                     &scheme->name, work.k);
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

    work.env = NULL;
    work.in = in;
    work.out = out->data;
    work.n = in->len / work.k;

    work.is_public = (rsa->padding == NGX_ENVELOPE_RSA_PRIVATE);

    if (ngx_envelope_rsa_blocks(rsa, key, &scheme->open, pool, each, &work)
        != NGX_OK)
    {
        return ngx_envelope_failed(reason, "%V failed", &scheme->name);
    }

    if (work.bad && rsa->padding != NGX_ENVELOPE_RSA_PKCS1) {
        OPENSSL_cleanse(out->data, in->len);

        return ngx_envelope_declined(reason, "%V does not open with this key",
                                     &scheme->name);
    }

    out->len = work.total;

    return NGX_OK;
}


/*
 * Works through all blocks and joins what came of them.  NGX_ERROR where not
 * even a context can be had.  No failure leaves anything in the error queue.
 */

static ngx_int_t
ngx_envelope_rsa_blocks(const ngx_envelope_rsa_t *rsa,
    const ngx_envelope_key_t *key, const ngx_envelope_rsa_op_t *op,
    ngx_pool_t *pool, const ngx_envelope_each_t *each,
    ngx_envelope_rsa_work_t *work)
{
    ngx_uint_t  i;

    if (work->is_public) {
        each = NULL;
    }

    work->rsa = rsa;
    work->op = op;
    work->bad = 0;
    work->total = 0;
    work->shared = (each && work->n > 1);

    work->block = ngx_pcalloc(pool,
                              work->n * sizeof(ngx_envelope_rsa_block_t));
    if (work->block == NULL) {
        return NGX_ERROR;
    }

    work->key = key;
    work->ctx = NULL;

    if (!work->shared) {
        work->ctx = ngx_envelope_rsa_take(work);

        if (work->ctx == NULL) {
            ngx_envelope_errors_clear();
            return NGX_ERROR;
        }
    }

    if (each) {
        each->run(each->data, work->n, ngx_envelope_rsa_block, work);

    } else {
        for (i = 0; i < work->n; i++) {
            ngx_envelope_rsa_block(work, i);
        }
    }

    ngx_envelope_rsa_give(work, work->ctx);

    return ngx_envelope_rsa_join(work);
}


/*
 * One block, into the place that it would have if all were as long as can
 * be; OpenSSL wants room for k bytes each time.  Of a private key the error
 * queue is cleared whether there is something on it or not, and the context
 * is used again whatever became of the block, so that the way a good block
 * takes and the way a bad one takes are the same.
 *
 * On a thread of its own it takes a context of its own.
 */

static void
ngx_envelope_rsa_block(void *data, ngx_uint_t i)
{
    ngx_envelope_rsa_work_t *work = data;

    size_t                     pos, len;
    EVP_PKEY_CTX              *ctx;
    ngx_envelope_rsa_block_t  *block;

    block = &work->block[i];

    ctx = work->shared ? ngx_envelope_rsa_take(work) : work->ctx;

    if (ctx == NULL) {
        ngx_envelope_errors_clear();
        return;
    }

    pos = i * work->piece;
    len = ngx_min(work->piece, work->in->len - pos);

    block->len = work->k;

    if (work->op->padding == RSA_NO_PADDING) {
        block->rc = ngx_envelope_rsa_pad_run(work, ctx, block,
                                             work->out + i * work->k,
                                             work->in->data + pos, len);

    } else {
        block->rc = work->op->run(ctx, work->out + i * work->k, &block->len,
                                  work->in->data + pos, len);
    }

    block->done = 1;

    if (!work->is_public) {
        ERR_clear_error();

    } else if (block->rc != 1) {
        ngx_envelope_errors_clear();
    }

    if (work->shared) {
        ngx_envelope_rsa_give(work, ctx);
    }
}


static int
ngx_envelope_rsa_pad_run(ngx_envelope_rsa_work_t *work, EVP_PKEY_CTX *ctx,
    ngx_envelope_rsa_block_t *block, u_char *out, u_char *in, size_t len)
{
    int     rc;
    u_char  padded[NGX_ENVELOPE_RSA_BITS_MAX / 8];

    if (work->k > sizeof(padded)
        || ngx_envelope_rsa_pad(work->env, padded, work->k, in, len)
           != NGX_OK)
    {
        return 0;
    }

    rc = work->op->run(ctx, out, &block->len, padded, work->k);

    OPENSSL_cleanse(padded, work->k);

    return rc;
}


/* moves the blocks together, in their order, and counts those without text */

static ngx_int_t
ngx_envelope_rsa_join(ngx_envelope_rsa_work_t *work)
{
    u_char                    *p;
    ngx_uint_t                 i;
    ngx_envelope_rsa_block_t  *block;

    block = work->block;
    p = work->out;

    for (i = 0; i < work->n; i++) {

        if (!block[i].done) {
            return NGX_ERROR;
        }

        if (block[i].rc != 1 || block[i].len == 0) {
            *p++ = NGX_ENVELOPE_RSA_JUNK;
            work->bad++;
            continue;
        }

        p = ngx_movemem(p, work->out + i * work->k, block[i].len);
    }

    work->total = p - work->out;

    return NGX_OK;
}


static EVP_PKEY_CTX *
ngx_envelope_rsa_start(const ngx_envelope_rsa_t *rsa,
    const ngx_envelope_key_t *key, const ngx_envelope_rsa_op_t *op)
{
    EVP_PKEY_CTX  *ctx;

    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);

    if (ctx == NULL
        || op->init(ctx) != 1
        || EVP_PKEY_CTX_set_rsa_padding(ctx, op->padding) != 1
        || (rsa->padding == NGX_ENVELOPE_RSA_OAEP
            && ngx_envelope_rsa_set_oaep(rsa, ctx) != NGX_OK))
    {
        EVP_PKEY_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


/*
 * The label is given to copies only: most versions of OpenSSL let the copy of
 * a context have the very bytes of the original's label, and free them twice.
 */

static EVP_PKEY_CTX *
ngx_envelope_rsa_take(ngx_envelope_rsa_work_t *work)
{
    EVP_PKEY_CTX  *ctx;

    ctx = work->ready ? ngx_envelope_ready_take(work->ready)
                      : ngx_envelope_rsa_start(work->rsa, work->key, work->op);

    if (ctx && ngx_envelope_rsa_set_label(work->rsa, ctx) != NGX_OK) {
        EVP_PKEY_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


static void
ngx_envelope_rsa_give(ngx_envelope_rsa_work_t *work, EVP_PKEY_CTX *ctx)
{
    if (ctx && work->ready) {
        ngx_envelope_ready_give(work->ready, ctx);

    } else {
        EVP_PKEY_CTX_free(ctx);
    }
}


static ngx_int_t
ngx_envelope_rsa_set_oaep(const ngx_envelope_rsa_t *rsa, EVP_PKEY_CTX *ctx)
{
    return (EVP_PKEY_CTX_set_rsa_oaep_md(ctx, rsa->hash) == 1
            && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, rsa->mgf1) == 1)
           ? NGX_OK : NGX_ERROR;
}


/*
 * Not by EVP_PKEY_CTX_set0_rsa_oaep_label(): up to 3.3.2 at least it crashes
 * with the copy of a context, which comes without the key's manager.
 */

static ngx_int_t
ngx_envelope_rsa_set_label(const ngx_envelope_rsa_t *rsa, EVP_PKEY_CTX *ctx)
{
    OSSL_PARAM  params[2];

    if (rsa->padding != NGX_ENVELOPE_RSA_OAEP || rsa->label.len == 0) {
        return NGX_OK;
    }

    /* a provider may ignore what it does not know */

    if (OSSL_PARAM_locate_const(EVP_PKEY_CTX_settable_params(ctx),
                                OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL)
        == NULL)
    {
        return NGX_ERROR;
    }

    params[0] = OSSL_PARAM_construct_octet_string(
                    OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, rsa->label.data,
                    rsa->label.len);
    params[1] = OSSL_PARAM_construct_end();

    return EVP_PKEY_CTX_set_params(ctx, params) == 1 ? NGX_OK : NGX_ERROR;
}
