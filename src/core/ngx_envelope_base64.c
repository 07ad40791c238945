
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_codec.h"

#if (__x86_64__ && __GNUC__)
#define NGX_ENVELOPE_BASE64_SSSE3  1
#include <tmmintrin.h>
#endif


/*
 * What a table holds for a byte outside the alphabet is the lowest bit that
 * no value has, so one test of several values joined finds it.
 */

#define NGX_ENVELOPE_BASE64_BAD  64


typedef struct {
    const char    *name;
    const u_char  *alphabet;  /* 64 characters */
    const u_char  *values;    /* of all 256 bytes */

#if (NGX_ENVELOPE_BASE64_SSSE3)

    /*
     * For 16 characters at a time.  A value is shifted to its character by
     * what is the same for all values of a kind; a character back by what is
     * the same for all that share their upper four bits, their row, but for
     * the one that stands in the row of others.
     */

    u_char         encode[16];  /* shift by kind, see .._write_blocks() */
    u_char         decode[16];  /* shift by row; by row + 8 the odd one's */
    u_char         odd;         /* the one that shares a row with others */

    /* a character is outside the alphabet if a bit is in both of these */

    u_char         row[16];     /* by the upper bits: what kind of row it is */
    u_char         column[16];  /* by the lower bits: where it is outside */

#endif

} ngx_envelope_base64_t;


static u_char *ngx_envelope_base64_write(u_char *p, ngx_str_t *src,
    const ngx_envelope_base64_t *base);
static ngx_int_t ngx_envelope_base64_read(ngx_str_t *dst, ngx_str_t *src,
    size_t len, const ngx_envelope_base64_t *base,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_base64_bad(ngx_str_t *src, size_t i, size_t n,
    const ngx_envelope_base64_t *base, ngx_envelope_reason_t *reason);


static const u_char  ngx_envelope_base64_values[256] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 62, 64, 64, 64, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64,
    64,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 64,
    64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64
};


static const u_char  ngx_envelope_base64url_values[256] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 62, 64, 64,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64,
    64,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 63,
    64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64
};


#if (NGX_ENVELOPE_BASE64_SSSE3)

#define ngx_envelope_base64_shift(from, to)  ((u_char) ((to) - (from)))

/* a value's kind: 26 to 51; each of 52 to 61; 62; 63; 0 to 25 */

#define NGX_ENVELOPE_BASE64_DIGIT  ngx_envelope_base64_shift(52, '0')

#define ngx_envelope_base64_encode_shifts(c62, c63)                           \
    { ngx_envelope_base64_shift(26, 'a'),                                     \
      NGX_ENVELOPE_BASE64_DIGIT, NGX_ENVELOPE_BASE64_DIGIT,                   \
      NGX_ENVELOPE_BASE64_DIGIT, NGX_ENVELOPE_BASE64_DIGIT,                   \
      NGX_ENVELOPE_BASE64_DIGIT, NGX_ENVELOPE_BASE64_DIGIT,                   \
      NGX_ENVELOPE_BASE64_DIGIT, NGX_ENVELOPE_BASE64_DIGIT,                   \
      NGX_ENVELOPE_BASE64_DIGIT, NGX_ENVELOPE_BASE64_DIGIT,                   \
      ngx_envelope_base64_shift(62, c62), ngx_envelope_base64_shift(63, c63), \
      ngx_envelope_base64_shift(0, 'A'), 0, 0 }

/* rows: 2 (of "+" or "-"), 3 (digits), 4 and 5, 6 and 7 (letters) */

#define ngx_envelope_base64_decode_shifts(c62)                                \
    0, 0, ngx_envelope_base64_shift(c62, 62),                                 \
    ngx_envelope_base64_shift('0', 52),                                       \
    ngx_envelope_base64_shift('A', 0), ngx_envelope_base64_shift('A', 0),     \
    ngx_envelope_base64_shift('a', 26), ngx_envelope_base64_shift('a', 26)

#endif


static const ngx_envelope_base64_t  ngx_envelope_base64 = {
    "base64",
    (const u_char *) "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "abcdefghijklmnopqrstuvwxyz0123456789+/",
    ngx_envelope_base64_values,

#if (NGX_ENVELOPE_BASE64_SSSE3)

    ngx_envelope_base64_encode_shifts('+', '/'),

    /* "/" is in the row of "+" */

    { ngx_envelope_base64_decode_shifts('+'),
      0, 0, ngx_envelope_base64_shift('/', 63), 0, 0, 0, 0, 0 },
    '/',

    { 0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08,
      0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10 },
    { 0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
      0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a }

#endif
};


static const ngx_envelope_base64_t  ngx_envelope_base64url = {
    "base64url",
    (const u_char *) "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "abcdefghijklmnopqrstuvwxyz0123456789-_",
    ngx_envelope_base64url_values,

#if (NGX_ENVELOPE_BASE64_SSSE3)

    ngx_envelope_base64_encode_shifts('-', '_'),

    /* "_" is in the row of "P" to "Z" */

    { ngx_envelope_base64_decode_shifts('-'),
      0, 0, 0, 0, 0, ngx_envelope_base64_shift('_', 63), 0, 0 },
    '_',

    { 0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x20,
      0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10 },
    { 0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
      0x11, 0x11, 0x13, 0x3b, 0x3b, 0x3a, 0x3b, 0x33 }

#endif
};


