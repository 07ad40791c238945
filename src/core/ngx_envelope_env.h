
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_ENV_H_INCLUDED_
#define _NGX_ENVELOPE_ENV_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * How the blocks of a long text are gone through: run() has work(ctx, i)
 * called once for every i below n, in any order and on several threads if it
 * likes, and returns when all of them are done.  Should it leave any out, the
 * text fails.
 */

typedef struct {
    void                       (*run)(void *data, ngx_uint_t n,
                                      void (*work)(void *ctx, ngx_uint_t i),
                                      void *ctx);
    void                        *data;
} ngx_envelope_each_t;


/*
 * What is neither in the message nor in the profile.  The random bytes are
 * those of keys, of initialization vectors and of the padding of
 * RSAES-PKCS1-v1_5; the seeds of OAEP and the salts of signatures are
 * OpenSSL's own.
 */

typedef struct {
    /* fills the buffer; NGX_OK or NGX_ERROR */
    ngx_int_t                  (*random)(void *data, u_char *buf, size_t len);
    void                        *data;

    const ngx_envelope_each_t   *each;    /* NULL: no threads */
} ngx_envelope_env_t;


#endif /* _NGX_ENVELOPE_ENV_H_INCLUDED_ */
