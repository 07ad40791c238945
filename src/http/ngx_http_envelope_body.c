
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_body.h"
#include "ngx_envelope_json.h"
#include "ngx_envelope_secret.h"


#define NGX_HTTP_ENVELOPE_COLLECT_MIN  4096

/* buffers of a body that are not joined first; nginx makes two */

#define NGX_HTTP_ENVELOPE_PARTS_MAX    8


static ngx_uint_t ngx_http_envelope_body_in_parts(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job);
static ngx_int_t ngx_http_envelope_body_parts(ngx_http_envelope_job_t *job,
    ngx_chain_t *in, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_body_join(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_envelope_body_read(ngx_buf_t *b, u_char *dst,
    ngx_envelope_reason_t *reason);
static ngx_uint_t ngx_http_envelope_body_within(ngx_buf_t *b,
    ngx_str_t *text);
static ngx_int_t ngx_http_envelope_body_member(ngx_http_request_t *r,
    ngx_pool_t *pool, ngx_envelope_node_t *root, ngx_str_t *name,
    ngx_str_t *value);
static size_t ngx_http_envelope_body_size(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, size_t len);


ngx_int_t
ngx_http_envelope_body_gather(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job, ngx_envelope_reason_t *reason)
{
    off_t         size;
    u_char       *p;
    ngx_buf_t    *b;
    ngx_str_t    *body;
    ngx_chain_t  *cl, *in;

    body = &job->input.body;

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    in = r->request_body->bufs;

    if (in->next == NULL && ngx_buf_in_memory(in->buf)) {
        body->data = in->buf->pos;
        body->len = in->buf->last - in->buf->pos;
        return NGX_OK;
    }

    if (ngx_http_envelope_body_in_parts(r, job)) {
        return ngx_http_envelope_body_parts(job, in, reason);
    }

    if (ngx_http_envelope_body_join(r, body) == NGX_OK) {
        return NGX_OK;
    }

    size = 0;

    for (cl = in; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (size == 0) {
        return NGX_OK;
    }

    p = ngx_envelope_secret_alloc(job->pool, (size_t) size);
    if (p == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    body->data = p;
    body->len = (size_t) size;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);

        } else if (b->in_file) {

            if (ngx_http_envelope_body_read(b, p, reason) != NGX_OK) {
                return NGX_ERROR;
            }

            p += b->file_last - b->file_pos;
        }
    }

    return NGX_OK;
}


/* what only signs the body, or verifies it, can do so part by part */

static ngx_uint_t
ngx_http_envelope_body_in_parts(ngx_http_request_t *r,
    ngx_http_envelope_job_t *job)
{
    ngx_uint_t                      n;
    ngx_chain_t                    *cl;
    ngx_http_envelope_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_envelope_module);

    if (job->input.format->members || emcf->members.nelts) {
        return 0;
    }

    n = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        if (!ngx_buf_in_memory(cl->buf) || ++n > NGX_HTTP_ENVELOPE_PARTS_MAX) {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_envelope_body_parts(ngx_http_envelope_job_t *job, ngx_chain_t *in,
    ngx_envelope_reason_t *reason)
{
    ngx_str_t  *part;

    part = ngx_palloc(job->pool,
                      NGX_HTTP_ENVELOPE_PARTS_MAX * sizeof(ngx_str_t));
    if (part == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    job->input.parts = part;

    for ( /* void */ ; in; in = in->next) {
        part->data = in->buf->pos;
        part->len = in->buf->last - in->buf->pos;
        part++;
    }

    job->input.nparts = part - job->input.parts;

    return NGX_OK;
}


/*
 * The first bytes of a body came with the header, into a buffer of that; the
 * others, one read or several, into the next buffer, where nginx was asked to
 * leave room for the first.  They are put in front there, which takes less
 * memory than a copy, if the body is known to nobody but us.
 */

static ngx_int_t
ngx_http_envelope_body_join(ngx_http_request_t *r, ngx_str_t *body)
{
    u_char                   *p, *end;
    size_t                    first, rest;
    ngx_buf_t                *b;
    ngx_chain_t              *cl, *in;
    ngx_http_envelope_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);

    if (!ctx->own_body) {
        return NGX_DECLINED;
    }

    in = r->request_body->bufs;

    if (!in->buf->temporary || in->buf->in_file) {
        return NGX_DECLINED;
    }

    first = in->buf->last - in->buf->pos;
    p = in->next->buf->pos;
    end = p;
    rest = 0;

    for (cl = in->next; cl; cl = cl->next) {
        b = cl->buf;

        /* what is not temporary is not to be written to */

        if (!b->temporary || b->in_file || b->pos != p + rest) {
            return NGX_DECLINED;
        }

        rest += b->last - b->pos;
        end = b->end;
    }

    if (p == in->buf->last) {

        /* all of it is in the header's buffer */

        p = in->buf->pos;

    } else if ((size_t) (end - p) - rest >= first) {

        ngx_memmove(p + first, p, rest);
        ngx_memcpy(p, in->buf->pos, first);

        in = in->next;

    } else {
        return NGX_DECLINED;
    }

    in->next = NULL;
    in->buf->last = p + first + rest;

    r->request_body->bufs = in;

    body->data = p;
    body->len = first + rest;

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_body_read(ngx_buf_t *b, u_char *dst,
    ngx_envelope_reason_t *reason)
{
    off_t    pos;
    ssize_t  n;

    /* nginx closes the file of a body once an upstream has it */

    if (b->file->fd == NGX_INVALID_FILE) {
        return ngx_envelope_failed(reason, "the file with the body of the "
                                   "parent request is closed by now");
    }

    for (pos = b->file_pos; pos < b->file_last; pos += n) {

        n = ngx_read_file(b->file, dst, (size_t) (b->file_last - pos), pos);

        if (n == NGX_ERROR) {
            return ngx_envelope_failed(reason, "the file with the body "
                                       "cannot be read");
        }

        if (n == 0) {
            return ngx_envelope_failed(reason, "the file with the body has "
                                       "only %O of %O bytes",
                                       pos - b->file_pos,
                                       b->file_last - b->file_pos);
        }

        dst += n;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_envelope_body_replace(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_buf_t                *b;
    ngx_chain_t              *cl;
    ngx_http_request_body_t  *rb;

    rb = ngx_palloc(r->pool, sizeof(ngx_http_request_body_t));
    if (rb == NULL) {
        return NGX_ERROR;
    }

    if (r->request_body) {
        *rb = *r->request_body;

    } else {
        ngx_memzero(rb, sizeof(ngx_http_request_body_t));
    }

    if (body == NULL) {
        r->request_body = rb;
        return NGX_OK;
    }

    /* the old temporary file is closed with the pool, nobody sends it now */

    rb->temp_file = NULL;
    rb->bufs = NULL;
    rb->buf = NULL;
    rb->busy = NULL;
    rb->free = NULL;
    rb->rest = 0;
    rb->received = body->len;
    rb->last_saved = 1;

    if (body->len) {
        b = ngx_calloc_buf(r->pool);
        if (b == NULL) {
            return NGX_ERROR;
        }

        cl = ngx_alloc_chain_link(r->pool);
        if (cl == NULL) {
            return NGX_ERROR;
        }

        /* a retry of the upstream module starts again from b->start */

        b->start = body->data;
        b->pos = body->data;
        b->last = body->data + body->len;
        b->end = b->last;
        b->memory = 1;
        b->last_buf = 1;

        cl->buf = b;
        cl->next = NULL;

        rb->bufs = cl;
    }

    r->request_body = rb;
    r->request_body_no_buffering = 0;

    r->headers_in.content_length_n = body->len;
    r->headers_in.chunked = 0;

    return NGX_OK;
}


void
ngx_http_envelope_body_release(ngx_http_request_t *r,
    ngx_http_request_body_t *rb, ngx_http_envelope_job_t *job)
{
    ngx_buf_t                      *b;
    ngx_uint_t                      i;
    ngx_envelope_header_t          *header;
    ngx_http_envelope_ctx_t        *ctx;
    ngx_http_envelope_main_conf_t  *emcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_envelope_module);
    emcf = ngx_http_get_module_main_conf(r, ngx_http_envelope_module);

    /*
     * Subrequests have their parent's, one that was read elsewhere may be on
     * its way to a mirror, and variables may show a plain one.
     */

    if (!ctx->own_body || rb == NULL || rb->buf == NULL
        || (job->input.direction == NGX_ENVELOPE_SEAL && emcf->members.nelts))
    {
        return;
    }

    b = rb->buf;

    if (ngx_http_envelope_body_within(b, &job->output.body)
        || ngx_http_envelope_body_within(b, &job->output.kid))
    {
        return;
    }

    header = job->output.headers.elts;

    for (i = 0; i < job->output.headers.nelts; i++) {
        if (ngx_http_envelope_body_within(b, &header[i].value)) {
            return;
        }
    }

    (void) ngx_pfree(r->pool, b->start);
}


static ngx_uint_t
ngx_http_envelope_body_within(ngx_buf_t *b, ngx_str_t *text)
{
    return text->data >= b->start && text->data < b->end;
}


ngx_int_t
ngx_http_envelope_body_members(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_pool_t *pool, ngx_str_t *body)
{
    ngx_int_t                       rc;
    ngx_str_t                      *names;
    ngx_uint_t                      i;
    ngx_envelope_node_t            *root;
    ngx_envelope_reason_t           reason;
    ngx_http_envelope_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_envelope_module);

    if (emcf->members.nelts == 0 || body->len == 0) {
        return NGX_OK;
    }

    rc = ngx_envelope_json_scan(pool, body, 1, &root, &reason);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK || root->type != NGX_ENVELOPE_JSON_OBJECT) {
        return NGX_OK;
    }

    ctx->members = ngx_pcalloc(r->pool,
                               emcf->members.nelts * sizeof(ngx_str_t));
    if (ctx->members == NULL) {
        return NGX_ERROR;
    }

    names = emcf->members.elts;

    for (i = 0; i < emcf->members.nelts; i++) {
        if (ngx_http_envelope_body_member(r, pool, root, &names[i],
                                          &ctx->members[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* names of variables have no case, so neither has the member's here */

static ngx_int_t
ngx_http_envelope_body_member(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_envelope_node_t *root, ngx_str_t *name, ngx_str_t *value)
{
    u_char                 *p;
    ngx_int_t               rc;
    ngx_str_t               text;
    ngx_envelope_node_t    *node, *found;
    ngx_envelope_reason_t   reason;

    found = NULL;

    for (node = root->child; node; node = node->next) {

        if (node->name.len != name->len
            || ngx_strncasecmp(node->name.data, name->data, name->len) != 0)
        {
            continue;
        }

        if (found) {
            return NGX_OK;
        }

        found = node;
    }

    if (found == NULL) {
        return NGX_OK;
    }

    text = found->text;

    if (found->type == NGX_ENVELOPE_JSON_STRING) {
        rc = ngx_envelope_json_decode(pool, &found->text, &text, &reason);

        if (rc != NGX_OK) {
            return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
        }
    }

    p = ngx_envelope_secret_alloc(r->pool, text.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, text.data, text.len);

    value->data = p;
    value->len = text.len;

    return NGX_OK;
}


ngx_envelope_fault_e
ngx_http_envelope_body_collect(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, ngx_buf_t *b, ngx_envelope_reason_t *reason)
{
    size_t                         len, max;
    u_char                        *p;
    ngx_http_envelope_loc_conf_t  *elcf;

    if (ngx_buf_size(b) == 0) {
        return NGX_ENVELOPE_FAULT_NONE;
    }

    if (!ngx_buf_in_memory(b)) {
        (void) ngx_envelope_failed(reason, "it is not in memory");
        return NGX_ENVELOPE_FAULT_INTERNAL;
    }

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_envelope_module);

    len = b->last - b->pos;

    if (len > elcf->max_response_size - ctx->collected.len) {
        (void) ngx_envelope_declined(reason,
                                     "larger than envelope_max_response_size");
        return NGX_ENVELOPE_FAULT_SHAPE;
    }

    if (ctx->collected.len + len > ctx->collected_max) {

        max = ngx_http_envelope_body_size(r, ctx, len);
        max = ngx_min(max, elcf->max_response_size);

        p = ngx_palloc(r->pool, max);
        if (p == NULL) {
            (void) ngx_envelope_failed(reason, "out of memory");
            return NGX_ENVELOPE_FAULT_INTERNAL;
        }

        if (ctx->collected_max) {
            ngx_memcpy(p, ctx->collected.data, ctx->collected.len);
            ngx_pfree(r->pool, ctx->collected.data);
        }

        ctx->collected.data = p;
        ctx->collected_max = max;
    }

    ngx_memcpy(ctx->collected.data + ctx->collected.len, b->pos, len);
    ctx->collected.len += len;

    return NGX_ENVELOPE_FAULT_NONE;
}


/*
 * The announced length is a hint for the first allocation alone: it may be
 * another's, if a filter in front of this one changes the body.
 */

static size_t
ngx_http_envelope_body_size(ngx_http_request_t *r,
    ngx_http_envelope_ctx_t *ctx, size_t len)
{
    size_t  size;

    size = ctx->collected_max * 2;

    if (ctx->collected_max == 0 && r->headers_out.content_length_n > 0) {
        size = (size_t) r->headers_out.content_length_n;
    }

    size = ngx_max(size, NGX_HTTP_ENVELOPE_COLLECT_MIN);

    return ngx_max(size, ctx->collected.len + len);
}


ngx_chain_t *
ngx_http_envelope_body_chain(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NULL;
    }

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NULL;
    }

    if (body->len) {
        b->start = body->data;
        b->pos = body->data;
        b->last = body->data + body->len;
        b->end = b->last;
        b->memory = 1;

    } else if (r != r->main) {
        b->sync = 1;
    }

    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    cl->buf = b;
    cl->next = NULL;

    return cl;
}
