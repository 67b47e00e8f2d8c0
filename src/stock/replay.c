#include "stock/replay.h"

#include "stock/fold.h"

#define DOCUMENTS_A_TRANSACTION 5000
#define BYTES_A_TRANSACTION (16 << 20)

/* One transaction. 1 there may be more, 0 the end is reached, -1. */
static int replay_some(struct journal_reader *journal, struct stock *stock, struct fold *fold,
                       int64_t until, struct failure *failure)
{
    const struct progress *progress = stock_progress(stock, 0);
    int64_t documents = 0;
    size_t bytes = 0;
    int found = 1;
    enum db_result result = stock_begin(stock);
    while (result == DB_DONE && progress->applied < until && documents < DOCUMENTS_A_TRANSACTION &&
           bytes < BYTES_A_TRANSACTION) {
        struct batch batch;
        found = journal_reader_find(journal, TEXT_LITERAL(STOCK_TOPIC), 0, progress->applied,
                                    &batch, failure);
        if (found != 1)
            break;
        bytes += batch.records.length;
        result = fold_batch(fold, 0, &batch, until, &documents);
        journal_reader_rest(journal);
    }
    int64_t at = progress->applied;
    if (result == DB_DONE && found >= 0)
        result = stock_commit(stock);
    if (result == DB_DONE && found >= 0)
        return found == 1 && progress->applied < until;
    stock_rollback(stock);
    if (found < 0)
        return -1;
    return failure_set(failure, result == DB_DAMAGED ? "DAMAGED" : "FAILED",
                       "the document at offset %lld could not be applied%s", (long long)at,
                       result == DB_FULL ? ": no room on the disk" : "");
}

int replay(struct journal_reader *journal, struct stock *stock, int64_t until,
           replay_progress *progress, void *context, struct failure *failure)
{
    struct fold *fold = fold_new(stock);
    if (!fold)
        return failure_set(failure, "NO_MEMORY", "no memory to replay");
    int more = 1;
    while (more == 1) {
        more = replay_some(journal, stock, fold, until, failure);
        if (progress && !progress(stock_progress(stock, 0)->applied, until, context) && more >= 0)
            more = failure_set(failure, "GIVEN_UP", "given up");
    }
    fold_free(fold);
    return more;
}
