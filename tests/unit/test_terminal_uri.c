/* terminal_uri: what a certificate may call a terminal, byte by byte. */
#include "net/terminal_uri.h"
#include "support.h"

#define BYTES_16 "0123456789abcdef"
#define BYTES_64 BYTES_16 BYTES_16 BYTES_16 BYTES_16

static const struct {
    const char *uri;
    const char *id; /* NULL: refused */
} uris[] = {
    {"tillq:terminal:T01", "T01"},
    {"TILLQ:Terminal:t01", "t01"},
    {"tillq:terminal:Kasse%202", "Kasse 2"},
    {"tillq:terminal:K%c3%A4se", "K\xc3\xa4se"},
    {"tillq:terminal:%25", "%"},
    {"tillq:terminal:a:b", "a:b"},
    {"tillq:terminal:" BYTES_64, BYTES_64},
    {"tillq:terminal:" BYTES_64 "0", NULL},
    {"tillq:terminal:", NULL},
    {"tillq:terminal", NULL},
    {"tillq:shop:T01", NULL},
    {"tillq://terminal/T01", NULL},
    {"http://tillq:terminal:T01", NULL},
    {"tillq:terminal:T%", NULL},
    {"tillq:terminal:T%2", NULL},
    {"tillq:terminal:T%2g", NULL},
    {"tillq:terminal:T%g2", NULL},
    {"tillq:terminal:T%00", NULL},
    {"tillq:terminal:T%0a", NULL},
    {"tillq:terminal:T%7F", NULL},
    {"tillq:terminal:T\n", NULL},
    {"tillq:terminal:%ff", NULL},
    {"tillq:terminal:%c3", NULL},
    {"", NULL},
};

static void reads_ids_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        char id[TERMINAL_URI_ID_BYTES] = "before";
        bool read = terminal_uri_read(text_of(uris[i].uri), id);
        if (read != (uris[i].id != NULL) || strcmp(id, read ? uris[i].id : "") != 0)
            fail_msg("%s: got %s \"%s\"", uris[i].uri, read ? "true" : "false", id);
    }
}

/* A certificate's text has a length, and may hold anything. */
static void a_nul_byte_ends_nothing(void **state)
{
    (void)state;
    char id[TERMINAL_URI_ID_BYTES];
    assert_false(terminal_uri_read(TEXT_LITERAL("tillq:terminal:T01\0evil"), id));
    assert_string_equal(id, "");
    assert_true(terminal_uri_read((struct text){"tillq:terminal:T01x", 18}, id));
    assert_string_equal(id, "T01");
}

static void knows_its_own_scheme(void **state)
{
    (void)state;
    assert_true(terminal_uri_is_ours(TEXT_LITERAL("tillq:whatever")));
    assert_true(terminal_uri_is_ours(TEXT_LITERAL("TillQ:")));
    assert_false(terminal_uri_is_ours(TEXT_LITERAL("tillq")));
    assert_false(terminal_uri_is_ours(TEXT_LITERAL("https://shop.example/tillq:")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_ids_and_nothing_else),
        cmocka_unit_test(a_nul_byte_ends_nothing),
        cmocka_unit_test(knows_its_own_scheme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
