
/*
 * The nginx functions that the core calls, for programs without an nginx:
 * Debian's nginx-dev has nginx's headers but not its sources.  Written from
 * the headers and nginx's documentation, not from its code.
 *
 * Every allocation from a pool is a malloc() of its own, so that a sanitizer
 * sees its exact end, and any of them can be told to fail.
 */


#include "shim.h"

#include <malloc.h>


ngx_int_t   shim_fail_at = -1;
ngx_uint_t  shim_fail_after;
ngx_uint_t  shim_allocs;
ngx_uint_t  shim_live_pools;
ngx_uint_t  shim_live;
void      (*shim_freed)(void *p, size_t size);

ngx_log_t   shim_log = { .log_level = NGX_LOG_DEBUG };
char        shim_log_text[65536];
ngx_uint_t  shim_log_lines;

static size_t  shim_log_used;

ngx_uint_t  ngx_pagesize = 4096;
ngx_uint_t  ngx_pagesize_shift = 12;
ngx_uint_t  ngx_cacheline_size = 64;


void
shim_reset(void)
{
    shim_fail_at = -1;
    shim_fail_after = 0;
    shim_allocs = 0;

    shim_log_text[0] = '\0';
    shim_log_used = 0;
    shim_log_lines = 0;
}


/* memory */


/* tests have threads, each with pools of its own; the value before */

static ngx_uint_t
shim_add(ngx_uint_t *counter, ngx_int_t n)
{
    return __atomic_fetch_add(counter, (ngx_uint_t) n, __ATOMIC_RELAXED);
}


static ngx_uint_t
shim_fails(void)
{
    ngx_int_t  n;

    n = (ngx_int_t) shim_add(&shim_allocs, 1);

    return shim_fail_at >= 0
           && (n == shim_fail_at || (shim_fail_after && n > shim_fail_at));
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    return shim_fails() ? NULL : malloc(size);
}


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    void  *p;

    p = ngx_alloc(size, log);

    if (p != NULL) {
        memset(p, 0, size);
    }

    return p;
}


ngx_pool_t *
ngx_create_pool(size_t size, ngx_log_t *log)
{
    ngx_pool_t  *pool;

    if (shim_fails()) {
        return NULL;
    }

    pool = calloc(1, sizeof(ngx_pool_t));
    if (pool == NULL) {
        return NULL;
    }

    pool->max = size;
    pool->current = pool;
    pool->log = log;

    (void) shim_add(&shim_live_pools, 1);

    return pool;
}


static void
shim_free(void *p)
{
    if (p != NULL && shim_freed != NULL) {
        shim_freed(p, malloc_usable_size(p));
    }

    free(p);
}


static void
shim_free_blocks(ngx_pool_t *pool)
{
    ngx_pool_large_t  *block, *next;

    for (block = pool->large; block; block = next) {
        next = block->next;

        if (block->alloc) {
            (void) shim_add(&shim_live, -1);
        }

        shim_free(block->alloc);
        free(block);
    }

    pool->large = NULL;
}


void
ngx_reset_pool(ngx_pool_t *pool)
{
    shim_free_blocks(pool);
    pool->chain = NULL;
}


void
ngx_destroy_pool(ngx_pool_t *pool)
{
    ngx_pool_cleanup_t  *c;

    /* newest first, and all of them while the memory is still there */

    for (c = pool->cleanup; c; c = c->next) {
        if (c->handler) {
            c->handler(c->data);
        }
    }

    shim_free_blocks(pool);
    free(pool);

    (void) shim_add(&shim_live_pools, -1);
}


static void *
shim_keep(ngx_pool_t *pool, void *p)
{
    ngx_pool_large_t  *block;

    if (p == NULL) {
        return NULL;
    }

    block = malloc(sizeof(ngx_pool_large_t));
    if (block == NULL) {
        free(p);
        return NULL;
    }

    block->alloc = p;
    block->next = pool->large;
    pool->large = block;

    (void) shim_add(&shim_live, 1);

    return p;
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    void  *p;

    if (shim_fails()) {
        return NULL;
    }

    p = malloc(size);

    /* nobody may count on fresh memory being zero */

    if (p != NULL) {
        memset(p, 0xa5, size);
    }

    return shim_keep(pool, p);
}


void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    return ngx_pnalloc(pool, size);
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    void  *p;

    p = ngx_pnalloc(pool, size);

    if (p != NULL) {
        memset(p, 0, size);
    }

    return p;
}


void *
ngx_pmemalign(ngx_pool_t *pool, size_t size, size_t alignment)
{
    void  *p;

    if (shim_fails() || posix_memalign(&p, alignment, size) != 0) {
        return NULL;
    }

    return shim_keep(pool, p);
}


