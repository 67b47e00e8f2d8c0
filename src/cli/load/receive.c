/* What a terminal makes of a reply. */
#include "cli/load/answer.h"
#include "cli/load/terminal.h"
#include "cli/slice.h"

/* Errors that go by: the document is sent once more a little later. Any other ends the run. */
static const char *const passing_errors[] = {"\"JOURNAL_FULL\"", "\"NO_MEMORY\"",
                                             "\"APPLIER_FAILED\"", "\"APPLIER_BEHIND\""};
/* With ack applied: it is in the journal, but nobody knows its outcome yet. */
static const char *const journaled_errors[] = {"\"APPLIER_FAILED\"", "\"APPLIER_BEHIND\""};
/* Errors after which the daemon closes, and may be back soon. */
static const char *const closing_errors[] = {"\"IDLE_TIMEOUT\""};

#define ERROR_COUNT(errors) (sizeof(errors) / sizeof *(errors))

static bool is_one_of(struct text error, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text_is(error, list[i]))
            return true;
    return false;
}

/* Ends the run with an error that does not go by. `seq` -1 = it is no document's. */
static void fail(struct terminal *terminal, int64_t seq, const struct answer *answer)
{
    struct load_run *run = terminal->run;
    char id[ID_BYTES_MAX];
    size_t id_length = 0;
    struct buffer code_scratch = {0};
    struct buffer message_scratch = {0};
    struct text code = slice_string(answer->error, &code_scratch);
    struct text message = slice_string(answer->message, &message_scratch);
    if (seq >= 0) {
        struct receipt receipt;
        workload_get(&run->workload, terminal->number, seq, &receipt);
        id_length = workload_write_id(&run->workload, terminal->name, &receipt, id);
    }
    if (id_length > 0)
        load_fail(run, "%s: document %.*s, seq %lld: %.*s: %.*s", terminal->name, (int)id_length,
                  id, (long long)seq, (int)code.length, code.bytes, (int)message.length,
                  message.bytes ? message.bytes : "");
    else
        load_fail(run, "%s: %.*s: %.*s", terminal->name, (int)code.length, code.bytes,
                  (int)message.length, message.bytes ? message.bytes : "");
    buffer_free(&code_scratch);
    buffer_free(&message_scratch);
}

/* Counts an acknowledged document, once. One that the daemon says it had, though it was never sent
 * before, is somebody else's: it was not journaled by this run. */
static void acknowledge(struct terminal *terminal, const struct flight *flight,
                        const struct answer *answer)
{
    struct load_run *run = terminal->run;
    bool counts = !answer->duplicate || flight->in_doubt;
    histogram_add(&run->latency, run->now_us - flight->due_us);
    run->last_us = run->now_us;
    terminal_is_well(terminal);
    run->totals.accepted += answer->outcome == OUTCOME_ACCEPTED;
    run->totals.rejected += answer->outcome == OUTCOME_REJECTED;
    run->totals.conflicts += answer->outcome == OUTCOME_CONFLICT;
    run->totals.unknown += answer->outcome == OUTCOME_NONE;
    if (counts) {
        run->totals.documents++;
        run->totals.lines += flight->lines;
    }
    if (!counts || answer->outcome >= OUTCOME_REJECTED)
        terminal_count(terminal, flight->seq, -1);
}

/* A document sent once more though it was acknowledged long ago: the daemon must know it. One from
 * before this run may fill a gap. */
static void acknowledge_older(struct terminal *terminal, const struct flight *flight,
                              const struct answer *answer)
{
    struct load_run *run = terminal->run;
    if (answer->duplicate || run->options->ack == LOAD_ACK_NONE)
        return;
    if (flight->seq >= terminal->first) {
        load_fail(run, "%s: seq %lld was acknowledged before, and is journaled once more now",
                  terminal->name, (long long)flight->seq);
        return;
    }
    run->totals.documents++;
    run->totals.lines += flight->lines;
    if (answer->outcome < OUTCOME_REJECTED)
        terminal_count(terminal, flight->seq, 1);
}

static void settle(struct terminal *terminal, const struct flight *flight,
                   const struct answer *answer)
{
    terminal->in_flight--;
    terminal->run->totals.duplicates += answer->duplicate;
    if (flight->kind == FLIGHT_OLDER)
        acknowledge_older(terminal, flight, answer);
    else
        acknowledge(terminal, flight, answer);
}

static void send_again_later(struct terminal *terminal, struct flight flight)
{
    terminal->in_flight--;
    if (flight.kind == FLIGHT_DOCUMENT) {
        flight.refused = false;
        flights_push(&terminal->again, flight);
    }
    if (terminal->wake_us == 0)
        terminal_pause(terminal, "the daemon could not take a document");
}

/* The least seq that is not acknowledged. */
static int64_t first_open(const struct terminal *terminal)
{
    int64_t least = terminal->next;
    for (uint32_t i = 0; i < terminal->again.count; i++) {
        int64_t seq = flights_at(&terminal->again, i)->seq;
        least = seq < least ? seq : least;
    }
    return least;
}

