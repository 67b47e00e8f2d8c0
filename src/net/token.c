#include "net/token.h"

#include "base/secret.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void token_write(const unsigned char random[TOKEN_RANDOM_BYTES], char out[TOKEN_TEXT_BYTES])
{
    unsigned bits = 0, held = 0;
    size_t written = 0;
    for (size_t i = 0; i < TOKEN_RANDOM_BYTES; i++) {
        bits = bits << 8 | random[i];
        for (held += 8; held >= 5; held -= 5) {
            out[written++] = alphabet[bits >> (held - 5) & 31];
            if (written % 5 == 4)
                out[written++] = '-';
        }
    }
    out[TOKEN_TEXT_BYTES - 1] = '\0'; /* over the last "-" */
}

/* As it is hashed: 32 characters of the alphabet. False where it is none; `out` is filled in any
 * case. */
static bool unify(struct text token, char out[TOKEN_CHARACTERS])
{
    size_t length = 0;
    bool sound = true;
    memset(out, '0', TOKEN_CHARACTERS);
    for (size_t i = 0; i < token.length; i++) {
        char c = token.bytes[i];
        if (c == '-' || c == ' ')
            continue;
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        c = c == 'O' ? '0' : c == 'I' || c == 'L' ? '1' : c;
        sound = sound && c != '\0' && strchr(alphabet, c) && length < TOKEN_CHARACTERS;
        if (length < TOKEN_CHARACTERS)
            out[length++] = c;
    }
    return sound && length == TOKEN_CHARACTERS;
}

static bool digest(const struct sealed_token *sealed, struct sha256 *hash, struct text token,
                   unsigned char out[SHA256_BYTES])
{
    char unified[TOKEN_CHARACTERS];
    bool sound = unify(token, unified);
    sha256_start(hash);
    sha256_add(hash, sealed->salt, sizeof sealed->salt);
    sha256_add(hash, unified, sizeof unified);
    sha256_finish(hash, out);
    explicit_bzero(unified, sizeof unified);
    return sound;
}

int token_seal(struct sealed_token *sealed, struct sha256 *hash, struct text token)
{
    return digest(sealed, hash, token, sealed->hash) ? 0 : -1;
}

bool token_matches(const struct sealed_token *sealed, struct sha256 *hash, struct text token)
{
    unsigned char found[SHA256_BYTES];
    bool sound = digest(sealed, hash, token, found);
    return secret_equal(found, sealed->hash, sizeof found) && sound;
}
