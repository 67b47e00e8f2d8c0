/* journal: what is acknowledged is there, once, at a dense offset, across restarts and rolls; what
 * is not is absent and may come again. The journal's inside is looked into only to make its
 * database refuse. */
#include <sys/stat.h>

#include "base/sha256.h"
#include "journal/journal_internal.h"
#include "journal/segment.h"
#include "support.h"

static int set_up(void **state)
{
    struct scene *scene = malloc(sizeof *scene);
    quiet_log();
    scene_begin(scene);
    scene_open(scene);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    scene_end(*state);
    free(*state);
    return 0;
}

static void expect_error(struct append append, const char *code)
{
    if (!append.error || strcmp(append.error, code) != 0)
        fail_msg("got %s, want %s", append.error ? append.error : "no error", code);
    assert_non_null(append.message);
}

static void expect_duplicate(struct append append, int64_t offset)
{
    assert_null(append.error);
    assert_true(append.duplicate);
    assert_int_equal(append.offset, offset);
}

static int64_t stock_end(const struct scene *scene)
{
    return journal_end(scene->journal, TEXT_LITERAL(STOCK_TOPIC), 0);
}

static int64_t committed(const struct scene *scene, const char *group, const char *topic)
{
    int64_t offset;
    struct failure failure;
    struct journal_reader *reader = scene_reader(scene);
    assert_int_equal(
        journal_reader_committed(reader, text_of(group), text_of(topic), 0, &offset, &failure), 0);
    journal_reader_close(reader);
    return offset;
}

/* --- appending --- */

static void records_get_the_next_offset(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(scene_put(scene, append_of(STOCK_TOPIC, "1")), i);
    assert_int_equal(stock_end(scene), 3);
}

static void records_of_one_commit_are_one_batch(void **state)
{
    struct scene *scene = *state;
    struct append appends[] = {append_of("a", "1"), append_of("b", "2"), append_of("a", "3")};
    struct batch batch;
    struct failure failure;
    scene_append_all(scene, appends, COUNT(appends));
    assert_int_equal(appends[0].offset, 0);
    assert_int_equal(appends[1].offset, 0);
    assert_int_equal(appends[2].offset, 1);
    struct journal_reader *reader = scene_reader(scene);
    assert_int_equal(journal_reader_find(reader, text_of("a"), 0, 1, &batch, &failure), 1);
    assert_int_equal(batch.base_offset, 0);
    assert_int_equal(batch.count, 2);
    assert_int_equal(batch.time_ms, scene->hands.wall_ms);
    journal_reader_close(reader);
}

static void the_topic_stock_is_there_and_others_come_with_their_first_record(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(stock_end(scene), 0);
    assert_int_equal(journal_end(scene->journal, TEXT_LITERAL("t"), 0), -1);
    assert_int_equal(scene_put(scene, append_of("t", "1")), 0);
    assert_int_equal(journal_end(scene->journal, TEXT_LITERAL("t"), 0), 1);
    assert_int_equal(journal_end(scene->journal, TEXT_LITERAL("t"), 1), -1);
}

static void a_name_that_is_no_topic_is_refused(void **state)
{
    static const char *const names[] = {"",     ".",       "..",       "a b", "a/b", "\xc3\xa9",
                                        "a\"b", "tillq_x", "SQLITE_x", "a-0", "a-12"};
    char longest[TOPIC_NAME_BYTES + 2];
    struct scene *scene = *state;
    for (size_t i = 0; i < COUNT(names); i++)
        expect_error(scene_append(scene, append_of(names[i], "1")), "BAD_REQUEST");
    memset(longest, 'x', sizeof longest);
    longest[TOPIC_NAME_BYTES + 1] = '\0';
    expect_error(scene_append(scene, append_of(longest, "1")), "BAD_REQUEST");
    longest[TOPIC_NAME_BYTES] = '\0';
    assert_int_equal(scene_put(scene, append_of(longest, "1")), 0);
    assert_int_equal(scene_put(scene, append_of("a-b.C_9-x", "1")), 0);
    assert_int_equal(scene_put(scene, append_of("0", "1")), 0);
    scene_reopen(scene);
    assert_int_equal(scene_put(scene, append_of(longest, "2")), 1);
}

