/* Receipts out of a file and made up. The command line is no library: what is tested is taken in as
 * source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/load/basket.c"
#include "cli/load/csv.c"
#include "cli/load/input.c"
#include "cli/load/names.c"
#include "cli/load/random.c"
#include "cli/load/receipts.c"

#define HEADER "invoice,sku,qty,time,price\n"

static char folder[] = "/tmp/tillq-receipts-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void write_file(const char *name, const char *content)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

static void read_file(struct receipts *receipts, const char *content)
{
    struct failure failure = {0};
    write_file("receipts.csv", content);
    int result = receipts_read(receipts, path, &failure);
    assert_string_equal(failure.message, "");
    assert_int_equal(result, 0);
    unlink(path);
}

static void expect_refused(const char *content, const char *message)
{
    struct receipts receipts;
    struct failure failure = {0};
    char expected[200];
    write_file("receipts.csv", content);
    assert_int_equal(receipts_read(&receipts, path, &failure), -1);
    snprintf(expected, sizeof expected, "%s:%s", path, message);
    assert_string_equal(failure.message, expected);
    receipts_free(&receipts);
    unlink(path);
}

static void expect_receipt(const struct receipts *receipts, size_t place, enum receipt_type type,
                           const char *number, size_t line_count)
{
    struct receipt receipt;
    receipts_get(receipts, place, &receipt);
    assert_int_equal(receipt.type, type);
    assert_true(text_is(receipt.number, number));
    assert_int_equal(receipt.line_count, line_count);
}

static void expect_line(const struct receipts *receipts, size_t place, size_t line, const char *sku,
                        int64_t quantity_milli, int64_t price)
{
    struct receipt receipt;
    receipts_get(receipts, place, &receipt);
    assert_true(text_is(names_text(&receipts->skus, receipt.lines[line].sku), sku));
    assert_int_equal(receipt.lines[line].quantity_milli, quantity_milli);
    assert_int_equal(receipt.lines[line].price, price);
}

static void sales_returns_and_corrections(void **state)
{
    (void)state;
    struct receipts receipts;
    read_file(&receipts, HEADER "536365,85123A,6,2010-12-01T08:26:00Z,2.55\n"
                                "536365,gift 20,0.575,2010-12-01T08:26:00Z,0\n"
                                "536365,85123A,6,2010-12-01T08:27:00Z,2.55\n"
                                "C536379,D,-1,2010-12-01T09:41:00Z,27.5\n"
                                "536589,21777,-10,2010-12-01T16:50:00Z,0\r\n"
                                "A563185,B,1,2011-08-12T14:50:00Z,11062.06\n"
                                "A563186,B,1,2011-08-12T14:51:00Z,-11062.06\n");
    assert_int_equal(receipts.count, 3);
    assert_int_equal(receipts.line_count, 5);
    assert_int_equal(receipts.skipped_lines, 2);
    assert_int_equal(receipts.skus.count, 4);
    expect_receipt(&receipts, 0, RECEIPT_SALE, "536365", 3);
    expect_line(&receipts, 0, 0, "85123A", 6000, 25500);
    expect_line(&receipts, 0, 1, "gift 20", 575, 0);
    expect_line(&receipts, 0, 2, "85123A", 6000, 25500);
    expect_receipt(&receipts, 1, RECEIPT_RETURN, "C536379", 1);
    expect_line(&receipts, 1, 0, "D", 1000, 275000);
    expect_receipt(&receipts, 2, RECEIPT_ADJUST, "536589", 1);
    expect_line(&receipts, 2, 0, "21777", -10000, 0);
    struct receipt receipt;
    receipts_get(&receipts, 0, &receipt);
    assert_true(text_is(receipt.time, "2010-12-01T08:26:00Z"));
    assert_int_equal(receipt_sign(RECEIPT_SALE), -1);
    assert_int_equal(receipt_sign(RECEIPT_RETURN), 1);
    assert_int_equal(receipt_sign(RECEIPT_ADJUST), 1);
    receipts_free(&receipts);
}

/* No id comes twice: lines of an invoice further down, and lines of the other sign. */
static void parts_of_an_invoice_are_numbered(void **state)
{
    (void)state;
    struct receipts receipts;
    read_file(&receipts, HEADER "1,a,1,t,1\n2,b,1,t,1\n1,c,2,t,1\n1,d,-3,t,1\n1,e,4,t,1\n"
                                "2,f,-5,t,1\n");
    assert_int_equal(receipts.count, 5);
    expect_receipt(&receipts, 0, RECEIPT_SALE, "1", 1);
    expect_receipt(&receipts, 1, RECEIPT_SALE, "2", 1);
    expect_receipt(&receipts, 2, RECEIPT_SALE, "1-2", 2);
    expect_line(&receipts, 2, 1, "e", 4000, 10000);
    expect_receipt(&receipts, 3, RECEIPT_ADJUST, "1-3", 1);
    expect_line(&receipts, 3, 0, "d", -3000, 10000);
    expect_receipt(&receipts, 4, RECEIPT_ADJUST, "2-2", 1);
    receipts_free(&receipts);
}

