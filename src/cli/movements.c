/* tillq movements: why a figure is what it is. */
#include "cli/listing.h"
#include "cli/options.h"
#include "cli/request.h"

static const struct listing_column columns[] = {
    {"offset", "OFFSET", LISTING_FIGURE},
    {"time", "TAKEN", LISTING_MOMENT},
    {"type", "TYPE", LISTING_WORD},
    {"id", "ID", LISTING_WORD},
    {"terminal", "TERMINAL", LISTING_WORD},
    {"shop", "SHOP", LISTING_WORD},
    {"location", "LOCATION", LISTING_WORD},
    {"qty", "QTY", LISTING_FIGURE},
    {"balance", "BALANCE", LISTING_FIGURE},
    {"from", "FROM", LISTING_WORD},
    {"to", "TO", LISTING_WORD},
};

struct movements_question {
    bool all;
    int64_t limit;
    const char *shop;
    const char *location;
    const char *sku;
};

static int print_movements(struct invocation *invocation, const struct movements_question *question)
{
    struct source *source;
    struct table table;
    struct column titles[TABLE_COLUMNS_MAX];
    struct buffer request = {0};
    struct listing listing = {.array = "movements",
                              .columns = columns,
                              .column_count = OPTION_COUNT(columns),
                              .most = question->all ? INT64_MAX : question->limit,
                              .json = invocation->json};
    if (source_open_or_complain(&source, invocation) < 0)
        return STATUS_FAILED;
    listing_start_table(&listing, &table, titles);
    buffer_add_string(&request, "{\"op\":\"movements\"");
    request_add_string(&request, "sku", question->sku);
    request_add_string(&request, "shop", question->shop);
    request_add_string(&request, "location", question->location);
    int result = listing_print(&listing, source, &table, buffer_text(&request));
    if (result == 0 && listing.more && !invocation->json)
        complain("the newest %lld; --all prints all", (long long)listing.printed);
    if (result == 0 && listing.printed == 0)
        complain("nothing has moved %s yet", question->sku);
    table_free(&table);
    buffer_free(&request);
    source_close(source);
    return result < 0 ? STATUS_FAILED : 0;
}

int movements_command(struct invocation *invocation, int argc, char **argv)
{
    struct movements_question question = {.limit = 50};
    const struct option_spec specs[] = {
        {'n', "limit", OPTION_INTEGER, &question.limit, "N", "at most N movements (default 50)", 1,
         INT64_MAX},
        {'a', "all", OPTION_FLAG, &question.all, NULL, "every movement", 0, 0},
        {0, "shop", OPTION_TEXT, &question.shop, "SHOP", "only this shop", 0, 0},
        {0, "location", OPTION_TEXT, &question.location, "LOCATION", "only this location", 0, 0},
    };
    const struct usage usage = {"movements SKU [--limit N | --all]",
                                "Prints what moved a sku's stock, newest first: quantity as the "
                                "shelf sees it and the\nbalance after it.",
                                specs, OPTION_COUNT(specs)};
    int first;
    int status = options_read(invocation, &usage, argc, argv, &first);
    if (status >= 0)
        return status;
    if (argc - first != 1)
        return misuse("movements: needs one SKU");
    question.sku = argv[first];
    return print_movements(invocation, &question);
}
