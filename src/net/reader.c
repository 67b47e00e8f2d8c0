#include "net/reader.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "net/reply.h"
#include "stock/audit.h"

/* A crowd's reads take no processor from those who sell; a third of a share is left them. */
#define NICENESS 5

struct reader {
    struct reader_options options;
    struct worker *worker;
    struct queue asked;
    struct query *query;
    struct request request;
    int64_t segment; /* active when it last looked */
    atomic_bool giving_up;
    char directory[];
};

int reader_new(struct reader **out, const struct reader_options *options, struct failure *failure)
{
    size_t length = strlen(options->directory) + 1;
    struct reader *reader = calloc(1, sizeof *reader + length);
    if (!reader)
        return failure_set(failure, "NO_MEMORY", "no memory for a reader");
    memcpy(reader->directory, options->directory, length);
    reader->options = *options;
    queue_init(&reader->asked);
    if (query_open(&reader->query, reader->directory, failure) != 0) {
        reader_stop(reader);
        return -1;
    }
    *out = reader;
    return 0;
}

int reader_start(struct reader *reader, struct failure *failure)
{
    struct worker_duty duty = {"tillq-reader", reader_step, reader, 1000};
    return worker_start_nice(&reader->worker, &duty, reader->options.clock, NICENESS, failure);
}

void reader_stop(struct reader *reader)
{
    if (!reader)
        return;
    worker_stop(reader->worker);
    query_close(reader->query);
    request_free(&reader->request);
    queue_destroy(&reader->asked);
    free(reader);
}

void reader_ring(struct reader *reader)
{
    if (reader->worker)
        worker_ring(reader->worker);
}

void reader_submit(struct reader *reader, struct exchange *exchange)
{
    queue_push(&reader->asked, &exchange->append.item);
    reader_ring(reader);
}

static bool may_go_on(const char *stage, int64_t done, int64_t total, void *context)
{
    (void)stage;
    (void)done;
    (void)total;
    return !atomic_load(&((struct reader *)context)->giving_up);
}

void reader_give_up(struct reader *reader)
{
    atomic_store(&reader->giving_up, true);
}

static void verify(struct reader *reader, const struct request *request, struct buffer *reply)
{
    struct audit audit;
    struct failure failure;
    if (audit_directory(reader->directory, may_go_on, reader, &audit, &failure) != 0) {
        reply_error(reply, request->tag, request->seq, &failure);
        return;
    }
    reply_begin(reply, request->tag, request->seq);
    buffer_add_byte(reply, ',');
    audit_add_json(&audit, reply);
    buffer_add_byte(reply, '}');
}

static void answer(struct reader *reader, struct exchange *exchange, const struct query_live *live)
{
    struct request *request = &reader->request;
    struct failure failure;
    exchange->empty = false;
    if (request_read(request, exchange->line, &failure) != 0) {
        reply_error(&exchange->reply, request->tag, request->seq, &failure);
    } else if (request->operation == OPERATION_VERIFY) {
        verify(reader, request, &exchange->reply);
    } else {
        if (exchange->last_look)
            request->wait_ms = 0;
        exchange->empty =
            query_answer(reader->query, request, live, reader->options.clock, &exchange->reply);
    }
    request_shrink(request);
    reader->options.deliver(exchange, reader->options.context);
}

enum worker_next reader_step(void *context)
{
    struct reader *reader = context;
    struct query_live live;
    int64_t segment = reader->options.look(&live, reader->options.context);
    if (segment != reader->segment)
        query_release(reader->query);
    reader->segment = segment;
    struct queue_item *next;
    for (struct queue_item *item = queue_take(&reader->asked); item; item = next) {
        next = item->next;
        answer(reader, (struct exchange *)item, &live);
    }
    return WORKER_SLEEP;
}
