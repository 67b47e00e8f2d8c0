#include "rows.h"

#include <stdlib.h>

#include "measure.h"

void rows_free(struct rows *rows)
{
    free(rows->cells);
    buffer_free(&rows->bytes);
    *rows = (struct rows){.kinds = rows->kinds};
}

void rows_clear(struct rows *rows)
{
    rows->count = 0;
    buffer_clear(&rows->bytes);
}

static struct cell *room_for_a_row(struct rows *rows, size_t columns)
{
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity == 0 ? 1024 : rows->capacity * 2;
        struct cell *cells = realloc(rows->cells, capacity * columns * sizeof *cells);
        if (!cells)
            give_up("no memory for the rows");
        rows->cells = cells;
        rows->capacity = capacity;
    }
    return rows->cells + rows->count++ * columns;
}

void rows_read(struct rows *rows, struct db_statement *from)
{
    struct cell *cells = room_for_a_row(rows, strlen(rows->kinds));
    for (int i = 0; rows->kinds[i]; i++) {
        cells[i] = (struct cell){.absent = db_is_null(from, i)};
        if (rows->kinds[i] == 'i') {
            cells[i].number = db_int(from, i);
        } else {
            struct text text = rows->kinds[i] == 't' ? db_text(from, i) : db_blob(from, i);
            cells[i].number = (int64_t)rows->bytes.length;
            cells[i].length = text.length;
            buffer_add_text(&rows->bytes, text);
        }
    }
    if (rows->bytes.failed)
        give_up("no memory for the rows");
}

static const struct cell *cell_at(const struct rows *rows, size_t row, int column)
{
    return rows->cells + row * strlen(rows->kinds) + column;
}

int64_t rows_int(const struct rows *rows, size_t row, int column)
{
    return cell_at(rows, row, column)->number;
}

struct text rows_text(const struct rows *rows, size_t row, int column)
{
    const struct cell *cell = cell_at(rows, row, column);
    return (struct text){rows->bytes.bytes + cell->number, cell->length};
}

enum db_result rows_write(const struct rows *rows, size_t row, struct db_statement *insert)
{
    const struct cell *cells = cell_at(rows, row, 0);
    for (int i = 0; rows->kinds[i]; i++) {
        if (cells[i].absent)
            db_bind_null(insert, i + 1);
        else if (rows->kinds[i] == 'i')
            db_bind_int(insert, i + 1, cells[i].number);
        else if (rows->kinds[i] == 't')
            db_bind_text(insert, i + 1, rows_text(rows, row, i));
        else
            db_bind_blob(insert, i + 1, rows_text(rows, row, i));
    }
    return db_run(insert);
}
