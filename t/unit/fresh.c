
/* "fresh" and "once": what they take, and what they ask of a format. */


#include "engine.h"


/* engine_now, in three spellings */

#define NOW_S    1700000000
#define NOW_ISO  "2023-11-14T22:13:20"


static ngx_envelope_format_t  *f;


/* the message that opens() has made of the value */

static char                    message[512];


/* opens {"t": VALUE}, in a pool of its own */

static void
opens(const char *value)
{
    snprintf(message, sizeof(message), "{\"t\":%s}", value);

    fresh();
    open_(f, message);
}


static void
taken(const char *value)
{
    opens(value);
    is_opened(message, "taken: %s", message);
}


static void
stale(const char *value, const char *why)
{
    opens(value);
    is_secret(why, "stale: %s", message);
}


static void
no_time(const char *value)
{
    opens(value);
    is_secret("t is not 1 to 18 decimal digits", "no time: %s", message);
}


static void
test_seconds(void)
{
    int   i;
    char  digits[32];

    static const char  *bad[] = {
        "\"\"", "\" 1700000000\"", "\"1700000000 \"", "\"+1700000000\"",
        "\"-1700000000\"", "-1700000000", "1700000000.0", "1.7e9",
        "17E8", "\"1.7e9\"", "\"1700000000.5\"", "\"0x6553f100\"",
        "\"6553f100\"", "\"1,700,000,000\"", "\"1_700_000_000\"",
        "9223372036854775807", "9223372036854775808",
        "18446744073709551616", "18446744075409551616",
        "\"9223372036854775808\"", "\"1700000000\\u0000\"",
        "\"\\u0661\\u0667\"", "\"now\"", "\"17000000\\n00\"",
        "1000000000000000000", "-0", "\"-1\"", "\"NaN\"",
        "100000000000000000000000000000000000000000000000000000000000000"
    };

    f = request("fresh t within=300s");

    taken("1700000000");
    taken("\"1700000000\"");
    taken("\"0001700000000\"");

    for (i = -302; i <= 302; i++) {
        sprintf(digits, "%d", NOW_S + i);
        opens(digits);

        if (i < -300) {
            is_secret(engine_printf("t is %d s old, more than 300", -i),
                      "%d s", i);

        } else if (i > 300) {
            is_secret(engine_printf("t is %d s ahead, more than 300", i),
                      "%d s", i);

        } else {
            is_opened(NULL, "%d s", i);
        }
    }

    for (i = 0; i < (int) (sizeof(bad) / sizeof(bad[0])); i++) {
        no_time(bad[i]);
    }

    stale("0", "t is more than a year old");
    stale("1600000000", "t is more than a year old");
    stale("1800000000", "t is more than a year ahead");
    stale("999999999999999999", "t is more than a year ahead");
    stale("1700000000000", "t is more than a year ahead");

    /* a second lasts until the next one */

    engine_now += 999;
    taken("1699999700");
    taken("1700000300");
    stale("1699999699", "t is 301 s old, more than 300");
    stale("1700000301", "t is 301 s ahead, more than 300");
    engine_now -= 999;

    f = request("fresh t within=1 unit=s");
    taken("1699999999");
    taken("1700000001");
    stale("1699999998", "t is 2 s old, more than 1");

    f = request("fresh t within=366d");
    taken("1731622400");
    stale("1731622401", "t is more than a year ahead");
}


static void
test_milliseconds(void)
{
    f = request("fresh t unit=ms within=1m");

    taken("1700000000000");
    taken("\"1699999940000\"");
    taken("1700000060000");
    stale("1699999939999", "t is 60001 ms old, more than 60000");
    stale("1700000060001", "t is 60001 ms ahead, more than 60000");
    stale("1700000000", "t is more than a year old");
    no_time("1700000000000.0");

    f = request("fresh t unit=ms within=1ms");
    taken("1700000000001");
    stale("1700000000002", "t is 2 ms ahead, more than 1");
}


