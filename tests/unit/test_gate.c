/* gate, identity, session: who gets in with a token, what the others are told and when; the test
 * owns the time. */
#include "support_engine.h"

#include "base/incident.h"
#include "net/slowdown.h"

#define SECOND INT64_C(1000000)
#define OF(terminal, id)                                      \
    "{\"op\":\"put\",\"doc\":{\"type\":\"sale\",\"id\":\"" id \
    "\",\"shop\":\"S\",\"terminal\":\"" terminal "\",\"lines\":[{\"sku\":\"A\",\"qty\":1}]}}\n"
#define GREETED(terminal)                                                  \
    "{\"ok\":true,\"server\":\"tillqd " TILLQ_VERSION "\",\"protocol\":1," \
    "\"terminal\":\"" terminal "\",\"shop\":\"0001\",\"last_seq\":-1}\n"
#define REQUIRED                                 \
    "{\"ok\":false,\"error\":\"AUTH_REQUIRED\"," \
    "\"message\":\"say hello with this terminal's token first\"}\n"
#define REFUSED                                \
    "{\"ok\":false,\"error\":\"AUTH_FAILED\"," \
    "\"message\":\"this is not the token of such a terminal\"}\n"
#define MISMATCH                                                                             \
    "{\"ok\":false,\"error\":\"TERMINAL_MISMATCH\",\"message\":\"terminal: this connection " \
    "said hello as another one\",\"path\":\"terminal\"}\n"
#define WRONG "ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ"

static const struct {
    const char *terminal;
    enum role role;
} terminals[] = {{"T1", ROLE_TERMINAL}, {"T2", ROLE_TERMINAL}, {"M1", ROLE_MANAGEMENT}};

/* The token of terminals[number]; another one for each edition. */
static void random_of(int number, int edition, unsigned char random[TOKENS_RANDOM_BYTES])
{
    memset(random, 1 + number, TOKENS_RANDOM_BYTES);
    random[0] = (unsigned char)edition;
}

static const char *token_of(int number, int edition)
{
    static char token[TOKEN_TEXT_BYTES];
    unsigned char random[TOKENS_RANDOM_BYTES];
    random_of(number, edition, random);
    token_write(random, token);
    return token;
}

/* The first `count` terminals get tokens of this edition. */
static void give_tokens(struct house *house, int count, int edition)
{
    struct tokens *tokens = tokens_new();
    assert_non_null(tokens);
    for (int i = 0; i < count; i++) {
        struct failure failure;
        char token[TOKEN_TEXT_BYTES];
        unsigned char random[TOKENS_RANDOM_BYTES];
        random_of(i, edition, random);
        assert_int_equal(tokens_give(tokens, text_of(terminals[i].terminal), terminals[i].role,
                                     random, token, &failure),
                         0);
    }
    gate_set_tokens(house->gate, tokens);
}

static int open_guarded(void **state)
{
    house_open(state);
    give_tokens(*state, COUNT(terminals), 1);
    return 0;
}

static void say_hello(struct house *house, int till, const char *terminal, const char *token)
{
    char line[256];
    snprintf(line, sizeof line, "{\"op\":\"hello\",\"terminal\":\"%s\",\"token\":\"%s\"}\n",
             terminal, token);
    say_as(house, till, line);
    move_everything(house);
}

static void expect_hello(struct house *house, const char *terminal, const char *token,
                         const char *wanted)
{
    say_hello(house, 0, terminal, token);
    hear(house, wanted);
}

static void expect_answer(struct house *house, const char *said, const char *wanted)
{
    say(house, said);
    move_everything(house);
    hear(house, wanted);
}

static void pass(struct house *house, int64_t us)
{
    house->scene.hands.monotonic_us += us;
    collect(house);
}

/* --- getting in --- */

