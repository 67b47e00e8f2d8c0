#include "cli/disk_kind.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define SUSPICIOUS_US 200
#define FAST_US 1000
#define USUAL_US 10000
#define SLOW_US 20000

/* statfs(2)'s numbers; the kernel's header with their names does not have them all. */
static const struct {
    uint32_t number;
    enum disk_place place;
    const char *name;
} file_systems[] = {
    {0xEF53, DISK_LOCAL, "ext4"},         {0x58465342, DISK_LOCAL, "xfs"},
    {0x9123683E, DISK_LOCAL, "btrfs"},    {0x2FC12FC1, DISK_LOCAL, "zfs"},
    {0xF2F52010, DISK_LOCAL, "f2fs"},     {0x4D44, DISK_LOCAL, "vfat"},
    {0x2011BAB0, DISK_LOCAL, "exfat"},    {0x7366746E, DISK_LOCAL, "ntfs"},
    {0xCA451A4E, DISK_LOCAL, "bcachefs"}, {0x3153464A, DISK_LOCAL, "jfs"},
    {0x01021994, DISK_MEMORY, "tmpfs"},   {0x858458F6, DISK_MEMORY, "ramfs"},
    {0x6969, DISK_NETWORK, "nfs"},        {0x517B, DISK_NETWORK, "smb"},
    {0xFE534D42, DISK_NETWORK, "smb2"},   {0xFF534D42, DISK_NETWORK, "cifs"},
    {0x01021997, DISK_NETWORK, "9p"},     {0x00C36400, DISK_NETWORK, "ceph"},
    {0x786F4256, DISK_NETWORK, "vboxsf"}, {0x5346414F, DISK_NETWORK, "afs"},
    {0x65735546, DISK_LAYERED, "fuse"},   {0x794C7630, DISK_LAYERED, "overlay"},
    {0xF15F, DISK_LAYERED, "ecryptfs"},
};

static void name_file_system(struct disk_kind *kind, uint32_t number)
{
    kind->place = DISK_UNKNOWN;
    snprintf(kind->file_system, sizeof kind->file_system, "0x%x", number);
    for (size_t i = 0; i < sizeof file_systems / sizeof *file_systems; i++) {
        if (file_systems[i].number != number)
            continue;
        kind->place = file_systems[i].place;
        snprintf(kind->file_system, sizeof kind->file_system, "%s", file_systems[i].name);
    }
}

/* A line of the device's queue directory; a partition's is its disk's. */
static bool read_queue(dev_t device, const char *name, char *line, int line_bytes)
{
    static const char *const places[] = {"queue", "../queue"};
    for (int i = 0; i < 2; i++) {
        char path[128];
        snprintf(path, sizeof path, "/sys/dev/block/%u:%u/%s/%s", major(device), minor(device),
                 places[i], name);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        bool read = fgets(line, line_bytes, file) != NULL;
        fclose(file);
        if (read)
            line[strcspn(line, "\n")] = '\0';
        return read;
    }
    return false;
}

int disk_kind_of(const char *directory, struct disk_kind *kind)
{
    struct statfs system;
    struct stat status;
    char line[24];
    *kind = (struct disk_kind){.turning = -1};
    if (statfs(directory, &system) != 0 || stat(directory, &status) != 0)
        return -1;
    name_file_system(kind, (uint32_t)system.f_type);
    if (read_queue(status.st_dev, "write_cache", line, sizeof line))
        memcpy(kind->write_cache, line, sizeof line);
    if (read_queue(status.st_dev, "rotational", line, sizeof line))
        kind->turning = line[0] == '1';
    return 0;
}

const char *disk_verdict(const struct disk_kind *kind, int64_t median_us)
{
    if (kind->place == DISK_MEMORY)
        return "memory";
    if (kind->place == DISK_NETWORK)
        return "network";
    if (kind->place == DISK_LAYERED)
        return "layered";
    if (median_us < SUSPICIOUS_US)
        return "suspicious";
    return median_us < FAST_US    ? "fast"
           : median_us < USUAL_US ? "usual"
           : median_us < SLOW_US  ? "slow"
                                  : "turning";
}

const char *disk_verdict_words(const char *verdict)
{
    static const struct {
        const char *verdict, *words;
    } all[] = {
        {"memory", "This is memory, not a disk: with the power everything in it is gone."},
        {"network", "This lies on a network or on the host of a virtual machine. SQLite's log does "
                    "not work there\nreliably: put the data on a disk of this machine."},
        {"layered", "There is a layer between this directory and a disk, and what it does with a "
                    "sync is its own\naffair. Put the data on the file system below it."},
        {"suspicious",
         "Too quick for a write to flash or to a plate. Either the disk has a cache that survives "
         "the loss of\npower (capacitors, a battery), or the disk or a layer of virtualisation "
         "says \"done\" before it is.\nUnless you know of the first, take the second for true."},
        {"fast", "As quick as a good NVMe disk, or one with a cache that survives the loss of "
                 "power."},
        {"usual", "As a solid-state disk of the usual kind takes it. A lone till is answered about "
                  "this quickly."},
        {"slow", "Slow for a solid-state disk, quick for a turning one; many tills at once share a "
                 "sync and hardly\nnotice, a lone one waits so long for each answer."},
        {"turning", "As a turning disk takes it, a worn memory card or a busy machine. Tills that "
                    "sell at once share a\nsync; each still waits so long for its answer."},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].verdict, verdict) == 0)
            return all[i].words;
    return "";
}
