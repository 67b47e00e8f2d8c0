/* audit: proves a data directory sound, or names the first bad offset. Read-only.
 *
 * Checks, segment by segment, every batch (hash chain, offsets dense from the first on, lengths add
 * up) and each (terminal, seq) once, then the segment's file (SQLite's integrity check; SHA-256 of
 * a sealed one against what the newest says); then producer and group state; then folds all
 * documents below `applied` into a private temporary database and compares every table with the
 * live stock file, row by row. Memory is bounded; the fold spills to SQLite's temporary directory.
 */
#ifndef TILLQ_STOCK_AUDIT_H
#define TILLQ_STOCK_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/failure.h"

struct audit {
    bool sound;
    char fault[320]; /* in words; empty where sound */
    char topic[128]; /* of the fault, where it has a place */
    int partition;   /* -1 = none */
    int64_t offset;  /* first bad offset; -1 = none */
    int64_t segments;
    int64_t batches;
    int64_t records;
    int64_t lost;      /* offsets stated as lost (batch.h): a loss that is told is no fault */
    int64_t documents; /* folded */
    int64_t movements;
    int64_t stock_rows;
    int64_t applied; /* of stock's partition 0: how far the stock file was when compared */
};

/* Called now and then with what is being done ("segments", "batches", "fold", "compare") and how
 * far it is. False gives the audit up. May be NULL. */
typedef bool audit_progress(const char *stage, int64_t done, int64_t total, void *context);

/* 0 where the audit could be made, sound or not; -1 where not (no such directory, no room …). */
int audit_directory(const char *directory, audit_progress *progress, void *context,
                    struct audit *audit, struct failure *failure)
    __attribute__((warn_unused_result));

/* The members of one JSON object, without braces: "sound":true,"segments":1,… ; `fault`, `topic`,
 * `partition` and `offset` only where not sound. */
void audit_add_json(const struct audit *audit, struct buffer *out);

#endif
