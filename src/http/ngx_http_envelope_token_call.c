
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_token.h"
#include "ngx_http_envelope_curl.h"
#include "ngx_http_envelope_problem.h"
#include "ngx_envelope_secret.h"

#include <openssl/crypto.h>


static ngx_http_envelope_token_use_t *ngx_http_envelope_token_use(
    ngx_http_request_t *r, ngx_http_envelope_token_t *token);
static void ngx_http_envelope_token_unuse(void *data);
static void ngx_http_envelope_token_forget(
    ngx_http_envelope_token_use_t *use);
static void ngx_http_envelope_token_wipe(ngx_http_request_t *r);
static void ngx_http_envelope_token_judge(
    ngx_http_envelope_token_use_t *use);

static ngx_int_t ngx_http_envelope_token_get(
    ngx_http_envelope_token_use_t *use);
static void ngx_http_envelope_token_wait(ngx_http_envelope_token_use_t *use);
static void ngx_http_envelope_token_leave(
    ngx_http_envelope_token_use_t *use);
static void ngx_http_envelope_token_poll(ngx_event_t *ev);
static void ngx_http_envelope_token_expire(ngx_http_envelope_token_t *token,
    ngx_http_envelope_token_answer_t *answer);
static ngx_uint_t ngx_http_envelope_token_gone(
    ngx_http_envelope_token_use_t *use);
static void ngx_http_envelope_token_resume(
    ngx_http_envelope_token_use_t *use, ngx_int_t rc);
static void ngx_http_envelope_token_problem(ngx_http_request_t *r,
    ngx_uint_t status, ngx_http_envelope_token_answer_t *answer);
static void ngx_http_envelope_token_renew(ngx_event_t *ev);


ngx_int_t
ngx_http_envelope_token_need(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_token_pt handler)
{
    ngx_http_envelope_token_t         *token;
    ngx_http_envelope_token_use_t     *use;
    ngx_http_envelope_token_answer_t   answer;

    token = ctx->profile->token;

    use = ngx_http_envelope_token_use(r, token);

    if (use == NULL) {
        ngx_memzero(&answer, sizeof(ngx_http_envelope_token_answer_t));
        ngx_http_envelope_token_problem(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                        &answer);
        return NGX_DECLINED;
    }

    ctx->token = use;

    /* those who wait already know what there is to wait for */

    if (token->local->nwaiters >= NGX_HTTP_ENVELOPE_TOKEN_WAITERS_MAX) {
        ngx_memzero(&answer, sizeof(ngx_http_envelope_token_answer_t));
        answer.len = ngx_sprintf(answer.reason, "too many calls wait for it")
                     - answer.reason;

        ngx_http_envelope_token_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                        &answer);
        return NGX_DECLINED;
    }

    ngx_http_envelope_token_ask(token, 0, &answer);

    switch (answer.verdict) {

    case NGX_HTTP_ENVELOPE_TOKEN_READY:

        if (!token->local->renew.timer_set) {
            ngx_http_envelope_token_renew_in(token, answer.delay);
        }

        if (ngx_http_envelope_token_get(use) == NGX_OK) {
            return NGX_OK;
        }

        break;

    case NGX_HTTP_ENVELOPE_TOKEN_NONE:
        ngx_http_envelope_token_problem(r,
                               answer.timed_out ? NGX_HTTP_GATEWAY_TIME_OUT
                                             : NGX_HTTP_SERVICE_UNAVAILABLE,
                               &answer);
        return NGX_DECLINED;

    case NGX_HTTP_ENVELOPE_TOKEN_FETCH:
        ngx_http_envelope_token_fetch(token, &answer);
        break;

    default: /* NGX_HTTP_ENVELOPE_TOKEN_WAIT */
        break;
    }

    use->handler = handler;

    ngx_http_envelope_token_wait(use);

    return NGX_AGAIN;
}


static ngx_http_envelope_token_use_t *
ngx_http_envelope_token_use(ngx_http_request_t *r,
    ngx_http_envelope_token_t *token)
{
    ngx_http_cleanup_t             *cln;
    ngx_http_envelope_token_use_t  *use;

    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_envelope_token_use_t));
    if (cln == NULL) {
        return NULL;
    }

    use = cln->data;
    ngx_memzero(use, sizeof(ngx_http_envelope_token_use_t));

    use->request = r;
    use->token = token;
    use->states = r->upstream_states ? r->upstream_states->nelts : 0;

    cln->handler = ngx_http_envelope_token_unuse;

    return use;
}


