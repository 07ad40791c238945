
/*
 * Message formats as nginx would read them: the shipped profiles and
 * t/fuzz/more.conf, with keys of t/data in place of those that keys.sh makes,
 * and messages through them.
 */


#ifndef _PROFILES_H_INCLUDED_
#define _PROFILES_H_INCLUDED_


#include "naive.h"

#include "ngx_envelope_run.h"

#include <openssl/err.h>


#define FUZZ_ARGS     32
#define FUZZ_FORMATS  64
#define FUZZ_HEADERS  16


typedef struct {
    ngx_envelope_format_t  *format;
    const char             *profile;
    const char             *message;
} fuzz_format_t;


typedef struct {
    u_char                 *p;
    u_char                 *end;
    ngx_str_t               args[FUZZ_ARGS];
    ngx_uint_t              n;
    u_char                  stop;      /* ; { } or 0 at the end */
} fuzz_conf_t;


typedef struct {
    ngx_envelope_header_t   fields[FUZZ_HEADERS];
    ngx_uint_t              n;
} fuzz_headers_t;


static ngx_pool_t     *fuzz_pool;      /* of the configuration */
static fuzz_format_t   fuzz_formats[FUZZ_FORMATS];
static ngx_uint_t      fuzz_nformats;
static u_char          fuzz_counter;


static const char  *fuzz_files[] = {
    "conf.example/profiles/a-vmcardio-content.conf",
    "conf.example/profiles/b-vmcardio-hybrid.conf",
    "conf.example/profiles/c-merchant-datacontent.conf",
    "conf.example/profiles/d-v2pay-bizcontent.conf",
    "conf.example/profiles/e-unified-param.conf",
    "conf.example/profiles/f-virtual-card-headers.conf",
    "t/fuzz/more.conf",
    NULL
};

/* both sides of each provider, so these are private keys */

static const struct {
    const char  *name;
    const char  *path;
} fuzz_keys[] = {
    { "platform", "t/data/keys/unified-private.b64" },
    { "merchant", "t/data/jdk/rsa2048.pem" },
    { NULL, NULL }
};


util void
fuzz_broken(const char *what, const char *where)
{
    (void) fprintf(stderr, "%s: %s: %.*s\n", where, what, (int) reason.len,
                   (char *) reason.data);
    exit(2);
}


util ngx_str_t
fuzz_file(const char *path)
{
    FILE       *f;
    ngx_str_t   v;

    v.data = ngx_pnalloc(fuzz_pool, 65536);

    f = fopen(path, "rb");
    if (f == NULL) {
        fuzz_broken("cannot be opened", path);
    }

    v.len = fread(v.data, 1, 65536, f);
    (void) fclose(f);

    return v;
}


/* a word as nginx's grammar has it, without its quotes and backslashes */

static void
fuzz_conf_word(fuzz_conf_t *conf)
{
    u_char     *p, *dst, quote;
    ngx_str_t  *word;

    p = conf->p;
    quote = (*p == '"' || *p == '\'') ? *p++ : 0;

    word = &conf->args[conf->n];
    word->data = ngx_pnalloc(pool, conf->end - p + 1);
    dst = word->data;

    while (p < conf->end
           && (quote ? *p != quote : !memchr(" \t\r\n;{", *p, 6)))
    {
        if (*p == '\\' && p + 1 < conf->end) {
            p++;
            *dst++ = (*p == 'n') ? '\n' : (*p == 't') ? '\t' : *p;
            p++;
            continue;
        }

        *dst++ = *p++;
    }

    word->len = dst - word->data;
    conf->p = p + (quote && p < conf->end);

    /* of exactly its length */

    *word = fuzz_str(word->data, word->len);
    conf->n++;
}


/* the next statement's words, up to what ends it */

util ngx_uint_t
fuzz_conf_next(fuzz_conf_t *conf)
{
    conf->n = 0;

    while (conf->p < conf->end) {

        switch (*conf->p) {

        case ' ':
        case '\t':
        case '\r':
        case '\n':
            conf->p++;
            continue;

        case '#':
            while (conf->p < conf->end && *conf->p != '\n') {
                conf->p++;
            }

            continue;

        case ';':
        case '{':
        case '}':
            conf->stop = *conf->p++;
            return 1;

        default:
            if (conf->n == FUZZ_ARGS) {
                return 0;
            }

            fuzz_conf_word(conf);
        }
    }

    conf->stop = 0;

    return conf->n > 0;
}


static ngx_uint_t
fuzz_conf_is(fuzz_conf_t *conf, ngx_uint_t i, const char *word)
{
    return i < conf->n && conf->args[i].len == strlen(word)
           && memcmp(conf->args[i].data, word, strlen(word)) == 0;
}


/* "id=" if there is one */

static ngx_str_t
fuzz_conf_id(fuzz_conf_t *conf)
{
    ngx_str_t   id;
    ngx_uint_t  i;

    ngx_str_set(&id, "");

    for (i = 3; i < conf->n; i++) {
        if (conf->args[i].len > 3 && !memcmp(conf->args[i].data, "id=", 3)) {
            id = conf->args[i];
            id.data += 3;
            id.len -= 3;
        }
    }

    return id;
}


