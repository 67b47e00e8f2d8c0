#include "stock/live.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/disk.h"
#include "base/incident.h"
#include "journal/inspect.h"

#define PATH_BYTES (PATH_MAX + 64)

static int free_number(const char *directory)
{
    char path[PATH_BYTES];
    int number = 0;
    do
        snprintf(path, sizeof path, "%s/" STOCK_FILE ".aside-%d", directory, ++number);
    while (disk_has(path));
    return number;
}

/* 0, also where there is no such file. */
static int move_aside(const char *directory, int number, const char *suffix,
                      struct failure *failure)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    snprintf(from, sizeof from, "%s/" STOCK_FILE "%s", directory, suffix);
    snprintf(to, sizeof to, "%s/" STOCK_FILE ".aside-%d%s", directory, number, suffix);
    if (!disk_has(from) || disk_rename(from, to) == 0)
        return 0;
    return failure_set(failure, "FAILED", "%s: %s", from, strerror(errno));
}

static int sync_names(const char *directory, struct failure *failure)
{
    if (disk_sync_folder(directory) == 0)
        return 0;
    return failure_set(failure, "FAILED", "%s: %s", directory, strerror(errno));
}

/* The log follows only when its file is gone for certain: without its log the file would pass for a
 * sound one, of which some pages are older than others. A log without its file misleads nobody: the
 * next start comes here again. */
int live_set_aside(const char *directory, const char *why, struct failure *failure)
{
    char path[PATH_BYTES];
    int number = free_number(directory);
    snprintf(path, sizeof path, "%s/" STOCK_FILE, directory);
    if (disk_has(path)) {
        if (move_aside(directory, number, "", failure) != 0)
            return -1;
        incident_note(INCIDENT_STOCK_SET_ASIDE,
                      STOCK_FILE " %s; it is made anew, and kept as %s.aside-%d", why, path,
                      number++);
    }
    snprintf(path, sizeof path, "%s/" STOCK_FILE ".aside-%d-wal", directory, --number);
    number += number == 0 || disk_has(path); /* its file was removed by somebody else */
    if (sync_names(directory, failure) != 0 ||
        move_aside(directory, number, "-wal", failure) != 0 ||
        move_aside(directory, number, "-shm", failure) != 0)
        return -1;
    return sync_names(directory, failure);
}

/* A log whose file is gone: the power went while both were set aside. */
static int finish_set_aside(const char *directory, struct failure *failure)
{
    char file[PATH_BYTES], log[PATH_BYTES];
    snprintf(file, sizeof file, "%s/" STOCK_FILE, directory);
    snprintf(log, sizeof log, "%s/" STOCK_FILE "-wal", directory);
    return disk_has(file) || !disk_has(log) ? 0 : live_set_aside(directory, "", failure);
}

static int make_anew(struct stock **out, const char *directory, int64_t cache_bytes,
                     const char *why, struct failure *failure)
{
    *out = NULL;
    if (live_set_aside(directory, why, failure) != 0)
        return -1;
    return stock_open(out, STOCK_LIVE, directory, cache_bytes, failure) == 0 ? 0 : -1;
}

/* One above its last document: as far as it is applied, where no hole follows. -1: nobody can
 * tell. */
static int64_t documents_end(struct db *stock, int partition)
{
    char sql[96];
    int64_t last = -1;
    snprintf(sql, sizeof sql, "SELECT max(offset) FROM document WHERE partition=%d", partition);
    enum db_result result = db_ask_int(stock, sql, &last);
    return result == DB_ROW || result == DB_DONE ? last + 1 : -1;
}

/* Documents it holds that the journal has lost: it is no longer the fold of the journal. */
struct lost {
    struct db *stock;
    int64_t reached; /* partition 0: by its documents, and the holes behind them */
    bool holds_some;
};

static void look_for_lost(const struct hole *hole, void *context)
{
    struct lost *lost = context;
    char sql[160];
    if (!text_is(hole->topic, STOCK_TOPIC) || lost->holds_some)
        return;
    if (hole->partition == 0 && hole->first <= lost->reached && hole->next > lost->reached)
        lost->reached = hole->next;
    snprintf(sql, sizeof sql,
             "SELECT 1 FROM document WHERE partition=%d AND offset>=%lld AND offset<%lld LIMIT 1",
             hole->partition, (long long)hole->first, (long long)hole->next);
    lost->holds_some = db_int_of(lost->stock, sql, 0) == 1;
}

/* Why the file that could be opened is not to be worked on: a static text, or one in `found`; NULL:
 * nothing is wrong with it. -1 in *result: the journal cannot be asked. */
static const char *find_fault(struct stock *stock, struct journal_reader *journal, int *result,
                              struct failure *found)
{
    struct db *db = stock_db(stock);
    int64_t start, end;
    *result = 0;
    if (db_file_bytes(db) <= INSPECT_BYTES && db_check_quickly(db, found) != 0) {
        *result = strcmp(found->code, "DAMAGED") == 0 ? 0 : -1;
        return "is damaged";
    }
    int there = journal_reader_bounds(journal, TEXT_LITERAL(STOCK_TOPIC), 0, &start, &end, found);
    int64_t applied = stock_progress(stock, 0)->applied, documents = documents_end(db, 0);
    struct lost lost = {.stock = db, .reached = documents};
    if (there < 0 || journal_reader_holes(journal, look_for_lost, &lost, found) != 0) {
        *result = -1;
        return NULL;
    }
    if (applied > (there ? end : 0))
        return "is ahead of the journal, which must be an older copy";
    if (documents >= 0 && !lost.holds_some && (applied < documents || applied > lost.reached))
        return "does not agree with itself";
    return lost.holds_some ? "holds documents the journal has lost" : NULL;
}

int live_open(struct stock **out, const char *directory, int64_t cache_bytes,
              struct journal_reader *journal, bool *made_anew, struct failure *failure)
{
    struct failure why = {0};
    int result = 0;
    *made_anew = false;
    if (finish_set_aside(directory, failure) != 0)
        return -1;
    int opened = stock_open(out, STOCK_LIVE, directory, cache_bytes, &why);
    const char *fault = opened == 1 ? "is of another form" : why.message;
    if (opened < 0 && strcmp(why.code, "DAMAGED") != 0) { /* it may be sound: ask again later */
        *failure = why;
        return -1;
    }
    if (opened == 0)
        fault = find_fault(*out, journal, &result, &why);
    journal_reader_release(journal); /* a segment is sealed when nobody holds it */
    if (opened == 0 && (result != 0 || fault)) {
        stock_close(*out);
        *out = NULL;
    }
    if (result != 0) {
        *failure = why;
        return -1;
    }
    if (!fault)
        return 0;
    *made_anew = true;
    return make_anew(out, directory, cache_bytes, fault, failure);
}

int64_t live_given_out(void *directory, struct text topic, int partition)
{
    struct db *db;
    struct failure ignored;
    if (!text_is(topic, STOCK_TOPIC) || stock_open_read(&db, directory, &ignored) != 0)
        return 0;
    char sql[80];
    int64_t applied = 0;
    snprintf(sql, sizeof sql, "SELECT applied FROM progress WHERE partition=%d", partition);
    int64_t documents = documents_end(db, partition);
    bool sound = db_ask_int(db, sql, &applied) == DB_ROW && applied < OFFSET_LIMIT &&
                 documents >= 0 && documents <= applied &&
                 (db_file_bytes(db) > INSPECT_BYTES || db_check_quickly(db, &ignored) == 0);
    db_close(db);
    return sound ? documents : 0; /* where it is less, what follows is a hole, or a wrong number */
}