/* when the request ends, whatever has become of it; before it is logged */

static void
ngx_http_envelope_token_unuse(void *data)
{
    ngx_http_envelope_token_use_t *use = data;

    ngx_http_envelope_token_leave(use);

    if (use->counted) {
        ngx_http_envelope_token_judge(use);
    }

    if (use->value.data) {
        ngx_http_envelope_token_forget(use);
        ngx_http_envelope_token_wipe(use->request);

        OPENSSL_cleanse(use->value.data, use->value.len);
        ngx_str_null(&use->value);
    }
}


/* a log asks for a variable's value as it was evaluated before */

static void
ngx_http_envelope_token_forget(ngx_http_envelope_token_use_t *use)
{
    ngx_uint_t                  i;
    ngx_http_variable_value_t  *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(use->request, ngx_http_core_module);

    v = use->request->variables;

    for (i = 0; i < cmcf->variables.nelts; i++) {
        if (v[i].data == use->value.data) {
            v[i].valid = 0;
            v[i].not_found = 1;
            v[i].len = 0;
            v[i].data = NULL;
        }
    }
}


/* the header that was sent to the upstream */

static void
ngx_http_envelope_token_wipe(ngx_http_request_t *r)
{
    ngx_buf_t            *b;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u == NULL || u->request_bufs == NULL) {
        return;
    }

    b = u->request_bufs->buf;

    if (b->temporary && b->start && b->last > b->start) {
        OPENSSL_cleanse(b->start, b->last - b->start);
    }
}


void
ngx_http_envelope_token_answered(ngx_http_envelope_token_use_t *use)
{
    if (use->counted && use->request->upstream_states) {
        ngx_http_envelope_token_judge(use);
    }
}


/*
 * Of what the upstreams have answered to this call, not of what is sent on,
 * which "proxy_intercept_errors" and its like may have replaced.  Where none
 * has answered, nginx's own status is 502 or 504.
 */

static void
ngx_http_envelope_token_judge(ngx_http_envelope_token_use_t *use)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i, refused, accepted;
    ngx_array_t                *states;
    ngx_http_upstream_state_t  *state;

    use->counted = 0;

    ngx_http_envelope_token_release(use->token);

    states = use->request->upstream_states;

    refused = 0;
    accepted = 0;

    for (i = use->states; states && i < states->nelts; i++) {
        state = states->elts;

        if (state[i].status == NGX_HTTP_UNAUTHORIZED) {
            refused = 1;

        } else if (state[i].status
                   && state[i].status < NGX_HTTP_INTERNAL_SERVER_ERROR)
        {
            accepted = 1;
        }
    }

    if (!refused) {

        if (accepted) {
            ngx_http_envelope_token_accepted(use->token, &use->value);
        }

        return;
    }

    rc = ngx_http_envelope_token_refused(use->token, &use->value);

    if (rc == NGX_OK) {
        ngx_log_error(NGX_LOG_WARN, use->request->connection->log, 0,
                      "envelope: profile \"%V\" token is dropped, the "
                      "provider has answered a call with status 401",
                      &use->token->profile->name);

    } else if (rc == NGX_BUSY) {
        ngx_log_error(NGX_LOG_INFO, use->request->connection->log, 0,
                      "envelope: profile \"%V\" token is kept for now, "
                      "although the provider has answered a call with "
                      "status 401: new ones were refused as well",
                      &use->token->profile->name);
    }
}


static ngx_int_t
ngx_http_envelope_token_get(ngx_http_envelope_token_use_t *use)
{
    size_t     len;
    u_char     buf[NGX_HTTP_ENVELOPE_TOKEN_MAX];
    ngx_int_t  rc;

    rc = ngx_http_envelope_token_take(use->token, buf, &len);

    if (rc != NGX_OK) {
        return rc;
    }

    use->counted = 1;

    use->value.data = ngx_envelope_secret_alloc(use->request->pool, len);

    if (use->value.data) {
        use->value.len = len;
        ngx_memcpy(use->value.data, buf, len);
    }

    OPENSSL_cleanse(buf, len);

    return use->value.data ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_envelope_token_wait(ngx_http_envelope_token_use_t *use)
{
    ngx_event_t                      *ev;
    ngx_http_request_t               *r;
    ngx_http_envelope_token_local_t  *local;

    r = use->request;
    local = use->token->local;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "envelope: waits for the token of \"%V\"",
                   &use->token->profile->name);

    use->deadline = ngx_current_msec + use->token->timeout
                    + NGX_HTTP_ENVELOPE_TOKEN_DRAIN
                    + (ngx_msec_t) 2 * NGX_HTTP_ENVELOPE_TOKEN_GRACE;
    use->waiting = 1;

    ngx_queue_insert_tail(&local->waiters, &use->queue);
    local->nwaiters++;

    if (r == r->main) {
        r->read_event_handler = ngx_http_test_reading;
    }

    ev = &local->poll;

    if (ev->timer_set) {
        return;
    }

    ev->handler = ngx_http_envelope_token_poll;
    ev->data = use->token;
    ev->log = ngx_cycle->log;

    ngx_add_timer(ev, NGX_HTTP_ENVELOPE_TOKEN_POLL);
}


