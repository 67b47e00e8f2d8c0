/* identity: who a conversation's other end is, and how far that is known.
 *
 *   nobody      nothing was said; documents name their terminal themselves
 *   said        hello named a terminal, and nobody asked for a proof
 *   token       hello brought the terminal's token. When the tokens change it is looked at again: a
 *               terminal whose token was taken away or replaced is nobody from its next request on
 *   certified   the connection itself proved the terminal (a client certificate): hello cannot make
 *               it another one
 *
 * A terminal's id is 1 to 64 bytes of UTF-8 without control characters; whoever calls has checked
 * that. The identity keeps copies. One belongs to one session; start from zeros, end with
 * identity_free. */
#ifndef TILLQ_NET_IDENTITY_H
#define TILLQ_NET_IDENTITY_H

#include "base/config.h"
#include "base/text.h"
#include "net/gate.h"
#include "net/request.h"
#include "net/role.h"

enum proof { PROOF_NONE, PROOF_SAID, PROOF_TOKEN, PROOF_CERTIFICATE };

struct identity {
    enum proof proof;
    enum role role;
    struct text terminal;      /* absent while nobody */
    struct text shop;          /* from hello; absent = not said */
    char *names;               /* what the texts point to */
    struct sealed_token token; /* the one it showed */
    int64_t generation;        /* of the gate, when that was last looked at */
};

void identity_free(struct identity *identity);

/* The connection has proved to be this terminal's, whatever hello may say. 0, or -1 for want of
 * memory: then it is nobody. */
int identity_certify(struct identity *identity, struct text terminal, enum role role)
    __attribute__((warn_unused_result));

/* Takes a hello through the gate (NULL: none asked for). 0, or -1 with TERMINAL_MISMATCH,
 * AUTH_REQUIRED (no token), AUTH_FAILED (a wrong one, or no such terminal, which is not told apart)
 * or NO_MEMORY. Whoever is refused at the gate is nobody, whoever it was before. *delay_us: for how
 * long the refusal is to be held back. */
int identity_hello(struct identity *identity, const struct request *request, struct gate *gate,
                   uint64_t address, int64_t *delay_us, struct failure *failure)
    __attribute__((warn_unused_result));

/* May it ask for anything but hello? 0, or -1 with AUTH_REQUIRED. */
int identity_check(struct identity *identity, const struct gate *gate, struct failure *failure)
    __attribute__((warn_unused_result));

/* May it send a document of `terminal`? Nobody may for everybody, as nothing was asked of it. */
bool identity_may_send_for(const struct identity *identity, struct text terminal,
                           const struct config *config);

#endif
