
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_headers.h"


/* nginx 1.31 knows 32 header fields of a request */

#define NGX_HTTP_ENVELOPE_KNOWN   128

/* so many fields, and edits of them, are usual: more take memory */

#define NGX_HTTP_ENVELOPE_FIELDS  32
#define NGX_HTTP_ENVELOPE_EDITS   8


typedef struct {
    ngx_str_t           name;
    ngx_uint_t          group;
} ngx_http_envelope_stale_t;


/* what was there of a name that an edit has */

typedef struct {
    ngx_table_elt_t    *old;       /* the first field, or NULL */
    ngx_table_elt_t   **known;     /* nginx's own pointer to it, or NULL */
} ngx_http_envelope_edited_t;


/* what does not stay as it is: most fields do, and tell by their length */

typedef struct {
    ngx_array_t                 *edits;
    ngx_http_envelope_edited_t  *edited;  /* of each */
    ngx_uint_t                   written; /* edits that write a field */
    ngx_uint_t                   stale;
    uint64_t                     lengths; /* of names, modulo 64, as bits */
} ngx_http_envelope_gone_t;


/* where the fields of the old list are in the new one, NULL: nowhere */

typedef struct {
    ngx_list_part_t             *part;
    ngx_table_elt_t            **to;      /* in the order of the list */
    ngx_uint_t                   n;
    ngx_uint_t                   kept;    /* of them */
} ngx_http_envelope_moved_t;


#define ngx_http_envelope_headers_in_length(name)                             \
    ((uint64_t) 1 << ((name)->len & 63))


static ngx_int_t ngx_http_envelope_headers_in_gone_init(ngx_pool_t *pool,
    ngx_http_envelope_gone_t *gone, ngx_array_t *edits, ngx_uint_t stale);
static ngx_uint_t ngx_http_envelope_headers_in_named(
    ngx_http_envelope_gone_t *gone, ngx_table_elt_t *h);

static void ngx_http_envelope_headers_in_keep(
    ngx_http_envelope_moved_t *moved, ngx_http_envelope_gone_t *gone);
static ngx_int_t ngx_http_envelope_headers_in_copy(ngx_http_request_t *r,
    ngx_http_envelope_moved_t *moved, ngx_http_envelope_gone_t *gone);
static ngx_int_t ngx_http_envelope_headers_in_relink(ngx_http_request_t *r,
    ngx_http_envelope_moved_t *moved, ngx_http_envelope_gone_t *gone);
static ngx_table_elt_t *ngx_http_envelope_headers_in_moved(
    ngx_http_envelope_moved_t *moved, ngx_table_elt_t *old);
static ngx_int_t ngx_http_envelope_headers_in_write(ngx_http_request_t *r,
    ngx_http_envelope_gone_t *gone);
static ngx_int_t ngx_http_envelope_headers_in_attach(ngx_http_request_t *r,
    ngx_table_elt_t *h, ngx_table_elt_t **ph);
#if (nginx_version < 1023000)
static ngx_int_t ngx_http_envelope_headers_in_relink_array(
    ngx_http_request_t *r, ngx_array_t *array,
    ngx_http_envelope_moved_t *moved);
static ngx_int_t ngx_http_envelope_headers_in_push(ngx_http_request_t *r,
    ngx_array_t *array, ngx_table_elt_t *h);
#endif


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
 * Where in r->headers_in nginx's pointers to fields are, a zero behind them:
 * its own table is sixteen times as large, and each message would read it.
 */

static uint16_t  ngx_http_envelope_headers_in_known[NGX_HTTP_ENVELOPE_KNOWN];

/* lengths of the names that are stale, by what is */

static uint64_t
          ngx_http_envelope_headers_in_stale[NGX_HTTP_ENVELOPE_STALE_ALL + 1];


#define ngx_http_envelope_headers_in_pointer(r, offset)                       \
    (ngx_table_elt_t **) ((char *) &(r)->headers_in + (offset))


#if (nginx_version < 1023000)

