
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_json_wide_tokens.h"
#include "ngx_envelope_json_plain.h"


#if (NGX_ENVELOPE_JSON_WIDE)

/* 64 bytes of a text; those that are not of it are spaces */

typedef struct {
    __m512i   bytes;
    __m512i   tokens;     /* that each of them starts, if it starts any */

    /* a bit for each byte: the first one is the lowest */

    uint64_t  quote;      /* begins or ends a string */
    uint64_t  control;    /* cannot stand in a string */
    uint64_t  inner;      /* cannot stand anywhere else */
} ngx_envelope_json_wide_block_t;


/* where the tokens go, and what goes from block to block */

typedef struct {
    u_char    *token;
    u_char    *value;
    uint64_t  *place;

    uint64_t   string;
    uint64_t   inside;
} ngx_envelope_json_wide_sorter_t;


static ngx_uint_t ngx_envelope_json_wide_are_escapes(u_char *p, u_char *last,
    uint64_t letters);


/*
 * Of what a block seldom has the highest bit is set, as it is in a byte that
 * is not ASCII; this one is of what may be in a string only.
 */

#define NGX_ENVELOPE_JSON_INNER  0x40


const u_char  ngx_envelope_json_wide_token[128] = {
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,
    0xc8, 0x88, 0x88, 0xc8, 0xc8, 0x88, 0xc8, 0xc8,            /* HT LF CR */
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,
    0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8, 0xc8,
    8, 7, 6, 7, 7, 7, 7, 7,         7, 7, 7, 7, 5, 7, 7, 7,    /* space " , */
    7, 7, 7, 7, 7, 7, 7, 7,         7, 7, 4, 7, 7, 7, 7, 7,    /* : */
    7, 7, 7, 7, 7, 7, 7, 7,         7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7,         7, 7, 7, 1, 0xc8, 3, 7, 7, /* [ \ ] */
    7, 7, 7, 7, 7, 7, 7, 7,         7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7,         7, 7, 7, 0, 7, 2, 7, 7     /* { } */
};


ngx_envelope_json_wide_target
static ngx_inline void
ngx_envelope_json_wide_read(ngx_envelope_json_wide_block_t *block,
    __m512i bytes, __m512i quote)
{
    block->bytes = bytes;
    block->tokens = ngx_envelope_json_wide_look(ngx_envelope_json_wide_token,
                                                bytes);
    block->quote = _mm512_cmpeq_epi8_mask(bytes, quote);
    block->control = 0;
    block->inner = 0;
}


/*
 * Looks into a block at p that has bytes that are seldom, or behind one.
 * NGX_DECLINED if there is an escape that is none, or no UTF-8.
 */

ngx_envelope_json_wide_target
static ngx_inline ngx_int_t
ngx_envelope_json_wide_look_into(ngx_envelope_json_wide_t *wide, u_char *p,
    ngx_envelope_json_wide_block_t *block)
{
    uint64_t  backslash, other, escaped, special;

    backslash = _mm512_cmpeq_epi8_mask(block->bytes, _mm512_set1_epi8('\\'));
    other = _mm512_movepi8_mask(block->bytes);

    block->control = _mm512_cmplt_epu8_mask(block->bytes,
                                            _mm512_set1_epi8(' '));
    block->inner = other
                   | _mm512_test_epi8_mask(block->tokens,
                                           _mm512_set1_epi8(
                                                   NGX_ENVELOPE_JSON_INNER));

    if (backslash | wide->escaped) {
        escaped = ngx_envelope_json_wide_escaped(backslash, &wide->escaped);
        special = escaped & ~(block->quote | backslash);

        if (special
            && !ngx_envelope_json_wide_are_escapes(p, wide->last, special))
        {
            return NGX_DECLINED;
        }

        block->quote &= ~escaped;
    }

    if (other | wide->open) {

        if (ngx_envelope_json_wide_not_utf8(p, wide->last - p)) {
            return NGX_DECLINED;
        }

        wide->open = other >> 63;
    }

    return NGX_OK;
}


/*
 * Writes these of the bytes one behind another; returns what is behind them.
 * There is room for all 64, but seldom are there more than half, and shorter
 * stores fall on two cache lines less often.
 */

