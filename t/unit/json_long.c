
/*
 * The scan of long texts, which goes 64 bytes at a time where the processor
 * can: whatever is in them, wherever it falls in a block.
 */


#include "jsontext.h"
#include "ngx_envelope_json_wide.h"
#include "ngx_envelope_codec.h"


#define LONG  NGX_ENVELOPE_JSON_LONG


/*
 * Whether the scan is of the opinion of the judges; *taken counts what is
 * JSON.  Behind the first "from" bytes it is not to be gone through byte by
 * byte, if it is JSON: that the result is the same shows nothing of this.
 */

static ngx_uint_t
judged(u_char *text, size_t len, size_t from, ngx_uint_t depth,
    ngx_uint_t *taken)
{
    ngx_int_t  rc;

    rc = scan(text, len, depth);

    if (!check_text(text, len, 0, NULL)
        || !ngx_envelope_utf8_valid(text, len))
    {
        return rc == NGX_DECLINED && reason.len;
    }

    (*taken)++;

    while (text[len - 1] <= ' ') {
        len--;
    }

    return rc == NGX_OK
           && (from == 0 || !ngx_envelope_json_wide()
               || ngx_envelope_json_wide_pass(text + from, text + len, '[',
                                              NGX_ENVELOPE_JSON_DEPTH_MAX)
                  == text + len - 1);
}


/* an element of an array that is long enough for what comes behind it */

static size_t
lead(u_char *text, size_t len)
{
    text[0] = '[';
    text[1] = '"';
    memset(text + 2, 'x', len);
    text[2 + len] = '"';

    return len + 3;
}


/* what follows until the text is long: nothing else would be looked at */

static size_t
trail(u_char *text)
{
    size_t      len;
    ngx_uint_t  i;

    len = 0;

    for (i = 0; i < LONG / 8; i++) {
        memcpy(text + len, ",{\"a\":1}", 8);
        len += 8;
    }

    text[len++] = ']';

    return len;
}


/* behind each of these stands a value in an array, or the array's end */

