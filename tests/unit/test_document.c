/* document: what is read out of one, and the path of whatever is wrong with it. */
#include "base/sha256.h"
#include "stock/document.h"
#include "support.h"

struct fixture {
    struct json json;
    struct document document;
    struct failure failure;
    struct document_defaults defaults;
    struct sha256 *sha256;
    struct buffer scratch;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->sha256 = sha256_new();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    json_free(&fixture->json);
    document_free(&fixture->document);
    sha256_free(fixture->sha256);
    buffer_free(&fixture->scratch);
    free(fixture);
    return 0;
}

static int read_text(struct fixture *fixture, const char *text)
{
    if (json_parse(&fixture->json, text_of(text), &fixture->failure) != 0)
        fail_msg("%s: %s", text, fixture->failure.message);
    return document_read(&fixture->document, &fixture->json, 0, &fixture->defaults,
                         &fixture->failure);
}

static const struct document *accept(void **state, const char *text)
{
    struct fixture *fixture = *state;
    if (read_text(fixture, text) != 0)
        fail_msg("%s: refused: %s", text, fixture->failure.message);
    return &fixture->document;
}

static const struct document *refuse(void **state, const char *text, const char *path)
{
    struct fixture *fixture = *state;
    if (read_text(fixture, text) == 0)
        fail_msg("%s: accepted", text);
    if (strcmp(fixture->failure.code, "BAD_DOCUMENT") != 0 ||
        strcmp(fixture->failure.path, path) != 0)
        fail_msg("%s: got %s at '%s', want BAD_DOCUMENT at '%s'", text, fixture->failure.code,
                 fixture->failure.path, path);
    return &fixture->document;
}

/* A sale that is right but for what is put in. */
#define HEAD "{\"type\":\"sale\",\"id\":\"D\",\"shop\":\"S\",\"terminal\":\"T\""
#define LINES ",\"lines\":[{\"sku\":\"A\",\"qty\":1}]"

static const char *sale_with(const char *members)
{
    static char text[2048];
    snprintf(text, sizeof text, HEAD LINES ",%s}", members);
    return text;
}

static const char *line_with(const char *type, const char *members)
{
    static char text[2048];
    snprintf(text, sizeof text,
             "{\"type\":\"%s\",\"reason\":\"r\",\"id\":\"D\",\"shop\":\"S\",\"terminal\":\"T\","
             "\"lines\":[{\"sku\":\"A\",\"qty\":1},{%s}]}",
             type, members);
    return text;
}

/* --- what is read --- */

static void a_sale_with_everything_in_it_is_read(void **state)
{
    const struct document *document = accept(
        state, "{\"type\":\"sale\",\"id\":\"0001-T01-42\",\"shop\":\"0001\",\"terminal\":\"T01\","
               "\"seq\":4711,\"date\":\"2026-11-22\",\"time\":\"2026-11-22T10:15:03+01:00\","
               "\"operator\":\"1012\",\"check\":\"hard\",\"location\":\"yard\",\"reason\":\"x\","
               "\"lines\":[{\"sku\":\"6901234567892\",\"qty\":2},"
               "{\"sku\":\"2000417000000\",\"qty\":\"0.575\",\"price\":\"3.80\","
               "\"location\":\"main\",\"note\":[1]}]}");
    assert_int_equal(document->type, DOCUMENT_SALE);
    assert_text(document->type_name, "sale");
    assert_text(document->id, "0001-T01-42");
    assert_text(document->shop, "0001");
    assert_text(document->terminal, "T01");
    assert_int_equal(document->seq, 4711);
    assert_text(document->date, "2026-11-22");
    assert_text(document->time, "2026-11-22T10:15:03+01:00");
    assert_text(document->operator_id, "1012");
    assert_text(document->reason, "x");
    assert_int_equal(document->check, CHECK_HARD);
    assert_int_equal(document->line_count, 2);
    assert_text(document->lines[0].sku, "6901234567892");
    assert_text(document->lines[0].location, "yard");
    assert_int_equal(document->lines[0].quantity_milli, 2000);
    assert_text(document->lines[1].location, "main");
    assert_int_equal(document->lines[1].quantity_milli, 575);
}

