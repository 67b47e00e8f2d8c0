/* request: what each operation must have and may have, what is refused and with which path, and
 * what is echoed whatever is wrong. */
#include "net/request.h"
#include "support.h"

struct fixture {
    struct request request;
    struct failure failure;
};

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    request_free(&fixture->request);
    free(fixture);
    return 0;
}

static struct request *accept(void **state, const char *line)
{
    struct fixture *fixture = *state;
    if (request_read(&fixture->request, text_of(line), &fixture->failure) != 0)
        fail_msg("%s: refused: %s", line, fixture->failure.message);
    return &fixture->request;
}

static struct request *refuse(void **state, const char *line, const char *code, const char *path)
{
    struct fixture *fixture = *state;
    if (request_read(&fixture->request, text_of(line), &fixture->failure) == 0)
        fail_msg("%s: accepted", line);
    if (strcmp(fixture->failure.code, code) != 0 || strcmp(fixture->failure.path, path) != 0)
        fail_msg("%s: got %s at '%s' (%s), want %s at '%s'", line, fixture->failure.code,
                 fixture->failure.path, fixture->failure.message, code, path);
    return &fixture->request;
}

/* --- the table of all operations --- */

enum kind { END, NAME, STRING, WHOLE, ONE_UP, PARTITION, OBJECT, LIST, KEY, HEADERS, ANY };

struct known_field {
    const char *name;
    enum kind kind;
    bool required;
};

static const struct known_operation {
    const char *name;
    enum operation operation;
    bool only_reads;
    struct known_field fields[8];
} operations[] = {
    {"hello",
     OPERATION_HELLO,
     true,
     {{"terminal", NAME, true}, {"shop", NAME, false}, {"token", STRING, false}}},
    {"put", OPERATION_PUT, false, {{"doc", OBJECT, true}}},
    {"stock",
     OPERATION_STOCK,
     true,
     {{"sku", NAME, false},
      {"skus", LIST, false},
      {"shop", NAME, false},
      {"location", NAME, false},
      {"limit", ONE_UP, false},
      {"after", STRING, false}}},
    {"fetch",
     OPERATION_FETCH,
     true,
     {{"topic", NAME, true},
      {"offset", WHOLE, true},
      {"partition", PARTITION, false},
      {"max", ONE_UP, false},
      {"wait_ms", WHOLE, false}}},
    {"produce",
     OPERATION_PRODUCE,
     false,
     {{"topic", NAME, true},
      {"value", ANY, true},
      {"key", KEY, false},
      {"headers", HEADERS, false}}},
    {"commit",
     OPERATION_COMMIT,
     false,
     {{"group", NAME, true},
      {"topic", NAME, true},
      {"offset", WHOLE, true},
      {"partition", PARTITION, false}}},
    {"committed",
     OPERATION_COMMITTED,
     true,
     {{"group", NAME, true}, {"topic", NAME, true}, {"partition", PARTITION, false}}},
    {"status", OPERATION_STATUS, true, {{0}}},
    {"movements",
     OPERATION_MOVEMENTS,
     true,
     {{"sku", NAME, true},
      {"shop", NAME, false},
      {"location", NAME, false},
      {"limit", ONE_UP, false},
      {"after", STRING, false}}},
    {"dead",
     OPERATION_DEAD,
     true,
     {{"offset", WHOLE, false},
      {"partition", PARTITION, false},
      {"limit", ONE_UP, false},
      {"after", STRING, false}}},
    {"roll", OPERATION_ROLL, false, {{0}}},
    {"verify", OPERATION_VERIFY, true, {{0}}},
};

/* For each kind: a value that is right, and some that are not. */
static const struct {
    const char *right;
    const char *wrong[8];
} values[] = {
    [NAME] = {"\"n\"", {"\"\"", "1", "null", "[]", "{}", "\"a\\u0001\"", "\"\\u007f\""}},
    [STRING] = {"\"\"", {"1", "null", "[]", "{}", "true"}},
    [WHOLE] = {"0", {"-1", "1.0", "1e2", "\"1\"", "null", "9223372036854775807", "true"}},
    [ONE_UP] = {"1", {"0", "-1", "1.5", "\"1\"", "null", "9223372036854775808"}},
    [PARTITION] = {"2147483647", {"2147483648", "-1", "0.5", "\"0\"", "null"}},
    [OBJECT] = {"{}", {"[]", "1", "null", "\"{}\""}},
    [LIST] = {"[]", {"{}", "1", "null", "\"[]\""}},
    [KEY] = {"\"\"", {"1", "[]", "{}", "false"}},
    [HEADERS] = {"{}", {"1", "[]", "\"\"", "{\"a\":1}", "{\"a\":null}", "{\"a\":\"b\",\"c\":[]}"}},
    [ANY] = {"null", {0}},
};

