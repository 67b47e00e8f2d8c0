/* inspect: what a start looks for. What a crash leaves behind is never taken for damage, and damage
 * never for what a crash leaves behind. */
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

/* --- the log --- */

#define FRAME (PAGE + 24)

static void a_log_that_ends_anywhere_is_a_crash_and_no_damage(void **state)
{
    struct scene *scene = *state;
    struct content file, log;
    fill(scene, 0, 12, 3000);
    cut_power(scene, &file, &log);
    size_t length = log.length;
    for (size_t cut = 0; cut <= length; cut += 1531) {
        log.length = cut;
        put_back(scene, file, log);
        if (scene->recovery.salvaged)
            fail_msg("set aside with %zu of %zu bytes of the log", cut, length);
    }
    free(file.bytes);
    free(log.bytes);
}

/* The frames of the last commit, sector by sector: each may have reached the disk or not. */
static void a_last_commit_that_is_torn_is_a_crash_and_no_damage(void **state)
{
    struct scene *scene = *state;
    struct content file, log;
    struct dice dice = {11};
    fill(scene, 0, 6, 100);
    struct disk_status status;
    assert_int_equal(disk_status(segment_file(scene, 0, "-wal"), &status), 0);
    size_t before = (size_t)status.bytes;
    fill(scene, 6, 1, 9000);
    cut_power(scene, &file, &log);
    assert_true(log.length > before + 2 * FRAME);
    char *whole = malloc(log.length);
    memcpy(whole, log.bytes, log.length);
    for (int i = 0; i < 60; i++) {
        memcpy(log.bytes, whole, log.length);
        for (size_t at = before; at < log.length; at += 512)
            if (dice_below(&dice, 2))
                memset(log.bytes + at, 0, log.length - at < 512 ? log.length - at : 512);
        put_back(scene, file, log);
        assert_false(scene->recovery.salvaged);
        assert_true(end_of(scene) == 6 || end_of(scene) == 7);
    }
    free(whole);
    free(file.bytes);
    free(log.bytes);
}

static void a_log_that_began_anew_over_an_old_one_is_no_damage(void **state)
{
    struct scene *scene = *state;
    struct content file, log;
    fill(scene, 0, 20, 3000);
    assert_int_equal(db_checkpoint(scene->journal->db), DB_DONE);
    fill(scene, 20, 3, 3000);
    cut_power(scene, &file, &log);
    assert_true(log.length > 40 * FRAME); /* the old frames lie behind the new */
    put_back(scene, file, log);
    assert_false(scene->recovery.salvaged);
    assert_int_equal(end_of(scene), 23);
    free(file.bytes);
    free(log.bytes);
}

static void a_bit_flipped_amid_the_log_is_not_taken_for_its_end(void **state)
{
    struct scene *scene = *state;
    struct content file, log;
    fill(scene, 0, 20, 3000);
    cut_power(scene, &file, &log);
    char *found = memmem(log.bytes, log.length, "v7.", 3);
    assert_non_null(found);
    *found ^= 1;
    put_back(scene, file, log);
    assert_true(scene->recovery.salvaged);
    expect_duplicate(scene, 6);
    assert_true(end_of(scene) >= MILLION);
    expect_same_content(segment_file(scene, 0, ".damaged-1-wal"), log);
    expect_sound(scene);
    free(file.bytes);
    free(log.bytes);
}

static enum condition condition_of(struct scene *scene, struct content file, struct content log)
{
    struct failure why;
    unlink(segment_file(scene, 0, "-shm"));
    write_content(segment_file(scene, 0, ""), file);
    write_content(segment_file(scene, 0, "-wal"), log);
    return inspect_active(scene->directory, 0, &why);
}

static void expect_condition(struct scene *scene, struct content file, struct content log,
                             enum condition want, size_t at)
{
    enum condition got = condition_of(scene, file, log);
    if (got != want)
        fail_msg("byte %zu: got condition %d, want %d", at, (int)got, (int)want);
}

/* Of a log's first commit. */
static size_t first_commit_bytes(struct content log)
{
    size_t at = 32;
    while (at + FRAME <= log.length && memcmp(log.bytes + at + 4, "\0\0\0\0", 4) == 0)
        at += FRAME;
    assert_true(at + FRAME <= log.length);
    return at + FRAME;
}