ngx_envelope_json_wide_target
static ngx_inline u_char *
ngx_envelope_json_wide_pick(u_char *p, uint64_t which, __m512i bytes)
{
    size_t  n;

    n = _mm_popcnt_u64(which);
    bytes = _mm512_maskz_compress_epi8(which, bytes);

    if (n <= 32) {
        _mm256_storeu_si256((__m256i *) (void *) p,
                            _mm512_castsi512_si256(bytes));
    } else {
        _mm512_storeu_si512((void *) p, bytes);
    }

    return p + n;
}


/*
 * Puts the block's tokens and values behind those that are there; "bares" and
 * "quoteds" are 64 times these tokens.  NGX_DECLINED if a byte of the block
 * stands where it cannot.
 */

ngx_envelope_json_wide_target
static ngx_inline ngx_int_t
ngx_envelope_json_wide_sort(ngx_envelope_json_wide_sorter_t *sorter,
    ngx_envelope_json_wide_block_t *block, __m512i bares, __m512i quoteds)
{
    uint64_t  string, bare, behind, place;

    /* in a string is what an odd number of quotes is in front of, or on */

    string = sorter->string
             ^ (uint64_t) _mm_cvtsi128_si64(
                   _mm_clmulepi64_si128(
                       _mm_cvtsi64_si128((int64_t) block->quote),
                       _mm_set1_epi8(-1), 0));

    sorter->string = (uint64_t) ((int64_t) string >> 63);

    /*
     * What is bare is one token, and starts where none is in front; in strings
     * there may be what looks the same.
     */

    bare = _mm512_cmpeq_epi8_mask(block->tokens, bares);
    behind = bare << 1 | sorter->inside;
    sorter->inside = bare >> 63;

    /* tokens below strings are characters of their own */

    place = (bare & ~behind)
            | _mm512_cmplt_epu8_mask(block->tokens, quoteds);
    place = (place & ~string) | (block->quote & string);

    *sorter->place++ = place;

    sorter->token = ngx_envelope_json_wide_pick(sorter->token, place,
                                                block->tokens);
    sorter->value = ngx_envelope_json_wide_pick(sorter->value,
                                (bare | behind) & ~(string | block->quote),
                                block->bytes);

    return ((block->control & string) | (block->inner & ~string))
           ? NGX_DECLINED : NGX_OK;
}


ngx_envelope_json_wide_target
ngx_int_t
ngx_envelope_json_wide_find(ngx_envelope_json_wide_t *wide, size_t blocks)
{
    u_char                           *p, *last;
    uint64_t                         *end;
    ngx_envelope_json_wide_block_t    block;
    ngx_envelope_json_wide_sorter_t   sorter;

    const __m512i  quote = ngx_envelope_json_wide_fill('"');
    const __m512i  bares = ngx_envelope_json_wide_fill(NGX_ENVELOPE_JSON_BARE);
    const __m512i  quoteds = ngx_envelope_json_wide_fill(
                                                    NGX_ENVELOPE_JSON_QUOTED);

    p = wide->p;
    last = wide->last;
    end = wide->places + blocks;

    sorter.token = wide->tokens + 64;
    sorter.value = wide->values + wide->values_len;
    sorter.place = wide->places;
    sorter.string = wide->string;
    sorter.inside = wide->inside;

    for ( ;; ) {

        while (sorter.place < end && last - p >= 64
               && (wide->before | wide->escaped | wide->open) == 0)
        {
            ngx_envelope_json_wide_read(&block,
                                        _mm512_loadu_si512((const void *) p),
                                        quote);

            if (_mm512_movepi8_mask(_mm512_or_si512(block.bytes,
                                                    block.tokens)))
            {
                break;
            }

            (void) ngx_envelope_json_wide_sort(&sorter, &block, bares,
                                               quoteds);
            p += 64;
        }

        if (sorter.place == end || p >= last) {
            break;
        }

        ngx_envelope_json_wide_read(&block,
                  _mm512_mask_set1_epi8(ngx_envelope_json_wide_load(p,
                                                                    last - p),
                                        wide->before, ' '),
                  quote);
        wide->before = 0;

        if (ngx_envelope_json_wide_look_into(wide, p, &block) != NGX_OK
            || ngx_envelope_json_wide_sort(&sorter, &block, bares, quoteds)
               != NGX_OK)
        {
            return NGX_DECLINED;
        }

        p += 64;
    }

    wide->p = ngx_min(p, last);
    wide->string = sorter.string;
    wide->inside = sorter.inside;
    wide->blocks = sorter.place - wide->places;
    wide->n = sorter.token - (wide->tokens + 64);
    wide->values_len = sorter.value - wide->values;

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

#endif
