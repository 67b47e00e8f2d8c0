/* applier: stepped by hand. Each document once whatever dies in between, nobody answered before his
 * document is applied, and a stock file that cannot be used is made anew. */
#include <signal.h>
#include <sys/wait.h>

#include "stock/applier.h"
#include "support_stock.h"

struct fixture {
    struct scene scene;
    struct applier *applier;
    struct applier_recovery recovery;
    struct append *delivered; /* newest delivery, a chain */
};

static void keep_delivered(struct append *first, void *context)
{
    ((struct fixture *)context)->delivered = first;
}

static void start(struct fixture *fixture, int64_t documents)
{
    struct failure failure;
    struct applier_options options = {.directory = fixture->scene.directory,
                                      .documents = documents,
                                      .deliver = keep_delivered,
                                      .context = fixture};
    if (applier_new(&fixture->applier, &options, &fixture->recovery, &failure) != 0)
        fail_msg("applier_new: %s", failure.message);
}

static void stop(struct fixture *fixture)
{
    applier_stop(fixture->applier);
    fixture->applier = NULL;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    quiet_log();
    scene_begin(&fixture->scene);
    scene_open(&fixture->scene);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    limit_files(RLIM_INFINITY);
    stop(fixture);
    scene_end(&fixture->scene);
    free(fixture);
    return 0;
}

static int64_t applied(const struct fixture *fixture)
{
    struct applier_figures figures;
    applier_figures(fixture->applier, &figures);
    return figures.applied;
}

static enum applier_health health(const struct fixture *fixture)
{
    struct applier_figures figures;
    applier_figures(fixture->applier, &figures);
    return figures.health;
}

static void step_to_the_end(struct fixture *fixture)
{
    while (applier_step(fixture->applier) == WORKER_AGAIN)
        ;
}

static struct db *open_stock(struct fixture *fixture)
{
    struct db *db;
    struct failure failure;
    assert_int_equal(stock_open_read(&db, fixture->scene.directory, &failure), 0);
    return db;
}

static void expect_stock(struct fixture *fixture, const char *sql, const char *want)
{
    struct db *db = open_stock(fixture);
    expect_rows(db, sql, want);
    db_close(db);
}

/* The live file equals a fold of the whole journal. */
static void expect_fold(struct fixture *fixture)
{
    struct stock *again = stock_temporary();
    struct db *live = open_stock(fixture);
    replay_all(&fixture->scene, again);
    expect_same_stock(stock_db(again), live);
    expect_balanced(live);
    stock_close(again);
    db_close(live);
}

static void put_sales(struct fixture *fixture, int from, int to)
{
    for (int i = from; i < to; i++)
        scene_put_document(&fixture->scene,
                           "{\"type\":\"sale\",\"id\":\"%d\",\"terminal\":\"T\",\"shop\":\"S\","
                           "\"lines\":[{\"sku\":\"A\",\"qty\":1}]}",
                           i);
}

/* --- applying --- */

static void it_applies_at_most_so_many_in_one_transaction(void **state)
{
    struct fixture *fixture = *state;
    put_sales(fixture, 0, 10);
    start(fixture, 4);
    assert_int_equal(applied(fixture), 0);
    assert_int_equal(applier_step(fixture->applier), WORKER_AGAIN);
    assert_int_equal(applied(fixture), 4);
    expect_stock(fixture, "SELECT applied FROM progress", "4");
    assert_int_equal(applier_step(fixture->applier), WORKER_AGAIN);
    assert_int_equal(applied(fixture), 8);
    applier_set_documents(fixture->applier, 100);
    assert_int_not_equal(applier_step(fixture->applier), WORKER_AGAIN);
    assert_int_equal(applied(fixture), 10);
    expect_stock(fixture, "SELECT on_hand_milli FROM stock", "-10000");
}

