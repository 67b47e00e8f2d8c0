#include "net/server.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/incident.h"
#include "base/notify.h"
#include "net/address.h"
#include "net/connection.h"
#include "net/reply.h"
#include "net/session.h"
#include "net/tls.h"

#define INPUT_BYTES (16 << 10)
#define ACCEPTS_A_TURN 8
#define STALL_US 10000000 /* a connection may hold replies so long that others wait to read */
#define DAY_S 86400
#define WARNED_BEFORE_DAYS 14

struct listener {
    struct server *server;
    struct event *event;
    int descriptor;
    bool is_tls;
};

struct server {
    struct connection_owner owner;
    struct listener listeners[CONFIG_LISTEN_MAX];
    int listener_count;
    bool inherited; /* systemd made the sockets */
    char address[ADDRESS_BYTES];
    int64_t tls_seen_s;     /* when its dates were looked at last, monotonic */
    const struct tls *tls;  /* for the next who connect to an address that speaks it */
    struct event *deadline; /* of waiting fetches */
    struct event *second;   /* idle connections; accepting again after a failure */
    struct event *patience;
    bool stood_still; /* somebody was not read for want of room in the engine */
    bool draining;
    void (*over)(void *context);
    void *over_context;
};

/* --- listening --- */

/* "tls:127.0.0.1:7078": what a terminal is to connect to. */
static void describe(const struct listener *listener, char out[ADDRESS_BYTES])
{
    char address[ADDRESS_BYTES];
    address_of(listener->descriptor, address);
    snprintf(out, ADDRESS_BYTES, "%s%.180s", listener->is_tls ? CONFIG_TLS : "", address);
}

static bool is_unix(const char *address)
{
    return strncmp(address, "unix:", 5) == 0;
}

/* How well an address tells a stranger where to connect. */
static int rank(const char *address)
{
    const char *rest;
    return address[0] == '\0' ? 0 : is_unix(address) ? 1 : config_is_tls(address, &rest) ? 2 : 3;
}

static void add_listener(struct server *server, int descriptor, bool is_tls)
{
    char address[ADDRESS_BYTES];
    struct listener *listener = &server->listeners[server->listener_count++];
    *listener = (struct listener){.server = server, .descriptor = descriptor, .is_tls = is_tls};
    describe(listener, address);
    if (rank(address) > rank(server->address))
        memcpy(server->address, address, sizeof address);
    log_info("listening on %s", address);
}

/* The i-th listening socket: ours, or one handed over, which speaks TLS where its name says so. */
static int open_listener(struct server *server, const struct config *config, int i,
                         struct failure *failure)
{
    const char *rest;
    char address[ADDRESS_BYTES];
    if (!server->inherited) {
        bool is_tls = config_is_tls(config->listen[i], &rest);
        int descriptor = address_listen(rest, failure);
        if (descriptor >= 0)
            add_listener(server, descriptor, is_tls);
        return descriptor < 0 ? -1 : 0;
    }
    add_listener(server, NOTIFY_FIRST_SOCKET + i, notify_socket_is_named(i, "tls"));
    describe(&server->listeners[i], address);
    if (server->listeners[i].is_tls && !config->certificate[0])
        return failure_set(failure, NULL,
                           "listen: %.100s needs certificate and private_key "
                           "under [tls]",
                           address);
    return config_check_address(config, address, failure);
}

int server_new(struct server **out, struct event_base *base, const struct config *config,
               int inherited, struct failure *failure)
{
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return failure_set(failure, "NO_MEMORY", "no memory for the server");
    server->owner.base = base;
    server->owner.clock = &clock_system;
    server->owner.input = malloc(INPUT_BYTES);
    server->owner.input_bytes = INPUT_BYTES;
    if (!server->owner.input) {
        server_free(server);
        return failure_set(failure, "NO_MEMORY", "no memory for the server");
    }
    server->inherited = inherited > 0;
    if (inherited > CONFIG_LISTEN_MAX)
        incident_note(INCIDENT_NOTIFY_FAILED, "%d sockets were handed over, only %d are used",
                      inherited, CONFIG_LISTEN_MAX);
    int count = inherited > 0 ? inherited : config->listen_count;
    for (int i = 0; i < count && i < CONFIG_LISTEN_MAX; i++) {
        if (open_listener(server, config, i, failure) != 0) {
            server_free(server);
            return -1;
        }
    }
    *out = server;
    return 0;
}

