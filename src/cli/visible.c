#include "cli/visible.h"

#include <wchar.h>

#define NOT_UTF8 0xffffffffu

/* The code point at `at` and its length; NOT_UTF8 and 1 where there is none. */
static uint32_t decode(const unsigned char *at, size_t left, size_t *length)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    *length = 1;
    if (*at < 0x80)
        return *at;
    size_t need = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : 2;
    if (*at < 0xc2 || *at > 0xf4 || left < need)
        return NOT_UTF8;
    uint32_t point = *at & (0x7fu >> need);
    for (size_t i = 1; i < need; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return NOT_UTF8;
        point = point << 6 | (at[i] & 0x3fu);
    }
    if (point < least[need] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return NOT_UTF8;
    *length = need;
    return point;
}

/* Controls (C0, DEL, C1), line and paragraph separators, and the marks that reorder text. */
static bool is_hidden(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) ||
           point == 0x200e || point == 0x200f || point == 0x061c || point == 0xfeff;
}

void visible_add(struct buffer *out, struct text text)
{
    const unsigned char *bytes = (const unsigned char *)text.bytes;
    size_t length;
    for (size_t i = 0; i < text.length; i += length) {
        uint32_t point = decode(bytes + i, text.length - i, &length);
        if (point == NOT_UTF8)
            buffer_add_format(out, "\\x%02x", bytes[i]);
        else if (is_hidden(point))
            buffer_add_format(out, "\\u%04x", point);
        else
            buffer_add(out, bytes + i, length);
    }
}

size_t visible_width(struct text text)
{
    const unsigned char *bytes = (const unsigned char *)text.bytes;
    size_t columns = 0;
    size_t length;
    for (size_t i = 0; i < text.length; i += length) {
        int width = wcwidth((wchar_t)decode(bytes + i, text.length - i, &length));
        columns += width < 0 ? 1 : (size_t)width;
    }
    return columns;
}
