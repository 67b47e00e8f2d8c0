#include "net/request.h"

#include <stdio.h>

#include "journal/record.h"
#include "journal/schema.h"
#include "stock/document.h"

static const char *const operation_names[OPERATION_COUNT] = {
    "hello",     "put",    "stock",     "fetch", "produce", "commit",
    "committed", "status", "movements", "dead",  "roll",    "verify",
};

#define IN(operation) (1u << OPERATION_##operation)

enum field_kind {
    FIELD_NAME,    /* a string of 1 to `most` bytes without control characters -> struct text */
    FIELD_STRING,  /* a string of at most `most` bytes -> struct text */
    FIELD_INT,     /* a whole number from `least` to `most` -> int64_t */
    FIELD_KEY,     /* a string or null -> raw struct text */
    FIELD_HEADERS, /* an object of strings or null -> raw struct text */
    FIELD_VALUE,   /* any JSON -> raw struct text */
    FIELD_NODE,    /* an object or array -> uint32_t */
};

struct field {
    const char *name;
    enum field_kind kind;
    unsigned taken_by, required_by;
    size_t place; /* in struct request */
    int64_t least, most;
};

#define PLACE(member) offsetof(struct request, member)

/* clang-format off */
static const struct field fields[] = {
    {"doc", FIELD_NODE, IN(PUT), IN(PUT), PLACE(doc), JSON_OBJECT, 0},
    {"terminal", FIELD_NAME, IN(HELLO), IN(HELLO), PLACE(terminal), 0, NAME_BYTES},
    {"shop", FIELD_NAME, IN(HELLO) | IN(STOCK) | IN(MOVEMENTS), 0, PLACE(shop), 0, NAME_BYTES},
    {"token", FIELD_STRING, IN(HELLO), 0, PLACE(token), 0, 1024},
    {"topic", FIELD_NAME, IN(FETCH) | IN(PRODUCE) | IN(COMMIT) | IN(COMMITTED),
     IN(FETCH) | IN(PRODUCE) | IN(COMMIT) | IN(COMMITTED), PLACE(topic), 0, TOPIC_NAME_BYTES},
    {"group", FIELD_NAME, IN(COMMIT) | IN(COMMITTED), IN(COMMIT) | IN(COMMITTED), PLACE(group), 0, 255},
    {"offset", FIELD_INT, IN(FETCH) | IN(COMMIT) | IN(DEAD), IN(FETCH) | IN(COMMIT), PLACE(offset), 0, INT64_MAX - 1},
    {"key", FIELD_KEY, IN(PRODUCE), 0, PLACE(key), 0, 0},
    {"headers", FIELD_HEADERS, IN(PRODUCE), 0, PLACE(headers), 0, 0},
    {"value", FIELD_VALUE, IN(PRODUCE), IN(PRODUCE), PLACE(value), 0, 0},
    {"max", FIELD_INT, IN(FETCH), 0, PLACE(max), 1, INT64_MAX - 1},
    {"wait_ms", FIELD_INT, IN(FETCH), 0, PLACE(wait_ms), 0, INT64_MAX - 1},
    {"sku", FIELD_NAME, IN(STOCK) | IN(MOVEMENTS), IN(MOVEMENTS), PLACE(sku), 0, NAME_BYTES},
    {"skus", FIELD_NODE, IN(STOCK), 0, PLACE(skus), JSON_ARRAY, 0},
    {"location", FIELD_NAME, IN(STOCK) | IN(MOVEMENTS), 0, PLACE(location), 0, NAME_BYTES},
    {"limit", FIELD_INT, IN(STOCK) | IN(MOVEMENTS) | IN(DEAD), 0, PLACE(limit), 1, INT64_MAX - 1},
    {"after", FIELD_STRING, IN(STOCK) | IN(MOVEMENTS) | IN(DEAD), 0, PLACE(after), 0, 1024},
};
/* clang-format on */

static int bad(struct failure *failure, const char *path, const char *what)
{
    return failure_set_field(failure, "BAD_REQUEST", path, "%s: %s", path, what);
}