const char *server_address(const struct server *server)
{
    return server->address;
}

/* A certificate ends on a day nobody thinks of, and then no till gets in. */
static void look_at_certificate(struct server *server)
{
    if (!server->tls)
        return;
    int days = tls_days_left(server->tls);
    server->tls_seen_s = clock_monotonic_us(server->owner.clock) / 1000000;
    if (days < 0)
        incident_note(INCIDENT_CERTIFICATE_ENDS,
                      "the certificate is out of its dates: terminals refuse it");
    else if (days < WARNED_BEFORE_DAYS)
        incident_note(INCIDENT_CERTIFICATE_ENDS, "the certificate ends in %d days", days);
}

void server_set_tls(struct server *server, const struct tls *tls)
{
    server->tls = tls;
    look_at_certificate(server);
}

/* --- accepting --- */

static void turn_away(int descriptor)
{
    struct buffer line = {0};
    struct failure failure;
    failure_set(&failure, "TOO_MANY_CONNECTIONS", "the daemon serves as many as it may");
    reply_error(&line, (struct text){0}, -1, &failure);
    buffer_add_byte(&line, '\n');
    incident_note(INCIDENT_TOO_MANY_CONNECTIONS, "a connection over max_connections");
    ssize_t sent = send(descriptor, line.bytes, line.length, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* it may have gone already */
    buffer_free(&line);
    close(descriptor);
}

static void on_connection(evutil_socket_t descriptor, short what, void *argument)
{
    (void)what;
    struct listener *listener = argument;
    struct server *server = listener->server;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int accepted = accept4(descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                incident_note(INCIDENT_ACCEPT_FAILED, "%s; tried again in a second",
                              strerror(errno));
                event_del(listener->event); /* on_second adds it again */
            }
            return;
        }
        if (server->owner.count >= engine_config(server->owner.engine)->max_connections)
            turn_away(accepted);
        else if (connection_new(&server->owner, accepted, listener->is_tls ? server->tls : NULL) !=
                 0)
            incident_note(INCIDENT_ACCEPT_FAILED, "no memory for a connection");
    }
}

static void on_second(evutil_socket_t descriptor, short what, void *argument)
{
    (void)descriptor;
    (void)what;
    struct server *server = argument;
    incident_tell_rest();
    const struct config *config = engine_config(server->owner.engine);
    int64_t now_us = clock_monotonic_us(server->owner.clock);
    if (config->idle_timeout_s > 0 && !server->draining)
        connection_end_idle(&server->owner, now_us - config->idle_timeout_s * 1000000);
    connection_end_strangers(&server->owner, now_us - config->hello_timeout_s * 1000000);
    connection_end_stalled_handshakes(&server->owner,
                                      now_us - config->handshake_timeout_s * 1000000);
    if (now_us / 1000000 - server->tls_seen_s >= DAY_S)
        look_at_certificate(server);
    connection_next_second(&server->owner);
    if (engine_reads_wait(server->owner.engine))
        connection_end_stalled(&server->owner, now_us - STALL_US);
    for (int i = 0; i < server->listener_count && !server->draining; i++)
        if (!event_pending(server->listeners[i].event, EV_READ, NULL))
            event_add(server->listeners[i].event, NULL);
}

static void on_deadline(evutil_socket_t descriptor, short what, void *argument)
{
    (void)descriptor;
    (void)what;
    server_collect(argument);
}

