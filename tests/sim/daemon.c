#include "daemon.h"

#include <stdio.h>
#include <string.h>

#include "net/session.h"
#include "stock/live.h"

#define CATCH_UP_STEPS 100000
#define STOP_STEPS 100000

static int64_t wall_ms(void *context)
{
    return ((struct sim_clock *)context)->wall_ms;
}

static int64_t monotonic_us(void *context)
{
    return ((struct sim_clock *)context)->monotonic_us;
}

static void written(struct append *first, void *context)
{
    engine_written(first, ((struct daemon *)context)->engine);
}

static void applied(struct append *first, void *context)
{
    engine_applied(first, ((struct daemon *)context)->engine);
}

static void wake(void *context)
{
    (void)context; /* events look by themselves */
}

void daemon_init(struct daemon *daemon, struct sim_clock *hands)
{
    memset(daemon, 0, sizeof *daemon);
    daemon->hands = hands;
    daemon->clock = (struct clock){wall_ms, monotonic_us, hands};
    config_defaults(&daemon->config);
}

static int start_applier(struct daemon *daemon, const char *directory, struct failure *failure)
{
    struct applier_options options = {.directory = directory,
                                      .documents = daemon->config.apply_documents,
                                      .deliver = applied,
                                      .context = daemon};
    struct applier_recovery recovery;
    if (applier_new(&daemon->applier, &options, &recovery, failure) != 0)
        return -1;
    for (int i = 0; i < CATCH_UP_STEPS && applier_step(daemon->applier) == WORKER_AGAIN; i++)
        ;
    return 0;
}

int daemon_start(struct daemon *daemon, const char *directory, struct failure *failure)
{
    struct journal_options journal = {.directory = directory,
                                      .segment_bytes = daemon->config.segment_bytes,
                                      .reserve_bytes = daemon->config.reserve_bytes,
                                      .clock = &daemon->clock,
                                      .given_out = live_given_out,
                                      .context = daemon->directory};
    struct writer_options writer = {
        .batch_records = daemon->config.batch_records, .deliver = written, .context = daemon};
    struct engine_options engine = {.config = &daemon->config,
                                    .directory = directory,
                                    .clock = &daemon->clock,
                                    .wake = wake,
                                    .context = daemon};
    struct journal_recovery recovery;
    snprintf(daemon->directory, sizeof daemon->directory, "%s", directory);
    if (journal_open(&daemon->journal, &journal, &recovery, failure) != 0)
        return -1;
    writer.journal = daemon->journal;
    daemon->writer = writer_new(&writer);
    int result = daemon->writer ? start_applier(daemon, directory, failure) : -1;
    engine.writer = daemon->writer;
    engine.applier = daemon->applier;
    if (result == 0)
        result = engine_new(&daemon->engine, &engine, failure);
    if (result != 0)
        daemon_stop(daemon);
    return result;
}

void daemon_stop(struct daemon *daemon)
{
    /* As the threads would before they end: all that was taken is answered. */
    int quiet = 0;
    for (int i = 0; i < STOP_STEPS && quiet < 4 && daemon->engine; i++) {
        quiet = daemon_write(daemon) ? 0 : quiet + 1;
        daemon_read(daemon);
        daemon_collect(daemon);
    }
    engine_stop(daemon->engine);
    writer_stop(daemon->writer);
    applier_stop(daemon->applier);
    journal_close(daemon->journal);
    engine_free(daemon->engine);
    daemon->engine = NULL;
    daemon->writer = NULL;
    daemon->applier = NULL;
    daemon->journal = NULL;
}

bool daemon_write(struct daemon *daemon)
{
    return writer_step(daemon->writer) == WORKER_AGAIN;
}

bool daemon_apply(struct daemon *daemon)
{
    return applier_step(daemon->applier) == WORKER_AGAIN;
}

void daemon_read(struct daemon *daemon)
{
    engine_read(daemon->engine);
}

void daemon_collect(struct daemon *daemon)
{
    session_answered(engine_collect(daemon->engine));
    engine_flush(daemon->engine);
}
