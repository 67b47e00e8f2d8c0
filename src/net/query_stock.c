/* The questions about stock: figures, movements, dead documents. */
#include <stdio.h>
#include <stdlib.h>

#include "base/decimal.h"
#include "net/query_internal.h"
#include "stock/figures.h"

#define CURSOR_MARK '\x1f' /* between the parts of a cursor: no name has a control character */

/* A list that ends before its end is no answer. */
static int unreadable(const struct query *query, struct failure *failure)
{
    return failure_set(failure, db_is_damaged(query->stock) ? "DAMAGED" : "FAILED",
                       "the stock file cannot be read");
}

static int bad_after(struct failure *failure)
{
    return failure_set_field(failure, "BAD_REQUEST", "after",
                             "after: must be the next of the reply before");
}

static int broken_ledger(struct failure *failure)
{
    return failure_set(failure, "DAMAGED", "the ledger of movements is broken");
}

/* Ends a list whose last step gave `step`: `next` where there is one, `applied`, the closing brace.
 * Within one snapshot with the rows before it. 0 or -1. */
static int end_list(struct query *query, enum db_result step, struct text next,
                    struct buffer *reply, struct failure *failure)
{
    if (step != DB_DONE && step != DB_ROW)
        return unreadable(query, failure);
    buffer_add_byte(reply, ']');
    if (next.length > 0)
        reply_add_text(reply, "next", next);
    buffer_add_byte(reply, ',');
    if (figures_add_applied(reply, query->stock) != 0)
        return unreadable(query, failure);
    buffer_add_byte(reply, '}');
    return 0;
}

/* Runs one list inside one snapshot of the stock file. */
static int in_snapshot(struct query *query, const struct request *request, struct buffer *reply,
                       struct failure *failure,
                       int (*list)(struct query *query, const struct request *request,
                                   struct buffer *reply, struct failure *failure))
{
    if (query_open_stock(query, failure) != 0)
        return -1;
    if (db_begin_read(query->stock) != DB_DONE)
        return unreadable(query, failure);
    int result = list(query, request, reply, failure);
    db_end_read(query->stock);
    return result;
}

/* --- stock --- */

static void read_figures(struct db_statement *row, struct stock_row *figures)
{
    *figures = (struct stock_row){
        .shop = db_text(row, 0),
        .location = db_text(row, 1),
        .sku = db_text(row, 2),
        .on_hand_milli = db_int(row, 3),
        .reserved_milli = db_int(row, 4),
    };
}

/* Cuts "shop|location|sku" at the marks. False where it is not such a cursor. */
static bool cut_cursor(struct text cursor, struct text parts[3])
{
    for (int i = 0; i < 3; i++) {
        const char *mark =
            i < 2 && cursor.length > 0 ? memchr(cursor.bytes, CURSOR_MARK, cursor.length) : NULL;
        if (i < 2 && !mark)
            return false;
        size_t length = mark ? (size_t)(mark - cursor.bytes) : cursor.length;
        parts[i] = (struct text){cursor.bytes, length};
        cursor.bytes += length + (mark ? 1 : 0);
        cursor.length -= length + (mark ? 1 : 0);
    }
    return true;
}

static void bind_filter(struct db_statement *statement, int index, struct text text)
{
    if (text.bytes)
        db_bind_text(statement, index, text);
    else
        db_bind_null(statement, index);
}

/* The skus asked for as one JSON array, raw as they came; absent = all. */
static void add_skus(const struct request *request, struct buffer *skus)
{
    if (request->skus != JSON_ABSENT) {
        buffer_add_text(skus, json_raw(&request->json, request->skus));
    } else if (request->sku.bytes) {
        buffer_add_byte(skus, '[');
        buffer_add_json(skus, request->sku);
        buffer_add_byte(skus, ']');
    }
}

#define PAGE_SQL(skus)                                                        \
    "SELECT shop, location, sku, on_hand_milli, reserved_milli FROM stock"    \
    " WHERE (shop, location, sku) > (?1, ?2, ?3) AND (?4 IS NULL OR shop=?4)" \
    " AND (?5 IS NULL OR location=?5)" skus " ORDER BY shop, location, sku LIMIT ?6"

