#include "net/connection.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/incident.h"
#include "net/address.h"
#include "net/reply.h"
#include "net/tls_stream.h"
#include "net/transport.h"

#define SHARE_PER_S 2000 /* work (session_work) a connection may ask for in a second … */
#define AT_ONCE 4000     /* … and so much at once, as after an hour without a connection */
#define NEWCOMER (AT_ONCE + 200)     /* of a new one: quiet for a tenth of a second makes it good */
#define GREEDY_INPUT_BYTES 4096      /* what is read at a time of one that takes more */
#define OUTPUT_KEPT_BYTES (16 << 10) /* memory an idle connection may hold on to */
#define UNSENT_BYTES (128 << 10)     /* what the kernel takes of a reply ahead of its taker */

struct connection {
    struct connection_owner *owner;
    struct session *session;
    struct connection *next, **link;
    struct transport transport;
    bool reading; /* the read event is in the loop */
    bool writing;
    bool heard;         /* a first byte came */
    bool greedy;        /* has asked for more work than its share */
    int64_t debt;       /* work done for it, less its share of the time that has passed */
    int64_t work_seen;  /* session_work when that was told last … */
    int64_t charged_us; /* … and the time */
    int64_t connected_us;
    int64_t last_moved_us; /* connected, heard from, or took some of its replies */
    struct event read_event, write_event;
};

void connection_free(struct connection *connection)
{
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    connection->owner->count--;
    connection->owner->shaking_hands -= !connection->transport.is_open;
    engine_count_connection(connection->owner->engine, -1);
    event_del(&connection->read_event);
    event_del(&connection->write_event);
    transport_free(&connection->transport);
    session_free(connection->session);
    free(connection);
}

static void break_off(struct connection *connection, const char *why)
{
    incident_note(INCIDENT_CONNECTION_BROKEN, "%s", why);
    connection_free(connection);
}

/* Sends what there is. False where the connection is broken. */
static bool send_output(struct connection *connection)
{
    struct buffer *output = session_output(connection->session);
    size_t sent = 0, moved;
    while (sent < output->length) {
        enum transport_result result = transport_send(&connection->transport, output->bytes + sent,
                                                      output->length - sent, &moved);
        if (result == TRANSPORT_LATER)
            break;
        if (result != TRANSPORT_MOVED)
            return false;
        sent += moved;
        connection->last_moved_us = clock_monotonic_us(connection->owner->clock);
    }
    buffer_consume(output, sent);
    if (output->length == 0)
        buffer_shrink(output, OUTPUT_KEPT_BYTES);
    else
        buffer_fit(output, OUTPUT_KEPT_BYTES); /* what is counted as unread is what is held */
    return true;
}

static void watch(struct event *event, bool *watched, bool wanted)
{
    if (*watched == wanted)
        return;
    *watched = wanted;
    if (wanted)
        event_add(event, NULL);
    else
        event_del(event);
}

/* An orderly end. Closing while unread input lies in the socket would send a reset, which can take
 * the last replies away from a client that has not read them yet. */
static void finish(struct connection *connection)
{
    transport_end_output(&connection->transport);
    for (int i = 0; i < 16; i++) {
        ssize_t got = recv(connection->transport.descriptor, connection->owner->input,
                           connection->owner->input_bytes, MSG_DONTWAIT);
        if (got <= 0)
            break;
        explicit_bzero(connection->owner->input, (size_t)got);
    }
    connection_free(connection);
}

/* Sends, and goes on with what waited for the room that makes, until nothing more comes or goes.
 * Stopping half way would be for good: with all sent and nothing under way, no event comes. False
 * where the connection is broken. */
static bool send_and_go_on(struct connection *connection)
{
    struct buffer *output = session_output(connection->session);
    size_t unsent;
    do {
        if (!send_output(connection))
            return false;
        unsent = output->length;
        session_resume(connection->session);
        engine_flush(connection->owner->engine);
    } while (output->length > unsent);
    return true;
}

