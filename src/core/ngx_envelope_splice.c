
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_splice.h"
#include "ngx_envelope_secret.h"


/* a node with "from" == NULL is the first field of this */

typedef struct {
    ngx_envelope_node_t              node;
    const ngx_envelope_json_name_t  *name;
} ngx_envelope_splice_added_t;


static void ngx_envelope_splice_changed(ngx_envelope_node_t *node);
static u_char *ngx_envelope_splice_empty(ngx_str_t *text);
static const ngx_str_t *ngx_envelope_splice_quoted(
    const ngx_envelope_node_t *added);
static size_t ngx_envelope_splice_size(const ngx_envelope_node_t *node);
static u_char *ngx_envelope_splice_node(u_char *p, ngx_envelope_node_t *node);
static u_char *ngx_envelope_splice_kept(u_char *p,
    const ngx_envelope_node_t *node, ngx_uint_t *comma);
static u_char *ngx_envelope_splice_added(u_char *p,
    const ngx_envelope_node_t *node, ngx_uint_t comma);
static u_char *ngx_envelope_splice_start(const ngx_envelope_node_t *node);


void
ngx_envelope_json_replace(ngx_envelope_node_t *node, ngx_str_t *text,
    ngx_envelope_json_type_e type, ngx_envelope_node_t *sub)
{
    ngx_envelope_node_t  *child;

    node->text = *text;
    node->type = type;
    ngx_str_null(&node->string);
    node->child = NULL;
    node->last = NULL;
    node->changed = 0;
    node->scanned = (type == NGX_ENVELOPE_JSON_OBJECT
                     && ngx_envelope_splice_empty(text) != NULL);

    if (sub) {
        node->child = sub->child;
        node->last = sub->last;
        node->changed = sub->changed;
        node->scanned = sub->scanned;

        for (child = node->child; child; child = child->next) {
            child->parent = node;
        }
    }

    ngx_envelope_splice_changed(node);
}


