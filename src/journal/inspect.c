#include "journal/inspect.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/db_log.h"
#include "base/disk.h"
#include "journal/batch.h"
#include "journal/producers.h"
#include "journal/schema.h"
#include "journal/segment.h"

struct inspecting {
    struct db *db;
    bool whole; /* the file is small enough to be read whole */
    struct producers *producers;
    struct sha256 *hash;
    struct json json;
    struct buffer scratch;
    struct failure *why;
};

/* What could not be read is damaged, unless the reason may pass. */
static enum condition unreadable(const struct inspecting *inspecting, const char *what)
{
    enum db_result result = db_last_result(inspecting->db);
    bool damaged =
        result != DB_FAILED && result != DB_BUSY && result != DB_NO_MEMORY && result != DB_FULL;
    failure_set(inspecting->why, damaged ? "DAMAGED" : "FAILED", "%s: %s cannot be read",
                db_path(inspecting->db), what);
    return damaged ? SEGMENT_DAMAGED : SEGMENT_UNKNOWN;
}

static enum condition damaged(const struct inspecting *inspecting, const char *table,
                              int64_t offset, const char *what)
{
    failure_set(inspecting->why, "DAMAGED", "%s: offset %lld of %s: %s", db_path(inspecting->db),
                (long long)offset, table, what);
    return SEGMENT_DAMAGED;
}

static enum condition no_memory(const struct inspecting *inspecting)
{
    failure_set(inspecting->why, "NO_MEMORY", "no memory to look at the journal");
    return SEGMENT_UNKNOWN;
}

/* --- batches --- */

/* A record that the producers do not know of would be journaled twice. */
static enum condition look_at_record(struct inspecting *inspecting, const char *table,
                                     const struct record *found, struct text meta)
{
    struct record record = *found;
    int64_t offset;
    if (batch_origin(meta, &inspecting->json, &record) != 0)
        return damaged(inspecting, table, record.offset, "its meta cannot be read");
    if (record.seq < 0)
        return SEGMENT_SOUND;
    if (json_parse(&inspecting->json, record.producer, NULL) != 0)
        return damaged(inspecting, table, record.offset, "its producer cannot be read");
    buffer_clear(&inspecting->scratch);
    struct text name = json_text(&inspecting->json, 0, &inspecting->scratch);
    if (producers_check(inspecting->producers, name, record.seq, &offset) == PRODUCER_NEW)
        return damaged(inspecting, table, record.offset, "its seq is not remembered");
    return SEGMENT_SOUND;
}

static enum condition look_at_batch(struct inspecting *inspecting, const char *table,
                                    const struct batch *batch,
                                    const unsigned char before[SHA256_BYTES])
{
    unsigned char hash[SHA256_BYTES];
    batch_hash(inspecting->hash, before, batch, hash);
    if (!text_equal(batch->hash, (struct text){(const char *)hash, SHA256_BYTES}))
        return damaged(inspecting, table, batch->base_offset, "the hash chain is broken");
    struct batch_cursor cursor;
    struct record record;
    struct text meta;
    int more;
    enum condition condition = SEGMENT_SOUND;
    batch_start(&cursor, batch);
    while (condition == SEGMENT_SOUND && (more = batch_next(&cursor, &record, &meta)) == 1)
        condition = look_at_record(inspecting, table, &record, meta);
    if (condition == SEGMENT_SOUND && more != 0)
        return damaged(inspecting, table, batch->base_offset, "the batch's lengths do not fit");
    return condition;
}

/* The first of the last INSPECT_BATCHES batches; -1 where there are fewer. */
static int64_t first_of_last(struct inspecting *inspecting, const char *table)
{
    char sql[TABLE_NAME_BYTES + 128];
    snprintf(sql, sizeof sql,
             "SELECT base_offset FROM \"%s\" ORDER BY base_offset DESC LIMIT 1 OFFSET %d", table,
             INSPECT_BATCHES);
    return db_int_of(inspecting->db, sql, -1);
}

