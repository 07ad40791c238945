
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_ADDRESS_H_INCLUDED_
#define _NGX_ENVELOPE_ADDRESS_H_INCLUDED_


#include "ngx_envelope_splice.h"


/*
 * Where in a message something stands: a member by its name ("data"), by a
 * JSON pointer (RFC 6901, "/resource/ciphertext"; "*" stands for every
 * element), a header ("header:Name") or one "param=value" of a structured
 * header ("header:Name:param").
 */

#define NGX_ENVELOPE_ADDRESS_TOKENS_MAX  16


typedef enum {
    NGX_ENVELOPE_ADDRESS_MEMBER = 0,
    NGX_ENVELOPE_ADDRESS_HEADER,
    NGX_ENVELOPE_ADDRESS_PARAM
} ngx_envelope_address_kind_e;


typedef struct {
    ngx_str_t                     text;     /* as it was written */
    ngx_envelope_address_kind_e   kind;
    ngx_envelope_json_name_t     *tokens;   /* of a member; the text of "*"
                                               has NULL data */
    ngx_uint_t                    n;
    ngx_str_t                     header;
    ngx_str_t                     param;

    ngx_uint_t                    floor;    /* objects above it that stay
                                               when it leaves them empty */

    unsigned                      many:1;   /* it has a "*" */
    unsigned                      inner:1;  /* it stands inside of something
                                               that has to be opened first */
} ngx_envelope_address_t;


/* copies the text; NGX_DECLINED with a reason for what is no address */

ngx_int_t ngx_envelope_address_parse(ngx_envelope_address_t *address,
    ngx_pool_t *pool, ngx_str_t *text, ngx_envelope_reason_t *reason);

/* whether both name the same place, and whether a is b or stands below it */

ngx_uint_t ngx_envelope_address_equal(ngx_envelope_address_t *a,
    ngx_envelope_address_t *b);
ngx_uint_t ngx_envelope_address_below(ngx_envelope_address_t *a,
    ngx_envelope_address_t *b);

/*
 * The one value of an address without "*"; *node is NULL where it is absent.
 * NGX_DECLINED: a name on the way stands twice, or something on the way is
 * neither an object nor, for a number, an array (null counts as absent).
 * The second one tells what is of a wrong type by NGX_DONE.
 */

ngx_int_t ngx_envelope_address_find(ngx_envelope_address_t *address,
    ngx_envelope_node_t *root, ngx_envelope_node_t **node,
    ngx_envelope_reason_t *reason);
ngx_int_t ngx_envelope_address_look(ngx_envelope_address_t *address,
    ngx_envelope_node_t *root, ngx_envelope_node_t **node,
    ngx_envelope_reason_t *reason);

/*
 * All values of an address, pushed to an array of ngx_envelope_node_t *.
 * *absent counts the places where the value should stand and does not; a "*"
 * over nothing makes no such place.
 */

ngx_int_t ngx_envelope_address_each(ngx_envelope_address_t *address,
    ngx_envelope_node_t *root, ngx_array_t *nodes, ngx_uint_t *absent,
    ngx_envelope_reason_t *reason);

/*
 * The value of an address without "*", as ngx_envelope_address_find(); where
 * it is absent a null is added, and the objects on the way to it.
 */

ngx_int_t ngx_envelope_address_make(ngx_envelope_address_t *address,
    ngx_pool_t *pool, ngx_envelope_node_t *root, ngx_envelope_node_t **made,
    ngx_envelope_reason_t *reason);

/*
 * Makes the address hold the text.  "sub" is a scan of the text, or NULL
 * where nobody will look into it.
 */

ngx_int_t ngx_envelope_address_write(ngx_envelope_address_t *address,
    ngx_pool_t *pool, ngx_envelope_node_t *root, ngx_str_t *text,
    ngx_envelope_json_type_e type, ngx_envelope_node_t *sub,
    ngx_envelope_reason_t *reason);

/*
 * Takes the member out, and the objects above it that this has emptied but
 * for the "floor" first ones.
 */

ngx_int_t ngx_envelope_address_remove(ngx_envelope_address_t *address,
    ngx_envelope_node_t *root, ngx_envelope_reason_t *reason);


#endif /* _NGX_ENVELOPE_ADDRESS_H_INCLUDED_ */
