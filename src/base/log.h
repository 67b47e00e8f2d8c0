/* log: one line an event on standard error, with the <N> prefix that journald reads as its level
 * (sd-daemon(3)); on a terminal the prefix is left out.
 *
 * ERROR: a promise is in danger, somebody must act. WARNING: something refused or repaired that
 * somebody should know of. NOTICE: a life event of the daemon (start, recovered, ready, stop).
 * INFO: a life event of a part. DEBUG: for developers. No secrets, no document contents. */
#ifndef TILLQ_BASE_LOG_H
#define TILLQ_BASE_LOG_H

enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

void log_set_level(enum log_level least_important); /* any thread; default INFO */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
