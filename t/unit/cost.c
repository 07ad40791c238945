
/*
 * What a message is taken to cost, which decides where it is worked on: on
 * the right side of 100 microseconds, and of the order it has.
 */


#include "engine.h"


#define THRESHOLD  100    /* NGX_HTTP_ENVELOPE_THREADS_COST */
#define HEAVY      50000  /* NGX_HTTP_ENVELOPE_THREADS_HEAVY */


static ngx_uint_t
sealing(const char *text, size_t len)
{
    return ngx_envelope_format_cost(request(text), NGX_ENVELOPE_SEAL, len);
}


static ngx_uint_t
opening(const char *text, size_t len)
{
    return ngx_envelope_format_cost(request(text), NGX_ENVELOPE_OPEN, len);
}


#define between(cost, low, high, ...)                                         \
    within(cost, low, high, __LINE__, "" __VA_ARGS__)

static void
within(ngx_uint_t cost, ngx_uint_t low, ngx_uint_t high, int line,
    const char *name)
{
    if (!tap_ok(cost >= low && cost < high, __FILE__, line, "", "%s", name)) {
        diag("  %lu is not from %lu to %lu", (unsigned long) cost,
             (unsigned long) low, (unsigned long) high);
    }
}


#define A2  "body content; field content = json | rsa-pkcs1 key=rsa2"         \
            " | base64 | hex"
#define A4  "body content; field content = json | rsa-pkcs1 key=rsa4"         \
            " | base64 | hex"
#define B   "random session key:32 iv:16;"                                    \
            "field bizContent = json | aes-256-gcm key=session.key"           \
            " iv=session.iv | base64;"                                        \
            "field key = session | rsa-oaep key=rsa2 hash=sha256 | base64;"   \
            "sign sig = rs256 key=rsa2 over=<sorted> | base64"
#define C4  "body dataContent; field dataContent = json | base64"             \
            " | rsa-private key=rsa4 | hex"
#define D   "sign sign = rs256 key=rsa2 over=<bizContent> | base64;"          \
            "field bizContent = json | aes-128-ecb key=aes | base64"
#define E   "body param; field param = json;"                                 \
            "sign sign = rs256 key=rsa2 over=<param> | base64"
#define F   "set header:appId a;"                                             \
            "sign header:sign = sha1 over=<header:appId><secret:app> | hex"
#define GCM "field data = json | aes-256-gcm key=aes256 iv=prefix | base64;"  \
            "sign header:mac = hs256 key=app over=<data> | hex"
#define STARS  "field /cards/*/pan = json | rsa-private key=rsa4 | base64"


static void
test_formats(void)
{
    /* A: the public half encrypts, the private one decrypts */

    between(sealing(A2, 100), 10, THRESHOLD, "A 2048, sealed, short");
    between(sealing(A4, 10000), 1000, 5000, "A 4096, sealed, long");
    between(opening(A2, 600), THRESHOLD, 3000, "A 2048, opened, one block");
    between(opening(A4, 1500), 3000, 12000, "A 4096, opened, one block");
    between(opening(A4, 400000), 500000, 5000000, "A 4096, opened, most");

    between(sealing(B, 300), THRESHOLD, 1000, "B, sealed");
    between(opening(B, 1500), THRESHOLD, 1000, "B, opened");

    /* C: the other way round */

    between(sealing(C4, 100), 3000, 10000, "C 4096, sealed, short");
    between(sealing(C4, 20000), HEAVY, 500000, "C 4096, sealed, long");
    between(opening(C4, 1500), 50, 300, "C 4096, opened, short");

    between(sealing(D, 300), THRESHOLD, 1000, "D, sealed");
    between(opening(D, 300), 10, THRESHOLD, "D, opened: a public key");
    between(sealing(E, 300), THRESHOLD, 1000, "E, sealed");
    between(opening(E, 300), 10, THRESHOLD, "E, opened");
    between(sealing(F, 300), 1, 10, "F, sealed");
    between(opening(F, 300), 1, 10, "F, opened");
    between(sealing(GCM, 1000), 1, 10, "GCM and HMAC, sealed");
    between(opening(GCM, 1000), 1, 10, "GCM and HMAC, opened");
    between(sealing(GCM, 1000000), 1, 10,
            "GCM, a megabyte: the length tells");
}


static void
test_algs(void)
{
    between(sealing("sign s = es256 key=p256 over=<a> | base64", 100), 10,
            THRESHOLD, "ES256 signs");
    between(opening("sign s = es256 key=p256 over=<a> | base64", 100), 30,
            THRESHOLD, "ES256 verifies");
    between(sealing("sign s = es384 key=p384 over=<a> | base64", 100),
            THRESHOLD, 3000, "ES384 signs");
    between(sealing("sign s = eddsa key=ed over=<a> | base64", 100), 10,
            THRESHOLD, "EdDSA signs");
    between(sealing("sign s = rs256 key=rsa1 over=<a> | base64", 100), 50,
            400, "RSA 1024 signs");
    between(sealing("sign s = hs256 key=app over=<a> | hex", 100), 1, 10,
            "HMAC");
}


static void
test_length(void)
{
    size_t      len;
    ngx_uint_t  cost, last;

    for (last = 0, len = 0; len < 300000; len = len * 2 + 100) {
        cost = opening(A4, len);
        ok(cost > last, "%d bytes cost more than fewer", (int) len);
        last = cost;
    }

    /* a body of any length that memory has */

    cost = opening(A4, (size_t) 1 << 30);
    ok(cost > opening(A4, (size_t) 1 << 29), "no overflow at a gigabyte");
}


static void
test_ring(void)
{
    ngx_uint_t  one, three;

    one = opening("field d = json | rsa-oaep key=rsa2 | base64", 344);
    three = opening("field d = json | rsa-oaep key=ring | base64", 344);

    between(three, 2 * one, 4 * one, "opening may try three keys");

    one = sealing("field d = json | rsa-private key=rsa2 | base64", 100);
    three = sealing("field d = json | rsa-private key=ring | base64", 100);

    between(three, one / 2, one * 3 / 2, "sealing uses the first");

    three = opening("sign s = rs256 key=ring kid=k over=<a> | base64", 300);
    one = opening("sign s = rs256 key=rsa2 over=<a> | base64", 300);

    between(three, one / 2, one * 3 / 2, "kid= names one of them");
}


/* each of many short texts is a block of its own */

static void
test_elements(void)
{
    between(sealing(STARS, 2000), HEAVY, 500000, "sealed: 60 or so");
    between(opening(STARS, 20000), 500, 10000, "opened: a block is a block");
}


int
main(void)
{
    EVP_PKEY    *pkey;
    ngx_uint_t   i;
    const char  *ids[] = { "1", "2", "3" };

    engine_start();
    engine_make_rsa("rsa4", "rsa4pub", 4096);

    for (i = 0; i < 3; i++) {
        pkey = EVP_RSA_gen(2048);
        engine_add_key("ring", ids[i], engine_pem(pkey, 1));
        EVP_PKEY_free(pkey);
    }

    test_formats();
    test_algs();
    test_length();
    test_ring();
    test_elements();

    engine_end();

    return done_testing();
}