static void what_is_left_out_has_its_default(void **state)
{
    const struct document *document = accept(state, HEAD LINES "}");
    assert_int_equal(document->seq, -1);
    assert_int_equal(document->check, CHECK_NONE);
    assert_null(document->date.bytes);
    assert_text(document->lines[0].location, LOCATION_DEFAULT);
}

static void shop_and_terminal_may_come_from_elsewhere(void **state)
{
    struct fixture *fixture = *state;
    fixture->defaults = (struct document_defaults){TEXT_LITERAL("S1"), TEXT_LITERAL("T1")};
    const struct document *document = accept(state, "{\"type\":\"sale\",\"id\":\"D\"" LINES "}");
    assert_text(document->shop, "S1");
    assert_text(document->terminal, "T1");
    document = accept(state, HEAD LINES "}");
    assert_text(document->shop, "S");
    assert_text(document->terminal, "T");
}

static void every_type_is_known_and_any_other_is_unknown(void **state)
{
    static const struct {
        const char *name;
        enum document_type type;
    } known[] = {{"sale", DOCUMENT_SALE},        {"return", DOCUMENT_RETURN},
                 {"receipt", DOCUMENT_RECEIPT},  {"adjust", DOCUMENT_ADJUST},
                 {"retry", DOCUMENT_RETRY},      {"drop", DOCUMENT_DROP},
                 {"transfer", DOCUMENT_UNKNOWN}, {"Sale", DOCUMENT_UNKNOWN}};
    char text[256];
    for (size_t i = 0; i < COUNT(known); i++) {
        snprintf(text, sizeof text,
                 "{\"type\":\"%s\",\"id\":\"D\",\"shop\":\"S\",\"terminal\":\"T\",\"offset\":3,"
                 "\"reason\":\"r\"" LINES "}",
                 known[i].name);
        assert_int_equal(accept(state, text)->type, known[i].type);
    }
}

static void of_an_unknown_type_only_the_envelope_is_read(void **state)
{
    const struct document *document = accept(
        state, "{\"type\":\"count\",\"id\":\"D\",\"shop\":\"S\",\"terminal\":\"T\",\"seq\":1,"
               "\"lines\":7,\"check\":[]}");
    assert_text(document->type_name, "count");
    assert_int_equal(document->seq, 1);
    assert_int_equal(document->line_count, 0);
}

static void retry_and_drop_name_a_document(void **state)
{
    const struct document *document =
        accept(state, "{\"type\":\"retry\",\"id\":\"D\",\"shop\":\"S\",\"terminal\":\"T\","
                      "\"partition\":2147483647,\"offset\":7}");
    assert_int_equal(document->target_partition, 2147483647);
    assert_int_equal(document->target_offset, 7);
    assert_int_equal(document->line_count, 0);
    document = accept(state, "{\"type\":\"drop\",\"id\":\"D\",\"shop\":\"S\",\"terminal\":\"T\","
                             "\"offset\":0,\"reason\":\"r\"}");
    assert_int_equal(document->target_partition, 0);
    assert_int_equal(document->target_offset, 0);
}

static void escapes_are_undone(void **state)
{
    const struct document *document = accept(
        state,
        "{\"type\":\"s\\u0061le\",\"id\":\"\\u0044\\\"\\\\\",\"shop\":\"\\u00e9\","
        "\"terminal\":\"\\ud83d\\ude00\",\"lines\":[{\"sku\":\"\\u0041\",\"qty\":\"\\u0031\"}]}");
    assert_int_equal(document->type, DOCUMENT_SALE);
    assert_text(document->id, "D\"\\");
    assert_text(document->shop, "\xc3\xa9");
    assert_text(document->terminal, "\xf0\x9f\x98\x80");
    assert_text(document->lines[0].sku, "A");
    assert_int_equal(document->lines[0].quantity_milli, 1000);
}

static void one_struct_serves_many_documents_and_remembers_nothing(void **state)
{
    accept(state, sale_with("\"seq\":9,\"check\":\"hard\",\"date\":\"d\""));
    const struct document *document = accept(state, HEAD LINES "}");
    assert_int_equal(document->seq, -1);
    assert_int_equal(document->check, CHECK_NONE);
    assert_null(document->date.bytes);
    assert_int_equal(document->line_count, 1);
    document = refuse(state, "{\"id\":\"E\"}", "type");
    assert_text(document->id, "E");
    assert_null(document->shop.bytes);
    assert_int_equal(document->line_count, 0);
}

