
/*
 * Out of memory while keys and formats are read and messages are sealed and
 * opened: each allocation fails once, and all that follow it do; nothing
 * crashes, nothing leaks, and the answer is a fault of ours and no body.
 *
 * OpenSSL's own allocations fail likewise.  It goes on without some of them
 * and makes others look like a text that does not verify, so there the answer
 * is a refusal or what it would have been anyway, and never anything else.
 */


#include "engine.h"


#define OOM_SHIPPED   32
#define OOM_KEY_RUNS  100  /* of a key under OpenSSL; ENVELOPE_OOM_ALL: all */


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


/* one of these is a plain message of each of the shipped formats */

static const char  *plains[] = {
    "{\"code\":0,\"success\":true,\"statusCode\":0,\"data\":{\"a\":\"1\"},"
    "\"bizContent\": {\"x\":[1.0]},\"result\":[1]}",
    "{\"code\":200,\"bizContent\":[]}",
    NULL
};

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


/* the plain message that it seals */

static void
find_plain(case_t *c, ngx_envelope_format_t *f)
{
    ngx_uint_t  i;

    for (i = 0; plains[i]; i++) {
        c->plain = plains[i];
        seal(f, c->plain);

        if (out.outcome == NGX_ENVELOPE_SEALED) {
            return;
        }
    }
}


/* messages */


/*
 * The RSA keys of a format are used until OpenSSL makes new blinding factors,
 * which it does at every 32nd use.  An allocation that fails while it squares
 * the old ones (BN_BLINDING_update() of OpenSSL 3.0) leaves a pair that does
 * not belong together, and what the private key gives from there on is wrong:
 * a library's matter, of which we see refused messages.
 */

static void
settle(ngx_envelope_format_t *f)
{
    size_t                 len;
    u_char                 sig[512];
    ngx_uint_t             i, j, n;
    EVP_MD_CTX            *ctx;
    ngx_envelope_key_t    *key;
    ngx_envelope_ring_t  **rings;

    rings = f->rings.elts;

    for (i = 0; i < f->rings.nelts; i++) {

        key = rings[i]->keys.elts;

        for (j = 0; !rings[i]->is_secret && j < rings[i]->keys.nelts; j++) {

            for (n = 0; key[j].has_private && n < 40; n++) {
                ctx = EVP_MD_CTX_new();
                len = sizeof(sig);

                if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, key[j].pkey)
                    == 1)
                {
                    (void) EVP_DigestSign(ctx, sig, &len, (u_char *) "x", 1);
                }

                EVP_MD_CTX_free(ctx);
            }
        }
    }

    ERR_clear_error();
}


/* what comes of a message is what came of it when nothing failed */

static ngx_uint_t
is_right(ngx_envelope_format_t *f, ngx_envelope_direction_e direction,
    ngx_str_t *opened)
{
    ngx_str_t              body;
    ngx_uint_t             n;
    ngx_envelope_header_t  before[ENGINE_HEADERS];

    if (direction == NGX_ENVELOPE_SEAL) {

        if (out.outcome != NGX_ENVELOPE_SEALED) {
            return 0;
        }

        n = nheaders;
        memcpy(before, headers, sizeof(before));

        body = bytes(mpool, out.body.data, out.body.len);
        apply();
        engine_run(f, NGX_ENVELOPE_OPEN, body);

        nheaders = n;
        memcpy(headers, before, sizeof(before));
    }

    return out.outcome == NGX_ENVELOPE_OPENED
           && ngx_envelope_str_equal(&out.body, opened);
}


static ngx_uint_t
is_refused(void)
{
    return out.outcome == NGX_ENVELOPE_REJECTED
           && out.fault != NGX_ENVELOPE_FAULT_NONE
           && out.reason.len
           && out.body.data == NULL
           && out.headers.nelts == 0;
}


/* one failure; 0 when there was no such allocation any more */

