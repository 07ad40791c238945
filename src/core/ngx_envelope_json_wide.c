
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_json_wide.h"


#if (NGX_ENVELOPE_JSON_WIDE)

/* the letter that a control character is escaped with, or 0 */

static const u_char  ngx_envelope_json_wide_controls[64] = {
    0, 0, 0, 0, 0, 0, 0, 0,         'b', 't', 'n', 0, 'f', 'r', 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0,         0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0,         0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0,         0, 0, 0, 0, 0, 0, 0, 0
};


/*
 * UTF-8 by J. Keiser and D. Lemire, "Validating UTF-8 In Less Than One
 * Instruction Per Byte", 2020: what can be wrong with two bytes, each as a
 * bit, by the upper and the lower half of the first one and the upper half of
 * the second.  It is wrong if all three have the bit.  Two continuations are
 * right if a sequence of three or four bytes begins in front of them.
 */

#define NGX_ENVELOPE_UTF8_SHORT       0x01  /* a first byte, no second */
#define NGX_ENVELOPE_UTF8_LONG        0x02  /* a second byte, no first */
#define NGX_ENVELOPE_UTF8_OVERLONG_3  0x04  /* E0 80 .. 9F */
#define NGX_ENVELOPE_UTF8_LARGE       0x08  /* F4 90 .. BF, from F5 on */
#define NGX_ENVELOPE_UTF8_SURROGATE   0x10  /* ED A0 .. BF */
#define NGX_ENVELOPE_UTF8_OVERLONG_2  0x20  /* C0, C1 */
#define NGX_ENVELOPE_UTF8_OVERLONG_4  0x40  /* F0 80 .. 8F, from F5 on */
#define NGX_ENVELOPE_UTF8_TWO         0x80  /* two continuations */

/* what depends on the upper half of the first byte alone */

#define NGX_ENVELOPE_UTF8_ANY                                                 \
    (NGX_ENVELOPE_UTF8_SHORT | NGX_ENVELOPE_UTF8_LONG                         \
     | NGX_ENVELOPE_UTF8_TWO)

#define NGX_ENVELOPE_UTF8_PAST                                                \
    (NGX_ENVELOPE_UTF8_ANY | NGX_ENVELOPE_UTF8_LARGE                          \
     | NGX_ENVELOPE_UTF8_OVERLONG_4)

#define NGX_ENVELOPE_UTF8_NEXT                                                \
    (NGX_ENVELOPE_UTF8_LONG | NGX_ENVELOPE_UTF8_OVERLONG_2                    \
     | NGX_ENVELOPE_UTF8_TWO)


static const u_char  ngx_envelope_json_wide_first_upper[16] = {
    NGX_ENVELOPE_UTF8_LONG, NGX_ENVELOPE_UTF8_LONG,
    NGX_ENVELOPE_UTF8_LONG, NGX_ENVELOPE_UTF8_LONG,
    NGX_ENVELOPE_UTF8_LONG, NGX_ENVELOPE_UTF8_LONG,
    NGX_ENVELOPE_UTF8_LONG, NGX_ENVELOPE_UTF8_LONG,
    NGX_ENVELOPE_UTF8_TWO, NGX_ENVELOPE_UTF8_TWO,
    NGX_ENVELOPE_UTF8_TWO, NGX_ENVELOPE_UTF8_TWO,
    NGX_ENVELOPE_UTF8_SHORT | NGX_ENVELOPE_UTF8_OVERLONG_2,
    NGX_ENVELOPE_UTF8_SHORT,
    NGX_ENVELOPE_UTF8_SHORT | NGX_ENVELOPE_UTF8_OVERLONG_3
        | NGX_ENVELOPE_UTF8_SURROGATE,
    NGX_ENVELOPE_UTF8_SHORT | NGX_ENVELOPE_UTF8_LARGE
        | NGX_ENVELOPE_UTF8_OVERLONG_4
};


