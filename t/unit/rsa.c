
/* RSA in blocks: all three paddings, and what attackers make of them. */


#include "keyutil.h"

#include "ngx_envelope_rsa.h"


static ngx_pool_t             *pool;
static ngx_envelope_reason_t   reason;
static EVP_PKEY               *pair[2];      /* 1024 and 2048 bits */


static ngx_envelope_rsa_t
scheme(ngx_envelope_rsa_padding_e padding, const char *hash, const char *mgf1)
{
    ngx_str_t           h, m;
    ngx_envelope_rsa_t  rsa;

    memset(&rsa, 0, sizeof(rsa));
    rsa.padding = padding;
    h = str(hash);
    m = str(mgf1);

    is_int(ngx_envelope_rsa_init(&rsa, pool, &h, &m, &reason), NGX_OK,
           "padding %d, hash \"%s\", mgf1 \"%s\"", (int) padding, hash, mgf1);

    return rsa;
}


/* the bare operation, over k bytes, of either half of the key */

static ngx_str_t
raw(EVP_PKEY *pkey, ngx_str_t *block, int private)
{
    size_t         len;
    ngx_str_t      out;
    EVP_PKEY_CTX  *ctx;

    len = block->len;
    out = filled(pool, 0, len);
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);

    if (private) {
        EVP_PKEY_decrypt_init(ctx);
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING);
        ok(EVP_PKEY_decrypt(ctx, out.data, &len, block->data, len) == 1,
           "raw private");

    } else {
        EVP_PKEY_encrypt_init(ctx);
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING);
        ok(EVP_PKEY_encrypt(ctx, out.data, &len, block->data, len) == 1,
           "raw public");
    }

    EVP_PKEY_CTX_free(ctx);

    return out;
}


static ngx_str_t
append(ngx_str_t a, ngx_str_t b)
{
    ngx_str_t  v;

    v.len = a.len + b.len;
    v.data = ngx_pnalloc(pool, v.len);
    memcpy(v.data, a.data, a.len);
    memcpy(v.data + a.len, b.data, b.len);

    return v;
}


static void
round_trip(ngx_envelope_rsa_t *rsa, ngx_envelope_key_t *seal,
    ngx_envelope_key_t *open, size_t max, size_t k)
{
    size_t     i, len, lens[] = { 1, max - 1, max, max + 1, 2 * max, 5 * max };
    ngx_str_t  in, out, back;

    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        len = lens[i];
        in = filled(pool, 'a' + (int) i, len);

        is_int(ngx_envelope_rsa_seal(rsa, seal, pool, &env, &in, &out, &reason),
               NGX_OK, "seal of %d bytes", (int) len);
        is_int(out.len, (len + max - 1) / max * k, "whole blocks");
        is_int(ngx_envelope_rsa_open(rsa, open, pool, NULL, &out, &back,
                                     &reason),
               NGX_OK, "open");
        is_mem(back.data, back.len, in.data, in.len, "as it was");
    }
}


static void
test_round_trips(void)
{
    size_t              k;
    ngx_uint_t          i;
    ngx_envelope_key_t  pub, priv;
    ngx_envelope_rsa_t  pkcs1, type1, oaep, java, labelled;

    pkcs1 = scheme(NGX_ENVELOPE_RSA_PKCS1, "", "");
    type1 = scheme(NGX_ENVELOPE_RSA_PRIVATE, "", "");
    oaep = scheme(NGX_ENVELOPE_RSA_OAEP, "", "");
    java = scheme(NGX_ENVELOPE_RSA_OAEP, "sha256", "sha1");
    labelled = scheme(NGX_ENVELOPE_RSA_OAEP, "sha256", "");
    labelled.label = str("label");

    ok(EVP_MD_is_a(oaep.hash, "SHA1") && oaep.mgf1 == oaep.hash,
       "sha1 by default");
    ok(labelled.mgf1 == labelled.hash, "mgf1 is the hash by default");
    ok(EVP_MD_is_a(java.mgf1, "SHA1"), "mgf1 apart from the hash");

    for (i = 0; i < 2; i++) {
        pub = wrap(public_half(pair[i]), 0);
        priv = wrap(pair[i], 1);
        k = i ? 256 : 128;

        round_trip(&pkcs1, &pub, &priv, k - 11, k);
        round_trip(&type1, &priv, &pub, k - 11, k);
        round_trip(&oaep, &pub, &priv, k - 42, k);
        round_trip(&java, &pub, &priv, k - 66, k);
        round_trip(&labelled, &pub, &priv, k - 66, k);

        EVP_PKEY_free(pub.pkey);
    }

    ok(drained(), "no errors queued");
}


