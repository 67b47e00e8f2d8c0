/* journal, with every call it makes failing in turn: what was acknowledged is there after the next
 * clean start, once and whole; what was not is there once or not at all; nothing is said without a
 * reason, and nobody has to be restarted for want of memory alone. */
#include "stock/audit.h"
#include "support_fault.h"

/* --- a directory of three records that is laid out again for each fault --- */

#define PROMISED_MAX 16

struct promised {
    char values[PROMISED_MAX][32];
    int count;
};

static void promise(struct promised *promised, const struct append *append)
{
    if (append->error) {
        if (!append->message || !append->message[0])
            fail_msg("%s without a message", append->error);
        return;
    }
    snprintf(promised->values[promised->count++], 32, "%.*s", (int)append->record.value.length,
             append->record.value.bytes);
}

static void fill(struct scene *scene)
{
    scene_begin(scene);
    scene_open(scene);
    scene_put(scene, append_sent("T01", 0, "\"first\""));
    scene_put(scene, append_of("t", "\"other\""));
    scene_put(scene, append_group_offset("g", "t", 1));
    scene_roll(scene);
    scene_tend(scene);
    scene_put(scene, append_sent("T01", 4, "\"second\""));
    scene_put(scene, append_sent("T02", 0, "\"third\""));
}

static int times_in(const char *values, const char *value)
{
    int times = 0;
    for (const char *at = values; (at = strstr(at, value)); at++)
        times++;
    return times;
}

/* A clean start: all that was promised, once; the old records; a sound journal. */
static void check(struct scene *scene, const struct promised *promised)
{
    static const char *const old[] = {"\"first\"", "\"second\"", "\"third\""};
    struct buffer values = {0};
    struct audit audit;
    struct failure failure;
    scene_close(scene);
    scene_open(scene);
    struct journal_reader *reader = scene_reader(scene);
    read_values(reader, STOCK_TOPIC, 0, &values);
    read_values(reader, "t", 0, &values);
    read_values(reader, "new", 0, &values);
    journal_reader_close(reader);
    buffer_add_byte(&values, '\0');
    for (size_t i = 0; i < COUNT(old); i++)
        if (times_in(values.bytes, old[i]) != 1)
            fail_msg("%s is there %d times: %s", old[i], times_in(values.bytes, old[i]),
                     values.bytes);
    for (int i = 0; i < promised->count; i++)
        if (times_in(values.bytes, promised->values[i]) != 1)
            fail_msg("%s was acknowledged and is there %d times: %s", promised->values[i],
                     times_in(values.bytes, promised->values[i]), values.bytes);
    buffer_free(&values);
    assert_int_equal(audit_directory(scene->directory, NULL, NULL, &audit, &failure), 0);
    if (!strstr(audit.fault, "stock.db is missing"))
        fail_msg("not sound: %s", audit.fault);
}

/* --- starting --- */

static int open_under_fault(struct scene *scene)
{
    struct failure failure = {0};
    struct journal_options options = {.directory = scene->directory,
                                      .segment_bytes = scene->segment_bytes,
                                      .clock = &scene->clock,
                                      .reserve_bytes = scene->reserve_bytes};
    fault_begin();
    int result = journal_open(&scene->journal, &options, &scene->recovery, &failure);
    if (result != 0) {
        scene->journal = NULL;
        expect_said(&failure);
    }
    return result;
}

static void a_new_directory(void **state)
{
    struct faults faults;
    (void)state;
    for (faults_start(&faults, 0); faults_next(&faults);) {
        struct scene scene;
        scene_begin(&scene);
        open_under_fault(&scene);
        scene_close(&scene);
        fault_end();
        scene_open(&scene);
        assert_int_equal(scene_put(&scene, append_of(STOCK_TOPIC, "1")), 0);
        scene_reopen(&scene);
        expect_values(&scene, STOCK_TOPIC, "1");
        scene_end(&scene);
    }
    faults_finish(&faults);
}

/* What kill -9 leaves: the files as they are while the journal is open. */
static void copy_as_killed(const struct scene *from, struct scene *to)
{
    char command[400];
    scene_begin(to);
    to->segment_bytes = from->segment_bytes;
    snprintf(command, sizeof command, "%s/journal", to->directory);
    assert_int_equal(mkdir(command, 0750), 0);
    static const char *const names[] = {"journal/0000000000.db", "journal/0000000001.db",
                                        "journal/0000000001.db-wal"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char bytes[65536];
        FILE *in = fopen(scene_path(from, names[i]), "r");
        FILE *out = fopen(scene_path(to, names[i]), "w");
        size_t length;
        assert_non_null(in);
        while ((length = fread(bytes, 1, sizeof bytes, in)) > 0)
            assert_int_equal(fwrite(bytes, 1, length, out), length);
        fclose(in);
        fclose(out);
    }
}

static void a_directory_that_was_left_by_a_kill(void **state)
{
    struct faults faults;
    struct promised nothing = {0};
    struct scene left;
    (void)state;
    fill(&left);
    for (faults_start(&faults, 0); faults_next(&faults);) {
        struct scene scene;
        copy_as_killed(&left, &scene);
        open_under_fault(&scene);
        scene_close(&scene);
        fault_end();
        check(&scene, &nothing);
        scene_end(&scene);
    }
    scene_end(&left);
    faults_finish(&faults);
}

/* --- appending --- */

#define APPENDS 7

