#include <stdio.h>
#include <stdlib.h>

#include "journal/batch.h"
#include "journal/producers.h"
#include "journal/schema.h"
#include "journal/segment.h"
#include "stock/audit_internal.h"

#define HASH_STEP_BYTES (1 << 20)

/* --- one segment file --- */

static int check_seal(struct auditing *auditing, struct db *segment, int64_t number)
{
    struct db_statement *row =
        db_prepare(auditing->newest, "SELECT bytes, sha256 FROM tillq_segment WHERE number=?");
    if (!row)
        return audit_unreadable(auditing, auditing->newest, NULL);
    db_bind_int(row, 1, number);
    int result = 0;
    enum db_result step = db_step(row);
    if (step != DB_ROW && step != DB_DONE)
        result = audit_unreadable(auditing, auditing->newest, NULL);
    if (step == DB_ROW) {
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
        if (!bytes || read < 0)
            result = failure_set(auditing->failure, "FAILED", "%s: cannot be read now",
                                 db_path(segment));
        else if (!same)
            result = audit_fault(auditing, "", -1, -1,
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
    int origin = batch_origin(meta, &auditing->json, &record);
    if (origin < -1)
        return -1;
    if (origin != 0)
        return audit_fault(auditing, chain->topic, chain->partition, record.offset,
                           "the record's meta is damaged");
    if (record.seq < 0)
        return 0;
    struct failure failure;
    if (json_parse(&auditing->json, record.producer, &failure) != 0)
        return strcmp(failure.code, "NO_MEMORY") == 0
                   ? -1
                   : audit_fault(auditing, chain->topic, chain->partition, record.offset,
                                 "the record's producer is damaged");
    buffer_clear(&auditing->scratch);
    struct text producer = json_text(&auditing->json, 0, &auditing->scratch);
    if (!producer.bytes)
        return -1;
    enum producer_verdict verdict =
        producers_check(auditing->producers, producer, record.seq, &offset);
    if (verdict != PRODUCER_NEW)
        return audit_fault(auditing, chain->topic, chain->partition, record.offset,
                           "seq %lld of terminal %.*s is journaled %s", (long long)record.seq,
                           (int)producer.length, producer.bytes,
                           verdict == PRODUCER_DUPLICATE ? "twice" : "below the gaps remembered");
    return producers_take(auditing->producers, producer, record.seq, record.offset) == 0 ? 0 : -1;
}

static int check_batch(struct auditing *auditing, struct chain *chain, const struct batch *batch)
{
    unsigned char hash[SHA256_BYTES];
    if (!batch_has_offsets(batch) || batch->base_offset < chain->expected)
        return audit_fault(auditing, chain->topic, chain->partition, chain->expected,
                           "a batch of %lld records at offset %lld, where %lld was to come",
                           (long long)batch->count, (long long)batch->base_offset,
                           (long long)chain->expected);
    if (batch->base_offset != chain->expected)
        return audit_fault(auditing, chain->topic, chain->partition, chain->expected,
                           "offsets %lld to %lld are missing", (long long)chain->expected,
                           (long long)batch->base_offset - 1);
    batch_hash(auditing->hash, chain->head, batch, hash);
    if (!text_equal(batch->hash, (struct text){(const char *)hash, SHA256_BYTES}))
        return audit_fault(auditing, chain->topic, chain->partition, batch->base_offset,
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
        return audit_fault(auditing, chain->topic, chain->partition, batch->base_offset,
                           "the batch's lengths do not fit");
    chain->expected = batch->base_offset + batch->count;
    if (batch->format == BATCH_FORMAT_HOLE)
        auditing->audit->lost += batch->count;
    else
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
        return audit_unreadable(auditing, segment, chain);
    int result = 0;
    enum db_result step = DB_DONE;
    while (result == 0 && (step = db_step(row)) == DB_ROW) {
        struct batch batch = {db_int(row, 0),  db_int(row, 1),  db_int(row, 2),  db_int(row, 3),
                              db_blob(row, 4), db_text(row, 5), db_text(row, 6), db_blob(row, 7)};
        result = check_batch(auditing, chain, &batch);
    }
    db_finalize(row);
    if (result == 0 && step != DB_DONE)
        result = audit_unreadable(auditing, segment, chain);
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

/* Where the records of a partition begin, as the newest segment says; -1 where it says nothing. 0,
 * or what audit_unreadable says. */
static int log_start(struct auditing *auditing, const struct chain *chain, int64_t *start)
{
    struct db_statement *row = db_prepare(
        auditing->newest, "SELECT log_start FROM tillq_partition WHERE topic=? AND partition=?");
    if (!row)
        return audit_unreadable(auditing, auditing->newest, NULL);
    db_bind_text(row, 1, text_of(chain->topic));
    db_bind_int(row, 2, chain->partition);
    enum db_result step = db_step(row);
    *start = step == DB_ROW ? db_int(row, 0) : -1;
    db_finalize(row);
    return step == DB_ROW || step == DB_DONE ? 0
                                             : audit_unreadable(auditing, auditing->newest, NULL);
}

/* The first segment a partition is in: nothing may be missing before it. */
static int begin_chain(struct auditing *auditing, struct chain *chain, int64_t start,
                       struct text start_hash)
{
    int64_t first;
    int result = log_start(auditing, chain, &first);
    if (result != 0)
        return result;
    if (first != start)
        return audit_fault(auditing, chain->topic, chain->partition, first,
                           "offsets %lld to %lld are missing", (long long)first,
                           (long long)start - 1);
    chain->expected = start;
    if (start > 0) /* else the chain begins with zeros */
        memcpy(chain->head, start_hash.bytes, SHA256_BYTES);
    return 0;
}

static int check_partition(struct auditing *auditing, struct db *segment, struct db_statement *row)
{
    struct chain *chain = chain_of(auditing, db_text(row, 0), (int)db_int(row, 1));
    if (!chain)
        return -1;
    int64_t start = db_int(row, 2);
    struct text start_hash = db_blob(row, 3);
    if (start < 0 || start >= OFFSET_LIMIT)
        return audit_fault(auditing, chain->topic, chain->partition, start,
                           "its first offset is none");
    if (start_hash.length != SHA256_BYTES)
        return audit_fault(auditing, chain->topic, chain->partition, start,
                           "its first hash is damaged");
    int begun = chain->expected < 0 ? begin_chain(auditing, chain, start, start_hash) : 0;
    if (begun != 0)
        return begun;
    if (chain->expected != start ||
        !text_equal(start_hash, (struct text){(const char *)chain->head, SHA256_BYTES}))
        return audit_fault(auditing, chain->topic, chain->partition,
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
        return audit_unreadable(auditing, segment, NULL);
    int result = 0;
    enum db_result step = DB_DONE;
    while (result == 0 && (step = db_step(row)) == DB_ROW)
        result = check_partition(auditing, segment, row);
    db_finalize(row);
    if (result == 0 && step != DB_DONE)
        result = audit_unreadable(auditing, segment, NULL);
    return result;
}

static int open_segment(struct auditing *auditing, int64_t number, struct db **segment)
{
    struct failure failure;
    *segment = auditing->newest;
    if (number == auditing->newest_number)
        return 0;
    int found = segment_open(segment, auditing->directory, number, 0, &failure);
    if (found < 0)
        return audit_failure(auditing, STOCK_TOPIC, first_offset(auditing), &failure);
    if (found == 0)
        return audit_fault(auditing, STOCK_TOPIC, 0, first_offset(auditing),
                           "segment %lld is missing", (long long)number);
    return 0;
}

static int check_chains(struct auditing *auditing, int64_t number)
{
    struct db *segment;
    int result = open_segment(auditing, number, &segment);
    if (result != 0)
        return result;
    result = check_partitions(auditing, segment);
    if (segment != auditing->newest)
        db_close(segment);
    return result;
}

static int check_file(struct auditing *auditing, int64_t number)
{
    struct db *segment;
    struct failure failure;
    int result = open_segment(auditing, number, &segment);
    if (result != 0)
        return result;
    if (db_check(segment, &failure) != 0)
        result = audit_failure(auditing, "", -1, &failure);
    if (result == 0)
        result = check_seal(auditing, segment, number);
    if (segment != auditing->newest)
        db_close(segment);
    auditing->audit->segments++;
    return result;
}

/* A segment's file is looked at when the chain has gone through it and into the next: the chain
 * names the first bad offset, a seal or a page can only name the file. */
static int check_segments(struct auditing *auditing, int64_t lowest)
{
    int64_t newest = auditing->newest_number;
    int result = 0;
    for (int64_t number = lowest; number <= newest && result == 0; number++) {
        if (!audit_tell(auditing, "segments", number - lowest, newest - lowest + 1))
            return -1;
        result = check_chains(auditing, number);
        if (result == 0 && number > lowest)
            result = check_file(auditing, number - 1);
    }
    return result == 0 ? check_file(auditing, newest) : result;
}

/* --- the state that moves with the records --- */

static int check_one_producer(const struct producer_state *state, void *context)
{
    struct auditing *auditing = context;
    struct db_statement *row = db_prepare(
        auditing->newest, "SELECT 1 FROM tillq_producer WHERE name=? AND last_seq=? AND floor=?"
                          " AND gaps=?");
    if (!row)
        return audit_unreadable(auditing, auditing->newest, NULL);
    db_bind_text(row, 1, state->name);
    db_bind_int(row, 2, state->last_seq);
    db_bind_int(row, 3, state->floor);
    db_bind_text(row, 4, state->gaps);
    enum db_result step = db_step(row);
    db_finalize(row);
    auditing->producer_count++;
    if (step != DB_ROW && step != DB_DONE)
        return audit_unreadable(auditing, auditing->newest, NULL);
    return step == DB_ROW
               ? 0
               : audit_fault(auditing, STOCK_TOPIC, 0, -1,
                             "the remembered seqs of terminal %.*s are not those journaled",
                             (int)state->name.length, state->name.bytes);
}

static int check_producers(struct auditing *auditing)
{
    int result = producers_save(auditing->producers, true, check_one_producer, auditing);
    int64_t count = -1;
    if (result == 0 &&
        db_ask_int(auditing->newest, "SELECT count(*) FROM tillq_producer", &count) != DB_ROW)
        return audit_unreadable(auditing, auditing->newest, NULL);
    if (result == 0 && count != auditing->producer_count)
        result = audit_fault(auditing, STOCK_TOPIC, 0, -1,
                             "the remembered seqs are of %lld terminals, %lld have sent any",
                             (long long)count, (long long)auditing->producer_count);
    return result;
}

static int check_groups(struct auditing *auditing)
{
    struct db_statement *row = db_prepare(
        auditing->newest, "SELECT name FROM tillq_group WHERE offset<0 OR (topic, partition) NOT IN"
                          " (SELECT topic, partition FROM tillq_partition)");
    if (!row)
        return audit_unreadable(auditing, auditing->newest, NULL);
    enum db_result step = db_step(row);
    int result = 0;
    if (step == DB_ROW)
        result = audit_fault(auditing, "", -1, -1, "group %.*s stands at a place that is not there",
                             (int)db_text(row, 0).length, db_text(row, 0).bytes);
    else if (step != DB_DONE)
        result = audit_unreadable(auditing, auditing->newest, NULL);
    db_finalize(row);
    return result;
}

int audit_journal(struct auditing *auditing, struct failure *failure)
{
    int64_t lowest, highest;
    if (segment_range(auditing->directory, &lowest, &highest, failure) != 0)
        return -1;
    auditing->newest_number = highest;
    while (auditing->newest_number >= 0) {
        int found = segment_open(&auditing->newest, auditing->directory, auditing->newest_number, 0,
                                 failure);
        if (found < 0)
            return audit_failure(auditing, "", -1, failure);
        if (found == 1)
            break;
        if (segment_before(auditing->directory, auditing->newest_number, &auditing->newest_number,
                           failure) != 0)
            return -1;
    }
    if (!auditing->newest)
        return failure_set(failure, "FAILED", "%s: there is no journal in it", auditing->directory);
    if (db_begin_read(auditing->newest) != DB_DONE)
        return failure_set(failure, "FAILED", "%s: cannot be read", db_path(auditing->newest));
    int result = check_segments(auditing, lowest);
    /* Only where every record is still there can the state be worked out again from them. */
    if (result == 0 && lowest == 0)
        result = check_producers(auditing);
    if (result == 0)
        result = check_groups(auditing);
    db_end_read(auditing->newest);
    return result;
}
