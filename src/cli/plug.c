#include "cli/plug.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sha256.h"

#define FILLED_BYTES (PLUG_RECORD_BYTES - SHA256_BYTES)

static void fill(unsigned char record[PLUG_RECORD_BYTES], int64_t number, struct sha256 *hash)
{
    uint64_t state = (uint64_t)number;
    for (size_t i = 0; i < FILLED_BYTES; i++) {
        /* The number itself, big-endian, then bytes that no other record has in their place. */
        state = i < 8 ? state : state * UINT64_C(6364136223846793005) + 1442695040888963407U;
        uint64_t shown = i < 8 ? (uint64_t)number >> (56 - 8 * i) : state >> 56;
        record[i] = (unsigned char)(shown & 0xff);
    }
    sha256_start(hash);
    sha256_add(hash, record, FILLED_BYTES);
    sha256_finish(hash, record + FILLED_BYTES);
}

static int refuse(const char *path, const char *what, struct failure *failure)
{
    return failure_set(failure, "FAILED", "%s: %s: %s", path, what, strerror(errno));
}

/* Its name must survive too: the directory is synced. */
static int make_file(const char *path, struct failure *failure)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    int length = slash == path ? 1 : slash ? (int)(slash - path) : 0;
    snprintf(folder, sizeof folder, "%.*s", length ? length : 1, length ? path : ".");
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (file < 0)
        return refuse(path, "make", failure);
    int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = directory >= 0 && fsync(file) == 0 && fsync(directory) == 0;
    if (directory >= 0)
        close(directory);
    if (synced)
        return file;
    refuse(path, "sync", failure);
    close(file);
    return -1;
}

static int write_all(int file, const char *path, int64_t most,
                     bool (*tell)(int64_t number, void *context), void *context,
                     struct sha256 *hash, struct failure *failure)
{
    unsigned char record[PLUG_RECORD_BYTES];
    for (int64_t number = 0; number < most; number++) {
        fill(record, number, hash);
        errno = ENOSPC; /* of a write that puts down less */
        if (pwrite(file, record, sizeof record, number * PLUG_RECORD_BYTES) != sizeof record)
            return refuse(path, "write", failure);
        if (fdatasync(file) != 0)
            return refuse(path, "sync", failure);
        if (!tell(number, context))
            break;
    }
    return 0;
}

int plug_write(const char *path, int64_t most, bool (*tell)(int64_t number, void *context),
               void *context, struct failure *failure)
{
    struct sha256 *hash = sha256_new();
    if (!hash)
        return failure_set(failure, "NO_MEMORY", "no memory for a hash");
    int file = make_file(path, failure);
    int result = file < 0 ? -1 : write_all(file, path, most, tell, context, hash, failure);
    if (file >= 0)
        close(file);
    sha256_free(hash);
    return result;
}

int64_t plug_count(const char *path, struct failure *failure)
{
    unsigned char record[PLUG_RECORD_BYTES], wanted[PLUG_RECORD_BYTES];
    struct sha256 *hash = sha256_new();
    if (!hash)
        return failure_set(failure, "NO_MEMORY", "no memory for a hash");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        sha256_free(hash);
        return refuse(path, "open", failure);
    }
    int64_t count = 0;
    ssize_t got;
    while ((got = pread(file, record, sizeof record, count * PLUG_RECORD_BYTES)) == sizeof record) {
        fill(wanted, count, hash);
        if (memcmp(record, wanted, sizeof record) != 0)
            break;
        count++;
    }
    if (got < 0)
        count = refuse(path, "read", failure);
    close(file);
    sha256_free(hash);
    return count;
}
