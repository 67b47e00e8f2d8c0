/* moment: milliseconds since 1970 UTC as a person's local date and time. */
#ifndef TILLQ_CLI_MOMENT_H
#define TILLQ_CLI_MOMENT_H

#include <stdint.h>

#include "base/text.h"

/* "2026-11-22 10:15:03.120" and a NUL. */
#define MOMENT_BYTES 32

struct text moment_format(int64_t wall_ms, char out[MOMENT_BYTES]);

#endif
