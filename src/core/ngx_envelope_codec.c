
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_codec.h"

#if (__SSE2__)
#include <emmintrin.h>
#endif


/*
 * What the table holds for a byte that is no digit is the lowest bit that no
 * value has, so one test of several values joined finds it.
 */

#define NGX_ENVELOPE_HEX_BAD     16

#define NGX_ENVELOPE_UTF8_HIGH   0x8080808080808080ULL


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


#if (__SSE2__)

static ngx_inline __m128i
ngx_envelope_hex_digits(__m128i values)
{
    return _mm_add_epi8(_mm_add_epi8(values, _mm_set1_epi8('0')),
                        _mm_and_si128(_mm_cmpgt_epi8(values,
                                                     _mm_set1_epi8(9)),
                                      _mm_set1_epi8('a' - '0' - 10)));
}


/* 32 digits of 16 bytes */

static ngx_inline void
ngx_envelope_hex_block(u_char *dst, u_char *src)
{
    __m128i  bytes, high, low;

    bytes = _mm_loadu_si128((const __m128i *) (const void *) src);

    high = _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(0x0f));
    low = _mm_and_si128(bytes, _mm_set1_epi8(0x0f));

    high = ngx_envelope_hex_digits(high);
    low = ngx_envelope_hex_digits(low);

    _mm_storeu_si128((__m128i *) (void *) dst, _mm_unpacklo_epi8(high, low));
    _mm_storeu_si128((__m128i *) (void *) (dst + 16),
                     _mm_unpackhi_epi8(high, low));
}

#endif


void
ngx_envelope_hex_encode(ngx_str_t *dst, ngx_str_t *src)
{
    u_char               *p, *s, *last;
    static const u_char   hex[] = "0123456789abcdef";

    p = dst->data;
    s = src->data;
    last = s + src->len;

#if (__SSE2__)

    if (src->len >= 16) {

        for ( /* void */ ; last - s >= 16; s += 16, p += 32) {
            ngx_envelope_hex_block(p, s);
        }

        /* the rest, with some that are written once more */

        if (s < last) {
            p += 2 * (last - s);
            s = last;
            ngx_envelope_hex_block(p - 32, s - 16);
        }
    }

#endif

    for ( /* void */ ; s < last; s++) {
        *p++ = hex[*s >> 4];
        *p++ = hex[*s & 0x0f];
    }

    dst->len = p - dst->data;
}


#if (__SSE2__)

/* those of the bytes that are from "first" to "last", all of them ASCII */

static ngx_inline __m128i
ngx_envelope_hex_range(__m128i bytes, u_char first, u_char last)
{
    return _mm_and_si128(_mm_cmpgt_epi8(bytes,
                                        _mm_set1_epi8((char) (first - 1))),
                         _mm_cmplt_epi8(bytes,
                                        _mm_set1_epi8((char) (last + 1))));
}


/*
 * Of 16 digits 8 bytes, as long as all of them are digits.  Returns how many
 * were read.
 */

static size_t
ngx_envelope_hex_blocks(u_char *dst, u_char *src, size_t len)
{
    size_t   n;
    __m128i  v, digit, letter;

    for (n = 0; len - n >= 16; n += 16) {
        v = _mm_loadu_si128((const __m128i *) (const void *) (src + n));

        digit = ngx_envelope_hex_range(v, '0', '9');
        letter = ngx_envelope_hex_range(_mm_or_si128(v, _mm_set1_epi8(0x20)),
                                        'a', 'f');

        if (_mm_movemask_epi8(_mm_or_si128(digit, letter)) != 0xffff) {
            break;
        }

        /* a letter's lower bits start at 1 */

        v = _mm_add_epi8(_mm_and_si128(v, _mm_set1_epi8(0x0f)),
                         _mm_and_si128(letter, _mm_set1_epi8(9)));

        v = _mm_or_si128(_mm_slli_epi16(v, 4), _mm_srli_epi16(v, 8));
        v = _mm_and_si128(v, _mm_set1_epi16(0x00ff));

        _mm_storel_epi64((__m128i *) (void *) dst, _mm_packus_epi16(v, v));
        dst += 8;
    }

    return n;
}

#endif


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

#if (__SSE2__)
    i = ngx_envelope_hex_blocks(p, s, src->len);
    p += i / 2;
#else
    i = 0;
#endif

    for ( /* void */ ; i < src->len; i += 2) {
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
