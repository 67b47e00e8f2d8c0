/* What a terminal sends next: older documents once more, then those without a reply, then new ones.
 */
#include "cli/load/terminal.h"

/* Nothing is added to what a slow daemon has left unread beyond this. */
#define OUT_MOST_BYTES (256u << 10)

static void add_to_sums(struct load_run *run, const struct receipt *receipt, int times)
{
    int64_t sign = receipt_sign(receipt->type) * times;
    if (!run->sums_milli)
        return;
    for (size_t i = 0; i < receipt->line_count; i++)
        if (__builtin_add_overflow(run->sums_milli[receipt->lines[i].sku],
                                   sign * receipt->lines[i].quantity_milli,
                                   &run->sums_milli[receipt->lines[i].sku]))
            load_fail(run, "the quantities of one sku do not fit 64 bits");
}

void terminal_count(struct terminal *terminal, int64_t seq, int times)
{
    struct receipt receipt;
    workload_get(&terminal->run->workload, terminal->number, seq, &receipt);
    add_to_sums(terminal->run, &receipt, times);
}

static bool has_room(const struct terminal *terminal)
{
    return terminal->in_flight < terminal->run->options->window &&
           terminal->out.length < OUT_MOST_BYTES;
}

/* A new document is counted when it is first made, because then its lines are at hand; one that
 * turns out not to count is taken off again. */
static void send_document(struct terminal *terminal, struct flight flight, bool is_new)
{
    struct load_run *run = terminal->run;
    struct receipt receipt;
    workload_get(&run->workload, terminal->number, flight.seq, &receipt);
    if (is_new)
        add_to_sums(run, &receipt, 1);
    else
        run->totals.resent++;
    flight.lines = (uint32_t)receipt.line_count;
    workload_add_line(&run->workload, terminal->name, flight.seq, &receipt, &terminal->out);
    flights_push(&terminal->flights, flight);
    terminal->in_flight++;
    terminal->unconfirmed++;
}

static void send_older(struct terminal *terminal)
{
    struct flight flight = {
        .seq = terminal->older++, .due_us = terminal->run->now_us, .kind = FLIGHT_OLDER};
    send_document(terminal, flight, false);
}

static bool may_send_new(const struct terminal *terminal)
{
    const struct load_run *run = terminal->run;
    return !run->stopping && terminal->next < terminal->end && terminal->again.count == 0 &&
           (run->options->rate == 0 || terminal->next_due_ns / 1000 <= run->now_us);
}

/* Open loop: documents come when customers do, not when the daemon is ready for them; each is late
 * by however long it waited for its turn here. */
static void send_new(struct terminal *terminal)
{
    const struct load_options *options = terminal->run->options;
    struct flight flight = {
        .seq = terminal->next++, .due_us = terminal->run->now_us, .kind = FLIGHT_DOCUMENT};
    if (options->rate > 0) {
        double mean_ns = 1e9 * (double)options->terminals / (double)options->rate;
        flight.due_us = terminal->next_due_ns / 1000;
        terminal->next_due_ns += random_gap_ns(&terminal->random, mean_ns);
    }
    send_document(terminal, flight, true);
}

/* With ack none documents are confirmed by the answer to a hello behind them: after every half
 * window, so that the other half is on its way meanwhile, and when there is nothing more to send.
 */
static void ask_for_confirmation(struct terminal *terminal, bool all_sent)
{
    const struct load_options *options = terminal->run->options;
    if (options->ack == LOAD_ACK_NONE && terminal->unconfirmed > 0 &&
        (all_sent || terminal->unconfirmed >= options->window / 2))
        terminal_say_hello(terminal);
}

void terminal_fill(struct terminal *terminal)
{
    if (terminal->run->start_us < 0 || terminal->wake_us > 0)
        return;
    bool sent = true;
    while (sent && has_room(terminal) && !terminal->run->failed) {
        if (terminal->older < terminal->older_end)
            send_older(terminal);
        else if (terminal->again.count > 0)
            send_document(terminal, flights_pop(&terminal->again), false);
        else if (may_send_new(terminal))
            send_new(terminal);
        else
            sent = false;
        ask_for_confirmation(terminal, !sent);
    }
}
