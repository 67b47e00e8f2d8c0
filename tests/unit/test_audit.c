/* audit: says sound of what is sound, and finds each kind of damage, with the first bad offset. */
#include <sys/stat.h>

#include "base/json.h"
#include "journal/journal_internal.h"
#include "journal/segment.h"
#include "stock/applier.h"
#include "stock/audit.h"
#include "support_stock.h"

struct fixture {
    struct scene scene;
    struct drawn drawn;
};

static void ignore_delivered(struct append *first, void *context)
{
    (void)first;
    (void)context;
}

static void apply(struct fixture *fixture, int64_t documents, int steps)
{
    struct applier *applier;
    struct applier_recovery recovery;
    struct failure failure;
    struct applier_options options = {
        .directory = fixture->scene.directory, .documents = documents, .deliver = ignore_delivered};
    assert_int_equal(applier_new(&applier, &options, &recovery, &failure), 0);
    while (steps-- > 0 && applier_step(applier) == WORKER_AGAIN)
        ;
    applier_stop(applier);
}

/* Three segments, the first sealed, and a stock file that is up to date: 90 documents, one a
 * commit; a group, and records of another topic. */
static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct scene *scene = &fixture->scene;
    quiet_log();
    fixture->drawn.dice = (struct dice){5};
    scene_begin(scene);
    scene_open(scene);
    for (int i = 0; i < 90; i++) {
        scene_put(scene, append_sent(i % 2 ? "T01" : "T02", i, draw_value(&fixture->drawn)));
        if (i % 10 == 0)
            scene_put(scene, append_of("other", "[1]"));
        if (i % 30 == 29 && i < 80)
            scene_roll(scene);
        scene_tend(scene);
    }
    scene_put(scene, append_group_offset("g", "other", 3));
    apply(fixture, 1000, 100);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    scene_end(&fixture->scene);
    drawn_free(&fixture->drawn);
    free(fixture);
    return 0;
}

static struct audit audit_of(struct fixture *fixture)
{
    struct audit audit;
    struct failure failure = {0};
    if (audit_directory(fixture->scene.directory, NULL, NULL, &audit, &failure) != 0)
        fail_msg("audit: %s", failure.message);
    return audit;
}

static void expect_sound(struct fixture *fixture)
{
    struct audit audit = audit_of(fixture);
    if (!audit.sound)
        fail_msg("got %s (%s-%d at %" PRId64 ")", audit.fault, audit.topic, audit.partition,
                 audit.offset);
}

/* `topic` NULL: the fault has no place. */
static void expect_fault(struct fixture *fixture, const char *words, const char *topic,
                         int64_t offset)
{
    struct audit audit = audit_of(fixture);
    if (audit.sound || !strstr(audit.fault, words))
        fail_msg("got '%s', want '%s' in it", audit.fault, words);
    if (audit.offset != offset || strcmp(audit.topic, topic ? topic : "") != 0 ||
        audit.partition != (topic ? 0 : -1))
        fail_msg("%s: got %s-%d at %" PRId64 ", want %s at %" PRId64, audit.fault, audit.topic,
                 audit.partition, audit.offset, topic ? topic : "no place", offset);
}

static void change_file(struct fixture *fixture, const char *path, const char *sql)
{
    struct db *db;
    struct failure failure;
    scene_close(&fixture->scene);
    chmod(path, 0640);
    if (db_open(&db, path, &(struct db_options){.mode = DB_OWNER}, &failure) != 0)
        fail_msg("%s", failure.message);
    assert_int_equal(db_execute(db, sql), DB_DONE);
    assert_int_equal(db_seal(db), DB_DONE);
    db_close(db);
}

static void change_segment(struct fixture *fixture, int64_t number, const char *sql)
{
    char path[PATH_MAX];
    segment_path(path, fixture->scene.directory, number);
    change_file(fixture, path, sql);
}

