/* sim: runs seeds, each a shop's whole life in a few thousand operations, and looks for a breach of
 * the promise. See world.h for what is checked, docs/reliability.md for what it proves.
 *
 * Prints last "operations N, seeds N, crashes N, breaches N"; exit 1 where there was a breach. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "bugs.h"
#include "shrink.h"
#include "world.h"

#define JOBS_MAX 64

struct options {
    const char *program;
    uint64_t first_seed;
    int64_t seeds;      /* at most so many */
    int64_t operations; /* at least so many, unless `seeds` or `seconds` ends it */
    int64_t seconds;
    int jobs;
    bool one; /* replay one seed in this process */
    bool keep_going;
    bool log;
    bool no_shrink;
    struct run run;
};

struct totals {
    int64_t operations, seeds, crashes, restarts, breaches, promises, records, full, flips, damages,
        lost;
    int64_t faults[FAULT_COUNT];
    int64_t first_breach; /* how many seeds it took; 0 = none */
};

static const char usage[] =
    "usage: sim [--seeds N] [--operations N] [--seconds N] [--jobs N] [--first SEED]\n"
    "       sim --seed SEED [--events N] [--skip A-B,C,…] [--trace]\n"
    "\n"
    "  --first SEED     begin with this seed (default: 1)\n"
    "  --seeds N        end after so many seeds\n"
    "  --operations N   end after so many operations in all\n"
    "  --seconds N      end after so long\n"
    "  --jobs N         processes (default: one a processor)\n"
    "  --shrink no      do not make a failing run smaller\n"
    "  --keep-going     do not end at the first breach\n"
    "  --seed SEED      replay one seed\n"
    "  --events N       operations a seed (default: 4000)\n"
    "  --skip LIST      events to leave out, as the shrinking printed them\n"
    "  --trace          print every event\n"
    "  --log            let the daemon's log through\n"
    "  --planted BUG    with a bug that was planted (build with PLANTED=1); --planted list\n";

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- one seed after the other --- */

static void add_result(struct totals *totals, const struct run_result *result)
{
    totals->operations += result->operations;
    totals->seeds++;
    totals->crashes += result->crashes;
    totals->restarts += result->restarts;
    totals->breaches += result->breach.found;
    totals->promises += result->promises;
    totals->records += result->records;
    totals->full += result->full;
    totals->flips += result->flips;
    totals->damages += result->damages;
    totals->lost += result->lost;
    for (int i = 0; i < FAULT_COUNT; i++)
        totals->faults[i] += result->faults[i];
}

static void add_totals(struct totals *sum, const struct totals *one)
{
    sum->operations += one->operations;
    sum->seeds += one->seeds;
    sum->crashes += one->crashes;
    sum->restarts += one->restarts;
    sum->breaches += one->breaches;
    sum->promises += one->promises;
    sum->records += one->records;
    sum->full += one->full;
    sum->flips += one->flips;
    sum->damages += one->damages;
    sum->lost += one->lost;
    for (int i = 0; i < FAULT_COUNT; i++)
        sum->faults[i] += one->faults[i];
    if (one->first_breach > 0 && (sum->first_breach == 0 || one->first_breach < sum->first_breach))
        sum->first_breach = one->first_breach;
}

static void report_breach(const struct options *options, const struct run *run,
                          const struct run_result *result)
{
    struct run smallest = *run;
    printf("seed %" PRIu64 ": breach at event %" PRId64 ": %s\n", run->seed, result->breach_at,
           result->breach.what);
    fflush(stdout);
    if (!options->no_shrink)
        shrink(&smallest);
    printf("replay: ");
    shrink_print(&smallest, options->program, stdout);
    fflush(stdout);
}

