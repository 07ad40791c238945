
/*
 * Copyright (C) The ngx_http_envelope_module authors
 */


#include "ngx_envelope_run.h"


/* combinations of keys that opening may have to try for one message */

#define NGX_ENVELOPE_ATTEMPTS_MAX  64


static ngx_int_t ngx_envelope_link_writers(ngx_envelope_format_t *format,
    ngx_uint_t i, ngx_envelope_reason_t *reason);
static void ngx_envelope_link_inner(ngx_envelope_format_t *format,
    ngx_uint_t i);
static void ngx_envelope_link_inner_steps(ngx_envelope_format_t *format,
    ngx_envelope_steps_t *steps, ngx_uint_t i);
static void ngx_envelope_link_inner_template(ngx_envelope_format_t *format,
    ngx_envelope_template_t *template, ngx_uint_t i);
static ngx_uint_t ngx_envelope_link_is_inner(ngx_envelope_format_t *format,
    ngx_envelope_address_t *address, ngx_uint_t i);
static ngx_int_t ngx_envelope_link_attempts(ngx_envelope_format_t *format,
    ngx_envelope_reason_t *reason);


ngx_int_t
ngx_envelope_format_link(ngx_envelope_format_t *format,
    ngx_envelope_statement_t **statement, ngx_envelope_reason_t *reason)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;
    *statement = NULL;

    for (i = 0; i < format->statements.nelts; i++) {
        *statement = st[i];

        if (st[i]->def->link) {
            rc = st[i]->def->link(format, st[i], reason);
            if (rc != NGX_OK) {
                return rc;
            }
        }

        rc = ngx_envelope_link_writers(format, i, reason);
        if (rc != NGX_OK) {
            return rc;
        }

        ngx_envelope_link_inner(format, i);
    }

    return ngx_envelope_link_attempts(format, reason);
}


/* two statements that write the same place cannot both be undone */

static ngx_int_t
ngx_envelope_link_writers(ngx_envelope_format_t *format, ngx_uint_t i,
    ngx_envelope_reason_t *reason)
{
    ngx_uint_t                  j;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;

    if (!st[i]->writes) {
        return NGX_OK;
    }

    for (j = 0; j < i; j++) {

        if (st[j]->writes && st[j]->plain == st[i]->plain
            && ngx_envelope_address_equal(&st[i]->address, &st[j]->address))
        {
            return ngx_envelope_declined(reason, "\"%V\" is written by line "
                                         "%ui already",
                                         &st[i]->address.text, st[j]->line);
        }
    }

    return NGX_OK;
}


/* marks the addresses that are in sight only after something was opened */

static void
ngx_envelope_link_inner(ngx_envelope_format_t *format, ngx_uint_t i)
{
    ngx_envelope_sign_t        *sign;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;

    st[i]->address.inner =
                    ngx_envelope_link_is_inner(format, &st[i]->address, i);

    if (st[i]->def == &ngx_envelope_field_def) {
        ngx_envelope_link_inner_steps(format, &st[i]->u.field.steps, i);
        return;
    }

    if (st[i]->def == &ngx_envelope_sign_def) {
        sign = &st[i]->u.sign;

        if (sign->kid) {
            sign->kid->inner = ngx_envelope_link_is_inner(format, sign->kid,
                                                          i);
        }

        ngx_envelope_link_inner_template(format, &sign->over, i);
        ngx_envelope_link_inner_steps(format, &sign->steps, i);
    }
}


static void
ngx_envelope_link_inner_steps(ngx_envelope_format_t *format,
    ngx_envelope_steps_t *steps, ngx_uint_t i)
{
    ngx_uint_t            n;
    ngx_envelope_step_t  *step;

    step = steps->elts.elts;

    for (n = 0; n < steps->elts.nelts; n++) {

        if (step[n].aad) {
            ngx_envelope_link_inner_template(format, step[n].aad, i);
        }

        if (step[n].iv.kind == NGX_ENVELOPE_REF_ADDRESS) {
            step[n].iv.address->inner =
                 ngx_envelope_link_is_inner(format, step[n].iv.address, i);
        }
    }
}


static void
ngx_envelope_link_inner_template(ngx_envelope_format_t *format,
    ngx_envelope_template_t *template, ngx_uint_t i)
{
    ngx_uint_t             n;
    ngx_envelope_piece_t  *piece;

    piece = template->pieces.elts;

    for (n = 0; n < template->pieces.nelts; n++) {

        if (piece[n].kind == NGX_ENVELOPE_PIECE_ADDRESS) {
            piece[n].address.inner =
                   ngx_envelope_link_is_inner(format, &piece[n].address, i);
        }
    }
}


static ngx_uint_t
ngx_envelope_link_is_inner(ngx_envelope_format_t *format,
    ngx_envelope_address_t *address, ngx_uint_t i)
{
    ngx_envelope_statement_t  **st;

    if (address->kind != NGX_ENVELOPE_ADDRESS_MEMBER) {
        return 0;
    }

    st = format->statements.elts;

    for (i++; i < format->statements.nelts; i++) {

        if (st[i]->def == &ngx_envelope_body_def) {
            return 1;
        }

        if (st[i]->def == &ngx_envelope_field_def
            && address->n > st[i]->address.n
            && ngx_envelope_address_below(address, &st[i]->address))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_envelope_link_attempts(ngx_envelope_format_t *format,
    ngx_envelope_reason_t *reason)
{
    ngx_uint_t             i, n;
    ngx_envelope_ring_t  **rings;

    n = 1;
    rings = format->rings.elts;

    for (i = 0; i < format->rings.nelts; i++) {
        n *= ngx_max(rings[i]->keys.nelts + rings[i]->secrets.nelts, 1);

        if (n > NGX_ENVELOPE_ATTEMPTS_MAX) {
            return ngx_envelope_declined(reason, "the key rings make more "
                                         "than %d combinations to try",
                                         NGX_ENVELOPE_ATTEMPTS_MAX);
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_envelope_format_check(ngx_envelope_format_t *format,
    ngx_envelope_direction_e direction, ngx_envelope_statement_t **statement,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i, n;
    ngx_envelope_check_t        check;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;
    n = format->statements.nelts;
    *statement = NULL;

    check.direction = direction;
    check.known = 0;

    for (i = 0; i < n; i++) {
        check.position = (direction == NGX_ENVELOPE_SEAL) ? i : n - 1 - i;
        *statement = st[check.position];

        if ((*statement)->def->check == NULL) {
            continue;
        }

        rc = (*statement)->def->check(format, *statement, &check, reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_envelope_format_authentic(ngx_envelope_format_t *format)
{
    ngx_uint_t                  i;
    ngx_envelope_sign_t        *sign;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;

    for (i = 0; i < format->statements.nelts; i++) {

        if (st[i]->def == &ngx_envelope_field_def
            && ngx_envelope_steps_authentic(&st[i]->u.field.steps))
        {
            return 1;
        }

        if (st[i]->def != &ngx_envelope_sign_def) {
            continue;
        }

        sign = &st[i]->u.sign;

        if (sign->over.secret || sign->key.kind == NGX_ENVELOPE_REF_RING) {
            return 1;
        }
    }

    return 0;
}