static void change_stock(struct fixture *fixture, const char *sql)
{
    change_file(fixture, scene_path(&fixture->scene, STOCK_FILE), sql);
}

/* --- sound --- */

static void what_is_sound_is_sound_and_counted(void **state)
{
    struct fixture *fixture = *state;
    expect_sound(fixture);
    struct audit audit = audit_of(fixture);
    assert_int_equal(audit.segments, 3);
    assert_int_equal(audit.batches, 99);
    assert_int_equal(audit.records, 99);
    assert_int_equal(audit.documents, 90);
    assert_int_equal(audit.applied, 90);
    assert_int_equal(audit.partition, -1);
    assert_int_equal(audit.offset, -1);
    struct db *live;
    struct failure failure;
    assert_int_equal(stock_open_read(&live, fixture->scene.directory, &failure), 0);
    assert_int_equal(audit.movements, db_int_of(live, "SELECT count(*) FROM movement", -1));
    assert_int_equal(audit.stock_rows, db_int_of(live, "SELECT count(*) FROM stock", -1));
    db_close(live);
}

static void a_closed_directory_is_sound_too(void **state)
{
    struct fixture *fixture = *state;
    scene_close(&fixture->scene);
    expect_sound(fixture);
}

static void a_stock_file_that_lags_behind_is_sound(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 30; i++)
        scene_put(&fixture->scene, append_of(STOCK_TOPIC, draw_value(&fixture->drawn)));
    apply(fixture, 7, 1);
    expect_sound(fixture);
    assert_int_equal(audit_of(fixture).applied, 97);
}

static void gaps_and_a_half_made_segment_are_sound(void **state)
{
    struct fixture *fixture = *state;
    scene_put(&fixture->scene, append_sent("T03", 900, "7"));
    scene_put(&fixture->scene, append_sent("T03", 400, "7"));
    fclose(fopen(scene_path(&fixture->scene, "journal/0000000003.db"), "w"));
    expect_sound(fixture);
}

static bool count_stages(const char *stage, int64_t done, int64_t total, void *context)
{
    unsigned *seen = context;
    assert_true(done <= total);
    *seen |= strcmp(stage, "segments") == 0  ? 1
             : strcmp(stage, "fold") == 0    ? 2
             : strcmp(stage, "compare") == 0 ? 4
                                             : 8;
    return true;
}

static bool give_up(const char *stage, int64_t done, int64_t total, void *context)
{
    (void)done;
    (void)total;
    return strcmp(stage, context) != 0;
}

static void an_audit_can_be_given_up_at_every_stage(void **state)
{
    static const char *const stages[] = {"segments", "fold", "compare"};
    struct fixture *fixture = *state;
    for (int i = 0; i < 3; i++) {
        char stage[16];
        struct audit audit;
        struct failure failure;
        snprintf(stage, sizeof stage, "%s", stages[i]);
        assert_int_equal(
            audit_directory(fixture->scene.directory, give_up, stage, &audit, &failure), -1);
        assert_false(audit.sound);
    }
}

static void progress_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct audit audit;
    struct failure failure;
    unsigned seen = 0;
    assert_int_equal(
        audit_directory(fixture->scene.directory, count_stages, &seen, &audit, &failure), 0);
    assert_int_equal(seen, 7);
}

/* --- batches --- */

static void a_changed_column_of_a_batch_is_found(void **state)
{
    static const char *const changes[] = {
        "records=replace(records,'\"','''')",
        "records=records||' '",
        "meta=replace(meta,'T0','T1')",
        "lengths=x'0000'",
        "time_ms=time_ms+1",
        "format=2",
        "count=2",
        "hash=zeroblob(32)",
        "hash=x'00'",
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(changes); i++) {
        char sql[256];
        snprintf(sql, sizeof sql,
                 "CREATE TABLE kept AS SELECT * FROM \"stock-0\" WHERE base_offset=42;"
                 "UPDATE \"stock-0\" SET %s WHERE base_offset=42",
                 changes[i]);
        change_segment(fixture, 1, sql);
        expect_fault(fixture, "hash chain broken", STOCK_TOPIC, 42);
        change_segment(fixture, 1, "REPLACE INTO \"stock-0\" SELECT * FROM kept; DROP TABLE kept");
    }
    change_segment(fixture, 1, "VACUUM");
    expect_fault(fixture, "not the file that was sealed", NULL, -1);
}

