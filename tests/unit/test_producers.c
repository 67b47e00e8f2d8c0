/* producers: which (name, seq) is journaled, by example and against a naive set. */
#include "journal/producers.h"
#include "support.h"

static const struct text till = TEXT_LITERAL("T01");

static int set_up(void **state)
{
    *state = producers_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    producers_free(*state);
    return 0;
}

static void take(struct producers *producers, int64_t seq, int64_t offset)
{
    int64_t found;
    assert_int_equal(producers_check(producers, till, seq, &found), PRODUCER_NEW);
    assert_int_equal(found, -1);
    assert_int_equal(producers_take(producers, till, seq, offset), 0);
}

static void expect(struct producers *producers, int64_t seq, enum producer_verdict verdict,
                   int64_t offset)
{
    int64_t found;
    enum producer_verdict got = producers_check(producers, till, seq, &found);
    if (got != verdict || found != offset)
        fail_msg("seq %" PRId64 ": got %d at %" PRId64 ", want %d at %" PRId64, seq, (int)got,
                 found, (int)verdict, offset);
}

static void a_seq_is_new_once(void **state)
{
    expect(*state, 0, PRODUCER_NEW, -1);
    take(*state, 0, 70);
    expect(*state, 0, PRODUCER_DUPLICATE, 70);
    expect(*state, 1, PRODUCER_NEW, -1);
}

static void producers_do_not_know_of_each_other(void **state)
{
    int64_t offset;
    take(*state, 5, 70);
    assert_int_equal(producers_check(*state, TEXT_LITERAL("T02"), 5, &offset), PRODUCER_NEW);
    assert_int_equal(producers_check(*state, TEXT_LITERAL("T0"), 5, &offset), PRODUCER_NEW);
    assert_int_equal(producers_check(*state, TEXT_LITERAL(""), 5, &offset), PRODUCER_NEW);
}

static void what_was_skipped_may_still_come_once(void **state)
{
    take(*state, 10, 0);
    take(*state, 4, 1); /* splits the gap */
    take(*state, 0, 2); /* at its low end */
    take(*state, 9, 3); /* at its high end */
    expect(*state, 4, PRODUCER_DUPLICATE, 1);
    for (int64_t seq = 0; seq <= 10; seq++)
        if (seq != 10 && seq != 4 && seq != 0 && seq != 9)
            take(*state, seq, 10 + seq);
    for (int64_t seq = 0; seq <= 10; seq++) {
        int64_t offset;
        assert_int_equal(producers_check(*state, till, seq, &offset), PRODUCER_DUPLICATE);
    }
}

static void taking_twice_is_refused(void **state)
{
    take(*state, 3, 0);
    assert_int_equal(producers_take(*state, till, 3, 1), -1);
    expect(*state, 3, PRODUCER_DUPLICATE, 0);
}

static void only_the_offsets_of_the_last_window_are_known(void **state)
{
    for (int64_t seq = 0; seq <= PRODUCER_WINDOW; seq++)
        take(*state, seq, 1000 + seq);
    expect(*state, 0, PRODUCER_DUPLICATE, -1);
    for (int64_t seq = 1; seq <= PRODUCER_WINDOW; seq++)
        expect(*state, seq, PRODUCER_DUPLICATE, 1000 + seq);
}

static void more_gaps_than_are_remembered_raise_the_floor(void **state)
{
    for (int64_t i = 0; i <= PRODUCER_GAPS; i++) /* gaps at 0, 2, 4, … */
        take(*state, 2 * i + 1, i);
    expect(*state, 0, PRODUCER_TOO_OLD, -1);
    expect(*state, 2, PRODUCER_NEW, -1);
    expect(*state, 1, PRODUCER_DUPLICATE, -1); /* at the floor itself: known */
    take(*state, 2, 900);
    expect(*state, 2, PRODUCER_DUPLICATE, 900);
}

