
/* nginx's functions of strings and numbers for programs without an nginx; see
 * shim.c. */


#include "shim.h"


void
ngx_strlow(u_char *dst, u_char *src, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        dst[i] = ngx_tolower(src[i]);
    }
}


size_t
ngx_strnlen(u_char *p, size_t n)
{
    return strnlen((char *) p, n);
}


u_char *
ngx_cpystrn(u_char *dst, u_char *src, size_t n)
{
    size_t  len;

    if (n == 0) {
        return dst;
    }

    len = strnlen((char *) src, n - 1);
    memcpy(dst, src, len);
    dst[len] = '\0';

    return dst + len;
}


u_char *
ngx_pstrdup(ngx_pool_t *pool, ngx_str_t *src)
{
    u_char  *dst;

    dst = ngx_pnalloc(pool, src->len);

    if (dst != NULL && src->len) {
        memcpy(dst, src->data, src->len);
    }

    return dst;
}


/* case is folded for ASCII only, whatever the locale */

static ngx_int_t
shim_casecmp(u_char *s1, u_char *s2, size_t n, ngx_uint_t stop)
{
    size_t     i;
    ngx_int_t  diff;

    for (i = 0; i < n; i++) {
        diff = (ngx_int_t) ngx_tolower(s1[i]) - (ngx_int_t) ngx_tolower(s2[i]);

        if (diff || (stop && s1[i] == '\0')) {
            return diff;
        }
    }

    return 0;
}


ngx_int_t
ngx_strcasecmp(u_char *s1, u_char *s2)
{
    return shim_casecmp(s1, s2, (size_t) -1, 1);
}


ngx_int_t
ngx_strncasecmp(u_char *s1, u_char *s2, size_t n)
{
    return shim_casecmp(s1, s2, n, 1);
}


ngx_int_t
ngx_rstrncmp(u_char *s1, u_char *s2, size_t n)
{
    while (n--) {
        if (s1[n] != s2[n]) {
            return (ngx_int_t) s1[n] - (ngx_int_t) s2[n];
        }
    }

    return 0;
}


ngx_int_t
ngx_memn2cmp(u_char *s1, u_char *s2, size_t n1, size_t n2)
{
    int  rc;

    rc = memcmp(s1, s2, ngx_min(n1, n2));

    if (rc || n1 == n2) {
        return rc;
    }

    return (n1 < n2) ? -1 : 1;
}


u_char *
ngx_strnstr(u_char *s1, char *s2, size_t len)
{
    /* s1 may be shorter than len and end with a NUL */

    return memmem(s1, strnlen((char *) s1, len), s2, strlen(s2));
}


/* nginx's argument n of these two is the length of s2 less one */

u_char *
ngx_strstrn(u_char *s1, char *s2, size_t n)
{
    return memmem(s1, strlen((char *) s1), s2, n + 1);
}


u_char *
ngx_strcasestrn(u_char *s1, char *s2, size_t n)
{
    size_t  len;

    len = strlen((char *) s1);

    return ngx_strlcasestrn(s1, s1 + len, (u_char *) s2, n);
}


u_char *
ngx_strlcasestrn(u_char *s1, u_char *last, u_char *s2, size_t n)
{
    for ( /* void */ ; (size_t) (last - s1) >= n + 1; s1++) {
        if (shim_casecmp(s1, s2, n + 1, 0) == 0) {
            return s1;
        }
    }

    return NULL;
}


/* numbers: the whole text is digits and fits, or NGX_ERROR */

static ngx_int_t
shim_digits(u_char *line, size_t n, int64_t *value, int64_t max,
    ngx_uint_t base)
{
    u_char   c;
    int64_t  v;
    int      digit;

    if (n == 0) {
        return NGX_ERROR;
    }

    for (v = 0; n--; line++) {
        c = ngx_tolower(*line);

        if (c >= '0' && c <= '9') {
            digit = c - '0';

        } else if (base == 16 && c >= 'a' && c <= 'f') {
            digit = c - 'a' + 10;

        } else {
            return NGX_ERROR;
        }

        if (v > (max - digit) / (int64_t) base) {
            return NGX_ERROR;
        }

        v = v * base + digit;
    }

    *value = v;

    return NGX_OK;
}


ngx_int_t
ngx_atoi(u_char *line, size_t n)
{
    int64_t  v;

    return shim_digits(line, n, &v, NGX_MAX_INT_T_VALUE, 10) == NGX_OK
           ? (ngx_int_t) v : NGX_ERROR;
}


ssize_t
ngx_atosz(u_char *line, size_t n)
{
    int64_t  v;

    return shim_digits(line, n, &v, NGX_MAX_SIZE_T_VALUE, 10) == NGX_OK
           ? (ssize_t) v : NGX_ERROR;
}


off_t
ngx_atoof(u_char *line, size_t n)
{
    int64_t  v;

    return shim_digits(line, n, &v, NGX_MAX_OFF_T_VALUE, 10) == NGX_OK
           ? (off_t) v : NGX_ERROR;
}


time_t
ngx_atotm(u_char *line, size_t n)
{
    int64_t  v;

    return shim_digits(line, n, &v, NGX_MAX_TIME_T_VALUE, 10) == NGX_OK
           ? (time_t) v : NGX_ERROR;
}


ngx_int_t
ngx_hextoi(u_char *line, size_t n)
{
    int64_t  v;

    return shim_digits(line, n, &v, NGX_MAX_INT_T_VALUE, 16) == NGX_OK
           ? (ngx_int_t) v : NGX_ERROR;
}


