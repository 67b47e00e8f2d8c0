#include "cli/load/terminal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/credentials.h"
#include "cli/request.h"

/* At once on their way of connecting: more only overflow the daemon's backlog, and then wait a
 * second each. */
#define CONNECTING_MAX 64
#define CONNECT_AGAIN_US 1000
#define PAUSE_LEAST_US 10000
#define PAUSE_MOST_US 1000000
#define READ_BYTES (256u << 10)
#define KEEP_BYTES (64u << 10)

int terminal_start(struct terminal *terminal, struct load_run *run, uint32_t number)
{
    const struct load_options *options = run->options;
    *terminal = (struct terminal){.run = run,
                                  .number = number,
                                  .socket = -1,
                                  .end = workload_documents(&run->workload, number),
                                  .pause_us = PAUSE_LEAST_US,
                                  .trouble_since_us = -1};
    workload_name_terminal(&run->workload, number, terminal->name);
    terminal->token = credentials_find(run->credentials, terminal->name);
    random_seed(&terminal->random, (uint64_t)options->seed, UINT64_C(1) << 63 | number);
    uint32_t window = (uint32_t)options->window;
    /* With ack none as many hellos may be between the documents. */
    if (flights_start(&terminal->flights, 2 * window + 2) < 0)
        return -1;
    return flights_start(&terminal->again, window);
}

void terminal_free(struct terminal *terminal)
{
    if (terminal->socket >= 0)
        close(terminal->socket);
    flights_free(&terminal->flights);
    flights_free(&terminal->again);
    buffer_free(&terminal->out);
    buffer_free(&terminal->in);
}

static void wait_a_while(struct terminal *terminal)
{
    int64_t twice = terminal->pause_us * 2;
    terminal->wake_us = terminal->run->now_us + terminal->pause_us;
    terminal->pause_us = twice < PAUSE_MOST_US ? twice : PAUSE_MOST_US;
    timetable_set(&terminal->run->timetable, terminal->number, terminal->wake_us);
}

void terminal_pause(struct terminal *terminal, const char *what)
{
    struct load_run *run = terminal->run;
    if (terminal->trouble_since_us < 0)
        terminal->trouble_since_us = run->now_us;
    if (run->now_us - terminal->trouble_since_us > run->options->reconnect_for_s * 1000000)
        load_fail(run, "%s: %s for %lld s", terminal->name, what,
                  (long long)run->options->reconnect_for_s);
    wait_a_while(terminal);
}

void terminal_is_well(struct terminal *terminal)
{
    terminal->trouble_since_us = -1;
    terminal->pause_us = PAUSE_LEAST_US;
}

static bool is_finished(const struct terminal *terminal)
{
    bool stopping = terminal->run->stopping;
    return terminal->flights.count == 0 && terminal->again.count == 0 &&
           terminal->older == terminal->older_end &&
           (stopping || (terminal->greeted && terminal->next == terminal->end));
}

static void finish(struct terminal *terminal)
{
    terminal->state = TERMINAL_DONE;
    terminal->run->done++;
    timetable_set(&terminal->run->timetable, terminal->number, TIMETABLE_NEVER);
}

/* Documents without a reply are to be sent once more, before those that already were to be. */
static void take_flights_back(struct terminal *terminal)
{
    uint32_t before = terminal->again.count;
    while (terminal->flights.count > 0) {
        struct flight flight = flights_pop(&terminal->flights);
        if (flight.kind != FLIGHT_DOCUMENT)
            continue;
        flight.in_doubt = true;
        flight.refused = false;
        flights_push(&terminal->again, flight);
    }
    for (uint32_t i = 0; i < before; i++)
        flights_push(&terminal->again, flights_pop(&terminal->again));
    terminal->in_flight = 0;
    terminal->unconfirmed = 0;
}

void terminal_lose(struct terminal *terminal)
{
    if (terminal->state == TERMINAL_CONNECTING)
        terminal->run->connecting--;
    if (terminal->socket >= 0)
        close(terminal->socket); /* epoll forgets it by itself */
    terminal->socket = -1;
    terminal->wants_writable = false;
    buffer_clear(&terminal->out);
    buffer_clear(&terminal->in);
    if (terminal->state == TERMINAL_DONE)
        return;
    take_flights_back(terminal);
    terminal->older = terminal->older_end;
    terminal->state = TERMINAL_OUT;
    if (is_finished(terminal)) {
        finish(terminal);
        return;
    }
    terminal_pause(terminal, "no connection");
}

static void watch(struct terminal *terminal, int operation, bool writable)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = terminal->number};
    if (writable)
        event.events |= EPOLLOUT;
    terminal->wants_writable = writable;
    if (epoll_ctl(terminal->run->epoll, operation, terminal->socket, &event) < 0)
        load_fail(terminal->run, "%s: %s", terminal->name, strerror(errno));
}

