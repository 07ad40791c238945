
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_SOURCE_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_SOURCE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_envelope_reason.h"


/*
 * Where the bytes of a key or a secret come from: a file, "data:BYTES",
 * "env:NAME" or, for keys, "store:URI".
 */

typedef enum {
    NGX_HTTP_ENVELOPE_SOURCE_FILE = 0,
    NGX_HTTP_ENVELOPE_SOURCE_DATA,
    NGX_HTTP_ENVELOPE_SOURCE_ENV,
    NGX_HTTP_ENVELOPE_SOURCE_STORE
} ngx_http_envelope_source_kind_e;


typedef struct {
    ngx_http_envelope_source_kind_e   kind;
    ngx_str_t                         label;    /* for messages: without
                                                   a byte of the content */
    ngx_str_t                         content;  /* of STORE: the URI,
                                                   zero-terminated */
    u_char                           *buffer;
    size_t                            size;
    unsigned                          exposed:1; /* others may read the file */
} ngx_http_envelope_source_t;


/*
 * Reads what the word stands for.  The content may be written to, and lives
 * until ngx_http_envelope_source_done(), which overwrites it and has to be
 * called whatever is returned here; the bytes of a "data:" or "store:" word
 * are overwritten in the word itself.
 *
 * NGX_DECLINED: the file cannot be read or is too large, the variable is not
 * set; the reason names it.
 */

ngx_int_t ngx_http_envelope_source_read(ngx_http_envelope_source_t *source,
    ngx_cycle_t *cycle, ngx_str_t *word, ngx_envelope_reason_t *reason);

void ngx_http_envelope_source_done(ngx_http_envelope_source_t *source);

/* the same for a word that can only be the name of a file */

ngx_int_t ngx_http_envelope_source_read_file(
    ngx_http_envelope_source_t *source, ngx_cycle_t *cycle, ngx_str_t *name,
    ngx_envelope_reason_t *reason);

/* cuts the content where its first line ends */

void ngx_http_envelope_source_first_line(ngx_http_envelope_source_t *source);

/*
 * Makes the content what it is in the encoding: "text", "raw", "base64" or
 * "hex".  A line break at the end of a file belongs to the file, not to the
 * secret, but for "raw".
 */

ngx_int_t ngx_http_envelope_source_decode(ngx_http_envelope_source_t *source,
    ngx_str_t *encoding, ngx_envelope_reason_t *reason);


#endif /* _NGX_HTTP_ENVELOPE_SOURCE_H_INCLUDED_ */
