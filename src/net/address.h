/* address: "HOST:PORT", "[V6]:PORT", "unix:/PATH" to a listening socket and back. */
#ifndef TILLQ_NET_ADDRESS_H
#define TILLQ_NET_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"

#define ADDRESS_BYTES 192

/* A listening, non-blocking socket, or -1 with the address and reason. A unix socket that nobody
 * answers on any more is replaced; its mode is 0660. */
int address_listen(const char *address, struct failure *failure)
    __attribute__((warn_unused_result));
/* What a socket is bound to, in the same form. */
void address_of(int descriptor, char out[ADDRESS_BYTES]);
/* Whom it is connected to, in the same form; "unix:" has no path there. */
void address_of_peer(int descriptor, char out[ADDRESS_BYTES]);

/* Whom refusals to a connected socket are held against: an IPv4 address, or the first 64 bits of an
 * IPv6 one (whoever has one has 2^64 of them). 0: a unix socket, or the socket cannot say. */
uint64_t address_peer_key(int descriptor);
/* "192.0.2.1", "2001:db8:1:2::/64", "this machine". */
void address_print_key(uint64_t peer, char out[ADDRESS_BYTES]);

#endif
