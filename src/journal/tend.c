/* Housekeeping of the journal, in steps small enough to fit between two commits: rolling the active
 * segment, moving its log into the file, sealing the segments before it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/incident.h"
#include "base/planted.h"
#include "journal/journal_internal.h"
#include "journal/segment.h"

#define CHECKPOINT_IDLE_PAGES 1000 /* 4 MiB: when nobody is waiting */
#define CHECKPOINT_BUSY_PAGES 4000 /* 16 MiB: a commit has to wait for it */
#define HASH_STEP_BYTES (1 << 20)
#define LOOK_FOR_ROOM_EVERY_US 200000
#define MEASURE_EVERY_BYTES (64 << 10) /* asking SQLite costs a few locks */

/* --- a full disk --- */

void journal_become_full(struct journal *journal)
{
    if (journal->health != JOURNAL_IS_FULL)
        incident_note(INCIDENT_DISK_FULL, "nothing more is journaled until there is room again");
    reserve_give_back(&journal->reserve);
    journal->health = JOURNAL_IS_FULL;
    journal->message = "no room on the disk; nothing was written, send it again later";
}

void journal_look_for_room(struct journal *journal)
{
    struct reserve *reserve = &journal->reserve;
    int64_t now_us = clock_monotonic_us(journal->options.clock);
    if (reserve->bytes == 0 || journal->health == JOURNAL_IS_FAILED ||
        (journal->has_looked_for_room &&
         now_us - journal->looked_for_room_us < LOOK_FOR_ROOM_EVERY_US))
        return;
    journal->has_looked_for_room = true;
    journal->looked_for_room_us = now_us;
    if (journal->health == JOURNAL_IS_FULL && reserve_take(reserve)) {
        incident_note(INCIDENT_JOURNAL_RESUMED, "there is room again, and a reserve of %lld bytes",
                      (long long)reserve->bytes);
        journal->health = JOURNAL_OK;
        journal->message = NULL;
    } else if (reserve_is_low(reserve)) {
        journal_become_full(journal);
    }
}

/* --- rolling --- */

/* The active segment's statements go with it; its connection goes on to be sealed. */
static void retire_active(struct journal *journal)
{
    for (int i = 0; i < journal->partition_count; i++) {
        db_finalize(journal->partitions[i].insert);
        journal->partitions[i].insert = NULL;
    }
    db_finalize(journal->save_producer);
    db_finalize(journal->save_group);
    db_finalize(journal->count_pages);
    journal->save_producer = journal->save_group = journal->count_pages = NULL;
    journal->prepared = false;
    if (journal->db && !journal->sealing.db && journal->all_sealed)
        journal->sealing = (struct sealing){
            .db = journal->db, .number = journal->number, .hash = journal->sealing.hash};
    else
        db_close(journal->db);
    journal->all_sealed = false;
    journal->db = NULL;
}

int journal_prepare_all(struct journal *journal, struct failure *failure)
{
    for (int i = 0; i < journal->partition_count; i++) {
        struct partition *partition = &journal->partitions[i];
        if (!partition->insert && journal_prepare_insert(journal, partition) != 0)
            return failure_set(failure, "FAILED", "%s: cannot be prepared", db_path(journal->db));
    }
    return journal_prepare(journal, failure);
}

static void distrust(struct journal *journal, enum incident kind, const char *message)
{
    incident_note(kind, "%s; nothing more is written until a restart", message);
    journal->health = JOURNAL_IS_FAILED;
    journal->message = message;
}

/* 0, or -1 where something of it is still there. */
static int remove_segment(const char *path)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal", ""};
    int result = 0;
    for (int i = 0; i < 4; i++) {
        char file[PATH_MAX + 16];
        snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
        if (disk_remove(file) != 0 && errno != ENOENT)
            result = -1;
    }
    return result;
}

/* The commit that would have been the roll was refused, but may lie whole on the disk all the same,
 * and a start would take it for the roll. So its files go; where that cannot be had, or the disk
 * failed, nothing may be acknowledged into the segment before it any more. */
static int roll_failed(struct journal *journal, const char *path, enum db_result result,
                       struct failure *failure)
{
    bool gone = PLANTED(FAILED_ROLL_KEPT) || remove_segment(path) == 0;
    if (result == DB_FULL)
        journal_become_full(journal);
    if ((!gone || result >= DB_DAMAGED) && !PLANTED(FAILED_ROLL_KEPT))
        distrust(journal, INCIDENT_ROLL_DISK, "the disk failed while a new segment was made");
    return failure_set(failure, result == DB_FULL ? "DISK_FULL" : "FAILED",
                       "%s: the new segment cannot be written", path);
}

/* Nothing was committed into it, so no start can take it for the roll; but a file half made would
 * be in the way of everybody who looks for the newest segment. */
static int open_failed(struct journal *journal, const char *path, const struct failure *failure)
{
    if (!PLANTED(FAILED_ROLL_KEPT))
        (void)remove_segment(path);
    if (strcmp(failure->code, "DISK_FULL") == 0)
        journal_become_full(journal);
    return -1;
}

