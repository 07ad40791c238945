
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_json_wide_tokens.h"
#include "ngx_envelope_json.h"


#if (NGX_ENVELOPE_JSON_WIDE)

/* so many blocks are looked at together at first */

#define NGX_ENVELOPE_JSON_WIDE_FIRST  2


typedef struct {
    ngx_uint_t   level;       /* containers open */
    ngx_uint_t   levels;      /* at most */
    u_char       kind[NGX_ENVELOPE_JSON_DEPTH_MAX + 1];
                              /* what opened them; the first is 1 */
} ngx_envelope_json_wide_nest_t;


/* of 64 tokens, a bit for each: the first one is the lowest */

typedef struct {
    uint64_t     brackets;
    uint64_t     in_array;    /* those that can stand in arrays only */
    uint64_t     in_object;   /* .. in objects only */
} ngx_envelope_json_wide_bits_t;


static u_char *ngx_envelope_json_wide_close(ngx_envelope_json_wide_t *wide,
    ngx_envelope_json_wide_nest_t *nest);
static ngx_int_t ngx_envelope_json_wide_grammar(ngx_envelope_json_wide_t *wide,
    ngx_envelope_json_wide_nest_t *nest, size_t *end);
static ngx_int_t ngx_envelope_json_wide_nest(
    ngx_envelope_json_wide_nest_t *nest, u_char *tokens,
    ngx_envelope_json_wide_bits_t *bits, size_t *end);
static u_char *ngx_envelope_json_wide_place(ngx_envelope_json_wide_t *wide,
    u_char *p, size_t token);


/* sets of tokens */

#define NGX_ENVELOPE_JSON_IS(token)  (1 << NGX_ENVELOPE_JSON_ ## token)

#define NGX_ENVELOPE_JSON_IS_OPEN                                             \
    (NGX_ENVELOPE_JSON_IS(OBJECT_OPEN) | NGX_ENVELOPE_JSON_IS(ARRAY_OPEN))

#define NGX_ENVELOPE_JSON_IS_CLOSE                                            \
    (NGX_ENVELOPE_JSON_IS(OBJECT_CLOSE) | NGX_ENVELOPE_JSON_IS(ARRAY_CLOSE))

#define NGX_ENVELOPE_JSON_IS_VALUE                                            \
    (NGX_ENVELOPE_JSON_IS_OPEN | NGX_ENVELOPE_JSON_IS(QUOTED)                 \
     | NGX_ENVELOPE_JSON_IS(BARE))

#define NGX_ENVELOPE_JSON_IS_AFTER                                            \
    (NGX_ENVELOPE_JSON_IS(COMMA) | NGX_ENVELOPE_JSON_IS_CLOSE)


static const u_char  ngx_envelope_json_wide_sets[16] = {
    1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7,
    0, 0, 0, 0, 0, 0, 0, 0
};


/*
 * What may follow: by the token in front, and from 8 on behind a string, by
 * the token in front of that.
 */

static const u_char  ngx_envelope_json_wide_follow[16] = {
    NGX_ENVELOPE_JSON_IS(QUOTED) | NGX_ENVELOPE_JSON_IS(OBJECT_CLOSE), /* { */
    NGX_ENVELOPE_JSON_IS_VALUE | NGX_ENVELOPE_JSON_IS(ARRAY_CLOSE),    /* [ */
    NGX_ENVELOPE_JSON_IS_AFTER,                                        /* } */
    NGX_ENVELOPE_JSON_IS_AFTER,                                        /* ] */
    NGX_ENVELOPE_JSON_IS_VALUE,                                        /* : */
    NGX_ENVELOPE_JSON_IS_VALUE,                                        /* , */
    0,
    NGX_ENVELOPE_JSON_IS_AFTER,                                        /* 1 */

    NGX_ENVELOPE_JSON_IS(COLON),                                     /* {"" */
    NGX_ENVELOPE_JSON_IS(COMMA) | NGX_ENVELOPE_JSON_IS(ARRAY_CLOSE), /* ["" */
    0,
    0,
    NGX_ENVELOPE_JSON_IS(COMMA) | NGX_ENVELOPE_JSON_IS(OBJECT_CLOSE),/* :"" */
    NGX_ENVELOPE_JSON_IS(COMMA) | NGX_ENVELOPE_JSON_IS(ARRAY_CLOSE)
        | NGX_ENVELOPE_JSON_IS(COLON),                               /* ,"" */
    0,
    0
};


