
/* What each statement does to a message, and what a message can do to it. */


#include "engine.h"

#include <time.h>


static ngx_envelope_format_t  *f;


static const char *
repeat(const char *s, int n)
{
    char  *p, *dst;

    p = dst = (char *) ngx_palloc(mpool, strlen(s) * n + 1);

    while (n--) {
        memcpy(dst, s, strlen(s));
        dst += strlen(s);
    }

    *dst = '\0';

    return p;
}


static void
test_set(void)
{
    fresh();

    f = request("set s text; set n 1.50 number; set j '{\"a\": [1]}' json;"
                "set t true json; set e \"\"; set v $envelope_time_ms;"
                "set vn $number number; set vj $json json;"
                "set /head/deep/x \"a\\\"b\"; set /a~1b/~0 1");

    seal(f, "{\"z\":0}");
    is_sealed("{\"z\":0,\"s\":\"text\",\"n\":1.50,\"j\":{\"a\": [1]},"
              "\"t\":true,\"e\":\"\",\"v\":\"1700000000000\","
              "\"vn\":-1.50e3,\"vj\":{\"b\":[true]},"
              "\"head\":{\"deep\":{\"x\":\"a\\\"b\"}},"
              "\"a/b\":{\"~\":\"1\"}}", "set: all types");
    roundtrip(f, "{ \"z\" : 0 }", "set");
    roundtrip(f, "{}", "set: an empty body");
    roundtrip(f, "{\"head\":{\"y\":1},\"deep\":{}}",
              "set: an object that is there");

    seal(f, "{\"s\":\"forged\",\"head\":{\"deep\":{\"x\":1,\"y\":2}},"
            "\"vj\":null}");
    is_sealed(NULL, "set: they are there already");
    engine_run(f, NGX_ENVELOPE_OPEN, out.body);
    is_opened("{\"head\":{\"deep\":{\"y\":2}}}", "set: they were taken out");

    seal(f, "{\"head\":1}");
    is_shape("\"deep\" of /head/deep/x is not in an object",
             "set: below a number");
    seal(f, "{\"head\":[]}");
    is_shape("\"deep\" of /head/deep/x is not in an object",
             "set: below an array");
    seal(f, "{\"head\":null}");
    is_shape("/head/deep/x cannot be added to what is not an object",
             "set: below null");
    seal(f, "{\"s\":1,\"s\":2}");
    is_shape("\"s\" stands twice in s", "set: it stands twice");
    seal(f, "[]");
    is_shape("the message is not a JSON object", "set: an array");
    seal(f, "{\"z\":}");
    ok(out.fault == NGX_ENVELOPE_FAULT_SHAPE, "set: no JSON");
    seal(f, " ");
    ok(out.fault == NGX_ENVELOPE_FAULT_SHAPE, "set: white space only");

    f = request("set header:A string string");
    header("A", "string");
    header("a", "string");
    open_(f, "x");
    is_shape("header:A stands twice", "set: two headers");
    nheaders = 0;

    f = request("set a 1 number keep; set b x keep optional");
    seal(f, "{}");
    is_sealed("{\"a\":1,\"b\":\"x\"}", "set keep: seals");
    open_(f, "{\"a\": 1 ,\"b\":\"x\"}");
    is_opened("{\"a\": 1 ,\"b\":\"x\"}", "set keep: it stays");
    open_(f, "{\"a\":1}");
    is_opened("{\"a\":1}", "set optional: absent");
    open_(f, "{\"a\":1,\"b\":\"y\"}");
    is_shape("b is not \"x\"", "set optional: another value");
    open_(f, "{\"b\":\"x\"}");
    is_shape("a is absent", "set keep: absent");
    open_(f, "{\"a\":null}");
    is_shape("a is not \"1\"", "set: null");
    open_(f, "{\"a\":1,\"b\":\"\\ud800\"}");
    ok(out.fault == NGX_ENVELOPE_FAULT_SHAPE, "set: a lone surrogate");

    f = request("set a $empty optional; set b $v optional;"
                "set header:C $empty optional; set header:D $empty");
    header("C", "brought");
    seal(f, "{\"a\":\"brought\"}");
    is_sealed("{\"b\":\"V\"}", "set optional: empty is not written");
    is_cstr(edited("C"), "(none)", "set optional: not in a header either");
    is_cstr(edited("D"), "", "set: an empty header");
    nheaders = 0;
    header("D", "");
    open_(f, "{\"a\":\"whatever\",\"b\":{}}");
    is_opened("{}", "set: what had variables is not compared");
    open_(f, "{}");
    is_opened("{}", "set optional: absent");
    nheaders = 0;
    open_(f, "{}");
    is_shape("header:D is absent", "set: an absent header");

    f = request("set a $empty number");
    seal(f, "{}");
    is_shape("the value is not a JSON number", "set number: empty");
    f = request("set a $v json");
    seal(f, "{}");
    ok(out.fault == NGX_ENVELOPE_FAULT_SHAPE, "set json: not JSON");
    f = request("set a $bad");
    seal(f, "{}");
    ok(out.fault == NGX_ENVELOPE_FAULT_SHAPE, "set: not UTF-8");
    f = request("set header:A $crlf");
    seal(f, "{}");
    is_shape("the header's value has a control character", "set: CR LF");
    f = request("set header:A:b $comma");
    seal(f, "{}");
    is_shape("the value would not be one param of the header",
             "set: a param that would be two");

    /* what goes through a field later is not in sight */

    f = request("set v 1.0; field v = string | base64");
    roundtrip(f, "{\"a\":1}", "set: a constant that is sealed");
    open_(f, "{\"v\":\"MS4x\"}");
    is_secret("v is not \"1.0\"", "set: another one in it");
    f = request("set header:S t=1; sign header:S:v1 = sha256 over=<body>"
                " | hex");
    roundtrip(f, "x", "set: a header, and a param is added to it");
}


