/* token, tokens: a secret written, typed and compared; the lines of a tokens file, good and bad. */
#include "support.h"

#include "base/secret.h"
#include "net/tokens.h"

#define FIRST "# tillq tokens 1\n"
#define SALT "000102030405060708090a0b0c0d0e0f"
#define HASH "8babceda8072a124445be467c4de0560271bdb80fe0a33e3b2c5a6591f3ee648"
#define TOKEN "000G-40R4-0M30-E209-185G-R38E-1W81-24GK"
#define LINE(terminal, role) terminal "\t" role "\t" SALT "\t" HASH "\n"

/* --- comparing --- */

static void secrets_are_equal_where_every_byte_is(void **state)
{
    (void)state;
    unsigned char a[SHA256_BYTES] = {0}, b[SHA256_BYTES] = {0};
    assert_true(secret_equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++)
        for (int bit = 0; bit < 8; bit++) {
            b[i] = (unsigned char)(1 << bit);
            assert_false(secret_equal(a, b, sizeof a));
            assert_true(secret_equal(a, b, i));
            b[i] = 0;
        }
    assert_true(secret_equal(a, a + 1, 0));
}

/* --- one token --- */

static void a_token_is_32_characters_in_groups_of_four(void **state)
{
    (void)state;
    unsigned char random[TOKEN_RANDOM_BYTES];
    char token[TOKEN_TEXT_BYTES];
    for (size_t i = 0; i < sizeof random; i++)
        random[i] = (unsigned char)i;
    token_write(random, token);
    assert_string_equal(token, TOKEN);
    memset(random, 0xff, sizeof random);
    token_write(random, token);
    assert_string_equal(token, "ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ");
}

static void every_bit_of_chance_is_in_the_token(void **state)
{
    (void)state;
    unsigned char random[TOKEN_RANDOM_BYTES] = {0};
    char nothing[TOKEN_TEXT_BYTES], token[TOKEN_TEXT_BYTES];
    token_write(random, nothing);
    for (size_t i = 0; i < 8 * sizeof random; i++) {
        random[i / 8] = (unsigned char)(1 << i % 8);
        token_write(random, token);
        assert_string_not_equal(token, nothing);
        random[i / 8] = 0;
    }
}

static struct sha256 *new_hash(void)
{
    struct sha256 *hash = sha256_new();
    assert_non_null(hash);
    return hash;
}

static struct sealed_token sealed_of(struct sha256 *hash, const char *token)
{
    struct sealed_token sealed;
    for (size_t i = 0; i < sizeof sealed.salt; i++)
        sealed.salt[i] = (unsigned char)i;
    assert_int_equal(token_seal(&sealed, hash, text_of(token)), 0);
    return sealed;
}

static void what_is_kept_is_the_hash_of_salt_and_characters(void **state)
{
    (void)state;
    char hex[SHA256_HEX_BYTES];
    struct sha256 *hash = new_hash();
    struct sealed_token sealed = sealed_of(hash, TOKEN);
    sha256_hex(sealed.hash, hex);
    assert_string_equal(hex, HASH);
    sealed.salt[15] ^= 1;
    assert_false(token_matches(&sealed, hash, text_of(TOKEN)));
    sha256_free(hash);
}

static void however_a_person_types_it_it_is_the_same(void **state)
{
    (void)state;
    static const char *const right[] = {
        "0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ", "0123456789ABCDEFGHJKMNPQRSTVWXYZ",
        "0123456789abcdefghjkmnpqrstvwxyz",        " 0123 4567 89ab cdef ghjk mnpq rstv wxyz ",
        "O123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ", "oi23-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ",
        "0L23-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ", "0l23-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ",
    };
    struct sha256 *hash = new_hash();
    struct sealed_token sealed = sealed_of(hash, right[0]);
    for (size_t i = 0; i < COUNT(right); i++)
        if (!token_matches(&sealed, hash, text_of(right[i])))
            fail_msg("%s is not taken", right[i]);
    sha256_free(hash);
}

