
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_headers.h"
#include "ngx_envelope_secret.h"


static ngx_envelope_header_t *ngx_envelope_headers_find(
    ngx_envelope_headers_t *headers, ngx_str_t *name, ngx_uint_t *from);
static ngx_int_t ngx_envelope_headers_touch(ngx_envelope_headers_t *headers,
    ngx_str_t *name);
static void ngx_envelope_headers_drop(ngx_envelope_headers_t *headers,
    ngx_str_t *name);
static ngx_int_t ngx_envelope_headers_append(ngx_envelope_headers_t *headers,
    ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_envelope_headers_check(ngx_str_t *value,
    ngx_envelope_reason_t *reason);
static ngx_uint_t ngx_envelope_headers_next_param(u_char **pos, u_char *end,
    ngx_str_t *item, ngx_str_t *param, ngx_str_t *value);


ngx_int_t
ngx_envelope_headers_init(ngx_envelope_headers_t *headers, ngx_pool_t *pool,
    const ngx_envelope_header_t *fields, ngx_uint_t n)
{
    headers->pool = pool;

    if (ngx_array_init(&headers->fields, pool, n + 4,
                       sizeof(ngx_envelope_header_t))
        != NGX_OK
        || ngx_array_init(&headers->touched, pool, 4, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (n) {
        ngx_memcpy(headers->fields.elts, fields,
                   n * sizeof(ngx_envelope_header_t));
        headers->fields.nelts = n;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_envelope_headers_get(ngx_envelope_headers_t *headers, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_uint_t              i, n;
    ngx_envelope_header_t  *fields;

    n = 0;
    fields = headers->fields.elts;

    for (i = 0; i < headers->fields.nelts; i++) {

        if (ngx_envelope_header_is(&fields[i].name, name) && n++ == 0) {
            *value = fields[i].value;
        }
    }

    return n;
}


ngx_int_t
ngx_envelope_headers_param(ngx_envelope_headers_t *headers, ngx_str_t *name,
    ngx_str_t *param, ngx_uint_t nth, ngx_str_t *value)
{
    u_char                 *p, *end;
    ngx_str_t               item, key;
    ngx_uint_t              from;
    ngx_envelope_header_t  *field;

    from = 0;

    while ((field = ngx_envelope_headers_find(headers, name, &from)) != NULL) {

        if (field->value.len == 0) {
            continue;
        }

        p = field->value.data;
        end = p + field->value.len;

        while (ngx_envelope_headers_next_param(&p, end, &item, &key, value)) {

            if (key.len != param->len
                || ngx_strncasecmp(key.data, param->data, key.len) != 0)
            {
                continue;
            }

            if (nth-- == 0) {
                return NGX_OK;
            }
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_envelope_headers_set(ngx_envelope_headers_t *headers, ngx_str_t *name,
    ngx_str_t *value, ngx_envelope_reason_t *reason)
{
    ngx_str_t  empty;

    if (ngx_envelope_headers_check(value, reason) != NGX_OK) {
        return NGX_DECLINED;
    }

    /* NULL would mean that the header is to go */

    if (value->len == 0) {
        ngx_str_set(&empty, "");
        value = &empty;
    }

    ngx_envelope_headers_drop(headers, name);

    if (ngx_envelope_headers_append(headers, name, value) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_envelope_headers_touch(headers, name);
}


ngx_int_t
ngx_envelope_headers_set_param(ngx_envelope_headers_t *headers,
    ngx_str_t *name, ngx_str_t *param, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    u_char     *p;
    size_t      i;
    ngx_str_t   old, new;

    for (i = 0; i < value->len; i++) {

        if (ngx_strchr(",;\" \t", value->data[i])) {
            return ngx_envelope_declined(reason, "the value would not be one "
                                         "param of the header");
        }
    }

    ngx_str_set(&old, "");
    (void) ngx_envelope_headers_get(headers, name, &old);

    new.len = old.len + 1 + param->len + 1 + value->len;
    new.data = ngx_envelope_secret_alloc(headers->pool, new.len);
    if (new.data == NULL) {
        return NGX_ERROR;
    }

    p = new.data;

    if (old.len) {
        p = ngx_cpymem(p, old.data, old.len);
        *p++ = ',';
    }

    p = ngx_cpymem(p, param->data, param->len);
    *p++ = '=';

    if (value->len) {
        p = ngx_cpymem(p, value->data, value->len);
    }

    new.len = p - new.data;

    return ngx_envelope_headers_set(headers, name, &new, reason);
}


ngx_int_t
ngx_envelope_headers_remove(ngx_envelope_headers_t *headers, ngx_str_t *name)
{
    ngx_envelope_headers_drop(headers, name);

    return ngx_envelope_headers_touch(headers, name);
}


ngx_int_t
ngx_envelope_headers_remove_param(ngx_envelope_headers_t *headers,
    ngx_str_t *name, ngx_str_t *param)
{
    u_char                 *p, *last, *end;
    size_t                  len;
    ngx_str_t               item, key, value, rest;
    ngx_uint_t              from;
    ngx_envelope_header_t  *field;

    len = 0;
    from = 0;

    while ((field = ngx_envelope_headers_find(headers, name, &from)) != NULL) {
        len += field->value.len + 1;
    }

    rest.data = ngx_pnalloc(headers->pool, len + 1);
    if (rest.data == NULL) {
        return NGX_ERROR;
    }

    last = rest.data;
    from = 0;

    while ((field = ngx_envelope_headers_find(headers, name, &from)) != NULL) {

        if (field->value.len == 0) {
            continue;
        }

        p = field->value.data;
        end = p + field->value.len;

        while (ngx_envelope_headers_next_param(&p, end, &item, &key, &value)) {

            if (key.len == param->len
                && ngx_strncasecmp(key.data, param->data, key.len) == 0)
            {
                continue;
            }

            if (last != rest.data) {
                *last++ = ',';
            }

            last = ngx_cpymem(last, item.data, item.len);
        }
    }

    rest.len = last - rest.data;

    ngx_envelope_headers_drop(headers, name);

    if (rest.len
        && ngx_envelope_headers_append(headers, name, &rest) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_envelope_headers_touch(headers, name);
}


static ngx_envelope_header_t *
ngx_envelope_headers_find(ngx_envelope_headers_t *headers, ngx_str_t *name,
    ngx_uint_t *from)
{
    ngx_uint_t              i;
    ngx_envelope_header_t  *fields;

    fields = headers->fields.elts;

    for (i = *from; i < headers->fields.nelts; i++) {

        if (ngx_envelope_header_is(&fields[i].name, name)) {
            *from = i + 1;
            return &fields[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_envelope_headers_touch(ngx_envelope_headers_t *headers, ngx_str_t *name)
{
    ngx_str_t   *touched;
    ngx_uint_t   i;

    touched = headers->touched.elts;

    for (i = 0; i < headers->touched.nelts; i++) {

        if (ngx_envelope_header_is(&touched[i], name)) {
            return NGX_OK;
        }
    }

    touched = ngx_array_push(&headers->touched);
    if (touched == NULL) {
        return NGX_ERROR;
    }

    *touched = *name;

    return NGX_OK;
}


static void
ngx_envelope_headers_drop(ngx_envelope_headers_t *headers, ngx_str_t *name)
{
    ngx_uint_t              i, n;
    ngx_envelope_header_t  *fields;

    n = 0;
    fields = headers->fields.elts;

    for (i = 0; i < headers->fields.nelts; i++) {

        if (ngx_envelope_header_is(&fields[i].name, name)) {
            continue;
        }

        fields[n++] = fields[i];
    }

    headers->fields.nelts = n;
}


static ngx_int_t
ngx_envelope_headers_append(ngx_envelope_headers_t *headers, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_envelope_header_t  *field;

    field = ngx_array_push(&headers->fields);
    if (field == NULL) {
        return NGX_ERROR;
    }

    field->name = *name;
    field->value = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_headers_check(ngx_str_t *value, ngx_envelope_reason_t *reason)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {

        if ((value->data[i] < 0x20 && value->data[i] != '\t')
            || value->data[i] == 0x7f)
        {
            return ngx_envelope_declined(reason, "the header's value has "
                                         "a control character");
        }
    }

    return NGX_OK;
}


/*
 * Takes the next of "param=value, param="value"; .." off the list; an item
 * without "=" is a param without a value.  Returns 0 at the end.
 */

static ngx_uint_t
ngx_envelope_headers_next_param(u_char **pos, u_char *end, ngx_str_t *item,
    ngx_str_t *param, ngx_str_t *value)
{
    u_char  *p, *last, *equal, quoted;

    p = *pos;

    while (p < end && (*p == ' ' || *p == '\t' || *p == ',' || *p == ';')) {
        p++;
    }

    if (p == end) {
        *pos = p;
        return 0;
    }

    item->data = p;
    equal = NULL;
    quoted = 0;

    for ( /* void */ ; p < end; p++) {

        if (*p == '"') {
            quoted = !quoted;
        }

        if (quoted) {
            continue;
        }

        if (*p == ',' || *p == ';') {
            break;
        }

        if (*p == '=' && equal == NULL) {
            equal = p;
        }
    }

    *pos = p;

    for (last = p; last > item->data; last--) {
        if (last[-1] != ' ' && last[-1] != '\t') {
            break;
        }
    }

    item->len = last - item->data;
    *param = *item;
    ngx_str_set(value, "");

    if (equal) {
        param->len = equal - item->data;
        value->data = equal + 1;
        value->len = last - value->data;

        if (value->len > 1 && value->data[0] == '"' && last[-1] == '"') {
            value->data++;
            value->len -= 2;
        }
    }

    return 1;
}
