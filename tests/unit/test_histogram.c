/* The load generator's histogram and its random numbers. The command line is no library: what is
 * tested is taken in as source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "cli/load/histogram.c"
#include "cli/load/random.c"

static void empty(void **state)
{
    (void)state;
    static struct histogram histogram;
    assert_int_equal(histogram_percentile_us(&histogram, 50000), 0);
    assert_int_equal(histogram_percentile_us(&histogram, 100000), 0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    static struct histogram histogram;
    for (int64_t value = 1; value <= 100; value++)
        histogram_add(&histogram, value);
    assert_int_equal(histogram_percentile_us(&histogram, 50000), 50);
    assert_int_equal(histogram_percentile_us(&histogram, 90000), 90);
    assert_int_equal(histogram_percentile_us(&histogram, 99000), 99);
    assert_int_equal(histogram_percentile_us(&histogram, 99900), 100);
    assert_int_equal(histogram_percentile_us(&histogram, 1), 1);
    assert_int_equal(histogram_percentile_us(&histogram, 100000), 100);
}

/* Every bucket begins one above the end of the one before, and holds what it says it holds. */
static void buckets_are_dense(void **state)
{
    (void)state;
    int64_t before = -1;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        int64_t top = top_of(i);
        assert_true(top > before);
        assert_int_equal(bucket_of((uint64_t)(before + 1)), i);
        assert_int_equal(bucket_of((uint64_t)top), i);
        assert_true(top - before - 1 <= (before + 1) / 128);
        before = top;
    }
    assert_int_equal(before, HISTOGRAM_MOST_US);
}

static int order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Against a sorted list of the values themselves. */
static void percentiles_are_near(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static struct histogram histogram;
    static int64_t values[COUNT];
    struct random random;
    random_seed(&random, 1, 2);
    for (int i = 0; i < COUNT; i++) {
        values[i] = (int64_t)random_below(&random, UINT64_C(1) << (1 + random_below(&random, 40)));
        histogram_add(&histogram, values[i]);
    }
    qsort(values, COUNT, sizeof *values, order);
    static const uint64_t parts[] = {1000, 50000, 90000, 99000, 99900, 99990};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        int64_t exact = values[(parts[i] * COUNT + 99999) / 100000 - 1];
        int64_t told = histogram_percentile_us(&histogram, parts[i]);
        assert_true(told >= exact);
        assert_true(told <= exact + exact / 128);
    }
    assert_int_equal(histogram_percentile_us(&histogram, 100000), values[COUNT - 1]);
}

static void extremes(void **state)
{
    (void)state;
    static struct histogram histogram;
    histogram_add(&histogram, -5);
    assert_int_equal(histogram_percentile_us(&histogram, 50000), 0);
    histogram_add(&histogram, INT64_MAX);
    assert_int_equal(histogram.most_us, INT64_MAX);
    assert_int_equal(histogram_percentile_us(&histogram, 100000), INT64_MAX);
    assert_int_equal(histogram_percentile_us(&histogram, 50000), 0);
}

static void merged_is_added(void **state)
{
    (void)state;
    static struct histogram one, two, both;
    for (int64_t value = 1; value < 100000; value = value * 3 + 1) {
        histogram_add(value % 2 ? &one : &two, value);
        histogram_add(&both, value);
    }
    histogram_merge(&one, &two);
    assert_memory_equal(&one, &both, sizeof one);
}

static void random_is_the_same_for_a_seed(void **state)
{
    (void)state;
    struct random one, same, other;
    random_seed(&one, 7, 1);
    random_seed(&same, 7, 1);
    random_seed(&other, 7, 2);
    int equal = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t number = random_next(&one);
        assert_true(number == random_next(&same));
        equal += number == random_next(&other);
    }
    assert_int_equal(equal, 0);
}

/* The first numbers of the published generator for the state 1, 2, 3, 4. */
static void random_is_xoshiro(void **state)
{
    (void)state;
    static const uint64_t published[] = {11520u, 0u, 1509978240u, 1215971899390074240u};
    struct random random = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof published / sizeof *published; i++)
        assert_true(random_next(&random) == published[i]);
}

static void random_below_is_even(void **state)
{
    (void)state;
    int counts[7] = {0};
    struct random random;
    random_seed(&random, 3, 0);
    for (int i = 0; i < 70000; i++)
        counts[random_below(&random, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 9600, 10400);
}

/* Exponential: mean, median and tail. */
static void gaps_are_exponential(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    struct random random;
    random_seed(&random, 5, 0);
    double sum = 0;
    int below_median = 0, beyond_three = 0;
    for (int i = 0; i < COUNT; i++) {
        int64_t gap = random_gap_ns(&random, 1e6);
        assert_true(gap >= 0);
        sum += (double)gap;
        below_median += gap < 693147;
        beyond_three += gap > 3000000;
    }
    assert_in_range((uint64_t)(sum / COUNT), 990000, 1010000);
    assert_in_range(below_median, COUNT * 49 / 100, COUNT * 51 / 100);
    assert_in_range(beyond_three, COUNT * 48 / 1000, COUNT * 52 / 1000); /* e^-3 = 4.98 % */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(buckets_are_dense),
        cmocka_unit_test(percentiles_are_near),
        cmocka_unit_test(extremes),
        cmocka_unit_test(merged_is_added),
        cmocka_unit_test(random_is_the_same_for_a_seed),
        cmocka_unit_test(random_is_xoshiro),
        cmocka_unit_test(random_below_is_even),
        cmocka_unit_test(gaps_are_exponential),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
