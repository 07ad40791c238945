
/* Edits: what is not edited stays, byte by byte. */


#include "shim.h"
#include "tap.h"
#include "rnd.h"
#include "ngx_envelope_splice.h"


#define MAX_CHILDREN  12


static ngx_envelope_reason_t   reason;
static ngx_pool_t             *pool;


static ngx_str_t
str(const char *s)
{
    ngx_str_t  v;

    v.len = strlen(s);
    v.data = ngx_pnalloc(pool, v.len ? v.len : 1);

    if (v.len) {
        memcpy(v.data, s, v.len);
    }

    return v;
}


static void
fresh(void)
{
    if (pool) {
        ngx_destroy_pool(pool);
    }

    shim_reset();
    pool = ngx_create_pool(4096, &shim_log);
}


static ngx_envelope_node_t *
scan(const char *s, ngx_uint_t depth)
{
    ngx_str_t             text;
    ngx_envelope_node_t  *root;

    text = str(s);

    if (ngx_envelope_json_scan(pool, &text, depth, &root, &reason) != NGX_OK) {
        return NULL;
    }

    return root;
}


static ngx_envelope_node_t *
member(ngx_envelope_node_t *object, const char *name)
{
    ngx_str_t             s;
    ngx_envelope_node_t  *m;

    s = str(name);

    return ngx_envelope_json_member(object, &s, &m) == 1 ? m : NULL;
}


static ngx_envelope_node_t *
add_str(ngx_envelope_node_t *object, ngx_str_t *name, ngx_str_t *value,
    ngx_envelope_json_type_e type)
{
    ngx_envelope_node_t       *node;
    ngx_envelope_json_name_t  *n;

    n = ngx_palloc(pool, sizeof(ngx_envelope_json_name_t));

    if (n == NULL || ngx_envelope_json_name(pool, name, n, &reason) != NGX_OK)
    {
        return NULL;
    }

    node = ngx_envelope_json_add(pool, object, n);

    if (node) {
        ngx_envelope_json_replace(node, value, type, NULL);
    }

    return node;
}


static ngx_envelope_node_t *
add(ngx_envelope_node_t *object, const char *name, const char *value,
    ngx_envelope_json_type_e type)
{
    ngx_str_t  n, v;

    n = str(name);
    v = str(value);

    return add_str(object, &n, &v, type);
}


static ngx_str_t
text_of(ngx_envelope_node_t *node)
{
    ngx_str_t  text = ngx_null_string;

    (void) ngx_envelope_json_text(pool, node, &text);

    return text;
}


/*
 * One line: a text, edits, what it becomes.  Edits are "-name", "+name=text"
 * and "name=text", apart by a space.
 */

static void
edit(const char *before, const char *edits, const char *after)
{
    char                  *copy, *word, *value, *save;
    ngx_str_t              v;
    ngx_envelope_node_t   *root;

    fresh();

    root = scan(before, 1);
    copy = strdup(edits);

    for (word = strtok_r(copy, " ", &save); word;
         word = strtok_r(NULL, " ", &save))
    {
        value = strchr(word, '=');
        if (value) {
            *value++ = '\0';
        }

        if (*word == '-') {
            ngx_envelope_json_remove(member(root, word + 1));

        } else if (*word == '+') {
            (void) add(root, word + 1, value, NGX_ENVELOPE_JSON_NUMBER);

        } else {
            v = str(value);
            ngx_envelope_json_replace(member(root, word), &v,
                                      NGX_ENVELOPE_JSON_NUMBER, NULL);
        }
    }

    is_str(text_of(root), after, "%s after %s", before, edits);
    is_str(text_of(root), after, "and once more");
    free(copy);
}


