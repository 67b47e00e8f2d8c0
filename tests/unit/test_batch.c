/* batch: what goes in comes out, and whatever is damaged in a row is noticed and never read past.
 */
#include "journal/batch.h"
#include "support.h"

#define TIME_MS 1795341303000

/* Columns in memory of exactly their size, so that the address sanitizer sees a look beyond. */
struct fixture {
    struct batch_builder builder;
    struct sha256 *sha256;
    struct json json;
    char *columns[3]; /* lengths, meta, records */
    struct batch batch;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->sha256 = sha256_new();
    *state = fixture;
    return 0;
}

static void forget_columns(struct fixture *fixture)
{
    for (int i = 0; i < 3; i++) {
        free(fixture->columns[i]);
        fixture->columns[i] = NULL;
    }
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    forget_columns(fixture);
    batch_builder_free(&fixture->builder);
    sha256_free(fixture->sha256);
    json_free(&fixture->json);
    free(fixture);
    return 0;
}

static struct text copy(char **to, struct text from, size_t length)
{
    *to = malloc(length ? length : 1);
    memcpy(*to, from.bytes, length);
    return (struct text){*to, length};
}

/* What the builder holds, as a reader would get it. */
static void finish(struct fixture *fixture, int64_t base_offset)
{
    struct batch_builder *builder = &fixture->builder;
    assert_true(batch_finish(builder));
    forget_columns(fixture);
    fixture->batch = (struct batch){
        .base_offset = base_offset,
        .count = builder->count,
        .format = BATCH_FORMAT_JSON,
        .time_ms = TIME_MS,
        .lengths =
            copy(&fixture->columns[0], buffer_text(&builder->lengths), builder->lengths.length),
        .meta = copy(&fixture->columns[1], buffer_text(&builder->meta), builder->meta.length),
        .records =
            copy(&fixture->columns[2], buffer_text(&builder->records), builder->records.length),
    };
}

static void add(struct fixture *fixture, const char *key, const char *headers, const char *producer,
                int64_t seq, const char *value)
{
    struct record record = {
        .key = text_of(key), .headers = text_of(headers), .seq = seq, .value = text_of(value)};
    batch_add(&fixture->builder, &record, text_of(producer));
}

/* Three records, as different as they come. */
static void fill(struct fixture *fixture)
{
    add(fixture, NULL, NULL, NULL, -1, "{\"type\":\"sale\",\"qty\":1.50}");
    add(fixture, "\"k\\u00e9y\"", "{\"a\":\"b\"}", "T\"0\\1\xc3\xa9", 4711, "\"],[\"");
    add(fixture, NULL, "{}", "T02", 0, "null");
    finish(fixture, 40);
}

static volatile unsigned looked_at; /* so that no look is optimised away */

/* Walks to the end: 0 it is whole, -1 it is not. Every byte handed out is looked at. */
static int walk(struct fixture *fixture, const struct batch *batch)
{
    struct batch_cursor cursor;
    struct record record;
    struct text meta;
    int more;
    unsigned sum = 0;
    batch_start(&cursor, batch);
    while ((more = batch_next(&cursor, &record, &meta)) == 1) {
        for (size_t i = 0; i < record.value.length; i++)
            sum += (unsigned char)record.value.bytes[i];
        if (batch_origin(meta, &fixture->json, &record) == 0)
            sum += (unsigned)record.key.length + (unsigned)record.producer.length;
    }
    looked_at = sum;
    return more;
}

static void hash_of(struct fixture *fixture, const struct batch *batch,
                    unsigned char hash[SHA256_BYTES])
{
    static const unsigned char before[SHA256_BYTES];
    batch_hash(fixture->sha256, before, batch, hash);
}

/* --- round trip --- */

static struct record expect_record(struct fixture *fixture, struct batch_cursor *cursor,
                                   int64_t offset, const char *value)
{
    struct record record;
    struct text meta;
    assert_int_equal(batch_next(cursor, &record, &meta), 1);
    assert_int_equal(record.offset, offset);
    assert_int_equal(record.time_ms, TIME_MS);
    assert_text(record.value, value);
    assert_int_equal(batch_origin(meta, &fixture->json, &record), 0);
    return record;
}

