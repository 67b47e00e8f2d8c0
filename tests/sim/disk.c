#include "disk.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/disk.h"
#include "disk_internal.h"

#define SECTOR_BYTES 512
#define NAMES_MAX 4096

const char *const fault_names[FAULT_COUNT] = {"none",  "power", "kill", "write",
                                              "short", "read",  "sync", "name"};

struct name {
    char *path;
    struct inode *inode; /* NULL: a folder */
};

struct directory {
    struct name names[NAMES_MAX];
    int count;
};

enum name_event { NAME_MADE, NAME_REMOVED, NAME_RENAMED };

struct name_change {
    enum name_event kind;
    char *path, *to;
    struct inode *inode;
};

static struct {
    struct directory now, durable;
    struct name_change changes[NAMES_MAX];
    int change_count;
    struct sim_fault armed;
    enum fault struck;
    bool dead;
    int64_t capacity, operations, sequence;
    struct chance chance; /* of what SQLite draws */
    struct sim_clock *clock;
} disk;

/* --- faults --- */

void sim_disk_arm(struct sim_fault fault)
{
    disk.armed = fault;
}

struct sim_fault sim_disk_hold(void)
{
    struct sim_fault fault = disk.armed;
    disk.armed.kind = FAULT_NONE;
    return fault;
}

enum fault sim_disk_struck(void)
{
    enum fault struck = disk.struck;
    disk.struck = FAULT_NONE;
    return struck;
}

bool sim_disk_is_dead(void)
{
    return disk.dead;
}

void sim_disk_die(void)
{
    disk.dead = true;
    disk.armed.kind = FAULT_NONE;
}

static bool is_crash(enum fault kind)
{
    return kind == FAULT_POWER || kind == FAULT_KILL;
}

bool disk_strikes(enum fault kind)
{
    if (disk.dead)
        return true;
    disk.operations++;
    bool crash = is_crash(disk.armed.kind) && kind != FAULT_READ;
    bool same =
        disk.armed.kind == kind || (disk.armed.kind == FAULT_SHORT_WRITE && kind == FAULT_WRITE);
    if ((!crash && !same) || disk.armed.after-- > 0)
        return false;
    disk.struck = disk.armed.kind;
    disk.armed.kind = FAULT_NONE;
    disk.dead = disk.dead || crash;
    return true;
}

struct chance *disk_chance(void)
{
    return &disk.chance;
}

struct sim_clock *disk_clock(void)
{
    return disk.clock;
}

int64_t sim_disk_operations(void)
{
    return disk.operations;
}

void sim_disk_set_capacity(int64_t bytes)
{
    disk.capacity = bytes;
}

int64_t sim_disk_used(void)
{
    int64_t bytes = 0;
    for (int i = 0; i < disk.now.count; i++)
        bytes += disk.now.names[i].inode ? disk.now.names[i].inode->now.size : 0;
    return bytes;
}

/* --- contents --- */

static void *must(void *memory)
{
    if (!memory) {
        perror("sim");
        exit(2);
    }
    return memory;
}

static void set_size(struct content *content, int64_t size)
{
    if (size > content->capacity) {
        content->capacity = size + size / 2 + 4096;
        content->bytes = must(realloc(content->bytes, (size_t)content->capacity));
    }
    if (size > content->size)
        memset(content->bytes + content->size, 0, (size_t)(size - content->size));
    content->size = size;
}

static void put_bytes(struct content *content, const unsigned char *bytes, int64_t length,
                      int64_t at)
{
    if (at + length > content->size)
        set_size(content, at + length);
    if (length > 0)
        memcpy(content->bytes + at, bytes, (size_t)length);
}

static void note(struct inode *inode, const void *bytes, int64_t length, int64_t at)
{
    struct change *change = must(malloc(sizeof *change + (size_t)(bytes ? length : 0)));
    *change = (struct change){.sequence = disk.sequence++, .at = at, .length = length};
    if (bytes) {
        change->bytes = (unsigned char *)(change + 1);
        memcpy(change->bytes, bytes, (size_t)length);
    }
    *inode->last = change;
    inode->last = &change->next;
}

