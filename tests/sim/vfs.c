/* SQLite's view of the simulated disk: a VFS with write-ahead log support, for one process and one
 * thread. Methods as in sqlite.org/c3ref/io_methods.html. */
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk_internal.h"

#define WAL_HEADER_FILE_FLAGS (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)

struct handle {
    sqlite3_file base; /* first: SQLite casts it */
    struct inode *inode;
    char *path; /* NULL: nameless */
    bool delete_on_close;
    bool sync_names; /* the first sync syncs the folder, as SQLite's own unix VFS does */
    int lock;
    bool has_regions;
    unsigned shared_mask, exclusive_mask;
};

static int last_errno;

static int fail(int reason, int code)
{
    last_errno = reason;
    return reason == ENOSPC ? SQLITE_FULL : code;
}

static struct handle *handle_of(sqlite3_file *file)
{
    return (struct handle *)file;
}

/* --- reading and writing --- */

static int sim_read(sqlite3_file *file, void *bytes, int length, sqlite3_int64 at)
{
    const struct content *content = &handle_of(file)->inode->now;
    if (disk_strikes(FAULT_READ))
        return fail(EIO, SQLITE_IOERR_READ);
    int64_t there = at < content->size ? content->size - at : 0;
    if (there >= length) {
        memcpy(bytes, content->bytes + at, (size_t)length);
        return SQLITE_OK;
    }
    if (there > 0)
        memcpy(bytes, content->bytes + at, (size_t)there);
    memset((char *)bytes + there, 0, (size_t)(length - there));
    return SQLITE_IOERR_SHORT_READ;
}

static int sim_write(sqlite3_file *file, const void *bytes, int length, sqlite3_int64 at)
{
    int reason = disk_write(handle_of(file)->inode, bytes, length, at);
    return reason == 0 ? SQLITE_OK : fail(reason, SQLITE_IOERR_WRITE);
}

static int sim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int reason = disk_resize(handle_of(file)->inode, size);
    return reason == 0 ? SQLITE_OK : fail(reason, SQLITE_IOERR_TRUNCATE);
}

static int sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    return disk_sync_names(folder);
}

static int sim_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    struct handle *handle = handle_of(file);
    int reason = disk_sync(handle->inode);
    if (reason != 0)
        return fail(reason, SQLITE_IOERR_FSYNC);
    if (handle->sync_names && sync_folder_of(handle->path) != 0)
        return fail(EIO, SQLITE_IOERR_DIR_FSYNC);
    handle->sync_names = false;
    return SQLITE_OK;
}

static int sim_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    *size = handle_of(file)->inode->now.size;
    return SQLITE_OK;
}

/* --- locks --- */

static int sim_unlock(sqlite3_file *file, int level)
{
    struct handle *handle = handle_of(file);
    struct inode *inode = handle->inode;
    if (handle->lock <= level)
        return SQLITE_OK;
    if (handle->lock >= SQLITE_LOCK_RESERVED) {
        inode->reserved = false;
        inode->pending = false;
        inode->exclusive = false;
    }
    if (level == SQLITE_LOCK_NONE)
        inode->shared--;
    handle->lock = level;
    return SQLITE_OK;
}

static int sim_lock(sqlite3_file *file, int level)
{
    struct handle *handle = handle_of(file);
    struct inode *inode = handle->inode;
    if (handle->lock >= level)
        return SQLITE_OK;
    if (handle->lock == SQLITE_LOCK_NONE) {
        if (inode->pending || inode->exclusive)
            return SQLITE_BUSY;
        inode->shared++;
        handle->lock = SQLITE_LOCK_SHARED;
    }
    if (level == SQLITE_LOCK_SHARED)
        return SQLITE_OK;
    if (handle->lock < SQLITE_LOCK_RESERVED) {
        if (inode->reserved)
            return SQLITE_BUSY;
        inode->reserved = true;
        handle->lock = SQLITE_LOCK_RESERVED;
    }
    if (level == SQLITE_LOCK_RESERVED)
        return SQLITE_OK;
    inode->pending = true;
    handle->lock = SQLITE_LOCK_PENDING;
    if (inode->shared > 1)
        return SQLITE_BUSY;
    inode->exclusive = true;
    handle->lock = SQLITE_LOCK_EXCLUSIVE;
    return SQLITE_OK;
}

