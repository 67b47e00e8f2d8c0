/* command: what every command of tillq is given, and how it speaks to the person.
 *
 * Data goes to standard output; everything else is one line "tillq: …" on standard error. */
#ifndef TILLQ_CLI_COMMAND_H
#define TILLQ_CLI_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "base/text.h"

/* Exit statuses beside 0. */
enum { STATUS_FAILED = 1, STATUS_USAGE = 2 };

struct credentials;

struct invocation {
    const char *server;    /* address; NULL with -d */
    const char *directory; /* NULL without -d */
    const char *command;
    const struct credentials *credentials; /* for the server; may be none */
    const char *ca_file;                   /* of TLS; all three may be NULL */
    const char *certificate_file;
    const char *key_file;
    bool json; /* one JSON object a line and nothing else on standard output */
};

/* A command gets its own words after its name: argv[0] is the name. Returns the exit status. */
typedef int command_function(struct invocation *invocation, int argc, char **argv);

command_function status_command;
command_function stock_command;
command_function movements_command;
command_function tail_command;
command_function put_command;
command_function dead_command;
command_function verify_command;
command_function rebuild_command;
command_function roll_command;
command_function disktest_command;
command_function load_command;
command_function token_command;

/* One line on standard error, control characters escaped. `complain` returns STATUS_FAILED,
 * `misuse` STATUS_USAGE. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
int misuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For commands that cannot do without a daemon: true and said so where there is none. */
bool lacks_server(const struct invocation *invocation);

/* Standard error is a terminal: progress may be shown on it. */
bool shows_progress(void);
/* Takes the progress line away, so that what comes next begins on an empty one. */
void clear_progress(void);

/* A word in green or red where standard output is a terminal and NO_COLOR is not set. */
void print_good(const char *word);
void print_bad(const char *word);

/* One line of output as it came. */
void print_line(struct text line);
/* As one line, with the braces. */
void print_object(struct text members);

#endif
