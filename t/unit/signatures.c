
/* Signatures: key ids, key rings, several of them. */


#include "engine.h"


static ngx_envelope_format_t  *f;


static const char *
member(const char *kid, const char *alg)
{
    return engine_printf("sign sig = %s key=ring kid=%s over=<t> | base64",
                         alg, kid);
}


static void
test_kid(void)
{
    ngx_uint_t              i;
    const char             *s;
    ngx_envelope_format_t  *g;

    static const char  *kids[] = { "kid", "/head/kid", "header:Kid",
                                   "header:Kid:id", NULL };

    for (i = 0; kids[i]; i++) {
        fresh();
        f = request(member(kids[i], "hs256"));
        roundtrip(f, "{\"t\":1}", kids[i]);
        is_str(out.kid, "one", "%s: the id", kids[i]);
    }

    fresh();
    f = request(member("kid", "hs256"));
    seal(f, "{\"t\":1,\"kid\":\"forged\"}");
    is_str(out.kid, "one", "kid: of the first");
    ok(has("\"kid\":\"one\""), "kid: written");
    s = engine_printf("%.*s", (int) out.body.len, (char *) out.body.data);

    open_(f, s);
    is_opened("{\"t\":1}", "kid: removed");

    /* the same with the second secret of the ring, from a profile of its own */

    g = request("set kid two; sign sig = hs256 key=second over=<t> | base64");
    seal(g, "{\"t\":1}");
    s = engine_printf("%.*s", (int) out.body.len, (char *) out.body.data);
    open_(f, s);
    is_opened("{\"t\":1}", "kid: another of the ring");
    is_str(out.kid, "two", "kid: the id of that");

    g = request("set kid one; sign sig = hs256 key=second over=<t> | base64");
    seal(g, "{\"t\":1}");
    engine_run(f, NGX_ENVELOPE_OPEN, out.body);
    is_secret("the signature does not match", "kid: no other key is tried");
    is_int(out.kid.len, 0, "kid: none");

    open_(f, "{\"t\":1,\"sig\":\"\",\"kid\":\"three\"}");
    is_secret("no key \"ring\" has the id that kid names", "kid: unknown");
    open_(f, "{\"t\":1,\"sig\":\"\",\"kid\":\"\"}");
    is_secret("no key \"ring\" has the id that kid names",
              "kid: empty, as the third one's");
    open_(f, "{\"t\":1,\"sig\":\"\",\"kid\":{}}");
    is_secret("no key \"ring\" has the id that kid names", "kid: an object");
    open_(f, "{\"t\":1,\"sig\":\"\"}");
    is_shape("kid is absent", "kid: absent");
    open_(f, "{\"t\":1,\"sig\":\"\",\"kid\":\"one\",\"kid\":\"two\"}");
    is_shape("\"kid\" stands twice in kid", "kid: twice");

    seal(f, "{\"t\":1,\"kid\":\"one\",\"kid\":\"two\"}");
    is_shape("\"kid\" stands twice in kid", "kid: twice, when sealing");

    f = request("sign /d/s = hs256 key=ring kid=/d/k over=<t> | hex;"
                "field d = json | hex");
    open_(f, "{\"t\":1,\"d\":\"7b2273223a22227d\"}");
    is_secret("/d/k is absent", "kid: absent inside of a field");

    f = request("sign sig = rs256 key=rsas kid=kid over=<t><kid> | base64");
    roundtrip(f, "{\"t\":1}", "kid: a key");
    is_str(out.kid, "k1", "kid: its id");

    f = request("sign sig = hs256 key=ring kid=/head/kid over=<sorted>"
                " | base64; sign s2 = sha256 over=<sorted> | hex;"
                "field head = json | base64");
    roundtrip(f, "{\"t\":1,\"head\":{}}", "kid: inside of a field");
}


