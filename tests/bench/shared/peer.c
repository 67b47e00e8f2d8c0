#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "measure.h"
#include "rows.h"
#include "stock/compare.h"
#include "stock/tables_schema.h"

/* The applier's own: how far its log grows between two transactions, and at the end. */
#define CHECKPOINT_BUSY_PAGES 8000
#define CHECKPOINT_IDLE_PAGES 1000

/* Columns of the tables, see stock/tables_schema.c. */
#define DOCUMENT_KINDS "iiitttitttittii"
#define DOCUMENT_ID_KINDS "ttiib"
#define MOVEMENT_KINDS "iiiiiiiii"
#define STOCK_KINDS "itttiii"
enum { DOCUMENT_TERMINAL = 4, DOCUMENT_ID = 5, DOCUMENT_OUTCOME = 10, DOCUMENT_MOVEMENTS = 14 };
enum { MOVEMENT_ID = 0, MOVEMENT_STOCK = 1, MOVEMENT_BALANCE = 7 };

/* A row of stock as it goes through the transactions; by its id, which counts from 1. */
struct shelf {
    int64_t on_hand_milli;
    int64_t last_movement;
    bool written; /* is in the peer's file */
    bool touched; /* by this transaction */
};

struct peer {
    struct db *from, *to;
    struct db_statement *read_documents, *read_id, *read_movements;
    struct db_statement *insert_document, *insert_id, *insert_movement, *insert_stock;
    struct db_statement *update_stock, *save_progress;
    struct rows documents, ids, movements; /* of one transaction */
    struct rows stock;                     /* all of it: its names */
    struct shelf *shelves;
    int64_t *touched; /* ids, in the order of their first movement in the transaction */
    size_t touched_count;
    int64_t applied;
};

static struct db_statement *prepare(struct db *db, const char *sql)
{
    struct db_statement *statement = db_prepare(db, sql);
    if (!statement)
        give_up("%s: cannot be prepared: %s", db_path(db), sql);
    return statement;
}

static void open_from(struct peer *peer, const char *directory)
{
    struct failure failure = {0};
    if (stock_open_read(&peer->from, directory, &failure) != 0)
        give_up("%s: no stock file: %s", directory, failure.message);
    peer->read_documents =
        prepare(peer->from, "SELECT * FROM document WHERE partition=0 ORDER BY offset");
    peer->read_id = prepare(peer->from, "SELECT * FROM document_id WHERE terminal=? AND id=?");
    peer->read_movements = prepare(peer->from, "SELECT * FROM movement ORDER BY id");
    struct db_statement *row = prepare(peer->from, "SELECT * FROM stock ORDER BY id");
    while (db_step(row) == DB_ROW)
        rows_read(&peer->stock, row);
    db_finalize(row);
    peer->shelves = calloc(peer->stock.count + 1, sizeof *peer->shelves);
    peer->touched = calloc(peer->stock.count + 1, sizeof *peer->touched);
    if (!peer->shelves || !peer->touched)
        give_up("no memory for the stock");
}

