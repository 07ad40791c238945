
/*
 * The statements of a message format: what is no format is refused with a
 * reason; what is accepted for both directions opens what it has sealed.
 *
 * The input is the statements, a byte 0xff, and a plain body; there is one to
 * use where it is missing.
 */


#include "profiles.h"


FUZZ_MUTATIONS(8000);


static ngx_str_t  fuzz_profile_text = ngx_string(
    "envelope_profile format {"
    "key merchant a; key platform b;"
    "secret k16 data:0123456789abcdef text;"
    "secret k24 data:0123456789abcdef01234567 text;"
    "secret k32 data:0123456789abcdef0123456789abcdef text;"
    "secret ids data:first text id=one;"
    "secret ids data:second text id=two;"
    "request { set a 1; } }"
);

static ngx_envelope_profile_t  *fuzz_profile;


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    fuzz_conf_t  conf;

    fuzz_start();

    fuzz_pool = ngx_create_pool(4096, &shim_log);
    pool = fuzz_pool;

    conf.p = fuzz_profile_text.data;
    conf.end = conf.p + fuzz_profile_text.len;

    (void) fuzz_conf_next(&conf);
    fuzz_conf_profile(&conf, "format.c");

    fuzz_profile = fuzz_formats[0].format->profile;

    return 0;
}


/* NULL for what is refused */

static ngx_envelope_format_t *
fuzz_read(ngx_str_t *text, ngx_envelope_message_e message)
{
    ngx_int_t                  rc;
    ngx_str_t                  file;
    ngx_uint_t                 line, n;
    fuzz_conf_t                conf;
    ngx_envelope_format_t     *format;
    ngx_envelope_statement_t  *st;

    ngx_str_set(&file, "fuzz.conf");

    conf.p = text->data;
    conf.end = text->data + text->len;

    format = ngx_envelope_format_create(pool, fuzz_profile, message);
    check(format != NULL);

    for (line = 1; fuzz_conf_next(&conf); line++) {

        if (conf.n == 0 || conf.stop != ';') {
            break;
        }

        reason.len = 0;

        rc = ngx_envelope_format_add(format, conf.args, conf.n, &file, line,
                                     &reason);
        if (rc != NGX_OK) {
            check(rc == NGX_DECLINED && reason.len);
            return NULL;
        }
    }

    reason.len = 0;
    st = NULL;

    rc = ngx_envelope_format_link(format, &st, &reason);
    if (rc != NGX_OK) {
        check(rc == NGX_DECLINED && reason.len);
        return NULL;
    }

    for (n = 0; n < 2; n++) {
        rc = ngx_envelope_format_check(format, n ? NGX_ENVELOPE_OPEN
                                                 : NGX_ENVELOPE_SEAL,
                                       &st, &reason);
        if (rc != NGX_OK) {
            check(rc == NGX_DECLINED && reason.len);
            return NULL;
        }
    }

    (void) ngx_envelope_format_authentic(format);
    (void) ngx_envelope_format_repeats(format);

    return format;
}


static void
fuzz_both(ngx_envelope_format_t *format, ngx_str_t *plain)
{
    ngx_str_t               body;
    fuzz_headers_t          headers;
    ngx_envelope_output_t   out;

    headers.n = 1;
    ngx_str_set(&headers.fields[0].name, "X");
    ngx_str_set(&headers.fields[0].value, "a=1, b=2");

    fuzz_transform(format, NGX_ENVELOPE_SEAL, plain, &headers, &out);

    if (out.outcome != NGX_ENVELOPE_SEALED) {
        return;
    }

    body = out.body;
    fuzz_apply(&headers, &out);

    fuzz_transform(format, NGX_ENVELOPE_OPEN, &body, &headers, &out);

    /* "when" may ask for what is not in the envelope that a "body" makes */

    check(out.outcome == NGX_ENVELOPE_OPENED
          || (out.outcome == NGX_ENVELOPE_PASSED && format->body));
}


static void
fuzz_one(fuzz_input_t *in)
{
    ngx_str_t               text, plain;
    ngx_uint_t              i;
    ngx_envelope_format_t  *format;

    text = fuzz_until(in, 0xff);
    plain = fuzz_rest(in);

    if (plain.len == 0) {
        plain = fuzz_text("{\"a\":\"1\",\"b\":{\"c\":[{\"d\":\"x\"}]},"
                          "\"code\":0,\"d\":\"0123456789abcdef\"}");
    }

    for (i = 0; i < NGX_ENVELOPE_MESSAGES; i += 1) {
        format = fuzz_read(&text, i);

        if (format && format->statements.nelts) {
            fuzz_both(format, &plain);
        }
    }
}


FUZZ_TARGET(fuzz_one)
