
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_RUN_H_INCLUDED_
#define _NGX_ENVELOPE_RUN_H_INCLUDED_


#include "ngx_envelope_statement.h"
#include "ngx_envelope_transform.h"


/* one attempt at sealing or opening one message */

struct ngx_envelope_run_s {
    ngx_pool_t                    *pool;
    const ngx_envelope_input_t    *input;
    ngx_envelope_format_t         *format;
    ngx_envelope_reason_t         *reason;

    ngx_envelope_node_t           *root;     /* NULL: no JSON is needed */
    ngx_str_t                      head;     /* white space around it */
    ngx_str_t                      tail;
    ngx_envelope_headers_t         headers;
    ngx_str_t                      kid;

    ngx_str_t                     *randoms;  /* secret memory of their size */
    uint64_t                       known;    /* the bits of the parts of
                                                randoms that are filled */
    size_t                         rsa;      /* bytes of RSA ciphertext */

    ngx_array_t                   *once;     /* of the output */

    unsigned                       decoded:1; /* past the outer shape: any
                                                 fault is a secret one */
    unsigned                       wire:1;    /* what steps have in hand is
                                                 on the wire: no secret */

    /* which key of each ring of the format */
    ngx_uint_t                     choice[NGX_ENVELOPE_RINGS_MAX];
};


/* the body as it is by now, white space around it included */

ngx_int_t ngx_envelope_run_body(ngx_envelope_run_t *run, ngx_str_t *body);

/*
 * What an address holds, as a template sees it: a string's decoded bytes,
 * of anything else the raw text.  NGX_DECLINED where it is absent.
 */

ngx_int_t ngx_envelope_run_read(ngx_envelope_run_t *run,
    ngx_envelope_address_t *address, ngx_str_t *value);

/*
 * The text of the string (decoded) or number that stands there just once;
 * NGX_DECLINED for anything else, and for a number if there is to be none.
 */

ngx_int_t ngx_envelope_run_scalar(ngx_envelope_run_t *run,
    ngx_envelope_address_t *address, ngx_uint_t number, ngx_str_t *value);

/* null and "" */

ngx_uint_t ngx_envelope_node_empty(ngx_envelope_node_t *node);

/* the decoded value of a string; there may be white space around it */

ngx_int_t ngx_envelope_run_string(ngx_envelope_run_t *run,
    ngx_envelope_node_t *node, ngx_str_t *value);

/*
 * The same of a header or a param: *n is how often it stands there, 0, 1 or
 * 2 for more than once.
 */

void ngx_envelope_run_header(ngx_envelope_run_t *run,
    ngx_envelope_address_t *address, ngx_str_t *value, ngx_uint_t *n);

/*
 * Whether what a template reads, or the steps do, stands in the outer
 * message, just once.
 */

ngx_int_t ngx_envelope_run_template_shape(ngx_envelope_run_t *run,
    ngx_envelope_template_t *template);
ngx_int_t ngx_envelope_steps_shape(ngx_envelope_run_t *run,
    ngx_envelope_steps_t *steps);

/* the text of a "set", with its variables */

void ngx_envelope_run_value(ngx_envelope_run_t *run, ngx_envelope_set_t *set,
    ngx_str_t *value);

/* key material: bytes of a secret, a random or a constant; or a key */

ngx_int_t ngx_envelope_run_bytes(ngx_envelope_run_t *run,
    ngx_envelope_ref_t *ref, ngx_str_t *bytes);
ngx_envelope_key_t *ngx_envelope_run_key(ngx_envelope_run_t *run,
    ngx_envelope_ref_t *ref);

/* writes a text to an address of any kind, as a JSON string to a member */

ngx_int_t ngx_envelope_run_write(ngx_envelope_run_t *run,
    ngx_envelope_address_t *address, ngx_str_t *text);

/* the same where the JSON string is at hand; both must outlive the message */

ngx_int_t ngx_envelope_run_write_quoted(ngx_envelope_run_t *run,
    ngx_envelope_address_t *address, ngx_str_t *text, ngx_str_t *quoted);

ngx_int_t ngx_envelope_run_remove(ngx_envelope_run_t *run,
    ngx_envelope_address_t *address);

/*
 * The template's pieces, one string each.  "st" is the signature whose own
 * member <sorted> leaves out; NULL for what is no signature.
 */

ngx_int_t ngx_envelope_run_template(ngx_envelope_run_t *run,
    ngx_envelope_template_t *template, ngx_envelope_statement_t *st,
    ngx_str_t **text, ngx_uint_t *n);

ngx_int_t ngx_envelope_run_join(ngx_envelope_run_t *run, ngx_str_t *text,
    ngx_uint_t n, ngx_str_t *joined);


