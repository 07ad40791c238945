
/*
 * Keys: whatever the content is, it is refused with a reason or it is a key
 * of a kind that is taken, whose public half reads as the same key again.
 *
 * The first byte is the length of a password, which follows.
 */


#include "fuzz.h"

#include "ngx_envelope_key.h"

#include <openssl/x509.h>


FUZZ_MUTATIONS(1500);


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    fuzz_start();

    return 0;
}


static void
fuzz_again(ngx_envelope_key_t *key)
{
    int                  len;
    u_char              *der;
    ngx_str_t            text, none;
    ngx_envelope_key_t   other;

    der = NULL;
    len = i2d_PUBKEY(key->pkey, &der);
    check(len > 0);

    text = fuzz_str(der, len);
    OPENSSL_free(der);

    ngx_str_set(&none, "");
    ngx_memzero(&other, sizeof(ngx_envelope_key_t));

    check(ngx_envelope_key_parse(&other, pool, &text, &none, &reason)
          == NGX_OK);
    check(!other.has_private);
    check(EVP_PKEY_eq(other.pkey, key->pkey) == 1);
}


static void
fuzz_one(fuzz_input_t *in)
{
    size_t               n;
    u_char               name[NGX_ENVELOPE_KEY_NAME_LEN];
    ngx_int_t            rc;
    ngx_str_t            password, content;
    ngx_envelope_key_t   key;

    n = fuzz_byte(in);
    n = ngx_min(n, (size_t) (in->end - in->p));

    password = fuzz_str(in->p, n);
    in->p += n;
    content = fuzz_rest(in);

    ngx_memzero(&key, sizeof(ngx_envelope_key_t));

    rc = ngx_envelope_key_parse(&key, pool, &content, &password, &reason);

    if (rc != NGX_OK) {
        check(rc == NGX_DECLINED && reason.len);
        check(key.pkey == NULL);
        return;
    }

    check(key.pkey != NULL);
    check(*ngx_envelope_key_describe(&key, name) != '\0');
    check(memchr(name, '\0', sizeof(name)) != NULL);

    check(!EVP_PKEY_is_a(key.pkey, "RSA")
          || EVP_PKEY_get_bits(key.pkey) >= NGX_ENVELOPE_RSA_BITS_MIN);

    fuzz_again(&key);
}


FUZZ_TARGET(fuzz_one)
