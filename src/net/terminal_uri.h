/* terminal_uri: "tillq:terminal:ID", how a certificate names the terminal it speaks for.
 *
 * The scheme and "terminal:" in any case; the id percent-encoded where a URI needs that (RFC 3986):
 * "tillq:terminal:Kasse%202" is the terminal "Kasse 2". */
#ifndef TILLQ_NET_TERMINAL_URI_H
#define TILLQ_NET_TERMINAL_URI_H

#include <stdbool.h>

#include "base/text.h"

#define TERMINAL_URI_ID_BYTES 65 /* 64 and a NUL */

/* True for a URI of the scheme `tillq`, whatever else it says. */
bool terminal_uri_is_ours(struct text uri);
/* The id, a C string. False where the URI has another form, or the id is not 1 to 64 bytes of UTF-8
 * without control characters; `id` is then "". */
bool terminal_uri_read(struct text uri, char id[TERMINAL_URI_ID_BYTES]);

#endif
