
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"
#include "ngx_envelope_secret.h"


/* templates: what they come to for the message at hand */


static ngx_int_t ngx_envelope_text_piece(ngx_envelope_run_t *run,
    ngx_envelope_piece_t *piece, ngx_envelope_statement_t *st,
    ngx_str_t *text);
static ngx_int_t ngx_envelope_text_sorted(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *text);
static ngx_int_t ngx_envelope_text_members(ngx_envelope_run_t *run,
    ngx_envelope_node_t ***members, ngx_uint_t *nmembers);
static ngx_uint_t ngx_envelope_text_left_out(ngx_envelope_statement_t *st,
    ngx_envelope_node_t *node);
static int ngx_libc_cdecl ngx_envelope_text_cmp(const void *one,
    const void *two);
static ngx_int_t ngx_envelope_text_pairs(ngx_envelope_run_t *run,
    ngx_envelope_node_t **nodes, ngx_uint_t n, ngx_str_t *text);


ngx_int_t
ngx_envelope_run_template(ngx_envelope_run_t *run,
    ngx_envelope_template_t *template, ngx_envelope_statement_t *st,
    ngx_str_t **text, ngx_uint_t *n)
{
    ngx_int_t              rc;
    ngx_str_t             *p;
    ngx_uint_t             i, max, nparts;
    ngx_envelope_piece_t  *piece;

    piece = template->pieces.elts;
    nparts = run->input->nparts;

    max = template->pieces.nelts * ngx_max(nparts, 1);

    p = ngx_palloc(run->pool, ngx_max(max, 1) * sizeof(ngx_str_t));
    if (p == NULL) {
        return NGX_ERROR;
    }

    *text = p;

    for (i = 0; i < template->pieces.nelts; i++) {

        if (nparts && piece[i].kind == NGX_ENVELOPE_PIECE_BODY) {
            ngx_memcpy(p, run->input->parts, nparts * sizeof(ngx_str_t));
            p += nparts;
            continue;
        }

        rc = ngx_envelope_text_piece(run, &piece[i], st, p++);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    *n = p - *text;

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_text_piece(ngx_envelope_run_t *run, ngx_envelope_piece_t *piece,
    ngx_envelope_statement_t *st, ngx_str_t *text)
{
    ngx_envelope_ring_t           **rings;
    ngx_envelope_shared_secret_t   *secrets;

    switch (piece->kind) {

    case NGX_ENVELOPE_PIECE_TEXT:
        *text = piece->text;
        return NGX_OK;

    case NGX_ENVELOPE_PIECE_VALUE:
        *text = run->input->values[piece->index];
        return NGX_OK;

    case NGX_ENVELOPE_PIECE_ADDRESS:
        return ngx_envelope_run_read(run, &piece->address, text);

    case NGX_ENVELOPE_PIECE_BODY:

        /* of what came in, the bytes as they came */

        if (run->input->direction == NGX_ENVELOPE_OPEN) {
            *text = run->input->body;
            return NGX_OK;
        }

        return ngx_envelope_run_body(run, text);

    case NGX_ENVELOPE_PIECE_SECRET:
        rings = run->format->rings.elts;
        secrets = rings[piece->index]->secrets.elts;
        *text = secrets[run->choice[piece->index]].value;
        return NGX_OK;

    default: /* NGX_ENVELOPE_PIECE_SORTED */
        return ngx_envelope_text_sorted(run, st, text);
    }
}


static ngx_int_t
ngx_envelope_text_sorted(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *text)
{
    ngx_int_t              rc;
    ngx_uint_t             i, n, total;
    ngx_envelope_node_t  **nodes;

    rc = ngx_envelope_text_members(run, &nodes, &total);
    if (rc != NGX_OK) {
        return rc;
    }

    for (i = 0, n = 0; i < total; i++) {
        if (!ngx_envelope_text_left_out(st, nodes[i])) {
            nodes[n++] = nodes[i];
        }
    }

    return ngx_envelope_text_pairs(run, nodes, n, text);
}


/* the top-level members by their names, of which none may stand there twice */

static ngx_int_t
ngx_envelope_text_members(ngx_envelope_run_t *run,
    ngx_envelope_node_t ***members, ngx_uint_t *nmembers)
{
    ngx_uint_t             i, n;
    ngx_envelope_node_t   *node, **nodes;

    if (run->root->type != NGX_ENVELOPE_JSON_OBJECT) {
        return ngx_envelope_declined(run->reason, "the message is not a JSON "
                                     "object");
    }

    n = 0;

    for (node = run->root->child; node; node = node->next) {
        n++;
    }

    nodes = ngx_palloc(run->pool,
                       ngx_max(n, 1) * sizeof(ngx_envelope_node_t *));
    if (nodes == NULL) {
        return NGX_ERROR;
    }

    n = 0;

    for (node = run->root->child; node; node = node->next) {
        if (!node->removed) {
            nodes[n++] = node;
        }
    }

    /* ngx_sort() takes quadratic time, and who sends the members is unknown */

    qsort(nodes, n, sizeof(ngx_envelope_node_t *), ngx_envelope_text_cmp);

    for (i = 1; i < n; i++) {

        if (ngx_envelope_text_cmp(&nodes[i - 1], &nodes[i]) == 0) {
            return ngx_envelope_declined(run->reason, "a member stands twice "
                                         "in what <sorted> joins");
        }
    }

    *members = nodes;
    *nmembers = n;

    return NGX_OK;
}


/*
 * What "except=" names, what "skip=empty" means.  The signature itself is not
 * there: not yet when sealing, not any more when opening.
 */

static ngx_uint_t
ngx_envelope_text_left_out(ngx_envelope_statement_t *st,
    ngx_envelope_node_t *node)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (st->u.sign.skip_empty && ngx_envelope_node_empty(node)) {
        return 1;
    }

    name = st->u.sign.except.elts;

    for (i = 0; i < st->u.sign.except.nelts; i++) {

        if (ngx_envelope_str_equal(&name[i], &node->name)) {
            return 1;
        }
    }

    return 0;
}


/* names are compared as bytes, a shorter one comes before what it begins */

static int ngx_libc_cdecl
ngx_envelope_text_cmp(const void *one, const void *two)
{
    int                   rc;
    size_t                n;
    ngx_envelope_node_t  *a, *b;

    a = *(ngx_envelope_node_t **) one;
    b = *(ngx_envelope_node_t **) two;

    n = ngx_min(a->name.len, b->name.len);
    rc = n ? ngx_memcmp(a->name.data, b->name.data, n) : 0;

    if (rc) {
        return rc;
    }

    return (a->name.len > b->name.len) - (a->name.len < b->name.len);
}


static ngx_int_t
ngx_envelope_text_pairs(ngx_envelope_run_t *run, ngx_envelope_node_t **nodes,
    ngx_uint_t n, ngx_str_t *text)
{
    u_char      *p;
    size_t       len;
    ngx_int_t    rc;
    ngx_str_t   *values;
    ngx_uint_t   i;

    values = ngx_palloc(run->pool, ngx_max(n, 1) * sizeof(ngx_str_t));
    if (values == NULL) {
        return NGX_ERROR;
    }

    len = 0;

    for (i = 0; i < n; i++) {

        rc = (nodes[i]->type == NGX_ENVELOPE_JSON_STRING)
             ? ngx_envelope_run_string(run, nodes[i], &values[i])
             : ngx_envelope_json_text(run->pool, nodes[i], &values[i]);

        if (rc != NGX_OK) {
            return rc;
        }

        len += nodes[i]->name.len + 1 + values[i].len + 1;
    }

    p = ngx_envelope_secret_alloc(run->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (i = 0; i < n; i++) {

        if (i) {
            *p++ = '&';
        }

        if (nodes[i]->name.len) {
            p = ngx_cpymem(p, nodes[i]->name.data, nodes[i]->name.len);
        }

        *p++ = '=';

        if (values[i].len) {
            p = ngx_cpymem(p, values[i].data, values[i].len);
        }
    }

    text->len = p - text->data;

    return NGX_OK;
}


ngx_int_t
ngx_envelope_run_template_shape(ngx_envelope_run_t *run,
    ngx_envelope_template_t *template)
{
    ngx_int_t              rc;
    ngx_str_t              text;
    ngx_uint_t             i, n;
    ngx_envelope_node_t  **nodes;
    ngx_envelope_piece_t  *piece;

    if (template->sorted && !template->inner) {
        rc = ngx_envelope_text_members(run, &nodes, &n);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    piece = template->pieces.elts;

    for (i = 0; i < template->pieces.nelts; i++) {

        if (piece[i].kind != NGX_ENVELOPE_PIECE_ADDRESS
            || piece[i].address.inner)
        {
            continue;
        }

        rc = ngx_envelope_run_read(run, &piece[i].address, &text);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}
