
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_profile.h"
#include "ngx_envelope_secret.h"


static ngx_envelope_ring_t *ngx_envelope_profile_ring_add(
    ngx_envelope_profile_t *profile, ngx_str_t *name, ngx_uint_t is_secret,
    ngx_envelope_reason_t *reason);


ngx_str_t  ngx_envelope_message_names[NGX_ENVELOPE_MESSAGES] = {
    ngx_string("request"),
    ngx_string("response"),
    ngx_string("webhook"),
    ngx_string("reply")
};


ngx_envelope_profile_t *
ngx_envelope_profile_create(ngx_pool_t *pool, ngx_str_t *name)
{
    ngx_envelope_profile_t  *profile;

    profile = ngx_pcalloc(pool, sizeof(ngx_envelope_profile_t));
    if (profile == NULL) {
        return NULL;
    }

    profile->pool = pool;

    if (ngx_envelope_copy(pool, &profile->name, name) != NGX_OK) {
        return NULL;
    }

    if (ngx_array_init(&profile->rings, pool, 4,
                       sizeof(ngx_envelope_ring_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return profile;
}


ngx_envelope_ring_t *
ngx_envelope_profile_ring(ngx_envelope_profile_t *profile, ngx_str_t *name)
{
    ngx_uint_t             i;
    ngx_envelope_ring_t  **rings;

    rings = profile->rings.elts;

    for (i = 0; i < profile->rings.nelts; i++) {

        if (ngx_envelope_str_equal(&rings[i]->name, name)) {
            return rings[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_envelope_profile_add_key(ngx_envelope_profile_t *profile, ngx_str_t *name,
    ngx_envelope_key_t *key, ngx_envelope_reason_t *reason)
{
    ngx_uint_t            i;
    ngx_envelope_key_t   *keys;
    ngx_envelope_ring_t  *ring;

    ring = ngx_envelope_profile_ring_add(profile, name, 0, reason);
    if (ring == NULL) {
        return reason->len ? NGX_DECLINED : NGX_ERROR;
    }

    keys = ring->keys.elts;

    for (i = 0; i < ring->keys.nelts; i++) {

        if (key->id.len && ngx_envelope_str_equal(&keys[i].id, &key->id)) {
            return ngx_envelope_declined(reason,
                                         "key \"%V\" has id \"%V\" already",
                                         name, &key->id);
        }
    }

    keys = ngx_array_push(&ring->keys);
    if (keys == NULL) {
        return NGX_ERROR;
    }

    *keys = *key;

    return ngx_envelope_copy(profile->pool, &keys->id, &key->id);
}


ngx_int_t
ngx_envelope_profile_add_secret(ngx_envelope_profile_t *profile,
    ngx_str_t *name, ngx_str_t *id, ngx_str_t *value,
    ngx_envelope_reason_t *reason)
{
    ngx_uint_t                     i;
    ngx_envelope_ring_t           *ring;
    ngx_envelope_shared_secret_t  *secret;

    if (value->len == 0) {
        return ngx_envelope_declined(reason, "secret \"%V\" is empty", name);
    }

    if (value->len > NGX_ENVELOPE_SECRET_MAX) {
        return ngx_envelope_declined(reason,
                                     "secret \"%V\" is longer than %d bytes",
                                     name, NGX_ENVELOPE_SECRET_MAX);
    }

    ring = ngx_envelope_profile_ring_add(profile, name, 1, reason);
    if (ring == NULL) {
        return reason->len ? NGX_DECLINED : NGX_ERROR;
    }

    secret = ring->secrets.elts;

    for (i = 0; i < ring->secrets.nelts; i++) {

        if (id->len && ngx_envelope_str_equal(&secret[i].id, id)) {
            return ngx_envelope_declined(reason,
                                         "secret \"%V\" has id \"%V\" "
                                         "already", name, id);
        }
    }

    secret = ngx_array_push(&ring->secrets);
    if (secret == NULL) {
        return NGX_ERROR;
    }

    if (ngx_envelope_copy(profile->pool, &secret->id, id) != NGX_OK) {
        return NGX_ERROR;
    }

    secret->value.len = value->len;
    secret->value.data = ngx_envelope_secret_alloc(profile->pool, value->len);
    if (secret->value.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(secret->value.data, value->data, value->len);

    return NGX_OK;
}


static ngx_envelope_ring_t *
ngx_envelope_profile_ring_add(ngx_envelope_profile_t *profile,
    ngx_str_t *name, ngx_uint_t is_secret, ngx_envelope_reason_t *reason)
{
    ngx_envelope_ring_t  *ring, **pos;

    reason->len = 0;

    ring = ngx_envelope_profile_ring(profile, name);

    if (ring) {
        if (ring->is_secret != is_secret) {
            ngx_envelope_declined(reason,
                                  "\"%V\" is the name of a %s already", name,
                                  is_secret ? "key" : "secret");
            return NULL;
        }

        if (ring->keys.nelts + ring->secrets.nelts == NGX_ENVELOPE_RING_MAX) {
            ngx_envelope_declined(reason, "\"%V\" has %d keys already", name,
                                  NGX_ENVELOPE_RING_MAX);
            return NULL;
        }

        return ring;
    }

    ring = ngx_pcalloc(profile->pool, sizeof(ngx_envelope_ring_t));
    if (ring == NULL) {
        return NULL;
    }

    ring->is_secret = is_secret;

    if (ngx_envelope_copy(profile->pool, &ring->name, name) != NGX_OK
        || ngx_array_init(&ring->keys, profile->pool, 1,
                          sizeof(ngx_envelope_key_t))
           != NGX_OK
        || ngx_array_init(&ring->secrets, profile->pool, 1,
                          sizeof(ngx_envelope_shared_secret_t))
           != NGX_OK)
    {
        return NULL;
    }

    pos = ngx_array_push(&profile->rings);
    if (pos == NULL) {
        return NULL;
    }

    *pos = ring;

    return ring;
}


ngx_int_t
ngx_envelope_copy(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t *src)
{
    u_char  *p;

    p = ngx_pnalloc(pool, src->len ? src->len : 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (src->len) {
        ngx_memcpy(p, src->data, src->len);
    }

    dst->len = src->len;
    dst->data = p;

    return NGX_OK;
}


ngx_uint_t
ngx_envelope_str_equal(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || ngx_memcmp(a->data, b->data, a->len) == 0);
}
