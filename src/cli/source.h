/* source: where answers come from: a daemon (-s), or a data directory read in this process (-d).
 * Both give the same lines. */
#ifndef TILLQ_CLI_SOURCE_H
#define TILLQ_CLI_SOURCE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/failure.h"
#include "base/text.h"
#include "cli/command.h"

#define SOURCE_PATIENCE_MS 30000
#define SOURCE_FOR_EVER (-1)

struct source;

/* The code of a failure where the daemon cannot be reached, or the connection is lost. */
#define SOURCE_GONE "GONE"

/* 0 or -1. */
int source_open(struct source **out, const struct invocation *invocation, struct failure *failure)
    __attribute__((warn_unused_result));
void source_close(struct source *source); /* NULL is fine */

/* How long to wait for a reply: SOURCE_PATIENCE_MS unless set. */
void source_set_patience(struct source *source, int patience_ms);

/* Asks one line (without LF) and gives its reply in `reply`, the source's until the next call.
 * -1 where there was none (reply->bytes is then NULL) or it says `"ok":false`; the message is then
 * "CODE: …". */
int source_ask(struct source *source, struct text request, struct text *reply,
               struct failure *failure) __attribute__((warn_unused_result));

/* One request for a command that prints its reply. As source_open and source_ask, and complains
 * itself. 0 or -1. */
int source_open_or_complain(struct source **out, const struct invocation *invocation)
    __attribute__((warn_unused_result));
int source_ask_or_complain(struct source *source, const struct buffer *request, struct text *reply)
    __attribute__((warn_unused_result));

#endif