static void what_is_no_token_matches_nothing(void **state)
{
    (void)state;
    static const struct text wrong[] = {
        {NULL, 0},
        {"", 0},
        {"-", 1},
        {"0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXY", 38},    /* one short */
        {"0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ0", 40},  /* one long */
        {"0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYU", 39},   /* no U there is */
        {"0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXY\0", 39},  /* nor NUL */
        {"0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ\0", 40}, /* anywhere */
        {"0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ\n", 40},
        {"0123_4567_89AB_CDEF_GHJK_MNPQ_RSTV_WXYZ", 39},
    };
    struct sha256 *hash = new_hash();
    struct sealed_token sealed = sealed_of(hash, "0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ");
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct sealed_token none;
        if (token_matches(&sealed, hash, wrong[i]) || token_seal(&none, hash, wrong[i]) == 0)
            fail_msg("number %zu is taken", i);
    }
    sha256_free(hash);
}

/* --- lines --- */

static struct tokens *parsed(const char *lines)
{
    struct failure failure;
    struct tokens *tokens = tokens_new();
    assert_non_null(tokens);
    if (tokens_parse(tokens, text_of(lines), &failure) != 0)
        fail_msg("%s", failure.message);
    return tokens;
}

static void lines_are_read_and_written_the_same(void **state)
{
    (void)state;
    static const char lines[] = FIRST LINE("T01", "terminal") LINE("Kasse 2", "terminal")
        LINE("Büro", "management") LINE("#1", "terminal");
    struct buffer again = {0};
    struct tokens *tokens = parsed(lines);
    assert_int_equal(tokens_count(tokens), 4);
    assert_string_equal(tokens_at(tokens, 1)->terminal, "Kasse 2");
    assert_int_equal(tokens_at(tokens, 1)->role, ROLE_TERMINAL);
    assert_int_equal(tokens_find(tokens, text_of("Büro"))->role, ROLE_MANAGEMENT);
    assert_null(tokens_find(tokens, text_of("T0")));
    tokens_print(tokens, &again);
    assert_text(buffer_text(&again), lines);
    buffer_free(&again);
    tokens_free(tokens);
}

static void a_file_without_terminals_is_one(void **state)
{
    (void)state;
    struct tokens *tokens = parsed(FIRST);
    assert_int_equal(tokens_count(tokens), 0);
    assert_null(tokens_check(tokens, text_of("T01"), text_of(TOKEN)));
    tokens_free(tokens);
}

#define LONG_ID "0123456789012345678901234567890123456789012345678901234567890123"

static void each_bad_line_is_named_by_its_number(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        const char *wanted;
    } rows[] = {
        {"", "1: is not \"# tillq tokens 1\""},
        {"\n", "1: is not \"# tillq tokens 1\""},
        {"# tillq tokens 1", "1: is not \"# tillq tokens 1\""},
        {"# tillq tokens 2\n", "1: is not \"# tillq tokens 1\""},
        {LINE("T01", "terminal"), "1: is not \"# tillq tokens 1\""},
        {FIRST "\n", "2: a terminal's id is 1 to 64 bytes long"},
        {FIRST LINE("", "terminal"), "2: a terminal's id is 1 to 64 bytes long"},
        {FIRST LINE(LONG_ID "x", "terminal"), "2: a terminal's id is 1 to 64 bytes long"},
        {FIRST LINE("T\x01"
                    "",
                    "terminal"),
         "2: a terminal's id has no control characters"},
        {FIRST LINE("T\x7f", "terminal"), "2: a terminal's id has no control characters"},
        {FIRST LINE("T\xff", "terminal"), "2: a terminal's id is UTF-8"},
        {FIRST LINE("T01", "terminal") LINE("T02", "Terminal"),
         "3: the role is neither terminal nor management"},
        {FIRST LINE("T01", ""), "2: the role is neither terminal nor management"},
        {FIRST "T01\n", "2: the role is neither terminal nor management"},
        {FIRST "T01 terminal " SALT " " HASH "\n",
         "2: a terminal's id is 1 to 64 bytes long"}, /* blanks are no tabs */
        {FIRST "T01\tterminal\n", "2: the salt is not 32 hexadecimal digits"},
        {FIRST "T01\tterminal\t" SALT "0\t" HASH "\n", "2: the salt is not 32 hexadecimal digits"},
        {FIRST "T01\tterminal\tx00102030405060708090a0b0c0d0e0f\t" HASH "\n",
         "2: the salt is not 32 hexadecimal digits"},
        {FIRST "T01\tterminal\t000102030405060708090A0B0C0D0E0F\t" HASH "\n",
         "2: the salt is not 32 hexadecimal digits"},
        {FIRST "T01\tterminal\t" SALT "\t" HASH "0\n", "2: the hash is not 64 hexadecimal digits"},
        {FIRST "T01\tterminal\t" SALT "\t" HASH "\t\n", "2: the hash is not 64 hexadecimal digits"},
        {FIRST "T01\tterminal\t" SALT "\t" HASH "\r\n", "2: the hash is not 64 hexadecimal digits"},
        {FIRST "T01\tterminal\t" SALT "\n", "2: the hash is not 64 hexadecimal digits"},
        {FIRST LINE("T01", "terminal") "T02\tterminal\t" SALT "\t" HASH, "3: the line has no end"},
        {FIRST LINE("T01", "terminal") "T", "3: the line has no end"},
        {FIRST LINE("T01", "terminal") LINE("T02", "terminal") LINE("T01", "management"),
         "4: the terminal stands in line 2 already"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct failure failure = {.message = "nothing"};
        struct tokens *tokens = tokens_new();
        if (tokens_parse(tokens, text_of(rows[i].lines), &failure) == 0 ||
            strcmp(failure.message, rows[i].wanted) != 0)
            fail_msg("number %zu: got \"%s\", want \"%s\"", i, failure.message, rows[i].wanted);
        tokens_free(tokens);
    }
}

