
/*
 * base64, base64url, hex and UTF-8: what is encoded is decoded to the same,
 * and what is decoded can be spelled in no other way.
 */


#include "naive.h"

#include "ngx_envelope_codec.h"


FUZZ_MUTATIONS(40000);


typedef struct {
    const char   *alphabet;      /* NULL: hex */
    ngx_uint_t    padded;
    void        (*encode)(ngx_str_t *dst, ngx_str_t *src);
    ngx_int_t   (*decode)(ngx_str_t *dst, ngx_str_t *src,
                          ngx_envelope_reason_t *reason);
} fuzz_codec_t;


static const fuzz_codec_t  fuzz_codecs[] = {
    { "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 1,
      ngx_envelope_base64_encode, ngx_envelope_base64_decode },
    { "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 0,
      ngx_envelope_base64url_encode, ngx_envelope_base64url_decode },
    { NULL, 0, ngx_envelope_hex_encode, ngx_envelope_hex_decode },
    { NULL, 0, NULL, NULL }
};


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    fuzz_start();

    return 0;
}


/* bit by bit */

static ngx_str_t
fuzz_naive_encode(const fuzz_codec_t *codec, ngx_str_t *src)
{
    size_t       bit, n, width;
    ngx_str_t    v;
    ngx_uint_t   i, value;

    width = codec->alphabet ? 6 : 4;
    v.data = ngx_pnalloc(pool, src->len * 2 + 4);
    v.len = 0;
    n = src->len * 8;

    for (bit = 0; bit < n; bit += width) {
        value = 0;

        for (i = 0; i < width; i++) {
            value <<= 1;

            if (bit + i < n) {
                value |= src->data[(bit + i) / 8] >> (7 - (bit + i) % 8) & 1;
            }
        }

        v.data[v.len++] = (u_char) (codec->alphabet
                                    ? codec->alphabet[value]
                                    : "0123456789abcdef"[value]);
    }

    while (codec->padded && v.len % 4) {
        v.data[v.len++] = '=';
    }

    return v;
}


static void
fuzz_encode(const fuzz_codec_t *codec, ngx_str_t *in)
{
    ngx_str_t  naive, text, back;

    naive = fuzz_naive_encode(codec, in);

    text.data = ngx_pnalloc(pool, naive.len);
    codec->encode(&text, in);

    check(fuzz_same(&text, &naive));

    back.data = ngx_pnalloc(pool, in->len + 2);
    check(codec->decode(&back, &text, &reason) == NGX_OK);
    check(fuzz_same(&back, in));
}


static void
fuzz_decode(const fuzz_codec_t *codec, ngx_str_t *in)
{
    size_t      i, max;
    ngx_int_t   rc;
    ngx_str_t   out, again, text;

    max = codec->alphabet ? ngx_envelope_base64_decoded_max(in->len)
                          : ngx_envelope_hex_decoded_max(in->len);

    out.data = ngx_pnalloc(pool, max);
    rc = codec->decode(&out, in, &reason);

    /* in place, the same */

    again = fuzz_str(in->data, in->len);
    check(codec->decode(&again, &again, &reason) == rc);

    if (rc != NGX_OK) {
        check(rc == NGX_DECLINED && reason.len);
        return;
    }

    check(out.len <= max);
    check(fuzz_same(&out, &again));

    text = fuzz_naive_encode(codec, &out);

    check(text.len == in->len);

    for (i = 0; i < text.len; i++) {
        check(text.data[i] == in->data[i]
              || (codec->alphabet == NULL
                  && text.data[i] == (in->data[i] | 0x20)));
    }
}


static void
fuzz_one(fuzz_input_t *in)
{
    ngx_str_t            text;
    const fuzz_codec_t  *codec;

    text = fuzz_rest(in);

    for (codec = fuzz_codecs; codec->encode; codec++) {
        fuzz_encode(codec, &text);
        fuzz_decode(codec, &text);
    }

    check(ngx_envelope_utf8_valid(text.data, text.len)
          == naive_utf8_valid(text.data, text.len));
}


FUZZ_TARGET(fuzz_one)
