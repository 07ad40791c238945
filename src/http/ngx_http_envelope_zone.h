
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_ZONE_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_ZONE_H_INCLUDED_


#include "ngx_http_envelope_module.h"


/*
 * The shared memory of the module.  There is one zone, "envelope_zone" names
 * and sizes it; it survives a reload as long as both stay the same.
 *
 * Nothing but the zone's own mutex is locked: the master unlocks it when a
 * worker dies in the middle.  What such a worker had half written stays as
 * it is, so the state must be a valid one after every single store.
 */


typedef struct ngx_http_envelope_once_table_s  ngx_http_envelope_once_table_t;


typedef struct {
    ngx_queue_t                     tokens;  /* ..token_slot_t */
    ngx_http_envelope_once_table_t *once;    /* NULL until it is needed */
} ngx_http_envelope_zone_sh_t;


struct ngx_http_envelope_zone_s {
    ngx_str_t                       name;
    ngx_http_envelope_main_conf_t  *conf;
    ngx_http_envelope_zone_sh_t    *sh;      /* NULL until it is mapped */
    ngx_slab_pool_t                *shpool;
};


/* "envelope_zone NAME:SIZE" */

char *ngx_http_envelope_zone_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* makes the default zone where none is configured */

ngx_int_t ngx_http_envelope_zone_need(ngx_conf_t *cf);


#endif /* _NGX_HTTP_ENVELOPE_ZONE_H_INCLUDED_ */
