
/*
 * open(seal(x)) is x, for any plain message in any format, but for the places
 * that the format writes; and a sealed message of which one byte is changed
 * does not open to anything else that was verified.
 *
 * The first byte chooses the format, the next three the change; then fields,
 * one a line, an empty line, and the plain body.
 */


#include "verified.h"


FUZZ_MUTATIONS(12000);


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    fuzz_profiles();

    return 0;
}


/* whether sealing writes the top-level member of a plain message */

static ngx_uint_t
fuzz_written(ngx_envelope_format_t *format, naive_t *v)
{
    ngx_uint_t                  i;
    ngx_envelope_address_t     *kid;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;

    for (i = 0; i < format->statements.nelts; i++) {

        if (!st[i]->writes || !st[i]->plain) {
            continue;
        }

        if (st[i]->address.n
            && fuzz_same(&st[i]->address.tokens[0].text, &v->name))
        {
            return 1;
        }

        kid = (st[i]->def == &ngx_envelope_sign_def) ? st[i]->u.sign.kid
                                                     : NULL;

        if (kid && kid->n && fuzz_same(&kid->tokens[0].text, &v->name)) {
            return 1;
        }
    }

    return 0;
}


/* a string that goes through steps as bytes may come back without escapes */

static ngx_uint_t
fuzz_respelled(ngx_envelope_format_t *format, naive_t *v)
{
    ngx_uint_t                  i;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;

    for (i = 0; i < format->statements.nelts; i++) {

        if (st[i]->def == &ngx_envelope_field_def
            && st[i]->u.field.source == NGX_ENVELOPE_SOURCE_STRING
            && st[i]->address.n == 1
            && v->type == NGX_ENVELOPE_JSON_STRING
            && fuzz_same(&st[i]->address.tokens[0].text, &v->name))
        {
            return 1;
        }
    }

    return 0;
}


static naive_t *
fuzz_next(ngx_envelope_format_t *format, naive_t *v)
{
    while (v && fuzz_written(format, v)) {
        v = v->next;
    }

    return v;
}


/* the members of both but for those written, in their order, byte by byte */

static void
fuzz_members(ngx_envelope_format_t *format, ngx_str_t *plain,
    ngx_str_t *opened)
{
    naive_t    *a, *b;
    ngx_str_t   x, y;

    a = naive_json(plain);
    b = naive_json(opened);
    check(a != NULL && b != NULL);
    check(a->type == b->type);

    a = fuzz_next(format, a->child);
    b = fuzz_next(format, b->child);

    while (a && b) {
        x = naive_raw(a);
        y = naive_raw(b);

        check(fuzz_same(&a->name, &b->name));

        if (fuzz_respelled(format, a)) {
            x = naive_read(a);
            y = naive_read(b);
            check(a->type == b->type);
        }

        check(fuzz_same(&x, &y));

        a = fuzz_next(format, a->next);
        b = fuzz_next(format, b->next);
    }

    check(a == NULL && b == NULL);
}


static ngx_uint_t
fuzz_keeps(ngx_envelope_format_t *format)
{
    ngx_uint_t                  i;
    ngx_envelope_statement_t  **st;

    st = format->statements.elts;

    for (i = 0; i < format->statements.nelts; i++) {
        if (st[i]->def == &ngx_envelope_body_def) {
            return st[i]->u.set.keep;
        }
    }

    return 1;
}


static void
fuzz_equal(ngx_envelope_format_t *format, ngx_str_t *plain, ngx_str_t *opened)
{
    naive_t    *v;
    ngx_str_t   empty, raw;

    if (fuzz_same(plain, opened)) {
        return;
    }

    if (plain->len == 0) {
        ngx_str_set(&empty, "{}");
        check(fuzz_same(opened, &empty));
        return;
    }

    /* a "body" that no field seals leaves out the white space around it */

    raw = naive_raw(naive_json(plain));

    if (!fuzz_keeps(format) && fuzz_same(&raw, opened)) {
        return;
    }

    fuzz_members(format, plain, opened);

    /* that is an excuse only where something could not stay as it was */

    for (v = naive_json(plain)->child; v; v = v->next) {
        if (fuzz_written(format, v) || fuzz_respelled(format, v)) {
            return;
        }
    }

    for (v = naive_json(opened)->child; v; v = v->next) {
        if (fuzz_written(format, v)) {
            return;
        }
    }

    check(0);
}


