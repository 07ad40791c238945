
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_JSON_PLAIN_H_INCLUDED_
#define _NGX_ENVELOPE_JSON_PLAIN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#if (__SSE2__)
#include <emmintrin.h>
#endif


/*
 * The first byte that means something in a JSON string, or "last": the quote,
 * the backslash, a control character, which is an error, or what is not
 * ASCII.  The rest of a string is passed over, 16 bytes at a time where the
 * processor can, as on every amd64: nearly all of a large message is this.
 */

static ngx_inline u_char *
ngx_envelope_json_plain(u_char *p, u_char *last)
{
#if (__SSE2__)

    int      mask;
    __m128i  bytes, stop;

    const __m128i  quote = _mm_set1_epi8('"');
    const __m128i  escape = _mm_set1_epi8('\\');
    const __m128i  space = _mm_set1_epi8(' ');

    while (last - p >= 16) {
        bytes = _mm_loadu_si128((const __m128i *) (const void *) p);

        /* as signed bytes what is not ASCII is below the space, too */

        stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
                                         _mm_cmpeq_epi8(bytes, escape)),
                            _mm_cmplt_epi8(bytes, space));

        mask = _mm_movemask_epi8(stop);

        if (mask) {
            return p + __builtin_ctz((unsigned) mask);
        }

        p += 16;
    }

#endif

    while (p < last && *p != '"' && *p != '\\' && *p >= ' ' && *p < 0x80) {
        p++;
    }

    return p;
}


/*
 * The same, but passes over escaped quotes and backslashes as well, which
 * are nearly all the escapes of a JSON text that stands in a string.
 */

static ngx_inline u_char *
ngx_envelope_json_skim(u_char *p, u_char *last)
{
#if (__SSE2__)

    int       at;
    unsigned  mask;
    __m128i   bytes, stop;

    const __m128i  quote = _mm_set1_epi8('"');
    const __m128i  escape = _mm_set1_epi8('\\');
    const __m128i  space = _mm_set1_epi8(' ');

    /* what the last byte of a block escapes is the first one behind it */

    while (last - p > 16) {
        bytes = _mm_loadu_si128((const __m128i *) (const void *) p);

        stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
                                         _mm_cmpeq_epi8(bytes, escape)),
                            _mm_cmplt_epi8(bytes, space));

        mask = (unsigned) _mm_movemask_epi8(stop);

        for (at = -2; mask; mask &= ~(3u << at)) {
            at = __builtin_ctz(mask);

            if (p[at] != '\\' || (p[at + 1] != '"' && p[at + 1] != '\\')) {
                return p + at;
            }
        }

        p += (at == 15) ? 17 : 16;
    }

#endif

    return ngx_envelope_json_plain(p, last);
}


/*
 * Copies up to the first escape that is neither of a quote nor of a
 * backslash, or to "last"; returns where that is and moves *dst behind what
 * it wrote.  There is as much room at *dst as there is to copy; bytes behind
 * what is copied may be written, within that room.
 */

static ngx_inline u_char *
ngx_envelope_json_copy(u_char **dst, u_char *p, u_char *last)
{
    u_char  *d;

#if (__SSE2__)

    int      mask;
    __m128i  bytes;

    const __m128i  escape = _mm_set1_epi8('\\');

#endif

    d = *dst;

    for ( ;; ) {

#if (__SSE2__)

        while (last - p >= 16) {
            bytes = _mm_loadu_si128((const __m128i *) (const void *) p);

            _mm_storeu_si128((__m128i *) (void *) d, bytes);

            mask = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, escape));

            if (mask) {
                mask = __builtin_ctz((unsigned) mask);
                p += mask;
                d += mask;
                break;
            }

            p += 16;
            d += 16;
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


#endif /* _NGX_ENVELOPE_JSON_PLAIN_H_INCLUDED_ */
