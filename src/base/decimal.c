#include "base/decimal.h"

#include <stdbool.h>

/* An exponent beyond this decides nothing more: a 64-bit count has at most 19 digits, and a text is
 * at most JSON_TEXT_LIMIT_BYTES (64 MiB) of them. */
#define EXPONENT_LIMIT 1000000000

/* A number as it is written: digits without the point, times 10 to the power of -decimals. */
struct written {
    bool negative;
    bool too_large; /* the digits alone do not fit */
    uint64_t digits;
    int64_t decimals; /* negative: so many zeros are missing */
};

static bool is_digit(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

static void add_digit(struct written *number, char digit)
{
    uint64_t value = (uint64_t)(digit - '0');
    if (number->digits > (INT64_MAX - value) / 10)
        number->too_large = true;
    else
        number->digits = number->digits * 10 + value;
}

/* The digits behind e, with their sign; NULL where there are none. */
static const char *read_exponent(const char *at, const char *end, int64_t *exponent)
{
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (!is_digit(at, end))
        return NULL;
    *exponent = 0;
    for (; is_digit(at, end); at++)
        if (*exponent < EXPONENT_LIMIT)
            *exponent = *exponent * 10 + (*at - '0');
    if (negative)
        *exponent = -*exponent;
    return at;
}

static bool read_written(struct text text, struct written *number)
{
    const char *at = text.bytes;
    const char *end = at + text.length;
    if (at < end && *at == '-') {
        number->negative = true;
        at++;
    }
    if (!is_digit(at, end))
        return false;
    for (; is_digit(at, end); at++)
        add_digit(number, *at);
    if (at < end && *at == '.') {
        at++;
        if (!is_digit(at, end))
            return false;
        for (; is_digit(at, end); at++, number->decimals++)
            add_digit(number, *at);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        int64_t exponent;
        at = read_exponent(at + 1, end, &exponent);
        if (!at)
            return false;
        number->decimals -= exponent;
    }
    return at == end;
}

enum decimal_result decimal_parse(struct text text, int decimals, int64_t *value)
{
    struct written number = {0};
    if (text.length == 0 || !read_written(text, &number))
        return DECIMAL_NOT_A_NUMBER;
    if (number.decimals > decimals)
        return DECIMAL_TOO_PRECISE;
    if (number.too_large)
        return DECIMAL_TOO_LARGE;
    uint64_t count = number.digits;
    if (count != 0) {
        for (int64_t zeros = decimals - number.decimals; zeros > 0; zeros--) {
            if (count > INT64_MAX / 10)
                return DECIMAL_TOO_LARGE;
            count *= 10;
        }
    }
    *value = number.negative ? -(int64_t)count : (int64_t)count;
    return DECIMAL_OK;
}

const char *decimal_reason(enum decimal_result result)
{
    switch (result) {
    case DECIMAL_OK:
        return "is a decimal number";
    case DECIMAL_TOO_PRECISE:
        return "has too many decimals";
    case DECIMAL_TOO_LARGE:
        return "is too large";
    default:
        return "is not a decimal number";
    }
}

size_t decimal_format(int64_t value, int decimals, char out[DECIMAL_STRING_BYTES])
{
    char reversed[DECIMAL_STRING_BYTES];
    size_t length = 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    for (; decimals > 0 && rest % 10 == 0; decimals--)
        rest /= 10;
    for (; decimals > 0; decimals--) {
        reversed[length++] = (char)('0' + rest % 10);
        rest /= 10;
        if (decimals == 1)
            reversed[length++] = '.';
    }
    do {
        reversed[length++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0)
        reversed[length++] = '-';
    for (size_t i = 0; i < length; i++)
        out[i] = reversed[length - 1 - i];
    out[length] = '\0';
    return length;
}

void decimal_add_json(struct buffer *buffer, int64_t value, int decimals)
{
    char digits[DECIMAL_STRING_BYTES];
    size_t length = decimal_format(value, decimals, digits);
    buffer_add_byte(buffer, '"');
    buffer_add(buffer, digits, length);
    buffer_add_byte(buffer, '"');
}
