
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_module.h"
#include "ngx_http_envelope_token.h"
#include "ngx_http_envelope_zone.h"


#define NGX_HTTP_ENVELOPE_EXCERPT_LEN  128  /* of a statement, in messages */


static char *ngx_http_envelope_profile_end(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile);

static char *ngx_http_envelope_profile_statement(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static size_t ngx_http_envelope_profile_excerpt(ngx_conf_t *cf, u_char *buf);
static ngx_int_t ngx_http_envelope_profile_values(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile, ngx_envelope_format_t *format);

static ngx_int_t ngx_http_envelope_profile_check_role(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile, ngx_uint_t n);
static ngx_int_t ngx_http_envelope_profile_check_message(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile,
    const ngx_http_envelope_role_t *role, ngx_envelope_message_e message,
    ngx_envelope_direction_e direction);
static ngx_int_t ngx_http_envelope_profile_check_once(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile, ngx_envelope_format_t *format);
static void ngx_http_envelope_profile_warn(ngx_conf_t *cf,
    ngx_envelope_format_t *format, ngx_envelope_statement_t *statement,
    char *text);
static void ngx_http_envelope_profile_blame(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile, ngx_envelope_message_e message,
    ngx_envelope_statement_t *statement, const ngx_http_envelope_role_t *role,
    ngx_envelope_reason_t *reason);


void
ngx_http_envelope_place(ngx_conf_t *cf, ngx_http_envelope_place_t *place)
{
    place->file = cf->conf_file->file.name;
    place->line = cf->conf_file->line;
}


ngx_http_envelope_profile_t *
ngx_http_envelope_profile_get(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                       i;
    ngx_http_envelope_profile_t     *profile, **profiles;
    ngx_http_envelope_main_conf_t   *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_envelope_module);

    profiles = emcf->profiles.elts;

    for (i = 0; i < emcf->profiles.nelts; i++) {
        if (profiles[i]->name.len == name->len
            && ngx_strncmp(profiles[i]->name.data, name->data, name->len)
               == 0)
        {
            return profiles[i];
        }
    }

    profile = ngx_pcalloc(cf->pool, sizeof(ngx_http_envelope_profile_t));
    if (profile == NULL) {
        return NULL;
    }

    profile->name = *name;
    ngx_http_envelope_place(cf, &profile->place);

    profiles = ngx_array_push(&emcf->profiles);
    if (profiles == NULL) {
        return NULL;
    }

    *profiles = profile;

    return profile;
}


/*
 * A block with a handler of its own cannot hold other blocks, so what stands
 * inside are commands of the module, in a context of their own.  For that
 * kind of context nginx makes no usable configuration pointer: commands
 * inside look at the main configuration's "current" instead.
 */

char *
ngx_http_envelope_profile_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_envelope_main_conf_t *emcf = conf;

    char                         *rv;
    ngx_str_t                    *value;
    ngx_conf_t                    save;
    ngx_http_envelope_profile_t  *profile;

    value = cf->args->elts;

    if (value[1].len == 0 || ngx_strcmp(value[1].data, "off") == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid profile name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    profile = ngx_http_envelope_profile_get(cf, &value[1]);
    if (profile == NULL) {
        return NGX_CONF_ERROR;
    }

    if (profile->profile) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate envelope_profile \"%V\", "
                           "the first one is in %V:%ui",
                           &profile->name, &profile->place.file,
                           profile->place.line);
        return NGX_CONF_ERROR;
    }

    ngx_http_envelope_place(cf, &profile->place);

    profile->profile = ngx_envelope_profile_create(cf->pool, &profile->name);
    if (profile->profile == NULL) {
        return NGX_CONF_ERROR;
    }

    emcf->current = profile;

    save = *cf;
    cf->cmd_type = NGX_HTTP_ENVELOPE_PROFILE_CONF;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;
    emcf->current = NULL;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_envelope_profile_end(cf, profile);
}


static char *
ngx_http_envelope_profile_end(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_envelope_format_t     *format;
    ngx_envelope_reason_t      reason;
    ngx_envelope_statement_t  *statement;

    for (i = 0; i < NGX_ENVELOPE_MESSAGES; i++) {
        format = profile->profile->formats[i];

        if (format == NULL) {
            continue;
        }

        statement = NULL;
        (void) ngx_envelope_failed(&reason, "out of memory");

        rc = ngx_envelope_format_link(format, &statement, &reason);

        if (rc != NGX_OK) {
            ngx_http_envelope_profile_blame(cf, profile, i, statement, NULL,
                                            &reason);
            return NGX_CONF_ERROR;
        }
    }

    if (profile->token
        && ngx_http_envelope_token_link(cf, profile->token) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* "request { .. }"; the command's offset is the message */

char *
ngx_http_envelope_profile_message(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char                           *rv;
    ngx_conf_t                      save;
    ngx_envelope_message_e          message;
    ngx_envelope_format_t          *format;
    ngx_http_envelope_profile_t    *profile;
    ngx_http_envelope_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_envelope_module);

    profile = emcf->current;
    message = cmd->offset;

    if (profile->profile->formats[message]) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "envelope_profile \"%V\": duplicate \"%V\" block, "
                           "the first one is in %V:%ui",
                           &profile->name, &cmd->name,
                           &profile->blocks[message].file,
                           profile->blocks[message].line);
        return NGX_CONF_ERROR;
    }

    format = ngx_envelope_format_create(cf->pool, profile->profile, message);
    if (format == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_http_envelope_place(cf, &profile->blocks[message]);

    save = *cf;
    cf->handler = ngx_http_envelope_profile_statement;
    cf->handler_conf = (void *) format;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (format->statements.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "envelope_profile \"%V\": \"%V\" block is empty",
                           &profile->name, &cmd->name);
        return NGX_CONF_ERROR;
    }

    profile->profile->formats[message] = format;

    return NGX_CONF_OK;
}


