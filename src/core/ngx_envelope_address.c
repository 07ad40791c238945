
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_address.h"
#include "ngx_envelope_codec.h"


static ngx_int_t ngx_envelope_address_parse_header(
    ngx_envelope_address_t *address, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_address_parse_pointer(
    ngx_envelope_address_t *address, ngx_pool_t *pool,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_address_unescape(ngx_str_t *token, u_char *from,
    u_char *to);
static ngx_int_t ngx_envelope_address_step_other(
    ngx_envelope_address_t *address, ngx_uint_t i, ngx_envelope_node_t *node,
    ngx_envelope_node_t **next, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_address_element(ngx_envelope_node_t *array,
    ngx_str_t *token, ngx_envelope_node_t **next);
static ngx_int_t ngx_envelope_address_walk(ngx_envelope_address_t *address,
    ngx_uint_t i, ngx_envelope_node_t *node, ngx_array_t *nodes,
    ngx_uint_t *absent, ngx_envelope_reason_t *reason);
static ngx_uint_t ngx_envelope_address_empty(ngx_envelope_node_t *node);


ngx_int_t
ngx_envelope_address_parse(ngx_envelope_address_t *address, ngx_pool_t *pool,
    ngx_str_t *text, ngx_envelope_reason_t *reason)
{
    ngx_memzero(address, sizeof(ngx_envelope_address_t));

    if (text->len == 0) {
        return ngx_envelope_declined(reason, "an address is empty");
    }

    address->text.len = text->len;
    address->text.data = ngx_pnalloc(pool, text->len);
    if (address->text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(address->text.data, text->data, text->len);

    if (text->len >= sizeof("header:") - 1
        && ngx_strncmp(text->data, "header:", sizeof("header:") - 1) == 0)
    {
        return ngx_envelope_address_parse_header(address, reason);
    }

    address->kind = NGX_ENVELOPE_ADDRESS_MEMBER;

    if (!ngx_envelope_utf8_valid(text->data, text->len)) {
        return ngx_envelope_declined(reason, "an address is not UTF-8");
    }

    if (text->data[0] == '/') {
        return ngx_envelope_address_parse_pointer(address, pool, reason);
    }

    address->tokens = ngx_palloc(pool, sizeof(ngx_envelope_json_name_t));
    if (address->tokens == NULL) {
        return NGX_ERROR;
    }

    address->n = 1;

    return ngx_envelope_json_name(pool, &address->text, address->tokens,
                                  reason);
}


static ngx_int_t
ngx_envelope_address_parse_header(ngx_envelope_address_t *address,
    ngx_envelope_reason_t *reason)
{
    u_char  *p, *end;

    address->kind = NGX_ENVELOPE_ADDRESS_HEADER;

    address->header.data = address->text.data + sizeof("header:") - 1;
    address->header.len = address->text.len - (sizeof("header:") - 1);

    end = address->text.data + address->text.len;

    for (p = address->header.data; p < end; p++) {

        if (*p == ':' && address->kind == NGX_ENVELOPE_ADDRESS_HEADER) {
            address->kind = NGX_ENVELOPE_ADDRESS_PARAM;
            address->header.len = p - address->header.data;
            address->param.data = p + 1;
            address->param.len = end - address->param.data;
            continue;
        }

        /* the characters of a token, RFC 9110 section 5.6.2 */

        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
              || (*p >= '0' && *p <= '9')
              || ngx_strlchr((u_char *) "!#$%&'*+-.^_`|~",
                             (u_char *) "!#$%&'*+-.^_`|~" + 15, *p)))
        {
            return ngx_envelope_declined(reason, "\"%V\" is not the name of "
                                         "a header", &address->text);
        }
    }

    if (address->header.len == 0
        || (address->kind == NGX_ENVELOPE_ADDRESS_PARAM
            && address->param.len == 0))
    {
        return ngx_envelope_declined(reason, "\"%V\" lacks a name, write "
                                     "header:NAME or header:NAME:PARAM",
                                     &address->text);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_address_parse_pointer(ngx_envelope_address_t *address,
    ngx_pool_t *pool, ngx_envelope_reason_t *reason)
{
    u_char                    *p, *from, *end;
    ngx_int_t                  rc;
    ngx_str_t                  name;
    ngx_envelope_json_name_t  *token;

    address->tokens = ngx_pcalloc(pool, NGX_ENVELOPE_ADDRESS_TOKENS_MAX
                                        * sizeof(ngx_envelope_json_name_t));
    if (address->tokens == NULL) {
        return NGX_ERROR;
    }

    p = address->text.data;
    end = p + address->text.len;

    while (p < end) {

        if (address->n == NGX_ENVELOPE_ADDRESS_TOKENS_MAX) {
            return ngx_envelope_declined(reason, "\"%V\" is deeper than %d "
                                         "levels", &address->text,
                                         NGX_ENVELOPE_ADDRESS_TOKENS_MAX);
        }

        from = ++p;

        while (p < end && *p != '/') {
            p++;
        }

        token = &address->tokens[address->n++];

        if (p - from == 1 && *from == '*') {
            address->many = 1;
            continue;
        }

        name.data = ngx_pnalloc(pool, p - from + 1);
        if (name.data == NULL) {
            return NGX_ERROR;
        }

        if (ngx_envelope_address_unescape(&name, from, p) != NGX_OK) {
            return ngx_envelope_declined(reason, "\"%V\" is not a JSON "
                                         "pointer: \"~\" is written \"~0\"",
                                         &address->text);
        }

        rc = ngx_envelope_json_name(pool, &name, token, reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_address_unescape(ngx_str_t *token, u_char *from, u_char *to)
{
    u_char  *dst;

    dst = token->data;

    while (from < to) {

        if (*from != '~') {
            *dst++ = *from++;
            continue;
        }

        if (to - from < 2 || (from[1] != '0' && from[1] != '1')) {
            return NGX_DECLINED;
        }

        *dst++ = (from[1] == '0') ? '~' : '/';
        from += 2;
    }

    token->len = dst - token->data;

    return NGX_OK;
}


ngx_uint_t
ngx_envelope_address_equal(ngx_envelope_address_t *a,
    ngx_envelope_address_t *b)
{
    if (a->kind != b->kind) {
        return 0;
    }

    if (a->kind == NGX_ENVELOPE_ADDRESS_MEMBER) {
        return a->n == b->n && ngx_envelope_address_below(a, b);
    }

    return a->header.len == b->header.len
           && ngx_strncasecmp(a->header.data, b->header.data, a->header.len)
              == 0
           && a->param.len == b->param.len
           && ngx_strncasecmp(a->param.data, b->param.data, a->param.len)
              == 0;
}


ngx_uint_t
ngx_envelope_address_below(ngx_envelope_address_t *a,
    ngx_envelope_address_t *b)
{
    ngx_str_t   *x, *y;
    ngx_uint_t   i;

    if (a->kind != NGX_ENVELOPE_ADDRESS_MEMBER
        || b->kind != NGX_ENVELOPE_ADDRESS_MEMBER
        || a->n < b->n)
    {
        return 0;
    }

    for (i = 0; i < b->n; i++) {
        x = &a->tokens[i].text;
        y = &b->tokens[i].text;

        if (x->data == NULL || y->data == NULL) {
            continue;
        }

        if (x->len != y->len || ngx_memcmp(x->data, y->data, x->len) != 0) {
            return 0;
        }
    }

    return 1;
}


/*
 * From a container to what one token names in it, NULL when it is absent.
 * NGX_DECLINED: it stands there twice; NGX_DONE: it cannot stand there.
 */

static ngx_inline ngx_int_t
ngx_envelope_address_step(ngx_envelope_address_t *address, ngx_uint_t i,
    ngx_envelope_node_t *node, ngx_envelope_node_t **next,
    ngx_envelope_reason_t *reason)
{
    if (node->type == NGX_ENVELOPE_JSON_OBJECT
        && ngx_envelope_json_member(node, &address->tokens[i].text, next) < 2)
    {
        return NGX_OK;
    }

    return ngx_envelope_address_step_other(address, i, node, next, reason);
}


static ngx_int_t
ngx_envelope_address_step_other(ngx_envelope_address_t *address,
    ngx_uint_t i, ngx_envelope_node_t *node, ngx_envelope_node_t **next,
    ngx_envelope_reason_t *reason)
{
    ngx_str_t  *token;

    token = &address->tokens[i].text;
    *next = NULL;

    switch (node->type) {

    case NGX_ENVELOPE_JSON_OBJECT:
        return ngx_envelope_declined(reason, "\"%V\" stands twice in %V",
                                     token, &address->text);

    case NGX_ENVELOPE_JSON_ARRAY:

        if (ngx_envelope_address_element(node, token, next) == NGX_OK) {
            return NGX_OK;
        }

        break;

    case NGX_ENVELOPE_JSON_NULL:
        return NGX_OK;

    default:
        break;
    }

    if (i == 0) {
        ngx_envelope_declined(reason, "the message is not a JSON object");

    } else {
        ngx_envelope_declined(reason, "\"%V\" of %V is not in an object",
                              token, &address->text);
    }

    return NGX_DONE;
}


ngx_int_t
ngx_envelope_address_find(ngx_envelope_address_t *address,
    ngx_envelope_node_t *root, ngx_envelope_node_t **node,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;

    rc = ngx_envelope_address_look(address, root, node, reason);

    return (rc == NGX_DONE) ? NGX_DECLINED : rc;
}


ngx_int_t
ngx_envelope_address_look(ngx_envelope_address_t *address,
    ngx_envelope_node_t *root, ngx_envelope_node_t **node,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    *node = root;

    for (i = 0; i < address->n && *node; i++) {

        rc = ngx_envelope_address_step(address, i, *node, node, reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/*
 * A name where there is an array is refused, not absent: what it names may
 * stand in each of the elements.
 */

static ngx_int_t
ngx_envelope_address_element(ngx_envelope_node_t *array, ngx_str_t *token,
    ngx_envelope_node_t **next)
{
    ngx_int_t             n;
    ngx_envelope_node_t  *node;

    /* no leading zeros, RFC 6901 section 4 */

    if (token->len > 1 && token->data[0] == '0') {
        return NGX_DECLINED;
    }

    n = ngx_atoi(token->data, token->len);
    if (n == NGX_ERROR) {
        return NGX_DECLINED;
    }

    for (node = array->child; node && n; node = node->next) {
        n--;
    }

    *next = node;

    return NGX_OK;
}


ngx_int_t
ngx_envelope_address_each(ngx_envelope_address_t *address,
    ngx_envelope_node_t *root, ngx_array_t *nodes, ngx_uint_t *absent,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;

    *absent = 0;

    rc = ngx_envelope_address_walk(address, 0, root, nodes, absent, reason);

    return (rc == NGX_DONE) ? NGX_DECLINED : rc;
}


static ngx_int_t
ngx_envelope_address_walk(ngx_envelope_address_t *address, ngx_uint_t i,
    ngx_envelope_node_t *node, ngx_array_t *nodes, ngx_uint_t *absent,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t              rc;
    ngx_envelope_node_t   *next, **pos;

    for ( /* void */ ; i < address->n; i++) {

        if (address->tokens[i].text.data == NULL) {
            break;
        }

        rc = ngx_envelope_address_step(address, i, node, &next, reason);
        if (rc != NGX_OK) {
            return rc;
        }

        if (next == NULL) {
            (*absent)++;
            return NGX_OK;
        }

        node = next;
    }

    if (i == address->n) {
        pos = ngx_array_push(nodes);
        if (pos == NULL) {
            return NGX_ERROR;
        }

        *pos = node;

        return NGX_OK;
    }

    if (node->type == NGX_ENVELOPE_JSON_NULL) {
        (*absent)++;
        return NGX_OK;
    }

    if (node->type != NGX_ENVELOPE_JSON_ARRAY) {
        return ngx_envelope_declined(reason, "\"*\" of %V is not over an "
                                     "array", &address->text);
    }

    for (next = node->child; next; next = next->next) {

        rc = ngx_envelope_address_walk(address, i + 1, next, nodes, absent,
                                       reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_envelope_address_make(ngx_envelope_address_t *address, ngx_pool_t *pool,
    ngx_envelope_node_t *root, ngx_envelope_node_t **made,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_envelope_node_t  *node, *next;

    static ngx_str_t  object = ngx_string("{}");

    node = root;

    for (i = 0; i < address->n; i++) {

        rc = ngx_envelope_address_step(address, i, node, &next, reason);
        if (rc != NGX_OK) {
            return (rc == NGX_DONE) ? NGX_DECLINED : rc;
        }

        if (next == NULL) {

            if (node->type != NGX_ENVELOPE_JSON_OBJECT) {
                return ngx_envelope_declined(reason, "%V cannot be added to "
                                             "what is not an object",
                                             &address->text);
            }

            next = ngx_envelope_json_add(pool, node, &address->tokens[i]);
            if (next == NULL) {
                return NGX_ERROR;
            }

            if (i < address->n - 1) {
                ngx_envelope_json_replace(next, &object,
                                          NGX_ENVELOPE_JSON_OBJECT, NULL);
            }
        }

        node = next;
    }

    *made = node;

    return NGX_OK;
}


ngx_int_t
ngx_envelope_address_write(ngx_envelope_address_t *address, ngx_pool_t *pool,
    ngx_envelope_node_t *root, ngx_str_t *text, ngx_envelope_json_type_e type,
    ngx_envelope_node_t *sub, ngx_envelope_reason_t *reason)
{
    ngx_int_t             rc;
    ngx_envelope_node_t  *node;

    rc = ngx_envelope_address_make(address, pool, root, &node, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_envelope_json_replace(node, text, type, sub);

    return NGX_OK;
}


ngx_int_t
ngx_envelope_address_remove(ngx_envelope_address_t *address,
    ngx_envelope_node_t *root, ngx_envelope_reason_t *reason)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_envelope_node_t  *node, *parent;

    rc = ngx_envelope_address_find(address, root, &node, reason);

    if (rc != NGX_OK || node == NULL) {
        return rc;
    }

    for (i = address->n; i > address->floor; i--) {
        parent = node->parent;

        if (parent->type != NGX_ENVELOPE_JSON_OBJECT) {
            break;
        }

        ngx_envelope_json_remove(node);

        if (!ngx_envelope_address_empty(parent)) {
            break;
        }

        node = parent;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_envelope_address_empty(ngx_envelope_node_t *node)
{
    for (node = node->child; node; node = node->next) {
        if (!node->removed) {
            return 0;
        }
    }

    return 1;
}