static void
test_body(void)
{
    fresh();

    f = request("set inside 1; body /e/data; set /e/id 7 number");
    seal(f, " {\"a\":1}\n");
    is_sealed("{\"e\":{\"data\":{\"a\":1,\"inside\":\"1\"},\"id\":7}}",
              "body: as it is, without white space around it");
    roundtrip(f, "{ \"a\":1}", "body");
    open_(f, "{\"e\":{\"data\":{\"inside\":\"2\"},\"id\":7}}");
    is_shape("inside is not \"1\"", "body: an inner constant");
    open_(f, "{\"e\":{\"id\":7},\"data\":{}}");
    is_shape("/e/data is absent", "body: absent");
    open_(f, "{\"e\":{\"data\":[1],\"id\":7}}");
    ok(out.outcome == NGX_ENVELOPE_REJECTED, "body: members of an array");
    seal(f, "[1]");
    is_shape("the message is not a JSON object", "body: an array");

    /* what stands below the body, from without */

    f = request("body data; field /data/pan = string | base64;"
                "sign /data/sig = sha256 over=</data/pan> | hex");
    seal(f, " {\"pan\": \"41\", \"b\":1}");
    is_sealed("{\"data\":{\"pan\": \"NDE=\", \"b\":1,\"sig\":\"77640b4209f8"
              "290b2dee6af2a6c435b61eabaf17739b8a258c9c64dab7ff5708\"}}",
              "body: a field and a signature inside of it");
    roundtrip(f, "{\"pan\": \"41\", \"b\":1}", "body: and back");

    f = request("body data; sign s = sha256 over=<data> | hex;"
                "field data = json | base64");
    roundtrip(f, " {\"a\":1}\n", "body: white space is signed and sealed");
    f = request("body data; sign s = sha256 over=<data> | hex;"
                "field data optional = json | base64");
    roundtrip(f, "{\"a\":1}", "body: and an optional field");
    seal(f, " null ");
    engine_run(f, NGX_ENVELOPE_OPEN, out.body);
    is_opened("null", "body: and null");

    f = request("set x 1; body data; field /data/pan = string | base64");
    roundtrip(f, "{\"pan\":\"41\"}", "body: inside of a changed one");

    f = request("body data; sign /data/sig = sha256 over=a | hex");
    roundtrip(f, "{}", "body: an empty one that got a member");

    f = request("body data; set a 1");
    roundtrip(f, "7", "body: a number");
    roundtrip(f, "null", "body: null");
    open_(f, "[]");
    is_shape("the message is not a JSON object", "body: an array outside");
    open_(f, "{\"data\":1,\"data\":2,\"a\":\"1\"}");
    is_shape("\"data\" stands twice in data", "body: twice");

    f = request("sign s = sha256 over=<sorted> | hex; body data");
    seal(f, "[1]");
    is_shape("the message is not a JSON object", "body: <sorted> of an array");

    f = request("sign header:S = sha256 over=<sorted> | hex; body data");
    seal(f, "[1]");
    is_shape("the message is not a JSON object", "body: <sorted> of an array");

    f = request("sign s = sha256 over=<sorted> | hex; body data;"
                "field data = json | base64");
    roundtrip(f, "{\"a\":1}", "body: <sorted> inside");
    open_(f, "{\"data\":\"eyJhIjoxLCJhIjoyLCJzIjoiIn0=\",\"x\":1,\"x\":2}");
    is_secret("a member stands twice in what <sorted> joins",
              "body: twice in <sorted> inside");

    f = request("body data; field data = string | base64");
    seal(f, " \"t\\u0065xt\"\n");
    is_sealed("{\"data\":\"dGV4dA==\"}", "body: a string as such");
    seal(f, " \"\" ");
    is_shape("data is empty", "body: an empty string as such");

    f = request("body /e/d; field e = json | hex");
    roundtrip(f, "{\"a\": 1}", "body: all of the envelope is sealed");
    open_(f, "{\"e\":\"7b7d\"}");
    is_secret("/e/d is absent", "body: it is not in there");
    open_(f, "{\"e\":\"7b2264223a312c2264223a327d\"}");
    is_secret("\"d\" stands twice in /e/d", "body: it is there twice");
    open_(f, "{\"e\":\"5b5d\"}");
    is_secret("\"d\" of /e/d is not in an object", "body: an array");

    /* a plain body's own member of the name of one of the envelope */

    f = request("body data; set header:H 1; "
                "sign header:S = hs256 key=ring kid=keyid over=<data> | hex");
    roundtrip(f, "{\"keyid\":\"mine\",\"data\":1}", "body: its members stay");
}


