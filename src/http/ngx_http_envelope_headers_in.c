
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_headers.h"


/* fields of a request that nginx knows: so many are usual */

#define NGX_HTTP_ENVELOPE_KNOWN  8


/* nginx's own pointers to header fields of a request, while these move */

typedef struct {
    ngx_http_header_t  *header;
    ngx_table_elt_t    *first;   /* where it pointed to; */
#if (nginx_version < 1023000)
    ngx_array_t         array;   /* .. or, of some, an array of pointers */
#endif
} ngx_http_envelope_known_t;


typedef struct {
    ngx_str_t           name;
    ngx_uint_t          group;
} ngx_http_envelope_stale_t;


/* what does not stay as it is: most fields do, and tell by their length */

typedef struct {
    ngx_array_t        *edits;
    ngx_table_elt_t   **replaced;  /* by each of these, or NULL */
    ngx_uint_t          stale;
    uint64_t            lengths;   /* of names, modulo 64, as bits */
} ngx_http_envelope_gone_t;


#define ngx_http_envelope_headers_in_length(name)                             \
    ((uint64_t) 1 << ((name)->len & 63))


static ngx_int_t ngx_http_envelope_headers_in_gone_init(ngx_pool_t *pool,
    ngx_http_envelope_gone_t *gone, ngx_array_t *edits, ngx_uint_t stale);
static ngx_uint_t ngx_http_envelope_headers_in_named(
    ngx_http_envelope_gone_t *gone, ngx_table_elt_t *h);
static ngx_uint_t ngx_http_envelope_headers_in_changed(ngx_http_request_t *r,
    ngx_http_envelope_gone_t *gone);

static ngx_int_t ngx_http_envelope_headers_in_detach(ngx_http_request_t *r,
    ngx_array_t *known);
static ngx_int_t ngx_http_envelope_headers_in_copy(ngx_http_request_t *r,
    ngx_list_part_t *part, ngx_http_envelope_gone_t *gone, ngx_array_t *known);
static ngx_int_t ngx_http_envelope_headers_in_write(ngx_http_request_t *r,
    ngx_http_envelope_gone_t *gone, ngx_array_t *known);
static ngx_http_header_t *ngx_http_envelope_headers_in_known(
    ngx_array_t *known, ngx_table_elt_t *old);
static ngx_int_t ngx_http_envelope_headers_in_attach(ngx_http_request_t *r,
    ngx_table_elt_t *h, ngx_http_header_t *hh);


/* digests: RFC 1864, RFC 3230, RFC 9530 */

static const ngx_http_envelope_stale_t  ngx_http_envelope_stale[] = {
    { ngx_string("Transfer-Encoding"), NGX_HTTP_ENVELOPE_STALE_BODY },
    { ngx_string("Content-Encoding"), NGX_HTTP_ENVELOPE_STALE_BODY },
    { ngx_string("Content-MD5"), NGX_HTTP_ENVELOPE_STALE_BODY },
    { ngx_string("Digest"), NGX_HTTP_ENVELOPE_STALE_BODY },
    { ngx_string("Content-Digest"), NGX_HTTP_ENVELOPE_STALE_BODY },
    { ngx_string("Repr-Digest"), NGX_HTTP_ENVELOPE_STALE_BODY },
    { ngx_string("Content-Length"), NGX_HTTP_ENVELOPE_STALE_CONTENT },
    { ngx_string("Content-Type"), NGX_HTTP_ENVELOPE_STALE_CONTENT },
    { ngx_string("Expect"), NGX_HTTP_ENVELOPE_STALE_EXPECT },
    { ngx_string("Accept-Encoding"), NGX_HTTP_ENVELOPE_STALE_ANSWER },
    { ngx_string("Range"), NGX_HTTP_ENVELOPE_STALE_ANSWER },
    { ngx_string("If-Range"), NGX_HTTP_ENVELOPE_STALE_ANSWER },
    { ngx_null_string, 0 }
};


/*
 * Where nginx points to a field that it knows; NULL if it looks at the field
 * as it arrives and keeps no pointer, as to "Proxy-Connection" since 1.31.
 */

static ngx_inline ngx_table_elt_t **
ngx_http_envelope_headers_in_pointer(ngx_http_request_t *r,
    ngx_http_header_t *hh)
{
    if (hh->offset == 0) {
        return NULL;
    }

    return (ngx_table_elt_t **) ((char *) &r->headers_in + hh->offset);
}


#if (nginx_version < 1023000)

/* the array of what a parent's request may have as well */

static ngx_inline ngx_uint_t
ngx_http_envelope_headers_in_is_array(ngx_http_request_t *r, void *ph)
{
#if (NGX_HTTP_X_FORWARDED_FOR)
    if (ph == &r->headers_in.x_forwarded_for) {
        return 1;
    }
#endif

    return ph == &r->headers_in.cookies;
}

