/* salvage: a damaged active segment is set aside, what is whole in it goes on, and the loss is
 * stated. */
#include <errno.h>

#include "journal/hole.h"
#include "journal/journal_internal.h"
#include "support_damage.h"

#define MILLION 1000000
#define PAGE 4096

static int set_up(void **state)
{
    struct scene *scene = malloc(sizeof *scene);
    quiet_log();
    scene_begin(scene);
    scene->segment_bytes = 1 << 20;
    scene_open(scene);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    scene_end(*state);
    disk_use(NULL);
    free(*state);
    return 0;
}

/* --- one batch --- */

static void a_flipped_bit_costs_its_batch_and_is_told_in_offsets(void **state)
{
    struct scene *scene = *state;
    fill(scene, 0, 8, 10);
    scene_close(scene);
    const char *path = segment_file(scene, 0, "");
    flip(path, place_of(path, "v3."), 1);
    struct content damaged = content_of(path);
    scene_open(scene);
    assert_true(scene->recovery.salvaged);
    assert_int_equal(scene->recovery.lost, 1);
    expect_told(scene, "v0 v1 v2 [3,4) v4 v5 v6 v7");
    expect_same_content(segment_file(scene, 0, ".damaged-1"), damaged);
    expect_sound(scene);
    expect_duplicate(scene, 4);
    expect_new(scene, 3, 8); /* what is lost may come again */
    expect_duplicate(scene, 3);
    free(damaged.bytes);
}

static void the_last_batch_is_lost_alone(void **state)
{
    struct scene *scene = *state;
    fill(scene, 0, 3, 10);
    scene_close(scene);
    const char *path = segment_file(scene, 0, "");
    flip(path, place_of(path, "v2."), 1);
    scene_open(scene);
    expect_told(scene, "v0 v1 [2,3)");
    expect_new(scene, 2, 3);
}

static void two_batches_in_a_row_cost_no_third(void **state)
{
    struct scene *scene = *state;
    fill(scene, 0, 8, 10);
    scene_close(scene);
    const char *path = segment_file(scene, 0, "");
    flip(path, place_of(path, "v3."), 1);
    flip(path, place_of(path, "v4."), 1);
    scene_open(scene);
    expect_told(scene, "v0 v1 v2 [3,5) v5 v6 v7");
}

static void a_batch_that_lost_only_its_hash_is_kept(void **state)
{
    struct scene *scene = *state;
    fill(scene, 0, 8, 10);
    unsigned char head[SHA256_BYTES];
    memcpy(head, scene->journal->partitions[0].head, sizeof head);
    fill(scene, 8, 3, 10);
    scene_close(scene);
    const char *path = segment_file(scene, 0, "");
    struct content content = content_of(path);
    char *found = memmem(content.bytes, content.length, head, sizeof head);
    assert_non_null(found);
    flip(path, found - content.bytes, 1);
    free(content.bytes);
    scene_open(scene);
    assert_true(scene->recovery.salvaged);
    assert_int_equal(scene->recovery.lost, 0);
    expect_told(scene, "v0 v1 v2 v3 v4 v5 v6 v7 v8 v9 v10");
    expect_new(scene, 11, 11);
}

/* --- pages --- */

/* The page a value lies in. */
static long page_of(const char *path, const char *words)
{
    return place_of(path, words) / PAGE * PAGE;
}

static void behind_an_unreadable_page_reading_goes_on_and_offsets_jump(void **state)
{
    struct scene *scene = *state;
    fill(scene, 0, 40, 900); /* about four to a page */
    scene_close(scene);
    const char *path = segment_file(scene, 0, "");
    spoil(path, page_of(path, "v20."), PAGE);
    scene_open(scene);
    assert_true(scene->recovery.salvaged);
    struct buffer words = {0};
    tell(scene, STOCK_TOPIC, &words);
    buffer_add_byte(&words, '\0');
    assert_non_null(strstr(words.bytes, "v0 v1 v2 v3 "));
    assert_null(strstr(words.bytes, "v20 "));
    assert_non_null(strstr(words.bytes, " v36 v37 v38 v39 [40,"));
    assert_true(end_of(scene) >= MILLION && end_of(scene) % MILLION == 0);
    assert_true(scene->recovery.lost < end_of(scene) - 40 + 10);
    expect_sound(scene);
    expect_duplicate(scene, 39);
    expect_new(scene, 40, end_of(scene));
    buffer_free(&words);
}

