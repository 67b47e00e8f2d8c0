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

#define OUTPUT_KEPT_BYTES (16 << 10) /* memory an idle connection may hold on to */

struct connection {
    struct connection_owner *owner;
    struct session *session;
    struct connection *next, **link;
    int descriptor;
    bool reading; /* the read event is in the loop */
    bool writing;
    int64_t last_moved_us; /* heard from, or took some of its replies */
    struct event read_event, write_event;
};

void connection_free(struct connection *connection)
{
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    connection->owner->count--;
    engine_count_connection(connection->owner->engine, -1);
    event_del(&connection->read_event);
    event_del(&connection->write_event);
    close(connection->descriptor);
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
    size_t sent = 0;
    while (sent < output->length) {
        ssize_t wrote =
            send(connection->descriptor, output->bytes + sent, output->length - sent, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
            return false;
        if (wrote <= 0)
            break;
        sent += (size_t)wrote;
        connection->last_moved_us = clock_monotonic_us(connection->owner->clock);
    }
    buffer_consume(output, sent);
    if (output->length == 0)
        buffer_shrink(output, OUTPUT_KEPT_BYTES);
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
    shutdown(connection->descriptor, SHUT_WR);
    for (int i = 0; i < 16; i++)
        if (recv(connection->descriptor, connection->owner->input, connection->owner->input_bytes,
                 MSG_DONTWAIT) <= 0)
            break;
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

/* After anything happened: send, go on, then wait for what is wanted next. May free the connection.
 */
static void settle(void *context)
{
    struct connection *connection = context;
    struct session *session = connection->session;
    if (!send_and_go_on(connection)) {
        break_off(connection, "gone before its replies");
        return;
    }
    bool unsent = session_output(session)->length > 0;
    if (!unsent && session_is_over(session)) {
        finish(connection);
        return;
    }
    watch(&connection->write_event, &connection->writing, unsent);
    watch(&connection->read_event, &connection->reading, session_wants_input(session));
}

static void on_readable(evutil_socket_t descriptor, short what, void *argument)
{
    (void)what;
    struct connection *connection = argument;
    struct connection_owner *owner = connection->owner;
    ssize_t got = recv(descriptor, owner->input, owner->input_bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (got < 0) {
        break_off(connection, strerror(errno));
        return;
    }
    connection->last_moved_us = clock_monotonic_us(owner->clock);
    if (got == 0) {
        /* Half-closed: what was asked is still answered. */
        session_end_input(connection->session);
    } else {
        session_receive(connection->session, (struct text){owner->input, (size_t)got});
    }
    engine_flush(owner->engine);
    settle(connection);
}

static void on_writable(evutil_socket_t descriptor, short what, void *argument)
{
    (void)descriptor;
    (void)what;
    struct connection *connection = argument;
    connection->writing = false; /* not persistent */
    settle(connection);
}

int connection_new(struct connection_owner *owner, int descriptor)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection)
        connection->session = session_new(owner->engine, settle, connection);
    if (!connection || !connection->session) {
        free(connection);
        close(descriptor);
        return -1;
    }
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    connection->owner = owner;
    connection->descriptor = descriptor;
    connection->last_moved_us = clock_monotonic_us(owner->clock);
    event_assign(&connection->read_event, owner->base, descriptor, EV_READ | EV_PERSIST,
                 on_readable, connection);
    event_assign(&connection->write_event, owner->base, descriptor, EV_WRITE, on_writable,
                 connection);
    connection->next = owner->connections;
    connection->link = &owner->connections;
    if (connection->next)
        connection->next->link = &connection->next;
    owner->connections = connection;
    owner->count++;
    engine_count_connection(owner->engine, 1);
    settle(connection);
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