static void
test_edits(void)
{
    edit("{\"a\":1}", "", "{\"a\":1}");
    edit(" {\"a\":1} ", "", "{\"a\":1}");

    /* adding */

    edit("{}", "+a=1", "{\"a\":1}");
    edit("{ }", "+a=1", "{\"a\":1 }");
    edit("{ }", "+a=1 +b=2", "{\"a\":1,\"b\":2 }");
    edit("{\n  \"a\" : 1\n}", "+b=2", "{\n  \"a\" : 1,\"b\":2\n}");
    edit("{\"a\":1}", "+\"\\=1", "{\"a\":1,\"\\\"\\\\\":1}");

    /* removing */

    edit("{\"a\":1, \"b\":2 ,  \"c\":3 }", "-a", "{\"b\":2 ,  \"c\":3 }");
    edit("{ \"a\":1, \"b\":2 ,  \"c\":3 }", "-b", "{ \"a\":1, \"c\":3 }");
    edit("{ \"a\":1, \"b\":2 ,  \"c\":3 }", "-c", "{ \"a\":1, \"b\":2 }");
    edit("{ \"a\":1, \"b\":2 ,  \"c\":3 }", "-a -b", "{ \"c\":3 }");
    edit("{ \"a\":1, \"b\":2 ,  \"c\":3 }", "-b -c", "{ \"a\":1 }");
    edit("{ \"a\":1, \"b\":2 ,  \"c\":3 }", "-c -b", "{ \"a\":1 }");
    edit("{ \"a\":1, \"b\":2 ,  \"c\":3 }", "-a -c", "{ \"b\":2 }");
    edit("{ \"a\":1, \"b\":2 ,  \"c\":3 }", "-c -b -a", "{  }");
    edit("{\"a\":1}", "-a", "{}");

    /* both */

    edit("{ \"a\":1\n}", "-a +a=2", "{ \"a\":2\n}");
    edit("{ \"a\":1\n}", "+b=2 -a", "{ \"b\":2\n}");
    edit("{ \"a\":1\n}", "+b=2 -b", "{ \"a\":1\n}");
    edit("{ \"a\":1\n}", "+b=2 +c=3 -b", "{ \"a\":1,\"c\":3\n}");
    edit("{ \"a\":1, \"b\":2 }", "+c=3 -b", "{ \"a\":1,\"c\":3 }");
    edit("{ }", "+a=1 -a", "{ }");
    edit("{ }", "+a=1 -a +a=2 -a +a=3", "{\"a\":3 }");

    /* replacing */

    edit("{ \"a\" : 1 , \"b\" : 2 }", "b=777", "{ \"a\" : 1 , \"b\" : 777 }");
    edit("{ \"a\" : 1 , \"b\" : 2 }", "b=777 -a", "{ \"b\" : 777 }");
    edit("{ \"a\" : 1 }", "a=2 a=3", "{ \"a\" : 3 }");
    edit("{ }", "+a=1 a=22", "{\"a\":22 }");
    edit("{ \"a\" : 1 }", "a=2 -a", "{  }");
    edit("{\"d\\u0061ta\" : 1 }", "data=\t2\n", "{\"d\\u0061ta\" : \t2\n }");
}