static void below_the_floor_the_window_still_knows(void **state)
{
    take(*state, 10000, 0);
    for (int64_t i = 0; i < PRODUCER_GAPS; i++) /* splits the gap from below */
        take(*state, 2 * i + 1, i + 1);
    expect(*state, 0, PRODUCER_TOO_OLD, -1);
    take(*state, 2 * PRODUCER_GAPS + 1, 500);
    expect(*state, 2 * PRODUCER_GAPS + 1, PRODUCER_DUPLICATE, 500);
}

static void the_highest_seq_there_is_can_be_taken(void **state)
{
    take(*state, INT64_MAX, 0);
    expect(*state, INT64_MAX, PRODUCER_DUPLICATE, 0);
    take(*state, INT64_MAX - 1, 1);
    expect(*state, INT64_MAX - 2, PRODUCER_NEW, -1);
}

/* --- what is durable --- */

struct saved {
    int calls;
    char name[80], gaps[8192];
    int64_t last_seq, floor;
};

static int keep(const struct producer_state *state, void *context)
{
    struct saved *saved = context;
    saved->calls++;
    saved->last_seq = state->last_seq;
    saved->floor = state->floor;
    snprintf(saved->name, sizeof saved->name, "%.*s", (int)state->name.length, state->name.bytes);
    snprintf(saved->gaps, sizeof saved->gaps, "%.*s", (int)state->gaps.length, state->gaps.bytes);
    return 0;
}

static void the_state_is_highest_seq_floor_and_gaps(void **state)
{
    struct saved saved = {0};
    take(*state, 2, 0);
    take(*state, 7, 1);
    assert_int_equal(producers_save(*state, false, keep, &saved), 0);
    assert_int_equal(saved.calls, 1);
    assert_string_equal(saved.name, "T01");
    assert_int_equal(saved.last_seq, 7);
    assert_int_equal(saved.floor, 0);
    assert_string_equal(saved.gaps, "[[0,1],[3,6]]");
}

static void only_what_changed_is_saved(void **state)
{
    struct saved saved = {0};
    take(*state, 0, 0);
    take(*state, 1, 1);
    assert_int_equal(producers_take(*state, TEXT_LITERAL("T02"), 0, 2), 0);
    assert_int_equal(producers_save(*state, false, keep, &saved), 0);
    assert_int_equal(saved.calls, 2);
    producers_saved(*state);
    assert_int_equal(producers_save(*state, false, keep, &saved), 0);
    assert_int_equal(saved.calls, 2);
    take(*state, 2, 3);
    assert_int_equal(producers_save(*state, false, keep, &saved), 0);
    assert_int_equal(saved.calls, 3);
    assert_string_equal(saved.name, "T01");
    assert_int_equal(producers_save(*state, true, keep, &saved), 0);
    assert_int_equal(saved.calls, 5);
}

static int refuse(const struct producer_state *state, void *context)
{
    (void)state;
    *(int *)context += 1;
    return 42;
}

static void saving_ends_with_the_first_refusal(void **state)
{
    int calls = 0;
    take(*state, 0, 0);
    assert_int_equal(producers_take(*state, TEXT_LITERAL("T02"), 0, 1), 0);
    assert_int_equal(producers_save(*state, false, refuse, &calls), 42);
    assert_int_equal(producers_save(*state, true, refuse, &calls), 42);
    assert_int_equal(calls, 2);
}

static void a_restored_producer_goes_on_without_its_window(void **state)
{
    struct producer_state kept = {till, 9, 2, TEXT_LITERAL("[[3,4],[8,8]]")};
    assert_int_equal(producers_restore(*state, &kept), 0);
    expect(*state, 1, PRODUCER_TOO_OLD, -1);
    expect(*state, 2, PRODUCER_DUPLICATE, -1);
    expect(*state, 3, PRODUCER_NEW, -1);
    expect(*state, 8, PRODUCER_NEW, -1);
    expect(*state, 9, PRODUCER_DUPLICATE, -1);
    producers_remember(*state, till, 9, 77);
    expect(*state, 9, PRODUCER_DUPLICATE, 77);
}

