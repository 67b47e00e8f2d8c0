/* transport: bytes to and from a connected, non-blocking socket, plain or through TLS.
 *
 * A call does what can be done now. What it says of waiting holds until the next call of the same
 * direction: TLS may have to write before it can read, and the other way round. */
#ifndef TILLQ_NET_TRANSPORT_H
#define TILLQ_NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"
#include "net/tls_stream.h"

struct transport {
    int descriptor;         /* owned */
    struct tls_stream *tls; /* NULL: plain */
    bool is_open;           /* always so where it is plain; else from the handshake's end */
    bool receive_writes;    /* receiving goes on when the socket is writable */
    bool send_reads;        /* sending goes on when it is readable */
};

enum transport_result {
    TRANSPORT_MOVED, /* *moved bytes, at least one; of transport_open: it is open */
    TRANSPORT_LATER, /* nothing now */
    TRANSPORT_ENDED, /* receiving: nothing more will come */
    TRANSPORT_BROKEN,
};

/* Takes the descriptor over. `tls` NULL: plain. 0, or -1 (no memory): the descriptor is closed. */
int transport_init(struct transport *transport, int descriptor, const struct tls *tls)
    __attribute__((warn_unused_result));
void transport_free(struct transport *transport);

/* Goes on with the handshake; neither receive nor send before it is done. TRANSPORT_BROKEN: why is
 * in `failure`. Waiting is said as for receiving: `receive_writes`. */
enum transport_result transport_open(struct transport *transport, struct failure *failure);
enum transport_result transport_receive(struct transport *transport, char *bytes, size_t room,
                                        size_t *moved);
/* After TRANSPORT_LATER the same bytes must come first again; more may follow. */
enum transport_result transport_send(struct transport *transport, const char *bytes, size_t length,
                                     size_t *moved);
/* Bytes are here that no event of the socket will tell of. */
bool transport_has_more(const struct transport *transport);
/* Whom its certificate speaks for; TLS_PEER_UNKNOWN where it is plain. Once it is open. */
enum tls_peer transport_peer(const struct transport *transport,
                             char terminal[TERMINAL_URI_ID_BYTES]);
/* Sends no more: the other side hears an orderly end behind the last byte sent. */
void transport_end_output(struct transport *transport);

#endif
