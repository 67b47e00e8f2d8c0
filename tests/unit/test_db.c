/* db: results instead of error codes, one owner a file, and readers that cannot touch it. */
#include "base/db.h"
#include "support.h"

struct fixture {
    struct scene scene;
    struct db *owner;
};

static struct db *open_as(struct fixture *fixture, enum db_mode mode)
{
    struct db *db;
    struct failure failure;
    struct db_options options = {.mode = mode, .sync = DB_SYNC_NORMAL};
    if (db_open(&db, scene_path(&fixture->scene, "x.db"), &options, &failure) != 0)
        fail_msg("db_open: %s", failure.message);
    assert_int_equal(db_execute(db, "PRAGMA busy_timeout=0"), DB_DONE);
    return db;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    quiet_log();
    scene_begin(&fixture->scene);
    fixture->owner = open_as(fixture, DB_OWNER);
    assert_int_equal(db_execute(fixture->owner, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)"),
                     DB_DONE);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    db_close(fixture->owner);
    scene_end(&fixture->scene);
    free(fixture);
    return 0;
}

static int64_t count_of(struct db *db)
{
    return db_int_of(db, "SELECT count(*) FROM t", -1);
}

static bool exists(struct fixture *fixture, const char *name)
{
    return access(scene_path(&fixture->scene, name), F_OK) == 0;
}

/* --- statements --- */

static void what_is_bound_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct db_statement *row = db_prepare(fixture->owner, "SELECT ?1, ?2, ?3, ?4, ?5");
    db_bind_int(row, 1, INT64_MIN);
    db_bind_text(row, 2, TEXT_LITERAL("a\0b"));
    db_bind_blob(row, 3, TEXT_LITERAL("\x00\xff"));
    db_bind_null(row, 4);
    db_bind_text(row, 5, (struct text){0});
    assert_int_equal(db_step(row), DB_ROW);
    assert_int_equal(db_columns(row), 5);
    assert_true(db_int(row, 0) == INT64_MIN);
    assert_true(text_equal(db_text(row, 1), TEXT_LITERAL("a\0b")));
    assert_true(text_equal(db_blob(row, 2), TEXT_LITERAL("\x00\xff")));
    assert_true(db_is_null(row, 3));
    assert_false(db_is_null(row, 4)); /* an empty text, not none */
    assert_int_equal(db_text(row, 4).length, 0);
    assert_int_equal(db_step(row), DB_DONE);
}

static void what_is_there_already_is_a_result(void **state)
{
    struct fixture *fixture = *state;
    struct db_statement *insert = db_prepare(fixture->owner, "INSERT INTO t VALUES(?, 'x')");
    db_bind_int(insert, 1, 7);
    assert_int_equal(db_run(insert), DB_DONE);
    assert_int_equal(db_changes(fixture->owner), 1);
    assert_int_equal(db_run(insert), DB_CONSTRAINT);
    db_bind_int(insert, 1, 8); /* and the statement goes on */
    assert_int_equal(db_run(insert), DB_DONE);
    assert_int_equal(count_of(fixture->owner), 2);
}

static void a_statement_that_makes_no_sense_is_none(void **state)
{
    struct fixture *fixture = *state;
    assert_null(db_prepare(fixture->owner, "SELECT nothing FROM nowhere"));
    assert_int_equal(db_execute(fixture->owner, "NONSENSE"), DB_MISTAKE);
    db_finalize(NULL);
}

static void one_number_has_a_stand_in_where_there_is_none(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(db_int_of(fixture->owner, "SELECT 5", -1), 5);
    assert_int_equal(db_int_of(fixture->owner, "SELECT a FROM t", -1), -1);
    assert_int_equal(db_int_of(fixture->owner, "SELECT max(a) FROM t", -1), -1);
    assert_int_equal(db_int_of(fixture->owner, "SELECT x FROM nowhere", -1), -1);
}

static void the_same_value_has_the_same_type_and_bytes(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } known[] = {
        {"1", "1", true},        {"1", "2", false},        {"1", "'1'", false},
        {"'a'", "'a'", true},    {"'a'", "'b'", false},    {"'a'", "'ab'", false},
        {"'a'", "x'61'", false}, {"NULL", "NULL", true},   {"NULL", "0", false},
        {"''", "NULL", false},   {"x'00'", "x'00'", true},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(known); i++) {
        char sql[2][32];
        snprintf(sql[0], sizeof sql[0], "SELECT %s", known[i].a);
        snprintf(sql[1], sizeof sql[1], "SELECT %s", known[i].b);
        struct db_statement *a = db_prepare(fixture->owner, sql[0]);
        struct db_statement *b = db_prepare(fixture->owner, sql[1]);
        assert_int_equal(db_step(a), DB_ROW);
        assert_int_equal(db_step(b), DB_ROW);
        if (db_same_value(a, b, 0) != known[i].same)
            fail_msg("%s and %s: got %d", known[i].a, known[i].b, !known[i].same);
        db_finalize(a);
        db_finalize(b);
    }
}

