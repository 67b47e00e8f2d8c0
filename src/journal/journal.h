/* journal: the owner of a journal directory, its only writer. No thread in here: see writer.h.
 *
 * Invariants: (1) an append without error is committed and synced; (2) offsets of a partition are
 * dense and never reused, a record is never changed; (3) (producer, seq) is journaled at most once.
 * Between two calls all memory state equals what is committed. */
#ifndef TILLQ_JOURNAL_JOURNAL_H
#define TILLQ_JOURNAL_JOURNAL_H

#include "base/clock.h"
#include "base/failure.h"
#include "journal/append.h"

struct journal;

struct journal_options {
    const char *directory; /* the data directory; must exist and be ours (see lock.h) */
    int64_t segment_bytes; /* roll when the active segment is larger */
    int64_t cache_bytes;
    const struct clock *clock;
    int64_t reserve_bytes; /* see reserve.h; 0 = none */
    /* What somebody else knows to have been given out: all offsets below it. Asked at start, when
     * nothing is written yet: a journal that ends below it has lost its end, which is stated
     * (salvage.h). May be NULL. */
    int64_t (*given_out)(void *context, struct text topic, int partition);
    void *context;
};

enum journal_health {
    JOURNAL_OK,
    /* There is no room. With a reserve: refused at once, before anything is begun, until the
     * reserve could be taken again, which is tried some times a second. Without: every commit
     * tries. */
    JOURNAL_IS_FULL,
    JOURNAL_IS_FAILED, /* a write or sync failed: nothing is trusted until a restart */
};

/* What was found at start, for the log. */
struct journal_recovery {
    int64_t segments;
    int64_t active;              /* number of the active segment */
    int64_t records;             /* in all partitions, all segments */
    int64_t log_pages_recovered; /* of the write-ahead log: more than 0 after a crash */
    bool salvaged;               /* the active segment was damaged: see salvage.h */
    int64_t lost;                /* offsets, by that */
    int damaged_segments;        /* of the sealed ones: missing, or not as they were sealed */
};

int journal_open(struct journal **out, const struct journal_options *options,
                 struct journal_recovery *recovery, struct failure *failure)
    __attribute__((warn_unused_result));
void journal_close(struct journal *journal); /* NULL is fine */

/* Writes all of the chain in one commit and fills in the answers. Never fails as a whole: what
 * could not be written says so in its `error`. At most 65536 appends and about BATCH_BYTES_LIMIT.
 */
void journal_append(struct journal *journal, struct append *first);

/* One small step of housekeeping: roll, checkpoint, seal, hash. `idle`: nobody is waiting.
 * True where there is more to do now; `retry` is set where something waits for a reader to go. */
bool journal_tend(struct journal *journal, bool idle, bool *retry);

void journal_set_segment_bytes(struct journal *journal, int64_t segment_bytes);
enum journal_health journal_health(const struct journal *journal, const char **message);
int64_t journal_reserve_bytes(const struct journal *journal); /* held now */
/* The sealed segments that were found damaged at start: the elements of a JSON array, ready for the
 * status; empty where all is well. Never changes while the journal is open. */
struct text journal_damage(const struct journal *journal);
int64_t journal_active_segment(const struct journal *journal);
/* The next offset to be written, or -1 where there is no such partition. */
int64_t journal_end(const struct journal *journal, struct text topic, int partition);

#endif
