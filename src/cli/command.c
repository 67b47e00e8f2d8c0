#include "cli/command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/visible.h"

#define MESSAGE_BYTES 1024

static void say(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

static void say(const char *format, va_list arguments)
{
    char message[MESSAGE_BYTES];
    vsnprintf(message, sizeof message, format, arguments);
    struct buffer line = {0};
    buffer_add_string(&line, "tillq: ");
    visible_add(&line, text_of(message));
    buffer_add_byte(&line, '\n');
    clear_progress();
    fflush(stdout);
    if (!line.failed)
        fwrite(line.bytes, 1, line.length, stderr);
    buffer_free(&line);
}

int complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    return STATUS_FAILED;
}

int misuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    return STATUS_USAGE;
}

bool lacks_server(const struct invocation *invocation)
{
    if (!invocation->directory)
        return false;
    misuse("%s needs a running daemon: use -s ADDRESS instead of -d", invocation->command);
    return true;
}

bool shows_progress(void)
{
    return isatty(STDERR_FILENO);
}

void clear_progress(void)
{
    if (shows_progress())
        fputs("\r\033[K", stderr);
}

static void print_coloured(const char *colour, const char *word)
{
    const char *no_colour = getenv("NO_COLOR");
    if (isatty(STDOUT_FILENO) && (!no_colour || no_colour[0] == '\0'))
        printf("\033[%sm%s\033[0m", colour, word);
    else
        fputs(word, stdout);
}

void print_good(const char *word)
{
    print_coloured("32", word);
}

void print_bad(const char *word)
{
    print_coloured("31", word);
}

void print_line(struct text line)
{
    fwrite(line.bytes, 1, line.length, stdout);
    putchar('\n');
}

void print_object(struct text members)
{
    putchar('{');
    fwrite(members.bytes, 1, members.length, stdout);
    fputs("}\n", stdout);
}
