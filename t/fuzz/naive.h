
/*
 * JSON and UTF-8 once more, written from RFC 8259 and RFC 3629 and as plainly
 * as possible, to hold against the core.
 */


#ifndef _NAIVE_H_INCLUDED_
#define _NAIVE_H_INCLUDED_


#include "fuzz.h"

#include "ngx_envelope_json.h"


typedef struct naive_s  naive_t;

struct naive_s {
    ngx_envelope_json_type_e   type;
    const u_char              *from;
    const u_char              *to;
    ngx_str_t                  name;
    ngx_str_t                  value;    /* of a string, decoded */
    ngx_uint_t                 lone;     /* .. it has a lone surrogate */
    ngx_uint_t                 twice;    /* the name stood there before */
    naive_t                   *child;
    naive_t                   *next;
};


typedef struct {
    const u_char              *p;
    const u_char              *end;
    ngx_uint_t                 level;
} naive_text_t;


static naive_t *naive_value(naive_text_t *t);


/* the code point, its bytes counted to *n; -1 where there is none */

util long
naive_utf8(const u_char *p, size_t len, size_t *n)
{
    long    code;
    size_t  i;

    static const long  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (p[0] < 0x80) {
        *n = 1;
        return p[0];
    }

    *n = (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3
         : (p[0] & 0xf8) == 0xf0 ? 4 : 0;

    if (*n == 0 || *n > len) {
        return -1;
    }

    code = p[0] & (0x7f >> *n);

    for (i = 1; i < *n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return -1;
        }

        code = code << 6 | (p[i] & 0x3f);
    }

    return (code < least[*n] || code > 0x10ffff
            || (code >= 0xd800 && code <= 0xdfff)) ? -1 : code;
}


util ngx_uint_t
naive_utf8_valid(const u_char *p, size_t len)
{
    size_t  n;

    while (len) {
        if (naive_utf8(p, len, &n) < 0) {
            return 0;
        }

        p += n;
        len -= n;
    }

    return 1;
}


static void
naive_space(naive_text_t *t)
{
    while (t->p < t->end && memchr(" \t\r\n", *t->p, 4)) {
        t->p++;
    }
}


static ngx_uint_t
naive_take(naive_text_t *t, const char *s)
{
    if ((size_t) (t->end - t->p) < strlen(s)
        || memcmp(t->p, s, strlen(s)) != 0)
    {
        return 0;
    }

    t->p += strlen(s);

    return 1;
}


/* the four digits behind a "\u" */

static long
naive_unit(naive_text_t *t)
{
    char         buf[5], *end;
    long         n;
    ngx_uint_t   i;

    if (t->end - t->p < 4) {
        return -1;
    }

    for (i = 0; i < 4; i++) {
        buf[i] = (char) t->p[i];

        if (!strchr("0123456789abcdefABCDEF", buf[i]) || buf[i] == '\0') {
            return -1;
        }
    }

    buf[4] = '\0';
    n = strtol(buf, &end, 16);
    t->p += 4;

    return n;
}


static u_char *
naive_put(u_char *dst, long code)
{
    if (code < 0x80) {
        *dst++ = (u_char) code;

    } else if (code < 0x800) {
        *dst++ = (u_char) (0xc0 | code >> 6);
        *dst++ = (u_char) (0x80 | (code & 0x3f));

    } else if (code < 0x10000) {
        *dst++ = (u_char) (0xe0 | code >> 12);
        *dst++ = (u_char) (0x80 | (code >> 6 & 0x3f));
        *dst++ = (u_char) (0x80 | (code & 0x3f));

    } else {
        *dst++ = (u_char) (0xf0 | code >> 18);
        *dst++ = (u_char) (0x80 | (code >> 12 & 0x3f));
        *dst++ = (u_char) (0x80 | (code >> 6 & 0x3f));
        *dst++ = (u_char) (0x80 | (code & 0x3f));
    }

    return dst;
}


/* what follows a backslash */

