#include "journal/read.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/planted.h"
#include "journal/schema.h"
#include "journal/segment.h"

struct open_segment {
    struct db *db;
    int64_t number;
};

struct journal_reader {
    struct open_segment active; /* the newest: bounds, groups, producers */
    struct open_segment scan;   /* where batches are read */
    int64_t newest;             /* the highest whole segment the scan has seen */
    /* the scan's statements and what they are for */
    struct db_statement *find;
    struct db_statement *find_next;   /* base offset of the first batch at or beyond an offset */
    struct db_statement *find_before; /* end and hash of the last batch before an offset */
    char find_topic[TOPIC_NAME_BYTES + 1];
    int find_partition;
    int64_t find_start; /* the segment's first offset of that partition; -1: not in it */
    unsigned char start_hash[SHA256_BYTES]; /* of the batch before it */
    /* what was proved last: the chain up to `proved_end`, the batch at `proved_base` its end */
    int64_t proved_base, proved_end;
    unsigned char proved_hash[SHA256_BYTES];
    struct sha256 *hash;
    char directory[];
};

int journal_reader_open(struct journal_reader **out, const char *directory, struct failure *failure)
{
    int64_t lowest, highest;
    if (segment_range(directory, &lowest, &highest, failure) != 0)
        return -1;
    if (highest < 0)
        return failure_set(failure, "FAILED", "%s: there is no journal in it", directory);
    size_t length = strlen(directory) + 1;
    struct journal_reader *reader = calloc(1, sizeof *reader + length);
    if (!reader)
        return failure_set(failure, "NO_MEMORY", "no memory to read the journal");
    memcpy(reader->directory, directory, length);
    reader->hash = sha256_new();
    if (!reader->hash) {
        free(reader);
        return failure_set(failure, "NO_MEMORY", "no memory to read the journal");
    }
    *out = reader;
    return 0;
}

static void close_segment(struct open_segment *segment)
{
    db_close(segment->db);
    segment->db = NULL;
}

static void close_scan(struct journal_reader *reader)
{
    close_segment(&reader->scan);
    reader->find = reader->find_next = reader->find_before = NULL;
}

void journal_reader_release(struct journal_reader *reader)
{
    close_segment(&reader->active);
    close_scan(reader);
}

void journal_reader_close(struct journal_reader *reader)
{
    if (!reader)
        return;
    journal_reader_release(reader);
    sha256_free(reader->hash);
    free(reader);
}

void journal_reader_rest(struct journal_reader *reader)
{
    if (reader->find)
        db_reset(reader->find);
}

/* Makes `segment` be segment `number`. 1, 0 where it is not there (yet), -1. */
static int open_number(struct journal_reader *reader, struct open_segment *segment, int64_t number,
                       struct failure *failure)
{
    if (segment->db && segment->number == number)
        return 1;
    struct db *db;
    int found = segment_open(&db, reader->directory, number, 0, failure);
    if (found != 1)
        return found;
    close_segment(segment);
    *segment = (struct open_segment){db, number};
    return 1;
}

/* The newest whole segment. 0 or -1. */
static int open_active(struct journal_reader *reader, struct failure *failure)
{
    struct open_segment *active = &reader->active;
    if (active->db && !segment_exists(reader->directory, active->number + 1))
        return 0;
    int64_t lowest, highest;
    if (segment_range(reader->directory, &lowest, &highest, failure) != 0)
        return -1;
    for (int64_t number = highest; number >= 0;) {
        int found = open_number(reader, active, number, failure);
        if (found != 0)
            return found < 0 ? -1 : 0;
        if (segment_before(reader->directory, number, &number, failure) != 0)
            return -1;
    }
    return failure_set(failure, "FAILED", "%s: no readable segment", reader->directory);
}

static int unreadable(const struct db *db, struct failure *failure)
{
    return failure_set(failure, db_is_damaged(db) ? "DAMAGED" : "FAILED", "%s: cannot be read",
                       db_path(db));
}

/* First offset of (topic, partition) in the scanned segment, -1 where it is not in it, and the hash
 * its chain begins with. 0 or -1. */
