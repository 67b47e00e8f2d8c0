/* the stock, with every call it makes failing in turn: the applier decides the same as without any
 * fault or stands and says so; a rebuild gives the right file or leaves the old one; an audit never
 * calls unsound what is sound. */
#include "stock/applier.h"
#include "stock/audit.h"
#include "stock/rebuild.h"
#include "support_fault.h"
#include "support_stock.h"

/* One document of each kind and fate. */
static const char *const documents[] = {
    "{\"type\":\"receipt\",\"id\":\"1\",\"shop\":\"S\",\"terminal\":\"T\","
    "\"lines\":[{\"sku\":\"A\",\"qty\":10},{\"sku\":\"B\",\"qty\":\"0.5\"}]}",
    "{\"type\":\"sale\",\"id\":\"2\",\"shop\":\"S\",\"terminal\":\"T\",\"lines\":[{\"sku\":\"A\","
    "\"qty\":1}]}",
    "{\"type\":\"sale\",\"id\":\"2\",\"shop\":\"S\",\"terminal\":\"T\",\"lines\":[{\"sku\":\"A\","
    "\"qty\":1}]}",
    "{\"type\":\"sale\",\"id\":\"2\",\"shop\":\"S\",\"terminal\":\"T\",\"lines\":[{\"sku\":\"A\","
    "\"qty\":7}]}",
    "{\"type\":\"sale\",\"id\":\"3\",\"shop\":\"S\",\"terminal\":\"T\",\"check\":\"hard\","
    "\"lines\":[{\"sku\":\"B\",\"qty\":1}]}",
    "{\"type\":\"adjust\",\"id\":\"4\",\"shop\":\"S\",\"terminal\":\"T\",\"reason\":\"\\u00e9\","
    "\"lines\":[{\"sku\":\"B\",\"qty\":2}]}",
    "{\"type\":\"retry\",\"id\":\"5\",\"shop\":\"S\",\"terminal\":\"T\",\"offset\":4}",
    "{\"type\":\"drop\",\"id\":\"6\",\"shop\":\"S\",\"terminal\":\"T\",\"offset\":3,\"reason\":"
    "\"r\"}",
    "{\"type\":\"sale\",\"id\":\"7\",\"terminal\":\"T\",\"lines\":[{\"sku\":\"A\",\"qty\":1}]}",
    "{\"type\":\"count\",\"id\":\"8\",\"shop\":\"S\",\"terminal\":\"T\"}",
    "7",
};

static void answered(struct append *first, void *context)
{
    (void)first;
    (void)context;
}

/* The journal of all of them; the seventh has its shop in the key. */
static void fill(struct scene *scene)
{
    scene_begin(scene);
    scene_open(scene);
    for (size_t i = 0; i < COUNT(documents); i++) {
        struct append append = append_of(STOCK_TOPIC, documents[i]);
        append.record.key = TEXT_LITERAL("\"K\\u00e9\"");
        scene_put(scene, append);
    }
    scene_close(scene);
}

static struct applier *new_applier(const struct scene *scene, struct failure *failure)
{
    struct applier_options options = {
        .directory = scene->directory, .documents = 4, .deliver = answered};
    struct applier_recovery recovery;
    struct applier *applier = NULL;
    return applier_new(&applier, &options, &recovery, failure) == 0 ? applier : NULL;
}

static int64_t apply_all(struct applier *applier)
{
    struct applier_figures figures;
    for (int i = 0; i < 10; i++)
        applier_step(applier);
    applier_figures(applier, &figures);
    return figures.applied;
}

/* Without faults the file is what a fold of the journal gives. */
static void check(const struct scene *scene, struct db *want)
{
    struct failure failure = {0};
    struct applier *applier = new_applier(scene, &failure);
    struct audit audit;
    if (!applier)
        fail_msg("no applier when all is well again: %s", failure.message);
    int64_t applied = apply_all(applier);
    applier_stop(applier);
    if (applied != (int64_t)COUNT(documents))
        fail_msg("applied up to %" PRId64 " when all is well again", applied);
    struct db *live;
    assert_int_equal(stock_open_read(&live, scene->directory, &failure), 0);
    expect_same_stock(want, live);
    db_close(live);
    assert_int_equal(audit_directory(scene->directory, NULL, NULL, &audit, &failure), 0);
    if (!audit.sound)
        fail_msg("not sound: %s", audit.fault);
}

static void forget_stock(const struct scene *scene)
{
    static const char *const names[] = {STOCK_FILE,
                                        STOCK_FILE "-wal",
                                        STOCK_FILE "-shm",
                                        STOCK_FILE ".aside-1",
                                        STOCK_FILE ".rebuild",
                                        STOCK_FILE ".damaged-wal"};
    for (size_t i = 0; i < COUNT(names); i++)
        unlink(scene_path(scene, names[i]));
}

struct world {
    struct scene scene;
    struct stock *want;
};

