/* What a new segment begins with: the schema, and the state that moves with the records. */
#include <stdio.h>

#include "base/planted.h"
#include "journal/hole.h"
#include "journal/journal_internal.h"
#include "journal/schema.h"

static enum db_result carry_partition(struct db *db, struct db_statement *insert,
                                      const struct partition *partition)
{
    struct buffer sql = {0};
    journal_partition_schema(&sql, text_of(partition->topic), partition->number);
    buffer_add_byte(&sql, '\0');
    enum db_result result = sql.failed ? DB_NO_MEMORY : db_execute(db, sql.bytes);
    buffer_free(&sql);
    if (result != DB_DONE)
        return result;
    db_bind_text(insert, 1, text_of(partition->topic));
    db_bind_int(insert, 2, partition->number);
    db_bind_int(insert, 3, partition->log_start);
    db_bind_int(insert, 4, partition->end);
    db_bind_blob(insert, 5, (struct text){(const char *)partition->head, SHA256_BYTES});
    return db_run(insert);
}

static enum db_result carry_partitions(const struct journal *journal, struct db *db)
{
    struct db_statement *insert = db_prepare(db, "INSERT INTO tillq_partition VALUES(?,?,?,?,?)");
    enum db_result result = insert ? DB_DONE : db_why(db);
    for (int i = 0; i < journal->partition_count && result == DB_DONE; i++)
        result = carry_partition(db, insert, &journal->partitions[i]);
    /* The very first segment: the topic the product exists for is there from the start. */
    struct partition stock = {.topic = STOCK_TOPIC};
    if (result == DB_DONE && journal->partition_count == 0)
        result = carry_partition(db, insert, &stock);
    db_finalize(insert);
    return result;
}

static int carry_producer(const struct producer_state *state, void *context)
{
    struct db_statement *insert = context;
    db_bind_text(insert, 1, state->name);
    db_bind_int(insert, 2, state->last_seq);
    db_bind_int(insert, 3, state->floor);
    db_bind_text(insert, 4, state->gaps);
    return (int)db_run(insert);
}

static enum db_result carry_producers(const struct journal *journal, struct db *db)
{
    if (!journal->producers || PLANTED(PRODUCERS_LOST_AT_ROLL))
        return DB_DONE;
    struct db_statement *insert = db_prepare(db, "INSERT INTO tillq_producer VALUES(?,?,?,?)");
    if (!insert)
        return db_why(db);
    int result = producers_save(journal->producers, true, carry_producer, insert);
    db_finalize(insert);
    return result < 0 ? DB_NO_MEMORY : (enum db_result)result;
}

/* All rows of a small table, as they are; `kinds` has a letter a column: i integer, t text, b blob.
 */
static enum db_result carry_table(struct db *from, struct db *to, const char *select,
                                  const char *insert, const char *kinds)
{
    struct db_statement *row = db_prepare(from, select);
    struct db_statement *copy = db_prepare(to, insert);
    enum db_result result = !row ? db_why(from) : !copy ? db_why(to) : DB_ROW;
    while (result == DB_ROW && (result = db_step(row)) == DB_ROW) {
        for (int i = 0; kinds[i]; i++) {
            if (kinds[i] == 'i')
                db_bind_int(copy, i + 1, db_int(row, i));
            else if (kinds[i] == 't')
                db_bind_text(copy, i + 1, db_text(row, i));
            else
                db_bind_blob(copy, i + 1, db_blob(row, i));
        }
        result = db_run(copy);
        if (result == DB_DONE)
            result = DB_ROW;
    }
    db_finalize(row);
    db_finalize(copy);
    return result;
}

static enum db_result carry_rest(const struct journal *journal, struct db *db)
{
    if (!journal->db)
        return DB_DONE;
    enum db_result result = carry_table(journal->db, db, "SELECT * FROM tillq_group",
                                        "INSERT INTO tillq_group VALUES(?,?,?,?,?)", "ttiii");
    if (result != DB_DONE)
        return result;
    result = carry_table(journal->db, db, "SELECT * FROM tillq_segment",
                         "INSERT INTO tillq_segment VALUES(?,?,?)", "iib");
    if (result != DB_DONE || !hole_any(journal->db))
        return result;
    result = db_execute(db, hole_schema);
    return result == DB_DONE ? carry_table(journal->db, db, hole_select, hole_insert, hole_kinds)
                             : result;
}

enum db_result journal_make_segment(const struct journal *journal, struct db *db, int64_t number)
{
    char sql[256];
    snprintf(sql, sizeof sql,
             "INSERT INTO tillq_format VALUES(%d,%lld,%lld,'tillq " TILLQ_VERSION "')",
             JOURNAL_FORMAT, (long long)number, (long long)clock_wall_ms(journal->options.clock));
    enum db_result result = db_begin(db);
    if (result == DB_DONE)
        result = db_execute(db, journal_schema);
    if (result == DB_DONE)
        result = db_execute(db, sql);
    if (result == DB_DONE)
        result = carry_partitions(journal, db);
    if (result == DB_DONE)
        result = carry_producers(journal, db);
    if (result == DB_DONE)
        result = carry_rest(journal, db);
    return result == DB_DONE ? db_commit(db) : result;
}
