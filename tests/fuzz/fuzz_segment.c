/* segment: a data directory from foreign hands: sealed segment, active segment with its log, stock
 * file with its log. Everybody who opens such a thing opens it: the questions of `tillq -d`, the
 * audit, a journal that is written to, an applier. Nobody falls over or says no without a reason; a
 * directory nobody touched is sound and its journal takes records; what is acknowledged is there
 * after the next opening, or its loss is said.
 *
 * Input: a script of strokes against a real directory (see strike): bytes, bits, pages and whole
 * files, and values in tables, for what SQLite itself would notice hides what we must notice. */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "net/query.h"
#include "stock/applier.h"
#include "stock/audit.h"
#include "support_stock.h"

#define FILES 5
#define COLUMNS_MAX 200
#define STROKES_MAX 12

static const char *const names[FILES] = {"journal/0000000000.db", "journal/0000000001.db",
                                         "journal/0000000001.db-wal", "stock.db", "stock.db-wal"};
static const int databases[] = {0, 1, 3};

static struct buffer contents[FILES];
static struct {
    int file;
    char table[64], column[64], key[64];
} columns[COLUMNS_MAX];
static int column_count;
static struct scene scene;

/* --- the directory as it was --- */

static void keep_file(int number)
{
    FILE *file = fopen(scene_path(&scene, names[number]), "r");
    char bytes[4096];
    size_t length;
    if (!file)
        breach("%s: not there", names[number]);
    while ((length = fread(bytes, 1, sizeof bytes, file)) > 0)
        buffer_add(&contents[number], bytes, length);
    fclose(file);
}

static void list_columns(int number)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    sqlite3_open_v2(scene_path(&scene, names[number]), &db, SQLITE_OPEN_READONLY, NULL);
    sqlite3_prepare_v2(db,
                       "SELECT m.name, p.name, (SELECT name FROM pragma_table_info(m.name) LIMIT 1)"
                       " FROM sqlite_schema m, pragma_table_info(m.name) p WHERE m.type='table'",
                       -1, &row, NULL);
    while (sqlite3_step(row) == SQLITE_ROW && column_count < COLUMNS_MAX) {
        snprintf(columns[column_count].table, 64, "%s", sqlite3_column_text(row, 0));
        snprintf(columns[column_count].column, 64, "%s", sqlite3_column_text(row, 1));
        snprintf(columns[column_count].key, 64, "%s", sqlite3_column_text(row, 2));
        columns[column_count++].file = number;
    }
    sqlite3_finalize(row);
    sqlite3_close(db);
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    (void)count;
    (void)arguments;
    static struct drawn drawn = {.dice = {20261122}};
    fuzz_quiet();
    scene_begin(&scene);
    scene_open(&scene);
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 6; j++)
            scene_put(&scene, append_sent("T01", drawn.count * 2, draw_value(&drawn)));
        scene_put(&scene, append_of("t", "{\"a\":1}"));
        scene_put(&scene, append_group_offset("g", "t", 1));
        if (i == 0)
            scene_roll(&scene);
    }
    scene_tend(&scene);
    struct failure failure;
    struct stock *stock = NULL;
    if (stock_open(&stock, STOCK_LIVE, scene.directory, 0, &failure) != 0)
        breach("%s", failure.message);
    replay_all(&scene, stock);
    for (int i = 0; i < FILES; i++)
        keep_file(i);
    for (size_t i = 0; i < COUNT(databases); i++)
        list_columns(databases[i]);
    stock_close(stock);
    scene_end(&scene);
    drawn_free(&drawn);
    return 0;
}

