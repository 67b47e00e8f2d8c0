#include "cli/moment.h"

#include <stdio.h>
#include <time.h>

struct text moment_format(int64_t wall_ms, char out[MOMENT_BYTES])
{
    int64_t milliseconds = wall_ms % 1000;
    if (milliseconds < 0)
        milliseconds += 1000;
    time_t seconds = (time_t)((wall_ms - milliseconds) / 1000);
    struct tm local;
    size_t length = 0;
    if (localtime_r(&seconds, &local))
        length = strftime(out, MOMENT_BYTES, "%Y-%m-%d %H:%M:%S", &local);
    if (length == 0 || length + 5 > MOMENT_BYTES)
        return (struct text){out, (size_t)snprintf(out, MOMENT_BYTES, "%lld", (long long)wall_ms)};
    length += (size_t)snprintf(out + length, MOMENT_BYTES - length, ".%03d", (int)milliseconds);
    return (struct text){out, length};
}