static void open_to(struct peer *peer, const char *path, int64_t cache_bytes)
{
    struct failure failure;
    struct db_options options = {
        .mode = DB_OWNER, .sync = DB_SYNC_NORMAL, .cache_bytes = cache_bytes};
    if (db_open(&peer->to, path, &options, &failure) != 0)
        give_up("%s", failure.message);
    if (db_execute(peer->to, stock_schema) != DB_DONE)
        give_up("%s: cannot be made", path);
    peer->insert_document =
        prepare(peer->to, "INSERT INTO document VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    peer->insert_id = prepare(peer->to, "INSERT INTO document_id VALUES(?,?,?,?,?)");
    peer->insert_movement = prepare(peer->to, "INSERT INTO movement VALUES(?,?,?,?,?,?,?,?,?)");
    peer->insert_stock = prepare(peer->to, "INSERT INTO stock VALUES(?4,?5,?6,?7,?2,?3,?1)");
    peer->update_stock =
        prepare(peer->to, "UPDATE stock SET last_movement=?1, on_hand_milli=?2, reserved_milli=?3"
                          " WHERE id=?4");
    peer->save_progress = prepare(peer->to, "REPLACE INTO progress VALUES(0,?1,?1,0,0,0)");
}

/* Follows the movement read last: what it leaves on its row of stock. */
static void touch(struct peer *peer)
{
    size_t last = peer->movements.count - 1;
    int64_t id = rows_int(&peer->movements, last, MOVEMENT_STOCK);
    if (id < 1 || id > (int64_t)peer->stock.count)
        give_up("a movement of stock row %lld, which is not there", (long long)id);
    struct shelf *shelf = &peer->shelves[id];
    if (!shelf->touched)
        peer->touched[peer->touched_count++] = id;
    shelf->touched = true;
    shelf->on_hand_milli = rows_int(&peer->movements, last, MOVEMENT_BALANCE);
    shelf->last_movement = rows_int(&peer->movements, last, MOVEMENT_ID);
}

static void read_document(struct peer *peer)
{
    rows_read(&peer->documents, peer->read_documents);
    size_t last = peer->documents.count - 1;
    if (rows_int(&peer->documents, last, DOCUMENT_OUTCOME) != (int64_t)OUTCOME_ACCEPTED)
        give_up("document %lld was not accepted", (long long)peer->applied);
    db_bind_text(peer->read_id, 1, rows_text(&peer->documents, last, DOCUMENT_TERMINAL));
    db_bind_text(peer->read_id, 2, rows_text(&peer->documents, last, DOCUMENT_ID));
    if (db_step(peer->read_id) != DB_ROW)
        give_up("document %lld has no id", (long long)peer->applied);
    rows_read(&peer->ids, peer->read_id);
    db_reset(peer->read_id);
    for (int64_t i = rows_int(&peer->documents, last, DOCUMENT_MOVEMENTS); i > 0; i--) {
        if (db_step(peer->read_movements) != DB_ROW)
            give_up("document %lld lacks movements", (long long)peer->applied);
        rows_read(&peer->movements, peer->read_movements);
        touch(peer);
    }
}

/* The rows of the next transaction, into memory. False where there is none. */
static bool read_transaction(struct peer *peer, int64_t transaction)
{
    rows_clear(&peer->documents);
    rows_clear(&peer->ids);
    rows_clear(&peer->movements);
    peer->touched_count = 0;
    while ((int64_t)peer->documents.count < transaction && db_step(peer->read_documents) == DB_ROW)
        read_document(peer);
    peer->applied += (int64_t)peer->documents.count;
    return peer->documents.count > 0;
}

static enum db_result write_stock(struct peer *peer, int64_t id)
{
    struct shelf *shelf = &peer->shelves[id];
    struct db_statement *statement = shelf->written ? peer->update_stock : peer->insert_stock;
    db_bind_int(statement, 1, shelf->last_movement);
    db_bind_int(statement, 2, shelf->on_hand_milli);
    db_bind_int(statement, 3, 0);
    db_bind_int(statement, 4, id);
    for (int i = 1; !shelf->written && i <= 3; i++)
        db_bind_text(statement, 4 + i, rows_text(&peer->stock, (size_t)id - 1, i));
    shelf->written = true;
    shelf->touched = false;
    return db_run(statement);
}

static enum db_result write_rows(struct peer *peer)
{
    enum db_result result = db_begin(peer->to);
    size_t movement = 0;
    for (size_t i = 0; i < peer->documents.count && result == DB_DONE; i++) {
        result = rows_write(&peer->ids, i, peer->insert_id);
        int64_t left = rows_int(&peer->documents, i, DOCUMENT_MOVEMENTS);
        for (; left > 0 && result == DB_DONE; left--)
            result = rows_write(&peer->movements, movement++, peer->insert_movement);
        if (result == DB_DONE)
            result = rows_write(&peer->documents, i, peer->insert_document);
    }
    for (size_t i = 0; i < peer->touched_count && result == DB_DONE; i++)
        result = write_stock(peer, peer->touched[i]);
    db_bind_int(peer->save_progress, 1, peer->applied);
    if (result == DB_DONE)
        result = db_run(peer->save_progress);
    return result == DB_DONE ? db_commit(peer->to) : result;
}

static void write_transaction(struct peer *peer, bool last)
{
    enum db_result result = write_rows(peer);
    int pages = last ? CHECKPOINT_IDLE_PAGES : CHECKPOINT_BUSY_PAGES;
    if (result == DB_DONE && db_log_pages(peer->to) >= pages)
        result = db_checkpoint(peer->to);
    if (result != DB_DONE)
        give_up("the rows cannot be written again");
}

static bool same_tables(struct peer *peer)
{
    struct comparison comparison = {.equal = true};
    struct failure failure;
    for (int i = 0; i < stock_table_count && comparison.equal; i++)
        if (compare_table(peer->from, peer->to, &stock_tables[i], &comparison, &failure) != 0)
            give_up("%s", failure.message);
    return comparison.equal;
}

static void close_all(struct peer *peer, const char *path)
{
    db_close(peer->from);
    db_close(peer->to);
    rows_free(&peer->documents);
    rows_free(&peer->ids);
    rows_free(&peer->movements);
    rows_free(&peer->stock);
    free(peer->shelves);
    free(peer->touched);
    unlink(path);
}

void peer_write(const char *directory, const char *path, int64_t transaction, int64_t cache_bytes,
                struct peer_result *result)
{
    struct peer peer = {.documents = {.kinds = DOCUMENT_KINDS},
                        .ids = {.kinds = DOCUMENT_ID_KINDS},
                        .movements = {.kinds = MOVEMENT_KINDS},
                        .stock = {.kinds = STOCK_KINDS}};
    *result = (struct peer_result){0};
    unlink(path);
    open_from(&peer, directory);
    open_to(&peer, path, cache_bytes);
    int64_t total = db_int_of(peer.from, "SELECT count(*) FROM document", 0);
    while (read_transaction(&peer, transaction)) {
        int64_t began_us = clock_monotonic_us(&clock_system), used_us = processor_us();
        write_transaction(&peer, peer.applied == total);
        result->seconds += (double)(clock_monotonic_us(&clock_system) - began_us) / 1e6;
        result->processor_seconds += (double)(processor_us() - used_us) / 1e6;
        result->movements += (int64_t)peer.movements.count;
    }
    result->documents = peer.applied;
    result->equal = same_tables(&peer);
    close_all(&peer, path);
}