static void a_large_batch_is_applied_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    struct drawn drawn = {.dice = {3}};
    struct append appends[100];
    for (int i = 0; i < 100; i++)
        appends[i] = append_of(STOCK_TOPIC, draw_value(&drawn));
    scene_append_all(&fixture->scene, appends, COUNT(appends));
    start(fixture, 7);
    step_to_the_end(fixture);
    assert_int_equal(applied(fixture), 100);
    expect_fold(fixture);
    drawn_free(&drawn);
}

static void with_nothing_to_do_it_writes_nothing(void **state)
{
    struct fixture *fixture = *state;
    put_sales(fixture, 0, 1);
    start(fixture, 100);
    step_to_the_end(fixture);
    struct db *db = open_stock(fixture);
    int64_t version = db_int_of(db, "PRAGMA data_version", 0);
    assert_int_not_equal(applier_step(fixture->applier), WORKER_AGAIN);
    assert_int_equal(db_int_of(db, "PRAGMA data_version", 0), version);
    db_close(db);
}

static void it_goes_on_behind_a_roll(void **state)
{
    struct fixture *fixture = *state;
    put_sales(fixture, 0, 2);
    start(fixture, 100);
    step_to_the_end(fixture);
    put_sales(fixture, 2, 3);
    scene_roll(&fixture->scene);
    put_sales(fixture, 3, 5);
    step_to_the_end(fixture);
    assert_int_equal(applied(fixture), 5);
    assert_false(scene_tend(&fixture->scene)); /* and holds the old segment no more */
    expect_fold(fixture);
}

static void stopped_anywhere_it_goes_on_where_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct drawn drawn = {.dice = {11}};
    struct dice dice = {12};
    scene_put_drawn(&fixture->scene, &drawn, 600);
    do {
        stop(fixture);
        start(fixture, 1 + dice_below(&dice, 50));
        assert_false(fixture->recovery.rebuilding);
        for (int steps = dice_below(&dice, 3); steps > 0; steps--)
            applier_step(fixture->applier);
    } while (applied(fixture) < 600);
    expect_fold(fixture);
    drawn_free(&drawn);
}

/* Runs some of the applying in a process that ends without a word. */
static void be_killed_after(struct fixture *fixture, int steps, bool inside_a_transaction)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fixture->scene.journal = NULL;
        start(fixture, 30);
        for (; steps > 0; steps--)
            applier_step(fixture->applier);
        if (inside_a_transaction) {
            struct stock *stock;
            struct failure failure;
            if (stock_open(&stock, STOCK_LIVE, fixture->scene.directory, 0, &failure) != 0 ||
                stock_begin(stock) != DB_DONE ||
                db_execute(stock_db(stock),
                           "DELETE FROM document; UPDATE progress SET applied=7") != DB_DONE)
                _exit(1);
        }
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void killed_anywhere_it_goes_on_where_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct drawn drawn = {.dice = {21}};
    scene_put_drawn(&fixture->scene, &drawn, 300);
    scene_close(&fixture->scene);
    for (int i = 0; i < 6; i++)
        be_killed_after(fixture, 1 + i % 2, i % 3 == 0);
    start(fixture, 1000);
    assert_true(fixture->recovery.applied >= 240);
    step_to_the_end(fixture);
    expect_fold(fixture);
    drawn_free(&drawn);
}

/* --- answering --- */

static struct append waiting(const char *value, int64_t offset)
{
    struct append append = append_of(STOCK_TOPIC, value);
    append.offset = offset;
    append.wants_outcome = true;
    return append;
}

#define SALE(id)                                                                        \
    "{\"type\":\"sale\",\"id\":\"" id "\",\"terminal\":\"T\",\"shop\":\"S\",\"lines\":" \
    "[{\"sku\":\"A\",\"qty\":1}]}"

