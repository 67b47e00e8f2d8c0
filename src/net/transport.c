#include "net/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
int transport_init(struct transport *transport, int descriptor, const struct tls *tls)
{
    *transport = (struct transport){.descriptor = descriptor, .is_open = !tls};
    if (!tls)
        return 0;
    transport->tls = tls_stream_new(tls, descriptor);
    if (transport->tls)
        return 0;
    close(descriptor);
    return -1;
}

void transport_free(struct transport *transport)
{
    tls_stream_free(transport->tls);
    close(transport->descriptor);
}

static bool must_wait(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static enum transport_result result_of(enum tls_result result)
{
    static const enum transport_result results[] = {
        [TLS_DONE] = TRANSPORT_MOVED,           [TLS_WAITS_TO_READ] = TRANSPORT_LATER,
        [TLS_WAITS_TO_WRITE] = TRANSPORT_LATER, [TLS_ENDED] = TRANSPORT_ENDED,
        [TLS_BROKEN] = TRANSPORT_BROKEN,
    };
    return results[result];
}

enum transport_result transport_open(struct transport *transport, struct failure *failure)
{
    if (transport->is_open)
        return TRANSPORT_MOVED;
    enum tls_result result = tls_stream_shake_hands(transport->tls, failure);
    transport->receive_writes = result == TLS_WAITS_TO_WRITE;
    transport->is_open = result == TLS_DONE;
    /* We have nothing to say now, and a client that does not switch Nagle's algorithm off would
     * hold its first request back until its last word is acknowledged, 40 ms later. */
    if (transport->is_open)
        setsockopt(transport->descriptor, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
    return result_of(result);
}

enum transport_result transport_receive(struct transport *transport, char *bytes, size_t room,
                                        size_t *moved)
{
    *moved = 0;
    if (transport->tls) {
        enum tls_result result = tls_stream_receive(transport->tls, bytes, room, moved);
        transport->receive_writes = result == TLS_WAITS_TO_WRITE;
        return result_of(result);
    }
    ssize_t got = recv(transport->descriptor, bytes, room, 0);
    if (got < 0)
        return must_wait() ? TRANSPORT_LATER : TRANSPORT_BROKEN;
    *moved = (size_t)got;
    return got > 0 ? TRANSPORT_MOVED : TRANSPORT_ENDED;
}

enum transport_result transport_send(struct transport *transport, const char *bytes, size_t length,
                                     size_t *moved)
{
    *moved = 0;
    if (transport->tls) {
        enum tls_result result = tls_stream_send(transport->tls, bytes, length, moved);
        transport->send_reads = result == TLS_WAITS_TO_READ;
        return result_of(result);
    }
    ssize_t sent;
    do
        sent = send(transport->descriptor, bytes, length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return must_wait() ? TRANSPORT_LATER : TRANSPORT_BROKEN;
    *moved = (size_t)sent;
    return TRANSPORT_MOVED;
}

bool transport_has_more(const struct transport *transport)
{
    return transport->tls && tls_stream_has_more(transport->tls);
}

enum tls_peer transport_peer(const struct transport *transport,
                             char terminal[TERMINAL_URI_ID_BYTES])
{
    terminal[0] = '\0';
    return transport->tls ? tls_stream_peer(transport->tls, terminal) : TLS_PEER_UNKNOWN;
}

void transport_end_output(struct transport *transport)
{
    if (transport->tls)
        tls_stream_end(transport->tls);
    shutdown(transport->descriptor, SHUT_WR);
}
