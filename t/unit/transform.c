
/*
 * Messages through formats.  Answers of other implementations stand in
 * vectors.h.
 */


#include "engine.h"


#define SHORT  "{\"orderNo\":\"A-1\",\"amount\":1.50,"                        \
               "\"note\":\"caf\xc3\xa9 <&>\"}"

#define X50     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

#define PLAIN_A                                                               \
    "{\"card\": \"4111-1111-1111-1111\", \"amount\": 1.50, \"note\": \""      \
    X50 X50 X50 X50 X50 X50 "\"}"


static void
test_a(void)
{
    ngx_envelope_format_t  *f;

    fresh();

    f = request("body content; field content = json | rsa-pkcs1 key=uni"
                " | base64 | hex");

    open_(f, "{\"content\":\"" KAT_A "\"}");
    is_opened(PLAIN_A, "A: opens what another implementation sealed");

    open_(f, " {\"other\" : [1], \"content\":\"" KAT_A "\"}\n");
    is_opened(PLAIN_A, "A: other members are dropped");

    roundtrip(f, PLAIN_A, "A");
    roundtrip(f, " {\"a\" : 1.0e+2 ,\n \"b\": \"\\u00e9\\/\"} \r\n",
              "A: white space around and spelling");
    roundtrip(f, "[1, 2]", "A: a body that is no object");
    roundtrip(f, " \"text\"\n", "A: a body that is a string");

    seal(f, "");
    is_sealed(NULL, "A: an absent body is sealed");
    engine_run(f, NGX_ENVELOPE_OPEN, out.body);
    is_opened("{}", "A: an absent body is {}");

    f = response("when code 0; field data optional = json"
                 " | rsa-pkcs1 key=uni | base64 | hex");

    open_(f, "{\"code\":0,\"msg\":\"ok\",\"data\":\"" KAT_A "\"}");
    is_opened("{\"code\":0,\"msg\":\"ok\",\"data\":" PLAIN_A "}",
              "A: a response");

    roundtrip(f, "{\"code\":\"0\",\"data\":{\"a\":[1 ]} }", "A: a response");
    roundtrip(f, "{\"code\":0,\"data\":null}", "A: null");
    roundtrip(f, "{\"code\":0,\"data\":\"\"}", "A: empty");
    roundtrip(f, "{\"code\":0}", "A: absent");

    open_(f, "{\"code\":7,\"data\":{\"not\":\"sealed\"}}");
    is_passed("{\"code\":7,\"data\":{\"not\":\"sealed\"}}", "A: an error");
    seal(f, "{\"code\":7,\"data\":{\"not\":\"sealed\"}}");
    is_passed("{\"code\":7,\"data\":{\"not\":\"sealed\"}}",
              "A: an error is not sealed");
    open_(f, "{\"msg\":\"no code\"}");
    is_passed("{\"msg\":\"no code\"}", "A: no code");
    open_(f, "{\"code\":{\"a\":0},\"data\":7}");
    is_passed(NULL, "A: a code that is no scalar");
    open_(f, "{\"code\":0,\"code\":1,\"data\":\"\"}");
    is_shape("\"code\" stands twice in code", "A: two codes");
    open_(f, "{\"code\":0,\"data\":{\"not\":\"sealed\"}}");
    is_shape("data is not a string", "A: not sealed");
    open_(f, "{\"code\":0,\"data\":\"00\"}");
    is_secret("base64: length 1 is not a multiple of 4", "A: junk");
}


#define B_SEAL                                                                \
    "random session key:32 iv:16;"                                            \
    "set apiKey $v; set timestamp $envelope_time_ms;"                         \
    "field bizContent = json | aes-256-gcm key=session.key iv=session.iv"     \
    " | base64;"                                                              \
    "field key = session | rsa-oaep key=rsa2 hash=sha256 mgf1=sha256"         \
    " | base64;"                                                              \
    "sign sig = rs256 key=uni over=<sorted> | base64;"                        \
    "set rsaType ECB_OAEP; set aesType GCM_NOPADDING;"

#define B_OPEN                                                                \
    "when code 200;"                                                          \
    "random session key:32 iv:16;"                                            \
    "set timestamp $envelope_time_ms;"                                        \
    "field bizContent = json | aes-256-gcm key=session.key iv=session.iv"     \
    " | base64;"                                                              \
    "field key = session | rsa-oaep key=uni hash=sha256 mgf1=sha256"          \
    " | base64;"                                                              \
    "sign sig = rs256 key=uni over=<sorted> | base64;"

#define B_MESSAGE                                                             \
    "{\"timestamp\":\"1700000000000\",\"bizContent\":\"" KAT_B_CONTENT "\","  \
    "\"code\":200,\"message\":\"all is well\",\"key\":\"" KAT_B_KEY "\","     \
    "\"sig\":\"" KAT_B_SIG "\"}"

