/* plug: records that are written, synced and told of one by one, until somebody pulls the plug.
 *
 * A record is PLUG_RECORD_BYTES: its number, a filler made from it, and the SHA-256 of both. Number
 * N lies at N * PLUG_RECORD_BYTES. A number is told only after its sync has returned: whoever hears
 * it may count on the record, and on all before it. */
#ifndef TILLQ_CLI_PLUG_H
#define TILLQ_CLI_PLUG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"

#define PLUG_RECORD_BYTES 512

/* Appends records 0 .. most - 1 to a new file; `tell` is called with each number that is synced and
 * ends it by false. 0, or -1 with the reason. */
int plug_write(const char *path, int64_t most, bool (*tell)(int64_t number, void *context),
               void *context, struct failure *failure) __attribute__((warn_unused_result));

/* How many records lie sound and without a gap from the beginning of the file; -1 with the reason
 * where it cannot be read. */
int64_t plug_count(const char *path, struct failure *failure);

#endif