static void
test_places(void)
{
    u_char      *text;
    size_t       len, place;
    ngx_uint_t   i, wrong, taken, all;

    static const char  *pieces[] = {
        "", ",", ",,1", ",1", ",1,", ",[]", ",[1]", ",[1,2]", ",[1,]",
        ",[,1]", ",[1 2]", ",[\"a\"]", ",[\"a\",\"b\"]", ",[\"a\" \"b\"]",
        ",[\"a\",]", ",[\"a\":1]", ",[\"a\",\"b\":1]", ",[1:2]", ",[:]",
        ",{}", ",{\"a\":1}", ",{\"a\":\"b\"}", ",{\"a\":\"b\",\"c\":\"d\"}",
        ",{\"a\":\"b\",\"c\"}", ",{\"a\"}", ",{\"a\",\"b\"}", ",{\"a\":1,}",
        ",{\"a\":\"b\":\"c\"}", ",{\"a\"::1}", ",{:1}", ",{1:1}", ",{,}",
        ",{\"a\":1,2}", ",{\"a\":1,[]}", ",{\"a\":1,{}}", ",{[]:1}",
        ",{\"a\":[}", ",{\"a\":]}", ",{\"a\":1]", ",[1}", ",[{]}", ",{[}]",
        ",{\"a\":{}]", ",{\"a\":[]]", ",{\"a\":\"b\"]", ",{\"a\":1,\"b\"]",
        ",[{}}", ",[[]}", ",[\"b\"}", ",[1,\"b\"}",
        ",{\"a\":{\"b\":[{\"c\":[]}]}}", ",[[],[[]],{}]", ",[{},{},1,\"a\"]",
        ",{\"a\":[1,\"b\",{}],\"b\":{}}", ",{\"a\":1\"b\":2}", ",[][]", ",{}{}",
        ",[]1", ",1[]", ",\"a\"[]", ",{}\"a\"", ",\"a\"1", ",1\"a\"", "1",
        "\"a\"", "{}", "[]", ":1", ":", "]", "}", "],[1", "]]", "],1", "[",
        ",[", ",{", ",{\"a\":", ",{\"a\"",
        ",0", ",-0", ",-1.5e+10", ",01", ",-", ",1.", ",.5", ",1e", ",+1",
        ",1e5.5", ",--1", ",0x1", ",1a", ",1-1", ",true", ",false", ",null",
        ",tru", ",truee", ",True", ",falsee", ",fals", ",nul", ",nulll",
        ",NaN", ",true false", ",truefalse", ",a", ",'a'", ",/", ",1/", ",\\",
        ",\\n", ",\\\"", ",t\\rue", ",1\\", ",\"\\\"\"", ",\"\\\\\"",
        ",\"\\\\\\\"\"", ",\"\\\\\\\\\"", ",\"\\\"", ",\"\\\\\\\"",
        ",\"\\b\\f\\n\\r\\t\\/\"", ",\"\\u00e9\\uD83D\\uDE00\"", ",\"\\x\"",
        ",\"\\u12\"", ",\"\\u12g4\"", ",\"\\u123\"", ",\"\\U0041\"", ",\"\\\n\"",
        ",\"\\a\"", ",\"\\0\"", ",\"\\ \"", ",\"\\\xc3\xa9\"", ",\"\\\xa2\"",
        ",\"\\\xe2\xa2\xa2\"", ",\"\\\xaf\"",
        ",\"{}[],:\"", ",\"[\"", ",\"\\\",\\\"\"", ",\"a\":1",
        ",\"\x01\"", ",\"\x1f\"", ",\"\t\"", ",\"\n\"", ",\"\x7f\"",
        ",\x01", ",1\x01", ",\f1", ",1\v", ",\t1\r\n", " , 1 ", "\n,\n[ ]\n",
        ", { \"a\" : 1 , \"b\" : [ ] } ", ",\x7f", ",\xc2\xa0", ",1\xc2\xa0",
        "\xc2\xa0,1", ",\xa2" "a\xa2", ",\xac" "1", ",\xdb\xdd", ",\xfb\xfd",
        ",\"a\"\xba" "1", ",\"\xc3\xa9\"", ",\"\xf0\x9f\x98\x80\"", ",\"\xff\"",
        ",\"\xc3\"", ",\"\xc0\x80\"", ",\"\xed\xa0\x80\"", ",\"\xa9\"",
        ",\"\xc3\xa9\xa9\"", ",\"\xc3\xf0\x9f\x98\x80\"",
        ",{\"\xe2\x82\":1}", ",{\"\xe2\x82\xac\":1}"
    };

    text = malloc(4096);
    wrong = 0;
    taken = 0;
    all = 0;

    for (i = 0; i < sizeof(pieces) / sizeof(char *); i++) {
        for (place = 0; place < 130; place++) {
            len = lead(text, LONG + place);
            memcpy(text + len, pieces[i], strlen(pieces[i]));
            len += strlen(pieces[i]);
            len += trail(text + len);

            if (!judged(text, len, LONG + place + 3, 0, &taken)) {
                wrong++;
                diag("%s at %d: %d", pieces[i], (int) place,
                     (int) scan(text, len, 0));
            }

            all++;
        }
    }

    is_int(wrong, 0, "%d texts: one opinion", (int) all);
    ok(taken > all / 8 && taken < all / 2, "%d were JSON", (int) taken);

    free(text);
}


/* a NUL, which cannot stand in the strings above */