#define B_OPENED                                                              \
    "{\"bizContent\":" SHORT ",\"code\":200,\"message\":\"all is well\"}"


/* the text with the first occurrence of one word made another */

static const char *
with(const char *text, const char *from, const char *to)
{
    const char  *p;

    p = strstr(text, from);
    if (p == NULL) {
        diag("no %s in %s", from, text);
        exit(1);
    }

    return engine_printf("%.*s%s%s", (int) (p - text), text, to,
                         p + strlen(from));
}


static void
test_b(void)
{
    ngx_envelope_format_t  *f;

    fresh();

    f = request(B_SEAL);

    roundtrip(f, "{\"bizContent\":" SHORT "}", "B");
    roundtrip(f, "{ \"bizContent\" : [] , \"more\":null}", "B: more members");

    fresh();
    seal(f, "{\"sig\":\"x\",\"bizContent\":" SHORT ",\"rsaType\":1,"
            "\"timestamp\":\"1\",\"key\":{}}");
    is_sealed(NULL, "B: the plain message brings what is written");
    is_int(out.body_set, 1, "the body is new");
    ok(has(KAT_B_CONTENT),
       "B: the ciphertext is another implementation's");
    ok(out.body.len > 300
       && memcmp(out.body.data, "{\"bizContent\":\"", 15) == 0,
       "B: it was taken out");

    engine_run(f, NGX_ENVELOPE_OPEN, out.body);
    is_opened("{\"bizContent\":" SHORT "}", "B: and it opens");

    f = response(B_OPEN);

    open_(f, B_MESSAGE);
    is_opened(B_OPENED, "B: opens what another implementation sealed");

    open_(f, with(B_MESSAGE, ":200", ":\"200\""));
    is_opened(with(B_OPENED, ":200", ":\"200\""), "B: code is a string");

    open_(f, with(B_MESSAGE, ":200", ":500"));
    is_passed(NULL, "B: another code");

    open_(f, with(B_MESSAGE, "all is well", "all  is well"));
    is_secret("the signature does not match", "B: another message");

    open_(f, with(B_MESSAGE, "\"code\"", "\"extra\":null,\"code\""));
    is_secret("the signature does not match", "B: one more member");

    open_(f, with(B_MESSAGE, "\"message\"", "\"messag\\u0065\""));
    is_opened(with(B_OPENED, "\"message\"", "\"messag\\u0065\""),
              "B: an escaped name");

    open_(f, with(B_MESSAGE, "\"message\"",
                  "\"message\":\"all is well\",\"message\""));
    is_shape("a member stands twice in what <sorted> joins",
              "B: two of a member that nobody addresses");

    open_(f, with(B_MESSAGE, "\"key\"", "\"k\\u0065y\":\"\",\"key\""));
    is_shape("a member stands twice in what <sorted> joins", "B: two keys");

    open_(f, with(B_MESSAGE, "\"key\"", "\"key\\u0000\""));
    is_shape("key is absent", "B: a name with NUL is another one");

    open_(f, with(B_MESSAGE, "\"sig\"", "\"Sig\""));
    is_shape("sig is absent", "B: case counts");

    open_(f, with(B_MESSAGE, "\"" KAT_B_SIG "\"", "\"\""));
    is_secret("the signature does not match", "B: an empty signature");

    open_(f, with(B_MESSAGE, "\"" KAT_B_SIG "\"", "null"));
    is_shape("sig is not a string", "B: the signature is null");

    open_(f, with(B_MESSAGE, KAT_B_SIG, KAT_B_SIG "="));
    ok(out.fault == NGX_ENVELOPE_FAULT_SECRET, "B: surplus padding");

    /* order: verify, unwrap, decrypt */

    f = format_for(NGX_ENVELOPE_REQUEST, "o",
                   "random session key:32 iv:16;"
                   "field bizContent = json | aes-256-gcm key=session.key"
                   " iv=session.iv | base64;"
                   "field key = session | rsa-oaep key=uni hash=sha256"
                   " mgf1=sha1 \"label=a label\" | base64;");
    open_(f, "{\"bizContent\":\"" KAT_B_CONTENT "\",\"key\":\""
             KAT_B_KEY_MGF1 "\"}");
    is_opened("{\"bizContent\":" SHORT "}", "B: MGF1-SHA-1, a label");

    open_(f, "{\"bizContent\":\"" KAT_B_CONTENT "\",\"key\":\""
             KAT_B_KEY "\"}");
    is_secret("rsa-oaep does not open with this key",
              "B: another mgf1 and label");
}


