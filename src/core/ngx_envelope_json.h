
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_JSON_H_INCLUDED_
#define _NGX_ENVELOPE_JSON_H_INCLUDED_


#include "ngx_envelope_reason.h"


#define NGX_ENVELOPE_JSON_DEPTH_MAX  128


typedef enum {
    NGX_ENVELOPE_JSON_NULL = 0,
    NGX_ENVELOPE_JSON_BOOLEAN,
    NGX_ENVELOPE_JSON_NUMBER,
    NGX_ENVELOPE_JSON_STRING,
    NGX_ENVELOPE_JSON_ARRAY,
    NGX_ENVELOPE_JSON_OBJECT
} ngx_envelope_json_type_e;


typedef struct ngx_envelope_node_s  ngx_envelope_node_t;

/*
 * A value of a JSON text.  Nodes point into the text and copy nothing; the
 * text must outlive them.  Only the values that lie at most as deep as the
 * caller asked for have nodes, the rest has been checked and passed over.
 *
 * "from" and "to" are where the value stood in the text that its parent was
 * scanned from; "text" is what the value is now.  They differ after
 * ngx_envelope_json_replace(), and "text" is stale for a value that is
 * "changed" below: use ngx_envelope_json_text() for what it has become.
 */

struct ngx_envelope_node_s {
    ngx_str_t                   name;      /* of a member, decoded */
    u_char                     *name_from; /* its opening quote; an element's
                                              or an added member's: NULL */
    u_char                     *from;      /* NULL for an added member */
    u_char                     *to;
    ngx_str_t                   text;

    ngx_envelope_node_t        *parent;
    ngx_envelope_node_t        *child;     /* first */
    ngx_envelope_node_t        *last;
    ngx_envelope_node_t        *next;

    ngx_str_t                   string;    /* of a string: decoded, or data
                                              is NULL as nobody asked yet */
    ngx_envelope_json_type_e    type;
    unsigned                    removed:1;
    unsigned                    changed:1; /* something below it was edited */
    unsigned                    scanned:1; /* its children have nodes */
};


/*
 * Checks that the text is JSON as RFC 8259 has it (valid UTF-8, no byte
 * order mark, no trailing bytes, white space only of its four kinds, at most
 * NGX_ENVELOPE_JSON_DEPTH_MAX levels of nesting) and makes nodes down to
 * "depth" levels below the root (0: the root alone).  The root's text is the
 * value without the white space around it.  Duplicate names are legal here:
 * whoever looks a member up has to ask.
 *
 * Returns NGX_OK, NGX_DECLINED with a reason that names the byte's offset
 * but never the byte, or NGX_ERROR.
 */

ngx_int_t ngx_envelope_json_scan(ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t depth, ngx_envelope_node_t **root,
    ngx_envelope_reason_t *reason);

/*
 * The member of an object by its decoded name, compared byte by byte.
 * Returns the number of present (not removed) members of that name, 0, 1 or
 * 2 for more than one; *member is the first of them.
 */

ngx_uint_t ngx_envelope_json_member(ngx_envelope_node_t *object,
    ngx_str_t *name, ngx_envelope_node_t **member);

/*
 * Decodes a JSON string, given with its quotes, that has passed a scan.
 * Without escapes dst points into the text, else the bytes are allocated
 * with ngx_envelope_secret_alloc().  Returns NGX_DECLINED for an escaped
 * lone surrogate, which no UTF-8 can hold.
 */

ngx_int_t ngx_envelope_json_decode(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *dst, ngx_envelope_reason_t *reason);

/*
 * The same for a member's name, which is never refused: a lone surrogate
 * becomes the three bytes that UTF-8 would have for it, so that names that
 * differ stay different.
 */

ngx_int_t ngx_envelope_json_decode_name(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *dst, ngx_envelope_reason_t *reason);

/*
 * Writes a JSON string with quotes: escapes only ", \ and what is below
 * U+0020 (\b \t \n \f \r or \u00xx).  Returns NGX_DECLINED if src is not
 * UTF-8.  The bytes are allocated with ngx_envelope_secret_alloc().
 */

ngx_int_t ngx_envelope_json_encode(ngx_pool_t *pool, ngx_str_t *src,
    ngx_str_t *dst, ngx_envelope_reason_t *reason);

/* whether the whole text is one JSON number; for "set .. number" */

ngx_uint_t ngx_envelope_json_is_number(ngx_str_t *text);

/* whether two JSON texts are equal but for white space outside strings */

ngx_uint_t ngx_envelope_json_equal(ngx_str_t *a, ngx_str_t *b);


#endif /* _NGX_ENVELOPE_JSON_H_INCLUDED_ */