/* what a block is under RSAES-PKCS1-v1_5 and under type 1 */

typedef struct {
    const char  *name;
    int          first;      /* byte 0 */
    int          type;
    int          zero;       /* position of the separator, 0 for none */
    int          spot;       /* position of a zero, or not 0xff, byte */
} block_t;


static const block_t  blocks[] = {
    { "a type that is wrong", 0, -1, 100, 0 },
    { "type 0", 0, 0, 100, 0 },
    { "a first byte that is not 0", 1, 9, 100, 0 },
    { "7 bytes of padding", 0, 9, 9, 0 },
    { "no padding", 0, 9, 2, 0 },
    { "no separator", 0, 9, 0, 0 },
    { "an empty text", 0, 9, 127, 0 },
    { "a wrong byte of padding", 0, 9, 100, 5 },
    { NULL, 0, 0, 0, 0 }
};


/* a type of 9 is the right one, of -1 the other one; 128 bytes */

static ngx_str_t
block(const block_t *b, int right, int fill)
{
    ngx_str_t  v;

    v = filled(pool, fill, 128);

    v.data[0] = b->first;
    v.data[1] = (b->type == 9) ? right : (b->type == -1) ? 3 - right : b->type;

    if (b->spot) {
        v.data[b->spot] = (right == 2) ? 0x00 : 0xfe;
    }

    if (b->zero) {
        v.data[b->zero] = 0;
    }

    return v;
}


static void
test_pkcs1_oracle(void)
{
    int                  old;
    ngx_str_t            good, bad, in, out;
    const block_t       *b;
    ngx_envelope_key_t   priv;
    ngx_envelope_rsa_t   rsa;

    static const block_t  right = { "right", 0, 9, 100, 0 };
    static const block_t  edge = { "8 bytes of padding", 0, 9, 10, 0 };

    old = OPENSSL_version_major() == 3 && OPENSSL_version_minor() < 2;
    rsa = scheme(NGX_ENVELOPE_RSA_PKCS1, "", "");
    priv = wrap(pair[0], 1);

    in = block(&right, 2, 0x41);
    good = raw(pair[0], &in, 0);

    is_int(ngx_envelope_rsa_open(&rsa, &priv, pool, NULL, &good, &out, &reason),
           NGX_OK, "a right block");
    is_mem(out.data, out.len, in.data + 101, 27, "its text");

    in = block(&edge, 2, 0x41);
    bad = raw(pair[0], &in, 0);
    is_int(ngx_envelope_rsa_open(&rsa, &priv, pool, NULL, &bad, &out, &reason),
           NGX_OK, "8 bytes of padding");
    is_int(out.len, 117, "are enough");

    for (b = blocks; b->name; b++) {
        in = block(b, 2, 0x41);
        bad = raw(pair[0], &in, 0);

        is_int(ngx_envelope_rsa_open(&rsa, &priv, pool, NULL, &bad, &out,
                                     &reason),
               NGX_OK, "does not fail: %s", b->name);

        if (old || b->zero == 127) {
            is_mem(out.data, out.len, "\xff", 1, "but gives 0xff");
        }

        /* the others are not disturbed, and all are worked through */

        in = append(append(good, bad), good);
        is_int(ngx_envelope_rsa_open(&rsa, &priv, pool, NULL, &in, &out,
                                     &reason),
               NGX_OK, "between two right ones");

        if (old) {
            is_int(out.len, 27 + 1 + 27, "length");
            ok(out.data[27] == 0xff && out.data[0] == 0x41
               && out.data[54] == 0x41, "texts around it");
        }
    }

    in = filled(pool, 0xff, 128);
    is_int(ngx_envelope_rsa_open(&rsa, &priv, pool, NULL, &in, &out, &reason),
           NGX_OK, "c >= n does not fail");
    is_mem(out.data, out.len, "\xff", 1, "but gives 0xff");
    ok(drained(), "no errors queued");
}