static void
test_iso8601(void)
{
    int     i;
    time_t  t;
    char    text[128];

    static const char  *good[] = {
        NOW_ISO "Z", NOW_ISO "z", "2023-11-14t22:13:20z", NOW_ISO "+00:00",
        NOW_ISO "-00:00", NOW_ISO "+0000", "2023-11-15T06:13:20+08:00",
        "2023-11-15T06:13:20+0800", "2023-11-14T18:43:20-03:30",
        "2023-11-15T22:12:20+23:59", "2023-11-13T22:14:20-23:59",
        NOW_ISO ".0Z", NOW_ISO ".000000000000000000000000000001Z",
        NOW_ISO ".9999+00:00", "2023-11-14T22:08:20Z",
        "2023-11-14T22:18:20Z"
    };

    static const char  *bad[] = {
        "", "2023-11-14", NOW_ISO, "2023-11-14 22:13:20Z",
        " " NOW_ISO "Z", NOW_ISO "Z ", NOW_ISO " Z", NOW_ISO ".Z",
        NOW_ISO ",5Z", NOW_ISO ".5", NOW_ISO "ZZ", NOW_ISO "+08",
        NOW_ISO "+8:00", NOW_ISO "+24:00", NOW_ISO "+08:60", NOW_ISO "08:00",
        NOW_ISO "+08:000", NOW_ISO "+08:0", NOW_ISO "+-8:00",
        NOW_ISO "UTC", NOW_ISO "A", NOW_ISO ".5e1Z", NOW_ISO ".-5Z",
        "23-11-14T22:13:20Z", "02023-11-14T22:13:20Z",
        "+2023-11-14T22:13:20Z", "-2023-11-14T22:13:20Z",
        "2023-11-14T22:13Z", "2023-11-14T22Z", "20231114T221320Z",
        "2023-318T22:13:20Z", "2023-W46-2T22:13:20Z",
        "2023-13-14T22:13:20Z", "2023-00-14T22:13:20Z",
        "2023-11-31T22:13:20Z", "2023-11-00T22:13:20Z",
        "2023-02-29T22:13:20Z", "2023-11-14T24:00:00Z",
        "2023-11-14T22:60:20Z", "2023-11-14T22:13:61Z",
        "2023-11-14T22:13:60Z", "2023-11-14T-1:13:20Z",
        "2023/11/14T22:13:20Z", "2023-11-14T22.13.20Z",
        "2023-11-14T22:13:2\\u0660Z", "2023-11-14T22:13:20\\u0000",
        NOW_ISO "Z\\u0000", "1700000000", "Tue, 14 Nov 2023 22:13:20 GMT"
    };

    f = request("fresh t unit=iso8601 within=300s");

    for (i = 0; i < (int) (sizeof(good) / sizeof(good[0])); i++) {
        sprintf(text, "\"%s\"", good[i]);
        taken(text);
    }

    for (i = 0; i < (int) (sizeof(bad) / sizeof(bad[0])); i++) {
        sprintf(text, "\"%s\"", bad[i]);
        opens(text);
        is_secret("t is not a date and time of RFC 3339", "no time: %s",
                  message);
    }

    stale("\"2023-11-14T22:08:19Z\"", "t is 301 s old, more than 300");
    stale("\"2023-11-14T22:18:21Z\"", "t is 301 s ahead, more than 300");
    stale("\"2023-11-14T22:08:19.999Z\"",
          "t is 300001 ms old, more than 300000");
    stale("\"2023-11-14T22:18:20.001Z\"",
          "t is 300001 ms ahead, more than 300000");
    stale("\"0000-01-01T00:00:00Z\"", "t is more than a year old");
    stale("\"0000-01-01T00:00:00.000+23:59\"", "t is more than a year old");
    stale("\"9999-12-31T23:59:60Z\"", "t is more than a year ahead");
    stale("\"1969-12-31T23:59:59Z\"", "t is more than a year old");
    stale("\"0000-02-29T00:00:00Z\"", "t is more than a year old");

    opens("1700000000");
    is_shape("t is not a string", "iso8601: a number");

    /* every day of two centuries, and a leap second, against the library */

    f = request("fresh t unit=iso8601 within=1s");

    for (i = 0; i < 80000; i += 3) {
        t = (time_t) i * 86400;
        (void) strftime(text, sizeof(text), "\"%Y-%m-%dT%H:%M:%S+00:00\"",
                        gmtime(&t));

        engine_now = (int64_t) t * 1000;
        opens(text);

        if (out.outcome != NGX_ENVELOPE_OPENED) {
            break;
        }
    }

    is_int(i, 80001, "iso8601: every third day from 1970 to 2189");

    engine_now = 1483228800000;
    taken("\"2016-12-31T23:59:60Z\"");
    taken("\"2017-01-01T07:59:60.25+08:00\"");
    taken("\"2016-12-31T15:59:60-0800\"");

    /* and no day more: the 29th of February */

    engine_now = 951782400000;
    taken("\"2000-02-29T00:00:00Z\"");
    engine_now = 1709164800000;
    taken("\"2024-02-29T00:00:00Z\"");
    opens("\"2100-02-29T00:00:00Z\"");
    is_secret("t is not a date and time of RFC 3339", "2100 is no leap year");

    engine_now = 1700000000000;
}