/* some that may stand there more than once have an array of pointers */

static ngx_inline ngx_uint_t
ngx_http_envelope_headers_in_is_array(size_t offset)
{
#if (NGX_HTTP_X_FORWARDED_FOR)
    if (offset == offsetof(ngx_http_headers_in_t, x_forwarded_for)) {
        return 1;
    }
#endif

    return offset == offsetof(ngx_http_headers_in_t, cookies);
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
ngx_http_envelope_headers_in_init(ngx_conf_t *cf)
{
    ngx_uint_t                        n, stale;
    ngx_http_header_t                *hh;
    const ngx_http_envelope_stale_t  *st;

    for (n = 0, hh = ngx_http_headers_in; hh->name.len; hh++) {

        /* nginx looks at "Proxy-Connection" as it arrives, since 1.31 */

        if (hh->offset == 0) {
            continue;
        }

#if (nginx_version < 1023000)
        if (ngx_http_envelope_headers_in_is_array(hh->offset)) {
            continue;
        }
#endif

        if (n == NGX_HTTP_ENVELOPE_KNOWN - 1) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "envelope: this nginx "
                          "knows more than %d request header fields",
                          NGX_HTTP_ENVELOPE_KNOWN - 1);
            return NGX_ERROR;
        }

        ngx_http_envelope_headers_in_known[n++] = (uint16_t) hh->offset;
    }

    for (stale = 0; stale <= NGX_HTTP_ENVELOPE_STALE_ALL; stale++) {
        for (st = ngx_http_envelope_stale; st->name.len; st++) {
            if (st->group & stale) {
                ngx_http_envelope_headers_in_stale[stale] |=
                               ngx_http_envelope_headers_in_length(&st->name);
            }
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_envelope_headers_in_apply(ngx_http_request_t *r, ngx_array_t *edits,
    ngx_uint_t stale)
{
    ngx_list_part_t             part, *next;
    ngx_table_elt_t            *to[NGX_HTTP_ENVELOPE_FIELDS];
    ngx_http_envelope_gone_t    gone;
    ngx_http_envelope_moved_t   moved;
    ngx_http_envelope_edited_t  edited[NGX_HTTP_ENVELOPE_EDITS];
#if (NGX_HTTP_GZIP || NGX_HTTP_HEADERS)
    ngx_table_elt_t            *accept_encoding;

    accept_encoding = r->headers_in.accept_encoding;
#endif

    gone.edited = edited;

    if (ngx_http_envelope_headers_in_gone_init(r->pool, &gone, edits, stale)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    part = r->headers_in.headers.part;

    moved.part = &part;
    moved.to = to;
    moved.n = 0;
    moved.kept = 0;

    for (next = &part; next; next = next->next) {
        moved.n += next->nelts;
    }

    if (moved.n > NGX_HTTP_ENVELOPE_FIELDS) {
        moved.to = ngx_palloc(r->pool, moved.n * sizeof(ngx_table_elt_t *));
        if (moved.to == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_http_envelope_headers_in_keep(&moved, &gone);

    if (gone.written == 0 && moved.kept == moved.n) {
        return NGX_OK;
    }

    if (ngx_http_envelope_headers_in_copy(r, &moved, &gone) != NGX_OK
        || ngx_http_envelope_headers_in_relink(r, &moved, &gone) != NGX_OK
        || ngx_http_envelope_headers_in_write(r, &gone) != NGX_OK)
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
    ngx_uint_t              i;
    ngx_envelope_header_t  *edit;

    gone->edits = edits;
    gone->written = 0;
    gone->stale = stale;
    gone->lengths = ngx_http_envelope_headers_in_stale[stale];

    if (edits->nelts > NGX_HTTP_ENVELOPE_EDITS) {
        gone->edited = ngx_palloc(pool,
                          edits->nelts * sizeof(ngx_http_envelope_edited_t));
        if (gone->edited == NULL) {
            return NGX_ERROR;
        }
    }

    edit = edits->elts;

    for (i = 0; i < edits->nelts; i++) {
        gone->lengths |= ngx_http_envelope_headers_in_length(&edit[i].name);
        gone->edited[i].old = NULL;
        gone->edited[i].known = NULL;

        if (edit[i].value.data) {
            gone->written++;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_envelope_headers_in_named(ngx_http_envelope_gone_t *gone,
    ngx_table_elt_t *h)
{
    ngx_envelope_header_t            *edit, *first;
    ngx_http_envelope_edited_t       *edited;
    const ngx_http_envelope_stale_t  *st;

    edit = ngx_http_envelope_headers_find(gone->edits, &h->key);

    if (edit) {
        first = gone->edits->elts;
        edited = &gone->edited[edit - first];

        if (edited->old == NULL) {
            edited->old = h;
        }

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


/* which fields stay, first where they are */

static void
ngx_http_envelope_headers_in_keep(ngx_http_envelope_moved_t *moved,
    ngx_http_envelope_gone_t *gone)
{
    ngx_uint_t         i;
    ngx_list_part_t   *part;
    ngx_table_elt_t   *h, **to;

    to = moved->to;

    for (part = moved->part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_envelope_headers_in_gone(gone, &h[i])) {
                *to++ = NULL;

            } else {
                *to++ = &h[i];
                moved->kept++;
            }
        }
    }
}


static ngx_int_t
ngx_http_envelope_headers_in_copy(ngx_http_request_t *r,
    ngx_http_envelope_moved_t *moved, ngx_http_envelope_gone_t *gone)
{
    ngx_uint_t        i;
    ngx_list_t       *list;
    ngx_table_elt_t  *h, **to;

    list = &r->headers_in.headers;

    /* what a request's pool has left is not much; one is for other modules */

    if (ngx_list_init(list, r->pool, moved->kept + gone->written + 1,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        /* error pages and logs look at what there was */

        list->part = *moved->part;
        return NGX_ERROR;
    }

    h = list->part.elts;
    to = moved->to;

    for (i = 0; i < moved->n; i++) {

        if (to[i] == NULL) {
            continue;
        }

        *h = *to[i];

#if (nginx_version >= 1023000)
        h->next = NULL;
#endif

        to[i] = h++;
    }

    list->part.nelts = moved->kept;

    return NGX_OK;
}


/*
 * Other modules write to known fields by nginx's pointers, so these have to
 * lead to what is in the list.
 */

static ngx_int_t
ngx_http_envelope_headers_in_relink(ngx_http_request_t *r,
    ngx_http_envelope_moved_t *moved, ngx_http_envelope_gone_t *gone)
{
    uint16_t         *offset;
    ngx_uint_t        i;
    ngx_table_elt_t  *old, **ph;
#if (nginx_version >= 1023000)
    ngx_table_elt_t  *elt, *h, **last;
#endif

    for (offset = ngx_http_envelope_headers_in_known; *offset; offset++) {
        ph = ngx_http_envelope_headers_in_pointer(r, *offset);

        if (*ph == NULL) {
            continue;
        }

        old = *ph;

#if (nginx_version >= 1023000)

        *ph = NULL;
        last = ph;

        for (elt = old; elt; elt = elt->next) {
            h = ngx_http_envelope_headers_in_moved(moved, elt);

            if (h) {
                *last = h;
                last = &h->next;
            }
        }

#else

        *ph = ngx_http_envelope_headers_in_moved(moved, old);

#endif

        if (*ph) {
            continue;
        }

        for (i = 0; i < gone->edits->nelts; i++) {
            if (gone->edited[i].old == old) {
                gone->edited[i].known = ph;
            }
        }
    }

#if (nginx_version >= 1023000)

    r->headers_in.multi = 0;
    r->headers_in.multi_linked = 0;

    return NGX_OK;

#else

#if (NGX_HTTP_X_FORWARDED_FOR)
    if (ngx_http_envelope_headers_in_relink_array(r,
                                       &r->headers_in.x_forwarded_for, moved)
        != NGX_OK)
    {
        return NGX_ERROR;
    }
#endif

    return ngx_http_envelope_headers_in_relink_array(r,
                                                &r->headers_in.cookies, moved);
#endif
}


#if (nginx_version < 1023000)

/* a parent's request may have the same array, which stays as it is */

static ngx_int_t
ngx_http_envelope_headers_in_relink_array(ngx_http_request_t *r,
    ngx_array_t *array, ngx_http_envelope_moved_t *moved)
{
    ngx_uint_t         i;
    ngx_array_t        old;
    ngx_table_elt_t   *h, **elt;

    old = *array;
    elt = old.elts;

    ngx_memzero(array, sizeof(ngx_array_t));

    for (i = 0; i < old.nelts; i++) {
        h = ngx_http_envelope_headers_in_moved(moved, elt[i]);

        if (h && ngx_http_envelope_headers_in_push(r, array, h) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_headers_in_push(ngx_http_request_t *r, ngx_array_t *array,
    ngx_table_elt_t *h)
{
    ngx_table_elt_t  **elt;

    if (array->elts == NULL
        && ngx_array_init(array, r->pool, 1, sizeof(ngx_table_elt_t *))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    elt = ngx_array_push(array);
    if (elt == NULL) {
        return NGX_ERROR;
    }

    *elt = h;

    return NGX_OK;
}

#endif


static ngx_table_elt_t *
ngx_http_envelope_headers_in_moved(ngx_http_envelope_moved_t *moved,
    ngx_table_elt_t *old)
{
    uintptr_t          p, first;
    ngx_list_part_t   *part;
    ngx_table_elt_t  **to;

    p = (uintptr_t) old;
    to = moved->to;

    for (part = moved->part; part; part = part->next) {
        first = (uintptr_t) part->elts;

        if (p >= first && p - first < part->nelts * sizeof(ngx_table_elt_t)) {
            return to[(p - first) / sizeof(ngx_table_elt_t)];
        }

        to += part->nelts;
    }

    /* it was in no list */

    return NULL;
}


static ngx_int_t
ngx_http_envelope_headers_in_write(ngx_http_request_t *r,
    ngx_http_envelope_gone_t *gone)
{
    u_char                      *p;
    ngx_uint_t                   i;
    ngx_table_elt_t             *h, **ph;
    ngx_http_header_t           *hh;
    ngx_envelope_header_t       *edit;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_envelope_edited_t  *edited;

    p = NULL;
    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    edit = gone->edits->elts;
    edited = gone->edited;

    for (i = 0; i < gone->edits->nelts; i++) {

        if (edit[i].value.data == NULL) {
            continue;
        }

        if (p == NULL) {
            p = ngx_http_envelope_headers_room(r->pool, gone->edits);
            if (p == NULL) {
                return NGX_ERROR;
            }
        }

        h = ngx_list_push(&r->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        p = ngx_http_envelope_headers_elt(p, h, &edit[i], edited[i].old);

        ph = edited[i].known;

        if (ph == NULL) {
            hh = ngx_hash_find(&cmcf->headers_in_hash, h->hash,
                               h->lowcase_key, h->key.len);

            if (hh == NULL || hh->offset == 0) {
                continue;
            }

            ph = ngx_http_envelope_headers_in_pointer(r, hh->offset);
        }

        if (ngx_http_envelope_headers_in_attach(r, h, ph) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_headers_in_attach(ngx_http_request_t *r,
    ngx_table_elt_t *h, ngx_table_elt_t **ph)
{
#if (nginx_version < 1023000)

    size_t  offset;

    offset = (char *) ph - (char *) &r->headers_in;

    if (ngx_http_envelope_headers_in_is_array(offset)) {
        return ngx_http_envelope_headers_in_push(r, (ngx_array_t *) ph, h);
    }

#endif

    /* no other of that name is left */

    *ph = h;

    return NGX_OK;
}
