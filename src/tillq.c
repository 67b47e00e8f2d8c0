/* tillq: the command line. Finds the command; each has a file of its own in src/cli. */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/connect.h"
#include "cli/credentials.h"
#include "tillq/client.h"

static const struct command {
    const char *name;
    const char *help;
    command_function *function;
} commands[] = {
    {"status", "how the daemon, the journal and the stock are", status_command},
    {"stock", "what is on hand", stock_command},
    {"movements", "what moved a sku's stock", movements_command},
    {"tail", "the records of a topic", tail_command},
    {"put", "send documents", put_command},
    {"dead", "documents that were rejected or in conflict", dead_command},
    {"verify", "check the files and the stock", verify_command},
    {"rebuild", "make the stock file again from the journal", rebuild_command},
    {"roll", "begin a new journal segment", roll_command},
    {"token", "which terminals have a token; add, remove", token_command},
    {"disktest", "how long the disk takes to sync, and what that means", disktest_command},
    {"load", "play many tills, measure, and prove the stock right", load_command},
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void print_help(void)
{
    fputs(
        "usage: tillq [-s ADDRESS | -d DIR] COMMAND ...\n\n"
        "  -s, --server ADDRESS    a running daemon: HOST:PORT, [V6]:PORT or unix:/PATH\n"
        "                          (default " TILLQ_CLIENT_DEFAULT_ADDRESS "), or tls:HOST:PORT\n"
        "      --ca FILE           whom to trust through TLS (default: the system's authorities)\n"
        "      --certificate FILE  what to show through TLS, where the daemon asks for it\n"
        "      --key FILE          its key, where that is a file of its own\n"
        "  -d, --directory DIR     a data directory, read only; a daemon may be running on it\n"
        "      --token-file FILE   a line TERMINAL TOKEN: say hello so (else the environment's\n"
        "                          TILLQ_TOKEN, where it is set)\n"
        "  -j, --json              one JSON object a line, nothing else on standard output\n"
        "  -h, --help              this help; tillq COMMAND --help tells of one\n"
        "  -V, --version           the version\n\n",
        stdout);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %-12s %s\n", commands[i].name, commands[i].help);
}

enum { TOKEN_FILE = 256, CA, CERTIFICATE, KEY }; /* past every letter */

/* Reads what stands before the command. -1 = go on; else the exit status. */
static int read_options(struct invocation *invocation, const char **token_file, int argc,
                        char **argv)
{
    static const struct option names[] = {{"server", required_argument, NULL, 's'},
                                          {"directory", required_argument, NULL, 'd'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {"token-file", required_argument, NULL, TOKEN_FILE},
                                          {"ca", required_argument, NULL, CA},
                                          {"certificate", required_argument, NULL, CERTIFICATE},
                                          {"key", required_argument, NULL, KEY},
                                          {0}};
    int value;
    opterr = 0;
    while ((value = getopt_long(argc, argv, "+:s:d:jhV", names, NULL)) != -1) {
        switch (value) {
        case 's':
            invocation->server = optarg;
            break;
        case 'd':
            invocation->directory = optarg;
            break;
        case TOKEN_FILE:
            *token_file = optarg;
            break;
        case CA:
            invocation->ca_file = optarg;
            break;
        case CERTIFICATE:
            invocation->certificate_file = optarg;
            break;
        case KEY:
            invocation->key_file = optarg;
            break;
        case 'j':
            invocation->json = true;
            break;
        case 'h':
            print_help();
            return 0;
        case 'V':
            puts("tillq " TILLQ_VERSION);
            return 0;
        case ':':
            return misuse("%s: needs a value", argv[optind - 1]);
        default:
            return misuse("%s: no such option (see tillq --help)", argv[optind - 1]);
        }
    }
    return -1;
}

static int check_where(struct invocation *invocation)
{
    if (invocation->server && invocation->directory)
        return misuse("-s and -d exclude each other");
    if (invocation->directory)
        return -1;
    if (!invocation->server)
        invocation->server = TILLQ_CLIENT_DEFAULT_ADDRESS;
    if (!connect_address_is_valid(invocation->server))
        return misuse("-s %s: is not HOST:PORT, [V6]:PORT or unix:/PATH", invocation->server);
    bool names_files = invocation->ca_file || invocation->certificate_file || invocation->key_file;
    if (names_files && !connect_is_tls(invocation->server))
        return misuse("--ca, --certificate and --key are for -s tls:HOST:PORT");
    return -1;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* What could not be written was not said: that is a failure too. */
static int finish(int status)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    return complain("standard output: %s", strerror(errno ? errno : EIO));
}

static int run(struct invocation *invocation, const char *token_file, int argc, char **argv)
{
    const struct command *command = find_command(argv[optind]);
    struct credentials credentials = {0};
    struct failure failure;
    if (!command)
        return misuse("%s: no such command (see tillq --help)", argv[optind]);
    if (invocation->server && credentials_read(&credentials, token_file, &failure) != 0)
        return misuse("%s", failure.message);
    invocation->command = command->name;
    invocation->credentials = &credentials;
    int status = command->function(invocation, argc - optind, argv + optind);
    credentials_free(&credentials);
    return status;
}

int main(int argc, char **argv)
{
    struct invocation invocation = {0};
    const char *token_file = NULL;
    setlocale(LC_CTYPE, "C.UTF-8"); /* only for how wide characters are on a terminal */
    umask(0027);                    /* rebuild and token make files of the daemon's */
    int status = read_options(&invocation, &token_file, argc, argv);
    if (status < 0)
        status = check_where(&invocation);
    if (status >= 0)
        return finish(status);
    if (optind == argc)
        return misuse("needs a command (see tillq --help)");
    return finish(run(&invocation, token_file, argc, argv));
}
