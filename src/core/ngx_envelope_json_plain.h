
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_JSON_PLAIN_H_INCLUDED_
#define _NGX_ENVELOPE_JSON_PLAIN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_envelope_json_wide.h"

#if (__SSE2__)
#include <emmintrin.h>
#endif


/* the first byte that is no white space, or "last" */

static ngx_inline u_char *
ngx_envelope_json_skip(u_char *p, u_char *last)
{
    while (p < last
           && *p <= ' '
           && (*p == ' ' || *p == LF || *p == CR || *p == '\t'))
    {
        p++;
    }

    return p;
}


#if (__SSE2__)

/*
 * Of 16 bytes, those that mean something in a JSON string: the quote, the
 * backslash, a control character, which is an error, and what is not ASCII.
 * As signed bytes the latter are below the space, too.
 */

static ngx_inline __m128i
ngx_envelope_json_stops(__m128i bytes)
{
    const __m128i  quote = _mm_set1_epi8('"');
    const __m128i  escape = _mm_set1_epi8('\\');
    const __m128i  space = _mm_set1_epi8(' ');

    return _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
                                     _mm_cmpeq_epi8(bytes, escape)),
                        _mm_cmplt_epi8(bytes, space));
}


static ngx_inline __m128i
ngx_envelope_json_load(u_char *p)
{
    return _mm_loadu_si128((const __m128i *) (const void *) p);
}


/* where they are in 16 bytes, a bit for each: the first one is the lowest */

static ngx_inline unsigned
ngx_envelope_json_stop_mask(u_char *p)
{
    return (unsigned) _mm_movemask_epi8(
                           ngx_envelope_json_stops(ngx_envelope_json_load(p)));
}


/*
 * The same of the less than 16 bytes from "p" to "last"; those in front of
 * them, back to "last" - 16, may be read.
 */

static ngx_inline unsigned
ngx_envelope_json_stop_tail(u_char *p, u_char *last)
{
    return ngx_envelope_json_stop_mask(last - 16) >> (16 - (last - p));
}


/* whether there are any in 64 bytes */

static ngx_inline ngx_uint_t
ngx_envelope_json_any(u_char *p)
{
    int      i;
    __m128i  any;

    any = ngx_envelope_json_stops(ngx_envelope_json_load(p));

    for (i = 16; i < 64; i += 16) {
        any = _mm_or_si128(any, ngx_envelope_json_stops(
                                             ngx_envelope_json_load(p + i)));
    }

    return _mm_movemask_epi8(any) != 0;
}

#endif


/*
 * The first byte that means something in a JSON string, see above, or "last".
 * The rest is passed over, 16 bytes at a time where the processor can, as on
 * every amd64: nearly all of a large message is this.
 */

static ngx_inline u_char *
ngx_envelope_json_plain(u_char *p, u_char *last)
{
#if (__SSE2__)

    unsigned  mask;

    if (last - p >= 16) {

        while (last - p >= 64 && !ngx_envelope_json_any(p)) {
            p += 64;
        }

        while (last - p >= 16) {
            mask = ngx_envelope_json_stop_mask(p);

            if (mask) {
                return p + __builtin_ctz(mask);
            }

            p += 16;
        }

        mask = ngx_envelope_json_stop_tail(p, last);

        return mask ? p + __builtin_ctz(mask) : last;
    }

#endif

    while (p < last && *p != '"' && *p != '\\' && *p >= ' ' && *p < 0x80) {
        p++;
    }

    return p;
}


#if (__SSE2__)

/*
 * Of 64 bytes, a bit for each: the first one is the lowest.  "escape" are the
 * backslashes that escape something, if the first byte is not itself escaped.
 */

typedef struct {
    uint64_t  quote;
    uint64_t  backslash;
    uint64_t  other;       /* control characters and what is not ASCII */
    uint64_t  escape;
} ngx_envelope_json_bits_t;


