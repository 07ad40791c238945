
/* ngx_sprintf() and its kin for programs without an nginx; see shim.c. */


#include "shim.h"


/* the flags between % and the conversion */
typedef struct {
    size_t      width;
    size_t      precision;
    size_t      length;         /* %*s; SHIM_NO_LENGTH where not given */
    u_char      fill;
    unsigned    is_unsigned:1;
    unsigned    widest:1;
    unsigned    hex:1;
    unsigned    upper:1;
} shim_spec_t;

#define SHIM_NO_LENGTH  ((size_t) -1)


static u_char *
shim_put(u_char *p, u_char *last, const void *data, size_t len)
{
    /* not ngx_min(last - p, ..): ngx_sprintf() has no last at all */

    if ((uintptr_t) last - (uintptr_t) p < len) {
        len = (uintptr_t) last - (uintptr_t) p;
    }

    if (len) {
        memcpy(p, data, len);
    }

    return p + len;
}


static u_char *
shim_put_number(u_char *p, u_char *last, uint64_t n, shim_spec_t *spec,
    size_t width)
{
    u_char       digits[64], *d;
    unsigned     base;
    const char  *set;

    base = spec->hex ? 16 : 10;
    set = spec->upper ? "0123456789ABCDEF" : "0123456789abcdef";
    d = digits + sizeof(digits);

    do {
        *--d = set[n % base];
        n /= base;
    } while (n);

    while ((size_t) (digits + sizeof(digits) - d) < width && p < last) {
        *p++ = spec->fill;
        width--;
    }

    return shim_put(p, last, d, digits + sizeof(digits) - d);
}


static u_char *
shim_put_bytes(u_char *p, u_char *last, const u_char *data, size_t len,
    shim_spec_t *spec)
{
    u_char       pair[2];
    const char  *set;

    if (!spec->hex) {
        return shim_put(p, last, data, len);
    }

    set = spec->upper ? "0123456789ABCDEF" : "0123456789abcdef";

    while (len-- && (uintptr_t) last - (uintptr_t) p >= 2) {
        pair[0] = set[*data >> 4];
        pair[1] = set[*data++ & 0xf];
        p = shim_put(p, last, pair, 2);
    }

    return p;
}


static u_char *
shim_put_double(u_char *p, u_char *last, double f, shim_spec_t *spec)
{
    double       scale;
    size_t       i;
    uint64_t     whole, part;
    shim_spec_t  rest;

    if (f < 0) {
        p = shim_put(p, last, "-", 1);
        f = -f;
    }

    for (scale = 1, i = 0; i < spec->precision; i++) {
        scale *= 10;
    }

    whole = (uint64_t) f;
    part = (uint64_t) ((f - (double) whole) * scale + 0.5);

    if (spec->precision && part >= (uint64_t) scale) {
        whole++;
        part = 0;
    }

    p = shim_put_number(p, last, whole, spec, spec->width);

    if (spec->precision) {
        rest = *spec;
        rest.fill = '0';
        p = shim_put(p, last, ".", 1);
        p = shim_put_number(p, last, part, &rest, spec->precision);
    }

    return p;
}


static const char *
shim_spec(const char *fmt, shim_spec_t *spec, ngx_uint_t *stars)
{
    memset(spec, 0, sizeof(shim_spec_t));

    spec->fill = ' ';
    spec->length = SHIM_NO_LENGTH;
    *stars = 0;

    if (*fmt == '0') {
        spec->fill = '0';
        fmt++;
    }

    while (*fmt >= '0' && *fmt <= '9') {
        spec->width = spec->width * 10 + (*fmt++ - '0');
    }

    for ( ;; fmt++) {
        switch (*fmt) {

        case 'u':
            spec->is_unsigned = 1;
            continue;

        case 'm':
            spec->widest = 1;
            continue;

        case 'x':
            spec->hex = 1;
            spec->is_unsigned = 1;
            continue;

        case 'X':
            spec->hex = 1;
            spec->upper = 1;
            spec->is_unsigned = 1;
            continue;

        case '*':
            *stars = 1;
            continue;

        case '.':
            while (fmt[1] >= '0' && fmt[1] <= '9') {
                spec->precision = spec->precision * 10 + (*++fmt - '0');
            }
            continue;

        default:
            return fmt;
        }
    }
}


