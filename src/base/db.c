#include "base/db.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/incident.h"
#include "base/planted.h"

#define SCHEMA_RETRIES 1000

struct db_statement {
    sqlite3_stmt *handle;
    struct db *db;
    struct db_statement *next;
    struct db_statement **link; /* what points at us */
};

struct db {
    sqlite3 *handle;
    struct db_statement *statements;
    struct db_statement *begin, *commit, *rollback, *begin_read, *end_read;
    enum db_mode mode;
    bool doubtful; /* a sync of the log may have failed: see settle_log */
    bool quiet;
    int log_pages;       /* in the log, at the last commit */
    int log_pages_moved; /* of them, by the last checkpoint */
    char path[];
};

static enum db_result classify(const struct db *db, int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
        return DB_DONE;
    case SQLITE_ROW:
        return DB_ROW;
    case SQLITE_CONSTRAINT:
        return DB_CONSTRAINT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return DB_BUSY;
    case SQLITE_FULL:
        return DB_FULL;
    case SQLITE_NOMEM:
        return DB_NO_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return DB_DAMAGED;
    case SQLITE_IOERR:
        /* The log's index grows by ftruncate: SQLite calls a full disk an I/O error there. */
        return sqlite3_system_errno(db->handle) == ENOSPC ? DB_FULL : DB_FAILED;
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return DB_MISTAKE;
    default:
        return DB_FAILED;
    }
}

static enum db_result judge(struct db *db, int code, const char *sql)
{
    enum db_result result = classify(db, code);
    if (result >= DB_FULL && !db->quiet)
        incident_note(INCIDENT_DATABASE_ERROR, "%s: %s (%d, errno %d): %s", db->path,
                      sqlite3_errmsg(db->handle), sqlite3_extended_errcode(db->handle),
                      sqlite3_system_errno(db->handle), sql);
    return result;
}

/* Called by SQLite after each commit in WAL mode, with the pages now in the log. */
static int note_log_pages(void *context, sqlite3 *handle, const char *name, int pages)
{
    (void)handle;
    (void)name;
    struct db *db = context;
    if (pages < db->log_pages) /* the log began anew: all that was in it had been moved */
        db->log_pages_moved = 0;
    db->log_pages = pages;
    return SQLITE_OK;
}

static int set_up(struct db *db, const struct db_options *options)
{
    char sql[256];
    sqlite3_busy_timeout(db->handle, 5000);
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (options->cache_bytes > 0) {
        snprintf(sql, sizeof sql, "PRAGMA cache_size=-%lld",
                 (long long)(options->cache_bytes / 1024));
        if (db_execute(db, sql) != DB_DONE)
            return -1;
    }
    switch (options->mode) {
    case DB_READ:
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        return db_execute(db, "PRAGMA query_only=1; PRAGMA wal_autocheckpoint=0") == DB_DONE ? 0
                                                                                             : -1;
    case DB_TEMPORARY:
        return db_execute(db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF") == DB_DONE ? 0
                                                                                            : -1;
    case DB_OWNER:
        break;
    }
    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; PRAGMA wal_autocheckpoint=0;"
             "PRAGMA secure_delete=OFF; PRAGMA journal_size_limit=16777216",
             options->sync == DB_SYNC_FULL && !PLANTED(NO_SYNC) ? "FULL" : "NORMAL");
    if (db_execute(db, sql) != DB_DONE)
        return -1;
    /* After the pragma, which would put its own hook in this place. */
    sqlite3_wal_hook(db->handle, note_log_pages, db);
    return 0;
}

/* What an earlier process left in the log was seen by it in the machine's memory: killed between
 * writing and syncing it left the log there, and so did a sync that failed, after which the kernel
 * calls pages clean that are not on disk. SQLite takes such a log for whole: it would answer from
 * it, and move pages of it into the file, over which an older log rules after a power cut. So
 * before anything is read, the log is put on the disk as it is seen. */
static int settle_log(const char *path, struct failure *failure)
{
    char log[PATH_MAX + 8];
    snprintf(log, sizeof log, "%s-wal", path);
    if (PLANTED(NO_SYNC_AT_START) || !disk_has(log) || disk_write_again(log) == 0)
        return 0;
    return failure_set(failure, errno == ENOSPC ? "DISK_FULL" : "FAILED",
                       "%s: cannot be synced: %s", log, strerror(errno));
}

