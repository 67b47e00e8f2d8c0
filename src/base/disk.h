/* disk: the file system, as far as it is not SQLite's business: names, modes, room.
 *
 * One process has one disk, as it has one set of SQLite's VFSs: databases are opened through `vfs`,
 * and everything else the product does to files goes through the functions here, so that a test or
 * a simulation owns all of it. (The lock of a data directory is not part of it: flock is between
 * processes.)
 *
 * Each function returns 0, or -1 with errno set. None is atomic across a power cut but `rename`; a
 * name that was made, removed or changed is there to stay only after sync_folder of its folder. */
#ifndef TILLQ_BASE_DISK_H
#define TILLQ_BASE_DISK_H

#include <stdbool.h>
#include <stdint.h>

struct disk_status {
    int64_t bytes;
    bool read_only; /* its owner may not write it: a sealed segment */
};

struct disk {
    const char *vfs; /* the SQLite VFS databases are opened with; NULL = SQLite's default */
    void *context;
    /* Calls `each` with every name in `folder`, in no order. */
    int (*list)(void *context, const char *folder, void (*each)(const char *name, void *argument),
                void *argument);
    int (*status)(void *context, const char *path, struct disk_status *status);
    int (*make_folder)(void *context, const char *path); /* mode 0750 */
    int (*sync_folder)(void *context, const char *path);
    int (*remove)(void *context, const char *path);
    int (*rename)(void *context, const char *from, const char *to);
    int (*set_mode)(void *context, const char *path, unsigned mode);
    /* A file of `bytes`, mode 0640, whose room is taken for certain; made or grown where needed. */
    int (*allocate)(void *context, const char *path, int64_t bytes);
    /* Writes a file's bytes over themselves and syncs them: afterwards what this process sees in it
     * is on disk, whatever an earlier process left unsynced or a failed sync let go. */
    int (*write_again)(void *context, const char *path);
    /* Room for an ordinary user in the file system `path` lies in. */
    int (*free_bytes)(void *context, const char *path, int64_t *bytes);
};

extern const struct disk disk_system;

/* Before the first use, and never while another thread runs; NULL = disk_system, as at start. */
void disk_use(const struct disk *disk);
const char *disk_vfs(void);

int disk_list(const char *folder, void (*each)(const char *name, void *argument), void *argument)
    __attribute__((warn_unused_result));
int disk_status(const char *path, struct disk_status *status) __attribute__((warn_unused_result));
bool disk_has(const char *path);
int disk_make_folder(const char *path) __attribute__((warn_unused_result));
int disk_sync_folder(const char *path) __attribute__((warn_unused_result));
int disk_remove(const char *path);
int disk_rename(const char *from, const char *to) __attribute__((warn_unused_result));
int disk_set_mode(const char *path, unsigned mode);
int disk_allocate(const char *path, int64_t bytes) __attribute__((warn_unused_result));
int disk_write_again(const char *path) __attribute__((warn_unused_result));
int disk_free_bytes(const char *path, int64_t *bytes) __attribute__((warn_unused_result));

#endif