static void
test_when(void)
{
    fresh();

    f = response("when status; when /error/code 0; field d = json | base64");

    open_(f, "{\"status\":null,\"error\":{\"code\":\"0\"},\"d\":\"MQ==\"}");
    is_opened("{\"status\":null,\"error\":{\"code\":\"0\"},\"d\":1}",
              "when: present");
    open_(f, "{\"error\":{\"code\":0}}");
    is_passed("{\"error\":{\"code\":0}}", "when: absent");
    open_(f, "{\"status\":1,\"error\":\"\"}");
    is_passed(NULL, "when: a string on the way");
    open_(f, "{\"status\":1,\"error\":[]}");
    is_passed(NULL, "when: an array on the way");
    open_(f, "{\"status\":1,\"error\":null}");
    is_passed(NULL, "when: null on the way");
    open_(f, "{\"status\":1,\"error\":{\"code\":0.0}}");
    is_passed(NULL, "when: another spelling");
    open_(f, "{\"status\":1,\"status\":1}");
    is_shape("\"status\" stands twice in status", "when: twice");
    open_(f, "{\"error\":{\"code\":1,\"code\":0},\"status\":1}");
    is_shape("\"code\" stands twice in /error/code", "when: twice, deeper");
    open_(f, "{\"status\":1,\"error\":{\"code\":\"\\ud800\"}}");
    ok(out.fault == NGX_ENVELOPE_FAULT_SHAPE, "when: a lone surrogate");
    open_(f, "nothing");
    ok(out.fault == NGX_ENVELOPE_FAULT_SHAPE, "when: no JSON");
    open_(f, "[1]");
    is_shape("the message is not a JSON object", "when: an array");

    f = response("field d = json | base64; when code 0");
    roundtrip(f, "{\"code\":0,\"d\":1}", "when: at the end");
    seal(f, "{\"code\":1}");
    is_passed("{\"code\":1}", "when: asked before what would fail");

    seal(f, "{\"code\":1,\"code\":0}");
    is_shape("\"code\" stands twice in code", "when: twice, when sealing");
    open_(f, "{\"code\":1,\"code\":0}");
    is_shape("\"code\" stands twice in code", "when: twice, when opening");

    f = response("when a; when b; field d = json | base64");
    open_(f, "{\"a\":1,\"a\":1}");
    is_shape("\"a\" stands twice in a", "when: twice, and another is absent");

    f = response("field d = json | base64; when d");
    roundtrip(f, "{\"d\":[1]}", "when: of the field itself");
    seal(f, "{\"a\":1}");
    is_passed("{\"a\":1}", "when: it is absent");

    f = response("when header:X-Signed; when header:X-V $v;"
                 "sign header:S = sha256 over=<body> | hex");
    header("X-Signed", "");
    open_(f, "x");
    is_passed("x", "when: a header is absent");
    header("X-V", "v");
    open_(f, "x");
    is_passed("x", "when: a header is another");
    headers[1].value = exact("V");
    roundtrip(f, "x", "when: headers");
    header("x-signed", "");
    open_(f, "x");
    is_shape("header:X-Signed stands twice", "when: a header stands twice");

    /* what is asked for is written */

    nheaders = 0;
    f = response("when code 0; body data; set code 0 number keep;"
                 "field data = json | base64");
    roundtrip(f, "{\"a\":1}", "when: of what a set writes");
    open_(f, "{\"code\":1,\"msg\":\"no\"}");
    is_passed(NULL, "when: of the envelope");
    f = response("when code 0; set code $v; field d = json | base64");
    seal(f, "{\"d\":1}");
    is_passed("{\"d\":1}", "when: what is written is another");

    f = response("when code 0; body data; field data = json | base64");
    open_(f, "{\"code\":0,\"data\":\"MQ==\"}");
    is_opened("1", "when: above body");
    seal(f, "{\"code\":\"1\"}");
    is_passed("{\"code\":\"1\"}", "when: above body");
    seal(f, "[]");
    is_shape("the message is not a JSON object", "when: above body, array");
}