static void records_come_out_as_they_went_in(void **state)
{
    struct fixture *fixture = *state;
    struct batch_cursor cursor;
    fill(fixture);
    batch_start(&cursor, &fixture->batch);

    struct record record = expect_record(fixture, &cursor, 40, "{\"type\":\"sale\",\"qty\":1.50}");
    assert_null(record.key.bytes);
    assert_null(record.headers.bytes);
    assert_null(record.producer.bytes);
    assert_int_equal(record.seq, -1);

    record = expect_record(fixture, &cursor, 41, "\"],[\"");
    assert_text(record.key, "\"k\\u00e9y\"");
    assert_text(record.headers, "{\"a\":\"b\"}");
    assert_text(record.producer, "\"T\\\"0\\\\1\xc3\xa9\"");
    assert_int_equal(record.seq, 4711);

    record = expect_record(fixture, &cursor, 42, "null");
    assert_text(record.headers, "{}");
    assert_int_equal(record.seq, 0);

    struct text meta;
    assert_int_equal(batch_next(&cursor, &record, &meta), 0);
}

static void the_columns_are_json_arrays_for_people(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    assert_text(fixture->batch.records, "[{\"type\":\"sale\",\"qty\":1.50},\"],[\",null]");
    assert_text(fixture->batch.meta,
                "[[null,null],[\"k\\u00e9y\",{\"a\":\"b\"},\"T\\\"0\\\\1\xc3\xa9\",4711],"
                "[null,{},\"T02\",0]]");
}

static void values_of_every_length_come_out_whole(void **state)
{
    struct fixture *fixture = *state;
    static char value[20001];
    struct batch_cursor cursor;
    size_t lengths[] = {1, 2, 127, 128, 129, 16383, 16384, 20000};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        memset(value, '1' + (int)i, sizeof value);
        value[lengths[i]] = '\0';
        add(fixture, NULL, NULL, NULL, -1, value);
    }
    finish(fixture, 0);
    batch_start(&cursor, &fixture->batch);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        memset(value, '1' + (int)i, sizeof value);
        value[lengths[i]] = '\0';
        expect_record(fixture, &cursor, (int64_t)i, value);
    }
    assert_int_equal(walk(fixture, &fixture->batch), 0);
}

static void random_batches_come_out_as_they_went_in(void **state)
{
    static const char *const values[] = {"0",         "\"\"",       "[]",
                                         "[[1],[2]]", "{\"a\":{}}", " 1 ",
                                         "\"[,]\"",   "-0.0e-0",    "\"\xf0\x9f\x98\x80\""};
    struct fixture *fixture = *state;
    struct dice dice = {7};
    for (int round = 0; round < 300; round++) {
        int picks[40], count = 1 + dice_below(&dice, 40);
        struct batch_cursor cursor;
        batch_builder_clear(&fixture->builder);
        for (int i = 0; i < count; i++) {
            picks[i] = dice_below(&dice, (int)COUNT(values));
            add(fixture, i % 3 ? NULL : "\"k\"", NULL, "T01", i % 2 ? -1 : i, values[picks[i]]);
        }
        finish(fixture, round);
        batch_start(&cursor, &fixture->batch);
        for (int i = 0; i < count; i++) {
            struct record record = expect_record(fixture, &cursor, round + i, values[picks[i]]);
            assert_int_equal(record.seq, i % 2 ? -1 : i);
        }
        assert_int_equal(walk(fixture, &fixture->batch), 0);
    }
}

static void a_cleared_builder_begins_anew(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    batch_builder_clear(&fixture->builder);
    add(fixture, NULL, NULL, NULL, -1, "7");
    finish(fixture, 0);
    assert_text(fixture->batch.records, "[7]");
    assert_int_equal(fixture->batch.count, 1);
}

static void a_batch_memory_ran_out_on_is_not_whole(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, NULL, NULL, NULL, -1, "7");
    fixture->builder.meta.failed = true;
    assert_false(batch_finish(&fixture->builder));
}

/* --- damage --- */

static struct text *column(struct batch *batch, int number)
{
    return number == 0 ? &batch->lengths : number == 1 ? &batch->meta : &batch->records;
}

static void a_changed_byte_anywhere_changes_the_hash_and_is_survived(void **state)
{
    struct fixture *fixture = *state;
    unsigned char whole[SHA256_BYTES], damaged[SHA256_BYTES];
    fill(fixture);
    hash_of(fixture, &fixture->batch, whole);
    for (int i = 0; i < 3; i++) {
        for (size_t at = 0; at < column(&fixture->batch, i)->length; at++) {
            for (int mask = 1; mask < 256; mask++) {
                fixture->columns[i][at] ^= (char)mask;
                hash_of(fixture, &fixture->batch, damaged);
                assert_memory_not_equal(whole, damaged, SHA256_BYTES);
                int result = walk(fixture, &fixture->batch);
                if (i == 0 && result == 0)
                    fail_msg("length byte %zu xor %d is taken for whole", at, mask);
                fixture->columns[i][at] ^= (char)mask;
            }
        }
    }
    assert_int_equal(walk(fixture, &fixture->batch), 0);
}