/* --- what is refused --- */

static void what_is_required_is_named_where_it_is_missing(void **state)
{
    refuse(state, "{\"id\":\"D\",\"shop\":\"S\",\"terminal\":\"T\"" LINES "}", "type");
    refuse(state, "{\"type\":\"sale\",\"shop\":\"S\",\"terminal\":\"T\"" LINES "}", "id");
    refuse(state, "{\"type\":\"sale\",\"id\":\"D\",\"terminal\":\"T\"" LINES "}", "shop");
    refuse(state, "{\"type\":\"sale\",\"id\":\"D\",\"shop\":\"S\"" LINES "}", "terminal");
    refuse(state, HEAD "}", "lines");
    refuse(state, "{\"type\":\"adjust\",\"id\":\"D\",\"shop\":\"S\",\"terminal\":\"T\"" LINES "}",
           "reason");
    refuse(state, "{\"type\":\"drop\",\"id\":\"D\",\"shop\":\"S\",\"terminal\":\"T\",\"offset\":1}",
           "reason");
    refuse(state, "{\"type\":\"retry\",\"id\":\"D\",\"shop\":\"S\",\"terminal\":\"T\"}", "offset");
    refuse(state, line_with("sale", "\"qty\":1"), "lines[1].sku");
    refuse(state, line_with("sale", "\"sku\":\"A\""), "lines[1].qty");
    refuse(state, "[]", "doc");
    refuse(state, "7", "doc");
}

static void names_of_the_wrong_kind_are_refused(void **state)
{
    static const char *const keys[] = {"date", "time", "operator", "location", "reason"};
    static const char *const wrong[] = {"1",    "null",        "[]",          "{}",       "true",
                                        "\"\"", "\"\\u001f\"", "\"\\u007f\"", "\"a\\nb\""};
    char member[128];
    for (size_t i = 0; i < COUNT(keys); i++)
        for (size_t j = 0; j < COUNT(wrong); j++) {
            snprintf(member, sizeof member, "\"%s\":%s", keys[i], wrong[j]);
            refuse(state, sale_with(member), keys[i]);
        }
    refuse(state, "{\"type\":7,\"id\":\"D\",\"shop\":\"S\",\"terminal\":\"T\"" LINES "}", "type");
    refuse(state, "{\"type\":\"sale\",\"id\":null,\"shop\":\"S\",\"terminal\":\"T\"" LINES "}",
           "id");
    refuse(state, "{\"type\":\"sale\",\"id\":\"D\",\"shop\":\"\",\"terminal\":\"T\"" LINES "}",
           "shop");
    refuse(state, "{\"type\":\"sale\",\"id\":\"D\",\"shop\":\"S\",\"terminal\":[]" LINES "}",
           "terminal");
    refuse(state, line_with("sale", "\"sku\":7,\"qty\":1"), "lines[1].sku");
    refuse(state, line_with("sale", "\"sku\":\"A\",\"qty\":1,\"location\":\"\""),
           "lines[1].location");
}

static void a_name_has_64_bytes_and_a_reason_256(void **state)
{
    char filling[300], member[400];
    memset(filling, 'x', sizeof filling);
    snprintf(member, sizeof member, "\"operator\":\"%.64s\"", filling);
    accept(state, sale_with(member));
    snprintf(member, sizeof member, "\"operator\":\"%.65s\"", filling);
    refuse(state, sale_with(member), "operator");
    snprintf(member, sizeof member, "\"reason\":\"%.256s\"", filling);
    accept(state, sale_with(member));
    snprintf(member, sizeof member, "\"reason\":\"%.257s\"", filling);
    refuse(state, sale_with(member), "reason");
    /* Bytes of the name itself count, not those of its escapes. */
    snprintf(member, sizeof member, "\"operator\":\"\\u0041%.63s\"", filling);
    accept(state, sale_with(member));
}

static void a_seq_is_a_whole_number_that_is_not_negative(void **state)
{
    static const char *const wrong[] = {"-1", "1.0", "1e3", "\"1\"", "null", "9223372036854775808"};
    char member[64];
    assert_int_equal(accept(state, sale_with("\"seq\":0"))->seq, 0);
    assert_true(accept(state, sale_with("\"seq\":9223372036854775807"))->seq == INT64_MAX);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        snprintf(member, sizeof member, "\"seq\":%s", wrong[i]);
        refuse(state, sale_with(member), "seq");
    }
}

