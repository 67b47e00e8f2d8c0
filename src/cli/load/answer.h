/* answer: a reply line, read by what it must contain instead of parsed: at tens of thousands
 * of replies a second the load generator must not be what is measured. */
#ifndef TILLQ_CLI_LOAD_ANSWER_H
#define TILLQ_CLI_LOAD_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

enum answer_outcome {
    OUTCOME_NONE, /* the reply names none */
    OUTCOME_ACCEPTED,
    OUTCOME_REJECTED,
    OUTCOME_DUPLICATE,
    OUTCOME_CONFLICT,
};

struct answer {
    bool ok;
    bool duplicate;
    int64_t seq;      /* -1 = none */
    int64_t offset;   /* -1 = none */
    int64_t last_seq; /* -2 = none */
    enum answer_outcome outcome;
    struct text error;   /* raw, with quotes; where not ok */
    struct text message; /* as error */
};

/* Texts point into the line. False where the line is no reply. */
bool answer_read(struct text line, struct answer *answer);

#endif
