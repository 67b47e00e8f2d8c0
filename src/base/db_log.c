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
    unsigned char *frame;
    struct checksum stored, found; /* of the frame before: as it says itself, as it is */
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

/* 1 a log, 0 none that counts, -1. */
static int begin(struct look *look)
{
    unsigned char header[HEADER_BYTES];
    int64_t read = db_read_log(look->db, 0, header, sizeof header);
    if (read < (int64_t)sizeof header)
        return read < 0 && db_last_result(look->db) >= DB_FULL ? -1 : 0;
    uint32_t magic = big(header);
    look->big_endian = magic & 1;
    look->page_bytes = big(header + 8);
    look->salt[0] = big(header + 16);
    look->salt[1] = big(header + 20);
    look->stored = (struct checksum){big(header + 24), big(header + 28)};
    look->found = add((struct checksum){0}, header, 24, look->big_endian);
    bool sound = (magic & ~1u) == MAGIC && same(look->found, look->stored) &&
                 look->page_bytes >= 512 && look->page_bytes <= 65536;
    if (!sound)
        return 0;
    look->frame = malloc((size_t)(FRAME_HEADER_BYTES + look->page_bytes));
    return look->frame ? 1 : -1;
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

int db_log_look(struct db *db, struct db_log *log)
{
    struct look look = {.db = db};
    *log = (struct db_log){.bad_frame = -1};
    int result = begin(&look);
    if (result == 1) {
        int whole;
        while ((whole = next(&look, log->frames)) == 1) {
            log->commits += big(look.frame + 4) != 0;
            log->frames++;
        }
        if (whole == 0) {
            log->bad_frame = log->frames;
            log->damaged = another_commit(&look, log->frames);
        }
    }
    free(look.frame);
    return result < 0 ? -1 : 0;
}
