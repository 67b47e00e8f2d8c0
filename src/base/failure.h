/* failure: why something was not done, in a form that can be sent to a terminal or logged.
 *
 * Functions that can fail for a reason a person must hear of take a `struct failure *` last and
 * return -1 (or NULL) after filling it. */
#ifndef TILLQ_BASE_FAILURE_H
#define TILLQ_BASE_FAILURE_H

struct failure {
    const char *code;  /* static string from the protocol's list ("BAD_JSON"); NULL = none */
    char message[256]; /* one line, UTF-8, names the field, the file or the line */
};

/* Fills `failure` (may be NULL: then nothing) and returns -1, so `return failure_set(…)` reads
 * well. */
int failure_set(struct failure *failure, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
