
/*
 * Copyright (C) The ngx_http_envelope_module authors
 */


#include "ngx_envelope_run.h"
#include "ngx_envelope_secret.h"


/* templates: what they come to for the message at hand */


static ngx_int_t ngx_envelope_text_piece(ngx_envelope_run_t *run,
    ngx_envelope_piece_t *piece, ngx_envelope_statement_t *st,
    ngx_str_t *text);
static ngx_int_t ngx_envelope_text_sorted(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *text);
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
    ngx_uint_t             i;
    ngx_envelope_piece_t  *piece;

    piece = template->pieces.elts;
    *n = template->pieces.nelts;

    *text = ngx_palloc(run->pool, ngx_max(*n, 1) * sizeof(ngx_str_t));
    if (*text == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < *n; i++) {

        rc = ngx_envelope_text_piece(run, &piece[i], st, &(*text)[i]);
        if (rc != NGX_OK) {
            return rc;
        }
    }

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
    ngx_uint_t             i, n, total;
    ngx_envelope_node_t   *node, **nodes;

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

    total = n;
    n = 0;

    for (i = 0; i < total; i++) {
        if (!ngx_envelope_text_left_out(st, nodes[i])) {
            nodes[n++] = nodes[i];
        }
    }

    return ngx_envelope_text_pairs(run, nodes, n, text);
}


/* the signature itself, what "except=" names, what "skip=empty" means */

static ngx_uint_t
ngx_envelope_text_left_out(ngx_envelope_statement_t *st,
    ngx_envelope_node_t *node)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (st == NULL) {
        return 0;
    }

    if (st->address.kind == NGX_ENVELOPE_ADDRESS_MEMBER
        && st->address.n == 1
        && node->name.len == st->address.tokens[0].len
        && ngx_memcmp(node->name.data, st->address.tokens[0].data,
                      node->name.len)
           == 0)
    {
        return 1;
    }

    if (st->u.sign.skip_empty
        && (node->type == NGX_ENVELOPE_JSON_NULL
            || (node->type == NGX_ENVELOPE_JSON_STRING
                && node->text.len == 2)))
    {
        return 1;
    }

    name = st->u.sign.except.elts;

    for (i = 0; i < st->u.sign.except.nelts; i++) {

        if (name[i].len == node->name.len
            && ngx_memcmp(name[i].data, node->name.data, name[i].len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* names are compared as bytes, a shorter one comes before what it begins */

static int ngx_libc_cdecl
ngx_envelope_text_cmp(const void *one, const void *two)
{
    int                    rc;
    ngx_envelope_node_t   *a, *b;

    a = *(ngx_envelope_node_t **) one;
    b = *(ngx_envelope_node_t **) two;

    rc = ngx_memcmp(a->name.data, b->name.data,
                    ngx_min(a->name.len, b->name.len));

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
    ngx_str_t   *values, raw;
    ngx_uint_t   i;

    values = ngx_palloc(run->pool, ngx_max(n, 1) * sizeof(ngx_str_t));
    if (values == NULL) {
        return NGX_ERROR;
    }

    len = 0;

    for (i = 0; i < n; i++) {

        rc = ngx_envelope_json_text(run->pool, nodes[i], &raw);
        if (rc != NGX_OK) {
            return rc;
        }

        values[i] = raw;

        if (nodes[i]->type == NGX_ENVELOPE_JSON_STRING) {
            rc = ngx_envelope_json_decode(run->pool, &raw, &values[i],
                                          run->reason);
            if (rc != NGX_OK) {
                return rc;
            }
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

        p = ngx_cpymem(p, nodes[i]->name.data, nodes[i]->name.len);
        *p++ = '=';
        p = ngx_cpymem(p, values[i].data, values[i].len);
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
    ngx_uint_t             i;
    ngx_envelope_piece_t  *piece;

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


ngx_int_t
ngx_envelope_template_check(ngx_envelope_format_t *format,
    ngx_envelope_template_t *template, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason)
{
    ngx_uint_t                  i, j;
    ngx_envelope_piece_t       *piece;
    ngx_envelope_statement_t  **st;

    piece = template->pieces.elts;
    st = format->statements.elts;

    for (i = 0; i < template->pieces.nelts; i++) {

        if (piece[i].kind != NGX_ENVELOPE_PIECE_ADDRESS) {
            continue;
        }

        for (j = check->position + 1; j < format->statements.nelts; j++) {

            if (st[j]->writes
                && ngx_envelope_address_equal(&piece[i].address,
                                              &st[j]->address))
            {
                return ngx_envelope_declined(reason, "<%V> is written by "
                                             "\"%V\" only later, move that "
                                             "up", &piece[i].address.text,
                                             &st[j]->label);
            }
        }
    }

    return NGX_OK;
}
