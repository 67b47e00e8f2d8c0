/* record: what the journal stores; Kafka's record. */
#ifndef TILLQ_JOURNAL_RECORD_H
#define TILLQ_JOURNAL_RECORD_H

#include <stdint.h>

#include "base/text.h"

#define STOCK_TOPIC "stock"

#define TOPIC_NAME_BYTES 100
#define TOPIC_MAX 256
/* No partition ever gets so far: what says otherwise is damaged. */
#define OFFSET_LIMIT (INT64_C(1) << 62)

/* All texts are views; whoever made the record says how long they live. */
struct record {
    int64_t offset;
    int64_t time_ms;      /* when the journal took it, since 1970 UTC */
    struct text key;      /* raw JSON string; absent = no key */
    struct text headers;  /* raw JSON object; absent = none */
    struct text producer; /* raw JSON string: the terminal; absent = none */
    int64_t seq;          /* the producer's own number; -1 = none */
    struct text value;    /* raw JSON, the bytes that came */
};

#endif
