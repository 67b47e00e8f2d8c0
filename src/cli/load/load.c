/* tillq load: plays many tills, measures, and proves the stock right. */
#include "cli/load/load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/connect.h"
#include "cli/load/fleet.h"
#include "cli/load/proof.h"
#include "cli/load/report.h"
#include "cli/options.h"

#define CONNECT_PATIENCE_MS 5000
#define GENERATE_DEFAULT 10000
#define NONE_WINDOW_DEFAULT 256
#define NAME_BYTES_MAX 64
#define LOOK_AGAIN_NS 100000000L
#define PREFIX_BYTES_MAX 32
/* How long the applier may stand still before the proof is given up. */
#define PROOF_PATIENCE_S 60

void load_fail(struct load_run *run, const char *format, ...)
{
    va_list arguments;
    if (run->failed)
        return;
    run->failed = true;
    run->failure.code = "FAILED";
    va_start(arguments, format);
    vsnprintf(run->failure.message, sizeof run->failure.message, format, arguments);
    va_end(arguments);
}

/* The address that answers first is the one all terminals use. */
static int find_address(struct load_run *run, const char *server, struct failure *failure)
{
    struct address list[ADDRESS_MAX];
    if (connect_is_tls(server))
        return failure_set(failure, "FAILED", "%.100s: load speaks no TLS; name a plain address",
                           server);
    int count = address_resolve(server, list, failure->message, sizeof failure->message);
    if (count < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        int socket = address_connect(&list[i], CONNECT_PATIENCE_MS);
        run->address = list[i];
        if (socket >= 0) {
            close(socket);
            return 0;
        }
        failure_set(failure, "FAILED", "%s: %s", server, strerror(-socket));
    }
    return -1;
}

static int prepare(struct load_run *run, const struct load_options *options, const char *server)
{
    struct failure failure = {0};
    int result = workload_start(&run->workload, options, &failure);
    if (result == 0)
        result = find_address(run, server, &failure);
    if (result == 0 && !options->no_proof) {
        run->sums_milli = calloc(run->workload.skus->count, sizeof *run->sums_milli);
        if (!run->sums_milli && run->workload.skus->count > 0)
            result = failure_set(&failure, "NO_MEMORY", "no memory for the sums");
    }
    if (result < 0)
        complain("load: %s", failure.message);
    return result;
}

static int look_once(struct proof *proof, const struct load_run *run,
                     const struct invocation *invocation, bool after, struct failure *failure)
{
    int result = source_open(&proof->source, invocation, failure);
    if (result == 0)
        result = after ? proof_take_after(proof, failure)
                       : proof_take_before(proof, run->workload.skus, failure);
    source_close(proof->source);
    proof->source = NULL;
    return result;
}

/* Opens the daemon for one look at all its stock: a connection that had to live through the run
 * would not outlive the daemon's restart. Once the run has begun the daemon is given its time to
 * come back, here too. */
static int look(struct proof *proof, const struct load_run *run,
                const struct invocation *invocation, bool after)
{
    struct failure failure = {0};
    int64_t patience_us = run->options->reconnect_for_s * 1000000;
    int64_t begin_us = clock_monotonic_us(&clock_system);
    while (look_once(proof, run, invocation, after, &failure) < 0) {
        bool gone = strcmp(failure.code, SOURCE_GONE) == 0;
        if (!after || !gone || clock_monotonic_us(&clock_system) - begin_us > patience_us) {
            complain("load: stock %s the run: %s", after ? "after" : "before", failure.message);
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = LOOK_AGAIN_NS}, NULL);
    }
    return 0;
}

static int play(struct load_run *run, const struct invocation *invocation)
{
    struct proof proof = {.shop = run->options->shop, .patience_s = PROOF_PATIENCE_S};
    bool proving = !run->options->no_proof;
    bool proven = false; /* the comparison was made, whatever it shows */
    int status = 0;
    if (proving && look(&proof, run, invocation, false) < 0) {
        proof_free(&proof);
        return STATUS_FAILED;
    }
    fleet_play(run);
    if (run->failed)
        status = complain("load: %s", run->failure.message);
    else if (run->options->check == LOAD_CHECK_HARD && proving && run->totals.unknown > 0)
        status = complain("load: %lld documents sent again were answered without their outcome",
                          (long long)run->totals.unknown);
    else if (proving && look(&proof, run, invocation, true) == 0) {
        proof_compare(&proof, run->sums_milli, run->workload.skus->count);
        proven = true;
    }
    if (proving && (!proven || proof.differences > 0))
        status = STATUS_FAILED;
    report_print(run, proven ? &proof : NULL, invocation->json);
    proof_free(&proof);
    return status;
}