static void a_check_is_one_of_three(void **state)
{
    assert_int_equal(accept(state, sale_with("\"check\":\"warn\""))->check, CHECK_WARN);
    assert_int_equal(accept(state, sale_with("\"check\":\"none\""))->check, CHECK_NONE);
    refuse(state, sale_with("\"check\":\"soft\""), "check");
    refuse(state, sale_with("\"check\":null"), "check");
    refuse(state, sale_with("\"check\":true"), "check");
}

static void lines_are_an_array_of_objects_and_at_least_one(void **state)
{
    static const char *const wrong[] = {"[]", "{}", "null", "1", "\"[]\""};
    char text[256];
    for (size_t i = 0; i < COUNT(wrong); i++) {
        snprintf(text, sizeof text, HEAD ",\"lines\":%s}", wrong[i]);
        refuse(state, text, "lines");
    }
    refuse(state, HEAD ",\"lines\":[7]}", "lines[0]");
    refuse(state, HEAD ",\"lines\":[{\"sku\":\"A\",\"qty\":1},[]]}", "lines[1]");
}

static void a_quantity_is_exact_to_three_decimals(void **state)
{
    static const struct {
        const char *text;
        int64_t milli;
    } right[] = {{"1", 1000},
                 {"0.001", 1},
                 {"\"0.575\"", 575},
                 {"5e-1", 500},
                 {"1.5e1", 15000},
                 {"\"007.5\"", 7500},
                 {"9223372036854775.807", INT64_MAX}};
    static const char *const wrong[] = {"0",
                                        "0.000",
                                        "-1",
                                        "0.0001",
                                        "1.0000",
                                        "\"\"",
                                        "\"1,5\"",
                                        "\"1.5 \"",
                                        "null",
                                        "true",
                                        "[]",
                                        "{}",
                                        "\"NaN\"",
                                        "\"0x1\"",
                                        "\"+1\"",
                                        "\"-0.5\"",
                                        "9223372036854775.808",
                                        "1e400",
                                        "1e-400"};
    char line[128];
    for (size_t i = 0; i < COUNT(right); i++) {
        snprintf(line, sizeof line, "\"sku\":\"B\",\"qty\":%s", right[i].text);
        int64_t got = accept(state, line_with("sale", line))->lines[1].quantity_milli;
        if (got != right[i].milli)
            fail_msg("%s: got %" PRId64 ", want %" PRId64, right[i].text, got, right[i].milli);
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        snprintf(line, sizeof line, "\"sku\":\"B\",\"qty\":%s", wrong[i]);
        refuse(state, line_with("sale", line), "lines[1].qty");
    }
}

static void an_adjustment_may_be_negative_but_not_zero(void **state)
{
    const struct document *document =
        accept(state, line_with("adjust", "\"sku\":\"B\",\"qty\":\"-9223372036854775.807\""));
    assert_true(document->lines[1].quantity_milli == -INT64_MAX);
    refuse(state, line_with("adjust", "\"sku\":\"B\",\"qty\":\"-9223372036854775.808\""),
           "lines[1].qty");
    refuse(state, line_with("adjust", "\"sku\":\"B\",\"qty\":-0.0"), "lines[1].qty");
    refuse(state, line_with("return", "\"sku\":\"B\",\"qty\":-1"), "lines[1].qty");
    refuse(state, line_with("receipt", "\"sku\":\"B\",\"qty\":-1"), "lines[1].qty");
}

static void a_price_has_four_decimals_and_may_be_anything(void **state)
{
    accept(state, line_with("sale", "\"sku\":\"B\",\"qty\":1,\"price\":\"-3.8049\""));
    accept(state, line_with("sale", "\"sku\":\"B\",\"qty\":1,\"price\":0"));
    refuse(state, line_with("sale", "\"sku\":\"B\",\"qty\":1,\"price\":\"3.80491\""),
           "lines[1].price");
    refuse(state, line_with("sale", "\"sku\":\"B\",\"qty\":1,\"price\":null"), "lines[1].price");
}

