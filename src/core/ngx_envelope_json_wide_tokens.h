
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_JSON_WIDE_TOKENS_H_INCLUDED_
#define _NGX_ENVELOPE_JSON_WIDE_TOKENS_H_INCLUDED_


#include "ngx_envelope_json_wide.h"


#if (NGX_ENVELOPE_JSON_WIDE)

/*
 * Outside of strings and numbers JSON is a row of tokens.  They are found in
 * the text 64 bytes at a time and put side by side, a byte for each; then the
 * grammar is judged 64 tokens at a time.  Numbers and words are put side by
 * side as well, each with the byte behind it, and judged 64 bytes at a time.
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


/* at most so many blocks of 64 bytes are looked at together */

#define NGX_ENVELOPE_JSON_WIDE_BLOCKS  64


/* a number or a word that is not shorter is not judged here */

#define NGX_ENVELOPE_JSON_WIDE_VALUE   64


typedef struct {
    u_char      *p;           /* the next block */
    u_char      *last;
    uint64_t     before;      /* bytes of that in front of where it begins */

    /* what is known of the byte at p */

    uint64_t     string;      /* all ones: it is in a string */
    uint64_t     escaped;     /* 1: it is behind a backslash */
    uint64_t     inside;      /* 1: it is behind a byte that can be bare */
    uint64_t     open;        /* 1: it is behind a byte that is not ASCII */

    /* the blocks that were looked at together */

    size_t       blocks;
    uint64_t     places[NGX_ENVELOPE_JSON_WIDE_BLOCKS];
                              /* where tokens start in each one */
    size_t       n;           /* tokens, from the 64th on; in front of them
                                 are the last two of the blocks before */
    u_char       tokens[64 + NGX_ENVELOPE_JSON_WIDE_BLOCKS * 64];

    size_t       values_len;  /* first what was not judged before */
    u_char       values[NGX_ENVELOPE_JSON_WIDE_VALUE
                        + NGX_ENVELOPE_JSON_WIDE_BLOCKS * 64];
} ngx_envelope_json_wide_t;


/*
 * Finds the tokens of the next blocks, at most so many.  NGX_DECLINED if
 * something is wrong in a string, or is in none and would have to.
 */

ngx_int_t ngx_envelope_json_wide_find(ngx_envelope_json_wide_t *wide,
    size_t blocks);

/*
 * Judges the numbers and words that were found: most of them, for less than
 * 64 bytes are not worth it, or all whose end was found.  NGX_DECLINED if one
 * of them is wrong, or too long.
 */

ngx_int_t ngx_envelope_json_wide_most_values(ngx_envelope_json_wide_t *wide);
ngx_int_t ngx_envelope_json_wide_all_values(ngx_envelope_json_wide_t *wide);


/* the token that a byte below 0x80 starts, and what else is known of it */

extern const u_char  ngx_envelope_json_wide_token[128];

#endif


#endif /* _NGX_ENVELOPE_JSON_WIDE_TOKENS_H_INCLUDED_ */
