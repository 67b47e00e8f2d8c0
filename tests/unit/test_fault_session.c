/* a session with a whole daemon behind it, with every call failing in turn: each request is
 * answered once and in its turn or the connection ends; what was acknowledged is journaled, once;
 * what is said of the stock is true; and when all is well again, so is the daemon. */
#include "base/json.h"
#include "stock/audit.h"
#include "support_engine.h"
#include "support_fault.h"

/* --- what is asked, each with its place as its tag --- */

#define DOCUMENT(type, id, seq, more, sku, quantity)                                      \
    "\"doc\":{\"type\":\"" type "\",\"id\":\"" id "\",\"shop\":\"S\",\"terminal\":\"T\"," \
    "\"seq\":" seq more ",\"lines\":[{\"sku\":\"" sku "\",\"qty\":" quantity "}]}}\n"
#define PUT_TAGGED(tag, ack, document) \
    "{\"op\":\"put\",\"tag\":" tag ",\"ack\":\"" ack "\"," document

enum place {
    AT_HELLO,
    AT_RECEIPT,
    AT_SALE,
    AT_UNANSWERED, /* no line where it is taken */
    AT_REJECTED,
    AT_PRODUCE,
    AT_COMMIT,
    AT_STOCK,
    AT_FETCH,
    AT_COMMITTED,
    AT_MOVEMENTS,
    AT_DEAD,
    AT_STATUS,
    AT_SALE_AGAIN,
    AT_ROLL,
    AT_AFTER_ROLL,
    PLACES
};

static const struct {
    const char *line;
    const char *id; /* of the document it carries */
} asked[PLACES] = {
    {"{\"op\":\"hello\",\"tag\":0,\"terminal\":\"T\",\"shop\":\"S\"}\n", NULL},
    {PUT_TAGGED("1", "journal", DOCUMENT("receipt", "a", "0", "", "A", "10")), "a"},
    {PUT_TAGGED("2", "applied", DOCUMENT("sale", "b", "1", "", "A", "1")), "b"},
    {PUT_TAGGED("3", "none", DOCUMENT("sale", "c", "2", "", "A", "2")), "c"},
    {PUT_TAGGED("4", "applied", DOCUMENT("sale", "d", "3", ",\"check\":\"hard\"", "B", "5")), "d"},
    {"{\"op\":\"produce\",\"tag\":5,\"topic\":\"t\",\"key\":\"k\",\"value\":7}\n", NULL},
    {"{\"op\":\"commit\",\"tag\":6,\"group\":\"g\",\"topic\":\"t\",\"partition\":0,\"offset\":1}\n",
     NULL},
    {"{\"op\":\"stock\",\"tag\":7,\"skus\":[\"A\",\"B\"]}\n", NULL},
    {"{\"op\":\"fetch\",\"tag\":8,\"topic\":\"stock\",\"partition\":0,\"offset\":0}\n", NULL},
    {"{\"op\":\"committed\",\"tag\":9,\"group\":\"g\",\"topic\":\"t\",\"partition\":0}\n", NULL},
    {"{\"op\":\"movements\",\"tag\":10,\"sku\":\"A\"}\n", NULL},
    {"{\"op\":\"dead\",\"tag\":11}\n", NULL},
    {"{\"op\":\"status\",\"tag\":12}\n", NULL},
    {PUT_TAGGED("13", "journal", DOCUMENT("sale", "b", "1", "", "A", "1")), "b"},
    {"{\"op\":\"roll\",\"tag\":14}\n", NULL},
    {PUT_TAGGED("15", "journal", DOCUMENT("sale", "e", "4", "", "A", "1")), "e"},
};

/* --- what was heard --- */

struct heard {
    char *text;             /* all of it */
    struct text of[PLACES]; /* no bytes: nothing */
    bool unclear;           /* a refusal without a tag that may be of either of two */
    bool ended;             /* the connection */
};

static bool has(struct text line, const char *what)
{
    return line.bytes && memmem(line.bytes, line.length, what, strlen(what));
}

static bool is_well(const struct heard *heard, enum place place)
{
    return has(heard->of[place], "{\"ok\":true");
}

static void expect_json(struct text line)
{
    struct json json = {0};
    struct failure failure;
    if (json_parse(&json, line, &failure) != 0)
        fail_msg("%s in the reply %.*s", failure.message, (int)line.length, line.bytes);
    json_free(&json);
}

