/* config: any bytes as a configuration file. A refusal names the file; what is accepted is within
 * the table's limits, the same when it is read again, and no different for a comment behind it. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/config.h"
#include "fuzz.h"

static int read_bytes(struct config *config, struct text text, const char *more,
                      struct failure *failure)
{
    char path[64];
    int file = memfd_create("config", MFD_CLOEXEC);
    if (file < 0 || write(file, text.bytes, text.length) != (ssize_t)text.length ||
        write(file, more, strlen(more)) != (ssize_t)strlen(more))
        breach("no file in memory");
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int result = config_read(config, path, failure);
    if (result != 0 && strncmp(failure->message, path, strlen(path)) != 0)
        breach("a refusal that does not name its file: %s", failure->message);
    close(file);
    return result;
}

static void check_limits(const struct config *config)
{
    struct failure failure;
    if (config->listen_count < 0 || config->listen_count > CONFIG_LISTEN_MAX)
        breach("%d addresses", config->listen_count);
    if (config->max_line_bytes <= 0 || config->max_connections <= 0 || config->max_in_flight <= 0 ||
        config->max_pending_bytes <= 0 || config->max_reply_bytes <= 0 ||
        config->idle_timeout_s < 0 || config->segment_bytes <= 0 || config->batch_records <= 0 ||
        config->apply_documents <= 0)
        breach("a limit that is none was accepted");
    if (config_check(config, &failure) != 0 && failure.message[0] == '\0')
        breach("refused without a reason");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct config config, again;
    struct text text = {(const char *)bytes, length};
    struct failure failure = {0};
    int result = read_bytes(&config, text, "", &failure);
    if (result != read_bytes(&again, text, "", &failure))
        breach("read twice, accepted once");
    if (result != 0)
        return 0;
    check_limits(&config);
    if (memcmp(&config, &again, sizeof config) != 0)
        breach("read twice, read differently");
    if (read_bytes(&again, text, "\n# a comment\n", &failure) != 0)
        breach("a comment is refused: %s", failure.message);
    if (memcmp(&config, &again, sizeof config) != 0)
        breach("a comment changes what is read");
    return 0;
}
