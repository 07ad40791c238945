
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"


/* what is about the message as a whole: "body" and "when" */


static ngx_int_t ngx_envelope_body_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_body_shape(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_body_seal(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_body_open(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);

static ngx_int_t ngx_envelope_when_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_when_run(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);


const ngx_envelope_statement_def_t  ngx_envelope_body_def = {
    ngx_string("body"),
    ngx_envelope_body_parse,
    NULL,
    NULL,
    ngx_envelope_body_shape,
    ngx_envelope_body_seal,
    ngx_envelope_body_open
};


/* asked before anything is sealed or opened; NGX_DONE: it passes unchanged */

const ngx_envelope_statement_def_t  ngx_envelope_when_def = {
    ngx_string("when"),
    ngx_envelope_when_parse,
    NULL,
    NULL,
    ngx_envelope_when_run,
    ngx_envelope_when_run,
    NULL
};


static ngx_int_t
ngx_envelope_body_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t    rc;
    ngx_str_t   *word;
    ngx_uint_t   depth;

    word = ngx_envelope_word(words);

    if (word == NULL) {
        return ngx_envelope_declined(reason, "write: body ADDRESS");
    }

    if (format->body) {
        return ngx_envelope_declined(reason, "a message has one \"body\"");
    }

    format->body = 1;
    depth = format->depth;

    rc = ngx_envelope_format_address(format, &st->address, word, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (st->address.kind != NGX_ENVELOPE_ADDRESS_MEMBER || st->address.many) {
        return ngx_envelope_declined(reason, "a body cannot be put at "
                                     "\"%V\", write the name of a member",
                                     word);
    }

    /* the statements before are about members of the value that this makes */

    format->depth = ngx_max(format->depth, depth + st->address.n);

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_body_shape(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_int_t             rc;
    ngx_envelope_node_t  *node;

    if (st->address.inner) {
        return NGX_OK;
    }

    rc = ngx_envelope_address_find(&st->address, run->root, &node,
                                   run->reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (node == NULL) {
        return ngx_envelope_declined(run->reason, "%V is absent",
                                     &st->address.text);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_body_seal(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_str_t             body;
    ngx_int_t             rc;
    ngx_envelope_node_t  *root, *sub;

    static ngx_str_t  object = ngx_string("{}");

    /*
     * White space around it survives inside of what a field makes of it; in
     * the open it would belong to the envelope.
     */

    rc = st->u.set.keep ? ngx_envelope_run_body(run, &body)
                        : ngx_envelope_json_text(run->pool, run->root, &body);
    if (rc != NGX_OK) {
        return rc;
    }

    sub = run->root;

    if (sub->changed) {
        rc = ngx_envelope_json_scan(run->pool, &body, run->format->depth,
                                    &sub, run->reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_envelope_json_scan(run->pool, &object, run->format->depth, &root,
                                run->reason);
    if (rc != NGX_OK) {
        return rc;
    }

    run->root = root;
    run->head.len = 0;
    run->tail.len = 0;

    return ngx_envelope_address_write(&st->address, run->pool, root, &body,
                                      sub->type, sub, run->reason);
}


static ngx_int_t
ngx_envelope_body_open(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_int_t             rc;
    ngx_envelope_node_t  *node;

    rc = ngx_envelope_address_find(&st->address, run->root, &node,
                                   run->reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (node == NULL) {
        return ngx_envelope_declined(run->reason, "%V is absent",
                                     &st->address.text);
    }

    run->root = node;
    run->head.len = 0;
    run->tail.len = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_when_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t            rc;
    ngx_str_t           *word;
    ngx_envelope_set_t  *set;

    set = &st->u.set;

    if (format->message != NGX_ENVELOPE_RESPONSE
        && format->message != NGX_ENVELOPE_REPLY)
    {
        return ngx_envelope_declined(reason, "\"when\" is for responses and "
                                     "replies: whatever else comes in has to "
                                     "be of its format");
    }

    word = ngx_envelope_word(words);
    if (word == NULL) {
        return ngx_envelope_declined(reason, "write: when ADDRESS [VALUE]");
    }

    rc = ngx_envelope_format_address(format, &st->address, word, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (st->address.many) {
        return ngx_envelope_declined(reason, "\"when\" asks for one value, "
                                     "not for \"*\"");
    }

    format->when = 1;

    word = ngx_envelope_word(words);
    if (word == NULL) {
        return NGX_OK;
    }

    set->present = 1;

    if (ngx_envelope_copy(format->pool, &set->text, word) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_strlchr(word->data, word->data + word->len, '$')) {
        set->variable = 1;
        return ngx_envelope_value_add(format, &set->text, &set->index);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_when_run(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_int_t             rc;
    ngx_str_t             value, text;
    ngx_uint_t            n;
    ngx_envelope_node_t  *node;

    n = 1;

    if (st->address.kind == NGX_ENVELOPE_ADDRESS_MEMBER) {
        rc = ngx_envelope_address_look(&st->address, run->root, &node,
                                       run->reason);
        if (rc != NGX_OK) {
            return rc;
        }

        if (node == NULL) {
            return NGX_DONE;
        }

        if (st->u.set.present
            && (node->type == NGX_ENVELOPE_JSON_OBJECT
                || node->type == NGX_ENVELOPE_JSON_ARRAY))
        {
            return NGX_DONE;
        }

    } else {
        ngx_envelope_run_header(run, &st->address, &value, &n);

        if (n == 0) {
            return NGX_DONE;
        }
    }

    if (!st->u.set.present) {
        return (n > 1) ? ngx_envelope_declined(run->reason, "%V stands twice",
                                               &st->address.text)
                       : NGX_OK;
    }

    rc = ngx_envelope_run_read(run, &st->address, &value);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_envelope_run_value(run, &st->u.set, &text);

    return ngx_envelope_str_equal(&value, &text) ? NGX_OK : NGX_DONE;
}
