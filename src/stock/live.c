#include "stock/live.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/disk.h"
#include "base/incident.h"
#include "journal/inspect.h"

static int set_aside(const char *directory, const char *why, struct failure *failure)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char from[PATH_MAX], to[PATH_MAX];
    int number = 1;
    do
        snprintf(to, sizeof to, "%s/" STOCK_FILE ".aside-%d", directory, number++);
    while (disk_has(to));
    incident_note(INCIDENT_STOCK_SET_ASIDE, STOCK_FILE " %s; it is made anew, and kept as %s", why,
                  to);
    for (int i = 0; i < 3; i++) {
        snprintf(from, sizeof from, "%s/" STOCK_FILE "%s", directory, suffixes[i]);
        snprintf(to, sizeof to, "%s/" STOCK_FILE ".aside-%d%s", directory, number - 1, suffixes[i]);
        if (disk_rename(from, to) != 0 && errno != ENOENT)
            return failure_set(failure, "FAILED", "%s: %s", from, strerror(errno));
    }
    return 0;
}

int live_make_anew(struct stock **out, const char *directory, int64_t cache_bytes, const char *why,
                   struct failure *failure)
{
    *out = NULL;
    if (set_aside(directory, why, failure) != 0)
        return -1;
    return stock_open(out, STOCK_LIVE, directory, cache_bytes, failure) == 0 ? 0 : -1;
}

/* Documents it holds that the journal has lost: it is no longer the fold of the journal. */
struct lost {
    struct db *stock;
    bool holds_some;
};

static void look_for_lost(const struct hole *hole, void *context)
{
    struct lost *lost = context;
    char sql[160];
    if (!text_is(hole->topic, STOCK_TOPIC) || lost->holds_some)
        return;
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
    struct lost lost = {.stock = db};
    if (there < 0 || journal_reader_holes(journal, look_for_lost, &lost, found) != 0) {
        *result = -1;
        return NULL;
    }
    if (stock_progress(stock, 0)->applied > (there ? end : 0))
        return "is ahead of the journal, which must be an older copy";
    return lost.holds_some ? "holds documents the journal has lost" : NULL;
}

int live_open(struct stock **out, const char *directory, int64_t cache_bytes,
              struct journal_reader *journal, bool *made_anew, struct failure *failure)
{
    struct failure why = {0};
    int result = 0;
    *made_anew = false;
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
    return live_make_anew(out, directory, cache_bytes, fault, failure);
}

int64_t live_given_out(void *directory, struct text topic, int partition)
{
    struct db *db;
    struct failure ignored;
    if (!text_is(topic, STOCK_TOPIC) || stock_open_read(&db, directory, &ignored) != 0)
        return 0;
    char sql[80];
    snprintf(sql, sizeof sql, "SELECT applied FROM progress WHERE partition=%d", partition);
    int64_t applied = db_int_of(db, sql, 0);
    db_close(db);
    return applied > 0 && applied < OFFSET_LIMIT ? applied : 0;
}
