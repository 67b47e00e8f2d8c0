#include "base/sha256.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct sha256 {
    EVP_MD_CTX *context;
    EVP_MD *algorithm;
};

struct sha256 *sha256_new(void)
{
    struct sha256 *hash = calloc(1, sizeof *hash);
    if (!hash)
        return NULL;
    hash->context = EVP_MD_CTX_new();
    hash->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!hash->context || !hash->algorithm) {
        sha256_free(hash);
        return NULL;
    }
    return hash;
}

void sha256_free(struct sha256 *hash)
{
    if (!hash)
        return;
    EVP_MD_CTX_free(hash->context);
    EVP_MD_free(hash->algorithm);
    free(hash);
}

/* SHA-256 in memory cannot fail once its context is there; if libcrypto says otherwise nothing that
 * stands on hashes can be trusted. */
static void must(int ok)
{
    if (!ok)
        abort();
}

void sha256_start(struct sha256 *hash)
{
    must(EVP_DigestInit_ex2(hash->context, hash->algorithm, NULL));
}

void sha256_add(struct sha256 *hash, const void *bytes, size_t length)
{
    must(EVP_DigestUpdate(hash->context, bytes, length));
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
    must(EVP_DigestFinal_ex(hash->context, out, NULL));
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
