
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_json_wide.h"
#include "ngx_envelope_json_plain.h"
#include "ngx_envelope_json.h"


#if (NGX_ENVELOPE_JSON_WIDE)

/*
 * Outside of strings and numbers JSON is a row of tokens.  They are found in
 * the text 64 bytes at a time and put side by side, a byte for each; then the
 * grammar is judged 64 tokens at a time.  But for which container it is in,
 * all about a token can be told from itself and the two in front of it.
 */

typedef enum {
    NGX_ENVELOPE_JSON_OBJECT_OPEN = 0,
    NGX_ENVELOPE_JSON_ARRAY_OPEN,
    NGX_ENVELOPE_JSON_OBJECT_CLOSE,
    NGX_ENVELOPE_JSON_ARRAY_CLOSE,
    NGX_ENVELOPE_JSON_COLON,
    NGX_ENVELOPE_JSON_COMMA,
    NGX_ENVELOPE_JSON_QUOTED,       /* a string: its first quote */
    NGX_ENVELOPE_JSON_BARE,         /* a number, true, false, null, or what
                                       is none of them: its first byte */
    NGX_ENVELOPE_JSON_SPACE         /* is no token */
} ngx_envelope_json_token_e;


/* so many blocks of 64 bytes are judged together: at first, and at most */

#define NGX_ENVELOPE_JSON_WIDE_FIRST   2
#define NGX_ENVELOPE_JSON_WIDE_BLOCKS  64


typedef struct {
    u_char      *p;           /* the next block */
    u_char      *last;
    uint64_t     valid;       /* which of its bytes are to be looked at */

    /* what is known of the byte at p */

    uint64_t     string;      /* all ones: it is in a string */
    uint64_t     escaped;     /* 1: it is behind a backslash */
    uint64_t     bare;        /* 1: it is behind a byte of a bare token */
    uint64_t     open;        /* 1: it is behind a byte that is not ASCII */

    ngx_uint_t   level;       /* containers open */
    ngx_uint_t   levels;      /* at most */
    u_char       kind[NGX_ENVELOPE_JSON_DEPTH_MAX + 1];
                              /* what opened them; the first is 1 */

    size_t       blocks;      /* that were looked at together */
    size_t       n;           /* their tokens, from the 64th on; in front are
                                 the last two of the blocks before */
    u_char       tokens[64 + NGX_ENVELOPE_JSON_WIDE_BLOCKS * 64];
    uint64_t     places[NGX_ENVELOPE_JSON_WIDE_BLOCKS];
                              /* where they start in each block */
} ngx_envelope_json_wide_t;


/* of 64 tokens, a bit for each: the first one is the lowest */

typedef struct {
    uint64_t     brackets;
    uint64_t     in_array;    /* those that can stand in arrays only */
    uint64_t     in_object;   /* .. in objects only */
} ngx_envelope_json_wide_bits_t;


static ngx_int_t ngx_envelope_json_wide_find(ngx_envelope_json_wide_t *wide,
    size_t blocks);
static ngx_uint_t ngx_envelope_json_wide_are_escapes(u_char *p, u_char *last,
    uint64_t letters);
static ngx_uint_t ngx_envelope_json_wide_is_bare(u_char *p, u_char *last);
static ngx_int_t ngx_envelope_json_wide_judge(ngx_envelope_json_wide_t *wide,
    size_t *end);
static ngx_int_t ngx_envelope_json_wide_nest(ngx_envelope_json_wide_t *wide,
    size_t i, ngx_envelope_json_wide_bits_t *bits, size_t *end);
static u_char *ngx_envelope_json_wide_place(ngx_envelope_json_wide_t *wide,
    u_char *p, size_t token);


/* by the byte that a token starts with */

static const u_char  ngx_envelope_json_wide_token[128] = {
    7, 7, 7, 7, 7, 7, 7, 7,  7, 8, 8, 7, 7, 8, 7, 7,  /* HT LF CR */
    7, 7, 7, 7, 7, 7, 7, 7,  7, 7, 7, 7, 7, 7, 7, 7,
    8, 7, 6, 7, 7, 7, 7, 7,  7, 7, 7, 7, 5, 7, 7, 7,  /* space " , */
    7, 7, 7, 7, 7, 7, 7, 7,  7, 7, 4, 7, 7, 7, 7, 7,  /* : */
    7, 7, 7, 7, 7, 7, 7, 7,  7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7,  7, 7, 7, 1, 7, 3, 7, 7,  /* [ ] */
    7, 7, 7, 7, 7, 7, 7, 7,  7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7,  7, 7, 7, 0, 7, 2, 7, 7   /* { } */
};


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


