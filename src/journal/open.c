/* Opening a journal: what is in memory, from what is on disk. */
#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/folder.h"
#include "base/incident.h"
#include "base/planted.h"
#include "journal/inspect.h"
#include "journal/journal_internal.h"
#include "journal/read.h"
#include "journal/salvage.h"
#include "journal/schema.h"
#include "journal/sealed.h"
#include "journal/segment.h"

#define WINDOW_RECORDS 8192 /* how far back the producers' windows are read at start */

/* --- what is in memory, from what is on disk --- */

struct partition *journal_add_partition(struct journal *journal, struct text topic, int number)
{
    size_t count = (size_t)journal->partition_count + 1;
    struct partition *grown = realloc(journal->partitions, count * sizeof *grown);
    if (!grown)
        return NULL;
    journal->partitions = grown;
    struct partition *partition = &grown[journal->partition_count++];
    memset(partition, 0, sizeof *partition);
    memcpy(partition->topic, topic.bytes, topic.length);
    partition->number = number;
    return partition;
}

/* What a step that was to give a row or the end has given. 0, -1 damage, -2 it cannot be told now
 * (memory, open files, the disk): what is sound must not be called damaged for that. */
static int read_to(enum db_result step)
{
    if (step == DB_ROW || step == DB_DONE)
        return 0;
    return step == DB_DAMAGED || step == DB_MISTAKE ? -1 : -2;
}

static int not_prepared(const struct journal *journal)
{
    return db_is_damaged(journal->db) ? -1 : -2;
}

static int load_end(struct journal *journal, struct partition *partition)
{
    char sql[TABLE_NAME_BYTES + 96], table[TABLE_NAME_BYTES];
    partition_table(table, text_of(partition->topic), partition->number);
    snprintf(sql, sizeof sql,
             "SELECT base_offset, count, hash FROM \"%s\" ORDER BY base_offset DESC LIMIT 1",
             table);
    struct db_statement *last = db_prepare(journal->db, sql);
    if (!last)
        return not_prepared(journal);
    enum db_result step = db_step(last);
    int result = read_to(step);
    if (step == DB_ROW) {
        struct batch batch = {
            .base_offset = db_int(last, 0), .count = db_int(last, 1), .hash = db_blob(last, 2)};
        bool sound = batch_has_offsets(&batch) && batch.base_offset >= partition->end &&
                     batch.hash.length == SHA256_BYTES;
        if (sound) {
            partition->end = batch.base_offset + batch.count;
            memcpy(partition->head, batch.hash.bytes, SHA256_BYTES);
        }
        result = sound ? 0 : -1;
    }
    db_finalize(last);
    if (result == 0 && journal_prepare_insert(journal, partition) != 0)
        result = not_prepared(journal);
    return result;
}

static int load_partition(struct journal *journal, struct db_statement *row)
{
    struct text topic = db_text(row, 0), hash = db_blob(row, 4);
    int64_t number = db_int(row, 1), log_start = db_int(row, 2), start = db_int(row, 3);
    bool sound = db_int(row, 5) == 1 && number >= 0 && number <= INT_MAX && log_start >= 0 &&
                 log_start <= start && start < OFFSET_LIMIT;
    if (!sound || !topic_name_ok(topic) || hash.length != SHA256_BYTES)
        return -1;
    struct partition *partition = journal_add_partition(journal, topic, (int)number);
    if (!partition)
        return -2;
    partition->log_start = log_start;
    partition->end = start;
    memcpy(partition->head, hash.bytes, SHA256_BYTES);
    return load_end(journal, partition);
}

static int load_producer(struct journal *journal, struct db_statement *row)
{
    struct producer_state state = {db_text(row, 0), db_int(row, 1), db_int(row, 2),
                                   db_text(row, 3)};
    return state.name.bytes && state.gaps.bytes ? producers_restore(journal->producers, &state)
                                                : -2;
}

