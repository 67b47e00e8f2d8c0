/* credentials: the tokens a person gives a command, never as an argument: those everybody sees.
 *
 * From the file of --token-file, else from the environment's TILLQ_TOKEN: lines "TERMINAL TOKEN",
 * as `tillq token add` prints them; the token is the last word. Empty lines and lines that begin
 * with # are skipped. The file may not be readable by others. A command that speaks as one terminal
 * takes the first line; one that is told its terminal takes that terminal's. */
#ifndef TILLQ_CLI_CREDENTIALS_H
#define TILLQ_CLI_CREDENTIALS_H

#include <stddef.h>

#include "base/failure.h"

struct credential {
    const char *terminal;
    const char *token;
};

struct credentials {
    char *text; /* what the lines point to */
    struct credential *lines;
    size_t count;
};

/* `path` NULL: the environment's. 0, also where there are none, or -1 with what is wrong. */
int credentials_read(struct credentials *credentials, const char *path, struct failure *failure)
    __attribute__((warn_unused_result));
void credentials_free(struct credentials *credentials); /* wipes them */

const struct credential *credentials_first(const struct credentials *credentials); /* or NULL */
/* The terminal's token; NULL where it has none here. */
const char *credentials_find(const struct credentials *credentials, const char *terminal);

#endif
