#include "base/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/incident.h"

void notify_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = path ? strlen(path) : 0;
    if (length < 2 || length > sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* the abstract name space */
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        incident_note(INCIDENT_NOTIFY_FAILED, "no socket: %s", strerror(errno));
        return;
    }
    socklen_t address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (sendto(descriptor, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
               address_length) < 0)
        incident_note(INCIDENT_NOTIFY_FAILED, "systemd was not told: %s", strerror(errno));
    close(descriptor);
}

/* A variable that is a whole number from 1 to INT64_MAX; 0 where it is not set or anything else. */
static int64_t read_number(const char *variable)
{
    const char *value = getenv(variable);
    char *end;
    if (!value || *value < '0' || *value > '9')
        return 0;
    errno = 0;
    int64_t number = strtoll(value, &end, 10);
    return errno == 0 && *end == '\0' ? number : 0;
}

int64_t notify_watchdog_us(void)
{
    if (getenv("WATCHDOG_PID") && read_number("WATCHDOG_PID") != getpid())
        return 0;
    return read_number("WATCHDOG_USEC") / 2;
}

int notify_inherited_sockets(void)
{
    int64_t count = read_number("LISTEN_FDS");
    if (read_number("LISTEN_PID") != getpid() || count > INT32_MAX - NOTIFY_FIRST_SOCKET)
        return 0;
    int last = NOTIFY_FIRST_SOCKET + (int)count - 1;
    for (int descriptor = NOTIFY_FIRST_SOCKET; descriptor <= last; descriptor++) {
        int flags = fcntl(descriptor, F_GETFL);
        if (flags < 0 || fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0 ||
            fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0) {
            incident_note(INCIDENT_NOTIFY_FAILED,
                          "descriptor %d was announced but is not usable: %s", descriptor,
                          strerror(errno));
            return descriptor - NOTIFY_FIRST_SOCKET;
        }
    }
    return (int)count;
}

bool notify_socket_is_named(int index, const char *name)
{
    const char *at = getenv("LISTEN_FDNAMES");
    for (; at && index > 0; index--) {
        at = strchr(at, ':');
        at = at ? at + 1 : NULL;
    }
    return at && strcspn(at, ":") == strlen(name) && strncmp(at, name, strlen(name)) == 0;
}
