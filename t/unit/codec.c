
/* Codecs: strict, canonical, in place, never past their bounds. */


#include "shim.h"
#include "tap.h"
#include "rnd.h"
#include "ngx_envelope_codec.h"


typedef void (*encode_pt)(ngx_str_t *dst, ngx_str_t *src);
typedef ngx_int_t (*decode_pt)(ngx_str_t *dst, ngx_str_t *src,
    ngx_envelope_reason_t *reason);


typedef struct {
    const char  *name;
    encode_pt    encode;
    decode_pt    decode;
} codec_t;


static codec_t  codecs[] = {
    { "base64", ngx_envelope_base64_encode, ngx_envelope_base64_decode },
    { "base64url", ngx_envelope_base64url_encode,
      ngx_envelope_base64url_decode },
    { "hex", ngx_envelope_hex_encode, ngx_envelope_hex_decode }
};


static ngx_envelope_reason_t  reason;


static size_t
encoded_length(ngx_uint_t c, size_t len)
{
    return (c == 0) ? ngx_envelope_base64_length(len)
           : (c == 1) ? ngx_envelope_base64url_length(len)
           : ngx_envelope_hex_length(len);
}


static size_t
decoded_max(ngx_uint_t c, size_t len)
{
    return (c == 0) ? ngx_envelope_base64_decoded_max(len)
           : (c == 1) ? ngx_envelope_base64url_decoded_max(len)
           : ngx_envelope_hex_decoded_max(len);
}


/* a copy that ends where its allocation ends; the caller frees it */

static ngx_str_t
exact(const void *data, size_t len)
{
    ngx_str_t  s;

    s.len = len;
    s.data = malloc(len ? len : 1);

    if (len) {
        memcpy(s.data, data, len);
    }

    return s;
}


static ngx_int_t
decode(ngx_uint_t c, const char *text, size_t len, ngx_str_t *dst)
{
    ngx_int_t  rc;
    ngx_str_t  src;

    src = exact(text, len);
    dst->len = 12345;
    dst->data = malloc(ngx_max(decoded_max(c, len), 1));
    reason.len = 0;

    rc = codecs[c].decode(dst, &src, &reason);
    free(src.data);

    return rc;
}


static void
known(ngx_uint_t c, const char *plain, const char *text)
{
    ngx_str_t  src, dst;

    src = exact(plain, strlen(plain));
    dst.data = malloc(encoded_length(c, src.len) + 1);
    codecs[c].encode(&dst, &src);
    is_str(dst, text, "%s encodes \"%s\"", codecs[c].name, plain);
    is_int(encoded_length(c, src.len), strlen(text), "the length's macro");
    free(dst.data);
    free(src.data);

    is_int(decode(c, text, strlen(text), &dst), NGX_OK, "decodes \"%s\"",
           text);
    is_str(dst, plain, "to \"%s\"", plain);
    free(dst.data);
}


static void
refused(ngx_uint_t c, const char *text, size_t len)
{
    ngx_str_t  dst;

    is_int(decode(c, text, len, &dst), NGX_DECLINED, "%s refuses \"%s\"",
           codecs[c].name, text);
    ok(reason.len > 0, "with a reason");
    free(dst.data);
}


static void
test_known(void)
{
    /* RFC 4648, section 10 */

    known(0, "", "");
    known(0, "f", "Zg==");
    known(0, "fo", "Zm8=");
    known(0, "foo", "Zm9v");
    known(0, "foob", "Zm9vYg==");
    known(0, "fooba", "Zm9vYmE=");
    known(0, "foobar", "Zm9vYmFy");
    known(0, "\xff\xfe\xfb", "//77");
    known(1, "", "");
    known(1, "f", "Zg");
    known(1, "fo", "Zm8");
    known(1, "foo", "Zm9v");
    known(1, "\xff\xfe\xfb", "__77");
    known(1, "\xfb\xef\xbe", "----");
    known(2, "", "");
    known(2, "foobar", "666f6f626172");
}


