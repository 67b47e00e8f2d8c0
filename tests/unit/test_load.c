/* Parts of the load generator: replies read without parsing, the timetable, requests on their way,
 * documents as lines. The command line is no library: what is tested is taken in as source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/load/answer.c"
#include "cli/load/basket.c"
#include "cli/load/csv.c"
#include "cli/load/flights.c"
#include "cli/load/input.c"
#include "cli/load/load.h"
#include "cli/load/names.c"
#include "cli/load/random.c"
#include "cli/load/workload.c"
#undef NAME_BYTES_MAX
#include "cli/load/receipts.c"
#include "cli/load/timetable.c"
#include "cli/slice.c"

static struct answer read_answer(const char *line)
{
    struct answer answer;
    assert_true(answer_read(text_of(line), &answer));
    return answer;
}

static void good_answers(void **state)
{
    (void)state;
    struct answer answer =
        read_answer("{\"ok\":true,\"topic\":\"stock\",\"partition\":0,\"offset\":17,\"seq\":4}");
    assert_true(answer.ok);
    assert_int_equal(answer.offset, 17);
    assert_int_equal(answer.seq, 4);
    assert_false(answer.duplicate);
    assert_int_equal(answer.outcome, OUTCOME_NONE);
    assert_int_equal(answer.last_seq, -2);

    answer = read_answer("{\"ok\":true,\"seq\":9223372036854775807,\"duplicate\":true,"
                         "\"outcome\":\"rejected\",\"stock\":[]}");
    assert_true(answer.duplicate);
    assert_int_equal(answer.offset, -1);
    assert_true(answer.seq == INT64_MAX);
    assert_int_equal(answer.outcome, OUTCOME_REJECTED);

    answer = read_answer("{\"ok\":true,\"server\":\"tillqd\",\"last_seq\":-1}");
    assert_int_equal(answer.last_seq, -1);
    assert_int_equal(read_answer("{\"ok\":true,\"outcome\":\"accepted\"}").outcome,
                     OUTCOME_ACCEPTED);
    assert_int_equal(read_answer("{\"ok\":true,\"outcome\":\"conflict\"}").outcome,
                     OUTCOME_CONFLICT);
    assert_int_equal(read_answer("{\"ok\":true,\"outcome\":\"duplicate\"}").outcome,
                     OUTCOME_DUPLICATE);
}

/* A sku that looks like a member of the reply. */
static void strings_are_no_members(void **state)
{
    (void)state;
    struct answer answer =
        read_answer("{\"ok\":true,\"stock\":[{\"sku\":\"\\\"duplicate\\\":true,\\\"seq\\\":9\"}],"
                    "\"outcome\":\"accepted\",\"seq\":3}");
    assert_false(answer.duplicate);
    assert_int_equal(answer.seq, 3);
}

static void errors(void **state)
{
    (void)state;
    struct answer answer = read_answer("{\"ok\":false,\"error\":\"JOURNAL_FULL\",\"message\":\"no "
                                       "room: \\\"ok\\\":true\",\"seq\":5}");
    assert_false(answer.ok);
    assert_true(text_is(answer.error, "\"JOURNAL_FULL\""));
    assert_int_equal(answer.seq, 5);
}

static void no_answers(void **state)
{
    (void)state;
    static const char *const lines[] = {"",
                                        "{}",
                                        "{\"ok\":true",
                                        "{\"ok\":trueish}",
                                        "{\"ok\":false}",
                                        "{\"ok\":false,\"error\":\"\"}",
                                        "{\"ok\":1,\"error\":\"X\"}",
                                        "[\"ok\",true,{}]",
                                        "HTTP/1.1 400 Bad Request {}"};
    struct answer answer;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_false(answer_read(text_of(lines[i]), &answer));
}

/* Against the simplest that can be right: a look at all. */
static void timetable_gives_the_earliest(void **state)
{
    (void)state;
    enum { COUNT = 50 };
    struct timetable timetable;
    int64_t times[COUNT];
    struct random random;
    random_seed(&random, 9, 0);
    assert_int_equal(timetable_start(&timetable, COUNT), 0);
    for (int i = 0; i < COUNT; i++)
        times[i] = TIMETABLE_NEVER;
    for (int round = 0; round < 20000; round++) {
        uint32_t who = (uint32_t)random_below(&random, COUNT);
        times[who] =
            random_below(&random, 3) ? (int64_t)random_below(&random, 1000) : TIMETABLE_NEVER;
        timetable_set(&timetable, who, times[who]);
        int64_t least = TIMETABLE_NEVER;
        for (int i = 0; i < COUNT; i++)
            least = times[i] < least ? times[i] : least;
        assert_true(timetable_first(&timetable, &who) == least);
        assert_true(least == TIMETABLE_NEVER || times[who] == least);
    }
    timetable_free(&timetable);
}

static void flights_keep_their_order(void **state)
{
    (void)state;
    struct flights flights;
    assert_int_equal(flights_start(&flights, 3), 0);
    int64_t pushed = 0, popped = 0;
    for (int round = 0; round < 10; round++) {
        while (flights.count < 3)
            flights_push(&flights, (struct flight){.seq = pushed++});
        assert_int_equal(flights_at(&flights, 2)->seq, pushed - 1);
        for (int i = 0; i <= round % 3; i++)
            assert_int_equal(flights_pop(&flights).seq, popped++);
    }
    flights_free(&flights);
}