static int sim_check_reserved(sqlite3_file *file, int *reserved)
{
    *reserved = handle_of(file)->inode->reserved;
    return SQLITE_OK;
}

/* --- shared memory --- */

static int sim_shared_map(sqlite3_file *file, int region, int bytes, int extend,
                          void volatile **out)
{
    struct handle *handle = handle_of(file);
    struct inode *inode = handle->inode;
    *out = NULL;
    if (region >= SHARED_REGIONS)
        return SQLITE_NOMEM;
    if (!handle->has_regions) {
        handle->has_regions = true;
        inode->region_handles++;
    }
    if (!inode->regions[region] && extend)
        inode->regions[region] = calloc(1, (size_t)bytes);
    *out = inode->regions[region];
    return SQLITE_OK;
}

static void let_go(struct handle *handle, unsigned mask)
{
    for (int i = 0; i < SHARED_LOCKS; i++) {
        unsigned bit = 1u << i;
        if (!(mask & bit))
            continue;
        if (handle->shared_mask & bit)
            handle->inode->shared_readers[i]--;
        if (handle->exclusive_mask & bit)
            handle->inode->shared_writer[i] = false;
    }
    handle->shared_mask &= ~mask;
    handle->exclusive_mask &= ~mask;
}

static int sim_shared_lock(sqlite3_file *file, int first, int count, int flags)
{
    struct handle *handle = handle_of(file);
    struct inode *inode = handle->inode;
    unsigned mask = ((1u << count) - 1) << first;
    if (flags & SQLITE_SHM_UNLOCK) {
        let_go(handle, mask);
        return SQLITE_OK;
    }
    for (int i = first; i < first + count; i++) {
        unsigned bit = 1u << i;
        bool mine = handle->shared_mask & bit;
        if (inode->shared_writer[i] && !(handle->exclusive_mask & bit))
            return SQLITE_BUSY;
        if (flags & SQLITE_SHM_EXCLUSIVE && inode->shared_readers[i] > (mine ? 1 : 0))
            return SQLITE_BUSY;
    }
    for (int i = first; i < first + count; i++) {
        unsigned bit = 1u << i;
        if (flags & SQLITE_SHM_EXCLUSIVE) {
            inode->shared_writer[i] = true;
            handle->exclusive_mask |= bit;
        } else if (!(handle->shared_mask & bit)) {
            inode->shared_readers[i]++;
            handle->shared_mask |= bit;
        }
    }
    return SQLITE_OK;
}

static void sim_shared_barrier(sqlite3_file *file)
{
    (void)file;
}

static int sim_shared_unmap(sqlite3_file *file, int delete_it)
{
    (void)delete_it;
    struct handle *handle = handle_of(file);
    if (!handle->has_regions)
        return SQLITE_OK;
    let_go(handle, (1u << SHARED_LOCKS) - 1);
    handle->has_regions = false;
    if (--handle->inode->region_handles > 0)
        return SQLITE_OK;
    for (int i = 0; i < SHARED_REGIONS; i++) {
        free(handle->inode->regions[i]);
        handle->inode->regions[i] = NULL;
    }
    return SQLITE_OK;
}

/* --- the rest of a file --- */

static int sim_close(sqlite3_file *file)
{
    struct handle *handle = handle_of(file);
    sim_shared_unmap(file, 0);
    sim_unlock(file, SQLITE_LOCK_NONE);
    if (handle->delete_on_close && handle->path && !sim_disk_is_dead())
        disk_unlink(handle->path);
    handle->inode->handles--;
    disk_release(handle->inode);
    free(handle->path);
    return SQLITE_OK;
}

