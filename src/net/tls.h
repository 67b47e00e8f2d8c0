/* tls: what the daemon shows and asks for in TLS: its certificate and key, whom it trusts, and the
 * least it agrees to.
 *
 * TLS 1.2 and 1.3, forward secrecy and authenticated encryption only; no renegotiation, no
 * compression, no tickets and no resumed sessions: every handshake is a whole one, so that a
 * certificate is looked at each time. A `struct tls` never changes: a reload makes a new one, and
 * connections made under the old one keep what they need of it.
 *
 * A client certificate is one that a CA in `client_ca` signed for client authentication; the
 * terminal it speaks for is named in it (tls_stream.h).
 *
 * For one thread. Logs nothing; no failure holds anything of a key. */
#ifndef TILLQ_NET_TLS_H
#define TILLQ_NET_TLS_H

#include "base/config.h"
#include "base/failure.h"

#define TLS_DESCRIPTION_BYTES 240

struct tls;

/* Loads what [tls] of the configuration names. 0, or -1 with "KEY: PATH: what is wrong" and the key
 * in failure->path: a file that cannot be read or holds something else, a private key that is open
 * to others (any right for others, or writing for its group), encrypted, or of another certificate.
 */
int tls_new(struct tls **out, const struct config *config, struct failure *failure)
    __attribute__((warn_unused_result));
void tls_free(struct tls *tls); /* NULL is fine */

/* "CN=shop-server, valid until Nov 22 16:43:26 2027 GMT": of the certificate, for the log. */
void tls_describe(const struct tls *tls, char out[TLS_DESCRIPTION_BYTES]);
/* Whole days until the certificate ends, by the machine's clock; -1 where it has ended, or has not
 * begun. */
int tls_days_left(const struct tls *tls);

#endif