static int begin_segment(struct journal *journal, struct failure *failure)
{
    int64_t number = journal->number + 1;
    char path[PATH_MAX];
    if (number > SEGMENT_LAST)
        return failure_set(failure, "FAILED", "%s: no name is left for the next segment",
                           db_path(journal->db));
    segment_path(path, journal->directory, number);
    struct db *db;
    struct db_options options = {.mode = DB_OWNER, .cache_bytes = journal->options.cache_bytes};
    if (db_open(&db, path, &options, failure) != 0)
        return open_failed(journal, path, failure);
    enum db_result result = journal_make_segment(journal, db, number);
    if (result != DB_DONE) {
        db_rollback(db);
        db_close(db);
        return roll_failed(journal, path, result, failure);
    }
    retire_active(journal);
    journal->db = db;
    journal->number = number;
    /* The roll is made, and what is short of memory only is tried again with the next append. */
    if (journal_prepare_all(journal, failure) != 0 && db_why(db) >= DB_DAMAGED) {
        distrust(journal, INCIDENT_ROLL_DISK, "the new segment cannot be used");
        return -1;
    }
    incident_note(INCIDENT_SEGMENT_BEGUN, "segment %lld", (long long)number);
    return 0;
}

int journal_roll(struct journal *journal, struct failure *failure)
{
    if (begin_segment(journal, failure) == 0)
        return 0;
    if (journal->health != JOURNAL_IS_FAILED)
        incident_note(INCIDENT_ROLL_FAILED, "%s; the active segment grows on", failure->message);
    return -1;
}

static int64_t active_bytes(struct journal *journal)
{
    int64_t pages = db_step(journal->count_pages) == DB_ROW ? db_int(journal->count_pages, 0) : 0;
    db_reset(journal->count_pages);
    return pages * journal->page_bytes;
}

static void roll_when_large(struct journal *journal)
{
    struct failure failure;
    if (journal->unmeasured_bytes < MEASURE_EVERY_BYTES || !journal->prepared)
        return;
    journal->unmeasured_bytes = 0;
    if (active_bytes(journal) < journal->roll_at_bytes)
        return;
    if (journal_roll(journal, &failure) == 0)
        return;
    if (journal->health == JOURNAL_OK)
        journal->roll_at_bytes += journal->options.segment_bytes / 16;
}

/* --- sealing --- */

int journal_has_sealed(const struct journal *journal, int64_t number)
{
    char sql[96];
    int64_t one;
    snprintf(sql, sizeof sql, "SELECT 1 FROM tillq_segment WHERE number=%lld", (long long)number);
    enum db_result result = db_ask_int(journal->db, sql, &one);
    return result == DB_ROW ? 1 : result == DB_DONE ? 0 : -1;
}

static int64_t next_unsealed(struct journal *journal)
{
    int64_t lowest, highest;
    struct failure failure;
    if (segment_range(journal->directory, &lowest, &highest, &failure) != 0)
        return -1;
    for (int64_t number = lowest; number >= 0 && number < journal->number;) {
        int sealed = journal_has_sealed(journal, number);
        if (sealed != 1)
            return sealed < 0 ? -1 : number;
        if (segment_after(journal->directory, number, &number, &failure) != 0)
            return -1;
    }
    return -1;
}

/* True where there is a segment to seal. */
static bool begin_sealing(struct journal *journal)
{
    struct sealing *sealing = &journal->sealing;
    if (!sealing->db) {
        if (journal->all_sealed)
            return false;
        int64_t number = next_unsealed(journal);
        journal->all_sealed = number < 0;
        if (number < 0)
            return false;
        char path[PATH_MAX];
        struct failure failure;
        segment_path(path, journal->directory, number);
        *sealing = (struct sealing){.number = number, .hash = sealing->hash};
        if (db_open(&sealing->db, path, &(struct db_options){.mode = DB_OWNER}, &failure) != 0) {
            incident_note(INCIDENT_SEAL_FAILED, "segment %lld: %s", (long long)number,
                          failure.message);
            journal->all_sealed = true; /* not tried again before the next roll or start */
            return false;
        }
    }
    if (!sealing->hash)
        sealing->hash = sha256_new();
    if (!sealing->hash)
        incident_note(INCIDENT_SEAL_FAILED, "segment %lld: no memory", (long long)sealing->number);
    return sealing->hash != NULL;
}

static void note_unsealed(struct journal *journal, enum db_result result)
{
    if (result >= DB_DAMAGED)
        distrust(journal, INCIDENT_SEAL_DISK, "the disk failed while a segment was sealed");
    else
        incident_note(INCIDENT_SEAL_FAILED, "segment %lld: %s", (long long)journal->sealing.number,
                      result == DB_FULL ? "no room on the disk" : "not now");
}

