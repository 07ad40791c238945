
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_ERRORS_H_INCLUDED_
#define _NGX_ENVELOPE_ERRORS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <openssl/err.h>


/*
 * Empties OpenSSL's error queue, where nginx's TLS would find what is left
 * there and take it for its own.  ERR_clear_error() goes through all entries
 * the queue has room for, and nearly always there is nothing in any.
 */

static ngx_inline void
ngx_envelope_errors_clear(void)
{
    if (ERR_peek_error()) {
        ERR_clear_error();
    }
}


#endif /* _NGX_ENVELOPE_ERRORS_H_INCLUDED_ */
