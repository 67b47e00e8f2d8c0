/* line: the same lines come out however the stream is cut. */
#include "net/line.h"
#include "support.h"

#define LIMIT 5

/* What came out of a splitter: each line in brackets, then how it ended. */
struct heard {
    struct line_splitter splitter;
    char text[256];
    size_t length;
    enum line_result result; /* of the last look */
};

static void hear(struct heard *heard, const char *bytes, size_t length, size_t limit_bytes)
{
    struct text line;
    /* A copy of just these bytes, so that the address sanitizer sees a look beyond them. */
    char *copy = malloc(length ? length : 1);
    memcpy(copy, bytes, length);
    line_feed(&heard->splitter, (struct text){copy, length});
    while ((heard->result = line_next(&heard->splitter, limit_bytes, &line)) == LINE_WHOLE) {
        assert_true(heard->length + line.length + 3 < sizeof heard->text);
        heard->length += (size_t)snprintf(heard->text + heard->length, 256 - heard->length,
                                          "[%.*s]", (int)line.length, line.bytes);
    }
    free(copy);
}

static void expect(const char *stream, const char *lines, enum line_result result)
{
    struct heard heard = {0};
    hear(&heard, stream, strlen(stream), LIMIT);
    assert_string_equal(heard.text, lines);
    assert_int_equal(heard.result, result);
    line_free(&heard.splitter);
}

static void a_line_ends_with_lf_or_cr_lf(void **state)
{
    (void)state;
    expect("ab\ncd\r\n", "[ab][cd]", LINE_NONE);
    expect("ab\ncd", "[ab]", LINE_NONE);
}

static void only_one_cr_and_only_at_the_end_is_taken_off(void **state)
{
    (void)state;
    expect("ab\r\r\n", "[ab\r]", LINE_NONE);
    expect("a\rb\n", "[a\rb]", LINE_NONE);
    expect("\r\r\n", "[\r]", LINE_NONE);
}

static void an_empty_line_is_a_line(void **state)
{
    (void)state;
    expect("\n\r\n\nx\n", "[][][][x]", LINE_NONE);
}

static void nothing_fed_gives_nothing(void **state)
{
    (void)state;
    expect("", "", LINE_NONE);
}

static void a_line_at_the_limit_is_whole(void **state)
{
    (void)state;
    expect("12345\n", "[12345]", LINE_NONE);
    expect("12345\r\n", "[12345]", LINE_NONE);
}

static void a_line_over_the_limit_is_refused(void **state)
{
    (void)state;
    expect("a\n123456\nb\n", "[a]", LINE_TOO_LONG);
    expect("123456\r\n", "", LINE_TOO_LONG);
    expect("12345\r\r\n", "", LINE_TOO_LONG);
}

static void a_line_over_the_limit_is_refused_before_its_end_comes(void **state)
{
    (void)state;
    expect("123456", "", LINE_TOO_LONG);
    expect("12345\rx", "", LINE_TOO_LONG);
}

static void a_cr_at_the_limit_may_be_half_of_a_line_end(void **state)
{
    (void)state;
    struct heard heard = {0};
    hear(&heard, "12345\r", 6, LIMIT);
    assert_int_equal(heard.result, LINE_NONE);
    hear(&heard, "\nx\n", 3, LIMIT);
    assert_string_equal(heard.text, "[12345][x]");
    line_free(&heard.splitter);
}

/* Every stream of a few bytes out of {a, CR, LF}, cut in every way there is. */
static void however_a_short_stream_is_cut_the_lines_are_the_same(void **state)
{
    (void)state;
    enum { LENGTH = 8, SHORT_LIMIT = 2 };
    for (int number = 0; number < 6561; number++) {
        char stream[LENGTH];
        for (int i = 0, rest = number; i < LENGTH; i++, rest /= 3)
            stream[i] = "a\r\n"[rest % 3];
        struct heard whole = {0};
        hear(&whole, stream, LENGTH, SHORT_LIMIT);
        for (unsigned cuts = 1; cuts < 1u << (LENGTH - 1); cuts++) {
            struct heard pieces = {0};
            for (size_t from = 0, to = 1; from < LENGTH && pieces.result != LINE_TOO_LONG; to++) {
                if (to < LENGTH && !(cuts >> (to - 1) & 1))
                    continue;
                hear(&pieces, stream + from, to - from, SHORT_LIMIT);
                from = to;
            }
            if (pieces.result != whole.result || strcmp(pieces.text, whole.text) != 0)
                fail_msg("stream %d cut %x: got %s and %d, want %s and %d", number, cuts,
                         pieces.text, (int)pieces.result, whole.text, (int)whole.result);
            line_free(&pieces.splitter);
        }
        line_free(&whole.splitter);
    }
}

static void a_long_stream_cut_anywhere_or_byte_by_byte_gives_the_same_lines(void **state)
{
    (void)state;
    const char stream[] = "{\"op\":\"status\"}\r\n\n{\"op\":\"stock\",\"sku\":\"A\"}\n\r\n{\"op\":";
    size_t length = sizeof stream - 1;
    struct heard whole = {0}, bytes = {0};
    hear(&whole, stream, length, 64);
    assert_string_equal(whole.text, "[{\"op\":\"status\"}][][{\"op\":\"stock\",\"sku\":\"A\"}][]");
    for (size_t cut = 0; cut <= length; cut++) {
        struct heard two = {0};
        hear(&two, stream, cut, 64);
        hear(&two, stream + cut, length - cut, 64);
        assert_string_equal(two.text, whole.text);
        line_free(&two.splitter);
    }
    for (size_t i = 0; i < length; i++)
        hear(&bytes, stream + i, 1, 64);
    assert_string_equal(bytes.text, whole.text);
    line_free(&bytes.splitter);
    line_free(&whole.splitter);
}

static void a_line_that_came_whole_is_not_copied(void **state)
{
    (void)state;
    const char stream[] = "abc\n";
    struct line_splitter splitter = {0};
    struct text line;
    line_feed(&splitter, text_of(stream));
    assert_int_equal(line_next(&splitter, LIMIT, &line), LINE_WHOLE);
    assert_ptr_equal(line.bytes, stream);
    line_free(&splitter);
}

static void between_two_lines_no_memory_is_held(void **state)
{
    (void)state;
    struct heard heard = {0};
    hear(&heard, "ab", 2, LIMIT);
    assert_non_null(heard.splitter.partial.bytes);
    hear(&heard, "c\n", 2, LIMIT);
    assert_string_equal(heard.text, "[abc]");
    assert_null(heard.splitter.partial.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_ends_with_lf_or_cr_lf),
        cmocka_unit_test(only_one_cr_and_only_at_the_end_is_taken_off),
        cmocka_unit_test(an_empty_line_is_a_line),
        cmocka_unit_test(nothing_fed_gives_nothing),
        cmocka_unit_test(a_line_at_the_limit_is_whole),
        cmocka_unit_test(a_line_over_the_limit_is_refused),
        cmocka_unit_test(a_line_over_the_limit_is_refused_before_its_end_comes),
        cmocka_unit_test(a_cr_at_the_limit_may_be_half_of_a_line_end),
        cmocka_unit_test(however_a_short_stream_is_cut_the_lines_are_the_same),
        cmocka_unit_test(a_long_stream_cut_anywhere_or_byte_by_byte_gives_the_same_lines),
        cmocka_unit_test(a_line_that_came_whole_is_not_copied),
        cmocka_unit_test(between_two_lines_no_memory_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
