/* batch: the columns of a row as foreign hands may have written them, and as we write them.
 *
 * Input: a byte of choice; then either the three columns (each two bytes of length and its bytes),
 * or records to be written and read back. Whatever is read lies inside its column. */
#include "fuzz.h"
#include "journal/batch.h"

static struct json json;

static void check_inside(struct text part, struct text whole, const char *what)
{
    if (part.bytes &&
        (part.bytes < whole.bytes || part.bytes + part.length > whole.bytes + whole.length))
        breach("%s lies outside its column", what);
}

/* Every record of a batch nobody vouches for. */
static void read_foreign(struct input *input)
{
    struct batch batch = {.base_offset = (int64_t)input_number(input, 8),
                          .count = (int64_t)input_number(input, 2) - 16,
                          .format = input_byte(input) == 7 ? 2 : BATCH_FORMAT_JSON};
    batch.lengths = input_text(input, input_number(input, 2));
    batch.meta = input_text(input, input_number(input, 2));
    batch.records = input_rest(input);
    struct batch_cursor cursor;
    struct record record;
    struct text meta;
    int64_t seen = 0;
    int more;
    batch_start(&cursor, &batch);
    while ((more = batch_next(&cursor, &record, &meta)) == 1) {
        check_inside(meta, batch.meta, "a meta");
        check_inside(record.value, batch.records, "a value");
        if (record.offset != batch.base_offset + seen++)
            breach("offset %lld is not the next", (long long)record.offset);
        if (batch_origin(meta, &json, &record) == 0) {
            check_inside(record.key, meta, "a key");
            check_inside(record.headers, meta, "headers");
            check_inside(record.producer, meta, "a producer");
        }
    }
    if (more == 0 && seen != batch.count)
        breach("%lld records of %lld", (long long)seen, (long long)batch.count);
}

/* --- written by us --- */

#define RECORDS_MAX 32

struct written {
    struct record record;
    struct text producer;
};

static void check_same(const struct written *want, const struct record *record, struct text meta)
{
    struct record got = *record;
    struct buffer scratch = {0};
    if (!text_equal(got.value, want->record.value))
        breach("another value came back");
    if (batch_origin(meta, &json, &got) != 0)
        breach("what was written cannot be read: %.*s", (int)meta.length, meta.bytes);
    if (!text_equal(got.key, want->record.key) || !text_equal(got.headers, want->record.headers) ||
        got.seq != want->record.seq)
        breach("another key, headers or seq came back: %.*s", (int)meta.length, meta.bytes);
    if (got.seq >= 0 && (json_parse(&json, got.producer, NULL) != 0 ||
                         !text_equal(json_text(&json, 0, &scratch), want->producer)))
        breach("another producer came back");
    buffer_free(&scratch);
}

/* Names as the session hands them on: valid UTF-8 without NUL. */
static struct text take_name(struct input *input, char name[16])
{
    size_t length = input_byte(input) % 16;
    for (size_t i = 0; i < length; i++)
        name[i] = (char)(1 + input_byte(input) % 127);
    return (struct text){name, length};
}

static void write_and_read(struct input *input)
{
    static const struct text keys[] = {{0}, {"\"\"", 2}, {"\"k\\\"\"", 5}, {"\"a,b]\"", 6}};
    static const struct text headers[] = {{0}, {"{}", 2}, {"{\"h\":\"]\"}", 9}};
    static char names[RECORDS_MAX][16];
    struct written written[RECORDS_MAX];
    struct batch_builder builder = {0};
    int count = 0;
    while (!input_ends(input) && count < RECORDS_MAX) {
        struct written *one = &written[count];
        uint8_t choice = input_byte(input);
        one->record =
            (struct record){.key = keys[choice % 4],
                            .headers = headers[(choice >> 2) % 3],
                            .seq = choice & 64 ? (int64_t)(input_number(input, 8) >> 1) : -1};
        one->producer = take_name(input, names[count++]);
        one->record.value = input_text(input, input_byte(input));
        batch_add(&builder, &one->record, one->producer);
    }
    if (count > 0 && !batch_finish(&builder))
        breach("no memory for a batch");
    struct batch batch = {.base_offset = 5,
                          .count = builder.count,
                          .format = BATCH_FORMAT_JSON,
                          .lengths = buffer_text(&builder.lengths),
                          .meta = buffer_text(&builder.meta),
                          .records = buffer_text(&builder.records)};
    struct batch_cursor cursor;
    struct record record;
    struct text meta;
    int read = 0;
    batch_start(&cursor, &batch);
    while (read < count && batch_next(&cursor, &record, &meta) == 1)
        check_same(&written[read++], &record, meta);
    if (read != count || (count > 0 && batch_next(&cursor, &record, &meta) != 0))
        breach("%d records were written, %d came back", count, read);
    batch_builder_free(&builder);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct input input = {bytes, bytes + length};
    if (input_byte(&input) % 2 == 0)
        read_foreign(&input);
    else
        write_and_read(&input);
    return 0;
}
