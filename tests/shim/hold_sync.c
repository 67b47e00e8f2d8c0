/* hold_sync: makes fsync and fdatasync wait while the file named by $TILLQ_HOLD_SYNC exists.
 *
 * Only for files whose path contains $TILLQ_SHIM_PATH ("journal" where not set). A sync that waits
 * adds a byte to $TILLQ_HOLD_SYNC.held, so that a test knows it has begun. Loaded with LD_PRELOAD.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <time.h>

#include "target.h"

static void say_held(const char *hold)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.4000s.held", hold);
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0)
        return;
    /* A byte lost would only make the test wait in vain and say so. */
    ssize_t written = write(file, "h", 1);
    (void)written;
    close(file);
}

static void wait_while_held(int descriptor)
{
    static const struct timespec pause = {0, 1000000};
    const char *hold = target_order("TILLQ_HOLD_SYNC");
    if (!hold || !target_matches(descriptor))
        return;
    say_held(hold);
    while (target_order("TILLQ_HOLD_SYNC"))
        nanosleep(&pause, NULL);
}

typedef int sync_call(int descriptor);

static int real(const char *name, int descriptor)
{
    /* The cast the other way round is what ISO C lacks and POSIX promises. */
    sync_call *call = NULL;
    *(void **)&call = dlsym(RTLD_NEXT, name);
    return call(descriptor);
}

int fsync(int descriptor)
{
    wait_while_held(descriptor);
    return real("fsync", descriptor);
}

int fdatasync(int descriptor)
{
    wait_while_held(descriptor);
    return real("fdatasync", descriptor);
}
