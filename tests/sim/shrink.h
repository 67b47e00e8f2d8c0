/* shrink: makes a failing run smaller: fewer events, then events left out, as long as some breach
 * remains. Bounded in the number of runs it tries. */
#ifndef TILLQ_TESTS_SIM_SHRINK_H
#define TILLQ_TESTS_SIM_SHRINK_H

#include <stdio.h>

#include "world.h"

void shrink(struct run *run);
/* The command that replays it, on one line. */
void shrink_print(const struct run *run, const char *program, FILE *out);

#endif
