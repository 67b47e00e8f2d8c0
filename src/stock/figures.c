#include "stock/figures.h"

#include "base/decimal.h"

void figures_add_row(struct buffer *out, const struct stock_row *row)
{
    buffer_add_string(out, "{\"shop\":");
    buffer_add_json(out, row->shop);
    buffer_add_string(out, ",\"location\":");
    buffer_add_json(out, row->location);
    buffer_add_string(out, ",\"sku\":");
    buffer_add_json(out, row->sku);
    buffer_add_string(out, ",\"on_hand\":");
    decimal_add_json(out, row->on_hand_milli, QUANTITY_DECIMALS);
    buffer_add_string(out, ",\"reserved\":");
    decimal_add_json(out, row->reserved_milli, QUANTITY_DECIMALS);
    buffer_add_string(out, ",\"available\":");
    decimal_add_json(out, available_milli(row), QUANTITY_DECIMALS);
    buffer_add_byte(out, '}');
}

int figures_add_applied(struct buffer *out, struct db *stock)
{
    struct db_statement *row = db_prepare(stock, "SELECT applied FROM progress ORDER BY partition");
    if (!row)
        return -1;
    buffer_add_string(out, "\"applied\":[");
    enum db_result step;
    for (int count = 0; (step = db_step(row)) == DB_ROW; count++) {
        if (count > 0)
            buffer_add_byte(out, ',');
        buffer_add_int(out, db_int(row, 0));
    }
    buffer_add_byte(out, ']');
    db_finalize(row);
    return step == DB_DONE ? 0 : -1;
}