static void a_segment_that_is_no_database_any_more_costs_all_of_it(void **state)
{
    struct scene *scene = *state;
    fill(scene, 0, 5, 10);
    scene_put(scene, append_group_offset("g", STOCK_TOPIC, 3));
    scene_roll(scene);
    scene_tend(scene);
    fill(scene, 5, 5, 10);
    scene_close(scene);
    const char *path = segment_file(scene, 1, "");
    spoil(path, 0, PAGE);
    scene_open(scene);
    assert_int_equal(journal_active_segment(scene->journal), 1);
    int64_t end = end_of(scene);
    assert_true(end >= MILLION && end % MILLION == 0);
    struct buffer want = {0};
    buffer_add_format(&want, "v0 v1 v2 v3 v4 [5,%lld)%c", (long long)end, '\0');
    expect_told(scene, want.bytes);
    buffer_free(&want);
    /* What the segment before knows is known. */
    expect_duplicate(scene, 4);
    assert_int_equal(db_int_of(scene->journal->db, "SELECT offset FROM tillq_group", -1), 3);
    expect_new(scene, 5, end);
    expect_sound(scene);
}

static void damaged_producers_are_made_again_from_the_records(void **state)
{
    struct scene *scene = *state;
    fill(scene, 0, 3, 10);
    int64_t page = db_int_of(scene->journal->db,
                             "SELECT rootpage FROM sqlite_schema WHERE name='tillq_producer'", 0);
    scene_close(scene);
    spoil(segment_file(scene, 0, ""), (page - 1) * PAGE, PAGE);
    scene_open(scene);
    assert_true(scene->recovery.salvaged);
    for (int seq = 0; seq < 3; seq++)
        expect_duplicate(scene, seq);
    expect_new(scene, 3, end_of(scene));
}

static void producers_that_are_none_are_not_believed(void **state)
{
    struct scene *scene = *state;
    fill(scene, 0, 3, 10);
    assert_int_equal(
        db_execute(scene->journal->db, "UPDATE tillq_producer SET last_seq=5, gaps='[[4,2]]'"),
        DB_DONE);
    scene_reopen(scene);
    assert_true(scene->recovery.salvaged);
    expect_duplicate(scene, 2);
    expect_new(scene, 3, 3);
}

static void producers_that_do_not_know_a_record_are_not_believed(void **state)
{
    struct scene *scene = *state;
    fill(scene, 0, 3, 10);
    assert_int_equal(db_execute(scene->journal->db, "UPDATE tillq_producer SET last_seq=1"),
                     DB_DONE);
    scene_reopen(scene);
    assert_true(scene->recovery.salvaged);
    assert_int_equal(scene->recovery.lost, 0);
    expect_duplicate(scene, 2);
    expect_told(scene, "v0 v1 v2");
}

/* --- without a file --- */

static void remove_newest(struct scene *scene, bool leave_empty)
{
    fill(scene, 0, 5, 10);
    scene_roll(scene);
    scene_tend(scene);
    fill(scene, 5, 5, 10);
    scene_close(scene);
    const char *path = segment_file(scene, 1, "");
    if (leave_empty)
        assert_int_equal(truncate(path, 0), 0);
    else
        unlink(path);
    scene_open(scene);
    assert_true(scene->recovery.salvaged);
    assert_int_equal(journal_active_segment(scene->journal), 1);
    assert_true(end_of(scene) >= MILLION);
    expect_duplicate(scene, 4);
    expect_new(scene, 5, end_of(scene));
    assert_int_equal(disk_has(segment_file(scene, 1, ".damaged-1")), leave_empty);
    expect_sound(scene);
    assert_false(scene_tend(scene));
}

static void without_the_segment_after_a_sealed_one_offsets_jump(void **state)
{
    remove_newest(*state, false);
}

