
/* The scan: what is JSON, where its values are, what its names are. */


#include "jsontext.h"


static ngx_str_t
str(const char *s)
{
    ngx_str_t  v;

    v.data = (u_char *) s;
    v.len = strlen(s);

    return v;
}


/* the same lines from the nodes; 0 if something else is amiss in them */

static int
dump(ngx_envelope_node_t *node, u_char *start, ngx_uint_t level,
    ngx_uint_t depth, char **out)
{
    ngx_uint_t            type;
    ngx_envelope_node_t  *child, *last;

    memset(*out, ' ', 48);
    (void) snprintf(*out, 48, "%c %lu %lu %lu %lu", *node->from,
                    (u_long) level,
                    (u_long) (node->name_from ? node->name_from - start : 0),
                    (u_long) (node->from - start),
                    (u_long) (node->to - start));
    *out += 48;

    switch (*node->from) {
    case '{': type = NGX_ENVELOPE_JSON_OBJECT; break;
    case '[': type = NGX_ENVELOPE_JSON_ARRAY; break;
    case '"': type = NGX_ENVELOPE_JSON_STRING; break;
    case 'n': type = NGX_ENVELOPE_JSON_NULL; break;
    case 't':
    case 'f': type = NGX_ENVELOPE_JSON_BOOLEAN; break;
    default: type = NGX_ENVELOPE_JSON_NUMBER;
    }

    if (node->type != type || node->removed || node->changed
        || node->text.data != node->from
        || node->text.len != (size_t) (node->to - node->from)
        || node->scanned != (type >= NGX_ENVELOPE_JSON_ARRAY
                             && level < depth))
    {
        return 0;
    }

    last = NULL;

    for (child = node->child; child; child = child->next) {
        if (child->parent != node
            || !dump(child, start, level + 1, depth, out))
        {
            return 0;
        }

        last = child;
    }

    return node->last == last;
}


static void
test_random(void)
{
    char        *expected, *got, *p;
    u_char      *text;
    size_t       len, n;
    ngx_int_t    rc;
    ngx_uint_t   i, depth, wrong, taken, refused;

    text = malloc(1 << 20);
    expected = malloc(1 << 22);
    got = malloc(1 << 22);
    wrong = 0;
    taken = 0;
    refused = 0;

    for (i = 0; i < 30000; i++) {
        len = make_white(text);
        len += make_value(text + len, 0);
        len += make_white(text + len);
        depth = rnd(8);

        /* two texts of three are spoilt */

        for (n = rnd(3); n && len; n--) {
            len = spoil(text, len);
        }

        rc = scan(text, len, depth);

        if (rc == NGX_OK) {
            taken++;
            p = got;

            if (!check_text(text, len, depth, expected)
                || !dump(root, root->from - (strspn((char *) text,
                                                    " \t\r\n")),
                         0, depth, &p))
            {
                wrong++;
                continue;
            }

            if (memcmp(got, expected, p - got) != 0
                || expected[p - got] != '\0')
            {
                wrong++;
            }

        } else if (reason.len && memmem(reason.data, reason.len, "UTF-8", 5)) {
            refused++;

        } else {
            refused++;
            wrong += (rc != NGX_DECLINED || reason.len == 0
                      || check_text(text, len, depth, NULL));
        }
    }

    is_int(wrong, 0, "30000 random texts: one opinion");
    ok(taken > 5000, "%d were JSON", (int) taken);
    ok(refused > 5000, "%d were not", (int) refused);

    free(text);
    free(expected);
    free(got);
}


