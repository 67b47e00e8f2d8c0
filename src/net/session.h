/* session: one terminal's conversation: bytes in, bytes out. Knows no socket.
 *
 * Replies leave in the order of the requests. A request that writes begins at once; one that reads
 * begins when everything before it is answered, so it sees what its own connection did before.
 * A session takes no more requests (and wants no more input) while it is owed max_in_flight
 * replies, holds max_reply bytes nobody has read, was refused too often in this second, the engine
 * is full, or the refusal of a hello is held back. */
#ifndef TILLQ_NET_SESSION_H
#define TILLQ_NET_SESSION_H

#include "base/buffer.h"
#include "net/engine.h"
#include "net/role.h"

struct session;

/* `changed` is called in the loop when there is output, or session_resume is due. It may free the
 * session. */
struct session *session_new(struct engine *engine, void (*changed)(void *context), void *context);
void session_free(struct session *session);

/* This connection is known to be this terminal's, by what it proved before its first line (a client
 * certificate): hello needs no token, may be left out, and cannot make it another terminal. Before
 * the first session_receive. 0, or -1 (no memory): then do not serve it. */
int session_authenticate(struct session *session, struct text terminal, enum role role)
    __attribute__((warn_unused_result));

/* Whom its refused hellos are held against (address_peer_key); 0 where nobody says. */
void session_set_address(struct session *session, uint64_t address);

/* It may do more than say hello: its terminal is proved, or nobody asks for that. */
bool session_is_known(const struct session *session);

/* Bytes that came; taken whole (what cannot be worked on yet is kept). Only while it wants input.
 * They may hold a token: the caller wipes them, the session what it copied. */
void session_receive(struct session *session, struct text bytes);
bool session_wants_input(const struct session *session);
/* Goes on with replies, reads and kept input, where the reason to wait is gone. */
void session_resume(struct session *session);
/* What it has asked for so far, in units of about half a microsecond of the loop. */
int64_t session_work(const struct session *session);
/* Whether that is more than its share: the next sale of another need not wait for its. */
void session_set_greedy(struct session *session, bool greedy);
/* To be called every second: who was refused too often in the last one is taken from again. True
 * where that is so: session_resume is due. */
bool session_next_second(struct session *session);
/* Nothing more will come (the other side has closed its half, or the daemon is going down): answer
 * what was asked, then end. */
void session_end_input(struct session *session);
/* Says why and ends ("IDLE_TIMEOUT"). What is under way is answered first. */
void session_refuse(struct session *session, const char *code, const char *message);

/* What is to be sent; the caller consumes what it could send. */
struct buffer *session_output(struct session *session);
/* To be called when some was sent or could not be: tells the engine how much lies unread. */
void session_count_unread(struct session *session);
/* All is answered and nothing more will be: close when the output is sent. */
bool session_is_over(const struct session *session);
bool session_is_owed(const struct session *session); /* replies are outstanding */

/* What engine_collect gave: moves the replies that are due into their sessions' output, lets the
 * sessions go on, and calls `changed` once for each. */
void session_answered(struct exchange *first);

#endif
