/* each question, with every call failing in turn: the answer is the one that is given without any
 * fault, or an error that says why; never one that is shorter than the truth. */
#include "net/query.h"
#include "stock/applier.h"
#include "support_fault.h"

/* --- a directory with something of everything in it --- */

static void nobody_waits(struct append *first, void *context)
{
    (void)context;
    assert_null(first);
}

static void apply_all(const struct scene *scene)
{
    struct applier_options options = {
        .directory = scene->directory, .documents = 100, .deliver = nobody_waits};
    struct applier_recovery recovery;
    struct applier *applier;
    struct failure failure;
    assert_int_equal(applier_new(&applier, &options, &recovery, &failure), 0);
    applier_step(applier);
    applier_stop(applier);
}

static void fill(struct scene *scene)
{
    scene_begin(scene);
    scene_open(scene);
    scene_put(scene, append_sent("T", 7,
                                 "{\"type\":\"receipt\",\"id\":\"1\",\"shop\":\"S\",\"terminal\":"
                                 "\"T\",\"seq\":7,\"lines\":[{\"sku\":\"A\",\"qty\":10},"
                                 "{\"sku\":\"B\",\"qty\":\"0.5\"}]}"));
    scene_roll(scene);
    scene_tend(scene);
    for (int i = 2; i < 5; i++)
        scene_put_document(scene,
                           "{\"type\":\"sale\",\"id\":\"%d\",\"shop\":\"S\",\"terminal\":\"T\","
                           "\"check\":\"hard\",\"lines\":[{\"sku\":\"%s\",\"qty\":1}]}",
                           i, i == 2 ? "A" : "C");
    scene_put(scene, append_of("t", "\"other\""));
    scene_put(scene, append_group_offset("g", "t", 1));
    apply_all(scene);
}

/* --- asking --- */

static const char *const questions[] = {
    "{\"op\":\"hello\",\"terminal\":\"T\",\"shop\":\"S\"}",
    "{\"op\":\"stock\"}",
    "{\"op\":\"stock\",\"limit\":1}",
    "{\"op\":\"stock\",\"sku\":\"A\",\"shop\":\"S\",\"location\":\"main\"}",
    "{\"op\":\"stock\",\"skus\":[\"B\",\"none\"]}",
    "{\"op\":\"fetch\",\"topic\":\"stock\",\"partition\":0,\"offset\":0,\"max\":3}",
    "{\"op\":\"fetch\",\"topic\":\"t\",\"partition\":0,\"offset\":9}",
    "{\"op\":\"committed\",\"group\":\"g\",\"topic\":\"t\",\"partition\":0}",
    "{\"op\":\"committed\",\"group\":\"g\",\"topic\":\"not there\",\"partition\":0}",
    "{\"op\":\"status\"}",
    "{\"op\":\"movements\",\"sku\":\"A\"}",
    "{\"op\":\"movements\",\"sku\":\"A\",\"limit\":1}",
    "{\"op\":\"dead\"}",
    "{\"op\":\"dead\",\"limit\":1}",
    "{\"op\":\"dead\",\"offset\":2,\"partition\":0}",
};

/* False, and nothing said, where the query could not even be opened. */
static bool ask(const struct scene *scene, const char *question, struct buffer *reply)
{
    struct query *query = NULL;
    struct failure failure = {0};
    bool opened = query_open(&query, scene->directory, &failure) == 0;
    if (opened)
        query_answer_line(query, text_of(question), reply);
    else
        expect_said(&failure);
    query_close(opened ? query : NULL);
    return opened;
}

static bool is_error(const struct buffer *reply)
{
    static const char begin[] = "{\"ok\":false,\"error\":\"";
    return reply->failed ||
           (reply->length > sizeof begin && memcmp(reply->bytes, begin, sizeof begin - 1) == 0);
}

static void ask_under_faults(const struct scene *scene, const char *question)
{
    struct faults faults;
    struct buffer want = {0};
    assert_true(ask(scene, question, &want));
    print_message("%s: ", question);
    for (faults_start(&faults, 1u << FAULT_MEMORY | 1u << FAULT_SQLITE_MEMORY | 1u << FAULT_OPEN);
         faults_next(&faults);) {
        struct buffer reply = {0};
        fault_begin();
        bool opened = ask(scene, question, &reply);
        fault_end();
        if (opened && !is_error(&reply) && !text_equal(buffer_text(&reply), buffer_text(&want)))
            fail_msg("got %.*s, want %.*s", (int)reply.length, reply.bytes, (int)want.length,
                     want.bytes);
        buffer_free(&reply);
    }
    faults_finish(&faults);
    buffer_free(&want);
}

static void the_truth_or_an_error(void **state)
{
    struct scene scene;
    (void)state;
    fill(&scene);
    for (size_t i = 0; i < COUNT(questions); i++)
        ask_under_faults(&scene, questions[i]);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(the_truth_or_an_error),
    };
    fault_set_up();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