static void quoted_fields(void **state)
{
    (void)state;
    struct receipts receipts;
    read_file(&receipts, HEADER "\"1\",\"a \"\"b\"\", c\",\"2\",t,\"1\"\n");
    expect_line(&receipts, 0, 0, "a \"b\", c", 2000, 10000);
    receipts_free(&receipts);
}

static void bad_lines_are_named(void **state)
{
    (void)state;
    expect_refused("sku,qty\n", "1: the first line is not invoice,sku,qty,time,price");
    expect_refused(HEADER "1,a,1,t\n", "2: has too few fields");
    expect_refused(HEADER "1,a,1,t,1,2\n", "2: has too many fields");
    expect_refused(HEADER "1,\"a,1,t,1\n", "2: is quoted wrongly");
    expect_refused(HEADER "1,a,1,t,1\n\n", "3: has too few fields");
    expect_refused(HEADER "1,a,x,t,1\n", "2: qty x: is not a decimal number");
    expect_refused(HEADER "1,a,0,t,1\n", "2: qty 0: is not a quantity that moves goods");
    expect_refused(HEADER "C1,a,1,t,1\n", "2: qty 1: is above zero on a cancellation");
    expect_refused(HEADER ",a,1,t,1\n", "2: invoice : is not 1 to 64 bytes long");
}

static void broken_archive_is_told(void **state)
{
    (void)state;
    struct receipts receipts;
    struct failure failure = {0};
    write_file("receipts.csv.gz", "this is no archive");
    int saved = dup(STDERR_FILENO);
    assert_non_null(freopen("/dev/null", "w", stderr)); /* gzip complains there too */
    assert_int_equal(receipts_read(&receipts, path, &failure), -1);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_non_null(strstr(failure.message, "receipts.csv.gz: cannot be unpacked"));
    receipts_free(&receipts);
    unlink(path);
    assert_int_equal(receipts_read(&receipts, path, &failure), -1);
    assert_non_null(strstr(failure.message, "No such file"));
}

/* A name that a shell or an option reader would take for something else. */
static void packed_file_is_unpacked(void **state)
{
    (void)state;
    struct receipts receipts;
    struct failure failure = {0};
    write_file("-rf $(x).csv", HEADER "1,a,1,t,1\n");
    pid_t child = fork();
    if (child == 0) {
        execlp("gzip", "gzip", "--", path, (char *)NULL);
        _exit(127);
    }
    int status = 1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    snprintf(path, sizeof path, "%s/-rf $(x).csv.gz", folder);
    assert_int_equal(receipts_read(&receipts, path, &failure), 0);
    assert_int_equal(receipts.count, 1);
    receipts_free(&receipts);
    unlink(path);
}

static void names_keep_their_numbers(void **state)
{
    (void)state;
    struct names names = {0};
    char name[16];
    assert_true(names_find(&names, text_of("n0")) == NAMES_NONE);
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 5000; i++) {
            snprintf(name, sizeof name, "n%u", i);
            assert_int_equal(names_add(&names, text_of(name)), i);
        }
    assert_int_equal(names.count, 5000);
    assert_int_equal(names_find(&names, text_of("n4321")), 4321);
    assert_true(names_find(&names, text_of("n5000")) == NAMES_NONE);
    assert_true(text_is(names_text(&names, 4999), "n4999"));
    names_free(&names);
}

static void baskets_are_the_same_for_a_seed(void **state)
{
    (void)state;
    static struct basket one, two;
    struct receipt first, second;
    assert_int_equal(basket_start(&one, &(struct basket_options){.seed = 4, .sku_count = 100}), 0);
    assert_int_equal(basket_start(&two, &(struct basket_options){.seed = 4, .sku_count = 100}), 0);
    basket_get(&two, 99, &second); /* whatever came before */
    for (uint64_t place = 0; place < 500; place++) {
        basket_get(&one, place, &first);
        basket_get(&two, place, &second);
        assert_int_equal(first.line_count, second.line_count);
        assert_memory_equal(first.lines, second.lines, first.line_count * sizeof *first.lines);
        assert_true(text_equal(first.time, second.time));
    }
    two.options.seed = 5;
    int different = 0;
    for (uint64_t place = 0; place < 100; place++) {
        basket_get(&one, place, &first);
        basket_get(&two, place, &second);
        different += first.line_count != second.line_count;
    }
    assert_true(different > 50);
    basket_free(&one);
    basket_free(&two);
}