/* the bytes of "data:", or those that stand in for a file */

static ngx_str_t
fuzz_conf_source(fuzz_conf_t *conf)
{
    ngx_str_t   v;
    ngx_uint_t  i;

    v = conf->args[2];

    if (v.len > 5 && memcmp(v.data, "data:", 5) == 0) {
        v.data += 5;
        v.len -= 5;
        return v;
    }

    for (i = 0; fuzz_keys[i].name; i++) {
        if (fuzz_conf_is(conf, 1, fuzz_keys[i].name)) {
            return fuzz_file(fuzz_keys[i].path);
        }
    }

    return fuzz_text("0123456789abcdef");
}


static void
fuzz_conf_key(ngx_envelope_profile_t *profile, fuzz_conf_t *conf,
    const char *file)
{
    ngx_int_t            rc;
    ngx_str_t            content, none, id;
    ngx_envelope_key_t   key;

    ngx_str_set(&none, "");
    ngx_memzero(&key, sizeof(ngx_envelope_key_t));

    content = fuzz_conf_source(conf);
    id = fuzz_conf_id(conf);

    if (fuzz_conf_is(conf, 0, "secret")) {
        rc = ngx_envelope_profile_add_secret(profile, &conf->args[1], &id,
                                             &content, &reason);

    } else {
        rc = ngx_envelope_key_parse(&key, fuzz_pool, &content, &none,
                                    &reason);
        key.id = id;

        if (rc == NGX_OK) {
            rc = ngx_envelope_profile_add_key(profile, &conf->args[1], &key,
                                              &reason);
        }
    }

    if (rc != NGX_OK) {
        fuzz_broken("a key or a secret", file);
    }
}


static void
fuzz_conf_message(ngx_envelope_profile_t *profile,
    ngx_envelope_message_e message, fuzz_conf_t *conf, const char *file)
{
    ngx_str_t                  name;
    fuzz_format_t             *f;
    ngx_envelope_format_t     *format;
    ngx_envelope_statement_t  *st;

    format = ngx_envelope_format_create(fuzz_pool, profile, message);
    ngx_str_set(&name, "fuzz.conf");

    while (fuzz_conf_next(conf) && conf->stop == ';') {

        if (ngx_envelope_format_add(format, conf->args, conf->n, &name, 1,
                                    &reason)
            != NGX_OK)
        {
            fuzz_broken("a statement", file);
        }
    }

    if (conf->stop != '}'
        || ngx_envelope_format_link(format, &st, &reason) != NGX_OK
        || ngx_envelope_format_check(format, NGX_ENVELOPE_SEAL, &st, &reason)
           != NGX_OK
        || ngx_envelope_format_check(format, NGX_ENVELOPE_OPEN, &st, &reason)
           != NGX_OK
        || fuzz_nformats == FUZZ_FORMATS)
    {
        fuzz_broken("a message", file);
    }

    f = &fuzz_formats[fuzz_nformats++];
    f->format = format;
    f->profile = fuzz_cstr(&profile->name);
    f->message = (char *) ngx_envelope_message_names[message].data;
}


static void
fuzz_conf_profile(fuzz_conf_t *conf, const char *file)
{
    ngx_uint_t               i;
    ngx_envelope_profile_t  *profile;

    profile = ngx_envelope_profile_create(fuzz_pool, &conf->args[1]);

    while (fuzz_conf_next(conf) && conf->stop != '}') {

        if (conf->stop == ';') {
            fuzz_conf_key(profile, conf, file);
            continue;
        }

        for (i = 0; i < NGX_ENVELOPE_MESSAGES; i++) {
            if (fuzz_conf_is(conf, 0,
                             (char *) ngx_envelope_message_names[i].data))
            {
                fuzz_conf_message(profile, i, conf, file);
                break;
            }
        }

        /* "token" is nothing of the core's */

        while (i == NGX_ENVELOPE_MESSAGES
               && fuzz_conf_next(conf) && conf->stop == ';')
        {
            /* void */
        }
    }
}


util void
fuzz_profiles(void)
{
    ngx_str_t      text;
    ngx_uint_t     i;
    fuzz_conf_t    conf;

    fuzz_start();

    fuzz_pool = ngx_create_pool(4096, &shim_log);
    pool = fuzz_pool;

    for (i = 0; fuzz_files[i]; i++) {
        text = fuzz_file(fuzz_files[i]);

        conf.p = text.data;
        conf.end = text.data + text.len;

        while (fuzz_conf_next(&conf)) {

            if (conf.stop != '{' || !fuzz_conf_is(&conf, 0,
                                                  "envelope_profile"))
            {
                fuzz_broken("not a profile", fuzz_files[i]);
            }

            fuzz_conf_profile(&conf, fuzz_files[i]);
        }
    }
}


util ngx_uint_t
fuzz_is(fuzz_format_t *f, const char *profile)
{
    return strcmp(f->profile, profile) == 0;
}


static ngx_int_t
fuzz_random(void *data, u_char *buf, size_t len)
{
    while (len--) {
        *buf++ = fuzz_counter++;
    }

    return NGX_OK;
}


