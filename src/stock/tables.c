#include "stock/tables.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/hash.h"
#include "base/incident.h"
#include "base/planted.h"
#include "journal/record.h"
#include "stock/tables_schema.h"

#define PARTITIONS_MAX 64
#define CHECKPOINT_IDLE_PAGES 1000
#define CHECKPOINT_BUSY_PAGES 8000

const struct stock_table stock_tables[] = {
    {"document", "partition, offset", 1},
    {"movement", "id", 3},
    {"document_id", "terminal, id", 3},
    {"dead", "partition, offset", 1},
    {"stock", "id", -1},
    {"progress", "partition", -1},
    {"place", "id", -1},
    {"format", "version", -1},
};
const int stock_table_count = (int)(sizeof stock_tables / sizeof stock_tables[0]);

enum statement_name {
    FIND_ROW,
    INSERT_ROW,
    UPDATE_ROW,
    INSERT_MOVEMENT,
    INSERT_DOCUMENT,
    TAKE_ID,
    FIND_ID,
    INSERT_DEAD,
    FIND_DEAD,
    END_DEAD,
    SAVE_PROGRESS,
    STATEMENT_COUNT,
};

static const char *const statement_sql[STATEMENT_COUNT] = {
    [FIND_ROW] = "SELECT id, on_hand_milli, reserved_milli, last_movement FROM stock"
                 " WHERE shop=? AND location=? AND sku=?",
    [INSERT_ROW] = "INSERT INTO stock VALUES(?1,?5,?6,?7,?2,?3,?4)",
    [UPDATE_ROW] =
        "UPDATE stock SET on_hand_milli=?2, reserved_milli=?3, last_movement=?4 WHERE id=?1",
    [INSERT_MOVEMENT] = "INSERT INTO movement VALUES(?,?,?,?,?,?,?,?,?)",
    [INSERT_DOCUMENT] = "INSERT INTO document VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [TAKE_ID] = "INSERT OR IGNORE INTO document_id VALUES(?,?,?,?,?)",
    [FIND_ID] = "SELECT hash FROM document_id WHERE terminal=? AND id=?",
    [INSERT_DEAD] = "INSERT INTO dead VALUES(?,?,'dead',NULL,NULL,?)",
    [FIND_DEAD] = "SELECT value, shop FROM dead JOIN document USING(partition, offset)"
                  " WHERE partition=? AND offset=? AND state='dead'",
    [END_DEAD] =
        "UPDATE dead SET state=?3, by_partition=?4, by_offset=?5 WHERE partition=?1 AND offset=?2",
    [SAVE_PROGRESS] = "INSERT OR REPLACE INTO progress VALUES(?,?,?,?,?,?)",
};

/* A stock row in memory. Its texts lie behind it. */
struct kept_row {
    struct stock_row row; /* first: handed out and cast back */
    struct kept_row *next_in_bucket;
    struct kept_row *next_dirty;
    bool listed; /* among the dirty */
    uint64_t hash;
    char texts[];
};

/* What the next transaction goes on from. */
struct memory {
    int64_t next_row, next_movement;
    struct progress progress[PARTITIONS_MAX];
};

struct stock {
    struct db *db;
    struct db_statement *statements[STATEMENT_COUNT];
    struct kept_row **buckets; /* STOCK_BUCKETS of them */
    size_t kept;
    struct kept_row *touched,
        **touched_last; /* rows of this transaction, in order of first touch */
    struct memory now, committed;
    bool unsure; /* a commit failed: only the file knows whether it was made */
    bool progress_changed[PARTITIONS_MAX];
};

#define STOCK_BUCKETS 65536u

static void drop_rows(struct stock *stock)
{
    for (size_t i = 0; stock->kept > 0 && i < STOCK_BUCKETS; i++) {
        struct kept_row *next;
        for (struct kept_row *kept = stock->buckets[i]; kept; kept = next) {
            next = kept->next_in_bucket;
            free(kept);
            stock->kept--;
        }
        stock->buckets[i] = NULL;
    }
    stock->touched = NULL;
    stock->touched_last = &stock->touched;
}

