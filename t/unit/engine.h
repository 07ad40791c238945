
/*
 * What the tests of the engine share: a profile with keys, formats from their
 * text, messages through them.
 */


#ifndef _ENGINE_H_INCLUDED_
#define _ENGINE_H_INCLUDED_


#include "keyutil.h"
#include "vectors.h"

#include "ngx_envelope_run.h"

#include <openssl/ec.h>


#define ENGINE_ARGS     32
#define ENGINE_HEADERS  16
#define ENGINE_VALUES   32


typedef struct {
    const char  *name;
    const char  *value;
} engine_variable_t;


static ngx_pool_t                *pool;      /* of the configuration */
static ngx_pool_t                *mpool;     /* of messages */
static ngx_envelope_profile_t    *profile;
static ngx_envelope_reason_t      reason;
static ngx_envelope_statement_t  *culprit;

static ngx_envelope_header_t      headers[ENGINE_HEADERS];
static ngx_uint_t                 nheaders;
static ngx_envelope_output_t      out;

/* 2023-11-14T22:13:20Z, in milliseconds */
static int64_t                    engine_now = 1700000000000;

/* random bytes: 0, 1, 2 ..; or as many failures as said */
static u_char                     engine_counter;
static ngx_uint_t                 engine_no_random;

/* messages that left an error in OpenSSL's queue */
static ngx_uint_t                 engine_queued;

static engine_variable_t          engine_variables[] = {
    { "$envelope_time_ms", "1700000000000" },
    { "$envelope_time", "1492774577" },
    { "$empty", "" },
    { "$number", "-1.50e3" },
    { "$json", "{\"b\":[true]}" },
    { "$bad", "caf\xe9" },
    { "$crlf", "a\r\nb: c" },
    { "$comma", "a,v1=b" },
    { "$v", "V" },
    { NULL, NULL }
};


util ngx_int_t
engine_random(void *data, u_char *buf, size_t len)
{
    if (engine_no_random) {
        return NGX_ERROR;
    }

    while (len--) {
        *buf++ = engine_counter++;
    }

    return NGX_OK;
}


static ngx_envelope_env_t  engine_env = { engine_random, NULL, NULL };


/* a copy of exactly its length, so that a sanitizer sees its end */

util ngx_str_t
exact(const char *s)
{
    return bytes(mpool, s, strlen(s));
}


util char *
engine_printf(const char *fmt, ...)
{
    char     *p;
    va_list   args;

    p = (char *) ngx_palloc(mpool, 65536);

    va_start(args, fmt);
    (void) vsnprintf(p, 65536, fmt, args);
    va_end(args);

    return p;
}


/* keys */


util ngx_int_t
engine_add_key(const char *name, const char *id, ngx_str_t content)
{
    ngx_int_t           rc;
    ngx_str_t           n = str(name), none = ngx_null_string;
    ngx_envelope_key_t  key;

    memset(&key, 0, sizeof(key));
    reason.len = 0;

    rc = ngx_envelope_key_parse(&key, pool, &content, &none, &reason);

    if (rc == NGX_OK) {
        key.id = str(id);
        rc = ngx_envelope_profile_add_key(profile, &n, &key, &reason);
    }

    return rc;
}


util ngx_int_t
engine_add_secret(const char *name, const char *id, const void *p, size_t len)
{
    ngx_str_t  n = str(name), i = str(id), v = bytes(pool, p, len);

    return ngx_envelope_profile_add_secret(profile, &n, &i, &v, &reason);
}


util ngx_str_t
engine_pem(EVP_PKEY *pkey, int private)
{
    BIO  *bio = BIO_new(BIO_s_mem());

    if (private) {
        PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);

    } else {
        PEM_write_bio_PUBKEY(bio, pkey);
    }

    return bio_str(pool, bio);
}


/* NAME is a pair of keys that was just made, NAME-pub its public half */

util void
engine_make_rsa(const char *name, const char *public_name, int bits)
{
    EVP_PKEY  *pkey = EVP_RSA_gen(bits);

    engine_add_key(name, "", engine_pem(pkey, 1));
    engine_add_key(public_name, "", engine_pem(pkey, 0));

    EVP_PKEY_free(pkey);
}


util ngx_str_t
engine_file(const char *path)
{
    FILE       *f;
    ngx_str_t   v;

    v.data = (u_char *) ngx_pnalloc(pool, 16384);
    v.len = 0;

    f = fopen(path, "rb");
    if (f == NULL) {
        diag("cannot open %s", path);
        exit(1);
    }

    v.len = fread(v.data, 1, 16384, f);
    fclose(f);

    return v;
}


