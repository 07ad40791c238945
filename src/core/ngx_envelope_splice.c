
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_splice.h"
#include "ngx_envelope_json_plain.h"
#include "ngx_envelope_secret.h"


/* a node with "from" == NULL is the first field of this */

typedef struct {
    ngx_envelope_node_t   node;
    ngx_str_t             quoted;  /* the name as it is written */
} ngx_envelope_splice_added_t;


/* bytes are counted first and written, in the same order, afterwards */

typedef struct {
    u_char               *p;       /* NULL while counting */
    size_t                len;
} ngx_envelope_splice_out_t;


static ngx_int_t ngx_envelope_splice_name(ngx_pool_t *pool,
    ngx_envelope_splice_added_t *added, ngx_str_t *name);
static void ngx_envelope_splice_changed(ngx_envelope_node_t *node);
static u_char *ngx_envelope_splice_empty(ngx_str_t *text);
static void ngx_envelope_splice_node(ngx_envelope_splice_out_t *out,
    ngx_envelope_node_t *node);
static ngx_uint_t ngx_envelope_splice_kept(ngx_envelope_splice_out_t *out,
    ngx_envelope_node_t *node);
static void ngx_envelope_splice_added(ngx_envelope_splice_out_t *out,
    ngx_envelope_node_t *node, ngx_uint_t comma);
static u_char *ngx_envelope_splice_start(ngx_envelope_node_t *node);
static void ngx_envelope_splice_put(ngx_envelope_splice_out_t *out,
    u_char *from, u_char *to);


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


ngx_envelope_node_t *
ngx_envelope_json_add(ngx_pool_t *pool, ngx_envelope_node_t *object,
    ngx_str_t *name, ngx_str_t *text, ngx_envelope_json_type_e type)
{
    ngx_envelope_node_t          *node;
    ngx_envelope_splice_added_t  *added;

    /* without nodes for its members nobody knows where they end */

    if (object->type != NGX_ENVELOPE_JSON_OBJECT || !object->scanned) {
        return NULL;
    }

    added = ngx_pcalloc(pool, sizeof(ngx_envelope_splice_added_t));
    if (added == NULL || ngx_envelope_splice_name(pool, added, name) != NGX_OK)
    {
        return NULL;
    }

    node = &added->node;

    node->text = *text;
    node->type = type;
    node->parent = object;
    node->scanned = (type == NGX_ENVELOPE_JSON_OBJECT
                     && ngx_envelope_splice_empty(text) != NULL);

    if (object->last) {
        object->last->next = node;

    } else {
        object->child = node;
    }

    object->last = node;

    ngx_envelope_splice_changed(node);

    return node;
}


/* a name without escapes is what stands between its quotes */

static ngx_int_t
ngx_envelope_splice_name(ngx_pool_t *pool, ngx_envelope_splice_added_t *added,
    ngx_str_t *name)
{
    u_char                 *p, *last;
    ngx_envelope_reason_t   reason;

    p = ngx_pnalloc(pool, name->len + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    added->node.name.data = p + 1;
    added->node.name.len = name->len;

    *p = '"';
    last = p + 1;

    if (name->len) {
        last = ngx_cpymem(last, name->data, name->len);
    }

    if (ngx_envelope_json_plain(p + 1, last) == last) {
        *last = '"';

        added->quoted.data = p;
        added->quoted.len = name->len + 2;

        return NGX_OK;
    }

    return ngx_envelope_json_encode(pool, name, &added->quoted, &reason);
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
    ngx_envelope_splice_out_t  out;

    if (!node->changed || node->child == NULL) {
        *text = node->text;
        return NGX_OK;
    }

    out.p = NULL;
    out.len = 0;

    ngx_envelope_splice_node(&out, node);

    text->len = out.len;
    text->data = ngx_envelope_secret_alloc(pool, out.len);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    out.p = text->data;
    out.len = 0;

    ngx_envelope_splice_node(&out, node);

    return NGX_OK;
}


/*
 * The original children come first in the list, in their order, the added
 * ones follow.  The recursion is as deep as the tree.
 */

static void
ngx_envelope_splice_node(ngx_envelope_splice_out_t *out,
    ngx_envelope_node_t *node)
{
    u_char               *start, *end, *lead, *tail;
    ngx_uint_t            kept;
    ngx_envelope_node_t  *child;

    start = node->text.data;
    end = start + node->text.len;

    if (!node->changed || node->child == NULL) {
        ngx_envelope_splice_put(out, start, end);
        return;
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

    ngx_envelope_splice_put(out, start, lead);

    kept = ngx_envelope_splice_kept(out, node);

    ngx_envelope_splice_added(out, node, kept);

    ngx_envelope_splice_put(out, tail, end);
}


/* returns whether there was any */

static ngx_uint_t
ngx_envelope_splice_kept(ngx_envelope_splice_out_t *out,
    ngx_envelope_node_t *node)
{
    ngx_envelope_node_t  *child, *prev;

    prev = NULL;

    for (child = node->child; child && child->from; child = child->next) {

        if (child->removed) {
            continue;
        }

        /* what is between two stood behind the first, with its comma */

        if (prev) {
            ngx_envelope_splice_put(out, prev->to,
                                    ngx_envelope_splice_start(prev->next));
        }

        ngx_envelope_splice_put(out, ngx_envelope_splice_start(child),
                                child->from);
        ngx_envelope_splice_node(out, child);

        prev = child;
    }

    return prev != NULL;
}


static void
ngx_envelope_splice_added(ngx_envelope_splice_out_t *out,
    ngx_envelope_node_t *node, ngx_uint_t comma)
{
    ngx_str_t                    *quoted;
    ngx_envelope_node_t          *child;

    static u_char  punctuation[] = ",:";

    for (child = node->child; child; child = child->next) {

        if (child->from || child->removed) {
            continue;
        }

        if (comma) {
            ngx_envelope_splice_put(out, punctuation, punctuation + 1);
        }

        quoted = &((ngx_envelope_splice_added_t *) child)->quoted;

        ngx_envelope_splice_put(out, quoted->data,
                                quoted->data + quoted->len);
        ngx_envelope_splice_put(out, punctuation + 1, punctuation + 2);
        ngx_envelope_splice_node(out, child);

        comma = 1;
    }
}


static u_char *
ngx_envelope_splice_start(ngx_envelope_node_t *node)
{
    return node->name_from ? node->name_from : node->from;
}


static void
ngx_envelope_splice_put(ngx_envelope_splice_out_t *out, u_char *from,
    u_char *to)
{
    if (out->p && from != to) {
        out->p = ngx_cpymem(out->p, from, to - from);
    }

    out->len += to - from;
}