static void forget_changes(struct inode *inode)
{
    struct change *next;
    for (struct change *change = inode->first; change; change = next) {
        next = change->next;
        free(change);
    }
    inode->first = NULL;
    inode->last = &inode->first;
}

static void apply(struct content *content, const struct change *change)
{
    if (change->bytes)
        put_bytes(content, change->bytes, change->length, change->at);
    else
        set_size(content, change->at);
}

/* Room for a file to grow to `size`. */
static bool has_room(const struct inode *inode, int64_t size)
{
    return disk.capacity == INT64_MAX || size <= inode->now.size ||
           sim_disk_used() + (size - inode->now.size) <= disk.capacity;
}

/* A write the power went in the middle of is noted whole: the power cut tears it. */
int disk_write(struct inode *inode, const void *bytes, int64_t length, int64_t at)
{
    if (disk.dead)
        return EIO;
    enum fault kind = disk.armed.kind;
    if (disk_strikes(FAULT_WRITE)) {
        if (kind == FAULT_SHORT_WRITE)
            length /= 2;
        else if (kind == FAULT_WRITE)
            length = 0;
        if (length > 0 && has_room(inode, at + length)) {
            note(inode, bytes, length, at);
            put_bytes(&inode->now, bytes, length, at);
        }
        return EIO;
    }
    if (!has_room(inode, at + length))
        return ENOSPC;
    note(inode, bytes, length, at);
    put_bytes(&inode->now, bytes, length, at);
    return 0;
}

int disk_resize(struct inode *inode, int64_t size)
{
    if (disk_strikes(FAULT_WRITE))
        return EIO;
    if (!has_room(inode, size))
        return ENOSPC;
    note(inode, NULL, 0, size);
    set_size(&inode->now, size);
    return 0;
}

int disk_sync(struct inode *inode)
{
    if (disk.dead)
        return EIO;
    if (disk_strikes(FAULT_SYNC)) {
        if (!disk.dead)
            forget_changes(inode);
        return EIO;
    }
    for (const struct change *change = inode->first; change; change = change->next)
        apply(&inode->durable, change);
    forget_changes(inode);
    return 0;
}

/* --- names --- */

static struct name *find_name(struct directory *directory, const char *path)
{
    for (int i = 0; i < directory->count; i++)
        if (strcmp(directory->names[i].path, path) == 0)
            return &directory->names[i];
    return NULL;
}

void disk_release(struct inode *inode)
{
    if (!inode || inode->names > 0 || inode->handles > 0)
        return;
    forget_changes(inode);
    free(inode->now.bytes);
    free(inode->durable.bytes);
    for (int i = 0; i < SHARED_REGIONS; i++)
        free(inode->regions[i]);
    free(inode);
}

static void add_name(struct directory *directory, const char *path, struct inode *inode)
{
    if (directory->count == NAMES_MAX) {
        fprintf(stderr, "sim: too many names\n");
        exit(2);
    }
    directory->names[directory->count++] = (struct name){must(strdup(path)), inode};
    if (inode)
        inode->names++;
}

static void drop_name(struct directory *directory, const char *path)
{
    struct name *name = find_name(directory, path);
    if (!name)
        return;
    struct inode *inode = name->inode;
    free(name->path);
    *name = directory->names[--directory->count];
    if (inode) {
        inode->names--;
        disk_release(inode);
    }
}

/* The inode is held by the change until the change is durable or lost. */
static void note_name(enum name_event kind, const char *path, const char *to, struct inode *inode)
{
    if (disk.change_count == NAMES_MAX) {
        fprintf(stderr, "sim: too many changes of names\n");
        exit(2);
    }
    struct name_change *change = &disk.changes[disk.change_count++];
    *change = (struct name_change){.path = must(strdup(path)), .inode = inode};
    change->kind = kind;
    change->to = to ? must(strdup(to)) : NULL;
    if (inode)
        inode->names++;
}

static void end_name_change(struct name_change *change)
{
    free(change->path);
    free(change->to);
    if (change->inode) {
        change->inode->names--;
        disk_release(change->inode);
    }
}

