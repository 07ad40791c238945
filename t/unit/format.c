
/* Formats as they are read: what is taken, and what is said of the rest. */


#include "engine.h"


typedef struct {
    const char  *text;
    const char  *reason;
} bad_t;


static ngx_envelope_format_t  *f;


static void
refused(bad_t *bad, const char *what)
{
    ngx_uint_t  i;

    for (i = 0; bad[i].text; i++) {
        is_int(engine_parse(&f, NGX_ENVELOPE_REQUEST, bad[i].text),
               NGX_DECLINED, "%s: %s", what, bad[i].text);
        is_mem(reason.data, reason.len, bad[i].reason, strlen(bad[i].reason),
               "why %s", bad[i].text);
    }
}


static bad_t  statements[] = {
    { "encrypt a", "unknown statement \"encrypt\", there are: body, set, "
      "random, field, sign, fresh, once, when" },
    { "Field a = json", "unknown statement \"Field\", there are: body, set, "
      "random, field, sign, fresh, once, when" },

    { "body", "write: body ADDRESS" },
    { "body a b", "unexpected \"b\"" },
    { "body a; body b", "a message has one \"body\"" },
    { "body header:A", "a body cannot be put at \"header:A\", write the name "
      "of a member" },
    { "body /a/*", "a body cannot be put at \"/a/*\", write the name of a "
      "member" },
    { "body \"\"", "an address is empty" },

    { "when a 1", "\"when\" is for responses and replies: whatever else "
      "comes in has to be of its format" },

    { "set", "write: set ADDRESS VALUE [string|number|json] [keep] "
      "[optional]" },
    { "set a", "write: set ADDRESS VALUE [string|number|json] [keep] "
      "[optional]" },
    { "set header:content-length 5", "\"header:content-length\" frames the "
      "message, nginx writes it itself" },
    { "sign header:Transfer-Encoding = md5 over=x | hex", "\"header:Transfer-"
      "Encoding\" frames the message, nginx writes it itself" },
    { "set a b c", "unexpected \"c\", there are: string, number, json, keep, "
      "optional" },
    { "set /a/*/b 1", "\"set\" cannot write to \"*\"" },
    { "set a 01 number", "\"01\" is not a JSON number" },
    { "set a \"\" number", "\"\" is not a JSON number" },
    { "set a 1,2 json", "\"1,2\" is not JSON: JSON is malformed near byte "
      "1" },
    { "set a \"\" json", "\"\" is not JSON: JSON is empty" },
    { "set header:A 1 number", "a header holds no JSON, leave out "
      "\"number\"" },
    { "set header:A 1 json", "a header holds no JSON, leave out \"json\"" },
    { "set a caf\xe9", "the value is not UTF-8" },
    { "set header: 1", "\"header:\" lacks a name, write header:NAME or "
      "header:NAME:PARAM" },

    { "random", "write: random NAME LENGTH, or: random NAME PART:LENGTH .." },
    { "random s", "write: random NAME LENGTH, or: random NAME PART:LENGTH "
      ".." },
    { "random s 0", "\"0\" is not a length from 1 to 1024 bytes" },
    { "random s 1025", "\"1025\" is not a length from 1 to 1024 bytes" },
    { "random s -1", "\"-1\" is not a length from 1 to 1024 bytes" },
    { "random s 16 iv:16", "unexpected \"iv:16\"" },
    { "random s k:16 16", "\"16\" is not PART:LENGTH (at most 8 parts, 1024 "
      "bytes in all)" },
    { "random s k:0", "\"k:0\" is not PART:LENGTH (at most 8 parts, 1024 "
      "bytes in all)" },
    { "random s :16", "\":16\" is not PART:LENGTH (at most 8 parts, 1024 "
      "bytes in all)" },
    { "random s k:", "\"k:\" is not PART:LENGTH (at most 8 parts, 1024 bytes "
      "in all)" },
    { "random s k:1000 l:25", "\"l:25\" is not PART:LENGTH (at most 8 parts, "
      "1024 bytes in all)" },
    { "random s a:1 b:1 c:1 d:1 e:1 f:1 g:1 h:1 i:1", "\"i:1\" is not "
      "PART:LENGTH (at most 8 parts, 1024 bytes in all)" },
    { "random s k:1 k:1", "part \"k\" is there already" },
    { "random s 1; random s 1", "random \"s\" is there already" },
    { "random a.b 1", "\"a.b\" cannot be the name of a random" },
    { "random json 1", "\"json\" cannot be the name of a random" },
    { "random string 1", "\"string\" cannot be the name of a random" },
    { "random prefix 1", "\"prefix\" cannot be the name of a random" },
    { "random a 1;random b 1;random c 1;random d 1;random e 1;random f 1;"
      "random g 1;random h 1;random i 1", "more than 8 randoms" },

    { NULL, NULL }
};


#define WRITE_FIELD  "write: field ADDRESS [optional] = json|string|NAME "    \
                     "[| step ..]"

