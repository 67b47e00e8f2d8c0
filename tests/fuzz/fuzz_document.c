/* document: any bytes as a document: read, and applied to a stock by the same fold as the
 * applier's. Nothing stops the fold; what is read is applied or rejected by name, what cannot be
 * read is rejected; its canonical form has the same content; sent twice it counts once; the figures
 * are the sum of the movements. Every input meets the same stock: what it did is rolled back. */
#include "fuzz.h"
#include "support_stock.h"

#include "base/sha256.h"

static struct scene scene;
static struct stock *stock;
static struct fold *fold;
static struct json json, other;
static struct document document;
static struct sha256 *sha256;

static const char *const before[] = {
    "{\"type\":\"receipt\",\"id\":\"1\",\"shop\":\"S\",\"terminal\":\"T\",\"lines\":[{\"sku\":"
    "\"A\","
    "\"qty\":10},{\"sku\":\"B\",\"qty\":\"9223372036854775\"}]}",
    "{\"type\":\"sale\",\"id\":\"2\",\"shop\":\"S\",\"terminal\":\"T\",\"check\":\"hard\","
    "\"lines\":[{"
    "\"sku\":\"A\",\"qty\":11}]}",
    "{\"type\":\"count\",\"id\":\"3\",\"shop\":\"S\",\"terminal\":\"T\"}",
};

/* One batch of one record; its outcome. */
static int64_t apply(struct text value)
{
    struct batch_builder builder = {0};
    struct record record = {.value = value, .key = TEXT_LITERAL("\"S\""), .seq = -1};
    int64_t documents = 0, offset = stock_progress(stock, 0)->applied;
    char sql[96];
    batch_add(&builder, &record, (struct text){0});
    if (!batch_finish(&builder))
        breach("no memory for a batch");
    struct batch batch = {offset,
                          1,
                          BATCH_FORMAT_JSON,
                          1795341303000,
                          buffer_text(&builder.lengths),
                          buffer_text(&builder.meta),
                          buffer_text(&builder.records),
                          {0}};
    enum db_result result = fold_batch(fold, 0, &batch, INT64_MAX, &documents);
    batch_builder_free(&builder);
    if (result != DB_DONE || documents != 1)
        breach("a document stops the applier: %d", (int)result);
    snprintf(sql, sizeof sql, "SELECT outcome FROM document WHERE offset=%" PRId64, offset);
    int64_t outcome = db_int_of(stock_db(stock), sql, -1);
    if (outcome < 0)
        breach("a document without an outcome");
    return outcome;
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    (void)count;
    (void)arguments;
    fuzz_quiet();
    scene_begin(&scene);
    stock = stock_at_again(&scene);
    fold = fold_new(stock);
    sha256 = sha256_new();
    assert_int_equal(stock_begin(stock), DB_DONE);
    for (size_t i = 0; i < COUNT(before); i++)
        apply(text_of(before[i]));
    assert_int_equal(stock_commit(stock), DB_DONE);
    unlink(scene_path(&scene, "again.db")); /* the file lives on, the directory need not */
    unlink(scene_path(&scene, "again.db-shm"));
    unlink(scene_path(&scene, "again.db-wal"));
    rmdir(scene.directory);
    return 0;
}

/* The same content, written otherwise, is the same content. */
static void check_content(void)
{
    struct buffer canonical = {0}, scratch = {0};
    unsigned char hash[DOCUMENT_HASH_BYTES], again[DOCUMENT_HASH_BYTES];
    json_canonical(&json, NULL, &canonical);
    if (json_parse(&other, buffer_text(&canonical), NULL) != 0)
        breach("the canonical form cannot be read");
    if (document_hash(&json, sha256, &scratch, hash) != 0 ||
        document_hash(&other, sha256, &scratch, again) != 0)
        breach("no memory for a hash");
    if (memcmp(hash, again, sizeof hash) != 0)
        breach("the same content has another hash");
    buffer_free(&canonical);
    buffer_free(&scratch);
}

static void check_lines(void)
{
    for (uint32_t i = 0; i < document.line_count; i++) {
        const struct document_line *line = &document.lines[i];
        if (line->quantity_milli == 0 ||
            (line->quantity_milli < 0 && document.type != DOCUMENT_ADJUST))
            breach("line %u moves %lld", i, (long long)line->quantity_milli);
        if (line->sku.length < 1 || line->sku.length > NAME_BYTES || line->location.length < 1 ||
            line->location.length > NAME_BYTES)
            breach("line %u has a name of a length that is none", i);
    }
}

/* The rows are written at the commit, which never comes: memory against the ledger. */
static void check_balance(void)
{
    const struct progress *progress = stock_progress(stock, 0);
    int64_t outcomes = 0;
    for (int i = 0; i < OUTCOME_COUNT; i++)
        outcomes += progress->outcomes[i];
    if (outcomes != progress->applied)
        breach("%" PRId64 " outcomes of %" PRId64 " documents", outcomes, progress->applied);
    for (uint32_t i = 0; i < document.line_count; i++) {
        const struct document_line *line = &document.lines[i];
        const struct stock_row *row = stock_row_of(stock, document.shop, line->location, line->sku);
        char sql[160];
        snprintf(sql, sizeof sql,
                 "SELECT sum(CASE to_place WHEN 1 THEN quantity_milli ELSE -quantity_milli END)"
                 " FROM movement WHERE stock=%" PRId64,
                 row->id);
        int64_t sum = db_int_of(stock_db(stock), sql, 0);
        if (sum != row->on_hand_milli)
            breach("line %u: %" PRId64 " on hand, moved %" PRId64, i, row->on_hand_milli, sum);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct text text = {(const char *)bytes, length};
    struct failure failure = {0};
    struct document_defaults defaults = {.shop = TEXT_LITERAL("S")};
    if (json_parse(&json, text, &failure) != 0)
        return 0; /* never journaled; and the fold would not be the one to find out */
    bool read = document_read(&document, &json, 0, &defaults, &failure) == 0;
    if (!read && (!failure.code || strcmp(failure.code, "BAD_DOCUMENT") != 0))
        breach("refused with %s", failure.code ? failure.code : "no code");
    if (read) {
        check_lines();
        check_content();
    }
    assert_int_equal(stock_begin(stock), DB_DONE);
    int64_t outcome = apply(text);
    if (!read && outcome != OUTCOME_REJECTED)
        breach("no document, and yet %s", outcome_name((enum outcome)outcome));
    int64_t again = apply(text);
    bool deals = read && (document.type == DOCUMENT_RETRY || document.type == DOCUMENT_DROP);
    if (read && !deals && outcome != OUTCOME_CONFLICT && again != OUTCOME_DUPLICATE)
        breach("sent twice it is %s, then %s", outcome_name((enum outcome)outcome),
               outcome_name((enum outcome)again));
    if (read)
        check_balance();
    stock_rollback(stock);
    return 0;
}
