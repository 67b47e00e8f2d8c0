/* What a disk is called by what is known of it and how long it takes to sync. */
#include "support.h"

#include <errno.h>

#include "cli/disk_kind.c"

static const char *verdict(enum disk_place place, int64_t median_us)
{
    struct disk_kind kind = {.place = place, .turning = -1};
    return disk_verdict(&kind, median_us);
}

static void a_local_disk_is_judged_by_its_median(void **state)
{
    (void)state;
    static const struct {
        int64_t median_us;
        const char *want;
    } cases[] = {{0, "suspicious"},  {199, "suspicious"}, {200, "fast"},   {999, "fast"},
                 {1000, "usual"},    {9999, "usual"},     {10000, "slow"}, {19999, "slow"},
                 {20000, "turning"}, {500000, "turning"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(verdict(DISK_LOCAL, cases[i].median_us), cases[i].want);
        assert_string_equal(verdict(DISK_UNKNOWN, cases[i].median_us), cases[i].want);
    }
}

static void where_no_disk_is_time_says_nothing(void **state)
{
    (void)state;
    assert_string_equal(verdict(DISK_MEMORY, 5000), "memory");
    assert_string_equal(verdict(DISK_NETWORK, 5000), "network");
    assert_string_equal(verdict(DISK_LAYERED, 5000), "layered");
}

static void every_verdict_has_words(void **state)
{
    (void)state;
    static const char *const all[] = {"memory", "network", "layered", "suspicious",
                                      "fast",   "usual",   "slow",    "turning"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_true(strlen(disk_verdict_words(all[i])) > 20);
}

static void a_file_system_without_a_name_is_told_by_its_number(void **state)
{
    (void)state;
    struct disk_kind kind;
    name_file_system(&kind, 0x6969);
    assert_string_equal(kind.file_system, "nfs");
    assert_int_equal(kind.place, DISK_NETWORK);
    name_file_system(&kind, 0xFF534D42);
    assert_string_equal(kind.file_system, "cifs");
    name_file_system(&kind, 0x12345);
    assert_string_equal(kind.file_system, "0x12345");
    assert_int_equal(kind.place, DISK_UNKNOWN);
}

static void what_is_not_there_is_refused(void **state)
{
    (void)state;
    struct disk_kind kind;
    assert_int_equal(disk_kind_of("/nowhere/at/all", &kind), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(disk_kind_of("/proc", &kind), 0);
    assert_int_equal(kind.turning, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_local_disk_is_judged_by_its_median),
        cmocka_unit_test(where_no_disk_is_time_says_nothing),
        cmocka_unit_test(every_verdict_has_words),
        cmocka_unit_test(a_file_system_without_a_name_is_told_by_its_number),
        cmocka_unit_test(what_is_not_there_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
