#include "net/exchange.h"

#include <stdlib.h>

#include "net/reply.h"

struct exchange *exchange_new(const struct request *request, size_t memory_bytes)
{
    struct exchange *exchange = calloc(1, sizeof *exchange + memory_bytes + request->tag.length);
    if (!exchange)
        return NULL;
    exchange->operation = request->operation;
    exchange->ack = request->ack;
    exchange->seq = request->seq;
    exchange->bytes = sizeof *exchange + memory_bytes + request->tag.length;
    exchange->append.record.seq = -1;
    if (request->tag.bytes) {
        char *tag = exchange->memory + memory_bytes;
        memcpy(tag, request->tag.bytes, request->tag.length);
        exchange->tag = (struct text){tag, request->tag.length};
    }
    return exchange;
}

struct text exchange_keep(struct text text, char **at)
{
    if (!text.bytes)
        return text;
    char *copy = *at;
    memcpy(copy, text.bytes, text.length);
    *at += text.length;
    return (struct text){copy, text.length};
}

void exchange_free(struct exchange *exchange)
{
    if (!exchange)
        return;
    buffer_free(&exchange->reply);
    buffer_free(&exchange->append.outcome);
    free(exchange);
}

static void add_answer_to_append(const struct exchange *exchange, struct buffer *output)
{
    const struct append *append = &exchange->append;
    if (append->error) {
        struct failure failure;
        failure_set(&failure, append->error, "%s", append->message);
        reply_error(output, exchange->tag, exchange->seq, &failure);
        if (strncmp(append->error, "APPLIER_", 8) == 0 && !append->duplicate) {
            output->length--; /* its closing brace comes after this */
            reply_add_int(output, "offset", append->offset);
            buffer_add_byte(output, '}');
        }
        return;
    }
    reply_begin(output, exchange->tag, exchange->seq);
    if (exchange->operation == OPERATION_COMMIT) {
        reply_add_int(output, "offset", append->offset);
    } else if (exchange->operation == OPERATION_ROLL) {
        reply_add_int(output, "segment", append->offset);
    } else {
        reply_add_text(output, "topic", append->topic);
        reply_add_int(output, "partition", append->partition);
        if (append->offset >= 0)
            reply_add_int(output, "offset", append->offset);
        if (append->duplicate)
            buffer_add_string(output, ",\"duplicate\":true");
        if (append->reused)
            buffer_add_string(output, ",\"warning\":\"SEQ_REUSED\"");
        if (append->outcome.length > 0) {
            buffer_add_byte(output, ',');
            buffer_add_text(output, buffer_text(&append->outcome));
        }
    }
    buffer_add_byte(output, '}');
}

void exchange_add_reply(struct exchange *exchange, struct buffer *output)
{
    const struct append *append = &exchange->append;
    struct failure failure;
    if (exchange->ack == ACK_NONE && exchange->operation == OPERATION_PUT &&
        exchange->reply.length == 0 && !append->error)
        return;
    if (exchange->reply.failed || append->outcome.failed) {
        failure_set(&failure, "NO_MEMORY", "no memory for the reply");
        reply_error(output, exchange->tag, exchange->seq, &failure);
    } else if (exchange->reply.length > 0) {
        buffer_add_buffer(output, &exchange->reply);
    } else if (operation_only_reads(exchange->operation)) {
        failure_set(&failure, "FAILED", "nobody could be found to answer this");
        reply_error(output, exchange->tag, exchange->seq, &failure);
    } else {
        add_answer_to_append(exchange, output);
    }
    buffer_add_byte(output, '\n');
}
