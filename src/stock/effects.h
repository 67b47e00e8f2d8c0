/* effects: what a document does to stock. Pure: reads the rows and the document, nothing else; no
 * clock, no disk, no random numbers, so that the same journal gives the same stock.
 *
 * Invariant 6: every movement names two places and moves the same quantity out of one into the
 * other, so over all places the movements of a sku add up to zero. */
#ifndef TILLQ_STOCK_EFFECTS_H
#define TILLQ_STOCK_EFFECTS_H

#include "base/buffer.h"
#include "stock/document.h"

/* Stored as these numbers; docs/design.md and the table `place` name them. */
enum place {
    PLACE_SHELF = 1,
    PLACE_CUSTOMER = 2,
    PLACE_SUPPLIER = 3,
    PLACE_ADJUSTMENT = 4,
};
#define PLACE_COUNT 4
const char *place_name(enum place place);

enum outcome { OUTCOME_ACCEPTED, OUTCOME_REJECTED, OUTCOME_DUPLICATE, OUTCOME_CONFLICT };
#define OUTCOME_COUNT 4
const char *outcome_name(enum outcome outcome);

/* The figures of one (shop, location, sku). */
struct stock_row {
    struct text shop, location, sku;
    int64_t id; /* in the stock table; 0 = not there yet */
    int64_t on_hand_milli;
    int64_t reserved_milli;
    int64_t last_movement; /* newest movement of this row; 0 = none */
    bool dirty;            /* differs from the table */
    /* work space of one decision */
    int64_t change_milli;
    bool seen;
};

struct movement {
    struct stock_row *row;
    enum place from, to;
    int64_t quantity_milli; /* above zero */
};

struct decision {
    enum outcome outcome;
    const char *reason;   /* static; NULL = none */
    struct buffer detail; /* JSON; empty = none */
};

/* Decides a sale, return, receipt or adjustment whose line i concerns rows[i]. Changes nothing but
 * the rows' work space. `decision->detail` is cleared and filled. */
void effects_decide(const struct document *document, struct stock_row *const *rows,
                    struct decision *decision);

/* The movement of one line. Only of an accepted document. */
struct movement effects_movement(const struct document *document, uint32_t line,
                                 struct stock_row *row);
/* Puts it into the row's figures. */
void effects_apply(const struct movement *movement);

/* What is decided never leaves 64 bits; a file from foreign hands may: then the nearest there is.
 */
static inline int64_t available_milli(const struct stock_row *row)
{
    int64_t available;
    if (__builtin_sub_overflow(row->on_hand_milli, row->reserved_milli, &available))
        return row->reserved_milli > 0 ? INT64_MIN : INT64_MAX;
    return available;
}

#endif