static void
test_nested(void)
{
    ngx_str_t             v, before;
    ngx_envelope_node_t  *root, *sub, *node;

    fresh();

    root = scan("{\"a\": {\"x\" :1}, \"l\": [ {\"p\":\"q\"} , 5, {} ]}", 3);
    before = root->text;

    (void) add(member(root, "a"), "y", "2", NGX_ENVELOPE_JSON_NUMBER);
    ok(root->changed && root->child->changed, "changed above");
    ok(!member(root, "l")->changed, "not beside");
    is_str(text_of(root), "{\"a\": {\"x\" :1,\"y\":2}, "
           "\"l\": [ {\"p\":\"q\"} , 5, {} ]}", "an object in an object");

    node = member(root, "l")->child;
    ngx_envelope_json_remove(node);
    ok(!node->removed, "an element is not removed");
    ngx_envelope_json_remove(root);
    ok(!root->removed, "nor is the root");

    ngx_envelope_json_remove(member(node, "p"));
    v = str("[6]");
    ngx_envelope_json_replace(node->next, &v, NGX_ENVELOPE_JSON_ARRAY, NULL);
    (void) add(node->next->next, "z", "{}", NGX_ENVELOPE_JSON_OBJECT);
    is_str(text_of(root), "{\"a\": {\"x\" :1,\"y\":2}, "
           "\"l\": [ {} , [6], {\"z\":{}} ]}", "elements");
    is_str(text_of(member(root, "l")), "[ {} , [6], {\"z\":{}} ]",
           "the text of one value");
    is_str(before, "{\"a\": {\"x\" :1}, \"l\": [ {\"p\":\"q\"} , 5, {} ]}",
           "the text scanned stays");

    /* a value whose text is scanned in its turn */

    v = str(" {\"in\": 1 ,\"out\" :2} ");
    (void) ngx_envelope_json_scan(pool, &v, 1, &sub, &reason);
    ngx_envelope_json_replace(member(root, "a"), &v, NGX_ENVELOPE_JSON_OBJECT,
                              sub);
    ok(member(root, "a")->child->parent == member(root, "a"), "new parent");
    is_str(text_of(root), "{\"a\":  {\"in\": 1 ,\"out\" :2} , "
           "\"l\": [ {} , [6], {\"z\":{}} ]}", "a scanned text");

    ngx_envelope_json_remove(member(member(root, "a"), "in"));
    ngx_envelope_json_remove(member(root, "l"));
    is_str(text_of(root), "{\"a\":  {\"out\" :2} }", "and edited below");

    /* edited before it is put in */

    v = str("[{\"x\":1, \"y\":2}]");
    (void) ngx_envelope_json_scan(pool, &v, 2, &sub, &reason);
    ngx_envelope_json_remove(member(sub->child, "x"));
    ngx_envelope_json_replace(member(root, "a"), &v, NGX_ENVELOPE_JSON_ARRAY,
                              sub);
    is_str(text_of(root), "{\"a\": [{\"y\":2}]}", "an edited text");

    v = str("null");
    ngx_envelope_json_replace(member(root, "a"), &v, NGX_ENVELOPE_JSON_NULL,
                              NULL);
    is_str(text_of(root), "{\"a\": null}", "and gone again");

    /* added objects take members */

    v = str("{ }");
    ngx_envelope_json_replace(root, &v, NGX_ENVELOPE_JSON_OBJECT, NULL);
    node = add(root, "a", "{}", NGX_ENVELOPE_JSON_OBJECT);
    ok(node && node->scanned, "an added {} is scanned");
    node = add(node, "b", " {\n}", NGX_ENVELOPE_JSON_OBJECT);
    (void) add(node, "c", "1", NGX_ENVELOPE_JSON_NUMBER);
    is_str(text_of(root), "{\"a\":{\"b\": {\"c\":1\n}} }", "levels added");
    is_str(text_of(node), " {\"c\":1\n}", "one of them");

    node = add(root, "o", "{\"x\":1}", NGX_ENVELOPE_JSON_OBJECT);
    ok(!node->scanned, "an added object with members is not");
    ok(add(node, "y", "1", NGX_ENVELOPE_JSON_NUMBER) == NULL,
       "and takes none");
    ok(add(member(root, "o"), "y", "1", NGX_ENVELOPE_JSON_NUMBER) == NULL,
       "nor does it later");
    ok(add(root, "\xff", "1", NGX_ENVELOPE_JSON_NUMBER) == NULL,
       "a name is UTF-8");
    is_str(text_of(root), "{\"a\":{\"b\": {\"c\":1\n}},\"o\":{\"x\":1} }",
           "nothing was left of them");

    root = scan("[{}]", 1);
    ok(add(root, "a", "1", NGX_ENVELOPE_JSON_NUMBER) == NULL,
       "an array takes no member");
    ok(add(root->child, "a", "1", NGX_ENVELOPE_JSON_NUMBER) == NULL,
       "nor does an object without nodes");

    v = str(" 7 ");
    ngx_envelope_json_replace(root, &v, NGX_ENVELOPE_JSON_NUMBER, NULL);
    is_str(text_of(root), " 7 ", "the root replaced");
}