static bad_t  fields[] = {
    { "field", WRITE_FIELD },
    { "field a", WRITE_FIELD },
    { "field a =", WRITE_FIELD },
    { "field a = |", WRITE_FIELD },
    { "field = json", WRITE_FIELD },
    { "field a json", WRITE_FIELD },
    { "field a optional json", WRITE_FIELD },
    { "field a maybe = json", WRITE_FIELD },
    { "field \"\" = json", WRITE_FIELD },
    { "field a = json base64", "unexpected \"base64\", steps are separated "
      "by \"|\"" },
    { "field a = json |", "a step is missing after \"|\"" },
    { "field a = json | | hex", "a step is missing after \"|\"" },
    { "field a = json||hex", "a step is missing after \"|\"" },
    { "field a = json | gzip", "unknown step \"gzip\", there are: base64, "
      "base64url, hex, prefix, rsa-pkcs1, rsa-oaep, rsa-private, aes-128-ecb "
      ".. aes-256-gcm" },
    { "field a = json | aes-", "unknown step \"aes-\", there are: base64, "
      "base64url, hex, prefix, rsa-pkcs1, rsa-oaep, rsa-private, aes-128-ecb "
      ".. aes-256-gcm" },
    { "field a = json | aes-512-gcm key=aes", "unknown cipher "
      "\"aes-512-gcm\"" },
    { "field a = json | prefix", "write: prefix TEXT" },
    { "field a = json | prefix \"\"", "write: prefix TEXT" },
    { "field a = json | hex extra", "unexpected \"extra\", steps are "
      "separated by \"|\"" },
    { "field a = json | aes-128-ecb key=aes", "the last step makes bytes "
      "that no text can hold, add \"| base64\" or \"| hex\"" },
    { "field a = json | aes-128-ecb key=aes | prefix x", "the last step "
      "makes bytes that no text can hold, add \"| base64\" or \"| hex\"" },
    { "random s 8; field a = s", "the last step makes bytes that no text can "
      "hold, add \"| base64\" or \"| hex\"" },
    { "field a = json|hex|hex|hex|hex|hex|hex|hex|hex|hex|hex|hex|hex|hex|hex"
      "|hex|hex|hex", "more than 16 steps" },
    { "field header:A = json", "a header holds no JSON, write \"string\"" },
    { "random s 8; field /a/* = s | hex", "a random cannot be put at "
      "\"*\"" },
    { "field a = s | hex", "unknown source \"s\", write json, string or the "
      "name of a \"random\"" },
    { "field a = app | hex", "unknown source \"app\", write json, string or "
      "the name of a \"random\"" },
    { "random s k:8; field a = s.l | hex", "unknown source \"s.l\", write "
      "json, string or the name of a \"random\"" },

    { "field a = json | aes-128-ecb | hex", "aes-128-ecb needs key=NAME" },
    { "field a = json | aes-128-ecb key= | hex", "aes-128-ecb needs "
      "key=NAME" },
    { "field a = json | aes-128-ecb key=aes key=aes | hex", "unexpected "
      "\"key=aes\", steps are separated by \"|\"" },
    { "field a = json | aes-128-ecb key=aes iv=prefix | hex", "aes-128-ecb "
      "takes no iv=" },
    { "field a = json | aes-128-cbc key=aes | hex", "aes-128-cbc needs "
      "iv=NAME, iv=prefix, iv=hex:.. or iv=<ADDRESS>" },
    { "field a = json | aes-128-cbc key=aes iv=prefix aad=x | hex",
      "aes-128-cbc takes no aad=" },
    { "field a = json | aes-128-gcm key=aes iv=hex:0g | hex",
      "iv=hex:0g: hex: byte 1 of 2 is not a digit" },
    { "field a = json | aes-128-gcm key=aes iv=hex: | hex",
      "aes-128-gcm: the iv has 0 bytes, 1 to 128 are needed" },
    { "field a = json | aes-128-cbc key=aes iv=hex:00 | hex",
      "aes-128-cbc: the iv has 1 bytes, 16 are needed" },
    { "field a = json | aes-128-cbc key=aes iv=iv12 | hex",
      "aes-128-cbc: the iv has 12 bytes, 16 are needed" },
    { "random s iv:12; field a = json | aes-128-cbc key=aes iv=s.iv | hex",
      "aes-128-cbc: the iv has 12 bytes, 16 are needed" },
    { "random s iv:129; field a = json | aes-128-gcm key=aes iv=s | hex",
      "aes-128-gcm: the iv has 129 bytes, 1 to 128 are needed" },
    { "field a = json | aes-256-ecb key=aes | hex",
      "aes-256-ecb: the key has 16 bytes, 32 are needed" },
    { "random s 16; field a = json | aes-192-ecb key=s | hex",
      "aes-192-ecb: the key has 16 bytes, 24 are needed" },
    { "field a = json | aes-128-ecb key=nope | hex", "aes-128-ecb: unknown "
      "secret \"nope\", write \"secret nope ..;\" in the profile" },
    { "field a = json | aes-128-ecb key=uni | hex", "aes-128-ecb: \"uni\" is "
      "a key where a secret is needed" },
    { "field a = json | aes-128-cbc key=aes iv=nope | hex", "aes-128-cbc: "
      "unknown secret \"nope\", write \"secret nope ..;\" in the profile" },
    { "random s 16; field a = json | aes-128-ecb key=s.x | hex",
      "aes-128-ecb: random \"s\" has no part \"x\"" },
    { "field a = json | aes-128-cbc key=aes iv=</b/*> | hex", "iv=</b/*> is "
      "more than one value" },
    { "field a = json | aes-128-cbc key=aes iv=</~> | hex", "\"/~\" is not a "
      "JSON pointer: \"~\" is written \"~0\"" },
    { "field a = json | aes-128-gcm key=aes iv=prefix aad=<b | hex",
      "\"<\" without \">\" in \"<b\", a literal \"<\" is written \"<<\"" },
    { "field a = json | aes-128-gcm key=aes iv=prefix aad=<body> | hex",
      "aad= cannot hold <body>, which this statement changes" },
    { "field a = json | aes-128-gcm key=aes iv=prefix aad=x<sorted> | hex",
      "aad= cannot hold <sorted>, which this statement changes" },
    { "field a = json | aes-128-gcm key=aes iv=prefix aad=<a> | hex",
      "a step cannot read \"a\", which this statement changes" },
    { "field /a/b = json | aes-128-gcm key=aes iv=prefix aad=<a> | hex",
      "a step cannot read \"a\", which this statement changes" },
    { "field a = json | aes-128-gcm key=aes iv=</a/iv> | hex",
      "a step cannot read \"/a/iv\", which this statement changes" },
    { "field header:A = string | aes-128-gcm key=aes iv=<header:a> | hex",
      "a step cannot read \"header:a\", which this statement changes" },
    { "field a = json | aes-128-gcm key=aes iv=prefix aad=<secret:nope> "
      "| hex", "aes-128-gcm: unknown secret \"nope\", write \"secret nope "
      "..;\" in the profile" },

    { "field a = json | rsa-pkcs1 | hex", "rsa-pkcs1 needs key=NAME" },
    { "field a = json | rsa-pkcs1 key=uni hash=sha256 | hex", "unexpected "
      "\"hash=sha256\", steps are separated by \"|\"" },
    { "field a = json | rsa-oaep key=uni hash=md5 | hex", "rsa-oaep: unknown "
      "digest \"md5\"" },
    { "field a = json | rsa-oaep key=uni mgf1=x | hex", "rsa-oaep: unknown "
      "digest \"x\"" },
    { "field a = json | rsa-oaep key=nope | hex", "rsa-oaep: unknown key "
      "\"nope\", write \"key nope ..;\" in the profile" },
    { "field a = json | rsa-oaep key=aes | hex", "rsa-oaep: \"aes\" is a "
      "secret where a key is needed" },
    { "random s 16; field a = json | rsa-oaep key=s | hex", "rsa-oaep: "
      "unknown key \"s\", write \"key s ..;\" in the profile" },
    { "field a = json | rsa-pkcs1 key=p256 | hex", "rsa-pkcs1: key \"p256\": "
      "rsa-pkcs1 needs a key of type RSA, this is EC on P-256" },
    { "field a = json | rsa-oaep key=rsa1 hash=sha512 | hex", "rsa-oaep: key "
      "\"rsa1\": RSA of 1024 bits is too short for rsa-oaep with this "
      "digest" },

    { NULL, NULL }
};


