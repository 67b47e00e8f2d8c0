/* tillq disktest: how long the disk under a directory takes to sync, and what that means; with
 * --pull-the-plug, records for a test that only a real power cut can make. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/disk_kind.h"
#include "cli/load/histogram.h"
#include "cli/options.h"
#include "cli/plug.h"
#include "cli/request.h"
#include "client/address.h"

/* As the journal's log grows: a frame of SQLite's is a page and its head, a small commit two. */
#define COMMIT_BYTES (2 * (4096 + 24))
#define LOG_BYTES (4 << 20) /* then from the beginning again */
#define CONNECT_MS 10000

static const char unknowable[] =
    "What a measurement cannot tell: whether \"done\" is true. Only a power cut shows a disk that "
    "lies; see\n--pull-the-plug in tillq disktest --help.";

struct disktest {
    const char *directory;
    int64_t seconds;
    struct histogram histogram;
    int64_t elapsed_us;
    struct disk_kind kind;
};

/* --- measuring --- */

/* A file without a name: nothing is left, however this ends. Where that cannot be made, one with a
 * name that is taken away at once. */
static int open_scratch(const char *directory)
{
    int file = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return file;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/tillq-disktest-XXXXXX", directory);
    file = mkostemp(path, O_CLOEXEC);
    if (file >= 0)
        unlink(path);
    return file;
}

static int measure(struct disktest *test)
{
    static char commit[COMMIT_BYTES];
    int file = open_scratch(test->directory);
    if (file < 0)
        return complain("%s: %s", test->directory, strerror(errno));
    memset(commit, 'x', sizeof commit);
    int64_t begin_us = clock_monotonic_us(&clock_system), before_us = begin_us, now_us;
    off_t at = 0;
    do {
        errno = ENOSPC; /* of a write that puts down less */
        if (pwrite(file, commit, sizeof commit, at) != sizeof commit || fdatasync(file) != 0) {
            int status = complain("%s: %s", test->directory, strerror(errno));
            close(file);
            return status;
        }
        at = at + (off_t)sizeof commit < LOG_BYTES ? at + (off_t)sizeof commit : 0;
        now_us = clock_monotonic_us(&clock_system);
        histogram_add(&test->histogram, now_us - before_us);
        before_us = now_us;
    } while (now_us - begin_us < test->seconds * 1000000);
    test->elapsed_us = now_us - begin_us;
    close(file);
    return 0;
}

static const char *kind_of_disk(const struct disktest *test)
{
    return test->kind.turning < 0 ? "not known" : test->kind.turning ? "turning" : "not turning";
}

static void print_result(const struct invocation *invocation, const struct disktest *test)
{
    const struct histogram *times = &test->histogram;
    const long long p50_us = histogram_percentile_us(times, 50000);
    const long long p99_us = histogram_percentile_us(times, 99000);
    const double per_s = 1e6 * (double)times->total / (double)test->elapsed_us;
    const char *verdict = disk_verdict(&test->kind, p50_us);
    if (invocation->json) {
        struct buffer line = {0};
        buffer_add_format(&line, "{\"bytes\":%d", COMMIT_BYTES);
        request_add_string(&line, "directory", test->directory);
        request_add_string(&line, "file_system", test->kind.file_system);
        request_add_string(&line, "write_cache", test->kind.write_cache);
        request_add_string(&line, "disk", kind_of_disk(test));
        buffer_add_format(&line,
                          ",\"syncs\":%llu,\"per_s\":%.1f,\"p50_us\":%lld,\"p99_us\":%lld,"
                          "\"max_us\":%lld",
                          (unsigned long long)times->total, per_s, p50_us, p99_us,
                          (long long)times->most_us);
        request_add_string(&line, "verdict", verdict);
        buffer_add_byte(&line, '}');
        print_line(buffer_text(&line));
        buffer_free(&line);
        return;
    }
    printf("directory    %s\nfile system  %s\ndisk         %s, write cache: %s\n", test->directory,
           test->kind.file_system, kind_of_disk(test),
           test->kind.write_cache[0] ? test->kind.write_cache : "not known");
    printf("written      %d bytes and fdatasync, %llu times, %.0f a second\n", COMMIT_BYTES,
           (unsigned long long)times->total, per_s);
    printf("took         median %.2f ms, p99 %.2f ms, worst %.2f ms\n\n%s: %s\n\n%s\n",
           (double)p50_us / 1e3, (double)p99_us / 1e3, (double)times->most_us / 1e3, verdict,
           disk_verdict_words(verdict), unknowable);
}

static int measure_and_tell(const struct invocation *invocation, struct disktest *test)
{
    if (disk_kind_of(test->directory, &test->kind) != 0)
        return complain("%s: %s", test->directory, strerror(errno));
    int status = measure(test);
    if (status == 0)
        print_result(invocation, test);
    return status;
}

/* --- pulling the plug --- */

struct listener {
    int socket; /* -1: standard output alone */
    bool json;
    bool over_written; /* a person looks on: one number over the other */
};

