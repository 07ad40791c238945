
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_key_read.h"
#include "ngx_envelope_codec.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>


#define NGX_ENVELOPE_PEM_DASHES  "-----"
#define NGX_ENVELOPE_PEM_BEGIN   "-----BEGIN "
#define NGX_ENVELOPE_PEM_END     "-----END "


typedef struct {
    ngx_str_t    name;
    const char  *advice;   /* why it cannot be read, NULL: it can */
} ngx_envelope_pem_label_t;


/* a block from the first dash to the last, what it is, and what is in it */

typedef struct {
    ngx_str_t                        block;
    ngx_str_t                        label;
    ngx_str_t                        body;
    const ngx_envelope_pem_label_t  *def;
} ngx_envelope_pem_t;


static ngx_uint_t ngx_envelope_key_is_der(ngx_str_t *content);
static ngx_int_t ngx_envelope_key_read_pem(ngx_envelope_key_found_t *found,
    ngx_str_t *content, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_pem_next(ngx_str_t *rest,
    ngx_envelope_pem_t *pem, ngx_envelope_reason_t *reason);
static u_char *ngx_envelope_pem_find(u_char *p, u_char *last,
    const char *what);
static ngx_int_t ngx_envelope_pem_read(ngx_envelope_key_found_t *found,
    ngx_envelope_pem_t *pem, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_pem_decrypt(ngx_envelope_key_found_t *found,
    ngx_envelope_pem_t *pem, ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_key_read_base64(ngx_envelope_key_found_t *found,
    ngx_str_t *text, ngx_envelope_reason_t *reason);


/* blocks with other labels (parameters, requests, revocations) are skipped */

static const ngx_envelope_pem_label_t  ngx_envelope_pem_labels[] = {

    { ngx_string("PRIVATE KEY"), NULL },
    { ngx_string("ENCRYPTED PRIVATE KEY"), NULL },
    { ngx_string("RSA PRIVATE KEY"), NULL },
    { ngx_string("EC PRIVATE KEY"), NULL },
    { ngx_string("PUBLIC KEY"), NULL },
    { ngx_string("RSA PUBLIC KEY"), NULL },
    { ngx_string("EC PUBLIC KEY"), NULL },
    { ngx_string("CERTIFICATE"), NULL },
    { ngx_string("X509 CERTIFICATE"), NULL },
    { ngx_string("TRUSTED CERTIFICATE"), NULL },

    { ngx_string("OPENSSH PRIVATE KEY"), "is in OpenSSH's own format, "
      "\"ssh-keygen -p -m PKCS8 -f FILE\" converts it" },
    { ngx_string("PGP PRIVATE KEY BLOCK"), "is of OpenPGP" },
    { ngx_string("PGP PUBLIC KEY BLOCK"), "is of OpenPGP" },
    { ngx_string("DSA PRIVATE KEY"), "is of DSA, RSA, EC or EdDSA is needed" },
    { ngx_string("PKCS7"), "is PKCS#7, "
      "\"openssl pkcs7 -print_certs -in FILE\" converts it" },

    { ngx_null_string, NULL }
};


ngx_int_t
ngx_envelope_key_read(ngx_envelope_key_found_t *found, ngx_str_t *content,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    text = *content;

    if (ngx_envelope_key_is_der(&text)) {
        rc = ngx_envelope_key_read_der(found, &text, reason);

        if (rc != NGX_AGAIN) {
            return rc;
        }

        return ngx_envelope_declined(reason, "it looks like DER, but is no "
                                     "key, certificate or PKCS#12, or it is "
                                     "cut short");
    }

    if (text.len >= 3 && ngx_memcmp(text.data, "\xef\xbb\xbf", 3) == 0) {
        text.data += 3;
        text.len -= 3;
    }

    if (ngx_envelope_pem_find(text.data, text.data + text.len,
                              NGX_ENVELOPE_PEM_BEGIN)
        != NULL)
    {
        return ngx_envelope_key_read_pem(found, &text, reason);
    }

    rc = ngx_envelope_key_read_base64(found, &text, reason);

    if (rc == NGX_AGAIN) {
        return ngx_envelope_declined(reason, "it is base64, but not of a "
                                     "key, certificate or PKCS#12 in DER, or "
                                     "it is cut short");
    }

    if (rc == NGX_DECLINED && reason->len == 0) {
        return ngx_envelope_declined(reason, "it is neither PEM nor DER nor "
                                     "base64 of DER");
    }

    return rc;
}


/*
 * A SEQUENCE (its first byte is an ASCII zero as well) whose length takes more
 * than one byte, or is that of the content.  What an editor left behind it is
 * cut off.
 */

static ngx_uint_t
ngx_envelope_key_is_der(ngx_str_t *content)
{
    int            tag, class;
    long           len;
    u_char        *p, *last;
    const u_char  *body;

    p = content->data;
    last = p + content->len;

    if (content->len < 2 || p[0] != 0x30) {
        return 0;
    }

    body = p;

    if (ASN1_get_object(&body, &len, &tag, &class, (long) content->len)
        == V_ASN1_CONSTRUCTED)
    {
        p = (u_char *) body + len;

        while (last > p
               && (last[-1] == CR || last[-1] == LF || last[-1] == ' '))
        {
            last--;
        }

        if (last == p) {
            content->len = last - content->data;
            return 1;
        }
    }

    return (content->data[1] & 0x80) ? 1 : 0;
}


static ngx_int_t
ngx_envelope_key_read_pem(ngx_envelope_key_found_t *found, ngx_str_t *content,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t           rc;
    ngx_str_t           rest;
    ngx_envelope_pem_t  pem;

    rest = *content;

    for ( ;; ) {
        rc = ngx_envelope_pem_next(&rest, &pem, reason);

        if (rc != NGX_OK) {
            return (rc == NGX_DONE) ? NGX_OK : rc;
        }

        if (pem.def->name.len == 0) {
            continue;
        }

        if (pem.def->advice) {
            return ngx_envelope_declined(reason, "PEM \"%V\" %s",
                                         &pem.def->name, pem.def->advice);
        }

        rc = ngx_envelope_pem_read(found, &pem, reason);
        if (rc != NGX_OK) {
            return rc;
        }
    }
}


/* takes a block off the rest; NGX_DONE when there is none */

static ngx_int_t
ngx_envelope_pem_next(ngx_str_t *rest, ngx_envelope_pem_t *pem,
    ngx_envelope_reason_t *reason)
{
    u_char                          *p, *last;
    const ngx_envelope_pem_label_t  *def;

    last = rest->data + rest->len;

    p = ngx_envelope_pem_find(rest->data, last, NGX_ENVELOPE_PEM_BEGIN);
    if (p == NULL) {
        return NGX_DONE;
    }

    pem->block.data = p;
    pem->label.data = p + sizeof(NGX_ENVELOPE_PEM_BEGIN) - 1;

    p = ngx_envelope_pem_find(pem->label.data, last, NGX_ENVELOPE_PEM_DASHES);
    if (p == NULL) {
        return ngx_envelope_declined(reason, "the PEM header has no end");
    }

    pem->label.len = p - pem->label.data;
    pem->body.data = p + sizeof(NGX_ENVELOPE_PEM_DASHES) - 1;

    for (def = ngx_envelope_pem_labels; def->name.len; def++) {
        if (def->name.len == pem->label.len
            && ngx_memcmp(def->name.data, pem->label.data, def->name.len) == 0)
        {
            break;
        }
    }

    pem->def = def;

    p = ngx_envelope_pem_find(pem->body.data, last, NGX_ENVELOPE_PEM_DASHES);

    if (p == NULL
        || ngx_envelope_pem_find(p, last, NGX_ENVELOPE_PEM_END) != p)
    {
        goto unfinished;
    }

    pem->body.len = p - pem->body.data;

    p += sizeof(NGX_ENVELOPE_PEM_END) - 1;

    if ((size_t) (last - p)
            < pem->label.len + sizeof(NGX_ENVELOPE_PEM_DASHES) - 1
        || ngx_memcmp(p, pem->label.data, pem->label.len) != 0)
    {
        goto unfinished;
    }

    p += pem->label.len;

    if (ngx_envelope_pem_find(p, last, NGX_ENVELOPE_PEM_DASHES) != p) {
        goto unfinished;
    }

    p += sizeof(NGX_ENVELOPE_PEM_DASHES) - 1;

    pem->block.len = p - pem->block.data;

    rest->data = p;
    rest->len = last - p;

    return NGX_OK;

unfinished:

    if (def->name.len) {
        return ngx_envelope_declined(reason, "PEM \"%V\" is not ended by a "
                                     "line of its own", &def->name);
    }

    return ngx_envelope_declined(reason, "a PEM block is not ended by a line "
                                 "of its own");
}


static u_char *
ngx_envelope_pem_find(u_char *p, u_char *last, const char *what)
{
    size_t  len;

    len = ngx_strlen(what);

    for ( /* void */ ; (size_t) (last - p) >= len; p++) {
        if (ngx_memcmp(p, what, len) == 0) {
            return p;
        }
    }

    return NULL;
}


/* a colon is in no base64: there are headers, and they say how to decrypt */

static ngx_int_t
ngx_envelope_pem_read(ngx_envelope_key_found_t *found, ngx_envelope_pem_t *pem,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t  rc;

    if (ngx_strlchr(pem->body.data, pem->body.data + pem->body.len, ':')) {
        rc = ngx_envelope_pem_decrypt(found, pem, reason);

    } else {
        rc = ngx_envelope_key_read_base64(found, &pem->body, reason);
    }

    if (rc == NGX_AGAIN || (rc == NGX_DECLINED && reason->len == 0)) {
        return ngx_envelope_declined(reason, "PEM \"%V\" is damaged: %s",
                                     &pem->def->name,
                                     (rc == NGX_AGAIN)
                                     ? "there is no key or certificate in it"
                                     : "it is not base64");
    }

    return rc;
}


/* RFC 1421 headers, "Proc-Type: 4,ENCRYPTED": OpenSSL's old way */

static ngx_int_t
ngx_envelope_pem_decrypt(ngx_envelope_key_found_t *found,
    ngx_envelope_pem_t *pem, ngx_envelope_reason_t *reason)
{
    BIO              *bio;
    char             *name, *header;
    long              len, size;
    u_char           *data;
    ngx_int_t         rc;
    ngx_str_t         der;
    EVP_CIPHER_INFO   cipher;

    name = NULL;
    header = NULL;
    data = NULL;
    len = 0;
    size = 0;

    rc = ngx_envelope_declined(reason, "PEM \"%V\" has headers that are not "
                               "understood", &pem->def->name);

    bio = BIO_new_mem_buf(pem->block.data, (int) pem->block.len);

    if (bio == NULL
        || PEM_read_bio(bio, &name, &header, &data, &len) != 1
        || PEM_get_EVP_CIPHER_INFO(header, &cipher) != 1)
    {
        goto done;
    }

    size = len;
    ERR_clear_error();

    if (PEM_do_header(&cipher, data, &len, ngx_envelope_key_password, found)
        != 1)
    {
        rc = ngx_envelope_key_locked(found, name, 0, reason);
        goto done;
    }

    der.data = data;
    der.len = len;

    rc = ngx_envelope_key_read_der(found, &der, reason);

    /* one wrong password in 256 leaves what looks like padding */

    if (rc == NGX_AGAIN) {
        ERR_clear_error();
        rc = ngx_envelope_key_locked(found, name, 0, reason);
    }

done:

    OPENSSL_clear_free(data, size);
    OPENSSL_free(header);
    OPENSSL_free(name);
    BIO_free(bio);

    return rc;
}


/*
 * White space may stand anywhere, all else is as strict as on the wire.  A
 * text that is no base64 is NGX_DECLINED with an empty reason.
 */

static ngx_int_t
ngx_envelope_key_read_base64(ngx_envelope_key_found_t *found, ngx_str_t *text,
    ngx_envelope_reason_t *reason)
{
    u_char     *buf, ch;
    size_t      i;
    ngx_int_t   rc;
    ngx_str_t   der;

    buf = OPENSSL_malloc(text->len + 4);
    if (buf == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    der.data = buf;
    der.len = 0;

    for (i = 0; i < text->len; i++) {
        ch = text->data[i];

        if (ch != ' ' && ch != '\t' && ch != CR && ch != LF) {
            der.data[der.len++] = ch;
        }
    }

    rc = der.len ? ngx_envelope_base64_decode(&der, &der, reason)
                 : NGX_DECLINED;

    if (rc == NGX_OK) {
        rc = ngx_envelope_key_read_der(found, &der, reason);

    } else {
        reason->len = 0;
    }

    OPENSSL_clear_free(buf, text->len + 4);

    return rc;
}


int
ngx_envelope_key_password(char *buf, int size, int rwflag, void *data)
{
    ngx_envelope_key_found_t *found = data;

    found->asked = 1;

    if (found->password_len == 0 || found->password_len > (size_t) size) {
        return -1;
    }

    ngx_memcpy(buf, found->password, found->password_len);

    return (int) found->password_len;
}


ngx_uint_t
ngx_envelope_key_unsupported(void)
{
    ngx_uint_t     found;
    unsigned long  code;

    found = 0;

    while ((code = ERR_get_error()) != 0) {

        if (ERR_GET_LIB(code) != ERR_LIB_EVP) {
            continue;
        }

        switch (ERR_GET_REASON(code)) {

        case ERR_R_UNSUPPORTED:
        case EVP_R_UNKNOWN_CIPHER:
        case EVP_R_UNKNOWN_PBE_ALGORITHM:
        case EVP_R_UNSUPPORTED_ALGORITHM:
        case EVP_R_UNSUPPORTED_CIPHER:
            found = 1;
            break;
        }
    }

    return found;
}


ngx_int_t
ngx_envelope_key_locked(ngx_envelope_key_found_t *found, const char *what,
    ngx_uint_t legacy, ngx_envelope_reason_t *reason)
{
    ngx_uint_t  unsupported;

    unsupported = ngx_envelope_key_unsupported();

    if (found->password_len == 0) {
        return ngx_envelope_declined(reason, "%s is encrypted, give "
                                     "password=", what);
    }

    if (unsupported) {
        return ngx_envelope_declined(reason, "%s is encrypted in a way that "
                                     "this OpenSSL does not support%s", what,
                                     legacy ? ": its \"legacy\" provider is "
                                              "needed and not installed"
                                            : "");
    }

    return ngx_envelope_declined(reason, "%s is encrypted and the password is "
                                 "wrong", what);
}
