
/*
 * Copyright (C) The authors of the envelope module
 */


#include "ngx_http_envelope_zone.h"
#include "ngx_http_envelope_once.h"
#include "ngx_http_envelope_token.h"

#include <sys/mman.h>
#include <signal.h>


/*
 * nginx gives a new binary new shared memory.  The zone is therefore moved
 * into a file without a name, whose descriptor the new binary inherits as it
 * inherits the listening sockets: exec() leaves it open, and its number is in
 * the environment.
 *
 * It is the memory itself that is handed over, not a copy of what is in it.
 * The workers of both binaries serve side by side, for as long as it pleases
 * the operator, who may well go back to the old ones; tokens that they fetched
 * apart could make each other invalid.  As it is one memory, it is an upgrade
 * like a reload, and nothing has to be copied at the right moment: nginx has
 * no hook for it.
 *
 * The slab pool holds addresses, so the memory has to be where it was.  Where
 * that is not free, or where anything of the layout is different, the new
 * binary goes on with new memory, as if there were none to inherit.
 *
 * The memory has no place in a file system, the descriptor is the master's
 * alone and opens to nobody but its user.  A program that another module
 * executes from the master inherits it, though, as nginx does not say when it
 * executes what.
 */

#define NGX_HTTP_ENVELOPE_ZONE_VAR        "NGX_ENVELOPE_ZONE"
#define NGX_HTTP_ENVELOPE_ZONE_LABEL_LEN  512

/* for the lock of memory that is taken over, milliseconds */

#define NGX_HTTP_ENVELOPE_ZONE_LOCK_WAIT  1000
#define NGX_HTTP_ENVELOPE_ZONE_LOCK_STEP  10


#if defined(MFD_ALLOW_SEALING) && defined(F_ADD_SEALS) && (NGX_HAVE_ATOMIC_OPS)

#define NGX_HTTP_ENVELOPE_ZONE_MEMFD  1

/* of Linux 6.3 */

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL  0x0008U
#endif

/* of Linux 4.17; without it the address is a hint, and looked at */

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE  0
#endif

/* the one that ngx_current_msec goes by */

#if (NGX_HAVE_CLOCK_MONOTONIC)
#define NGX_HTTP_ENVELOPE_ZONE_CLOCK  1
#else
#define NGX_HTTP_ENVELOPE_ZONE_CLOCK  0
#endif

/* its size is fixed for good: there is no way to a SIGBUS */

#define NGX_HTTP_ENVELOPE_ZONE_SEALS                                          \
    (F_SEAL_SHRINK|F_SEAL_GROW|F_SEAL_SEAL)


/* behind the memory, in a page that nobody maps: what it is, and where */

typedef struct {
    u_char   layout[NGX_HTTP_ENVELOPE_ZONE_LABEL_LEN];
    u_char  *addr;
} ngx_http_envelope_zone_label_t;


static ngx_fd_t ngx_http_envelope_zone_create(ngx_shm_zone_t *shm_zone);
static ngx_int_t ngx_http_envelope_zone_move(ngx_shm_zone_t *shm_zone,
    ngx_fd_t fd);
static ngx_int_t ngx_http_envelope_zone_map(ngx_shm_zone_t *shm_zone,
    ngx_fd_t fd, const char **reason);
static ngx_int_t ngx_http_envelope_zone_check(ngx_slab_pool_t *shpool,
    size_t size);
static ngx_int_t ngx_http_envelope_zone_unlocked(ngx_slab_pool_t *shpool);
static ngx_int_t ngx_http_envelope_zone_label(ngx_shm_zone_t *shm_zone,
    ngx_http_envelope_zone_label_t *label);

#endif


static void ngx_http_envelope_zone_close(void *data);


ngx_int_t
ngx_http_envelope_zone_memory(ngx_conf_t *cf, ngx_http_envelope_zone_t *zone)
{
    ngx_pool_cleanup_t  *cln;

    zone->fd = NGX_INVALID_FILE;
    zone->cycle = cf->cycle;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_envelope_zone_close;
    cln->data = zone;

    return NGX_OK;
}


static void
ngx_http_envelope_zone_close(void *data)
{
    ngx_http_envelope_zone_t *zone = data;

    if (zone->fd == NGX_INVALID_FILE) {
        return;
    }

    if (ngx_close_file(zone->fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      ngx_close_file_n " of envelope_zone failed");
    }

    zone->fd = NGX_INVALID_FILE;
}


/*
 * Each configuration has a descriptor of its own: whichever of the two goes,
 * the one that fails or the one that is replaced, closes no other's.
 */