static void
test_nul(void)
{
    u_char      *text;
    size_t       len, place;
    ngx_uint_t   i, wrong, taken;

    static const char  pieces[][8] = {
        ",1\0", ",\0", "\0,1", ",\"\0\"", ",\"\\\0\"", ",[\0]", ",{\"\0\":1}"
    };
    static const size_t  lens[] = { 3, 2, 3, 4, 5, 4, 7 };

    text = malloc(4096);
    wrong = 0;
    taken = 0;

    for (i = 0; i < sizeof(lens) / sizeof(size_t); i++) {
        for (place = 0; place < 130; place++) {
            len = lead(text, LONG + place);
            memcpy(text + len, pieces[i], lens[i]);
            len += lens[i];
            len += trail(text + len);

            wrong += !judged(text, len, 0, 0, &taken);
        }
    }

    is_int(wrong, 0, "NULs");
    is_int(taken, 0, "none is JSON");

    for (i = LONG; i < 2 * LONG; i++) {
        len = lead(text, 3 * LONG);
        text[len++] = ']';
        text[i] = '\0';
        wrong += (scan(text, len, 1) != NGX_DECLINED);
        text[i] = 'x';
        wrong += (scan(text, len, 1) != NGX_OK);
    }

    is_int(wrong, 0, "nor is one with a NUL in a long string");

    free(text);
}


/* all texts that lack one byte, have another one, or end too early */

static void
test_bytes(void)
{
    u_char      *text, *spoilt, ch;
    size_t       len, from, i, k;
    ngx_uint_t   wrong, taken, depth;

    static const u_char  bytes[] = "{}[],:\" \\/nu0-1.eE+tf\n\t\v\0\x1f\x80\xc3";
    static const char    what[] =
        ",{\"id\":\"tx_1\",\"n\":-1.5e3,\"s\":\"a\\\"b\\\\\\n\\u00e9\","
        "\"t\":[true,false,null],\"o\":{\"k\":[]},\"\xc3\xa9\":\"\xe2\x82\xac\"}"
        " , [ [ ], { } ,\n\"x\" ]";

    text = malloc(4096);
    spoilt = malloc(4096);
    wrong = 0;
    taken = 0;

    len = lead(text, LONG - 20);
    from = len;

    for (i = 0; i < 3; i++) {
        memcpy(text + len, what, sizeof(what) - 1);
        len += sizeof(what) - 1;
    }

    len += trail(text + len);

    ok(judged(text, len, from, 0, &taken) && taken == 1, "it is JSON");

    for (i = from; i < len; i++) {
        depth = i % 3;

        wrong += !judged(text, i, 0, depth, &taken);

        memcpy(spoilt, text, i);
        memcpy(spoilt + i, text + i + 1, len - i - 1);
        wrong += !judged(spoilt, len - 1, from, depth, &taken);

        for (k = 0; k < sizeof(bytes) - 1; k++) {
            ch = text[i];
            text[i] = bytes[k];
            wrong += !judged(text, len, from, depth, &taken);
            text[i] = ch;

            memcpy(spoilt, text, i);
            spoilt[i] = bytes[k];
            memcpy(spoilt + i + 1, text + i, len - i);
            wrong += !judged(spoilt, len + 1, from, depth, &taken);
        }
    }

    is_int(wrong, 0, "spoilt anywhere: one opinion");
    ok(taken > 1000, "%d were JSON still", (int) taken);

    free(text);
    free(spoilt);
}


static void
test_random(void)
{
    u_char      *text;
    size_t       len, n, size;
    ngx_uint_t   i, wrong, taken;

    text = malloc(1 << 20);
    wrong = 0;
    taken = 0;

    for (i = 0; i < 3000; i++) {
        size = rnd(1 << (9 + rnd(6)));

        memcpy(text, "{\"a\":[", 6);
        len = 6;

        do {
            len += make_value(text + len, rnd(6));
            text[len++] = ',';
            len += make_white(text + len);
        } while (len < size);

        memcpy(text + len, "0]}", 3);
        len += 3;

        for (n = rnd(3); n; n--) {
            len = spoil(text, len);
        }

        wrong += !judged(text, len, 0, rnd(4), &taken);
    }

    is_int(wrong, 0, "3000 random texts: one opinion");
    ok(taken > 500 && taken < 2500, "%d were JSON", (int) taken);

    free(text);
}


