#include "journal/batch.h"

void batch_builder_free(struct batch_builder *builder)
{
    buffer_free(&builder->lengths);
    buffer_free(&builder->meta);
    buffer_free(&builder->records);
    builder->count = 0;
}

#define KEEP_BYTES (256u << 10)

void batch_builder_clear(struct batch_builder *builder)
{
    buffer_shrink(&builder->lengths, KEEP_BYTES);
    buffer_shrink(&builder->meta, KEEP_BYTES);
    buffer_shrink(&builder->records, KEEP_BYTES);
    builder->count = 0;
}

static void add_or_null(struct buffer *buffer, struct text json)
{
    buffer_add_text(buffer, json.bytes ? json : TEXT_LITERAL("null"));
}

void batch_add(struct batch_builder *builder, const struct record *record, struct text producer)
{
    char open = builder->count == 0 ? '[' : ',';
    buffer_add_byte(&builder->meta, open);
    buffer_add_byte(&builder->records, open);

    size_t meta_start = builder->meta.length;
    buffer_add_byte(&builder->meta, '[');
    add_or_null(&builder->meta, record->key);
    buffer_add_byte(&builder->meta, ',');
    add_or_null(&builder->meta, record->headers);
    if (record->seq >= 0) {
        buffer_add_byte(&builder->meta, ',');
        buffer_add_json(&builder->meta, producer);
        buffer_add_byte(&builder->meta, ',');
        buffer_add_int(&builder->meta, record->seq);
    }
    buffer_add_byte(&builder->meta, ']');
    buffer_add_varint(&builder->lengths, builder->meta.length - meta_start);

    buffer_add_text(&builder->records, record->value);
    buffer_add_varint(&builder->lengths, record->value.length);
    builder->count++;
}

bool batch_finish(struct batch_builder *builder)
{
    buffer_add_byte(&builder->meta, ']');
    buffer_add_byte(&builder->records, ']');
    return !builder->lengths.failed && !builder->meta.failed && !builder->records.failed;
}

static void hash_column(struct sha256 *hash, struct text column)
{
    sha256_add_int(hash, (long long)column.length);
    sha256_add(hash, column.bytes, column.length);
}

void batch_hash(struct sha256 *hash, const unsigned char before[SHA256_BYTES],
                const struct batch *batch, unsigned char after[SHA256_BYTES])
{
    sha256_start(hash);
    sha256_add(hash, before, SHA256_BYTES);
    sha256_add_int(hash, batch->base_offset);
    sha256_add_int(hash, batch->count);
    sha256_add_int(hash, batch->format);
    sha256_add_int(hash, batch->time_ms);
    hash_column(hash, batch->lengths);
    hash_column(hash, batch->meta);
    hash_column(hash, batch->records);
    sha256_finish(hash, after);
}

void batch_start(struct batch_cursor *cursor, const struct batch *batch)
{
    *cursor = (struct batch_cursor){.batch = batch};
}

static int read_length(struct batch_cursor *cursor, size_t *length)
{
    struct text lengths = cursor->batch->lengths;
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        if (cursor->length_at >= lengths.length)
            return -1;
        unsigned char byte = (unsigned char)lengths.bytes[cursor->length_at++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *length = (size_t)value;
            return 0;
        }
    }
    return -1;
}

/* One element of a column: the bracket or comma before it, then `length` bytes. */
static int cut(struct text column, size_t *at, size_t length, struct text *element)
{
    char before = *at == 0 ? '[' : ',';
    if (*at >= column.length || column.bytes[*at] != before || length > column.length - *at - 1)
        return -1;
    *element = (struct text){column.bytes + *at + 1, length};
    *at += 1 + length;
    return 0;
}

static bool ends(struct text column, size_t at)
{
    return at + 1 == column.length && column.bytes[at] == ']';
}

int batch_next(struct batch_cursor *cursor, struct record *record, struct text *meta)
{
    const struct batch *batch = cursor->batch;
    if (batch->format == BATCH_FORMAT_HOLE && batch_has_offsets(batch))
        return 0;
    if (batch->format != BATCH_FORMAT_JSON || !batch_has_offsets(batch))
        return -1;
    if (cursor->index == batch->count)
        return ends(batch->meta, cursor->meta_at) && ends(batch->records, cursor->record_at) &&
                       cursor->length_at == batch->lengths.length
                   ? 0
                   : -1;
    size_t meta_length, value_length;
    if (read_length(cursor, &meta_length) != 0 || read_length(cursor, &value_length) != 0)
        return -1;
    *record = (struct record){.seq = -1};
    if (cut(batch->meta, &cursor->meta_at, meta_length, meta) != 0 ||
        cut(batch->records, &cursor->record_at, value_length, &record->value) != 0)
        return -1;
    record->offset = batch->base_offset + cursor->index++;
    record->time_ms = batch->time_ms;
    return 1;
}

int batch_origin(struct text meta, struct json *json, struct record *record)
{
    struct failure failure;
    if (json_parse(json, meta, &failure) != 0)
        return strcmp(failure.code, "NO_MEMORY") == 0 ? -2 : -1;
    if (json_type(json, 0) != JSON_ARRAY)
        return -1;
    uint32_t at[4] = {JSON_ABSENT, JSON_ABSENT, JSON_ABSENT, JSON_ABSENT};
    int count = 0;
    for (uint32_t i = json_first(json, 0); i != json_end(json, 0); i = json_next(json, i)) {
        if (count < 4)
            at[count] = i;
        count++;
    }
    if (json_type(json, at[0]) == JSON_STRING)
        record->key = json_raw(json, at[0]);
    if (json_type(json, at[1]) == JSON_OBJECT)
        record->headers = json_raw(json, at[1]);
    if (count == 2)
        return 0;
    if (count != 4 || json_type(json, at[2]) != JSON_STRING)
        return -1;
    record->producer = json_raw(json, at[2]);
    return json_int(json, at[3], &record->seq);
}
