
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_curl.h"

#include <openssl/crypto.h>


/* what libcurl is able to do, and the memory it does it with */


/* in front of what libcurl allocates; as long as any alignment needs */

typedef union {
    size_t             size;
    u_char             align[2 * sizeof(void *)];
} ngx_http_envelope_curl_block_t;


static ngx_int_t ngx_http_envelope_curl_host(u_char *p, u_char *last,
    ngx_uint_t whole, ngx_envelope_reason_t *reason);

static void *ngx_http_envelope_curl_malloc(size_t size);
static void *ngx_http_envelope_curl_calloc(size_t n, size_t size);
static void *ngx_http_envelope_curl_realloc(void *p, size_t size);
static char *ngx_http_envelope_curl_strdup(const char *s);
static void ngx_http_envelope_curl_release(void *p);


ngx_int_t
ngx_http_envelope_curl_check_url(ngx_str_t *url, ngx_uint_t whole,
    ngx_uint_t proxy, ngx_envelope_reason_t *reason)
{
    u_char                  *p, *last;
    curl_version_info_data  *info;

    if (ngx_http_envelope_curl_load(reason) != NGX_OK) {
        return NGX_DECLINED;
    }

    p = url->data;
    last = p + url->len;

    if (url->len >= 7 && ngx_strncasecmp(p, (u_char *) "http://", 7) == 0) {
        p += 7;

    } else if (url->len >= 8
               && ngx_strncasecmp(p, (u_char *) "https://", 8) == 0)
    {
        info = curl_version_info(CURLVERSION_NOW);
        p += 8;

        if (!(info->features & CURL_VERSION_SSL)) {
            return ngx_envelope_declined(reason, "libcurl %s has no TLS",
                                         info->version);
        }

    } else {
        return ngx_envelope_declined(reason, "it must begin with \"http://\" "
                                     "or \"https://\"");
    }

    if (proxy) {

        /* nobody's path is fetched from it */

        if (last > p && last[-1] == '/') {
            last--;
        }

        if (ngx_strlchr(p, last, '/')) {
            return ngx_envelope_declined(reason, "a proxy has no path");
        }
    }

    return ngx_http_envelope_curl_host(p, last, whole, reason);
}


/* what stands in front of the path; an address needs no looking up */

static ngx_int_t
ngx_http_envelope_curl_host(u_char *p, u_char *last, ngx_uint_t whole,
    ngx_envelope_reason_t *reason)
{
    u_char                  *at, *end;
    ngx_uint_t               address;
    curl_version_info_data  *info;

    for (end = p; end < last; end++) {
        if (*end == '/' || *end == '?' || *end == '#') {
            whole = 1;
            break;
        }
    }

    for (at = p; at < end; at++) {
        if (*at == '@') {
            p = at + 1;
        }
    }

    address = 0;

    if (whole) {

        if (p == end || *p == ':') {
            return ngx_envelope_declined(reason, "there is no host in it");
        }

        if (*p == '[') {
            address = 1;

        } else {
            at = ngx_strlchr(p, end, ':');
            address = ngx_inet_addr(p, (at ? at : end) - p) != INADDR_NONE;
        }
    }

    if (address) {
        return NGX_OK;
    }

    info = curl_version_info(CURLVERSION_NOW);

    if (!(info->features & CURL_VERSION_ASYNCHDNS)) {
        return ngx_envelope_declined(reason, "libcurl %s looks names up "
                          "while all else waits (it has no AsynchDNS): give "
                          "an address, or use another build", info->version);
    }

    if (info->ares == NULL
#if (LIBCURL_VERSION_NUM >= NGX_HTTP_ENVELOPE_CURL_QUICK_EXIT)
        && info->version_num < NGX_HTTP_ENVELOPE_CURL_QUICK_EXIT
#endif
       )
    {
        return ngx_envelope_declined(reason, "libcurl %s waits for names that "
                          "it has given up to look up: give an address, or "
                          "use 7.87 or a build with c-ares", info->version);
    }

    return NGX_OK;
}


CURLcode
ngx_http_envelope_curl_global(void)
{
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT,
                                ngx_http_envelope_curl_malloc,
                                ngx_http_envelope_curl_release,
                                ngx_http_envelope_curl_realloc,
                                ngx_http_envelope_curl_strdup,
                                ngx_http_envelope_curl_calloc);
}


/* libcurl's buffers hold secrets and tokens, so they are overwritten */

static void *
ngx_http_envelope_curl_malloc(size_t size)
{
    ngx_http_envelope_curl_block_t  *block;

    if (size > NGX_MAX_SIZE_T_VALUE - sizeof(ngx_http_envelope_curl_block_t)) {
        return NULL;
    }

    block = malloc(sizeof(ngx_http_envelope_curl_block_t) + size);
    if (block == NULL) {
        return NULL;
    }

    block->size = size;

    return block + 1;
}


static void *
ngx_http_envelope_curl_calloc(size_t n, size_t size)
{
    void  *p;

    if (size && n > NGX_MAX_SIZE_T_VALUE / size) {
        return NULL;
    }

    p = ngx_http_envelope_curl_malloc(n * size);

    if (p) {
        ngx_memzero(p, n * size);
    }

    return p;
}


static void *
ngx_http_envelope_curl_realloc(void *p, size_t size)
{
    void                            *new;
    ngx_http_envelope_curl_block_t  *block;

    new = ngx_http_envelope_curl_malloc(size);

    if (p && new) {
        block = (ngx_http_envelope_curl_block_t *) p - 1;

        ngx_memcpy(new, p, ngx_min(size, block->size));

        ngx_http_envelope_curl_release(p);
    }

    return new;
}


static char *
ngx_http_envelope_curl_strdup(const char *s)
{
    char    *p;
    size_t   len;

    len = ngx_strlen(s) + 1;

    p = ngx_http_envelope_curl_malloc(len);

    if (p) {
        ngx_memcpy(p, s, len);
    }

    return p;
}


static void
ngx_http_envelope_curl_release(void *p)
{
    ngx_http_envelope_curl_block_t  *block;

    if (p == NULL) {
        return;
    }

    block = (ngx_http_envelope_curl_block_t *) p - 1;

    OPENSSL_cleanse(p, block->size);

    free(block);
}
