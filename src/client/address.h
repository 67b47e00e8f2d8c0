/* address: "HOST:PORT", "[V6]:PORT" or "unix:/PATH" made into something to connect to. */
#ifndef TILLQ_CLIENT_ADDRESS_H
#define TILLQ_CLIENT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Of a host with more addresses the rest is left out. */
#define ADDRESS_MAX 8
#define ADDRESS_HOST_BYTES 256

struct address {
    struct sockaddr_storage socket;
    socklen_t length;
};

/* Whether `text` has one of the three forms; looks nothing up. */
bool address_is_valid(const char *text);

/* The host of HOST:PORT or [V6]:PORT, without brackets; false where `text` is neither. */
bool address_host(const char *text, char host[ADDRESS_HOST_BYTES]);

/* Fills `list` and returns how many (at least 1), or -1 with one line in `message`. May wait for a
 * name server. */
int address_resolve(const char *text, struct address list[ADDRESS_MAX], char *message,
                    size_t message_bytes);

/* Begins to connect: a non-blocking, close-on-exec socket that becomes writable when it is decided,
 * or a negative errno. TCP_NODELAY is set: a till's line must not wait for the next. */
int address_start(const struct address *address);

/* What became of it, once writable: 0 or a positive errno. */
int address_outcome(int socket);

/* Both, waiting at most `timeout_ms` (negative: for ever): a connected, non-blocking socket, or a
 * negative errno (-ETIMEDOUT when the time is over). */
int address_connect(const struct address *address, int timeout_ms);

/* Waits for poll's `events` until the deadline: the events that came, 0 when it is over, -1 with
 * errno. A deadline is a moment of address_now_ms; INT64_MAX = never. */
int address_wait(int socket, short events, int64_t deadline_ms);
int64_t address_now_ms(void);
int64_t address_deadline_ms(int timeout_ms);

#endif
