#include "stock/effects.h"

#include "base/decimal.h"

const char *place_name(enum place place)
{
    static const char *const names[] = {"?", "shelf", "customer", "supplier", "adjustment"};
    return place >= 1 && place <= PLACE_COUNT ? names[place] : names[0];
}

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {"accepted", "rejected", "duplicate", "conflict"};
    return (unsigned)outcome < OUTCOME_COUNT ? names[outcome] : "?"; /* of a stranger's file */
}

/* What one line does to the shelf. */
static int64_t change_of(const struct document *document, uint32_t line)
{
    int64_t quantity_milli = document->lines[line].quantity_milli;
    return document->type == DOCUMENT_SALE ? -quantity_milli : quantity_milli;
}

/* False where the sum is beyond plus or minus INT64_MAX: the opposite of a figure must fit too. */
static bool add(int64_t a, int64_t b, int64_t *sum)
{
    return !__builtin_add_overflow(a, b, sum) && *sum != INT64_MIN;
}

/* Sums the lines of each row into its work space. False where a figure would not fit. */
static bool sum_changes(const struct document *document, struct stock_row *const *rows)
{
    for (uint32_t i = 0; i < document->line_count; i++) {
        rows[i]->change_milli = 0;
        rows[i]->seen = false;
    }
    /* Line by line, as they will be applied: no step on the way may leave 64 bits either. */
    for (uint32_t i = 0; i < document->line_count; i++) {
        struct stock_row *row = rows[i];
        int64_t after, available;
        if (!add(row->change_milli, change_of(document, i), &row->change_milli) ||
            !add(row->on_hand_milli, row->change_milli, &after) ||
            __builtin_sub_overflow(after, row->reserved_milli, &available) ||
            available == INT64_MIN)
            return false;
    }
    return true;
}

static void add_short(struct buffer *detail, const struct stock_row *row)
{
    buffer_add_byte(detail, detail->length == 0 ? '[' : ',');
    buffer_add_string(detail, "{\"location\":");
    buffer_add_json(detail, row->location);
    buffer_add_string(detail, ",\"sku\":");
    buffer_add_json(detail, row->sku);
    buffer_add_string(detail, ",\"requested\":");
    decimal_add_json(detail, -row->change_milli, QUANTITY_DECIMALS);
    buffer_add_string(detail, ",\"available\":");
    decimal_add_json(detail, available_milli(row), QUANTITY_DECIMALS);
    buffer_add_byte(detail, '}');
}

/* Every row that would lack stock, each once. True where there is one. */
static bool find_short(const struct document *document, struct stock_row *const *rows,
                       struct buffer *detail)
{
    for (uint32_t i = 0; i < document->line_count; i++) {
        struct stock_row *row = rows[i];
        if (row->seen)
            continue;
        row->seen = true;
        int64_t left =
            row->on_hand_milli + row->change_milli; /* it fits: sum_changes has seen it */
        if (row->change_milli < 0 && left < row->reserved_milli)
            add_short(detail, row);
    }
    if (detail->length == 0)
        return false;
    buffer_add_byte(detail, ']');
    return true;
}

void effects_decide(const struct document *document, struct stock_row *const *rows,
                    struct decision *decision)
{
    buffer_clear(&decision->detail);
    decision->outcome = OUTCOME_ACCEPTED;
    decision->reason = NULL;
    if (!sum_changes(document, rows)) {
        decision->outcome = OUTCOME_REJECTED;
        decision->reason = "OUT_OF_RANGE";
    } else if (document->check != CHECK_NONE && find_short(document, rows, &decision->detail)) {
        if (document->check == CHECK_HARD)
            decision->outcome = OUTCOME_REJECTED;
        decision->reason = "INSUFFICIENT_STOCK";
    }
}

struct movement effects_movement(const struct document *document, uint32_t line,
                                 struct stock_row *row)
{
    int64_t change_milli = change_of(document, line);
    enum place other = document->type == DOCUMENT_RECEIPT  ? PLACE_SUPPLIER
                       : document->type == DOCUMENT_ADJUST ? PLACE_ADJUSTMENT
                                                           : PLACE_CUSTOMER;
    struct movement movement = {.row = row, .from = other, .to = PLACE_SHELF};
    if (change_milli < 0) {
        movement.from = PLACE_SHELF;
        movement.to = other;
        change_milli = -change_milli;
    }
    movement.quantity_milli = change_milli;
    return movement;
}

void effects_apply(const struct movement *movement)
{
    struct stock_row *row = movement->row;
    row->on_hand_milli +=
        movement->to == PLACE_SHELF ? movement->quantity_milli : -movement->quantity_milli;
    row->dirty = true;
}