/* Waits for what is wanted next. */
static void watch_both(struct connection *connection)
{
    const struct transport *transport = &connection->transport;
    bool wants_input = transport->is_open ? session_wants_input(connection->session) : true;
    bool unsent = transport->is_open && session_output(connection->session)->length > 0;
    watch(&connection->write_event, &connection->writing,
          (unsent && !transport->send_reads) || (wants_input && transport->receive_writes));
    watch(&connection->read_event, &connection->reading,
          (wants_input && !transport->receive_writes) || (unsent && transport->send_reads));
    if (wants_input && transport_has_more(transport))
        event_active(&connection->read_event, EV_READ, 0);
}

/* A certificate that names a terminal speaks for it; one that names none must not pass for a
 * connection without any. False where the connection is not to be served. */
static bool recognise(struct connection *connection)
{
    char terminal[TERMINAL_URI_ID_BYTES];
    switch (transport_peer(&connection->transport, terminal)) {
    case TLS_PEER_TERMINAL:
        return session_authenticate(connection->session, text_of(terminal), ROLE_TERMINAL) == 0;
    case TLS_PEER_NAMELESS:
        session_refuse(connection->session, "BAD_CERTIFICATE",
                       "the client certificate must name one terminal: URI:tillq:terminal:ID");
        return true;
    default:
        return true;
    }
}

