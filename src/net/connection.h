/* connection: one accepted socket around one session. */
#ifndef TILLQ_NET_CONNECTION_H
#define TILLQ_NET_CONNECTION_H

#include "net/session.h"

struct event_base;
struct connection;
struct tls;

/* Priorities of libevent's: its middle one of CONNECTION_PRIORITIES, which is what every event gets
 * that asks for none, and the last, where only a few are served before the others are looked at. */
#define CONNECTION_PRIORITIES 3
#define CONNECTION_PRIORITY_FAIR 1
#define CONNECTION_PRIORITY_GREEDY 2

/* What a connection needs of its server. */
struct connection_owner {
    struct event_base *base;
    struct engine *engine;
    const struct clock *clock;
    struct connection *connections; /* all of them */
    int64_t count;
    int64_t shaking_hands; /* of them: TLS is not agreed on yet */
    char *input;           /* one read's worth of bytes, shared: work on them is done at once */
    size_t input_bytes;
};

/* Takes the descriptor over; `tls` NULL: plain. 0, or -1 (no memory): the descriptor is closed. */
int connection_new(struct connection_owner *owner, int descriptor, const struct tls *tls)
    __attribute__((warn_unused_result));
void connection_free(struct connection *connection);

/* For every connection that stood still for want of room in the engine. */
void connection_resume_all(struct connection_owner *owner);
/* Since `before_us`: refuses those that sent nothing and are owed nothing, closes those that took
 * nothing of what they are owed. */
void connection_end_idle(struct connection_owner *owner, int64_t before_us);
/* Refuses those that came before `before_us` and have not shown a token that is asked for. */
void connection_end_strangers(struct connection_owner *owner, int64_t before_us);
/* Closes those that came before `before_us` and have not agreed on TLS yet, whatever they send. */
void connection_end_stalled_handshakes(struct connection_owner *owner, int64_t before_us);
/* Goes on with those that were refused too often in the second that has passed. */
void connection_next_second(struct connection_owner *owner);
/* Closes those that took nothing of what they are owed since `before_us`. */
void connection_end_stalled(struct connection_owner *owner, int64_t before_us);
/* Reads no more from anybody; what was taken is answered, then each is closed. */
void connection_drain_all(struct connection_owner *owner);
void connection_free_all(struct connection_owner *owner);

#endif