static ngx_uint_t
fails_at(case_t *c, ngx_envelope_format_t *f,
    ngx_envelope_direction_e direction, ngx_str_t body, ngx_str_t *opened,
    oom_whose_e whose, ngx_uint_t n, ngx_uint_t after, ngx_uint_t *bad)
{
    ngx_uint_t  more, good, again;

    for (again = 0; again < 2; again++) {
        arm(whose, n, after);
        engine_run(f, direction, body);
        more = disarm(whose, n);

        good = drained();

        if (more && is_refused()) {
            good &= (whose == OOM_OPENSSL
                     || out.fault == NGX_ENVELOPE_FAULT_INTERNAL);
            break;
        }

        if ((!more || whose == OOM_OPENSSL) && is_right(f, direction, opened))
        {
            break;
        }

        /* maybe by what an earlier failure has left behind */

        settle(f);
        good = 0;
    }

    if (!good) {
        diag("%s, %d, allocation %d: outcome %d, fault %d", c->name,
             (int) direction, (int) n, (int) out.outcome, (int) out.fault);
        engine_diag_reason("  reason", &out.reason);
        (*bad)++;
    }

    return more;
}


/*
 * The message's own pool is emptied in between, so what is handed in lies
 * elsewhere.
 */

static void
fails(case_t *c, ngx_envelope_format_t *f, ngx_envelope_direction_e direction,
    ngx_str_t body, ngx_str_t *opened, oom_whose_e whose, ngx_uint_t after)
{
    ngx_uint_t   n, live, bad, more;
    ngx_pool_t  *own;

    own = mpool;
    bad = 0;
    live = shim_live;
    more = 1;

    /* the last time nothing fails, and it works */

    for (n = 0; more; n++) {
        mpool = ngx_create_pool(4096, &shim_log);

        more = fails_at(c, f, direction, body, opened, whose, n, after, &bad);

        ngx_destroy_pool(mpool);

        if (shim_live != live) {
            diag("%s, %d, allocation %d: a leak", c->name, (int) direction,
                 (int) n);
            bad++;
        }
    }

    mpool = own;

    is_int(bad, 0, "%s: %s, %d allocations fail, %s", c->name,
           direction == NGX_ENVELOPE_SEAL ? "sealing" : "opening",
           (int) n - 1, how(whose, after));
    ok(n > (whose == OOM_POOLS ? 4 : 1), "%s: there were some", c->name);
}


static void
test_messages(case_t *c)
{
    ngx_str_t               sealed, plain, opened;
    ngx_uint_t              i, n;
    ngx_envelope_format_t  *f;
    ngx_envelope_header_t   before[ENGINE_HEADERS];

    for ( /* void */ ; c->name; c++) {
        fresh();
        header("X", "q=1,p=text,r=2");

        f = format_for(c->message, "so", c->format);

        if (c->plain == NULL) {
            find_plain(c, f);
        }

        plain = exact(c->plain);
        seal(f, c->plain);

        if (!is_sealed(NULL, "%s: seals", c->name)) {
            continue;
        }

        n = nheaders;
        memcpy(before, headers, sizeof(before));

        sealed = bytes(mpool, out.body.data, out.body.len);
        apply();

        engine_run(f, NGX_ENVELOPE_OPEN, sealed);
        is_opened(NULL, "%s: opens", c->name);
        opened = bytes(mpool, out.body.data, out.body.len);

        for (i = 0; i < 4; i++) {
            fails(c, f, NGX_ENVELOPE_OPEN, sealed, &opened, i / 2, i % 2);
        }

        nheaders = n;
        memcpy(headers, before, sizeof(before));

        for (i = 0; i < 4; i++) {
            fails(c, f, NGX_ENVELOPE_SEAL, plain, &opened, i / 2, i % 2);
        }
    }
}


/* formats */


static ngx_int_t
read_format(case_t *c, ngx_envelope_format_t **f)
{
    ngx_int_t  rc;

    rc = engine_parse(f, c->message, c->format);

    if (rc == NGX_OK) {
        rc = ngx_envelope_format_check(*f, NGX_ENVELOPE_SEAL, &culprit,
                                       &reason);
    }

    if (rc == NGX_OK) {
        rc = ngx_envelope_format_check(*f, NGX_ENVELOPE_OPEN, &culprit,
                                       &reason);
    }

    return rc;
}


static void
format_fails(case_t *c, oom_whose_e whose, ngx_uint_t after)
{
    ngx_int_t               rc;
    ngx_uint_t              n, bad, live, more;
    ngx_pool_t             *own;
    ngx_envelope_format_t  *f;

    own = pool;
    bad = 0;
    live = shim_live;

    for (n = 0; /* void */ ; n++) {
        pool = ngx_create_pool(4096, &shim_log);

        arm(whose, n, after);
        rc = read_format(c, &f);
        more = disarm(whose, n);

        /* only while TLS is at work does its queue matter */

        bad += !drained() && whose == OOM_POOLS;

        /* OpenSSL goes on without this and that, or knows nothing of a key */

        bad += more && rc != NGX_ERROR
               && (whose == OOM_POOLS
                   || (rc == NGX_DECLINED && reason.len == 0));

        ngx_destroy_pool(pool);

        bad += (shim_live != live);

        if (!more) {
            break;
        }
    }

    pool = own;

    is_int(bad, 0, "%s: reading it, %d allocations fail, %s", c->name,
           (int) n, how(whose, after));
    is_int(rc, NGX_OK, "%s: and in the end it is read", c->name);
}