static void
test_type1(void)
{
    ngx_str_t            good, bad, in, out;
    const block_t       *b;
    ngx_envelope_key_t   pub, priv;
    ngx_envelope_rsa_t   rsa;

    static const block_t  right = { "right", 0, 9, 100, 0 };

    rsa = scheme(NGX_ENVELOPE_RSA_PRIVATE, "", "");
    priv = wrap(pair[0], 1);
    pub = wrap(public_half(pair[0]), 0);

    /* no DigestInfo, plain type 1 */

    in = filled(pool, 'x', 27);
    is_int(ngx_envelope_rsa_seal(&rsa, &priv, pool, &env, &in, &out, &reason),
           NGX_OK, "seal");
    good = raw(pair[0], &out, 0);
    in = block(&right, 1, 0xff);
    memset(in.data + 101, 'x', 27);
    is_mem(good.data, good.len, in.data, in.len, "exactly type 1 padding");

    good = out;

    for (b = blocks; b->name; b++) {
        in = block(b, 1, 0xff);
        bad = raw(pair[0], &in, 1);
        reason.len = 0;

        is_int(ngx_envelope_rsa_open(&rsa, &pub, pool, NULL, &bad, &out,
                                     &reason),
               NGX_DECLINED, "refused: %s", b->name);
        is_reason(reason, "does not open");

        in = append(good, bad);
        is_int(ngx_envelope_rsa_open(&rsa, &pub, pool, NULL, &in, &out,
                                     &reason),
               NGX_DECLINED, "behind a right one");
        is_int(out.len, 0, "nothing handed out");
        ok(out.data[0] != 'x', "and nothing left");
    }

    in = filled(pool, 0xff, 128);
    is_int(ngx_envelope_rsa_open(&rsa, &pub, pool, NULL, &in, &out, &reason),
           NGX_DECLINED, "c >= n");
    ok(drained(), "no errors queued");

    EVP_PKEY_free(pub.pkey);
}


static void
test_oaep(void)
{
    char                 first[NGX_ENVELOPE_REASON_LEN];
    size_t               i, len, same;
    ngx_str_t            in, sealed, bad[6], out;
    ngx_envelope_key_t   priv;
    ngx_envelope_rsa_t   rsa, other;

    priv = wrap(pair[1], 1);
    rsa = scheme(NGX_ENVELOPE_RSA_OAEP, "sha256", "sha256");
    rsa.label = str("right");
    in = str("text");

    is_int(ngx_envelope_rsa_seal(&rsa, &priv, pool, &env, &in, &sealed,
                                 &reason),
           NGX_OK, "seal");

    other = rsa;
    other.label = str("wrong");
    (void) ngx_envelope_rsa_seal(&other, &priv, pool, &env, &in, &bad[0],
                                 &reason);
    other.label.len = 0;
    (void) ngx_envelope_rsa_seal(&other, &priv, pool, &env, &in, &bad[1],
                                 &reason);
    other = scheme(NGX_ENVELOPE_RSA_OAEP, "sha256", "sha1");
    other.label = rsa.label;
    (void) ngx_envelope_rsa_seal(&other, &priv, pool, &env, &in, &bad[2],
                                 &reason);

    /* Manger: decrypts to something with a first byte that is not 0 */

    out = filled(pool, 0x01, 256);
    bad[3] = raw(pair[1], &out, 0);
    bad[4] = filled(pool, 0xff, 256);
    bad[5] = bytes(pool, sealed.data, 256);
    bad[5].data[255] ^= 1;

    len = 0;
    same = 0;

    for (i = 0; i < 6; i++) {
        is_int(ngx_envelope_rsa_open(&rsa, &priv, pool, NULL, &bad[i], &out,
                                     &reason), NGX_DECLINED, "bad %d",
               (int) i);
        is_int(out.len, 0, "nothing");

        if (i == 0) {
            len = reason.len;
            memcpy(first, reason.data, len);
        }

        same += (reason.len == len && memcmp(reason.data, first, len) == 0);
    }

    is_int(same, 6, "one reason");

    in = append(sealed, bad[5]);
    is_int(ngx_envelope_rsa_open(&rsa, &priv, pool, NULL, &in, &out, &reason),
           NGX_DECLINED, "a bad block behind a good one");
    is_int(ngx_envelope_rsa_open(&rsa, &priv, pool, NULL, &sealed, &out,
                                 &reason),
           NGX_OK, "the good one");
    is_str(out, "text", "text");
    ok(drained(), "no errors queued");
}


