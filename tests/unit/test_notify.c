/* notify: what arrives at systemd's socket, the watchdog's period, sockets handed over. */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/notify.h"

static int forget_environment(void **state)
{
    (void)state;
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                        "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    return 0;
}

static void set_number(const char *name, int64_t number)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%" PRId64, number);
    setenv(name, digits, 1);
}

/* A socket such as systemd listens on, and its name in the environment. */
static int listen_as_systemd(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    assert_true(length <= sizeof address.sun_path);
    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&address, address_length), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return descriptor;
}

static void expect_message(int descriptor, const char *expected)
{
    char message[256];
    ssize_t length = recv(descriptor, message, sizeof message - 1, 0);
    assert_true(length >= 0);
    message[length] = '\0';
    assert_string_equal(message, expected);
    assert_int_equal(recv(descriptor, message, sizeof message, 0), -1);
}

static void tells_systemd_by_path(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_notify.XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/notify", folder);
    int descriptor = listen_as_systemd(path);
    notify_send("READY=1\nSTATUS=accepting terminals");
    expect_message(descriptor, "READY=1\nSTATUS=accepting terminals");
    close(descriptor);
    unlink(path);
    rmdir(folder);
}

static void tells_systemd_by_abstract_name(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "@tillq-test-notify-%d", (int)getpid());
    int descriptor = listen_as_systemd(name);
    notify_send("WATCHDOG=1");
    expect_message(descriptor, "WATCHDOG=1");
    close(descriptor);
}

/* Each of these must be passed over in silence or with a warning, never stop the daemon. */
static void runs_on_where_nobody_listens(void **state)
{
    (void)state;
    char long_name[256];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[0] = '/';
    long_name[sizeof long_name - 1] = '\0';
    const char *const names[] = {"", "/", "@", "relative", long_name, "/nonexistent/notify"};
    int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
    notify_send("READY=1");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        notify_send("READY=1");
    }
    int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(after, before + 1); /* no descriptor was left open */
    close(after);
    close(before);
}

static void beats_twice_in_a_watchdog_period(void **state)
{
    (void)state;
    assert_int_equal(notify_watchdog_us(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(notify_watchdog_us(), 15000000);
    set_number("WATCHDOG_PID", getpid());
    assert_int_equal(notify_watchdog_us(), 15000000);
    set_number("WATCHDOG_PID", getppid());
    assert_int_equal(notify_watchdog_us(), 0);
    unsetenv("WATCHDOG_PID");
    static const char *const nonsense[] = {"", "x", "-5", "5s", "99999999999999999999"};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        setenv("WATCHDOG_USEC", nonsense[i], 1);
        assert_int_equal(notify_watchdog_us(), 0);
    }
}

/* In a process of its own, whose descriptors from 3 on are ours to arrange. Returns what went
 * wrong. */
static int take_over_two_sockets(void)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 1;
    int first = fcntl(pair[0], F_DUPFD, 100);
    int second = fcntl(pair[1], F_DUPFD, 100);
    if (dup2(first, 3) != 3 || dup2(second, 4) != 4)
        return 2;
    close(5);
    setenv("LISTEN_FDS", "2", 1);
    set_number("LISTEN_PID", getpid());
    if (notify_inherited_sockets() != 2)
        return 3;
    for (int descriptor = 3; descriptor < 5; descriptor++) {
        if (!(fcntl(descriptor, F_GETFD) & FD_CLOEXEC))
            return 4;
        if (!(fcntl(descriptor, F_GETFL) & O_NONBLOCK))
            return 5;
    }
    setenv("LISTEN_FDS", "3", 1); /* one more than there are */
    if (notify_inherited_sockets() != 2)
        return 6;
    set_number("LISTEN_PID", getppid());
    return notify_inherited_sockets() == 0 ? 0 : 7;
}

static void takes_over_the_sockets_it_is_handed(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(take_over_two_sockets());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void knows_sockets_by_their_names(void **state)
{
    (void)state;
    assert_false(notify_socket_is_named(0, "tls")); /* not said */
    setenv("LISTEN_FDNAMES", "tls:plain:tls2::tls", 1);
    static const bool named[] = {true, false, false, false, true, false};
    for (int i = 0; i < (int)(sizeof named / sizeof named[0]); i++)
        assert_int_equal(notify_socket_is_named(i, "tls"), named[i]);
    assert_true(notify_socket_is_named(1, "plain"));
    setenv("LISTEN_FDNAMES", "", 1);
    assert_false(notify_socket_is_named(0, "tls"));
}

static void takes_nothing_that_was_not_handed_over(void **state)
{
    (void)state;
    assert_int_equal(notify_inherited_sockets(), 0);
    set_number("LISTEN_PID", getpid());
    assert_int_equal(notify_inherited_sockets(), 0);
    static const char *const nonsense[] = {"", "0", "-1", "x", "9223372036854775807"};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        setenv("LISTEN_FDS", nonsense[i], 1);
        assert_int_equal(notify_inherited_sockets(), 0);
    }
    setenv("LISTEN_FDS", "1", 1);
    unsetenv("LISTEN_PID");
    assert_int_equal(notify_inherited_sockets(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(tells_systemd_by_path, forget_environment),
        cmocka_unit_test_setup(tells_systemd_by_abstract_name, forget_environment),
        cmocka_unit_test_setup(runs_on_where_nobody_listens, forget_environment),
        cmocka_unit_test_setup(beats_twice_in_a_watchdog_period, forget_environment),
        cmocka_unit_test_setup(takes_over_the_sockets_it_is_handed, forget_environment),
        cmocka_unit_test_setup(knows_sockets_by_their_names, forget_environment),
        cmocka_unit_test_setup(takes_nothing_that_was_not_handed_over, forget_environment),
    };
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
