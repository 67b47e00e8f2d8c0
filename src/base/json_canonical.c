#include <stdlib.h>

#include "base/json.h"
#include "base/json_string.h"

/* Objects of up to this many members are sorted without asking for memory. */
#define FEW_MEMBERS 16

struct writer {
    const struct json *json;
    const char *const *without;
    struct buffer *out;
    struct buffer scratch; /* one unescaped string at a time */
};

static int compare_keys(const struct json *json, uint32_t a, uint32_t b)
{
    const struct json_node *left = &json->nodes[a];
    const struct json_node *right = &json->nodes[b];
    struct text left_text = {json->text.bytes + left->start, left->length};
    struct text right_text = {json->text.bytes + right->start, right->length};
    if (left->escaped || right->escaped)
        return json_string_compare(left_text, right_text);
    return text_compare(left_text, right_text);
}

static int compare_nodes(const void *a, const void *b, void *json)
{
    return compare_keys(json, *(const uint32_t *)a, *(const uint32_t *)b);
}

static void insertion_sort(const struct json *json, uint32_t *keys, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint32_t key = keys[i];
        uint32_t at = i;
        for (; at > 0 && compare_keys(json, keys[at - 1], key) > 0; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

static void write_string(struct writer *writer, uint32_t node)
{
    if (!writer->json->nodes[node].escaped) {
        buffer_add_text(writer->out, json_raw(writer->json, node));
        return;
    }
    buffer_clear(&writer->scratch);
    struct text bytes = json_text(writer->json, node, &writer->scratch);
    buffer_add_json(writer->out, bytes);
    if (writer->scratch.failed)
        writer->out->failed = true;
}

static bool left_out(const struct writer *writer, uint32_t object, uint32_t key)
{
    if (object != 0 || !writer->without)
        return false;
    for (const char *const *name = writer->without; *name; name++)
        if (json_string_is(writer->json, key, *name))
            return true;
    return false;
}

/* Lists the keys of `object` in their order; returns how many. */
static uint32_t sorted_keys(const struct writer *writer, uint32_t object, uint32_t *keys)
{
    const struct json *json = writer->json;
    uint32_t end = json_end(json, object);
    uint32_t count = 0;
    for (uint32_t key = json_first(json, object); key != end; key = json_next(json, key + 1))
        if (!left_out(writer, object, key))
            keys[count++] = key;
    if (count <= FEW_MEMBERS)
        insertion_sort(json, keys, count);
    else
        qsort_r(keys, count, sizeof *keys, compare_nodes, (void *)(uintptr_t)json);
    return count;
}

static void write_value(struct writer *writer, uint32_t node);

static void write_object(struct writer *writer, uint32_t object)
{
    uint32_t few[FEW_MEMBERS];
    uint32_t *keys = few;
    uint32_t count = writer->json->nodes[object].count;
    if (count > FEW_MEMBERS)
        keys = malloc(count * sizeof *keys);
    if (!keys) {
        writer->out->failed = true;
        return;
    }
    count = sorted_keys(writer, object, keys);
    buffer_add_byte(writer->out, '{');
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_add_byte(writer->out, ',');
        write_string(writer, keys[i]);
        buffer_add_byte(writer->out, ':');
        write_value(writer, keys[i] + 1);
    }
    buffer_add_byte(writer->out, '}');
    if (keys != few)
        free(keys);
}

static void write_array(struct writer *writer, uint32_t array)
{
    const struct json *json = writer->json;
    uint32_t first = json_first(json, array);
    uint32_t end = json_end(json, array);
    buffer_add_byte(writer->out, '[');
    for (uint32_t element = first; element != end; element = json_next(json, element)) {
        if (element != first)
            buffer_add_byte(writer->out, ',');
        write_value(writer, element);
    }
    buffer_add_byte(writer->out, ']');
}

/* Calls itself at most JSON_DEPTH_LIMIT deep, as the reader has seen to. */
static void write_value(struct writer *writer, uint32_t node)
{
    switch (json_type(writer->json, node)) {
    case JSON_OBJECT:
        write_object(writer, node);
        break;
    case JSON_ARRAY:
        write_array(writer, node);
        break;
    case JSON_STRING:
        write_string(writer, node);
        break;
    default:
        buffer_add_text(writer->out, json_raw(writer->json, node));
        break;
    }
}

void json_canonical(const struct json *json, const char *const *without, struct buffer *out)
{
    struct writer writer = {.json = json, .without = without, .out = out};
    write_value(&writer, 0);
    buffer_free(&writer.scratch);
}