/* Looks at the batches from `from` on. Where that is not the segment's start, the first row only
 * says what the second goes on from. */
static enum condition look_at_batches(struct inspecting *inspecting, const char *table,
                                      int64_t start, const unsigned char start_hash[SHA256_BYTES])
{
    char sql[TABLE_NAME_BYTES + 192];
    int64_t last = inspecting->whole ? -1 : first_of_last(inspecting, table);
    int64_t from = last < 0 ? INT64_MIN : last; /* rows that cannot be are looked at too */
    snprintf(sql, sizeof sql,
             "SELECT base_offset, count, format, time_ms, lengths, meta, records, hash FROM \"%s\""
             " WHERE base_offset >= %lld ORDER BY base_offset",
             table, (long long)from);
    struct db_statement *row = db_prepare(inspecting->db, sql);
    if (!row)
        return unreadable(inspecting, table);
    unsigned char before[SHA256_BYTES];
    int64_t expected = from < 0 ? start : -1;
    enum condition condition = SEGMENT_SOUND;
    enum db_result step = DB_DONE;
    memcpy(before, start_hash, SHA256_BYTES);
    while (condition == SEGMENT_SOUND && (step = db_step(row)) == DB_ROW) {
        struct batch batch = {db_int(row, 0),  db_int(row, 1),  db_int(row, 2),  db_int(row, 3),
                              db_blob(row, 4), db_text(row, 5), db_text(row, 6), db_blob(row, 7)};
        if (batch.count <= 0 || batch.hash.length != SHA256_BYTES)
            condition = damaged(inspecting, table, batch.base_offset, "the batch is not whole");
        else if (expected >= 0 && batch.base_offset != expected)
            condition = damaged(inspecting, table, expected, "it is missing");
        else if (expected >= 0)
            condition = look_at_batch(inspecting, table, &batch, before);
        if (condition == SEGMENT_SOUND) {
            memcpy(before, batch.hash.bytes, SHA256_BYTES);
            expected = batch.base_offset + batch.count;
        }
    }
    if (condition == SEGMENT_SOUND && step != DB_DONE)
        condition = unreadable(inspecting, table);
    db_finalize(row);
    return condition;
}

static enum condition look_at_partitions(struct inspecting *inspecting)
{
    struct db_statement *row =
        db_prepare(inspecting->db, "SELECT topic, partition, log_start, start, start_hash,"
                                   " typeof(topic)='text' AND typeof(partition)='integer' FROM"
                                   " tillq_partition ORDER BY topic, partition");
    if (!row)
        return unreadable(inspecting, "tillq_partition");
    enum condition condition = SEGMENT_SOUND;
    enum db_result step = DB_DONE;
    bool has_stock = false;
    while (condition == SEGMENT_SOUND && (step = db_step(row)) == DB_ROW) {
        char table[TABLE_NAME_BYTES];
        struct text topic = db_text(row, 0), hash = db_blob(row, 4);
        int64_t number = db_int(row, 1), log_start = db_int(row, 2), start = db_int(row, 3);
        if (db_int(row, 5) != 1 || start >= OFFSET_LIMIT || !topic_name_ok(topic) ||
            hash.length != SHA256_BYTES || number < 0 || number > INT32_MAX || log_start < 0 ||
            start < log_start) {
            failure_set(inspecting->why, "DAMAGED", "%s: tillq_partition is not one of ours",
                        db_path(inspecting->db));
            condition = SEGMENT_DAMAGED;
            break;
        }
        has_stock = has_stock || text_is(topic, STOCK_TOPIC);
        partition_table(table, topic, (int)number);
        condition = look_at_batches(inspecting, table, start, (const unsigned char *)hash.bytes);
    }
    if (condition == SEGMENT_SOUND && step != DB_DONE)
        condition = unreadable(inspecting, "tillq_partition");
    else if (condition == SEGMENT_SOUND && !has_stock)
        condition = damaged(inspecting, STOCK_TOPIC, 0, "the partition is not there");
    db_finalize(row);
    return condition;
}

