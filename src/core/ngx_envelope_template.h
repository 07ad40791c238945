
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_TEMPLATE_H_INCLUDED_
#define _NGX_ENVELOPE_TEMPLATE_H_INCLUDED_


#include "ngx_envelope_address.h"
#include "ngx_envelope_format.h"


/*
 * A text to sign or to authenticate: literal bytes and nginx variables,
 * <ADDRESS>, <body>, <secret:NAME>, <sorted>; "<<" is a "<".
 */

typedef enum {
    NGX_ENVELOPE_PIECE_TEXT = 0,
    NGX_ENVELOPE_PIECE_VALUE,     /* holds nginx variables */
    NGX_ENVELOPE_PIECE_ADDRESS,
    NGX_ENVELOPE_PIECE_BODY,
    NGX_ENVELOPE_PIECE_SECRET,
    NGX_ENVELOPE_PIECE_SORTED
} ngx_envelope_piece_kind_e;


typedef struct {
    ngx_envelope_piece_kind_e   kind;
    ngx_str_t                   text;     /* or the secret's name */
    ngx_uint_t                  index;    /* of the value, of the ring */
    ngx_envelope_address_t      address;
} ngx_envelope_piece_t;


typedef struct {
    ngx_str_t                   text;     /* as it was written */
    ngx_array_t                 pieces;   /* ngx_envelope_piece_t */
    unsigned                    body:1;
    unsigned                    sorted:1;
    unsigned                    inner:1;  /* <sorted> is of a message inside
                                             of the one that comes in */
    unsigned                    secret:1;
} ngx_envelope_template_t;


ngx_int_t ngx_envelope_template_parse(ngx_envelope_template_t *template,
    ngx_envelope_format_t *format, ngx_str_t *text,
    ngx_envelope_reason_t *reason);

/* finds the secrets by name */

ngx_int_t ngx_envelope_template_link(ngx_envelope_template_t *template,
    ngx_envelope_format_t *format, ngx_envelope_reason_t *reason);

/* a piece of "set" or "when", too: its index if it has variables in it */

ngx_int_t ngx_envelope_value_add(ngx_envelope_format_t *format,
    ngx_str_t *text, ngx_uint_t *index);


#endif /* _NGX_ENVELOPE_TEMPLATE_H_INCLUDED_ */
