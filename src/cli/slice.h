/* slice: picks values out of a reply as the bytes that came.
 *
 * Why not the JSON reader: it stops at the depth a request line may have, and a reply wraps a
 * record of that depth in its own arrays. Why not a JSON library: a document's 0.575 must be
 * printed as 0.575, not as the nearest double.
 *
 * Never reads outside its text, whatever stands there; what is not JSON gives absent values. All
 * results point into the text, which must stay; an absent value is {NULL, 0}. */
#ifndef TILLQ_CLI_SLICE_H
#define TILLQ_CLI_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/text.h"

/* The value of an object's member, strings with their quotes. */
struct text slice_member(struct text object, const char *name);

/* The elements of an array in turn; `*position` begins at 0. False at the end (and where it is no
 * array). */
bool slice_next(struct text array, size_t *position, struct text *element);

/* 0 or -1. */
int slice_int(struct text value, int64_t *number) __attribute__((warn_unused_result));
/* An integer that has a default. */
int64_t slice_int_or(struct text value, int64_t otherwise);
bool slice_is_true(struct text value);

/* A string without quotes and escapes, in the value itself where it has no escape, else added to
 * `scratch` (and moving when that grows). Any other value as it is written. */
struct text slice_string(struct text value, struct buffer *scratch);

/* An object's inside without its first member, for a reply without its `ok`: `"a":1,"b":2`. */
struct text slice_after_first(struct text object);

#endif