/* The number after the highest. DB_DONE; DB_DAMAGED where it is none of ours. */
static enum db_result next_id(struct db *db, const char *sql, int64_t *next)
{
    int64_t highest = 0;
    enum db_result result = db_ask_int(db, sql, &highest);
    if (result != DB_ROW && result != DB_DONE)
        return result;
    bool sound = highest >= 0 && highest < OFFSET_LIMIT;
    *next = sound ? highest + 1 : 0;
    return sound ? DB_DONE : DB_DAMAGED;
}

static bool load_progress(struct memory *memory, struct db_statement *row)
{
    int64_t partition = db_int(row, 0);
    if (partition < 0 || partition >= PARTITIONS_MAX)
        return true;
    struct progress *progress = &memory->progress[partition];
    progress->applied = db_int(row, 1);
    bool sound = progress->applied >= 0 && progress->applied < OFFSET_LIMIT;
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        progress->outcomes[i] = db_int(row, 2 + i);
        sound = sound && progress->outcomes[i] >= 0 && progress->outcomes[i] < OFFSET_LIMIT;
    }
    return sound;
}

/* What the file says, into memory: at the start, and after a commit that may have been made or not.
 * Any other rollback goes back to what was committed without asking, so that it cannot fail. */
static enum db_result load(struct stock *stock)
{
    struct memory *memory = &stock->committed;
    *memory = (struct memory){0};
    enum db_result result = next_id(stock->db, "SELECT max(id) FROM stock", &memory->next_row);
    if (result == DB_DONE)
        result = next_id(stock->db, "SELECT max(id) FROM movement", &memory->next_movement);
    if (result != DB_DONE)
        return result;
    struct db_statement *row = db_prepare(stock->db, "SELECT * FROM progress");
    if (!row)
        return db_why(stock->db);
    bool sound = true;
    while ((result = db_step(row)) == DB_ROW)
        sound = load_progress(memory, row) && sound;
    db_finalize(row);
    stock->now = *memory;
    stock->touched_last = &stock->touched;
    return result == DB_DONE && !sound ? DB_DAMAGED : result;
}

/* DB_ROW with the form's version: 0 = a new file, -1 = a stranger's. */
static enum db_result format_of(struct db *db, int64_t *version)
{
    int64_t tables = 0;
    *version = 0;
    enum db_result result = db_ask_int(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (result != DB_ROW || tables == 0)
        return result;
    *version = -1;
    result = db_ask_int(db, "SELECT count(*) FROM sqlite_schema WHERE name='format'", &tables);
    if (result != DB_ROW || tables == 0)
        return result;
    result = db_ask_int(db, "SELECT version FROM format", version);
    return result == DB_DONE ? DB_ROW : result;
}

static int create(struct stock *stock, struct failure *failure)
{
    enum db_result result = db_begin(stock->db);
    if (result == DB_DONE)
        result = db_execute(stock->db, stock_schema);
    if (result == DB_DONE)
        result = db_commit(stock->db);
    if (result == DB_DONE)
        return 0;
    db_rollback(stock->db);
    return failure_set(failure, "FAILED", "%s: cannot be made", db_path(stock->db));
}

static int unusable(struct stock *stock, enum db_result result, struct failure *failure)
{
    bool damaged = result == DB_DAMAGED || result == DB_MISTAKE;
    return failure_set(failure, damaged ? "DAMAGED" : "FAILED", "%s: cannot be used%s",
                       db_path(stock->db), damaged ? ": it is damaged" : " now");
}

static int set_up(struct stock *stock, struct failure *failure)
{
    int64_t format;
    enum db_result result = format_of(stock->db, &format);
    if (result != DB_ROW)
        return unusable(stock, result, failure);
    if (format == 0 && create(stock, failure) != 0)
        return -1;
    if (format != 0 && format != STOCK_FORMAT)
        return 1;
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        stock->statements[i] = db_prepare(stock->db, statement_sql[i]);
        if (!stock->statements[i])
            return unusable(stock, db_why(stock->db), failure);
    }
    stock->buckets = calloc(STOCK_BUCKETS, sizeof(struct kept_row *));
    if (!stock->buckets)
        return failure_set(failure, "NO_MEMORY", "no memory for the stock");
    result = load(stock);
    return result == DB_DONE ? 0 : unusable(stock, result, failure);
}

