/* input: a text file read line by line, unpacked on the way where its name ends in .xz or .gz. */
#ifndef TILLQ_CLI_LOAD_INPUT_H
#define TILLQ_CLI_LOAD_INPUT_H

#include <stdio.h>
#include <sys/types.h>

#include "base/failure.h"

struct input {
    FILE *stream;
    pid_t child; /* the unpacking program; 0 = none */
};

/* "-" is standard input. 0, or -1 with a message that names the file. */
int input_open(struct input *input, const char *path, struct failure *failure)
    __attribute__((warn_unused_result));
/* -1 where reading or unpacking had failed: what was read was then not the whole. */
int input_close(struct input *input, const char *path, struct failure *failure)
    __attribute__((warn_unused_result));

#endif