static void a_missing_batch_is_found(void **state)
{
    struct fixture *fixture = *state;
    change_segment(fixture, 1, "DELETE FROM \"stock-0\" WHERE base_offset=42");
    expect_fault(fixture, "offsets 42 to 42 are missing", STOCK_TOPIC, 42);
}

static void a_missing_batch_at_the_end_of_a_segment_is_found(void **state)
{
    struct fixture *fixture = *state;
    change_segment(fixture, 1, "DELETE FROM \"stock-0\" WHERE base_offset=59");
    expect_fault(fixture, "does not continue the segment before", STOCK_TOPIC, 59);
}

static void a_missing_last_batch_is_found(void **state)
{
    struct fixture *fixture = *state;
    change_segment(fixture, 2, "DELETE FROM \"stock-0\" WHERE base_offset=89");
    expect_fault(fixture, "remembered seqs of terminal T01", STOCK_TOPIC, -1);
}

static void two_batches_in_each_others_place_are_found(void **state)
{
    struct fixture *fixture = *state;
    change_segment(fixture, 2,
                   "UPDATE \"stock-0\" SET base_offset=-1 WHERE base_offset=70;"
                   "UPDATE \"stock-0\" SET base_offset=70 WHERE base_offset=71;"
                   "UPDATE \"stock-0\" SET base_offset=71 WHERE base_offset=-1");
    expect_fault(fixture, "hash chain broken", STOCK_TOPIC, 70);
}

static void damage_in_another_topic_is_found(void **state)
{
    struct fixture *fixture = *state;
    change_segment(fixture, 0, "UPDATE \"other-0\" SET records='[2]' WHERE base_offset=1");
    expect_fault(fixture, "hash chain broken", "other", 1);
}

/* The chain says what follows what, not what may: here it is sound, and a seq is in it twice. */
static void a_seq_that_is_journaled_twice_is_found(void **state)
{
    struct fixture *fixture = *state;
    change_segment(fixture, 2, "CREATE TABLE kept AS SELECT * FROM tillq_producer");
    scene_open(&fixture->scene);
    producers_free(fixture->scene.journal->producers);
    fixture->scene.journal->producers = producers_new(); /* it forgets who has sent what */
    assert_int_equal(scene_put(&fixture->scene, append_sent("T01", 89, "7")), 90);
    change_segment(fixture, 2, "REPLACE INTO tillq_producer SELECT * FROM kept; DROP TABLE kept");
    expect_fault(fixture, "seq 89 of terminal T01 is journaled twice", STOCK_TOPIC, 90);
}

/* --- segments --- */

static void a_sealed_file_that_changed_anywhere_is_found(void **state)
{
    struct fixture *fixture = *state;
    char path[PATH_MAX];
    segment_path(path, fixture->scene.directory, 0);
    chmod(path, 0640);
    FILE *file = fopen(path, "r+");
    fseek(file, 60, SEEK_SET); /* the user version: nothing reads it */
    fputc(1, file);
    fclose(file);
    expect_fault(fixture, "segment 0 is not the file that was sealed", NULL, -1);
}

static void a_missing_segment_in_the_middle_is_found(void **state)
{
    struct fixture *fixture = *state;
    char path[PATH_MAX];
    segment_path(path, fixture->scene.directory, 1);
    unlink(path);
    expect_fault(fixture, "segment 1 is missing", STOCK_TOPIC, 30);
}