/* The place this line answers, where `due` is the next that is owed one. */
static int place_of(struct heard *heard, struct text line, int due)
{
    const char *tag = memmem(line.bytes, line.length, "\"tag\":", 6);
    if (!tag) { /* of a line that could not even be read there is none */
        if (!has(line, "\"error\":\"NO_MEMORY\"") && !has(line, "\"error\":\"LINE_TOO_LONG\""))
            fail_msg("a reply without a tag: %.*s", (int)line.length, line.bytes);
        heard->unclear = heard->unclear || due == AT_UNANSWERED;
        return due;
    }
    int place = (int)strtol(tag + 6, NULL, 10);
    bool silent = due == AT_UNANSWERED || heard->unclear;
    if (place != due && !(silent && place == due + 1))
        fail_msg("%d is due, and this comes: %.*s", due, (int)line.length, line.bytes);
    return place;
}

static void sort(struct heard *heard)
{
    int due = 0;
    for (char *at = heard->text, *end; (end = strchr(at, '\n')); at = end + 1) {
        struct text line = {at, (size_t)(end - at)};
        expect_json(line);
        if (due >= PLACES)
            fail_msg("one reply too many: %.*s", (int)line.length, line.bytes);
        int place = place_of(heard, line, due);
        heard->of[place] = line;
        due = place + 1;
    }
    if (due + heard->unclear < PLACES && !heard->ended)
        fail_msg("nothing comes after %d replies, and the connection lives", due);
}

static void expect_in(const struct heard *heard, enum place place, const char *what)
{
    if (is_well(heard, place) && !has(heard->of[place], what))
        fail_msg("%s is not in %.*s", what, (int)heard->of[place].length, heard->of[place].bytes);
}

/* What it did before, it sees. */
static void expect_truth(const struct heard *heard)
{
    expect_in(heard, AT_HELLO, "\"last_seq\":");
    expect_in(heard, AT_SALE, "\"outcome\":\"accepted\"");
    expect_in(heard, AT_REJECTED, "\"outcome\":\"rejected\"");
    for (int place = AT_RECEIPT; place <= AT_REJECTED; place++) {
        char id[16];
        snprintf(id, sizeof id, "\"id\":\"%s\"", asked[place].id);
        if (is_well(heard, (enum place)place))
            expect_in(heard, AT_FETCH, id);
    }
    if (is_well(heard, AT_SALE)) {
        expect_in(heard, AT_STOCK, "\"sku\":\"A\"");
        expect_in(heard, AT_MOVEMENTS, "\"id\":\"b\"");
        expect_in(heard, AT_SALE_AGAIN, "\"duplicate\":true");
    }
    if (is_well(heard, AT_REJECTED))
        expect_in(heard, AT_DEAD, "\"id\":\"d\"");
    if (is_well(heard, AT_COMMIT))
        expect_in(heard, AT_COMMITTED, "\"offset\":1");
    if (is_well(heard, AT_REJECTED) &&
        fault.kind != FAULT_READ) { /* what cannot be read: damaged */
        expect_in(heard, AT_STATUS, "\"rejected\":1");
        expect_in(heard, AT_STATUS, "\"dead\":1");
    }
}

/* --- what is journaled --- */

static int times_in(const struct buffer *values, const char *id)
{
    char what[16];
    int times = 0;
    snprintf(what, sizeof what, "\"id\":\"%s\"", id);
    for (const char *at = values->bytes; (at = strstr(at, what)); at++)
        times++;
    return times;
}

/* Acknowledged, or said to be journaled, or taken in silence. */
static bool is_promised(const struct heard *heard, int place)
{
    if (is_well(heard, (enum place)place) || has(heard->of[place], "\"message\":\"journaled"))
        return true;
    return place == AT_UNANSWERED && !heard->of[place].bytes && !heard->ended && !heard->unclear;
}