static ngx_int_t
no_random(void *data, u_char *buf, size_t len)
{
    ngx_uint_t  *asked = data;

    (*asked)++;

    return NGX_ERROR;
}


/* nothing is sealed without random bytes, with whatever there is instead */

static void
test_random(void)
{
    ngx_str_t            in, out;
    ngx_uint_t           asked;
    ngx_envelope_env_t   none = { no_random, &asked, NULL };
    ngx_envelope_key_t   priv;
    ngx_envelope_rsa_t   rsa, type1;

    rsa = scheme(NGX_ENVELOPE_RSA_PKCS1, "", "");
    type1 = scheme(NGX_ENVELOPE_RSA_PRIVATE, "", "");
    priv = wrap(pair[0], 1);
    in = filled(pool, 'x', 20);
    asked = 0;

    is_int(ngx_envelope_rsa_seal(&rsa, &priv, pool, &none, &in, &out, &reason),
           NGX_ERROR, "no padding");
    is_mem(reason.data, reason.len, "rsa-pkcs1 failed", 16, "the reason");
    is_int(asked, 1, "asked once");
    is_int(ngx_envelope_rsa_seal(&type1, &priv, pool, &none, &in, &out,
                                 &reason),
           NGX_OK, "a padding that is not random");
    is_int(asked, 1, "not asked");
    ok(drained(), "no errors queued");
}


static void
test_limits(void)
{
    size_t               max;
    ngx_str_t            in, out;
    ngx_envelope_key_t   priv;
    ngx_envelope_rsa_t   rsa, type1;

    rsa = scheme(NGX_ENVELOPE_RSA_PKCS1, "", "");
    type1 = scheme(NGX_ENVELOPE_RSA_PRIVATE, "", "");
    priv = wrap(pair[0], 1);
    max = NGX_ENVELOPE_RSA_TEXT_MAX / 128 * 117;

    in = filled(pool, 'x', max + 1);
    is_int(ngx_envelope_rsa_seal(&rsa, &priv, pool, &env, &in, &out, &reason),
           NGX_DECLINED, "one byte too many");
    in.len = max;
    is_int(ngx_envelope_rsa_seal(&rsa, &priv, pool, &env, &in, &out, &reason),
           NGX_OK, "as many as there may be");
    is_int(out.len, NGX_ENVELOPE_RSA_TEXT_MAX, "are the most");

    in = filled(pool, 1, NGX_ENVELOPE_RSA_TEXT_MAX + 128);
    is_int(ngx_envelope_rsa_open(&rsa, &priv, pool, NULL, &in, &out, &reason),
           NGX_DECLINED, "a block too many");

    in.len = 0;
    is_int(ngx_envelope_rsa_seal(&rsa, &priv, pool, &env, &in, &out, &reason),
           NGX_DECLINED, "nothing to seal");
    is_int(ngx_envelope_rsa_seal(&type1, &priv, pool, &env, &in, &out, &reason),
           NGX_DECLINED, "nothing to seal");
    is_int(ngx_envelope_rsa_open(&rsa, &priv, pool, NULL, &in, &out, &reason),
           NGX_DECLINED, "no block");

    in.len = 127;
    is_int(ngx_envelope_rsa_open(&rsa, &priv, pool, NULL, &in, &out, &reason),
           NGX_DECLINED, "127 bytes");
    in.len = 129;
    is_int(ngx_envelope_rsa_open(&rsa, &priv, pool, NULL, &in, &out, &reason),
           NGX_DECLINED, "129 bytes");
    ok(drained(), "no errors queued");
}


