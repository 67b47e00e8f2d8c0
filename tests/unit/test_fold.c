/* fold: what is decided for a document, what it leaves in the tables, and that the same journal
 * gives the same tables however it is cut into transactions. */
#include "support_stock.h"

struct fixture {
    struct scene scene;
    struct stock *stock;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    quiet_log();
    scene_begin(&fixture->scene);
    scene_open(&fixture->scene);
    fixture->stock = stock_temporary();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    stock_close(fixture->stock);
    scene_end(&fixture->scene);
    free(fixture);
    return 0;
}

/* A document of terminal T, shop S. */
#define DOCUMENT(type, id, members) \
    "{\"type\":\"" type "\",\"id\":\"" id "\",\"terminal\":\"T\",\"shop\":\"S\"," members "}"
#define LINES(sku, qty) "\"lines\":[{\"sku\":\"" sku "\",\"qty\":" qty "}]"

/* Journals and applies one; `want` is its outcome, reason and detail. */
static void put(void **state, const char *value, const char *want)
{
    struct fixture *fixture = *state;
    char sql[160];
    int64_t offset = scene_put(&fixture->scene, append_of(STOCK_TOPIC, value));
    replay_all(&fixture->scene, fixture->stock);
    snprintf(sql, sizeof sql,
             "SELECT outcome, reason, detail FROM document WHERE partition=0 AND offset=%lld",
             (long long)offset);
    expect_rows(stock_db(fixture->stock), sql, want);
}

static void expect(void **state, const char *sql, const char *want)
{
    struct fixture *fixture = *state;
    expect_rows(stock_db(fixture->stock), sql, want);
}

#define ACCEPTED "0 - -"
#define DUPLICATE "2 - -"
#define CONFLICT "3 ID_TAKEN -"
#define SHORT_OF_A                                                                    \
    "1 INSUFFICIENT_STOCK [{\"location\":\"main\",\"sku\":\"A\",\"requested\":\"5\"," \
    "\"available\":\"0\"}]"
#define HARD_SALE(id) DOCUMENT("sale", id, "\"check\":\"hard\"," LINES("A", "5"))
#define RECEIPT(id) DOCUMENT("receipt", id, LINES("A", "7"))
#define RETRY(id, offset) DOCUMENT("retry", id, "\"offset\":" offset)
#define DROP(id, offset) DOCUMENT("drop", id, "\"reason\":\"r\",\"offset\":" offset)
#define STOCK_SQL "SELECT shop, location, sku, on_hand_milli FROM stock ORDER BY id"
#define DEAD_SQL "SELECT offset, state, by_offset FROM dead ORDER BY offset"

/* --- one document --- */

static void an_accepted_document_leaves_its_rows(void **state)
{
    put(state,
        DOCUMENT(
            "sale", "1",
            "\"seq\":9,\"date\":\"d\",\"operator\":\"o\",\"lines\":[{\"sku\":\"B\",\"qty\":2},"
            "{\"sku\":\"A\",\"qty\":\"0.5\",\"location\":\"yard\"},{\"sku\":\"B\",\"qty\":1}]"),
        ACCEPTED);
    put(state, DOCUMENT("return", "2", LINES("B", "4")), ACCEPTED);
    expect(state, STOCK_SQL, "S main B 1000; S yard A -500");
    expect(state,
           "SELECT id, stock, offset, from_place, to_place, quantity_milli, balance_milli, previous"
           " FROM movement ORDER BY id",
           "1 1 0 1 2 2000 -2000 0; 2 2 0 1 2 500 -500 0; 3 1 0 1 2 1000 -3000 1;"
           " 4 1 1 2 1 4000 1000 3");
    expect(state,
           "SELECT offset, time_ms, shop, terminal, id, seq, type, date, operator, first_movement,"
           " movement_count FROM document",
           "0 1795341303000 S T 1 9 sale d o 1 3; 1 1795341303000 S T 2 - return - - 4 1");
    expect(state, "SELECT * FROM progress", "0 2 2 0 0 0");
    expect(state, DEAD_SQL, "");
    expect_balanced(stock_db(((struct fixture *)*state)->stock));
}

