/* tillqd: options, wiring, signals, the loop. The only file that knows everybody. */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bell.h"
#include "base/config.h"
#include "base/db.h"
#include "base/folder.h"
#include "base/incident.h"
#include "base/lock.h"
#include "base/notify.h"
#include "net/connection.h"
#include "net/server.h"
#include "net/tls.h"
#include "net/tokens_file.h"
#include "stock/live.h"

#define STOP_PATIENCE_MS 10000

struct options {
    const char *config_path; /* NULL: no file */
    const char *directory;   /* NULL: the configuration's */
    const char *listen;      /* NULL: the configuration's */
    bool check_only;
};

struct daemon {
    struct options options;
    struct config config;
    int lock;
    struct event_base *base;
    struct bell *bell;
    struct event *signals[3];
    struct event *watchdog;
    int64_t watchdog_us;
    struct journal *journal;
    struct writer *writer;
    struct applier *applier;
    struct gate *gate;
    struct engine *engine;
    struct server *server;
    struct tls *tls; /* NULL where no certificate is configured */
    bool stopping;
};

/* --- options and configuration --- */

static const char usage[] =
    "usage: tillqd [-c FILE] [-d DIR] [-l HOST:PORT]\n"
    "       tillqd --check-config [-c FILE]\n"
    "\n"
    "  -c, --config FILE     read the configuration from FILE (default: none, all defaults)\n"
    "  -d, --directory DIR   keep the data in DIR\n"
    "  -l, --listen ADDRESS  HOST:PORT, [V6]:PORT or unix:/PATH; port 0 = any free one;\n"
    "                        tls:HOST:PORT speaks TLS\n"
    "      --check-config    check the configuration and exit: 0 sound, 2 not\n"
    "  -h, --help            show this and exit\n"
    "  -V, --version         show the version and exit\n";

static void read_options(int count, char **arguments, struct options *options)
{
    enum { CHECK_CONFIG = 256 };
    static const struct option known[] = {
        {"config", required_argument, NULL, 'c'},
        {"directory", required_argument, NULL, 'd'},
        {"listen", required_argument, NULL, 'l'},
        {"check-config", no_argument, NULL, CHECK_CONFIG},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    int option;
    opterr = 0;
    while ((option = getopt_long(count, arguments, "c:d:l:hV", known, NULL)) != -1) {
        switch (option) {
        case 'c':
            options->config_path = optarg;
            break;
        case 'd':
            options->directory = optarg;
            break;
        case 'l':
            options->listen = optarg;
            break;
        case CHECK_CONFIG:
            options->check_only = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        case 'V':
            puts("tillqd " TILLQ_VERSION);
            exit(0);
        default:
            fprintf(stderr, "tillqd: %s: no such option, or its value is missing (see --help)\n",
                    arguments[optind - 1]);
            exit(2);
        }
    }
    if (optind < count) {
        fprintf(stderr, "tillqd: %s: no such argument (see --help)\n", arguments[optind]);
        exit(2);
    }
}

static int put_in(char value[CONFIG_VALUE_BYTES], const char *option, const char *key,
                  struct failure *failure)
{
    if (strlen(option) >= CONFIG_VALUE_BYTES)
        return failure_set(failure, "FAILED", "%s: is too long", key);
    snprintf(value, CONFIG_VALUE_BYTES, "%s", option);
    return 0;
}

/* The file, then what the command line says over it; and the tokens file it leads to, NULL where
 * there is none. */
static int read_config(const struct options *options, struct config *config, struct tokens **tokens,
                       struct failure *failure)
{
    *tokens = NULL;
    config_defaults(config);
    if (options->config_path && config_read(config, options->config_path, failure) != 0)
        return -1;
    if (options->directory &&
        put_in(config->directory, options->directory, "directory", failure) != 0)
        return -1;
    if (options->listen) {
        config->listen_count = 1;
        if (put_in(config->listen[0], options->listen, "listen", failure) != 0)
            return -1;
    }
    if (tokens_file_read_configured(tokens, config, failure) != 0)
        return -1;
    config->has_tokens = *tokens != NULL;
    if (config_check(config, failure) == 0)
        return 0;
    tokens_free(*tokens);
    *tokens = NULL;
    return -1;
}

/* The certificate and its key, where there are any: *tls stays as it is where there are none, or
 * they do not load. `said` is what the file said, for naming the line at fault. */
static int load_tls(struct tls **tls, const struct config *config, const struct config *said,
                    struct failure *failure)
{
    struct tls *loaded;
    if (!config->certificate[0])
        return 0;
    if (tls_new(&loaded, config, failure) != 0) {
        char key[sizeof failure->path];
        memcpy(key, failure->path, sizeof key);
        config_locate(said, key, failure);
        return -1;
    }
    *tls = loaded;
    return 0;
}

static void tell_of_tls(const struct tls *tls)
{
    char description[TLS_DESCRIPTION_BYTES];
    tls_describe(tls, description);
    log_notice("tls: certificate %s", description);
}

#define OWN_DESCRIPTORS 64 /* files of the journal and the stock, listeners, and some air */

static void raise_descriptor_limit(struct config *config)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int64_t most = (int64_t)limit.rlim_cur - OWN_DESCRIPTORS;
    if (limit.rlim_cur == RLIM_INFINITY || config->max_connections <= most)
        return;
    /* A connection too many would take the descriptor the next segment needs. */
    most = most > 1 ? most : 1;
    log_warning("max_connections is taken as %lld: only %lld files may be open", (long long)most,
                (long long)limit.rlim_cur);
    config->max_connections = most;
}