/*
 * Numbers and words are judged apart from the rest, one behind another, 64
 * bytes at a time.  The digits in front of one move it to each of these places.
 */

static ngx_uint_t
judged_value(const char *value, size_t len, size_t place, ngx_uint_t *taken)
{
    size_t         n;
    static u_char  text[4096];

    n = lead(text, LONG + place % 7);

    text[n++] = ',';
    memset(text + n, '7', place);
    n += place;

    text[n++] = ',';
    memcpy(text + n, value, len);
    n += len;

    n += trail(text + n);

    return judged(text, n, LONG + place % 7 + 3, 0, taken);
}


static void
test_numbers(void)
{
    char         value[8];
    size_t       len, i, n, rest;
    ngx_uint_t   count, wrong, taken, all;

    static const char    letters[] = "09-+.eE";
    static const size_t  base = sizeof(letters) - 1;

    wrong = 0;
    taken = 0;
    all = 0;
    count = 1;

    /* all of up to four characters, and some of up to eight */

    for (len = 1; len <= 8; len++) {
        count = (len <= 4) ? count * base : 1500;

        for (i = 0; i < count; i++, all++) {
            for (n = 0, rest = i; n < len; n++, rest /= base) {
                value[n] = letters[(len <= 4) ? rest % base : rnd(base)];
            }

            if (!judged_value(value, len, 1 + all % 62, &taken)) {
                wrong++;
                diag("%.*s at %d", (int) len, value, (int) (1 + all % 62));
            }
        }
    }

    is_int(wrong, 0, "%d rows of digits and signs: one opinion", (int) all);
    ok(taken > 100 && taken < all / 4, "%d were numbers", (int) taken);
}


static void
test_words(void)
{
    char         value[16];
    size_t       len, place, i;
    ngx_uint_t   k, ch, wrong, taken, words;

    static const char  *are[] = { "true", "false", "null" };

    wrong = 0;
    taken = 0;
    words = 0;

    for (k = 0; k < 3; k++) {
        len = strlen(are[k]);
        strcpy(value, are[k]);

        for (place = 1; place < 63; place++, words++) {
            wrong += !judged_value(value, len, place, &taken);
        }

        for (i = 0; i < len; i++) {
            for (ch = ' '; ch < 0x7f; ch++) {
                value[i] = (char) ch;
                wrong += !judged_value(value, len, 1 + ch % 62, &taken);
                words += (value[i] == are[k][i]);

                memcpy(value + i + 1, are[k] + i, len - i + 1);
                wrong += !judged_value(value, len + 1, 1 + ch % 62, &taken);
                words += (ch == ' ' && i == 0);

                strcpy(value, are[k]);
            }

            memcpy(value + i, are[k] + i + 1, len - i);
            wrong += !judged_value(value, len - 1, 1 + i, &taken);
            strcpy(value, are[k]);
        }
    }

    is_int(wrong, 0, "words and what is nearly one: one opinion");
    is_int(taken, words, "%d were words", (int) words);
}


/* such a number goes from one of the rows of blocks into another, or is long */

static void
test_long_numbers(void)
{
    u_char      *text;
    size_t       len, n, at, from;
    ngx_uint_t   wrong, taken;

    text = malloc(1 << 15);
    wrong = 0;
    taken = 0;

    for (n = 1; n < 140; n++) {
        len = lead(text, LONG);
        from = len;

        do {
            text[len++] = ',';
            at = len;
            memset(text + len, '1', n);
            len += n;
        } while (len < 3 * 64 * 64);

        text[len++] = ']';

        /* all of them are shorter than 64 bytes, or they are not judged so */

        wrong += !judged(text, len, n < 64 ? from : 0, 0, &taken);

        if (n > 1) {
            text[at] = '0';
            wrong += !judged(text, len, 0, 0, &taken);
            text[at] = '1';
            text[from + 1 + len / 2 / (n + 1) * (n + 1)] = '0';
            wrong += !judged(text, len, 0, 0, &taken);
        }
    }

    is_int(wrong, 0, "numbers of up to 139 digits: one opinion");
    is_int(taken, 139, "each was taken once");

    free(text);
}