static void a_rejected_document_moves_nothing_and_stays_visible(void **state)
{
    put(state, HARD_SALE("1"), SHORT_OF_A);
    expect(state, STOCK_SQL, "");
    expect(state, "SELECT count(*) FROM movement", "0");
    expect(state, DEAD_SQL, "0 dead -");
    expect(state, "SELECT * FROM progress", "0 1 0 1 0 0");
}

static void an_unknown_type_is_rejected(void **state)
{
    put(state, DOCUMENT("count", "1", LINES("A", "1")), "1 UNKNOWN_TYPE -");
    expect(state, DEAD_SQL, "0 dead -");
}

static void what_is_no_document_is_rejected_with_its_reason(void **state)
{
    put(state, "7", "1 BAD_DOCUMENT {\"path\":\"doc\",\"message\":\"doc: must be an object\"}");
    put(state, "{}", "1 BAD_DOCUMENT {\"path\":\"type\",\"message\":\"type: is missing\"}");
    put(state, DOCUMENT("sale", "1", LINES("A", "-1")),
        "1 BAD_DOCUMENT {\"path\":\"lines[0].qty\",\"message\":\"lines[0].qty: must be above "
        "zero\"}");
    expect(state, "SELECT offset, shop, terminal, id, type FROM document",
           "0 - - - -; 1 - - - -; 2 S T 1 sale");
    expect(state, "SELECT offset, value FROM dead WHERE offset<2", "0 7; 1 {}");
    put(state, DOCUMENT("sale", "2", LINES("A", "1")), ACCEPTED); /* and the next one goes on */
}

static void out_of_range_is_rejected(void **state)
{
    put(state, DOCUMENT("receipt", "1", LINES("A", "9223372036854775.807")), ACCEPTED);
    put(state, DOCUMENT("receipt", "2", LINES("A", "0.001")), "1 OUT_OF_RANGE -");
    expect(state, STOCK_SQL, "S main A 9223372036854775807");
}

static void the_key_of_a_record_may_name_the_shop(void **state)
{
    struct fixture *fixture = *state;
    struct append append = append_of(STOCK_TOPIC, "{\"type\":\"receipt\",\"id\":\"1\",\"terminal\":"
                                                  "\"T\"," LINES("A", "1") "}");
    append.record.key = TEXT_LITERAL("\"S\\u0031\"");
    scene_put(&fixture->scene, append);
    append.record.key = TEXT_LITERAL("\"\"");
    scene_put(&fixture->scene, append);
    replay_all(&fixture->scene, fixture->stock);
    expect(state, "SELECT shop, outcome FROM document", "S1 0; - 1");
    expect(state, STOCK_SQL, "S1 main A 1000");
}

/* --- ids --- */

static void the_same_id_with_the_same_content_counts_once(void **state)
{
    put(state, DOCUMENT("sale", "1", "\"seq\":1," LINES("A", "5")), ACCEPTED);
    put(state, DOCUMENT("sale", "1", "\"seq\":2," LINES("A", "5")), DUPLICATE);
    put(state,
        "{ \"lines\" : [ {\"qty\":5, \"sku\":\"\\u0041\"} ], \"terminal\":\"T\", \"shop\":\"S\","
        " \"id\":\"1\", \"type\":\"sale\" }",
        DUPLICATE);
    expect(state, STOCK_SQL, "S main A -5000");
    expect(state, DEAD_SQL, "");
    expect(state, "SELECT offset FROM document_id", "0");
}

