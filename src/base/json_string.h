/* json_string: the inside of a JSON string: is it well formed, what does it stand for.
 *
 * Used by the JSON reader and walker only; everybody else asks json.h. Positions point into the
 * caller's bytes, nothing is read at or past `end`, and nothing is allocated except in
 * json_string_add. */
#ifndef TILLQ_BASE_JSON_STRING_H
#define TILLQ_BASE_JSON_STRING_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/text.h"

struct json_scan {
    const char *stop;  /* the closing quote, or the byte that is wrong, or the end */
    const char *wrong; /* NULL = well formed; else what is wrong at `stop` */
    bool escaped;      /* a backslash came by */
};

/* Looks for the closing quote from `at`, the first byte after the opening one. Refuses control
 * characters, invalid UTF-8, unknown escapes, unpaired surrogates and \u0000. */
struct json_scan json_string_scan(const char *at, const char *end);

/* The functions below take the inside of a string that json_string_scan found well formed. */

/* Adds the bytes it stands for. */
void json_string_add(struct buffer *out, struct text inside);
/* Orders two strings by the bytes they stand for, as text_compare does. */
int json_string_compare(struct text a, struct text b);
/* Does it stand for exactly these bytes? */
bool json_string_means(struct text inside, struct text bytes);

#endif
