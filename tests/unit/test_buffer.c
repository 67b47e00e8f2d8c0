/* buffer: it grows, it remembers that it failed, and its numbers and strings are what they say. */
#include "base/buffer.h"
#include "support.h"

static void what_is_added_lies_in_order(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_add_string(&buffer, "ab");
    buffer_add_byte(&buffer, 'c');
    buffer_add_text(&buffer, TEXT_LITERAL("de"));
    buffer_add_format(&buffer, "%d%s", 1, "f");
    buffer_add(&buffer, NULL, 0);
    assert_text(buffer_text(&buffer), "abcde1f");
    buffer_free(&buffer);
    assert_null(buffer.bytes);
}

static void it_grows_byte_by_byte_and_loses_none(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    for (int i = 0; i < 100000; i++)
        buffer_add_byte(&buffer, (char)(i % 251));
    assert_int_equal(buffer.length, 100000);
    for (int i = 0; i < 100000; i++)
        if (buffer.bytes[i] != (char)(i % 251))
            fail_msg("byte %d: got %d", i, buffer.bytes[i]);
    buffer_free(&buffer);
}

static void reserved_room_is_the_callers_to_fill(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_add_string(&buffer, "x");
    char *room = buffer_reserve(&buffer, 1000);
    memset(room, 'y', 1000);
    buffer.length += 1000;
    assert_int_equal(buffer.bytes[0], 'x');
    assert_int_equal(buffer.bytes[1000], 'y');
    buffer_free(&buffer);
}

static void no_room_is_reserved_without_failing(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_non_null(buffer_reserve(&buffer, 0));
    assert_false(buffer.failed);
    buffer_free(&buffer);
}

static void a_failure_is_remembered_and_nothing_more_is_taken(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_add_string(&buffer, "whole");
    assert_null(buffer_reserve(&buffer, SIZE_MAX / 2));
    assert_true(buffer.failed);
    buffer_add_string(&buffer, " no more");
    buffer_add_format(&buffer, "%d", 1);
    assert_text(buffer_text(&buffer), "whole");
    assert_true(buffer.failed);
    buffer_clear(&buffer);
    buffer_add_string(&buffer, "anew");
    assert_text(buffer_text(&buffer), "anew");
    assert_false(buffer.failed);
    buffer_free(&buffer);
}

static void clear_keeps_the_memory_and_shrink_gives_it_back(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_reserve(&buffer, 5000);
    buffer_clear(&buffer);
    assert_true(buffer.capacity >= 5000);
    buffer_shrink(&buffer, 10000);
    assert_true(buffer.capacity >= 5000);
    buffer_shrink(&buffer, 4999);
    assert_int_equal(buffer.capacity, 0);
    assert_null(buffer.bytes);
}

static void integers_are_written_to_the_edge_of_64_bits(void **state)
{
    static const struct {
        int64_t value;
        const char *digits;
    } known[] = {{0, "0"},
                 {7, "7"},
                 {-1, "-1"},
                 {INT64_MAX, "9223372036854775807"},
                 {INT64_MIN, "-9223372036854775808"}};
    (void)state;
    struct buffer buffer = {0};
    for (size_t i = 0; i < COUNT(known); i++) {
        buffer_clear(&buffer);
        buffer_add_int(&buffer, known[i].value);
        assert_text(buffer_text(&buffer), known[i].digits);
    }
    buffer_free(&buffer);
}

static void json_strings_are_escaped_one_way(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_add_json(&buffer, TEXT_LITERAL("a\"b\\c/\x01\n\x1f\x7f\xc3\xa9"));
    assert_text(buffer_text(&buffer), "\"a\\\"b\\\\c/\\u0001\\u000a\\u001f\x7f\xc3\xa9\"");
    buffer_clear(&buffer);
    buffer_add_json(&buffer, (struct text){0});
    assert_text(buffer_text(&buffer), "\"\"");
    buffer_free(&buffer);
}

