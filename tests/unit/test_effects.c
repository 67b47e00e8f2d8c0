/* effects: what a document does to stock, by table, at the edge of 64 bits, and that nothing is
 * ever made out of nothing. */
#include "stock/effects.h"
#include "support.h"

#define ROWS 4
#define LINES_MAX 16

/* Four rows of stock and one document over them. */
struct fixture {
    struct stock_row rows[ROWS];
    struct document document;
    struct document_line lines[LINES_MAX];
    struct stock_row *rows_of_lines[LINES_MAX];
    struct decision decision;
};

static const char *const skus[ROWS] = {"A", "B", "C", "D\""};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    for (int i = 0; i < ROWS; i++)
        fixture->rows[i] = (struct stock_row){
            .shop = TEXT_LITERAL("S"), .location = TEXT_LITERAL("main"), .sku = text_of(skus[i])};
    fixture->document.lines = fixture->lines;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    buffer_free(&fixture->decision.detail);
    free(fixture);
    return 0;
}

static void begin(struct fixture *fixture, enum document_type type, enum document_check check)
{
    fixture->document.type = type;
    fixture->document.check = check;
    fixture->document.line_count = 0;
}

static void add_line(struct fixture *fixture, int row, int64_t quantity_milli)
{
    uint32_t line = fixture->document.line_count++;
    fixture->lines[line] = (struct document_line){.sku = fixture->rows[row].sku,
                                                  .location = fixture->rows[row].location,
                                                  .quantity_milli = quantity_milli};
    fixture->rows_of_lines[line] = &fixture->rows[row];
}

static void decide(struct fixture *fixture, enum outcome outcome, const char *reason,
                   const char *detail)
{
    struct decision *decision = &fixture->decision;
    effects_decide(&fixture->document, fixture->rows_of_lines, decision);
    if (decision->outcome != outcome)
        fail_msg("got %s, want %s", outcome_name(decision->outcome), outcome_name(outcome));
    assert_text(text_of(decision->reason), reason ? reason : "");
    assert_text(buffer_text(&decision->detail), detail ? detail : "");
}

static void apply(struct fixture *fixture)
{
    for (uint32_t i = 0; i < fixture->document.line_count; i++) {
        struct movement movement =
            effects_movement(&fixture->document, i, fixture->rows_of_lines[i]);
        assert_true(movement.quantity_milli > 0);
        assert_int_not_equal(movement.from, movement.to);
        effects_apply(&movement);
    }
}

/* --- the table of types --- */

static void each_type_moves_its_way(void **state)
{
    static const struct {
        enum document_type type;
        int64_t quantity_milli, change_milli;
        enum place from, to;
    } known[] = {
        {DOCUMENT_SALE, 1500, -1500, PLACE_SHELF, PLACE_CUSTOMER},
        {DOCUMENT_RETURN, 1500, 1500, PLACE_CUSTOMER, PLACE_SHELF},
        {DOCUMENT_RECEIPT, 1500, 1500, PLACE_SUPPLIER, PLACE_SHELF},
        {DOCUMENT_ADJUST, 1500, 1500, PLACE_ADJUSTMENT, PLACE_SHELF},
        {DOCUMENT_ADJUST, -1500, -1500, PLACE_SHELF, PLACE_ADJUSTMENT},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(known); i++) {
        struct stock_row *row = &fixture->rows[0];
        row->on_hand_milli = 10000;
        row->dirty = false;
        begin(fixture, known[i].type, CHECK_NONE);
        add_line(fixture, 0, known[i].quantity_milli);
        decide(fixture, OUTCOME_ACCEPTED, NULL, NULL);
        assert_int_equal(row->on_hand_milli, 10000); /* deciding changes nothing */
        struct movement movement = effects_movement(&fixture->document, 0, row);
        assert_int_equal(movement.from, known[i].from);
        assert_int_equal(movement.to, known[i].to);
        assert_int_equal(movement.quantity_milli, 1500);
        effects_apply(&movement);
        assert_int_equal(row->on_hand_milli, 10000 + known[i].change_milli);
        assert_true(row->dirty);
    }
}

static void places_and_outcomes_have_names(void **state)
{
    (void)state;
    assert_string_equal(place_name(PLACE_SHELF), "shelf");
    assert_string_equal(place_name(PLACE_CUSTOMER), "customer");
    assert_string_equal(place_name(PLACE_SUPPLIER), "supplier");
    assert_string_equal(place_name(PLACE_ADJUSTMENT), "adjustment");
    assert_string_equal(place_name((enum place)(PLACE_COUNT + 1)), "?");
    assert_string_equal(outcome_name(OUTCOME_ACCEPTED), "accepted");
    assert_string_equal(outcome_name(OUTCOME_REJECTED), "rejected");
    assert_string_equal(outcome_name(OUTCOME_DUPLICATE), "duplicate");
    assert_string_equal(outcome_name(OUTCOME_CONFLICT), "conflict");
}

/* --- checks --- */

