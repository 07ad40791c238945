
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_CODEC_H_INCLUDED_
#define _NGX_ENVELOPE_CODEC_H_INCLUDED_


#include "ngx_envelope_reason.h"


/*
 * Strict and canonical codecs.  ngx_decode_base64() ignores all that follows
 * the first "=" and EVP_DecodeBlock() takes inner white space and "====", so
 * neither can stand between a signature and what it signs.
 *
 * base64     RFC 4648 section 4: padded, no line breaks
 * base64url  RFC 4648 section 5: not padded
 * hex        RFC 4648 section 8, written in lower case, read in either
 *
 * Encoding writes exactly *_length(len) bytes.  Decoding writes at most
 * *_decoded_max(len) bytes, sets dst->len and returns NGX_OK, or returns
 * NGX_DECLINED with a reason: a character outside the alphabet, white space,
 * a wrong length, missing or surplus padding, non-zero trailing bits.
 * dst->data is the caller's and may be src->data (decoding works in place).
 */

#define ngx_envelope_base64_length(len)         (((len) + 2) / 3 * 4)
#define ngx_envelope_base64_decoded_max(len)    (((len) + 3) / 4 * 3)
#define ngx_envelope_base64url_length(len)      (((len) * 8 + 5) / 6)
#define ngx_envelope_base64url_decoded_max(len) (((len) + 3) / 4 * 3)
#define ngx_envelope_hex_length(len)            ((len) * 2)
#define ngx_envelope_hex_decoded_max(len)       ((len) / 2)

void ngx_envelope_base64_encode(ngx_str_t *dst, ngx_str_t *src);
ngx_int_t ngx_envelope_base64_decode(ngx_str_t *dst, ngx_str_t *src,
    ngx_envelope_reason_t *reason);

void ngx_envelope_base64url_encode(ngx_str_t *dst, ngx_str_t *src);
ngx_int_t ngx_envelope_base64url_decode(ngx_str_t *dst, ngx_str_t *src,
    ngx_envelope_reason_t *reason);

void ngx_envelope_hex_encode(ngx_str_t *dst, ngx_str_t *src);
ngx_int_t ngx_envelope_hex_decode(ngx_str_t *dst, ngx_str_t *src,
    ngx_envelope_reason_t *reason);

/* RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF */

ngx_uint_t ngx_envelope_utf8_valid(const u_char *p, size_t len);

/*
 * The length of the sequence of two to four bytes that p begins with, 0 if
 * there is none; len is at least 1.
 */

size_t ngx_envelope_utf8_sequence(const u_char *p, size_t len);


#endif /* _NGX_ENVELOPE_CODEC_H_INCLUDED_ */