static void
test_field(void)
{
    fresh();

    f = request("field a = json | base64");
    roundtrip(f, "{\"a\":null}", "field: null");
    roundtrip(f, "{\"a\":\"\"}", "field: an empty string as JSON");
    roundtrip(f, "{\"a\":{\"b\" : [ ]} , \"c\":1}", "field: an object");
    seal(f, "{\"b\":1}");
    is_shape("a is absent", "field: absent");
    seal(f, "{\"a\":1,\"\\u0061\":1}");
    is_shape("\"a\" stands twice in a", "field: twice");
    open_(f, "{\"a\":\"\"}");
    is_shape("a is empty", "field: an empty value");
    open_(f, "{\"a\":{}}");
    is_shape("a is not a string", "field: an object");
    open_(f, "{\"a\":\"e30\"}");
    is_secret("base64: length 3 is not a multiple of 4", "field: no base64");
    open_(f, "{\"a\":\"e3s=\"}");
    ok(out.fault == NGX_ENVELOPE_FAULT_SECRET, "field: no JSON in it");
    open_(f, "{\"a\":\"IA==\"}");
    ok(out.fault == NGX_ENVELOPE_FAULT_SECRET, "field: nothing in it");
    open_(f, "{\"a\":\"e30=\",\"b\":\"\\ud800\"}");
    is_opened("{\"a\":{},\"b\":\"\\ud800\"}",
              "field: a lone surrogate in what nobody looks at");
    open_(f, "{\"a\":\"\\ud800\"}");
    ok(out.fault == NGX_ENVELOPE_FAULT_SECRET, "field: a lone surrogate");
    open_(f, "{\"a\":\"IDEgCg==\"}");
    is_opened("{\"a\": 1 \n}", "field: white space in it survives");
    open_(f, "{\"a\":\"ICJ4IiA=\"}");
    is_opened("{\"a\": \"x\" }", "field: around a string, too");

    f = request("field a = string | base64url | prefix p:");
    seal(f, "{\"a\":\"\\u00ff\\ufffe\"}");
    is_sealed("{\"a\":\"p:w7_vv74\"}", "field: base64url, prefix");
    open_(f, "{\"a\":\"p:w7_vv74\"}");
    is_opened("{\"a\":\"\xc3\xbf\xef\xbf\xbe\"}", "field: string");
    open_(f, "{\"a\":\"p:_w\"}");
    is_secret("what was recovered is not UTF-8", "field: not UTF-8");
    open_(f, "{\"a\":\"P:w7_vv74\"}");
    is_secret("prefix: it does not begin with \"p:\"", "field: no prefix");
    open_(f, "{\"a\":\"p\"}");
    is_secret("prefix: it does not begin with \"p:\"", "field: short");
    seal(f, "{\"a\":1}");
    is_shape("a is not a string", "field string: a number");
    seal(f, "{\"a\":null}");
    is_shape("a is not a string", "field string: null");
    seal(f, "{\"a\":\"\\udc00\"}");
    ok(out.fault == NGX_ENVELOPE_FAULT_SHAPE, "field: a lone surrogate");

    f = request("field a = string | base64");
    seal(f, "{\"a\":\"\"}");
    is_shape("a is empty", "field: what would be empty when sealed");

    f = request("field a optional = string | aes-128-ecb key=aes | hex");
    roundtrip(f, "{\"a\":null}", "optional: null");
    roundtrip(f, "{\"a\":\"\"}", "optional: empty");
    roundtrip(f, "{}", "optional: absent");
    roundtrip(f, "{\"a\":\"1\"}", "optional: there");
    seal(f, "{\"a\":0}");
    is_shape("a is not a string", "optional: a number is not left plain");
    seal(f, "{\"a\":false}");
    is_shape("a is not a string", "optional: nor is false");
    open_(f, "{\"a\":0}");
    is_shape("a is not a string", "optional: a number");
    seal(f, "{\"a\":\"x\",\"a\":\"\"}");
    is_shape("\"a\" stands twice in a", "optional: twice");

    f = request("field /a/b optional = json | hex");
    seal(f, "{\"a\":[{\"b\":\"secret\"}]}");
    is_shape("\"b\" of /a/b is not in an object",
             "optional: an array on the way is not left plain");
    seal(f, "{\"a\":\"b\"}");
    is_shape("\"b\" of /a/b is not in an object", "optional: a string");
    roundtrip(f, "{\"a\":null}", "optional: null on the way");

    f = request("field header:X = string | base64; "
                "field header:Y:p optional = string | hex");
    header("X", "text");
    header("y", "q=1; p=text");
    seal(f, "any");
    is_cstr(edited("X"), "dGV4dA==", "field: a header");
    is_cstr(edited("Y"), "q=1,p=74657874", "field: a param");
    apply();
    open_(f, "any");
    is_opened("any", "field: headers");
    is_cstr(edited("X"), "text", "field: a header");
    is_cstr(edited("Y"), "q=1,p=text", "field: a param");
    headers[0].value = exact("dGV4dA=");
    open_(f, "any");
    ok(out.fault == NGX_ENVELOPE_FAULT_SECRET, "field: a header, no base64");
    headers[0].value = exact("AAAA");
    open_(f, "any");
    is_secret("the header's value has a control character",
              "field: control characters in it");
    headers[0].value = exact("");
    open_(f, "any");
    is_shape("header:X is empty", "field: an empty header");
    header("X", "a");
    open_(f, "any");
    is_shape("header:X stands twice", "field: two headers");
    nheaders = 0;
    open_(f, "any");
    is_shape("header:X is absent", "field: no header");
    seal(f, "any");
    is_shape("header:X is absent", "field: no header to seal");
    header("X", "text");
    roundtrip(f, "any", "field: the param is absent");
}


