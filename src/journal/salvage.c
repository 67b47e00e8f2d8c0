#include "journal/salvage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/incident.h"
#include "journal/hole.h"
#include "journal/journal_internal.h"
#include "journal/schema.h"
#include "journal/segment.h"
#include "journal/source.h"

#define COMMIT_BYTES (8 << 20)
#define JUMP_ROUND 1000000

struct salvaging {
    const struct journal_options *options;
    int64_t number;
    struct source *source;
    struct journal *state; /* what the new segment begins with, then the new segment itself */
    struct buffer meta, scratch;
    struct json json;
    size_t uncommitted_bytes;
    struct salvage *salvage;
};

/* --- the state at the end of the segment before --- */

static void drop_state(struct salvaging *salvaging)
{
    struct journal *state = salvaging->state;
    if (!state)
        return;
    journal_forget(state);
    db_close(state->db);
    sha256_free(state->hash);
    free(state);
    salvaging->state = NULL;
}

static int new_state(struct salvaging *salvaging)
{
    drop_state(salvaging);
    struct journal *state = calloc(1, sizeof *state + 1);
    if (!state)
        return -1;
    salvaging->state = state;
    state->options = *salvaging->options;
    state->hash = sha256_new();
    state->producers = producers_new();
    return state->hash && state->producers ? 0 : -1;
}

/* One that was being sealed has a journal of its own, which only its owner can undo; until then
 * nobody can read it. */
static void settle(const char *directory, int64_t number)
{
    char path[PATH_MAX], journal[PATH_MAX + 16];
    struct db *db;
    struct failure ignored;
    segment_path(path, directory, number);
    snprintf(journal, sizeof journal, "%s-journal", path);
    if (disk_has(journal) &&
        db_open(&db, path, &(struct db_options){.mode = DB_OWNER}, &ignored) == 0)
        db_close(db);
}

/* Of the newest segment before that can be read; from nothing where there is none. Its number, -1
 * for none, -2 no memory. */
static int64_t load_state(struct salvaging *salvaging)
{
    struct failure ignored;
    const char *directory = salvaging->options->directory;
    int64_t number = salvaging->number;
    while (segment_before(directory, number, &number, &ignored) == 0 && number >= 0) {
        if (new_state(salvaging) != 0)
            return -2;
        settle(directory, number);
        int loaded = segment_open(&salvaging->state->db, directory, number, 0, &ignored) == 1
                         ? journal_load(salvaging->state, false)
                         : -1;
        if (loaded != -1)
            return loaded == 0 ? number : -2;
    }
    return new_state(salvaging) == 0 ? -1 : -2;
}

static struct partition *find_partition(struct journal *state, struct text topic, int number)
{
    for (int i = 0; i < state->partition_count; i++)
        if (state->partitions[i].number == number && text_is(topic, state->partitions[i].topic))
            return &state->partitions[i];
    return NULL;
}

/* Where the damaged segment begins, as it says itself: of topics it made, and where the segment
 * before it could not be asked. 0 or -1 (no memory). */
static int take_starts(struct salvaging *salvaging, bool has_before)
{
    struct db *source = source_db(salvaging->source);
    struct journal *state = salvaging->state;
    struct db_statement *row =
        source
            ? db_prepare(source, "SELECT topic, partition, log_start, start, start_hash"
                                 " FROM tillq_partition ORDER BY topic<>'" STOCK_TOPIC "', topic")
            : NULL;
    int result = 0;
    while (row && result == 0 && db_step(row) == DB_ROW) {
        struct text topic = db_text(row, 0), hash = db_blob(row, 4);
        int64_t number = db_int(row, 1), log_start = db_int(row, 2), start = db_int(row, 3);
        if (!topic_name_ok(topic) || hash.length != SHA256_BYTES || number != 0 || log_start < 0 ||
            start < log_start || state->partition_count >= TOPIC_MAX)
            continue;
        struct partition *partition = find_partition(state, topic, (int)number);
        if (partition && (has_before || start < partition->end))
            continue;
        if (!partition)
            partition = journal_add_partition(state, topic, (int)number);
        if (!partition) {
            result = -1;
            continue;
        }
        partition->log_start = log_start;
        partition->end = start;
        memcpy(partition->head, hash.bytes, SHA256_BYTES);
    }
    db_finalize(row);
    return result;
}