static void
ngx_http_envelope_token_leave(ngx_http_envelope_token_use_t *use)
{
    if (use->waiting) {
        ngx_queue_remove(&use->queue);
        use->token->local->nwaiters--;
        use->waiting = 0;
    }
}


/*
 * A fetch in another worker ends without a word, or with that worker.  As
 * long as someone waits, the timer keeps this worker from exiting.
 */

static void
ngx_http_envelope_token_poll(ngx_event_t *ev)
{
    ngx_http_envelope_token_t *token = ev->data;

    ngx_http_envelope_token_wake(token);

    if (token->local->nwaiters && !ev->timer_set) {
        ngx_add_timer(ev, NGX_HTTP_ENVELOPE_TOKEN_POLL);
    }
}


void
ngx_http_envelope_token_wake(ngx_http_envelope_token_t *token)
{
    ngx_int_t                          rc;
    ngx_uint_t                         n;
    ngx_queue_t                       *q;
    ngx_http_envelope_token_use_t     *use;
    ngx_http_envelope_token_local_t   *local;
    ngx_http_envelope_token_answer_t   answer;

    local = token->local;

    if (local->nwaiters == 0) {
        ngx_http_envelope_token_ask(token, 1, &answer);

    } else {
        ngx_http_envelope_token_ask(token, 0, &answer);
    }

    switch (answer.verdict) {

    case NGX_HTTP_ENVELOPE_TOKEN_FETCH:
        ngx_http_envelope_token_fetch(token, &answer);
        break;

    case NGX_HTTP_ENVELOPE_TOKEN_WAIT:
        break;

    default:

        if (answer.verdict == NGX_HTTP_ENVELOPE_TOKEN_READY) {
            ngx_http_envelope_token_renew_in(token, answer.delay);
        }

        /* those that come to wait meanwhile are not looked at */

        for (n = local->nwaiters; n && local->nwaiters; n--) {

            q = ngx_queue_head(&local->waiters);
            use = ngx_queue_data(q, ngx_http_envelope_token_use_t, queue);

            if (ngx_http_envelope_token_gone(use)) {
                continue;
            }

            rc = NGX_DECLINED;

            if (answer.verdict == NGX_HTTP_ENVELOPE_TOKEN_READY) {
                rc = ngx_http_envelope_token_get(use);
            }

            if (rc == NGX_DECLINED
                && answer.verdict == NGX_HTTP_ENVELOPE_TOKEN_READY)
            {
                /* it has just expired, or been dropped */
                break;
            }

            ngx_http_envelope_token_leave(use);

            if (rc != NGX_OK) {
                ngx_http_envelope_token_problem(use->request,
                               answer.timed_out ? NGX_HTTP_GATEWAY_TIME_OUT
                                             : NGX_HTTP_SERVICE_UNAVAILABLE,
                               &answer);
            }

            ngx_http_envelope_token_resume(use, rc);
        }
    }

    ngx_http_envelope_token_expire(token, &answer);
}


/* the first in the queue have waited longest */

static void
ngx_http_envelope_token_expire(ngx_http_envelope_token_t *token,
    ngx_http_envelope_token_answer_t *answer)
{
    ngx_queue_t                    *q;
    ngx_http_envelope_token_use_t  *use;

    while (token->local->nwaiters) {

        q = ngx_queue_head(&token->local->waiters);
        use = ngx_queue_data(q, ngx_http_envelope_token_use_t, queue);

        if ((ngx_msec_int_t) (use->deadline - ngx_current_msec) > 0) {
            return;
        }

        if (ngx_http_envelope_token_gone(use)) {
            continue;
        }

        ngx_http_envelope_token_leave(use);

        answer->len = ngx_sprintf(answer->reason, "waited too long")
                      - answer->reason;

        ngx_http_envelope_token_problem(use->request,
                                        NGX_HTTP_GATEWAY_TIME_OUT, answer);
        ngx_http_envelope_token_resume(use, NGX_DECLINED);
    }
}


