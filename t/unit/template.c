
/* Templates: their pieces, and what they come to. */


#include "engine.h"


static ngx_envelope_format_t  *f;


/* kinds of pieces: t text, v with variables, a address, b body, s secret, S */

static void
pieces(const char *text, const char *kinds, const char *first)
{
    char                     got[32];
    ngx_str_t                s = str(text);
    ngx_uint_t               i;
    ngx_envelope_piece_t    *piece;
    ngx_envelope_template_t  template;

    memset(&template, 0, sizeof(template));
    reason.len = 0;
    f = ngx_envelope_format_create(pool, profile, NGX_ENVELOPE_REQUEST);

    if (ngx_envelope_template_parse(&template, f, &s, &reason) != NGX_OK) {
        ok(kinds == NULL, "%s is refused", text);
        is_mem(reason.data, reason.len, first, strlen(first), "why");
        return;
    }

    piece = template.pieces.elts;

    for (i = 0; i < template.pieces.nelts; i++) {
        got[i] = "tvabsS"[piece[i].kind];
    }

    got[i] = '\0';

    is_cstr(got, kinds ? kinds : "refused", "%s", text);

    if (first) {
        is_str(piece[0].text, first, "%s: the first piece", text);
    }

    is_int(template.body, strchr(got, 'b') != NULL, "%s: <body>", text);
    is_int(template.sorted, strchr(got, 'S') != NULL, "%s: <sorted>", text);
    is_int(template.secret, strchr(got, 's') != NULL, "%s: secret", text);
    is_str(template.text, text, "%s: as it was written", text);
}


static void
test_pieces(void)
{
    pieces("", "", NULL);
    pieces("text", "t", "text");
    pieces("a>b", "t", "a>b");
    pieces("<<", "t", "<");
    pieces("a<<b<<<<c", "tttt", "a<");
    pieces("<<<a>", "ta", "<");
    pieces("<a>", "a", NULL);
    pieces("<a><b>", "aa", NULL);
    pieces("<a>.<header:B>.</c/0>", "atata", NULL);
    pieces("$a.$b<c>$d", "vav", "$a.$b");
    pieces("$a<<b", "vt", "$a<");
    pieces("<body>", "b", NULL);
    pieces("x<sorted>&key=<secret:app>", "tSts", "x");
    pieces("<secret:a b>", "s", "a b");
    pieces("<Body><sorte><secre:t>", "aaa", NULL);
    pieces("<a b>", "a", NULL);

    pieces("<", NULL, "\"<\" without \">\" in \"<\", a literal \"<\" is "
           "written \"<<\"");
    pieces("a<b", NULL, "\"<\" without \">\" in \"a<b\", a literal \"<\" is "
           "written \"<<\"");
    pieces("<<<", NULL, "\"<\" without \">\" in \"<<<\", a literal \"<\" is "
           "written \"<<\"");
    pieces("<>", NULL, "an address is empty");
    pieces("<header:a b>", NULL, "\"header:a b\" is not the name of a "
           "header");
    pieces("</a/*/b>", NULL, "</a/*/b> is more than one value");
}


/* what a template came to, by a digest that is known: the text's own bytes */

static void
signs_after(const char *before, const char *over, const char *body,
    const char *text, const char *name)
{
    u_char        md[32];
    char          expected[65];
    ngx_str_t     sealed;
    ngx_uint_t    i;
    unsigned int  len;

    EVP_Digest(text, strlen(text), md, &len, EVP_sha256(), NULL);

    for (i = 0; i < 32; i++) {
        (void) sprintf(expected + 2 * i, "%02x", md[i]);
    }

    f = request(engine_printf("%s sign header:S = sha256 %s | hex", before,
                              over));

    seal(f, body);

    if (!is_sealed(NULL, "%s", name)) {
        return;
    }

    is_cstr(edited("S"), expected, "%s", name);

    sealed = bytes(mpool, out.body.data, out.body.len);

    nheaders = 2;
    apply();
    engine_run(f, NGX_ENVELOPE_OPEN, sealed);
    is_opened(body, "%s: verifies", name);

    nheaders = 2;
}


static void
signs(const char *over, const char *body, const char *text, const char *name)
{
    signs_after("", over, body, text, name);
}


