/* json: what is accepted, what is refused and where, walking, and that no byte past the end of the
 * text is read. Against another reader: test_json_differential.c. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED false
#endif

static const char sale[] =
    "{\"type\":\"sale\",\"id\":\"0001-T01-42\",\"shop\":\"0001\",\"terminal\":\"T01\",\"seq\":4711,"
    "\"note\":\"caf\xc3\xa9 \\u00e9\\ud83d\\ude00 \\\"x\\\"\",\"check\":null,\"paid\":true,"
    "\"lines\":[{\"sku\":\"6901234567892\",\"qty\":2},{\"sku\":\"2000417000000\",\"qty\":-0.575e+1}"
    "]}";

/* A text that ends where a page nobody may touch begins. */
struct guarded {
    char *pages;
    size_t page_bytes;
};

static struct guarded guarded_open(void)
{
    struct guarded guarded = {.page_bytes = (size_t)sysconf(_SC_PAGESIZE)};
    guarded.pages = mmap(NULL, 2 * guarded.page_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(guarded.pages, MAP_FAILED);
    assert_int_equal(mprotect(guarded.pages + guarded.page_bytes, guarded.page_bytes, PROT_NONE),
                     0);
    return guarded;
}

static void guarded_close(struct guarded *guarded)
{
    munmap(guarded->pages, 2 * guarded->page_bytes);
}

static struct text guarded_put(struct guarded *guarded, const char *bytes, size_t length)
{
    assert_true(length <= guarded->page_bytes);
    char *at = guarded->pages + guarded->page_bytes - length;
    memcpy(at, bytes, length);
    return (struct text){at, length};
}

struct accepted {
    const char *text;
    uint32_t nodes;
};

static const struct accepted accepted[] = {
    {"null", 1},
    {" true\r\n", 1},
    {"\tfalse", 1},
    {"0", 1},
    {"-0", 1},
    {"-0.0e-0", 1},
    {"1234567890123456789012345678901234567890", 1},
    {"1E+400", 1},
    {"\"\"", 1},
    {"\"12345678\"", 1},
    {"\"\x7f\"", 1},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\uFFFF\"", 1},
    {"\"\\ud800\\udc00\\uDBFF\\uDFFF\"", 1},
    {"\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"", 1},
    {"\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"", 1},
    {"[]", 1},
    {"{}", 1},
    {"[[],{}]", 3},
    {" [ 1 , 2 ] ", 3},
    {" { \"a\" : 1 , \"b\" : [ ] } ", 5},
    {"{\"\":0}", 3},
    {"{\"a\":{\"a\":{\"a\":1}}}", 7},
    {"[{\"a\":1},{\"a\":1}]", 7},
};

static void accepts_what_the_standard_allows(void **state)
{
    (void)state;
    struct guarded guarded = guarded_open();
    struct json json = {0};
    for (size_t i = 0; i < COUNT(accepted); i++) {
        struct failure failure = {0};
        size_t length = strlen(accepted[i].text);
        struct text text = guarded_put(&guarded, accepted[i].text, length);
        if (json_parse(&json, text, &failure) != 0)
            fail_msg("%s: %s", accepted[i].text, failure.message);
        assert_int_equal(json.count, accepted[i].nodes);
        assert_int_equal(json.nodes[0].next, json.count);
    }
    json_free(&json);
    guarded_close(&guarded);
}

struct refused {
    const char *text;
    size_t length; /* 0 = strlen */
    const char *message;
};

static const struct refused refused[] = {
    {"", 0, "byte 0: the text ends where a value was expected"},
    {" \n", 0, "byte 2: the text ends where a value was expected"},
    {"\xef\xbb\xbf{}", 0, "byte 0: a value was expected"},
    {"nul", 0, "byte 0: a value was expected"},
    {"True", 0, "byte 0: a value was expected"},
    {"truex", 0, "byte 4: something stands behind the value"},
    {"{} {}", 0, "byte 3: something stands behind the value"},
    {"1 2", 0, "byte 2: something stands behind the value"},
    {"NaN", 0, "byte 0: a value was expected"},
    {"-", 0, "byte 1: a digit was expected"},
    {"-x", 0, "byte 1: a digit was expected"},
    {"+1", 0, "byte 0: a value was expected"},
    {".5", 0, "byte 0: a value was expected"},
    {"01", 0, "byte 0: a number with a leading zero"},
    {"-00", 0, "byte 1: a number with a leading zero"},
    {"1.", 0, "byte 2: a digit was expected after the decimal point"},
    {"1.e5", 0, "byte 2: a digit was expected after the decimal point"},
    {"1e", 0, "byte 2: a digit was expected in the exponent"},
    {"1E+", 0, "byte 3: a digit was expected in the exponent"},
    {"0x10", 0, "byte 1: something stands behind the value"},
    {"'a'", 0, "byte 0: a value was expected"},
    {"\"", 0, "byte 1: the text ends within a string"},
    {"\"abcdefgh", 0, "byte 9: the text ends within a string"},
    {"\"a\nb\"", 0, "byte 2: a control character in a string"},
    {"\"12345678\x1f\"", 0, "byte 9: a control character in a string"},
    {"\"a\0b\"", 5, "byte 2: a control character in a string"},
    {"\0", 1, "byte 0: a value was expected"},
    {"{}\0", 3, "byte 2: something stands behind the value"},
    {"\"\\x\"", 0, "byte 1: an unknown escape"},
    {"\"\\\0\"", 4, "byte 1: an unknown escape"},
    {"\"\\", 0, "byte 1: an unknown escape"},
    {"\"\\u12", 0, "byte 1: an unknown escape"},
    {"\"\\u12g4\"", 0, "byte 1: an unknown escape"},
    {"\"\\u0000\"", 0, "byte 1: the character U+0000"},
    {"\"\\ud800\"", 0, "byte 1: an unpaired surrogate"},
    {"\"\\ud800x\"", 0, "byte 1: an unpaired surrogate"},
    {"\"\\ud800\\n\"", 0, "byte 1: an unpaired surrogate"},
    {"\"\\ud800\\ud800\"", 0, "byte 1: an unpaired surrogate"},
    {"\"\\ud800\\udc0", 0, "byte 1: an unpaired surrogate"},
    {"\"\\udc00\"", 0, "byte 1: an unpaired surrogate"},
    {"\"\x80\"", 0, "byte 1: invalid UTF-8"},
    {"\"\xc1\xbf\"", 0, "byte 1: invalid UTF-8"},
    {"\"\xc2\"", 0, "byte 1: invalid UTF-8"},
    {"\"\xc2", 0, "byte 1: invalid UTF-8"},
    {"\"\xe0\x9f\xbf\"", 0, "byte 1: invalid UTF-8"},
    {"\"\xe2\x82\"", 0, "byte 1: invalid UTF-8"},
    {"\"\xed\xa0\x80\"", 0, "byte 1: invalid UTF-8"},
    {"\"\xf0\x8f\xbf\xbf\"", 0, "byte 1: invalid UTF-8"},
    {"\"\xf4\x90\x80\x80\"", 0, "byte 1: invalid UTF-8"},
    {"\"\xf5\x80\x80\x80\"", 0, "byte 1: invalid UTF-8"},
    {"\"\xff\"", 0, "byte 1: invalid UTF-8"},
    {"[", 0, "byte 1: the text ends where a value was expected"},
    {"[1", 0, "byte 2: ',' or ']' was expected"},
    {"[1,", 0, "byte 3: the text ends where a value was expected"},
    {"[1,]", 0, "byte 3: a value was expected"},
    {"[,1]", 0, "byte 1: a value was expected"},
    {"[1 2]", 0, "byte 3: ',' or ']' was expected"},
    {"[1}", 0, "byte 2: ',' or ']' was expected"},
    {"]", 0, "byte 0: a value was expected"},
    {"{", 0, "byte 1: a key in quotes was expected"},
    {"{1:2}", 0, "byte 1: a key in quotes was expected"},
    {"{\"a\"", 0, "byte 4: ':' was expected"},
    {"{\"a\" 1}", 0, "byte 5: ':' was expected"},
    {"{\"a\":", 0, "byte 5: the text ends where a value was expected"},
    {"{\"a\":1", 0, "byte 6: ',' or '}' was expected"},
    {"{\"a\":1,}", 0, "byte 7: a key in quotes was expected"},
    {"{\"a\":1]", 0, "byte 6: ',' or '}' was expected"},
    {"{\"a\":1,\"a\":2}", 0, "byte 7: a key twice in one object"},
    {"{\"a\":1,\"b\":[{}],\"\\u0061\":2}", 0, "byte 16: a key twice in one object"},
    {"{\"\":1,\"\":2}", 0, "byte 6: a key twice in one object"},
    {"[{\"\xc3\xa9\":1,\"\\u00E9\":1}]", 0, "byte 9: a key twice in one object"},
    {"{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":1}", 0, "byte 18: a key twice in one object"},
};

static void refuses_everything_else_and_says_where(void **state)
{
    (void)state;
    struct guarded guarded = guarded_open();
    struct json json = {0};
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct failure failure = {0};
        size_t length = refused[i].length ? refused[i].length : strlen(refused[i].text);
        struct text text = guarded_put(&guarded, refused[i].text, length);
        if (json_parse(&json, text, &failure) == 0)
            fail_msg("accepted: %s", refused[i].text);
        assert_string_equal(failure.code, "BAD_JSON");
        assert_string_equal(failure.message, refused[i].message);
    }
    json_free(&json);
    guarded_close(&guarded);
}

static void reads_nothing_past_the_end(void **state)
{
    (void)state;
    struct guarded guarded = guarded_open();
    struct json json = {0};
    for (size_t length = 0; length < sizeof sale - 1; length++) {
        struct text text = guarded_put(&guarded, sale, length);
        assert_int_equal(json_parse(&json, text, NULL), -1);
    }
    assert_int_equal(json_parse(&json, guarded_put(&guarded, sale, sizeof sale - 1), NULL), 0);
    json_free(&json);
    guarded_close(&guarded);
}

static void nests_to_the_limit_and_no_deeper(void **state)
{
    (void)state;
    static const char *const brackets[] = {"[", "]", "{\"k\":", "}"};
    struct json json = {0};
    struct failure failure;
    for (size_t kind = 0; kind < COUNT(brackets); kind += 2) {
        for (int depth = JSON_DEPTH_LIMIT; depth <= JSON_DEPTH_LIMIT + 1; depth++) {
            struct buffer text = {0};
            for (int i = 0; i < depth; i++)
                buffer_add_string(&text, brackets[kind]);
            buffer_add_byte(&text, '1');
            for (int i = 0; i < depth; i++)
                buffer_add_string(&text, brackets[kind + 1]);
            int result = json_parse(&json, buffer_text(&text), &failure);
            assert_int_equal(result, depth <= JSON_DEPTH_LIMIT ? 0 : -1);
            buffer_free(&text);
        }
        char expected[64];
        size_t byte = JSON_DEPTH_LIMIT * strlen(brackets[kind]);
        snprintf(expected, sizeof expected, "byte %zu: nested too deep", byte);
        assert_string_equal(failure.message, expected);
    }
    json_free(&json);
}

static void add_keys(struct buffer *text, int count)
{
    buffer_add_byte(text, '{');
    for (int i = 0; i < count; i++)
        buffer_add_format(text, "%s\"key%d\":%d", i ? "," : "", i, i);
}

/* Each with each, 100,000 keys would take half a minute and more. */
static void takes_many_keys_in_little_time(void **state)
{
    (void)state;
    struct buffer text = {0};
    struct json json = {0};
    add_keys(&text, 100000);
    buffer_add_byte(&text, '}');
    clock_t before = clock();
    assert_int_equal(json_parse(&json, buffer_text(&text), NULL), 0);
    assert_true(clock() - before < 2 * CLOCKS_PER_SEC);
    assert_int_equal(json.nodes[0].count, 100000);
    json_free(&json);
    buffer_free(&text);
}

static void finds_one_key_twice_among_many(void **state)
{
    (void)state;
    static const int counts[] = {15, 16, 17, 64, 5000};
    static const char *const twice[] = {"key7", "\\u006bey7", "k\\u0065y7"};
    struct json json = {0};
    for (size_t i = 0; i < COUNT(counts) * COUNT(twice); i++) {
        struct buffer text = {0};
        struct failure failure;
        char expected[64];
        add_keys(&text, counts[i / COUNT(twice)]);
        snprintf(expected, sizeof expected, "byte %zu: a key twice in one object", text.length + 1);
        buffer_add_format(&text, ",\"%s\":0}", twice[i % COUNT(twice)]);
        assert_int_equal(json_parse(&json, buffer_text(&text), &failure), -1);
        assert_string_equal(failure.message, expected);
        buffer_free(&text);
    }
    json_free(&json);
}

static void refuses_a_text_over_the_limit_unread(void **state)
{
    (void)state;
    size_t length = (size_t)JSON_TEXT_LIMIT_BYTES + 1;
    void *pages = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    struct json json = {0};
    struct failure failure;
    assert_int_equal(json_parse(&json, (struct text){pages, length}, &failure), -1);
    assert_string_equal(failure.message, "byte 67108864: the text is too long");
    munmap(pages, length);
}

/* In a process of its own whose address space ends a little above what it has. */
static int parse_without_memory(struct text text)
{
    struct rlimit limit = {.rlim_cur = 64u << 20, .rlim_max = 64u << 20};
    struct json json = {0};
    struct failure failure = {0};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return 2;
    if (json_parse(&json, text, &failure) == 0)
        return 3;
    return failure.code && strcmp(failure.code, "NO_MEMORY") == 0 ? 0 : 4;
}

static void says_so_where_there_is_no_memory(void **state)
{
    (void)state;
    if (SANITIZED) {
        print_message("a sanitizer's shadow memory fits under no limit\n");
        skip();
    }
    struct buffer text = {0};
    buffer_add_byte(&text, '[');
    for (int i = 0; i < 8000000; i++)
        buffer_add(&text, "1,", 2);
    buffer_add(&text, "1]", 2);
    assert_false(text.failed);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(parse_without_memory(buffer_text(&text)));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    buffer_free(&text);
}

static struct json parsed(const char *text)
{
    struct json json = {0};
    struct failure failure;
    if (json_parse(&json, text_of(text), &failure) != 0)
        fail_msg("%s: %s", text, failure.message);
    return json;
}

static void finds_members_and_elements(void **state)
{
    (void)state;
    struct json json = parsed(sale);
    assert_int_equal(json_type(&json, 0), JSON_OBJECT);
    assert_true(text_is(json_raw(&json, json_member(&json, 0, "id")), "\"0001-T01-42\""));
    assert_int_equal(json_type(&json, json_member(&json, 0, "check")), JSON_NULL);
    assert_int_equal(json_type(&json, json_member(&json, 0, "paid")), JSON_TRUE);
    assert_int_equal(json_member(&json, 0, "sku"), JSON_ABSENT);
    assert_int_equal(json_member(&json, 0, "i"), JSON_ABSENT);
    assert_int_equal(json_type(&json, JSON_ABSENT), JSON_NULL);
    uint32_t lines = json_member(&json, 0, "lines");
    assert_int_equal(json.nodes[lines].count, 2);
    assert_int_equal(json_member(&json, lines, "sku"), JSON_ABSENT);
    static const char *const expected[] = {"2", "-0.575e+1"};
    size_t seen = 0;
    for (uint32_t line = json_first(&json, lines); line != json_end(&json, lines);
         line = json_next(&json, line))
        assert_true(text_is(json_raw(&json, json_member(&json, line, "qty")), expected[seen++]));
    assert_int_equal(seen, 2);
    json_free(&json);
}

static void hands_out_strings_unescaped(void **state)
{
    (void)state;
    struct json json =
        parsed("{\"p\":\"plain\",\"e\":\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9"
               "\\u20ac\\ud83d\\ude00\",\"b\\u0061ck\\\\slash\":1,\"back\\\\u0061\":2}");
    struct buffer scratch = {0};
    buffer_add_string(&scratch, "kept ");
    struct text plain = json_text(&json, json_member(&json, 0, "p"), &scratch);
    assert_true(text_is(plain, "plain"));
    assert_int_equal(scratch.length, 5);
    struct text escaped = json_text(&json, json_member(&json, 0, "e"), &scratch);
    assert_true(text_is(escaped, "a\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
    assert_int_equal(scratch.length, 5 + escaped.length);
    assert_true(text_is(json_raw(&json, json_member(&json, 0, "back\\slash")), "1"));
    assert_true(text_is(json_raw(&json, json_member(&json, 0, "back\\u0061")), "2"));
    assert_true(json_string_is(&json, json_member(&json, 0, "p"), "plain"));
    assert_false(json_string_is(&json, json_member(&json, 0, "p"), "plai"));
    assert_false(json_string_is(&json, json_member(&json, 0, "p"), "plain "));
    assert_false(json_string_is(&json, json_member(&json, 0, "back\\slash"), "1"));
    assert_false(json_string_is(&json, JSON_ABSENT, ""));
    buffer_free(&scratch);
    json_free(&json);
}

static void reads_integers_that_fit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        int64_t value;
    } rows[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"4711", 0, 4711},
        {"9223372036854775807", 0, INT64_MAX},
        {"9223372036854775808", -1, 0},
        {"-9223372036854775808", 0, INT64_MIN},
        {"-9223372036854775809", -1, 0},
        {"18446744073709551616", -1, 0},
        {"99999999999999999999999", -1, 0},
        {"1.0", -1, 0},
        {"1e3", -1, 0},
        {"\"1\"", -1, 0},
        {"true", -1, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json json = parsed(rows[i].text);
        int64_t value = 77;
        assert_int_equal(json_int(&json, 0, &value), rows[i].result);
        assert_true(value == (rows[i].result == 0 ? rows[i].value : 77));
        json_free(&json);
    }
    struct json json = parsed("0");
    int64_t value;
    assert_int_equal(json_int(&json, JSON_ABSENT, &value), -1);
    json_free(&json);
}

static void keeps_and_gives_back_the_tape(void **state)
{
    (void)state;
    struct json json = parsed("[1,2,3]");
    uint32_t capacity = json.capacity;
    struct json_node *nodes = json.nodes;
    json_shrink(&json, capacity);
    assert_int_equal(json_parse(&json, text_of("[true]"), NULL), 0);
    assert_ptr_equal(json.nodes, nodes);
    assert_int_equal(json.count, 2);
    json_shrink(&json, capacity - 1);
    assert_null(json.nodes);
    assert_int_equal(json_parse(&json, text_of("[true]"), NULL), 0);
    json_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_the_standard_allows),
        cmocka_unit_test(refuses_everything_else_and_says_where),
        cmocka_unit_test(reads_nothing_past_the_end),
        cmocka_unit_test(nests_to_the_limit_and_no_deeper),
        cmocka_unit_test(takes_many_keys_in_little_time),
        cmocka_unit_test(finds_one_key_twice_among_many),
        cmocka_unit_test(refuses_a_text_over_the_limit_unread),
        cmocka_unit_test(says_so_where_there_is_no_memory),
        cmocka_unit_test(finds_members_and_elements),
        cmocka_unit_test(hands_out_strings_unescaped),
        cmocka_unit_test(reads_integers_that_fit),
        cmocka_unit_test(keeps_and_gives_back_the_tape),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