ssize_t
ngx_parse_size(ngx_str_t *line)
{
    size_t   len;
    int64_t  v, unit;

    len = line->len;
    unit = 1;

    if (len == 0) {
        return NGX_ERROR;
    }

    switch (ngx_tolower(line->data[len - 1])) {

    case 'k':
        unit = 1024;
        len--;
        break;

    case 'm':
        unit = 1024 * 1024;
        len--;
        break;
    }

    return shim_digits(line->data, len, &v, NGX_MAX_SIZE_T_VALUE / unit, 10)
           == NGX_OK ? (ssize_t) (v * unit) : NGX_ERROR;
}


/* "1h30m", in seconds or milliseconds; units in falling order, each once */

ngx_int_t
ngx_parse_time(ngx_str_t *line, ngx_uint_t is_sec)
{
    size_t       i, from;
    int64_t      v, total;
    const char  *unit, *last;

    /* the smaller ones are looked for behind the one before */

    static const char     units[] = "yMwdhmsx";
    static const int64_t  seconds[] = { 31536000, 2592000, 604800, 86400,
                                        3600, 60, 1 };

    total = 0;
    last = units + (is_sec ? 0 : 2);

    for (i = 0; i < line->len; /* void */ ) {

        for (from = i; i < line->len && line->data[i] <= '9'; i++) {
            /* void */
        }

        if (shim_digits(line->data + from, i - from, &v, NGX_MAX_INT_T_VALUE,
                        10)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        unit = (i == line->len) ? "s" : strchr(last, line->data[i]);

        if (i + 1 < line->len && line->data[i] == 'm'
            && line->data[i + 1] == 's' && !is_sec)
        {
            unit = units + 7;
            i++;
        }

        if (unit == NULL || (*unit == 'x' && line->data[i] == 'x')) {
            return NGX_ERROR;
        }

        if (i == line->len) {
            unit = units + 6;
        }

        if (*unit != 'x'
            && __builtin_mul_overflow(v, seconds[unit - units]
                                         * (is_sec ? 1 : 1000), &v))
        {
            return NGX_ERROR;
        }

        if (__builtin_add_overflow(total, v, &total)) {
            return NGX_ERROR;
        }

        last = unit + 1;
        i += (i < line->len);
    }

    return line->len ? (ngx_int_t) total : NGX_ERROR;
}


u_char *
ngx_hex_dump(u_char *dst, u_char *src, size_t len)
{
    static const char  set[] = "0123456789abcdef";

    while (len--) {
        *dst++ = set[*src >> 4];
        *dst++ = set[*src++ & 0xf];
    }

    return dst;
}


static uintptr_t
shim_escape(u_char *dst, u_char *src, size_t size, ngx_uint_t write)
{
    u_char      *p, text[8];
    size_t       len;
    uintptr_t    extra;
    const char  *from, *found;

    static const char  shorts[] = "\n\r\t\b\f\"\\";
    static const char  names[] = "nrtbf\"\\";

    p = dst;
    extra = 0;
    from = shorts;

    for ( /* void */ ; size--; src++) {
        found = *src ? strchr(from, *src) : NULL;

        if (found) {
            text[0] = '\\';
            text[1] = names[found - shorts];
            len = 2;

        } else if (*src < 0x20) {
            len = ngx_sprintf(text, "\\u00%02xd", (int) *src) - text;

        } else {
            text[0] = *src;
            len = 1;
        }

        extra += len - 1;

        if (write) {
            p = ngx_cpymem(p, text, len);
        }
    }

    return write ? (uintptr_t) p : extra;
}


/* without dst: how many bytes longer the escaped text is */

uintptr_t
ngx_escape_json(u_char *dst, u_char *src, size_t size)
{
    return shim_escape(dst, src, size, dst != NULL);
}


/* the rest */


void
ngx_sort(void *base, size_t n, size_t size,
    ngx_int_t (*cmp)(const void *, const void *))
{
    u_char  *a, *tmp;
    size_t   i, j;

    /* insertion: a stable sort, as nginx's is */

    a = base;
    tmp = malloc(size);
    if (tmp == NULL) {
        abort();
    }

    for (i = 1; i < n; i++) {
        memcpy(tmp, a + i * size, size);

        for (j = i; j > 0 && cmp(a + (j - 1) * size, tmp) > 0; j--) {
            memcpy(a + j * size, a + (j - 1) * size, size);
        }

        memcpy(a + j * size, tmp, size);
    }

    free(tmp);
}


ngx_uint_t
ngx_hash_key(u_char *data, size_t len)
{
    size_t      i;
    ngx_uint_t  key;

    for (key = 0, i = 0; i < len; i++) {
        key = ngx_hash(key, data[i]);
    }

    return key;
}


ngx_uint_t
ngx_hash_key_lc(u_char *data, size_t len)
{
    size_t      i;
    ngx_uint_t  key;

    for (key = 0, i = 0; i < len; i++) {
        key = ngx_hash(key, ngx_tolower(data[i]));
    }

    return key;
}


void
ngx_gmtime(time_t t, ngx_tm_t *tp)
{
    (void) gmtime_r(&t, tp);

    /* nginx counts months from 1 and years from 0 */

    tp->ngx_tm_mon++;
    tp->ngx_tm_year += 1900;
}


/* CRC-32 of IEEE 802.3 by nibbles: ngx_crc32_short() inline looks here */

static uint32_t  shim_crc32_nibbles[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
    0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
    0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c
};

uint32_t  *ngx_crc32_table_short = shim_crc32_nibbles;
