
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_ONCE_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_ONCE_H_INCLUDED_


#include "ngx_http_envelope_request.h"
#include "ngx_http_envelope_zone.h"


/*
 * "once": which values have come, for all workers.  A value is marked when
 * the message that brings it has been verified and before anything of it is
 * passed on, in the same step that looks for an older mark.
 */


/*
 * Marks lie in a table that is made with the zone: nothing is allocated
 * later, so that a worker may die at any instant.  A mark may be in either
 * of two buckets, and counts from the one store that says until when.
 */

#define NGX_HTTP_ENVELOPE_ONCE_WAYS    16
#define NGX_HTTP_ENVELOPE_ONCE_ID_LEN  16

typedef struct {
    uint64_t                          expires;   /* unix time, milliseconds;
                                                    past or 0: free */
    u_char                            id[NGX_HTTP_ENVELOPE_ONCE_ID_LEN];
} ngx_http_envelope_once_slot_t;


struct ngx_http_envelope_once_table_s {
    uint64_t                          unchecked; /* messages taken without
                                                    a mark */
    uint64_t                          said;      /* when that was logged */
    ngx_uint_t                        nbuckets;
    ngx_http_envelope_once_slot_t     slots[1];
};


/* makes the table in the zone unless it is there; NGX_ERROR: no room at all */

ngx_int_t ngx_http_envelope_once_attach(ngx_http_envelope_zone_t *zone);

/*
 * With the zone's mutex locked: the mark of a digest, or NULL; a new one, or
 * NULL where there is no room.
 */

ngx_http_envelope_once_slot_t *ngx_http_envelope_once_find(
    ngx_http_envelope_once_table_t *table, u_char *digest, uint64_t now);
ngx_http_envelope_once_slot_t *ngx_http_envelope_once_put(
    ngx_http_envelope_once_table_t *table, u_char *digest, uint64_t expires,
    uint64_t now);


/*
 * The time that "fresh" and "once" go by: the same clock for both, so that
 * what one has forgotten the other still refuses.
 */

uint64_t ngx_http_envelope_once_now(void);

/*
 * Looks at what an opened message says has to be new, and marks it; turns
 * the job's output into a refusal where it is not, or where there is no room.
 * A request is no repetition of itself, whatever subrequests and redirects
 * open of it.
 */

void ngx_http_envelope_once(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job);

/*
 * Takes the marks of a request back if it fails and no upstream was sent a
 * byte of it, so that its sender can try again; to be called before the
 * sender learns of it.
 */

void ngx_http_envelope_once_release(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ENVELOPE_ONCE_H_INCLUDED_ */