static int find_start(struct journal_reader *reader, struct text topic, int partition,
                      struct failure *failure)
{
    struct db *db = reader->scan.db;
    struct db_statement *statement = db_prepare(
        db, "SELECT start, start_hash FROM tillq_partition WHERE topic=? AND partition=?");
    if (!statement)
        return unreadable(db, failure);
    db_bind_text(statement, 1, topic);
    db_bind_int(statement, 2, partition);
    enum db_result result = db_step(statement);
    reader->find_start = result == DB_ROW ? db_int(statement, 0) : -1;
    memset(reader->start_hash, 0, SHA256_BYTES);
    if (result == DB_ROW && db_blob(statement, 1).length == SHA256_BYTES)
        memcpy(reader->start_hash, db_blob(statement, 1).bytes, SHA256_BYTES);
    db_finalize(statement);
    return result == DB_ROW || result == DB_DONE ? 0 : unreadable(db, failure);
}

static bool scan_is_for(const struct journal_reader *reader, struct text topic, int partition)
{
    return reader->find && reader->find_partition == partition &&
           text_is(topic, reader->find_topic);
}

static void forget_aim(struct journal_reader *reader)
{
    db_finalize(reader->find);
    db_finalize(reader->find_next);
    db_finalize(reader->find_before);
    reader->find = reader->find_next = reader->find_before = NULL;
    reader->proved_base = reader->proved_end = -1;
}

/* Points the scan's statements at (topic, partition) of the segment it has open. */
static int aim(struct journal_reader *reader, struct text topic, int partition,
               struct failure *failure)
{
    forget_aim(reader);
    if (find_start(reader, topic, partition, failure) != 0)
        return -1;
    snprintf(reader->find_topic, sizeof reader->find_topic, "%.*s", (int)topic.length, topic.bytes);
    reader->find_partition = partition;
    if (reader->find_start < 0)
        return 0;
    char sql[TABLE_NAME_BYTES + 192], table[TABLE_NAME_BYTES];
    partition_table(table, topic, partition);
    snprintf(sql, sizeof sql,
             "SELECT base_offset, count, format, time_ms, lengths, meta, records, hash FROM \"%s\""
             " WHERE base_offset <= ? ORDER BY base_offset DESC LIMIT 1",
             table);
    reader->find = db_prepare(reader->scan.db, sql);
    snprintf(sql, sizeof sql,
             "SELECT base_offset FROM \"%s\" WHERE base_offset >= ? ORDER BY base_offset LIMIT 1",
             table);
    reader->find_next = db_prepare(reader->scan.db, sql);
    snprintf(sql, sizeof sql,
             "SELECT base_offset + count, hash FROM \"%s\""
             " WHERE base_offset < ? ORDER BY base_offset DESC LIMIT 1",
             table);
    reader->find_before = db_prepare(reader->scan.db, sql);
    if (reader->find && reader->find_next && reader->find_before)
        return 0;
    forget_aim(reader);
    return failure_set(failure, "FAILED", "%s: no table of %s-%d", db_path(reader->scan.db),
                       reader->find_topic, partition);
}

/* First offset of (topic, partition) in a segment; -1 where it is not in it or cannot be read. */
static int64_t start_in(struct db *db, struct text topic, int partition)
{
    struct db_statement *statement =
        db_prepare(db, "SELECT start FROM tillq_partition WHERE topic=? AND partition=?");
    if (!statement)
        return -1;
    db_bind_text(statement, 1, topic);
    db_bind_int(statement, 2, partition);
    int64_t start = db_step(statement) == DB_ROW ? db_int(statement, 0) : -1;
    db_finalize(statement);
    return start;
}

/* Names what of a partition lies in the segment `number` that cannot be read: from `first` on, to
 * where the next one that can be begins. Always -1. */
static int name_damage(struct journal_reader *reader, struct text topic, int partition,
                       int64_t number, int64_t first, struct failure *failure)
{
    struct failure why = *failure, ignored;
    struct open_segment after = {0};
    int64_t start = -1;
    while (start < 0 && segment_after(reader->directory, number, &number, &ignored) == 0 &&
           number >= 0)
        if (open_number(reader, &after, number, &ignored) == 1)
            start = start_in(after.db, topic, partition);
    close_segment(&after);
    if (start < 0)
        return failure_set(failure, why.code, "%.180s", why.message);
    return failure_set(failure, why.code, "offsets %lld to %lld of %.*s-%d: %.120s",
                       (long long)first, (long long)start - 1, (int)topic.length, topic.bytes,
                       partition, why.message);
}

/* Opens the newest segment that begins at or below `offset` and can be read. 1, 0 no such
 * partition, -1. Where one above it cannot, finding goes on into that one and says so. */
