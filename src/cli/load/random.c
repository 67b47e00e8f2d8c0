#include "cli/load/random.h"

static uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

uint64_t random_scatter(uint64_t number)
{
    uint64_t mixed = number + 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

void random_seed(struct random *random, uint64_t seed, uint64_t stream)
{
    uint64_t at = random_scatter(seed) ^ random_scatter(~stream);
    for (int i = 0; i < 4; i++) {
        random->state[i] = random_scatter(at);
        at += 0x9e3779b97f4a7c15u;
    }
}

uint64_t random_next(struct random *random)
{
    uint64_t *state = random->state;
    uint64_t result = rotate(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate(state[3], 45);
    return result;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    uint64_t uneven = (0 - bound) % bound; /* below this some results would be likelier */
    uint64_t value;
    do
        value = random_next(random);
    while (value < uneven);
    return value % bound;
}

/* -ln(x) of x in (0, 1]: halvings times ln 2, the rest by the series of artanh. Written out because
 * nothing else here needs the mathematics library. */
static double minus_log(double x)
{
    double halvings = 0;
    for (; x < 0.5; x *= 2)
        halvings++;
    double t = (1 - x) / (1 + x);
    double square = t * t;
    double term = t;
    double sum = 0;
    for (int odd = 1; odd < 32; odd += 2) {
        sum += term / odd;
        term *= square;
    }
    return halvings * 0.69314718055994530942 + 2 * sum;
}

int64_t random_gap_ns(struct random *random, double mean_ns)
{
    double uniform = (double)((random_next(random) >> 11) + 1) / 9007199254740992.0; /* 2^53 */
    return (int64_t)(minus_log(uniform) * mean_ns);
}
