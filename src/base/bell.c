#include "base/bell.h"

#include <event2/event.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct bell {
    int descriptor;
    struct event *event;
    void (*answer)(void *context);
    void *context;
};

static void on_ring(evutil_socket_t descriptor, short what, void *argument)
{
    (void)what;
    struct bell *bell = argument;
    uint64_t rings;
    ssize_t got = read(descriptor, &rings, sizeof rings);
    (void)got; /* nothing to read means another turn has answered this ring already */
    bell->answer(bell->context);
}

struct bell *bell_new(struct event_base *base, void (*answer)(void *context), void *context)
{
    struct bell *bell = calloc(1, sizeof *bell);
    if (!bell)
        return NULL;
    bell->answer = answer;
    bell->context = context;
    bell->descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (bell->descriptor >= 0)
        bell->event = event_new(base, bell->descriptor, EV_READ | EV_PERSIST, on_ring, bell);
    if (!bell->event || event_add(bell->event, NULL) != 0) {
        bell_free(bell);
        return NULL;
    }
    return bell;
}

void bell_free(struct bell *bell)
{
    if (!bell)
        return;
    if (bell->event)
        event_free(bell->event);
    if (bell->descriptor >= 0)
        close(bell->descriptor);
    free(bell);
}

void bell_ring(struct bell *bell)
{
    uint64_t one = 1;
    ssize_t put = write(bell->descriptor, &one, sizeof one);
    (void)put; /* fails only when the counter is full: then the loop is about to wake anyway */
}
