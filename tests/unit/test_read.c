/* read: what is committed is seen, wherever the owner has rolled in the meantime, and what cannot
 * be read is an error, never an absence. */
#include <pthread.h>
#include <stdatomic.h>

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

/* 1, 0 or -1 as journal_reader_find. */
static int find(struct journal_reader *reader, const char *topic, int64_t offset,
                struct batch *batch)
{
    struct failure failure;
    return journal_reader_find(reader, text_of(topic), 0, offset, batch, &failure);
}

static void expect_batch(struct journal_reader *reader, const char *topic, int64_t offset,
                         int64_t base_offset, const char *records)
{
    struct batch batch;
    assert_int_equal(find(reader, topic, offset, &batch), 1);
    assert_int_equal(batch.base_offset, base_offset);
    assert_text(batch.records, records);
}

static void expect_bounds(struct journal_reader *reader, const char *topic, int64_t want_start,
                          int64_t want_end)
{
    int64_t start, end;
    struct failure failure;
    assert_int_equal(journal_reader_bounds(reader, text_of(topic), 0, &start, &end, &failure), 1);
    assert_int_equal(start, want_start);
    assert_int_equal(end, want_end);
}

static int64_t last_seq(struct journal_reader *reader, const char *producer)
{
    int64_t seq;
    struct failure failure;
    assert_int_equal(journal_reader_last_seq(reader, text_of(producer), &seq, &failure), 0);
    return seq;
}

/* --- one segment --- */

static void any_offset_of_a_batch_finds_it(void **state)
{
    struct scene *scene = *state;
    struct append appends[] = {append_of("t", "1"), append_of("t", "2"), append_of("t", "3")};
    scene_append_all(scene, appends, COUNT(appends));
    scene_put(scene, append_of("t", "4"));
    struct journal_reader *reader = scene_reader(scene);
    for (int64_t offset = 0; offset < 3; offset++)
        expect_batch(reader, "t", offset, 0, "[1,2,3]");
    expect_batch(reader, "t", 3, 3, "[4]");
    expect_batch(reader, "t", 1, 0, "[1,2,3]");
    journal_reader_close(reader);
}

static void what_is_not_written_yet_is_not_found_and_then_is(void **state)
{
    struct scene *scene = *state;
    struct batch batch;
    struct journal_reader *reader = scene_reader(scene);
    assert_int_equal(find(reader, STOCK_TOPIC, 0, &batch), 0);
    assert_int_equal(find(reader, "t", 0, &batch), 0);
    scene_put(scene, append_of(STOCK_TOPIC, "1"));
    scene_put(scene, append_of("t", "2"));
    expect_batch(reader, STOCK_TOPIC, 0, 0, "[1]");
    expect_batch(reader, "t", 0, 0, "[2]");
    assert_int_equal(find(reader, "t", 1, &batch), 0);
    journal_reader_close(reader);
}

static void a_partition_that_is_not_there_is_no_error(void **state)
{
    struct scene *scene = *state;
    int64_t start, end;
    struct failure failure;
    struct batch batch;
    struct journal_reader *reader = scene_reader(scene);
    assert_int_equal(journal_reader_bounds(reader, TEXT_LITERAL("t"), 0, &start, &end, &failure),
                     0);
    assert_int_equal(
        journal_reader_bounds(reader, TEXT_LITERAL(STOCK_TOPIC), 1, &start, &end, &failure), 0);
    assert_int_equal(journal_reader_find(reader, TEXT_LITERAL(STOCK_TOPIC), 1, 0, &batch, &failure),
                     0);
    journal_reader_close(reader);
}

static void a_directory_without_a_journal_is_refused(void **state)
{
    struct scene *scene = *state;
    struct failure failure;
    struct journal_reader *reader;
    assert_int_equal(journal_reader_open(&reader, scene_path(scene, JOURNAL_FOLDER), &failure), -1);
    assert_non_null(strstr(failure.message, scene->directory));
    journal_reader_close(NULL);
}

