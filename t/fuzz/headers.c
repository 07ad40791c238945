
/*
 * Header fields and their "param=value" lists, held against a reading of the
 * same rules from the other end: the value is cut at the separators that are
 * in no quotes.
 *
 * The input is a header's name, a param and a value for it, each ended by a
 * line feed, and then fields, one a line.
 */


#include "naive.h"

#include "ngx_envelope_headers.h"


FUZZ_MUTATIONS(40000);


#define FUZZ_FIELDS  12


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    fuzz_start();

    return 0;
}


static ngx_uint_t
fuzz_alike(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0
               || ngx_strncasecmp(a->data, b->data, a->len) == 0);
}


static void
fuzz_trim(ngx_str_t *v)
{
    while (v->len && (v->data[0] == ' ' || v->data[0] == '\t')) {
        v->data++;
        v->len--;
    }

    while (v->len && (v->data[v->len - 1] == ' '
                      || v->data[v->len - 1] == '\t'))
    {
        v->len--;
    }
}


/* an item's value if it is of that param */

static ngx_uint_t
fuzz_item(ngx_str_t item, ngx_str_t *param, ngx_str_t *value)
{
    size_t      i;
    ngx_str_t   name;
    ngx_uint_t  quotes;

    fuzz_trim(&item);

    if (item.len == 0) {
        return 0;
    }

    for (i = 0, quotes = 0; i < item.len; i++) {
        quotes += (item.data[i] == '"');

        if (item.data[i] == '=' && quotes % 2 == 0) {
            break;
        }
    }

    name.data = item.data;
    name.len = i;

    value->data = item.data + ngx_min(i + 1, item.len);
    value->len = item.len - ngx_min(i + 1, item.len);

    if (value->len > 1
        && value->data[0] == '"' && value->data[value->len - 1] == '"')
    {
        value->data++;
        value->len -= 2;
    }

    return fuzz_alike(&name, param);
}


/* whether there is an nth one, and its value */

static ngx_uint_t
fuzz_param(ngx_envelope_header_t *fields, ngx_uint_t n, ngx_str_t *name,
    ngx_str_t *param, ngx_uint_t nth, ngx_str_t *value)
{
    size_t      i, from;
    ngx_str_t   item, *text;
    ngx_uint_t  quotes, f;

    for (f = 0; f < n; f++) {

        if (!fuzz_alike(&fields[f].name, name)) {
            continue;
        }

        text = &fields[f].value;

        for (i = 0, from = 0, quotes = 0; i <= text->len; i++) {

            if (i < text->len) {
                quotes += (text->data[i] == '"');

                if (quotes % 2
                    || (text->data[i] != ',' && text->data[i] != ';'))
                {
                    continue;
                }
            }

            item.data = text->data + from;
            item.len = i - from;
            from = i + 1;

            if (fuzz_item(item, param, value) && nth-- == 0) {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_uint_t
fuzz_balanced(ngx_str_t *text)
{
    size_t      i;
    ngx_uint_t  quotes;

    for (i = 0, quotes = 0; i < text->len; i++) {
        quotes += (text->data[i] == '"');
    }

    return quotes % 2 == 0;
}


/* what was set can be read, once, and what was removed cannot */

static void
fuzz_set(ngx_envelope_headers_t *headers, ngx_str_t *name, ngx_str_t *value)
{
    size_t      i;
    ngx_int_t   rc;
    ngx_str_t   got;
    ngx_uint_t  bad;

    for (i = 0, bad = 0; i < value->len; i++) {
        bad |= (value->data[i] < ' ' && value->data[i] != '\t');
        bad |= (value->data[i] == 0x7f);
    }

    rc = ngx_envelope_headers_set(headers, name, value, &reason);
    check(rc == (bad ? NGX_DECLINED : NGX_OK));

    if (rc == NGX_OK) {
        check(ngx_envelope_headers_get(headers, name, &got) == 1);
        check(fuzz_same(&got, value));
    }

    check(ngx_envelope_headers_remove(headers, name) == NGX_OK);
    check(ngx_envelope_headers_get(headers, name, &got) == 0);
    check(headers->touched.nelts > 0);
}


static void
fuzz_set_param(ngx_envelope_headers_t *headers, ngx_str_t *name,
    ngx_str_t *param, ngx_str_t *value)
{
    size_t                  i;
    ngx_int_t               rc;
    ngx_str_t               got;
    ngx_uint_t              plain, balanced;
    ngx_envelope_header_t  *fields;

    /* a quote that is not closed swallows the field that is joined to it */

    fields = headers->fields.elts;

    for (i = 0, balanced = 1; i < headers->fields.nelts; i++) {
        balanced &= !fuzz_alike(&fields[i].name, name)
                    || fuzz_balanced(&fields[i].value);
    }

    check(ngx_envelope_headers_remove_param(headers, name, param) == NGX_OK);

    check(!balanced
          || ngx_envelope_headers_param(headers, name, param, 0, &got)
             == NGX_DECLINED);

    rc = ngx_envelope_headers_set_param(headers, name, param, value, &reason);

    if (rc != NGX_OK) {
        check(rc == NGX_DECLINED && reason.len);
        return;
    }

    /* a name that an address can have */

    for (i = 0, plain = (param->len > 0); i < param->len; i++) {
        plain &= (strchr(",;=\" \t", param->data[i]) == NULL);
    }

    if (plain && balanced) {
        check(ngx_envelope_headers_param(headers, name, param, 0, &got)
              == NGX_OK);
        check(fuzz_same(&got, value));
        check(ngx_envelope_headers_param(headers, name, param, 1, &got)
              == NGX_DECLINED);
    }
}


static void
fuzz_one(fuzz_input_t *in)
{
    ngx_int_t                rc;
    ngx_str_t                name, param, value, got, expected;
    ngx_uint_t               i, n, times;
    ngx_envelope_header_t    fields[FUZZ_FIELDS];
    ngx_envelope_headers_t   headers;

    name = fuzz_until(in, '\n');
    param = fuzz_until(in, '\n');
    value = fuzz_until(in, '\n');

    for (n = 0; n < FUZZ_FIELDS && in->p < in->end; n++) {
        fields[n].name = fuzz_until(in, ':');
        fields[n].value = fuzz_until(in, '\n');
        fuzz_trim(&fields[n].value);
    }

    check(ngx_envelope_headers_init(&headers, pool, fields, n) == NGX_OK);

    for (i = 0, times = 0; i < n; i++) {
        if (fuzz_alike(&fields[i].name, &name)) {
            expected = times++ ? expected : fields[i].value;
        }
    }

    check(ngx_envelope_headers_get(&headers, &name, &got) == times);
    check(times == 0 || fuzz_same(&got, &expected));

    for (i = 0; i < 3; i++) {
        rc = ngx_envelope_headers_param(&headers, &name, &param, i, &got);

        check(rc == (fuzz_param(fields, n, &name, &param, i, &expected)
                     ? NGX_OK : NGX_DECLINED));
        check(rc != NGX_OK || fuzz_same(&got, &expected));
    }

    fuzz_set_param(&headers, &name, &param, &value);
    fuzz_set(&headers, &name, &value);
}


FUZZ_TARGET(fuzz_one)
