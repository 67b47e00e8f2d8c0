/* tokens: any bytes as the lines of a tokens file, and as a token. What is accepted is written back
 * byte for byte, every terminal in it is found, and the bytes themselves let nobody in but whom
 * they are the token of. */
#include "fuzz.h"
#include "net/tokens.h"

static struct sha256 *hash;

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    (void)count;
    (void)arguments;
    fuzz_quiet();
    hash = sha256_new();
    return hash ? 0 : -1;
}

static void look_at_lines(struct tokens *tokens, struct text lines)
{
    struct buffer again = {0};
    tokens_print(tokens, &again);
    if (!text_equal(buffer_text(&again), lines))
        breach("what was read is not what is written");
    for (size_t i = 0; i < tokens_count(tokens); i++) {
        const struct token_entry *entry = tokens_at(tokens, i);
        if (tokens_find(tokens, text_of(entry->terminal)) != entry)
            breach("terminal %zu is not found", i);
    }
    if (tokens_check(tokens, lines, lines))
        breach("the whole file is a terminal");
    buffer_free(&again);
}

/* A token of these bytes matches itself and, its salt one bit different, not any more. */
static void look_at_token(struct text token)
{
    struct sealed_token sealed = {{0}, {0}};
    bool is_token = token_seal(&sealed, hash, token) == 0;
    if (token_matches(&sealed, hash, token) != is_token)
        breach("a token that does not match itself, or what is none matches");
    sealed.salt[0] ^= 1;
    if (token_matches(&sealed, hash, token))
        breach("it matches with another salt");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct text text = {(const char *)bytes, length};
    struct failure failure = {.message = ""};
    struct tokens *tokens = tokens_new();
    if (!tokens)
        return 0;
    if (tokens_parse(tokens, text, &failure) == 0)
        look_at_lines(tokens, text);
    else if (strtol(failure.message, NULL, 10) < 1)
        breach("a refusal that names no line: %s", failure.message);
    look_at_token(text);
    tokens_free(tokens);
    return 0;
}