/* fields that sealing has not touched are there in the end */

static void
fuzz_untouched(fuzz_headers_t *plain, fuzz_headers_t *opened,
    ngx_envelope_output_t *edits)
{
    ngx_uint_t              i, j;
    ngx_envelope_header_t  *edit, *field;

    edit = edits->headers.elts;

    for (i = 0; i < plain->n; i++) {
        field = &plain->fields[i];

        for (j = 0; j < edits->headers.nelts; j++) {
            if (edit[j].name.len == field->name.len
                && ngx_strncasecmp(edit[j].name.data, field->name.data,
                                   field->name.len)
                   == 0)
            {
                break;
            }
        }

        if (j < edits->headers.nelts) {
            continue;
        }

        for (j = 0; j < opened->n; j++) {
            if (fuzz_same(&opened->fields[j].name, &field->name)
                && fuzz_same(&opened->fields[j].value, &field->value))
            {
                break;
            }
        }

        check(j < opened->n);
    }
}


/* a body of JSON is enough for these, and nothing less is for any */

static void
fuzz_refused(fuzz_format_t *f, ngx_str_t *plain, ngx_envelope_output_t *out)
{
    naive_t  *v;

    v = plain->len ? naive_json(plain) : NULL;

    if (f->format->members && plain->len && v == NULL) {
        check(out->outcome == NGX_ENVELOPE_REJECTED);
    }

    if (v && (fuzz_is(f, "unified")
              || (f->format->body && fuzz_is(f, "vm_content"))
              || (f->format->body && fuzz_is(f, "merchant_card"))))
    {
        check(out->outcome == NGX_ENVELOPE_SEALED);
    }

    if (fuzz_is(f, "virtual_card")) {
        check(out->outcome == NGX_ENVELOPE_SEALED);
    }
}


static void
fuzz_tampered(fuzz_format_t *f, ngx_str_t *plain, ngx_str_t *text,
    fuzz_headers_t *sealed, size_t at, u_char mask)
{
    ngx_str_t               body;
    fuzz_input_t            in;
    fuzz_headers_t          headers;
    ngx_envelope_output_t   out;

    text->data[at % text->len] ^= mask;

    in.p = text->data;
    in.end = text->data + text->len;

    fuzz_read_headers(&in, &headers);
    body = fuzz_rest(&in);

    fuzz_transform(f->format, NGX_ENVELOPE_OPEN, &body, &headers, &out);

    if (out.outcome == NGX_ENVELOPE_OPENED) {
        fuzz_outer(f, &body);
        fuzz_verified(f, plain, sealed, &headers, &out.body);
    }
}


static void
fuzz_one(fuzz_input_t *in)
{
    u_char                  mask;
    size_t                  at;
    ngx_str_t               plain, body, text;
    fuzz_format_t          *f;
    fuzz_headers_t          headers, sealed, after;
    ngx_envelope_output_t   out, opened;

    f = &fuzz_formats[fuzz_byte(in) % fuzz_nformats];
    at = fuzz_number(in, 65536);
    mask = fuzz_byte(in);

    fuzz_read_headers(in, &headers);
    plain = fuzz_rest(in);

    fuzz_transform(f->format, NGX_ENVELOPE_SEAL, &plain, &headers, &out);
    fuzz_refused(f, &plain, &out);

    if (out.outcome != NGX_ENVELOPE_SEALED) {
        return;
    }

    /* in memory of its own, as on the wire */

    body = fuzz_str(out.body.data, out.body.len);
    sealed = headers;
    fuzz_apply(&sealed, &out);

    fuzz_transform(f->format, NGX_ENVELOPE_OPEN, &body, &sealed, &opened);

    check(opened.outcome == NGX_ENVELOPE_OPENED);

    fuzz_equal(f->format, &plain, &opened.body);

    after = sealed;
    fuzz_apply(&after, &opened);
    fuzz_untouched(&headers, &after, &out);

    text = fuzz_flatten(&sealed, &body);

    fuzz_tampered(f, &opened.body, &text, &sealed, at, mask);
}


FUZZ_TARGET(fuzz_one)
