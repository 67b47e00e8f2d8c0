/* decimal: what is a decimal number, how it is written, and the limits of 64 bits. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/decimal.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct vector {
    const char *text;
    int decimals;
    enum decimal_result result;
    int64_t value;
};

static const struct vector vectors[] = {
    {"0", 3, DECIMAL_OK, 0},
    {"-0", 3, DECIMAL_OK, 0},
    {"2", 3, DECIMAL_OK, 2000},
    {"-3", 3, DECIMAL_OK, -3000},
    {"0.575", 3, DECIMAL_OK, 575},
    {"-0.575", 3, DECIMAL_OK, -575},
    {"3.80", 4, DECIMAL_OK, 38000},
    {"007", 3, DECIMAL_OK, 7000},
    {"00.5", 3, DECIMAL_OK, 500},
    {"0.10", 3, DECIMAL_OK, 100},
    {"1.000", 3, DECIMAL_OK, 1000},
    {"12", 0, DECIMAL_OK, 12},
    /* exponents count exactly */
    {"5e-1", 3, DECIMAL_OK, 500},
    {"5E-1", 1, DECIMAL_OK, 5},
    {"5e-1", 0, DECIMAL_TOO_PRECISE, 0},
    {"1e-3", 3, DECIMAL_OK, 1},
    {"1e-4", 3, DECIMAL_TOO_PRECISE, 0},
    {"10e-4", 3, DECIMAL_TOO_PRECISE, 0},
    {"1.5e1", 3, DECIMAL_OK, 15000},
    {"1.5e+1", 3, DECIMAL_OK, 15000},
    {"1.2345e1", 3, DECIMAL_OK, 12345},
    {"1.23456e1", 3, DECIMAL_TOO_PRECISE, 0},
    {"1.23456e2", 3, DECIMAL_OK, 123456},
    {"1e15", 3, DECIMAL_OK, 1000000000000000000},
    {"1e16", 3, DECIMAL_TOO_LARGE, 0},
    {"0e16", 3, DECIMAL_OK, 0},
    {"0e999999999999999999999999", 3, DECIMAL_OK, 0},
    {"1e999999999999999999999999", 3, DECIMAL_TOO_LARGE, 0},
    {"1e-999999999999999999999999", 3, DECIMAL_TOO_PRECISE, 0},
    {"0e-4", 3, DECIMAL_TOO_PRECISE, 0},
    {"1e0000000001", 3, DECIMAL_OK, 10000},
    /* more decimals than asked for, even zeros */
    {"1.0000", 3, DECIMAL_TOO_PRECISE, 0},
    {"0.0001", 3, DECIMAL_TOO_PRECISE, 0},
    {"0.0000", 3, DECIMAL_TOO_PRECISE, 0},
    {"99999999999999999999.0000", 3, DECIMAL_TOO_PRECISE, 0},
    /* the limits */
    {"9223372036854775.807", 3, DECIMAL_OK, INT64_MAX},
    {"-9223372036854775.807", 3, DECIMAL_OK, -INT64_MAX},
    {"9223372036854775.808", 3, DECIMAL_TOO_LARGE, 0},
    {"-9223372036854775.808", 3, DECIMAL_TOO_LARGE, 0},
    {"9223372036854775807e-3", 3, DECIMAL_OK, INT64_MAX},
    {"9223372036854775807", 0, DECIMAL_OK, INT64_MAX},
    {"9223372036854775807", 3, DECIMAL_TOO_LARGE, 0},
    {"9223372036854776", 3, DECIMAL_TOO_LARGE, 0},
    {"922337203685477.5807", 4, DECIMAL_OK, INT64_MAX},
    {"922337203685477.5808", 4, DECIMAL_TOO_LARGE, 0},
    {"18446744073709551616", 0, DECIMAL_TOO_LARGE, 0},
    {"18446744073709551617", 0, DECIMAL_TOO_LARGE, 0},
    {"000000000000000000000000000000000000000001", 3, DECIMAL_OK, 1000},
    /* not numbers */
    {"", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"-", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"+1", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"--1", 3, DECIMAL_NOT_A_NUMBER, 0},
    {".5", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"5.", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"1.e3", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"1..2", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"1.2.3", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"1e", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"1e+", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"1e1.5", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"e5", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"1,5", 3, DECIMAL_NOT_A_NUMBER, 0},
    {" 1", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"1 ", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"0x10", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"NaN", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"Infinity", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"1\xef\xbc\x91", 3, DECIMAL_NOT_A_NUMBER, 0},
    {"99999999999999999999x", 3, DECIMAL_NOT_A_NUMBER, 0},
};

