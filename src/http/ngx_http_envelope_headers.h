
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_HEADERS_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_HEADERS_H_INCLUDED_


#include "ngx_http_envelope_request.h"


/*
 * Header fields between nginx's lists and the core's arrays.  The arrays are
 * made in the pool given; names and values point into the request.  An edit
 * writes a field, or removes all of its name where value.data is NULL.
 */

ngx_int_t ngx_http_envelope_headers_in(ngx_http_request_t *r,
    ngx_pool_t *pool, ngx_envelope_header_t **headers, ngx_uint_t *n);
ngx_int_t ngx_http_envelope_headers_out(ngx_http_request_t *r,
    ngx_pool_t *pool, ngx_envelope_header_t **headers, ngx_uint_t *n);

/*
 * Adds an edit to an array of them; an earlier one of that name gives way.
 * "value" is NULL to remove.
 */

ngx_int_t ngx_http_envelope_headers_edit(ngx_array_t *edits, char *name,
    ngx_str_t *value);

ngx_envelope_header_t *ngx_http_envelope_headers_find(ngx_array_t *edits,
    ngx_str_t *name);

/*
 * Fields of a request that go unless an edit writes them: what they say is of
 * the body as it was, or is not to be said where the answer is made anew.
 */

#define NGX_HTTP_ENVELOPE_STALE_BODY     0x01  /* coding, digests */
#define NGX_HTTP_ENVELOPE_STALE_CONTENT  0x02  /* length and type */
#define NGX_HTTP_ENVELOPE_STALE_EXPECT   0x04
#define NGX_HTTP_ENVELOPE_STALE_ANSWER   0x08  /* ranges, codings */
#define NGX_HTTP_ENVELOPE_STALE_ALL      0x0f

/* what nginx knows of a request's fields, once for each configuration */

ngx_int_t ngx_http_envelope_headers_in_init(ngx_conf_t *cf);

/*
 * Applies edits to the request, and takes off the fields that "stale" says.
 * The list of header fields, which a subrequest shares with its parent, is
 * made anew, and nginx's pointers to known fields follow; an Accept-Encoding
 * that is removed is not sent on any more, but nginx's own filters still know
 * what the client accepts.
 */

ngx_int_t ngx_http_envelope_headers_in_apply(ngx_http_request_t *r,
    ngx_array_t *edits, ngx_uint_t stale);

/* the same for the response, whose list is the request's own */

ngx_int_t ngx_http_envelope_headers_out_apply(ngx_http_request_t *r,
    ngx_array_t *edits);

/*
 * Room for the strings of all that is written, in secret memory, as a value
 * may be a token; and one field there: returns where the next one goes.  An
 * old field of that name, if not NULL, has its hash and lower-case name.
 */

u_char *ngx_http_envelope_headers_room(ngx_pool_t *pool, ngx_array_t *edits);
u_char *ngx_http_envelope_headers_elt(u_char *p, ngx_table_elt_t *h,
    ngx_envelope_header_t *edit, ngx_table_elt_t *old);

/* takes off what is said of other bytes than those that will be sent */

void ngx_http_envelope_headers_out_clean(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ENVELOPE_HEADERS_H_INCLUDED_ */