static void
test_c(void)
{
    const char             *s;
    ngx_envelope_format_t  *f;

    fresh();

    f = request("body dataContent; set version 1.0.0; set dataType JSON;"
                "set userNo 10001 number;"
                "field dataContent = json | base64 | rsa-private key=uni"
                " | hex");

    s = "{\"dataContent\":\"" KAT_C "\",\"version\":\"1.0.0\","
        "\"dataType\":\"JSON\",\"userNo\":10001}";

    seal(f, PLAIN_A);
    is_sealed(s, "C: seals as another implementation does");
    open_(f, s);
    is_opened(PLAIN_A, "C: opens");

    open_(f, with(s, "10001", "10001.0"));
    is_shape("userNo is not \"10001\"", "C: a number spelled otherwise");
    open_(f, with(s, "10001", "\"10001\""));
    is_shape("userNo is not \"10001\"", "C: a string for a number");
    open_(f, with(s, "\"1.0.0\"", "\"1.0.1\""));
    is_shape("version is not \"1.0.0\"", "C: another constant");
    open_(f, with(s, "\"1.0.0\"", "\"1\\u002e0.0\""));
    is_opened(PLAIN_A, "C: the same constant in other words");
    open_(f, with(s, "\"1.0.0\"", "1"));
    is_shape("version is not a string", "C: a number for a string");
    open_(f, with(s, ",\"version\":\"1.0.0\"", ""));
    is_shape("version is absent", "C: a constant is missing");
    open_(f, with(s, "\"version\"", "\"version\":\"1.0.0\",\"version\""));
    is_shape("\"version\" stands twice in version", "C: it stands twice");

    f = response("when success true; field result = json | base64"
                 " | rsa-private key=uni | hex");
    s = "{\"success\":true,\"result\":\"" KAT_C "\",\"userNo\":\"1\"}";

    open_(f, s);
    is_opened("{\"success\":true,\"result\":" PLAIN_A ",\"userNo\":\"1\"}",
              "C: a response");
    open_(f, "{\"success\":false,\"result\":\"\"}");
    is_passed("{\"success\":false,\"result\":\"\"}", "C: no success");
    open_(f, "{\"success\":true,\"result\":\"\"}");
    is_shape("result is empty", "C: an empty result");
    open_(f, "{\"success\":true,\"result\":null}");
    is_shape("result is null", "C: no result");
    open_(f, with(s, "\"result\":\"", "\"result\":\"00"));
    is_secret("rsa-private: 513 bytes of rsa-private are no whole number of "
              "blocks of 256", "C: a byte too many");
    open_(f, with(s, KAT_C, with(KAT_C, "1", "2")));
    is_secret("rsa-private does not open with this key",
              "C: another ciphertext");
}


static void
test_d_e(void)
{
    const char             *s;
    ngx_envelope_format_t  *f;

    fresh();

    f = request("sign sign = rs256 key=uni over=<bizContent> | base64;"
                "field bizContent = json | aes-128-ecb key=aes | base64");
    s = "{\"service\":\"createPayer\",\"bizContent\":\"" KAT_D_CONTENT "\","
        "\"sign\":\"" KAT_D_SIGN "\"}";

    seal(f, "{\"service\":\"createPayer\",\"bizContent\":" SHORT "}");
    is_sealed(s, "D: seals as another implementation does");
    open_(f, s);
    is_opened("{\"service\":\"createPayer\",\"bizContent\":" SHORT "}",
              "D: opens");

    open_(f, with(s, "\"" KAT_D_CONTENT, "\"AAAA" KAT_D_CONTENT));
    is_secret("aes-128-ecb: 67 bytes of ciphertext are no whole number of "
              "blocks", "D: another length");
    open_(f, with(s, KAT_D_SIGN, "AA=="));
    is_secret("the signature does not match", "D: another signature");
    open_(f, with(s, "\"" KAT_D_CONTENT "\"", "{\"a\":1}"));
    is_shape("bizContent is not a string", "D: it is not sealed");
    open_(f, with(s, "\"sign\"", "\"s\""));
    is_shape("sign is absent", "D: no signature");

    f = response("when statusCode 0;"
                 "sign sign = rs256 key=uni over=<bizContent> | base64;"
                 "field bizContent = json | aes-128-ecb key=aes | base64");
    open_(f, with(s, "{", "{\"statusCode\":0,"));
    is_opened("{\"statusCode\":0,\"service\":\"createPayer\",\"bizContent\":"
              SHORT "}", "D: a response");

    f = request("body param; set appId 123456; field param = json;"
                "sign sign = rs256 key=uni over=<param> | base64");
    s = "{\"param\":\"{\\\"orderNo\\\":\\\"A-1\\\",\\\"amount\\\":1.50,"
        "\\\"note\\\":\\\"caf\xc3\xa9 <&>\\\"}\",\"appId\":\"123456\","
        "\"sign\":\"" KAT_D_SIGN "\"}";

    seal(f, SHORT);
    is_sealed(s, "E: seals as another implementation does");
    open_(f, s);
    is_opened(SHORT, "E: opens");
    open_(f, with(s, "<&>", "\\u003c&>"));
    is_opened(SHORT, "E: the decoded string is what was signed");
    open_(f, with(s, "amount", "amounts"));
    is_secret("the signature does not match", "E: another text");
    open_(f, with(s, "\"param\":", "\"param\":\"{}\",\"param\":"));
    is_shape("\"param\" stands twice in param", "E: two of them");
    roundtrip(f, " {\"a\":1 }\t", "E: white space");

    f = format_for(NGX_ENVELOPE_WEBHOOK, "o", "body param;"
                   "field param = json;"
                   "sign sign = rs256 key=unipub over=<param> | base64");
    open_(f, with(s, ",\"appId\":\"123456\"", ""));
    is_opened(SHORT, "E: a notification");
}


