/* decimal: against a slow reader that works on digits on paper, and back again.
 *
 * Input: a byte that says how many decimals are asked for, then the text. */
#include "base/decimal.h"
#include "fuzz.h"

#define FAR 100000 /* of an exponent: more than any input has digits */

/* -?D(.D)?(e[+-]?D)? as a table: the next state for each kind of byte; 0 = refused. */
enum { START = 1, SIGNED, WHOLE, POINT, FRACTION, EXPONENT, EXPONENT_SIGNED, POWER };
enum { DIGIT, MINUS, PLUS, DOT, E, OTHER };
static const char next_state[][6] = {
    [START] = {WHOLE, SIGNED, 0, 0, 0, 0},
    [SIGNED] = {WHOLE, 0, 0, 0, 0, 0},
    [WHOLE] = {WHOLE, 0, 0, POINT, EXPONENT, 0},
    [POINT] = {FRACTION, 0, 0, 0, 0, 0},
    [FRACTION] = {FRACTION, 0, 0, 0, EXPONENT, 0},
    [EXPONENT] = {POWER, EXPONENT_SIGNED, EXPONENT_SIGNED, 0, 0, 0},
    [EXPONENT_SIGNED] = {POWER, 0, 0, 0, 0, 0},
    [POWER] = {POWER, 0, 0, 0, 0, 0},
};

static int kind_of(char byte)
{
    if (byte >= '0' && byte <= '9')
        return DIGIT;
    return byte == '-'                  ? MINUS
           : byte == '+'                ? PLUS
           : byte == '.'                ? DOT
           : byte == 'e' || byte == 'E' ? E
                                        : OTHER;
}

struct paper {
    bool negative, negative_power;
    char digits[8192]; /* without leading zeros */
    long count, fraction, power;
};

static bool write_down(struct text text, struct paper *paper)
{
    int state = START;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.bytes[i];
        state = next_state[state][kind_of(byte)];
        if (state == 0)
            return false;
        if (state == SIGNED)
            paper->negative = true;
        if (state == EXPONENT_SIGNED)
            paper->negative_power = byte == '-';
        if ((state == WHOLE || state == FRACTION) && (byte != '0' || paper->count > 0))
            paper->digits[paper->count++] = byte;
        if (state == FRACTION)
            paper->fraction++;
        if (state == POWER && paper->power < FAR)
            paper->power = paper->power * 10 + (byte - '0');
    }
    return state == WHOLE || state == FRACTION || state == POWER;
}

static enum decimal_result parse_slowly(struct text text, int decimals, int64_t *value)
{
    static struct paper paper;
    static const char most[] = "9223372036854775807";
    paper = (struct paper){0};
    if (!write_down(text, &paper))
        return DECIMAL_NOT_A_NUMBER;
    long written = paper.fraction - (paper.negative_power ? -paper.power : paper.power);
    if (written > decimals)
        return DECIMAL_TOO_PRECISE;
    *value = 0;
    if (paper.count == 0)
        return DECIMAL_OK;
    if (paper.count + decimals - written > 19)
        return DECIMAL_TOO_LARGE;
    for (; written < decimals; written++)
        paper.digits[paper.count++] = '0';
    if (paper.count == 19 && memcmp(paper.digits, most, 19) > 0)
        return DECIMAL_TOO_LARGE;
    for (long i = 0; i < paper.count; i++)
        *value = *value * 10 + (paper.digits[i] - '0');
    if (paper.negative)
        *value = -*value;
    return DECIMAL_OK;
}

static void come_back(int64_t value, int decimals)
{
    char out[DECIMAL_STRING_BYTES];
    int64_t again = 0;
    size_t length = decimal_format(value, decimals, out);
    if (length >= sizeof out || strlen(out) != length)
        breach("%lld with %d decimals is %zu bytes", (long long)value, decimals, length);
    enum decimal_result result = decimal_parse((struct text){out, length}, decimals, &again);
    if (value == INT64_MIN ? result != DECIMAL_TOO_LARGE : result != DECIMAL_OK || again != value)
        breach("%lld is written %s and read as %lld", (long long)value, out, (long long)again);
    const char *point = strchr(out, '.');
    if (point && (out[length - 1] == '0' || point == out || point[1] == '\0'))
        breach("%s is not the shortest form", out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct input input = {bytes, bytes + length};
    int decimals = input_byte(&input) % 19;
    struct text text = input_rest(&input);
    if (text.length > 4096)
        return 0;
    int64_t value = 0, slow = 0;
    enum decimal_result result = decimal_parse(text, decimals, &value);
    enum decimal_result want = parse_slowly(text, decimals, &slow);
    if (result != want || (result == DECIMAL_OK && value != slow))
        breach("%.*s with %d decimals: got %d %lld, want %d %lld", (int)text.length, text.bytes,
               decimals, (int)result, (long long)value, (int)want, (long long)slow);
    if (result == DECIMAL_OK)
        come_back(value, decimals);
    input = (struct input){bytes, bytes + length};
    input_byte(&input);
    come_back((int64_t)input_number(&input, 8), decimals);
    return 0;
}
