/* measure: what the programs here share: giving up, numbers from the command line, a timed loop. */
#ifndef TILLQ_BENCH_MEASURE_H
#define TILLQ_BENCH_MEASURE_H

#include <stdint.h>

#include "cli/load/histogram.h"

/* One line on standard error and exit status 1: a measurement that went wrong is none. */
_Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A whole number from 1 to `most`, or usage error (exit status 2) naming the option. */
int64_t read_number(const char *option, const char *value, int64_t most);

/* Repeats `turn` for `milliseconds` (after one tenth of that, not counted, to warm up) and times
 * each.
 */
struct turns {
    struct histogram histogram; /* one turn, us */
    int64_t count;
    double seconds;
};
void measure_turns(struct turns *turns, int64_t milliseconds, void (*turn)(void *context),
                   void *context);
/* {"turns":N,"per_s":…,"p50_us":…,"p99_us":…,"bytes":N}: a turn counts as `each` in per_s. */
void print_turns(const struct turns *turns, int64_t each, int64_t bytes);

/* Time of a processor this process has used, us: what other programs do meanwhile hardly shows. */
int64_t processor_us(void);

/* The most memory this process has had resident (VmHWM), bytes. */
int64_t peak_resident_bytes(void);

#endif
