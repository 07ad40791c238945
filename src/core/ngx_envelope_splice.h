
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_SPLICE_H_INCLUDED_
#define _NGX_ENVELOPE_SPLICE_H_INCLUDED_


#include "ngx_envelope_json.h"


/*
 * Edits of a scanned JSON text.  Nothing is ever written anew: the text
 * between the edited values, white space, order and spelling, is carried
 * over byte by byte.
 *
 * An added member follows the last value of its object directly, in front of
 * the white space before the brace.  A removed one takes along what lies
 * between it and the next member, or, as the last, what lies between the
 * previous value and its own end; so adding and then removing gives the
 * bytes from before.
 */


/*
 * The value becomes the text (which must outlive the node, is a valid JSON
 * value, and may have white space around it), of the type given.  The node's
 * children, if any, are forgotten; *sub, when not NULL, is a scan of the
 * same text whose children become the node's.
 */

void ngx_envelope_json_replace(ngx_envelope_node_t *node, ngx_str_t *text,
    ngx_envelope_json_type_e type, ngx_envelope_node_t *sub);


/* the name of a member that may be added */

typedef struct {
    ngx_str_t                   text;      /* decoded */
    ngx_str_t                   quoted;    /* as it is written */
} ngx_envelope_json_name_t;


/* copies the text; returns what ngx_envelope_json_encode() does */

ngx_int_t ngx_envelope_json_name(ngx_pool_t *pool, ngx_str_t *text,
    ngx_envelope_json_name_t *name, ngx_envelope_reason_t *reason);

/*
 * Adds a member to an object at its end, for now with the value null; the
 * name must outlive the node.  The object must have been scanned; an empty
 * one that was put in by replacing counts as such, of any other nobody knows
 * where its members end and NULL is returned.  The caller has checked that
 * no member of that name is present.  Returns NULL when out of memory, and
 * the object is as it was.
 */

ngx_envelope_node_t *ngx_envelope_json_add(ngx_pool_t *pool,
    ngx_envelope_node_t *object, const ngx_envelope_json_name_t *name);

/* takes a member out of its object; the root and elements stay */

void ngx_envelope_json_remove(ngx_envelope_node_t *member);

/*
 * What the value has become: its text itself where nothing below it changed,
 * else written out into memory of ngx_envelope_secret_alloc(), anew at each
 * call (the tree is left as it is and may be edited further).  This has room
 * for the members that have been removed as well.
 * ngx_envelope_json_text() of the root is the body without the white space
 * that was around it.
 */

ngx_int_t ngx_envelope_json_text(ngx_pool_t *pool, ngx_envelope_node_t *node,
    ngx_str_t *text);


#endif /* _NGX_ENVELOPE_SPLICE_H_INCLUDED_ */
