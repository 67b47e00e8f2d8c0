#include "stock/rebuild.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/lock.h"
#include "stock/compare.h"
#include "stock/replay.h"

#define REBUILD_FILE STOCK_FILE ".rebuild"
#define CACHE_BYTES (64 << 20)

struct rebuilding {
    const char *directory;
    char path[PATH_MAX]; /* of the new file */
    struct journal_reader *journal;
    struct stock *stock; /* the new one */
    rebuild_progress *progress;
    void *context;
    int64_t end;
    struct rebuild *rebuild;
};

static bool tell(int64_t applied, int64_t until, void *context)
{
    struct rebuilding *rebuilding = context;
    (void)until;
    if (rebuilding->progress)
        rebuilding->progress(applied, rebuilding->end, rebuilding->context);
    return true;
}

static void remove_new(const struct rebuilding *rebuilding)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (int i = 0; i < 4; i++) {
        char path[PATH_MAX + 16];
        snprintf(path, sizeof path, "%s%s", rebuilding->path, suffixes[i]);
        disk_remove(path);
    }
}

/* Compares with the live file at the offset the live file stands at. */
static int compare_live(struct rebuilding *rebuilding, struct db *live, struct failure *failure)
{
    struct rebuild *rebuild = rebuilding->rebuild;
    rebuild->equal = true;
    for (int i = 0; i < stock_table_count; i++) {
        struct comparison comparison;
        if (compare_table(stock_db(rebuilding->stock), live, &stock_tables[i], &comparison,
                          failure) != 0) {
            if (strcmp(failure->code, "DAMAGED") != 0)
                return -1;
            comparison.equal = false; /* a live file that cannot be read is what we are here for */
        }
        struct rebuild_table *table = &rebuild->tables[rebuild->table_count++];
        snprintf(table->name, sizeof table->name, "%s", stock_tables[i].name);
        table->rows = comparison.rows;
        table->equal = comparison.equal;
        rebuild->equal = rebuild->equal && comparison.equal;
    }
    return 0;
}

/* How far the live file is, 0 where that is damaged. 0, or -1 where it cannot be told now. */
static int applied_in(struct db *live, int64_t *applied, struct failure *failure)
{
    enum db_result result =
        db_ask_int(live, "SELECT applied FROM progress WHERE partition=0", applied);
    if (result == DB_ROW || result == DB_DONE || result == DB_DAMAGED || result == DB_MISTAKE)
        return 0;
    return failure_set(failure, "FAILED", "%s: cannot be read now", db_path(live));
}

static int replay_and_compare(struct rebuilding *rebuilding, struct failure *failure)
{
    struct db *live = NULL;
    int opened = stock_open_read(&live, rebuilding->directory, failure);
    if (opened < 0 && strcmp(failure->code, "DAMAGED") != 0)
        return -1;
    if (opened == 0) {
        int64_t applied = 0;
        rebuilding->rebuild->had_before = true;
        int result = applied_in(live, &applied, failure);
        if (result == 0)
            result =
                replay(rebuilding->journal, rebuilding->stock, applied, tell, rebuilding, failure);
        if (result == 0)
            result = compare_live(rebuilding, live, failure);
        db_close(live);
        if (result != 0)
            return -1;
    }
    return replay(rebuilding->journal, rebuilding->stock, INT64_MAX, tell, rebuilding, failure);
}

/* Gets the live file's log out of the way: opened and closed by its owner it is one file, and a
 * file that cannot even be opened is moved aside, log and all. A log left behind would be played
 * into the new file. */
static int clear_place(const struct rebuilding *rebuilding, struct failure *failure)
{
    static const char *const suffixes[] = {"-wal", "-shm"};
    struct failure ignored;
    struct stock *live;
    if (stock_open(&live, STOCK_LIVE, rebuilding->directory, 0, &ignored) == 0)
        stock_close(live);
    for (int i = 0; i < 2; i++) {
        char from[PATH_MAX], to[PATH_MAX];
        snprintf(from, sizeof from, "%s/" STOCK_FILE "%s", rebuilding->directory, suffixes[i]);
        snprintf(to, sizeof to, "%s/" STOCK_FILE ".damaged%s", rebuilding->directory, suffixes[i]);
        if (disk_rename(from, to) != 0 && errno != ENOENT)
            return failure_set(failure, "FAILED", "%s: %s", from, strerror(errno));
    }
    return 0;
}

static int put_in_place(struct rebuilding *rebuilding, struct failure *failure)
{
    char live[PATH_MAX];
    snprintf(live, sizeof live, "%s/" STOCK_FILE, rebuilding->directory);
    /* One file, for certain: a log left behind would not go with its name. */
    if (db_seal(stock_db(rebuilding->stock)) != DB_DONE)
        return failure_set(failure, "FAILED", "%s: cannot be finished", rebuilding->path);
    stock_close(rebuilding->stock);
    rebuilding->stock = NULL;
    if (clear_place(rebuilding, failure) != 0)
        return -1;
    if (disk_rename(rebuilding->path, live) != 0)
        return failure_set(failure, "FAILED", "%s: %s", live, strerror(errno));
    return 0;
}

static int open_all(struct rebuilding *rebuilding, struct failure *failure)
{
    int64_t start;
    if (journal_reader_open(&rebuilding->journal, rebuilding->directory, failure) != 0 ||
        journal_reader_bounds(rebuilding->journal, TEXT_LITERAL(STOCK_TOPIC), 0, &start,
                              &rebuilding->end, failure) != 1)
        return -1;
    remove_new(rebuilding);
    return stock_open(&rebuilding->stock, STOCK_AT_PATH, rebuilding->path, CACHE_BYTES, failure);
}

int rebuild_directory(const char *directory, rebuild_progress *progress, void *context,
                      struct rebuild *rebuild, struct failure *failure)
{
    struct rebuilding rebuilding = {
        .directory = directory, .progress = progress, .context = context, .rebuild = rebuild};
    int64_t began_us = clock_monotonic_us(&clock_system);
    *rebuild = (struct rebuild){0};
    snprintf(rebuilding.path, sizeof rebuilding.path, "%s/" REBUILD_FILE, directory);
    int lock = lock_take(directory, "tillq rebuild", failure);
    if (lock < 0)
        return -1;
    int result = open_all(&rebuilding, failure);
    if (result == 0)
        result = replay_and_compare(&rebuilding, failure);
    if (result == 0) {
        const struct progress *done = stock_progress(rebuilding.stock, 0);
        rebuild->applied = done->applied;
        for (int i = 0; i < OUTCOME_COUNT; i++)
            rebuild->documents += done->outcomes[i];
        result = put_in_place(&rebuilding, failure);
    }
    stock_close(rebuilding.stock);
    if (result != 0)
        remove_new(&rebuilding);
    journal_reader_close(rebuilding.journal);
    close(lock);
    rebuild->elapsed_ms = (clock_monotonic_us(&clock_system) - began_us) / 1000;
    return result;
}