/* Where the segment before could not be asked, the damaged one may still know the producers. */
static void take_producers(struct salvaging *salvaging)
{
    struct db *source = source_db(salvaging->source);
    struct db_statement *row =
        source ? db_prepare(source, "SELECT name, last_seq, floor, gaps FROM tillq_producer")
               : NULL;
    while (row && db_step(row) == DB_ROW) {
        struct producer_state state = {db_text(row, 0), db_int(row, 1), db_int(row, 2),
                                       db_text(row, 3)};
        if (state.name.length > 0 && producers_restore(salvaging->state->producers, &state) != 0)
            break;
    }
    db_finalize(row);
}

/* --- writing --- */

/* Rows of a small table that the damaged file still gives. Only what cannot be written counts. */
static enum db_result overlay(struct salvaging *salvaging, const char *select, const char *insert,
                              const char *kinds)
{
    struct db *source = source_db(salvaging->source);
    struct db_statement *row = source ? db_prepare(source, select) : NULL;
    struct db_statement *copy = db_prepare(salvaging->state->db, insert);
    enum db_result result = copy ? DB_DONE : DB_FAILED;
    while (row && result == DB_DONE && db_step(row) == DB_ROW) {
        for (int i = 0; kinds[i]; i++) {
            if (kinds[i] == 'i')
                db_bind_int(copy, i + 1, db_int(row, i));
            else if (kinds[i] == 't')
                db_bind_text(copy, i + 1, db_text(row, i));
            else
                db_bind_blob(copy, i + 1, db_blob(row, i));
        }
        result = db_run(copy);
    }
    db_finalize(row);
    db_finalize(copy);
    return result;
}

static enum db_result overlay_tables(struct salvaging *salvaging)
{
    enum db_result result =
        overlay(salvaging,
                "SELECT name, topic, partition, offset, time_ms FROM tillq_group WHERE"
                " length(name)>0 AND offset>=0",
                "INSERT OR REPLACE INTO tillq_group VALUES(?,?,?,?,?)", "ttiii");
    char sql[160];
    snprintf(sql, sizeof sql,
             "SELECT number, bytes, sha256 FROM tillq_segment WHERE length(sha256)=32 AND"
             " number<%lld",
             (long long)salvaging->number);
    if (result == DB_DONE)
        result =
            overlay(salvaging, sql, "INSERT OR REPLACE INTO tillq_segment VALUES(?,?,?)", "iib");
    if (result != DB_DONE || !source_db(salvaging->source) ||
        !hole_any(source_db(salvaging->source)))
        return result;
    result = db_execute(salvaging->state->db, hole_schema);
    return result == DB_DONE ? overlay(salvaging, hole_select, hole_insert, hole_kinds) : result;
}

static enum db_result write_row(struct salvaging *salvaging, struct partition *partition,
                                struct batch *batch)
{
    struct journal *state = salvaging->state;
    batch_hash(state->hash, partition->head, batch, partition->new_head);
    batch->hash = (struct text){(const char *)partition->new_head, SHA256_BYTES};
    enum db_result result = journal_insert_batch(partition->insert, batch);
    memcpy(partition->head, partition->new_head, SHA256_BYTES);
    partition->end = batch->base_offset + batch->count;
    salvaging->uncommitted_bytes += batch->records.length + batch->meta.length;
    return result;
}

