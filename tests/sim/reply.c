#include "reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "disk.h"
#include "terminal_internal.h"

/* One reply on its way through the checks. */
struct answer {
    struct terminal *terminal;
    struct books *books;
    struct asked asked;
    struct json json;
    struct buffer scratch;
    struct text line;
};

static void wrong(const struct answer *answer, const char *what)
{
    breach_tell(answer->books->breach, "%s: %s: %.*s",
                shop_terminal_name(answer->terminal->options.number), what,
                (int)(answer->line.length < 200 ? answer->line.length : 200), answer->line.bytes);
}

static int64_t int_of(struct answer *answer, uint32_t object, const char *name, int64_t otherwise)
{
    int64_t value;
    uint32_t node = json_member(&answer->json, object, name);
    return node != JSON_ABSENT && json_int(&answer->json, node, &value) == 0 ? value : otherwise;
}

static bool has(struct answer *answer, const char *name)
{
    return json_member(&answer->json, 0, name) != JSON_ABSENT;
}

/* "-12.05" -> -12050 */
static int64_t milli_of(struct answer *answer, uint32_t node)
{
    struct text text = json_text(&answer->json, node, &answer->scratch);
    int64_t milli = 0, decimals = -1;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] == '.')
            decimals = 0;
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            continue;
        milli = milli * 10 + (text.bytes[i] - '0');
        decimals += decimals >= 0;
    }
    for (decimals = decimals < 0 ? 0 : decimals; decimals < 3; decimals++)
        milli *= 10;
    return text.length > 0 && text.bytes[0] == '-' ? -milli : milli;
}

/* The books know all offsets below `end`: what a reply speaks of is on disk. */
static bool need(struct answer *answer, int64_t end)
{
    if (answer->books->journal_count >= end)
        return true;
    struct sim_fault fault = sim_disk_hold();
    books_read(answer->books, false);
    sim_disk_arm(fault);
    if (answer->books->journal_count >= end)
        return true;
    wrong(answer, "it speaks of an offset that is not in the journal");
    return false;
}

/* --- refusals --- */

static void take_refusal(struct answer *answer)
{
    const struct terminal_weather *weather = answer->terminal->options.weather;
    uint32_t code = json_member(&answer->json, 0, "error");
    if (answer->asked.question == ASKED_NONSENSE)
        return;
    static const char *const of_failure[] = {
        "JOURNAL_FAILED", "FAILED", "APPLIER_FAILED", "NO_MEMORY", "JOURNAL_FULL", "DAMAGED", NULL};
    static const char *const of_room[] = {"JOURNAL_FULL", "APPLIER_FAILED", "FAILED", NULL};
    bool due = false;
    for (int i = 0; of_failure[i]; i++)
        due = due || (weather->disk_failed && json_string_is(&answer->json, code, of_failure[i]));
    for (int i = 0; of_room[i]; i++)
        due = due || (weather->disk_full && json_string_is(&answer->json, code, of_room[i]));
    if (!due)
        wrong(answer, "refused without a reason");
}

/* --- what was asked --- */

static void check_row(struct answer *answer, uint32_t row, int64_t at)
{
    uint32_t name = json_member(&answer->json, row, "sku");
    for (int sku = 0; sku < SKUS; sku++) {
        bool known;
        if (!json_string_is(&answer->json, name, shop_sku_name(sku)))
            continue;
        int64_t want = shop_on_hand_milli(answer->books->shop, sku, at, &known);
        int64_t got = milli_of(answer, json_member(&answer->json, row, "on_hand"));
        if (got != want)
            breach_tell(answer->books->breach,
                        "%s on hand below offset %" PRId64 ": got %" PRId64 ", want %" PRId64
                        " thousandths",
                        shop_sku_name(sku), at, got, want);
        return;
    }
    wrong(answer, "a sku nobody sold");
}

