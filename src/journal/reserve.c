#include "journal/reserve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/disk.h"
#include "base/incident.h"

#define START_BYTES (INT64_C(1) << 20)

#define PATH_BYTES (PATH_MAX + sizeof "/" RESERVE_START_FILE)

static void path_of(char path[PATH_BYTES], const struct reserve *reserve, const char *file)
{
    snprintf(path, PATH_BYTES, "%s/%s", reserve->folder, file);
}

static int64_t bytes_of(const char *path)
{
    struct disk_status status;
    return disk_status(path, &status) == 0 ? status.bytes : 0;
}

/* Room in the file system; where that cannot be told, enough: then only a write can tell. */
static int64_t room(const struct reserve *reserve)
{
    int64_t bytes;
    return disk_free_bytes(reserve->folder, &bytes) == 0 ? bytes : INT64_MAX;
}

/* A file half allocated would keep room from those it is kept for. */
static bool allocate(const char *path, int64_t bytes)
{
    if (disk_allocate(path, bytes) == 0)
        return true;
    if (errno != ENOSPC && errno != EDQUOT)
        incident_note(INCIDENT_RESERVE_FAILED, "%s: cannot be made: %s", path, strerror(errno));
    disk_remove(path);
    return false;
}

bool reserve_take(struct reserve *reserve)
{
    char path[PATH_BYTES], start[PATH_BYTES];
    path_of(path, reserve, RESERVE_FILE);
    path_of(start, reserve, RESERVE_START_FILE);
    if (reserve->bytes == 0 || reserve->held)
        return reserve->held;
    int64_t have = bytes_of(path);
    if (have > reserve->bytes) { /* it was configured larger */
        disk_remove(path);
        have = 0;
    }
    if (have < reserve->bytes && room(reserve) < reserve->bytes - have + reserve->bytes / 2)
        return false;
    reserve->held = allocate(path, reserve->bytes);
    if (reserve->held && bytes_of(start) != START_BYTES)
        (void)allocate(start, START_BYTES); /* tried again with the next one */
    return reserve->held;
}

void reserve_give_back(struct reserve *reserve)
{
    char path[PATH_BYTES];
    path_of(path, reserve, RESERVE_FILE);
    disk_remove(path);
    reserve->held = false;
}

bool reserve_is_low(const struct reserve *reserve)
{
    return reserve->held && room(reserve) < reserve->bytes / 8;
}

void reserve_begin(struct reserve *reserve, const char *directory, int64_t bytes)
{
    char start[PATH_BYTES];
    *reserve = (struct reserve){.bytes = bytes};
    snprintf(reserve->folder, sizeof reserve->folder, "%s", directory);
    path_of(start, reserve, RESERVE_START_FILE);
    if (reserve_take(reserve) && !reserve_is_low(reserve))
        return;
    reserve_give_back(reserve);
    if (bytes == 0 || room(reserve) < START_BYTES)
        disk_remove(start);
}