/* the deepest that is allowed begins in the array behind a long string */

static void
test_depth(void)
{
    u_char      *text;
    size_t       len, n, i;
    ngx_uint_t   kind;

    text = malloc(8192);

    for (n = 125; n < 132; n++) {
        for (kind = 0; kind < 3; kind++) {
            len = lead(text, LONG);
            len += trail(text + len) - 1;
            text[len++] = ',';

            for (i = 0; i < n; i++) {
                if (kind == 0 || (kind == 2 && i % 2)) {
                    text[len++] = '[';
                } else {
                    memcpy(text + len, "{\"a\":", 5);
                    len += 5;
                }
            }

            text[len++] = '1';

            for (i = n; i > 0; i--) {
                text[len++] = (kind == 0 || (kind == 2 && (i - 1) % 2))
                              ? ']' : '}';
            }

            len += trail(text + len);

            is_int(scan(text, len, 0), n < 128 ? NGX_OK : NGX_DECLINED,
                   "%d levels in an array", (int) n);

            if (n >= 128) {
                ok(memmem(reason.data, reason.len, "deeper than 128", 15)
                   != NULL, "it says so");
            }
        }
    }

    free(text);
}


/*
 * All sequences of up to four bytes that RFC 3629 tells from others, in a
 * long string and in a short one that a long container has.
 */

static void
test_utf8(void)
{
    u_char      *text, *at;
    size_t       len, place;
    ngx_int_t    rc, expected;
    ngx_str_t    whole;
    ngx_uint_t   i, k, n, wrong, taken;

    static const u_char  bytes[] = {
        '"', 'a', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2,
        0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
        0xf7, 0xf8, 0xff
    };

    n = sizeof(bytes);
    text = malloc(4096);
    wrong = 0;
    taken = 0;

    for (i = 0; i < 2 * n * n * n * n; i++) {

        if (i % 1000 == 0) {
            fresh();
        }

        place = LONG + i % 67;

        if (i % 2) {
            len = lead(text, place);
            memcpy(text + len, ",\"", 2);
            len += 2;

        } else {
            len = lead(text, place) - 1;
        }

        at = text + len;

        for (k = i / 2; len < (size_t) (at - text) + 4; k /= n) {
            text[len++] = bytes[k % n];
        }

        /* a quote would end it: then it is shorter */

        for (k = 0; k < 4 && at[k] != '"'; k++) { /* void */ }

        expected = ngx_envelope_utf8_valid(at, k) ? NGX_OK : NGX_DECLINED;

        len = at - text + k;
        text[len++] = '"';
        len += trail(text + len);

        whole.data = text;
        whole.len = len;

        rc = ngx_envelope_json_scan(pool, &whole, i % 3, &root, &reason);

        wrong += (rc != expected);
        taken += (rc == NGX_OK);
    }

    is_int(wrong, 0, "%d sequences: one opinion", (int) i);
    ok(taken > 10000 && taken < i / 2, "%d are UTF-8", (int) taken);

    free(text);
}


/* and any two bytes whatever, which may end the string or escape its end */