/* Every `jobs`-th seed, beginning with the `job`-th. */
static void work(const struct options *options, int job, int64_t until_ms, struct totals *totals)
{
    for (int64_t i = job; i < options->seeds; i += options->jobs) {
        struct run run = options->run;
        struct run_result result;
        run.seed = options->first_seed + (uint64_t)i;
        world_run(&run, &result);
        add_result(totals, &result);
        if (result.breach.found) {
            if (totals->first_breach == 0)
                totals->first_breach = i + 1;
            report_breach(options, &run, &result);
            if (!options->keep_going)
                return;
        }
        if (totals->operations * options->jobs >= options->operations || now_ms() >= until_ms)
            return;
    }
}

/* --- jobs --- */

struct job {
    pid_t process;
    int pipe;
};

static struct job start_job(const struct options *options, int number, int64_t until_ms)
{
    int ends[2];
    if (pipe(ends) != 0) {
        perror("sim");
        exit(2);
    }
    fflush(stdout);
    pid_t process = fork();
    if (process < 0) {
        perror("sim");
        exit(2);
    }
    if (process == 0) {
        struct totals totals = {0};
        close(ends[0]);
        work(options, number, until_ms, &totals);
        ssize_t wrote = write(ends[1], &totals, sizeof totals);
        exit(wrote == (ssize_t)sizeof totals ? 0 : 2);
    }
    close(ends[1]);
    return (struct job){process, ends[0]};
}

/* A job that dies is a breach of its own: the product crashed. */
static void end_job(struct job job, struct totals *sum)
{
    struct totals totals;
    int status;
    ssize_t got = read(job.pipe, &totals, sizeof totals);
    close(job.pipe);
    waitpid(job.process, &status, 0);
    if (got == (ssize_t)sizeof totals) {
        add_totals(sum, &totals);
        return;
    }
    printf("a job died: %s %d\n", WIFSIGNALED(status) ? "signal" : "exit",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    sum->breaches++;
}

static int report(const struct totals *sum, int64_t elapsed_ms)
{
    double seconds = (double)(elapsed_ms > 0 ? elapsed_ms : 1) / 1000.0;
    printf("%.1f s: %.0f operations/s, %.1f seeds/s; %" PRId64 " records, %" PRId64
           " acknowledgements, %" PRId64 " orderly restarts\n",
           seconds, (double)sum->operations / seconds, (double)sum->seeds / seconds, sum->records,
           sum->promises, sum->restarts);
    printf("faults that struck:");
    for (int i = 1; i < FAULT_COUNT; i++)
        printf(" %s %" PRId64 ",", fault_names[i], sum->faults[i]);
    printf(" full disks %" PRId64 ", flipped bits %" PRId64 "\n", sum->full, sum->flips);
    printf("active segments damaged: %" PRId64 ", records stated as lost by that: %" PRId64 "\n",
           sum->damages, sum->lost);
    if (sum->first_breach > 0)
        printf("seeds to the first breach: %" PRId64 "\n", sum->first_breach);
    printf("operations %" PRId64 ", seeds %" PRId64 ", crashes %" PRId64 ", breaches %" PRId64 "\n",
           sum->operations, sum->seeds, sum->crashes, sum->breaches);
    return sum->breaches == 0 ? 0 : 1;
}

static int run_all(struct options *options)
{
    struct totals sum = {0};
    struct job jobs[JOBS_MAX];
    int64_t began_ms = now_ms();
    int64_t until_ms = options->seconds > 0 ? began_ms + options->seconds * 1000 : INT64_MAX;
    for (int i = 0; i < options->jobs; i++)
        jobs[i] = start_job(options, i, until_ms);
    for (int i = 0; i < options->jobs; i++)
        end_job(jobs[i], &sum);
    return report(&sum, now_ms() - began_ms);
}

static int replay(const struct options *options)
{
    struct run_result result;
    world_run(&options->run, &result);
    printf("seed %" PRIu64 ": digest %016" PRIx64 "\n", options->run.seed, result.digest);
    if (result.breach.found)
        printf("breach at event %" PRId64 ": %s\n", result.breach_at, result.breach.what);
    struct totals totals = {0};
    add_result(&totals, &result);
    return report(&totals, 0);
}

/* --- options --- */

static int64_t number(const char *text)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || value < 0) {
        fprintf(stderr, "sim: %s: not a number\n", text);
        exit(2);
    }
    return value;
}

