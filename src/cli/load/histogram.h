/* histogram: how long many things took, in microseconds, in a fixed 37 KiB.
 *
 * Log-linear: values below 128 are exact; above, each power of two is cut into 128 buckets, so that
 * a percentile is at most 1/128 (0.8 %) too high and never too low. Values beyond HISTOGRAM_MOST_US
 * count as that; the greatest is kept as it is. */
#ifndef TILLQ_CLI_LOAD_HISTOGRAM_H
#define TILLQ_CLI_LOAD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_PRECISION_BITS 7
#define HISTOGRAM_VALUE_BITS 42
#define HISTOGRAM_MOST_US ((INT64_C(1) << HISTOGRAM_VALUE_BITS) - 1) /* 50 days */
#define HISTOGRAM_BUCKETS \
    ((HISTOGRAM_VALUE_BITS - HISTOGRAM_PRECISION_BITS + 1) << HISTOGRAM_PRECISION_BITS)

/* All zeros is an empty one. */
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    int64_t most_us;
};

/* A value below 0 counts as 0. */
void histogram_add(struct histogram *histogram, int64_t value_us);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value that `parts` of 100,000 do not exceed: 50000 is the median, 99900 p99.9, 100000 the
 * greatest. 0 of an empty histogram. */
int64_t histogram_percentile_us(const struct histogram *histogram, uint64_t parts);

#endif