/* --- the state beside them --- */

static enum condition load_producers(struct inspecting *inspecting)
{
    struct db_statement *row =
        db_prepare(inspecting->db, "SELECT name, last_seq, floor, gaps FROM tillq_producer");
    if (!row)
        return unreadable(inspecting, "tillq_producer");
    enum condition condition = SEGMENT_SOUND;
    enum db_result step = DB_DONE;
    while (condition == SEGMENT_SOUND && (step = db_step(row)) == DB_ROW) {
        struct producer_state state = {db_text(row, 0), db_int(row, 1), db_int(row, 2),
                                       db_text(row, 3)};
        if (producers_restore(inspecting->producers, &state) != 0) {
            failure_set(inspecting->why, "DAMAGED", "%s: tillq_producer is not one of ours",
                        db_path(inspecting->db));
            condition = SEGMENT_DAMAGED;
        }
    }
    if (condition == SEGMENT_SOUND && step != DB_DONE)
        condition = unreadable(inspecting, "tillq_producer");
    db_finalize(row);
    return condition;
}

static enum condition look_at_rest(struct inspecting *inspecting)
{
    static const char *const tables[][2] = {
        {"tillq_group", "SELECT count(*) FROM tillq_group WHERE length(name)>0 AND offset>=0"},
        {"tillq_segment", "SELECT count(*) FROM tillq_segment WHERE length(sha256)=32"},
    };
    for (int i = 0; i < 2; i++)
        if (db_int_of(inspecting->db, tables[i][1], -1) < 0)
            return unreadable(inspecting, tables[i][0]);
    return SEGMENT_SOUND;
}

/* --- the file --- */

/* `made`: its first transaction can be read. Where it cannot, a log with a whole commit in it is no
 * half made segment: that commit is the one that makes it. */
static enum condition look_at_log(struct inspecting *inspecting, bool made)
{
    struct db_log log;
    int looked = db_log_look(inspecting->db, &log);
    if (looked != 0)
        return looked == -2 ? no_memory(inspecting) : unreadable(inspecting, "its log");
    if (!log.damaged && !made && log.commits > 0) {
        failure_set(inspecting->why, "DAMAGED", "%s: has no tables, its log has commits",
                    db_path(inspecting->db));
        return SEGMENT_DAMAGED;
    }
    if (!log.damaged)
        return made ? SEGMENT_SOUND : SEGMENT_HALF_MADE;
    if (log.bad_frame < 0)
        failure_set(inspecting->why, "DAMAGED", "%s: the header of its log is damaged",
                    db_path(inspecting->db));
    else
        failure_set(inspecting->why, "DAMAGED", "%s: its log is damaged at frame %lld",
                    db_path(inspecting->db), (long long)log.bad_frame);
    return SEGMENT_DAMAGED;
}

static enum condition look_at_pages(struct inspecting *inspecting)
{
    if (!inspecting->whole || db_check_quickly(inspecting->db, inspecting->why) == 0)
        return SEGMENT_SOUND;
    enum db_result result = db_last_result(inspecting->db);
    return result == DB_FAILED || result == DB_NO_MEMORY || result == DB_BUSY ? SEGMENT_UNKNOWN
                                                                              : SEGMENT_DAMAGED;
}

