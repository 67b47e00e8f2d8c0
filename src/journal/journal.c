#include "journal/journal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/folder.h"
#include "base/incident.h"
#include "journal/journal_internal.h"
#include "journal/read.h"
#include "journal/schema.h"
#include "journal/segment.h"

#define WINDOW_RECORDS 8192 /* how far back the producers' windows are read at start */

/* --- what is in memory, from what is on disk --- */

static struct partition *add_partition(struct journal *journal, struct text topic, int number)
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

static int load_end(struct journal *journal, struct partition *partition)
{
    char sql[TABLE_NAME_BYTES + 96], table[TABLE_NAME_BYTES];
    partition_table(table, text_of(partition->topic), partition->number);
    snprintf(sql, sizeof sql,
             "SELECT base_offset + count, hash FROM \"%s\" ORDER BY base_offset DESC LIMIT 1",
             table);
    struct db_statement *last = db_prepare(journal->db, sql);
    if (!last)
        return -1;
    enum db_result result = db_step(last);
    bool sound = result == DB_DONE;
    if (result == DB_ROW && db_blob(last, 1).length == SHA256_BYTES) {
        partition->end = db_int(last, 0);
        memcpy(partition->head, db_blob(last, 1).bytes, SHA256_BYTES);
        sound = true;
    }
    db_finalize(last);
    return sound ? journal_prepare_insert(journal, partition) : -1;
}

static int load_partitions(struct journal *journal)
{
    struct db_statement *row =
        db_prepare(journal->db, "SELECT topic, partition, log_start, start, start_hash FROM"
                                " tillq_partition ORDER BY topic<>'" STOCK_TOPIC "', topic");
    if (!row)
        return -1;
    int result = 0;
    enum db_result step = DB_DONE;
    while (result == 0 && (step = db_step(row)) == DB_ROW) {
        struct text topic = db_text(row, 0), hash = db_blob(row, 4);
        struct partition *partition = NULL;
        if (topic_name_ok(topic) && hash.length == SHA256_BYTES)
            partition = add_partition(journal, topic, (int)db_int(row, 1));
        if (partition) {
            partition->log_start = db_int(row, 2);
            partition->end = db_int(row, 3);
            memcpy(partition->head, hash.bytes, SHA256_BYTES);
        }
        result = partition ? load_end(journal, partition) : -1;
    }
    db_finalize(row);
    return step == DB_DONE ? 0 : -1;
}

