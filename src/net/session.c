#include "net/session.h"

#include <stdlib.h>

#include "base/incident.h"
#include "base/planted.h"
#include "net/identity.h"
#include "net/line.h"
#include "net/reply.h"
#include "stock/document.h"

#define HELD_ALWAYS_BYTES (64 << 10) /* of a line without its end, however many hold one */
/* Units of session_work: a request, so many bytes of it, what a refusal and a large read cost more.
 */
#define WORK_OF_REQUEST 5
#define WORK_BYTES 64
#define WORK_OF_REFUSAL 20
#define WORK_OF_LARGE_READ 200
#define REFUSALS_A_SECOND 250 /* to one connection, then it is read on in the next second */
#define FAIR_IN_FLIGHT 2      /* requests of one connection, however much the writer has to do */

struct session {
    struct engine *engine;
    void (*changed)(void *context);
    void *context;
    struct line_splitter splitter;
    struct buffer kept; /* input that could not be worked on yet */
    struct buffer output;
    struct exchange *first, **last; /* in the order asked */
    int64_t in_flight;
    int64_t slowing;  /* refusals held back */
    uint64_t address; /* whom they are held against */
    size_t held;      /* bytes told to the engine */
    int64_t work;
    bool greedy;      /* asks for more than its share */
    int refusals;     /* in this second */
    size_t unread;    /* of the output, told to the engine */
    bool ending;      /* takes no more requests */
    bool input_ended; /* nothing more will come than what is kept */
    bool silent;      /* a reply is lost for want of memory: none may come after it */
    bool touched;     /* on the engine's list */
    struct session *next_touched;
    struct identity identity;
};

struct session *session_new(struct engine *engine, void (*changed)(void *context), void *context)
{
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    session->engine = engine;
    session->changed = changed;
    session->context = context;
    session->last = &session->first;
    session->kept.secret = true; /* a token may stand there */
    return session;
}

void session_set_address(struct session *session, uint64_t address)
{
    session->address = address;
}

void session_free(struct session *session)
{
    struct exchange *next;
    for (struct exchange *exchange = session->first; exchange; exchange = next) {
        next = exchange->next;
        engine_count_owed(session->engine, exchange, -1);
        engine_abandon(session->engine, exchange);
    }
    engine_count_held(session->engine, session->held, 0);
    engine_count_unread(session->engine, session->unread, 0);
    line_free(&session->splitter);
    buffer_free(&session->kept);
    buffer_free(&session->output);
    identity_free(&session->identity);
    free(session);
}

struct buffer *session_output(struct session *session)
{
    return &session->output;
}

int session_authenticate(struct session *session, struct text terminal, enum role role)
{
    return identity_certify(&session->identity, terminal, role);
}

bool session_is_known(const struct session *session)
{
    return !gate_asks(engine_gate(session->engine)) || session->identity.proof >= PROOF_TOKEN;
}

void session_count_unread(struct session *session)
{
    size_t before = session->unread;
    session->unread = session->output.length;
    if (before != session->unread)
        engine_count_unread(session->engine, before, session->unread);
}

bool session_is_over(const struct session *session)
{
    return session->ending && !session->first;
}

bool session_is_owed(const struct session *session)
{
    return session->first != NULL;
}

static bool can_take(const struct session *session)
{
    const struct config *limits = engine_config(session->engine);
    return !session->ending && session->slowing == 0 &&
           session->in_flight < limits->max_in_flight &&
           session->output.length < (size_t)limits->max_reply_bytes &&
           (session->refusals < REFUSALS_A_SECOND || session->input_ended) &&
           !engine_is_full(session->engine) &&
           (session->in_flight == 0 || engine_has_room_to_owe(session->engine)) &&
           (session->in_flight < FAIR_IN_FLIGHT || engine_has_room_to_write(session->engine));
}

bool session_wants_input(const struct session *session)
{
    return can_take(session) && session->kept.length == 0;
}

/* --- replies --- */

