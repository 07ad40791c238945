
/*
 * Each step's open, and what its seal makes.
 *
 * The first byte chooses the steps, the second what the rest is: bytes to
 * open, put into the step's last codec; or a text to seal and open, and then
 * to open with a byte of it changed.
 */


#include "profiles.h"

#include "ngx_envelope_codec.h"


FUZZ_MUTATIONS(4000);


#define FUZZ_EXACT   1     /* one text alone opens to a value */
#define FUZZ_TAGGED  2     /* any change is noticed */


typedef struct {
    const char             *steps;
    char                    codec;    /* h, b, u: in front of the wire */
    ngx_uint_t              flags;
    ngx_envelope_format_t  *format;
} fuzz_steps_t;


static fuzz_steps_t  fuzz_steps[] = {
    { "base64", 0, FUZZ_EXACT, NULL },
    { "base64url", 0, FUZZ_EXACT, NULL },
    { "hex", 0, 0, NULL },
    { "prefix v1.", 0, FUZZ_EXACT, NULL },
    { "hex | prefix a | base64 | prefix b | base64url", 0, 0, NULL },
    { "rsa-pkcs1 key=merchant", 'b', 0, NULL },
    { "rsa-oaep key=merchant", 'b', 0, NULL },
    { "rsa-oaep key=merchant hash=sha256 mgf1=sha1 label=x", 'h', 0, NULL },
    { "rsa-private key=platform", 'h', FUZZ_EXACT, NULL },
    { "base64 | rsa-private key=merchant", 'u', FUZZ_EXACT, NULL },
    { "aes-128-ecb key=k16", 'b', FUZZ_EXACT, NULL },
    { "aes-192-ecb key=k24", 'u', FUZZ_EXACT, NULL },
    { "aes-128-cbc key=k16 iv=hex:000102030405060708090a0b0c0d0e0f", 'b',
      FUZZ_EXACT, NULL },
    { "aes-256-cbc key=k32 iv=prefix", 'b', 0, NULL },
    { "aes-192-cbc key=k24 iv=<iv>", 'h', FUZZ_EXACT, NULL },
    { "aes-128-gcm key=k16 iv=<iv> aad=$time.<iv>", 'b',
      FUZZ_EXACT|FUZZ_TAGGED, NULL },
    { "aes-192-gcm key=k24 iv=prefix", 'u', FUZZ_TAGGED, NULL },
    { "aes-256-gcm key=k32 iv=prefix aad=a", 'h', FUZZ_TAGGED, NULL },
    { NULL, 0, 0, NULL }
};

#define FUZZ_STEPS  (sizeof(fuzz_steps) / sizeof(fuzz_steps[0]) - 1)


static ngx_str_t  fuzz_profile = ngx_string(
    "envelope_profile steps {"
    "key merchant a; key platform b;"
    "secret k16 data:0123456789abcdef text;"
    "secret k24 data:0123456789abcdef01234567 text;"
    "secret k32 data:0123456789abcdef0123456789abcdef text;"
);


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char         text[2048];
    fuzz_conf_t  conf;
    ngx_uint_t   i;

    fuzz_start();

    fuzz_pool = ngx_create_pool(4096, &shim_log);
    pool = fuzz_pool;

    for (i = 0; i < FUZZ_STEPS; i++) {
        (void) snprintf(text, sizeof(text),
                        "%s request { field a = string | %s%s; } }",
                        (char *) fuzz_profile.data, fuzz_steps[i].steps,
                        fuzz_steps[i].codec == 'h' ? " | hex"
                        : fuzz_steps[i].codec == 'b' ? " | base64"
                        : fuzz_steps[i].codec == 'u' ? " | base64url" : "");

        conf.p = (u_char *) text;
        conf.end = conf.p + strlen(text);

        (void) fuzz_conf_next(&conf);
        fuzz_conf_profile(&conf, "steps.c");

        fuzz_steps[i].format = fuzz_formats[--fuzz_nformats].format;
    }

    return 0;
}


/* {"a":"..","iv":".."} around a text */

