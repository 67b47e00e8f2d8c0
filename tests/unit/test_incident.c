/* incident: counts are whole, lines are at most one a second, names are names. */
#include "support.h"

#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>

#include "base/incident.h"
#include "net/reply.h"

static int64_t moment_us;

static int64_t read_moment(void *context)
{
    (void)context;
    return moment_us;
}

static const struct clock own_clock = {read_moment, read_moment, NULL};

/* What is written to standard error between the two calls. */
static int standard_error, captured;

static void capture_begin(void)
{
    char path[] = "/tmp/tillq-incident-XXXXXX";
    moment_us = 5;
    incident_reset(&own_clock);
    standard_error = dup(STDERR_FILENO);
    captured = mkstemp(path);
    assert_true(standard_error >= 0 && captured >= 0);
    unlink(path);
    assert_true(dup2(captured, STDERR_FILENO) >= 0);
}

static void capture_end(char lines[4096])
{
    assert_true(dup2(standard_error, STDERR_FILENO) >= 0);
    ssize_t length = pread(captured, lines, 4095, 0);
    assert_true(length >= 0);
    lines[length] = '\0';
    close(standard_error);
    close(captured);
    incident_reset(NULL);
}

static void every_kind_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int kind = 0; kind < INCIDENT_COUNT; kind++) {
        const char *name = incident_name((enum incident)kind);
        assert_non_null(name);
        assert_true(strlen(incident_meaning((enum incident)kind)) > 0);
        assert_in_range(incident_level((enum incident)kind), LOG_LEVEL_ERROR, LOG_LEVEL_INFO);
        for (const char *c = name; *c; c++)
            if (!islower((unsigned char)*c) && !isupper((unsigned char)*c) && *c != '_')
                fail_msg("the name '%s' has a '%c'", name, *c);
        for (int other = 0; other < kind; other++)
            assert_string_not_equal(name, incident_name((enum incident)other));
    }
}

static void a_refusal_is_found_by_its_code(void **state)
{
    (void)state;
    assert_int_equal(incident_of_code(TEXT_LITERAL("BAD_JSON")), INCIDENT_BAD_JSON);
    assert_int_equal(incident_of_code(TEXT_LITERAL("DAMAGED")), INCIDENT_DAMAGED);
    assert_int_equal(incident_of_code(TEXT_LITERAL("BAD_JSO")), INCIDENT_OTHER_REFUSAL);
    assert_int_equal(incident_of_code(TEXT_LITERAL("commit_full")), INCIDENT_OTHER_REFUSAL);
}

static void only_what_happened_is_in_the_object(void **state)
{
    (void)state;
    char lines[4096];
    struct buffer json = {0};
    capture_begin();
    incident_add_json(&json);
    assert_text(buffer_text(&json), "{}");
    buffer_clear(&json);
    incident_note(INCIDENT_COMMIT_FULL, "no room");
    incident_note_many(INCIDENT_BAD_JSON, 7, "seven at once");
    incident_add_json(&json);
    assert_text(buffer_text(&json), "{\"BAD_JSON\":7,\"commit_full\":1}");
    capture_end(lines);
    buffer_free(&json);
    assert_int_equal(incident_count(INCIDENT_BAD_JSON), 0); /* set back */
}

static void one_line_a_second_and_the_next_tells_of_the_others(void **state)
{
    (void)state;
    char lines[4096];
    capture_begin();
    for (int i = 0; i < 413; i++) {
        incident_note(INCIDENT_BAD_JSON, "number %d", i);
        moment_us += 1000;
    }
    incident_note(INCIDENT_COMMIT_DISK, "another kind has a line of its own");
    moment_us = 5 + LOG_LIMIT_PERIOD_US - 1;
    incident_note(INCIDENT_BAD_JSON, "a moment too early");
    moment_us++;
    incident_note(INCIDENT_BAD_JSON, "a second later");
    moment_us += LOG_LIMIT_PERIOD_US;
    incident_note(INCIDENT_BAD_JSON, "alone");
    assert_int_equal(incident_count(INCIDENT_BAD_JSON), 416);
    capture_end(lines);
    assert_string_equal(lines, "<4>BAD_JSON: number 0\n"
                               "<3>commit_disk: another kind has a line of its own\n"
                               "<4>BAD_JSON: a second later; 413 more like it since\n"
                               "<4>BAD_JSON: alone\n");
}

