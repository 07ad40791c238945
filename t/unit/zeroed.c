
/*
 * What is in memory when it is freed, by pools and by OpenSSL: no key of a
 * message, no secret and no plain text, whether it was sealed, opened or
 * refused, and also where memory ran out on the way.
 */


#include "engine.h"

#include <malloc.h>


#define CANARY     "CANARY-4111111111111111"
#define PLAIN_OF   "{\"c\":\"" CANARY "\"}"


typedef struct {
    const char  *name;
    const void  *data;
    size_t       len;
    ngx_uint_t   found;
} needle_t;


typedef struct {
    const char              *name;
    ngx_envelope_message_e   message;
    const char              *format;
    const char              *plain;
} case_t;


/* engine_random() counts, so that this is in the middle of every key */

static u_char  session[12] = { 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 };

static needle_t  needles[] = {
    { "plain text", "CANARY-", 7, 0 },
    { "plain text in base64", "Q0FOQVJZLT", 10, 0 },
    { "plain text in hex", "43414e4152592d", 14, 0 },
    { "the session key", session, sizeof(session), 0 },
    { "the AES key", "456789abcdef", 12, 0 },
    { "the secret of a text", "s3cret", 6, 0 },
    { NULL, NULL, 0, 0 }
};

static ngx_uint_t  scanned;


static case_t  cases[] = {

    { "A", NGX_ENVELOPE_REQUEST,
      "body content; field content = json | rsa-pkcs1 key=rsa1"
      " | base64 | hex",
      " " PLAIN_OF "\n" },

    { "B", NGX_ENVELOPE_REQUEST,
      "random session key:32 iv:16; set timestamp $envelope_time_ms;"
      "field bizContent = json | aes-256-gcm key=session.key iv=session.iv"
      " | base64;"
      "field key = session | rsa-oaep key=rsa1 hash=sha256 mgf1=sha256"
      " | base64;"
      "sign sig = rs256 key=rsa1 over=<sorted> | base64",
      "{\"bizContent\":" PLAIN_OF "}" },

    { "B, CBC and PKCS#1", NGX_ENVELOPE_REQUEST,
      "random session key:32 iv:16;"
      "field bizContent = json | aes-256-cbc key=session.key iv=session.iv"
      " | base64;"
      "field key = session | rsa-pkcs1 key=rsa1 | base64",
      "{\"bizContent\":" PLAIN_OF "}" },

    { "C", NGX_ENVELOPE_REQUEST,
      "body dataContent; set userNo 10001 number;"
      "field dataContent = json | base64 | rsa-private key=rsa1 | hex",
      PLAIN_OF },

    { "D", NGX_ENVELOPE_REQUEST,
      "sign sign = rs256 key=rsa1 over=<bizContent> | base64;"
      "field bizContent = json | aes-128-ecb key=aes | base64",
      "{\"service\":\"s\",\"bizContent\":" PLAIN_OF "}" },

    { "E", NGX_ENVELOPE_REQUEST,
      "body param; field param = json;"
      "sign sign = rs256 key=rsa1 over=<param> | base64",
      PLAIN_OF },

    { "F", NGX_ENVELOPE_REQUEST,
      "set header:timestamp $envelope_time_ms;"
      "sign header:sign = sha1 over=<secret:app><header:timestamp> | hex",
      PLAIN_OF },

    { "strings, arrays, MACs", NGX_ENVELOPE_REQUEST,
      "random k 16;"
      "field /a/*/b = string | aes-128-cbc key=aes iv=prefix | base64url;"
      "sign /n/s = hs256 key=k over=<c> | hex;"
      "field /n/k = k | hex;"
      "sign e = hs256 key=app over=<sorted>&<secret:app> | hex",
      "{\"a\":[{\"b\":\"\\u0043ANARY-\"},{\"b\":\"" CANARY "\"}],"
      "\"c\":\"" CANARY "\\n\",\"n\":{}}" },

    { "encodings, prefixes, texts of several parts", NGX_ENVELOPE_REQUEST,
      "field c = string | base64url; field d = string | hex;"
      "field f = string | prefix v;"
      "field header:X:p = string | hex;"
      "field g = json | aes-128-gcm key=aes iv=prefix aad=<c>.<d> | hex;"
      "sign e = eddsa key=ed over=<c>.<secret:app> | base64;"
      "sign h = rs256 key=rsa1 over=<f>.<secret:app> | base64",
      " {\"c\":\"" CANARY "\",\"d\":\"" CANARY "\",\"f\":\"" CANARY "\","
      "\"g\":\"" CANARY "\"}\n" },

    { NULL, NGX_ENVELOPE_REQUEST, NULL, NULL }
};


static void
search_freed(void *p, size_t size)
{
    needle_t  *n;

    scanned++;

    for (n = needles; n->name; n++) {
        if (memmem(p, size, n->data, n->len) != NULL) {
            n->found++;
        }
    }
}


static void
is_clean(const char *what, const char *name, const char *how)
{
    needle_t    *n;
    ngx_uint_t   bad;

    bad = 0;

    for (n = needles; n->name; n++) {
        if (n->found) {
            diag("%s, %s: %s, %d times", name, how, n->name, (int) n->found);
            bad++;
        }
        n->found = 0;
    }

    ok(bad == 0 && scanned, "%s: %s: %s, of %d", name, how, what,
       (int) scanned);
    scanned = 0;
}


