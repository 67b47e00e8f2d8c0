/* receipt: what one till sends as one document, before it is made JSON. */
#ifndef TILLQ_CLI_LOAD_RECEIPT_H
#define TILLQ_CLI_LOAD_RECEIPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum receipt_type { RECEIPT_SALE, RECEIPT_RETURN, RECEIPT_ADJUST };

struct receipt_line {
    uint32_t sku;           /* number in the names of skus */
    int64_t quantity_milli; /* thousandths; below zero only in an adjustment */
    int64_t price;          /* ten-thousandths */
};

struct receipt {
    enum receipt_type type;
    struct text number; /* unique among the receipts of its source */
    struct text time;   /* "2010-12-01T08:26:00Z"; its first 10 bytes are the business day */
    const struct receipt_line *lines;
    size_t line_count; /* at least 1 */
};

/* What a document of this type makes of `on_hand`: +1 or -1 times the quantity. */
static inline int64_t receipt_sign(enum receipt_type type)
{
    return type == RECEIPT_SALE ? -1 : 1;
}

#endif
