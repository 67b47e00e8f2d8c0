/* query: answers the requests that only read (hello's last_seq, stock, fetch, committed, status,
 * movements, dead), on read-only connections to a data directory.
 *
 * One thread owns a query. The daemon's reader thread has one; `tillq -d` has one of its own, which
 * is why both print the same JSON. A daemon may be running on the directory, or not. */
#ifndef TILLQ_NET_QUERY_H
#define TILLQ_NET_QUERY_H

#include "base/buffer.h"
#include "base/failure.h"
#include "base/text.h"

struct query;

/* 0, or -1 with a message that names the directory and what is wrong with it. */
int query_open(struct query **out, const char *directory, struct failure *failure)
    __attribute__((warn_unused_result));
void query_close(struct query *query); /* NULL is fine */

/* Adds the reply to one request line, without LF: the very line a daemon would send, with `ok` and
 * errors as in docs/protocol.md. Requests that write are answered with READ_ONLY. */
void query_answer_line(struct query *query, struct text line, struct buffer *reply);

#endif
