
/*
 * Templates and <sorted>: the text that is signed, put together here once
 * more from the message, must have the MAC that sealing wrote.
 *
 * The input is a byte of flags, then a template, the names of "except=", the
 * value of the header X, each ended by a byte 0xff, and a body.
 */


#include "profiles.h"

#include "ngx_envelope_codec.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>


FUZZ_MUTATIONS(20000);


#define FUZZ_EXCEPT  8
#define FUZZ_SECRET  "0123456789abcdef"


typedef struct {
    naive_t      *object;     /* NULL where the body is none */
    ngx_str_t     body;
    ngx_str_t     header;
    const char   *except[FUZZ_EXCEPT + 1];
    ngx_uint_t    skip;
    u_char       *p;          /* of the text */
} fuzz_text_t;


static ngx_envelope_profile_t  *fuzz_profile;


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    ngx_str_t  name, id, value;

    fuzz_start();

    fuzz_pool = ngx_create_pool(4096, &shim_log);
    pool = fuzz_pool;

    ngx_str_set(&name, "app");
    ngx_str_set(&id, "");
    ngx_str_set(&value, FUZZ_SECRET);

    fuzz_profile = ngx_envelope_profile_create(fuzz_pool, &name);

    if (ngx_envelope_profile_add_secret(fuzz_profile, &name, &id, &value,
                                        &reason)
        != NGX_OK)
    {
        fuzz_broken("a secret", "template.c");
    }

    return 0;
}


static ngx_uint_t
fuzz_put(fuzz_text_t *t, ngx_str_t *v)
{
    if (v->len) {
        t->p = ngx_cpymem(t->p, v->data, v->len);
    }

    return 1;
}


/* what stands between "<" and ">"; 0 where the message has no such thing */

static ngx_uint_t
fuzz_mark(fuzz_text_t *t, ngx_str_t *mark)
{
    naive_t    *v, *other;
    ngx_str_t   value;

    static ngx_str_t  secret = ngx_string(FUZZ_SECRET);

    if (mark->len == 4 && memcmp(mark->data, "body", 4) == 0) {
        return fuzz_put(t, &t->body);
    }

    if (mark->len == 6 && memcmp(mark->data, "sorted", 6) == 0) {
        return naive_sorted(t->object, t->except, t->skip, &value)
               && fuzz_put(t, &value);
    }

    if (mark->len == 10 && memcmp(mark->data, "secret:app", 10) == 0) {
        return fuzz_put(t, &secret);
    }

    if (mark->len > 7 && memcmp(mark->data, "header:", 7) == 0) {
        return mark->len == 8 && (mark->data[7] | 0x20) == 'x'
               && fuzz_put(t, &t->header);
    }

    v = NULL;

    for (other = t->object->child; other; other = other->next) {

        if (!fuzz_same(&other->name, mark)) {
            continue;
        }

        if (v || other->lone) {
            return 0;
        }

        v = other;
    }

    if (v == NULL) {
        return 0;
    }

    value = naive_read(v);

    return fuzz_put(t, &value);
}


/*
 * The template's text; 0 where the message cannot be sealed, and 2 for what
 * this knows nothing of.
 */

static ngx_uint_t
fuzz_expand(fuzz_text_t *t, ngx_str_t *template)
{
    u_char      *p, *end, *close;
    ngx_str_t    mark, value;
    ngx_uint_t   good;

    good = 1;
    p = template->data;
    end = p + template->len;

    while (p < end) {

        if (*p == '<' && p + 1 < end && p[1] == '<') {
            *t->p++ = '<';
            p += 2;
            continue;
        }

        if (*p != '<') {
            mark.data = p;

            while (p < end && *p != '<') {
                p++;
            }

            mark.len = p - mark.data;
            value = fuzz_value(&mark);
            (void) fuzz_put(t, &value);
            continue;
        }

        close = memchr(p, '>', end - p);

        mark.data = p + 1;
        mark.len = close - mark.data;
        p = close + 1;

        /* pointers and params are for other targets */

        if (mark.data[0] == '/'
            || (mark.len > 7 && memcmp(mark.data, "header:", 7) == 0
                && memchr(mark.data + 7, ':', mark.len - 7)))
        {
            return 2;
        }

        good &= fuzz_mark(t, &mark);
    }

    return good;
}


/* the names between commas */

static void
fuzz_except(fuzz_text_t *t, ngx_str_t *names)
{
    ngx_str_t      name;
    ngx_uint_t     i;
    fuzz_input_t   in;

    in.p = names->data;
    in.end = names->data + names->len;

    for (i = 0; i < FUZZ_EXCEPT && in.p < in.end; i++) {
        name = fuzz_until(&in, ',');
        t->except[i] = fuzz_cstr(&name);
    }

    t->except[i] = NULL;
}


static ngx_uint_t
fuzz_word(ngx_str_t *args, ngx_uint_t n, const char *name, ngx_str_t *value)
{
    u_char  *p;
    size_t   len;

    len = strlen(name);

    args[n].len = len + (value ? value->len : 0);
    args[n].data = ngx_pnalloc(pool, args[n].len);

    p = ngx_cpymem(args[n].data, name, len);

    if (value && value->len) {
        ngx_memcpy(p, value->data, value->len);
    }

    return n + 1;
}


