/* chance: everything that is left to chance, drawn from one seed.
 *
 * Each event of a run has a generator of its own, made of the seed and the event's number: an event
 * left out changes nothing in what the others draw, which is what lets a failing run be cut down.
 * SplitMix64. */
#ifndef TILLQ_TESTS_SIM_CHANCE_H
#define TILLQ_TESTS_SIM_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

static inline uint64_t chance_draw(struct chance *chance)
{
    uint64_t z = (chance->state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline struct chance chance_of(uint64_t seed, uint64_t event)
{
    struct chance mixed = {seed * 0x2545f4914f6cdd1du + event};
    return (struct chance){chance_draw(&mixed)};
}

/* 0 to sides - 1 */
static inline int64_t chance_below(struct chance *chance, int64_t sides)
{
    return (int64_t)(chance_draw(chance) % (uint64_t)sides);
}

/* From `least` to `most`, both included. */
static inline int64_t chance_between(struct chance *chance, int64_t least, int64_t most)
{
    return least + chance_below(chance, most - least + 1);
}

static inline bool chance_in(struct chance *chance, int64_t one_of)
{
    return chance_below(chance, one_of) == 0;
}

#endif
