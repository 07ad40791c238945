
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_module.h"
#include "ngx_http_envelope_curl_library.h"
#include "ngx_http_envelope_gate.h"
#include "ngx_http_envelope_job.h"
#include "ngx_http_envelope_pool.h"
#include "ngx_http_envelope_threads.h"
#include "ngx_http_envelope_token.h"
#include "ngx_http_envelope_zone.h"


#define NGX_HTTP_ENVELOPE_MAX_RESPONSE_SIZE  1048576

#define NGX_HTTP_ENVELOPE_ANY_CONF                                            \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF)


static char *ngx_http_envelope_set_role(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_envelope_check_size(ngx_conf_t *cf, void *post,
    void *data);

static void *ngx_http_envelope_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_envelope_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_envelope_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

static ngx_int_t ngx_http_envelope_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_envelope_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_envelope_init_process(ngx_cycle_t *cycle);
static void ngx_http_envelope_exit_process(ngx_cycle_t *cycle);


const ngx_http_envelope_role_t
    ngx_http_envelope_roles[NGX_HTTP_ENVELOPE_ROLES] = {

    { ngx_string("call"),
      NGX_ENVELOPE_REQUEST, NGX_ENVELOPE_SEAL,
      NGX_ENVELOPE_RESPONSE, NGX_ENVELOPE_OPEN, 0 },

    { ngx_string("webhook"),
      NGX_ENVELOPE_WEBHOOK, NGX_ENVELOPE_OPEN,
      NGX_ENVELOPE_REPLY, NGX_ENVELOPE_SEAL, 1 },

    { ngx_string("serve"),
      NGX_ENVELOPE_REQUEST, NGX_ENVELOPE_OPEN,
      NGX_ENVELOPE_RESPONSE, NGX_ENVELOPE_SEAL, 1 },

    { ngx_string("notify"),
      NGX_ENVELOPE_WEBHOOK, NGX_ENVELOPE_SEAL,
      NGX_ENVELOPE_REPLY, NGX_ENVELOPE_OPEN, 0 }
};


static ngx_conf_post_t  ngx_http_envelope_size_post =
    { ngx_http_envelope_check_size };


static ngx_command_t  ngx_http_envelope_commands[] = {

    { ngx_string("envelope_profile"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_envelope_profile_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("key"),
      NGX_HTTP_ENVELOPE_PROFILE_CONF|NGX_CONF_TAKE23|NGX_CONF_TAKE4,
      ngx_http_envelope_profile_key,
      0,
      0,
      NULL },

    { ngx_string("secret"),
      NGX_HTTP_ENVELOPE_PROFILE_CONF|NGX_CONF_TAKE3|NGX_CONF_TAKE4,
      ngx_http_envelope_profile_secret,
      0,
      0,
      NULL },

    { ngx_string("request"),
      NGX_HTTP_ENVELOPE_PROFILE_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_http_envelope_profile_message,
      0,
      NGX_ENVELOPE_REQUEST,
      NULL },

    { ngx_string("response"),
      NGX_HTTP_ENVELOPE_PROFILE_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_http_envelope_profile_message,
      0,
      NGX_ENVELOPE_RESPONSE,
      NULL },

    { ngx_string("webhook"),
      NGX_HTTP_ENVELOPE_PROFILE_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_http_envelope_profile_message,
      0,
      NGX_ENVELOPE_WEBHOOK,
      NULL },

    { ngx_string("reply"),
      NGX_HTTP_ENVELOPE_PROFILE_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_http_envelope_profile_message,
      0,
      NGX_ENVELOPE_REPLY,
      NULL },

    { ngx_string("token"),
      NGX_HTTP_ENVELOPE_PROFILE_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_http_envelope_token_block,
      0,
      0,
      NULL },

    { ngx_string("envelope_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_envelope_zone_set,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("envelope_call"),
      NGX_HTTP_ENVELOPE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_envelope_set_role,
      NGX_HTTP_LOC_CONF_OFFSET,
      NGX_HTTP_ENVELOPE_CALL,
      NULL },

    { ngx_string("envelope_webhook"),
      NGX_HTTP_ENVELOPE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_envelope_set_role,
      NGX_HTTP_LOC_CONF_OFFSET,
      NGX_HTTP_ENVELOPE_WEBHOOK,
      NULL },

    { ngx_string("envelope_serve"),
      NGX_HTTP_ENVELOPE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_envelope_set_role,
      NGX_HTTP_LOC_CONF_OFFSET,
      NGX_HTTP_ENVELOPE_SERVE,
      NULL },

    { ngx_string("envelope_notify"),
      NGX_HTTP_ENVELOPE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_envelope_set_role,
      NGX_HTTP_LOC_CONF_OFFSET,
      NGX_HTTP_ENVELOPE_NOTIFY,
      NULL },

    { ngx_string("envelope_max_response_size"),
      NGX_HTTP_ENVELOPE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_envelope_loc_conf_t, max_response_size),
      &ngx_http_envelope_size_post },

    { ngx_string("envelope_threads"),
      NGX_HTTP_ENVELOPE_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_envelope_threads_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_envelope_module_ctx = {
    ngx_http_envelope_add_variables,       /* preconfiguration */
    ngx_http_envelope_init,                /* postconfiguration */

    ngx_http_envelope_create_main_conf,    /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_envelope_create_loc_conf,     /* create location configuration */
    ngx_http_envelope_merge_loc_conf       /* merge location configuration */
};


ngx_module_t  ngx_http_envelope_module = {
    NGX_MODULE_V1,
    &ngx_http_envelope_module_ctx,         /* module context */
    ngx_http_envelope_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_envelope_init_module,         /* init module */
    ngx_http_envelope_init_process,        /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_envelope_exit_process,        /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* the command's offset is the role */

static char *
ngx_http_envelope_set_role(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_envelope_loc_conf_t *elcf = conf;

    ngx_str_t                    *value;
    ngx_uint_t                    i, role;
    ngx_http_envelope_profile_t  *profile;

    role = cmd->offset;

    if (elcf->profiles[role] != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        elcf->profiles[role] = NULL;
        return NGX_CONF_OK;
    }

    for (i = 0; i < NGX_HTTP_ENVELOPE_ROLES; i++) {

        if (elcf->profiles[i] != NGX_CONF_UNSET_PTR
            && elcf->profiles[i] != NULL)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" conflicts with \"envelope_%V\" "
                               "in this block",
                               &cmd->name, &ngx_http_envelope_roles[i].name);
            return NGX_CONF_ERROR;
        }
    }

    profile = ngx_http_envelope_profile_get(cf, &value[1]);
    if (profile == NULL) {
        return NGX_CONF_ERROR;
    }

    if (!(profile->roles & (1 << role))) {
        profile->roles |= 1 << role;
        ngx_http_envelope_place(cf, &profile->uses[role]);
    }

    elcf->profiles[role] = profile;

    return NGX_CONF_OK;
}


/* elsewhere in nginx 0 is "no limit", which there is none of here */

static char *
ngx_http_envelope_check_size(ngx_conf_t *cf, void *post, void *data)
{
    size_t *sp = data;

    if (*sp == 0) {
        return "must be greater than 0";
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_envelope_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_envelope_main_conf_t  *emcf;

    emcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_envelope_main_conf_t));
    if (emcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&emcf->profiles, cf->pool, 4,
                       sizeof(ngx_http_envelope_profile_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&emcf->members, cf->pool, 4, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&emcf->tokens, cf->pool, 4,
                       sizeof(ngx_http_envelope_token_t *))
        != NGX_OK)
    {
        return NULL;
    }

    /* here, as modules that are configured later may change "environ" */

    emcf->handed = ngx_http_envelope_zone_handed(cf->cycle);

    return emcf;
}


static void *
ngx_http_envelope_create_loc_conf(ngx_conf_t *cf)
{
    ngx_uint_t                     i;
    ngx_http_envelope_loc_conf_t  *elcf;

    elcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_envelope_loc_conf_t));
    if (elcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     elcf->role = NULL;
     *     elcf->profile = NULL;
     *     elcf->thread_pool = NULL;
     */

    for (i = 0; i < NGX_HTTP_ENVELOPE_ROLES; i++) {
        elcf->profiles[i] = NGX_CONF_UNSET_PTR;
    }

    elcf->max_response_size = NGX_CONF_UNSET_SIZE;
    elcf->threads = NGX_CONF_UNSET;

    return elcf;
}


/*
 * There is one role at most in a place: one that is named here hides all
 * that are inherited, while "off" hides its own.
 */

static char *
ngx_http_envelope_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_envelope_loc_conf_t *prev = parent;
    ngx_http_envelope_loc_conf_t *conf = child;

    ngx_uint_t                    i, named;
    ngx_http_envelope_profile_t  *inherited;

    named = 0;

    for (i = 0; i < NGX_HTTP_ENVELOPE_ROLES; i++) {
        if (conf->profiles[i] != NGX_CONF_UNSET_PTR
            && conf->profiles[i] != NULL)
        {
            named = 1;
        }
    }

    for (i = 0; i < NGX_HTTP_ENVELOPE_ROLES; i++) {
        inherited = named ? NULL : prev->profiles[i];

        ngx_conf_merge_ptr_value(conf->profiles[i], inherited, NULL);

        if (conf->profiles[i]) {
            conf->role = &ngx_http_envelope_roles[i];
            conf->profile = conf->profiles[i];
        }
    }

    ngx_conf_merge_size_value(conf->max_response_size,
                              prev->max_response_size,
                              NGX_HTTP_ENVELOPE_MAX_RESPONSE_SIZE);

    if (ngx_http_envelope_threads_merge(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_envelope_init(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_envelope_profile_t    **profiles;
    ngx_http_envelope_main_conf_t   *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_envelope_module);

    profiles = emcf->profiles.elts;

    for (i = 0; i < emcf->profiles.nelts; i++) {
        if (ngx_http_envelope_profile_check(cf, profiles[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_envelope_token_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_envelope_request_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_envelope_response_init(cf);
}


static ngx_int_t
ngx_http_envelope_init_module(ngx_cycle_t *cycle)
{
    if (ngx_http_envelope_zone_init_module(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_envelope_init_members(cycle);
}


static ngx_int_t
ngx_http_envelope_init_process(ngx_cycle_t *cycle)
{
    ngx_http_envelope_main_conf_t  *emcf;

    emcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_envelope_module);

    if (emcf && emcf->profiles.nelts) {
        ngx_http_envelope_job_init_process();
    }

#if (NGX_THREADS)
    ngx_http_envelope_gate_init(cycle);
#endif

    ngx_http_envelope_threads_init();
    ngx_http_envelope_zone_init_process(cycle);

    if (ngx_http_envelope_curl_keep_environment(cycle->log) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_envelope_token_init_process(cycle);
}


static void
ngx_http_envelope_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_envelope_threads_exit();

    ngx_http_envelope_token_exit_process(cycle);
    ngx_http_envelope_pool_exit_process();
}