/* Each row of a table. 0, -1 or -2. */
static int load_rows(struct journal *journal, const char *sql,
                     int (*load_row)(struct journal *journal, struct db_statement *row))
{
    struct db_statement *row = db_prepare(journal->db, sql);
    if (!row)
        return not_prepared(journal);
    int result = 0;
    enum db_result step = DB_DONE;
    while (result == 0 && (step = db_step(row)) == DB_ROW)
        result = load_row(journal, row);
    db_finalize(row);
    return result != 0 ? result : read_to(step);
}

static void remember_batch(struct journal *journal, const struct batch *batch, struct json *json,
                           struct buffer *scratch)
{
    struct batch_cursor cursor;
    struct record record;
    struct text meta;
    batch_start(&cursor, batch);
    while (batch_next(&cursor, &record, &meta) == 1) {
        if (batch_origin(meta, json, &record) != 0 || record.seq < 0 ||
            json_parse(json, record.producer, NULL) != 0)
            continue;
        buffer_clear(scratch);
        producers_remember(journal->producers, json_text(json, 0, scratch), record.seq,
                           record.offset);
    }
}

/* The offsets of what each terminal sent last, so that re-sends are answered with them. */
static int load_windows(struct journal *journal)
{
    struct text topic = TEXT_LITERAL(STOCK_TOPIC);
    int64_t end = journal_end(journal, topic, 0);
    int64_t offset = end > WINDOW_RECORDS ? end - WINDOW_RECORDS : 0;
    struct journal_reader *reader;
    struct failure failure;
    if (end <= 0)
        return 0;
    if (journal_reader_open(&reader, journal->options.directory, &failure) != 0)
        return -2;
    struct json json = {0};
    struct buffer scratch = {0};
    struct batch batch;
    int found = 1;
    while (offset < end && found == 1) {
        found = journal_reader_find(reader, topic, 0, offset, &batch, &failure);
        if (found == 1) {
            remember_batch(journal, &batch, &json, &scratch);
            offset = batch.base_offset + batch.count;
        }
    }
    if (found != 1)
        incident_note(INCIDENT_OFFSETS_UNKNOWN, "re-sends will be answered without offsets: %s",
                      found < 0 ? failure.message : "records are missing");
    json_free(&json);
    buffer_free(&scratch);
    journal_reader_close(reader);
    return 0;
}

void journal_forget(struct journal *journal)
{
    for (int i = 0; i < journal->partition_count; i++) {
        batch_builder_free(&journal->partitions[i].building);
        db_finalize(journal->partitions[i].insert);
    }
    free(journal->partitions);
    journal->partitions = NULL;
    journal->partition_count = 0;
    producers_free(journal->producers);
    journal->producers = NULL;
}

int journal_load(struct journal *journal, bool windows)
{
    journal_forget(journal);
    journal->producers = producers_new();
    if (!journal->producers)
        return -2;
    int result = load_rows(journal,
                           "SELECT topic, partition, log_start, start, start_hash,"
                           " typeof(topic)='text' AND typeof(partition)='integer'"
                           " FROM tillq_partition ORDER BY topic<>'" STOCK_TOPIC "', topic",
                           load_partition);
    if (result == 0)
        result = load_rows(journal, "SELECT name, last_seq, floor, gaps FROM tillq_producer",
                           load_producer);
    return result == 0 && windows ? load_windows(journal) : result;
}

/* --- opening --- */

int journal_prepare_insert(struct journal *journal, struct partition *partition)
{
    char sql[TABLE_NAME_BYTES + 64], table[TABLE_NAME_BYTES];
    partition_table(table, text_of(partition->topic), partition->number);
    snprintf(sql, sizeof sql, "INSERT INTO \"%s\" VALUES(?,?,?,?,?,?,?,?)", table);
    partition->insert = db_prepare(journal->db, sql);
    return partition->insert ? 0 : -1;
}

static bool prepare(struct journal *journal, struct db_statement **statement, const char *sql)
{
    if (!*statement)
        *statement = db_prepare(journal->db, sql);
    return *statement != NULL;
}

