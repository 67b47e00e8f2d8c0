/* options: a command's options as a table: how they are read and what --help says of them.
 *
 * GNU style: long names, short letters where there is one, before or after the operands, `--` ends
 * them. Every command has --json and --help besides its own. */
#ifndef TILLQ_CLI_OPTIONS_H
#define TILLQ_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/command.h"

enum option_kind {
    OPTION_FLAG,    /* target: bool, set to true */
    OPTION_INTEGER, /* target: int64_t, from `least` to `most` */
    OPTION_TEXT,    /* target: const char *, points into argv */
    OPTION_CHOICE,  /* target: int, the place of the word in `argument`: "none|warn|hard" */
};

struct option_spec {
    char letter; /* 0 = none */
    const char *name;
    enum option_kind kind;
    void *target;
    const char *argument; /* how help names it; NULL for a flag */
    const char *help;     /* one line */
    int64_t least;
    int64_t most;
};

#define OPTION_COUNT(specs) (sizeof(specs) / sizeof *(specs))
#define OPTIONS_MAX 32

struct usage {
    const char *synopsis; /* after "tillq [-s ADDRESS | -d DIR] " */
    const char *summary;  /* what the command does, a few lines */
    const struct option_spec *specs;
    size_t count;
};

/* Reads the options and reorders argv so that the operands are argv[*first] .. argv[argc - 1].
 * -1 = go on; else all is said and this is the exit status. */
int options_read(struct invocation *invocation, const struct usage *usage, int argc, char **argv,
                 int *first);

/* The same for a command without operands; its synopsis is its name. */
int options_read_alone(struct invocation *invocation, const struct usage *usage, int argc,
                       char **argv);

/* A whole decimal number in its range. 0 or -1. */
int options_integer(const char *word, int64_t least, int64_t most, int64_t *value)
    __attribute__((warn_unused_result));

#endif