int db_open(struct db **out, const char *path, const struct db_options *options,
            struct failure *failure)
{
    const char *name = options->mode == DB_TEMPORARY ? "" : path;
    size_t name_bytes = strlen(name) + 1;
    if (options->mode == DB_OWNER && settle_log(path, failure) != 0)
        return -1;
    struct db *db = calloc(1, sizeof *db + name_bytes);
    if (!db)
        return failure_set(failure, "NO_MEMORY", "%s: no memory", name);
    memcpy(db->path, name, name_bytes);
    db->mode = options->mode;
    db->quiet = options->quiet;
    int flags = SQLITE_OPEN_NOMUTEX |
                (options->mode == DB_READ ? SQLITE_OPEN_READONLY
                                          : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    int code = sqlite3_open_v2(name, &db->handle, flags, disk_vfs());
    if (code != SQLITE_OK || set_up(db, options) != 0) {
        int last = db->handle ? sqlite3_errcode(db->handle) : code;
        enum db_result result = db->handle ? classify(db, last) : DB_FAILED;
        const char *kind = result == DB_FULL        ? "DISK_FULL"
                           : result == DB_DAMAGED   ? "DAMAGED"
                           : result == DB_NO_MEMORY ? "NO_MEMORY"
                                                    : "FAILED";
        failure_set(failure, kind, "%s: %s", name,
                    db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code));
        db_close(db);
        return -1;
    }
    *out = db;
    return 0;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    while (db->statements)
        db_finalize(db->statements);
    if (db->doubtful) /* closing would move the log into the file; the next owner settles it */
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (sqlite3_close(db->handle) != SQLITE_OK)
        incident_note(INCIDENT_DATABASE_ERROR, "%s: close: %s", db->path,
                      sqlite3_errmsg(db->handle));
    free(db);
}

void db_abandon(struct db *db)
{
    if (db)
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    db_close(db);
}

enum db_result db_execute(struct db *db, const char *sql)
{
    return judge(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL), sql);
}

struct db_statement *db_prepare(struct db *db, const char *sql)
{
    struct db_statement *statement = calloc(1, sizeof *statement);
    if (!statement)
        return NULL;
    int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                  &statement->handle, NULL);
    if (code != SQLITE_OK) {
        judge(db, code, sql);
        free(statement);
        return NULL;
    }
    statement->db = db;
    statement->next = db->statements;
    statement->link = &db->statements;
    if (statement->next)
        statement->next->link = &statement->next;
    db->statements = statement;
    return statement;
}

void db_finalize(struct db_statement *statement)
{
    if (!statement)
        return;
    sqlite3_finalize(statement->handle);
    *statement->link = statement->next;
    if (statement->next)
        statement->next->link = statement->link;
    free(statement);
}

void db_bind_int(struct db_statement *statement, int index, int64_t value)
{
    sqlite3_bind_int64(statement->handle, index, value);
}

void db_bind_text(struct db_statement *statement, int index, struct text text)
{
    sqlite3_bind_text64(statement->handle, index, text.bytes ? text.bytes : "", text.length,
                        SQLITE_STATIC, SQLITE_UTF8);
}

void db_bind_blob(struct db_statement *statement, int index, struct text bytes)
{
    sqlite3_bind_blob64(statement->handle, index, bytes.bytes ? bytes.bytes : "", bytes.length,
                        SQLITE_STATIC);
}

void db_bind_null(struct db_statement *statement, int index)
{
    sqlite3_bind_null(statement->handle, index);
}

/* SQLite finds memory for a text only when it is asked for, and gives none where there is none: it
 * would be taken for an empty one, or for damage. */
static bool has_whole_row(struct db_statement *statement)
{
    sqlite3_stmt *row = statement->handle;
    for (int i = 0; i < sqlite3_data_count(row); i++) {
        int type = sqlite3_column_type(row, i);
        if ((type == SQLITE_TEXT && !sqlite3_column_text(row, i)) ||
            (type == SQLITE_BLOB && !sqlite3_column_blob(row, i) &&
             sqlite3_errcode(statement->db->handle) == SQLITE_NOMEM))
            return false;
    }
    return true;
}

enum db_result db_step(struct db_statement *statement)
{
    int code = sqlite3_step(statement->handle);
    /* SQLite prepares again when a table was added meanwhile, but gives up after so many in a row.
     */
    for (int i = 0; code == SQLITE_SCHEMA && i < SCHEMA_RETRIES; i++) {
        sqlite3_reset(statement->handle);
        code = sqlite3_step(statement->handle);
    }
    if (code == SQLITE_ROW && has_whole_row(statement))
        return DB_ROW;
    if (code == SQLITE_DONE)
        return DB_DONE;
    return judge(statement->db, code == SQLITE_ROW ? SQLITE_NOMEM : code,
                 sqlite3_sql(statement->handle));
}