static void
test_f(void)
{
    ngx_envelope_format_t  *f;

    f = request("set header:appId app-1;"
                "set header:timestamp $envelope_time_ms;"
                "sign header:sign = sha1 over=<header:appId><secret:app>"
                "<header:timestamp> | hex");

    fresh();
    header("X-Other", "1");
    header("APPID", "forged");
    header("sign", "forged");
    seal(f, "{\"a\": 1}");
    is_sealed("{\"a\": 1}", "F: the body stays");
    is_int(out.body_set, 0, "as it is");
    is_cstr(edited("appId"), "app-1", "F: a constant");
    is_cstr(edited("timestamp"), "1700000000000", "F: a variable");
    is_cstr(edited("sign"), KAT_F, "F: the digest");
    ok(edited("X-Other") == NULL, "F: other headers are not touched");

    apply();
    is_int(nheaders, 4, "F: forged ones are replaced");
    open_(f, "{\"a\": 1}");
    is_opened("{\"a\": 1}", "F: opens");
    is_cstr(edited("appid"), "(none)", "F: removed");
    is_cstr(edited("timestamp"), "(none)", "F: removed");
    is_cstr(edited("sign"), "(none)", "F: removed");

    headers[1].value = exact("app-2");
    open_(f, "{\"a\": 1}");
    is_shape("header:appId is not \"app-1\"", "F: another constant");
    headers[1].value = exact("");
    open_(f, "{\"a\": 1}");
    is_shape("header:appId is not \"app-1\"", "F: an empty one");
    headers[1].value = exact("app-1");
    headers[2].value = exact("1700000000001");
    open_(f, "{\"a\": 1}");
    is_secret("the signature does not match", "F: another time");
    headers[2].value = exact("1700000000000");
    headers[0] = headers[3];
    open_(f, "{\"a\": 1}");
    is_shape("header:sign stands twice", "F: two signatures");
    headers[0].name = exact("timestamp");
    open_(f, "{\"a\": 1}");
    is_shape("header:timestamp stands twice", "F: two times");
    headers[0].name = exact("x");
    nheaders--;
    open_(f, "{\"a\": 1}");
    is_shape("header:sign is absent", "F: no signature");

    fresh();
    roundtrip(f, "not JSON \xff", "F: any body");
    fresh();
    roundtrip(f, "", "F: no body");
}


