
/*
 * What the tests of being out of memory share: formats, and allocations that
 * fail, those from pools and those of OpenSSL itself.
 */


#ifndef _OOM_H_INCLUDED_
#define _OOM_H_INCLUDED_


#include "engine.h"


#define OOM_SHIPPED   32


typedef struct {
    const char              *name;
    ngx_envelope_message_e   message;
    const char              *format;
    const char              *plain;
} case_t;


/* whose allocations fail */

typedef enum {
    OOM_POOLS = 0,
    OOM_OPENSSL
} oom_whose_e;


static ngx_uint_t  openssl_count;
static ngx_int_t   openssl_fail_at = -1;
static ngx_uint_t  openssl_fail_after;


static case_t  cases[] = {

    { "A", NGX_ENVELOPE_REQUEST,
      "body content; field content = json | rsa-pkcs1 key=rsa1"
      " | base64 | hex",
      " {\"a\": \"\\u00e9\"}\n" },

    { "A, response", NGX_ENVELOPE_RESPONSE,
      "when code 0; field data optional = json | rsa-pkcs1 key=rsa1"
      " | base64 | hex",
      "{\"code\":0,\"data\":{\"a\":1}}" },

    { "B", NGX_ENVELOPE_REQUEST,
      "random session key:32 iv:16; set apiKey $v;"
      "set timestamp $envelope_time_ms;"
      "field bizContent = json | aes-256-gcm key=session.key iv=session.iv"
      " | base64;"
      "field key = session | rsa-oaep key=rsa1 hash=sha256 mgf1=sha1 label=x"
      " | base64;"
      "sign sig = rs256 key=rsa1 over=<sorted> | base64;"
      "set rsaType ECB_OAEP; set aesType GCM_NOPADDING",
      "{ \"bizContent\" : [1], \"sig\":1, \"key\":2, \"\\u0061\":\"\\n\"}" },

    { "C", NGX_ENVELOPE_REQUEST,
      "body dataContent; set version 1.0.0; set dataType JSON;"
      "set userNo 10001 number; set j {} json;"
      "field dataContent = json | base64 | rsa-private key=rsa1 | hex",
      "{\"a\":1}" },

    { "D", NGX_ENVELOPE_REQUEST,
      "sign sign = rs256 key=rsa1 over=<bizContent> | base64;"
      "field bizContent = json | aes-128-ecb key=aes | base64",
      "{\"service\":\"s\",\"bizContent\":{\"a\":1}}" },

    { "E", NGX_ENVELOPE_REQUEST,
      "set inner 1; body param; set appId 123456; field param = json;"
      "sign sign = rs256 key=rsa1 over=<param> | base64",
      " {\"a\":\"\\\"\"} " },

    { "F", NGX_ENVELOPE_REQUEST,
      "set header:appId x; set header:timestamp $envelope_time_ms;"
      "fresh header:timestamp unit=ms within=5m;"
      "once header:appId within=1h; once header:timestamp within=1h;"
      "sign header:sign = sha1 over=<header:appId><secret:app>"
      "<header:timestamp> | hex",
      "no JSON" },

    { "the rest", NGX_ENVELOPE_REQUEST,
      "field /a/*/b = string | aes-128-cbc key=aes iv=prefix | base64url;"
      "field header:X:p = string | hex | prefix y;"
      "field c = json | aes-128-gcm key=ring iv=</d/iv> aad=a<d>$v | base64;"
      "random r 8; field /n/r = r | hex;"
      "sign /n/s = hs256 key=ids kid=/n/kid over=<c> | base64;"
      "sign e = eddsa key=ed over=<c>.<header:X:p> | base64;"
      "sign es = es256 key=p256 over=<c> | base64;"
      "sign header:X:v1 = ps256 key=rsa1 over=<body> | base64url",
      "{\"a\":[{\"b\":\"1\"},{\"b\":\"2\"},{\"b\":\"3\"},{\"b\":\"4\"},"
      "{\"b\":\"5\"}],\"c\":1,\"d\":{\"iv\":\"\\u0031\"}}" },

    { NULL, NGX_ENVELOPE_REQUEST, NULL, NULL }
};


