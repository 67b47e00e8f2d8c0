#include "net/slowdown.h"

#include "base/hash.h"

/* Its place, else a free one, else that of the address longest quiet. The hash's key is the
 * process' own, so that nobody can choose addresses that fall together. */
static struct slowdown_place *place_of(struct slowdown *slowdown, uint64_t address)
{
    uint64_t hash = hash_text((struct text){(const char *)&address, sizeof address});
    struct slowdown_place *row = slowdown->places[hash % SLOWDOWN_ROWS];
    struct slowdown_place *place = &row[0];
    for (int i = 0; i < SLOWDOWN_PLACES; i++) {
        if (row[i].refusals > 0 && row[i].address == address)
            return &row[i];
        if (place->refusals > 0 && (row[i].refusals == 0 || row[i].last_us < place->last_us))
            place = &row[i];
    }
    *place = (struct slowdown_place){.address = address};
    return place;
}

int64_t slowdown_refuse_us(struct slowdown *slowdown, uint64_t address, int64_t now_us)
{
    struct slowdown_place *place = place_of(slowdown, address);
    if (now_us - place->last_us >= SLOWDOWN_FORGET_US)
        place->refusals = 0;
    int64_t delay_us = place->refusals > 0 ? SLOWDOWN_FIRST_US : 0;
    for (int64_t i = 1; i < place->refusals && delay_us < SLOWDOWN_MOST_US; i++)
        delay_us *= 2;
    place->last_us = now_us;
    place->refusals++;
    return delay_us < SLOWDOWN_MOST_US ? delay_us : SLOWDOWN_MOST_US;
}
