
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_json.h"
#include "ngx_envelope_codec.h"

#include <openssl/crypto.h>
#include <yajl/yajl_parse.h>


/*
 * yajl judges the grammar, and its callbacks tell where containers begin and
 * end.  It is not asked for strings: where a string callback is set, yajl
 * 2.1.0 decodes every string with an escape and, after a lone high
 * surrogate, loses its place in it and may read past its end or abort() on
 * an assertion ("\ud800\\u.."; distributions patch this or do not).  So the
 * strings are part of the gap that lies in front of the next token, and are
 * found there by ngx_envelope_json_gap(), when yajl has checked them already.
 *
 * For the same reason yajl's memory has a bound.  Without string callbacks
 * and with the text given in one piece its buffers stay empty but for one:
 * the lexer keeps the token that the text ends in the middle of, n <= len
 * bytes, and then the one space that yajl_complete_parse() adds.  The buffer
 * begins with 2048 bytes and is doubled until it is larger than what it
 * holds, at most 2n bytes; the space may double it once more, but only when
 * it was exactly full.  With every size of it kept it has taken less than
 * 2048 + 3 * (len + 1) bytes, or 2048 + 2 * len.  The rest is the two states
 * of some 100 bytes, and a stack of a byte a level that grows by 128.
 */

#define NGX_ENVELOPE_JSON_ARENA_FIXED  16384
#define NGX_ENVELOPE_JSON_ARENA_TIMES  4

#define NGX_ENVELOPE_JSON_ALIGNMENT    16

#define NGX_ENVELOPE_JSON_LEN_MAX                                             \
    ((NGX_MAX_SIZE_T_VALUE - NGX_ENVELOPE_JSON_ARENA_FIXED)                   \
     / NGX_ENVELOPE_JSON_ARENA_TIMES)


typedef struct {
    u_char                     *start;
    u_char                     *pos;
    u_char                     *end;
    u_char                     *block;      /* the last one's bytes */
} ngx_envelope_json_arena_t;


typedef struct {
    ngx_pool_t                 *pool;
    ngx_uint_t                  depth;      /* of nodes */
    ngx_uint_t                  level;      /* containers open */

    u_char                     *start;
    u_char                     *pos;        /* end of the last token */
    u_char                     *end;

    u_char                     *name_from;  /* a name without its value yet */
    u_char                     *name_to;

    ngx_envelope_node_t        *root;
    ngx_envelope_node_t        *open;       /* innermost container that has
                                               a node */
    ngx_envelope_node_t        *node;       /* the last one made */

    ngx_int_t                   rc;         /* why a callback gave up */
    ngx_envelope_reason_t      *reason;
    ngx_envelope_json_arena_t   arena;
} ngx_envelope_json_scan_t;


static ngx_int_t ngx_envelope_json_parse(ngx_envelope_json_scan_t *scan,
    ngx_str_t *text);
static ngx_int_t ngx_envelope_json_status(ngx_envelope_json_scan_t *scan,
    yajl_status status, size_t consumed);
static int ngx_envelope_json_null(void *ctx);
static int ngx_envelope_json_boolean(void *ctx, int value);
static int ngx_envelope_json_number(void *ctx, const char *value, size_t len);
static int ngx_envelope_json_start_map(void *ctx);
static int ngx_envelope_json_start_array(void *ctx);
static int ngx_envelope_json_end_map(void *ctx);
static int ngx_envelope_json_end_array(void *ctx);
static int ngx_envelope_json_scalar(ngx_envelope_json_scan_t *scan,
    ngx_envelope_json_type_e type, u_char ch, size_t len);
static int ngx_envelope_json_start(ngx_envelope_json_scan_t *scan,
    ngx_envelope_json_type_e type, u_char ch);
static int ngx_envelope_json_end(ngx_envelope_json_scan_t *scan, u_char ch);
static ngx_int_t ngx_envelope_json_token(ngx_envelope_json_scan_t *scan,
    u_char ch, size_t len);
static ngx_int_t ngx_envelope_json_gap(ngx_envelope_json_scan_t *scan);
static ngx_int_t ngx_envelope_json_string(ngx_envelope_json_scan_t *scan);
static ngx_int_t ngx_envelope_json_value(ngx_envelope_json_scan_t *scan,
    ngx_envelope_json_type_e type, u_char *from, u_char *to);
static ngx_int_t ngx_envelope_json_malformed(ngx_envelope_json_scan_t *scan,
    u_char *p);
static void *ngx_envelope_json_arena_alloc(void *ctx, size_t size);
static void *ngx_envelope_json_arena_realloc(void *ctx, void *p, size_t size);
static void ngx_envelope_json_arena_free(void *ctx, void *p);


