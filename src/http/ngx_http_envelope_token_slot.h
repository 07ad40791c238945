
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_TOKEN_SLOT_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_TOKEN_SLOT_H_INCLUDED_


#include "ngx_http_envelope_token.h"


/*
 * A token in the zone.  Times are ngx_current_msec, which all processes of the
 * machine share; what the provider says by its clock is turned into these as
 * it comes.
 *
 * What is changed here changes NGX_HTTP_ENVELOPE_ZONE_LAYOUT.
 */


/* workers whose calls are counted, old ones that still serve included */

#define NGX_HTTP_ENVELOPE_TOKEN_WORKERS_MAX  512


typedef struct {
    size_t         len;             /* 0: there is none */
    ngx_msec_t     expires;
    ngx_msec_t     renew;
    u_char         data[NGX_HTTP_ENVELOPE_TOKEN_MAX];
} ngx_http_envelope_token_value_t;


typedef struct {
    ngx_pid_t      pid;             /* 0: nobody's */
    uint32_t       n;
} ngx_http_envelope_token_calls_t;


struct ngx_http_envelope_token_slot_s {
    ngx_queue_t    queue;
    u_char         id[NGX_HTTP_ENVELOPE_TOKEN_ID_LEN];
    ngx_uint_t     outdated;        /* reloads since it was configured */

    /* one is written while the other is current: there is never half a token */
    ngx_http_envelope_token_value_t  values[2];
    ngx_uint_t     current;
    ngx_uint_t     used;            /* since it has come */
    ngx_uint_t     accepted;        /* the provider has taken it */

    /* the fetch under way, if pid is not 0 */
    ngx_uint_t     serial;
    ngx_pid_t      pid;
    ngx_msec_t     since;
    ngx_msec_t     until;

    /* the last ones that failed */
    ngx_uint_t     failures;
    ngx_msec_t     retry;
    ngx_uint_t     timed_out;
    size_t         reason_len;
    u_char         reason[NGX_HTTP_ENVELOPE_TOKEN_REASON_MAX];

    /* dropped tokens */
    ngx_uint_t     refusals;
    ngx_msec_t     refused;

    /* for the status */
    ngx_uint_t     fetches;
    ngx_uint_t     fetch_failures;

    /* calls under way */
    ngx_http_envelope_token_calls_t  calls[
                                        NGX_HTTP_ENVELOPE_TOKEN_WORKERS_MAX];
};


/* NULL, and not locked, when the slot has become another token's */

ngx_http_envelope_token_slot_t *ngx_http_envelope_token_lock(
    ngx_http_envelope_token_t *token);
void ngx_http_envelope_token_unlock(ngx_http_envelope_token_t *token);

/* the slot is locked: one more call is under way */

void ngx_http_envelope_token_count(ngx_http_envelope_token_t *token,
    ngx_http_envelope_token_slot_t *slot);

void ngx_http_envelope_token_clear(ngx_http_envelope_token_value_t *value);
ngx_uint_t ngx_http_envelope_token_gone(ngx_pid_t pid);


#endif /* _NGX_HTTP_ENVELOPE_TOKEN_SLOT_H_INCLUDED_ */