ngx_envelope_json_wide_target
u_char *
ngx_envelope_json_wide_pass(u_char *p, u_char *last, u_char open,
    ngx_uint_t levels)
{
    size_t                     n, end;
    ngx_int_t                  rc;
    ngx_envelope_json_wide_t   wide;

    if (levels == 0) {
        return NULL;
    }

    wide.valid = ngx_envelope_json_wide_align(&p);
    wide.p = p;
    wide.last = last;
    wide.string = 0;
    wide.escaped = 0;
    wide.bare = 0;
    wide.open = 0;
    wide.level = 1;
    wide.levels = levels;
    wide.kind[1] = ngx_envelope_json_wide_token[open];

    /* whatever value is in front of p, the same may follow */

    wide.tokens[62] = NGX_ENVELOPE_JSON_SPACE;
    wide.tokens[63] = NGX_ENVELOPE_JSON_BARE;

    n = NGX_ENVELOPE_JSON_WIDE_FIRST;

    for ( ;; ) {
        p = wide.p;

        if (ngx_envelope_json_wide_find(&wide, n) != NGX_OK) {
            return NULL;
        }

        rc = ngx_envelope_json_wide_judge(&wide, &end);

        if (rc == NGX_DONE) {
            return ngx_envelope_json_wide_place(&wide, p, end);
        }

        if (rc != NGX_OK || wide.p == last) {
            return NULL;
        }

        wide.tokens[62] = wide.tokens[64 + wide.n - 2];
        wide.tokens[63] = wide.tokens[64 + wide.n - 1];

        n = ngx_min(n * 2, NGX_ENVELOPE_JSON_WIDE_BLOCKS);
    }
}


/*
 * Of a block at p those bytes that stand in a string, its first quote
 * included, and the quotes that begin or end one; NGX_DECLINED if there is
 * something wrong in a string, or something in none that must be in one.
 */

ngx_envelope_json_wide_target
static ngx_inline ngx_int_t
ngx_envelope_json_wide_strings(ngx_envelope_json_wide_t *wide, u_char *p,
    __m512i bytes, uint64_t *string, uint64_t *quote)
{
    uint64_t  backslash, control, other, escaped, special;

    *quote = wide->valid & _mm512_cmpeq_epi8_mask(bytes,
                                                  _mm512_set1_epi8('"'));
    backslash = wide->valid & _mm512_cmpeq_epi8_mask(bytes,
                                                     _mm512_set1_epi8('\\'));
    control = _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(' '));
    other = wide->valid & _mm512_movepi8_mask(bytes);

    if (backslash | wide->escaped) {
        escaped = ngx_envelope_json_wide_escaped(backslash, &wide->escaped);
        special = escaped & ~(*quote | backslash);

        if (special
            && !ngx_envelope_json_wide_are_escapes(p, wide->last, special))
        {
            return NGX_DECLINED;
        }

        *quote &= ~escaped;
    }

    if (other | wide->open) {

        if (ngx_envelope_json_wide_not_utf8(p, wide->last - p)) {
            return NGX_DECLINED;
        }

        wide->open = other >> 63;
    }

    /* in a string is what an odd number of quotes is in front of, or on */

    *string = wide->string
              ^ (uint64_t) _mm_cvtsi128_si64(
                     _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t) *quote),
                                          _mm_set1_epi8(-1), 0));

    wide->string = (uint64_t) ((int64_t) *string >> 63);

    return ((control & *string) | (other & ~*string)) ? NGX_DECLINED : NGX_OK;
}


/* the tokens of the next blocks */

