
/* Signatures, HMACs and digests: known answers, and what must not verify. */


#include "keyutil.h"

#include "ngx_envelope_alg.h"
#include "ngx_envelope_codec.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>


static ngx_pool_t             *pool;
static ngx_envelope_reason_t   reason;
static EVP_PKEY               *rsa, *small, *p256, *p384, *k256, *ed, *pss;


static ngx_envelope_alg_t
alg_of(const char *name)
{
    ngx_str_t           s;
    ngx_envelope_alg_t  alg;

    s = str(name);
    memset(&alg, 0, sizeof(alg));
    is_int(ngx_envelope_alg_init(&alg, pool, &s, &reason), NGX_OK, "%s", name);

    return alg;
}


/* RFC 1321, 2202, 3174, 4231 and FIPS 180-4 */

static const struct {
    const char  *alg;
    const char  *key;
    const char  *text;
    const char  *sum;
} known[] = {
    { "md5", "", "", "d41d8cd98f00b204e9800998ecf8427e" },
    { "md5", "", "616263", "900150983cd24fb0d6963f7d28e17f72" },
    { "sha1", "", "616263", "a9993e364706816aba3e25717850c26c9cd0d89d" },
    { "sha256", "", "616263",
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "sha512", "", "616263",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
    { "hs1", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
      "b617318655057264e28bc0b6fb378c8ef146be00" },
    { "hs1", "4a656665",
      "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
      "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
    { "hs256", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
    { "hs384", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
      "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
      "faea9ea9076ede7f4af152e8b2fa9cb6" },
    { "hs512", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
      "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
      "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854" },
    { "hs256", "4a656665",
      "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
};


static void
test_known(void)
{
    size_t              i, j, refused;
    ngx_str_t           key, text, piece[3], sum, out, bad;
    ngx_envelope_alg_t  alg;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        alg = alg_of(known[i].alg);
        key = hex(pool, known[i].key);
        text = hex(pool, known[i].text);
        sum = hex(pool, known[i].sum);

        is_int(ngx_envelope_alg_sign(&alg, NULL, &key, pool, &text, 1, &out,
                                     &reason), NGX_OK, "computed");
        is_mem(out.data, out.len, sum.data, sum.len, "known");

        piece[0].data = text.data;
        piece[0].len = text.len / 2;
        piece[1].data = NULL;
        piece[1].len = 0;
        piece[2].data = text.data + piece[0].len;
        piece[2].len = text.len - piece[0].len;

        is_int(ngx_envelope_alg_verify(&alg, NULL, &key, pool, piece, 3, &sum,
                                       &reason), NGX_OK, "in pieces");

        for (j = 0, refused = 0; j < sum.len; j++) {
            bad = bytes(pool, sum.data, j);
            refused += (ngx_envelope_alg_verify(&alg, NULL, &key, pool, &text,
                                                1, &bad, &reason)
                        == NGX_DECLINED);

            sum.data[j] ^= 0x80;
            refused += (ngx_envelope_alg_verify(&alg, NULL, &key, pool, &text,
                                                1, &sum, &reason)
                        == NGX_DECLINED);
            sum.data[j] ^= 0x80;
        }

        is_int(refused, 2 * sum.len, "cut or changed ones are refused");

        bad = filled(pool, 0, sum.len + 1);
        memcpy(bad.data, sum.data, sum.len);
        is_int(ngx_envelope_alg_verify(&alg, NULL, &key, pool, &text, 1, &bad,
                                       &reason), NGX_DECLINED, "a longer one");
    }

    alg = alg_of("hs256");
    key = str("");
    text = str("text");
    is_int(ngx_envelope_alg_sign(&alg, NULL, &key, pool, &text, 1, &out,
                                 &reason), NGX_DECLINED, "an empty secret");
    is_int(ngx_envelope_alg_verify(&alg, NULL, NULL, pool, &text, 1, &sum,
                                   &reason), NGX_DECLINED, "no secret");
    ok(drained(), "no errors queued");
}


/* RFC 8032, section 7.1 */

static const struct {
    const char  *key;
    const char  *pub;
    const char  *text;
    const char  *sig;
} ed25519[] = {
    { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
      "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
    { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
    { "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
      "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
      "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
};


/* a secret that was prepared gives what it gives anew, each time */

static void
test_prepared(void)
{
    ngx_str_t           secrets[2], texts[3], anew, again;
    ngx_uint_t          i, a, wrong;
    ngx_envelope_alg_t  alg, fresh;

    static const char  *names[] = { "hs1", "hs256", "hs384", "hs512" };

    secrets[0] = str("a secret");
    secrets[1] = str("another secret");
    texts[0] = str("some text");
    texts[1] = filled(pool, 'x', 5000);
    texts[2] = str("");

    for (a = 0; a < 4; a++) {
        alg = alg_of(names[a]);
        fresh = alg_of(names[a]);
        wrong = 0;

        for (i = 0; i < 2; i++) {
            is_int(ngx_envelope_alg_prepare_secret(&alg, &secrets[i], pool,
                                                   &reason),
                   NGX_OK, "prepared");
        }

        for (i = 0; i < 60; i++) {
            wrong += (ngx_envelope_alg_sign(&alg, NULL, &secrets[i / 3 % 2],
                                            pool, &texts[i % 3], 1, &again,
                                            &reason)
                      != NGX_OK);
            wrong += (ngx_envelope_alg_sign(&fresh, NULL, &secrets[i / 3 % 2],
                                            pool, &texts[i % 3], 1, &anew,
                                            &reason)
                      != NGX_OK);
            wrong += (again.len != anew.len
                      || memcmp(again.data, anew.data, anew.len) != 0);
            wrong += (ngx_envelope_alg_verify(&alg, NULL, &secrets[i / 3 % 2],
                                              pool, &texts[i % 3], 1, &anew,
                                              &reason)
                      != NGX_OK);

            /* not under the other one */

            wrong += (ngx_envelope_alg_verify(&alg, NULL,
                                              &secrets[(i / 3 + 1) % 2], pool,
                                              &texts[i % 3], 1, &anew,
                                              &reason)
                      != NGX_DECLINED);
        }

        is_int(wrong, 0, "%s: again and again", names[a]);
    }
}


static void
test_ed25519(void)
{
    size_t               i;
    EVP_PKEY            *priv, *pub;
    ngx_str_t            key, text, piece[2], sig, out;
    ngx_envelope_alg_t   alg;
    ngx_envelope_key_t   k, p;

    alg = alg_of("eddsa");
    ok(alg.md == NULL, "no digest");

    for (i = 0; i < 3; i++) {
        key = hex(pool, ed25519[i].key);
        priv = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key.data,
                                            32);
        key = hex(pool, ed25519[i].pub);
        pub = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key.data,
                                          32);
        k = wrap(priv, 1);
        p = wrap(pub, 0);
        text = hex(pool, ed25519[i].text);
        sig = hex(pool, ed25519[i].sig);

        is_int(ngx_envelope_alg_sign(&alg, &k, NULL, pool, &text, 1, &out,
                                     &reason), NGX_OK, "sign");
        is_mem(out.data, out.len, sig.data, sig.len, "known");

        piece[0].data = text.data;
        piece[0].len = text.len / 2;
        piece[1].data = text.data + piece[0].len;
        piece[1].len = text.len - piece[0].len;

        is_int(ngx_envelope_alg_verify(&alg, &p, NULL, pool, piece, 2, &sig,
                                       &reason), NGX_OK, "in pieces");
        is_int(ngx_envelope_alg_verify(&alg, &p, NULL, pool, NULL, 0, &sig,
                                       &reason), i ? NGX_DECLINED : NGX_OK,
               "no pieces");

        EVP_PKEY_free(priv);
        EVP_PKEY_free(pub);
    }

    ok(drained(), "no errors queued");
}


/* RFC 7515, appendix A.3: made by another implementation */

static void
test_es256(void)
{
    EVP_PKEY            *pkey;
    ngx_str_t            b64, der, sig, text, cut;
    const u_char        *p;
    ngx_envelope_alg_t   alg;
    ngx_envelope_key_t   key;

    b64 = str("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE");
    der = filled(pool, 0, 91);
    ngx_envelope_base64_decode(&der, &b64, &reason);

    b64 = str("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
    sig = filled(pool, 0, 96);
    ngx_envelope_base64url_decode(&sig, &b64, &reason);
    memcpy(der.data + 27, sig.data, 32);
    b64 = str("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    ngx_envelope_base64url_decode(&sig, &b64, &reason);
    memcpy(der.data + 59, sig.data, 32);

    p = der.data;
    pkey = d2i_PUBKEY(NULL, &p, 91);

    if (!ok(pkey != NULL, "the key of RFC 7515")) {
        return;
    }

    key = wrap(pkey, 0);
    alg = alg_of("es256");
    text = str("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkz"
               "ODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ");
    b64 = str("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlS"
              "ApmWQxfKTUJqPP3-Kg6NU1Q");
    ngx_envelope_base64url_decode(&sig, &b64, &reason);

    is_int(sig.len, 64, "64 bytes");
    is_int(ngx_envelope_alg_verify(&alg, &key, NULL, pool, &text, 1, &sig,
                                   &reason), NGX_OK, "RFC 7515, A.3");

    cut = bytes(pool, sig.data, 63);
    is_int(ngx_envelope_alg_verify(&alg, &key, NULL, pool, &text, 1, &cut,
                                   &reason), NGX_DECLINED, "63 bytes");
    cut = filled(pool, 0, 64);
    is_int(ngx_envelope_alg_verify(&alg, &key, NULL, pool, &text, 1, &cut,
                                   &reason), NGX_DECLINED, "r = s = 0");
    cut = filled(pool, 0, 65);
    memcpy(cut.data + 1, sig.data, 64);
    is_int(ngx_envelope_alg_verify(&alg, &key, NULL, pool, &text, 1, &cut,
                                   &reason), NGX_DECLINED, "65 bytes");
    is_reason(reason, "the signature does not match");
    ok(drained(), "no errors queued");

    EVP_PKEY_free(pkey);
}


/* every algorithm with a key signs and verifies, and nothing else does */

static void
test_pairs(void)
{
    size_t               i, j;
    EVP_PKEY            *half;
    ngx_str_t            piece[3], whole, sig, bad;
    ngx_envelope_alg_t   alg;
    ngx_envelope_key_t   priv, pub;
    struct {
        const char      *name;
        EVP_PKEY        *key;
        size_t           len;
    } pairs[] = {
        { "rs1", rsa, 256 }, { "rs256", rsa, 256 }, { "rs384", rsa, 256 },
        { "rs512", rsa, 256 }, { "rs512", small, 128 }, { "ps256", rsa, 256 },
        { "ps384", rsa, 256 }, { "ps512", rsa, 256 }, { "ps256", small, 128 },
        { "ps256", pss, 256 }, { "es256", p256, 64 }, { "es384", p384, 96 },
        { "eddsa", ed, 64 }
    };

    piece[0] = str("some ");
    piece[1] = str("");
    piece[2] = str("text");
    whole = str("some text");

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        alg = alg_of(pairs[i].name);
        priv = wrap(pairs[i].key, 1);
        half = public_half(pairs[i].key);
        pub = wrap(half, 0);

        is_int(ngx_envelope_alg_check(&alg, &priv, 1, &reason), NGX_OK,
               "the key is taken");
        is_int(ngx_envelope_alg_check(&alg, &pub, 0, &reason), NGX_OK,
               "the public one too");
        is_int(ngx_envelope_alg_check(&alg, &pub, 1, &reason), NGX_DECLINED,
               "but not to sign");
        is_int(ngx_envelope_alg_sign(&alg, &pub, NULL, pool, piece, 3, &sig,
                                     &reason), NGX_DECLINED, "neither here");

        /* often, as r and s are short at times */

        for (j = 0; j < (pairs[i].len < 100 ? 300 : 2); j++) {
            if (ngx_envelope_alg_sign(&alg, &priv, NULL, pool, piece, 3, &sig,
                                      &reason) != NGX_OK
                || sig.len != pairs[i].len
                || ngx_envelope_alg_verify(&alg, &pub, NULL, pool, &whole, 1,
                                           &sig, &reason) != NGX_OK)
            {
                fail("%s", pairs[i].name);
            }
        }

        whole.len--;
        is_int(ngx_envelope_alg_verify(&alg, &pub, NULL, pool, &whole, 1, &sig,
                                       &reason), NGX_DECLINED, "other text");
        is_reason(reason, "the signature does not match");
        whole.len++;

        for (j = 0; j < sig.len; j += 13) {
            sig.data[j] ^= 0x10;
            if (ngx_envelope_alg_verify(&alg, &pub, NULL, pool, &whole, 1,
                                        &sig, &reason) != NGX_DECLINED)
            {
                fail("%s, byte %d changed", pairs[i].name, (int) j);
            }
            sig.data[j] ^= 0x10;
        }

        bad = bytes(pool, sig.data, sig.len - 1);
        is_int(ngx_envelope_alg_verify(&alg, &pub, NULL, pool, &whole, 1, &bad,
                                       &reason), NGX_DECLINED, "cut");
        bad = filled(pool, 0, sig.len + 1);
        memcpy(bad.data, sig.data, sig.len);
        is_int(ngx_envelope_alg_verify(&alg, &pub, NULL, pool, &whole, 1, &bad,
                                       &reason), NGX_DECLINED, "longer");
        bad = str("");
        is_int(ngx_envelope_alg_verify(&alg, &pub, NULL, pool, &whole, 1, &bad,
                                       &reason), NGX_DECLINED, "empty");
        ok(drained(), "no errors queued");

        EVP_PKEY_free(half);
    }
}


/* a salt of another length is another signature */

static void
test_salt(void)
{
    int                  i, salts[] = { 0, 20, 31, 33, 222 };
    size_t               len;
    EVP_MD_CTX          *ctx;
    ngx_str_t            text, sig;
    EVP_PKEY_CTX        *pctx;
    ngx_envelope_alg_t   alg;
    ngx_envelope_key_t   key;

    alg = alg_of("ps256");
    key = wrap(rsa, 1);
    text = str("text");

    for (i = 0; i < 6; i++) {
        sig = filled(pool, 0, 256);
        len = 256;
        ctx = EVP_MD_CTX_new();
        EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, rsa);
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, i < 5 ? salts[i] : 32);
        ok(EVP_DigestSign(ctx, sig.data, &len, text.data, text.len) == 1,
           "made");
        EVP_MD_CTX_free(ctx);

        is_int(ngx_envelope_alg_verify(&alg, &key, NULL, pool, &text, 1, &sig,
                                       &reason), i < 5 ? NGX_DECLINED : NGX_OK,
               "a salt of %d bytes", i < 5 ? salts[i] : 32);
    }

    ok(drained(), "no errors queued");
}


static void
refused(const char *name, EVP_PKEY *pkey, const char *part)
{
    ngx_envelope_alg_t  alg;
    ngx_envelope_key_t  key;

    alg = alg_of(name);
    key = wrap(pkey, 1);
    is_int(ngx_envelope_alg_check(&alg, &key, 1, &reason), NGX_DECLINED,
           "refused");
    is_reason(reason, part);
}


static void
test_check(void)
{
    EVP_PKEY            *bound;
    ngx_str_t            name;
    EVP_PKEY_CTX        *ctx;
    ngx_envelope_alg_t   alg;

    refused("es256", rsa, "needs a key of type EC on P-256, this is RSA of "
            "2048 bits");
    refused("es256", p384, "this is EC on P-384");
    refused("es256", k256, "this is EC on secp256k1");
    refused("es384", p256, "this is EC on P-256");
    refused("rs256", p256, "needs a key of type RSA, this is EC");
    refused("rs256", ed, "this is ED25519");
    refused("rs256", pss, "this is RSA-PSS of 2048 bits");
    refused("eddsa", p256, "needs a key of type ED25519");
    refused("ps512", small, "RSA of 1024 bits is too short for ps512");
    refused("hs256", rsa, "takes no key");
    refused("sha256", rsa, "takes no key");

    /* a key that is bound to SHA-256 is not to be used with SHA-512 */

    bound = NULL;
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY_keygen_init(ctx);
    EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048);
    EVP_PKEY_CTX_set_rsa_pss_keygen_md(ctx, EVP_sha256());
    EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md(ctx, EVP_sha256());
    EVP_PKEY_CTX_set_rsa_pss_keygen_saltlen(ctx, 32);
    ok(EVP_PKEY_generate(ctx, &bound) == 1, "a bound key");
    EVP_PKEY_CTX_free(ctx);

    refused("ps512", bound, "own parameters do not allow ps512");
    alg = alg_of("ps256");
    {
        ngx_envelope_key_t  key = wrap(bound, 1);

        is_int(ngx_envelope_alg_check(&alg, &key, 1, &reason), NGX_OK,
               "with its own digest");
    }
    EVP_PKEY_free(bound);

    name = str("none");
    is_int(ngx_envelope_alg_init(&alg, pool, &name, &reason), NGX_DECLINED,
           "none");
    name = str("HS256");
    is_int(ngx_envelope_alg_init(&alg, pool, &name, &reason), NGX_DECLINED,
           "upper case");
    name = str("");
    is_int(ngx_envelope_alg_init(&alg, pool, &name, &reason), NGX_DECLINED,
           "empty");
    ok(drained(), "no errors queued");
}


static void
test_memory(void)
{
    size_t               n;
    ngx_int_t            rc, i;
    ngx_str_t            name, secret, piece[2], sig;
    ngx_uint_t           clean;
    ngx_pool_t          *p;
    ngx_envelope_alg_t   alg;
    ngx_envelope_key_t   key;
    struct {
        const char      *name;
        EVP_PKEY        *key;
    } uses[] = {
        { "rs256", rsa }, { "es256", p256 }, { "eddsa", ed },
        { "hs256", NULL }, { "sha256", NULL }
    };

    secret = str("secret");
    piece[0] = str("some ");
    piece[1] = str("text");

    for (n = 0; n < 5; n++) {
        name = str(uses[n].name);
        key = wrap(uses[n].key, 1);
        clean = 1;

        for (i = 0; i < 50; i++) {
            p = ngx_create_pool(1024, &shim_log);
            shim_fail_at = shim_allocs + i;

            rc = ngx_envelope_alg_init(&alg, p, &name, &reason);

            if (rc == NGX_OK) {
                rc = ngx_envelope_alg_sign(&alg, &key, &secret, p, piece, 2,
                                           &sig, &reason);
            }

            if (rc == NGX_OK) {
                rc = ngx_envelope_alg_verify(&alg, &key, &secret, p, piece, 2,
                                             &sig, &reason);
            }

            shim_fail_at = -1;
            ngx_destroy_pool(p);

            if (rc == NGX_OK) {
                break;
            }

            clean &= (rc == NGX_ERROR);
        }

        ok(i > 1 && i < 50, "%s worked at last, with %d allocations",
           uses[n].name, (int) i);
        ok(clean, "NGX_ERROR at each of them");
    }

    ok(drained(), "no errors queued");
}


int
main(void)
{
    pool = ngx_create_pool(4096, &shim_log);
    rsa = EVP_RSA_gen(2048);
    small = EVP_RSA_gen(1024);
    p256 = EVP_EC_gen("P-256");
    p384 = EVP_EC_gen("P-384");
    k256 = EVP_EC_gen("secp256k1");
    ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    pss = EVP_PKEY_Q_keygen(NULL, NULL, "RSA-PSS", (size_t) 2048);

    if (pss == NULL) {
        EVP_PKEY_CTX  *ctx;

        ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
        EVP_PKEY_keygen_init(ctx);
        EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048);
        EVP_PKEY_generate(ctx, &pss);
        EVP_PKEY_CTX_free(ctx);
    }

    ERR_clear_error();

    test_known();
    test_prepared();
    test_ed25519();
    test_es256();
    test_pairs();
    test_salt();
    test_check();
    test_memory();

    EVP_PKEY_free(rsa);
    EVP_PKEY_free(small);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(p384);
    EVP_PKEY_free(k256);
    EVP_PKEY_free(ed);
    EVP_PKEY_free(pss);
    ngx_destroy_pool(pool);
    is_int(shim_live, 0, "nothing left");

    return done_testing();
}