/* the same: what of that may follow in an array only */

static const u_char  ngx_envelope_json_wide_array[16] = {
    NGX_ENVELOPE_JSON_IS(ARRAY_CLOSE),
    NGX_ENVELOPE_JSON_IS(ARRAY_CLOSE),
    NGX_ENVELOPE_JSON_IS(ARRAY_CLOSE),
    NGX_ENVELOPE_JSON_IS(ARRAY_CLOSE),
    0,
    NGX_ENVELOPE_JSON_IS_OPEN | NGX_ENVELOPE_JSON_IS(BARE),            /* , */
    0,
    NGX_ENVELOPE_JSON_IS(ARRAY_CLOSE),

    0,
    NGX_ENVELOPE_JSON_IS(ARRAY_CLOSE),
    0,
    0,
    0,
    NGX_ENVELOPE_JSON_IS(COMMA) | NGX_ENVELOPE_JSON_IS(ARRAY_CLOSE), /* ,"" */
    0,
    0
};


u_char *
ngx_envelope_json_wide_pass(u_char *p, u_char *last, u_char open,
    ngx_uint_t levels)
{
    u_char                         *end;
    ngx_envelope_json_wide_t        wide;
    ngx_envelope_json_wide_nest_t   nest;

    if (levels == 0) {
        return NULL;
    }

    wide.before = ~ngx_envelope_json_wide_align(&p);
    wide.p = p;
    wide.last = last;
    wide.string = 0;
    wide.escaped = 0;
    wide.inside = 0;
    wide.open = 0;
    wide.values_len = 0;

    /* whatever value is in front of p, the same may follow */

    wide.tokens[62] = NGX_ENVELOPE_JSON_SPACE;
    wide.tokens[63] = NGX_ENVELOPE_JSON_BARE;

    nest.level = 1;
    nest.levels = levels;
    nest.kind[1] = ngx_envelope_json_wide_token[open];

    end = ngx_envelope_json_wide_close(&wide, &nest);

    /* these are of the text itself, which may have been encrypted */

    ngx_explicit_memzero(wide.values, sizeof(wide.values));

    return end;
}


/* the bracket that closes the container, or NULL */

static u_char *
ngx_envelope_json_wide_close(ngx_envelope_json_wide_t *wide,
    ngx_envelope_json_wide_nest_t *nest)
{
    size_t      n, end;
    u_char     *p;
    ngx_int_t   rc;

    n = NGX_ENVELOPE_JSON_WIDE_FIRST;

    for ( ;; ) {
        p = wide->p;

        if (ngx_envelope_json_wide_find(wide, n) != NGX_OK) {
            return NULL;
        }

        rc = ngx_envelope_json_wide_grammar(wide, nest, &end);

        if (rc == NGX_DONE) {
            return (ngx_envelope_json_wide_all_values(wide) == NGX_OK)
                   ? ngx_envelope_json_wide_place(wide, p, end) : NULL;
        }

        if (rc != NGX_OK
            || wide->p == wide->last
            || ngx_envelope_json_wide_most_values(wide) != NGX_OK)
        {
            return NULL;
        }

        wide->tokens[62] = wide->tokens[64 + wide->n - 2];
        wide->tokens[63] = wide->tokens[64 + wide->n - 1];

        n = ngx_min(n * 2, NGX_ENVELOPE_JSON_WIDE_BLOCKS);
    }
}


/*
 * But for which container it is in, all about a token can be told from itself
 * and the two in front of it.
 *
 * The tokens that were found: NGX_DONE if one of them closes the container
 * that it began in, *end, and all in front of that is right; NGX_OK if all
 * are right so far.
 */