void
ngx_envelope_base64_encode(ngx_str_t *dst, ngx_str_t *src)
{
    u_char  *p;

    p = ngx_envelope_base64_write(dst->data, src, &ngx_envelope_base64);

    while ((p - dst->data) % 4) {
        *p++ = '=';
    }

    dst->len = p - dst->data;
}


ngx_int_t
ngx_envelope_base64_decode(ngx_str_t *dst, ngx_str_t *src,
    ngx_envelope_reason_t *reason)
{
    size_t  len;

    len = src->len;

    if (len % 4) {
        return ngx_envelope_declined(reason,
                              "base64: length %uz is not a multiple of 4",
                              len);
    }

    /* a third "=" is left where it is: it is outside the alphabet */

    if (len && src->data[len - 1] == '=') {
        len--;

        if (src->data[len - 1] == '=') {
            len--;
        }
    }

    return ngx_envelope_base64_read(dst, src, len, &ngx_envelope_base64,
                                    reason);
}


void
ngx_envelope_base64url_encode(ngx_str_t *dst, ngx_str_t *src)
{
    u_char  *p;

    p = ngx_envelope_base64_write(dst->data, src, &ngx_envelope_base64url);
    dst->len = p - dst->data;
}


ngx_int_t
ngx_envelope_base64url_decode(ngx_str_t *dst, ngx_str_t *src,
    ngx_envelope_reason_t *reason)
{
    if (src->len % 4 == 1) {
        return ngx_envelope_declined(reason,
                              "base64url: no text has a length of %uz",
                              src->len);
    }

    return ngx_envelope_base64_read(dst, src, src->len,
                                    &ngx_envelope_base64url, reason);
}


#if (NGX_ENVELOPE_BASE64_SSSE3)

/* of 12 bytes 16 characters, while four bytes more than these are there */

__attribute__((target("ssse3")))
static size_t
ngx_envelope_base64_write_blocks(u_char *dst, u_char *src, size_t len,
    const ngx_envelope_base64_t *base)
{
    size_t   n;
    __m128i  v, kind;

    const __m128i  shifts = _mm_loadu_si128((const __m128i *) (const void *)
                                            base->encode);

    for (n = 0; len - n >= 16; n += 12) {
        v = _mm_loadu_si128((const __m128i *) (const void *) (src + n));

        /* of each triple the second byte, the first, the third, the second */

        v = _mm_shuffle_epi8(v, _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4,
                                              7, 6, 8, 7, 10, 9, 11, 10));

        /* multiplied, two of the values move down, and the others up */

        v = _mm_or_si128(
                _mm_mulhi_epu16(_mm_and_si128(v, _mm_set1_epi32(0x0fc0fc00)),
                                _mm_set1_epi32(0x04000040)),
                _mm_mullo_epi16(_mm_and_si128(v, _mm_set1_epi32(0x003f03f0)),
                                _mm_set1_epi32(0x01000010)));

        kind = _mm_or_si128(_mm_subs_epu8(v, _mm_set1_epi8(51)),
                            _mm_and_si128(_mm_cmplt_epi8(v,
                                                         _mm_set1_epi8(26)),
                                          _mm_set1_epi8(13)));

        v = _mm_add_epi8(v, _mm_shuffle_epi8(shifts, kind));

        _mm_storeu_si128((__m128i *) (void *) dst, v);
        dst += 16;
    }

    return n;
}

#endif


static u_char *
ngx_envelope_base64_write(u_char *p, ngx_str_t *src,
    const ngx_envelope_base64_t *base)
{
    u_char        *s, *last;
    ngx_uint_t     n;
    const u_char  *alphabet;
#if (NGX_ENVELOPE_BASE64_SSSE3)
    size_t         done;
#endif

    if (src->len == 0) {
        return p;
    }

    s = src->data;
    last = s + src->len;
    alphabet = base->alphabet;

#if (NGX_ENVELOPE_BASE64_SSSE3)

    if (__builtin_cpu_supports("ssse3")) {
        done = ngx_envelope_base64_write_blocks(p, s, src->len, base);

        s += done;
        p += done / 3 * 4;
    }

#endif

    for ( /* void */ ; last - s >= 3; s += 3) {
        n = (ngx_uint_t) s[0] << 16 | (ngx_uint_t) s[1] << 8 | s[2];

        *p++ = alphabet[n >> 18];
        *p++ = alphabet[n >> 12 & 0x3f];
        *p++ = alphabet[n >> 6 & 0x3f];
        *p++ = alphabet[n & 0x3f];
    }

    if (last - s == 2) {
        *p++ = alphabet[s[0] >> 2];
        *p++ = alphabet[(s[0] & 0x03) << 4 | s[1] >> 4];
        *p++ = alphabet[(s[1] & 0x0f) << 2];

    } else if (last - s == 1) {
        *p++ = alphabet[s[0] >> 2];
        *p++ = alphabet[(s[0] & 0x03) << 4];
    }

    return p;
}