util void
engine_start(void)
{
    u_char     counting[32];
    ngx_str_t  name = ngx_string("vm");

    shim_reset();

    pool = ngx_create_pool(4096, &shim_log);
    mpool = ngx_create_pool(4096, &shim_log);
    profile = ngx_envelope_profile_create(pool, &name);

    for (counting[0] = 0, name.len = 1; name.len < 32; name.len++) {
        counting[name.len] = (u_char) name.len;
    }

    /* the pair that a manual prints */

    engine_add_key("uni", "", engine_file("t/data/keys/unified-private.b64"));
    engine_add_key("unipub", "",
                   engine_file("t/data/keys/unified-public.b64"));
    engine_add_key("p256", "", str(KEY_P256));
    engine_add_key("p384", "", str(KEY_P384));
    engine_add_key("ed", "", str(KEY_ED25519));
    engine_make_rsa("rsa1", "rsa1pub", 1024);
    engine_make_rsa("rsa2", "rsa2pub", 2048);

    engine_add_secret("app", "", "s3cret", 6);
    engine_add_secret("aes", "", "0123456789abcdef", 16);
    engine_add_secret("aes256", "", "0123456789abcdef0123456789abcdef", 32);
    engine_add_secret("k128", "", counting, 16);
    engine_add_secret("k192", "", counting, 24);
    engine_add_secret("k256", "", counting, 32);
    engine_add_secret("iv12", "", counting, 12);
}


util void
engine_end(void)
{
    ngx_destroy_pool(mpool);
    ngx_destroy_pool(pool);

    is_int(shim_live, 0, "nothing is left of the memory");
    is_int(shim_live_pools, 0, "no pool is left");
    is_int(engine_queued, 0, "no message has left an error of OpenSSL's");
    ok(drained(), "OpenSSL's error queue is empty");
}


/* an empty pool for the next message, and no headers */

util void
fresh(void)
{
    ngx_destroy_pool(mpool);
    mpool = ngx_create_pool(4096, &shim_log);
    nheaders = 0;
    engine_counter = 0;
}


util void
header(const char *name, const char *value)
{
    headers[nheaders].name = exact(name);
    headers[nheaders].value = exact(value);
    nheaders++;
}


/* words as nginx makes them; returns what follows the ";" */

static const char *
engine_words(const char *p, ngx_str_t *args, ngx_uint_t *n)
{
    char        quote;
    u_char      buf[8192], *dst;
    ngx_int_t   fail_at;
    ngx_uint_t  allocs;

    *n = 0;

    for ( ;; ) {

        while (*p == ' ' || *p == '\n' || *p == '\t') {
            p++;
        }

        if (*p == '\0' || *p == ';') {
            return (*p == ';') ? p + 1 : p;
        }

        quote = (*p == '"' || *p == '\'') ? *p++ : 0;

        for (dst = buf; *p && *p != quote; p++) {

            if (!quote
                && (*p == ' ' || *p == '\n' || *p == '\t' || *p == ';'))
            {
                break;
            }

            if (*p == '\\' && p[1] == 'n') {
                *dst++ = '\n';
                p++;

            } else if (*p == '\\' && p[1]) {
                *dst++ = *++p;

            } else {
                *dst++ = *p;
            }
        }

        p += (quote && *p);

        if (*n == ENGINE_ARGS) {
            abort();
        }

        fail_at = shim_fail_at;
        allocs = shim_allocs;
        shim_fail_at = -1;

        args[(*n)++] = bytes(pool, buf, dst - buf);

        shim_fail_at = fail_at;
        shim_allocs = allocs;
    }
}


/* adds the statements; NGX_OK, or what the first one that failed said */

