
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_json.h"
#include "ngx_envelope_json_plain.h"
#include "ngx_envelope_codec.h"


/*
 * One pass over the text, which is all that is ever made over it: it judges
 * the grammar, the strings and their UTF-8, and makes the nodes.  It keeps
 * no more than a byte for each level, so that neither depth nor length can
 * take memory or stack.
 */

/* what may come next */

typedef enum {
    NGX_ENVELOPE_JSON_VALUE = 0,
    NGX_ENVELOPE_JSON_NAME,
    NGX_ENVELOPE_JSON_AFTER      /* a value: a comma, or the end */
} ngx_envelope_json_state_e;


typedef struct {
    ngx_pool_t                 *pool;
    ngx_uint_t                  depth;      /* of nodes */

    u_char                     *start;
    u_char                     *end;

    ngx_uint_t                  level;      /* containers open */
    u_char                      close[NGX_ENVELOPE_JSON_DEPTH_MAX];
                                            /* what ends each of them */


    ngx_uint_t                  wide;       /* what is long is gone through 64
                                               bytes at a time */
    u_char                     *rest;       /* at levels without nodes: where
                                               they began */

    u_char                     *name_from;  /* a name without its value yet */
    u_char                     *name_to;
    ngx_uint_t                  name_plain; /* has no escape, for sure */

    ngx_envelope_node_t        *root;
    ngx_envelope_node_t        *open;       /* innermost container that has
                                               a node */
    ngx_envelope_node_t        *node;       /* the last one made */

    ngx_int_t                   rc;         /* why it ended, if it did */
    ngx_envelope_reason_t      *reason;
} ngx_envelope_json_scan_t;


static u_char *ngx_envelope_json_text(ngx_envelope_json_scan_t *scan,
    u_char *p);
static u_char *ngx_envelope_json_pass(ngx_envelope_json_scan_t *scan,
    u_char *p);
static u_char *ngx_envelope_json_scalar(ngx_envelope_json_scan_t *scan,
    u_char *p);
static u_char *ngx_envelope_json_name(ngx_envelope_json_scan_t *scan,
    u_char *p);
static u_char *ngx_envelope_json_start(ngx_envelope_json_scan_t *scan,
    u_char *p);
static u_char *ngx_envelope_json_end(ngx_envelope_json_scan_t *scan,
    u_char *p);
static u_char *ngx_envelope_json_long(ngx_envelope_json_scan_t *scan,
    u_char *p);
static u_char *ngx_envelope_json_special(ngx_envelope_json_scan_t *scan,
    u_char *p);
static u_char *ngx_envelope_json_number(ngx_envelope_json_scan_t *scan,
    u_char *p);
static u_char *ngx_envelope_json_word(ngx_envelope_json_scan_t *scan,
    u_char *p, const char *word, size_t len);
static ngx_int_t ngx_envelope_json_value(ngx_envelope_json_scan_t *scan,
    ngx_envelope_json_type_e type, u_char *from, u_char *to);
static ngx_int_t ngx_envelope_json_named(ngx_envelope_json_scan_t *scan,
    ngx_str_t *name);
static u_char *ngx_envelope_json_not_utf8(ngx_envelope_json_scan_t *scan);
static u_char *ngx_envelope_json_malformed(ngx_envelope_json_scan_t *scan,
    u_char *p);


/* behind a string that starts here; a short one is seen to have no escape */

static ngx_inline u_char *
ngx_envelope_json_string(ngx_envelope_json_scan_t *scan, u_char *p,
    ngx_uint_t *plain)
{
    u_char  *end;

    p++;
    end = ngx_envelope_json_near(scan->start, p, scan->end);

    *plain = (end != NULL);

    return end ? end + 1 : ngx_envelope_json_long(scan, p);
}


