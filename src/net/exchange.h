/* exchange: one request and its reply, from the line that asked to the line that answers.
 *
 * Owned by its session, which keeps its exchanges in the order they were asked; lent, through the
 * engine's queues, to the thread that works on it. If the connection goes in the meantime `session`
 * is NULL and the engine frees it when it comes back. */
#ifndef TILLQ_NET_EXCHANGE_H
#define TILLQ_NET_EXCHANGE_H

#include "journal/append.h"
#include "net/request.h"

struct session;

enum exchange_state {
    EXCHANGE_WAITING,  /* a read, behind something that is not answered yet */
    EXCHANGE_UNDERWAY, /* with a worker, or parked */
    EXCHANGE_DELAYED,  /* a refusal that is held back */
    EXCHANGE_ANSWERED,
};

struct exchange {
    struct append append; /* first: what the queues carry is cast back */
    struct session *session;
    struct exchange *next;        /* asked after it on the same connection */
    struct exchange *next_parked; /* or next delayed */
    enum exchange_state state;
    enum operation operation;
    enum acknowledgement ack;
    bool large; /* a read whose reply may be large: it goes through the turnstile */
    bool inside_turnstile;
    bool closes;         /* the connection ends after this reply */
    bool empty;          /* a fetch that came back with nothing and may wait */
    bool hurried;        /* a fetch that is to wait no longer, from its next look on */
    bool last_look;      /* a fetch that may wait no longer */
    bool slows;          /* nothing more is taken from its connection until it is told */
    int64_t seq;         /* to echo; -1 = none */
    struct text tag;     /* to echo; raw JSON */
    struct text line;    /* of a read: parsed again by the thread that answers it */
    int64_t wait_ms;     /* of a fetch */
    int64_t deadline_us; /* of a fetch that waits; 0 = not set yet. Of a refusal: when to tell */
    int64_t writes_seen; /* to the fetch's topic, when it last looked */
    struct buffer reply; /* the line, without LF; empty: rendered from `append` */
    size_t bytes;        /* what it counts for against max_pending */
    char memory[];       /* what the texts point to */
};

/* An exchange for a request, with `memory_bytes` of its own and its tag copied. NULL: no memory. */
struct exchange *exchange_new(const struct request *request, size_t memory_bytes);
void exchange_free(struct exchange *exchange); /* NULL is fine */
/* Copies a text into the exchange's memory at *at. */
struct text exchange_keep(struct text text, char **at);
/* Adds its line with LF; nothing where none is owed (a put with ack none that was taken). To be
 * asked once: a long reply is moved and not copied. */
void exchange_add_reply(struct exchange *exchange, struct buffer *output);

#endif
