
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"


/* "random": fresh bytes for one message */


static ngx_int_t ngx_envelope_random_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_random_part(ngx_envelope_random_t *random,
    ngx_pool_t *pool, ngx_str_t *word, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_random_check(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_random_seal(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);


const ngx_envelope_statement_def_t  ngx_envelope_random_def = {
    ngx_string("random"),
    ngx_envelope_random_parse,
    NULL,
    ngx_envelope_random_check,
    NULL,
    ngx_envelope_random_seal,
    NULL
};


static ngx_int_t
ngx_envelope_random_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t               rc;
    ngx_str_t              *name, *word;
    ngx_uint_t              index;
    ngx_envelope_random_t  *random;

    name = ngx_envelope_word(words);
    word = ngx_envelope_word(words);

    if (name == NULL || word == NULL) {
        return ngx_envelope_declined(reason, "write: random NAME LENGTH, or: "
                                     "random NAME PART:LENGTH ..");
    }

    if (ngx_strlchr(name->data, name->data + name->len, '.')
        || ngx_envelope_is(name, "json") || ngx_envelope_is(name, "string")
        || ngx_envelope_is(name, "prefix"))
    {
        return ngx_envelope_declined(reason, "\"%V\" cannot be the name of a "
                                     "random", name);
    }

    if (ngx_envelope_format_random(format, name, &index)) {
        return ngx_envelope_declined(reason, "random \"%V\" is there already",
                                     name);
    }

    if (format->randoms.nelts == NGX_ENVELOPE_RANDOMS_MAX) {
        return ngx_envelope_declined(reason, "more than %d randoms",
                                     NGX_ENVELOPE_RANDOMS_MAX);
    }

    random = ngx_array_push(&format->randoms);
    if (random == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(random, sizeof(ngx_envelope_random_t));

    if (ngx_envelope_copy(format->pool, &random->name, name) != NGX_OK
        || ngx_array_init(&random->parts, format->pool, 2,
                          sizeof(ngx_envelope_part_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    st->u.field.random.index = format->randoms.nelts - 1;

    if (ngx_strlchr(word->data, word->data + word->len, ':') == NULL) {
        rc = ngx_atoi(word->data, word->len);

        if (rc == NGX_ERROR || rc == 0 || rc > NGX_ENVELOPE_RANDOM_MAX) {
            return ngx_envelope_declined(reason, "\"%V\" is not a length "
                                         "from 1 to %d bytes", word,
                                         NGX_ENVELOPE_RANDOM_MAX);
        }

        random->len = rc;

        return NGX_OK;
    }

    do {
        rc = ngx_envelope_random_part(random, format->pool, word, reason);
        if (rc != NGX_OK) {
            return rc;
        }

        word = ngx_envelope_word(words);

    } while (word);

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_random_part(ngx_envelope_random_t *random, ngx_pool_t *pool,
    ngx_str_t *word, ngx_envelope_reason_t *reason)
{
    u_char               *colon, *end;
    ngx_int_t             n;
    ngx_str_t             name;
    ngx_uint_t            i;
    ngx_envelope_part_t  *part;

    end = word->data + word->len;
    colon = ngx_strlchr(word->data, end, ':');

    n = colon ? ngx_atoi(colon + 1, end - colon - 1) : NGX_ERROR;

    if (n == NGX_ERROR || n == 0 || colon == word->data
        || random->len + n > NGX_ENVELOPE_RANDOM_MAX
        || random->parts.nelts == NGX_ENVELOPE_PARTS_MAX)
    {
        return ngx_envelope_declined(reason, "\"%V\" is not PART:LENGTH (at "
                                     "most %d parts, %d bytes in all)", word,
                                     NGX_ENVELOPE_PARTS_MAX,
                                     NGX_ENVELOPE_RANDOM_MAX);
    }

    name.data = word->data;
    name.len = colon - word->data;

    part = random->parts.elts;

    for (i = 0; i < random->parts.nelts; i++) {

        if (ngx_envelope_str_equal(&part[i].name, &name)) {
            return ngx_envelope_declined(reason, "part \"%V\" is there "
                                         "already", &name);
        }
    }

    part = ngx_array_push(&random->parts);
    if (part == NULL) {
        return NGX_ERROR;
    }

    part->offset = random->len;
    part->len = n;
    random->len += n;

    return ngx_envelope_copy(pool, &part->name, &name);
}


static ngx_int_t
ngx_envelope_random_check(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason)
{
    ngx_uint_t              index;
    ngx_envelope_random_t  *random;

    if (check->direction == NGX_ENVELOPE_SEAL) {
        random = format->randoms.elts;
        index = st->u.field.random.index;

        check->known |= ngx_envelope_random_mask(&random[index], index);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_random_seal(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st)
{
    ngx_str_t              *random;
    ngx_uint_t              index;
    ngx_envelope_random_t  *randoms;

    index = st->u.field.random.index;
    random = &run->randoms[index];
    randoms = run->format->randoms.elts;

    if (run->input->env->random(run->input->env->data, random->data,
                                random->len)
        != NGX_OK)
    {
        return ngx_envelope_failed(run->reason, "no random bytes");
    }

    run->known |= ngx_envelope_random_mask(&randoms[index], index);

    return NGX_OK;
}


uint64_t
ngx_envelope_random_mask(ngx_envelope_random_t *random, ngx_uint_t index)
{
    uint64_t  mask;

    /* one without parts is as one with one */

    mask = ((uint64_t) 1 << ngx_max(random->parts.nelts, 1)) - 1;

    return mask << (index * NGX_ENVELOPE_PARTS_MAX);
}
