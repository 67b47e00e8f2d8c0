#include "measure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

void give_up(const char *format, ...)
{
    va_list arguments;
    fputs("bench: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

int64_t read_number(const char *option, const char *value, int64_t most)
{
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (errno == 0 && end != value && *end == '\0' && number >= 1 && number <= most)
        return number;
    fprintf(stderr, "bench: %s: not a number from 1 to %lld: %s\n", option, (long long)most, value);
    exit(2);
}

void measure_turns(struct turns *turns, int64_t milliseconds, void (*turn)(void *context),
                   void *context)
{
    int64_t began_us = clock_monotonic_us(&clock_system);
    int64_t counted_from_us = began_us + milliseconds * 100;
    int64_t end_us = counted_from_us + milliseconds * 1000;
    int64_t before_us = began_us, after_us = began_us;
    while (before_us < end_us) {
        turn(context);
        after_us = clock_monotonic_us(&clock_system);
        if (before_us >= counted_from_us) {
            histogram_add(&turns->histogram, after_us - before_us);
            turns->count++;
        } else {
            began_us = after_us;
        }
        before_us = after_us;
    }
    turns->seconds = (double)(after_us - began_us) / 1e6;
}

void print_turns(const struct turns *turns, int64_t each, int64_t bytes)
{
    printf("{\"turns\":%lld,\"per_s\":%.1f,\"p50_us\":%lld,\"p99_us\":%lld,\"bytes\":%lld}\n",
           (long long)turns->count, (double)(turns->count * each) / turns->seconds,
           (long long)histogram_percentile_us(&turns->histogram, 50000),
           (long long)histogram_percentile_us(&turns->histogram, 99000), (long long)bytes);
}

int64_t processor_us(void)
{
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
        give_up("no processor time: %s", strerror(errno));
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

int64_t peak_resident_bytes(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long long kib = -1;
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %lld kB", &kib) == 1)
            break;
    if (status)
        fclose(status);
    if (kib < 0)
        give_up("/proc/self/status does not tell VmHWM");
    return kib * 1024;
}
