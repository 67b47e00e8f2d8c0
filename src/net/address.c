#include "net/address.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096 /* terminals that come back all at once after a restart */

static int refused(struct failure *failure, const char *address, const char *reason)
{
    return failure_set(failure, "FAILED", "listen %s: %s", address, reason);
}

/* True where the path is a socket nobody listens on: left behind by a daemon that was killed. */
static bool is_left_behind(const struct sockaddr_un *name)
{
    struct stat status;
    if (lstat(name->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return false;
    bool left =
        connect(probe, (const struct sockaddr *)name, sizeof *name) != 0 && errno == ECONNREFUSED;
    close(probe);
    return left;
}

static int listen_unix(const char *address, const char *path, struct failure *failure)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof name.sun_path)
        return refused(failure, address, "the path is too long");
    memcpy(name.sun_path, path, strlen(path));
    if (is_left_behind(&name))
        unlink(path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return refused(failure, address, strerror(errno));
    if (bind(descriptor, (const struct sockaddr *)&name, sizeof name) != 0 ||
        chmod(path, 0660) != 0 || listen(descriptor, BACKLOG) != 0) {
        refused(failure, address, strerror(errno));
        close(descriptor);
        return -1;
    }
    return descriptor;
}

/* Cuts "HOST:PORT" or "[V6]:PORT". False where it is neither. */
static bool cut(const char *address, char host[ADDRESS_BYTES], const char **port)
{
    const char *colon = strrchr(address, ':');
    if (!colon || colon[1] == '\0' || strlen(address) >= ADDRESS_BYTES)
        return false;
    size_t length = (size_t)(colon - address);
    bool bracketed = length >= 2 && address[0] == '[' && colon[-1] == ']';
    if (!bracketed && memchr(address, ':', length))
        return false; /* an IPv6 address needs brackets */
    snprintf(host, ADDRESS_BYTES, "%.*s", (int)(bracketed ? length - 2 : length),
             bracketed ? address + 1 : address);
    *port = colon + 1;
    return true;
}

static int listen_at(const struct addrinfo *found)
{
    int on = 1;
    int descriptor = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (found->ai_family == AF_INET6)
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(descriptor, found->ai_addr, found->ai_addrlen) == 0 &&
        listen(descriptor, BACKLOG) == 0)
        return descriptor;
    int reason = errno;
    close(descriptor);
    errno = reason;
    return -1;
}

int address_listen(const char *address, struct failure *failure)
{
    char host[ADDRESS_BYTES];
    const char *port;
    if (strncmp(address, "unix:", 5) == 0)
        return listen_unix(address, address + 5, failure);
    if (!cut(address, host, &port))
        return refused(failure, address, "must be HOST:PORT, [V6]:PORT or unix:/PATH");
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int code = getaddrinfo(host, port, &wanted, &found);
    if (code != 0)
        return refused(failure, address, gai_strerror(code));
    int descriptor = listen_at(found);
    if (descriptor < 0)
        refused(failure, address, strerror(errno));
    freeaddrinfo(found);
    return descriptor;
}

static void describe(int (*get)(int, struct sockaddr *, socklen_t *), int descriptor,
                     char out[ADDRESS_BYTES])
{
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_storage storage;
    } name = {.any = {0}};
    socklen_t length = sizeof name;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    snprintf(out, ADDRESS_BYTES, "?");
    if (get(descriptor, &name.any, &length) != 0)
        return;
    if (name.any.sa_family == AF_UNIX) {
        snprintf(out, ADDRESS_BYTES, "unix:%.*s", (int)sizeof name.un.sun_path, name.un.sun_path);
        return;
    }
    if (getnameinfo(&name.any, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(out, ADDRESS_BYTES,
                 name.any.sa_family == AF_INET6 ? "[%.160s]:%.16s" : "%.160s:%.16s", host, port);
}

void address_of(int descriptor, char out[ADDRESS_BYTES])
{
    describe(getsockname, descriptor, out);
}

void address_of_peer(int descriptor, char out[ADDRESS_BYTES])
{
    describe(getpeername, descriptor, out);
}

/* IPv4 addresses lie in a range of 64-bit prefixes that IPv6 keeps for nobody (::/8). */
#define IPV4_PEER (UINT64_C(1) << 32)

uint64_t address_peer_key(int descriptor)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
        struct sockaddr_storage storage;
    } name = {.any = {0}};
    socklen_t length = sizeof name;
    if (getpeername(descriptor, &name.any, &length) != 0)
        return 0;
    if (name.any.sa_family == AF_INET)
        return IPV4_PEER | ntohl(name.four.sin_addr.s_addr);
    if (name.any.sa_family != AF_INET6)
        return 0;
    uint64_t prefix;
    uint32_t last;
    memcpy(&prefix, name.six.sin6_addr.s6_addr, sizeof prefix);
    memcpy(&last, name.six.sin6_addr.s6_addr + 12, sizeof last);
    return IN6_IS_ADDR_V4MAPPED(&name.six.sin6_addr) ? IPV4_PEER | ntohl(last) : be64toh(prefix);
}

void address_print_key(uint64_t peer, char out[ADDRESS_BYTES])
{
    struct in_addr four = {htonl((uint32_t)peer)};
    struct in6_addr six = {0};
    uint64_t prefix = htobe64(peer);
    memcpy(six.s6_addr, &prefix, sizeof prefix);
    snprintf(out, ADDRESS_BYTES, "this machine");
    if (peer >> 32 == IPV4_PEER >> 32)
        inet_ntop(AF_INET, &four, out, ADDRESS_BYTES);
    else if (peer != 0 && inet_ntop(AF_INET6, &six, out, INET6_ADDRSTRLEN))
        snprintf(out + strlen(out), ADDRESS_BYTES - strlen(out), "/64");
}