/* The one place where what is refused to a terminal is counted. */
static void note_answer(struct session *session, const struct exchange *exchange, struct text line)
{
    const struct append *append = &exchange->append;
    struct text code, message;
    if (append->duplicate && !append->error)
        incident_note(INCIDENT_SEQ_DUPLICATE, "terminal %.*s sent seq %lld again",
                      (int)append->producer.length, append->producer.bytes,
                      (long long)append->record.seq);
    if (!reply_is_error(line, &code, &message))
        return;
    session->refusals++;
    session->work += WORK_OF_REFUSAL;
    if (text_is(code, "AUTH_FAILED"))
        return; /* the gate has told of it, with the address */
    struct text known = session->identity.terminal;
    struct text terminal = known.bytes ? known : TEXT_LITERAL("without hello");
    incident_note(incident_of_code(code), "terminal %.*s: %.*s", (int)terminal.length,
                  terminal.bytes, (int)message.length, message.bytes);
}

static void end_without_memory(struct session *session)
{
    session->ending = true;
    incident_note(INCIDENT_CONNECTION_NO_MEMORY, "a connection is ended: no memory to answer it");
}

static void add_reply(struct session *session, struct exchange *exchange)
{
    struct buffer *output = &session->output;
    size_t before = output->length;
    exchange_add_reply(exchange, output);
    if (output->failed) { /* no memory for even a line: end rather than answer the wrong request */
        output->failed = false;
        output->length = before;
        session->silent = true;
        end_without_memory(session);
        return;
    }
    note_answer(session, exchange, (struct text){output->bytes + before, output->length - before});
}

/* Moves the replies that are due into the output and begins the read that has come to the front. */
static void advance(struct session *session)
{
    /* A reply nobody reads must not be followed by another: that is what bounds the output. */
    size_t most = (size_t)engine_config(session->engine)->max_reply_bytes;
    struct exchange *exchange;
    while ((exchange = session->first) && exchange->state == EXCHANGE_ANSWERED &&
           session->output.length < most) {
        if (!session->silent)
            add_reply(session, exchange);
        session->ending = session->ending || exchange->closes;
        session->first = exchange->next;
        if (!session->first)
            session->last = &session->first;
        session->in_flight--;
        session->slowing -= exchange->slows;
        engine_count_owed(session->engine, exchange, -1);
        exchange_free(exchange);
    }
    if (exchange && exchange->state == EXCHANGE_WAITING && session->output.length < most)
        engine_begin(session->engine, exchange);
}

static void enqueue(struct session *session, struct exchange *exchange)
{
    exchange->session = session;
    if (PLANTED(REPLY_OUT_OF_TURN) && session->first) {
        exchange->next = session->first;
        session->first = exchange;
    } else {
        *session->last = exchange;
        session->last = &exchange->next;
    }
    session->in_flight++;
    exchange->bytes += exchange->reply.length;
    engine_count_owed(session->engine, exchange, 1);
}

/* --- requests --- */

/* Answers right here; in its turn, like everything else. */
static struct exchange *answer_failure(struct session *session, const struct request *request,
                                       const struct failure *failure, bool closes)
{
    struct exchange *exchange = exchange_new(request, 0);
    if (!exchange) {
        end_without_memory(session);
        return NULL;
    }
    reply_error(&exchange->reply, request->tag, request->seq, failure);
    exchange->closes = closes;
    exchange->state = EXCHANGE_ANSWERED;
    enqueue(session, exchange);
    if (closes)
        session->ending = true;
    return exchange;
}

static int no_memory(struct failure *failure)
{
    return failure_set(failure, "NO_MEMORY", "no memory for this request; send it again later");
}

/* The document as it is journaled: what it left out and hello said is written into it, so that all
 * a decision needs is in the journal. */
static void add_missing(const struct request *request, const struct document *document,
                        struct buffer *out)
{
    bool has_shop = json_member(&request->json, request->doc, "shop") != JSON_ABSENT;
    bool has_terminal = json_member(&request->json, request->doc, "terminal") != JSON_ABSENT;
    if (!has_shop) {
        buffer_add_string(out, "\"shop\":");
        buffer_add_json(out, document->shop);
        buffer_add_byte(out, ',');
    }
    if (!has_terminal) {
        buffer_add_string(out, "\"terminal\":");
        buffer_add_json(out, document->terminal);
        buffer_add_byte(out, ',');
    }
}

