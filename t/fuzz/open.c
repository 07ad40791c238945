
/*
 * Whole messages through every shipped profile and those of more.conf.
 *
 * The first byte chooses the format, the second what the rest is: a message,
 * as fields, one a line, an empty line, and a body; or changes to a message
 * that was sealed here, four bytes each: what, where (two), with which byte,
 * or which member is to stand there twice.  What opens and is authenticated is
 * what was sealed.
 */


#include "verified.h"


FUZZ_MUTATIONS(12000);


#define FUZZ_CHANGES  16


typedef struct {
    ngx_str_t        plain;
    fuzz_headers_t   headers;      /* as sent */
    ngx_str_t        text;         /* the whole of it */
} fuzz_sealed_t;


/* every format seals one of these */

static const char  *fuzz_plain[] = {
    "{\"code\":0,\"success\":true,\"statusCode\":0,\"data\":{\"a\":\"1\"},"
    "\"bizContent\": {\"x\":[1.0,\"caf\xc3\xa9\"]},\"result\":[1],"
    "\"a\":[{\"b\":\"x\"}],\"d\":\"0123456789ab\",\"e\":1}",

    "{\"code\":200,\"bizContent\":[],\"a\":\"text\",\"b\":null,\"c\":\"v\"}",

    NULL
};

static fuzz_sealed_t  fuzz_sealed[FUZZ_FORMATS];


static ngx_uint_t
fuzz_make(fuzz_format_t *f, fuzz_sealed_t *s, const char *plain)
{
    ngx_str_t               body;
    ngx_envelope_output_t   out;

    s->plain = fuzz_text(plain);

    s->headers.n = 1;
    ngx_str_set(&s->headers.fields[0].name, "X");
    ngx_str_set(&s->headers.fields[0].value, "a value");

    fuzz_transform(f->format, NGX_ENVELOPE_SEAL, &s->plain, &s->headers,
                   &out);

    if (out.outcome != NGX_ENVELOPE_SEALED) {
        return 0;
    }

    body = out.body;
    fuzz_apply(&s->headers, &out);
    s->text = fuzz_flatten(&s->headers, &body);

    return 1;
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    ngx_uint_t  i, j;

    fuzz_profiles();

    for (i = 0; i < fuzz_nformats; i++) {

        for (j = 0; fuzz_plain[j]; j++) {
            if (fuzz_make(&fuzz_formats[i], &fuzz_sealed[i], fuzz_plain[j])) {
                break;
            }
        }

        if (fuzz_plain[j] == NULL) {
            fuzz_broken(fuzz_formats[i].message, fuzz_formats[i].profile);
        }
    }

    return 0;
}


/* puts a member of the body once more in front of all of them */

static void
fuzz_double(ngx_str_t *text, size_t n, ngx_uint_t other)
{
    u_char       *brace, *p;
    naive_t      *v;
    ngx_str_t     body, raw, copy;

    brace = ngx_strlchr(text->data, text->data + text->len, '{');
    if (brace == NULL) {
        return;
    }

    body.data = brace;
    body.len = text->data + text->len - brace;

    v = naive_json(&body);
    v = v ? v->child : NULL;

    while (v && n-- && v->next) {
        v = v->next;
    }

    if (v == NULL) {
        return;
    }

    raw = naive_raw(v);

    if (other) {
        ngx_str_set(&raw, "\"\"");
    }

    copy.data = ngx_pnalloc(pool, text->len + v->name.len + raw.len
                                  + FUZZ_CHANGES + 4);

    p = ngx_cpymem(copy.data, text->data, brace + 1 - text->data);
    *p++ = '"';
    p = ngx_cpymem(p, v->name.data, v->name.len);
    *p++ = '"';
    *p++ = ':';
    p = ngx_cpymem(p, raw.data, raw.len);
    *p++ = ',';
    p = ngx_cpymem(p, brace + 1, body.len - 1);

    copy.len = p - copy.data;
    *text = copy;
}


static ngx_str_t
fuzz_changed(ngx_str_t *text, fuzz_input_t *in)
{
    u_char      what, ch;
    size_t      at;
    ngx_str_t   v;
    ngx_uint_t  i;

    v.data = ngx_pnalloc(pool, text->len + FUZZ_CHANGES);
    v.len = text->len;
    ngx_memcpy(v.data, text->data, text->len);

    for (i = 0; i < FUZZ_CHANGES && in->p < in->end; i++) {
        what = fuzz_byte(in);
        at = fuzz_number(in, v.len);
        ch = fuzz_byte(in);

        switch (what % 4) {

        case 0:
            v.data[at] = ch;
            break;

        case 1:
            ngx_memmove(v.data + at + 1, v.data + at, v.len - at);
            v.data[at] = ch;
            v.len++;
            break;

        case 2:
            ngx_memmove(v.data + at, v.data + at + 1, v.len - at - 1);
            v.len--;
            break;

        default:
            fuzz_double(&v, ch, at & 1);
            break;
        }

        if (v.len == 0) {
            break;
        }
    }

    return v;
}


static void
fuzz_one(fuzz_input_t *in)
{
    u_char                  i, raw;
    ngx_str_t               text, body;
    fuzz_input_t            message;
    fuzz_sealed_t          *s;
    fuzz_format_t          *f;
    fuzz_headers_t          headers;
    ngx_envelope_output_t   out;

    i = fuzz_byte(in) % fuzz_nformats;
    raw = fuzz_byte(in) & 1;

    f = &fuzz_formats[i];
    s = &fuzz_sealed[i];

    text = raw ? fuzz_rest(in) : fuzz_changed(&s->text, in);

    message.p = text.data;
    message.end = text.data + text.len;

    fuzz_read_headers(&message, &headers);
    body = fuzz_rest(&message);

    fuzz_transform(f->format, NGX_ENVELOPE_OPEN, &body, &headers, &out);

    if (fuzz_same(&text, &s->text)) {
        check(out.outcome == NGX_ENVELOPE_OPENED);
    }

    if (out.outcome == NGX_ENVELOPE_OPENED) {
        fuzz_outer(f, &body);
        fuzz_verified(f, &s->plain, &s->headers, &headers, &out.body);
    }
}


FUZZ_TARGET(fuzz_one)