ngx_int_t
ngx_envelope_json_scan(ngx_pool_t *pool, ngx_str_t *text, ngx_uint_t depth,
    ngx_envelope_node_t **root, ngx_envelope_reason_t *reason)
{
    ngx_envelope_json_scan_t  scan;

    if (text->len == 0) {
        return ngx_envelope_declined(reason, "JSON is empty");
    }

    scan.pool = pool;
    scan.depth = depth;
    scan.start = text->data;
    scan.end = text->data + text->len;
    scan.level = 0;
    scan.wide = text->len > NGX_ENVELOPE_JSON_LONG
                && ngx_envelope_json_wide();
    scan.rest = NULL;
    scan.name_from = NULL;
    scan.root = NULL;
    scan.open = NULL;
    scan.rc = NGX_OK;
    scan.reason = reason;

    if (ngx_envelope_json_text(&scan, text->data) == NULL) {
        return scan.rc;
    }

    *root = scan.root;

    return NGX_OK;
}


/*
 * What follows goes from byte to byte: each takes where something starts and
 * returns where it ends, or NULL when scan->rc says why there is no way on.
 */

static u_char *
ngx_envelope_json_text(ngx_envelope_json_scan_t *scan, u_char *p)
{
    ngx_envelope_json_state_e  state;

    state = NGX_ENVELOPE_JSON_VALUE;

    while (p) {
        p = ngx_envelope_json_skip(p, scan->end);

        if (p == scan->end) {
            return (state == NGX_ENVELOPE_JSON_AFTER && scan->level == 0)
                   ? p : ngx_envelope_json_malformed(scan, p);
        }

        switch (state) {

        case NGX_ENVELOPE_JSON_NAME:
            p = ngx_envelope_json_name(scan, p);
            state = NGX_ENVELOPE_JSON_VALUE;
            break;

        case NGX_ENVELOPE_JSON_AFTER:

            if (scan->level == 0) {
                return ngx_envelope_json_malformed(scan, p);
            }

            if (scan->wide && scan->level > scan->depth
                && p - scan->rest >= NGX_ENVELOPE_JSON_LONG
                && scan->end - p >= NGX_ENVELOPE_JSON_LONG)
            {
                p = ngx_envelope_json_pass(scan, p);
            }

            if (*p != ',') {
                p = ngx_envelope_json_end(scan, p);
                break;
            }

            p++;
            state = (scan->close[scan->level - 1] == '}')
                    ? NGX_ENVELOPE_JSON_NAME : NGX_ENVELOPE_JSON_VALUE;
            break;

        default: /* NGX_ENVELOPE_JSON_VALUE */

            if (*p != '{' && *p != '[') {
                p = ngx_envelope_json_scalar(scan, p);
                state = NGX_ENVELOPE_JSON_AFTER;
                break;
            }

            p = ngx_envelope_json_start(scan, p);

            if (p == NULL) {
                break;
            }

            p = ngx_envelope_json_skip(p, scan->end);

            if (p < scan->end && *p == scan->close[scan->level - 1]) {
                state = NGX_ENVELOPE_JSON_AFTER;

            } else if (scan->close[scan->level - 1] == '}') {
                state = NGX_ENVELOPE_JSON_NAME;
            }
        }
    }

    return NULL;
}


/*
 * Behind a value in a container without nodes: where that ends, if all up to
 * there is seen to be right at once, or p.
 */

static u_char *
ngx_envelope_json_pass(ngx_envelope_json_scan_t *scan, u_char *p)
{
    u_char  *end, open;

    open = (scan->close[scan->level - 1] == '}') ? '{' : '[';

    end = ngx_envelope_json_wide_pass(p, scan->end, open,
                                      NGX_ENVELOPE_JSON_DEPTH_MAX
                                      - scan->level + 1);
    if (end) {
        return end;
    }

    /* most likely something is wrong, which will be found in one more pass */

    scan->wide = 0;

    return p;
}


