#include "cli/load/fleet.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/load/terminal.h"

#define EVENTS_AT_ONCE 256
#define TIMER_EVENT UINT32_MAX
#define PROGRESS_US 500000
/* Descriptors beside one a terminal. */
#define OTHER_DESCRIPTORS 64

struct fleet {
    struct load_run *run;
    struct terminal *terminals;
    uint32_t count;
    int timer;
    int64_t timer_us; /* what the timer is set to; TIMETABLE_NEVER = nothing */
    int64_t end_us;   /* when the time is over; TIMETABLE_NEVER = no such limit */
    int64_t progress_us;
    int64_t progress_documents;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int raise_descriptor_limit(struct load_run *run, uint32_t terminals)
{
    struct rlimit limit;
    rlim_t need = (rlim_t)terminals + OTHER_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < need) {
        limit.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= need)
        return 0;
    load_fail(run, "%u terminals need %llu open files; the limit is %llu", terminals,
              (unsigned long long)need, (unsigned long long)limit.rlim_max);
    return -1;
}

static int open_descriptors(struct fleet *fleet)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = TIMER_EVENT};
    fleet->run->epoll = epoll_create1(EPOLL_CLOEXEC);
    fleet->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fleet->run->epoll >= 0 && fleet->timer >= 0 &&
        epoll_ctl(fleet->run->epoll, EPOLL_CTL_ADD, fleet->timer, &event) == 0)
        return 0;
    load_fail(fleet->run, "%s", strerror(errno));
    return -1;
}

static int start(struct fleet *fleet, struct load_run *run)
{
    *fleet = (struct fleet){
        .run = run, .timer = -1, .timer_us = TIMETABLE_NEVER, .end_us = TIMETABLE_NEVER};
    uint32_t count = (uint32_t)run->options->terminals;
    if (raise_descriptor_limit(run, count) < 0 || open_descriptors(fleet) < 0)
        return -1;
    fleet->terminals = calloc(count, sizeof *fleet->terminals);
    if (!fleet->terminals || timetable_start(&run->timetable, count) < 0) {
        load_fail(run, "no memory for %u terminals", count);
        return -1;
    }
    for (; fleet->count < count; fleet->count++) {
        if (terminal_start(&fleet->terminals[fleet->count], run, fleet->count) < 0) {
            load_fail(run, "no memory for %u terminals", count);
            return -1;
        }
        timetable_set(&run->timetable, fleet->count, run->now_us);
    }
    return 0;
}

static void stop(struct fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->count; i++)
        terminal_free(&fleet->terminals[i]);
    free(fleet->terminals);
    timetable_free(&fleet->run->timetable);
    buffer_free(&fleet->run->input);
    if (fleet->timer >= 0)
        close(fleet->timer);
    if (fleet->run->epoll >= 0)
        close(fleet->run->epoll);
}

static void look_at_clock(struct load_run *run)
{
    run->now_us = clock_monotonic_us(&clock_system);
}

static void go_all(struct fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->count; i++)
        terminal_go(&fleet->terminals[i]);
}

/* Everybody is there: the clock starts. */
static void open_the_shop(struct fleet *fleet)
{
    struct load_run *run = fleet->run;
    const struct load_options *options = run->options;
    look_at_clock(run);
    run->start_us = run->last_us = run->now_us;
    if (options->duration_s > 0)
        fleet->end_us = run->start_us + options->duration_s * 1000000;
    fleet->progress_us = run->start_us;
    for (uint32_t i = 0; i < fleet->count && options->rate > 0; i++) {
        struct terminal *terminal = &fleet->terminals[i];
        double mean_ns = 1e9 * (double)options->terminals / (double)options->rate;
        terminal->next_due_ns = run->start_us * 1000 + random_gap_ns(&terminal->random, mean_ns);
    }
    go_all(fleet);
}

static void close_the_shop(struct fleet *fleet)
{
    fleet->run->stopping = true;
    fleet->end_us = TIMETABLE_NEVER;
    look_at_clock(fleet->run);
    go_all(fleet);
}

