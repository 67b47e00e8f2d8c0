#include "base/failure.h"

#include <stdarg.h>
#include <stdio.h>

int failure_set(struct failure *failure, const char *code, const char *format, ...)
{
    if (!failure)
        return -1;
    va_list arguments;
    va_start(arguments, format);
    failure->code = code;
    failure->path[0] = '\0';
    vsnprintf(failure->message, sizeof failure->message, format, arguments);
    va_end(arguments);
    return -1;
}

int failure_set_field(struct failure *failure, const char *code, const char *path,
                      const char *format, ...)
{
    if (!failure)
        return -1;
    va_list arguments;
    va_start(arguments, format);
    failure->code = code;
    snprintf(failure->path, sizeof failure->path, "%s", path);
    vsnprintf(failure->message, sizeof failure->message, format, arguments);
    va_end(arguments);
    return -1;
}