#define WRITE_SIGN  "write: sign ADDRESS = ALG [key=NAME] over=TEMPLATE "     \
                    "| step .."

static bad_t  signs[] = {
    { "sign", WRITE_SIGN },
    { "sign a =", WRITE_SIGN },
    { "sign a rs256 key=uni", WRITE_SIGN },
    { "sign /a/* = md5 over=x | hex", "a signature cannot be put at "
      "\"*\"" },
    { "sign a = rs128 key=uni over=x | hex", "unknown algorithm \"rs128\"" },
    { "sign a = hs256 key=ids kid=header:content-length over=x | hex",
      "\"header:content-length\" frames the message, nginx writes it "
      "itself" },
    { "sign a = md5 over=\\\"x y\\\" | hex", "unexpected \"y\"\", quotes go "
      "around the whole word: \"over=..\"" },
    { "sign a = RS256 key=uni over=x | hex", "unknown algorithm \"RS256\"" },
    { "sign a = rs256 over=x | hex", "key=NAME is missing" },
    { "sign a = hs256 key= over=x | hex", "key=NAME is missing" },
    { "sign a = md5 key=app over=x | hex", "a digest takes no key=, write "
      "<secret:NAME> into over=" },
    { "sign a = md5 | hex", "over=TEMPLATE is missing" },
    { "sign a = md5 over= | hex", "over=TEMPLATE is missing" },
    { "sign a = md5 over=x over=y | hex", "unexpected \"over=y\", steps are "
      "separated by \"|\"" },
    { "sign a = md5 over=x y | hex", "unexpected \"y\", steps are separated "
      "by \"|\"" },
    { "sign a = md5 over=x", "the last step makes bytes that no text can "
      "hold, add \"| base64\" or \"| hex\"" },
    { "sign a = md5 over=x|hex", "the last step makes bytes that no text can "
      "hold, add \"| base64\" or \"| hex\"" },
    { "sign a = md5 over=<x | hex", "\"<\" without \">\" in \"<x\", a "
      "literal \"<\" is written \"<<\"" },
    { "sign a = md5 over=<> | hex", "an address is empty" },
    { "sign a = md5 over=</x/*> | hex", "</x/*> is more than one value" },
    { "sign a = md5 over=<secret:> | hex", "unknown secret \"\", write "
      "\"secret  ..;\" in the profile" },
    { "sign a = md5 over=<secret:nope> | hex", "unknown secret \"nope\", "
      "write \"secret nope ..;\" in the profile" },
    { "sign a = md5 over=<secret:uni> | hex", "\"uni\" is a key where a "
      "secret is needed" },
    { "sign a = md5 over=x except=b | hex", "except= and skip= are for over= "
      "with <sorted> in it" },
    { "sign a = md5 over=x skip=empty | hex", "except= and skip= are for "
      "over= with <sorted> in it" },
    { "sign a = md5 over=<sorted> skip=null | hex", "\"skip=null\" should be "
      "\"skip=empty\"" },
    { "sign a = md5 over=<sorted> except=b,,c | hex", "a name is missing in "
      "\"except=b,,c\"" },
    { "sign a = md5 over=<sorted> except=b, c | hex", "unexpected \"c\", "
      "steps are separated by \"|\"" },
    { "sign a = md5 kid=k over=x | hex", "kid= goes with key=" },
    { "sign a = hs256 key=app kid=/k/* over=x | hex", "kid=/k/* is more than "
      "one value" },
    { "sign a = hs256 key=app kid= over=x | hex", "an address is empty" },
    { "random s 16; sign a = hs256 key=s kid=k over=x | hex", "kid= cannot "
      "name a random" },
    { "sign a = hs256 key=nope over=x | hex", "unknown secret \"nope\", "
      "write \"secret nope ..;\" in the profile" },
    { "sign a = hs256 key=uni over=x | hex", "\"uni\" is a key where a "
      "secret is needed" },
    { "sign a = rs256 key=app over=x | hex", "\"app\" is a secret where a "
      "key is needed" },
    { "sign a = es256 key=uni over=x | hex", "key \"uni\": es256 needs a key "
      "of type EC on P-256, this is RSA of 2048 bits" },
    { "sign a = es256 key=p384 over=x | hex", "key \"p384\": es256 needs a "
      "key of type EC on P-256, this is EC on P-384" },
    { "sign a = ps512 key=rsa1 over=x | hex", "key \"rsa1\": RSA of 1024 "
      "bits is too short for ps512" },
    { "sign a = md5 over=x | rsa-pkcs1 key=nope | hex", "rsa-pkcs1: unknown "
      "key \"nope\", write \"key nope ..;\" in the profile" },

    { NULL, NULL }
};