static const u_char  ngx_envelope_json_wide_first_lower[16] = {
    NGX_ENVELOPE_UTF8_ANY | NGX_ENVELOPE_UTF8_OVERLONG_2
        | NGX_ENVELOPE_UTF8_OVERLONG_3 | NGX_ENVELOPE_UTF8_OVERLONG_4,
    NGX_ENVELOPE_UTF8_ANY | NGX_ENVELOPE_UTF8_OVERLONG_2,
    NGX_ENVELOPE_UTF8_ANY,
    NGX_ENVELOPE_UTF8_ANY,
    NGX_ENVELOPE_UTF8_ANY | NGX_ENVELOPE_UTF8_LARGE,
    NGX_ENVELOPE_UTF8_PAST,
    NGX_ENVELOPE_UTF8_PAST,
    NGX_ENVELOPE_UTF8_PAST,
    NGX_ENVELOPE_UTF8_PAST,
    NGX_ENVELOPE_UTF8_PAST,
    NGX_ENVELOPE_UTF8_PAST,
    NGX_ENVELOPE_UTF8_PAST,
    NGX_ENVELOPE_UTF8_PAST,
    NGX_ENVELOPE_UTF8_PAST | NGX_ENVELOPE_UTF8_SURROGATE,
    NGX_ENVELOPE_UTF8_PAST,
    NGX_ENVELOPE_UTF8_PAST
};


static const u_char  ngx_envelope_json_wide_second_upper[16] = {
    NGX_ENVELOPE_UTF8_SHORT, NGX_ENVELOPE_UTF8_SHORT,
    NGX_ENVELOPE_UTF8_SHORT, NGX_ENVELOPE_UTF8_SHORT,
    NGX_ENVELOPE_UTF8_SHORT, NGX_ENVELOPE_UTF8_SHORT,
    NGX_ENVELOPE_UTF8_SHORT, NGX_ENVELOPE_UTF8_SHORT,
    NGX_ENVELOPE_UTF8_NEXT | NGX_ENVELOPE_UTF8_OVERLONG_3
        | NGX_ENVELOPE_UTF8_OVERLONG_4,
    NGX_ENVELOPE_UTF8_NEXT | NGX_ENVELOPE_UTF8_OVERLONG_3
        | NGX_ENVELOPE_UTF8_LARGE,
    NGX_ENVELOPE_UTF8_NEXT | NGX_ENVELOPE_UTF8_SURROGATE
        | NGX_ENVELOPE_UTF8_LARGE,
    NGX_ENVELOPE_UTF8_NEXT | NGX_ENVELOPE_UTF8_SURROGATE
        | NGX_ENVELOPE_UTF8_LARGE,
    NGX_ENVELOPE_UTF8_SHORT, NGX_ENVELOPE_UTF8_SHORT,
    NGX_ENVELOPE_UTF8_SHORT, NGX_ENVELOPE_UTF8_SHORT
};


/* what the letter of an escape of two bytes stands for; of others 0 */

static const u_char  ngx_envelope_json_wide_letters[128] = {
    0, 0, 0, 0, 0, 0, 0, 0,         0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0,         0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, '"', 0, 0, 0, 0, 0,       0, 0, 0, 0, 0, 0, 0, '/',
    0, 0, 0, 0, 0, 0, 0, 0,         0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0,         0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0,         0, 0, 0, 0, '\\', 0, 0, 0,
    0, 0, '\b', 0, 0, 0, '\f', 0,   0, 0, 0, 0, 0, 0, LF, 0,
    0, 0, CR, 0, '\t', 0, 0, 0,     0, 0, 0, 0, 0, 0, 0, 0
};


/*
 * Puts what they stand for in place of the letters of escapes.  Returns those
 * that are known; the others stay.
 */

ngx_envelope_json_wide_target
static ngx_inline uint64_t
ngx_envelope_json_wide_unescape(__m512i *bytes, uint64_t letters)
{
    __m512i   values;
    uint64_t  known;

    letters &= ~_mm512_movepi8_mask(*bytes);
    values = ngx_envelope_json_wide_look(ngx_envelope_json_wide_letters,
                                         *bytes);

    known = _mm512_mask_test_epi8_mask(letters, values, values);
    *bytes = _mm512_mask_mov_epi8(*bytes, known, values);

    return known;
}