static void flush(struct terminal *terminal)
{
    if (terminal->out.failed) {
        load_fail(terminal->run, "%s: no memory for a request", terminal->name);
        return;
    }
    if (terminal->out.length > 0) {
        ssize_t sent =
            send(terminal->socket, terminal->out.bytes, terminal->out.length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            terminal_lose(terminal);
            return;
        }
        if (sent > 0)
            buffer_consume(&terminal->out, (size_t)sent);
        if (terminal->out.length == 0)
            buffer_shrink(&terminal->out, KEEP_BYTES);
    }
    bool more = terminal->out.length > 0;
    if (more != terminal->wants_writable)
        watch(terminal, EPOLL_CTL_MOD, more);
}

void terminal_say_hello(struct terminal *terminal)
{
    request_add_hello(&terminal->out, terminal->name, terminal->run->options->shop,
                      terminal->token);
    buffer_add_byte(&terminal->out, '\n');
    flights_push(&terminal->flights, (struct flight){.kind = FLIGHT_HELLO});
    terminal->unconfirmed = 0;
}

static void start_connecting(struct terminal *terminal)
{
    struct load_run *run = terminal->run;
    if (run->connecting >= CONNECTING_MAX) {
        timetable_set(&run->timetable, terminal->number, run->now_us + CONNECT_AGAIN_US);
        return;
    }
    timetable_set(&run->timetable, terminal->number, TIMETABLE_NEVER);
    terminal->socket = address_start(&run->address);
    if (terminal->socket < 0) {
        int error = -terminal->socket;
        terminal->socket = -1;
        if (error == EMFILE || error == ENFILE)
            load_fail(run, "%s: %s", terminal->name, strerror(error));
        terminal_lose(terminal);
        return;
    }
    terminal->state = TERMINAL_CONNECTING;
    run->connecting++;
    watch(terminal, EPOLL_CTL_ADD, true);
}

static void finish_connecting(struct terminal *terminal)
{
    if (address_outcome(terminal->socket) != 0) {
        terminal_lose(terminal);
        return;
    }
    terminal->run->connecting--;
    terminal->state = TERMINAL_GREETING;
    terminal->wake_us = 0;
    terminal_say_hello(terminal);
    flush(terminal);
}

/* Gives out the lines of what was read; what has no end yet is kept. */
static void take_input(struct terminal *terminal, struct text input)
{
    int socket = terminal->socket;
    const char *at = input.bytes;
    const char *end = input.bytes + input.length;
    const char *feed;
    while (at < end && (feed = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        struct text line = {at, (size_t)(feed - at)};
        if (terminal->in.length > 0) {
            buffer_add_text(&terminal->in, line);
            line = buffer_text(&terminal->in);
        }
        if (terminal->in.failed) {
            load_fail(terminal->run, "%s: no memory for a reply", terminal->name);
            return;
        }
        terminal_take_line(terminal, line);
        if (terminal->run->failed || terminal->socket != socket)
            return; /* the rest belongs to a connection that is gone */
        buffer_shrink(&terminal->in, KEEP_BYTES);
        at = feed + 1;
    }
    buffer_add(&terminal->in, at, (size_t)(end - at));
}

static void receive(struct terminal *terminal)
{
    struct buffer *input = &terminal->run->input;
    buffer_clear(input);
    char *room = buffer_reserve(input, READ_BYTES);
    if (!room) {
        load_fail(terminal->run, "%s: no memory for replies", terminal->name);
        return;
    }
    ssize_t got = recv(terminal->socket, room, READ_BYTES, 0);
    if (got > 0)
        take_input(terminal, (struct text){room, (size_t)got});
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        terminal_lose(terminal);
}

/* When to look at this terminal again though nothing comes. */
static int64_t next_time(const struct terminal *terminal)
{
    const struct load_options *options = terminal->run->options;
    if (terminal->wake_us > 0)
        return terminal->wake_us;
    bool may_send = terminal->run->start_us >= 0 && !terminal->run->stopping &&
                    terminal->next < terminal->end && terminal->in_flight < options->window &&
                    terminal->out.length == 0;
    return options->rate > 0 && may_send ? terminal->next_due_ns / 1000 : TIMETABLE_NEVER;
}

void terminal_go(struct terminal *terminal)
{
    if (terminal->state == TERMINAL_OUT && is_finished(terminal))
        finish(terminal);
    if (terminal->state != TERMINAL_READY || terminal->run->failed)
        return;
    terminal_fill(terminal);
    flush(terminal);
    if (terminal->state != TERMINAL_READY)
        return;
    if (is_finished(terminal))
        finish(terminal);
    else
        timetable_set(&terminal->run->timetable, terminal->number, next_time(terminal));
}

void terminal_wake(struct terminal *terminal)
{
    terminal->wake_us = 0;
    if (terminal->state == TERMINAL_OUT)
        start_connecting(terminal);
    else
        terminal_go(terminal);
}

void terminal_handle(struct terminal *terminal, bool readable, bool writable)
{
    if (terminal->state == TERMINAL_CONNECTING) {
        finish_connecting(terminal);
        return;
    }
    if (readable)
        receive(terminal);
    if (terminal->socket < 0 || terminal->run->failed)
        return;
    if (terminal->state == TERMINAL_READY)
        terminal_go(terminal);
    else if (writable)
        flush(terminal);
}
