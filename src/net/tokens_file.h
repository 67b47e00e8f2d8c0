/* tokens_file: the file the tokens lie in.
 *
 * It may not be readable, writable or runnable by others (mode 0640): what stands there lets nobody
 * in, but whoever writes it does. It is replaced whole: written beside itself as PATH.new, synced,
 * renamed, its folder synced; a power cut leaves the old one or the new one. */
#ifndef TILLQ_NET_TOKENS_FILE_H
#define TILLQ_NET_TOKENS_FILE_H

#include "base/config.h"
#include "net/tokens.h"

#define TOKENS_FILE_BYTES_MAX (8 << 20)

/* The tokens in the file. 0 with *out set (not NULL), or -1 with "PATH:LINE: …" or "PATH: …", and
 * the code TOKENS_FILE_ABSENT where there is no such file. */
#define TOKENS_FILE_ABSENT "NO_FILE"
int tokens_file_read(struct tokens **out, const char *path, struct failure *failure)
    __attribute__((warn_unused_result));

/* As the configuration says it: nothing (*out NULL) with auth = none, and where it names no file
 * and DIRECTORY/tokens is not there. */
int tokens_file_read_configured(struct tokens **out, const struct config *config,
                                struct failure *failure) __attribute__((warn_unused_result));

/* Changing it: begin locks the file against others who do the same and reads it (no file: no
 * tokens); commit replaces it; end unlocks, and leaves the file as it was where commit was not
 * called or failed. A new file belongs to whom its folder belongs to, as far as that may be set. */
struct tokens_change {
    struct tokens *tokens; /* change this */
    char path[CONFIG_VALUE_BYTES];
    char fresh[CONFIG_VALUE_BYTES + 4];
    int descriptor; /* of the file beside it; locked */
};
int tokens_change_begin(struct tokens_change *change, const char *path, struct failure *failure)
    __attribute__((warn_unused_result));
int tokens_change_commit(struct tokens_change *change, struct failure *failure)
    __attribute__((warn_unused_result));
void tokens_change_end(struct tokens_change *change);

#endif
