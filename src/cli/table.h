/* table: rows printed in columns that line up.
 *
 * Rows are held until table_flush, so that a long answer can be printed a page at a time in bounded
 * memory; a column only ever grows wider from one flush to the next. */
#ifndef TILLQ_CLI_TABLE_H
#define TILLQ_CLI_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/text.h"

#define TABLE_COLUMNS_MAX 12

struct column {
    const char *title;
    bool right; /* figures stand on the right */
};

struct table {
    const struct column *columns; /* the caller's, must stay */
    size_t column_count;
    size_t widths[TABLE_COLUMNS_MAX];
    struct buffer cells; /* each followed by a NUL */
    size_t cell_count;
    bool headed; /* the titles were printed */
};

void table_start(struct table *table, const struct column *columns, size_t column_count);
/* The next cell of the row; control characters are escaped. */
void table_add(struct table *table, struct text cell);
void table_add_int(struct table *table, int64_t value);
/* Prints the rows held on standard output, the titles first where they were not yet; no titles for
 * no rows. -1 where memory ran out on the way. */
int table_flush(struct table *table) __attribute__((warn_unused_result));
void table_free(struct table *table);

#endif