static void
test_grammar(void)
{
    size_t       n;
    ngx_uint_t   i;

    static const char  *good[] = {
        "0", "-1", "\"\"", "null", "true", "false", "[]", "{}", " 1 ",
        "\t\r\n[ ]\n", "1.5e300", "\"\\ud800\"", "\"\\ud800\\\\u12\"",
        "\"\\ud800\\\\uZZZZ\"", "{\"\\ud800\\\\u\":1}", "[\"\\ud800\\\\u\"]",
        "{\"a\":1,\"a\":2}", "1E400", "\"\x7f\"", "\"\\\\\"", "[\"\\\\\"]",
        "{\"\":\"\"}"
    };

    static const char  *bad[] = {
        "", " ", "\"", "{", "[", "}", "]", ",", ":", "-", "01", "1.", ".5",
        "+1", "1e", "1e+", "0x1", "NaN", "Infinity", "nul", "nulll", "tru",
        "True", "{}\"abc", "{} \"", "1\"", "\"a\"\"b", "\"a\" \"b\"", "1 2",
        "[]\"\\", "[]{", "[] tru", "[]/", "[]-", "[]1", "null\"x", "{},",
        "\xef\xbb\xbf{}", "\xff", "\"\xff\"", "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}",
        "{\"a\":1,}", "{,}", "{a:1}", "{'a':1}", "{1:1}", "{\"a\" 1}",
        "{\"a\"::1}", "[1:2]", "[\"a\"\"b\"]", "{\"a\":\"b\"\"c\":1}",
        "{\"a\":\"b\":\"c\"}", "{\"a\",\"b\"}", "\f1", "1\f", "1\v",
        "[\f1]", "[1\f]", "[\"a\"\f]", "{\f}", "{\"a\"\v:1}",
        "{\"a\":\v\"b\"}", "\f\"a\"", "\"a\"\f", "[]\f", "[1,\f2]", "/**/1",
        "1//", "\"\x01\"", "\"\t\"", "\"\n\"", "\"\\x\"", "\"\\u12\"",
        "\"\\u12g4\"", "\"\\U0041\"", "\"\\", "\"\\u", "\"\\u00", "\"\\\"",
        "\xc2\xa0[]", "1\xe2\x80\xa8"
    };

    for (i = 0; i < sizeof(good) / sizeof(char *); i++) {
        for (n = 0; n < 3; n++) {
            is_int(scan(good[i], strlen(good[i]), n), NGX_OK,
                   "%s", good[i]);
        }
    }

    for (i = 0; i < sizeof(bad) / sizeof(char *); i++) {
        for (n = 0; n < 3; n++) {
            is_int(scan(bad[i], strlen(bad[i]), n), NGX_DECLINED,
                   "not %s", bad[i]);
        }

        ok(reason.len > 0 && root == NULL, "with a reason, without a root");
    }

    is_int(scan("{}\0", 3, 1), NGX_DECLINED, "a NUL behind");
    is_int(scan("\0{}", 3, 1), NGX_DECLINED, "a NUL before");
    is_int(scan("[\0]", 3, 1), NGX_DECLINED, "a NUL within");
    is_int(scan("\"\0\"", 3, 1), NGX_DECLINED, "a NUL in a string");
    is_int(scan(NULL, 0, 1), NGX_DECLINED, "nothing");

    is_int(scan("[1,\"secret\" x]", 14, 1), NGX_DECLINED, "the reason");
    ok(memmem(reason.data, reason.len, "secret", 6) == NULL, "has no bytes");
    ok(memmem(reason.data, reason.len, "near byte 1", 11) != NULL,
       "but a place");
}


static void
test_depth(void)
{
    u_char      *text;
    ngx_uint_t   i, n;

    text = malloc(1000000);

    for (n = 127; n < 131; n++) {
        for (i = 0; i < n; i++) {
            text[i] = '[';
            text[n + i] = ']';
        }

        is_int(scan(text, 2 * n, 2), n <= 128 ? NGX_OK : NGX_DECLINED,
               "%d levels of arrays", (int) n);
        is_int(scan(text, 2 * n, 500), n <= 128 ? NGX_OK : NGX_DECLINED,
               "with nodes");

        for (i = 0; i < n; i++) {
            memcpy(text + 5 * i, "{\"a\":", 5);
            text[5 * n + 1 + i] = '}';
        }

        text[5 * n] = '1';

        is_int(scan(text, 6 * n + 1, 2), n <= 128 ? NGX_OK : NGX_DECLINED,
               "%d levels of objects", (int) n);
        is_int(scan(text, 6 * n + 1, 500), n <= 128 ? NGX_OK : NGX_DECLINED,
               "with nodes");
    }

    memset(text, '[', 1000000);
    is_int(scan(text, 1000000, 500), NGX_DECLINED, "a million levels");
    ok(memmem(reason.data, reason.len, "deeper than 128", 15) != NULL,
       "it says so");

    free(text);
}


/* tokens of all kinds, of lengths around powers of two */

