/* reply: what a terminal makes of a line that came back. */
#ifndef TILLQ_TESTS_SIM_REPLY_H
#define TILLQ_TESTS_SIM_REPLY_H

#include "terminal.h"

/* Finds the request it answers and checks it against the books. */
void reply_take(struct terminal *terminal, struct text line);

#endif
