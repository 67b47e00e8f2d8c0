/* tillq token: which terminals have a token; gives and takes them away, in the file. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "cli/options.h"
#include "cli/table.h"
#include "net/tokens_file.h"

struct token_options {
    const char *file;
    int role;
    bool replace;
};

static int find_path(const struct invocation *invocation, const struct token_options *options,
                     char path[CONFIG_VALUE_BYTES])
{
    int length = 0;
    if (options->file && invocation->directory)
        return misuse("token: -d and --file exclude each other");
    if (options->file)
        length = snprintf(path, CONFIG_VALUE_BYTES, "%s", options->file);
    else if (invocation->directory)
        length = snprintf(path, CONFIG_VALUE_BYTES, "%s/tokens", invocation->directory);
    else
        return misuse("token: needs the data directory (tillq -d DIR token ...) or --file PATH");
    if (length >= CONFIG_VALUE_BYTES)
        return misuse("token: the path is too long");
    return -1;
}

/* --- list --- */

static int print_entries(const struct tokens *tokens)
{
    static const struct column columns[] = {{"TERMINAL", false}, {"ROLE", false}};
    struct table table;
    table_start(&table, columns, OPTION_COUNT(columns));
    for (size_t i = 0; i < tokens_count(tokens); i++) {
        table_add(&table, text_of(tokens_at(tokens, i)->terminal));
        table_add(&table, text_of(role_name(tokens_at(tokens, i)->role)));
    }
    int result = table_flush(&table);
    table_free(&table);
    return result;
}

static void print_entry(const struct token_entry *entry, const char *token)
{
    struct buffer line = {.secret = true};
    buffer_add_string(&line, "{\"terminal\":");
    buffer_add_json(&line, text_of(entry->terminal));
    buffer_add_format(&line, ",\"role\":\"%s\"", role_name(entry->role));
    if (token)
        buffer_add_format(&line, ",\"token\":\"%s\"", token);
    buffer_add_byte(&line, '}');
    print_line(buffer_text(&line));
    buffer_free(&line);
}

static int list(const struct invocation *invocation, const char *path)
{
    struct tokens *tokens;
    struct failure failure;
    int status = 0;
    if (tokens_file_read(&tokens, path, &failure) != 0)
        return complain("token: %s", failure.message);
    for (size_t i = 0; i < tokens_count(tokens) && invocation->json; i++)
        print_entry(tokens_at(tokens, i), NULL);
    if (!invocation->json && print_entries(tokens) < 0)
        status = complain("token: no memory to print");
    tokens_free(tokens);
    return status;
}

/* --- add, remove --- */

static int give(struct tokens *tokens, const char *terminal, const struct token_options *options,
                char token[TOKEN_TEXT_BYTES], struct failure *failure)
{
    unsigned char chance[TOKENS_RANDOM_BYTES];
    if (!options->replace && tokens_find(tokens, text_of(terminal)))
        return failure_set(failure, "FAILED", "%s has a token already (--replace gives a new one)",
                           terminal);
    if (getrandom(chance, sizeof chance, 0) != sizeof chance)
        return failure_set(failure, "FAILED", "no random numbers: %s", strerror(errno));
    int result =
        tokens_give(tokens, text_of(terminal), (enum role)options->role, chance, token, failure);
    explicit_bzero(chance, sizeof chance);
    return result;
}

/* Nothing is printed that is not on disk: a token somebody wrote down must work. */
static int add(const struct invocation *invocation, struct tokens_change *change,
               const struct token_options *options, int count, char **terminals)
{
    struct failure failure;
    int result = 0;
    struct buffer given = {.secret = true};
    for (int i = 0; i < count && result == 0; i++) {
        char token[TOKEN_TEXT_BYTES];
        result = give(change->tokens, terminals[i], options, token, &failure);
        buffer_add(&given, token, sizeof token);
        explicit_bzero(token, sizeof token);
    }
    if (result == 0 && given.failed)
        result = failure_set(&failure, "NO_MEMORY", "no memory for the tokens");
    if (result == 0)
        result = tokens_change_commit(change, &failure);
    for (int i = 0; i < count && result == 0; i++) {
        const char *token = given.bytes + (size_t)i * TOKEN_TEXT_BYTES;
        if (invocation->json)
            print_entry(tokens_find(change->tokens, text_of(terminals[i])), token);
        else
            printf("%s %s\n", terminals[i], token);
    }
    buffer_free(&given);
    return result == 0 ? 0 : complain("token: %s", failure.message);
}

static int take_away(struct tokens_change *change, int count, char **terminals)
{
    struct failure failure;
    for (int i = 0; i < count; i++)
        if (!tokens_take_away(change->tokens, text_of(terminals[i])))
            return complain("token: %s has no token", terminals[i]);
    if (tokens_change_commit(change, &failure) != 0)
        return complain("token: %s", failure.message);
    return 0;
}

static int change_file(const struct invocation *invocation, const char *path,
                       const struct token_options *options, int count, char **words)
{
    struct tokens_change change;
    struct failure failure;
    bool adds = strcmp(words[0], "add") == 0;
    if (!adds && strcmp(words[0], "remove") != 0)
        return misuse("token: %s: is none of add, list, remove", words[0]);
    if (count < 2)
        return misuse("token: %s: needs a TERMINAL", words[0]);
    if (tokens_change_begin(&change, path, &failure) != 0)
        return complain("token: %s", failure.message);
    int status = adds ? add(invocation, &change, options, count - 1, words + 1)
                      : take_away(&change, count - 1, words + 1);
    tokens_change_end(&change);
    if (status == 0)
        fputs("tillq: a running daemon takes this over with: systemctl reload tillqd (SIGHUP)\n",
              stderr);
    return status;
}

int token_command(struct invocation *invocation, int argc, char **argv)
{
    struct token_options options = {.role = ROLE_TERMINAL};
    const struct option_spec specs[] = {
        {'f', "file", OPTION_TEXT, &options.file, "PATH", "the tokens file, instead of DIR/tokens",
         0, 0},
        {'r', "role", OPTION_CHOICE, &options.role, "terminal|management",
         "of what is added (default terminal)", 0, 0},
        {0, "replace", OPTION_FLAG, &options.replace, NULL,
         "add: a new token for who has one already", 0, 0},
    };
    const struct usage usage = {"token list|add|remove [TERMINAL]...",
                                "Which terminals have a token; add prints each new one, \"TERMINAL "
                                "TOKEN\", this once: only\n"
                                "a hash of it is kept. As soon as there is a tokens file everybody "
                                "must say hello with one.",
                                specs, OPTION_COUNT(specs)};
    char path[CONFIG_VALUE_BYTES];
    int first;
    int status = options_read(invocation, &usage, argc, argv, &first);
    if (status >= 0)
        return status;
    if (first == argc)
        return misuse("token: needs list, add or remove");
    status = find_path(invocation, &options, path);
    if (status >= 0)
        return status;
    if (strcmp(argv[first], "list") != 0)
        return change_file(invocation, path, &options, argc - first, argv + first);
    return argc - first > 1 ? misuse("token: list takes no TERMINAL") : list(invocation, path);
}