static void
test_check(void)
{
    EVP_PKEY            *ec;
    ngx_str_t            hash, none, in, out;
    ngx_envelope_key_t   priv, pub, other;
    ngx_envelope_rsa_t   pkcs1, type1, oaep;

    pkcs1 = scheme(NGX_ENVELOPE_RSA_PKCS1, "", "");
    type1 = scheme(NGX_ENVELOPE_RSA_PRIVATE, "", "");
    oaep = scheme(NGX_ENVELOPE_RSA_OAEP, "sha512", "");
    priv = wrap(pair[0], 1);
    pub = wrap(public_half(pair[0]), 0);
    ec = EVP_EC_gen("P-256");
    other = wrap(ec, 1);
    in = str("text");

    is_int(ngx_envelope_rsa_check(&pkcs1, &priv, 1, &reason), NGX_OK, "ok");
    is_int(ngx_envelope_rsa_check(&pkcs1, &pub, 0, &reason), NGX_OK, "ok");
    is_int(ngx_envelope_rsa_check(&pkcs1, &pub, 1, &reason), NGX_DECLINED,
           "public for private");
    is_reason(reason, "needs a private key");
    is_int(ngx_envelope_rsa_check(&pkcs1, &other, 1, &reason), NGX_DECLINED,
           "EC for RSA");
    is_reason(reason, "this is EC on P-256");
    is_int(ngx_envelope_rsa_check(&oaep, &priv, 0, &reason), NGX_DECLINED,
           "OAEP with SHA-512 in 1024 bits");
    is_reason(reason, "RSA of 1024 bits is too short");

    oaep.hash = oaep.mgf1 = (EVP_MD *) EVP_sha256();
    oaep.label = filled(pool, 'l', NGX_ENVELOPE_RSA_LABEL_MAX + 1);
    is_int(ngx_envelope_rsa_check(&oaep, &priv, 0, &reason), NGX_DECLINED,
           "a long label");

    is_int(ngx_envelope_rsa_seal(&type1, &pub, pool, &env, &in, &out, &reason),
           NGX_DECLINED, "sealing checks by itself");
    in = filled(pool, 0, 128);
    is_int(ngx_envelope_rsa_open(&pkcs1, &pub, pool, NULL, &in, &out, &reason),
           NGX_DECLINED, "and opening");

    hash = str("md5");
    none = str("");
    is_int(ngx_envelope_rsa_init(&oaep, pool, &hash, &none, &reason),
           NGX_DECLINED, "md5");
    is_int(ngx_envelope_rsa_init(&oaep, pool, &none, &hash, &reason),
           NGX_DECLINED, "mgf1 md5");
    is_reason(reason, "\"md5\"");
    ok(drained(), "no errors queued");

    EVP_PKEY_free(ec);
    EVP_PKEY_free(pub.pkey);
}


static void
test_memory(void)
{
    ngx_int_t            rc, i;
    ngx_str_t            hash, mgf1, in, sealed, out;
    ngx_uint_t           clean;
    ngx_pool_t          *p;
    ngx_envelope_key_t   priv;
    ngx_envelope_rsa_t   rsa;

    priv = wrap(pair[0], 1);
    hash = str("sha1");
    mgf1 = str("sha256");
    in = str("text");
    clean = 1;

    for (i = 0; i < 50; i++) {
        p = ngx_create_pool(1024, &shim_log);
        shim_fail_at = shim_allocs + i;

        memset(&rsa, 0, sizeof(rsa));
        rsa.padding = NGX_ENVELOPE_RSA_OAEP;
        rc = ngx_envelope_rsa_init(&rsa, p, &hash, &mgf1, &reason);

        if (rc == NGX_OK) {
            rc = ngx_envelope_rsa_seal(&rsa, &priv, p, &env, &in, &sealed,
                                       &reason);
        }

        if (rc == NGX_OK) {
            rc = ngx_envelope_rsa_open(&rsa, &priv, p, NULL, &sealed, &out,
                                       &reason);
        }

        shim_fail_at = -1;
        ngx_destroy_pool(p);

        if (rc == NGX_OK) {
            break;
        }

        clean &= (rc == NGX_ERROR);
    }

    ok(i > 3 && i < 50, "worked at last, with %d allocations", (int) i);
    ok(clean, "NGX_ERROR at each of them");
    ok(drained(), "no errors queued");
}


int
main(void)
{
    pool = ngx_create_pool(4096, &shim_log);
    pair[0] = EVP_RSA_gen(1024);
    pair[1] = EVP_RSA_gen(2048);
    ERR_clear_error();

    test_round_trips();
    test_pkcs1_oracle();
    test_type1();
    test_oaep();
    test_random();
    test_limits();
    test_check();
    test_memory();

    EVP_PKEY_free(pair[0]);
    EVP_PKEY_free(pair[1]);
    ngx_destroy_pool(pool);
    is_int(shim_live, 0, "nothing left");

    return done_testing();
}
