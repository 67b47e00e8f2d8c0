/* json against jansson: thousands of seeded, mutated documents must be accepted by both or by
 * neither, and where both accept, they must have read the same values.
 *
 * Known differences, left out of the comparison: a number too large for jansson's double or 64-bit
 * integer (ours keeps its bytes), nesting between our limit and jansson's, and a raw NUL byte,
 * which jansson passes over when it stands directly behind a number or a word. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* Both readers name their types JSON_…; jansson's are called JANSSON_… here. Its json_is_… macros
 * use the old names and must not be used. */
#define json_type jansson_type
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_INTEGER JANSSON_INTEGER
#define JSON_REAL JANSSON_REAL
#define JSON_TRUE JANSSON_TRUE
#define JSON_FALSE JANSSON_FALSE
#define JSON_NULL JANSSON_NULL
#include <jansson.h>
#undef json_type
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_INTEGER
#undef JSON_REAL
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_NULL

#include "base/json.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define ROUNDS 60000

static const char *const seeds[] = {
    "{\"type\":\"sale\",\"id\":\"0001-T01-20261122-00042\",\"shop\":\"0001\",\"seq\":4711,"
    "\"lines\":[{\"sku\":\"6901234567892\",\"qty\":2},{\"sku\":\"20004\",\"qty\":\"0.575\"}]}",
    "{\"op\":\"put\",\"doc\":{\"a\":[1,-2,3.5e-7,0,-0.0],\"b\":null,\"c\":true,\"d\":false}}",
    "[\"caf\xc3\xa9\",\"\\u00e9\\ud83d\\ude00\",\"\xf0\x9f\x98\x80\",\"\\\"\\\\\\/"
    "\\b\\f\\n\\r\\t\"]",
    " { \"k\" : [ { } , [ ] , { \"k\" : { \"k\" : [ [ [ 0 ] ] ] } } ] , \"l\" : \"\" }\r\n",
    "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":10,\"k\":11,"
    "\"l\":12,\"m\":13,\"n\":14,\"o\":15,\"p\":16,\"q\":17,\"r\":18,\"\\u0073\":19}",
};

static const char *const pieces[] = {
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u",
    "\\u0000",
    "\\ud800",
    "\\udc00",
    "\\u0061",
    "null",
    "true",
    "false",
    "-",
    "0",
    "1e5",
    "1.25",
    "e",
    ".",
    "+",
    " ",
    "\n",
    "\x01",
    "\x7f",
    "\x80",
    "\xc3\xa9",
    "\xed\xa0\x80",
    "\xf4\x90\x80\x80",
    "\xff",
    "\"a\":",
    "\"k\":1,",
    "[[[[",
    "]]]]",
    "\"b\"",
    "\xef\xbb\xbf",
    "/**/",
    "NaN",
};

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

static void replace(struct buffer *text, size_t at, size_t length, const char *with,
                    size_t with_length)
{
    struct buffer result = {0};
    buffer_add(&result, text->bytes, at);
    buffer_add(&result, with, with_length);
    buffer_add(&result, text->bytes + at + length, text->length - at - length);
    assert_false(result.failed);
    buffer_free(text);
    *text = result;
}

static void mutate(struct buffer *text, uint64_t *seed)
{
    size_t at = text->length ? next_random(seed) % text->length : 0;
    size_t length = next_random(seed) % 8;
    if (length > text->length - at)
        length = text->length - at;
    const char *piece = pieces[next_random(seed) % COUNT(pieces)];
    char slice[8];
    memcpy(slice, text->bytes + at, length);
    switch (next_random(seed) % 6) {
    case 0:
        if (text->length > 0)
            text->bytes[at] = (char)next_random(seed);
        break;
    case 1:
        replace(text, at, length, "", 0);
        break;
    case 2:
        replace(text, at, 0, piece, strlen(piece));
        break;
    case 3:
        replace(text, at, length, piece, strlen(piece));
        break;
    case 4:
        replace(text, next_random(seed) % (at + 1), 0, slice, length);
        break;
    default:
        if (text->length > 0)
            text->bytes[at] = (char)(text->bytes[at] ^ (1 << next_random(seed) % 8));
        break;
    }
}

static bool is_theirs(const json_t *value, int type)
{
    return (int)json_typeof(value) == type;
}

static bool same_string(const struct json *json, uint32_t node, struct text theirs)
{
    struct buffer scratch = {0};
    bool same = text_equal(json_text(json, node, &scratch), theirs);
    buffer_free(&scratch);
    return same;
}

static bool same_number(const struct json *json, uint32_t node, const json_t *theirs)
{
    if (is_theirs(theirs, JANSSON_INTEGER)) {
        int64_t value;
        return json_int(json, node, &value) == 0 && value == json_integer_value(theirs);
    }
    char digits[256];
    struct text raw = json_raw(json, node);
    if (raw.length >= sizeof digits)
        return is_theirs(theirs, JANSSON_REAL);
    memcpy(digits, raw.bytes, raw.length);
    digits[raw.length] = '\0';
    double value = strtod(digits, NULL);
    return is_theirs(theirs, JANSSON_REAL) && value <= json_real_value(theirs) &&
           value >= json_real_value(theirs);
}

