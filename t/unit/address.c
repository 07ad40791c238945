
/* Addresses: what is one, and what it finds in a message. */


#include "keyutil.h"

#include "ngx_envelope_address.h"


static ngx_pool_t             *pool;
static ngx_envelope_reason_t   reason;
static ngx_envelope_address_t  a, b;


static ngx_int_t
parse(ngx_envelope_address_t *address, const char *text)
{
    ngx_str_t  s = bytes(pool, text, strlen(text));

    reason.len = 0;

    return ngx_envelope_address_parse(address, pool, &s, &reason);
}


static ngx_envelope_node_t *
scan(const char *text)
{
    ngx_str_t             s = bytes(pool, text, strlen(text));
    ngx_envelope_node_t  *root;

    if (ngx_envelope_json_scan(pool, &s, 8, &root, &reason) != NGX_OK) {
        diag("no JSON: %s", text);
        exit(1);
    }

    return root;
}


static void
test_parse(void)
{
    ngx_uint_t  i;

    static struct {
        const char  *text;
        const char  *reason;
    } bad[] = {
        { "", "an address is empty" },
        { "header:", "\"header:\" lacks a name, write header:NAME or "
          "header:NAME:PARAM" },
        { "header::p", "\"header::p\" lacks a name, write header:NAME or "
          "header:NAME:PARAM" },
        { "header:N:", "\"header:N:\" lacks a name, write header:NAME or "
          "header:NAME:PARAM" },
        { "header:a b", "\"header:a b\" is not the name of a header" },
        { "header:a:b:c", "\"header:a:b:c\" is not the name of a header" },
        { "header:a\xc3\xa9", "\"header:a\xc3\xa9\" is not the name of a "
          "header" },
        { "header:a:\"", "\"header:a:\"\" is not the name of a header" },
        { "/a~", "\"/a~\" is not a JSON pointer: \"~\" is written \"~0\"" },
        { "/~2", "\"/~2\" is not a JSON pointer: \"~\" is written \"~0\"" },
        { "/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7",
          "\"/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7\" is deeper than 16 levels" },
        { "caf\xe9", "an address is not UTF-8" },
        { "/caf\xe9", "an address is not UTF-8" },
        { NULL, NULL }
    };

    for (i = 0; bad[i].text; i++) {
        is_int(parse(&a, bad[i].text), NGX_DECLINED, "\"%s\"", bad[i].text);
        is_mem(reason.data, reason.len, bad[i].reason, strlen(bad[i].reason),
               "\"%s\": the reason", bad[i].text);
    }

    is_int(parse(&a, "data"), NGX_OK, "a name");
    is_int(a.kind, NGX_ENVELOPE_ADDRESS_MEMBER, "a member");
    is_int(a.n, 1, "one token");
    is_str(a.tokens[0].text, "data", "its name");

    parse(&a, "a/b~x*");
    is_int(a.n, 1, "a name is no pointer");
    is_str(a.tokens[0].text, "a/b~x*", "its name");

    parse(&a, "*");
    ok(!a.many && a.tokens[0].text.data != NULL, "a name is no \"*\"");

    parse(&a, "header");
    is_int(a.kind, NGX_ENVELOPE_ADDRESS_MEMBER, "\"header\"");

    parse(&a, "/");
    is_int(a.n, 1, "an empty name");
    is_int(a.tokens[0].text.len, 0, "its name");

    parse(&a, "/a~1b/~0~01/*/**//x");
    is_int(a.n, 6, "six tokens");
    is_str(a.tokens[0].text, "a/b", "~1");
    is_str(a.tokens[1].text, "~~1", "~0");
    ok(a.tokens[2].text.data == NULL && a.many, "*");
    is_str(a.tokens[3].text, "**", "**");
    is_int(a.tokens[4].text.len, 0, "nothing");
    is_str(a.text, "/a~1b/~0~01/*/**//x", "as it was written");

    parse(&a, "/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6");
    is_int(a.n, 16, "16 levels");

    parse(&a, "header:X-!#$%&'*+.^_`|~9");
    is_int(a.kind, NGX_ENVELOPE_ADDRESS_HEADER, "a header");
    is_str(a.header, "X-!#$%&'*+.^_`|~9", "its name");

    parse(&a, "header:Stripe-Signature:v1");
    is_int(a.kind, NGX_ENVELOPE_ADDRESS_PARAM, "a param");
    is_str(a.header, "Stripe-Signature", "its header");
    is_str(a.param, "v1", "its name");
}


