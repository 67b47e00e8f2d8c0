/* batch: the records of one partition that one commit wrote: one row of a segment, as in Kafka.
 *
 * Format 1 (JSON). Three columns hold the records together:
 *   records  '[value,value,…]': the raw bytes that came, so that a person with nothing but sqlite3
 *            sees them through json_each (the view named after the topic)
 *   meta     '[[key,headers,producer,seq],…]' (null or left off at the end where there is none)
 *   lengths  for each record two LEB128 numbers, bytes of its meta and bytes of its value: a reader
 *            cuts both arrays without parsing

 * Format 0 (hole) states a loss: the `count` offsets from `base_offset` on were in a file that was
 * damaged, or would have been. It reads as a batch without records; `meta` names the file that was
 * set aside, as a JSON string.
 *
 * Any other format is another number in the row's `format`; no reader assumes a row an offset.
 *
 * hash = SHA-256(hash of the batch before, base offset, count, format, time, and the three columns,
 * each with its length): a chain over the partition that starts with 32 zero bytes. */
#ifndef TILLQ_JOURNAL_BATCH_H
#define TILLQ_JOURNAL_BATCH_H

#include "base/buffer.h"
#include "base/failure.h"
#include "base/json.h"
#include "base/sha256.h"
#include "journal/record.h"

#define BATCH_FORMAT_HOLE 0
#define BATCH_FORMAT_JSON 1
#define BATCH_BYTES_LIMIT (8 << 20) /* of values and meta; a single larger record is refused */

struct batch {
    int64_t base_offset;
    int64_t count;
    int64_t format;
    int64_t time_ms;
    struct text lengths;
    struct text meta;
    struct text records;
    struct text hash;
};

/* Building. */
struct batch_builder {
    struct buffer lengths;
    struct buffer meta;
    struct buffer records;
    int64_t count;
};

void batch_builder_free(struct batch_builder *builder);
void batch_builder_clear(struct batch_builder *builder);
/* Adds one record; `producer` here is plain text, not JSON. Its offset and time are the batch's. */
void batch_add(struct batch_builder *builder, const struct record *record, struct text producer);
/* Closes the arrays. False where memory ran out on the way: the batch is not whole. */
bool batch_finish(struct batch_builder *builder) __attribute__((warn_unused_result));

/* The chain: what `batch` adds to `before`. Ignores batch->hash. */
void batch_hash(struct sha256 *hash, const unsigned char before[SHA256_BYTES],
                const struct batch *batch, unsigned char after[SHA256_BYTES]);

/* Reading. */
/* Its offsets are such as we give. */
static inline bool batch_has_offsets(const struct batch *batch)
{
    return batch->base_offset >= 0 && batch->base_offset < OFFSET_LIMIT && batch->count >= 0 &&
           batch->count <= OFFSET_LIMIT - batch->base_offset;
}

struct batch_cursor {
    const struct batch *batch;
    int64_t index; /* of the record read next */
    size_t length_at, meta_at, record_at;
};

void batch_start(struct batch_cursor *cursor, const struct batch *batch);
/* The next record's offset, time and value; `meta` for batch_origin. 1, 0 after the last one, -1
 * where the lengths do not fit the columns, or the offsets are none (the batch is damaged). */
int batch_next(struct batch_cursor *cursor, struct record *record, struct text *meta);
/* Fills key, headers, producer and seq from `meta`, using `json` as work space. 0, -1 where it is
 * none, -2 where there is no memory. */
int batch_origin(struct text meta, struct json *json, struct record *record);

#endif
