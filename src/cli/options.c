#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* Past every letter, so that a long name without one has a value of its own. */
#define LONG_BASE 256
#define SHORT_BYTES (2 * OPTIONS_MAX + 8)

static const struct option_spec common[] = {
    {'j', "json", OPTION_FLAG, NULL, NULL, "one JSON object a line on standard output", 0, 0},
    {'h', "help", OPTION_FLAG, NULL, NULL, "this help", 0, 0},
};

/* getopt's own form of the table. */
struct getopt_form {
    char letters[SHORT_BYTES];
    struct option names[OPTIONS_MAX + OPTION_COUNT(common) + 1];
};

static void add_form(struct getopt_form *form, size_t place, const struct option_spec *spec)
{
    size_t used = strlen(form->letters);
    if (spec->letter) {
        form->letters[used++] = spec->letter;
        if (spec->argument)
            form->letters[used++] = ':';
        form->letters[used] = '\0';
    }
    form->names[place] =
        (struct option){.name = spec->name,
                        .has_arg = spec->argument ? required_argument : no_argument,
                        .val = LONG_BASE + (int)place};
}

/* The option with getopt's value, or NULL: by letter or by its place in names. */
static const struct option_spec *find(const struct usage *usage, int value)
{
    size_t total = usage->count + OPTION_COUNT(common);
    for (size_t i = 0; i < total; i++) {
        const struct option_spec *spec =
            i < usage->count ? &usage->specs[i] : &common[i - usage->count];
        if (value == LONG_BASE + (int)i || (spec->letter && value == spec->letter))
            return spec;
    }
    return NULL;
}

static void print_option(const struct option_spec *spec)
{
    char left[64];
    const char *argument = spec->argument ? spec->argument : "";
    const char *space = spec->argument ? " " : "";
    if (spec->letter)
        snprintf(left, sizeof left, "-%c, --%s%s%s", spec->letter, spec->name, space, argument);
    else
        snprintf(left, sizeof left, "    --%s%s%s", spec->name, space, argument);
    printf("  %-28s  %s\n", left, spec->help);
}

static void print_help(const struct usage *usage)
{
    printf("usage: tillq [-s ADDRESS | -d DIR] %s\n\n%s\n\n", usage->synopsis, usage->summary);
    for (size_t i = 0; i < usage->count; i++)
        print_option(&usage->specs[i]);
    for (size_t i = 0; i < OPTION_COUNT(common); i++)
        print_option(&common[i]);
}

int options_integer(const char *word, int64_t least, int64_t most, int64_t *value)
{
    char *end;
    errno = 0;
    long long number = strtoll(word, &end, 10);
    if (end == word || *end != '\0' || errno != 0 || number < least || number > most)
        return -1;
    *value = number;
    return 0;
}

/* The place of `word` between the bars of `choices`, or -1. */
static int find_choice(const char *choices, const char *word)
{
    size_t length = strlen(word);
    int place = 0;
    for (const char *at = choices;; at++, place++) {
        size_t here = strcspn(at, "|");
        if (here == length && memcmp(at, word, length) == 0)
            return place;
        at += here;
        if (*at == '\0')
            return -1;
    }
}

static int take(const struct invocation *invocation, const struct option_spec *spec,
                const char *word)
{
    switch (spec->kind) {
    case OPTION_FLAG:
        *(bool *)spec->target = true;
        return -1;
    case OPTION_TEXT:
        *(const char **)spec->target = word;
        return -1;
    case OPTION_INTEGER:
        if (options_integer(word, spec->least, spec->most, spec->target) == 0)
            return -1;
        return misuse("%s: --%s %s: is not a whole number from %lld to %lld", invocation->command,
                      spec->name, word, (long long)spec->least, (long long)spec->most);
    case OPTION_CHOICE:
        *(int *)spec->target = find_choice(spec->argument, word);
        if (*(int *)spec->target >= 0)
            return -1;
        return misuse("%s: --%s %s: is none of %s", invocation->command, spec->name, word,
                      spec->argument);
    }
    return -1;
}

static int refuse(const struct invocation *invocation, const struct usage *usage, int problem,
                  char **argv)
{
    const char *command = invocation->command;
    if (problem == ':') {
        const struct option_spec *spec = find(usage, optopt);
        return misuse("%s: --%s needs %s", command, spec->name, spec->argument);
    }
    if (optopt >= LONG_BASE)
        return misuse("%s: --%s takes no value", command, find(usage, optopt)->name);
    if (optopt != 0)
        return misuse("%s: no option -%c (see tillq %s --help)", command, optopt, command);
    return misuse("%s: no option %s (see tillq %s --help)", command, argv[optind - 1], command);
}

int options_read(struct invocation *invocation, const struct usage *usage, int argc, char **argv,
                 int *first)
{
    struct getopt_form form = {.letters = ":"};
    for (size_t i = 0; i < usage->count; i++)
        add_form(&form, i, &usage->specs[i]);
    for (size_t i = 0; i < OPTION_COUNT(common); i++)
        add_form(&form, usage->count + i, &common[i]);
    opterr = 0;
    optind = 0; /* from the start again: main has read its own options */
    int value;
    while ((value = getopt_long(argc, argv, form.letters, form.names, NULL)) != -1) {
        if (value == '?' || value == ':')
            return refuse(invocation, usage, value, argv);
        const struct option_spec *spec = find(usage, value);
        if (spec == NULL)
            return misuse("%s: no such option", invocation->command);
        if (strcmp(spec->name, "help") == 0) {
            print_help(usage);
            return 0;
        }
        if (strcmp(spec->name, "json") == 0) {
            invocation->json = true;
            continue;
        }
        int status = take(invocation, spec, optarg);
        if (status >= 0)
            return status;
    }
    *first = optind;
    return -1;
}

int options_read_alone(struct invocation *invocation, const struct usage *usage, int argc,
                       char **argv)
{
    int first;
    int status = options_read(invocation, usage, argc, argv, &first);
    if (status < 0 && first < argc)
        return misuse("%s: takes no operand: %s", usage->synopsis, argv[first]);
    return status;
}