static void
test_lengths(void)
{
    u_char      *text;
    size_t       len, k, size;
    ngx_int_t    rc;
    ngx_uint_t   i, kind, wrong;

    static const size_t  sizes[] = {
        1, 100, 2040, 4090, 8186, 16378, 32762, 65530, 1048570
    };

    text = malloc(1100000);
    wrong = 0;

    for (i = 0; i < sizeof(sizes) / sizeof(size_t); i++) {
        size = sizes[i];

        for (k = 0; k < 14; k++) {
            for (kind = 0; kind < 7; kind++) {
                len = size + k;
                memset(text, (kind == 0 || kind == 6) ? '1' : 'a', len + 2);

                switch (kind) {
                case 0:                     /* a number */
                    break;
                case 1:                     /* a string */
                    text[0] = '"';
                    text[len++] = '"';
                    break;
                case 2:                     /* one that does not end */
                    text[0] = '"';
                    break;
                case 3:                     /* behind a value */
                    text[0] = '1';
                    text[1] = '"';
                    break;
                case 4:                     /* escapes */
                    memset(text, '\\', len);
                    text[0] = '"';
                    text[len] = '"';
                    len++;
                    break;
                case 5:                     /* in an open array */
                    text[0] = '[';
                    text[1] = '"';
                    break;
                default:                    /* in deep arrays */
                    memset(text, '[', ngx_min(len / 2, 128));
                }

                rc = scan(text, len, 1);

                wrong += (rc != (check_text(text, len, 0, NULL)
                                 ? NGX_OK : NGX_DECLINED));
            }
        }
    }

    is_int(wrong, 0, "tokens of all lengths");
    free(text);
}


static void
name_is(const char *text, const char *name, const char *what)
{
    if (is_int(scan(text, strlen(text), 1), NGX_OK, "%s", what)) {
        is_str(root->child->name, name, "%s", what);
    }
}


static void
test_members(void)
{
    ngx_str_t             name, a = ngx_string("data"), none = ngx_null_string;
    ngx_envelope_node_t  *m;

    static const char  text[] =
        " { \"x\" : {\"data\":0}, \"d\\u0061ta\" : [1, 2 ],\"\":true,"
        "\"data\\u0000\":1}";
    static const char  twice[] =
        "{\"d\\u0061ta\":1,\"b\":2,\"data\":3,\"\\u0064ata\":4}";

    (void) scan(text, sizeof(text) - 1, 1);
    is_int(ngx_envelope_json_member(root, &a, &m), 1, "one \"data\"");
    is_str(m->text, "[1, 2 ]", "this one");
    is_str(m->name, "data", "its name");
    is_mem(m->name_from, 11, "\"d\\u0061ta\"", 11, "as written");
    ok(m->child == NULL && !m->scanned, "no nodes below");
    is_int(ngx_envelope_json_member(root, &none, &m), 1, "the empty name");

    name.data = (u_char *) "data\0";
    name.len = 5;
    is_int(ngx_envelope_json_member(root, &name, &m), 1, "a NUL is a byte");
    is_str(m->text, "1", "this one");

    name = str("Data");
    is_int(ngx_envelope_json_member(root, &name, &m), 0, "case matters");
    ok(m == NULL, "no member");
    is_int(ngx_envelope_json_member(root->child, &a, &m), 0, "no nodes");

    (void) scan(text, sizeof(text) - 1, 2);
    is_int(ngx_envelope_json_member(root->child, &a, &m), 1, "nodes deeper");

    (void) scan(twice, sizeof(twice) - 1, 1);
    is_int(ngx_envelope_json_member(root, &a, &m), 2, "more than one");
    is_str(m->text, "1", "the first");
    m->removed = 1;
    is_int(ngx_envelope_json_member(root, &a, &m), 2, "two left");
    m->removed = 1;
    is_int(ngx_envelope_json_member(root, &a, &m), 1, "one left");
    is_str(m->text, "4", "the last");

    (void) scan("[\"data\"]", 8, 1);
    is_int(ngx_envelope_json_member(root, &a, &m), 0, "not in an array");
    ok(root->child->name_from == NULL, "an element has no name");

    name_is("{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\":1}", "\"\\/\b\f\n\r\t",
           "short escapes");
    name_is("{\"\\u00e9\\uD83d\\ude00\":1}",
            "\xc3\xa9\xf0\x9f\x98\x80", "long escapes");
    name_is("{\"a\\ud800b\":1}", "a\xed\xa0\x80" "b", "lone, high");
    name_is("{\"\\udc00\":1}", "\xed\xb0\x80", "lone, low");
    name_is("{\"\\ud800\\ud800\\udc00\":1}",
            "\xed\xa0\x80\xf0\x90\x80\x80", "lone before a pair");
    name_is("{\"\\ud800\\u0041\":1}", "\xed\xa0\x80" "A",
           "lone before another");
    name_is("{\"\\ud800\\\\u0041\":1}", "\xed\xa0\x80\\u0041",
           "lone before a backslash");
    name_is("{\"\\ud800\\n\":1}", "\xed\xa0\x80\n",
           "lone before a short one");
    name_is("{\"?\":1}", "?", "no question mark but this");
}


