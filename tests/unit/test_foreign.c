/* files from foreign hands: what lies in a directory is what somebody else, or a worn disk, made of
 * it. It is refused or named, never believed, never a reason to fall over or to wait for ever. */
#include <sys/stat.h>

#include "journal/producers.h"
#include "journal/segment.h"
#include "net/query.h"
#include "stock/audit.h"
#include "support_stock.h"

static int set_up(void **state)
{
    struct scene *scene = malloc(sizeof *scene);
    struct failure failure;
    struct stock *stock;
    quiet_log();
    scene_begin(scene);
    scene_open(scene);
    for (int i = 0; i < 3; i++) {
        scene_put_document(scene,
                           "{\"type\":\"sale\",\"id\":\"%d\",\"shop\":\"S\",\"terminal\":\"T\","
                           "\"lines\":[{\"sku\":\"A\",\"qty\":1}]}",
                           i);
        if (i < 2)
            scene_roll(scene);
    }
    scene_close(scene);
    assert_int_equal(stock_open(&stock, STOCK_LIVE, scene->directory, 0, &failure), 0);
    replay_all(scene, stock);
    stock_close(stock);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    scene_end(*state);
    free(*state);
    return 0;
}

/* --- meddling --- */

static void run_sql(const char *path, const char *sql)
{
    struct db *db;
    struct failure failure;
    assert_int_equal(db_open(&db, path, &(struct db_options){.mode = DB_OWNER}, &failure), 0);
    assert_int_equal(db_execute(db, sql), DB_DONE);
    db_close(db);
}

static void run_on_segment(const struct scene *scene, int64_t number, const char *sql)
{
    char path[PATH_MAX];
    segment_path(path, scene->directory, number);
    run_sql(path, sql);
}

static void move_segment(const struct scene *scene, int64_t from, int64_t to)
{
    char old[PATH_MAX], new[PATH_MAX];
    segment_path(old, scene->directory, from);
    segment_path(new, scene->directory, to);
    assert_int_equal(rename(old, new), 0);
}

/* --- looking --- */

/* A start does not write on it: it is set aside. Puts it back for the next look. */
static void expect_set_aside(struct scene *scene, int64_t number)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char path[PATH_MAX];
    scene_open(scene);
    assert_true(scene->recovery.salvaged);
    scene_close(scene);
    segment_path(path, scene->directory, number);
    for (size_t i = 0; i < COUNT(endings); i++) {
        char aside[PATH_MAX + 32], back[PATH_MAX + 32];
        snprintf(aside, sizeof aside, "%s.damaged-1%s", path, endings[i]);
        snprintf(back, sizeof back, "%s%s", path, endings[i]);
        unlink(back);
        if (access(aside, F_OK) == 0)
            assert_int_equal(rename(aside, back), 0);
    }
}

static void expect_unsound(const struct scene *scene, const char *fault)
{
    struct audit audit;
    struct failure failure = {0};
    assert_int_equal(audit_directory(scene->directory, NULL, NULL, &audit, &failure), 0);
    assert_false(audit.sound);
    if (!strstr(audit.fault, fault))
        fail_msg("got '%s', want '%s'", audit.fault, fault);
}

static void expect_answer(const struct scene *scene, const char *line, const char *want)
{
    struct query *query;
    struct failure failure;
    struct buffer reply = {0};
    assert_int_equal(query_open(&query, scene->directory, &failure), 0);
    query_answer_line(query, text_of(line), &reply);
    buffer_add_byte(&reply, '\0');
    if (!strstr(reply.bytes, want))
        fail_msg("%s: got '%s', want '%s'", line, reply.bytes, want);
    buffer_free(&reply);
    query_close(query);
}

static void expect_found(const struct scene *scene, int64_t offset, int want)
{
    struct journal_reader *reader = scene_reader(scene);
    struct failure failure = {0};
    struct batch batch;
    int found = journal_reader_find(reader, TEXT_LITERAL(STOCK_TOPIC), 0, offset, &batch, &failure);
    if (found != want)
        fail_msg("offset %" PRId64 ": got %d (%s), want %d", offset, found, failure.message, want);
    if (want < 0)
        assert_string_equal(failure.code, "DAMAGED");
    journal_reader_close(reader);
}

/* --- names --- */