static u_char *
ngx_envelope_json_scalar(ngx_envelope_json_scan_t *scan, u_char *p)
{
    u_char                    *from;
    ngx_uint_t                 plain;
    ngx_envelope_json_type_e   type;

    from = p;
    plain = 0;

    switch (*p) {

    case '"':
        type = NGX_ENVELOPE_JSON_STRING;
        p = ngx_envelope_json_string(scan, p, &plain);
        break;

    case 't':
        type = NGX_ENVELOPE_JSON_BOOLEAN;
        p = ngx_envelope_json_word(scan, p, "true", 4);
        break;

    case 'f':
        type = NGX_ENVELOPE_JSON_BOOLEAN;
        p = ngx_envelope_json_word(scan, p, "false", 5);
        break;

    case 'n':
        type = NGX_ENVELOPE_JSON_NULL;
        p = ngx_envelope_json_word(scan, p, "null", 4);
        break;

    default:
        type = NGX_ENVELOPE_JSON_NUMBER;
        p = ngx_envelope_json_number(scan, p);
    }

    if (p == NULL || scan->level > scan->depth) {
        return p;
    }

    scan->rc = ngx_envelope_json_value(scan, type, from, p);

    if (scan->rc != NGX_OK) {
        return NULL;
    }

    if (plain) {
        scan->node->string.data = from + 1;
        scan->node->string.len = p - from - 2;
    }

    return p;
}


/* with the colon behind it */

static u_char *
ngx_envelope_json_name(ngx_envelope_json_scan_t *scan, u_char *p)
{
    u_char      *from;
    ngx_uint_t   plain;

    if (*p != '"') {
        return ngx_envelope_json_malformed(scan, p);
    }

    from = p;

    p = ngx_envelope_json_string(scan, p, &plain);
    if (p == NULL) {
        return NULL;
    }

    if (scan->level <= scan->depth) {
        scan->name_from = from;
        scan->name_to = p;
        scan->name_plain = plain;
    }

    p = ngx_envelope_json_skip(p, scan->end);

    if (p == scan->end || *p != ':') {
        return ngx_envelope_json_malformed(scan, p);
    }

    return p + 1;
}


static u_char *
ngx_envelope_json_start(ngx_envelope_json_scan_t *scan, u_char *p)
{
    ngx_envelope_json_type_e  type;

    if (scan->level == NGX_ENVELOPE_JSON_DEPTH_MAX) {
        scan->rc = ngx_envelope_declined(scan->reason,
                           "JSON is nested deeper than %d levels at byte %uz",
                           NGX_ENVELOPE_JSON_DEPTH_MAX,
                           (size_t) (p - scan->start));
        return NULL;
    }

    if (scan->level <= scan->depth) {
        type = (*p == '{') ? NGX_ENVELOPE_JSON_OBJECT
                           : NGX_ENVELOPE_JSON_ARRAY;

        scan->rc = ngx_envelope_json_value(scan, type, p, p + 1);
        if (scan->rc != NGX_OK) {
            return NULL;
        }

        scan->open = scan->node;
        scan->open->scanned = (scan->level < scan->depth);
    }

    scan->close[scan->level++] = (*p == '{') ? '}' : ']';

    if (scan->level == scan->depth + 1) {
        scan->rest = p;
    }

    return p + 1;
}


static u_char *
ngx_envelope_json_end(ngx_envelope_json_scan_t *scan, u_char *p)
{
    ngx_envelope_node_t  *node;

    if (*p != scan->close[scan->level - 1]) {
        return ngx_envelope_json_malformed(scan, p);
    }

    p++;
    scan->level--;

    if (scan->level <= scan->depth) {
        node = scan->open;

        node->to = p;
        node->text.len = p - node->from;

        scan->open = node->parent;
    }

    return p;
}


static u_char *
ngx_envelope_json_long(ngx_envelope_json_scan_t *scan, u_char *p)
{
    u_char  *limit;

    limit = (scan->wide && scan->end - p > NGX_ENVELOPE_JSON_LONG)
            ? p + NGX_ENVELOPE_JSON_LONG : scan->end;

    for ( ;; ) {

        if (p < limit) {
            p = ngx_envelope_json_skim(p, limit);
        }

        if (p >= limit && limit < scan->end) {
            p = ngx_envelope_json_wide_skim(p, scan->end);

            if (p == NULL) {
                return ngx_envelope_json_not_utf8(scan);
            }
        }

        if (p < scan->end && *p == '"') {
            return p + 1;
        }

        p = ngx_envelope_json_special(scan, p);
        if (p == NULL) {
            return NULL;
        }
    }
}