static u_char *
naive_escape(naive_text_t *t, u_char *dst, ngx_uint_t *lone)
{
    long           code, low;
    const char    *s;
    const u_char  *p;

    static const char  letters[] = "\"\\/bfnrt";
    static const char  meant[] = "\"\\/\b\f\n\r\t";

    if (t->p == t->end) {
        return NULL;
    }

    s = *t->p ? strchr(letters, *t->p) : NULL;

    if (s) {
        t->p++;
        *dst++ = (u_char) meant[s - letters];
        return dst;
    }

    if (*t->p++ != 'u' || (code = naive_unit(t)) < 0) {
        return NULL;
    }

    if (code >= 0xd800 && code < 0xdc00) {
        p = t->p;

        low = naive_take(t, "\\u") ? naive_unit(t) : -1;

        if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);

        } else {
            t->p = p;
        }
    }

    if (code >= 0xd800 && code < 0xe000) {
        *lone = 1;
    }

    return naive_put(dst, code);
}


static ngx_uint_t
naive_string(naive_text_t *t, ngx_str_t *value, ngx_uint_t *lone)
{
    u_char  *dst;

    if (!naive_take(t, "\"")) {
        return 0;
    }

    value->data = ngx_pnalloc(pool, t->end - t->p + 1);
    dst = value->data;

    while (t->p < t->end && *t->p != '"') {

        if (*t->p < 0x20) {
            return 0;
        }

        if (*t->p != '\\') {
            *dst++ = *t->p++;
            continue;
        }

        t->p++;

        dst = naive_escape(t, dst, lone);
        if (dst == NULL) {
            return 0;
        }
    }

    value->len = dst - value->data;

    return naive_take(t, "\"");
}


static size_t
naive_digits(naive_text_t *t)
{
    size_t  n;

    for (n = 0; t->p < t->end && *t->p >= '0' && *t->p <= '9'; n++) {
        t->p++;
    }

    return n;
}


static ngx_uint_t
naive_number(naive_text_t *t)
{
    (void) naive_take(t, "-");

    if (!naive_take(t, "0") && naive_digits(t) == 0) {
        return 0;
    }

    if (naive_take(t, ".") && naive_digits(t) == 0) {
        return 0;
    }

    if (naive_take(t, "e") || naive_take(t, "E")) {

        if (!naive_take(t, "+")) {
            (void) naive_take(t, "-");
        }

        return naive_digits(t) > 0;
    }

    return 1;
}


static ngx_uint_t
naive_member(naive_text_t *t, naive_t *parent, naive_t ***last)
{
    naive_t     *v, *other;
    ngx_str_t    name;
    ngx_uint_t   lone, object;

    object = (parent->type == NGX_ENVELOPE_JSON_OBJECT);
    lone = 0;

    naive_space(t);

    if (object) {
        if (!naive_string(t, &name, &lone)) {
            return 0;
        }

        naive_space(t);

        if (!naive_take(t, ":")) {
            return 0;
        }

        naive_space(t);
    }

    v = naive_value(t);
    if (v == NULL) {
        return 0;
    }

    if (object) {
        v->name = name;

        for (other = parent->child; other; other = other->next) {
            v->twice |= fuzz_same(&other->name, &name);
        }
    }

    **last = v;
    *last = &v->next;

    naive_space(t);

    return 1;
}


static ngx_uint_t
naive_container(naive_text_t *t, naive_t *v, const char *close)
{
    naive_t  **last;

    if (++t->level > NGX_ENVELOPE_JSON_DEPTH_MAX) {
        return 0;
    }

    last = &v->child;

    naive_space(t);

    if (!naive_take(t, close)) {

        do {
            if (!naive_member(t, v, &last)) {
                return 0;
            }

        } while (naive_take(t, ","));

        if (!naive_take(t, close)) {
            return 0;
        }
    }

    t->level--;

    return 1;
}


