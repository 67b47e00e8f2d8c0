/* inspect: may a segment be written on? The check every start makes, in bounded time; the whole
 * check is `tillq verify`.
 *
 * Of the active segment: its log (db_log.h), SQLite's quick check and every batch where the file is
 * small (INSPECT_BYTES), else the last INSPECT_BATCHES of each partition: offsets dense, hashes in
 * a chain, lengths that fit; and the state beside them: partitions, producers that know of each
 * record looked at, groups, the list of sealed segments. It is opened to read only, and nothing in
 * it or beside it is changed.
 *
 * What a crash leaves behind is never damage: a log that ends within a commit, a file without its
 * first transaction. */
#ifndef TILLQ_JOURNAL_INSPECT_H
#define TILLQ_JOURNAL_INSPECT_H

#include "base/buffer.h"
#include "base/db.h"
#include "base/failure.h"

#define INSPECT_BYTES (INT64_C(32) << 20)
#define INSPECT_BATCHES 256

enum condition {
    SEGMENT_SOUND,
    SEGMENT_HALF_MADE, /* a roll that did not happen */
    SEGMENT_DAMAGED,
    SEGMENT_UNKNOWN, /* of another format, or it could not be looked at now: leave it alone */
};

/* The active segment. Other than sound and half made: *why says what is wrong. */
enum condition inspect_active(const char *directory, int64_t number, struct failure *why)
    __attribute__((warn_unused_result));

/* A sealed segment, by its place in the list of its successor: it is there, of the size it was
 * sealed with, read-only, and its header can be read. `bytes` -1: it was not sealed yet. */
enum condition inspect_sealed(const char *directory, int64_t number, int64_t bytes,
                              struct failure *why) __attribute__((warn_unused_result));

#endif
