#include "stock/answer.h"

#include <stdlib.h>

#include "stock/figures.h"

struct answer {
    struct db *db;
    struct db_statement *find_document, *find_after, *find_now, *find_id;
    struct json json;
    struct document document;
};

struct answer *answer_new(struct db *stock)
{
    struct answer *answer = calloc(1, sizeof *answer);
    if (!answer)
        return NULL;
    answer->db = stock;
    answer->find_document =
        db_prepare(stock, "SELECT outcome, reason, detail, first_movement, movement_count"
                          " FROM document WHERE partition=? AND offset=?");
    answer->find_after =
        db_prepare(stock, "SELECT s.shop, s.location, s.sku, m.balance_milli, s.reserved_milli"
                          " FROM movement m JOIN stock s ON s.id=m.stock WHERE m.id IN"
                          " (SELECT max(id) FROM movement WHERE id BETWEEN ? AND ? GROUP BY stock)"
                          " ORDER BY m.id");
    answer->find_now = db_prepare(stock, "SELECT shop, location, sku, on_hand_milli, reserved_milli"
                                         " FROM stock WHERE shop=? AND location=? AND sku=?");
    answer->find_id = db_prepare(stock, "SELECT i.offset, d.seq FROM document_id i"
                                        " JOIN document d USING(partition, offset)"
                                        " WHERE i.terminal=? AND i.id=?");
    if (answer->find_document && answer->find_after && answer->find_now && answer->find_id)
        return answer;
    answer_free(answer);
    return NULL;
}

void answer_free(struct answer *answer)
{
    if (!answer)
        return;
    db_finalize(answer->find_document);
    db_finalize(answer->find_after);
    db_finalize(answer->find_now);
    db_finalize(answer->find_id);
    json_free(&answer->json);
    document_free(&answer->document);
    free(answer);
}

static void add_row(struct buffer *out, struct db_statement *row, int *count)
{
    struct stock_row figures = {
        .shop = db_text(row, 0),
        .location = db_text(row, 1),
        .sku = db_text(row, 2),
        .on_hand_milli = db_int(row, 3),
        .reserved_milli = db_int(row, 4),
    };
    if ((*count)++ > 0)
        buffer_add_byte(out, ',');
    figures_add_row(out, &figures);
}

static int by_row(const void *a, const void *b)
{
    const struct document_line *x = a, *y = b;
    int order = text_compare(x->location, y->location);
    return order != 0 ? order : text_compare(x->sku, y->sku);
}

/* 0, 1 where it is no document, -1 no memory. */
static int read_document(struct answer *answer, struct text value)
{
    struct document_defaults none = {0};
    struct failure failure;
    if (json_parse(&answer->json, value, &failure) == 0 &&
        document_read(&answer->document, &answer->json, 0, &none, &failure) == 0)
        return 0;
    return strcmp(failure.code, "NO_MEMORY") == 0 ? -1 : 1;
}

/* The rows the document names, as they are now, each once. 0 or -1. */
static int add_rows_now(struct answer *answer, struct text value, struct buffer *out)
{
    struct document *document = &answer->document;
    int read = read_document(answer, value);
    if (read != 0)
        return read < 0 ? -1 : 0;
    if (document->line_count > 1)
        qsort(document->lines, document->line_count, sizeof *document->lines, by_row);
    int count = 0;
    for (uint32_t i = 0; i < document->line_count; i++) {
        if (i > 0 && by_row(&document->lines[i - 1], &document->lines[i]) == 0)
            continue;
        db_bind_text(answer->find_now, 1, document->shop);
        db_bind_text(answer->find_now, 2, document->lines[i].location);
        db_bind_text(answer->find_now, 3, document->lines[i].sku);
        enum db_result step = db_step(answer->find_now);
        if (step == DB_ROW)
            add_row(out, answer->find_now, &count);
        db_reset(answer->find_now);
        if (step != DB_ROW && step != DB_DONE)
            return -1;
    }
    return 0;
}

static int add_rows_after(struct answer *answer, int64_t first, int64_t movements,
                          struct buffer *out)
{
    struct db_statement *row = answer->find_after;
    int count = 0;
    db_bind_int(row, 1, first);
    db_bind_int(row, 2, first + movements - 1);
    enum db_result step;
    while ((step = db_step(row)) == DB_ROW)
        add_row(out, row, &count);
    db_reset(row);
    return step == DB_DONE ? 0 : -1;
}

int answer_add(struct answer *answer, int partition, int64_t offset, struct text value,
               struct buffer *out)
{
    struct db_statement *document = answer->find_document;
    if (db_in_transaction(answer->db)) /* not rolled back yet: what is there was never committed */
        return -1;
    db_bind_int(document, 1, partition);
    db_bind_int(document, 2, offset);
    if (db_step(document) != DB_ROW) {
        db_reset(document);
        return -1;
    }
    size_t before = out->length;
    buffer_add_string(out, "\"outcome\":\"");
    buffer_add_string(out, outcome_name((enum outcome)db_int(document, 0)));
    buffer_add_byte(out, '"');
    if (!db_is_null(document, 1)) {
        buffer_add_string(out, ",\"reason\":");
        buffer_add_json(out, db_text(document, 1));
    }
    if (!db_is_null(document, 2)) {
        buffer_add_string(out, ",\"detail\":");
        buffer_add_text(out, db_text(document, 2));
    }
    int64_t first = db_int(document, 3), movements = db_int(document, 4);
    db_reset(document);
    buffer_add_string(out, ",\"stock\":[");
    int result = movements > 0 ? add_rows_after(answer, first, movements, out)
                               : add_rows_now(answer, value, out);
    buffer_add_string(out, "],");
    if (result == 0)
        result = figures_add_applied(out, answer->db);
    if (result != 0)
        out->length = before;
    return result;
}

int answer_find_offset(struct answer *answer, struct text value, int64_t *offset, bool *same_seq)
{
    *offset = -1;
    *same_seq = false;
    if (db_in_transaction(answer->db))
        return -1;
    int read = read_document(answer, value);
    if (read != 0)
        return read < 0 ? -1 : 0;
    db_bind_text(answer->find_id, 1, answer->document.terminal);
    db_bind_text(answer->find_id, 2, answer->document.id);
    enum db_result step = db_step(answer->find_id);
    if (step == DB_ROW) {
        *offset = db_int(answer->find_id, 0);
        int64_t seq = db_is_null(answer->find_id, 1) ? -1 : db_int(answer->find_id, 1);
        *same_seq = seq == answer->document.seq;
    }
    db_reset(answer->find_id);
    return step == DB_ROW || step == DB_DONE ? 0 : -1;
}
