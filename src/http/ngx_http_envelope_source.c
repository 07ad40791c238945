
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_source.h"
#include "ngx_envelope_codec.h"
#include "ngx_envelope_key.h"

#include <openssl/crypto.h>


typedef ngx_int_t (*ngx_http_envelope_decode_pt)(ngx_str_t *dst,
    ngx_str_t *src, ngx_envelope_reason_t *reason);


typedef struct {
    ngx_str_t                         name;
    ngx_http_envelope_decode_pt       decode;   /* NULL: as it is */
    ngx_uint_t                        exact;    /* a line break counts */
} ngx_http_envelope_encoding_t;


static ngx_int_t ngx_http_envelope_source_env(
    ngx_http_envelope_source_t *source, u_char *name,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_source_fill(
    ngx_http_envelope_source_t *source, ngx_fd_t fd,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_http_envelope_source_errno(ngx_str_t *name,
    const char *call, ngx_envelope_reason_t *reason);


static const ngx_http_envelope_encoding_t  ngx_http_envelope_encodings[] = {
    { ngx_string("text"), NULL, 0 },
    { ngx_string("raw"), NULL, 1 },
    { ngx_string("base64"), ngx_envelope_base64_decode, 0 },
    { ngx_string("hex"), ngx_envelope_hex_decode, 0 },
    { ngx_null_string, NULL, 0 }
};


ngx_int_t
ngx_http_envelope_source_read(ngx_http_envelope_source_t *source,
    ngx_cycle_t *cycle, ngx_str_t *word, ngx_envelope_reason_t *reason)
{
    size_t  skip;

    ngx_memzero(source, sizeof(ngx_http_envelope_source_t));

    if (ngx_strncmp(word->data, "data:", 5) == 0) {
        source->kind = NGX_HTTP_ENVELOPE_SOURCE_DATA;
        ngx_str_set(&source->label, "data:");
        skip = 5;

    } else if (ngx_strncmp(word->data, "store:", 6) == 0) {
        source->kind = NGX_HTTP_ENVELOPE_SOURCE_STORE;
        ngx_str_set(&source->label, "store:");
        skip = 6;

    } else if (ngx_strncmp(word->data, "env:", 4) == 0) {
        source->kind = NGX_HTTP_ENVELOPE_SOURCE_ENV;
        source->label = *word;

        return ngx_http_envelope_source_env(source, word->data + 4, reason);

    } else {
        return ngx_http_envelope_source_read_file(source, cycle, word,
                                                  reason);
    }

    source->content.data = word->data + skip;
    source->content.len = word->len - skip;

    source->buffer = source->content.data;
    source->size = source->content.len;

    if (source->content.len == 0) {
        return ngx_envelope_declined(reason, "nothing follows \"%V\"",
                                     &source->label);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_envelope_source_read_file(ngx_http_envelope_source_t *source,
    ngx_cycle_t *cycle, ngx_str_t *name, ngx_envelope_reason_t *reason)
{
    ngx_fd_t         fd;
    ngx_int_t        rc;
    ngx_file_info_t  fi;

    ngx_memzero(source, sizeof(ngx_http_envelope_source_t));

    source->label = *name;

    if (ngx_conf_full_name(cycle, &source->label, 1) != NGX_OK) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    fd = ngx_open_file(source->label.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return ngx_http_envelope_source_errno(&source->label, ngx_open_file_n,
                                              reason);
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        rc = ngx_http_envelope_source_errno(&source->label, ngx_fd_info_n,
                                            reason);
        goto done;
    }

    source->exposed = (ngx_file_access(&fi) & S_IROTH) ? 1 : 0;

    rc = ngx_http_envelope_source_fill(source, fd, reason);

done:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", &source->label);
    }

    return rc;
}


void
ngx_http_envelope_source_done(ngx_http_envelope_source_t *source)
{
    if (source->buffer == NULL) {
        return;
    }

    OPENSSL_cleanse(source->buffer, source->size);

    if (source->kind == NGX_HTTP_ENVELOPE_SOURCE_FILE
        || source->kind == NGX_HTTP_ENVELOPE_SOURCE_ENV)
    {
        ngx_free(source->buffer);
    }

    source->buffer = NULL;
    ngx_str_null(&source->content);
}


void
ngx_http_envelope_source_first_line(ngx_http_envelope_source_t *source)
{
    u_char  *p;

    p = ngx_strlchr(source->content.data,
                    source->content.data + source->content.len, LF);

    if (p == NULL) {
        return;
    }

    if (p > source->content.data && p[-1] == CR) {
        p--;
    }

    source->content.len = p - source->content.data;
}


ngx_int_t
ngx_http_envelope_source_decode(ngx_http_envelope_source_t *source,
    ngx_str_t *encoding, ngx_envelope_reason_t *reason)
{
    ngx_str_t                           *content;
    const ngx_http_envelope_encoding_t  *enc;

    /* what is no encoding may be a misplaced secret: it is not repeated */

    for (enc = ngx_http_envelope_encodings; /* void */ ; enc++) {

        if (enc->name.len == 0) {
            return ngx_envelope_declined(reason, "unknown encoding, use "
                                         "text, base64, hex or raw");
        }

        if (enc->name.len == encoding->len
            && ngx_strncmp(enc->name.data, encoding->data, encoding->len)
               == 0)
        {
            break;
        }
    }

    content = &source->content;

    if (!enc->exact && source->kind == NGX_HTTP_ENVELOPE_SOURCE_FILE
        && content->len && content->data[content->len - 1] == LF)
    {
        content->len--;

        if (content->len && content->data[content->len - 1] == CR) {
            content->len--;
        }
    }

    return enc->decode ? enc->decode(content, content, reason) : NGX_OK;
}


/*
 * The content is copied, as the environment has to stay for the next reload
 * while decoding writes to the content.
 */

static ngx_int_t
ngx_http_envelope_source_env(ngx_http_envelope_source_t *source, u_char *name,
    ngx_envelope_reason_t *reason)
{
    char    *value;
    size_t   len;

    value = *name ? getenv((char *) name) : NULL;

    if (value == NULL || *value == '\0') {
        return ngx_envelope_declined(reason, "environment variable \"%s\" "
                                     "is %s", name,
                                     value ? "empty" : "not set");
    }

    len = ngx_strlen(value);

    if (len > NGX_ENVELOPE_KEY_CONTENT_MAX) {
        return ngx_envelope_declined(reason, "environment variable \"%s\" "
                                     "is longer than %d bytes", name,
                                     NGX_ENVELOPE_KEY_CONTENT_MAX);
    }

    source->buffer = ngx_alloc(len, ngx_cycle->log);
    if (source->buffer == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    source->size = len;
    ngx_memcpy(source->buffer, value, len);

    source->content.data = source->buffer;
    source->content.len = len;

    return NGX_OK;
}


/* one byte more than may be there is asked for, to see that there is more */

static ngx_int_t
ngx_http_envelope_source_fill(ngx_http_envelope_source_t *source, ngx_fd_t fd,
    ngx_envelope_reason_t *reason)
{
    size_t   len;
    ssize_t  n;

    source->size = NGX_ENVELOPE_KEY_CONTENT_MAX + 1;

    source->buffer = ngx_alloc(source->size, ngx_cycle->log);
    if (source->buffer == NULL) {
        return ngx_envelope_failed(reason, "out of memory");
    }

    len = 0;

    while (len < source->size) {
        n = ngx_read_fd(fd, source->buffer + len, source->size - len);

        if (n == -1) {

            if (ngx_errno == NGX_EINTR) {
                continue;
            }

            return ngx_http_envelope_source_errno(&source->label,
                                                  ngx_read_fd_n, reason);
        }

        if (n == 0) {
            break;
        }

        len += n;
    }

    if (len > NGX_ENVELOPE_KEY_CONTENT_MAX) {
        return ngx_envelope_declined(reason, "\"%V\" is longer than %d bytes",
                                     &source->label,
                                     NGX_ENVELOPE_KEY_CONTENT_MAX);
    }

    if (len == 0) {
        return ngx_envelope_declined(reason, "\"%V\" is empty",
                                     &source->label);
    }

    source->content.data = source->buffer;
    source->content.len = len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_envelope_source_errno(ngx_str_t *name, const char *call,
    ngx_envelope_reason_t *reason)
{
    u_char     *p, text[NGX_MAX_ERROR_STR / 8];
    ngx_err_t   err;

    err = ngx_errno;
    p = ngx_strerror(err, text, sizeof(text));

    return ngx_envelope_declined(reason, "%s \"%V\" failed (%d: %*s)",
                                 call, name, (int) err,
                                 (size_t) (p - text), text);
}