static void
test_refused(void)
{
    ngx_str_t    dst;
    ngx_uint_t   i;

    static const char  *base64[] = {
        "Z", "Zg", "Zg=", "Zg===", "Zm9v=", "Zm9v==", "Zm9v====", "====",
        "=", "==", "a===", "Zg==Zg==", "YWJj=EVI", "YWJjEVI=L", "Zm 9",
        "Zm9v\n", "Zm9\n", " Zm9", "Zh==", "Zn==", "Zm9=", "Zm+/=", "Zm-_",
        "Zg=g", "Z===", "=Zg=", "Zg\0=", "\xc3\xa9==", "Zm9v\r\n\r\n"
    };

    static const char  *base64url[] = {
        "Z", "Zg==", "Zg=", "Zm8=", "Zm9vZ", "Zh", "Zm9", "Zm+/", "Z g",
        "Zg\n", "Zm9v=", "====", "\xe2\x80\x8b"
    };

    static const char  *hex[] = {
        "6", "666", "6g", "g6", " 66", "66 ", "6 66", "0x66", "66\n\n", "\n6",
        "6:", "/6", "@6", "`6", "G0", "\xb0\x30"
    };

    for (i = 0; i < sizeof(base64) / sizeof(char *); i++) {
        refused(0, base64[i], strlen(base64[i]));
    }

    for (i = 0; i < sizeof(base64url) / sizeof(char *); i++) {
        refused(1, base64url[i], strlen(base64url[i]));
    }

    for (i = 0; i < sizeof(hex) / sizeof(char *); i++) {
        refused(2, hex[i], strlen(hex[i]));
    }

    refused(0, "Zm9v\0\0\0\0", 8);
    refused(1, "Zm\0", 3);
    refused(2, "66\0\0", 4);

    is_int(decode(2, "aAfF09", 6, &dst), NGX_OK, "hex of either case");
    is_mem(dst.data, dst.len, "\xaa\xff\x09", 3, "is the same");
    free(dst.data);

    (void) decode(0, "Zm9vZ!9v", 8, &dst);
    free(dst.data);
    is_mem(reason.data, reason.len,
           "base64: byte 5 of 8 is outside the alphabet", 43,
           "the reason has the position and not the byte");
}


/*
 * Canonical: over all short texts of a small alphabet, a text is decoded if
 * and only if encoding the result gives it back.
 */

static void
test_canonical(ngx_uint_t c)
{
    char         text[5], back[16];
    size_t       len;
    ngx_int_t    rc;
    ngx_str_t    dst, again;
    ngx_uint_t   i, n, k, all, taken, wrong;

    static const char  few[] = "AQgwBZz0129fF+/-_= \n";

    taken = 0;
    wrong = 0;
    again.data = (u_char *) back;

    for (len = 0, all = 1; len <= 4; len++, all *= sizeof(few) - 1) {

        for (i = 0; i < all; i++) {

            for (n = i, k = 0; k < len; k++, n /= sizeof(few) - 1) {
                text[k] = few[n % (sizeof(few) - 1)];
            }

            rc = decode(c, text, len, &dst);

            if (rc == NGX_OK) {
                taken++;
                codecs[c].encode(&again, &dst);

                for (k = 0; k < len && c == 2; k++) {
                    text[k] = ngx_tolower(text[k]);
                }

                if (again.len != len || memcmp(back, text, len) != 0) {
                    wrong++;
                }
            }

            free(dst.data);
        }
    }

    is_int(wrong, 0, "%s: only canonical texts", codecs[c].name);
    ok(taken > 100, "and some were taken");
}


static void
test_round_trip(ngx_uint_t c)
{
    size_t      len, i;
    ngx_str_t   src, text, back;
    ngx_uint_t  wrong, round;

    wrong = 0;

    for (round = 0; round < 2000; round++) {
        len = (round < 300) ? round : rnd(2000);

        src = exact("", 0);
        free(src.data);
        src.data = malloc(len ? len : 1);
        src.len = len;

        for (i = 0; i < len; i++) {
            src.data[i] = (u_char) rnd(256);
        }

        text.data = malloc(encoded_length(c, len) + 1);
        text.data[encoded_length(c, len)] = 0xa5;
        codecs[c].encode(&text, &src);

        if (text.len != encoded_length(c, len)
            || text.data[text.len] != 0xa5)
        {
            wrong++;
        }

        /* in place */

        back.data = text.data;

        if (codecs[c].decode(&back, &text, &reason) != NGX_OK
            || back.len != len || (len && memcmp(back.data, src.data, len)))
        {
            wrong++;
        }

        free(text.data);
        free(src.data);
    }

    is_int(wrong, 0, "%s: 2000 round trips in place", codecs[c].name);
}


/* every single byte at every place of a text, which is several blocks long */

#define PLACES  72


static void
test_alphabet(ngx_uint_t c)
{
    char         text[PLACES];
    ngx_str_t    dst;
    ngx_uint_t   i, k, taken;

    static ngx_uint_t  expected[] = { 64, 64, 22 };

    for (k = 0; k < PLACES; k++) {
        taken = 0;

        for (i = 0; i < 256; i++) {
            memset(text, 'A', PLACES);
            text[k] = (char) i;
            taken += (decode(c, text, PLACES, &dst) == NGX_OK);
            free(dst.data);
        }

        /* "AAA..A=" is base64 too */

        is_int(taken, expected[c] + (c == 0 && k == PLACES - 1),
               "%s: letters at %d", codecs[c].name, (int) k);
    }
}