static void a_read_that_rests_holds_no_log_open(void **state)
{
    struct scene *scene = *state;
    struct db *other;
    struct failure failure;
    char path[PATH_MAX];
    struct journal_reader *reader = scene_reader(scene);
    scene_put(scene, append_of("t", "1"));
    expect_batch(reader, "t", 0, 0, "[1]");
    journal_reader_rest(reader);
    scene_close(scene);
    segment_path(path, scene->directory, 0);
    assert_int_equal(db_open(&other, path, &(struct db_options){.mode = DB_OWNER}, &failure), 0);
    assert_int_equal(db_execute(other, "PRAGMA busy_timeout=0; CREATE TABLE x(a)"), DB_DONE);
    assert_int_equal(db_checkpoint(other), DB_DONE);
    assert_int_equal(db_log_pages(other), 0);
    db_close(other);
    journal_reader_close(reader);
}

/* --- several segments --- */

/* Three segments: 1 2 | 3 | 4 in `t`, one record of `u` in the second. */
static void fill_three_segments(struct scene *scene)
{
    scene_put(scene, append_of("t", "1"));
    scene_put(scene, append_of("t", "2"));
    scene_roll(scene);
    scene_put(scene, append_of("t", "3"));
    scene_put(scene, append_of("u", "7"));
    scene_roll(scene);
    scene_put(scene, append_of("t", "4"));
}

static void reading_goes_from_segment_to_segment(void **state)
{
    struct scene *scene = *state;
    fill_three_segments(scene);
    expect_values(scene, "t", "1 2 3 4");
    expect_values_from(scene, "t", 1, "2 3 4");
    expect_values_from(scene, "t", 3, "4");
    expect_values(scene, "u", "7");
}

static void reading_may_jump_back_and_to_another_topic(void **state)
{
    struct scene *scene = *state;
    fill_three_segments(scene);
    struct journal_reader *reader = scene_reader(scene);
    expect_batch(reader, "t", 3, 3, "[4]");
    expect_batch(reader, "t", 0, 0, "[1]");
    expect_batch(reader, "u", 0, 0, "[7]");
    expect_batch(reader, "t", 2, 2, "[3]");
    expect_batch(reader, "t", 1, 1, "[2]");
    expect_bounds(reader, "t", 0, 4);
    expect_bounds(reader, "u", 0, 1);
    journal_reader_close(reader);
}

static void a_reader_from_before_a_roll_reads_on_behind_it(void **state)
{
    struct scene *scene = *state;
    struct batch batch;
    struct journal_reader *reader = scene_reader(scene);
    scene_put(scene, append_of("t", "1"));
    expect_batch(reader, "t", 0, 0, "[1]");
    assert_int_equal(find(reader, "t", 1, &batch), 0);
    scene_put(scene, append_of("t", "2"));
    scene_roll(scene);
    scene_put(scene, append_of("t", "3"));
    expect_batch(reader, "t", 1, 1, "[2]"); /* written before the roll, after the last look */
    expect_batch(reader, "t", 2, 2, "[3]");
    scene_roll(scene);
    scene_roll(scene); /* a segment without a record of it in between */
    assert_int_equal(find(reader, "t", 3, &batch), 0);
    scene_put(scene, append_of("t", "4"));
    expect_batch(reader, "t", 3, 3, "[4]");
    expect_bounds(reader, "t", 0, 4);
    journal_reader_close(reader);
}

static void a_reader_lets_go_of_a_segment_when_it_has_moved_on(void **state)
{
    struct scene *scene = *state;
    struct journal_reader *reader = scene_reader(scene);
    scene_put(scene, append_of("t", "1"));
    expect_batch(reader, "t", 0, 0, "[1]");
    expect_bounds(reader, "t", 0, 1);
    scene_roll(scene);
    scene_put(scene, append_of("t", "2"));
    assert_true(scene_tend(scene));
    expect_batch(reader, "t", 1, 1, "[2]");
    expect_bounds(reader, "t", 0, 2);
    assert_false(scene_tend(scene));
    expect_batch(reader, "t", 0, 0, "[1]"); /* and reads the sealed one where it must */
    journal_reader_close(reader);
}

