/* source: what a damaged segment still gives. Read-only, and silent about what cannot be read: that
 * is what it is for. One thread. */
#ifndef TILLQ_JOURNAL_SOURCE_H
#define TILLQ_JOURNAL_SOURCE_H

#include "base/db.h"
#include "base/sha256.h"
#include "journal/batch.h"

struct source;

/* NULL: no memory. A file that is missing, empty or no database gives nothing. */
struct source *source_open(const char *path);
void source_close(struct source *source); /* NULL is fine */
/* NULL where it gives nothing. */
struct db *source_db(struct source *source);
/* SQLite finds nothing wrong with its pages and its log: what cannot be read back is known. */
bool source_is_orderly(const struct source *source);
int64_t source_bytes(const struct source *source); /* of the file and its log */

enum proof {
    PROVEN,   /* its hash goes on from the batch before */
    UNPROVEN, /* the batch before cannot be read; it has the form of one, and the next goes on from
                 it */
};

/* Begins with the batches of (topic, partition) that lie at `start` or beyond; `start_hash` is that
 * of the batch before. False where it has no such table. */
bool source_begin(struct source *source, struct text topic, int partition, int64_t start,
                  const unsigned char start_hash[SHA256_BYTES]);
/* The next batch that is whole. 1; 0 after the last one; -1 no memory. Its texts live until the
 * next call. */
int source_next(struct source *source, struct batch *batch, enum proof *proof)
    __attribute__((warn_unused_result));
/* The highest offset behind any batch seen so far, whole or not. */
int64_t source_seen(const struct source *source);

#endif