static void the_longest_id_is_taken(void **state)
{
    (void)state;
    struct tokens *tokens = parsed(FIRST LINE(LONG_ID, "terminal"));
    assert_non_null(tokens_check(tokens, text_of(LONG_ID), text_of(TOKEN)));
    tokens_free(tokens);
}

static void there_are_at_most_so_many(void **state)
{
    (void)state;
    struct failure failure;
    struct buffer lines = {0};
    struct tokens *tokens = tokens_new();
    buffer_add_string(&lines, FIRST);
    for (int i = 0; i < TOKENS_MAX; i++)
        buffer_add_format(&lines, "T%d\tterminal\t" SALT "\t" HASH "\n", i);
    assert_int_equal(tokens_parse(tokens, buffer_text(&lines), &failure), 0);
    assert_int_equal(tokens_count(tokens), TOKENS_MAX);
    for (int i = 0; i < TOKENS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "T%d", i);
        assert_ptr_equal(tokens_find(tokens, text_of(name)), tokens_at(tokens, (size_t)i));
    }
    tokens_free(tokens);
    buffer_add_string(&lines, LINE("one more", "terminal"));
    tokens = tokens_new();
    assert_int_equal(tokens_parse(tokens, buffer_text(&lines), &failure), -1);
    assert_string_equal(failure.message, "20002: more than 20000 terminals");
    tokens_free(tokens);
    buffer_free(&lines);
}

/* --- giving, checking, taking away --- */

static const struct token_entry *give(struct tokens *tokens, struct dice *dice,
                                      const char *terminal, char token[TOKEN_TEXT_BYTES])
{
    struct failure failure;
    unsigned char random[TOKENS_RANDOM_BYTES];
    for (size_t i = 0; i < sizeof random; i++)
        random[i] = (unsigned char)dice_below(dice, 256);
    if (tokens_give(tokens, text_of(terminal), ROLE_MANAGEMENT, random, token, &failure) != 0)
        fail_msg("%s", failure.message);
    return tokens_find(tokens, text_of(terminal));
}

static void each_terminal_has_its_own_token(void **state)
{
    (void)state;
    struct dice dice = {1};
    char first[TOKEN_TEXT_BYTES], second[TOKEN_TEXT_BYTES];
    struct tokens *tokens = tokens_new();
    give(tokens, &dice, "T01", first);
    give(tokens, &dice, "T02", second);
    assert_string_equal(tokens_check(tokens, text_of("T01"), text_of(first))->terminal, "T01");
    assert_string_equal(tokens_check(tokens, text_of("T02"), text_of(second))->terminal, "T02");
    assert_null(tokens_check(tokens, text_of("T01"), text_of(second)));
    assert_null(tokens_check(tokens, text_of("T03"), text_of(first)));
    assert_null(tokens_check(tokens, text_of("T01"), (struct text){0}));
    tokens_free(tokens);
}

