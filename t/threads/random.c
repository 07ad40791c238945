
/*
 * Random bytes from a store: nobody gets what somebody else had, on no thread
 * and in no process, and what was given is not in the store any more.
 */


#include "rnd.h"
#include "tap.h"

#include "ngx_http_envelope_random.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>


#define STORE    1024     /* bytes drawn at a time */
#define PIECE    16
#define THREADS  8
#define PIECES   2048     /* of each thread */


ngx_pid_t  ngx_pid;

/* of the last draw: where to, what, and how many there were */

static __thread u_char  *drawn_to;
static __thread u_char   drawn[STORE];
static __thread int      draws;
static int               no_random;


int
RAND_bytes(unsigned char *buf, int num)
{
    size_t  n;

    draws++;

    if (no_random) {
        ERR_raise(ERR_LIB_RAND, ERR_R_INTERNAL_ERROR);
        return 0;
    }

    if (getrandom(buf, num, 0) != num) {
        abort();
    }

    n = ngx_min(num, STORE);
    memcpy(drawn, buf, n);
    drawn_to = buf;

    return 1;
}


static void
take(u_char *buf, size_t len)
{
    if (ngx_http_envelope_random(NULL, buf, len) != NGX_OK) {
        abort();
    }
}


static void
test_store(void)
{
    u_char      buf[2 * STORE], zero[STORE];
    size_t      i, len, at;
    ngx_uint_t  wrong;

    memset(zero, 0, sizeof(zero));

    is_int(ngx_http_envelope_random(NULL, buf, 0), NGX_OK, "none");

    draws = 0;

    /* what is left of the store is not enough for the last piece */

    for (wrong = 0, at = 0, i = 0; i < 200; i++, at += len) {
        len = 1 + rnd(STORE / 2);

        if (at + len > STORE) {
            at = 0;
        }

        take(buf, len);

        if (memcmp(buf, drawn + at, len) != 0
            || memcmp(drawn_to, zero, at + len) != 0
            || memcmp(drawn_to + at + len, drawn + at + len, STORE - at - len)
               != 0)
        {
            wrong++;
        }
    }

    is_int(wrong, 0, "each from where the last one ended, and overwritten");
    ok(draws > 30 && draws < 200, "more than one for each draw, %d", draws);

    take(buf, STORE / 2);
    take(buf, STORE / 2);
    draws = 0;

    for (i = 0; i < STORE / PIECE; i++) {
        take(buf, PIECE);
    }

    ok(draws <= 1, "all of a store is used");

    draws = 0;
    drawn_to = NULL;

    take(buf, STORE / 2 + 1);
    ok(drawn_to == buf, "many are drawn to where they belong");
    take(buf, 2 * STORE);
    is_int(draws, 2, "each time");
}


static void
test_failures(void)
{
    u_char  buf[STORE];

    ngx_pid++;
    no_random = 1;

    is_int(ngx_http_envelope_random(NULL, buf, 1), NGX_ERROR, "no store");
    is_int(ERR_peek_error(), 0, "no errors queued");
    is_int(ngx_http_envelope_random(NULL, buf, STORE), NGX_ERROR, "no many");
    is_int(ERR_peek_error(), 0, "no errors queued");
    is_int(ngx_http_envelope_random(NULL, buf, (size_t) 1 << 32), NGX_ERROR,
           "too many");

    no_random = 0;
    draws = 0;

    take(buf, 1);
    is_int(draws, 1, "drawn when there are some");
    is_int(buf[0], drawn[0], "the first");
}


static void
test_fork(void)
{
    int     fds[2], status;
    u_char  ours[PIECE], theirs[PIECE], none[PIECE];
    pid_t   pid;

    ngx_pid = getpid();
    take(ours, PIECE);

    if (pipe(fds) == -1) {
        abort();
    }

    pid = fork();

    if (pid == 0) {
        ngx_pid = getpid();
        take(theirs, PIECE);
        _exit(write(fds[1], theirs, PIECE) != PIECE);
    }

    take(ours, PIECE);

    memset(theirs, 0, PIECE);
    memset(none, 0, PIECE);

    is_int(read(fds[0], theirs, PIECE), PIECE, "another process has some");
    ok(waitpid(pid, &status, 0) == pid && status == 0, "and is done");
    ok(memcmp(theirs, none, PIECE) != 0, "not zeros");
    ok(memcmp(ours, theirs, PIECE) != 0, "its own");

    close(fds[0]);
    close(fds[1]);
}


static u_char  pieces[THREADS * PIECES][PIECE];


static void *
thread(void *data)
{
    ngx_uint_t  i;

    for (i = 0; i < PIECES; i++) {
        take(((u_char (*)[PIECE]) data)[i], PIECE);
    }

    return NULL;
}


static int
compare(const void *one, const void *two)
{
    return memcmp(one, two, PIECE);
}


static void
test_threads(void)
{
    pthread_t   id[THREADS];
    ngx_uint_t  i, same;

    for (i = 0; i < THREADS; i++) {
        if (pthread_create(&id[i], NULL, thread, pieces[i * PIECES]) != 0) {
            abort();
        }
    }

    for (i = 0; i < THREADS; i++) {
        pthread_join(id[i], NULL);
    }

    qsort(pieces, THREADS * PIECES, PIECE, compare);

    for (same = 0, i = 1; i < THREADS * PIECES; i++) {
        same += (memcmp(pieces[i - 1], pieces[i], PIECE) == 0);
    }

    is_int(same, 0, "nothing twice, by %d threads", THREADS);
}


int
main(void)
{
    test_store();
    test_failures();
    test_fork();
    test_threads();

    return done_testing();
}