static struct db_statement *prepare_page(struct query *query, const struct request *request,
                                         const struct text after[3], struct text skus)
{
    static const char all[] = PAGE_SQL("");
    static const char named[] = PAGE_SQL(" AND sku IN (SELECT value FROM json_each(?7))");
    struct db_statement *row = db_prepare(query->stock, skus.length > 0 ? named : all);
    if (!row)
        return NULL;
    for (int i = 0; i < 3; i++)
        db_bind_text(row, i + 1, after[i]);
    bind_filter(row, 4, request->shop);
    bind_filter(row, 5, request->location);
    db_bind_int(row, 6, request->limit + 1);
    if (skus.length > 0)
        db_bind_text(row, 7, skus);
    return row;
}

/* Up to `limit` rows; the cursor of the page after them into `next`, empty where there is none. */
static enum db_result add_page(struct db_statement *row, int64_t limit, struct buffer *reply,
                               struct buffer *next)
{
    struct stock_row figures;
    int64_t count = 0;
    enum db_result step;
    while ((step = db_step(row)) == DB_ROW) {
        if (count == limit) /* one row more was asked for, to know */
            return step;
        read_figures(row, &figures);
        if (count++ > 0)
            buffer_add_byte(reply, ',');
        figures_add_row(reply, &figures);
        buffer_clear(next);
        buffer_add_text(next, figures.shop);
        buffer_add_byte(next, CURSOR_MARK);
        buffer_add_text(next, figures.location);
        buffer_add_byte(next, CURSOR_MARK);
        buffer_add_text(next, figures.sku);
    }
    buffer_clear(next);
    return step;
}

static int list_stock(struct query *query, const struct request *request, struct buffer *reply,
                      struct failure *failure)
{
    struct text after[3] = {TEXT_LITERAL(""), TEXT_LITERAL(""), TEXT_LITERAL("")};
    if (request->after.bytes && !cut_cursor(request->after, after))
        return bad_after(failure);
    struct buffer skus = {0}, next = {0};
    add_skus(request, &skus);
    struct db_statement *row =
        skus.failed ? NULL : prepare_page(query, request, after, buffer_text(&skus));
    int result = -1;
    if (row) {
        reply_begin(reply, request->tag, request->seq);
        buffer_add_string(reply, ",\"stock\":[");
        enum db_result step = add_page(row, request->limit, reply, &next);
        reply->failed = reply->failed || next.failed;
        result = end_list(query, step, buffer_text(&next), reply, failure);
        db_finalize(row);
    } else {
        unreadable(query, failure);
    }
    buffer_free(&skus);
    buffer_free(&next);
    return result;
}

static bool all_strings(const struct json *json, uint32_t array)
{
    for (uint32_t i = json_first(json, array); i != json_end(json, array); i = json_next(json, i))
        if (json_type(json, i) != JSON_STRING)
            return false;
    return true;
}

int query_stock(struct query *query, const struct request *request, struct buffer *reply,
                struct failure *failure)
{
    if (request->skus != JSON_ABSENT && !all_strings(&request->json, request->skus))
        return failure_set_field(failure, "BAD_REQUEST", "skus", "skus: must be strings");
    return in_snapshot(query, request, reply, failure, list_stock);
}

/* --- movements --- */

#define CHAINS_MAX 64 /* places one sku may lie at, in one answer */

/* Newest movements not yet shown, one a stock row: each leads to the one before it. */
struct chains {
    int64_t heads[CHAINS_MAX];
    int count;
};

static int first_heads(struct query *query, const struct request *request, struct chains *chains,
                       struct failure *failure)
{
    struct db_statement *row = db_prepare(
        query->stock, "SELECT last_movement FROM stock WHERE sku=?1 AND (?2 IS NULL OR shop=?2)"
                      " AND (?3 IS NULL OR location=?3) AND last_movement>0 LIMIT ?4");
    if (!row)
        return unreadable(query, failure);
    db_bind_text(row, 1, request->sku);
    bind_filter(row, 2, request->shop);
    bind_filter(row, 3, request->location);
    db_bind_int(row, 4, CHAINS_MAX);
    enum db_result step;
    while ((step = db_step(row)) == DB_ROW && chains->count < CHAINS_MAX)
        chains->heads[chains->count++] = db_int(row, 0);
    db_finalize(row);
    return step == DB_ROW || step == DB_DONE ? 0 : unreadable(query, failure);
}

