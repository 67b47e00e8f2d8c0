/* receipts: a file of receipt lines (invoice,sku,qty,time,price) as documents, all in memory: 24
 * bytes a line and what the names take.
 *
 * The lines of one invoice that stand together are one receipt. An invoice beginning with C is a
 * return (quantities below zero in the file, above in the receipt); one beginning with A moves no
 * goods and is left out; on all others lines below zero are a receipt of their own, an adjustment.
 * Where an invoice gives more than one receipt, because its lines do not stand together or have
 * both signs, the second and later ones are numbered "INVOICE-2", …: an id must not come twice. */
#ifndef TILLQ_CLI_LOAD_RECEIPTS_H
#define TILLQ_CLI_LOAD_RECEIPTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/failure.h"
#include "cli/load/names.h"
#include "cli/load/receipt.h"

/* Texts and lines by their places, since both move while they grow. */
struct receipt_entry {
    enum receipt_type type;
    uint32_t number_length;
    size_t number;
    size_t time;
    uint32_t time_length;
    uint32_t line_count;
    size_t first_line;
};

struct receipts {
    struct names skus;
    struct buffer strings;
    struct receipt_line *lines;
    size_t line_count;
    size_t line_capacity;
    struct receipt_entry *entries;
    size_t count;
    size_t capacity;
    int64_t skipped_lines; /* of invoices that move no goods */
};

/* Reads the whole file. -1 with a message "FILE:LINE: what is wrong"; receipts_free in any case. */
int receipts_read(struct receipts *receipts, const char *path, struct failure *failure)
    __attribute__((warn_unused_result));
void receipts_free(struct receipts *receipts);

/* Points into the receipts. */
void receipts_get(const struct receipts *receipts, size_t place, struct receipt *receipt);

#endif
