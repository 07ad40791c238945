
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_codec.h"

#if (__SSE2__ && __x86_64__)
#define NGX_ENVELOPE_CODEC_SSE2  1
#include <emmintrin.h>
#endif


/*
 * What a table holds for a byte outside the alphabet is the lowest bit that
 * no value has, so one test of several values joined finds it.
 */

#define NGX_ENVELOPE_BASE64_BAD  64
#define NGX_ENVELOPE_HEX_BAD     16

#define NGX_ENVELOPE_UTF8_HIGH   0x8080808080808080ULL


typedef struct {
    const char    *name;
    const u_char  *alphabet;  /* 64 characters */
    const u_char  *values;    /* of all 256 bytes */
} ngx_envelope_base64_t;


static u_char *ngx_envelope_base64_write(u_char *p, ngx_str_t *src,
    const u_char *alphabet);
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


static const u_char  ngx_envelope_hex_values[256] = {
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
     0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 16, 16, 16, 16, 16, 16,
    16, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16
};



static const ngx_envelope_base64_t  ngx_envelope_base64 = {
    "base64",
    (const u_char *) "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "abcdefghijklmnopqrstuvwxyz0123456789+/",
    ngx_envelope_base64_values
};


static const ngx_envelope_base64_t  ngx_envelope_base64url = {
    "base64url",
    (const u_char *) "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "abcdefghijklmnopqrstuvwxyz0123456789-_",
    ngx_envelope_base64url_values
};


void
ngx_envelope_base64_encode(ngx_str_t *dst, ngx_str_t *src)
{
    u_char  *p;

    p = ngx_envelope_base64_write(dst->data, src,
                                  ngx_envelope_base64.alphabet);

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

    p = ngx_envelope_base64_write(dst->data, src,
                                  ngx_envelope_base64url.alphabet);
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


#if (NGX_ENVELOPE_CODEC_SSE2)

/* two triples of bytes, each in a half of its own; reads two bytes more */

static ngx_inline int64_t
ngx_envelope_base64_triples(u_char *src)
{
    uint64_t  word;

    ngx_memcpy(&word, src, sizeof(uint64_t));
    word = __builtin_bswap64(word);

    return (int64_t) (word >> 40 | (word & 0xffffff0000) << 16);
}


/* of 12 bytes 16 characters, while four bytes more than these are there */

static size_t
ngx_envelope_base64_write_blocks(u_char *dst, u_char *src, size_t len,
    const u_char *alphabet)
{
    size_t   n;
    __m128i  v, away;

    const __m128i  d62 = _mm_set1_epi8((char) (alphabet[62] - 62
                                               - ('0' - 52)));
    const __m128i  d63 = _mm_set1_epi8((char) (alphabet[63] - 63
                                               - ('0' - 52)));

    for (n = 0; len - n >= 16; n += 12) {

        v = _mm_set_epi64x(ngx_envelope_base64_triples(src + n + 6),
                           ngx_envelope_base64_triples(src + n));

        v = _mm_or_si128(
                _mm_or_si128(_mm_srli_epi32(v, 18),
                             _mm_and_si128(_mm_srli_epi32(v, 4),
                                           _mm_set1_epi32(0x00003f00))),
                _mm_or_si128(_mm_and_si128(_mm_slli_epi32(v, 10),
                                           _mm_set1_epi32(0x003f0000)),
                             _mm_and_si128(_mm_slli_epi32(v, 24),
                                           _mm_set1_epi32(0x3f000000))));

        /* what each kind is away from 'A' and its value */

        away = _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8(25)),
                             _mm_set1_epi8('a' - 26 - 'A'));
        away = _mm_add_epi8(away,
                   _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8(51)),
                                 _mm_set1_epi8('0' - 52 - ('a' - 26))));
        away = _mm_add_epi8(away,
                   _mm_and_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(62)), d62));
        away = _mm_add_epi8(away,
                   _mm_and_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(63)), d63));

        v = _mm_add_epi8(_mm_add_epi8(v, _mm_set1_epi8('A')), away);

        _mm_storeu_si128((__m128i *) (void *) dst, v);
        dst += 16;
    }

    return n;
}

#endif


