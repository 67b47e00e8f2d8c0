/* bell: how another thread wakes the loop. An eventfd in libevent; rings may merge, none is lost.
 */
#ifndef TILLQ_BASE_BELL_H
#define TILLQ_BASE_BELL_H

struct bell;
struct event_base;

/* `answer` runs in the loop's thread, once for any number of rings. NULL on failure. */
struct bell *bell_new(struct event_base *base, void (*answer)(void *context), void *context);
void bell_free(struct bell *bell);
void bell_ring(struct bell *bell); /* any thread */

#endif
