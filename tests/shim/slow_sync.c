/* slow_sync: a slower disk: fsync and fdatasync wait before they begin.
 *
 * $TILLQ_SLOW_SYNC_US says how long, in microseconds (2000 where not set), for every file. A disk
 * without power-loss protection takes so long; one that answers from its cache does not, and hides
 * what a slow one would show. Loaded with LD_PRELOAD. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WAIT_US_DEFAULT 2000

typedef int sync_call(int descriptor);

static void wait_first(void)
{
    const char *told = getenv("TILLQ_SLOW_SYNC_US");
    long wait_us = told ? strtol(told, NULL, 10) : WAIT_US_DEFAULT;
    struct timespec pause = {wait_us / 1000000, wait_us % 1000000 * 1000};
    while (nanosleep(&pause, &pause) != 0)
        ;
}

static int real(const char *name, int descriptor)
{
    sync_call *call = NULL;
    *(void **)&call = dlsym(RTLD_NEXT, name);
    return call(descriptor);
}

int fsync(int descriptor)
{
    wait_first();
    return real("fsync", descriptor);
}

int fdatasync(int descriptor)
{
    wait_first();
    return real("fdatasync", descriptor);
}
