#include "base/json.h"
#include "base/json_string.h"

enum json_type json_type(const struct json *json, uint32_t node)
{
    return node == JSON_ABSENT ? JSON_NULL : (enum json_type)json->nodes[node].type;
}

uint32_t json_first(const struct json *json, uint32_t container)
{
    (void)json;
    return container + 1;
}

uint32_t json_end(const struct json *json, uint32_t container)
{
    return json->nodes[container].next;
}

uint32_t json_next(const struct json *json, uint32_t node)
{
    return json->nodes[node].next;
}

static struct text inside_of(const struct json *json, uint32_t node)
{
    const struct json_node *at = &json->nodes[node];
    return (struct text){json->text.bytes + at->start, at->length};
}

uint32_t json_member(const struct json *json, uint32_t object, const char *name)
{
    if (json_type(json, object) != JSON_OBJECT)
        return JSON_ABSENT;
    struct text wanted = text_of(name);
    uint32_t end = json_end(json, object);
    for (uint32_t key = json_first(json, object); key != end; key = json_next(json, key + 1)) {
        const struct json_node *node = &json->nodes[key];
        bool same = node->escaped
                        ? json_string_means(inside_of(json, key), wanted)
                        : node->length == wanted.length && text_equal(inside_of(json, key), wanted);
        if (same)
            return key + 1;
    }
    return JSON_ABSENT;
}

struct text json_raw(const struct json *json, uint32_t node)
{
    struct text text = inside_of(json, node);
    if (json->nodes[node].type != JSON_STRING)
        return text;
    return (struct text){text.bytes - 1, text.length + 2};
}

struct text json_text(const struct json *json, uint32_t node, struct buffer *scratch)
{
    struct text inside = inside_of(json, node);
    if (!json->nodes[node].escaped)
        return inside;
    size_t before = scratch->length;
    json_string_add(scratch, inside);
    if (scratch->failed)
        return (struct text){0};
    return (struct text){scratch->bytes + before, scratch->length - before};
}

bool json_string_is(const struct json *json, uint32_t node, const char *string)
{
    if (json_type(json, node) != JSON_STRING)
        return false;
    if (json->nodes[node].escaped)
        return json_string_means(inside_of(json, node), text_of(string));
    return text_is(inside_of(json, node), string);
}

int json_int(const struct json *json, uint32_t node, int64_t *value)
{
    if (json_type(json, node) != JSON_NUMBER)
        return -1;
    struct text digits = inside_of(json, node);
    bool negative = digits.bytes[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t sum = 0;
    for (size_t i = negative ? 1 : 0; i < digits.length; i++) {
        if (digits.bytes[i] < '0' || digits.bytes[i] > '9')
            return -1;
        uint64_t digit = (uint64_t)(digits.bytes[i] - '0');
        if (sum > (limit - digit) / 10)
            return -1;
        sum = sum * 10 + digit;
    }
    *value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return 0;
}
