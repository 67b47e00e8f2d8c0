/* client_tls: a client (tillq/client.h) whose bytes go through TLS 1.2 or 1.3.
 *
 * A program that calls this links with OpenSSL 3 (-ltillq -lssl -lcrypto); one that does not needs
 * nothing of it. Everything else is as without TLS, with one difference: a certificate the daemon
 * refuses is, in TLS 1.3, heard of with the first receive. */
#ifndef TILLQ_CLIENT_TLS_H
#define TILLQ_CLIENT_TLS_H

#include "tillq/client.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Files are PEM. The strings stay the caller's. */
struct tillq_client_tls {
    const char *ca_file;          /* whom to trust; NULL = the system's authorities */
    const char *certificate_file; /* what to show, and those that lead to its authority; or NULL */
    const char *private_key_file; /* its key; NULL = in certificate_file */
    const char *server_name;      /* whom the daemon's certificate must name; NULL = the host */
};

/* As tillq_client_open, and then agrees on TLS within the same time. `address` is HOST:PORT or
 * [V6]:PORT, with or without "tls:" before it. TILLQ_CLIENT_BAD_ADDRESS also where a file cannot be
 * used; TILLQ_CLIENT_FAILED where TLS was not agreed on, a certificate that cannot be trusted being
 * the most likely reason: the message says it. */
enum tillq_client_result tillq_client_open_tls(struct tillq_client **client, const char *address,
                                               const struct tillq_client_tls *tls, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
