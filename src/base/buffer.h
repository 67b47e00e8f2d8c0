/* buffer: bytes that grow.
 *
 * Running out of memory is remembered in `failed`, so that a caller may append many times and ask
 * once; a failed buffer takes nothing more and must not be used as if it were whole.
 *
 * In a `secret` buffer, what it held and holds no more is wiped: when it is cleared, consumed from,
 * moved to grow, or freed. Set it before anything is added. */
#ifndef TILLQ_BASE_BUFFER_H
#define TILLQ_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct buffer {
    char *bytes;
    size_t length;
    size_t capacity;
    bool failed;
    bool secret;
};

void buffer_free(struct buffer *buffer);  /* leaves an empty, usable buffer, as secret as it was */
void buffer_clear(struct buffer *buffer); /* keeps the memory, forgets the failure */
/* As clear, but gives memory back where more than `keep_bytes` are held. */
void buffer_shrink(struct buffer *buffer, size_t keep_bytes);
/* Gives memory back where it holds more than `keep_bytes` and a third more than what lies in it. */
void buffer_fit(struct buffer *buffer, size_t keep_bytes);

/* Room for `length` more bytes; NULL (and failed) where there is no memory. The caller writes there
 * and then adds to buffer->length what it wrote. */
char *buffer_reserve(struct buffer *buffer, size_t length);

void buffer_add(struct buffer *buffer, const void *bytes, size_t length);
void buffer_add_text(struct buffer *buffer, struct text text);
void buffer_add_string(struct buffer *buffer, const char *string);
void buffer_add_byte(struct buffer *buffer, char byte);
void buffer_add_int(struct buffer *buffer, int64_t value); /* decimal digits */
void buffer_add_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A JSON string in quotes, escaped as RFC 8259 asks. `text` must be valid UTF-8. */
void buffer_add_json(struct buffer *buffer, struct text text);
/* LEB128, 7 bits a byte, low bits first; at most 10 bytes. */
void buffer_add_varint(struct buffer *buffer, uint64_t value);

/* Adds what is in `from` and empties that one: a long one moves over as it is where nothing lies in
 * the way. Neither may be secret. */
void buffer_add_buffer(struct buffer *buffer, struct buffer *from);

/* Takes the first `length` bytes away. */
void buffer_consume(struct buffer *buffer, size_t length);

struct text buffer_text(const struct buffer *buffer);

#endif
