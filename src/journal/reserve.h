/* reserve: room kept on the disk, for what must still be written when there is none left.
 *
 * DIRECTORY/reserve is a file of `bytes` whose blocks are taken. It is held while sales are
 * written. It is given back when the disk is found full: then the log can still be moved into its
 * file (16 MiB at most, usually 4) and the applier can still write what is journaled, while nothing
 * new is journaled. A commit itself needs none of it: one that finds no room is refused whole.
 * DIRECTORY/reserve-start, 1 MiB, is given back only by a start that finds less than that: a
 * database cannot even be read without some room for the index of its log.
 *
 * To be held again it must leave half its size free beside it, so that writing does not stop again
 * at once. No thread, no clock. 0 bytes: there is no reserve, it is never held and never low. */
#ifndef TILLQ_JOURNAL_RESERVE_H
#define TILLQ_JOURNAL_RESERVE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define RESERVE_FILE "reserve"
#define RESERVE_START_FILE "reserve-start"

struct reserve {
    char folder[PATH_MAX];
    int64_t bytes;
    bool held;
};

/* Takes it where it can be had. Where it cannot, or the disk is all but full, all of it is given
 * back that what follows needs. */
void reserve_begin(struct reserve *reserve, const char *directory, int64_t bytes);
/* True where it is held now. */
bool reserve_take(struct reserve *reserve);
void reserve_give_back(struct reserve *reserve);
/* True where it is held and the room beside it is below an eighth of its size: the next commits
 * might still find room, the stock file might not. False where the room cannot be measured. */
bool reserve_is_low(const struct reserve *reserve);

#endif