static void an_empty_segment_after_a_sealed_one_is_set_aside(void **state)
{
    remove_newest(*state, true);
}

static int64_t given_out_a_lot(void *context, struct text topic, int partition)
{
    (void)context;
    return text_is(topic, STOCK_TOPIC) && partition == 0 ? 77 * MILLION : 0;
}

static void what_others_know_to_be_given_out_is_not_given_again(void **state)
{
    struct scene *scene = *state;
    struct failure failure;
    fill(scene, 0, 5, 10);
    scene_close(scene);
    spoil(segment_file(scene, 0, ""), 0, PAGE);
    struct journal_options options = {.directory = scene->directory,
                                      .segment_bytes = scene->segment_bytes,
                                      .clock = &scene->clock,
                                      .given_out = given_out_a_lot};
    assert_int_equal(journal_open(&scene->journal, &options, &scene->recovery, &failure), 0);
    assert_true(end_of(scene) > 77 * MILLION);
}

/* --- what goes with it --- */

static void topics_groups_and_seals_go_with_it(void **state)
{
    struct scene *scene = *state;
    fill(scene, 0, 2, 10);
    scene_roll(scene);
    scene_tend(scene);
    fill(scene, 2, 2, 10);
    scene_put(scene, append_of("new", "\"n0.\""));
    scene_put(scene, append_of("new", "\"n1.\""));
    scene_put(scene, append_group_offset("g", "new", 1));
    scene_close(scene);
    const char *path = segment_file(scene, 1, "");
    flip(path, place_of(path, "v3."), 1);
    scene_open(scene);
    expect_told(scene, "v0 v1 v2 [3,4)");
    struct buffer words = {0};
    tell(scene, "new", &words);
    assert_text(buffer_text(&words), "n0 n1");
    buffer_free(&words);
    struct db *db = scene->journal->db;
    assert_int_equal(db_int_of(db, "SELECT offset FROM tillq_group WHERE topic='new'", -1), 1);
    assert_int_equal(db_int_of(db, "SELECT count(*) FROM tillq_segment", -1), 1);
    assert_int_equal(db_int_of(db, "SELECT segment FROM tillq_format", -1), 1);
}

static void count_hole(const struct hole *hole, void *context)
{
    struct buffer *words = context;
    buffer_add_format(words, "%.*s-%d [%lld,%lld) %.*s;", (int)hole->topic.length,
                      hole->topic.bytes, hole->partition, (long long)hole->first,
                      (long long)hole->next, (int)hole->file.length, hole->file.bytes);
}

static void expect_listed(const struct scene *scene, const char *want)
{
    struct buffer words = {0};
    assert_int_equal(hole_each(scene->journal->db, count_hole, &words), 0);
    assert_text(buffer_text(&words), want);
    buffer_free(&words);
}

static void holes_are_listed_and_carried_on(void **state)
{
    struct scene *scene = *state;
    fill(scene, 0, 5, 10);
    expect_listed(scene, "");
    assert_false(hole_any(scene->journal->db)); /* a file of today is one of yesterday */
    scene_close(scene);
    const char *path = segment_file(scene, 0, "");
    flip(path, place_of(path, "v3."), 1);
    scene_open(scene);
    expect_listed(scene, "stock-0 [3,4) 0000000000.db.damaged-1;");
    scene_roll(scene);
    scene_tend(scene);
    expect_listed(scene, "stock-0 [3,4) 0000000000.db.damaged-1;");
    fill(scene, 5, 5, 10);
    scene_close(scene);
    path = segment_file(scene, 1, "");
    flip(path, place_of(path, "v7."), 1);
    scene_open(scene);
    expect_listed(scene, "stock-0 [3,4) 0000000000.db.damaged-1;"
                         "stock-0 [7,8) 0000000001.db.damaged-1;");
    expect_told(scene, "v0 v1 v2 [3,4) v4 v5 v6 [7,8) v8 v9");
}

