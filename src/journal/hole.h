/* hole: offsets that were lost with a damaged segment.
 *
 * What counts is the row in the partition's own table (batch.h, format 0): readers step over it and
 * the hash chain goes through it. The table tillq_hole is a list of them all for people and for the
 * status; it is made when the first is written and carried on at a roll. A program that does not
 * know it reads and rolls on without: the loss itself stays stated. */
#ifndef TILLQ_JOURNAL_HOLE_H
#define TILLQ_JOURNAL_HOLE_H

#include "base/db.h"
#include "journal/batch.h"

struct hole {
    struct text topic;
    int partition;
    int64_t first, next; /* lost are the offsets from `first` to `next` - 1 */
    struct text file;    /* set aside, in the journal's folder; "" where there was none */
    int64_t time_ms;     /* when that was */
};

extern const char hole_schema[];
extern const char hole_select[], hole_insert[], hole_kinds[]; /* to carry the list on */

bool hole_any(struct db *db); /* there is a list */
/* Adds it to the list, which is made where there is none. */
enum db_result hole_list(struct db *db, const struct hole *hole)
    __attribute__((warn_unused_result));
/* The row of its partition's table; `meta` is work space that must live as long as the batch. The
 * hash is not filled in. False: no memory. */
bool hole_batch(const struct hole *hole, struct buffer *meta, struct batch *batch)
    __attribute__((warn_unused_result));
/* Calls `each` for every hole in the list, by partition and offset. 0 or -1. */
int hole_each(struct db *db, void (*each)(const struct hole *hole, void *context), void *context)
    __attribute__((warn_unused_result));

#endif
