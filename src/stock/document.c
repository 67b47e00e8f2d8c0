#include "stock/document.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/decimal.h"
#include "base/sha256.h"

static const struct {
    const char *name;
    enum document_type type;
} types[] = {
    {"sale", DOCUMENT_SALE},     {"return", DOCUMENT_RETURN}, {"receipt", DOCUMENT_RECEIPT},
    {"adjust", DOCUMENT_ADJUST}, {"retry", DOCUMENT_RETRY},   {"drop", DOCUMENT_DROP},
};

/* One document being read. */
struct reading {
    struct document *document;
    const struct json *json;
    struct failure *failure;
    int64_t line; /* the line being read, from 0; -1 = none */
};

/* `field`: its name, of the line being read where there is one; "" = the line itself. */
static int bad(const struct reading *reading, const char *field, const char *what)
{
    char path[64];
    if (reading->line < 0)
        snprintf(path, sizeof path, "%s", field);
    else
        snprintf(path, sizeof path, "lines[%lld]%s%s", (long long)reading->line,
                 field[0] == '\0' ? "" : ".", field);
    return failure_set_field(reading->failure, "BAD_DOCUMENT", path, "%s: %s", path, what);
}

static bool has_control(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.bytes[i] < 0x20 || text.bytes[i] == 0x7f)
            return true;
    return false;
}

/* A string of 1 to `most` bytes at `node`; where it is absent `*out` stays as it is. */
static int read_name(const struct reading *reading, uint32_t node, const char *path, size_t most,
                     struct text *out)
{
    if (node == JSON_ABSENT)
        return 0;
    if (json_type(reading->json, node) != JSON_STRING)
        return bad(reading, path, "must be a string");
    struct text name = json_text(reading->json, node, &reading->document->scratch);
    if (name.length == 0)
        return bad(reading, path, "is empty");
    if (name.length > most)
        return bad(reading, path,
                   most == NAME_BYTES ? "is longer than 64 bytes" : "is longer than 256 bytes");
    if (has_control(name))
        return bad(reading, path, "has a control character");
    *out = name;
    return 0;
}

static int read_member(const struct reading *reading, uint32_t object, const char *name,
                       struct text *out)
{
    return read_name(reading, json_member(reading->json, object, name), name, NAME_BYTES, out);
}

static int read_int(const struct reading *reading, uint32_t node, const char *path, int64_t *out)
{
    if (json_type(reading->json, node) != JSON_NUMBER || json_int(reading->json, node, out) != 0 ||
        *out < 0)
        return bad(reading, path, "must be a whole number from 0 to 2^63 - 1");
    return 0;
}

static int read_check(const struct reading *reading, uint32_t node)
{
    if (node == JSON_ABSENT || json_string_is(reading->json, node, "none"))
        reading->document->check = CHECK_NONE;
    else if (json_string_is(reading->json, node, "warn"))
        reading->document->check = CHECK_WARN;
    else if (json_string_is(reading->json, node, "hard"))
        reading->document->check = CHECK_HARD;
    else
        return bad(reading, "check", "must be none, warn or hard");
    return 0;
}

static int read_decimal(const struct reading *reading, uint32_t node, const char *path,
                        int decimals, int64_t *out)
{
    enum json_type type = json_type(reading->json, node);
    if (type != JSON_NUMBER && type != JSON_STRING)
        return bad(reading, path, "must be a number or a decimal string");
    struct text text = type == JSON_NUMBER
                           ? json_raw(reading->json, node)
                           : json_text(reading->json, node, &reading->document->scratch);
    enum decimal_result result = decimal_parse(text, decimals, out);
    return result == DECIMAL_OK ? 0 : bad(reading, path, decimal_reason(result));
}

static int read_quantity(const struct reading *reading, uint32_t node, int64_t *quantity_milli)
{
    if (node == JSON_ABSENT)
        return bad(reading, "qty", "is missing");
    if (read_decimal(reading, node, "qty", QUANTITY_DECIMALS, quantity_milli) != 0)
        return -1;
    if (*quantity_milli == INT64_MIN) /* its negative would not fit */
        return bad(reading, "qty", decimal_reason(DECIMAL_TOO_LARGE));
    if (reading->document->type == DOCUMENT_ADJUST)
        return *quantity_milli != 0 ? 0 : bad(reading, "qty", "must not be zero");
    return *quantity_milli > 0 ? 0 : bad(reading, "qty", "must be above zero");
}

static int read_line(const struct reading *reading, uint32_t node, struct text location,
                     struct document_line *line)
{
    if (json_type(reading->json, node) != JSON_OBJECT)
        return bad(reading, "", "must be an object");
    *line = (struct document_line){.location = location};
    uint32_t sku = json_member(reading->json, node, "sku");
    if (sku == JSON_ABSENT)
        return bad(reading, "sku", "is missing");
    int64_t price;
    uint32_t price_node = json_member(reading->json, node, "price");
    if (read_name(reading, sku, "sku", NAME_BYTES, &line->sku) != 0 ||
        read_member(reading, node, "location", &line->location) != 0 ||
        (price_node != JSON_ABSENT &&
         read_decimal(reading, price_node, "price", MONEY_DECIMALS, &price) != 0))
        return -1;
    return read_quantity(reading, json_member(reading->json, node, "qty"), &line->quantity_milli);
}

static int reserve_lines(struct document *document, uint32_t count)
{
    if (count <= document->line_capacity)
        return 0;
    struct document_line *lines = realloc(document->lines, count * sizeof *lines);
    if (!lines)
        return -1;
    document->lines = lines;
    document->line_capacity = count;
    return 0;
}

