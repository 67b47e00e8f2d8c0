#include "net/engine.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/hash.h"
#include "net/turnstile.h"
#include "stock/document.h"

#define TOPIC_COUNTERS 64
/* Appends with the writer: a few commits' worth; and while tills sell one by one, what makes a
 * commit that does not keep them. */
#define WRITING_ENOUGH 4096
#define WRITING_ENOUGH_AMONG_TILLS 128
#define TILLS_SELL_US 100000 /* so long after the last one did */

struct engine {
    struct engine_options options;
    struct reader *reader;
    struct reader *auditor; /* made when first asked for */
    struct queue done;
    struct queue_item *begun, **begun_last; /* appends for the next flush */
    struct exchange *parked;                /* fetches that wait for a record */
    struct exchange *delayed;               /* refusals that are held back */
    int64_t delayed_until_us;               /* none of them is due before */
    struct turnstile turnstile;             /* large reads: at most a few at a time */
    int64_t underway;
    int64_t writing;      /* of them, appends the writer or the applier has */
    int audits;           /* of them, verify: one at a time */
    size_t pending_bytes; /* of exchanges some thread works on */
    int64_t segment;      /* active when last looked at */
    bool started;         /* the readers have threads */
    bool draining;
    int64_t started_us;
    int64_t tills_sell_until_us; /* somebody sells who asks for no more than a share */
    size_t held_bytes;           /* of lines whose end has not come, and input not worked on yet */
    size_t owed_bytes;           /* of all exchanges not answered and sent on, waiting ones too */
    _Atomic int64_t connections;
    _Atomic int64_t topic_writes[TOPIC_COUNTERS];
    struct request request;
    struct document document;
};

/* --- the workers' side --- */

/* Counts the records written to topics that fall together with this one. */
static _Atomic int64_t *writes_of(struct engine *engine, struct text topic)
{
    return &engine->topic_writes[hash_text(topic) % TOPIC_COUNTERS];
}

static int64_t look(struct query_live *live, void *context)
{
    struct engine *engine = context;
    static const char *const journal_states[] = {"ok", "full", "failed"};
    static const char *const applier_states[] = {"ok", "full", "waiting", "failed"};
    static const char rebuilding[] =
        "the stock file is made anew from the journal; sales are journaled, the figures follow";
    static const char *const applier_messages[] = {
        NULL,
        "no room for the stock file; sales are journaled, applying is tried again every second",
        "short of memory or open files; sales are journaled, applying is tried again every second",
        "the stock file or the journal cannot be used; sales are journaled, restart when mended",
    };
    struct writer_figures written;
    struct applier_figures applied;
    writer_figures(engine->options.writer, &written);
    applier_figures(engine->options.applier, &applied);
    bool behind = applied.rebuilding && applied.health == APPLIER_OK;
    *live = (struct query_live){
        .uptime_ms = (clock_monotonic_us(engine->options.clock) - engine->started_us) / 1000,
        .connections = atomic_load(&engine->connections),
        .shop = engine->options.config->shop, /* never changes while running */
        .commits = written.commits,
        .records = written.records,
        .reserve_bytes = written.reserve_bytes,
        .journal_state = journal_states[written.health],
        .journal_message = written.message,
        .stock_files = applied.stock_files,
        .damage = engine->options.damage,
        .applier_state = behind ? "rebuilding" : applier_states[applied.health],
        .applier_message = behind ? rebuilding : applier_messages[applied.health],
    };
    return written.active_segment;
}

static void hand_back(struct engine *engine, struct queue_item *first)
{
    if (queue_push_chain(&engine->done, first))
        engine->options.wake(engine->options.context);
}

static void reader_done(struct exchange *exchange, void *context)
{
    exchange->append.item.next = NULL;
    hand_back(context, &exchange->append.item);
}

void engine_applied(struct append *first, void *context)
{
    hand_back(context, &first->item);
}

/* In the writer's thread: what waits for its outcome goes on to the applier, and so do duplicates,
 * for a look at whether they are what was journaled; the rest comes back. */
void engine_written(struct append *first, void *context)
{
    struct engine *engine = context;
    struct queue_item *back = NULL, **back_last = &back;
    struct queue_item *on = NULL, **on_last = &on;
    struct queue_item *next;
    if (!first)
        engine->options.wake(engine->options.context);
    for (struct queue_item *item = first ? &first->item : NULL; item; item = next) {
        const struct append *append = (const struct append *)item;
        if (append->kind == APPEND_RECORD && !append->error && !append->duplicate)
            atomic_fetch_add(writes_of(engine, append->topic), 1);
        next = item->next;
        item->next = NULL;
        if ((append->wants_outcome || append->duplicate) && !append->error) {
            *on_last = item;
            on_last = &item->next;
        } else {
            *back_last = item;
            back_last = &item->next;
        }
    }
    if (back)
        hand_back(engine, back);
    if (on)
        applier_await(engine->options.applier, (struct append *)on);
    else
        applier_ring(engine->options.applier);
}