u_char *
ngx_vslprintf(u_char *buf, u_char *last, const char *fmt, va_list args)
{
    int                     is_signed;
    u_char                 *p, c;
    size_t                  width;
    int64_t                 i;
    uint64_t                n;
    ngx_str_t              *v;
    ngx_msec_t              ms;
    ngx_uint_t              stars;
    shim_spec_t             spec;
    const u_char           *s;
    ngx_variable_value_t   *vv;

    p = buf;

    while (*fmt && p < last) {

        if (*fmt != '%') {
            *p++ = *fmt++;
            continue;
        }

        fmt = shim_spec(fmt + 1, &spec, &stars);

        if (stars) {
            spec.length = va_arg(args, size_t);
        }

        i = 0;
        n = 0;
        width = spec.width;
        is_signed = !spec.is_unsigned;

        switch (*fmt) {

        case 'V':
            v = va_arg(args, ngx_str_t *);
            p = shim_put_bytes(p, last, v->data, v->len, &spec);
            fmt++;
            continue;

        case 'v':
            vv = va_arg(args, ngx_variable_value_t *);
            p = shim_put_bytes(p, last, vv->data, vv->len, &spec);
            fmt++;
            continue;

        case 's':
            s = va_arg(args, u_char *);
            p = shim_put_bytes(p, last, s,
                               spec.length == SHIM_NO_LENGTH
                               ? strlen((const char *) s) : spec.length,
                               &spec);
            fmt++;
            continue;

        case 'f':
            p = shim_put_double(p, last, va_arg(args, double), &spec);
            fmt++;
            continue;

        case 'c':
            c = (u_char) va_arg(args, int);
            p = shim_put(p, last, &c, 1);
            fmt++;
            continue;

        case 'Z':
            p = shim_put(p, last, "", 1);
            fmt++;
            continue;

        case 'N':
            p = shim_put(p, last, "\n", 1);
            fmt++;
            continue;

        case '%':
            p = shim_put(p, last, "%", 1);
            fmt++;
            continue;

        case '\0':
            continue;

        case 'O':
            i = va_arg(args, off_t);
            is_signed = 1;
            break;

        case 'P':
            i = va_arg(args, ngx_pid_t);
            is_signed = 1;
            break;

        case 'T':
            i = va_arg(args, time_t);
            is_signed = 1;
            break;

        case 'M':
            ms = va_arg(args, ngx_msec_t);
            n = ms;
            i = -1;
            is_signed = (ms == (ngx_msec_t) -1);
            break;

        case 'r':
            i = (int64_t) va_arg(args, rlim_t);
            is_signed = 1;
            break;

        case 'z':
            if (is_signed) {
                i = va_arg(args, ssize_t);
            } else {
                n = va_arg(args, size_t);
            }
            break;

        case 'i':
            if (is_signed) {
                i = va_arg(args, ngx_int_t);
            } else {
                n = va_arg(args, ngx_uint_t);
            }

            if (spec.widest) {
                width = NGX_INT_T_LEN;
            }
            break;

        case 'd':
            if (is_signed) {
                i = va_arg(args, int);
            } else {
                n = va_arg(args, u_int);
            }
            break;

        case 'l':
            if (is_signed) {
                i = va_arg(args, long);
            } else {
                n = va_arg(args, unsigned long);
            }
            break;

        case 'D':
            if (is_signed) {
                i = va_arg(args, int32_t);
            } else {
                n = va_arg(args, uint32_t);
            }
            break;

        case 'L':
            if (is_signed) {
                i = va_arg(args, int64_t);
            } else {
                n = va_arg(args, uint64_t);
            }
            break;

        case 'A':
            if (is_signed) {
                i = va_arg(args, ngx_atomic_int_t);
            } else {
                n = va_arg(args, ngx_atomic_uint_t);
            }

            if (spec.widest) {
                width = NGX_ATOMIC_T_LEN;
            }
            break;

        case 'p':
            n = (uintptr_t) va_arg(args, void *);
            spec.hex = 1;
            spec.upper = 1;
            spec.fill = '0';
            width = 2 * sizeof(void *);
            is_signed = 0;
            break;

        default:
            *p++ = *fmt++;
            continue;
        }

        if (is_signed) {
            if (i < 0) {
                p = shim_put(p, last, "-", 1);
            }

            n = (i < 0) ? 0 - (uint64_t) i : (uint64_t) i;
        }

        p = shim_put_number(p, last, n, &spec, width);
        fmt++;
    }

    return p;
}


u_char * ngx_cdecl
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(buf, (u_char *) UINTPTR_MAX, fmt, args);
    va_end(args);

    return p;
}


u_char * ngx_cdecl
ngx_snprintf(u_char *buf, size_t max, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(buf, buf + max, fmt, args);
    va_end(args);

    return p;
}


u_char * ngx_cdecl
ngx_slprintf(u_char *buf, u_char *last, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(buf, last, fmt, args);
    va_end(args);

    return p;
}