/* The operation with all its required fields but `changed`, and that one with `value` (NULL: left
 * out). */
static const char *line_with(const struct known_operation *operation, const char *changed,
                             const char *value)
{
    static char line[512];
    int length = snprintf(line, sizeof line, "{\"op\":\"%s\"", operation->name);
    for (const struct known_field *field = operation->fields; field->name; field++) {
        bool is_changed = changed && strcmp(field->name, changed) == 0;
        const char *put = is_changed ? value : field->required ? values[field->kind].right : NULL;
        if (put)
            length += snprintf(line + length, sizeof line - (size_t)length, ",\"%s\":%s",
                               field->name, put);
    }
    snprintf(line + length, sizeof line - (size_t)length, "}");
    return line;
}

static void each_operation_is_known_and_some_only_read(void **state)
{
    assert_int_equal(COUNT(operations), OPERATION_COUNT);
    for (size_t i = 0; i < COUNT(operations); i++) {
        const struct request *request = accept(state, line_with(&operations[i], NULL, NULL));
        assert_int_equal(request->operation, operations[i].operation);
        assert_int_equal(operation_only_reads(request->operation), operations[i].only_reads);
    }
}

static void each_field_is_taken_where_right_and_named_where_missing_or_wrong(void **state)
{
    for (size_t i = 0; i < COUNT(operations); i++) {
        for (const struct known_field *field = operations[i].fields; field->name; field++) {
            accept(state, line_with(&operations[i], field->name, values[field->kind].right));
            if (field->required)
                refuse(state, line_with(&operations[i], field->name, NULL), "BAD_REQUEST",
                       field->name);
            for (const char *const *wrong = values[field->kind].wrong; *wrong; wrong++)
                refuse(state, line_with(&operations[i], field->name, *wrong), "BAD_REQUEST",
                       field->name);
        }
    }
}

static void a_name_has_its_most_bytes_and_not_one_more(void **state)
{
    static const struct {
        const char *before, *after, *path;
        int most;
    } names[] = {
        {"{\"op\":\"hello\",\"terminal\":\"", "\"}", "terminal", 64},
        {"{\"op\":\"hello\",\"terminal\":\"T\",\"shop\":\"", "\"}", "shop", 64},
        {"{\"op\":\"hello\",\"terminal\":\"T\",\"token\":\"", "\"}", "token", 1024},
        {"{\"op\":\"stock\",\"sku\":\"", "\"}", "sku", 64},
        {"{\"op\":\"stock\",\"location\":\"", "\"}", "location", 64},
        {"{\"op\":\"produce\",\"value\":1,\"topic\":\"", "\"}", "topic", 100},
        {"{\"op\":\"committed\",\"topic\":\"t\",\"group\":\"", "\"}", "group", 255},
        {"{\"op\":\"dead\",\"after\":\"", "\"}", "after", 1024},
    };
    char line[1200], filling[1026];
    memset(filling, 'x', sizeof filling);
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(line, sizeof line, "%s%.*s%s", names[i].before, names[i].most, filling,
                 names[i].after);
        accept(state, line);
        snprintf(line, sizeof line, "%s%.*s%s", names[i].before, names[i].most + 1, filling,
                 names[i].after);
        refuse(state, line, "BAD_REQUEST", names[i].path);
    }
}

/* --- what is read --- */

static void what_is_not_given_has_its_default(void **state)
{
    const struct request *request =
        accept(state, "{\"op\":\"fetch\",\"topic\":\"t\",\"offset\":3}");
    assert_text(request->topic, "t");
    assert_int_equal(request->offset, 3);
    assert_int_equal(request->partition, 0);
    assert_int_equal(request->max, FETCH_DEFAULT);
    assert_int_equal(request->wait_ms, 0);
    assert_int_equal(request->limit, ROWS_MAX);
    assert_int_equal(request->seq, -1);
    assert_null(request->tag.bytes);
    request = accept(state, "{\"op\":\"dead\"}");
    assert_int_equal(request->offset, -1);
    request = accept(state, "{\"op\":\"put\",\"doc\":{}}");
    assert_int_equal(request->ack, ACK_JOURNAL);
}