static void
test_compare(void)
{
    ngx_uint_t  i;

    static struct {
        const char  *a;
        const char  *b;
        int          equal;
        int          below;
    } pairs[] = {
        { "a", "a", 1, 1 },
        { "a", "/a", 1, 1 },
        { "a", "A", 0, 0 },
        { "/a/b", "a", 0, 1 },
        { "a", "/a/b", 0, 0 },
        { "/a/b", "/a/c", 0, 0 },
        { "/a/0/x", "/a/*", 0, 1 },
        { "/a/*/x", "/a/0/x", 1, 1 },
        { "/a/*/x", "/a/*/y", 0, 0 },
        { "header:A", "header:a", 1, 0 },
        { "header:A", "header:B", 0, 0 },
        { "header:A", "header:AB", 0, 0 },
        { "header:A:p", "header:a:P", 1, 0 },
        { "header:A:p", "header:A:q", 0, 0 },
        { "header:A:p", "header:A:pp", 0, 0 },
        { "header:A", "header:A:p", 0, 0 },
        { "header:A", "A", 0, 0 },
        { NULL, NULL, 0, 0 }
    };

    for (i = 0; pairs[i].a; i++) {
        parse(&a, pairs[i].a);
        parse(&b, pairs[i].b);

        is_int(ngx_envelope_address_equal(&a, &b), pairs[i].equal,
               "%s equal to %s", pairs[i].a, pairs[i].b);
        is_int(ngx_envelope_address_below(&a, &b), pairs[i].below,
               "%s below %s", pairs[i].a, pairs[i].b);
    }
}


static void
test_find(void)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_envelope_node_t  *root, *node;

    static struct {
        const char  *address;
        const char  *text;      /* NULL: absent */
        const char  *reason;    /* .. unless there is one */
        int          type;      /* it is about a type */
    } finds[] = {
        { "n", "1.0", NULL, 0 },
        { "/o/p", "[ {} ]", NULL, 0 },
        { "/o/p/0", "{}", NULL, 0 },
        { "/o/p/1", NULL, NULL, 0 },
        { "/o/p/99999999999", NULL, NULL, 0 },
        { "/o/p/00", NULL, "\"00\" of /o/p/00 is not in an object", 1 },
        { "/o/p/-", NULL, "\"-\" of /o/p/- is not in an object", 1 },
        { "/o/p/999999999999999999999", NULL,
          "\"999999999999999999999\" of /o/p/999999999999999999999 is not in "
          "an object", 1 },
        { "/o/p/", NULL, "\"\" of /o/p/ is not in an object", 1 },
        { "/o/p/x", NULL, "\"x\" of /o/p/x is not in an object", 1 },
        { "/o/p/0/x", NULL, NULL, 0 },
        { "/o/q", NULL, NULL, 0 },
        { "/o/q/r", NULL, NULL, 0 },
        { "/null/x/y", NULL, NULL, 0 },
        { "null", "null", NULL, 0 },
        { "/n/x", NULL, "\"x\" of /n/x is not in an object", 1 },
        { "/s/x/y", NULL, "\"x\" of /s/x/y is not in an object", 1 },
        { "t", NULL, "\"t\" stands twice in t", 0 },
        { "/t/x", NULL, "\"t\" stands twice in /t/x", 0 },
        { "/o/d", NULL, "\"d\" stands twice in /o/d", 0 },
        { "d", NULL, NULL, 0 },
        { "/", "\"empty\"", NULL, 0 },
        { "z", NULL, NULL, 0 },
        { NULL, NULL, NULL, 0 }
    };

    root = scan("{\"n\":1.0,\"o\":{\"p\":[ {} ],\"d\":1,\"\\u0064\":2},"
                "\"null\":null,\"s\":\"\",\"t\":1,\"t\":{},\"\":\"empty\","
                "\"z\\u0000\":1}");

    for (i = 0; finds[i].address; i++) {
        parse(&a, finds[i].address);

        rc = ngx_envelope_address_find(&a, root, &node, &reason);

        if (finds[i].reason) {
            is_int(rc, NGX_DECLINED, "find %s", finds[i].address);
            is_mem(reason.data, reason.len, finds[i].reason,
                   strlen(finds[i].reason), "%s: why", finds[i].address);
            is_int(ngx_envelope_address_look(&a, root, &node, &reason),
                   finds[i].type ? NGX_DONE : NGX_DECLINED,
                   "look %s", finds[i].address);
            continue;
        }

        is_int(rc, NGX_OK, "find %s", finds[i].address);

        if (finds[i].text == NULL) {
            ok(node == NULL, "%s is absent", finds[i].address);
            continue;
        }

        is_str(node->text, finds[i].text, "%s: what it holds",
               finds[i].address);
    }

    parse(&a, "a");
    is_int(ngx_envelope_address_find(&a, scan("\"a\""), &node, &reason),
           NGX_DECLINED, "in a string");
    is_mem(reason.data, reason.len, "the message is not a JSON object", 32,
           "the reason");
    is_int(ngx_envelope_address_find(&a, scan("[1]"), &node, &reason),
           NGX_DECLINED, "in an array");
    is_int(ngx_envelope_address_find(&a, scan("null"), &node, &reason),
           NGX_OK, "in null");
}


