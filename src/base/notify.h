/* notify: what systemd hears from us and hands us (sd_notify(3), sd_listen_fds(3)).
 *
 * Written out here in a few lines instead of linking libsystemd, which would bring five compression
 * and crypto libraries into a daemon that should idle in a few megabytes. The protocol is stable
 * and documented for this use. Nothing here fails: what cannot be done is logged, and the daemon
 * runs on as it would without systemd. For one thread, at start and in the loop. */
#ifndef TILLQ_BASE_NOTIFY_H
#define TILLQ_BASE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Sends e.g. "READY=1\nSTATUS=…" to $NOTIFY_SOCKET (path or @abstract). Nothing where it is not
 * set. */
void notify_send(const char *state);

/* How often to send WATCHDOG=1: half of $WATCHDOG_USEC, as sd_watchdog_enabled(3) advises
 * ($WATCHDOG_PID, where set, must be us); 0 = no watchdog. */
int64_t notify_watchdog_us(void);

/* How many sockets were handed over ($LISTEN_FDS, $LISTEN_PID being us), from descriptor 3 on. They
 * are made close-on-exec and non-blocking. 0 where none. */
#define NOTIFY_FIRST_SOCKET 3
int notify_inherited_sockets(void);
/* Is the i-th of them, from 0, called `name` (FileDescriptorName= of its unit, $LISTEN_FDNAMES)? */
bool notify_socket_is_named(int index, const char *name);

#endif
