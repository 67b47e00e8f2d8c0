/* slowdown: how long the next refusal to an address is held back.
 *
 * The first is told at once, the next after 100 ms, 200 ms, … up to 5 s; an address that was quiet
 * for a minute begins anew. It is refusals that are slowed, never a good token: a guesser gains
 * nothing by that (160 bits are not guessed at any speed), and a till whose address is shared with
 * a till that has a wrong token, or with somebody hostile, gets in as fast as ever. What slowing is
 * for is that a wrong token tried again and again costs the shop nothing.
 *
 * Memory is bounded whatever comes: a table of SLOWDOWN_ADDRESSES, in which a new address takes the
 * place of the one longest quiet of a few. Who has many addresses gets refused without waiting, and
 * that is all. No clock in here: the time is passed in. Start from zeros. */
#ifndef TILLQ_NET_SLOWDOWN_H
#define TILLQ_NET_SLOWDOWN_H

#include <stdint.h>

#define SLOWDOWN_FIRST_US INT64_C(100000)
#define SLOWDOWN_MOST_US INT64_C(5000000)
#define SLOWDOWN_FORGET_US INT64_C(60000000)
#define SLOWDOWN_ROWS 256
#define SLOWDOWN_PLACES 4
#define SLOWDOWN_ADDRESSES (SLOWDOWN_ROWS * SLOWDOWN_PLACES)

struct slowdown {
    struct slowdown_place {
        uint64_t address;
        int64_t last_us;
        int64_t refusals; /* 0 = a free place */
    } places[SLOWDOWN_ROWS][SLOWDOWN_PLACES];
};

/* Counts a refusal to `address` now, and says for how long its reply is to be held back. */
int64_t slowdown_refuse_us(struct slowdown *slowdown, uint64_t address, int64_t now_us);

#endif