/*
 * The model: a container is its lead, its children with what is written
 * before the value and what follows it, and its tail.  Taking a child out of
 * the array takes the gap behind it along; the last one's gap is not written.
 */

typedef struct model_s  model_t;

struct model_s {
    char                  type;       /* { [ or 0 */
    char                  text[64];   /* of a scalar */
    char                  lead[8];
    char                  tail[8];
    int                   n;
    int                   originals;
    struct {
        char                  before[48];
        model_t              *value;
        char                  gap[8];
        ngx_envelope_node_t  *node;
    } c[MAX_CHILDREN];
};


static char *
white(char *p)
{
    int  n;

    for (n = rnd(2) ? 0 : (int) rnd(3); n; n--) {
        *p++ = " \n\t\r"[rnd(4)];
    }

    *p = '\0';

    return p;
}


static model_t *
make(int level)
{
    int       i;
    char     *p;
    model_t  *m;

    static int          serial;
    static const char  *scalars[] = {
        "1", "-2.50", "\"a,b\"", "\"}\"", "null", "\"\\\"\"", "true", "\"\""
    };

    m = ngx_pcalloc(pool, sizeof(model_t));

    if (level && (level == 4 || rnd(2))) {
        strcpy(m->text, scalars[rnd(8)]);
        return m;
    }

    m->type = (level == 0 || rnd(3)) ? '{' : '[';
    m->lead[0] = m->type;
    p = m->lead + 1;
    m->n = rnd(5);
    m->originals = m->n;

    if (m->n) {
        (void) white(p);
    }

    p = white(m->tail);
    *p++ = (m->type == '{') ? '}' : ']';
    *p = '\0';

    for (i = 0; i < m->n; i++) {
        if (m->type == '{') {
            p = m->c[i].before;
            p += sprintf(p, "\"%s%d\"", rnd(2) ? "k" : "\\u006b", serial++);
            p = white(p);
            *p++ = ':';
            (void) white(p);
        }

        m->c[i].value = make(level + 1);
        p = white(m->c[i].gap);
        *p++ = ',';
        (void) white(p);
    }

    return m;
}


static char *
render(model_t *m, char *p)
{
    int  i;

    if (m->type == 0) {
        return p + sprintf(p, "%s", m->text);
    }

    p += sprintf(p, "%s", m->lead);

    for (i = 0; i < m->n; i++) {

        /* an added one brings a bare comma, whatever stood before it */

        if (i) {
            p += sprintf(p, "%s", (i < m->originals) ? m->c[i - 1].gap : ",");
        }

        p += sprintf(p, "%s", m->c[i].before);
        p = render(m->c[i].value, p);
    }

    return p + sprintf(p, "%s", m->tail);
}


static int
attach(model_t *m, ngx_envelope_node_t *node)
{
    int                   i;
    ngx_envelope_node_t  *child;

    if (m->type == 0) {
        return 1;
    }

    child = node->child;

    for (i = 0; i < m->n; i++, child = child->next) {
        if (child == NULL) {
            return 0;
        }

        m->c[i].node = child;

        if (!attach(m->c[i].value, child)) {
            return 0;
        }
    }

    return child == NULL;
}


static void
model_remove(model_t *m, int i)
{
    ngx_envelope_json_remove(m->c[i].node);

    if (i < m->originals) {
        m->originals--;
    }

    m->n--;
    memmove(&m->c[i], &m->c[i + 1], (m->n - i) * sizeof(m->c[0]));
}


static void
model_add(model_t *m, ngx_envelope_node_t *node)
{
    char        name[16];
    model_t    *value;
    ngx_str_t   n, v;

    static int  serial;

    value = ngx_pcalloc(pool, sizeof(model_t));

    if (rnd(3) == 0) {
        value->type = '{';
        strcpy(value->lead, "{");
        strcpy(value->tail, rnd(2) ? "}" : " }");
        v = str(value->tail[0] == ' ' ? "{ }" : "{}");

    } else {
        strcpy(value->text, "[9, 9]");
        v = str(value->text);
    }

    (void) sprintf(name, "new%d", serial++);
    (void) sprintf(m->c[m->n].before, "\"%s\":", name);
    n = str(name);

    m->c[m->n].value = value;
    m->c[m->n].node = add_str(node, &n, &v,
                              value->type ? NGX_ENVELOPE_JSON_OBJECT
                                          : NGX_ENVELOPE_JSON_ARRAY);
    m->n++;
}


