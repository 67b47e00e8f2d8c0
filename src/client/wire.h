/* wire: what a client's bytes go through instead of its bare socket. */
#ifndef TILLQ_CLIENT_WIRE_H
#define TILLQ_CLIENT_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tillq/client.h"

/* As recv and send of a non-blocking socket: the bytes moved, at least one; receive 0 at the end;
 * -1 with errno, EAGAIN for "not now" (send is then called with the same bytes first), EPROTO for
 * what only `reason` can tell. A receive into 32 KiB leaves nothing behind that poll would not tell
 * of. */
struct wire {
    void *context;
    ssize_t (*receive)(void *context, void *bytes, size_t room);
    ssize_t (*send)(void *context, const void *bytes, size_t length);
    const char *(*reason)(void *context);
    void (*free)(void *context); /* the socket stays the client's */
};

/* The connected socket of an opened client. */
int wire_socket(const struct tillq_client *client);
/* From here on the client's bytes go through it; the client frees it. */
void wire_use(struct tillq_client *client, const struct wire *wire);
/* Fails an opened client for good, with this message; gives `result` back. */
enum tillq_client_result wire_fail(struct tillq_client *client, enum tillq_client_result result,
                                   const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
