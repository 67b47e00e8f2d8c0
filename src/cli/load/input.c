#include "cli/load/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool ends_in(const char *path, const char *ending)
{
    size_t length = strlen(path);
    size_t ending_length = strlen(ending);
    return length > ending_length && strcmp(path + length - ending_length, ending) == 0;
}

/* The file is the program's standard input, not an argument: no name of a file can be taken for an
 * option, and nothing passes through a shell. */
static int unpack(struct input *input, const char *program, int file)
{
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) < 0)
        return -1;
    input->child = fork();
    if (input->child < 0) {
        close(pipe_ends[0]);
        close(pipe_ends[1]);
        return -1;
    }
    if (input->child == 0) {
        if (dup2(file, STDIN_FILENO) >= 0 && dup2(pipe_ends[1], STDOUT_FILENO) >= 0)
            execlp(program, program, "-dc", (char *)NULL);
        _exit(127);
    }
    close(pipe_ends[1]);
    return pipe_ends[0];
}

int input_open(struct input *input, const char *path, struct failure *failure)
{
    *input = (struct input){0};
    const char *program = ends_in(path, ".xz") ? "xz" : ends_in(path, ".gz") ? "gzip" : NULL;
    int file = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                      : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return failure_set(failure, "FAILED", "%s: %s", path, strerror(errno));
    int source = program ? unpack(input, program, file) : file;
    int error = errno;
    if (program)
        close(file);
    input->stream = source < 0 ? NULL : fdopen(source, "r");
    if (!input->stream)
        return failure_set(failure, "FAILED", "%s: %s", path, strerror(error));
    return 0;
}

int input_close(struct input *input, const char *path, struct failure *failure)
{
    bool unread = ferror(input->stream) != 0;
    bool ended = feof(input->stream) != 0;
    fclose(input->stream);
    int status = 0;
    if (input->child > 0)
        while (waitpid(input->child, &status, 0) < 0 && errno == EINTR)
            ;
    if (unread)
        return failure_set(failure, "FAILED", "%s: cannot be read", path);
    if (status != 0 && ended)
        return failure_set(failure, "FAILED", "%s: cannot be unpacked", path);
    return 0;
}
