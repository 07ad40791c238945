
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"
#include "ngx_envelope_codec.h"

#include <openssl/crypto.h>


/* "set": constants and variables in members and headers */


static ngx_int_t ngx_envelope_set_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_set_constant(ngx_envelope_format_t *format,
    ngx_envelope_set_t *set, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_set_shape(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_set_seal(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_set_seal_json(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *value);
static ngx_int_t ngx_envelope_set_open(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_set_verify(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_uint_t *present);
static ngx_uint_t ngx_envelope_set_same(ngx_str_t *a, ngx_str_t *b);
static ngx_int_t ngx_envelope_set_equal(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_envelope_node_t *node);


const ngx_envelope_statement_def_t  ngx_envelope_set_def = {
    ngx_string("set"),
    ngx_envelope_set_parse,
    NULL,
    NULL,
    ngx_envelope_set_shape,
    ngx_envelope_set_seal,
    ngx_envelope_set_open
};


static ngx_int_t
ngx_envelope_set_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t            rc;
    ngx_str_t           *word, *value;
    ngx_envelope_set_t  *set;

    set = &st->u.set;

    word = ngx_envelope_word(words);
    value = ngx_envelope_word(words);

    if (word == NULL || value == NULL) {
        return ngx_envelope_declined(reason, "write: set ADDRESS VALUE "
                                     "[string|number|json] [keep] "
                                     "[optional]");
    }

    rc = ngx_envelope_format_address(format, &st->address, word, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (st->address.many) {
        return ngx_envelope_declined(reason, "\"set\" cannot write to \"*\"");
    }

    st->writes = 1;
    set->present = 1;

    if (ngx_envelope_copy(format->pool, &set->text, value) != NGX_OK) {
        return NGX_ERROR;
    }

    while ((word = ngx_envelope_word(words)) != NULL) {

        if (ngx_envelope_is(word, "string")) {
            set->type = NGX_ENVELOPE_SET_STRING;

        } else if (ngx_envelope_is(word, "number")) {
            set->type = NGX_ENVELOPE_SET_NUMBER;

        } else if (ngx_envelope_is(word, "json")) {
            set->type = NGX_ENVELOPE_SET_JSON;

        } else if (ngx_envelope_is(word, "keep")) {
            set->keep = 1;

        } else if (ngx_envelope_is(word, "optional")) {
            set->optional = 1;

        } else {
            return ngx_envelope_declined(reason, "unexpected \"%V\", there "
                                         "are: string, number, json, keep, "
                                         "optional", word);
        }
    }

    if (set->type != NGX_ENVELOPE_SET_STRING
        && st->address.kind != NGX_ENVELOPE_ADDRESS_MEMBER)
    {
        return ngx_envelope_declined(reason, "a header holds no JSON, leave "
                                     "out \"%s\"",
                                     set->type == NGX_ENVELOPE_SET_NUMBER
                                     ? "number" : "json");
    }

    return ngx_envelope_set_constant(format, set, reason);
}


static ngx_int_t
ngx_envelope_set_constant(ngx_envelope_format_t *format,
    ngx_envelope_set_t *set, ngx_envelope_reason_t *reason)
{
    ngx_int_t             rc;
    ngx_envelope_node_t  *node;

    if (ngx_strlchr(set->text.data, set->text.data + set->text.len, '$')) {
        set->variable = 1;
        return ngx_envelope_value_add(format, &set->text, &set->index);
    }

    if (set->type == NGX_ENVELOPE_SET_NUMBER
        && !ngx_envelope_json_is_number(&set->text))
    {
        return ngx_envelope_declined(reason, "\"%V\" is not a JSON number",
                                     &set->text);
    }

    if (set->type == NGX_ENVELOPE_SET_STRING
        && !ngx_envelope_utf8_valid(set->text.data, set->text.len))
    {
        return ngx_envelope_declined(reason, "the value is not UTF-8");
    }

    if (set->type == NGX_ENVELOPE_SET_STRING) {
        return ngx_envelope_json_encode(format->pool, &set->text,
                                        &set->quoted, reason);
    }

    if (set->type != NGX_ENVELOPE_SET_JSON) {
        return NGX_OK;
    }

    rc = ngx_envelope_json_scan(format->pool, &set->text, 0, &node, reason);

    if (rc == NGX_DECLINED) {
        ngx_envelope_reason_prepend(reason, "\"%V\" is not JSON: ",
                                    &set->text);
    }

    return rc;
}


static ngx_int_t
ngx_envelope_set_shape(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_uint_t  present;

    if (st->address.inner) {
        return NGX_OK;
    }

    return ngx_envelope_set_verify(run, st, &present);
}


static ngx_int_t
ngx_envelope_set_seal(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_str_t            value;
    ngx_envelope_set_t  *set;

    set = &st->u.set;

    ngx_envelope_run_value(run, set, &value);

    if (value.len == 0 && set->optional) {
        return NGX_OK;
    }

    if (set->type != NGX_ENVELOPE_SET_STRING) {
        return ngx_envelope_set_seal_json(run, st, &value);
    }

    if (set->variable) {
        return ngx_envelope_run_write(run, &st->address, &value);
    }

    return ngx_envelope_run_write_quoted(run, &st->address, &value,
                                         &set->quoted);
}


static ngx_int_t
ngx_envelope_set_seal_json(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *value)
{
    ngx_int_t             rc;
    ngx_str_t             text;
    ngx_envelope_node_t  *node;

    text = *value;

    if (st->u.set.type == NGX_ENVELOPE_SET_NUMBER) {

        if (!ngx_envelope_json_is_number(&text)) {
            return ngx_envelope_declined(run->reason, "the value is not a "
                                         "JSON number");
        }

        return ngx_envelope_address_write(&st->address, run->pool, run->root,
                                          &text, NGX_ENVELOPE_JSON_NUMBER,
                                          NULL, run->reason);
    }

    rc = ngx_envelope_json_scan(run->pool, &text, run->format->depth, &node,
                                run->reason);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_envelope_address_write(&st->address, run->pool, run->root,
                                      &text, node->type, node, run->reason);
}


static ngx_int_t
ngx_envelope_set_open(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_int_t   rc;
    ngx_uint_t  present;

    rc = ngx_envelope_set_verify(run, st, &present);

    if (rc != NGX_OK || !present || st->u.set.keep) {
        return rc;
    }

    return ngx_envelope_run_remove(run, &st->address);
}


/* it stands there once and, if it is a constant, is equal to it */

static ngx_int_t
ngx_envelope_set_verify(ngx_envelope_run_t *run, ngx_envelope_statement_t *st,
    ngx_uint_t *present)
{
    ngx_int_t             rc;
    ngx_str_t             value;
    ngx_uint_t            member;
    ngx_envelope_node_t  *node;

    member = (st->address.kind == NGX_ENVELOPE_ADDRESS_MEMBER);

    if (member) {
        rc = ngx_envelope_address_find(&st->address, run->root, &node,
                                       run->reason);
        if (rc != NGX_OK) {
            return rc;
        }

        *present = (node != NULL);

        if (node && !st->u.set.variable) {
            return ngx_envelope_set_equal(run, st, node);
        }

    } else {
        ngx_envelope_run_header(run, &st->address, &value, present);

        if (*present > 1) {
            return ngx_envelope_declined(run->reason, "%V stands twice",
                                         &st->address.text);
        }
    }

    if (!*present) {

        if (st->u.set.optional) {
            return NGX_OK;
        }

        return ngx_envelope_declined(run->reason, "%V is absent",
                                     &st->address.text);
    }

    if (!member
        && !st->u.set.variable
        && !ngx_envelope_set_same(&value, &st->u.set.text))
    {
        return ngx_envelope_declined(run->reason, "%V is not \"%V\"",
                                     &st->address.text, &st->u.set.text);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_set_equal(ngx_envelope_run_t *run, ngx_envelope_statement_t *st,
    ngx_envelope_node_t *node)
{
    ngx_int_t            rc;
    ngx_str_t            value;
    ngx_uint_t           equal;
    ngx_envelope_set_t  *set;

    set = &st->u.set;

    if (set->type == NGX_ENVELOPE_SET_STRING) {

        if (node->type != NGX_ENVELOPE_JSON_STRING) {
            return ngx_envelope_declined(run->reason, "%V is not a string",
                                         &st->address.text);
        }

        rc = ngx_envelope_run_string(run, node, &value);
        if (rc != NGX_OK) {
            return rc;
        }

        equal = ngx_envelope_set_same(&value, &set->text);

    } else {

        rc = ngx_envelope_json_text(run->pool, node, &value);
        if (rc != NGX_OK) {
            return rc;
        }

        equal = ngx_envelope_json_equal(&value, &set->text);
    }

    if (!equal) {
        return ngx_envelope_declined(run->reason, "%V is not \"%V\"",
                                     &st->address.text, &set->text);
    }

    return NGX_OK;
}


/* the constant may be one that only its sender knows */

static ngx_uint_t
ngx_envelope_set_same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || CRYPTO_memcmp(a->data, b->data, a->len) == 0);
}
