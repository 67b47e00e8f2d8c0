/* rows: rows of one table in memory, between the file they were read from and the one they go to.
 */
#ifndef TILLQ_BENCH_ROWS_H
#define TILLQ_BENCH_ROWS_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/db.h"

struct cell {
    bool absent;
    int64_t number; /* an integer; else where its bytes begin */
    size_t length;
};

/* Start from zeros with `kinds` set: a letter a column: i integer, t text, b blob. */
struct rows {
    const char *kinds;
    struct cell *cells;
    size_t count; /* of rows */
    size_t capacity;
    struct buffer bytes;
};

void rows_free(struct rows *rows);
void rows_clear(struct rows *rows);

/* Adds the row a statement stands at. Gives up where there is no memory. */
void rows_read(struct rows *rows, struct db_statement *from);
/* Runs `insert` with the row's columns as parameters 1, 2, …. */
enum db_result rows_write(const struct rows *rows, size_t row, struct db_statement *insert)
    __attribute__((warn_unused_result));

int64_t rows_int(const struct rows *rows, size_t row, int column);
struct text rows_text(const struct rows *rows, size_t row, int column); /* until the next read */

#endif
