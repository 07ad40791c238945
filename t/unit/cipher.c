
/* AES in ECB, CBC and GCM: known answers, padding, tags, limits. */


#include "keyutil.h"

#include "ngx_envelope_cipher.h"


static ngx_pool_t             *pool;
static ngx_envelope_reason_t   reason;


static ngx_envelope_cipher_t
cipher(const char *name)
{
    ngx_str_t              s;
    ngx_envelope_cipher_t  c;

    s = str(name);
    memset(&c, 0, sizeof(c));
    is_int(ngx_envelope_cipher_init(&c, pool, &s, &reason), NGX_OK, "%s",
           name);

    return c;
}


/* from NIST's SP 800-38A and the GCM specification */

static const struct {
    const char  *name;
    const char  *key;
    const char  *iv;
    const char  *aad;
    const char  *plain;
    const char  *sealed;    /* for ECB, CBC: the blocks before the padding */
} vectors[] = {
    { "aes-128-ecb", "2b7e151628aed2a6abf7158809cf4f3c", "", "",
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
      "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf" },
    { "aes-192-ecb", "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "",
      "", "6bc1bee22e409f96e93d7e117393172a",
      "bd334f1d6e45f25ff712a214571fa5cc" },
    { "aes-256-ecb",
      "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "",
      "", "6bc1bee22e409f96e93d7e117393172a",
      "f3eed1bdb5d2a03c064b5a7e3db181f8" },
    { "aes-128-cbc", "2b7e151628aed2a6abf7158809cf4f3c",
      "000102030405060708090a0b0c0d0e0f", "",
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
      "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2" },
    { "aes-192-cbc", "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
      "000102030405060708090a0b0c0d0e0f", "",
      "6bc1bee22e409f96e93d7e117393172a",
      "4f021db243bc633d7178183a9fa071e8" },
    { "aes-256-cbc",
      "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
      "000102030405060708090a0b0c0d0e0f", "",
      "6bc1bee22e409f96e93d7e117393172a",
      "f58c4c04d6e5f1ba779eabfb5f7bfbd6" },
    { "aes-128-gcm", "00000000000000000000000000000000",
      "000000000000000000000000", "", "", "58e2fccefa7e3061367f1d57a4e7455a" },
    { "aes-128-gcm", "feffe9928665731c6d6a8f9467308308",
      "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
      "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
      "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
      "5bc94fbc3221a5db94fae95ae7121a47" },
    { "aes-128-gcm", "feffe9928665731c6d6a8f9467308308", "cafebabefacedbad",
      "feedfacedeadbeeffeedfacedeadbeefabaddad2",
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
      "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c7423"
      "73806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598"
      "3612d2e79e3b0785561be14aaca2fccb" },
    { "aes-256-gcm",
      "0000000000000000000000000000000000000000000000000000000000000000",
      "000000000000000000000000", "", "00000000000000000000000000000000",
      "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919" },
};


static void
test_vectors(void)
{
    size_t                 i;
    ngx_str_t              key, iv, aad, plain, sealed, out, back;
    ngx_envelope_cipher_t  c;

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        c = cipher(vectors[i].name);
        key = hex(pool, vectors[i].key);
        iv = hex(pool, vectors[i].iv);
        aad = hex(pool, vectors[i].aad);
        plain = hex(pool, vectors[i].plain);
        sealed = hex(pool, vectors[i].sealed);

        is_int(ngx_envelope_cipher_seal(&c, pool, &key, &iv, &aad, &plain,
                                        &out, &reason), NGX_OK, "seal");

        if (c.mode == NGX_ENVELOPE_CIPHER_GCM) {
            is_mem(out.data, out.len, sealed.data, sealed.len, "known");

        } else {
            is_int(out.len, sealed.len + 16, "a block of padding");
            is_mem(out.data, sealed.len, sealed.data, sealed.len, "known");
        }

        is_int(ngx_envelope_cipher_open(&c, pool, &key, &iv, &aad, &out,
                                        &back, &reason), NGX_OK, "open");
        is_mem(back.data, back.len, plain.data, plain.len, "as it was");
    }

    ok(drained(), "no errors queued");
}


static void
test_lengths(void)
{
    size_t                 n, i;
    u_char                 text[70];
    ngx_str_t              key, iv, aad, in, out, back;
    ngx_uint_t             good;
    ngx_envelope_cipher_t  c;
    static const char     *names[] = { "aes-128-ecb", "aes-192-cbc",
                                       "aes-256-gcm" };

    memset(text, 'x', sizeof(text));
    iv = filled(pool, 7, 16);
    aad = str("");

    for (i = 0; i < 3; i++) {
        c = cipher(names[i]);
        key = filled(pool, 3, c.key_len);
        good = 0;

        for (n = 0; n <= sizeof(text); n++) {
            in.data = n ? text : NULL;
            in.len = n;

            if (ngx_envelope_cipher_seal(&c, pool, &key, &iv, &aad, &in, &out,
                                         &reason) == NGX_OK
                && out.len == (i == 2 ? n + 16 : n / 16 * 16 + 16)
                && ngx_envelope_cipher_open(&c, pool, &key, &iv, &aad, &out,
                                            &back, &reason) == NGX_OK
                && back.len == n && memcmp(back.data, text, n) == 0)
            {
                good++;
            }
        }

        is_int(good, sizeof(text) + 1, "%s of 0 to 70 bytes", names[i]);
    }
}


