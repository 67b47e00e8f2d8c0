/* segment: one SQLite file of the journal, DIRECTORY/journal/SSSSSSSSSS.db, numbered 0, 1, 2, ….
 *
 * The one with the highest number is active: it has a writer and a write-ahead log. A segment is
 * there once its first transaction (schema and the state carried over) is committed; a file without
 * tables is a roll that did not happen. That commit is the moment of the roll: from then on nothing
 * is written into the segments before. */
#ifndef TILLQ_JOURNAL_SEGMENT_H
#define TILLQ_JOURNAL_SEGMENT_H

#include <limits.h>

#include "base/db.h"

#define JOURNAL_FOLDER "journal"
#define SEGMENT_LAST INT64_C(9999999999) /* the highest number a name has room for */

void segment_path(char path[PATH_MAX], const char *directory, int64_t number);
/* Lowest and highest number of the files in the journal's folder; both -1 where there is none.
 * 0, or -1 (folder not readable). */
int segment_range(const char *directory, int64_t *lowest, int64_t *highest, struct failure *failure)
    __attribute__((warn_unused_result));
/* True where the file exists, whole or not. */
bool segment_exists(const char *directory, int64_t number);
/* The nearest number below and above `number` that has a file, -1 where there is none, in *found. A
 * gap of missing numbers costs one look at the folder, however wide it is: a stranger's file may
 * have any name. 0, or -1 (folder not readable). */
int segment_before(const char *directory, int64_t number, int64_t *found, struct failure *failure)
    __attribute__((warn_unused_result));
int segment_after(const char *directory, int64_t number, int64_t *found, struct failure *failure)
    __attribute__((warn_unused_result));
/* 1 where its first transaction is there; 0 where it is a roll that did not happen; -1 where it is
 * of another format or cannot be read, which is never taken for either. */
int segment_check(struct db *db, struct failure *failure) __attribute__((warn_unused_result));
/* Opens to read. 1, 0 where there is no such (whole) segment, -1 on error. */
int segment_open(struct db **out, const char *directory, int64_t number, int64_t cache_bytes,
                 struct failure *failure) __attribute__((warn_unused_result));

#endif