static int64_t check_rows(struct answer *answer, int64_t at)
{
    uint32_t rows = json_member(&answer->json, 0, "stock");
    int64_t count = 0;
    if (rows == JSON_ABSENT)
        return 0;
    for (uint32_t i = json_first(&answer->json, rows); i != json_end(&answer->json, rows);
         i = json_next(&answer->json, i), count++)
        check_row(answer, i, at);
    return count;
}

static void take_outcome(struct answer *answer, int64_t offset)
{
    if (offset < 0 || !need(answer, offset + 1))
        return;
    const char *want = shop_outcome(answer->books->shop, offset);
    if (!json_string_is(&answer->json, json_member(&answer->json, 0, "outcome"), want))
        wrong(answer, "another outcome than the model's");
    else if (strcmp(want, "accepted") == 0)
        check_rows(answer, offset + 1);
}

static void take_put(struct answer *answer)
{
    struct terminal *terminal = answer->terminal;
    int number = terminal->options.number;
    struct sent *sent = books_sent(answer->books, number, answer->asked.seq);
    bool duplicate = has(answer, "duplicate");
    int64_t offset = int_of(answer, 0, "offset", -1);
    if (int_of(answer, 0, "seq", -1) != answer->asked.seq)
        wrong(answer, "another seq than was asked");
    else if (offset < 0 && !duplicate)
        wrong(answer, "no offset");
    else if (sent->acknowledged && !duplicate)
        wrong(answer, "acknowledged before, and now journaled again");
    else if (has(answer, "warning"))
        wrong(answer, "the same document, taken for another");
    else
        books_promise(answer->books, number, answer->asked.seq, offset);
    sent->acknowledged = true;
    terminal->promises++;
    if (answer->asked.question == ASKED_PUT_APPLIED)
        take_outcome(answer, offset);
}

static void take_hello(struct answer *answer)
{
    struct terminal *terminal = answer->terminal;
    int number = terminal->options.number;
    const struct account *account = &answer->books->accounts[number];
    int64_t last_seq = int_of(answer, 0, "last_seq", -2);
    int64_t newest = account->sent_count - 1;
    while (newest >= 0 && !account->sent[newest].promised)
        newest--;
    if (last_seq < newest)
        wrong(answer, "last_seq lies below what was acknowledged");
    else if (last_seq >= 0)
        books_promise(answer->books, number, last_seq, -1);
    if (!answer->books->breach->found)
        terminal_resend(terminal, last_seq);
}

static void take_stock(struct answer *answer)
{
    uint32_t applied = json_member(&answer->json, 0, "applied");
    int64_t at;
    if (applied == JSON_ABSENT ||
        json_int(&answer->json, json_first(&answer->json, applied), &at)) {
        wrong(answer, "stock without applied");
        return;
    }
    if (!need(answer, at))
        return;
    int64_t rows = check_rows(answer, at), known_skus = 0;
    for (int sku = 0; sku < SKUS; sku++) {
        bool known;
        shop_on_hand_milli(answer->books->shop, sku, at, &known);
        known_skus += known;
    }
    if (answer->asked.all && rows != known_skus)
        wrong(answer, "not every sku is there");
}

static void take_fetch(struct answer *answer)
{
    uint32_t records = json_member(&answer->json, 0, "records");
    int64_t offset = answer->asked.offset, end = int_of(answer, 0, "end", -1);
    if (records == JSON_ABSENT || end < offset) {
        wrong(answer, "no records, or an end before them");
        return;
    }
    for (uint32_t i = json_first(&answer->json, records); i != json_end(&answer->json, records);
         i = json_next(&answer->json, i), offset++) {
        if (!need(answer, offset + 1))
            return;
        struct text value = json_raw(&answer->json, json_member(&answer->json, i, "value"));
        const struct sent *sent = books_at(answer->books, offset);
        if (int_of(answer, i, "offset", -1) != offset || !text_is(value, sent->document->text))
            wrong(answer, "a record that is not what was journaled");
    }
    if (offset == answer->asked.offset && end > offset)
        wrong(answer, "nothing, although there is something");
}

