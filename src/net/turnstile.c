#include "net/turnstile.h"

#define INSIDE_MOST 4
#define REPLY_BYTES ((size_t)1 << 20) /* what a large reply may come to */

static bool has_room(const struct turnstile *turnstile)
{
    return turnstile->inside == 0
               ? turnstile->unread_bytes < turnstile->room_bytes
               : turnstile->inside < INSIDE_MOST &&
                     turnstile->unread_bytes + (size_t)turnstile->inside * REPLY_BYTES <
                         turnstile->room_bytes;
}

static void let_in(struct turnstile *turnstile, struct exchange *exchange)
{
    exchange->inside_turnstile = true;
    turnstile->inside++;
}

bool turnstile_enter(struct turnstile *turnstile, struct exchange *exchange)
{
    if (!turnstile->first && has_room(turnstile)) {
        let_in(turnstile, exchange);
        return true;
    }
    exchange->next_parked = NULL;
    if (turnstile->last)
        turnstile->last->next_parked = exchange;
    else
        turnstile->first = exchange;
    turnstile->last = exchange;
    return false;
}

void turnstile_leave(struct turnstile *turnstile, struct exchange *exchange)
{
    turnstile->inside -= exchange->inside_turnstile;
    exchange->inside_turnstile = false;
}

struct exchange *turnstile_next(struct turnstile *turnstile)
{
    struct exchange *exchange = turnstile->first;
    if (!exchange || !has_room(turnstile))
        return NULL;
    turnstile->first = exchange->next_parked;
    if (!turnstile->first)
        turnstile->last = NULL;
    let_in(turnstile, exchange);
    return exchange;
}

bool turnstile_take_off(struct turnstile *turnstile, struct exchange *exchange)
{
    struct exchange *before = NULL;
    for (struct exchange *at = turnstile->first; at; before = at, at = at->next_parked) {
        if (at != exchange)
            continue;
        if (before)
            before->next_parked = at->next_parked;
        else
            turnstile->first = at->next_parked;
        if (turnstile->last == at)
            turnstile->last = before;
        return true;
    }
    return false;
}