static void show_progress(struct fleet *fleet)
{
    struct load_run *run = fleet->run;
    int64_t documents = run->totals.documents;
    int64_t elapsed_us = run->now_us - fleet->progress_us;
    if (run->start_us < 0 || elapsed_us < PROGRESS_US || !shows_progress())
        return;
    fprintf(stderr, "\r\033[K%lld documents, %lld/s, p99 %.1f ms, %lld reconnects",
            (long long)documents,
            (long long)((documents - fleet->progress_documents) * 1000000 / elapsed_us),
            (double)histogram_percentile_us(&run->latency, 99000) / 1000,
            (long long)run->totals.reconnects);
    fleet->progress_us = run->now_us;
    fleet->progress_documents = documents;
}

/* The timer, not the time-out of epoll: that counts in milliseconds, which would itself be seen as
 * latency in an open loop. */
static void set_timer(struct fleet *fleet)
{
    uint32_t who;
    int64_t first_us = timetable_first(&fleet->run->timetable, &who);
    if (first_us == fleet->timer_us)
        return;
    fleet->timer_us = first_us;
    struct itimerspec setting = {.it_interval = {.tv_sec = 0}};
    if (first_us != TIMETABLE_NEVER) {
        first_us = first_us > 0 ? first_us : 1; /* all zeros would switch it off */
        setting.it_value.tv_sec = (time_t)(first_us / 1000000);
        setting.it_value.tv_nsec = (long)(first_us % 1000000 * 1000);
    }
    if (timerfd_settime(fleet->timer, TFD_TIMER_ABSTIME, &setting, NULL) < 0)
        load_fail(fleet->run, "timer: %s", strerror(errno));
}

static void wake_due(struct fleet *fleet)
{
    struct load_run *run = fleet->run;
    uint32_t who;
    int64_t first_us;
    fleet->timer_us = TIMETABLE_NEVER;
    while ((first_us = timetable_first(&run->timetable, &who)) <= run->now_us && !run->failed) {
        timetable_set(&run->timetable, who, TIMETABLE_NEVER);
        look_at_clock(run);
        terminal_wake(&fleet->terminals[who]);
    }
}

static void handle(struct fleet *fleet, const struct epoll_event *event)
{
    struct load_run *run = fleet->run;
    look_at_clock(run);
    if (event->data.u32 == TIMER_EVENT) {
        uint64_t times;
        if (read(fleet->timer, &times, sizeof times) == sizeof times)
            wake_due(fleet);
        return;
    }
    struct terminal *terminal = &fleet->terminals[event->data.u32];
    uint32_t problem = EPOLLERR | EPOLLHUP;
    if (terminal->socket >= 0)
        terminal_handle(terminal, event->events & (EPOLLIN | problem),
                        event->events & (EPOLLOUT | problem));
}

static void turn(struct fleet *fleet)
{
    struct load_run *run = fleet->run;
    struct epoll_event events[EVENTS_AT_ONCE];
    set_timer(fleet);
    int count = epoll_wait(run->epoll, events, EVENTS_AT_ONCE, PROGRESS_US / 1000 / 5);
    if (count < 0 && errno != EINTR)
        load_fail(run, "epoll: %s", strerror(errno));
    for (int i = 0; i < count && !run->failed; i++)
        handle(fleet, &events[i]);
    look_at_clock(run);
    if (run->start_us < 0 && run->greeted == fleet->count)
        open_the_shop(fleet);
    if (!run->stopping && (interrupted || run->now_us >= fleet->end_us))
        close_the_shop(fleet);
    show_progress(fleet);
}

void fleet_play(struct load_run *run)
{
    struct fleet fleet;
    look_at_clock(run);
    catch_interrupts();
    if (start(&fleet, run) == 0)
        while (run->done < fleet.count && !run->failed)
            turn(&fleet);
    clear_progress();
    stop(&fleet);
}