util ngx_int_t
engine_add(ngx_envelope_format_t *format, const char *text)
{
    ngx_int_t   rc;
    ngx_str_t   args[ENGINE_ARGS], file = ngx_string("vm.conf");
    ngx_uint_t  n, line;

    for (line = 1; /* void */ ; line++) {
        text = engine_words(text, args, &n);

        if (n == 0) {
            return NGX_OK;
        }

        reason.len = 0;

        rc = ngx_envelope_format_add(format, args, n, &file, line, &reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }
}


util ngx_int_t
engine_parse(ngx_envelope_format_t **format, ngx_envelope_message_e message,
    const char *text)
{
    ngx_int_t  rc;

    reason.len = 0;
    culprit = NULL;

    *format = ngx_envelope_format_create(pool, profile, message);
    if (*format == NULL) {
        return NGX_ERROR;
    }

    rc = engine_add(*format, text);

    return (rc == NGX_OK)
           ? ngx_envelope_format_link(*format, &culprit, &reason) : rc;
}


util void
engine_diag_reason(const char *what, ngx_envelope_reason_t *r)
{
    diag("%s: %.*s", what, (int) r->len, (char *) r->data);
}


/* a format that can be run in the directions "s" and "o" */

util ngx_envelope_format_t *
format_for(ngx_envelope_message_e message, const char *directions,
    const char *text)
{
    ngx_envelope_format_t  *format;

    if (engine_parse(&format, message, text) != NGX_OK
        || (strchr(directions, 's')
            && ngx_envelope_format_check(format, NGX_ENVELOPE_SEAL, &culprit,
                                         &reason)
               != NGX_OK)
        || (strchr(directions, 'o')
            && ngx_envelope_format_check(format, NGX_ENVELOPE_OPEN, &culprit,
                                         &reason)
               != NGX_OK))
    {
        fail("%s", text);
        engine_diag_reason("  reason", &reason);
        exit(1);
    }

    return format;
}


#define request(text)   format_for(NGX_ENVELOPE_REQUEST, "so", text)
#define response(text)  format_for(NGX_ENVELOPE_RESPONSE, "so", text)


/* what nginx would have evaluated */

static ngx_str_t
engine_value(ngx_str_t *text)
{
    u_char             *p, *end, buf[8192], *dst;
    size_t              len;
    ngx_str_t           empty = ngx_null_string;
    engine_variable_t  *v;

    dst = buf;
    end = text->data + text->len;

    for (p = text->data; p < end; p++) {

        for (v = engine_variables; v->name; v++) {
            len = strlen(v->name);

            if ((size_t) (end - p) >= len && memcmp(p, v->name, len) == 0) {
                break;
            }
        }

        if (v->name == NULL) {
            *dst++ = *p;
            continue;
        }

        memcpy(dst, v->value, strlen(v->value));
        dst += strlen(v->value);
        p += len - 1;
    }

    return (dst == buf) ? empty : bytes(mpool, buf, dst - buf);
}


util void
engine_run(ngx_envelope_format_t *format, ngx_envelope_direction_e direction,
    ngx_str_t body)
{
    ngx_int_t             fail_at;
    ngx_str_t             values[ENGINE_VALUES], *text;
    ngx_uint_t            i, allocs;
    ngx_envelope_input_t  input;

    fail_at = shim_fail_at;
    allocs = shim_allocs;
    shim_fail_at = -1;

    text = format->values.elts;

    for (i = 0; i < format->values.nelts; i++) {
        values[i] = engine_value(&text[i]);
    }

    shim_fail_at = fail_at;
    shim_allocs = allocs;

    memset(&input, 0, sizeof(input));
    input.format = format;
    input.direction = direction;
    input.body = body;
    input.headers = headers;
    input.nheaders = nheaders;
    input.values = values;
    input.env = &engine_env;
    input.now = engine_now;

    memset(&out, 0x5a, sizeof(out));
    ERR_clear_error();

    ngx_envelope_transform(mpool, &input, &out);

    if (ERR_peek_error()) {
        engine_queued++;
    }
}


util void
seal(ngx_envelope_format_t *format, const char *body)
{
    engine_run(format, NGX_ENVELOPE_SEAL, exact(body));
}


util void
open_(ngx_envelope_format_t *format, const char *body)
{
    engine_run(format, NGX_ENVELOPE_OPEN, exact(body));
}


/* whether the text is somewhere in the body that came out */

util int
has(const char *s)
{
    return memmem(out.body.data, out.body.len, s, strlen(s)) != NULL;
}


/* the value that a header is to get; "(none)": it is to go; NULL: no edit */

util const char *
edited(const char *name)
{
    ngx_uint_t              i;
    ngx_envelope_header_t  *h;

    h = out.headers.elts;

    for (i = 0; i < out.headers.nelts; i++) {

        if (h[i].name.len == strlen(name)
            && ngx_strncasecmp(h[i].name.data, (u_char *) name,
                               h[i].name.len)
               == 0)
        {
            return h[i].value.data == NULL ? "(none)"
                   : engine_printf("%.*s", (int) h[i].value.len,
                                   (char *) h[i].value.data);
        }
    }

    return NULL;
}


/* the other side's headers: what there was and the edits */

util void
apply(void)
{
    ngx_uint_t              i, j, n;
    ngx_envelope_header_t  *h;

    h = out.headers.elts;

    for (i = 0; i < out.headers.nelts; i++) {

        for (j = 0, n = 0; j < nheaders; j++) {
            if (headers[j].name.len != h[i].name.len
                || ngx_strncasecmp(headers[j].name.data, h[i].name.data,
                                   h[i].name.len)
                   != 0)
            {
                headers[n++] = headers[j];
            }
        }

        nheaders = n;

        if (h[i].value.data) {
            headers[nheaders++] = h[i];
        }
    }
}


#define is_sealed(body, ...)                                                  \
    engine_is(NGX_ENVELOPE_SEALED, body, __FILE__, __LINE__, "" __VA_ARGS__)
#define is_opened(body, ...)                                                  \
    engine_is(NGX_ENVELOPE_OPENED, body, __FILE__, __LINE__, "" __VA_ARGS__)
#define is_passed(body, ...)                                                  \
    engine_is(NGX_ENVELOPE_PASSED, body, __FILE__, __LINE__, "" __VA_ARGS__)

__attribute__((unused, format(printf, 5, 6))) static int
engine_is(ngx_envelope_outcome_e outcome, const char *body, const char *file,
    int line, const char *fmt, ...)
{
    int      good;
    char     name[512];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(name, sizeof(name), fmt, args);
    va_end(args);

    if (out.outcome != outcome) {
        tap_ok(0, file, line, "", "%s", name);
        diag("  outcome %d, fault %d", (int) out.outcome, (int) out.fault);
        engine_diag_reason("  reason", &out.reason);
        return 0;
    }

    good = (out.reason.len == 0 || outcome != NGX_ENVELOPE_PASSED)
           && out.fault == NGX_ENVELOPE_FAULT_NONE
           && (outcome != NGX_ENVELOPE_PASSED || out.headers.nelts == 0);

    if (!good || body == NULL) {
        return tap_ok(good, file, line, "", "%s", name);
    }

    return tap_mem(out.body.data, out.body.len, body, strlen(body), file,
                   line, "%s", name);
}


#define is_shape(why, ...)                                                    \
    engine_rejected(NGX_ENVELOPE_FAULT_SHAPE, why, __FILE__, __LINE__,        \
                    "" __VA_ARGS__)
#define is_secret(why, ...)                                                   \
    engine_rejected(NGX_ENVELOPE_FAULT_SECRET, why, __FILE__, __LINE__,       \
                    "" __VA_ARGS__)
#define is_internal(why, ...)                                                 \
    engine_rejected(NGX_ENVELOPE_FAULT_INTERNAL, why, __FILE__, __LINE__,     \
                    "" __VA_ARGS__)

__attribute__((unused, format(printf, 5, 6))) static int
engine_rejected(ngx_envelope_fault_e fault, const char *why, const char *file,
    int line, const char *fmt, ...)
{
    char     name[512];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(name, sizeof(name), fmt, args);
    va_end(args);

    if (out.outcome != NGX_ENVELOPE_REJECTED || out.fault != fault
        || out.body.len || out.body.data || out.body_set || out.headers.nelts)
    {
        tap_ok(0, file, line, "", "%s", name);
        diag("  outcome %d, fault %d instead of %d, %lu bytes of a body",
             (int) out.outcome, (int) out.fault, (int) fault,
             (unsigned long) out.body.len);
        engine_diag_reason("  reason", &out.reason);
        return 0;
    }

    return tap_mem(out.reason.data, out.reason.len, why, strlen(why), file,
                   line, "%s", name);
}


/* seals and opens: the same comes back, the headers too */

util int
roundtrip(ngx_envelope_format_t *format, const char *plain, const char *name)
{
    ngx_uint_t             i, had, left;
    ngx_str_t              sealed, value;
    ngx_envelope_header_t  before[ENGINE_HEADERS];

    had = nheaders;
    memcpy(before, headers, sizeof(before));

    seal(format, plain);

    if (out.outcome != NGX_ENVELOPE_SEALED) {
        return is_sealed(NULL, "%s: seals", name);
    }

    sealed = bytes(mpool, out.body.data, out.body.len);
    apply();

    engine_run(format, NGX_ENVELOPE_OPEN, sealed);

    if (!is_opened(plain, "%s", name)) {
        return 0;
    }

    apply();

    for (i = 0, left = 0; i < had; i++) {
        for (left = 0; left < nheaders; left++) {
            value = headers[left].value;

            if (ngx_envelope_str_equal(&headers[left].name, &before[i].name)
                && ngx_envelope_str_equal(&value, &before[i].value))
            {
                break;
            }
        }

        if (left == nheaders) {
            break;
        }
    }

    return (i == had && nheaders == had)
           ? 1 : fail("%s: the headers are not what they were", name);
}


#endif /* _ENGINE_H_INCLUDED_ */