static void
test_formats(case_t *c)
{
    ngx_uint_t  i;

    for ( /* void */ ; c->name; c++) {
        for (i = 0; i < 4; i++) {
            format_fails(c, i / 2, i % 2);
        }
    }
}


/* keys */


static void
key_fails(const char *name, ngx_str_t content, ngx_str_t *password,
    oom_whose_e whose, ngx_uint_t after)
{
    ngx_int_t            rc;
    ngx_uint_t           n, bad, live, more, step, runs;
    ngx_pool_t          *own;
    ngx_envelope_key_t   key, right;

    memset(&right, 0, sizeof(right));

    arm(whose, 0, 0);
    (void) disarm(whose, 0);

    rc = ngx_envelope_key_parse(&right, pool, &content, password, &reason);

    if (!is_int(rc, NGX_OK, "%s: is a key", name)) {
        return;
    }

    /* OpenSSL's decoders allocate up to 20,000 times for one key */

    step = (whose == OOM_POOLS || getenv("ENVELOPE_OOM_ALL"))
           ? 1 : openssl_count / OOM_KEY_RUNS + 1;

    bad = 0;
    runs = 0;
    live = shim_live;

    for (n = 0; /* void */ ; n += step, runs++) {
        own = ngx_create_pool(4096, &shim_log);
        memset(&key, 0, sizeof(key));
        reason.len = 0;

        arm(whose, n, after);
        rc = ngx_envelope_key_parse(&key, own, &content, password, &reason);
        more = disarm(whose, n);

        bad += !drained();

        if (rc == NGX_OK) {
            bad += (more && whose == OOM_POOLS)
                   || EVP_PKEY_eq(key.pkey, right.pkey) != 1
                   || key.has_private != right.has_private;

        } else {
            bad += (whose == OOM_POOLS && rc != NGX_ERROR)
                   || reason.len == 0 || key.pkey != NULL;
        }

        ngx_destroy_pool(own);

        bad += (shim_live != live);

        if (!more) {
            break;
        }
    }

    is_int(bad, 0, "%s: %d of %d allocations fail, %s", name, (int) runs,
           (int) n, how(whose, after));
    is_int(rc, NGX_OK, "%s: and in the end it is read", name);
}


static void
test_keys(void)
{
    ngx_str_t   password, content;
    ngx_uint_t  i, j;

    static struct {
        const char  *path;
        const char  *password;
    } files[] = {
        { "t/data/keys/unified-private.b64", "" },
        { "t/data/keys/unified-public.b64", "" },
        { "t/data/jdk/rsa2048.pem", "" },
        { "t/data/jdk/ed25519.pub.pem", "" },
        { "t/fuzz/corpus/key/ec-private.der", "" },
        { "t/fuzz/corpus/key/rsa-pkcs1.pem", "" },
        { "t/fuzz/corpus/key/certificate.der", "" },
        { "t/fuzz/corpus/key/bundle.pem", "" },
        { "t/fuzz/corpus/key/encrypted.pem", "pw" },
        { "t/fuzz/corpus/key/encrypted-traditional.pem", "pw" },
        { "t/fuzz/corpus/key/pkcs12", "pw" },
        { NULL, NULL }
    };

    for (i = 0; files[i].path; i++) {
        content = engine_file(files[i].path);
        password = str(files[i].password);

        /* there a password comes first */

        if (strncmp(files[i].path, "t/fuzz/", 7) == 0) {
            content.data += 1 + password.len;
            content.len -= 1 + password.len;
        }

        for (j = 0; j < 4; j++) {
            key_fails(files[i].path, content, &password, j / 2, j % 2);
        }
    }
}


int
main(void)
{
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc,
                                 openssl_free)
        != 1)
    {
        return 2;
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

    test_messages(cases);
    test_messages(shipped);
    test_formats(cases);
    test_formats(shipped);
    test_keys();

    engine_end();

    return done_testing();
}
