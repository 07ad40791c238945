
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_json.h"
#include "ngx_envelope_json_plain.h"
#include "ngx_envelope_codec.h"
#include "ngx_envelope_secret.h"


/* in place of a code unit: there are not four hexadecimal digits */

#define NGX_ENVELOPE_JSON_BAD_UNIT   0x110000


/* how a string is decoded */

#define NGX_ENVELOPE_JSON_STRICT     0
#define NGX_ENVELOPE_JSON_LENIENT    1  /* lone surrogates as three bytes */


static ngx_int_t ngx_envelope_json_unescape(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *dst, ngx_uint_t lenient, ngx_envelope_reason_t *reason);
static u_char *ngx_envelope_json_escape(u_char **pos, u_char *last, u_char *p,
    ngx_uint_t lenient);
static uint32_t ngx_envelope_json_code(u_char **pos, u_char *last);
static uint32_t ngx_envelope_json_unit(u_char *p, u_char *last);
static u_char *ngx_envelope_json_utf8(u_char *p, uint32_t code);
static ngx_int_t ngx_envelope_json_growth(ngx_str_t *src);
static u_char *ngx_envelope_json_write(u_char *p, u_char ch);
static u_char ngx_envelope_json_short(u_char ch);


/* the letter after the backslash and what it stands for */

static const struct {
    u_char  letter;
    u_char  byte;
} ngx_envelope_json_escapes[] = {
    { '"', '"' },
    { '\\', '\\' },
    { 'b', '\b' },
    { 't', '\t' },
    { 'n', LF },
    { 'f', '\f' },
    { 'r', CR },
    { '/', '/' },      /* read, never written */
    { 0, 0 }
};


ngx_int_t
ngx_envelope_json_decode(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *dst,
    ngx_envelope_reason_t *reason)
{
    return ngx_envelope_json_unescape(pool, text, dst,
                                      NGX_ENVELOPE_JSON_STRICT, reason);
}


ngx_int_t
ngx_envelope_json_decode_name(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *dst, ngx_envelope_reason_t *reason)
{
    return ngx_envelope_json_unescape(pool, text, dst,
                                      NGX_ENVELOPE_JSON_LENIENT, reason);
}