static void a_young_segment_with_a_flipped_bit_is_not_half_made(void **state)
{
    struct scene *scene = *state;
    struct content file, log;
    fill(scene, 0, 1, 10);
    cut_power(scene, &file, &log);
    size_t making = first_commit_bytes(log);
    assert_true(making > 32 + 5 * FRAME && making < log.length);
    expect_condition(scene, file, log, SEGMENT_SOUND, 0);
    for (size_t frame = 32; frame < making; frame += FRAME)
        for (size_t at = 0; at < FRAME; at += at < 24 ? 1 : 509) {
            log.bytes[frame + at] ^= 0x10;
            expect_condition(scene, file, log, SEGMENT_DAMAGED, frame + at);
            log.bytes[frame + at] ^= 0x10;
        }
    log.bytes[32 + 3 * FRAME + 100] ^= 1;
    put_back(scene, file, log);
    assert_true(scene->recovery.salvaged);
    assert_true(end_of(scene) >= MILLION);
    expect_sound(scene);
    free(file.bytes);
    free(log.bytes);
}

static void a_segment_whose_making_was_torn_is_half_made(void **state)
{
    struct scene *scene = *state;
    struct content file, log;
    fill(scene, 0, 1, 10);
    cut_power(scene, &file, &log);
    size_t making = first_commit_bytes(log);
    for (log.length = 0; log.length < making; log.length += 511)
        expect_condition(scene, file, log, SEGMENT_HALF_MADE, log.length);
    log.length = making;
    expect_condition(scene, file, log, SEGMENT_SOUND, making);
    for (size_t at = 512; at < making; at += 512) {
        char sector[512];
        size_t bytes = making - at < 512 ? making - at : 512;
        memcpy(sector, log.bytes + at, bytes);
        memset(log.bytes + at, 0xa5, bytes);
        expect_condition(scene, file, log, SEGMENT_HALF_MADE, at);
        memcpy(log.bytes + at, sector, bytes);
    }
    free(file.bytes);
    free(log.bytes);
}

#define HEADER 32

static void expect_header_damage(struct scene *scene, struct content file, struct content log)
{
    for (size_t at = 0; at < HEADER; at++)
        for (int bit = 0; bit < 8; bit++) {
            log.bytes[at] ^= (char)(1 << bit);
            expect_condition(scene, file, log, SEGMENT_DAMAGED, at);
            log.bytes[at] ^= (char)(1 << bit);
        }
}

static void a_bit_flipped_in_the_header_of_the_log_is_damage(void **state)
{
    struct scene *scene = *state;
    struct content file, log;
    fill(scene, 0, 20, 3000);
    cut_power(scene, &file, &log);
    expect_header_damage(scene, file, log);
    log.bytes[17] ^= 4;
    put_back(scene, file, log);
    assert_true(scene->recovery.salvaged);
    assert_true(end_of(scene) >= MILLION);
    expect_same_content(segment_file(scene, 0, ".damaged-1-wal"), log);
    expect_sound(scene);
    free(file.bytes);
    free(log.bytes);
}

static void a_bit_flipped_in_the_header_of_a_young_log_is_damage(void **state)
{
    struct scene *scene = *state;
    struct content file, log;
    fill(scene, 0, 1, 10);
    cut_power(scene, &file, &log);
    expect_header_damage(scene, file, log);
    memset(log.bytes, 0, 512); /* the whole sector: what frame 0 goes on from, and its salts */
    expect_condition(scene, file, log, SEGMENT_DAMAGED, 0);
    free(file.bytes);
    free(log.bytes);
}

/* A few frames that are not moved, with those of an older log behind them. */
static void a_bit_flipped_in_the_header_of_a_log_begun_anew_is_damage(void **state)
{
    struct scene *scene = *state;
    struct content file, log;
    fill(scene, 0, 20, 3000);
    assert_int_equal(db_checkpoint(scene->journal->db), DB_DONE);
    fill(scene, 20, 1, 10);
    cut_power(scene, &file, &log);
    assert_true(log.length > 40 * FRAME);
    expect_header_damage(scene, file, log);
    free(file.bytes);
    free(log.bytes);
}

static void a_torn_header_over_a_log_that_was_moved_is_no_damage(void **state)
{
    struct scene *scene = *state;
    struct content file, log;
    fill(scene, 0, 20, 3000);
    assert_int_equal(db_checkpoint(scene->journal->db), DB_DONE);
    cut_power(scene, &file, &log);
    for (size_t torn = 1; torn <= HEADER; torn++) {
        memset(log.bytes + HEADER - torn, 0x5a, torn);
        expect_condition(scene, file, log, SEGMENT_SOUND, HEADER - torn);
    }
    put_back(scene, file, log);
    assert_false(scene->recovery.salvaged);
    assert_int_equal(end_of(scene), 20);
    free(file.bytes);
    free(log.bytes);
}

