
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_headers.h"
#include "ngx_envelope_secret.h"


/* a pointer in r->headers_out to a field in its list */

typedef struct {
    ngx_str_t          name;
    size_t             offset;
} ngx_http_envelope_header_out_t;


static ngx_int_t ngx_http_envelope_headers_list(ngx_list_t *list,
    ngx_pool_t *pool, ngx_array_t *headers, ngx_uint_t out);

static ngx_int_t ngx_http_envelope_headers_out_content_type(
    ngx_http_request_t *r, ngx_pool_t *pool, ngx_str_t *value);
static void ngx_http_envelope_headers_out_remove(ngx_http_request_t *r,
    ngx_str_t *name);
static ngx_table_elt_t **ngx_http_envelope_headers_out_known(
    ngx_http_request_t *r, ngx_str_t *name);


static ngx_http_envelope_header_out_t  ngx_http_envelope_headers_out_table[] = {

    { ngx_string("Server"), offsetof(ngx_http_headers_out_t, server) },
    { ngx_string("Date"), offsetof(ngx_http_headers_out_t, date) },
    { ngx_string("Content-Encoding"),
      offsetof(ngx_http_headers_out_t, content_encoding) },
    { ngx_string("Location"), offsetof(ngx_http_headers_out_t, location) },
    { ngx_string("Refresh"), offsetof(ngx_http_headers_out_t, refresh) },
    { ngx_string("Last-Modified"),
      offsetof(ngx_http_headers_out_t, last_modified) },
    { ngx_string("Content-Range"),
      offsetof(ngx_http_headers_out_t, content_range) },
    { ngx_string("Accept-Ranges"),
      offsetof(ngx_http_headers_out_t, accept_ranges) },
    { ngx_string("WWW-Authenticate"),
      offsetof(ngx_http_headers_out_t, www_authenticate) },
    { ngx_string("Expires"), offsetof(ngx_http_headers_out_t, expires) },
    { ngx_string("ETag"), offsetof(ngx_http_headers_out_t, etag) },
#if (nginx_version >= 1023000)
    { ngx_string("Cache-Control"),
      offsetof(ngx_http_headers_out_t, cache_control) },
    { ngx_string("Link"), offsetof(ngx_http_headers_out_t, link) },
#endif

    { ngx_null_string, 0 }
};


/* digests of the bytes that were: RFC 1864, RFC 3230, RFC 9530 */

static ngx_str_t  ngx_http_envelope_headers_stale[] = {
    ngx_string("Content-MD5"),
    ngx_string("Digest"),
    ngx_string("Content-Digest"),
    ngx_string("Repr-Digest"),
    ngx_null_string
};


