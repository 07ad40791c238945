
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_statement.h"


static const ngx_envelope_statement_def_t *ngx_envelope_statement_find(
    ngx_str_t *name);
static ngx_uint_t ngx_envelope_statement_frames(
    ngx_envelope_address_t *address);
static ngx_int_t ngx_envelope_words_init(ngx_envelope_words_t *words,
    ngx_pool_t *pool, ngx_str_t *args, ngx_uint_t n);
static ngx_int_t ngx_envelope_words_split(ngx_array_t *words,
    ngx_str_t *arg, u_char c, ngx_uint_t once);
static ngx_uint_t ngx_envelope_words_verbatim(ngx_array_t *words,
    ngx_str_t *arg);
static ngx_int_t ngx_envelope_statement_label(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_str_t *args, ngx_uint_t n);


static const ngx_envelope_statement_def_t  *ngx_envelope_statements[] = {
    &ngx_envelope_body_def,
    &ngx_envelope_set_def,
    &ngx_envelope_random_def,
    &ngx_envelope_field_def,
    &ngx_envelope_sign_def,
    &ngx_envelope_fresh_def,
    &ngx_envelope_once_def,
    &ngx_envelope_when_def,
    NULL
};


ngx_envelope_format_t *
ngx_envelope_format_create(ngx_pool_t *pool, ngx_envelope_profile_t *profile,
    ngx_envelope_message_e message)
{
    ngx_envelope_format_t  *format;

    format = ngx_pcalloc(pool, sizeof(ngx_envelope_format_t));
    if (format == NULL) {
        return NULL;
    }

    format->message = message;
    format->profile = profile;
    format->pool = pool;

    if (ngx_array_init(&format->statements, pool, 8,
                       sizeof(ngx_envelope_statement_t *))
        != NGX_OK
        || ngx_array_init(&format->randoms, pool, 2,
                          sizeof(ngx_envelope_random_t))
           != NGX_OK
        || ngx_array_init(&format->rings, pool, 4,
                          sizeof(ngx_envelope_ring_t *))
           != NGX_OK
        || ngx_array_init(&format->values, pool, 4, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NULL;
    }

    return format;
}


ngx_int_t
ngx_envelope_format_add(ngx_envelope_format_t *format, ngx_str_t *args,
    ngx_uint_t n, ngx_str_t *file, ngx_uint_t line,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t                             rc;
    ngx_envelope_words_t                  words;
    ngx_envelope_address_t               *address;
    ngx_envelope_statement_t             *st, **pos;
    const ngx_envelope_statement_def_t   *def;

    reason->len = 0;

    def = ngx_envelope_statement_find(&args[0]);
    if (def == NULL) {
        return ngx_envelope_declined(reason, "unknown statement \"%V\", "
                                     "there are: body, set, random, field, "
                                     "sign, fresh, once, when", &args[0]);
    }

    if (format->statements.nelts == NGX_ENVELOPE_STATEMENTS_MAX) {
        return ngx_envelope_declined(reason, "more than %d statements",
                                     NGX_ENVELOPE_STATEMENTS_MAX);
    }

    st = ngx_pcalloc(format->pool, sizeof(ngx_envelope_statement_t));
    if (st == NULL) {
        return NGX_ERROR;
    }

    st->def = def;
    st->line = line;
    st->plain = !format->body;

    if (ngx_envelope_copy(format->pool, &st->file, file) != NGX_OK
        || ngx_envelope_statement_label(format, st, args, n) != NGX_OK
        || ngx_envelope_words_init(&words, format->pool, args, n) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = def->parse(format, st, &words, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    address = &st->address;

    if (def == &ngx_envelope_sign_def
        && st->u.sign.kid
        && ngx_envelope_statement_frames(st->u.sign.kid))
    {
        address = st->u.sign.kid;
    }

    if (!ngx_envelope_only_reads(st)
        && ngx_envelope_statement_frames(address))
    {
        return ngx_envelope_declined(reason, "\"%V\" frames the message, "
                                     "nginx writes it itself",
                                     &address->text);
    }

    if (words.pos != words.nelts) {
        return ngx_envelope_declined(reason, "unexpected \"%V\"",
                                     &words.elts[words.pos]);
    }

    pos = ngx_array_push(&format->statements);
    if (pos == NULL) {
        return NGX_ERROR;
    }

    *pos = st;

    return NGX_OK;
}


static const ngx_envelope_statement_def_t *
ngx_envelope_statement_find(ngx_str_t *name)
{
    const ngx_envelope_statement_def_t  **def;

    for (def = ngx_envelope_statements; *def; def++) {

        if (ngx_envelope_str_equal((ngx_str_t *) &(*def)->name, name)) {
            return *def;
        }
    }

    return NULL;
}


/* whoever could write these could smuggle a second message */

static ngx_uint_t
ngx_envelope_statement_frames(ngx_envelope_address_t *address)
{
    ngx_str_t  *name;

    static ngx_str_t  names[] = {
        ngx_string("Content-Length"),
        ngx_string("Transfer-Encoding"),
        ngx_string("Connection"),
        ngx_null_string
    };

    for (name = names; name->len; name++) {

        if (address->header.len == name->len
            && ngx_strncasecmp(address->header.data, name->data, name->len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * nginx splits at white space only; as in a shell, "|" and the first "="
 * need none around them.
 */

static ngx_int_t
ngx_envelope_words_init(ngx_envelope_words_t *words, ngx_pool_t *pool,
    ngx_str_t *args, ngx_uint_t n)
{
    ngx_str_t    *word;
    ngx_uint_t    i, assign, pipes;
    ngx_array_t   list;

    if (ngx_array_init(&list, pool, n * 2, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    pipes = ngx_envelope_is(&args[0], "field")
            || ngx_envelope_is(&args[0], "sign");
    assign = pipes;

    for (i = 1; i < n; i++) {

        if (assign && ngx_strlchr(args[i].data, args[i].data + args[i].len,
                                  '='))
        {
            assign = 0;

            if (ngx_envelope_words_split(&list, &args[i], '=', 1) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        if (pipes && !ngx_envelope_words_verbatim(&list, &args[i])) {

            if (ngx_envelope_words_split(&list, &args[i], '|', 0) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        word = ngx_array_push(&list);
        if (word == NULL) {
            return NGX_ERROR;
        }

        *word = args[i];
    }

    words->elts = list.elts;
    words->nelts = list.nelts;
    words->pos = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_words_split(ngx_array_t *words, ngx_str_t *arg, u_char c,
    ngx_uint_t once)
{
    u_char     *p, *from, *end;
    ngx_str_t  *word, rest;

    from = arg->data;
    end = arg->data + arg->len;

    for (p = from; p < end; p++) {

        if (*p != c) {
            continue;
        }

        if (p > from) {
            word = ngx_array_push(words);
            if (word == NULL) {
                return NGX_ERROR;
            }

            word->data = from;
            word->len = p - from;
        }

        word = ngx_array_push(words);
        if (word == NULL) {
            return NGX_ERROR;
        }

        word->data = p;
        word->len = 1;
        from = p + 1;

        if (once) {
            break;
        }
    }

    if (from == end) {
        return NGX_OK;
    }

    rest.data = from;
    rest.len = end - from;

    if (once) {
        return ngx_envelope_words_split(words, &rest, '|', 0);
    }

    word = ngx_array_push(words);
    if (word == NULL) {
        return NGX_ERROR;
    }

    *word = rest;

    return NGX_OK;
}


/* words in which a "|" is a character like any other */

static ngx_uint_t
ngx_envelope_words_verbatim(ngx_array_t *words, ngx_str_t *arg)
{
    ngx_str_t    *last;
    ngx_uint_t    i;

    static ngx_str_t  params[] = {
        ngx_string("over="),
        ngx_string("aad="),
        ngx_string("label="),
        ngx_string("except="),
        ngx_string("iv=<"),
        ngx_null_string
    };

    last = words->elts;
    last += words->nelts;

    if (words->nelts > 1
        && ngx_envelope_is(&last[-1], "prefix")
        && ngx_envelope_is(&last[-2], "|"))
    {
        return 1;
    }

    for (i = 0; params[i].len; i++) {
        if (arg->len >= params[i].len
            && ngx_strncmp(arg->data, params[i].data, params[i].len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_envelope_statement_label(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_str_t *args, ngx_uint_t n)
{
    u_char  *p;
    size_t   len;

    len = args[0].len + (n > 1 ? 1 + args[1].len : 0);

    p = ngx_pnalloc(format->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    st->label.data = p;
    st->label.len = len;

    p = ngx_cpymem(p, args[0].data, args[0].len);

    if (n > 1) {
        *p++ = ' ';
        ngx_memcpy(p, args[1].data, args[1].len);
    }

    return NGX_OK;
}


void
ngx_envelope_statement_where(const ngx_envelope_statement_t *statement,
    ngx_str_t *label, ngx_str_t *file, ngx_uint_t *line)
{
    *label = statement->label;
    *file = statement->file;
    *line = statement->line;
}


ngx_int_t
ngx_envelope_format_address(ngx_envelope_format_t *format,
    ngx_envelope_address_t *address, ngx_str_t *text,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;

    rc = ngx_envelope_address_parse(address, format->pool, text, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (address->kind != NGX_ENVELOPE_ADDRESS_MEMBER) {
        format->headers = 1;
        return NGX_OK;
    }

    format->members = 1;
    format->depth = ngx_max(format->depth, address->n);

    return NGX_OK;
}


ngx_int_t
ngx_envelope_format_ring(ngx_envelope_format_t *format, ngx_str_t *name,
    ngx_uint_t is_secret, ngx_uint_t *index, ngx_envelope_reason_t *reason)
{
    ngx_uint_t             i;
    ngx_envelope_ring_t   *ring, **rings;

    ring = ngx_envelope_profile_ring(format->profile, name);

    if (ring == NULL) {
        return ngx_envelope_declined(reason, "unknown %s \"%V\", write "
                                     "\"%s %V ..;\" in the profile",
                                     is_secret ? "secret" : "key", name,
                                     is_secret ? "secret" : "key", name);
    }

    if (ring->is_secret != is_secret) {
        return ngx_envelope_declined(reason, "\"%V\" is a %s where a %s is "
                                     "needed", name,
                                     is_secret ? "key" : "secret",
                                     is_secret ? "secret" : "key");
    }

    rings = format->rings.elts;

    for (i = 0; i < format->rings.nelts; i++) {
        if (rings[i] == ring) {
            *index = i;
            return NGX_OK;
        }
    }

    if (format->rings.nelts == NGX_ENVELOPE_RINGS_MAX) {
        return ngx_envelope_declined(reason, "more than %d names of keys and "
                                     "secrets", NGX_ENVELOPE_RINGS_MAX);
    }

    rings = ngx_array_push(&format->rings);
    if (rings == NULL) {
        return NGX_ERROR;
    }

    *rings = ring;
    *index = format->rings.nelts - 1;

    return NGX_OK;
}


ngx_envelope_random_t *
ngx_envelope_format_random(ngx_envelope_format_t *format, ngx_str_t *name,
    ngx_uint_t *index)
{
    ngx_uint_t              i;
    ngx_envelope_random_t  *random;

    random = format->randoms.elts;

    for (i = 0; i < format->randoms.nelts; i++) {

        if (ngx_envelope_str_equal(&random[i].name, name)) {
            *index = i;
            return &random[i];
        }
    }

    return NULL;
}


ngx_str_t *
ngx_envelope_word(ngx_envelope_words_t *words)
{
    if (words->pos == words->nelts) {
        return NULL;
    }

    return &words->elts[words->pos++];
}


ngx_uint_t
ngx_envelope_word_param(ngx_envelope_words_t *words, const char *name,
    ngx_str_t *value)
{
    size_t      len;
    ngx_str_t  *word;

    if (words->pos == words->nelts) {
        return 0;
    }

    word = &words->elts[words->pos];
    len = ngx_strlen(name);

    /* one that is there twice is left for an error */

    if (value->data
        || word->len <= len
        || ngx_strncmp(word->data, name, len) != 0
        || word->data[len] != '=')
    {
        return 0;
    }

    value->data = word->data + len + 1;
    value->len = word->len - len - 1;

    /* for nginx a quote inside of a word is a character like any other */

    if (value->len > 1
        && (value->data[0] == '"' || value->data[0] == '\'')
        && value->data[value->len - 1] == value->data[0])
    {
        value->data++;
        value->len -= 2;
    }

    words->pos++;

    return 1;
}
