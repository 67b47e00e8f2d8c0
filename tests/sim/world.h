/* world: one run of the simulation: a shop, its terminals, its network, its disk and its
 * misfortunes, all drawn from one seed.
 *
 * An operation is one event: a terminal asks, bytes move, a part of the daemon makes one step, time
 * passes, a fault is armed, the power goes. After every restart the journal is read from its first
 * offset and held against the books; at the end everything is drained, every request must be
 * answered, stock must be the model's, and the product's own audit must find all sound. */
#ifndef TILLQ_TESTS_SIM_WORLD_H
#define TILLQ_TESTS_SIM_WORLD_H

#include "books.h"
#include "disk.h"

#define SKIPS_MAX 256

struct event_range {
    int64_t first, last; /* both included */
};

struct run {
    uint64_t seed;
    int64_t events;
    struct event_range skips[SKIPS_MAX]; /* events left out */
    int skip_count;
    bool trace; /* every event on standard error */
};

struct run_result {
    struct breach breach;
    int64_t breach_at; /* the event it was found at */
    int64_t operations;
    int64_t crashes;  /* power cuts and kills */
    int64_t restarts; /* orderly ones */
    int64_t faults[FAULT_COUNT];
    int64_t full; /* times the disk was filled up */
    int64_t flips;
    int64_t damages;  /* bits turned in the active segment between two starts */
    int64_t lost;     /* records, all stated: by those */
    int64_t promises; /* acknowledgements terminals received */
    int64_t records;
    uint64_t digest; /* of all that happened: equal runs have equal ones */
};

void world_run(const struct run *run, struct run_result *result);

#endif
