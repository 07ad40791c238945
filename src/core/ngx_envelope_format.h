
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_FORMAT_H_INCLUDED_
#define _NGX_ENVELOPE_FORMAT_H_INCLUDED_


#include "ngx_envelope_profile.h"


/*
 * A message format at configuration time: statements are added as they are
 * read, then linked to the keys of the profile, then checked for the
 * directions in which the roles in use will run them.
 */


/* of "fresh" and "once": milliseconds, 366 days */

#define NGX_ENVELOPE_WITHIN_MAX  31622400000


typedef struct ngx_envelope_statement_s  ngx_envelope_statement_t;


/* of running a format in one direction, see ngx_envelope_format_cost() */

typedef struct {
    uint64_t                 fixed;       /* nanoseconds of any message */
    uint64_t                 unit;        /* .. of each 1024 bytes of body */
} ngx_envelope_cost_t;


struct ngx_envelope_format_s {
    ngx_envelope_message_e   message;
    ngx_envelope_profile_t  *profile;
    ngx_pool_t              *pool;

    ngx_array_t              statements;  /* ngx_envelope_statement_t * */
    ngx_array_t              randoms;     /* ngx_envelope_random_t */
    ngx_array_t              rings;       /* ngx_envelope_ring_t *: those
                                             that its statements use */
    ngx_array_t              values;      /* ngx_str_t: texts with nginx
                                             variables; whoever runs the
                                             format evaluates them first */
    uint64_t                 tries;       /* bits of the rings of which
                                             opening tries every key; of
                                             others "kid=" names one */
    ngx_uint_t               depth;       /* of nodes a scan has to make */
    ngx_envelope_cost_t      costs[2];    /* by ngx_envelope_direction_e */

    unsigned                 members:1;   /* it addresses members, so the
                                             body has to be JSON */
    unsigned                 body:1;      /* it has a "body" statement */
    unsigned                 when:1;      /* .. a "when" */
    unsigned                 headers:1;   /* it addresses headers */
    unsigned                 pairs:1;     /* it signs with a key of a pair */
};


ngx_envelope_format_t *ngx_envelope_format_create(ngx_pool_t *pool,
    ngx_envelope_profile_t *profile, ngx_envelope_message_e message);

/*
 * Adds one statement, given as its words ("args" as nginx has split them,
 * args[0] is the statement's name).  The words are copied where they are
 * kept.  NGX_DECLINED with a reason that says what to write instead.
 */

ngx_int_t ngx_envelope_format_add(ngx_envelope_format_t *format,
    ngx_str_t *args, ngx_uint_t n, ngx_str_t *file, ngx_uint_t line,
    ngx_envelope_reason_t *reason);

/*
 * Finds the keys, secrets and randoms that the statements name, once the
 * whole profile is known.  On failure *statement is the one at fault, when
 * it is one.
 */

ngx_int_t ngx_envelope_format_link(ngx_envelope_format_t *format,
    ngx_envelope_statement_t **statement, ngx_envelope_reason_t *reason);

/*
 * Whether the linked format can be run in a direction: private keys are
 * there, values are recovered before they are needed, <body> is final.
 */

ngx_int_t ngx_envelope_format_check(ngx_envelope_format_t *format,
    ngx_envelope_direction_e direction, ngx_envelope_statement_t **statement,
    ngx_envelope_reason_t *reason);

/*
 * Estimates, in microseconds, how long the operations with keys that sealing
 * or opening a message with a body of that length takes keep a core busy, at
 * least 1.  Of a format that is linked.
 */

ngx_uint_t ngx_envelope_format_cost(const ngx_envelope_format_t *format,
    ngx_envelope_direction_e direction, size_t len);

/*
 * Whether opening it proves who made the message: a signature, a MAC, a
 * digest over a secret, or AES-GCM under a shared secret.
 */

ngx_uint_t ngx_envelope_format_authentic(ngx_envelope_format_t *format);

/*
 * The statement by which sealing would use one IV of AES-GCM twice under the
 * same key, which gives the key of its tags away (NIST SP 800-38D, 8); NULL
 * when there is none.
 */

ngx_envelope_statement_t *ngx_envelope_format_repeats(
    ngx_envelope_format_t *format);

/*
 * The "fresh" or "once" whose address nothing covers that proves who made the
 * message, so that whoever sends it again can change it; NULL when there is
 * none.
 */

ngx_envelope_statement_t *ngx_envelope_format_uncovered(
    ngx_envelope_format_t *format);

/*
 * The "once" that forgets a value while a "fresh" still takes the message:
 * a time from the past can be just as far in the future.  *within is the
 * shortest time that would do, in milliseconds.
 */

ngx_envelope_statement_t *ngx_envelope_format_forgets(
    ngx_envelope_format_t *format, uint64_t *within);

/* whether opening it asks that a value be new */

ngx_uint_t ngx_envelope_format_once(ngx_envelope_format_t *format);

/* for messages: "field /data/pan", and where it stands */

void ngx_envelope_statement_where(const ngx_envelope_statement_t *statement,
    ngx_str_t *label, ngx_str_t *file, ngx_uint_t *line);


#endif /* _NGX_ENVELOPE_FORMAT_H_INCLUDED_ */
