#include "books.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/read.h"

struct sent_place {
    int terminal;
    int64_t seq;
};

static void *must(void *memory)
{
    if (!memory) {
        perror("sim");
        exit(2);
    }
    return memory;
}

void breach_tell(struct breach *breach, const char *format, ...)
{
    if (breach->found)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(breach->what, sizeof breach->what, format, arguments);
    va_end(arguments);
    breach->found = true;
}

struct books *books_open(const char *directory, struct breach *breach)
{
    struct books *books = must(calloc(1, sizeof *books));
    books->directory = directory;
    books->breach = breach;
    books->shop = shop_open();
    for (int i = 0; i < TERMINALS; i++)
        books->accounts[i].group_offset = -1;
    return books;
}

void books_close(struct books *books)
{
    for (int i = 0; i < TERMINALS; i++) {
        struct account *account = &books->accounts[i];
        for (int64_t seq = 0; seq < account->sent_count; seq++)
            shop_free_document(account->sent[seq].document);
        free(account->sent);
        free(account->notes);
    }
    free(books->journal);
    shop_close(books->shop);
    free(books);
}

/* Room for one more of `size` bytes in an array of `count`, which doubles at powers of two. */
static void *grown(void *array, int64_t count, size_t size)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return array;
    return must(realloc(array, (size_t)(count ? count * 2 : 1) * size));
}

struct sent *books_add(struct books *books, struct deed_document *document)
{
    struct account *account = &books->accounts[document->terminal];
    account->sent = grown(account->sent, account->sent_count, sizeof *account->sent);
    struct sent *sent = &account->sent[account->sent_count++];
    *sent = (struct sent){.document = document, .promised_at = -1, .journaled_at = -1};
    return sent;
}

struct sent *books_sent(struct books *books, int terminal, int64_t seq)
{
    struct account *account = &books->accounts[terminal];
    return seq >= 0 && seq < account->sent_count ? &account->sent[seq] : NULL;
}

struct note *books_add_note(struct books *books, int terminal)
{
    struct account *account = &books->accounts[terminal];
    account->notes = grown(account->notes, account->note_count, sizeof *account->notes);
    struct note *note = &account->notes[account->note_count++];
    *note = (struct note){-1, -1};
    return note;
}

const struct sent *books_at(struct books *books, int64_t offset)
{
    if (offset < 0 || offset >= books->journal_count)
        return NULL;
    struct sent_place place = books->journal[offset];
    return books_sent(books, place.terminal, place.seq);
}

void books_promise(struct books *books, int terminal, int64_t seq, int64_t offset)
{
    struct sent *sent = books_sent(books, terminal, seq);
    if (!sent) {
        breach_tell(books->breach, "%s was promised seq %" PRId64 ", which it never sent",
                    shop_terminal_name(terminal), seq);
        return;
    }
    if (sent->promised_at >= 0 && offset >= 0 && sent->promised_at != offset)
        breach_tell(books->breach,
                    "%s seq %" PRId64 " was acknowledged at offset %" PRId64 ", now at %" PRId64,
                    shop_terminal_name(terminal), seq, sent->promised_at, offset);
    sent->promised = true;
    if (offset >= 0)
        sent->promised_at = offset;
}

/* --- reading the journal --- */

static int terminal_of(struct text producer)
{
    for (int i = 0; i < TERMINALS; i++)
        if (producer.length == 4 && memcmp(producer.bytes + 1, shop_terminal_name(i), 2) == 0)
            return i;
    return -1;
}

static void add_record(struct books *books, const struct record *record, struct sent *sent)
{
    books->journal = grown(books->journal, books->journal_count, sizeof *books->journal);
    books->journal[books->journal_count++] =
        (struct sent_place){sent->document->terminal, sent->document->seq};
    sent->journaled_at = record->offset;
    shop_apply(books->shop, sent->document);
}

