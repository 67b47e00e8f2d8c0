/* engine: each operation from line to line, and long conversations of several tills in which the
 * dice say who does the next step. */
#include <sys/stat.h>

#include "base/json.h"
#include "support_engine.h"

/* Says it, lets everything happen, and hears. */
static void ask(struct house *house, const char *lines, const char *want)
{
    say(house, lines);
    move_everything(house);
    hear(house, want);
}

/* --- hello and who one is --- */

#define HELLO(rest)                                   \
    "{\"ok\":true,\"server\":\"tillqd " TILLQ_VERSION \
    "\",\"protocol\":1,\"terminal\":\"T01\"" rest "}\n"
#define SHORT_PUT(members)                                            \
    "{\"op\":\"put\",\"doc\":{\"type\":\"sale\",\"id\":\"1\"" members \
    ",\"lines\":[{\"sku\":\"A\",\"qty\":1}]}}\n"

static void hello_says_what_is_journaled_of_the_terminal(void **state)
{
    ask(*state, "{\"op\":\"hello\",\"terminal\":\"T01\"}\n",
        HELLO(",\"shop\":\"0001\",\"last_seq\":-1"));
    ask(*state, SHORT_PUT(",\"seq\":7"),
        "{\"ok\":true,\"seq\":7,\"topic\":\"stock\",\"partition\":0,\"offset\":0}\n");
    ask(*state, "{\"op\":\"hello\",\"terminal\":\"T01\",\"shop\":\"S\",\"tag\":\"t\"}\n",
        "{\"ok\":true,\"tag\":\"t\",\"server\":\"tillqd " TILLQ_VERSION
        "\",\"protocol\":1,\"terminal\":\"T01\",\"shop\":\"S\",\"last_seq\":7}\n");
}

static void what_hello_said_is_written_into_the_document(void **state)
{
    struct house *house = *state;
    ask(house, "{\"op\":\"hello\",\"terminal\":\"T01\",\"shop\":\"S\\\"1\"}\n",
        HELLO(",\"shop\":\"S\\\"1\",\"last_seq\":-1"));
    ask(house, SHORT_PUT(""), TAKEN("0"));
    ask(house, SHORT_PUT(",\"shop\":\"S2\""), TAKEN("1"));
    expect_values(&house->scene, STOCK_TOPIC,
                  "{\"shop\":\"S\\\"1\",\"terminal\":\"T01\",\"type\":\"sale\",\"id\":\"1\","
                  "\"lines\":[{\"sku\":\"A\",\"qty\":1}]} "
                  "{\"terminal\":\"T01\",\"type\":\"sale\",\"id\":\"1\",\"shop\":\"S2\","
                  "\"lines\":[{\"sku\":\"A\",\"qty\":1}]}");
}

static void without_hello_a_document_names_its_terminal(void **state)
{
    struct house *house = *state;
    snprintf(house->config.shop, sizeof house->config.shop, "house");
    ask(house, SHORT_PUT(""),
        "{\"ok\":false,\"error\":\"BAD_DOCUMENT\",\"message\":\"terminal: is missing, and no hello "
        "named it\",\"path\":\"terminal\"}\n");
    ask(house, SHORT_PUT(",\"terminal\":\"T\""), TAKEN("0"));
    expect_values(&house->scene, STOCK_TOPIC,
                  "{\"shop\":\"house\",\"type\":\"sale\",\"id\":\"1\",\"terminal\":\"T\","
                  "\"lines\":[{\"sku\":\"A\",\"qty\":1}]}");
}

static void nobody_speaks_for_another_terminal_but_the_management(void **state)
{
    struct house *house = *state;
    snprintf(house->config.management, sizeof house->config.management, "M1 T011 M2");
    ask(house, "{\"op\":\"hello\",\"terminal\":\"T01\"}\n",
        HELLO(",\"shop\":\"0001\",\"last_seq\":-1"));
    ask(house, SHORT_PUT(",\"terminal\":\"T02\",\"seq\":3"),
        "{\"ok\":false,\"error\":\"TERMINAL_MISMATCH\",\"message\":\"terminal: this connection "
        "said "
        "hello as another one\",\"path\":\"terminal\",\"seq\":3}\n");
    say(house, "{\"op\":\"hello\",\"terminal\":\"M2\"}\n");
    move_everything(house);
    buffer_clear(session_output(house->tills[0].session));
    ask(house, SHORT_PUT(",\"terminal\":\"T02\""), TAKEN("0"));
}

/* --- what is sent again --- */

