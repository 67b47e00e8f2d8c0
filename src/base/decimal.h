/* decimal: exact decimal fractions as 64-bit counts of a power of ten. Never a float.
 *
 * Quantities are thousandths (3 decimals), money ten-thousandths (4). Accepted, in a JSON number or
 * a JSON string alike: -?digits, optionally .digits, optionally e[+-]digits. More decimals than
 * asked for are refused even where they are zeros ("1.0000" at 3), an exponent counts exactly
 * ("5e-1" has one decimal). Leading zeros are accepted in strings; a number never has them. */
#ifndef TILLQ_BASE_DECIMAL_H
#define TILLQ_BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/text.h"

#define QUANTITY_DECIMALS 3
#define MONEY_DECIMALS 4

enum decimal_result {
    DECIMAL_OK,
    DECIMAL_NOT_A_NUMBER,
    DECIMAL_TOO_PRECISE, /* more decimals than `decimals` */
    DECIMAL_TOO_LARGE, /* beyond plus or minus INT64_MAX, so that negating a value is always safe */
};

enum decimal_result decimal_parse(struct text text, int decimals, int64_t *value)
    __attribute__((warn_unused_result));
/* In words, for a message: "is not a decimal number", … */
const char *decimal_reason(enum decimal_result result);

/* Shortest form of any value: "2", "0.575", "-3"; `decimals` from 0 to 18. At most 24 bytes with
 * the NUL. Returns the length. */
#define DECIMAL_STRING_BYTES 24
size_t decimal_format(int64_t value, int decimals, char out[DECIMAL_STRING_BYTES]);
/* As a JSON string with its quotes. */
void decimal_add_json(struct buffer *buffer, int64_t value, int decimals);

#endif