static void lay_out(void)
{
    scene_begin(&scene);
    mkdir(scene_path(&scene, "journal"), 0755);
    for (int i = 0; i < FILES; i++) {
        int file = open(scene_path(&scene, names[i]), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (file < 0 ||
            write(file, contents[i].bytes, contents[i].length) != (ssize_t)contents[i].length)
            breach("no room for the directory");
        close(file);
    }
}

/* --- strokes --- */

static void bind_value(sqlite3_stmt *update, struct input *input)
{
    static const int64_t edges[] = {INT64_MIN, INT64_MAX, -1, 0, 1, INT64_MAX - 1, 1 << 30};
    struct text text;
    switch (input_byte(input) % 6) {
    case 0:
        sqlite3_bind_int64(update, 1, edges[input_byte(input) % COUNT(edges)]);
        break;
    case 1:
        sqlite3_bind_int64(update, 1, (int8_t)input_byte(input));
        break;
    case 2:
        sqlite3_bind_int64(update, 1, (int64_t)input_number(input, 8));
        break;
    case 3:
        sqlite3_bind_double(update, 1, 1e300);
        break;
    case 4:
        text = input_text(input, input_byte(input));
        sqlite3_bind_text(update, 1, text.bytes, (int)text.length, SQLITE_TRANSIENT);
        break;
    default:
        text = input_text(input, input_byte(input));
        sqlite3_bind_blob(update, 1, text.bytes, (int)text.length, SQLITE_TRANSIENT);
    }
}

/* Sets a value, or takes a row away. What SQLite refuses is no stroke. */
static void strike_table(struct input *input, bool removes)
{
    int number = (int)(input_number(input, 2) % (uint64_t)column_count);
    int row = input_byte(input) % 16;
    const char *key = columns[number].key, *table = columns[number].table;
    char sql[400], set[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *change = NULL;
    snprintf(set, sizeof set, removes ? "DELETE FROM \"%s\"" : "UPDATE \"%s\"", table);
    snprintf(
        sql, sizeof sql,
        "%s%s%s%s WHERE \"%s\" = (SELECT \"%s\" FROM \"%s\" ORDER BY \"%s\" LIMIT 1 OFFSET %d)",
        set, removes ? "" : " SET \"", removes ? "" : columns[number].column,
        removes ? "" : "\"=?1", key, key, table, key, row);
    sqlite3_open_v2(scene_path(&scene, names[columns[number].file]), &db, SQLITE_OPEN_READWRITE,
                    NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (sqlite3_prepare_v2(db, sql, -1, &change, NULL) == SQLITE_OK) {
        if (!removes)
            bind_value(change, input);
        sqlite3_step(change);
    }
    sqlite3_finalize(change);
    sqlite3_close(db);
}

static void strike_bytes(struct input *input, int file, off_t size)
{
    char bytes[32];
    off_t at = (off_t)(input_number(input, 3) % (uint64_t)size);
    size_t length = 1 + input_byte(input) % sizeof bytes;
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)input_byte(input);
    if (pwrite(file, bytes, length, at) < 0)
        breach("no room");
}

static void strike_bit(struct input *input, int file, off_t size)
{
    off_t at = (off_t)(input_number(input, 3) % (uint64_t)size);
    unsigned char byte = 0;
    if (pread(file, &byte, 1, at) == 1) {
        byte = (unsigned char)(byte ^ 1u << input_byte(input) % 8);
        if (pwrite(file, &byte, 1, at) < 0)
            breach("no room");
    }
}

/* One page where another was: what a disk does that forgets where it writes. */
static void strike_page(struct input *input, int file, off_t size)
{
    static char page[4096];
    uint64_t pages = (uint64_t)size / sizeof page + 1;
    off_t from = (off_t)(input_byte(input) % pages), to = (off_t)(input_byte(input) % pages);
    ssize_t length = pread(file, page, sizeof page, from * (off_t)sizeof page);
    if (length > 0 && pwrite(file, page, (size_t)length, to * (off_t)sizeof page) < 0)
        breach("no room");
}

static void strike_name(struct input *input, const char *path)
{
    char to[64];
    uint64_t number = input_number(input, 5) % 10000000000u;
    snprintf(to, sizeof to, "journal/%010llu.db", (unsigned long long)number);
    rename(path, scene_path(&scene, to));
}

static void strike(struct input *input)
{
    uint8_t kind = input_byte(input) % 8;
    if (kind < 2) {
        strike_table(input, kind == 1);
        return;
    }
    const char *path = scene_path(&scene, names[input_byte(input) % FILES]);
    struct stat status;
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0 || status.st_size == 0) {
        if (file >= 0)
            close(file);
        return;
    }
    if (kind == 2)
        strike_bytes(input, file, status.st_size);
    else if (kind == 3)
        strike_bit(input, file, status.st_size);
    else if (kind == 4)
        strike_page(input, file, status.st_size);
    else if (kind == 5 &&
             ftruncate(file, (off_t)(input_number(input, 3) % (uint64_t)status.st_size)) != 0)
        breach("cannot be cut");
    else if (kind == 6)
        strike_name(input, path);
    else if (kind == 7)
        unlink(path);
    close(file);
}

/* --- who opens it --- */

static void expect_reason(const struct failure *failure, const char *who)
{
    if (!failure->code || failure->message[0] == '\0')
        breach("%s: no without a reason", who);
}

static void ask(void)
{
    static const char *const lines[] = {
        "{\"op\":\"status\"}",
        "{\"op\":\"stock\"}",
        "{\"op\":\"stock\",\"skus\":[\"A\",\"B\"]}",
        "{\"op\":\"movements\",\"sku\":\"A\"}",
        "{\"op\":\"dead\"}",
        "{\"op\":\"dead\",\"offset\":3}",
        "{\"op\":\"hello\",\"terminal\":\"T01\"}",
        "{\"op\":\"committed\",\"group\":\"g\",\"topic\":\"t\"}",
        "{\"op\":\"fetch\",\"topic\":\"stock\",\"offset\":0}",
        "{\"op\":\"fetch\",\"topic\":\"stock\",\"offset\":7}",
        "{\"op\":\"fetch\",\"topic\":\"t\",\"offset\":0}",
    };
    struct query *query;
    struct failure failure = {0};
    struct json json = {0};
    if (query_open(&query, scene.directory, &failure) != 0) {
        expect_reason(&failure, "query_open");
        return;
    }
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct buffer reply = {0};
        query_answer_line(query, text_of(lines[i]), &reply);
        if (json_parse(&json, buffer_text(&reply), &failure) != 0)
            breach("%s: %s: %.*s", lines[i], failure.message, (int)reply.length, reply.bytes);
        buffer_free(&reply);
    }
    json_free(&json);
    query_close(query);
}

