
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_problem.h"
#include "ngx_envelope_json.h"


/* what a refused message is answered with, by what was wrong with it */

typedef struct {
    ngx_uint_t    shape;
    ngx_uint_t    secret;
    ngx_uint_t    internal;
    ngx_uint_t    replayed;
} ngx_http_envelope_statuses_t;


/* seconds after which one that came when all were busy may come again */

#define NGX_HTTP_ENVELOPE_PROBLEM_RETRY_AFTER  1


typedef struct {
    ngx_uint_t    status;
    char         *title;
} ngx_http_envelope_title_t;


static ngx_uint_t ngx_http_envelope_problem_status(
    const ngx_http_envelope_role_t *role, ngx_http_envelope_side_e side,
    ngx_envelope_fault_e fault);
static ngx_str_t *ngx_http_envelope_problem_message(
    const ngx_http_envelope_role_t *role, ngx_http_envelope_side_e side);
static ngx_int_t ngx_http_envelope_problem_body(ngx_http_request_t *r,
    ngx_str_t *detail, ngx_uint_t status, ngx_str_t *body);
static void ngx_http_envelope_problem_retry_after(ngx_http_request_t *r,
    ngx_uint_t seconds);


/* by side and direction: the client's fault, or that of who is behind nginx */

static ngx_http_envelope_statuses_t  ngx_http_envelope_statuses[2][2] = {

    { { NGX_HTTP_BAD_REQUEST, NGX_HTTP_BAD_REQUEST,
        NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_HTTP_CONFLICT },

      { NGX_HTTP_BAD_REQUEST, NGX_HTTP_UNAUTHORIZED,
        NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_HTTP_CONFLICT } },

    { { NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_HTTP_INTERNAL_SERVER_ERROR,
        NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_HTTP_INTERNAL_SERVER_ERROR },

      { NGX_HTTP_BAD_GATEWAY, NGX_HTTP_BAD_GATEWAY,
        NGX_HTTP_BAD_GATEWAY, NGX_HTTP_BAD_GATEWAY } }
};


/* the phrases of RFC 9110 */

static ngx_http_envelope_title_t  ngx_http_envelope_titles[] = {
    { NGX_HTTP_BAD_REQUEST, "Bad Request" },
    { NGX_HTTP_UNAUTHORIZED, "Unauthorized" },
    { NGX_HTTP_CONFLICT, "Conflict" },
    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "Content Too Large" },
    { NGX_HTTP_BAD_GATEWAY, "Bad Gateway" },
    { NGX_HTTP_SERVICE_UNAVAILABLE, "Service Unavailable" },
    { NGX_HTTP_GATEWAY_TIME_OUT, "Gateway Timeout" },
    { 0, "Internal Server Error" }
};


void
ngx_http_envelope_refuse(ngx_http_request_t *r, ngx_http_envelope_ctx_t *ctx,
    ngx_http_envelope_side_e side, ngx_envelope_fault_e fault,
    const ngx_envelope_statement_t *statement, ngx_envelope_reason_t *reason)
{
    if (fault == NGX_ENVELOPE_FAULT_BUSY) {
        ctx->retry_after = NGX_HTTP_ENVELOPE_PROBLEM_RETRY_AFTER;
    }

    ngx_http_envelope_problem_set(r, ctx, side,
                          ngx_http_envelope_problem_status(ctx->role, side,
                                                           fault),
                          statement, reason);

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "envelope: profile \"%V\" %V %V",
                  &ctx->profile->name, &ctx->role->name, &ctx->reason);
}


static ngx_uint_t
ngx_http_envelope_problem_status(const ngx_http_envelope_role_t *role,
    ngx_http_envelope_side_e side, ngx_envelope_fault_e fault)
{
    ngx_envelope_direction_e       direction;
    ngx_http_envelope_statuses_t  *statuses;

    direction = (side == NGX_HTTP_ENVELOPE_REQUEST_SIDE)
                ? role->request_direction : role->response_direction;

    statuses = &ngx_http_envelope_statuses[side][direction];

    switch (fault) {

    case NGX_ENVELOPE_FAULT_SHAPE:
        return statuses->shape;

    case NGX_ENVELOPE_FAULT_SECRET:
        return statuses->secret;

    case NGX_ENVELOPE_FAULT_REPLAYED:
        return statuses->replayed;

    case NGX_ENVELOPE_FAULT_BUSY:
        return NGX_HTTP_SERVICE_UNAVAILABLE;

    default:
        return statuses->internal;
    }
}


