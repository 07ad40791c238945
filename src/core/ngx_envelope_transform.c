
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"
#include "ngx_envelope_errors.h"
#include "ngx_envelope_secret.h"


/* room for header fields that the caller adds to the output */

#define NGX_ENVELOPE_HEADERS_MORE  4


static ngx_int_t ngx_envelope_run_init(ngx_envelope_run_t *run,
    ngx_pool_t *pool, const ngx_envelope_input_t *input,
    ngx_envelope_output_t *output);
static ngx_int_t ngx_envelope_run_init_randoms(ngx_envelope_run_t *run);
static ngx_int_t ngx_envelope_run_scan(ngx_envelope_run_t *run,
    ngx_str_t *body);

static ngx_int_t ngx_envelope_seal(ngx_envelope_run_t *run,
    const ngx_envelope_statement_t **at);
static ngx_int_t ngx_envelope_seal_object(ngx_envelope_run_t *run,
    const ngx_envelope_statement_t **at);
static ngx_int_t ngx_envelope_seal_when(ngx_envelope_run_t *run,
    ngx_uint_t written, const ngx_envelope_statement_t **at);
static ngx_int_t ngx_envelope_take_out_one(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_envelope_address_t *address);
static ngx_int_t ngx_envelope_take_out(ngx_envelope_run_t *run,
    const ngx_envelope_statement_t **at);

static ngx_int_t ngx_envelope_open(ngx_envelope_run_t *run,
    ngx_envelope_output_t *output);
static ngx_int_t ngx_envelope_open_shape(ngx_envelope_run_t *run,
    const ngx_envelope_statement_t **at);
static ngx_int_t ngx_envelope_open_attempt(ngx_envelope_run_t *run,
    const ngx_envelope_statement_t **at);
static ngx_uint_t ngx_envelope_open_next(ngx_envelope_run_t *run);

static ngx_int_t ngx_envelope_finish(ngx_envelope_run_t *run,
    ngx_envelope_output_t *output);
static ngx_int_t ngx_envelope_finish_headers(ngx_envelope_run_t *run,
    ngx_envelope_output_t *output);


void
ngx_envelope_transform(ngx_pool_t *pool, const ngx_envelope_input_t *input,
    ngx_envelope_output_t *output)
{
    ngx_int_t           rc;
    ngx_envelope_run_t  run;

    /* all but the text of a reason, which is most of it */

    output->fault = NGX_ENVELOPE_FAULT_NONE;
    ngx_str_null(&output->body);
    ngx_memzero(&output->headers, sizeof(ngx_array_t));
    ngx_str_null(&output->kid);
    ngx_memzero(&output->once, sizeof(ngx_array_t));
    output->statement = NULL;
    output->reason.len = 0;
    output->body_set = 0;

    rc = ngx_envelope_run_init(&run, pool, input, output);

    if (rc == NGX_OK) {
        rc = (input->direction == NGX_ENVELOPE_SEAL)
             ? ngx_envelope_seal(&run, &output->statement)
             : ngx_envelope_open(&run, output);
    }

    /*
     * OpenSSL may have succeeded and still queued an error on the way, which
     * nginx's TLS would report as its own.  Digests, MACs and ciphers do not,
     * and RSA's steps look after what they queue.
     */

    if (rc != NGX_OK || input->format->pairs) {
        ngx_envelope_errors_clear();
    }

    if (rc == NGX_DONE) {
        output->statement = NULL;
        output->outcome = NGX_ENVELOPE_PASSED;
        output->body = input->body;
        output->once.nelts = 0;
        output->reason.len = 0;
        return;
    }

    if (rc == NGX_OK) {
        rc = ngx_envelope_finish(&run, output);
    }

    if (rc == NGX_OK) {
        output->statement = NULL;
        output->outcome = (input->direction == NGX_ENVELOPE_SEAL)
                          ? NGX_ENVELOPE_SEALED : NGX_ENVELOPE_OPENED;
        return;
    }

    output->outcome = NGX_ENVELOPE_REJECTED;
    output->body_set = 0;
    output->headers.nelts = 0;
    output->once.nelts = 0;
    ngx_str_null(&output->body);
    ngx_str_null(&output->kid);

    if (rc == NGX_DECLINED) {
        output->fault = run.decoded ? NGX_ENVELOPE_FAULT_SECRET
                                    : NGX_ENVELOPE_FAULT_SHAPE;
        return;
    }

    output->fault = NGX_ENVELOPE_FAULT_INTERNAL;

    if (output->reason.len == 0) {
        ngx_envelope_failed(&output->reason, "out of memory");
    }
}


