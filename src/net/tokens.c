#include "net/tokens.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/json.h"

static const char first_line[] = "# tillq tokens 1";
static const char *const role_names[] = {"terminal", "management"};

/* Where an entry is found by its terminal. In the order of `hash`, whose key nobody outside knows:
 * how long looking takes tells nothing about the ids there are. */
struct place {
    uint64_t hash;
    size_t index;
};

struct tokens {
    struct token_entry *entries;
    struct place *places;
    size_t count, capacity;
    struct token_entry nobody; /* what an unknown terminal's token is compared with */
    struct sha256 *hash;
};

const char *role_name(enum role role)
{
    return role_names[role];
}

struct tokens *tokens_new(void)
{
    struct tokens *tokens = calloc(1, sizeof *tokens);
    if (!tokens)
        return NULL;
    tokens->hash = sha256_new();
    if (tokens->hash)
        return tokens;
    tokens_free(tokens);
    return NULL;
}

void tokens_free(struct tokens *tokens)
{
    if (!tokens)
        return;
    sha256_free(tokens->hash);
    free(tokens->entries);
    free(tokens->places);
    free(tokens);
}

size_t tokens_count(const struct tokens *tokens)
{
    return tokens->count;
}

const struct token_entry *tokens_at(const struct tokens *tokens, size_t index)
{
    return &tokens->entries[index];
}

/* --- the places --- */

static int compare_places(const void *a, const void *b)
{
    const struct place *left = a, *right = b;
    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

static void set_places(struct tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++)
        tokens->places[i] = (struct place){hash_text(text_of(tokens->entries[i].terminal)), i};
    if (tokens->count > 0)
        qsort(tokens->places, tokens->count, sizeof *tokens->places, compare_places);
}