#define ROUNDS 300

struct owner {
    struct scene *scene;
    pthread_t thread;
    const char *error;
    atomic_bool over;
};

/* In a thread of its own: a record, now and then a roll right behind it. */
static void *append_and_roll(void *context)
{
    struct owner *owner = context;
    bool retry;
    for (int i = 0; i < ROUNDS && !owner->error; i++) {
        struct append record = append_of("t", "1"), roll = {.kind = APPEND_ROLL};
        journal_append(owner->scene->journal, &record);
        if (i % 10 == 9)
            journal_append(owner->scene->journal, &roll);
        journal_tend(owner->scene->journal, true, &retry);
        owner->error = record.error ? record.error : roll.error;
    }
    atomic_store(&owner->over, true);
    return NULL;
}

static void a_reader_beside_an_owner_that_rolls_misses_nothing(void **state)
{
    struct owner owner = {.scene = *state};
    struct failure failure;
    struct batch batch;
    scene_put(owner.scene, append_of("t", "0"));
    struct journal_reader *reader = scene_reader(owner.scene);
    assert_int_equal(pthread_create(&owner.thread, NULL, append_and_roll, &owner), 0);
    int64_t offset = 0;
    int found = 1;
    bool over = false;
    while (found == 1 || (found == 0 && !over)) {
        over = atomic_load(&owner.over);
        found = journal_reader_find(reader, TEXT_LITERAL("t"), 0, offset, &batch, &failure);
        if (found == 1)
            offset = batch.base_offset + batch.count;
    }
    pthread_join(owner.thread, NULL);
    assert_null(owner.error);
    if (found < 0)
        fail_msg("offset %" PRId64 ": %s", offset, failure.message);
    assert_int_equal(offset, ROUNDS + 1);
    journal_reader_close(reader);
}

static void a_half_made_segment_is_no_segment_yet(void **state)
{
    struct scene *scene = *state;
    struct batch batch;
    scene_put(scene, append_of("t", "1"));
    struct journal_reader *reader = scene_reader(scene);
    expect_batch(reader, "t", 0, 0, "[1]");
    fclose(fopen(scene_path(scene, JOURNAL_FOLDER "/0000000001.db"), "w"));
    assert_int_equal(find(reader, "t", 1, &batch), 0);
    expect_bounds(reader, "t", 0, 1);
    scene_put(scene, append_of("t", "2"));
    expect_batch(reader, "t", 1, 1, "[2]");
    expect_bounds(reader, "t", 0, 2);
    journal_reader_close(reader);
}

static void other_files_in_the_folder_are_not_segments(void **state)
{
    static const char *const names[] = {"1.db",       "00000000001.db", "0000000001.dbx",
                                        "0000000009", "000000000x.db",  "x0000000001.db"};
    struct scene *scene = *state;
    int64_t lowest, highest;
    struct failure failure;
    for (size_t i = 0; i < COUNT(names); i++) {
        char name[64];
        snprintf(name, sizeof name, JOURNAL_FOLDER "/%s", names[i]);
        fclose(fopen(scene_path(scene, name), "w"));
    }
    assert_int_equal(segment_range(scene->directory, &lowest, &highest, &failure), 0);
    assert_int_equal(lowest, 0);
    assert_int_equal(highest, 0);
}

/* --- the state beside the records --- */

static void the_highest_seq_of_a_producer_is_known(void **state)
{
    struct scene *scene = *state;
    struct journal_reader *reader = scene_reader(scene);
    assert_int_equal(last_seq(reader, "T01"), -1);
    scene_put(scene, append_sent("T01", 9, "1"));
    scene_put(scene, append_sent("T01", 4, "2"));
    scene_put(scene, append_sent("T02", 0, "3"));
    assert_int_equal(last_seq(reader, "T01"), 9);
    scene_roll(scene);
    assert_int_equal(last_seq(reader, "T01"), 9);
    assert_int_equal(last_seq(reader, "T02"), 0);
    journal_reader_close(reader);
}