static void
test_shape(void)
{
    f = request("fresh t within=5m");

    fresh();
    open_(f, "{}");
    is_shape("t is absent", "fresh: absent");
    open_(f, "{\"t\":1700000000,\"t\":1700000000}");
    is_shape("\"t\" stands twice in t", "fresh: twice");
    opens("null");
    is_shape("t is not a string or a number", "fresh: null");
    opens("true");
    is_shape("t is not a string or a number", "fresh: true");
    opens("[1700000000]");
    is_shape("t is not a string or a number", "fresh: an array");
    opens("{}");
    is_shape("t is not a string or a number", "fresh: an object");

    /* a header, and a param of one */

    f = request("fresh header:Date-Ms unit=ms within=5m");
    fresh();
    open_(f, "not JSON");
    is_shape("header:Date-Ms is absent", "fresh: no header");
    header("date-ms", "1700000000000");
    open_(f, "not JSON");
    is_opened("not JSON", "fresh: a header");
    header("Date-Ms", "1700000000000");
    open_(f, "not JSON");
    is_shape("header:Date-Ms stands twice", "fresh: two headers");

    f = request("fresh header:S:t within=5m");
    fresh();
    header("S", "t=1700000000,v1=abc");
    open_(f, "");
    is_opened("", "fresh: a param");
    fresh();
    header("S", "t=1,t=1700000000");
    open_(f, "");
    is_shape("header:S:t stands twice", "fresh: a param that is there twice");
    fresh();
    header("S", "v1=abc");
    open_(f, "");
    is_shape("header:S:t is absent", "fresh: a header without the param");
    fresh();
    header("S", "t=,v1=abc");
    open_(f, "");
    is_secret("header:S:t is not 1 to 18 decimal digits",
              "fresh: an empty param");

    /* inside of what is opened first */

    f = request("fresh /data/t within=5m; field data = json | base64");
    roundtrip(f, "{\"data\":{\"t\":1700000000}}", "fresh: inside");
    open_(f, "{\"data\":\"e30=\"}");
    is_secret("/data/t is absent", "fresh: absent inside");
    open_(f, "{\"data\":\"eyJ0IjpudWxsfQ==\"}");
    is_secret("/data/t is not a string or a number", "fresh: null inside");

    f = request("fresh t within=5m; field t = json | base64");
    roundtrip(f, "{\"t\":1700000000}", "fresh: its own member is sealed");
    open_(f, "{\"t\":\"IDE3MDAwMDAwMDAK\"}");
    is_opened("{\"t\": 1700000000\n}", "fresh: white space around a number");

    f = request("fresh t within=5m; body data; field data = json | base64");
    roundtrip(f, "{\"t\":1700000000}", "fresh: inside of a body");
    open_(f, "{\"data\":\"eyJ0IjowfQ==\"}");
    is_secret("t is more than a year old", "fresh: stale inside of a body");
}


static void
test_sealing(void)
{
    f = request("set t $number number; fresh t within=5m; once t within=1h;"
                "sign s = hs256 key=app over=<t> | hex");

    fresh();
    seal(f, "{}");
    is_sealed(NULL, "sealing asks for no time");
    ok(out.once.nelts == 0, "and gives none out");

    f = request("fresh t within=5m; once id within=1h");
    fresh();
    seal(f, "{}");
    is_sealed("{}", "sealing leaves the address alone");
    seal(f, "{\"t\":1,\"id\":\"x\"}");
    is_sealed("{\"t\":1,\"id\":\"x\"}", "and as it is");

    f = request("set header:T $envelope_time_ms;"
                "fresh header:T unit=ms within=5m;"
                "sign header:S = hs256 key=app over=<header:T><body> | hex");
    fresh();
    roundtrip(f, "{\"a\":1}", "what is looked at goes afterwards");
}