static void topics_that_differ_in_case_are_two(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(scene_put(scene, append_of("t", "1")), 0);
    assert_int_equal(scene_put(scene, append_of("T", "2")), 0);
    assert_int_equal(scene_put(scene, append_of("Stock", "3")), 0);
    scene_roll(scene);
    scene_reopen(scene);
    assert_int_equal(scene_put(scene, append_of("T", "4")), 1);
    expect_values(scene, "t", "1");
    expect_values(scene, "T", "2 4");
    expect_values(scene, "Stock", "3");
}

static void there_is_an_end_to_topics(void **state)
{
    struct scene *scene = *state;
    char names[TOPIC_MAX][16];
    struct append *appends = calloc(TOPIC_MAX, sizeof *appends);
    for (int i = 0; i < TOPIC_MAX; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
        appends[i] = append_of(names[i], "1");
    }
    scene_append_all(scene, appends, TOPIC_MAX); /* with `stock` one too many */
    assert_null(appends[TOPIC_MAX - 2].error);
    expect_error(appends[TOPIC_MAX - 1], "TOO_MANY_TOPICS");
    scene_reopen(scene);
    assert_int_equal(scene_put(scene, append_of("t0", "2")), 1);
    free(appends);
}

static void a_record_larger_than_a_batch_is_refused_and_leaves_no_trace(void **state)
{
    struct scene *scene = *state;
    char *value = malloc(BATCH_BYTES_LIMIT + 1);
    memset(value, '1', BATCH_BYTES_LIMIT);
    value[BATCH_BYTES_LIMIT] = '\0';
    struct append appends[] = {append_of("t", value), append_sent("T01", 0, value)};
    scene_append_all(scene, appends, COUNT(appends));
    expect_error(appends[0], "RECORD_TOO_LARGE");
    expect_error(appends[1], "RECORD_TOO_LARGE");
    assert_int_equal(journal_end(scene->journal, TEXT_LITERAL("t"), 0), -1);
    assert_int_equal(scene_put(scene, append_sent("T01", 0, "1")), 0);
    free(value);
}

/* --- once --- */

static void a_seq_is_journaled_once(void **state)
{
    struct scene *scene = *state;
    struct append appends[] = {append_sent("T01", 0, "1"), append_sent("T01", 0, "2"),
                               append_sent("T02", 0, "3")};
    scene_append_all(scene, appends, COUNT(appends));
    expect_duplicate(appends[1], 0);
    expect_duplicate(scene_append(scene, append_sent("T01", 0, "4")), 0);
    expect_values(scene, STOCK_TOPIC, "1 3");
}

static void a_seq_is_journaled_once_across_restarts_and_rolls(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(scene_put(scene, append_sent("T\"01", 5, "1")), 0);
    scene_reopen(scene);
    expect_duplicate(scene_append(scene, append_sent("T\"01", 5, "2")), 0);
    scene_roll(scene);
    expect_duplicate(scene_append(scene, append_sent("T\"01", 5, "2")), 0);
    scene_reopen(scene);
    expect_duplicate(scene_append(scene, append_sent("T\"01", 5, "2")), 0);
    assert_int_equal(scene_put(scene, append_sent("T\"01", 3, "3")), 1);
    scene_reopen(scene);
    expect_duplicate(scene_append(scene, append_sent("T\"01", 3, "2")), 1);
    expect_values(scene, STOCK_TOPIC, "1 3");
}

static void a_record_without_seq_is_journaled_each_time(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(scene_put(scene, append_of(STOCK_TOPIC, "1")), 0);
    assert_int_equal(scene_put(scene, append_of(STOCK_TOPIC, "1")), 1);
}

