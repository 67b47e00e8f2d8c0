#include "base/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct worker {
    struct worker_duty duty;
    const struct clock *clock;
    int niceness;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the three below */
    pthread_cond_t wake;
    bool rung;
    bool hurried; /* rung by somebody who waits */
    bool stopping;
    _Atomic int64_t busy_since_us; /* 0 while asleep */
};

static struct timespec after_ms(int64_t wait_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t ns = wait_ms * 1000000 + at.tv_nsec;
    at.tv_sec += (time_t)(ns / 1000000000);
    at.tv_nsec = (long)(ns % 1000000000);
    return at;
}

/* True where there is a ring to answer, false where the worker is to end. */
static bool wait_for_ring(struct worker *worker, enum worker_next next)
{
    bool resting = next == WORKER_REST;
    struct timespec until = after_ms(resting ? WORKER_REST_MS : worker->duty.retry_ms);
    int waited = 0;
    pthread_mutex_lock(&worker->mutex);
    while (resting && !worker->hurried && !worker->stopping && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&worker->wake, &worker->mutex, &until);
    waited = 0;
    while (!worker->rung && !worker->stopping && waited != ETIMEDOUT) {
        if (next == WORKER_LATER)
            waited = pthread_cond_timedwait(&worker->wake, &worker->mutex, &until);
        else
            pthread_cond_wait(&worker->wake, &worker->mutex);
    }
    bool go_on = worker->rung || !worker->stopping;
    worker->rung = worker->hurried = false;
    pthread_mutex_unlock(&worker->mutex);
    return go_on;
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    enum worker_next next = WORKER_SLEEP;
    /* On Linux this is the calling thread's own, against POSIX. To go lower is always allowed. */
    if (worker->niceness > 0)
        setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + worker->niceness);
    while (next == WORKER_AGAIN || wait_for_ring(worker, next)) {
        atomic_store(&worker->busy_since_us, clock_monotonic_us(worker->clock));
        next = worker->duty.step(worker->duty.context);
        atomic_store(&worker->busy_since_us, 0);
    }
    return NULL;
}

static int start_thread(struct worker *worker)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&worker->thread, NULL, run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0)
        pthread_setname_np(worker->thread, worker->duty.name);
    return code;
}

int worker_start(struct worker **out, const struct worker_duty *duty, const struct clock *clock,
                 struct failure *failure)
{
    return worker_start_nice(out, duty, clock, 0, failure);
}

int worker_start_nice(struct worker **out, const struct worker_duty *duty,
                      const struct clock *clock, int niceness, struct failure *failure)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return failure_set(failure, "NO_MEMORY", "%s: no memory for a thread", duty->name);
    worker->duty = *duty;
    worker->clock = clock;
    worker->niceness = niceness;
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&worker->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int code = start_thread(worker);
    if (code != 0) {
        free(worker);
        return failure_set(failure, "FAILED", "%s: no thread: %s", duty->name, strerror(code));
    }
    *out = worker;
    return 0;
}

void worker_ring(struct worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    worker->rung = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->mutex);
}

void worker_hurry(struct worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    worker->rung = worker->hurried = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->mutex);
}

void worker_stop(struct worker *worker)
{
    if (!worker)
        return;
    pthread_mutex_lock(&worker->mutex);
    worker->stopping = true;
    worker->rung = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->mutex);
    pthread_join(worker->thread, NULL);
    pthread_cond_destroy(&worker->wake);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
}

int64_t worker_busy_us(const struct worker *worker)
{
    int64_t since_us = atomic_load(&worker->busy_since_us);
    return since_us == 0 ? 0 : clock_monotonic_us(worker->clock) - since_us;
}
