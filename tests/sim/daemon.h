/* daemon: the parts of tillqd without sockets and threads: the real journal, writer, applier,
 * readers and sessions, each moved by hand. */
#ifndef TILLQ_TESTS_SIM_DAEMON_H
#define TILLQ_TESTS_SIM_DAEMON_H

#include "disk.h"
#include "net/engine.h"

struct daemon {
    char directory[64];
    struct sim_clock *hands;
    struct clock clock;
    struct config config;
    struct journal *journal;
    struct writer *writer;
    struct applier *applier;
    struct engine *engine;
};

/* `hands` must live as long. The configuration may be changed before a start. */
void daemon_init(struct daemon *daemon, struct sim_clock *hands);
/* As tillqd does it, up to taking connections. 0, or -1 with everything closed again. */
int daemon_start(struct daemon *daemon, const char *directory, struct failure *failure);
/* Sessions must be gone. Answers what was taken, then closes; on a dead disk nothing of that
 * reaches it. */
void daemon_stop(struct daemon *daemon);

/* True where there is more to do now. */
bool daemon_write(struct daemon *daemon);
bool daemon_apply(struct daemon *daemon);
void daemon_read(struct daemon *daemon);
void daemon_collect(struct daemon *daemon);

#endif