static void a_missing_first_segment_is_found(void **state)
{
    struct fixture *fixture = *state;
    char path[PATH_MAX];
    segment_path(path, fixture->scene.directory, 0);
    unlink(path);
    expect_fault(fixture, "offsets 0 to 2 are missing", "other", 0);
}

static void a_start_that_is_not_where_the_last_segment_ended_is_found(void **state)
{
    struct fixture *fixture = *state;
    change_segment(fixture, 2, "UPDATE tillq_partition SET start=61 WHERE topic='stock'");
    expect_fault(fixture, "does not continue the segment before", STOCK_TOPIC, 60);
}

/* --- the state beside the records --- */

static void a_wrong_state_of_a_producer_is_found(void **state)
{
    static const char *const changes[] = {"last_seq=90", "floor=1", "gaps='[]'"};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(changes); i++) {
        char sql[256];
        snprintf(sql, sizeof sql,
                 "CREATE TABLE kept AS SELECT * FROM tillq_producer;"
                 "UPDATE tillq_producer SET %s WHERE name='T01'",
                 changes[i]);
        change_segment(fixture, 2, sql);
        expect_fault(fixture, "remembered seqs of terminal T01", STOCK_TOPIC, -1);
        change_segment(fixture, 2,
                       "REPLACE INTO tillq_producer SELECT * FROM kept; DROP TABLE kept");
    }
    expect_sound(fixture);
}

static void a_producer_too_few_or_too_many_is_found(void **state)
{
    struct fixture *fixture = *state;
    change_segment(fixture, 2, "INSERT INTO tillq_producer VALUES('T77',5,0,'[[0,4]]')");
    expect_fault(fixture, "remembered seqs", STOCK_TOPIC, -1);
    change_segment(fixture, 2, "DELETE FROM tillq_producer WHERE name IN ('T77', 'T02')");
    expect_fault(fixture, "remembered seqs of terminal T02", STOCK_TOPIC, -1);
}

static void a_group_at_a_place_that_is_not_there_is_found(void **state)
{
    struct fixture *fixture = *state;
    change_segment(fixture, 2, "UPDATE tillq_group SET topic='nowhere'");
    expect_fault(fixture, "group g", NULL, -1);
}

/* --- the stock --- */

static void any_change_of_the_stock_file_is_found(void **state)
{
    static const struct {
        const char *sql, *table;
        int64_t offset; /* -1: the row says none */
    } changes[] = {
        {"UPDATE stock SET on_hand_milli=on_hand_milli+1 WHERE id=3", "stock", -1},
        {"DELETE FROM stock WHERE id=(SELECT max(id) FROM stock)", "stock", -1},
        {"UPDATE stock SET sku='Z' WHERE id=1", "stock", -1},
        {"UPDATE movement SET balance_milli=0 WHERE offset=50 AND id=(SELECT min(id) FROM movement"
         " WHERE offset=50)",
         "movement", 50},
        {"UPDATE document SET outcome=1-outcome WHERE offset=50", "document", 50},
        {"UPDATE document SET detail='x' WHERE offset=51", "document", 51},
        {"DELETE FROM document WHERE offset=89", "document", 89},
        {"INSERT INTO document_id SELECT 'Z', id, partition, offset, hash FROM document_id"
         " WHERE offset=50",
         "document_id", 50},
        {"INSERT INTO dead VALUES(0,50,'dead',NULL,NULL,'7')", "dead", -2},
        {"UPDATE progress SET accepted=accepted+1", "progress", -1},
        {"UPDATE place SET name='x' WHERE id=2", "place", -1},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(changes); i++) {
        char words[64];
        unlink(scene_path(&fixture->scene, STOCK_FILE));
        apply(fixture, 1000, 100);
        change_stock(fixture, changes[i].sql);
        snprintf(words, sizeof words, "table %s, row", changes[i].table);
        struct audit audit = audit_of(fixture);
        if (audit.sound || !strstr(audit.fault, words))
            fail_msg("%s: got '%s'", changes[i].sql, audit.fault);
        if (changes[i].offset != -2)
            assert_int_equal(audit.offset, changes[i].offset);
    }
}

