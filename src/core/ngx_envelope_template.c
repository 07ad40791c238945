
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_template.h"
#include "ngx_envelope_statement.h"


static ngx_int_t ngx_envelope_template_text(ngx_envelope_template_t *template,
    ngx_envelope_format_t *format, u_char *from, u_char *to);
static ngx_int_t ngx_envelope_template_mark(ngx_envelope_template_t *template,
    ngx_envelope_format_t *format, ngx_str_t *name,
    ngx_envelope_reason_t *reason);


ngx_int_t
ngx_envelope_template_parse(ngx_envelope_template_t *template,
    ngx_envelope_format_t *format, ngx_str_t *text,
    ngx_envelope_reason_t *reason)
{
    u_char     *p, *from, *end, *close;
    ngx_int_t   rc;
    ngx_str_t   name;

    if (ngx_envelope_copy(format->pool, &template->text, text) != NGX_OK
        || ngx_array_init(&template->pieces, format->pool, 4,
                          sizeof(ngx_envelope_piece_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = template->text.data;
    end = p + template->text.len;
    from = p;

    while (p < end) {

        if (*p != '<') {
            p++;
            continue;
        }

        /* the literal "<" of a "<<" ends the text before it */

        if (ngx_envelope_template_text(template, format, from,
                                       (p + 1 < end && p[1] == '<') ? p + 1
                                                                    : p)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (p + 1 < end && p[1] == '<') {
            p += 2;
            from = p;
            continue;
        }

        close = ngx_strlchr(p, end, '>');
        if (close == NULL) {
            return ngx_envelope_declined(reason, "\"<\" without \">\" in "
                                         "\"%V\", a literal \"<\" is written "
                                         "\"<<\"", text);
        }

        name.data = p + 1;
        name.len = close - name.data;

        rc = ngx_envelope_template_mark(template, format, &name, reason);
        if (rc != NGX_OK) {
            return rc;
        }

        p = close + 1;
        from = p;
    }

    return ngx_envelope_template_text(template, format, from, end);
}


static ngx_int_t
ngx_envelope_template_text(ngx_envelope_template_t *template,
    ngx_envelope_format_t *format, u_char *from, u_char *to)
{
    ngx_envelope_piece_t  *piece;

    if (from == to) {
        return NGX_OK;
    }

    piece = ngx_array_push(&template->pieces);
    if (piece == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(piece, sizeof(ngx_envelope_piece_t));

    piece->text.data = from;
    piece->text.len = to - from;

    if (ngx_strlchr(from, to, '$') == NULL) {
        piece->kind = NGX_ENVELOPE_PIECE_TEXT;
        return NGX_OK;
    }

    piece->kind = NGX_ENVELOPE_PIECE_VALUE;

    return ngx_envelope_value_add(format, &piece->text, &piece->index);
}


/* what stands between "<" and ">" */

static ngx_int_t
ngx_envelope_template_mark(ngx_envelope_template_t *template,
    ngx_envelope_format_t *format, ngx_str_t *name,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t              rc;
    ngx_envelope_piece_t  *piece;

    piece = ngx_array_push(&template->pieces);
    if (piece == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(piece, sizeof(ngx_envelope_piece_t));

    if (ngx_envelope_is(name, "body")) {
        piece->kind = NGX_ENVELOPE_PIECE_BODY;
        template->body = 1;
        return NGX_OK;
    }

    if (ngx_envelope_is(name, "sorted")) {
        piece->kind = NGX_ENVELOPE_PIECE_SORTED;
        template->sorted = 1;
        format->members = 1;
        format->depth = ngx_max(format->depth, 1);
        return NGX_OK;
    }

    if (name->len >= sizeof("secret:") - 1
        && ngx_strncmp(name->data, "secret:", sizeof("secret:") - 1) == 0)
    {
        piece->kind = NGX_ENVELOPE_PIECE_SECRET;
        piece->text.data = name->data + sizeof("secret:") - 1;
        piece->text.len = name->len - (sizeof("secret:") - 1);
        template->secret = 1;
        return NGX_OK;
    }

    piece->kind = NGX_ENVELOPE_PIECE_ADDRESS;

    rc = ngx_envelope_format_address(format, &piece->address, name, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (piece->address.many) {
        return ngx_envelope_declined(reason, "<%V> is more than one value",
                                     name);
    }

    return NGX_OK;
}


ngx_int_t
ngx_envelope_template_link(ngx_envelope_template_t *template,
    ngx_envelope_format_t *format, ngx_envelope_reason_t *reason)
{
    ngx_int_t              rc;
    ngx_uint_t             i;
    ngx_envelope_piece_t  *piece;

    piece = template->pieces.elts;

    for (i = 0; i < template->pieces.nelts; i++) {

        if (piece[i].kind != NGX_ENVELOPE_PIECE_SECRET) {
            continue;
        }

        rc = ngx_envelope_format_ring(format, &piece[i].text, 1,
                                      &piece[i].index, reason);
        if (rc != NGX_OK) {
            return rc;
        }

        format->tries |= (uint64_t) 1 << piece[i].index;
    }

    return NGX_OK;
}


ngx_int_t
ngx_envelope_value_add(ngx_envelope_format_t *format, ngx_str_t *text,
    ngx_uint_t *index)
{
    ngx_str_t  *value;

    value = ngx_array_push(&format->values);
    if (value == NULL) {
        return NGX_ERROR;
    }

    *index = format->values.nelts - 1;

    return ngx_envelope_copy(format->pool, value, text);
}