static void the_same_id_with_other_content_is_a_conflict(void **state)
{
    put(state, DOCUMENT("sale", "1", LINES("A", "5")), ACCEPTED);
    put(state, DOCUMENT("sale", "1", LINES("A", "6")), CONFLICT);
    put(state, DOCUMENT("sale", "1", LINES("A", "6")), CONFLICT);
    put(state, DOCUMENT("sale", "1", LINES("A", "5")), DUPLICATE);
    expect(state, STOCK_SQL, "S main A -5000");
    expect(state, DEAD_SQL, "1 dead -; 2 dead -");
    expect(state, "SELECT * FROM progress", "0 4 1 0 1 2");
}

static void an_id_belongs_to_its_terminal(void **state)
{
    put(state, DOCUMENT("sale", "1", LINES("A", "5")), ACCEPTED);
    put(state,
        "{\"type\":\"sale\",\"id\":\"1\",\"terminal\":\"T2\",\"shop\":\"S\"," LINES("A", "6") "}",
        ACCEPTED);
}

static void a_rejected_document_has_used_its_id(void **state)
{
    put(state, HARD_SALE("1"), SHORT_OF_A);
    put(state, RECEIPT("2"), ACCEPTED);
    put(state, HARD_SALE("1"), DUPLICATE);
    expect(state, STOCK_SQL, "S main A 7000");
}

/* --- retry and drop --- */

static void a_retry_counts_under_its_own_offset(void **state)
{
    put(state, HARD_SALE("1"), SHORT_OF_A);
    put(state, RECEIPT("2"), ACCEPTED);
    put(state, RETRY("3", "0"), ACCEPTED);
    expect(state, STOCK_SQL, "S main A 2000");
    expect(state, "SELECT offset, quantity_milli, from_place FROM movement WHERE id=2", "2 5000 1");
    expect(state, "SELECT outcome, first_movement, movement_count FROM document",
           "1 0 0; 0 1 1; 0 2 1");
    expect(state, DEAD_SQL, "0 retried 2");
}

static void a_retry_that_falls_short_again_leaves_it_dead(void **state)
{
    put(state, HARD_SALE("1"), SHORT_OF_A);
    put(state, RETRY("2", "0"), SHORT_OF_A);
    expect(state, DEAD_SQL, "0 dead -"); /* the retry itself is not listed */
    put(state, RECEIPT("3"), ACCEPTED);
    put(state, RETRY("4", "0"), ACCEPTED);
    expect(state, DEAD_SQL, "0 retried 3");
}

static void what_is_not_dead_is_not_retried(void **state)
{
    put(state, RECEIPT("1"), ACCEPTED);
    put(state, RETRY("2", "0"), "1 NOT_DEAD -");
    put(state, RETRY("3", "3"), "1 NOT_DEAD -"); /* nor what is not there yet */
    put(state, RETRY("4", "3"), "1 NOT_DEAD -"); /* nor itself */
    put(state, DOCUMENT("retry", "5", "\"partition\":1,\"offset\":0"), "1 NOT_DEAD -");
    expect(state, DEAD_SQL, "");
}

static void a_document_is_retried_once(void **state)
{
    put(state, HARD_SALE("1"), SHORT_OF_A);
    put(state, RECEIPT("2"), ACCEPTED);
    put(state, RETRY("3", "0"), ACCEPTED);
    put(state, RETRY("3", "0"), DUPLICATE);
    put(state, RETRY("4", "0"), "1 NOT_DEAD -");
    expect(state, STOCK_SQL, "S main A 2000");
}

static void a_conflict_stays_one_however_often_it_is_retried(void **state)
{
    put(state, RECEIPT("1"), ACCEPTED);
    put(state, DOCUMENT("sale", "1", LINES("A", "6")), CONFLICT);
    put(state, RETRY("2", "1"), CONFLICT);
    expect(state, STOCK_SQL, "S main A 7000");
    expect(state, DEAD_SQL, "1 dead -");
}