static int check_document(struct session *session, const struct request *request,
                          struct document *document, struct failure *failure)
{
    struct document_defaults defaults = {session->identity.shop, session->identity.terminal};
    if (!defaults.shop.bytes)
        defaults.shop = text_of(engine_config(session->engine)->shop);
    if (document_read(document, &request->json, request->doc, &defaults, failure) != 0)
        return -1;
    if (!identity_may_send_for(&session->identity, document->terminal,
                               engine_config(session->engine)))
        return failure_set_field(failure, "TERMINAL_MISMATCH", "terminal",
                                 "terminal: this connection said hello as another one");
    return 0;
}

static int begin_put(struct session *session, const struct request *request,
                     struct failure *failure)
{
    struct document *document = engine_document(session->engine);
    if (check_document(session, request, document, failure) != 0)
        return -1;
    struct text raw = json_raw(&request->json, request->doc);
    struct buffer added = {0}, key = {0};
    add_missing(request, document, &added);
    buffer_add_json(&key, document->shop);
    size_t value_length = raw.length + added.length;
    struct exchange *exchange =
        added.failed || key.failed
            ? NULL
            : exchange_new(request, value_length + key.length + document->terminal.length);
    if (exchange) {
        char *at = exchange->memory;
        struct append *append = &exchange->append;
        append->kind = APPEND_RECORD;
        append->topic = TEXT_LITERAL(STOCK_TOPIC);
        append->record.value = (struct text){at, value_length};
        *at++ = '{';
        exchange_keep(buffer_text(&added), &at);
        exchange_keep((struct text){raw.bytes + 1, raw.length - 1}, &at);
        append->record.key = exchange_keep(buffer_text(&key), &at);
        append->record.seq = document->seq;
        append->producer = exchange_keep(document->terminal, &at);
        append->wants_outcome = request->ack == ACK_APPLIED;
        enqueue(session, exchange);
        if (!session->greedy)
            engine_note_till(session->engine);
        engine_begin(session->engine, exchange);
    }
    buffer_free(&added);
    buffer_free(&key);
    return exchange ? 0 : no_memory(failure);
}

/* What is produced into `stock` is held to what a put is held to, as far as it is a document: no
 * other terminal's name, and each seq once. What is none is journaled, rejected and visible. Its
 * terminal's name, absent where there is no seq, in *producer. */
static int check_produced(struct session *session, const struct request *request,
                          struct text *producer, int64_t *seq, struct failure *failure)
{
    struct document *document = engine_document(session->engine);
    struct document_defaults none = {TEXT_LITERAL("-"), {0}};
    uint32_t value = json_member(&request->json, 0, "value");
    *seq = -1;
    *producer = (struct text){0};
    if (!text_is(request->topic, STOCK_TOPIC) ||
        document_read(document, &request->json, value, &none, NULL) != 0)
        return 0;
    if (!identity_may_send_for(&session->identity, document->terminal,
                               engine_config(session->engine)))
        return failure_set_field(failure, "TERMINAL_MISMATCH", "value.terminal",
                                 "terminal: this connection said hello as another one");
    *seq = document->seq;
    *producer = document->terminal;
    return 0;
}

static int begin_produce(struct session *session, const struct request *request,
                         struct failure *failure)
{
    struct text producer;
    int64_t seq;
    if (check_produced(session, request, &producer, &seq, failure) != 0)
        return -1;
    struct exchange *exchange = exchange_new(request, request->topic.length + request->key.length +
                                                          request->headers.length +
                                                          request->value.length + producer.length);
    if (!exchange)
        return no_memory(failure);
    char *at = exchange->memory;
    struct append *append = &exchange->append;
    append->kind = APPEND_RECORD;
    append->topic = exchange_keep(request->topic, &at);
    append->record.key = exchange_keep(request->key, &at);
    append->record.headers = exchange_keep(request->headers, &at);
    append->record.value = exchange_keep(request->value, &at);
    append->producer = exchange_keep(producer, &at);
    append->record.seq = seq;
    enqueue(session, exchange);
    engine_begin(session->engine, exchange);
    return 0;
}