/* --- the loop's side --- */

int engine_new(struct engine **out, const struct engine_options *options, struct failure *failure)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return failure_set(failure, "NO_MEMORY", "no memory for the engine");
    engine->options = *options;
    engine->begun_last = &engine->begun;
    engine->delayed_until_us = INT64_MAX;
    engine->started_us = clock_monotonic_us(options->clock);
    queue_init(&engine->done);
    struct reader_options reader = {options->directory, options->clock, look, reader_done, engine};
    if (reader_new(&engine->reader, &reader, failure) != 0) {
        engine_free(engine);
        return -1;
    }
    engine->turnstile.room_bytes = (size_t)options->config->max_pending_bytes;
    *out = engine;
    return 0;
}

int engine_start(struct engine *engine, struct failure *failure)
{
    engine->started = true;
    return reader_start(engine->reader, failure);
}

void engine_read(struct engine *engine)
{
    reader_step(engine->reader);
    if (engine->auditor)
        reader_step(engine->auditor);
}

void engine_stop(struct engine *engine)
{
    if (!engine)
        return;
    reader_stop(engine->reader);
    reader_stop(engine->auditor);
    engine->reader = engine->auditor = NULL;
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    engine_stop(engine);
    struct queue_item *next;
    for (struct queue_item *item = queue_take(&engine->done); item; item = next) {
        next = item->next;
        exchange_free((struct exchange *)item);
    }
    queue_destroy(&engine->done);
    request_free(&engine->request);
    document_free(&engine->document);
    free(engine);
}

const struct config *engine_config(const struct engine *engine)
{
    return engine->options.config;
}

struct gate *engine_gate(const struct engine *engine)
{
    return engine->options.gate;
}

struct request *engine_request(struct engine *engine)
{
    return &engine->request;
}

struct document *engine_document(struct engine *engine)
{
    return &engine->document;
}

/* The thread that answers this read; NULL where there is no memory for one. */
static struct reader *reader_for(struct engine *engine, const struct exchange *exchange)
{
    if (exchange->operation != OPERATION_VERIFY)
        return engine->reader;
    struct failure failure;
    struct reader_options options = {engine->options.directory, engine->options.clock, look,
                                     reader_done, engine};
    if (engine->auditor)
        return engine->auditor;
    if (reader_new(&engine->auditor, &options, &failure) != 0)
        return NULL;
    if (!engine->started || reader_start(engine->auditor, &failure) == 0)
        return engine->auditor;
    reader_stop(engine->auditor);
    engine->auditor = NULL;
    return NULL;
}

static void look_again(struct engine *engine, struct exchange *exchange, bool last_look)
{
    exchange->writes_seen = atomic_load(writes_of(engine, exchange->append.topic));
    exchange->last_look = last_look;
    reader_submit(engine->reader, exchange);
}

void engine_begin(struct engine *engine, struct exchange *exchange)
{
    exchange->state = EXCHANGE_UNDERWAY;
    engine->underway++;
    engine->pending_bytes += exchange->bytes;
    if (!operation_only_reads(exchange->operation)) {
        engine->writing++;
        exchange->append.item.next = NULL;
        *engine->begun_last = &exchange->append.item;
        engine->begun_last = &exchange->append.item.next;
        return;
    }
    bool audit = exchange->operation == OPERATION_VERIFY;
    engine->audits += audit;
    struct reader *reader = audit && engine->audits > 1 ? NULL : reader_for(engine, exchange);
    exchange->writes_seen = atomic_load(writes_of(engine, exchange->append.topic));
    if (exchange->wait_ms > 0 && exchange->deadline_us == 0)
        exchange->deadline_us =
            clock_monotonic_us(engine->options.clock) + exchange->wait_ms * 1000;
    exchange->last_look = engine->draining || exchange->hurried;
    if (!reader)
        reader_done(exchange, engine); /* an empty reply: the session makes an error of it */
    else if (!exchange->large || turnstile_enter(&engine->turnstile, exchange))
        reader_submit(reader, exchange);
    else
        engine->pending_bytes -= exchange->bytes; /* nobody works on it yet */
}