int journal_prepare(struct journal *journal, struct failure *failure)
{
    journal->prepared = prepare(journal, &journal->save_producer,
                                "INSERT INTO tillq_producer VALUES(?1,?2,?3,?4) ON CONFLICT(name)"
                                " DO UPDATE SET last_seq=?2, floor=?3, gaps=?4") &&
                        prepare(journal, &journal->save_group,
                                "INSERT OR REPLACE INTO tillq_group VALUES(?,?,?,?,?)") &&
                        prepare(journal, &journal->count_pages, "PRAGMA page_count");
    if (!journal->prepared)
        return failure_set(failure, "FAILED", "%s: cannot be prepared", db_path(journal->db));
    journal->page_bytes = db_int_of(journal->db, "PRAGMA page_size", 4096);
    journal->roll_at_bytes = journal->options.segment_bytes;
    return 0;
}

/* What a log holds after a kill may lie in the kernel's memory alone: written but never synced, or
 * taken for clean after a sync that failed. Before anybody is told that a record of it is there
 * (a duplicate, last_seq, a fetch) it is synced and moved into its file. */
static int settle_log(struct journal *journal, int64_t log_bytes, struct failure *failure)
{
    if (log_bytes == 0 || PLANTED(NO_SYNC_AT_START))
        return 0;
    enum db_result result = db_empty_log(journal->db);
    if (result >= DB_DAMAGED)
        return failure_set(failure, "FAILED", "%s: its log cannot be put on the disk",
                           db_path(journal->db));
    if (result == DB_FULL) { /* what is kept for that is given back, and it is tried once more */
        journal_become_full(journal);
        result = db_empty_log(journal->db);
    }
    if (result >= DB_FULL)
        incident_note(INCIDENT_CHECKPOINT_FAILED,
                      "the log found at start is synced, and is moved later");
    return 0;
}

void journal_settle_segment(const struct journal *journal, int64_t number, const char *path)
{
    struct failure failure;
    struct db *db;
    int sealed = journal_has_sealed(journal, number);
    if (sealed == 1)
        disk_set_mode(path, 0440);
    if (sealed != 0)
        return;
    if (db_open(&db, path, &(struct db_options){.mode = DB_OWNER}, &failure) != 0)
        return; /* sealing it tries again, and says why not */
    if (segment_check(db, &failure) != 1)
        incident_note(INCIDENT_SEAL_FAILED, "%s cannot be read", path);
    db_close(db);
}

static void settle_older(const struct journal *journal, int64_t lowest)
{
    struct failure failure;
    for (int64_t number = lowest; number >= 0 && number < journal->number;) {
        char path[PATH_MAX];
        struct disk_status status;
        segment_path(path, journal->options.directory, number);
        if (disk_status(path, &status) == 0 && !status.read_only)
            journal_settle_segment(journal, number, path);
        if (segment_after(journal->options.directory, number, &number, &failure) != 0)
            return;
    }
}

/* Sets the damaged segment `number` aside and salvages it. */
static int salvage(struct journal *journal, int64_t number, const char *why,
                   struct journal_recovery *recovery, struct failure *failure)
{
    struct salvage found;
    /* For a while there are two of it: what is kept for a full disk is kept for this, too. */
    reserve_give_back(&journal->reserve);
    if (salvage_segment(&journal->options, number, why, &found, failure) != 0)
        return -1;
    recovery->salvaged = true;
    recovery->lost = found.lost;
    if (journal->options.reserve_bytes > 0 && !reserve_take(&journal->reserve))
        journal_become_full(journal);
    return 0;
}

