/* fleet: all terminals of a run in one thread, from the first connection to the last
 * acknowledgement. */
#ifndef TILLQ_CLI_LOAD_FLEET_H
#define TILLQ_CLI_LOAD_FLEET_H

#include "cli/load/load.h"

/* Plays the workload of `run`. The documents begin when every terminal has said hello. Returns when
 * all is acknowledged, or the time is over and nothing is in doubt any more, or run->failed. An
 * interrupt (SIGINT, SIGTERM) ends it as the end of its time does; a second one ends the program.
 */
void fleet_play(struct load_run *run);

#endif