static bad_t  orders[] = {
    { "set a 1; set a 2", "\"a\" is written by line 1 already" },
    { "set a 1; set /a 2", "\"/a\" is written by line 1 already" },
    { "set header:a 1; set header:A 2", "\"header:A\" is written by line 1 "
      "already" },
    { "set a 1; sign a = md5 over=x | hex", "\"a\" is written by line 1 "
      "already" },
    { "set a 1; random s 8; field a = s | hex", "\"a\" is written by line 1 "
      "already" },
    { "sign a = hs256 key=app kid=a over=x | hex", "\"a\" is written by line "
      "1 already" },
    { "set k 1; sign a = hs256 key=app kid=k over=x | hex", "\"k\" is "
      "written by line 1 already" },
    { "sign a = hs256 key=app kid=k over=x | hex; sign b = hs256 key=app "
      "kid=k over=x | hex", "\"k\" is written by line 1 already" },
    { "set header:X:p 1; set header:x 2", "\"header:x\" writes over "
      "\"header:X:p\", which line 1 writes, move this up" },
    { "sign header:X = hs256 key=app kid=header:X:k over=x | hex",
      "\"header:X\" writes over \"header:X:k\", which line 1 writes, "
      "move this up" },
    { "body d; set d 1", "\"d\" is written by line 1 already" },
    { "body /d/e; set d 1", "\"d\" and \"/d/e\", which line 1 writes, are "
      "one inside of the other" },
    { "set d {} json; set /d/e 1", "\"/d/e\" and \"d\", which line 1 writes, "
      "are one inside of the other" },
    { "set /d/e 1; set d {} json", "\"d\" and \"/d/e\", which line 1 writes, "
      "are one inside of the other" },
    { "set d '{\"e\":1}' json; field /d/e = json | hex", "line 1 writes "
      "\"d\" anew" },
    { "field /d/e = json | hex; set d 1", NULL },
    { "field d = json | hex; set d 1", NULL },
    { "field d = json | hex; field /d/e = json | hex", "\"/d/e\" is inside "
      "of \"d\", which line 1 has sealed by then, move this up" },
    { "field d = json | hex; set /d/e 1", "\"/d/e\" is inside of \"d\", "
      "which line 1 has sealed by then, move this up" },
    { "field d = json; sign s = md5 over=</d/e> | hex", "\"/d/e\" is inside "
      "of \"d\", which line 1 has sealed by then, move this up" },
    { "field d = json|hex; field e = json | aes-128-cbc key=aes iv=</d/iv> "
      "| hex", "\"/d/iv\" is inside of \"d\", which line 1 has sealed by "
      "then, move this up" },
    { "field /d/* = json|hex; sign s = hs256 key=app kid=/d/0/k over=x | hex",
      "\"/d/0/k\" is inside of \"/d/*\", which line 1 has sealed by then, "
      "move this up" },
    { "sign s = md5 over=<t> | hex; set t 1", "<t> is written by \"set t\" "
      "only later, move that up" },
    { "sign s = md5 over=<header:t> | hex; set header:T 1", "<header:t> is "
      "written by \"set header:T\" only later, move that up" },
    { "sign s = md5 over=<header:t:p> | hex; set header:T 1", "<header:t:p> "
      "is written by \"set header:T\" only later, move that up" },
    { "sign s = md5 over=</t/u> | hex; set t {} json", "</t/u> is written by "
      "\"set t\" only later, move that up" },
    { "sign s = md5 over=<s> | hex", "<s> is written by \"sign s\" only "
      "later, move that up" },
    { "sign s = md5 over=<k> | hex; sign t = hs256 key=app kid=k over=x "
      "| hex", "<k> is written by \"sign t\" only later, move that up" },
    { "field d = json | aes-128-cbc key=aes iv=<iv> | hex; set iv 1",
      "<iv> is written by \"set iv\" only later, move that up" },

    { NULL, NULL }
};