static void parses_each_vector(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        int64_t value = 77;
        enum decimal_result result =
            decimal_parse(text_of(vectors[i].text), vectors[i].decimals, &value);
        int64_t expected = vectors[i].result == DECIMAL_OK ? vectors[i].value : 77;
        if (result != vectors[i].result || value != expected)
            fail_msg("\"%s\" at %d: %s, %" PRId64, vectors[i].text, vectors[i].decimals,
                     decimal_reason(result), value);
    }
    int64_t value;
    assert_int_equal(decimal_parse((struct text){0}, 3, &value), DECIMAL_NOT_A_NUMBER);
    /* a view into more digits ends where it says */
    assert_int_equal(decimal_parse((struct text){"12345", 2}, 0, &value), DECIMAL_OK);
    assert_int_equal(value, 12);
}

static void formats_in_the_shortest_form(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        int decimals;
        const char *text;
    } rows[] = {
        {0, 3, "0"},
        {2000, 3, "2"},
        {575, 3, "0.575"},
        {-3000, 3, "-3"},
        {-575, 3, "-0.575"},
        {100, 3, "0.1"},
        {10, 3, "0.01"},
        {1, 3, "0.001"},
        {-1, 3, "-0.001"},
        {38000, 4, "3.8"},
        {1000000, 3, "1000"},
        {100, 0, "100"},
        {INT64_MAX, 3, "9223372036854775.807"},
        {INT64_MIN, 3, "-9223372036854775.808"},
        {INT64_MIN, 0, "-9223372036854775808"},
        {INT64_MIN, 4, "-922337203685477.5808"},
        {INT64_MIN, 18, "-9.223372036854775808"},
        {-1, 18, "-0.000000000000000001"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[DECIMAL_STRING_BYTES];
        size_t length = decimal_format(rows[i].value, rows[i].decimals, text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(length, strlen(rows[i].text));
    }
}

/* Every value that can be read comes back from its own shortest form. */
static void reads_back_what_it_writes(void **state)
{
    (void)state;
    uint64_t seed = 0x2545f4914f6cdd1d;
    for (int i = 0; i < 200000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        int64_t value = (int64_t)(seed >> (1 + i % 60));
        if (i % 2)
            value = -value;
        int decimals = i % 19;
        char text[DECIMAL_STRING_BYTES];
        decimal_format(value, decimals, text);
        int64_t back;
        assert_int_equal(decimal_parse(text_of(text), decimals, &back), DECIMAL_OK);
        assert_true(back == value);
    }
}

static void writes_json_strings(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    decimal_add_json(&buffer, -575, QUANTITY_DECIMALS);
    decimal_add_json(&buffer, 38000, MONEY_DECIMALS);
    assert_true(text_is(buffer_text(&buffer), "\"-0.575\"\"3.8\""));
    buffer_free(&buffer);
}

static void gives_each_result_its_own_reason(void **state)
{
    (void)state;
    assert_string_equal(decimal_reason(DECIMAL_NOT_A_NUMBER), "is not a decimal number");
    assert_string_equal(decimal_reason(DECIMAL_TOO_PRECISE), "has too many decimals");
    assert_string_equal(decimal_reason(DECIMAL_TOO_LARGE), "is too large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_each_vector),
        cmocka_unit_test(formats_in_the_shortest_form),
        cmocka_unit_test(reads_back_what_it_writes),
        cmocka_unit_test(writes_json_strings),
        cmocka_unit_test(gives_each_result_its_own_reason),
    };
    return cmocka_run_group_tests_name("decimal", tests, NULL, NULL);
}
