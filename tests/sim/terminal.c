#include "terminal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "reply.h"
#include "terminal_internal.h"

#define UNANSWERED_MAX 200

static void session_changed(void *context)
{
    (void)context; /* events move the bytes */
}

struct terminal *terminal_new(const struct terminal_options *options)
{
    struct terminal *terminal = calloc(1, sizeof *terminal);
    if (!terminal) {
        perror("sim");
        exit(2);
    }
    terminal->options = *options;
    terminal->skipped = -1;
    return terminal;
}

void terminal_free(struct terminal *terminal)
{
    if (!terminal)
        return;
    buffer_free(&terminal->outgoing);
    buffer_free(&terminal->incoming);
    free(terminal);
}

bool terminal_is_connected(const struct terminal *terminal)
{
    return terminal->session != NULL;
}

int64_t terminal_promises(const struct terminal *terminal)
{
    return terminal->promises;
}

void terminal_hang_up(struct terminal *terminal)
{
    if (terminal->session)
        session_free(terminal->session);
    terminal->session = NULL;
    buffer_clear(&terminal->outgoing);
    buffer_clear(&terminal->incoming);
    terminal->first = terminal->count = 0;
}

/* --- asking --- */

static struct asked *expect(struct terminal *terminal, enum question question)
{
    struct asked *asked = &terminal->asked[(terminal->first + terminal->count++) % ASKED_MAX];
    *asked = (struct asked){.question = question, .tag = terminal->next_tag++};
    return asked;
}

static void begin_line(struct terminal *terminal, const struct asked *asked, const char *operation)
{
    buffer_add_format(&terminal->outgoing, "{\"tag\":%" PRId64 ",\"op\":\"%s\"", asked->tag,
                      operation);
}

static void ask_put(struct terminal *terminal, const struct sent *sent, struct chance *chance)
{
    static const char *const acks[] = {"journal", "journal", "journal", "applied", "none"};
    int ack = (int)chance_below(chance, 5);
    struct asked *asked = expect(terminal, ack == 4   ? ASKED_PUT_SILENTLY
                                           : ack == 3 ? ASKED_PUT_APPLIED
                                                      : ASKED_PUT);
    asked->seq = sent->document->seq;
    begin_line(terminal, asked, "put");
    buffer_add_format(&terminal->outgoing, ",\"ack\":\"%s\",\"doc\":%s}\n", acks[ack],
                      sent->document->text);
}

static const struct sent *write_next(struct terminal *terminal, struct chance *chance)
{
    struct books *books = terminal->options.books;
    int number = terminal->options.number;
    int64_t next = books->accounts[number].sent_count;
    const struct sent *earlier =
        next > 0 ? books_sent(books, number, chance_below(chance, next)) : NULL;
    return books_add(books,
                     shop_write_document(chance, number, next, earlier ? earlier->document : NULL));
}

/* A new document; one that skips writes two and sends the first of them later. */
static void ask_new(struct terminal *terminal, struct chance *chance)
{
    const struct sent *sent;
    if (terminal->skipped >= 0 && chance_in(chance, 3)) {
        sent = books_sent(terminal->options.books, terminal->options.number, terminal->skipped);
        terminal->skipped = -1;
    } else {
        sent = write_next(terminal, chance);
        if (terminal->options.skips && terminal->skipped < 0 && chance_in(chance, 8)) {
            terminal->skipped = sent->document->seq;
            sent = write_next(terminal, chance);
        }
    }
    ask_put(terminal, sent, chance);
}

static void ask_again(struct terminal *terminal, struct chance *chance)
{
    int number = terminal->options.number;
    int64_t count = terminal->options.books->accounts[number].sent_count;
    if (count == 0)
        return;
    int64_t back = chance_in(chance, 8) ? count : count < 40 ? count : 40;
    int64_t seq = count - 1 - chance_below(chance, back);
    if (seq != terminal->skipped)
        ask_put(terminal, books_sent(terminal->options.books, number, seq), chance);
}