static ngx_str_t *
ngx_http_envelope_problem_message(const ngx_http_envelope_role_t *role,
    ngx_http_envelope_side_e side)
{
    ngx_envelope_message_e  message;

    message = (side == NGX_HTTP_ENVELOPE_REQUEST_SIDE)
              ? role->request : role->response;

    return &ngx_envelope_message_names[message];
}


void
ngx_http_envelope_problem_set(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_side_e side,
    ngx_uint_t status, const ngx_envelope_statement_t *statement,
    ngx_envelope_reason_t *reason)
{
    u_char      *p;
    size_t       len;
    ngx_str_t    label, file, *message;
    ngx_uint_t   line;

    ngx_str_null(&label);

    if (statement) {
        ngx_envelope_statement_where(statement, &label, &file, &line);
    }

    message = ngx_http_envelope_problem_message(ctx->role, side);

    ctx->result = NGX_ENVELOPE_REJECTED + 1;
    ctx->problem_status = status;

    len = message->len + label.len + reason->len + sizeof(": : ") - 1;

    p = ngx_pnalloc(r->pool, len);

    if (p == NULL) {
        ctx->reason = *message;

    } else {
        ctx->reason.data = p;

        p = ngx_sprintf(p, "%V: ", message);

        if (label.len) {
            p = ngx_sprintf(p, "%V: ", &label);
        }

        p = ngx_cpymem(p, reason->data, reason->len);

        ctx->reason.len = p - ctx->reason.data;
    }

    if (ngx_http_envelope_problem_body(r,
                                    ctx->role->outside ? NULL : &ctx->reason,
                                    status, &ctx->problem_body)
        != NGX_OK)
    {
        /* the status alone has to do */

        ngx_str_null(&ctx->problem_body);
    }
}


static ngx_int_t
ngx_http_envelope_problem_body(ngx_http_request_t *r, ngx_str_t *detail,
    ngx_uint_t status, ngx_str_t *body)
{
    u_char                     *p, *last;
    size_t                      len;
    ngx_str_t                   text;
    ngx_envelope_reason_t       reason;
    ngx_http_envelope_title_t  *title;

    for (title = ngx_http_envelope_titles; title->status; title++) {
        if (title->status == status) {
            break;
        }
    }

    ngx_str_null(&text);

    if (detail
        && ngx_envelope_json_encode(r->pool, detail, &text, &reason)
           == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    len = sizeof("{\"type\":\"about:blank\",\"title\":\"\",\"status\":,"
                 "\"detail\":}") - 1
          + ngx_strlen(title->title) + NGX_INT_T_LEN + text.len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    last = p + len;

    p = ngx_slprintf(p, last, "{\"type\":\"about:blank\",\"title\":\"%s\","
                     "\"status\":%ui", title->title, status);

    if (text.len) {
        p = ngx_slprintf(p, last, ",\"detail\":%V", &text);
    }

    *p++ = '}';

    body->len = p - body->data;

    return NGX_OK;
}


ngx_uint_t
ngx_http_envelope_problem_due(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_http_envelope_loc_conf_t *elcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (ctx && ctx->problem_status) {
        return !ctx->problem_sent && r->err_status == ctx->problem_status;
    }

    if (elcf->profile == NULL
        || r != r->main
        || r->err_status != NGX_HTTP_REQUEST_ENTITY_TOO_LARGE
        || r->headers_out.status != NGX_HTTP_REQUEST_ENTITY_TOO_LARGE
        || r->upstream)
    {
        return 0;
    }

    if (!r->internal) {
        return 1;
    }

    /* after a redirect: unless it was the one to an error page */

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    return !r->error_page && !clcf->recursive_error_pages;
}


/* it is only advice: without memory there is none */

static void
ngx_http_envelope_problem_retry_after(ngx_http_request_t *r,
    ngx_uint_t seconds)
{
    u_char           *p;
    ngx_table_elt_t  *h;

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return;
    }

    h->hash = 1;
    ngx_str_set(&h->key, "Retry-After");
    h->value.data = p;
    h->value.len = ngx_sprintf(p, "%ui", seconds) - p;
    h->lowcase_key = (u_char *) "retry-after";
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
}


void
ngx_http_envelope_problem_headers(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx)
{
    ngx_http_clear_content_length(r);

    r->headers_out.content_length_n = ctx->problem_body.len;

    if (ctx->retry_after) {
        ngx_http_envelope_problem_retry_after(r, ctx->retry_after);
    }

    ngx_str_set(&r->headers_out.content_type, "application/problem+json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_null(&r->headers_out.charset);
}
