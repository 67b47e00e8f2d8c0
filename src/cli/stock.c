/* tillq stock: what is on hand. */
#include "cli/listing.h"
#include "cli/options.h"
#include "cli/request.h"

#define FIRST_ROWS 1000
/* Skus are asked for so many at a time: 64 bytes each, escaped at most six times as long, they fit
 * a request line. */
#define SKUS_A_REQUEST 500

static const struct listing_column columns[] = {
    {"shop", "SHOP", LISTING_WORD},
    {"location", "LOCATION", LISTING_WORD},
    {"sku", "SKU", LISTING_WORD},
    {"on_hand", "ON HAND", LISTING_FIGURE},
    {"reserved", "RESERVED", LISTING_FIGURE},
    {"available", "AVAILABLE", LISTING_FIGURE},
};

struct stock_question {
    bool all;
    const char *shop;
    const char *location;
};

static void build_request(struct buffer *request, const struct stock_question *question,
                          int sku_count, char **skus)
{
    buffer_clear(request);
    buffer_add_string(request, "{\"op\":\"stock\"");
    request_add_string(request, "shop", question->shop);
    request_add_string(request, "location", question->location);
    for (int i = 0; i < sku_count; i++) {
        buffer_add_string(request, i == 0 ? ",\"skus\":[" : ",");
        buffer_add_json(request, text_of(skus[i]));
    }
    if (sku_count > 0)
        buffer_add_byte(request, ']');
}

static int print_stock(struct invocation *invocation, const struct stock_question *question,
                       int sku_count, char **skus)
{
    struct source *source;
    struct table table;
    struct column titles[TABLE_COLUMNS_MAX];
    struct buffer request = {0};
    bool every = question->all || sku_count > 0;
    struct listing listing = {.array = "stock",
                              .columns = columns,
                              .column_count = OPTION_COUNT(columns),
                              .most = every ? INT64_MAX : FIRST_ROWS,
                              .json = invocation->json};
    if (source_open_or_complain(&source, invocation) < 0)
        return STATUS_FAILED;
    listing_start_table(&listing, &table, titles);
    int result = 0;
    int asked = 0;
    do {
        int count = sku_count - asked < SKUS_A_REQUEST ? sku_count - asked : SKUS_A_REQUEST;
        build_request(&request, question, count, skus + asked);
        result = listing_print(&listing, source, &table, buffer_text(&request));
        asked += count;
    } while (result == 0 && asked < sku_count);
    if (result == 0 && listing.more)
        complain("the first %d rows; --all prints all", FIRST_ROWS);
    if (result == 0 && listing.printed == 0 && sku_count > 0)
        complain("no document has named %s yet", sku_count == 1 ? skus[0] : "any of these skus");
    table_free(&table);
    buffer_free(&request);
    source_close(source);
    return result < 0 ? STATUS_FAILED : 0;
}

int stock_command(struct invocation *invocation, int argc, char **argv)
{
    struct stock_question question = {0};
    const struct option_spec specs[] = {
        {'a', "all", OPTION_FLAG, &question.all, NULL, "every row, not only the first 1000", 0, 0},
        {0, "shop", OPTION_TEXT, &question.shop, "SHOP", "only this shop", 0, 0},
        {0, "location", OPTION_TEXT, &question.location, "LOCATION", "only this location", 0, 0},
    };
    const struct usage usage = {"stock [SKU...] [--all]",
                                "Prints what is on hand, of the skus named or of all, ordered by "
                                "shop, location, sku.",
                                specs, OPTION_COUNT(specs)};
    int first;
    int status = options_read(invocation, &usage, argc, argv, &first);
    if (status >= 0)
        return status;
    return print_stock(invocation, &question, argc - first, argv + first);
}
