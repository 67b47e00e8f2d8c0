#include "cli/load/timetable.h"

#include <stdbool.h>
#include <stdlib.h>

int timetable_start(struct timetable *timetable, uint32_t capacity)
{
    *timetable = (struct timetable){.times = malloc(capacity * sizeof *timetable->times),
                                    .heap = malloc(capacity * sizeof *timetable->heap),
                                    .places = malloc(capacity * sizeof *timetable->places)};
    if (!timetable->times || !timetable->heap || !timetable->places)
        return -1;
    for (uint32_t i = 0; i < capacity; i++)
        timetable->times[i] = TIMETABLE_NEVER;
    return 0;
}

void timetable_free(struct timetable *timetable)
{
    free(timetable->times);
    free(timetable->heap);
    free(timetable->places);
    *timetable = (struct timetable){0};
}

static bool is_before(const struct timetable *timetable, uint32_t a, uint32_t b)
{
    return timetable->times[timetable->heap[a]] < timetable->times[timetable->heap[b]];
}

static void exchange(struct timetable *timetable, uint32_t a, uint32_t b)
{
    uint32_t who = timetable->heap[a];
    timetable->heap[a] = timetable->heap[b];
    timetable->heap[b] = who;
    timetable->places[timetable->heap[a]] = a;
    timetable->places[timetable->heap[b]] = b;
}

static void settle(struct timetable *timetable, uint32_t place)
{
    while (place > 0 && is_before(timetable, place, (place - 1) / 2)) {
        exchange(timetable, place, (place - 1) / 2);
        place = (place - 1) / 2;
    }
    for (;;) {
        uint32_t least = place;
        for (uint32_t child = 2 * place + 1; child <= 2 * place + 2; child++)
            if (child < timetable->count && is_before(timetable, child, least))
                least = child;
        if (least == place)
            return;
        exchange(timetable, place, least);
        place = least;
    }
}

static void take_out(struct timetable *timetable, uint32_t who)
{
    uint32_t place = timetable->places[who];
    uint32_t last = --timetable->count;
    timetable->times[who] = TIMETABLE_NEVER;
    if (place == last)
        return;
    exchange(timetable, place, last);
    settle(timetable, place);
}

void timetable_set(struct timetable *timetable, uint32_t who, int64_t time)
{
    bool held = timetable->times[who] != TIMETABLE_NEVER;
    if (time == TIMETABLE_NEVER) {
        if (held)
            take_out(timetable, who);
        return;
    }
    timetable->times[who] = time;
    if (!held) {
        timetable->places[who] = timetable->count;
        timetable->heap[timetable->count++] = who;
    }
    settle(timetable, timetable->places[who]);
}

int64_t timetable_first(const struct timetable *timetable, uint32_t *who)
{
    if (timetable->count == 0)
        return TIMETABLE_NEVER;
    *who = timetable->heap[0];
    return timetable->times[*who];
}