/* The cursor is the heads themselves: "17,12". */
static int heads_from(struct text after, struct chains *chains, struct failure *failure)
{
    char digits[24];
    while (after.length > 0) {
        const char *comma = memchr(after.bytes, ',', after.length);
        size_t length = comma ? (size_t)(comma - after.bytes) : after.length;
        if (length == 0 || length >= sizeof digits || chains->count == CHAINS_MAX)
            return bad_after(failure);
        memcpy(digits, after.bytes, length);
        digits[length] = '\0';
        char *end;
        long long head = strtoll(digits, &end, 10);
        if (*end != '\0' || head <= 0)
            return bad_after(failure);
        chains->heads[chains->count++] = head;
        length += comma ? 1 : 0;
        after.bytes += length;
        after.length -= length;
    }
    return 0;
}

static int newest(const struct chains *chains)
{
    int found = 0;
    for (int i = 1; i < chains->count; i++)
        if (chains->heads[i] > chains->heads[found])
            found = i;
    return found;
}

static void add_column(struct buffer *reply, const char *name, struct db_statement *row, int column)
{
    if (!db_is_null(row, column))
        reply_add_text(reply, name, db_text(row, column));
}

static void add_movement(struct buffer *reply, struct db_statement *row)
{
    enum place from = (enum place)db_int(row, 11), to = (enum place)db_int(row, 12);
    int64_t quantity_milli = db_int(row, 13);
    buffer_add_string(reply, "{\"offset\":");
    buffer_add_int(reply, db_int(row, 0));
    reply_add_int(reply, "partition", db_int(row, 1));
    reply_add_int(reply, "time", db_int(row, 2));
    add_column(reply, "date", row, 3);
    add_column(reply, "type", row, 4);
    add_column(reply, "id", row, 5);
    add_column(reply, "terminal", row, 6);
    add_column(reply, "operator", row, 7);
    add_column(reply, "shop", row, 8);
    add_column(reply, "location", row, 9);
    add_column(reply, "sku", row, 10);
    buffer_add_string(reply, ",\"qty\":");
    decimal_add_json(reply, to == PLACE_SHELF ? quantity_milli : -quantity_milli,
                     QUANTITY_DECIMALS);
    buffer_add_string(reply, ",\"balance\":");
    decimal_add_json(reply, db_int(row, 14), QUANTITY_DECIMALS);
    reply_add_text(reply, "from", text_of(place_name(from)));
    reply_add_text(reply, "to", text_of(place_name(to)));
    buffer_add_byte(reply, '}');
}

static const char movement_sql[] =
    "SELECT m.offset, m.partition, d.time_ms, d.date, d.type, d.id, d.terminal, d.operator,"
    " s.shop, s.location, s.sku, m.from_place, m.to_place, m.quantity_milli, m.balance_milli,"
    " m.previous FROM movement m JOIN stock s ON s.id=m.stock"
    " JOIN document d ON d.partition=m.partition AND d.offset=m.offset WHERE m.id=?";

/* The newest movement of all chains; its chain goes on with the one before it. 1, 0 where none is
 * left, -1 (SQLite), -2 no such movement, -3 where what comes next cannot have come before. */
static int add_next_movement(struct db_statement *row, struct chains *chains, bool first,
                             struct buffer *reply)
{
    if (chains->count == 0)
        return 0;
    int chain = newest(chains);
    db_bind_int(row, 1, chains->heads[chain]);
    enum db_result step = db_step(row);
    int64_t previous = step == DB_ROW ? db_int(row, 15) : 0;
    bool sound =
        step == DB_ROW && previous >= 0 && previous < chains->heads[chain] && db_int(row, 13) > 0;
    if (sound) {
        if (!first)
            buffer_add_byte(reply, ',');
        add_movement(reply, row);
        chains->heads[chain] = previous > 0 ? previous : chains->heads[--chains->count];
    }
    db_reset(row);
    return sound ? 1 : step == DB_DONE ? -2 : step == DB_ROW ? -3 : -1;
}