static void
model_replace(model_t *m, int i)
{
    char                  buf[8192];
    model_t              *value;
    ngx_str_t             v;
    ngx_envelope_node_t  *sub;

    if (rnd(2)) {
        value = ngx_pcalloc(pool, sizeof(model_t));
        strcpy(value->text, " \"new\"\n");
        v = str(value->text);
        ngx_envelope_json_replace(m->c[i].node, &v, NGX_ENVELOPE_JSON_STRING,
                                  NULL);

    } else {
        do {
            value = make(1);
        } while (value->type == 0);

        /* white space around what is scanned belongs to the value */

        memmove(value->lead + 1, value->lead, strlen(value->lead) + 1);
        value->lead[0] = ' ';
        strcat(value->tail, "\n");

        (void) render(value, buf);
        v = str(buf);
        (void) ngx_envelope_json_scan(pool, &v, 9, &sub, &reason);
        ngx_envelope_json_replace(m->c[i].node, &v, sub->type, sub);
        (void) attach(value, m->c[i].node);
    }

    m->c[i].value = value;
}


/* one edit somewhere in the tree */

static void
model_edit(model_t *m, ngx_envelope_node_t *node)
{
    int  i;

    for ( ;; ) {
        i = m->n ? (int) rnd(m->n) : -1;

        if (i >= 0 && rnd(3) && m->c[i].value->type) {
            node = m->c[i].node;
            m = m->c[i].value;
            continue;
        }

        break;
    }

    switch (rnd(3)) {

    case 0:
        if (i >= 0 && m->type == '{') {
            model_remove(m, i);
        }
        return;

    case 1:
        if (m->type == '{' && m->n < MAX_CHILDREN) {
            model_add(m, node);
        }
        return;

    default:
        if (i >= 0) {
            model_replace(m, i);
        }
    }
}


static void
test_random(void)
{
    int                   k, n;
    char                  expected[65536];
    model_t              *m;
    ngx_str_t             text;
    ngx_uint_t            round, wrong, edits;
    ngx_envelope_node_t  *root, *again;

    wrong = 0;
    edits = 0;

    for (round = 0; round < 5000; round++) {
        fresh();

        m = make(0);
        (void) render(m, expected);

        root = scan(expected, 9);

        if (root == NULL || !attach(m, root)) {
            fail("the model is not JSON: %s", expected);
            return;
        }

        n = rnd(12);

        for (k = 0; k <= n; k++) {
            model_edit(m, root);
            edits++;

            *render(m, expected) = '\0';

            if (ngx_envelope_json_text(pool, root, &text) != NGX_OK
                || text.len != strlen(expected)
                || memcmp(text.data, expected, text.len) != 0
                || ngx_envelope_json_scan(pool, &text, 1, &again, &reason)
                   != NGX_OK)
            {
                if (wrong++ == 0) {
                    is_str(text, expected, "a random edit");
                }

                break;
            }
        }
    }

    is_int(wrong, 0, "%d random edits", (int) edits);
}


/* every object of a random text: add and remove, in either order of two */

static void
undo(ngx_envelope_node_t *node, ngx_envelope_node_t *root, ngx_str_t *before,
    ngx_uint_t *wrong)
{
    ngx_str_t             after;
    ngx_envelope_node_t  *a, *b, *child, *last;

    last = node->last;

    if (node->type == NGX_ENVELOPE_JSON_OBJECT) {
        a = add(node, "one", "1", NGX_ENVELOPE_JSON_NUMBER);
        b = add(node, "two", "{}", NGX_ENVELOPE_JSON_OBJECT);
        (void) add(b, "three", "3", NGX_ENVELOPE_JSON_NUMBER);

        after = text_of(root);
        *wrong += (after.len <= before->len);

        ngx_envelope_json_remove(rnd(2) ? a : b);
        ngx_envelope_json_remove(a);
        ngx_envelope_json_remove(b);

        after = text_of(root);
        *wrong += (after.len != before->len
                   || memcmp(after.data, before->data, after.len) != 0);
    }

    for (child = node->child; child && last; child = child->next) {
        undo(child, root, before, wrong);

        if (child == last) {
            break;
        }
    }
}