static char *
ngx_http_envelope_profile_statement(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf)
{
    ngx_envelope_format_t *format = conf;

    size_t                          len;
    u_char                          text[NGX_HTTP_ENVELOPE_EXCERPT_LEN];
    ngx_int_t                       rc;
    ngx_str_t                      *value;
    ngx_envelope_reason_t           reason;
    ngx_http_envelope_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_envelope_module);

    value = cf->args->elts;

    if (ngx_strcmp(value[0].data, "include") == 0) {

        if (cf->args->nelts != 2) {
            return "invalid number of arguments in \"include\" directive";
        }

        return ngx_conf_include(cf, dummy, conf);
    }

    (void) ngx_envelope_failed(&reason, "out of memory");

    rc = ngx_envelope_format_add(format, value, cf->args->nelts,
                                 &cf->conf_file->file.name,
                                 cf->conf_file->line, &reason);

    if (rc == NGX_OK
        && ngx_http_envelope_profile_values(cf, emcf->current, format)
           != NGX_OK)
    {
        rc = ngx_envelope_declined(&reason, "the variables in it cannot be "
                                   "compiled");
    }

    if (rc != NGX_OK) {
        len = ngx_http_envelope_profile_excerpt(cf, text);

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "envelope_profile \"%V\": %V: \"%*s\": %*s",
                           &format->profile->name,
                           &ngx_envelope_message_names[format->message],
                           len, text, reason.len, reason.data);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* the words as they were written, in one line, cut where it gets long */

static size_t
ngx_http_envelope_profile_excerpt(ngx_conf_t *cf, u_char *buf)
{
    u_char      *p, *last;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    p = buf;
    last = buf + NGX_HTTP_ENVELOPE_EXCERPT_LEN - 3;

    for (i = 0; i < cf->args->nelts; i++) {
        p = ngx_slprintf(p, last, "%s%V", i ? " " : "", &value[i]);
    }

    if (p == last) {
        p = ngx_cpymem(p, "...", 3);
    }

    for (last = p, p = buf; p < last; p++) {
        if (*p < ' ') {
            *p = ' ';
        }
    }

    return last - buf;
}


/* compiles what the last statement has added to the format's values */