static void begin(struct world *world)
{
    fill(&world->scene);
    world->want = stock_temporary();
    replay_all(&world->scene, world->want);
}

static void end(struct world *world)
{
    stock_close(world->want);
    scene_end(&world->scene);
}

/* --- applying --- */

static void apply_under_fault(struct world *world)
{
    struct failure failure = {0};
    struct applier_figures figures;
    fault_begin();
    struct applier *applier = new_applier(&world->scene, &failure);
    if (applier)
        apply_all(applier);
    fault_end();
    if (!applier) {
        expect_said(&failure);
        return;
    }
    applier_figures(applier, &figures);
    if (figures.applied < (int64_t)COUNT(documents) && figures.health == APPLIER_OK)
        fail_msg("it stands at %" PRId64 " and says all is well", figures.applied);
    bool memory = fault.kind == FAULT_MEMORY || fault.kind == FAULT_SQLITE_MEMORY;
    if (memory && figures.health == APPLIER_FAILED)
        fail_msg("for want of memory it stands for ever");
    if (figures.health != APPLIER_FAILED && apply_all(applier) != (int64_t)COUNT(documents))
        fail_msg("it does not go on when all is well again");
    applier_stop(applier);
}

static void applying(void **state)
{
    struct world world;
    struct faults faults;
    (void)state;
    begin(&world);
    for (faults_start(&faults, 0); faults_next(&faults);) {
        forget_stock(&world.scene);
        apply_under_fault(&world);
        check(&world.scene, stock_db(world.want));
    }
    end(&world);
    faults_finish(&faults);
}

static void a_stock_file_that_is_set_aside(void **state)
{
    struct world world;
    struct faults faults;
    (void)state;
    begin(&world);
    for (faults_start(&faults, 0); faults_next(&faults);) {
        forget_stock(&world.scene);
        FILE *file = fopen(scene_path(&world.scene, STOCK_FILE), "w");
        fprintf(file,
                "no database, though it is long enough to be taken for one, at least by some");
        fclose(file);
        apply_under_fault(&world);
        check(&world.scene, stock_db(world.want));
    }
    end(&world);
    faults_finish(&faults);
}

/* A sound file is not set aside because something else is short for a moment. */
static void a_sound_stock_file_stays(void **state)
{
    struct world world;
    struct faults faults;
    (void)state;
    begin(&world);
    for (faults_start(&faults, 1u << FAULT_MEMORY | 1u << FAULT_SQLITE_MEMORY | 1u << FAULT_OPEN);
         faults_next(&faults);) {
        forget_stock(&world.scene);
        check(&world.scene, stock_db(world.want));
        apply_under_fault(&world);
        if (access(scene_path(&world.scene, STOCK_FILE ".aside-1"), F_OK) == 0)
            fail_msg("a sound stock file is set aside");
    }
    end(&world);
    faults_finish(&faults);
}

/* --- rebuilding, proving --- */

static void rebuilding(void **state)
{
    struct world world;
    struct faults faults;
    (void)state;
    begin(&world);
    for (faults_start(&faults, 0); faults_next(&faults);) {
        struct failure failure = {0};
        struct rebuild rebuild;
        forget_stock(&world.scene);
        check(&world.scene, stock_db(world.want));
        fault_begin();
        int result = rebuild_directory(world.scene.directory, NULL, NULL, &rebuild, &failure);
        fault_end();
        if (result != 0)
            expect_said(&failure);
        else if (rebuild.documents != (int64_t)COUNT(documents) ||
                 (!rebuild.equal && fault.kind != FAULT_READ)) /* what cannot be read is another */
            fail_msg("rebuilt: %" PRId64 " documents, %s", rebuild.documents,
                     rebuild.equal ? "equal" : "said to be another");
        check(&world.scene, stock_db(world.want));
        if (access(scene_path(&world.scene, STOCK_FILE ".aside-1"), F_OK) == 0)
            fail_msg("a rebuild left a file that was set aside");
    }
    end(&world);
    faults_finish(&faults);
}

static void proving(void **state)
{
    struct world world;
    struct faults faults;
    (void)state;
    begin(&world);
    check(&world.scene, stock_db(world.want));
    for (faults_start(&faults, 0); faults_next(&faults);) {
        struct failure failure = {0};
        struct audit audit;
        fault_begin();
        int result = audit_directory(world.scene.directory, NULL, NULL, &audit, &failure);
        fault_end();
        if (result != 0)
            expect_said(&failure);
        else if (!audit.sound && fault.kind != FAULT_READ)
            fail_msg("what is sound is called: %s", audit.fault);
        else if (audit.sound && audit.documents != (int64_t)COUNT(documents))
            fail_msg("sound, with %" PRId64 " documents", audit.documents);
    }
    end(&world);
    faults_finish(&faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(applying),
        FAULT_TEST(a_stock_file_that_is_set_aside),
        FAULT_TEST(a_sound_stock_file_stays),
        FAULT_TEST(rebuilding),
        FAULT_TEST(proving),
    };
    fault_set_up();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
