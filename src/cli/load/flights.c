#include "cli/load/flights.h"

#include <stdlib.h>

int flights_start(struct flights *flights, uint32_t capacity)
{
    *flights =
        (struct flights){.slots = malloc(capacity * sizeof *flights->slots), .capacity = capacity};
    return flights->slots ? 0 : -1;
}

void flights_free(struct flights *flights)
{
    free(flights->slots);
    *flights = (struct flights){0};
}

struct flight *flights_at(const struct flights *flights, uint32_t place)
{
    uint32_t slot = flights->head + place;
    return &flights->slots[slot < flights->capacity ? slot : slot - flights->capacity];
}

void flights_push(struct flights *flights, struct flight flight)
{
    *flights_at(flights, flights->count) = flight;
    flights->count++;
}

struct flight flights_pop(struct flights *flights)
{
    struct flight flight = flights->slots[flights->head];
    flights->head = flights->head + 1 < flights->capacity ? flights->head + 1 : 0;
    flights->count--;
    return flight;
}