static ngx_int_t
ngx_envelope_run_init(ngx_envelope_run_t *run, ngx_pool_t *pool,
    const ngx_envelope_input_t *input, ngx_envelope_output_t *output)
{
    ngx_uint_t  i;

    run->pool = pool;
    run->input = input;
    run->format = input->format;
    run->reason = &output->reason;
    run->root = NULL;
    ngx_str_null(&run->head);
    ngx_str_null(&run->tail);
    ngx_memzero(&run->headers.fields, sizeof(ngx_array_t));
    ngx_memzero(&run->headers.touched, sizeof(ngx_array_t));
    ngx_str_null(&run->kid);
    run->randoms = NULL;
    run->known = 0;
    run->rsa = 0;
    run->once = &output->once;
    run->decoded = 0;

    for (i = 0; i < run->format->rings.nelts; i++) {
        run->choice[i] = 0;
    }

    if (run->format->randoms.nelts
        && ngx_envelope_run_init_randoms(run) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!run->format->headers) {
        return NGX_OK;
    }

    return ngx_envelope_headers_init(&run->headers, pool, input->headers,
                                     input->nheaders);
}


static ngx_int_t
ngx_envelope_run_init_randoms(ngx_envelope_run_t *run)
{
    u_char                 *p;
    size_t                  len;
    ngx_uint_t              i, n;
    ngx_envelope_random_t  *random;

    random = run->format->randoms.elts;
    n = run->format->randoms.nelts;
    len = 0;

    for (i = 0; i < n; i++) {
        len += random[i].len;
    }

    run->randoms = ngx_palloc(run->pool, n * sizeof(ngx_str_t));
    p = ngx_envelope_secret_alloc(run->pool, len);

    if (run->randoms == NULL || p == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(p, len);

    for (i = 0; i < n; i++) {
        run->randoms[i].data = p;
        run->randoms[i].len = random[i].len;
        p += random[i].len;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_run_scan(ngx_envelope_run_t *run, ngx_str_t *body)
{
    u_char     *end;
    ngx_int_t   rc;

    rc = ngx_envelope_json_scan(run->pool, body, run->format->depth,
                                &run->root, run->reason);
    if (rc != NGX_OK) {
        return rc;
    }

    end = run->root->text.data + run->root->text.len;

    run->head.data = body->data;
    run->head.len = run->root->text.data - body->data;
    run->tail.data = end;
    run->tail.len = body->data + body->len - end;

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_seal(ngx_envelope_run_t *run,
    const ngx_envelope_statement_t **at)
{
    ngx_int_t                   rc;
    ngx_str_t                   body;
    ngx_uint_t                  i;
    ngx_envelope_statement_t  **st;

    body = run->input->body;

    if (run->format->members) {

        if (body.len == 0) {

            if (!run->format->body) {
                return ngx_envelope_declined(run->reason, "there is no body "
                                             "to seal");
            }

            ngx_str_set(&body, "{}");
        }

        rc = ngx_envelope_run_scan(run, &body);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_envelope_seal_object(run, at);
    if (rc != NGX_OK) {
        return rc;
    }

    /* a condition on what the message brings, and not on what becomes of it */

    rc = ngx_envelope_seal_when(run, 0, at);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_envelope_take_out(run, at);
    if (rc != NGX_OK) {
        return rc;
    }

    st = run->format->statements.elts;

    for (i = 0; i < run->format->statements.nelts; i++) {

        if (st[i]->def->seal == NULL || st[i]->def == &ngx_envelope_when_def) {
            continue;
        }

        *at = st[i];

        rc = st[i]->def->seal(run, st[i]);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    /* .. unless the format writes it, for then it is what opening will see */

    return ngx_envelope_seal_when(run, 1, at);
}


/* whose members are addressed has to be an object */

static ngx_int_t
ngx_envelope_seal_object(ngx_envelope_run_t *run,
    const ngx_envelope_statement_t **at)
{
    ngx_uint_t                  i;
    ngx_envelope_statement_t  **st;

    if (run->root == NULL || run->root->type == NGX_ENVELOPE_JSON_OBJECT) {
        return NGX_OK;
    }

    if (!run->format->body) {
        return ngx_envelope_declined(run->reason, "the message is not a JSON "
                                     "object");
    }

    st = run->format->statements.elts;

    for (i = 0; i < run->format->statements.nelts; i++) {

        if (st[i]->plain
            && st[i]->address.n
            && st[i]->def != &ngx_envelope_body_def)
        {
            *at = st[i];
            return ngx_envelope_declined(run->reason, "the message is not a "
                                         "JSON object");
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_seal_when(ngx_envelope_run_t *run, ngx_uint_t written,
    const ngx_envelope_statement_t **at)
{
    ngx_int_t                   rc, done;
    ngx_uint_t                  i;
    ngx_envelope_statement_t  **st;

    if (!run->format->when) {
        return NGX_OK;
    }

    done = NGX_OK;
    st = run->format->statements.elts;

    for (i = 0; i < run->format->statements.nelts; i++) {

        if (st[i]->def != &ngx_envelope_when_def
            || st[i]->u.set.written != written)
        {
            continue;
        }

        *at = st[i];

        rc = ngx_envelope_when_def.seal(run, st[i]);

        if (rc == NGX_DONE) {
            done = NGX_DONE;

        } else if (rc != NGX_OK) {
            return rc;
        }
    }

    return done;
}


/* what the format writes cannot come from the plain message */

static ngx_int_t
ngx_envelope_take_out(ngx_envelope_run_t *run,
    const ngx_envelope_statement_t **at)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_envelope_statement_t  **st;

    st = run->format->statements.elts;

    for (i = 0; i < run->format->statements.nelts; i++) {

        if (!st[i]->writes) {
            continue;
        }

        *at = st[i];

        rc = ngx_envelope_take_out_one(run, st[i], &st[i]->address);
        if (rc != NGX_OK) {
            return rc;
        }

        if (st[i]->def == &ngx_envelope_sign_def && st[i]->u.sign.kid) {
            rc = ngx_envelope_take_out_one(run, st[i], st[i]->u.sign.kid);
            if (rc != NGX_OK) {
                return rc;
            }
        }
    }

    *at = NULL;

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_take_out_one(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_envelope_address_t *address)
{
    if (address->kind == NGX_ENVELOPE_ADDRESS_MEMBER && !st->plain) {

        /* it will be a member of the envelope, which is not there yet */

        return NGX_OK;
    }

    return ngx_envelope_run_remove(run, address);
}


/*
 * First all that can be told of the outer message without a key.  Then every
 * combination of the keys that might be right: only a message that opens as
 * a whole tells that they were.
 */

static ngx_int_t
ngx_envelope_open(ngx_envelope_run_t *run, ngx_envelope_output_t *output)
{
    ngx_int_t                        rc;
    ngx_str_t                        body;
    ngx_uint_t                       first;
    ngx_envelope_reason_t            reason;
    const ngx_envelope_statement_t  *at;

    body = run->input->body;

    if (run->format->members) {

        if (body.len == 0) {
            return ngx_envelope_declined(run->reason, "there is no body to "
                                         "open");
        }

        rc = ngx_envelope_run_scan(run, &body);
        if (rc != NGX_OK) {
            return rc;
        }

        if (run->root->type != NGX_ENVELOPE_JSON_OBJECT) {
            return ngx_envelope_declined(run->reason, "the message is not a "
                                         "JSON object");
        }
    }

    rc = ngx_envelope_open_shape(run, &output->statement);
    if (rc != NGX_OK) {
        return rc;
    }

    reason.len = 0;

    for (first = 1; /* void */ ; first = 0) {

        rc = ngx_envelope_open_attempt(run, &at);

        if (first || rc == NGX_ERROR) {
            output->statement = at;
        }

        if (first && rc == NGX_DECLINED) {
            reason = *run->reason;
        }

        if (rc != NGX_DECLINED || !ngx_envelope_open_next(run)) {
            break;
        }

        run->reason->len = 0;

        if (run->root) {
            rc = ngx_envelope_run_scan(run, &body);
            if (rc != NGX_OK) {
                break;
            }
        }

        if (run->format->headers) {
            rc = ngx_envelope_headers_init(&run->headers, run->pool,
                                           run->input->headers,
                                           run->input->nheaders);
            if (rc != NGX_OK) {
                break;
            }
        }
    }

    if (rc == NGX_DECLINED) {

        /* why it did not open with the first keys */

        *run->reason = reason;
    }

    return rc;
}


static ngx_int_t
ngx_envelope_open_shape(ngx_envelope_run_t *run,
    const ngx_envelope_statement_t **at)
{
    ngx_int_t                   rc, done;
    ngx_uint_t                  i, n, when;
    ngx_envelope_statement_t  **st;

    done = NGX_OK;
    st = run->format->statements.elts;
    n = run->format->statements.nelts;

    /* a message that passes unchanged need not be of the format otherwise */

    for (when = 2; when-- > 0 && done == NGX_OK; /* void */ ) {

        for (i = n; i-- > 0; /* void */ ) {

            if ((st[i]->def == &ngx_envelope_when_def) != when
                || st[i]->def->shape == NULL)
            {
                continue;
            }

            *at = st[i];

            rc = st[i]->def->shape(run, st[i]);

            if (rc == NGX_DONE) {
                done = NGX_DONE;

            } else if (rc != NGX_OK) {
                return rc;
            }
        }
    }

    return done;
}


static ngx_int_t
ngx_envelope_open_attempt(ngx_envelope_run_t *run,
    const ngx_envelope_statement_t **at)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_envelope_statement_t  **st;

    st = run->format->statements.elts;
    *at = NULL;

    run->reason->len = 0;
    run->known = 0;
    run->rsa = 0;
    run->once->nelts = 0;

    for (i = run->format->statements.nelts; i-- > 0; /* void */ ) {

        if (st[i]->def->open == NULL) {
            continue;
        }

        *at = st[i];

        rc = st[i]->def->open(run, st[i]);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* the next combination of keys, 0 when all have been tried */

static ngx_uint_t
ngx_envelope_open_next(ngx_envelope_run_t *run)
{
    ngx_uint_t             i, n;
    ngx_envelope_ring_t  **rings;

    rings = run->format->rings.elts;

    for (i = 0; i < run->format->rings.nelts; i++) {

        if ((run->format->tries >> i & 1) == 0) {
            continue;
        }

        n = rings[i]->is_secret ? rings[i]->secrets.nelts
                                : rings[i]->keys.nelts;

        if (++run->choice[i] < n) {
            return 1;
        }

        run->choice[i] = 0;
    }

    return 0;
}


static ngx_int_t
ngx_envelope_finish(ngx_envelope_run_t *run, ngx_envelope_output_t *output)
{
    ngx_int_t  rc;

    output->kid = run->kid;

    if (run->root) {
        rc = ngx_envelope_run_body(run, &output->body);
        if (rc != NGX_OK) {
            return rc;
        }

        output->body_set = 1;

    } else {
        output->body = run->input->body;
    }

    return ngx_envelope_finish_headers(run, output);
}


static ngx_int_t
ngx_envelope_finish_headers(ngx_envelope_run_t *run,
    ngx_envelope_output_t *output)
{
    ngx_str_t              *touched;
    ngx_uint_t              i;
    ngx_envelope_header_t  *edit;

    if (ngx_array_init(&output->headers, run->pool,
                       run->headers.touched.nelts + NGX_ENVELOPE_HEADERS_MORE,
                       sizeof(ngx_envelope_header_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    touched = run->headers.touched.elts;

    for (i = 0; i < run->headers.touched.nelts; i++) {

        edit = ngx_array_push(&output->headers);
        if (edit == NULL) {
            return NGX_ERROR;
        }

        edit->name = touched[i];

        if (ngx_envelope_headers_get(&run->headers, &touched[i], &edit->value)
            == 0)
        {
            ngx_str_null(&edit->value);
        }
    }

    return NGX_OK;
}
