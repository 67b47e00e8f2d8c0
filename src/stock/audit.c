#include "stock/audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "journal/producers.h"
#include "stock/audit_internal.h"
#include "stock/compare.h"
#include "stock/replay.h"

#define CACHE_BYTES (16 << 20)

int audit_fault(struct auditing *auditing, const char *topic, int partition, int64_t offset,
                const char *format, ...)
{
    struct audit *audit = auditing->audit;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(audit->fault, sizeof audit->fault, format, arguments);
    va_end(arguments);
    snprintf(audit->topic, sizeof audit->topic, "%s", topic);
    audit->partition = partition;
    audit->offset = offset;
    return 1;
}

int audit_failure(struct auditing *auditing, const char *topic, int64_t offset,
                  const struct failure *failure)
{
    if (strcmp(failure->code, "DAMAGED") == 0 || strcmp(failure->code, "OFFSET_OUT_OF_RANGE") == 0)
        return audit_fault(auditing, topic, topic[0] ? 0 : -1, offset, "%s", failure->message);
    *auditing->failure = *failure;
    return -1;
}

int audit_unreadable(struct auditing *auditing, const struct db *db, const struct chain *chain)
{
    if (!db_is_damaged(db))
        return failure_set(auditing->failure, "FAILED", "%s: cannot be read now", db_path(db));
    return audit_fault(auditing, chain ? chain->topic : "", chain ? chain->partition : -1,
                       chain ? chain->expected : -1, "%s: cannot be read", db_path(db));
}

bool audit_tell(struct auditing *auditing, const char *stage, int64_t done, int64_t total)
{
    if (auditing->progress && !auditing->progress(stage, done, total, auditing->context))
        auditing->given_up = true;
    return !auditing->given_up;
}

/* --- the stock --- */

static bool tell_replay(int64_t applied, int64_t until, void *context)
{
    return audit_tell(context, "fold", applied, until);
}

static int compare_all(struct auditing *auditing, struct stock *again, struct db *live,
                       struct failure *failure)
{
    struct audit *audit = auditing->audit;
    for (int i = 0; i < stock_table_count; i++) {
        struct comparison comparison;
        if (!audit_tell(auditing, "compare", i, stock_table_count))
            return -1;
        if (compare_table(stock_db(again), live, &stock_tables[i], &comparison, failure) != 0)
            return strcmp(failure->code, "DAMAGED") != 0
                       ? -1
                       : audit_fault(auditing, STOCK_TOPIC, 0, -1, "stock.db: %s",
                                     failure->message);
        if (strcmp(stock_tables[i].name, "movement") == 0)
            audit->movements = comparison.rows;
        if (strcmp(stock_tables[i].name, "stock") == 0)
            audit->stock_rows = comparison.rows;
        if (!comparison.equal)
            return audit_fault(auditing, STOCK_TOPIC, 0, comparison.offset,
                               "stock.db is not the fold of the journal: table %s, row %lld",
                               stock_tables[i].name, (long long)comparison.row);
    }
    return 0;
}

/* Folds a long way without holding the live file, then the rest, and compares in one snapshot. */
static int fold_and_compare(struct auditing *auditing, struct journal_reader *journal,
                            struct stock *again, struct db *live, struct failure *failure)
{
    static const char applied_sql[] = "SELECT applied FROM progress WHERE partition=0";
    int64_t applied = 0;
    if (db_ask_int(live, applied_sql, &applied) > DB_ROW)
        return audit_unreadable(auditing, live, NULL);
    if (replay(journal, again, applied, tell_replay, auditing, failure) != 0)
        return audit_failure(auditing, STOCK_TOPIC, stock_progress(again, 0)->applied, failure);
    if (db_begin_read(live) != DB_DONE)
        return failure_set(failure, "FAILED", "stock.db cannot be read");
    if (db_ask_int(live, applied_sql, &applied) > DB_ROW) {
        db_end_read(live);
        return audit_unreadable(auditing, live, NULL);
    }
    int result = replay(journal, again, applied, tell_replay, auditing, failure);
    const struct progress *progress = stock_progress(again, 0);
    auditing->audit->applied = applied;
    auditing->audit->documents = progress->applied;
    if (result != 0)
        result = audit_failure(auditing, STOCK_TOPIC, progress->applied, failure);
    else if (progress->applied < applied)
        result = audit_fault(auditing, STOCK_TOPIC, 0, progress->applied,
                             "stock.db is applied to offset %lld, the journal ends before that",
                             (long long)applied);
    else
        result = compare_all(auditing, again, live, failure);
    db_end_read(live);
    return result;
}

