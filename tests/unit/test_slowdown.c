/* slowdown: how long refusals are held back; the test owns the time. */
#include "support.h"

#include "net/slowdown.h"

#define SECOND INT64_C(1000000)

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct slowdown));
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void the_first_is_told_at_once_and_each_later_one_later_up_to_five_seconds(void **state)
{
    static const int64_t wanted_ms[] = {0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
    for (size_t i = 0; i < COUNT(wanted_ms); i++)
        assert_int_equal(slowdown_refuse_us(*state, 7, SECOND + (int64_t)i), wanted_ms[i] * 1000);
}

static void addresses_do_not_pay_for_each_other(void **state)
{
    for (int i = 0; i < 20; i++)
        slowdown_refuse_us(*state, 7, SECOND);
    assert_int_equal(slowdown_refuse_us(*state, 8, SECOND), 0);
    assert_int_equal(slowdown_refuse_us(*state, 7, SECOND), SLOWDOWN_MOST_US);
}

static void address_0_is_an_address_like_any_other(void **state)
{
    assert_int_equal(slowdown_refuse_us(*state, 0, SECOND), 0);
    assert_int_equal(slowdown_refuse_us(*state, 0, SECOND), SLOWDOWN_FIRST_US);
}

static void who_was_quiet_for_a_minute_begins_anew(void **state)
{
    int64_t now_us = SECOND;
    for (int i = 0; i < 20; i++)
        slowdown_refuse_us(*state, 7, now_us);
    now_us += SLOWDOWN_FORGET_US - 1;
    assert_int_equal(slowdown_refuse_us(*state, 7, now_us), SLOWDOWN_MOST_US);
    now_us += SLOWDOWN_FORGET_US;
    assert_int_equal(slowdown_refuse_us(*state, 7, now_us), 0);
    assert_int_equal(slowdown_refuse_us(*state, 7, now_us), SLOWDOWN_FIRST_US);
}

static void a_billion_refusals_are_held_back_no_longer_than_twenty(void **state)
{
    struct slowdown *slowdown = *state;
    slowdown_refuse_us(slowdown, 7, SECOND);
    for (int row = 0; row < SLOWDOWN_ROWS; row++)
        for (int i = 0; i < SLOWDOWN_PLACES; i++)
            if (slowdown->places[row][i].refusals > 0)
                slowdown->places[row][i].refusals = INT64_C(1) << 40;
    assert_int_equal(slowdown_refuse_us(slowdown, 7, SECOND), SLOWDOWN_MOST_US);
}

/* However many addresses there are, a new one is told at once, and one that goes on is slowed as
 * long as it is remembered. */
static void many_addresses_make_nobody_wait_who_has_refused_nothing(void **state)
{
    int64_t now_us = SECOND;
    for (uint64_t address = 1; address <= 50 * SLOWDOWN_ADDRESSES; address++)
        assert_int_equal(slowdown_refuse_us(*state, address, now_us++), 0);
    assert_int_equal(slowdown_refuse_us(*state, UINT64_MAX, now_us), 0);
    assert_int_equal(slowdown_refuse_us(*state, UINT64_MAX, now_us), SLOWDOWN_FIRST_US);
}

static void the_longest_quiet_gives_way_and_the_busy_stay(void **state)
{
    int64_t now_us = SECOND;
    for (uint64_t address = 1; address <= 20 * SLOWDOWN_ADDRESSES; address++) {
        slowdown_refuse_us(*state, address, ++now_us);
        slowdown_refuse_us(*state, UINT64_MAX, ++now_us);
    }
    assert_int_equal(slowdown_refuse_us(*state, UINT64_MAX, ++now_us), SLOWDOWN_MOST_US);
    assert_int_equal(slowdown_refuse_us(*state, 1, ++now_us), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_is_told_at_once_and_each_later_one_later_up_to_five_seconds),
        TEST(addresses_do_not_pay_for_each_other),
        TEST(address_0_is_an_address_like_any_other),
        TEST(who_was_quiet_for_a_minute_begins_anew),
        TEST(a_billion_refusals_are_held_back_no_longer_than_twenty),
        TEST(many_addresses_make_nobody_wait_who_has_refused_nothing),
        TEST(the_longest_quiet_gives_way_and_the_busy_stay),
    };
    return cmocka_run_group_tests_name("slowdown", tests, NULL, NULL);
}
