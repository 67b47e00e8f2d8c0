/* disk: a disk in memory that forgets what was not synced, fills up, fails, and dies when told to.
 *
 * It is a struct disk (base/disk.h) and a SQLite VFS at once. A file is what its processes see,
 * what is on the platter, and the changes between the two in order; a sync moves all changes of one
 * file to the platter. Names (made, removed, renamed) are a list of changes of their own; the sync
 * of a folder moves those that lie in it. SQLite syncs the folder with the first sync of a new log,
 * and so does this.
 *
 * A power cut keeps, drops or tears what was not synced, sector by sector, in any order within a
 * file; of the names it keeps the first so many, as file systems that journal their metadata do. A
 * kill keeps all, but what was not synced is still not synced. A sync that fails drops its changes
 * for good although processes go on seeing them, as Linux does. */
#ifndef TILLQ_TESTS_SIM_DISK_H
#define TILLQ_TESTS_SIM_DISK_H

#include "chance.h"

enum fault {
    FAULT_NONE,
    FAULT_POWER,       /* the machine stops before the operation, or in the middle of a write */
    FAULT_KILL,        /* the process stops there; the machine goes on */
    FAULT_WRITE,       /* EIO on a write or a change of size */
    FAULT_SHORT_WRITE, /* half of it is written, then EIO */
    FAULT_READ,        /* EIO on a read of a database or log */
    FAULT_SYNC,        /* EIO, and the changes are lost in silence afterwards */
    FAULT_NAME,        /* EIO on a name made, removed or renamed, or on the sync of a folder */
    FAULT_COUNT,
};
extern const char *const fault_names[FAULT_COUNT];

/* One fault at a time: it strikes at the `after`-th operation it can strike at, counted from 0. */
struct sim_fault {
    enum fault kind;
    int64_t after;
};

struct sim_clock {
    int64_t wall_ms;
    int64_t monotonic_us;
};

/* Makes the one simulated disk, registers its VFS and makes base/disk use it. Once a process. */
void sim_disk_install(void);
/* An empty disk with one folder, "/data". The clock is moved by SQLite's sleeping. */
void sim_disk_clear(uint64_t seed, struct sim_clock *clock);
void sim_disk_close(void); /* frees all */

void sim_disk_arm(struct sim_fault fault);
/* Nothing strikes until the fault that is returned is armed again. */
struct sim_fault sim_disk_hold(void);
/* The fault that has struck since the last look, FAULT_NONE where none has. */
enum fault sim_disk_struck(void);
/* True from a FAULT_POWER or FAULT_KILL on until the disk is started again: nothing works then. */
bool sim_disk_is_dead(void);
/* The process dies here: nothing works until the disk is started again. */
void sim_disk_die(void);

/* How what was not synced fares in a power cut. */
enum aftermath { AFTERMATH_KEPT, AFTERMATH_DROPPED, AFTERMATH_CUT, AFTERMATH_SCATTERED };
#define AFTERMATH_COUNT 4
/* After all handles are closed: what a machine that comes back finds. `power` false: a kill. */
void sim_disk_restart(bool power, enum aftermath aftermath, struct chance *chance);

/* Bytes all files together may take; INT64_MAX = no limit. */
void sim_disk_set_capacity(int64_t bytes);
int64_t sim_disk_used(void);

/* Flips one bit of a file, on the platter and in memory. False where there is no such byte. */
bool sim_disk_flip(const char *path, int64_t at, int bit);
int64_t sim_disk_file_bytes(const char *path); /* -1: no such file */

/* Operations on the disk since it was installed: writes, syncs, changes of size and names. */
int64_t sim_disk_operations(void);

#endif
