/*
 * For LD_PRELOAD: a resolver that says nothing for long about one name, and
 * then that it is to be tried again.  MARK is a file that gets a line each
 * time.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>


#define NAME     "hangs.example"
#define SECONDS  8


typedef int (*getaddrinfo_pt)(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res);


int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    FILE            *f;
    getaddrinfo_pt   next;

    if (node != NULL && strcmp(node, NAME) == 0) {

        f = fopen(MARK, "a");

        if (f != NULL) {
            fputs(NAME "\n", f);
            fclose(f);
        }

        sleep(SECONDS);

        return EAI_AGAIN;
    }

    next = (getaddrinfo_pt) dlsym(RTLD_NEXT, "getaddrinfo");

    return next ? next(node, service, hints, res) : EAI_SYSTEM;
}