/* the digest of a value, in the message pool */

static ngx_str_t
digest_of(const char *body)
{
    ngx_str_t             none = ngx_null_string;
    ngx_envelope_once_t  *once;

    open_(f, body);

    if (out.outcome != NGX_ENVELOPE_OPENED || out.once.nelts != 1) {
        return none;
    }

    once = out.once.elts;

    return bytes(mpool, once->digest, NGX_ENVELOPE_ONCE_LEN);
}


static int
same(ngx_str_t a, ngx_str_t b)
{
    return a.len && b.len && ngx_envelope_str_equal(&a, &b);
}


static int
differ(ngx_str_t a, ngx_str_t b)
{
    return a.len && b.len && !ngx_envelope_str_equal(&a, &b);
}


static void
test_once(void)
{
    ngx_str_t             id, other;
    ngx_envelope_once_t  *once;

    f = request("once id within=90s");
    fresh();
    id = digest_of("{\"id\":\"1\"}");
    once = out.once.elts;

    is_int(out.once.nelts, 1, "once: one value");
    is_int(once->within, 90000, "once: how long");
    is_int(once->accept, 0, "once: refused where there is no room");
    ok(once->statement->def == &ngx_envelope_once_def, "once: what asks");

    ok(same(id, digest_of("{\"x\":[],\"i\\u0064\":\"\\u0031\"}")),
       "once: the value counts, and not its spelling");
    ok(same(id, digest_of("{\"id\":1}")), "once: 1 and \"1\" are alike");
    ok(differ(id, digest_of("{\"id\":\"2\"}")), "once: another value");
    ok(differ(id, digest_of("{\"id\":\"1\\u0000\"}")), "once: a NUL");

    open_(f, "{}");
    is_shape("id is absent", "once: absent");
    open_(f, "{\"id\":1,\"id\":1}");
    is_shape("\"id\" stands twice in id", "once: twice");
    open_(f, "{\"id\":\"\"}");
    is_shape("id is empty", "once: empty");
    open_(f, "{\"id\":null}");
    is_shape("id is not a string or a number", "once: null");
    open_(f, "{\"id\":{\"id\":1}}");
    is_shape("id is not a string or a number", "once: an object");

    /* of another address, message, document, profile */

    f = request("once /id within=90s");
    other = digest_of("{\"id\":\"1\"}");
    ok(differ(id, other), "once: another address");
    f = format_for(NGX_ENVELOPE_WEBHOOK, "so", "once id within=1h");
    ok(differ(id, digest_of("{\"id\":\"1\"}")), "once: another message");
    f = request("body b; once id within=1h");
    ok(differ(id, digest_of("{\"b\":{},\"id\":\"1\"}")),
       "once: in the envelope");
    f = request("once id within=1h; body b");
    ok(same(id, digest_of("{\"b\":{\"id\":\"1\"}}")),
       "once: in the plain message, wherever that was");

    f = request("once header:X-Id within=1h full=accept;"
                "once header:S:n full=reject within=2h");
    fresh();
    header("X-Id", "a");
    header("S", "t=1, n=b");
    open_(f, "");
    is_opened("", "once: two of them");
    is_int(out.once.nelts, 2, "once: two values");
    once = out.once.elts;
    is_int(once[0].within, 7200000, "once: the last one first");
    is_int(once[0].accept, 0, "once: full=reject");
    is_int(once[1].accept, 1, "once: full=accept");
    fresh();
    header("X-Id", "");
    header("S", "n=b");
    open_(f, "");
    is_shape("header:X-Id is empty", "once: an empty header");
}


/* nothing is given out but by what has opened as a whole */

