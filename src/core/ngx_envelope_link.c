
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"


/* combinations of keys that opening may have to try for one message */

#define NGX_ENVELOPE_ATTEMPTS_MAX  64


static ngx_int_t ngx_envelope_link_attempts(ngx_envelope_format_t *format,
    ngx_envelope_reason_t *reason);
static ngx_uint_t ngx_envelope_ref_same(ngx_envelope_ref_t *a,
    ngx_envelope_ref_t *b);


ngx_int_t
ngx_envelope_format_link(ngx_envelope_format_t *format,
    ngx_envelope_statement_t **statement, ngx_envelope_reason_t *reason)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_envelope_statement_t  **st;

    reason->len = 0;

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

        rc = ngx_envelope_format_order(format, i, reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    *statement = NULL;

    rc = ngx_envelope_link_attempts(format, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_envelope_format_weigh(format, NGX_ENVELOPE_SEAL);
    ngx_envelope_format_weigh(format, NGX_ENVELOPE_OPEN);

    return NGX_OK;
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

        if ((format->tries >> i & 1) == 0) {
            continue;
        }

        n *= rings[i]->keys.nelts + rings[i]->secrets.nelts;

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

    reason->len = 0;

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
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;

    for (i = 0; i < format->statements.nelts; i++) {

        if (ngx_envelope_statement_proves(st[i])) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_envelope_statement_proves(ngx_envelope_statement_t *st)
{
    ngx_envelope_sign_t  *sign;

    /* what may be left out proves nothing */

    if (st->def == &ngx_envelope_field_def) {
        return !st->u.field.optional
               && !st->address.many
               && ngx_envelope_steps_authentic(&st->u.field.steps);
    }

    if (st->def != &ngx_envelope_sign_def) {
        return 0;
    }

    sign = &st->u.sign;

    return sign->over.secret || sign->key.kind == NGX_ENVELOPE_REF_RING;
}


ngx_envelope_statement_t *
ngx_envelope_format_repeats(ngx_envelope_format_t *format)
{
    ngx_uint_t                  i, j;
    ngx_envelope_step_t        *a, *b;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;

    for (i = 0; i < format->statements.nelts; i++) {

        if (st[i]->def != &ngx_envelope_field_def) {
            continue;
        }

        a = ngx_envelope_steps_gcm(&st[i]->u.field.steps);

        if (a == NULL || a->iv.kind == NGX_ENVELOPE_REF_PREFIX) {
            continue;
        }

        if (st[i]->address.many
            || ((a->iv.kind == NGX_ENVELOPE_REF_CONSTANT
                 || a->iv.kind == NGX_ENVELOPE_REF_RING)
                && a->key.kind == NGX_ENVELOPE_REF_RING))
        {
            return st[i];
        }

        for (j = 0; j < i; j++) {

            if (st[j]->def != &ngx_envelope_field_def) {
                continue;
            }

            b = ngx_envelope_steps_gcm(&st[j]->u.field.steps);

            if (b
                && ngx_envelope_ref_same(&a->key, &b->key)
                && ngx_envelope_ref_same(&a->iv, &b->iv))
            {
                return st[i];
            }
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_envelope_ref_same(ngx_envelope_ref_t *a, ngx_envelope_ref_t *b)
{
    return a->kind == b->kind
           && a->kind != NGX_ENVELOPE_REF_PREFIX
           && ngx_envelope_str_equal(&a->text, &b->text);
}
