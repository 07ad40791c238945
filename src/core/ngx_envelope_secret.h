
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_SECRET_H_INCLUDED_
#define _NGX_ENVELOPE_SECRET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Memory for what must not outlive its pool: keys, session keys, decrypted
 * text.  The cleanup is registered before the memory is handed out and
 * overwrites all of it with ngx_explicit_memzero() when the pool is destroyed.
 * Returns NULL when out of memory.
 */

u_char *ngx_envelope_secret_alloc(ngx_pool_t *pool, size_t size);


#endif /* _NGX_ENVELOPE_SECRET_H_INCLUDED_ */