static void what_was_kept_back_is_told_when_nothing_follows(void **state)
{
    (void)state;
    char lines[4096];
    capture_begin();
    for (int i = 0; i < 3; i++)
        incident_note(INCIDENT_BAD_JSON, "number %d", i);
    incident_tell_rest(); /* too early */
    moment_us += LOG_LIMIT_PERIOD_US;
    incident_tell_rest();
    moment_us += LOG_LIMIT_PERIOD_US;
    incident_tell_rest(); /* nothing more to tell */
    capture_end(lines);
    assert_string_equal(lines, "<4>BAD_JSON: number 0\n<4>BAD_JSON: 2 more like it since\n");
}

static void a_line_that_is_not_wanted_is_counted_all_the_same(void **state)
{
    (void)state;
    char lines[4096];
    capture_begin();
    log_set_level(LOG_LEVEL_ERROR);
    incident_note(INCIDENT_BAD_JSON, "not written");
    incident_tell_rest();
    assert_int_equal(incident_count(INCIDENT_BAD_JSON), 1);
    log_set_level(LOG_LEVEL_INFO);
    incident_note(INCIDENT_BAD_JSON, "written");
    capture_end(lines);
    assert_string_equal(lines, "<4>BAD_JSON: written\n");
}

static void nobody_forges_a_line(void **state)
{
    (void)state;
    char lines[4096], longer[3000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    capture_begin();
    incident_note(INCIDENT_BAD_JSON, "T01\n<3>commit_disk: forged\r\x1b[1m");
    incident_note(INCIDENT_BAD_REQUEST, "%s", longer);
    incident_note(INCIDENT_BAD_REQUEST, "kept back");
    moment_us += LOG_LIMIT_PERIOD_US;
    incident_note(INCIDENT_BAD_REQUEST, "%s", longer);
    capture_end(lines);
    assert_non_null(strstr(lines, "<4>BAD_JSON: T01 <3>commit_disk: forged  [1m\n"));
    assert_non_null(strstr(lines, "xxx; 1 more like it since\n")); /* never pushed off the end */
}

#define THREADS 4
#define NOTES 20000

static void *note_often(void *context)
{
    (void)context;
    for (int i = 0; i < NOTES; i++)
        incident_note(INCIDENT_BAD_JSON, "from a thread");
    return NULL;
}

static void threads_lose_no_count_and_write_one_line(void **state)
{
    (void)state;
    char lines[4096], want[128];
    pthread_t threads[THREADS];
    capture_begin();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, note_often, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(incident_count(INCIDENT_BAD_JSON), THREADS * NOTES);
    moment_us += LOG_LIMIT_PERIOD_US;
    incident_tell_rest();
    capture_end(lines);
    snprintf(want, sizeof want, "<4>BAD_JSON: from a thread\n<4>BAD_JSON: %d more like it since\n",
             THREADS * NOTES - 1);
    assert_string_equal(lines, want);
}

static void the_code_of_an_error_line_is_read_back(void **state)
{
    (void)state;
    struct text code, message;
    struct buffer line = {0};
    struct failure failure;
    failure_set(&failure, "BAD_JSON", "byte 3: a \"quote\" and a \\");
    reply_error(&line, TEXT_LITERAL("\"error\""), 7, &failure);
    assert_true(reply_is_error(buffer_text(&line), &code, &message));
    assert_text(code, "BAD_JSON");
    assert_text(message, "byte 3: a \\\"quote\\\" and a \\\\");
    buffer_clear(&line);
    reply_begin(&line, TEXT_LITERAL("\"error\""), 7);
    buffer_add_byte(&line, '}');
    assert_false(reply_is_error(buffer_text(&line), &code, &message));
    assert_false(reply_is_error((struct text){0}, &code, &message));
    buffer_free(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_name_of_its_own),
        cmocka_unit_test(a_refusal_is_found_by_its_code),
        cmocka_unit_test(only_what_happened_is_in_the_object),
        cmocka_unit_test(one_line_a_second_and_the_next_tells_of_the_others),
        cmocka_unit_test(what_was_kept_back_is_told_when_nothing_follows),
        cmocka_unit_test(a_line_that_is_not_wanted_is_counted_all_the_same),
        cmocka_unit_test(nobody_forges_a_line),
        cmocka_unit_test(threads_lose_no_count_and_write_one_line),
        cmocka_unit_test(the_code_of_an_error_line_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