static void a_seq_sent_again_is_answered_with_its_first_place(void **state)
{
    static const char put[] = SHORT_PUT(",\"terminal\":\"T\",\"shop\":\"S\",\"seq\":5");
    ask(*state, put, "{\"ok\":true,\"seq\":5,\"topic\":\"stock\",\"partition\":0,\"offset\":0}\n");
    ask(*state, put,
        "{\"ok\":true,\"seq\":5,\"topic\":\"stock\",\"partition\":0,\"offset\":0,"
        "\"duplicate\":true}\n");
    ask(*state,
        "{\"op\":\"put\",\"doc\":{\"type\":\"sale\",\"id\":\"other\",\"shop\":\"S\","
        "\"terminal\":\"T\",\"seq\":5,\"lines\":[{\"sku\":\"A\",\"qty\":1}]}}\n",
        "{\"ok\":true,\"seq\":5,\"topic\":\"stock\",\"partition\":0,\"offset\":0,"
        "\"duplicate\":true,\"warning\":\"SEQ_REUSED\"}\n");
}

static void an_id_sent_again_is_answered_with_its_outcome(void **state)
{
    ask(*state, PUT_ACK("1", "applied"), APPLIED("0", "-1", "1"));
    ask(*state, PUT_ACK("1", "applied"),
        "{\"ok\":true,\"topic\":\"stock\",\"partition\":0,\"offset\":1,\"outcome\":"
        "\"duplicate\"," ROW_OF_A("-1") ",\"applied\":[2]}\n");
}

/* --- the other operations --- */

static void a_topic_is_produced_to_and_fetched_from(void **state)
{
    ask(*state,
        "{\"op\":\"produce\",\"topic\":\"t\",\"key\":\"k\",\"value\":{\"a\":[1.50]},"
        "\"headers\":{\"h\":\"v\"}}\n",
        "{\"ok\":true,\"topic\":\"t\",\"partition\":0,\"offset\":0}\n");
    ask(*state, "{\"op\":\"produce\",\"topic\":\"t\",\"value\":null,\"tag\":1}\n",
        "{\"ok\":true,\"tag\":1,\"topic\":\"t\",\"partition\":0,\"offset\":1}\n");
    ask(*state, "{\"op\":\"fetch\",\"topic\":\"t\",\"offset\":0}\n",
        "{\"ok\":true,\"records\":[{\"offset\":0,\"time\":1795341303000,\"key\":\"k\",\"value\":"
        "{\"a\":[1.50]},\"headers\":{\"h\":\"v\"}},{\"offset\":1,\"time\":1795341303000,"
        "\"key\":null,\"value\":null,\"headers\":{}}],\"start\":0,\"end\":2}\n");
    ask(*state, "{\"op\":\"fetch\",\"topic\":\"t\",\"offset\":3}\n",
        "{\"ok\":false,\"error\":\"OFFSET_OUT_OF_RANGE\",\"message\":\"offset: the partition "
        "begins "
        "at 0 and the next offset written is 2\",\"path\":\"offset\",\"start\":0,\"end\":2}\n");
}

static void a_group_commits_and_is_asked(void **state)
{
    ask(*state,
        "{\"op\":\"commit\",\"group\":\"g\",\"topic\":\"stock\",\"offset\":5}\n"
        "{\"op\":\"committed\",\"group\":\"g\",\"topic\":\"stock\"}\n"
        "{\"op\":\"committed\",\"group\":\"h\",\"topic\":\"stock\"}\n",
        "{\"ok\":true,\"offset\":5}\n{\"ok\":true,\"offset\":5}\n{\"ok\":true,\"offset\":-1}\n");
    ask(*state, "{\"op\":\"commit\",\"group\":\"g\",\"topic\":\"none\",\"offset\":5}\n",
        "{\"ok\":false,\"error\":\"UNKNOWN_TOPIC\",\"message\":\"there is no such topic or "
        "partition\"}\n");
}

static void a_roll_is_answered_with_the_new_segment_and_reading_goes_on(void **state)
{
    struct house *house = *state;
    ask(house, PUT("1"), TAKEN("0"));
    ask(house, "{\"op\":\"roll\"}\n", "{\"ok\":true,\"segment\":1}\n");
    ask(house, PUT("2") STOCK_OF_A, TAKEN("1") FIGURES("-2", "2"));
    move_everything(house);
    assert_false(scene_tend(&house->scene)); /* nobody holds the old segment */
}

static void an_audit_is_answered(void **state)
{
    ask(*state, PUT("1"), TAKEN("0"));
    ask(*state, "{\"op\":\"verify\"}\n",
        "{\"ok\":true,\"sound\":true,\"segments\":1,\"batches\":1,\"records\":1,\"lost\":0,"
        "\"documents\":1,\"movements\":1,\"stock_rows\":1,\"applied\":1}\n");
}

