#include "base/json.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/json_string.h"

/* The members of an object are compared each with each up to this many, and put into a hash set
 * above. */
#define PAIRWISE_MEMBERS 16

struct reader {
    const char *begin;
    const char *end;
    struct json *json;
    struct failure *failure;
    uint32_t open[JSON_DEPTH_LIMIT]; /* containers not yet closed, the outermost first */
    uint32_t depth;
};

/* The steps below take where they begin and return where they ended, NULL where they failed. */

static const char *refuse(struct reader *reader, const char *at, const char *what)
{
    failure_set(reader->failure, "BAD_JSON", "byte %zu: %s", (size_t)(at - reader->begin), what);
    return NULL;
}

static const char *refuse_memory(struct reader *reader)
{
    failure_set(reader->failure, "NO_MEMORY", "no memory for a JSON text of %zu bytes",
                (size_t)(reader->end - reader->begin));
    return NULL;
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

static bool grow_tape(struct json *json)
{
    uint32_t capacity = json->capacity ? json->capacity * 2 : 64;
    struct json_node *nodes = realloc(json->nodes, capacity * sizeof *nodes);
    if (!nodes)
        return false;
    json->nodes = nodes;
    json->capacity = capacity;
    return true;
}

/* A new node at the end of the tape, complete but for its length where it is a container. */
static struct json_node *add_node(struct reader *reader, enum json_type type, const char *start,
                                  const char *end)
{
    struct json *json = reader->json;
    if (json->count == json->capacity && !grow_tape(json)) {
        refuse_memory(reader);
        return NULL;
    }
    struct json_node *node = &json->nodes[json->count++];
    *node = (struct json_node){
        .start = (uint32_t)(start - reader->begin),
        .length = (uint32_t)(end - start),
        .next = json->count,
        .type = (uint8_t)type,
    };
    return node;
}

static const char *read_string(struct reader *reader, const char *at)
{
    struct json_scan scan = json_string_scan(at + 1, reader->end);
    if (scan.wrong)
        return refuse(reader, scan.stop, scan.wrong);
    struct json_node *node = add_node(reader, JSON_STRING, at + 1, scan.stop);
    if (!node)
        return NULL;
    node->escaped = scan.escaped;
    return scan.stop + 1;
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

static const char *read_number(struct reader *reader, const char *start)
{
    const char *end = reader->end;
    const char *at = *start == '-' ? start + 1 : start;
    const char *digits = at;
    at = skip_digits(at, end);
    if (at == digits)
        return refuse(reader, at, "a digit was expected");
    if (*digits == '0' && at - digits > 1)
        return refuse(reader, digits, "a number with a leading zero");
    if (at < end && *at == '.') {
        digits = ++at;
        at = skip_digits(at, end);
        if (at == digits)
            return refuse(reader, at, "a digit was expected after the decimal point");
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        digits = at;
        at = skip_digits(at, end);
        if (at == digits)
            return refuse(reader, at, "a digit was expected in the exponent");
    }
    return add_node(reader, JSON_NUMBER, start, at) ? at : NULL;
}

static const char *read_word(struct reader *reader, const char *at)
{
    static const struct {
        const char *word;
        enum json_type type;
    } words[] = {{"null", JSON_NULL}, {"true", JSON_TRUE}, {"false", JSON_FALSE}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i].word);
        if ((size_t)(reader->end - at) >= length && memcmp(at, words[i].word, length) == 0)
            return add_node(reader, words[i].type, at, at + length) ? at + length : NULL;
    }
    return refuse(reader, at, "a value was expected");
}

static const char *read_scalar(struct reader *reader, const char *at)
{
    if (*at == '"')
        return read_string(reader, at);
    if (*at == '-' || (*at >= '0' && *at <= '9'))
        return read_number(reader, at);
    return read_word(reader, at);
}

/* A key, its colon, and nothing more. */
static const char *read_key(struct reader *reader, const char *at)
{
    at = skip_space(at, reader->end);
    if (at == reader->end || *at != '"')
        return refuse(reader, at, "a key in quotes was expected");
    at = read_string(reader, at);
    if (!at)
        return NULL;
    at = skip_space(at, reader->end);
    if (at == reader->end || *at != ':')
        return refuse(reader, at, "':' was expected");
    return at + 1;
}

static struct text inside_of(const struct reader *reader, const struct json_node *node)
{
    return (struct text){reader->begin + node->start, node->length};
}

static bool same_key(const struct reader *reader, uint32_t a, uint32_t b)
{
    const struct json_node *left = &reader->json->nodes[a];
    const struct json_node *right = &reader->json->nodes[b];
    if (left->escaped || right->escaped)
        return json_string_compare(inside_of(reader, left), inside_of(reader, right)) == 0;
    return text_equal(inside_of(reader, left), inside_of(reader, right));
}

static const char *refuse_key(struct reader *reader, uint32_t key)
{
    const struct json_node *node = &reader->json->nodes[key];
    return refuse(reader, reader->begin + node->start - 1, "a key twice in one object");
}

static const char *check_few_keys(struct reader *reader, uint32_t object, const char *at)
{
    const struct json_node *nodes = reader->json->nodes;
    uint32_t seen[PAIRWISE_MEMBERS];
    uint32_t count = 0;
    for (uint32_t key = object + 1; key < reader->json->count; key = nodes[key + 1].next) {
        for (uint32_t i = 0; i < count; i++)
            if (same_key(reader, seen[i], key))
                return refuse_key(reader, key);
        seen[count++] = key;
    }
    return at;
}

/* Open addressing: slot = the key's node, 0 = free (node 0 is the root and never a key). The hash
 * is keyed, so that no document can be written to make the set slow. */