ngx_int_t
ngx_envelope_json_name(ngx_pool_t *pool, ngx_str_t *text,
    ngx_envelope_json_name_t *name, ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;

    rc = ngx_envelope_json_encode(pool, text, &name->quoted, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    name->text.len = text->len;

    if (name->quoted.len == text->len + 2) {

        /* nothing is escaped: it is what stands between the quotes */

        name->text.data = name->quoted.data + 1;
        return NGX_OK;
    }

    name->text.data = ngx_pstrdup(pool, text);

    return name->text.data ? NGX_OK : NGX_ERROR;
}


ngx_envelope_node_t *
ngx_envelope_json_add(ngx_pool_t *pool, ngx_envelope_node_t *object,
    const ngx_envelope_json_name_t *name)
{
    ngx_envelope_node_t          *node;
    ngx_envelope_splice_added_t  *added;

    /* without nodes for its members nobody knows where they end */

    if (object->type != NGX_ENVELOPE_JSON_OBJECT || !object->scanned) {
        return NULL;
    }

    added = ngx_pcalloc(pool, sizeof(ngx_envelope_splice_added_t));
    if (added == NULL) {
        return NULL;
    }

    added->name = name;

    node = &added->node;

    node->name = name->text;
    ngx_str_set(&node->text, "null");
    node->type = NGX_ENVELOPE_JSON_NULL;
    node->parent = object;

    if (object->last) {
        object->last->next = node;

    } else {
        object->child = node;
    }

    object->last = node;

    ngx_envelope_splice_changed(node);

    return node;
}


void
ngx_envelope_json_remove(ngx_envelope_node_t *member)
{
    if (member->parent == NULL
        || member->parent->type != NGX_ENVELOPE_JSON_OBJECT)
    {
        return;
    }

    member->removed = 1;

    ngx_envelope_splice_changed(member);
}


static void
ngx_envelope_splice_changed(ngx_envelope_node_t *node)
{
    for (node = node->parent; node; node = node->parent) {
        node->changed = 1;
    }
}


/* where the members of an object without any would begin, else NULL */

static u_char *
ngx_envelope_splice_empty(ngx_str_t *text)
{
    u_char      *p, *last, *inside;
    ngx_uint_t   i;

    static const u_char  braces[] = "{}";

    p = text->data;
    last = p + text->len;
    inside = NULL;

    for (i = 0; i < 2; i++) {

        while (p < last
               && (*p == ' ' || *p == '\t' || *p == CR || *p == LF))
        {
            p++;
        }

        if (p == last || *p != braces[i]) {
            return NULL;
        }

        p++;

        if (i == 0) {
            inside = p;
        }
    }

    return inside;
}


ngx_int_t
ngx_envelope_json_text(ngx_pool_t *pool, ngx_envelope_node_t *node,
    ngx_str_t *text)
{
    u_char  *p;

    if (!node->changed || node->child == NULL) {
        *text = node->text;
        return NGX_OK;
    }

    p = ngx_envelope_secret_alloc(pool, ngx_envelope_splice_size(node));
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;
    text->len = ngx_envelope_splice_node(p, node) - p;

    return NGX_OK;
}


static const ngx_str_t *
ngx_envelope_splice_quoted(const ngx_envelope_node_t *added)
{
    return &((const ngx_envelope_splice_added_t *) added)->name->quoted;
}


/*
 * The most bytes that it can take: what is removed is still counted.  The
 * recursion is as deep as the tree, here and below.
 */

static size_t
ngx_envelope_splice_size(const ngx_envelope_node_t *node)
{
    size_t                size;
    ngx_envelope_node_t  *child;

    size = node->text.len;

    if (!node->changed) {
        return size;
    }

    for (child = node->child; child; child = child->next) {

        if (child->removed) {
            continue;
        }

        size += ngx_envelope_splice_size(child);

        if (child->from) {
            size -= child->to - child->from;

        } else {
            size += sizeof(",:") - 1 + ngx_envelope_splice_quoted(child)->len;
        }
    }

    return size;
}


/*
 * The original children come first in the list, in their order, the added
 * ones follow.
 */

static u_char *
ngx_envelope_splice_node(u_char *p, ngx_envelope_node_t *node)
{
    u_char               *start, *end, *lead, *tail;
    ngx_uint_t            comma;
    ngx_envelope_node_t  *child;

    start = node->text.data;
    end = start + node->text.len;

    if (!node->changed || node->child == NULL) {
        return ngx_cpymem(p, start, end - start);
    }

    if (node->child->from) {
        lead = ngx_envelope_splice_start(node->child);
        tail = lead;

        for (child = node->child; child && child->from; child = child->next) {
            tail = child->to;
        }

    } else {
        lead = ngx_envelope_splice_empty(&node->text);
        tail = lead;
    }

    p = ngx_cpymem(p, start, lead - start);
    p = ngx_envelope_splice_kept(p, node, &comma);
    p = ngx_envelope_splice_added(p, node, comma);

    return ngx_cpymem(p, tail, end - tail);
}


static u_char *
ngx_envelope_splice_kept(u_char *p, const ngx_envelope_node_t *node,
    ngx_uint_t *comma)
{
    u_char               *from, *to;
    ngx_envelope_node_t  *child, *prev;

    prev = NULL;

    for (child = node->child; child && child->from; child = child->next) {

        if (child->removed) {
            continue;
        }

        /* what is between two stood behind the first, with its comma */

        if (prev) {
            from = prev->to;
            to = ngx_envelope_splice_start(prev->next);
            p = ngx_cpymem(p, from, to - from);
        }

        from = ngx_envelope_splice_start(child);
        p = ngx_cpymem(p, from, child->from - from);
        p = ngx_envelope_splice_node(p, child);

        prev = child;
    }

    *comma = (prev != NULL);

    return p;
}


static u_char *
ngx_envelope_splice_added(u_char *p, const ngx_envelope_node_t *node,
    ngx_uint_t comma)
{
    const ngx_str_t      *quoted;
    ngx_envelope_node_t  *child;

    for (child = node->child; child; child = child->next) {

        if (child->from || child->removed) {
            continue;
        }

        if (comma) {
            *p++ = ',';
        }

        quoted = ngx_envelope_splice_quoted(child);

        p = ngx_cpymem(p, quoted->data, quoted->len);
        *p++ = ':';
        p = ngx_envelope_splice_node(p, child);

        comma = 1;
    }

    return p;
}


static u_char *
ngx_envelope_splice_start(const ngx_envelope_node_t *node)
{
    return node->name_from ? node->name_from : node->from;
}
