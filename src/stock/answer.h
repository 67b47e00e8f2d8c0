/* answer: what the sender of a document is told once it is applied: the outcome, and the stock
 * after it of every sku it names. Reads the stock tables through the applier's own connection. */
#ifndef TILLQ_STOCK_ANSWER_H
#define TILLQ_STOCK_ANSWER_H

#include "base/buffer.h"
#include "base/db.h"
#include "stock/document.h"

struct answer;

struct answer *answer_new(struct db *stock); /* NULL: no memory */
void answer_free(struct answer *answer);

/* Adds the members "outcome", "reason", "detail", "stock" and "applied" of the document at
 * (partition, offset). For an accepted document the stock is that right after it; for any other, as
 * of `applied`. `value` is the document as the journal has it. 0, or -1 with `out` as it was, where
 * it is not there or cannot be read now. */
int answer_add(struct answer *answer, int partition, int64_t offset, struct text value,
               struct buffer *out) __attribute__((warn_unused_result));

/* Where the document of `value` was journaled first, by its id; -1 = that id was never applied.
 * *same_seq: under the seq it has here, so that it is this very record and not another with the
 * same id. 0, or -1 where that cannot be told now. */
int answer_find_offset(struct answer *answer, struct text value, int64_t *offset, bool *same_seq)
    __attribute__((warn_unused_result));

#endif