static int begin_commit(struct session *session, const struct request *request,
                        struct failure *failure)
{
    struct exchange *exchange =
        exchange_new(request, request->topic.length + request->group.length);
    if (!exchange)
        return no_memory(failure);
    char *at = exchange->memory;
    struct append *append = &exchange->append;
    append->kind = request->operation == OPERATION_ROLL ? APPEND_ROLL : APPEND_GROUP_OFFSET;
    append->topic = exchange_keep(request->topic, &at);
    append->group = exchange_keep(request->group, &at);
    append->partition = request->partition;
    append->group_offset = request->offset;
    enqueue(session, exchange);
    engine_begin(session->engine, exchange);
    return 0;
}

static void add_tag(const struct request *request, struct buffer *out)
{
    if (request->tag.bytes) {
        buffer_add_string(out, ",\"tag\":");
        buffer_add_text(out, request->tag);
    }
    buffer_add_byte(out, '}');
}

static void add_fetch(const struct request *request, struct buffer *out)
{
    buffer_add_string(out, "{\"op\":\"fetch\",\"topic\":");
    buffer_add_json(out, request->topic);
    buffer_add_format(out, ",\"partition\":%d,\"offset\":%lld,\"max\":%lld,\"wait_ms\":%lld",
                      request->partition, (long long)request->offset, (long long)request->max,
                      (long long)request->wait_ms);
    add_tag(request, out);
}

static void add_hello(const struct request *request, struct buffer *out)
{
    buffer_add_string(out, "{\"op\":\"hello\",\"terminal\":");
    buffer_add_json(out, request->terminal);
    if (request->shop.bytes) {
        buffer_add_string(out, ",\"shop\":");
        buffer_add_json(out, request->shop);
    }
    add_tag(request, out);
}

/* A fetch may wait long, and is kept as what it says; a hello without its token; of any other read
 * the line is kept. */
static void add_read(const struct request *request, struct text line, struct buffer *out)
{
    if (request->operation == OPERATION_FETCH)
        add_fetch(request, out);
    else if (request->operation == OPERATION_HELLO)
        add_hello(request, out);
    else
        buffer_add_text(out, line);
}

static int begin_read(struct session *session, const struct request *request, struct text line,
                      struct failure *failure)
{
    struct buffer kept = {0};
    add_read(request, line, &kept);
    struct exchange *exchange =
        kept.failed ? NULL : exchange_new(request, kept.length + request->topic.length);
    if (exchange) {
        char *at = exchange->memory;
        exchange->line = exchange_keep(buffer_text(&kept), &at);
        exchange->append.topic = exchange_keep(request->topic, &at);
        exchange->wait_ms = request->wait_ms;
        exchange->hurried = session->input_ended;
        exchange->large = request_may_be_large(request);
        session->work += exchange->large ? WORK_OF_LARGE_READ : 0;
        exchange->state = EXCHANGE_WAITING;
        enqueue(session, exchange);
    }
    buffer_free(&kept);
    return exchange ? 0 : no_memory(failure);
}

static int begin(struct session *session, const struct request *request, struct text line,
                 int64_t *delay_us, struct failure *failure)
{
    struct gate *gate = engine_gate(session->engine);
    if (request->operation == OPERATION_HELLO) {
        if (identity_hello(&session->identity, request, gate, session->address, delay_us,
                           failure) != 0)
            return -1;
    } else if (identity_check(&session->identity, gate, failure) != 0) {
        return -1;
    }
    switch (request->operation) {
    case OPERATION_PUT:
        return begin_put(session, request, failure);
    case OPERATION_PRODUCE:
        return begin_produce(session, request, failure);
    case OPERATION_COMMIT:
    case OPERATION_ROLL:
        return begin_commit(session, request, failure);
    default:
        return begin_read(session, request, line, failure);
    }
}

