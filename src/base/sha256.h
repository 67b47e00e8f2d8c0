/* sha256: FIPS 180-4, through libnettle: libcrypto would take 3.4 MB of the memory at rest. */
#ifndef TILLQ_BASE_SHA256_H
#define TILLQ_BASE_SHA256_H

#include "base/text.h"

#define SHA256_BYTES 32

struct sha256; /* a running hash; one thread */

struct sha256 *sha256_new(void); /* NULL: no memory */
void sha256_free(struct sha256 *hash);
void sha256_start(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *bytes, size_t length);
void sha256_add_int(struct sha256 *hash, long long value); /* 8 bytes, big-endian */
/* Leaves nothing of what was hashed behind; begin again with sha256_start. */
void sha256_finish(struct sha256 *hash, unsigned char out[SHA256_BYTES]);

#define SHA256_HEX_BYTES (2 * SHA256_BYTES + 1)
void sha256_hex(const unsigned char hash[SHA256_BYTES], char out[SHA256_HEX_BYTES]);

#endif