static void who_waits_is_answered_when_his_document_is_applied_and_not_before(void **state)
{
    struct fixture *fixture = *state;
    put_sales(fixture, 0, 3);
    start(fixture, 1);
    struct append second = waiting(SALE("1"), 1), first = waiting(SALE("0"), 0);
    applier_await(fixture->applier, &second);
    applier_await(fixture->applier, &first);
    assert_null(fixture->delivered);

    applier_step(fixture->applier);
    assert_ptr_equal(fixture->delivered, &first);
    assert_null(first.item.next);
    assert_null(first.error);
    assert_text(buffer_text(&first.outcome),
                "\"outcome\":\"accepted\",\"stock\":[{\"shop\":\"S\",\"location\":\"main\","
                "\"sku\":\"A\",\"on_hand\":\"-1\",\"reserved\":\"0\",\"available\":\"-1\"}],"
                "\"applied\":[1]");
    applier_step(fixture->applier);
    assert_ptr_equal(fixture->delivered, &second);
    buffer_free(&first.outcome);
    buffer_free(&second.outcome);
}

static void the_stock_in_an_answer_is_that_after_the_document(void **state)
{
    static const char two_lines[] =
        "{\"type\":\"receipt\",\"id\":\"R\",\"terminal\":\"T\",\"shop\":\"S\",\"lines\":"
        "[{\"sku\":\"B\",\"qty\":5},{\"sku\":\"A\",\"qty\":2},{\"sku\":\"B\",\"qty\":4}]}";
    struct fixture *fixture = *state;
    scene_put(&fixture->scene, append_of(STOCK_TOPIC, two_lines));
    put_sales(fixture, 0, 3);
    start(fixture, 100);
    struct append append = waiting(two_lines, 0);
    applier_await(fixture->applier, &append);
    step_to_the_end(fixture);
    buffer_add_byte(&append.outcome, '\0');
    assert_non_null(strstr(append.outcome.bytes, "\"sku\":\"A\",\"on_hand\":\"2\""));
    assert_non_null(strstr(append.outcome.bytes, "\"sku\":\"B\",\"on_hand\":\"9\""));
    assert_null(strstr(append.outcome.bytes, "\"on_hand\":\"5\""));
    assert_non_null(strstr(append.outcome.bytes, "\"applied\":[4]"));
    buffer_free(&append.outcome);
}

static void a_rejected_document_is_answered_with_its_reason_and_the_stock_there_is(void **state)
{
    static const char hard[] =
        "{\"type\":\"sale\",\"id\":\"H\",\"terminal\":\"T\",\"shop\":\"S\",\"check\":\"hard\","
        "\"lines\":[{\"sku\":\"A\",\"qty\":1},{\"sku\":\"A\",\"qty\":1}]}";
    struct fixture *fixture = *state;
    put_sales(fixture, 0, 1);
    scene_put(&fixture->scene, append_of(STOCK_TOPIC, hard));
    start(fixture, 100);
    struct append append = waiting(hard, 1);
    applier_await(fixture->applier, &append);
    step_to_the_end(fixture);
    assert_text(buffer_text(&append.outcome),
                "\"outcome\":\"rejected\",\"reason\":\"INSUFFICIENT_STOCK\",\"detail\":"
                "[{\"location\":\"main\",\"sku\":\"A\",\"requested\":\"2\",\"available\":\"-1\"}],"
                "\"stock\":[{\"shop\":\"S\",\"location\":\"main\",\"sku\":\"A\",\"on_hand\":\"-1\","
                "\"reserved\":\"0\",\"available\":\"-1\"}],\"applied\":[2]");
    buffer_free(&append.outcome);
}

static void a_duplicate_whose_place_is_forgotten_is_found_by_its_id(void **state)
{
    struct fixture *fixture = *state;
    put_sales(fixture, 0, 3);
    start(fixture, 100);
    struct append again = waiting(SALE("1"), -1);
    again.duplicate = true;
    applier_await(fixture->applier, &again);
    step_to_the_end(fixture);
    assert_ptr_equal(fixture->delivered, &again);
    assert_int_equal(again.offset, 1);
    assert_false(again.reused);
    assert_non_null(again.outcome.bytes);
    buffer_free(&again.outcome);
}