static void a_column_cut_short_or_grown_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    for (int i = 0; i < 3; i++) {
        struct text whole = *column(&fixture->batch, i);
        for (size_t length = 0; length < whole.length; length++) {
            char *cut;
            *column(&fixture->batch, i) = copy(&cut, whole, length);
            assert_int_equal(walk(fixture, &fixture->batch), -1);
            free(cut);
        }
        char *grown = malloc(whole.length + 1);
        memcpy(grown, whole.bytes, whole.length);
        grown[whole.length] = ']';
        *column(&fixture->batch, i) = (struct text){grown, whole.length + 1};
        assert_int_equal(walk(fixture, &fixture->batch), -1);
        free(grown);
        *column(&fixture->batch, i) = (struct text){0};
        assert_int_equal(walk(fixture, &fixture->batch), -1);
        *column(&fixture->batch, i) = whole;
    }
}

static void a_wrong_count_is_noticed(void **state)
{
    static const int64_t counts[] = {0, 1, 2, 4, -1, INT64_MAX, INT64_MIN};
    struct fixture *fixture = *state;
    fill(fixture);
    for (size_t i = 0; i < COUNT(counts); i++) {
        fixture->batch.count = counts[i];
        assert_int_equal(walk(fixture, &fixture->batch), -1);
    }
}

static void a_length_without_end_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    char endless[32];
    memset(endless, -1, sizeof endless);
    fill(fixture);
    fixture->batch.lengths = (struct text){endless, sizeof endless};
    assert_int_equal(walk(fixture, &fixture->batch), -1);
}

static void another_format_is_not_read(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    fixture->batch.format = BATCH_FORMAT_JSON + 1;
    assert_int_equal(walk(fixture, &fixture->batch), -1);
}

static void a_meta_of_another_shape_is_refused(void **state)
{
    static const char *const metas[] = {"",
                                        "{}",
                                        "[null]",
                                        "[null,null,\"T\"]",
                                        "[null,null,7,1]",
                                        "[null,null,\"T\",\"1\"]",
                                        "[null,null,\"T\",1,2]",
                                        "[null,null,null,null]"};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(metas); i++) {
        struct record record = {0};
        if (batch_origin(text_of(metas[i]), &fixture->json, &record) == 0)
            fail_msg("%s: taken", metas[i]);
    }
}

/* --- the chain --- */

static void everything_in_a_row_is_in_its_hash(void **state)
{
    struct fixture *fixture = *state;
    unsigned char whole[SHA256_BYTES], other[SHA256_BYTES], before[SHA256_BYTES] = {1};
    fill(fixture);
    hash_of(fixture, &fixture->batch, whole);
    struct batch changed[4] = {fixture->batch, fixture->batch, fixture->batch, fixture->batch};
    changed[0].base_offset++;
    changed[1].count++;
    changed[2].format++;
    changed[3].time_ms++;
    for (size_t i = 0; i < COUNT(changed); i++) {
        hash_of(fixture, &changed[i], other);
        assert_memory_not_equal(whole, other, SHA256_BYTES);
    }
    batch_hash(fixture->sha256, before, &fixture->batch, other);
    assert_memory_not_equal(whole, other, SHA256_BYTES);
}

static void a_byte_moved_from_one_column_to_the_next_changes_the_hash(void **state)
{
    struct fixture *fixture = *state;
    unsigned char one[SHA256_BYTES], other[SHA256_BYTES];
    struct batch a = {.lengths = text_of("ab"), .meta = text_of("c"), .records = text_of("")};
    struct batch b = {.lengths = text_of("a"), .meta = text_of("bc"), .records = text_of("")};
    struct batch c = {.lengths = text_of("ab"), .meta = text_of(""), .records = text_of("c")};
    hash_of(fixture, &a, one);
    hash_of(fixture, &b, other);
    assert_memory_not_equal(one, other, SHA256_BYTES);
    hash_of(fixture, &c, other);
    assert_memory_not_equal(one, other, SHA256_BYTES);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(records_come_out_as_they_went_in),
        TEST(the_columns_are_json_arrays_for_people),
        TEST(values_of_every_length_come_out_whole),
        TEST(random_batches_come_out_as_they_went_in),
        TEST(a_cleared_builder_begins_anew),
        TEST(a_batch_memory_ran_out_on_is_not_whole),
        TEST(a_changed_byte_anywhere_changes_the_hash_and_is_survived),
        TEST(a_column_cut_short_or_grown_is_noticed),
        TEST(a_wrong_count_is_noticed),
        TEST(a_length_without_end_is_noticed),
        TEST(another_format_is_not_read),
        TEST(a_meta_of_another_shape_is_refused),
        TEST(everything_in_a_row_is_in_its_hash),
        TEST(a_byte_moved_from_one_column_to_the_next_changes_the_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