static ngx_inline void
ngx_envelope_json_bits(ngx_envelope_json_bits_t *bits, u_char *p)
{
    int      i;
    __m128i  bytes;

    const __m128i  quote = _mm_set1_epi8('"');
    const __m128i  escape = _mm_set1_epi8('\\');
    const __m128i  space = _mm_set1_epi8(' ');

    bits->quote = 0;
    bits->backslash = 0;
    bits->other = 0;

    if (!ngx_envelope_json_any(p)) {
        bits->escape = 0;
        return;
    }

    for (i = 0; i < 64; i += 16) {
        bytes = ngx_envelope_json_load(p + i);

        bits->quote |= (uint64_t) (unsigned)
                       _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, quote)) << i;
        bits->backslash |= (uint64_t) (unsigned)
                       _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, escape)) << i;
        bits->other |= (uint64_t) (unsigned)
                       _mm_movemask_epi8(_mm_cmplt_epi8(bytes, space)) << i;
    }

    bits->escape = ngx_envelope_json_escaping(bits->backslash);
}


/* backslashes that escape neither a quote nor a backslash */

static ngx_inline uint64_t
ngx_envelope_json_bits_special(ngx_envelope_json_bits_t *bits)
{
    return (bits->escape << 1 & ~(bits->quote | bits->backslash)) >> 1;
}

#endif


/*
 * Where the string ends, if that can be seen in its first 16 bytes, as most
 * names' and values' ends can; else NULL.  The text that it stands in goes
 * from "first" to "last".
 */

static ngx_inline u_char *
ngx_envelope_json_near(u_char *first, u_char *p, u_char *last)
{
#if (__SSE2__)

    unsigned  mask;

    if (last - p >= 16) {
        mask = ngx_envelope_json_stop_mask(p);

    } else if (last - first >= 16) {
        mask = ngx_envelope_json_stop_tail(p, last);

    } else {
        return NULL;
    }

    if (mask) {
        p += __builtin_ctz(mask);

        if (*p == '"') {
            return p;
        }
    }

#endif

    return NULL;
}


/*
 * As ngx_envelope_json_plain(), but passes over escaped quotes and
 * backslashes as well, which are nearly all the escapes of a JSON text that
 * stands in a string.
 */

static ngx_inline u_char *
ngx_envelope_json_skim(u_char *p, u_char *last)
{
#if (__SSE2__)

    u_char                   *first;
    unsigned                  mask;
    uint64_t                  stop;
    ngx_envelope_json_bits_t  bits;

    first = p;

    while (last - p >= 64) {
        ngx_envelope_json_bits(&bits, p);

        stop = (bits.quote & ~(bits.escape << 1)) | bits.other
               | ngx_envelope_json_bits_special(&bits);

        if (stop) {
            return p + __builtin_ctzll(stop);
        }

        /* what the last byte escapes is not seen yet */

        p += 64 - (bits.escape >> 63);
    }

    /* the rest, escape by escape */

    while (last - p > 16) {
        mask = ngx_envelope_json_stop_mask(p);

        if (mask == 0) {
            p += 16;
            continue;
        }

        p += __builtin_ctz(mask);

        if (*p != '\\' || (p[1] != '"' && p[1] != '\\')) {
            return p;
        }

        p += 2;
    }

    if (last - first >= 16 && last - p < 16) {
        mask = ngx_envelope_json_stop_tail(p, last);

        return mask ? p + __builtin_ctz(mask) : last;
    }

#endif

    return ngx_envelope_json_plain(p, last);
}


#if (__SSE2__)

/* at most 64 bytes, of which none is left out, 16 at a time: up to 16 more */

static ngx_inline u_char *
ngx_envelope_json_copy_run(u_char *d, u_char *p, size_t len)
{
    size_t  i;

    i = 0;

    do {
        _mm_storeu_si128((__m128i *) (void *) (d + i),
                         ngx_envelope_json_load(p + i));
        i += 16;

    } while (i < len);

    return d + len;
}


/* the part of what follows that can be done in blocks */

static ngx_inline u_char *
ngx_envelope_json_copy_blocks(u_char **dst, u_char *p, u_char *last)
{
    size_t                    from, to, len;
    u_char                   *d;
    uint64_t                  special;
    ngx_envelope_json_bits_t  bits;

    d = *dst;

    while (last - p >= 64 + 16) {
        ngx_envelope_json_bits(&bits, p);

        if (bits.escape == 0) {
            d = ngx_envelope_json_copy_run(d, p, 64);
            p += 64;
            continue;
        }

        special = ngx_envelope_json_bits_special(&bits);

        len = special ? (size_t) __builtin_ctzll(special)
                      : 64 - (bits.escape >> 63);

        /* all that stays are the bytes between the backslashes that go */

        for (from = 0; bits.escape; from = to + 1) {
            to = __builtin_ctzll(bits.escape);

            if (to >= len) {
                break;
            }

            d = ngx_envelope_json_copy_run(d, p + from, to - from);
            bits.escape &= bits.escape - 1;
        }

        d = ngx_envelope_json_copy_run(d, p + from, len - from);
        p += len;

        if (special) {
            break;
        }
    }

    *dst = d;

    return p;
}