static void
test_many(void)
{
    char        *p;
    const char  *s;

    fresh();

    f = request("field /cards/*/pan = string | aes-128-ecb key=aes | base64;"
                "field /x/*/*/y optional = json | hex");
    s = "{\"cards\":[{\"pan\":\"41\"},{\"pan\":\"42\",\"b\":1}],"
        "\"x\":[[{\"y\":1},{}],[],[{\"y\":[2]}]]}";

    seal(f, s);
    ok(!has("\"41\"") && !has("\"42\""),
       "*: each is sealed");
    roundtrip(f, s, "*");
    roundtrip(f, "{\"cards\":[]}", "*: no elements");
    seal(f, "{\"cards\":[{\"pan\":\"41\"},{}]}");
    is_shape("/cards/*/pan is absent", "*: one is missing");
    seal(f, "{\"cards\":[{\"pan\":\"41\"},{\"pan\":42}]}");
    is_shape("/cards/*/pan is not a string", "*: one is a number");
    seal(f, "{\"cards\":[{\"pan\":\"41\"},[{\"pan\":\"42\"}]]}");
    is_shape("\"pan\" of /cards/*/pan is not in an object", "*: an array");
    seal(f, "{\"cards\":{\"pan\":\"41\"}}");
    is_shape("\"*\" of /cards/*/pan is not over an array", "*: an object");
    seal(f, "{\"cards\":\"\"}");
    is_shape("\"*\" of /cards/*/pan is not over an array", "*: a string");
    seal(f, "{\"cards\":null}");
    is_shape("/cards/*/pan is absent", "*: null");
    seal(f, "{\"cards\":[null]}");
    is_shape("/cards/*/pan is absent", "*: an element is null");
    seal(f, "{}");
    is_shape("/cards/*/pan is absent", "*: absent");
    seal(f, "{\"cards\":[{\"pan\":\"\"}],\"x\":[1]}");
    is_shape("\"*\" of /x/*/*/y is not over an array", "*: optional, a 1");
    seal(f, "{\"cards\":[{\"pan\":\"1\",\"pan\":\"2\"}]}");
    is_shape("\"pan\" stands twice in /cards/*/pan", "*: twice");
    open_(f, "{\"cards\":[{\"pan\":\"\"}]}");
    is_shape("/cards/*/pan is empty", "*: an empty one");

    f = request("field /a/1/b = json | hex");
    roundtrip(f, "{\"a\":[{\"b\":1},{\"b\":2}]}", "an element");
    seal(f, "{\"a\":[{\"b\":1}]}");
    is_shape("/a/1/b is absent", "an element that is not there");

    /* one value's bound is that of all together */

    fresh();
    f = request("field /a/* = string | rsa-oaep key=rsa1 | base64");
    roundtrip(f, engine_printf("{\"a\":[%s\"x\"]}", repeat("\"x\",", 99)),
              "*: 100 blocks");
    seal(f, engine_printf("{\"a\":[%s\"x\"]}", repeat("\"x\",", 2048)));
    is_shape("rsa-oaep: more than 262144 bytes of RSA ciphertext in one "
             "message", "*: 2049 blocks are too much work");

    seal(f, "{\"a\":[\"x\"]}");
    s = engine_printf("%.*s,", (int) out.body.len - 8, out.body.data + 6);
    open_(f, engine_printf("{\"a\":[%s\"\"]}", repeat(s, 300)));
    is_shape("/a/* is empty", "*: all shapes are asked first");
    p = (char *) ngx_palloc(mpool, strlen(s) * 2049 + 16);
    (void) sprintf(p, "{\"a\":[%s", repeat(s, 2049));
    (void) strcpy(p + strlen(p) - 1, "]}");
    open_(f, p);
    is_secret("rsa-oaep: more than 262144 bytes of RSA ciphertext in one "
              "message", "*: a bomb of blocks");
}


