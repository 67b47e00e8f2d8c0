/* engine: what the sessions talk to: the writer, the applier and the readers, and the way back.
 *
 * Data goes one way: session -> writer -> (applier, where the sender waits for the outcome) -> done
 * -> session. Everything here runs in the loop's thread except what the workers deliver, which goes
 * into one queue and rings one bell. No socket, no libevent: `wake` is all it knows of the loop.
 *
 * Invariant 1 lives here and in the journal: an exchange with an append is answered only when it
 * has come back from the writer. Invariant 9: `pending_bytes` counts all that is under way. */
#ifndef TILLQ_NET_ENGINE_H
#define TILLQ_NET_ENGINE_H

#include "base/config.h"
#include "journal/writer.h"
#include "net/exchange.h"
#include "net/gate.h"
#include "net/reader.h"
#include "stock/applier.h"

struct engine;

struct engine_options {
    const struct config *config; /* may change between two calls (reload) */
    const char *directory;
    struct writer *writer;   /* not owned */
    struct applier *applier; /* not owned */
    struct gate *gate;       /* not owned; NULL: nobody is asked for a token */
    const struct clock *clock;
    struct text damage;          /* of the journal, for the status: see journal_damage */
    void (*wake)(void *context); /* from any thread: call engine_collect soon, in the loop */
    void *context;
};

int engine_new(struct engine **out, const struct engine_options *options, struct failure *failure)
    __attribute__((warn_unused_result));
/* Gives the readers their threads. 0 or -1. */
int engine_start(struct engine *engine, struct failure *failure)
    __attribute__((warn_unused_result));
/* What those threads do, for whoever drives them by hand instead. */
void engine_read(struct engine *engine);
/* Ends the readers' threads. Before the writer and the applier: the readers look at their figures
 * to the last step, and the owner of a file is to close it last. NULL is fine. */
void engine_stop(struct engine *engine);
/* After the writer and the applier have ended too; frees what still lies in the queue. */
void engine_free(struct engine *engine);

const struct config *engine_config(const struct engine *engine);
struct gate *engine_gate(const struct engine *engine); /* may be NULL */
/* Work space of the loop's thread for one line. */
struct request *engine_request(struct engine *engine);
struct document *engine_document(struct engine *engine);

/* What the writer's and the applier's deliver functions are to call, with the engine as context. */
void engine_written(struct append *first, void *engine);
void engine_applied(struct append *first, void *engine);

/* Begins an exchange: an append goes to the writer with the next engine_flush, a read to a reader.
 */
void engine_begin(struct engine *engine, struct exchange *exchange);
void engine_flush(struct engine *engine);
/* Takes back what the workers have done. The exchanges answered, in a chain through
 * append.item.next; they are for session_answered. NULL where there is none. */
struct exchange *engine_collect(struct engine *engine) __attribute__((warn_unused_result));
/* A session has gone: its exchange is freed now or when it comes back. */
void engine_abandon(struct engine *engine, struct exchange *exchange);
/* Its reply, which is there, is answered only so much later (or when the daemon goes down). */
void engine_delay(struct engine *engine, struct exchange *exchange, int64_t delay_us);
/* It may wait no longer (a fetch whose terminal will ask nothing more). */
void engine_hurry(struct engine *engine, struct exchange *exchange);

/* More is under way than max_pending allows: nobody is read. */
bool engine_is_full(const struct engine *engine);
/* All that is owed, whether somebody works on it or it waits behind others of its connection, is
 * counted apart, for a slow read must not stop everybody: where it is much, connections that are
 * owed something are not read further, all others are. */
void engine_count_owed(struct engine *engine, const struct exchange *exchange, int change);
bool engine_has_room_to_owe(const struct engine *engine);
/* So are the halves of lines: where they are many, who holds a long one is refused. */
void engine_count_held(struct engine *engine, size_t before, size_t after);
bool engine_has_room_to_hold(const struct engine *engine);
/* So are replies whose connections have not taken them: where they are many, no large read begins.
 */
void engine_count_unread(struct engine *engine, size_t before, size_t after);
/* A large read waits, for others before it or for replies to be taken. */
bool engine_reads_wait(const struct engine *engine);
/* Fewer appends are with the writer than make a good commit. Where there are more, a connection
 * that has a few of its own among them is not read further: the next sale of another waits for all
 * that is before it. Many make a good commit among those who send as much as is taken, few while
 * tills that sell one by one would wait for it (engine_note_till: one of them sells). */
void engine_note_till(struct engine *engine);
bool engine_has_room_to_write(const struct engine *engine);
bool engine_is_idle(const struct engine *engine); /* nothing under way */
/* When a waiting fetch or a delayed reply is due, monotonic; INT64_MAX where none waits.
 * engine_collect answers it. */
int64_t engine_next_deadline_us(const struct engine *engine);
/* Fetches wait no longer: the daemon is going down. */
void engine_drain(struct engine *engine);

void engine_count_connection(struct engine *engine, int change);
int64_t engine_connections(const struct engine *engine);

#endif
