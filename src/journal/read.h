/* read: a read-only view of a journal directory, whether its owner runs or not.
 *
 * It shares no memory with the owner: it finds segments by their files and sees what is committed.
 * One thread. It keeps at most two segments open and lets go of an old one as soon as it has moved
 * on (a sealed segment waits for that). */
#ifndef TILLQ_JOURNAL_READ_H
#define TILLQ_JOURNAL_READ_H

#include "base/failure.h"
#include "journal/batch.h"
#include "journal/hole.h"

struct journal_reader;

/* 0, or -1 where there is no journal in `directory`. */
int journal_reader_open(struct journal_reader **out, const char *directory, struct failure *failure)
    __attribute__((warn_unused_result));
void journal_reader_close(struct journal_reader *reader); /* NULL is fine */
/* Closes the files; the next call opens what it needs. */
void journal_reader_release(struct journal_reader *reader);

/* The batch that holds `offset` of (topic, partition). 1; 0 where it is not written yet (or there
 * is no such partition); -1 on error, where it no longer exists, or where the batch's hash does not
 * fit what it holds and the one before it (DAMAGED). The batch's texts live until
 * the next call; journal_reader_rest ends the read earlier. Offsets that were lost are a batch
 * without records (batch.h, BATCH_FORMAT_HOLE). A segment that is missing or cannot be read is an
 * error that names its offsets; the segments around it are read as ever. */
int journal_reader_find(struct journal_reader *reader, struct text topic, int partition,
                        int64_t offset, struct batch *batch, struct failure *failure)
    __attribute__((warn_unused_result));
void journal_reader_rest(struct journal_reader *reader);

/* First offset that still exists and the next to be written. 1, 0 no such partition, -1 error. */
int journal_reader_bounds(struct journal_reader *reader, struct text topic, int partition,
                          int64_t *start, int64_t *end, struct failure *failure)
    __attribute__((warn_unused_result));

/* Calls `each` for every partition of every topic, by name. 0 or -1. */
int journal_reader_partitions(struct journal_reader *reader,
                              void (*each)(struct text topic, int partition, int64_t start,
                                           int64_t end, void *context),
                              void *context, struct failure *failure)
    __attribute__((warn_unused_result));

/* Calls `each` for every stretch of offsets that was lost with a damaged segment. 0 or -1. */
int journal_reader_holes(struct journal_reader *reader,
                         void (*each)(const struct hole *hole, void *context), void *context,
                         struct failure *failure) __attribute__((warn_unused_result));

/* Highest seq of a producer, -1 if none. 0 or -1. */
int journal_reader_last_seq(struct journal_reader *reader, struct text producer, int64_t *last_seq,
                            struct failure *failure) __attribute__((warn_unused_result));
/* Committed offset of a group, -1 if none. 0 or -1. */
int journal_reader_committed(struct journal_reader *reader, struct text group, struct text topic,
                             int partition, int64_t *offset, struct failure *failure)
    __attribute__((warn_unused_result));

/* Number of segment files and their bytes, logs included. 0 or -1. */
int journal_reader_size(struct journal_reader *reader, int64_t *segments, int64_t *bytes,
                        struct failure *failure) __attribute__((warn_unused_result));

#endif