/* what nginx would have evaluated: every variable is the same moment */

static ngx_str_t
fuzz_value(ngx_str_t *text)
{
    size_t      i, from;
    u_char     *dst;
    ngx_str_t   v, name;

    static const char  ms[] = "1700000000000";

    v.data = ngx_pnalloc(pool, text->len * sizeof(ms));
    dst = v.data;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] != '$') {
            *dst++ = text->data[i];
            continue;
        }

        for (from = i + 1;
             i + 1 < text->len
             && (text->data[i + 1] == '_'
                 || (text->data[i + 1] >= 'a' && text->data[i + 1] <= 'z'));
             i++)
        {
            /* void */
        }

        name.data = text->data + from;
        name.len = i + 1 - from;

        dst = ngx_cpymem(dst, ms, ngx_envelope_is(&name, "envelope_time")
                                  ? sizeof("1700000000") - 1
                                  : sizeof(ms) - 1);
    }

    return fuzz_str(v.data, dst - v.data);
}


/* what holds whatever went in */

static void
fuzz_outcome(ngx_envelope_input_t *input, ngx_envelope_output_t *out)
{
    naive_t  *v;

    check(ERR_peek_error() == 0);

    switch (out->outcome) {

    case NGX_ENVELOPE_REJECTED:
        reason = out->reason;

        check(out->fault == NGX_ENVELOPE_FAULT_SHAPE
              || out->fault == NGX_ENVELOPE_FAULT_SECRET);
        check(out->reason.len);
        check(out->body.data == NULL && out->body.len == 0);
        check(!out->body_set && out->headers.nelts == 0);
        break;

    case NGX_ENVELOPE_PASSED:
        check(fuzz_same(&out->body, &input->body));
        check(out->headers.nelts == 0);
        break;

    default:
        check(out->outcome == (input->direction == NGX_ENVELOPE_SEAL
                               ? NGX_ENVELOPE_SEALED : NGX_ENVELOPE_OPENED));
        check(out->fault == NGX_ENVELOPE_FAULT_NONE);

        if (!input->format->members) {
            check(fuzz_same(&out->body, &input->body));
            break;
        }

        v = naive_json(&out->body);

        check(v != NULL);
        check(input->direction == NGX_ENVELOPE_OPEN
              || v->type == NGX_ENVELOPE_JSON_OBJECT);
    }
}


util void
fuzz_transform(ngx_envelope_format_t *format,
    ngx_envelope_direction_e direction, ngx_str_t *body,
    fuzz_headers_t *headers, ngx_envelope_output_t *out)
{
    ngx_str_t             *text, *values;
    ngx_uint_t             i;
    ngx_envelope_env_t     env;
    ngx_envelope_input_t   input;

    text = format->values.elts;
    values = ngx_pnalloc(pool, format->values.nelts * sizeof(ngx_str_t));

    for (i = 0; i < format->values.nelts; i++) {
        values[i] = fuzz_value(&text[i]);
    }

    fuzz_counter = 0;

    ngx_memzero(&env, sizeof(ngx_envelope_env_t));
    env.random = fuzz_random;

    ngx_memzero(&input, sizeof(ngx_envelope_input_t));
    input.format = format;
    input.direction = direction;
    input.body = *body;
    input.now = 1700000000000;
    input.headers = headers->fields;
    input.nheaders = headers->n;
    input.values = values;
    input.env = &env;

    memset(out, 0x5a, sizeof(ngx_envelope_output_t));

    ngx_envelope_transform(pool, &input, out);

    fuzz_outcome(&input, out);
}


/* what the other side gets: the fields there were, and the edits */

util void
fuzz_apply(fuzz_headers_t *headers, ngx_envelope_output_t *out)
{
    ngx_uint_t              i, j, n;
    ngx_envelope_header_t  *edit, *fields;

    edit = out->headers.elts;
    fields = headers->fields;

    for (i = 0; i < out->headers.nelts; i++) {

        for (j = 0, n = 0; j < headers->n; j++) {
            if (fields[j].name.len != edit[i].name.len
                || ngx_strncasecmp(fields[j].name.data, edit[i].name.data,
                                   edit[i].name.len)
                   != 0)
            {
                fields[n++] = fields[j];
            }
        }

        headers->n = n;

        if (edit[i].value.data && n < FUZZ_HEADERS) {
            fields[headers->n++] = edit[i];
        }
    }
}


/* fields, one a line, up to an empty one */

util void
fuzz_read_headers(fuzz_input_t *in, fuzz_headers_t *headers)
{
    ngx_str_t      line;
    fuzz_input_t   part;

    headers->n = 0;

    while (in->p < in->end) {
        line = fuzz_until(in, '\n');

        if (line.len == 0 || headers->n + 8 == FUZZ_HEADERS) {
            break;
        }

        part.p = line.data;
        part.end = line.data + line.len;

        headers->fields[headers->n].name = fuzz_until(&part, ':');
        headers->fields[headers->n++].value = fuzz_rest(&part);
    }
}


#endif /* _PROFILES_H_INCLUDED_ */
