#include "cli/load/receipts.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "cli/load/csv.h"
#include "cli/load/input.h"

#define NAME_BYTES_MAX 64

enum field { INVOICE, SKU, QTY, TIME, PRICE, FIELD_COUNT };
static const char *const field_names[] = {"invoice", "sku", "qty", "time", "price"};

/* The lines of one sign of the invoice being read. */
struct side {
    enum receipt_type type;
    struct receipt_line *lines;
    size_t count;
    size_t capacity;
    struct buffer time; /* of the first of them */
};

struct reader {
    struct receipts *receipts;
    const char *path;
    int64_t line;
    struct failure *failure;
    struct names invoices;
    uint32_t *parts; /* receipts an invoice has given so far, by its number in invoices */
    size_t parts_capacity;
    uint32_t invoice; /* being read; NAMES_NONE = none */
    struct side above;
    struct side below;
};

static int bad_line(struct reader *reader, const char *what)
{
    return failure_set(reader->failure, "FAILED", "%s:%lld: %s", reader->path,
                       (long long)reader->line, what);
}

static int bad_field(struct reader *reader, enum field field, struct text value, const char *why)
{
    return failure_set(reader->failure, "FAILED", "%s:%lld: %s %.*s: %s", reader->path,
                       (long long)reader->line, field_names[field],
                       (int)(value.length < 70 ? value.length : 70), value.bytes, why);
}

static int no_memory(struct reader *reader)
{
    return failure_set(reader->failure, "NO_MEMORY", "%s:%lld: no memory", reader->path,
                       (long long)reader->line);
}

/* The array with room for `count` elements and one more, or NULL with the array left as it was. */
static void *make_room(void *array, size_t *capacity, size_t count, size_t element_bytes)
{
    if (count < *capacity)
        return array;
    size_t more = *capacity ? *capacity * 2 : 64;
    while (more <= count)
        more *= 2;
    void *moved = realloc(array, more * element_bytes);
    if (moved)
        *capacity = more;
    return moved;
}

static int add_line(struct side *side, const struct receipt_line *line, struct text time)
{
    struct receipt_line *lines =
        make_room(side->lines, &side->capacity, side->count, sizeof *side->lines);
    if (!lines)
        return -1;
    side->lines = lines;
    side->lines[side->count++] = *line;
    if (side->count > 1)
        return 0;
    buffer_clear(&side->time);
    buffer_add_text(&side->time, time);
    return side->time.failed ? -1 : 0;
}

/* "536365", or "536365-2" where that invoice gave a receipt before. */
static void add_number(struct reader *reader, struct receipt_entry *entry)
{
    struct buffer *strings = &reader->receipts->strings;
    uint32_t part = ++reader->parts[reader->invoice];
    entry->number = strings->length;
    buffer_add_text(strings, names_text(&reader->invoices, reader->invoice));
    if (part > 1)
        buffer_add_format(strings, "-%u", part);
    entry->number_length = (uint32_t)(strings->length - entry->number);
}

/* Makes the lines of one side a receipt, where there are any. */
static int add_receipt(struct reader *reader, struct side *side)
{
    struct receipts *receipts = reader->receipts;
    if (side->count == 0)
        return 0;
    struct receipt_entry *entries = make_room(receipts->entries, &receipts->capacity,
                                              receipts->count, sizeof *receipts->entries);
    if (!entries)
        return no_memory(reader);
    receipts->entries = entries;
    struct receipt_line *lines =
        make_room(receipts->lines, &receipts->line_capacity, receipts->line_count + side->count,
                  sizeof *receipts->lines);
    if (!lines)
        return no_memory(reader);
    receipts->lines = lines;
    struct receipt_entry entry = {.type = side->type,
                                  .first_line = receipts->line_count,
                                  .line_count = (uint32_t)side->count};
    memcpy(lines + receipts->line_count, side->lines, side->count * sizeof *lines);
    receipts->line_count += side->count;
    add_number(reader, &entry);
    entry.time = receipts->strings.length;
    entry.time_length = (uint32_t)side->time.length;
    buffer_add_text(&receipts->strings, buffer_text(&side->time));
    receipts->entries[receipts->count++] = entry;
    side->count = 0;
    return receipts->strings.failed ? no_memory(reader) : 0;
}

static int end_invoice(struct reader *reader)
{
    return add_receipt(reader, &reader->above) < 0 ? -1 : add_receipt(reader, &reader->below);
}