static void
test_family(void)
{
    const char             *s;
    ngx_envelope_format_t  *f;

    /* Stripe */

    f = request("set header:Stripe-Signature:t $envelope_time;"
                "sign header:Stripe-Signature:v1 = hs256 key=app"
                " over=<header:Stripe-Signature:t>.<body> | hex");
    fresh();
    seal(f, "{\"id\": 1}");
    is_sealed("{\"id\": 1}", "Stripe");
    is_cstr(edited("Stripe-Signature"), "t=1492774577,v1=" KAT_STRIPE,
            "Stripe: the header");

    fresh();
    header("stripe-signature", "t=1492774577, v1=00,v1=" KAT_STRIPE
           " ,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039");
    open_(f, "{\"id\": 1}");
    is_opened("{\"id\": 1}", "Stripe: any match verifies");
    is_cstr(edited("Stripe-Signature"),
            "v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039",
            "Stripe: other versions are left");

    fresh();
    header("Stripe-Signature", "t=1492774577,v0=" KAT_STRIPE);
    open_(f, "{\"id\": 1}");
    is_shape("header:Stripe-Signature:v1 is absent",
             "Stripe: another version only");
    headers[0].value = exact("t=1492774577,v1=00,v1=" KAT_F);
    open_(f, "{\"id\": 1}");
    is_secret("the signature does not match", "Stripe: none matches");
    headers[0].value = exact("t=1492774577,t=1492774577,v1=" KAT_STRIPE);
    open_(f, "{\"id\": 1}");
    is_shape("header:Stripe-Signature:t stands twice", "Stripe: two times");
    headers[0].value = exact("t=1492774577,v1=" KAT_STRIPE);
    open_(f, "{\"id\":1}");
    is_secret("the signature does not match", "Stripe: another body");

    /* docs.github.com, "Testing the webhook payload validation" */

    f = request("sign header:X-Hub-Signature-256 = hs256 key=github"
                " over=<body> | hex | prefix sha256=");
    fresh();
    header("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a"
           "37570b6d7586c22c46f4379c8b043e17");
    open_(f, "Hello, World!");
    is_opened("Hello, World!", "GitHub");
    headers[0].value.data[5] = '1';
    open_(f, "Hello, World!");
    is_secret("prefix: it does not begin with \"sha256=\"",
              "GitHub: another prefix");
    nheaders = 0;
    roundtrip(f, "{}", "GitHub");

    /* Standard Webhooks */

    f = format_for(NGX_ENVELOPE_WEBHOOK, "o",
                   "sign header:webhook-signature = hs256 key=sw"
                   " over=<header:webhook-id>.<header:webhook-timestamp>"
                   ".<body> | base64 | prefix v1,");
    fresh();
    header("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek");
    header("webhook-timestamp", "1614265330");
    header("webhook-signature", "v1," KAT_SW);
    open_(f, "{\"test\": 2432232314}");
    is_opened("{\"test\": 2432232314}", "Standard Webhooks");

    /* api.slack.com, "Verifying requests from Slack" */

    f = format_for(NGX_ENVELOPE_WEBHOOK, "o",
                   "sign header:X-Slack-Signature = hs256 key=slack"
                   " over=v0:<header:X-Slack-Request-Timestamp>:<body>"
                   " | hex | prefix v0=");
    fresh();
    header("X-Slack-Request-Timestamp", "1531420618");
    header("X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21"
           "a10bd27519666489c69b503");
    s = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain="
        "testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id="
        "U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
        "response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J"
        "%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id="
        "398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    open_(f, s);
    is_opened(s, "Slack");

    f = request("sign header:X-Shopify-Hmac-SHA256 = hs256 key=app"
                " over=<body> | base64");
    fresh();
    seal(f, "{\"id\": 1}");
    is_cstr(edited("X-Shopify-Hmac-SHA256"), KAT_SHOPIFY, "Shopify");

    /* MD5 over the sorted members and a secret */

    f = request("sign sign = md5 over=<sorted>&key=<secret:app>"
                " except=sign_type skip=empty | hex");
    s = "{\"name\":\"caf\\u00e9\",\"flag\":true, \"amount\":1.50,\"body\":"
        "{\"a\": [1, 2]},\"n\":null,\"e\":\"\",\"sign_type\":\"MD5\"}";
    fresh();
    seal(f, s);
    is_sealed(engine_printf("%.*s,\"sign\":\"" KAT_MD5 "\"}",
                            (int) strlen(s) - 1, s), "MD5");
    roundtrip(f, s, "MD5");
    roundtrip(f, "{}", "MD5 of nothing but the secret");
    seal(f, "{\"a\":1,\"\\u0061\":2}");
    is_shape("a member stands twice in what <sorted> joins", "MD5: twice");
    seal(f, "[1]");
    is_shape("the message is not a JSON object", "MD5: an array");
    seal(f, "");
    is_shape("there is no body to seal", "MD5: no body");
    open_(f, "");
    is_shape("there is no body to open", "MD5: no body");
}


#define WX_SEALED                                                             \
    "{\"id\":\"EV-1\",\"resource\":{\"algorithm\":\"AEAD_AES_256_GCM\","      \
    "\"ciphertext\":\"" KAT_WX_CIPHERTEXT "\",\"nonce\":\"fdasflkja484\","    \
    "\"associated_data\":\"transaction\"}}"

#define WX_PLAIN                                                              \
    "{\"id\":\"EV-1\",\"resource\":{\"algorithm\":\"AEAD_AES_256_GCM\","      \
    "\"ciphertext\":" SHORT ",\"nonce\":\"fdasflkja484\","                    \
    "\"associated_data\":\"transaction\"}}"