static size_t first_place(const struct tokens *tokens, uint64_t hash)
{
    size_t low = 0, high = tokens->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tokens->places[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct token_entry *tokens_find(const struct tokens *tokens, struct text terminal)
{
    uint64_t hash = hash_text(terminal);
    for (size_t i = first_place(tokens, hash); i < tokens->count && tokens->places[i].hash == hash;
         i++) {
        const struct token_entry *entry = &tokens->entries[tokens->places[i].index];
        if (text_equal(text_of(entry->terminal), terminal))
            return entry;
    }
    return NULL;
}

const struct token_entry *tokens_check(struct tokens *tokens, struct text terminal,
                                       struct text token)
{
    const struct token_entry *entry = tokens_find(tokens, terminal);
    const struct token_entry *compared = entry ? entry : &tokens->nobody;
    bool matches = token_matches(&compared->sealed, tokens->hash, token);
    return matches ? entry : NULL;
}

/* --- entries --- */

static int check_terminal(struct text terminal, struct failure *failure)
{
    if (terminal.length < 1 || terminal.length > TOKENS_TERMINAL_BYTES)
        return failure_set(failure, "FAILED", "a terminal's id is 1 to %d bytes long",
                           TOKENS_TERMINAL_BYTES);
    for (size_t i = 0; i < terminal.length; i++)
        if ((unsigned char)terminal.bytes[i] < 0x20 || terminal.bytes[i] == 0x7f)
            return failure_set(failure, "FAILED", "a terminal's id has no control characters");
    if (!json_can_hold(terminal))
        return failure_set(failure, "FAILED", "a terminal's id is UTF-8");
    return 0;
}

static int make_room(struct tokens *tokens, struct failure *failure)
{
    if (tokens->count == TOKENS_MAX)
        return failure_set(failure, "FAILED", "more than %d terminals", TOKENS_MAX);
    if (tokens->count < tokens->capacity)
        return 0;
    size_t capacity = tokens->capacity * 2 + 16;
    struct token_entry *entries = realloc(tokens->entries, capacity * sizeof *entries);
    if (entries)
        tokens->entries = entries;
    struct place *places = realloc(tokens->places, capacity * sizeof *places);
    if (places)
        tokens->places = places;
    if (!entries || !places)
        return failure_set(failure, "NO_MEMORY", "no memory for the tokens");
    tokens->capacity = capacity;
    return 0;
}

int tokens_give(struct tokens *tokens, struct text terminal, enum role role,
                const unsigned char random[TOKENS_RANDOM_BYTES], char token[TOKEN_TEXT_BYTES],
                struct failure *failure)
{
    if (check_terminal(terminal, failure) != 0)
        return -1;
    const struct token_entry *old = tokens_find(tokens, terminal);
    size_t index = old ? (size_t)(old - tokens->entries) : tokens->count;
    if (!old && make_room(tokens, failure) != 0)
        return -1;
    struct token_entry fresh = {.role = role};
    memcpy(fresh.terminal, terminal.bytes, terminal.length);
    memcpy(fresh.sealed.salt, random + TOKEN_RANDOM_BYTES, TOKEN_SALT_BYTES);
    token_write(random, token);
    if (token_seal(&fresh.sealed, tokens->hash, text_of(token)) != 0)
        return failure_set(failure, "FAILED", "a token that is none was made");
    tokens->entries[index] = fresh;
    tokens->count += !old;
    set_places(tokens);
    return 0;
}

bool tokens_take_away(struct tokens *tokens, struct text terminal)
{
    const struct token_entry *entry = tokens_find(tokens, terminal);
    if (!entry)
        return false;
    size_t index = (size_t)(entry - tokens->entries);
    tokens->count--;
    memmove(tokens->entries + index, tokens->entries + index + 1,
            (tokens->count - index) * sizeof *tokens->entries);
    set_places(tokens);
    return true;
}

/* --- lines --- */

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(struct text digits, unsigned char *out, size_t length)
{
    if (digits.length != 2 * length)
        return false;
    for (size_t i = 0; i < length; i++) {
        int high = digit_of(digits.bytes[2 * i]), low = digit_of(digits.bytes[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static void add_hex(struct buffer *out, const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        buffer_add_format(out, "%02x", bytes[i]);
}

/* Cuts what is before the next `end` off the text; all of it where there is no `end`. */
static struct text cut(struct text *rest, char end)
{
    const char *found = rest->length > 0 ? memchr(rest->bytes, end, rest->length) : NULL;
    struct text piece = {rest->bytes, found ? (size_t)(found - rest->bytes) : rest->length};
    size_t taken = piece.length + (found ? 1 : 0);
    rest->bytes += taken;
    rest->length -= taken;
    return piece;
}

static int read_line(struct tokens *tokens, struct text line, struct failure *failure)
{
    struct token_entry entry = {0};
    struct text terminal = cut(&line, '\t'), role = cut(&line, '\t'), salt = cut(&line, '\t');
    if (check_terminal(terminal, failure) != 0 || make_room(tokens, failure) != 0)
        return -1;
    memcpy(entry.terminal, terminal.bytes, terminal.length);
    if (text_is(role, role_names[ROLE_MANAGEMENT]))
        entry.role = ROLE_MANAGEMENT;
    else if (!text_is(role, role_names[ROLE_TERMINAL]))
        return failure_set(failure, "FAILED", "the role is neither terminal nor management");
    if (!read_hex(salt, entry.sealed.salt, sizeof entry.sealed.salt))
        return failure_set(failure, "FAILED", "the salt is not %zu hexadecimal digits",
                           2 * sizeof entry.sealed.salt);
    if (!read_hex(line, entry.sealed.hash, sizeof entry.sealed.hash))
        return failure_set(failure, "FAILED", "the hash is not %zu hexadecimal digits",
                           2 * sizeof entry.sealed.hash);
    tokens->entries[tokens->count++] = entry;
    return 0;
}

/* An id twice: the later one's line is named. The places are in order, equal hashes side by side.
 */
static int check_once(const struct tokens *tokens, struct failure *failure)
{
    for (size_t i = 0; i < tokens->count; i++) {
        const struct token_entry *entry = &tokens->entries[i];
        const struct token_entry *first = tokens_find(tokens, text_of(entry->terminal));
        if (first != entry)
            return failure_set(failure, "FAILED", "%zu: the terminal stands in line %zu already",
                               i + 2, (size_t)(first - tokens->entries) + 2);
    }
    return 0;
}

int tokens_parse(struct tokens *tokens, struct text lines, struct failure *failure)
{
    struct failure why;
    if (lines.length <= strlen(first_line) || !text_is(cut(&lines, '\n'), first_line))
        return failure_set(failure, "FAILED", "1: is not \"%s\"", first_line);
    for (size_t number = 2; lines.length > 0; number++) {
        const char *end = lines.bytes + lines.length;
        struct text line = cut(&lines, '\n');
        if (line.bytes + line.length == end)
            return failure_set(failure, "FAILED", "%zu: the line has no end", number);
        if (read_line(tokens, line, &why) != 0)
            return failure_set(failure, "FAILED", "%zu: %s", number, why.message);
    }
    set_places(tokens);
    return check_once(tokens, failure);
}

void tokens_print(const struct tokens *tokens, struct buffer *out)
{
    buffer_add_string(out, first_line);
    buffer_add_byte(out, '\n');
    for (size_t i = 0; i < tokens->count; i++) {
        const struct token_entry *entry = &tokens->entries[i];
        buffer_add_string(out, entry->terminal);
        buffer_add_format(out, "\t%s\t", role_names[entry->role]);
        add_hex(out, entry->sealed.salt, sizeof entry->sealed.salt);
        buffer_add_byte(out, '\t');
        add_hex(out, entry->sealed.hash, sizeof entry->sealed.hash);
        buffer_add_byte(out, '\n');
    }
}
