#include "net/gate.h"

#include <stdlib.h>

#include "base/incident.h"
#include "base/secret.h"
#include "net/address.h"
#include "net/slowdown.h"

struct gate {
    const struct clock *clock;
    struct tokens *tokens; /* NULL = none */
    int64_t generation;
    struct slowdown slowdown;
};

struct gate *gate_new(const struct clock *clock)
{
    struct gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        return NULL;
    gate->clock = clock;
    return gate;
}

void gate_free(struct gate *gate)
{
    if (!gate)
        return;
    tokens_free(gate->tokens);
    free(gate);
}

void gate_set_tokens(struct gate *gate, struct tokens *tokens)
{
    tokens_free(gate->tokens);
    gate->tokens = tokens;
    gate->generation++;
}

bool gate_asks(const struct gate *gate)
{
    return gate && gate->tokens;
}

int64_t gate_generation(const struct gate *gate)
{
    return gate->generation;
}

static void note(const struct gate *gate, uint64_t address, struct text terminal)
{
    char from[ADDRESS_BYTES];
    const struct token_entry *entry = tokens_find(gate->tokens, terminal);
    address_print_key(address, from);
    if (entry)
        incident_note(INCIDENT_AUTH_FAILED, "from %s: a wrong token for terminal %s", from,
                      entry->terminal);
    else
        incident_note(INCIDENT_AUTH_FAILED, "from %s: a terminal that has no token", from);
}

const struct token_entry *gate_enter(struct gate *gate, uint64_t address, struct text terminal,
                                     struct text token, int64_t *delay_us)
{
    const struct token_entry *entry = tokens_check(gate->tokens, terminal, token);
    *delay_us = 0;
    if (entry)
        return entry;
    note(gate, address, terminal);
    *delay_us = slowdown_refuse_us(&gate->slowdown, address, clock_monotonic_us(gate->clock));
    return NULL;
}

const struct token_entry *gate_look_again(const struct gate *gate, struct text terminal,
                                          const struct sealed_token *shown)
{
    const struct token_entry *entry = tokens_find(gate->tokens, terminal);
    bool same = entry && secret_equal(&entry->sealed, shown, sizeof *shown);
    return same ? entry : NULL;
}
