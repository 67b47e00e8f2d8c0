/* clock: the time, as a parameter, so that a test owns it. */
#ifndef TILLQ_BASE_CLOCK_H
#define TILLQ_BASE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(void *context);      /* since 1970-01-01T00:00:00Z; may jump */
    int64_t (*monotonic_us)(void *context); /* since some fixed moment; never goes back */
    void *context;
};

extern const struct clock clock_system;

static inline int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock->context);
}

static inline int64_t clock_monotonic_us(const struct clock *clock)
{
    return clock->monotonic_us(clock->context);
}

#endif