/* --- the loop's events --- */

static void wake(void *context)
{
    bell_ring(((struct daemon *)context)->bell);
}

static void on_bell(void *context)
{
    server_collect(((struct daemon *)context)->server);
}

static void written(struct append *first, void *context)
{
    engine_written(first, ((struct daemon *)context)->engine);
}

static void applied(struct append *first, void *context)
{
    engine_applied(first, ((struct daemon *)context)->engine);
}

static void on_over(void *context)
{
    event_base_loopbreak(((struct daemon *)context)->base);
}

static void on_stop(evutil_socket_t signal_number, short what, void *context)
{
    (void)what;
    struct daemon *daemon = context;
    if (daemon->stopping)
        return;
    daemon->stopping = true;
    log_notice("stopping: %s", strsignal((int)signal_number));
    notify_send("STOPPING=1");
    if (daemon->engine)
        server_drain(daemon->server, STOP_PATIENCE_MS, on_over, daemon);
}

static void report_reload(const char *key, bool changed, void *context)
{
    (void)context;
    if (changed)
        log_notice("reload: %s changed", key);
    else
        log_warning("reload: %s differs, but needs a restart", key);
}

/* Where tokens are asked for, a file that is not there any more is a mistake, not a wish. */
static int check_tokens(const struct daemon *daemon, const struct config *fresh,
                        const struct tokens *tokens, struct failure *failure)
{
    if (tokens || fresh->auth_none || !gate_asks(daemon->gate))
        return 0;
    return failure_set(failure, "FAILED",
                       "the tokens file of %s is gone; tokens are asked for as "
                       "before",
                       fresh->directory);
}

static void take_tokens(struct daemon *daemon, struct tokens *tokens)
{
    if (!tokens)
        return;
    if (daemon->config.auth_none) { /* auth needs a restart */
        tokens_free(tokens);
        return;
    }
    if (tokens_count(tokens) > 0)
        log_notice("tokens: %zu terminals have one", tokens_count(tokens));
    else
        log_warning("tokens: no terminal has one, so nobody gets in");
    gate_set_tokens(daemon->gate, tokens);
}

/* What may change changes, all or nothing. */
static int reload(struct daemon *daemon, struct failure *failure)
{
    struct config fresh, next = daemon->config;
    struct tls *tls = NULL;
    struct tokens *tokens;
    if (read_config(&daemon->options, &fresh, &tokens, failure) != 0)
        return -1;
    config_reload(&next, &fresh, NULL, NULL);
    if (check_tokens(daemon, &fresh, tokens, failure) != 0 ||
        load_tls(&tls, &next, &fresh, failure) != 0) {
        tokens_free(tokens);
        return -1;
    }
    take_tokens(daemon, tokens);
    if (tls) {
        server_set_tls(daemon->server, tls);
        tls_free(daemon->tls);
        daemon->tls = tls;
        tell_of_tls(tls);
    }
    config_reload(&daemon->config, &fresh, report_reload, NULL);
    raise_descriptor_limit(&daemon->config);
    log_set_level(daemon->config.log_level);
    writer_set_limits(daemon->writer, daemon->config.batch_records, daemon->config.segment_bytes);
    applier_set_documents(daemon->applier, daemon->config.apply_documents);
    return 0;
}