/* A record of `stock`, at the offset looked for. */
static void look_at_document(struct books *books, const struct record *record)
{
    struct breach *breach = books->breach;
    int terminal = terminal_of(record->producer);
    struct sent *sent = terminal < 0 ? NULL : books_sent(books, terminal, record->seq);
    if (!sent || !text_is(record->value, sent->document->text)) {
        breach_tell(breach, "offset %" PRId64 " holds what nobody sent: %.*s seq %" PRId64,
                    record->offset, (int)record->producer.length, record->producer.bytes,
                    record->seq);
        return;
    }
    const struct sent *known = books_at(books, record->offset);
    if (known && known != sent)
        breach_tell(breach, "offset %" PRId64 " was another record before", record->offset);
    else if (sent->journaled_at >= 0 && sent->journaled_at != record->offset)
        breach_tell(breach, "%s seq %" PRId64 " is journaled twice: at %" PRId64 " and %" PRId64,
                    shop_terminal_name(terminal), record->seq, sent->journaled_at, record->offset);
    else if (sent->promised_at >= 0 && sent->promised_at != record->offset)
        breach_tell(breach, "%s seq %" PRId64 " was promised at %" PRId64 ", stands at %" PRId64,
                    shop_terminal_name(terminal), record->seq, sent->promised_at, record->offset);
    else if (!known)
        add_record(books, record, sent);
}

/* {"terminal":N,"note":N} */
static void look_at_note(struct books *books, const struct record *record)
{
    int terminal;
    int64_t number;
    char value[64];
    snprintf(value, sizeof value, "%.*s", (int)record->value.length, record->value.bytes);
    if (sscanf(value, "{\"terminal\":%d,\"note\":%" SCNd64 "}", &terminal, &number) != 2 ||
        terminal < 0 || terminal >= TERMINALS || number >= books->accounts[terminal].note_count) {
        breach_tell(books->breach, "offset %" PRId64 " of notes holds what nobody sent",
                    record->offset);
        return;
    }
    struct note *note = &books->accounts[terminal].notes[number];
    if ((note->journaled_at >= 0 && note->journaled_at != record->offset) ||
        (note->promised_at >= 0 && note->promised_at != record->offset))
        breach_tell(books->breach, "note %" PRId64 " of %s stands at %" PRId64 ", not where it was",
                    number, shop_terminal_name(terminal), record->offset);
    note->journaled_at = record->offset;
}

/* Every record from `offset` on; returns the next offset. */
static int64_t read_topic(struct books *books, struct journal_reader *reader, const char *topic,
                          int64_t offset, void (*look)(struct books *, const struct record *))
{
    struct json json = {0};
    struct failure failure;
    struct batch batch;
    int found = 1;
    while (!books->breach->found && (found = journal_reader_find(reader, text_of(topic), 0, offset,
                                                                 &batch, &failure)) == 1) {
        struct batch_cursor cursor;
        struct record record;
        struct text meta;
        if (batch.format == BATCH_FORMAT_HOLE) {
            breach_tell(books->breach,
                        "%s: offsets %" PRId64 " to %" PRId64 " are given up as lost", topic,
                        batch.base_offset, batch.base_offset + batch.count - 1);
            break;
        }
        batch_start(&cursor, &batch);
        int more;
        while ((more = batch_next(&cursor, &record, &meta)) == 1) {
            if (record.offset < offset)
                continue;
            if (record.offset != offset || batch_origin(meta, &json, &record) != 0)
                breach_tell(books->breach, "%s: offset %" PRId64 " was expected, %" PRId64 " came",
                            topic, offset, record.offset);
            else
                look(books, &record);
            offset++;
        }
        if (more < 0)
            breach_tell(books->breach, "%s: the batch at %" PRId64 " is not whole", topic,
                        batch.base_offset);
    }
    if (found < 0 && !books->flipped)
        breach_tell(books->breach, "%s cannot be read at %" PRId64 ": %s", topic, offset,
                    failure.message);
    json_free(&json);
    return offset;
}

