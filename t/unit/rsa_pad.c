
/*
 * EME-PKCS1-v1_5, from random bytes that are known, and with OpenSSL for a
 * reader.
 */


#include "keyutil.h"

#include "ngx_envelope_rsa_pad.h"


#define K  64


/* what random() gives, again and again from its start */

static const char  *script;
static size_t       script_len, at;
static ngx_uint_t   draws, fails_at;


static ngx_int_t
scripted(void *data, u_char *buf, size_t len)
{
    if (++draws == fails_at) {
        return NGX_ERROR;
    }

    while (len--) {
        *buf++ = (u_char) script[at++ % script_len];
    }

    return NGX_OK;
}


static ngx_envelope_env_t  known = { scripted, NULL, NULL };


static ngx_int_t
pad(u_char *block, size_t len, const char *bytes, size_t n)
{
    script = bytes;
    script_len = n;
    at = 0;
    draws = 0;
    memset(block, 0xee, K + 1);

    return ngx_envelope_rsa_pad(&known, block, K, (u_char *) "secret text of "
                                "a message, 53 bytes long at the very most",
                                len);
}


static void
test_layout(void)
{
    u_char  block[K + 1];

    is_int(pad(block, 53, "abcdefgh", 8), NGX_OK, "the longest text");
    is_mem(block, K, "\0\2abcdefgh\0secret text of a message, 53 bytes long "
           "at the very m", K, "eight bytes of padding");
    is_int(block[K], 0xee, "and no more");
    is_int(draws, 1, "drawn at once");
    is_int(at, 8, "no more than it takes");

    is_int(pad(block, 6, "abcdefgh", 8), NGX_OK, "a short text");
    is_mem(block, K, "\0\2abcdefghabcdefghabcdefghabcdefghabcdefghabcdefgh"
           "abcdefg\0secret", K, "all the others are padding");
}


static void
test_zeros(void)
{
    u_char      block[K + 1];
    ngx_uint_t  i;

    is_int(pad(block, 53, "a\0bc\0\0de" "fgh", 11), NGX_OK, "some are zero");
    is_mem(block, 11, "\0\2abcdefgh\0", 11, "and are drawn again");
    is_int(draws, 2, "together");

    is_int(pad(block, 53, "\0\0\0\0\0\0\0\0abcdefg\0\0\0h", 19), NGX_OK,
           "all are zero, the last again and again");
    is_mem(block, 11, "\0\2abcdefgh\0", 11, "until there are enough");
    is_int(draws, 5, "five times");

    is_int(pad(block, 53, "\0", 1), NGX_ERROR, "nothing but zeros");
    is_int(draws, 64, "after so many draws");
    ok(memchr(block, 's', K) == NULL, "the text is not there");

    for (i = 1; i <= 2; i++) {
        fails_at = i;
        is_int(pad(block, 53, "a\0bcdefg", 8), NGX_ERROR, "draw %d fails",
               (int) i);
        is_int(draws, i, "not asked again");
        ok(memchr(block, 's', K) == NULL, "the text is not there");
    }

    fails_at = 0;
}


/* padded here, the bare operation and the way back by OpenSSL alone */

static void
test_openssl(void)
{
    u_char         block[128], sealed[128], back[128], text[117];
    size_t         i, len, n, zeros;
    EVP_PKEY      *pkey;
    EVP_PKEY_CTX  *seal, *open;

    pkey = EVP_RSA_gen(1024);
    seal = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    open = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);

    ok(EVP_PKEY_encrypt_init(seal) == 1
       && EVP_PKEY_CTX_set_rsa_padding(seal, RSA_NO_PADDING) == 1
       && EVP_PKEY_decrypt_init(open) == 1
       && EVP_PKEY_CTX_set_rsa_padding(open, RSA_PKCS1_PADDING) == 1,
       "contexts");

    for (len = 1; len <= sizeof(text); len++) {
        memset(text, (int) len, len);

        if (ngx_envelope_rsa_pad(&env, block, 128, text, len) != NGX_OK) {
            fail("padding of %d bytes", (int) len);
            continue;
        }

        for (zeros = 0, i = 2; i < 127 - len; i++) {
            zeros += (block[i] == 0);
        }

        is_int(zeros, 0, "%d bytes, no zero in the padding", (int) len);

        n = sizeof(sealed);
        ok(EVP_PKEY_encrypt(seal, sealed, &n, block, 128) == 1, "sealed");

        n = sizeof(back);
        ok(EVP_PKEY_decrypt(open, back, &n, sealed, 128) == 1, "opened");
        is_mem(back, n, text, len, "the text");
    }

    EVP_PKEY_CTX_free(seal);
    EVP_PKEY_CTX_free(open);
    EVP_PKEY_free(pkey);
}


int
main(void)
{
    test_layout();
    test_zeros();
    test_openssl();

    return done_testing();
}