static void
test_each(void)
{
    ngx_uint_t            absent;
    ngx_array_t           nodes;
    ngx_envelope_node_t  *root, **node;

    root = scan("{\"a\":[{\"b\":1},{\"b\":2},{},null,{\"b\":[3,4]}],"
                "\"e\":[],\"n\":null,\"x\":[{\"b\":1,\"b\":2}],\"o\":{}}");

    ngx_array_init(&nodes, pool, 1, sizeof(ngx_envelope_node_t *));

    parse(&a, "/a/*/b");
    is_int(ngx_envelope_address_each(&a, root, &nodes, &absent, &reason),
           NGX_OK, "/a/*/b");
    node = nodes.elts;
    is_int(nodes.nelts, 3, "three are there");
    is_int(absent, 2, "two are not");
    is_str(node[0]->text, "1", "the first");
    is_str(node[2]->text, "[3,4]", "the last");

    nodes.nelts = 0;
    parse(&a, "/e/*");
    is_int(ngx_envelope_address_each(&a, root, &nodes, &absent, &reason),
           NGX_OK, "/e/*");
    is_int(nodes.nelts + absent, 0, "nothing, and nothing is missing");

    parse(&a, "/n/*");
    is_int(ngx_envelope_address_each(&a, root, &nodes, &absent, &reason),
           NGX_OK, "/n/*");
    is_int(absent, 1, "null is absent");

    parse(&a, "/a/4/b/*");
    is_int(ngx_envelope_address_each(&a, root, &nodes, &absent, &reason),
           NGX_OK, "/a/4/b/*");
    is_int(nodes.nelts, 2, "elements");

    parse(&a, "/o/*");
    is_int(ngx_envelope_address_each(&a, root, &nodes, &absent, &reason),
           NGX_DECLINED, "/o/*");
    is_reason(reason, "\"*\" of /o/* is not over an array", "an object");

    parse(&a, "/x/*/b");
    is_int(ngx_envelope_address_each(&a, root, &nodes, &absent, &reason),
           NGX_DECLINED, "/x/*/b");
    is_reason(reason, "\"b\" stands twice in /x/*/b", "twice");

    parse(&a, "/o/b/*/c");
    is_int(ngx_envelope_address_each(&a, root, &nodes, &absent, &reason),
           NGX_OK, "/o/b/*/c");
    is_int(absent, 1, "the array is absent");
}


static void
edit(const char *json, const char *address, ngx_uint_t floor,
    const char *value, const char *expected)
{
    ngx_int_t             rc;
    ngx_str_t             text;
    ngx_envelope_node_t  *root;

    root = scan(json);
    parse(&a, address);
    a.floor = floor;

    if (value) {
        text = str(value);
        rc = ngx_envelope_address_write(&a, pool, root, &text,
                                        NGX_ENVELOPE_JSON_NUMBER, NULL,
                                        &reason);

    } else {
        rc = ngx_envelope_address_remove(&a, root, &reason);
    }

    if (expected == NULL) {
        is_int(rc, NGX_DECLINED, "%s %s", json, address);
        return;
    }

    is_int(rc, NGX_OK, "%s %s", json, address);
    ngx_envelope_json_text(pool, root, &text);
    is_str(text, expected, "%s %s", json, address);
}


