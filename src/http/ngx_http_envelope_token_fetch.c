
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_token.h"
#include "ngx_http_envelope_curl.h"
#include "ngx_envelope_json.h"


#define NGX_HTTP_ENVELOPE_TOKEN_POOL_SIZE     4096
#define NGX_HTTP_ENVELOPE_TOKEN_DRAIN_LOOK    10      /* milliseconds */

/*
 * Of what an endpoint says: seconds to live, and a time (from MSEC on it is
 * in milliseconds).  A token is renewed after 24 days at the latest.
 */

#define NGX_HTTP_ENVELOPE_TOKEN_IN_MAX        10000000000
#define NGX_HTTP_ENVELOPE_TOKEN_AT_MSEC       1000000000000
#define NGX_HTTP_ENVELOPE_TOKEN_AT_MAX        1000000000000000
#define NGX_HTTP_ENVELOPE_TOKEN_LIFETIME_MAX  NGX_MAX_INT32_VALUE


struct ngx_http_envelope_token_fetch_s {
    ngx_http_envelope_token_t  *token;
    ngx_pool_t                 *pool;
    ngx_uint_t                  serial;    /* of the lease */
    ngx_event_t                 start;
    ngx_uint_t                  drain;
    ngx_msec_t                  until;     /* when draining has to end */
    ngx_http_envelope_curl_t    curl;
};


static void ngx_http_envelope_token_start(ngx_event_t *ev);
static void ngx_http_envelope_token_done(ngx_http_envelope_curl_t *curl);
static void ngx_http_envelope_token_free(
    ngx_http_envelope_token_fetch_t *fetch);
static void ngx_http_envelope_token_fail(ngx_http_envelope_token_t *token,
    ngx_uint_t serial, ngx_uint_t timed_out, ngx_envelope_reason_t *reason);

