
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_random.h"
#include "ngx_http_envelope_request.h"
#include "ngx_http_envelope_token.h"
#include "ngx_envelope_codec.h"


#define NGX_HTTP_ENVELOPE_RANDOM_LEN  16  /* of a nonce, of a UUID */

/* "0.004", as $request_time has it */

#define NGX_HTTP_ENVELOPE_TIME_LEN    (NGX_TIME_T_LEN + sizeof(".000") - 1)


static ngx_int_t ngx_http_envelope_variable_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_envelope_variable_nonce(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_envelope_variable_uuid(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_envelope_variable_random(ngx_http_request_t *r,
    u_char *buf);

static ngx_int_t ngx_http_envelope_variable_place(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_envelope_variable_result(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_envelope_variable_text(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_envelope_variable_spent(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_envelope_variable_member(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_envelope_variable_token(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

static ngx_http_envelope_ctx_t *ngx_http_envelope_find_ctx(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_envelope_member_name(ngx_str_t *variable,
    ngx_str_t *name);
static ngx_int_t ngx_http_envelope_variable_set(ngx_http_variable_value_t *v,
    ngx_str_t *value);


static ngx_str_t  ngx_http_envelope_member_prefix =
    ngx_string("envelope_member_");


/* in the order of ngx_envelope_outcome_e */

static ngx_str_t  ngx_http_envelope_results[] = {
    ngx_string("sealed"),
    ngx_string("opened"),
    ngx_string("passed"),
    ngx_string("rejected")
};


/*
 * Subrequests share the values of variables with their parents and what
 * happened to a message changes as it goes, so nothing may be cached.
 */

static ngx_http_variable_t  ngx_http_envelope_vars[] = {

    { ngx_string("envelope_time"), NULL,
      ngx_http_envelope_variable_time, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("envelope_time_ms"), NULL,
      ngx_http_envelope_variable_time, 1,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("envelope_nonce"), NULL,
      ngx_http_envelope_variable_nonce, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("envelope_uuid"), NULL,
      ngx_http_envelope_variable_uuid, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("envelope_profile"), NULL,
      ngx_http_envelope_variable_place, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("envelope_role"), NULL,
      ngx_http_envelope_variable_place, 1,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("envelope_result"), NULL,
      ngx_http_envelope_variable_result, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("envelope_reason"), NULL,
      ngx_http_envelope_variable_text,
      offsetof(ngx_http_envelope_ctx_t, reason),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("envelope_kid"), NULL,
      ngx_http_envelope_variable_text,
      offsetof(ngx_http_envelope_ctx_t, kid),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("envelope_seal_time"), NULL,
      ngx_http_envelope_variable_spent, NGX_ENVELOPE_SEAL,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("envelope_open_time"), NULL,
      ngx_http_envelope_variable_spent, NGX_ENVELOPE_OPEN,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("envelope_token"), NULL,
      ngx_http_envelope_variable_token, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("envelope_member_"), NULL,
      ngx_http_envelope_variable_member, 0,
      NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_PREFIX, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_envelope_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_envelope_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_envelope_init_members(ngx_cycle_t *cycle)
{
    ngx_str_t                       name, *member;
    ngx_uint_t                      i;
    ngx_http_variable_t            *v;
    ngx_http_core_main_conf_t      *cmcf;
    ngx_http_envelope_main_conf_t  *emcf;

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module);
    emcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_envelope_module);

    /* there may be no "http" block */

    if (cmcf == NULL || emcf == NULL) {
        return NGX_OK;
    }

    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (ngx_http_envelope_member_name(&v[i].name, &name) != NGX_OK) {
            continue;
        }

        member = ngx_array_push(&emcf->members);
        if (member == NULL) {
            return NGX_ERROR;
        }

        *member = name;
    }

    return NGX_OK;
}


/* $envelope_time, and with "data" set $envelope_time_ms */

static ngx_int_t
ngx_http_envelope_variable_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char      *p;
    ngx_str_t    value;
    ngx_time_t  *tp;

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + 3);
    if (p == NULL) {
        return NGX_ERROR;
    }

    tp = ngx_timeofday();

    value.data = p;

    if (data) {
        value.len = ngx_sprintf(p, "%L", (int64_t) tp->sec * 1000 + tp->msec)
                    - p;

    } else {
        value.len = ngx_sprintf(p, "%T", tp->sec) - p;
    }

    return ngx_http_envelope_variable_set(v, &value);
}


/* a request keeps its nonce, and no other request has the same */

static ngx_int_t
ngx_http_envelope_variable_nonce(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                    bytes[NGX_HTTP_ENVELOPE_RANDOM_LEN];
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_envelope_get_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (ctx->nonce.len == 0) {

        if (ngx_http_envelope_variable_random(r, bytes) != NGX_OK) {
            return NGX_ERROR;
        }

        ctx->nonce.data = ngx_pnalloc(r->pool, NGX_HTTP_ENVELOPE_NONCE_LEN);
        if (ctx->nonce.data == NULL) {
            return NGX_ERROR;
        }

        ngx_hex_dump(ctx->nonce.data, bytes, NGX_HTTP_ENVELOPE_RANDOM_LEN);
        ctx->nonce.len = NGX_HTTP_ENVELOPE_NONCE_LEN;
    }

    return ngx_http_envelope_variable_set(v, &ctx->nonce);
}


/* version 4 of RFC 9562 */

static ngx_int_t
ngx_http_envelope_variable_uuid(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                    bytes[NGX_HTTP_ENVELOPE_RANDOM_LEN], *p;
    ngx_uint_t                i;
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_envelope_get_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (ctx->uuid.len == 0) {

        if (ngx_http_envelope_variable_random(r, bytes) != NGX_OK) {
            return NGX_ERROR;
        }

        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;

        p = ngx_pnalloc(r->pool, NGX_HTTP_ENVELOPE_UUID_LEN);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ctx->uuid.data = p;

        for (i = 0; i < NGX_HTTP_ENVELOPE_RANDOM_LEN; i++) {

            if (i == 4 || i == 6 || i == 8 || i == 10) {
                *p++ = '-';
            }

            p = ngx_hex_dump(p, &bytes[i], 1);
        }

        ctx->uuid.len = NGX_HTTP_ENVELOPE_UUID_LEN;
    }

    return ngx_http_envelope_variable_set(v, &ctx->uuid);
}


static ngx_int_t
ngx_http_envelope_variable_random(ngx_http_request_t *r, u_char *buf)
{
    if (ngx_http_envelope_random(NULL, buf, NGX_HTTP_ENVELOPE_RANDOM_LEN)
        == NGX_OK)
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "RAND_bytes() failed");

    return NGX_ERROR;
}


/*
 * $envelope_profile, and with "data" set $envelope_role: what has taken hold
 * of the request, else what will where it is now.
 */

static ngx_int_t
ngx_http_envelope_variable_place(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                        name;
    ngx_http_envelope_ctx_t         *ctx;
    ngx_http_envelope_profile_t     *profile;
    ngx_http_envelope_loc_conf_t    *elcf;
    const ngx_http_envelope_role_t  *role;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);
    elcf = ngx_http_get_module_loc_conf(r, ngx_http_envelope_module);

    if ((ctx == NULL || ctx->role == NULL) && elcf->role) {
        role = elcf->role;
        profile = elcf->profile;

    } else {
        ctx = ngx_http_envelope_find_ctx(r);
        role = ctx ? ctx->role : NULL;
        profile = ctx ? ctx->profile : NULL;
    }

    if (role == NULL || profile == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    name = data ? role->name : profile->name;

    return ngx_http_envelope_variable_set(v, &name);
}


static ngx_int_t
ngx_http_envelope_variable_result(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_envelope_find_ctx(r);

    if (ctx == NULL || ctx->result == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_envelope_variable_set(v,
                                   &ngx_http_envelope_results[ctx->result - 1]);
}


/* a string of the context; "data" is its offset */

static ngx_int_t
ngx_http_envelope_variable_text(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                *value;
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_envelope_find_ctx(r);

    if (ctx) {
        value = (ngx_str_t *) ((u_char *) ctx + data);

        if (value->len) {
            return ngx_http_envelope_variable_set(v, value);
        }
    }

    v->not_found = 1;

    return NGX_OK;
}


/* "data" is the direction */

static ngx_int_t
ngx_http_envelope_variable_spent(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                 value;
    ngx_msec_t                spent;
    ngx_uint_t                timed;
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_envelope_find_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    if (data == NGX_ENVELOPE_SEAL) {
        timed = ctx->seal_timed;
        spent = ctx->seal_time;

    } else {
        timed = ctx->open_timed;
        spent = ctx->open_time;
    }

    if (!timed) {
        v->not_found = 1;
        return NGX_OK;
    }

    value.data = ngx_pnalloc(r->pool, NGX_HTTP_ENVELOPE_TIME_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%T.%03M", (time_t) (spent / 1000),
                            spent % 1000)
                - value.data;

    return ngx_http_envelope_variable_set(v, &value);
}


/* "data" is the variable's name, whose end is the member's */

static ngx_int_t
ngx_http_envelope_variable_member(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t *variable = (ngx_str_t *) data;

    ngx_str_t                       name, *members;
    ngx_uint_t                      i;
    ngx_http_envelope_ctx_t        *ctx;
    ngx_http_envelope_main_conf_t  *emcf;

    ctx = ngx_http_envelope_find_ctx(r);

    if (ctx == NULL || ctx->members == NULL
        || ngx_http_envelope_member_name(variable, &name) != NGX_OK)
    {
        v->not_found = 1;
        return NGX_OK;
    }

    emcf = ngx_http_get_module_main_conf(r, ngx_http_envelope_module);

    members = emcf->members.elts;

    for (i = 0; i < emcf->members.nelts; i++) {

        if (members[i].len == name.len
            && ngx_strncasecmp(members[i].data, name.data, name.len) == 0
            && ctx->members[i].data)
        {
            return ngx_http_envelope_variable_set(v, &ctx->members[i]);
        }
    }

    v->not_found = 1;

    return NGX_OK;
}


/* of the call that carries it, until that has been answered */

static ngx_int_t
ngx_http_envelope_variable_token(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);

    if (ctx == NULL || ctx->token == NULL || ctx->token->value.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_envelope_variable_set(v, &ctx->token->value);
}


/*
 * The context of r, or where nothing has been done to a subrequest's own
 * message that of the main request.
 */

static ngx_http_envelope_ctx_t *
ngx_http_envelope_find_ctx(ngx_http_request_t *r)
{
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_envelope_last_ctx(r);

    if (ctx == NULL || (ctx->role == NULL && ctx->result == 0)) {
        ctx = ngx_http_envelope_last_ctx(r->main);
    }

    return ctx;
}


/* NGX_DECLINED: it is no $envelope_member_NAME */

static ngx_int_t
ngx_http_envelope_member_name(ngx_str_t *variable, ngx_str_t *name)
{
    size_t  len;

    len = ngx_http_envelope_member_prefix.len;

    if (variable->len <= len
        || ngx_strncasecmp(variable->data,
                           ngx_http_envelope_member_prefix.data, len)
           != 0)
    {
        return NGX_DECLINED;
    }

    name->data = variable->data + len;
    name->len = variable->len - len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_variable_set(ngx_http_variable_value_t *v, ngx_str_t *value)
{
    v->len = value->len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = value->data;

    return NGX_OK;
}
