/* session and engine, every part moved by hand: replies in the order asked, none before what it
 * promises is true, and nothing left behind by whoever hangs up. */
#include "support_engine.h"

/* --- when a reply may leave --- */

static void a_put_is_answered_when_it_is_written_and_not_before(void **state)
{
    struct house *house = *state;
    say(house, PUT("1"));
    collect(house);
    apply_once(house);
    hear_nothing(house);
    write_once(house);
    hear_nothing(house);
    assert_int_equal(house->wakes, 1);
    collect(house);
    hear(house, TAKEN("0"));
    expect_values(&house->scene, STOCK_TOPIC, SALE("1"));
}

static void with_ack_applied_it_is_answered_when_it_is_applied_and_not_before(void **state)
{
    struct house *house = *state;
    say(house, PUT_ACK("1", "applied"));
    write_once(house);
    collect(house);
    hear_nothing(house);
    apply_once(house);
    collect(house);
    hear(house, APPLIED("0", "-1", "1"));
}

static void with_ack_none_it_is_not_answered(void **state)
{
    struct house *house = *state;
    say(house, PUT_ACK("1", "none") PUT("2"));
    write_once(house);
    collect(house);
    hear(house, TAKEN("1"));
    assert_false(session_is_owed(house->tills[0].session));
}

static void with_ack_none_a_refusal_is_answered(void **state)
{
    struct house *house = *state;
    say(house,
        "{\"op\":\"put\",\"ack\":\"none\",\"tag\":1,\"doc\":{\"type\":\"sale\",\"seq\":5}}\n");
    collect(house);
    hear(house, "{\"ok\":false,\"error\":\"BAD_DOCUMENT\",\"message\":\"id: is missing\","
                "\"path\":\"id\",\"tag\":1,\"seq\":5}\n");
}

/* --- in which order --- */

static void replies_keep_the_order_of_the_requests(void **state)
{
    struct house *house = *state;
    say(house, PUT_ACK("1", "applied") PUT("2") "x\n" PUT_ACK("3", "none") PUT("4"));
    write_once(house);
    collect(house);
    hear_nothing(house); /* the first is not applied yet */
    apply_once(house);
    collect(house);
    hear(house, APPLIED("0", "-1", "4") TAKEN("1") BAD_JSON_REPLY TAKEN("3"));
}

static void an_error_waits_for_its_turn(void **state)
{
    struct house *house = *state;
    say(house, PUT("1") "x\n");
    collect(house);
    hear_nothing(house);
    write_once(house);
    collect(house);
    hear(house, TAKEN("0") BAD_JSON_REPLY);
}

static void an_error_whose_turn_it_is_does_not_wait(void **state)
{
    struct house *house = *state;
    say(house, "x\n" PUT("1"));
    hear(house, BAD_JSON_REPLY);
}

static void a_read_begins_when_everything_before_it_is_answered(void **state)
{
    struct house *house = *state;
    say(house, PUT_ACK("1", "applied") STOCK_OF_A PUT("2"));
    read_once(house);
    collect(house);
    write_once(house);
    read_once(house);
    collect(house);
    hear_nothing(house);
    apply_once(house); /* both sales */
    collect(house);
    hear(house, APPLIED("0", "-1", "2"));
    read_once(house);
    collect(house);
    hear(house, FIGURES("-2", "2") TAKEN("1"));
}

static void a_read_waits_for_what_asked_for_no_answer(void **state)
{
    struct house *house = *state;
    say(house,
        PUT_ACK("1", "none") "{\"op\":\"fetch\",\"topic\":\"stock\",\"offset\":0,\"max\":1}\n");
    read_once(house);
    collect(house);
    hear_nothing(house);
    write_once(house);
    collect(house);
    read_once(house);
    collect(house);
    hear(house, "{\"ok\":true,\"records\":[{\"offset\":0,\"time\":1795341303000,\"key\":\"S\","
                "\"value\":" SALE("1") ",\"headers\":{}}],\"start\":0,\"end\":1}\n");
}

