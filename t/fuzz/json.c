
/*
 * JSON: the scan takes what an independent reading of RFC 8259 takes, and the
 * nodes are what stands there; strings; edits.
 *
 * The input is a JSON text and, behind a byte 0xff, edits of it: three bytes
 * say of which value, of what kind, and with what.
 */


#include "naive.h"

#include "ngx_envelope_splice.h"
#include "ngx_envelope_json_wide.h"


FUZZ_MUTATIONS(12000);


#define FUZZ_EDITS  16

/* elements behind the text at hand, so that it is not the end */
#define FUZZ_TRAIL  (NGX_ENVELOPE_JSON_LONG / 8 + 1)


static ngx_str_t  fuzz_values[] = {
    ngx_string("null"),
    ngx_string(" 1 "),
    ngx_string("\"\""),
    ngx_string("\"caf\xc3\xa9 \\\" \\\\\""),
    ngx_string("{}"),
    ngx_string(" { } "),
    ngx_string("[1,{\"a\":2}]"),
    ngx_string("{\"a\":{\"b\":[]},\"c\":\"d\"}")
};

static ngx_str_t  fuzz_names[] = {
    ngx_string(""),
    ngx_string("a"),
    ngx_string("\"\\\n\x01"),
    ngx_string("caf\xc3\xa9")
};


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    fuzz_start();

    return 0;
}


static void
fuzz_string(naive_t *v, ngx_str_t *text)
{
    ngx_int_t  rc;
    ngx_str_t  value, again;

    rc = ngx_envelope_json_decode(pool, text, &value, &reason);

    check(rc == (v->lone ? NGX_DECLINED : NGX_OK));

    if (rc == NGX_OK) {
        check(fuzz_same(&value, &v->value));

        check(ngx_envelope_json_encode(pool, &value, &again, &reason)
              == NGX_OK);
        check(ngx_envelope_json_decode(pool, &again, &again, &reason)
              == NGX_OK);
        check(fuzz_same(&value, &again));
    }

    check(ngx_envelope_json_decode_name(pool, text, &again, &reason)
          == NGX_OK);
    check(fuzz_same(&again, &v->value));
}


/* the nodes down to the depth that was asked for, and none below it */

static void
fuzz_nodes(ngx_envelope_node_t *node, naive_t *v, ngx_uint_t depth)
{
    ngx_str_t             text, raw;
    ngx_envelope_node_t  *child;

    raw = naive_raw(v);

    check(node->type == v->type);
    check(node->from == v->from && node->to == v->to);
    check(fuzz_same(&node->text, &raw));
    check(ngx_envelope_json_text(pool, node, &text) == NGX_OK);
    check(text.data == node->text.data && text.len == node->text.len);
    check(ngx_envelope_json_is_number(&text)
          == (v->type == NGX_ENVELOPE_JSON_NUMBER));

    if (v->type == NGX_ENVELOPE_JSON_STRING) {
        fuzz_string(v, &text);
    }

    if (depth == 0) {
        check(node->child == NULL);
        return;
    }

    v = v->child;

    for (child = node->child; child; child = child->next, v = v->next) {
        check(v != NULL && child->parent == node);
        check(fuzz_same(&child->name, &v->name));
        fuzz_nodes(child, v, depth - 1);
    }

    check(v == NULL);
}


static void
fuzz_scan(ngx_str_t *text, const ngx_uint_t *depths, size_t n)
{
    size_t                i;
    naive_t              *v;
    ngx_int_t             rc;
    ngx_envelope_node_t  *root;

    v = naive_json(text);

    for (i = 0; i < n; i++) {
        rc = ngx_envelope_json_scan(pool, text, depths[i], &root, &reason);

        check(rc == (v ? NGX_OK : NGX_DECLINED));

        if (rc == NGX_OK) {
            fuzz_nodes(root, v, depths[i]);
        }
    }
}


/*
 * The same in a text that is gone through 64 bytes at a time: as an element
 * of a long array ("quote" is empty), or as the end of a long string.
 */

