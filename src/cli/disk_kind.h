/* disk_kind: what lies under a directory, as far as the kernel tells, and what a measured sync says
 * of it. */
#ifndef TILLQ_CLI_DISK_KIND_H
#define TILLQ_CLI_DISK_KIND_H

#include <stdbool.h>
#include <stdint.h>

enum disk_place {
    DISK_LOCAL,   /* a file system on a device of this machine */
    DISK_MEMORY,  /* tmpfs and the like */
    DISK_NETWORK, /* shares; also folders of a virtual machine's host */
    DISK_LAYERED, /* FUSE, overlay: what becomes of a sync is their affair */
    DISK_UNKNOWN,
};

struct disk_kind {
    enum disk_place place;
    char file_system[24]; /* "ext4"; the number in hexadecimal where it has no name here */
    char write_cache[24]; /* as the device reports it: "write back", "write through"; "" unknown */
    int turning;          /* 1, 0; -1 = unknown */
};

/* 0, or -1 with errno. */
int disk_kind_of(const char *directory, struct disk_kind *kind) __attribute__((warn_unused_result));

/* One of the words --json knows: memory, network, layered, suspicious, fast, usual, slow, turning.
 */
const char *disk_verdict(const struct disk_kind *kind, int64_t median_us);
/* What that word means for an owner, a few lines. */
const char *disk_verdict_words(const char *verdict);

#endif
