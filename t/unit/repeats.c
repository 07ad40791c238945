
/*
 * IVs of AES-GCM that come again under the same key: which statement nginx -t
 * warns of.
 */


#include "engine.h"


static const struct {
    const char  *format;
    const char  *label;     /* of the statement; NULL: none */
} repeats[] = {

    { "field a = json | aes-128-gcm key=aes iv=prefix | hex", NULL },
    { "field a = json | aes-128-cbc key=aes"
      " iv=hex:000102030405060708090a0b0c0d0e0f | hex", NULL },

    /* from message to message */

    { "field a = json | aes-128-gcm key=aes iv=hex:00 | hex", "field a" },
    { "random s key:16; field a = json | aes-128-gcm key=s.key iv=hex:00"
      " | hex; field k = s | rsa-pkcs1 key=uni | base64", NULL },
    { "field a = json | aes-128-gcm key=aes iv=iv12 | hex", "field a" },
    { "random k 16; field a = json | aes-128-gcm key=k iv=iv12 | hex;"
      "field k = k | rsa-pkcs1 key=uni | base64", NULL },
    { "set n $v; field a = json | aes-128-gcm key=aes iv=<n> | hex", NULL },

    /* within a message */

    { "random iv 12; field /a/*/b = json | aes-128-gcm key=aes iv=iv | hex;"
      "field iv = iv | hex", "field /a/*/b" },
    { "field /a/*/b = json | aes-128-gcm key=aes iv=prefix | hex", NULL },
    { "random iv 12; field a = json | aes-128-gcm key=aes iv=iv | hex;"
      "set s t; field b = json | aes-128-gcm key=aes iv=iv | hex;"
      "field iv = iv | hex", "field b" },
    { "random iv 12; field a = json | aes-128-gcm key=aes iv=iv | hex;"
      "field b = json | aes-128-gcm key=k128 iv=iv | hex;"
      "field iv = iv | hex", NULL },
    { "random s a:12 b:12; field a = json | aes-128-gcm key=aes iv=s.a | hex;"
      "field b = json | aes-128-gcm key=aes iv=s.b | hex;"
      "field c = string | hex; field iv = s | hex", NULL },
    { "sign header:S = md5 over=<a> | hex", NULL },

    { NULL, NULL }
};


int
main(void)
{
    ngx_str_t                  label, file;
    ngx_uint_t                 i, line;
    ngx_envelope_format_t     *f;
    ngx_envelope_statement_t  *st;

    engine_start();

    for (i = 0; repeats[i].format; i++) {
        f = format_for(NGX_ENVELOPE_REQUEST, "so", repeats[i].format);

        st = ngx_envelope_format_repeats(f);

        if (st == NULL || repeats[i].label == NULL) {
            ok((st == NULL) == (repeats[i].label == NULL), "%s",
               repeats[i].format);
            continue;
        }

        ngx_envelope_statement_where(st, &label, &file, &line);

        ok(label.len >= strlen(repeats[i].label)
           && memcmp(label.data, repeats[i].label, strlen(repeats[i].label))
              == 0,
           "%s", repeats[i].format);
    }

    engine_end();

    return done_testing();
}
