
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_PROFILE_H_INCLUDED_
#define _NGX_ENVELOPE_PROFILE_H_INCLUDED_


#include "ngx_envelope_key.h"


#define NGX_ENVELOPE_RING_MAX      16    /* keys of one name */
#define NGX_ENVELOPE_SECRET_MAX    4096  /* bytes of a secret */


typedef struct ngx_envelope_format_s  ngx_envelope_format_t;


/* the four messages of a provider */

typedef enum {
    NGX_ENVELOPE_REQUEST = 0,
    NGX_ENVELOPE_RESPONSE,
    NGX_ENVELOPE_WEBHOOK,
    NGX_ENVELOPE_REPLY,
    NGX_ENVELOPE_MESSAGES
} ngx_envelope_message_e;


typedef enum {
    NGX_ENVELOPE_SEAL = 0,
    NGX_ENVELOPE_OPEN
} ngx_envelope_direction_e;


typedef struct {
    ngx_str_t         value;         /* cleansed with the pool */
    ngx_str_t         id;
} ngx_envelope_shared_secret_t;


/* "key" or "secret" lines of one name; the first one seals, any may open */

typedef struct {
    ngx_str_t         name;
    ngx_array_t       keys;          /* ngx_envelope_key_t, or .. */
    ngx_array_t       secrets;       /* ngx_envelope_shared_secret_t */
    unsigned          is_secret:1;
} ngx_envelope_ring_t;


/* immutable once its formats have been linked */

typedef struct {
    ngx_str_t               name;
    ngx_pool_t             *pool;
    ngx_array_t             rings;   /* ngx_envelope_ring_t * */
    ngx_envelope_format_t  *formats[NGX_ENVELOPE_MESSAGES];
                                     /* NULL: not described */
} ngx_envelope_profile_t;


/* "request", "response", "webhook", "reply" */

extern ngx_str_t  ngx_envelope_message_names[NGX_ENVELOPE_MESSAGES];


ngx_envelope_profile_t *ngx_envelope_profile_create(ngx_pool_t *pool,
    ngx_str_t *name);

ngx_envelope_ring_t *ngx_envelope_profile_ring(
    ngx_envelope_profile_t *profile, ngx_str_t *name);

/*
 * Puts a parsed key, or a secret in its decoded form, at the end of the ring
 * of that name, which is made when it is the first.  The bytes of a secret
 * are copied.  NGX_DECLINED: the name is taken by the other kind, the ring
 * is full, the id stands there already, the secret is empty or too long.
 */

ngx_int_t ngx_envelope_profile_add_key(ngx_envelope_profile_t *profile,
    ngx_str_t *name, ngx_envelope_key_t *key, ngx_envelope_reason_t *reason);

ngx_int_t ngx_envelope_profile_add_secret(ngx_envelope_profile_t *profile,
    ngx_str_t *name, ngx_str_t *id, ngx_str_t *value,
    ngx_envelope_reason_t *reason);

/* what is kept of words is copied: nginx reuses their memory */

ngx_int_t ngx_envelope_copy(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t *src);

/* for names; what is secret is compared otherwise */

ngx_uint_t ngx_envelope_str_equal(ngx_str_t *a, ngx_str_t *b);


#endif /* _NGX_ENVELOPE_PROFILE_H_INCLUDED_ */