/* States that the offsets up to `next` are lost. */
static enum db_result write_hole(struct salvaging *salvaging, struct partition *partition,
                                 int64_t next)
{
    struct batch batch;
    struct hole hole = {
        .topic = text_of(partition->topic),
        .partition = partition->number,
        .first = partition->end,
        .next = next,
        .file = text_of(salvaging->salvage->aside),
        .time_ms = clock_wall_ms(salvaging->options->clock),
    };
    if (next <= partition->end)
        return DB_DONE;
    if (!hole_batch(&hole, &salvaging->meta, &batch))
        return DB_NO_MEMORY;
    enum db_result result = write_row(salvaging, partition, &batch);
    if (result == DB_DONE)
        result = hole_list(salvaging->state->db, &hole);
    salvaging->salvage->lost += hole.next - hole.first;
    incident_note(INCIDENT_OFFSETS_LOST, "%lld to %lld of %s-%d; %s%s", (long long)hole.first,
                  (long long)hole.next - 1, partition->topic, partition->number,
                  hole.file.length > 0 ? "set aside as " : "there is no file to set aside",
                  salvaging->salvage->aside);
    return result;
}

/* The producers know of what is in the new segment. 0 or -1 (no memory). */
static int take_seqs(struct salvaging *salvaging, const struct batch *batch)
{
    struct producers *producers = salvaging->state->producers;
    struct batch_cursor cursor;
    struct record record;
    struct text meta;
    int64_t known_at;
    batch_start(&cursor, batch);
    while (batch_next(&cursor, &record, &meta) == 1) {
        if (batch_origin(meta, &salvaging->json, &record) != 0 || record.seq < 0 ||
            json_parse(&salvaging->json, record.producer, NULL) != 0)
            continue;
        buffer_clear(&salvaging->scratch);
        struct text name = json_text(&salvaging->json, 0, &salvaging->scratch);
        if (producers_check(producers, name, record.seq, &known_at) == PRODUCER_NEW &&
            producers_take(producers, name, record.seq, record.offset) != 0)
            return -1;
    }
    return 0;
}

/* Keeps transactions, and the log of the new file, small. */
static enum db_result commit_when_large(struct salvaging *salvaging)
{
    struct db *db = salvaging->state->db;
    if (salvaging->uncommitted_bytes < COMMIT_BYTES)
        return DB_DONE;
    salvaging->uncommitted_bytes = 0;
    enum db_result result = db_commit(db);
    if (result == DB_DONE)
        result = db_checkpoint(db);
    return result == DB_DONE ? db_begin(db) : result;
}

/* The next offset to be given out: see salvage.h. */
static int64_t end_of(struct salvaging *salvaging, const struct partition *partition)
{
    const struct journal_options *options = salvaging->options;
    int64_t seen = source_seen(salvaging->source);
    int64_t known =
        options->given_out
            ? options->given_out(options->context, text_of(partition->topic), partition->number)
            : 0;
    seen = known > seen ? known : seen;
    seen = partition->end > seen ? partition->end : seen;
    if (source_is_orderly(salvaging->source))
        return seen;
    int64_t jump = (options->segment_bytes + source_bytes(salvaging->source)) / 16;
    jump = jump > JUMP_ROUND ? jump : JUMP_ROUND;
    return (seen + jump) / JUMP_ROUND * JUMP_ROUND + JUMP_ROUND;
}

static enum db_result write_partition(struct salvaging *salvaging, struct partition *partition)
{
    struct salvage *salvage = salvaging->salvage;
    struct batch batch;
    enum proof proof;
    enum db_result result = DB_DONE;
    int more = 0;
    source_begin(salvaging->source, text_of(partition->topic), partition->number, partition->end,
                 partition->head);
    while (result == DB_DONE && (more = source_next(salvaging->source, &batch, &proof)) == 1) {
        result = write_hole(salvaging, partition, batch.base_offset);
        if (result == DB_DONE && take_seqs(salvaging, &batch) != 0)
            result = DB_NO_MEMORY;
        if (result == DB_DONE)
            result = write_row(salvaging, partition, &batch);
        if (result == DB_DONE)
            result = commit_when_large(salvaging);
        salvage->batches++;
        salvage->records += batch.format == BATCH_FORMAT_HOLE ? 0 : batch.count;
        salvage->unproven += proof == UNPROVEN;
    }
    if (more < 0)
        result = DB_NO_MEMORY;
    return result == DB_DONE ? write_hole(salvaging, partition, end_of(salvaging, partition))
                             : result;
}

