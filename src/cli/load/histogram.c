#include "cli/load/histogram.h"

#include <stddef.h>

#define LINEAR (1u << HISTOGRAM_PRECISION_BITS)

static size_t bucket_of(uint64_t value)
{
    if (value < LINEAR)
        return (size_t)value;
    int shift = 63 - __builtin_clzll(value) - HISTOGRAM_PRECISION_BITS;
    /* value >> shift lies in [LINEAR, 2 LINEAR): its row begins at (shift + 1) LINEAR. */
    return (size_t)shift * LINEAR + (size_t)(value >> shift);
}

/* The greatest value that falls into `bucket`. */
static int64_t top_of(size_t bucket)
{
    if (bucket < 2 * LINEAR)
        return (int64_t)bucket;
    size_t shift = bucket / LINEAR - 1;
    uint64_t lead = bucket - shift * LINEAR;
    return (int64_t)(((lead + 1) << shift) - 1);
}

void histogram_add(struct histogram *histogram, int64_t value_us)
{
    int64_t value = value_us < 0 ? 0 : value_us;
    if (value > histogram->most_us)
        histogram->most_us = value;
    if (value > HISTOGRAM_MOST_US)
        value = HISTOGRAM_MOST_US;
    histogram->counts[bucket_of((uint64_t)value)]++;
    histogram->total++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->counts[i] += from->counts[i];
    into->total += from->total;
    if (from->most_us > into->most_us)
        into->most_us = from->most_us;
}

int64_t histogram_percentile_us(const struct histogram *histogram, uint64_t parts)
{
    /* The rank-th smallest, rounded up, in steps that cannot overflow. */
    uint64_t rank =
        histogram->total / 100000 * parts + (histogram->total % 100000 * parts + 99999) / 100000;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= rank && seen > 0) {
            int64_t top = top_of(i);
            return top < histogram->most_us && rank < histogram->total ? top : histogram->most_us;
        }
    }
    return histogram->most_us;
}
