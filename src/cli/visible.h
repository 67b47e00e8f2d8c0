/* visible: what others wrote (skus, reasons, messages) made fit for a person's terminal. */
#ifndef TILLQ_CLI_VISIBLE_H
#define TILLQ_CLI_VISIBLE_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/text.h"

/* Adds `text` with everything escaped that could move the cursor, change colours or reorder what
 * stands beside it: control characters and marks of direction as \u001b, bytes that are not UTF-8
 * as \xff. */
void visible_add(struct buffer *out, struct text text);

/* Columns a terminal needs for `text`, which came from visible_add. */
size_t visible_width(struct text text);

#endif