ngx_envelope_json_wide_target
static ngx_int_t
ngx_envelope_json_wide_find(ngx_envelope_json_wide_t *wide, size_t blocks)
{
    size_t     i;
    u_char    *p, *token;
    __m512i    bytes, kinds;
    uint64_t   quote, string, outside, bare, before, place;

    const __m512i  kind_bare = _mm512_set1_epi8(NGX_ENVELOPE_JSON_BARE);
    const __m512i  kind_quoted = _mm512_set1_epi8(NGX_ENVELOPE_JSON_QUOTED);

    token = wide->tokens + 64;

    for (i = 0; i < blocks && wide->p < wide->last; i++) {
        p = wide->p;
        bytes = ngx_envelope_json_wide_load(p, wide->last - p);

        if (ngx_envelope_json_wide_strings(wide, p, bytes, &string, &quote)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        kinds = ngx_envelope_json_wide_look(ngx_envelope_json_wide_token,
                                            bytes);

        /* what is bare is one token, and starts where none is in front */

        outside = wide->valid & ~string;
        wide->valid = ~(uint64_t) 0;

        bare = outside & _mm512_cmpeq_epi8_mask(kinds, kind_bare);
        before = bare << 1 | wide->bare;
        wide->bare = bare >> 63;
        bare &= ~before;

        /* kinds below that of strings are characters of their own */

        place = (outside & _mm512_cmplt_epu8_mask(kinds, kind_quoted))
                | (quote & string) | bare;

        wide->places[i] = place;

        _mm512_storeu_si512((void *) token,
                            _mm512_maskz_compress_epi8(place, kinds));
        token += _mm_popcnt_u64(place);

        for ( /* void */ ; bare; bare = _blsr_u64(bare)) {
            if (!ngx_envelope_json_wide_is_bare(p + _tzcnt_u64(bare),
                                                wide->last))
            {
                return NGX_DECLINED;
            }
        }

        wide->p += ngx_min(wide->last - p, 64);
    }

    wide->blocks = i;
    wide->n = token - (wide->tokens + 64);

    return NGX_OK;
}


/* of a block at p, all bytes that a backslash is in front of */

static ngx_uint_t
ngx_envelope_json_wide_are_escapes(u_char *p, u_char *last, uint64_t letters)
{
    u_char  *wrong;

    for ( /* void */ ; letters; letters &= letters - 1) {
        if (ngx_envelope_json_escape_end(p + __builtin_ctzll(letters), last,
                                         &wrong)
            == NULL)
        {
            return 0;
        }
    }

    return 1;
}


/* whether that is a number or a word that ends with the token */

static ngx_uint_t
ngx_envelope_json_wide_is_bare(u_char *p, u_char *last)
{
    u_char  *wrong;

    switch (*p) {

    case 't':
        p = (last - p >= 4 && ngx_memcmp(p, "true", 4) == 0) ? p + 4 : NULL;
        break;

    case 'f':
        p = (last - p >= 5 && ngx_memcmp(p, "false", 5) == 0) ? p + 5 : NULL;
        break;

    case 'n':
        p = (last - p >= 4 && ngx_memcmp(p, "null", 4) == 0) ? p + 4 : NULL;
        break;

    default:
        p = ngx_envelope_json_number_end(p, last, &wrong);
    }

    return p != NULL
           && (p == last
               || (*p < 0x80 && ngx_envelope_json_wide_token[*p]
                                != NGX_ENVELOPE_JSON_BARE));
}


/*
 * The tokens that were found: NGX_DONE if one of them closes the container
 * that it began in, *end, and all in front of that is right; NGX_OK if all
 * are right so far.
 */

ngx_envelope_json_wide_target
static ngx_int_t
ngx_envelope_json_wide_judge(ngx_envelope_json_wide_t *wide, size_t *end)
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

        rc = ngx_envelope_json_wide_nest(wide, i, &bits, end);

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
ngx_envelope_json_wide_nest(ngx_envelope_json_wide_t *wide, size_t i,
    ngx_envelope_json_wide_bits_t *bits, size_t *end)
{
    u_char      token;
    uint64_t    brackets, wrong, upto;
    ngx_uint_t  level;

    level = wide->level;

    wrong = (wide->kind[level] == NGX_ENVELOPE_JSON_OBJECT_OPEN)
            ? bits->in_array : bits->in_object;

    for (brackets = bits->brackets; brackets; brackets = _blsr_u64(brackets)) {
        upto = _blsmsk_u64(brackets);

        if (wrong & upto) {
            return NGX_DECLINED;
        }

        token = wide->tokens[64 + i + _tzcnt_u64(brackets)];

        if (token <= NGX_ENVELOPE_JSON_ARRAY_OPEN) {

            if (level == wide->levels) {
                return NGX_DECLINED;
            }

            wide->kind[++level] = token;

        } else if (--level == 0) {
            *end = i + _tzcnt_u64(brackets);
            return NGX_DONE;
        }

        wrong = (wide->kind[level] == NGX_ENVELOPE_JSON_OBJECT_OPEN)
                ? bits->in_array : bits->in_object;
        wrong &= ~upto;
    }

    wide->level = level;

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