/* --- transactions --- */

static void a_rollback_undoes_and_is_always_possible(void **state)
{
    struct fixture *fixture = *state;
    db_rollback(fixture->owner);
    assert_int_equal(db_begin(fixture->owner), DB_DONE);
    assert_int_equal(db_execute(fixture->owner, "INSERT INTO t VALUES(1,1)"), DB_DONE);
    db_rollback(fixture->owner);
    assert_int_equal(count_of(fixture->owner), 0);
    assert_int_equal(db_begin(fixture->owner), DB_DONE);
    assert_int_equal(db_execute(fixture->owner, "INSERT INTO t VALUES(1,1)"), DB_DONE);
    assert_int_equal(db_commit(fixture->owner), DB_DONE);
    assert_int_equal(count_of(fixture->owner), 1);
}

static void beginning_while_another_writes_is_busy(void **state)
{
    struct fixture *fixture = *state;
    struct db *other = open_as(fixture, DB_OWNER);
    assert_int_equal(db_begin(other), DB_DONE);
    assert_int_equal(db_begin(fixture->owner), DB_BUSY);
    db_rollback(other);
    assert_int_equal(db_begin(fixture->owner), DB_DONE);
    db_rollback(fixture->owner);
    db_close(other);
}

static void without_room_nothing_is_changed(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(db_execute(fixture->owner, "INSERT INTO t VALUES(1,1)"), DB_DONE);
    assert_int_equal(db_execute(fixture->owner, "PRAGMA max_page_count=1"), DB_DONE);
    assert_int_equal(db_begin(fixture->owner), DB_DONE);
    assert_int_equal(db_execute(fixture->owner, "INSERT INTO t VALUES(2, zeroblob(100000))"),
                     DB_FULL);
    db_rollback(fixture->owner);
    assert_int_equal(count_of(fixture->owner), 1);
}

/* --- readers --- */

static void a_reader_sees_one_moment(void **state)
{
    struct fixture *fixture = *state;
    struct db *reader = open_as(fixture, DB_READ);
    assert_int_equal(db_begin_read(reader), DB_DONE);
    assert_int_equal(count_of(reader), 0);
    assert_int_equal(db_execute(fixture->owner, "INSERT INTO t VALUES(1,1)"), DB_DONE);
    assert_int_equal(count_of(reader), 0);
    db_end_read(reader);
    assert_int_equal(count_of(reader), 1);
    db_end_read(reader); /* nothing to end is fine */
    db_close(reader);
}

static void a_reader_cannot_write(void **state)
{
    struct fixture *fixture = *state;
    struct db *reader = open_as(fixture, DB_READ);
    assert_int_equal(db_execute(reader, "INSERT INTO t VALUES(1,1)"), DB_FAILED);
    assert_int_equal(count_of(fixture->owner), 0);
    db_close(reader);
}

static void a_reader_needs_a_file(void **state)
{
    struct fixture *fixture = *state;
    struct db *db;
    struct failure failure;
    const char *path = scene_path(&fixture->scene, "none.db");
    assert_int_equal(db_open(&db, path, &(struct db_options){.mode = DB_READ}, &failure), -1);
    assert_non_null(strstr(failure.message, "none.db"));
    assert_false(exists(fixture, "none.db"));
}

static void a_reader_that_closes_last_leaves_the_log_alone(void **state)
{
    struct fixture *fixture = *state;
    struct db *reader = open_as(fixture, DB_READ);
    assert_int_equal(db_execute(fixture->owner, "INSERT INTO t VALUES(1,1)"), DB_DONE);
    assert_int_equal(count_of(reader), 1);
    db_close(fixture->owner);
    fixture->owner = NULL;
    db_close(reader);
    assert_true(exists(fixture, "x.db-wal"));
    fixture->owner = open_as(fixture, DB_OWNER);
    assert_int_equal(count_of(fixture->owner), 1);
}

/* --- the log --- */

static void a_checkpoint_moves_what_no_reader_holds(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(db_execute(fixture->owner, "INSERT INTO t VALUES(1,zeroblob(100000))"),
                     DB_DONE);
    assert_true(db_log_pages(fixture->owner) > 24);
    struct db *reader = open_as(fixture, DB_READ);
    assert_int_equal(db_begin_read(reader), DB_DONE);
    assert_int_equal(count_of(reader), 1);
    assert_int_equal(db_execute(fixture->owner, "INSERT INTO t VALUES(2,zeroblob(100000))"),
                     DB_DONE);
    assert_int_equal(db_checkpoint(fixture->owner), DB_DONE);
    assert_true(db_log_pages(fixture->owner) > 24);
    db_end_read(reader);
    assert_int_equal(db_checkpoint(fixture->owner), DB_DONE);
    assert_int_equal(db_log_pages(fixture->owner), 0);
    db_close(reader);
}

