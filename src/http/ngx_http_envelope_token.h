
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_TOKEN_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_TOKEN_H_INCLUDED_


#include "ngx_http_envelope_request.h"
#include "ngx_http_envelope_zone.h"
#include "ngx_envelope_template.h"


/*
 * The access token of a profile, that calls carry.  It is fetched when the
 * first call needs it, once for all workers, and renewed in the background
 * for as long as it is used.
 *
 *     ngx_http_envelope_token_conf.c    the "token" block
 *     ngx_http_envelope_token_slot.c    what the workers share ..
 *     ngx_http_envelope_token_state.c   .. and how it changes
 *     ngx_http_envelope_token_query.c   what is sent to fetch one, and what
 *                                       calls send
 *     ngx_http_envelope_token_fetch.c   the fetch
 *     ngx_http_envelope_token_call.c    calls that need one, wait and use it
 */

#define NGX_HTTP_ENVELOPE_TOKEN_MAX          8192   /* bytes of a token */
#define NGX_HTTP_ENVELOPE_TOKEN_ANSWER_MAX   65536  /* .. of an answer */
#define NGX_HTTP_ENVELOPE_TOKEN_HEADERS_MAX  32
#define NGX_HTTP_ENVELOPE_TOKEN_REASON_MAX   128
#define NGX_HTTP_ENVELOPE_TOKEN_ID_LEN       32

/* calls that wait in a worker; milliseconds between two looks for it */

#define NGX_HTTP_ENVELOPE_TOKEN_WAITERS_MAX  1024
#define NGX_HTTP_ENVELOPE_TOKEN_POLL         20

/*
 * A renewal begins when the calls under way have been answered, or after
 * DRAIN; meanwhile no new ones start with a token that the provider may be
 * about to invalidate, for HOLD at most.
 */

#define NGX_HTTP_ENVELOPE_TOKEN_DRAIN        500
#define NGX_HTTP_ENVELOPE_TOKEN_HOLD         1000

/* of a lease: what it is longer than draining and the fetch's timeout */

#define NGX_HTTP_ENVELOPE_TOKEN_GRACE        500


typedef enum {
    NGX_HTTP_ENVELOPE_TOKEN_AT = 0,    /* "expires_at" */
    NGX_HTTP_ENVELOPE_TOKEN_IN,        /* "expires_in" */
    NGX_HTTP_ENVELOPE_TOKEN_LIFETIME   /* "lifetime" */
} ngx_http_envelope_token_expiry_e;


typedef struct ngx_http_envelope_token_slot_s   ngx_http_envelope_token_slot_t;
typedef struct ngx_http_envelope_token_fetch_s  ngx_http_envelope_token_fetch_t;


/* texts with variables and secrets, and the statements that sign them */

typedef struct {
    ngx_envelope_format_t             *format;
    ngx_array_t                        values;    /* complex values, of the
                                                     format's "values" */
} ngx_http_envelope_token_texts_t;


typedef struct {
    ngx_str_t                          name;      /* zero-terminated */
    ngx_envelope_template_t            value;
} ngx_http_envelope_token_header_t;


/* what a worker knows: memory of its own from the fork on */

typedef struct {
    ngx_queue_t                        waiters;
    ngx_uint_t                         nwaiters;
    ngx_event_t                        poll;      /* while someone waits */
    ngx_event_t                        renew;
    ngx_http_envelope_token_fetch_t   *fetch;     /* the one under way here */
    ngx_uint_t                         calls;     /* where they are counted;
                                                     0: nowhere yet */
} ngx_http_envelope_token_local_t;


struct ngx_http_envelope_token_s {
    ngx_http_envelope_profile_t       *profile;
    ngx_http_envelope_place_t          place;
    ngx_http_conf_ctx_t               *http;

    ngx_http_envelope_token_texts_t    fetch;     /* of the fetch .. */
    ngx_http_envelope_token_texts_t    call;      /* .. and of "send" */

