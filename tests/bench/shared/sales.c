#include "sales.h"

int sales_start(struct sales *sales, const struct sales_options *options, struct failure *failure)
{
    *sales = (struct sales){.options = *options,
                            .load = {.terminals = SALES_TERMINALS,
                                     .seed = 1,
                                     .skus = options->skus,
                                     .uniform = options->uniform,
                                     .hot_percent = options->hot_percent,
                                     .shop = "0001",
                                     .terminal_prefix = "T"}};
    if (workload_start(&sales->workload, &sales->load, failure) != 0)
        return -1;
    struct text head = buffer_text(&sales->workload.head);
    static const char key[] = "\"doc\":";
    const char *found = memmem(head.bytes, head.length, key, sizeof key - 1);
    if (!found)
        return failure_set(failure, "FAILED", "the load generator's lines have no \"doc\"");
    sales->before = (size_t)(found - head.bytes) + sizeof key - 1;
    for (uint32_t i = 0; i < SALES_TERMINALS; i++)
        workload_name_terminal(&sales->workload, i, sales->terminals[i]);
    return 0;
}

void sales_free(struct sales *sales)
{
    workload_free(&sales->workload);
}

int sales_next(struct sales *sales, struct buffer *line, struct sale *sale)
{
    struct receipt receipt;
    do
        basket_get(&sales->workload.basket, sales->place++, &receipt);
    while (receipt.line_count < sales->options.lines_least ||
           receipt.line_count > sales->options.lines_most);
    const char *terminal = sales->terminals[sales->count % SALES_TERMINALS];
    *sale = (struct sale){.terminal = text_of(terminal),
                          .seq = sales->count / SALES_TERMINALS,
                          .lines = receipt.line_count};
    buffer_clear(line);
    workload_add_line(&sales->workload, terminal, sale->seq, &receipt, line);
    if (line->failed)
        return -1;
    sales->count++;
    sale->request = buffer_text(line);
    static const size_t after = sizeof "}\n" - 1;
    sale->document =
        (struct text){line->bytes + sales->before, line->length - sales->before - after};
    return 0;
}