static void
fuzz_long(ngx_str_t *text, const char *quote)
{
    u_char     *p;
    size_t      i, lead;
    ngx_str_t   whole;

    static const ngx_uint_t  depths[] = { 0, 2 };

    lead = NGX_ENVELOPE_JSON_LONG + text->len % 61;

    whole.data = ngx_pnalloc(pool, lead + text->len + FUZZ_TRAIL * 8 + 8);
    check(whole.data != NULL);

    p = ngx_cpymem(whole.data, "[\"", 2);
    memset(p, 'x', lead);
    p += lead;

    if (*quote == '\0') {
        p = ngx_cpymem(p, "\",", 2);
    }

    p = ngx_cpymem(p, text->data, text->len);
    p = ngx_cpymem(p, quote, strlen(quote));

    for (i = 0; i < FUZZ_TRAIL; i++) {
        p = ngx_cpymem(p, ",{\"a\":1}", 8);
    }

    *p++ = ']';
    whole.len = p - whole.data;

    fuzz_scan(&whole, depths, 2);
}


/* the value of that number, counted from the root in order of the text */

static ngx_envelope_node_t *
fuzz_node(ngx_envelope_node_t *node, size_t *n)
{
    ngx_envelope_node_t  *child, *found;

    if ((*n)-- == 0) {
        return node;
    }

    for (child = node->child; child; child = child->next) {

        if (child->removed) {
            continue;
        }

        found = fuzz_node(child, n);
        if (found) {
            return found;
        }
    }

    return NULL;
}


static ngx_envelope_node_t *
fuzz_add(ngx_envelope_node_t *object, ngx_str_t *text)
{
    ngx_envelope_json_name_t  *name;

    name = ngx_palloc(pool, sizeof(ngx_envelope_json_name_t));

    check(name != NULL);
    check(ngx_envelope_json_name(pool, text, name, &reason) == NGX_OK);
    check(fuzz_same(&name->text, text));

    return ngx_envelope_json_add(pool, object, name);
}


static void
fuzz_edit(fuzz_input_t *in, ngx_envelope_node_t *root)
{
    size_t                     n;
    u_char                     what;
    ngx_str_t                 *text, *name;
    ngx_envelope_node_t       *node, *sub, *member;

    n = fuzz_byte(in);
    node = fuzz_node(root, &n);

    what = fuzz_byte(in);
    text = &fuzz_values[fuzz_byte(in) % 8];
    name = &fuzz_names[what >> 2 & 3];

    if (node == NULL) {
        return;
    }

    check(ngx_envelope_json_scan(pool, text, NGX_ENVELOPE_JSON_DEPTH_MAX,
                                 &sub, &reason)
          == NGX_OK);

    switch (what & 3) {

    case 0:
        ngx_envelope_json_remove(node);
        break;

    case 1:
        if (ngx_envelope_json_member(node, name, &member) == 0) {
            member = fuzz_add(node, name);
            check((member != NULL)
                  == (node->type == NGX_ENVELOPE_JSON_OBJECT));

            /* so that edits go on below it */

            if (member) {
                ngx_envelope_json_replace(member, text, sub->type, sub);
            }
        }

        break;

    default:
        ngx_envelope_json_replace(node, text, sub->type, sub);
        break;
    }
}


/* what the tree says against what its text does */

static void
fuzz_compare(ngx_envelope_node_t *node, naive_t *v)
{
    naive_t              *member;
    ngx_str_t             raw, text;
    ngx_envelope_node_t  *child;

    check(node->type == v->type);

    raw = naive_raw(v);

    if (node->child == NULL) {

        /* a whole value, maybe put in with white space around it */

        check(ngx_envelope_json_equal(&node->text, &raw));
        return;
    }

    check(ngx_envelope_json_text(pool, node, &text) == NGX_OK);
    check(ngx_envelope_json_equal(&text, &raw));

    member = v->child;

    for (child = node->child; child; child = child->next) {

        if (child->removed) {
            continue;
        }

        check(member != NULL);
        check(fuzz_same(&child->name, &member->name));
        fuzz_compare(child, member);

        member = member->next;
    }

    check(member == NULL);
}


