/* Replies taken apart, texts made visible, documents read from files. The command line is no
 * library: what is tested is taken in as source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/documents.c"
#include "cli/slice.c"
#include "cli/visible.c"

static void expect_member(const char *object, const char *name, const char *expected)
{
    struct text value = slice_member(text_of(object), name);
    if (!expected)
        assert_null(value.bytes);
    else
        assert_true(text_is(value, expected));
}

static void members(void **state)
{
    (void)state;
    const char *object = "{ \"a\" : 0.575 ,\"b\":[1,{\"c\":\"}]\"}], \"c\":\"x\\\"y\",\"d\":null}";
    expect_member(object, "a", "0.575");
    expect_member(object, "b", "[1,{\"c\":\"}]\"}]");
    expect_member(object, "c", "\"x\\\"y\"");
    expect_member(object, "d", "null");
    expect_member(object, "e", NULL);
    expect_member("{}", "a", NULL);
    expect_member("[1]", "a", NULL);
    expect_member("", "a", NULL);
}

/* Every beginning of a reply, and every reply with one byte changed: no answer is right, but
 * nothing is read outside the text (for which this runs under the address sanitizer, too). */
static void damaged_replies(void **state)
{
    (void)state;
    static const char reply[] = "{\"ok\":true,\"a\":[{\"b\":\"c\\\"\"},[],-12],\"d\":{\"e\":1}}";
    static const char bytes[] = "{}[]\",:\\ x1";
    for (size_t length = 0; length < sizeof reply; length++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            char *copy = malloc(length ? length : 1);
            memcpy(copy, reply, length);
            if (length > 0)
                copy[length / 2] = bytes[i];
            struct text text = {copy, length};
            struct text element;
            struct text array = slice_member(text, "a");
            size_t position = 0;
            int turns = 0;
            while (slice_next(array, &position, &element) && turns < 100)
                turns++;
            assert_true(turns < 100);
            slice_member(text, "d");
            slice_after_first(text);
            free(copy);
        }
    }
}

static void elements(void **state)
{
    (void)state;
    static const char *const expected[] = {"1", "\"a,]\"", "[2,3]", "{\"b\":[]}", "true"};
    struct text array = text_of(" [1, \"a,]\" ,[2,3],{\"b\":[]},true]");
    array = (struct text){array.bytes + 1, array.length - 1};
    struct text element;
    size_t position = 0;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(slice_next(array, &position, &element));
        assert_true(text_is(element, expected[i]));
    }
    assert_false(slice_next(array, &position, &element));
    assert_false(slice_next(text_of("[]"), &(size_t){0}, &element));
    assert_false(slice_next((struct text){NULL, 0}, &(size_t){0}, &element));
}

