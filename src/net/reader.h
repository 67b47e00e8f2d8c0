/* reader: the thread that answers what only reads, on connections of its own. The daemon has two of
 * them: one for quick questions, one for an audit that may take minutes. */
#ifndef TILLQ_NET_READER_H
#define TILLQ_NET_READER_H

#include "base/worker.h"
#include "net/exchange.h"
#include "net/query.h"

struct reader;

struct reader_options {
    const char *directory;
    const struct clock *clock;
    /* Fills in what the daemon knows and returns the active segment's number. Any thread. */
    int64_t (*look)(struct query_live *live, void *context);
    /* Called in the reader's thread with the exchange answered, or `empty` (see exchange.h). */
    void (*deliver)(struct exchange *exchange, void *context);
    void *context;
};

int reader_new(struct reader **out, const struct reader_options *options, struct failure *failure)
    __attribute__((warn_unused_result));
int reader_start(struct reader *reader, struct failure *failure)
    __attribute__((warn_unused_result));
void reader_stop(struct reader *reader); /* NULL is fine */
/* Any thread: an audit under way is given up; it and those behind it are answered FAILED. */
void reader_give_up(struct reader *reader);
void reader_submit(struct reader *reader, struct exchange *exchange); /* any thread */
/* Any thread: a new segment has begun, let go of the old one. */
void reader_ring(struct reader *reader);

enum worker_next reader_step(void *reader);

#endif