static void
test_verified(void)
{
    ngx_str_t  id;

    f = request("once id within=1h; sign s = hs256 key=app over=<id> | hex");
    fresh();
    seal(f, "{\"id\":\"1\"}");
    engine_run(f, NGX_ENVELOPE_OPEN, out.body);
    is_opened("{\"id\":\"1\"}", "once: signed");
    is_int(out.once.nelts, 1, "once: signed, one value");

    open_(f, engine_printf("{\"id\":\"1\",\"s\":\"%064d\"}", 0));
    is_secret("the signature does not match", "once: not signed");
    is_int(out.once.nelts, 0, "once: not signed, no value");

    f = request("sign s = hs256 key=app over=<id> | hex; once id within=1h");
    open_(f, engine_printf("{\"id\":\"1\",\"s\":\"%064d\"}", 0));
    is_secret("the signature does not match", "once: read, then not signed");
    is_int(out.once.nelts, 0, "once: read, then not signed, no value");

    f = request("fresh t within=1m; once id within=1h");
    open_(f, "{\"id\":\"1\",\"t\":1}");
    is_secret("t is more than a year old", "once: stale");
    is_int(out.once.nelts, 0, "once: stale, no value");

    /* with the second key of a ring: those of the first attempt are gone */

    engine_add_secret("both", "", "new", 3);
    engine_add_secret("both", "", "old", 3);
    engine_add_secret("old", "", "old", 3);

    f = request("sign s = hs256 key=old over=<id> | hex");
    seal(f, "{\"id\":\"1\"}");
    id = out.body;
    f = request("sign s = hs256 key=both over=<id> | hex;"
                "once id within=1h");
    engine_run(f, NGX_ENVELOPE_OPEN, id);
    is_opened("{\"id\":\"1\"}", "once: the second key");
    is_int(out.once.nelts, 1, "once: the second key, one value");

    /* what passes has not been opened */

    f = response("when code 0; once id within=1h; fresh t within=5m");
    open_(f, "{\"code\":1}");
    is_passed("{\"code\":1}", "once, fresh: a message that passes");
    is_int(out.once.nelts, 0, "once: a message that passes, no value");
    open_(f, "{\"code\":0,\"t\":1,\"id\":\"1\"}");
    is_secret("t is more than a year old", "fresh: one that does not");
}


static void
refused(const char *text, const char *why)
{
    ngx_envelope_format_t  *format;

    if (engine_parse(&format, NGX_ENVELOPE_REQUEST, text) == NGX_DECLINED) {
        tap_mem(reason.data, reason.len, why, strlen(why), __FILE__, __LINE__,
                "%s", text);
        return;
    }

    fail("%s: is taken", text);
}


static void
test_words(void)
{
    refused("fresh", "write: fresh ADDRESS within=TIME [unit=..]");
    refused("fresh t", "write: fresh ADDRESS within=TIME [unit=..]");
    refused("fresh within=5m", "write: fresh ADDRESS within=TIME [unit=..]");
    refused("once id", "write: once ADDRESS within=TIME [full=..]");
    refused("once id full=reject",
            "write: once ADDRESS within=TIME [full=..]");
    refused("fresh t within=", "\"within=\" is not a time such as 300s or "
            "5m");
    refused("fresh t within=0", "\"within=0\" is not a time such as 300s or "
            "5m");
    refused("fresh t within=0ms", "\"within=0ms\" is not a time such as 300s "
            "or 5m");
    refused("once t within=-1s", "\"within=-1s\" is not a time such as 300s "
            "or 5m");
    refused("once t within=soon", "\"within=soon\" is not a time such as "
            "300s or 5m");
    refused("once t within=9223372036854775807",
            "\"within=9223372036854775807\" is not a time such as 300s or "
            "5m");
    refused("once t within=367d", "\"within=367d\" is longer than a year");
    refused("fresh t within=367d", "\"within=367d\" is longer than a year");
    refused("fresh t within=5m unit=h", "\"unit=h\" should be \"unit=s\", "
            "\"unit=ms\" or \"unit=iso8601\"");
    refused("fresh t within=5m unit=", "\"unit=\" should be \"unit=s\", "
            "\"unit=ms\" or \"unit=iso8601\"");
    refused("fresh t within=999ms", "within= is less than a second, the unit "
            "of the time");
    refused("once t within=5m full=maybe", "\"full=maybe\" should be "
            "\"full=reject\" or \"full=accept\"");
    refused("fresh t within=5m full=reject", "unexpected \"full=reject\"");
    refused("once t within=5m unit=s", "unexpected \"unit=s\"");
    refused("fresh t within=5m within=6m", "unexpected \"within=6m\"");
    refused("fresh t within=5m | base64", "unexpected \"|\"");
    refused("fresh /a/*/t within=5m", "\"fresh\" looks at one value, not at "
            "\"*\"");
    refused("once /a/*/t within=5m", "\"once\" looks at one value, not at "
            "\"*\"");
    refused("frsh t within=5m", "unknown statement \"frsh\", there are: "
            "body, set, random, field, sign, fresh, once, when");
}