static int seek(struct journal_reader *reader, struct text topic, int partition, int64_t offset,
                struct failure *failure)
{
    if (scan_is_for(reader, topic, partition) && reader->find_start >= 0 &&
        reader->find_start <= offset)
        return 1;
    int64_t lowest, highest, unreadable_number = -1;
    if (segment_range(reader->directory, &lowest, &highest, failure) != 0)
        return -1;
    for (int64_t number = highest; number >= 0;) {
        forget_aim(reader);
        int found = open_number(reader, &reader->scan, number, failure);
        if (found == 1 && aim(reader, topic, partition, failure) != 0)
            found = -1;
        /* One that cannot be opened may be a roll that fails, and gone at the next look. */
        if (found == 1 && number > reader->newest)
            reader->newest = number;
        if (found < 0)
            unreadable_number = number;
        if (found == 1 && reader->find_start < 0)
            return 0; /* topics are carried on, so an older segment does not have it either */
        if (found == 1 && reader->find_start <= offset)
            return 1;
        if (segment_before(reader->directory, number, &number, failure) != 0)
            return -1;
    }
    if (unreadable_number >= 0) {
        close_scan(reader);
        return name_damage(reader, topic, partition, unreadable_number, offset, failure);
    }
    return failure_set(failure, "OFFSET_OUT_OF_RANGE", "offset %lld of %.*s-%d is gone",
                       (long long)offset, (int)topic.length, topic.bytes, partition);
}

/* The chain up to `batch` in `before`. 0, -1 where the batch before it does not end there, -2 where
 * that cannot be read. */
static int find_chain(struct journal_reader *reader, const struct batch *batch,
                      unsigned char before[SHA256_BYTES])
{
    int64_t end = reader->proved_end;
    memcpy(before, reader->proved_hash, SHA256_BYTES);
    if (end == batch->base_offset)
        return 0;
    end = reader->find_start;
    memcpy(before, reader->start_hash, SHA256_BYTES);
    db_bind_int(reader->find_before, 1, batch->base_offset);
    enum db_result result = db_step(reader->find_before);
    if (result == DB_ROW && db_blob(reader->find_before, 1).length == SHA256_BYTES) {
        end = db_int(reader->find_before, 0);
        memcpy(before, db_blob(reader->find_before, 1).bytes, SHA256_BYTES);
    }
    db_reset(reader->find_before);
    return result > DB_ROW ? -2 : end == batch->base_offset ? 0 : -1;
}

/* A batch is handed out only where its hash fits what it holds and the batch before it: a disk that
 * gives back other bytes than it was given must not sell anything. 1 or -1. */
static int prove(struct journal_reader *reader, const struct batch *batch, struct failure *failure)
{
    unsigned char before[SHA256_BYTES], after[SHA256_BYTES];
    if (batch->base_offset == reader->proved_base)
        return 1;
    int chain = find_chain(reader, batch, before);
    bool whole = chain == 0;
    if (chain == -2)
        return unreadable(reader->scan.db, failure);
    if (whole)
        batch_hash(reader->hash, before, batch, after);
    if ((!whole || !text_equal(batch->hash, (struct text){(const char *)after, SHA256_BYTES})) &&
        !PLANTED(TORN_BATCH_TAKEN))
        return failure_set(
            failure, "DAMAGED",
            "%s: the batch at offset %lld of %s-%d is damaged: its hash does not fit",
            db_path(reader->scan.db), (long long)batch->base_offset, reader->find_topic,
            reader->find_partition);
    reader->proved_base = batch->base_offset;
    reader->proved_end = batch->base_offset + batch->count;
    memcpy(reader->proved_hash, after, SHA256_BYTES);
    return 1;
}

/* 1 found, 0 this segment ends before `offset`, -1. */
static int find_here(struct journal_reader *reader, int64_t offset, struct batch *batch,
                     struct failure *failure)
{
    struct db_statement *find = reader->find;
    db_reset(find);
    db_bind_int(find, 1, offset);
    enum db_result result = db_step(find);
    if (result == DB_ROW) {
        *batch = (struct batch){
            .base_offset = db_int(find, 0),
            .count = db_int(find, 1),
            .format = db_int(find, 2),
            .time_ms = db_int(find, 3),
            .lengths = db_blob(find, 4),
            .meta = db_text(find, 5),
            .records = db_text(find, 6),
            .hash = db_blob(find, 7),
        };
        if (batch_has_offsets(batch) && offset < batch->base_offset + batch->count) {
            int proved = prove(reader, batch, failure);
            if (proved < 0)
                db_reset(find);
            return proved;
        }
    }
    bool sound = result == DB_DONE || (result == DB_ROW && batch_has_offsets(batch));
    db_reset(find);
    if (sound)
        return 0;
    if (result == DB_ROW)
        return failure_set(failure, "DAMAGED", "%s: the batch before offset %lld of %s-%d is none",
                           db_path(reader->scan.db), (long long)offset, reader->find_topic,
                           reader->find_partition);
    return unreadable(reader->scan.db, failure);
}