void books_read(struct books *books, bool all)
{
    struct journal_reader *reader;
    struct failure failure;
    if (journal_reader_open(&reader, books->directory, &failure) != 0) {
        breach_tell(books->breach, "the journal cannot be read: %s", failure.message);
        return;
    }
    int64_t end =
        read_topic(books, reader, "stock", all ? 0 : books->journal_count, look_at_document);
    if (end < books->journal_count && !books->flipped)
        breach_tell(books->breach, "stock ends at %" PRId64 ", it was at %" PRId64 " before", end,
                    books->journal_count);
    if (all && !books->flipped) {
        end = read_topic(books, reader, NOTES_TOPIC, 0, look_at_note);
        if (end < books->notes_count)
            breach_tell(books->breach, "notes end at %" PRId64 ", they were at %" PRId64, end,
                        books->notes_count);
        books->notes_count = end;
    }
    journal_reader_close(reader);
}

/* The offset after those that `batch` has from `offset` on, each checked; a hole has none. */
static int64_t check_batch(struct books *books, const struct batch *batch, int64_t offset,
                           int64_t *lost)
{
    struct batch_cursor cursor;
    struct record record;
    struct text meta;
    int64_t next = batch->base_offset + batch->count;
    int64_t end = next < books->journal_count ? next : books->journal_count;
    if (batch->format == BATCH_FORMAT_HOLE) {
        *lost += end - offset;
        return next;
    }
    batch_start(&cursor, batch);
    while (batch_next(&cursor, &record, &meta) == 1) {
        const struct sent *sent = books_at(books, record.offset);
        if (record.offset >= offset && sent && !text_is(record.value, sent->document->text))
            breach_tell(books->breach, "offset %" PRId64 " is another record after damage",
                        record.offset);
    }
    return next;
}

int64_t books_check_loss(struct books *books)
{
    struct journal_reader *reader;
    struct failure failure;
    struct batch batch;
    int64_t lost = 0;
    int found = 1;
    if (journal_reader_open(&reader, books->directory, &failure) != 0) {
        breach_tell(books->breach, "the journal cannot be read: %s", failure.message);
        return 0;
    }
    for (int64_t offset = 0; offset < books->journal_count && !books->breach->found;) {
        found = journal_reader_find(reader, TEXT_LITERAL("stock"), 0, offset, &batch, &failure);
        if (found == 0)
            breach_tell(books->breach, "offsets from %" PRId64 " on are gone, and nobody says so",
                        offset);
        offset = found == 1 ? check_batch(books, &batch, offset, &lost) : offset + 1;
    }
    journal_reader_close(reader);
    return lost;
}

static void check_group(struct books *books, struct journal_reader *reader, int terminal)
{
    struct account *account = &books->accounts[terminal];
    struct failure failure;
    int64_t offset;
    if (journal_reader_committed(reader, text_of(shop_terminal_name(terminal)),
                                 TEXT_LITERAL("stock"), 0, &offset, &failure) != 0) {
        breach_tell(books->breach, "no group offset can be read: %s", failure.message);
        return;
    }
    bool known = offset == account->group_offset;
    for (int i = 0; i < account->group_guess_count; i++)
        known = known || offset == account->group_guesses[i];
    if (!known)
        breach_tell(books->breach, "group %s stands at %" PRId64 ", it was promised %" PRId64,
                    shop_terminal_name(terminal), offset, account->group_offset);
    account->group_offset = offset;
}

void books_check_promises(struct books *books)
{
    for (int i = 0; i < TERMINALS; i++) {
        const struct account *account = &books->accounts[i];
        for (int64_t seq = 0; seq < account->sent_count; seq++)
            if (account->sent[seq].promised && account->sent[seq].journaled_at < 0)
                breach_tell(books->breach, "lost: %s seq %" PRId64 ", acknowledged at %" PRId64,
                            shop_terminal_name(i), seq, account->sent[seq].promised_at);
        for (int64_t n = 0; n < account->note_count; n++)
            if (account->notes[n].promised_at >= 0 && account->notes[n].journaled_at < 0)
                breach_tell(books->breach, "lost: note %" PRId64 " of %s", n,
                            shop_terminal_name(i));
    }
    struct journal_reader *reader;
    struct failure failure;
    if (journal_reader_open(&reader, books->directory, &failure) != 0)
        return;
    for (int i = 0; i < TERMINALS && !books->breach->found; i++)
        check_group(books, reader, i);
    journal_reader_close(reader);
}
