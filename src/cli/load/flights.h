/* flights: a bounded queue of requests on their way. */
#ifndef TILLQ_CLI_LOAD_FLIGHTS_H
#define TILLQ_CLI_LOAD_FLIGHTS_H

#include <stdbool.h>
#include <stdint.h>

enum flight_kind {
    FLIGHT_DOCUMENT, /* not yet acknowledged in this run */
    FLIGHT_OLDER,    /* acknowledged before, sent once more all the same */
    FLIGHT_HELLO,
};

struct flight {
    int64_t seq;
    int64_t due_us; /* when it was to be sent */
    uint32_t lines; /* of the document */
    uint8_t kind;   /* enum flight_kind */
    bool in_doubt;  /* sent before, and the connection was lost before the reply */
    bool refused;   /* with ack none: an error line has come for it */
};

struct flights {
    struct flight *slots;
    uint32_t head;
    uint32_t count;
    uint32_t capacity;
};

/* -1 where there is no memory. */
int flights_start(struct flights *flights, uint32_t capacity) __attribute__((warn_unused_result));
void flights_free(struct flights *flights);

/* The caller sees to it that there is room, and something to take. */
void flights_push(struct flights *flights, struct flight flight);
struct flight flights_pop(struct flights *flights);
/* The one `place` behind the head. */
struct flight *flights_at(const struct flights *flights, uint32_t place);

#endif
