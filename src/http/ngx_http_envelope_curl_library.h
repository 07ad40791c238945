
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_CURL_LIBRARY_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_CURL_LIBRARY_H_INCLUDED_


#include "ngx_envelope_reason.h"

/* its macros for checking types would call what is linked */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>


/*
 * libcurl brings some twenty libraries along, and with them code that runs as
 * soon as it is loaded and more than a megabyte in each worker.  It is loaded
 * when a configuration has a "token", and stays then.
 */

#define NGX_HTTP_ENVELOPE_CURL_SONAME  "libcurl.so.4"


/* its functions, by their names without "curl_" */

typedef struct {
    __typeof__(curl_version_info)          *version_info;
    __typeof__(curl_global_init_mem)       *global_init_mem;
    __typeof__(curl_slist_append)          *slist_append;
    __typeof__(curl_slist_free_all)        *slist_free_all;

    __typeof__(curl_easy_init)             *easy_init;
    __typeof__(curl_easy_setopt)           *easy_setopt;
    __typeof__(curl_easy_getinfo)          *easy_getinfo;
    __typeof__(curl_easy_strerror)         *easy_strerror;
    __typeof__(curl_easy_cleanup)          *easy_cleanup;

    __typeof__(curl_multi_init)            *multi_init;
    __typeof__(curl_multi_setopt)          *multi_setopt;
    __typeof__(curl_multi_add_handle)      *multi_add_handle;
    __typeof__(curl_multi_remove_handle)   *multi_remove_handle;
    __typeof__(curl_multi_assign)          *multi_assign;
    __typeof__(curl_multi_socket_action)   *multi_socket_action;
    __typeof__(curl_multi_info_read)       *multi_info_read;
    __typeof__(curl_multi_strerror)        *multi_strerror;
    __typeof__(curl_multi_cleanup)         *multi_cleanup;
} ngx_http_envelope_libcurl_t;


extern ngx_http_envelope_libcurl_t  ngx_http_envelope_libcurl;


/* .. which are called as if it had been linked */

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define curl_version_info         ngx_http_envelope_libcurl.version_info
#define curl_global_init_mem      ngx_http_envelope_libcurl.global_init_mem
#define curl_slist_append         ngx_http_envelope_libcurl.slist_append
#define curl_slist_free_all       ngx_http_envelope_libcurl.slist_free_all
#define curl_easy_init            ngx_http_envelope_libcurl.easy_init
#define curl_easy_setopt          ngx_http_envelope_libcurl.easy_setopt
#define curl_easy_getinfo         ngx_http_envelope_libcurl.easy_getinfo
#define curl_easy_strerror        ngx_http_envelope_libcurl.easy_strerror
#define curl_easy_cleanup         ngx_http_envelope_libcurl.easy_cleanup
#define curl_multi_init           ngx_http_envelope_libcurl.multi_init
#define curl_multi_setopt         ngx_http_envelope_libcurl.multi_setopt
#define curl_multi_add_handle     ngx_http_envelope_libcurl.multi_add_handle
#define curl_multi_remove_handle  ngx_http_envelope_libcurl.multi_remove_handle
#define curl_multi_assign         ngx_http_envelope_libcurl.multi_assign
#define curl_multi_socket_action  ngx_http_envelope_libcurl.multi_socket_action
#define curl_multi_info_read      ngx_http_envelope_libcurl.multi_info_read
#define curl_multi_strerror       ngx_http_envelope_libcurl.multi_strerror
#define curl_multi_cleanup        ngx_http_envelope_libcurl.multi_cleanup


/* NGX_OK, also if it was before; NGX_DECLINED with a reason */

ngx_int_t ngx_http_envelope_curl_load(ngx_envelope_reason_t *reason);


/*
 * The strings of the "env" directive are the cycle's, whose pool nginx destroys
 * before it calls exit(); the libraries that came with libcurl read the
 * environment even after that.  It is copied once, in each process, for as
 * long as the process is there.
 */

ngx_int_t ngx_http_envelope_curl_keep_environment(ngx_log_t *log);


#endif /* _NGX_HTTP_ENVELOPE_CURL_LIBRARY_H_INCLUDED_ */
