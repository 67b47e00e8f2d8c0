/* random: numbers that are the same for the same seed on every machine (xoshiro256**, seeded by
 * splitmix64). Not for secrets. */
#ifndef TILLQ_CLI_LOAD_RANDOM_H
#define TILLQ_CLI_LOAD_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state[4];
};

/* `stream` makes as many independent sequences of one seed as are wanted. */
void random_seed(struct random *random, uint64_t seed, uint64_t stream);
uint64_t random_next(struct random *random);
/* 0 to bound - 1, each as likely; bound above 0. */
uint64_t random_below(struct random *random, uint64_t bound);
/* A time between two arrivals that know nothing of each other: exponential, of this mean. */
int64_t random_gap_ns(struct random *random, double mean_ns);

/* One step of splitmix64: scatters a number. */
uint64_t random_scatter(uint64_t number);

#endif