static void integers(void **state)
{
    (void)state;
    int64_t number;
    assert_int_equal(slice_int(text_of("-9223372036854775808"), &number), 0);
    assert_true(number == INT64_MIN);
    assert_int_equal(slice_int(text_of("9223372036854775807"), &number), 0);
    assert_true(number == INT64_MAX);
    static const char *const bad[] = {"", "-", "1.5", "9223372036854775808", "1e3", "\"1\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(slice_int(text_of(bad[i]), &number), -1);
    assert_int_equal(slice_int_or((struct text){NULL, 0}, 7), 7);
}

static void strings(void **state)
{
    (void)state;
    struct buffer scratch = {0};
    assert_true(text_is(slice_string(text_of("\"plain\""), &scratch), "plain"));
    assert_int_equal(scratch.length, 0);
    assert_true(text_is(slice_string(text_of("\"a\\n\\u00e9\""), &scratch), "a\n\u00e9"));
    assert_true(text_is(slice_string(text_of("12"), &scratch), "12"));
    buffer_free(&scratch);
    assert_true(text_is(slice_after_first(text_of("{\"ok\":true,\"a\":1}")), "\"a\":1"));
    assert_true(text_is(slice_after_first(text_of("{\"ok\":true}")), ""));
}

static void expect_visible(const char *bytes, size_t length, const char *expected)
{
    struct buffer out = {0};
    visible_add(&out, (struct text){bytes, length});
    buffer_add_byte(&out, '\0');
    assert_string_equal(out.bytes, expected);
    buffer_free(&out);
}

static void visible(void **state)
{
    (void)state;
    expect_visible("a b\u00e9\u4e2d", 8, "a b\u00e9\u4e2d");
    expect_visible("\033[31m\n\177", 7, "\\u001b[31m\\u000a\\u007f");
    expect_visible("\302\233x", 3, "\\u009bx");           /* C1: CSI in one character */
    expect_visible("\u202eabc", 6, "\\u202eabc");         /* right to left from here */
    expect_visible("\377\300\257", 3, "\\xff\\xc0\\xaf"); /* not UTF-8 */
    expect_visible("\355\240\200", 3, "\\xed\\xa0\\x80"); /* a surrogate */
    setlocale(LC_CTYPE, "C.UTF-8");
    assert_int_equal(visible_width(text_of("ab")), 2);
    assert_int_equal(visible_width(text_of("\u4e2d\u6587")), 4);
    assert_int_equal(visible_width(text_of("e\u0301")), 1);
}

/* Opens a file with this content. */
static void open_content(struct documents *documents, const char *content)
{
    char path[] = "/tmp/tillq-documents-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, content, strlen(content)), (ssize_t)strlen(content));
    close(file);
    assert_int_equal(documents_open(documents, path), 0);
    unlink(path);
}

static void expect_document(struct documents *documents, int64_t line, const char *expected)
{
    struct text document;
    struct failure failure = {0};
    assert_int_equal(documents_next(documents, &document, &failure), 1);
    assert_int_equal(documents->line, line);
    assert_true(text_is(document, expected));
}

static void expect_bad(struct documents *documents, int64_t line)
{
    struct text document;
    struct failure failure = {0};
    assert_int_equal(documents_next(documents, &document, &failure), -1);
    assert_int_equal(documents->line, line);
    assert_string_equal(failure.code, "BAD_JSON");
}

static void expect_end(struct documents *documents)
{
    struct text document;
    struct failure failure = {0};
    assert_int_equal(documents_next(documents, &document, &failure), 0);
    documents_close(documents);
}

static void documents_by_line(void **state)
{
    (void)state;
    struct documents documents;
    open_content(&documents, "\n{\"q\":0.575}\n  \r\n[1]\n{\"a\":1}{\n{\"b\":2}");
    expect_document(&documents, 2, "{\"q\":0.575}");
    expect_bad(&documents, 4);
    expect_bad(&documents, 5);
    expect_document(&documents, 6, "{\"b\":2}");
    expect_end(&documents);
}

static void first_document_bad(void **state)
{
    (void)state;
    struct documents documents;
    open_content(&documents, "{\"a\":\n{\"b\":2}\n{\"c\":3}\n");
    expect_bad(&documents, 1);
    expect_document(&documents, 2, "{\"b\":2}");
    expect_document(&documents, 3, "{\"c\":3}");
    expect_end(&documents);
}

static void one_document_laid_out(void **state)
{
    (void)state;
    struct documents documents;
    open_content(&documents, "\n{\n  \"q\": 1.250,\r\n  \"s\": \"a b\"\n}\n");
    expect_document(&documents, 2, "{   \"q\": 1.250,    \"s\": \"a b\" } ");
    expect_end(&documents);
    open_content(&documents, "");
    expect_end(&documents);
}

/* Longer than what is read at once, so that the bytes move under the reader. */
static void long_lines(void **state)
{
    (void)state;
    enum { LINES = 20, LINE_BYTES = 50000 };
    char *content = malloc(LINES * (LINE_BYTES + 1) + 1);
    char *at = content;
    for (int i = 0; i < LINES; i++) {
        memset(at, 'x', LINE_BYTES);
        memcpy(at, "{\"a\":\"", 6);
        at[6] = (char)('a' + i);
        memcpy(at + LINE_BYTES - 2, "\"}\n", 3);
        at += LINE_BYTES + 1;
    }
    *at = '\0';
    struct documents documents;
    struct text document;
    struct failure failure = {0};
    open_content(&documents, content);
    free(content);
    for (int i = 0; i < LINES; i++) {
        assert_int_equal(documents_next(&documents, &document, &failure), 1);
        assert_int_equal(document.length, LINE_BYTES);
        assert_int_equal(document.bytes[6], 'a' + i);
    }
    expect_end(&documents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members),
        cmocka_unit_test(damaged_replies),
        cmocka_unit_test(elements),
        cmocka_unit_test(integers),
        cmocka_unit_test(strings),
        cmocka_unit_test(visible),
        cmocka_unit_test(documents_by_line),
        cmocka_unit_test(first_document_bad),
        cmocka_unit_test(one_document_laid_out),
        cmocka_unit_test(long_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
