/* figures: how the figures of stock look in a reply. */
#ifndef TILLQ_STOCK_FIGURES_H
#define TILLQ_STOCK_FIGURES_H

#include "base/buffer.h"
#include "base/db.h"
#include "stock/effects.h"

/* {"shop":…,"location":…,"sku":…,"on_hand":"2","reserved":"0","available":"2"} */
void figures_add_row(struct buffer *out, const struct stock_row *row);
/* "applied":[12]: one number a partition, read from the table `progress`. 0, or -1 where it cannot
 * be read; `out` is then not whole. */
int figures_add_applied(struct buffer *out, struct db *stock) __attribute__((warn_unused_result));

#endif