ngx_envelope_json_wide_target
uint64_t
ngx_envelope_json_wide_not_utf8(u_char *p, size_t len)
{
    __m512i  second, first, wrong, more;

    const __m512i  half = _mm512_set1_epi8(0x0f);
    const __m512i  first_upper = ngx_envelope_json_wide_table(
                                          ngx_envelope_json_wide_first_upper);
    const __m512i  first_lower = ngx_envelope_json_wide_table(
                                          ngx_envelope_json_wide_first_lower);
    const __m512i  second_upper = ngx_envelope_json_wide_table(
                                         ngx_envelope_json_wide_second_upper);

    second = ngx_envelope_json_wide_load(p, len);
    first = ngx_envelope_json_wide_load(p - 1, len + 1);

    wrong = _mm512_shuffle_epi8(first_upper,
                      _mm512_and_si512(_mm512_srli_epi16(first, 4), half));
    wrong = _mm512_and_si512(wrong,
                _mm512_shuffle_epi8(first_lower,
                                    _mm512_and_si512(first, half)));
    wrong = _mm512_and_si512(wrong,
                _mm512_shuffle_epi8(second_upper,
                      _mm512_and_si512(_mm512_srli_epi16(second, 4), half)));

    /* the highest bit stays of E0 and above, two back, and F0, three back */

    more = _mm512_or_si512(
               _mm512_subs_epu8(ngx_envelope_json_wide_load(p - 2, len + 2),
                                _mm512_set1_epi8(0xe0 - 0x80)),
               _mm512_subs_epu8(ngx_envelope_json_wide_load(p - 3, len + 3),
                                _mm512_set1_epi8(0xf0 - 0x80)));
    more = _mm512_and_si512(more, _mm512_set1_epi8((char) 0x80));

    return _mm512_cmpneq_epi8_mask(wrong, more);
}


/*
 * In both of these "carry" is what the last block leaves to the next one: a
 * backslash whose letter is there.  The spaces behind the end of the text are
 * no letters.
 */

ngx_envelope_json_wide_target
u_char *
ngx_envelope_json_wide_skim(u_char *p, u_char *last)
{
    __m512i    bytes;
    uint64_t   valid, quote, backslash, other, stop, escaped, carry, special,
               open, wrong;
    ngx_int_t  n, m;

    carry = 0;
    open = 0;

    valid = ngx_envelope_json_wide_align(&p);

    for ( /* void */ ; p < last; p += 64) {
        bytes = ngx_envelope_json_wide_load(p, last - p);

        quote = valid & _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"'));
        backslash = valid & _mm512_cmpeq_epi8_mask(bytes,
                                                   _mm512_set1_epi8('\\'));

        /* as signed bytes what is not ASCII is below the space, too */

        stop = valid & _mm512_cmplt_epi8_mask(bytes, _mm512_set1_epi8(' '));

        valid = ~(uint64_t) 0;

        if ((quote | backslash | stop | carry | open) == 0) {
            continue;
        }

        escaped = ngx_envelope_json_wide_escaped(backslash, &carry);
        special = escaped & ~(quote | backslash);

        if (special) {
            special &= ~ngx_envelope_json_wide_unescape(&bytes, special);
        }

        wrong = 0;

        if (stop | open) {
            other = _mm512_movepi8_mask(bytes);

            if (other | open) {
                wrong = ngx_envelope_json_wide_not_utf8(p, last - p);
            }

            stop &= ~other;
            open = other >> 63;
        }

        stop |= quote & ~escaped;

        if (special | stop | wrong) {
            n = _tzcnt_u64(stop);
            m = _tzcnt_u64(special);

            /* an escape starts in front of its letter */

            n = ngx_min(n, m - 1);
            m = _tzcnt_u64(wrong);

            return (m > n) ? p + n : NULL;
        }
    }

    return last - carry;
}


