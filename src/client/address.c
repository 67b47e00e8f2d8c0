#include "client/address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PORT_DIGITS_MAX 5
#define PORT_BYTES 8

static const char unix_prefix[] = "unix:";

static bool is_unix(const char *text)
{
    return strncmp(text, unix_prefix, sizeof unix_prefix - 1) == 0;
}

/* 1 to 65535, in at most 5 digits. */
static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    long port = digits > 0 && digits <= PORT_DIGITS_MAX ? strtol(text, NULL, 10) : 0;
    return text[digits] == '\0' && port >= 1 && port <= 65535;
}

/* A bare V6 address is refused: its last group could be taken for the port. */
static bool split(const char *text, char host[ADDRESS_HOST_BYTES], char port[PORT_BYTES])
{
    const char *colon = strrchr(text, ':');
    if (!colon || !is_port(colon + 1))
        return false;
    const char *begin = text;
    const char *end = colon;
    if (*begin == '[') {
        if (end == begin + 1 || end[-1] != ']')
            return false;
        begin++;
        end--;
    } else if (memchr(begin, ':', (size_t)(end - begin))) {
        return false;
    }
    size_t length = (size_t)(end - begin);
    if (length == 0 || length >= ADDRESS_HOST_BYTES)
        return false;
    memcpy(host, begin, length);
    host[length] = '\0';
    snprintf(port, PORT_BYTES, "%.5s", colon + 1);
    return true;
}

bool address_is_valid(const char *text)
{
    char host[ADDRESS_HOST_BYTES], port[PORT_BYTES];
    if (!is_unix(text))
        return split(text, host, port);
    size_t length = strlen(text) - (sizeof unix_prefix - 1);
    return length > 0 && length < sizeof((struct sockaddr_un *)NULL)->sun_path;
}

bool address_host(const char *text, char host[ADDRESS_HOST_BYTES])
{
    char port[PORT_BYTES];
    return !is_unix(text) && split(text, host, port);
}

static int resolve_unix(const char *text, struct address *out)
{
    struct sockaddr_un socket = {.sun_family = AF_UNIX};
    const char *path = text + sizeof unix_prefix - 1;
    memcpy(socket.sun_path, path, strlen(path)); /* its length was checked; zeros follow */
    *out = (struct address){.length = sizeof socket};
    memcpy(&out->socket, &socket, sizeof socket);
    return 1;
}

int address_resolve(const char *text, struct address list[ADDRESS_MAX], char *message,
                    size_t message_bytes)
{
    if (!address_is_valid(text)) {
        snprintf(message, message_bytes, "%.80s: is not HOST:PORT, [V6]:PORT or unix:/PATH", text);
        return -1;
    }
    if (is_unix(text))
        return resolve_unix(text, &list[0]);
    char host[ADDRESS_HOST_BYTES], port[PORT_BYTES];
    split(text, host, port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) {
        snprintf(message, message_bytes, "%.80s: %s", text, gai_strerror(error));
        return -1;
    }
    int count = 0;
    for (struct addrinfo *one = found; one && count < ADDRESS_MAX; one = one->ai_next) {
        list[count] = (struct address){.length = one->ai_addrlen};
        memcpy(&list[count].socket, one->ai_addr, one->ai_addrlen);
        count++;
    }
    freeaddrinfo(found);
    return count;
}

int address_start(const struct address *address)
{
    int family = address->socket.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(fd, (const struct sockaddr *)&address->socket, address->length) == 0 ||
        errno == EINPROGRESS)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

int address_outcome(int socket)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        return errno;
    return error;
}

int64_t address_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t address_deadline_ms(int timeout_ms)
{
    return timeout_ms < 0 ? INT64_MAX : address_now_ms() + timeout_ms;
}

int address_wait(int socket, short events, int64_t deadline_ms)
{
    for (;;) {
        int timeout_ms = -1;
        if (deadline_ms != INT64_MAX) {
            int64_t left = deadline_ms - address_now_ms();
            timeout_ms = left < 0 ? 0 : (int)left;
        }
        struct pollfd one = {.fd = socket, .events = events};
        int count = poll(&one, 1, timeout_ms);
        if (count > 0)
            return one.revents;
        if (count == 0 || errno != EINTR)
            return count;
    }
}

int address_connect(const struct address *address, int timeout_ms)
{
    int fd = address_start(address);
    if (fd < 0)
        return fd;
    int events = address_wait(fd, POLLOUT, address_deadline_ms(timeout_ms));
    int error = events < 0 ? errno : events == 0 ? ETIMEDOUT : address_outcome(fd);
    if (error == 0)
        return fd;
    close(fd);
    return -error;
}