static void what_is_no_state_is_not_restored(void **state)
{
    static const char *const gaps[] = {"",
                                       "7",
                                       "{}",
                                       "[7]",
                                       "[[1]]",
                                       "[[1,2,3]]",
                                       "[[1,\"2\"]]",
                                       "[[5,3]]",
                                       "[[3,4],[1,2]]",
                                       "[[1,3],[3,4]]",
                                       "[[1,2],[3,4]]", /* touching gaps are one gap */
                                       "[[8,9]]",       /* the highest seq itself is not missing */
                                       "[[-1,1]]"};
    for (size_t i = 0; i < COUNT(gaps); i++) {
        struct producer_state bad = {till, 9, 0, text_of(gaps[i])};
        if (producers_restore(*state, &bad) == 0)
            fail_msg("%s: restored", gaps[i]);
    }
}

static void thousands_of_producers_are_all_found_again(void **state)
{
    char name[16];
    int64_t offset;
    for (int i = 0; i < 5000; i++) {
        int length = snprintf(name, sizeof name, "T%d", i);
        struct text text = {name, (size_t)length};
        assert_int_equal(producers_take(*state, text, i, i), 0);
    }
    for (int i = 0; i < 5000; i++) {
        int length = snprintf(name, sizeof name, "T%d", i);
        struct text text = {name, (size_t)length};
        assert_int_equal(producers_check(*state, text, i, &offset), PRODUCER_DUPLICATE);
        assert_int_equal(offset, i);
    }
}

/* --- against a naive set --- */

#define MODEL_PRODUCERS 3
#define MODEL_SEQS 6000

struct model_producer {
    bool taken[MODEL_SEQS];
    int64_t offset[MODEL_SEQS];
    int last; /* -1: none yet */
    int floor;
    int sent[PRODUCER_WINDOW], sent_count; /* since it was restored, newest last */
};

static int gaps_of(const struct model_producer *model, int from, int *first_end)
{
    int gaps = 0;
    *first_end = -1;
    for (int seq = from; seq < model->last; seq++) {
        bool ends = !model->taken[seq] && model->taken[seq + 1];
        gaps += ends;
        if (ends && *first_end < 0)
            *first_end = seq;
    }
    return gaps;
}

static void model_take(struct model_producer *model, int seq, int64_t offset)
{
    int first_end;
    model->taken[seq] = true;
    model->offset[seq] = offset;
    if (seq > model->last)
        model->last = seq;
    while (gaps_of(model, model->floor, &first_end) > PRODUCER_GAPS)
        model->floor = first_end + 1;
    if (model->sent_count == PRODUCER_WINDOW)
        memmove(model->sent, model->sent + 1, sizeof model->sent - sizeof model->sent[0]);
    else
        model->sent_count++;
    model->sent[model->sent_count - 1] = seq;
}

static enum producer_verdict model_check(const struct model_producer *model, int seq,
                                         int64_t *offset)
{
    *offset = -1;
    for (int i = 0; i < model->sent_count; i++)
        if (model->sent[i] == seq)
            *offset = model->offset[seq];
    if (seq < model->floor)
        return *offset >= 0 ? PRODUCER_DUPLICATE : PRODUCER_TOO_OLD;
    return model->taken[seq] ? PRODUCER_DUPLICATE : PRODUCER_NEW;
}

/* What a segment holds: the newest state of each, saved as it changed. */
struct table {
    char names[MODEL_PRODUCERS];
    char gaps[MODEL_PRODUCERS][16 * PRODUCER_GAPS];
    int64_t last_seq[MODEL_PRODUCERS], floor[MODEL_PRODUCERS];
};