static void nothing_is_checkpointed_unasked(void **state)
{
    struct fixture *fixture = *state;
    int64_t before = db_file_bytes(fixture->owner);
    assert_int_equal(db_execute(fixture->owner, "INSERT INTO t VALUES(1,zeroblob(10000000))"),
                     DB_DONE);
    assert_true(db_log_pages(fixture->owner) > 2400);
    assert_int_equal(db_file_bytes(fixture->owner), before);
}

static void sealing_waits_for_readers_and_leaves_one_file(void **state)
{
    struct fixture *fixture = *state;
    struct db *reader = open_as(fixture, DB_READ);
    assert_int_equal(db_execute(fixture->owner, "INSERT INTO t VALUES(1,1)"), DB_DONE);
    assert_int_equal(count_of(reader), 1);
    assert_int_equal(db_seal(fixture->owner), DB_BUSY);
    db_close(reader);
    assert_int_equal(db_seal(fixture->owner), DB_DONE);
    assert_false(exists(fixture, "x.db-wal"));
    assert_false(exists(fixture, "x.db-shm"));
    reader = open_as(fixture, DB_READ);
    assert_int_equal(count_of(reader), 1);
    db_close(reader);
}

/* --- the file itself --- */

static void the_file_below_is_read_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    char bytes[100000];
    assert_int_equal(db_seal(fixture->owner), DB_DONE);
    int64_t size = db_file_bytes(fixture->owner), read = 0, got;
    while ((got = db_read_file(fixture->owner, read, bytes + read, 3000)) > 0)
        read += got;
    assert_int_equal(got, 0);
    assert_int_equal(read, size);
    assert_memory_equal(bytes, "SQLite format 3", 16);
}

static void a_sound_file_passes_its_check_and_a_damaged_one_does_not(void **state)
{
    struct fixture *fixture = *state;
    struct failure failure;
    assert_int_equal(db_execute(fixture->owner, "INSERT INTO t VALUES(1,zeroblob(9000))"), DB_DONE);
    assert_int_equal(db_seal(fixture->owner), DB_DONE);
    assert_int_equal(db_check(fixture->owner, &failure), 0);
    db_close(fixture->owner);
    fixture->owner = NULL;

    FILE *file = fopen(scene_path(&fixture->scene, "x.db"), "r+");
    assert_non_null(file);
    fseek(file, 4096, SEEK_SET);
    for (int i = 0; i < 64; i++)
        fputc(0x5a, file);
    fclose(file);
    struct db *reader = open_as(fixture, DB_READ);
    assert_int_equal(db_check(reader, &failure), -1);
    assert_string_equal(failure.code, "DAMAGED");
    assert_non_null(strstr(failure.message, "x.db"));
    db_close(reader);
}

static void what_is_no_database_is_not_opened(void **state)
{
    struct fixture *fixture = *state;
    struct db *db;
    struct failure failure;
    const char *path = scene_path(&fixture->scene, "text.db");
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is no database\n", file);
    fclose(file);
    assert_int_equal(db_open(&db, path, &(struct db_options){.mode = DB_OWNER}, &failure), -1);
    assert_non_null(strstr(failure.message, "text.db"));
}

static void a_temporary_database_is_private(void **state)
{
    struct fixture *fixture = *state;
    struct db *a = open_as(fixture, DB_TEMPORARY), *b = open_as(fixture, DB_TEMPORARY);
    assert_int_equal(db_execute(a, "CREATE TABLE t(a)"), DB_DONE);
    assert_int_equal(count_of(a), 0);
    assert_int_equal(count_of(b), -1);
    db_close(a);
    db_close(b);
}

static void closing_takes_the_statements_along(void **state)
{
    struct fixture *fixture = *state;
    struct db *reader = open_as(fixture, DB_READ);
    struct db_statement *kept = db_prepare(reader, "SELECT * FROM t");
    struct db_statement *gone = db_prepare(reader, "SELECT 1");
    assert_non_null(kept);
    assert_int_equal(db_step(gone), DB_ROW);
    db_finalize(gone);
    db_close(reader); /* the address sanitizer tells if one is left */
    db_close(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_bound_comes_back),
        TEST(what_is_there_already_is_a_result),
        TEST(a_statement_that_makes_no_sense_is_none),
        TEST(one_number_has_a_stand_in_where_there_is_none),
        TEST(the_same_value_has_the_same_type_and_bytes),
        TEST(a_rollback_undoes_and_is_always_possible),
        TEST(beginning_while_another_writes_is_busy),
        TEST(without_room_nothing_is_changed),
        TEST(a_reader_sees_one_moment),
        TEST(a_reader_cannot_write),
        TEST(a_reader_needs_a_file),
        TEST(a_reader_that_closes_last_leaves_the_log_alone),
        TEST(a_checkpoint_moves_what_no_reader_holds),
        TEST(nothing_is_checkpointed_unasked),
        TEST(sealing_waits_for_readers_and_leaves_one_file),
        TEST(the_file_below_is_read_in_pieces),
        TEST(a_sound_file_passes_its_check_and_a_damaged_one_does_not),
        TEST(what_is_no_database_is_not_opened),
        TEST(a_temporary_database_is_private),
        TEST(closing_takes_the_statements_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