static void
test_many(void)
{
    u_char      *text, *p;
    ngx_str_t    name = ngx_string("name99999");
    ngx_uint_t   i;

    ngx_envelope_node_t  *m;

    text = malloc(4000000);
    p = text;
    *p++ = '{';

    for (i = 0; i < 100000; i++) {
        p = ngx_sprintf(p, "%s\"n\\u0061me%ui\":%ui", i ? "," : "", i, i);
    }

    *p++ = '}';

    is_int(scan(text, p - text, 1), NGX_OK, "10^5 members");
    is_int(ngx_envelope_json_member(root, &name, &m), 1, "the last of them");
    is_str(m->text, "99999", "its value");

    free(text);
}


/* the one code point that the bytes are */

static uint32_t
utf8(u_char *p, size_t len)
{
    size_t    i;
    uint32_t  code;

    static const u_char  mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };

    if (len == 0 || len > 4) {
        return 0xffffffff;
    }

    code = p[0] & mask[len];

    for (i = 1; i < len; i++) {
        code = code << 6 | (p[i] & 0x3f);
    }

    return code;
}


static void
test_decode(void)
{
    char         quoted[64];
    size_t       n;
    ngx_int_t    rc;
    uint32_t     code;
    ngx_str_t    text, dst, back;
    ngx_uint_t   i, wrong;

    static const char  *bad[] = {
        "", "\"", "a", "ab", "\"a", "a\"", "\"\\\"", "\"\\u\"", "\"\\u123\"",
        "\"\\x\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u\"",
        "\"\\ud800\\ud800\"", "\"\\udc00\\ud800\"", "\"\\ud800x\"",
        "\"\\ud800\\n\"", "\"\\ud800\\\\udc00\"", "\"\\u00g0\"",
        "\"\\u00`0\"", "\"\\u@000\""
    };

    fresh();
    wrong = 0;

    for (code = 0; code < 0x110000; code++) {

        if (code % 0x1000 == 0) {
            fresh();
        }

        if (code < 0x10000) {
            n = sprintf(quoted, "\"<\\u%04x>\"", code);

        } else {
            n = sprintf(quoted, "\"<\\u%04X\\u%04x>\"",
                        0xd800 + ((code - 0x10000) >> 10),
                        0xdc00 + ((code - 0x10000) & 0x3ff));
        }

        text.data = (u_char *) quoted;
        text.len = n;

        rc = ngx_envelope_json_decode(pool, &text, &dst, &reason);

        if (code >= 0xd800 && code <= 0xdfff) {
            wrong += (rc != NGX_DECLINED);
            continue;
        }

        if (rc != NGX_OK || dst.len < 3 || dst.data[0] != '<'
            || dst.data[dst.len - 1] != '>')
        {
            wrong++;
            continue;
        }

        if (code == 0) {
            wrong += (dst.len != 3 || dst.data[1] != '\0');
            continue;
        }

        wrong += (utf8(dst.data + 1, dst.len - 2) != code);
    }

    is_int(wrong, 0, "all code points");

    for (i = 0; i < sizeof(bad) / sizeof(char *); i++) {
        text = str(bad[i]);
        is_int(ngx_envelope_json_decode(pool, &text, &dst, &reason),
               NGX_DECLINED, "does not decode: %s", bad[i]);
    }

    text = str("\"plain\"");
    is_int(ngx_envelope_json_decode(pool, &text, &dst, &reason), NGX_OK,
           "no escapes");
    ok(dst.data == text.data + 1, "points into the text");
    is_str(dst, "plain", "without its quotes");

    text.data = (u_char *) "\"\\/\x01\x1f\x7f\b\t\n\f\r\0\xc3\xa9";
    text.len = 14;
    is_int(ngx_envelope_json_encode(pool, &text, &dst, &reason), NGX_OK,
           "encodes");
    is_str(dst, "\"\\\"\\\\/\\u0001\\u001f\x7f\\b\\t\\n\\f\\r\\u0000\xc3\xa9\"",
           "only what has to be");
    is_int(ngx_envelope_json_decode(pool, &dst, &back, &reason), NGX_OK,
           "decodes again");
    is_mem(back.data, back.len, text.data, text.len, "to the same");

    ngx_str_null(&text);
    is_int(ngx_envelope_json_encode(pool, &text, &dst, &reason), NGX_OK,
           "encodes nothing");
    is_str(dst, "\"\"", "two quotes");

    text = str("a\xed\xa0\x80");
    is_int(ngx_envelope_json_encode(pool, &text, &dst, &reason),
           NGX_DECLINED, "does not encode a surrogate");
}


