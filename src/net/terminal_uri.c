#include "net/terminal_uri.h"

#include <strings.h>

#include "base/json.h"

static const char scheme[] = "tillq:";
static const char kind[] = "tillq:terminal:";

static bool begins_with(struct text uri, const char *start)
{
    return uri.length >= strlen(start) && strncasecmp(uri.bytes, start, strlen(start)) == 0;
}

bool terminal_uri_is_ours(struct text uri)
{
    return begins_with(uri, scheme);
}

static int hex(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* The byte at *at, which moves on behind it; -1 where a percent sign is not followed by two hex
 * digits, or the byte may not stand in an id. */
static int next_byte(struct text uri, size_t *at)
{
    int byte = (unsigned char)uri.bytes[(*at)++];
    if (byte == '%') {
        if (uri.length - *at < 2)
            return -1;
        int high = hex(uri.bytes[*at]);
        int low = hex(uri.bytes[*at + 1]);
        byte = high < 0 || low < 0 ? -1 : high << 4 | low;
        *at += 2;
    }
    return byte < 0x20 || byte == 0x7f ? -1 : byte;
}

bool terminal_uri_read(struct text uri, char id[TERMINAL_URI_ID_BYTES])
{
    size_t at = strlen(kind);
    size_t length = 0;
    id[0] = '\0';
    if (!begins_with(uri, kind))
        return false;
    while (at < uri.length) {
        int byte = next_byte(uri, &at);
        if (byte < 0 || length == TERMINAL_URI_ID_BYTES - 1) {
            id[0] = '\0';
            return false;
        }
        id[length++] = (char)byte;
    }
    id[length] = '\0';
    if (length > 0 && json_can_hold(text_of(id)))
        return true;
    id[0] = '\0';
    return false;
}
