
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_RSA_PAD_H_INCLUDED_
#define _NGX_ENVELOPE_RSA_PAD_H_INCLUDED_


#include "ngx_envelope_env.h"


/* 00, the block type, at least eight bytes of padding, 00 */

#define NGX_ENVELOPE_RSA_PKCS1_OVERHEAD  11


/*
 * EME-PKCS1-v1_5 (RFC 8017, 7.2.1): block = 00 02 padding 00 text, k bytes,
 * of which the text has at most k - NGX_ENVELOPE_RSA_PKCS1_OVERHEAD; the
 * padding is of random bytes that are not zero.  The block is as secret as
 * the text, and the caller's to cleanse.
 *
 * NGX_ERROR without random bytes, or with ones that are no longer random;
 * there is no block then.
 */

ngx_int_t ngx_envelope_rsa_pad(const ngx_envelope_env_t *env, u_char *block,
    size_t k, const u_char *text, size_t len);


#endif /* _NGX_ENVELOPE_RSA_PAD_H_INCLUDED_ */
