/* folder: made once, found again, and refused by name where it cannot be. */
#include "support.h"

#include <sys/stat.h>

#include "base/folder.h"

static void a_folder_is_made_and_found_again(void **state)
{
    (void)state;
    static const char *const names[] = {"plain", "slash/", "deep"};
    char directory[] = "/tmp/tillq-folder-XXXXXX";
    struct failure failure;
    assert_non_null(mkdtemp(directory));
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[PATH_MAX];
        struct stat status;
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        assert_int_equal(folder_make(path, &failure), 0);
        assert_int_equal(folder_make(path, &failure), 0);
        assert_int_equal(stat(path, &status), 0);
        assert_true(S_ISDIR(status.st_mode));
        assert_int_equal(status.st_mode & 0007, 0); /* nothing for strangers */
        assert_int_equal(rmdir(path), 0);
    }
    assert_int_equal(rmdir(directory), 0);
}

static void a_folder_by_a_relative_name_lies_here(void **state)
{
    (void)state;
    char directory[] = "/tmp/tillq-folder-XXXXXX", before[PATH_MAX];
    struct failure failure;
    assert_non_null(getcwd(before, sizeof before));
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    assert_int_equal(folder_make("data", &failure), 0);
    assert_int_equal(rmdir("data"), 0);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void without_a_parent_it_is_refused_by_name(void **state)
{
    (void)state;
    struct failure failure;
    assert_int_equal(folder_make("/nowhere/at/all", &failure), -1);
    assert_non_null(strstr(failure.message, "/nowhere/at/all"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_is_made_and_found_again),
        cmocka_unit_test(a_folder_by_a_relative_name_lies_here),
        cmocka_unit_test(without_a_parent_it_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