static void apply_name(struct directory *directory, const struct name_change *change)
{
    struct name *name = find_name(directory, change->path);
    if (change->kind == NAME_MADE) {
        if (!name)
            add_name(directory, change->path, change->inode);
    } else if (change->kind == NAME_REMOVED) {
        drop_name(directory, change->path);
    } else if (name) {
        struct inode *inode = name->inode;
        if (inode)
            inode->names++;
        drop_name(directory, change->to);
        add_name(directory, change->to, inode);
        drop_name(directory, change->path);
        if (inode)
            inode->names--;
    }
}

static void change_name(enum name_event kind, const char *path, const char *to, struct inode *inode)
{
    note_name(kind, path, to, inode);
    apply_name(&disk.now, &disk.changes[disk.change_count - 1]);
}

/* The first `count` changes of names reach the platter, the others are forgotten. */
static void settle_names(int count)
{
    for (int i = 0; i < disk.change_count; i++) {
        if (i < count)
            apply_name(&disk.durable, &disk.changes[i]);
    }
    for (int i = 0; i < disk.change_count; i++)
        end_name_change(&disk.changes[i]);
    disk.change_count = 0;
}

static bool lies_in(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/' &&
           !strchr(path + length + 1, '/');
}

int disk_sync_names(const char *folder)
{
    if (disk_strikes(FAULT_NAME)) {
        errno = EIO;
        return -1;
    }
    int left = 0;
    for (int i = 0; i < disk.change_count; i++) {
        struct name_change change = disk.changes[i];
        if (lies_in(change.path, folder)) {
            apply_name(&disk.durable, &change);
            end_name_change(&change);
        } else {
            disk.changes[left++] = change;
        }
    }
    disk.change_count = left;
    return 0;
}

/* What lies in a folder whose own name is lost is lost with it. */
static void lose_orphans(void)
{
    for (int i = disk.durable.count - 1; i >= 0; i--) {
        char folder[PATH_MAX];
        snprintf(folder, sizeof folder, "%s", disk.durable.names[i].path);
        *strrchr(folder, '/') = '\0';
        if (folder[0] == '\0' || find_name(&disk.durable, folder))
            continue;
        drop_name(&disk.durable, disk.durable.names[i].path);
        i = disk.durable.count; /* its own children may be orphans now */
    }
}

struct inode *disk_find(const char *path)
{
    struct name *name = find_name(&disk.now, path);
    return name ? name->inode : NULL;
}

struct inode *disk_nameless(void)
{
    struct inode *inode = must(calloc(1, sizeof *inode));
    inode->last = &inode->first;
    return inode;
}

struct inode *disk_create(const char *path)
{
    if (disk_strikes(FAULT_NAME))
        return NULL;
    struct inode *inode = disk_nameless();
    change_name(NAME_MADE, path, NULL, inode);
    return inode;
}

int disk_unlink(const char *path)
{
    if (disk_strikes(FAULT_NAME)) {
        errno = EIO;
        return -1;
    }
    if (!find_name(&disk.now, path)) {
        errno = ENOENT;
        return -1;
    }
    change_name(NAME_REMOVED, path, NULL, NULL);
    return 0;
}

int disk_make_name(const char *path)
{
    errno = EIO;
    if (disk_strikes(FAULT_NAME))
        return -1;
    errno = EEXIST;
    if (find_name(&disk.now, path))
        return -1;
    change_name(NAME_MADE, path, NULL, NULL);
    return 0;
}

int disk_rename_name(const char *from, const char *to)
{
    errno = EIO;
    if (disk_strikes(FAULT_NAME))
        return -1;
    errno = ENOENT;
    if (!find_name(&disk.now, from))
        return -1;
    change_name(NAME_RENAMED, from, to, NULL);
    return 0;
}

bool disk_has_name(const char *path)
{
    return find_name(&disk.now, path) != NULL;
}

void disk_each_name(void (*each)(const char *path, void *argument), void *argument)
{
    for (int i = 0; i < disk.now.count; i++)
        each(disk.now.names[i].path, argument);
}