static void reads_are_answered_one_after_the_other(void **state)
{
    struct house *house = *state;
    say(house, STOCK_OF_A "{\"op\":\"committed\",\"group\":\"g\",\"topic\":\"stock\"}\n");
    read_once(house);
    collect(house);
    hear(house, "{\"ok\":true,\"stock\":[],\"applied\":[0]}\n");
    read_once(house);
    collect(house);
    hear(house, "{\"ok\":true,\"offset\":-1}\n");
}

static void tills_do_not_wait_for_each_other(void **state)
{
    struct house *house = *state;
    house_connect(house, 1);
    say(house, PUT_ACK("1", "applied"));
    say_as(house, 1, PUT("2"));
    write_once(house);
    collect(house);
    hear_nothing(house);
    hear_as(house, 1, TAKEN("1"));
    assert_int_equal(house->tills[1].changed, 1);
    assert_int_equal(house->tills[0].changed, 0);
}

static void a_line_may_come_in_pieces(void **state)
{
    struct house *house = *state;
    const char *lines = PUT("1") "x\r\n" PUT("2");
    for (const char *c = lines; *c; c++) {
        session_receive(house->tills[0].session, (struct text){c, 1});
        engine_flush(house->engine);
    }
    move_everything(house);
    hear(house, TAKEN("0") BAD_JSON_REPLY TAKEN("1"));
}

/* --- limits --- */

static void at_most_so_many_are_in_flight_and_the_rest_is_kept(void **state)
{
    struct house *house = *state;
    struct writer_figures figures;
    house->config.max_in_flight = 2;
    say(house, PUT("1") PUT("2") PUT("3") PUT("4") PUT("5"));
    assert_false(session_wants_input(house->tills[0].session));
    write_once(house);
    writer_figures(house->writer, &figures);
    assert_int_equal(figures.records, 2);
    collect(house);
    hear(house, TAKEN("0") TAKEN("1"));
    assert_false(session_wants_input(house->tills[0].session));
    write_once(house);
    collect(house);
    write_once(house);
    collect(house);
    hear(house, TAKEN("2") TAKEN("3") TAKEN("4"));
    assert_true(session_wants_input(house->tills[0].session));
}

static void kept_lines_that_need_nobody_are_answered_by_resuming(void **state)
{
    struct house *house = *state;
    house->config.max_in_flight = 2;
    say(house, "x\nx\nx\nx\nx\n");
    session_resume(house->tills[0].session);
    hear(house, BAD_JSON_REPLY BAD_JSON_REPLY BAD_JSON_REPLY BAD_JSON_REPLY BAD_JSON_REPLY);
    assert_true(session_wants_input(house->tills[0].session));
}

static void whoever_does_not_read_replies_is_not_read_either(void **state)
{
    struct house *house = *state;
    struct session *session = house->tills[0].session;
    house->config.max_reply_bytes = 100;
    say(house, PUT("1") PUT("2"));
    write_once(house);
    collect(house);
    assert_false(session_wants_input(session));
    session_resume(session);
    assert_false(session_wants_input(session));
    hear(house, TAKEN("0") TAKEN("1"));
    assert_true(session_wants_input(session));
}

static void no_read_is_begun_for_whoever_does_not_read_replies(void **state)
{
    struct house *house = *state;
    house->config.max_reply_bytes = 20;
    say(house, "x\n" STOCK_OF_A);
    move_everything(house);
    hear(house, BAD_JSON_REPLY);
    session_resume(house->tills[0].session);
    move_everything(house);
    hear(house, "{\"ok\":true,\"stock\":[],\"applied\":[0]}\n");
}

static void nobody_is_read_while_too_much_is_under_way(void **state)
{
    struct house *house = *state;
    house->config.max_pending_bytes = 100;
    house_connect(house, 1);
    say(house, PUT("1") PUT("2"));
    assert_true(engine_is_full(house->engine));
    assert_false(session_wants_input(house->tills[1].session));
    write_once(house);
    collect(house);
    hear(house, TAKEN("0"));
    write_once(house);
    collect(house);
    hear(house, TAKEN("1"));
    assert_false(engine_is_full(house->engine));
    assert_true(session_wants_input(house->tills[1].session));
    assert_true(engine_is_idle(house->engine));
}

