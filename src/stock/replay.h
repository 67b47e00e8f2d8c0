/* replay: folds a stretch of the journal into a stock file, as fast as it goes. */
#ifndef TILLQ_STOCK_REPLAY_H
#define TILLQ_STOCK_REPLAY_H

#include "journal/read.h"
#include "stock/tables.h"

/* False gives the replay up. */
typedef bool replay_progress(int64_t applied, int64_t until, void *context);

/* Applies the offsets from where the stock stands up to `until` (INT64_MAX: to the journal's end)
 * of partition 0. 0, or -1 with the offset it stopped at in the message; what is committed stays.
 */
int replay(struct journal_reader *journal, struct stock *stock, int64_t until,
           replay_progress *progress, void *context, struct failure *failure)
    __attribute__((warn_unused_result));

#endif
