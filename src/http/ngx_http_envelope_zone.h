
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_ZONE_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_ZONE_H_INCLUDED_


#include "ngx_http_envelope_module.h"


/*
 * The shared memory of the module.  There is one zone, "envelope_zone" names
 * and sizes it; it survives a reload and a binary upgrade as long as both stay
 * the same.
 *
 * Nothing but the zone's own mutex is locked: the master unlocks it when a
 * worker dies in the middle.  What such a worker had half written stays as
 * it is, so the state must be a valid one after every single store.
 */


typedef struct ngx_http_envelope_once_table_s  ngx_http_envelope_once_table_t;


/* to be raised with any change to what is in the zone, and what it means */

#define NGX_HTTP_ENVELOPE_ZONE_LAYOUT  1


typedef struct {
    ngx_queue_t                     tokens;  /* ..token_slot_t */
    ngx_http_envelope_once_table_t *once;    /* NULL until it is needed */
} ngx_http_envelope_zone_sh_t;


struct ngx_http_envelope_zone_s {
    ngx_str_t                       name;
    ngx_http_envelope_main_conf_t  *conf;
    ngx_http_envelope_zone_sh_t    *sh;      /* NULL until it is mapped */
    ngx_slab_pool_t                *shpool;

    /* of the configuration, and its own: a new binary's way to the memory */
    ngx_cycle_t                    *cycle;
    ngx_fd_t                        fd;
    ngx_uint_t                      inherited;  /* it is of an old binary */
};


/* "envelope_zone NAME:SIZE" */

char *ngx_http_envelope_zone_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* makes the default zone where none is configured */

ngx_int_t ngx_http_envelope_zone_need(ngx_conf_t *cf);


/* ngx_http_envelope_zone_memory.c, what a binary upgrade needs */

ngx_int_t ngx_http_envelope_zone_memory(ngx_conf_t *cf,
    ngx_http_envelope_zone_t *zone);

/* the descriptor that the old binary has left, or NGX_INVALID_FILE */

ngx_fd_t ngx_http_envelope_zone_handed(ngx_cycle_t *cycle);

/*
 * As the zone is mapped: takes over the old binary's memory, or NGX_DECLINED;
 * makes nginx's own such that a new binary can take it; after a reload it is
 * "old"'s.  Only the first two change the zone's address.
 */

ngx_int_t ngx_http_envelope_zone_inherit(ngx_shm_zone_t *shm_zone,
    ngx_http_envelope_zone_t *zone);
void ngx_http_envelope_zone_share(ngx_shm_zone_t *shm_zone,
    ngx_http_envelope_zone_t *zone);
void ngx_http_envelope_zone_keep(ngx_http_envelope_zone_t *zone,
    ngx_http_envelope_zone_t *old);

/* whether workers of another binary may be using it as well */

ngx_uint_t ngx_http_envelope_zone_upgrading(ngx_http_envelope_zone_t *zone);

/* hooks of the module */

ngx_int_t ngx_http_envelope_zone_init_module(ngx_cycle_t *cycle);
void ngx_http_envelope_zone_init_process(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_ENVELOPE_ZONE_H_INCLUDED_ */
