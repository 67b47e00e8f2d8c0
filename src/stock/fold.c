#include "stock/fold.h"

#include <stdlib.h>

#include "base/sha256.h"

/* A value and the document read from it. */
struct parsed {
    struct json json;
    struct document document;
};

struct fold {
    struct stock *stock;
    struct sha256 *sha256;
    struct parsed parsed;  /* the record's own document */
    struct parsed retried; /* the dead one it speaks of */
    struct json meta;
    struct decision decision;
    struct buffer canonical; /* content that is hashed */
    struct buffer dead;      /* a dead document's value */
    struct buffer dead_shop; /* the shop it was of */
    struct buffer shop;      /* the record's key, unescaped */
    struct stock_row **rows; /* of the document's lines */
    uint32_t row_capacity;
};

struct fold *fold_new(struct stock *stock)
{
    struct fold *fold = calloc(1, sizeof *fold);
    if (!fold)
        return NULL;
    fold->stock = stock;
    fold->sha256 = sha256_new();
    if (fold->sha256)
        return fold;
    free(fold);
    return NULL;
}

void fold_free(struct fold *fold)
{
    if (!fold)
        return;
    sha256_free(fold->sha256);
    json_free(&fold->parsed.json);
    json_free(&fold->retried.json);
    json_free(&fold->meta);
    document_free(&fold->parsed.document);
    document_free(&fold->retried.document);
    buffer_free(&fold->decision.detail);
    buffer_free(&fold->canonical);
    buffer_free(&fold->dead);
    buffer_free(&fold->dead_shop);
    buffer_free(&fold->shop);
    free(fold->rows);
    free(fold);
}

static void decide(struct fold *fold, enum outcome outcome, const char *reason)
{
    fold->decision.outcome = outcome;
    fold->decision.reason = reason;
}

/* The reason of a value that is no document, for people: {"path":…,"message":…}. */
static void explain(struct fold *fold, const struct failure *failure)
{
    struct buffer *detail = &fold->decision.detail;
    decide(fold, OUTCOME_REJECTED, "BAD_DOCUMENT");
    buffer_add_string(detail, "{\"path\":");
    buffer_add_json(detail, text_of(failure->path));
    buffer_add_string(detail, ",\"message\":");
    buffer_add_json(detail, text_of(failure->message));
    buffer_add_byte(detail, '}');
}

/* 0; 1 it is no document (explained); -1 no memory. A failure for want of memory must never become
 * an outcome: it would not happen again in a replay. */
static int read_value(struct fold *fold, struct parsed *parsed, struct text value, struct text shop)
{
    struct failure failure;
    struct document *document = &parsed->document;
    struct document_defaults defaults = {.shop = shop};
    if (json_parse(&parsed->json, value, &failure) != 0) {
        struct document_line *lines = document->lines; /* what the one before left says nothing */
        *document = (struct document){.seq = -1,
                                      .lines = lines,
                                      .line_capacity = document->line_capacity,
                                      .scratch = document->scratch};
    } else if (document_read(document, &parsed->json, 0, &defaults, &failure) == 0) {
        return 0;
    }
    if (strcmp(failure.code, "NO_MEMORY") == 0)
        return -1;
    explain(fold, &failure);
    return 1;
}

static enum db_result find_rows(struct fold *fold, const struct document *document)
{
    if (document->line_count > fold->row_capacity) {
        struct stock_row **rows =
            realloc(fold->rows, document->line_count * sizeof(struct stock_row *));
        if (!rows)
            return DB_NO_MEMORY;
        fold->rows = rows;
        fold->row_capacity = document->line_count;
    }
    for (uint32_t i = 0; i < document->line_count; i++) {
        const struct document_line *line = &document->lines[i];
        fold->rows[i] = stock_row_of(fold->stock, document->shop, line->location, line->sku);
        if (!fold->rows[i])
            return DB_NO_MEMORY;
    }
    return DB_DONE;
}

/* Decides a document of lines and, where accepted, moves the stock under `entry`'s offset. */
static enum db_result move_lines(struct fold *fold, const struct document *document,
                                 struct document_entry *entry)
{
    enum db_result result = find_rows(fold, document);
    if (result != DB_DONE)
        return result;
    effects_decide(document, fold->rows, &fold->decision);
    if (fold->decision.detail.failed)
        return DB_NO_MEMORY;
    if (fold->decision.outcome != OUTCOME_ACCEPTED)
        return DB_DONE;
    for (uint32_t i = 0; i < document->line_count && result == DB_DONE; i++) {
        struct movement movement = effects_movement(document, i, fold->rows[i]);
        int64_t number;
        effects_apply(&movement);
        result =
            stock_add_movement(fold->stock, &movement, entry->partition, entry->offset, &number);
        if (entry->first_movement == 0)
            entry->first_movement = number;
        entry->movement_count++;
    }
    return result;
}

