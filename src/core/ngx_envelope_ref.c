
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"


/* what "key=", "iv=" and sources name, at configuration and for a message */


static ngx_int_t ngx_envelope_ref_random(ngx_envelope_format_t *format,
    ngx_envelope_ref_t *ref, ngx_envelope_reason_t *reason);


ngx_int_t
ngx_envelope_ref_link(ngx_envelope_format_t *format, ngx_envelope_ref_t *ref,
    ngx_uint_t secret, ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;

    if (secret) {
        rc = ngx_envelope_ref_random(format, ref, reason);
        if (rc != NGX_DONE) {
            return rc;
        }
    }

    rc = ngx_envelope_format_ring(format, &ref->text, secret, &ref->index,
                                  reason);

    if (rc == NGX_OK) {
        ref->kind = NGX_ENVELOPE_REF_RING;
        format->tries |= (uint64_t) 1 << ref->index;
    }

    return rc;
}


/* NGX_DONE: it is not the name of a random */

static ngx_int_t
ngx_envelope_ref_random(ngx_envelope_format_t *format,
    ngx_envelope_ref_t *ref, ngx_envelope_reason_t *reason)
{
    u_char                 *dot, *end;
    ngx_str_t               name, part;
    ngx_uint_t              i;
    ngx_envelope_part_t    *parts;
    ngx_envelope_random_t  *random;

    name = ref->text;
    end = name.data + name.len;
    dot = ngx_strlchr(name.data, end, '.');

    if (dot) {
        name.len = dot - name.data;
    }

    random = ngx_envelope_format_random(format, &name, &ref->index);

    if (random == NULL) {
        return NGX_DONE;
    }

    ref->kind = NGX_ENVELOPE_REF_RANDOM;

    if (dot == NULL) {
        ref->offset = 0;
        ref->len = random->len;
        ref->mask = ngx_envelope_random_mask(random, ref->index);
        return NGX_OK;
    }

    part.data = dot + 1;
    part.len = end - part.data;
    parts = random->parts.elts;

    for (i = 0; i < random->parts.nelts; i++) {

        if (ngx_envelope_str_equal(&parts[i].name, &part)) {
            ref->offset = parts[i].offset;
            ref->len = parts[i].len;
            ref->mask = (uint64_t) 1
                        << (ref->index * NGX_ENVELOPE_PARTS_MAX + i);
            return NGX_OK;
        }
    }

    return ngx_envelope_declined(reason, "random \"%V\" has no part \"%V\"",
                                 &name, &part);
}


ngx_int_t
ngx_envelope_ref_check(ngx_envelope_format_t *format, ngx_envelope_ref_t *ref,
    ngx_envelope_check_t *check, ngx_envelope_reason_t *reason)
{
    if (ref->kind != NGX_ENVELOPE_REF_RANDOM
        || (check->known & ref->mask) == ref->mask)
    {
        return NGX_OK;
    }

    if (check->direction == NGX_ENVELOPE_SEAL) {
        return ngx_envelope_declined(reason, "\"%V\" is needed before its "
                                     "\"random\" statement, move that up",
                                     &ref->text);
    }

    return ngx_envelope_declined(reason, "opening goes from the last "
                                 "statement to the first and needs \"%V\" "
                                 "here, put the \"field\" that carries it "
                                 "below this one", &ref->text);
}


ngx_int_t
ngx_envelope_run_bytes(ngx_envelope_run_t *run, ngx_envelope_ref_t *ref,
    ngx_str_t *bytes)
{
    ngx_envelope_ring_t           **rings;
    ngx_envelope_shared_secret_t   *secrets;

    switch (ref->kind) {

    case NGX_ENVELOPE_REF_RING:
        rings = run->format->rings.elts;
        secrets = rings[ref->index]->secrets.elts;
        *bytes = secrets[run->choice[ref->index]].value;
        return NGX_OK;

    case NGX_ENVELOPE_REF_RANDOM:

        /* the field that carries it is optional and was not there */

        if ((run->known & ref->mask) != ref->mask) {
            return ngx_envelope_declined(run->reason, "\"%V\" was not "
                                         "recovered", &ref->text);
        }

        bytes->data = run->randoms[ref->index].data + ref->offset;
        bytes->len = ref->len;
        return NGX_OK;

    case NGX_ENVELOPE_REF_ADDRESS:
        return ngx_envelope_run_read(run, ref->address, bytes);

    default: /* NGX_ENVELOPE_REF_CONSTANT */
        *bytes = ref->text;
        return NGX_OK;
    }
}


ngx_envelope_key_t *
ngx_envelope_run_key(ngx_envelope_run_t *run, ngx_envelope_ref_t *ref)
{
    ngx_envelope_key_t   *keys;
    ngx_envelope_ring_t  **rings;

    rings = run->format->rings.elts;
    keys = rings[ref->index]->keys.elts;

    return &keys[run->choice[ref->index]];
}