static void
test_nothing(ngx_uint_t c)
{
    u_char     byte;
    ngx_str_t  none = ngx_null_string, dst;

    dst.data = &byte;
    dst.len = 1;
    codecs[c].encode(&dst, &none);
    is_int(dst.len, 0, "%s: nothing is encoded", codecs[c].name);

    dst.len = 1;
    is_int(codecs[c].decode(&dst, &none, &reason), NGX_OK, "and decoded");
    is_int(dst.len, 0, "as nothing");
}


static ngx_uint_t
valid(const void *data, size_t len)
{
    ngx_str_t   s;
    ngx_uint_t  rc;

    s = exact(data, len);
    rc = ngx_envelope_utf8_valid(s.data, s.len);
    free(s.data);

    return rc;
}


/* what a code point is in UTF-8, written out by RFC 3629's table */

static size_t
utf8(uint32_t code, u_char *p)
{
    if (code < 0x80) {
        p[0] = (u_char) code;
        return 1;
    }

    if (code < 0x800) {
        p[0] = (u_char) (0xc0 + code / 64);
        p[1] = (u_char) (0x80 + code % 64);
        return 2;
    }

    if (code < 0x10000) {
        p[0] = (u_char) (0xe0 + code / 4096);
        p[1] = (u_char) (0x80 + code / 64 % 64);
        p[2] = (u_char) (0x80 + code % 64);
        return 3;
    }

    p[0] = (u_char) (0xf0 + code / 262144);
    p[1] = (u_char) (0x80 + code / 4096 % 64);
    p[2] = (u_char) (0x80 + code / 64 % 64);
    p[3] = (u_char) (0x80 + code % 64);

    return 4;
}


static void
test_utf8(void)
{
    u_char       buf[32];
    size_t       n;
    uint32_t     code;
    ngx_uint_t   i, wrong, two, three;

    static const char  *bad[] = {
        "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41",
        "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe1\x80", "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80",
        "\xff", "\xfe", "\xf0\x90\x80", "\xf0\x90\x80\x41", "\xe2\x82",
        "\xe2\x41\x82", "\xc3\xa9\xa9"
    };

    for (i = 0; i < sizeof(bad) / sizeof(char *); i++) {
        ok(!valid(bad[i], strlen(bad[i])), "not UTF-8: %d", (int) i);

        for (n = 0; n < 16; n++) {
            memset(buf, 'a', sizeof(buf));
            memcpy(buf + n, bad[i], strlen(bad[i]));

            if (valid(buf, 24) || valid(buf, n + strlen(bad[i]))) {
                fail("not UTF-8 either at %d", (int) n);
            }
        }
    }

    wrong = 0;

    for (code = 0; code < 0x110000; code++) {
        n = utf8(code, buf);

        if (ngx_envelope_utf8_valid(buf, n)
            != (code < 0xd800 || code > 0xdfff)
            || (n > 1 && ngx_envelope_utf8_valid(buf, n - 1)))
        {
            wrong++;
        }
    }

    for (code = 0x110000; code < 0x200000; code++) {
        n = utf8(code, buf);
        wrong += ngx_envelope_utf8_valid(buf, n);
    }

    is_int(wrong, 0, "all code points, and those past the end");

    two = 0;
    three = 0;

    for (i = 0; i < 0x1000000; i++) {
        buf[0] = (u_char) (i >> 16);
        buf[1] = (u_char) (i >> 8);
        buf[2] = (u_char) i;

        if (i < 0x10000) {
            two += ngx_envelope_utf8_valid(buf + 1, 2);
        }

        three += ngx_envelope_utf8_valid(buf, 3);
    }

    is_int(two, 128 * 128 + 1920, "all texts of two bytes");
    is_int(three, 128 * 128 * 128 + 2 * 128 * 1920 + 63488 - 2048,
           "all texts of three bytes");
    ok(valid("", 0), "nothing is UTF-8");
    ok(valid("a\0b", 3), "a NUL is");
}


int
main(void)
{
    ngx_uint_t  c;

    test_known();
    test_refused();

    for (c = 0; c < 3; c++) {
        test_canonical(c);
        test_round_trip(c);
        test_alphabet(c);
        test_nothing(c);
    }

    test_utf8();

    return done_testing();
}
