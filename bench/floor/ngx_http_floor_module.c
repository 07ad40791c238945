
/*
 * Copyright (C) The authors of the envelope module
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_thread_pool.h>

#include "operations.h"


/*
 * What no module that handles messages does without: the body of a request is
 * read, and the OpenSSL operations of a message are done in the middle of a
 * request, once, with keys and contexts that are ready.  The request is then
 * proxied as it came.  What this costs more than plain proxying and the
 * operations in a loop is the price of doing something else in between, with
 * its code and data not at hand any more, or of a thread.  No data is touched,
 * nothing is parsed, no header field changed.
 *
 *     floor  off | on  OPERATION..;
 *
 * "on": on a thread of the pool "default".
 */


typedef struct {
    ngx_array_t         operations;      /* of operation_t * */
    ngx_thread_pool_t  *pool;
} ngx_http_floor_conf_t;


static ngx_int_t ngx_http_floor_handler(ngx_http_request_t *r);
static void ngx_http_floor_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_floor_post(ngx_http_request_t *r,
    ngx_thread_pool_t *pool);
static void ngx_http_floor_thread(void *data, ngx_log_t *log);
static void ngx_http_floor_done(ngx_event_t *ev);
static void ngx_http_floor_run(ngx_http_floor_conf_t *conf);
static char *ngx_http_floor(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static void *ngx_http_floor_create_conf(ngx_conf_t *cf);
static char *ngx_http_floor_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_floor_init(ngx_conf_t *cf);


static ngx_command_t  ngx_http_floor_commands[] = {

    { ngx_string("floor"),
      NGX_HTTP_SRV_CONF|NGX_CONF_2MORE,
      ngx_http_floor,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_floor_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_floor_init,                   /* postconfiguration */
    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */
    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */
    ngx_http_floor_create_conf,            /* create location configuration */
    ngx_http_floor_merge_conf              /* merge location configuration */
};


ngx_module_t  ngx_http_floor_module = {
    NGX_MODULE_V1,
    &ngx_http_floor_module_ctx,            /* module context */
    ngx_http_floor_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_floor_handler(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_floor_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_floor_module);

    if (conf->operations.nelts == 0
        || ngx_http_get_module_ctx(r, ngx_http_floor_module))
    {
        return NGX_DECLINED;
    }

    ngx_http_set_ctx(r, conf, ngx_http_floor_module);

    rc = ngx_http_read_client_request_body(r, ngx_http_floor_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_http_floor_body(ngx_http_request_t *r)
{
    ngx_http_floor_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_floor_module);

    r->preserve_body = 1;

    if (conf->pool) {
        if (ngx_http_floor_post(r, conf->pool) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }

        return;
    }

    ngx_http_floor_run(conf);

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


static ngx_int_t
ngx_http_floor_post(ngx_http_request_t *r, ngx_thread_pool_t *pool)
{
    ngx_thread_task_t  *task;

    task = ngx_thread_task_alloc(r->pool, 0);
    if (task == NULL) {
        return NGX_ERROR;
    }

    task->ctx = ngx_http_get_module_loc_conf(r, ngx_http_floor_module);
    task->handler = ngx_http_floor_thread;
    task->event.data = r;
    task->event.handler = ngx_http_floor_done;

    if (ngx_thread_task_post(pool, task) != NGX_OK) {
        return NGX_ERROR;
    }

    r->main->blocked++;
    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_OK;
}


static void
ngx_http_floor_thread(void *data, ngx_log_t *log)
{
    ngx_http_floor_run(data);
}


static void
ngx_http_floor_done(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ev->data;
    c = r->connection;

    r->main->blocked--;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}


/*
 * The contexts are not shared between threads in the measurement: it has one
 * request at a time where there are threads.
 */

static void
ngx_http_floor_run(ngx_http_floor_conf_t *conf)
{
    ngx_uint_t     i;
    operation_t  **operations;

    operations = conf->operations.elts;

    for (i = 0; i < conf->operations.nelts; i++) {
        operation_run(operations[i]);
    }
}


static char *
ngx_http_floor(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_floor_conf_t *fcf = conf;

    ngx_str_t     *value;
    ngx_uint_t     i;
    operation_t  **operation;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        fcf->pool = ngx_thread_pool_add(cf, NULL);
        if (fcf->pool == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 2; i < cf->args->nelts; i++) {
        operation = ngx_array_push(&fcf->operations);
        if (operation == NULL) {
            return NGX_CONF_ERROR;
        }

        *operation = operation_make((char *) value[i].data);
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_floor_create_conf(ngx_conf_t *cf)
{
    ngx_http_floor_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_floor_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->operations, cf->pool, 4, sizeof(operation_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return conf;
}


static char *
ngx_http_floor_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_floor_conf_t *prev = parent;
    ngx_http_floor_conf_t *conf = child;

    if (conf->operations.nelts == 0) {
        *conf = *prev;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_floor_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_floor_handler;

    return NGX_OK;
}