/* SQLite takes the salts of a header that it could only half write for the next one, too: a torn
 * first frame then stands before frames that were moved long ago. */
static void a_torn_first_frame_over_a_log_that_was_moved_is_no_damage(void **state)
{
    struct scene *scene = *state;
    struct content file, log, unmoved;
    fill(scene, 0, 20, 3000);
    unmoved = content_of(segment_file(scene, 0, ""));
    assert_int_equal(db_checkpoint(scene->journal->db), DB_DONE);
    cut_power(scene, &file, &log);
    memset(log.bytes + HEADER + 100, 0x5a, 1000);
    expect_condition(scene, file, log, SEGMENT_SOUND, 0);
    expect_condition(scene, unmoved, log, SEGMENT_DAMAGED, 0);
    free(unmoved.bytes);
    free(file.bytes);
    free(log.bytes);
}

/* --- sealed segments --- */

static void seal_three(struct scene *scene)
{
    for (int i = 0; i < 3; i++) {
        fill(scene, 10 * i, 10, 10);
        scene_roll(scene);
        scene_tend(scene);
    }
    fill(scene, 30, 5, 10);
    scene_close(scene);
}

static void expect_damage(struct scene *scene, const char *want)
{
    scene_open(scene);
    struct text damage = journal_damage(scene->journal);
    struct buffer words = {0};
    buffer_add_text(&words, damage);
    buffer_add_byte(&words, '\0');
    if (!strstr(words.bytes, want) || (*want == '\0' && damage.length > 0))
        fail_msg("got '%s', want '%s' in it", words.bytes, want);
    assert_int_equal(scene->recovery.damaged_segments, damage.length > 0);
    assert_false(scene->recovery.salvaged);
    expect_new(scene, 35, 35); /* sales are taken all the same */
    buffer_free(&words);
}

static void sound_sealed_segments_are_not_spoken_of(void **state)
{
    seal_three(*state);
    expect_damage(*state, "");
}

static void a_missing_sealed_segment_is_named_with_its_offsets(void **state)
{
    seal_three(*state);
    unlink(segment_file(*state, 1, ""));
    expect_damage(*state, "\"segment\":1,\"topic\":\"stock\",\"partition\":0,\"first\":10,"
                          "\"last\":19,\"message\":");
}

static void a_sealed_segment_of_another_size_is_named(void **state)
{
    seal_three(*state);
    const char *path = segment_file(*state, 1, "");
    chmod(path, 0640);
    assert_int_equal(truncate(path, 3 * PAGE), 0);
    expect_damage(*state, "was sealed with");
}

static void a_sealed_segment_that_is_no_database_is_named(void **state)
{
    seal_three(*state);
    spoil(segment_file(*state, 2, ""), 0, PAGE);
    expect_damage(*state, "\"segment\":2,\"topic\":\"stock\",\"partition\":0,\"first\":20,"
                          "\"last\":29,\"message\":");
}

static void missing_first_segments_are_named(void **state)
{
    seal_three(*state);
    unlink(segment_file(*state, 0, ""));
    unlink(segment_file(*state, 1, ""));
    expect_damage(*state, "\"first\":0,\"last\":19");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_log_that_ends_anywhere_is_a_crash_and_no_damage),
        TEST(a_last_commit_that_is_torn_is_a_crash_and_no_damage),
        TEST(a_log_that_began_anew_over_an_old_one_is_no_damage),
        TEST(a_bit_flipped_amid_the_log_is_not_taken_for_its_end),
        TEST(a_young_segment_with_a_flipped_bit_is_not_half_made),
        TEST(a_segment_whose_making_was_torn_is_half_made),
        TEST(a_bit_flipped_in_the_header_of_the_log_is_damage),
        TEST(a_bit_flipped_in_the_header_of_a_young_log_is_damage),
        TEST(a_bit_flipped_in_the_header_of_a_log_begun_anew_is_damage),
        TEST(a_torn_header_over_a_log_that_was_moved_is_no_damage),
        TEST(a_torn_first_frame_over_a_log_that_was_moved_is_no_damage),
        TEST(sound_sealed_segments_are_not_spoken_of),
        TEST(a_missing_sealed_segment_is_named_with_its_offsets),
        TEST(a_sealed_segment_of_another_size_is_named),
        TEST(a_sealed_segment_that_is_no_database_is_named),
        TEST(missing_first_segments_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