static void take_line(struct session *session, struct text line)
{
    struct request *request = engine_request(session->engine);
    struct failure failure;
    session->work += WORK_OF_REQUEST + (int64_t)(line.length / WORK_BYTES);
    int64_t delay_us = 0;
    if (request_read(request, line, &failure) != 0 ||
        begin(session, request, line, &delay_us, &failure) != 0) {
        struct exchange *refusal = answer_failure(session, request, &failure, false);
        if (refusal && delay_us > 0) {
            refusal->slows = true;
            session->slowing++;
            engine_delay(session->engine, refusal, delay_us);
        }
    }
    request_shrink(request);
}

/* Works on the splitter's input as far as the limits allow. */
static void work(struct session *session)
{
    size_t limit_bytes = (size_t)engine_config(session->engine)->max_line_bytes;
    enum line_result result = LINE_WHOLE;
    struct text line;
    while (can_take(session) && result == LINE_WHOLE) {
        result = line_next(&session->splitter, limit_bytes, &line);
        if (result == LINE_WHOLE)
            take_line(session, line);
    }
    if (result == LINE_NONE && session->splitter.partial.length > HELD_ALWAYS_BYTES &&
        !engine_has_room_to_hold(session->engine))
        result = LINE_NO_MEMORY;
    if (result == LINE_TOO_LONG || result == LINE_NO_MEMORY) {
        struct failure failure;
        struct request none = {.seq = -1};
        if (result == LINE_TOO_LONG)
            failure_set(&failure, "LINE_TOO_LONG", "a line is at most %zu bytes", limit_bytes);
        else
            no_memory(&failure);
        answer_failure(session, &none, &failure, true);
    }
    advance(session);
}

/* What it keeps of what came: of a line without its end, and of lines not worked on yet. */
static void count_held(struct session *session)
{
    size_t held = session->splitter.partial.length + session->kept.length;
    engine_count_held(session->engine, session->held, held);
    session->held = held;
}

void session_receive(struct session *session, struct text bytes)
{
    line_feed(&session->splitter, bytes);
    work(session);
    if (session->splitter.input.length > 0 && !session->ending) {
        buffer_add_text(&session->kept, session->splitter.input);
        if (session->kept.failed)
            end_without_memory(session);
    }
    line_feed(&session->splitter, (struct text){0});
    count_held(session);
}

void session_resume(struct session *session)
{
    advance(session);
    while (session->kept.length > 0 && can_take(session)) {
        struct buffer input = session->kept;
        session->kept = (struct buffer){.secret = true};
        session_receive(session, buffer_text(&input));
        bool moved = session->kept.length < input.length;
        buffer_free(&input);
        if (!moved)
            break;
    }
    if (session->input_ended && session->kept.length == 0)
        session->ending = true;
}

void session_set_greedy(struct session *session, bool greedy)
{
    session->greedy = greedy;
}

int64_t session_work(const struct session *session)
{
    return session->work;
}

bool session_next_second(struct session *session)
{
    bool stood_still = session->refusals >= REFUSALS_A_SECOND;
    session->refusals = 0;
    return stood_still;
}

void session_end_input(struct session *session)
{
    session->input_ended = true;
    for (struct exchange *exchange = session->first; exchange; exchange = exchange->next)
        engine_hurry(session->engine, exchange);
    session_resume(session);
}

void session_refuse(struct session *session, const char *code, const char *message)
{
    struct failure failure;
    struct request none = {.seq = -1};
    if (session->ending)
        return;
    failure_set(&failure, code, "%s", message);
    answer_failure(session, &none, &failure, true);
    advance(session);
}

void session_answered(struct exchange *first)
{
    struct session *touched = NULL, *next;
    for (struct queue_item *item = first ? &first->append.item : NULL; item; item = item->next) {
        struct session *session = ((struct exchange *)item)->session;
        if (session->touched)
            continue;
        session->touched = true;
        session->next_touched = touched;
        touched = session;
    }
    for (struct session *session = touched; session; session = next) {
        next = session->next_touched;
        session->touched = false;
        advance(session);
        session->changed(session->context); /* may free it */
    }
}