static void without_a_hello_nothing_is_answered(void **state)
{
    struct house *house = *state;
    static const char *const requests[] = {
        OF("T1", "1"),
        STOCK_OF_A,
        "{\"op\":\"status\"}\n",
        "{\"op\":\"roll\"}\n",
        "{\"op\":\"verify\"}\n",
        "{\"op\":\"dead\"}\n",
        "{\"op\":\"movements\",\"sku\":\"A\"}\n",
        "{\"op\":\"fetch\",\"topic\":\"stock\",\"offset\":0}\n",
        "{\"op\":\"produce\",\"topic\":\"t\",\"value\":1}\n",
        "{\"op\":\"commit\",\"group\":\"g\",\"topic\":\"stock\",\"offset\":0}\n",
        "{\"op\":\"committed\",\"group\":\"g\",\"topic\":\"stock\"}\n",
        "{\"op\":\"hello\",\"terminal\":\"T1\"}\n",
    };
    for (size_t i = 0; i < COUNT(requests); i++)
        expect_answer(house, requests[i], REQUIRED);
    expect_values(&house->scene, STOCK_TOPIC, "");
}

static void with_its_token_a_terminal_gets_in(void **state)
{
    struct house *house = *state;
    expect_hello(house, "T1", token_of(0, 1), GREETED("T1"));
    expect_answer(house, OF("T1", "1"), TAKEN("0"));
    expect_answer(house, OF("T2", "1"), MISMATCH);
}

static void a_hello_and_what_follows_may_come_at_once(void **state)
{
    struct house *house = *state;
    char lines[512];
    snprintf(lines, sizeof lines,
             "{\"op\":\"hello\",\"terminal\":\"T1\",\"token\":\"%s\",\"tag\":7}\n" OF("T1", "1"),
             token_of(0, 1));
    expect_answer(house, lines,
                  "{\"ok\":true,\"tag\":7,\"server\":\"tillqd " TILLQ_VERSION "\",\"protocol\":1,"
                  "\"terminal\":\"T1\",\"shop\":\"0001\",\"last_seq\":-1}\n" TAKEN("0"));
}

static void a_wrong_token_and_an_unknown_terminal_are_told_the_same(void **state)
{
    struct house *house = *state;
    expect_hello(house, "T1", WRONG, REFUSED);
    pass(house, SLOWDOWN_FORGET_US);
    expect_hello(house, "T9", WRONG, REFUSED);
    pass(house, SLOWDOWN_FORGET_US);
    expect_hello(house, "T1", token_of(1, 1), REFUSED); /* another terminal's */
    pass(house, SLOWDOWN_FORGET_US);
    expect_hello(house, "T1", "", REFUSED);
    expect_answer(house, OF("T1", "1"), REQUIRED);
}

static void management_sends_for_others(void **state)
{
    struct house *house = *state;
    expect_hello(house, "M1", token_of(2, 1), GREETED("M1"));
    expect_answer(house, OF("T1", "1"), TAKEN("0"));
}

static void the_configuration_makes_management_too(void **state)
{
    struct house *house = *state;
    snprintf(house->config.management, sizeof house->config.management, "M9 T2");
    expect_hello(house, "T2", token_of(1, 1), GREETED("T2"));
    expect_answer(house, OF("T1", "1"), TAKEN("0"));
}

static void a_certified_terminal_needs_no_token(void **state)
{
    struct house *house = *state;
    assert_int_equal(session_authenticate(house->tills[0].session, text_of("T1"), ROLE_TERMINAL),
                     0);
    expect_answer(house, OF("T1", "1"), TAKEN("0"));
    expect_answer(house, "{\"op\":\"hello\",\"terminal\":\"T1\"}\n", GREETED("T1"));
    give_tokens(house, 0, 1);
    expect_answer(house, OF("T1", "2"), TAKEN("1"));
}

/* --- a second hello --- */

static void another_good_token_makes_it_another_terminal(void **state)
{
    struct house *house = *state;
    expect_hello(house, "M1", token_of(2, 1), GREETED("M1"));
    expect_hello(house, "T2", token_of(1, 1), GREETED("T2"));
    expect_answer(house, OF("T2", "1"), TAKEN("0"));
    expect_answer(house, OF("T1", "1"), MISMATCH); /* management no more */
}