static void
test_wechat(void)
{
    ngx_envelope_format_t  *f;

    f = request("field /resource/ciphertext = json | aes-256-gcm key=aes256"
                " iv=</resource/nonce> aad=</resource/associated_data>"
                " | base64;"
                "sign header:Wechatpay-Signature = rs256 key=wx"
                " kid=header:Wechatpay-Serial"
                " over=<header:Wechatpay-Timestamp>\\n<header:Wechatpay-Nonce>"
                "\\n<body>\\n | base64");
    fresh();
    header("Wechatpay-Timestamp", "1554208460");
    header("Wechatpay-Nonce", "nonce-1");
    seal(f, WX_PLAIN);
    is_sealed(WX_SEALED, "WeChat Pay: seals");
    is_cstr(edited("Wechatpay-Signature"), KAT_WX_SIGN, "WeChat Pay: signs");
    is_cstr(edited("Wechatpay-Serial"), "S-1", "WeChat Pay: the serial");
    is_str(out.kid, "S-1", "WeChat Pay: the key id");

    apply();
    open_(f, WX_SEALED);
    is_opened(WX_PLAIN, "WeChat Pay: opens");
    is_str(out.kid, "S-1", "WeChat Pay: the key id");
    is_cstr(edited("Wechatpay-Serial"), "(none)", "WeChat Pay: removed");

    open_(f, with(WX_SEALED, "EV-1", "EV-2"));
    is_secret("the signature does not match", "WeChat Pay: another id");

    f = request("field /resource/ciphertext = json | aes-256-gcm key=aes256"
                " iv=</resource/nonce> aad=</resource/associated_data>"
                " | base64");
    open_(f, with(WX_SEALED, "484", "485"));
    is_secret("aes-256-gcm: the tag does not match", "another nonce");
    open_(f, with(WX_SEALED, "484", ""));
    is_secret("aes-256-gcm: the tag does not match", "a nonce of 9 bytes");
    open_(f, with(WX_SEALED, "fdasflkja484", ""));
    is_secret("aes-256-gcm: the IV has 0 bytes instead of 1 to 128",
              "no nonce");
    open_(f, with(WX_SEALED, ",\"nonce\":\"fdasflkja484\"", ""));
    is_shape("/resource/nonce is absent", "the nonce is absent");
    open_(f, with(WX_SEALED, "associated_data", "associated_dat"));
    is_shape("/resource/associated_data is absent", "no associated data");
    open_(f, with(WX_SEALED, "\"nonce\"", "\"nonce\":1,\"nonce\""));
    is_shape("\"nonce\" stands twice in /resource/nonce", "two nonces");
    open_(f, with(WX_SEALED, "\"transaction\"", "\"\""));
    is_secret("aes-256-gcm: the tag does not match", "another aad");
    open_(f, "{\"resource\":[]}");
    is_shape("\"ciphertext\" of /resource/ciphertext is not in an object",
             "an array for an object");
    open_(f, "{\"resource\":\"\"}");
    is_shape("\"ciphertext\" of /resource/ciphertext is not in an object",
             "a string for an object");
    open_(f, "{\"resource\":null}");
    is_shape("/resource/ciphertext is absent", "null for an object");
    open_(f, "{\"resource\":{},\"resource\":{}}");
    is_shape("\"resource\" stands twice in /resource/ciphertext",
             "two objects");
    open_(f, "{\"ciphertext\":\"" KAT_WX_CIPHERTEXT "\"}");
    is_shape("/resource/ciphertext is absent", "the same name elsewhere");
}


static void
test_mastercard(void)
{
    ngx_envelope_format_t  *f;

    f = request("body /encryptedBody/encryptedValue;"
                "random s key:16 iv:16;"
                "set /encryptedBody/oaepPaddingDigestAlgorithm SHA256;"
                "field /encryptedBody/encryptedValue = json"
                " | aes-128-cbc key=s.key iv=s.iv | hex;"
                "field /encryptedBody/iv = s.iv | hex;"
                "field /encryptedBody/encryptedKey = s.key"
                " | rsa-oaep key=uni hash=sha256 | hex");
    fresh();
    open_(f, "{\"encryptedBody\":{\"encryptedValue\":\"" KAT_MC_DATA "\","
             "\"iv\":\"" KAT_MC_IV "\",\"encryptedKey\":\"" KAT_MC_KEY "\","
             "\"oaepPaddingDigestAlgorithm\":\"SHA256\"}}");
    is_opened(SHORT, "Mastercard: opens");

    seal(f, SHORT);
    ok(has("\"encryptedValue\":\"" KAT_MC_DATA
           "\",\"oaepPaddingDigestAlgorithm\":\"SHA256\",\"iv\":\""
           KAT_MC_IV "\",\"encryptedKey\":\""),
       "Mastercard: seals");
    roundtrip(f, SHORT, "Mastercard");
    roundtrip(f, "{}", "Mastercard: an empty body");

    open_(f, "{\"encryptedBody\":{\"encryptedValue\":\"" KAT_MC_DATA "\","
             "\"iv\":\"00\",\"encryptedKey\":\"" KAT_MC_KEY "\","
             "\"oaepPaddingDigestAlgorithm\":\"SHA256\"}}");
    is_secret("what was recovered has not the length of \"s.iv\"",
              "Mastercard: a short iv");
}