static void a_target_is_an_offset_and_a_partition(void **state)
{
    static const struct {
        const char *members, *path;
    } wrong[] = {{"\"offset\":-1", "offset"},
                 {"\"offset\":\"1\"", "offset"},
                 {"\"offset\":1.5", "offset"},
                 {"\"offset\":1,\"partition\":-1", "partition"},
                 {"\"offset\":1,\"partition\":2147483648", "partition"},
                 {"\"offset\":1,\"partition\":null", "partition"}};
    char text[256];
    for (size_t i = 0; i < COUNT(wrong); i++) {
        snprintf(text, sizeof text,
                 "{\"type\":\"retry\",\"id\":\"D\",\"shop\":\"S\",\"terminal\":\"T\",%s}",
                 wrong[i].members);
        refuse(state, text, wrong[i].path);
    }
}

static void what_could_be_read_of_a_refused_document_is_kept(void **state)
{
    const struct document *document = refuse(state, HEAD ",\"seq\":\"x\"" LINES "}", "seq");
    assert_text(document->type_name, "sale");
    assert_text(document->id, "D");
    assert_text(document->shop, "S");
    assert_text(document->terminal, "T");
    document = refuse(state, "{\"id\":\"D\",\"shop\":7}", "shop");
    assert_text(document->id, "D");
    assert_null(document->terminal.bytes);
}

/* --- its content --- */

static bool same_content(void **state, const char *a, const char *b)
{
    struct fixture *fixture = *state;
    unsigned char hash[2][DOCUMENT_HASH_BYTES];
    const char *texts[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(json_parse(&fixture->json, text_of(texts[i]), &fixture->failure), 0);
        assert_int_equal(document_hash(&fixture->json, fixture->sha256, &fixture->scratch, hash[i]),
                         0);
    }
    return memcmp(hash[0], hash[1], DOCUMENT_HASH_BYTES) == 0;
}

static void space_order_escapes_and_seq_do_not_count_as_content(void **state)
{
    assert_true(same_content(state, "{\"a\":1,\"b\":[1,2]}", " { \"b\" : [ 1 , 2 ] , \"a\":1 } "));
    assert_true(same_content(state, "{\"a\":\"\\u0041\"}", "{\"\\u0061\":\"A\"}"));
    assert_true(same_content(state, "{\"a\":1,\"seq\":7}", "{\"a\":1}"));
}

static void anything_else_counts_as_content(void **state)
{
    assert_false(same_content(state, "{\"a\":1}", "{\"a\":2}"));
    assert_false(same_content(state, "{\"a\":1}", "{\"a\":1.0}"));
    assert_false(same_content(state, "{\"a\":1}", "{\"a\":\"1\"}"));
    assert_false(same_content(state, "{\"a\":[1,2]}", "{\"a\":[2,1]}"));
    assert_false(same_content(state, "{\"a\":{\"seq\":1}}", "{\"a\":{}}"));
    assert_false(same_content(state, "{\"a\":1}", "{\"a\":1,\"note\":null}"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_sale_with_everything_in_it_is_read),
        TEST(what_is_left_out_has_its_default),
        TEST(shop_and_terminal_may_come_from_elsewhere),
        TEST(every_type_is_known_and_any_other_is_unknown),
        TEST(of_an_unknown_type_only_the_envelope_is_read),
        TEST(retry_and_drop_name_a_document),
        TEST(escapes_are_undone),
        TEST(one_struct_serves_many_documents_and_remembers_nothing),
        TEST(what_is_required_is_named_where_it_is_missing),
        TEST(names_of_the_wrong_kind_are_refused),
        TEST(a_name_has_64_bytes_and_a_reason_256),
        TEST(a_seq_is_a_whole_number_that_is_not_negative),
        TEST(a_check_is_one_of_three),
        TEST(lines_are_an_array_of_objects_and_at_least_one),
        TEST(a_quantity_is_exact_to_three_decimals),
        TEST(an_adjustment_may_be_negative_but_not_zero),
        TEST(a_price_has_four_decimals_and_may_be_anything),
        TEST(a_target_is_an_offset_and_a_partition),
        TEST(what_could_be_read_of_a_refused_document_is_kept),
        TEST(space_order_escapes_and_seq_do_not_count_as_content),
        TEST(anything_else_counts_as_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
