
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_STEP_H_INCLUDED_
#define _NGX_ENVELOPE_STEP_H_INCLUDED_


#include "ngx_envelope_template.h"
#include "ngx_envelope_alg.h"
#include "ngx_envelope_cipher.h"
#include "ngx_envelope_rsa.h"


/*
 * Steps turn bytes into bytes: sealing goes through them from left to right,
 * opening undoes them from right to left.
 */

#define NGX_ENVELOPE_STEPS_MAX  16


/* what "key=" and "iv=" point to */

typedef enum {
    NGX_ENVELOPE_REF_NONE = 0,
    NGX_ENVELOPE_REF_RING,        /* a "key" or a "secret" */
    NGX_ENVELOPE_REF_RANDOM,      /* a "random" or a part of it */
    NGX_ENVELOPE_REF_CONSTANT,    /* "hex:.." */
    NGX_ENVELOPE_REF_PREFIX,      /* random, in front of the ciphertext */
    NGX_ENVELOPE_REF_ADDRESS      /* "<ADDRESS>" */
} ngx_envelope_ref_kind_e;


typedef struct {
    ngx_envelope_ref_kind_e        kind;
    ngx_str_t                      text;     /* as written; the constant */
    ngx_uint_t                     index;    /* of the ring, the random */
    size_t                         offset;   /* of the part */
    size_t                         len;
    uint64_t                       mask;     /* of the random's parts */
    ngx_envelope_address_t        *address;
} ngx_envelope_ref_t;


typedef struct ngx_envelope_step_def_s  ngx_envelope_step_def_t;


typedef struct {
    const ngx_envelope_step_def_t  *def;
    ngx_str_t                       name;
    ngx_str_t                       text;    /* of "prefix" */
    ngx_envelope_ref_t              key;
    ngx_envelope_ref_t              iv;
    ngx_envelope_template_t        *aad;     /* NULL: none */
    ngx_envelope_rsa_t              rsa;
    ngx_envelope_cipher_t           cipher;
} ngx_envelope_step_t;


#endif /* _NGX_ENVELOPE_STEP_H_INCLUDED_ */
