/* timetable: which of many is to be woken next. Each has at most one time; a binary heap. */
#ifndef TILLQ_CLI_LOAD_TIMETABLE_H
#define TILLQ_CLI_LOAD_TIMETABLE_H

#include <stdint.h>

#define TIMETABLE_NEVER INT64_MAX

struct timetable {
    int64_t *times;   /* of each; TIMETABLE_NEVER = has none */
    uint32_t *heap;   /* those that have one, the earliest first */
    uint32_t *places; /* of each in heap */
    uint32_t count;   /* of heap */
};

/* For `capacity` of them, numbered from 0. -1 where there is no memory. */
int timetable_start(struct timetable *timetable, uint32_t capacity)
    __attribute__((warn_unused_result));
void timetable_free(struct timetable *timetable);

/* Sets, changes or (TIMETABLE_NEVER) takes away the time of one. */
void timetable_set(struct timetable *timetable, uint32_t who, int64_t time);
/* The earliest time; TIMETABLE_NEVER where there is none. */
int64_t timetable_first(const struct timetable *timetable, uint32_t *who);

#endif
