
/*
 * Copyright (C) The authors of the envelope module
 */


#ifndef _NGX_ENVELOPE_JSON_WIDE_H_INCLUDED_
#define _NGX_ENVELOPE_JSON_WIDE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Long strings and large containers, 64 bytes at a time, on processors that
 * can pick bytes out of a register (AVX-512 VBMI2: Intel's since 2019, AMD's
 * since 2022).  Each of these does what is done byte by byte elsewhere, and
 * may be called if ngx_envelope_json_wide() is true.
 */

#ifndef NGX_ENVELOPE_JSON_WIDE
#if (__x86_64__ && (__GNUC__ >= 8 || __clang_major__ >= 7))
#define NGX_ENVELOPE_JSON_WIDE  1
#else
#define NGX_ENVELOPE_JSON_WIDE  0
#endif
#endif


/*
 * Of 64 bytes, a bit for each: the backslashes that escape something, if the
 * first byte is not itself escaped.
 */

static ngx_inline uint64_t
ngx_envelope_json_escaping(uint64_t backslash)
{
    uint64_t  start, even;

    const uint64_t  evens = 0x5555555555555555ULL;

    /*
     * In a row of backslashes it is the first one that escapes, the third,
     * and so on.  Adding the start of each row that starts at an even place
     * carries through that row and leaves the others as they are.
     */

    start = backslash & ~(backslash << 1);
    even = backslash & ~(backslash + (start & evens));

    return (even & evens) | (backslash & ~even & ~evens);
}


/*
 * A string or a container is long from here on.  Most are not, so all are
 * begun byte by byte, and shorter messages never come here.  That leaves as
 * many bytes of the text in front of what is scanned here: these may be read,
 * since loads are of whole cache lines and a byte of UTF-8 may belong to the
 * third one in front of it.
 */

#define NGX_ENVELOPE_JSON_LONG  256

/* to decode it, a string need not be that long: half a block pays off */

#define NGX_ENVELOPE_JSON_DECODE  32


#if (NGX_ENVELOPE_JSON_WIDE)

#include <immintrin.h>

#define ngx_envelope_json_wide()                                              \
    (__builtin_cpu_supports("avx512bw")                                       \
     && __builtin_cpu_supports("avx512vbmi")                                  \
     && __builtin_cpu_supports("avx512vbmi2")                                 \
     && __builtin_cpu_supports("bmi2")                                        \
     && __builtin_cpu_supports("pclmul")                                      \
     && __builtin_cpu_supports("popcnt"))


/*
 * In a string: passes over what is UTF-8 and over the escapes of two bytes.
 * Returns where something else is: the quote that ends the string, a control
 * character, another escape, or "last".  p must not be escaped.  Returns NULL
 * if there is something in front of that that is not UTF-8.
 */

u_char *ngx_envelope_json_wide_skim(u_char *p, u_char *last);

/*
 * Decodes a part of a string that has passed a scan, up to the first escape
 * of more than two bytes; returns where that is, or "last", and moves *dst
 * behind what it wrote.  There is as much room at *dst as there is to decode;
 * bytes behind what is decoded may be written, within that room.
 */

u_char *ngx_envelope_json_wide_decode(u_char **dst, u_char *p, u_char *last);

/*
 * How much longer than it is the text gets within a JSON string, by escapes
 * as ngx_envelope_json_encode() writes them; NGX_ERROR if it is not UTF-8.
 * At least three bytes of it are in front of p.
 */

ngx_int_t ngx_envelope_json_wide_growth(u_char *p, u_char *last);

/*
 * Writes it, up to a control character that has no escape of two bytes;
 * returns where that is, or "last", and moves *dst behind what it wrote.
 * "end" is where the room at *dst ends; bytes behind what is written may be
 * overwritten, within that room.
 */

u_char *ngx_envelope_json_wide_encode(u_char **dst, u_char *end, u_char *p,
    u_char *last);

/*
 * Passes over the rest of a container, which "open" has opened; p is behind
 * one of its values.  Returns where the bracket that closes it is, if all up
 * to there is JSON as ngx_envelope_json_scan() has it, and nested at most
 * "levels" deep, the container itself included.  Otherwise, and where it is
 * not sure, it returns NULL: let the scan find out what is wrong, and where.
 */

