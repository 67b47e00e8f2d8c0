/* tls_stream: one connection's TLS over a non-blocking socket.
 *
 * A call works on at most TLS_STREAM_TURN_BYTES of the wire, so that whoever floods it with records
 * that carry nothing takes no more of a turn than anybody else. What it holds: about 14 KiB while
 * idle, and room for one record each way (16 KiB) while one is half there or half gone. */
#ifndef TILLQ_NET_TLS_STREAM_H
#define TILLQ_NET_TLS_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/failure.h"
#include "base/text.h"
#include "net/terminal_uri.h"
#include "net/tls.h"

#define TLS_STREAM_TURN_BYTES (32 << 10)

struct tls_stream;

enum tls_result {
    TLS_DONE,
    TLS_WAITS_TO_READ,  /* go on when the socket is readable */
    TLS_WAITS_TO_WRITE, /* go on when it is writable */
    TLS_ENDED,          /* the other side has closed, with TLS's farewell or without */
    TLS_BROKEN,         /* of no more use */
};

/* The socket stays the caller's. NULL: no memory. */
struct tls_stream *tls_stream_new(const struct tls *tls, int descriptor)
    __attribute__((warn_unused_result));
void tls_stream_free(struct tls_stream *stream); /* NULL is fine */

/* To be called until it is done. TLS_BROKEN: `failure` says why in the library's words; they hold
 * nothing the other side wrote. */
enum tls_result tls_stream_shake_hands(struct tls_stream *stream, struct failure *failure);

/* *moved bytes; 0 unless TLS_DONE. */
enum tls_result tls_stream_receive(struct tls_stream *stream, char *bytes, size_t room,
                                   size_t *moved);
/* After anything but TLS_DONE the same bytes must come first when it goes on; more may follow. */
enum tls_result tls_stream_send(struct tls_stream *stream, const char *bytes, size_t length,
                                size_t *moved);
/* Bytes lie in here that no event of the socket will tell of: receive again without waiting. */
bool tls_stream_has_more(const struct tls_stream *stream);
/* Says farewell, as far as the socket takes it just now. */
void tls_stream_end(struct tls_stream *stream);

/* The first bytes of a connection that speaks TLS. */
bool tls_stream_is_greeting(struct text bytes);

enum tls_peer {
    TLS_PEER_UNKNOWN,  /* it showed no certificate */
    TLS_PEER_TERMINAL, /* it is the terminal in `out` */
    TLS_PEER_NAMELESS, /* a certificate that names no terminal, or more than one */
};
/* Whom the verified certificate speaks for: its one subject alternative name of the kind URI that
 * terminal_uri.h describes. */
enum tls_peer tls_stream_peer(const struct tls_stream *stream, char out[TERMINAL_URI_ID_BYTES]);

#endif
