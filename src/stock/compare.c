#include "stock/compare.h"

#include <stdio.h>

static struct db_statement *select_all(struct db *db, const struct stock_table *table)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY %s", table->name, table->order);
    return db_prepare(db, sql);
}

static bool same_row(struct db_statement *a, struct db_statement *b)
{
    int columns = db_columns(a);
    if (columns != db_columns(b))
        return false;
    for (int i = 0; i < columns; i++)
        if (!db_same_value(a, b, i))
            return false;
    return true;
}

/* The lower offset of two rows that differ, or of the one there is. */
static int64_t offset_of(const struct stock_table *table, struct db_statement *a, bool has_a,
                         struct db_statement *b, bool has_b)
{
    if (table->offset_column < 0)
        return -1;
    int64_t of_a = has_a ? db_int(a, table->offset_column) : INT64_MAX;
    int64_t of_b = has_b ? db_int(b, table->offset_column) : INT64_MAX;
    return of_a < of_b ? of_a : of_b;
}

int compare_table(struct db *first, struct db *second, const struct stock_table *table,
                  struct comparison *comparison, struct failure *failure)
{
    *comparison = (struct comparison){.equal = true, .offset = -1};
    struct db_statement *a = select_all(first, table), *b = select_all(second, table);
    enum db_result result_a = DB_DONE, result_b = DB_DONE;
    while (a && b) {
        result_a = db_step(a);
        result_b = db_step(b);
        if (result_a > DB_ROW || result_b > DB_ROW)
            break;
        bool has_a = result_a == DB_ROW, has_b = result_b == DB_ROW;
        comparison->rows += has_a;
        if (!has_a && !has_b)
            break;
        if (has_a && has_b && same_row(a, b))
            continue;
        if (comparison->equal) {
            comparison->equal = false;
            comparison->offset = offset_of(table, a, has_a, b, has_b);
            comparison->row = comparison->rows - has_a;
        }
        if (!has_a)
            break;
        while (!has_b && (result_a = db_step(a)) == DB_ROW) /* only the rows are still counted */
            comparison->rows++;
        if (!has_b)
            break;
    }
    if (!a || !b)
        result_a = db_why(a ? second : first);
    db_finalize(a);
    db_finalize(b);
    enum db_result worse = result_a > result_b ? result_a : result_b;
    if (worse > DB_ROW)
        return failure_set(failure,
                           worse == DB_DAMAGED || worse == DB_MISTAKE ? "DAMAGED" : "FAILED",
                           "the table %s cannot be read", table->name);
    return 0;
}
