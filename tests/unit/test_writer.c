/* writer: one commit for all that waits, within its limits, and every append answered once, in the
 * order it came; by hand, then with its thread and several who submit. */
#include <pthread.h>
#include <semaphore.h>

#include "journal/writer.h"
#include "support.h"

#define SUBMITTERS 3
#define APPENDS 400

struct fixture {
    struct scene scene;
    struct writer *writer;
    struct append appends[SUBMITTERS][APPENDS];
    char producers[SUBMITTERS][16];
    int answered;
    int deliveries;
    int next[SUBMITTERS]; /* expected next of each */
    bool in_order;
    sem_t all;
};

static void deliver(struct append *first, void *context)
{
    struct fixture *fixture = context;
    fixture->deliveries += first != NULL;
    for (const struct queue_item *item = first ? &first->item : NULL; item; item = item->next) {
        const struct append *append = (const struct append *)item;
        for (int i = 0; i < SUBMITTERS; i++)
            if (append >= fixture->appends[i] && append < fixture->appends[i] + APPENDS)
                fixture->in_order =
                    fixture->in_order && append == &fixture->appends[i][fixture->next[i]++];
        if (++fixture->answered == SUBMITTERS * APPENDS)
            sem_post(&fixture->all);
    }
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    quiet_log();
    scene_begin(&fixture->scene);
    scene_open(&fixture->scene);
    struct writer_options options = {fixture->scene.journal, 100, deliver, fixture};
    fixture->writer = writer_new(&options);
    fixture->in_order = true;
    sem_init(&fixture->all, 0, 0);
    for (int i = 0; i < SUBMITTERS; i++)
        snprintf(fixture->producers[i], sizeof fixture->producers[i], "T%d", i);
    for (int i = 0; i < SUBMITTERS; i++)
        for (int j = 0; j < APPENDS; j++)
            fixture->appends[i][j] = append_sent(fixture->producers[i], j, "{}");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    writer_stop(fixture->writer);
    scene_end(&fixture->scene);
    sem_destroy(&fixture->all);
    free(fixture);
    return 0;
}

static struct writer_figures figures_of(const struct fixture *fixture)
{
    struct writer_figures figures;
    writer_figures(fixture->writer, &figures);
    return figures;
}

/* A chain of `count` appends of the first submitter, from number `from`. */
static void submit(struct fixture *fixture, int from, int count)
{
    for (int i = from; i < from + count; i++)
        fixture->appends[0][i].item.next =
            i + 1 < from + count ? &fixture->appends[0][i + 1].item : NULL;
    writer_submit(fixture->writer, &fixture->appends[0][from]);
}

static void all_that_waits_is_one_commit(void **state)
{
    struct fixture *fixture = *state;
    submit(fixture, 0, 3);
    submit(fixture, 3, 1);
    assert_int_equal(fixture->answered, 0);
    assert_int_equal(writer_step(fixture->writer), WORKER_SLEEP);
    assert_int_equal(fixture->answered, 4);
    assert_int_equal(fixture->deliveries, 1);
    assert_int_equal(figures_of(fixture).commits, 1);
    assert_int_equal(figures_of(fixture).records, 4);
    expect_values(&fixture->scene, STOCK_TOPIC, "{} {} {} {}");
}

static void a_commit_has_at_most_so_many_records(void **state)
{
    struct fixture *fixture = *state;
    submit(fixture, 0, 250);
    assert_int_equal(writer_step(fixture->writer), WORKER_AGAIN);
    assert_int_equal(fixture->answered, 100);
    writer_set_limits(fixture->writer, 120, 1 << 20);
    assert_int_equal(writer_step(fixture->writer), WORKER_AGAIN);
    assert_int_equal(fixture->answered, 220);
    submit(fixture, 250, 10); /* waits behind */
    while (writer_step(fixture->writer) == WORKER_AGAIN)
        ;
    assert_int_equal(fixture->answered, 260);
    assert_true(fixture->in_order);
}

