
/*
 * What the shim lets a test see and do; see shim.c.
 */


#ifndef _SHIM_H_INCLUDED_
#define _SHIM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Allocations are numbered from 0 since shim_reset(); the one with the number
 * shim_fail_at returns NULL, and with shim_fail_after set all later ones do
 * too.  -1: none fails.
 */
extern ngx_int_t   shim_fail_at;
extern ngx_uint_t  shim_fail_after;

/* allocations asked for since shim_reset(), failed ones included */
extern ngx_uint_t  shim_allocs;

/* pools, and allocations out of pools, that were not freed yet; what
 * ngx_alloc() gave is freed by free() itself, and LeakSanitizer watches it */
extern ngx_uint_t  shim_live_pools;
extern ngx_uint_t  shim_live;

/* called with what a pool is about to free, unless it is NULL */
extern void  (*shim_freed)(void *p, size_t size);

/* a log to hand to ngx_create_pool(); its lines are kept in shim_log_text,
 * one a line as "[level] text", as far as they fit */
extern ngx_log_t   shim_log;
extern char        shim_log_text[65536];
extern ngx_uint_t  shim_log_lines;

/* counters, log and fault injection back to the start */
void shim_reset(void);


#endif /* _SHIM_H_INCLUDED_ */
