
/*
 * What the analyzers do not see, as each of them looks at one file at a time.
 * It is included before each file of src, and in no build.
 */


#ifndef _MODEL_H_INCLUDED_
#define _MODEL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_envelope_reason.h"


/* what these return; they are defined in a file that is analyzed as it is */

#ifndef NGX_ENVELOPE_REASON_C

#define ngx_envelope_declined(...)                                            \
    (ngx_envelope_declined(__VA_ARGS__), NGX_DECLINED)

#define ngx_envelope_failed(...)                                              \
    (ngx_envelope_failed(__VA_ARGS__), NGX_ERROR)

#endif


/*
 * That the neighbours of an element point back at it is an invariant that no
 * analyzer derives: without it a queue never gets shorter, and its head is
 * removed twice.
 */

void lint_queue_remove(ngx_queue_t *q);

#undef ngx_queue_remove
#define ngx_queue_remove(q)  lint_queue_remove(q)


#endif /* _MODEL_H_INCLUDED_ */