static int read_string(struct request *request, const struct field *field, uint32_t node,
                       struct failure *failure)
{
    if (json_type(&request->json, node) != JSON_STRING)
        return bad(failure, field->name, "must be a string");
    struct text text = json_text(&request->json, node, &request->scratch);
    if (text.length > (size_t)field->most)
        return bad(failure, field->name, "is too long");
    if (field->kind == FIELD_NAME) {
        if (text.length == 0)
            return bad(failure, field->name, "is empty");
        for (size_t i = 0; i < text.length; i++)
            if ((unsigned char)text.bytes[i] < 0x20 || text.bytes[i] == 0x7f)
                return bad(failure, field->name, "has a control character");
    }
    *(struct text *)(void *)((char *)request + field->place) = text;
    return 0;
}

static int read_int(struct request *request, const struct field *field, uint32_t node,
                    struct failure *failure)
{
    int64_t value;
    if (json_type(&request->json, node) != JSON_NUMBER ||
        json_int(&request->json, node, &value) != 0 || value < field->least || value > field->most)
        return bad(failure, field->name, "must be a whole number that is not negative");
    *(int64_t *)(void *)((char *)request + field->place) = value;
    return 0;
}

static bool all_strings(const struct json *json, uint32_t object)
{
    for (uint32_t i = json_first(json, object); i != json_end(json, object); i = json_next(json, i))
        if (json_type(json, i) != JSON_STRING)
            return false;
    return true;
}

static int read_raw(struct request *request, const struct field *field, uint32_t node,
                    struct failure *failure)
{
    enum json_type type = json_type(&request->json, node);
    if (field->kind != FIELD_VALUE && type == JSON_NULL)
        return 0;
    if (field->kind == FIELD_KEY && type != JSON_STRING)
        return bad(failure, field->name, "must be a string or null");
    if (field->kind == FIELD_HEADERS && (type != JSON_OBJECT || !all_strings(&request->json, node)))
        return bad(failure, field->name, "must be an object of strings");
    *(struct text *)(void *)((char *)request + field->place) = json_raw(&request->json, node);
    return 0;
}

static int read_node(struct request *request, const struct field *field, uint32_t node,
                     struct failure *failure)
{
    if ((int64_t)json_type(&request->json, node) != field->least)
        return bad(failure, field->name,
                   field->least == JSON_OBJECT ? "must be an object" : "must be an array");
    *(uint32_t *)(void *)((char *)request + field->place) = node;
    return 0;
}

static int read_field(struct request *request, const struct field *field, struct failure *failure)
{
    unsigned bit = 1u << request->operation;
    if (!(field->taken_by & bit))
        return 0;
    uint32_t node = json_member(&request->json, 0, field->name);
    if (node == JSON_ABSENT)
        return field->required_by & bit ? bad(failure, field->name, "is missing") : 0;
    switch (field->kind) {
    case FIELD_NAME:
    case FIELD_STRING:
        return read_string(request, field, node, failure);
    case FIELD_INT:
        return read_int(request, field, node, failure);
    case FIELD_NODE:
        return read_node(request, field, node, failure);
    case FIELD_KEY:
    case FIELD_HEADERS:
    case FIELD_VALUE:
        break;
    }
    return read_raw(request, field, node, failure);
}

static int read_operation(struct request *request, struct failure *failure)
{
    uint32_t node = json_member(&request->json, 0, "op");
    if (node == JSON_ABSENT)
        return bad(failure, "op", "is missing");
    for (int i = 0; i < OPERATION_COUNT; i++)
        if (json_string_is(&request->json, node, operation_names[i])) {
            request->operation = (enum operation)i;
            return 0;
        }
    return bad(failure, "op", "is not one this server knows");
}

static int read_ack(struct request *request, struct failure *failure)
{
    uint32_t node = json_member(&request->json, 0, "ack");
    if (request->operation != OPERATION_PUT)
        return 0;
    if (node == JSON_ABSENT || json_string_is(&request->json, node, "journal"))
        request->ack = ACK_JOURNAL;
    else if (json_string_is(&request->json, node, "applied"))
        request->ack = ACK_APPLIED;
    else if (json_string_is(&request->json, node, "none"))
        request->ack = ACK_NONE;
    else
        return bad(failure, "ack", "must be journal, applied or none");
    return 0;
}