static enum condition look_inside(struct inspecting *inspecting)
{
    struct failure *why = inspecting->why;
    inspecting->hash = sha256_new();
    inspecting->producers = producers_new();
    if (!inspecting->hash || !inspecting->producers)
        return no_memory(inspecting);
    int made = segment_check(inspecting->db, why);
    if (made < 0) /* of another format: not ours to call damaged */
        return strcmp(why->code, "DAMAGED") == 0 ? unreadable(inspecting, "its format")
                                                 : SEGMENT_UNKNOWN;
    enum condition condition = look_at_log(inspecting, made == 1);
    if (condition == SEGMENT_SOUND)
        condition = look_at_pages(inspecting);
    if (condition == SEGMENT_SOUND)
        condition = load_producers(inspecting);
    if (condition == SEGMENT_SOUND)
        condition = look_at_partitions(inspecting);
    return condition == SEGMENT_SOUND ? look_at_rest(inspecting) : condition;
}

static int64_t bytes_beside(const char *path, const char *suffix)
{
    char name[PATH_MAX + 16];
    struct disk_status status;
    snprintf(name, sizeof name, "%s%s", path, suffix);
    return disk_status(name, &status) == 0 ? status.bytes : 0;
}

/* A file that was being made when the power went has a journal of its own, which only its owner can
 * roll back. Made so far it holds nothing. */
static enum condition roll_back(const char *path, struct failure *why)
{
    struct db *db;
    struct db_options options = {.mode = DB_OWNER, .quiet = true};
    if (db_open(&db, path, &options, why) != 0)
        return strcmp(why->code, "DAMAGED") == 0 ? SEGMENT_DAMAGED : SEGMENT_UNKNOWN;
    db_close(db);
    return SEGMENT_SOUND;
}

enum condition inspect_active(const char *directory, int64_t number, struct failure *why)
{
    char path[PATH_MAX];
    segment_path(path, directory, number);
    int64_t log_bytes = bytes_beside(path, "-wal");
    if (bytes_beside(path, "") == 0 && log_bytes > 0) { /* SQLite would throw the log away */
        failure_set(why, "DAMAGED", "%s: is empty, its log is not", path);
        return SEGMENT_DAMAGED;
    }
    if (bytes_beside(path, "") == 0)
        return SEGMENT_HALF_MADE;
    if (bytes_beside(path, "-journal") > 0) {
        enum condition condition = roll_back(path, why);
        if (condition != SEGMENT_SOUND)
            return condition;
    }
    struct inspecting inspecting = {.why = why};
    struct db_options options = {.mode = DB_READ, .quiet = true};
    if (db_open(&inspecting.db, path, &options, why) != 0)
        return strcmp(why->code, "DAMAGED") == 0 ? SEGMENT_DAMAGED : SEGMENT_UNKNOWN;
    inspecting.whole = db_file_bytes(inspecting.db) + log_bytes <= INSPECT_BYTES;
    enum condition condition = look_inside(&inspecting);
    db_close(inspecting.db);
    sha256_free(inspecting.hash);
    producers_free(inspecting.producers);
    json_free(&inspecting.json);
    buffer_free(&inspecting.scratch);
    return condition;
}

enum condition inspect_sealed(const char *directory, int64_t number, int64_t bytes,
                              struct failure *why)
{
    char path[PATH_MAX];
    struct disk_status status;
    struct db *db;
    segment_path(path, directory, number);
    if (disk_status(path, &status) != 0)
        return failure_set(why, "DAMAGED", "%s: is missing", path), SEGMENT_DAMAGED;
    if (bytes >= 0 && status.bytes != bytes)
        return failure_set(why, "DAMAGED", "%s: has %lld bytes, was sealed with %lld", path,
                           (long long)status.bytes, (long long)bytes),
               SEGMENT_DAMAGED;
    struct db_options options = {.mode = DB_READ, .quiet = true};
    if (db_open(&db, path, &options, why) != 0)
        return strcmp(why->code, "DAMAGED") == 0 ? SEGMENT_DAMAGED : SEGMENT_UNKNOWN;
    int made = segment_check(db, why);
    db_close(db);
    if (made == 0)
        failure_set(why, "DAMAGED", "%s: is empty", path);
    if (made != 1)
        return SEGMENT_DAMAGED;
    return SEGMENT_SOUND;
}