static void on_reload(evutil_socket_t signal_number, short what, void *context)
{
    (void)signal_number;
    (void)what;
    struct failure failure;
    char state[64];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)clock_monotonic_us(&clock_system));
    notify_send(state);
    if (reload(context, &failure) != 0)
        incident_note(INCIDENT_RELOAD_FAILED, "nothing changed: %s", failure.message);
    else
        log_notice("reload: done");
    notify_send("READY=1");
}

/* Fed from the loop, so a stuck loop feeds nothing; withheld where a worker is stuck in a step. */
static void on_watchdog(evutil_socket_t descriptor, short what, void *context)
{
    (void)descriptor;
    (void)what;
    struct daemon *daemon = context;
    int64_t writer_us = writer_busy_us(daemon->writer);
    int64_t applier_us = applier_busy_us(daemon->applier);
    if (writer_us < daemon->watchdog_us && applier_us < daemon->watchdog_us)
        notify_send("WATCHDOG=1");
    else
        incident_note(INCIDENT_THREAD_STUCK, "the %s has been at one step for %lld ms",
                      writer_us > applier_us ? "writer" : "applier",
                      (long long)(writer_us > applier_us ? writer_us : applier_us) / 1000);
}

static void on_libevent_log(int severity, const char *message)
{
    if (severity == EVENT_LOG_ERR || severity == EVENT_LOG_WARN)
        incident_note(severity == EVENT_LOG_ERR ? INCIDENT_LOOP_ERROR : INCIDENT_LOOP_WARNING, "%s",
                      message);
    else
        log_debug("libevent: %s", message);
}

/* --- starting --- */

#define GREEDY_AT_ONCE 8 /* connections, or 1 ms of them, before the others are looked at again */

static struct event_base *new_loop(void)
{
    const struct timeval at_most = {.tv_usec = 1000};
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    if (config && event_config_set_max_dispatch_interval(config, &at_most, GREEDY_AT_ONCE,
                                                         CONNECTION_PRIORITY_GREEDY) == 0)
        base = event_base_new_with_config(config);
    if (base && event_base_priority_init(base, CONNECTION_PRIORITIES) != 0) {
        event_base_free(base);
        base = NULL;
    }
    if (config)
        event_config_free(config);
    return base;
}

static int start_loop(struct daemon *daemon, struct failure *failure)
{
    static const int numbers[3] = {SIGTERM, SIGINT, SIGHUP};
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    sigaction(SIGHUP, &(struct sigaction){.sa_handler = SIG_IGN}, NULL); /* until we are ready */
    event_set_log_callback(on_libevent_log);
    daemon->base = new_loop();
    if (!daemon->base)
        return failure_set(failure, "FAILED", "no event loop");
    for (int i = 0; i < 3; i++) {
        daemon->signals[i] = evsignal_new(daemon->base, numbers[i],
                                          numbers[i] == SIGHUP ? on_reload : on_stop, daemon);
        /* SIGHUP waits until there is something to reload into. */
        if (!daemon->signals[i] ||
            (numbers[i] != SIGHUP && event_add(daemon->signals[i], NULL) != 0))
            return failure_set(failure, "FAILED", "no signals");
    }
    daemon->bell = bell_new(daemon->base, on_bell, daemon);
    return daemon->bell ? 0 : failure_set(failure, "FAILED", "no bell");
}

/* Memory holds sales, and tokens while a hello is read: none of it goes into a core file. The limit
 * alone does not hold where cores are piped to a program (core(5)), so no mapping is in one,
 * either. Not PR_SET_DUMPABLE: it would keep the daemon's own user from looking into /proc, for
 * nothing, as that user may read the journal and the keys. */