static void finish_sealing(struct journal *journal)
{
    struct sealing *sealing = &journal->sealing;
    unsigned char hash[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];
    sha256_finish(sealing->hash, hash);
    sha256_hex(hash, hex);
    char sql[256], path[PATH_MAX];
    snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO tillq_segment VALUES(%lld,%lld,x'%s')",
             (long long)sealing->number, (long long)sealing->at, hex);
    enum db_result result = db_execute(journal->db, sql);
    if (result == DB_DONE) {
        segment_path(path, journal->directory, sealing->number);
        disk_set_mode(path, 0440);
        incident_note(INCIDENT_SEGMENT_SEALED, "segment %lld, %lld bytes, sha256 %s",
                      (long long)sealing->number, (long long)sealing->at, hex);
    } else {
        journal->all_sealed = true; /* tried again at the next roll or start */
        note_unsealed(journal, result);
    }
    db_close(sealing->db);
    *sealing = (struct sealing){.hash = sealing->hash};
}

static void let_go_of_sealing(struct sealing *sealing)
{
    db_close(sealing->db);
    *sealing = (struct sealing){.hash = sealing->hash};
}

/* What is half done would keep every reader out; where the disk works again it is undone now. */
static void give_up_sealing(struct journal *journal)
{
    char path[PATH_MAX];
    int64_t number = journal->sealing.number;
    segment_path(path, journal->directory, number);
    let_go_of_sealing(&journal->sealing);
    journal_settle_segment(journal, number, path);
}

/* SQLite does not say where it could not remove the log of a file that needs none any more; it
 * would be played into the file again when the file is closed, after it was hashed. */
static bool has_log(const struct journal *journal, int64_t number)
{
    char path[PATH_MAX], log[PATH_MAX + 8];
    segment_path(path, journal->directory, number);
    snprintf(log, sizeof log, "%s-wal", path);
    return disk_has(log);
}

static int sync_journal_folder(const struct journal *journal)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s/" JOURNAL_FOLDER, journal->directory);
    return disk_sync_folder(folder);
}

/* Ends the log of the segment that is sealed. True where it is one file for good. */
static bool end_log(struct journal *journal, bool *retry)
{
    enum db_result result = db_seal(journal->sealing.db);
    if (result >= DB_FULL) {
        note_unsealed(journal, result);
        give_up_sealing(journal);
    }
    *retry = result < DB_DAMAGED; /* a reader holds it, or there is no room now */
    if (result != DB_DONE)
        return false;
    if (has_log(journal, journal->sealing.number)) {
        let_go_of_sealing(&journal->sealing);
        return false;
    }
    /* Else the log may be back after a power cut, and undo what is hashed now. */
    if (PLANTED(SEALED_BUT_NOT_SYNCED) || sync_journal_folder(journal) == 0)
        return true;
    *retry = false;
    distrust(journal, INCIDENT_SEAL_DISK, "the disk failed while a segment was sealed");
    return false;
}

/* True where there is more to do now. */
static bool seal_step(struct journal *journal, bool *retry)
{
    static unsigned char bytes[HASH_STEP_BYTES]; /* one journal has one writer */
    if (!begin_sealing(journal))
        return false;
    struct sealing *sealing = &journal->sealing;
    if (!sealing->closed) {
        if (!end_log(journal, retry))
            return false;
        *retry = false;
        sealing->closed = true;
        sha256_start(sealing->hash);
    }
    int64_t read = db_read_file(sealing->db, sealing->at, bytes, sizeof bytes);
    if (read > 0) {
        sha256_add(sealing->hash, bytes, (size_t)read);
        sealing->at += read;
        return true;
    }
    if (read < 0) {
        incident_note(INCIDENT_SEAL_FAILED, "segment %lld cannot be read to be sealed",
                      (long long)sealing->number);
        db_close(sealing->db);
        *sealing = (struct sealing){.hash = sealing->hash};
        journal->all_sealed = true;
        return false;
    }
    finish_sealing(journal);
    return true;
}

bool journal_tend(struct journal *journal, bool idle, bool *retry)
{
    *retry = false;
    if (journal->health == JOURNAL_IS_FAILED)
        return false;
    journal_look_for_room(journal);
    if (journal->health == JOURNAL_OK)
        roll_when_large(journal);
    int log_pages = db_log_pages(journal->db);
    enum db_result result = DB_DONE;
    if (log_pages >= (idle ? CHECKPOINT_IDLE_PAGES : CHECKPOINT_BUSY_PAGES))
        result = db_checkpoint(journal->db);
    if (result >= DB_DAMAGED)
        distrust(journal, INCIDENT_CHECKPOINT_DISK,
                 "the disk failed while the log was moved into its file");
    else if (result >= DB_FULL)
        incident_note(INCIDENT_CHECKPOINT_FAILED, "the log holds %d pages, and is moved later",
                      log_pages);
    if (result == DB_FULL)
        journal_become_full(journal);
    bool more = seal_step(journal, retry);
    *retry = *retry || (journal->health == JOURNAL_IS_FULL && journal->reserve.bytes > 0);
    return more;
}
