/* The public client against a listener in this process: the kernel holds what one end has written
 * until the other reads, so one thread can play both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/address.h"
#include "tillq/client.h"

#define PATIENCE_MS 5000

struct stage {
    int listener;
    int daemon; /* the daemon's end of the connection */
    char address[64];
    struct tillq_client *till;
};

static void listen_tcp(struct stage *stage)
{
    struct sockaddr_in socket_address = {.sin_family = AF_INET,
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof socket_address;
    stage->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(stage->listener >= 0);
    assert_int_equal(bind(stage->listener, (struct sockaddr *)&socket_address, length), 0);
    assert_int_equal(listen(stage->listener, 4), 0);
    getsockname(stage->listener, (struct sockaddr *)&socket_address, &length);
    snprintf(stage->address, sizeof stage->address, "127.0.0.1:%d", ntohs(socket_address.sin_port));
}

static void connect_stage(struct stage *stage)
{
    assert_int_equal(tillq_client_open(&stage->till, stage->address, PATIENCE_MS), TILLQ_CLIENT_OK);
    assert_string_equal(tillq_client_message(stage->till), "");
    stage->daemon = accept(stage->listener, NULL, NULL);
    assert_true(stage->daemon >= 0);
}

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    listen_tcp(stage);
    connect_stage(stage);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    tillq_client_close(stage->till);
    close(stage->daemon);
    close(stage->listener);
    free(stage);
    return 0;
}

static void till_sends(struct stage *stage, const char *line)
{
    assert_int_equal(tillq_client_send(stage->till, line, strlen(line), PATIENCE_MS),
                     TILLQ_CLIENT_OK);
}

static void daemon_hears(struct stage *stage, const char *bytes)
{
    char got[512] = "";
    size_t want = strlen(bytes);
    assert_int_equal(recv(stage->daemon, got, want, MSG_WAITALL), (ssize_t)want);
    assert_string_equal(got, bytes);
}