/* OpenSSL's own memory */

static void *
crypto_malloc(size_t size, const char *file, int line)
{
    return malloc(size);
}


static void
crypto_free(void *p, const char *file, int line)
{
    if (p != NULL && shim_freed != NULL) {
        shim_freed(p, malloc_usable_size(p));
    }

    free(p);
}


static void *
crypto_realloc(void *p, size_t size, const char *file, int line)
{
    void    *new;
    size_t   old;

    if (p == NULL) {
        return malloc(size);
    }

    if (size == 0) {
        crypto_free(p, file, line);
        return NULL;
    }

    new = malloc(size);

    if (new != NULL) {
        old = malloc_usable_size(p);
        memcpy(new, p, old < size ? old : size);
        crypto_free(p, file, line);
    }

    return new;
}


/* headers, too, lie in the pool that stays */

static ngx_uint_t  kept;


static void
keep_headers(void)
{
    for (kept = 0; kept < nheaders; kept++) {
        headers[kept].name = bytes(pool, headers[kept].name.data,
                                   headers[kept].name.len);
        headers[kept].value = bytes(pool, headers[kept].value.data,
                                    headers[kept].value.len);
    }
}


static void
again(void)
{
    fresh();
    nheaders = kept;
}


/* what is handed in is nginx's, and lies in a pool that is not looked at */

static void
run(case_t *c, ngx_envelope_format_t *f, ngx_envelope_direction_e direction,
    ngx_str_t body, const char *how)
{
    fresh();

    shim_freed = search_freed;
    engine_run(f, direction, body);
    ngx_destroy_pool(mpool);
    shim_freed = NULL;

    mpool = ngx_create_pool(4096, &shim_log);

    is_clean("nothing is left in what was freed", c->name, how);
}


static void
run_short_of_memory(case_t *c, ngx_envelope_format_t *f,
    ngx_envelope_direction_e direction, ngx_str_t body)
{
    ngx_uint_t  n;

    for (n = 0; /* void */ ; n++) {
        again();

        shim_reset();
        shim_fail_at = n;
        shim_freed = search_freed;

        engine_run(f, direction, body);

        shim_fail_at = -1;
        ngx_destroy_pool(mpool);
        shim_freed = NULL;

        mpool = ngx_create_pool(4096, &shim_log);

        if (shim_allocs <= n) {
            break;
        }
    }

    is_clean("nor where memory has run out", c->name,
             direction == NGX_ENVELOPE_SEAL ? "sealing" : "opening");
}


/* each byte of it once another: what is recovered before it is refused */

static void
refused(case_t *c, ngx_envelope_format_t *f, ngx_str_t sealed)
{
    ngx_str_t   body;
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < sealed.len; i += 7) {
        again();
        body = bytes(pool, sealed.data, sealed.len);
        body.data[i] ^= (body.data[i] == 'A') ? 3 : 1;

        shim_freed = search_freed;
        engine_run(f, NGX_ENVELOPE_OPEN, body);
        n += (out.outcome == NGX_ENVELOPE_REJECTED);
        ngx_destroy_pool(mpool);
        shim_freed = NULL;

        mpool = ngx_create_pool(4096, &shim_log);
    }

    ok(n > 10 || f->members == 0, "%s: %d were refused", c->name, (int) n);

    is_clean("nothing is left of what was refused", c->name, "opening");
}


static void
messages(case_t *c)
{
    ngx_str_t               plain, sealed;
    ngx_envelope_format_t  *f;

    f = format_for(c->message, "so", c->format);
    plain = bytes(pool, c->plain, strlen(c->plain));

    fresh();
    header("X", "q=1,p=" CANARY);
    keep_headers();

    run(c, f, NGX_ENVELOPE_SEAL, plain, "sealing");
    run_short_of_memory(c, f, NGX_ENVELOPE_SEAL, plain);

    again();
    engine_run(f, NGX_ENVELOPE_SEAL, plain);

    if (!is_sealed(NULL, "%s: seals", c->name)) {
        return;
    }

    sealed = bytes(pool, out.body.data, out.body.len);
    apply();
    keep_headers();

    run(c, f, NGX_ENVELOPE_OPEN, sealed, "opening");
    run_short_of_memory(c, f, NGX_ENVELOPE_OPEN, sealed);
    refused(c, f, sealed);

    again();
    engine_run(f, NGX_ENVELOPE_OPEN, sealed);
    (void) is_opened(NULL, "%s: opens", c->name);
}


/* this is how it looks where something is left */

static void
is_found(void)
{
    needle_t  *n;

    fresh();

    for (n = needles; n->name; n++) {
        (void) bytes(mpool, n->data, n->len);
    }

    shim_freed = search_freed;
    OPENSSL_free(OPENSSL_memdup(CANARY, sizeof(CANARY)));
    ngx_destroy_pool(mpool);
    shim_freed = NULL;

    mpool = ngx_create_pool(4096, &shim_log);

    for (n = needles; n->name; n++) {
        is_int(n->found, n == needles ? 2 : 1, "%s is found", n->name);
        n->found = 0;
    }
}


int
main(void)
{
    case_t  *c;

    if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free)
        != 1)
    {
        fail("OpenSSL's memory is not ours");
    }

    engine_start();

    is_found();

    for (c = cases; c->name; c++) {
        messages(c);
    }

    engine_end();

    return done_testing();
}