static u_char *
ngx_envelope_base64_write(u_char *p, ngx_str_t *src, const u_char *alphabet)
{
    u_char      *s, *last;
#if (NGX_ENVELOPE_CODEC_SSE2)
    size_t       done;
#endif
    ngx_uint_t   n;

    if (src->len == 0) {
        return p;
    }

    s = src->data;
    last = s + src->len;

#if (NGX_ENVELOPE_CODEC_SSE2)

    done = ngx_envelope_base64_write_blocks(p, s, src->len, alphabet);

    s += done;
    p += done / 3 * 4;

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


#if (NGX_ENVELOPE_CODEC_SSE2)

/* those of the bytes that are from "first" to "last", all of them ASCII */

static ngx_inline __m128i
ngx_envelope_base64_range(__m128i bytes, u_char first, u_char last)
{
    return _mm_and_si128(_mm_cmpgt_epi8(bytes,
                                        _mm_set1_epi8((char) (first - 1))),
                         _mm_cmplt_epi8(bytes,
                                        _mm_set1_epi8((char) (last + 1))));
}


/* six bytes of the lower 24 bits of two halves; writes two bytes more */

static ngx_inline void
ngx_envelope_base64_bytes(u_char *dst, int64_t halves)
{
    uint64_t  word;

    word = (uint64_t) halves;
    word = __builtin_bswap64(word << 40 | word >> 32 << 16);

    ngx_memcpy(dst, &word, sizeof(uint64_t));
}


/*
 * Blocks of 16 characters, as long as all of them are of the alphabet and
 * three more follow, which make two bytes: these are written over here.
 * Returns how many characters were read.
 */

static size_t
ngx_envelope_base64_blocks(u_char *dst, u_char *src, size_t len,
    const u_char *alphabet)
{
    size_t   n;
    __m128i  bytes, upper, lower, digit, plus, slash, v;

    const __m128i  c62 = _mm_set1_epi8((char) alphabet[62]);
    const __m128i  c63 = _mm_set1_epi8((char) alphabet[63]);
    const __m128i  d62 = _mm_set1_epi8((char) (62 - alphabet[62]));
    const __m128i  d63 = _mm_set1_epi8((char) (63 - alphabet[63]));

    for (n = 0; len - n >= 19; n += 16) {
        bytes = _mm_loadu_si128((const __m128i *) (const void *) (src + n));

        upper = ngx_envelope_base64_range(bytes, 'A', 'Z');
        lower = ngx_envelope_base64_range(bytes, 'a', 'z');
        digit = ngx_envelope_base64_range(bytes, '0', '9');
        plus = _mm_cmpeq_epi8(bytes, c62);
        slash = _mm_cmpeq_epi8(bytes, c63);

        v = _mm_or_si128(_mm_or_si128(upper, lower),
                         _mm_or_si128(digit, _mm_or_si128(plus, slash)));

        if (_mm_movemask_epi8(v) != 0xffff) {
            break;
        }

        /* what each kind is away from its value */

        v = _mm_or_si128(
                _mm_or_si128(_mm_and_si128(upper, _mm_set1_epi8(0 - 'A')),
                             _mm_and_si128(lower, _mm_set1_epi8(26 - 'a'))),
                _mm_or_si128(_mm_and_si128(digit, _mm_set1_epi8(52 - '0')),
                             _mm_or_si128(_mm_and_si128(plus, d62),
                                          _mm_and_si128(slash, d63))));
        v = _mm_add_epi8(v, bytes);

        /* pairs of 6 bits to 12, and of these to 24 */

        v = _mm_or_si128(_mm_slli_epi16(_mm_and_si128(v,
                                                    _mm_set1_epi16(0x00ff)),
                                        6),
                         _mm_srli_epi16(v, 8));
        v = _mm_madd_epi16(v, _mm_set1_epi32(0x00011000));

        ngx_envelope_base64_bytes(dst, _mm_cvtsi128_si64(v));
        ngx_envelope_base64_bytes(dst + 6,
                                 _mm_cvtsi128_si64(_mm_unpackhi_epi64(v, v)));
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

#if (NGX_ENVELOPE_CODEC_SSE2)
    i = ngx_envelope_base64_blocks(p, s, len, base->alphabet);
    p += i / 4 * 3;
#else
    i = 0;
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


#if (NGX_ENVELOPE_CODEC_SSE2)

static ngx_inline __m128i
ngx_envelope_hex_digits(__m128i values)
{
    return _mm_add_epi8(_mm_add_epi8(values, _mm_set1_epi8('0')),
                        _mm_and_si128(_mm_cmpgt_epi8(values,
                                                     _mm_set1_epi8(9)),
                                      _mm_set1_epi8('a' - '0' - 10)));
}

#endif


void
ngx_envelope_hex_encode(ngx_str_t *dst, ngx_str_t *src)
{
    u_char               *p;
    size_t                i;
#if (NGX_ENVELOPE_CODEC_SSE2)
    __m128i               bytes, high, low;
#endif
    static const u_char   hex[] = "0123456789abcdef";

    p = dst->data;
    i = 0;

#if (NGX_ENVELOPE_CODEC_SSE2)

    for ( /* void */ ; src->len - i >= 16; i += 16) {
        bytes = _mm_loadu_si128((const __m128i *) (const void *)
                                (src->data + i));

        high = _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(0x0f));
        low = _mm_and_si128(bytes, _mm_set1_epi8(0x0f));

        _mm_storeu_si128((__m128i *) (void *) p,
                         ngx_envelope_hex_digits(_mm_unpacklo_epi8(high,
                                                                   low)));
        _mm_storeu_si128((__m128i *) (void *) (p + 16),
                         ngx_envelope_hex_digits(_mm_unpackhi_epi8(high,
                                                                   low)));
        p += 32;
    }

#endif

    for ( /* void */ ; i < src->len; i++) {
        *p++ = hex[src->data[i] >> 4];
        *p++ = hex[src->data[i] & 0x0f];
    }

    dst->len = p - dst->data;
}


ngx_int_t
ngx_envelope_hex_decode(ngx_str_t *dst, ngx_str_t *src,
    ngx_envelope_reason_t *reason)
{
    u_char      *p, *s;
    size_t       i;
    ngx_uint_t   high, low;

    if (src->len % 2) {
        return ngx_envelope_declined(reason, "hex: length %uz is odd",
                                     src->len);
    }

    p = dst->data;
    s = src->data;

    for (i = 0; i < src->len; i += 2) {
        high = ngx_envelope_hex_values[s[i]];
        low = ngx_envelope_hex_values[s[i + 1]];

        if ((high | low) & NGX_ENVELOPE_HEX_BAD) {
            return ngx_envelope_declined(reason,
                                "hex: byte %uz of %uz is not a digit",
                                (high & NGX_ENVELOPE_HEX_BAD) ? i : i + 1,
                                src->len);
        }

        *p++ = (u_char) (high << 4 | low);
    }

    dst->len = p - dst->data;

    return NGX_OK;
}


ngx_uint_t
ngx_envelope_utf8_valid(const u_char *p, size_t len)
{
    size_t    n;
    uint64_t  word;

    while (len) {

        /* most texts are mostly ASCII: eight bytes at a time */

        if (len >= sizeof(uint64_t)) {
            ngx_memcpy(&word, p, sizeof(uint64_t));

            if ((word & NGX_ENVELOPE_UTF8_HIGH) == 0) {
                p += sizeof(uint64_t);
                len -= sizeof(uint64_t);
                continue;
            }
        }

        n = (*p < 0x80) ? 1 : ngx_envelope_utf8_sequence(p, len);

        if (n == 0) {
            return 0;
        }

        p += n;
        len -= n;
    }

    return 1;
}


/* only the second byte's range depends on the first: RFC 3629, section 4 */

size_t
ngx_envelope_utf8_sequence(const u_char *p, size_t len)
{
    u_char  from, to;
    size_t  i, n;

    from = 0x80;
    to = 0xbf;

    if (p[0] < 0xc2 || p[0] > 0xf4) {
        return 0;
    }

    n = (p[0] < 0xe0) ? 2 : (p[0] < 0xf0) ? 3 : 4;

    if (len < n) {
        return 0;
    }

    switch (p[0]) {

    case 0xe0:
        from = 0xa0;
        break;

    case 0xed:
        to = 0x9f;
        break;

    case 0xf0:
        from = 0x90;
        break;

    case 0xf4:
        to = 0x8f;
        break;
    }

    if (p[1] < from || p[1] > to) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}
