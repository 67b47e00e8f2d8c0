#include "net/tls_stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/tls_internal.h"

#define HANDSHAKE_RECORD 0x16

struct tls_stream {
    SSL *ssl;
    int descriptor;
    size_t budget;    /* bytes of the wire still to be taken in this call */
    bool wire_ended;  /* the other side sends no more */
    bool has_more;    /* the last receive stopped for want of room */
    bool may_say_bye; /* the handshake is done, and nothing broke since */
};

/* --- the wire: a socket for the library, with a limit a call --- */

static int wire_read(BIO *bio, char *bytes, int room)
{
    struct tls_stream *stream = BIO_get_data(bio);
    size_t most = (size_t)room < stream->budget ? (size_t)room : stream->budget;
    BIO_clear_retry_flags(bio);
    ssize_t got = most > 0 ? recv(stream->descriptor, bytes, most, MSG_DONTWAIT) : -1;
    if (got < 0 && (most == 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_retry_read(bio); /* the event fires again while bytes lie in the socket */
    if (got == 0)
        stream->wire_ended = true;
    if (got > 0)
        stream->budget -= (size_t)got;
    return (int)got;
}

static int wire_write(BIO *bio, const char *bytes, int length)
{
    struct tls_stream *stream = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t sent = send(stream->descriptor, bytes, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static long wire_control(BIO *bio, int what, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (what == BIO_CTRL_EOF)
        return ((const struct tls_stream *)BIO_get_data(bio))->wire_ended;
    return what == BIO_CTRL_FLUSH;
}

/* One for the process, made by the first connection: the library never gives a kind of wire its
 * number back, and connections outlive the certificate they were made with. */
static BIO_METHOD *wire_method(void)
{
    static BIO_METHOD *method;
    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tillq wire");
        if (method) {
            BIO_meth_set_read(method, wire_read);
            BIO_meth_set_write(method, wire_write);
            BIO_meth_set_ctrl(method, wire_control);
        }
    }
    return method;
}

/* --- life --- */

struct tls_stream *tls_stream_new(const struct tls *tls, int descriptor)
{
    struct tls_stream *stream = calloc(1, sizeof *stream);
    BIO_METHOD *method = wire_method();
    BIO *wire = stream && method ? BIO_new(method) : NULL;
    if (wire)
        stream->ssl = SSL_new(tls->context);
    if (!wire || !stream->ssl) {
        BIO_free(wire);
        free(stream);
        ERR_clear_error();
        return NULL;
    }
    stream->descriptor = descriptor;
    BIO_set_data(wire, stream);
    BIO_set_init(wire, 1);
    SSL_set_bio(stream->ssl, wire, wire); /* takes the wire over */
    SSL_set_accept_state(stream->ssl);
    return stream;
}

void tls_stream_free(struct tls_stream *stream)
{
    if (!stream)
        return;
    SSL_free(stream->ssl);
    free(stream);
}

/* What the library's answer to a call means. */
static enum tls_result read_result(struct tls_stream *stream, int answer)
{
    if (answer > 0)
        return TLS_DONE;
    switch (SSL_get_error(stream->ssl, answer)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WAITS_TO_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WAITS_TO_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_ENDED;
    default:
        stream->may_say_bye = false;
        return TLS_BROKEN;
    }
}

static void begin_call(struct tls_stream *stream)
{
    ERR_clear_error(); /* another connection's complaint would be taken for ours */
    stream->budget = TLS_STREAM_TURN_BYTES;
}

enum tls_result tls_stream_shake_hands(struct tls_stream *stream, struct failure *failure)
{
    begin_call(stream);
    enum tls_result result = read_result(stream, SSL_do_handshake(stream->ssl));
    if (result == TLS_DONE) {
        stream->may_say_bye = true;
        stream->has_more = SSL_has_pending(stream->ssl);
    } else if (result == TLS_BROKEN) {
        unsigned long error = ERR_peek_error();
        const char *words = error ? ERR_reason_error_string(error) : "the connection was lost";
        long verdict = SSL_get_verify_result(stream->ssl);
        failure_set(failure, "FAILED", "%s%s%s", words ? words : "no reason is known",
                    verdict != X509_V_OK ? ": " : "",
                    verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : "");
        ERR_clear_error();
    }
    return result;
}

/* --- bytes --- */

enum tls_result tls_stream_receive(struct tls_stream *stream, char *bytes, size_t room,
                                   size_t *moved)
{
    enum tls_result result = TLS_DONE;
    size_t got;
    *moved = 0;
    begin_call(stream);
    do {
        result = read_result(stream, SSL_read_ex(stream->ssl, bytes + *moved, room - *moved, &got));
        if (result == TLS_DONE)
            *moved += got;
    } while (result == TLS_DONE && *moved < room && SSL_has_pending(stream->ssl));
    ERR_clear_error();
    stream->has_more = result == TLS_DONE && SSL_has_pending(stream->ssl);
    if (*moved == 0)
        return result;
    /* An end or a fault behind good bytes is heard with the next call, of which no event tells. */
    stream->has_more = stream->has_more || (result != TLS_DONE && result != TLS_WAITS_TO_READ);
    return TLS_DONE;
}

enum tls_result tls_stream_send(struct tls_stream *stream, const char *bytes, size_t length,
                                size_t *moved)
{
    *moved = 0;
    begin_call(stream);
    enum tls_result result = read_result(stream, SSL_write_ex(stream->ssl, bytes, length, moved));
    ERR_clear_error();
    return result;
}

bool tls_stream_has_more(const struct tls_stream *stream)
{
    return stream->has_more;
}

void tls_stream_end(struct tls_stream *stream)
{
    if (!stream->may_say_bye)
        return;
    begin_call(stream);
    int ignored = SSL_shutdown(stream->ssl); /* best effort: it may have gone */
    (void)ignored;
    ERR_clear_error();
}

bool tls_stream_is_greeting(struct text bytes)
{
    return bytes.length > 0 && bytes.bytes[0] == HANDSHAKE_RECORD;
}

/* --- the other side --- */

static enum tls_peer read_names(const GENERAL_NAMES *names, char out[TERMINAL_URI_ID_BYTES])
{
    int ours = 0;
    bool good = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI)
            continue;
        const ASN1_IA5STRING *value = name->d.uniformResourceIdentifier;
        struct text uri = {(const char *)ASN1_STRING_get0_data(value),
                           (size_t)ASN1_STRING_length(value)};
        if (!terminal_uri_is_ours(uri))
            continue;
        ours++;
        good = terminal_uri_read(uri, out);
    }
    return ours == 1 && good ? TLS_PEER_TERMINAL : TLS_PEER_NAMELESS;
}

enum tls_peer tls_stream_peer(const struct tls_stream *stream, char out[TERMINAL_URI_ID_BYTES])
{
    X509 *certificate = SSL_get0_peer_certificate(stream->ssl);
    out[0] = '\0';
    if (!certificate)
        return TLS_PEER_UNKNOWN;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    enum tls_peer peer = TLS_PEER_NAMELESS;
    if (names && SSL_get_verify_result(stream->ssl) == X509_V_OK)
        peer = read_names(names, out);
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return peer;
}