static void a_line_over_the_limit_is_answered_in_turn_and_ends_it(void **state)
{
    struct house *house = *state;
    struct session *session = house->tills[0].session;
    house->config.max_line_bytes = 200;
    char lines[600];
    snprintf(lines, sizeof lines, PUT("1") "%0300d\n" PUT("2"), 0);
    say(house, lines);
    assert_false(session_is_over(session));
    assert_false(session_wants_input(session));
    move_everything(house);
    hear(house,
         TAKEN("0") "{\"ok\":false,\"error\":\"LINE_TOO_LONG\",\"message\":\"a line is at most "
                    "200 bytes\"}\n");
    assert_true(session_is_over(session));
    expect_values(&house->scene, STOCK_TOPIC, SALE("1"));
}

/* --- the end of a conversation --- */

static void when_no_more_comes_what_was_asked_is_answered(void **state)
{
    struct house *house = *state;
    struct session *session = house->tills[0].session;
    house->config.max_in_flight = 1;
    say(house, PUT("1") PUT("2") "{\"op\":\"sta");
    session_end_input(session);
    assert_false(session_is_over(session));
    move_everything(house);
    hear(house, TAKEN("0") TAKEN("1"));
    assert_true(session_is_over(session));
}

static void a_refused_session_is_told_why_behind_what_it_is_owed(void **state)
{
    struct house *house = *state;
    say(house, PUT("1"));
    session_refuse(house->tills[0].session, "IDLE_TIMEOUT", "nothing came for too long");
    session_refuse(house->tills[0].session, "IDLE_TIMEOUT", "nothing came for too long");
    move_everything(house);
    hear(house,
         TAKEN("0") "{\"ok\":false,\"error\":\"IDLE_TIMEOUT\",\"message\":\"nothing came for "
                    "too long\"}\n");
    assert_true(session_is_over(house->tills[0].session));
}

#define WAITING_FETCH "{\"op\":\"fetch\",\"topic\":\"stock\",\"offset\":0,\"wait_ms\":5000}\n"

/* Hangs up with a request at every stage there is; what was taken is journaled all the same. */
static void whoever_hangs_up_leaves_nothing_behind(void **state)
{
    struct house *house = *state;
    for (int stage = 0; stage < 6; stage++) {
        char lines[1024];
        snprintf(lines, sizeof lines,
                 "{\"op\":\"put\",\"ack\":\"applied\",\"doc\":{\"type\":\"receipt\",\"id\":\"%d\","
                 "\"shop\":\"S\",\"terminal\":\"T\",\"lines\":[{\"sku\":\"A\",\"qty\":1}]}}"
                 "\nx\n" STOCK_OF_A,
                 stage);
        house_connect(house, 1);
        session_receive(house->tills[1].session, text_of(lines));
        if (stage > 0)
            engine_flush(house->engine);
        if (stage > 1)
            write_once(house);
        if (stage > 2)
            apply_once(house);
        if (stage > 3)
            collect(house);
        if (stage > 4)
            read_once(house);
        house_hang_up(house, 1);
        engine_flush(house->engine);
        move_everything(house);
        assert_true(engine_is_idle(house->engine));
        assert_int_equal(journal_end(house->scene.journal, TEXT_LITERAL(STOCK_TOPIC), 0),
                         stage + 1);
    }
}

static void whoever_hangs_up_while_a_fetch_waits_leaves_nothing_behind(void **state)
{
    struct house *house = *state;
    for (int stage = 0; stage < 3; stage++) {
        house_connect(house, 1);
        say_as(house, 1, WAITING_FETCH);
        if (stage > 0)
            read_once(house);
        if (stage > 1)
            collect(house);
        house_hang_up(house, 1);
        move_everything(house);
        assert_true(engine_is_idle(house->engine));
        assert_true(engine_next_deadline_us(house->engine) == INT64_MAX);
    }
}