static void a_seq_that_was_another_documents_is_told(void **state)
{
    struct fixture *fixture = *state;
    put_sales(fixture, 0, 1);
    start(fixture, 100);
    struct append other = waiting(SALE("7"), 0);
    other.duplicate = true;
    applier_await(fixture->applier, &other);
    step_to_the_end(fixture);
    assert_ptr_equal(fixture->delivered, &other);
    assert_true(other.reused);
    buffer_free(&other.outcome);
}

static void who_still_waits_at_the_stop_is_handed_back(void **state)
{
    struct fixture *fixture = *state;
    put_sales(fixture, 0, 1);
    start(fixture, 100);
    struct append append = waiting(SALE("0"), 0);
    applier_await(fixture->applier, &append);
    stop(fixture);
    assert_ptr_equal(fixture->delivered, &append);
    assert_string_equal(append.error, "APPLIER_FAILED");
}

/* --- what goes wrong --- */

static void when_the_stock_file_fails_it_stands_and_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct drawn drawn = {.dice = {31}};
    scene_put_drawn(&fixture->scene, &drawn, 300);
    start(fixture, 1000);
    struct append append = waiting(drawn.values[299], 299);
    applier_await(fixture->applier, &append);
    limit_files(40000);
    assert_int_not_equal(applier_step(fixture->applier), WORKER_AGAIN);
    limit_files(RLIM_INFINITY);
    assert_int_equal(health(fixture), APPLIER_FAILED);
    expect_counted(INCIDENT_APPLIER_STANDS_FAILED, 1);
    assert_int_equal(applied(fixture), 0);
    assert_ptr_equal(fixture->delivered, &append);
    assert_string_equal(append.error, "APPLIER_FAILED");
    assert_int_not_equal(applier_step(fixture->applier), WORKER_AGAIN);
    assert_int_equal(applied(fixture), 0);

    stop(fixture);
    start(fixture, 1000);
    step_to_the_end(fixture);
    assert_int_equal(health(fixture), APPLIER_OK);
    expect_fold(fixture);
    drawn_free(&drawn);
}

static void change_journal(struct fixture *fixture, const char *sql)
{
    struct db *db;
    struct failure failure;
    const char *path = scene_path(&fixture->scene, "journal/0000000000.db");
    scene_close(&fixture->scene);
    assert_int_equal(db_open(&db, path, &(struct db_options){.mode = DB_OWNER}, &failure), 0);
    assert_int_equal(db_execute(db, sql), DB_DONE);
    db_close(db);
}

static void a_damaged_batch_is_not_passed_over(void **state)
{
    struct fixture *fixture = *state;
    put_sales(fixture, 0, 3);
    change_journal(fixture, "UPDATE \"stock-0\" SET lengths=x'00' WHERE base_offset=1");
    start(fixture, 1);
    step_to_the_end(fixture);
    assert_int_equal(health(fixture), APPLIER_FAILED);
    assert_int_equal(applied(fixture), 1);
    expect_counted(INCIDENT_APPLIER_READ_FAILED, 1);
    expect_counted(INCIDENT_APPLIER_STANDS_FAILED, 1);
}

static void a_missing_batch_is_not_passed_over(void **state)
{
    struct fixture *fixture = *state;
    put_sales(fixture, 0, 3);
    change_journal(fixture, "DELETE FROM \"stock-0\" WHERE base_offset=1");
    start(fixture, 1);
    step_to_the_end(fixture);
    assert_int_equal(health(fixture), APPLIER_FAILED);
    assert_int_equal(applied(fixture), 1);
    expect_counted(INCIDENT_APPLIER_READ_FAILED, 1);
    expect_counted(INCIDENT_APPLIER_STANDS_FAILED, 1);
}

/* --- a stock file that cannot be used --- */

static void spoil_stock(struct fixture *fixture, const char *sql)
{
    struct db *db;
    struct failure failure;
    stop(fixture);
    assert_int_equal(db_open(&db, scene_path(&fixture->scene, STOCK_FILE),
                             &(struct db_options){.mode = DB_OWNER}, &failure),
                     0);
    assert_int_equal(db_execute(db, sql), DB_DONE);
    db_close(db);
}