static int missing(struct journal_reader *reader, int64_t offset, struct failure *failure)
{
    return failure_set(failure, "DAMAGED", "%s: offset %lld of %s-%d is missing",
                       db_path(reader->scan.db), (long long)offset, reader->find_topic,
                       reader->find_partition);
}

/* The newest segment does not have `offset`. 0 where that is because it is not written yet (it may
 * be by now), -1 where what comes behind it is written: then it never will be. */
static int find_nothing(struct journal_reader *reader, int64_t offset, struct failure *failure)
{
    db_bind_int(reader->find_next, 1, offset);
    enum db_result result = db_step(reader->find_next);
    int64_t next = result == DB_ROW ? db_int(reader->find_next, 0) : offset;
    db_reset(reader->find_next);
    if (result != DB_ROW && result != DB_DONE)
        return unreadable(reader->scan.db, failure);
    return next > offset ? missing(reader, offset, failure) : 0;
}

/* The segment after the scan's cannot be read: true where `offset` lies in one behind it, which the
 * scan is at now. */
static bool seek_behind(struct journal_reader *reader, struct text topic, int partition,
                        int64_t offset)
{
    struct failure ignored;
    int64_t before = reader->scan.number;
    forget_aim(reader);
    return seek(reader, topic, partition, offset, &ignored) == 1 && reader->scan.number > before;
}

int journal_reader_find(struct journal_reader *reader, struct text topic, int partition,
                        int64_t offset, struct batch *batch, struct failure *failure)
{
    journal_reader_rest(reader);
    int found = seek(reader, topic, partition, offset, failure);
    if (found != 1)
        return found;
    for (;;) {
        found = find_here(reader, offset, batch, failure);
        if (found != 0)
            return found;
        int64_t next = reader->scan.number + 1;
        bool exists = segment_exists(reader->directory, next);
        if (!exists && reader->scan.number >= reader->newest)
            return find_nothing(reader, offset, failure);
        /* The next segment is there, so this one is complete: but it may have grown between our
         * look and the roll. Look once more, then move on. */
        found = find_here(reader, offset, batch, failure);
        if (found != 0)
            return found;
        struct open_segment newer = {0};
        found = open_number(reader, &newer, next, failure);
        if (!exists || (found == 0 && reader->scan.number < reader->newest))
            found = failure_set(failure, "DAMAGED", "segment %lld is missing", (long long)next);
        if (found < 0 && seek_behind(reader, topic, partition, offset))
            continue;
        if (found < 0)
            return name_damage(reader, topic, partition, next, offset, failure);
        if (found == 0)
            return 0;
        reader->newest = next > reader->newest ? next : reader->newest;
        close_scan(reader);
        reader->scan = newer;
        if (aim(reader, topic, partition, failure) != 0)
            return -1;
        if (reader->find_start < 0 || reader->find_start > offset)
            return missing(reader, offset, failure);
    }
}

/* The next offset to be written, where (topic, partition) begins at `start`. 0 or -1. */
static int end_in(struct db *db, struct text topic, int partition, int64_t start, int64_t *end,
                  struct failure *failure)
{
    char sql[TABLE_NAME_BYTES + 96], table[TABLE_NAME_BYTES];
    partition_table(table, topic, partition);
    snprintf(sql, sizeof sql,
             "SELECT base_offset + count FROM \"%s\" ORDER BY base_offset DESC LIMIT 1", table);
    struct db_statement *last = db_prepare(db, sql);
    if (!last)
        return unreadable(db, failure);
    enum db_result result = db_step(last);
    *end = result == DB_ROW ? db_int(last, 0) : start;
    db_finalize(last);
    return result == DB_ROW || result == DB_DONE ? 0 : unreadable(db, failure);
}

