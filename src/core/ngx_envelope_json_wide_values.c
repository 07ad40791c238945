
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_json_wide_tokens.h"


#if (NGX_ENVELOPE_JSON_WIDE)

/*
 * Of 64 bytes, a bit for each: the first one is the lowest.  They are tokens
 * to the last byte, and between two of them, and behind the last, is one byte
 * that belongs to none.
 */

typedef struct {
    __m512i   bytes;
    uint64_t  first;      /* of each token */
    uint64_t  end;        /* the byte behind it */
    uint64_t  digits;
    uint64_t  minus;
} ngx_envelope_json_wide_values_t;


static ngx_int_t ngx_envelope_json_wide_values(ngx_envelope_json_wide_t *wide,
    size_t least);
static ngx_int_t ngx_envelope_json_wide_judge(u_char *p, u_char *last);


ngx_int_t
ngx_envelope_json_wide_most_values(ngx_envelope_json_wide_t *wide)
{
    return ngx_envelope_json_wide_values(wide, NGX_ENVELOPE_JSON_WIDE_VALUE);
}


ngx_int_t
ngx_envelope_json_wide_all_values(ngx_envelope_json_wide_t *wide)
{
    return ngx_envelope_json_wide_values(wide, 1);
}


/* goes on while there are that many bytes */

static ngx_int_t
ngx_envelope_json_wide_values(ngx_envelope_json_wide_t *wide, size_t least)
{
    u_char     *p, *last;
    ngx_int_t   n;

    p = wide->values;
    last = p + wide->values_len;

    while ((size_t) (last - p) >= least) {
        n = ngx_envelope_json_wide_judge(p, last);

        if (n < 0) {
            return NGX_DECLINED;
        }

        if (n == 0) {
            break;
        }

        p += n;
    }

    wide->values_len = last - p;

    if (wide->values_len >= NGX_ENVELOPE_JSON_WIDE_VALUE) {
        return NGX_DECLINED;
    }

    ngx_memmove(wide->values, p, wide->values_len);

    return NGX_OK;
}


ngx_envelope_json_wide_target
static ngx_inline uint64_t
ngx_envelope_json_wide_is(ngx_envelope_json_wide_values_t *values, char ch)
{
    return _mm512_cmpeq_epi8_mask(values->bytes, _mm512_set1_epi8(ch));
}


/*
 * The bytes behind the rows of digits that start at "from".  Adding its first
 * digit carries through a row, and leaves the others as they are.
 */

static ngx_inline uint64_t
ngx_envelope_json_wide_behind(uint64_t digits, uint64_t from)
{
    return (digits + (from & digits)) & ~digits;
}


/* any bit is of a number that is none, RFC 8259, section 6 */

ngx_envelope_json_wide_target
static ngx_inline uint64_t
ngx_envelope_json_wide_wrong_numbers(ngx_envelope_json_wide_values_t *values)
{
    uint64_t  from, to, point, exponent, sign, wrong;

    if ((values->first & (values->digits | values->minus)) == 0) {
        return 0;
    }

    from = (values->first & values->digits)
           | (values->first & values->minus) << 1;
    to = ngx_envelope_json_wide_behind(values->digits, from);

    wrong = from & ~values->digits;
    wrong |= (from & ngx_envelope_json_wide_is(values, '0')) << 1
             & values->digits;

    point = to & ngx_envelope_json_wide_is(values, '.');

    from = point << 1;
    to = (to & ~point) | ngx_envelope_json_wide_behind(values->digits, from);

    wrong |= from & ~values->digits;

    exponent = to & (ngx_envelope_json_wide_is(values, 'e')
                     | ngx_envelope_json_wide_is(values, 'E'));

    from = exponent << 1;
    sign = from & (values->minus | ngx_envelope_json_wide_is(values, '+'));
    from = (from & ~sign) | sign << 1;
    to = (to & ~exponent)
         | ngx_envelope_json_wide_behind(values->digits, from);

    return wrong | (from & ~values->digits) | (to & ~values->end);
}


/* any bit is of a word that is none */

ngx_envelope_json_wide_target
static ngx_inline uint64_t
ngx_envelope_json_wide_wrong_words(ngx_envelope_json_wide_values_t *values)
{
    uint64_t  first, e, l, u, word;

    first = values->first & ~(values->digits | values->minus);

    if (first == 0) {
        return 0;
    }

    e = ngx_envelope_json_wide_is(values, 'e');
    l = ngx_envelope_json_wide_is(values, 'l');
    u = ngx_envelope_json_wide_is(values, 'u');

    word = ngx_envelope_json_wide_is(values, 't')
           & ngx_envelope_json_wide_is(values, 'r') >> 1
           & u >> 2 & e >> 3 & values->end >> 4;

    word |= ngx_envelope_json_wide_is(values, 'f')
            & ngx_envelope_json_wide_is(values, 'a') >> 1
            & l >> 2
            & ngx_envelope_json_wide_is(values, 's') >> 3
            & e >> 4 & values->end >> 5;

    word |= ngx_envelope_json_wide_is(values, 'n')
            & u >> 1 & l >> 2 & l >> 3 & values->end >> 4;

    return first & ~word;
}


/*
 * Judges those whose end is among the first 64 bytes; returns how many bytes
 * they are with it, or NGX_DECLINED.
 */

ngx_envelope_json_wide_target
static ngx_int_t
ngx_envelope_json_wide_judge(u_char *p, u_char *last)
{
    __m512i                          tokens;
    uint64_t                         bare;
    ngx_int_t                        n;
    ngx_envelope_json_wide_values_t  values;

    values.bytes = ngx_envelope_json_wide_load(p, last - p);

    tokens = ngx_envelope_json_wide_look(ngx_envelope_json_wide_token,
                                         values.bytes);

    values.end = _bzhi_u64(~(uint64_t) 0, (unsigned) ngx_min(last - p, 64))
                 & _mm512_cmpneq_epi8_mask(tokens,
                                   _mm512_set1_epi8(NGX_ENVELOPE_JSON_BARE));

    if (values.end == 0) {
        return 0;
    }

    n = 64 - __builtin_clzll(values.end);
    bare = _bzhi_u64(~values.end, (unsigned) n);

    values.first = bare & (values.end << 1 | 1);
    values.minus = bare & ngx_envelope_json_wide_is(&values, '-');
    values.digits = bare & _mm512_cmplt_epu8_mask(
                               _mm512_sub_epi8(values.bytes,
                                               _mm512_set1_epi8('0')),
                               _mm512_set1_epi8(10));

    return (ngx_envelope_json_wide_wrong_numbers(&values)
            | ngx_envelope_json_wide_wrong_words(&values))
           ? NGX_DECLINED : n;
}

#endif
