/* tls_internal: what tls.c and tls_stream.c share. */
#ifndef TILLQ_NET_TLS_INTERNAL_H
#define TILLQ_NET_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "net/tls.h"

struct tls {
    SSL_CTX *context;
};

#endif
