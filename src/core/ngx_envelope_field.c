
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"
#include "ngx_envelope_secret.h"


/* "field": a value through steps, and back */


static ngx_int_t ngx_envelope_field_shape(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);

static ngx_int_t ngx_envelope_field_seal(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_field_seal_random(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_field_seal_header(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_field_seal_node(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_envelope_node_t *node);

static ngx_int_t ngx_envelope_field_open(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_field_open_header(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_field_open_node(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_envelope_node_t *node);
static ngx_int_t ngx_envelope_field_open_random(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *text);
static ngx_int_t ngx_envelope_field_replace(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_envelope_node_t *node,
    ngx_str_t *text);

static ngx_int_t ngx_envelope_field_nodes(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_array_t *nodes);
static ngx_int_t ngx_envelope_field_sealed(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_array_t *nodes);
static ngx_int_t ngx_envelope_field_header(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *value);


const ngx_envelope_statement_def_t  ngx_envelope_field_def = {
    ngx_string("field"),
    ngx_envelope_field_parse,
    ngx_envelope_field_link,
    ngx_envelope_field_check,
    ngx_envelope_field_shape,
    ngx_envelope_field_seal,
    ngx_envelope_field_open
};


static ngx_int_t
ngx_envelope_field_shape(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st)
{
    ngx_int_t    rc;
    ngx_str_t    value;
    ngx_array_t  nodes;

    if (st->address.inner) {
        return NGX_OK;
    }

    if (st->address.kind != NGX_ENVELOPE_ADDRESS_MEMBER) {
        rc = ngx_envelope_field_header(run, st, &value);

        if (rc != NGX_OK || value.len == 0) {
            return rc;
        }

    } else {
        rc = ngx_envelope_field_sealed(run, st, &nodes);

        if (rc != NGX_OK || nodes.nelts == 0) {
            return rc;
        }
    }

    return ngx_envelope_steps_shape(run, &st->u.field.steps);
}


static ngx_int_t
ngx_envelope_field_seal(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_int_t              rc;
    ngx_uint_t             i;
    ngx_array_t            nodes;
    ngx_envelope_node_t  **node;

    if (st->u.field.source == NGX_ENVELOPE_SOURCE_RANDOM) {
        return ngx_envelope_field_seal_random(run, st);
    }

    if (st->address.kind != NGX_ENVELOPE_ADDRESS_MEMBER) {
        return ngx_envelope_field_seal_header(run, st);
    }

    rc = ngx_envelope_field_nodes(run, st, &nodes);
    if (rc != NGX_OK) {
        return rc;
    }

    node = nodes.elts;

    for (i = 0; i < nodes.nelts; i++) {

        if (st->u.field.optional && ngx_envelope_node_empty(node[i])) {
            continue;
        }

        rc = ngx_envelope_field_seal_node(run, st, node[i]);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_field_seal_random(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    rc = ngx_envelope_run_bytes(run, &st->u.field.random, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    run->wire = 0;

    rc = ngx_envelope_steps_seal(run, &st->u.field.steps, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_envelope_steps_write(run, &st->u.field.steps,
                                    &st->address, &text);
}


static ngx_int_t
ngx_envelope_field_seal_header(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    rc = ngx_envelope_field_header(run, st, &text);

    if (rc != NGX_OK || text.len == 0) {
        return rc;
    }

    run->wire = 0;

    rc = ngx_envelope_steps_seal(run, &st->u.field.steps, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_envelope_run_remove(run, &st->address);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_envelope_run_write(run, &st->address, &text);
}


/* what comes to nothing could not be told from what is absent */

static ngx_int_t
ngx_envelope_field_seal_node(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_envelope_node_t *node)
{
    ngx_int_t  rc;
    ngx_str_t  text, value;

    rc = ngx_envelope_json_text(run->pool, node, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    if (st->u.field.source == NGX_ENVELOPE_SOURCE_STRING) {

        if (node->type != NGX_ENVELOPE_JSON_STRING) {
            return ngx_envelope_declined(run->reason, "%V is not a string",
                                         &st->address.text);
        }

        rc = ngx_envelope_run_string(run, node, &text);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    run->wire = 0;

    rc = ngx_envelope_steps_seal(run, &st->u.field.steps, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    if (text.len == 0) {
        return ngx_envelope_declined(run->reason, "%V is empty",
                                     &st->address.text);
    }

    rc = ngx_envelope_steps_quote(run, &st->u.field.steps, &text, &value);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_envelope_json_replace(node, &value, NGX_ENVELOPE_JSON_STRING, NULL);
    node->string = text;

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_field_open(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_int_t              rc;
    ngx_uint_t             i;
    ngx_array_t            nodes;
    ngx_envelope_node_t  **node;

    if (st->address.kind != NGX_ENVELOPE_ADDRESS_MEMBER) {
        return ngx_envelope_field_open_header(run, st);
    }

    rc = ngx_envelope_field_sealed(run, st, &nodes);
    if (rc != NGX_OK) {
        return rc;
    }

    run->decoded = 1;

    node = nodes.elts;

    for (i = 0; i < nodes.nelts; i++) {
        rc = ngx_envelope_field_open_node(run, st, node[i]);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_field_open_header(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    rc = ngx_envelope_field_header(run, st, &text);

    if (rc != NGX_OK || text.len == 0) {
        return rc;
    }

    run->decoded = 1;

    run->wire = !st->address.inner
                && ngx_envelope_steps_keyed(&st->u.field.steps);

    rc = ngx_envelope_steps_open(run, &st->u.field.steps, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_envelope_run_remove(run, &st->address);
    if (rc != NGX_OK) {
        return rc;
    }

    if (st->u.field.source == NGX_ENVELOPE_SOURCE_RANDOM) {
        return ngx_envelope_field_open_random(run, st, &text);
    }

    return ngx_envelope_run_write(run, &st->address, &text);
}


static ngx_int_t
ngx_envelope_field_open_node(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_envelope_node_t *node)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    rc = ngx_envelope_run_string(run, node, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    run->wire = !st->address.inner
                && ngx_envelope_steps_keyed(&st->u.field.steps);

    rc = ngx_envelope_steps_open(run, &st->u.field.steps, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    if (st->u.field.source != NGX_ENVELOPE_SOURCE_RANDOM) {
        return ngx_envelope_field_replace(run, st, node, &text);
    }

    rc = ngx_envelope_field_open_random(run, st, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_envelope_run_remove(run, &st->address);
}


static ngx_int_t
ngx_envelope_field_open_random(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *text)
{
    ngx_str_t            random;
    ngx_envelope_ref_t  *ref;

    ref = &st->u.field.random;

    random.data = run->randoms[ref->index].data + ref->offset;
    random.len = ref->len;

    run->known |= ref->mask;

    if (text->len == random.len) {
        ngx_memcpy(random.data, text->data, random.len);
        return NGX_OK;
    }

    if (!st->u.field.steps.pkcs1) {
        return ngx_envelope_declined(run->reason, "what was recovered has "
                                     "not the length of \"%V\"",
                                     &ref->text);
    }

    /*
     * Bad PKCS#1 v1.5 padding must not be told from a wrong key, so go on
     * with bytes that nobody knows (RFC 3218 section 2.3.2).
     */

    if (run->input->env->random(run->input->env->data, random.data,
                                random.len)
        != NGX_OK)
    {
        return ngx_envelope_failed(run->reason, "no random bytes");
    }

    return NGX_OK;
}


/*
 * The recovered text takes the value's place.  Where it went through keys
 * the reason says no more than that it is not what it should be: where in it
 * would be an oracle's answer.
 */

static ngx_int_t
ngx_envelope_field_replace(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_envelope_node_t *node, ngx_str_t *text)
{
    ngx_int_t             rc;
    ngx_str_t             value;
    ngx_envelope_node_t  *sub;

    if (st->u.field.source == NGX_ENVELOPE_SOURCE_STRING) {

        rc = ngx_envelope_json_encode(run->pool, text, &value, run->reason);

        if (rc == NGX_DECLINED) {
            return ngx_envelope_declined(run->reason, "what was recovered is "
                                         "not UTF-8");
        }

        if (rc == NGX_OK) {
            ngx_envelope_json_replace(node, &value, NGX_ENVELOPE_JSON_STRING,
                                      NULL);
        }

        return rc;
    }

    rc = ngx_envelope_json_scan(run->pool, text, run->format->depth, &sub,
                                run->reason);

    if (rc == NGX_DECLINED
        && ngx_envelope_steps_keyed(&st->u.field.steps))
    {
        return ngx_envelope_declined(run->reason, "what was recovered is not "
                                     "JSON");
    }

    if (rc == NGX_OK) {
        ngx_envelope_json_replace(node, text, sub->type, sub);
    }

    return rc;
}


/* the values at the address, none missing unless optional */

static ngx_int_t
ngx_envelope_field_nodes(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_array_t *nodes)
{
    ngx_int_t   rc;
    ngx_uint_t  absent;

    if (ngx_array_init(nodes, run->pool, 4, sizeof(ngx_envelope_node_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_envelope_address_each(&st->address, run->root, nodes, &absent,
                                   run->reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (absent && !st->u.field.optional) {
        return ngx_envelope_declined(run->reason, "%V is absent",
                                     &st->address.text);
    }

    return NGX_OK;
}


/* the same of a sealed message: the strings there are to open */

static ngx_int_t
ngx_envelope_field_sealed(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_array_t *nodes)
{
    ngx_int_t              rc;
    ngx_uint_t             i, n;
    ngx_envelope_node_t  **node;

    rc = ngx_envelope_field_nodes(run, st, nodes);
    if (rc != NGX_OK) {
        return rc;
    }

    node = nodes->elts;

    for (i = 0, n = 0; i < nodes->nelts; i++) {

        if (ngx_envelope_node_empty(node[i])) {

            if (st->u.field.optional) {
                continue;
            }

            return ngx_envelope_declined(run->reason, "%V is %s",
                                 &st->address.text,
                                 node[i]->type == NGX_ENVELOPE_JSON_NULL
                                 ? "null" : "empty");
        }

        if (node[i]->type != NGX_ENVELOPE_JSON_STRING) {
            return ngx_envelope_declined(run->reason, "%V is not a string",
                                         &st->address.text);
        }

        node[n++] = node[i];
    }

    nodes->nelts = n;

    return NGX_OK;
}


/* of an optional header that is absent the value is empty */

static ngx_int_t
ngx_envelope_field_header(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *value)
{
    ngx_uint_t  n;

    ngx_envelope_run_header(run, &st->address, value, &n);

    if (n > 1) {
        return ngx_envelope_declined(run->reason, "%V stands twice",
                                     &st->address.text);
    }

    if (n == 0) {
        ngx_str_null(value);
    }

    if (value->len == 0 && !st->u.field.optional) {
        return ngx_envelope_declined(run->reason, "%V is %s",
                                     &st->address.text,
                                     n ? "empty" : "absent");
    }

    return NGX_OK;
}
