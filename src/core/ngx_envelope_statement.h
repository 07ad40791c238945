
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_STATEMENT_H_INCLUDED_
#define _NGX_ENVELOPE_STATEMENT_H_INCLUDED_


#include "ngx_envelope_template.h"
#include "ngx_envelope_step.h"


/*
 * Statements of a message format.  Each has a row in a table: how it is
 * read, linked and checked at configuration, and how it is run.  What one
 * does when sealing and its inverse stand side by side in one file.
 */

#define NGX_ENVELOPE_STATEMENTS_MAX  64
#define NGX_ENVELOPE_RINGS_MAX       64    /* that a format uses */
#define NGX_ENVELOPE_RANDOM_MAX      1024  /* bytes of one "random" */
#define NGX_ENVELOPE_RANDOMS_MAX     8
#define NGX_ENVELOPE_PARTS_MAX       8     /* of one "random" */


typedef struct ngx_envelope_run_s    ngx_envelope_run_t;
typedef struct ngx_envelope_words_s  ngx_envelope_words_t;


/* the words of a statement as they are read */

struct ngx_envelope_words_s {
    ngx_str_t                     *elts;
    ngx_uint_t                     nelts;
    ngx_uint_t                     pos;
};


typedef struct {
    ngx_str_t                      name;
    size_t                         offset;
    size_t                         len;
} ngx_envelope_part_t;


typedef struct {
    ngx_str_t                      name;
    size_t                         len;
    ngx_array_t                    parts;   /* ngx_envelope_part_t */
} ngx_envelope_random_t;


/* the "steps" of a field or a signature, in the order of sealing */

typedef struct {
    ngx_array_t                    elts;    /* ngx_envelope_step_t */
    unsigned                       pkcs1:1; /* bad padding must look like
                                               bad content */
} ngx_envelope_steps_t;


typedef enum {
    NGX_ENVELOPE_SET_STRING = 0,
    NGX_ENVELOPE_SET_NUMBER,
    NGX_ENVELOPE_SET_JSON
} ngx_envelope_set_type_e;


typedef struct {
    ngx_str_t                      text;
    ngx_str_t                      quoted;  /* a constant string as JSON */
    ngx_uint_t                     index;   /* of the value, if .. */
    unsigned                       variable:1;
    unsigned                       present:1;
    unsigned                       written:1; /* of "when": the format itself
                                                 writes what it asks for */
    ngx_envelope_set_type_e        type;
    unsigned                       keep:1;    /* of "body": a field seals it,
                                                 with what is around it */
    unsigned                       optional:1;
} ngx_envelope_set_t;


typedef enum {
    NGX_ENVELOPE_SOURCE_JSON = 0,
    NGX_ENVELOPE_SOURCE_STRING,
    NGX_ENVELOPE_SOURCE_RANDOM
} ngx_envelope_source_e;


typedef struct {
    ngx_envelope_source_e          source;
    ngx_envelope_ref_t             random;
    ngx_envelope_steps_t           steps;
    unsigned                       optional:1;
} ngx_envelope_field_t;


typedef struct {
    ngx_envelope_alg_t             alg;
    ngx_envelope_ref_t             key;
    ngx_envelope_address_t        *kid;     /* NULL: none */
    ngx_envelope_template_t        over;
    ngx_array_t                    except;  /* ngx_str_t */
    ngx_envelope_steps_t           steps;
    unsigned                       skip_empty:1;
} ngx_envelope_sign_t;


typedef enum {
    NGX_ENVELOPE_UNIT_S = 0,
    NGX_ENVELOPE_UNIT_MS,
    NGX_ENVELOPE_UNIT_ISO8601
} ngx_envelope_unit_e;


typedef struct {
    uint64_t                       within;  /* milliseconds */
    ngx_envelope_unit_e            unit;    /* of "fresh" */
    ngx_envelope_alg_t             alg;     /* of "once" */
    unsigned                       accept:1; /* of "once": also where there
                                                is no room for a mark */
} ngx_envelope_window_t;


/* what a check of a direction knows while it goes through the statements */

typedef struct {
    ngx_envelope_direction_e       direction;
    uint64_t                       known;      /* a bit for each part of
                                                  each random */
    ngx_uint_t                     position;
} ngx_envelope_check_t;


/* an address that a statement writes or reads */

typedef enum {
    NGX_ENVELOPE_USE_OWN = 0,     /* the statement is about it */
    NGX_ENVELOPE_USE_READ,        /* .. and leaves it as it is */
    NGX_ENVELOPE_USE_KID,         /* "kid=" */
    NGX_ENVELOPE_USE_OVER,        /* in what is signed */
    NGX_ENVELOPE_USE_STEP         /* an iv, in an aad */
} ngx_envelope_use_kind_e;


typedef struct {
    ngx_envelope_address_t        *address;
    ngx_envelope_use_kind_e        kind;
} ngx_envelope_use_t;


typedef struct {
    ngx_str_t    name;

    /* NGX_OK, NGX_DECLINED with a reason, NGX_ERROR */
    ngx_int_t  (*parse)(ngx_envelope_format_t *format,
                        ngx_envelope_statement_t *st,
                        ngx_envelope_words_t *words,
                        ngx_envelope_reason_t *reason);
    ngx_int_t  (*link)(ngx_envelope_format_t *format,
                       ngx_envelope_statement_t *st,
                       ngx_envelope_reason_t *reason);
    ngx_int_t  (*check)(ngx_envelope_format_t *format,
                        ngx_envelope_statement_t *st,
                        ngx_envelope_check_t *check,
                        ngx_envelope_reason_t *reason);

    /* whether the outer message has what opening will ask for */
    ngx_int_t  (*shape)(ngx_envelope_run_t *run,
                        ngx_envelope_statement_t *st);

    /*
     * the same, or NGX_DONE: the message passes unchanged; NULL where there
     * is nothing to do
     */
    ngx_int_t  (*seal)(ngx_envelope_run_t *run,
                       ngx_envelope_statement_t *st);
    ngx_int_t  (*open)(ngx_envelope_run_t *run,
                       ngx_envelope_statement_t *st);
} ngx_envelope_statement_def_t;