static void ask_stock(struct terminal *terminal, struct chance *chance)
{
    struct asked *asked = expect(terminal, ASKED_STOCK);
    begin_line(terminal, asked, "stock");
    if (chance_in(chance, 2))
        buffer_add_format(&terminal->outgoing, ",\"sku\":\"%s\"",
                          shop_sku_name((int)chance_below(chance, SKUS)));
    else
        asked->all = true;
    buffer_add_string(&terminal->outgoing, "}\n");
}

static void ask_fetch(struct terminal *terminal, struct chance *chance)
{
    struct asked *asked = expect(terminal, ASKED_FETCH);
    int64_t end = terminal->options.books->journal_count;
    asked->offset = chance_below(chance, end + 1);
    begin_line(terminal, asked, "fetch");
    buffer_add_format(&terminal->outgoing,
                      ",\"topic\":\"stock\",\"offset\":%" PRId64 ",\"max\":%" PRId64
                      ",\"wait_ms\":%" PRId64 "}\n",
                      asked->offset, chance_between(chance, 1, 30),
                      chance_in(chance, 4) ? chance_below(chance, 2000) : 0);
}

static void ask_commit(struct terminal *terminal, struct chance *chance)
{
    struct account *account = &terminal->options.books->accounts[terminal->options.number];
    if (account->group_guess_count == GUESSES)
        return;
    struct asked *asked = expect(terminal, ASKED_COMMIT);
    asked->offset = chance_below(chance, 100000);
    account->group_guesses[account->group_guess_count++] = asked->offset;
    begin_line(terminal, asked, "commit");
    buffer_add_format(&terminal->outgoing,
                      ",\"group\":\"%s\",\"topic\":\"stock\",\"offset\":%" PRId64 "}\n",
                      shop_terminal_name(terminal->options.number), asked->offset);
}

static void ask_committed(struct terminal *terminal)
{
    struct asked *asked = expect(terminal, ASKED_COMMITTED);
    begin_line(terminal, asked, "committed");
    buffer_add_format(&terminal->outgoing, ",\"group\":\"%s\",\"topic\":\"stock\"}\n",
                      shop_terminal_name(terminal->options.number));
}

static void ask_note(struct terminal *terminal)
{
    int number = terminal->options.number;
    struct asked *asked = expect(terminal, ASKED_NOTE);
    asked->seq = terminal->options.books->accounts[number].note_count;
    books_add_note(terminal->options.books, number);
    begin_line(terminal, asked, "produce");
    buffer_add_format(&terminal->outgoing,
                      ",\"topic\":\"" NOTES_TOPIC "\",\"value\":{\"terminal\":%d,\"note\":%" PRId64
                      "}}\n",
                      number, asked->seq);
}

static void ask_plain(struct terminal *terminal, enum question question, const char *operation)
{
    begin_line(terminal, expect(terminal, question), operation);
    buffer_add_string(&terminal->outgoing, "}\n");
}

static void ask_nonsense(struct terminal *terminal, struct chance *chance)
{
    static const char *const lines[] = {"sale!\n", "{\"op\":\n", "[]\n", "{\"op\":\"put\"}\n",
                                        "\xff\xfe\n"};
    expect(terminal, ASKED_NONSENSE);
    buffer_add_string(&terminal->outgoing, lines[chance_below(chance, 5)]);
}

void terminal_ask(struct terminal *terminal, struct chance *chance)
{
    if (!terminal->session || terminal->count >= UNANSWERED_MAX)
        return;
    int64_t die = chance_below(chance, 100);
    if (die < 58)
        ask_new(terminal, chance);
    else if (die < 70)
        ask_again(terminal, chance);
    else if (die < 78)
        ask_stock(terminal, chance);
    else if (die < 83)
        ask_fetch(terminal, chance);
    else if (die < 87)
        ask_commit(terminal, chance);
    else if (die < 89)
        ask_committed(terminal);
    else if (die < 94)
        ask_note(terminal);
    else if (die < 95)
        ask_plain(terminal, ASKED_STATUS, "status");
    else if (die < 98)
        ask_plain(terminal, ASKED_ROLL, "roll");
    else
        ask_nonsense(terminal, chance);
}

