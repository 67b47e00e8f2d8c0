/* worker: a thread that sleeps until it is rung, then steps until there is nothing left to do.
 *
 * What it does is a step function without any thread in it, so a test (or a simulation) can drive
 * the same step by hand, in one thread and in any order. */
#ifndef TILLQ_BASE_WORKER_H
#define TILLQ_BASE_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/failure.h"

struct worker;

enum worker_next {
    WORKER_AGAIN, /* there is more to do now */
    WORKER_LATER, /* call again when rung, or after `retry_ms` at the latest */
    WORKER_SLEEP, /* call again when rung */
    /* Call again when rung, but not before WORKER_REST_MS have passed, except when hurried: for
     * work that is cheaper in larger portions. */
    WORKER_REST,
};

#define WORKER_REST_MS 5

struct worker_duty {
    const char *name; /* at most 15 bytes; shown by top and gdb */
    enum worker_next (*step)(void *context);
    void *context;
    int64_t retry_ms; /* for WORKER_LATER */
};

/* Starts the thread, with all signals blocked. 0 or -1. */
int worker_start(struct worker **out, const struct worker_duty *duty, const struct clock *clock,
                 struct failure *failure) __attribute__((warn_unused_result));
/* The same; the thread gives way to the others where the processors are short, by so much
 * (nice(2)).
 */
int worker_start_nice(struct worker **out, const struct worker_duty *duty,
                      const struct clock *clock, int niceness, struct failure *failure)
    __attribute__((warn_unused_result));
/* Any thread: there is something to do. Rings may merge; a ring is never lost. */
void worker_ring(struct worker *worker);
/* The same, and somebody waits for it: a rest is cut short. */
void worker_hurry(struct worker *worker);
/* Steps until the step says SLEEP or LATER, then ends the thread and frees the worker. NULL is
 * fine. */
void worker_stop(struct worker *worker);
/* Any thread: for how long the step now running has been at it, in us; 0 while asleep. */
int64_t worker_busy_us(const struct worker *worker);

#endif