/* Gives the id of `parsed` to the document at (partition, offset), unless it has one already. */
static enum db_result take_id(struct fold *fold, const struct parsed *parsed, int partition,
                              int64_t offset, bool *same)
{
    unsigned char hash[DOCUMENT_HASH_BYTES];
    if (document_hash(&parsed->json, fold->sha256, &fold->canonical, hash) != 0)
        return DB_NO_MEMORY;
    return stock_take_id(fold->stock, parsed->document.terminal, parsed->document.id, partition,
                         offset, hash, same);
}

/* The value of a dead document into fold->dead, its shop beside it. */
static enum db_result find_dead(struct fold *fold)
{
    buffer_clear(&fold->dead);
    buffer_clear(&fold->dead_shop);
    enum db_result result =
        stock_find_dead(fold->stock, fold->parsed.document.target_partition,
                        fold->parsed.document.target_offset, &fold->dead, &fold->dead_shop);
    return fold->dead.failed || fold->dead_shop.failed ? DB_NO_MEMORY : result;
}

/* A dead document is decided anew, as if it came now; its id and its shop are its own already. */
static enum db_result retry(struct fold *fold, struct document_entry *entry)
{
    int partition = fold->parsed.document.target_partition;
    int64_t offset = fold->parsed.document.target_offset;
    enum db_result result = find_dead(fold);
    if (result != DB_ROW) {
        decide(fold, OUTCOME_REJECTED, "NOT_DEAD");
        return result;
    }
    struct text shop =
        fold->dead_shop.length > 0 ? buffer_text(&fold->dead_shop) : (struct text){0};
    int read = read_value(fold, &fold->retried, buffer_text(&fold->dead), shop);
    if (read != 0)
        return read < 0 ? DB_NO_MEMORY : DB_DONE;
    bool same = true;
    result = take_id(fold, &fold->retried, partition, offset, &same);
    if (result != DB_DONE && result != DB_CONSTRAINT)
        return result;
    if (!same || fold->retried.document.line_count == 0) {
        decide(fold, same ? OUTCOME_REJECTED : OUTCOME_CONFLICT,
               same ? "UNKNOWN_TYPE" : "ID_TAKEN");
        return DB_DONE;
    }
    result = move_lines(fold, &fold->retried.document, entry);
    if (result == DB_DONE && fold->decision.outcome == OUTCOME_ACCEPTED)
        result = stock_end_dead(fold->stock, partition, offset, "retried", entry->partition,
                                entry->offset);
    return result;
}

static enum db_result drop(struct fold *fold, const struct document_entry *entry)
{
    const struct document *document = &fold->parsed.document;
    enum db_result result = find_dead(fold);
    if (result != DB_ROW) {
        decide(fold, OUTCOME_REJECTED, "NOT_DEAD");
        return result;
    }
    return stock_end_dead(fold->stock, document->target_partition, document->target_offset,
                          "dropped", entry->partition, entry->offset);
}

/* Everything after the envelope is read: the id, then what its type does. */
static enum db_result decide_document(struct fold *fold, struct document_entry *entry)
{
    bool same = false;
    enum db_result result = take_id(fold, &fold->parsed, entry->partition, entry->offset, &same);
    if (result == DB_CONSTRAINT) {
        if (same)
            decide(fold, OUTCOME_DUPLICATE, NULL);
        else
            decide(fold, OUTCOME_CONFLICT, "ID_TAKEN");
        return DB_DONE;
    }
    if (result != DB_DONE)
        return result;
    switch (fold->parsed.document.type) {
    case DOCUMENT_UNKNOWN:
        decide(fold, OUTCOME_REJECTED, "UNKNOWN_TYPE");
        return DB_DONE;
    case DOCUMENT_RETRY:
        return retry(fold, entry);
    case DOCUMENT_DROP:
        return drop(fold, entry);
    case DOCUMENT_SALE:
    case DOCUMENT_RETURN:
    case DOCUMENT_RECEIPT:
    case DOCUMENT_ADJUST:
        return move_lines(fold, &fold->parsed.document, entry);
    }
    return DB_FAILED;
}

