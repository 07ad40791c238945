
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_HEADERS_H_INCLUDED_
#define _NGX_ENVELOPE_HEADERS_H_INCLUDED_


#include "ngx_envelope_reason.h"


/*
 * The header fields of a message as the core sees them: names in any case,
 * values without the white space around them.  What a transformation did to
 * them comes back as a list of edits.
 */

typedef struct {
    ngx_str_t    name;
    ngx_str_t    value;
} ngx_envelope_header_t;


typedef struct {
    ngx_pool_t  *pool;
    ngx_array_t  fields;   /* ngx_envelope_header_t; as they are by now */
    ngx_array_t  touched;  /* ngx_str_t; names that were written or removed */
} ngx_envelope_headers_t;


/* names of fields, most of which are spelled alike */

static ngx_inline ngx_uint_t
ngx_envelope_header_is(const ngx_str_t *a, const ngx_str_t *b)
{
    return a->len == b->len
           && (ngx_memcmp(a->data, b->data, a->len) == 0
               || ngx_strncasecmp(a->data, b->data, a->len) == 0);
}


ngx_int_t ngx_envelope_headers_init(ngx_envelope_headers_t *headers,
    ngx_pool_t *pool, const ngx_envelope_header_t *fields, ngx_uint_t n);

/*
 * The number of fields of that name; *value is the first one's, of "len"
 * at least one.
 */

ngx_uint_t ngx_envelope_headers_get(ngx_envelope_headers_t *headers,
    ngx_str_t *name, ngx_str_t *value);

/*
 * The "nth" (from 0) value of one "param=value" of a structured header:
 * params are separated by "," or ";" with optional white space around, and
 * a value may be quoted.  Several fields of the name count as joined.
 * Returns NGX_OK, or NGX_DECLINED when there is no such one.
 */

ngx_int_t ngx_envelope_headers_param(ngx_envelope_headers_t *headers,
    ngx_str_t *name, ngx_str_t *param, ngx_uint_t nth, ngx_str_t *value);

/*
 * Writing replaces all fields of the name; a param is appended to the field
 * as ",param=value".  NGX_DECLINED: the value has control characters, or is
 * a param's and has what would end it.
 */

ngx_int_t ngx_envelope_headers_set(ngx_envelope_headers_t *headers,
    ngx_str_t *name, ngx_str_t *value, ngx_envelope_reason_t *reason);
ngx_int_t ngx_envelope_headers_set_param(ngx_envelope_headers_t *headers,
    ngx_str_t *name, ngx_str_t *param, ngx_str_t *value,
    ngx_envelope_reason_t *reason);

ngx_int_t ngx_envelope_headers_remove(ngx_envelope_headers_t *headers,
    ngx_str_t *name);
ngx_int_t ngx_envelope_headers_remove_param(ngx_envelope_headers_t *headers,
    ngx_str_t *name, ngx_str_t *param);


#endif /* _NGX_ENVELOPE_HEADERS_H_INCLUDED_ */
