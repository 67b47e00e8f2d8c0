/* reserve: room kept for a full disk, and the journal that lives with it. */
#include <errno.h>

#include "base/disk.h"
#include "journal/journal_internal.h"
#include "support.h"

#define MIB (INT64_C(1) << 20)

/* A disk that says how much room it has and takes it for files that are allocated; databases are
 * written as ever. */
static struct room {
    int64_t bytes;
    int allocations; /* tried */
} room;

static int take_room(void *context, const char *path, int64_t bytes)
{
    struct disk_status status;
    int64_t have = disk_system.status(context, path, &status) == 0 ? status.bytes : 0;
    room.allocations++;
    if (bytes - have > room.bytes) {
        errno = ENOSPC;
        return -1;
    }
    if (bytes > have)
        room.bytes -= bytes - have;
    return disk_system.allocate(context, path, bytes);
}

static int give_room(void *context, const char *path)
{
    struct disk_status status;
    if (strstr(path, "/reserve") && disk_system.status(context, path, &status) == 0)
        room.bytes += status.bytes;
    return disk_system.remove(context, path);
}

static int tell_room(void *context, const char *path, int64_t *bytes)
{
    (void)context;
    (void)path;
    *bytes = room.bytes;
    return 0;
}

static int set_up(void **state)
{
    static struct disk disk;
    struct scene *scene = malloc(sizeof *scene);
    quiet_log();
    disk = disk_system;
    disk.allocate = take_room;
    disk.remove = give_room;
    disk.free_bytes = tell_room;
    disk_use(&disk);
    room = (struct room){.bytes = 100 * MIB};
    scene_begin(scene);
    scene->reserve_bytes = 16 * MIB;
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

static bool there(const struct scene *scene, const char *name)
{
    return disk_has(scene_path(scene, name));
}

static void pass(struct scene *scene, int64_t ms)
{
    scene->hands.monotonic_us += ms * 1000;
}

static void expect_health(const struct scene *scene, enum journal_health health)
{
    const char *message;
    enum journal_health got = journal_health(scene->journal, &message);
    if (got != health)
        fail_msg("health: got %d, want %d", (int)got, (int)health);
    assert_int_equal(message == NULL, health == JOURNAL_OK);
}

static void expect_error(const struct append *append, const char *code)
{
    if (!append->error || strcmp(append->error, code) != 0)
        fail_msg("got %s, want %s", append->error ? append->error : "no error", code);
}

/* The next commit finds no room. */
static void fill(struct scene *scene)
{
    static char large[20001];
    memset(large, '1', sizeof large - 1);
    assert_int_equal(db_execute(scene->journal->db, "PRAGMA max_page_count=1"), DB_DONE);
    struct append refused = scene_append(scene, append_of(STOCK_TOPIC, large));
    expect_error(&refused, "JOURNAL_FULL");
    assert_int_equal(db_execute(scene->journal->db, "PRAGMA max_page_count=1073741823"), DB_DONE);
}

/* --- the file --- */

static void it_is_taken_at_start_and_kept_over_a_restart(void **state)
{
    struct scene *scene = *state;
    struct disk_status status;
    scene_open(scene);
    assert_int_equal(disk_status(scene_path(scene, "reserve"), &status), 0);
    assert_int_equal(status.bytes, 16 * MIB);
    assert_true(there(scene, "reserve-start"));
    assert_int_equal(journal_reserve_bytes(scene->journal), 16 * MIB);
    expect_health(scene, JOURNAL_OK);
    int64_t left = room.bytes;
    scene_reopen(scene);
    assert_int_equal(room.bytes, left);
    expect_health(scene, JOURNAL_OK);
}

static void its_blocks_are_taken_for_certain(void **state)
{
    struct scene *scene = *state;
    struct stat status;
    scene_open(scene);
    assert_int_equal(stat(scene_path(scene, "reserve"), &status), 0);
    assert_true(status.st_blocks * 512 >= 16 * MIB);
}

static void another_size_is_taken_over(void **state)
{
    struct scene *scene = *state;
    struct disk_status status;
    scene_open(scene);
    scene_close(scene);
    scene->reserve_bytes = 4 * MIB;
    scene_open(scene);
    assert_int_equal(disk_status(scene_path(scene, "reserve"), &status), 0);
    assert_int_equal(status.bytes, 4 * MIB);
    scene_close(scene);
    scene->reserve_bytes = 0;
    scene_open(scene);
    assert_false(there(scene, "reserve"));
    assert_false(there(scene, "reserve-start"));
    expect_health(scene, JOURNAL_OK);
}

/* --- full --- */

static void a_commit_without_room_gives_it_back_and_nothing_more_is_begun(void **state)
{
    struct scene *scene = *state;
    scene_open(scene);
    scene_put(scene, append_sent("T01", 0, "1"));
    room.bytes = 0;
    fill(scene);
    expect_health(scene, JOURNAL_IS_FULL);
    assert_false(there(scene, "reserve"));
    assert_int_equal(journal_reserve_bytes(scene->journal), 0);
    struct append appends[] = {append_sent("T01", 1, "2"), append_of("new", "1"),
                               append_group_offset("g", STOCK_TOPIC, 1),
                               (struct append){.kind = APPEND_ROLL}};
    int64_t changes = db_int_of(scene->journal->db, "SELECT total_changes()", -1);
    scene_append_all(scene, appends, COUNT(appends));
    for (size_t i = 0; i < COUNT(appends); i++)
        expect_error(&appends[i], "JOURNAL_FULL");
    assert_int_equal(db_int_of(scene->journal->db, "SELECT total_changes()", -1), changes);
    assert_int_equal(journal_end(scene->journal, text_of("new"), 0), -1);
    expect_values(scene, STOCK_TOPIC, "1");
}

static void what_is_journaled_is_still_told_while_it_is_full(void **state)
{
    struct scene *scene = *state;
    scene_open(scene);
    scene_put(scene, append_sent("T01", 7, "1"));
    room.bytes = 0;
    fill(scene);
    struct append again = scene_append(scene, append_sent("T01", 7, "1"));
    assert_null(again.error);
    assert_true(again.duplicate);
}

static void with_room_for_it_and_half_as_much_writing_goes_on(void **state)
{
    struct scene *scene = *state;
    scene_open(scene);
    room.bytes = 0;
    fill(scene);
    assert_int_equal(room.bytes, 16 * MIB);
    pass(scene, 1000);
    struct append refused = scene_append(scene, append_sent("T01", 0, "1"));
    expect_error(&refused, "JOURNAL_FULL"); /* or the next commit would be refused again */
    room.bytes += 8 * MIB;
    pass(scene, 1000);
    assert_int_equal(scene_put(scene, append_sent("T01", 0, "1")), 0);
    expect_health(scene, JOURNAL_OK);
    assert_int_equal(journal_reserve_bytes(scene->journal), 16 * MIB);
}

static void room_is_looked_for_some_times_a_second(void **state)
{
    struct scene *scene = *state;
    scene_open(scene);
    pass(scene, 1000);
    scene_put(scene, append_sent("T01", 0, "1"));
    fill(scene);
    for (int i = 0; i < 50; i++) {
        struct append refused = scene_append(scene, append_sent("T01", 1, "2"));
        expect_error(&refused, "JOURNAL_FULL");
    }
    pass(scene, 200);
    assert_int_equal(scene_put(scene, append_sent("T01", 1, "2")), 1);
}

static void housekeeping_finds_the_room_when_nobody_writes(void **state)
{
    struct scene *scene = *state;
    scene_open(scene);
    room.bytes = 0;
    fill(scene);
    pass(scene, 1000);
    assert_true(scene_tend(scene)); /* wants to be called again */
    expect_health(scene, JOURNAL_IS_FULL);
    room.bytes += 50 * MIB;
    pass(scene, 1000);
    assert_false(scene_tend(scene));
    expect_health(scene, JOURNAL_OK);
}

static void hardly_any_room_is_seen_before_a_commit_finds_none(void **state)
{
    struct scene *scene = *state;
    scene_open(scene);
    room.bytes = 2 * MIB;
    pass(scene, 1000);
    assert_int_equal(scene_put(scene, append_sent("T01", 0, "1")), 0);
    room.bytes = 2 * MIB - 1;
    pass(scene, 1000);
    struct append refused = scene_append(scene, append_sent("T01", 1, "2"));
    expect_error(&refused, "JOURNAL_FULL");
    assert_false(there(scene, "reserve"));
    expect_values(scene, STOCK_TOPIC, "1");
}

/* --- at start --- */

static void a_start_without_room_reads_and_refuses(void **state)
{
    struct scene *scene = *state;
    scene->reserve_bytes = 0;
    scene_open(scene);
    scene_put(scene, append_sent("T01", 0, "1"));
    scene_close(scene);
    scene->reserve_bytes = 16 * MIB;
    room.bytes = 3 * MIB;
    scene_open(scene);
    expect_health(scene, JOURNAL_IS_FULL);
    assert_false(there(scene, "reserve"));
    struct append refused = scene_append(scene, append_sent("T01", 1, "2"));
    expect_error(&refused, "JOURNAL_FULL");
    expect_values(scene, STOCK_TOPIC, "1");
    room.bytes = 50 * MIB;
    pass(scene, 1000);
    assert_int_equal(scene_put(scene, append_sent("T01", 1, "2")), 1);
}

static void a_start_on_a_disk_that_filled_up_meanwhile_gives_it_back_first(void **state)
{
    struct scene *scene = *state;
    scene_open(scene);
    scene_close(scene);
    room.bytes = 0;
    scene_open(scene);
    expect_health(scene, JOURNAL_IS_FULL);
    assert_int_equal(room.bytes, 16 * MIB);
    assert_true(there(scene, "reserve-start")); /* not needed this time */
    scene_close(scene);
    room.bytes = 0;
    scene_open(scene);
    expect_health(scene, JOURNAL_IS_FULL);
    assert_int_equal(room.bytes, MIB);
    room.bytes = 50 * MIB;
    pass(scene, 1000);
    scene_tend(scene);
    expect_health(scene, JOURNAL_OK);
    assert_true(there(scene, "reserve-start"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_is_taken_at_start_and_kept_over_a_restart),
        TEST(its_blocks_are_taken_for_certain),
        TEST(another_size_is_taken_over),
        TEST(a_commit_without_room_gives_it_back_and_nothing_more_is_begun),
        TEST(what_is_journaled_is_still_told_while_it_is_full),
        TEST(with_room_for_it_and_half_as_much_writing_goes_on),
        TEST(room_is_looked_for_some_times_a_second),
        TEST(housekeeping_finds_the_room_when_nobody_writes),
        TEST(hardly_any_room_is_seen_before_a_commit_finds_none),
        TEST(a_start_without_room_reads_and_refuses),
        TEST(a_start_on_a_disk_that_filled_up_meanwhile_gives_it_back_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