static void leave_no_core(void)
{
    const struct rlimit none = {0, 0};
    FILE *filter = fopen("/proc/self/coredump_filter", "we");
    bool filtered = filter && fputs("0", filter) >= 0;
    if (filter && fclose(filter) != 0)
        filtered = false;
    if (setrlimit(RLIMIT_CORE, &none) != 0 || !filtered)
        log_warning("a core file may be written: %s", strerror(errno));
}

static int take_directory(struct daemon *daemon, struct failure *failure)
{
    const char *directory = daemon->config.directory;
    struct stat status;
    umask(0027); /* what is made is 0640 and 0750, whatever it was */
    if (folder_make(directory, failure) != 0)
        return -1;
    if (stat(directory, &status) == 0 && (status.st_mode & 0007))
        log_warning("%s: mode %03o lets everybody on this machine at the sales; make it 0750 "
                    "(chmod 750)",
                    directory, (unsigned)status.st_mode & 07777);
    daemon->lock = lock_take(directory, "tillqd", failure);
    return daemon->lock >= 0 ? 0 : -1;
}

static int start_journal(struct daemon *daemon, struct failure *failure)
{
    const struct config *config = &daemon->config;
    struct journal_options options = {
        config->directory,     config->segment_bytes, config->journal_cache_bytes, &clock_system,
        config->reserve_bytes, live_given_out,        daemon->config.directory};
    struct journal_recovery found;
    if (journal_open(&daemon->journal, &options, &found, failure) != 0)
        return -1;
    log_notice("journal: %lld records in %lld segments, number %lld active%s",
               (long long)found.records, (long long)found.segments, (long long)found.active,
               found.log_pages_recovered > 0 ? "; its log was recovered" : "");
    struct writer_options writer = {daemon->journal, config->batch_records, written, daemon};
    daemon->writer = writer_new(&writer);
    return daemon->writer ? 0 : failure_set(failure, "NO_MEMORY", "no memory for the writer");
}

/* Applies what was journaled but not applied, before anybody is accepted; not a whole rebuild. */
static void catch_up(struct daemon *daemon, int64_t from)
{
    struct applier_figures at = {.applied = from};
    int64_t told_us = clock_monotonic_us(&clock_system);
    while (!daemon->stopping && !at.rebuilding && applier_step(daemon->applier) == WORKER_AGAIN) {
        event_base_loop(daemon->base, EVLOOP_NONBLOCK); /* a stop may come */
        applier_figures(daemon->applier, &at);
        int64_t now_us = clock_monotonic_us(&clock_system);
        if (now_us - told_us < 1000000)
            continue;
        char state[96];
        told_us = now_us;
        snprintf(state, sizeof state, "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=applying offset %lld",
                 (long long)at.applied);
        notify_send(state);
        log_info("applier: at offset %lld", (long long)at.applied);
    }
    applier_figures(daemon->applier, &at);
    if (at.applied > from)
        log_notice("applier: %lld documents applied that were journaled before",
                   (long long)(at.applied - from));
}

static int start_applier(struct daemon *daemon, struct failure *failure)
{
    const struct config *config = &daemon->config;
    struct applier_options options = {config->directory, config->stock_cache_bytes,
                                      config->apply_documents, applied, daemon};
    struct applier_recovery found;
    if (applier_new(&daemon->applier, &options, &found, failure) != 0)
        return -1;
    log_notice("stock: applied below offset %lld%s", (long long)found.applied,
               found.rebuilding ? "; rebuilding it from the journal" : "");
    if (!found.rebuilding) /* one made anew follows while sales are taken */
        catch_up(daemon, found.applied);
    return applier_start(daemon->applier, &clock_system, failure);
}

static int start_engine(struct daemon *daemon, struct failure *failure)
{
    struct engine_options options = {
        .config = &daemon->config,
        .directory = daemon->config.directory,
        .writer = daemon->writer,
        .applier = daemon->applier,
        .gate = daemon->gate,
        .damage = journal_damage(daemon->journal),
        .clock = &clock_system,
        .wake = wake,
        .context = daemon,
    };
    if (engine_new(&daemon->engine, &options, failure) != 0 ||
        engine_start(daemon->engine, failure) != 0 ||
        writer_start(daemon->writer, &clock_system, failure) != 0)
        return -1;
    server_set_tls(daemon->server, daemon->tls);
    return server_accept(daemon->server, daemon->engine, failure);
}