/*
 * Strings of escapes in any density, so that they fall on all places of a
 * block and rows of backslashes on all of its borders.
 */

static void
test_escapes(void)
{
    u_char      *text, *plain;
    size_t       len, n;
    ngx_int_t    rc;
    ngx_str_t    quoted, dst;
    ngx_uint_t   i, k, dense, pieces, wrong, spoilt;

    static const struct {
        const char  *escaped;
        const char  *plain;
    } escapes[] = {
        { "\\\\", "\\" }, { "\\\"", "\"" }, { "\\\\\\\\", "\\\\" },
        { "\\\\\\\"", "\\\"" }, { "\\n", "\n" }, { "\\/", "/" },
        { "\\u00e9", "\xc3\xa9" }, { "\xc3\xa9", "\xc3\xa9" }
    };

    text = malloc(8192);
    plain = malloc(8192);
    wrong = 0;
    spoilt = 0;

    for (i = 0; i < 30000; i++) {

        if (i % 1000 == 0) {
            fresh();
        }

        len = 0;
        n = 0;
        text[len++] = '"';
        dense = 1 + rnd(1 << rnd(8));
        pieces = rnd(400);

        while (pieces--) {

            if (rnd((uint32_t) dense)) {
                text[len++] = 'x';
                plain[n++] = 'x';
                continue;
            }

            /* mostly those that are passed over in blocks */

            k = rnd(rnd(16) ? 4 : 8);
            len += sprintf((char *) text + len, "%s", escapes[k].escaped);
            n += sprintf((char *) plain + n, "%s", escapes[k].plain);
        }

        text[len++] = '"';

        quoted.data = malloc(len);
        quoted.len = len;
        memcpy(quoted.data, text, len);

        rc = ngx_envelope_json_decode(pool, &quoted, &dst, &reason);

        wrong += (rc != NGX_OK || dst.len != n
                  || memcmp(dst.data, plain, n) != 0);

        free(quoted.data);

        wrong += (scan(text, len, 0) != NGX_OK);

        /* and one byte too many, or another */

        text[rnd((uint32_t) len)] = (u_char) "\"\\n\x1f"[rnd(4)];

        rc = scan(text, len, 0);
        spoilt += (rc != NGX_OK);

        if (rc != NGX_OK && !memmem(reason.data, reason.len, "UTF-8", 5)) {
            wrong += check_text(text, len, 0, NULL);

        } else if (rc == NGX_OK) {
            wrong += !check_text(text, len, 0, NULL);
        }
    }

    is_int(wrong, 0, "30000 strings of escapes");
    ok(spoilt > 5000, "%d were spoilt", (int) spoilt);

    free(text);
    free(plain);
}