static void a_refusal_of_the_journal_is_told(void **state)
{
    struct house *house = *state;
    const char *in_the_way = scene_path(&house->scene, "journal/0000000001.db");
    assert_int_equal(mkdir(in_the_way, 0700), 0);
    say(house, "{\"op\":\"roll\",\"tag\":7}\n" PUT("1"));
    move_everything(house);
    struct buffer *output = session_output(house->tills[0].session);
    struct json json = {0};
    const char *end = memchr(output->bytes, '\n', output->length);
    struct text first = {output->bytes, (size_t)(end - output->bytes)};
    assert_int_equal(json_parse(&json, first, NULL), 0);
    assert_int_equal(json_type(&json, json_member(&json, 0, "ok")), JSON_FALSE);
    assert_text(json_raw(&json, json_member(&json, 0, "tag")), "7");
    buffer_consume(output, first.length + 1);
    hear(house, TAKEN("0"));
    assert_int_equal(rmdir(in_the_way), 0);
    json_free(&json);
}

/* --- by dice --- */

#define ASKED_MAX 4000

/* One till's side of a long conversation. The tag of a request is its number. */
struct talk {
    struct house *house;
    struct dice dice;
    int till;
    bool silent[ASKED_MAX]; /* answered only where it is refused */
    bool bad[ASKED_MAX];    /* will be refused */
    int asked, answered;
    int64_t seq;
    int64_t journaled, applied; /* highest offset acknowledged so */
};

static void add_put(struct talk *talk, const char *ack, struct buffer *line)
{
    int64_t seq = dice_below(&talk->dice, 5) == 0 && talk->seq > 0
                      ? dice_below(&talk->dice, (int)talk->seq)
                      : talk->seq++;
    buffer_add_format(line,
                      "{\"op\":\"put\",\"tag\":%d,\"ack\":\"%s\",\"doc\":{\"type\":\"sale\",\"id\":"
                      "\"%lld\",\"seq\":%lld,\"shop\":\"S\",\"terminal\":\"T%d\",\"lines\":"
                      "[{\"sku\":\"A\",\"qty\":1}]}}\n",
                      talk->asked, ack, (long long)seq, (long long)seq, talk->till);
}

static void ask_by_dice(struct talk *talk)
{
    static const char *const others[] = {
        "\"op\":\"stock\",\"sku\":\"A\"",
        "\"op\":\"fetch\",\"topic\":\"stock\",\"offset\":0,\"max\":1",
        "\"op\":\"committed\",\"group\":\"g\",\"topic\":\"stock\"",
        "\"op\":\"commit\",\"group\":\"g\",\"topic\":\"stock\",\"offset\":1",
        "\"op\":\"produce\",\"topic\":\"t\",\"value\":1",
        "\"op\":\"status\"",
        "\"op\":\"sing\"",
        "\"op\":\"put\",\"doc\":{}",
    };
    static const char *const acks[] = {"journal", "applied", "none"};
    struct buffer line = {0};
    int ack = dice_below(&talk->dice, 3);
    if (dice_below(&talk->dice, 400) == 0) {
        buffer_add_format(&line, "{\"op\":\"roll\",\"tag\":%d}\n", talk->asked);
    } else if (dice_below(&talk->dice, 2)) {
        add_put(talk, acks[ack], &line);
        talk->silent[talk->asked] = ack == 2;
    } else {
        size_t other = (size_t)dice_below(&talk->dice, COUNT(others));
        buffer_add_format(&line, "{%s,\"tag\":%d}\n", others[other], talk->asked);
        talk->bad[talk->asked] = other >= 6;
    }
    talk->asked++;
    session_receive(talk->house->tills[talk->till].session, buffer_text(&line));
    engine_flush(talk->house->engine);
    buffer_free(&line);
}

static int64_t number(const struct json *json, uint32_t node)
{
    int64_t value = -1;
    if (node != JSON_ABSENT)
        assert_int_equal(json_int(json, node, &value), 0);
    return value;
}

/* What a reply says must be true already, and of what this till was told before. */
static void believe(struct talk *talk, const struct json *json)
{
    struct applier_figures figures;
    applier_figures(talk->house->applier, &figures);
    int64_t offset = number(json, json_member(json, 0, "offset"));
    bool of_stock = json_string_is(json, json_member(json, 0, "topic"), STOCK_TOPIC);
    uint32_t applied = json_member(json, 0, "applied");
    if (of_stock && offset >= 0) {
        assert_true(offset < journal_end(talk->house->scene.journal, TEXT_LITERAL("stock"), 0));
        talk->journaled = offset > talk->journaled ? offset : talk->journaled;
    }
    if (json_member(json, 0, "outcome") != JSON_ABSENT) {
        assert_true(offset < figures.applied);
        talk->applied = offset > talk->applied ? offset : talk->applied;
    }
    if (applied != JSON_ABSENT)
        assert_true(number(json, json_first(json, applied)) > talk->applied);
    if (json_member(json, 0, "records") != JSON_ABSENT)
        assert_true(number(json, json_member(json, 0, "end")) > talk->journaled);
}

