/* reply: the parts every reply line is made of. */
#ifndef TILLQ_NET_REPLY_H
#define TILLQ_NET_REPLY_H

#include "base/buffer.h"
#include "base/failure.h"

/* {"ok":true  and the echoes; the caller adds `,"member":…` and closes with }. */
void reply_begin(struct buffer *reply, struct text tag, int64_t seq);
/* A whole error line without LF. `path` may be empty. */
void reply_error(struct buffer *reply, struct text tag, int64_t seq, const struct failure *failure);
/* The code and the message (still escaped) of a line reply_error made. False for any other line. */
bool reply_is_error(struct text line, struct text *code, struct text *message);
/* ,"name":text or ,"name":number */
void reply_add_text(struct buffer *reply, const char *name, struct text text);
void reply_add_int(struct buffer *reply, const char *name, int64_t value);

#endif
