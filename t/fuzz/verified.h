
/*
 * What each format has verified: the parts of an opened message that nobody
 * but a holder of the keys can have chosen.
 */


#ifndef _VERIFIED_H_INCLUDED_
#define _VERIFIED_H_INCLUDED_


#include "profiles.h"


/* a message as a text: fields, one a line, an empty line, the body */

util ngx_str_t
fuzz_flatten(fuzz_headers_t *headers, ngx_str_t *body)
{
    u_char                 *p;
    size_t                  len;
    ngx_str_t               v;
    ngx_uint_t              i;
    ngx_envelope_header_t  *field;

    len = 1 + body->len;

    for (i = 0; i < headers->n; i++) {
        field = &headers->fields[i];
        len += field->name.len + field->value.len + 2;
    }

    v.data = ngx_pnalloc(pool, len);
    p = v.data;

    for (i = 0; i < headers->n; i++) {
        field = &headers->fields[i];

        p = ngx_cpymem(p, field->name.data, field->name.len);
        *p++ = ':';
        p = ngx_cpymem(p, field->value.data, field->value.len);
        *p++ = '\n';
    }

    *p++ = '\n';

    if (body->len) {
        p = ngx_cpymem(p, body->data, body->len);
    }

    v.len = p - v.data;

    return v;
}


static ngx_str_t
fuzz_header(fuzz_headers_t *headers, const char *name)
{
    ngx_str_t   v;
    ngx_uint_t  i;

    ngx_str_null(&v);

    for (i = 0; i < headers->n; i++) {
        if (headers->fields[i].name.len == strlen(name)
            && ngx_strncasecmp(headers->fields[i].name.data, (u_char *) name,
                               strlen(name))
               == 0)
        {
            v = headers->fields[i].value;
        }
    }

    return v;
}


/*
 * An outer message that opened: what a statement addresses stands there once,
 * <sorted> joins nothing that stands there twice, constants are what they are.
 */

util void
fuzz_outer(fuzz_format_t *f, ngx_str_t *body)
{
    naive_t                    *v, *root;
    ngx_uint_t                  i;
    ngx_envelope_statement_t  **st;

    if (!f->format->members) {
        return;
    }

    root = naive_json(body);
    check(root != NULL && root->type == NGX_ENVELOPE_JSON_OBJECT);

    st = f->format->statements.elts;

    for (i = 0; i < f->format->statements.nelts; i++) {

        for (v = root->child; v; v = v->next) {

            if (st[i]->def == &ngx_envelope_sign_def
                && st[i]->u.sign.over.sorted && !st[i]->u.sign.over.inner)
            {
                check(!v->twice);
            }

            if (st[i]->address.n == 0 || st[i]->address.inner
                || !fuzz_same(&st[i]->address.tokens[0].text, &v->name))
            {
                continue;
            }

            check(!v->twice);

            if (st[i]->def == &ngx_envelope_set_def
                && st[i]->address.n == 1
                && !st[i]->u.set.variable
                && st[i]->u.set.type == NGX_ENVELOPE_SET_STRING)
            {
                check(v->type == NGX_ENVELOPE_JSON_STRING);
                check(fuzz_same(&v->value, &st[i]->u.set.text));
            }
        }
    }
}


/* one member's text, byte by byte */

static void
fuzz_same_member(naive_t *a, naive_t *b, const char *name)
{
    naive_t    *x, *y;
    ngx_str_t   one, two;

    x = naive_get(a, name);
    y = naive_get(b, name);

    check((x == NULL) == (y == NULL));

    if (x) {
        one = naive_raw(x);
        two = naive_raw(y);
        check(fuzz_same(&one, &two));
    }
}


/*
 * "plain" was sealed and became "sealed"; "sent" is what was opened, maybe
 * another message, and "opened" what came of it.
 */

util void
fuzz_verified(fuzz_format_t *f, ngx_str_t *plain, fuzz_headers_t *sealed,
    fuzz_headers_t *sent, ngx_str_t *opened)
{
    naive_t     *a, *b;
    ngx_str_t    one, two;

    static const char  *hybrid[] = {
        /* encrypted; taken out in sealing; not signed */
        "bizContent", "apiKey", "timestamp", "key", "sig",
        "rsaType", "aesType", NULL
    };

    static const char  *timed[] = {
        "bizContent", "timestamp", "key", "sig", "rsaType", "aesType", NULL
    };

    if (fuzz_is(f, "unified")
        || (fuzz_is(f, "merchant_card") && f->format->body))
    {
        check(fuzz_same(plain, opened));
        return;
    }

    if (fuzz_is(f, "virtual_card")) {
        one = fuzz_header(sealed, "appId");
        two = fuzz_header(sent, "appId");
        check(fuzz_same(&one, &two));

        one = fuzz_header(sealed, "timestamp");
        two = fuzz_header(sent, "timestamp");
        check(fuzz_same(&one, &two));
        return;
    }

    if (!fuzz_is(f, "vm_hybrid") && !fuzz_is(f, "v2pay")
        && !fuzz_is(f, "merchant_card"))
    {
        return;
    }

    a = naive_json(plain);
    b = naive_json(opened);
    check(a != NULL && b != NULL);

    if (fuzz_is(f, "merchant_card")) {
        fuzz_same_member(a, b, strcmp(f->message, "response") ? "data"
                                                              : "result");
        return;
    }

    fuzz_same_member(a, b, "bizContent");

    if (fuzz_is(f, "vm_hybrid")) {
        check(naive_sorted(b, strcmp(f->message, "request") ? timed : hybrid,
                           0, &two));

        /* the plain message may have brought what was taken out of it */

        if (naive_sorted(a, strcmp(f->message, "request") ? timed : hybrid, 0,
                         &one))
        {
            check(fuzz_same(&one, &two));
        }
    }
}


#endif /* _VERIFIED_H_INCLUDED_ */