static int list_movements(struct query *query, const struct request *request, struct buffer *reply,
                          struct failure *failure)
{
    struct chains chains = {0};
    if (request->after.bytes ? heads_from(request->after, &chains, failure) != 0
                             : first_heads(query, request, &chains, failure) != 0)
        return -1;
    struct db_statement *row = db_prepare(query->stock, movement_sql);
    if (!row)
        return unreadable(query, failure);
    reply_begin(reply, request->tag, request->seq);
    buffer_add_string(reply, ",\"movements\":[");
    int more = 1;
    for (int64_t count = 0; more == 1 && count < request->limit; count++)
        more = add_next_movement(row, &chains, count == 0, reply);
    db_finalize(row);
    if (more == -1)
        return unreadable(query, failure);
    if (more < 0)
        return more == -2 && request->after.bytes ? bad_after(failure) : broken_ledger(failure);
    struct buffer next = {0};
    for (int i = 0; i < chains.count; i++)
        buffer_add_format(&next, "%s%lld", i == 0 ? "" : ",", (long long)chains.heads[i]);
    reply->failed = reply->failed || next.failed;
    int result = end_list(query, DB_DONE, buffer_text(&next), reply, failure);
    buffer_free(&next);
    return result;
}

int query_movements(struct query *query, const struct request *request, struct buffer *reply,
                    struct failure *failure)
{
    return in_snapshot(query, request, reply, failure, list_movements);
}

/* --- dead --- */

static void add_dead(struct buffer *reply, struct db_statement *row, bool with_value)
{
    buffer_add_string(reply, "{\"partition\":");
    buffer_add_int(reply, db_int(row, 0));
    reply_add_int(reply, "offset", db_int(row, 1));
    reply_add_int(reply, "time", db_int(row, 2));
    add_column(reply, "shop", row, 3);
    add_column(reply, "terminal", row, 4);
    add_column(reply, "id", row, 5);
    add_column(reply, "type", row, 6);
    reply_add_text(reply, "outcome", text_of(outcome_name((enum outcome)db_int(row, 7))));
    add_column(reply, "reason", row, 8);
    if (!db_is_null(row, 9)) {
        buffer_add_string(reply, ",\"detail\":");
        buffer_add_text(reply, db_text(row, 9));
    }
    if (with_value) {
        buffer_add_string(reply, ",\"value\":");
        buffer_add_text(reply, db_text(row, 10));
    }
    buffer_add_byte(reply, '}');
}

static int list_dead(struct query *query, const struct request *request, struct buffer *reply,
                     struct failure *failure)
{
    bool one = request->offset >= 0;
    int64_t partition = one ? request->partition : 0, offset = one ? request->offset : -1;
    if (request->after.bytes) {
        char cursor[64];
        long long after_partition, after_offset;
        snprintf(cursor, sizeof cursor, "%.*s", (int)request->after.length, request->after.bytes);
        if (sscanf(cursor, "%lld:%lld", &after_partition, &after_offset) != 2)
            return bad_after(failure);
        partition = after_partition;
        offset = after_offset;
    }
    struct db_statement *row = db_prepare(
        query->stock,
        one ? "SELECT partition, offset, time_ms, shop, terminal, id, type, outcome, reason,"
              " detail, value FROM dead JOIN document USING(partition, offset)"
              " WHERE partition=?1 AND offset=?2 AND state='dead' LIMIT ?3"
            : "SELECT partition, offset, time_ms, shop, terminal, id, type, outcome, reason,"
              " detail, value FROM dead JOIN document USING(partition, offset)"
              " WHERE (partition, offset) > (?1, ?2) AND state='dead'"
              " ORDER BY partition, offset LIMIT ?3");
    if (!row)
        return unreadable(query, failure);
    db_bind_int(row, 1, partition);
    db_bind_int(row, 2, offset);
    db_bind_int(row, 3, request->limit + 1);
    struct buffer next = {0};
    int64_t count = 0;
    bool more = false;
    reply_begin(reply, request->tag, request->seq);
    buffer_add_string(reply, ",\"dead\":[");
    enum db_result step;
    while ((step = db_step(row)) == DB_ROW) {
        more = count == request->limit || reply->length >= REPLY_BYTES;
        if (more)
            break;
        if (count++ > 0)
            buffer_add_byte(reply, ',');
        add_dead(reply, row, one);
        buffer_clear(&next);
        buffer_add_format(&next, "%lld:%lld", (long long)db_int(row, 0), (long long)db_int(row, 1));
    }
    db_finalize(row);
    reply->failed = reply->failed || next.failed;
    int result =
        end_list(query, step, more ? buffer_text(&next) : (struct text){0}, reply, failure);
    buffer_free(&next);
    return result;
}

int query_dead(struct query *query, const struct request *request, struct buffer *reply,
               struct failure *failure)
{
    return in_snapshot(query, request, reply, failure, list_dead);
}