static int load_producers(struct journal *journal)
{
    struct db_statement *row =
        db_prepare(journal->db, "SELECT name, last_seq, floor, gaps FROM tillq_producer");
    if (!row)
        return -1;
    int result = 0;
    enum db_result step = DB_DONE;
    while (result == 0 && (step = db_step(row)) == DB_ROW) {
        struct producer_state state = {db_text(row, 0), db_int(row, 1), db_int(row, 2),
                                       db_text(row, 3)};
        result = producers_restore(journal->producers, &state);
    }
    db_finalize(row);
    return step == DB_DONE ? 0 : -1;
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
        return -1;
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

static void forget(struct journal *journal)
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

/* `windows`: read back the offsets of what each terminal sent last; a re-send is recognised
 * without. */
static int load(struct journal *journal, bool windows)
{
    forget(journal);
    journal->producers = producers_new();
    if (!journal->producers)
        return -1;
    return load_partitions(journal) == 0 && load_producers(journal) == 0 &&
                   (!windows || load_windows(journal) == 0)
               ? 0
               : -1;
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

int journal_prepare(struct journal *journal, struct failure *failure)
{
    journal->save_producer =
        db_prepare(journal->db, "INSERT INTO tillq_producer VALUES(?1,?2,?3,?4) ON CONFLICT(name)"
                                " DO UPDATE SET last_seq=?2, floor=?3, gaps=?4");
    journal->save_group =
        db_prepare(journal->db, "INSERT OR REPLACE INTO tillq_group VALUES(?,?,?,?,?)");
    journal->count_pages = db_prepare(journal->db, "PRAGMA page_count");
    journal->page_bytes = db_int_of(journal->db, "PRAGMA page_size", 4096);
    journal->roll_at_bytes = journal->options.segment_bytes;
    if (!journal->save_producer || !journal->save_group || !journal->count_pages)
        return failure_set(failure, "FAILED", "%s: cannot be prepared", db_path(journal->db));
    return 0;
}

/* The newest whole segment becomes the active one; a file a roll left half made is used by the next
 * roll. Where there is none, segment 0 is made. */
static int open_active(struct journal *journal, int64_t lowest, int64_t highest,
                       struct journal_recovery *recovery, struct failure *failure)
{
    for (int64_t number = highest; number >= 0 && number >= lowest; number--) {
        char path[PATH_MAX], log[PATH_MAX + 8];
        segment_path(path, journal->options.directory, number);
        snprintf(log, sizeof log, "%s-wal", path);
        struct disk_status status;
        if (disk_status(path, &status) == 0 && status.read_only)
            return failure_set(
                failure, "DAMAGED",
                "%s is sealed, so the segment after it is missing or empty: bring it "
                "back from a copy, or make this one writable to go on without it",
                path);
        int64_t log_bytes = disk_status(log, &status) == 0 ? status.bytes : 0;
        struct db_options options = {DB_OWNER, DB_SYNC_FULL, journal->options.cache_bytes};
        if (db_open(&journal->db, path, &options, failure) != 0)
            return -1;
        int whole = segment_check(journal->db, failure);
        if (whole < 0)
            return -1;
        if (whole == 1) {
            journal->number = number;
            recovery->log_pages_recovered = log_bytes / 4096;
            if (log_bytes > 0)
                incident_note(INCIDENT_LOG_RECOVERED, "%lld pages of the log of segment %lld",
                              (long long)recovery->log_pages_recovered, (long long)number);
            return journal_prepare(journal, failure);
        }
        db_close(journal->db);
        journal->db = NULL;
        incident_note(INCIDENT_ROLL_UNDONE, "segment %lld is half made; the next roll makes it",
                      (long long)number);
    }
    journal->number = lowest < 0 ? -1 : lowest - 1;
    return journal_roll(journal, failure);
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
    journal->hash = sha256_new();
    if (!journal->hash) {
        failure_set(failure, "NO_MEMORY", "no memory for the journal");
        goto failed;
    }
    if (segment_range(journal->directory, &lowest, &highest, failure) != 0 ||
        open_active(journal, lowest, highest, recovery, failure) != 0)
        goto failed;
    if (load(journal, true) != 0) {
        failure_set(failure, "DAMAGED", "%s: its state cannot be read", db_path(journal->db));
        goto failed;
    }
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
    forget(journal);
    db_close(journal->sealing.db);
    sha256_free(journal->sealing.hash);
    db_close(journal->db);
    sha256_free(journal->hash);
    free(journal);
}

/* --- appending --- */

static void refuse(struct append *append, const char *code, const char *message)
{
    append->error = code;
    append->message = message;
}

static struct partition *find_partition(const struct journal *journal, struct text topic,
                                        int number)
{
    for (int i = 0; i < journal->partition_count; i++)
        if (journal->partitions[i].number == number && text_is(topic, journal->partitions[i].topic))
            return &journal->partitions[i];
    return NULL;
}

/* The partition an append goes to; a new topic is made with one partition. */
static struct partition *partition_for(struct journal *journal, struct append *append)
{
    struct partition *partition = find_partition(journal, append->topic, append->partition);
    if (partition)
        return partition;
    if (append->kind == APPEND_GROUP_OFFSET || append->partition != 0) {
        refuse(append,
               find_partition(journal, append->topic, 0) ? "UNKNOWN_PARTITION" : "UNKNOWN_TOPIC",
               "there is no such topic or partition");
        return NULL;
    }
    if (!topic_name_ok(append->topic)) {
        refuse(append, "BAD_REQUEST", "not a topic name: 1 to 100 of A-Z a-z 0-9 . _ -");
        return NULL;
    }
    if (journal->partition_count >= TOPIC_MAX) {
        refuse(append, "TOO_MANY_TOPICS", "no more topics can be made");
        return NULL;
    }
    partition = add_partition(journal, append->topic, 0);
    if (!partition)
        refuse(append, "NO_MEMORY", "no memory for a topic");
    return partition;
}

/* False where the journal has this seq, or cannot tell: the append is answered then. */
static bool is_new(struct journal *journal, struct append *append)
{
    switch (producers_check(journal->producers, append->producer, append->record.seq,
                            &append->offset)) {
    case PRODUCER_DUPLICATE:
        append->duplicate = true;
        return false;
    case PRODUCER_TOO_OLD:
        refuse(append, "SEQ_TOO_OLD",
               "this seq lies below the gaps remembered: nobody can tell if it was journaled");
        return false;
    case PRODUCER_NEW:
        break;
    }
    return true;
}

/* 1 staged, 0 answered without, -1 no memory: the commit cannot be made. */
static int stage_record(struct journal *journal, struct append *append)
{
    bool numbered = append->record.seq >= 0;
    append->offset = -1;
    append->duplicate = false;
    if (append_bytes(append) > BATCH_BYTES_LIMIT) {
        refuse(append, "RECORD_TOO_LARGE", "the record does not fit a batch of 8 MiB");
        return 0;
    }
    if (numbered && !is_new(journal, append))
        return 0;
    /* Last, since it may make a topic: one that nothing is written into would not be on disk. */
    struct partition *partition = partition_for(journal, append);
    if (!partition)
        return 0;
    append->offset = partition->end + partition->building.count;
    if (numbered && producers_take(journal->producers, append->producer, append->record.seq,
                                   append->offset) != 0)
        return -1;
    batch_add(&partition->building, &append->record, append->producer);
    return 1;
}

static int stage(struct journal *journal, struct append *first)
{
    int staged = 0;
    for (struct append *append = first; append; append = (struct append *)append->item.next) {
        append->error = append->message = NULL;
        int result = 0;
        if (append->kind == APPEND_RECORD) {
            result = stage_record(journal, append);
        } else if (append->kind == APPEND_GROUP_OFFSET) {
            result = partition_for(journal, append) ? 1 : 0;
            append->offset = append->group_offset;
        }
        if (result < 0)
            return -1;
        staged += result;
    }
    return staged;
}

static enum db_result create_partition(struct journal *journal, struct partition *partition)
{
    struct buffer sql = {0};
    journal_partition_schema(&sql, text_of(partition->topic), partition->number);
    buffer_add_format(&sql, "INSERT INTO tillq_partition VALUES('%s',%d,0,0,zeroblob(32));",
                      partition->topic, partition->number);
    buffer_add_byte(&sql, '\0');
    enum db_result result = sql.failed ? DB_NO_MEMORY : db_execute(journal->db, sql.bytes);
    buffer_free(&sql);
    if (result == DB_DONE && journal_prepare_insert(journal, partition) != 0)
        result = DB_MISTAKE;
    return result;
}

static enum db_result write_batch(struct journal *journal, struct partition *partition,
                                  int64_t now_ms)
{
    if (!partition->insert) {
        enum db_result result = create_partition(journal, partition);
        if (result != DB_DONE)
            return result;
    }
    struct batch_builder *building = &partition->building;
    if (!batch_finish(building))
        return DB_NO_MEMORY;
    struct batch batch = {
        .base_offset = partition->end,
        .count = building->count,
        .format = BATCH_FORMAT_JSON,
        .time_ms = now_ms,
        .lengths = buffer_text(&building->lengths),
        .meta = buffer_text(&building->meta),
        .records = buffer_text(&building->records),
    };
    batch_hash(journal->hash, partition->head, &batch, partition->new_head);
    struct db_statement *insert = partition->insert;
    db_bind_int(insert, 1, batch.base_offset);
    db_bind_int(insert, 2, batch.count);
    db_bind_int(insert, 3, batch.format);
    db_bind_int(insert, 4, batch.time_ms);
    db_bind_blob(insert, 5, batch.lengths);
    db_bind_text(insert, 6, batch.meta);
    db_bind_text(insert, 7, batch.records);
    db_bind_blob(insert, 8, (struct text){(const char *)partition->new_head, SHA256_BYTES});
    return db_run(insert);
}

static int save_producer(const struct producer_state *state, void *context)
{
    struct journal *journal = context;
    db_bind_text(journal->save_producer, 1, state->name);
    db_bind_int(journal->save_producer, 2, state->last_seq);
    db_bind_int(journal->save_producer, 3, state->floor);
    db_bind_text(journal->save_producer, 4, state->gaps);
    return (int)db_run(journal->save_producer);
}

static enum db_result save_group(struct journal *journal, const struct append *append,
                                 int64_t now_ms)
{
    db_bind_text(journal->save_group, 1, append->group);
    db_bind_text(journal->save_group, 2, append->topic);
    db_bind_int(journal->save_group, 3, append->partition);
    db_bind_int(journal->save_group, 4, append->group_offset);
    db_bind_int(journal->save_group, 5, now_ms);
    return db_run(journal->save_group);
}

/* Writes all that is staged, in one transaction with one sync. */
static enum db_result commit(struct journal *journal, const struct append *first)
{
    int64_t now_ms = clock_wall_ms(journal->options.clock);
    enum db_result result = db_begin(journal->db);
    for (int i = 0; i < journal->partition_count && result == DB_DONE; i++)
        if (journal->partitions[i].building.count > 0)
            result = write_batch(journal, &journal->partitions[i], now_ms);
    if (result == DB_DONE)
        result = (enum db_result)producers_save(journal->producers, false, save_producer, journal);
    for (const struct append *append = first; append && result == DB_DONE;
         append = (const struct append *)append->item.next)
        if (append->kind == APPEND_GROUP_OFFSET && !append->error)
            result = save_group(journal, append, now_ms);
    return result == DB_DONE ? db_commit(journal->db) : result;
}

static void publish(struct journal *journal)
{
    for (int i = 0; i < journal->partition_count; i++) {
        struct partition *partition = &journal->partitions[i];
        if (partition->building.count == 0)
            continue;
        partition->end += partition->building.count;
        journal->unmeasured_bytes += (int64_t)partition->building.records.length;
        memcpy(partition->head, partition->new_head, SHA256_BYTES);
        batch_builder_clear(&partition->building);
    }
    producers_saved(journal->producers);
    if (journal->message)
        incident_note(INCIDENT_JOURNAL_RESUMED, "commits are made again");
    journal->health = JOURNAL_OK;
    journal->message = NULL;
}

/* How a commit that was not made is counted and answered. */
static const struct commit_fault {
    enum incident kind;
    const char *code, *message;
} commit_faults[] = {
    [DB_BUSY] = {INCIDENT_COMMIT_BUSY, "JOURNAL_BUSY",
                 "another program holds the journal; nothing was written, send it again later"},
    [DB_FULL] = {INCIDENT_COMMIT_FULL, "JOURNAL_FULL",
                 "no room on the disk; nothing was written, send it again later"},
    [DB_NO_MEMORY] = {INCIDENT_COMMIT_NO_MEMORY, "NO_MEMORY",
                      "no memory for this commit; nothing was written, send it again later"},
    [DB_MISTAKE] = {INCIDENT_COMMIT_MISTAKE, "FAILED",
                    "this could not be written, and nothing was; the log says why"},
    [DB_FAILED] = {INCIDENT_COMMIT_DISK, "JOURNAL_FAILED",
                   "the disk failed; nothing more is written until a restart"},
};

/* The commit was not made: nobody in it is acknowledged, duplicates of each other included, and
 * memory is read again from what is on disk. After a failed write or sync the disk's word is no
 * longer good (a later sync may well succeed without the lost pages), so that is for good. */
static void give_up(struct journal *journal, struct append *first, enum db_result result)
{
    db_rollback(journal->db);
    struct commit_fault fault =
        commit_faults[commit_faults[result].code ? result : (enum db_result)DB_FAILED];
    incident_note(fault.kind, "%s", fault.message);
    if (fault.kind == INCIDENT_COMMIT_DISK)
        journal->health = JOURNAL_IS_FAILED;
    else if (fault.kind == INCIDENT_COMMIT_FULL)
        journal->health = JOURNAL_IS_FULL;
    if (journal->health != JOURNAL_IS_FAILED && load(journal, false) != 0) {
        journal->health = JOURNAL_IS_FAILED;
        fault = (struct commit_fault){INCIDENT_STATE_UNREADABLE, "JOURNAL_FAILED",
                                      "the journal cannot be read again after a failed commit"};
        incident_note(fault.kind, "%s", fault.message);
    }
    journal->message = fault.message;
    for (struct append *append = first; append; append = (struct append *)append->item.next)
        if (!append->error)
            refuse(append, fault.code, fault.message);
}

static void roll_for(struct journal *journal, struct append *first)
{
    for (struct append *append = first; append; append = (struct append *)append->item.next) {
        struct failure failure;
        if (append->kind != APPEND_ROLL || append->error)
            continue;
        bool rolled = journal_roll(journal, &failure) == 0;
        if (!rolled && strcmp(failure.code, "DISK_FULL") == 0)
            refuse(append, "JOURNAL_FULL", "no room on the disk for a new segment");
        else if (!rolled)
            refuse(append, "FAILED", "the segment could not be rolled; the log says why");
        append->offset = journal->number;
    }
}

void journal_append(struct journal *journal, struct append *first)
{
    if (journal->health == JOURNAL_IS_FAILED) {
        for (struct append *append = first; append; append = (struct append *)append->item.next)
            refuse(append, "JOURNAL_FAILED", journal->message);
        return;
    }
    int staged = stage(journal, first);
    enum db_result result = staged < 0    ? DB_NO_MEMORY
                            : staged == 0 ? DB_DONE
                                          : commit(journal, first);
    if (result != DB_DONE) {
        give_up(journal, first, result);
        return;
    }
    if (staged > 0)
        publish(journal);
    roll_for(journal, first);
}

void journal_set_segment_bytes(struct journal *journal, int64_t segment_bytes)
{
    journal->options.segment_bytes = journal->roll_at_bytes = segment_bytes;
}

enum journal_health journal_health(const struct journal *journal, const char **message)
{
    *message = journal->message;
    return journal->health;
}

int64_t journal_active_segment(const struct journal *journal)
{
    return journal->number;
}

int64_t journal_end(const struct journal *journal, struct text topic, int number)
{
    const struct partition *partition = find_partition(journal, topic, number);
    return partition ? partition->end : -1;
}