ngx_envelope_json_wide_target
u_char *
ngx_envelope_json_wide_decode(u_char **dst, u_char *p, u_char *last)
{
    size_t    n;
    u_char   *d;
    __m512i   bytes;
    uint64_t  quote, backslash, escaped, carry, special, keep, valid;

    d = *dst;
    carry = 0;

    for ( /* void */ ; p < last; p += 64) {
        bytes = ngx_envelope_json_wide_load(p, last - p);

        quote = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"'));
        backslash = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\'));

        escaped = ngx_envelope_json_wide_escaped(backslash, &carry);
        keep = ~(escaped >> 1 | carry << 63);

        special = escaped & ~(quote | backslash);

        if (special) {
            special &= ~ngx_envelope_json_wide_unescape(&bytes, special);
        }

        n = special ? (size_t) _tzcnt_u64(special)
                    : (size_t) ngx_min(last - p, 64);

        keep = _bzhi_u64(keep, (unsigned) n);
        bytes = _mm512_maskz_compress_epi8(keep, bytes);

        if (n < 64) {
            valid = _bzhi_u64(~(uint64_t) 0,
                              (unsigned) _mm_popcnt_u64(keep));
            _mm512_mask_storeu_epi8((void *) d, valid, bytes);

            *dst = d + _mm_popcnt_u64(keep);

            return special ? p + n - 1 : last;
        }

        _mm512_storeu_si512((void *) d, bytes);
        d += _mm_popcnt_u64(keep);
    }

    *dst = d;

    return last - carry;
}


/*
 * The bytes that are escaped by a backslash, and a letter that is put in place
 * of a control character; *other are those of them that have no letter.
 */

ngx_envelope_json_wide_target
static ngx_inline uint64_t
ngx_envelope_json_wide_escape(__m512i *bytes, uint64_t *other)
{
    __m512i   letters;
    uint64_t  control, letter;

    control = _mm512_cmplt_epu8_mask(*bytes, _mm512_set1_epi8(' '));
    letter = 0;

    if (control) {
        letters = _mm512_permutexvar_epi8(
                      *bytes,
                      _mm512_loadu_si512((const void *)
                                         ngx_envelope_json_wide_controls));

        letter = _mm512_mask_test_epi8_mask(control, letters, letters);
        *bytes = _mm512_mask_mov_epi8(*bytes, letter, letters);
    }

    *other = control & ~letter;

    return letter | _mm512_cmpeq_epi8_mask(*bytes, _mm512_set1_epi8('"'))
           | _mm512_cmpeq_epi8_mask(*bytes, _mm512_set1_epi8('\\'));
}


ngx_envelope_json_wide_target
ngx_int_t
ngx_envelope_json_wide_growth(u_char *p, u_char *last)
{
    __m512i    bytes;
    uint64_t   not_ascii, open, other;
    ngx_int_t  n;

    open = 0;
    n = 0;

    for ( /* void */ ; p < last; p += 64) {
        bytes = ngx_envelope_json_wide_load(p, last - p);

        not_ascii = _mm512_movepi8_mask(bytes);

        if ((not_ascii | open)
            && ngx_envelope_json_wide_not_utf8(p, last - p))
        {
            return NGX_ERROR;
        }

        open = not_ascii >> 63;

        n += _mm_popcnt_u64(ngx_envelope_json_wide_escape(&bytes, &other));
        n += 5 * _mm_popcnt_u64(other);
    }

    return (open && ngx_envelope_json_wide_not_utf8(last, 0)) ? NGX_ERROR : n;
}


/*
 * Each of 32 bytes has two places of 64, one for its backslash and one for
 * itself; those that are taken move together.
 */

ngx_envelope_json_wide_target
u_char *
ngx_envelope_json_wide_encode(u_char **dst, u_char *end, u_char *p,
    u_char *last)
{
    size_t    n, len;
    u_char   *d;
    __m512i   bytes;
    uint64_t  escape, other, places, own;

    const uint64_t  first = 0x5555555555555555ULL;
    const uint64_t  second = ~first;

    d = *dst;
    other = 0;

    for ( /* void */ ; p < last && other == 0; p += n) {
        n = ngx_min(last - p, 32);
        bytes = ngx_envelope_json_wide_load(p, n);

        escape = ngx_envelope_json_wide_escape(&bytes, &other);

        if (other) {
            n = _tzcnt_u64(other);
        }

        places = _bzhi_u64(_pdep_u64(escape, first) | second,
                           (unsigned) (2 * n));
        own = _pext_u64(second, places);
        len = _mm_popcnt_u64(places);

        bytes = _mm512_mask_expand_epi8(_mm512_set1_epi8('\\'), own, bytes);

        if (end - d >= 64) {
            _mm512_storeu_si512((void *) d, bytes);

        } else {
            _mm512_mask_storeu_epi8((void *) d,
                                    _bzhi_u64(~(uint64_t) 0, (unsigned) len),
                                    bytes);
        }

        d += len;
    }

    *dst = d;

    return p;
}

#endif