u_char *ngx_envelope_json_wide_pass(u_char *p, u_char *last, u_char open,
    ngx_uint_t levels);


#define ngx_envelope_json_wide_target                                         \
    __attribute__((target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,"          \
                          "bmi,bmi2,pclmul,popcnt")))


/*
 * Of 64 bytes, a bit for each: those that a backslash escapes.  *carry is
 * whether the first one is escaped, and then whether the next one will be.
 */

static ngx_inline uint64_t
ngx_envelope_json_wide_escaped(uint64_t backslash, uint64_t *carry)
{
    uint64_t  first, escape, escaped;

    first = *carry;
    escaped = backslash << 1 | first;

    if ((escaped & backslash) == 0) {
        *carry = backslash >> 63;
        return escaped;
    }

    escape = ngx_envelope_json_escaping(backslash & ~first);

    *carry = escape >> 63;

    return escape << 1 | first;
}


/*
 * 64 times the byte.  Left to itself a compiler makes that anew in each round
 * of a loop.
 */

ngx_envelope_json_wide_target
static ngx_inline __m512i
ngx_envelope_json_wide_fill(char ch)
{
    __m512i  bytes;

    bytes = _mm512_set1_epi8(ch);

    __asm__ ("" : "+v" (bytes));

    return bytes;
}


/* the "len" bytes from p, of which there may be more than 64, and spaces */

ngx_envelope_json_wide_target
static ngx_inline __m512i
ngx_envelope_json_wide_load(u_char *p, size_t len)
{
    if (len >= 64) {
        return _mm512_loadu_si512((const void *) p);
    }

    return _mm512_mask_loadu_epi8(_mm512_set1_epi8(' '),
                                  _bzhi_u64(~(uint64_t) 0, (unsigned) len),
                                  (const void *) p);
}


/*
 * Moves p back to where a cache line begins; the mask is of that line's bytes
 * from where it was.
 */

static ngx_inline uint64_t
ngx_envelope_json_wide_align(u_char **p)
{
    size_t  n;

    n = (uintptr_t) *p & 63;
    *p -= n;

    return ~(uint64_t) 0 << n;
}


/* a value for each of 128 bytes; of others the lower seven bits count */

ngx_envelope_json_wide_target
static ngx_inline __m512i
ngx_envelope_json_wide_look(const u_char *table, __m512i bytes)
{
    return _mm512_permutex2var_epi8(
                              _mm512_loadu_si512((const void *) table), bytes,
                              _mm512_loadu_si512((const void *) (table + 64)));
}


/* a value for each of 16 bytes, for bytes below 16 */

ngx_envelope_json_wide_target
static ngx_inline __m512i
ngx_envelope_json_wide_table(const u_char *table)
{
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)
                                                  (const void *) table));
}


/*
 * Of the "len" bytes from p, of which there may be more than 64, a bit for
 * each one that cannot stand behind the three in front of it in UTF-8; where
 * a sequence is cut off, that is the byte behind it.
 */

uint64_t ngx_envelope_json_wide_not_utf8(u_char *p, size_t len);


#else

/* none of these is ever called */

#define ngx_envelope_json_wide()  0


static ngx_inline u_char *
ngx_envelope_json_wide_skim(u_char *p, u_char *last)
{
    return p;
}


static ngx_inline u_char *
ngx_envelope_json_wide_decode(u_char **dst, u_char *p, u_char *last)
{
    return p;
}


static ngx_inline ngx_int_t
ngx_envelope_json_wide_growth(u_char *p, u_char *last)
{
    return NGX_ERROR;
}


static ngx_inline u_char *
ngx_envelope_json_wide_encode(u_char **dst, u_char *end, u_char *p,
    u_char *last)
{
    return p;
}


static ngx_inline u_char *
ngx_envelope_json_wide_pass(u_char *p, u_char *last, u_char open,
    ngx_uint_t levels)
{
    return NULL;
}

#endif


#endif /* _NGX_ENVELOPE_JSON_WIDE_H_INCLUDED_ */
