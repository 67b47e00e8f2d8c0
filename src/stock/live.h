/* live: the stock file a daemon works on, DIRECTORY/stock.db: opened, or set aside and made anew.
 *
 * It is made anew from the journal where it is damaged (a quick check reads it whole where it is
 * small), of another form, ahead of the journal, does not agree with itself, or holds documents the
 * journal has lost since (hole.h). The old one is renamed to stock.db.aside-K, never overwritten.
 */
#ifndef TILLQ_STOCK_LIVE_H
#define TILLQ_STOCK_LIVE_H

#include "journal/read.h"
#include "stock/tables.h"

/* *made_anew: it is empty, and to be filled from the journal. 0 or -1. */
int live_open(struct stock **out, const char *directory, int64_t cache_bytes,
              struct journal_reader *journal, bool *made_anew, struct failure *failure)
    __attribute__((warn_unused_result));
/* Sets the closed file aside, because it `why`; where that was begun before, the rest of it. What
 * stock_open then makes is a new one. 0 or -1. */
int live_set_aside(const char *directory, const char *why, struct failure *failure)
    __attribute__((warn_unused_result));

/* For journal_options.given_out, with the directory as context: the documents it holds were given
 * out, up to the last. 0 where the file cannot tell: it is damaged (looked for as above), or the
 * number it says is applied and its documents disagree. */
int64_t live_given_out(void *directory, struct text topic, int partition);

#endif