static void
test_order(void)
{
    refused("fresh t within=5m; set t $v",
            "\"t\" is written by \"set t\" only later, move that up");
    refused("once header:I within=5m; set header:i $v", "\"header:I\" is "
            "written by \"set header:i\" only later, move that up");
    refused("once header:S:n within=5m; set header:S $v", "\"header:S:n\" is "
            "written by \"set header:S\" only later, move that up");
    refused("once k within=5m; random r 16; field k = r | hex",
            "\"k\" is written by \"field k\" only later, move that up");
    refused("once s within=5m; sign s = hs256 key=app over=<a> | hex",
            "\"s\" is written by \"sign s\" only later, move that up");
    refused("once k within=5m; sign s = hs256 key=app kid=k over=<a> | hex",
            "\"k\" is written by \"sign s\" only later, move that up");
    refused("field d = json | base64; fresh /d/t within=5m", "\"/d/t\" is "
            "inside of \"d\", which line 1 has sealed by then, move this up");

    refused("once id within=5m; once /id within=1h",
            "line 1 looks at that already");
    refused("once header:I within=5m; once header:i within=1h",
            "line 1 looks at that already");

    (void) request("once id within=5m; body b; once id within=5m");
    (void) request("set t $v; fresh t within=5m");
    (void) request("sign s = hs256 key=app over=<a> | hex; once s within=5m");
    (void) request("fresh t within=5m; body b; set t $v");
    (void) request("sign header:S = hs256 key=app over=<body> | hex;"
                   "fresh t within=5m; once id within=1h");
    (void) request("once header:Content-Length within=5m");
    pass("orders that can be undone");

    /* headers that go through a field as a whole */

    f = request("set header:S:t 5; field header:S = string | base64");
    fresh();
    roundtrip(f, "{}", "a param of a header that is sealed");
    f = request("fresh header:S:t within=5m;"
                "field header:S = string | base64");
    fresh();
    header("S", "t=1700000000,x=1");
    roundtrip(f, "{}", "fresh: a param of a header that is sealed");
}


/* what "nginx -t" warns of */

static void
covered(int is, const char *text)
{
    ngx_envelope_statement_t  *st;

    st = ngx_envelope_format_uncovered(request(text));

    ok((st == NULL) == is, "%s: %s", is ? "covered" : "not covered", text);
}


