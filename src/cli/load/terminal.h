/* terminal: one terminal of a run, from connecting to its last acknowledgement.
 *
 *            connect            writable           hello answered
 *   OUT ------------> CONNECTING --------> GREETING -------------> READY ----> DONE
 *    ^  <--------------- lost ---------------------------------------'
 *
 * Invariants:
 *   1. Each document of [first, next) is acknowledged, or in exactly one of flights and again.
 *   2. Replies come in the order of flights; with ack none a document has no reply of its own and
 * is acknowledged by the answer to the next hello.
 *   3. Documents in flights and again together are at most the window (sent-again ones aside). */
#ifndef TILLQ_CLI_LOAD_TERMINAL_H
#define TILLQ_CLI_LOAD_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "cli/load/flights.h"
#include "cli/load/load.h"
#include "cli/load/random.h"

enum terminal_state {
    TERMINAL_OUT, /* no connection; the timetable says when to try */
    TERMINAL_CONNECTING,
    TERMINAL_GREETING,
    TERMINAL_READY,
    TERMINAL_DONE, /* all is acknowledged */
};

struct terminal {
    struct load_run *run;
    char name[TERMINAL_NAME_BYTES];
    const char *token; /* NULL = none */
    uint32_t number;
    enum terminal_state state;
    int socket; /* -1 = none */
    bool greeted;
    bool wants_writable; /* what epoll was told */
    int64_t first;       /* seq: documents below were journaled before this run */
    int64_t next;        /* seq of the next document never sent */
    int64_t end;         /* seqs are below */
    int64_t older;       /* seq of the next older document to send once more, below older_end */
    int64_t older_end;
    struct flights flights; /* requests owed a reply, in the order sent */
    struct flights again;   /* documents to send once more */
    uint32_t in_flight;     /* flights that are documents */
    uint32_t unconfirmed;   /* documents sent since the last hello; with ack none */
    struct buffer out;
    struct buffer in; /* the beginning of a line whose end has not come */
    struct random random;
    int64_t next_due_ns;      /* open loop: when the next document is due */
    int64_t wake_us;          /* when to connect, or when a pause ends; 0 = neither */
    int64_t pause_us;         /* how long the next pause is */
    int64_t trouble_since_us; /* without a connection, or refused; -1 = all is well */
};

/* -1 where there is no memory. */
int terminal_start(struct terminal *terminal, struct load_run *run, uint32_t number)
    __attribute__((warn_unused_result));
void terminal_free(struct terminal *terminal);

/* Its time in the timetable has come. */
void terminal_wake(struct terminal *terminal);
/* Its socket can be read or written. */
void terminal_handle(struct terminal *terminal, bool readable, bool writable);
/* All terminals are ready, or the run is to end: see what is to be sent. */
void terminal_go(struct terminal *terminal);

/* Between the files of a terminal: terminal.c (connection), send.c, receive.c. */

/* Closes the connection; what has no reply is to be sent once more. */
void terminal_lose(struct terminal *terminal);
/* The daemon could not take a document: waits a little, longer each time. Ends the run where it has
 * lasted too long; `what` says what. */
void terminal_pause(struct terminal *terminal, const char *what);
/* A document was acknowledged, or hello answered. */
void terminal_is_well(struct terminal *terminal);
void terminal_say_hello(struct terminal *terminal);
/* Adds to `out` what may be sent now. */
void terminal_fill(struct terminal *terminal);
/* One reply line. May lose the connection, or end the run. */
void terminal_take_line(struct terminal *terminal, struct text line);
/* Adds the document's effect to the sums of the run, `times` 1 or -1. */
void terminal_count(struct terminal *terminal, int64_t seq, int times);

#endif
