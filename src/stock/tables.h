/* tables: the stock file, DIRECTORY/stock.db, and all SQL on it.
 *
 * Stock rows, movements, documents and the applied offset change in one transaction (invariant 5).
 * It can be made again from the journal, so its commits are not synced one by one.
 *
 * Form version 1. A file of another version is set aside and made anew from the journal at start.
 *
 * Rows of stock are kept in memory while they are worked on and written once a transaction: an item
 * in every receipt costs less than one that is rare. At most STOCK_ROWS_KEPT stay in memory. */
#ifndef TILLQ_STOCK_TABLES_H
#define TILLQ_STOCK_TABLES_H

#include "base/db.h"
#include "stock/effects.h"

#define STOCK_FILE "stock.db"
#define STOCK_FORMAT 1
#define STOCK_ROWS_KEPT 50000

struct stock; /* the owner's side: the applier, a rebuild, an audit */

enum stock_place {
    STOCK_LIVE,      /* DIRECTORY/stock.db */
    STOCK_TEMPORARY, /* a private file without a name */
    STOCK_AT_PATH,   /* `path` itself is the file */
};

/* 0; 1 where the file is of another form version (nothing is opened); -1. */
int stock_open(struct stock **out, enum stock_place place, const char *path, int64_t cache_bytes,
               struct failure *failure) __attribute__((warn_unused_result));
void stock_close(struct stock *stock); /* NULL is fine */

enum db_result stock_begin(struct stock *stock) __attribute__((warn_unused_result));
/* Writes the rows that changed and the progress, then commits. */
enum db_result stock_commit(struct stock *stock) __attribute__((warn_unused_result));
/* Everything in memory goes back to what is in the file. */
void stock_rollback(struct stock *stock);
/* Moves the log into the file when it has grown; between transactions. */
void stock_tend(struct stock *stock, bool idle);

/* The row of (shop, location, sku), from memory, the table, or new with zeros (not stored until it
 * is dirty). Lives until the commit. NULL: no memory or the file failed. */
struct stock_row *stock_row_of(struct stock *stock, struct text shop, struct text location,
                               struct text sku);

/* How far a partition is applied, and what was decided. Kept in memory, written by the commit. */
struct progress {
    int64_t applied; /* all offsets below it are in the tables */
    int64_t outcomes[OUTCOME_COUNT];
};
/* The progress of partition 0 … ; NULL: no memory. */
struct progress *stock_progress(struct stock *stock, int partition);

/* One document and its outcome. */
struct document_entry {
    int partition;
    int64_t offset;
    int64_t time_ms;
    struct text shop, terminal, id, type, date, operator_id; /* absent = not known */
    int64_t seq;
    enum outcome outcome;
    struct text reason, detail; /* absent = none */
    int64_t first_movement;     /* 0 = none */
    int64_t movement_count;
};
enum db_result stock_add_document(struct stock *stock, const struct document_entry *entry)
    __attribute__((warn_unused_result));

/* (terminal, id) belongs to the document at (partition, offset) with this content hash. DB_DONE, or
 * DB_CONSTRAINT where it is taken: then *same says whether by the same content. */
enum db_result stock_take_id(struct stock *stock, struct text terminal, struct text id,
                             int partition, int64_t offset, const unsigned char *hash, bool *same)
    __attribute__((warn_unused_result));

/* Writes a movement of `row` (already applied to it), returns its number in *number. */
enum db_result stock_add_movement(struct stock *stock, const struct movement *movement,
                                  int partition, int64_t offset, int64_t *number)
    __attribute__((warn_unused_result));

/* Dead documents: the value as it came, for people and for retry. */
enum db_result stock_add_dead(struct stock *stock, int partition, int64_t offset, struct text value)
    __attribute__((warn_unused_result));
/* Adds a dead document's value and shop to `value` and `shop`. DB_ROW, DB_DONE where there is none
 * (any more). */
enum db_result stock_find_dead(struct stock *stock, int partition, int64_t offset,
                               struct buffer *value, struct buffer *shop)
    __attribute__((warn_unused_result));
/* It is dealt with by the document at (by_partition, by_offset): retried or dropped. */
enum db_result stock_end_dead(struct stock *stock, int partition, int64_t offset, const char *state,
                              int by_partition, int64_t by_offset)
    __attribute__((warn_unused_result));

/* The connection, for readers of the same file in the same thread (see outcome.h). */
struct db *stock_db(struct stock *stock);

/* The tables a rebuild must give again, byte for byte, each with the order that compares them. */
struct stock_table {
    const char *name;
    const char *order;
    int offset_column; /* that says which document a row came from; -1 = none does */
};
extern const struct stock_table stock_tables[];
extern const int stock_table_count;

/* Opens the live file to read. 0, 1 where there is none or it is of another form, -1. */
int stock_open_read(struct db **out, const char *directory, struct failure *failure)
    __attribute__((warn_unused_result));

#endif