static void add_partition(struct text topic, int partition, int64_t start, int64_t end,
                          void *context)
{
    buffer_add_format(context, "%.*s-%d:%lld-%lld ", (int)topic.length, topic.bytes, partition,
                      (long long)start, (long long)end);
}

static void partitions_are_listed_by_name(void **state)
{
    struct scene *scene = *state;
    struct buffer list = {0};
    struct failure failure;
    fill_three_segments(scene);
    struct journal_reader *reader = scene_reader(scene);
    assert_int_equal(journal_reader_partitions(reader, add_partition, &list, &failure), 0);
    assert_text(buffer_text(&list), "stock-0:0-0 t-0:0-4 u-0:0-1 ");
    journal_reader_close(reader);
    buffer_free(&list);
}

static void the_size_counts_every_file(void **state)
{
    struct scene *scene = *state;
    int64_t segments, bytes, more_bytes;
    struct failure failure;
    struct journal_reader *reader = scene_reader(scene);
    assert_int_equal(journal_reader_size(reader, &segments, &bytes, &failure), 0);
    assert_int_equal(segments, 1);
    scene_roll(scene);
    assert_int_equal(journal_reader_size(reader, &segments, &more_bytes, &failure), 0);
    assert_int_equal(segments, 2);
    assert_true(more_bytes > bytes);
    journal_reader_close(reader);
}

/* --- what is damaged or gone --- */

static void scribble_over_table(struct scene *scene, const char *table)
{
    char sql[128], path[PATH_MAX];
    struct db *db;
    struct failure failure;
    scene_close(scene); /* now it is one file */
    segment_path(path, scene->directory, 0);
    assert_int_equal(db_open(&db, path, &(struct db_options){.mode = DB_READ}, &failure), 0);
    snprintf(sql, sizeof sql, "SELECT rootpage FROM sqlite_schema WHERE name='%s'", table);
    int64_t page = db_int_of(db, sql, 0);
    db_close(db);
    FILE *file = fopen(path, "r+");
    assert_int_equal(fseek(file, (page - 1) * 4096, SEEK_SET), 0);
    for (int i = 0; i < 4096; i++)
        fputc(0xa5, file);
    fclose(file);
}

static void partitions_that_cannot_be_read_are_an_error(void **state)
{
    struct scene *scene = *state;
    int64_t start, end;
    struct failure failure;
    struct batch batch;
    struct buffer list = {0};
    scene_put(scene, append_of(STOCK_TOPIC, "1"));
    scribble_over_table(scene, "tillq_partition");
    struct journal_reader *reader = scene_reader(scene);
    assert_int_equal(find(reader, STOCK_TOPIC, 0, &batch), -1);
    assert_int_equal(
        journal_reader_bounds(reader, TEXT_LITERAL(STOCK_TOPIC), 0, &start, &end, &failure), -1);
    assert_int_equal(journal_reader_partitions(reader, add_partition, &list, &failure), -1);
    journal_reader_close(reader);
    buffer_free(&list);
}

static void records_that_cannot_be_read_are_an_error(void **state)
{
    struct scene *scene = *state;
    int64_t start, end;
    struct failure failure;
    struct batch batch;
    scene_put(scene, append_of(STOCK_TOPIC, "1"));
    scribble_over_table(scene, STOCK_TOPIC "-0");
    struct journal_reader *reader = scene_reader(scene);
    assert_int_equal(find(reader, STOCK_TOPIC, 0, &batch), -1);
    assert_int_equal(
        journal_reader_bounds(reader, TEXT_LITERAL(STOCK_TOPIC), 0, &start, &end, &failure), -1);
    journal_reader_close(reader);
}

static void state_that_cannot_be_read_is_an_error(void **state)
{
    struct scene *scene = *state;
    int64_t value;
    struct failure failure;
    scene_put(scene, append_sent("T01", 1, "1"));
    scribble_over_table(scene, "tillq_producer");
    struct journal_reader *reader = scene_reader(scene);
    assert_int_equal(journal_reader_last_seq(reader, TEXT_LITERAL("T01"), &value, &failure), -1);
    journal_reader_close(reader);
}