/* The figures basket.h promises. */
static void baskets_look_like_a_shop(void **state)
{
    (void)state;
    enum { COUNT = 100000, SKUS = 10000 };
    static struct basket basket;
    assert_int_equal(basket_start(&basket, &(struct basket_options){.seed = 1, .sku_count = SKUS}),
                     0);
    struct receipt receipt;
    uint64_t lines = 0, top = 0, weighed = 0, returns = 0, hour17 = 0, evening = 0;
    for (uint64_t place = 0; place < COUNT; place++) {
        basket_get(&basket, place, &receipt);
        lines += receipt.line_count;
        returns += receipt.type == RECEIPT_RETURN;
        long hour = strtol(receipt.time.bytes + 11, NULL, 10);
        hour17 += hour == 17;
        evening += hour >= 16 && hour < 19;
        for (size_t i = 0; i < receipt.line_count; i++) {
            assert_in_range(receipt.lines[i].sku, 0, SKUS - 1);
            assert_in_range(receipt.lines[i].quantity_milli, 50, 12000);
            assert_in_range(receipt.lines[i].price, 4900, 299800);
            top += receipt.lines[i].sku < SKUS / 100;
            weighed += receipt.lines[i].quantity_milli % 1000 != 0;
        }
    }
    assert_in_range(lines, COUNT * 42 / 10, COUNT * 45 / 10);
    assert_in_range(top, lines * 19 / 100, lines * 21 / 100);
    assert_in_range(weighed, lines * 9 / 100, lines * 11 / 100);
    assert_in_range(returns, COUNT * 18 / 1000, COUNT * 22 / 1000);
    assert_in_range(hour17, COUNT * 103 / 1000, COUNT * 109 / 1000);
    assert_in_range(evening, COUNT * 29 / 100, COUNT * 31 / 100);
    basket_free(&basket);
}

static void times_grow(void **state)
{
    (void)state;
    static struct basket basket;
    assert_int_equal(basket_start(&basket, &(struct basket_options){.seed = 1, .sku_count = 2}), 0);
    struct receipt receipt;
    char before[24] = "2026-01-01T06:00:00Z";
    for (uint64_t place = 0; place < 3 * BASKET_RECEIPTS_A_DAY; place++) {
        basket_get(&basket, place, &receipt);
        assert_int_equal(receipt.time.length, 20);
        assert_true(strcmp(before, basket.time) <= 0);
        memcpy(before, basket.time, sizeof before);
    }
    assert_memory_equal(before, "2026-01-03T23:5", 15);
    basket_free(&basket);
}

static void hot_sku_and_uniform(void **state)
{
    (void)state;
    enum { COUNT = 20000, SKUS = 50 };
    static struct basket basket;
    const struct basket_options options = {
        .seed = 1, .sku_count = SKUS, .hot_percent = 30, .uniform = true};
    assert_int_equal(basket_start(&basket, &options), 0);
    int with_hot = 0;
    int others[SKUS] = {0};
    int lines = 0;
    struct receipt receipt;
    for (uint64_t place = 0; place < COUNT; place++) {
        int hot = 0;
        basket_get(&basket, place, &receipt);
        for (size_t i = 0; i < receipt.line_count; i++) {
            hot += receipt.lines[i].sku == 0;
            others[receipt.lines[i].sku]++;
            lines += receipt.lines[i].sku != 0;
        }
        assert_true(hot <= 1);
        with_hot += hot;
    }
    assert_in_range(with_hot, COUNT * 29 / 100, COUNT * 31 / 100);
    for (int i = 1; i < SKUS; i++)
        assert_in_range(others[i], lines / (SKUS - 1) * 85 / 100, lines / (SKUS - 1) * 115 / 100);
    basket_free(&basket);
}

static void skus_are_article_numbers(void **state)
{
    (void)state;
    char sku[14];
    write_sku(sku, 123, false);
    assert_string_equal(sku, "6900001230007");
    write_sku(sku, 7, true);
    assert_string_equal(sku, "2000000070001");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sales_returns_and_corrections),
        cmocka_unit_test(parts_of_an_invoice_are_numbered),
        cmocka_unit_test(quoted_fields),
        cmocka_unit_test(bad_lines_are_named),
        cmocka_unit_test(broken_archive_is_told),
        cmocka_unit_test(packed_file_is_unpacked),
        cmocka_unit_test(names_keep_their_numbers),
        cmocka_unit_test(baskets_are_the_same_for_a_seed),
        cmocka_unit_test(baskets_look_like_a_shop),
        cmocka_unit_test(times_grow),
        cmocka_unit_test(hot_sku_and_uniform),
        cmocka_unit_test(skus_are_article_numbers),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
