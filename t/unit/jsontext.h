
/*
 * For the tests of the scan: a scan of a copy, a second opinion on what is
 * JSON, and texts of all kinds.
 */


#ifndef _JSONTEXT_H_INCLUDED_
#define _JSONTEXT_H_INCLUDED_


#include "shim.h"
#include "tap.h"
#include "rnd.h"
#include "ngx_envelope_json.h"

#include <ctype.h>


static ngx_envelope_reason_t   reason;
static ngx_envelope_node_t    *root;
static ngx_pool_t             *pool;


static void
fresh(void)
{
    if (pool) {
        ngx_destroy_pool(pool);
    }

    shim_reset();
    pool = ngx_create_pool(4096, &shim_log);
}


/* scans a copy that ends where its allocation ends */

static ngx_int_t
scan(const void *data, size_t len, ngx_uint_t depth)
{
    ngx_str_t  text;

    fresh();

    text.len = len;
    text.data = ngx_pnalloc(pool, len ? len : 1);

    if (len) {
        memcpy(text.data, data, len);
    }

    root = NULL;
    reason.len = 0;

    return ngx_envelope_json_scan(pool, &text, depth, &root, &reason);
}


/*
 * A second opinion for the tests: RFC 8259's grammar by recursive descent,
 * and a line a value with its type, place and level.
 */

typedef struct {
    const u_char  *start;
    const u_char  *p;
    const u_char  *last;
    char          *out;       /* may be NULL */
    ngx_uint_t     depth;
} check_t;


static int check_value(check_t *c, ngx_uint_t level, size_t name);


static void
check_white(check_t *c)
{
    while (c->p < c->last && strchr(" \t\r\n", *c->p) && *c->p) {
        c->p++;
    }
}


static int
check_string(check_t *c)
{
    int  i;

    for (c->p++; c->p < c->last && *c->p != '"'; c->p++) {
        if (*c->p < 0x20) {
            return 0;
        }

        if (*c->p != '\\') {
            continue;
        }

        c->p++;

        if (c->p == c->last || *c->p == '\0') {
            return 0;
        }

        if (*c->p == 'u') {
            for (i = 0; i < 4; i++) {
                c->p++;
                if (c->p >= c->last || !isxdigit(*c->p)) {
                    return 0;
                }
            }

        } else if (strchr("\"\\/bfnrt", *c->p) == NULL) {
            return 0;
        }
    }

    if (c->p >= c->last) {
        return 0;
    }

    c->p++;

    return 1;
}


static int
check_digits(check_t *c)
{
    const u_char  *from;

    from = c->p;

    while (c->p < c->last && isdigit(*c->p)) {
        c->p++;
    }

    return c->p > from;
}


static int
check_number(check_t *c)
{
    if (c->p < c->last && *c->p == '-') {
        c->p++;
    }

    if (c->p < c->last && *c->p == '0') {
        c->p++;

    } else if (!check_digits(c)) {
        return 0;
    }

    if (c->p < c->last && *c->p == '.') {
        c->p++;
        if (!check_digits(c)) {
            return 0;
        }
    }

    if (c->p < c->last && (*c->p == 'e' || *c->p == 'E')) {
        c->p++;

        if (c->p < c->last && (*c->p == '+' || *c->p == '-')) {
            c->p++;
        }

        return check_digits(c);
    }

    return 1;
}


static int
check_container(check_t *c, ngx_uint_t level)
{
    size_t  name;
    u_char  close;

    if (level == 128) {
        return 0;
    }

    close = (*c->p == '{') ? '}' : ']';
    c->p++;
    check_white(c);

    if (c->p < c->last && *c->p == close) {
        c->p++;
        return 1;
    }

    for ( ;; ) {
        check_white(c);
        name = 0;

        if (close == '}') {
            name = c->p - c->start;

            if (c->p == c->last || *c->p != '"' || !check_string(c)) {
                return 0;
            }

            check_white(c);

            if (c->p == c->last || *c->p++ != ':') {
                return 0;
            }

            check_white(c);
        }

        if (!check_value(c, level + 1, name)) {
            return 0;
        }

        check_white(c);

        if (c->p == c->last) {
            return 0;
        }

        if (*c->p == close) {
            c->p++;
            return 1;
        }

        if (*c->p++ != ',') {
            return 0;
        }
    }
}


