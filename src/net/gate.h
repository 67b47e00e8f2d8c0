/* gate: who may come in: the tokens there are, and refusals that get slower.
 *
 * Belongs to the loop's thread. Asks for tokens from the moment it was given some, be they none: a
 * tokens file whose last line was taken away lets nobody in, rather than everybody.
 * Notes refusals (INCIDENT_AUTH_FAILED) with the address, and with the terminal's name only where
 * it has a token: the name of a terminal that is none may be a token typed into the wrong field. */
#ifndef TILLQ_NET_GATE_H
#define TILLQ_NET_GATE_H

#include "base/clock.h"
#include "net/tokens.h"

struct gate;

struct gate *gate_new(const struct clock *clock); /* asks for nothing; NULL: no memory */
void gate_free(struct gate *gate);                /* NULL is fine */

/* Takes the tokens over, in place of those it had. */
void gate_set_tokens(struct gate *gate, struct tokens *tokens);
/* Where it does, only who is certified or has shown a token may do anything. NULL asks nothing. */
bool gate_asks(const struct gate *gate);
/* Another number after each gate_set_tokens: what was proved before is to be looked at again. */
int64_t gate_generation(const struct gate *gate);

/* Of a gate that asks. The terminal's entry where this is its token; else NULL, and for how long
 * the refusal is to be held back; `address` is whom it is held against (address_peer_key). */
const struct token_entry *gate_enter(struct gate *gate, uint64_t address, struct text terminal,
                                     struct text token, int64_t *delay_us);
/* The entry of a terminal that showed this token before, where it still has it; else NULL. */
const struct token_entry *gate_look_again(const struct gate *gate, struct text terminal,
                                          const struct sealed_token *shown);

#endif
