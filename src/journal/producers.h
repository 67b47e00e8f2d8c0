/* producers: which (producer, seq) the journal holds. Kafka's idempotent producer (KIP-98) with one
 * difference: a terminal's counter may skip, and what it skipped may still come, once.
 *
 * For each producer: the highest seq, the gaps below it (ranges never journaled), and the offsets
 * of the last PRODUCER_WINDOW, so that a re-send is answered with its first offset. A producer
 * whose gaps would be more than PRODUCER_GAPS forgets the lowest: `floor` rises, and below it
 * nobody can tell any more (PRODUCER_TOO_OLD). Highest seq, gaps and floor are durable (see
 * schema.h); the window is not, it is read back from the newest batches at start.
 *
 * Memory: about 100 bytes a producer, 2 KiB once it has sent PRODUCER_WINDOW. One thread. */
#ifndef TILLQ_JOURNAL_PRODUCERS_H
#define TILLQ_JOURNAL_PRODUCERS_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/text.h"

#define PRODUCER_WINDOW 128
#define PRODUCER_GAPS 256

struct producers;

enum producer_verdict {
    PRODUCER_NEW,
    PRODUCER_DUPLICATE,
    PRODUCER_TOO_OLD,
};

struct producers *producers_new(void); /* NULL: no memory */
void producers_free(struct producers *producers);

/* What the journal knows of (name, seq). For a duplicate, *offset is where it was journaled, or -1
 * where that has been forgotten. */
enum producer_verdict producers_check(struct producers *producers, struct text name, int64_t seq,
                                      int64_t *offset);
/* (name, seq) is journaled at `offset`. Only after PRODUCER_NEW. 0 or -1 (no memory). */
int producers_take(struct producers *producers, struct text name, int64_t seq, int64_t offset)
    __attribute__((warn_unused_result));
/* Remembers an offset for a seq that is already accounted for (reading back at start). */
void producers_remember(struct producers *producers, struct text name, int64_t seq, int64_t offset);

/* One producer's durable state. `gaps` is JSON: [[first,last],…], ascending. */
struct producer_state {
    struct text name;
    int64_t last_seq;
    int64_t floor;
    struct text gaps;
};

/* Puts a state read from a segment in place. 0, -1 where it is none, -2 where there is no memory.
 */
int producers_restore(struct producers *producers, const struct producer_state *state)
    __attribute__((warn_unused_result));
/* Calls `save` for each producer changed since producers_saved (or every one, where `all`), until
 * it returns non-zero; returns that, or -1 where there is no memory. The state's texts live during
 * the call. */
int producers_save(struct producers *producers, bool all,
                   int (*save)(const struct producer_state *state, void *context), void *context)
    __attribute__((warn_unused_result));
void producers_saved(struct producers *producers);

#endif