/* every algorithm over "a text", both ways where it is deterministic */

static void
test_algs(void)
{
    const char             *s;
    ngx_uint_t              i;
    ngx_envelope_format_t  *f;

    static struct {
        const char  *alg;
        const char  *key;
        const char  *sig;
        int          fixed;
    } algs[] = {
        { "rs1", " key=uni", KAT_RS1, 1 },
        { "rs256", " key=uni", KAT_RS256, 1 },
        { "rs384", " key=uni", KAT_RS384, 1 },
        { "rs512", " key=uni", KAT_RS512, 1 },
        { "ps256", " key=uni", KAT_PS256, 0 },
        { "ps384", " key=uni", KAT_PS384, 0 },
        { "ps512", " key=uni", KAT_PS512, 0 },
        { "hs1", " key=app", KAT_HS1, 1 },
        { "hs256", " key=app", KAT_HS256, 1 },
        { "hs384", " key=app", KAT_HS384, 1 },
        { "hs512", " key=app", KAT_HS512, 1 },
        { "md5", "", KAT_MD5_TEXT, 1 },
        { "sha1", "", KAT_SHA1, 1 },
        { "sha256", "", KAT_SHA256, 1 },
        { "sha512", "", KAT_SHA512, 1 },
        { NULL, NULL, NULL, 0 }
    };

    fresh();

    for (i = 0; algs[i].alg; i++) {
        f = request(engine_printf("sign s = %s%s over=<t> | base64",
                                  algs[i].alg, algs[i].key));
        s = engine_printf("{\"t\":\"a text\",\"s\":\"%s\"}", algs[i].sig);

        open_(f, s);
        is_opened("{\"t\":\"a text\"}", "%s: verifies", algs[i].alg);

        open_(f, with(s, "a t", "a T"));
        is_secret("the signature does not match", "%s: another text",
                  algs[i].alg);

        if (algs[i].fixed) {
            seal(f, "{\"t\":\"a text\"}");
            is_sealed(s, "%s: signs", algs[i].alg);

        } else {
            roundtrip(f, "{\"t\":\"a text\"}", algs[i].alg);
        }
    }

    f = request("sign s = es256 key=p256 over=<t> | base64url");
    s = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAs"
        "DQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    open_(f, engine_printf("{\"t\":\"%s\",\"s\":\"DtEhU3ljbEg8L38VWAfUAqOyKAM"
                           "6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP"
                           "3-Kg6NU1Q\"}", s));
    is_opened(engine_printf("{\"t\":\"%s\"}", s), "es256: RFC 7515 A.3");
    roundtrip(f, "{\"t\":\"a text\"}", "es256");

    f = request("sign s = es384 key=p384 over=<t> | base64");
    open_(f, "{\"t\":\"sample\",\"s\":\"" KAT_ES384 "\"}");
    is_opened("{\"t\":\"sample\"}", "es384: RFC 6979 A.2.6");
    roundtrip(f, "{\"t\":\"a text\"}", "es384");

    f = request("sign s = eddsa key=ed over=<a>.<b> | base64url");
    s = "{\"a\":\"eyJhbGciOiJFZERTQSJ9\",\"b\":"
        "\"RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc\"}";
    seal(f, s);
    is_sealed(with(s, "\"}", "\",\"s\":\"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg"
                   "3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg\"}"),
              "eddsa: RFC 8037 A.4");
    roundtrip(f, s, "eddsa");
}