static ngx_int_t ngx_http_envelope_token_read(
    ngx_http_envelope_token_fetch_t *fetch, ngx_str_t *value,
    ngx_msec_t *lifetime, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_text(
    ngx_http_envelope_token_fetch_t *fetch, ngx_envelope_node_t *root,
    ngx_envelope_address_t *address, ngx_str_t *text,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_check(ngx_str_t *value,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_token_expiry(
    ngx_http_envelope_token_t *token, ngx_str_t *text, ngx_msec_t *lifetime,
    ngx_envelope_reason_t *reason);


/*
 * The fetch begins when the event is through: whoever asks for it must be
 * waiting by the time it may have failed.
 */

void
ngx_http_envelope_token_fetch(ngx_http_envelope_token_t *token,
    ngx_http_envelope_token_answer_t *lease)
{
    ngx_pool_t                       *pool;
    ngx_http_envelope_token_fetch_t  *fetch;

    /* one that has been under way for longer than its lease */

    ngx_http_envelope_token_abort(token);

    pool = ngx_create_pool(NGX_HTTP_ENVELOPE_TOKEN_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        /* the lease runs out */
        return;
    }

    fetch = ngx_pcalloc(pool, sizeof(ngx_http_envelope_token_fetch_t));
    if (fetch == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    fetch->token = token;
    fetch->pool = pool;
    fetch->serial = lease->serial;
    fetch->drain = lease->renewal;
    fetch->until = ngx_current_msec + NGX_HTTP_ENVELOPE_TOKEN_DRAIN;

    fetch->curl.easy = NULL;
    fetch->curl.handler = ngx_http_envelope_token_done;
    fetch->curl.data = fetch;

    fetch->start.handler = ngx_http_envelope_token_start;
    fetch->start.data = fetch;
    fetch->start.log = ngx_cycle->log;

    token->local->fetch = fetch;

    ngx_post_event(&fetch->start, &ngx_posted_events);
}


static void
ngx_http_envelope_token_start(ngx_event_t *ev)
{
    ngx_uint_t                        serial;
    ngx_envelope_reason_t             reason;
    ngx_http_envelope_curl_t         *curl;
    ngx_http_envelope_token_t        *token;
    ngx_http_envelope_token_fetch_t  *fetch;
    ngx_http_envelope_token_query_t   query;

    fetch = ev->data;
    token = fetch->token;

    /* a provider may refuse the old token as soon as it gives a new one */

    if (fetch->drain
        && (ngx_msec_int_t) (fetch->until - ngx_current_msec) > 0
        && ngx_http_envelope_token_calls(token))
    {
        ngx_add_timer(ev, NGX_HTTP_ENVELOPE_TOKEN_DRAIN_LOOK);
        return;
    }

    if (ngx_http_envelope_token_query(token, fetch->pool, &query, &reason)
        != NGX_OK)
    {
        goto failed;
    }

    curl = &fetch->curl;

    curl->pool = fetch->pool;
    curl->url = query.url;
    curl->method = token->method;
    curl->proxy = token->proxy;
    curl->body = query.body;
    curl->ca = token->ca;
    curl->headers = query.headers;
    curl->nheaders = query.nheaders;
    curl->timeout = token->timeout;
    curl->max = NGX_HTTP_ENVELOPE_TOKEN_ANSWER_MAX;

    if (ngx_http_envelope_curl_start(curl, &reason) == NGX_OK) {
        return;
    }

failed:

    serial = fetch->serial;

    ngx_http_envelope_token_free(fetch);
    ngx_http_envelope_token_fail(token, serial, 0, &reason);
    ngx_http_envelope_token_wake(token);
}


static void
ngx_http_envelope_token_done(ngx_http_envelope_curl_t *curl)
{
    ngx_int_t                         rc;
    ngx_str_t                         value;
    ngx_uint_t                        serial, timed_out, level;
    ngx_msec_t                        lifetime;
    ngx_envelope_reason_t             reason;
    ngx_http_envelope_token_t        *token;
    ngx_http_envelope_token_fetch_t  *fetch;

    fetch = curl->data;
    token = fetch->token;
    serial = fetch->serial;
    timed_out = (curl->code == CURLE_OPERATION_TIMEDOUT);
    lifetime = 0;

    rc = ngx_http_envelope_token_read(fetch, &value, &lifetime, &reason);

    if (rc != NGX_OK) {
        ngx_http_envelope_token_free(fetch);
        ngx_http_envelope_token_fail(token, serial, timed_out, &reason);
        ngx_http_envelope_token_wake(token);
        return;
    }

    rc = ngx_http_envelope_token_store(token, serial, &value, lifetime);

    ngx_http_envelope_token_free(fetch);

    if (rc != NGX_DECLINED) {
        level = (rc == NGX_DONE) ? NGX_LOG_NOTICE : NGX_LOG_INFO;

        ngx_log_error(level, ngx_cycle->log, 0,
                      "envelope: profile \"%V\" token has been fetched%s, "
                      "it is good for %M ms", &token->profile->name,
                      rc == NGX_DONE ? " again" : "", lifetime);
    }

    ngx_http_envelope_token_wake(token);
}


void
ngx_http_envelope_token_abort(ngx_http_envelope_token_t *token)
{
    if (token->local->fetch) {
        ngx_http_envelope_token_free(token->local->fetch);
    }
}


static void
ngx_http_envelope_token_free(ngx_http_envelope_token_fetch_t *fetch)
{
    fetch->token->local->fetch = NULL;

    ngx_http_envelope_curl_abort(&fetch->curl);

    if (fetch->start.timer_set) {
        ngx_del_timer(&fetch->start);
    }

    if (fetch->start.posted) {
        ngx_delete_posted_event(&fetch->start);
    }

    ngx_destroy_pool(fetch->pool);
}


/* an error is logged once, not as often as it is tried */

static void
ngx_http_envelope_token_fail(ngx_http_envelope_token_t *token,
    ngx_uint_t serial, ngx_uint_t timed_out, ngx_envelope_reason_t *reason)
{
    ngx_int_t   rc;
    ngx_uint_t  level;

    rc = ngx_http_envelope_token_failed(token, serial, timed_out, reason);

    if (rc == NGX_DECLINED) {
        return;
    }

    level = (rc == NGX_DONE) ? NGX_LOG_ERR : NGX_LOG_INFO;

    ngx_log_error(level, ngx_cycle->log, 0,
                  "envelope: profile \"%V\" token cannot be fetched: %*s",
                  &token->profile->name, reason->len, reason->data);
}


static ngx_int_t
ngx_http_envelope_token_read(ngx_http_envelope_token_fetch_t *fetch,
    ngx_str_t *value, ngx_msec_t *lifetime, ngx_envelope_reason_t *reason)
{
    ngx_int_t                   rc;
    ngx_str_t                   text;
    ngx_envelope_node_t        *root;
    ngx_http_envelope_curl_t   *curl;
    ngx_http_envelope_token_t  *token;

    curl = &fetch->curl;
    token = fetch->token;

    if (curl->code != CURLE_OK) {
        ngx_http_envelope_curl_reason(curl, reason);
        return NGX_DECLINED;
    }

    if (curl->status < NGX_HTTP_OK
        || curl->status >= NGX_HTTP_SPECIAL_RESPONSE)
    {
        return ngx_envelope_declined(reason, "the endpoint answers with "
                                     "status %ui", curl->status);
    }

    (void) ngx_envelope_failed(reason, "out of memory");

    rc = ngx_envelope_json_scan(fetch->pool, &curl->answer,
                                ngx_max(token->value.n, token->expires.n),
                                &root, reason);
    if (rc != NGX_OK) {
        ngx_envelope_reason_prepend(reason, "the answer: ");
        return rc;
    }

    rc = ngx_http_envelope_token_text(fetch, root, &token->value, value,
                                      reason);
    if (rc == NGX_OK) {
        rc = ngx_http_envelope_token_check(value, reason);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (token->expiry == NGX_HTTP_ENVELOPE_TOKEN_LIFETIME) {
        *lifetime = ngx_min(token->lifetime,
                            NGX_HTTP_ENVELOPE_TOKEN_LIFETIME_MAX);
        return NGX_OK;
    }

    rc = ngx_http_envelope_token_text(fetch, root, &token->expires, &text,
                                      reason);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_envelope_token_expiry(token, &text, lifetime, reason);
}


/* the text of a string or a number */

static ngx_int_t
ngx_http_envelope_token_text(ngx_http_envelope_token_fetch_t *fetch,
    ngx_envelope_node_t *root, ngx_envelope_address_t *address,
    ngx_str_t *text, ngx_envelope_reason_t *reason)
{
    ngx_int_t             rc;
    ngx_envelope_node_t  *node;

    rc = ngx_envelope_address_find(address, root, &node, reason);

    if (rc != NGX_OK) {
        ngx_envelope_reason_prepend(reason, "the answer: ");
        return rc;
    }

    if (node && node->type == NGX_ENVELOPE_JSON_NUMBER) {
        *text = node->text;
        return NGX_OK;
    }

    if (node && node->type == NGX_ENVELOPE_JSON_STRING) {
        return ngx_envelope_json_decode(fetch->pool, &node->text, text,
                                        reason);
    }

    return ngx_envelope_declined(reason, "the answer has no string and no "
                                 "number at \"%V\"", &address->text);
}


static ngx_int_t
ngx_http_envelope_token_check(ngx_str_t *value, ngx_envelope_reason_t *reason)
{
    size_t  i;

    if (value->len == 0) {
        return ngx_envelope_declined(reason, "the token is empty");
    }

    if (value->len > NGX_HTTP_ENVELOPE_TOKEN_MAX) {
        return ngx_envelope_declined(reason, "the token is longer than %d "
                                     "bytes", NGX_HTTP_ENVELOPE_TOKEN_MAX);
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < ' ' || value->data[i] == 0x7f) {
            return ngx_envelope_declined(reason, "the token has a control "
                                         "character in it");
        }
    }

    return NGX_OK;
}


/* a fraction of a second is left out; 19 digits fit, and none is negative */

static ngx_int_t
ngx_http_envelope_token_expiry(ngx_http_envelope_token_t *token,
    ngx_str_t *text, ngx_msec_t *lifetime, ngx_envelope_reason_t *reason)
{
    u_char      *p, *dot, *last;
    int64_t      n, now;
    ngx_time_t  *tp;

    last = text->data + text->len;
    dot = ngx_strlchr(text->data, last, '.');

    if (dot) {
        for (p = dot + 1; p < last && *p >= '0' && *p <= '9'; p++) {
            /* void */
        }

        if (p == last && p > dot + 1) {
            last = dot;
        }
    }

    n = 0;

    for (p = text->data; p < last; p++) {

        if (*p < '0' || *p > '9' || n > NGX_HTTP_ENVELOPE_TOKEN_AT_MAX) {
            break;
        }

        n = n * 10 + (*p - '0');
    }

    if (p == text->data || p < last || n == 0
        || n > NGX_HTTP_ENVELOPE_TOKEN_AT_MAX)
    {
        return ngx_envelope_declined(reason, "the answer has no time at "
                                     "\"%V\"", &token->expires.text);
    }

    if (token->expiry == NGX_HTTP_ENVELOPE_TOKEN_IN) {

        if (n > NGX_HTTP_ENVELOPE_TOKEN_IN_MAX) {
            return ngx_envelope_declined(reason, "the answer has no number "
                                         "of seconds at \"%V\"",
                                         &token->expires.text);
        }

        n *= 1000;

    } else {
        tp = ngx_timeofday();
        now = (int64_t) tp->sec * 1000 + tp->msec;

        if (n < NGX_HTTP_ENVELOPE_TOKEN_AT_MSEC) {
            n *= 1000;
        }

        n -= now;
    }

    if (n <= 0) {
        return ngx_envelope_declined(reason, "the token has expired already");
    }

    *lifetime = (ngx_msec_t) ngx_min(n, NGX_HTTP_ENVELOPE_TOKEN_LIFETIME_MAX);

    return NGX_OK;
}
