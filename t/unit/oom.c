
/*
 * Out of memory while messages are sealed and opened: each allocation fails
 * once, and all that follow it do; nothing crashes, nothing leaks, and the
 * answer is a fault of ours and no body.
 */


#include "engine.h"


typedef struct {
    const char              *name;
    ngx_envelope_message_e   message;
    const char              *format;
    const char              *plain;
} case_t;


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


/*
 * The message's own pool is emptied in between, so what is handed in lies
 * elsewhere.
 */

static void
fails(case_t *c, ngx_envelope_format_t *f, ngx_envelope_direction_e direction,
    ngx_str_t body, ngx_uint_t after)
{
    ngx_uint_t   n, live, bad;
    ngx_pool_t  *own;

    own = mpool;
    bad = 0;
    live = shim_live;

    for (n = 0; /* void */ ; n++) {
        shim_reset();
        mpool = ngx_create_pool(4096, &shim_log);

        shim_reset();
        shim_fail_at = n;
        shim_fail_after = after;

        engine_run(f, direction, body);

        shim_fail_at = -1;

        if (shim_allocs <= n) {
            break;
        }

        if (out.outcome != NGX_ENVELOPE_REJECTED
            || out.fault != NGX_ENVELOPE_FAULT_INTERNAL
            || out.reason.len == 0
            || out.body.data != NULL
            || out.headers.nelts
            || out.once.nelts
            || !drained())
        {
            diag("%s, %d, allocation %d: outcome %d, fault %d", c->name,
                 (int) direction, (int) n, (int) out.outcome,
                 (int) out.fault);
            engine_diag_reason("  reason", &out.reason);
            bad++;
        }

        ngx_destroy_pool(mpool);

        if (shim_live != live) {
            diag("%s, %d, allocation %d: a leak", c->name, (int) direction,
                 (int) n);
            bad++;
        }
    }

    is_int(bad, 0, "%s: %s, %d allocations fail%s", c->name,
           direction == NGX_ENVELOPE_SEAL ? "sealing" : "opening", (int) n,
           after ? ", and what follows" : "");
    ok(n > 3, "%s: there were some", c->name);
    ok(out.outcome == (direction == NGX_ENVELOPE_SEAL
                       ? NGX_ENVELOPE_SEALED : NGX_ENVELOPE_OPENED),
       "%s: and in the end it works", c->name);

    ngx_destroy_pool(mpool);
    mpool = own;
}


int
main(void)
{
    case_t                 *c;
    ngx_str_t               sealed, plain;
    ngx_envelope_format_t  *f;

    engine_start();

    engine_add_secret("ids", "one", "first", 5);
    engine_add_secret("ids", "two", "second", 6);
    engine_add_secret("ring", "", "0123456789abcdef", 16);
    engine_add_secret("ring", "", "abcdefghijklmnop", 16);

    for (c = cases; c->name; c++) {
        fresh();
        header("X", "q=1,p=text,r=2");

        f = format_for(c->message, "so", c->format);
        plain = exact(c->plain);

        fails(c, f, NGX_ENVELOPE_SEAL, plain, 0);
        fails(c, f, NGX_ENVELOPE_SEAL, plain, 1);

        seal(f, c->plain);

        if (!is_sealed(NULL, "%s: seals", c->name)) {
            continue;
        }

        sealed = bytes(mpool, out.body.data, out.body.len);
        apply();

        fails(c, f, NGX_ENVELOPE_OPEN, sealed, 0);
        fails(c, f, NGX_ENVELOPE_OPEN, sealed, 1);
    }

    engine_end();

    return done_testing();
}
