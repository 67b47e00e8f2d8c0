/* queue: what one thread hands to another, first in first out.
 *
 * Items are linked through a member of their own, so that handing over never allocates and cannot
 * fail. The queue is not bounded by itself: whoever lets items into the house (the loop) counts
 * what is under way and stops reading at its limit. */
#ifndef TILLQ_BASE_QUEUE_H
#define TILLQ_BASE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct queue_item {
    struct queue_item *next;
};

struct queue {
    pthread_mutex_t mutex;
    struct queue_item *first;
    struct queue_item **last;
};

void queue_init(struct queue *queue);
void queue_destroy(struct queue *queue); /* must be empty */

/* Any thread. True where the queue was empty before: its reader must be woken. */
bool queue_push(struct queue *queue, struct queue_item *item);
/* A chain of items in order, ended by NULL; nothing where `first` is NULL. */
bool queue_push_chain(struct queue *queue, struct queue_item *first);
/* Any thread. Takes everything there is, in order; NULL where there is nothing. */
struct queue_item *queue_take(struct queue *queue);

#endif