static int start_watchdog(struct daemon *daemon, struct failure *failure)
{
    daemon->watchdog_us = notify_watchdog_us();
    if (daemon->watchdog_us == 0)
        return 0;
    const struct timeval period = {.tv_sec = daemon->watchdog_us / 1000000,
                                   .tv_usec = daemon->watchdog_us % 1000000};
    daemon->watchdog = event_new(daemon->base, -1, EV_PERSIST, on_watchdog, daemon);
    if (!daemon->watchdog || event_add(daemon->watchdog, &period) != 0)
        return failure_set(failure, "FAILED", "no watchdog timer");
    return 0;
}

static int start(struct daemon *daemon, struct failure *failure)
{
    int inherited = notify_inherited_sockets();
    log_notice("tillqd " TILLQ_VERSION " starts in %s, SQLite %s", daemon->config.directory,
               db_library_version());
    leave_no_core();
    raise_descriptor_limit(&daemon->config);
    if (daemon->tls)
        tell_of_tls(daemon->tls);
    if (start_loop(daemon, failure) != 0 || take_directory(daemon, failure) != 0 ||
        server_new(&daemon->server, daemon->base, &daemon->config, inherited, failure) != 0 ||
        start_journal(daemon, failure) != 0 || start_applier(daemon, failure) != 0)
        return -1;
    if (daemon->stopping)
        return 0;
    if (start_engine(daemon, failure) != 0 || start_watchdog(daemon, failure) != 0)
        return -1;
    event_add(daemon->signals[2], NULL);
    printf("ready %s\n", server_address(daemon->server));
    fflush(stdout);
    log_notice("ready on %s", server_address(daemon->server));
    notify_send("READY=1\nSTATUS=taking sales");
    return 0;
}

/* Readers of a file close before its owner, who then leaves one file without a log; they also look
 * at the writer's and the applier's figures to their last step. */
static void stop(struct daemon *daemon)
{
    engine_stop(daemon->engine);
    writer_stop(daemon->writer);
    server_free(daemon->server);
    tls_free(daemon->tls);
    applier_stop(daemon->applier);
    journal_close(daemon->journal);
    engine_free(daemon->engine);
    gate_free(daemon->gate);
    for (int i = 0; i < 3; i++)
        if (daemon->signals[i])
            event_free(daemon->signals[i]);
    if (daemon->watchdog)
        event_free(daemon->watchdog);
    bell_free(daemon->bell);
    if (daemon->base)
        event_base_free(daemon->base);
    if (daemon->lock >= 0)
        close(daemon->lock);
}

/* The counters end with the process: what no line has told of yet is told here. */
static void report_stop(void)
{
    struct buffer counters = {0};
    incident_add_json(&counters);
    log_notice("stopped; counted %.*s", (int)counters.length, counters.bytes ? counters.bytes : "");
    buffer_free(&counters);
}

int main(int count, char **arguments)
{
    struct daemon daemon = {.lock = -1};
    struct tokens *tokens;
    struct failure failure;
    read_options(count, arguments, &daemon.options);
    if (read_config(&daemon.options, &daemon.config, &tokens, &failure) != 0 ||
        load_tls(&daemon.tls, &daemon.config, &daemon.config, &failure) != 0) {
        fprintf(stderr, "tillqd: %s\n", failure.message);
        return 2;
    }
    if (daemon.options.check_only) {
        tls_free(daemon.tls);
        printf("%s: sound\n", daemon.options.config_path ? daemon.options.config_path
                                                         : "no file given, all defaults");
        tokens_free(tokens);
        return 0;
    }
    mallopt(M_ARENA_MAX, 2); /* four threads in an arena each would double the memory at rest */
    db_limit_memory();
    log_set_level(daemon.config.log_level);
    int status = 0;
    daemon.gate = gate_new(&clock_system);
    if (!daemon.gate) {
        tokens_free(tokens);
        log_error("no memory for the gate");
        return 1;
    }
    take_tokens(&daemon, tokens);
    if (start(&daemon, &failure) != 0) {
        log_error("%s", failure.message);
        status = 1;
    } else if (!daemon.stopping) {
        event_base_dispatch(daemon.base);
    }
    stop(&daemon);
    if (status == 0)
        report_stop();
    return status;
}
