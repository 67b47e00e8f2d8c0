#include "net/tokens_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/disk.h"

static int failed(struct failure *failure, const char *path, const char *what)
{
    bool absent = errno == ENOENT || errno == ENOTDIR;
    return failure_set(failure, absent ? TOKENS_FILE_ABSENT : "FAILED", "%s: %s", path, what);
}

/* --- reading --- */

static int check_file(int descriptor, const char *path, struct failure *failure)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return failed(failure, path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return failure_set(failure, "FAILED", "%s: is not a file", path);
    if (status.st_mode & 0007)
        return failure_set(failure, "FAILED",
                           "%s: mode %03o lets everybody on this machine at it; make it 0640 "
                           "(chmod 640)",
                           path, (unsigned)status.st_mode & 07777);
    if (status.st_size > TOKENS_FILE_BYTES_MAX)
        return failure_set(failure, "FAILED", "%s: is longer than %d bytes", path,
                           TOKENS_FILE_BYTES_MAX);
    return 0;
}

static int read_all(int descriptor, const char *path, struct buffer *out, struct failure *failure)
{
    ssize_t got = 1;
    while (got > 0 && out->length <= TOKENS_FILE_BYTES_MAX) {
        char *room = buffer_reserve(out, 64 << 10);
        if (!room)
            return failure_set(failure, "NO_MEMORY", "%s: no memory to read it", path);
        got = read(descriptor, room, 64 << 10);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            out->length += (size_t)got;
    }
    return got < 0 ? failed(failure, path, strerror(errno)) : 0;
}

static int parse(struct tokens **out, const char *path, struct text lines, struct failure *failure)
{
    struct failure why;
    struct tokens *tokens = tokens_new();
    if (!tokens)
        return failure_set(failure, "NO_MEMORY", "%s: no memory to read it", path);
    if (tokens_parse(tokens, lines, &why) != 0) {
        tokens_free(tokens);
        return failure_set(failure, "FAILED", "%s:%s", path, why.message);
    }
    *out = tokens;
    return 0;
}

int tokens_file_read(struct tokens **out, const char *path, struct failure *failure)
{
    struct buffer content = {0};
    *out = NULL;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return failed(failure, path, strerror(errno));
    int result = check_file(descriptor, path, failure);
    if (result == 0)
        result = read_all(descriptor, path, &content, failure);
    if (result == 0)
        result = parse(out, path, buffer_text(&content), failure);
    close(descriptor);
    buffer_free(&content);
    return result;
}

int tokens_file_read_configured(struct tokens **out, const struct config *config,
                                struct failure *failure)
{
    char path[2 * CONFIG_VALUE_BYTES];
    bool named = config->tokens[0] != '\0';
    struct failure why;
    *out = NULL;
    if (config->auth_none)
        return 0;
    if (named)
        snprintf(path, sizeof path, "%s", config->tokens);
    else
        snprintf(path, sizeof path, "%s/tokens", config->directory);
    if (tokens_file_read(out, path, &why) == 0)
        return 0;
    if (!named && strcmp(why.code, TOKENS_FILE_ABSENT) == 0)
        return 0;
    return failure_set(failure, "FAILED", "tokens: %s", why.message);
}

/* --- changing --- */

/* Opens and locks the file beside it. What was opened may have become the file itself, or gone,
 * while we waited for the lock: then it is tried again. 1 = again. */
