
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"


/* "field" at configuration */


static ngx_int_t ngx_envelope_field_source(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_str_t *word,
    ngx_envelope_reason_t *reason);


ngx_int_t
ngx_envelope_field_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t              rc;
    ngx_str_t             *word;
    ngx_envelope_field_t  *field;

    field = &st->u.field;

    word = ngx_envelope_word(words);

    if (word && !ngx_envelope_is(word, "=")) {

        rc = ngx_envelope_format_address(format, &st->address, word, reason);
        if (rc != NGX_OK) {
            return rc;
        }

        word = ngx_envelope_word(words);

        if (word && ngx_envelope_is(word, "optional")) {
            field->optional = 1;
            word = ngx_envelope_word(words);
        }

        if (word && ngx_envelope_is(word, "=")) {
            word = ngx_envelope_word(words);

            if (word && !ngx_envelope_is(word, "|")) {

                rc = ngx_envelope_field_source(format, st, word, reason);
                if (rc != NGX_OK) {
                    return rc;
                }

                return ngx_envelope_steps_parse(format, &field->steps, words,
                          field->source != NGX_ENVELOPE_SOURCE_RANDOM,
                          reason);
            }
        }
    }

    return ngx_envelope_declined(reason, "write: field ADDRESS [optional] = "
                                 "json|string|NAME [| step ..]");
}


static ngx_int_t
ngx_envelope_field_source(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_str_t *word,
    ngx_envelope_reason_t *reason)
{
    ngx_envelope_field_t  *field;

    field = &st->u.field;

    if (ngx_envelope_is(word, "json")) {

        if (st->address.kind != NGX_ENVELOPE_ADDRESS_MEMBER) {
            return ngx_envelope_declined(reason, "a header holds no JSON, "
                                         "write \"string\"");
        }

        field->source = NGX_ENVELOPE_SOURCE_JSON;
        return NGX_OK;
    }

    if (ngx_envelope_is(word, "string")) {
        field->source = NGX_ENVELOPE_SOURCE_STRING;
        return NGX_OK;
    }

    if (st->address.many) {
        return ngx_envelope_declined(reason, "a random cannot be put at "
                                     "\"*\"");
    }

    field->source = NGX_ENVELOPE_SOURCE_RANDOM;
    st->writes = 1;

    return ngx_envelope_copy(format->pool, &field->random.text, word);
}


ngx_int_t
ngx_envelope_field_link(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_reason_t *reason)
{
    ngx_int_t            rc;
    ngx_envelope_ref_t  *random;

    if (st->u.field.source == NGX_ENVELOPE_SOURCE_RANDOM) {
        random = &st->u.field.random;

        rc = ngx_envelope_ref_link(format, random, 1, reason);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc != NGX_OK || random->kind != NGX_ENVELOPE_REF_RANDOM) {
            return ngx_envelope_declined(reason, "unknown source \"%V\", "
                                         "write json, string or the name of "
                                         "a \"random\"", &random->text);
        }
    }

    return ngx_envelope_steps_link(format, &st->u.field.steps, reason);
}


ngx_int_t
ngx_envelope_field_check(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t              rc;
    ngx_envelope_field_t  *field;

    field = &st->u.field;

    rc = ngx_envelope_steps_check(format, &field->steps, check, reason);

    if (rc != NGX_OK || field->source != NGX_ENVELOPE_SOURCE_RANDOM) {
        return rc;
    }

    if (check->direction == NGX_ENVELOPE_OPEN) {
        check->known |= field->random.mask;
        return NGX_OK;
    }

    return ngx_envelope_ref_check(format, &field->random, check, reason);
}
