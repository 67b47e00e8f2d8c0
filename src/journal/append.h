/* append: one thing to be written into the journal, and what became of it.
 *
 * Whoever submits one owns its memory and all its texts until it comes back answered, exactly once.
 * `error` is NULL when it is on disk: committed and synced. */
#ifndef TILLQ_JOURNAL_APPEND_H
#define TILLQ_JOURNAL_APPEND_H

#include "base/buffer.h"
#include "base/queue.h"
#include "journal/record.h"

enum append_kind {
    APPEND_RECORD,
    APPEND_GROUP_OFFSET, /* `group` will next read `group_offset` of topic, partition */
    APPEND_ROLL,         /* begin a new segment */
};

struct append {
    struct queue_item item; /* first: the queues cast it back */
    enum append_kind kind;
    struct text topic;
    int partition;
    struct record record; /* key, headers, value raw JSON; seq; offset is filled in */
    struct text producer; /* plain text; used where record.seq >= 0 */
    struct text group;
    int64_t group_offset;
    /* answer */
    const char *error;   /* static code of the protocol, or NULL */
    const char *message; /* static, with `error` */
    int64_t offset;      /* of the record, -1 unknown; the group's; the new segment's number */
    bool duplicate;      /* the record was there before, at `offset` */
    bool reused;         /* … but what was there is another document under the same seq */
    int64_t known_at;    /* where its id was journaled first; set with `duplicate`, -1 unknown */
    /* for a document whose sender waits until it is applied */
    bool wants_outcome;
    struct buffer outcome; /* members of a JSON object: what was decided, the stock after it */
};

/* Bytes this will take in a batch: what the writer and the loop count with. */
static inline size_t append_bytes(const struct append *append)
{
    return append->record.value.length + append->record.key.length + append->record.headers.length +
           append->producer.length + 64;
}

#endif