/* The number is out before the next record is written. False where nobody can be told any more. */
static bool tell(int64_t number, void *context)
{
    const struct listener *listener = context;
    char line[48];
    int length = snprintf(line, sizeof line, listener->json ? "{\"number\":%lld}\n" : "%lld\n",
                          (long long)number);
    if (listener->socket >= 0 &&
        (address_wait(listener->socket, POLLOUT, address_deadline_ms(CONNECT_MS)) <= 0 ||
         send(listener->socket, line, (size_t)length, MSG_NOSIGNAL) != length))
        return false;
    if (listener->over_written)
        printf("\r%lld", (long long)number);
    else
        fputs(line, stdout);
    return fflush(stdout) == 0;
}

static int connect_to(const char *text)
{
    struct address list[ADDRESS_MAX];
    char message[256];
    int count = address_resolve(text, list, message, sizeof message);
    if (count < 0) {
        complain("%s", message);
        return -1;
    }
    int connected = address_connect(&list[0], CONNECT_MS);
    if (connected < 0)
        complain("%s: %s", text, strerror(-connected));
    return connected;
}

static int write_until_cut(const struct invocation *invocation, const char *directory,
                           const char *to, int64_t records)
{
    struct listener listener = {-1, invocation->json, false};
    struct failure failure;
    char path[PATH_MAX];
    if (to && (listener.socket = connect_to(to)) < 0)
        return STATUS_FAILED;
    listener.over_written = !invocation->json && isatty(STDOUT_FILENO);
    snprintf(path, sizeof path, "%s/tillq-disktest.records", directory);
    fprintf(stderr,
            "tillq: writes %s; note the last number you see, then pull the plug. Afterwards:\n"
            "tillq: tillq disktest --after %s NUMBER\n",
            path, path);
    int result = plug_write(path, records, tell, &listener, &failure);
    if (listener.over_written)
        putchar('\n');
    if (listener.socket >= 0)
        close(listener.socket);
    return result == 0 ? 0 : complain("%s", failure.message);
}

static int look_after(const struct invocation *invocation, const char *path, int64_t number)
{
    struct failure failure;
    int64_t count = plug_count(path, &failure);
    if (count < 0)
        return complain("%s", failure.message);
    bool kept = count > number;
    if (invocation->json)
        printf("{\"acknowledged\":%lld,\"there\":%lld,\"kept\":%s}\n", (long long)number,
               (long long)count, kept ? "true" : "false");
    else if (kept)
        printf("kept: records 0 to %lld are there and sound, %lld in all. This time the disk told "
               "the truth;\none cut proves little: do it ten times, under load.\n",
               (long long)number, (long long)count);
    else
        printf(
            "LOST: record %lld was acknowledged, and only the first %lld are there: the disk, or a "
            "layer above it,\nsays \"done\" before it is. Do not keep sales on it.\n",
            (long long)number, (long long)count);
    return kept ? 0 : STATUS_FAILED;
}

int disktest_command(struct invocation *invocation, int argc, char **argv)
{
    struct disktest test = {.seconds = 3};
    const char *after = NULL, *to = NULL;
    bool plug = false;
    int64_t records = INT64_C(1) << 24, number;
    const struct option_spec specs[] = {
        {0, "seconds", OPTION_INTEGER, &test.seconds, "S", "measure for so long (default 3)", 1,
         3600},
        {0, "pull-the-plug", OPTION_FLAG, &plug, NULL,
         "write numbered records, print each number once it is synced", 0, 0},
        {0, "to", OPTION_TEXT, &to, "ADDRESS", "send the numbers there too, e.g. to nc -lk 7000", 0,
         0},
        {0, "records", OPTION_INTEGER, &records, "N", "so many at most (default 16777216, 8 GiB)",
         1, INT64_MAX / PLUG_RECORD_BYTES},
        {0, "after", OPTION_TEXT, &after, "FILE", "after the cut: is record NUMBER in FILE", 0, 0},
    };
    const struct usage usage = {
        "disktest [DIRECTORY | --after FILE NUMBER]",
        "Measures how long the disk under DIRECTORY (default: that of -d, else here) takes to\n"
        "sync, as the journal does, and says what that means. With --pull-the-plug it writes\n"
        "records until the power is cut; look at the numbers from another machine (ssh, --to).",
        specs, OPTION_COUNT(specs)};
    int first, status = options_read(invocation, &usage, argc, argv, &first);
    if (status >= 0)
        return status;
    if (argc - first != (after ? 1 : argc - first > 0))
        return misuse("disktest: needs %s", after ? "--after FILE NUMBER" : "one DIRECTORY");
    if (after && options_integer(argv[first], 0, INT64_MAX / PLUG_RECORD_BYTES - 1, &number) != 0)
        return misuse("disktest: %s: is not a number that was printed", argv[first]);
    if (after)
        return look_after(invocation, after, number);
    test.directory = first < argc            ? argv[first]
                     : invocation->directory ? invocation->directory
                                             : ".";
    if (to && !address_is_valid(to))
        return misuse("disktest: --to %s: is not HOST:PORT, [V6]:PORT or unix:/PATH", to);
    return plug ? write_until_cut(invocation, test.directory, to, records)
                : measure_and_tell(invocation, &test);
}
