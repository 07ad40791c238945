
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_RANDOM_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_RANDOM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Fills the buffer with random bytes of OpenSSL's, fit for keys, on any
 * thread; "data" is not looked at.  NGX_ERROR if there are none, with nothing
 * left in OpenSSL's error queue.
 */

ngx_int_t ngx_http_envelope_random(void *data, u_char *buf, size_t len);


#endif /* _NGX_HTTP_ENVELOPE_RANDOM_H_INCLUDED_ */