static void an_offset_that_is_missing_is_an_error(void **state)
{
    struct scene *scene = *state;
    struct db *db;
    struct failure failure;
    struct batch batch;
    char path[PATH_MAX];
    fill_three_segments(scene);
    scene_put(scene, append_of("t", "5"));
    scene_put(scene, append_of("t", "6"));
    scene_close(scene);
    for (int64_t number = 0; number < 3; number += 2) {
        segment_path(path, scene->directory, number);
        assert_int_equal(db_open(&db, path, &(struct db_options){.mode = DB_OWNER}, &failure), 0);
        assert_int_equal(db_execute(db, "DELETE FROM \"t-0\" WHERE base_offset IN (1, 4)"),
                         DB_DONE);
        db_close(db);
    }
    struct journal_reader *reader = scene_reader(scene);
    assert_int_equal(find(reader, "t", 1, &batch), -1); /* at the end of its segment */
    assert_int_equal(find(reader, "t", 4, &batch), -1); /* in the middle of the newest */
    assert_int_equal(find(reader, "t", 5, &batch), -1); /* nobody can tell what came before it */
    assert_int_equal(find(reader, "t", 6, &batch), 0);
    journal_reader_close(reader);
}

static void a_batch_whose_hash_does_not_fit_is_an_error(void **state)
{
    struct scene *scene = *state;
    struct db *db;
    struct failure failure;
    struct batch batch;
    char path[PATH_MAX];
    fill_three_segments(scene);
    scene_close(scene);
    segment_path(path, scene->directory, 1);
    assert_int_equal(db_open(&db, path, &(struct db_options){.mode = DB_OWNER}, &failure), 0);
    assert_int_equal(db_execute(db, "UPDATE \"t-0\" SET time_ms = time_ms + 1"), DB_DONE);
    db_close(db);
    struct journal_reader *reader = scene_reader(scene);
    expect_batch(reader, "t", 0, 0, "[1]");
    assert_int_equal(journal_reader_find(reader, text_of("t"), 0, 2, &batch, &failure), -1);
    assert_string_equal(failure.code, "DAMAGED");
    journal_reader_close(reader);
}

static void an_offset_whose_segment_is_gone_is_an_error(void **state)
{
    struct scene *scene = *state;
    struct batch batch;
    char path[PATH_MAX];
    fill_three_segments(scene);
    scene_close(scene);
    segment_path(path, scene->directory, 0);
    unlink(path);
    struct journal_reader *reader = scene_reader(scene);
    assert_int_equal(find(reader, "t", 0, &batch), -1);
    expect_batch(reader, "t", 2, 2, "[3]");
    journal_reader_close(reader);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(any_offset_of_a_batch_finds_it),
        TEST(what_is_not_written_yet_is_not_found_and_then_is),
        TEST(a_partition_that_is_not_there_is_no_error),
        TEST(a_directory_without_a_journal_is_refused),
        TEST(a_read_that_rests_holds_no_log_open),
        TEST(reading_goes_from_segment_to_segment),
        TEST(reading_may_jump_back_and_to_another_topic),
        TEST(a_reader_from_before_a_roll_reads_on_behind_it),
        TEST(a_reader_lets_go_of_a_segment_when_it_has_moved_on),
        TEST(a_reader_beside_an_owner_that_rolls_misses_nothing),
        TEST(a_half_made_segment_is_no_segment_yet),
        TEST(other_files_in_the_folder_are_not_segments),
        TEST(the_highest_seq_of_a_producer_is_known),
        TEST(partitions_are_listed_by_name),
        TEST(the_size_counts_every_file),
        TEST(partitions_that_cannot_be_read_are_an_error),
        TEST(records_that_cannot_be_read_are_an_error),
        TEST(state_that_cannot_be_read_is_an_error),
        TEST(an_offset_that_is_missing_is_an_error),
        TEST(a_batch_whose_hash_does_not_fit_is_an_error),
        TEST(an_offset_whose_segment_is_gone_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
