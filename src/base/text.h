/* text: a view of bytes that somebody else owns. Not NUL-terminated. */
#ifndef TILLQ_BASE_TEXT_H
#define TILLQ_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct text {
    const char *bytes; /* NULL = absent; length is then 0 */
    size_t length;
};

#define TEXT_LITERAL(literal) ((struct text){(literal), sizeof(literal) - 1})

static inline struct text text_of(const char *string)
{
    return (struct text){string, string ? strlen(string) : 0};
}

static inline bool text_equal(struct text a, struct text b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

static inline bool text_is(struct text a, const char *string)
{
    return text_equal(a, text_of(string));
}

/* The order of memcmp, the shorter first where one is the start of the other: SQLite's BINARY. */
static inline int text_compare(struct text a, struct text b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter == 0 ? 0 : memcmp(a.bytes, b.bytes, shorter);
    if (order != 0)
        return order;
    return (a.length > b.length) - (a.length < b.length);
}

#endif
