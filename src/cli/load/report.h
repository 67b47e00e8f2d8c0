/* report: what a run measured, for a person or as one JSON object. */
#ifndef TILLQ_CLI_LOAD_REPORT_H
#define TILLQ_CLI_LOAD_REPORT_H

#include "cli/load/load.h"
#include "cli/load/proof.h"

/* `proof` is NULL where there was none. */
void report_print(const struct load_run *run, const struct proof *proof, bool json);

#endif