static void without_a_check_stock_goes_below_zero(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, DOCUMENT_SALE, CHECK_NONE);
    add_line(fixture, 0, 1000);
    decide(fixture, OUTCOME_ACCEPTED, NULL, NULL);
    apply(fixture);
    assert_int_equal(fixture->rows[0].on_hand_milli, -1000);
}

static void a_warning_counts_and_says_so(void **state)
{
    struct fixture *fixture = *state;
    fixture->rows[0].on_hand_milli = 2000;
    begin(fixture, DOCUMENT_SALE, CHECK_WARN);
    add_line(fixture, 0, 2000);
    decide(fixture, OUTCOME_ACCEPTED, NULL, NULL);
    add_line(fixture, 0, 1);
    decide(fixture, OUTCOME_ACCEPTED, "INSUFFICIENT_STOCK",
           "[{\"location\":\"main\",\"sku\":\"A\",\"requested\":\"2.001\",\"available\":\"2\"}]");
}

static void a_hard_check_takes_all_lines_or_none(void **state)
{
    struct fixture *fixture = *state;
    fixture->rows[0].on_hand_milli = 5000;
    fixture->rows[1].on_hand_milli = 500;
    begin(fixture, DOCUMENT_SALE, CHECK_HARD);
    add_line(fixture, 0, 5000);
    add_line(fixture, 1, 500);
    decide(fixture, OUTCOME_ACCEPTED, NULL, NULL);
    add_line(fixture, 3, 1000);
    decide(fixture, OUTCOME_REJECTED, "INSUFFICIENT_STOCK",
           "[{\"location\":\"main\",\"sku\":\"D\\\"\",\"requested\":\"1\",\"available\":\"0\"}]");
    assert_int_equal(fixture->rows[0].on_hand_milli, 5000);
    assert_false(fixture->rows[0].dirty);
}

static void a_hard_check_sums_the_lines_of_a_sku(void **state)
{
    struct fixture *fixture = *state;
    fixture->rows[0].on_hand_milli = 3000;
    begin(fixture, DOCUMENT_SALE, CHECK_HARD);
    add_line(fixture, 0, 1500);
    add_line(fixture, 1, 250);
    add_line(fixture, 0, 1501);
    decide(fixture, OUTCOME_REJECTED, "INSUFFICIENT_STOCK",
           "[{\"location\":\"main\",\"sku\":\"A\",\"requested\":\"3.001\",\"available\":\"3\"},"
           "{\"location\":\"main\",\"sku\":\"B\",\"requested\":\"0.25\",\"available\":\"0\"}]");
    fixture->rows[1].on_hand_milli = 250;
    fixture->lines[2].quantity_milli = 1500;
    decide(fixture, OUTCOME_ACCEPTED, NULL, NULL);
}

static void what_is_reserved_is_not_available(void **state)
{
    struct fixture *fixture = *state;
    fixture->rows[0].on_hand_milli = 3000;
    fixture->rows[0].reserved_milli = 1000;
    begin(fixture, DOCUMENT_SALE, CHECK_HARD);
    add_line(fixture, 0, 2001);
    decide(fixture, OUTCOME_REJECTED, "INSUFFICIENT_STOCK",
           "[{\"location\":\"main\",\"sku\":\"A\",\"requested\":\"2.001\",\"available\":\"2\"}]");
    fixture->lines[0].quantity_milli = 2000;
    decide(fixture, OUTCOME_ACCEPTED, NULL, NULL);
}

static void a_hard_adjustment_may_add_to_what_is_below_zero(void **state)
{
    struct fixture *fixture = *state;
    fixture->rows[0].on_hand_milli = -5000;
    begin(fixture, DOCUMENT_ADJUST, CHECK_HARD);
    add_line(fixture, 0, 1000);
    decide(fixture, OUTCOME_ACCEPTED, NULL, NULL);
    add_line(fixture, 0, -1000); /* in all nothing is asked for */
    decide(fixture, OUTCOME_ACCEPTED, NULL, NULL);
    add_line(fixture, 0, -1);
    decide(fixture, OUTCOME_REJECTED, "INSUFFICIENT_STOCK",
           "[{\"location\":\"main\",\"sku\":\"A\",\"requested\":\"0.001\",\"available\":\"-5\"}]");
}

/* --- the edge of 64 bits --- */

static void a_figure_that_would_not_fit_is_out_of_range(void **state)
{
    struct fixture *fixture = *state;
    fixture->rows[0].on_hand_milli = INT64_MAX - 1;
    begin(fixture, DOCUMENT_RECEIPT, CHECK_NONE);
    add_line(fixture, 0, 1);
    decide(fixture, OUTCOME_ACCEPTED, NULL, NULL);
    add_line(fixture, 0, 1);
    decide(fixture, OUTCOME_REJECTED, "OUT_OF_RANGE", NULL);

    fixture->rows[1].on_hand_milli = -INT64_MAX + 1;
    begin(fixture, DOCUMENT_SALE, CHECK_NONE);
    add_line(fixture, 1, 1);
    decide(fixture, OUTCOME_ACCEPTED, NULL, NULL);
    add_line(fixture, 1, 1); /* -2^63 would fit, but its opposite would not */
    decide(fixture, OUTCOME_REJECTED, "OUT_OF_RANGE", NULL);
}