static void audit(bool untouched)
{
    struct audit audit;
    struct failure failure = {0};
    if (audit_directory(scene.directory, NULL, NULL, &audit, &failure) != 0)
        expect_reason(&failure, "audit");
    else if (!audit.sound && audit.fault[0] == '\0')
        breach("unsound without a fault");
    if (untouched && !audit.sound)
        breach("untouched and unsound: %s", audit.fault);
}

/* Opened and written to. The offset of what was acknowledged, or -1. */
static int64_t write_one(bool untouched)
{
    struct failure failure = {0};
    struct journal_options options = {
        .directory = scene.directory, .segment_bytes = scene.segment_bytes, .clock = &scene.clock};
    if (journal_open(&scene.journal, &options, &scene.recovery, &failure) != 0) {
        expect_reason(&failure, "journal_open");
        if (untouched)
            breach("untouched and not opened: %s", failure.message);
        return -1;
    }
    struct append append = scene_append(&scene, append_sent("T02", 5, "\"acknowledged\""));
    if (append.error && (untouched || !append.message))
        breach("refused: %s", append.error);
    scene_append(&scene, append_group_offset("g", "t", 2));
    scene_append(&scene, (struct append){.kind = APPEND_ROLL});
    bool retry;
    for (int i = 0; i < 20 && journal_tend(scene.journal, true, &retry); i++)
        ;
    scene_close(&scene);
    return append.error || append.duplicate ? -1 : append.offset;
}

static void expect_acknowledged(int64_t offset)
{
    struct journal_reader *reader;
    struct failure failure = {0};
    struct batch batch;
    if (offset < 0)
        return;
    if (journal_reader_open(&reader, scene.directory, &failure) != 0) {
        expect_reason(&failure, "journal_reader_open");
        return;
    }
    int found = journal_reader_find(reader, TEXT_LITERAL(STOCK_TOPIC), 0, offset, &batch, &failure);
    if (found < 0)
        expect_reason(&failure, "journal_reader_find");
    if (found == 0)
        breach("acknowledged at offset %" PRId64 " and gone without a word", offset);
    journal_reader_close(reader);
}

static void answered(struct append *first, void *context)
{
    (void)first;
    (void)context;
}

static void apply(void)
{
    struct applier_options options = {
        .directory = scene.directory, .documents = 5, .deliver = answered};
    struct applier_recovery recovery;
    struct applier *applier;
    struct failure failure = {0};
    if (applier_new(&applier, &options, &recovery, &failure) != 0) {
        expect_reason(&failure, "applier_new");
        return;
    }
    for (int i = 0; i < 8; i++)
        applier_step(applier);
    applier_stop(applier);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct input input = {bytes, bytes + length};
    bool untouched = input_ends(&input);
    lay_out();
    for (int i = 0; i < STROKES_MAX && !input_ends(&input); i++)
        strike(&input);
    ask();
    audit(untouched);
    expect_acknowledged(write_one(untouched));
    apply();
    scene_end(&scene);
    return 0;
}
