/* connect: a client to the daemon -s names: plain, or through TLS where it says tls:HOST:PORT. */
#ifndef TILLQ_CLI_CONNECT_H
#define TILLQ_CLI_CONNECT_H

#include <stdbool.h>

#include "cli/command.h"
#include "tillq/client.h"

/* HOST:PORT, [V6]:PORT or unix:/PATH, the first two also behind "tls:". */
bool connect_address_is_valid(const char *address);
bool connect_is_tls(const char *address);

/* As tillq_client_open, with the files of --ca, --certificate and --key. */
enum tillq_client_result connect_server(struct tillq_client **client,
                                        const struct invocation *invocation, int timeout_ms);

#endif
