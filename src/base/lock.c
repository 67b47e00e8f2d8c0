#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static int held(int descriptor, const char *directory, struct failure *failure)
{
    char holder[128] = "";
    ssize_t length = pread(descriptor, holder, sizeof holder - 1, 0);
    if (length <= 0)
        length = snprintf(holder, sizeof holder, "another process");
    holder[strcspn(holder, "\n")] = '\0';
    return failure_set(failure, "FAILED", "%s is in use by %s", directory, holder);
}

int lock_take(const char *directory, const char *who, struct failure *failure)
{
    char path[PATH_MAX], text[128];
    snprintf(path, sizeof path, "%s/lock", directory);
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (descriptor < 0)
        return failure_set(failure, "FAILED", "%s: %s", path, strerror(errno));
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            held(descriptor, directory, failure);
        else
            failure_set(failure, "FAILED", "%s: %s", path, strerror(errno));
        close(descriptor);
        return -1;
    }
    int length = snprintf(text, sizeof text, "%s, process %d\n", who, (int)getpid());
    /* For people only: without it the lock holds all the same, and a full disk must not stop us. */
    if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, text, (size_t)length, 0) != length)
        return descriptor;
    return descriptor;
}