int journal_reader_bounds(struct journal_reader *reader, struct text topic, int partition,
                          int64_t *start, int64_t *end, struct failure *failure)
{
    if (open_active(reader, failure) != 0)
        return -1;
    struct db_statement *statement =
        db_prepare(reader->active.db,
                   "SELECT log_start, start FROM tillq_partition WHERE topic=? AND partition=?");
    if (!statement)
        return unreadable(reader->active.db, failure);
    db_bind_text(statement, 1, topic);
    db_bind_int(statement, 2, partition);
    enum db_result result = db_step(statement);
    int found = result == DB_ROW    ? 1
                : result == DB_DONE ? 0
                                    : unreadable(reader->active.db, failure);
    if (found == 1) {
        *start = db_int(statement, 0);
        if (end_in(reader->active.db, topic, partition, db_int(statement, 1), end, failure) != 0)
            found = -1;
    }
    db_finalize(statement);
    return found;
}

int journal_reader_partitions(struct journal_reader *reader,
                              void (*each)(struct text topic, int partition, int64_t start,
                                           int64_t end, void *context),
                              void *context, struct failure *failure)
{
    if (open_active(reader, failure) != 0)
        return -1;
    struct db_statement *statement = db_prepare(
        reader->active.db,
        "SELECT topic, partition, log_start, start FROM tillq_partition ORDER BY topic, partition");
    if (!statement)
        return unreadable(reader->active.db, failure);
    enum db_result result;
    int64_t end;
    while ((result = db_step(statement)) == DB_ROW) {
        struct text topic = db_text(statement, 0);
        int partition = (int)db_int(statement, 1);
        if (end_in(reader->active.db, topic, partition, db_int(statement, 3), &end, failure) != 0)
            break;
        each(topic, partition, db_int(statement, 2), end, context);
    }
    db_finalize(statement);
    return result == DB_DONE ? 0 : result == DB_ROW ? -1 : unreadable(reader->active.db, failure);
}

int journal_reader_holes(struct journal_reader *reader,
                         void (*each)(const struct hole *hole, void *context), void *context,
                         struct failure *failure)
{
    if (open_active(reader, failure) != 0)
        return -1;
    return hole_each(reader->active.db, each, context) == 0
               ? 0
               : unreadable(reader->active.db, failure);
}

/* One number out of the active segment, -1 where there is no row. */
static int look_up(struct journal_reader *reader, const char *sql, struct text first,
                   struct text second, int third, int64_t *value, struct failure *failure)
{
    if (open_active(reader, failure) != 0)
        return -1;
    struct db_statement *statement = db_prepare(reader->active.db, sql);
    if (!statement)
        return unreadable(reader->active.db, failure);
    db_bind_text(statement, 1, first);
    if (second.bytes) {
        db_bind_text(statement, 2, second);
        db_bind_int(statement, 3, third);
    }
    enum db_result result = db_step(statement);
    *value = result == DB_ROW ? db_int(statement, 0) : -1;
    db_finalize(statement);
    return result == DB_ROW || result == DB_DONE ? 0 : unreadable(reader->active.db, failure);
}

int journal_reader_last_seq(struct journal_reader *reader, struct text producer, int64_t *last_seq,
                            struct failure *failure)
{
    return look_up(reader, "SELECT last_seq FROM tillq_producer WHERE name=?", producer,
                   (struct text){0}, 0, last_seq, failure);
}

int journal_reader_committed(struct journal_reader *reader, struct text group, struct text topic,
                             int partition, int64_t *offset, struct failure *failure)
{
    return look_up(reader,
                   "SELECT \"offset\" FROM tillq_group WHERE name=? AND topic=? AND partition=?",
                   group, topic, partition, offset, failure);
}

static int64_t bytes_of(const char *path, const char *suffix)
{
    char name[PATH_MAX + 8];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    struct disk_status status;
    return disk_status(name, &status) == 0 ? status.bytes : 0;
}

int journal_reader_size(struct journal_reader *reader, int64_t *segments, int64_t *bytes,
                        struct failure *failure)
{
    int64_t lowest, highest;
    *segments = *bytes = 0;
    if (segment_range(reader->directory, &lowest, &highest, failure) != 0)
        return -1;
    for (int64_t number = lowest; number >= 0;) {
        char path[PATH_MAX];
        segment_path(path, reader->directory, number);
        *segments += 1;
        *bytes += bytes_of(path, "") + bytes_of(path, "-wal");
        if (segment_after(reader->directory, number, &number, failure) != 0)
            return -1;
    }
    return 0;
}