static int put_in_table(const struct producer_state *state, void *context)
{
    struct table *table = context;
    int row = state->name.bytes[0] - 'a';
    table->names[row] = state->name.bytes[0];
    table->last_seq[row] = state->last_seq;
    table->floor[row] = state->floor;
    assert_true(state->gaps.length < sizeof table->gaps[row]);
    memcpy(table->gaps[row], state->gaps.bytes, state->gaps.length);
    table->gaps[row][state->gaps.length] = '\0';
    return 0;
}

static struct producers *restore_all(const struct table *table, struct model_producer *models)
{
    struct producers *producers = producers_new();
    assert_non_null(producers);
    for (int i = 0; i < MODEL_PRODUCERS; i++) {
        models[i].sent_count = 0;
        struct producer_state state = {
            {&table->names[i], 1}, table->last_seq[i], table->floor[i], text_of(table->gaps[i])};
        if (table->names[i])
            assert_int_equal(producers_restore(producers, &state), 0);
    }
    return producers;
}

static int draw_seq(struct dice *dice, const struct model_producer *model)
{
    int seq = model->last;
    switch (dice_below(dice, 4)) {
    case 0:
        seq += 1; /* the usual */
        break;
    case 1:
        seq += 2 + dice_below(dice, 4); /* skips */
        break;
    case 2:
        seq -= dice_below(dice, 100); /* comes again, or late */
        break;
    default:
        seq = dice_below(dice, seq + 2);
    }
    return seq < 0 ? 0 : seq >= MODEL_SEQS ? MODEL_SEQS - 1 : seq;
}

static void thousands_of_operations_agree_with_a_naive_set(void **state)
{
    struct model_producer *models = calloc(MODEL_PRODUCERS, sizeof *models);
    struct table *table = calloc(1, sizeof *table);
    struct dice dice = {20261122};
    for (int i = 0; i < MODEL_PRODUCERS; i++)
        models[i].last = -1;
    for (int step = 0; step < 12000; step++) {
        int which = dice_below(&dice, MODEL_PRODUCERS);
        char name = (char)('a' + which);
        int seq = draw_seq(&dice, &models[which]);
        int64_t got_offset, want_offset;
        enum producer_verdict want = model_check(&models[which], seq, &want_offset);
        enum producer_verdict got =
            producers_check(*state, (struct text){&name, 1}, seq, &got_offset);
        if (got != want || got_offset != want_offset)
            fail_msg("step %d, seq %d of %c: got %d at %" PRId64 ", want %d at %" PRId64, step, seq,
                     name, (int)got, got_offset, (int)want, want_offset);
        if (got == PRODUCER_NEW) {
            assert_int_equal(producers_take(*state, (struct text){&name, 1}, seq, step), 0);
            model_take(&models[which], seq, step);
        }
        if (dice_below(&dice, 20) == 0) {
            assert_int_equal(producers_save(*state, false, put_in_table, table), 0);
            producers_saved(*state);
            if (dice_below(&dice, 20) == 0) {
                producers_free(*state);
                *state = restore_all(table, models);
            }
        }
    }
    for (int i = 0; i < MODEL_PRODUCERS; i++)
        assert_true(models[i].floor > 0); /* the dice did reach what is rare */
    free(table);
    free(models);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_seq_is_new_once),
        TEST(producers_do_not_know_of_each_other),
        TEST(what_was_skipped_may_still_come_once),
        TEST(taking_twice_is_refused),
        TEST(only_the_offsets_of_the_last_window_are_known),
        TEST(more_gaps_than_are_remembered_raise_the_floor),
        TEST(below_the_floor_the_window_still_knows),
        TEST(the_highest_seq_there_is_can_be_taken),
        TEST(the_state_is_highest_seq_floor_and_gaps),
        TEST(only_what_changed_is_saved),
        TEST(saving_ends_with_the_first_refusal),
        TEST(a_restored_producer_goes_on_without_its_window),
        TEST(what_is_no_state_is_not_restored),
        TEST(thousands_of_producers_are_all_found_again),
        TEST(thousands_of_operations_agree_with_a_naive_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
