#include "journal/source.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/db_log.h"
#include "base/disk.h"
#include "base/json.h"
#include "journal/schema.h"
#include "journal/segment.h"

#define PROBE_LIMIT (INT64_C(1) << 40) /* offsets behind an unreadable place that are tried */
#define COUNT_LIMIT (INT64_C(1) << 40) /* of a batch, or of a hole */

struct source {
    struct db *db; /* NULL: gives nothing */
    bool orderly;
    int64_t bytes;
    struct sha256 *hash;
    struct json json;
    /* the partition being read */
    struct db_statement *row, *behind; /* the first batch at or beyond an offset; the same, to look
                                        * ahead */
    int64_t at;
    int64_t seen;
    bool has_head; /* what the next batch goes on from is known, if only by one that was lost */
    unsigned char head[SHA256_BYTES];
};

static int64_t bytes_of(const char *path, const char *suffix)
{
    char name[PATH_MAX + 8];
    struct disk_status status;
    snprintf(name, sizeof name, "%s%s", path, suffix);
    return disk_status(name, &status) == 0 ? status.bytes : 0;
}

static bool is_orderly(struct source *source)
{
    struct db_log log;
    struct failure ignored;
    return db_check_quickly(source->db, &ignored) == 0 && db_log_look(source->db, &log) == 0 &&
           !log.damaged;
}

struct source *source_open(const char *path)
{
    struct source *source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    source->hash = sha256_new();
    if (!source->hash) {
        free(source);
        return NULL;
    }
    source->bytes = bytes_of(path, "") + bytes_of(path, "-wal");
    struct db_options options = {.mode = DB_READ, .quiet = true};
    struct failure ignored;
    /* An empty file is not opened: SQLite would throw its log away. */
    if (bytes_of(path, "") > 0 && db_open(&source->db, path, &options, &ignored) == 0)
        source->orderly = is_orderly(source);
    return source;
}

static void forget_partition(struct source *source)
{
    db_finalize(source->row);
    db_finalize(source->behind);
    source->row = source->behind = NULL;
}

void source_close(struct source *source)
{
    if (!source)
        return;
    forget_partition(source);
    db_close(source->db);
    sha256_free(source->hash);
    json_free(&source->json);
    free(source);
}

struct db *source_db(struct source *source)
{
    return source->db;
}

bool source_is_orderly(const struct source *source)
{
    return source->orderly;
}

int64_t source_bytes(const struct source *source)
{
    return source->bytes;
}

int64_t source_seen(const struct source *source)
{
    return source->seen;
}

bool source_begin(struct source *source, struct text topic, int partition, int64_t start,
                  const unsigned char start_hash[SHA256_BYTES])
{
    char sql[TABLE_NAME_BYTES + 192], table[TABLE_NAME_BYTES];
    forget_partition(source);
    source->at = source->seen = start;
    source->has_head = true;
    memcpy(source->head, start_hash, SHA256_BYTES);
    if (!source->db)
        return false;
    partition_table(table, topic, partition);
    snprintf(sql, sizeof sql,
             "SELECT base_offset, count, format, time_ms, lengths, meta, records, hash FROM \"%s\""
             " WHERE base_offset >= ? ORDER BY base_offset LIMIT 1",
             table);
    source->row = db_prepare(source->db, sql);
    source->behind = db_prepare(source->db, sql);
    if (source->row && source->behind)
        return true;
    forget_partition(source);
    return false;
}

/* --- one row --- */

static enum db_result find(struct db_statement *statement, int64_t offset)
{
    db_reset(statement);
    db_bind_int(statement, 1, offset);
    return db_step(statement);
}

/* The first row at or beyond `offset`, past what cannot be read: tries ever further on, then halves
 * the way back to where reading begins again. True where there is one. */
static bool find_readable(struct source *source, int64_t offset)
{
    enum db_result result = find(source->row, offset);
    if (result == DB_ROW || result == DB_DONE)
        return result == DB_ROW;
    int64_t bad = offset, good = -1;
    for (int64_t step = 1; step < PROBE_LIMIT && good < 0; step *= 2) {
        result = find(source->row, offset + step);
        if (result == DB_DONE)
            return false;
        if (result == DB_ROW)
            good = offset + step;
        else
            bad = offset + step;
    }
    if (good < 0)
        return false;
    while (good - bad > 1) {
        int64_t middle = bad + (good - bad) / 2;
        if (find(source->row, middle) == DB_ROW)
            good = middle;
        else
            bad = middle;
    }
    return find(source->row, good) == DB_ROW;
}

