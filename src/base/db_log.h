/* db_log: what a database's write-ahead log says of itself.
 *
 * SQLite reads a log up to the first frame that is not whole and forgets the rest, which is right
 * after a crash: what is torn was never acknowledged. It is not right where the log was damaged
 * later: then whole commits lie behind the bad frame. Each frame's checksum goes on from the one
 * before, so frames behind a bad one can still be told from leftovers.
 *
 * A log is called damaged only where, behind the bad frame, a commit ended and another one began:
 * the next commit is written after the one before is synced, so no crash leaves that behind. Where
 * the header is wrong, all the frames are behind it, and one commit is enough: the header is synced
 * before the first frame is written.
 *
 * A header that was torn when the log began anew leaves the frames of the log before. All of those
 * had been moved into the file, so nothing is damaged where the file holds them. */
#ifndef TILLQ_BASE_DB_LOG_H
#define TILLQ_BASE_DB_LOG_H

#include "base/db.h"

struct db_log {
    int64_t frames;    /* whole ones, from the start: what SQLite reads, or a little more */
    int64_t commits;   /* that end in them */
    bool damaged;      /* see above */
    int64_t bad_frame; /* the first that is not whole, counted from 0; -1 = none, or the header */
};

/* Looks through the log of a database that has been read from. 0; -1 where it cannot be read, -2 no
 * memory. No log, or an empty one: no frames, not damaged. */
int db_log_look(struct db *db, struct db_log *log) __attribute__((warn_unused_result));

#endif