static int read_partition(struct request *request, struct failure *failure)
{
    int64_t partition;
    const unsigned takers = IN(FETCH) | IN(COMMIT) | IN(COMMITTED) | IN(DEAD);
    uint32_t node = json_member(&request->json, 0, "partition");
    if (node == JSON_ABSENT || !(takers & 1u << request->operation))
        return 0;
    if (json_type(&request->json, node) != JSON_NUMBER ||
        json_int(&request->json, node, &partition) != 0 || partition < 0 || partition > INT32_MAX)
        return bad(failure, "partition", "must be a whole number from 0 to 2^31 - 1");
    request->partition = (int)partition;
    return 0;
}

/* What is echoed, before anything can go wrong: tag, and the document's seq. */
static int read_echo(struct request *request, struct failure *failure)
{
    int64_t whole;
    uint32_t tag = json_member(&request->json, 0, "tag");
    enum json_type type = json_type(&request->json, tag);
    if (type == JSON_STRING || (type == JSON_NUMBER && json_int(&request->json, tag, &whole) == 0))
        request->tag = json_raw(&request->json, tag);
    uint32_t doc = json_member(&request->json, 0, "doc");
    if (doc != JSON_ABSENT && json_type(&request->json, doc) == JSON_OBJECT &&
        json_int(&request->json, json_member(&request->json, doc, "seq"), &whole) == 0 &&
        whole >= 0)
        request->seq = whole;
    if (tag != JSON_ABSENT && !request->tag.bytes)
        return bad(failure, "tag", "must be a string or a whole number");
    return 0;
}

int request_read(struct request *request, struct text line, struct failure *failure)
{
    struct json json = request->json;
    struct buffer scratch = request->scratch;
    scratch.secret = true; /* a token may stand there */
    buffer_clear(&scratch);
    *request = (struct request){.json = json,
                                .scratch = scratch,
                                .seq = -1,
                                .doc = JSON_ABSENT,
                                .skus = JSON_ABSENT,
                                .offset = -1,
                                .max = FETCH_DEFAULT,
                                .limit = ROWS_MAX};
    if (json_parse(&request->json, line, failure) != 0)
        return -1;
    if (json_type(&request->json, 0) != JSON_OBJECT)
        return failure_set(failure, "BAD_JSON", "a request is one JSON object");
    if (!buffer_reserve(&request->scratch, line.length))
        return failure_set(failure, "NO_MEMORY", "no memory to read the request");
    if (read_echo(request, failure) != 0 || read_operation(request, failure) != 0 ||
        read_ack(request, failure) != 0 || read_partition(request, failure) != 0)
        return -1;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (read_field(request, &fields[i], failure) != 0)
            return -1;
    if (request->operation == OPERATION_PRODUCE && !topic_name_ok(request->topic))
        return bad(failure, "topic",
                   "must be 1 to 100 of A-Z a-z 0-9 . _ - and not a reserved name");
    if (request->max > FETCH_MAX)
        request->max = FETCH_MAX;
    if (request->wait_ms > FETCH_WAIT_MAX_MS)
        request->wait_ms = FETCH_WAIT_MAX_MS;
    if (request->limit > ROWS_MAX)
        request->limit = ROWS_MAX;
    return 0;
}

void request_free(struct request *request)
{
    json_free(&request->json);
    buffer_free(&request->scratch);
}

void request_shrink(struct request *request)
{
    json_shrink(&request->json, 4096);
    buffer_shrink(&request->scratch, 64 << 10);
}

bool operation_only_reads(enum operation operation)
{
    return operation != OPERATION_PUT && operation != OPERATION_PRODUCE &&
           operation != OPERATION_COMMIT && operation != OPERATION_ROLL;
}

bool request_may_be_large(const struct request *request)
{
    switch (request->operation) {
    case OPERATION_STOCK:
        return !request->sku.bytes;
    case OPERATION_FETCH:
    case OPERATION_MOVEMENTS:
    case OPERATION_DEAD:
        return true;
    default:
        return false;
    }
}