static int begin_invoice(struct reader *reader, struct text invoice)
{
    if (reader->invoice != NAMES_NONE &&
        text_equal(names_text(&reader->invoices, reader->invoice), invoice))
        return 0;
    if (end_invoice(reader) < 0)
        return -1;
    reader->invoice = names_add(&reader->invoices, invoice);
    if (reader->invoice == NAMES_NONE)
        return no_memory(reader);
    size_t before = reader->parts_capacity;
    uint32_t *parts =
        make_room(reader->parts, &reader->parts_capacity, reader->invoice, sizeof *parts);
    if (!parts)
        return no_memory(reader);
    memset(parts + before, 0, (reader->parts_capacity - before) * sizeof *parts);
    reader->parts = parts;
    reader->above.type = invoice.bytes[0] == 'C' ? RECEIPT_RETURN : RECEIPT_SALE;
    return 0;
}

static int parse_decimal(struct reader *reader, enum field field, struct text text, int decimals,
                         int64_t *value)
{
    enum decimal_result result = decimal_parse(text, decimals, value);
    return result == DECIMAL_OK ? 0 : bad_field(reader, field, text, decimal_reason(result));
}

static int take_fields(struct reader *reader, const struct text *fields)
{
    struct receipt_line line;
    bool is_return = fields[INVOICE].bytes[0] == 'C';
    if (parse_decimal(reader, QTY, fields[QTY], QUANTITY_DECIMALS, &line.quantity_milli) < 0 ||
        parse_decimal(reader, PRICE, fields[PRICE], MONEY_DECIMALS, &line.price) < 0)
        return -1;
    if (fields[INVOICE].bytes[0] == 'A') {
        reader->receipts->skipped_lines++;
        return 0;
    }
    if (line.quantity_milli == 0 || line.quantity_milli == INT64_MIN)
        return bad_field(reader, QTY, fields[QTY], "is not a quantity that moves goods");
    if (is_return && line.quantity_milli > 0)
        return bad_field(reader, QTY, fields[QTY], "is above zero on a cancellation");
    line.sku = names_add(&reader->receipts->skus, fields[SKU]);
    if (line.sku == NAMES_NONE)
        return no_memory(reader);
    if (begin_invoice(reader, fields[INVOICE]) < 0)
        return -1;
    struct side *side = !is_return && line.quantity_milli < 0 ? &reader->below : &reader->above;
    if (is_return)
        line.quantity_milli = -line.quantity_milli;
    return add_line(side, &line, fields[TIME]) < 0 ? no_memory(reader) : 0;
}

static int take_line(struct reader *reader, char *line)
{
    static const enum field names[] = {INVOICE, SKU, TIME};
    struct text fields[FIELD_COUNT];
    line[strcspn(line, "\r\n")] = '\0';
    if (++reader->line == 1)
        return strcmp(line, "invoice,sku,qty,time,price") == 0
                   ? 0
                   : bad_line(reader, "the first line is not invoice,sku,qty,time,price");
    const char *wrong = csv_split(line, fields, FIELD_COUNT);
    if (wrong)
        return bad_line(reader, wrong);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (fields[names[i]].length == 0 || fields[names[i]].length > NAME_BYTES_MAX)
            return bad_field(reader, names[i], fields[names[i]], "is not 1 to 64 bytes long");
    return take_fields(reader, fields);
}

static int read_lines(struct reader *reader, FILE *stream)
{
    char *line = NULL;
    size_t capacity = 0;
    int result = 0;
    while (result == 0 && getline(&line, &capacity, stream) >= 0)
        result = take_line(reader, line);
    free(line);
    return result < 0 ? -1 : end_invoice(reader);
}

int receipts_read(struct receipts *receipts, const char *path, struct failure *failure)
{
    *receipts = (struct receipts){0};
    struct reader reader = {.receipts = receipts,
                            .path = path,
                            .failure = failure,
                            .invoice = NAMES_NONE,
                            .above = {.type = RECEIPT_SALE},
                            .below = {.type = RECEIPT_ADJUST}};
    struct input input;
    if (input_open(&input, path, failure) < 0)
        return -1;
    int result = read_lines(&reader, input.stream);
    struct failure unread;
    if (input_close(&input, path, result == 0 ? failure : &unread) < 0)
        result = -1;
    names_free(&reader.invoices);
    free(reader.parts);
    free(reader.above.lines);
    free(reader.below.lines);
    buffer_free(&reader.above.time);
    buffer_free(&reader.below.time);
    return result;
}

void receipts_free(struct receipts *receipts)
{
    names_free(&receipts->skus);
    buffer_free(&receipts->strings);
    free(receipts->lines);
    free(receipts->entries);
    *receipts = (struct receipts){0};
}

void receipts_get(const struct receipts *receipts, size_t place, struct receipt *receipt)
{
    const struct receipt_entry *entry = &receipts->entries[place];
    const char *strings = receipts->strings.bytes;
    *receipt = (struct receipt){.type = entry->type,
                                .number = {strings + entry->number, entry->number_length},
                                .time = {strings + entry->time, entry->time_length},
                                .lines = receipts->lines + entry->first_line,
                                .line_count = entry->line_count};
}