static void a_refused_second_hello_makes_it_nobody(void **state)
{
    struct house *house = *state;
    expect_hello(house, "T1", token_of(0, 1), GREETED("T1"));
    expect_hello(house, "M1", WRONG, REFUSED);
    expect_answer(house, OF("T1", "1"), REQUIRED);
    expect_hello(house, "T1", token_of(0, 1), GREETED("T1"));
    expect_answer(house, "{\"op\":\"hello\",\"terminal\":\"M1\"}\n", REQUIRED);
    expect_answer(house, OF("T1", "1"), REQUIRED);
}

/* --- other tokens --- */

static void whoever_got_in_without_is_asked_once_there_are_tokens(void **state)
{
    struct house *house = *state;
    expect_answer(house, "{\"op\":\"hello\",\"terminal\":\"T1\"}\n", GREETED("T1"));
    expect_answer(house, OF("T1", "1"), TAKEN("0"));
    give_tokens(house, 1, 1);
    expect_answer(house, OF("T1", "2"), REQUIRED);
    expect_hello(house, "T1", token_of(0, 1), GREETED("T1"));
    expect_answer(house, OF("T1", "2"), TAKEN("1"));
}

static void who_has_no_token_any_more_is_out_at_its_next_request(void **state)
{
    struct house *house = *state;
    house_connect(house, 1);
    expect_hello(house, "T1", token_of(0, 1), GREETED("T1"));
    say_hello(house, 1, "T2", token_of(1, 1));
    hear_as(house, 1, GREETED("T2"));
    give_tokens(house, 1, 1); /* T1's only, as it was */
    expect_answer(house, OF("T1", "1"), TAKEN("0"));
    say_as(house, 1, OF("T2", "1"));
    move_everything(house);
    hear_as(house, 1, REQUIRED);
}

static void a_replaced_token_is_to_be_shown_anew(void **state)
{
    struct house *house = *state;
    expect_hello(house, "T1", token_of(0, 1), GREETED("T1"));
    give_tokens(house, COUNT(terminals), 2);
    expect_answer(house, OF("T1", "1"), REQUIRED);
    expect_hello(house, "T1", token_of(0, 1), REFUSED);
    expect_hello(house, "T1", token_of(0, 2), GREETED("T1"));
}

static void without_any_terminal_left_nobody_gets_in(void **state)
{
    struct house *house = *state;
    give_tokens(house, 0, 1);
    expect_hello(house, "T1", token_of(0, 1), REFUSED);
    expect_answer(house, OF("T1", "1"), REQUIRED);
}

/* --- slowly --- */

static void refusals_are_told_later_and_later(void **state)
{
    struct house *house = *state;
    expect_hello(house, "T1", WRONG, REFUSED);
    for (int64_t delay_us = SECOND / 10; delay_us < 4 * SECOND; delay_us *= 2) {
        expect_hello(house, "T1", WRONG, "");
        assert_int_equal(engine_next_deadline_us(house->engine),
                         house->scene.hands.monotonic_us + delay_us);
        pass(house, delay_us - 1);
        hear_nothing(house);
        pass(house, 1);
        hear(house, REFUSED);
    }
    assert_int_equal(engine_next_deadline_us(house->engine), INT64_MAX);
}

static void meanwhile_nothing_more_is_taken_from_that_connection(void **state)
{
    struct house *house = *state;
    char lines[512];
    expect_hello(house, "T1", WRONG, REFUSED);
    snprintf(lines, sizeof lines,
             "{\"op\":\"hello\",\"terminal\":\"T1\",\"token\":\"" WRONG "\"}\n"
             "{\"op\":\"hello\",\"terminal\":\"T1\",\"token\":\"%s\"}\n" OF("T1", "1"),
             token_of(0, 1));
    expect_answer(house, lines, "");
    assert_false(session_wants_input(house->tills[0].session));
    pass(house, SECOND / 10);
    move_everything(house);
    hear(house, REFUSED GREETED("T1") TAKEN("0"));
    assert_true(session_wants_input(house->tills[0].session));
}

static void a_good_token_is_never_held_back(void **state)
{
    struct house *house = *state;
    house_connect(house, 1);
    for (int i = 0; i < 20; i++) {
        house_hang_up(house, 0);
        house_connect(house, 0);
        say_hello(house, 0, "T1", WRONG);
    }
    hear_nothing(house);
    say_hello(house, 1, "T1", token_of(0, 1)); /* of the same address */
    hear_as(house, 1, GREETED("T1"));
}

