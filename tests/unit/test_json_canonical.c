/* json_canonical: one form for all texts that say the same, another for any that say something
 * else. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define MEMBERS_MAX 40

static void canonical(const char *bytes, size_t length, const char *const *without,
                      struct buffer *out)
{
    struct json json = {0};
    struct failure failure;
    if (json_parse(&json, (struct text){bytes, length}, &failure) != 0)
        fail_msg("%s: %.*s", failure.message, (int)length, bytes);
    buffer_clear(out);
    json_canonical(&json, without, out);
    assert_false(out->failed);
    json_free(&json);
}

static void writes_the_one_form(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {" null ", "null"},
        {"[ 1 , 2.50 , -0 , 1E5 ]", "[1,2.50,-0,1E5]"},
        {"{ }", "{}"},
        {"{\"b\":1,\"a\":2,\"\":3,\"ab\":4,\"A\":5}", "{\"\":3,\"A\":5,\"a\":2,\"ab\":4,\"b\":1}"},
        {"{\"\\u0062\":1,\"a\":{\"d\":1,\"c\":2}}", "{\"a\":{\"c\":2,\"d\":1},\"b\":1}"},
        {"\"\\/\\u0041\\u00e9\\ud83d\\ude00\"", "\"/A\xc3\xa9\xf0\x9f\x98\x80\""},
        {"\"\\n\\u000a\\\"\\\\\\b\\t\"", "\"\\u000a\\u000a\\\"\\\\\\u0008\\u0009\""},
        /* by the bytes of UTF-8, not by UTF-16 units */
        {"{\"\\ud83d\\ude00\":1,\"\\uffff\":2}", "{\"\xef\xbf\xbf\":2,\"\xf0\x9f\x98\x80\":1}"},
    };
    struct buffer out = {0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        canonical(rows[i][0], strlen(rows[i][0]), NULL, &out);
        if (!text_is(buffer_text(&out), rows[i][1]))
            fail_msg("%s became %.*s", rows[i][0], (int)out.length, out.bytes);
    }
    buffer_free(&out);
}

static void leaves_out_members_of_the_root_only(void **state)
{
    (void)state;
    static const char *const without[] = {"seq", "tag", NULL};
    static const char text[] =
        "{\"z\":{\"seq\":1},\"s\\u0065q\":2,\"lines\":[{\"tag\":3}],\"tag\":[4,{}],\"a\":\"seq\"}";
    struct buffer out = {0};
    canonical(text, sizeof text - 1, without, &out);
    assert_true(
        text_is(buffer_text(&out), "{\"a\":\"seq\",\"lines\":[{\"tag\":3}],\"z\":{\"seq\":1}}"));
    canonical("{\"seq\":1}", 9, without, &out);
    assert_true(text_is(buffer_text(&out), "{}"));
    canonical("[{\"seq\":1}]", 11, without, &out);
    assert_true(text_is(buffer_text(&out), "[{\"seq\":1}]"));
    buffer_free(&out);
}

/* A value is drawn from `shape`, how it is written from `style`: the same shape in another style is
 * another text that says the same. */
struct author {
    uint64_t shape;
    uint64_t style;
    struct buffer *out;
};

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

static void author_space(struct author *author)
{
    static const char spaces[] = " \t\r\n";
    for (uint32_t i = next_random(&author->style) % 3; i > 0; i--)
        buffer_add_byte(author->out, spaces[next_random(&author->style) % 4]);
}

static void author_character(struct author *author, uint32_t choice)
{
    static const char *const writings[][3] = {
        {"a", "\\u0061", "\\u0061"},
        {"Z", "\\u005a", "\\u005A"},
        {"/", "\\/", "\\u002f"},
        {"\\\"", "\\u0022", "\\\""},
        {"\\\\", "\\u005c", "\\u005C"},
        {"\\n", "\\u000a", "\\u000A"},
        {"\xc3\xa9", "\\u00e9", "\\u00E9"},
        {"\xe2\x82\xac", "\\u20ac", "\\u20AC"},
        {"\xf0\x9f\x98\x80", "\\ud83d\\ude00", "\\uD83D\\uDE00"},
    };
    buffer_add_string(author->out,
                      writings[choice % COUNT(writings)][next_random(&author->style) % 3]);
}

static void author_string(struct author *author, uint32_t unique)
{
    buffer_add_byte(author->out, '"');
    for (uint32_t i = next_random(&author->shape) % 12; i > 0; i--)
        author_character(author, next_random(&author->shape));
    if (unique != UINT32_MAX)
        buffer_add_int(author->out, unique);
    buffer_add_byte(author->out, '"');
}

static void author_value(struct author *author, int depth);

