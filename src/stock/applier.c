#include "stock/applier.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/incident.h"
#include "journal/read.h"
#include "stock/answer.h"
#include "stock/fold.h"
#include "stock/live.h"

#define BEHIND_DOCUMENTS 100000
#define TRANSACTION_BYTES (8 << 20)

struct applier {
    struct applier_options options;
    struct worker *worker; /* NULL while driven by hand */
    struct journal_reader *journal;
    struct stock *stock;
    struct fold *fold;
    struct answer *answer;
    atomic_bool rebuilding; /* from a stock file made anew until it has caught up */
    struct queue awaited;
    struct queue_item *waiting; /* appends taken from the queue, not answered yet */
    _Atomic int64_t documents;
    _Atomic int64_t applied;
    _Atomic int64_t stock_files;  /* opened so far: a reader must open it again when it changed */
    bool made_anew_while_running; /* once: a second damage would be the disk's, and for ever */
    bool damage_met;              /* in the stock file, by who looked for an answer */
    bool to_set_aside;            /* the stock file, before another can be made */
    atomic_int health;
    atomic_bool stopping;
    char directory[];
};

/* --- opening --- */

/* Statements on the stock file as it is now. One far behind the journal was being made anew when
 * the daemon stopped, or the power went. 0 or -1. */
static int begin_on_stock(struct applier *applier, struct failure *failure)
{
    int64_t start, end = 0;
    applier->fold = fold_new(applier->stock);
    applier->answer = answer_new(stock_db(applier->stock));
    if (!applier->fold || !applier->answer)
        return failure_set(failure, "NO_MEMORY", "no memory for the applier");
    if (journal_reader_bounds(applier->journal, TEXT_LITERAL(STOCK_TOPIC), 0, &start, &end,
                              failure) < 0)
        return -1;
    journal_reader_release(applier->journal); /* a segment is sealed when nobody holds it */
    atomic_store(&applier->applied, stock_progress(applier->stock, 0)->applied);
    if (end - atomic_load(&applier->applied) > BEHIND_DOCUMENTS)
        atomic_store(&applier->rebuilding, true);
    return 0;
}

static void end_on_stock(struct applier *applier)
{
    answer_free(applier->answer);
    fold_free(applier->fold);
    stock_close(applier->stock);
    applier->answer = NULL;
    applier->fold = NULL;
    applier->stock = NULL;
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
        live_open(&applier->stock, applier->directory, options->cache_bytes, applier->journal,
                  &recovery->rebuilding, failure) != 0 ||
        begin_on_stock(applier, failure) != 0)
        goto failed;
    if (recovery->rebuilding)
        atomic_store(&applier->rebuilding, true);
    recovery->rebuilding = atomic_load(&applier->rebuilding);
    recovery->applied = atomic_load(&applier->applied);
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
    end_on_stock(applier);
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

static void set_health_because(struct applier *applier, enum db_result result, const char *why)
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
                      "stands at offset %lld%s%s; sales are still journaled; %s",
                      (long long)atomic_load(&applier->applied), why ? ": " : "", why ? why : "",
                      health == APPLIER_FAILED ? "restart when mended"
                                               : "tried again every second");
}

static void set_health(struct applier *applier, enum db_result result)
{
    set_health_because(applier, result, NULL);
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
        bool hole = batch.format == BATCH_FORMAT_HOLE; /* one step, however wide */
        enum db_result result =
            fold_batch(applier->fold, 0, &batch,
                       hole ? INT64_MAX : progress->applied + most - *documents, documents);
        journal_reader_rest(applier->journal);
        if (result == DB_DAMAGED && db_last_result(stock_db(applier->stock)) != DB_DAMAGED)
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
    if (!atomic_exchange(&applier->rebuilding, false))
        return;
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
    for (int i = 0; i < 2 && !atomic_load(&applier->rebuilding); i++) {
        int64_t more = after->outcomes[told[i].outcome] - before->outcomes[told[i].outcome];
        if (more > 0)
            incident_note_many(told[i].kind, more, "%lld of the offsets %lld to %lld",
                               (long long)more, (long long)before->applied,
                               (long long)after->applied - 1);
    }
}

/* What kept a new stock file from being made: damage again, or what may pass. */
static enum db_result lacking(const struct failure *failure)
{
    if (strcmp(failure->code, "DAMAGED") == 0)
        return DB_DAMAGED;
    return strcmp(failure->code, "DISK_FULL") == 0 ? DB_FULL : DB_BUSY;
}

/* A new stock file, in place of the one that is closed. 0, or -1: health says whether it is tried
 * again. */