void
ngx_http_envelope_zone_keep(ngx_http_envelope_zone_t *zone,
    ngx_http_envelope_zone_t *old)
{
    zone->inherited = old->inherited;

    if (old->fd == NGX_INVALID_FILE) {
        return;
    }

    zone->fd = dup(old->fd);

    if (zone->fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_WARN, zone->cycle->log, ngx_errno,
                      "dup() failed, a binary upgrade will not keep "
                      "envelope_zone");
    }
}


#if (NGX_HTTP_ENVELOPE_ZONE_MEMFD)


/*
 * Of the old binary only, hence in the first configuration; "nginx -t" that
 * happens to be run with this environment has no use for it.
 */

ngx_fd_t
ngx_http_envelope_zone_handed(ngx_cycle_t *cycle)
{
    char       *value;
    int         seals;
    ngx_fd_t    fd;

    if (!ngx_inherited
        || ngx_test_config
        || !ngx_is_init_cycle(cycle->old_cycle))
    {
        return NGX_INVALID_FILE;
    }

    value = getenv(NGX_HTTP_ENVELOPE_ZONE_VAR);
    if (value == NULL) {
        return NGX_INVALID_FILE;
    }

    fd = (ngx_fd_t) ngx_atoi((u_char *) value, ngx_strlen(value));
    if (fd == NGX_ERROR) {
        return NGX_INVALID_FILE;
    }

    /* an error where it is no such file, or none at all */

    seals = fcntl(fd, F_GET_SEALS);

    if (seals == -1
        || (seals & NGX_HTTP_ENVELOPE_ZONE_SEALS)
           != NGX_HTTP_ENVELOPE_ZONE_SEALS)
    {
        return NGX_INVALID_FILE;
    }

    return fd;
}


/* NGX_DECLINED: the memory stays as nginx has made it */

ngx_int_t
ngx_http_envelope_zone_inherit(ngx_shm_zone_t *shm_zone,
    ngx_http_envelope_zone_t *zone)
{
    ngx_fd_t     fd;
    const char  *reason;

    fd = zone->conf->handed;

    if (fd == NGX_INVALID_FILE) {
        return NGX_DECLINED;
    }

    if (ngx_http_envelope_zone_map(shm_zone, fd, &reason) != NGX_OK) {
        ngx_log_error(NGX_LOG_NOTICE, shm_zone->shm.log, 0,
                      "envelope_zone \"%V\" of the old binary is not taken "
                      "over: %s", &shm_zone->shm.name, reason);
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_NOTICE, shm_zone->shm.log, 0,
                  "envelope_zone \"%V\" of the old binary is taken over",
                  &shm_zone->shm.name);

    zone->fd = fd;
    zone->inherited = 1;

    zone->conf->handed = NGX_INVALID_FILE;

    return NGX_OK;
}


void
ngx_http_envelope_zone_share(ngx_shm_zone_t *shm_zone,
    ngx_http_envelope_zone_t *zone)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(zone->cycle->conf_ctx,
                                           ngx_core_module);

    /* only a master executes a new binary */

    if (ngx_test_config || !ccf->master) {
        return;
    }

    zone->fd = ngx_http_envelope_zone_create(shm_zone);

    if (zone->fd != NGX_INVALID_FILE
        && ngx_http_envelope_zone_move(shm_zone, zone->fd) != NGX_OK)
    {
        ngx_http_envelope_zone_close(zone);
    }

    if (zone->fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_NOTICE, shm_zone->shm.log, 0,
                      "a binary upgrade will not keep envelope_zone \"%V\"",
                      &shm_zone->shm.name);
    }
}


static ngx_fd_t
ngx_http_envelope_zone_create(ngx_shm_zone_t *shm_zone)
{
    off_t        size;
    ngx_fd_t     fd;
    ngx_err_t    err;
    const char  *what;

    fd = memfd_create("envelope_zone", MFD_ALLOW_SEALING|MFD_NOEXEC_SEAL);

    if (fd == -1 && ngx_errno == NGX_EINVAL) {
        fd = memfd_create("envelope_zone", MFD_ALLOW_SEALING);
    }

    if (fd == -1) {
        ngx_log_error(NGX_LOG_NOTICE, shm_zone->shm.log, ngx_errno,
                      "memfd_create() failed");
        return NGX_INVALID_FILE;
    }

    size = shm_zone->shm.size + ngx_pagesize;

    /* all of it is taken now: a page not to be had later is a SIGBUS */

    err = posix_fallocate(fd, 0, size);

    if (err) {
        what = "posix_fallocate()";
        goto failed;
    }

    /* the workers' user may look at descriptors of theirs */

    if (fchmod(fd, S_IRUSR|S_IWUSR) == -1) {
        err = ngx_errno;
        what = "fchmod()";
        goto failed;
    }

    if (fcntl(fd, F_ADD_SEALS, NGX_HTTP_ENVELOPE_ZONE_SEALS) == -1) {
        err = ngx_errno;
        what = "fcntl(F_ADD_SEALS)";
        goto failed;
    }

    return fd;

failed:

    ngx_log_error(NGX_LOG_NOTICE, shm_zone->shm.log, err,
                  "%s of envelope_zone failed", what);

    (void) ngx_close_file(fd);

    return NGX_INVALID_FILE;
}


