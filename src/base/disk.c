#include "base/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define COPY_BYTES (256 << 10)

static const struct disk *disk_now = &disk_system;

void disk_use(const struct disk *disk)
{
    disk_now = disk ? disk : &disk_system;
}

const char *disk_vfs(void)
{
    return disk_now->vfs;
}

int disk_list(const char *folder, void (*each)(const char *name, void *argument), void *argument)
{
    return disk_now->list(disk_now->context, folder, each, argument);
}

int disk_status(const char *path, struct disk_status *status)
{
    return disk_now->status(disk_now->context, path, status);
}

bool disk_has(const char *path)
{
    struct disk_status status;
    return disk_status(path, &status) == 0;
}

int disk_make_folder(const char *path)
{
    return disk_now->make_folder(disk_now->context, path);
}

int disk_sync_folder(const char *path)
{
    return disk_now->sync_folder(disk_now->context, path);
}

int disk_remove(const char *path)
{
    return disk_now->remove(disk_now->context, path);
}

int disk_rename(const char *from, const char *to)
{
    return disk_now->rename(disk_now->context, from, to);
}

int disk_set_mode(const char *path, unsigned mode)
{
    return disk_now->set_mode(disk_now->context, path, mode);
}

int disk_allocate(const char *path, int64_t bytes)
{
    return disk_now->allocate(disk_now->context, path, bytes);
}

int disk_write_again(const char *path)
{
    return disk_now->write_again(disk_now->context, path);
}

int disk_free_bytes(const char *path, int64_t *bytes)
{
    return disk_now->free_bytes(disk_now->context, path, bytes);
}

/* --- the real one --- */

static int system_list(void *context, const char *folder,
                       void (*each)(const char *name, void *argument), void *argument)
{
    (void)context;
    DIR *entries = opendir(folder);
    if (!entries)
        return -1;
    for (struct dirent *entry; (entry = readdir(entries));)
        each(entry->d_name, argument);
    closedir(entries);
    return 0;
}

static int system_status(void *context, const char *path, struct disk_status *status)
{
    (void)context;
    struct stat found;
    if (stat(path, &found) != 0)
        return -1;
    *status = (struct disk_status){found.st_size, (found.st_mode & S_IWUSR) == 0};
    return 0;
}

static int system_make_folder(void *context, const char *path)
{
    (void)context;
    return mkdir(path, 0750);
}

static int close_after(int descriptor, int result)
{
    int reason = errno;
    close(descriptor);
    errno = reason;
    return result;
}

static int system_sync_folder(void *context, const char *path)
{
    (void)context;
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return descriptor < 0 ? -1 : close_after(descriptor, fsync(descriptor));
}

static int system_remove(void *context, const char *path)
{
    (void)context;
    return unlink(path);
}

static int system_rename(void *context, const char *from, const char *to)
{
    (void)context;
    return rename(from, to);
}

static int system_set_mode(void *context, const char *path, unsigned mode)
{
    (void)context;
    return chmod(path, mode);
}

static int system_allocate(void *context, const char *path, int64_t bytes)
{
    (void)context;
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (descriptor < 0)
        return -1;
    int reason = posix_fallocate(descriptor, 0, bytes);
    if (reason == 0)
        return close_after(descriptor, fsync(descriptor));
    errno = reason;
    return close_after(descriptor, -1);
}

/* 1 where there was something, 0 at the end, -1. */
static int write_again_at(int descriptor, char *bytes, size_t most, off_t *at)
{
    ssize_t got = pread(descriptor, bytes, most, *at);
    if (got <= 0)
        return (int)got;
    for (ssize_t done = 0; done < got;) {
        ssize_t wrote = pwrite(descriptor, bytes + done, (size_t)(got - done), *at + done);
        if (wrote <= 0)
            return -1;
        done += wrote;
    }
    *at += got;
    return 1;
}

static int system_write_again(void *context, const char *path)
{
    (void)context;
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    char *bytes = descriptor < 0 ? NULL : malloc(COPY_BYTES);
    if (!bytes)
        return descriptor < 0 ? -1 : close_after(descriptor, -1);
    off_t at = 0;
    int more;
    while ((more = write_again_at(descriptor, bytes, COPY_BYTES, &at)) == 1)
        ;
    int result = more == 0 ? fsync(descriptor) : -1;
    free(bytes);
    return close_after(descriptor, result);
}

static int system_free_bytes(void *context, const char *path, int64_t *bytes)
{
    (void)context;
    struct statvfs found;
    if (statvfs(path, &found) != 0)
        return -1;
    *bytes = (int64_t)found.f_bavail * (int64_t)found.f_frsize;
    return 0;
}

const struct disk disk_system = {
    .list = system_list,
    .status = system_status,
    .make_folder = system_make_folder,
    .sync_folder = system_sync_folder,
    .remove = system_remove,
    .rename = system_rename,
    .set_mode = system_set_mode,
    .allocate = system_allocate,
    .write_again = system_write_again,
    .free_bytes = system_free_bytes,
};
