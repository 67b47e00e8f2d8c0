#include "stock/applier.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/incident.h"
#include "journal/read.h"
#include "stock/answer.h"
#include "stock/fold.h"

#define TRANSACTION_BYTES (8 << 20)

struct applier {
    struct applier_options options;
    struct worker *worker; /* NULL while driven by hand */
    struct journal_reader *journal;
    struct stock *stock;
    struct fold *fold;
    struct answer *answer;
    bool rebuilding; /* from a stock file made anew until it has caught up */
    struct queue awaited;
    struct queue_item *waiting; /* appends taken from the queue, not answered yet */
    _Atomic int64_t documents;
    _Atomic int64_t applied;
    atomic_int health;
    atomic_bool stopping;
    char directory[];
};

/* --- opening --- */

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

static int open_stock(struct applier *applier, struct applier_recovery *recovery,
                      struct failure *failure)
{
    struct failure why = {0};
    int64_t start, end;
    int64_t cache_bytes = applier->options.cache_bytes;
    int opened = stock_open(&applier->stock, STOCK_LIVE, applier->directory, cache_bytes, &why);
    const char *reason = opened == 1 ? "is of another form" : opened < 0 ? why.message : NULL;
    if (opened < 0 && strcmp(why.code, "DAMAGED") != 0) { /* it may be sound: ask again later */
        *failure = why;
        return -1;
    }
    if (!reason) {
        int found = journal_reader_bounds(applier->journal, TEXT_LITERAL(STOCK_TOPIC), 0, &start,
                                          &end, failure);
        if (found < 0)
            return -1;
        if (stock_progress(applier->stock, 0)->applied > (found ? end : 0))
            reason = "is ahead of the journal, which must be an older copy";
    }
    journal_reader_release(applier->journal); /* a segment is sealed when nobody holds it */
    if (!reason)
        return 0;
    stock_close(applier->stock);
    applier->stock = NULL;
    recovery->rebuilding = applier->rebuilding = true;
    if (set_aside(applier->directory, reason, failure) != 0)
        return -1;
    opened = stock_open(&applier->stock, STOCK_LIVE, applier->directory, cache_bytes, failure);
    return opened == 0 ? 0 : -1;
}

int applier_new(struct applier **out, const struct applier_options *options,
                struct applier_recovery *recovery, struct failure *failure)
{
    size_t length = strlen(options->directory) + 1;
    struct applier *applier = calloc(1, sizeof *applier + length);
    if (!applier)
        return failure_set(failure, "NO_MEMORY", "no memory for the applier");
    memcpy(applier->directory, options->directory, length);
    applier->options = *options;
    queue_init(&applier->awaited);
    atomic_store(&applier->documents, options->documents);
    *recovery = (struct applier_recovery){0};
    if (journal_reader_open(&applier->journal, applier->directory, failure) != 0 ||
        open_stock(applier, recovery, failure) != 0)
        goto failed;
    applier->fold = fold_new(applier->stock);
    applier->answer = answer_new(stock_db(applier->stock));
    if (!applier->fold || !applier->answer) {
        failure_set(failure, "NO_MEMORY", "no memory for the applier");
        goto failed;
    }
    recovery->applied = stock_progress(applier->stock, 0)->applied;
    atomic_store(&applier->applied, recovery->applied);
    *out = applier;
    return 0;
failed:
    applier_stop(applier);
    return -1;
}

int applier_start(struct applier *applier, const struct clock *clock, struct failure *failure)
{
    struct worker_duty duty = {"tillq-applier", applier_step, applier, 1000};
    if (worker_start(&applier->worker, &duty, clock, failure) != 0)
        return -1;
    worker_ring(applier->worker);
    return 0;
}

/* Appends new in the queue join those that wait already. */
static void take_awaited(struct applier *applier)
{
    struct queue_item **link = &applier->waiting;
    while (*link)
        link = &(*link)->next;
    *link = queue_take(&applier->awaited);
}

static void hand_back_waiting(struct applier *applier)
{
    take_awaited(applier);
    for (struct queue_item *item = applier->waiting; item; item = item->next) {
        struct append *append = (struct append *)item;
        if (!append->wants_outcome)
            continue;
        append->error = "APPLIER_FAILED";
        append->message = "journaled; it is applied at the next start";
    }
    if (applier->waiting)
        applier->options.deliver((struct append *)applier->waiting, applier->options.context);
}

void applier_stop(struct applier *applier)
{
    if (!applier)
        return;
    atomic_store(&applier->stopping, true);
    worker_stop(applier->worker);
    hand_back_waiting(applier);
    answer_free(applier->answer);
    fold_free(applier->fold);
    stock_close(applier->stock);
    journal_reader_close(applier->journal);
    queue_destroy(&applier->awaited);
    free(applier);
}

