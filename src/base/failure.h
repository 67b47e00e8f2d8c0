/* failure: why something was not done, in a form that can be sent to a terminal or logged.
 *
 * Functions that can fail for a reason a person must hear of take a `struct failure *` last and
 * return -1 (or NULL) after filling it. */
#ifndef TILLQ_BASE_FAILURE_H
#define TILLQ_BASE_FAILURE_H

struct failure {
    const char *code;  /* static string from the protocol's list ("BAD_JSON"); NULL = none */
    char path[64];     /* of the field at fault, "lines[3].qty"; "" = none */
    char message[256]; /* one line, UTF-8, names the field, the file or the line */
};

/* Fills `failure` (may be NULL: then nothing) and returns -1, so `return failure_set(…)` reads
 * well. */
int failure_set(struct failure *failure, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a field: `path` is kept beside the message. */
int failure_set_field(struct failure *failure, const char *code, const char *path,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