static ngx_str_t
fuzz_message(ngx_str_t *text)
{
    u_char     *p;
    ngx_str_t   v, quoted;

    static const char  iv[] = ",\"iv\":\"fedcba9876543210\"}";

    if (ngx_envelope_json_encode(pool, text, &quoted, &reason) != NGX_OK) {
        ngx_str_null(&v);
        return v;
    }

    v.data = ngx_pnalloc(pool, quoted.len + 64);

    p = ngx_cpymem(v.data, "{\"a\":", 5);
    p = ngx_cpymem(p, quoted.data, quoted.len);
    p = ngx_cpymem(p, iv, sizeof(iv) - 1);

    v.len = p - v.data;

    return v;
}


static ngx_str_t
fuzz_member(ngx_str_t *body)
{
    return naive_get(naive_json(body), "a")->value;
}


static void
fuzz_open(fuzz_steps_t *s, ngx_str_t *bytes)
{
    ngx_str_t               text, message, value, again;
    fuzz_headers_t          none;
    ngx_envelope_output_t   out;

    none.n = 0;
    text.data = ngx_pnalloc(pool, bytes->len * 2 + 4);

    switch (s->codec) {

    case 'h':
        ngx_envelope_hex_encode(&text, bytes);
        break;

    case 'b':
        ngx_envelope_base64_encode(&text, bytes);
        break;

    case 'u':
        ngx_envelope_base64url_encode(&text, bytes);
        break;

    default:
        text = *bytes;
    }

    message = fuzz_message(&text);
    if (message.data == NULL) {
        return;
    }

    fuzz_transform(s->format, NGX_ENVELOPE_OPEN, &message, &none, &out);

    if (out.outcome != NGX_ENVELOPE_OPENED) {
        return;
    }

    value = fuzz_member(&out.body);
    message = out.body;

    fuzz_transform(s->format, NGX_ENVELOPE_SEAL, &message, &none, &out);

    if (out.outcome != NGX_ENVELOPE_SEALED) {

        /* an empty text is refused in sealing, but may be there when opened */

        check(value.len == 0);
        return;
    }

    again = fuzz_member(&out.body);
    check((s->flags & FUZZ_EXACT) == 0 || fuzz_same(&again, &text));

    message = out.body;

    fuzz_transform(s->format, NGX_ENVELOPE_OPEN, &message, &none, &out);

    check(out.outcome == NGX_ENVELOPE_OPENED);
    again = fuzz_member(&out.body);
    check(fuzz_same(&again, &value));
}


static void
fuzz_seal(fuzz_steps_t *s, fuzz_input_t *in)
{
    size_t                  at;
    u_char                  mask;
    ngx_str_t               text, message, sealed, value;
    fuzz_headers_t          none;
    ngx_envelope_output_t   out;

    none.n = 0;
    at = fuzz_number(in, 65536);
    mask = fuzz_byte(in);
    text = fuzz_rest(in);

    message = fuzz_message(&text);
    if (message.data == NULL) {
        return;
    }

    fuzz_transform(s->format, NGX_ENVELOPE_SEAL, &message, &none, &out);

    if (out.outcome != NGX_ENVELOPE_SEALED) {
        check(text.len == 0);
        return;
    }

    sealed = fuzz_str(out.body.data, out.body.len);

    fuzz_transform(s->format, NGX_ENVELOPE_OPEN, &sealed, &none, &out);

    check(out.outcome == NGX_ENVELOPE_OPENED);
    check(fuzz_same(&out.body, &message));

    sealed.data[at % sealed.len] ^= mask;

    fuzz_transform(s->format, NGX_ENVELOPE_OPEN, &sealed, &none, &out);

    if ((s->flags & FUZZ_TAGGED) && out.outcome == NGX_ENVELOPE_OPENED) {
        value = fuzz_member(&out.body);
        check(fuzz_same(&value, &text));
    }
}


static void
fuzz_one(fuzz_input_t *in)
{
    u_char         raw;
    ngx_str_t      rest;
    fuzz_steps_t  *s;

    s = &fuzz_steps[fuzz_byte(in) % FUZZ_STEPS];
    raw = fuzz_byte(in) & 1;

    if (in->end - in->p < 4) {
        return;
    }

    if (raw) {
        rest = fuzz_rest(in);
        fuzz_open(s, &rest);
        return;
    }

    fuzz_seal(s, in);
}


FUZZ_TARGET(fuzz_one)
