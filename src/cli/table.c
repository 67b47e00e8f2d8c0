#include "cli/table.h"

#include <stdio.h>

#include "cli/visible.h"

void table_start(struct table *table, const struct column *columns, size_t column_count)
{
    *table = (struct table){.columns = columns, .column_count = column_count};
    for (size_t i = 0; i < column_count; i++)
        table->widths[i] = strlen(columns[i].title);
}

void table_add(struct table *table, struct text cell)
{
    size_t before = table->cells.length;
    visible_add(&table->cells, cell);
    buffer_add_byte(&table->cells, '\0');
    if (table->cells.failed)
        return;
    struct text shown = {table->cells.bytes + before, table->cells.length - before - 1};
    size_t width = visible_width(shown);
    size_t *widest = &table->widths[table->cell_count % table->column_count];
    if (width > *widest)
        *widest = width;
    table->cell_count++;
}

void table_add_int(struct table *table, int64_t value)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)value);
    table_add(table, (struct text){digits, (size_t)length});
}

static void print_cell(const struct table *table, size_t column, const char *cell)
{
    size_t width = visible_width(text_of(cell));
    int padding = (int)(table->widths[column] - width);
    bool right = table->columns[column].right;
    bool last = column + 1 == table->column_count;
    if (right)
        printf("%*s%s", padding, "", cell);
    else
        printf("%s%*s", cell, last ? 0 : padding, "");
    fputs(last ? "\n" : "  ", stdout);
}

int table_flush(struct table *table)
{
    if (table->cells.failed)
        return -1;
    if (!table->headed && table->cell_count > 0)
        for (size_t i = 0; i < table->column_count; i++)
            print_cell(table, i, table->columns[i].title);
    table->headed = table->headed || table->cell_count > 0;
    const char *cell = table->cells.bytes;
    for (size_t i = 0; i < table->cell_count; i++) {
        print_cell(table, i % table->column_count, cell);
        cell += strlen(cell) + 1;
    }
    table->cell_count = 0;
    buffer_clear(&table->cells);
    return 0;
}

void table_free(struct table *table)
{
    buffer_free(&table->cells);
}