static void read_skips(struct run *run, const char *list)
{
    while (*list && run->skip_count < SKIPS_MAX) {
        char *end;
        struct event_range *range = &run->skips[run->skip_count++];
        range->first = range->last = strtoll(list, &end, 10);
        if (*end == '-')
            range->last = strtoll(end + 1, &end, 10);
        list = *end == ',' ? end + 1 : end;
        if (*end != ',' && *end != '\0') {
            fprintf(stderr, "sim: %s: not a list of events\n", list);
            exit(2);
        }
    }
}

static void plant(const char *name)
{
    if (strcmp(name, "list") == 0) {
        bugs_list(stdout);
        exit(0);
    }
    if (bugs_choose(name) == 0)
        return;
    fprintf(stderr, "sim: %s: no such bug, or this build has none planted\n", name);
    exit(2);
}

enum option_name {
    SEED = 256,
    FIRST,
    SEEDS,
    OPERATIONS,
    SECONDS,
    JOBS,
    EVENTS,
    SKIP,
    TRACE,
    PLANT,
    GO_ON,
    LOG,
    SHRINK,
};

static void take_option(struct options *options, int option)
{
    switch (option) {
    case SEED:
        options->one = true;
        options->run.seed = (uint64_t)number(optarg);
        break;
    case FIRST:
        options->first_seed = (uint64_t)number(optarg);
        break;
    case SEEDS:
        options->seeds = number(optarg);
        break;
    case OPERATIONS:
        options->operations = number(optarg);
        break;
    case SECONDS:
        options->seconds = number(optarg);
        break;
    case JOBS:
        options->jobs = (int)number(optarg);
        break;
    case EVENTS:
        options->run.events = number(optarg);
        break;
    case SKIP:
        read_skips(&options->run, optarg);
        break;
    case TRACE:
        options->run.trace = true;
        break;
    case PLANT:
        plant(optarg);
        break;
    case LOG:
        options->log = true;
        break;
    case SHRINK:
        options->no_shrink = strcmp(optarg, "no") == 0;
        break;
    case GO_ON:
        options->keep_going = true;
        break;
    default:
        fputs(usage, stderr);
        exit(2);
    }
}

static void read_options(int count, char **arguments, struct options *options)
{
    static const struct option known[] = {
        {"seed", required_argument, NULL, SEED},
        {"first", required_argument, NULL, FIRST},
        {"seeds", required_argument, NULL, SEEDS},
        {"operations", required_argument, NULL, OPERATIONS},
        {"seconds", required_argument, NULL, SECONDS},
        {"jobs", required_argument, NULL, JOBS},
        {"events", required_argument, NULL, EVENTS},
        {"skip", required_argument, NULL, SKIP},
        {"trace", no_argument, NULL, TRACE},
        {"planted", required_argument, NULL, PLANT},
        {"log", no_argument, NULL, LOG},
        {"shrink", required_argument, NULL, SHRINK},
        {"keep-going", no_argument, NULL, GO_ON},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(count, arguments, "", known, NULL)) != -1)
        take_option(options, option);
}

int main(int count, char **arguments)
{
    struct options options = {
        .program = arguments[0],
        .first_seed = 1,
        .seeds = INT64_MAX,
        .operations = INT64_MAX,
        .jobs = (int)sysconf(_SC_NPROCESSORS_ONLN),
        .run = {.events = 4000},
    };
    read_options(count, arguments, &options);
    if (options.seeds == INT64_MAX && options.operations == INT64_MAX && options.seconds == 0)
        options.seconds = 10;
    if (options.jobs < 1 || options.jobs > JOBS_MAX)
        options.jobs = 1;
    log_set_level(options.log ? LOG_LEVEL_DEBUG : (enum log_level)0);
    sim_disk_install();
    return options.one ? replay(&options) : run_all(&options);
}