static void
test_nested(void)
{
    fresh();

    f = request("field /data/pan = string | aes-128-cbc key=aes iv=prefix"
                " | base64;"
                "set /data/kind card;"
                "sign /data/sig = hs256 key=app over=</data/pan></data/kind>"
                " | base64;"
                "field data = json | aes-256-gcm key=aes256 iv=prefix"
                " | base64url");
    roundtrip(f, "{\"a\":1,\"data\":{\"pan\":\"4111\", \"x\":[ ]}}",
              "a field inside of a field");
    seal(f, "{\"data\":{\"pan\":1}}");
    is_shape("/data/pan is not a string", "inside: a number");

    f = request("sign /data/sig = sha256 over=</data/n> | base64;"
                "field data = json | hex");
    roundtrip(f, "{\"data\":{\"n\":1}}", "a signature inside of a field");

    /* {"n":1,"sig":""}, {"n":1}, {"n":1,"n":1,..}, 1 */

    open_(f, "{\"data\":\"7b226e223a312c22736967223a22227d\"}");
    is_secret("the signature does not match", "inside: no signature");
    open_(f, "{\"data\":\"7b226e223a317d\"}");
    is_secret("/data/sig is absent", "inside: a missing signature");
    open_(f, "{\"data\":\"7b22736967223a312c22736967223a317d\"}");
    is_secret("\"sig\" stands twice in /data/sig", "inside: two signatures");
    open_(f, "{\"data\":\"31\"}");
    is_secret("\"sig\" of /data/sig is not in an object", "inside: a number");
    open_(f, "{\"data\":\"5b5d\"}");
    is_secret("\"sig\" of /data/sig is not in an object", "inside: an array");
    open_(f, "{\"data\":\"6e756c6c\"}");
    is_secret("/data/sig is absent", "inside: null");

    f = request("sign /data/sig = sha256 over=a | base64;"
                "field data = json | hex");
    roundtrip(f, "{\"data\":{}}", "an object that a signature had filled");

    f = request("sign /h/sig = sha256 over=<sorted> | base64");
    roundtrip(f, "{\"a\":1}", "<sorted>, and a signature below");
    roundtrip(f, "{\"h\":{\"b\":1}}", "<sorted>, and a signature beside");

    f = request("sign /h/sig = sha256 over=<h> | base64");
    roundtrip(f, "{\"h\":{\"b\":1}}", "what the signature stands in");

    /* ' "x" ' */

    f = request("sign s = sha256 over=<a> | hex; field a = json | base64");
    open_(f, "{\"a\":\"ICJ4IiA=\",\"s\":\"2d711642b726b04401627ca9fbac32f5c85"
             "30fb1903cc4db02258717921a4881\"}");
    is_opened("{\"a\": \"x\" }", "a string with white space around it");

    f = request("field a = json | hex; field a = string | base64");
    roundtrip(f, "{\"a\":[1]}", "one field after the other");
}