/* --- a fetch that waits --- */

#define NO_RECORDS "{\"ok\":true,\"records\":[],\"start\":0,\"end\":0}\n"

static void a_fetch_waits_until_its_time_is_over(void **state)
{
    struct house *house = *state;
    say(house, WAITING_FETCH);
    move_everything(house);
    hear_nothing(house);
    assert_true(engine_next_deadline_us(house->engine) ==
                house->scene.hands.monotonic_us + 5000000);
    house->scene.hands.monotonic_us += 4999999;
    move_everything(house);
    hear_nothing(house);
    house->scene.hands.monotonic_us += 1;
    move_everything(house);
    hear(house, NO_RECORDS);
}

static void a_fetch_waits_until_there_is_something(void **state)
{
    struct house *house = *state;
    house_connect(house, 1);
    say(house, WAITING_FETCH);
    move_everything(house);
    say_as(house, 1, "{\"op\":\"produce\",\"topic\":\"t\",\"value\":1}\n");
    move_everything(house);
    hear_nothing(house); /* something came, but not for it */
    say_as(house, 1, PUT_ACK("1", "none"));
    move_everything(house);
    hear(house, "{\"ok\":true,\"records\":[{\"offset\":0,\"time\":1795341303000,\"key\":\"S\","
                "\"value\":" SALE("1") ",\"headers\":{}}],\"start\":0,\"end\":1}\n");
}

static void a_fetch_waits_no_longer_when_nothing_more_is_asked(void **state)
{
    struct house *house = *state;
    house->config.max_in_flight = 1;
    say(house, WAITING_FETCH WAITING_FETCH);
    move_everything(house);
    session_end_input(house->tills[0].session);
    move_everything(house);
    hear(house, NO_RECORDS NO_RECORDS);
    assert_true(session_is_over(house->tills[0].session));
}

static void a_fetch_waits_no_longer_when_the_daemon_goes_down(void **state)
{
    struct house *house = *state;
    say(house, WAITING_FETCH);
    move_everything(house);
    engine_drain(house->engine);
    move_everything(house);
    hear(house, NO_RECORDS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, house_open, house_close)
    const struct CMUnitTest tests[] = {
        TEST(a_put_is_answered_when_it_is_written_and_not_before),
        TEST(with_ack_applied_it_is_answered_when_it_is_applied_and_not_before),
        TEST(with_ack_none_it_is_not_answered),
        TEST(with_ack_none_a_refusal_is_answered),
        TEST(replies_keep_the_order_of_the_requests),
        TEST(an_error_waits_for_its_turn),
        TEST(an_error_whose_turn_it_is_does_not_wait),
        TEST(a_read_begins_when_everything_before_it_is_answered),
        TEST(a_read_waits_for_what_asked_for_no_answer),
        TEST(reads_are_answered_one_after_the_other),
        TEST(tills_do_not_wait_for_each_other),
        TEST(a_line_may_come_in_pieces),
        TEST(at_most_so_many_are_in_flight_and_the_rest_is_kept),
        TEST(kept_lines_that_need_nobody_are_answered_by_resuming),
        TEST(whoever_does_not_read_replies_is_not_read_either),
        TEST(no_read_is_begun_for_whoever_does_not_read_replies),
        TEST(nobody_is_read_while_too_much_is_under_way),
        TEST(a_line_over_the_limit_is_answered_in_turn_and_ends_it),
        TEST(when_no_more_comes_what_was_asked_is_answered),
        TEST(a_refused_session_is_told_why_behind_what_it_is_owed),
        TEST(whoever_hangs_up_leaves_nothing_behind),
        TEST(whoever_hangs_up_while_a_fetch_waits_leaves_nothing_behind),
        TEST(a_fetch_waits_until_its_time_is_over),
        TEST(a_fetch_waits_until_there_is_something),
        TEST(a_fetch_waits_no_longer_when_nothing_more_is_asked),
        TEST(a_fetch_waits_no_longer_when_the_daemon_goes_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
