/* token: the secret that proves to be a terminal: made, typed, and kept as a hash.
 *
 * A token is 160 random bits, written as 32 characters of Crockford's base32 (digits and letters
 * without I, L, O and U) in groups of four: "7KQM-0A1B-…". Read back, small letters are large ones,
 * O is 0, I and L are 1, and "-" and blanks do not count.
 *
 * Kept is SHA-256 of a random salt and the 32 characters. One fast hash is right here: slow hashes
 * (scrypt, Argon2) make it dear to try the passwords people think of, but nobody tries 2^160
 * tokens, however fast; and hello runs in the loop's thread, where a slow one would be a way to
 * stop the shop. The salt keeps two terminals' lines from telling that they share a token. */
#ifndef TILLQ_NET_TOKEN_H
#define TILLQ_NET_TOKEN_H

#include "base/sha256.h"
#include "base/text.h"

#define TOKEN_RANDOM_BYTES 20
#define TOKEN_CHARACTERS 32
#define TOKEN_TEXT_BYTES 40 /* with its "-" and a NUL */
#define TOKEN_SALT_BYTES 16

struct sealed_token {
    unsigned char salt[TOKEN_SALT_BYTES];
    unsigned char hash[SHA256_BYTES];
};

void token_write(const unsigned char random[TOKEN_RANDOM_BYTES], char out[TOKEN_TEXT_BYTES]);

/* The hash of `token` with sealed->salt, which is there already. 0, or -1 where it is no token. */
int token_seal(struct sealed_token *sealed, struct sha256 *hash, struct text token)
    __attribute__((warn_unused_result));
/* Takes as long for any token of the same length, right, wrong or none at all. */
bool token_matches(const struct sealed_token *sealed, struct sha256 *hash, struct text token);

#endif