/* New, sent before, a gap filled, a group, a new topic, twice the same. */
static void compose(struct append appends[APPENDS])
{
    appends[0] = append_sent("T01", 5, "\"five\"");
    appends[1] = append_sent("T01", 4, "\"second\"");
    appends[2] = append_sent("T01", 2, "\"two\"");
    appends[3] = append_group_offset("g", "t", 2);
    appends[4] = append_sent("T04", 0, "\"new topic\"");
    appends[4].topic = text_of("new");
    appends[5] = append_sent("T03", 9, "\"nine\"");
    appends[6] = append_sent("T03", 9, "\"nine\"");
}

static void note_promises(struct promised *promised, const struct append *appends, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (appends[i].kind == APPEND_RECORD && !appends[i].duplicate)
            promise(promised, &appends[i]);
        else if (appends[i].error && !appends[i].message)
            fail_msg("%s without a message", appends[i].error);
}

/* A duplicate may be acknowledged only where the first one is. */
static void expect_honest_duplicates(const struct append *appends)
{
    if (appends[6].duplicate && !appends[6].error && appends[5].error)
        fail_msg("a duplicate of what was refused is acknowledged");
}

static void appending(void **state)
{
    struct faults faults;
    (void)state;
    for (faults_start(&faults, 0); faults_next(&faults);) {
        struct scene scene;
        struct promised promised = {0};
        struct append first[APPENDS], second[APPENDS];
        const char *message;
        fill(&scene);
        compose(first);
        compose(second);
        fault_begin();
        scene_append_all(&scene, first, APPENDS);
        fault_end();
        note_promises(&promised, first, APPENDS);
        expect_honest_duplicates(first);
        bool memory = fault.kind == FAULT_MEMORY || fault.kind == FAULT_SQLITE_MEMORY;
        if (memory && journal_health(scene.journal, &message) == JOURNAL_IS_FAILED &&
            !fault.lasting)
            fail_msg("for want of memory, once, nothing is written any more: %s", message);
        /* Sent again by somebody who had no answer: once in the journal, however it went. */
        scene_append_all(&scene, second, APPENDS);
        if (journal_health(scene.journal, &message) != JOURNAL_IS_FAILED)
            for (int i = 0; i < APPENDS; i++)
                if (second[i].error)
                    fail_msg("refused when all is well again: %s", second[i].error);
        check(&scene, &promised);
        scene_end(&scene);
    }
    faults_finish(&faults);
}

/* --- housekeeping --- */

static void rolling_sealing_and_moving_the_log(void **state)
{
    struct faults faults;
    (void)state;
    for (faults_start(&faults, 0); faults_next(&faults);) {
        struct scene scene;
        struct promised promised = {0};
        const char *message;
        bool retry = false;
        fill(&scene);
        struct append appends[] = {append_sent("T01", 5, "\"five\""),
                                   (struct append){.kind = APPEND_ROLL}};
        fault_begin();
        scene_append_all(&scene, appends, COUNT(appends));
        for (int i = 0; i < 50 && journal_tend(scene.journal, true, &retry); i++)
            ;
        fault_end();
        note_promises(&promised, appends, 1);
        if (appends[1].error && !appends[1].message)
            fail_msg("a roll refused without a message");
        struct append later = scene_append(&scene, append_sent("T01", 6, "\"six\""));
        note_promises(&promised, &later, 1);
        if (later.error && journal_health(scene.journal, &message) != JOURNAL_IS_FAILED)
            fail_msg("refused when all is well again: %s", later.error);
        scene_tend(&scene);
        check(&scene, &promised);
        scene_end(&scene);
    }
    faults_finish(&faults);
}

/* --- reading --- */

static void reading_says_what_it_could_not_read(void **state)
{
    struct faults faults;
    struct scene scene;
    (void)state;
    fill(&scene);
    for (faults_start(&faults, 1u << FAULT_MEMORY | 1u << FAULT_SQLITE_MEMORY | 1u << FAULT_OPEN |
                                   1u << FAULT_READ);
         faults_next(&faults);) {
        struct journal_reader *reader = NULL;
        struct failure failure = {0};
        struct batch batch;
        int64_t start, end, seq = -5, offset = -5;
        int found[5] = {-1, -1, -1, -1, -1};
        fault_begin();
        if (journal_reader_open(&reader, scene.directory, &failure) == 0) {
            found[0] = journal_reader_find(reader, text_of(STOCK_TOPIC), 0, 0, &batch, &failure);
            found[1] = journal_reader_find(reader, text_of(STOCK_TOPIC), 0, 2, &batch, &failure);
            found[2] = journal_reader_bounds(reader, text_of("t"), 0, &start, &end, &failure);
            found[3] = journal_reader_last_seq(reader, text_of("T01"), &seq, &failure) == 0;
            found[4] = journal_reader_committed(reader, text_of("g"), text_of("t"), 0, &offset,
                                                &failure) == 0;
        }
        journal_reader_close(reader);
        fault_end();
        for (int i = 0; i < 5; i++)
            if (found[i] == 0 && i < 3)
                fail_msg("question %d: said to be not there", i);
        if (found[3] == 1 && seq != 4)
            fail_msg("the highest seq is said to be %" PRId64, seq);
        if (found[4] == 1 && offset != 1)
            fail_msg("the group's offset is said to be %" PRId64, offset);
    }
    scene_end(&scene);
    faults_finish(&faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(a_new_directory),
        FAULT_TEST(a_directory_that_was_left_by_a_kill),
        FAULT_TEST(appending),
        FAULT_TEST(rolling_sealing_and_moving_the_log),
        FAULT_TEST(reading_says_what_it_could_not_read),
    };
    fault_set_up();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
