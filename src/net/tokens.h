/* tokens: which terminals have a token, in which role; the lines of a tokens file.
 *
 *   # tillq tokens 1
 *   T01<TAB>terminal<TAB>5f0c…<TAB>9a41…
 *   M01<TAB>management<TAB>…
 *
 * The first line is the form's name and number. After it one line a terminal, each ended with LF:
 * id (1 to 64 bytes of UTF-8 without control characters), role, salt (32 hexadecimal digits), hash
 * (64; see token.h). An id stands once; at most TOKENS_MAX terminals. Anything else is refused with
 * the number of its line, and so is an empty file: that would be a shop with its door open.
 *
 * Changing the form: another number in the first line, and both are read from then on.
 *
 * A tokens owns its lines. Entries given out stay until it changes or is freed. */
#ifndef TILLQ_NET_TOKENS_H
#define TILLQ_NET_TOKENS_H

#include "base/buffer.h"
#include "base/failure.h"
#include "net/role.h"
#include "net/token.h"

#define TOKENS_MAX 20000
#define TOKENS_TERMINAL_BYTES 64

struct tokens;

struct token_entry {
    char terminal[TOKENS_TERMINAL_BYTES + 1];
    enum role role;
    struct sealed_token sealed;
};

struct tokens *tokens_new(void); /* without entries; NULL: no memory */
void tokens_free(struct tokens *tokens);

/* Reads lines into a tokens without entries. 0, or -1 with "LINE: what is wrong". */
int tokens_parse(struct tokens *tokens, struct text lines, struct failure *failure)
    __attribute__((warn_unused_result));
/* Adds the lines, so that tokens_parse reads the same again. */
void tokens_print(const struct tokens *tokens, struct buffer *out);

size_t tokens_count(const struct tokens *tokens);
const struct token_entry *tokens_at(const struct tokens *tokens, size_t index); /* as in the file */
const struct token_entry *tokens_find(const struct tokens *tokens, struct text terminal);

/* The terminal's entry where this is its token, else NULL. Takes as long for an unknown terminal as
 * for a wrong token: both hash what was given and compare it. */
const struct token_entry *tokens_check(struct tokens *tokens, struct text terminal,
                                       struct text token);

/* Gives `terminal` a token, in place of the one it has. `random`: TOKENS_RANDOM_BYTES of chance;
 * the token is in `token`, here and nowhere else. 0, or -1: an id that cannot be one, too many, no
 * memory. */
#define TOKENS_RANDOM_BYTES (TOKEN_RANDOM_BYTES + TOKEN_SALT_BYTES)
int tokens_give(struct tokens *tokens, struct text terminal, enum role role,
                const unsigned char random[TOKENS_RANDOM_BYTES], char token[TOKEN_TEXT_BYTES],
                struct failure *failure) __attribute__((warn_unused_result));
/* False where it has none. */
bool tokens_take_away(struct tokens *tokens, struct text terminal);

const char *role_name(enum role role);

#endif
