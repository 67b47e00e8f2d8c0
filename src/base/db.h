/* db: the only door to SQLite. One connection never crosses threads.
 *
 * A file has one owner: the connection that writes and checkpoints it. Everybody else opens it
 * DB_READ. SQLite before 3.51.3 (3.50.7, 3.44.6) can lose committed pages when one connection
 * resets the write-ahead log while another checkpoints (sqlite.org/wal.html, "the WAL-reset bug");
 * with one owner that cannot happen, so readers here can neither write nor checkpoint.
 *
 * Errors of SQLite are logged once, here, with the file and the SQL; callers get an enum. */
#ifndef TILLQ_BASE_DB_H
#define TILLQ_BASE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "base/text.h"

struct db;
struct db_statement;

enum db_mode {
    DB_READ,      /* read-only, never checkpoints */
    DB_OWNER,     /* read, write, create; the file's only writer */
    DB_TEMPORARY, /* a private database without a name, on disk where it grows; `path` is ignored */
};

enum db_sync {
    DB_SYNC_FULL,   /* a commit returns after the log is synced: what is acknowledged */
    DB_SYNC_NORMAL, /* a commit may be lost with the power, whole: what can be rebuilt */
};

struct db_options {
    enum db_mode mode;
    enum db_sync sync;
    bool quiet;          /* errors are expected: they are told to the caller alone */
    int64_t cache_bytes; /* SQLite's page cache; 0 = SQLite's default (2 MiB) */
};

enum db_result {
    DB_DONE = 0,
    DB_ROW,
    DB_CONSTRAINT, /* already there: a result, not an error */
    DB_BUSY,       /* another connection is in the way: try again later */
    DB_FULL,       /* no room on the disk; nothing was changed */
    DB_NO_MEMORY,  /* nothing was changed */
    DB_MISTAKE,    /* a statement SQLite refuses: a mistake of ours; nothing was changed */
    DB_DAMAGED,    /* the file is not a sound database */
    DB_FAILED,     /* the disk */
};

/* An owner first puts the log an earlier process left on the disk. 0, or -1 with the path and
 * reason, code "DISK_FULL", "DAMAGED" or "FAILED". DB_READ needs an existing file.
 */
int db_open(struct db **out, const char *path, const struct db_options *options,
            struct failure *failure) __attribute__((warn_unused_result));
void db_close(struct db *db); /* NULL is fine; finalises the statements prepared on it */
/* The same, and leaves the log as it is: what is in it is not trusted now. */
void db_abandon(struct db *db);

/* One or more statements without parameters or results. */
enum db_result db_execute(struct db *db, const char *sql) __attribute__((warn_unused_result));

/* NULL after an error (logged). The statement belongs to the connection and goes with it, or
 * earlier by db_finalize. */
struct db_statement *db_prepare(struct db *db, const char *sql) __attribute__((warn_unused_result));
void db_finalize(struct db_statement *statement); /* NULL is fine */

/* Parameters count from 1, columns from 0. Bound text must live until the statement is reset. */
void db_bind_int(struct db_statement *statement, int index, int64_t value);
void db_bind_text(struct db_statement *statement, int index, struct text text);
void db_bind_blob(struct db_statement *statement, int index, struct text bytes);
void db_bind_null(struct db_statement *statement, int index);
/* A row is whole: DB_NO_MEMORY where there is none for one of its texts. */
enum db_result db_step(struct db_statement *statement) __attribute__((warn_unused_result));
/* Steps a statement that gives no row, and resets it. */
enum db_result db_run(struct db_statement *statement) __attribute__((warn_unused_result));
/* Ends the statement's read and forgets nothing bound. Texts of its columns are gone. */
void db_reset(struct db_statement *statement);
int64_t db_int(struct db_statement *statement, int column);
struct text db_text(struct db_statement *statement, int column); /* valid until step or reset */
struct text db_blob(struct db_statement *statement, int column);
bool db_is_null(struct db_statement *statement, int column);
int db_columns(struct db_statement *statement);
/* The same type and the same bytes. */
bool db_same_value(struct db_statement *a, struct db_statement *b, int column);

/* First column of the first row of a query without parameters; `otherwise` where there is none. */
int64_t db_int_of(struct db *db, const char *sql, int64_t otherwise);
/* The same for who must know: DB_ROW with *value, DB_DONE where there is no row or it is NULL, else
 * why it could not be asked. */
enum db_result db_ask_int(struct db *db, const char *sql, int64_t *value)
    __attribute__((warn_unused_result));
/* After db_prepare gave NULL: why. */
enum db_result db_why(const struct db *db);

/* Transactions. Begin takes the write lock at once. A rollback may fail for want of memory: then
 * what is read is not what is committed until the next begin, which makes up for it. */
enum db_result db_begin(struct db *db) __attribute__((warn_unused_result));
enum db_result db_commit(struct db *db) __attribute__((warn_unused_result));
void db_rollback(struct db *db);
bool db_in_transaction(const struct db *db);
/* A snapshot: all reads until db_end_read see one moment. Keep it short, it holds the log open. */
enum db_result db_begin_read(struct db *db) __attribute__((warn_unused_result));
void db_end_read(struct db *db);
int64_t db_changes(struct db *db); /* rows changed by the last statement */

/* Owner only. Moves what it can from the log into the file; never waits for readers. */
enum db_result db_checkpoint(struct db *db) __attribute__((warn_unused_result));
/* Owner only. Moves all of it and begins the log anew, empty: nothing of what was in it can be
 * taken for part of what comes (SQLite uses the salts of a header it could only half write again).
 * Waits some seconds for readers; DB_BUSY where they stay. */
enum db_result db_empty_log(struct db *db) __attribute__((warn_unused_result));
/* Pages in the log that no checkpoint has moved yet, as the last commit saw it. */
int db_log_pages(const struct db *db);
/* Owner only: ends the write-ahead log for good, leaving one file. DB_BUSY while anybody else has
 * the file open. */
enum db_result db_seal(struct db *db) __attribute__((warn_unused_result));

/* SQLite's own check of the file. 0, or -1 with the first fault, "DAMAGED"; "FAILED" where it could
 * not be made. The quick one reads every page too, but does not compare
 * indexes with their tables. */
int db_check(struct db *db, struct failure *failure) __attribute__((warn_unused_result));
int db_check_quickly(struct db *db, struct failure *failure) __attribute__((warn_unused_result));

/* Reads the file below SQLite, for hashing. Returns bytes read (0 at the end), -1 on error. */
int64_t db_read_file(struct db *db, int64_t at, void *bytes, int64_t length);
int64_t db_file_bytes(struct db *db); /* size of the main file, without the log */
/* The same of its write-ahead log, where there is one. */
int64_t db_read_log(struct db *db, int64_t at, void *bytes, int64_t length);

/* How the last call on it ended. */
enum db_result db_last_result(const struct db *db);
/* The last error was that the file is damaged, or is not of the form its reader thinks. */
bool db_is_damaged(const struct db *db);
const char *db_path(const struct db *db);
const char *db_library_version(void);
void db_limit_memory(void); /* once, at start: settings of the library as a whole */

#endif
