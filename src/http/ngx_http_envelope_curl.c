
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_curl.h"
#include "ngx_envelope_secret.h"

#include <openssl/err.h>


typedef struct {
    CURLM             *handle;
    ngx_event_t        timer;
    ngx_connection_t   dumb;     /* nginx's debug log looks at its fd */
} ngx_http_envelope_multi_t;


static ngx_int_t ngx_http_envelope_curl_init(ngx_envelope_reason_t *reason);
static CURLcode ngx_http_envelope_curl_setup(ngx_http_envelope_curl_t *curl);
static CURLcode ngx_http_envelope_curl_setup_tls(
    ngx_http_envelope_curl_t *curl);
static CURLcode ngx_http_envelope_curl_setup_request(
    ngx_http_envelope_curl_t *curl);
static CURLcode ngx_http_envelope_curl_setup_headers(
    ngx_http_envelope_curl_t *curl);
static ngx_int_t ngx_http_envelope_curl_add_line(
    ngx_http_envelope_curl_t *curl, const char *line);
static void ngx_http_envelope_curl_done(void);
static void ngx_http_envelope_curl_free(ngx_http_envelope_curl_t *curl);

static size_t ngx_http_envelope_curl_write(char *data, size_t size,
    size_t nmemb, void *userdata);
static int ngx_http_envelope_curl_socket(CURL *easy, curl_socket_t fd,
    int what, void *data, void *socket);
static ngx_connection_t *ngx_http_envelope_curl_connection(curl_socket_t fd);
static void ngx_http_envelope_curl_close(ngx_connection_t *c);
static void ngx_http_envelope_curl_event(ngx_event_t *ev);
static int ngx_http_envelope_curl_set_timer(CURLM *multi, long timeout,
    void *data);
static void ngx_http_envelope_curl_timer(ngx_event_t *ev);


/* one for the process, as its event loop is */

static ngx_http_envelope_multi_t  ngx_http_envelope_multi;


/* not before the fork: libcurl has a thread, and descriptors, of its own */

static ngx_int_t
ngx_http_envelope_curl_init(ngx_envelope_reason_t *reason)
{
    CURLM                      *handle;
    ngx_http_envelope_multi_t  *multi;

    multi = &ngx_http_envelope_multi;

    if (multi->handle) {
        return NGX_OK;
    }

    if (ngx_http_envelope_curl_global() != CURLE_OK) {
        return ngx_envelope_failed(reason, "curl_global_init_mem() failed");
    }

    handle = curl_multi_init();
    if (handle == NULL) {
        return ngx_envelope_failed(reason, "curl_multi_init() failed");
    }

    if (curl_multi_setopt(handle, CURLMOPT_SOCKETFUNCTION,
                          ngx_http_envelope_curl_socket)
        != CURLM_OK
        || curl_multi_setopt(handle, CURLMOPT_TIMERFUNCTION,
                             ngx_http_envelope_curl_set_timer)
           != CURLM_OK)
    {
        (void) curl_multi_cleanup(handle);
        return ngx_envelope_failed(reason, "curl_multi_setopt() failed");
    }

    multi->dumb.fd = (ngx_socket_t) -1;

    multi->timer.handler = ngx_http_envelope_curl_timer;
    multi->timer.data = &multi->dumb;
    multi->timer.log = ngx_cycle->log;

    multi->handle = handle;

    return NGX_OK;
}


void
ngx_http_envelope_curl_exit(void)
{
    ngx_http_envelope_multi_t  *multi;

    multi = &ngx_http_envelope_multi;

    if (multi->handle == NULL) {
        return;
    }

    (void) curl_multi_cleanup(multi->handle);
    multi->handle = NULL;

    if (multi->timer.timer_set) {
        ngx_del_timer(&multi->timer);
    }

    ERR_clear_error();
}