static void
test_random(void)
{
    fresh();

    f = request("random s k:16; field d optional = json"
                " | aes-128-gcm key=s.k iv=prefix | base64;"
                "field header:K optional = s | hex");
    roundtrip(f, "{\"d\":1}", "random: in a header");
    header("K", "brought");
    engine_counter = 0;
    seal(f, "{\"d\":1}");
    is_cstr(edited("K"), "000102030405060708090a0b0c0d0e0f",
            "random: fresh bytes");
    nheaders = 0;
    open_(f, "{\"d\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}");
    is_secret("aes-128-gcm: \"s.k\" was not recovered",
              "random: no bytes, and no zeros for them");
    open_(f, "{\"a\":1}");
    is_opened("{\"a\":1}", "random: nobody needs it");
    header("K", "00");
    open_(f, "{\"a\":1}");
    is_secret("what was recovered has not the length of \"s\"",
              "random: a short one");

    engine_no_random = 1;
    seal(f, "{\"d\":1}");
    is_internal("no random bytes", "random: no random bytes");
    engine_no_random = 0;

    /* PKCS#1 v1.5: bad padding is as a wrong key */

    nheaders = 0;
    f = request("random s 16;"
                "field d = json | aes-128-gcm key=s iv=prefix | base64;"
                "field k = s | rsa-pkcs1 key=rsa1 | base64");
    roundtrip(f, "{\"d\":1}", "random: rsa-pkcs1");
    open_(f, engine_printf("{\"d\":\"%s\",\"k\":\"%sAAA=\"}",
                           repeat("AAAA", 12), repeat("AAAA", 42)));
    is_secret("aes-128-gcm: the tag does not match",
              "random: bad padding ends as a wrong key does");
    engine_no_random = 1;
    open_(f, engine_printf("{\"d\":\"%s\",\"k\":\"%sAAA=\"}",
                           repeat("AAAA", 12), repeat("AAAA", 42)));
    is_internal("no random bytes", "random: none for that");
    engine_no_random = 0;

    f = request("random s 16; random iv 12;"
                "field d = json | aes-128-gcm key=s iv=iv | base64;"
                "sign m = hs256 key=s over=<d> | hex;"
                "field k = s | base64 | rsa-pkcs1 key=rsa1 | base64;"
                "field iv = iv | hex");
    roundtrip(f, "{\"d\":1}", "random: a MAC under it");

    f = request("field a = json | base64 | rsa-pkcs1 key=rsa1 | base64");
    open_(f, engine_printf("{\"a\":\"%sAAA=\"}", repeat("AAAA", 42)));
    is_secret("base64: what was recovered is not of this kind",
              "nothing is told of what is behind a key");
    f = request("field a = json | aes-128-cbc key=aes iv=prefix"
                " | rsa-pkcs1 key=rsa1 | base64");
    open_(f, engine_printf("{\"a\":\"%sAAA=\"}", repeat("AAAA", 42)));
    is_secret("aes-128-cbc: what was recovered is not of this kind",
              "nor how long it is");
    f = request("field a = json | rsa-pkcs1 key=rsa1 | base64");
    open_(f, engine_printf("{\"a\":\"%sAAA=\"}", repeat("AAAA", 42)));
    is_secret("what was recovered is not JSON", "nor where it is wrong");
    f = request("field a = string | rsa-pkcs1 key=rsa1 | base64");
    open_(f, engine_printf("{\"a\":\"%sAAA=\"}", repeat("AAAA", 42)));
    is_secret("what was recovered is not UTF-8", "nor which byte");
}