static void a_far_number_costs_no_time(void **state)
{
    struct scene *scene = *state;
    move_segment(scene, 2, SEGMENT_LAST);
    expect_found(scene, 0, 1);
    expect_found(scene, 2, 1);
    expect_answer(scene, "{\"op\":\"status\"}", "\"segments\":3,");
    expect_unsound(scene, "segment 2 is missing");
    scene_open(scene); /* seals what is below, and looks for nothing in the gap */
    scene_tend(scene);
    scene_close(scene);
}

static void behind_the_last_name_there_is_no_roll(void **state)
{
    struct scene *scene = *state;
    move_segment(scene, 2, SEGMENT_LAST);
    scene_open(scene);
    struct append append = scene_append(scene, (struct append){.kind = APPEND_ROLL});
    assert_string_equal(append.error, "FAILED");
    assert_int_equal(scene_put(scene, append_of(STOCK_TOPIC, "7")), 3);
    scene_reopen(scene);
    expect_values_from(scene, STOCK_TOPIC, 3, "7");
}

static void a_far_number_that_is_half_made_makes_no_files(void **state)
{
    struct scene *scene = *state;
    char path[PATH_MAX];
    segment_path(path, scene->directory, SEGMENT_LAST - 1);
    fclose(fopen(path, "w"));
    scene_open(scene);
    assert_int_equal(journal_active_segment(scene->journal), 2);
    assert_false(segment_exists(scene->directory, SEGMENT_LAST - 2));
    assert_false(segment_exists(scene->directory, 3));
}

static void records_of_a_segment_that_is_gone_are_not_waited_for(void **state)
{
    struct scene *scene = *state;
    char path[PATH_MAX];
    segment_path(path, scene->directory, 1);
    unlink(path);
    expect_found(scene, 0, 1);
    expect_found(scene, 1, -1);
    expect_found(scene, 2, 1);
    expect_found(scene, 3, 0);
    fclose(fopen(path, "w")); /* there, and nothing in it */
    expect_found(scene, 1, -1);
}

/* --- numbers --- */

static void offsets_that_cannot_be_are_damage(void **state)
{
    static const char *const sets[] = {
        "UPDATE \"stock-0\" SET base_offset=9223372036854775807",
        "UPDATE \"stock-0\" SET base_offset=-9223372036854775807",
        "UPDATE \"stock-0\" SET count=9223372036854775807",
        "UPDATE \"stock-0\" SET count=-1",
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < COUNT(sets); i++) {
        run_on_segment(scene, 2, sets[i]);
        expect_set_aside(scene, 2);
        expect_unsound(scene, "a batch of");
        expect_found(scene, 2, -1);
        run_on_segment(scene, 2, "UPDATE \"stock-0\" SET base_offset=2, count=1");
    }
    expect_found(scene, 2, 1);
}

static void places_that_cannot_be_are_damage(void **state)
{
    static const char *const sets[] = {"partition=''", "partition=-1",
                                       "log_start=-1", "start=9223372036854775807",
                                       "start=-5",     "start_hash=x'00'"};
    struct scene *scene = *state;
    for (size_t i = 0; i < COUNT(sets); i++) {
        char sql[128];
        run_on_segment(scene, 2, "CREATE TABLE kept AS SELECT * FROM tillq_partition");
        snprintf(sql, sizeof sql, "UPDATE tillq_partition SET %s", sets[i]);
        run_on_segment(scene, 2, sql);
        expect_set_aside(scene, 2);
        expect_unsound(scene, "");
        run_on_segment(scene, 2,
                       "DELETE FROM tillq_partition; INSERT INTO tillq_partition SELECT * FROM "
                       "kept; DROP TABLE kept");
    }
    scene_open(scene);
}

static void a_state_that_cannot_be_is_none(void **state)
{
    static const int64_t states[][2] = {{-1, 0}, {5, -1}, {5, 6}, {INT64_MIN, INT64_MIN}};
    (void)state;
    struct producers *producers = producers_new();
    for (size_t i = 0; i < COUNT(states); i++) {
        struct producer_state bad = {TEXT_LITERAL("T"), states[i][0], states[i][1],
                                     TEXT_LITERAL("[]")};
        assert_int_equal(producers_restore(producers, &bad), -1);
    }
    struct producer_state apart = {TEXT_LITERAL("T"), INT64_MAX, 0,
                                   TEXT_LITERAL("[[-9223372036854775808,0],[5,6]]")};
    assert_int_equal(producers_restore(producers, &apart), -1);
    producers_free(producers);
}

