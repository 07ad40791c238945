
/*
 * TAP for the unit tests: one test program prints one TAP stream.
 *
 *     int
 *     main(void)
 *     {
 *         ok(1 + 1 == 2, "sum");
 *         is_int(rc, NGX_OK, "parses");
 *         is_str(value, "abc", "value");
 *         return done_testing();
 *     }
 *
 * Every assertion returns 1 when it held and 0 otherwise, so that a test can
 * stop where going on makes no sense.
 */


#ifndef _TAP_H_INCLUDED_
#define _TAP_H_INCLUDED_


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static int  tap_planned = -1;
static int  tap_run;
static int  tap_failed;


#define tap_unused  __attribute__((unused))
#define tap_format(n)  __attribute__((unused, format(printf, n, n + 1)))


#define ok(cond, ...)                                                         \
    tap_ok((cond) ? 1 : 0, __FILE__, __LINE__, #cond, "" __VA_ARGS__)

/* got is an ngx_str_t, expected a C string */
#define is_str(got, expected, ...)                                            \
    tap_mem((got).data, (got).len, (expected), strlen(expected),              \
            __FILE__, __LINE__, "" __VA_ARGS__)

#define is_cstr(got, expected, ...)                                           \
    tap_mem((got), strlen((const char *) (got)), (expected),                  \
            strlen((const char *) (expected)),                                \
            __FILE__, __LINE__, "" __VA_ARGS__)

#define is_mem(got, got_len, expected, expected_len, ...)                     \
    tap_mem((got), (got_len), (expected), (expected_len),                     \
            __FILE__, __LINE__, "" __VA_ARGS__)

#define is_int(got, expected, ...)                                            \
    tap_int((long long) (got), (long long) (expected),                        \
            __FILE__, __LINE__, "" __VA_ARGS__)

#define pass(...)  tap_ok(1, __FILE__, __LINE__, "", "" __VA_ARGS__)
#define fail(...)  tap_ok(0, __FILE__, __LINE__, "", "" __VA_ARGS__)


tap_unused static void
plan(int n)
{
    tap_planned = n;
    (void) printf("1..%d\n", n);
    (void) fflush(stdout);
}


tap_unused static void
skip_all(const char *why)
{
    (void) printf("1..0 # SKIP %s\n", why);
    (void) fflush(stdout);
    exit(0);
}


tap_format(1) static void
diag(const char *fmt, ...)
{
    va_list  args;

    (void) fflush(stdout);
    (void) fputs("# ", stderr);

    va_start(args, fmt);
    (void) vfprintf(stderr, fmt, args);
    va_end(args);

    (void) fputc('\n', stderr);
}


static int
tap_result(int cond, const char *file, int line, const char *fmt, va_list args)
{
    char  name[1024], *p;

    (void) vsnprintf(name, sizeof(name), fmt, args);

    /* what TAP would read as a directive or a second line */
    for (p = name; *p; p++) {
        if (*p == '#' || *p == '\n' || *p == '\r') {
            *p = ' ';
        }
    }

    tap_run++;

    if (!cond) {
        tap_failed++;
    }

    (void) printf("%sok %d%s%s\n", cond ? "" : "not ", tap_run,
                  name[0] ? " - " : "", name);
    (void) fflush(stdout);

    if (!cond) {
        diag("  failed: %s at %s line %d", name, file, line);
    }

    return cond;
}


__attribute__((unused, format(printf, 5, 6))) static int
tap_ok(int cond, const char *file, int line, const char *expr,
    const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    cond = tap_result(cond, file, line, fmt, args);
    va_end(args);

    if (!cond && expr[0]) {
        diag("  %s", expr);
    }

    return cond;
}


__attribute__((unused, format(printf, 5, 6))) static int
tap_int(long long got, long long expected, const char *file, int line,
    const char *fmt, ...)
{
    int      cond;
    va_list  args;

    va_start(args, fmt);
    cond = tap_result(got == expected, file, line, fmt, args);
    va_end(args);

    if (!cond) {
        diag("       got: %lld", got);
        diag("  expected: %lld", expected);
    }

    return cond;
}


static void
tap_show(const char *what, const unsigned char *p, size_t len)
{
    size_t  i;

    (void) fflush(stdout);
    (void) fprintf(stderr, "# %s (%lu): \"", what, (unsigned long) len);

    for (i = 0; i < len && i < 512; i++) {
        if (p[i] >= 0x20 && p[i] < 0x7f && p[i] != '\\') {
            (void) fputc(p[i], stderr);

        } else {
            (void) fprintf(stderr, "\\x%02x", (unsigned) p[i]);
        }
    }

    (void) fprintf(stderr, "\"%s\n", (i < len) ? " .." : "");
}


__attribute__((unused, format(printf, 7, 8))) static int
tap_mem(const void *got, size_t got_len, const void *expected,
    size_t expected_len, const char *file, int line, const char *fmt, ...)
{
    int      cond;
    va_list  args;

    cond = got_len == expected_len
           && (got_len == 0 || memcmp(got, expected, got_len) == 0);

    va_start(args, fmt);
    cond = tap_result(cond, file, line, fmt, args);
    va_end(args);

    if (!cond) {
        tap_show("      got", got, got_len);
        tap_show(" expected", expected, expected_len);
    }

    return cond;
}


/* The last statement of main(): return done_testing(); */

tap_unused static int
done_testing(void)
{
    if (tap_planned < 0) {
        (void) printf("1..%d\n", tap_run);

    } else if (tap_planned != tap_run) {
        diag("planned %d tests but ran %d", tap_planned, tap_run);
        return 2;
    }

    if (tap_failed) {
        diag("%d of %d failed", tap_failed, tap_run);
    }

    (void) fflush(stdout);

    /* a program that asserted nothing has shown nothing */
    return (tap_failed || tap_run == 0) ? 1 : 0;
}


#endif /* _TAP_H_INCLUDED_ */
