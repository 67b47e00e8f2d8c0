/* listing: an answer that comes in pages, printed as a table or as one JSON object a row. */
#ifndef TILLQ_CLI_LISTING_H
#define TILLQ_CLI_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "cli/source.h"
#include "cli/table.h"

enum listing_kind { LISTING_WORD, LISTING_FIGURE, LISTING_MOMENT };

struct listing_column {
    const char *key; /* member of a row */
    const char *title;
    enum listing_kind kind;
};

struct listing {
    const char *array; /* the reply's member that holds the rows */
    const struct listing_column *columns;
    size_t column_count; /* at most TABLE_COLUMNS_MAX */
    int64_t most;        /* rows to print */
    bool json;
    int64_t printed; /* out */
    bool more;       /* out: there are rows beyond `most` */
};

/* Asks `request`, an object without its last brace, page after page. 0, or -1 with the complaint
 * made. May be called again for another request: the columns stay as wide as they were. */
int listing_print(struct listing *listing, struct source *source, struct table *table,
                  struct text request) __attribute__((warn_unused_result));

void listing_start_table(const struct listing *listing, struct table *table,
                         struct column columns[TABLE_COLUMNS_MAX]);

#endif
