#include "shop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const deed_names[] = {"sale", "return", "receipt", "adjust"};
static const char *const checked_names[] = {"none", "warn", "hard"};

static void *must(void *memory)
{
    if (!memory) {
        perror("sim");
        exit(2);
    }
    return memory;
}

const char *shop_terminal_name(int terminal)
{
    static const char *const names[TERMINALS] = {"T0", "T1", "T2", "T3", "T4", "T5"};
    return names[terminal];
}

const char *shop_sku_name(int sku)
{
    static const char *const names[SKUS] = {"apple", "bread", "cream", "dates", "eggs"};
    return names[sku];
}

/* --- writing documents --- */

static void choose_content(struct chance *chance, struct deed_document *document)
{
    static const enum deed deeds[] = {DEED_SALE,   DEED_SALE,    DEED_SALE,
                                      DEED_RETURN, DEED_RECEIPT, DEED_ADJUST};
    document->deed = deeds[chance_below(chance, 6)];
    document->checked = (enum checked)chance_below(chance, 3);
    document->line_count = (int)chance_between(chance, 1, LINES);
    for (int i = 0; i < document->line_count; i++) {
        bool pieces = !chance_in(chance, 3);
        document->lines[i] = (struct sale_line){(int)chance_below(chance, SKUS),
                                                pieces ? chance_between(chance, 1, 9) * 1000
                                                       : chance_between(chance, 1, 9999)};
        if (document->deed == DEED_ADJUST && chance_in(chance, 2))
            document->lines[i].quantity_milli = -document->lines[i].quantity_milli;
        if (document->deed == DEED_RECEIPT)
            document->lines[i].quantity_milli *= 4;
    }
}

static void write_text(struct chance *chance, struct deed_document *document)
{
    char *text = NULL;
    size_t length;
    FILE *out = must(open_memstream(&text, &length));
    fprintf(out, "{\"type\":\"%s\",\"id\":\"%s-%" PRId64 "\",\"shop\":\"S\",\"terminal\":\"%s\"",
            deed_names[document->deed], shop_terminal_name(document->terminal), document->id,
            shop_terminal_name(document->terminal));
    fprintf(out, ",\"seq\":%" PRId64 ",\"check\":\"%s\"", document->seq,
            checked_names[document->checked]);
    if (document->deed == DEED_ADJUST)
        fputs(",\"reason\":\"counted\"", out);
    fputs(",\"lines\":[", out);
    for (int i = 0; i < document->line_count; i++) {
        int64_t milli = document->lines[i].quantity_milli;
        int64_t size = milli < 0 ? -milli : milli;
        fprintf(out, "%s{\"sku\":\"%s\",\"qty\":\"%s%" PRId64 ".%03d\"}", i > 0 ? "," : "",
                shop_sku_name(document->lines[i].sku), milli < 0 ? "-" : "", size / 1000,
                (int)(size % 1000));
    }
    fputs("]", out);
    /* Some are long, so that a commit does not fit a page. */
    if (chance_in(chance, 12)) {
        fputs(",\"note\":\"", out);
        for (int64_t i = chance_between(chance, 1, 600); i > 0; i--)
            fputs("0123456789", out);
        fputs("\"", out);
    }
    fputs("}", out);
    fclose(out);
    document->text = text;
}

struct deed_document *shop_write_document(struct chance *chance, int terminal, int64_t seq,
                                          const struct deed_document *earlier)
{
    struct deed_document *document = must(calloc(1, sizeof *document));
    *document = (struct deed_document){.terminal = terminal, .seq = seq, .id = seq};
    bool again = earlier && chance_in(chance, 20);
    if (again && chance_in(chance, 2)) {
        *document = *earlier; /* the same content under another seq */
        document->seq = seq;
        char old[64], *at;
        snprintf(old, sizeof old, "\"seq\":%" PRId64 ",", earlier->seq);
        at = strstr(earlier->text, old);
        size_t before = (size_t)(at - earlier->text);
        size_t bytes = strlen(earlier->text) + 32;
        document->text = must(malloc(bytes));
        snprintf(document->text, bytes, "%.*s\"seq\":%" PRId64 ",%s", (int)before, earlier->text,
                 seq, at + strlen(old));
        return document;
    }
    if (again)
        document->id = earlier->id;
    choose_content(chance, document);
    write_text(chance, document);
    return document;
}

void shop_free_document(struct deed_document *document)
{
    if (!document)
        return;
    free(document->text);
    free(document);
}