/* What one option cannot tell by itself. -1 = all is right; else the exit status. */
static int check_options(struct load_options *options)
{
    if (options->receipts && options->generate > 0)
        return misuse("load: --receipts and --generate exclude each other");
    if (options->receipts && (options->uniform || options->hot_percent > 0))
        return misuse("load: --hot and --uniform go with --generate");
    if (options->check == LOAD_CHECK_HARD && options->ack != LOAD_ACK_APPLIED && !options->no_proof)
        return misuse("load: --check hard needs --ack applied (or --no-proof): without the outcome "
                      "nobody knows what counted");
    if (strlen(options->shop) < 1 || strlen(options->shop) > NAME_BYTES_MAX)
        return misuse("load: --shop: is not 1 to %d bytes long", NAME_BYTES_MAX);
    if (strlen(options->terminal_prefix) > PREFIX_BYTES_MAX)
        return misuse("load: --terminal-prefix: is longer than %d bytes", PREFIX_BYTES_MAX);
    if (!options->receipts && options->generate == 0 && options->limit == 0 &&
        options->duration_s == 0)
        options->generate = GENERATE_DEFAULT;
    if (options->window == 0)
        options->window = options->ack == LOAD_ACK_NONE ? NONE_WINDOW_DEFAULT : 1;
    return -1;
}

static int run_load(const struct load_options *options, const struct invocation *invocation)
{
    /* With its histogram too large for a stack. */
    struct load_run *run = calloc(1, sizeof *run);
    if (!run)
        return complain("load: no memory");
    run->options = options;
    run->credentials = invocation->credentials;
    run->epoll = -1;
    run->start_us = -1;
    int status = STATUS_FAILED;
    if (prepare(run, options, invocation->server) == 0)
        status = play(run, invocation);
    workload_free(&run->workload);
    free(run->sums_milli);
    free(run);
    return status;
}

static const char summary[] =
    "Plays many terminals at once, each with one connection, and prints documents a second and "
    "how\n"
    "long the answers took. Then proves that the stock changed by exactly what was acknowledged.\n"
    "Documents come from a file of lines invoice,sku,qty,time,price or are made up, always the "
    "same\n"
    "for the same input: a second run sends only what the daemon does not have yet.\n"
    "With --ack none latency is until the answer that confirms a batch.";

int load_command(struct invocation *invocation, int argc, char **argv)
{
    struct load_options o = {.terminals = 10,
                             .skus = 10000,
                             .seed = 1,
                             .reconnect_for_s = 60,
                             .shop = "0001",
                             .terminal_prefix = "T"};
    const struct option_spec specs[] = {
        {'t', "terminals", OPTION_INTEGER, &o.terminals, "N", "terminals (default 10)", 1,
         LOAD_TERMINALS_MAX},
        {'r', "receipts", OPTION_TEXT, &o.receipts, "FILE", "receipts: .csv, .csv.xz or .csv.gz", 0,
         0},
        {'g', "generate", OPTION_INTEGER, &o.generate, "COUNT", "make so many up (default 10000)",
         1, INT64_MAX / 2},
        {'a', "ack", OPTION_CHOICE, &o.ack, "journal|applied|none", "when a document is answered",
         0, 0},
        {'w', "window", OPTION_INTEGER, &o.window, "K",
         "documents in flight of one terminal (default 1; ack none 256)", 1, LOAD_WINDOW_MAX},
        {0, "rate", OPTION_INTEGER, &o.rate, "PER_S",
         "documents a second at random moments, ready or not", 1, 10000000},
        {'l', "limit", OPTION_INTEGER, &o.limit, "DOCUMENTS", "only the first so many", 1,
         INT64_MAX / 2},
        {0, "duration", OPTION_INTEGER, &o.duration_s, "S", "stop after so many seconds", 1,
         1000000},
        {0, "seed", OPTION_INTEGER, &o.seed, "N", "of what is made up (default 1)", 0, INT64_MAX},
        {0, "skus", OPTION_INTEGER, &o.skus, "N", "how many are made up (default 10000)", 2,
         BASKET_SKUS_MAX},
        {0, "hot", OPTION_INTEGER, &o.hot_percent, "PERCENT",
         "one sku is in so many percent of the receipts", 1, 100},
        {0, "uniform", OPTION_FLAG, &o.uniform, NULL, "every sku as likely", 0, 0},
        {'c', "check", OPTION_CHOICE, &o.check, "none|warn|hard", "the documents' check", 0, 0},
        {0, "resend", OPTION_INTEGER, &o.resend, "N", "after each hello send the last N once more",
         0, 1000000},
        {0, "reconnect-for", OPTION_INTEGER, &o.reconnect_for_s, "S",
         "how long to wait for the daemon to come back (default 60)", 0, 1000000},
        {0, "no-proof", OPTION_FLAG, &o.no_proof, NULL, "do not look at the stock", 0, 0},
        {0, "shop", OPTION_TEXT, &o.shop, "SHOP", "default 0001", 0, 0},
        {0, "terminal-prefix", OPTION_TEXT, &o.terminal_prefix, "T",
         "terminals are called T01, T02, ...", 0, 0},
    };
    const struct usage usage = {"load [OPTION]...", summary, specs, OPTION_COUNT(specs)};
    int first;
    int status = options_read(invocation, &usage, argc, argv, &first);
    if (status >= 0)
        return status;
    if (first < argc)
        return misuse("load: takes no operand: %s", argv[first]);
    if (lacks_server(invocation))
        return STATUS_USAGE;
    status = check_options(&o);
    return status >= 0 ? status : run_load(&o, invocation);
}
