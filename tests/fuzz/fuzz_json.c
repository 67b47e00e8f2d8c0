/* json: any bytes. What is read lies inside the text, a member is found by its name, a string's
 * content written again is the same string; the canonical form is read again and is its own
 * canonical form; a second value behind the first is refused. (That the same texts are accepted as
 * by jansson is tests/unit/test_json_differential.c's matter.) */
#include "base/json.h"
#include "fuzz.h"

static struct json json, other;
static struct buffer scratch, first, second;

static void check_string(uint32_t node)
{
    buffer_clear(&scratch);
    buffer_clear(&first);
    buffer_clear(&second);
    struct text content = json_text(&json, node, &scratch);
    buffer_add_json(&first, content);
    if (json_parse(&other, buffer_text(&first), NULL) != 0)
        breach("a string written again cannot be read: %.*s", (int)first.length, first.bytes);
    if (!text_equal(json_text(&other, 0, &second), content))
        breach("a string written again is another: %.*s", (int)first.length, first.bytes);
}

static void check_members(uint32_t object)
{
    uint32_t members = 0;
    for (uint32_t key = json_first(&json, object); key != json_end(&json, object);
         key = json_next(&json, key + 1)) {
        buffer_clear(&scratch);
        buffer_add_text(&scratch, json_text(&json, key, &first));
        buffer_clear(&first);
        buffer_add_byte(&scratch, '\0');
        if (json_member(&json, object, scratch.bytes) != key + 1)
            breach("the member %s is not found", scratch.bytes);
        members++;
    }
    if (members != json.nodes[object].count)
        breach("%u members are counted as %u", members, json.nodes[object].count);
}

static void check_nodes(struct text text)
{
    for (uint32_t node = 0; node < json.count; node++) {
        struct text raw = json_raw(&json, node);
        int64_t whole;
        if (raw.bytes < text.bytes || raw.bytes + raw.length > text.bytes + text.length)
            breach("node %u lies outside the text", node);
        if (json.nodes[node].next <= node || json.nodes[node].next > json.count)
            breach("node %u is followed by %u of %u", node, json.nodes[node].next, json.count);
        switch (json_type(&json, node)) {
        case JSON_STRING:
            check_string(node);
            break;
        case JSON_OBJECT:
            check_members(node);
            break;
        case JSON_NUMBER:
            if (json_int(&json, node, &whole) == 0 && memchr(raw.bytes, '.', raw.length))
                breach("%.*s is taken for whole", (int)raw.length, raw.bytes);
            break;
        default:
            break;
        }
    }
}

static void check_canonical(void)
{
    struct buffer once = {0}, twice = {0};
    json_canonical(&json, NULL, &once);
    if (json_parse(&other, buffer_text(&once), NULL) != 0)
        breach("the canonical form cannot be read: %.*s", (int)once.length, once.bytes);
    if (other.count != json.count)
        breach("%u nodes have a canonical form of %u", json.count, other.count);
    json_canonical(&other, NULL, &twice);
    if (!text_equal(buffer_text(&once), buffer_text(&twice)))
        breach("%.*s is not its own canonical form", (int)once.length, once.bytes);
    buffer_free(&once);
    buffer_free(&twice);
}

static void check_second_value(struct text text)
{
    struct buffer both = {0};
    buffer_add_text(&both, text);
    buffer_add_string(&both, " 1");
    if (json_parse(&other, buffer_text(&both), NULL) == 0)
        breach("two values are taken for one");
    buffer_free(&both);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct text text = {(const char *)bytes, length};
    struct failure failure = {0};
    if (json_parse(&json, text, &failure) != 0) {
        if (!failure.code || failure.message[0] == '\0')
            breach("refused without a reason");
        return 0;
    }
    check_nodes(text);
    check_canonical();
    check_second_value(text);
    return 0;
}