/* --- applying --- */

static enum applier_health health_after(enum db_result result)
{
    switch (result) {
    case DB_DONE:
        return APPLIER_OK;
    case DB_FULL:
        return APPLIER_FULL;
    case DB_NO_MEMORY:
    case DB_BUSY:
        return APPLIER_WAITING;
    default:
        return APPLIER_FAILED;
    }
}

static void set_health(struct applier *applier, enum db_result result)
{
    enum applier_health health = health_after(result);
    if (health == (enum applier_health)atomic_exchange(&applier->health, (int)health))
        return;
    if (health == APPLIER_OK)
        incident_note(INCIDENT_APPLIER_RESUMED, "at offset %lld",
                      (long long)atomic_load(&applier->applied));
    else
        incident_note(health == APPLIER_FULL      ? INCIDENT_APPLIER_STANDS_FULL
                      : health == APPLIER_WAITING ? INCIDENT_APPLIER_STANDS_WAITING
                                                  : INCIDENT_APPLIER_STANDS_FAILED,
                      "stands at offset %lld; sales are still journaled; %s",
                      (long long)atomic_load(&applier->applied),
                      health == APPLIER_FAILED ? "restart when mended"
                                               : "tried again every second");
}

/* What a reader of the journal could not do: damage stays, anything else may pass. */
static enum db_result result_of(const struct failure *failure)
{
    incident_note(INCIDENT_APPLIER_READ_FAILED, "%s", failure->message);
    bool lasting =
        strcmp(failure->code, "DAMAGED") == 0 || strcmp(failure->code, "OFFSET_OUT_OF_RANGE") == 0;
    return lasting ? DB_DAMAGED : DB_BUSY;
}

/* Folds what is journaled into one open transaction. *more: there may be more behind it. */
static enum db_result fold_some(struct applier *applier, int64_t *documents, bool *more)
{
    struct progress *progress = stock_progress(applier->stock, 0);
    int64_t most = atomic_load(&applier->documents);
    size_t bytes = 0;
    *documents = 0;
    *more = true;
    while (*documents < most && bytes < TRANSACTION_BYTES) {
        struct batch batch;
        struct failure failure;
        int found = journal_reader_find(applier->journal, TEXT_LITERAL(STOCK_TOPIC), 0,
                                        progress->applied, &batch, &failure);
        if (found < 0)
            return result_of(&failure);
        *more = found == 1;
        if (found == 0)
            return DB_DONE;
        bytes += batch.records.length;
        enum db_result result =
            fold_batch(applier->fold, 0, &batch, progress->applied + most - *documents, documents);
        journal_reader_rest(applier->journal);
        if (result == DB_DAMAGED)
            incident_note(INCIDENT_BATCH_DAMAGED,
                          "the batch at offset %lld of " STOCK_TOPIC "-0 is damaged",
                          (long long)batch.base_offset);
        if (result != DB_DONE)
            return result;
    }
    return DB_DONE;
}

static void note_caught_up(struct applier *applier)
{
    if (!applier->rebuilding)
        return;
    applier->rebuilding = false;
    incident_note(INCIDENT_STOCK_REBUILT, STOCK_FILE " is made anew up to offset %lld",
                  (long long)atomic_load(&applier->applied));
}

/* What was decided between two moments, when it is on record. A stock file made anew decides again
 * what was told before. */
static void note_outcomes(const struct applier *applier, const struct progress *before)
{
    static const struct {
        enum outcome outcome;
        enum incident kind;
    } told[] = {{OUTCOME_REJECTED, INCIDENT_DOCUMENT_REJECTED},
                {OUTCOME_CONFLICT, INCIDENT_DOCUMENT_CONFLICT}};
    const struct progress *after = stock_progress(applier->stock, 0);
    for (int i = 0; i < 2 && !applier->rebuilding; i++) {
        int64_t more = after->outcomes[told[i].outcome] - before->outcomes[told[i].outcome];
        if (more > 0)
            incident_note_many(told[i].kind, more, "%lld of the offsets %lld to %lld",
                               (long long)more, (long long)before->applied,
                               (long long)after->applied - 1);
    }
}

