/* peer: what bare SQLite needs for the row changes the applier made.
 *
 * Reads a finished stock file back in order, one transaction's documents at a time, and writes the
 * same rows into an empty file of the same schema with prepared statements: no journal, no JSON, no
 * decision, each stock row once a transaction. Only the writing is timed. */
#ifndef TILLQ_BENCH_PEER_H
#define TILLQ_BENCH_PEER_H

#include <stdbool.h>

#include "stock/tables.h"

struct peer_result {
    int64_t documents;
    int64_t movements;
    double seconds; /* of writing, commits and checkpoints included */
    double processor_seconds;
    bool equal; /* all tables of both files are the same, byte for byte */
};

/* `transaction` = documents in each. The file at `path` is made, and removed at the end. Gives up
 * (exit status 1) where a file cannot be used, or the documents are not all accepted. */
void peer_write(const char *directory, const char *path, int64_t transaction, int64_t cache_bytes,
                struct peer_result *result);

#endif