/*
 * The pool is empty yet, and is made anew, in the way that nginx has made it.
 */

static ngx_int_t
ngx_http_envelope_zone_move(ngx_shm_zone_t *shm_zone, ngx_fd_t fd)
{
    u_char                          *p;
    size_t                           size;
    ngx_slab_pool_t                 *shpool, *old;
    ngx_http_envelope_zone_label_t   label;

    size = shm_zone->shm.size;

    if (ngx_http_envelope_zone_label(shm_zone, &label) != NGX_OK) {
        return NGX_ERROR;
    }

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED) {
        ngx_log_error(NGX_LOG_NOTICE, shm_zone->shm.log, ngx_errno,
                      "mmap(%uz) of envelope_zone failed", size);
        return NGX_ERROR;
    }

    label.addr = p;

    if (pwrite(fd, &label, sizeof(label), size) != sizeof(label)) {
        ngx_log_error(NGX_LOG_NOTICE, shm_zone->shm.log, ngx_errno,
                      "pwrite() of envelope_zone failed");
        goto failed;
    }

    old = (ngx_slab_pool_t *) shm_zone->shm.addr;
    shpool = (ngx_slab_pool_t *) p;

    shpool->end = p + size;
    shpool->min_shift = old->min_shift;
    shpool->addr = p;

    if (ngx_shmtx_create(&shpool->mutex, &shpool->lock, NULL) != NGX_OK) {
        goto failed;
    }

    ngx_slab_init(shpool);

    ngx_shm_free(&shm_zone->shm);

    shm_zone->shm.addr = p;

    return NGX_OK;