static void author_object(struct author *author, int depth)
{
    uint32_t count = next_random(&author->shape) % (depth == 0 ? MEMBERS_MAX : 6);
    struct buffer members[MEMBERS_MAX] = {{0}};
    struct author member = *author;
    for (uint32_t i = 0; i < count; i++) {
        member.out = &members[i];
        author_space(&member);
        author_string(&member, i);
        author_space(&member);
        buffer_add_byte(member.out, ':');
        author_space(&member);
        author_value(&member, depth + 1);
        author_space(&member);
    }
    author->shape = member.shape;
    author->style = member.style;
    buffer_add_byte(author->out, '{');
    for (uint32_t left = count; left > 0; left--) {
        uint32_t chosen = next_random(&author->style) % left;
        buffer_add_text(author->out, buffer_text(&members[chosen]));
        buffer_add_string(author->out, left > 1 ? "," : "");
        buffer_free(&members[chosen]);
        members[chosen] = members[left - 1];
    }
    author_space(author);
    buffer_add_byte(author->out, '}');
}

static void author_array(struct author *author, int depth)
{
    buffer_add_byte(author->out, '[');
    for (uint32_t i = next_random(&author->shape) % 5; i > 0; i--) {
        author_space(author);
        author_value(author, depth + 1);
        author_space(author);
        buffer_add_string(author->out, i > 1 ? "," : "");
    }
    author_space(author);
    buffer_add_byte(author->out, ']');
}

static void author_value(struct author *author, int depth)
{
    static const char *const words[] = {"null", "true", "false", "0", "-1.50", "12e3"};
    uint32_t kind = next_random(&author->shape) % 8;
    if (depth == 0 || (kind < 2 && depth < 5))
        author_object(author, depth);
    else if (kind == 2 && depth < 5)
        author_array(author, depth);
    else if (kind < 6)
        author_string(author, UINT32_MAX);
    else
        buffer_add_string(author->out, words[next_random(&author->shape) % COUNT(words)]);
}

static void author_text(uint64_t shape, uint64_t style, struct buffer *out)
{
    struct author author = {.shape = shape, .style = style, .out = out};
    buffer_clear(out);
    author_value(&author, 0);
    assert_false(out->failed);
}

static void is_the_same_for_texts_that_say_the_same(void **state)
{
    (void)state;
    struct buffer text = {0};
    struct buffer one = {0};
    struct buffer other = {0};
    int differing_texts = 0;
    for (uint64_t shape = 0; shape < 3000; shape++) {
        author_text(shape * 7919, 1, &text);
        canonical(text.bytes, text.length, NULL, &one);
        size_t length = text.length;
        author_text(shape * 7919, shape + 2, &text);
        canonical(text.bytes, text.length, NULL, &other);
        differing_texts += length != text.length;
        if (!text_equal(buffer_text(&one), buffer_text(&other)))
            fail_msg("%.*s\nand\n%.*s", (int)one.length, one.bytes, (int)other.length, other.bytes);
        canonical(one.bytes, one.length, NULL, &other);
        assert_true(text_equal(buffer_text(&one), buffer_text(&other)));
    }
    assert_true(differing_texts > 2000);
    buffer_free(&text);
    buffer_free(&one);
    buffer_free(&other);
}

static void differs_for_texts_that_do_not(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"1", "\"1\""},
        {"1", "1.0"},
        {"[]", "{}"},
        {"[1,2]", "[2,1]"},
        {"null", "false"},
        {"[[1],2]", "[1,[2]]"},
        {"\"a\"", "\"A\""},
        {"{\"a\":1}", "{\"a\":2}"},
        {"[\"a,b\"]", "[\"a\",\"b\"]"},
        {"\"\\\\n\"", "\"\\n\""},
        {"{\"a\":1}", "{\"b\":1}"},
    };
    struct buffer one = {0};
    struct buffer other = {0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        canonical(rows[i][0], strlen(rows[i][0]), NULL, &one);
        canonical(rows[i][1], strlen(rows[i][1]), NULL, &other);
        assert_false(text_equal(buffer_text(&one), buffer_text(&other)));
    }
    buffer_free(&one);
    buffer_free(&other);
}

static void says_so_where_there_is_no_room(void **state)
{
    (void)state;
    struct json json = {0};
    assert_int_equal(json_parse(&json, text_of("{\"a\":1}"), NULL), 0);
    struct buffer out = {.failed = true};
    json_canonical(&json, NULL, &out);
    assert_true(out.failed);
    assert_int_equal(out.length, 0);
    json_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_one_form),
        cmocka_unit_test(leaves_out_members_of_the_root_only),
        cmocka_unit_test(is_the_same_for_texts_that_say_the_same),
        cmocka_unit_test(differs_for_texts_that_do_not),
        cmocka_unit_test(says_so_where_there_is_no_room),
    };
    return cmocka_run_group_tests_name("json_canonical", tests, NULL, NULL);
}
