
/* Numbers that look random and are the same in each run. */


#ifndef _RND_H_INCLUDED_
#define _RND_H_INCLUDED_


#include "shim.h"


static uint32_t  seed = 20240917;


/* from 0 to n - 1; xorshift, Marsaglia 2003 */

static uint32_t
rnd(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;

    return seed % n;
}


#endif /* _RND_H_INCLUDED_ */