static void a_seq_below_the_remembered_gaps_is_refused(void **state)
{
    struct scene *scene = *state;
    enum { SENT = PRODUCER_GAPS + 1 };
    struct append *appends = calloc(SENT, sizeof *appends);
    for (int i = 0; i < SENT; i++)
        appends[i] = append_sent("T01", 2 * i + 1, "1");
    scene_append_all(scene, appends, SENT);
    expect_error(scene_append(scene, append_sent("T01", 0, "2")), "SEQ_TOO_OLD");
    scene_reopen(scene);
    expect_error(scene_append(scene, append_sent("T01", 0, "2")), "SEQ_TOO_OLD");
    assert_int_equal(scene_put(scene, append_sent("T01", 2, "2")), SENT);
    free(appends);
}

static void a_refused_record_makes_no_topic(void **state)
{
    struct scene *scene = *state;
    struct append again = append_sent("T01", 0, "2");
    assert_int_equal(scene_put(scene, append_sent("T01", 0, "1")), 0);
    again.topic = text_of("t");
    expect_duplicate(scene_append(scene, again), 0);
    assert_int_equal(journal_end(scene->journal, TEXT_LITERAL("t"), 0), -1);
}

/* --- groups --- */

static void a_groups_offset_stays_across_restarts_and_rolls(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(committed(scene, "g", STOCK_TOPIC), -1);
    assert_int_equal(scene_put(scene, append_group_offset("g", STOCK_TOPIC, 7)), 7);
    assert_int_equal(committed(scene, "g", STOCK_TOPIC), 7);
    scene_reopen(scene);
    scene_roll(scene);
    scene_reopen(scene);
    assert_int_equal(committed(scene, "g", STOCK_TOPIC), 7);
    assert_int_equal(committed(scene, "h", STOCK_TOPIC), -1);
    scene_put(scene, append_group_offset("g", STOCK_TOPIC, 3));
    assert_int_equal(committed(scene, "g", STOCK_TOPIC), 3);
}

static void a_group_commits_only_to_what_is_there(void **state)
{
    struct scene *scene = *state;
    struct append elsewhere = append_group_offset("g", STOCK_TOPIC, 1);
    elsewhere.partition = 1;
    expect_error(scene_append(scene, append_group_offset("g", "t", 1)), "UNKNOWN_TOPIC");
    expect_error(scene_append(scene, elsewhere), "UNKNOWN_PARTITION");
    assert_int_equal(journal_end(scene->journal, TEXT_LITERAL("t"), 0), -1);
}

/* --- rolling --- */

static void offsets_go_on_across_a_roll(void **state)
{
    struct scene *scene = *state;
    scene_put(scene, append_of(STOCK_TOPIC, "1"));
    scene_put(scene, append_of("t", "2"));
    struct append appends[] = {append_of("t", "3"), {.kind = APPEND_ROLL}, append_of("t", "4")};
    scene_append_all(scene, appends, COUNT(appends));
    assert_int_equal(appends[1].offset, 1);
    assert_int_equal(journal_active_segment(scene->journal), 1);
    assert_int_equal(scene_put(scene, append_of("t", "5")), 3);
    assert_int_equal(scene_roll(scene), 2);
    scene_reopen(scene);
    assert_int_equal(scene_put(scene, append_of("t", "6")), 4);
    assert_int_equal(scene_put(scene, append_of(STOCK_TOPIC, "7")), 1);
    expect_values(scene, "t", "2 3 4 5 6");
    expect_values(scene, STOCK_TOPIC, "1 7");
}

static void what_was_found_is_counted(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(scene->recovery.segments, 1);
    scene_put(scene, append_of(STOCK_TOPIC, "1"));
    scene_roll(scene);
    scene_put(scene, append_of("t", "2"));
    scene_put(scene, append_of("t", "3"));
    scene_reopen(scene);
    assert_int_equal(scene->recovery.segments, 2);
    assert_int_equal(scene->recovery.active, 1);
    assert_int_equal(scene->recovery.records, 3);
}