static void more_than_the_most_is_the_most(void **state)
{
    const struct request *request =
        accept(state, "{\"op\":\"fetch\",\"topic\":\"t\",\"offset\":0,\"max\":1001,"
                      "\"wait_ms\":60001}");
    assert_int_equal(request->max, FETCH_MAX);
    assert_int_equal(request->wait_ms, FETCH_WAIT_MAX_MS);
    request = accept(state, "{\"op\":\"stock\",\"limit\":9223372036854775806}");
    assert_int_equal(request->limit, ROWS_MAX);
}

static void names_are_unescaped_values_stay_as_they_came(void **state)
{
    const struct request *request =
        accept(state, "{\"op\":\"produce\",\"topic\":\"\\u0074\",\"key\":\"\\u006b\","
                      "\"value\": [ 1.50, \"\\u0078\" ],\"headers\":{\"a\" : \"b\"}}");
    assert_text(request->topic, "t");
    assert_text(request->key, "\"\\u006b\"");
    assert_text(request->value, "[ 1.50, \"\\u0078\" ]");
    assert_text(request->headers, "{\"a\" : \"b\"}");
}

static void a_key_or_headers_of_null_are_none(void **state)
{
    const struct request *request = accept(
        state, "{\"op\":\"produce\",\"topic\":\"t\",\"key\":null,\"headers\":null,\"value\":null}");
    assert_null(request->key.bytes);
    assert_null(request->headers.bytes);
    assert_text(request->value, "null");
}

static void an_acknowledgement_is_one_of_three(void **state)
{
    assert_int_equal(accept(state, "{\"op\":\"put\",\"doc\":{},\"ack\":\"journal\"}")->ack,
                     ACK_JOURNAL);
    assert_int_equal(accept(state, "{\"op\":\"put\",\"doc\":{},\"ack\":\"applied\"}")->ack,
                     ACK_APPLIED);
    assert_int_equal(accept(state, "{\"op\":\"put\",\"doc\":{},\"ack\":\"none\"}")->ack, ACK_NONE);
    refuse(state, "{\"op\":\"put\",\"doc\":{},\"ack\":\"both\"}", "BAD_REQUEST", "ack");
    refuse(state, "{\"op\":\"put\",\"doc\":{},\"ack\":null}", "BAD_REQUEST", "ack");
}

static void unknown_keys_are_ignored(void **state)
{
    accept(state, "{\"op\":\"status\",\"sku\":7,\"x\":{\"y\":[]}}");
}

static void one_struct_serves_many_lines_and_remembers_nothing(void **state)
{
    accept(state, "{\"op\":\"hello\",\"terminal\":\"T01\",\"shop\":\"S\",\"tag\":1}");
    const struct request *request = accept(state, "{\"op\":\"hello\",\"terminal\":\"T02\"}");
    assert_text(request->terminal, "T02");
    assert_null(request->shop.bytes);
    assert_null(request->tag.bytes);
}

static void memory_of_an_unusually_large_line_is_given_back(void **state)
{
    struct fixture *fixture = *state;
    struct buffer line = {0};
    buffer_add_string(&line, "{\"op\":\"stock\",\"skus\":[1");
    for (int i = 0; i < 100000; i++)
        buffer_add_string(&line, ",1");
    buffer_add_string(&line, "]}");
    assert_int_equal(request_read(&fixture->request, buffer_text(&line), &fixture->failure), 0);
    assert_true(fixture->request.json.capacity > 100000);
    request_shrink(&fixture->request);
    assert_true(fixture->request.json.capacity <= 4096);
    assert_true(fixture->request.scratch.capacity <= 64 << 10);
    accept(state, "{\"op\":\"status\"}");
    buffer_free(&line);
}

/* --- what is refused as a whole --- */

