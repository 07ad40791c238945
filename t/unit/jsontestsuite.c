
/*
 * The files of nst/JSONTestSuite: ENVELOPE_VECTORS_JSON is their directory.
 * What the suite leaves open (i_..) has to end in a verdict, no more.
 */


#include "shim.h"
#include "tap.h"
#include "ngx_envelope_json.h"
#include "ngx_envelope_json_wide.h"

#include <dirent.h>


#define MAX_FILES  1000
#define TOO_LARGE  100000  /* one file is, of brackets alone */


static u_char *
slurp(const char *dir, const char *name, size_t *len)
{
    FILE    *f;
    char     path[4096];
    u_char  *data;

    (void) snprintf(path, sizeof(path), "%s/%s", dir, name);

    f = fopen(path, "rb");
    if (f == NULL) {
        return NULL;
    }

    (void) fseek(f, 0, SEEK_END);
    *len = (size_t) ftell(f);
    (void) fseek(f, 0, SEEK_SET);

    /* of its very size, for the sanitizer */

    data = malloc(*len ? *len : 1);
    *len = fread(data, 1, *len, f);
    (void) fclose(f);

    return data;
}


static void
try(const char *dir, const char *name)
{
    ngx_int_t               rc;
    ngx_str_t               text;
    ngx_uint_t              depth;
    ngx_pool_t             *pool;
    ngx_envelope_node_t    *root;
    ngx_envelope_reason_t   reason;

    text.data = slurp(dir, name, &text.len);
    if (text.data == NULL) {
        fail("%s cannot be read", name);
        return;
    }

    for (depth = 0; depth <= 128; depth += 64) {
        pool = ngx_create_pool(4096, &shim_log);
        reason.len = 0;

        rc = ngx_envelope_json_scan(pool, &text, depth, &root, &reason);

        switch (name[0]) {

        case 'y':
            is_int(rc, NGX_OK, "%s is JSON", name);
            break;

        case 'n':
            is_int(rc, NGX_DECLINED, "%s is not", name);
            ok(reason.len > 0, "and why");
            break;

        default:
            ok(rc == NGX_OK || rc == NGX_DECLINED, "%s: %s", name,
               rc == NGX_OK ? "taken" : "refused");
        }

        ngx_destroy_pool(pool);
    }

    free(text.data);
}


/* the same within an array that is long enough to be gone through in blocks */

static void
try_long(const char *dir, const char *name)
{
    u_char                 *data, *p;
    size_t                  len, lead;
    ngx_int_t               rc;
    ngx_str_t               text;
    ngx_uint_t              i, taken, refused;
    ngx_pool_t             *pool;
    ngx_envelope_node_t    *root;
    ngx_envelope_reason_t   reason;

    data = slurp(dir, name, &len);
    if (data == NULL || len > TOO_LARGE) {
        free(data);
        return;
    }

    taken = 0;
    refused = 0;

    for (lead = 0; lead < 64; lead++) {
        pool = ngx_create_pool(4096, &shim_log);

        text.data = ngx_pnalloc(pool, len + 4 * NGX_ENVELOPE_JSON_LONG);

        p = ngx_cpymem(text.data, "[\"", 2);
        memset(p, 'x', NGX_ENVELOPE_JSON_LONG + lead);
        p += NGX_ENVELOPE_JSON_LONG + lead;
        p = ngx_cpymem(p, "\",", 2);
        p = ngx_cpymem(p, data, len);

        for (i = 0; i < NGX_ENVELOPE_JSON_LONG; i += 5) {
            p = ngx_cpymem(p, ",[10]", 5);
        }

        *p++ = ']';
        text.len = p - text.data;

        rc = ngx_envelope_json_scan(pool, &text, 0, &root, &reason);

        taken += (rc == NGX_OK);
        refused += (rc == NGX_DECLINED);

        ngx_destroy_pool(pool);
    }

    switch (name[0]) {

    case 'y':
        is_int(taken, 64, "%s is JSON in a long text", name);
        break;

    case 'n':
        is_int(refused, 64, "%s is not", name);
        break;

    default:
        ok(taken == 64 || refused == 64, "%s, in a long text: one of both",
           name);
    }

    free(data);
}


static int
by_name(const void *a, const void *b)
{
    return strcmp(*(char * const *) a, *(char * const *) b);
}


int
main(void)
{
    DIR            *d;
    char           *names[MAX_FILES];
    size_t          i, n, len;
    const char     *dir;
    struct dirent  *entry;

    dir = getenv("ENVELOPE_VECTORS_JSON");
    if (dir == NULL || dir[0] == '\0') {
        skip_all("ENVELOPE_VECTORS_JSON is not set");
    }

    d = opendir(dir);
    if (d == NULL) {
        fail("%s cannot be opened", dir);
        return done_testing();
    }

    n = 0;

    while ((entry = readdir(d)) && n < MAX_FILES) {
        len = strlen(entry->d_name);

        if (len > 7 && strchr("yni", entry->d_name[0])
            && entry->d_name[1] == '_'
            && strcmp(entry->d_name + len - 5, ".json") == 0)
        {
            names[n++] = strdup(entry->d_name);
        }
    }

    (void) closedir(d);

    qsort(names, n, sizeof(char *), by_name);

    ok(n >= 200, "%d files", (int) n);

    for (i = 0; i < n; i++) {
        try(dir, names[i]);
        try_long(dir, names[i]);
        free(names[i]);
    }

    is_int(shim_live, 0, "nothing left");

    return done_testing();
}
