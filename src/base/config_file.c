/* The INI file. The library's build on Debian tells a handler no line number and cuts a long line
 * in two, so it reads through next_line below, which counts lines and stops at the first bad one.
 */
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/config_internal.h"

#define LINE_LIMIT_BYTES 198
struct file {
    FILE *stream;
    const char *path;
    struct config *config;
    struct failure *failure;
    int line;
    bool refused; /* `failure` is filled, nothing more is read */
    bool seen[CONFIG_KEYS_MAX];
};

__attribute__((format(printf, 2, 3))) static void refuse(struct file *file, const char *format, ...)
{
    char what[sizeof file->failure->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    failure_set(file->failure, NULL, "%s:%d: %s", file->path, file->line, what);
    file->refused = true;
}

/* "[name]": the library calls the handler for keys only, so that an unknown section without any
 * would pass unseen. */
static void check_section(struct file *file, const char *line)
{
    const char *end = strchr(line, ']');
    char section[LINE_LIMIT_BYTES + 1];
    if (line[0] != '[' || !end)
        return;
    snprintf(section, sizeof section, "%.*s", (int)(end - line - 1), line + 1);
    if (!config_has_section(section))
        refuse(file, "[%s]: unknown section", section);
}

/* As fgets, without the white space a line begins with: the library would take an indented line as
 * more of the value before it. */
static char *next_line(char *line, int size, void *context)
{
    struct file *file = context;
    int read = 0;
    int length = 0;
    int byte;
    if (file->refused)
        return NULL;
    file->line++;
    if (size < LINE_LIMIT_BYTES + 2) {
        refuse(file, "the INI library is built for lines under %d bytes", size);
        return NULL;
    }
    while (!file->refused && (byte = getc(file->stream)) != EOF && byte != '\n') {
        if (read++ == LINE_LIMIT_BYTES)
            refuse(file, "the line is longer than %d bytes", LINE_LIMIT_BYTES);
        else if (byte == '\0')
            refuse(file, "the line contains a NUL byte");
        else if (length > 0 || byte > ' ')
            line[length++] = (char)byte;
    }
    if (ferror(file->stream))
        refuse(file, "%s", strerror(errno));
    line[length] = '\0';
    check_section(file, line);
    if (file->refused || (read == 0 && feof(file->stream)))
        return NULL;
    return line;
}

/* Called by the library for each key; 0 = an error. */
static int set_key(void *context, const char *section, const char *name, const char *value)
{
    struct file *file = context;
    struct failure inner;
    struct config_key elsewhere;
    size_t key = config_find(section, name);
    if (file->refused)
        return 0;
    if (key == SIZE_MAX && config_key_at(config_find(NULL, name), &elsewhere))
        refuse(file, "%s: belongs under [%s]", name, elsewhere.section);
    else if (key == SIZE_MAX)
        refuse(file, "%s: unknown key", name);
    else if (file->seen[key] && !config_repeats(key))
        refuse(file, "%s: stands twice", name);
    if (file->refused)
        return 0;
    if (!file->seen[key] && config_repeats(key))
        file->config->listen_count = 0; /* the default gives way to the first that is said */
    file->seen[key] = true;
    file->config->lines[key] = file->line;
    if (config_set(file->config, key, value, &inner) != 0)
        refuse(file, "%s", inner.message);
    return file->refused ? 0 : 1;
}

int config_read(struct config *config, const char *path, struct failure *failure)
{
    struct file file = {.path = path, .config = config, .failure = failure};
    config_defaults(config);
    config->path = path;
    file.stream = fopen(path, "re");
    if (!file.stream)
        return failure_set(failure, NULL, "%s: %s", path, strerror(errno));
    int bad_line = ini_parse_stream(next_line, &file, set_key, &file);
    fclose(file.stream);
    /* a line the library itself could not read, unless one before it was refused already */
    if (bad_line != 0 && (!file.refused || bad_line < file.line)) {
        file.line = bad_line;
        refuse(&file, "neither [SECTION] nor KEY = VALUE nor a comment");
    }
    return file.refused ? -1 : 0;
}