static void
test_edit(void)
{
    ngx_str_t             text = ngx_string(" {\"x\" : 1} ");
    ngx_envelope_node_t  *root, *sub;

    edit("{ }", "a", 0, "1", "{\"a\":1 }");
    edit("{\"a\" : 2}", "a", 0, "1", "{\"a\" : 1}");
    edit("{}", "/a/b/c", 0, "1", "{\"a\":{\"b\":{\"c\":1}}}");
    edit("{\"a\":{\"x\":0}}", "/a/b/c", 0, "1",
         "{\"a\":{\"x\":0,\"b\":{\"c\":1}}}");
    edit("{\"a\":[1,2]}", "/a/1", 0, "9", "{\"a\":[1,9]}");
    edit("{\"a\":[1,2]}", "/a/2", 0, "9", NULL);
    edit("{\"a\":[1,2]}", "/a/b", 0, "9", NULL);
    edit("{\"a\":null}", "/a/b", 0, "9", NULL);
    edit("{\"a\":1}", "/a/b", 0, "9", NULL);
    edit("{\"a\":{},\"a\":{}}", "/a/b", 0, "9", NULL);
    edit("{\"a\":0,\"a\":0}", "a", 0, "9", NULL);

    edit("{\"a\":0, \"b\":1}", "a", 0, NULL, "{\"b\":1}");
    edit("{\"a\":0, \"b\":1}", "c", 0, NULL, "{\"a\":0, \"b\":1}");
    edit("{\"a\":{\"b\":{\"c\":1}}, \"d\":1}", "/a/b/c", 0, NULL,
         "{\"d\":1}");
    edit("{\"a\":{\"b\":{\"c\":1}}, \"d\":1}", "/a/b/c", 1, NULL,
         "{\"a\":{}, \"d\":1}");
    edit("{\"a\":{\"b\":{\"c\":1}}}", "/a/b/c", 2, NULL,
         "{\"a\":{\"b\":{}}}");
    edit("{\"a\":{\"b\":{\"c\":1}}}", "/a/b/c", 0, NULL, "{}");
    edit("{\"a\":{\"b\":{\"c\":1},\"x\":1}}", "/a/b/c", 0, NULL,
         "{\"a\":{\"x\":1}}");
    edit("{\"a\":[{\"b\":1}]}", "/a/0/b", 0, NULL, "{\"a\":[{}]}");
    edit("{\"a\":[1]}", "/a/0", 0, NULL, "{\"a\":[1]}");
    edit("{\"a\":0,\"a\":1}", "a", 0, NULL, NULL);

    /* what is written can be looked into when it was scanned */

    root = scan("{\"a\":1}");

    ngx_envelope_json_scan(pool, &text, 8, &sub, &reason);
    parse(&a, "a");
    ngx_envelope_address_write(&a, pool, root, &text, sub->type, sub,
                               &reason);
    ngx_envelope_json_scan(pool, &text, 8, &sub, &reason);
    parse(&b, "/n/m");
    ngx_envelope_address_write(&b, pool, root, &text, sub->type, sub,
                               &reason);

    parse(&b, "/a/x");
    ngx_envelope_address_find(&b, root, &sub, &reason);
    is_str(sub->text, "1", "into what was replaced");
    parse(&b, "/n/m/x");
    ngx_envelope_address_find(&b, root, &sub, &reason);
    is_str(sub->text, "1", "into what was added");
    ngx_envelope_address_remove(&b, root, &reason);
    ngx_envelope_json_text(pool, root, &text);
    is_str(text, "{\"a\": {\"x\" : 1} }", "and it can be removed");
}


static void
test_oom(void)
{
    ngx_int_t                i, rc;
    ngx_uint_t               n;
    ngx_str_t                text;
    ngx_array_t              nodes;
    ngx_envelope_node_t     *root;
    ngx_envelope_address_t   address;

    static const char  *texts[] = { "name", "/a/b~0/*", "header:X:p", NULL };

    for (n = 0; texts[n]; n++) {

        for (i = 0; /* void */ ; i++) {
            text = bytes(pool, texts[n], strlen(texts[n]));
            shim_reset();
            shim_fail_at = i;
            rc = ngx_envelope_address_parse(&address, pool, &text, &reason);
            shim_fail_at = -1;

            if (rc != NGX_ERROR) {
                break;
            }
        }

        is_int(rc, NGX_OK, "%s: all allocations failed once", texts[n]);
        ok(i > 0, "%s: there were some", texts[n]);
    }

    root = scan("{\"x\":[1,2,3]}");
    parse(&a, "/p/q/r");
    text = str("1");
    shim_reset();
    shim_fail_at = 0;
    is_int(ngx_envelope_address_write(&a, pool, root, &text,
                                      NGX_ENVELOPE_JSON_NUMBER, NULL,
                                      &reason),
           NGX_ERROR, "write: out of memory");
    shim_fail_at = -1;

    ngx_array_init(&nodes, pool, 1, sizeof(ngx_envelope_node_t *));
    parse(&a, "/x/*");
    shim_reset();
    shim_fail_at = 0;
    is_int(ngx_envelope_address_each(&a, root, &nodes, &n, &reason),
           NGX_ERROR, "each: out of memory");
    shim_fail_at = -1;
}


int
main(void)
{
    shim_reset();
    pool = ngx_create_pool(4096, &shim_log);

    test_parse();
    test_compare();
    test_find();
    test_each();
    test_edit();
    test_oom();

    ngx_destroy_pool(pool);
    is_int(shim_live, 0, "nothing is left");

    return done_testing();
}
