
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"
#include "ngx_envelope_secret.h"


/* reading and writing the message at hand */


static ngx_int_t ngx_envelope_run_node(ngx_envelope_run_t *run,
    ngx_envelope_address_t *address, ngx_envelope_node_t **node);
static ngx_str_t ngx_envelope_run_trim(ngx_envelope_node_t *node);
static void ngx_envelope_run_strip(ngx_str_t *text);


ngx_int_t
ngx_envelope_run_body(ngx_envelope_run_t *run, ngx_str_t *body)
{
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   text;

    if (run->root == NULL) {
        *body = run->input->body;
        return NGX_OK;
    }

    rc = ngx_envelope_json_text(run->pool, run->root, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    if (run->head.len + run->tail.len == 0) {
        *body = text;
        return NGX_OK;
    }

    /* nothing has changed: they still stand side by side */

    if (text.data == run->head.data + run->head.len
        && text.data + text.len == run->tail.data)
    {
        body->data = run->head.data;
        body->len = run->head.len + text.len + run->tail.len;
        return NGX_OK;
    }

    body->len = run->head.len + text.len + run->tail.len;
    body->data = ngx_envelope_secret_alloc(run->pool, body->len);
    if (body->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(body->data, run->head.data, run->head.len);
    p = ngx_cpymem(p, text.data, text.len);
    ngx_memcpy(p, run->tail.data, run->tail.len);

    return NGX_OK;
}


ngx_int_t
ngx_envelope_run_read(ngx_envelope_run_t *run,
    ngx_envelope_address_t *address, ngx_str_t *value)
{
    ngx_int_t             rc;
    ngx_uint_t            n;
    ngx_envelope_node_t  *node;

    if (address->kind != NGX_ENVELOPE_ADDRESS_MEMBER) {
        ngx_envelope_run_header(run, address, value, &n);

        if (n == 1) {
            return NGX_OK;
        }

        return ngx_envelope_declined(run->reason, n ? "%V stands twice"
                                                    : "%V is absent",
                                     &address->text);
    }

    rc = ngx_envelope_run_node(run, address, &node);
    if (rc != NGX_OK) {
        return rc;
    }

    if (node->type == NGX_ENVELOPE_JSON_STRING) {
        return ngx_envelope_run_string(run, node, value);
    }

    return ngx_envelope_json_text(run->pool, node, value);
}


ngx_int_t
ngx_envelope_run_scalar(ngx_envelope_run_t *run,
    ngx_envelope_address_t *address, ngx_uint_t number, ngx_str_t *value)
{
    ngx_int_t             rc;
    ngx_envelope_node_t  *node;

    if (address->kind != NGX_ENVELOPE_ADDRESS_MEMBER) {
        return ngx_envelope_run_read(run, address, value);
    }

    rc = ngx_envelope_run_node(run, address, &node);
    if (rc != NGX_OK) {
        return rc;
    }

    if (node->type == NGX_ENVELOPE_JSON_STRING) {
        return ngx_envelope_run_string(run, node, value);
    }

    if (node->type != NGX_ENVELOPE_JSON_NUMBER || !number) {
        return ngx_envelope_declined(run->reason, "%V is not a string%s",
                                     &address->text,
                                     number ? " or a number" : "");
    }

    rc = ngx_envelope_json_text(run->pool, node, value);

    if (rc == NGX_OK) {
        ngx_envelope_run_strip(value);
    }

    return rc;
}


static ngx_int_t
ngx_envelope_run_node(ngx_envelope_run_t *run,
    ngx_envelope_address_t *address, ngx_envelope_node_t **node)
{
    ngx_int_t  rc;

    rc = ngx_envelope_address_find(address, run->root, node, run->reason);

    if (rc == NGX_OK && *node == NULL) {
        return ngx_envelope_declined(run->reason, "%V is absent",
                                     &address->text);
    }

    return rc;
}


/* of white space as JSON has it */

static void
ngx_envelope_run_strip(ngx_str_t *text)
{
    while (text->len && text->data[0] <= ' ') {
        text->data++;
        text->len--;
    }

    while (text->len && text->data[text->len - 1] <= ' ') {
        text->len--;
    }
}


ngx_int_t
ngx_envelope_run_string(ngx_envelope_run_t *run, ngx_envelope_node_t *node,
    ngx_str_t *value)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    if (node->string.data == NULL) {
        text = ngx_envelope_run_trim(node);

        rc = ngx_envelope_json_decode(run->pool, &text, &node->string,
                                      run->reason);
        if (rc != NGX_OK) {
            ngx_str_null(&node->string);
            return rc;
        }
    }

    *value = node->string;

    return NGX_OK;
}


ngx_uint_t
ngx_envelope_node_empty(ngx_envelope_node_t *node)
{
    return node->type == NGX_ENVELOPE_JSON_NULL
           || (node->type == NGX_ENVELOPE_JSON_STRING
               && ngx_envelope_run_trim(node).len == 2);
}


/* a recovered text, or a whole body, may have white space around it */

static ngx_str_t
ngx_envelope_run_trim(ngx_envelope_node_t *node)
{
    u_char     *p, *last;
    ngx_str_t   text;

    p = node->text.data;
    last = p + node->text.len;

    while (p < last && *p != '"') {
        p++;
    }

    while (p < last && last[-1] != '"') {
        last--;
    }

    text.data = p;
    text.len = last - p;

    return text;
}


void
ngx_envelope_run_header(ngx_envelope_run_t *run,
    ngx_envelope_address_t *address, ngx_str_t *value, ngx_uint_t *n)
{
    ngx_str_t  second;

    if (address->kind == NGX_ENVELOPE_ADDRESS_HEADER) {
        *n = ngx_envelope_headers_get(&run->headers, &address->header, value);
        *n = ngx_min(*n, 2);
        return;
    }

    *n = 0;

    if (ngx_envelope_headers_param(&run->headers, &address->header,
                                   &address->param, 0, value)
        != NGX_OK)
    {
        return;
    }

    *n = 1;

    if (ngx_envelope_headers_param(&run->headers, &address->header,
                                   &address->param, 1, &second)
        == NGX_OK)
    {
        *n = 2;
    }
}


void
ngx_envelope_run_value(ngx_envelope_run_t *run, ngx_envelope_set_t *set,
    ngx_str_t *value)
{
    *value = set->variable ? run->input->values[set->index] : set->text;
}


ngx_int_t
ngx_envelope_run_write(ngx_envelope_run_t *run,
    ngx_envelope_address_t *address, ngx_str_t *text)
{
    ngx_int_t  rc;
    ngx_str_t  quoted;

    ngx_str_null(&quoted);

    if (address->kind == NGX_ENVELOPE_ADDRESS_MEMBER) {
        rc = ngx_envelope_json_encode(run->pool, text, &quoted, run->reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_envelope_run_write_quoted(run, address, text, &quoted);
}


ngx_int_t
ngx_envelope_run_write_quoted(ngx_envelope_run_t *run,
    ngx_envelope_address_t *address, ngx_str_t *text, ngx_str_t *quoted)
{
    ngx_int_t             rc;
    ngx_envelope_node_t  *node;

    switch (address->kind) {

    case NGX_ENVELOPE_ADDRESS_HEADER:
        return ngx_envelope_headers_set(&run->headers, &address->header, text,
                                        run->reason);

    case NGX_ENVELOPE_ADDRESS_PARAM:
        return ngx_envelope_headers_set_param(&run->headers, &address->header,
                                              &address->param, text,
                                              run->reason);

    default: /* NGX_ENVELOPE_ADDRESS_MEMBER */
        break;
    }

    rc = ngx_envelope_address_make(address, run->pool, run->root, &node,
                                   run->reason);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_envelope_json_replace(node, quoted, NGX_ENVELOPE_JSON_STRING, NULL);

    /* who reads it again need not decode it */

    node->string = *text;

    return NGX_OK;
}


ngx_int_t
ngx_envelope_run_remove(ngx_envelope_run_t *run,
    ngx_envelope_address_t *address)
{
    switch (address->kind) {

    case NGX_ENVELOPE_ADDRESS_HEADER:
        return ngx_envelope_headers_remove(&run->headers, &address->header);

    case NGX_ENVELOPE_ADDRESS_PARAM:
        return ngx_envelope_headers_remove_param(&run->headers,
                                                 &address->header,
                                                 &address->param);

    default: /* NGX_ENVELOPE_ADDRESS_MEMBER */
        return ngx_envelope_address_remove(address, run->root, run->reason);
    }
}


ngx_int_t
ngx_envelope_run_join(ngx_envelope_run_t *run, ngx_str_t *text, ngx_uint_t n,
    ngx_str_t *joined)
{
    u_char      *p;
    size_t       len;
    ngx_uint_t   i;

    len = 0;

    for (i = 0; i < n; i++) {
        len += text[i].len;
    }

    p = ngx_envelope_secret_alloc(run->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    joined->data = p;
    joined->len = len;

    for (i = 0; i < n; i++) {
        if (text[i].len) {
            p = ngx_cpymem(p, text[i].data, text[i].len);
        }
    }

    return NGX_OK;
}
