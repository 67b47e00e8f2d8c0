#include "base/hash.h"

#include <sys/random.h>

static uint64_t key[2] = {0x736f6d6570736575u, 0x646f72616e646f6du};

/* Before main, so before any second thread. */
__attribute__((constructor)) static void draw_key(void)
{
    uint64_t drawn[2];
    if (getrandom(drawn, sizeof drawn, 0) == (ssize_t)sizeof drawn)
        memcpy(key, drawn, sizeof key);
}

void hash_set_key(uint64_t first, uint64_t second)
{
    key[0] = first;
    key[1] = second;
}

static inline uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void mix(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

uint64_t hash_text(struct text text)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    size_t whole = text.length & ~(size_t)7;
    uint64_t word;
    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, text.bytes + i, 8);
        v[3] ^= word;
        mix(v);
        v[0] ^= word;
    }
    word = (uint64_t)text.length << 56;
    for (size_t i = whole; i < text.length; i++)
        word |= (uint64_t)(unsigned char)text.bytes[i] << (8 * (i - whole));
    v[3] ^= word;
    mix(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    mix(v);
    mix(v);
    mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
