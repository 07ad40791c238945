
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_READY_H_INCLUDED_
#define _NGX_ENVELOPE_READY_H_INCLUDED_


#include "ngx_envelope_reason.h"


/*
 * Contexts of OpenSSL that are set up once, when the configuration is read,
 * since that costs as much as many a message's own operations do.
 *
 * The original is only ever copied, which any number of threads may do at a
 * time.  A copy that has been used is kept for the next message; there is one
 * place for such a spare, and whoever finds it empty makes another copy.
 */

/* how contexts of a type are copied and freed */

typedef struct {
    void                          *(*dup)(const void *ctx);
    void                           (*free)(void *ctx);
} ngx_envelope_ready_type_t;


typedef struct ngx_envelope_ready_s  ngx_envelope_ready_t;

struct ngx_envelope_ready_s {
    const void                      *key;   /* told apart by its address */
    ngx_uint_t                       way;   /* 0 or 1: there or back */
    const ngx_envelope_ready_type_t *type;
    void                            *ctx;   /* the original */
    void                            *spare; /* or NULL; exchanged atomically */
    ngx_envelope_ready_t            *next;
};


extern const ngx_envelope_ready_type_t  ngx_envelope_ready_pkey;
extern const ngx_envelope_ready_type_t  ngx_envelope_ready_md;
extern const ngx_envelope_ready_type_t  ngx_envelope_ready_mac;


/*
 * Adds a context to the list, of which the pool takes care from then on; it
 * is freed if that fails, with NGX_ERROR.  No NULL is added: NGX_ERROR, too.
 */

ngx_int_t ngx_envelope_ready_add(ngx_envelope_ready_t **list,
    ngx_pool_t *pool, const ngx_envelope_ready_type_t *type, const void *key,
    ngx_uint_t way, void *ctx);

/* NULL when there is none */

ngx_envelope_ready_t *ngx_envelope_ready_find(ngx_envelope_ready_t *list,
    const void *key, ngx_uint_t way);

/*
 * A context of the caller's own, a copy or the spare: what is not the same
 * for all messages has to be set.  NULL when memory is short.
 */

void *ngx_envelope_ready_take(ngx_envelope_ready_t *ready);

/* it has worked and can be used again; the caller frees one that has not */

void ngx_envelope_ready_give(ngx_envelope_ready_t *ready, void *ctx);


#endif /* _NGX_ENVELOPE_READY_H_INCLUDED_ */
