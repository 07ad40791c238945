
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_curl_library.h"

#include <dlfcn.h>


typedef struct {
    const char  *name;
    size_t       offset;
} ngx_http_envelope_libcurl_symbol_t;


#define ngx_http_envelope_libcurl_symbol(name)                                \
    { "curl_" #name, offsetof(ngx_http_envelope_libcurl_t, name) }


static const ngx_http_envelope_libcurl_symbol_t
    ngx_http_envelope_libcurl_symbols[] =
{
    ngx_http_envelope_libcurl_symbol(version_info),
    ngx_http_envelope_libcurl_symbol(global_init_mem),
    ngx_http_envelope_libcurl_symbol(slist_append),
    ngx_http_envelope_libcurl_symbol(slist_free_all),

    ngx_http_envelope_libcurl_symbol(easy_init),
    ngx_http_envelope_libcurl_symbol(easy_setopt),
    ngx_http_envelope_libcurl_symbol(easy_getinfo),
    ngx_http_envelope_libcurl_symbol(easy_strerror),
    ngx_http_envelope_libcurl_symbol(easy_cleanup),

    ngx_http_envelope_libcurl_symbol(multi_init),
    ngx_http_envelope_libcurl_symbol(multi_setopt),
    ngx_http_envelope_libcurl_symbol(multi_add_handle),
    ngx_http_envelope_libcurl_symbol(multi_remove_handle),
    ngx_http_envelope_libcurl_symbol(multi_assign),
    ngx_http_envelope_libcurl_symbol(multi_socket_action),
    ngx_http_envelope_libcurl_symbol(multi_info_read),
    ngx_http_envelope_libcurl_symbol(multi_strerror),
    ngx_http_envelope_libcurl_symbol(multi_cleanup),

    { NULL, 0 }
};


ngx_http_envelope_libcurl_t  ngx_http_envelope_libcurl;


ngx_int_t
ngx_http_envelope_curl_load(ngx_envelope_reason_t *reason)
{
    void                                      *library, *symbol;
    ngx_http_envelope_libcurl_t                found;
    const ngx_http_envelope_libcurl_symbol_t  *sym;

    if (ngx_http_envelope_libcurl.version_info) {
        return NGX_OK;
    }

    /* what a reload takes out of memory must not be libcurl's threads */

    library = dlopen(NGX_HTTP_ENVELOPE_CURL_SONAME,
                     RTLD_NOW|RTLD_LOCAL|RTLD_NODELETE);
    if (library == NULL) {
        return ngx_envelope_declined(reason, "libcurl cannot be loaded: %s",
                                     dlerror());
    }

    ngx_memzero(&found, sizeof(found));

    for (sym = ngx_http_envelope_libcurl_symbols; sym->name; sym++) {
        symbol = dlsym(library, sym->name);

        if (symbol == NULL) {
            return ngx_envelope_declined(reason, NGX_HTTP_ENVELOPE_CURL_SONAME
                                         " has no %s()", sym->name);
        }

        ngx_memcpy((u_char *) &found + sym->offset, &symbol, sizeof(void *));
    }

    ngx_http_envelope_libcurl = found;

    return NGX_OK;
}


ngx_int_t
ngx_http_envelope_curl_keep_environment(ngx_log_t *log)
{
    u_char      *p;
    size_t       len;
    ngx_uint_t   i;

    if (ngx_http_envelope_libcurl.version_info == NULL) {
        return NGX_OK;
    }

    len = 0;

    for (i = 0; environ[i]; i++) {
        len += ngx_strlen(environ[i]) + 1;
    }

    if (len == 0) {
        return NGX_OK;
    }

    p = ngx_alloc(len, log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; environ[i]; i++) {
        len = ngx_strlen(environ[i]) + 1;

        ngx_memcpy(p, environ[i], len);
        environ[i] = (char *) p;
        p += len;
    }

    return NGX_OK;
}