/* Takes over what identifies the document; the texts live as long as the fold's scratch. */
static void fill_entry(const struct document *document, struct document_entry *entry)
{
    entry->shop = document->shop;
    entry->terminal = document->terminal;
    entry->id = document->id;
    entry->type = document->type_name;
    entry->date = document->date;
    entry->operator_id = document->operator_id;
    entry->seq = document->seq;
}

static bool belongs_among_the_dead(const struct fold *fold, enum document_type type)
{
    if (type == DOCUMENT_RETRY || type == DOCUMENT_DROP)
        return false; /* their sender has the answer; the dead document itself is still listed */
    return fold->decision.outcome == OUTCOME_REJECTED || fold->decision.outcome == OUTCOME_CONFLICT;
}

/* The record's key is the shop, as Kafka's producers of documents send it; absent where it is none.
 * 0, or -1 where memory was short: a want of memory must never become an outcome. */
static int find_shop(struct fold *fold, struct text meta, struct text *shop)
{
    struct record record = {0};
    struct failure failure;
    *shop = (struct text){0};
    buffer_clear(&fold->shop);
    int origin = batch_origin(meta, &fold->meta, &record);
    if (origin != 0 || !record.key.bytes)
        return origin < -1 ? -1 : 0;
    if (json_parse(&fold->meta, record.key, &failure) != 0)
        return strcmp(failure.code, "NO_MEMORY") == 0 ? -1 : 0;
    struct text name = json_text(&fold->meta, 0, &fold->shop);
    if (name.length >= 1 && name.length <= NAME_BYTES)
        *shop = name;
    return fold->shop.failed ? -1 : 0;
}

static enum db_result fold_record(struct fold *fold, int partition, const struct record *record,
                                  struct text meta)
{
    struct document_entry entry = {
        .partition = partition, .offset = record->offset, .time_ms = record->time_ms, .seq = -1};
    buffer_clear(&fold->decision.detail);
    decide(fold, OUTCOME_ACCEPTED, NULL);
    int read = read_value(fold, &fold->parsed, record->value, (struct text){0});
    if (read > 0 && !fold->parsed.document.shop.bytes) {
        buffer_clear(&fold->decision.detail);
        decide(fold, OUTCOME_ACCEPTED, NULL);
        struct text shop;
        read = find_shop(fold, meta, &shop) != 0
                   ? -1
                   : read_value(fold, &fold->parsed, record->value, shop);
    }
    if (read < 0)
        return DB_NO_MEMORY;
    fill_entry(&fold->parsed.document, &entry);
    enum document_type type = fold->parsed.document.type;
    enum db_result result = read == 0 ? decide_document(fold, &entry) : DB_DONE;
    if (result != DB_DONE)
        return result;
    if (fold->decision.detail.failed)
        return DB_NO_MEMORY;
    entry.outcome = fold->decision.outcome;
    entry.reason = text_of(fold->decision.reason);
    if (fold->decision.detail.length > 0)
        entry.detail = buffer_text(&fold->decision.detail);
    result = stock_add_document(fold->stock, &entry);
    if (result == DB_DONE && belongs_among_the_dead(fold, type))
        result = stock_add_dead(fold->stock, partition, record->offset, record->value);
    return result;
}

enum db_result fold_batch(struct fold *fold, int partition, const struct batch *batch,
                          int64_t until, int64_t *documents)
{
    struct progress *progress = stock_progress(fold->stock, partition);
    if (!progress)
        return DB_FAILED;
    if (batch->format == BATCH_FORMAT_HOLE) {
        int64_t next = batch->base_offset + batch->count;
        progress->applied = next < until ? next : until;
        return DB_DONE;
    }
    struct batch_cursor cursor;
    struct record record;
    struct text meta;
    int more;
    batch_start(&cursor, batch);
    while ((more = batch_next(&cursor, &record, &meta)) == 1) {
        if (record.offset < progress->applied)
            continue;
        if (record.offset >= until)
            return DB_DONE;
        enum db_result result = fold_record(fold, partition, &record, meta);
        if (result != DB_DONE)
            return result;
        progress->applied = record.offset + 1;
        progress->outcomes[fold->decision.outcome]++;
        *documents += 1;
    }
    return more == 0 ? DB_DONE : DB_DAMAGED;
}
