
/* The shim itself: what the core's tests rest on. */


#include "shim.h"
#include "tap.h"


static ngx_str_t
format(const char *fmt, ...)
{
    va_list        args;
    ngx_str_t      s;
    static u_char  buf[256];

    va_start(args, fmt);
    s.data = buf;
    s.len = ngx_vslprintf(buf, buf + sizeof(buf), fmt, args) - buf;
    va_end(args);

    return s;
}


static void
test_format(void)
{
    u_char     small[4];
    ngx_str_t  v = ngx_string("ab\xff");

    is_str(format("%V|%xV|%XV", &v, &v, &v), "ab\xff|6162ff|6162FF", "%%V");
    is_str(format("%s|%*s|%*xs", "abc", (size_t) 2, "abc", (size_t) 1, "abc"),
           "abc|ab|61", "%%s");
    is_str(format("%i %ui %03ui %5i|%xi", (ngx_int_t) -7, (ngx_uint_t) 7,
                  (ngx_uint_t) 7, (ngx_int_t) 42, (ngx_int_t) 255),
           "-7 7 007    42|ff", "%%i");
    is_str(format("%d %ud %02xd %Xd", -1, 5u, 10, 255), "-1 5 0a FF", "%%d");
    is_str(format("%z %uz %O %T %D %uD %L %uL %l %ul", (ssize_t) -1,
                  (size_t) -1, (off_t) -5, (time_t) 9, (int32_t) -3,
                  (uint32_t) 3000000000u, (int64_t) INT64_MIN,
                  (uint64_t) UINT64_MAX, -4L, 4UL),
           "-1 18446744073709551615 -5 9 -3 3000000000 "
           "-9223372036854775808 18446744073709551615 -4 4", "widths");
    is_str(format("%.3f %.2f %f", 1.0006, -0.999, 3.7), "1.001 -1.00 3",
           "%%f");
    is_str(format("%M %c%%%N", (ngx_msec_t) 5, 'x'), "5 x%\n", "%%M %%c %%N");
    is_int(ngx_snprintf(small, 4, "%ui", (ngx_uint_t) 123456) - small, 4,
           "cut at the end of the buffer");
    is_int(ngx_snprintf(small, 4, "%V", &v) - small, 3, "fits");
}


static void
test_numbers(void)
{
    is_int(ngx_atoi((u_char *) "9223372036854775807", 19),
           NGX_MAX_INT_T_VALUE, "ngx_atoi of the largest");
    is_int(ngx_atoi((u_char *) "9223372036854775808", 19), NGX_ERROR,
           "ngx_atoi overflow");
    is_int(ngx_atoi((u_char *) "-1", 2), NGX_ERROR, "ngx_atoi of a sign");
    is_int(ngx_atoi((u_char *) "", 0), NGX_ERROR, "ngx_atoi of nothing");
    is_int(ngx_hextoi((u_char *) "fF", 2), 255, "ngx_hextoi");
    ok(ngx_strncasecmp((u_char *) "ABx", (u_char *) "aby", 2) == 0, "casecmp");
    ok(ngx_strcasecmp((u_char *) "AB", (u_char *) "abc") < 0, "casecmp");
    ok(ngx_strnstr((u_char *) "hello", "llo", 4) == NULL, "ngx_strnstr");
    is_int(ngx_crc32_short((u_char *) "123456789", 9), 0xcbf43926, "crc32");
}


static u_char  order[4], *order_last = order;

static void
note(void *data)
{
    *order_last++ = *(u_char *) data;
}


static void
test_pool(void)
{
    u_char              *p, *q;
    ngx_str_t           *elt;
    ngx_uint_t           i;
    ngx_pool_t          *pool;
    ngx_array_t         *a;
    ngx_pool_cleanup_t  *c;

    shim_reset();

    pool = ngx_create_pool(1024, &shim_log);

    for (i = 0; i < 3; i++) {
        c = ngx_pool_cleanup_add(pool, 1);
        *(u_char *) c->data = "abc"[i];
        c->handler = note;
    }

    a = ngx_array_create(pool, 1, sizeof(ngx_str_t));
    for (i = 0; i < 100; i++) {
        elt = ngx_array_push(a);
        elt->len = i;
    }

    elt = a->elts;
    is_int(a->nelts, 100, "100 elements");
    is_int(elt[99].len, 99, "the last one");
    is_int(shim_live_pools, 1, "one pool");
    ok(shim_live > 7, "live allocations");

    shim_fail_at = shim_allocs + 1;
    p = ngx_palloc(pool, 1);
    q = ngx_palloc(pool, 1);
    ok(p != NULL && q == NULL, "the second one fails");
    ok(ngx_pcalloc(pool, 1) != NULL, "the third does not");

    shim_fail_at = shim_allocs;
    shim_fail_after = 1;
    ok(ngx_pnalloc(pool, 1) == NULL && ngx_pnalloc(pool, 1) == NULL,
       "all later ones fail");

    ngx_destroy_pool(pool);
    is_mem(order, order_last - order, "cba", 3, "cleanups, newest first");
    is_int(shim_live, 0, "nothing left");
    is_int(shim_live_pools, 0, "no pool left");
}


static void
test_log(void)
{
    ngx_str_t  s = ngx_string("text");

    shim_reset();
    shim_log.log_level = NGX_LOG_INFO;

    ngx_log_error(NGX_LOG_ERR, &shim_log, 0, "some %V", &s);
    ngx_log_error(NGX_LOG_DEBUG, &shim_log, 0, "not this");

    is_cstr(shim_log_text, "[error] some text\n", "log");
    is_int(shim_log_lines, 1, "one line");
}


int
main(void)
{
    test_format();
    test_numbers();
    test_pool();
    test_log();

    return done_testing();
}