static void what_is_not_one_json_object_is_bad_json(void **state)
{
    static const char *const lines[] = {"",
                                        " ",
                                        "x",
                                        "[]",
                                        "1",
                                        "\"op\"",
                                        "null",
                                        "{\"op\":\"status\"",
                                        "{\"op\":\"status\"}}",
                                        "{\"op\":\"status\",\"op\":\"status\"}",
                                        "{\"op\":\"status\",\"a\":\"\\u0000\"}",
                                        "{\"op\":\"status\",\"a\":\"\xff\"}"};
    for (size_t i = 0; i < COUNT(lines); i++)
        refuse(state, lines[i], "BAD_JSON", "");
}

static void an_operation_is_required_and_must_be_known(void **state)
{
    refuse(state, "{}", "BAD_REQUEST", "op");
    refuse(state, "{\"op\":\"sing\"}", "BAD_REQUEST", "op");
    refuse(state, "{\"op\":1}", "BAD_REQUEST", "op");
    refuse(state, "{\"op\":\"Put\",\"doc\":{}}", "BAD_REQUEST", "op");
}

/* --- what is echoed --- */

static void a_tag_is_echoed_as_it_came_in_errors_too(void **state)
{
    assert_text(accept(state, "{\"op\":\"status\",\"tag\":\"a\\u0062\"}")->tag, "\"a\\u0062\"");
    assert_text(accept(state, "{\"op\":\"status\",\"tag\":-7}")->tag, "-7");
    assert_text(refuse(state, "{\"op\":\"sing\",\"tag\":7}", "BAD_REQUEST", "op")->tag, "7");
    assert_text(refuse(state, "{\"op\":\"hello\",\"tag\":\"x\"}", "BAD_REQUEST", "terminal")->tag,
                "\"x\"");
}

static void a_tag_is_a_string_or_a_whole_number(void **state)
{
    static const char *const tags[] = {
        "1.5", "1e3", "null", "[]", "{}", "true", "9223372036854775808"};
    char line[80];
    for (size_t i = 0; i < COUNT(tags); i++) {
        snprintf(line, sizeof line, "{\"op\":\"status\",\"tag\":%s}", tags[i]);
        assert_null(refuse(state, line, "BAD_REQUEST", "tag")->tag.bytes);
    }
}

static void the_seq_of_a_document_is_echoed_in_errors_too(void **state)
{
    assert_int_equal(accept(state, "{\"op\":\"put\",\"doc\":{\"seq\":0}}")->seq, 0);
    assert_int_equal(
        refuse(state, "{\"op\":\"put\",\"ack\":1,\"doc\":{\"seq\":9}}", "BAD_REQUEST", "ack")->seq,
        9);
    assert_int_equal(
        refuse(state, "{\"op\":\"sing\",\"tag\":[],\"doc\":{\"seq\":9}}", "BAD_REQUEST", "tag")
            ->seq,
        9);
}

static void what_is_no_seq_is_not_echoed(void **state)
{
    assert_int_equal(accept(state, "{\"op\":\"put\",\"doc\":{\"seq\":-1}}")->seq, -1);
    assert_int_equal(accept(state, "{\"op\":\"put\",\"doc\":{\"seq\":\"1\"}}")->seq, -1);
    assert_int_equal(accept(state, "{\"op\":\"put\",\"doc\":{\"seq\":1.5}}")->seq, -1);
    assert_int_equal(accept(state, "{\"op\":\"put\",\"seq\":1,\"doc\":{}}")->seq, -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_operation_is_known_and_some_only_read),
        TEST(each_field_is_taken_where_right_and_named_where_missing_or_wrong),
        TEST(a_name_has_its_most_bytes_and_not_one_more),
        TEST(what_is_not_given_has_its_default),
        TEST(more_than_the_most_is_the_most),
        TEST(names_are_unescaped_values_stay_as_they_came),
        TEST(a_key_or_headers_of_null_are_none),
        TEST(an_acknowledgement_is_one_of_three),
        TEST(unknown_keys_are_ignored),
        TEST(one_struct_serves_many_lines_and_remembers_nothing),
        TEST(memory_of_an_unusually_large_line_is_given_back),
        TEST(what_is_not_one_json_object_is_bad_json),
        TEST(an_operation_is_required_and_must_be_known),
        TEST(a_tag_is_echoed_as_it_came_in_errors_too),
        TEST(a_tag_is_a_string_or_a_whole_number),
        TEST(the_seq_of_a_document_is_echoed_in_errors_too),
        TEST(what_is_no_seq_is_not_echoed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