static void
test_undo(void)
{
    char                  text[65536];
    ngx_str_t             before;
    ngx_uint_t            round, wrong;
    ngx_envelope_node_t  *root;

    wrong = 0;

    for (round = 0; round < 1000; round++) {
        fresh();
        (void) render(make(0), text);
        root = scan(text, 9);
        before = str(text);
        undo(root, root, &before, &wrong);
    }

    is_int(wrong, 0, "adding and removing gives the bytes from before");
}


static void
test_wide(void)
{
    char                  name[16];
    u_char               *text, *p;
    ngx_str_t             v;
    ngx_uint_t            i;
    ngx_envelope_node_t  *root, *node;

    fresh();

    text = ngx_pnalloc(pool, 4000000);
    p = text;
    *p++ = '{';

    for (i = 0; i < 100000; i++) {
        p = ngx_sprintf(p, "%s\"n%ui\":%ui", i ? "," : "", i, i);
    }

    *p++ = '}';

    v.data = text;
    v.len = p - text;

    is_int(ngx_envelope_json_scan(pool, &v, 1, &root, &reason), NGX_OK,
           "10^5 members");

    for (node = root->child; node; node = node->next) {
        ngx_envelope_json_remove(node);
    }

    is_str(text_of(root), "{}", "all removed");

    for (i = 0; i < 10000; i++) {
        (void) sprintf(name, "n%d", (int) i);
        (void) add(root, name, "1", NGX_ENVELOPE_JSON_NUMBER);
    }

    is_int(text_of(root).len, 2 + 9999 + 10000 * 5 + 38890,
           "10^4 added");
}


static void
test_memory(void)
{
    ngx_int_t             i, rc;
    ngx_str_t             text, name, value;
    ngx_envelope_node_t  *root, *node;

    static u_char  doc[] = "{\"a\":1, \"b\":{\"c\":2}}";

    if (pool) {
        ngx_destroy_pool(pool);
        pool = NULL;
    }

    rc = NGX_ERROR;

    for (i = 0; i < 100 && rc != NGX_OK; i++) {
        shim_reset();
        pool = ngx_create_pool(4096, &shim_log);
        shim_fail_at = shim_allocs + i;

        text.data = doc;
        text.len = sizeof(doc) - 1;
        ngx_str_set(&name, "n\"");
        ngx_str_set(&value, "{}");

        rc = ngx_envelope_json_scan(pool, &text, 5, &root, &reason);

        if (rc == NGX_OK) {
            node = add_str(root->last, &name, &value,
                           NGX_ENVELOPE_JSON_OBJECT);
            ngx_envelope_json_remove(root->child);
            rc = ngx_envelope_json_text(pool, root, &text);

            if (rc == NGX_OK && node == NULL) {
                is_str(text, "{\"b\":{\"c\":2}}", "a failed add adds nothing");
                rc = NGX_ERROR;
            }
        }

        if (rc == NGX_OK) {
            is_str(text, "{\"b\":{\"c\":2,\"n\\\"\":{}}}", "at last");
        }

        ngx_destroy_pool(pool);
        pool = NULL;

        if (shim_live || shim_live_pools) {
            fail("leak after allocation %d", (int) i);
        }
    }

    is_int(rc, NGX_OK, "no crash without memory");
    ok(i > 8, "%d allocations failed in turn", (int) i);
}


int
main(void)
{
    test_edits();
    test_nested();
    test_random();
    test_undo();
    test_wide();
    test_memory();

    is_int(shim_live, 0, "nothing left");

    return done_testing();
}