/*
 * A kind of step.  One that makes text seals to characters that need no
 * escape in a JSON string, and owns a byte in front of them and one behind,
 * for quotes.
 */

#define NGX_ENVELOPE_MAKES_SAME   0   /* text of text, bytes of bytes */
#define NGX_ENVELOPE_MAKES_TEXT   1
#define NGX_ENVELOPE_MAKES_BYTES  2


struct ngx_envelope_step_def_s {
    ngx_str_t     name;
    ngx_uint_t    makes;
    ngx_uint_t    padding;   /* of RSA: ngx_envelope_rsa_padding_e */

    ngx_int_t   (*parse)(ngx_envelope_format_t *format,
                         ngx_envelope_step_t *step,
                         ngx_envelope_words_t *words,
                         ngx_envelope_reason_t *reason);
    ngx_int_t   (*link)(ngx_envelope_format_t *format,
                        ngx_envelope_step_t *step,
                        ngx_envelope_reason_t *reason);
    ngx_int_t   (*check)(ngx_envelope_format_t *format,
                         ngx_envelope_step_t *step,
                         ngx_envelope_check_t *check,
                         ngx_envelope_reason_t *reason);
    ngx_int_t   (*seal)(ngx_envelope_run_t *run, ngx_envelope_step_t *step,
                        ngx_str_t *in, ngx_str_t *out);
    ngx_int_t   (*open)(ngx_envelope_run_t *run, ngx_envelope_step_t *step,
                        ngx_str_t *in, ngx_str_t *out);
};


extern const ngx_envelope_step_def_t  ngx_envelope_base64_step;
extern const ngx_envelope_step_def_t  ngx_envelope_base64url_step;
extern const ngx_envelope_step_def_t  ngx_envelope_hex_step;
extern const ngx_envelope_step_def_t  ngx_envelope_prefix_step;
extern const ngx_envelope_step_def_t  ngx_envelope_rsa_pkcs1_step;
extern const ngx_envelope_step_def_t  ngx_envelope_rsa_oaep_step;
extern const ngx_envelope_step_def_t  ngx_envelope_rsa_private_step;
extern const ngx_envelope_step_def_t  ngx_envelope_aes_step;


/*
 * Finds what a "key=" or "iv=" names: a random of the format or a part of
 * it, else a ring of the profile: a key's, or if "secret" a secret's.
 */

ngx_int_t ngx_envelope_ref_link(ngx_envelope_format_t *format,
    ngx_envelope_ref_t *ref, ngx_uint_t secret,
    ngx_envelope_reason_t *reason);

/* whether a random has been made or recovered before it is needed */

ngx_int_t ngx_envelope_ref_check(ngx_envelope_format_t *format,
    ngx_envelope_ref_t *ref, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason);


/* reading and running "| step | step .." */

ngx_int_t ngx_envelope_steps_parse(ngx_envelope_format_t *format,
    ngx_envelope_steps_t *steps, ngx_envelope_words_t *words,
    ngx_uint_t text, ngx_envelope_reason_t *reason);
ngx_int_t ngx_envelope_steps_link(ngx_envelope_format_t *format,
    ngx_envelope_steps_t *steps, ngx_envelope_reason_t *reason);
ngx_int_t ngx_envelope_steps_check(ngx_envelope_format_t *format,
    ngx_envelope_steps_t *steps, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason);
ngx_uint_t ngx_envelope_steps_authentic(ngx_envelope_steps_t *steps);

/* the first AES-GCM step among them, NULL if there is none */

ngx_envelope_step_t *ngx_envelope_steps_gcm(ngx_envelope_steps_t *steps);

/* whether there is one with a key among them */

ngx_uint_t ngx_envelope_steps_keyed(ngx_envelope_steps_t *steps);

ngx_int_t ngx_envelope_steps_seal(ngx_envelope_run_t *run,
    ngx_envelope_steps_t *steps, ngx_str_t *text);
ngx_int_t ngx_envelope_steps_open(ngx_envelope_run_t *run,
    ngx_envelope_steps_t *steps, ngx_str_t *text);

/*
 * What these steps have sealed as a JSON string, see
 * ngx_envelope_json_encode(); where it can be, "text" itself with quotes.
 */

ngx_int_t ngx_envelope_steps_quote(ngx_envelope_run_t *run,
    ngx_envelope_steps_t *steps, ngx_str_t *text, ngx_str_t *string);

/* writes it to an address, see ngx_envelope_run_write() */

ngx_int_t ngx_envelope_steps_write(ngx_envelope_run_t *run,
    ngx_envelope_steps_t *steps, ngx_envelope_address_t *address,
    ngx_str_t *text);


#endif /* _NGX_ENVELOPE_RUN_H_INCLUDED_ */
