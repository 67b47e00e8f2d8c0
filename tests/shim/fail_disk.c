/* fail_disk: a disk that is full or broken while a file exists.
 *
 * $TILLQ_FAIL_SYNC: while that file exists fsync and fdatasync fail with EIO. $TILLQ_FAIL_WRITE:
 * while that file exists writes fail with ENOSPC, or with EIO or EROFS where the file says so;
 * where it says "HALF" a write puts down its first half and says so, then fails with ENOSPC. Only
 * for files whose path contains $TILLQ_SHIM_PATH ("journal" where not set). Loaded with LD_PRELOAD.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/types.h>

#include "target.h"

/* What the order file says; "" where it says nothing. */
static void order_text(const char *order, char text[8])
{
    memset(text, 0, 8);
    int file = open(order, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    if (read(file, text, 7) < 0)
        text[0] = '\0';
    close(file);
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static int sync_or_fail(const char *name, int descriptor)
{
    if (target_order("TILLQ_FAIL_SYNC") && target_matches(descriptor)) {
        errno = EIO;
        return -1;
    }
    int (*call)(int) = NULL;
    *(void **)&call = next(name);
    return call(descriptor);
}

int fsync(int descriptor)
{
    return sync_or_fail("fsync", descriptor);
}

int fdatasync(int descriptor)
{
    return sync_or_fail("fdatasync", descriptor);
}

/* How many bytes a write may put down: all, the first half, or -1 with errno set. */
static ssize_t allowed(int descriptor, size_t length)
{
    static _Thread_local bool half_done;
    char text[8];
    const char *order = target_order("TILLQ_FAIL_WRITE");
    if (!order || !target_matches(descriptor)) {
        half_done = false;
        return (ssize_t)length;
    }
    order_text(order, text);
    if (strncmp(text, "HALF", 4) == 0 && !half_done && length > 1) {
        half_done = true;
        return (ssize_t)(length / 2);
    }
    errno = strncmp(text, "EIO", 3) == 0 ? EIO : strncmp(text, "EROFS", 5) == 0 ? EROFS : ENOSPC;
    return -1;
}

typedef ssize_t positioned_write(int, const void *, size_t, off_t);

static ssize_t write_at(const char *name, int descriptor, const void *bytes, size_t length,
                        off_t offset)
{
    ssize_t room = allowed(descriptor, length);
    if (room < 0)
        return -1;
    positioned_write *call = NULL;
    *(void **)&call = next(name);
    return call(descriptor, bytes, (size_t)room, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset)
{
    return write_at("pwrite", descriptor, bytes, length, offset);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off64_t offset)
{
    return write_at("pwrite64", descriptor, bytes, length, offset);
}

ssize_t write(int descriptor, const void *bytes, size_t length)
{
    ssize_t room = allowed(descriptor, length);
    if (room < 0)
        return -1;
    ssize_t (*call)(int, const void *, size_t) = NULL;
    *(void **)&call = next("write");
    return call(descriptor, bytes, (size_t)room);
}

static int allocate(const char *name, int descriptor, off_t offset, off_t length)
{
    if (allowed(descriptor, 1) < 0)
        return errno;
    int (*call)(int, off_t, off_t) = NULL;
    *(void **)&call = next(name);
    return call(descriptor, offset, length);
}

int posix_fallocate(int descriptor, off_t offset, off_t length)
{
    return allocate("posix_fallocate", descriptor, offset, length);
}

int posix_fallocate64(int descriptor, off64_t offset, off64_t length)
{
    return allocate("posix_fallocate64", descriptor, offset, length);
}