#if (NGX_ENVELOPE_BASE64_SSSE3)

/*
 * Blocks of 16 characters, as long as all of them are of the alphabet and
 * six more follow, which make four bytes: these are written over here.
 * Returns how many characters were read.
 */

__attribute__((target("ssse3")))
static size_t
ngx_envelope_base64_read_blocks(u_char *dst, u_char *src, size_t len,
    const ngx_envelope_base64_t *base)
{
    size_t   n;
    __m128i  v, row, bad;

    const __m128i  shifts = _mm_loadu_si128((const __m128i *) (const void *)
                                            base->decode);
    const __m128i  rows = _mm_loadu_si128((const __m128i *) (const void *)
                                          base->row);
    const __m128i  columns = _mm_loadu_si128((const __m128i *) (const void *)
                                             base->column);
    const __m128i  odd = _mm_set1_epi8((char) base->odd);
    const __m128i  nibble = _mm_set1_epi8(0x0f);

    for (n = 0; len - n >= 22; n += 16) {
        v = _mm_loadu_si128((const __m128i *) (const void *) (src + n));

        row = _mm_and_si128(_mm_srli_epi32(v, 4), nibble);

        bad = _mm_and_si128(_mm_shuffle_epi8(rows, row),
                            _mm_shuffle_epi8(columns,
                                             _mm_and_si128(v, nibble)));

        if (_mm_movemask_epi8(_mm_cmpgt_epi8(bad, _mm_setzero_si128()))) {
            break;
        }

        row = _mm_add_epi8(row, _mm_and_si128(_mm_cmpeq_epi8(v, odd),
                                              _mm_set1_epi8(8)));

        v = _mm_add_epi8(v, _mm_shuffle_epi8(shifts, row));

        /* pairs of 6 bits to 12, and of these to 24 */

        v = _mm_maddubs_epi16(v, _mm_set1_epi16(0x0140));
        v = _mm_madd_epi16(v, _mm_set1_epi32(0x00011000));

        v = _mm_shuffle_epi8(v, _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8,
                                              14, 13, 12, -1, -1, -1, -1));

        _mm_storeu_si128((__m128i *) (void *) dst, v);
        dst += 12;
    }

    return n;
}

#endif


/* "len" is the length without padding and cannot be 1 modulo 4 unless bad */

static ngx_int_t
ngx_envelope_base64_read(ngx_str_t *dst, ngx_str_t *src, size_t len,
    const ngx_envelope_base64_t *base, ngx_envelope_reason_t *reason)
{
    u_char        *p, *s;
    size_t         i, tail;
    ngx_uint_t     a, b, c, d;
    const u_char  *values;

    p = dst->data;
    s = src->data;
    values = base->values;
    tail = len % 4;

    i = 0;

#if (NGX_ENVELOPE_BASE64_SSSE3)

    if (__builtin_cpu_supports("ssse3")) {
        i = ngx_envelope_base64_read_blocks(p, s, len, base);
        p += i / 4 * 3;
    }

#endif

    for ( /* void */ ; i < len - tail; i += 4) {
        a = values[s[i]];
        b = values[s[i + 1]];
        c = values[s[i + 2]];
        d = values[s[i + 3]];

        if ((a | b | c | d) & NGX_ENVELOPE_BASE64_BAD) {
            return ngx_envelope_base64_bad(src, i, 4, base, reason);
        }

        *p++ = (u_char) (a << 2 | b >> 4);
        *p++ = (u_char) (b << 4 | c >> 2);
        *p++ = (u_char) (c << 6 | d);
    }

    if (tail) {
        a = values[s[i]];
        b = values[s[i + 1]];
        c = (tail == 3) ? values[s[i + 2]] : 0;

        if ((a | b | c) & NGX_ENVELOPE_BASE64_BAD) {
            return ngx_envelope_base64_bad(src, i, tail, base, reason);
        }

        if ((tail == 3) ? (c & 0x03) : (b & 0x0f)) {
            return ngx_envelope_declined(reason,
                                         "%s: trailing bits are not zero",
                                         base->name);
        }

        *p++ = (u_char) (a << 2 | b >> 4);

        if (tail == 3) {
            *p++ = (u_char) (b << 4 | c >> 2);
        }
    }

    dst->len = p - dst->data;

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_base64_bad(ngx_str_t *src, size_t i, size_t n,
    const ngx_envelope_base64_t *base, ngx_envelope_reason_t *reason)
{
    size_t  last;

    last = i + n - 1;

    while (i < last && base->values[src->data[i]] != NGX_ENVELOPE_BASE64_BAD) {
        i++;
    }

    return ngx_envelope_declined(reason,
                             "%s: byte %uz of %uz is outside the alphabet",
                             base->name, i, src->len);
}
