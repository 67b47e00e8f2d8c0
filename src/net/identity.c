#include "net/identity.h"

#include <stdlib.h>

void identity_free(struct identity *identity)
{
    free(identity->names);
    *identity = (struct identity){0};
}

static struct text keep(struct text text, char **at)
{
    if (!text.bytes)
        return text;
    char *copy = *at;
    memcpy(copy, text.bytes, text.length);
    *at += text.length;
    return (struct text){copy, text.length};
}

static int set_names(struct identity *identity, struct text terminal, struct text shop)
{
    char *names = malloc(terminal.length + shop.length + 1);
    if (!names)
        return -1;
    char *at = names;
    terminal = keep(terminal, &at); /* it may point into the old names */
    shop = keep(shop, &at);
    free(identity->names);
    identity->names = names;
    identity->terminal = terminal;
    identity->shop = shop;
    return 0;
}

int identity_certify(struct identity *identity, struct text terminal, enum role role)
{
    identity_free(identity);
    if (set_names(identity, terminal, (struct text){0}) != 0)
        return -1;
    identity->proof = PROOF_CERTIFICATE;
    identity->role = role;
    return 0;
}

static int auth_required(struct failure *failure)
{
    return failure_set(failure, "AUTH_REQUIRED", "say hello with this terminal's token first");
}

/* Without a proof of its own a connection is what its token says. */
static int enter(struct identity *identity, const struct request *request, struct gate *gate,
                 uint64_t address, int64_t *delay_us, struct failure *failure)
{
    identity_free(identity); /* a second hello that fails must not go on as the first one's */
    if (!request->token.bytes)
        return auth_required(failure);
    const struct token_entry *entry =
        gate_enter(gate, address, request->terminal, request->token, delay_us);
    if (!entry)
        return failure_set(failure, "AUTH_FAILED", "this is not the token of such a terminal");
    identity->proof = PROOF_TOKEN;
    identity->role = entry->role;
    identity->token = entry->sealed;
    identity->generation = gate_generation(gate);
    return 0;
}

int identity_hello(struct identity *identity, const struct request *request, struct gate *gate,
                   uint64_t address, int64_t *delay_us, struct failure *failure)
{
    *delay_us = 0;
    if (identity->proof == PROOF_CERTIFICATE) {
        if (!text_equal(request->terminal, identity->terminal))
            return failure_set_field(failure, "TERMINAL_MISMATCH", "terminal",
                                     "terminal: this connection is known to be another one's");
    } else if (gate_asks(gate)) {
        if (enter(identity, request, gate, address, delay_us, failure) != 0)
            return -1;
    } else {
        identity->proof = PROOF_SAID;
        identity->role = ROLE_TERMINAL;
    }
    if (set_names(identity, request->terminal, request->shop) == 0)
        return 0;
    if (identity->proof != PROOF_CERTIFICATE)
        identity_free(identity);
    return failure_set(failure, "NO_MEMORY", "no memory for this request; send it again later");
}

int identity_check(struct identity *identity, const struct gate *gate, struct failure *failure)
{
    if (!gate_asks(gate) || identity->proof == PROOF_CERTIFICATE)
        return 0;
    if (identity->proof != PROOF_TOKEN)
        return auth_required(failure);
    if (identity->generation == gate_generation(gate))
        return 0;
    const struct token_entry *entry = gate_look_again(gate, identity->terminal, &identity->token);
    if (!entry) {
        identity_free(identity);
        return auth_required(failure);
    }
    identity->role = entry->role;
    identity->generation = gate_generation(gate);
    return 0;
}

static bool is_listed(struct text list, struct text terminal)
{
    while (list.length > 0) {
        const char *blank = memchr(list.bytes, ' ', list.length);
        size_t length = blank ? (size_t)(blank - list.bytes) : list.length;
        if (length > 0 && text_equal((struct text){list.bytes, length}, terminal))
            return true;
        length += blank ? 1 : 0;
        list.bytes += length;
        list.length -= length;
    }
    return false;
}

bool identity_may_send_for(const struct identity *identity, struct text terminal,
                           const struct config *config)
{
    return identity->proof == PROOF_NONE || text_equal(identity->terminal, terminal) ||
           identity->role == ROLE_MANAGEMENT ||
           is_listed(text_of(config->management), identity->terminal);
}
