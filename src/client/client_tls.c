#include "tillq/client_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/address.h"
#include "client/wire.h"

#define REASON_BYTES 160

static const char tls_prefix[] = "tls:";

struct encrypted {
    SSL *ssl;
    BIO_METHOD *method;
    int socket;
    bool ended; /* the daemon sends no more */
    char reason[REASON_BYTES];
};

/* --- the socket, for the library: it must not raise SIGPIPE in somebody's program --- */

static int socket_read(BIO *bio, char *bytes, int room)
{
    struct encrypted *encrypted = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t got = recv(encrypted->socket, bytes, (size_t)room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    encrypted->ended = encrypted->ended || got == 0;
    return (int)got;
}

static int socket_write(BIO *bio, const char *bytes, int length)
{
    struct encrypted *encrypted = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t sent = send(encrypted->socket, bytes, (size_t)length, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static long socket_control(BIO *bio, int what, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (what == BIO_CTRL_EOF)
        return ((const struct encrypted *)BIO_get_data(bio))->ended;
    return what == BIO_CTRL_FLUSH;
}

static bool attach(struct encrypted *encrypted)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "tillq client");
    encrypted->method = method;
    if (!method || !BIO_meth_set_read(method, socket_read) ||
        !BIO_meth_set_write(method, socket_write) || !BIO_meth_set_ctrl(method, socket_control))
        return false;
    BIO *bio = BIO_new(method);
    if (!bio)
        return false;
    BIO_set_data(bio, encrypted);
    BIO_set_init(bio, 1);
    SSL_set_bio(encrypted->ssl, bio, bio); /* takes it over */
    return true;
}

/* --- the wire --- */

/* The library's word for what went wrong; of the other side's certificate, what is wrong with it.
 */
static void keep_reason(struct encrypted *encrypted)
{
    const char *words = ERR_reason_error_string(ERR_peek_error());
    long verdict = SSL_get_verify_result(encrypted->ssl);
    if (verdict != X509_V_OK)
        words = X509_verify_cert_error_string(verdict);
    snprintf(encrypted->reason, REASON_BYTES, "TLS: %s", words ? words : "the connection was lost");
    ERR_clear_error();
}

/* What recv and send would say of the library's answer. */
static ssize_t answer(struct encrypted *encrypted, int result, size_t moved)
{
    if (result > 0)
        return (ssize_t)moved;
    switch (SSL_get_error(encrypted->ssl, result)) {
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    default:
        keep_reason(encrypted);
        errno = EPROTO;
        return -1;
    }
}

static ssize_t encrypted_receive(void *context, void *bytes, size_t room)
{
    struct encrypted *encrypted = context;
    size_t moved = 0;
    ERR_clear_error();
    int result = SSL_read_ex(encrypted->ssl, bytes, room, &moved);
    return answer(encrypted, result, moved);
}

static ssize_t encrypted_send(void *context, const void *bytes, size_t length)
{
    struct encrypted *encrypted = context;
    size_t moved = 0;
    ERR_clear_error();
    int result = SSL_write_ex(encrypted->ssl, bytes, length, &moved);
    ssize_t sent = answer(encrypted, result, moved);
    if (sent != 0)
        return sent;
    errno = EPIPE;
    return -1;
}

static const char *encrypted_reason(void *context)
{
    return ((const struct encrypted *)context)->reason;
}

static void encrypted_free(void *context)
{
    struct encrypted *encrypted = context;
    if (encrypted->ssl && SSL_is_init_finished(encrypted->ssl))
        (void)!SSL_shutdown(encrypted->ssl); /* farewell, as far as it goes */
    ERR_clear_error();
    SSL_free(encrypted->ssl);
    BIO_meth_free(encrypted->method);
    free(encrypted);
}

/* --- opening --- */

/* What is wrong with the files, or NULL. */
static const char *use_files(SSL_CTX *context, const struct tillq_client_tls *tls)
{
    if (tls->ca_file ? SSL_CTX_load_verify_file(context, tls->ca_file) != 1
                     : SSL_CTX_set_default_verify_paths(context) != 1)
        return tls->ca_file ? tls->ca_file : "the system's authorities";
    if (!tls->certificate_file)
        return NULL;
    if (SSL_CTX_use_certificate_chain_file(context, tls->certificate_file) != 1)
        return tls->certificate_file;
    const char *key = tls->private_key_file ? tls->private_key_file : tls->certificate_file;
    return SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 ? NULL : key;
}

static SSL_CTX *make_context(struct tillq_client *client, const struct tillq_client_tls *tls,
                             enum tillq_client_result *result)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    *result = TILLQ_CLIENT_NO_MEMORY;
    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(context);
        wire_fail(client, *result, "no memory for TLS");
        return NULL;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    const char *file = use_files(context, tls);
    if (!file)
        return context;
    const char *words = ERR_reason_error_string(ERR_peek_error());
    *result = wire_fail(client, TILLQ_CLIENT_BAD_ADDRESS, "%.100s: %s", file,
                        words ? words : "cannot be used");
    ERR_clear_error();
    SSL_CTX_free(context);
    return NULL;
}

