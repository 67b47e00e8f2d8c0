#include "base/folder.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/disk.h"
#include "base/planted.h"

/* "a/b/" and "a/b" lie in "a", "b" in ".", "/b" in "/". */
static void parent_of(char parent[PATH_MAX], const char *path)
{
    snprintf(parent, PATH_MAX, "%s", path);
    size_t length = strlen(parent);
    while (length > 1 && parent[length - 1] == '/')
        parent[--length] = '\0';
    char *slash = strrchr(parent, '/');
    if (!slash)
        snprintf(parent, PATH_MAX, ".");
    else if (slash == parent)
        slash[1] = '\0';
    else
        *slash = '\0';
}

int folder_make(const char *path, struct failure *failure)
{
    char parent[PATH_MAX];
    bool made = disk_make_folder(path) == 0;
    if (!made && errno != EEXIST)
        return failure_set(failure, "FAILED", "%s: cannot be made: %s", path, strerror(errno));
    parent_of(parent, path);
    /* One that was there may be so in the machine's memory alone; a parent that is not ours to open
     * was not made by us either. */
    if (PLANTED(NO_FOLDER_SYNC) || disk_sync_folder(parent) == 0 ||
        (!made && (errno == EACCES || errno == EPERM)))
        return 0;
    return failure_set(failure, "FAILED", "%s: cannot be synced: %s", parent, strerror(errno));
}
