
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"


/*
 * What the operations with keys are about to cost, so that it may be decided
 * where they are done.  The figures are those of "openssl speed" on one core
 * of a server of 2023; on older ones all take two or three times as long, but
 * those with a private key stay as far from the others as they are here.
 *
 * What else there is (scanning, encoding, AES, hashing) takes a nanosecond or
 * two for each byte, so the length tells it.
 */


/* nanoseconds that every message takes, whatever is in it */

#define NGX_ENVELOPE_COST_MESSAGE  1000

/* lengths and what they cost are kept for so many bytes of a body */

#define NGX_ENVELOPE_COST_UNIT  ((uint64_t) 1024)

/*
 * Bytes of a body for each element that a "*" in an address stands for: when
 * sealed it makes a block of its own, however short it is.
 */

#define NGX_ENVELOPE_COST_ELEMENT  32


typedef struct {
    const char  *type;
    int          bits;          /* up to */
    ngx_uint_t   private_cost;  /* microseconds: sign, decrypt */
    ngx_uint_t   public_cost;   /* verify, encrypt */
} ngx_envelope_cost_key_t;


static void ngx_envelope_cost_field(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_direction_e direction,
    ngx_envelope_cost_t *cost);
static void ngx_envelope_cost_rsa(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_direction_e direction,
    ngx_envelope_statement_t *st, ngx_uint_t share, ngx_envelope_cost_t *cost);
static void ngx_envelope_cost_sign(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_direction_e direction,
    ngx_envelope_cost_t *cost);
static ngx_uint_t ngx_envelope_cost_ring(ngx_envelope_format_t *format,
    ngx_envelope_ref_t *ref, ngx_envelope_direction_e direction,
    ngx_uint_t private_op, size_t *size);


/* the last of a type stands for all that are longer */

static const ngx_envelope_cost_key_t  ngx_envelope_cost_keys[] = {
    { "RSA", 1024, 80, 5 },
    { "RSA", 2048, 270, 15 },
    { "RSA", 3072, 1500, 35 },
    { "RSA", 4096, 3500, 55 },
    { "RSA", 16384, 30000, 250 },
    { "RSA-PSS", 2048, 270, 15 },
    { "RSA-PSS", 16384, 3500, 55 },
    { "EC", 256, 20, 60 },
    { "EC", 384, 560, 470 },
    { "ED25519", 256, 30, 85 },
    { NULL, 0, 0, 0 }
};


void
ngx_envelope_format_weigh(ngx_envelope_format_t *format,
    ngx_envelope_direction_e direction)
{
    ngx_uint_t                  i;
    ngx_envelope_cost_t        *cost;
    ngx_envelope_statement_t  **st;

    cost = &format->costs[direction];

    cost->fixed = NGX_ENVELOPE_COST_MESSAGE;
    cost->unit = 0;

    st = format->statements.elts;

    for (i = 0; i < format->statements.nelts; i++) {

        if (st[i]->def == &ngx_envelope_field_def) {
            ngx_envelope_cost_field(format, st[i], direction, cost);

        } else if (st[i]->def == &ngx_envelope_sign_def) {
            ngx_envelope_cost_sign(format, st[i], direction, cost);
        }
    }
}


ngx_uint_t
ngx_envelope_format_cost(const ngx_envelope_format_t *format,
    ngx_envelope_direction_e direction, size_t len)
{
    const ngx_envelope_cost_t  *cost;

    cost = &format->costs[direction];

    return (cost->fixed + cost->unit * len / NGX_ENVELOPE_COST_UNIT) / 1000;
}


/*
 * A field is taken for all of the body, unless it carries a random.  "share"
 * is how long the text is by now, if the body has as many bytes as a unit.
 */

