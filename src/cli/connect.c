#include "cli/connect.h"

#include <string.h>

#include "client/address.h"
#include "tillq/client_tls.h"

static const char tls_prefix[] = "tls:";

bool connect_is_tls(const char *address)
{
    return strncmp(address, tls_prefix, strlen(tls_prefix)) == 0;
}

bool connect_address_is_valid(const char *address)
{
    char host[ADDRESS_HOST_BYTES];
    return connect_is_tls(address) ? address_host(address + strlen(tls_prefix), host)
                                   : address_is_valid(address);
}

enum tillq_client_result connect_server(struct tillq_client **client,
                                        const struct invocation *invocation, int timeout_ms)
{
    const struct tillq_client_tls tls = {.ca_file = invocation->ca_file,
                                         .certificate_file = invocation->certificate_file,
                                         .private_key_file = invocation->key_file};
    return connect_is_tls(invocation->server)
               ? tillq_client_open_tls(client, invocation->server, &tls, timeout_ms)
               : tillq_client_open(client, invocation->server, timeout_ms);
}