/* Large reads that waited for others, or for replies to be taken. */
static void let_reads_in(struct engine *engine)
{
    struct exchange *exchange;
    engine->turnstile.room_bytes = (size_t)engine->options.config->max_pending_bytes;
    while ((exchange = turnstile_next(&engine->turnstile))) {
        engine->pending_bytes += exchange->bytes;
        look_again(engine, exchange, engine->draining || exchange->hurried);
    }
}

void engine_count_unread(struct engine *engine, size_t before, size_t after)
{
    engine->turnstile.unread_bytes += after - before; /* wraps around and back where it shrinks */
    if (after < before)
        let_reads_in(engine);
}

bool engine_reads_wait(const struct engine *engine)
{
    return engine->turnstile.first != NULL;
}

void engine_flush(struct engine *engine)
{
    struct append *first = (struct append *)engine->begun;
    engine->begun = NULL;
    engine->begun_last = &engine->begun;
    if (first)
        writer_submit(engine->options.writer, first);
}

static void end(struct engine *engine, struct exchange *exchange)
{
    engine->underway--;
    engine->writing -= !operation_only_reads(exchange->operation);
    engine->audits -= exchange->operation == OPERATION_VERIFY;
    engine->pending_bytes -= exchange->bytes;
    exchange->state = EXCHANGE_ANSWERED;
}

static void park(struct engine *engine, struct exchange *exchange)
{
    if (engine->draining ||
        exchange->writes_seen != atomic_load(writes_of(engine, exchange->append.topic))) {
        look_again(engine, exchange, engine->draining); /* something came while it looked */
        return;
    }
    exchange->next_parked = engine->parked;
    engine->parked = exchange;
    engine->pending_bytes -= exchange->bytes; /* nobody works on it: it must not stop the others */
}

/* Waiting fetches whose time has come, or for which there may be something now. */
static void unpark(struct engine *engine)
{
    if (!engine->parked)
        return;
    int64_t now_us = clock_monotonic_us(engine->options.clock);
    struct exchange **link = &engine->parked;
    while (*link) {
        struct exchange *exchange = *link;
        bool due = engine->draining || now_us >= exchange->deadline_us;
        int64_t writes = atomic_load(writes_of(engine, exchange->append.topic));
        if (due || writes != exchange->writes_seen) {
            *link = exchange->next_parked;
            engine->pending_bytes += exchange->bytes;
            look_again(engine, exchange, due);
        } else {
            link = &exchange->next_parked;
        }
    }
}

/* True where the exchange is answered and somebody is there to hear it. */
static bool take_back(struct engine *engine, struct exchange *exchange)
{
    turnstile_leave(&engine->turnstile, exchange);
    if (exchange->empty && !exchange->last_look && exchange->session) {
        if (exchange->hurried)
            look_again(engine, exchange, true);
        else
            park(engine, exchange);
        return false;
    }
    end(engine, exchange);
    if (exchange->session)
        return true;
    exchange_free(exchange);
    return false;
}

/* --- refusals that are held back --- */

void engine_delay(struct engine *engine, struct exchange *exchange, int64_t delay_us)
{
    exchange->state = EXCHANGE_DELAYED;
    exchange->deadline_us = clock_monotonic_us(engine->options.clock) + delay_us;
    exchange->next_parked = engine->delayed;
    engine->delayed = exchange;
    if (exchange->deadline_us < engine->delayed_until_us)
        engine->delayed_until_us = exchange->deadline_us;
    engine->options.wake(engine->options.context); /* there is a deadline to set */
}

/* Adds those that are due to a chain. */
static struct queue_item **end_delays(struct engine *engine, struct queue_item **last)
{
    if (!engine->delayed ||
        (!engine->draining && clock_monotonic_us(engine->options.clock) < engine->delayed_until_us))
        return last;
    int64_t now_us = engine->draining ? INT64_MAX : clock_monotonic_us(engine->options.clock);
    struct exchange **link = &engine->delayed;
    engine->delayed_until_us = INT64_MAX;
    while (*link) {
        struct exchange *exchange = *link;
        if (exchange->deadline_us <= now_us) {
            *link = exchange->next_parked;
            exchange->state = EXCHANGE_ANSWERED;
            exchange->append.item.next = NULL;
            *last = &exchange->append.item;
            last = &exchange->append.item.next;
        } else {
            if (exchange->deadline_us < engine->delayed_until_us)
                engine->delayed_until_us = exchange->deadline_us;
            link = &exchange->next_parked;
        }
    }
    return last;
}