int stock_open(struct stock **out, enum stock_place place, const char *path, int64_t cache_bytes,
               struct failure *failure)
{
    char file[PATH_MAX];
    snprintf(file, sizeof file, place == STOCK_LIVE ? "%s/" STOCK_FILE : "%s", path);
    struct stock *stock = calloc(1, sizeof *stock);
    if (!stock)
        return failure_set(failure, "NO_MEMORY", "no memory for the stock");
    struct db_options options = {
        .mode = place == STOCK_TEMPORARY ? DB_TEMPORARY : DB_OWNER,
        .sync = DB_SYNC_NORMAL,
        .cache_bytes = cache_bytes,
    };
    int result = db_open(&stock->db, file, &options, failure);
    if (result == 0)
        result = set_up(stock, failure);
    if (result == 0)
        *out = stock;
    else
        stock_close(stock);
    return result;
}

void stock_close(struct stock *stock)
{
    if (!stock)
        return;
    if (stock->buckets)
        drop_rows(stock);
    free(stock->buckets);
    db_close(stock->db);
    free(stock);
}

enum db_result stock_begin(struct stock *stock)
{
    enum db_result result = stock->unsure ? load(stock) : DB_DONE;
    if (result != DB_DONE)
        return result;
    stock->unsure = false;
    return db_begin(stock->db);
}

static enum db_result write_row(struct stock *stock, struct stock_row *row)
{
    struct db_statement *statement = stock->statements[row->id == 0 ? INSERT_ROW : UPDATE_ROW];
    int64_t id = row->id == 0 ? stock->now.next_row : row->id;
    db_bind_int(statement, 1, id);
    db_bind_int(statement, 2, row->on_hand_milli);
    db_bind_int(statement, 3, row->reserved_milli);
    db_bind_int(statement, 4, row->last_movement);
    if (row->id == 0) {
        db_bind_text(statement, 5, row->shop);
        db_bind_text(statement, 6, row->location);
        db_bind_text(statement, 7, row->sku);
    }
    return db_run(statement);
}

static enum db_result write_progress(struct stock *stock)
{
    enum db_result result = DB_DONE;
    for (int i = 0; i < PARTITIONS_MAX && result == DB_DONE; i++) {
        if (!stock->progress_changed[i])
            continue;
        struct db_statement *save = stock->statements[SAVE_PROGRESS];
        db_bind_int(save, 1, i);
        db_bind_int(save, 2, stock->now.progress[i].applied);
        for (int j = 0; j < OUTCOME_COUNT; j++)
            db_bind_int(save, 3 + j, stock->now.progress[i].outcomes[j]);
        result = db_run(save);
        stock->progress_changed[i] = false;
    }
    return result;
}

enum db_result stock_commit(struct stock *stock)
{
    enum db_result result = DB_DONE;
    for (struct kept_row *kept = stock->touched; kept && result == DB_DONE;
         kept = kept->next_dirty) {
        if (kept->row.dirty && !(PLANTED(ROW_NOT_WRITTEN) && kept->next_dirty))
            result = write_row(stock, &kept->row);
        kept->row.dirty = false;
        kept->listed = false;
    }
    if (PLANTED(APPLIED_APART) && result == DB_DONE) {
        result = db_commit(stock->db);
        if (result == DB_DONE)
            result = db_begin(stock->db);
    }
    if (result == DB_DONE)
        result = write_progress(stock);
    if (result != DB_DONE)
        return result;
    result = db_commit(stock->db);
    if (result != DB_DONE) {
        stock->unsure = true;
        return result;
    }
    stock->committed = stock->now;
    stock->touched = NULL;
    stock->touched_last = &stock->touched;
    if (stock->kept > STOCK_ROWS_KEPT)
        drop_rows(stock);
    return DB_DONE;
}

void stock_rollback(struct stock *stock)
{
    db_rollback(stock->db);
    if (PLANTED(ROLLBACK_FORGOTTEN))
        return;
    stock->now = stock->committed;
    memset(stock->progress_changed, 0, sizeof stock->progress_changed);
    drop_rows(stock);
}

void stock_tend(struct stock *stock, bool idle)
{
    if (db_log_pages(stock->db) >= (idle ? CHECKPOINT_IDLE_PAGES : CHECKPOINT_BUSY_PAGES) &&
        db_checkpoint(stock->db) >= DB_FULL)
        incident_note(INCIDENT_STOCK_CHECKPOINT_FAILED, "the log is moved later");
}