/* --- the stock file --- */

static void what_is_no_text_leaves_as_no_line(void **state)
{
    struct scene *scene = *state;
    const char *stock = scene_path(scene, STOCK_FILE);
    run_sql(stock, "UPDATE stock SET shop=CAST(x'ff00' AS TEXT)");
    expect_answer(scene, "{\"op\":\"stock\",\"tag\":7}", "\"error\":\"DAMAGED\"");
    expect_answer(scene, "{\"op\":\"stock\",\"tag\":7}", "\"tag\":7");
    run_on_segment(scene, 2, "UPDATE \"stock-0\" SET records=replace(records,'sale','sal\"')");
    expect_answer(scene, "{\"op\":\"fetch\",\"topic\":\"stock\",\"offset\":2}",
                  "\"error\":\"DAMAGED\"");
    expect_answer(scene, "{\"op\":\"fetch\",\"topic\":\"stock\",\"offset\":1,\"max\":1}",
                  "\"offset\":1");
}

static void a_ledger_that_runs_in_a_circle_is_damage(void **state)
{
    struct scene *scene = *state;
    static const char question[] = "{\"op\":\"movements\",\"sku\":\"A\"}";
    expect_answer(scene, question, "\"balance\":\"-1\"");
    run_sql(scene_path(scene, STOCK_FILE), "UPDATE movement SET previous=3 WHERE id=2");
    expect_answer(scene, question, "\"error\":\"DAMAGED\"");
    run_sql(scene_path(scene, STOCK_FILE), "DELETE FROM movement WHERE id=3");
    expect_answer(scene, question, "\"error\":\"DAMAGED\"");
    expect_answer(scene, "{\"op\":\"movements\",\"sku\":\"A\",\"after\":\"99\"}",
                  "\"error\":\"BAD_REQUEST\"");
}

static void figures_that_cannot_be_are_told_without_falling_over(void **state)
{
    struct scene *scene = *state;
    const char *stock = scene_path(scene, STOCK_FILE);
    run_sql(stock, "UPDATE stock SET on_hand_milli=-9223372036854775807-1, reserved_milli=1");
    expect_answer(scene, "{\"op\":\"stock\"}", "\"available\":\"-9223372036854775.808\"");
    run_sql(stock, "UPDATE stock SET on_hand_milli=1, reserved_milli=-9223372036854775807-1");
    expect_answer(scene, "{\"op\":\"stock\"}", "\"available\":\"9223372036854775.807\"");
    assert_string_equal(outcome_name((enum outcome)OUTCOME_COUNT), "?");
    assert_string_equal(outcome_name((enum outcome) - 1), "?");
}

static void progress_that_cannot_be_is_no_stock(void **state)
{
    struct scene *scene = *state;
    struct stock *stock;
    struct failure failure;
    static const char last_row[] = "UPDATE progress SET rejected=0;"
                                   "INSERT INTO stock VALUES(9223372036854775807,'','','',0,0,0)";
    static const char *const sets[] = {"UPDATE progress SET applied=-1",
                                       "UPDATE progress SET applied=3, rejected=-1", last_row};
    for (size_t i = 0; i < COUNT(sets); i++) {
        run_sql(scene_path(scene, STOCK_FILE), sets[i]);
        assert_int_equal(stock_open(&stock, STOCK_LIVE, scene->directory, 0, &failure), -1);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_far_number_costs_no_time),
        TEST(behind_the_last_name_there_is_no_roll),
        TEST(a_far_number_that_is_half_made_makes_no_files),
        TEST(records_of_a_segment_that_is_gone_are_not_waited_for),
        TEST(offsets_that_cannot_be_are_damage),
        TEST(places_that_cannot_be_are_damage),
        TEST(a_state_that_cannot_be_is_none),
        TEST(what_is_no_text_leaves_as_no_line),
        TEST(a_ledger_that_runs_in_a_circle_is_damage),
        TEST(figures_that_cannot_be_are_told_without_falling_over),
        TEST(progress_that_cannot_be_is_no_stock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