static int own(struct journal *journal, int64_t number, int64_t log_bytes,
               struct journal_recovery *recovery, struct failure *failure)
{
    char path[PATH_MAX];
    struct db_options options = {.mode = DB_OWNER, .cache_bytes = journal->options.cache_bytes};
    segment_path(path, journal->options.directory, number);
    if (db_open(&journal->db, path, &options, failure) != 0)
        return -1;
    if (segment_check(journal->db, failure) != 1)
        return failure_set(failure, "DAMAGED", "%s: changed while it was opened", path);
    journal->number = number;
    recovery->log_pages_recovered = log_bytes / 4096;
    if (log_bytes > 0)
        incident_note(INCIDENT_LOG_RECOVERED, "%lld pages of the log of segment %lld",
                      (long long)recovery->log_pages_recovered, (long long)number);
    return settle_log(journal, log_bytes, failure) == 0 ? journal_prepare(journal, failure) : -1;
}

static bool is_sealed(const struct journal *journal, int64_t number)
{
    char path[PATH_MAX];
    struct disk_status status;
    segment_path(path, journal->options.directory, number);
    return number >= 0 && disk_status(path, &status) == 0 && status.read_only;
}

static int64_t log_bytes_of(const struct journal *journal, int64_t number)
{
    char path[PATH_MAX], log[PATH_MAX + 8];
    struct disk_status status;
    segment_path(path, journal->options.directory, number);
    snprintf(log, sizeof log, "%s-wal", path);
    return disk_status(log, &status) == 0 ? status.bytes : 0;
}

/* What is to be done with segment `number`. 1 it is open, 0 the one before it is active, -1. */
static int open_or_pass(struct journal *journal, int64_t number, struct journal_recovery *recovery,
                        struct failure *failure)
{
    struct failure why = {0};
    int64_t log_bytes = log_bytes_of(journal, number);
    enum condition condition = inspect_active(journal->options.directory, number, &why);
    /* What was sealed names its successor, so that one was whole once. */
    if (condition == SEGMENT_HALF_MADE && is_sealed(journal, number - 1)) {
        failure_set(&why, "DAMAGED", "segment %lld is missing or empty", (long long)number);
        condition = SEGMENT_DAMAGED;
    }
    if (condition == SEGMENT_HALF_MADE) {
        incident_note(INCIDENT_ROLL_UNDONE, "segment %lld is half made; the next roll makes it",
                      (long long)number);
        return 0;
    }
    if (condition == SEGMENT_UNKNOWN) {
        *failure = why;
        return -1;
    }
    if (condition == SEGMENT_DAMAGED &&
        salvage(journal, number, why.message, recovery, failure) != 0)
        return -1;
    if (condition == SEGMENT_DAMAGED)
        log_bytes = 0;
    return own(journal, number, log_bytes, recovery, failure) == 0 ? 1 : -1;
}

/* The newest whole segment becomes the active one; a file a roll left half made is used by the next
 * roll. Where there is none, segment 0 is made. */
static int open_active(struct journal *journal, int64_t lowest, int64_t highest,
                       struct journal_recovery *recovery, struct failure *failure)
{
    if (is_sealed(journal, highest))
        highest++;
    for (int64_t number = highest; number >= 0;) {
        int opened = open_or_pass(journal, number, recovery, failure);
        if (opened != 0)
            return opened < 0 ? -1 : 0;
        if (segment_before(journal->directory, number, &number, failure) != 0)
            return -1;
    }
    journal->number = lowest < 0 ? -1 : lowest - 1;
    return journal_roll(journal, failure);
}

/* It is whole in itself, and yet offsets were given out beyond its end: the last commits of its log
 * are damaged, which looks like the end of a log after a crash, or it is an older copy. Offsets are
 * never given out twice, so what is missing is to be stated. */
static bool ends_too_early(const struct journal *journal, struct failure *failure)
{
    if (!journal->options.given_out)
        return false;
    for (int i = 0; i < journal->partition_count; i++) {
        const struct partition *partition = &journal->partitions[i];
        int64_t given_out = journal->options.given_out(
            journal->options.context, text_of(partition->topic), partition->number);
        if (given_out <= partition->end)
            continue;
        failure_set(failure, "DAMAGED", "%s: %s-%d ends at offset %lld, %lld was applied",
                    db_path(journal->db), partition->topic, partition->number,
                    (long long)partition->end, (long long)given_out - 1);
        return true;
    }
    return false;
}

