
/*
 * Addresses: what one names is found where an independent walk finds it, what
 * is written can be read, and taking it out again leaves the bytes of before.
 *
 * The input is two addresses, each ended by a byte 0xff, and a JSON text.
 */


#include "naive.h"

#include "ngx_envelope_address.h"


FUZZ_MUTATIONS(30000);


#define FUZZ_MANY  64


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    fuzz_start();

    return 0;
}


/* RFC 6901: "~1" first, then "~0"; 0 for what it does not allow */

static ngx_uint_t
fuzz_token(ngx_str_t *text, ngx_str_t *token)
{
    size_t  i;

    token->data = ngx_pnalloc(pool, text->len);
    token->len = 0;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] != '~') {
            token->data[token->len++] = text->data[i];
            continue;
        }

        if (++i == text->len || !strchr("01", text->data[i])
            || text->data[i] == '\0')
        {
            return 0;
        }

        token->data[token->len++] = (text->data[i] == '0') ? '~' : '/';
    }

    return 1;
}


/* the tokens of a member's address; 0 for what is no such address */

static ngx_uint_t
fuzz_tokens(ngx_str_t *text, ngx_str_t *tokens, ngx_uint_t *n)
{
    size_t      i, from;
    ngx_str_t   part;

    *n = 0;

    if (text->len == 0 || !naive_utf8_valid(text->data, text->len)) {
        return 0;
    }

    if (text->data[0] != '/') {
        tokens[(*n)++] = *text;
        return 1;
    }

    for (i = 1, from = 1; i <= text->len; i++) {

        if (i < text->len && text->data[i] != '/') {
            continue;
        }

        if (*n == NGX_ENVELOPE_ADDRESS_TOKENS_MAX) {
            return 0;
        }

        part.data = text->data + from;
        part.len = i - from;
        from = i + 1;

        if (part.len == 1 && part.data[0] == '*') {
            ngx_str_null(&tokens[*n]);

        } else if (!fuzz_token(&part, &tokens[*n])) {
            return 0;
        }

        (*n)++;
    }

    return 1;
}


/*
 * All values of the tokens into "found"; 0 where an address has to refuse:
 * a name stands twice, or the way leads through something of another type.
 */

static ngx_uint_t
fuzz_walk(naive_t *v, ngx_str_t *token, ngx_uint_t n, naive_t **found,
    ngx_uint_t *nfound, ngx_uint_t *absent)
{
    char         number[32];
    naive_t     *child, *next;
    ngx_uint_t   i, times;

    if (n == 0) {
        if (*nfound < FUZZ_MANY) {
            found[*nfound] = v;
        }

        (*nfound)++;
        return 1;
    }

    if (v->type == NGX_ENVELOPE_JSON_NULL) {
        (*absent)++;
        return 1;
    }

    if (token->data == NULL) {

        if (v->type != NGX_ENVELOPE_JSON_ARRAY) {
            return 0;
        }

        for (child = v->child; child; child = child->next) {
            if (!fuzz_walk(child, token + 1, n - 1, found, nfound, absent)) {
                return 0;
            }
        }

        return 1;
    }

    next = NULL;
    times = 0;
    i = 0;

    switch (v->type) {

    case NGX_ENVELOPE_JSON_OBJECT:

        for (child = v->child; child; child = child->next) {
            if (fuzz_same(&child->name, token)) {
                next = next ? next : child;
                times++;
            }
        }

        if (times > 1) {
            return 0;
        }

        break;

    case NGX_ENVELOPE_JSON_ARRAY:

        if (token->len == 0
            || (token->len > 1 && token->data[0] == '0')
            || token->len > sizeof("9223372036854775807") - 1
            || (token->len == sizeof("9223372036854775807") - 1
                && memcmp(token->data, "9223372036854775807", token->len) > 0))
        {
            return 0;
        }

        for (i = 0; i < token->len; i++) {
            if (token->data[i] < '0' || token->data[i] > '9') {
                return 0;
            }
        }

        for (i = 0, child = v->child; child; child = child->next, i++) {
            (void) snprintf(number, sizeof(number), "%lu", (unsigned long) i);

            if (strlen(number) == token->len
                && memcmp(number, token->data, token->len) == 0)
            {
                next = child;
            }
        }

        break;

    default:
        return 0;
    }

    if (next == NULL) {
        (*absent)++;
        return 1;
    }

    return fuzz_walk(next, token + 1, n - 1, found, nfound, absent);
}


static void
fuzz_find(ngx_envelope_address_t *address, ngx_envelope_node_t *root,
    naive_t *v, ngx_str_t *tokens)
{
    naive_t              *found[FUZZ_MANY];
    ngx_int_t             rc;
    ngx_uint_t            i, n, absent, nabsent, good;
    ngx_array_t           nodes;
    ngx_envelope_node_t  *node, **pos;

    n = 0;
    absent = 0;

    good = fuzz_walk(v, tokens, address->n, found, &n, &absent);

    if (!address->many) {
        rc = ngx_envelope_address_find(address, root, &node, &reason);
        check(rc == (good ? NGX_OK : NGX_DECLINED));

        if (rc == NGX_OK) {
            check((node != NULL) == (n == 1));
            check(node == NULL || node->from == found[0]->from);
        }
    }

    (void) ngx_array_init(&nodes, pool, 1, sizeof(ngx_envelope_node_t *));

    rc = ngx_envelope_address_each(address, root, &nodes, &nabsent, &reason);
    check(rc == (good ? NGX_OK : NGX_DECLINED));

    if (rc != NGX_OK) {
        return;
    }

    check(nodes.nelts == n && nabsent == absent);

    pos = nodes.elts;

    for (i = 0; i < ngx_min(n, FUZZ_MANY); i++) {
        check(pos[i]->from == found[i]->from);
    }
}