static void
test_rings(void)
{
    ngx_str_t               sealed;
    ngx_envelope_format_t  *g;

    fresh();
    f = request("sign sig = hs256 key=ring over=<t> | base64;"
                "field t = json | rsa-oaep key=rsas | base64;"
                "field d optional = json | aes-128-ecb key=aesring | base64");

    roundtrip(f, "{\"t\":1,\"d\":2}", "rings: the first of each");
    is_str(out.kid, "one", "rings: its id");

    /* the last of each, and one of them is none of the ring */

    g = request("sign sig = hs256 key=third over=<t> | base64;"
                "field t = json | rsa-oaep key=rsa2 | base64;"
                "field d = json | aes-128-ecb key=aes | base64");
    seal(g, "{\"t\":1,\"d\":2}");
    sealed = out.body;
    engine_run(f, NGX_ENVELOPE_OPEN, sealed);
    is_opened("{\"t\":1,\"d\":2}", "rings: the last of each");
    is_int(out.kid.len, 0, "rings: it has no id");

    g = request("sign sig = hs256 key=app over=<t> | base64;"
                "field t = json | rsa-oaep key=uni | base64");
    seal(g, "{\"t\":1}");
    engine_run(f, NGX_ENVELOPE_OPEN, out.body);
    is_secret("the signature does not match",
              "rings: the reason of the first attempt");

    g = request("sign sig = hs256 key=third over=<t> | base64;"
                "field t = json | rsa-oaep key=rsa3 | base64");
    seal(g, "{\"t\":1}");
    engine_run(f, NGX_ENVELOPE_OPEN, out.body);
    is_secret("rsa-oaep does not open with this key", "rings: no key opens");

    /* headers are as they were for each attempt */

    f = request("sign header:A = hs256 key=ring over=<body> | hex;"
                "sign header:B:v = hs256 key=ring2 over=<body><header:A>"
                " | hex");
    g = request("sign header:A = hs256 key=third over=<body> | hex;"
                "sign header:B:v = hs256 key=app over=<body><header:A>"
                " | hex");
    header("B", "w=1");
    seal(g, "x");
    apply();
    open_(f, "x");
    is_opened("x", "rings: headers");
    is_cstr(edited("A"), "(none)", "rings: removed");
    is_cstr(edited("B"), "w=1", "rings: the rest is left");
}


static void
test_several(void)
{
    fresh();

    f = request("sign a = rs256 key=rsa2 over=<sorted> | base64;"
                "field p = json | aes-128-ecb key=aes | base64;"
                "sign header:X:v1 = hs256 key=app over=<body> | hex;"
                "sign header:X:v2 = sha256 over=<header:X:v1><secret:app>"
                " | base64url | prefix \"v=\"");
    header("X", "t=1");
    roundtrip(f, "{\"p\":{},\"q\":[]}", "several signatures");

    f = request("sign s = sha256 over=<secret:app> | hex"
                " | aes-128-gcm key=aes iv=prefix aad=<q> | base64");
    nheaders = 0;
    roundtrip(f, "{\"q\":1}", "a signature that is encrypted");
    open_(f, "{\"s\":\"\"}");
    is_shape("q is absent", "and the member it reads is absent");

    /* sixteen are tried, no more */

    f = request("sign header:X:v = sha256 over=<body> | hex");
    header("X", "v=0,v=1,v=2,v=3,v=4,v=5,v=6,v=7,v=8,v=9,v=a,v=b,v=c,v=d,v=e,"
           "v=2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
           ",w=1");
    open_(f, "x");
    is_opened("x", "the sixteenth of a header");
    is_cstr(edited("X"), "w=1", "all of them are removed");
    headers[0].value = exact("v=0,v=1,v=2,v=3,v=4,v=5,v=6,v=7,v=8,v=9,v=a,"
           "v=b,v=c,v=d,v=e,v=f,"
           "v=2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a488"
           "1");
    open_(f, "x");
    ok(out.fault == NGX_ENVELOPE_FAULT_SECRET, "the seventeenth");

    f = request("sign s = hs256 key=app over=<t> | hex");
    nheaders = 0;
    seal(f, "[{\"t\":1}]");
    is_shape("the message is not a JSON object", "an array");
    seal(f, "");
    is_shape("there is no body to seal", "no body");
    seal(f, "{\"t\":1}{}");
    ok(out.fault == NGX_ENVELOPE_FAULT_SHAPE, "two documents");
}


int
main(void)
{
    ngx_str_t             name = ngx_string("rsa2");
    ngx_str_t             rsas = ngx_string("rsas");
    ngx_envelope_ring_t  *ring;

    engine_start();

    engine_add_secret("ring", "one", "first", 5);
    engine_add_secret("ring", "two", "second", 6);
    engine_add_secret("ring", "", "third", 5);
    engine_add_secret("second", "", "second", 6);
    engine_add_secret("third", "", "third", 5);
    engine_add_secret("ring2", "", "sixth", 5);
    engine_add_secret("ring2", "", "s3cret", 6);
    engine_add_secret("aesring", "", "abcdefghijklmnop", 16);
    engine_add_secret("aesring", "", "0123456789abcdef", 16);
    engine_add_key("rsas", "k1",
                   engine_file("t/data/keys/unified-private.b64"));
    engine_make_rsa("rsa3", "rsa3pub", 2048);
    ring = ngx_envelope_profile_ring(profile, &name);
    ngx_envelope_profile_add_key(profile, &rsas, ring->keys.elts, &reason);

    test_kid();
    test_rings();
    test_several();

    engine_end();

    return done_testing();
}
