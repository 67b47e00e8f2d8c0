/* server: listeners and connections: the sockets around the sessions, in libevent's loop. */
#ifndef TILLQ_NET_SERVER_H
#define TILLQ_NET_SERVER_H

#include "base/failure.h"
#include "net/engine.h"

struct event_base;
struct server;
struct tls;

/* Binds and listens on every address, or on the sockets systemd handed over (`inherited` of them,
 * from descriptor 3 on) instead. Terminals may connect, but nobody is accepted before
 * server_accept. 0, or -1 with the address and reason. */
int server_new(struct server **out, struct event_base *base, const struct config *config,
               int inherited, struct failure *failure) __attribute__((warn_unused_result));
int server_accept(struct server *server, struct engine *engine, struct failure *failure)
    __attribute__((warn_unused_result));
/* What the next who connect to an address that speaks TLS are shown; stays the caller's, who keeps
 * it until the next one is set; 14 days before it ends, a line of log a day says so. To be set
 * before server_accept where any address is "tls:…", or a socket that was handed over is named
 * "tls". */
void server_set_tls(struct server *server, const struct tls *tls);
/* "127.0.0.1:7077": the first TCP address listened on, else "tls:127.0.0.1:7078", else
 * "unix:/path". */
const char *server_address(const struct server *server);

/* To be called when the engine has something (its `wake` rang). */
void server_collect(struct server *server);

/* Going down: accepts and reads no more; `over` is called once everything taken is answered and
 * sent, or after `patience_ms`. */
void server_drain(struct server *server, int64_t patience_ms, void (*over)(void *context),
                  void *context);
void server_free(struct server *server); /* closes everything; NULL is fine */

#endif