void terminal_connect(struct terminal *terminal, struct engine *engine)
{
    terminal->session = session_new(engine, session_changed, terminal);
    if (!terminal->session) {
        perror("sim");
        exit(2);
    }
    terminal->engine = engine;
    begin_line(terminal, expect(terminal, ASKED_HELLO), "hello");
    buffer_add_format(&terminal->outgoing, ",\"terminal\":\"%s\"}\n",
                      shop_terminal_name(terminal->options.number));
}

/* After hello: what was not acknowledged is sent again, all of it or what lies above last_seq. */
void terminal_resend(struct terminal *terminal, int64_t last_seq)
{
    struct chance chance = chance_of((uint64_t)terminal->next_tag, (uint64_t)last_seq);
    const struct account *account = &terminal->options.books->accounts[terminal->options.number];
    int64_t first = account->sent_count > 100 ? account->sent_count - 100 : 0;
    if (terminal->options.trusts_last_seq && !terminal->options.skips && last_seq >= first)
        first = last_seq + 1;
    for (int64_t seq = first; seq < account->sent_count; seq++)
        if (!account->sent[seq].promised && seq != terminal->skipped &&
            terminal->count < UNANSWERED_MAX)
            ask_put(terminal, &account->sent[seq], &chance);
}

/* --- the network --- */

static void deliver(struct terminal *terminal, size_t bytes)
{
    struct buffer piece = {0};
    buffer_add(&piece, terminal->outgoing.bytes, bytes);
    buffer_consume(&terminal->outgoing, bytes);
    session_receive(terminal->session, buffer_text(&piece));
    engine_flush(terminal->engine);
    buffer_free(&piece);
}

void terminal_send_some(struct terminal *terminal, struct chance *chance)
{
    if (!terminal->session || terminal->outgoing.length == 0 ||
        !session_wants_input(terminal->session))
        return;
    size_t whole = terminal->outgoing.length;
    size_t bytes = chance_in(chance, 3) ? 1 + (size_t)chance_below(chance, (int64_t)whole) : whole;
    deliver(terminal, bytes);
}

static void take_lines(struct terminal *terminal)
{
    struct buffer *incoming = &terminal->incoming;
    const char *end;
    while (incoming->length > 0 && (end = memchr(incoming->bytes, '\n', incoming->length))) {
        size_t length = (size_t)(end - incoming->bytes);
        struct buffer line = {0};
        buffer_add(&line, incoming->bytes, length);
        buffer_consume(incoming, length + 1);
        reply_take(terminal, buffer_text(&line));
        buffer_free(&line);
    }
}

static void take_back(struct terminal *terminal, size_t bytes)
{
    struct buffer *output = session_output(terminal->session);
    buffer_add(&terminal->incoming, output->bytes, bytes);
    buffer_consume(output, bytes);
    take_lines(terminal);
    session_next_second(terminal->session);
    session_resume(terminal->session);
    engine_flush(terminal->engine);
}

void terminal_receive_some(struct terminal *terminal, struct chance *chance)
{
    if (!terminal->session)
        return;
    size_t whole = session_output(terminal->session)->length;
    if (whole == 0)
        return;
    take_back(terminal,
              chance_in(chance, 3) ? 1 + (size_t)chance_below(chance, (int64_t)whole) : whole);
}

bool terminal_move_all(struct terminal *terminal)
{
    bool moved = false;
    if (!terminal->session)
        return false;
    if (terminal->outgoing.length > 0 && session_wants_input(terminal->session)) {
        deliver(terminal, terminal->outgoing.length);
        moved = true;
    }
    if (session_output(terminal->session)->length > 0) {
        take_back(terminal, session_output(terminal->session)->length);
        moved = true;
    }
    return moved;
}

void terminal_check_quiet(const struct terminal *terminal)
{
    int silent = 0;
    if (!terminal->session)
        return;
    for (int i = 0; i < terminal->count; i++)
        silent += terminal->asked[(terminal->first + i) % ASKED_MAX].question == ASKED_PUT_SILENTLY;
    if (silent != terminal->count)
        breach_tell(terminal->options.books->breach, "%s waits for %d answers for ever",
                    shop_terminal_name(terminal->options.number), terminal->count - silent);
}