/* nginx redirects a request whose client goes away with "post_action" */

static ngx_uint_t
ngx_http_envelope_token_gone(ngx_http_envelope_token_use_t *use)
{
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(use->request, ngx_http_envelope_module);

    if (ctx && ctx->token == use) {
        return 0;
    }

    ngx_http_envelope_token_leave(use);

    return 1;
}


static void
ngx_http_envelope_token_resume(ngx_http_envelope_token_use_t *use,
    ngx_int_t rc)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = use->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (r == r->main) {
        r->read_event_handler = ngx_http_block_reading;
    }

    use->handler(r, rc == NGX_OK ? NGX_OK : NGX_DECLINED);

    ngx_http_run_posted_requests(c);
}


/*
 * That there is no token has been logged when it came to that, so requests
 * do not fill the error log with it.
 */

static void
ngx_http_envelope_token_problem(ngx_http_request_t *r, ngx_uint_t status,
    ngx_http_envelope_token_answer_t *answer)
{
    ngx_envelope_reason_t     reason;
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);

    if (answer->len) {
        (void) ngx_envelope_declined(&reason, "no token: %*s", answer->len,
                                     answer->reason);
    } else {
        (void) ngx_envelope_declined(&reason, "no token");
    }

    ngx_http_envelope_problem_set(r, ctx, NGX_HTTP_ENVELOPE_REQUEST_SIDE,
                                  status, NULL, &reason);

    ctx->retry_after = answer->delay / 1000 + 1;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "envelope: profile \"%V\" %V %V",
                  &ctx->profile->name, &ctx->role->name, &ctx->reason);
}


void
ngx_http_envelope_token_renew_in(ngx_http_envelope_token_t *token,
    ngx_msec_t delay)
{
    ngx_event_t  *ev;

    ev = &token->local->renew;

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    if (delay == 0 || ngx_exiting) {
        return;
    }

    ev->handler = ngx_http_envelope_token_renew;
    ev->data = token;
    ev->log = ngx_cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, delay);
}


static void
ngx_http_envelope_token_renew(ngx_event_t *ev)
{
    ngx_http_envelope_token_t *token = ev->data;

    ngx_http_envelope_token_answer_t  answer;

    /* those that serve the next configuration will see to it */

    if (ngx_exiting) {
        return;
    }

    ngx_http_envelope_token_ask(token, 1, &answer);

    if (answer.verdict == NGX_HTTP_ENVELOPE_TOKEN_FETCH) {
        ngx_http_envelope_token_fetch(token, &answer);
        return;
    }

    ngx_http_envelope_token_renew_in(token, answer.delay);
}


/* of the profiles that are called; others have no need of a slot */

ngx_int_t
ngx_http_envelope_token_init(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_envelope_token_t      **token;
    ngx_http_envelope_profile_t    **profiles;
    ngx_http_envelope_main_conf_t   *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_envelope_module);

    profiles = emcf->profiles.elts;

    for (i = 0; i < emcf->profiles.nelts; i++) {

        if (profiles[i]->token == NULL
            || !(profiles[i]->roles & (1 << NGX_HTTP_ENVELOPE_CALL)))
        {
            continue;
        }

        token = ngx_array_push(&emcf->tokens);
        if (token == NULL) {
            return NGX_ERROR;
        }

        *token = profiles[i]->token;
    }

    return emcf->tokens.nelts ? ngx_http_envelope_zone_need(cf) : NGX_OK;
}


ngx_int_t
ngx_http_envelope_token_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                       i;
    ngx_http_envelope_token_t      **tokens;
    ngx_http_envelope_main_conf_t   *emcf;

    emcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_envelope_module);

    if (emcf == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    tokens = emcf->tokens.elts;

    for (i = 0; i < emcf->tokens.nelts; i++) {
        ngx_http_envelope_token_renew_in(tokens[i], 1);
    }

    return NGX_OK;
}


void
ngx_http_envelope_token_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                       i;
    ngx_http_envelope_token_t      **tokens;
    ngx_http_envelope_main_conf_t   *emcf;

    emcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_envelope_module);
    if (emcf == NULL) {
        return;
    }

    tokens = emcf->tokens.elts;

    for (i = 0; i < emcf->tokens.nelts; i++) {
        ngx_http_envelope_token_abort(tokens[i]);
        ngx_http_envelope_token_end(tokens[i]);
    }

    ngx_http_envelope_curl_exit();
}