/* as with any parameter, quotes around it are none of it */

static void
fuzz_unquote(ngx_str_t *v)
{
    if (v->len > 1 && strchr("\"'", v->data[0]) && v->data[0]
        && v->data[0] == v->data[v->len - 1])
    {
        v->data++;
        v->len -= 2;
    }
}


/* NULL for what is refused */

static ngx_envelope_format_t *
fuzz_format(ngx_str_t *template, ngx_str_t *except, ngx_uint_t skip)
{
    ngx_str_t                  args[FUZZ_ARGS], file;
    ngx_uint_t                 n;
    ngx_envelope_format_t     *format;
    ngx_envelope_statement_t  *st;

    n = fuzz_word(args, 0, "sign", NULL);
    n = fuzz_word(args, n, "header:S", NULL);
    n = fuzz_word(args, n, "=", NULL);
    n = fuzz_word(args, n, "hs256", NULL);
    n = fuzz_word(args, n, "key=app", NULL);
    n = fuzz_word(args, n, "over=", template);

    if (except->len) {
        n = fuzz_word(args, n, "except=", except);
    }

    if (skip) {
        n = fuzz_word(args, n, "skip=empty", NULL);
    }

    n = fuzz_word(args, n, "|", NULL);
    n = fuzz_word(args, n, "hex", NULL);

    ngx_str_set(&file, "fuzz.conf");

    format = ngx_envelope_format_create(pool, fuzz_profile,
                                        NGX_ENVELOPE_REQUEST);

    if (ngx_envelope_format_add(format, args, n, &file, 1, &reason) != NGX_OK
        || ngx_envelope_format_link(format, &st, &reason) != NGX_OK
        || ngx_envelope_format_check(format, NGX_ENVELOPE_SEAL, &st, &reason)
           != NGX_OK
        || ngx_envelope_format_check(format, NGX_ENVELOPE_OPEN, &st, &reason)
           != NGX_OK)
    {
        check(reason.len);
        return NULL;
    }

    return format;
}


static void
fuzz_signed(ngx_envelope_output_t *out, u_char *text, size_t len)
{
    u_char                  mac[EVP_MAX_MD_SIZE];
    unsigned                n;
    ngx_str_t               bytes, hex;
    ngx_envelope_header_t  *edit;

    check(HMAC(EVP_sha256(), FUZZ_SECRET, sizeof(FUZZ_SECRET) - 1, text, len,
               mac, &n)
          != NULL);

    bytes.data = mac;
    bytes.len = n;
    hex.data = ngx_pnalloc(pool, 2 * n);
    ngx_envelope_hex_encode(&hex, &bytes);

    edit = out->headers.elts;
    check(out->headers.nelts == 1);
    check(fuzz_same(&edit->value, &hex));
}


static void
fuzz_one(fuzz_input_t *in)
{
    u_char                  flags, *from;
    ngx_str_t               template, except;
    ngx_uint_t              rc;
    fuzz_text_t             t;
    fuzz_headers_t          headers;
    ngx_envelope_format_t  *format;
    ngx_envelope_output_t   out;

    flags = fuzz_byte(in);
    template = fuzz_until(in, 0xff);
    except = fuzz_until(in, 0xff);

    headers.n = 1;
    ngx_str_set(&headers.fields[0].name, "x");
    headers.fields[0].value = fuzz_until(in, 0xff);

    t.header = headers.fields[0].value;
    t.body = fuzz_rest(in);
    t.skip = flags & 1;

    format = fuzz_format(&template, &except, t.skip);

    if (format == NULL
        || (except.len && memchr(except.data, '\0', except.len)))
    {
        return;
    }

    fuzz_unquote(&template);
    fuzz_unquote(&except);
    fuzz_except(&t, &except);

    fuzz_transform(format, NGX_ENVELOPE_SEAL, &t.body, &headers, &out);

    t.object = naive_json(&t.body);

    if (format->members
        && (t.object == NULL || t.object->type != NGX_ENVELOPE_JSON_OBJECT))
    {
        check(out.outcome == NGX_ENVELOPE_REJECTED);
        return;
    }

    from = ngx_pnalloc(pool, (template.len + 1) * (t.body.len + 64) * 2);
    t.p = from;

    rc = fuzz_expand(&t, &template);

    if (rc == 2) {
        return;
    }

    check(out.outcome == (rc ? NGX_ENVELOPE_SEALED : NGX_ENVELOPE_REJECTED));

    if (rc == 0) {
        return;
    }

    fuzz_signed(&out, from, t.p - from);

    /* and it opens */

    fuzz_apply(&headers, &out);
    fuzz_transform(format, NGX_ENVELOPE_OPEN, &t.body, &headers, &out);
    check(out.outcome == NGX_ENVELOPE_OPENED);
    check(fuzz_same(&out.body, &t.body));
}


FUZZ_TARGET(fuzz_one)
