
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_module.h"
#include "ngx_http_envelope_source.h"


/* what may follow a SOURCE */

typedef struct {
    ngx_str_t    id;
    ngx_str_t    password;  /* a file's name */
} ngx_http_envelope_params_t;


static ngx_int_t ngx_http_envelope_keys_read_key(ngx_conf_t *cf,
    ngx_envelope_key_t *key, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_keys_read_secret(ngx_conf_t *cf,
    ngx_envelope_profile_t *profile, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_keys_params(
    ngx_http_envelope_params_t *params, ngx_str_t *words, ngx_uint_t n,
    ngx_uint_t password, ngx_envelope_reason_t *reason);
static void ngx_http_envelope_keys_exposed(ngx_conf_t *cf,
    ngx_http_envelope_source_t *source, const char *what);
static char *ngx_http_envelope_keys_refused(ngx_conf_t *cf,
    ngx_envelope_reason_t *reason);


/* "key NAME SOURCE [id=KID] [password=FILE]" */

char *
ngx_http_envelope_profile_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                       rc;
    ngx_str_t                      *value;
    ngx_envelope_key_t              key;
    ngx_envelope_reason_t           reason;
    ngx_http_envelope_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_envelope_module);

    value = cf->args->elts;
    (void) ngx_envelope_failed(&reason, "out of memory");

    ngx_memzero(&key, sizeof(ngx_envelope_key_t));

    rc = ngx_http_envelope_keys_read_key(cf, &key, &reason);

    if (rc == NGX_OK) {
        rc = ngx_envelope_profile_add_key(emcf->current->profile, &value[1],
                                          &key, &reason);
    }

    if (rc != NGX_OK) {
        return ngx_http_envelope_keys_refused(cf, &reason);
    }

    return NGX_CONF_OK;
}


/* "secret NAME SOURCE text|base64|hex|raw [id=KID]" */