enum db_result db_run(struct db_statement *statement)
{
    enum db_result result = db_step(statement);
    sqlite3_reset(statement->handle);
    return result == DB_ROW ? DB_DONE : result;
}

void db_reset(struct db_statement *statement)
{
    sqlite3_reset(statement->handle);
}

int64_t db_int(struct db_statement *statement, int column)
{
    return sqlite3_column_int64(statement->handle, column);
}

struct text db_text(struct db_statement *statement, int column)
{
    const char *bytes = (const char *)sqlite3_column_text(statement->handle, column);
    return (struct text){bytes, (size_t)sqlite3_column_bytes(statement->handle, column)};
}

struct text db_blob(struct db_statement *statement, int column)
{
    const char *bytes = sqlite3_column_blob(statement->handle, column);
    return (struct text){bytes, (size_t)sqlite3_column_bytes(statement->handle, column)};
}

bool db_is_null(struct db_statement *statement, int column)
{
    return sqlite3_column_type(statement->handle, column) == SQLITE_NULL;
}

int db_columns(struct db_statement *statement)
{
    return sqlite3_column_count(statement->handle);
}

bool db_same_value(struct db_statement *a, struct db_statement *b, int column)
{
    int type = sqlite3_column_type(a->handle, column);
    if (type != sqlite3_column_type(b->handle, column))
        return false;
    if (type == SQLITE_INTEGER)
        return db_int(a, column) == db_int(b, column);
    return type == SQLITE_NULL || text_equal(db_blob(a, column), db_blob(b, column));
}

enum db_result db_why(const struct db *db)
{
    enum db_result result = classify(db, sqlite3_errcode(db->handle));
    return result > DB_ROW ? result : DB_NO_MEMORY; /* SQLite knows of nothing: it was ours */
}

enum db_result db_ask_int(struct db *db, const char *sql, int64_t *value)
{
    struct db_statement *statement = db_prepare(db, sql);
    if (!statement)
        return db_why(db);
    enum db_result result = db_step(statement);
    if (result == DB_ROW && db_is_null(statement, 0))
        result = DB_DONE;
    if (result == DB_ROW)
        *value = db_int(statement, 0);
    db_finalize(statement);
    return result;
}

int64_t db_int_of(struct db *db, const char *sql, int64_t otherwise)
{
    int64_t value;
    return db_ask_int(db, sql, &value) == DB_ROW ? value : otherwise;
}

static enum db_result run_kept(struct db *db, struct db_statement **kept, const char *sql)
{
    if (!*kept)
        *kept = db_prepare(db, sql);
    return *kept ? db_run(*kept) : db_why(db);
}

enum db_result db_begin(struct db *db)
{
    if (!db->rollback) /* prepared ahead: when it is needed there may be no memory */
        db->rollback = db_prepare(db, "ROLLBACK");
    if (!db->rollback)
        return db_why(db);
    db_rollback(db); /* of what could not be rolled back before */
    if (db_in_transaction(db))
        return DB_NO_MEMORY;
    return run_kept(db, &db->begin, "BEGIN IMMEDIATE");
}

enum db_result db_commit(struct db *db)
{
    return run_kept(db, &db->commit, "COMMIT");
}