failed:

    (void) munmap(p, size);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_envelope_zone_map(ngx_shm_zone_t *shm_zone, ngx_fd_t fd,
    const char **reason)
{
    u_char                          *p;
    size_t                           size;
    struct stat                      st;
    ngx_http_envelope_zone_label_t   label, theirs;

    size = shm_zone->shm.size;

    if (fstat(fd, &st) == -1
        || st.st_uid != geteuid()
        || st.st_size != (off_t) (size + ngx_pagesize)
        || pread(fd, &theirs, sizeof(theirs), size) != sizeof(theirs)
        || ngx_http_envelope_zone_label(shm_zone, &label) != NGX_OK
        || ngx_memcmp(theirs.layout, label.layout, sizeof(label.layout)) != 0)
    {
        *reason = "its name, size or layout is another";
        return NGX_DECLINED;
    }

    p = mmap(theirs.addr, size, PROT_READ|PROT_WRITE,
             MAP_SHARED|MAP_FIXED_NOREPLACE, fd, 0);

    if (p == MAP_FAILED) {
        *reason = "its address is not free";
        return NGX_DECLINED;
    }

    if (p != theirs.addr) {
        *reason = "its address is not free";
        goto failed;
    }

    if (ngx_http_envelope_zone_check((ngx_slab_pool_t *) p, size) != NGX_OK) {
        *reason = "it is damaged";
        goto failed;
    }

    if (ngx_http_envelope_zone_unlocked((ngx_slab_pool_t *) p) != NGX_OK) {
        *reason = "it is locked";
        goto failed;
    }

    ngx_shm_free(&shm_zone->shm);

    shm_zone->shm.addr = p;

    return NGX_OK;

failed:

    (void) munmap(p, size);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_envelope_zone_check(ngx_slab_pool_t *shpool, size_t size)
{
    u_char  *p, *data;

    p = (u_char *) shpool;
    data = shpool->data;

    if (shpool->addr != p
        || shpool->end != p + size
        || shpool->mutex.lock != &shpool->lock.lock
        || data < shpool->start
        || data > shpool->end - sizeof(ngx_http_envelope_zone_sh_t))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * A master unlocks what its workers held when they died.  One that is gone
 * cannot, and must not leave the new binary waiting for ever.
 */

static ngx_int_t
ngx_http_envelope_zone_unlocked(ngx_slab_pool_t *shpool)
{
    ngx_pid_t   pid;
    ngx_uint_t  i;

    for (i = 0;
         i < NGX_HTTP_ENVELOPE_ZONE_LOCK_WAIT;
         i += NGX_HTTP_ENVELOPE_ZONE_LOCK_STEP)
    {
        if (ngx_shmtx_trylock(&shpool->mutex)) {
            ngx_shmtx_unlock(&shpool->mutex);
            return NGX_OK;
        }

        pid = (ngx_pid_t) *shpool->mutex.lock;

        if (pid && kill(pid, 0) == -1 && ngx_errno == NGX_ESRCH) {
            (void) ngx_shmtx_force_unlock(&shpool->mutex, pid);
            continue;
        }

        ngx_msleep(NGX_HTTP_ENVELOPE_ZONE_LOCK_STEP);
    }

    return NGX_DECLINED;
}


/*
 * All that has to be equal.  nginx's version need not: its slab pool has been
 * the same from 1.22 to 1.31, and would have other sizes if it were not.
 */

static ngx_int_t
ngx_http_envelope_zone_label(ngx_shm_zone_t *shm_zone,
    ngx_http_envelope_zone_label_t *label)
{
    u_char  *p, *last;

    ngx_memzero(label, sizeof(ngx_http_envelope_zone_label_t));

    last = label->layout + sizeof(label->layout);

    p = ngx_snprintf(label->layout, sizeof(label->layout),
                     "envelope_zone %d:%uz:%V clock %d "
                     "ptr %uz page %ui pool %uz %uz %uz %uz %uz "
                     "lock %uz entry %uz stat %uz zone %uz token %uz "
                     "once %uz %uz %d;",
                     NGX_HTTP_ENVELOPE_ZONE_LAYOUT,
                     shm_zone->shm.size, &shm_zone->shm.name,
                     NGX_HTTP_ENVELOPE_ZONE_CLOCK,
                     sizeof(void *), ngx_pagesize,
                     sizeof(ngx_slab_pool_t),
                     offsetof(ngx_slab_pool_t, pages),
                     offsetof(ngx_slab_pool_t, start),
                     offsetof(ngx_slab_pool_t, mutex),
                     offsetof(ngx_slab_pool_t, data),
                     sizeof(ngx_shmtx_t), sizeof(ngx_slab_page_t),
                     sizeof(ngx_slab_stat_t),
                     sizeof(ngx_http_envelope_zone_sh_t),
                     ngx_http_envelope_token_slot_size,
                     sizeof(ngx_http_envelope_once_table_t),
                     sizeof(ngx_http_envelope_once_slot_t),
                     NGX_HTTP_ENVELOPE_ONCE_WAYS);

    return p < last ? NGX_OK : NGX_DECLINED;
}


#else


ngx_fd_t
ngx_http_envelope_zone_handed(ngx_cycle_t *cycle)
{
    return NGX_INVALID_FILE;
}


ngx_int_t
ngx_http_envelope_zone_inherit(ngx_shm_zone_t *shm_zone,
    ngx_http_envelope_zone_t *zone)
{
    return NGX_DECLINED;
}


void
ngx_http_envelope_zone_share(ngx_shm_zone_t *shm_zone,
    ngx_http_envelope_zone_t *zone)
{
}


#endif


/*
 * Names the descriptor in the environment of a new binary, by the list that
 * the "env" directive makes.  One of the old binary that nobody has taken is
 * not kept.
 */

ngx_int_t
ngx_http_envelope_zone_init_module(ngx_cycle_t *cycle)
{
    u_char                         *p;
    ngx_str_t                      *var;
    ngx_core_conf_t                *ccf;
    ngx_http_envelope_main_conf_t  *emcf;

    emcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_envelope_module);
    if (emcf == NULL) {
        return NGX_OK;
    }

    if (emcf->handed != NGX_INVALID_FILE) {
        (void) ngx_close_file(emcf->handed);
        emcf->handed = NGX_INVALID_FILE;
    }

    if (emcf->zone == NULL || emcf->zone->fd == NGX_INVALID_FILE) {
        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    p = ngx_pnalloc(cycle->pool, sizeof(NGX_HTTP_ENVELOPE_ZONE_VAR "=")
                                 + NGX_INT32_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    var = ngx_array_push(&ccf->env);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->len = sizeof(NGX_HTTP_ENVELOPE_ZONE_VAR) - 1;
    var->data = p;

    ngx_sprintf(p, NGX_HTTP_ENVELOPE_ZONE_VAR "=%d%Z", emcf->zone->fd);

    return NGX_OK;
}


/* whoever is not the master has the memory, and no use for the descriptor */

void
ngx_http_envelope_zone_init_process(ngx_cycle_t *cycle)
{
    ngx_http_envelope_main_conf_t  *emcf;

    emcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_envelope_module);

    if (emcf && emcf->zone && ngx_process != NGX_PROCESS_SINGLE) {
        ngx_http_envelope_zone_close(emcf->zone);
        (void) unsetenv(NGX_HTTP_ENVELOPE_ZONE_VAR);
    }
}


/* nginx's own test of whether the old binary is still there */

ngx_uint_t
ngx_http_envelope_zone_upgrading(ngx_http_envelope_zone_t *zone)
{
    return ngx_new_binary > 0
           || (zone->inherited && ngx_getppid() == ngx_parent);
}