static void
ngx_envelope_cost_field(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_direction_e direction,
    ngx_envelope_cost_t *cost)
{
    ngx_uint_t              i, n, seal, share;
    ngx_envelope_step_t    *steps, *step;
    ngx_envelope_field_t   *field;

    field = &st->u.field;
    seal = (direction == NGX_ENVELOPE_SEAL);

    share = (field->source == NGX_ENVELOPE_SOURCE_RANDOM)
            ? 0 : NGX_ENVELOPE_COST_UNIT;

    steps = field->steps.elts.elts;
    n = field->steps.elts.nelts;

    for (i = 0; i < n; i++) {
        step = seal ? &steps[i] : &steps[n - 1 - i];

        if (step->def == &ngx_envelope_hex_step) {
            share = seal ? share * 2 : share / 2;

        } else if (step->def == &ngx_envelope_base64_step
                   || step->def == &ngx_envelope_base64url_step)
        {
            share = seal ? share * 4 / 3 : share * 3 / 4;

        } else if (step->def->makes == NGX_ENVELOPE_MAKES_BYTES
                   && step->def != &ngx_envelope_aes_step)
        {
            ngx_envelope_cost_rsa(format, step, direction, st, share, cost);
        }
    }
}


static void
ngx_envelope_cost_rsa(ngx_envelope_format_t *format,
    ngx_envelope_step_t *step, ngx_envelope_direction_e direction,
    ngx_envelope_statement_t *st, ngx_uint_t share, ngx_envelope_cost_t *cost)
{
    size_t      size, overhead;
    uint64_t    block;
    ngx_uint_t  private_op;

    private_op = (direction == NGX_ENVELOPE_SEAL)
                 == (step->rsa.padding == NGX_ENVELOPE_RSA_PRIVATE);

    block = ngx_envelope_cost_ring(format, &step->key, direction, private_op,
                                   &size);

    overhead = ngx_envelope_rsa_overhead(&step->rsa);

    if (size <= overhead) {

        /* a key that the check of the direction will refuse */

        return;
    }

    if (share == 0) {
        cost->fixed += block * (1 + st->u.field.random.len / (size - overhead));
        return;
    }

    if (direction == NGX_ENVELOPE_SEAL) {
        size -= overhead;

        if (st->address.many) {
            size = ngx_min(size, NGX_ENVELOPE_COST_ELEMENT);
        }
    }

    cost->fixed += block;
    cost->unit += block * share / size;
}


static void
ngx_envelope_cost_sign(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_direction_e direction,
    ngx_envelope_cost_t *cost)
{
    size_t                size;
    ngx_envelope_sign_t  *sign;

    sign = &st->u.sign;

    if (sign->alg.kind == NGX_ENVELOPE_ALG_PUBLIC) {
        cost->fixed += ngx_envelope_cost_ring(format, &sign->key, direction,
                                             direction == NGX_ENVELOPE_SEAL,
                                             &size);
    }
}


/*
 * Nanoseconds of one operation with the ring's first key, times those of its
 * keys that opening may have to try; *size is that of an RSA block.
 */

static ngx_uint_t
ngx_envelope_cost_ring(ngx_envelope_format_t *format, ngx_envelope_ref_t *ref,
    ngx_envelope_direction_e direction, ngx_uint_t private_op, size_t *size)
{
    int                             bits;
    ngx_uint_t                      n, cost;
    ngx_envelope_key_t             *keys;
    ngx_envelope_ring_t           **rings;
    const ngx_envelope_cost_key_t  *row;

    *size = 0;

    rings = format->rings.elts;
    keys = rings[ref->index]->keys.elts;
    n = 1;

    if (direction == NGX_ENVELOPE_OPEN && (format->tries >> ref->index & 1)) {
        n = rings[ref->index]->keys.nelts;
    }

    bits = EVP_PKEY_get_bits(keys[0].pkey);
    cost = 0;

    for (row = ngx_envelope_cost_keys; row->type; row++) {

        if (EVP_PKEY_is_a(keys[0].pkey, row->type) != 1) {
            continue;
        }

        cost = private_op ? row->private_cost : row->public_cost;

        if (bits <= row->bits) {
            break;
        }
    }

    *size = EVP_PKEY_get_size(keys[0].pkey);

    return n * cost * 1000;
}