/* Says in plain what a plain client can read. */
static void refuse_plain(struct connection *connection)
{
    struct buffer line = {0};
    struct failure failure;
    failure_set(&failure, "TLS_REQUIRED", "TLS is spoken at this address");
    reply_error(&line, (struct text){0}, -1, &failure);
    buffer_add_byte(&line, '\n');
    incident_note(INCIDENT_TLS_REQUIRED, "plain bytes where TLS is spoken");
    ssize_t sent = send(connection->transport.descriptor, line.bytes, line.length,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* it may have gone already */
    buffer_free(&line);
    finish(connection);
}

/* The first byte tells. False while none has come. */
static bool speaks_plain(struct connection *connection)
{
    char first;
    if (connection->heard ||
        recv(connection->transport.descriptor, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
        return false;
    connection->heard = true;
    return !tls_stream_is_greeting((struct text){&first, 1});
}

/* Goes on agreeing on TLS. False where the connection is gone or this takes longer. */
static bool shake_hands(struct connection *connection)
{
    struct failure failure;
    char peer[ADDRESS_BYTES];
    if (speaks_plain(connection)) {
        refuse_plain(connection);
        return false;
    }
    switch (transport_open(&connection->transport, &failure)) {
    case TRANSPORT_MOVED:
        connection->owner->shaking_hands--;
        connection->last_moved_us = clock_monotonic_us(connection->owner->clock);
        if (recognise(connection))
            return true;
        connection_free(connection);
        return false;
    case TRANSPORT_LATER:
        watch_both(connection);
        return false;
    case TRANSPORT_BROKEN:
        address_of_peer(connection->transport.descriptor, peer);
        incident_note(INCIDENT_TLS_HANDSHAKE, "%s: %s", peer, failure.message);
        finish(connection);
        return false;
    default: /* it went away again */
        connection_free(connection);
        return false;
    }
}

/* After anything happened: send, go on, then wait for what is wanted next. False where that is not
 * so: the connection is freed, or they still shake hands. */
static bool settle(struct connection *connection)
{
    struct session *session = connection->session;
    if (!connection->transport.is_open && session_is_over(session)) {
        connection_free(connection); /* going down: nothing was asked yet */
        return false;
    }
    if (!connection->transport.is_open && !shake_hands(connection))
        return false;
    if (!send_and_go_on(connection)) {
        break_off(connection, "gone before its replies");
        return false;
    }
    session_count_unread(session);
    if (session_output(session)->length == 0 && session_is_over(session)) {
        finish(connection);
        return false;
    }
    watch_both(connection);
    return true;
}

/* --- whose turn it is --- */

static void set_greedy(struct connection *connection, bool greedy)
{
    int priority = greedy ? CONNECTION_PRIORITY_GREEDY : CONNECTION_PRIORITY_FAIR;
    connection->greedy = greedy;
    session_set_greedy(connection->session, greedy);
    event_priority_set(&connection->read_event, priority);
    event_priority_set(&connection->write_event, priority);
}

/* Every connection may ask for a share of the loop's work, and some at once. Who asks for more
 * waits behind those who do not, and is read in smaller pieces, until time has made up for it. Work
 * is counted and not timed: on a busy machine time would blame whoever was interrupted. */
static void charge(struct connection *connection)
{
    int64_t now_us = clock_monotonic_us(connection->owner->clock);
    int64_t work = session_work(connection->session);
    int64_t paid = (now_us - connection->charged_us) * SHARE_PER_S / 1000000;
    if (paid > 0)
        connection->charged_us = now_us;
    connection->debt -= paid < connection->debt ? paid : connection->debt;
    connection->debt += work - connection->work_seen;
    connection->work_seen = work;
    bool greedy = connection->debt > AT_ONCE;
    if (greedy != connection->greedy)
        set_greedy(connection, greedy);
}

/* Answers have come. Of who asks for more than its share they are sent when the others are served.
 */
static void on_answered(void *context)
{
    struct connection *connection = context;
    if (connection->greedy)
        event_active(&connection->write_event, EV_WRITE, 0);
    else
        settle(connection);
}

/* --- what the loop tells --- */

/* The first bytes ever. A client that speaks TLS where none is spoken would wait for an answer that
 * no line end brings about. */
static void hear(struct connection *connection, struct text bytes)
{
    bool first = !connection->heard;
    connection->heard = true;
    if (first && !connection->transport.tls && tls_stream_is_greeting(bytes))
        session_refuse(connection->session, "NO_TLS", "TLS is not spoken at this address");
    else
        session_receive(connection->session, bytes);
}

/* Takes in what came. False where the connection is gone. */
static bool receive_input(struct connection *connection)
{
    struct connection_owner *owner = connection->owner;
    size_t got;
    enum transport_result result =
        transport_receive(&connection->transport, owner->input,
                          connection->greedy ? GREEDY_INPUT_BYTES : owner->input_bytes, &got);
    if (result == TRANSPORT_LATER)
        return true;
    if (result == TRANSPORT_BROKEN) {
        break_off(connection, connection->transport.tls ? "TLS failed" : strerror(errno));
        return false;
    }
    connection->last_moved_us = clock_monotonic_us(owner->clock);
    if (result == TRANSPORT_ENDED)
        /* Half-closed: what was asked is still answered. */
        session_end_input(connection->session);
    else
        hear(connection, (struct text){owner->input, got});
    explicit_bzero(owner->input, got); /* a token may stand there */
    engine_flush(owner->engine);
    return true;
}

static void on_readable(evutil_socket_t descriptor, short what, void *argument)
{
    (void)descriptor;
    (void)what;
    struct connection *connection = argument;
    if (connection->transport.is_open && session_wants_input(connection->session) &&
        !receive_input(connection))
        return;
    if (settle(connection))
        charge(connection);
}

static void on_writable(evutil_socket_t descriptor, short what, void *argument)
{
    struct connection *connection = argument;
    connection->writing = false; /* not persistent */
    if (connection->transport.receive_writes)
        on_readable(descriptor, what, connection);
    else if (settle(connection))
        charge(connection);
}

static int fail_new(struct connection *connection, int descriptor)
{
    if (connection && connection->session)
        session_free(connection->session);
    free(connection);
    if (descriptor >= 0)
        close(descriptor);
    return -1;
}

static void enlist(struct connection *connection, struct connection_owner *owner)
{
    connection->next = owner->connections;
    connection->link = &owner->connections;
    if (connection->next)
        connection->next->link = &connection->next;
    owner->connections = connection;
    owner->count++;
    owner->shaking_hands += !connection->transport.is_open;
    engine_count_connection(owner->engine, 1);
}

/* The kernel would take megabytes for a client that reads nothing, and with them as much work of
 * the reader's, outside of all that is counted. What is on its way to one that reads has no limit.
 * Fails on a unix socket, where the kernel takes no more than this anyway. */
static void prepare_socket(int descriptor)
{
    int on = 1, unsent = UNSENT_BYTES;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

int connection_new(struct connection_owner *owner, int descriptor, const struct tls *tls)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection)
        connection->session = session_new(owner->engine, on_answered, connection);
    if (!connection || !connection->session)
        return fail_new(connection, descriptor);
    if (transport_init(&connection->transport, descriptor, tls) != 0)
        return fail_new(connection, -1);
    session_set_address(connection->session, address_peer_key(descriptor));
    prepare_socket(descriptor);
    connection->owner = owner;
    connection->connected_us = connection->last_moved_us = clock_monotonic_us(owner->clock);
    event_assign(&connection->read_event, owner->base, descriptor, EV_READ | EV_PERSIST,
                 on_readable, connection);
    event_assign(&connection->write_event, owner->base, descriptor, EV_WRITE, on_writable,
                 connection);
    connection->charged_us = connection->last_moved_us;
    connection->debt = NEWCOMER; /* a crowd of newcomers waits behind those who are here */
    set_greedy(connection, true);
    enlist(connection, owner);
    watch_both(connection);
    return 0;
}

void connection_resume_all(struct connection_owner *owner)
{
    struct connection *next;
    for (struct connection *connection = owner->connections; connection; connection = next) {
        next = connection->next;
        if (connection->reading)
            continue;
        session_resume(connection->session);
        settle(connection);
    }
    engine_flush(owner->engine);
}

void connection_end_idle(struct connection_owner *owner, int64_t before_us)
{
    struct connection *next;
    for (struct connection *connection = owner->connections; connection; connection = next) {
        next = connection->next;
        if (connection->last_moved_us >= before_us)
            continue;
        if (session_output(connection->session)->length > 0) {
            incident_note(INCIDENT_REPLIES_NOT_TAKEN, "closed: it takes no replies");
            connection_free(connection);
        } else if (!session_is_owed(connection->session)) {
            session_refuse(connection->session, "IDLE_TIMEOUT", "nothing came for too long");
            settle(connection);
        }
    }
}

void connection_end_strangers(struct connection_owner *owner, int64_t before_us)
{
    struct connection *next;
    for (struct connection *connection = owner->connections; connection; connection = next) {
        next = connection->next;
        if (connection->connected_us >= before_us || !connection->transport.is_open ||
            session_is_known(connection->session))
            continue;
        session_refuse(connection->session, "AUTH_REQUIRED", "no good token came in time");
        settle(connection);
    }
}

void connection_end_stalled_handshakes(struct connection_owner *owner, int64_t before_us)
{
    struct connection *next;
    for (struct connection *connection = owner->connections; connection && owner->shaking_hands > 0;
         connection = next) {
        next = connection->next;
        if (connection->transport.is_open || connection->last_moved_us >= before_us)
            continue;
        incident_note(INCIDENT_TLS_STALLED, "closed: it took too long to agree on TLS");
        connection_free(connection);
    }
}

void connection_next_second(struct connection_owner *owner)
{
    for (struct connection *one = owner->connections; one; one = one->next)
        if (session_next_second(one->session))
            event_active(&one->write_event, EV_WRITE, 0);
}

void connection_end_stalled(struct connection_owner *owner, int64_t before_us)
{
    struct connection *next;
    for (struct connection *connection = owner->connections; connection; connection = next) {
        next = connection->next;
        if (connection->last_moved_us < before_us &&
            session_output(connection->session)->length > 0)
            break_off(connection, "took nothing of its replies while others waited for the room");
    }
}

void connection_drain_all(struct connection_owner *owner)
{
    struct connection *next;
    for (struct connection *connection = owner->connections; connection; connection = next) {
        next = connection->next;
        session_end_input(connection->session);
        settle(connection);
    }
    engine_flush(owner->engine);
}

void connection_free_all(struct connection_owner *owner)
{
    while (owner->connections)
        connection_free(owner->connections);
}