    ngx_envelope_template_t            url;
    ngx_envelope_template_t            body;
    ngx_array_t                        headers;   /* ..token_header_t */
    ngx_array_t                        sends;     /* ..token_header_t */
    ngx_str_t                          method;    /* zero-terminated */

    ngx_envelope_address_t             value;
    ngx_envelope_address_t             expires;
    ngx_http_envelope_token_expiry_e   expiry;
    ngx_msec_t                         lifetime;
    ngx_msec_t                         refresh;
    ngx_msec_t                         timeout;

    ngx_str_t                          ca;        /* PEM */
    ngx_str_t                          proxy;     /* zero-terminated */

    /* of the profile's name and all of the above */
    u_char                             id[NGX_HTTP_ENVELOPE_TOKEN_ID_LEN];
    EVP_MD_CTX                        *digest;    /* while it is computed */

    ngx_http_envelope_token_slot_t    *slot;      /* set as the zone is
                                                     mapped */
    ngx_slab_pool_t                   *shpool;

    ngx_http_envelope_token_local_t   *local;

    unsigned                           send_set:1;
    unsigned                           body_set:1;
};


/* "token { .. }" */

char *ngx_http_envelope_token_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* finds keys and secrets, once the profile is read; logs what is wrong */

ngx_int_t ngx_http_envelope_token_link(ngx_conf_t *cf,
    ngx_http_envelope_token_t *token);


/* what may be done about a token, as its shared state is */

typedef enum {
    NGX_HTTP_ENVELOPE_TOKEN_READY = 0,
    NGX_HTTP_ENVELOPE_TOKEN_WAIT,      /* it is being fetched */
    NGX_HTTP_ENVELOPE_TOKEN_FETCH,     /* the lease is the caller's: fetch */
    NGX_HTTP_ENVELOPE_TOKEN_NONE       /* there is none, nor will be soon */
} ngx_http_envelope_token_verdict_e;


typedef struct {
    ngx_http_envelope_token_verdict_e  verdict;
    ngx_uint_t                         serial;    /* of the lease */
    ngx_msec_t                         delay;     /* NONE: to the next try;
                                                     else to the next look
                                                     for a renewal, 0: no
                                                     need */
    ngx_uint_t                         renewal;   /* FETCH: one that can be
                                                     used is there */
    ngx_uint_t                         timed_out; /* the last fetch */
    size_t                             len;       /* of the reason */
    u_char                             reason[
                                        NGX_HTTP_ENVELOPE_TOKEN_REASON_MAX];
} ngx_http_envelope_token_answer_t;


/* of a token in the zone */

extern const size_t  ngx_http_envelope_token_slot_size;

/* as the zone is mapped, in the master */

void ngx_http_envelope_token_outdate(ngx_http_envelope_zone_t *zone);
ngx_int_t ngx_http_envelope_token_attach(ngx_http_envelope_zone_t *zone,
    ngx_http_envelope_token_t *token);

/*
 * Asks for a token for a call, or whether it is time for a renewal: then the
 * verdict is FETCH or READY.
 */

void ngx_http_envelope_token_ask(ngx_http_envelope_token_t *token,
    ngx_uint_t renewal, ngx_http_envelope_token_answer_t *answer);

/*
 * A copy of the token in the buffer of NGX_HTTP_ENVELOPE_TOKEN_MAX bytes,
 * counted as a call under way.  NGX_DECLINED when there is none any more.
 */

ngx_int_t ngx_http_envelope_token_take(ngx_http_envelope_token_t *token,
    u_char *buf, size_t *len);

/* the call has been answered or is no more; the calls under way */

void ngx_http_envelope_token_release(ngx_http_envelope_token_t *token);
ngx_uint_t ngx_http_envelope_token_calls(ngx_http_envelope_token_t *token);

/* this process ends */

void ngx_http_envelope_token_end(ngx_http_envelope_token_t *token);

/*
 * The end of the fetch under that lease.  NGX_OK, NGX_DONE: it is a change,
 * tokens came before it was not so; NGX_DECLINED: the lease is another's.
 */