static void hear_one(struct talk *talk, struct text line)
{
    struct json json = {0};
    assert_int_equal(json_parse(&json, line, NULL), 0);
    bool ok = json_type(&json, json_member(&json, 0, "ok")) == JSON_TRUE;
    int64_t tag = number(&json, json_member(&json, 0, "tag"));
    while (talk->answered < talk->asked && talk->silent[talk->answered])
        talk->answered++;
    if (tag != talk->answered || ok == talk->bad[tag])
        fail_msg("till %d: got %.*s, want an answer to %d", talk->till, (int)line.length,
                 line.bytes, talk->answered);
    talk->answered++;
    believe(talk, &json);
    json_free(&json);
}

/* As a connection does when the socket has taken all. */
static void hear_all(struct talk *talk)
{
    struct session *session = talk->house->tills[talk->till].session;
    struct buffer *output = session_output(session);
    const char *end;
    while (output->length > 0) {
        end = memchr(output->bytes, '\n', output->length);
        assert_non_null(end);
        hear_one(talk, (struct text){output->bytes, (size_t)(end - output->bytes)});
        buffer_consume(output, (size_t)(end - output->bytes) + 1);
    }
    session_resume(session);
    engine_flush(talk->house->engine);
}

static void step_by_dice(struct house *house, struct dice *dice, struct talk *talks)
{
    struct talk *talk = &talks[dice_below(dice, TILLS)];
    switch (dice_below(dice, 6)) {
    case 0:
        write_once(house);
        break;
    case 1:
        apply_once(house);
        break;
    case 2:
        read_once(house);
        break;
    case 3:
        collect(house);
        break;
    case 4:
        hear_all(talk);
        break;
    default:
        for (int lines = dice_below(dice, 4); lines >= 0; lines--)
            if (session_wants_input(house->tills[talk->till].session) && talk->asked < ASKED_MAX)
                ask_by_dice(talk);
    }
}

static void whoever_does_the_next_step_replies_keep_their_order_and_their_word(void **state)
{
    struct house *house = *state;
    struct dice dice = {2026};
    struct talk *talks = calloc(TILLS, sizeof *talks);
    house->config.max_in_flight = 6;
    house->config.max_reply_bytes = 1500;
    house->config.max_pending_bytes = 4000;
    for (int i = 0; i < TILLS; i++) {
        if (i > 0)
            house_connect(house, i);
        talks[i] = (struct talk){
            .house = house, .dice = {(uint64_t)i}, .till = i, .journaled = -1, .applied = -1};
    }
    for (int step = 0; step < 12000; step++)
        step_by_dice(house, &dice, talks);
    for (int round = 0; round < 100; round++) {
        move_everything(house);
        for (int i = 0; i < TILLS; i++)
            hear_all(&talks[i]);
    }
    assert_true(engine_is_idle(house->engine));
    for (int i = 0; i < TILLS; i++) {
        while (talks[i].answered < talks[i].asked && talks[i].silent[talks[i].answered])
            talks[i].answered++;
        assert_int_equal(talks[i].answered, talks[i].asked);
        assert_true(talks[i].asked > 500);
    }
    /* Each seq once, each sale one piece less. */
    int64_t sales = talks[0].seq + talks[1].seq + talks[2].seq;
    assert_int_equal(journal_end(house->scene.journal, TEXT_LITERAL(STOCK_TOPIC), 0), sales);
    free(talks);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, house_open, house_close)
    const struct CMUnitTest tests[] = {
        TEST(hello_says_what_is_journaled_of_the_terminal),
        TEST(what_hello_said_is_written_into_the_document),
        TEST(without_hello_a_document_names_its_terminal),
        TEST(nobody_speaks_for_another_terminal_but_the_management),
        TEST(a_seq_sent_again_is_answered_with_its_first_place),
        TEST(an_id_sent_again_is_answered_with_its_outcome),
        TEST(a_topic_is_produced_to_and_fetched_from),
        TEST(a_group_commits_and_is_asked),
        TEST(a_roll_is_answered_with_the_new_segment_and_reading_goes_on),
        TEST(an_audit_is_answered),
        TEST(a_refusal_of_the_journal_is_told),
        TEST(whoever_does_the_next_step_replies_keep_their_order_and_their_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