static void a_missing_movement_is_found(void **state)
{
    struct fixture *fixture = *state;
    change_stock(fixture, "DELETE FROM movement WHERE id=(SELECT max(id) FROM movement)");
    struct audit audit = audit_of(fixture);
    assert_false(audit.sound);
    assert_non_null(strstr(audit.fault, "table movement"));
    assert_true(audit.offset > 0);
}

static void a_stock_file_that_is_ahead_is_found(void **state)
{
    struct fixture *fixture = *state;
    change_stock(fixture, "UPDATE progress SET applied=91");
    expect_fault(fixture, "the journal ends before that", STOCK_TOPIC, 90);
}

static void a_stock_file_that_is_missing_is_found(void **state)
{
    struct fixture *fixture = *state;
    unlink(scene_path(&fixture->scene, STOCK_FILE));
    expect_fault(fixture, "stock.db is missing", STOCK_TOPIC, -1);
}

/* --- where no audit can be made --- */

static void a_directory_without_a_journal_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct audit audit;
    struct failure failure = {0};
    const char *nowhere = scene_path(&fixture->scene, "nowhere");
    assert_int_equal(audit_directory(nowhere, NULL, NULL, &audit, &failure), -1);
    assert_non_null(strstr(failure.message, nowhere));
}

static void a_verdict_is_one_line_of_json(void **state)
{
    struct fixture *fixture = *state;
    struct buffer line = {0};
    struct json json = {0};
    struct audit audit = audit_of(fixture);
    for (int i = 0; i < 2; i++) {
        buffer_clear(&line);
        buffer_add_byte(&line, '{');
        audit_add_json(&audit, &line);
        buffer_add_byte(&line, '}');
        assert_int_equal(json_parse(&json, buffer_text(&line), NULL), 0);
        assert_int_equal(json_type(&json, json_member(&json, 0, "sound")),
                         i == 0 ? JSON_TRUE : JSON_FALSE);
        assert_int_equal(json_member(&json, 0, "offset") == JSON_ABSENT, i == 0);
        change_segment(fixture, 1, "DELETE FROM \"stock-0\" WHERE base_offset=42");
        audit = audit_of(fixture);
    }
    buffer_free(&line);
    json_free(&json);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_sound_is_sound_and_counted),
        TEST(a_closed_directory_is_sound_too),
        TEST(a_stock_file_that_lags_behind_is_sound),
        TEST(gaps_and_a_half_made_segment_are_sound),
        TEST(progress_is_told),
        TEST(an_audit_can_be_given_up_at_every_stage),
        TEST(a_changed_column_of_a_batch_is_found),
        TEST(a_missing_batch_is_found),
        TEST(a_missing_batch_at_the_end_of_a_segment_is_found),
        TEST(a_missing_last_batch_is_found),
        TEST(two_batches_in_each_others_place_are_found),
        TEST(damage_in_another_topic_is_found),
        TEST(a_seq_that_is_journaled_twice_is_found),
        TEST(a_sealed_file_that_changed_anywhere_is_found),
        TEST(a_missing_segment_in_the_middle_is_found),
        TEST(a_missing_first_segment_is_found),
        TEST(a_start_that_is_not_where_the_last_segment_ended_is_found),
        TEST(a_wrong_state_of_a_producer_is_found),
        TEST(a_producer_too_few_or_too_many_is_found),
        TEST(a_group_at_a_place_that_is_not_there_is_found),
        TEST(any_change_of_the_stock_file_is_found),
        TEST(a_missing_movement_is_found),
        TEST(a_stock_file_that_is_ahead_is_found),
        TEST(a_stock_file_that_is_missing_is_found),
        TEST(a_directory_without_a_journal_is_refused),
        TEST(a_verdict_is_one_line_of_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