static void daemon_says(struct stage *stage, const char *bytes)
{
    assert_int_equal(write(stage->daemon, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
}

static void till_hears(struct stage *stage, const char *expected)
{
    const char *line = NULL;
    size_t length = 0;
    assert_int_equal(tillq_client_receive(stage->till, &line, &length, PATIENCE_MS),
                     TILLQ_CLIENT_OK);
    assert_string_equal(line, expected);
    assert_int_equal(length, strlen(expected));
}

static void dialogue(void **state)
{
    struct stage *stage = *state;
    till_sends(stage, "{\"op\":\"status\"}");
    daemon_hears(stage, "{\"op\":\"status\"}\n");
    daemon_says(stage, "{\"ok\":true}\n");
    till_hears(stage, "{\"ok\":true}");
}

static void hello_is_one_line_of_json_whatever_the_names(void **state)
{
    struct stage *stage = *state;
    const char *reply = NULL;
    daemon_says(stage, "{\"ok\":false}\n{\"ok\":true}\n{\"ok\":true}\n");
    assert_int_equal(
        tillq_client_hello(stage->till, "T01", "0001", "7KQM-0A1B", &reply, PATIENCE_MS),
        TILLQ_CLIENT_OK);
    assert_string_equal(reply, "{\"ok\":false}");
    daemon_hears(stage, "{\"op\":\"hello\",\"terminal\":\"T01\",\"shop\":\"0001\","
                        "\"token\":\"7KQM-0A1B\"}\n");
    assert_int_equal(tillq_client_hello(stage->till, "T01", NULL, NULL, &reply, PATIENCE_MS),
                     TILLQ_CLIENT_OK);
    daemon_hears(stage, "{\"op\":\"hello\",\"terminal\":\"T01\"}\n");
    assert_int_equal(
        tillq_client_hello(stage->till, "\"\\\n\x1f\303\274", "", NULL, &reply, PATIENCE_MS),
        TILLQ_CLIENT_OK);
    daemon_hears(stage, "{\"op\":\"hello\",\"terminal\":\"\\u0022\\u005c\\u000a\\u001f\303\274\","
                        "\"shop\":\"\"}\n");
}

static void hello_takes_the_longest_names(void **state)
{
    struct stage *stage = *state;
    const char *reply = NULL;
    char name[1025], got[8192];
    memset(name, 1, sizeof name - 1); /* each becomes six */
    name[sizeof name - 1] = '\0';
    daemon_says(stage, "{}\n");
    assert_int_equal(tillq_client_hello(stage->till, name, NULL, NULL, &reply, PATIENCE_MS),
                     TILLQ_CLIENT_OK);
    size_t want = strlen("{\"op\":\"hello\",\"terminal\":\"\"}\n") + 6 * (sizeof name - 1);
    assert_int_equal(recv(stage->daemon, got, want, MSG_WAITALL), (ssize_t)want);
    assert_int_equal(got[want - 1], '\n');
}

static void several_in_flight(void **state)
{
    struct stage *stage = *state;
    till_sends(stage, "one");
    till_sends(stage, "");
    till_sends(stage, "three");
    daemon_hears(stage, "one\n\nthree\n");
    daemon_says(stage, "1\n2\r\n\n3");
    till_hears(stage, "1");
    till_hears(stage, "2");
    till_hears(stage, "");
    const char *line;
    assert_int_equal(tillq_client_receive(stage->till, &line, NULL, 0), TILLQ_CLIENT_TIMEOUT);
    daemon_says(stage, "3\n");
    till_hears(stage, "33");
}

static void late_reply(void **state)
{
    struct stage *stage = *state;
    const char *line;
    assert_int_equal(tillq_client_ask(stage->till, "slow", &line, 20), TILLQ_CLIENT_TIMEOUT);
    assert_string_equal(tillq_client_message(stage->till), "no reply in time");
    daemon_says(stage, "late\n");
    till_hears(stage, "late");
}

static void line_feed_refused(void **state)
{
    struct stage *stage = *state;
    assert_int_equal(tillq_client_send(stage->till, "a\nb", 3, PATIENCE_MS), TILLQ_CLIENT_BAD_LINE);
    till_sends(stage, "c");
    daemon_hears(stage, "c\n");
}

static void closed_by_daemon(void **state)
{
    struct stage *stage = *state;
    const char *line;
    daemon_says(stage, "last\nhalf");
    close(stage->daemon);
    stage->daemon = -1;
    till_hears(stage, "last");
    assert_int_equal(tillq_client_receive(stage->till, &line, NULL, PATIENCE_MS),
                     TILLQ_CLIENT_CLOSED);
    assert_string_equal(tillq_client_message(stage->till), "the daemon closed the connection");
    assert_int_equal(tillq_client_send(stage->till, "x", 1, PATIENCE_MS), TILLQ_CLIENT_CLOSED);
    assert_int_equal(tillq_client_receive(stage->till, &line, NULL, PATIENCE_MS),
                     TILLQ_CLIENT_CLOSED);
}

/* The daemon refuses a line that is too long before it has all come, and closes. */
static void last_words_are_heard(void **state)
{
    struct stage *stage = *state;
    daemon_says(stage, "LINE_TOO_LONG\n");
    close(stage->daemon);
    stage->daemon = -1;
    size_t length = 32u << 20;
    char *line = malloc(length);
    memset(line, 'x', length);
    assert_int_equal(tillq_client_send(stage->till, line, length, PATIENCE_MS),
                     TILLQ_CLIENT_CLOSED);
    free(line);
    till_hears(stage, "LINE_TOO_LONG");
}

static void send_times_out(void **state)
{
    struct stage *stage = *state;
    size_t length = 64u << 20;
    char *line = malloc(length);
    memset(line, 'x', length);
    assert_int_equal(tillq_client_send(stage->till, line, length, 50), TILLQ_CLIENT_TIMEOUT);
    free(line);
    assert_int_equal(tillq_client_send(stage->till, "x", 1, 50), TILLQ_CLIENT_CLOSED);
}

/* A daemon that answers each line before it reads the next, and waits until the answer is taken. */
static void play_strict_daemon(int socket, size_t lines, size_t line_bytes)
{
    char *bytes = malloc(line_bytes);
    for (size_t i = 0; i < lines; i++) {
        if (recv(socket, bytes, line_bytes, MSG_WAITALL) != (ssize_t)line_bytes)
            _exit(1);
        for (size_t sent = 0; sent < line_bytes;) {
            ssize_t took = write(socket, bytes + sent, line_bytes - sent);
            if (took < 0)
                _exit(1);
            sent += (size_t)took;
        }
    }
    _exit(0);
}

static void no_deadlock_when_pipelining(void **state)
{
    struct stage *stage = *state;
    enum { LINES = 400, LINE_BYTES = 64 * 1024 };
    pid_t child = fork();
    if (child == 0)
        play_strict_daemon(stage->daemon, LINES, LINE_BYTES);
    char *line = malloc(LINE_BYTES);
    memset(line, 'x', LINE_BYTES);
    for (int i = 0; i < LINES; i++) {
        line[0] = (char)('a' + i % 26);
        assert_int_equal(tillq_client_send(stage->till, line, LINE_BYTES - 1, PATIENCE_MS),
                         TILLQ_CLIENT_OK);
    }
    for (int i = 0; i < LINES; i++) {
        const char *reply;
        size_t length;
        assert_int_equal(tillq_client_receive(stage->till, &reply, &length, PATIENCE_MS),
                         TILLQ_CLIENT_OK);
        assert_int_equal(length, LINE_BYTES - 1);
        assert_int_equal(reply[0], 'a' + i % 26);
    }
    free(line);
    int status = 1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static void unix_socket(void **state)
{
    (void)state;
    struct stage stage = {0};
    char directory[] = "/tmp/tillq-client-XXXXXX";
    assert_non_null(mkdtemp(directory));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", directory);
    snprintf(stage.address, sizeof stage.address, "unix:%s/socket", directory);
    stage.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(stage.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(stage.listener, 4), 0);
    connect_stage(&stage);
    till_sends(&stage, "hello");
    daemon_hears(&stage, "hello\n");
    tillq_client_close(stage.till);
    close(stage.daemon);
    close(stage.listener);
    unlink(address.sun_path);
    rmdir(directory);
}

static void nobody_listens(void **state)
{
    (void)state;
    struct stage stage = {0};
    listen_tcp(&stage);
    close(stage.listener);
    assert_int_equal(tillq_client_open(&stage.till, stage.address, PATIENCE_MS),
                     TILLQ_CLIENT_UNREACHABLE);
    assert_non_null(strstr(tillq_client_message(stage.till), stage.address));
    tillq_client_close(stage.till);
}

static void addresses(void **state)
{
    (void)state;
    static const char *const good[] = {"127.0.0.1:7077", "localhost:1", "[::1]:65535",
                                       "unix:/run/tillq.sock"};
    static const char *const bad[] = {"",      "7077",     ":7077",      "host:",   "host:0",
                                      "::1:7", "host:a",   "host:65536", "[::1]",   "[]:7",
                                      "unix:", "host:7 7", "host:+7",    "[::1:77", "host:000001"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(address_is_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(address_is_valid(bad[i]));
        struct tillq_client *till;
        assert_int_equal(tillq_client_open(&till, bad[i], PATIENCE_MS), TILLQ_CLIENT_BAD_ADDRESS);
        assert_non_null(strstr(tillq_client_message(till), "is not HOST:PORT"));
        tillq_client_close(till);
    }
    char path[200] = "unix:/";
    memset(path + 6, 'p', 150);
    assert_false(address_is_valid(path)); /* longer than a socket's path can be */
}

int main(void)
{
#define DIALOGUE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        DIALOGUE(dialogue),
        DIALOGUE(hello_is_one_line_of_json_whatever_the_names),
        DIALOGUE(hello_takes_the_longest_names),
        DIALOGUE(several_in_flight),
        DIALOGUE(late_reply),
        DIALOGUE(line_feed_refused),
        DIALOGUE(closed_by_daemon),
        DIALOGUE(last_words_are_heard),
        DIALOGUE(send_times_out),
        DIALOGUE(no_deadlock_when_pipelining),
        cmocka_unit_test(unix_socket),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