/* --- rows --- */

static uint64_t hash_key(struct text shop, struct text location, struct text sku)
{
    return hash_text(sku) ^ (hash_text(location) * 3) ^ (hash_text(shop) * 5);
}

static struct kept_row *new_row(struct text shop, struct text location, struct text sku)
{
    struct kept_row *kept = calloc(1, sizeof *kept + shop.length + location.length + sku.length);
    if (!kept)
        return NULL;
    char *at = kept->texts;
    memcpy(at, shop.bytes, shop.length);
    kept->row.shop = (struct text){at, shop.length};
    at += shop.length;
    memcpy(at, location.bytes, location.length);
    kept->row.location = (struct text){at, location.length};
    at += location.length;
    memcpy(at, sku.bytes, sku.length);
    kept->row.sku = (struct text){at, sku.length};
    return kept;
}

static bool read_row(struct stock *stock, struct stock_row *row)
{
    struct db_statement *find = stock->statements[FIND_ROW];
    db_bind_text(find, 1, row->shop);
    db_bind_text(find, 2, row->location);
    db_bind_text(find, 3, row->sku);
    enum db_result result = db_step(find);
    if (result == DB_ROW) {
        row->id = db_int(find, 0);
        row->on_hand_milli = db_int(find, 1);
        row->reserved_milli = db_int(find, 2);
        row->last_movement = db_int(find, 3);
    }
    db_reset(find);
    return result == DB_ROW || result == DB_DONE;
}

static struct stock_row *touch(struct stock *stock, struct kept_row *kept)
{
    if (!kept->listed) {
        kept->listed = true;
        kept->next_dirty = NULL;
        *stock->touched_last = kept;
        stock->touched_last = &kept->next_dirty;
    }
    return &kept->row;
}

struct stock_row *stock_row_of(struct stock *stock, struct text shop, struct text location,
                               struct text sku)
{
    uint64_t hash = hash_key(shop, location, sku);
    struct kept_row **bucket = &stock->buckets[hash % STOCK_BUCKETS];
    for (struct kept_row *kept = *bucket; kept; kept = kept->next_in_bucket)
        if (kept->hash == hash && text_equal(kept->row.sku, sku) &&
            text_equal(kept->row.location, location) && text_equal(kept->row.shop, shop))
            return touch(stock, kept);
    struct kept_row *kept = new_row(shop, location, sku);
    if (!kept || !read_row(stock, &kept->row)) {
        free(kept);
        return NULL;
    }
    kept->hash = hash;
    kept->next_in_bucket = *bucket;
    *bucket = kept;
    stock->kept++;
    return touch(stock, kept);
}

/* --- what is written a document --- */

struct progress *stock_progress(struct stock *stock, int partition)
{
    if (partition < 0 || partition >= PARTITIONS_MAX)
        return NULL;
    stock->progress_changed[partition] = true;
    return &stock->now.progress[partition];
}

static void bind_maybe(struct db_statement *statement, int index, struct text text)
{
    if (text.bytes)
        db_bind_text(statement, index, text);
    else
        db_bind_null(statement, index);
}

enum db_result stock_add_document(struct stock *stock, const struct document_entry *entry)
{
    struct db_statement *insert = stock->statements[INSERT_DOCUMENT];
    db_bind_int(insert, 1, entry->partition);
    db_bind_int(insert, 2, entry->offset);
    db_bind_int(insert, 3, entry->time_ms);
    bind_maybe(insert, 4, entry->shop);
    bind_maybe(insert, 5, entry->terminal);
    bind_maybe(insert, 6, entry->id);
    if (entry->seq >= 0)
        db_bind_int(insert, 7, entry->seq);
    else
        db_bind_null(insert, 7);
    bind_maybe(insert, 8, entry->type);
    bind_maybe(insert, 9, entry->date);
    bind_maybe(insert, 10, entry->operator_id);
    db_bind_int(insert, 11, (int64_t)entry->outcome);
    bind_maybe(insert, 12, entry->reason);
    bind_maybe(insert, 13, entry->detail);
    db_bind_int(insert, 14, entry->first_movement);
    db_bind_int(insert, 15, entry->movement_count);
    return db_run(insert);
}

