/* Appending, and what is asked of an open journal. */
#include "journal/journal.h"

#include <stdio.h>

#include "base/incident.h"
#include "base/planted.h"
#include "journal/journal_internal.h"
#include "journal/schema.h"

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
    partition = journal_add_partition(journal, append->topic, 0);
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
        if (PLANTED(NO_DUPLICATE_CHECK))
            break;
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

/* With a reserve to wait for, a full disk is not tried by every commit. */
static bool refuses_all(const struct journal *journal)
{
    return journal->health == JOURNAL_IS_FULL && journal->reserve.bytes > 0;
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
    if (refuses_all(journal)) {
        refuse(append, "JOURNAL_FULL", journal->message);
        return 0;
    }
    /* Last, since it may make a topic: one that nothing is written into would not be on disk. */
    struct partition *partition = partition_for(journal, append);
    if (!partition)
        return 0;
    append->offset = partition->end + partition->building.count;
    if (numbered &&
        producers_take(journal->producers, append->producer, append->record.seq, append->offset) !=
            0 &&
        !PLANTED(NO_DUPLICATE_CHECK))
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
            if (refuses_all(journal))
                refuse(append, "JOURNAL_FULL", journal->message);
            else
                result = partition_for(journal, append) ? 1 : 0;
            append->offset = append->group_offset;
        }
        if (result < 0)
            return -1;
        staged += result;
    }
    return staged;
}

enum db_result journal_create_partition(struct journal *journal, struct partition *partition)
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

enum db_result journal_insert_batch(struct db_statement *insert, const struct batch *batch)
{
    db_bind_int(insert, 1, batch->base_offset);
    db_bind_int(insert, 2, batch->count);
    db_bind_int(insert, 3, batch->format);
    db_bind_int(insert, 4, batch->time_ms);
    db_bind_blob(insert, 5, batch->lengths);
    db_bind_text(insert, 6, batch->meta);
    db_bind_text(insert, 7, batch->records);
    db_bind_blob(insert, 8, batch->hash);
    return db_run(insert);
}

static enum db_result write_batch(struct journal *journal, struct partition *partition,
                                  int64_t now_ms)
{
    if (!partition->insert) {
        enum db_result result = journal_create_partition(journal, partition);
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
    batch.hash = (struct text){(const char *)partition->new_head, SHA256_BYTES};
    return journal_insert_batch(partition->insert, &batch);
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

enum db_result journal_save_producers(struct journal *journal)
{
    int result = producers_save(journal->producers, false, save_producer, journal);
    return result < 0 ? DB_NO_MEMORY : (enum db_result)result;
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
    if (PLANTED(ACK_BEFORE_COMMIT) && db_commit(journal->db) == DB_NO_MEMORY)
        return DB_NO_MEMORY;
    enum db_result result = db_begin(journal->db);
    if (PLANTED(WRITES_SWAPPED) && result == DB_DONE) {
        result = journal_save_producers(journal);
        if (result == DB_DONE)
            result = db_commit(journal->db);
        if (result == DB_DONE)
            result = db_begin(journal->db);
    }
    for (int i = 0; i < journal->partition_count && result == DB_DONE; i++)
        if (journal->partitions[i].building.count > 0)
            result = write_batch(journal, &journal->partitions[i], now_ms);
    if (result == DB_DONE)
        result = journal_save_producers(journal);
    for (const struct append *append = first; append && result == DB_DONE;
         append = (const struct append *)append->item.next)
        if (append->kind == APPEND_GROUP_OFFSET && !append->error &&
            !PLANTED(GROUP_OFFSET_FORGOTTEN))
            result = save_group(journal, append, now_ms);
    return result == DB_DONE && !PLANTED(ACK_BEFORE_COMMIT) ? db_commit(journal->db) : result;
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
        journal_become_full(journal);
    if (journal->health != JOURNAL_IS_FAILED &&
        (db_in_transaction(journal->db) || journal_load(journal, false) != 0)) {
        journal->health = JOURNAL_IS_FAILED;
        fault = (struct commit_fault){INCIDENT_STATE_UNREADABLE, "JOURNAL_FAILED",
                                      "the journal cannot be read again after a failed commit"};
        incident_note(fault.kind, "%s", fault.message);
    }
    journal->message = fault.message;
    for (struct append *append = first; append; append = (struct append *)append->item.next)
        if (!append->error && !(PLANTED(DUPLICATE_OF_FAILED_ACKNOWLEDGED) && append->duplicate))
            refuse(append, fault.code, fault.message);
}

static void roll_for(struct journal *journal, struct append *first)
{
    for (struct append *append = first; append; append = (struct append *)append->item.next) {
        struct failure failure;
        if (append->kind != APPEND_ROLL || append->error)
            continue;
        bool refused = refuses_all(journal);
        bool rolled = !refused && journal_roll(journal, &failure) == 0;
        if (refused)
            refuse(append, "JOURNAL_FULL", journal->message);
        else if (!rolled && strcmp(failure.code, "DISK_FULL") == 0)
            refuse(append, "JOURNAL_FULL", "no room on the disk for a new segment");
        else if (!rolled)
            refuse(append, "FAILED", "the segment could not be rolled; the log says why");
        append->offset = journal->number;
    }
}

static void refuse_all(struct append *first, const char *code, const char *message)
{
    for (struct append *append = first; append; append = (struct append *)append->item.next)
        refuse(append, code, message);
}

void journal_append(struct journal *journal, struct append *first)
{
    struct failure failure;
    if (journal->health == JOURNAL_IS_FAILED) {
        refuse_all(first, "JOURNAL_FAILED", journal->message);
        return;
    }
    if (!journal->prepared && journal_prepare_all(journal, &failure) != 0) {
        refuse_all(first, "NO_MEMORY",
                   "no memory to write anything; nothing was written, send it again later");
        return;
    }
    journal_look_for_room(journal);
    int staged = stage(journal, first);
    enum db_result result = staged < 0    ? DB_NO_MEMORY
                            : staged == 0 ? DB_DONE
                                          : commit(journal, first);
    if ((PLANTED(FULL_TAKEN_FOR_DONE) && result == DB_FULL) ||
        (PLANTED(FAILED_SYNC_TRUSTED) && result == DB_FAILED)) {
        db_rollback(journal->db);
        result = DB_DONE;
    }
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

int64_t journal_reserve_bytes(const struct journal *journal)
{
    return journal->reserve.held ? journal->reserve.bytes : 0;
}

struct text journal_damage(const struct journal *journal)
{
    return buffer_text(&journal->damage);
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
