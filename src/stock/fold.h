/* fold: applies records to the stock tables, one after the other: stock = fold of the journal
 * (invariant 4). Used alike by the applier, by a rebuild and by an audit; reads no clock. */
#ifndef TILLQ_STOCK_FOLD_H
#define TILLQ_STOCK_FOLD_H

#include "journal/batch.h"
#include "stock/tables.h"

struct fold;

struct fold *fold_new(struct stock *stock); /* does not own the stock; NULL: no memory */
void fold_free(struct fold *fold);

/* Applies the records of `batch` from the partition's applied offset on, and below `until`. Inside
 * a transaction of the stock; after anything but DB_DONE the caller rolls it back. DB_DAMAGED where
 * the batch is not whole. A hole is stepped over: nothing but the offset moves. *documents grows by
 * what was applied. */
enum db_result fold_batch(struct fold *fold, int partition, const struct batch *batch,
                          int64_t until, int64_t *documents) __attribute__((warn_unused_result));

#endif