ngx_envelope_json_wide_target
static ngx_int_t
ngx_envelope_json_wide_grammar(ngx_envelope_json_wide_t *wide,
    ngx_envelope_json_wide_nest_t *nest, size_t *end)
{
    size_t                         i;
    u_char                        *token;
    __m512i                        set, before, second;
    uint64_t                       valid, quoted;
    ngx_int_t                      rc;
    ngx_envelope_json_wide_bits_t  bits;

    const __m512i  sets = ngx_envelope_json_wide_table(
                                                 ngx_envelope_json_wide_sets);
    const __m512i  follow = ngx_envelope_json_wide_table(
                                               ngx_envelope_json_wide_follow);
    const __m512i  array = ngx_envelope_json_wide_table(
                                                ngx_envelope_json_wide_array);

    for (i = 0; i < wide->n; i += 64) {
        token = wide->tokens + 64 + i;
        valid = _bzhi_u64(~(uint64_t) 0,
                          (unsigned) ngx_min(wide->n - i, 64));

        set = _mm512_shuffle_epi8(sets,
                                  _mm512_loadu_si512((const void *) token));
        before = _mm512_loadu_si512((const void *) (token - 1));
        second = _mm512_loadu_si512((const void *) (token - 2));

        quoted = _mm512_cmpeq_epi8_mask(before, _mm512_set1_epi8(
                                                   NGX_ENVELOPE_JSON_QUOTED));
        before = _mm512_mask_add_epi8(before, quoted, second,
                                      _mm512_set1_epi8(8));

        if (_mm512_mask_testn_epi8_mask(valid, set,
                                        _mm512_shuffle_epi8(follow, before)))
        {
            return NGX_DECLINED;
        }

        bits.in_array = _mm512_mask_test_epi8_mask(valid, set,
                                          _mm512_shuffle_epi8(array, before));
        bits.in_object = _mm512_mask_test_epi8_mask(valid, set,
                             _mm512_set1_epi8(
                                 NGX_ENVELOPE_JSON_IS(COLON)
                                 | NGX_ENVELOPE_JSON_IS(OBJECT_CLOSE)));
        bits.brackets = _mm512_mask_test_epi8_mask(valid, set,
                             _mm512_set1_epi8(NGX_ENVELOPE_JSON_IS_OPEN
                                              | NGX_ENVELOPE_JSON_IS_CLOSE));

        rc = ngx_envelope_json_wide_nest(nest, token, &bits, end);

        if (rc == NGX_DONE) {
            *end += i;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/*
 * Goes from bracket to bracket: all between two of them is in one container,
 * and so is a bracket that closes it or opens another one in it.
 */

ngx_envelope_json_wide_target
static ngx_inline ngx_int_t
ngx_envelope_json_wide_nest(ngx_envelope_json_wide_nest_t *nest,
    u_char *tokens, ngx_envelope_json_wide_bits_t *bits, size_t *end)
{
    u_char      token;
    uint64_t    brackets, wrong, upto;
    ngx_uint_t  level;

    level = nest->level;

    wrong = (nest->kind[level] == NGX_ENVELOPE_JSON_OBJECT_OPEN)
            ? bits->in_array : bits->in_object;

    for (brackets = bits->brackets; brackets; brackets = _blsr_u64(brackets)) {
        upto = _blsmsk_u64(brackets);

        if (wrong & upto) {
            return NGX_DECLINED;
        }

        token = tokens[_tzcnt_u64(brackets)];

        if (token <= NGX_ENVELOPE_JSON_ARRAY_OPEN) {

            if (level == nest->levels) {
                return NGX_DECLINED;
            }

            nest->kind[++level] = token;

        } else if (--level == 0) {
            *end = _tzcnt_u64(brackets);
            return NGX_DONE;
        }

        wrong = (nest->kind[level] == NGX_ENVELOPE_JSON_OBJECT_OPEN)
                ? bits->in_array : bits->in_object;
        wrong &= ~upto;
    }

    nest->level = level;

    return wrong ? NGX_DECLINED : NGX_OK;
}


/* where the token is in the text whose tokens begin at p */

ngx_envelope_json_wide_target
static u_char *
ngx_envelope_json_wide_place(ngx_envelope_json_wide_t *wide, u_char *p,
    size_t token)
{
    size_t    i, n;
    uint64_t  place;

    for (i = 0; i < wide->blocks; i++) {
        place = wide->places[i];
        n = _mm_popcnt_u64(place);

        if (token < n) {
            p += _tzcnt_u64(_pdep_u64((uint64_t) 1 << token, place));
            break;
        }

        token -= n;
        p += 64;
    }

    return p;
}

#endif
