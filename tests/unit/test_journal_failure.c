/* journal, where the disk does not play along: nobody in a failed commit is acknowledged, and
 * memory is what is on disk. */
#include <sys/stat.h>

#include "journal/journal_internal.h"
#include "journal/segment.h"
#include "support.h"

static char large[20001]; /* a value that needs pages of its own */

static int set_up(void **state)
{
    struct scene *scene = malloc(sizeof *scene);
    quiet_log();
    memset(large, '1', sizeof large - 1);
    scene_begin(scene);
    scene_open(scene);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    limit_files(RLIM_INFINITY);
    scene_end(*state);
    free(*state);
    return 0;
}

static void run_sql(const struct scene *scene, const char *sql)
{
    assert_int_equal(db_execute(scene->journal->db, sql), DB_DONE);
}

static void fill_disk(const struct scene *scene)
{
    run_sql(scene, "PRAGMA max_page_count=1");
}

static void free_disk(const struct scene *scene)
{
    run_sql(scene, "PRAGMA max_page_count=1073741823");
}

static void expect_error(const struct append *append, const char *code)
{
    if (!append->error || strcmp(append->error, code) != 0)
        fail_msg("got %s, want %s", append->error ? append->error : "no error", code);
    assert_non_null(append->message);
}

static void expect_health(const struct scene *scene, enum journal_health health)
{
    const char *message;
    assert_int_equal(journal_health(scene->journal, &message), health);
}

static int64_t end_of(const struct scene *scene, const char *topic)
{
    return journal_end(scene->journal, text_of(topic), 0);
}

/* --- a full disk --- */

static void without_room_nobody_in_the_commit_is_acknowledged(void **state)
{
    struct scene *scene = *state;
    scene_put(scene, append_of(STOCK_TOPIC, "1"));
    fill_disk(scene);
    struct append appends[] = {append_sent("T01", 0, large), append_sent("T01", 0, large),
                               append_of("t", "2"), append_group_offset("g", STOCK_TOPIC, 1),
                               (struct append){.kind = APPEND_ROLL}};
    scene_append_all(scene, appends, COUNT(appends));
    for (size_t i = 0; i < COUNT(appends); i++)
        expect_error(&appends[i], "JOURNAL_FULL");
    expect_health(scene, JOURNAL_IS_FULL);
    expect_counted(INCIDENT_COMMIT_FULL, 1);
    assert_int_equal(end_of(scene, STOCK_TOPIC), 1);
    assert_int_equal(end_of(scene, "t"), -1);
    assert_int_equal(journal_active_segment(scene->journal), 0);
    expect_values(scene, STOCK_TOPIC, "1");
}

static void what_was_refused_keeps_its_own_reason(void **state)
{
    struct scene *scene = *state;
    fill_disk(scene);
    struct append appends[] = {append_of("..", "1"), append_of(STOCK_TOPIC, large)};
    scene_append_all(scene, appends, COUNT(appends));
    expect_error(&appends[0], "BAD_REQUEST");
    expect_error(&appends[1], "JOURNAL_FULL");
}

static void with_room_again_what_was_refused_is_taken(void **state)
{
    struct scene *scene = *state;
    fill_disk(scene);
    struct append refused = scene_append(scene, append_sent("T01", 7, large));
    expect_error(&refused, "JOURNAL_FULL");
    free_disk(scene);
    struct append again = scene_append(scene, append_sent("T01", 7, "1"));
    assert_null(again.error);
    assert_false(again.duplicate);
    assert_int_equal(again.offset, 0);
    expect_health(scene, JOURNAL_OK);
    expect_counted(INCIDENT_COMMIT_FULL, 1);
    expect_counted(INCIDENT_JOURNAL_RESUMED, 1);
    scene_reopen(scene);
    assert_true(scene_append(scene, append_sent("T01", 7, "2")).duplicate);
    expect_values(scene, STOCK_TOPIC, "1");
}

static void what_was_known_before_a_failed_commit_is_known_after_it(void **state)
{
    struct scene *scene = *state;
    scene_put(scene, append_sent("T01", 0, "1"));
    scene_put(scene, append_sent("T01", 4, "2"));
    fill_disk(scene);
    scene_append(scene, append_sent("T01", 9, large));
    struct append known = scene_append(scene, append_sent("T01", 4, "3"));
    assert_null(known.error);
    assert_true(known.duplicate);
    free_disk(scene);
    assert_int_equal(scene_put(scene, append_sent("T01", 2, "3")), 2);
    assert_int_equal(scene_put(scene, append_sent("T01", 5, "4")), 3);
    expect_values(scene, STOCK_TOPIC, "1 2 3 4");
}

static void a_failed_commit_does_not_break_the_chain(void **state)
{
    struct scene *scene = *state;
    unsigned char head[SHA256_BYTES];
    scene_put(scene, append_of(STOCK_TOPIC, "1"));
    memcpy(head, scene->journal->partitions[0].head, sizeof head);
    fill_disk(scene);
    scene_append(scene, append_of(STOCK_TOPIC, large));
    assert_memory_equal(head, scene->journal->partitions[0].head, sizeof head);
}