static void
test_texts(void)
{
    fresh();
    header("H", "of a header");
    header("Q", "a=1; b=\"two\" ,c");

    signs("over=text", "{}", "text", "text");
    signs("over=<<<<b>>", "{}", "<<b>>", "<<");
    signs("over=a<<", "{}", "a<", "<< at the end");
    signs("\"over= a|b | c\"", "{}", " a|b | c", "\"|\" and spaces");
    signs("over=$v.$envelope_time_ms$empty", "{}", "V.1700000000000",
          "variables");
    signs("over=$v<header:H>$v", "{}", "Vof a headerV", "a header");
    signs("over=<header:h><header:q:A><header:Q:b><header:Q:c>", "{}",
          "of a header1two", "params");
    signs("over=<a>|</b/c>|</b/d/0>|</e~1~0>",
          "{\"a\":\"\\u00e9\\n\",\"b\":{\"c\":1.0,\"d\":[ {} ]},"
          "\"e/~\":null}",
          "\xc3\xa9\n|1.0|{}|null", "addresses");
    signs("over=<b>", "{\"b\":{ \"c\" : [1 ] }}", "{ \"c\" : [1 ] }",
          "raw text");
    signs("over=<body>", "{ \"b\":1}\n", "{ \"b\":1}\n", "<body>");
    signs("over=a<body>b<body>", "", "ab", "no body");
    signs("over=<body>.<a>", " {\"a\":1} ", " {\"a\":1} .1",
          "<body> and a member");
    signs("over=<secret:app>", "{}", "s3cret", "a secret");
    signs("over=[<sorted>]", "{\"b\":1,\"a\":\"\\\"\",\"\":[ ],\"ab\":null,"
          "\"B\":\"\",\"\\u00e9\":true}",
          "[=[ ]&B=&a=\"&ab=null&b=1&\xc3\xa9=true]", "<sorted>");
    signs("over=<sorted> skip=empty", "{\"b\":1,\"\":\"x\",\"ab\":null,"
          "\"B\":\"\",\"c\":[],\"d\":{},\"e\":\" \"}",
          "=x&b=1&c=[]&d={}&e= ", "skip=empty");
}


/* strings that the format itself has written are read decoded, too */

static void
test_written(void)
{
    static const char  *set = "set q 'a\"b'; set \"n\\\"m\" $v;"
                              " set /o/p ''; set \xc3\xa9 '\xc3\xa9';";

    fresh();
    header("H", "1");
    header("I", "2");

    signs_after(set, "over=<q>|</o/p>|<\xc3\xa9>|</o>", "{}",
                "a\"b||\xc3\xa9|{\"p\":\"\"}", "members that were set");
    signs_after(set, "over=<sorted>", "{\"r\":\"\\\"\"}",
                "n\"m=V&o={\"p\":\"\"}&q=a\"b&r=\"&\xc3\xa9=\xc3\xa9",
                "members that were set, sorted");
    signs_after("field r = string | prefix x | base64 | prefix \"\\\"\";",
                "over=<r>.<sorted>", "{\"r\":\"\\n\"}", "\"eAo=.r=\"eAo=",
                "a member that was sealed, with a prefix");
    signs_after("field r = json | hex;", "over=<sorted>&<r>", "{\"r\":[1]}",
                "r=5b315d&5b315d", "a member that was sealed");
    signs_after("sign r = sha256 over=text | hex;", "over=<r>", "{}",
                "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32"
                "c9d1", "a signature");
}


static void
test_except(void)
{
    fresh();
    header("H", "1");
    header("I", "1");

    signs("over=<sorted> except=b,c", "{\"b\":1,\"a\":2,\"c\":{},\"bc\":3}",
          "a=2&bc=3", "except=");
    signs("over=<sorted> except=a", "{\"a\":1}", "", "nothing is left");
    signs("over=<sorted>", "{}", "", "nothing is there");
    signs("over=<sorted> except=a skip=empty", "{\"a\":1,\"b\":null}", "",
          "both");

    seal(f, "{\"a\":1,\"a\":2}");
    is_shape("a member stands twice in what <sorted> joins",
             "what is left out may not stand twice either");
    seal(f, "{\"b\":\"\\ud800\"}");
    ok(out.fault == NGX_ENVELOPE_FAULT_SHAPE, "a lone surrogate");

    f = request("sign s = sha256 over=</a/b><header:X> | hex");
    header("X", "1");
    seal(f, "{}");
    is_shape("/a/b is absent", "an absent member");
    seal(f, "{\"a\":{\"b\":1,\"b\":1}}");
    is_shape("\"b\" stands twice in /a/b", "it stands twice");
    open_(f, "{\"s\":\"00\",\"a\":{}}");
    is_shape("/a/b is absent", "an absent member");
    nheaders--;
    open_(f, "{\"s\":\"00\",\"a\":{\"b\":1}}");
    is_shape("header:X is absent", "an absent header");
    header("X", "1");
    header("X", "1");
    seal(f, "{\"a\":{\"b\":1}}");
    is_shape("header:X stands twice", "two headers");
    nheaders--;
    open_(f, "{\"s\":\"zz\",\"a\":{\"b\":1}}");
    ok(out.fault == NGX_ENVELOPE_FAULT_SECRET, "no hex");
    open_(f, "{\"s\":{},\"a\":{\"b\":1}}");
    is_shape("s is not a string", "an object");
    open_(f, "{\"s\":\"\\ud800\",\"a\":{\"b\":1}}");
    ok(out.outcome == NGX_ENVELOPE_REJECTED, "a lone surrogate");
    seal(f, "{\"s\":1,\"s\":2,\"a\":{\"b\":1}}");
    is_shape("\"s\" stands twice in s", "two in the plain message");
}


int
main(void)
{
    engine_start();

    test_pieces();
    test_texts();
    test_written();
    test_except();

    engine_end();

    return done_testing();
}