static void
test_pairs(void)
{
    u_char      *text;
    size_t       len;
    ngx_uint_t   i, wrong, taken;

    text = malloc(4096);
    wrong = 0;
    taken = 0;

    for (i = 0; i < 2 * 65536; i++) {
        len = lead(text, LONG + i % 67);

        if (i % 2) {
            memcpy(text + len, ",\"", 2);
            len += 2;

        } else {
            len--;
        }

        text[len++] = (u_char) (i >> 9);
        text[len++] = (u_char) (i >> 1);
        text[len++] = '"';
        len += trail(text + len);

        wrong += !judged(text, len, 0, i % 3, &taken);
    }

    is_int(wrong, 0, "any two bytes: one opinion");
    ok(taken > 2 * 80 * 80, "%d are right in a string", (int) taken);

    free(text);
}


/* long strings of escapes in any density, in rows of any length */

static void
test_decode(void)
{
    u_char      *text, *plain;
    size_t       len, n;
    ngx_str_t    quoted, dst;
    ngx_uint_t   i, k, row, dense, wrong;

    static const struct {
        const char  *escaped;
        const char  *plain;
    } escapes[] = {
        { "\\\\", "\\" }, { "\\\"", "\"" }, { "\\/", "/" }, { "\\b", "\b" },
        { "\\f", "\f" }, { "\\n", "\n" }, { "\\r", "\r" }, { "\\t", "\t" },
        { "\\u00e9", "\xc3\xa9" }, { "\\uD83D\\uDE00", "\xf0\x9f\x98\x80" },
        { "\xe2\x82\xac", "\xe2\x82\xac" }, { "nu\x7f", "nu\x7f" }
    };

    text = malloc(1 << 17);
    plain = malloc(1 << 17);
    wrong = 0;

    for (i = 0; i < 4000; i++) {
        fresh();

        len = 0;
        n = 0;
        text[len++] = '"';
        dense = 1 + rnd(1 << rnd(8));

        while (len < (i % 2 ? 3 * LONG : 20) + i / 2 % 64) {

            if (rnd((uint32_t) dense)) {
                text[len++] = 'x';
                plain[n++] = 'x';
                continue;
            }

            k = rnd(rnd(8) ? 8 : 12);

            for (row = rnd(rnd(8) ? 3 : 80); row; row--) {
                len += sprintf((char *) text + len, "%s", escapes[k].escaped);
                n += sprintf((char *) plain + n, "%s", escapes[k].plain);
            }
        }

        text[len++] = '"';

        /* of its very size, for the sanitizer */

        quoted.data = malloc(len);
        quoted.len = len;
        memcpy(quoted.data, text, len);

        wrong += (scan(text, len, 0) != NGX_OK);

        wrong += (ngx_envelope_json_decode(pool, &quoted, &dst, &reason)
                  != NGX_OK
                  || dst.len != n || memcmp(dst.data, plain, n) != 0);

        free(quoted.data);
    }

    is_int(wrong, 0, "4000 long strings of escapes");

    free(text);
    free(plain);
}


/* what no scan has seen: a bad escape is refused wherever it is */

static void
test_decode_bad(void)
{
    u_char      *text;
    size_t       len, place, from;
    ngx_str_t    quoted, dst;
    ngx_uint_t   i, wrong;

    static const char  *bad[] = {
        "\\x", "\\a", "\\0", "\\", "\\\\\\", "\\u12", "\\ud800", "\\u00g0",
        "\\\xc3\xa9", "\\\xa2", "\\\xdc", "\\\xee", "\\ ", "\\`"
    };

    text = malloc(4096);
    wrong = 0;

    for (i = 0; i < sizeof(bad) / sizeof(char *); i++) {
        for (place = 0; place < 200; place++) {
            fresh();

            memset(text, 'n', 4096);
            text[0] = '"';
            text[1] = '\\';
            from = (place % 3 ? 2 * LONG : 8) + place;
            len = from;
            memcpy(text + len, bad[i], strlen(bad[i]));
            len += strlen(bad[i]) + (place % 2) * (place + 1);

            /* what ends with a backslash would escape an n */

            if (bad[i][strlen(bad[i]) - 1] == '\\') {
                len = from + strlen(bad[i]);
            }

            text[len++] = '"';

            quoted.data = malloc(len);
            quoted.len = len;
            memcpy(quoted.data, text, len);

            wrong += (ngx_envelope_json_decode(pool, &quoted, &dst, &reason)
                      != NGX_DECLINED);
            free(quoted.data);
        }
    }

    is_int(wrong, 0, "escapes that there are not");

    free(text);
}


