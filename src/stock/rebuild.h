/* rebuild: makes the stock file again from the journal, compares it with the one that is there
 * table by table, and puts it in its place. Takes the directory's lock: no daemon may be running.
 */
#ifndef TILLQ_STOCK_REBUILD_H
#define TILLQ_STOCK_REBUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"

#define REBUILD_TABLES_MAX 16

struct rebuild_table {
    char name[32];
    int64_t rows;
    bool equal; /* to the table that was there; meaningless where there was none */
};

struct rebuild {
    int64_t documents;
    int64_t applied; /* of stock's partition 0 */
    bool had_before; /* there was a stock file to compare with */
    bool equal;      /* all tables equal, byte for byte */
    int64_t elapsed_ms;
    int table_count;
    struct rebuild_table tables[REBUILD_TABLES_MAX];
};

typedef void rebuild_progress(int64_t documents, int64_t total, void *context);

/* 0, or -1 with the live file untouched. */
int rebuild_directory(const char *directory, rebuild_progress *progress, void *context,
                      struct rebuild *rebuild, struct failure *failure)
    __attribute__((warn_unused_result));

#endif