static void what_cannot_be_read_cannot_be_retried(void **state)
{
    put(state, "{}", "1 BAD_DOCUMENT {\"path\":\"type\",\"message\":\"type: is missing\"}");
    put(state, RETRY("1", "0"),
        "1 BAD_DOCUMENT {\"path\":\"type\",\"message\":\"type: is missing\"}");
    put(state, DOCUMENT("count", "2", "\"x\":1"), "1 UNKNOWN_TYPE -");
    put(state, RETRY("3", "2"), "1 UNKNOWN_TYPE -");
    expect(state, DEAD_SQL, "0 dead -; 2 dead -");
}

static void a_retry_counts_in_the_shop_the_document_was_of(void **state)
{
    struct fixture *fixture = *state;
    struct append append =
        append_of(STOCK_TOPIC, "{\"type\":\"sale\",\"id\":\"1\",\"terminal\":\"T\",\"check\":"
                               "\"hard\"," LINES("A", "5") "}");
    append.record.key = TEXT_LITERAL("\"branch\"");
    scene_put(&fixture->scene, append);
    put(state,
        "{\"type\":\"receipt\",\"id\":\"2\",\"terminal\":\"T\",\"shop\":\"branch\"," LINES("A",
                                                                                           "7") "}",
        ACCEPTED);
    append.record.value =
        TEXT_LITERAL("{\"type\":\"retry\",\"id\":\"3\",\"terminal\":\"T\",\"offset\":0}");
    append.record.key = TEXT_LITERAL("\"he\\u0061dquarters\"");
    scene_put(&fixture->scene, append);
    replay_all(&fixture->scene, fixture->stock);
    expect(state, "SELECT shop, outcome FROM document WHERE offset=2", "headquarters 0");
    expect(state, STOCK_SQL, "branch main A 2000");
}

static void a_drop_takes_it_off_the_list_for_good(void **state)
{
    put(state, HARD_SALE("1"), SHORT_OF_A);
    put(state, DROP("2", "0"), ACCEPTED);
    expect(state, DEAD_SQL, "0 dropped 1");
    put(state, RECEIPT("3"), ACCEPTED);
    put(state, RETRY("4", "0"), "1 NOT_DEAD -");
    put(state, DROP("5", "0"), "1 NOT_DEAD -");
    put(state, DROP("2", "0"), DUPLICATE);
    expect(state, STOCK_SQL, "S main A 7000");
    expect(state, DEAD_SQL, "0 dropped 1");
}

/* --- the same journal, the same tables --- */

/* Folds everything in transactions of random sizes, some of them given up on the way. */
static void fold_by_dice(const struct scene *scene, struct stock *stock, struct dice *dice)
{
    struct journal_reader *reader = scene_reader(scene);
    struct fold *fold = fold_new(stock);
    struct failure failure;
    struct batch batch;
    while (journal_reader_find(reader, TEXT_LITERAL(STOCK_TOPIC), 0,
                               stock_progress(stock, 0)->applied, &batch, &failure) == 1) {
        int64_t documents = 0, most = 1 + dice_below(dice, 60);
        assert_int_equal(stock_begin(stock), DB_DONE);
        do {
            int64_t applied = stock_progress(stock, 0)->applied;
            assert_int_equal(fold_batch(fold, 0, &batch, applied + most - documents, &documents),
                             DB_DONE);
        } while (documents < most &&
                 journal_reader_find(reader, TEXT_LITERAL(STOCK_TOPIC), 0,
                                     stock_progress(stock, 0)->applied, &batch, &failure) == 1);
        if (dice_below(dice, 4) == 0)
            stock_rollback(stock);
        else
            assert_int_equal(stock_commit(stock), DB_DONE);
    }
    fold_free(fold);
    journal_reader_close(reader);
}

