
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_CURL_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_CURL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_envelope_headers.h"
#include "ngx_http_envelope_curl_library.h"


/*
 * One HTTP request by libcurl's multi interface, on nginx's events and
 * timers.  Nothing blocks: names are looked up by libcurl on a thread of its
 * own (or by c-ares), and one that is given up is not waited for.
 *
 * Redirects are not followed, peers of TLS are verified, there is no proxy
 * but the one given, connections are not kept.
 */


/* from this version on its thread that resolves need not be waited for */

#define NGX_HTTP_ENVELOPE_CURL_QUICK_EXIT  0x075700


typedef struct ngx_http_envelope_curl_s  ngx_http_envelope_curl_t;


/* called once, on the event loop, and never from ..curl_start() */

typedef void (*ngx_http_envelope_curl_pt)(ngx_http_envelope_curl_t *curl);


struct ngx_http_envelope_curl_s {
    ngx_pool_t                 *pool;      /* lives until the handler or
                                              ..curl_abort() is called */
    ngx_str_t                   url;       /* zero-terminated, as are the */
    ngx_str_t                   method;    /* next ones .. */
    ngx_str_t                   proxy;     /* .. and this; len 0: none */
    ngx_str_t                   body;      /* data NULL: none */
    ngx_str_t                   ca;        /* PEM; len 0: the system's */
    ngx_envelope_header_t      *headers;
    ngx_uint_t                  nheaders;
    ngx_msec_t                  timeout;
    size_t                      max;       /* bytes of an answer */

    ngx_http_envelope_curl_pt   handler;
    void                       *data;

    /* what came of it */
    CURLcode                    code;
    ngx_uint_t                  status;
    ngx_str_t                   answer;    /* secret memory of the pool */
    unsigned                    too_long:1;
    char                        error[CURL_ERROR_SIZE];

    CURL                       *easy;
    struct curl_slist          *list;
};


/*
 * Whether the text, which may be no more than the start of a URL unless it
 * is "whole", can be fetched: http or https with a host that this libcurl
 * can look up without blocking; or be a proxy.
 */

ngx_int_t ngx_http_envelope_curl_check_url(ngx_str_t *url, ngx_uint_t whole,
    ngx_uint_t proxy, ngx_envelope_reason_t *reason);

/* sets libcurl up for this process; done by ..curl_start() */

CURLcode ngx_http_envelope_curl_global(void);

/* NGX_OK, or NGX_ERROR with a reason: the handler will not be called */

ngx_int_t ngx_http_envelope_curl_start(ngx_http_envelope_curl_t *curl,
    ngx_envelope_reason_t *reason);

/* the handler is not called any more */

void ngx_http_envelope_curl_abort(ngx_http_envelope_curl_t *curl);

/* at the end of this process, when nothing is fetched any more */

void ngx_http_envelope_curl_exit(void);

/* what went wrong, in words that hold nothing of the request */

void ngx_http_envelope_curl_reason(ngx_http_envelope_curl_t *curl,
    ngx_envelope_reason_t *reason);


#endif /* _NGX_HTTP_ENVELOPE_CURL_H_INCLUDED_ */