static void varints_have_7_bits_a_byte_low_bits_first(void **state)
{
    static const struct {
        uint64_t value;
        size_t length;
        const char *bytes;
    } known[] = {
        {0, 1, "\x00"},
        {127, 1, "\x7f"},
        {128, 2, "\x80\x01"},
        {300, 2, "\xac\x02"},
        {16383, 2, "\xff\x7f"},
        {16384, 3, "\x80\x80\x01"},
        {UINT64_MAX, 10, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
    };
    (void)state;
    struct buffer buffer = {0};
    for (size_t i = 0; i < COUNT(known); i++) {
        buffer_clear(&buffer);
        buffer_add_varint(&buffer, known[i].value);
        assert_int_equal(buffer.length, known[i].length);
        assert_memory_equal(buffer.bytes, known[i].bytes, known[i].length);
    }
    buffer_free(&buffer);
}

static void what_is_consumed_is_taken_off_the_front(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_consume(&buffer, 0);
    buffer_add_string(&buffer, "abcdef");
    buffer_consume(&buffer, 2);
    assert_text(buffer_text(&buffer), "cdef");
    buffer_consume(&buffer, 4);
    assert_int_equal(buffer.length, 0);
    buffer_free(&buffer);
}

static bool holds(const struct buffer *buffer, const char *word)
{
    return memmem(buffer->bytes, buffer->capacity, word, strlen(word)) != NULL;
}

static void a_secret_buffer_wipes_what_it_holds_no_more(void **state)
{
    (void)state;
    struct buffer buffer = {.secret = true};
    buffer_reserve(&buffer, 256);
    memset(buffer.bytes, 0, buffer.capacity);
    buffer_add_string(&buffer, "rosebud and more");
    assert_true(holds(&buffer, "rosebud"));
    buffer_consume(&buffer, 8);
    assert_text(buffer_text(&buffer), "and more");
    assert_false(holds(&buffer, "rosebud"));
    assert_true(holds(&buffer, "and more"));
    buffer_add_string(&buffer, "rosebud");
    buffer_clear(&buffer);
    assert_false(holds(&buffer, "and"));
    assert_false(holds(&buffer, "rosebud"));
    buffer_free(&buffer);
    assert_true(buffer.secret);
}

static void a_secret_buffer_grows_and_loses_no_byte(void **state)
{
    (void)state;
    struct buffer buffer = {.secret = true};
    for (int i = 0; i < 100000; i++)
        buffer_add_byte(&buffer, (char)i);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(buffer.bytes[i], (char)i);
    assert_int_equal(buffer.length, 100000);
    buffer_free(&buffer);
}

static void what_it_holds_is_fitted_to_what_lies_in_it(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    for (int i = 0; i < 100000; i++)
        buffer_add_byte(&buffer, (char)i);
    buffer_fit(&buffer, 100);
    assert_true(buffer.capacity >= 100000);
    buffer_consume(&buffer, 99000);
    buffer_fit(&buffer, 100);
    assert_int_equal(buffer.capacity, 1000);
    assert_int_equal(buffer.length, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buffer.bytes[i], (char)(99000 + i));
    buffer_consume(&buffer, 990);
    buffer_fit(&buffer, 100);
    assert_int_equal(buffer.capacity, 100);
    buffer_consume(&buffer, 10);
    buffer_fit(&buffer, 100);
    assert_int_equal(buffer.capacity, 100); /* it may keep that */
    buffer_free(&buffer);
}

static void a_long_buffer_is_moved_and_a_short_one_copied(void **state)
{
    (void)state;
    struct buffer to = {0}, from = {0};
    buffer_add_string(&from, "short");
    buffer_add_buffer(&to, &from);
    assert_int_equal(from.length, 0);
    for (int i = 0; i < 100000; i++)
        buffer_add_byte(&from, 'x');
    buffer_add_buffer(&to, &from); /* something lies in the way */
    assert_int_equal(to.length, 100005);
    assert_memory_equal(to.bytes, "shortxx", 7);
    buffer_clear(&to);
    for (int i = 0; i < 100000; i++)
        buffer_add_byte(&from, 'y');
    const char *bytes = from.bytes;
    buffer_add_buffer(&to, &from);
    assert_ptr_equal(to.bytes, bytes);
    assert_int_equal(to.length, 100000);
    assert_int_equal(from.length, 0);
    buffer_free(&to);
    buffer_free(&from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_lies_in_order),
        cmocka_unit_test(it_grows_byte_by_byte_and_loses_none),
        cmocka_unit_test(reserved_room_is_the_callers_to_fill),
        cmocka_unit_test(no_room_is_reserved_without_failing),
        cmocka_unit_test(a_failure_is_remembered_and_nothing_more_is_taken),
        cmocka_unit_test(clear_keeps_the_memory_and_shrink_gives_it_back),
        cmocka_unit_test(integers_are_written_to_the_edge_of_64_bits),
        cmocka_unit_test(json_strings_are_escaped_one_way),
        cmocka_unit_test(varints_have_7_bits_a_byte_low_bits_first),
        cmocka_unit_test(what_is_consumed_is_taken_off_the_front),
        cmocka_unit_test(what_it_holds_is_fitted_to_what_lies_in_it),
        cmocka_unit_test(a_long_buffer_is_moved_and_a_short_one_copied),
        cmocka_unit_test(a_secret_buffer_wipes_what_it_holds_no_more),
        cmocka_unit_test(a_secret_buffer_grows_and_loses_no_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