static void
test_ciphers(void)
{
    char                    name[64];
    const char             *s;
    ngx_uint_t              i;
    ngx_envelope_format_t  *f;

    static struct {
        const char  *step;
        const char  *sealed;
    } steps[] = {
        { "aes-128-ecb key=k128", KAT_ECB_128 },
        { "aes-192-ecb key=k192", KAT_ECB_192 },
        { "aes-256-ecb key=k256", KAT_ECB_256 },
        { "aes-128-cbc key=k128 iv=hex:000102030405060708090a0b0c0d0e0f",
          KAT_CBC_128 },
        { "aes-192-cbc key=k192 iv=hex:000102030405060708090A0B0C0D0E0F",
          KAT_CBC_192 },
        { "aes-256-cbc key=k256 iv=k128", KAT_CBC_256 },
        { "aes-128-gcm key=k128 iv=hex:00 aad=$v<<x>\\\"<c>",
          KAT_GCM_128_1 },
        { "aes-128-gcm key=k128 iv=iv12 aad=$v<<x>\\\"<c>",
          KAT_GCM_128_12 },
        { "aes-128-gcm key=k128 iv=k128 aad=$v<<x>\\\"<c>",
          KAT_GCM_128_16 },
        { "aes-192-gcm key=k192 iv=hex:00 aad=V<<x>\\\"<c>",
          KAT_GCM_192_1 },
        { "aes-192-gcm iv=iv12 aad=V<<x>\\\"<c> key=k192",
          KAT_GCM_192_12 },
        { "aes-192-gcm key=k192 iv=k128 aad=V<<x>\\\"<c>",
          KAT_GCM_192_16 },
        { "aes-256-gcm key=k256 iv=hex:00 aad=V<<x>\\\"<c>",
          KAT_GCM_256_1 },
        { "aes-256-gcm key=k256 iv=iv12 aad=V<<x>\\\"<c>",
          KAT_GCM_256_12 },
        { "aes-256-gcm key=k256 iv=k128 aad=V<<x>\\\"<c>",
          KAT_GCM_256_16 },
        { NULL, NULL }
    };

    fresh();

    for (i = 0; steps[i].step; i++) {
        (void) snprintf(name, sizeof(name), "%.11s %d", steps[i].step,
                        (int) i);

        f = request(engine_printf("field a = string | %s | base64",
                                  steps[i].step));
        s = engine_printf("{\"a\":\"%s\",\"c\":\"c\"}", steps[i].sealed);

        seal(f, "{\"a\":\"a text\",\"c\":\"c\"}");
        is_sealed(s, "%s: seals", name);
        open_(f, s);
        is_opened("{\"a\":\"a text\",\"c\":\"c\"}", "%s: opens", name);

        open_(f, with(s, "{\"a\":\"", "{\"a\":\"AAAA"));
        ok(out.fault == NGX_ENVELOPE_FAULT_SECRET && out.body.len == 0,
           "%s: another ciphertext", name);
        roundtrip(f, "{\"a\":\"\",\"c\":\"c\"}", name);
    }

    /* the IV in front: 0, 1, 2 .. are the first random bytes */

    fresh();
    f = request("field a = string | aes-128-cbc key=k128 iv=prefix | base64");
    seal(f, "{\"a\":\"a text\"}");
    is_int(out.body.len, strlen("{\"a\":\"\"}") + 44,
           "cbc, iv=prefix: 16 + 16");
    ok(memcmp(out.body.data, "{\"a\":\"AAECAwQFBgcICQoLDA0OD", 26) == 0,
       "cbc, iv=prefix: 16 bytes in front");
    roundtrip(f, "{\"a\":\"a text\"}", "cbc, iv=prefix");
    open_(f, "{\"a\":\"AAAA\"}");
    is_secret("aes-128-cbc: it is shorter than the iv in front of it",
              "cbc, iv=prefix: too short");

    fresh();
    f = request("field a = string | aes-256-gcm key=k256 iv=prefix | base64");
    seal(f, "{\"a\":\"a text\"}");
    is_int(out.body.len, strlen("{\"a\":\"\"}") + 48,
           "gcm, iv=prefix: 12 + 6 + 16");
    roundtrip(f, "{\"a\":\"a text\"}", "gcm, iv=prefix");

    engine_no_random = 1;
    seal(f, "{\"a\":\"a text\"}");
    is_internal("aes-256-gcm: no random bytes", "no random bytes");
    engine_no_random = 0;

    f = request("field a = string | rsa-oaep key=uni | base64");
    open_(f, "{\"a\":\"" KAT_OAEP_1 "\"}");
    is_opened("{\"a\":\"hello\"}", "rsa-oaep: sha1 by default");
    f = request("field a = string | rsa-oaep key=uni hash=sha384 | base64");
    open_(f, "{\"a\":\"" KAT_OAEP_384 "\"}");
    is_opened("{\"a\":\"hello\"}", "rsa-oaep: sha384");
    f = request("field a = string | rsa-oaep key=uni hash=sha512"
                " mgf1=sha512 | base64");
    open_(f, "{\"a\":\"" KAT_OAEP_512 "\"}");
    is_opened("{\"a\":\"hello\"}", "rsa-oaep: sha512");
}


int
main(void)
{
    engine_start();

    engine_add_secret("github", "", "It's a Secret to Everybody", 26);
    engine_add_secret("slack", "", "8f742231b10e8888abcd99yyyzzz85a5", 32);
    engine_add_secret("sw", "", "\x31\xf2\x90\xf6\xbf\x06\x29\x8a\xab\xc1"
                      "\x38\xd4\x3c\x3f\x08\x2c\xf6\x48\xa3\x62\xda\x2d"
                      "\xa4\xb0", 24);
    engine_add_key("wx", "S-1",
                   engine_file("t/data/keys/unified-private.b64"));

    test_a();
    test_b();
    test_c();
    test_d_e();
    test_f();
    test_family();
    test_wechat();
    test_mastercard();
    test_algs();
    test_ciphers();

    engine_end();

    return done_testing();
}
