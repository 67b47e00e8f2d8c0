#include "cli/load/workload.h"

#include <stdio.h>

#include "base/decimal.h"
#include "cli/load/load.h"
#include "cli/request.h"

#define DATE_BYTES 10

static const char *const ack_names[] = {"journal", "applied", "none"};
static const char *const type_names[] = {"sale", "return", "adjust"};

static int start_made_up(struct workload *workload, struct failure *failure)
{
    const struct load_options *options = workload->options;
    const struct basket_options basket = {.seed = (uint64_t)options->seed,
                                          .sku_count = (uint32_t)options->skus,
                                          .hot_percent = (int)options->hot_percent,
                                          .uniform = options->uniform};
    if (basket_start(&workload->basket, &basket) < 0)
        return failure_set(failure, "NO_MEMORY", "no memory for the skus");
    workload->made_up = true;
    workload->skus = &workload->basket.skus;
    workload->count = options->generate > 0 ? options->generate : INT64_MAX;
    return 0;
}

/* The longest id a terminal of this run can send must be one the daemon takes. */
static int check_ids(struct workload *workload, struct failure *failure)
{
    char name[TERMINAL_NAME_BYTES];
    struct receipt receipt;
    char id[ID_BYTES_MAX];
    size_t longest = 0;
    workload_name_terminal(workload, (uint32_t)workload->options->terminals - 1, name);
    if (workload->made_up) {
        workload_get(workload, 0, 0, &receipt);
        longest =
            workload_write_id(workload, name, &receipt, id) + 18; /* "0" and up to 19 digits */
    }
    for (size_t i = 0; i < workload->receipts.count; i++) {
        receipts_get(&workload->receipts, i, &receipt);
        size_t length = workload_write_id(workload, name, &receipt, id);
        longest = length > longest ? length : longest;
    }
    if (longest <= ID_BYTES_MAX)
        return 0;
    return failure_set(failure, "FAILED",
                       "--shop and --terminal-prefix make an id of %zu bytes; it may have %d",
                       longest, ID_BYTES_MAX);
}

static void build_fixed_parts(struct workload *workload)
{
    const struct load_options *options = workload->options;
    buffer_add_format(&workload->head,
                      "{\"op\":\"put\",\"ack\":\"%s\",\"doc\":{\"shop\":", ack_names[options->ack]);
    buffer_add_json(&workload->head, text_of(options->shop));
    if (options->check != LOAD_CHECK_NONE)
        buffer_add_format(&workload->tail, ",\"check\":\"%s\"",
                          options->check == LOAD_CHECK_WARN ? "warn" : "hard");
}

int workload_start(struct workload *workload, const struct load_options *options,
                   struct failure *failure)
{
    *workload = (struct workload){.options = options};
    if (!options->receipts) {
        if (start_made_up(workload, failure) < 0)
            return -1;
    } else {
        if (receipts_read(&workload->receipts, options->receipts, failure) < 0)
            return -1;
        workload->skus = &workload->receipts.skus;
        workload->count = (int64_t)workload->receipts.count;
    }
    if (options->limit > 0 && options->limit < workload->count)
        workload->count = options->limit;
    build_fixed_parts(workload);
    if (workload->head.failed || workload->tail.failed)
        return failure_set(failure, "NO_MEMORY", "no memory");
    return check_ids(workload, failure);
}

void workload_free(struct workload *workload)
{
    receipts_free(&workload->receipts);
    basket_free(&workload->basket);
    buffer_free(&workload->head);
    buffer_free(&workload->tail);
}

void workload_name_terminal(const struct workload *workload, uint32_t terminal,
                            char name[TERMINAL_NAME_BYTES])
{
    snprintf(name, TERMINAL_NAME_BYTES, "%.32s%02u", workload->options->terminal_prefix,
             terminal + 1);
}

int64_t workload_documents(const struct workload *workload, uint32_t terminal)
{
    int64_t terminals = workload->options->terminals;
    return workload->count / terminals + (terminal < workload->count % terminals ? 1 : 0);
}

void workload_get(struct workload *workload, uint32_t terminal, int64_t seq,
                  struct receipt *receipt)
{
    int64_t place = seq * workload->options->terminals + terminal;
    if (workload->made_up)
        basket_get(&workload->basket, (uint64_t)place, receipt);
    else
        receipts_get(&workload->receipts, (size_t)place, receipt);
}

size_t workload_write_id(const struct workload *workload, const char *terminal_name,
                         const struct receipt *receipt, char id[ID_BYTES_MAX])
{
    const struct text parts[] = {text_of(workload->options->shop), TEXT_LITERAL("-"),
                                 text_of(terminal_name), TEXT_LITERAL("-"), receipt->number};
    size_t length = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (length + parts[i].length <= ID_BYTES_MAX)
            memcpy(id + length, parts[i].bytes, parts[i].length);
        length += parts[i].length;
    }
    return length;
}

static void add_goods(const struct workload *workload, const struct receipt_line *line,
                      struct buffer *out)
{
    buffer_add_text(out, TEXT_LITERAL("{\"sku\":"));
    buffer_add_json(out, names_text(workload->skus, line->sku));
    buffer_add_text(out, TEXT_LITERAL(",\"qty\":"));
    if (line->quantity_milli % 1000 == 0)
        buffer_add_int(out, line->quantity_milli / 1000);
    else
        decimal_add_json(out, line->quantity_milli, QUANTITY_DECIMALS);
    buffer_add_text(out, TEXT_LITERAL(",\"price\":"));
    decimal_add_json(out, line->price, MONEY_DECIMALS);
    buffer_add_byte(out, '}');
}

void workload_add_line(const struct workload *workload, const char *terminal_name, int64_t seq,
                       const struct receipt *receipt, struct buffer *out)
{
    char id[ID_BYTES_MAX]; /* long enough: workload_start has tried them all */
    size_t id_length = workload_write_id(workload, terminal_name, receipt, id);
    size_t date = receipt->time.length < DATE_BYTES ? receipt->time.length : DATE_BYTES;
    buffer_add_text(out, buffer_text(&workload->head));
    buffer_add_text(out, TEXT_LITERAL(",\"terminal\":"));
    buffer_add_json(out, text_of(terminal_name));
    buffer_add_text(out, TEXT_LITERAL(",\"seq\":"));
    buffer_add_int(out, seq);
    buffer_add_text(out, TEXT_LITERAL(",\"type\":\""));
    buffer_add_string(out, type_names[receipt->type]);
    buffer_add_byte(out, '"');
    buffer_add_text(out, TEXT_LITERAL(",\"id\":"));
    buffer_add_json(out, (struct text){id, id_length});
    buffer_add_text(out, TEXT_LITERAL(",\"date\":"));
    buffer_add_json(out, (struct text){receipt->time.bytes, date});
    buffer_add_text(out, TEXT_LITERAL(",\"time\":"));
    buffer_add_json(out, receipt->time);
    if (receipt->type == RECEIPT_ADJUST)
        buffer_add_text(out, TEXT_LITERAL(",\"reason\":\"correction\""));
    if (receipt->type != RECEIPT_RETURN)
        buffer_add_text(out, buffer_text(&workload->tail));
    buffer_add_text(out, TEXT_LITERAL(",\"lines\":["));
    for (size_t i = 0; i < receipt->line_count; i++) {
        if (i > 0)
            buffer_add_byte(out, ',');
        add_goods(workload, &receipt->lines[i], out);
    }
    buffer_add_text(out, TEXT_LITERAL("]}}\n"));
}
