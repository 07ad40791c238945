
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_reason.h"


ngx_int_t ngx_cdecl
ngx_envelope_declined(ngx_envelope_reason_t *reason, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(reason->data, reason->data + NGX_ENVELOPE_REASON_LEN,
                      fmt, args);
    va_end(args);

    reason->len = p - reason->data;

    return NGX_DECLINED;
}


ngx_int_t ngx_cdecl
ngx_envelope_failed(ngx_envelope_reason_t *reason, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(reason->data, reason->data + NGX_ENVELOPE_REASON_LEN,
                      fmt, args);
    va_end(args);

    reason->len = p - reason->data;

    return NGX_ERROR;
}


void ngx_cdecl
ngx_envelope_reason_prepend(ngx_envelope_reason_t *reason, const char *fmt,
    ...)
{
    u_char    head[NGX_ENVELOPE_REASON_LEN], *p;
    size_t    len, rest;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(head, head + NGX_ENVELOPE_REASON_LEN, fmt, args);
    va_end(args);

    len = p - head;
    rest = ngx_min(reason->len, NGX_ENVELOPE_REASON_LEN - len);

    ngx_memmove(reason->data + len, reason->data, rest);
    ngx_memcpy(reason->data, head, len);

    reason->len = len + rest;
}