static enum db_result write_rows(struct salvaging *salvaging)
{
    struct journal *state = salvaging->state;
    enum db_result result = db_begin(state->db);
    if (result == DB_DONE)
        result = overlay_tables(salvaging);
    for (int i = 0; i < state->partition_count && result == DB_DONE; i++) {
        struct partition *partition = &state->partitions[i];
        result = journal_prepare_insert(state, partition) == 0
                     ? write_partition(salvaging, partition)
                     : DB_FAILED;
    }
    if (result == DB_DONE)
        result = journal_save_producers(state);
    return result == DB_DONE ? db_commit(state->db) : result;
}

/* The new file becomes what `state` is the inside of, in place of the segment before. */
static void change_over(struct journal *state, struct db *db)
{
    for (int i = 0; i < state->partition_count; i++) {
        db_finalize(state->partitions[i].insert);
        state->partitions[i].insert = NULL;
    }
    db_close(state->db);
    state->db = db;
}

static int write_file(struct salvaging *salvaging, const char *path, struct failure *failure)
{
    struct journal *state = salvaging->state;
    struct db *db;
    struct db_options options = {.mode = DB_OWNER, .cache_bytes = salvaging->options->cache_bytes};
    if (db_open(&db, path, &options, failure) != 0)
        return -1;
    if (state->partition_count == 0 &&
        !journal_add_partition(state, TEXT_LITERAL(STOCK_TOPIC), 0)) {
        db_close(db);
        return failure_set(failure, "NO_MEMORY", "no memory to salvage");
    }
    enum db_result result = journal_make_segment(state, db, salvaging->number);
    change_over(state, db);
    if (result == DB_DONE && journal_prepare(state, failure) != 0)
        return -1;
    if (result == DB_DONE)
        result = write_rows(salvaging);
    if (result != DB_DONE) {
        db_rollback(db);
        return failure_set(failure, result == DB_FULL ? "DISK_FULL" : "FAILED",
                           "%s: cannot be written", path);
    }
    journal_forget(state); /* its statements end before the log does */
    state->producers = NULL;
    return db_seal(db) == DB_DONE ? 0
                                  : failure_set(failure, "FAILED", "%s: cannot be closed", path);
}

/* --- files --- */

static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
#define SUFFIXES 4
#define NAME_BYTES (PATH_MAX + 32)

static void path_with(char path[NAME_BYTES], const char *directory, int64_t number,
                      const char *ending)
{
    char segment[PATH_MAX];
    segment_path(segment, directory, number);
    snprintf(path, NAME_BYTES, "%s%s", segment, ending);
}

static int sync_journal(const char *directory, struct failure *failure)
{
    char folder[NAME_BYTES];
    snprintf(folder, sizeof folder, "%s/" JOURNAL_FOLDER, directory);
    return disk_sync_folder(folder) == 0
               ? 0
               : failure_set(failure, "FAILED", "%s: cannot be synced: %s", folder,
                             strerror(errno));
}

static int move(const char *directory, int64_t number, const char *from, const char *to,
                struct failure *failure)
{
    char old[NAME_BYTES], new[NAME_BYTES];
    path_with(old, directory, number, from);
    path_with(new, directory, number, to);
    if (disk_rename(old, new) == 0 || errno == ENOENT)
        return 0;
    return failure_set(failure, "FAILED", "%s: %s", old, strerror(errno));
}

static bool is_there(const char *directory, int64_t number, const char *ending)
{
    char path[NAME_BYTES];
    path_with(path, directory, number, ending);
    return disk_has(path);
}

/* The first K that is free, or the last that is taken (0: none). */
static int aside_number(const char *directory, int64_t number, bool taken)
{
    char ending[32];
    int k = 0;
    do
        snprintf(ending, sizeof ending, ".damaged-%d", ++k);
    while (is_there(directory, number, ending));
    return taken ? k - 1 : k;
}

static void remove_unfinished(const char *directory, int64_t number)
{
    for (int i = 0; i < SUFFIXES; i++) {
        char path[NAME_BYTES], ending[32];
        snprintf(ending, sizeof ending, ".salvage%s", suffixes[i]);
        path_with(path, directory, number, ending);
        disk_remove(path);
    }
}

