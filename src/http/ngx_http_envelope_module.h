
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_HTTP_ENVELOPE_MODULE_H_INCLUDED_
#define _NGX_HTTP_ENVELOPE_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_envelope_format.h"


/*
 * Configuration of the glue: which profile plays which role where.  All of
 * it is immutable once the configuration has been read.
 */


/*
 * Commands inside "envelope_profile".  All bits of HTTP contexts are taken,
 * while no command of an HTTP module is one of the main context outside of
 * "http".  The bit is within NGX_ANY_CONF, as "include" needs it.
 */

#define NGX_HTTP_ENVELOPE_PROFILE_CONF  NGX_MAIN_CONF


typedef enum {
    NGX_HTTP_ENVELOPE_CALL = 0,
    NGX_HTTP_ENVELOPE_WEBHOOK,
    NGX_HTTP_ENVELOPE_SERVE,
    NGX_HTTP_ENVELOPE_NOTIFY,
    NGX_HTTP_ENVELOPE_ROLES
} ngx_http_envelope_role_e;


/* what a role does with the body on its way in and on its way back */

typedef struct {
    ngx_str_t                      name;       /* "call" */
    ngx_envelope_message_e         request;
    ngx_envelope_direction_e       request_direction;
    ngx_envelope_message_e         response;
    ngx_envelope_direction_e       response_direction;
    ngx_uint_t                     outside;    /* the client is a stranger,
                                                  who is told no reason */
} ngx_http_envelope_role_t;


/* where something stands in the configuration */

typedef struct {
    ngx_str_t                      file;
    ngx_uint_t                     line;
} ngx_http_envelope_place_t;


typedef struct ngx_http_envelope_token_s  ngx_http_envelope_token_t;
typedef struct ngx_http_envelope_zone_s   ngx_http_envelope_zone_t;


typedef struct {
    ngx_str_t                      name;
    ngx_envelope_profile_t        *profile;    /* NULL until it is defined */
    ngx_http_envelope_token_t     *token;      /* NULL: it has none */

    /*
     * ngx_http_complex_value_t, in the order of the format's "values";
     * NULL where the message is not described
     */
    ngx_array_t                   *values[NGX_ENVELOPE_MESSAGES];

    ngx_uint_t                     roles;      /* bits of those in use */
    ngx_uint_t                     opened;     /* bits of messages that
                                                  they open */

    ngx_http_envelope_place_t      place;      /* where it is first named,
                                                  once defined: its block */
    ngx_http_envelope_place_t      blocks[NGX_ENVELOPE_MESSAGES];
    ngx_http_envelope_place_t      uses[NGX_HTTP_ENVELOPE_ROLES];
                                               /* the first of each role */
} ngx_http_envelope_profile_t;


typedef struct {
    ngx_array_t                    profiles;   /* .._profile_t * */
    ngx_array_t                    members;    /* ngx_str_t: NAMEs of the
                                                  $envelope_member_NAMEs that
                                                  the configuration uses,
                                                  lower case */
    ngx_array_t                    tokens;     /* .._token_t *: those in
                                                  use */
    ngx_http_envelope_zone_t      *zone;       /* NULL: none is needed */
    ngx_uint_t                     once;       /* marks are needed in it */
    ngx_fd_t                       handed;     /* an old binary's zone */
    ngx_http_envelope_profile_t   *current;    /* being parsed */
} ngx_http_envelope_main_conf_t;


typedef struct {
    /* of each role: unset, NULL for "off", or a profile */
    ngx_http_envelope_profile_t   *profiles[NGX_HTTP_ENVELOPE_ROLES];

    /* the one that holds here after merging; NULL for none */
    const ngx_http_envelope_role_t  *role;
    ngx_http_envelope_profile_t     *profile;

    size_t                         max_response_size;

    ngx_flag_t                     threads;

#if (NGX_THREADS)
    ngx_thread_pool_t             *thread_pool;  /* NULL: nobody asks */
#endif
} ngx_http_envelope_loc_conf_t;


extern ngx_module_t  ngx_http_envelope_module;

extern const ngx_http_envelope_role_t
    ngx_http_envelope_roles[NGX_HTTP_ENVELOPE_ROLES];


/* where the parser is */

void ngx_http_envelope_place(ngx_conf_t *cf,
    ngx_http_envelope_place_t *place);

/*
 * The profile of that name, made as a placeholder when it is named before it
 * is defined.  NULL when out of memory.
 */

ngx_http_envelope_profile_t *ngx_http_envelope_profile_get(ngx_conf_t *cf,
    ngx_str_t *name);

/* "envelope_profile NAME { .. }" and what stands inside */

char *ngx_http_envelope_profile_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_envelope_profile_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_envelope_profile_secret(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_envelope_profile_message(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Once all is read: every profile that a role names is defined and can do
 * what the role asks of it; warns where it can, but should not.
 */

ngx_int_t ngx_http_envelope_profile_check(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile);

ngx_int_t ngx_http_envelope_add_variables(ngx_conf_t *cf);

/*
 * Fills main conf's "members".  The variables in use are known only after
 * postconfiguration of all modules, so this is called as modules are inited.
 */

ngx_int_t ngx_http_envelope_init_members(ngx_cycle_t *cycle);

ngx_int_t ngx_http_envelope_request_init(ngx_conf_t *cf);
ngx_int_t ngx_http_envelope_response_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_ENVELOPE_MODULE_H_INCLUDED_ */