static int read_lines(const struct reading *reading, uint32_t root)
{
    const struct json *json = reading->json;
    struct document *document = reading->document;
    struct text location = TEXT_LITERAL(LOCATION_DEFAULT);
    if (read_member(reading, root, "location", &location) != 0)
        return -1;
    uint32_t lines = json_member(json, root, "lines");
    if (lines == JSON_ABSENT)
        return bad(reading, "lines", "is missing");
    if (json_type(json, lines) != JSON_ARRAY || json->nodes[lines].count == 0)
        return bad(reading, "lines", "must be an array of at least one line");
    if (reserve_lines(document, json->nodes[lines].count) != 0)
        return failure_set(reading->failure, "NO_MEMORY", "no memory for the lines");
    struct reading of_line = *reading;
    for (uint32_t i = json_first(json, lines); i != json_end(json, lines); i = json_next(json, i)) {
        of_line.line = document->line_count;
        if (read_line(&of_line, i, location, &document->lines[document->line_count]) != 0)
            return -1;
        document->line_count++;
    }
    return 0;
}

static int read_target(const struct reading *reading, uint32_t root)
{
    int64_t partition = 0;
    uint32_t node = json_member(reading->json, root, "partition");
    if (node != JSON_ABSENT && read_int(reading, node, "partition", &partition) != 0)
        return -1;
    if (partition > INT32_MAX)
        return bad(reading, "partition", "is too large");
    reading->document->target_partition = (int)partition;
    return read_int(reading, json_member(reading->json, root, "offset"), "offset",
                    &reading->document->target_offset);
}

static int read_envelope(const struct reading *reading, uint32_t root,
                         const struct document_defaults *defaults)
{
    struct document *document = reading->document;
    if (read_member(reading, root, "id", &document->id) != 0 ||
        read_member(reading, root, "shop", &document->shop) != 0 ||
        read_member(reading, root, "terminal", &document->terminal) != 0 ||
        read_member(reading, root, "type", &document->type_name) != 0)
        return -1;
    if (!document->shop.bytes)
        document->shop = defaults->shop;
    if (!document->terminal.bytes)
        document->terminal = defaults->terminal;
    if (!document->type_name.bytes)
        return bad(reading, "type", "is missing");
    if (!document->id.bytes)
        return bad(reading, "id", "is missing");
    if (!document->terminal.bytes)
        return bad(reading, "terminal", "is missing, and no hello named it");
    if (!document->shop.bytes)
        return bad(reading, "shop", "is missing");
    uint32_t seq = json_member(reading->json, root, "seq");
    if (seq != JSON_ABSENT && read_int(reading, seq, "seq", &document->seq) != 0)
        return -1;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (text_is(document->type_name, types[i].name))
            document->type = types[i].type;
    return 0;
}

static int read_details(const struct reading *reading, uint32_t root)
{
    struct document *document = reading->document;
    if (read_member(reading, root, "date", &document->date) != 0 ||
        read_member(reading, root, "time", &document->time) != 0 ||
        read_member(reading, root, "operator", &document->operator_id) != 0)
        return -1;
    if (read_name(reading, json_member(reading->json, root, "reason"), "reason", REASON_BYTES,
                  &document->reason) != 0)
        return -1;
    bool needs_reason = document->type == DOCUMENT_ADJUST || document->type == DOCUMENT_DROP;
    if (needs_reason && !document->reason.bytes)
        return bad(reading, "reason", "is missing");
    if (document->type == DOCUMENT_RETRY || document->type == DOCUMENT_DROP)
        return read_target(reading, root);
    if (read_check(reading, json_member(reading->json, root, "check")) != 0)
        return -1;
    return read_lines(reading, root);
}

int document_read(struct document *document, const struct json *json, uint32_t node,
                  const struct document_defaults *defaults, struct failure *failure)
{
    struct document_line *lines = document->lines;
    uint32_t line_capacity = document->line_capacity;
    struct buffer scratch = document->scratch;
    buffer_clear(&scratch);
    *document = (struct document){
        .seq = -1, .lines = lines, .line_capacity = line_capacity, .scratch = scratch};
    struct reading reading = {document, json, failure, -1};
    if (json_type(json, node) != JSON_OBJECT)
        return failure_set_field(failure, "BAD_DOCUMENT", "doc", "doc: must be an object");
    /* All unescaped strings together are no longer than the text, so none moves after this. */
    if (!buffer_reserve(&document->scratch, json_raw(json, node).length))
        return failure_set(failure, "NO_MEMORY", "no memory to read the document");
    if (read_envelope(&reading, node, defaults) != 0)
        return -1;
    return document->type == DOCUMENT_UNKNOWN ? 0 : read_details(&reading, node);
}

void document_free(struct document *document)
{
    free(document->lines);
    buffer_free(&document->scratch);
    *document = (struct document){0};
}

int document_hash(const struct json *json, struct sha256 *sha256, struct buffer *scratch,
                  unsigned char hash[DOCUMENT_HASH_BYTES])
{
    static const char *const without[] = {"seq", NULL};
    unsigned char whole[SHA256_BYTES];
    buffer_clear(scratch);
    json_canonical(json, without, scratch);
    if (scratch->failed)
        return -1;
    sha256_start(sha256);
    sha256_add(sha256, scratch->bytes, scratch->length);
    sha256_finish(sha256, whole);
    memcpy(hash, whole, DOCUMENT_HASH_BYTES);
    return 0;
}
