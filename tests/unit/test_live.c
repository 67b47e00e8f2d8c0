/* live: a stock file that is not to be believed is set aside and made anew, at start and while it
 * is worked on, and who waits is answered. */
#include <errno.h>

#include "base/disk.h"
#include "stock/applier.h"
#include "stock/live.h"
#include "support_stock.h"

struct fixture {
    struct scene scene;
    struct applier *applier;
    int64_t cache_bytes;
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
                                      .cache_bytes = fixture->cache_bytes,
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
    disk_use(NULL);
    stop(fixture);
    scene_end(&fixture->scene);
    free(fixture);
    return 0;
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

/* The live file equals a fold of the whole journal. */
static void expect_fold(struct fixture *fixture)
{
    struct stock *again = stock_temporary();
    struct db *live;
    struct failure failure;
    assert_int_equal(stock_open_read(&live, fixture->scene.directory, &failure), 0);
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

static void a_stock_file_that_contradicts_itself_is_set_aside_and_not_believed(void **state)
{
    struct fixture *fixture = *state;
    struct text topic = TEXT_LITERAL(STOCK_TOPIC);
    put_sales(fixture, 0, 3);
    start(fixture, 100);
    step_to_the_end(fixture);
    stop(fixture);
    assert_int_equal(live_given_out(fixture->scene.directory, topic, 0), 3);
    assert_int_equal(live_given_out(fixture->scene.directory, topic, 1), 0);
    spoil_stock(fixture, "UPDATE progress SET applied=900, accepted=900");
    assert_int_equal(live_given_out(fixture->scene.directory, topic, 0), 3);
    spoil_stock(fixture, "UPDATE progress SET applied=2, accepted=2");
    assert_int_equal(live_given_out(fixture->scene.directory, topic, 0), 0);
    expect_made_anew(fixture);
    spoil_stock(fixture, "DELETE FROM document WHERE offset=2");
    start(fixture, 100);
    assert_true(fixture->recovery.rebuilding);
}

static void what_a_power_cut_left_of_setting_aside_is_finished(void **state)
{
    struct fixture *fixture = *state;
    put_sales(fixture, 0, 3);
    for (int i = 0; i < 2; i++) {
        FILE *file =
            fopen(scene_path(&fixture->scene, i ? STOCK_FILE "-wal" : STOCK_FILE ".aside-1"), "w");
        fputs("of the file set aside", file);
        fclose(file);
    }
    start(fixture, 100);
    assert_int_equal(access(scene_path(&fixture->scene, STOCK_FILE ".aside-1-wal"), F_OK), 0);
    step_to_the_end(fixture);
    expect_fold(fixture);
}

/* All of it but what is read to open it, under the applier that works on it. */
static void damage_running_stock(struct fixture *fixture)
{
    char noise[4096];
    stop(fixture);
    fixture->cache_bytes = 16384;
    start(fixture, 100);
    memset(noise, 0xa5, sizeof noise);
    FILE *file = fopen(scene_path(&fixture->scene, STOCK_FILE), "r+");
    fseek(file, 0, SEEK_END);
    long pages = ftell(file) / 4096;
    fseek(file, 4096, SEEK_SET);
    for (long page = 1; page < pages; page++)
        fwrite(noise, 1, sizeof noise, file);
    fclose(file);
}

static int do_not_rename(void *context, const char *from, const char *to)
{
    (void)context;
    (void)from;
    (void)to;
    errno = EMFILE;
    return -1;
}

static void damaged_while_it_runs_it_is_made_anew_when_that_can_be_done(void **state)
{
    struct fixture *fixture = *state;
    struct disk disk = disk_system;
    put_sales(fixture, 0, 2000);
    start(fixture, 100);
    step_to_the_end(fixture);
    damage_running_stock(fixture);
    put_sales(fixture, 2000, 2010);
    disk.rename = do_not_rename;
    disk_use(&disk);
    for (int i = 0; i < 3; i++)
        assert_int_equal(applier_step(fixture->applier), WORKER_LATER);
    disk_use(NULL);
    assert_int_equal(health(fixture), APPLIER_WAITING);
    expect_counted(INCIDENT_APPLIER_STANDS_WAITING, 1);
    expect_counted(INCIDENT_BATCH_DAMAGED, 0);
    step_to_the_end(fixture);
    assert_int_equal(health(fixture), APPLIER_OK);
    expect_counted(INCIDENT_STOCK_SET_ASIDE, 1);
    expect_fold(fixture);
}

static void who_asks_a_damaged_stock_file_is_answered(void **state)
{
    struct fixture *fixture = *state;
    put_sales(fixture, 0, 2000);
    start(fixture, 100);
    step_to_the_end(fixture);
    damage_running_stock(fixture);
    struct append again = waiting(SALE("5"), 5);
    again.duplicate = true;
    applier_await(fixture->applier, &again);
    assert_int_equal(applier_step(fixture->applier), WORKER_AGAIN);
    assert_ptr_equal(fixture->delivered, &again);
    assert_string_equal(again.error, "APPLIER_BEHIND");
    step_to_the_end(fixture);
    expect_counted(INCIDENT_STOCK_SET_ASIDE, 1);
    expect_fold(fixture);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_stock_file_that_contradicts_itself_is_set_aside_and_not_believed),
        TEST(what_a_power_cut_left_of_setting_aside_is_finished),
        TEST(damaged_while_it_runs_it_is_made_anew_when_that_can_be_done),
        TEST(who_asks_a_damaged_stock_file_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
