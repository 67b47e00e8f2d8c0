/* tillq put: sends documents to the journal. */
#include <errno.h>
#include <string.h>

#include "cli/connect.h"
#include "cli/credentials.h"
#include "cli/documents.h"
#include "cli/options.h"
#include "cli/request.h"
#include "cli/slice.h"
#include "cli/source.h"
#include "cli/visible.h"
#include "tillq/client.h"

/* Documents in flight at most, so that memory stays small and an error is told near its cause. */
#define WINDOW 64
#define CONNECT_PATIENCE_MS 5000

enum acknowledgement { ACK_JOURNAL, ACK_APPLIED, ACK_NONE };
static const char ack_words[] = "journal|applied|none";
static const char *const ack_names[] = {"journal", "applied", "none"};

/* Where a document in flight came from; its number is the request's tag. */
struct origin {
    const char *name;
    int64_t line;
};

struct put {
    const struct invocation *invocation;
    struct tillq_client *client;
    int ack;
    const char *terminal;
    const char *shop;
    struct buffer request;
    struct origin origins[WINDOW]; /* document n at n % WINDOW */
    int64_t sent;
    int64_t settled; /* all below are answered (or taken, with ack none) */
    int64_t refused;
};

static int lost(const struct put *put)
{
    const struct origin *origin = &put->origins[put->settled % WINDOW];
    if (put->settled < put->sent)
        return complain("%s:%lld: not acknowledged: %s", origin->name, (long long)origin->line,
                        tillq_client_message(put->client));
    return complain("%s", tillq_client_message(put->client));
}

static int send_request(struct put *put)
{
    if (put->request.failed)
        return complain("no memory for a request");
    if (tillq_client_send(put->client, put->request.bytes, put->request.length,
                          SOURCE_PATIENCE_MS) != TILLQ_CLIENT_OK)
        return lost(put);
    return 0;
}

static void tell_error(struct put *put, const struct origin *origin, struct text reply)
{
    struct buffer scratch = {0};
    struct text code = slice_string(slice_member(reply, "error"), &scratch);
    struct buffer message_scratch = {0};
    struct text message = slice_string(slice_member(reply, "message"), &message_scratch);
    put->refused++;
    complain("%s:%lld: %.*s: %.*s", origin->name, (long long)origin->line, (int)code.length,
             code.bytes ? code.bytes : "", (int)message.length, message.bytes ? message.bytes : "");
    buffer_free(&scratch);
    buffer_free(&message_scratch);
}

static void tell_taken(struct put *put, const struct origin *origin, struct text reply)
{
    struct text outcome = slice_member(reply, "outcome");
    struct text reason = slice_member(reply, "reason");
    bool refused = text_is(outcome, "\"rejected\"") || text_is(outcome, "\"conflict\"");
    if (refused)
        put->refused++;
    if (put->invocation->json)
        return;
    struct buffer line = {0};
    struct buffer scratch = {0};
    buffer_add_format(&line, "%s:%lld: offset ", origin->name, (long long)origin->line);
    struct text offset = slice_member(reply, "offset");
    buffer_add_text(&line, offset.length > 0 ? offset : text_of("unknown"));
    if (slice_is_true(slice_member(reply, "duplicate")))
        buffer_add_string(&line, " journaled before");
    if (outcome.length > 0) {
        buffer_add_byte(&line, ' ');
        visible_add(&line, slice_string(outcome, &scratch));
    }
    if (reason.length > 0) {
        buffer_clear(&scratch);
        buffer_add_byte(&line, ' ');
        visible_add(&line, slice_string(reason, &scratch));
    }
    print_line(buffer_text(&line));
    buffer_free(&line);
    buffer_free(&scratch);
}

/* Takes one reply in. With ack none a reply is an error, or the barrier's (1). */
static int take_reply(struct put *put)
{
    struct text reply;
    if (tillq_client_receive(put->client, &reply.bytes, &reply.length, SOURCE_PATIENCE_MS) !=
        TILLQ_CLIENT_OK)
        return -lost(put);
    struct text tag = slice_member(reply, "tag");
    if (text_is(tag, "\"barrier\"")) {
        put->settled = put->sent;
        return 1;
    }
    bool good = slice_is_true(slice_member(reply, "ok"));
    /* A line too long or too deep to be read is answered without its tag. */
    bool untagged = tag.length == 0 && !good && put->ack != ACK_NONE && put->settled < put->sent;
    int64_t number = untagged ? put->settled : slice_int_or(tag, -1);
    if (number < put->settled || number >= put->sent) {
        complain("an answer to no document: %.*s", (int)(reply.length < 200 ? reply.length : 200),
                 reply.bytes);
        return -STATUS_FAILED;
    }
    if (put->invocation->json)
        print_line(reply);
    const struct origin *origin = &put->origins[number % WINDOW];
    if (good)
        tell_taken(put, origin, reply);
    else
        tell_error(put, origin, reply);
    if (put->ack != ACK_NONE)
        put->settled = number + 1;
    return 0;
}

