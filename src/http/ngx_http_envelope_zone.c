
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_zone.h"
#include "ngx_http_envelope_once.h"
#include "ngx_http_envelope_token.h"

#include <sys/mman.h>


#define NGX_HTTP_ENVELOPE_ZONE_NAME       "envelope"
#define NGX_HTTP_ENVELOPE_ZONE_SIZE       1048576
#define NGX_HTTP_ENVELOPE_ZONE_PAGES_MIN  16


static ngx_int_t ngx_http_envelope_zone_add(ngx_conf_t *cf,
    ngx_http_envelope_main_conf_t *emcf, ngx_str_t *name, size_t size);
static ngx_int_t ngx_http_envelope_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_envelope_zone_fill(ngx_shm_zone_t *shm_zone,
    ngx_http_envelope_zone_t *zone);
static void ngx_http_envelope_zone_hide(ngx_shm_zone_t *shm_zone);


char *
ngx_http_envelope_zone_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_envelope_main_conf_t *emcf = conf;

    u_char     *p;
    ssize_t     size;
    ngx_str_t  *value, name, text;

    if (emcf->zone) {
        return "is duplicate";
    }

    value = cf->args->elts;

    p = (u_char *) ngx_strchr(value[1].data, ':');

    if (p == NULL || p == value[1].data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone \"%V\", write "
                           "\"envelope_zone NAME:SIZE\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    name.data = value[1].data;
    name.len = p - name.data;

    text.data = p + 1;
    text.len = value[1].data + value[1].len - text.data;

    size = ngx_parse_size(&text);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (size < (ssize_t) (NGX_HTTP_ENVELOPE_ZONE_PAGES_MIN * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, it takes at least %uzk",
                           &value[1], NGX_HTTP_ENVELOPE_ZONE_PAGES_MIN
                                      * ngx_pagesize / 1024);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_envelope_zone_add(cf, emcf, &name, size) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_envelope_zone_need(ngx_conf_t *cf)
{
    ngx_str_t                       name;
    ngx_http_envelope_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_envelope_module);

    if (emcf->zone) {
        return NGX_OK;
    }

    ngx_str_set(&name, NGX_HTTP_ENVELOPE_ZONE_NAME);

    return ngx_http_envelope_zone_add(cf, emcf, &name,
                                      NGX_HTTP_ENVELOPE_ZONE_SIZE);
}


static ngx_int_t
ngx_http_envelope_zone_add(ngx_conf_t *cf,
    ngx_http_envelope_main_conf_t *emcf, ngx_str_t *name, size_t size)
{
    ngx_shm_zone_t            *shm_zone;
    ngx_http_envelope_zone_t  *zone;

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_envelope_zone_t));
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->name = *name;
    zone->conf = emcf;

    if (ngx_http_envelope_zone_memory(cf, zone) != NGX_OK) {
        return NGX_ERROR;
    }

    shm_zone = ngx_shared_memory_add(cf, name, size,
                                     &ngx_http_envelope_module);
    if (shm_zone == NULL) {
        return NGX_ERROR;
    }

    shm_zone->init = ngx_http_envelope_zone_init;
    shm_zone->data = zone;

    emcf->zone = zone;

    return NGX_OK;
}


/* "data" is the zone of the configuration before, whose memory it is */

static ngx_int_t
ngx_http_envelope_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_envelope_zone_t *old = data;

    ngx_uint_t                   i;
    ngx_http_envelope_zone_t    *zone;
    ngx_http_envelope_token_t  **tokens;

    zone = shm_zone->data;

    if (old) {
        zone->sh = old->sh;
        zone->shpool = old->shpool;

        ngx_http_envelope_zone_keep(zone, old);

    } else if (ngx_http_envelope_zone_inherit(shm_zone, zone) == NGX_OK) {
        zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;
        zone->sh = zone->shpool->data;

        ngx_http_envelope_zone_hide(shm_zone);

    } else if (ngx_http_envelope_zone_fill(shm_zone, zone) != NGX_OK) {
        goto small;
    }

    ngx_http_envelope_token_outdate(zone);

    tokens = zone->conf->tokens.elts;

    for (i = 0; i < zone->conf->tokens.nelts; i++) {
        if (ngx_http_envelope_token_attach(zone, tokens[i]) != NGX_OK) {
            goto small;
        }
    }

    /* the last one, as it takes its share of what is left */

    if (zone->conf->once && ngx_http_envelope_once_attach(zone) != NGX_OK) {
        goto small;
    }

    return NGX_OK;

small:

    ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                  "envelope_zone \"%V\" of %uz bytes is too small",
                  &shm_zone->shm.name, shm_zone->shm.size);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_envelope_zone_fill(ngx_shm_zone_t *shm_zone,
    ngx_http_envelope_zone_t *zone)
{
    u_char  *p;
    size_t   len;

    if (!shm_zone->shm.exists) {
        ngx_http_envelope_zone_share(shm_zone, zone);
    }

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        zone->sh = zone->shpool->data;
        return NGX_OK;
    }

    ngx_http_envelope_zone_hide(shm_zone);

    zone->sh = ngx_slab_alloc(zone->shpool,
                              sizeof(ngx_http_envelope_zone_sh_t));
    if (zone->sh == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_init(&zone->sh->tokens);

    zone->shpool->data = zone->sh;

    len = sizeof(" in envelope_zone \"\"") + shm_zone->shm.name.len;

    p = ngx_slab_alloc(zone->shpool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(p, " in envelope_zone \"%V\"%Z", &shm_zone->shm.name);

    zone->shpool->log_ctx = p;

    return NGX_OK;
}


/* tokens have no business in a core file */

static void
ngx_http_envelope_zone_hide(ngx_shm_zone_t *shm_zone)
{
#ifdef MADV_DONTDUMP

    if (madvise(shm_zone->shm.addr, shm_zone->shm.size, MADV_DONTDUMP) == -1) {
        ngx_log_error(NGX_LOG_INFO, shm_zone->shm.log, ngx_errno,
                      "madvise(MADV_DONTDUMP) failed");
    }

#endif
}