static void
test_orders(void)
{
    ngx_uint_t  i;

    /* of two that are at odds the first one may be told, or the second */

    for (i = 0; orders[i].text; i++) {
        is_int(engine_parse(&f, NGX_ENVELOPE_REQUEST, orders[i].text),
               NGX_DECLINED, "order: %s", orders[i].text);

        if (orders[i].reason) {
            is_mem(reason.data, reason.len, orders[i].reason,
                   strlen(orders[i].reason), "why %s", orders[i].text);
        }
    }

    is_int(engine_parse(&f, NGX_ENVELOPE_REPLY, "when"), NGX_DECLINED,
           "when");
    is_reason(reason, "write: when ADDRESS [VALUE]", "why");
    is_int(engine_parse(&f, NGX_ENVELOPE_REPLY, "when /a/* 1"), NGX_DECLINED,
           "when: *");
    is_reason(reason, "\"when\" asks for one value, not for \"*\"", "why");
    is_int(engine_parse(&f, NGX_ENVELOPE_RESPONSE, "when a b c"),
           NGX_DECLINED, "when: a word too many");
    is_reason(reason, "unexpected \"c\"", "why");

    is_int(engine_parse(&f, NGX_ENVELOPE_RESPONSE,
                        "when /d/code 1; field d = json | hex"),
           NGX_DECLINED, "when: inside of a field");
    is_reason(reason, "it is asked before anything is opened, and "
              "\"/d/code\" is inside of \"d\" then", "why");
    ok(culprit != NULL, "the statement is told");

    if (culprit) {
        ngx_str_t   label, file;
        ngx_uint_t  line;

        ngx_envelope_statement_where(culprit, &label, &file, &line);
        is_str(label, "when /d/code", "its label");
        is_str(file, "vm.conf", "its file");
        is_int(line, 1, "its line");
    }

    is_int(engine_parse(&f, NGX_ENVELOPE_REQUEST,
                        "set header:X 1; set header:x:p 2; set header:X:q 3"),
           NGX_OK, "a header, and then params of it");

    /* the plain message and the envelope are two documents */

    is_int(engine_parse(&f, NGX_ENVELOPE_REQUEST,
                        "set a 1; sign s = md5 over=<b> | hex; body data;"
                        "set a 1; set b 1; sign s = md5 over=<a></data/x>"
                        " | hex"),
           NGX_OK, "the same name inside and outside");
    is_int(engine_parse(&f, NGX_ENVELOPE_REQUEST,
                        "field pan = string | hex; body data;"
                        "sign s = md5 over=</data/pan/x> | hex"),
           NGX_OK, "below what is sealed inside: not known here");
}


/* what a direction lacks */

static void
check(ngx_envelope_direction_e direction, const char *text, const char *why)
{
    ngx_int_t  rc;

    if (engine_parse(&f, NGX_ENVELOPE_REQUEST, text) != NGX_OK) {
        fail("%s", text);
        engine_diag_reason("  reason", &reason);
        return;
    }

    rc = ngx_envelope_format_check(f, direction, &culprit, &reason);

    if (why == NULL) {
        is_int(rc, NGX_OK, "%s: %s", direction ? "open" : "seal", text);
        return;
    }

    is_int(rc, NGX_DECLINED, "%s: %s", direction ? "open" : "seal", text);
    is_mem(reason.data, reason.len, why, strlen(why), "why %s", text);
}


#define S  NGX_ENVELOPE_SEAL
#define O  NGX_ENVELOPE_OPEN

#define LATER(name)                                                           \
    "opening goes from the last statement to the first and needs \"" name     \
    "\" here, put the \"field\" that carries it below this one"


