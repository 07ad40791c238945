
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_rsa_pad.h"


/*
 * OpenSSL has this padding, too, and asks its generator for each: that takes
 * as long for fifty bytes as for a thousand, and some five percent of what
 * the operation with a public key of 2048 bits takes.
 */


/*
 * One byte of 256 is a zero, and is drawn again, together with the others of
 * its kind.  How often, before it is plain that these bytes are not random.
 */

#define NGX_ENVELOPE_RSA_PAD_DRAWS  64


static ngx_int_t ngx_envelope_rsa_pad_random(const ngx_envelope_env_t *env,
    u_char *p, u_char *end);


ngx_int_t
ngx_envelope_rsa_pad(const ngx_envelope_env_t *env, u_char *block, size_t k,
    const u_char *text, size_t len)
{
    u_char  *zero;

    zero = block + k - len - 1;

    block[0] = 0;
    block[1] = 2;

    if (ngx_envelope_rsa_pad_random(env, block + 2, zero) != NGX_OK) {
        return NGX_ERROR;
    }

    *zero = 0;
    ngx_memcpy(zero + 1, text, len);

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_rsa_pad_random(const ngx_envelope_env_t *env, u_char *p,
    u_char *end)
{
    u_char      *q, *zero;
    ngx_uint_t   i;

    for (i = 0; i < NGX_ENVELOPE_RSA_PAD_DRAWS; i++) {

        if (env->random(env->data, p, end - p) != NGX_OK) {
            return NGX_ERROR;
        }

        zero = memchr(p, 0, end - p);

        if (zero == NULL) {
            return NGX_OK;
        }

        /* the others behind it move to the front */

        p = zero;

        for (q = zero + 1; q < end; q++) {
            *p = *q;
            p += (*q != 0);
        }
    }

    return NGX_ERROR;
}
