/*
 * The bare OpenSSL operations of one message, again and again: what they
 * cost when there is nothing around them.
 *
 *     bare SECONDS OPERATION..
 *
 * See operations.h.  Prints the nanoseconds of CPU time that one message
 * takes.
 */

#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>


#define MAX_OPS  32

/*
 * Messages between two looks at the clock.  With every 32nd operation of a
 * private key OpenSSL draws its blinding anew (BN_BLINDING_COUNTER), which
 * takes as long as a quarter of that operation (4096 bits) or nearly as long
 * as all of it (2048), so that only whole turns tell what one costs.
 */

#define BATCH    32


static double
cpu_seconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


int
main(int argc, char **argv)
{
    int           i, n;
    long          done, more;
    double        seconds, spent, start;
    operation_t  *ops[MAX_OPS];

    if (argc < 3 || argc - 2 > MAX_OPS) {
        fprintf(stderr, "usage: bare SECONDS OPERATION..\n");
        return 2;
    }

    seconds = atof(argv[1]);
    n = argc - 2;

    for (i = 0; i < n; i++) {
        ops[i] = operation_make(argv[i + 2]);
    }

    /* what is made at the first time is made once */

    for (i = 0; i < n; i++) {
        operation_run(ops[i]);
    }

    done = 0;
    spent = 0;
    start = cpu_seconds();

    do {
        for (more = BATCH; more; more--) {
            for (i = 0; i < n; i++) {
                operation_run(ops[i]);
            }
        }

        done += BATCH;
        spent = cpu_seconds() - start;

    } while (spent < seconds);

    printf("%.0f\n", spent * 1e9 / (double) done);

    return 0;
}
