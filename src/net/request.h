/* request: one line of the terminal protocol, read and checked. Knows no socket. */
#ifndef TILLQ_NET_REQUEST_H
#define TILLQ_NET_REQUEST_H

#include "base/failure.h"
#include "base/json.h"

#define PROTOCOL_VERSION 1
#define FETCH_MAX 1000
#define FETCH_DEFAULT 500
#define FETCH_WAIT_MAX_MS 60000
#define ROWS_MAX 1000

enum operation {
    OPERATION_HELLO,
    OPERATION_PUT,
    OPERATION_STOCK,
    OPERATION_FETCH,
    OPERATION_PRODUCE,
    OPERATION_COMMIT,
    OPERATION_COMMITTED,
    OPERATION_STATUS,
    OPERATION_MOVEMENTS,
    OPERATION_DEAD,
    OPERATION_ROLL,
    OPERATION_VERIFY,
    OPERATION_COUNT,
};

enum acknowledgement { ACK_JOURNAL, ACK_APPLIED, ACK_NONE };

/* Texts point into the line or into `scratch`. One struct is used for many lines after each other;
 * start from zeros, end with request_free. */
struct request {
    enum operation operation;
    struct text tag; /* raw JSON; absent = none */
    int64_t seq;     /* the document's, for echoing; -1 = none */
    uint32_t doc;    /* node of the document; JSON_ABSENT */
    enum acknowledgement ack;
    struct text terminal, shop, token, topic, group, sku, location, after; /* absent = not given */
    uint32_t skus;                   /* node of the array; JSON_ABSENT */
    struct text key, headers, value; /* raw JSON; absent = not given (or null) */
    int partition;                   /* 0 where not given */
    int64_t offset;                  /* -1 where not given */
    int64_t max;
    int64_t wait_ms;
    int64_t limit;
    struct json json;
    struct buffer scratch;
};

/* Reads a line. 0, or -1 with BAD_JSON or BAD_REQUEST; tag and seq are filled in where the line had
 * them, in either case. */
int request_read(struct request *request, struct text line, struct failure *failure)
    __attribute__((warn_unused_result));
void request_free(struct request *request);
/* After each line: lets go of memory that an unusually large one needed, and wipes what was copied
 * out of it. */
void request_shrink(struct request *request);
/* A read whose reply may come to a MiB. */
bool request_may_be_large(const struct request *request);
/* Is answered from what is on disk, by the reader. */
bool operation_only_reads(enum operation operation);

#endif
