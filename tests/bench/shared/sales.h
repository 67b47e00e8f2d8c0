/* sales: made-up receipts, the load generator's own, as documents without a load generator. */
#ifndef TILLQ_BENCH_SALES_H
#define TILLQ_BENCH_SALES_H

#include "cli/load/load.h"

#define SALES_TERMINALS 64

struct sales_options {
    int64_t skus;
    bool uniform;        /* every sku as likely; else few sell most (Zipf) */
    int64_t hot_percent; /* one sku is in so many percent of the receipts; 0 = none */
    size_t lines_least;  /* receipts of fewer or more lines are passed over */
    size_t lines_most;
};

struct sales {
    struct sales_options options;
    struct load_options load;
    struct workload workload;
    uint64_t place; /* of the receipt that is looked at next */
    int64_t count;  /* given out so far */
    size_t before;  /* bytes of a request line before its document */
    char terminals[SALES_TERMINALS][TERMINAL_NAME_BYTES];
};

/* One document; the texts live in the line it was made in and in the sales. */
struct sale {
    struct text request; /* the whole line, with LF */
    struct text document;
    struct text terminal;
    int64_t seq;
    size_t lines;
};

/* -1 where there is no memory; sales_free in any case. */
int sales_start(struct sales *sales, const struct sales_options *options, struct failure *failure)
    __attribute__((warn_unused_result));
void sales_free(struct sales *sales);

/* The next document, the same ones for the same options; `line` is cleared and holds it. -1 where
 * there is no memory. */
int sales_next(struct sales *sales, struct buffer *line, struct sale *sale)
    __attribute__((warn_unused_result));

#endif
