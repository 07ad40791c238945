
/* The blocks of one RSA text in any order, and on threads. */


#include "keyutil.h"

#include "ngx_envelope_rsa.h"

#include <dlfcn.h>
#include <pthread.h>


#define LONG     1000     /* bytes: 9 blocks of 1024 bits, 11 with OAEP */
#define THREADS  4


static ngx_pool_t             *pool;
static ngx_envelope_reason_t   reason;
static ngx_envelope_key_t      key;

/* copies of contexts: how many, those with a label, and which one fails */
static int                     dups, labels, dup_fails;

/* what "each" was asked for */
static ngx_uint_t              asked, most;


/* in front of OpenSSL's own, for the core too */

EVP_PKEY_CTX *
EVP_PKEY_CTX_dup(const EVP_PKEY_CTX *ctx)
{
    unsigned char   *label = NULL;
    EVP_PKEY_CTX  *(*dup)(const EVP_PKEY_CTX *);

    *(void **) &dup = dlsym(RTLD_NEXT, "EVP_PKEY_CTX_dup");

    if (EVP_PKEY_CTX_get0_rsa_oaep_label((EVP_PKEY_CTX *) ctx, &label) > 0) {
        __atomic_fetch_add(&labels, 1, __ATOMIC_SEQ_CST);
    }

    if (__atomic_add_fetch(&dups, 1, __ATOMIC_SEQ_CST) == dup_fails) {
        return NULL;
    }

    return dup(ctx);
}


/* ways to go through the blocks */


static void
note(ngx_uint_t n)
{
    asked++;
    most = ngx_max(most, n);
}


static void
forward(void *data, ngx_uint_t n, void (*work)(void *ctx, ngx_uint_t i),
    void *ctx)
{
    ngx_uint_t  i;

    note(n);

    for (i = 0; i < n; i++) {
        work(ctx, i);
    }
}


static void
reverse(void *data, ngx_uint_t n, void (*work)(void *ctx, ngx_uint_t i),
    void *ctx)
{
    note(n);

    while (n--) {
        work(ctx, n);
    }
}


/* "data" is the block that is left out */

static void
lazy(void *data, ngx_uint_t n, void (*work)(void *ctx, ngx_uint_t i),
    void *ctx)
{
    ngx_uint_t  i, *out = data;

    note(n);

    for (i = 0; i < n; i++) {
        if (i != *out) {
            work(ctx, i);
        }
    }
}


typedef struct {
    ngx_uint_t    from;
    ngx_uint_t    n;
    void        (*work)(void *ctx, ngx_uint_t i);
    void         *ctx;
} share_t;


static void *
share(void *data)
{
    share_t     *s = data;
    ngx_uint_t   i;

    for (i = s->from; i < s->n; i += THREADS) {
        s->work(s->ctx, i);
    }

    return NULL;
}


static void
parallel(void *data, ngx_uint_t n, void (*work)(void *ctx, ngx_uint_t i),
    void *ctx)
{
    share_t     shares[THREADS];
    pthread_t   threads[THREADS];
    ngx_uint_t  i;

    note(n);

    for (i = 0; i < THREADS; i++) {
        shares[i].from = i;
        shares[i].n = n;
        shares[i].work = work;
        shares[i].ctx = ctx;

        if (pthread_create(&threads[i], NULL, share, &shares[i]) != 0) {
            abort();
        }
    }

    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}


static ngx_envelope_rsa_t
scheme(ngx_envelope_rsa_padding_e padding, const char *label)
{
    ngx_str_t           none = ngx_null_string;
    ngx_envelope_rsa_t  rsa;

    memset(&rsa, 0, sizeof(rsa));
    rsa.padding = padding;
    rsa.label = str(label);

    is_int(ngx_envelope_rsa_init(&rsa, pool, &none, &none, &reason), NGX_OK,
           "padding %d, label \"%s\"", (int) padding, label);

    asked = 0;
    most = 0;
    dups = 0;
    labels = 0;
    dup_fails = 0;

    return rsa;
}


