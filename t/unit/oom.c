
/*
 * Out of memory while messages are sealed and opened: each allocation fails
 * once, and all that follow it do; nothing crashes, nothing leaks, and the
 * answer is a fault of ours and no body.
 *
 * OpenSSL's own allocations fail likewise.  It goes on without some of them
 * and makes others look like a text that does not verify, so there the answer
 * is a refusal or what it would have been anyway, and never anything else.
 */


#include "oom.h"


/* one of these is a plain message of each of the shipped formats */

static const char  *plains[] = {
    "{\"code\":0,\"success\":true,\"statusCode\":0,\"data\":{\"a\":\"1\"},"
    "\"bizContent\": {\"x\":[1.0]},\"result\":[1]}",
    "{\"code\":200,\"bizContent\":[]}",
    NULL
};


/* the plain message that it seals */

static void
find_plain(case_t *c, ngx_envelope_format_t *f)
{
    ngx_uint_t  i;

    for (i = 0; plains[i]; i++) {
        c->plain = plains[i];
        seal(f, c->plain);

        if (out.outcome == NGX_ENVELOPE_SEALED) {
            return;
        }
    }
}


/*
 * The RSA keys of a format are used until OpenSSL makes new blinding factors,
 * which it does at every 32nd use.  An allocation that fails while it squares
 * the old ones (BN_BLINDING_update() of OpenSSL 3.0) leaves a pair that does
 * not belong together, and what the private key gives from there on is wrong:
 * a library's matter, of which we see refused messages.
 */

static void
settle(ngx_envelope_format_t *f)
{
    size_t                 len;
    u_char                 sig[512];
    ngx_uint_t             i, j, n;
    EVP_MD_CTX            *ctx;
    ngx_envelope_key_t    *key;
    ngx_envelope_ring_t  **rings;

    rings = f->rings.elts;

    for (i = 0; i < f->rings.nelts; i++) {

        key = rings[i]->keys.elts;

        for (j = 0; !rings[i]->is_secret && j < rings[i]->keys.nelts; j++) {

            for (n = 0; key[j].has_private && n < 40; n++) {
                ctx = EVP_MD_CTX_new();
                len = sizeof(sig);

                if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, key[j].pkey)
                    == 1)
                {
                    (void) EVP_DigestSign(ctx, sig, &len, (u_char *) "x", 1);
                }

                EVP_MD_CTX_free(ctx);
            }
        }
    }

    ERR_clear_error();
}


/* what comes of a message is what came of it when nothing failed */

static ngx_uint_t
is_right(ngx_envelope_format_t *f, ngx_envelope_direction_e direction,
    ngx_str_t *opened)
{
    ngx_str_t              body;
    ngx_uint_t             n;
    ngx_envelope_header_t  before[ENGINE_HEADERS];

    if (direction == NGX_ENVELOPE_SEAL) {

        if (out.outcome != NGX_ENVELOPE_SEALED) {
            return 0;
        }

        n = nheaders;
        memcpy(before, headers, sizeof(before));

        body = bytes(mpool, out.body.data, out.body.len);
        apply();
        engine_run(f, NGX_ENVELOPE_OPEN, body);

        nheaders = n;
        memcpy(headers, before, sizeof(before));
    }

    return out.outcome == NGX_ENVELOPE_OPENED
           && ngx_envelope_str_equal(&out.body, opened);
}


static ngx_uint_t
is_refused(void)
{
    return out.outcome == NGX_ENVELOPE_REJECTED
           && out.fault != NGX_ENVELOPE_FAULT_NONE
           && out.reason.len
           && out.body.data == NULL
           && out.headers.nelts == 0;
}


/* one failure; 0 when there was no such allocation any more */

