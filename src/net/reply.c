#include "net/reply.h"

#define ERROR_BEGIN "{\"ok\":false,\"error\":\""
#define MESSAGE_BEGIN "\",\"message\":\""

static void add_echo(struct buffer *reply, struct text tag, int64_t seq)
{
    if (tag.bytes) {
        buffer_add_string(reply, ",\"tag\":");
        buffer_add_text(reply, tag);
    }
    if (seq >= 0)
        reply_add_int(reply, "seq", seq);
}

void reply_begin(struct buffer *reply, struct text tag, int64_t seq)
{
    buffer_add_string(reply, "{\"ok\":true");
    add_echo(reply, tag, seq);
}

/* A message may quote bytes of a stranger, cut at a limit: what is not whole UTF-8 is left out. */
static void add_message(struct buffer *reply, const char *message)
{
    buffer_add_string(reply, MESSAGE_BEGIN);
    for (const char *c = message; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte < 0x20 || byte >= 0x7f)
            continue;
        if (byte == '"' || byte == '\\')
            buffer_add_byte(reply, '\\');
        buffer_add_byte(reply, *c);
    }
    buffer_add_byte(reply, '"');
}

void reply_error(struct buffer *reply, struct text tag, int64_t seq, const struct failure *failure)
{
    buffer_add_string(reply, ERROR_BEGIN);
    buffer_add_string(reply, failure->code);
    add_message(reply, failure->message);
    if (failure->path[0] != '\0')
        reply_add_text(reply, "path", text_of(failure->path));
    add_echo(reply, tag, seq);
    buffer_add_byte(reply, '}');
}

/* What stands in front of the next quote that is not escaped. */
static struct text up_to_quote(struct text line)
{
    size_t length = 0;
    while (length < line.length && line.bytes[length] != '"')
        length += line.bytes[length] == '\\' && length + 1 < line.length ? 2 : 1;
    return (struct text){line.bytes, length};
}

static bool skip(struct text *line, struct text beginning)
{
    if (line->length < beginning.length ||
        memcmp(line->bytes, beginning.bytes, beginning.length) != 0)
        return false;
    *line = (struct text){line->bytes + beginning.length, line->length - beginning.length};
    return true;
}

bool reply_is_error(struct text line, struct text *code, struct text *message)
{
    if (!skip(&line, TEXT_LITERAL(ERROR_BEGIN)))
        return false;
    *code = up_to_quote(line);
    if (!skip(&line, *code) || !skip(&line, TEXT_LITERAL(MESSAGE_BEGIN)))
        return false;
    *message = up_to_quote(line);
    return true;
}

void reply_add_text(struct buffer *reply, const char *name, struct text text)
{
    buffer_add_string(reply, ",\"");
    buffer_add_string(reply, name);
    buffer_add_string(reply, "\":");
    buffer_add_json(reply, text);
}

void reply_add_int(struct buffer *reply, const char *name, int64_t value)
{
    buffer_add_string(reply, ",\"");
    buffer_add_string(reply, name);
    buffer_add_string(reply, "\":");
    buffer_add_int(reply, value);
}