#endif


/* the length tells of most that they stay */

static ngx_inline ngx_uint_t
ngx_http_envelope_headers_in_gone(ngx_http_envelope_gone_t *gone,
    ngx_table_elt_t *h)
{
    return (gone->lengths & ngx_http_envelope_headers_in_length(&h->key))
           && ngx_http_envelope_headers_in_named(gone, h);
}


ngx_int_t
ngx_http_envelope_headers_in_apply(ngx_http_request_t *r, ngx_array_t *edits,
    ngx_uint_t stale)
{
    ngx_uint_t                 n;
    ngx_array_t                known;
    ngx_list_part_t            part, *next;
    ngx_http_envelope_gone_t   gone;
#if (NGX_HTTP_GZIP || NGX_HTTP_HEADERS)
    ngx_table_elt_t           *accept_encoding;

    accept_encoding = r->headers_in.accept_encoding;
#endif

    if (ngx_http_envelope_headers_in_gone_init(r->pool, &gone, edits, stale)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ngx_http_envelope_headers_in_changed(r, &gone)) {
        return NGX_OK;
    }

    part = r->headers_in.headers.part;

    /* what a request's pool has left is not much */

    for (n = edits->nelts + 1, next = &part; next; next = next->next) {
        n += next->nelts;
    }

    if (ngx_list_init(&r->headers_in.headers, r->pool, n,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        /* error pages and logs look at what there was */

        r->headers_in.headers.part = part;
        return NGX_ERROR;
    }

    if (ngx_http_envelope_headers_in_detach(r, &known) != NGX_OK
        || ngx_http_envelope_headers_in_copy(r, &part, &gone, &known) != NGX_OK
        || ngx_http_envelope_headers_in_write(r, &gone, &known) != NGX_OK)
    {
        return NGX_ERROR;
    }

#if (NGX_HTTP_GZIP || NGX_HTTP_HEADERS)
    if (r->headers_in.accept_encoding == NULL) {
        r->headers_in.accept_encoding = accept_encoding;
    }
#endif

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_headers_in_gone_init(ngx_pool_t *pool,
    ngx_http_envelope_gone_t *gone, ngx_array_t *edits, ngx_uint_t stale)
{
    ngx_uint_t                        i;
    ngx_envelope_header_t            *edit;
    const ngx_http_envelope_stale_t  *st;

    gone->edits = edits;
    gone->stale = stale;
    gone->lengths = 0;

    gone->replaced = ngx_pcalloc(pool,
                                 edits->nelts * sizeof(ngx_table_elt_t *));
    if (gone->replaced == NULL) {
        return NGX_ERROR;
    }

    edit = edits->elts;

    for (i = 0; i < edits->nelts; i++) {
        gone->lengths |= ngx_http_envelope_headers_in_length(&edit[i].name);
    }

    for (st = ngx_http_envelope_stale; st->name.len; st++) {
        if (st->group & stale) {
            gone->lengths |= ngx_http_envelope_headers_in_length(&st->name);
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_envelope_headers_in_named(ngx_http_envelope_gone_t *gone,
    ngx_table_elt_t *h)
{
    ngx_envelope_header_t            *edit, *first;
    const ngx_http_envelope_stale_t  *st;

    edit = ngx_http_envelope_headers_find(gone->edits, &h->key);

    if (edit) {
        first = gone->edits->elts;
        gone->replaced[edit - first] = h;
        return 1;
    }

    for (st = ngx_http_envelope_stale; st->name.len; st++) {
        if ((st->group & gone->stale)
            && ngx_envelope_header_is(&st->name, &h->key))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_envelope_headers_in_changed(ngx_http_request_t *r,
    ngx_http_envelope_gone_t *gone)
{
    ngx_uint_t              i;
    ngx_list_part_t        *part;
    ngx_table_elt_t        *h;
    ngx_envelope_header_t  *edit;

    edit = gone->edits->elts;

    for (i = 0; i < gone->edits->nelts; i++) {
        if (edit[i].value.data) {
            return 1;
        }
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_envelope_headers_in_gone(gone, &h[i])) {
                return 1;
            }
        }
    }

    return 0;
}


/* notes which known fields there are, and forgets where */

static ngx_int_t
ngx_http_envelope_headers_in_detach(ngx_http_request_t *r,
    ngx_array_t *known)
{
    ngx_table_elt_t           **ph;
    ngx_http_header_t          *hh;
    ngx_http_envelope_known_t  *kn;

    if (ngx_array_init(known, r->pool, NGX_HTTP_ENVELOPE_KNOWN,
                       sizeof(ngx_http_envelope_known_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (hh = ngx_http_headers_in; hh->name.len; hh++) {
        ph = ngx_http_envelope_headers_in_pointer(r, hh);

        if (ph == NULL || *ph == NULL) {
            continue;
        }

        kn = ngx_array_push(known);
        if (kn == NULL) {
            return NGX_ERROR;
        }

        kn->header = hh;

#if (nginx_version < 1023000)

        ngx_memzero(&kn->array, sizeof(ngx_array_t));

        if (ngx_http_envelope_headers_in_is_array(r, ph)) {
            kn->first = NULL;
            kn->array = *(ngx_array_t *) ph;
            ngx_memzero(ph, sizeof(ngx_array_t));
            continue;
        }

#endif

        kn->first = *ph;
        *ph = NULL;
    }

#if (nginx_version >= 1023000)
    r->headers_in.multi = 0;
    r->headers_in.multi_linked = 0;
#endif

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_headers_in_copy(ngx_http_request_t *r,
    ngx_list_part_t *part, ngx_http_envelope_gone_t *gone, ngx_array_t *known)
{
    ngx_uint_t          i;
    ngx_table_elt_t    *h, *old;
    ngx_http_header_t  *hh;

    for ( /* void */ ; part; part = part->next) {
        old = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_envelope_headers_in_gone(gone, &old[i])) {
                continue;
            }

            h = ngx_list_push(&r->headers_in.headers);
            if (h == NULL) {
                return NGX_ERROR;
            }

            *h = old[i];

#if (nginx_version >= 1023000)
            h->next = NULL;
#endif

            /* one that the request had no pointer to gets none */

            hh = ngx_http_envelope_headers_in_known(known, &old[i]);

            if (hh && ngx_http_envelope_headers_in_attach(r, h, hh) != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_headers_in_write(ngx_http_request_t *r,
    ngx_http_envelope_gone_t *gone, ngx_array_t *known)
{
    u_char                     *p;
    ngx_uint_t                  i;
    ngx_array_t                *edits;
    ngx_table_elt_t            *h, *old;
    ngx_http_header_t          *hh;
    ngx_envelope_header_t      *edit;
    ngx_http_core_main_conf_t  *cmcf;

    edits = gone->edits;

    p = ngx_http_envelope_headers_room(r->pool, edits);
    if (p == NULL) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    edit = edits->elts;

    for (i = 0; i < edits->nelts; i++) {

        if (edit[i].value.data == NULL) {
            continue;
        }

        h = ngx_list_push(&r->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        old = gone->replaced[i];

        p = ngx_http_envelope_headers_elt(p, h, &edit[i], old);

        hh = old ? ngx_http_envelope_headers_in_known(known, old) : NULL;

        if (hh == NULL) {
            hh = ngx_hash_find(&cmcf->headers_in_hash, h->hash,
                               h->lowcase_key, h->key.len);
        }

        if (hh && ngx_http_envelope_headers_in_attach(r, h, hh) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_http_header_t *
ngx_http_envelope_headers_in_known(ngx_array_t *known, ngx_table_elt_t *old)
{
    ngx_uint_t                  i;
#if (nginx_version < 1023000)
    ngx_uint_t                  j;
    ngx_table_elt_t           **elt;
#else
    ngx_table_elt_t            *elt;
#endif
    ngx_http_envelope_known_t  *kn;

    kn = known->elts;

    for (i = 0; i < known->nelts; i++) {

#if (nginx_version < 1023000)

        if (kn[i].first == old) {
            return kn[i].header;
        }

        elt = kn[i].array.elts;

        for (j = 0; j < kn[i].array.nelts; j++) {
            if (elt[j] == old) {
                return kn[i].header;
            }
        }

#else

        for (elt = kn[i].first; elt; elt = elt->next) {
            if (elt == old) {
                return kn[i].header;
            }
        }

#endif
    }

    return NULL;
}


static ngx_int_t
ngx_http_envelope_headers_in_attach(ngx_http_request_t *r,
    ngx_table_elt_t *h, ngx_http_header_t *hh)
{
    ngx_table_elt_t  **ph;
#if (nginx_version < 1023000)
    ngx_array_t       *array;
#endif

    ph = ngx_http_envelope_headers_in_pointer(r, hh);

    if (ph == NULL) {
        return NGX_OK;
    }

#if (nginx_version < 1023000)

    if (ngx_http_envelope_headers_in_is_array(r, ph)) {
        array = (ngx_array_t *) ph;

        if (array->elts == NULL
            && ngx_array_init(array, r->pool, 1, sizeof(ngx_table_elt_t *))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        ph = ngx_array_push(array);
        if (ph == NULL) {
            return NGX_ERROR;
        }

        *ph = h;

    } else if (*ph == NULL) {
        *ph = h;
    }

#else

    while (*ph) {
        ph = &(*ph)->next;
    }

    *ph = h;

#endif

    return NGX_OK;
}