struct ngx_envelope_statement_s {
    const ngx_envelope_statement_def_t  *def;
    ngx_str_t                            file;
    ngx_uint_t                           line;
    ngx_str_t                            label;    /* "field /data/pan" */
    ngx_envelope_address_t               address;

    unsigned                             writes:1; /* sealing makes the
                                                      address, so a plain
                                                      message cannot bring
                                                      its own */
    unsigned                             plain:1;  /* .. of the plain
                                                      message: no "body"
                                                      stands before it */
    union {
        ngx_envelope_set_t               set;      /* and of "when" */
        ngx_envelope_field_t             field;
        ngx_envelope_sign_t              sign;
        ngx_envelope_window_t            window;   /* "fresh" and "once" */
    } u;
};


extern const ngx_envelope_statement_def_t  ngx_envelope_body_def;
extern const ngx_envelope_statement_def_t  ngx_envelope_set_def;
extern const ngx_envelope_statement_def_t  ngx_envelope_when_def;
extern const ngx_envelope_statement_def_t  ngx_envelope_random_def;
extern const ngx_envelope_statement_def_t  ngx_envelope_field_def;
extern const ngx_envelope_statement_def_t  ngx_envelope_sign_def;
extern const ngx_envelope_statement_def_t  ngx_envelope_fresh_def;
extern const ngx_envelope_statement_def_t  ngx_envelope_once_def;


/* whether all it does is to look at what others write */

#define ngx_envelope_only_reads(st)                                           \
    ((st)->def == &ngx_envelope_when_def                                      \
     || (st)->def == &ngx_envelope_fresh_def                                  \
     || (st)->def == &ngx_envelope_once_def)


/* fields and signatures at configuration, in files of their own */

ngx_int_t ngx_envelope_field_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason);
ngx_int_t ngx_envelope_field_link(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_reason_t *reason);
ngx_int_t ngx_envelope_field_check(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason);

ngx_int_t ngx_envelope_sign_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason);
ngx_int_t ngx_envelope_sign_link(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_reason_t *reason);
ngx_int_t ngx_envelope_sign_check(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_check_t *check,
    ngx_envelope_reason_t *reason);


/* fills in what running the format costs; its keys are all known */

void ngx_envelope_format_weigh(ngx_envelope_format_t *format,
    ngx_envelope_direction_e direction);

/*
 * "ADDRESS within=TIME [PARAM=..]" of "fresh" and "once"; *value is that of
 * the param, its data NULL where there is none.
 */

ngx_int_t ngx_envelope_window_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    const char *param, ngx_str_t *value, ngx_envelope_reason_t *reason);


/* small helpers of all who read words */

#define ngx_envelope_is(str, literal)                                         \
    ((str)->len == sizeof(literal) - 1                                        \
     && ngx_strncmp((str)->data, literal, sizeof(literal) - 1) == 0)

/* the next word, NULL at the end */

ngx_str_t *ngx_envelope_word(ngx_envelope_words_t *words);

/*
 * If the next word is "NAME=..", takes it and points value behind the "=";
 * value->data is NULL as long as there was none.
 */

ngx_uint_t ngx_envelope_word_param(ngx_envelope_words_t *words,
    const char *name, ngx_str_t *value);

/* parses an address and makes the format know of it */

ngx_int_t ngx_envelope_format_address(ngx_envelope_format_t *format,
    ngx_envelope_address_t *address, ngx_str_t *text,
    ngx_envelope_reason_t *reason);

/* the index in format->rings of the ring of that name and kind */

ngx_int_t ngx_envelope_format_ring(ngx_envelope_format_t *format,
    ngx_str_t *name, ngx_uint_t is_secret, ngx_uint_t *index,
    ngx_envelope_reason_t *reason);

ngx_envelope_random_t *ngx_envelope_format_random(
    ngx_envelope_format_t *format, ngx_str_t *name, ngx_uint_t *index);

/* pushes all addresses of a statement to an array of ngx_envelope_use_t */

ngx_int_t ngx_envelope_statement_uses(ngx_envelope_statement_t *st,
    ngx_array_t *uses);

/*
 * Whether the addresses of the statement with that number go with those of
 * the others, so that what each does can be undone; marks those that are in
 * sight only after something was opened.
 */

ngx_int_t ngx_envelope_format_order(ngx_envelope_format_t *format,
    ngx_uint_t i, ngx_envelope_reason_t *reason);

/*
 * Whether two statements are about the same document, the plain message or
 * the envelope; whether writing b changes what a holds.
 */

ngx_uint_t ngx_envelope_order_same(ngx_envelope_statement_t *a,
    ngx_envelope_statement_t *b);
ngx_uint_t ngx_envelope_order_covers(ngx_envelope_address_t *a,
    ngx_envelope_address_t *b);

/* whether a message that it has opened proves who made it */

ngx_uint_t ngx_envelope_statement_proves(ngx_envelope_statement_t *st);

/* the bits of a random in ngx_envelope_check_t */

uint64_t ngx_envelope_random_mask(ngx_envelope_random_t *random,
    ngx_uint_t index);


#endif /* _NGX_ENVELOPE_STATEMENT_H_INCLUDED_ */
