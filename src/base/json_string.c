#include "base/json_string.h"

#include <stdint.h>

/* What a byte may be inside a string. */
enum { PLAIN, QUOTE, BACKSLASH, CONTROL, MULTIBYTE };

static const uint8_t byte_class[256] = {
    [0x00 ... 0x1f] = CONTROL,
    ['"'] = QUOTE,
    ['\\'] = BACKSLASH,
    [0x80 ... 0xff] = MULTIBYTE,
};

/* Eight bytes at a time: false where all are plain ASCII. May be true for nothing but then costs
 * only a look at each byte. */
static inline bool word_needs_a_look(const char *at)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t tops = 0x8080808080808080u;
    uint64_t word;
    memcpy(&word, at, sizeof word);
    uint64_t quote = word ^ (ones * '"');
    uint64_t backslash = word ^ (ones * '\\');
    return ((word | (word - ones * 0x20) | (quote - ones) | (backslash - ones)) & tops) != 0;
}

static inline const char *skip_plain(const char *at, const char *end)
{
    while (end - at >= 8 && !word_needs_a_look(at))
        at += 8;
    while (at < end && byte_class[(unsigned char)*at] == PLAIN)
        at++;
    return at;
}

static inline bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Length of the UTF-8 character of two to four bytes at `at`; 0 where it is not one: cut short,
 * longer than need be, a surrogate, or past U+10FFFF (RFC 3629, section 4). */
static int utf8_length(const char *at, const char *end)
{
    unsigned char lead = (unsigned char)*at;
    int length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || end - at < length)
        return 0;
    for (int i = 1; i < length; i++)
        if (!is_continuation(at[i]))
            return 0;
    unsigned char second = (unsigned char)at[1];
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f))
        return 0;
    return length;
}

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte = (char)(byte | 0x20);
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    return -1;
}

/* The value of XXXX in \uXXXX, -1 where four hexadecimal digits do not stand before `end`. */
static int32_t hex_unit(const char *at, const char *end)
{
    if (end - at < 4)
        return -1;
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static bool is_high_surrogate(int32_t unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low_surrogate(int32_t unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* Where the escape that begins at `at` ends; NULL and `wrong` set where it is not one. */
static const char *scan_escape(const char *at, const char *end, const char **wrong)
{
    *wrong = "an unknown escape";
    if (end - at < 2)
        return NULL;
    if (at[1] != 'u')
        return at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) ? at + 2 : NULL;
    int32_t unit = hex_unit(at + 2, end);
    if (unit < 0)
        return NULL;
    *wrong = "the character U+0000";
    if (unit == 0)
        return NULL;
    *wrong = "an unpaired surrogate";
    if (is_low_surrogate(unit))
        return NULL;
    if (!is_high_surrogate(unit))
        return at + 6;
    if (end - at < 12 || at[6] != '\\' || at[7] != 'u' || !is_low_surrogate(hex_unit(at + 8, end)))
        return NULL;
    return at + 12;
}

struct json_scan json_string_scan(const char *at, const char *end)
{
    struct json_scan scan = {.stop = at};
    for (;;) {
        scan.stop = at = skip_plain(at, end);
        if (at == end) {
            scan.wrong = "the text ends within a string";
            return scan;
        }
        const char *after = NULL;
        switch (byte_class[(unsigned char)*at]) {
        case QUOTE:
            return scan;
        case BACKSLASH:
            scan.escaped = true;
            after = scan_escape(at, end, &scan.wrong);
            break;
        case MULTIBYTE:
            after = at + utf8_length(at, end);
            scan.wrong = "invalid UTF-8";
            break;
        default:
            scan.wrong = "a control character in a string";
            break;
        }
        if (!after || after == at)
            return scan;
        scan.wrong = NULL;
        at = after;
    }
}

static int utf8_put(uint32_t point, char out[4])
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    int length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (int i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    out[0] = (char)(lead[length] | point);
    return length;
}

/* Decodes the well-formed escape at *at, moves past it, and returns how many bytes it stands for.
 */
static int decode_escape(const char **at, const char *end, char out[4])
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *escape = *at;
    if (escape[1] != 'u') {
        *at = escape + 2;
        out[0] = meanings[strchr(letters, escape[1]) - letters];
        return 1;
    }
    int32_t unit = hex_unit(escape + 2, end);
    *at = escape + 6;
    uint32_t point = (uint32_t)unit;
    if (is_high_surrogate(unit)) {
        int32_t low = hex_unit(escape + 8, end);
        *at = escape + 12;
        point = 0x10000u + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
    }
    return utf8_put(point, out);
}

void json_string_add(struct buffer *out, struct text inside)
{
    const char *at = inside.bytes;
    const char *end = at + inside.length;
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        buffer_add(out, at, (size_t)((escape ? escape : end) - at));
        if (!escape)
            return;
        char bytes[4];
        at = escape;
        int length = decode_escape(&at, end, bytes);
        buffer_add(out, bytes, (size_t)length);
    }
}

/* Hands out the bytes a string stands for, one at a time. */
struct byte_source {
    const char *at;
    const char *end;
    char decoded[4];
    int decoded_count;
    int decoded_next;
};

static int next_byte(struct byte_source *source)
{
    if (source->decoded_next < source->decoded_count)
        return (unsigned char)source->decoded[source->decoded_next++];
    if (source->at == source->end)
        return -1;
    if (*source->at != '\\')
        return (unsigned char)*source->at++;
    source->decoded_count = decode_escape(&source->at, source->end, source->decoded);
    source->decoded_next = 1;
    return (unsigned char)source->decoded[0];
}

int json_string_compare(struct text a, struct text b)
{
    struct byte_source left = {.at = a.bytes, .end = a.bytes + a.length};
    struct byte_source right = {.at = b.bytes, .end = b.bytes + b.length};
    for (;;) {
        int l = next_byte(&left);
        int r = next_byte(&right);
        if (l != r)
            return l < r ? -1 : 1;
        if (l < 0)
            return 0;
    }
}

bool json_string_means(struct text inside, struct text bytes)
{
    struct byte_source source = {.at = inside.bytes, .end = inside.bytes + inside.length};
    for (size_t i = 0; i < bytes.length; i++)
        if (next_byte(&source) != (unsigned char)bytes.bytes[i])
            return false;
    return next_byte(&source) < 0;
}
