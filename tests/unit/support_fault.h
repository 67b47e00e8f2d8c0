/* support_fault: the N-th call of a kind fails, once or from then on, for whatever a test does:
 * memory (ours and SQLite's) and calls of the system (SQLite's and ours alike: these functions
 * stand before those of the C library in the test's program). Link with the flags the Makefile
 * gives test_fault_*.
 *
 *     for (each_fault(&faults); next_fault(&faults);) { set up; fault_begin(); act; fault_end();
 * check; }
 *
 * goes through all kinds, once and for good, with N = 1, 2, 3, … until the act ends without meeting
 * the fault. Behind FAULTS_DENSE N grows by FAULTS_STRIDE of the environment: `make faults` leaves
 * none out, the unit tests of every day take FAULTS_STRIDE_DEFAULT.
 */
#ifndef TILLQ_TESTS_UNIT_SUPPORT_FAULT_H
#define TILLQ_TESTS_UNIT_SUPPORT_FAULT_H

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "support.h"

#define FAULTS_DENSE 40
#define FAULTS_STRIDE_DEFAULT 53

enum fault_kind {
    FAULT_MEMORY,
    FAULT_SQLITE_MEMORY,
    FAULT_OPEN,
    FAULT_READ,
    FAULT_WRITE,
    FAULT_FULL, /* a write that finds no room */
    FAULT_SYNC,
    FAULT_TRUNCATE,
    FAULT_RENAME,
    FAULT_UNLINK,
    FAULT_MKDIR,
    FAULT_KINDS
};

static const char *const fault_names[FAULT_KINDS] = {
    "malloc", "SQLite's malloc", "open",   "pread",  "write", "write without room",
    "fsync",  "ftruncate",       "rename", "unlink", "mkdir"};
static const int fault_reasons[FAULT_KINDS] = {ENOMEM, ENOMEM, EMFILE, EIO, EIO,   ENOSPC,
                                               EIO,    EIO,    EACCES, EIO, EACCES};

static struct {
    bool armed, lasting, met;
    enum fault_kind kind;
    long at, calls;
} fault;

/* True where this call is to fail; errno is set then. */
static bool fault_falls(enum fault_kind kind)
{
    if (!fault.armed || fault.kind != kind)
        return false;
    fault.calls++;
    if (fault.calls != fault.at && !(fault.lasting && fault.calls > fault.at))
        return false;
    fault.met = true;
    errno = fault_reasons[kind];
    return true;
}

static inline void fault_begin(void)
{
    fault.armed = true;
    fault.met = false;
    fault.calls = 0;
}

static inline void fault_end(void)
{
    fault.armed = false;
}

/* --- memory --- */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    return fault_falls(FAULT_MEMORY) ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fault_falls(FAULT_MEMORY) ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
    return fault_falls(FAULT_MEMORY) ? NULL : __real_realloc(old, bytes);
}

static sqlite3_mem_methods sqlite_memory;

static void *sqlite_malloc(int bytes)
{
    return fault_falls(FAULT_SQLITE_MEMORY) ? NULL : sqlite_memory.xMalloc(bytes);
}

static void *sqlite_realloc(void *old, int bytes)
{
    return fault_falls(FAULT_SQLITE_MEMORY) ? NULL : sqlite_memory.xRealloc(old, bytes);
}

/* First of all in main. Without lookaside, which would be memory that never fails. */
static inline void fault_set_up(void)
{
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory);
    sqlite3_mem_methods mine = sqlite_memory;
    mine.xMalloc = sqlite_malloc;
    mine.xRealloc = sqlite_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &mine), SQLITE_OK);
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
    if (access("/dev/shm", W_OK) ==
        0) /* thousands of directories; what is tested is not the disk */
        setenv("TMPDIR", "/dev/shm", 0);
    quiet_log();
}

/* --- the system --- */

#define STANDS_BEFORE(name) __asm__(#name)

int fault_open(const char *path, int flags, unsigned mode) STANDS_BEFORE(open);
int fault_open64(const char *path, int flags, unsigned mode) STANDS_BEFORE(open64);
ssize_t fault_pread64(int file, void *bytes, size_t length, off_t at) STANDS_BEFORE(pread64);
ssize_t fault_pwrite(int file, const void *bytes, size_t length, off_t at) STANDS_BEFORE(pwrite);
ssize_t fault_pwrite64(int file, const void *bytes, size_t length, off_t at)
    STANDS_BEFORE(pwrite64);
