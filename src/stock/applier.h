/* applier: the thread that drains the topic `stock` into the stock tables, in offset order, each
 * document exactly once: its effects and the applied offset move in one transaction (invariant 5).
 * It reads no clock and is never stopped by a document (invariant 7). */
#ifndef TILLQ_STOCK_APPLIER_H
#define TILLQ_STOCK_APPLIER_H

#include "base/worker.h"
#include "journal/append.h"

struct applier;

struct applier_options {
    const char *directory;
    int64_t cache_bytes;
    int64_t documents; /* at most so many in one transaction */
    /* Called in the applier's thread with appends whose documents are applied, outcome filled in.
     */
    void (*deliver)(struct append *first, void *context);
    void *context;
};

enum applier_health {
    APPLIER_OK,
    APPLIER_FULL,    /* no room for the stock file: tried again every second */
    APPLIER_WAITING, /* short of memory or open files: tried again every second */
    APPLIER_FAILED,  /* the stock file or the journal cannot be used: until a restart */
};

struct applier_figures {
    int64_t applied; /* of partition 0 */
    enum applier_health health;
    bool rebuilding;     /* the stock file is made anew, or is far behind: figures are old */
    int64_t stock_files; /* grows when the file was made anew: who reads it must open it again */
};

/* What was found at start, for the log. */
struct applier_recovery {
    int64_t applied; /* where the stock file stands */
    bool rebuilding; /* it is made anew from the journal, or so far behind that it must have been */
};

/* Opens the stock file, or sets it aside and makes it anew (live.h), then or when it turns out to
 * be damaged while it is worked on or asked, which is done once, and tried every second until it
 * can be. Until it has caught up, who would wait for what lies ahead is answered APPLIER_BEHIND. 0
 * or -1. */
int applier_new(struct applier **out, const struct applier_options *options,
                struct applier_recovery *recovery, struct failure *failure)
    __attribute__((warn_unused_result));
int applier_start(struct applier *applier, const struct clock *clock, struct failure *failure)
    __attribute__((warn_unused_result));
/* Ends the thread after its transaction and closes; what is not applied yet is applied at the next
 * start. Whoever still waits is handed back with an error. NULL is fine. */
void applier_stop(struct applier *applier);

/* Any thread: the journal has grown, or has a new segment. Between two transactions the applier
 * rests WORKER_REST_MS, unless somebody waits: a transaction for each of many small commits would
 * cost the writer more than it gives the reader of figures. */
void applier_ring(struct applier *applier);
/* Any thread: journaled appends whose senders wait for the outcome, and duplicates: of those it is
 * found out where they are, and whether their document is the one that was journaled. */
void applier_await(struct applier *applier, struct append *first);
void applier_set_documents(struct applier *applier, int64_t documents);
void applier_figures(const struct applier *applier, struct applier_figures *figures);
int64_t applier_busy_us(const struct applier *applier);

/* What the thread does, for whoever drives it by hand (before it is started, or instead). */
enum worker_next applier_step(void *applier);

#endif