static void a_segment_that_has_grown_is_rolled(void **state)
{
    struct scene *scene = *state;
    char value[100001];
    memset(value, '1', 100000);
    value[100000] = '\0';
    scene_tend(scene);
    assert_int_equal(journal_active_segment(scene->journal), 0);
    journal_set_segment_bytes(scene->journal, 1000000);
    for (int i = 0; i < 35; i++) {
        scene_put(scene, append_of(STOCK_TOPIC, value));
        scene_tend(scene);
    }
    assert_int_equal(journal_active_segment(scene->journal), 3);
    assert_int_equal(stock_end(scene), 35);
}

static void a_roll_that_cannot_be_made_changes_nothing(void **state)
{
    struct scene *scene = *state;
    const char *in_the_way = scene_path(scene, JOURNAL_FOLDER "/0000000001.db");
    assert_int_equal(mkdir(in_the_way, 0700), 0);
    scene_put(scene, append_of(STOCK_TOPIC, "1"));
    expect_error(scene_append(scene, (struct append){.kind = APPEND_ROLL}), "FAILED");
    assert_int_equal(journal_active_segment(scene->journal), 0);
    assert_int_equal(scene_put(scene, append_of(STOCK_TOPIC, "2")), 1);
    assert_int_equal(rmdir(in_the_way), 0);
    assert_int_equal(scene_roll(scene), 1);
    assert_int_equal(scene_put(scene, append_of(STOCK_TOPIC, "3")), 2);
    expect_values(scene, STOCK_TOPIC, "1 2 3");
}

static void a_half_made_segment_is_ignored_and_used_by_the_next_roll(void **state)
{
    struct scene *scene = *state;
    struct db *db;
    struct failure failure;
    scene_put(scene, append_of(STOCK_TOPIC, "1"));
    scene_close(scene);
    assert_int_equal(db_open(&db, scene_path(scene, JOURNAL_FOLDER "/0000000001.db"),
                             &(struct db_options){.mode = DB_OWNER}, &failure),
                     0);
    db_close(db);
    fclose(fopen(scene_path(scene, JOURNAL_FOLDER "/0000000002.db"), "w"));
    scene_open(scene);
    assert_int_equal(scene->recovery.active, 0);
    expect_values(scene, STOCK_TOPIC, "1");
    assert_int_equal(scene_put(scene, append_of(STOCK_TOPIC, "2")), 1);
    assert_int_equal(scene_roll(scene), 1);
    assert_int_equal(scene_put(scene, append_of(STOCK_TOPIC, "3")), 2);
    assert_int_equal(scene_roll(scene), 2);
    assert_int_equal(scene_put(scene, append_of(STOCK_TOPIC, "4")), 3);
    scene_reopen(scene);
    expect_values(scene, STOCK_TOPIC, "1 2 3 4");
}

/* --- sealing --- */

static void expect_sealed(const struct scene *scene, int64_t number)
{
    char sql[96], path[PATH_MAX], log[PATH_MAX + 8];
    unsigned char hash[SHA256_BYTES];
    static unsigned char bytes[1 << 20];
    struct stat status;
    segment_path(path, scene->directory, number);
    snprintf(log, sizeof log, "%s-wal", path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0440);
    assert_int_not_equal(access(log, F_OK), 0);

    FILE *file = fopen(path, "r");
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    struct sha256 *sha256 = sha256_new();
    sha256_start(sha256);
    sha256_add(sha256, bytes, length);
    sha256_finish(sha256, hash);
    sha256_free(sha256);
    snprintf(sql, sizeof sql, "SELECT bytes, sha256 FROM tillq_segment WHERE number=%lld",
             (long long)number);
    struct db_statement *row = db_prepare(scene->journal->db, sql);
    assert_int_equal(db_step(row), DB_ROW);
    assert_int_equal(db_int(row, 0), length);
    assert_memory_equal(db_blob(row, 1).bytes, hash, SHA256_BYTES);
    db_finalize(row);
}

static void a_segment_that_is_over_is_sealed(void **state)
{
    struct scene *scene = *state;
    scene_put(scene, append_of(STOCK_TOPIC, "1"));
    scene_roll(scene);
    assert_false(scene_tend(scene));
    expect_sealed(scene, 0);
    scene_roll(scene);
    assert_false(scene_tend(scene));
    expect_sealed(scene, 0); /* the list is carried on */
    expect_sealed(scene, 1);
    expect_values(scene, STOCK_TOPIC, "1");
}