int64_t disk_room(void)
{
    return disk.capacity == INT64_MAX ? INT64_MAX : disk.capacity - sim_disk_used();
}

/* --- power cuts and kills --- */

static bool is_kept(enum aftermath aftermath, int64_t sequence, int64_t cut, int percent,
                    struct chance *chance)
{
    switch (aftermath) {
    case AFTERMATH_KEPT:
        return true;
    case AFTERMATH_DROPPED:
        return false;
    case AFTERMATH_CUT:
        return sequence < cut;
    case AFTERMATH_SCATTERED:
        break;
    }
    return chance_below(chance, 100) < percent;
}

/* Sector by sector: a write is kept, dropped, or torn where its sectors fare differently. */
static void lose_power(struct inode *inode, enum aftermath aftermath, int64_t cut, int percent,
                       struct chance *chance)
{
    for (struct change *change = inode->first; change; change = change->next) {
        if (!change->bytes) {
            if (is_kept(aftermath, change->sequence, cut, percent, chance))
                set_size(&inode->durable, change->at);
            continue;
        }
        for (int64_t done = 0; done < change->length;) {
            int64_t at = change->at + done;
            int64_t length = SECTOR_BYTES - at % SECTOR_BYTES;
            if (length > change->length - done)
                length = change->length - done;
            bool torn = aftermath == AFTERMATH_CUT && change->sequence == cut;
            if (torn ? chance_in(chance, 2)
                     : is_kept(aftermath, change->sequence, cut, percent, chance))
                put_bytes(&inode->durable, change->bytes + done, length, at);
            done += length;
        }
    }
    forget_changes(inode);
    set_size(&inode->now, 0);
    put_bytes(&inode->now, inode->durable.bytes, inode->durable.size, 0);
}

static int64_t oldest_change(void)
{
    int64_t oldest = disk.sequence;
    for (int i = 0; i < disk.now.count; i++) {
        const struct inode *inode = disk.now.names[i].inode;
        if (inode && inode->first && inode->first->sequence < oldest)
            oldest = inode->first->sequence;
    }
    return oldest;
}

static void clear_names(struct directory *directory)
{
    while (directory->count > 0)
        drop_name(directory, directory->names[directory->count - 1].path);
}

void sim_disk_restart(bool power, enum aftermath aftermath, struct chance *chance)
{
    disk.dead = false;
    disk.struck = FAULT_NONE;
    disk.armed.kind = FAULT_NONE;
    if (!power)
        return;
    int64_t oldest = oldest_change();
    int64_t cut = oldest + chance_below(chance, disk.sequence - oldest + 1);
    static const int percents[] = {5, 50, 95};
    int percent = percents[chance_below(chance, 3)];
    settle_names(aftermath == AFTERMATH_KEPT ? disk.change_count
                 : aftermath == AFTERMATH_DROPPED
                     ? 0
                     : (int)chance_below(chance, disk.change_count + 1));
    lose_orphans();
    clear_names(&disk.now);
    for (int i = 0; i < disk.durable.count; i++) {
        struct inode *inode = disk.durable.names[i].inode;
        if (inode)
            lose_power(inode, aftermath, cut, percent, chance);
        add_name(&disk.now, disk.durable.names[i].path, inode);
    }
}

/* --- the whole of it --- */

void sim_disk_install(void)
{
    disk.capacity = INT64_MAX;
    sim_vfs_register(disk_simulated.vfs);
    disk_use(&disk_simulated);
}

void sim_disk_close(void)
{
    settle_names(0);
    clear_names(&disk.now);
    clear_names(&disk.durable);
}

void sim_disk_clear(uint64_t seed, struct sim_clock *clock)
{
    sim_disk_close();
    disk.clock = clock;
    disk.dead = false;
    disk.struck = FAULT_NONE;
    disk.armed.kind = FAULT_NONE;
    disk.capacity = INT64_MAX;
    disk.sequence = disk.operations = 0;
    disk.chance = chance_of(seed, UINT64_MAX);
    add_name(&disk.now, "/data", NULL);
    add_name(&disk.durable, "/data", NULL);
}