static ngx_int_t
ngx_http_envelope_profile_values(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile, ngx_envelope_format_t *format)
{
    ngx_str_t                         *texts;
    ngx_array_t                       *values;
    ngx_http_complex_value_t          *value;
    ngx_http_compile_complex_value_t   ccv;

    values = profile->values[format->message];

    if (values == NULL) {
        values = ngx_array_create(cf->pool, 4,
                                  sizeof(ngx_http_complex_value_t));
        if (values == NULL) {
            return NGX_ERROR;
        }

        profile->values[format->message] = values;
    }

    texts = format->values.elts;

    while (values->nelts < format->values.nelts) {

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &texts[values->nelts];

        value = ngx_array_push(values);
        if (value == NULL) {
            return NGX_ERROR;
        }

        ccv.complex_value = value;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_envelope_profile_check(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile)
{
    ngx_uint_t                  i;
    ngx_envelope_format_t      *format;
    ngx_http_envelope_place_t  *place;

    if (profile->profile == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "envelope_profile \"%V\" is not defined in %V:%ui",
                      &profile->name, &profile->place.file,
                      profile->place.line);
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_ENVELOPE_ROLES; i++) {

        if (!(profile->roles & (1 << i))) {
            continue;
        }

        if (ngx_http_envelope_profile_check_role(cf, profile, i) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    format = profile->profile->formats[NGX_ENVELOPE_WEBHOOK];

    if ((profile->roles & (1 << NGX_HTTP_ENVELOPE_WEBHOOK))
        && !ngx_envelope_format_authentic(format))
    {
        place = &profile->blocks[NGX_ENVELOPE_WEBHOOK];

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "envelope_profile \"%V\": webhooks are not "
                      "authenticated: no signature, MAC or AEAD under a "
                      "shared secret; restrict who may send them "
                      "(allow/deny) in %V:%ui",
                      &profile->name, &place->file, place->line);
    }

    return NGX_OK;
}


/*
 * What comes from outside must be described: there would be nothing to tell
 * a forged message by.
 */

static ngx_int_t
ngx_http_envelope_profile_check_role(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile, ngx_uint_t n)
{
    const ngx_http_envelope_role_t  *role;

    role = &ngx_http_envelope_roles[n];

    if (role->request_direction == NGX_ENVELOPE_OPEN
        && profile->profile->formats[role->request] == NULL)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "envelope_%V \"%V\" needs a \"%V\" block in %V:%ui",
                      &role->name, &profile->name,
                      &ngx_envelope_message_names[role->request],
                      &profile->uses[n].file, profile->uses[n].line);
        return NGX_ERROR;
    }

    if (ngx_http_envelope_profile_check_message(cf, profile, role,
                                                role->request,
                                                role->request_direction)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_envelope_profile_check_message(cf, profile, role,
                                                   role->response,
                                                   role->response_direction);
}


static ngx_int_t
ngx_http_envelope_profile_check_message(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile,
    const ngx_http_envelope_role_t *role, ngx_envelope_message_e message,
    ngx_envelope_direction_e direction)
{
    ngx_int_t                  rc;
    ngx_envelope_format_t     *format;
    ngx_envelope_reason_t      reason;
    ngx_envelope_statement_t  *statement;

    format = profile->profile->formats[message];

    if (format == NULL) {
        return NGX_OK;
    }

    statement = NULL;
    (void) ngx_envelope_failed(&reason, "out of memory");

    rc = ngx_envelope_format_check(format, direction, &statement, &reason);

    if (rc != NGX_OK) {
        ngx_http_envelope_profile_blame(cf, profile, message, statement, role,
                                        &reason);
        return NGX_ERROR;
    }

    if (direction == NGX_ENVELOPE_OPEN) {
        return ngx_http_envelope_profile_check_once(cf, profile, format);
    }

    statement = ngx_envelope_format_repeats(format);

    if (statement) {
        ngx_http_envelope_profile_warn(cf, format, statement,
                      "AES-GCM uses an IV again under the same key, which "
                      "lets messages be forged; write iv=prefix or a random "
                      "for each field if the provider can read that");
    }

    return NGX_OK;
}


/* "fresh" and "once" of a message that is opened; two roles may open it */

static ngx_int_t
ngx_http_envelope_profile_check_once(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile, ngx_envelope_format_t *format)
{
    u_char                          text[NGX_HTTP_ENVELOPE_EXCERPT_LEN];
    uint64_t                        within;
    ngx_envelope_statement_t       *statement;
    ngx_http_envelope_main_conf_t  *emcf;

    if (profile->opened & (1 << format->message)) {
        return NGX_OK;
    }

    profile->opened |= 1 << format->message;

    statement = ngx_envelope_format_uncovered(format);

    if (statement) {
        ngx_http_envelope_profile_warn(cf, format, statement,
                      "no signature, MAC or AEAD covers what it looks at, so "
                      "whoever sends a message again can change it");
    }

    statement = ngx_envelope_format_forgets(format, &within);

    if (statement) {
        (void) ngx_snprintf(text, sizeof(text), "a message is \"fresh\" for "
                            "longer than this remembers it; write "
                            "within=%uLs or more%Z", within / 1000);

        ngx_http_envelope_profile_warn(cf, format, statement, (char *) text);
    }

    if (!ngx_envelope_format_once(format)) {
        return NGX_OK;
    }

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_envelope_module);

    emcf->once = 1;

    return ngx_http_envelope_zone_need(cf);
}


static void
ngx_http_envelope_profile_warn(ngx_conf_t *cf, ngx_envelope_format_t *format,
    ngx_envelope_statement_t *statement, char *text)
{
    ngx_str_t                  label;
    ngx_http_envelope_place_t  place;

    ngx_envelope_statement_where(statement, &label, &place.file, &place.line);

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "envelope_profile \"%V\": %V: \"%V\": %s in %V:%ui",
                  &format->profile->name,
                  &ngx_envelope_message_names[format->message], &label, text,
                  &place.file, place.line);
}


/*
 * The parser has gone past the statement at fault, so its place is given in
 * the manner of ngx_conf_log_error().
 */

static void
ngx_http_envelope_profile_blame(ngx_conf_t *cf,
    ngx_http_envelope_profile_t *profile, ngx_envelope_message_e message,
    ngx_envelope_statement_t *statement, const ngx_http_envelope_role_t *role,
    ngx_envelope_reason_t *reason)
{
    u_char                      label[NGX_HTTP_ENVELOPE_EXCERPT_LEN], *p;
    u_char                     *last;
    ngx_str_t                   name;
    ngx_http_envelope_place_t   place;

    p = label;
    last = label + NGX_HTTP_ENVELOPE_EXCERPT_LEN;

    if (role) {
        p = ngx_slprintf(p, last, " in envelope_%V", &role->name);
    }

    if (statement) {
        ngx_envelope_statement_where(statement, &name, &place.file,
                                     &place.line);
        p = ngx_slprintf(p, last, ": \"%V\"", &name);

    } else {
        place = profile->blocks[message];
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "envelope_profile \"%V\": %V%*s: %*s in %V:%ui",
                  &profile->name, &ngx_envelope_message_names[message],
                  (size_t) (p - label), label, reason->len, reason->data,
                  &place.file, place.line);
}