/* read from conf.example */

static case_t  shipped[OOM_SHIPPED + 1];


/* failing */


static ngx_uint_t
openssl_fails(void)
{
    ngx_int_t  n;

    n = (ngx_int_t) openssl_count++;

    return openssl_fail_at >= 0
           && (n == openssl_fail_at
               || (openssl_fail_after && n > openssl_fail_at));
}


static void *
openssl_malloc(size_t size, const char *file, int line)
{
    return openssl_fails() ? NULL : malloc(size);
}


static void *
openssl_realloc(void *p, size_t size, const char *file, int line)
{
    if (size == 0) {
        free(p);
        return NULL;
    }

    return openssl_fails() ? NULL : realloc(p, size);
}


static void
openssl_free(void *p, const char *file, int line)
{
    free(p);
}


static void
arm(oom_whose_e whose, ngx_uint_t n, ngx_uint_t after)
{
    shim_reset();
    openssl_count = 0;

    if (whose == OOM_POOLS) {
        shim_fail_at = n;
        shim_fail_after = after;

    } else {
        openssl_fail_at = n;
        openssl_fail_after = after;
    }
}


/* whether there were more allocations than that */

static ngx_uint_t
disarm(oom_whose_e whose, ngx_uint_t n)
{
    shim_fail_at = -1;
    openssl_fail_at = -1;

    return (whose == OOM_POOLS ? shim_allocs : openssl_count) > n;
}


static const char *
how(oom_whose_e whose, ngx_uint_t after)
{
    return (whose == OOM_POOLS) ? (after ? "all from one on" : "one by one")
                                : (after ? "OpenSSL, all from one on"
                                         : "OpenSSL, one by one");
}


/* the shipped profiles */


/* the message's statements, without comments; NULL: it has no such message */

static char *
block(ngx_str_t *file, const char *message)
{
    char    *text, *p, *dst;
    size_t   len;

    text = engine_printf("%.*s", (int) file->len, (char *) file->data);

    for (p = text, dst = text; *p; p++) {

        if (*p == '#') {
            p += strcspn(p, "\n");
        }

        *dst++ = *p;
    }

    *dst = '\0';
    len = strlen(message);

    for (p = text; (p = strstr(p, message)) != NULL; p += len) {

        if (p > text && p[-1] == ' ' && strncmp(p + len, " {", 2) == 0) {
            p += len + 2;
            *strchr(p, '}') = '\0';
            return p;
        }
    }

    return NULL;
}


static void
find_shipped(void)
{
    char        *text;
    case_t      *c;
    ngx_str_t    file;
    ngx_uint_t   i, j;

    static const char  *files[] = {
        "a-vmcardio-content", "b-vmcardio-hybrid", "c-merchant-datacontent",
        "d-v2pay-bizcontent", "e-unified-param", "f-virtual-card-headers",
        NULL
    };

    c = shipped;

    for (i = 0; files[i]; i++) {
        file = engine_file(engine_printf("conf.example/profiles/%s.conf",
                                         files[i]));

        for (j = 0; j < NGX_ENVELOPE_MESSAGES; j++) {
            text = block(&file, (char *) ngx_envelope_message_names[j].data);

            if (text == NULL) {
                continue;
            }

            c->name = strdup(engine_printf("%.1s, %s", files[i],
                                           ngx_envelope_message_names[j].data));
            c->message = j;
            c->format = strdup(text);
            c++;
        }
    }

    is_int(c - shipped, 15, "shipped formats");
}


util void
oom_start(void)
{
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc,
                                 openssl_free)
        != 1)
    {
        exit(2);
    }

    engine_start();

    engine_add_secret("ids", "one", "first", 5);
    engine_add_secret("ids", "two", "second", 6);
    engine_add_secret("ring", "", "0123456789abcdef", 16);
    engine_add_secret("ring", "", "abcdefghijklmnop", 16);

    engine_add_key("platform", "",
                   engine_file("t/data/keys/unified-private.b64"));
    engine_add_key("merchant", "", engine_file("t/data/jdk/rsa2048.pem"));

    find_shipped();
}


#endif /* _OOM_H_INCLUDED_ */