static int sim_file_control(sqlite3_file *file, int operation, void *argument)
{
    (void)file;
    (void)operation;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int sim_sector_bytes(sqlite3_file *file)
{
    (void)file;
    return 4096;
}

static int sim_device(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = sim_close,
    .xRead = sim_read,
    .xWrite = sim_write,
    .xTruncate = sim_truncate,
    .xSync = sim_sync,
    .xFileSize = sim_file_size,
    .xLock = sim_lock,
    .xUnlock = sim_unlock,
    .xCheckReservedLock = sim_check_reserved,
    .xFileControl = sim_file_control,
    .xSectorSize = sim_sector_bytes,
    .xDeviceCharacteristics = sim_device,
    .xShmMap = sim_shared_map,
    .xShmLock = sim_shared_lock,
    .xShmBarrier = sim_shared_barrier,
    .xShmUnmap = sim_shared_unmap,
};

/* --- files by name, and the world around them --- */

static int sim_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                    int *flags_out)
{
    (void)vfs;
    struct handle *handle = handle_of(file);
    *handle = (struct handle){0};
    if (sim_disk_is_dead())
        return fail(EIO, SQLITE_CANTOPEN);
    struct inode *inode = path ? disk_find(path) : disk_nameless();
    if (!inode && flags & SQLITE_OPEN_CREATE)
        inode = disk_create(path);
    if (!inode)
        return fail(ENOENT, SQLITE_CANTOPEN);
    handle->base.pMethods = &methods;
    handle->inode = inode;
    handle->path = path ? strdup(path) : NULL;
    handle->delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE;
    handle->sync_names = flags & SQLITE_OPEN_CREATE && flags & WAL_HEADER_FILE_FLAGS;
    inode->handles++;
    if (flags_out)
        *flags_out = flags;
    return SQLITE_OK;
}

static int sim_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    (void)vfs;
    if (disk_unlink(path) != 0)
        return fail(errno, errno == ENOENT ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE);
    if (sync_folder && sync_folder_of(path) != 0)
        return fail(EIO, SQLITE_IOERR_DIR_FSYNC);
    return SQLITE_OK;
}

static int sim_access(sqlite3_vfs *vfs, const char *path, int flags, int *result)
{
    (void)vfs;
    if (sim_disk_is_dead())
        return fail(EIO, SQLITE_IOERR_ACCESS);
    const struct inode *inode = disk_find(path);
    /* As SQLite's own does: an empty file is as good as none. */
    *result = inode && (flags != SQLITE_ACCESS_EXISTS || inode->now.size > 0);
    return SQLITE_OK;
}

static int sim_full_path(sqlite3_vfs *vfs, const char *path, int bytes, char *out)
{
    (void)vfs;
    snprintf(out, (size_t)bytes, "%s", path);
    return SQLITE_OK;
}

static int sim_randomness(sqlite3_vfs *vfs, int bytes, char *out)
{
    (void)vfs;
    for (int i = 0; i < bytes; i++)
        out[i] = (char)chance_below(disk_chance(), 256);
    return bytes;
}

static int sim_sleep(sqlite3_vfs *vfs, int wait_us)
{
    (void)vfs;
    disk_clock()->monotonic_us += wait_us;
    disk_clock()->wall_ms += wait_us / 1000;
    return wait_us;
}

/* Milliseconds since noon, November 24, 4714 BC. */
static int sim_time(sqlite3_vfs *vfs, sqlite3_int64 *now)
{
    (void)vfs;
    *now = disk_clock()->wall_ms + INT64_C(210866760000000);
    return SQLITE_OK;
}

static int sim_time_days(sqlite3_vfs *vfs, double *now)
{
    sqlite3_int64 now_ms;
    sim_time(vfs, &now_ms);
    *now = (double)now_ms / 86400000.0;
    return SQLITE_OK;
}

static int sim_last_error(sqlite3_vfs *vfs, int bytes, char *out)
{
    (void)vfs;
    if (bytes > 0)
        out[0] = '\0';
    return last_errno;
}

void sim_vfs_register(const char *name)
{
    static sqlite3_vfs vfs = {
        .iVersion = 2,
        .szOsFile = sizeof(struct handle),
        .mxPathname = 512,
        .xOpen = sim_open,
        .xDelete = sim_delete,
        .xAccess = sim_access,
        .xFullPathname = sim_full_path,
        .xRandomness = sim_randomness,
        .xSleep = sim_sleep,
        .xCurrentTime = sim_time_days,
        .xGetLastError = sim_last_error,
        .xCurrentTimeInt64 = sim_time,
    };
    vfs.zName = name;
    sqlite3_vfs_register(&vfs, 1);
}