static ngx_int_t
ngx_envelope_json_unescape(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *dst,
    ngx_uint_t lenient, ngx_envelope_reason_t *reason)
{
    u_char  *p, *s, *last, *start, *escape;

    if (text->len < 2 || text->data[0] != '"'
        || text->data[text->len - 1] != '"')
    {
        return ngx_envelope_declined(reason, "not a JSON string");
    }

    s = text->data + 1;
    last = text->data + text->len - 1;

    if (memchr(s, '\\', last - s) == NULL) {
        dst->data = s;
        dst->len = last - s;
        return NGX_OK;
    }

    /* no escape is shorter than what it stands for */

    start = ngx_envelope_secret_alloc(pool, last - s);
    if (start == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    p = start;

    for ( ;; ) {
        s = ngx_envelope_json_copy(&p, s, last);

        if (s == last) {
            break;
        }

        escape = s++;

        p = ngx_envelope_json_escape(&s, last, p, lenient);

        if (p == NULL) {
            return ngx_envelope_declined(reason,
                  "JSON string has a lone surrogate or a bad escape "
                  "at its byte %uz",
                  (size_t) (escape - text->data));
        }
    }

    dst->data = start;
    dst->len = p - start;

    return NGX_OK;
}


/* *pos is behind the backslash, and behind the escape afterwards */

static u_char *
ngx_envelope_json_escape(u_char **pos, u_char *last, u_char *p,
    ngx_uint_t lenient)
{
    uint32_t     code;
    ngx_uint_t   i;

    if (*pos == last) {
        return NULL;
    }

    if (**pos != 'u') {

        for (i = 0; ngx_envelope_json_escapes[i].letter; i++) {
            if (ngx_envelope_json_escapes[i].letter == **pos) {
                (*pos)++;
                *p++ = ngx_envelope_json_escapes[i].byte;
                return p;
            }
        }

        return NULL;
    }

    (*pos)++;

    code = ngx_envelope_json_code(pos, last);

    if (code == NGX_ENVELOPE_JSON_BAD_UNIT
        || (code >= 0xd800 && code <= 0xdfff && !lenient))
    {
        return NULL;
    }

    return ngx_envelope_json_utf8(p, code);
}


/*
 * The code point of one or, for a pair of surrogates, two \uXXXX; *pos is at
 * the digits of the first.  A lone surrogate is returned as it is.
 */

static uint32_t
ngx_envelope_json_code(u_char **pos, u_char *last)
{
    u_char    *p;
    uint32_t   high, low;

    p = *pos;

    high = ngx_envelope_json_unit(p, last);
    if (high == NGX_ENVELOPE_JSON_BAD_UNIT) {
        return high;
    }

    p += 4;
    *pos = p;

    if (high < 0xd800 || high > 0xdbff
        || last - p < 2 || p[0] != '\\' || p[1] != 'u')
    {
        return high;
    }

    low = ngx_envelope_json_unit(p + 2, last);

    if (low < 0xdc00 || low > 0xdfff) {
        return high;
    }

    *pos = p + 6;

    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}


static uint32_t
ngx_envelope_json_unit(u_char *p, u_char *last)
{
    u_char       ch;
    uint32_t     unit;
    ngx_uint_t   i;

    if (last - p < 4) {
        return NGX_ENVELOPE_JSON_BAD_UNIT;
    }

    unit = 0;

    for (i = 0; i < 4; i++) {
        ch = (u_char) (p[i] | 0x20);

        if (p[i] >= '0' && p[i] <= '9') {
            unit = unit << 4 | (uint32_t) (p[i] - '0');

        } else if (ch >= 'a' && ch <= 'f') {
            unit = unit << 4 | (uint32_t) (ch - 'a' + 10);

        } else {
            return NGX_ENVELOPE_JSON_BAD_UNIT;
        }
    }

    return unit;
}


static u_char *
ngx_envelope_json_utf8(u_char *p, uint32_t code)
{
    if (code < 0x80) {
        *p++ = (u_char) code;
        return p;
    }

    if (code < 0x800) {
        *p++ = (u_char) (0xc0 | code >> 6);

    } else {

        if (code < 0x10000) {
            *p++ = (u_char) (0xe0 | code >> 12);

        } else {
            *p++ = (u_char) (0xf0 | code >> 18);
            *p++ = (u_char) (0x80 | (code >> 12 & 0x3f));
        }

        *p++ = (u_char) (0x80 | (code >> 6 & 0x3f));
    }

    *p++ = (u_char) (0x80 | (code & 0x3f));

    return p;
}


ngx_int_t
ngx_envelope_json_encode(ngx_pool_t *pool, ngx_str_t *src, ngx_str_t *dst,
    ngx_envelope_reason_t *reason)
{
    u_char      *p, *s, *last, *end, *stop;
    ngx_int_t    growth;
    ngx_uint_t   wide;

    growth = ngx_envelope_json_growth(src);

    if (growth == NGX_ERROR) {
        return ngx_envelope_declined(reason, "not UTF-8");
    }

    dst->len = src->len + growth + 2;

    p = ngx_envelope_secret_alloc(pool, dst->len);
    if (p == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    dst->data = p;
    end = p + dst->len;

    *p++ = '"';

    s = src->data;
    last = s + src->len;

    /* without an escape it is one copy */

    wide = growth && src->len >= NGX_ENVELOPE_JSON_LONG
           && ngx_envelope_json_wide();

    while (s < last) {

        if (wide) {
            s = ngx_envelope_json_wide_encode(&p, end, s, last);

        } else {
            stop = growth ? ngx_envelope_json_plain(s, last) : last;
            p = ngx_cpymem(p, s, stop - s);
            s = stop;
        }

        if (s < last) {
            p = ngx_envelope_json_write(p, *s++);
        }
    }

    *p = '"';

    return NGX_OK;
}


/* how many bytes the escapes add, or NGX_ERROR if it is not UTF-8 */

static ngx_int_t
ngx_envelope_json_growth(ngx_str_t *src)
{
    u_char      *s, *last;
    size_t       n;
    ngx_int_t    growth, rest;
    ngx_uint_t   wide;

    s = src->data;
    last = s + src->len;
    growth = 0;

    wide = src->len >= NGX_ENVELOPE_JSON_LONG && ngx_envelope_json_wide();

    while ((s = ngx_envelope_json_plain(s, last)) < last) {

        if (wide && s - src->data >= 3) {
            rest = ngx_envelope_json_wide_growth(s, last);

            return (rest == NGX_ERROR) ? NGX_ERROR : growth + rest;
        }

        n = 1;

        if (*s >= 0x80) {
            n = ngx_envelope_utf8_sequence(s, last - s);

            if (n == 0) {
                return NGX_ERROR;
            }

        } else {
            growth += ngx_envelope_json_short(*s) ? 1 : 5;
        }

        s += n;
    }

    return growth;
}


/* a byte that is escaped, or one of what is not ASCII */

static u_char *
ngx_envelope_json_write(u_char *p, u_char ch)
{
    u_char               letter;
    static const u_char  hex[] = "0123456789abcdef";

    if (ch >= 0x80) {
        *p++ = ch;
        return p;
    }

    *p++ = '\\';

    letter = ngx_envelope_json_short(ch);

    if (letter) {
        *p++ = letter;
        return p;
    }

    p = ngx_cpymem(p, "u00", 3);
    *p++ = hex[ch >> 4];
    *p++ = hex[ch & 0x0f];

    return p;
}


/* the letter that the byte is written with after a backslash, or 0 */

static u_char
ngx_envelope_json_short(u_char ch)
{
    ngx_uint_t  i;

    if (ch >= 0x20) {
        return (ch == '"' || ch == '\\') ? ch : 0;
    }

    for (i = 0; ngx_envelope_json_escapes[i].letter; i++) {
        if (ngx_envelope_json_escapes[i].byte == ch) {
            return ngx_envelope_json_escapes[i].letter;
        }
    }

    return 0;
}


ngx_uint_t
ngx_envelope_json_is_number(ngx_str_t *text)
{
    u_char  *last, *wrong;

    last = text->data + text->len;

    return text->len
           && ngx_envelope_json_number_end(text->data, last, &wrong) == last;
}


ngx_uint_t
ngx_envelope_json_equal(ngx_str_t *a, ngx_str_t *b)
{
    u_char      *p, *q, *p_last, *q_last;
    ngx_uint_t   quoted;

    if (a->len == 0 || b->len == 0) {
        return a->len == b->len;
    }

    p = a->data;
    q = b->data;
    p_last = p + a->len;
    q_last = q + b->len;
    quoted = 0;

    for ( ;; ) {

        if (!quoted) {
            p = ngx_envelope_json_skip(p, p_last);
            q = ngx_envelope_json_skip(q, q_last);
        }

        if (p == p_last || q == q_last) {
            return p == p_last && q == q_last;
        }

        if (*p != *q) {
            return 0;
        }

        if (*p == '"') {
            quoted = !quoted;

        } else if (*p == '\\' && p_last - p > 1 && q_last - q > 1) {

            /* an escaped quote closes nothing */

            p++;
            q++;

            if (*p != *q) {
                return 0;
            }
        }

        p++;
        q++;
    }
}
