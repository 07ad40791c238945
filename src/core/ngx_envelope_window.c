
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"


/*
 * "fresh" and "once" at configuration, and whether they keep what they
 * promise: an address that an attacker can change tells nothing.
 */


static ngx_int_t ngx_envelope_window_within(ngx_envelope_window_t *window,
    ngx_str_t *within, ngx_envelope_reason_t *reason);

static ngx_uint_t ngx_envelope_covered(ngx_envelope_format_t *format,
    ngx_uint_t i, ngx_uint_t by);
static ngx_uint_t ngx_envelope_covered_template(ngx_envelope_format_t *format,
    ngx_uint_t i, ngx_uint_t by, ngx_envelope_template_t *template);
static ngx_uint_t ngx_envelope_covered_place(ngx_envelope_format_t *format,
    ngx_uint_t i, ngx_uint_t by, ngx_envelope_address_t *place);
static ngx_uint_t ngx_envelope_covered_sorted(ngx_envelope_format_t *format,
    ngx_uint_t i, ngx_uint_t by);
static ngx_envelope_address_t *ngx_envelope_covered_outer(
    ngx_envelope_format_t *format, ngx_uint_t i, ngx_uint_t by);


ngx_int_t
ngx_envelope_window_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    const char *param, ngx_str_t *value, ngx_envelope_reason_t *reason)
{
    ngx_int_t   rc;
    ngx_str_t  *word, within;

    word = ngx_envelope_word(words);

    ngx_str_null(&within);
    ngx_str_null(value);

    while (ngx_envelope_word_param(words, "within", &within)
           || ngx_envelope_word_param(words, param, value))
    {
        /* void */
    }

    if (word == NULL || within.data == NULL) {
        return ngx_envelope_declined(reason, "write: %V ADDRESS within=TIME "
                                     "[%s=..]", &st->def->name, param);
    }

    rc = ngx_envelope_format_address(format, &st->address, word, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (st->address.many) {
        return ngx_envelope_declined(reason, "\"%V\" looks at one value, not "
                                     "at \"*\"", &st->def->name);
    }

    return ngx_envelope_window_within(&st->u.window, &within, reason);
}


static ngx_int_t
ngx_envelope_window_within(ngx_envelope_window_t *window, ngx_str_t *within,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t  time;

    time = ngx_parse_time(within, 0);

    if (time == NGX_ERROR || time == 0) {
        return ngx_envelope_declined(reason, "\"within=%V\" is not a time "
                                     "such as 300s or 5m", within);
    }

    if ((uint64_t) time > NGX_ENVELOPE_WITHIN_MAX) {
        return ngx_envelope_declined(reason, "\"within=%V\" is longer than a "
                                     "year", within);
    }

    window->within = time;

    return NGX_OK;
}


ngx_uint_t
ngx_envelope_format_once(ngx_envelope_format_t *format)
{
    ngx_uint_t                  i;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;

    for (i = 0; i < format->statements.nelts; i++) {
        if (st[i]->def == &ngx_envelope_once_def) {
            return 1;
        }
    }

    return 0;
}


/* a "fresh" takes a time for twice as long, and the rest of its last unit */

ngx_envelope_statement_t *
ngx_envelope_format_forgets(ngx_envelope_format_t *format, uint64_t *within)
{
    ngx_uint_t                  i;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;
    *within = 0;

    for (i = 0; i < format->statements.nelts; i++) {
        if (st[i]->def == &ngx_envelope_fresh_def) {
            *within = ngx_max(*within, 2 * st[i]->u.window.within + 1000);
        }
    }

    for (i = 0; i < format->statements.nelts; i++) {
        if (st[i]->def == &ngx_envelope_once_def
            && st[i]->u.window.within < *within)
        {
            return st[i];
        }
    }

    return NULL;
}


ngx_envelope_statement_t *
ngx_envelope_format_uncovered(ngx_envelope_format_t *format)
{
    ngx_uint_t                  i, by;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;

    for (i = 0; i < format->statements.nelts; i++) {

        if (st[i]->def != &ngx_envelope_fresh_def
            && st[i]->def != &ngx_envelope_once_def)
        {
            continue;
        }

        for (by = 0; by < format->statements.nelts; by++) {
            if (ngx_envelope_covered(format, i, by)) {
                break;
            }
        }

        if (by == format->statements.nelts) {
            return st[i];
        }
    }

    return NULL;
}


/*
 * Whether what the statement with the number i looks at cannot be changed
 * without that with the number "by" noticing it.
 */

static ngx_uint_t
ngx_envelope_covered(ngx_envelope_format_t *format, ngx_uint_t i,
    ngx_uint_t by)
{
    ngx_uint_t                  j;
    ngx_envelope_step_t        *step;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;

    if (!ngx_envelope_statement_proves(st[by])) {
        return 0;
    }

    /* another spelling of what was sealed later opens to the same */

    for (j = by; j < i; j++) {

        if (st[j]->def == &ngx_envelope_field_def
            && ngx_envelope_order_same(st[i], st[j])
            && ngx_envelope_order_covers(&st[i]->address, &st[j]->address))
        {
            return 0;
        }
    }

    if (st[by]->def == &ngx_envelope_sign_def) {
        return ngx_envelope_covered_template(format, i, by,
                                             &st[by]->u.sign.over);
    }

    if (i < by
        && ngx_envelope_covered_place(format, i, by, &st[by]->address))
    {
        return 1;
    }

    step = ngx_envelope_steps_gcm(&st[by]->u.field.steps);

    return step && step->aad
           && ngx_envelope_covered_template(format, i, by, step->aad);
}


static ngx_uint_t
ngx_envelope_covered_template(ngx_envelope_format_t *format, ngx_uint_t i,
    ngx_uint_t by, ngx_envelope_template_t *template)
{
    ngx_uint_t                  n;
    ngx_envelope_piece_t       *piece;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;
    piece = template->pieces.elts;

    for (n = 0; n < template->pieces.nelts; n++) {

        switch (piece[n].kind) {

        case NGX_ENVELOPE_PIECE_ADDRESS:
            if (ngx_envelope_covered_place(format, i, by, &piece[n].address))
            {
                return 1;
            }

            break;

        case NGX_ENVELOPE_PIECE_BODY:
            if (st[i]->address.kind == NGX_ENVELOPE_ADDRESS_MEMBER) {
                return 1;
            }

            break;

        case NGX_ENVELOPE_PIECE_SORTED:
            if (ngx_envelope_covered_sorted(format, i, by)) {
                return 1;
            }

            break;

        default:
            break;
        }
    }

    return 0;
}


/* whether it stands in that place of what "by" is about */

static ngx_uint_t
ngx_envelope_covered_place(ngx_envelope_format_t *format, ngx_uint_t i,
    ngx_uint_t by, ngx_envelope_address_t *place)
{
    ngx_envelope_address_t  *a;

    a = ngx_envelope_covered_outer(format, i, by);

    return a
           && (a->kind == NGX_ENVELOPE_ADDRESS_MEMBER)
              == (place->kind == NGX_ENVELOPE_ADDRESS_MEMBER)
           && ngx_envelope_order_covers(a, place);
}


static ngx_uint_t
ngx_envelope_covered_sorted(ngx_envelope_format_t *format, ngx_uint_t i,
    ngx_uint_t by)
{
    ngx_str_t                  *except;
    ngx_uint_t                  j;
    ngx_envelope_sign_t        *sign;
    ngx_envelope_address_t     *a;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;
    a = ngx_envelope_covered_outer(format, i, by);

    if (a == NULL || a->kind != NGX_ENVELOPE_ADDRESS_MEMBER) {
        return 0;
    }

    sign = &st[by]->u.sign;
    except = sign->except.elts;

    for (j = 0; j < sign->except.nelts; j++) {
        if (ngx_envelope_str_equal(&except[j], &a->tokens[0].text)) {
            return 0;
        }
    }

    /* the signature itself, and what is written only after it */

    for (j = by; j < format->statements.nelts; j++) {
        if (st[j]->writes
            && ngx_envelope_order_same(st[by], st[j])
            && ngx_envelope_order_covers(a, &st[j]->address))
        {
            return 0;
        }
    }

    return 1;
}


/*
 * The address in the document that "by" is about: what is in the plain
 * message goes with the member that "body" puts it into.  NULL: it is not in
 * there.
 */

static ngx_envelope_address_t *
ngx_envelope_covered_outer(ngx_envelope_format_t *format, ngx_uint_t i,
    ngx_uint_t by)
{
    ngx_uint_t                  j;
    ngx_envelope_address_t     *a;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;
    a = &st[i]->address;

    if (a->kind != NGX_ENVELOPE_ADDRESS_MEMBER
        || ngx_envelope_order_same(st[i], st[by]))
    {
        return a;
    }

    for (j = i; j < by; j++) {
        if (st[j]->def == &ngx_envelope_body_def) {
            return &st[j]->address;
        }
    }

    return NULL;
}