static void
test_checks(void)
{
    const char  *s;

    s = "field a = json | rsa-pkcs1 key=unipub | hex";
    check(S, s, NULL);
    check(O, s, "rsa-pkcs1: key \"unipub\": rsa-pkcs1 needs a private key "
          "here, this is a public one");
    s = "field a = json | rsa-private key=unipub | hex";
    check(O, s, NULL);
    check(S, s, "rsa-private: key \"unipub\": rsa-private needs a private "
          "key here, this is a public one");
    s = "sign a = rs256 key=unipub over=x | hex";
    check(O, s, NULL);
    check(S, s, "key \"unipub\": rs256 needs a private key here, this is a "
          "public one");
    s = "sign a = md5 over=x | rsa-private key=unipub | hex";
    check(O, s, NULL);
    check(S, s, "rsa-private: key \"unipub\": rsa-private needs a private "
          "key here, this is a public one");

    /* a ring seals with its first and opens with any */

    s = "field a = json | rsa-oaep key=mixed | hex";
    check(S, s, NULL);
    check(O, s, "rsa-oaep: key \"mixed\": rsa-oaep needs a private key here, "
          "this is a public one");
    s = "sign a = rs256 key=mixed over=x | hex";
    check(S, s, NULL);
    check(O, s, NULL);

    /* the order of randoms */

    s = "field a = json | aes-128-ecb key=s | hex; random s 16;"
        "field k = s | hex";
    check(S, s, "aes-128-ecb: \"s\" is needed before its \"random\" "
          "statement, move that up");
    check(O, s, NULL);
    s = "field k = s | hex; random s 16";
    check(S, s, "\"s\" is needed before its \"random\" statement, move that "
          "up");
    s = "random s 16; field k = s | hex;"
        "field a = json | aes-128-ecb key=s | hex";
    check(S, s, NULL);
    check(O, s, "aes-128-ecb: " LATER("s"));
    s = "random s k:16 iv:16; field k = s.k | hex;"
        "field a = json | aes-128-cbc key=s.k iv=s.iv | hex;"
        "field iv = s.iv | hex";
    check(O, s, "aes-128-cbc: " LATER("s.k"));
    s = "random s k:16 iv:16; field iv = s.iv | hex;"
        "field a = json | aes-128-cbc key=s.k iv=s.iv | hex;"
        "field k = s.k | hex";
    check(O, s, "aes-128-cbc: " LATER("s.iv"));
    s = "random s k:16 iv:16;"
        "field a = json | aes-128-cbc key=s.k iv=s.iv | hex;"
        "field k = s.k | hex; field iv = s.iv | hex";
    check(O, s, NULL);
    s = "random s 16; field k = s | hex; sign m = hs256 key=s over=x | hex";
    check(O, s, LATER("s"));
    s = "random s 16; sign m = hs256 key=s over=x | hex; field k = s | hex";
    check(O, s, NULL);
    s = "random s 16; field a = json | aes-128-ecb key=s | hex";
    check(O, s, "aes-128-ecb: " LATER("s"));

    /* <body> is final */

    s = "sign header:A = md5 over=<body> | hex; set a 1";
    check(S, s, "<body> is signed before \"set a\" changes it, move this to "
          "the end");
    check(O, s, NULL);
    check(S, "sign a = md5 over=<body> | hex", "<body> is signed before "
          "\"sign a\" changes it, move this to the end");
    check(S, "sign header:A = md5 over=<body> | hex; body d", "<body> is "
          "signed before \"body d\" changes it, move this to the end");
    check(S, "sign header:A = md5 over=<body> | hex;"
          "sign header:B = hs256 key=ids kid=k over=x | hex", "<body> is "
          "signed before \"sign header:B\" changes it, move this to the "
          "end");
    check(S, "set a 1; sign header:A = hs256 key=ids kid=k over=<body> | hex;"
          "set header:B 1; random r 8; field header:C = r | hex;"
          "sign header:D = hs256 key=ids kid=header:E over=<body> | hex",
          NULL);
    is_int(engine_parse(&f, NGX_ENVELOPE_RESPONSE,
                        "sign header:A = md5 over=<body> | hex; when a 1"),
           NGX_OK, "<body> and when");
    is_int(ngx_envelope_format_check(f, S, &culprit, &reason), NGX_OK,
           "which changes nothing");

    /* ids */

    s = "sign a = hs256 key=app kid=k over=x | hex";
    check(S, s, "kid= needs an id, write \"secret app .. id=KID;\"");
    check(O, s, "kid= needs an id, write \"secret app .. id=KID;\"");
    s = "sign a = rs256 key=uni kid=k over=x | hex";
    check(S, s, "kid= needs an id, write \"key uni .. id=KID;\"");
    s = "sign a = hs256 key=late kid=k over=x | hex";
    check(S, s, "kid= needs an id, write \"secret late .. id=KID;\"");
    check(O, s, NULL);
    s = "sign a = rs256 key=mixed kid=k over=x | hex";
    check(O, s, NULL);
}


static void
test_authentic(void)
{
    ngx_uint_t  i;

    static struct {
        const char  *text;
        int          authentic;
    } formats[] = {
        { "set a 1", 0 },
        { "field a = json | rsa-pkcs1 key=uni | hex", 0 },
        { "field a = json | rsa-private key=uni | hex", 0 },
        { "field a = json | aes-128-cbc key=aes iv=prefix | hex", 0 },
        { "field a = json | aes-128-gcm key=aes iv=prefix | hex", 1 },
        { "field a optional = json | aes-128-gcm key=aes iv=prefix | hex",
          0 },
        { "field /a/* = json | aes-128-gcm key=aes iv=prefix | hex", 0 },
        { "random s 16; field a = json | aes-128-gcm key=s iv=prefix | hex;"
          "field k = s | rsa-oaep key=uni | hex", 0 },
        { "sign a = md5 over=x | hex", 0 },
        { "sign a = md5 over=x<secret:app> | hex", 1 },
        { "sign a = hs256 key=app over=x | hex", 1 },
        { "random s 16; sign a = hs256 key=s over=x | hex; field k = s | hex",
          0 },
        { "sign a = rs256 key=uni over=x | hex", 1 },
        { NULL, 0 }
    };

    for (i = 0; formats[i].text; i++) {
        f = request(formats[i].text);
        is_int(ngx_envelope_format_authentic(f), formats[i].authentic,
               "authentic: %s", formats[i].text);
    }
}


/* as in a shell, "|" and the first "=" need no space around them */

static void
test_glued(void)
{
    ngx_uint_t  i;

    static const char  *good[] = {
        "field a = json | base64 | hex",
        "field a=json|base64|hex",
        "field a= json |base64 |hex",
        "field a =json| base64| hex",
        "field a = json|base64|hex",
        "field \"a\"=json|base64 | hex",
        NULL
    };

    fresh();

    for (i = 0; good[i]; i++) {
        f = request(good[i]);
        seal(f, "{\"a\":1}");
        is_sealed("{\"a\":\"4d513d3d\"}", "%s", good[i]);
    }

    f = request("field a optional=string|prefix \"p|=\"|hex");
    seal(f, "{\"a\":\"b\"}");
    is_sealed("{\"a\":\"707c3d62\"}", "\"|\" in a prefix");

    f = request("sign s=md5 over=a|b=c|<t>|hex | hex|prefix x|y;");
    seal(f, "{\"t\":1}");
    is_sealed("{\"t\":1,\"s\":\"x|y94ea90fb6a2495c3cc7d95df773e0a13\"}",
              "\"|\" and \"=\" in over=");
}