#endif


/*
 * Copies up to an escape that is neither of a quote nor of a backslash, or to
 * "last", and leaves out the backslashes of the others; returns where that is
 * and moves *dst behind what it wrote.  There is as much room at *dst as there
 * is to copy; bytes behind what is copied may be written, within that room.
 */

static ngx_inline u_char *
ngx_envelope_json_copy(u_char **dst, u_char *p, u_char *last)
{
    u_char  *d;
#if (__SSE2__)
    int      mask;
    size_t   len;
#endif

    if (last - p >= NGX_ENVELOPE_JSON_DECODE && ngx_envelope_json_wide()) {
        return ngx_envelope_json_wide_decode(dst, p, last);
    }

    d = *dst;

#if (__SSE2__)

    p = ngx_envelope_json_copy_blocks(&d, p, last);

#endif

    for ( ;; ) {

#if (__SSE2__)

        while (last - p >= 16) {
            mask = _mm_movemask_epi8(
                                 _mm_cmpeq_epi8(ngx_envelope_json_load(p),
                                                _mm_set1_epi8('\\')));
            len = mask ? __builtin_ctz((unsigned) mask) : 16;

            (void) ngx_envelope_json_copy_run(d, p, 16);

            d += len;
            p += len;

            if (mask) {
                break;
            }
        }

#endif

        while (p < last && *p != '\\') {
            *d++ = *p++;
        }

        if (p + 1 >= last || (p[1] != '"' && p[1] != '\\')) {
            *dst = d;
            return p;
        }

        *d++ = p[1];
        p += 2;
    }
}


static ngx_inline u_char *
ngx_envelope_json_digits(u_char *p, u_char *last)
{
    while (p < last && *p >= '0' && *p <= '9') {
        p++;
    }

    return p;
}


/*
 * Where the number that starts here ends, or NULL: *wrong is the byte that no
 * number can have there, or "last".
 */

static ngx_inline u_char *
ngx_envelope_json_number_end(u_char *p, u_char *last, u_char **wrong)
{
    u_char  *from;

    *wrong = p;

    if (p < last && *p == '-') {
        p++;
    }

    from = p;
    p = ngx_envelope_json_digits(p, last);

    if (p == from) {
        *wrong = p;
        return NULL;
    }

    if (*from == '0' && p - from > 1) {
        *wrong = from + 1;
        return NULL;
    }

    if (p < last && *p == '.') {
        from = ++p;
        p = ngx_envelope_json_digits(p, last);

        if (p == from) {
            *wrong = p;
            return NULL;
        }
    }

    if (p < last && (*p == 'e' || *p == 'E')) {
        p++;

        if (p < last && (*p == '+' || *p == '-')) {
            p++;
        }

        from = p;
        p = ngx_envelope_json_digits(p, last);

        if (p == from) {
            *wrong = p;
            return NULL;
        }
    }

    return p;
}


/*
 * Where the escape ends whose backslash is in front of p, or NULL: *wrong is
 * that backslash, or "last".
 */

static ngx_inline u_char *
ngx_envelope_json_escape_end(u_char *p, u_char *last, u_char **wrong)
{
    u_char       ch;
    ngx_uint_t   i;

    *wrong = p - 1;

    if (p == last) {
        *wrong = last;
        return NULL;
    }

    switch (*p++) {

    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return p;

    case 'u':
        break;

    default:
        return NULL;
    }

    for (i = 0; i < 4; i++, p++) {

        if (p == last) {
            *wrong = last;
            return NULL;
        }

        ch = (u_char) (*p | 0x20);

        if ((*p < '0' || *p > '9') && (ch < 'a' || ch > 'f')) {
            return NULL;
        }
    }

    return p;
}


#endif /* _NGX_ENVELOPE_JSON_PLAIN_H_INCLUDED_ */
