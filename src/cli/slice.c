#include "cli/slice.h"

#include "base/json.h"

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

/* Past a string that begins at `at`; `end` where it never ends. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && at + 1 < end)
            at++;
    return at < end ? at + 1 : end;
}

static const char *skip_container(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if ((*at == '}' || *at == ']') && --depth == 0)
            return at + 1;
        at++;
    }
    return end;
}

static const char *skip_value(const char *at, const char *end)
{
    if (at == end)
        return end;
    if (*at == '"')
        return skip_string(at, end);
    if (*at == '{' || *at == '[')
        return skip_container(at, end);
    while (at < end && *at != ',' && *at != '}' && *at != ']' && !is_space(*at))
        at++;
    return at;
}

/* Past white space and one comma, where there are. */
static const char *skip_comma(const char *at, const char *end)
{
    at = skip_space(at, end);
    return at < end && *at == ',' ? skip_space(at + 1, end) : at;
}

/* One member from `at` on, which becomes the place after it and its comma. */
static bool next_member(const char **at, const char *end, struct text *key, struct text *value)
{
    const char *from = *at;
    if (from == end || *from != '"')
        return false;
    const char *after = skip_string(from, end);
    *key = (struct text){from + 1, (size_t)(after - from) - (after - from > 1 ? 2 : 1)};
    after = skip_space(after, end);
    if (after == end || *after != ':')
        return false;
    after = skip_space(after + 1, end);
    const char *stop = skip_value(after, end);
    if (stop == after)
        return false;
    *value = (struct text){after, (size_t)(stop - after)};
    *at = skip_comma(stop, end);
    return true;
}

static const char *inside(struct text text, char bracket, const char **end)
{
    *end = text.bytes + text.length;
    if (text.length == 0 || *text.bytes != bracket)
        return *end;
    return skip_space(text.bytes + 1, *end);
}

struct text slice_member(struct text object, const char *name)
{
    const char *end;
    const char *at = inside(object, '{', &end);
    struct text key, value;
    while (next_member(&at, end, &key, &value))
        if (text_is(key, name))
            return value;
    return (struct text){NULL, 0};
}

bool slice_next(struct text array, size_t *position, struct text *element)
{
    const char *end;
    const char *at = inside(array, '[', &end);
    if (*position > 0)
        at = array.bytes + *position;
    const char *stop = skip_value(at, end);
    if (stop == at)
        return false;
    *element = (struct text){at, (size_t)(stop - at)};
    *position = (size_t)(skip_comma(stop, end) - array.bytes);
    return true;
}

int slice_int(struct text value, int64_t *number)
{
    size_t at = value.length > 0 && value.bytes[0] == '-' ? 1 : 0;
    uint64_t limit = (uint64_t)INT64_MAX + at;
    uint64_t sum = 0;
    if (at == value.length)
        return -1;
    for (size_t i = at; i < value.length; i++) {
        uint64_t digit = (uint64_t)(unsigned char)value.bytes[i] - '0';
        if (digit > 9 || sum > (limit - digit) / 10)
            return -1;
        sum = sum * 10 + digit;
    }
    *number = at ? (int64_t)(0 - sum) : (int64_t)sum;
    return 0;
}

int64_t slice_int_or(struct text value, int64_t otherwise)
{
    int64_t number;
    return slice_int(value, &number) == 0 ? number : otherwise;
}

bool slice_is_true(struct text value)
{
    return text_is(value, "true");
}

struct text slice_string(struct text value, struct buffer *scratch)
{
    if (value.length < 2 || value.bytes[0] != '"' || value.bytes[value.length - 1] != '"')
        return value;
    struct text string = {value.bytes + 1, value.length - 2};
    if (!memchr(string.bytes, '\\', string.length))
        return string;
    struct json json = {0};
    struct failure failure;
    size_t before = scratch->length;
    if (json_parse(&json, value, &failure) == 0) {
        struct text plain = json_text(&json, 0, scratch);
        if (plain.bytes && !scratch->failed)
            string = (struct text){scratch->bytes + before, plain.length};
    }
    json_free(&json);
    return string;
}

struct text slice_after_first(struct text object)
{
    const char *end;
    const char *at = inside(object, '{', &end);
    struct text key, value;
    if (!next_member(&at, end, &key, &value) || end[-1] != '}' || at >= end)
        return (struct text){NULL, 0};
    return (struct text){at, (size_t)(end - 1 - at)};
}