static void
test_limits(void)
{
    char        name[64];
    ngx_int_t   rc;
    ngx_str_t   id = ngx_null_string, value, n;
    ngx_uint_t  i;

    f = ngx_envelope_format_create(pool, profile, NGX_ENVELOPE_REQUEST);

    for (i = 0; i < 64; i++) {
        (void) snprintf(name, sizeof(name), "set a%d 1", (int) i);
        if (engine_add(f, name) != NGX_OK) {
            break;
        }
    }

    is_int(i, 64, "64 statements");
    is_int(engine_add(f, "set b 1"), NGX_DECLINED, "one more");
    is_reason(reason, "more than 64 statements", "why");
    is_int(ngx_envelope_format_link(f, &culprit, &reason), NGX_OK, "link");

    /* combinations of keys: 5 * 13 */

    for (i = 0; i < 5; i++) {
        engine_add_secret("five", "", "0123456789abcdef", 16);
    }

    for (i = 0; i < 12; i++) {
        engine_add_secret("twelve", "", "0123456789abcdef", 16);
    }

    is_int(engine_parse(&f, NGX_ENVELOPE_REQUEST,
                        "sign a = hs256 key=five over=<secret:twelve> | hex"),
           NGX_OK, "60 combinations");
    engine_add_secret("twelve", "", "0123456789abcdef", 16);
    is_int(engine_parse(&f, NGX_ENVELOPE_REQUEST,
                        "sign a = hs256 key=five over=<secret:twelve> | hex"),
           NGX_DECLINED, "65 combinations");
    is_reason(reason, "the key rings make more than 64 combinations to try",
              "why");
    ok(culprit == NULL, "no statement is at fault");
    is_int(engine_parse(&f, NGX_ENVELOPE_REQUEST,
                        "sign a = hs256 key=five kid=k over=<secret:twelve>"
                        " | hex"),
           NGX_OK, "kid= names one: 13 combinations");

    /* rings */

    n = str("twelve");
    value = str("0123456789abcdef");
    (void) engine_add_secret("twelve", "x", "a", 1);
    is_int(engine_add_secret("twelve", "x", "b", 1), NGX_DECLINED,
           "an id twice");
    is_reason(reason, "secret \"twelve\" has id \"x\" already", "why");
    engine_add_secret("twelve", "", "a", 1);
    rc = engine_add_secret("twelve", "", "a", 1);
    is_int(rc, NGX_OK, "16 of a ring");
    is_int(ngx_envelope_profile_add_secret(profile, &n, &id, &value, &reason),
           NGX_DECLINED, "17");
    is_reason(reason, "\"twelve\" has 16 keys already", "why");
    is_int(engine_add_secret("empty", "", "", 0), NGX_DECLINED, "empty");
    is_reason(reason, "secret \"empty\" is empty", "why");
    value.len = 4097;
    value.data = ngx_pcalloc(pool, 4097);
    is_int(ngx_envelope_profile_add_secret(profile, &n, &id, &value, &reason),
           NGX_DECLINED, "long");
    is_reason(reason, "secret \"twelve\" is longer than 4096 bytes", "why");
    is_int(engine_add_secret("uni", "", "a", 1), NGX_DECLINED, "a key");
    is_reason(reason, "\"uni\" is the name of a key already", "why");
    is_int(engine_add_key("app", "", str(KEY_P256)), NGX_DECLINED,
           "a secret");
    is_reason(reason, "\"app\" is the name of a secret already", "why");
    is_int(engine_add_key("mixed", "k2", str(KEY_P256)), NGX_DECLINED,
           "a key's id twice");
    is_reason(reason, "key \"mixed\" has id \"k2\" already", "why");

    /* more rings than a format can have */

    f = ngx_envelope_format_create(pool, profile, NGX_ENVELOPE_REQUEST);

    for (i = 0; i < 65; i++) {
        (void) snprintf(name, sizeof(name), "one%d", (int) i);
        engine_add_secret(name, "", "a", 1);
        (void) snprintf(name, sizeof(name), "<secret:one%d>", (int) i);

        if (i < 64) {
            rc = engine_add(f, engine_printf("sign a%d = md5 over=%s | hex",
                                             (int) i, name));
        }
    }

    is_int(ngx_envelope_format_link(f, &culprit, &reason), NGX_OK,
           "64 secrets");

    f = ngx_envelope_format_create(pool, profile, NGX_ENVELOPE_REQUEST);
    (void) engine_add(f, "sign b = md5 over=<secret:one64> | hex");

    for (i = 0; i < 63; i++) {
        (void) engine_add(f, engine_printf("sign a%d = md5 over=<secret:one%d>"
                                           "<secret:one%d> | hex", (int) i,
                                           (int) i, (int) i + 1));
    }

    is_int(ngx_envelope_format_link(f, &culprit, &reason), NGX_DECLINED,
           "65 secrets");
    is_reason(reason, "more than 64 names of keys and secrets", "why");
}


