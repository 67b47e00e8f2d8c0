/* documents: the JSON documents of a file, one a line, or the whole file as one that is laid out
 * over several lines.
 *
 * Numbers and strings stay the bytes that were written; only the line feeds between them become
 * blanks. Memory: the longest line, or the whole file where it is one document. */
#ifndef TILLQ_CLI_DOCUMENTS_H
#define TILLQ_CLI_DOCUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/failure.h"
#include "base/json.h"

struct documents {
    const char *name; /* of the file, for messages */
    int file;
    struct buffer held; /* read and not yet given out; held[start..] */
    size_t start;
    bool ended;   /* nothing more to read */
    bool decided; /* the first document showed which of the two forms this is */
    int64_t line; /* of the document given last; the first line is 1 */
    struct json json;
};

/* "-" is standard input. 0, or -1 with errno. */
int documents_open(struct documents *documents, const char *path)
    __attribute__((warn_unused_result));
void documents_close(struct documents *documents);

/* 1 and the next document on one line (the documents' until the next call); 0 at the end; -1 with
 * the message where it is no JSON object (the next call goes on behind it) or the file cannot be
 * read (failure->code is then "FAILED", and that was the last). */
int documents_next(struct documents *documents, struct text *document, struct failure *failure)
    __attribute__((warn_unused_result));

/* The next document would have to be waited for: somebody types, or a pipe is empty. */
bool documents_would_wait(const struct documents *documents);

#endif