static void take_commit(struct answer *answer)
{
    struct account *account = &answer->books->accounts[answer->terminal->options.number];
    int64_t offset = int_of(answer, 0, "offset", -1);
    if (offset != answer->asked.offset)
        wrong(answer, "another offset than was committed");
    account->group_offset = offset;
    int gone = 0; /* what was asked before it is overwritten */
    while (gone < account->group_guess_count && account->group_guesses[gone] != offset)
        gone++;
    gone += gone < account->group_guess_count;
    account->group_guess_count -= gone;
    memmove(account->group_guesses, account->group_guesses + gone,
            (size_t)account->group_guess_count * sizeof account->group_guesses[0]);
}

static void take_committed(struct answer *answer)
{
    const struct account *account = &answer->books->accounts[answer->terminal->options.number];
    int64_t offset = int_of(answer, 0, "offset", -2);
    bool known = offset == account->group_offset;
    for (int i = 0; i < account->group_guess_count; i++)
        known = known || offset == account->group_guesses[i];
    if (!known)
        wrong(answer, "not the offset the group committed");
}

static void take_note(struct answer *answer)
{
    struct note *note =
        &answer->books->accounts[answer->terminal->options.number].notes[answer->asked.seq];
    note->promised_at = int_of(answer, 0, "offset", -1);
    answer->terminal->promises++;
    if (note->promised_at < 0)
        wrong(answer, "no offset");
}

static void take_answer(struct answer *answer)
{
    switch (answer->asked.question) {
    case ASKED_HELLO:
        take_hello(answer);
        break;
    case ASKED_PUT:
    case ASKED_PUT_APPLIED:
        take_put(answer);
        break;
    case ASKED_STOCK:
        take_stock(answer);
        break;
    case ASKED_FETCH:
        take_fetch(answer);
        break;
    case ASKED_COMMIT:
        take_commit(answer);
        break;
    case ASKED_COMMITTED:
        take_committed(answer);
        break;
    case ASKED_NOTE:
        take_note(answer);
        break;
    case ASKED_STATUS:
    case ASKED_ROLL:
        break;
    case ASKED_PUT_SILENTLY:
        wrong(answer, "an answer to what asked for none");
        break;
    case ASKED_NONSENSE:
        wrong(answer, "nonsense was taken");
        break;
    }
}

/* The request it answers: the oldest, but for those that ask for no answer. False: none. */
static bool find_asked(struct answer *answer)
{
    struct terminal *terminal = answer->terminal;
    int64_t tag = int_of(answer, 0, "tag", -1);
    while (terminal->count > 0) {
        answer->asked = terminal->asked[terminal->first];
        terminal->first = (terminal->first + 1) % ASKED_MAX;
        terminal->count--;
        bool nonsense = answer->asked.question == ASKED_NONSENSE;
        if (nonsense ? tag == -1 : tag == answer->asked.tag)
            return true;
        if (answer->asked.question != ASKED_PUT_SILENTLY)
            break;
    }
    wrong(answer, "not the answer to the request whose turn it is");
    return false;
}

void reply_take(struct terminal *terminal, struct text line)
{
    struct answer answer = {.terminal = terminal, .books = terminal->options.books, .line = line};
    if (answer.books->breach->found)
        return;
    buffer_reserve(&answer.scratch, line.length + 1);
    if (json_parse(&answer.json, line, NULL) != 0)
        wrong(&answer, "a reply that is not JSON");
    else if (find_asked(&answer)) {
        uint32_t ok = json_member(&answer.json, 0, "ok");
        if (ok != JSON_ABSENT && json_type(&answer.json, ok) == JSON_TRUE)
            take_answer(&answer);
        else
            take_refusal(&answer);
    }
    json_free(&answer.json);
    buffer_free(&answer.scratch);
}