ngx_int_t
ngx_pfree(ngx_pool_t *pool, void *p)
{
    ngx_pool_large_t  *block;

    /* nginx declines small blocks; here all are freed, so that a sanitizer
     * sees any use after it */

    for (block = pool->large; block; block = block->next) {
        if (p != NULL && block->alloc == p) {
            shim_free(p);
            block->alloc = NULL;
            (void) shim_add(&shim_live, -1);
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_pool_cleanup_t *
ngx_pool_cleanup_add(ngx_pool_t *pool, size_t size)
{
    ngx_pool_cleanup_t  *c;

    c = ngx_palloc(pool, sizeof(ngx_pool_cleanup_t));
    if (c == NULL) {
        return NULL;
    }

    c->data = NULL;

    if (size) {
        c->data = ngx_palloc(pool, size);
        if (c->data == NULL) {
            return NULL;
        }
    }

    c->handler = NULL;
    c->next = pool->cleanup;
    pool->cleanup = c;

    return c;
}


void
ngx_explicit_memzero(void *buf, size_t n)
{
    volatile u_char  *p = buf;

    while (n--) {
        *p++ = 0;
    }
}


/* arrays and lists */


ngx_array_t *
ngx_array_create(ngx_pool_t *pool, ngx_uint_t n, size_t size)
{
    ngx_array_t  *a;

    a = ngx_palloc(pool, sizeof(ngx_array_t));

    if (a == NULL || ngx_array_init(a, pool, n, size) != NGX_OK) {
        return NULL;
    }

    return a;
}


void
ngx_array_destroy(ngx_array_t *a)
{
}


void *
ngx_array_push(ngx_array_t *a)
{
    return ngx_array_push_n(a, 1);
}


void *
ngx_array_push_n(ngx_array_t *a, ngx_uint_t n)
{
    void        *elts;
    ngx_uint_t   room;

    if (a->nelts + n > a->nalloc) {
        room = 2 * ngx_max(n, a->nalloc);

        /* always moved: a pointer into the old elements is found stale */

        elts = ngx_palloc(a->pool, room * a->size);
        if (elts == NULL) {
            return NULL;
        }

        if (a->nelts) {
            memcpy(elts, a->elts, a->nelts * a->size);
        }

        a->elts = elts;
        a->nalloc = room;
    }

    elts = (u_char *) a->elts + a->size * a->nelts;
    a->nelts += n;

    return elts;
}


ngx_list_t *
ngx_list_create(ngx_pool_t *pool, ngx_uint_t n, size_t size)
{
    ngx_list_t  *list;

    list = ngx_palloc(pool, sizeof(ngx_list_t));

    if (list == NULL || ngx_list_init(list, pool, n, size) != NGX_OK) {
        return NULL;
    }

    return list;
}


void *
ngx_list_push(ngx_list_t *list)
{
    ngx_list_part_t  *part;

    if (list->last->nelts == list->nalloc) {
        part = ngx_palloc(list->pool, sizeof(ngx_list_part_t));
        if (part == NULL) {
            return NULL;
        }

        part->elts = ngx_palloc(list->pool, list->nalloc * list->size);
        if (part->elts == NULL) {
            return NULL;
        }

        part->nelts = 0;
        part->next = NULL;

        list->last->next = part;
        list->last = part;
    }

    part = list->last;

    return (u_char *) part->elts + list->size * part->nelts++;
}


/* log */


static const char  *shim_levels[] = {
    "stderr", "emerg", "alert", "crit", "error", "warn", "notice", "info",
    "debug"
};


#if (NGX_HAVE_VARIADIC_MACROS)

void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)

#else

void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, va_list args)

#endif
{
    u_char   line[NGX_MAX_ERROR_STR], *p, *last;
    size_t   len;
#if (NGX_HAVE_VARIADIC_MACROS)
    va_list  args;
#endif

    last = line + sizeof(line) - 1;
    p = ngx_slprintf(line, last, "[%s] ",
                     shim_levels[ngx_min(level, NGX_LOG_DEBUG)]);

#if (NGX_HAVE_VARIADIC_MACROS)
    va_start(args, fmt);
    p = ngx_vslprintf(p, last, fmt, args);
    va_end(args);
#else
    p = ngx_vslprintf(p, last, fmt, args);
#endif

    if (err) {
        p = ngx_slprintf(p, last, " (%d: %s)", err, strerror(err));
    }

    *p++ = '\n';

    if (getenv("SHIM_LOG")) {
        (void) fwrite(line, 1, p - line, stderr);
    }

    len = ngx_min((size_t) (p - line),
                  sizeof(shim_log_text) - 1 - shim_log_used);

    memcpy(shim_log_text + shim_log_used, line, len);
    shim_log_used += len;
    shim_log_text[shim_log_used] = '\0';
    shim_log_lines++;
}


#if !(NGX_HAVE_VARIADIC_MACROS)

void ngx_cdecl
ngx_log_error(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    va_list  args;

    if (log->log_level >= level) {
        va_start(args, fmt);
        ngx_log_error_core(level, log, err, fmt, args);
        va_end(args);
    }
}


void ngx_cdecl
ngx_log_debug_core(ngx_log_t *log, ngx_err_t err, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    ngx_log_error_core(NGX_LOG_DEBUG, log, err, fmt, args);
    va_end(args);
}

#endif