static const yajl_callbacks  ngx_envelope_json_callbacks = {
    ngx_envelope_json_null,
    ngx_envelope_json_boolean,
    NULL,                                  /* integer */
    NULL,                                  /* double */
    ngx_envelope_json_number,
    NULL,                                  /* string: see above */
    ngx_envelope_json_start_map,
    NULL,                                  /* map key: see above */
    ngx_envelope_json_end_map,
    ngx_envelope_json_start_array,
    ngx_envelope_json_end_array
};


ngx_int_t
ngx_envelope_json_scan(ngx_pool_t *pool, ngx_str_t *text, ngx_uint_t depth,
    ngx_envelope_node_t **root, ngx_envelope_reason_t *reason)
{
    size_t                     size;
    ngx_int_t                  rc;
    ngx_envelope_json_scan_t   scan;

    if (text->len == 0) {
        return ngx_envelope_declined(reason, "JSON is empty");
    }

    if (text->len > NGX_ENVELOPE_JSON_LEN_MAX) {
        return ngx_envelope_declined(reason, "JSON is too long");
    }

    if (!ngx_envelope_utf8_valid(text->data, text->len)) {
        return ngx_envelope_declined(reason, "JSON is not UTF-8");
    }

    ngx_memzero(&scan, sizeof(ngx_envelope_json_scan_t));

    scan.pool = pool;
    scan.depth = depth;
    scan.start = text->data;
    scan.pos = text->data;
    scan.end = text->data + text->len;
    scan.reason = reason;

    size = NGX_ENVELOPE_JSON_ARENA_FIXED
           + NGX_ENVELOPE_JSON_ARENA_TIMES * text->len;

    scan.arena.start = ngx_alloc(size, pool->log);
    if (scan.arena.start == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    scan.arena.pos = scan.arena.start;
    scan.arena.end = scan.arena.start + size;

    rc = ngx_envelope_json_parse(&scan, text);

    OPENSSL_cleanse(scan.arena.start, scan.arena.pos - scan.arena.start);
    ngx_free(scan.arena.start);

    if (rc == NGX_OK) {
        *root = scan.root;
    }

    return rc;
}


static ngx_int_t
ngx_envelope_json_parse(ngx_envelope_json_scan_t *scan, ngx_str_t *text)
{
    ngx_int_t         rc;
    yajl_status       status;
    yajl_handle       yajl;
    yajl_alloc_funcs  alloc;

    alloc.malloc = ngx_envelope_json_arena_alloc;
    alloc.realloc = ngx_envelope_json_arena_realloc;
    alloc.free = ngx_envelope_json_arena_free;
    alloc.ctx = &scan->arena;

    yajl = yajl_alloc(&ngx_envelope_json_callbacks, &alloc, scan);
    if (yajl == NULL) {
        return ngx_envelope_failed(scan->reason, "yajl_alloc() failed");
    }

    if (yajl_config(yajl, yajl_dont_validate_strings, 1) == 0) {
        rc = ngx_envelope_failed(scan->reason, "yajl_config() failed");
        goto out;
    }

    status = yajl_parse(yajl, text->data, text->len);
    rc = ngx_envelope_json_status(scan, status, yajl_get_bytes_consumed(yajl));

    if (rc != NGX_OK) {
        goto out;
    }

    status = yajl_complete_parse(yajl);
    rc = ngx_envelope_json_status(scan, status, text->len);

    if (rc != NGX_OK) {
        goto out;
    }

    /* yajl takes a string that is not closed after the top-level value */

    rc = ngx_envelope_json_gap(scan);

    if (rc == NGX_OK && (scan->pos != scan->end || scan->root == NULL)) {
        rc = ngx_envelope_json_malformed(scan, scan->pos);
    }

out:

    yajl_free(yajl);

    return rc;
}


static ngx_int_t
ngx_envelope_json_status(ngx_envelope_json_scan_t *scan, yajl_status status,
    size_t consumed)
{
    size_t  len;

    switch (status) {

    case yajl_status_ok:
        return NGX_OK;

    case yajl_status_client_canceled:
        return scan->rc;

    default:
        len = scan->end - scan->start;

        return ngx_envelope_json_malformed(scan,
                                       scan->start + ngx_min(consumed, len));
    }
}


static int
ngx_envelope_json_null(void *ctx)
{
    return ngx_envelope_json_scalar(ctx, NGX_ENVELOPE_JSON_NULL, 'n', 4);
}


static int
ngx_envelope_json_boolean(void *ctx, int value)
{
    return ngx_envelope_json_scalar(ctx, NGX_ENVELOPE_JSON_BOOLEAN,
                                    value ? 't' : 'f', value ? 4 : 5);
}


static int
ngx_envelope_json_number(void *ctx, const char *value, size_t len)
{
    return ngx_envelope_json_scalar(ctx, NGX_ENVELOPE_JSON_NUMBER,
                                    (u_char) *value, len);
}


static int
ngx_envelope_json_start_map(void *ctx)
{
    return ngx_envelope_json_start(ctx, NGX_ENVELOPE_JSON_OBJECT, '{');
}


static int
ngx_envelope_json_start_array(void *ctx)
{
    return ngx_envelope_json_start(ctx, NGX_ENVELOPE_JSON_ARRAY, '[');
}


static int
ngx_envelope_json_end_map(void *ctx)
{
    return ngx_envelope_json_end(ctx, '}');
}


static int
ngx_envelope_json_end_array(void *ctx)
{
    return ngx_envelope_json_end(ctx, ']');
}


static int
ngx_envelope_json_scalar(ngx_envelope_json_scan_t *scan,
    ngx_envelope_json_type_e type, u_char ch, size_t len)
{
    scan->rc = ngx_envelope_json_token(scan, ch, len);

    if (scan->rc == NGX_OK) {
        scan->rc = ngx_envelope_json_value(scan, type, scan->pos - len,
                                           scan->pos);
    }

    return scan->rc == NGX_OK;
}


static int
ngx_envelope_json_start(ngx_envelope_json_scan_t *scan,
    ngx_envelope_json_type_e type, u_char ch)
{
    scan->rc = ngx_envelope_json_token(scan, ch, 1);

    if (scan->rc == NGX_OK && scan->level == NGX_ENVELOPE_JSON_DEPTH_MAX) {
        scan->rc = ngx_envelope_declined(scan->reason,
                           "JSON is nested deeper than %d levels at byte %uz",
                           NGX_ENVELOPE_JSON_DEPTH_MAX,
                           (size_t) (scan->pos - 1 - scan->start));
    }

    if (scan->rc == NGX_OK) {
        scan->rc = ngx_envelope_json_value(scan, type, scan->pos - 1,
                                           scan->pos);
    }

    if (scan->rc != NGX_OK) {
        return 0;
    }

    if (scan->level <= scan->depth) {
        scan->open = scan->node;
        scan->open->scanned = (scan->level < scan->depth);
    }

    scan->level++;

    return 1;
}


static int
ngx_envelope_json_end(ngx_envelope_json_scan_t *scan, u_char ch)
{
    ngx_envelope_node_t  *node;

    scan->rc = ngx_envelope_json_token(scan, ch, 1);

    if (scan->rc != NGX_OK) {
        return 0;
    }

    scan->level--;

    if (scan->level <= scan->depth) {
        node = scan->open;
        node->to = scan->pos;
        node->text.len = node->to - node->from;

        scan->open = node->parent;
    }

    return 1;
}


/*
 * Goes over the gap to the token that yajl has just reported.  Something
 * else in its place is a form feed or a vertical tab, white space to yajl.
 */

static ngx_int_t
ngx_envelope_json_token(ngx_envelope_json_scan_t *scan, u_char ch, size_t len)
{
    ngx_int_t  rc;

    rc = ngx_envelope_json_gap(scan);
    if (rc != NGX_OK) {
        return rc;
    }

    if ((size_t) (scan->end - scan->pos) < len || *scan->pos != ch) {
        return ngx_envelope_json_malformed(scan, scan->pos);
    }

    scan->pos += len;

    return NGX_OK;
}


/* stops at the first byte that is not of a gap */

static ngx_int_t
ngx_envelope_json_gap(ngx_envelope_json_scan_t *scan)
{
    ngx_int_t  rc;

    while (scan->pos < scan->end) {

        switch (*scan->pos) {

        case ' ':
        case '\t':
        case CR:
        case LF:
        case ',':
        case ':':
            scan->pos++;
            continue;

        case '"':
            rc = ngx_envelope_json_string(scan);
            if (rc != NGX_OK) {
                return rc;
            }

            continue;

        default:
            return NGX_OK;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_json_string(ngx_envelope_json_scan_t *scan)
{
    u_char  *p, *from;

    from = scan->pos;

    for (p = from + 1; p < scan->end && *p != '"'; p++) {
        if (*p == '\\') {
            p++;
        }
    }

    if (p >= scan->end) {
        return ngx_envelope_json_malformed(scan, scan->end);
    }

    scan->pos = ++p;

    if (scan->level > scan->depth) {
        return NGX_OK;
    }

    if (scan->open && scan->open->type == NGX_ENVELOPE_JSON_OBJECT
        && scan->name_from == NULL)
    {
        scan->name_from = from;
        scan->name_to = p;
        return NGX_OK;
    }

    return ngx_envelope_json_value(scan, NGX_ENVELOPE_JSON_STRING, from, p);
}


static ngx_int_t
ngx_envelope_json_value(ngx_envelope_json_scan_t *scan,
    ngx_envelope_json_type_e type, u_char *from, u_char *to)
{
    ngx_int_t             rc;
    ngx_str_t             name;
    ngx_envelope_node_t  *node, *parent;

    if (scan->level > scan->depth) {
        return NGX_OK;
    }

    parent = scan->open;

    if (parent == NULL && scan->root) {
        return ngx_envelope_json_malformed(scan, from);
    }

    node = ngx_pcalloc(scan->pool, sizeof(ngx_envelope_node_t));
    if (node == NULL) {
        return ngx_envelope_failed(scan->reason, "out of memory");
    }

    if (scan->name_from) {
        name.data = scan->name_from;
        name.len = scan->name_to - scan->name_from;

        rc = ngx_envelope_json_decode_name(scan->pool, &name, &node->name,
                                           scan->reason);
        if (rc != NGX_OK) {
            return rc;
        }

        node->name_from = scan->name_from;
        scan->name_from = NULL;
    }

    node->from = from;
    node->to = to;
    node->text.data = from;
    node->text.len = to - from;
    node->type = type;
    node->parent = parent;

    if (parent == NULL) {
        scan->root = node;

    } else if (parent->last == NULL) {
        parent->child = node;
        parent->last = node;

    } else {
        parent->last->next = node;
        parent->last = node;
    }

    scan->node = node;

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_json_malformed(ngx_envelope_json_scan_t *scan, u_char *p)
{
    if (p == scan->end) {
        return ngx_envelope_declined(scan->reason,
                                     "JSON ends too early, after %uz bytes",
                                     (size_t) (p - scan->start));
    }

    return ngx_envelope_declined(scan->reason,
                                 "JSON is malformed near byte %uz",
                                 (size_t) (p - scan->start));
}


/*
 * The arena of yajl, which does not look whether an allocation failed.  In
 * front of each block is its size.
 */

static void *
ngx_envelope_json_arena_alloc(void *ctx, size_t size)
{
    ngx_envelope_json_arena_t *arena = ctx;

    size_t  room;

    room = arena->end - arena->pos;

    if (room < 2 * NGX_ENVELOPE_JSON_ALIGNMENT
        || size > room - 2 * NGX_ENVELOPE_JSON_ALIGNMENT)
    {
        /*
         * Not reached, by the bound above.  NULL would make yajl write to an
         * address that an attacker has a say in, so there is no way on.
         */

        abort();
    }

    ngx_memcpy(arena->pos, &size, sizeof(size_t));

    arena->block = arena->pos + NGX_ENVELOPE_JSON_ALIGNMENT;
    arena->pos = arena->block + ngx_align(size, NGX_ENVELOPE_JSON_ALIGNMENT);

    return arena->block;
}


static void *
ngx_envelope_json_arena_realloc(void *ctx, void *p, size_t size)
{
    ngx_envelope_json_arena_t *arena = ctx;

    void    *block;
    size_t   old;

    if (p == NULL) {
        return ngx_envelope_json_arena_alloc(ctx, size);
    }

    ngx_memcpy(&old, (u_char *) p - NGX_ENVELOPE_JSON_ALIGNMENT,
               sizeof(size_t));

    if (p == arena->block && size >= old) {
        arena->pos = arena->block - NGX_ENVELOPE_JSON_ALIGNMENT;
        return ngx_envelope_json_arena_alloc(ctx, size);
    }

    block = ngx_envelope_json_arena_alloc(ctx, size);
    ngx_memcpy(block, p, ngx_min(old, size));

    return block;
}


static void
ngx_envelope_json_arena_free(void *ctx, void *p)
{
    /* all of it goes at once */
}


ngx_uint_t
ngx_envelope_json_member(ngx_envelope_node_t *object, ngx_str_t *name,
    ngx_envelope_node_t **member)
{
    ngx_uint_t            n;
    ngx_envelope_node_t  *node;

    *member = NULL;

    if (object->type != NGX_ENVELOPE_JSON_OBJECT) {
        return 0;
    }

    n = 0;

    for (node = object->child; node; node = node->next) {

        if (node->removed || node->name.len != name->len
            || (name->len
                && ngx_memcmp(node->name.data, name->data, name->len) != 0))
        {
            continue;
        }

        if (n++) {
            break;
        }

        *member = node;
    }

    return n;
}
