/* basket: made-up receipts that look like a supermarket's, the n-th always the same for a seed.
 *
 * Lines a receipt as measured in a grocer's 9,835 receipts (mean 4.4, median 3, most 32); hours of
 * the day with the evening's peak (10.6 % of a day's receipts from 17 h, 30 % from 16 to 19 h); the
 * top 1 % of the skus make 20 % of the lines; one sku in ten is weighed; one receipt in fifty is a
 * return. */
#ifndef TILLQ_CLI_LOAD_BASKET_H
#define TILLQ_CLI_LOAD_BASKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/load/names.h"
#include "cli/load/random.h"
#include "cli/load/receipt.h"

#define BASKET_LINES_MAX 32
#define BASKET_RECEIPTS_A_DAY 2170
#define BASKET_SKUS_MAX 1000000

struct basket_options {
    uint64_t seed;
    uint32_t sku_count; /* 2 to BASKET_SKUS_MAX */
    int hot_percent;    /* sku 0 is in so many percent of the receipts; 0 = no such sku */
    bool uniform;       /* every sku as likely */
};

struct basket {
    struct basket_options options;
    struct names skus;
    uint64_t *cumulative; /* weight of the skus up to and with this one; NULL where uniform */
    struct receipt_line lines[BASKET_LINES_MAX];
    char number[24];
    char time[24];
};

/* -1 where there is no memory; basket_free in any case. */
int basket_start(struct basket *basket, const struct basket_options *options)
    __attribute__((warn_unused_result));
void basket_free(struct basket *basket);

/* The receipt with this place; it is the basket's until the next call. */
void basket_get(struct basket *basket, uint64_t place, struct receipt *receipt);

#endif