int fault_fsync(int file) STANDS_BEFORE(fsync);
int fault_fdatasync(int file) STANDS_BEFORE(fdatasync);
int fault_ftruncate(int file, off_t length) STANDS_BEFORE(ftruncate);
int fault_ftruncate64(int file, off_t length) STANDS_BEFORE(ftruncate64);
int fault_rename(const char *from, const char *to) STANDS_BEFORE(rename);
int fault_unlink(const char *path) STANDS_BEFORE(unlink);
int fault_mkdir(const char *path, unsigned mode) STANDS_BEFORE(mkdir);

int fault_open(const char *path, int flags, unsigned mode)
{
    return fault_falls(FAULT_OPEN) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int fault_open64(const char *path, int flags, unsigned mode)
{
    return fault_open(path, flags, mode);
}

ssize_t fault_pread64(int file, void *bytes, size_t length, off_t at)
{
    return fault_falls(FAULT_READ) ? -1 : syscall(SYS_pread64, file, bytes, length, at);
}

ssize_t fault_pwrite(int file, const void *bytes, size_t length, off_t at)
{
    if (fault_falls(FAULT_WRITE) || fault_falls(FAULT_FULL))
        return -1;
    return syscall(SYS_pwrite64, file, bytes, length, at);
}

ssize_t fault_pwrite64(int file, const void *bytes, size_t length, off_t at)
{
    return fault_pwrite(file, bytes, length, at);
}

int fault_fsync(int file)
{
    return fault_falls(FAULT_SYNC) ? -1 : (int)syscall(SYS_fsync, file);
}

int fault_fdatasync(int file)
{
    return fault_falls(FAULT_SYNC) ? -1 : (int)syscall(SYS_fdatasync, file);
}

int fault_ftruncate(int file, off_t length)
{
    return fault_falls(FAULT_TRUNCATE) ? -1 : (int)syscall(SYS_ftruncate, file, length);
}

int fault_ftruncate64(int file, off_t length)
{
    return fault_ftruncate(file, length);
}

int fault_rename(const char *from, const char *to)
{
    return fault_falls(FAULT_RENAME) ? -1
                                     : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int fault_unlink(const char *path)
{
    return fault_falls(FAULT_UNLINK) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int fault_mkdir(const char *path, unsigned mode)
{
    return fault_falls(FAULT_MKDIR) ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

/* --- all of them, one after the other --- */

struct faults {
    unsigned kinds;   /* a bit a kind; 0 = all */
    long coarse;      /* so many times the stride of every day; 0 = 1 */
    long tried, most; /* faults met; the highest N of any kind */
    bool begun;
};

static inline void faults_start(struct faults *faults, unsigned kinds)
{
    *faults = (struct faults){.kinds = kinds ? kinds : (1u << FAULT_KINDS) - 1};
    memset(&fault, 0, sizeof fault);
}

static inline void fault_tell(void)
{
    print_error("with %s failing at call %ld%s:\n", fault_names[fault.kind], fault.at,
                fault.lasting ? " and from then on" : "");
}

static inline long fault_next_at(long at, long coarse)
{
    const char *stride = getenv("FAULTS_STRIDE");
    long step = stride ? strtol(stride, NULL, 10) : FAULTS_STRIDE_DEFAULT * (coarse ? coarse : 1);
    return at < FAULTS_DENSE || step < 1 ? at + 1 : at + step;
}

/* The next fault to try; false after the last one. */
static inline bool faults_next(struct faults *faults)
{
    if (faults->begun && fault.met) {
        faults->tried++;
        fault.at = fault_next_at(fault.at, faults->coarse);
        faults->most = fault.at > faults->most ? fault.at : faults->most;
        return true;
    }
    fault_end();
    int row = faults->begun ? (int)fault.kind * 2 + (fault.lasting ? 1 : 0) + 1 : 0;
    while (row < 2 * FAULT_KINDS && !(faults->kinds & 1u << (row / 2)))
        row++;
    faults->begun = true;
    fault.met = false;
    if (row >= 2 * FAULT_KINDS)
        return false;
    fault.kind = (enum fault_kind)(row / 2);
    fault.lasting = row % 2 == 1;
    fault.at = 1;
    return true;
}

/* After the loop: how many there were; none would be a test that tests nothing. */
static inline void faults_finish(const struct faults *faults)
{
    print_message("%ld faults, the last call that failed was the %ldth of its kind\n",
                  faults->tried, faults->most);
    assert_true(faults->tried > 0);
    fault.at = 0;
}

/* Whatever broke a test, the fault it stood under is told. */
static int fault_tear_down(void **state)
{
    (void)state;
    fault_end();
    if (fault.at > 0)
        fault_tell();
    return 0;
}
#define FAULT_TEST(name) cmocka_unit_test_setup_teardown(name, NULL, fault_tear_down)

/* What failed must say why. */
static inline void expect_said(const struct failure *failure)
{
    if (failure->code && failure->message[0])
        return;
    fail_msg("a failure without a reason");
}

#endif