enum db_result stock_take_id(struct stock *stock, struct text terminal, struct text id,
                             int partition, int64_t offset, const unsigned char *hash, bool *same)
{
    struct text content = {(const char *)hash, DOCUMENT_HASH_BYTES};
    struct db_statement *take = stock->statements[TAKE_ID];
    db_bind_text(take, 1, terminal);
    db_bind_text(take, 2, id);
    db_bind_int(take, 3, partition);
    db_bind_int(take, 4, offset);
    db_bind_blob(take, 5, content);
    enum db_result result = db_run(take);
    if (result != DB_DONE || db_changes(stock->db) == 1)
        return result;
    struct db_statement *find = stock->statements[FIND_ID];
    db_bind_text(find, 1, terminal);
    db_bind_text(find, 2, id);
    result = db_step(find);
    *same = result == DB_ROW && text_equal(db_blob(find, 0), content);
    db_reset(find);
    return result == DB_ROW ? DB_CONSTRAINT : result == DB_DONE ? DB_DAMAGED : result;
}

enum db_result stock_add_movement(struct stock *stock, const struct movement *movement,
                                  int partition, int64_t offset, int64_t *number)
{
    struct stock_row *row = movement->row;
    if (row->id == 0) { /* the ledger needs its number now */
        enum db_result result = write_row(stock, row);
        if (result != DB_DONE)
            return result;
        row->id = stock->now.next_row++;
    }
    struct db_statement *insert = stock->statements[INSERT_MOVEMENT];
    *number = stock->now.next_movement++;
    db_bind_int(insert, 1, *number);
    db_bind_int(insert, 2, row->id);
    db_bind_int(insert, 3, partition);
    db_bind_int(insert, 4, offset);
    db_bind_int(insert, 5, (int64_t)movement->from);
    db_bind_int(insert, 6, (int64_t)movement->to);
    db_bind_int(insert, 7, movement->quantity_milli);
    db_bind_int(insert, 8, row->on_hand_milli);
    db_bind_int(insert, 9, row->last_movement);
    row->last_movement = *number;
    return db_run(insert);
}

enum db_result stock_add_dead(struct stock *stock, int partition, int64_t offset, struct text value)
{
    struct db_statement *insert = stock->statements[INSERT_DEAD];
    db_bind_int(insert, 1, partition);
    db_bind_int(insert, 2, offset);
    db_bind_text(insert, 3, value);
    return db_run(insert);
}

enum db_result stock_find_dead(struct stock *stock, int partition, int64_t offset,
                               struct buffer *value, struct buffer *shop)
{
    struct db_statement *find = stock->statements[FIND_DEAD];
    db_bind_int(find, 1, partition);
    db_bind_int(find, 2, offset);
    enum db_result result = db_step(find);
    if (result == DB_ROW) {
        buffer_add_text(value, db_text(find, 0));
        buffer_add_text(shop, db_text(find, 1));
    }
    db_reset(find);
    return result;
}

enum db_result stock_end_dead(struct stock *stock, int partition, int64_t offset, const char *state,
                              int by_partition, int64_t by_offset)
{
    struct db_statement *end = stock->statements[END_DEAD];
    db_bind_int(end, 1, partition);
    db_bind_int(end, 2, offset);
    db_bind_text(end, 3, text_of(state));
    db_bind_int(end, 4, by_partition);
    db_bind_int(end, 5, by_offset);
    return db_run(end);
}

struct db *stock_db(struct stock *stock)
{
    return stock->db;
}

int stock_open_read(struct db **out, const char *directory, struct failure *failure)
{
    char file[PATH_MAX];
    snprintf(file, sizeof file, "%s/" STOCK_FILE, directory);
    if (!disk_has(file))
        return 1;
    struct db *db;
    if (db_open(&db, file, &(struct db_options){.mode = DB_READ}, failure) != 0)
        return -1;
    int64_t format;
    enum db_result result = format_of(db, &format);
    if (result == DB_ROW && format == STOCK_FORMAT) {
        *out = db;
        return 0;
    }
    if (result != DB_ROW)
        failure_set(failure, result == DB_DAMAGED ? "DAMAGED" : "FAILED", "%s: cannot be read",
                    file);
    db_close(db);
    return result == DB_ROW ? 1 : -1;
}