ngx_int_t ngx_http_envelope_token_store(ngx_http_envelope_token_t *token,
    ngx_uint_t serial, ngx_str_t *value, ngx_msec_t lifetime);
ngx_int_t ngx_http_envelope_token_failed(ngx_http_envelope_token_t *token,
    ngx_uint_t serial, ngx_uint_t timed_out, ngx_envelope_reason_t *reason);

/*
 * The provider has taken the token, or has refused it: then it is dropped if
 * it still is that one.  NGX_OK: dropped; NGX_DECLINED: it is not that one;
 * NGX_BUSY: it was, but new ones have been refused too often to fetch more.
 */

void ngx_http_envelope_token_accepted(ngx_http_envelope_token_t *token,
    ngx_str_t *value);
ngx_int_t ngx_http_envelope_token_refused(ngx_http_envelope_token_t *token,
    ngx_str_t *value);


/* what is sent to the endpoint; all of it secret memory of the pool */

typedef struct {
    ngx_str_t                          url;       /* zero-terminated */
    ngx_str_t                          body;
    ngx_envelope_header_t             *headers;
    ngx_uint_t                         nheaders;
} ngx_http_envelope_token_query_t;


ngx_int_t ngx_http_envelope_token_query(ngx_http_envelope_token_t *token,
    ngx_pool_t *pool, ngx_http_envelope_token_query_t *query,
    ngx_envelope_reason_t *reason);

/* adds to the edits of a call's header what "send" says */

ngx_int_t ngx_http_envelope_token_send(ngx_http_request_t *r,
    ngx_http_envelope_token_t *token, ngx_pool_t *pool, ngx_array_t *edits,
    ngx_envelope_reason_t *reason);

/* starts the fetch for which the lease has been given */

void ngx_http_envelope_token_fetch(ngx_http_envelope_token_t *token,
    ngx_http_envelope_token_answer_t *lease);
void ngx_http_envelope_token_abort(ngx_http_envelope_token_t *token);

/* a fetch has ended in this worker */

void ngx_http_envelope_token_wake(ngx_http_envelope_token_t *token);

/* lets the worker look for a renewal in that many milliseconds; 0: never */

void ngx_http_envelope_token_renew_in(ngx_http_envelope_token_t *token,
    ngx_msec_t delay);


/*
 * The token of a call: r waits for it and uses it.  The handler is called
 * later, with NGX_OK or NGX_DECLINED, where NGX_AGAIN was returned; NGX_OK:
 * ctx->token has it; NGX_DECLINED: there is none, the problem has been set.
 */

typedef void (*ngx_http_envelope_token_pt)(ngx_http_request_t *r,
    ngx_int_t rc);

struct ngx_http_envelope_token_use_s {
    ngx_queue_t                        queue;
    ngx_http_request_t                *request;
    ngx_http_envelope_token_t         *token;
    ngx_str_t                          value;     /* cleansed once the call
                                                     has been answered */
    ngx_msec_t                         deadline;
    ngx_http_envelope_token_pt         handler;
    ngx_uint_t                         states;    /* of upstreams before */
    unsigned                           waiting:1;
    unsigned                           counted:1;
};


/* only calls go to the provider with a token; webhooks have their own ways */

static ngx_inline ngx_uint_t
ngx_http_envelope_token_needed(ngx_http_envelope_ctx_t *ctx)
{
    return ctx->profile->token
           && ctx->role == &ngx_http_envelope_roles[NGX_HTTP_ENVELOPE_CALL];
}


ngx_int_t ngx_http_envelope_token_need(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_token_pt handler);

/* the header of the response is there */

void ngx_http_envelope_token_answered(ngx_http_envelope_token_use_t *use);

/* hooks of the module */

ngx_int_t ngx_http_envelope_token_init(ngx_conf_t *cf);
ngx_int_t ngx_http_envelope_token_init_process(ngx_cycle_t *cycle);
void ngx_http_envelope_token_exit_process(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_ENVELOPE_TOKEN_H_INCLUDED_ */
