#include "base/db_log.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 32
#define FRAME_HEADER_BYTES 24
#define MAGIC 0x377f0682u
#define BROKEN_AT_MOST 4 /* frames in a row that a bad place may spoil */

struct checksum {
    uint32_t a, b;
};

struct look {
    struct db *db;
    bool big_endian;
    uint32_t salt[2];
    int64_t page_bytes;
    unsigned char *frame;          /* and room for another page behind it */
    struct checksum stored, found; /* of the frame before: as it says itself, as it is */
    struct checksum header_stored, header_found;
};

static bool same(struct checksum one, struct checksum other)
{
    return one.a == other.a && one.b == other.b;
}

static uint32_t big(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t word(const unsigned char *at, bool big_endian)
{
    return big_endian
               ? big(at)
               : (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static struct checksum add(struct checksum sum, const unsigned char *bytes, int64_t length,
                           bool big_endian)
{
    for (int64_t i = 0; i + 8 <= length; i += 8) {
        sum.a += word(bytes + i, big_endian) + sum.b;
        sum.b += word(bytes + i + 4, big_endian) + sum.a;
    }
    return sum;
}

/* What the file itself says: the log's header may be the one that is wrong. */
static int64_t page_bytes_of_file(struct look *look)
{
    unsigned char bytes[2];
    if (db_read_file(look->db, 16, bytes, sizeof bytes) != sizeof bytes)
        return 0;
    int64_t count = bytes[0] << 8 | bytes[1];
    return count == 1 ? 65536 : count;
}

enum header { NO_LOG, SOUND_HEADER, WRONG_HEADER, UNREADABLE_LOG, NO_MEMORY_FOR_LOG };

static enum header begin(struct look *look)
{
    unsigned char header[HEADER_BYTES];
    int64_t read = db_read_log(look->db, 0, header, sizeof header);
    if (read < (int64_t)sizeof header)
        return read < 0 && db_last_result(look->db) >= DB_FULL ? UNREADABLE_LOG : NO_LOG;
    uint32_t magic = big(header);
    look->big_endian = magic & 1;
    look->page_bytes = big(header + 8);
    look->salt[0] = big(header + 16);
    look->salt[1] = big(header + 20);
    look->stored = look->header_stored = (struct checksum){big(header + 24), big(header + 28)};
    look->found = look->header_found = add((struct checksum){0}, header, 24, look->big_endian);
    bool sound = (magic & ~1u) == MAGIC && same(look->found, look->stored);
    if (!sound)
        look->page_bytes = page_bytes_of_file(look);
    if (look->page_bytes < 512 || look->page_bytes > 65536)
        return NO_LOG;
    look->frame = malloc((size_t)(FRAME_HEADER_BYTES + 2 * look->page_bytes));
    return !look->frame ? NO_MEMORY_FOR_LOG : sound ? SOUND_HEADER : WRONG_HEADER;
}

static bool of_this_log(const struct look *look)
{
    return big(look->frame + 8) == look->salt[0] && big(look->frame + 12) == look->salt[1];
}

/* Of the frame read last, going on from `before`. */
static struct checksum sum_from(const struct look *look, struct checksum before)
{
    struct checksum sum = add(before, look->frame, 8, look->big_endian);
    return add(sum, look->frame + FRAME_HEADER_BYTES, look->page_bytes, look->big_endian);
}

/* Reads frame `number`. 1 it goes on from the one before, 0 it does not, -1 the log ends. Where
 * only the checksum of the one before is wrong, it goes on from what that should be. */
static int next(struct look *look, int64_t number)
{
    unsigned char *frame = look->frame;
    int64_t bytes = FRAME_HEADER_BYTES + look->page_bytes;
    if (db_read_log(look->db, HEADER_BYTES + number * bytes, frame, bytes) != bytes)
        return -1;
    struct checksum stored = {big(frame + 16), big(frame + 20)};
    struct checksum sum = sum_from(look, look->stored);
    if (!same(sum, stored) && !same(look->stored, look->found)) {
        struct checksum other = sum_from(look, look->found);
        sum = same(other, stored) ? other : sum;
    }
    look->found = sum;
    look->stored = stored;
    return of_this_log(look) && same(sum, stored);
}

/* Behind the bad frame: does a commit end and another begin in one run of whole frames? A commit
 * may be padded with copies of its last frame. */
static bool another_commit(struct look *look, int64_t bad)
{
    bool ended =
        big(look->frame + 4) != 0 && (of_this_log(look) || same(look->found, look->stored));
    uint32_t last_page = big(look->frame);
    int64_t broken = 1;
    for (int64_t number = bad + 1;; number++) {
        int whole = next(look, number);
        if (whole < 0)
            return false;
        if (whole == 0) {
            if (++broken > BROKEN_AT_MOST)
                return false;
            ended = false;
            continue;
        }
        broken = BROKEN_AT_MOST;
        uint32_t page = big(look->frame);
        bool ends = big(look->frame + 4) != 0;
        if (ended && !(ends && page == last_page))
            return true;
        ended = ended || ends;
        last_page = page;
    }
}

/* --- what SQLite would forget, and the file --- */

struct version {
    uint32_t page;
    int64_t frame;
};

struct run {
    struct version *versions;
    size_t count, limit;
    size_t committed;   /* of them: up to the last that ends a commit */
    uint32_t last_page; /* of the file, after that commit */
};

static int run_add(struct run *run, struct version version, uint32_t ends)
{
    if (run->count == run->limit) {
        size_t limit = run->limit ? 2 * run->limit : 256;
        struct version *more = realloc(run->versions, limit * sizeof *more);
        if (!more)
            return -1;
        run->versions = more;
        run->limit = limit;
    }
    run->versions[run->count++] = version;
    if (ends != 0) {
        run->committed = run->count;
        run->last_page = ends;
    }
    return 0;
}

/* Finds the first frames that are whole among themselves. Behind a wrong header the first of them
 * has nothing to go on from: it is the one that the second goes on from, of the same salts. Behind
 * a sound one it is left out: it may have been written over in part. 0, -1 no memory. */
static int gather(struct look *look, bool sound_header, struct run *run)
{
    struct version before = {0}, version = {0};
    uint32_t before_ends = 0, ends = 0;
    int64_t number = 0;
    int whole;
    look->stored = look->header_stored;
    look->found = look->header_found;
    while ((whole = next(look, number)) >= 0) {
        version = (struct version){big(look->frame), number++};
        ends = big(look->frame + 4);
        if (!sound_header) {
            look->salt[0] = big(look->frame + 8);
            look->salt[1] = big(look->frame + 12);
            whole = whole || (number == 1 && same(look->stored, look->found));
        }
        if (whole || number > BROKEN_AT_MOST)
            break;
        before = version;
        before_ends = ends;
    }
    if (whole == 1 && !sound_header && number > 1 && run_add(run, before, before_ends) != 0)
        return -1;
    while (whole == 1 && version.page != 0) {
        if (run_add(run, version, ends) != 0)
            return -1;
        whole = next(look, number);
        version = (struct version){big(look->frame), number++};
        ends = big(look->frame + 4);
    }
    return 0;
}

/* By page, the last frame first. */
static int order(const void *left, const void *right)
{
    const struct version *one = left, *other = right;
    if (one->page != other->page)
        return one->page < other->page ? -1 : 1;
    return (one->frame < other->frame) - (one->frame > other->frame);
}

static bool is_in_file(struct look *look, struct version version)
{
    int64_t bytes = look->page_bytes;
    unsigned char *logged = look->frame + FRAME_HEADER_BYTES, *filed = logged + bytes;
    int64_t at = HEADER_BYTES + version.frame * (FRAME_HEADER_BYTES + bytes) + FRAME_HEADER_BYTES;
    return db_read_log(look->db, at, logged, bytes) == bytes &&
           db_read_file(look->db, (version.page - INT64_C(1)) * bytes, filed, bytes) == bytes &&
           memcmp(logged, filed, (size_t)bytes) == 0;
}

/* 1 a commit among the frames that SQLite will not read is not in the file, 0 none, -1 no memory.
 */
static int would_forget(struct look *look, bool sound_header)
{
    struct run run = {0};
    int result = gather(look, sound_header, &run);
    if (result == 0 && run.committed > 0) {
        qsort(run.versions, run.committed, sizeof *run.versions, order);
        uint32_t page = 0;
        for (size_t i = 0; result == 0 && i < run.committed; i++) {
            if (run.versions[i].page != page && run.versions[i].page <= run.last_page)
                result = !is_in_file(look, run.versions[i]);
            page = run.versions[i].page;
        }
    }
    free(run.versions);
    return result;
}

static int look_at_frames(struct look *look, struct db_log *log)
{
    int whole;
    while ((whole = next(look, log->frames)) == 1) {
        log->commits += big(look->frame + 4) != 0;
        log->frames++;
    }
    if (whole < 0)
        return 0;
    log->bad_frame = log->frames;
    int forgets = another_commit(look, log->frames);
    if (forgets && log->frames == 0)
        forgets = would_forget(look, true);
    log->damaged = forgets == 1;
    return forgets < 0 ? -2 : 0;
}

/* The header may be wrong in the bit that says how to add up, too. */
static int look_without_header(struct look *look, struct db_log *log)
{
    int forgets = would_forget(look, false);
    if (forgets == 0) {
        look->big_endian = !look->big_endian;
        forgets = would_forget(look, false);
    }
    log->damaged = forgets == 1;
    return forgets < 0 ? -2 : 0;
}

int db_log_look(struct db *db, struct db_log *log)
{
    struct look look = {.db = db};
    int result = 0;
    *log = (struct db_log){.bad_frame = -1};
    switch (begin(&look)) {
    case NO_LOG:
        break;
    case SOUND_HEADER:
        result = look_at_frames(&look, log);
        break;
    case WRONG_HEADER:
        result = look_without_header(&look, log);
        break;
    case UNREADABLE_LOG:
        result = -1;
        break;
    case NO_MEMORY_FOR_LOG:
        result = -2;
        break;
    }
    free(look.frame);
    return result;
}