/* --- the stock they make --- */

struct figure {
    int64_t after; /* this offset */
    int64_t on_hand_milli;
};

struct decided {
    const struct deed_document *document;
    const char *outcome;
};

struct shop {
    struct figure *figures[SKUS];
    int64_t figure_counts[SKUS];
    struct decided *decided;
    int64_t count;
};

struct shop *shop_open(void)
{
    return must(calloc(1, sizeof(struct shop)));
}

void shop_close(struct shop *shop)
{
    if (!shop)
        return;
    for (int sku = 0; sku < SKUS; sku++)
        free(shop->figures[sku]);
    free(shop->decided);
    free(shop);
}

static bool is_power_of_two(int64_t count)
{
    return (count & (count - 1)) == 0;
}

static int64_t newest(const struct shop *shop, int sku)
{
    int64_t count = shop->figure_counts[sku];
    return count == 0 ? 0 : shop->figures[sku][count - 1].on_hand_milli;
}

static void set_figure(struct shop *shop, int sku, int64_t on_hand_milli)
{
    int64_t count = shop->figure_counts[sku];
    if (count == 0 || is_power_of_two(count))
        shop->figures[sku] = must(
            realloc(shop->figures[sku], (size_t)(count ? count * 2 : 1) * sizeof(struct figure)));
    shop->figures[sku][shop->figure_counts[sku]++] = (struct figure){shop->count, on_hand_milli};
}

/* Everything but the seq. */
static bool same_content(const struct deed_document *a, const struct deed_document *b)
{
    const char *after_a = strstr(a->text, "\"check\""), *after_b = strstr(b->text, "\"check\"");
    return a->deed == b->deed && strcmp(after_a, after_b) == 0;
}

static const struct deed_document *with_id(const struct shop *shop,
                                           const struct deed_document *document)
{
    for (int64_t i = 0; i < shop->count; i++) {
        const struct deed_document *other = shop->decided[i].document;
        if (other->terminal == document->terminal && other->id == document->id)
            return other;
    }
    return NULL;
}

static const char *decide(struct shop *shop, const struct deed_document *document)
{
    /* Only an id that is not the document's own seq can have come before, or be taken. */
    const struct deed_document *first = with_id(shop, document);
    if (first)
        return same_content(first, document) ? "duplicate" : "conflict";
    int64_t change[SKUS] = {0};
    bool moved[SKUS] = {false};
    for (int i = 0; i < document->line_count; i++) {
        const struct sale_line *line = &document->lines[i];
        moved[line->sku] = true;
        change[line->sku] +=
            document->deed == DEED_SALE ? -line->quantity_milli : line->quantity_milli;
    }
    for (int sku = 0; sku < SKUS && document->checked == CHECKED_HARD; sku++)
        if (change[sku] < 0 && newest(shop, sku) + change[sku] < 0)
            return "rejected";
    for (int sku = 0; sku < SKUS; sku++)
        if (moved[sku])
            set_figure(shop, sku, newest(shop, sku) + change[sku]);
    return "accepted";
}

void shop_apply(struct shop *shop, const struct deed_document *document)
{
    if (shop->count == 0 || is_power_of_two(shop->count))
        shop->decided = must(realloc(shop->decided, (size_t)(shop->count ? shop->count * 2 : 1) *
                                                        sizeof *shop->decided));
    const char *outcome = decide(shop, document);
    shop->decided[shop->count] = (struct decided){document, outcome};
    shop->count++;
}

int64_t shop_applied(const struct shop *shop)
{
    return shop->count;
}

const char *shop_outcome(const struct shop *shop, int64_t offset)
{
    return shop->decided[offset].outcome;
}

int64_t shop_on_hand_milli(const struct shop *shop, int sku, int64_t offset, bool *known)
{
    int64_t low = 0, high = shop->figure_counts[sku]; /* the first figure at or after `offset` */
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (shop->figures[sku][middle].after < offset)
            low = middle + 1;
        else
            high = middle;
    }
    *known = low > 0;
    return low == 0 ? 0 : shop->figures[sku][low - 1].on_hand_milli;
}

int64_t shop_outcome_count(const struct shop *shop, const char *outcome, int64_t below)
{
    int64_t count = 0;
    for (int64_t i = 0; i < below && i < shop->count; i++)
        count += strcmp(shop->decided[i].outcome, outcome) == 0;
    return count;
}
