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

int identity_hello(struct identity *identity, const struct request *request,
                   struct failure *failure)
{
    bool certified = identity->proof == PROOF_CERTIFICATE;
    if (certified && !text_equal(request->terminal, identity->terminal))
        return failure_set_field(failure, "TERMINAL_MISMATCH", "terminal",
                                 "terminal: this connection is known to be another one's");
    if (set_names(identity, request->terminal, request->shop) != 0)
        return failure_set(failure, "NO_MEMORY", "no memory for this request; send it again later");
    if (!certified) {
        identity->proof = PROOF_SAID;
        identity->role = ROLE_TERMINAL;
    }
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
