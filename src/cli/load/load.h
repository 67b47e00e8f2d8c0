/* load: one run of the load generator: what was asked for, and what all its parts share.
 *
 * One thread plays all terminals over non-blocking sockets. Receipt k of the workload belongs to
 * terminal k mod N with seq k div N, so that the same input always gives the same documents and a
 * second run goes on where the first ended (hello's last_seq).
 *
 *   load.c           options, and the order of things
 *   load_workload    receipts as request lines
 *   load_terminal    one terminal: connect, hello, send, acknowledge, again after a loss
 *   load_fleet       all of them: epoll, timers, the end
 *   load_proof       stock before and after against the sum of what was acknowledged
 *   load_report      what was measured */
#ifndef TILLQ_CLI_LOAD_LOAD_H
#define TILLQ_CLI_LOAD_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/failure.h"
#include "cli/load/basket.h"
#include "cli/load/histogram.h"
#include "cli/load/timetable.h"
#include "cli/load/workload.h"
#include "client/address.h"

#define LOAD_TERMINALS_MAX 100000
#define LOAD_WINDOW_MAX 65536

enum load_ack { LOAD_ACK_JOURNAL, LOAD_ACK_APPLIED, LOAD_ACK_NONE };
enum load_check { LOAD_CHECK_NONE, LOAD_CHECK_WARN, LOAD_CHECK_HARD };

struct load_options {
    int64_t terminals;
    const char *receipts; /* file; NULL = made up */
    int64_t generate;     /* how many to make up; 0 = not said */
    int ack;              /* enum load_ack */
    int check;            /* enum load_check */
    int64_t window;       /* documents a terminal has in flight at most; 0 = not said */
    int64_t rate;       /* documents a second of all terminals together; 0 = as fast as answered */
    int64_t limit;      /* documents of the workload; 0 = all */
    int64_t duration_s; /* 0 = until all is sent */
    int64_t seed;
    int64_t skus;
    int64_t hot_percent;
    bool uniform;
    int64_t resend;
    int64_t reconnect_for_s;
    bool no_proof;
    const char *shop;
    const char *terminal_prefix;
};

/* Documents are counted once, whatever was sent again. */
struct load_totals {
    int64_t documents;  /* journaled by this run and acknowledged */
    int64_t lines;      /* of those */
    int64_t before;     /* journaled by an earlier run: not sent */
    int64_t reconnects; /* connections made again */
    int64_t resent;     /* documents sent once more */
    int64_t duplicates; /* replies that said so */
    int64_t accepted;   /* outcomes, with ack applied */
    int64_t rejected;
    int64_t conflicts;
    int64_t unknown; /* replies without an outcome */
};

struct load_run {
    const struct load_options *options;
    const struct credentials *credentials; /* of terminals that have some */
    struct workload workload;
    int64_t *sums_milli; /* what this run's documents do to each sku's on_hand */
    struct load_totals totals;
    struct histogram latency;
    struct address address;
    int epoll;
    struct timetable timetable; /* of terminals, microseconds */
    struct buffer input;        /* what was just read, of whichever terminal */
    int64_t now_us;             /* looked up for every event */
    int64_t start_us;           /* when the first document was sent; -1 = not yet */
    int64_t last_us;            /* of the last acknowledgement */
    uint32_t connecting;
    uint32_t greeted; /* terminals that have said hello at least once */
    uint32_t done;
    bool stopping; /* nothing new is sent */
    bool failed;
    struct failure failure;
};

/* The first failure ends the run. */
void load_fail(struct load_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
