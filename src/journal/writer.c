#include "journal/writer.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "journal/batch.h"

struct writer {
    struct writer_options options;
    struct worker *worker; /* NULL while driven by hand */
    struct queue intake;
    struct append *pending; /* taken in, not yet written */
    _Atomic int64_t batch_records;
    _Atomic int64_t segment_bytes; /* to be set; 0 = nothing new */
    _Atomic int64_t commits, records, active_segment, reserve_bytes;
    atomic_int health;
    _Atomic(const char *) message;
};

static void publish(struct writer *writer)
{
    const char *message;
    atomic_store(&writer->health, (int)journal_health(writer->options.journal, &message));
    atomic_store(&writer->message, message);
    atomic_store(&writer->active_segment, journal_active_segment(writer->options.journal));
    atomic_store(&writer->reserve_bytes, journal_reserve_bytes(writer->options.journal));
}

struct writer *writer_new(const struct writer_options *options)
{
    struct writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return NULL;
    writer->options = *options;
    queue_init(&writer->intake);
    atomic_store(&writer->batch_records, options->batch_records);
    publish(writer);
    return writer;
}

int writer_start(struct writer *writer, const struct clock *clock, struct failure *failure)
{
    struct worker_duty duty = {"tillq-writer", writer_step, writer, 200};
    return worker_start(&writer->worker, &duty, clock, failure);
}

void writer_stop(struct writer *writer)
{
    if (!writer)
        return;
    worker_stop(writer->worker);
    queue_destroy(&writer->intake);
    free(writer);
}

void writer_submit(struct writer *writer, struct append *first)
{
    if (queue_push_chain(&writer->intake, &first->item) && writer->worker)
        worker_ring(writer->worker);
}

void writer_set_limits(struct writer *writer, int64_t batch_records, int64_t segment_bytes)
{
    atomic_store(&writer->batch_records, batch_records);
    atomic_store(&writer->segment_bytes, segment_bytes);
}

/* Cuts what fits one commit off the pending chain. */
static struct append *take_batch(struct writer *writer)
{
    struct append *first = writer->pending, *last = first;
    int64_t count = 1, most = atomic_load(&writer->batch_records);
    size_t bytes = append_bytes(first);
    for (;;) {
        struct append *next = (struct append *)last->item.next;
        if (!next || count >= most || bytes + append_bytes(next) > BATCH_BYTES_LIMIT)
            break;
        bytes += append_bytes(next);
        last = next;
        count++;
    }
    writer->pending = (struct append *)last->item.next;
    last->item.next = NULL;
    return first;
}

static void count(struct writer *writer, const struct append *first)
{
    int64_t records = 0, changes = 0;
    for (const struct append *a = first; a; a = (const struct append *)a->item.next) {
        bool written = !a->error && !a->duplicate;
        records += written && a->kind == APPEND_RECORD;
        changes += written;
    }
    atomic_fetch_add(&writer->records, records);
    atomic_fetch_add(&writer->commits, changes > 0);
}

enum worker_next writer_step(void *context)
{
    struct writer *writer = context;
    struct journal *journal = writer->options.journal;
    if (!writer->pending)
        writer->pending = (struct append *)queue_take(&writer->intake);
    int64_t segment_bytes = atomic_exchange(&writer->segment_bytes, 0);
    if (segment_bytes > 0)
        journal_set_segment_bytes(journal, segment_bytes);
    if (writer->pending) {
        struct append *batch = take_batch(writer);
        journal_append(journal, batch);
        count(writer, batch);
        publish(writer);
        writer->options.deliver(batch, writer->options.context);
    }
    if (!writer->pending)
        writer->pending = (struct append *)queue_take(&writer->intake);
    bool retry;
    int64_t segment = atomic_load(&writer->active_segment);
    bool more = journal_tend(journal, writer->pending == NULL, &retry);
    publish(writer);
    if (segment != atomic_load(&writer->active_segment)) /* readers must let go of the old one */
        writer->options.deliver(NULL, writer->options.context);
    return more || writer->pending ? WORKER_AGAIN : retry ? WORKER_LATER : WORKER_SLEEP;
}

void writer_figures(const struct writer *writer, struct writer_figures *figures)
{
    figures->commits = atomic_load(&writer->commits);
    figures->records = atomic_load(&writer->records);
    figures->health = (enum journal_health)atomic_load(&writer->health);
    figures->message = atomic_load(&writer->message);
    figures->reserve_bytes = atomic_load(&writer->reserve_bytes);
    figures->active_segment = atomic_load(&writer->active_segment);
}

int64_t writer_busy_us(const struct writer *writer)
{
    return worker_busy_us(writer->worker);
}