ngx_int_t
ngx_http_envelope_curl_start(ngx_http_envelope_curl_t *curl,
    ngx_envelope_reason_t *reason)
{
    CURLcode   code;
    CURLMcode  mcode;

    if (ngx_http_envelope_curl_init(reason) != NGX_OK) {
        return NGX_ERROR;
    }

    curl->answer.len = 0;
    curl->answer.data = ngx_envelope_secret_alloc(curl->pool, curl->max);

    curl->easy = curl->answer.data ? curl_easy_init() : NULL;

    if (curl->easy == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    code = ngx_http_envelope_curl_setup(curl);

    if (code != CURLE_OK) {
        ngx_http_envelope_curl_free(curl);
        return ngx_envelope_failed(reason, "curl_easy_setopt() failed: %s",
                                   curl_easy_strerror(code));
    }

    mcode = curl_multi_add_handle(ngx_http_envelope_multi.handle, curl->easy);

    if (mcode != CURLM_OK) {
        ngx_http_envelope_curl_free(curl);
        return ngx_envelope_failed(reason,
                                   "curl_multi_add_handle() failed: %s",
                                   curl_multi_strerror(mcode));
    }

    return NGX_OK;
}


#define ngx_http_envelope_curl_set(curl, option, value)                       \
    if (code == CURLE_OK) {                                                   \
        code = curl_easy_setopt((curl)->easy, option, value);                 \
    }


static CURLcode
ngx_http_envelope_curl_setup(ngx_http_envelope_curl_t *curl)
{
    CURLcode  code;

    code = CURLE_OK;

    ngx_http_envelope_curl_set(curl, CURLOPT_PRIVATE, curl);
    ngx_http_envelope_curl_set(curl, CURLOPT_ERRORBUFFER, curl->error);
    ngx_http_envelope_curl_set(curl, CURLOPT_WRITEFUNCTION,
                               ngx_http_envelope_curl_write);
    ngx_http_envelope_curl_set(curl, CURLOPT_WRITEDATA, curl);

    ngx_http_envelope_curl_set(curl, CURLOPT_NOSIGNAL, 1L);
#if (LIBCURL_VERSION_NUM >= NGX_HTTP_ENVELOPE_CURL_QUICK_EXIT)
    ngx_http_envelope_curl_set(curl, CURLOPT_QUICK_EXIT, 1L);
#endif

#if (LIBCURL_VERSION_NUM >= 0x075500)
    ngx_http_envelope_curl_set(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    ngx_http_envelope_curl_set(curl, CURLOPT_PROTOCOLS,
                               (long) (CURLPROTO_HTTP|CURLPROTO_HTTPS));
#endif
    ngx_http_envelope_curl_set(curl, CURLOPT_HTTP_VERSION,
                               (long) CURL_HTTP_VERSION_1_1);
    ngx_http_envelope_curl_set(curl, CURLOPT_FOLLOWLOCATION, 0L);
    ngx_http_envelope_curl_set(curl, CURLOPT_FRESH_CONNECT, 1L);
    ngx_http_envelope_curl_set(curl, CURLOPT_FORBID_REUSE, 1L);
    ngx_http_envelope_curl_set(curl, CURLOPT_NETRC,
                               (long) CURL_NETRC_IGNORED);

    ngx_http_envelope_curl_set(curl, CURLOPT_TIMEOUT_MS,
                               (long) curl->timeout);
    ngx_http_envelope_curl_set(curl, CURLOPT_CONNECTTIMEOUT_MS,
                               (long) curl->timeout);

    /* an empty one keeps those of the environment out */

    ngx_http_envelope_curl_set(curl, CURLOPT_PROXY,
                               curl->proxy.len ? (char *) curl->proxy.data
                                               : "");
    ngx_http_envelope_curl_set(curl, CURLOPT_NOPROXY, "");

    if (code == CURLE_OK) {
        code = ngx_http_envelope_curl_setup_tls(curl);
    }

    if (code == CURLE_OK) {
        code = ngx_http_envelope_curl_setup_request(curl);
    }

    return code;
}


static CURLcode
ngx_http_envelope_curl_setup_tls(ngx_http_envelope_curl_t *curl)
{
    CURLcode          code;
    struct curl_blob  blob;

    code = CURLE_OK;

    ngx_http_envelope_curl_set(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    ngx_http_envelope_curl_set(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    ngx_http_envelope_curl_set(curl, CURLOPT_SSLVERSION,
                               (long) CURL_SSLVERSION_TLSv1_2);

    if (curl->ca.len == 0) {
        return code;
    }

    /* and no other authority than these */

    blob.data = curl->ca.data;
    blob.len = curl->ca.len;
    blob.flags = CURL_BLOB_NOCOPY;

    ngx_http_envelope_curl_set(curl, CURLOPT_CAINFO, NULL);
    ngx_http_envelope_curl_set(curl, CURLOPT_CAPATH, NULL);
    ngx_http_envelope_curl_set(curl, CURLOPT_CAINFO_BLOB, &blob);

    return code;
}


static CURLcode
ngx_http_envelope_curl_setup_request(ngx_http_envelope_curl_t *curl)
{
    CURLcode  code;

    code = CURLE_OK;

    ngx_http_envelope_curl_set(curl, CURLOPT_URL, (char *) curl->url.data);

    if (curl->body.data) {
        ngx_http_envelope_curl_set(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                                   (curl_off_t) curl->body.len);
        ngx_http_envelope_curl_set(curl, CURLOPT_POSTFIELDS,
                                   (char *) curl->body.data);

    } else {
        ngx_http_envelope_curl_set(curl, CURLOPT_HTTPGET, 1L);
    }

    ngx_http_envelope_curl_set(curl, CURLOPT_CUSTOMREQUEST,
                               (char *) curl->method.data);

    return code == CURLE_OK ? ngx_http_envelope_curl_setup_headers(curl)
                            : code;
}


static CURLcode
ngx_http_envelope_curl_setup_headers(ngx_http_envelope_curl_t *curl)
{
    u_char      *line;
    CURLcode     code;
    ngx_str_t   *name, *value;
    ngx_uint_t   i;

    code = CURLE_OK;

    if (ngx_http_envelope_curl_add_line(curl, "Expect:") != NGX_OK) {
        return CURLE_OUT_OF_MEMORY;
    }

    for (i = 0; i < curl->nheaders; i++) {
        name = &curl->headers[i].name;
        value = &curl->headers[i].value;

        line = ngx_envelope_secret_alloc(curl->pool,
                                         name->len + value->len + 3);
        if (line == NULL) {
            return CURLE_OUT_OF_MEMORY;
        }

        /* "Name;" is libcurl's way to send an empty one */

        if (value->len) {
            ngx_sprintf(line, "%V: %V%Z", name, value);

        } else {
            ngx_sprintf(line, "%V;%Z", name);
        }

        if (ngx_http_envelope_curl_add_line(curl, (char *) line) != NGX_OK) {
            return CURLE_OUT_OF_MEMORY;
        }
    }

    ngx_http_envelope_curl_set(curl, CURLOPT_HTTPHEADER, curl->list);

    return code;
}


static ngx_int_t
ngx_http_envelope_curl_add_line(ngx_http_envelope_curl_t *curl,
    const char *line)
{
    struct curl_slist  *list;

    list = curl_slist_append(curl->list, line);
    if (list == NULL) {
        return NGX_ERROR;
    }

    curl->list = list;

    return NGX_OK;
}


void
ngx_http_envelope_curl_abort(ngx_http_envelope_curl_t *curl)
{
    if (curl->easy == NULL) {
        return;
    }

    (void) curl_multi_remove_handle(ngx_http_envelope_multi.handle,
                                    curl->easy);
    ngx_http_envelope_curl_free(curl);
}


static void
ngx_http_envelope_curl_free(ngx_http_envelope_curl_t *curl)
{
    curl_easy_cleanup(curl->easy);
    curl_slist_free_all(curl->list);

    curl->easy = NULL;
    curl->list = NULL;

    ERR_clear_error();
}


/* after everything that may have brought a transfer to its end */

static void
ngx_http_envelope_curl_done(void)
{
    int                        n;
    long                       status;
    CURL                      *easy;
    CURLMsg                   *msg;
    CURLcode                   code;
    ngx_http_envelope_curl_t  *curl;

    ERR_clear_error();

    for ( ;; ) {
        msg = curl_multi_info_read(ngx_http_envelope_multi.handle, &n);

        if (msg == NULL) {
            return;
        }

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        /* the message goes with the handle */

        easy = msg->easy_handle;
        code = msg->data.result;

        curl = NULL;
        status = 0;

        (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, &curl);
        (void) curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);

        curl->code = code;
        curl->status = status;

        ngx_http_envelope_curl_abort(curl);

        curl->handler(curl);
    }
}


void
ngx_http_envelope_curl_reason(ngx_http_envelope_curl_t *curl,
    ngx_envelope_reason_t *reason)
{
    const char  *details;

    if (curl->too_long) {
        (void) ngx_envelope_declined(reason, "the answer is longer than %uz "
                                     "bytes", curl->max);
        return;
    }

    details = NULL;

    switch (curl->code) {

    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
        details = curl->error[0] ? curl->error : NULL;
        break;

    default:
        break;
    }

    (void) ngx_envelope_declined(reason, "%s",
                          details ? details : curl_easy_strerror(curl->code));
}


static size_t
ngx_http_envelope_curl_write(char *data, size_t size, size_t nmemb,
    void *userdata)
{
    ngx_http_envelope_curl_t *curl = userdata;

    size_t  len;

    len = size * nmemb;

    if (len > curl->max - curl->answer.len) {
        curl->too_long = 1;
        return 0;
    }

    ngx_memcpy(curl->answer.data + curl->answer.len, data, len);
    curl->answer.len += len;

    return len;
}


/*
 * libcurl wants to be told for as long as a socket is ready, so these events
 * are level-triggered.  A failure to watch one ends with the timeout: were it
 * returned, libcurl would never use this handle again.
 */

static int
ngx_http_envelope_curl_socket(CURL *easy, curl_socket_t fd, int what,
    void *data, void *socket)
{
    ngx_connection_t *c = socket;

    ngx_uint_t  in, out;

    if (what == CURL_POLL_REMOVE) {
        if (c) {
            ngx_http_envelope_curl_close(c);
        }

        return 0;
    }

    if (c == NULL) {
        c = ngx_http_envelope_curl_connection(fd);
        if (c == NULL) {
            return 0;
        }
    }

    in = (what & CURL_POLL_IN) ? 1 : 0;
    out = (what & CURL_POLL_OUT) ? 1 : 0;

    if (in && !c->read->active) {
        (void) ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT);

    } else if (!in && c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }

    if (out && !c->write->active) {
        (void) ngx_add_event(c->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);

    } else if (!out && c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
    }

    return 0;
}


static ngx_connection_t *
ngx_http_envelope_curl_connection(curl_socket_t fd)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(fd, ngx_cycle->log);
    if (c == NULL) {
        return NULL;
    }

    c->log = ngx_cycle->log;
    c->read->log = ngx_cycle->log;
    c->write->log = ngx_cycle->log;

    c->read->handler = ngx_http_envelope_curl_event;
    c->write->handler = ngx_http_envelope_curl_event;

    (void) curl_multi_assign(ngx_http_envelope_multi.handle, fd, c);

    return c;
}


/* the socket itself is libcurl's */

static void
ngx_http_envelope_curl_close(ngx_connection_t *c)
{
    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }

    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    c->read->closed = 1;
    c->write->closed = 1;

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;
}


static void
ngx_http_envelope_curl_event(ngx_event_t *ev)
{
    int                running;
    ngx_connection_t  *c;

    c = ev->data;

    (void) curl_multi_socket_action(ngx_http_envelope_multi.handle, c->fd,
                                    ev->write ? CURL_CSELECT_OUT
                                              : CURL_CSELECT_IN,
                                    &running);
    ngx_http_envelope_curl_done();
}


/*
 * Never at once: this is called from inside libcurl.  The timer of a
 * transfer, of which there always is one, keeps a worker from exiting.
 */

static int
ngx_http_envelope_curl_set_timer(CURLM *multi, long timeout, void *data)
{
    ngx_event_t  *ev;

    ev = &ngx_http_envelope_multi.timer;

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    if (timeout >= 0) {
        ngx_add_timer(ev, (ngx_msec_t) ngx_max(timeout, 1));
    }

    return 0;
}


static void
ngx_http_envelope_curl_timer(ngx_event_t *ev)
{
    int  running;

    (void) curl_multi_socket_action(ngx_http_envelope_multi.handle,
                                    CURL_SOCKET_TIMEOUT, 0, &running);
    ngx_http_envelope_curl_done();
}
