/* identity: who a conversation is with: by word, by certificate, and what it may then send. */
#include "support_engine.h"

#define SALE_OF(terminal, id)                                 \
    "{\"op\":\"put\",\"doc\":{\"type\":\"sale\",\"id\":\"" id \
    "\",\"shop\":\"S\",\"terminal\":\"" terminal "\",\"lines\":[{\"sku\":\"A\",\"qty\":1}]}}\n"
#define SALE_OF_NOBODY(id)                                    \
    "{\"op\":\"put\",\"doc\":{\"type\":\"sale\",\"id\":\"" id \
    "\",\"shop\":\"S\",\"lines\":[{\"sku\":\"A\",\"qty\":1}]}}\n"
#define HELLO(terminal) "{\"op\":\"hello\",\"terminal\":\"" terminal "\"}\n"
#define GREETED(terminal)                                                  \
    "{\"ok\":true,\"server\":\"tillqd " TILLQ_VERSION "\",\"protocol\":1," \
    "\"terminal\":\"" terminal "\",\"shop\":\"0001\",\"last_seq\":-1}\n"
#define MISMATCH(path, message)                                                  \
    "{\"ok\":false,\"error\":\"TERMINAL_MISMATCH\",\"message\":\"" message "\"," \
    "\"path\":\"" path "\"}\n"
#define NOT_ITS_OWN MISMATCH("terminal", "terminal: this connection said hello as another one")
#define CERTIFIED_AS_ANOTHER \
    MISMATCH("terminal", "terminal: this connection is known to be another one's")

static void expect_answer(struct house *house, const char *said, const char *wanted)
{
    say(house, said);
    move_everything(house);
    hear(house, wanted);
}

static void certify(struct house *house, const char *terminal, enum role role)
{
    assert_int_equal(session_authenticate(house->tills[0].session, text_of(terminal), role), 0);
}

static void who_said_nothing_names_the_terminal_in_the_document(void **state)
{
    struct house *house = *state;
    expect_answer(house, SALE_OF("T1", "1"), TAKEN("0"));
    expect_answer(house, SALE_OF("T2", "2"), TAKEN("1"));
}

static void a_certified_terminal_needs_no_hello(void **state)
{
    struct house *house = *state;
    certify(house, "T1", ROLE_TERMINAL);
    expect_answer(house, SALE_OF_NOBODY("1"), TAKEN("0"));
    expect_values(&house->scene, STOCK_TOPIC,
                  "{\"terminal\":\"T1\",\"type\":\"sale\",\"id\":\"1\",\"shop\":\"S\","
                  "\"lines\":[{\"sku\":\"A\",\"qty\":1}]}");
}

static void a_certified_terminal_sends_for_no_other(void **state)
{
    struct house *house = *state;
    certify(house, "T1", ROLE_TERMINAL);
    expect_answer(house, SALE_OF("T2", "1"), NOT_ITS_OWN);
    expect_answer(house, SALE_OF("T1", "1"), TAKEN("0"));
}

static void certified_management_sends_for_others(void **state)
{
    struct house *house = *state;
    certify(house, "M1", ROLE_MANAGEMENT);
    expect_answer(house, SALE_OF("T2", "1"), TAKEN("0"));
    expect_answer(house, HELLO("M1"), GREETED("M1"));
    expect_answer(house, SALE_OF("T2", "2"), TAKEN("1"));
}

static void hello_does_not_make_a_certified_terminal_another(void **state)
{
    struct house *house = *state;
    certify(house, "T1", ROLE_TERMINAL);
    expect_answer(house, HELLO("T2"), CERTIFIED_AS_ANOTHER);
    expect_answer(house, HELLO("T1"), GREETED("T1"));
    expect_answer(house, HELLO("T2"), CERTIFIED_AS_ANOTHER);
    expect_answer(house, SALE_OF("T2", "1"), NOT_ITS_OWN);
    expect_answer(house, SALE_OF("T1", "1"), TAKEN("0"));
}

static void by_word_a_second_hello_makes_it_another(void **state)
{
    struct house *house = *state;
    expect_answer(house, HELLO("T1"), GREETED("T1"));
    expect_answer(house, SALE_OF("T2", "1"), NOT_ITS_OWN);
    expect_answer(house, HELLO("T2"), GREETED("T2"));
    expect_answer(house, SALE_OF("T2", "1"), TAKEN("0"));
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, house_open, house_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HELD(who_said_nothing_names_the_terminal_in_the_document),
        HELD(a_certified_terminal_needs_no_hello),
        HELD(a_certified_terminal_sends_for_no_other),
        HELD(certified_management_sends_for_others),
        HELD(hello_does_not_make_a_certified_terminal_another),
        HELD(by_word_a_second_hello_makes_it_another),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
