
/* Header fields, their params and what is done to them. */


#include "keyutil.h"

#include "ngx_envelope_headers.h"


static ngx_pool_t              *pool;
static ngx_envelope_reason_t    reason;
static ngx_envelope_headers_t   headers;


static void
init(const char *fields)
{
    char                   *copy, *name, *value, *save;
    ngx_uint_t              n;
    ngx_envelope_header_t   list[16];

    copy = (char *) bytes(pool, fields, strlen(fields) + 1).data;

    for (n = 0, name = strtok_r(copy, "\n", &save); name;
         name = strtok_r(NULL, "\n", &save), n++)
    {
        value = strchr(name, ':');
        *value++ = '\0';
        list[n].name = bytes(pool, name, strlen(name));
        list[n].value = bytes(pool, value, strlen(value));
    }

    if (ngx_envelope_headers_init(&headers, pool, list, n) != NGX_OK) {
        exit(1);
    }
}


/* all fields, joined; "!" and what was touched */

static void
shows(const char *expected, const char *name)
{
    ngx_str_t              *touched, text;
    ngx_uint_t              i;
    ngx_envelope_header_t  *h;

    static u_char  buf[4096];

    text.data = buf;
    text.len = 0;
    buf[0] = '\0';
    h = headers.fields.elts;

    for (i = 0; i < headers.fields.nelts; i++) {
        text.len = ngx_snprintf(buf + text.len, 4096 - text.len, "%V:%V\n",
                                &h[i].name, &h[i].value) - buf;
    }

    touched = headers.touched.elts;

    for (i = 0; i < headers.touched.nelts; i++) {
        text.len = ngx_snprintf(buf + text.len, 4096 - text.len, "!%V",
                                &touched[i]) - buf;
    }

    is_str(text, expected, "%s", name);
}


static void
test_get(void)
{
    ngx_str_t  name, value;

    init("Accept:*\nX-Sig:one\nx-sIG:two\nX-Si:g\n");

    name = str("x-sig");
    is_int(ngx_envelope_headers_get(&headers, &name, &value), 2, "two");
    is_str(value, "one", "the first");
    name = str("X-SI");
    is_int(ngx_envelope_headers_get(&headers, &name, &value), 1, "one");
    is_str(value, "g", "it");
    name = str("X-S");
    is_int(ngx_envelope_headers_get(&headers, &name, &value), 0, "none");

    name = str("Accept");
    value = str("text/plain");
    is_int(ngx_envelope_headers_set(&headers, &name, &value, &reason),
           NGX_OK, "set");
    name = str("x-sig");
    is_int(ngx_envelope_headers_remove(&headers, &name), NGX_OK, "remove");
    is_int(ngx_envelope_headers_remove(&headers, &name), NGX_OK, "again");
    shows("X-Si:g\nAccept:text/plain\n!Accept!x-sig", "edits");

    ngx_str_null(&value);
    ngx_envelope_headers_set(&headers, &name, &value, &reason);
    is_int(ngx_envelope_headers_get(&headers, &name, &value), 1, "empty");
    ok(value.len == 0 && value.data != NULL, "but not NULL");
}


static void
param(const char *header, const char *p, ngx_uint_t nth, const char *expected)
{
    ngx_str_t  name = str("S"), key = str(p), value;

    init(header);

    if (ngx_envelope_headers_param(&headers, &name, &key, nth, &value)
        != NGX_OK)
    {
        ok(expected == NULL, "%s: no %s %d", header, p, (int) nth);
        return;
    }

    if (expected == NULL) {
        fail("%s: a %s %d", header, p, (int) nth);
        return;
    }

    is_str(value, expected, "%s: %s %d", header, p, (int) nth);
}


static void
test_param(void)
{
    param("S:t=1,v1=abc", "t", 0, "1");
    param("S:t=1,v1=abc", "v1", 0, "abc");
    param("S:t=1,v1=abc", "V1", 0, "abc");
    param("S:t=1,v1=abc", "v", 0, NULL);
    param("S:t=1,v1=abc", "v1", 1, NULL);
    param("S: t=1 ;\tv1=abc= ,, ;v1=x y \t", "v1", 0, "abc=");
    param("S: t=1 ;\tv1=abc= ,, ;v1=x y \t", "v1", 1, "x y");
    param("S:v1=a\nT:v1=b\nS:v1=c", "v1", 1, "c");
    param("S:v1=a\nT:v1=b\nS:v1=c", "v1", 2, NULL);
    param("S:t=\"a,v1=b;c\",v1=\"\"", "v1", 0, "");
    param("S:t=\"a,v1=b;c\",v1=\"\"", "t", 0, "a,v1=b;c");
    param("S:t=\"a,v1=b", "v1", 0, NULL);
    param("S:t=\"a,v1=b", "t", 0, "\"a,v1=b");
    param("S:v1", "v1", 0, "");
    param("S:v1=", "v1", 0, "");
    param("S:=x", "v1", 0, NULL);
    param("S:v1=\"", "v1", 0, "\"");
    param("S:v1 =x", "v1", 0, NULL);
    param("S:v1= x", "v1", 0, " x");
    param("S:", "v1", 0, NULL);
    param("S: , ;", "v1", 0, NULL);
    param("S:a=b=c;d", "a", 0, "b=c");
}


