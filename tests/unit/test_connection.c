/* connection: a session at the end of a socket. The test holds the other end, and turns the loop by
 * hand. */
#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "net/connection.h"
#include "support_engine.h"

struct line {
    struct house *house;
    struct connection_owner owner;
    char input[4096];
    int end; /* the test's; -1 where closed */
};

static int set_up(void **state)
{
    struct line *line = calloc(1, sizeof *line);
    int ends[2];
    house_open((void **)&line->house);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    line->end = ends[0];
    line->owner = (struct connection_owner){.base = event_base_new(),
                                            .engine = line->house->engine,
                                            .clock = &line->house->scene.clock,
                                            .input = line->input,
                                            .input_bytes = sizeof line->input};
    assert_int_equal(connection_new(&line->owner, ends[1], NULL), 0);
    *state = line;
    return 0;
}

static int tear_down(void **state)
{
    struct line *line = *state;
    connection_free_all(&line->owner);
    event_base_free(line->owner.base);
    if (line->end >= 0)
        close(line->end);
    house_close((void **)&line->house);
    free(line);
    return 0;
}

/* Everything that is ready now, and all the workers. */
static void turn(struct line *line)
{
    for (int i = 0; i < 8; i++) {
        event_base_loop(line->owner.base, EVLOOP_NONBLOCK);
        move_everything(line->house);
    }
}

static void send_text(struct line *line, const char *text)
{
    assert_int_equal(send(line->end, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* So many lines that are no JSON, at once. */
static void send_bad_lines(struct line *line, int count)
{
    struct buffer lines = {0};
    for (int i = 0; i < count; i++)
        buffer_add_string(&lines, "x\n");
    buffer_add_byte(&lines, '\0');
    send_text(line, lines.bytes);
    buffer_free(&lines);
}

/* Takes all there is; the number of lines in it, -1 where the connection has ended and there is
 * none. */
static int receive_lines(struct line *line)
{
    char bytes[4096];
    int lines = 0;
    ssize_t got;
    while ((got = recv(line->end, bytes, sizeof bytes, 0)) > 0)
        for (ssize_t i = 0; i < got; i++)
            lines += bytes[i] == '\n';
    return got == 0 && lines == 0 ? -1 : lines;
}

/* Lines until `count` have come; turns the loop for each portion. */
static int receive_all(struct line *line, int count)
{
    int lines = 0;
    for (int idle = 0; lines < count && idle < 50; idle++) {
        turn(line);
        int some = receive_lines(line);
        if (some > 0) {
            lines += some;
            idle = 0;
        }
    }
    return lines;
}

static void what_is_asked_is_answered(void **state)
{
    struct line *line = *state;
    send_text(line, PUT("1") STOCK_OF_A);
    assert_int_equal(receive_all(line, 2), 2);
    assert_int_equal(engine_connections(line->house->engine), 1);
}

static void more_lines_than_may_be_in_flight_are_all_answered(void **state)
{
    struct line *line = *state;
    line->house->config.max_in_flight = 2;
    send_bad_lines(line, 100);
    assert_int_equal(receive_all(line, 100), 100);
}

static void with_little_room_for_replies_all_are_answered(void **state)
{
    struct line *line = *state;
    line->house->config.max_in_flight = 2;
    line->house->config.max_reply_bytes = 100;
    send_bad_lines(line, 100);
    assert_int_equal(receive_all(line, 100), 100);
}

static void whoever_reads_slowly_gets_everything(void **state)
{
    struct line *line = *state;
    int small = 4096;
    char bytes[1000];
    int lines = 0;
    ssize_t got;
    line->house->config.max_reply_bytes = 2000;
    setsockopt(line->end, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    send_bad_lines(line, 300);
    for (int idle = 0; lines < 300 && idle < 50; idle++) {
        turn(line);
        got = recv(line->end, bytes, sizeof bytes, 0); /* a little a time */
        for (ssize_t i = 0; i < got; i++)
            lines += bytes[i] == '\n';
        if (got > 0)
            idle = 0;
    }
    assert_int_equal(lines, 300);
}

static void whoever_ends_his_half_gets_his_answers_and_then_the_end(void **state)
{
    struct line *line = *state;
    line->house->config.max_in_flight = 1;
    send_text(line, "x\n" PUT("1") "x\n" PUT("2") STOCK_OF_A);
    shutdown(line->end, SHUT_WR);
    assert_int_equal(receive_all(line, 5), 5);
    turn(line);
    assert_int_equal(receive_lines(line), -1);
    assert_int_equal(line->owner.count, 0);
    assert_int_equal(engine_connections(line->house->engine), 0);
}

static void whoever_is_gone_is_forgotten_and_his_sale_is_not(void **state)
{
    struct line *line = *state;
    send_text(line, PUT("1"));
    event_base_loop(line->owner.base, EVLOOP_NONBLOCK);
    close(line->end);
    line->end = -1;
    turn(line);
    assert_int_equal(line->owner.count, 0);
    assert_true(engine_is_idle(line->house->engine));
    expect_values(&line->house->scene, STOCK_TOPIC, SALE("1"));
}

static void whoever_is_silent_for_too_long_is_told_and_closed(void **state)
{
    struct line *line = *state;
    struct hand_clock *hands = &line->house->scene.hands;
    send_text(line, STOCK_OF_A);
    assert_int_equal(receive_all(line, 1), 1);
    connection_end_idle(&line->owner, hands->monotonic_us);
    turn(line);
    assert_int_equal(receive_lines(line), 0); /* heard just now */
    connection_end_idle(&line->owner, hands->monotonic_us + 1);
    turn(line);
    assert_int_equal(receive_lines(line), 1);
    assert_int_equal(receive_lines(line), -1);
}

static void going_down_answers_what_was_read_and_closes(void **state)
{
    struct line *line = *state;
    line->house->config.max_in_flight = 1;
    send_text(line, PUT("1") "x\n" PUT("2"));
    event_base_loop(line->owner.base, EVLOOP_NONBLOCK);
    connection_drain_all(&line->owner);
    assert_int_equal(receive_all(line, 3), 3);
    turn(line);
    assert_int_equal(receive_lines(line), -1);
    assert_int_equal(line->owner.count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_asked_is_answered),
        TEST(more_lines_than_may_be_in_flight_are_all_answered),
        TEST(with_little_room_for_replies_all_are_answered),
        TEST(whoever_reads_slowly_gets_everything),
        TEST(whoever_ends_his_half_gets_his_answers_and_then_the_end),
        TEST(whoever_is_gone_is_forgotten_and_his_sale_is_not),
        TEST(whoever_is_silent_for_too_long_is_told_and_closed),
        TEST(going_down_answers_what_was_read_and_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
