#include "cli/documents.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define READ_BYTES 65536u

int documents_open(struct documents *documents, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    *documents = (struct documents){.name = standard ? "standard input" : path};
    documents->file = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    return documents->file < 0 ? -1 : 0;
}

void documents_close(struct documents *documents)
{
    close(documents->file);
    buffer_free(&documents->held);
    json_free(&documents->json);
}

/* Reads once. 0, or -1. */
static int read_more(struct documents *documents, struct failure *failure)
{
    buffer_consume(&documents->held, documents->start);
    documents->start = 0;
    char *room = buffer_reserve(&documents->held, READ_BYTES);
    if (!room || documents->held.length > JSON_TEXT_LIMIT_BYTES)
        return failure_set(failure, "FAILED", "is too large for one document");
    ssize_t got;
    do
        got = read(documents->file, room, READ_BYTES);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return failure_set(failure, "FAILED", "%s", strerror(errno));
    documents->held.length += (size_t)got;
    documents->ended = got == 0;
    return 0;
}

static bool is_blank(struct text line)
{
    for (size_t i = 0; i < line.length; i++)
        if (line.bytes[i] != ' ' && line.bytes[i] != '\t' && line.bytes[i] != '\r')
            return false;
    return true;
}

/* 1 with a line (without LF) that is not blank; 0 at the end; -1. */
static int next_line(struct documents *documents, struct text *line, struct failure *failure)
{
    size_t looked = 0; /* bytes from start on known to have no LF */
    for (;;) {
        struct buffer *held = &documents->held;
        size_t left = held->length - documents->start;
        char *begin = left > 0 ? held->bytes + documents->start : NULL;
        char *feed = left > looked ? memchr(begin + looked, '\n', left - looked) : NULL;
        if (!feed && !documents->ended) {
            looked = left;
            if (read_more(documents, failure) < 0)
                return -1;
            continue;
        }
        if (!feed && left == 0)
            return 0;
        *line = (struct text){begin, feed ? (size_t)(feed - begin) : left};
        documents->start += line->length + (feed ? 1 : 0);
        documents->line++;
        looked = 0;
        if (!is_blank(*line))
            return 1;
    }
}

static int check(struct documents *documents, struct text text, struct failure *failure)
{
    if (json_parse(&documents->json, text, failure) < 0)
        return -1;
    if (json_type(&documents->json, 0) != JSON_OBJECT)
        return failure_set(failure, "BAD_JSON", "is not a JSON object");
    return 0;
}

/* The first line is no document: is it the beginning of one that takes the whole file? Then 1;
 * else 0, and lines go on after the first. */
static int take_whole(struct documents *documents, struct text first, struct text *document,
                      struct failure *failure)
{
    size_t after = documents->start;
    documents->start -= (size_t)(documents->held.bytes + after - first.bytes);
    size_t first_length = after - documents->start;
    while (!documents->ended && read_more(documents, failure) == 0)
        ;
    char *bytes = documents->held.bytes + documents->start;
    size_t length = documents->held.length - documents->start;
    struct failure not_whole;
    if (documents->ended && check(documents, (struct text){bytes, length}, &not_whole) == 0) {
        for (size_t i = 0; i < length; i++)
            if (bytes[i] == '\n' || bytes[i] == '\r')
                bytes[i] = ' ';
        *document = (struct text){bytes, length};
        documents->start = documents->held.length;
        return 1;
    }
    documents->start += first_length;
    return 0;
}

int documents_next(struct documents *documents, struct text *document, struct failure *failure)
{
    struct text line;
    int result = next_line(documents, &line, failure);
    if (result <= 0)
        return result;
    bool first = !documents->decided;
    documents->decided = true;
    if (check(documents, line, failure) == 0) {
        *document = line;
        return 1;
    }
    struct failure ignored;
    return first && take_whole(documents, line, document, &ignored) ? 1 : -1;
}

bool documents_would_wait(const struct documents *documents)
{
    size_t left = documents->held.length - documents->start;
    if (documents->ended ||
        (left > 0 && memchr(documents->held.bytes + documents->start, '\n', left)))
        return false;
    struct pollfd file = {.fd = documents->file, .events = POLLIN};
    return poll(&file, 1, 0) == 0;
}