static naive_t *
naive_value(naive_text_t *t)
{
    naive_t     *v;
    ngx_uint_t   good;

    v = ngx_pcalloc(pool, sizeof(naive_t));
    v->from = t->p;

    if (naive_take(t, "null")) {
        v->type = NGX_ENVELOPE_JSON_NULL;
        good = 1;

    } else if (naive_take(t, "true") || naive_take(t, "false")) {
        v->type = NGX_ENVELOPE_JSON_BOOLEAN;
        good = 1;

    } else if (t->p < t->end && *t->p == '"') {
        v->type = NGX_ENVELOPE_JSON_STRING;
        good = naive_string(t, &v->value, &v->lone);

    } else if (naive_take(t, "{")) {
        v->type = NGX_ENVELOPE_JSON_OBJECT;
        good = naive_container(t, v, "}");

    } else if (naive_take(t, "[")) {
        v->type = NGX_ENVELOPE_JSON_ARRAY;
        good = naive_container(t, v, "]");

    } else {
        v->type = NGX_ENVELOPE_JSON_NUMBER;
        good = naive_number(t);
    }

    v->to = t->p;

    return good ? v : NULL;
}


/* NULL for what is not JSON */

util naive_t *
naive_json(ngx_str_t *text)
{
    naive_t       *v;
    naive_text_t   t;

    if (!naive_utf8_valid(text->data, text->len)) {
        return NULL;
    }

    t.p = text->data;
    t.end = text->data + text->len;
    t.level = 0;

    naive_space(&t);
    v = naive_value(&t);
    naive_space(&t);

    return (t.p == t.end) ? v : NULL;
}


/* as it stands in the text */

util ngx_str_t
naive_raw(naive_t *v)
{
    ngx_str_t  text;

    text.data = (u_char *) v->from;
    text.len = v->to - v->from;

    return text;
}


/* what a template reads */

util ngx_str_t
naive_read(naive_t *v)
{
    return (v->type == NGX_ENVELOPE_JSON_STRING) ? v->value : naive_raw(v);
}


util ngx_uint_t
naive_is(naive_t *v, const char *name)
{
    return v->name.len == strlen(name)
           && memcmp(v->name.data, name, v->name.len) == 0;
}


/* the first member of the name */

util naive_t *
naive_get(naive_t *object, const char *name)
{
    naive_t  *v;

    for (v = object->child; v; v = v->next) {
        if (naive_is(v, name)) {
            return v;
        }
    }

    return NULL;
}


/*
 * "<sorted>" of the members but for those named, by picking the least one
 * again and again; 0 where a name stands twice or a string has no text.
 */

util ngx_uint_t
naive_sorted(naive_t *object, const char **except, ngx_uint_t skip_empty,
    ngx_str_t *text)
{
    int           rc;
    u_char       *p;
    size_t        len, n;
    naive_t      *v, *least;
    ngx_str_t     value, last;
    ngx_uint_t    i, first;

    len = 1;

    for (v = object->child; v; v = v->next) {
        value = naive_read(v);
        len += v->name.len + value.len + 2;

        if (v->twice) {
            return 0;
        }
    }

    p = ngx_pnalloc(pool, len);
    text->data = p;
    ngx_str_null(&last);
    first = 1;

    for ( ;; ) {
        least = NULL;

        for (v = object->child; v; v = v->next) {

            /* of the names behind the last one the smallest */

            n = ngx_min(v->name.len, last.len);
            rc = n ? memcmp(v->name.data, last.data, n) : 0;

            if (last.data
                && (rc < 0 || (rc == 0 && v->name.len <= last.len)))
            {
                continue;
            }

            if (least) {
                n = ngx_min(v->name.len, least->name.len);
                rc = n ? memcmp(v->name.data, least->name.data, n) : 0;

                if (rc > 0 || (rc == 0 && v->name.len >= least->name.len)) {
                    continue;
                }
            }

            least = v;
        }

        if (least == NULL) {
            break;
        }

        last = least->name;

        for (i = 0; except[i] && !naive_is(least, except[i]); i++) {
            /* void */
        }

        if (except[i]
            || (skip_empty
                && (least->type == NGX_ENVELOPE_JSON_NULL
                    || (least->type == NGX_ENVELOPE_JSON_STRING
                        && least->to - least->from == 2))))
        {
            continue;
        }

        if (least->lone) {
            return 0;
        }

        if (!first) {
            *p++ = '&';
        }

        first = 0;

        value = naive_read(least);

        ngx_memcpy(p, least->name.data, least->name.len);
        p += least->name.len;
        *p++ = '=';
        ngx_memcpy(p, value.data, value.len);
        p += value.len;
    }

    text->len = p - text->data;

    return 1;
}


#endif /* _NAIVE_H_INCLUDED_ */
