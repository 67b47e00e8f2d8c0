/* What base/disk asks of the simulated disk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/disk.h"
#include "disk_internal.h"

/* True, with errno set, where the disk is dead or has no such name. */
static bool not_there(const char *path)
{
    errno = sim_disk_is_dead() ? EIO : ENOENT;
    return sim_disk_is_dead() || !disk_has_name(path);
}

struct listing {
    const char *folder;
    void (*each)(const char *name, void *argument);
    void *argument;
};

static void list_one(const char *path, void *argument)
{
    const struct listing *listing = argument;
    size_t length = strlen(listing->folder);
    if (strncmp(path, listing->folder, length) == 0 && path[length] == '/' &&
        !strchr(path + length + 1, '/'))
        listing->each(path + length + 1, listing->argument);
}

static int sim_list(void *context, const char *folder,
                    void (*each)(const char *name, void *argument), void *argument)
{
    (void)context;
    struct listing listing = {folder, each, argument};
    if (not_there(folder))
        return -1;
    disk_each_name(list_one, &listing);
    return 0;
}

static int sim_status(void *context, const char *path, struct disk_status *status)
{
    (void)context;
    const struct inode *inode = disk_find(path);
    if (not_there(path))
        return -1;
    *status = (struct disk_status){inode ? inode->now.size : 0, inode && inode->read_only};
    return 0;
}

static int sim_make_folder(void *context, const char *path)
{
    (void)context;
    return disk_make_name(path);
}

static int sim_sync_folder(void *context, const char *path)
{
    (void)context;
    return disk_sync_names(path);
}

static int sim_remove(void *context, const char *path)
{
    (void)context;
    return disk_unlink(path);
}

static int sim_rename(void *context, const char *from, const char *to)
{
    (void)context;
    return disk_rename_name(from, to);
}

static int sim_set_mode(void *context, const char *path, unsigned mode)
{
    (void)context;
    struct inode *inode = disk_find(path);
    if (not_there(path) || !inode || disk_strikes(FAULT_NAME))
        return -1;
    inode->read_only = (mode & 0200) == 0;
    return 0;
}

static int sim_allocate(void *context, const char *path, int64_t bytes)
{
    (void)context;
    struct inode *inode = disk_find(path);
    if (!inode)
        inode = disk_create(path);
    if (!inode) {
        errno = EIO;
        return -1;
    }
    errno = inode->now.size < bytes ? disk_resize(inode, bytes) : 0;
    if (errno == 0)
        errno = disk_sync(inode);
    return errno == 0 ? 0 : -1;
}

static int sim_write_again(void *context, const char *path)
{
    (void)context;
    struct inode *inode = disk_find(path);
    if (not_there(path) || !inode)
        return -1;
    unsigned char *bytes = malloc((size_t)inode->now.size + 1);
    if (!bytes)
        return -1;
    int64_t size = inode->now.size;
    if (size > 0)
        memcpy(bytes, inode->now.bytes, (size_t)size);
    errno = disk_write(inode, bytes, size, 0);
    if (errno == 0)
        errno = disk_sync(inode);
    free(bytes);
    return errno == 0 ? 0 : -1;
}

static int sim_free_bytes(void *context, const char *path, int64_t *bytes)
{
    (void)context;
    (void)path;
    errno = EIO;
    if (sim_disk_is_dead())
        return -1;
    *bytes = disk_room();
    return 0;
}

const struct disk disk_simulated = {
    .vfs = "sim",
    .list = sim_list,
    .status = sim_status,
    .make_folder = sim_make_folder,
    .sync_folder = sim_sync_folder,
    .remove = sim_remove,
    .rename = sim_rename,
    .set_mode = sim_set_mode,
    .allocate = sim_allocate,
    .write_again = sim_write_again,
    .free_bytes = sim_free_bytes,
};

/* --- what the world does to files by hand --- */

bool sim_disk_flip(const char *path, int64_t at, int bit)
{
    struct inode *inode = disk_find(path);
    if (!inode || at >= inode->now.size || at >= inode->durable.size)
        return false;
    inode->now.bytes[at] ^= (unsigned char)(1 << bit);
    inode->durable.bytes[at] ^= (unsigned char)(1 << bit);
    return true;
}

int64_t sim_disk_file_bytes(const char *path)
{
    const struct inode *inode = disk_find(path);
    return inode ? inode->now.size : -1;
}