/* The certificate must be this name's, or this address's. */
static bool expect_name(SSL *ssl, const char *name)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1)
        return true;
    ERR_clear_error();
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static enum tillq_client_result shake_hands(struct tillq_client *client,
                                            struct encrypted *encrypted, int64_t deadline_ms)
{
    for (;;) {
        ERR_clear_error();
        int result = SSL_connect(encrypted->ssl);
        if (result == 1)
            return TILLQ_CLIENT_OK;
        int wanted = SSL_get_error(encrypted->ssl, result);
        if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE) {
            keep_reason(encrypted);
            return wire_fail(client, TILLQ_CLIENT_FAILED, "%s", encrypted->reason);
        }
        int events = address_wait(encrypted->socket,
                                  wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline_ms);
        if (events <= 0)
            return wire_fail(client, events < 0 ? TILLQ_CLIENT_FAILED : TILLQ_CLIENT_TIMEOUT,
                             "TLS: %s", events < 0 ? strerror(errno) : "no answer in time");
    }
}

static enum tillq_client_result encrypt(struct tillq_client *client, SSL_CTX *context,
                                        const char *name, int64_t deadline_ms)
{
    struct encrypted *encrypted = calloc(1, sizeof *encrypted);
    if (encrypted) {
        encrypted->socket = wire_socket(client);
        encrypted->ssl = SSL_new(context);
    }
    if (!encrypted || !encrypted->ssl || !attach(encrypted) || !expect_name(encrypted->ssl, name)) {
        if (encrypted)
            encrypted_free(encrypted);
        return wire_fail(client, TILLQ_CLIENT_NO_MEMORY, "no memory for TLS");
    }
    enum tillq_client_result result = shake_hands(client, encrypted, deadline_ms);
    struct wire wire = {encrypted, encrypted_receive, encrypted_send, encrypted_reason,
                        encrypted_free};
    if (result == TILLQ_CLIENT_OK)
        wire_use(client, &wire);
    else
        encrypted_free(encrypted);
    return result;
}

enum tillq_client_result tillq_client_open_tls(struct tillq_client **out, const char *address,
                                               const struct tillq_client_tls *tls, int timeout_ms)
{
    int64_t deadline_ms = address_deadline_ms(timeout_ms);
    char host[ADDRESS_HOST_BYTES];
    if (strncmp(address, tls_prefix, strlen(tls_prefix)) == 0)
        address += strlen(tls_prefix);
    enum tillq_client_result result = tillq_client_open(out, address, timeout_ms);
    if (result != TILLQ_CLIENT_OK)
        return result;
    if (!address_host(address, host))
        return wire_fail(*out, TILLQ_CLIENT_BAD_ADDRESS, "%.80s: TLS needs HOST:PORT", address);
    SSL_CTX *context = make_context(*out, tls, &result);
    if (!context)
        return result;
    result = encrypt(*out, context, tls->server_name ? tls->server_name : host, deadline_ms);
    SSL_CTX_free(context); /* what is agreed on keeps what it needs of it */
    return result;
}