/* large and deep messages */

static void
test_size(void)
{
    char         *p, *dst;
    clock_t       start;
    ngx_uint_t    i;
    const char   *deep;

    fresh();

    p = dst = (char *) ngx_palloc(mpool, 100000 * 24);
    dst += sprintf(dst, "{\"a\":[");

    for (i = 0; i < 49999; i++) {
        dst += sprintf(dst, "{\"b\":\"%d\"},", (int) i);
    }

    dst += sprintf(dst, "{\"b\":\"x\"}]");

    for (i = 100000; i > 50000; i--) {
        dst += sprintf(dst, ",\"m%d\":%d", (int) i, (int) i);
    }

    (void) strcpy(dst, "}");

    f = request("field /a/*/b = string | aes-128-ecb key=aes | base64;"
                "sign s = hs256 key=app over=<sorted> | hex;"
                "set t 1; set /u/v 2");
    start = clock();
    roundtrip(f, p, "10^5 members and values");
    ok(clock() - start < 20 * CLOCKS_PER_SEC, "in a reasonable time");

    fresh();
    f = request("body data; field data = json | base64");
    deep = repeat("[", 128);
    deep = engine_printf("%s%s", deep, repeat("]", 128));
    roundtrip(f, deep, "128 levels");
    deep = engine_printf("[%s]", deep);
    seal(f, deep);
    is_shape("JSON is nested deeper than 128 levels at byte 128",
             "129 levels");
    open_(f, deep);
    is_shape("JSON is nested deeper than 128 levels at byte 128",
             "129 levels outside");

    p = (char *) repeat("[", 1000000);
    open_(f, p);
    is_shape("JSON is nested deeper than 128 levels at byte 128",
             "10^6 levels");

    f = request("field data = json | prefix x");
    deep = engine_printf("%s%s", repeat("[", 129), repeat("]", 129));
    open_(f, engine_printf("{\"data\":\"x%s\"}", deep));
    is_secret("JSON is nested deeper than 128 levels at byte 128",
              "129 levels inside");
}


int
main(void)
{
    engine_start();

    engine_add_secret("ring", "r1", "first secret", 12);
    engine_add_secret("ring", "r2", "second secret", 13);

    test_set();
    test_body();
    test_when();
    test_field();
    test_many();
    test_nested();
    test_random();
    test_size();

    engine_end();

    return done_testing();
}