struct key_set {
    uint32_t *slots;
    uint32_t mask;
    struct buffer scratch; /* the last escaped key, unescaped */
};

/* False where an equal key is in the set. */
static bool key_set_add(struct key_set *set, const struct reader *reader, uint32_t key)
{
    const struct json_node *node = &reader->json->nodes[key];
    struct text bytes = inside_of(reader, node);
    if (node->escaped) {
        buffer_clear(&set->scratch);
        json_string_add(&set->scratch, bytes);
        bytes = buffer_text(&set->scratch);
    }
    uint32_t slot = (uint32_t)hash_text(bytes) & set->mask;
    for (; set->slots[slot] != 0; slot = (slot + 1) & set->mask)
        if (same_key(reader, set->slots[slot], key))
            return false;
    set->slots[slot] = key;
    return true;
}

static const char *check_many_keys(struct reader *reader, uint32_t object, const char *at)
{
    const struct json_node *nodes = reader->json->nodes;
    struct key_set set = {.mask = 63};
    while (set.mask / 2 < nodes[object].count)
        set.mask = set.mask * 2 + 1;
    set.slots = calloc((size_t)set.mask + 1, sizeof *set.slots);
    if (!set.slots)
        return refuse_memory(reader);
    for (uint32_t key = object + 1; at && key < reader->json->count; key = nodes[key + 1].next) {
        if (!key_set_add(&set, reader, key))
            at = refuse_key(reader, key);
        else if (set.scratch.failed)
            at = refuse_memory(reader);
    }
    buffer_free(&set.scratch);
    free(set.slots);
    return at;
}

/* The bracket that ends the innermost open container was read; `at` is behind it. */
static const char *close_container(struct reader *reader, const char *at)
{
    uint32_t index = reader->open[--reader->depth];
    struct json_node *node = &reader->json->nodes[index];
    node->length = (uint32_t)(at - reader->begin) - node->start;
    node->next = reader->json->count;
    if (node->type == JSON_ARRAY || node->count < 2)
        return at;
    if (node->count <= PAIRWISE_MEMBERS)
        return check_few_keys(reader, index, at);
    return check_many_keys(reader, index, at);
}

static char closing_bracket(const struct json_node *container)
{
    return container->type == JSON_OBJECT ? '}' : ']';
}

/* Reads the opening bracket at `at`, and for an object its first key. A value follows where the
 * depth has grown; an empty container is closed at once. */
static const char *open_container(struct reader *reader, const char *at)
{
    enum json_type type = *at == '{' ? JSON_OBJECT : JSON_ARRAY;
    if (reader->depth == JSON_DEPTH_LIMIT)
        return refuse(reader, at, "nested too deep");
    uint32_t index = reader->json->count;
    struct json_node *node = add_node(reader, type, at, at + 1);
    if (!node)
        return NULL;
    reader->open[reader->depth++] = index;
    at = skip_space(at + 1, reader->end);
    if (at < reader->end && *at == closing_bracket(node))
        return close_container(reader, at + 1);
    return type == JSON_OBJECT ? read_key(reader, at) : at;
}

/* What may follow a complete value: a comma (and the next key), or closing brackets. Ends where the
 * next value begins, or with depth 0 behind the root. */
static const char *after_value(struct reader *reader, const char *at)
{
    while (at && reader->depth > 0) {
        struct json_node *container = &reader->json->nodes[reader->open[reader->depth - 1]];
        container->count++;
        at = skip_space(at, reader->end);
        if (at < reader->end && *at == ',')
            return container->type == JSON_OBJECT ? read_key(reader, at + 1) : at + 1;
        if (at == reader->end || *at != closing_bracket(container))
            return refuse(reader, at,
                          container->type == JSON_OBJECT ? "',' or '}' was expected"
                                                         : "',' or ']' was expected");
        at = close_container(reader, at + 1);
    }
    return at;
}

static const char *read_root(struct reader *reader, const char *at)
{
    for (;;) {
        at = skip_space(at, reader->end);
        if (at == reader->end)
            return refuse(reader, at, "the text ends where a value was expected");
        uint32_t depth = reader->depth;
        at = *at == '{' || *at == '[' ? open_container(reader, at) : read_scalar(reader, at);
        if (at && reader->depth > depth)
            continue;
        if (at)
            at = after_value(reader, at);
        if (!at || reader->depth == 0)
            return at;
    }
}

int json_parse(struct json *json, struct text text, struct failure *failure)
{
    json->text = text;
    json->count = 0;
    if (text.length > JSON_TEXT_LIMIT_BYTES)
        return failure_set(failure, "BAD_JSON", "byte %u: the text is too long",
                           JSON_TEXT_LIMIT_BYTES);
    const char *begin = text.bytes ? text.bytes : "";
    struct reader reader = {
        .begin = begin, .end = begin + text.length, .json = json, .failure = failure};
    const char *at = read_root(&reader, begin);
    if (!at)
        return -1;
    at = skip_space(at, reader.end);
    if (at != reader.end) {
        refuse(&reader, at, "something stands behind the value");
        return -1;
    }
    return 0;
}

bool json_can_hold(struct text text)
{
    struct buffer quoted = {0};
    struct json json = {0};
    buffer_add_json(&quoted, text);
    bool valid = !quoted.failed && json_parse(&json, buffer_text(&quoted), NULL) == 0;
    json_free(&json);
    buffer_free(&quoted);
    return valid;
}

void json_free(struct json *json)
{
    free(json->nodes);
    *json = (struct json){0};
}

void json_shrink(struct json *json, uint32_t keep_nodes)
{
    if (json->capacity > keep_nodes)
        json_free(json);
}
