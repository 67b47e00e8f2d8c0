#include "stock/audit.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "journal/producers.h"
#include "journal/schema.h"
#include "journal/segment.h"
#include "stock/compare.h"
#include "stock/replay.h"

#define CACHE_BYTES (16 << 20)
#define HASH_STEP_BYTES (1 << 20)

/* One partition on its way through the segments. */
struct chain {
    char topic[TOPIC_NAME_BYTES + 1];
    int partition;
    int64_t expected; /* the next offset */
    unsigned char head[SHA256_BYTES];
};

struct auditing {
    const char *directory;
    audit_progress *progress;
    void *context;
    struct audit *audit;
    struct sha256 *hash;
    struct producers *producers; /* as the records say */
    struct json json;
    struct buffer scratch;
    struct chain *chains;
    int chain_count;
    struct db *newest; /* held in one snapshot: the list of sealed segments, the final state */
    int64_t newest_number;
};

/* A fault ends the audit: 1 means "found, say no more", as against 0 sound and -1 not possible. */
static int fault(struct auditing *auditing, const char *topic, int partition, int64_t offset,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

static int fault(struct auditing *auditing, const char *topic, int partition, int64_t offset,
                 const char *format, ...)
{
    struct audit *audit = auditing->audit;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(audit->fault, sizeof audit->fault, format, arguments);
    va_end(arguments);
    snprintf(audit->topic, sizeof audit->topic, "%s", topic);
    audit->partition = partition;
    audit->offset = offset;
    return 1;
}

static void tell(const struct auditing *auditing, const char *stage, int64_t done, int64_t total)
{
    if (auditing->progress)
        auditing->progress(stage, done, total, auditing->context);
}

/* --- one segment file --- */

static int check_seal(struct auditing *auditing, struct db *segment, int64_t number)
{
    struct db_statement *row =
        db_prepare(auditing->newest, "SELECT bytes, sha256 FROM tillq_segment WHERE number=?");
    if (!row)
        return -1;
    db_bind_int(row, 1, number);
    int result = 0;
    if (db_step(row) == DB_ROW) {
        unsigned char found[SHA256_BYTES];
        unsigned char *bytes = malloc(HASH_STEP_BYTES);
        int64_t at = 0, read = 1;
        sha256_start(auditing->hash);
        while (bytes && read > 0) {
            read = db_read_file(segment, at, bytes, HASH_STEP_BYTES);
            if (read > 0)
                sha256_add(auditing->hash, bytes, (size_t)read);
            at += read > 0 ? read : 0;
        }
        sha256_finish(auditing->hash, found);
        struct text said = db_blob(row, 1);
        bool same = bytes && read == 0 && at == db_int(row, 0) &&
                    text_equal(said, (struct text){(const char *)found, SHA256_BYTES});
        free(bytes);
        if (!same)
            result = fault(auditing, "", -1, -1,
                           "segment %lld is not the file that was sealed (SHA-256 differs)",
                           (long long)number);
    }
    db_finalize(row);
    return result;
}

/* The first offset a damaged segment was to hold, for the verdict. */
static int64_t first_offset(const struct auditing *auditing)
{
    for (int i = 0; i < auditing->chain_count; i++)
        if (strcmp(auditing->chains[i].topic, STOCK_TOPIC) == 0)
            return auditing->chains[i].expected;
    return -1;
}

/* --- the batches of one partition in one segment --- */

static int check_record(struct auditing *auditing, const struct chain *chain,
                        const struct record *found, struct text meta)
{
    struct record record = *found;
    int64_t offset;
    if (batch_origin(meta, &auditing->json, &record) != 0)
        return fault(auditing, chain->topic, chain->partition, record.offset,
                     "the record's meta is damaged");
    if (record.seq < 0)
        return 0;
    if (json_parse(&auditing->json, record.producer, NULL) != 0)
        return fault(auditing, chain->topic, chain->partition, record.offset,
                     "the record's producer is damaged");
    buffer_clear(&auditing->scratch);
    struct text producer = json_text(&auditing->json, 0, &auditing->scratch);
    if (producers_check(auditing->producers, producer, record.seq, &offset) == PRODUCER_DUPLICATE)
        return fault(auditing, chain->topic, chain->partition, record.offset,
                     "seq %lld of terminal %.*s is journaled twice", (long long)record.seq,
                     (int)producer.length, producer.bytes);
    return producers_take(auditing->producers, producer, record.seq, record.offset) == 0 ? 0 : -1;
}

static int check_batch(struct auditing *auditing, struct chain *chain, const struct batch *batch)
{
    unsigned char hash[SHA256_BYTES];
    if (batch->base_offset != chain->expected)
        return fault(auditing, chain->topic, chain->partition, chain->expected,
                     "offsets %lld to %lld are missing", (long long)chain->expected,
                     (long long)batch->base_offset - 1);
    batch_hash(auditing->hash, chain->head, batch, hash);
    if (!text_equal(batch->hash, (struct text){(const char *)hash, SHA256_BYTES}))
        return fault(auditing, chain->topic, chain->partition, batch->base_offset,
                     "the batch is not what was written (hash chain broken)");
    memcpy(chain->head, hash, SHA256_BYTES);
    struct batch_cursor cursor;
    struct record record;
    struct text meta;
    int more;
    batch_start(&cursor, batch);
    while ((more = batch_next(&cursor, &record, &meta)) == 1) {
        int result = check_record(auditing, chain, &record, meta);
        if (result != 0)
            return result;
    }
    if (more != 0)
        return fault(auditing, chain->topic, chain->partition, batch->base_offset,
                     "the batch's lengths do not fit");
    chain->expected = batch->base_offset + batch->count;
    auditing->audit->records += batch->count;
    auditing->audit->batches++;
    return 0;
}

static int check_rows(struct auditing *auditing, struct db *segment, struct chain *chain)
{
    char sql[TABLE_NAME_BYTES + 128], table[TABLE_NAME_BYTES];
    partition_table(table, text_of(chain->topic), chain->partition);
    snprintf(sql, sizeof sql,
             "SELECT base_offset, count, format, time_ms, lengths, meta, records, hash"
             " FROM \"%s\" ORDER BY base_offset",
             table);
    struct db_statement *row = db_prepare(segment, sql);
    if (!row)
        return fault(auditing, chain->topic, chain->partition, chain->expected,
                     "%s: the partition's table cannot be read", db_path(segment));
    int result = 0;
    enum db_result step = DB_DONE;
    while (result == 0 && (step = db_step(row)) == DB_ROW) {
        struct batch batch = {db_int(row, 0),  db_int(row, 1),  db_int(row, 2),  db_int(row, 3),
                              db_blob(row, 4), db_text(row, 5), db_text(row, 6), db_blob(row, 7)};
        result = check_batch(auditing, chain, &batch);
    }
    db_finalize(row);
    if (result == 0 && step != DB_DONE)
        result = fault(auditing, chain->topic, chain->partition, chain->expected,
                       "%s: a row cannot be read", db_path(segment));
    return result;
}

static struct chain *chain_of(struct auditing *auditing, struct text topic, int partition)
{
    for (int i = 0; i < auditing->chain_count; i++)
        if (auditing->chains[i].partition == partition && text_is(topic, auditing->chains[i].topic))
            return &auditing->chains[i];
    size_t count = (size_t)auditing->chain_count + 1;
    struct chain *chains = realloc(auditing->chains, count * sizeof *chains);
    if (!chains)
        return NULL;
    auditing->chains = chains;
    struct chain *chain = &chains[auditing->chain_count++];
    *chain = (struct chain){.partition = partition, .expected = -1};
    snprintf(chain->topic, sizeof chain->topic, "%.*s", (int)topic.length, topic.bytes);
    return chain;
}

static int check_partition(struct auditing *auditing, struct db *segment, struct db_statement *row)
{
    struct chain *chain = chain_of(auditing, db_text(row, 0), (int)db_int(row, 1));
    if (!chain)
        return -1;
    int64_t start = db_int(row, 2);
    struct text start_hash = db_blob(row, 3);
    if (start_hash.length != SHA256_BYTES)
        return fault(auditing, chain->topic, chain->partition, start, "its first hash is damaged");
    if (chain->expected < 0) { /* the first segment it is in */
        chain->expected = start;
        memcpy(chain->head, start_hash.bytes, SHA256_BYTES);
    }
    if (chain->expected != start ||
        !text_equal(start_hash, (struct text){(const char *)chain->head, SHA256_BYTES}))
        return fault(auditing, chain->topic, chain->partition,
                     chain->expected < start ? chain->expected : start,
                     "%s does not continue the segment before it", db_path(segment));
    return check_rows(auditing, segment, chain);
}

static int check_partitions(struct auditing *auditing, struct db *segment)
{
    struct db_statement *row =
        db_prepare(segment, "SELECT topic, partition, start, start_hash FROM tillq_partition"
                            " ORDER BY topic, partition");
    if (!row)
        return fault(auditing, "", -1, -1, "%s: its partitions cannot be read", db_path(segment));
    int result = 0;
    while (result == 0 && db_step(row) == DB_ROW)
        result = check_partition(auditing, segment, row);
    db_finalize(row);
    return result;
}

static int check_segment(struct auditing *auditing, int64_t number)
{
    struct failure failure;
    struct db *segment = auditing->newest;
    if (number != auditing->newest_number) {
        int found = segment_open(&segment, auditing->directory, number, 0, &failure);
        if (found < 0)
            return fault(auditing, STOCK_TOPIC, 0, first_offset(auditing), "%s", failure.message);
        if (found == 0)
            return fault(auditing, STOCK_TOPIC, 0, first_offset(auditing),
                         "segment %lld is missing", (long long)number);
    }
    int result = 0;
    /* The chain first: it names the offset; a seal or page can only name the file. */
    result = check_partitions(auditing, segment);
    if (result == 0 && db_check(segment, &failure) != 0)
        result = fault(auditing, "", -1, -1, "%s", failure.message);
    if (result == 0)
        result = check_seal(auditing, segment, number);
    if (segment != auditing->newest)
        db_close(segment);
    auditing->audit->segments++;
    return result;
}

/* --- the state that moves with the records --- */

static int check_one_producer(const struct producer_state *state, void *context)
{
    struct auditing *auditing = context;
    struct db_statement *row = db_prepare(
        auditing->newest, "SELECT 1 FROM tillq_producer WHERE name=? AND last_seq=? AND floor=?"
                          " AND gaps=?");
    if (!row)
        return -1;
    db_bind_text(row, 1, state->name);
    db_bind_int(row, 2, state->last_seq);
    db_bind_int(row, 3, state->floor);
    db_bind_text(row, 4, state->gaps);
    bool same = db_step(row) == DB_ROW;
    db_finalize(row);
    return same ? 0
                : fault(auditing, STOCK_TOPIC, 0, -1,
                        "the remembered seqs of terminal %.*s are not those journaled",
                        (int)state->name.length, state->name.bytes);
}

static int check_journal(struct auditing *auditing, struct failure *failure)
{
    int64_t lowest, highest;
    if (segment_range(auditing->directory, &lowest, &highest, failure) != 0)
        return -1;
    for (auditing->newest_number = highest; auditing->newest_number >= 0;
         auditing->newest_number--) {
        int found = segment_open(&auditing->newest, auditing->directory, auditing->newest_number, 0,
                                 failure);
        if (found < 0)
            return fault(auditing, "", -1, -1, "%s", failure->message);
        if (found == 1)
            break;
    }
    if (!auditing->newest)
        return failure_set(failure, "FAILED", "%s: there is no journal in it", auditing->directory);
    if (db_begin_read(auditing->newest) != DB_DONE)
        return failure_set(failure, "FAILED", "%s: cannot be read", db_path(auditing->newest));
    int result = 0;
    for (int64_t number = lowest; number <= auditing->newest_number && result == 0; number++) {
        tell(auditing, "segments", number - lowest, auditing->newest_number - lowest + 1);
        result = check_segment(auditing, number);
    }
    /* Only where every record is still there can the state be worked out again from them. */
    if (result == 0 && lowest == 0)
        result = producers_save(auditing->producers, true, check_one_producer, auditing);
    db_end_read(auditing->newest);
    return result;
}

/* --- the stock --- */

static void tell_replay(int64_t applied, int64_t until, void *context)
{
    tell(context, "fold", applied, until);
}

static int compare_all(struct auditing *auditing, struct stock *again, struct db *live,
                       struct failure *failure)
{
    struct audit *audit = auditing->audit;
    for (int i = 0; i < stock_table_count; i++) {
        struct comparison comparison;
        tell(auditing, "compare", i, stock_table_count);
        if (compare_table(stock_db(again), live, &stock_tables[i], &comparison, failure) != 0)
            return fault(auditing, STOCK_TOPIC, 0, -1, "stock.db: %s", failure->message);
        if (strcmp(stock_tables[i].name, "movement") == 0)
            audit->movements = comparison.rows;
        if (strcmp(stock_tables[i].name, "stock") == 0)
            audit->stock_rows = comparison.rows;
        if (!comparison.equal)
            return fault(auditing, STOCK_TOPIC, 0, comparison.offset,
                         "stock.db is not the fold of the journal: table %s, row %lld",
                         stock_tables[i].name, (long long)comparison.row);
    }
    return 0;
}

/* Folds a long way without holding the live file, then the rest, and compares in one snapshot. */
static int fold_and_compare(struct auditing *auditing, struct journal_reader *journal,
                            struct stock *again, struct db *live, struct failure *failure)
{
    static const char applied_sql[] = "SELECT applied FROM progress WHERE partition=0";
    int64_t applied = db_int_of(live, applied_sql, 0);
    if (replay(journal, again, applied, tell_replay, auditing, failure) != 0)
        return fault(auditing, STOCK_TOPIC, 0, stock_progress(again, 0)->applied, "%s",
                     failure->message);
    if (db_begin_read(live) != DB_DONE)
        return failure_set(failure, "FAILED", "stock.db cannot be read");
    applied = db_int_of(live, applied_sql, 0);
    int result = replay(journal, again, applied, tell_replay, auditing, failure);
    const struct progress *progress = stock_progress(again, 0);
    auditing->audit->applied = applied;
    auditing->audit->documents = progress->applied;
    if (result != 0)
        result = fault(auditing, STOCK_TOPIC, 0, progress->applied, "%s", failure->message);
    else if (progress->applied < applied)
        result = fault(auditing, STOCK_TOPIC, 0, progress->applied,
                       "stock.db is applied to offset %lld, the journal ends before that",
                       (long long)applied);
    else
        result = compare_all(auditing, again, live, failure);
    db_end_read(live);
    return result;
}

static int check_stock(struct auditing *auditing, struct failure *failure)
{
    struct db *live = NULL;
    struct stock *again = NULL;
    struct journal_reader *journal = NULL;
    int opened = stock_open_read(&live, auditing->directory, failure);
    if (opened != 0)
        return fault(auditing, STOCK_TOPIC, 0, -1, "%s",
                     opened == 1 ? "stock.db is missing or of another form" : failure->message);
    int result = db_check(live, failure) == 0
                     ? 0
                     : fault(auditing, STOCK_TOPIC, 0, -1, "%s", failure->message);
    if (result == 0 && (stock_open(&again, STOCK_TEMPORARY, "", CACHE_BYTES, failure) != 0 ||
                        journal_reader_open(&journal, auditing->directory, failure) != 0))
        result = -1;
    if (result == 0)
        result = fold_and_compare(auditing, journal, again, live, failure);
    journal_reader_close(journal);
    stock_close(again);
    db_close(live);
    return result;
}

int audit_directory(const char *directory, audit_progress *progress, void *context,
                    struct audit *audit, struct failure *failure)
{
    struct auditing auditing = {
        .directory = directory, .progress = progress, .context = context, .audit = audit};
    *audit = (struct audit){.partition = -1, .offset = -1};
    auditing.hash = sha256_new();
    auditing.producers = producers_new();
    int result = auditing.hash && auditing.producers
                     ? check_journal(&auditing, failure)
                     : failure_set(failure, "NO_MEMORY", "no memory for the audit");
    if (result == 0)
        result = check_stock(&auditing, failure);
    audit->sound = result == 0;
    db_close(auditing.newest);
    producers_free(auditing.producers);
    sha256_free(auditing.hash);
    json_free(&auditing.json);
    buffer_free(&auditing.scratch);
    free(auditing.chains);
    return result < 0 ? -1 : 0;
}

void audit_add_json(const struct audit *audit, struct buffer *out)
{
    buffer_add_format(out,
                      "\"sound\":%s,\"segments\":%lld,\"batches\":%lld,\"records\":%lld,"
                      "\"documents\":%lld,\"movements\":%lld,\"stock_rows\":%lld,\"applied\":%lld",
                      audit->sound ? "true" : "false", (long long)audit->segments,
                      (long long)audit->batches, (long long)audit->records,
                      (long long)audit->documents, (long long)audit->movements,
                      (long long)audit->stock_rows, (long long)audit->applied);
    if (audit->sound)
        return;
    buffer_add_string(out, ",\"fault\":");
    buffer_add_json(out, text_of(audit->fault));
    if (audit->partition >= 0) {
        buffer_add_string(out, ",\"topic\":");
        buffer_add_json(out, text_of(audit->topic));
        buffer_add_format(out, ",\"partition\":%d,\"offset\":%lld", audit->partition,
                          (long long)audit->offset);
    }
}