static void
fuzz_splice(ngx_str_t *text, fuzz_input_t *in)
{
    naive_t              *v;
    ngx_str_t             out, again, a, b;
    ngx_uint_t            i;
    ngx_envelope_node_t  *root, *node;

    static ngx_str_t  name = ngx_string("not there yet");

    if (ngx_envelope_json_scan(pool, text, NGX_ENVELOPE_JSON_DEPTH_MAX, &root,
                               &reason)
        != NGX_OK)
    {
        return;
    }

    for (i = 0; i < FUZZ_EDITS && in->p < in->end; i++) {
        fuzz_edit(in, root);
    }

    check(ngx_envelope_json_text(pool, root, &out) == NGX_OK);

    v = naive_json(&out);
    check(v != NULL);
    fuzz_compare(root, v);

    /* added and removed again: as before */

    node = fuzz_add(root, &name);

    if (node == NULL) {
        check(root->type != NGX_ENVELOPE_JSON_OBJECT);
        return;
    }

    check(ngx_envelope_json_text(pool, root, &again) == NGX_OK);
    v = naive_json(&again);
    check(v != NULL && naive_get(v, (char *) name.data) != NULL);

    ngx_envelope_json_remove(node);

    check(ngx_envelope_json_text(pool, root, &again) == NGX_OK);

    a = again;
    b = out;
    check(fuzz_same(&a, &b));
}


/* without the white space between tokens */

static ngx_str_t
fuzz_minified(ngx_str_t *text)
{
    size_t      i;
    ngx_str_t   v;
    ngx_uint_t  quoted;

    v.data = ngx_pnalloc(pool, text->len);
    v.len = 0;
    quoted = 0;

    for (i = 0; i < text->len; i++) {

        if (!quoted && memchr(" \t\r\n", text->data[i], 4)) {
            continue;
        }

        v.data[v.len++] = text->data[i];

        if (text->data[i] == '"') {
            quoted = !quoted;

        } else if (quoted && text->data[i] == '\\' && i + 1 < text->len) {
            v.data[v.len++] = text->data[++i];
        }
    }

    return v;
}


static void
fuzz_equal(ngx_str_t *a, ngx_str_t *b)
{
    ngx_str_t  x, y;

    if (naive_json(a) == NULL || naive_json(b) == NULL) {
        return;
    }

    x = fuzz_minified(a);
    y = fuzz_minified(b);

    check(ngx_envelope_json_equal(a, b) == fuzz_same(&x, &y));
    check(ngx_envelope_json_equal(a, b) == ngx_envelope_json_equal(b, a));
    check(ngx_envelope_json_equal(a, &x) && ngx_envelope_json_equal(&x, a));
}


static void
fuzz_one(fuzz_input_t *in)
{
    ngx_str_t      text, rest;
    naive_text_t   t;
    fuzz_input_t   second;

    static const ngx_uint_t  depths[] = {
        0, 1, 3, NGX_ENVELOPE_JSON_DEPTH_MAX
    };

    text = fuzz_until(in, 0xff);
    second = *in;
    rest = fuzz_rest(&second);

    fuzz_scan(&text, depths, sizeof(depths) / sizeof(depths[0]));
    fuzz_long(&text, "");
    fuzz_long(&text, "\"");
    fuzz_splice(&text, in);
    fuzz_equal(&text, &rest);

    t.p = text.data;
    t.end = text.data + text.len;

    check(ngx_envelope_json_is_number(&text)
          == (naive_number(&t) && t.p == t.end));

    /* whatever it is, no more is read of it than there is */

    (void) ngx_envelope_json_equal(&text, &rest);

    if (ngx_envelope_json_decode_name(pool, &text, &rest, &reason)
        == NGX_DECLINED)
    {
        check(reason.len);
    }
}


FUZZ_TARGET(fuzz_one)