/* Nothing of it is to be written or moved any more. */
static void let_go_of_active(struct journal *journal)
{
    journal_forget(journal);
    db_abandon(journal->db); /* and the statements prepared on it */
    journal->db = NULL;
    journal->save_producer = journal->save_group = journal->count_pages = NULL;
    journal->prepared = false;
}

/* Reads memory from it; where that fails on a file too large to be looked through, or shows that
 * its end is missing, it is salvaged now. */
static int load_active(struct journal *journal, struct journal_recovery *recovery,
                       struct failure *failure)
{
    int64_t number = journal->number;
    int loaded = journal_load(journal, true);
    bool too_early = loaded == 0 && !recovery->salvaged && ends_too_early(journal, failure);
    if (loaded == 0 && !too_early)
        return 0;
    if (!too_early)
        failure_set(failure, loaded == -1 ? "DAMAGED" : "FAILED", "%s: its state cannot be read%s",
                    db_path(journal->db), loaded == -1 ? "" : " now");
    if (recovery->salvaged || (!too_early && loaded != -1))
        return -1;
    struct failure why = *failure;
    let_go_of_active(journal);
    if (salvage(journal, number, why.message, recovery, failure) != 0 ||
        own(journal, number, 0, recovery, failure) != 0)
        return -1;
    return journal_load(journal, true) == 0
               ? 0
               : failure_set(failure, "DAMAGED", "%s: cannot be read", db_path(journal->db));
}

static void count_recovered(struct journal *journal, struct journal_recovery *recovery,
                            int64_t lowest)
{
    recovery->active = journal->number;
    recovery->segments = journal->number - (lowest < 0 ? 0 : lowest) + 1;
    for (int i = 0; i < journal->partition_count; i++)
        recovery->records += journal->partitions[i].end - journal->partitions[i].log_start;
}

int journal_open(struct journal **out, const struct journal_options *options,
                 struct journal_recovery *recovery, struct failure *failure)
{
    size_t length = strlen(options->directory) + 1;
    struct journal *journal = calloc(1, sizeof *journal + length);
    if (!journal)
        return failure_set(failure, "NO_MEMORY", "no memory for the journal");
    memcpy(journal->directory, options->directory, length);
    journal->options = *options;
    journal->options.directory = journal->directory;
    *recovery = (struct journal_recovery){0};

    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s/" JOURNAL_FOLDER, journal->directory);
    int64_t lowest, highest;
    if (folder_make(folder, failure) != 0)
        goto failed;
    reserve_begin(&journal->reserve, journal->directory, options->reserve_bytes);
    if (options->reserve_bytes > 0 && !journal->reserve.held)
        journal_become_full(journal);
    journal->hash = sha256_new();
    if (!journal->hash) {
        failure_set(failure, "NO_MEMORY", "no memory for the journal");
        goto failed;
    }
    if (salvage_finish(journal->directory, failure) != 0 ||
        segment_range(journal->directory, &lowest, &highest, failure) != 0 ||
        open_active(journal, lowest, highest, recovery, failure) != 0)
        goto failed;
    if (!PLANTED(OLDER_NOT_SETTLED))
        settle_older(journal, lowest);
    if (load_active(journal, recovery, failure) != 0)
        goto failed;
    recovery->damaged_segments = sealed_look(journal, lowest);
    count_recovered(journal, recovery, lowest);
    *out = journal;
    return 0;
failed:
    journal_close(journal);
    return -1;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    journal_forget(journal);
    db_close(journal->sealing.db);
    sha256_free(journal->sealing.hash);
    if (journal->health == JOURNAL_IS_FAILED)
        db_abandon(journal->db);
    else
        db_close(journal->db);
    buffer_free(&journal->damage);
    sha256_free(journal->hash);
    free(journal);
}
