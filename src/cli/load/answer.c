#include "cli/load/answer.h"

#include "cli/slice.h"

/* What stands behind `key`, which is a member's name with its quotes and colon. No string of the
 * reply can hold it: inside one its quotes would be escaped. */
static struct text behind(struct text line, struct text key)
{
    const char *found = memmem(line.bytes, line.length, key.bytes, key.length);
    if (!found)
        return (struct text){NULL, 0};
    const char *value = found + key.length;
    return (struct text){value, (size_t)(line.bytes + line.length - value)};
}

/* The digits that begin there; `otherwise` where none do. */
static int64_t number_behind(struct text line, struct text key, int64_t otherwise)
{
    struct text value = behind(line, key);
    size_t length = 0;
    while (length < value.length && ((value.bytes[length] >= '0' && value.bytes[length] <= '9') ||
                                     (length == 0 && value.bytes[0] == '-')))
        length++;
    return slice_int_or((struct text){value.bytes, length}, otherwise);
}

static enum answer_outcome outcome_of(struct text line)
{
    static const char *const words[] = {"", "\"accepted\"", "\"rejected\"", "\"duplicate\"",
                                        "\"conflict\""};
    struct text value = behind(line, TEXT_LITERAL("\"outcome\":"));
    for (int i = OUTCOME_ACCEPTED; i <= OUTCOME_CONFLICT; i++) {
        size_t length = strlen(words[i]);
        if (value.length > length && memcmp(value.bytes, words[i], length) == 0)
            return (enum answer_outcome)i;
    }
    return OUTCOME_NONE;
}

bool answer_read(struct text line, struct answer *answer)
{
    static const struct text good = {"{\"ok\":true", 10};
    if (line.length < 11 || line.bytes[line.length - 1] != '}')
        return false;
    *answer = (struct answer){.ok = memcmp(line.bytes, good.bytes, good.length) == 0};
    answer->seq = number_behind(line, TEXT_LITERAL("\"seq\":"), -1);
    if (!answer->ok) {
        answer->error = slice_member(line, "error");
        answer->message = slice_member(line, "message");
        return text_is(slice_member(line, "ok"), "false") && answer->error.length > 2;
    }
    answer->offset = number_behind(line, TEXT_LITERAL("\"offset\":"), -1);
    answer->last_seq = number_behind(line, TEXT_LITERAL("\"last_seq\":"), -2);
    answer->duplicate = behind(line, TEXT_LITERAL("\"duplicate\":true")).bytes != NULL;
    answer->outcome = outcome_of(line);
    return line.bytes[good.length] == ',' || line.bytes[good.length] == '}';
}
