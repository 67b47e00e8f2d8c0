/* disk_internal: the inside of the simulated disk, for disk.c (the model), door.c and vfs.c
 * (what base/disk and SQLite see of it) alone. */
#ifndef TILLQ_TESTS_SIM_DISK_INTERNAL_H
#define TILLQ_TESTS_SIM_DISK_INTERNAL_H

#include <stddef.h>

#include "base/disk.h"
#include "disk.h"

#define SHARED_LOCKS 8
#define SHARED_REGIONS 64

/* A write of `length` bytes at `at`, or (bytes NULL) a new size `at`. */
struct change {
    struct change *next;
    int64_t sequence; /* over all files, for a cut in time */
    int64_t at;
    int64_t length;
    unsigned char *bytes;
};

struct content {
    unsigned char *bytes;
    int64_t size;
    int64_t capacity;
};

struct inode {
    struct content now;     /* what processes see */
    struct content durable; /* what is on the platter */
    struct change *first, **last;
    bool read_only;
    int names;   /* that point here, seen or durable */
    int handles; /* open */
    /* file locks */
    int shared;
    bool reserved, pending, exclusive;
    /* shared memory of a write-ahead log */
    void *regions[SHARED_REGIONS];
    int region_handles;
    int shared_readers[SHARED_LOCKS];
    bool shared_writer[SHARED_LOCKS];
};

/* Counts an operation; true where the armed fault of this kind strikes at it. After a FAULT_POWER
 * or FAULT_KILL has struck nothing works: callers ask sim_disk_is_dead first. */
bool disk_strikes(enum fault kind);
struct chance *disk_chance(void);
struct sim_clock *disk_clock(void);

struct inode *disk_find(const char *path);
struct inode *disk_create(const char *path); /* NULL: dead, full or struck */
struct inode *disk_nameless(void);
int disk_unlink(const char *path); /* 0, -1 with errno */
void disk_release(struct inode *inode);
int disk_sync_names(const char *folder); /* 0 or -1 */

/* Names alone, 0 or -1 with errno: folders are names without a file. */
bool disk_has_name(const char *path);
void disk_each_name(void (*each)(const char *path, void *argument), void *argument);
int disk_make_name(const char *path);
int disk_rename_name(const char *from, const char *to);
int64_t disk_room(void);

/* All 0, or the errno value. */
int disk_write(struct inode *inode, const void *bytes, int64_t length, int64_t at);
int disk_resize(struct inode *inode, int64_t size);
int disk_sync(struct inode *inode);

void sim_vfs_register(const char *name);
extern const struct disk disk_simulated; /* of base/disk.h */

#endif