ngx_int_t
ngx_http_envelope_headers_in(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_envelope_header_t **headers, ngx_uint_t *n)
{
    ngx_array_t  array;

    if (ngx_http_envelope_headers_list(&r->headers_in.headers, pool, &array, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    *headers = array.elts;
    *n = array.nelts;

    return NGX_OK;
}


ngx_int_t
ngx_http_envelope_headers_out(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_envelope_header_t **headers, ngx_uint_t *n)
{
    ngx_array_t             array;
    ngx_envelope_header_t  *header;

    if (ngx_http_envelope_headers_list(&r->headers_out.headers, pool, &array,
                                       1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* the only one that a signature may cover and that is not in the list */

    if (r->headers_out.content_type.len) {

        header = ngx_array_push(&array);
        if (header == NULL) {
            return NGX_ERROR;
        }

        ngx_str_set(&header->name, "Content-Type");

        if (ngx_http_envelope_headers_out_content_type(r, pool,
                                                       &header->value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    *headers = array.elts;
    *n = array.nelts;

    return NGX_OK;
}


/* as nginx's header filter writes it */

static ngx_int_t
ngx_http_envelope_headers_out_content_type(ngx_http_request_t *r,
    ngx_pool_t *pool, ngx_str_t *value)
{
    u_char     *p;
    ngx_str_t  *type, *charset;

    type = &r->headers_out.content_type;
    charset = &r->headers_out.charset;

    if (r->headers_out.content_type_len != type->len || charset->len == 0) {
        *value = *type;
        return NGX_OK;
    }

    value->len = type->len + sizeof("; charset=") - 1 + charset->len;

    value->data = ngx_pnalloc(pool, value->len);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(value->data, type->data, type->len);
    p = ngx_cpymem(p, "; charset=", sizeof("; charset=") - 1);
    ngx_memcpy(p, charset->data, charset->len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_headers_list(ngx_list_t *list, ngx_pool_t *pool,
    ngx_array_t *headers, ngx_uint_t out)
{
    ngx_uint_t              i, n;
    ngx_list_part_t        *part;
    ngx_table_elt_t        *h;
    ngx_envelope_header_t  *header;

    /* with one that the caller may add */

    for (n = 1, part = &list->part; part; part = part->next) {
        n += part->nelts;
    }

    if (ngx_array_init(headers, pool, n, sizeof(ngx_envelope_header_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    header = headers->elts;

    for (part = &list->part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            /* of a response nginx sends no fields whose hash is zero */

            if (out && h[i].hash == 0) {
                continue;
            }

            header->name = h[i].key;
            header->value = h[i].value;
            header++;
        }
    }

    headers->nelts = header - (ngx_envelope_header_t *) headers->elts;

    return NGX_OK;
}


ngx_int_t
ngx_http_envelope_headers_edit(ngx_array_t *edits, char *name,
    ngx_str_t *value)
{
    ngx_str_t               key;
    ngx_envelope_header_t  *edit;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    edit = ngx_http_envelope_headers_find(edits, &key);

    if (edit == NULL) {
        edit = ngx_array_push(edits);
        if (edit == NULL) {
            return NGX_ERROR;
        }

        edit->name = key;
    }

    if (value) {
        edit->value = *value;

    } else {
        ngx_str_null(&edit->value);
    }

    return NGX_OK;
}


ngx_envelope_header_t *
ngx_http_envelope_headers_find(ngx_array_t *edits, ngx_str_t *name)
{
    ngx_uint_t              i;
    ngx_envelope_header_t  *edit;

    edit = edits->elts;

    for (i = 0; i < edits->nelts; i++) {
        if (ngx_envelope_header_is(&edit[i].name, name)) {
            return &edit[i];
        }
    }

    return NULL;
}


/* name, lower-case name and value, each with a zero byte behind it */

u_char *
ngx_http_envelope_headers_room(ngx_pool_t *pool, ngx_array_t *edits)
{
    size_t                  len;
    ngx_uint_t              i;
    ngx_envelope_header_t  *edit;

    len = 0;
    edit = edits->elts;

    for (i = 0; i < edits->nelts; i++) {
        if (edit[i].value.data) {
            len += 2 * edit[i].name.len + edit[i].value.len + 3;
        }
    }

    return ngx_envelope_secret_alloc(pool, len);
}


u_char *
ngx_http_envelope_headers_elt(u_char *p, ngx_table_elt_t *h,
    ngx_envelope_header_t *edit, ngx_table_elt_t *old)
{
    h->key.len = edit->name.len;
    h->key.data = p;
    p = ngx_cpymem(p, edit->name.data, edit->name.len);
    *p++ = '\0';

    /* other modules may have put it there, or have emptied it */

    if (old && old->hash && old->lowcase_key) {
        h->lowcase_key = old->lowcase_key;
        h->hash = old->hash;

    } else {
        h->lowcase_key = p;
        h->hash = ngx_hash_strlow(p, edit->name.data, edit->name.len);
        p += edit->name.len;
        *p++ = '\0';
    }

    h->value.len = edit->value.len;
    h->value.data = p;
    p = ngx_cpymem(p, edit->value.data, edit->value.len);
    *p++ = '\0';

#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return p;
}


ngx_int_t
ngx_http_envelope_headers_out_apply(ngx_http_request_t *r, ngx_array_t *edits)
{
    u_char                  *p;
    ngx_uint_t               i;
    ngx_table_elt_t         *h, **ph;
    ngx_envelope_header_t   *edit;

    p = ngx_http_envelope_headers_room(r->pool, edits);
    if (p == NULL) {
        return NGX_ERROR;
    }

    edit = edits->elts;

    for (i = 0; i < edits->nelts; i++) {

        if (edit[i].name.len == sizeof("Content-Type") - 1
            && ngx_strncasecmp(edit[i].name.data, (u_char *) "Content-Type",
                               sizeof("Content-Type") - 1)
               == 0)
        {
            r->headers_out.content_type = edit[i].value;
            r->headers_out.content_type_len = edit[i].value.len;
            r->headers_out.content_type_lowcase = NULL;
            ngx_str_null(&r->headers_out.charset);
            continue;
        }

        ngx_http_envelope_headers_out_remove(r, &edit[i].name);

        if (edit[i].value.data == NULL) {
            continue;
        }

        h = ngx_list_push(&r->headers_out.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        p = ngx_http_envelope_headers_elt(p, h, &edit[i], NULL);
        h->hash = 1;

        ph = ngx_http_envelope_headers_out_known(r, &edit[i].name);

        if (ph) {
            *ph = h;
        }
    }

    return NGX_OK;
}


static void
ngx_http_envelope_headers_out_remove(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_uint_t         i;
    ngx_list_part_t   *part;
    ngx_table_elt_t   *h, **ph;

    ph = ngx_http_envelope_headers_out_known(r, name);

    if (ph) {
        *ph = NULL;
    }

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash && ngx_envelope_header_is(&h[i].key, name)) {
                h[i].hash = 0;
            }
        }
    }
}


static ngx_table_elt_t **
ngx_http_envelope_headers_out_known(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_http_envelope_header_out_t  *known;

    for (known = ngx_http_envelope_headers_out_table; known->name.len; known++)
    {
        if (ngx_envelope_header_is(&known->name, name)) {
            return (ngx_table_elt_t **) ((char *) &r->headers_out
                                         + known->offset);
        }
    }

    return NULL;
}


void
ngx_http_envelope_headers_out_clean(ngx_http_request_t *r)
{
    ngx_str_t  *name;

    ngx_http_clear_content_length(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_etag(r);

    for (name = ngx_http_envelope_headers_stale; name->len; name++) {
        ngx_http_envelope_headers_out_remove(r, name);
    }
}