static void
prepare(ngx_envelope_rsa_t *rsa, ngx_uint_t seal)
{
    is_int(ngx_envelope_rsa_prepare(rsa, &key, seal, pool, &reason), NGX_OK,
           "prepared");
}


/* a text in which every place differs */

static ngx_str_t
text(size_t len)
{
    size_t     i;
    ngx_str_t  v;

    v = filled(pool, 0, len);

    for (i = 0; i < len; i++) {
        v.data[i] = (u_char) (i * 7 + i / 251);
    }

    return v;
}


static const ngx_envelope_each_t  ways[] = {
    { forward, NULL },
    { reverse, NULL },
    { parallel, NULL }
};

static const ngx_envelope_env_t  envs[] = {
    { random_bytes, NULL, &ways[0] },
    { random_bytes, NULL, &ways[1] },
    { random_bytes, NULL, &ways[2] }
};


/* whichever way, the same text comes out, and it is what the plain way makes */

static void
test_open(ngx_envelope_rsa_padding_e padding, const char *label,
    ngx_uint_t blocks)
{
    ngx_str_t           in, out, back;
    ngx_uint_t          i;
    ngx_envelope_rsa_t  rsa;

    for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        rsa = scheme(padding, label);
        in = text(LONG);

        is_int(ngx_envelope_rsa_seal(&rsa, &key, pool, &envs[i], &in, &out,
                                     &reason),
               NGX_OK, "seal");
        is_int(asked, 0, "nobody is asked where the key is public");

        prepare(&rsa, 0);

        is_int(ngx_envelope_rsa_open(&rsa, &key, pool, &ways[i], &out, &back,
                                     &reason),
               NGX_OK, "open, way %d", (int) i);
        is_mem(back.data, back.len, in.data, in.len, "in their order");
        is_int(asked, 1, "asked once");
        is_int(most, blocks, "for all blocks");
        ok(dups >= 1 && (ngx_uint_t) dups <= blocks,
           "contexts are copied, %d", dups);

        dups = 0;

        is_int(ngx_envelope_rsa_open(&rsa, &key, pool, &ways[0], &out, &back,
                                     &reason),
               NGX_OK, "once more");
        is_mem(back.data, back.len, in.data, in.len, "the same");
        is_int(dups, 0, "with a context that has been used");
        is_int(labels, 0, "no context with a label is copied");
    }

    ok(drained(), "no errors queued");
}


static void
test_private(void)
{
    ngx_str_t           in, out, back, plain;
    ngx_uint_t          i;
    ngx_envelope_rsa_t  rsa;

    for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        rsa = scheme(NGX_ENVELOPE_RSA_PRIVATE, "");
        in = text(LONG);

        is_int(ngx_envelope_rsa_seal(&rsa, &key, pool, &envs[i], &in, &out,
                                     &reason),
               NGX_OK, "seal, way %d", (int) i);
        is_int(most, 9, "for all blocks");

        (void) ngx_envelope_rsa_seal(&rsa, &key, pool, &env, &in, &plain,
                                     &reason);
        is_mem(out.data, out.len, plain.data, plain.len, "as without");

        is_int(ngx_envelope_rsa_open(&rsa, &key, pool, &ways[i], &out, &back,
                                     &reason),
               NGX_OK, "open");
        is_mem(back.data, back.len, in.data, in.len, "as it was");
        is_int(asked, 1, "nobody is asked where the key is public");
    }
}


/* whoever watches the work learns of a single block, too */

static void
test_single(void)
{
    ngx_str_t           in, out, back;
    ngx_envelope_rsa_t  rsa;

    rsa = scheme(NGX_ENVELOPE_RSA_OAEP, "label");
    in = text(20);

    (void) ngx_envelope_rsa_seal(&rsa, &key, pool, &envs[0], &in, &out,
                                 &reason);
    is_int(ngx_envelope_rsa_open(&rsa, &key, pool, &ways[0], &out, &back,
                                 &reason),
           NGX_OK, "one block");
    is_mem(back.data, back.len, in.data, in.len, "as it was");
    is_int(asked, 1, "asked");
    is_int(most, 1, "for one");
    is_int(dups, 0, "no copy");
}


