/* line: cuts a stream of bytes into lines. Knows no socket.
 *
 * A line ends with LF; one CR before it is taken off. A line that lies whole in what was fed is
 * handed out where it lies; only a line in pieces is copied, and the copy wiped, for it may hold a
 * token. */
#ifndef TILLQ_NET_LINE_H
#define TILLQ_NET_LINE_H

#include "base/buffer.h"

struct line_splitter {
    struct buffer partial; /* the beginning of a line whose end has not come */
    struct text input;     /* fed, not yet handed out */
    bool used_partial;     /* the line handed out last lies in `partial` */
};

enum line_result {
    LINE_NONE, /* feed more */
    LINE_WHOLE,
    LINE_TOO_LONG, /* the stream cannot be used any more */
    LINE_NO_MEMORY,
};

void line_free(struct line_splitter *splitter);
/* Gives it bytes; only after line_next has said LINE_NONE. They must live until it says so again.
 */
void line_feed(struct line_splitter *splitter, struct text bytes);
/* The next line, without its end, valid until the next call. `limit_bytes`: of a line without its
 * end. An empty line is a line. */
enum line_result line_next(struct line_splitter *splitter, size_t limit_bytes, struct text *line);
#endif
