#include "tillq/client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "client/address.h"
#include "client/wire.h"

#define READ_BYTES 65536u
#define WIRE_CHUNK_BYTES 16384u /* the most one record of TLS takes */

/* Bytes received lie in input[start..end); input[start..scanned) is known to have no LF. */
struct tillq_client {
    int socket;       /* -1 = of no more use */
    struct wire wire; /* zeros: the bare socket */
    char *input;
    size_t start;
    size_t scanned;
    size_t end;
    size_t capacity;
    char message[200];
};

static enum tillq_client_result failed(struct tillq_client *client, enum tillq_client_result result,
                                       const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum tillq_client_result failed(struct tillq_client *client, enum tillq_client_result result,
                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(client->message, sizeof client->message, format, arguments);
    va_end(arguments);
    return result;
}

static void disconnect(struct tillq_client *client)
{
    if (client->wire.free)
        client->wire.free(client->wire.context);
    client->wire = (struct wire){0};
    if (client->socket >= 0)
        close(client->socket);
    client->socket = -1;
}

/* A failure after which nothing more can be said about what the daemon has or owes. */
static enum tillq_client_result broken(struct tillq_client *client, enum tillq_client_result result,
                                       const char *why)
{
    enum tillq_client_result kept = failed(client, result, "%s", why); /* the wire's, perhaps */
    disconnect(client);
    return kept;
}

static int time_left_ms(int64_t deadline_ms)
{
    if (deadline_ms == INT64_MAX)
        return -1;
    int64_t left = deadline_ms - address_now_ms();
    return left < 0 ? 0 : (int)left;
}

static enum tillq_client_result connect_one(struct tillq_client *client, const char *text,
                                            const struct address *address, int64_t deadline_ms)
{
    int fd = address_connect(address, time_left_ms(deadline_ms));
    if (fd >= 0) {
        client->socket = fd;
        return TILLQ_CLIENT_OK;
    }
    return failed(client, fd == -ETIMEDOUT ? TILLQ_CLIENT_TIMEOUT : TILLQ_CLIENT_UNREACHABLE,
                  "%.100s: %s", text, strerror(-fd));
}

enum tillq_client_result tillq_client_open(struct tillq_client **out, const char *address,
                                           int timeout_ms)
{
    struct tillq_client *client = calloc(1, sizeof *client);
    *out = client;
    if (!client)
        return TILLQ_CLIENT_NO_MEMORY;
    client->socket = -1;
    struct address list[ADDRESS_MAX];
    int count = address_resolve(address, list, client->message, sizeof client->message);
    if (count < 0)
        return TILLQ_CLIENT_BAD_ADDRESS;
    int64_t deadline_ms = address_deadline_ms(timeout_ms);
    enum tillq_client_result result = TILLQ_CLIENT_UNREACHABLE;
    for (int i = 0; i < count && client->socket < 0; i++)
        result = connect_one(client, address, &list[i], deadline_ms);
    if (result == TILLQ_CLIENT_OK)
        client->message[0] = '\0';
    return result;
}

static bool make_room(struct tillq_client *client)
{
    if (client->start > 0) {
        memmove(client->input, client->input + client->start, client->end - client->start);
        client->end -= client->start;
        client->scanned -= client->start;
        client->start = 0;
    }
    if (client->capacity - client->end >= READ_BYTES)
        return true;
    size_t capacity = client->capacity * 2 + READ_BYTES;
    char *input = realloc(client->input, capacity);
    if (!input)
        return false;
    client->input = input;
    client->capacity = capacity;
    return true;
}

static ssize_t receive_some(struct tillq_client *client)
{
    char *to = client->input + client->end;
    size_t room = client->capacity - client->end;
    ssize_t got = client->wire.receive ? client->wire.receive(client->wire.context, to, room)
                                       : read(client->socket, to, room);
    if (got > 0)
        client->end += (size_t)got;
    return got;
}

static const char *reason(const struct tillq_client *client, int error)
{
    return error == EPROTO && client->wire.reason ? client->wire.reason(client->wire.context)
                                                  : strerror(error);
}

/* Takes in what has come. Only after poll said so: never waits. */
static enum tillq_client_result take_in(struct tillq_client *client)
{
    if (!make_room(client))
        return broken(client, TILLQ_CLIENT_NO_MEMORY, "no memory for a reply");
    ssize_t got = receive_some(client);
    if (got == 0)
        return broken(client, TILLQ_CLIENT_CLOSED, "the daemon closed the connection");
    if (got < 0 && (errno == ECONNRESET || errno == EPIPE))
        return broken(client, TILLQ_CLIENT_CLOSED, strerror(errno));
    if (got < 0 && errno != EAGAIN && errno != EINTR)
        return broken(client, TILLQ_CLIENT_FAILED, reason(client, errno));
    return TILLQ_CLIENT_OK;
}

/* The daemon says why before it closes; that line must not be lost with the connection. */
static void take_in_last_words(struct tillq_client *client)
{
    while (make_room(client) && receive_some(client) > 0)
        ;
}

/* The line from `sent` on and its LF behind it, as one piece where they fit into a record. */
static ssize_t send_through_wire(struct tillq_client *client, const char *line, size_t length,
                                 size_t sent)
{
    char chunk[WIRE_CHUNK_BYTES];
    size_t left = length - sent;
    if (left >= sizeof chunk)
        return client->wire.send(client->wire.context, line + sent, sizeof chunk);
    memcpy(chunk, line + sent, left);
    chunk[left] = '\n';
    return client->wire.send(client->wire.context, chunk, left + 1);
}

static ssize_t send_some(struct tillq_client *client, const char *line, size_t length, size_t sent)
{
    if (client->wire.send)
        return send_through_wire(client, line, length, sent);
    struct iovec parts[2] = {{.iov_base = (void *)(uintptr_t)(line + sent)},
                             {.iov_base = (void *)(uintptr_t) "\n", .iov_len = 1}};
    parts[0].iov_len = length - sent;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    return sendmsg(client->socket, &message, MSG_NOSIGNAL);
}

/* 0 bytes where the socket takes no more just now. */
static enum tillq_client_result push(struct tillq_client *client, const char *line, size_t length,
                                     size_t *sent)
{
    ssize_t took = send_some(client, line, length, *sent);
    if (took >= 0) {
        *sent += (size_t)took;
        return TILLQ_CLIENT_OK;
    }
    if (errno == EAGAIN || errno == EINTR)
        return TILLQ_CLIENT_OK;
    int error = errno;
    bool gone = error == EPIPE || error == ECONNRESET;
    take_in_last_words(client);
    return broken(client, gone ? TILLQ_CLIENT_CLOSED : TILLQ_CLIENT_FAILED, reason(client, error));
}

enum tillq_client_result tillq_client_send(struct tillq_client *client, const char *line,
                                           size_t length, int timeout_ms)
{
    client->message[0] = '\0';
    if (client->socket < 0)
        return failed(client, TILLQ_CLIENT_CLOSED, "the connection is closed");
    if (memchr(line, '\n', length))
        return failed(client, TILLQ_CLIENT_BAD_LINE, "a line to send contains a line feed");
    int64_t deadline_ms = address_deadline_ms(timeout_ms);
    size_t sent = 0;
    enum tillq_client_result result = push(client, line, length, &sent);
    while (result == TILLQ_CLIENT_OK && sent <= length) {
        int events = address_wait(client->socket, POLLIN | POLLOUT, deadline_ms);
        if (events < 0)
            return broken(client, TILLQ_CLIENT_FAILED, strerror(errno));
        if (events == 0)
            return broken(client, TILLQ_CLIENT_TIMEOUT, "the daemon took no more in time");
        if (events & POLLIN)
            result = take_in(client);
        if (result == TILLQ_CLIENT_OK && (events & (POLLOUT | POLLERR | POLLHUP)))
            result = push(client, line, length, &sent);
    }
    return result;
}

/* A whole line out of the input, or false. */
static bool next_line(struct tillq_client *client, const char **line, size_t *length)
{
    if (client->scanned == client->end)
        return false;
    char *from = client->input + client->scanned;
    char *feed = memchr(from, '\n', client->end - client->scanned);
    if (!feed) {
        client->scanned = client->end;
        return false;
    }
    char *begin = client->input + client->start;
    char *end = feed > begin && feed[-1] == '\r' ? feed - 1 : feed;
    *end = '\0';
    *line = begin;
    if (length)
        *length = (size_t)(end - begin);
    client->start = client->scanned = (size_t)(feed + 1 - client->input);
    return true;
}

enum tillq_client_result tillq_client_receive(struct tillq_client *client, const char **line,
                                              size_t *length, int timeout_ms)
{
    client->message[0] = '\0';
    int64_t deadline_ms = address_deadline_ms(timeout_ms);
    while (!next_line(client, line, length)) {
        if (client->socket < 0)
            return failed(client, TILLQ_CLIENT_CLOSED, "the connection is closed");
        if (client->end - client->start > TILLQ_CLIENT_REPLY_MAX_BYTES)
            return broken(client, TILLQ_CLIENT_FAILED, "a reply is too long");
        int events = address_wait(client->socket, POLLIN, deadline_ms);
        if (events < 0)
            return broken(client, TILLQ_CLIENT_FAILED, strerror(errno));
        if (events == 0)
            return failed(client, TILLQ_CLIENT_TIMEOUT, "no reply in time");
        enum tillq_client_result result = take_in(client);
        if (result != TILLQ_CLIENT_OK)
            return result;
    }
    return TILLQ_CLIENT_OK;
}

enum tillq_client_result tillq_client_ask(struct tillq_client *client, const char *line,
                                          const char **reply, int timeout_ms)
{
    int64_t deadline_ms = address_deadline_ms(timeout_ms);
    enum tillq_client_result result = tillq_client_send(client, line, strlen(line), timeout_ms);
    if (result != TILLQ_CLIENT_OK)
        return result;
    return tillq_client_receive(client, reply, NULL, time_left_ms(deadline_ms));
}

/* Adds `begin`, which ends with a quote, the value as JSON wants it, and a quote; nothing where
 * `value` is NULL. */
static char *add_member(char *at, const char *begin, const char *value)
{
    static const char digits[] = "0123456789abcdef";
    if (!value)
        return at;
    memcpy(at, begin, strlen(begin));
    at += strlen(begin);
    for (; *value; value++) {
        unsigned char byte = (unsigned char)*value;
        if (byte >= 0x20 && byte != '"' && byte != '\\') {
            *at++ = (char)byte;
            continue;
        }
        memcpy(at, "\\u00", 4);
        at[4] = digits[byte >> 4];
        at[5] = digits[byte & 15];
        at += 6;
    }
    *at++ = '"';
    return at;
}

static size_t room_for(const char *value)
{
    return value ? 6 * strlen(value) + sizeof ",\"terminal\":\"\"" : 0;
}

enum tillq_client_result tillq_client_hello(struct tillq_client *client, const char *terminal,
                                            const char *shop, const char *token, const char **reply,
                                            int timeout_ms)
{
    static const char begin[] = "{\"op\":\"hello\"";
    size_t room = sizeof begin + 1 + room_for(terminal) + room_for(shop) + room_for(token);
    char *line = malloc(room);
    if (!line)
        return failed(client, TILLQ_CLIENT_NO_MEMORY, "no memory for a hello");
    memcpy(line, begin, sizeof begin - 1);
    char *at = line + sizeof begin - 1;
    at = add_member(at, ",\"terminal\":\"", terminal);
    at = add_member(at, ",\"shop\":\"", shop);
    at = add_member(at, ",\"token\":\"", token);
    *at++ = '}';
    *at = '\0';
    enum tillq_client_result result = tillq_client_ask(client, line, reply, timeout_ms);
    explicit_bzero(line, room);
    free(line);
    return result;
}

const char *tillq_client_message(const struct tillq_client *client)
{
    return client ? client->message : "no memory";
}

void tillq_client_close(struct tillq_client *client)
{
    if (!client)
        return;
    disconnect(client);
    free(client->input);
    free(client);
}

int wire_socket(const struct tillq_client *client)
{
    return client->socket;
}

void wire_use(struct tillq_client *client, const struct wire *wire)
{
    client->wire = *wire;
}

enum tillq_client_result wire_fail(struct tillq_client *client, enum tillq_client_result result,
                                   const char *format, ...)
{
    char why[sizeof client->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return broken(client, result, why);
}