static void
test_flags(void)
{
    f = request("sign header:A = md5 over=<body> | hex");
    ok(!f->members && !f->body && f->headers, "headers and <body> only");
    is_int(f->depth, 0, "no depth");

    f = request("sign header:A = md5 over=<sorted> | hex");
    ok(f->members && f->depth == 1, "<sorted>");

    f = request("set /a/b/c 1");
    ok(f->members && !f->headers && f->depth == 3, "a depth of 3");

    f = request("set /a/b/c 1; body /d/e; set /f/g/h/i 1");
    ok(f->members && f->body && f->depth == 5, "a body: 3 + 2");

    f = request("set a 1; body b; set /f/g/h/i 1");
    is_int(f->depth, 4, "a body: the deeper one");

    f = request("set a $v.$v; sign header:A = md5 over=x<b>$v<<$v<c> | hex;"
                "set d \"\"; field e = json | aes-128-gcm key=aes iv=prefix"
                " aad=$v | hex");
    is_int(f->values.nelts, 4, "texts with variables");
    is_str(((ngx_str_t *) f->values.elts)[0], "$v.$v", "of a set");
    is_str(((ngx_str_t *) f->values.elts)[2], "$v", "behind a <<");
}


static void
test_profile_oom(void)
{
    ngx_int_t                rc;
    ngx_str_t                name, id, value;
    ngx_uint_t               i, n;
    ngx_envelope_key_t       key;
    ngx_envelope_profile_t  *p;

    name = str("n");
    id = str("");
    value = str("v");
    memset(&key, 0, sizeof(key));

    for (n = 0; /* void */ ; n++) {
        shim_reset();
        shim_fail_at = n;

        p = ngx_envelope_profile_create(pool, &name);
        rc = p ? NGX_OK : NGX_ERROR;

        for (i = 0; i < 3 && rc == NGX_OK; i++) {
            rc = ngx_envelope_profile_add_secret(p, &name, &id, &value,
                                                 &reason);
        }

        for (i = 0; i < 6 && rc == NGX_OK; i++) {
            rc = ngx_envelope_profile_add_key(p, &value, &key, &reason);
            value.len += (i & 1);
            value.data = (u_char *) "keys";
        }

        shim_fail_at = -1;

        if (rc != NGX_ERROR) {
            break;
        }

        value = str("v");
    }

    is_int(rc, NGX_OK, "a profile: all allocations failed once");
    ok(n > 10, "there were some");
}


static void
test_oom(void)
{
    ngx_int_t   rc;
    ngx_uint_t  n, i, allocs;

    static const char  *texts[] = {
        "random s k:16 iv:16; set a $v; set b {} json; set header:c d;"
        "field d optional = json | aes-128-gcm key=s.k iv=s.iv aad=a<e>$v"
        " | base64; field e = string | aes-128-cbc key=aes"
        " iv=hex:000102030405060708090a0b0c0d0e0f | hex | prefix x;"
        "field f = json | aes-128-gcm key=aes iv=<e> | hex;"
        "field k = s | rsa-oaep key=uni hash=sha256 mgf1=sha1 label=x"
        " | base64;"
        "sign g = hs256 key=ids kid=/h/i over=<sorted>&<secret:app><body>"
        " except=a,b skip=empty | base64;"
        "sign i = rs256 key=uni over=$v | base64; body m",
        "random s a:1 b:1 c:1; random t 1; random u 1; field s=string|base64|"
        "base64|hex|hex|hex|hex; sign header:S=md5 over=$v<a>$v<b>$v<c><d><e>"
        "<secret:app><secret:one1><secret:one2><secret:one3><secret:one4>"
        "<body><header:f><header:g> |hex;"
        "sign header:T=md5 over=<a>b<<c<d> |hex;"
        "set q \"$v\" string optional keep;field u=json|aes-128-gcm key=aes"
        " iv=<iv> aad=<a><b><c><d><e> |hex; field w = string | hex",
        "when a 1; when header:b $v; field c = json | rsa-pkcs1 key=uni"
        " | hex",
        NULL
    };

    for (n = 0; texts[n]; n++) {

        shim_reset();
        allocs = 0;

        for (i = 0; /* void */ ; i++) {
            shim_reset();
            shim_fail_at = i;

            f = ngx_envelope_format_create(pool, profile,
                                           NGX_ENVELOPE_RESPONSE);
            rc = (f == NULL) ? NGX_ERROR : engine_add(f, texts[n]);

            if (rc == NGX_OK) {
                rc = ngx_envelope_format_link(f, &culprit, &reason);
            }

            allocs = shim_allocs;
            shim_fail_at = -1;

            if (rc != NGX_ERROR) {
                break;
            }
        }

        if (!is_int(rc, NGX_OK, "out of memory: %d allocations",
                    (int) allocs))
        {
            engine_diag_reason("  reason", &reason);
        }

        if (!ok(i == allocs, "there was none more")) {
            engine_diag_reason("  reason", &reason);
        }
    }
}


int
main(void)
{
    engine_start();

    engine_add_secret("ids", "i1", "first", 5);
    engine_add_secret("late", "", "first", 5);
    engine_add_secret("late", "i2", "second", 6);
    engine_add_key("mixed", "",
                   engine_file("t/data/keys/unified-private.b64"));
    engine_add_key("mixed", "k2",
                   engine_file("t/data/keys/unified-public.b64"));

    refused(statements, "statement");
    refused(fields, "field");
    refused(signs, "sign");
    test_orders();
    test_checks();
    test_authentic();
    test_glued();
    test_flags();
    test_limits();
    test_oom();
    test_profile_oom();

    engine_end();

    return done_testing();
}