static bool same_value(const struct json *json, uint32_t node, json_t *theirs);

static bool same_members(const struct json *json, uint32_t object, json_t *theirs)
{
    if (json->nodes[object].count != json_object_size(theirs))
        return false;
    const char *key;
    json_t *value;
    json_object_foreach(theirs, key, value)
    {
        uint32_t member = json_member(json, object, key);
        if (member == JSON_ABSENT || !same_value(json, member, value))
            return false;
    }
    return true;
}

static bool same_elements(const struct json *json, uint32_t array, json_t *theirs)
{
    if (json->nodes[array].count != json_array_size(theirs))
        return false;
    size_t index = 0;
    for (uint32_t node = json_first(json, array); node != json_end(json, array);
         node = json_next(json, node))
        if (!same_value(json, node, json_array_get(theirs, index++)))
            return false;
    return true;
}

static bool same_value(const struct json *json, uint32_t node, json_t *theirs)
{
    switch (json_type(json, node)) {
    case JSON_OBJECT:
        return is_theirs(theirs, JANSSON_OBJECT) && same_members(json, node, theirs);
    case JSON_ARRAY:
        return is_theirs(theirs, JANSSON_ARRAY) && same_elements(json, node, theirs);
    case JSON_STRING:
        return is_theirs(theirs, JANSSON_STRING) &&
               same_string(json, node,
                           (struct text){json_string_value(theirs), json_string_length(theirs)});
    case JSON_NUMBER:
        return same_number(json, node, theirs);
    case JSON_TRUE:
        return is_theirs(theirs, JANSSON_TRUE);
    case JSON_FALSE:
        return is_theirs(theirs, JANSSON_FALSE);
    default:
        return is_theirs(theirs, JANSSON_NULL);
    }
}

enum verdict { BOTH_ACCEPT, BOTH_REFUSE, KNOWN_DIFFERENCE };

static enum verdict compare(struct json *json, struct text text)
{
    struct failure failure = {0};
    bool ours = json_parse(json, text, &failure) == 0;
    json_error_t error;
    json_t *theirs =
        json_loadb(text.bytes, text.length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    bool known = (!theirs && json_error_code(&error) == json_error_numeric_overflow) ||
                 (!ours && strstr(failure.message, "nested too deep")) ||
                 (!ours && memchr(text.bytes, '\0', text.length));
    if (!known && ours != (theirs != NULL))
        fail_msg("%s: ours %s, jansson %s\n%.*s", ours ? "accepted" : "refused", failure.message,
                 theirs ? "accepts" : error.text, (int)text.length, text.bytes);
    if (ours && theirs && !same_value(json, 0, theirs))
        fail_msg("read differently: %.*s", (int)text.length, text.bytes);
    json_decref(theirs);
    return known ? KNOWN_DIFFERENCE : ours ? BOTH_ACCEPT : BOTH_REFUSE;
}

static void agrees_with_jansson(void **state)
{
    (void)state;
    uint64_t seed = 20261122;
    struct json json = {0};
    int verdicts[3] = {0};
    for (int round = 0; round < ROUNDS; round++) {
        struct buffer text = {0};
        buffer_add_string(&text, seeds[(size_t)round % COUNT(seeds)]);
        for (uint32_t i = next_random(&seed) % 4; i > 0; i--)
            mutate(&text, &seed);
        verdicts[compare(&json, buffer_text(&text))]++;
        buffer_free(&text);
    }
    json_free(&json);
    print_message("%d accepted, %d refused, %d known differences\n", verdicts[BOTH_ACCEPT],
                  verdicts[BOTH_REFUSE], verdicts[KNOWN_DIFFERENCE]);
    /* a comparison that only ever sees one side proves little */
    assert_true(verdicts[BOTH_ACCEPT] > ROUNDS / 10);
    assert_true(verdicts[BOTH_REFUSE] > ROUNDS / 10);
    assert_true(verdicts[KNOWN_DIFFERENCE] < ROUNDS / 100);
}

static void agrees_on_every_short_text(void **state)
{
    (void)state;
    static const char alphabet[] = "[]{},:\"\\0-.e1u ";
    const size_t letters = sizeof alphabet - 1;
    struct json json = {0};
    char text[5];
    for (size_t number = 0; number < letters * letters * letters * letters; number++) {
        size_t rest = number;
        for (int i = 0; i < 4; i++, rest /= letters)
            text[i] = alphabet[rest % letters];
        compare(&json, (struct text){text, 4});
        compare(&json, (struct text){text, 3});
    }
    json_free(&json);
}

/* The known differences are real ones: each reader does what its side of the list says. */
static void differs_where_the_list_says(void **state)
{
    (void)state;
    static const struct text texts[] = {
        TEXT_LITERAL("1e400"),
        TEXT_LITERAL("99999999999999999999"),
        TEXT_LITERAL("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"),
        TEXT_LITERAL("[0\0]"),
    };
    struct json json = {0};
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(compare(&json, texts[i]), KNOWN_DIFFERENCE);
    json_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_jansson),
        cmocka_unit_test(agrees_on_every_short_text),
        cmocka_unit_test(differs_where_the_list_says),
    };
    return cmocka_run_group_tests_name("json_differential", tests, NULL, NULL);
}