static void however_it_is_cut_into_transactions_the_tables_are_the_same(void **state)
{
    struct fixture *fixture = *state;
    struct drawn drawn = {.dice = {1}};
    scene_put_drawn(&fixture->scene, &drawn, 1500);
    replay_all(&fixture->scene, fixture->stock);
    struct db *first = stock_db(fixture->stock);
    expect_balanced(first);
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) /* the dice did reach everything */
        assert_true(stock_progress(fixture->stock, 0)->outcomes[outcome] > 20);
    assert_true(db_int_of(first, "SELECT count(*) FROM dead WHERE state='retried'", 0) > 2);
    assert_true(db_int_of(first, "SELECT count(*) FROM dead WHERE state='dropped'", 0) > 2);
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct dice dice = {seed};
        struct stock *again = stock_at_again(&fixture->scene);
        fold_by_dice(&fixture->scene, again, &dice);
        expect_same_stock(first, stock_db(again));
        stock_close(again);
        unlink(scene_path(&fixture->scene, "again.db"));
    }
    drawn_free(&drawn);
}

static void what_is_folded_already_is_not_folded_again(void **state)
{
    struct fixture *fixture = *state;
    struct failure failure;
    struct batch batch;
    int64_t documents = 0;
    put(state, RECEIPT("1"), ACCEPTED);
    struct journal_reader *reader = scene_reader(&fixture->scene);
    struct fold *fold = fold_new(fixture->stock);
    assert_int_equal(journal_reader_find(reader, TEXT_LITERAL(STOCK_TOPIC), 0, 0, &batch, &failure),
                     1);
    assert_int_equal(stock_begin(fixture->stock), DB_DONE);
    assert_int_equal(fold_batch(fold, 0, &batch, INT64_MAX, &documents), DB_DONE);
    assert_int_equal(stock_commit(fixture->stock), DB_DONE);
    assert_int_equal(documents, 0);
    expect(state, STOCK_SQL, "S main A 7000");
    fold_free(fold);
    journal_reader_close(reader);
}

static void a_batch_that_is_not_whole_is_damage(void **state)
{
    struct fixture *fixture = *state;
    struct batch batch = {.count = 2,
                          .format = BATCH_FORMAT_JSON,
                          .lengths = TEXT_LITERAL("\x0b\x01\x0b\x09"),
                          .meta = TEXT_LITERAL("[[null,null],[null,null]]"),
                          .records = TEXT_LITERAL("[7,8]")};
    int64_t documents = 0;
    struct fold *fold = fold_new(fixture->stock);
    assert_int_equal(stock_begin(fixture->stock), DB_DONE);
    assert_int_equal(fold_batch(fold, 0, &batch, INT64_MAX, &documents), DB_DAMAGED);
    stock_rollback(fixture->stock);
    assert_int_equal(stock_progress(fixture->stock, 0)->applied, 0);
    expect(state, "SELECT count(*) FROM document", "0");
    fold_free(fold);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_accepted_document_leaves_its_rows),
        TEST(a_rejected_document_moves_nothing_and_stays_visible),
        TEST(an_unknown_type_is_rejected),
        TEST(what_is_no_document_is_rejected_with_its_reason),
        TEST(out_of_range_is_rejected),
        TEST(the_key_of_a_record_may_name_the_shop),
        TEST(the_same_id_with_the_same_content_counts_once),
        TEST(the_same_id_with_other_content_is_a_conflict),
        TEST(an_id_belongs_to_its_terminal),
        TEST(a_rejected_document_has_used_its_id),
        TEST(a_retry_counts_under_its_own_offset),
        TEST(a_retry_that_falls_short_again_leaves_it_dead),
        TEST(what_is_not_dead_is_not_retried),
        TEST(a_document_is_retried_once),
        TEST(a_conflict_stays_one_however_often_it_is_retried),
        TEST(what_cannot_be_read_cannot_be_retried),
        TEST(a_retry_counts_in_the_shop_the_document_was_of),
        TEST(a_drop_takes_it_off_the_list_for_good),
        TEST(however_it_is_cut_into_transactions_the_tables_are_the_same),
        TEST(what_is_folded_already_is_not_folded_again),
        TEST(a_batch_that_is_not_whole_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
