/* log: one line an event on standard error, with the <N> prefix that journald reads as its level
 * (sd-daemon(3)); on a terminal the prefix is left out.
 *
 * ERROR: a promise is in danger, somebody must act. WARNING: something refused or repaired that
 * somebody should know of. NOTICE: a life event of the daemon (start, recovered, ready, stop).
 * INFO: a life event of a part. DEBUG: for developers. No secrets, no document contents.
 *
 * What can happen often goes through base/incident, which counts it and limits its lines. A control
 * character in a message is written as a blank, so that nobody forges a line. */
#ifndef TILLQ_BASE_LOG_H
#define TILLQ_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

void log_set_level(enum log_level least_important); /* any thread; default INFO */
bool log_is_written(enum log_level level);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* At most one line a second of one kind. All zero is a fresh one; any thread. */
struct log_limit {
    _Atomic int64_t next_us;   /* no line before this */
    _Atomic int64_t kept_back; /* lines, since the last one written */
};

#define LOG_LIMIT_PERIOD_US 1000000

/* True where a line may be written now (monotonic); *kept_back: how many were not since the last
 * one. */
bool log_limit_take(struct log_limit *limit, int64_t now_us, int64_t *kept_back);
/* The same for a line that only tells of those kept back: false where there are none. */
bool log_limit_take_rest(struct log_limit *limit, int64_t now_us, int64_t *kept_back);
void log_limit_reset(struct log_limit *limit);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
