#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static atomic_int least_important_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level least_important)
{
    atomic_store(&least_important_level, (int)least_important);
}

bool log_is_written(enum log_level level)
{
    return (int)level <= atomic_load(&least_important_level);
}

bool log_limit_take(struct log_limit *limit, int64_t now_us, int64_t *kept_back)
{
    int64_t next_us = atomic_load(&limit->next_us);
    /* Where another thread takes the turn in between, this line is kept back too. */
    if (now_us < next_us ||
        !atomic_compare_exchange_strong(&limit->next_us, &next_us, now_us + LOG_LIMIT_PERIOD_US)) {
        atomic_fetch_add(&limit->kept_back, 1);
        return false;
    }
    *kept_back = atomic_exchange(&limit->kept_back, 0);
    return true;
}

bool log_limit_take_rest(struct log_limit *limit, int64_t now_us, int64_t *kept_back)
{
    int64_t next_us = atomic_load(&limit->next_us);
    if (atomic_load(&limit->kept_back) == 0 || now_us < next_us ||
        !atomic_compare_exchange_strong(&limit->next_us, &next_us, now_us + LOG_LIMIT_PERIOD_US))
        return false;
    *kept_back = atomic_exchange(&limit->kept_back, 0);
    return true;
}

void log_limit_reset(struct log_limit *limit)
{
    atomic_store(&limit->next_us, 0);
    atomic_store(&limit->kept_back, 0);
}

static void blank_controls(char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7f)
            bytes[i] = ' ';
}

/* One write(2) a line, so that lines of two threads never mix. */
void log_write(enum log_level level, const char *format, ...)
{
    if (!log_is_written(level))
        return;
    char line[1024];
    int start = isatty(STDERR_FILENO) ? 0 : snprintf(line, sizeof line, "<%d>", (int)level);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line + start, sizeof line - (size_t)start - 1, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    size_t end = (size_t)start + (size_t)length;
    if (end > sizeof line - 2)
        end = sizeof line - 2;
    blank_controls(line, end);
    line[end] = '\n';
    ssize_t written = write(STDERR_FILENO, line, end + 1);
    (void)written; /* there is no one left to tell */
}