char *
ngx_http_envelope_profile_secret(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_envelope_reason_t           reason;
    ngx_http_envelope_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_envelope_module);

    (void) ngx_envelope_failed(&reason, "out of memory");

    if (ngx_http_envelope_keys_read_secret(cf, emcf->current->profile,
                                           &reason)
        != NGX_OK)
    {
        return ngx_http_envelope_keys_refused(cf, &reason);
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_envelope_keys_read_key(ngx_conf_t *cf, ngx_envelope_key_t *key,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t                    rc;
    ngx_str_t                   *value;
    ngx_http_envelope_params_t   params;
    ngx_http_envelope_source_t   source, password;

    value = cf->args->elts;

    ngx_memzero(&password, sizeof(ngx_http_envelope_source_t));

    rc = ngx_http_envelope_source_read(&source, cf->cycle, &value[2], reason);
    if (rc != NGX_OK) {
        goto done;
    }

    rc = ngx_http_envelope_keys_params(&params, &value[3],
                                       cf->args->nelts - 3, 1, reason);
    if (rc != NGX_OK) {
        goto done;
    }

    key->id = params.id;

    if (params.password.len) {
        rc = ngx_http_envelope_source_read_file(&password, cf->cycle,
                                                &params.password, reason);
        if (rc != NGX_OK) {
            goto done;
        }

        ngx_http_envelope_source_first_line(&password);
        ngx_http_envelope_keys_exposed(cf, &password, "password");
    }

    if (source.kind == NGX_HTTP_ENVELOPE_SOURCE_STORE) {
        rc = ngx_envelope_key_store(key, cf->pool, source.content.data,
                                    &password.content, reason);

    } else {
        rc = ngx_envelope_key_parse(key, cf->pool, &source.content,
                                    &password.content, reason);
    }

    if (rc != NGX_OK) {
        ngx_envelope_reason_prepend(reason, "%V: ", &source.label);
        goto done;
    }

    if (key->has_private) {
        ngx_http_envelope_keys_exposed(cf, &source, "private key");
    }

done:

    ngx_http_envelope_source_done(&source);
    ngx_http_envelope_source_done(&password);

    return rc;
}


static ngx_int_t
ngx_http_envelope_keys_read_secret(ngx_conf_t *cf,
    ngx_envelope_profile_t *profile, ngx_envelope_reason_t *reason)
{
    ngx_int_t                    rc;
    ngx_str_t                   *value;
    ngx_http_envelope_params_t   params;
    ngx_http_envelope_source_t   source;

    value = cf->args->elts;

    rc = ngx_http_envelope_source_read(&source, cf->cycle, &value[2], reason);
    if (rc != NGX_OK) {
        goto done;
    }

    if (source.kind == NGX_HTTP_ENVELOPE_SOURCE_STORE) {
        rc = ngx_envelope_declined(reason, "\"store:\" is for keys only");
        goto done;
    }

    ngx_http_envelope_keys_exposed(cf, &source, "secret");

    rc = ngx_http_envelope_keys_params(&params, &value[4],
                                       cf->args->nelts - 4, 0, reason);
    if (rc != NGX_OK) {
        goto done;
    }

    rc = ngx_http_envelope_source_decode(&source, &value[3], reason);
    if (rc != NGX_OK) {
        goto done;
    }

    rc = ngx_envelope_profile_add_secret(profile, &value[1], &params.id,
                                         &source.content, reason);

done:

    ngx_http_envelope_source_done(&source);

    return rc;
}


/* an unknown word's value may be a secret, so only its name is repeated */

static ngx_int_t
ngx_http_envelope_keys_params(ngx_http_envelope_params_t *params,
    ngx_str_t *words, ngx_uint_t n, ngx_uint_t password,
    ngx_envelope_reason_t *reason)
{
    u_char      *p, *last;
    size_t       skip;
    ngx_str_t   *param;
    ngx_uint_t   i;

    ngx_memzero(params, sizeof(ngx_http_envelope_params_t));

    for (i = 0; i < n; i++) {
        last = words[i].data + words[i].len;

        if (ngx_strncmp(words[i].data, "id=", 3) == 0) {
            param = &params->id;
            skip = 3;

        } else if (password && ngx_strncmp(words[i].data, "password=", 9) == 0)
        {
            param = &params->password;
            skip = 9;

        } else {
            p = ngx_strlchr(words[i].data, last, '=');
            skip = p ? (size_t) (p + 1 - words[i].data) : 0;

            return ngx_envelope_declined(reason, "unknown parameter%s%*s%s, "
                       "%s allowed",
                       p ? " \"" : "", skip, words[i].data, p ? "\"" : "",
                       password ? "\"id=KID\" and \"password=FILE\" are"
                                : "only \"id=KID\" is");
        }

        if (param->len) {
            return ngx_envelope_declined(reason, "duplicate parameter "
                                         "\"%*s\"", skip, words[i].data);
        }

        param->data = words[i].data + skip;
        param->len = words[i].len - skip;

        if (param->len == 0) {
            return ngx_envelope_declined(reason, "parameter \"%V\" is empty",
                                         &words[i]);
        }
    }

    return NGX_OK;
}


static void
ngx_http_envelope_keys_exposed(ngx_conf_t *cf,
    ngx_http_envelope_source_t *source, const char *what)
{
    if (source->exposed) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "%s file \"%V\" is readable by others",
                           what, &source->label);
    }
}


/* of a "key" or "secret" line: its kind and name say enough */

static char *
ngx_http_envelope_keys_refused(ngx_conf_t *cf,
    ngx_envelope_reason_t *reason)
{
    ngx_str_t                      *value;
    ngx_http_envelope_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_envelope_module);

    value = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "envelope_profile \"%V\": %V \"%V\": %*s",
                       &emcf->current->name, &value[0], &value[1],
                       reason->len, reason->data);

    return NGX_CONF_ERROR;
}