/* what is tampered with is refused as if the blocks went one by one */

static void
test_tampered(void)
{
    ngx_str_t           in, out, back, alone;
    ngx_uint_t          i;
    ngx_envelope_rsa_t  rsa;

    for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        rsa = scheme(NGX_ENVELOPE_RSA_PKCS1, "");
        in = text(LONG);

        (void) ngx_envelope_rsa_seal(&rsa, &key, pool, &env, &in, &out,
                                     &reason);
        memset(out.data + 4 * 128, 0, 128);

        is_int(ngx_envelope_rsa_open(&rsa, &key, pool, NULL, &out, &alone,
                                     &reason),
               NGX_OK, "PKCS1, alone");
        is_int(ngx_envelope_rsa_open(&rsa, &key, pool, &ways[i], &out, &back,
                                     &reason),
               NGX_OK, "PKCS1, way %d", (int) i);
        is_mem(back.data, back.len, alone.data, alone.len, "the same");
        is_mem(back.data, 4 * 117, in.data, 4 * 117, "in front of it");

        rsa = scheme(NGX_ENVELOPE_RSA_OAEP, "");

        (void) ngx_envelope_rsa_seal(&rsa, &key, pool, &env, &in, &out,
                                     &reason);
        out.data[3 * 128 + 5] ^= 1;

        is_int(ngx_envelope_rsa_open(&rsa, &key, pool, &ways[i], &out, &back,
                                     &reason),
               NGX_DECLINED, "OAEP, way %d", (int) i);
        is_mem(reason.data, reason.len, "rsa-oaep does not open with this key",
               36, "the reason");
    }

    ok(drained(), "no errors queued");
}


static void
test_failures(void)
{
    ngx_str_t            in, out, back;
    ngx_uint_t           i, blocks[] = { 0, 4, 8 };
    ngx_envelope_rsa_t   rsa;
    ngx_envelope_each_t  each;

    for (i = 0; i < 3; i++) {
        rsa = scheme(NGX_ENVELOPE_RSA_PKCS1, "");
        in = text(LONG);

        (void) ngx_envelope_rsa_seal(&rsa, &key, pool, &env, &in, &out,
                                     &reason);

        each.run = lazy;
        each.data = &blocks[i];

        is_int(ngx_envelope_rsa_open(&rsa, &key, pool, &each, &out, &back,
                                     &reason),
               NGX_ERROR, "block %d is left out", (int) blocks[i]);

        prepare(&rsa, 0);
        dups = 0;
        dup_fails = 1;

        is_int(ngx_envelope_rsa_open(&rsa, &key, pool, &ways[i], &out, &back,
                                     &reason),
               NGX_ERROR, "a copy fails, way %d", (int) i);

        rsa = scheme(NGX_ENVELOPE_RSA_PRIVATE, "");
        prepare(&rsa, 1);
        dup_fails = 1;

        is_int(ngx_envelope_rsa_seal(&rsa, &key, pool, &envs[i], &in, &out,
                                     &reason),
               NGX_ERROR, "a copy fails, sealing");
    }

    ok(drained(), "no errors queued");
}


int
main(void)
{
    EVP_PKEY  *pkey;

    pool = ngx_create_pool(4096, &shim_log);
    pkey = EVP_RSA_gen(1024);
    ERR_clear_error();
    key = wrap(pkey, 1);

    test_open(NGX_ENVELOPE_RSA_PKCS1, "", 9);
    test_open(NGX_ENVELOPE_RSA_OAEP, "", 12);
    test_open(NGX_ENVELOPE_RSA_OAEP, "label", 12);
    test_private();
    test_single();
    test_tampered();
    test_failures();

    EVP_PKEY_free(pkey);
    ngx_destroy_pool(pool);
    is_int(shim_live, 0, "nothing left");

    return done_testing();
}