static void
test_covered(void)
{
    int  i;

    static const char  *signed_with[] = {
        "fresh t within=5m; sign s = hs256 key=app over=<t> | hex",
        "fresh /a/t within=5m; sign s = hs256 key=app over=<a> | hex",
        "sign s = hs256 key=app over=<t> | hex; fresh t within=5m",
        "fresh t within=5m; sign s = hs256 key=app over=<sorted> | hex",
        "fresh /a/t within=5m; sign s = hs256 key=app over=<sorted> | hex",
        "set t $v; fresh t within=5m;"
            "sign s = rs256 key=uni over=<sorted> | hex",
        "fresh t within=5m; sign header:S = hs256 key=app over=<body> | hex",
        "sign header:S = hs256 key=app over=<body> | hex; fresh t within=5m",
        "fresh header:T within=5m;"
            "sign header:S = sha1 over=<header:T><secret:app> | hex",
        "fresh header:S:t within=5m;"
            "sign header:S:v1 = hs256 key=app over=<header:S:t> | hex",
        "fresh header:S:t within=5m;"
            "sign header:X = hs256 key=app over=<header:S> | hex",
        "fresh t within=5m; field t = json | aes-128-gcm key=aes iv=prefix"
            " | hex",
        "fresh /d/t within=5m;"
            "field d = json | aes-128-gcm key=aes iv=prefix | hex",
        "fresh t within=5m; field d = json"
            " | aes-128-gcm key=aes iv=prefix aad=<t> | hex",
        "fresh t within=5m; body b;"
            "sign s = hs256 key=app over=<b> | hex",
        "fresh t within=5m; body b; field b = json | base64;"
            "sign s = hs256 key=app over=<b> | hex",
        "fresh t within=5m; body b;"
            "sign s = hs256 key=app over=<sorted> | hex",
        "fresh t within=5m; body b;"
            "field b = json | aes-128-gcm key=aes iv=prefix | hex",
        "fresh /d/t within=5m; random k 16;"
            "field d = json | aes-128-gcm key=k iv=prefix | hex;"
            "field key = k | rsa-oaep key=uni | hex;"
            "sign s = hs256 key=app over=<sorted> | hex",
    };

    static const char  *not_signed[] = {
        "fresh t within=5m",
        "once id within=5m; set t $v",
        "fresh t within=5m; sign s = hs256 key=app over=<a> | hex",
        "fresh t within=5m; sign s = sha256 over=<t> | hex",
        "fresh t within=5m; sign s = hs256 key=app over=<sorted> except=t"
            " | hex",
        "fresh /t/u within=5m; sign s = hs256 key=app over=<sorted> except=t"
            " | hex",
        "sign s = hs256 key=app over=<sorted> | hex; set t $v;"
            "fresh t within=5m",
        "sign s = hs256 key=app over=<sorted> | hex; once s within=5m",
        "fresh header:T within=5m;"
            "sign header:S = hs256 key=app over=<body> | hex",
        "fresh header:T within=5m; sign s = hs256 key=app over=<t> | hex",
        "fresh header:S within=5m;"
            "sign header:X = hs256 key=app over=<header:S:t> | hex",
        "fresh t within=5m; field t = json | aes-128-cbc key=aes iv=prefix"
            " | hex",
        "field t = json | aes-128-gcm key=aes iv=prefix | hex;"
            "once t within=5m",
        "fresh t within=5m; field t optional = json"
            " | aes-128-gcm key=aes iv=prefix | hex",
        "sign s = hs256 key=app over=<t> | hex; field t = json | hex;"
            "once t within=5m",
        "sign s = hs256 key=app over=<t> | hex; body b; fresh t within=5m",
        "body b; fresh t within=5m; sign s = hs256 key=app over=<b> | hex",
        "fresh t within=5m; sign s = hs256 key=app over=<t> | hex;"
            "once id within=5m",
    };

    for (i = 0; i < (int) (sizeof(signed_with) / sizeof(char *)); i++) {
        covered(1, signed_with[i]);
    }

    for (i = 0; i < (int) (sizeof(not_signed) / sizeof(char *)); i++) {
        covered(0, not_signed[i]);
    }

    covered(1, "set a b");
}


static void
test_forgets(void)
{
    uint64_t                   within;
    ngx_envelope_statement_t  *st;

    f = request("fresh t within=5m; once id within=10m");
    st = ngx_envelope_format_forgets(f, &within);
    ok(st && st->def == &ngx_envelope_once_def, "forgets: too early");
    is_int(within, 601000, "forgets: what would do");
    ok(ngx_envelope_format_once(f), "it has a \"once\"");

    f = request("fresh t within=5m; once id within=601s");
    ok(ngx_envelope_format_forgets(f, &within) == NULL, "forgets: in time");
    f = request("once id within=1s");
    ok(ngx_envelope_format_forgets(f, &within) == NULL, "no \"fresh\"");
    f = request("fresh t within=5m");
    ok(ngx_envelope_format_forgets(f, &within) == NULL, "no \"once\"");
    ok(!ngx_envelope_format_once(f), "it has no \"once\"");
}


int
main(void)
{
    engine_start();

    test_seconds();
    test_milliseconds();
    test_iso8601();
    test_shape();
    test_sealing();
    test_once();
    test_verified();
    test_words();
    test_order();
    test_covered();
    test_forgets();

    engine_end();

    return done_testing();
}