static void expect_journaled(const struct scene *scene, const struct heard *heard)
{
    struct buffer values = {0};
    struct journal_reader *reader = scene_reader(scene);
    read_values(reader, STOCK_TOPIC, 0, &values);
    journal_reader_close(reader);
    buffer_add_byte(&values, '\0');
    for (int place = 0; place < PLACES; place++) {
        if (!asked[place].id)
            continue;
        int times = times_in(&values, asked[place].id);
        if (times > 1 || (times == 0 && is_promised(heard, place)))
            fail_msg("%s is journaled %d times, its reply is %.*s", asked[place].id, times,
                     (int)heard->of[place].length, heard->of[place].bytes);
    }
    buffer_free(&values);
    if (is_well(heard, AT_PRODUCE))
        expect_values(scene, "t", "7");
}

static void nobody_waits(struct append *first, void *context)
{
    (void)context;
    assert_null(first);
}

static void expect_sound(const struct scene *scene)
{
    struct applier_options options = {
        .directory = scene->directory, .documents = 100, .deliver = nobody_waits};
    struct applier_recovery recovery;
    struct applier *applier;
    struct failure failure;
    struct audit audit;
    if (applier_new(&applier, &options, &recovery, &failure) != 0)
        fail_msg("no applier when all is well again: %s", failure.message);
    applier_step(applier);
    applier_stop(applier);
    assert_int_equal(audit_directory(scene->directory, NULL, NULL, &audit, &failure), 0);
    if (!audit.sound)
        fail_msg("not sound: %s", audit.fault);
}

/* --- one session --- */

static void say_one_by_one(struct house *house)
{
    for (int place = 0; place < PLACES && !session_is_over(house->tills[0].session); place++) {
        say(house, asked[place].line);
        move_everything(house);
    }
}

static void say_in_one_go(struct house *house)
{
    struct buffer all = {0};
    bool armed = fault.armed;
    fault.armed = false; /* this is the test's own memory */
    for (int place = 0; place < PLACES; place++)
        buffer_add_string(&all, asked[place].line);
    buffer_add_byte(&all, '\0');
    fault.armed = armed;
    say(house, all.bytes);
    for (int i = 0; i < PLACES; i++)
        move_everything(house);
    buffer_free(&all);
}

static void hear_all(struct house *house, struct heard *heard)
{
    struct session *session = house->tills[0].session;
    for (int i = 0; i < PLACES; i++)
        move_everything(house);
    *heard = (struct heard){.ended = session_is_over(session)};
    heard->text = strndup(session_output(session)->length > 0 ? session_output(session)->bytes : "",
                          session_output(session)->length);
    assert_non_null(heard->text);
    if (session_is_owed(session))
        fail_msg("it is owed replies for ever, after: %s", heard->text);
    sort(heard);
}

/* Somebody else, afterwards: all is well, or the status says why not. */
static void expect_well_again(struct house *house)
{
    const char *message;
    house_connect(house, 1);
    say_as(house, 1, PUT_TAGGED("16", "journal", DOCUMENT("sale", "f", "5", "", "A", "1")));
    move_everything(house);
    bool memory = fault.kind == FAULT_MEMORY || fault.kind == FAULT_SQLITE_MEMORY;
    bool failed = journal_health(house->scene.journal, &message) == JOURNAL_IS_FAILED;
    if (failed && memory && !fault.lasting)
        fail_msg("for want of memory, once, nothing is written any more: %s", message);
    struct text reply = buffer_text(session_output(house->tills[1].session));
    if (!failed && !has(reply, "\"ok\":true"))
        fail_msg("refused when all is well again: %.*s", (int)reply.length, reply.bytes);
}

static void go_through_a_session(void (*say_all)(struct house *house))
{
    struct faults faults;
    faults_start(&faults, 0);
    faults.coarse = 5; /* a session makes thousands of calls */
    while (faults_next(&faults)) {
        struct heard heard;
        void *opened;
        house_open(&opened);
        struct house *house = opened;
        fault_begin();
        say_all(house);
        fault_end();
        hear_all(house, &heard);
        expect_truth(&heard);
        expect_well_again(house);
        house_stop(house);
        scene_reopen(&house->scene);
        expect_journaled(&house->scene, &heard);
        expect_sound(&house->scene);
        scene_end(&house->scene);
        free(house);
        free(heard.text);
    }
    faults_finish(&faults);
}

static void one_by_one(void **state)
{
    (void)state;
    go_through_a_session(say_one_by_one);
}

static void in_one_go(void **state)
{
    (void)state;
    go_through_a_session(say_in_one_go);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(one_by_one),
        FAULT_TEST(in_one_go),
    };
    fault_set_up();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