static int make_anew(struct applier *applier)
{
    struct failure failure = {.code = "DAMAGED", .message = STOCK_FILE " cannot be made anew"};
    if (applier->to_set_aside &&
        live_set_aside(applier->directory, "turned out to be damaged", &failure) != 0)
        goto failed;
    applier->to_set_aside = false;
    if (stock_open(&applier->stock, STOCK_LIVE, applier->directory, applier->options.cache_bytes,
                   &failure) != 0 ||
        begin_on_stock(applier, &failure) != 0)
        goto failed;
    atomic_store(&applier->rebuilding, true);
    atomic_fetch_add(&applier->stock_files, 1);
    set_health(applier, DB_DONE);
    return 0;
failed:
    end_on_stock(applier);
    set_health_because(applier, lacking(&failure), failure.message);
    return -1;
}

/* The stock file turned out to be damaged while it was worked on: once, it is set aside and made
 * anew without a restart. True where that is done. */
static bool replace_damaged(struct applier *applier)
{
    if (applier->made_anew_while_running) {
        set_health(applier, DB_DAMAGED);
        return false;
    }
    applier->made_anew_while_running = true;
    applier->to_set_aside = true;
    end_on_stock(applier);
    return make_anew(applier) == 0;
}

/* The transaction was not made. True where there is more to apply all the same. */
static bool give_up(struct applier *applier, enum db_result result)
{
    bool damaged = db_last_result(stock_db(applier->stock)) == DB_DAMAGED;
    if (!damaged || applier->made_anew_while_running) {
        stock_rollback(applier->stock);
        atomic_store(&applier->applied, stock_progress(applier->stock, 0)->applied);
    }
    if (damaged)
        return replace_damaged(applier);
    set_health(applier, result);
    return false;
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
    if (result != DB_DONE)
        return give_up(applier, result);
    note_outcomes(applier, &before);
    atomic_store(&applier->applied, stock_progress(applier->stock, 0)->applied);
    set_health(applier, result);
    if (!more)
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

/* While the stock file is made anew nobody waits for what lies at its end. Always true. */
static bool answer_behind(struct append *append)
{
    append->error = "APPLIER_BEHIND";
    append->message = append->duplicate
                          ? "this seq was journaled before; whether by this document can be told "
                            "when the stock is made anew: send it again later"
                          : "journaled, but applied only when the stock is made anew: ask later";
    return true;
}

/* It cannot be told now: it is looked up again in a second, in another stock file where this one is
 * damaged. Always false. */
static bool not_told(struct applier *applier)
{
    applier->damage_met |= db_last_result(stock_db(applier->stock)) == DB_DAMAGED;
    return false;
}

/* True where the append is answered, one way or the other. */
static bool answer_one(struct applier *applier, struct append *append)
{
    bool well = atomic_load(&applier->health) == APPLIER_OK;
    bool behind = well && atomic_load(&applier->rebuilding) &&
                  (append->offset < 0 || append->offset >= atomic_load(&applier->applied));
    if (behind)
        return answer_behind(append);
    if (append->duplicate && well && look_at_duplicate(applier, append) != 0)
        return not_told(applier);
    int64_t at = append->offset;
    if (at < 0 && append->duplicate && well)
        at = append->known_at; /* its own place is forgotten: what became of its id is not */
    if (!append->wants_outcome || (append->reused && at < 0))
        return true;
    if (at >= 0 && applier->answer &&
        answer_add(applier->answer, append->partition, at, append->record.value,
                   &append->outcome) == 0)
        return true;
    if (well)
        return not_told(applier);
    append->error = "APPLIER_FAILED";
    append->message = "journaled, but not applied; the status says why";
    return true;
}

/* Its document is applied, or will not be while this lasts, or nobody knows where it is. */
static bool is_due(const struct applier *applier, const struct append *append, bool caught_up)
{
    if (atomic_load(&applier->health) != APPLIER_OK || atomic_load(&applier->rebuilding))
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
    bool more = (applier->stock || make_anew(applier) == 0) && apply_some(applier);
    answer_waiting(applier, !more);
    if (applier->damage_met) {
        applier->damage_met = false;
        more = replace_damaged(applier);
        answer_waiting(applier, false);
    }
    if (applier->stock)
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
    figures->rebuilding = atomic_load(&applier->rebuilding);
    figures->stock_files = atomic_load(&applier->stock_files);
    figures->health = (enum applier_health)atomic_load(&applier->health);
}

int64_t applier_busy_us(const struct applier *applier)
{
    return worker_busy_us(applier->worker);
}
