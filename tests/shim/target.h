/* target: which files a shim concerns itself with, and its orders. */
#ifndef TILLQ_TESTS_SHIM_TARGET_H
#define TILLQ_TESTS_SHIM_TARGET_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* True where the descriptor's path contains $TILLQ_SHIM_PATH ("journal" where that is not set). */
static inline bool target_matches(int descriptor)
{
    const char *part = getenv("TILLQ_SHIM_PATH");
    char link[64];
    char path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    return strstr(path, part ? part : "journal") != NULL;
}

/* The file the variable names while it exists, else NULL: the order is given as long as it is
 * there. */
static inline const char *target_order(const char *variable)
{
    const char *file = getenv(variable);
    return file && access(file, F_OK) == 0 ? file : NULL;
}

#endif
