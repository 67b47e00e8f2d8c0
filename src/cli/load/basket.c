#include "cli/load/basket.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FIRST_DAY 1767225600 /* 2026-01-01T00:00:00Z */
#define SECONDS_A_DAY 86400

/* How many of 9,835 receipts of a grocer had 1, 2, … lines. */
static const uint16_t size_weights[BASKET_LINES_MAX] = {
    2159, 1643, 1299, 1005, 855, 645, 545, 438, 350, 246, 182, 117, 78, 77, 55, 46,
    29,   14,   14,   9,    11,  4,   6,   1,   0,   1,   1,   1,   3,  0,  0,  1};
#define SIZE_WEIGHT_TOTAL 9835

/* How many of 1,000 receipts of a day fall into each hour. */
static const uint16_t hour_weights[24] = {0,  0,  0,  0,  0,  0,   4,  15, 28, 42, 55, 68,
                                          78, 76, 77, 84, 98, 106, 97, 76, 50, 29, 13, 4};
#define HOUR_WEIGHT_TOTAL 1000

/* A 13-digit article number with its check digit: 69… packed goods, 2… weighed in the shop. */
static void write_sku(char out[14], uint32_t place, bool weighed)
{
    snprintf(out, 14, "%s%07u000", weighed ? "20" : "69", place % 10000000u);
    int sum = 0;
    for (int i = 0; i < 12; i++)
        sum += (out[i] - '0') * (i % 2 == 0 ? 1 : 3);
    out[12] = (char)('0' + (10 - sum % 10) % 10);
    out[13] = '\0';
}

static bool is_weighed(uint32_t sku)
{
    return sku % 10 == 7;
}

static int64_t price_of(uint32_t sku)
{
    return (int64_t)(49 + random_scatter(sku) % 2950) * 100;
}

/* Zipf's law with an offset: weight 1 / (rank + 0.0054 skus) gives the top 1 % a fifth of all. */
static int weigh_skus(struct basket *basket)
{
    uint32_t count = basket->options.sku_count;
    basket->cumulative = malloc(count * sizeof *basket->cumulative);
    if (!basket->cumulative)
        return -1;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t divisor = (uint64_t)(i + 1) * 10000 + (uint64_t)count * 54;
        sum += (UINT64_C(1) << 48) / divisor;
        basket->cumulative[i] = sum;
    }
    return 0;
}

int basket_start(struct basket *basket, const struct basket_options *options)
{
    *basket = (struct basket){.options = *options};
    char sku[14];
    for (uint32_t i = 0; i < options->sku_count; i++) {
        write_sku(sku, i, is_weighed(i));
        if (names_add(&basket->skus, text_of(sku)) == NAMES_NONE)
            return -1;
    }
    return options->uniform ? 0 : weigh_skus(basket);
}

void basket_free(struct basket *basket)
{
    names_free(&basket->skus);
    free(basket->cumulative);
    basket->cumulative = NULL;
}

static uint32_t draw_sku(const struct basket *basket, struct random *random)
{
    uint32_t count = basket->options.sku_count;
    uint32_t low = basket->options.hot_percent > 0 ? 1 : 0; /* sku 0 comes by its own rule */
    if (!basket->cumulative)
        return low + (uint32_t)random_below(random, count - low);
    uint64_t before = low > 0 ? basket->cumulative[0] : 0;
    uint64_t drawn = before + random_below(random, basket->cumulative[count - 1] - before);
    uint32_t high = count - 1;
    while (low < high) { /* the first sku whose cumulative weight is above what was drawn */
        uint32_t middle = low + (high - low) / 2;
        if (basket->cumulative[middle] > drawn)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static size_t draw_size(struct random *random)
{
    uint64_t drawn = random_below(random, SIZE_WEIGHT_TOTAL);
    size_t size = 0;
    while (drawn >= size_weights[size])
        drawn -= size_weights[size++];
    return size + 1;
}

static int64_t draw_quantity_milli(uint32_t sku, struct random *random)
{
    if (is_weighed(sku))
        return (int64_t)(50 + random_below(random, 2450));
    uint64_t drawn = random_below(random, 100);
    if (drawn < 78)
        return 1000;
    return drawn < 92 ? 2000 : drawn < 97 ? 3000 : 4000 + (int64_t)random_below(random, 9) * 1000;
}

/* Second of the day: the receipts of a day spread over it in the order of their places. */
static int64_t second_of_day(uint64_t place_in_day)
{
    uint64_t scaled = place_in_day * HOUR_WEIGHT_TOTAL;
    for (int hour = 0; hour < 24; hour++) {
        uint64_t share = (uint64_t)hour_weights[hour] * BASKET_RECEIPTS_A_DAY;
        if (scaled < share)
            return hour * 3600 + (int64_t)(scaled * 3600 / share);
        scaled -= share;
    }
    return SECONDS_A_DAY - 1;
}

static void write_time(struct basket *basket, uint64_t place)
{
    time_t moment = (time_t)(FIRST_DAY + (int64_t)(place / BASKET_RECEIPTS_A_DAY) * SECONDS_A_DAY +
                             second_of_day(place % BASKET_RECEIPTS_A_DAY));
    struct tm utc;
    if (!gmtime_r(&moment, &utc) ||
        strftime(basket->time, sizeof basket->time, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        basket->time[0] = '\0';
}

static void put_line(struct basket *basket, size_t place, uint32_t sku, struct random *random)
{
    basket->lines[place] = (struct receipt_line){
        .sku = sku, .quantity_milli = draw_quantity_milli(sku, random), .price = price_of(sku)};
}

void basket_get(struct basket *basket, uint64_t place, struct receipt *receipt)
{
    struct random random;
    random_seed(&random, basket->options.seed, place);
    bool is_return = random_below(&random, 50) == 0;
    bool hot = random_below(&random, 100) < (uint64_t)basket->options.hot_percent;
    size_t count = is_return ? 1 + random_below(&random, 2) : draw_size(&random);
    for (size_t i = 0; i < count; i++)
        put_line(basket, i, hot && i == 0 ? 0 : draw_sku(basket, &random), &random);
    snprintf(basket->number, sizeof basket->number, "%llu", (unsigned long long)place);
    write_time(basket, place);
    *receipt = (struct receipt){.type = is_return ? RECEIPT_RETURN : RECEIPT_SALE,
                                .number = text_of(basket->number),
                                .time = text_of(basket->time),
                                .lines = basket->lines,
                                .line_count = count};
}