static void a_commit_has_at_most_so_many_bytes(void **state)
{
    struct fixture *fixture = *state;
    enum { VALUE_BYTES = 3 << 20 };
    char *value = malloc(VALUE_BYTES + 1);
    memset(value, '1', VALUE_BYTES);
    value[VALUE_BYTES] = '\0';
    for (int i = 0; i < 5; i++)
        fixture->appends[0][i].record.value = text_of(value);
    submit(fixture, 0, 5);
    writer_step(fixture->writer);
    assert_int_equal(fixture->answered, 2);
    while (writer_step(fixture->writer) == WORKER_AGAIN)
        ;
    assert_int_equal(fixture->answered, 5);
    assert_int_equal(figures_of(fixture).commits, 3);
    free(value);
}

static void what_writes_nothing_is_no_commit(void **state)
{
    struct fixture *fixture = *state;
    submit(fixture, 0, 1);
    writer_step(fixture->writer);
    fixture->appends[0][1].record.seq = 0; /* the same again */
    fixture->appends[0][2].topic = text_of("..");
    fixture->appends[0][2].record.seq = -1;
    submit(fixture, 1, 2);
    writer_step(fixture->writer);
    assert_int_equal(fixture->answered, 3);
    assert_true(fixture->appends[0][1].duplicate);
    assert_non_null(fixture->appends[0][2].error);
    assert_int_equal(figures_of(fixture).commits, 1);
    assert_int_equal(figures_of(fixture).records, 1);
}

static void the_active_segment_is_known(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(figures_of(fixture).active_segment, 0);
    fixture->appends[0][0] = (struct append){.kind = APPEND_ROLL};
    submit(fixture, 0, 1);
    while (writer_step(fixture->writer) == WORKER_AGAIN)
        ;
    assert_int_equal(figures_of(fixture).active_segment, 1);
    assert_int_equal(fixture->appends[0][0].offset, 1);
    assert_int_equal(figures_of(fixture).health, JOURNAL_OK);
    assert_null(figures_of(fixture).message);
}

/* --- with its thread --- */

struct submitter {
    struct fixture *fixture;
    int number;
    pthread_t thread;
};

static void *submit_all(void *context)
{
    const struct submitter *submitter = context;
    for (int i = 0; i < APPENDS; i++) {
        struct append *append = &submitter->fixture->appends[submitter->number][i];
        append->item.next = NULL;
        writer_submit(submitter->fixture->writer, append);
    }
    return NULL;
}

static void start_all(struct fixture *fixture, struct submitter submitters[SUBMITTERS])
{
    struct failure failure;
    assert_int_equal(writer_start(fixture->writer, &clock_system, &failure), 0);
    for (int i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (struct submitter){.fixture = fixture, .number = i};
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_all, &submitters[i]),
                         0);
    }
}

static void expect_all_answered(struct fixture *fixture)
{
    assert_int_equal(fixture->answered, SUBMITTERS * APPENDS);
    assert_true(fixture->in_order);
    assert_int_equal(journal_end(fixture->scene.journal, TEXT_LITERAL(STOCK_TOPIC), 0),
                     SUBMITTERS * APPENDS);
    for (int i = 0; i < SUBMITTERS; i++)
        for (int j = 1; j < APPENDS; j++) {
            assert_null(fixture->appends[i][j].error);
            assert_true(fixture->appends[i][j - 1].offset < fixture->appends[i][j].offset);
        }
}

static void what_several_threads_submit_is_answered_once_in_their_order(void **state)
{
    struct fixture *fixture = *state;
    struct submitter submitters[SUBMITTERS];
    start_all(fixture, submitters);
    sem_wait(&fixture->all);
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i].thread, NULL);
    assert_int_equal(figures_of(fixture).health, JOURNAL_OK); /* from this thread too */
    writer_stop(fixture->writer);
    fixture->writer = NULL;
    expect_all_answered(fixture);
}

static void stopping_answers_all_that_was_submitted(void **state)
{
    struct fixture *fixture = *state;
    struct submitter submitters[SUBMITTERS];
    start_all(fixture, submitters);
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i].thread, NULL);
    writer_stop(fixture->writer);
    fixture->writer = NULL;
    expect_all_answered(fixture);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(all_that_waits_is_one_commit),
        TEST(a_commit_has_at_most_so_many_records),
        TEST(a_commit_has_at_most_so_many_bytes),
        TEST(what_writes_nothing_is_no_commit),
        TEST(the_active_segment_is_known),
        TEST(what_several_threads_submit_is_answered_once_in_their_order),
        TEST(stopping_answers_all_that_was_submitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