static void a_step_on_the_way_must_fit_too(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, DOCUMENT_ADJUST, CHECK_NONE);
    fixture->rows[0].on_hand_milli = INT64_MAX;
    add_line(fixture, 0, 1);
    add_line(fixture, 0, -1);
    decide(fixture, OUTCOME_REJECTED, "OUT_OF_RANGE", NULL);
    begin(fixture, DOCUMENT_ADJUST, CHECK_NONE);
    add_line(fixture, 0, -1);
    add_line(fixture, 0, 1);
    decide(fixture, OUTCOME_ACCEPTED, NULL, NULL);
}

static void the_largest_request_can_be_told(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, DOCUMENT_SALE, CHECK_HARD);
    add_line(fixture, 0, INT64_MAX);
    decide(fixture, OUTCOME_REJECTED, "INSUFFICIENT_STOCK",
           "[{\"location\":\"main\",\"sku\":\"A\",\"requested\":\"9223372036854775.807\","
           "\"available\":\"0\"}]");
    add_line(fixture, 0, 1);
    decide(fixture, OUTCOME_REJECTED, "OUT_OF_RANGE", NULL);
    add_line(fixture, 0, INT64_MAX);
    decide(fixture, OUTCOME_REJECTED, "OUT_OF_RANGE", NULL);
}

static void what_is_available_must_fit_too(void **state)
{
    struct fixture *fixture = *state;
    fixture->rows[0].on_hand_milli = -INT64_MAX + 10;
    fixture->rows[0].reserved_milli = 5;
    begin(fixture, DOCUMENT_SALE, CHECK_NONE);
    add_line(fixture, 0, 5);
    decide(fixture, OUTCOME_ACCEPTED, NULL, NULL);
    add_line(fixture, 0, 1);
    decide(fixture, OUTCOME_REJECTED, "OUT_OF_RANGE", NULL);
}

/* --- conservation, by dice --- */

static int64_t draw_quantity(struct dice *dice, bool may_be_negative)
{
    int64_t quantity_milli = 1 + dice_below(dice, 5000);
    if (dice_below(dice, 50) == 0)
        quantity_milli = INT64_MAX - dice_below(dice, 3);
    return may_be_negative && dice_below(dice, 2) ? -quantity_milli : quantity_milli;
}

static void nothing_is_made_out_of_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct dice dice = {42};
    __int128 places[ROWS][PLACE_COUNT + 1] = {{0}};
    int accepted = 0, rejected = 0;
    for (int round = 0; round < 20000; round++) {
        begin(fixture, (enum document_type)(DOCUMENT_SALE + dice_below(&dice, 4)),
              (enum document_check)dice_below(&dice, 3));
        for (int lines = 1 + dice_below(&dice, LINES_MAX); lines > 0; lines--)
            add_line(fixture, dice_below(&dice, ROWS),
                     draw_quantity(&dice, fixture->document.type == DOCUMENT_ADJUST));
        effects_decide(&fixture->document, fixture->rows_of_lines, &fixture->decision);
        if (fixture->decision.outcome == OUTCOME_REJECTED) {
            rejected++;
            continue;
        }
        accepted++;
        for (uint32_t i = 0; i < fixture->document.line_count; i++) {
            struct stock_row *row = fixture->rows_of_lines[i];
            struct movement movement = effects_movement(&fixture->document, i, row);
            places[row - fixture->rows][movement.from] -= movement.quantity_milli;
            places[row - fixture->rows][movement.to] += movement.quantity_milli;
            effects_apply(&movement);
            assert_true(places[row - fixture->rows][PLACE_SHELF] == row->on_hand_milli);
        }
    }
    for (int row = 0; row < ROWS; row++) {
        __int128 sum = 0;
        for (int place = 1; place <= PLACE_COUNT; place++)
            sum += places[row][place];
        assert_true(sum == 0);
    }
    assert_true(accepted > 1000 && rejected > 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_type_moves_its_way),
        TEST(places_and_outcomes_have_names),
        TEST(without_a_check_stock_goes_below_zero),
        TEST(a_warning_counts_and_says_so),
        TEST(a_hard_check_takes_all_lines_or_none),
        TEST(a_hard_check_sums_the_lines_of_a_sku),
        TEST(what_is_reserved_is_not_available),
        TEST(a_hard_adjustment_may_add_to_what_is_below_zero),
        TEST(a_figure_that_would_not_fit_is_out_of_range),
        TEST(a_step_on_the_way_must_fit_too),
        TEST(the_largest_request_can_be_told),
        TEST(what_is_available_must_fit_too),
        TEST(nothing_is_made_out_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