int server_accept(struct server *server, struct engine *engine, struct failure *failure)
{
    struct event_base *base = server->owner.base;
    const struct timeval second = {.tv_sec = 1};
    server->owner.engine = engine;
    server->deadline = evtimer_new(base, on_deadline, server);
    server->second = event_new(base, -1, EV_PERSIST, on_second, server);
    bool ok = server->deadline && server->second && event_add(server->second, &second) == 0;
    for (int i = 0; i < server->listener_count && ok; i++) {
        struct listener *listener = &server->listeners[i];
        listener->event =
            event_new(base, listener->descriptor, EV_READ | EV_PERSIST, on_connection, listener);
        /* Newcomers wait behind those who are here, from the start. */
        ok = listener->event &&
             event_priority_set(listener->event, CONNECTION_PRIORITY_GREEDY) == 0 &&
             event_add(listener->event, NULL) == 0;
    }
    return ok ? 0 : failure_set(failure, "NO_MEMORY", "no memory for the listeners");
}

/* --- the engine's side --- */

static void set_deadline(struct server *server)
{
    int64_t due_us = engine_next_deadline_us(server->owner.engine);
    if (due_us == INT64_MAX) {
        evtimer_del(server->deadline);
        return;
    }
    int64_t wait_us = due_us - clock_monotonic_us(server->owner.clock);
    if (wait_us < 0)
        wait_us = 0;
    const struct timeval wait = {.tv_sec = wait_us / 1000000, .tv_usec = wait_us % 1000000};
    evtimer_add(server->deadline, &wait);
}

static void look_if_over(struct server *server)
{
    if (!server->draining || server->owner.count > 0 || !server->over)
        return;
    void (*over)(void *context) = server->over;
    server->over = NULL;
    over(server->over_context);
}

void server_collect(struct server *server)
{
    struct engine *engine = server->owner.engine;
    server->stood_still = server->stood_still || engine_is_full(engine);
    session_answered(engine_collect(engine));
    engine_flush(engine);
    if (server->stood_still && !engine_is_full(engine)) {
        server->stood_still = false;
        connection_resume_all(&server->owner);
    }
    set_deadline(server);
    look_if_over(server);
}

/* --- going down --- */

static void on_patience_over(evutil_socket_t descriptor, short what, void *argument)
{
    (void)descriptor;
    (void)what;
    struct server *server = argument;
    incident_note_many(INCIDENT_REPLIES_NOT_TAKEN, server->owner.count,
                       "%lld connections did not take their replies before the stop",
                       (long long)server->owner.count);
    connection_free_all(&server->owner);
    look_if_over(server);
}

void server_drain(struct server *server, int64_t patience_ms, void (*over)(void *context),
                  void *context)
{
    const struct timeval patience = {.tv_sec = patience_ms / 1000,
                                     .tv_usec = patience_ms % 1000 * 1000};
    server->draining = true;
    server->over = over;
    server->over_context = context;
    for (int i = 0; i < server->listener_count; i++)
        event_del(server->listeners[i].event);
    engine_drain(server->owner.engine);
    connection_drain_all(&server->owner);
    server->patience = evtimer_new(server->owner.base, on_patience_over, server);
    if (!server->patience || evtimer_add(server->patience, &patience) != 0)
        on_patience_over(-1, 0, server);
    look_if_over(server);
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

/* A unix socket of our own making goes; one that systemd handed over stays for the next start. */
static void close_listener(const struct server *server, struct listener *listener)
{
    char address[ADDRESS_BYTES];
    address_of(listener->descriptor, address);
    free_event(listener->event);
    close(listener->descriptor);
    if (!server->inherited && is_unix(address))
        unlink(address + 5);
}

void server_free(struct server *server)
{
    if (!server)
        return;
    connection_free_all(&server->owner);
    for (int i = 0; i < server->listener_count; i++)
        close_listener(server, &server->listeners[i]);
    free_event(server->deadline);
    free_event(server->second);
    free_event(server->patience);
    free(server->owner.input);
    free(server);
}
