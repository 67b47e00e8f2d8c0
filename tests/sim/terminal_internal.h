/* terminal_internal: the inside of a terminal, for terminal.c (asking) and reply.c (checking what
 * comes back) alone. */
#ifndef TILLQ_TESTS_SIM_TERMINAL_INTERNAL_H
#define TILLQ_TESTS_SIM_TERMINAL_INTERNAL_H

#include "terminal.h"

#define ASKED_MAX 512

enum question {
    ASKED_HELLO,
    ASKED_PUT,
    ASKED_PUT_APPLIED,
    ASKED_PUT_SILENTLY, /* ack none: a line only where it was refused */
    ASKED_STOCK,
    ASKED_FETCH,
    ASKED_COMMIT,
    ASKED_COMMITTED,
    ASKED_NOTE,
    ASKED_STATUS,
    ASKED_ROLL,
    ASKED_NONSENSE,
};

struct asked {
    enum question question;
    int64_t tag;
    int64_t seq;    /* of a put; number of a note */
    int64_t offset; /* of a fetch or commit */
    bool all;       /* of stock: every sku */
};

struct terminal {
    struct terminal_options options;
    struct session *session; /* NULL: not connected */
    struct engine *engine;
    struct buffer outgoing, incoming;
    struct asked asked[ASKED_MAX]; /* a ring: not answered yet */
    int first, count;
    int64_t next_tag;
    int64_t skipped; /* a seq left out, to be sent later; -1 = none */
    int64_t promises;
};

void terminal_resend(struct terminal *terminal, int64_t last_seq);

#endif