static struct batch batch_in(struct db_statement *row)
{
    return (struct batch){
        .base_offset = db_int(row, 0),
        .count = db_int(row, 1),
        .format = db_int(row, 2),
        .time_ms = db_int(row, 3),
        .lengths = db_blob(row, 4),
        .meta = db_text(row, 5),
        .records = db_text(row, 6),
        .hash = db_blob(row, 7),
    };
}

static bool plausible(const struct batch *batch)
{
    return batch->count > 0 && batch->count < COUNT_LIMIT && batch->base_offset >= 0 &&
           batch->base_offset < INT64_MAX - COUNT_LIMIT && batch->hash.length == SHA256_BYTES;
}

/* 1 where it has the form of a batch, 0 where not, -1 no memory. */
static int has_form(struct source *source, const struct batch *batch)
{
    struct batch_cursor cursor;
    struct record record;
    struct text meta;
    struct failure failure;
    int more;
    batch_start(&cursor, batch);
    while ((more = batch_next(&cursor, &record, &meta)) == 1) {
        if (json_parse(&source->json, record.value, &failure) != 0)
            return strcmp(failure.code, "NO_MEMORY") == 0 ? -1 : 0;
        if (batch_origin(meta, &source->json, &record) != 0)
            return 0;
    }
    return more == 0;
}

static void hash_from(struct source *source, const unsigned char before[SHA256_BYTES],
                      const struct batch *batch, unsigned char after[SHA256_BYTES])
{
    batch_hash(source->hash, before, batch, after);
}

static bool says(const struct batch *batch, const unsigned char hash[SHA256_BYTES])
{
    return text_equal(batch->hash, (struct text){(const char *)hash, SHA256_BYTES});
}

/* The batch right behind goes on from `hash`: then it is only its own hash that `batch` lost. */
static bool next_goes_on(struct source *source, const struct batch *batch,
                         const unsigned char hash[SHA256_BYTES])
{
    unsigned char after[SHA256_BYTES];
    int64_t next = batch->base_offset + batch->count;
    if (find(source->behind, next) != DB_ROW)
        return false;
    struct batch behind = batch_in(source->behind);
    hash_from(source, hash, &behind, after);
    bool goes_on = behind.base_offset == next && says(&behind, after);
    db_reset(source->behind);
    return goes_on;
}

/* 1 take it, 0 it is lost, -1 no memory. What the next one goes on from is put in place. */
static int judge(struct source *source, const struct batch *batch, enum proof *proof)
{
    unsigned char after[SHA256_BYTES];
    int form = has_form(source, batch);
    if (form < 0)
        return -1;
    bool in_line = source->has_head && batch->base_offset == source->at;
    hash_from(source, source->head, batch, after);
    bool proven =
        form == 1 && in_line && (says(batch, after) || next_goes_on(source, batch, after));
    /* Behind a gap nothing proves what it holds, but that it stands where it was written: the batch
     * behind it goes on from its hash. */
    const unsigned char *own = (const unsigned char *)batch->hash.bytes;
    bool in_place = form == 1 && !in_line && next_goes_on(source, batch, own);
    bool taken = proven || in_place;
    *proof = proven ? PROVEN : UNPROVEN;
    /* Of one that has lost its form or its place the hash may be lost too. */
    source->has_head = form == 1 && (in_line || in_place);
    memcpy(source->head, proven ? after : own, SHA256_BYTES);
    return taken;
}

int source_next(struct source *source, struct batch *batch, enum proof *proof)
{
    while (source->row && find_readable(source, source->at)) {
        *batch = batch_in(source->row);
        if (batch->base_offset != source->at)
            source->has_head = false;
        if (!plausible(batch)) {
            source->orderly = false; /* who knows what it was */
            if (batch->base_offset >= OFFSET_LIMIT)
                return 0;
            source->at = batch->base_offset + 1;
            source->has_head = false;
            continue;
        }
        int taken = judge(source, batch, proof);
        if (taken < 0)
            return -1;
        source->at = batch->base_offset + batch->count;
        source->seen = source->at > source->seen ? source->at : source->seen;
        if (taken == 1)
            return 1;
    }
    return 0;
}