static void
test_number(void)
{
    ngx_str_t    text;
    ngx_uint_t   i;

    static const char  *good[] = {
        "0", "-0", "1", "-1", "10", "1.0", "0.5", "1e1", "1E+1", "1e-1",
        "-12.50e+07", "99999999999999999999999999"
    };

    static const char  *bad[] = {
        "", "-", "+1", "01", "-01", "1.", ".1", "1e", "1e+", "1e1.0", " 1",
        "1 ", "1a", "0x1", "NaN", "--1", "1-", "1.e1", "00", "1,0", "\"1\"",
        "null", "1e1e1", "Infinity", "1\n", "1.5.5"
    };

    for (i = 0; i < sizeof(good) / sizeof(char *); i++) {
        text = str(good[i]);
        ok(ngx_envelope_json_is_number(&text), "a number: %s", good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(char *); i++) {
        text = str(bad[i]);
        ok(!ngx_envelope_json_is_number(&text), "no number: %s", bad[i]);
    }

    text.data = (u_char *) "1\0";
    text.len = 2;
    ok(!ngx_envelope_json_is_number(&text), "no number with a NUL");
    ngx_str_null(&text);
    ok(!ngx_envelope_json_is_number(&text), "nothing is no number");
}


static void
equal(const char *x, const char *y, ngx_uint_t expected)
{
    ngx_str_t  a, b;

    a = str(x);
    b = str(y);

    is_int(ngx_envelope_json_equal(&a, &b), expected, "%s and %s", x, y);
    is_int(ngx_envelope_json_equal(&b, &a), expected, "and the other way");
}


static void
test_equal(void)
{
    ngx_str_t  none = ngx_null_string;

    equal("1", "1", 1);
    equal(" 1\n", "1", 1);
    equal("{ \"a\" : [ 1 , 2 ] }", "{\"a\":[1,2]}", 1);
    equal("\"a b\"", "\"ab\"", 0);
    equal("\"a b\"", " \"a b\" ", 1);
    equal("\"\\\" x\"", "\"\\\"x\"", 0);
    equal("[\"\\\\\", 1]", "[\"\\\\\",1]", 1);
    equal("[\"\\\\\" ,\"a b\"]", "[\"\\\\\",\"a b\"]", 1);
    equal("[\"\\\\\",\"a b\"]", "[\"\\\\\",\"ab\"]", 0);
    equal("\"\\n\"", "\"\\t\"", 0);
    equal("1", "2", 0);
    equal("1", "10", 0);
    equal("1", "1.0", 0);
    equal("\"a\"", "\"\\u0061\"", 0);
    equal("", "", 1);
    equal("", "1", 0);
    equal("\"", "\"", 1);
    equal("\"\\", "\"\\", 1);

    ok(ngx_envelope_json_equal(&none, &none), "nothing and nothing");
}


static void
test_memory(void)
{
    ngx_int_t   rc, i;
    ngx_str_t   text, dst;

    static const char  doc[] =
        "{\"a\":1,\"d\\u0061ta\":[1,{\"\\n\":[true,null]}],\"s\":\"\\t\"}";

    if (pool) {
        ngx_destroy_pool(pool);
        pool = NULL;
    }

    rc = NGX_ERROR;

    for (i = 0; i < 200 && rc != NGX_OK; i++) {
        shim_reset();
        pool = ngx_create_pool(4096, &shim_log);
        shim_fail_at = shim_allocs + i;

        text = str(doc);
        reason.len = 0;
        rc = ngx_envelope_json_scan(pool, &text, 5, &root, &reason);

        if (rc == NGX_OK) {
            text = root->last->text;
            rc = ngx_envelope_json_decode(pool, &text, &dst, &reason);
        }

        if (rc == NGX_OK) {
            rc = ngx_envelope_json_encode(pool, &dst, &text, &reason);
        }

        ngx_destroy_pool(pool);
        pool = NULL;

        if (rc != NGX_OK && (rc != NGX_ERROR || reason.len == 0)) {
            fail("allocation %d", (int) i);
        }

        if (shim_live || shim_live_pools) {
            fail("leak after allocation %d", (int) i);
        }
    }

    is_int(rc, NGX_OK, "no crash without memory");
    ok(i > 10, "%d allocations failed in turn", (int) i);
}


int
main(void)
{
    test_grammar();
    test_depth();
    test_lengths();
    test_members();
    test_many();
    test_decode();
    test_escapes();
    test_number();
    test_equal();
    test_random();
    test_memory();

    if (pool) {
        ngx_destroy_pool(pool);
    }

    is_int(shim_live, 0, "nothing left");

    return done_testing();
}