/* an escape, or what is not ASCII */

static u_char *
ngx_envelope_json_special(ngx_envelope_json_scan_t *scan, u_char *p)
{
    size_t   n;
    u_char  *wrong;

    if (p == scan->end || *p < ' ') {
        return ngx_envelope_json_malformed(scan, p);
    }

    if (*p != '\\') {
        n = ngx_envelope_utf8_sequence(p, scan->end - p);

        return n ? p + n : ngx_envelope_json_not_utf8(scan);
    }

    p = ngx_envelope_json_escape_end(p + 1, scan->end, &wrong);

    return p ? p : ngx_envelope_json_malformed(scan, wrong);
}


static u_char *
ngx_envelope_json_number(ngx_envelope_json_scan_t *scan, u_char *p)
{
    u_char  *wrong;

    p = ngx_envelope_json_number_end(p, scan->end, &wrong);

    return p ? p : ngx_envelope_json_malformed(scan, wrong);
}


static u_char *
ngx_envelope_json_word(ngx_envelope_json_scan_t *scan, u_char *p,
    const char *word, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (p + i == scan->end || p[i] != (u_char) word[i]) {
            return ngx_envelope_json_malformed(scan, p + i);
        }
    }

    return p + len;
}


static ngx_int_t
ngx_envelope_json_value(ngx_envelope_json_scan_t *scan,
    ngx_envelope_json_type_e type, u_char *from, u_char *to)
{
    ngx_envelope_node_t  *node, *parent;

    parent = scan->open;

    node = ngx_palloc(scan->pool, sizeof(ngx_envelope_node_t));
    if (node == NULL) {
        return ngx_envelope_failed(scan->reason, "out of memory");
    }

    /* each of its own: that takes less than to clear it as a whole */

    node->name_from = scan->name_from;
    node->from = from;
    node->to = to;
    node->text.data = from;
    node->text.len = to - from;
    node->parent = parent;
    node->child = NULL;
    node->last = NULL;
    node->next = NULL;
    ngx_str_null(&node->string);
    node->type = type;
    node->removed = 0;
    node->changed = 0;
    node->scanned = 0;

    if (scan->name_from == NULL) {
        ngx_str_null(&node->name);

    } else if (ngx_envelope_json_named(scan, &node->name) != NGX_OK) {
        return scan->rc;
    }

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


/* the decoded name of the value at hand */

static ngx_int_t
ngx_envelope_json_named(ngx_envelope_json_scan_t *scan, ngx_str_t *name)
{
    ngx_str_t  text;

    text.data = scan->name_from;
    text.len = scan->name_to - scan->name_from;

    scan->name_from = NULL;

    if (scan->name_plain) {
        name->data = text.data + 1;
        name->len = text.len - 2;
        return NGX_OK;
    }

    scan->rc = ngx_envelope_json_decode_name(scan->pool, &text, name,
                                             scan->reason);
    return scan->rc;
}


/* these two always return NULL */

static u_char *
ngx_envelope_json_not_utf8(ngx_envelope_json_scan_t *scan)
{
    scan->rc = ngx_envelope_declined(scan->reason, "JSON is not UTF-8");

    return NULL;
}


static u_char *
ngx_envelope_json_malformed(ngx_envelope_json_scan_t *scan, u_char *p)
{
    if (p == scan->end) {
        scan->rc = ngx_envelope_declined(scan->reason,
                                     "JSON ends too early, after %uz bytes",
                                     (size_t) (p - scan->start));

    } else {
        scan->rc = ngx_envelope_declined(scan->reason,
                                     "JSON is malformed near byte %uz",
                                     (size_t) (p - scan->start));
    }

    return NULL;
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
                && (node->name.data[0] != name->data[0]
                    || ngx_memcmp(node->name.data, name->data, name->len)
                       != 0)))
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