/* every last byte at every position of the padding's block, and its reason */

static void
test_padding(void)
{
    int                     last, pos, n, expected, taken, alike, j;
    u_char                  text[32];
    ngx_str_t               key, iv, none, in, sealed, out;
    EVP_CIPHER_CTX         *ctx;
    ngx_envelope_cipher_t   c;

    c = cipher("aes-128-cbc");
    key = filled(pool, 3, 16);
    iv = filled(pool, 7, 16);
    none = str("");

    sealed.data = ngx_pnalloc(pool, 64);
    taken = 0;
    expected = 0;
    alike = 1;

    for (last = 0; last < 256; last++) {
        for (pos = 0; pos < 16; pos++) {

            /* the byte at pos is one off, all others of the block are right */

            memset(text, last, sizeof(text));
            text[31 - pos] ^= (pos ? 1 : 0);

            ctx = EVP_CIPHER_CTX_new();
            EVP_EncryptInit_ex(ctx, EVP_aes_128_cbc(), NULL, key.data,
                               iv.data);
            EVP_CIPHER_CTX_set_padding(ctx, 0);
            EVP_EncryptUpdate(ctx, sealed.data, &n, text, 32);
            EVP_CIPHER_CTX_free(ctx);
            sealed.len = n;

            for (j = 0; j < last && j < 16 && text[31 - j] == last; j++) {
                /* void */
            }

            expected += (last >= 1 && last <= 16 && j == last);

            reason.len = 0;

            if (ngx_envelope_cipher_open(&c, pool, &key, &iv, &none, &sealed,
                                         &out, &reason) == NGX_OK)
            {
                taken += (last >= 1 && last <= 16 && j == last
                          && out.len == 32u - last);

            } else if (reason.len != sizeof("the padding is wrong") - 1
                       || memcmp(reason.data, "the padding is wrong",
                                 reason.len) != 0
                       || out.len != 0)
            {
                alike = 0;
            }
        }
    }

    is_int(taken, expected, "exactly the right paddings are taken");
    ok(expected == 136, "and there are as many as there should be");
    ok(alike, "all others have one reason");
    ok(drained(), "no errors queued");

    in = filled(pool, 0, 15);
    is_int(ngx_envelope_cipher_open(&c, pool, &key, &iv, &none, &in, &out,
                                    &reason), NGX_DECLINED, "15 bytes");
    in.len = 0;
    is_int(ngx_envelope_cipher_open(&c, pool, &key, &iv, &none, &in, &out,
                                    &reason), NGX_DECLINED, "no bytes");
    in = filled(pool, 0, 33);
    is_int(ngx_envelope_cipher_open(&c, pool, &key, &iv, &none, &in, &out,
                                    &reason), NGX_DECLINED, "33 bytes");
}