static void greet_first(struct terminal *terminal, int64_t last_seq)
{
    struct load_run *run = terminal->run;
    int64_t known = last_seq + 1 < terminal->end ? last_seq + 1 : terminal->end;
    terminal->greeted = true;
    terminal->first = terminal->next = known;
    run->greeted++;
    run->totals.before += known;
}

/* The answer to the hello of a new connection. */
static void take_greeting(struct terminal *terminal, const struct answer *answer)
{
    struct load_run *run = terminal->run;
    if (!terminal->greeted) {
        greet_first(terminal, answer->last_seq);
    } else {
        run->totals.reconnects++;
        if (answer->last_seq < first_open(terminal) - 1)
            load_fail(
                run, "%s: seq %lld was acknowledged, but now the daemon knows only up to %lld",
                terminal->name, (long long)first_open(terminal) - 1, (long long)answer->last_seq);
    }
    int64_t older = first_open(terminal) - run->options->resend;
    terminal->older_end = first_open(terminal);
    terminal->older = older > 0 ? older : 0;
    terminal->state = TERMINAL_READY;
    terminal_is_well(terminal);
}

/* With ack none: all documents sent before this hello are taken, but for those whose errors came.
 */
static void take_confirmation(struct terminal *terminal, const struct answer *answer)
{
    struct flight flight = flights_pop(&terminal->flights);
    for (; flight.kind != FLIGHT_HELLO; flight = flights_pop(&terminal->flights)) {
        if (flight.refused) {
            send_again_later(terminal, flight);
            continue;
        }
        if (flight.seq > answer->last_seq) {
            load_fail(terminal->run, "%s: seq %lld was taken, but hello knows only up to %lld",
                      terminal->name, (long long)flight.seq, (long long)answer->last_seq);
            return;
        }
        settle(terminal, &flight, answer);
    }
}

/* With ack none only errors are answered; the seq tells which document it was. */
static void mark_refused(struct terminal *terminal, const struct answer *answer)
{
    for (uint32_t i = 0; i < terminal->flights.count; i++) {
        struct flight *flight = flights_at(&terminal->flights, i);
        if (flight->kind != FLIGHT_HELLO && flight->seq == answer->seq)
            flight->refused = true;
    }
}

static void take_error(struct terminal *terminal, const struct answer *answer)
{
    struct load_run *run = terminal->run;
    struct flights *flights = &terminal->flights;
    bool passing = is_one_of(answer->error, passing_errors, ERROR_COUNT(passing_errors));
    bool greeting = flights->count > 0 && flights_at(flights, 0)->kind == FLIGHT_HELLO;
    if (is_one_of(answer->error, closing_errors, ERROR_COUNT(closing_errors)) ||
        (passing && greeting) ||
        (text_is(answer->error, "\"TOO_MANY_CONNECTIONS\"") && terminal->greeted)) {
        terminal_lose(terminal);
        return;
    }
    bool of_document = answer->seq >= 0 || run->options->ack != LOAD_ACK_NONE;
    if (flights->count == 0 || greeting || !of_document) {
        fail(terminal, -1, answer);
        return;
    }
    if (run->options->ack == LOAD_ACK_NONE) {
        if (passing)
            mark_refused(terminal, answer);
        else
            fail(terminal, answer->seq, answer);
        return;
    }
    struct flight flight = flights_pop(flights);
    flight.in_doubt = flight.in_doubt ||
                      is_one_of(answer->error, journaled_errors, ERROR_COUNT(journaled_errors));
    if (passing)
        send_again_later(terminal, flight);
    else
        fail(terminal, flight.seq, answer);
}

void terminal_take_line(struct terminal *terminal, struct text line)
{
    struct load_run *run = terminal->run;
    struct answer answer;
    if (!answer_read(line, &answer)) {
        load_fail(run, "%s: this is no reply: %.*s", terminal->name,
                  (int)(line.length < 100 ? line.length : 100), line.bytes);
        return;
    }
    if (!answer.ok) {
        take_error(terminal, &answer);
        return;
    }
    bool expected = terminal->flights.count > 0;
    bool greeting = terminal->state == TERMINAL_GREETING;
    bool confirming = !greeting && run->options->ack == LOAD_ACK_NONE;
    if (expected && (greeting || confirming))
        expected = answer.last_seq >= -1;
    else if (expected)
        expected = answer.seq == flights_at(&terminal->flights, 0)->seq;
    if (!expected) {
        load_fail(run, "%s: an answer to nothing asked: %.*s", terminal->name,
                  (int)(line.length < 100 ? line.length : 100), line.bytes);
        return;
    }
    if (confirming) {
        take_confirmation(terminal, &answer);
        return;
    }
    struct flight flight = flights_pop(&terminal->flights);
    if (greeting)
        take_greeting(terminal, &answer);
    else
        settle(terminal, &flight, &answer);
}
