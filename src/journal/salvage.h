/* salvage: an active segment that is damaged is set aside and what is whole in it is written into a
 * new one of the same number, under the same offsets.
 *
 * It begins from the state at the end of the segment before (partitions with their hashes, sequence
 * numbers, groups) and takes over the damaged file's batches, in order: those whose hash goes on
 * from the batch before, and the first behind an unreadable place, whose values are JSON, whose
 * lengths fit and whose hash the next goes on from, but whose content nothing can prove (*unproven
 * says how many). What is missing between is written as a hole (batch.h), so that offsets stay
 * dense and the loss is part of the hash chain, which goes on anew behind it. Sequence numbers are
 * those of the records that are there: a terminal that sends a lost document again is not refused
 * as a duplicate.
 *
 * The next offset lies beyond any that may have been given out: beyond what the damaged file still
 * says, what consumer groups have read, what `given_out` knows (the stock file). Where the file's
 * pages or its log are damaged, so that its end cannot be known, beyond that by a million, or by as
 * many records as a segment could hold, up to a round million.
 *
 * The order of things, so that a crash at any point leads to the same result at the next start:
 *   1. NUMBER.db.salvage is written whole and closed (one that is there already is begun anew)
 *   2. NUMBER.db is renamed to NUMBER.db.damaged-K, then its log and index
 *   3. NUMBER.db.salvage is renamed to NUMBER.db
 * each synced. salvage_finish does 2 and 3 where NUMBER.db is gone and the new one is not there
 * yet. The damaged file is only ever read and renamed. */
#ifndef TILLQ_JOURNAL_SALVAGE_H
#define TILLQ_JOURNAL_SALVAGE_H

#include "journal/journal.h"

struct salvage {
    int64_t batches; /* taken over */
    int64_t records;
    int64_t lost;     /* offsets in holes, given out or not */
    int64_t unproven; /* batches */
    char aside[64];   /* the file's name now, in the journal's folder; "" where there was no file */
};

/* Goes on with what a crash has interrupted. 0 or -1. */
int salvage_finish(const char *directory, struct failure *failure)
    __attribute__((warn_unused_result));

/* Salvages segment `number`; `why` it is damaged goes into the log. 0, or -1 with the damaged file
 * in its place. */
int salvage_segment(const struct journal_options *options, int64_t number, const char *why,
                    struct salvage *salvage, struct failure *failure)
    __attribute__((warn_unused_result));

#endif