static void another_address_does_not_pay(void **state)
{
    struct house *house = *state;
    house_connect(house, 1);
    session_set_address(house->tills[1].session, 99);
    expect_hello(house, "T1", WRONG, REFUSED);
    expect_hello(house, "T1", WRONG, "");
    say_hello(house, 1, "T1", WRONG);
    hear_as(house, 1, REFUSED);
    pass(house, SECOND);
    hear(house, REFUSED);
}

static void whoever_hangs_up_meanwhile_leaves_nothing_behind(void **state)
{
    struct house *house = *state;
    house_connect(house, 1);
    house_connect(house, 2);
    for (int till = 0; till < TILLS; till++)
        say_hello(house, till, "T1", WRONG);
    house_hang_up(house, 1);
    house_hang_up(house, 2);
    assert_int_equal(engine_next_deadline_us(house->engine), INT64_MAX);
    pass(house, SECOND);
    hear(house, REFUSED);
}

static void a_half_closed_connection_is_still_told(void **state)
{
    struct house *house = *state;
    struct session *session = house->tills[0].session;
    expect_hello(house, "T1", WRONG, REFUSED);
    expect_hello(house, "T1", WRONG, "");
    session_end_input(session);
    assert_false(session_is_over(session));
    pass(house, SECOND);
    hear(house, REFUSED);
    assert_true(session_is_over(session));
}

static void when_the_daemon_goes_down_it_is_told_at_once(void **state)
{
    struct house *house = *state;
    expect_hello(house, "T1", WRONG, REFUSED);
    expect_hello(house, "T1", WRONG, "");
    int before = house->wakes;
    engine_drain(house->engine);
    assert_true(house->wakes > before);
    collect(house);
    hear(house, REFUSED);
}

static void refusals_are_counted(void **state)
{
    struct house *house = *state;
    incident_reset(&house->scene.clock);
    expect_hello(house, "T1", WRONG, REFUSED);
    expect_hello(house, "T9", WRONG, "");
    pass(house, SECOND);
    hear(house, REFUSED);
    expect_answer(house, STOCK_OF_A, REQUIRED);
    assert_int_equal(incident_count(INCIDENT_AUTH_FAILED), 2);
    assert_int_equal(incident_count(INCIDENT_AUTH_REQUIRED), 1);
    incident_reset(NULL);
}

#define OPEN(test) cmocka_unit_test_setup_teardown(test, house_open, house_close)
#define GUARDED(test) cmocka_unit_test_setup_teardown(test, open_guarded, house_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GUARDED(without_a_hello_nothing_is_answered),
        GUARDED(with_its_token_a_terminal_gets_in),
        GUARDED(a_hello_and_what_follows_may_come_at_once),
        GUARDED(a_wrong_token_and_an_unknown_terminal_are_told_the_same),
        GUARDED(management_sends_for_others),
        GUARDED(the_configuration_makes_management_too),
        GUARDED(a_certified_terminal_needs_no_token),
        GUARDED(another_good_token_makes_it_another_terminal),
        GUARDED(a_refused_second_hello_makes_it_nobody),
        OPEN(whoever_got_in_without_is_asked_once_there_are_tokens),
        GUARDED(who_has_no_token_any_more_is_out_at_its_next_request),
        GUARDED(a_replaced_token_is_to_be_shown_anew),
        GUARDED(without_any_terminal_left_nobody_gets_in),
        GUARDED(refusals_are_told_later_and_later),
        GUARDED(meanwhile_nothing_more_is_taken_from_that_connection),
        GUARDED(a_good_token_is_never_held_back),
        GUARDED(another_address_does_not_pay),
        GUARDED(whoever_hangs_up_meanwhile_leaves_nothing_behind),
        GUARDED(a_half_closed_connection_is_still_told),
        GUARDED(when_the_daemon_goes_down_it_is_told_at_once),
        GUARDED(refusals_are_counted),
    };
    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