/* Nothing is told of a document taken with ack none; but a question after it is answered after it.
 */
static int ask_barrier(struct put *put)
{
    buffer_clear(&put->request);
    buffer_add_string(&put->request, "{\"op\":\"status\",\"tag\":\"barrier\"}");
    return send_request(put);
}

/* Until at most `most` documents are in flight. */
static int settle(struct put *put, int64_t most)
{
    if (put->sent - put->settled <= most)
        return 0;
    if (put->ack == ACK_NONE && ask_barrier(put) != 0)
        return -1;
    while (put->sent - put->settled > most)
        if (take_reply(put) < 0)
            return -1;
    return 0;
}

static int send_document(struct put *put, const struct documents *documents, struct text document)
{
    put->origins[put->sent % WINDOW] = (struct origin){documents->name, documents->line};
    buffer_clear(&put->request);
    buffer_add_format(&put->request, "{\"op\":\"put\",\"ack\":\"%s\"", ack_names[put->ack]);
    request_add_integer(&put->request, "tag", put->sent);
    buffer_add_string(&put->request, ",\"doc\":");
    buffer_add_text(&put->request, document);
    buffer_add_byte(&put->request, '}');
    put->sent++;
    return send_request(put) == 0 ? settle(put, WINDOW - 1) : -1;
}

/* Sends all of one file. 0, or -1 where the connection is of no more use. */
static int put_file(struct put *put, const char *path)
{
    struct documents documents;
    if (documents_open(&documents, path) < 0) {
        complain("%s: %s", path, strerror(errno));
        put->refused++;
        return 0;
    }
    struct text document;
    struct failure failure = {0};
    int result = 0;
    while (result == 0) {
        if (documents_would_wait(&documents)) {
            result = settle(put, 0);
            fflush(stdout);
            if (result < 0)
                break;
        }
        int got = documents_next(&documents, &document, &failure);
        if (got == 0)
            break;
        if (got > 0) {
            result = send_document(put, &documents, document);
            continue;
        }
        complain("%s:%lld: %s", documents.name, (long long)documents.line, failure.message);
        put->refused++;
        if (failure.code && strcmp(failure.code, "FAILED") == 0)
            break;
    }
    if (result == 0)
        result = settle(put, 0); /* the origins point to this file's name */
    documents_close(&documents);
    return result;
}

/* As the terminal that was named, else as the one whose token there is, else as nobody. */
static int say_hello(struct put *put)
{
    const struct credentials *credentials = put->invocation->credentials;
    const struct credential *first = credentials_first(credentials);
    const char *terminal = put->terminal ? put->terminal : first ? first->terminal : NULL;
    const char *line;
    if (!terminal)
        return 0;
    if (tillq_client_hello(put->client, terminal, put->shop,
                           credentials_find(credentials, terminal), &line,
                           SOURCE_PATIENCE_MS) != TILLQ_CLIENT_OK)
        return -lost(put);
    if (slice_is_true(slice_member(text_of(line), "ok")))
        return 0;
    complain("hello: %s", line);
    return -1;
}

static int put_files(struct put *put, int file_count, char **files)
{
    int result = 0;
    if (connect_server(&put->client, put->invocation, CONNECT_PATIENCE_MS) != TILLQ_CLIENT_OK)
        result = -lost(put);
    if (result == 0)
        result = say_hello(put);
    for (int i = 0; i < file_count && result == 0; i++)
        result = put_file(put, files[i]);
    if (result == 0 && !put->invocation->json)
        printf("%lld sent, %lld refused\n", (long long)put->sent, (long long)put->refused);
    tillq_client_close(put->client);
    buffer_free(&put->request);
    return result < 0 || put->refused > 0 ? STATUS_FAILED : 0;
}

int put_command(struct invocation *invocation, int argc, char **argv)
{
    struct put put = {.invocation = invocation};
    const struct option_spec specs[] = {
        {'a', "ack", OPTION_CHOICE, &put.ack, ack_words, "when a document is answered", 0, 0},
        {'t', "terminal", OPTION_TEXT, &put.terminal, "T", "say hello as T first", 0, 0},
        {0, "shop", OPTION_TEXT, &put.shop, "SHOP", "the shop of that terminal", 0, 0},
    };
    const struct usage usage = {
        "put FILE...",
        "Sends the documents of each file (- is standard input): one a line, or the file as one\n"
        "document. Fails where one was refused or rejected; the others are sent all the same.",
        specs, OPTION_COUNT(specs)};
    int first;
    int status = options_read(invocation, &usage, argc, argv, &first);
    if (status >= 0)
        return status;
    if (first == argc)
        return misuse("put: needs a FILE (- is standard input)");
    if (put.shop && !put.terminal)
        return misuse("put: --shop goes with --terminal");
    if (lacks_server(invocation))
        return STATUS_USAGE;
    return put_files(&put, argc - first, argv + first);
}
