#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WORTH_MOVING_BYTES 4096

/* What stands behind the first `keep` bytes. */
static void wipe(const struct buffer *buffer, size_t keep)
{
    if (buffer->secret && buffer->length > keep)
        explicit_bzero(buffer->bytes + keep, buffer->length - keep);
}

void buffer_free(struct buffer *buffer)
{
    wipe(buffer, 0);
    free(buffer->bytes);
    *buffer = (struct buffer){.secret = buffer->secret};
}

void buffer_clear(struct buffer *buffer)
{
    wipe(buffer, 0);
    buffer->length = 0;
    buffer->failed = false;
}

void buffer_shrink(struct buffer *buffer, size_t keep_bytes)
{
    if (buffer->capacity > keep_bytes)
        buffer_free(buffer);
    buffer_clear(buffer);
}

/* realloc may leave a copy behind. */
static char *grown(struct buffer *buffer, size_t capacity)
{
    if (!buffer->secret || buffer->length == 0)
        return realloc(buffer->bytes, capacity);
    char *bytes = malloc(capacity);
    if (!bytes)
        return NULL;
    memcpy(bytes, buffer->bytes, buffer->length);
    wipe(buffer, 0);
    free(buffer->bytes);
    return bytes;
}

void buffer_fit(struct buffer *buffer, size_t keep_bytes)
{
    if (buffer->capacity <= keep_bytes || buffer->length >= buffer->capacity / 4 * 3)
        return;
    size_t capacity = buffer->length > keep_bytes ? buffer->length : keep_bytes;
    char *bytes = capacity > 0 ? grown(buffer, capacity) : NULL;
    if (!bytes)
        return;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
}

char *buffer_reserve(struct buffer *buffer, size_t length)
{
    if (buffer->failed)
        return NULL;
    if (length > SIZE_MAX / 2 - buffer->length) {
        buffer->failed = true;
        return NULL;
    }
    size_t need = buffer->length + length;
    if (need > buffer->capacity || !buffer->bytes) {
        size_t capacity = buffer->capacity ? buffer->capacity : 64;
        while (capacity < need)
            capacity += capacity / 2 + 1;
        char *bytes = grown(buffer, capacity);
        if (!bytes) {
            buffer->failed = true;
            return NULL;
        }
        buffer->bytes = bytes;
        buffer->capacity = capacity;
    }
    return buffer->bytes + buffer->length;
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    char *room = buffer_reserve(buffer, length);
    if (!room)
        return;
    memcpy(room, bytes, length);
    buffer->length += length;
}

void buffer_add_text(struct buffer *buffer, struct text text)
{
    buffer_add(buffer, text.bytes, text.length);
}

void buffer_add_buffer(struct buffer *buffer, struct buffer *from)
{
    if (buffer->length > 0 || buffer->failed || from->failed || from->length < WORTH_MOVING_BYTES) {
        buffer_add_text(buffer, buffer_text(from));
        buffer_clear(from);
        return;
    }
    struct buffer empty = *buffer;
    *buffer = *from;
    *from = empty;
}

void buffer_add_string(struct buffer *buffer, const char *string)
{
    buffer_add(buffer, string, strlen(string));
}

void buffer_add_byte(struct buffer *buffer, char byte)
{
    buffer_add(buffer, &byte, 1);
}

void buffer_add_int(struct buffer *buffer, int64_t value)
{
    char digits[24];
    char *at = digits + sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0)
        *--at = '-';
    buffer_add(buffer, at, (size_t)(digits + sizeof digits - at));
}

void buffer_add_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *room = length < 0 ? NULL : buffer_reserve(buffer, (size_t)length + 1);
    if (room) {
        vsnprintf(room, (size_t)length + 1, format, again);
        buffer->length += (size_t)length;
    } else {
        buffer->failed = true;
    }
    va_end(again);
}

void buffer_add_json(struct buffer *buffer, struct text text)
{
    buffer_add_byte(buffer, '"');
    size_t plain = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buffer_add(buffer, text.bytes + plain, i - plain);
        plain = i + 1;
        if (c == '"' || c == '\\') {
            buffer_add_byte(buffer, '\\');
            buffer_add_byte(buffer, (char)c);
        } else {
            buffer_add_format(buffer, "\\u%04x", c);
        }
    }
    buffer_add(buffer, text.bytes + plain, text.length - plain);
    buffer_add_byte(buffer, '"');
}

void buffer_add_varint(struct buffer *buffer, uint64_t value)
{
    while (value >= 0x80) {
        buffer_add_byte(buffer, (char)(0x80 | (value & 0x7f)));
        value >>= 7;
    }
    buffer_add_byte(buffer, (char)value);
}

void buffer_consume(struct buffer *buffer, size_t length)
{
    if (length == 0)
        return;
    size_t rest = buffer->length - length;
    memmove(buffer->bytes, buffer->bytes + length, rest);
    wipe(buffer, rest);
    buffer->length = rest;
}

struct text buffer_text(const struct buffer *buffer)
{
    return (struct text){buffer->bytes, buffer->length};
}
