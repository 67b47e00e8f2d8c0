/* query: answers the requests that only read (hello's last_seq, stock, fetch, committed, status,
 * movements, dead), on read-only connections to a data directory.
 *
 * One thread owns a query. The daemon's reader thread has one; `tillq -d` has one of its own, which
 * is why both print the same JSON. A daemon may be running on the directory, or not. */
#ifndef TILLQ_NET_QUERY_H
#define TILLQ_NET_QUERY_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/failure.h"
#include "base/text.h"
#include "net/request.h"

struct query;

/* What only a running daemon knows, for `status`. */
struct query_live {
    int64_t uptime_ms;
    int64_t connections;
    const char *shop;                            /* of those who name none */
    int64_t commits, records;                    /* written since the start */
    int64_t stock_files;                         /* see applier.h */
    struct text damage;                          /* see journal_damage; absent = none */
    int64_t reserve_bytes;                       /* held for a full disk */
    const char *journal_state, *journal_message; /* message NULL = none */
    const char *applier_state, *applier_message; /* message NULL = none */
};

/* 0, or -1 with a message that names the directory and what is wrong with it. */
int query_open(struct query **out, const char *directory, struct failure *failure)
    __attribute__((warn_unused_result));
void query_close(struct query *query); /* NULL is fine */
/* Closes its files; they are opened again when needed. */
void query_release(struct query *query);

/* Adds the reply to a request that was read, without LF. `live` may be NULL (no daemon). True where
 * it is a fetch that found nothing and may wait (request->wait_ms): then nothing was added. */
bool query_answer(struct query *query, const struct request *request, const struct query_live *live,
                  const struct clock *clock, struct buffer *reply);

/* The same for one line from the start, for who has no daemon: errors as in docs/protocol.md; a
 * request that writes is answered READ_ONLY; a fetch that may wait waits here. */
void query_answer_line(struct query *query, struct text line, struct buffer *reply);

#endif
