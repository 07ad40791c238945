
/*
 * Out of memory while keys and formats are read; see oom.c.
 */


#include "oom.h"


#define OOM_KEY_RUNS  100  /* of a key under OpenSSL; ENVELOPE_OOM_ALL: all */


/* formats */


static ngx_int_t
read_format(case_t *c, ngx_envelope_format_t **f)
{
    ngx_int_t  rc;

    rc = engine_parse(f, c->message, c->format);

    if (rc == NGX_OK) {
        rc = ngx_envelope_format_check(*f, NGX_ENVELOPE_SEAL, &culprit,
                                       &reason);
    }

    if (rc == NGX_OK) {
        rc = ngx_envelope_format_check(*f, NGX_ENVELOPE_OPEN, &culprit,
                                       &reason);
    }

    return rc;
}


static void
format_fails(case_t *c, oom_whose_e whose, ngx_uint_t after)
{
    ngx_int_t               rc;
    ngx_uint_t              n, bad, live, more;
    ngx_pool_t             *own;
    ngx_envelope_format_t  *f;

    own = pool;
    bad = 0;
    live = shim_live;

    for (n = 0; /* void */ ; n++) {
        pool = ngx_create_pool(4096, &shim_log);

        arm(whose, n, after);
        rc = read_format(c, &f);
        more = disarm(whose, n);

        /* only while TLS is at work does its queue matter */

        bad += !drained() && whose == OOM_POOLS;

        /* OpenSSL goes on without this and that, or knows nothing of a key */

        bad += more && rc != NGX_ERROR
               && (whose == OOM_POOLS
                   || (rc == NGX_DECLINED && reason.len == 0));

        ngx_destroy_pool(pool);

        bad += (shim_live != live);

        if (!more) {
            break;
        }
    }

    pool = own;

    is_int(bad, 0, "%s: reading it, %d allocations fail, %s", c->name,
           (int) n, how(whose, after));
    is_int(rc, NGX_OK, "%s: and in the end it is read", c->name);
}


static void
test_formats(case_t *c)
{
    ngx_uint_t  i;

    for ( /* void */ ; c->name; c++) {
        for (i = 0; i < 4; i++) {
            format_fails(c, i / 2, i % 2);
        }
    }
}


/* keys */


static void
key_fails(const char *name, ngx_str_t content, ngx_str_t *password,
    oom_whose_e whose, ngx_uint_t after)
{
    ngx_int_t            rc;
    ngx_uint_t           n, bad, live, more, step, runs;
    ngx_pool_t          *own;
    ngx_envelope_key_t   key, right;

    memset(&right, 0, sizeof(right));

    arm(whose, 0, 0);
    (void) disarm(whose, 0);

    rc = ngx_envelope_key_parse(&right, pool, &content, password, &reason);

    if (!is_int(rc, NGX_OK, "%s: is a key", name)) {
        return;
    }

    /* OpenSSL's decoders allocate up to 20,000 times for one key */

    step = (whose == OOM_POOLS || getenv("ENVELOPE_OOM_ALL"))
           ? 1 : openssl_count / OOM_KEY_RUNS + 1;

    bad = 0;
    runs = 0;
    live = shim_live;

    for (n = 0; /* void */ ; n += step, runs++) {
        own = ngx_create_pool(4096, &shim_log);
        memset(&key, 0, sizeof(key));
        reason.len = 0;

        arm(whose, n, after);
        rc = ngx_envelope_key_parse(&key, own, &content, password, &reason);
        more = disarm(whose, n);

        bad += !drained();

        if (rc == NGX_OK) {
            bad += (more && whose == OOM_POOLS)
                   || EVP_PKEY_eq(key.pkey, right.pkey) != 1
                   || key.has_private != right.has_private;

        } else {
            bad += (whose == OOM_POOLS && rc != NGX_ERROR)
                   || reason.len == 0 || key.pkey != NULL;
        }

        ngx_destroy_pool(own);

        bad += (shim_live != live);

        if (!more) {
            break;
        }
    }

    is_int(bad, 0, "%s: %d of %d allocations fail, %s", name, (int) runs,
           (int) n, how(whose, after));
    is_int(rc, NGX_OK, "%s: and in the end it is read", name);
}


static void
test_keys(void)
{
    ngx_str_t   password, content;
    ngx_uint_t  i, j;

    static struct {
        const char  *path;
        const char  *password;
    } files[] = {
        { "t/data/keys/unified-private.b64", "" },
        { "t/data/keys/unified-public.b64", "" },
        { "t/data/jdk/rsa2048.pem", "" },
        { "t/data/jdk/ed25519.pub.pem", "" },
        { "t/fuzz/corpus/key/ec-private.der", "" },
        { "t/fuzz/corpus/key/rsa-pkcs1.pem", "" },
        { "t/fuzz/corpus/key/certificate.der", "" },
        { "t/fuzz/corpus/key/bundle.pem", "" },
        { "t/fuzz/corpus/key/encrypted.pem", "pw" },
        { "t/fuzz/corpus/key/encrypted-traditional.pem", "pw" },
        { "t/fuzz/corpus/key/pkcs12", "pw" },
        { NULL, NULL }
    };

    for (i = 0; files[i].path; i++) {
        content = engine_file(files[i].path);
        password = str(files[i].password);

        /* there a password comes first */

        if (strncmp(files[i].path, "t/fuzz/", 7) == 0) {
            content.data += 1 + password.len;
            content.len -= 1 + password.len;
        }

        for (j = 0; j < 4; j++) {
            key_fails(files[i].path, content, &password, j / 2, j % 2);
        }
    }
}


int
main(void)
{
    oom_start();

    test_formats(cases);
    test_formats(shipped);
    test_keys();

    engine_end();

    return done_testing();
}
