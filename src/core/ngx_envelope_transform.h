
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_TRANSFORM_H_INCLUDED_
#define _NGX_ENVELOPE_TRANSFORM_H_INCLUDED_


#include "ngx_envelope_env.h"
#include "ngx_envelope_format.h"
#include "ngx_envelope_headers.h"


/*
 * Sealing and opening as pure functions: what they need comes in, what they
 * made goes out, in memory of the pool they are given.  They touch nothing
 * else, so they may run on any thread that owns the pool.
 */


typedef struct {
    ngx_envelope_format_t          *format;
    ngx_envelope_direction_e        direction;
    ngx_str_t                       body;      /* empty: there is none */
    ngx_str_t                      *parts;     /* or, for a format without
                                                  members, the body in so */
    ngx_uint_t                      nparts;    /* .. many; else 0 */
    ngx_envelope_header_t          *headers;
    ngx_uint_t                      nheaders;
    ngx_str_t                      *values;    /* of format->values */
    const ngx_envelope_env_t       *env;
    int64_t                         now;       /* unix time, milliseconds */
} ngx_envelope_input_t;


typedef enum {
    NGX_ENVELOPE_SEALED = 0,
    NGX_ENVELOPE_OPENED,
    NGX_ENVELOPE_PASSED,          /* "when" does not hold: leave as it is */
    NGX_ENVELOPE_REJECTED
} ngx_envelope_outcome_e;


/* what kind of refusal it is; it decides the status a stranger sees */

typedef enum {
    NGX_ENVELOPE_FAULT_NONE = 0,
    NGX_ENVELOPE_FAULT_SHAPE,     /* the outer message is not of the format */
    NGX_ENVELOPE_FAULT_SECRET,    /* anything from the first decoded byte on */
    NGX_ENVELOPE_FAULT_INTERNAL,  /* out of memory, a library failed */
    NGX_ENVELOPE_FAULT_REPLAYED,  /* a value of "once" came before */
    NGX_ENVELOPE_FAULT_BUSY       /* nothing is wrong with it: later */
} ngx_envelope_fault_e;


/*
 * A value that has to be new for the message to be taken: whoever takes it
 * marks the value, and refuses the message if it was marked already.  The
 * core remembers nothing itself.
 */

#define NGX_ENVELOPE_ONCE_LEN  32

typedef struct {
    const ngx_envelope_statement_t *statement;
    u_char                          digest[NGX_ENVELOPE_ONCE_LEN];
                                               /* of the value and of what
                                                  it is a value of */
    uint64_t                        within;    /* milliseconds to remember */
    unsigned                        accept:1;  /* even if there is no room to
                                                  remember it */
} ngx_envelope_once_t;


typedef struct {
    ngx_envelope_outcome_e          outcome;
    ngx_envelope_fault_e            fault;

    ngx_str_t                       body;      /* may point into the input */
    ngx_array_t                     headers;   /* ngx_envelope_header_t to
                                                  write, or to remove where
                                                  value.data is NULL */
    ngx_str_t                       kid;       /* the key id used, if any */
    ngx_array_t                     once;      /* ngx_envelope_once_t; of an
                                                  opened message only */

    const ngx_envelope_statement_t *statement; /* at fault; or NULL */
    ngx_uint_t                      body_set;  /* else it is as it was */

    ngx_envelope_reason_t           reason;
} ngx_envelope_output_t;


/*
 * Always fills *output; whatever is not SEALED, OPENED or PASSED is REJECTED
 * and has no body.
 */

void ngx_envelope_transform(ngx_pool_t *pool,
    const ngx_envelope_input_t *input, ngx_envelope_output_t *output);


#endif /* _NGX_ENVELOPE_TRANSFORM_H_INCLUDED_ */