static struct load_options options_of(int64_t terminals, int64_t count)
{
    return (struct load_options){.terminals = terminals,
                                 .generate = count,
                                 .skus = 100,
                                 .seed = 1,
                                 .shop = "0001",
                                 .terminal_prefix = "T"};
}

static void documents_are_dealt_out(void **state)
{
    (void)state;
    static struct workload workload;
    struct failure failure;
    struct load_options options = options_of(3, 11);
    assert_int_equal(workload_start(&workload, &options, &failure), 0);
    assert_int_equal(workload_documents(&workload, 0), 4);
    assert_int_equal(workload_documents(&workload, 1), 4);
    assert_int_equal(workload_documents(&workload, 2), 3);
    struct receipt receipt;
    workload_get(&workload, 2, 2, &receipt);
    assert_true(text_is(receipt.number, "8"));
    workload_free(&workload);
}

/* The line is JSON, and says what the receipt says. */
static void document_lines(void **state)
{
    (void)state;
    static struct workload workload;
    struct failure failure = {0};
    struct load_options options = options_of(2, 500);
    options.check = LOAD_CHECK_HARD;
    options.ack = LOAD_ACK_APPLIED;
    options.shop = "a \"shop\"";
    assert_int_equal(workload_start(&workload, &options, &failure), 0);
    struct json json = {0};
    struct buffer line = {0};
    char name[TERMINAL_NAME_BYTES];
    workload_name_terminal(&workload, 1, name);
    assert_string_equal(name, "T02");
    for (int64_t seq = 0; seq < 250; seq++) {
        struct receipt receipt;
        buffer_clear(&line);
        workload_get(&workload, 1, seq, &receipt);
        workload_add_line(&workload, name, seq, &receipt, &line);
        assert_int_equal(line.bytes[line.length - 1], '\n');
        assert_null(memchr(line.bytes, '\n', line.length - 1));
        assert_int_equal(json_parse(&json, buffer_text(&line), &failure), 0);
        uint32_t doc = json_member(&json, 0, "doc");
        uint32_t goods = json_member(&json, doc, "lines");
        int64_t number;
        assert_true(json_string_is(&json, json_member(&json, 0, "ack"), "applied"));
        assert_true(json_string_is(&json, json_member(&json, doc, "shop"), "a \"shop\""));
        assert_int_equal(json_int(&json, json_member(&json, doc, "seq"), &number), 0);
        assert_int_equal(number, seq);
        assert_int_equal(json.nodes[goods].count, receipt.line_count);
        bool is_sale = receipt.type == RECEIPT_SALE;
        assert_int_equal(json_member(&json, doc, "check") != JSON_ABSENT, is_sale);
        assert_true(
            json_string_is(&json, json_member(&json, doc, "type"), is_sale ? "sale" : "return"));
    }
    json_free(&json);
    buffer_free(&line);
    workload_free(&workload);
}

static void one_line_to_the_byte(void **state)
{
    (void)state;
    struct load_options options = options_of(1, 1);
    struct workload workload = {.options = &options};
    const struct receipt_line goods[] = {{0, -575, 38000}, {1, 2000, 0}};
    const struct receipt receipt = {.type = RECEIPT_ADJUST,
                                    .number = TEXT_LITERAL("536589-2"),
                                    .time = TEXT_LITERAL("2010-12-01T16:50:00Z"),
                                    .lines = goods,
                                    .line_count = 2};
    struct names skus = {0};
    struct buffer line = {0};
    assert_int_equal(names_add(&skus, text_of("a\"b")), 0);
    assert_int_equal(names_add(&skus, text_of("POST")), 1);
    workload.skus = &skus;
    build_fixed_parts(&workload);
    workload_add_line(&workload, "T01", 7, &receipt, &line);
    buffer_add_byte(&line, '\0');
    assert_string_equal(line.bytes,
                        "{\"op\":\"put\",\"ack\":\"journal\",\"doc\":{\"shop\":\"0001\","
                        "\"terminal\":\"T01\",\"seq\":7,\"type\":\"adjust\","
                        "\"id\":\"0001-T01-536589-2\",\"date\":\"2010-12-01\","
                        "\"time\":\"2010-12-01T16:50:00Z\",\"reason\":\"correction\",\"lines\":["
                        "{\"sku\":\"a\\\"b\",\"qty\":\"-0.575\",\"price\":\"3.8\"},"
                        "{\"sku\":\"POST\",\"qty\":2,\"price\":\"0\"}]}}\n");
    buffer_free(&line);
    names_free(&skus);
    workload_free(&workload);
}

static void ids_that_are_too_long(void **state)
{
    (void)state;
    static struct workload workload;
    struct failure failure = {0};
    struct load_options options = options_of(1, 10);
    options.shop = "0123456789012345678901234567890123456789";
    assert_int_equal(workload_start(&workload, &options, &failure), 0); /* 64 bytes */
    workload_free(&workload);
    options.shop = "01234567890123456789012345678901234567890";
    assert_int_equal(workload_start(&workload, &options, &failure), -1);
    assert_non_null(strstr(failure.message, "--terminal-prefix make an id of"));
    workload_free(&workload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_answers),
        cmocka_unit_test(strings_are_no_members),
        cmocka_unit_test(errors),
        cmocka_unit_test(no_answers),
        cmocka_unit_test(timetable_gives_the_earliest),
        cmocka_unit_test(flights_keep_their_order),
        cmocka_unit_test(documents_are_dealt_out),
        cmocka_unit_test(document_lines),
        cmocka_unit_test(one_line_to_the_byte),
        cmocka_unit_test(ids_that_are_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
