/* terminal: a till of the simulation and its network: it sells, asks, resends, stalls, hangs up,
 * and checks every reply against the books.
 *
 * Bytes wait in the network in both directions until an event moves some of them, in pieces of any
 * size. Each request carries a tag of its own, and replies must come in the order of the requests.
 */
#ifndef TILLQ_TESTS_SIM_TERMINAL_H
#define TILLQ_TESTS_SIM_TERMINAL_H

#include "base/buffer.h"
#include "books.h"
#include "net/session.h"

struct terminal;

/* What may happen to requests at the moment; a refusal that has no reason is a breach. */
struct terminal_weather {
    bool disk_failed; /* some fault has struck since the daemon started */
    bool disk_full;   /* room was short since the daemon started */
};

struct terminal_options {
    int number;
    bool skips;           /* now and then leaves a seq out and sends it later */
    bool trusts_last_seq; /* after hello, resends only what lies above last_seq */
    struct books *books;
    const struct terminal_weather *weather;
};

struct terminal *terminal_new(const struct terminal_options *options);
void terminal_free(struct terminal *terminal); /* its session must be gone */

bool terminal_is_connected(const struct terminal *terminal);
void terminal_connect(struct terminal *terminal, struct engine *engine);
/* Bytes on their way are lost in both directions. */
void terminal_hang_up(struct terminal *terminal);

/* Puts one request on the wire. */
void terminal_ask(struct terminal *terminal, struct chance *chance);
/* Moves some bytes to the daemon, or back and looks at what came whole. */
void terminal_send_some(struct terminal *terminal, struct chance *chance);
void terminal_receive_some(struct terminal *terminal, struct chance *chance);
/* All bytes, both ways; true where anything moved. */
bool terminal_move_all(struct terminal *terminal);

/* Every request that asks for an answer has one. */
void terminal_check_quiet(const struct terminal *terminal);

int64_t terminal_promises(const struct terminal *terminal); /* acknowledgements received */

#endif
