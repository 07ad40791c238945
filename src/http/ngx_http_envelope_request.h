
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_REQUEST_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_REQUEST_H_INCLUDED_


#include "ngx_http_envelope_module.h"
#include "ngx_envelope_transform.h"


/*
 * What a request carries.  The context is wiped by internal redirects; what
 * has to survive them (that the body has been transformed or refused) is the
 * mark, which lives in a pool cleanup of the main request.
 */


#define NGX_HTTP_ENVELOPE_NONCE_LEN  32  /* hex digits of $envelope_nonce */
#define NGX_HTTP_ENVELOPE_UUID_LEN   36

/*
 * Of r->buffered and, where the filter is so far down the chain that nothing
 * but that wakes it, of c->buffered: an answer is due.
 */

#define NGX_HTTP_ENVELOPE_BUFFERED    0x08
#define NGX_HTTP_ENVELOPE_C_BUFFERED  0x40


/*
 * Both sides go the same way: collect the body, transform it, release what
 * came of it.  Either side may be suspended between two of these.
 */

typedef enum {
    NGX_HTTP_ENVELOPE_START = 0,
    NGX_HTTP_ENVELOPE_COLLECT,
    NGX_HTTP_ENVELOPE_WAIT,       /* a request: for a token */
    NGX_HTTP_ENVELOPE_TRANSFORM,
    NGX_HTTP_ENVELOPE_RELEASE,
    NGX_HTTP_ENVELOPE_REFUSED,    /* a response: its rest is swallowed */
    NGX_HTTP_ENVELOPE_ANSWER,     /* once the request has been finalized */
    NGX_HTTP_ENVELOPE_PROBLEM,    /* the body is swapped for the problem */
    NGX_HTTP_ENVELOPE_PASS,       /* what comes is nginx's own */
    NGX_HTTP_ENVELOPE_DONE
} ngx_http_envelope_state_e;


typedef struct ngx_http_envelope_token_use_s  ngx_http_envelope_token_use_t;
typedef struct ngx_http_envelope_job_s  ngx_http_envelope_job_t;
typedef struct ngx_http_envelope_task_s  ngx_http_envelope_task_t;

/* called on the event loop when the output is there; never from a thread */

typedef void (*ngx_http_envelope_job_pt)(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job);

/* one transformation: all that a thread may touch is in here */

struct ngx_http_envelope_job_s {
    ngx_http_request_t            *request;    /* not for the thread */
    ngx_pool_t                    *pool;       /* the job's own */
    ngx_envelope_env_t             env;
    ngx_envelope_each_t            each;
    ngx_envelope_input_t           input;
    ngx_http_envelope_job_pt       handler;
    char                          *action;     /* of the log, before it */
    ngx_msec_t                     spent;      /* milliseconds */

    ngx_envelope_output_t          output;     /* the text of its reason, most
                                                  of a job, is not cleared */
};


typedef struct {
    const ngx_http_envelope_role_t  *role;
    ngx_http_envelope_profile_t     *profile;

    ngx_http_envelope_state_e      request_state;
    ngx_http_envelope_state_e      response_state;

    ngx_http_envelope_job_t       *request_job;
    ngx_http_envelope_job_t       *response_job;

    ngx_http_envelope_token_use_t   *token;    /* NULL: it needs none */

    /* response side */
    ngx_str_t                      collected;
    size_t                         collected_max;     /* allocated */
    void                         (*finalize_upstream)(ngx_http_request_t *r,
                                                      ngx_int_t rc);

    /* the answer that stands in for a refused message */
    ngx_uint_t                     problem_status;    /* 0: none */
    ngx_str_t                      problem_body;
    ngx_uint_t                     retry_after;       /* 0: not said */

    /* for variables */
    ngx_str_t                      nonce;
    ngx_str_t                      uuid;
    ngx_str_t                      kid;
    ngx_str_t                      reason;
    ngx_uint_t                     result;     /* ngx_envelope_outcome_e + 1 */
    ngx_msec_t                     seal_time;
    ngx_msec_t                     open_time;
    ngx_str_t                     *members;    /* of main conf's "members";
                                                  data NULL: absent */
    unsigned                       seal_timed:1;
    unsigned                       open_timed:1;

    unsigned                       request_refused:1;
    unsigned                       own_body:1;    /* nobody else has got it */

    unsigned                       outer:1;       /* place of the filter */
    unsigned                       suspended:1;   /* while the job runs */
    unsigned                       inflated:1;    /* what was collected */
    unsigned                       verify_only:1; /* nobody wants the body */
    unsigned                       problem_sent:1;
} ngx_http_envelope_ctx_t;


/*
 * The context of r, made when there is none; one that is made after an
 * internal redirect inherits what variables show.  NULL when out of memory.
 */

ngx_http_envelope_ctx_t *ngx_http_envelope_get_ctx(ngx_http_request_t *r);

/*
 * The context of r, else the one that r had before an internal redirect;
 * NULL when there was none.
 */

ngx_http_envelope_ctx_t *ngx_http_envelope_last_ctx(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ENVELOPE_REQUEST_H_INCLUDED_ */
