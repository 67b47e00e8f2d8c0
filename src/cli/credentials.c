#include "cli/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"

#define FILE_BYTES_MAX (8 << 20)
#define READ_BYTES 4096

static int read_descriptor(int descriptor, struct buffer *out, const char *path,
                           struct failure *failure)
{
    struct stat status;
    ssize_t got = 1;
    if (fstat(descriptor, &status) != 0)
        return failure_set(failure, "FAILED", "%s: %s", path, strerror(errno));
    if (S_ISREG(status.st_mode) && (status.st_mode & 0007))
        return failure_set(failure, "FAILED",
                           "%s: mode %03o lets everybody on this machine read the tokens (chmod "
                           "600)",
                           path, (unsigned)status.st_mode & 07777);
    while (got > 0 && out->length < FILE_BYTES_MAX) {
        char *room = buffer_reserve(out, READ_BYTES);
        if (!room)
            return failure_set(failure, "NO_MEMORY", "%s: no memory", path);
        got = read(descriptor, room, READ_BYTES);
        out->length += got > 0 ? (size_t)got : 0;
    }
    return got < 0 ? failure_set(failure, "FAILED", "%s: %s", path, strerror(errno)) : 0;
}

static int read_file(const char *path, struct buffer *out, struct failure *failure)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return failure_set(failure, "FAILED", "%s: %s", path, strerror(errno));
    int result = read_descriptor(descriptor, out, path, failure);
    close(descriptor);
    return result;
}

/* Splits at the last blank. 0, or -1 where there are not two words. */
static int read_line(char *line, struct credential *credential)
{
    size_t length = strlen(line);
    while (length > 0 && strchr(" \t\r", line[length - 1]))
        line[--length] = '\0';
    char *token = line + length;
    while (token > line && !strchr(" \t", token[-1]))
        token--;
    char *end = token;
    while (end > line && strchr(" \t", end[-1]))
        end--;
    if (end == line || *token == '\0')
        return -1;
    *end = '\0';
    *credential = (struct credential){line, token};
    return 0;
}

static int split(struct credentials *credentials, const char *from, struct failure *failure)
{
    size_t number = 0, capacity = 1;
    for (const char *at = credentials->text; *at; at++)
        capacity += *at == '\n';
    credentials->lines = calloc(capacity, sizeof *credentials->lines);
    if (!credentials->lines)
        return failure_set(failure, "NO_MEMORY", "%s: no memory", from);
    char *next = credentials->text;
    while (next && *next) {
        char *line = next;
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        number++;
        line += strspn(line, " \t\r");
        if (*line == '\0' || *line == '#')
            continue;
        if (read_line(line, &credentials->lines[credentials->count]) != 0)
            return failure_set(failure, "FAILED", "%s:%zu: is not \"TERMINAL TOKEN\"", from,
                               number);
        credentials->count++;
    }
    return 0;
}

int credentials_read(struct credentials *credentials, const char *path, struct failure *failure)
{
    const char *from = path ? path : "TILLQ_TOKEN";
    const char *value = path ? NULL : getenv("TILLQ_TOKEN");
    struct buffer content = {.secret = true};
    *credentials = (struct credentials){0};
    if (!path && !value)
        return 0;
    int result = 0;
    if (path)
        result = read_file(path, &content, failure);
    else
        buffer_add_string(&content, value);
    buffer_add_byte(&content, '\0');
    if (result == 0 && content.failed)
        result = failure_set(failure, "NO_MEMORY", "%s: no memory", from);
    credentials->text = content.failed ? NULL : strdup(content.bytes);
    buffer_free(&content);
    if (result == 0 && !credentials->text)
        result = failure_set(failure, "NO_MEMORY", "%s: no memory", from);
    if (result == 0)
        result = split(credentials, from, failure);
    if (result == 0 && credentials->count == 0)
        result = failure_set(failure, "FAILED", "%s: has no line \"TERMINAL TOKEN\"", from);
    if (result != 0)
        credentials_free(credentials);
    return result;
}

void credentials_free(struct credentials *credentials)
{
    for (size_t i = 0; i < credentials->count; i++) {
        char *token = credentials->text + (credentials->lines[i].token - credentials->text);
        explicit_bzero(token, strlen(token));
    }
    free(credentials->lines);
    free(credentials->text);
    *credentials = (struct credentials){0};
}

const struct credential *credentials_first(const struct credentials *credentials)
{
    return credentials->count > 0 ? &credentials->lines[0] : NULL;
}

const char *credentials_find(const struct credentials *credentials, const char *terminal)
{
    for (size_t i = 0; i < credentials->count; i++)
        if (strcmp(credentials->lines[i].terminal, terminal) == 0)
            return credentials->lines[i].token;
    return NULL;
}