/* Nobody's entry is all zeros: a token for that must not be one. */
static void an_unknown_terminal_has_no_token_at_all(void **state)
{
    (void)state;
    struct tokens *tokens = parsed(FIRST LINE("T01", "terminal"));
    assert_null(
        tokens_check(tokens, text_of("T02"), text_of("0000-0000-0000-0000-0000-0000-0000-0000")));
    assert_null(tokens_check(tokens, text_of("T02"), text_of(TOKEN)));
    assert_null(tokens_check(tokens, text_of(""), text_of(TOKEN)));
    tokens_free(tokens);
}

static void a_new_token_takes_the_place_of_the_old_one(void **state)
{
    (void)state;
    struct dice dice = {1};
    char token[TOKEN_TEXT_BYTES];
    struct tokens *tokens = parsed(FIRST LINE("T01", "terminal") LINE("T02", "terminal"));
    assert_int_equal(give(tokens, &dice, "T01", token)->role, ROLE_MANAGEMENT);
    assert_int_equal(tokens_count(tokens), 2);
    assert_null(tokens_check(tokens, text_of("T01"), text_of(TOKEN)));
    assert_non_null(tokens_check(tokens, text_of("T01"), text_of(token)));
    assert_non_null(tokens_check(tokens, text_of("T02"), text_of(TOKEN)));
    tokens_free(tokens);
}

static void what_is_taken_away_is_gone_and_the_others_stay(void **state)
{
    (void)state;
    struct tokens *tokens =
        parsed(FIRST LINE("T01", "terminal") LINE("T02", "terminal") LINE("T03", "terminal"));
    assert_true(tokens_take_away(tokens, text_of("T02")));
    assert_false(tokens_take_away(tokens, text_of("T02")));
    assert_null(tokens_check(tokens, text_of("T02"), text_of(TOKEN)));
    assert_non_null(tokens_check(tokens, text_of("T01"), text_of(TOKEN)));
    assert_non_null(tokens_check(tokens, text_of("T03"), text_of(TOKEN)));
    tokens_free(tokens);
}

static void what_cannot_be_an_id_is_given_no_token(void **state)
{
    (void)state;
    static const char *const rows[] = {"", LONG_ID "x", "a\tb", "a\nb", "\xc3"};
    static const unsigned char random[TOKENS_RANDOM_BYTES] = {0};
    struct tokens *tokens = tokens_new();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct failure failure;
        char token[TOKEN_TEXT_BYTES];
        assert_int_equal(
            tokens_give(tokens, text_of(rows[i]), ROLE_TERMINAL, random, token, &failure), -1);
    }
    assert_int_equal(tokens_count(tokens), 0);
    tokens_free(tokens);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_equal_where_every_byte_is),
        cmocka_unit_test(a_token_is_32_characters_in_groups_of_four),
        cmocka_unit_test(every_bit_of_chance_is_in_the_token),
        cmocka_unit_test(what_is_kept_is_the_hash_of_salt_and_characters),
        cmocka_unit_test(however_a_person_types_it_it_is_the_same),
        cmocka_unit_test(what_is_no_token_matches_nothing),
        cmocka_unit_test(lines_are_read_and_written_the_same),
        cmocka_unit_test(a_file_without_terminals_is_one),
        cmocka_unit_test(each_bad_line_is_named_by_its_number),
        cmocka_unit_test(the_longest_id_is_taken),
        cmocka_unit_test(there_are_at_most_so_many),
        cmocka_unit_test(each_terminal_has_its_own_token),
        cmocka_unit_test(an_unknown_terminal_has_no_token_at_all),
        cmocka_unit_test(a_new_token_takes_the_place_of_the_old_one),
        cmocka_unit_test(what_is_taken_away_is_gone_and_the_others_stay),
        cmocka_unit_test(what_cannot_be_an_id_is_given_no_token),
    };
    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
