#include "cli/listing.h"

#include "cli/moment.h"
#include "cli/slice.h"

/* What a reply holds at most (docs/protocol.md). */
#define PAGE_ROWS 1000

void listing_start_table(const struct listing *listing, struct table *table,
                         struct column columns[TABLE_COLUMNS_MAX])
{
    for (size_t i = 0; i < listing->column_count; i++)
        columns[i] = (struct column){.title = listing->columns[i].title,
                                     .right = listing->columns[i].kind == LISTING_FIGURE};
    table_start(table, columns, listing->column_count);
}

static void add_cell(struct table *table, const struct listing_column *column, struct text row,
                     struct buffer *scratch)
{
    struct text value = slice_member(row, column->key);
    int64_t wall_ms;
    char moment[MOMENT_BYTES];
    buffer_clear(scratch);
    if (column->kind == LISTING_MOMENT && slice_int(value, &wall_ms) == 0)
        table_add(table, moment_format(wall_ms, moment));
    else
        table_add(table, slice_string(value, scratch));
}

static int print_page(struct listing *listing, struct table *table, struct text reply)
{
    struct text rows = slice_member(reply, listing->array);
    struct text row;
    struct buffer scratch = {0};
    size_t position = 0;
    while (slice_next(rows, &position, &row)) {
        if (listing->printed == listing->most) {
            listing->more = true;
            break;
        }
        listing->printed++;
        if (listing->json)
            print_line(row);
        else
            for (size_t i = 0; i < listing->column_count; i++)
                add_cell(table, &listing->columns[i], row, &scratch);
    }
    buffer_free(&scratch);
    if (table_flush(table) == 0)
        return 0;
    complain("no memory for a page");
    return -1;
}

static void build_page_request(struct buffer *page, struct text request, struct text after,
                               int64_t rows)
{
    buffer_clear(page);
    buffer_add_text(page, request);
    buffer_add_string(page, ",\"limit\":");
    buffer_add_int(page, rows);
    if (after.length > 0) {
        buffer_add_string(page, ",\"after\":");
        buffer_add_text(page, after);
    }
    buffer_add_byte(page, '}');
}

int listing_print(struct listing *listing, struct source *source, struct table *table,
                  struct text request)
{
    struct buffer page = {0};
    struct buffer after = {0}; /* the reply it stands in is gone with the next question */
    struct text reply;
    int result;
    do {
        int64_t left = listing->most - listing->printed;
        build_page_request(&page, request, buffer_text(&after),
                           left < PAGE_ROWS ? left : PAGE_ROWS);
        result = source_ask_or_complain(source, &page, &reply);
        if (result == 0)
            result = print_page(listing, table, reply);
        if (result < 0)
            break;
        buffer_clear(&after);
        buffer_add_text(&after, slice_member(reply, "next"));
        if (after.length > 0 && listing->printed >= listing->most)
            listing->more = true;
    } while (after.length > 0 && !listing->more);
    buffer_free(&page);
    buffer_free(&after);
    return result;
}