static void a_second_damage_is_set_aside_beside_the_first(void **state)
{
    struct scene *scene = *state;
    fill(scene, 0, 5, 10);
    for (int i = 1; i <= 2; i++) {
        char words[16];
        scene_close(scene);
        const char *path = segment_file(scene, 0, "");
        snprintf(words, sizeof words, "v%d.", i);
        flip(path, place_of(path, words), 1);
        scene_open(scene);
    }
    expect_told(scene, "v0 [1,2) [2,3) v3 v4");
    assert_true(disk_has(segment_file(scene, 0, ".damaged-1")));
    assert_true(disk_has(segment_file(scene, 0, ".damaged-2")));
}

/* --- a crash on the way --- */

/* From the operation number `left` on, nothing on the disk is done any more. */
static int left;

static bool dead(void)
{
    errno = EIO;
    return left-- <= 0;
}

static int dying_rename(void *context, const char *from, const char *to)
{
    return dead() ? -1 : disk_system.rename(context, from, to);
}

static int dying_sync(void *context, const char *path)
{
    return dead() ? -1 : disk_system.sync_folder(context, path);
}

static void a_crash_at_any_point_leads_to_the_same_result(void **state)
{
    struct scene *scene = *state;
    struct content file, log;
    fill(scene, 0, 12, 900);
    cut_power(scene, &file, &log);
    char *found = memmem(log.bytes, log.length, "v7.", 3);
    assert_non_null(found);
    *found ^= 1;
    struct disk dying = disk_system;
    dying.rename = dying_rename;
    dying.sync_folder = dying_sync;
    bool died = true;
    int points = 0;
    struct content want = {0};
    for (; died; points++) {
        char path[PATH_MAX];
        struct failure failure;
        struct journal_options options = {.directory = scene->directory,
                                          .segment_bytes = scene->segment_bytes,
                                          .clock = &scene->clock};
        static const char *const endings[] = {"",           "-shm",           "-wal",
                                              ".damaged-1", ".damaged-1-wal", ".damaged-1-shm"};
        for (size_t i = 0; i < COUNT(endings); i++)
            unlink(segment_file(scene, 0, endings[i]));
        write_content(segment_file(scene, 0, ""), file);
        write_content(segment_file(scene, 0, "-wal"), log);
        disk_use(&dying);
        left = points;
        died = journal_open(&scene->journal, &options, &scene->recovery, &failure) != 0;
        disk_use(NULL);
        if (died) {
            scene->journal = NULL;
            scene_open(scene);
        }
        scene_close(scene);
        snprintf(path, sizeof path, "%s", segment_file(scene, 0, ""));
        if (want.bytes)
            expect_same_content(path, want);
        else
            want = content_of(path);
        expect_same_content(segment_file(scene, 0, ".damaged-1"), file);
        expect_same_content(segment_file(scene, 0, ".damaged-1-wal"), log);
        assert_false(disk_has(segment_file(scene, 0, ".damaged-2")));
        assert_false(disk_has(segment_file(scene, 0, ".salvage")));
        assert_false(disk_has(segment_file(scene, 0, ".salvaged")));
    }
    assert_true(points > 6);
    free(file.bytes);
    free(log.bytes);
    free(want.bytes);
    scene_open(scene);
    assert_true(end_of(scene) >= MILLION);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_flipped_bit_costs_its_batch_and_is_told_in_offsets),
        TEST(the_last_batch_is_lost_alone),
        TEST(two_batches_in_a_row_cost_no_third),
        TEST(a_batch_that_lost_only_its_hash_is_kept),
        TEST(behind_an_unreadable_page_reading_goes_on_and_offsets_jump),
        TEST(a_segment_that_is_no_database_any_more_costs_all_of_it),
        TEST(damaged_producers_are_made_again_from_the_records),
        TEST(producers_that_are_none_are_not_believed),
        TEST(producers_that_do_not_know_a_record_are_not_believed),
        TEST(without_the_segment_after_a_sealed_one_offsets_jump),
        TEST(an_empty_segment_after_a_sealed_one_is_set_aside),
        TEST(what_others_know_to_be_given_out_is_not_given_again),
        TEST(topics_groups_and_seals_go_with_it),
        TEST(holes_are_listed_and_carried_on),
        TEST(a_second_damage_is_set_aside_beside_the_first),
        TEST(a_crash_at_any_point_leads_to_the_same_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
