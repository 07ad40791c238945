
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_MARK_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_MARK_H_INCLUDED_


#include "ngx_http_envelope_request.h"


/*
 * What internal redirects do not wipe.  It is kept once for the main request
 * and all of its subrequests, and goes with the main request's pool.
 */


typedef struct ngx_http_envelope_mark_s  ngx_http_envelope_mark_t;

/* that this body is no longer what the client sent */

struct ngx_http_envelope_mark_s {
    ngx_http_request_body_t       *body;
    const ngx_envelope_format_t   *format;     /* NULL: it was refused */
    ngx_envelope_direction_e       direction;
    ngx_http_envelope_mark_t      *next;
};


/* a value of "once" that it was the first to bring */

typedef struct ngx_http_envelope_seen_s  ngx_http_envelope_seen_t;

struct ngx_http_envelope_seen_s {
    u_char                         digest[NGX_ENVELOPE_ONCE_LEN];
    uint64_t                       expires;
    ngx_uint_t                     kept;       /* whatever comes of the
                                                  request */
    ngx_http_envelope_seen_t      *next;
};


/* what survives internal redirects; one for all requests of a connection's */

typedef struct {
    ngx_http_envelope_mark_t      *first;
    ngx_http_envelope_seen_t      *seen;
    ngx_http_envelope_ctx_t       *ctx;        /* of the main request */
    ngx_uint_t                     reading;    /* the body, not all of which
                                                  has come */
} ngx_http_envelope_marks_t;


/* the marks; NULL when there are none yet and none are to be made */

ngx_http_envelope_marks_t *ngx_http_envelope_marks(ngx_http_request_t *r,
    ngx_uint_t create);

/* marks the body that the request has now */

ngx_int_t ngx_http_envelope_mark_add(ngx_http_request_t *r,
    ngx_http_envelope_marks_t *marks, const ngx_envelope_format_t *format,
    ngx_envelope_direction_e direction);

/* the mark of the body that the request has now, or NULL; so is "marks" */

ngx_http_envelope_mark_t *ngx_http_envelope_mark_find(ngx_http_request_t *r,
    ngx_http_envelope_marks_t *marks);


#endif /* _NGX_HTTP_ENVELOPE_MARK_H_INCLUDED_ */