static ngx_uint_t
fails_at(case_t *c, ngx_envelope_format_t *f,
    ngx_envelope_direction_e direction, ngx_str_t body, ngx_str_t *opened,
    oom_whose_e whose, ngx_uint_t n, ngx_uint_t after, ngx_uint_t *bad)
{
    ngx_uint_t  more, good, again;

    for (again = 0; again < 2; again++) {
        arm(whose, n, after);
        engine_run(f, direction, body);
        more = disarm(whose, n);

        good = drained();

        if (more && is_refused()) {
            good &= (whose == OOM_OPENSSL
                     || out.fault == NGX_ENVELOPE_FAULT_INTERNAL);
            break;
        }

        if ((!more || whose == OOM_OPENSSL) && is_right(f, direction, opened))
        {
            break;
        }

        /* maybe by what an earlier failure has left behind */

        settle(f);
        good = 0;
    }

    if (!good) {
        diag("%s, %d, allocation %d: outcome %d, fault %d", c->name,
             (int) direction, (int) n, (int) out.outcome, (int) out.fault);
        engine_diag_reason("  reason", &out.reason);
        (*bad)++;
    }

    return more;
}


/* of OpenSSL's own, which for some digests and versions needs none */

static ngx_uint_t   tried;


/*
 * The message's own pool is emptied in between, so what is handed in lies
 * elsewhere.
 */

static void
fails(case_t *c, ngx_envelope_format_t *f, ngx_envelope_direction_e direction,
    ngx_str_t body, ngx_str_t *opened, oom_whose_e whose, ngx_uint_t after)
{
    ngx_uint_t   n, live, bad, more;
    ngx_pool_t  *own;

    own = mpool;
    bad = 0;
    live = shim_live;
    more = 1;

    /* the last time nothing fails, and it works */

    for (n = 0; more; n++) {
        mpool = ngx_create_pool(4096, &shim_log);

        more = fails_at(c, f, direction, body, opened, whose, n, after, &bad);

        ngx_destroy_pool(mpool);

        if (shim_live != live) {
            diag("%s, %d, allocation %d: a leak", c->name, (int) direction,
                 (int) n);
            bad++;
        }
    }

    mpool = own;

    is_int(bad, 0, "%s: %s, %d allocations fail, %s", c->name,
           direction == NGX_ENVELOPE_SEAL ? "sealing" : "opening",
           (int) n - 1, how(whose, after));

    if (whose == OOM_POOLS) {
        ok(n > 4, "%s: there were some", c->name);

    } else {
        tried += n - 1;
    }
}


static void
test_messages(case_t *c)
{
    ngx_str_t               sealed, plain, opened;
    ngx_uint_t              i, n;
    ngx_envelope_format_t  *f;
    ngx_envelope_header_t   before[ENGINE_HEADERS];

    for ( /* void */ ; c->name; c++) {
        fresh();
        header("X", "q=1,p=text,r=2");

        f = format_for(c->message, "so", c->format);

        if (c->plain == NULL) {
            find_plain(c, f);
        }

        plain = exact(c->plain);
        seal(f, c->plain);

        if (!is_sealed(NULL, "%s: seals", c->name)) {
            continue;
        }

        n = nheaders;
        memcpy(before, headers, sizeof(before));

        sealed = bytes(mpool, out.body.data, out.body.len);
        apply();

        engine_run(f, NGX_ENVELOPE_OPEN, sealed);
        is_opened(NULL, "%s: opens", c->name);
        opened = bytes(mpool, out.body.data, out.body.len);

        for (i = 0; i < 4; i++) {
            fails(c, f, NGX_ENVELOPE_OPEN, sealed, &opened, i / 2, i % 2);
        }

        nheaders = n;
        memcpy(headers, before, sizeof(before));

        for (i = 0; i < 4; i++) {
            fails(c, f, NGX_ENVELOPE_SEAL, plain, &opened, i / 2, i % 2);
        }
    }
}


int
main(void)
{
    oom_start();

    test_messages(cases);
    test_messages(shipped);

    ok(tried > 100, "OpenSSL had %d to fail", (int) tried);

    engine_end();

    return done_testing();
}