/* any bytes, in any density and of any length, against one at a time */

static size_t
encoded(char *out, const u_char *p, size_t len)
{
    char    *d;
    size_t   i;

    d = out;
    *d++ = '"';

    for (i = 0; i < len; i++) {

        switch (p[i]) {
        case '"': d += sprintf(d, "\\\""); break;
        case '\\': d += sprintf(d, "\\\\"); break;
        case '\b': d += sprintf(d, "\\b"); break;
        case '\f': d += sprintf(d, "\\f"); break;
        case '\n': d += sprintf(d, "\\n"); break;
        case '\r': d += sprintf(d, "\\r"); break;
        case '\t': d += sprintf(d, "\\t"); break;

        default:
            if (p[i] < 0x20) {
                d += sprintf(d, "\\u%04x", p[i]);
            } else {
                *d++ = (char) p[i];
            }
        }
    }

    *d++ = '"';

    return d - out;
}


static void
test_encode(void)
{
    char        *expected;
    size_t       len, n, k;
    ngx_int_t    rc;
    ngx_str_t    text, dst;
    ngx_uint_t   i, dense, wrong, taken;

    static const char  *pieces[] = {
        "\"", "\\", "\n", "\t", "\"\"\"\"\"\"\"\"\"", "\b\f\r", "\x01", "\x1f",
        "\x7f", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "/", "bfnrtu",
        "\xe2\x82", "\xa9", "\xed\xa0\x80", "\xff"
    };

    expected = malloc(65536);
    wrong = 0;
    taken = 0;

    for (i = 0; i < 6000; i++) {
        fresh();

        /* of its very size, for the sanitizer */

        text.len = LONG - 10 + i % 700;
        text.data = malloc(text.len);

        memset(text.data, 'x', text.len);

        dense = 1 + rnd(1 << rnd(8));

        for (len = rnd(10); len < text.len; len += n) {
            n = 1;

            if (rnd((uint32_t) dense)) {
                continue;
            }

            /* most are of no use with what is not UTF-8 */

            k = rnd(rnd(200) ? 14 : 18);
            n = ngx_min(strlen(pieces[k]), text.len - len);

            if (n == strlen(pieces[k]) || rnd(4) == 0) {
                memcpy(text.data + len, pieces[k], n);
            }
        }

        if (rnd(4) == 0) {
            text.data[rnd((uint32_t) text.len)] = '\0';
        }

        rc = ngx_envelope_json_encode(pool, &text, &dst, &reason);

        if (!ngx_envelope_utf8_valid(text.data, text.len)) {
            wrong += (rc != NGX_DECLINED);

        } else {
            taken++;
            n = encoded(expected, text.data, text.len);
            wrong += (rc != NGX_OK || dst.len != n
                      || memcmp(dst.data, expected, n) != 0);
        }

        free(text.data);
    }

    is_int(wrong, 0, "6000 long texts to encode");
    ok(taken > 2000 && taken < 5500, "%d of them are UTF-8", (int) taken);

    free(expected);
}


int
main(void)
{
    diag("64 bytes at a time: %s", ngx_envelope_json_wide() ? "yes" : "no");

    test_places();
    test_nul();
    test_bytes();
    test_random();
    test_numbers();
    test_words();
    test_long_numbers();
    test_depth();
    test_utf8();
    test_pairs();
    test_decode();
    test_decode_bad();
    test_encode();

    if (pool) {
        ngx_destroy_pool(pool);
    }

    is_int(shim_live, 0, "nothing left");

    return done_testing();
}
