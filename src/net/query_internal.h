/* query_internal: the inside of a query, for query.c, query_stock.c and query_damage.c alone. */
#ifndef TILLQ_NET_QUERY_INTERNAL_H
#define TILLQ_NET_QUERY_INTERNAL_H

#include <limits.h>

#include "base/db.h"
#include "journal/read.h"
#include "net/query.h"
#include "net/reply.h"

#define REPLY_BYTES (1 << 20) /* about: no reply adds another row when it is longer */

struct query {
    struct journal_reader *journal;
    struct db *stock;    /* NULL until it is opened, or where there is none */
    int64_t stock_files; /* when it was opened: see applier.h */
    struct json json;
    struct request request; /* of query_answer_line */
    char directory[];
};

/* Opens the stock file where that has not been done. 0 or -1. */
int query_open_stock(struct query *query, struct failure *failure);

/* The members "lost", "damaged" and "aside" of a status. 0 or -1. */
int query_add_damage(struct query *query, const struct query_live *live, struct buffer *reply,
                     struct failure *failure);

/* Each adds the whole reply. 0, or -1 with what is to be answered instead. */
int query_stock(struct query *query, const struct request *request, struct buffer *reply,
                struct failure *failure);
int query_movements(struct query *query, const struct request *request, struct buffer *reply,
                    struct failure *failure);
int query_dead(struct query *query, const struct request *request, struct buffer *reply,
               struct failure *failure);

#endif