static void what_was_not_sealed_is_after_a_restart(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 3; i++) {
        scene_put(scene, append_of(STOCK_TOPIC, "1"));
        scene_roll(scene);
    }
    scene_reopen(scene);
    assert_false(scene_tend(scene));
    for (int64_t number = 0; number < 3; number++)
        expect_sealed(scene, number);
    expect_values(scene, STOCK_TOPIC, "1 1 1");
}

static void sealing_waits_for_a_reader_and_goes_on_when_it_has_gone(void **state)
{
    struct scene *scene = *state;
    struct buffer values = {0};
    struct journal_reader *reader = scene_reader(scene);
    scene_put(scene, append_of(STOCK_TOPIC, "1"));
    read_values(reader, STOCK_TOPIC, 0, &values);
    scene_roll(scene);
    assert_true(scene_tend(scene));
    assert_int_equal(scene_put(scene, append_of(STOCK_TOPIC, "2")), 1);
    assert_true(scene_tend(scene));
    journal_reader_release(reader);
    assert_false(scene_tend(scene));
    expect_sealed(scene, 0);
    journal_reader_close(reader);
    buffer_free(&values);
}

/* --- what cannot be opened --- */

static void expect_refused(struct scene *scene, const char *sql, const char *words)
{
    struct failure failure;
    struct journal_options options = {.directory = scene->directory,
                                      .segment_bytes = scene->segment_bytes,
                                      .clock = &scene->clock};
    assert_int_equal(db_execute(scene->journal->db, sql), DB_DONE);
    scene_close(scene);
    assert_int_equal(journal_open(&scene->journal, &options, &scene->recovery, &failure), -1);
    scene->journal = NULL;
    if (!strstr(failure.message, words))
        fail_msg("got '%s', want '%s' in it", failure.message, words);
}

static void a_journal_of_another_format_is_left_alone(void **state)
{
    expect_refused(*state, "UPDATE tillq_format SET version=2", "format 2");
}

static void a_directory_that_is_not_there_is_named(void **state)
{
    struct scene *scene = *state;
    struct failure failure;
    struct journal *journal;
    struct journal_recovery recovery;
    const char *path = scene_path(scene, "none");
    struct journal_options options = {
        .directory = path, .segment_bytes = scene->segment_bytes, .clock = &scene->clock};
    assert_int_equal(journal_open(&journal, &options, &recovery, &failure), -1);
    assert_non_null(strstr(failure.message, path));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(records_get_the_next_offset),
        TEST(records_of_one_commit_are_one_batch),
        TEST(the_topic_stock_is_there_and_others_come_with_their_first_record),
        TEST(a_name_that_is_no_topic_is_refused),
        TEST(topics_that_differ_in_case_are_two),
        TEST(there_is_an_end_to_topics),
        TEST(a_record_larger_than_a_batch_is_refused_and_leaves_no_trace),
        TEST(a_seq_is_journaled_once),
        TEST(a_seq_is_journaled_once_across_restarts_and_rolls),
        TEST(a_record_without_seq_is_journaled_each_time),
        TEST(a_seq_below_the_remembered_gaps_is_refused),
        TEST(a_refused_record_makes_no_topic),
        TEST(a_groups_offset_stays_across_restarts_and_rolls),
        TEST(a_group_commits_only_to_what_is_there),
        TEST(offsets_go_on_across_a_roll),
        TEST(what_was_found_is_counted),
        TEST(a_segment_that_has_grown_is_rolled),
        TEST(a_roll_that_cannot_be_made_changes_nothing),
        TEST(a_half_made_segment_is_ignored_and_used_by_the_next_roll),
        TEST(a_segment_that_is_over_is_sealed),
        TEST(what_was_not_sealed_is_after_a_restart),
        TEST(sealing_waits_for_a_reader_and_goes_on_when_it_has_gone),
        TEST(a_journal_of_another_format_is_left_alone),
        TEST(a_directory_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