static void a_segment_without_room_for_the_next_grows_on(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 10; i++)
        scene_put(scene, append_of(STOCK_TOPIC, large));
    journal_set_segment_bytes(scene->journal, 100000);
    const char *in_the_way = scene_path(scene, JOURNAL_FOLDER "/0000000001.db");
    assert_int_equal(mkdir(in_the_way, 0700), 0);
    scene_tend(scene);
    assert_int_equal(journal_active_segment(scene->journal), 0);
    expect_counted(INCIDENT_ROLL_FAILED, 1);
    assert_int_equal(rmdir(in_the_way), 0);
    for (int i = 0; i < 10; i++)
        scene_put(scene, append_of(STOCK_TOPIC, large));
    scene_tend(scene);
    assert_int_equal(journal_active_segment(scene->journal), 1);
    expect_counted(INCIDENT_SEGMENT_BEGUN, 2);
    assert_int_equal(end_of(scene, STOCK_TOPIC), 20);
}

/* --- a statement that is refused --- */

static void a_refused_statement_takes_the_whole_commit_with_it_and_nothing_more(void **state)
{
    struct scene *scene = *state;
    scene_put(scene, append_of(STOCK_TOPIC, "1"));
    run_sql(scene, "ALTER TABLE tillq_group RENAME TO away");
    struct append appends[] = {append_of("t", "2"), append_sent("T01", 0, "3"),
                               append_group_offset("g", STOCK_TOPIC, 1)};
    scene_append_all(scene, appends, COUNT(appends));
    for (size_t i = 0; i < COUNT(appends); i++)
        expect_error(&appends[i], "FAILED");
    expect_health(scene, JOURNAL_OK);
    expect_counted(INCIDENT_COMMIT_MISTAKE, 1);
    run_sql(scene, "ALTER TABLE away RENAME TO tillq_group");
    assert_int_equal(end_of(scene, "t"), -1);
    assert_int_equal(scene_put(scene, append_sent("T01", 0, "3")), 1);
    expect_values(scene, STOCK_TOPIC, "1 3");
}

/* --- somebody else in the way --- */

static void a_journal_that_is_held_refuses_and_goes_on_later(void **state)
{
    struct scene *scene = *state;
    struct db *other;
    struct failure failure;
    assert_int_equal(db_open(&other, db_path(scene->journal->db),
                             &(struct db_options){.mode = DB_OWNER}, &failure),
                     0);
    run_sql(scene, "PRAGMA busy_timeout=0");
    assert_int_equal(db_begin(other), DB_DONE);
    struct append refused = scene_append(scene, append_sent("T01", 0, "1"));
    assert_non_null(refused.error);
    expect_health(scene, JOURNAL_OK);
    expect_counted(INCIDENT_COMMIT_BUSY, 1);
    db_rollback(other);
    db_close(other);
    assert_int_equal(scene_put(scene, append_sent("T01", 0, "1")), 0);
    expect_values(scene, STOCK_TOPIC, "1");
}

/* --- a disk that fails --- */

static void after_a_failed_write_nothing_is_written_until_a_restart(void **state)
{
    struct scene *scene = *state;
    scene_put(scene, append_sent("T01", 0, "1"));
    limit_files(100000);
    struct append refused = {0};
    for (int seq = 1; !refused.error && seq < 100; seq++)
        refused = scene_append(scene, append_sent("T01", seq, large));
    limit_files(RLIM_INFINITY);
    expect_error(&refused, "JOURNAL_FAILED");
    expect_health(scene, JOURNAL_IS_FAILED);
    expect_counted(INCIDENT_COMMIT_DISK, 1);
    struct append later = scene_append(scene, append_sent("T01", 500, "2"));
    expect_error(&later, "JOURNAL_FAILED");
    assert_false(scene_tend(scene));
    expect_counted(INCIDENT_COMMIT_DISK, 1); /* nothing is tried any more */

    int64_t acknowledged = end_of(scene, STOCK_TOPIC);
    scene_reopen(scene);
    expect_health(scene, JOURNAL_OK);
    assert_int_equal(end_of(scene, STOCK_TOPIC), acknowledged);
    assert_true(scene_append(scene, append_sent("T01", 0, "1")).duplicate);
    assert_int_equal(scene_put(scene, append_sent("T01", 500, "2")), acknowledged);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_room_nobody_in_the_commit_is_acknowledged),
        TEST(what_was_refused_keeps_its_own_reason),
        TEST(with_room_again_what_was_refused_is_taken),
        TEST(what_was_known_before_a_failed_commit_is_known_after_it),
        TEST(a_failed_commit_does_not_break_the_chain),
        TEST(a_segment_without_room_for_the_next_grows_on),
        TEST(a_refused_statement_takes_the_whole_commit_with_it_and_nothing_more),
        TEST(a_journal_that_is_held_refuses_and_goes_on_later),
        TEST(after_a_failed_write_nothing_is_written_until_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
