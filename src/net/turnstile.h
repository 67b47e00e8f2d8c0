/* turnstile: which large reads are worked on now, and which wait their turn.
 *
 * A reply may be a MiB, and its asker may never take it. So only a few large reads are under way at
 * a time, the first asked first, and none begins while replies nobody has taken fill the room.
 * Small reads and everything that writes do not come here. All in the loop's thread. Start from
 * zeros; the exchanges are their sessions' own. */
#ifndef TILLQ_NET_TURNSTILE_H
#define TILLQ_NET_TURNSTILE_H

#include "net/exchange.h"

struct turnstile {
    struct exchange *first, *last; /* they wait; through next_parked */
    int inside;                    /* under way */
    size_t unread_bytes;           /* of replies their connections have not taken, all of them */
    size_t room_bytes;             /* for those, and for what is under way */
};

/* True: it may begin now (and is inside). False: it waits here. */
bool turnstile_enter(struct turnstile *turnstile, struct exchange *exchange);
/* One that was inside has come back. */
void turnstile_leave(struct turnstile *turnstile, struct exchange *exchange);
/* The next one that may begin now, which is inside then; NULL where none may. */
struct exchange *turnstile_next(struct turnstile *turnstile);
/* True where it waited here, and does no more. */
bool turnstile_take_off(struct turnstile *turnstile, struct exchange *exchange);

#endif
