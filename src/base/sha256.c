#include "base/sha256.h"

#include <nettle/sha2.h>
#include <stdint.h>
#include <stdlib.h>

struct sha256 {
    struct sha256_ctx context;
};

struct sha256 *sha256_new(void)
{
    return calloc(1, sizeof(struct sha256));
}

void sha256_free(struct sha256 *hash)
{
    if (hash)
        explicit_bzero(hash, sizeof *hash);
    free(hash);
}

void sha256_start(struct sha256 *hash)
{
    sha256_init(&hash->context);
}

void sha256_add(struct sha256 *hash, const void *bytes, size_t length)
{
    sha256_update(&hash->context, length, bytes);
}

void sha256_add_int(struct sha256 *hash, long long value)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((unsigned long long)value >> (56 - 8 * i));
    sha256_add(hash, bytes, sizeof bytes);
}

void sha256_finish(struct sha256 *hash, unsigned char out[SHA256_BYTES])
{
    sha256_digest(&hash->context, SHA256_BYTES, out);
    explicit_bzero(hash, sizeof *hash); /* what was hashed may be secret, and its end lies there */
}

void sha256_hex(const unsigned char hash[SHA256_BYTES], char out[SHA256_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < SHA256_BYTES; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[2 * SHA256_BYTES] = '\0';
}
