
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"


/*
 * The order of statements: what one reads or writes and what the others do
 * to it, before and after.  Of two documents there is talk: the plain
 * message, and the envelope that "body" puts it into.
 */


static ngx_int_t ngx_envelope_uses_add(ngx_array_t *uses,
    ngx_envelope_address_t *address, ngx_envelope_use_kind_e kind);
static ngx_int_t ngx_envelope_uses_template(ngx_array_t *uses,
    ngx_envelope_template_t *template, ngx_envelope_use_kind_e kind);
static ngx_int_t ngx_envelope_uses_steps(ngx_array_t *uses,
    ngx_envelope_steps_t *steps);

static ngx_uint_t ngx_envelope_order_written(ngx_envelope_statement_t *st,
    ngx_envelope_address_t **written);

static ngx_uint_t ngx_envelope_order_inner(ngx_envelope_format_t *format,
    ngx_uint_t i, ngx_envelope_use_t *use);
static ngx_int_t ngx_envelope_order_sealed(ngx_envelope_format_t *format,
    ngx_uint_t i, ngx_envelope_use_t *use, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_order_read(ngx_envelope_format_t *format,
    ngx_uint_t i, ngx_envelope_use_t *use, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_order_writers(ngx_envelope_format_t *format,
    ngx_uint_t i, ngx_envelope_address_t *address,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_order_fields(ngx_envelope_format_t *format,
    ngx_uint_t i, ngx_envelope_reason_t *reason);
static void ngx_envelope_order_floor(ngx_envelope_format_t *format,
    ngx_uint_t i, ngx_envelope_address_t *address);
static void ngx_envelope_order_when(ngx_envelope_format_t *format,
    ngx_uint_t i);
static void ngx_envelope_order_body(ngx_envelope_format_t *format,
    ngx_uint_t i);


#define NGX_ENVELOPE_WRITTEN_MAX  2   /* a signature and its key's id */


ngx_int_t
ngx_envelope_statement_uses(ngx_envelope_statement_t *st, ngx_array_t *uses)
{
    ngx_int_t                 rc;
    ngx_envelope_sign_t      *sign;
    ngx_envelope_use_kind_e   kind;

    rc = NGX_OK;

    kind = (st->def == &ngx_envelope_fresh_def
            || st->def == &ngx_envelope_once_def)
           ? NGX_ENVELOPE_USE_READ : NGX_ENVELOPE_USE_OWN;

    /* "random" has no address */

    if (st->address.text.len) {
        rc = ngx_envelope_uses_add(uses, &st->address, kind);
    }

    if (rc == NGX_OK && st->def == &ngx_envelope_field_def) {
        rc = ngx_envelope_uses_steps(uses, &st->u.field.steps);
    }

    if (st->def != &ngx_envelope_sign_def) {
        return rc;
    }

    sign = &st->u.sign;

    if (rc == NGX_OK && sign->kid) {
        rc = ngx_envelope_uses_add(uses, sign->kid, NGX_ENVELOPE_USE_KID);
    }

    if (rc == NGX_OK) {
        rc = ngx_envelope_uses_template(uses, &sign->over,
                                        NGX_ENVELOPE_USE_OVER);
    }

    return (rc == NGX_OK) ? ngx_envelope_uses_steps(uses, &sign->steps) : rc;
}


static ngx_int_t
ngx_envelope_uses_add(ngx_array_t *uses, ngx_envelope_address_t *address,
    ngx_envelope_use_kind_e kind)
{
    ngx_envelope_use_t  *use;

    use = ngx_array_push(uses);
    if (use == NULL) {
        return NGX_ERROR;
    }

    use->address = address;
    use->kind = kind;

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_uses_template(ngx_array_t *uses,
    ngx_envelope_template_t *template, ngx_envelope_use_kind_e kind)
{
    ngx_uint_t             i;
    ngx_envelope_piece_t  *piece;

    piece = template->pieces.elts;

    for (i = 0; i < template->pieces.nelts; i++) {

        if (piece[i].kind == NGX_ENVELOPE_PIECE_ADDRESS
            && ngx_envelope_uses_add(uses, &piece[i].address, kind) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_uses_steps(ngx_array_t *uses, ngx_envelope_steps_t *steps)
{
    ngx_uint_t            i;
    ngx_envelope_step_t  *step;

    step = steps->elts.elts;

    for (i = 0; i < steps->elts.nelts; i++) {

        if (step[i].iv.kind == NGX_ENVELOPE_REF_ADDRESS
            && ngx_envelope_uses_add(uses, step[i].iv.address,
                                     NGX_ENVELOPE_USE_STEP)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (step[i].aad
            && ngx_envelope_uses_template(uses, step[i].aad,
                                          NGX_ENVELOPE_USE_STEP)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_envelope_format_order(ngx_envelope_format_t *format, ngx_uint_t i,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t                   rc;
    ngx_uint_t                  n;
    ngx_array_t                 uses;
    ngx_envelope_use_t         *use;
    ngx_envelope_address_t     *written[NGX_ENVELOPE_WRITTEN_MAX];
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;

    if (ngx_array_init(&uses, format->pool, 4, sizeof(ngx_envelope_use_t))
        != NGX_OK
        || ngx_envelope_statement_uses(st[i], &uses) != NGX_OK)
    {
        return NGX_ERROR;
    }

    use = uses.elts;

    for (n = 0; n < uses.nelts; n++) {

        use[n].address->inner = ngx_envelope_order_inner(format, i, &use[n]);

        rc = ngx_envelope_order_sealed(format, i, &use[n], reason);
        if (rc != NGX_OK) {
            return rc;
        }

        rc = ngx_envelope_order_read(format, i, &use[n], reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    for (n = ngx_envelope_order_written(st[i], written); n > 0; n--) {

        rc = ngx_envelope_order_writers(format, i, written[n - 1], reason);
        if (rc != NGX_OK) {
            return rc;
        }

        ngx_envelope_order_floor(format, i, written[n - 1]);
    }

    if (st[i]->def == &ngx_envelope_when_def) {
        ngx_envelope_order_when(format, i);

    } else if (st[i]->def == &ngx_envelope_body_def) {
        ngx_envelope_order_body(format, i);
    }

    return ngx_envelope_order_fields(format, i, reason);
}


ngx_uint_t
ngx_envelope_order_same(ngx_envelope_statement_t *a,
    ngx_envelope_statement_t *b)
{
    return (a->plain && a->def != &ngx_envelope_body_def)
           == (b->plain && b->def != &ngx_envelope_body_def);
}


ngx_uint_t
ngx_envelope_order_covers(ngx_envelope_address_t *a,
    ngx_envelope_address_t *b)
{
    if (a->kind == NGX_ENVELOPE_ADDRESS_MEMBER) {
        return ngx_envelope_address_below(a, b);
    }

    return ngx_envelope_address_equal(a, b)
           || (a->kind == NGX_ENVELOPE_ADDRESS_PARAM
               && b->kind == NGX_ENVELOPE_ADDRESS_HEADER
               && a->header.len == b->header.len
               && ngx_strncasecmp(a->header.data, b->header.data,
                                  a->header.len)
                  == 0);
}


/* the addresses that sealing makes; the first one is the statement's own */

static ngx_uint_t
ngx_envelope_order_written(ngx_envelope_statement_t *st,
    ngx_envelope_address_t **written)
{
    ngx_uint_t  n;

    n = 0;

    if (st->writes || st->def == &ngx_envelope_body_def) {
        written[n++] = &st->address;
    }

    if (st->def == &ngx_envelope_sign_def && st->u.sign.kid) {
        written[n++] = st->u.sign.kid;
    }

    return n;
}


/*
 * Whether it is not in sight from outside.  A value that is looked at, as by
 * "set", and goes through a field later on is not, too.
 */

static ngx_uint_t
ngx_envelope_order_inner(ngx_envelope_format_t *format, ngx_uint_t i,
    ngx_envelope_use_t *use)
{
    ngx_uint_t                  value;
    ngx_envelope_address_t     *a, *b;
    ngx_envelope_statement_t  **st;

    a = use->address;
    st = format->statements.elts;
    value = (use->kind == NGX_ENVELOPE_USE_READ
             || (use->kind == NGX_ENVELOPE_USE_OWN
                 && st[i]->def == &ngx_envelope_set_def));

    for (i++; i < format->statements.nelts; i++) {
        b = &st[i]->address;

        if (a->kind != NGX_ENVELOPE_ADDRESS_MEMBER) {

            if (value
                && (st[i]->writes || st[i]->def == &ngx_envelope_field_def)
                && (ngx_envelope_order_covers(b, a)
                    || ngx_envelope_order_covers(a, b)))
            {
                return 1;
            }

            continue;
        }

        if (st[i]->def == &ngx_envelope_body_def) {
            return 1;
        }

        if (st[i]->def == &ngx_envelope_field_def
            && a->n + value > b->n
            && ngx_envelope_address_below(a, b))
        {
            return 1;
        }
    }

    return 0;
}


/* nobody can look into what a field has made */

static ngx_int_t
ngx_envelope_order_sealed(ngx_envelope_format_t *format, ngx_uint_t i,
    ngx_envelope_use_t *use, ngx_envelope_reason_t *reason)
{
    ngx_uint_t                  j, when;
    ngx_envelope_address_t     *a, *b;
    ngx_envelope_statement_t  **st;

    a = use->address;
    st = format->statements.elts;
    when = (st[i]->def == &ngx_envelope_when_def);

    for (j = 0; j < (when ? format->statements.nelts : i); j++) {
        b = &st[j]->address;

        if (st[j]->def != &ngx_envelope_field_def
            || a->n <= b->n
            || !ngx_envelope_order_same(st[i], st[j])
            || !ngx_envelope_address_below(a, b))
        {
            continue;
        }

        if (when) {
            return ngx_envelope_declined(reason, "it is asked before anything "
                                         "is opened, and \"%V\" is inside of "
                                         "\"%V\" then", &a->text, &b->text);
        }

        return ngx_envelope_declined(reason, "\"%V\" is inside of \"%V\", "
                                     "which line %ui has sealed by then, "
                                     "move this up", &a->text, &b->text,
                                     st[j]->line);
    }

    return NGX_OK;
}


/* what is read when sealing has to be there, and be the same when opening */

static ngx_int_t
ngx_envelope_order_read(ngx_envelope_format_t *format, ngx_uint_t i,
    ngx_envelope_use_t *use, ngx_envelope_reason_t *reason)
{
    ngx_uint_t                  j, n;
    ngx_envelope_address_t     *a, *own;
    ngx_envelope_address_t     *written[NGX_ENVELOPE_WRITTEN_MAX];
    ngx_envelope_statement_t  **st;

    if (use->kind == NGX_ENVELOPE_USE_OWN
        || use->kind == NGX_ENVELOPE_USE_KID)
    {
        return NGX_OK;
    }

    a = use->address;
    st = format->statements.elts;
    own = &st[i]->address;

    if (use->kind == NGX_ENVELOPE_USE_STEP
        && (ngx_envelope_order_covers(a, own)
            || ngx_envelope_order_covers(own, a)))
    {
        return ngx_envelope_declined(reason, "a step cannot read \"%V\", "
                                     "which this statement changes",
                                     &a->text);
    }

    for (j = i; j < format->statements.nelts; j++) {

        if (!ngx_envelope_order_same(st[i], st[j])
            && a->kind == NGX_ENVELOPE_ADDRESS_MEMBER)
        {
            continue;
        }

        n = ngx_envelope_order_written(st[j], written);

        /* a signature writes the key's id before it signs */

        n = ngx_min(n, (j == i) ? 1 : n);

        while (n-- > 0) {

            if (ngx_envelope_order_covers(a, written[n])) {
                return ngx_envelope_declined(reason,
                                       (use->kind == NGX_ENVELOPE_USE_READ)
                                       ? "\"%V\" is written by \"%V\" only "
                                         "later, move that up"
                                       : "<%V> is written by \"%V\" only "
                                         "later, move that up",
                                       &a->text, &st[j]->label);
            }
        }
    }

    return NGX_OK;
}


/* two statements that write the same place cannot both be undone */

static ngx_int_t
ngx_envelope_order_writers(ngx_envelope_format_t *format, ngx_uint_t i,
    ngx_envelope_address_t *a, ngx_envelope_reason_t *reason)
{
    ngx_uint_t                  j, n, member;
    ngx_envelope_address_t     *b, *written[NGX_ENVELOPE_WRITTEN_MAX];
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;
    member = (a->kind == NGX_ENVELOPE_ADDRESS_MEMBER);

    for (j = 0; j <= i; j++) {

        if (member && !ngx_envelope_order_same(st[i], st[j])) {
            continue;
        }

        for (n = ngx_envelope_order_written(st[j], written); n > 0; n--) {
            b = written[n - 1];

            if (a == b) {
                continue;
            }

            if (ngx_envelope_address_equal(a, b)) {
                return ngx_envelope_declined(reason, "\"%V\" is written by "
                                             "line %ui already", &a->text,
                                             st[j]->line);
            }

            /* a param goes behind what its header has, and not before it */

            if (!member && ngx_envelope_order_covers(b, a)) {
                return ngx_envelope_declined(reason, "\"%V\" writes over "
                                             "\"%V\", which line %ui writes, "
                                             "move this up", &a->text,
                                             &b->text, st[j]->line);
            }

            /* the value that "body" writes is an object like any other */

            if (member
                && (ngx_envelope_address_below(b, a)
                    || (ngx_envelope_address_below(a, b)
                        && st[j]->def != &ngx_envelope_body_def)))
            {
                return ngx_envelope_declined(reason, "\"%V\" and \"%V\", "
                                             "which line %ui writes, are one "
                                             "inside of the other", &a->text,
                                             &b->text, st[j]->line);
            }
        }
    }

    return NGX_OK;
}


/* a field finds its value in the message, or what was written before it */

static ngx_int_t
ngx_envelope_order_fields(ngx_envelope_format_t *format, ngx_uint_t i,
    ngx_envelope_reason_t *reason)
{
    ngx_uint_t                  j;
    ngx_envelope_address_t     *a, *b;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;
    a = &st[i]->address;

    if (st[i]->def != &ngx_envelope_field_def || st[i]->writes) {
        return NGX_OK;
    }

    for (j = 0; j < format->statements.nelts; j++) {
        b = &st[j]->address;

        if (!st[j]->writes
            || (a->kind == NGX_ENVELOPE_ADDRESS_MEMBER
                && !ngx_envelope_order_same(st[i], st[j]))
            || !ngx_envelope_order_covers(a, b)
            || (j < i && ngx_envelope_address_equal(a, b)))
        {
            continue;
        }

        return ngx_envelope_declined(reason, "line %ui writes \"%V\" anew",
                                     st[j]->line, &b->text);
    }

    return NGX_OK;
}


/* an object that the format asks for by itself does not go with a member */

static void
ngx_envelope_order_floor(ngx_envelope_format_t *format, ngx_uint_t i,
    ngx_envelope_address_t *a)
{
    ngx_uint_t                  j;
    ngx_envelope_address_t     *b;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;

    for (j = 0; j < format->statements.nelts; j++) {
        b = &st[j]->address;

        if (b->n < a->n && b->n > a->floor
            && ngx_envelope_order_same(st[i], st[j])
            && ngx_envelope_address_below(a, b))
        {
            a->floor = b->n;
        }
    }
}


/* what the format writes itself can be asked for when it is there */

static void
ngx_envelope_order_when(ngx_envelope_format_t *format, ngx_uint_t i)
{
    ngx_uint_t                  j;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;

    for (j = 0; j < format->statements.nelts; j++) {

        if (st[j]->writes
            && (!st[j]->plain || st[i]->plain == st[j]->plain)
            && ngx_envelope_address_equal(&st[i]->address, &st[j]->address))
        {
            st[i]->u.set.written = 1;
        }
    }
}


/*
 * What was signed before is out of sight; and whether a field is sure to seal
 * the body as a whole.
 */

static void
ngx_envelope_order_body(ngx_envelope_format_t *format, ngx_uint_t i)
{
    ngx_uint_t                  j;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;

    for (j = 0; j < i; j++) {
        if (st[j]->def == &ngx_envelope_sign_def) {
            st[j]->u.sign.over.inner = 1;
        }
    }

    for (j = i + 1; j < format->statements.nelts; j++) {

        if (st[j]->def == &ngx_envelope_field_def
            && !st[j]->u.field.optional
            && ngx_envelope_address_equal(&st[i]->address, &st[j]->address))
        {
            st[i]->u.set.keep = 1;
        }
    }
}