/* how many of the objects above it are there */

static ngx_uint_t
fuzz_floor(ngx_envelope_address_t *address, ngx_envelope_node_t *root)
{
    ngx_uint_t               n;
    ngx_envelope_node_t     *node;
    ngx_envelope_address_t   part;

    part = *address;

    for (n = 0; n + 1 < address->n; n++) {
        part.n = n + 1;

        if (ngx_envelope_address_find(&part, root, &node, &reason) != NGX_OK
            || node == NULL)
        {
            break;
        }
    }

    return n;
}


static void
fuzz_write(ngx_envelope_address_t *address, ngx_envelope_node_t *root)
{
    ngx_int_t             rc;
    ngx_str_t             before, after;
    ngx_uint_t            was;
    ngx_envelope_node_t  *node;

    static ngx_str_t  text = ngx_string("\"written\"");

    if (address->many) {
        return;
    }

    check(ngx_envelope_json_text(pool, root, &before) == NGX_OK);

    if (ngx_envelope_address_find(address, root, &node, &reason) != NGX_OK) {
        check(ngx_envelope_address_write(address, pool, root, &text,
                                         NGX_ENVELOPE_JSON_STRING, NULL,
                                         &reason)
              == NGX_DECLINED);
        return;
    }

    was = (node != NULL);
    address->floor = fuzz_floor(address, root);

    rc = ngx_envelope_address_write(address, pool, root, &text,
                                    NGX_ENVELOPE_JSON_STRING, NULL, &reason);

    if (rc != NGX_OK) {
        check(rc == NGX_DECLINED && !was);
        return;
    }

    check(ngx_envelope_json_text(pool, root, &after) == NGX_OK);
    check(naive_json(&after) != NULL);

    check(ngx_envelope_address_find(address, root, &node, &reason) == NGX_OK);
    check(node != NULL && fuzz_same(&node->text, &text));

    if (node->parent == NULL
        || node->parent->type != NGX_ENVELOPE_JSON_OBJECT)
    {
        return;
    }

    check(ngx_envelope_address_remove(address, root, &reason) == NGX_OK);
    check(ngx_envelope_address_find(address, root, &node, &reason) == NGX_OK);
    check(node == NULL);

    check(ngx_envelope_json_text(pool, root, &after) == NGX_OK);
    check(naive_json(&after) != NULL);
    check(was || fuzz_same(&before, &after));
}


static ngx_uint_t
fuzz_parse(ngx_str_t *text, ngx_envelope_address_t *address,
    ngx_str_t *tokens)
{
    ngx_int_t   rc;
    ngx_uint_t  n, good, header;

    rc = ngx_envelope_address_parse(address, pool, text, &reason);

    header = (text->len >= 7 && memcmp(text->data, "header:", 7) == 0);

    if (rc != NGX_OK) {
        check(rc == NGX_DECLINED && reason.len);
        check(header || !fuzz_tokens(text, tokens, &n));
        return 0;
    }

    check(fuzz_same(&address->text, text));
    check(ngx_envelope_address_equal(address, address));

    if (address->kind != NGX_ENVELOPE_ADDRESS_MEMBER) {
        check(header && address->header.len);
        check((address->kind == NGX_ENVELOPE_ADDRESS_PARAM)
              == (address->param.len != 0));
        return 0;
    }

    good = fuzz_tokens(text, tokens, &n);

    check(!header && good && n == address->n);
    check(ngx_envelope_address_below(address, address));

    return 1;
}


static void
fuzz_one(fuzz_input_t *in)
{
    naive_t                 *v;
    ngx_str_t                text, other, body;
    ngx_str_t                tokens[NGX_ENVELOPE_ADDRESS_TOKENS_MAX];
    ngx_str_t                second[NGX_ENVELOPE_ADDRESS_TOKENS_MAX];
    ngx_uint_t               one, two;
    ngx_envelope_node_t     *root;
    ngx_envelope_address_t   a, b;

    text = fuzz_until(in, 0xff);
    other = fuzz_until(in, 0xff);
    body = fuzz_rest(in);

    one = fuzz_parse(&text, &a, tokens);
    two = fuzz_parse(&other, &b, second);

    if (one && two) {
        check(ngx_envelope_address_equal(&a, &b)
              == (ngx_envelope_address_below(&a, &b)
                  && ngx_envelope_address_below(&b, &a)));
    }

    v = naive_json(&body);

    if (!one || v == NULL) {
        return;
    }

    check(ngx_envelope_json_scan(pool, &body, a.n, &root, &reason) == NGX_OK);

    fuzz_find(&a, root, v, tokens);
    fuzz_write(&a, root);
}


FUZZ_TARGET(fuzz_one)
