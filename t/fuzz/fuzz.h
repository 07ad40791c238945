
/*
 * What the fuzz targets share.  A target is one file with
 * LLVMFuzzerTestOneInput() and the number of mutations that an ordinary test
 * run does of its corpus:
 *
 *     FUZZ_MUTATIONS(20000);
 *
 *     static void
 *     fuzz_one(fuzz_input_t *in)
 *     {
 *         check(rc == NGX_OK);
 *     }
 *
 *     FUZZ_TARGET(fuzz_one)
 *
 * The same input does the same each time: no clock, no process id, and random
 * bytes from a counter.
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


/* the way to replace what OpenSSL's paddings and salts are made of */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "shim.h"

#include "ngx_envelope_reason.h"

#include <openssl/err.h>
#include <openssl/rand.h>

#include <stdio.h>
#include <stdlib.h>


#define util  __attribute__((unused)) static

#define check(cond)                                                           \
    do {                                                                      \
        if (!(cond)) {                                                        \
            fuzz_failed(#cond, __FILE__, __LINE__);                           \
        }                                                                     \
    } while (0)

#define FUZZ_MUTATIONS(n)  const unsigned long  fuzz_mutations = n

#define FUZZ_TARGET(one)                                                      \
                                                                              \
int                                                                           \
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)                       \
{                                                                             \
    fuzz_run(one, data, len);                                                 \
                                                                              \
    return 0;                                                                 \
}


extern const unsigned long  fuzz_mutations;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);


static ngx_pool_t             *pool;    /* of one input */
static ngx_envelope_reason_t   reason;


util void
fuzz_failed(const char *what, const char *file, int line)
{
    (void) fprintf(stderr, "\n%s:%d: does not hold: %s\n", file, line, what);

    if (reason.len) {
        (void) fprintf(stderr, "the last reason: %.*s\n", (int) reason.len,
                       (char *) reason.data);
    }

    abort();
}


/*
 * Each call gives the same bytes, which no earlier input can have shifted.
 * None is zero, as paddings want, and the first is small: below any modulus.
 */

static int
fuzz_rand_bytes(unsigned char *buf, int len)
{
    int  i;

    for (i = 0; i < len; i++) {
        buf[i] = (unsigned char) (1 + i % 255);
    }

    return 1;
}


static int
fuzz_rand_status(void)
{
    return 1;
}


util void
fuzz_start(void)
{
    static RAND_METHOD  method;

    method.bytes = fuzz_rand_bytes;
    method.pseudorand = fuzz_rand_bytes;
    method.status = fuzz_rand_status;

    /* what the library makes of itself on the way out, it makes here */

    if (RAND_set_rand_method(&method) != 1
        || OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1)
    {
        abort();
    }
}


/* a copy of exactly its length, so that a sanitizer sees both its ends */

util ngx_str_t
fuzz_str(const void *p, size_t len)
{
    ngx_str_t  v;

    v.len = len;
    v.data = ngx_pnalloc(pool, len);

    if (len) {
        ngx_memcpy(v.data, p, len);
    }

    return v;
}


util ngx_str_t
fuzz_text(const char *s)
{
    return fuzz_str(s, strlen(s));
}


/* with a zero behind it */

util char *
fuzz_cstr(ngx_str_t *v)
{
    char  *s;

    s = ngx_pnalloc(pool, v->len + 1);

    if (v->len) {
        ngx_memcpy(s, v->data, v->len);
    }

    s[v->len] = '\0';

    return s;
}


util ngx_uint_t
fuzz_same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}


/* what is left of an input */

typedef struct {
    const u_char  *p;
    const u_char  *end;
} fuzz_input_t;


/* the next byte, 0 at the end */

util u_char
fuzz_byte(fuzz_input_t *in)
{
    return (in->p < in->end) ? *in->p++ : 0;
}


util size_t
fuzz_number(fuzz_input_t *in, size_t below)
{
    size_t  n;

    n = (size_t) fuzz_byte(in) << 8;
    n |= fuzz_byte(in);

    return below ? n % below : 0;
}


/* what comes before that byte, which is passed over; else all of it */

util ngx_str_t
fuzz_until(fuzz_input_t *in, u_char ch)
{
    ngx_str_t      v;
    const u_char  *p;

    p = in->p < in->end ? memchr(in->p, ch, in->end - in->p) : NULL;

    v = fuzz_str(in->p, (p ? p : in->end) - in->p);
    in->p = p ? p + 1 : in->end;

    return v;
}


util ngx_str_t
fuzz_rest(fuzz_input_t *in)
{
    ngx_str_t  v;

    v = fuzz_str(in->p, in->end - in->p);
    in->p = in->end;

    return v;
}


/* whatever came of it, no memory and no error of OpenSSL's is left */

util void
fuzz_run(void (*one)(fuzz_input_t *in), const u_char *data, size_t len)
{
    ngx_uint_t    live, pools;
    fuzz_input_t  in;

    shim_reset();
    reason.len = 0;

    live = shim_live;
    pools = shim_live_pools;

    pool = ngx_create_pool(4096, &shim_log);

    in.p = data;
    in.end = data + len;

    one(&in);

    check(ERR_peek_error() == 0);

    ngx_destroy_pool(pool);

    check(shim_live == live);
    check(shim_live_pools == pools);
}


#endif /* _FUZZ_H_INCLUDED_ */