static void forget_delay(struct engine *engine, const struct exchange *exchange)
{
    struct exchange **link = &engine->delayed;
    while (*link != exchange)
        link = &(*link)->next_parked;
    *link = exchange->next_parked;
    if (!engine->delayed)
        engine->delayed_until_us = INT64_MAX;
}

struct exchange *engine_collect(struct engine *engine)
{
    struct queue_item *answered = NULL, **last = &answered;
    struct queue_item *next;
    for (struct queue_item *item = queue_take(&engine->done); item; item = next) {
        next = item->next;
        item->next = NULL;
        if (take_back(engine, (struct exchange *)item)) {
            *last = item;
            last = &item->next;
        }
    }
    end_delays(engine, last);
    unpark(engine);
    let_reads_in(engine);
    struct writer_figures figures;
    writer_figures(engine->options.writer, &figures);
    if (figures.active_segment != engine->segment) {
        engine->segment = figures.active_segment;
        reader_ring(engine->reader);
    }
    return (struct exchange *)answered;
}

static bool take_off_parked(struct engine *engine, struct exchange *exchange)
{
    for (struct exchange **link = &engine->parked; *link; link = &(*link)->next_parked) {
        if (*link != exchange)
            continue;
        *link = exchange->next_parked;
        engine->pending_bytes += exchange->bytes;
        return true;
    }
    return false;
}

/* True where nobody works on it now: it is parked or before the gate, and is taken off there. */
static bool take_off_waiting(struct engine *engine, struct exchange *exchange)
{
    if (!turnstile_take_off(&engine->turnstile, exchange))
        return take_off_parked(engine, exchange);
    engine->pending_bytes += exchange->bytes;
    return true;
}

void engine_abandon(struct engine *engine, struct exchange *exchange)
{
    exchange->session = NULL;
    if (exchange->state == EXCHANGE_DELAYED)
        forget_delay(engine, exchange);
    if (exchange->state != EXCHANGE_UNDERWAY) {
        exchange_free(exchange);
        return;
    }
    if (take_off_waiting(engine, exchange)) {
        end(engine, exchange);
        exchange_free(exchange);
    }
}

void engine_hurry(struct engine *engine, struct exchange *exchange)
{
    exchange->hurried = true;
    if (take_off_parked(engine, exchange))
        look_again(engine, exchange, true);
}

bool engine_is_full(const struct engine *engine)
{
    return engine->pending_bytes > (size_t)engine->options.config->max_pending_bytes;
}

void engine_count_owed(struct engine *engine, const struct exchange *exchange, int change)
{
    if (change > 0)
        engine->owed_bytes += exchange->bytes;
    else
        engine->owed_bytes -= exchange->bytes;
}

void engine_count_held(struct engine *engine, size_t before, size_t after)
{
    engine->held_bytes += after - before; /* wraps around and back where it shrinks */
}

bool engine_has_room_to_hold(const struct engine *engine)
{
    return engine->held_bytes < (size_t)engine->options.config->max_pending_bytes;
}

bool engine_has_room_to_owe(const struct engine *engine)
{
    return engine->owed_bytes < (size_t)engine->options.config->max_pending_bytes;
}

void engine_note_till(struct engine *engine)
{
    engine->tills_sell_until_us = clock_monotonic_us(engine->options.clock) + TILLS_SELL_US;
}

bool engine_has_room_to_write(const struct engine *engine)
{
    bool tills_sell = clock_monotonic_us(engine->options.clock) < engine->tills_sell_until_us;
    return engine->writing < (tills_sell ? WRITING_ENOUGH_AMONG_TILLS : WRITING_ENOUGH);
}

bool engine_is_idle(const struct engine *engine)
{
    return engine->underway == 0;
}

int64_t engine_next_deadline_us(const struct engine *engine)
{
    int64_t next_us = engine->delayed_until_us;
    for (const struct exchange *e = engine->parked; e; e = e->next_parked)
        if (e->deadline_us < next_us)
            next_us = e->deadline_us;
    return next_us;
}

void engine_drain(struct engine *engine)
{
    engine->draining = true;
    if (engine->auditor)
        reader_give_up(engine->auditor);
    unpark(engine);
    if (engine->delayed)
        engine->options.wake(engine->options.context);
}

void engine_count_connection(struct engine *engine, int change)
{
    atomic_fetch_add(&engine->connections, change);
}

int64_t engine_connections(const struct engine *engine)
{
    return atomic_load(&engine->connections);
}
