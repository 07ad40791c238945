
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_envelope_run.h"


/* "fresh": a time that is neither long past nor far ahead */


/* decimal digits that fit into an int64_t, whatever they are */

#define NGX_ENVELOPE_FRESH_DIGITS_MAX  18


/* a time as it was written: how many units of so many milliseconds */

typedef struct {
    int64_t                      n;
    int64_t                      unit;
} ngx_envelope_stamp_t;


static ngx_int_t ngx_envelope_fresh_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason);
static ngx_int_t ngx_envelope_fresh_shape(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_fresh_open(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st);
static ngx_int_t ngx_envelope_fresh_value(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *value);
static ngx_int_t ngx_envelope_fresh_judge(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_envelope_stamp_t *stamp);

static ngx_int_t ngx_envelope_stamp_digits(ngx_str_t *text,
    ngx_envelope_stamp_t *stamp);
static ngx_int_t ngx_envelope_stamp_iso8601(ngx_str_t *text,
    ngx_envelope_stamp_t *stamp);
static ngx_int_t ngx_envelope_stamp_fraction(u_char **pos, u_char *last,
    ngx_envelope_stamp_t *stamp);
static ngx_int_t ngx_envelope_stamp_offset(u_char **pos, u_char *last,
    ngx_envelope_stamp_t *stamp);
static ngx_int_t ngx_envelope_stamp_number(u_char **pos, u_char *last,
    ngx_uint_t n, u_char separator);
static ngx_int_t ngx_envelope_stamp_month(ngx_int_t year, ngx_int_t month);
static int64_t ngx_envelope_stamp_days(ngx_int_t year, ngx_int_t month,
    ngx_int_t day);


const ngx_envelope_statement_def_t  ngx_envelope_fresh_def = {
    ngx_string("fresh"),
    ngx_envelope_fresh_parse,
    NULL,
    NULL,
    ngx_envelope_fresh_shape,
    NULL,
    ngx_envelope_fresh_open
};


static ngx_int_t
ngx_envelope_fresh_parse(ngx_envelope_format_t *format,
    ngx_envelope_statement_t *st, ngx_envelope_words_t *words,
    ngx_envelope_reason_t *reason)
{
    ngx_int_t               rc;
    ngx_str_t               unit;
    ngx_envelope_window_t  *window;

    window = &st->u.window;

    rc = ngx_envelope_window_parse(format, st, words, "unit", &unit, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (unit.data == NULL || ngx_envelope_is(&unit, "s")) {
        window->unit = NGX_ENVELOPE_UNIT_S;

    } else if (ngx_envelope_is(&unit, "ms")) {
        window->unit = NGX_ENVELOPE_UNIT_MS;

    } else if (ngx_envelope_is(&unit, "iso8601")) {
        window->unit = NGX_ENVELOPE_UNIT_ISO8601;

    } else {
        return ngx_envelope_declined(reason, "\"unit=%V\" should be "
                                     "\"unit=s\", \"unit=ms\" or "
                                     "\"unit=iso8601\"", &unit);
    }

    if (window->unit == NGX_ENVELOPE_UNIT_S && window->within < 1000) {
        return ngx_envelope_declined(reason, "within= is less than a second, "
                                     "the unit of the time");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_fresh_shape(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st)
{
    ngx_str_t  value;

    return st->address.inner ? NGX_OK
                             : ngx_envelope_fresh_value(run, st, &value);
}


/*
 * What is no time is refused as one that is long past: that it is not the
 * right kind of text is told of what stands outside, and by shape alone.
 */

static ngx_int_t
ngx_envelope_fresh_open(ngx_envelope_run_t *run, ngx_envelope_statement_t *st)
{
    ngx_int_t             rc;
    ngx_str_t             value;
    ngx_envelope_stamp_t  stamp;

    rc = ngx_envelope_fresh_value(run, st, &value);
    if (rc != NGX_OK) {
        return rc;
    }

    run->decoded = 1;

    if (st->u.window.unit == NGX_ENVELOPE_UNIT_ISO8601) {

        if (ngx_envelope_stamp_iso8601(&value, &stamp) != NGX_OK) {
            return ngx_envelope_declined(run->reason, "%V is not a date and "
                                         "time of RFC 3339",
                                         &st->address.text);
        }

    } else {

        if (ngx_envelope_stamp_digits(&value, &stamp) != NGX_OK) {
            return ngx_envelope_declined(run->reason, "%V is not 1 to %d "
                                         "decimal digits", &st->address.text,
                                         NGX_ENVELOPE_FRESH_DIGITS_MAX);
        }

        stamp.unit = (st->u.window.unit == NGX_ENVELOPE_UNIT_S) ? 1000 : 1;
    }

    return ngx_envelope_fresh_judge(run, st, &stamp);
}


static ngx_int_t
ngx_envelope_fresh_value(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_str_t *value)
{
    return ngx_envelope_run_scalar(run, &st->address,
                          st->u.window.unit != NGX_ENVELOPE_UNIT_ISO8601,
                          value);
}


/*
 * Both times count as far as the message's was told: one of whole seconds is
 * compared with the second that it is by now.
 */

static ngx_int_t
ngx_envelope_fresh_judge(ngx_envelope_run_t *run,
    ngx_envelope_statement_t *st, ngx_envelope_stamp_t *stamp)
{
    char     *side;
    int64_t   age, limit;

    age = run->input->now / stamp->unit - stamp->n;
    limit = (int64_t) st->u.window.within / stamp->unit;

    if (age <= limit && -age <= limit) {
        return NGX_OK;
    }

    side = (age > 0) ? "old" : "ahead";
    age = ngx_abs(age);

    /* what is no time of these years may be something else, to be kept */

    if (age > (int64_t) NGX_ENVELOPE_WITHIN_MAX / stamp->unit) {
        return ngx_envelope_declined(run->reason, "%V is more than a year "
                                     "%s", &st->address.text, side);
    }

    return ngx_envelope_declined(run->reason, "%V is %L %s %s, more than %L",
                                 &st->address.text, age,
                                 (stamp->unit == 1) ? "ms" : "s", side,
                                 limit);
}


static ngx_int_t
ngx_envelope_stamp_digits(ngx_str_t *text, ngx_envelope_stamp_t *stamp)
{
    size_t  i;

    if (text->len == 0 || text->len > NGX_ENVELOPE_FRESH_DIGITS_MAX) {
        return NGX_DECLINED;
    }

    stamp->n = 0;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] < '0' || text->data[i] > '9') {
            return NGX_DECLINED;
        }

        stamp->n = stamp->n * 10 + (text->data[i] - '0');
    }

    return NGX_OK;
}


/*
 * "2026-11-21T09:08:10.5+08:00" as in RFC 3339, section 5.6, with an offset,
 * which may lack its colon (ISO 8601's "+0800").  A time is told in seconds,
 * or in milliseconds where it has a fraction, whose further digits are cut.
 */

static ngx_int_t
ngx_envelope_stamp_iso8601(ngx_str_t *text, ngx_envelope_stamp_t *stamp)
{
    u_char      *p, *last;
    ngx_int_t    year, month, day, hour, min, sec, leap;

    p = text->data;
    last = p + text->len;

    year = ngx_envelope_stamp_number(&p, last, 4, '-');
    month = ngx_envelope_stamp_number(&p, last, 2, '-');
    day = ngx_envelope_stamp_number(&p, last, 2, 'T');
    hour = ngx_envelope_stamp_number(&p, last, 2, ':');
    min = ngx_envelope_stamp_number(&p, last, 2, ':');
    sec = ngx_envelope_stamp_number(&p, last, 2, '\0');

    if (year < 0
        || month < 1 || month > 12
        || day < 1 || day > ngx_envelope_stamp_month(year, month)
        || hour < 0 || hour > 23
        || min < 0 || min > 59
        || sec < 0 || sec > 60)
    {
        return NGX_DECLINED;
    }

    leap = (sec == 60);

    stamp->unit = 1000;
    stamp->n = ngx_envelope_stamp_days(year, month, day) * 86400
               + hour * 3600 + min * 60 + sec;

    if (ngx_envelope_stamp_fraction(&p, last, stamp) != NGX_OK
        || ngx_envelope_stamp_offset(&p, last, stamp) != NGX_OK
        || p != last)
    {
        return NGX_DECLINED;
    }

    /* a leap second is the last one of a day in UTC */

    if (leap && (stamp->n / (1000 / stamp->unit)) % 86400 != 0) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_envelope_stamp_fraction(u_char **pos, u_char *last,
    ngx_envelope_stamp_t *stamp)
{
    u_char   *p, *first;
    int64_t   scale;

    p = *pos;

    if (p == last || *p != '.') {
        return NGX_OK;
    }

    first = ++p;

    stamp->unit = 1;
    stamp->n *= 1000;
    scale = 100;

    for ( /* void */ ; p < last && *p >= '0' && *p <= '9'; p++) {
        stamp->n += (*p - '0') * scale;
        scale /= 10;
    }

    *pos = p;

    return (p > first) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_envelope_stamp_offset(u_char **pos, u_char *last,
    ngx_envelope_stamp_t *stamp)
{
    u_char      *p, sign;
    ngx_int_t    hour, min;

    p = *pos;

    if (p == last) {
        return NGX_DECLINED;
    }

    sign = *p++;

    if (sign == 'Z' || sign == 'z') {
        *pos = p;
        return NGX_OK;
    }

    if (sign != '+' && sign != '-') {
        return NGX_DECLINED;
    }

    hour = ngx_envelope_stamp_number(&p, last, 2, '\0');

    if (p < last && *p == ':') {
        p++;
    }

    min = ngx_envelope_stamp_number(&p, last, 2, '\0');

    if (hour < 0 || hour > 23 || min < 0 || min > 59) {
        return NGX_DECLINED;
    }

    *pos = p;

    /* at +08:00 it is later than in UTC */

    hour = (hour * 60 + min) * 60 * (1000 / stamp->unit);
    stamp->n -= (sign == '+') ? hour : -hour;

    return NGX_OK;
}


/* n digits and a letter or sign after them, if any; -1: something else */

static ngx_int_t
ngx_envelope_stamp_number(u_char **pos, u_char *last, ngx_uint_t n,
    u_char separator)
{
    u_char     *p;
    ngx_int_t   value;

    p = *pos;
    value = 0;

    while (n--) {

        if (p == last || *p < '0' || *p > '9') {
            return -1;
        }

        value = value * 10 + (*p++ - '0');
    }

    if (separator) {

        if (p == last || ngx_toupper(*p) != separator) {
            return -1;
        }

        p++;
    }

    *pos = p;

    return value;
}


static ngx_int_t
ngx_envelope_stamp_month(ngx_int_t year, ngx_int_t month)
{
    static const ngx_int_t  days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    if (month == 2
        && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
    {
        return 29;
    }

    return days[month - 1];
}


/* since 1970-01-01, in the Gregorian calendar */

static int64_t
ngx_envelope_stamp_days(ngx_int_t year, ngx_int_t month, ngx_int_t day)
{
    ngx_int_t  i;
    int64_t    days;

    /* of the years before: leap ones are 0, 4, .. but for 100, 200, 300 .. */

    days = (int64_t) year * 365 + (year + 3) / 4 - (year + 99) / 100
           + (year + 399) / 400;

    for (i = 1; i < month; i++) {
        days += ngx_envelope_stamp_month(year, i);
    }

    return days + day - 1 - 719528;
}