static int check_stock(struct auditing *auditing, struct failure *failure)
{
    struct db *live = NULL;
    struct stock *again = NULL;
    struct journal_reader *journal = NULL;
    int opened = stock_open_read(&live, auditing->directory, failure);
    if (opened == 1)
        return audit_fault(auditing, STOCK_TOPIC, 0, -1, "stock.db is missing or of another form");
    if (opened != 0)
        return audit_failure(auditing, STOCK_TOPIC, -1, failure);
    int result =
        db_check(live, failure) == 0 ? 0 : audit_failure(auditing, STOCK_TOPIC, -1, failure);
    if (result == 0 && (stock_open(&again, STOCK_TEMPORARY, "", CACHE_BYTES, failure) != 0 ||
                        journal_reader_open(&journal, auditing->directory, failure) != 0))
        result = -1;
    if (result == 0)
        result = fold_and_compare(auditing, journal, again, live, failure);
    journal_reader_close(journal);
    stock_close(again);
    db_close(live);
    return result;
}

int audit_directory(const char *directory, audit_progress *progress, void *context,
                    struct audit *audit, struct failure *failure)
{
    struct auditing auditing = {.directory = directory,
                                .progress = progress,
                                .context = context,
                                .audit = audit,
                                .failure = failure};
    *audit = (struct audit){.partition = -1, .offset = -1};
    failure_set(failure, "FAILED", "%s: the audit could not be made", directory);
    auditing.hash = sha256_new();
    auditing.producers = producers_new();
    int result = auditing.hash && auditing.producers
                     ? audit_journal(&auditing, failure)
                     : failure_set(failure, "NO_MEMORY", "no memory for the audit");
    if (result == 0)
        result = check_stock(&auditing, failure);
    if (auditing.given_up)
        result = failure_set(failure, "FAILED", "the audit was given up");
    audit->sound = result == 0;
    db_close(auditing.newest);
    producers_free(auditing.producers);
    sha256_free(auditing.hash);
    json_free(&auditing.json);
    buffer_free(&auditing.scratch);
    free(auditing.chains);
    return result < 0 ? -1 : 0;
}

void audit_add_json(const struct audit *audit, struct buffer *out)
{
    buffer_add_format(
        out,
        "\"sound\":%s,\"segments\":%lld,\"batches\":%lld,\"records\":%lld,"
        "\"lost\":%lld,\"documents\":%lld,\"movements\":%lld,\"stock_rows\":%lld,\"applied\":%lld",
        audit->sound ? "true" : "false", (long long)audit->segments, (long long)audit->batches,
        (long long)audit->records, (long long)audit->lost, (long long)audit->documents,
        (long long)audit->movements, (long long)audit->stock_rows, (long long)audit->applied);
    if (audit->sound)
        return;
    buffer_add_string(out, ",\"fault\":");
    buffer_add_json(out, text_of(audit->fault));
    if (audit->partition >= 0) {
        buffer_add_string(out, ",\"topic\":");
        buffer_add_json(out, text_of(audit->topic));
        buffer_add_format(out, ",\"partition\":%d,\"offset\":%lld", audit->partition,
                          (long long)audit->offset);
    }
}
