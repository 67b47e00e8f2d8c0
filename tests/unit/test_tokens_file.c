/* tokens_file: the file's mode, how it is replaced, and what is left when that fails. */
#include "support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "net/tokens_file.h"

#define FIRST "# tillq tokens 1\n"

struct place {
    char directory[64];
    char path[80];
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    snprintf(place->directory, sizeof place->directory, "/tmp/tillq-tokens-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->path, sizeof place->path, "%s/tokens", place->directory);
    umask(0022);
    *state = place;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int tear_down(void **state)
{
    struct place *place = *state;
    nftw(place->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(place);
    return 0;
}

static void write_file(const struct place *place, const char *content, mode_t mode)
{
    FILE *file = fopen(place->path, "we");
    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(place->path, mode), 0);
}

static void expect_refused(const char *path, const char *wanted)
{
    struct tokens *tokens;
    struct failure failure;
    char message[256];
    assert_int_equal(tokens_file_read(&tokens, path, &failure), -1);
    assert_null(tokens);
    snprintf(message, sizeof message, "%s%s", path, wanted);
    assert_string_equal(failure.message, message);
}

static void give(struct tokens_change *change, const char *terminal)
{
    static const unsigned char random[TOKENS_RANDOM_BYTES] = {7};
    char token[TOKEN_TEXT_BYTES];
    struct failure failure;
    assert_int_equal(
        tokens_give(change->tokens, text_of(terminal), ROLE_TERMINAL, random, token, &failure), 0);
}

static void begin(const struct place *place, struct tokens_change *change)
{
    struct failure failure;
    if (tokens_change_begin(change, place->path, &failure) != 0)
        fail_msg("%s", failure.message);
}

static void add_terminal(const struct place *place, const char *terminal)
{
    struct tokens_change change;
    struct failure failure;
    begin(place, &change);
    give(&change, terminal);
    if (tokens_change_commit(&change, &failure) != 0)
        fail_msg("%s", failure.message);
    tokens_change_end(&change);
}

static void expect_terminals(const struct place *place, size_t wanted)
{
    struct tokens *tokens;
    struct failure failure;
    char fresh[96];
    if (tokens_file_read(&tokens, place->path, &failure) != 0)
        fail_msg("%s", failure.message);
    assert_int_equal(tokens_count(tokens), wanted);
    tokens_free(tokens);
    snprintf(fresh, sizeof fresh, "%s.new", place->path);
    assert_int_not_equal(access(fresh, F_OK), 0);
}

static void a_file_others_can_touch_is_refused(void **state)
{
    struct place *place = *state;
    static const mode_t modes[] = {0644, 0642, 0641, 0604};
    for (size_t i = 0; i < COUNT(modes); i++) {
        char wanted[160];
        write_file(place, FIRST, modes[i]);
        snprintf(wanted, sizeof wanted,
                 ": mode %03o lets everybody on this machine at it; make it 0640 (chmod 640)",
                 (unsigned)modes[i]);
        expect_refused(place->path, wanted);
    }
    write_file(place, FIRST, 0640);
    expect_terminals(place, 0);
    write_file(place, FIRST, 0400);
    expect_terminals(place, 0);
}

static void a_bad_line_is_named_with_the_file(void **state)
{
    struct place *place = *state;
    write_file(place, FIRST "x\n", 0640);
    expect_refused(place->path, ":2: the role is neither terminal nor management");
    write_file(place, "", 0640);
    expect_refused(place->path, ":1: is not \"# tillq tokens 1\"");
}

static void what_is_no_file_is_refused(void **state)
{
    struct place *place = *state;
    struct tokens *tokens;
    struct failure failure;
    assert_int_equal(chmod(place->directory, 0750), 0);
    expect_refused(place->directory, ": is not a file");
    assert_int_equal(tokens_file_read(&tokens, place->path, &failure), -1);
    assert_string_equal(failure.code, TOKENS_FILE_ABSENT);
    assert_int_equal(mkfifo(place->path, 0640), 0);
    expect_refused(place->path, ": is not a file");
}

static void only_the_default_file_may_be_absent(void **state)
{
    struct place *place = *state;
    struct tokens *tokens;
    struct config config;
    struct failure failure;
    config_defaults(&config);
    snprintf(config.directory, sizeof config.directory, "%s", place->directory);
    assert_int_equal(tokens_file_read_configured(&tokens, &config, &failure), 0);
    assert_null(tokens);
    snprintf(config.tokens, sizeof config.tokens, "%s", place->path);
    assert_int_equal(tokens_file_read_configured(&tokens, &config, &failure), -1);
    assert_non_null(strstr(failure.message, place->path));
    write_file(place, FIRST, 0640);
    assert_int_equal(tokens_file_read_configured(&tokens, &config, &failure), 0);
    assert_non_null(tokens);
    tokens_free(tokens);
    config.auth_none = true;
    assert_int_equal(tokens_file_read_configured(&tokens, &config, &failure), 0);
    assert_null(tokens);
}

static void what_is_written_is_0640_whatever_the_umask(void **state)
{
    struct place *place = *state;
    static const mode_t masks[] = {0000, 0022, 0077, 0777};
    for (size_t i = 0; i < COUNT(masks); i++) {
        char name[16];
        struct stat status;
        umask(masks[i]);
        snprintf(name, sizeof name, "T%zu", i);
        add_terminal(place, name);
        assert_int_equal(stat(place->path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0640);
        expect_terminals(place, i + 1);
    }
}

static void without_a_commit_everything_stays(void **state)
{
    struct place *place = *state;
    struct tokens_change change;
    begin(place, &change);
    give(&change, "T01");
    tokens_change_end(&change);
    assert_int_not_equal(access(place->path, F_OK), 0);
    add_terminal(place, "T01");
    begin(place, &change);
    give(&change, "T02");
    tokens_change_end(&change);
    expect_terminals(place, 1);
}

static void where_it_cannot_be_written_the_old_one_stays(void **state)
{
    struct place *place = *state;
    struct tokens_change change;
    struct failure failure;
    add_terminal(place, "T01");
    begin(place, &change);
    give(&change, "T02");
    limit_files(64);
    int result = tokens_change_commit(&change, &failure);
    limit_files(RLIM_INFINITY);
    assert_int_equal(result, -1);
    tokens_change_end(&change);
    expect_terminals(place, 1);
}

static void a_damaged_file_is_not_written_over(void **state)
{
    struct place *place = *state;
    struct tokens_change change;
    struct failure failure;
    write_file(place, FIRST "x\n", 0640);
    assert_int_equal(tokens_change_begin(&change, place->path, &failure), -1);
    assert_non_null(strstr(failure.message, ":2: "));
}

static void what_a_killed_program_left_beside_it_is_no_hindrance(void **state)
{
    struct place *place = *state;
    char fresh[96];
    snprintf(fresh, sizeof fresh, "%s.new", place->path);
    FILE *file = fopen(fresh, "we");
    assert_non_null(file);
    fputs("half a fi", file);
    fclose(file);
    add_terminal(place, "T01");
    expect_terminals(place, 1);
}

static void a_link_beside_it_is_not_written_through(void **state)
{
    struct place *place = *state;
    char fresh[96], precious[96];
    struct tokens_change change;
    struct failure failure;
    struct stat status;
    snprintf(fresh, sizeof fresh, "%s.new", place->path);
    snprintf(precious, sizeof precious, "%s/precious", place->directory);
    for (int hard = 0; hard <= 1; hard++) {
        FILE *file = fopen(precious, "we");
        assert_non_null(file);
        fputs("precious", file);
        fclose(file);
        assert_int_equal(hard ? link(precious, fresh) : symlink(precious, fresh), 0);
        assert_int_equal(tokens_change_begin(&change, place->path, &failure), -1);
        assert_int_equal(stat(precious, &status), 0);
        assert_int_equal(status.st_size, 8);
        unlink(fresh);
    }
}

/* Two that change it at once: each waits for the other, nothing of either is lost. */
static void two_programs_take_turns(void **state)
{
    struct place *place = *state;
    struct tokens_change change;
    struct failure failure;
    int status;
    begin(place, &change);
    give(&change, "T01");
    pid_t other = fork();
    if (other == 0) {
        close(change.descriptor); /* it would hold the lock as well */
        for (int i = 0; i < 20; i++) {
            char name[16];
            snprintf(name, sizeof name, "U%d", i);
            struct tokens_change theirs;
            if (tokens_change_begin(&theirs, place->path, &failure) != 0)
                _exit(1);
            give(&theirs, name);
            if (tokens_change_commit(&theirs, &failure) != 0)
                _exit(1);
            tokens_change_end(&theirs);
        }
        _exit(0);
    }
    assert_int_equal(tokens_change_commit(&change, &failure), 0);
    tokens_change_end(&change);
    for (int i = 2; i <= 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "T%02d", i);
        add_terminal(place, name);
    }
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    expect_terminals(place, 40);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_others_can_touch_is_refused),
        TEST(a_bad_line_is_named_with_the_file),
        TEST(what_is_no_file_is_refused),
        TEST(only_the_default_file_may_be_absent),
        TEST(what_is_written_is_0640_whatever_the_umask),
        TEST(without_a_commit_everything_stays),
        TEST(where_it_cannot_be_written_the_old_one_stays),
        TEST(a_damaged_file_is_not_written_over),
        TEST(what_a_killed_program_left_beside_it_is_no_hindrance),
        TEST(a_link_beside_it_is_not_written_through),
        TEST(two_programs_take_turns),
    };
    return cmocka_run_group_tests_name("tokens_file", tests, NULL, NULL);
}