/* Steps 2 and 3: NUMBER.db.salvaged is whole. */
static int put_in_place(const char *directory, int64_t number, struct failure *failure)
{
    bool first = is_there(directory, number, "");
    int k = aside_number(directory, number, !first);
    for (int i = 0; i < SUFFIXES; i++) {
        char to[64];
        snprintf(to, sizeof to, ".damaged-%d%s", k > 0 ? k : 1, suffixes[i]);
        if (is_there(directory, number, suffixes[i]) &&
            move(directory, number, suffixes[i], to, failure) != 0)
            return -1;
        if (i == 0 && sync_journal(directory, failure) != 0)
            return -1;
    }
    if (sync_journal(directory, failure) != 0 ||
        move(directory, number, ".salvaged", "", failure) != 0)
        return -1;
    return sync_journal(directory, failure);
}

struct unfinished {
    int64_t numbers[8];
    int count;
};

static void note_unfinished(const char *name, void *argument)
{
    struct unfinished *unfinished = argument;
    const char *ending = strstr(name, ".db.salvage");
    if (ending && unfinished->count < 8)
        unfinished->numbers[unfinished->count++] = strtoll(name, NULL, 10);
}

int salvage_finish(const char *directory, struct failure *failure)
{
    char folder[NAME_BYTES];
    struct unfinished unfinished = {.count = 0};
    snprintf(folder, sizeof folder, "%s/" JOURNAL_FOLDER, directory);
    if (disk_list(folder, note_unfinished, &unfinished) != 0)
        return failure_set(failure, "FAILED", "%s: %s", folder, strerror(errno));
    for (int i = 0; i < unfinished.count; i++) {
        int64_t number = unfinished.numbers[i];
        remove_unfinished(directory, number);
        if (is_there(directory, number, ".salvaged") &&
            put_in_place(directory, number, failure) != 0)
            return -1;
    }
    return 0;
}

/* --- all of it --- */

static int write_new(struct salvaging *salvaging, struct failure *failure)
{
    char damaged[NAME_BYTES], path[NAME_BYTES];
    const char *directory = salvaging->options->directory;
    int64_t number = salvaging->number;
    path_with(damaged, directory, number, "");
    path_with(path, directory, number, ".salvage");
    remove_unfinished(directory, number);
    salvaging->source = source_open(damaged);
    int64_t before = salvaging->source ? load_state(salvaging) : -2;
    if (before == -2 || take_starts(salvaging, before == number - 1) != 0)
        return failure_set(failure, "NO_MEMORY", "no memory to salvage");
    if (before != number - 1)
        take_producers(salvaging);
    int result = write_file(salvaging, path, failure);
    drop_state(salvaging);
    source_close(salvaging->source);
    salvaging->source = NULL;
    if (result == 0)
        result = move(directory, number, ".salvage", ".salvaged", failure);
    if (result == 0)
        result = sync_journal(directory, failure);
    if (result != 0)
        remove_unfinished(directory, number);
    return result;
}

int salvage_segment(const struct journal_options *options, int64_t number, const char *why,
                    struct salvage *salvage, struct failure *failure)
{
    struct salvaging salvaging = {.options = options, .number = number, .salvage = salvage};
    *salvage = (struct salvage){0};
    if (is_there(options->directory, number, ""))
        snprintf(salvage->aside, sizeof salvage->aside, "%010lld.db.damaged-%d", (long long)number,
                 aside_number(options->directory, number, false));
    int result = write_new(&salvaging, failure);
    drop_state(&salvaging);
    source_close(salvaging.source);
    buffer_free(&salvaging.meta);
    buffer_free(&salvaging.scratch);
    json_free(&salvaging.json);
    if (result == 0)
        result = put_in_place(options->directory, number, failure);
    if (result == 0)
        incident_note(INCIDENT_SEGMENT_SET_ASIDE,
                      "%s; %lld records in %lld batches recovered (%lld batches not proven), %lld "
                      "offsets lost or never given out",
                      why, (long long)salvage->records, (long long)salvage->batches,
                      (long long)salvage->unproven, (long long)salvage->lost);
    return result;
}