static int lock_fresh(struct tokens_change *change, struct failure *failure)
{
    struct stat opened, named;
    change->descriptor = open(change->fresh, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (change->descriptor < 0 || flock(change->descriptor, LOCK_EX) != 0 ||
        fstat(change->descriptor, &opened) != 0)
        return failure_set(failure, "FAILED", "%s: %s", change->fresh, strerror(errno));
    if (!S_ISREG(opened.st_mode) || opened.st_nlink > 1) /* would be written under another name */
        return failure_set(failure, "FAILED", "%s: is in the way", change->fresh);
    if (stat(change->fresh, &named) == 0 && named.st_ino == opened.st_ino &&
        named.st_dev == opened.st_dev)
        return 0;
    close(change->descriptor);
    change->descriptor = -1;
    return 1;
}

int tokens_change_begin(struct tokens_change *change, const char *path, struct failure *failure)
{
    *change = (struct tokens_change){.descriptor = -1};
    if (strlen(path) >= sizeof change->path)
        return failure_set(failure, "FAILED", "%.100s…: the path is too long", path);
    snprintf(change->path, sizeof change->path, "%s", path);
    snprintf(change->fresh, sizeof change->fresh, "%s.new", path);
    int result;
    do {
        result = lock_fresh(change, failure);
    } while (result == 1);
    struct failure why;
    if (result == 0 && tokens_file_read(&change->tokens, path, &why) != 0) {
        bool absent = strcmp(why.code, TOKENS_FILE_ABSENT) == 0;
        change->tokens = absent ? tokens_new() : NULL;
        if (!change->tokens)
            result = failure_set(failure, "FAILED", "%s",
                                 absent ? "no memory for the tokens" : why.message);
    }
    if (result != 0)
        tokens_change_end(change);
    return result;
}

static void folder_of(const char *path, char folder[CONFIG_VALUE_BYTES])
{
    char copy[CONFIG_VALUE_BYTES];
    snprintf(copy, sizeof copy, "%s", path);
    snprintf(folder, CONFIG_VALUE_BYTES, "%s", dirname(copy));
}

/* The daemon must be able to read what root writes. Who is not root can set nobody else's name on a
 * file, and need not. */
static int set_owner_and_mode(const struct tokens_change *change, const char *folder)
{
    struct stat like;
    if (stat(change->path, &like) != 0 && stat(folder, &like) != 0)
        return -1;
    if (geteuid() == 0 && fchown(change->descriptor, like.st_uid, like.st_gid) != 0)
        return -1;
    return fchmod(change->descriptor, 0640);
}

static int write_all(int descriptor, struct text content)
{
    size_t written = 0;
    if (ftruncate(descriptor, 0) != 0)
        return -1;
    while (written < content.length) {
        ssize_t wrote =
            pwrite(descriptor, content.bytes + written, content.length - written, (off_t)written);
        if (wrote < 0 && errno != EINTR)
            return -1;
        written += wrote > 0 ? (size_t)wrote : 0;
    }
    return fsync(descriptor);
}

int tokens_change_commit(struct tokens_change *change, struct failure *failure)
{
    char folder[CONFIG_VALUE_BYTES];
    struct buffer content = {0};
    folder_of(change->path, folder);
    tokens_print(change->tokens, &content);
    int result = 0;
    errno = ENOMEM;
    if (content.failed || set_owner_and_mode(change, folder) != 0 ||
        write_all(change->descriptor, buffer_text(&content)) != 0 ||
        disk_rename(change->fresh, change->path) != 0)
        result = failure_set(failure, "FAILED", "%s: cannot be written: %s", change->path,
                             strerror(errno));
    else if (disk_sync_folder(folder) != 0)
        result =
            failure_set(failure, "FAILED", "%s: cannot be synced: %s", folder, strerror(errno));
    buffer_free(&content);
    return result;
}

void tokens_change_end(struct tokens_change *change)
{
    struct stat opened, named;
    if (change->descriptor >= 0) {
        /* Still beside the file: nothing came of it. */
        if (fstat(change->descriptor, &opened) == 0 && lstat(change->fresh, &named) == 0 &&
            named.st_ino == opened.st_ino && named.st_dev == opened.st_dev && opened.st_nlink == 1)
            disk_remove(change->fresh);
        close(change->descriptor);
    }
    tokens_free(change->tokens);
    *change = (struct tokens_change){.descriptor = -1};
}
