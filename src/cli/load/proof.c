#include "cli/load/proof.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "cli/request.h"
#include "cli/slice.h"

#define LOOK_NS 20000000L
#define PAGE_ROWS 1000

/* All that the applier has still to do, over all partitions of stock. -1 where the reply is odd. */
static int64_t count_waiting(struct text reply, int64_t *applied)
{
    struct text partitions = slice_member(reply, "partitions");
    struct text partition;
    size_t position = 0;
    int64_t waiting = 0;
    *applied = 0;
    while (slice_next(partitions, &position, &partition)) {
        if (!text_is(slice_member(partition, "topic"), "\"stock\""))
            continue;
        int64_t end = slice_int_or(slice_member(partition, "end"), -1);
        int64_t done = slice_int_or(slice_member(partition, "applied"), -1);
        if (end < 0 || done < 0)
            return -1;
        waiting += end - done;
        *applied += done;
    }
    return waiting;
}

/* Until the applier is at the end. It may take its time, but not stand still. */
static int wait_until_applied(struct proof *proof, int64_t outcomes[2], struct failure *failure)
{
    int64_t seen = -1;
    int64_t moved_ms = clock_wall_ms(&clock_system);
    for (;;) {
        struct text reply;
        int64_t applied;
        if (source_ask(proof->source, TEXT_LITERAL("{\"op\":\"status\"}"), &reply, failure) < 0)
            return -1;
        int64_t waiting = count_waiting(reply, &applied);
        if (waiting < 0)
            return failure_set(failure, "FAILED", "status does not tell how far stock is applied");
        struct text counts = slice_member(reply, "outcomes");
        outcomes[0] = slice_int_or(slice_member(counts, "accepted"), 0);
        outcomes[1] = slice_int_or(slice_member(counts, "rejected"), 0);
        if (waiting == 0)
            return 0;
        int64_t now_ms = clock_wall_ms(&clock_system);
        if (applied > seen)
            moved_ms = now_ms;
        seen = applied;
        if (now_ms - moved_ms > proof->patience_s * 1000)
            return failure_set(failure, "FAILED", "the applier stands still, %lld documents behind",
                               (long long)waiting);
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
}

/* Room for the figures of every sku known by now; new ones are zero. */
static int make_room(struct proof *proof)
{
    if (proof->skus.count <= proof->capacity)
        return 0;
    size_t capacity = (size_t)proof->skus.count * 2;
    struct proof_sku *figures = realloc(proof->figures, capacity * sizeof *figures);
    if (!figures)
        return -1;
    memset(figures + proof->capacity, 0, (capacity - proof->capacity) * sizeof *figures);
    proof->figures = figures;
    proof->capacity = capacity;
    return 0;
}

/* Adds a row of stock to the figures; a sku may lie in more than one location. */
static int take_row(struct proof *proof, struct text row, bool after, struct buffer *scratch,
                    struct failure *failure)
{
    int64_t on_hand;
    buffer_clear(scratch);
    struct text sku = slice_string(slice_member(row, "sku"), scratch);
    uint32_t number = names_add(&proof->skus, sku);
    if (number == NAMES_NONE || make_room(proof) < 0)
        return failure_set(failure, "NO_MEMORY", "no memory for the stock");
    buffer_clear(scratch);
    struct text figure = slice_string(slice_member(row, "on_hand"), scratch);
    if (decimal_parse(figure, QUANTITY_DECIMALS, &on_hand) != DECIMAL_OK)
        return failure_set(failure, "FAILED", "on_hand of a row of stock is no decimal: %.*s",
                           (int)(row.length < 100 ? row.length : 100), row.bytes);
    struct proof_sku *sku_figures = &proof->figures[number];
    sku_figures->in_stock = true;
    int64_t *sum = after ? &sku_figures->after_milli : &sku_figures->before_milli;
    if (__builtin_add_overflow(*sum, on_hand, sum))
        return failure_set(failure, "FAILED", "the stock of one sku does not fit 64 bits");
    return 0;
}

static int take_page(struct proof *proof, struct text reply, bool after, struct failure *failure)
{
    struct text rows = slice_member(reply, "stock");
    struct text row;
    struct buffer scratch = {0};
    size_t position = 0;
    int result = 0;
    while (result == 0 && slice_next(rows, &position, &row))
        result = take_row(proof, row, after, &scratch, failure);
    buffer_free(&scratch);
    return result;
}

static int take_stock(struct proof *proof, bool after, struct failure *failure)
{
    struct buffer request = {0};
    struct buffer next = {0};
    struct text reply;
    int result;
    do {
        buffer_clear(&request);
        buffer_add_string(&request, "{\"op\":\"stock\"");
        request_add_string(&request, "shop", proof->shop);
        request_add_integer(&request, "limit", PAGE_ROWS);
        if (next.length > 0)
            buffer_add_string(&request, ",\"after\":");
        buffer_add_text(&request, buffer_text(&next));
        buffer_add_byte(&request, '}');
        result = source_ask(proof->source, buffer_text(&request), &reply, failure);
        if (result == 0)
            result = take_page(proof, reply, after, failure);
        buffer_clear(&next);
        if (result == 0)
            buffer_add_text(&next, slice_member(reply, "next"));
    } while (next.length > 0);
    buffer_free(&request);
    buffer_free(&next);
    return result;
}

int proof_take_before(struct proof *proof, const struct names *workload_skus,
                      struct failure *failure)
{
    for (uint32_t i = 0; i < workload_skus->count; i++)
        if (names_add(&proof->skus, names_text(workload_skus, i)) == NAMES_NONE)
            return failure_set(failure, "NO_MEMORY", "no memory for the skus");
    if (make_room(proof) < 0)
        return failure_set(failure, "NO_MEMORY", "no memory for the skus");
    if (wait_until_applied(proof, proof->outcomes_before, failure) < 0)
        return -1;
    return take_stock(proof, false, failure);
}

int proof_take_after(struct proof *proof, struct failure *failure)
{
    int64_t outcomes[2];
    for (size_t i = 0; i < proof->capacity; i++)
        proof->figures[i].after_milli = 0;
    if (wait_until_applied(proof, outcomes, failure) < 0)
        return -1;
    proof->accepted = outcomes[0] - proof->outcomes_before[0];
    proof->rejected = outcomes[1] - proof->outcomes_before[1];
    return take_stock(proof, true, failure);
}

static void tell_difference(const struct proof *proof, uint32_t number, int64_t sum_milli)
{
    const struct proof_sku *figures = &proof->figures[number];
    struct text sku = names_text(&proof->skus, number);
    char before[DECIMAL_STRING_BYTES], sum[DECIMAL_STRING_BYTES], after[DECIMAL_STRING_BYTES];
    decimal_format(figures->before_milli, QUANTITY_DECIMALS, before);
    decimal_format(sum_milli, QUANTITY_DECIMALS, sum);
    decimal_format(figures->after_milli, QUANTITY_DECIMALS, after);
    complain("%.*s: was %s, acknowledged %s, but is %s", (int)sku.length, sku.bytes, before, sum,
             after);
}

void proof_compare(struct proof *proof, const int64_t *sums_milli, uint32_t sum_count)
{
    for (uint32_t i = 0; i < proof->skus.count; i++) {
        const struct proof_sku *figures = &proof->figures[i];
        int64_t sum = i < sum_count ? sums_milli[i] : 0;
        int64_t expected;
        bool overflow = __builtin_add_overflow(figures->before_milli, sum, &expected);
        if (figures->in_stock || sum != 0)
            proof->skus_compared++;
        if (!overflow && expected == figures->after_milli)
            continue;
        proof->differences++;
        tell_difference(proof, i, sum);
    }
}

void proof_free(struct proof *proof)
{
    source_close(proof->source);
    names_free(&proof->skus);
    free(proof->figures);
}
