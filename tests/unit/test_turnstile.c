/* Which large reads may begin, and in what order. */
#include "support.h"

#include "net/turnstile.h"

#define MIB ((size_t)1 << 20)
#define MANY 8

static struct exchange reads[MANY];

static int start(void **state)
{
    static struct turnstile turnstile;
    memset(reads, 0, sizeof reads);
    turnstile = (struct turnstile){.room_bytes = 64 * MIB};
    *state = &turnstile;
    return 0;
}

static void a_few_are_inside_and_the_rest_wait_in_order(void **state)
{
    struct turnstile *turnstile = *state;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(turnstile_enter(turnstile, &reads[i]), i < 4);
    assert_null(turnstile_next(turnstile));
    for (int i = 0; i < 4; i++) {
        turnstile_leave(turnstile, &reads[i]);
        assert_ptr_equal(turnstile_next(turnstile), &reads[i + 4]);
        assert_null(turnstile_next(turnstile));
    }
}

static void nobody_passes_those_who_wait(void **state)
{
    struct turnstile *turnstile = *state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(turnstile_enter(turnstile, &reads[i]), i < 4);
    turnstile_leave(turnstile, &reads[0]);
    assert_false(turnstile_enter(turnstile, &reads[5]));
    assert_ptr_equal(turnstile_next(turnstile), &reads[4]);
}

static void none_begins_while_unread_replies_fill_the_room(void **state)
{
    struct turnstile *turnstile = *state;
    turnstile->unread_bytes = 64 * MIB;
    assert_false(turnstile_enter(turnstile, &reads[0]));
    assert_null(turnstile_next(turnstile));
    turnstile->unread_bytes = 64 * MIB - 1;
    assert_ptr_equal(turnstile_next(turnstile), &reads[0]);
}

static void what_is_inside_counts_as_a_mib_each(void **state)
{
    struct turnstile *turnstile = *state;
    turnstile->unread_bytes = 62 * MIB;
    assert_true(turnstile_enter(turnstile, &reads[0]));
    assert_true(turnstile_enter(turnstile, &reads[1]));
    assert_false(turnstile_enter(turnstile, &reads[2]));
}

static void with_the_least_room_one_goes_at_a_time(void **state)
{
    struct turnstile *turnstile = *state;
    turnstile->room_bytes = 1;
    assert_true(turnstile_enter(turnstile, &reads[0]));
    assert_false(turnstile_enter(turnstile, &reads[1]));
    turnstile_leave(turnstile, &reads[0]);
    assert_ptr_equal(turnstile_next(turnstile), &reads[1]);
}

static void whoever_goes_away_is_taken_off_wherever_it_stands(void **state)
{
    struct turnstile *turnstile = *state;
    turnstile->unread_bytes = 64 * MIB;
    for (int i = 0; i < 4; i++)
        assert_false(turnstile_enter(turnstile, &reads[i]));
    assert_true(turnstile_take_off(turnstile, &reads[3]));
    assert_true(turnstile_take_off(turnstile, &reads[0]));
    assert_false(turnstile_take_off(turnstile, &reads[0]));
    assert_false(turnstile_enter(turnstile, &reads[4]));
    assert_true(turnstile_take_off(turnstile, &reads[2]));
    turnstile->unread_bytes = 0;
    assert_ptr_equal(turnstile_next(turnstile), &reads[1]);
    assert_ptr_equal(turnstile_next(turnstile), &reads[4]);
    assert_null(turnstile_next(turnstile));
    assert_true(turnstile_enter(turnstile, &reads[5]));
}

static void leaving_without_having_been_inside_changes_nothing(void **state)
{
    struct turnstile *turnstile = *state;
    turnstile_leave(turnstile, &reads[0]);
    assert_int_equal(turnstile->inside, 0);
}

#define CASE(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_few_are_inside_and_the_rest_wait_in_order),
        CASE(nobody_passes_those_who_wait),
        CASE(none_begins_while_unread_replies_fill_the_room),
        CASE(what_is_inside_counts_as_a_mib_each),
        CASE(with_the_least_room_one_goes_at_a_time),
        CASE(whoever_goes_away_is_taken_off_wherever_it_stands),
        CASE(leaving_without_having_been_inside_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