static void expect_made_anew(struct fixture *fixture)
{
    start(fixture, 100);
    assert_true(fixture->recovery.rebuilding);
    assert_int_equal(fixture->recovery.applied, 0);
    assert_int_equal(access(scene_path(&fixture->scene, STOCK_FILE ".aside-1"), F_OK), 0);
    step_to_the_end(fixture);
    expect_fold(fixture);
}

static void a_stock_file_of_another_form_is_set_aside(void **state)
{
    struct fixture *fixture = *state;
    put_sales(fixture, 0, 3);
    start(fixture, 100);
    step_to_the_end(fixture);
    spoil_stock(fixture, "UPDATE format SET version=7");
    expect_made_anew(fixture);
    spoil_stock(fixture, "DROP TABLE format");
    start(fixture, 100);
    assert_true(fixture->recovery.rebuilding);
    assert_int_equal(access(scene_path(&fixture->scene, STOCK_FILE ".aside-2"), F_OK), 0);
}

static void a_stock_file_ahead_of_the_journal_is_set_aside(void **state)
{
    struct fixture *fixture = *state;
    put_sales(fixture, 0, 3);
    start(fixture, 100);
    step_to_the_end(fixture);
    spoil_stock(fixture, "UPDATE progress SET applied=4, accepted=4");
    expect_made_anew(fixture);
}

static void a_damaged_stock_file_is_set_aside(void **state)
{
    struct fixture *fixture = *state;
    put_sales(fixture, 0, 3);
    FILE *file = fopen(scene_path(&fixture->scene, STOCK_FILE), "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is no database\n", file);
    fclose(file);
    expect_made_anew(fixture);
    expect_counted(INCIDENT_STOCK_SET_ASIDE, 1);
    expect_counted(INCIDENT_STOCK_REBUILT, 1);
}

/* Files open already stay usable; no other can be opened. */
static void limit_descriptors(rlim_t most)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void a_passing_lack_of_descriptors_passes(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 100);
    put_sales(fixture, 0, 3);
    step_to_the_end(fixture);
    scene_roll(&fixture->scene); /* what comes next lies in a file still to be opened */
    limit_descriptors(3);
    step_to_the_end(fixture);
    assert_int_equal(health(fixture), APPLIER_WAITING);
    expect_counted(INCIDENT_APPLIER_STANDS_WAITING, 1);
    limit_descriptors(RLIM_INFINITY);
    step_to_the_end(fixture);
    assert_int_equal(health(fixture), APPLIER_OK); /* with nothing to apply, too */
    expect_counted(INCIDENT_APPLIER_RESUMED, 1);
    put_sales(fixture, 3, 5);
    step_to_the_end(fixture);
    assert_int_equal(applied(fixture), 5);
    expect_fold(fixture);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_applies_at_most_so_many_in_one_transaction),
        TEST(a_large_batch_is_applied_in_pieces),
        TEST(with_nothing_to_do_it_writes_nothing),
        TEST(it_goes_on_behind_a_roll),
        TEST(stopped_anywhere_it_goes_on_where_it_was),
        TEST(killed_anywhere_it_goes_on_where_it_was),
        TEST(who_waits_is_answered_when_his_document_is_applied_and_not_before),
        TEST(the_stock_in_an_answer_is_that_after_the_document),
        TEST(a_rejected_document_is_answered_with_its_reason_and_the_stock_there_is),
        TEST(a_duplicate_whose_place_is_forgotten_is_found_by_its_id),
        TEST(a_seq_that_was_another_documents_is_told),
        TEST(who_still_waits_at_the_stop_is_handed_back),
        TEST(when_the_stock_file_fails_it_stands_and_says_so),
        TEST(a_passing_lack_of_descriptors_passes),
        TEST(a_damaged_batch_is_not_passed_over),
        TEST(a_missing_batch_is_not_passed_over),
        TEST(a_stock_file_of_another_form_is_set_aside),
        TEST(a_stock_file_ahead_of_the_journal_is_set_aside),
        TEST(a_damaged_stock_file_is_set_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