static void
test_gcm(void)
{
    size_t                 n, bit, refused;
    ngx_str_t              key, iv, aad, in, sealed, cut, out, other;
    ngx_envelope_cipher_t  c;

    c = cipher("aes-256-gcm");
    key = filled(pool, 3, 32);
    iv = filled(pool, 7, 12);
    aad = str("associated");
    in = str("{\"amount\":\"1000\"}");

    is_int(ngx_envelope_cipher_seal(&c, pool, &key, &iv, &aad, &in, &sealed,
                                    &reason), NGX_OK, "seal");

    /* tags of 0 to 15 bytes, and no room for one at all */

    for (n = 0, refused = 0; n < sealed.len; n++) {
        cut.data = ngx_pnalloc(pool, n ? n : 1);
        memcpy(cut.data, sealed.data, n);
        cut.len = n;

        if (ngx_envelope_cipher_open(&c, pool, &key, &iv, &aad, &cut, &out,
                                     &reason) == NGX_DECLINED)
        {
            refused++;
        }
    }

    is_int(refused, sealed.len, "every cut is refused");

    other = filled(pool, 0, sealed.len + 1);
    memcpy(other.data, sealed.data, sealed.len);
    is_int(ngx_envelope_cipher_open(&c, pool, &key, &iv, &aad, &other, &out,
                                    &reason), NGX_DECLINED, "17 bytes of tag");

    for (bit = 0, refused = 0; bit < sealed.len * 8; bit++) {
        sealed.data[bit / 8] ^= 1 << bit % 8;
        out.len = 1;

        if (ngx_envelope_cipher_open(&c, pool, &key, &iv, &aad, &sealed, &out,
                                     &reason) == NGX_DECLINED
            && out.len == 0 && out.data[0] == 0
            && memcmp(out.data, "{\"amount\"", 9) != 0)
        {
            refused++;
        }

        sealed.data[bit / 8] ^= 1 << bit % 8;
    }

    is_int(refused, sealed.len * 8, "every flipped bit is refused, and what "
           "was decrypted is gone");
    is_reason(reason, "the tag does not match");
    ok(drained(), "no errors queued");

    other = str("associateD");
    is_int(ngx_envelope_cipher_open(&c, pool, &key, &iv, &other, &sealed,
                                    &out, &reason), NGX_DECLINED, "AAD");
    other = str("");
    is_int(ngx_envelope_cipher_open(&c, pool, &key, &iv, &other, &sealed,
                                    &out, &reason), NGX_DECLINED, "no AAD");
    other = filled(pool, 7, 13);
    is_int(ngx_envelope_cipher_open(&c, pool, &key, &other, &aad, &sealed,
                                    &out, &reason), NGX_DECLINED, "IV");
    is_int(ngx_envelope_cipher_open(&c, pool, &key, &iv, &aad, &sealed, &out,
                                    &reason), NGX_OK, "still right");

    /* the IVs of 1 to 128 bytes */

    for (n = 0, refused = 0; n <= 130; n++) {
        other = filled(pool, 9, n);

        if (ngx_envelope_cipher_seal(&c, pool, &key, &other, &aad, &in, &out,
                                     &reason) != NGX_OK)
        {
            refused++;
            ok(n == 0 || n > 128, "IV of %d refused", (int) n);
            continue;
        }

        if (ngx_envelope_cipher_open(&c, pool, &key, &other, &aad, &out, &cut,
                                     &reason) != NGX_OK)
        {
            fail("IV of %d", (int) n);
        }
    }

    is_int(refused, 3, "IVs of 0, 129 and 130 bytes");
}


static void
test_arguments(void)
{
    ngx_str_t              name, key, iv, none, in, out;
    ngx_envelope_cipher_t  c;

    name = str("aes-512-gcm");
    is_int(ngx_envelope_cipher_init(&c, pool, &name, &reason), NGX_DECLINED,
           "no such cipher");
    is_reason(reason, "aes-512-gcm");
    name = str("aes-128-gc");
    is_int(ngx_envelope_cipher_init(&c, pool, &name, &reason), NGX_DECLINED,
           "a part of a name");
    name = str("");
    is_int(ngx_envelope_cipher_init(&c, pool, &name, &reason), NGX_DECLINED,
           "no name");

    c = cipher("aes-128-cbc");
    key = filled(pool, 1, 17);
    iv = filled(pool, 1, 16);
    none = str("");
    in = str("x");

    is_int(ngx_envelope_cipher_seal(&c, pool, &key, &iv, &none, &in, &out,
                                    &reason), NGX_DECLINED, "17 bytes of key");
    is_reason(reason, "17 bytes");
    key.len = 16;
    iv.len = 15;
    is_int(ngx_envelope_cipher_seal(&c, pool, &key, &iv, &none, &in, &out,
                                    &reason), NGX_DECLINED, "15 bytes of IV");
    iv = str("");
    c = cipher("aes-128-ecb");
    is_int(ngx_envelope_cipher_seal(&c, pool, &key, &none, &none, &in, &out,
                                    &reason), NGX_OK, "ECB has no IV");
}


static void
test_memory(void)
{
    ngx_int_t              rc, i;
    ngx_str_t              name, key, iv, none, in, sealed, out;
    ngx_uint_t             clean;
    ngx_pool_t            *p;
    ngx_envelope_cipher_t  c;

    name = str("aes-128-gcm");
    key = filled(pool, 1, 16);
    iv = filled(pool, 1, 12);
    none = str("");
    in = str("text");
    clean = 1;

    for (i = 0; i < 50; i++) {
        p = ngx_create_pool(1024, &shim_log);
        shim_fail_at = shim_allocs + i;

        rc = ngx_envelope_cipher_init(&c, p, &name, &reason);

        if (rc == NGX_OK) {
            rc = ngx_envelope_cipher_seal(&c, p, &key, &iv, &none, &in,
                                          &sealed, &reason);
        }

        if (rc == NGX_OK) {
            rc = ngx_envelope_cipher_open(&c, p, &key, &iv, &none, &sealed,
                                          &out, &reason);
        }

        shim_fail_at = -1;
        ngx_destroy_pool(p);

        if (rc == NGX_OK) {
            break;
        }

        clean &= (rc == NGX_ERROR);
    }

    ok(i > 2 && i < 50, "worked at last, with %d allocations", (int) i);
    ok(clean, "NGX_ERROR at each of them");
    ok(drained(), "no errors queued");
}


int
main(void)
{
    pool = ngx_create_pool(4096, &shim_log);

    test_vectors();
    test_lengths();
    test_padding();
    test_gcm();
    test_arguments();
    test_memory();

    ngx_destroy_pool(pool);
    is_int(shim_live, 0, "nothing left");

    return done_testing();
}