void db_rollback(struct db *db)
{
    if (!db_in_transaction(db))
        return;
    if (!db->rollback || db_run(db->rollback) != DB_DONE)
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

bool db_in_transaction(const struct db *db)
{
    return !sqlite3_get_autocommit(db->handle);
}

enum db_result db_begin_read(struct db *db)
{
    return run_kept(db, &db->begin_read, "BEGIN");
}

void db_end_read(struct db *db)
{
    if (!sqlite3_get_autocommit(db->handle) && run_kept(db, &db->end_read, "COMMIT") != DB_DONE)
        db_rollback(db);
}

int64_t db_changes(struct db *db)
{
    return sqlite3_changes64(db->handle);
}

static enum db_result checkpoint(struct db *db, int mode)
{
    int in_log = 0, moved = 0;
    if (db->doubtful && settle_log(db->path, NULL) != 0)
        return DB_FAILED;
    db->doubtful = false;
    int code = sqlite3_wal_checkpoint_v2(db->handle, NULL, mode, &in_log, &moved);
    enum db_result result = judge(db, code, "checkpoint");
    db->doubtful = result == DB_FAILED;
    if (result == DB_DONE) {
        db->log_pages = in_log;
        db->log_pages_moved = moved;
    }
    return result;
}

enum db_result db_checkpoint(struct db *db)
{
    return checkpoint(db, SQLITE_CHECKPOINT_PASSIVE);
}

enum db_result db_empty_log(struct db *db)
{
    return checkpoint(db, SQLITE_CHECKPOINT_TRUNCATE);
}

int db_log_pages(const struct db *db)
{
    return db->log_pages - db->log_pages_moved;
}

/* SQLite does not say so where it could not take its log or its rollback journal away. The next to
 * open the file plays them back, and the file would not be the one that was sealed. */
static bool has_leftovers(const struct db *db)
{
    char log[PATH_MAX], rollback[PATH_MAX];
    snprintf(log, sizeof log, "%s-wal", db->path);
    snprintf(rollback, sizeof rollback, "%s-journal", db->path);
    return disk_has(log) || disk_has(rollback);
}

enum db_result db_seal(struct db *db)
{
    while (db->statements)
        db_finalize(db->statements);
    db->begin = db->commit = db->rollback = db->begin_read = db->end_read = NULL;
    sqlite3_busy_timeout(db->handle, 0);
    struct db_statement *mode = db_prepare(db, "PRAGMA journal_mode=DELETE");
    if (!mode)
        return db_why(db);
    enum db_result result = db_step(mode);
    bool sealed = result == DB_ROW && text_is(db_text(mode, 0), "delete");
    db_finalize(mode);
    if (!sealed)
        return result == DB_ROW ? DB_BUSY : result;
    return has_leftovers(db) ? DB_FAILED : DB_DONE;
}

static int check_by(struct db *db, const char *sql, struct failure *failure)
{
    struct db_statement *statement = db_prepare(db, sql);
    int result = 0;
    if (!statement || db_step(statement) != DB_ROW)
        result = failure_set(failure, db_is_damaged(db) ? "DAMAGED" : "FAILED", "%s: %s", db->path,
                             sqlite3_errmsg(db->handle));
    else if (!text_is(db_text(statement, 0), "ok"))
        result = failure_set(failure, "DAMAGED", "%s: %s", db->path, db_text(statement, 0).bytes);
    db_finalize(statement);
    return result;
}

int db_check(struct db *db, struct failure *failure)
{
    return check_by(db, "PRAGMA integrity_check(1)", failure);
}

int db_check_quickly(struct db *db, struct failure *failure)
{
    return check_by(db, "PRAGMA quick_check(1)", failure);
}

/* `which`: SQLITE_FCNTL_FILE_POINTER or SQLITE_FCNTL_JOURNAL_POINTER */
static sqlite3_file *file_of(struct db *db, int which)
{
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(db->handle, "main", which, &file) != SQLITE_OK)
        return NULL;
    return file && file->pMethods ? file : NULL;
}

static int64_t size_of(sqlite3_file *file)
{
    sqlite3_int64 size = 0;
    if (!file || file->pMethods->xFileSize(file, &size) != SQLITE_OK)
        return -1;
    return size;
}

static int64_t read_at(sqlite3_file *file, int64_t at, void *bytes, int64_t length)
{
    int64_t size = size_of(file);
    if (!file || size < 0)
        return -1;
    if (at >= size)
        return 0;
    if (length > size - at)
        length = size - at;
    return file->pMethods->xRead(file, bytes, (int)length, at) == SQLITE_OK ? length : -1;
}

int64_t db_file_bytes(struct db *db)
{
    return size_of(file_of(db, SQLITE_FCNTL_FILE_POINTER));
}

int64_t db_read_file(struct db *db, int64_t at, void *bytes, int64_t length)
{
    return read_at(file_of(db, SQLITE_FCNTL_FILE_POINTER), at, bytes, length);
}

int64_t db_read_log(struct db *db, int64_t at, void *bytes, int64_t length)
{
    return read_at(file_of(db, SQLITE_FCNTL_JOURNAL_POINTER), at, bytes, length);
}

enum db_result db_last_result(const struct db *db)
{
    return classify(db, sqlite3_errcode(db->handle));
}

bool db_is_damaged(const struct db *db)
{
    enum db_result result = classify(db, sqlite3_errcode(db->handle));
    return result == DB_DAMAGED || result == DB_MISTAKE;
}

const char *db_path(const struct db *db)
{
    return db->path;
}

const char *db_library_version(void)
{
    return sqlite3_libversion();
}

void db_limit_memory(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}
