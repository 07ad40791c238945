
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_REASON_H_INCLUDED_
#define _NGX_ENVELOPE_REASON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Why something was refused, in words for an operator.  A reason never holds
 * a byte of plaintext, of a key or of a token: only names from the profile,
 * names of algorithms, lengths and positions.
 *
 * Functions of the core are three-valued throughout:
 *
 *     NGX_OK        done
 *     NGX_DECLINED  the input is refused, the reason is set
 *     NGX_ERROR     out of memory or a failure inside a library,
 *                   the reason is set as far as it is known
 */

#define NGX_ENVELOPE_REASON_LEN  384


typedef struct {
    size_t       len;
    u_char       data[NGX_ENVELOPE_REASON_LEN];
} ngx_envelope_reason_t;


/* formats as ngx_snprintf() does, cuts at the limit; return what they say */

ngx_int_t ngx_cdecl ngx_envelope_declined(ngx_envelope_reason_t *reason,
    const char *fmt, ...);
ngx_int_t ngx_cdecl ngx_envelope_failed(ngx_envelope_reason_t *reason,
    const char *fmt, ...);

/* puts the text in front of what the reason already says */

void ngx_cdecl ngx_envelope_reason_prepend(ngx_envelope_reason_t *reason,
    const char *fmt, ...);


#endif /* _NGX_ENVELOPE_REASON_H_INCLUDED_ */
