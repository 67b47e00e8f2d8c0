/* compare: two stock files, table by table, row by row, byte by byte. */
#ifndef TILLQ_STOCK_COMPARE_H
#define TILLQ_STOCK_COMPARE_H

#include "stock/tables.h"

struct comparison {
    int64_t rows; /* that are in the first */
    bool equal;
    int64_t offset; /* of the document the first differing row came from; -1 unknown */
    int64_t row;    /* number of that row in the table's order, from 0 */
};

/* 0, or -1 where a table cannot be read: "DAMAGED", or "FAILED" where it may be sound. */
int compare_table(struct db *first, struct db *second, const struct stock_table *table,
                  struct comparison *comparison, struct failure *failure)
    __attribute__((warn_unused_result));

#endif