static void
edit(const char *header, const char *p, const char *v, const char *expected)
{
    ngx_str_t  name = str("S"), key = str(p), value;

    init(header);

    if (v) {
        value = str(v);
        is_int(ngx_envelope_headers_set_param(&headers, &name, &key, &value,
                                              &reason),
               NGX_OK, "%s: set %s", header, p);

    } else {
        is_int(ngx_envelope_headers_remove_param(&headers, &name, &key),
               NGX_OK, "%s: remove %s", header, p);
    }

    shows(expected, header);
}


static void
test_edit(void)
{
    ngx_str_t    name = str("S"), key = str("v1"), value;
    ngx_uint_t   i;

    static const char  *bad[] = { "a,b", "a;b", "\"a\"", "a b", "a\tb",
                                  "a\nb", "\x7f", NULL };

    edit("T:x", "v1", "abc", "T:x\nS:v1=abc\n!S");
    edit("S:t=1", "v1", "abc", "S:t=1,v1=abc\n!S");
    edit("S:t=1", "v1", "", "S:t=1,v1=\n!S");
    edit("S:", "v1", "abc", "S:v1=abc\n!S");

    edit("S:t=1,v1=abc, v0=\"a,b\"", "v1", NULL, "S:t=1,v0=\"a,b\"\n!S");
    edit("S:t=1,v1=abc;V1=d", "v1", NULL, "S:t=1\n!S");
    edit("S:v1=abc", "v1", NULL, "!S");
    edit("T:1", "v1", NULL, "T:1\n!S");
    edit("S:a=1 ; b\nT:1\ns:v1=0,c=3", "v1", NULL, "T:1\nS:a=1,b,c=3\n!S");

    init("S:t=1");

    for (i = 0; bad[i]; i++) {
        value = str(bad[i]);
        is_int(ngx_envelope_headers_set_param(&headers, &name, &key, &value,
                                              &reason),
               NGX_DECLINED, "a param that is none, %d", (int) i);
    }

    value = bytes(pool, "a\0b", 3);
    is_int(ngx_envelope_headers_set(&headers, &name, &value, &reason),
           NGX_DECLINED, "NUL");
    is_int(ngx_envelope_headers_set_param(&headers, &name, &key, &value,
                                          &reason),
           NGX_DECLINED, "NUL in a param");
    value = str("a\tb \xc3\xa9");
    is_int(ngx_envelope_headers_set(&headers, &name, &value, &reason),
           NGX_OK, "a tab and more than ASCII");
}


static void
test_oom(void)
{
    ngx_int_t              i, rc;
    ngx_str_t              name, key, value;
    ngx_envelope_header_t  fields[6];

    name = str("S");
    key = str("v");
    value = str("1");

    for (i = 0; i < 6; i++) {
        fields[i].name = name;
        fields[i].value = str("a=1");
    }

    for (i = 0; /* void */ ; i++) {
        shim_reset();
        shim_fail_at = i;

        rc = ngx_envelope_headers_init(&headers, pool, fields, 6);

        for (key.len = 0; rc == NGX_OK && key.len < 10; key.len++) {
            key.data = (u_char *) "abcdefghij";
            rc = ngx_envelope_headers_set(&headers, &key, &value, &reason);
        }

        if (rc == NGX_OK) {
            rc = ngx_envelope_headers_set_param(&headers, &name, &key,
                                                &value, &reason);
        }

        if (rc == NGX_OK) {
            rc = ngx_envelope_headers_remove_param(&headers, &name, &key);
        }

        if (rc == NGX_OK) {
            key = str("other");
            rc = ngx_envelope_headers_remove(&headers, &key);
        }

        if (rc != NGX_ERROR) {
            break;
        }
    }

    is_int(rc, NGX_OK, "all allocations failed once");
    ok(i > 5, "there were some");
    shim_fail_at = -1;
}


int
main(void)
{
    shim_reset();
    pool = ngx_create_pool(4096, &shim_log);

    test_get();
    test_param();
    test_edit();
    test_oom();

    ngx_destroy_pool(pool);
    is_int(shim_live, 0, "nothing is left");

    return done_testing();
}
