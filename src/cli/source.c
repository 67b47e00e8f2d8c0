#include "cli/source.h"

#include <stdlib.h>

#include "cli/connect.h"
#include "cli/credentials.h"
#include "cli/slice.h"
#include "net/query.h"
#include "tillq/client.h"

#define CONNECT_PATIENCE_MS 5000

/* Either `client` or `query` is set. */
struct source {
    struct tillq_client *client;
    struct query *query;
    struct buffer line; /* the request as a C string, or the query's reply */
    int patience_ms;
};

/* "CODE: message", as the reply gives them. */
static int refused(struct text reply, struct failure *failure)
{
    struct buffer code_scratch = {0};
    struct buffer message_scratch = {0};
    struct text code = slice_string(slice_member(reply, "error"), &code_scratch);
    struct text message = slice_string(slice_member(reply, "message"), &message_scratch);
    if (code.length == 0)
        failure_set(failure, "FAILED", "the reply is not one: %.*s",
                    (int)(reply.length < 80 ? reply.length : 80), reply.bytes);
    else if (text_is(code, "FAILED")) /* the message says it all */
        failure_set(failure, "FAILED", "%.*s", (int)message.length,
                    message.bytes ? message.bytes : "");
    else
        failure_set(failure, "FAILED", "%.*s: %.*s", (int)code.length, code.bytes,
                    (int)message.length, message.bytes ? message.bytes : "");
    buffer_free(&code_scratch);
    buffer_free(&message_scratch);
    return -1;
}

static int say_hello(struct source *source, const struct credential *credential,
                     struct failure *failure)
{
    struct failure why;
    struct text reply;
    const char *line;
    if (tillq_client_hello(source->client, credential->terminal, NULL, credential->token, &line,
                           source->patience_ms) != TILLQ_CLIENT_OK)
        return failure_set(failure, SOURCE_GONE, "%s", tillq_client_message(source->client));
    reply = text_of(line);
    if (slice_is_true(slice_member(reply, "ok")))
        return 0;
    refused(reply, &why);
    return failure_set(failure, "FAILED", "hello as %s: %s", credential->terminal, why.message);
}

static int open_daemon(struct source *source, const struct invocation *invocation,
                       struct failure *failure)
{
    const struct credential *credential = credentials_first(invocation->credentials);
    if (connect_server(&source->client, invocation, CONNECT_PATIENCE_MS) != TILLQ_CLIENT_OK)
        return failure_set(failure, SOURCE_GONE,
                           "%s (start tillqd, name its address with -s, or read a "
                           "data directory with -d)",
                           tillq_client_message(source->client));
    return credential ? say_hello(source, credential, failure) : 0;
}

int source_open(struct source **out, const struct invocation *invocation, struct failure *failure)
{
    struct source *source = calloc(1, sizeof *source);
    if (!source)
        return failure_set(failure, "NO_MEMORY", "no memory");
    source->patience_ms = SOURCE_PATIENCE_MS;
    *out = source;
    int result = invocation->directory ? query_open(&source->query, invocation->directory, failure)
                                       : open_daemon(source, invocation, failure);
    if (result == 0)
        return 0;
    source_close(source);
    *out = NULL;
    return -1;
}

void source_close(struct source *source)
{
    if (!source)
        return;
    query_close(source->query);
    tillq_client_close(source->client);
    buffer_free(&source->line);
    free(source);
}

void source_set_patience(struct source *source, int patience_ms)
{
    source->patience_ms = patience_ms;
}

static int ask_daemon(struct source *source, struct text request, struct text *reply,
                      struct failure *failure)
{
    const char *line;
    if (tillq_client_send(source->client, request.bytes, request.length, source->patience_ms) !=
            TILLQ_CLIENT_OK ||
        tillq_client_receive(source->client, &line, &reply->length, source->patience_ms) !=
            TILLQ_CLIENT_OK) {
        *reply = (struct text){NULL, 0};
        return failure_set(failure, SOURCE_GONE, "%s", tillq_client_message(source->client));
    }
    reply->bytes = line;
    return 0;
}

static int ask_directory(struct source *source, struct text request, struct text *reply,
                         struct failure *failure)
{
    *reply = (struct text){NULL, 0};
    buffer_clear(&source->line);
    query_answer_line(source->query, request, &source->line);
    if (source->line.failed)
        return failure_set(failure, "NO_MEMORY", "no memory for a reply");
    *reply = buffer_text(&source->line);
    return 0;
}

int source_ask(struct source *source, struct text request, struct text *reply,
               struct failure *failure)
{
    int result = source->client ? ask_daemon(source, request, reply, failure)
                                : ask_directory(source, request, reply, failure);
    if (result == 0 && !slice_is_true(slice_member(*reply, "ok")))
        return refused(*reply, failure);
    return result;
}

int source_open_or_complain(struct source **out, const struct invocation *invocation)
{
    struct failure failure;
    if (source_open(out, invocation, &failure) == 0)
        return 0;
    complain("%s", failure.message);
    return -1;
}

int source_ask_or_complain(struct source *source, const struct buffer *request, struct text *reply)
{
    struct failure failure;
    if (request->failed)
        failure_set(&failure, "NO_MEMORY", "no memory for a request");
    else if (source_ask(source, buffer_text(request), reply, &failure) == 0)
        return 0;
    complain("%s", failure.message);
    return -1;
}