/* One transaction. True where there is more to apply. */
static bool apply_some(struct applier *applier)
{
    int64_t documents;
    bool more = false;
    /* Looked up before the write lock is taken, so that an idle wake-up writes nothing. */
    struct batch batch;
    struct failure failure;
    int found = journal_reader_find(applier->journal, TEXT_LITERAL(STOCK_TOPIC), 0,
                                    stock_progress(applier->stock, 0)->applied, &batch, &failure);
    journal_reader_rest(applier->journal);
    if (found == 0) { /* whatever was in the way of looking has passed */
        set_health(applier, DB_DONE);
        note_caught_up(applier);
        return false;
    }
    struct progress before = *stock_progress(applier->stock, 0);
    enum db_result result = stock_begin(applier->stock);
    if (result == DB_DONE)
        result = fold_some(applier, &documents, &more);
    if (result == DB_DONE)
        result = stock_commit(applier->stock);
    if (result == DB_DONE) {
        note_outcomes(applier, &before);
    } else {
        stock_rollback(applier->stock);
        more = false;
    }
    atomic_store(&applier->applied, stock_progress(applier->stock, 0)->applied);
    set_health(applier, result);
    if (result == DB_DONE && !more)
        note_caught_up(applier);
    return more;
}

/* --- answering --- */

/* A re-send has the id of a document we know. One with another id is a terminal that lost count of
 * its seqs: it must not go by in silence, its document was not journaled. 0, or -1 where nobody can
 * tell. */
static int look_at_duplicate(struct applier *applier, struct append *append)
{
    bool same_seq;
    if (answer_find_offset(applier->answer, append->record.value, &append->known_at, &same_seq) !=
        0)
        return -1;
    append->reused = append->known_at < 0;
    if (append->offset < 0 && same_seq)
        append->offset = append->known_at;
    if (append->reused)
        incident_note(
            INCIDENT_SEQ_REUSED, "terminal %.*s sent seq %lld again with another document",
            (int)append->producer.length, append->producer.bytes, (long long)append->record.seq);
    return 0;
}

/* True where the append is answered, one way or the other. */
static bool answer_one(struct applier *applier, struct append *append)
{
    bool well = atomic_load(&applier->health) == APPLIER_OK;
    if (append->duplicate && well && look_at_duplicate(applier, append) != 0)
        return false; /* cannot be told now; looked up again in a second */
    int64_t at = append->offset;
    if (at < 0 && append->duplicate && well)
        at = append->known_at; /* its own place is forgotten: what became of its id is not */
    if (!append->wants_outcome || (append->reused && at < 0))
        return true;
    if (at >= 0 && answer_add(applier->answer, append->partition, at, append->record.value,
                              &append->outcome) == 0)
        return true;
    if (well)
        return false;
    append->error = "APPLIER_FAILED";
    append->message = "journaled, but not applied; the status says why";
    return true;
}

/* Its document is applied, or will not be while this lasts, or nobody knows where it is. */
static bool is_due(const struct applier *applier, const struct append *append, bool caught_up)
{
    if (atomic_load(&applier->health) != APPLIER_OK)
        return true;
    return append->offset < 0 ? caught_up : append->offset < atomic_load(&applier->applied);
}

static void answer_waiting(struct applier *applier, bool caught_up)
{
    struct queue_item *ready = NULL, **last_ready = &ready;
    struct queue_item **link = &applier->waiting;
    while (*link) {
        struct queue_item *item = *link;
        struct append *append = (struct append *)item;
        if (is_due(applier, append, caught_up) && answer_one(applier, append)) {
            *link = item->next;
            item->next = NULL;
            *last_ready = item;
            last_ready = &item->next;
        } else {
            link = &item->next;
        }
    }
    if (ready)
        applier->options.deliver((struct append *)ready, applier->options.context);
}

enum worker_next applier_step(void *context)
{
    struct applier *applier = context;
    /* Before the journal is looked at: what waits now is in it, so a look that finds the end has
     * seen all that these may be re-sends of. */
    take_awaited(applier);
    if (atomic_load(&applier->health) == APPLIER_FAILED) {
        answer_waiting(applier, false);
        return WORKER_SLEEP;
    }
    bool more = apply_some(applier);
    answer_waiting(applier, !more);
    stock_tend(applier->stock, !more);
    if (more && !atomic_load(&applier->stopping))
        return WORKER_AGAIN;
    return applier->waiting || atomic_load(&applier->health) != APPLIER_OK ? WORKER_LATER
                                                                           : WORKER_REST;
}

void applier_ring(struct applier *applier)
{
    if (applier->worker)
        worker_ring(applier->worker);
}

void applier_await(struct applier *applier, struct append *first)
{
    queue_push_chain(&applier->awaited, &first->item);
    if (applier->worker)
        worker_hurry(applier->worker);
}

void applier_set_documents(struct applier *applier, int64_t documents)
{
    atomic_store(&applier->documents, documents);
}

void applier_figures(const struct applier *applier, struct applier_figures *figures)
{
    figures->applied = atomic_load(&applier->applied);
    figures->health = (enum applier_health)atomic_load(&applier->health);
}

int64_t applier_busy_us(const struct applier *applier)
{
    return worker_busy_us(applier->worker);
}
