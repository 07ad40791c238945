
/* json.c as it is where no more than 16 bytes at a time can be looked at. */


#define NGX_ENVELOPE_JSON_WIDE  0

#include "../../src/core/ngx_envelope_json.c"
#include "../../src/core/ngx_envelope_json_string.c"

#include "json.c"