static int
check_value(check_t *c, ngx_uint_t level, size_t name)
{
    int            rc;
    char          *line;
    const u_char  *from;

    if (c->p == c->last) {
        return 0;
    }

    /* the line stands before those of what is inside, so it is filled later */

    from = c->p;
    line = NULL;

    if (c->out && level <= c->depth) {
        line = c->out;
        c->out += 48;
    }

    switch (*from) {

    case '{':
    case '[':
        rc = check_container(c, level);
        break;

    case '"':
        rc = check_string(c);
        break;

    case 't':
    case 'f':
    case 'n':
        rc = (*from == 't') ? 4 : (*from == 'f') ? 5 : 4;

        if (c->last - c->p < rc
            || memcmp(from, (*from == 't') ? "true" : (*from == 'f') ? "false"
                            : "null", rc) != 0)
        {
            return 0;
        }

        c->p += rc;
        rc = 1;
        break;

    default:
        rc = check_number(c);
    }

    if (rc && line) {
        memset(line, ' ', 48);
        (void) snprintf(line, 48, "%c %lu %lu %lu %lu", *from,
                        (u_long) level, (u_long) name,
                        (u_long) (from - c->start),
                        (u_long) (c->p - c->start));
    }

    return rc;
}


static int
check_text(const u_char *data, size_t len, ngx_uint_t depth, char *out)
{
    check_t  c;

    c.start = data;
    c.p = data;
    c.last = data + len;
    c.out = out;
    c.depth = depth;

    check_white(&c);

    if (!check_value(&c, 0, 0)) {
        return 0;
    }

    check_white(&c);

    if (out) {
        *c.out = '\0';
    }

    return c.p == c.last;
}


static size_t
make_white(u_char *p)
{
    size_t  n, i;

    n = (rnd(3) == 0) ? rnd(4) : 0;

    for (i = 0; i < n; i++) {
        p[i] = (u_char) " \t\r\n"[rnd(4)];
    }

    return n;
}


static size_t
make_string(u_char *p)
{
    size_t       n, i, len;
    const char  *s;

    static const char  *pieces[] = {
        "a", "data", "\\\"", "\\\\", "\\/", "\\u0061", "\\uD83D\\uDE00",
        "\xc3\xa9", "\xf0\x9f\x98\x80", "{", "}", "[", "]", ",", ":", " ",
        "\\ud800", "\\u0000", "\\n", "\x7f", "/*"
    };

    p[0] = '"';
    len = 1;
    n = rnd(5);

    for (i = 0; i < n; i++) {
        s = pieces[rnd(sizeof(pieces) / sizeof(char *))];
        memcpy(p + len, s, strlen(s));
        len += strlen(s);
    }

    p[len++] = '"';

    return len;
}


static size_t
make_value(u_char *p, ngx_uint_t level)
{
    size_t       len, n, i;
    const char  *s;

    static const char  *scalars[] = {
        "null", "true", "false", "0", "-0", "1", "-12", "1.50", "1e5",
        "1E+05", "-0.0e-1", "123456789012345678901234567890"
    };

    switch (rnd(level > 5 ? 2 : 4)) {

    case 0:
        s = scalars[rnd(sizeof(scalars) / sizeof(char *))];
        memcpy(p, s, strlen(s));
        return strlen(s);

    case 1:
        return make_string(p);
    }

    i = rnd(2);
    p[0] = (u_char) "{["[i];
    len = 1;
    len += make_white(p + len);

    for (n = rnd(4); n; n--) {

        if (i == 0) {
            len += make_string(p + len);
            len += make_white(p + len);
            p[len++] = ':';
            len += make_white(p + len);
        }

        len += make_value(p + len, level + 1);
        len += make_white(p + len);

        if (n > 1) {
            p[len++] = ',';
            len += make_white(p + len);
        }
    }

    p[len++] = (u_char) "}]"[i];

    return len;
}


/* puts another byte somewhere, takes one away, or adds one */

static size_t
spoil(u_char *text, size_t len)
{
    size_t  k;

    static const u_char  bytes[] = "{}[],:\" \\u0-.e1tn\f\v\0/\x1f";

    k = rnd((uint32_t) len);

    switch (rnd(3)) {

    case 0:
        text[k] = bytes[rnd(sizeof(bytes) - 1)];
        return len;

    case 1:
        memmove(text + k, text + k + 1, len - k - 1);
        return len - 1;

    default:
        memmove(text + k + 1, text + k, len - k);
        text[k] = bytes[rnd(sizeof(bytes) - 1)];
        return len + 1;
    }
}


#endif /* _JSONTEXT_H_INCLUDED_ */
