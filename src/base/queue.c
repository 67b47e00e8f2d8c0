#include "base/queue.h"

void queue_init(struct queue *queue)
{
    pthread_mutex_init(&queue->mutex, NULL);
    queue->first = NULL;
    queue->last = &queue->first;
}

void queue_destroy(struct queue *queue)
{
    pthread_mutex_destroy(&queue->mutex);
}

bool queue_push(struct queue *queue, struct queue_item *item)
{
    item->next = NULL;
    return queue_push_chain(queue, item);
}

bool queue_push_chain(struct queue *queue, struct queue_item *first)
{
    if (!first)
        return false;
    struct queue_item *last = first;
    while (last->next)
        last = last->next;
    pthread_mutex_lock(&queue->mutex);
    bool was_empty = queue->first == NULL;
    *queue->last = first;
    queue->last = &last->next;
    pthread_mutex_unlock(&queue->mutex);
    return was_empty;
}

struct queue_item *queue_take(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    struct queue_item *first = queue->first;
    queue->first = NULL;
    queue->last = &queue->first;
    pthread_mutex_unlock(&queue->mutex);
    return first;
}
