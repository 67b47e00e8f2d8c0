#include "net/line.h"

void line_free(struct line_splitter *splitter)
{
    buffer_free(&splitter->partial);
    *splitter = (struct line_splitter){0};
}

void line_feed(struct line_splitter *splitter, struct text bytes)
{
    splitter->input = bytes;
}

static struct text without_cr(const char *bytes, size_t length)
{
    if (length > 0 && bytes[length - 1] == '\r')
        length--;
    return (struct text){bytes, length};
}

static enum line_result no_end_yet(struct line_splitter *splitter, size_t limit_bytes)
{
    struct buffer *partial = &splitter->partial;
    size_t length = partial->length + splitter->input.length;
    partial->secret = true;
    buffer_add_text(partial, splitter->input);
    splitter->input = (struct text){0};
    if (partial->failed)
        return LINE_NO_MEMORY;
    /* The one byte more may be the CR of a line end that has not come. */
    bool too_long = length > limit_bytes + 1 ||
                    (length == limit_bytes + 1 && partial->bytes[length - 1] != '\r');
    return too_long ? LINE_TOO_LONG : LINE_NONE;
}

enum line_result line_next(struct line_splitter *splitter, size_t limit_bytes, struct text *line)
{
    struct buffer *partial = &splitter->partial;
    struct text *input = &splitter->input;
    if (splitter->used_partial) {
        splitter->used_partial = false;
        buffer_free(partial); /* an idle connection holds nothing */
    }
    const char *end = input->length > 0 ? memchr(input->bytes, '\n', input->length) : NULL;
    if (!end)
        return no_end_yet(splitter, limit_bytes);
    size_t length = (size_t)(end - input->bytes);
    if (partial->length == 0) {
        *line = without_cr(input->bytes, length);
    } else {
        buffer_add(partial, input->bytes, length);
        if (partial->failed)
            return LINE_NO_MEMORY;
        *line = without_cr(partial->bytes, partial->length);
        splitter->used_partial = true;
    }
    input->bytes += length + 1;
    input->length -= length + 1;
    return line->length > limit_bytes ? LINE_TOO_LONG : LINE_WHOLE;
}
