/* writer: the thread that owns a journal. Takes all that is waiting, writes it with one commit and
 * one sync, then hands all the answers on. No timer: a lone sale is committed at once, and while
 * one commit syncs the next one gathers. */
#ifndef TILLQ_JOURNAL_WRITER_H
#define TILLQ_JOURNAL_WRITER_H

#include "base/worker.h"
#include "journal/journal.h"

struct writer;

struct writer_options {
    struct journal *journal; /* the writer's thread alone uses it until writer_stop */
    int64_t batch_records;   /* at most so many in one commit */
    /* Called in the writer's thread with answered appends, in the order they were submitted; with
     * NULL where there are none, but a new segment has begun by itself. */
    void (*deliver)(struct append *first, void *context);
    void *context;
};

/* What the writer has done since it began; read by any thread, each figure for itself. */
struct writer_figures {
    int64_t commits; /* that wrote something */
    int64_t records; /* written by them */
    enum journal_health health;
    const char *message; /* static; NULL while all is well */
    int64_t active_segment;
    int64_t reserve_bytes; /* held for a full disk */
};

struct writer *writer_new(const struct writer_options *options); /* NULL: no memory */
int writer_start(struct writer *writer, const struct clock *clock, struct failure *failure)
    __attribute__((warn_unused_result));
/* Answers all that was submitted and ends the thread; the journal is the caller's again. NULL is
 * fine. */
void writer_stop(struct writer *writer);

/* Any thread; a chain of appends, in order. */
void writer_submit(struct writer *writer, struct append *first);
void writer_set_limits(struct writer *writer, int64_t batch_records, int64_t segment_bytes);
void writer_figures(const struct writer *writer, struct writer_figures *figures);
int64_t writer_busy_us(const struct writer *writer);

/* What the thread does, for whoever drives it by hand. */
enum worker_next writer_step(void *writer);

#endif
