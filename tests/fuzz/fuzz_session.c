/* session: a whole daemon without sockets and threads, and one terminal that says anything.
 *
 * Input: a byte that decides how the bytes are cut and when which part moves; then the bytes. Each
 * line gets one reply, a line of JSON, in the order asked (told by the tags); what was answered
 * with an offset lies below the journal's end. The daemon lives on for LIVES inputs; then its
 * journal and its stock must be sound. */
#include "fuzz.h"
#include "stock/audit.h"
#include "support_engine.h"

#define LIVES 100
#define LINES_MAX 512
#define MOVES_MAX 2000

/* A line that was said, or a reply. */
struct said {
    struct text tag;  /* raw; absent = none is echoed */
    bool may_be_mute; /* a put with ack none: a reply only where it was refused */
};

static struct house *house;
static int lived;
static struct request request;
static struct json json;

static void open_house(void)
{
    void *state = NULL;
    house_open(&state);
    house = state;
    house_hang_up(house, 0);
    house->config.max_line_bytes = 300;
    house->config.max_in_flight = 5;
    house->config.max_reply_bytes = 2000;
    house->config.max_pending_bytes = 20000;
    snprintf(house->config.management, sizeof house->config.management, "M1 M2");
    fuzz_quiet();
}

static void close_house(void)
{
    struct audit audit;
    struct failure failure;
    void *state = house;
    move_everything(house);
    if (audit_directory(house->scene.directory, NULL, NULL, &audit, &failure) != 0)
        breach("no audit: %s", failure.message);
    if (!audit.sound)
        breach("not sound: %s", audit.fault);
    house_close(&state);
    house = NULL;
}

static void end_house(void)
{
    if (house)
        close_house();
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    (void)count;
    (void)arguments;
    fuzz_quiet();
    atexit(end_house);
    return 0;
}

/* --- what is to come back --- */

static struct said expected_of(struct text line)
{
    struct failure failure;
    bool reads = request_read(&request, line, &failure) == 0;
    struct said said = {.tag = request.tag};
    /* Told by the line alone: the reader of requests may refuse it for something else. */
    if (json_parse(&json, line, NULL) == 0 && json_type(&json, 0) == JSON_OBJECT)
        said.may_be_mute = reads && request.operation == OPERATION_PUT && request.ack == ACK_NONE;
    return said;
}

/* The lines that are answered, up to the one that is too long; -1 where there are too many. Their
 * tags point into `bytes`. */
static int expect(struct text bytes, struct said expected[LINES_MAX])
{
    size_t limit = (size_t)house->config.max_line_bytes;
    int count = 0;
    for (const char *at = bytes.bytes, *end = at + bytes.length; at < end;) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        struct text line = {at, (size_t)((feed ? feed : end) - at)};
        if (line.length > 0 && line.bytes[line.length - 1] == '\r')
            line.length--;
        if (count == LINES_MAX)
            return -1;
        bool too_long = line.length > limit;
        if (!feed && !too_long)
            break;
        expected[count++] = too_long ? (struct said){0} : expected_of(line);
        if (too_long)
            break;
        at = feed + 1;
    }
    return count;
}

static void check_offset(uint32_t reply)
{
    int64_t offset;
    uint32_t topic = json_member(&json, reply, "topic");
    uint32_t node = json_member(&json, reply, "offset");
    struct buffer scratch = {0};
    if (topic != JSON_ABSENT && node != JSON_ABSENT && json_int(&json, node, &offset) == 0 &&
        offset >= journal_end(house->scene.journal, json_text(&json, topic, &scratch), 0))
        breach("acknowledged at offset %" PRId64 ", which is not in the journal", offset);
    buffer_free(&scratch);
}

static int read_replies(struct text heard, struct said replies[LINES_MAX + 1])
{
    int count = 0;
    while (heard.length > 0) {
        const char *feed = memchr(heard.bytes, '\n', heard.length);
        struct failure failure;
        if (!feed || count > LINES_MAX)
            breach("more or less than lines came back: %.*s", (int)heard.length, heard.bytes);
        struct text line = {heard.bytes, (size_t)(feed - heard.bytes)};
        if (json_parse(&json, line, &failure) != 0 || json_member(&json, 0, "ok") == JSON_ABSENT)
            breach("no reply: %s: %.*s", failure.message, (int)line.length, line.bytes);
        check_offset(0);
        uint32_t tag = json_member(&json, 0, "tag");
        replies[count++] =
            (struct said){.tag = tag == JSON_ABSENT ? (struct text){0} : json_raw(&json, tag)};
        heard.bytes += line.length + 1;
        heard.length -= line.length + 1;
    }
    return count;
}

/* Is there a way to lay the replies beside the lines, in order, leaving out only mute ones? */
static bool fits(const struct said *expected, int lines, const struct said *replies, int count)
{
    static bool reachable[LINES_MAX + 2]; /* so many replies are used up by the lines so far */
    memset(reachable, 0, sizeof reachable);
    reachable[0] = true;
    for (int line = 0; line < lines; line++)
        for (int used = count; used >= 0; used--) {
            bool answered = used > 0 && reachable[used - 1] &&
                            text_equal(expected[line].tag, replies[used - 1].tag);
            reachable[used] = answered || (reachable[used] && expected[line].may_be_mute);
        }
    return reachable[count];
}

/* --- talking --- */

static void move_one(struct dice *dice)
{
    switch (dice_below(dice, 4)) {
    case 0:
        write_once(house);
        break;
    case 1:
        apply_once(house);
        break;
    case 2:
        read_once(house);
        break;
    default:
        collect(house);
    }
}

static void hear_out(struct session *session, struct buffer *heard)
{
    struct buffer *output = session_output(session);
    buffer_add_text(heard, buffer_text(output));
    buffer_clear(output);
    session_next_second(session);
    session_resume(session);
    engine_flush(house->engine);
}

static void talk(struct session *session, struct text bytes, struct dice dice, struct buffer *heard)
{
    int moves = 0;
    while (bytes.length > 0 && !session_is_over(session) && moves++ < MOVES_MAX) {
        size_t length = (size_t)(1 + dice_below(&dice, 1 << dice_below(&dice, 11)));
        if (length > bytes.length)
            length = bytes.length;
        if (session_wants_input(session)) {
            session_receive(session, (struct text){bytes.bytes, length});
            bytes.bytes += length;
            bytes.length -= length;
        }
        engine_flush(house->engine);
        move_one(&dice);
        hear_out(session, heard);
    }
    session_end_input(session);
    engine_flush(house->engine);
    while (!session_is_over(session) && moves++ < MOVES_MAX) {
        move_everything(house);
        hear_out(session, heard);
    }
    hear_out(session, heard);
    if (!session_is_over(session))
        breach("somebody waits for ever");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct said expected[LINES_MAX], replies[LINES_MAX + 1];
    struct input input = {bytes, bytes + length};
    struct dice dice = {input_byte(&input)};
    struct text text = input_rest(&input);
    if (!house)
        open_house();
    int lines = expect(text, expected);
    if (lines < 0 || text.length > 4096)
        return 0;
    struct buffer heard = {0};
    house_connect(house, 0);
    talk(house->tills[0].session, text, dice, &heard);
    house_hang_up(house, 0);
    int count = read_replies(buffer_text(&heard), replies);
    if (!fits(expected, lines, replies, count))
        breach("%d lines, %d replies, not one a line in order:\n%.*s", lines, count,
               (int)heard.length, heard.bytes);
    buffer_free(&heard);
    if (++lived % LIVES == 0)
        close_house();
    return 0;
}
