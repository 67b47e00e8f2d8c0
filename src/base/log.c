#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_int least_important_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level least_important)
{
    atomic_store(&least_important_level, (int)least_important);
}

/* One write(2) a line, so that lines of two threads never mix. */
void log_write(enum log_level level, const char *format, ...)
{
    if ((int)level > atomic_load(&least_important_level))
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
    line[end] = '\n';
    ssize_t written = write(STDERR_FILENO, line, end + 1);
    (void)written; /* there is no one left to tell */
}
