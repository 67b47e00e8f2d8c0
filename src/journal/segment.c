#include "journal/segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "journal/schema.h"

#define DIGITS 10

void segment_path(char path[PATH_MAX], const char *directory, int64_t number)
{
    snprintf(path, PATH_MAX, "%s/" JOURNAL_FOLDER "/%0*lld.db", directory, DIGITS,
             (long long)number);
}

/* The number in "0000000042.db", or -1: logs, indexes and strangers' files are not segments. */
static int64_t number_of(const char *name)
{
    char *end;
    if (strlen(name) != DIGITS + 3 || strspn(name, "0123456789") != DIGITS)
        return -1;
    long long number = strtoll(name, &end, 10);
    return strcmp(end, ".db") == 0 ? number : -1;
}

/* Of the numbers from `from` to `to`. */
struct range {
    int64_t from, to;
    int64_t lowest, highest; /* found; -1 = none */
};

static void widen(const char *name, void *argument)
{
    struct range *range = argument;
    int64_t number = number_of(name);
    if (number < range->from || number > range->to)
        return;
    if (range->lowest < 0 || number < range->lowest)
        range->lowest = number;
    if (number > range->highest)
        range->highest = number;
}

static int look(const char *directory, struct range *range, struct failure *failure)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s/" JOURNAL_FOLDER, directory);
    range->lowest = range->highest = -1;
    if (disk_list(folder, widen, range) == 0)
        return 0;
    return failure_set(failure, "FAILED", "%s: %s%s", folder, strerror(errno),
                       errno == ENOENT ? "; that is no data directory of tillqd" : "");
}

int segment_range(const char *directory, int64_t *lowest, int64_t *highest, struct failure *failure)
{
    struct range range = {.from = 0, .to = SEGMENT_LAST};
    int result = look(directory, &range, failure);
    *lowest = range.lowest;
    *highest = range.highest;
    return result;
}

int segment_before(const char *directory, int64_t number, int64_t *found, struct failure *failure)
{
    struct range range = {.from = 0, .to = number - 1};
    *found = number - 1;
    if (number <= 0 || segment_exists(directory, *found))
        return 0;
    int result = look(directory, &range, failure);
    *found = range.highest;
    return result;
}

int segment_after(const char *directory, int64_t number, int64_t *found, struct failure *failure)
{
    struct range range = {.from = number + 1, .to = SEGMENT_LAST};
    *found = number + 1;
    if (segment_exists(directory, *found))
        return 0;
    int result = look(directory, &range, failure);
    *found = range.lowest;
    return result;
}

bool segment_exists(const char *directory, int64_t number)
{
    char path[PATH_MAX];
    segment_path(path, directory, number);
    return disk_has(path);
}

int segment_check(struct db *db, struct failure *failure)
{
    int64_t tables =
        db_int_of(db, "SELECT count(*) FROM sqlite_schema WHERE name='tillq_format'", -1);
    if (tables == 0)
        return 0;
    int64_t version = tables < 0 ? -1 : db_int_of(db, "SELECT version FROM tillq_format", -1);
    if (version == JOURNAL_FORMAT)
        return 1;
    if (version < 0)
        return failure_set(failure, db_is_damaged(db) ? "DAMAGED" : "FAILED", "%s: cannot be read",
                           db_path(db));
    return failure_set(failure, "FAILED", "%s: format %lld; this program knows %d", db_path(db),
                       (long long)version, JOURNAL_FORMAT);
}

int segment_open(struct db **out, const char *directory, int64_t number, int64_t cache_bytes,
                 struct failure *failure)
{
    if (!segment_exists(directory, number))
        return 0;
    char path[PATH_MAX];
    segment_path(path, directory, number);
    struct db *db;
    if (db_open(&db, path, &(struct db_options){.mode = DB_READ, .cache_bytes = cache_bytes},
                failure) != 0)
        return -1;
    int whole = segment_check(db, failure);
    if (whole == 1)
        *out = db;
    else
        db_close(db);
    return whole;
}
