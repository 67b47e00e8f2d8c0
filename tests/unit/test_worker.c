/* worker and queue: no ring is lost, nothing pushed is lost, and stopping finishes what is there.
 * Waiting is done on semaphores; no test sleeps. */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "base/queue.h"
#include "base/worker.h"
#include "support.h"

#define PRODUCERS 4
#define ITEMS 20000

static _Atomic int64_t now_us = 1000;

static int64_t read_now(void *context)
{
    (void)context;
    return atomic_load(&now_us);
}

static const struct clock test_clock = {read_now, read_now, NULL};

static struct worker *start(enum worker_next (*step)(void *context), void *context,
                            int64_t retry_ms)
{
    struct worker *worker;
    struct failure failure;
    struct worker_duty duty = {"test-worker", step, context, retry_ms};
    assert_int_equal(worker_start(&worker, &duty, &test_clock, &failure), 0);
    return worker;
}

/* --- the queue --- */

struct item {
    struct queue_item item;
    int from, number;
};

static void a_queue_gives_back_in_order_what_was_pushed(void **state)
{
    (void)state;
    struct queue queue;
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    queue_init(&queue);
    assert_null(queue_take(&queue));
    for (int i = 0; i < 3; i++)
        queue_push(&queue, &items[i].item);
    struct queue_item *taken = queue_take(&queue);
    for (int i = 0; i < 3; i++, taken = taken->next)
        assert_ptr_equal(taken, &items[i].item);
    assert_null(taken);
    assert_null(queue_take(&queue));
    queue_destroy(&queue);
}

static void a_push_says_when_the_reader_must_be_woken(void **state)
{
    (void)state;
    struct queue queue;
    struct item items[4] = {0};
    queue_init(&queue);
    assert_true(queue_push(&queue, &items[0].item));
    assert_false(queue_push(&queue, &items[1].item));
    items[2].item.next = &items[3].item;
    items[3].item.next = NULL;
    assert_false(queue_push_chain(&queue, &items[2].item));
    assert_non_null(queue_take(&queue));
    assert_false(queue_push_chain(&queue, NULL));
    assert_true(queue_push(&queue, &items[0].item));
    assert_non_null(queue_take(&queue));
    queue_destroy(&queue);
}

/* --- several threads push and ring, the worker drains --- */

struct drain {
    struct queue queue;
    struct worker *worker;
    int expected[PRODUCERS]; /* the number that comes next of each */
    int received;
    bool in_order;
    enum worker_next next_time; /* what a step says */
    sem_t all;                  /* posted when everything has come */
    struct item items[PRODUCERS][ITEMS];
};

static enum worker_next drain_step(void *context)
{
    struct drain *drain = context;
    for (struct queue_item *item = queue_take(&drain->queue); item; item = item->next) {
        const struct item *got = (const struct item *)item;
        drain->in_order = drain->in_order && got->number == drain->expected[got->from]++;
        if (++drain->received == PRODUCERS * ITEMS)
            sem_post(&drain->all);
    }
    return drain->next_time;
}

struct pusher {
    struct drain *drain;
    int from;
    pthread_t thread;
};

static void *push_all(void *context)
{
    const struct pusher *pusher = context;
    for (int i = 0; i < ITEMS; i++) {
        struct item *item = &pusher->drain->items[pusher->from][i];
        *item = (struct item){.from = pusher->from, .number = i};
        if (queue_push(&pusher->drain->queue, &item->item))
            worker_ring(pusher->drain->worker);
    }
    return NULL;
}

static struct drain *drain_begin(struct pusher pushers[PRODUCERS], enum worker_next next_time)
{
    struct drain *drain = calloc(1, sizeof *drain);
    drain->in_order = true;
    drain->next_time = next_time;
    queue_init(&drain->queue);
    sem_init(&drain->all, 0, 0);
    drain->worker = start(drain_step, drain, 0);
    for (int i = 0; i < PRODUCERS; i++) {
        pushers[i] = (struct pusher){.drain = drain, .from = i};
        assert_int_equal(pthread_create(&pushers[i].thread, NULL, push_all, &pushers[i]), 0);
    }
    return drain;
}

static void drain_end(struct drain *drain)
{
    assert_int_equal(drain->received, PRODUCERS * ITEMS);
    assert_true(drain->in_order);
    queue_destroy(&drain->queue);
    sem_destroy(&drain->all);
    free(drain);
}

static void drain_all(enum worker_next next_time)
{
    struct pusher pushers[PRODUCERS];
    struct drain *drain = drain_begin(pushers, next_time);
    sem_wait(&drain->all); /* a lost ring would hang here */
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(pushers[i].thread, NULL);
    worker_stop(drain->worker);
    drain_end(drain);
}

static void what_many_threads_push_all_arrives_each_in_its_order(void **state)
{
    (void)state;
    drain_all(WORKER_SLEEP);
}

static void what_is_pushed_during_a_rest_arrives_too(void **state)
{
    (void)state;
    drain_all(WORKER_REST);
}

static void stopping_finishes_what_was_pushed(void **state)
{
    (void)state;
    struct pusher pushers[PRODUCERS];
    struct drain *drain = drain_begin(pushers, WORKER_SLEEP);
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(pushers[i].thread, NULL);
    worker_stop(drain->worker);
    drain_end(drain);
}

/* --- what a step can say --- */

struct counting {
    struct worker *worker;
    _Atomic int steps;
    int again, later; /* how often to say it */
    sem_t stepped;
};

static enum worker_next counting_step(void *context)
{
    struct counting *counting = context;
    int steps = atomic_fetch_add(&counting->steps, 1) + 1;
    sem_post(&counting->stepped);
    return steps <= counting->again   ? WORKER_AGAIN
           : steps <= counting->later ? WORKER_LATER
                                      : WORKER_SLEEP;
}

static void it_sleeps_until_it_is_rung(void **state)
{
    (void)state;
    struct counting counting = {0};
    sem_init(&counting.stepped, 0, 0);
    struct worker *worker = start(counting_step, &counting, 0);
    assert_int_equal(atomic_load(&counting.steps), 0);
    for (int i = 1; i <= 100; i++) {
        worker_ring(worker);
        sem_wait(&counting.stepped);
        assert_int_equal(atomic_load(&counting.steps), i);
    }
    worker_stop(worker);
    sem_destroy(&counting.stepped);
}

static void again_steps_at_once(void **state)
{
    (void)state;
    struct counting counting = {.again = 50};
    sem_init(&counting.stepped, 0, 0);
    struct worker *worker = start(counting_step, &counting, 0);
    worker_ring(worker);
    for (int i = 0; i < 51; i++)
        sem_wait(&counting.stepped);
    worker_stop(worker);
    sem_destroy(&counting.stepped);
}

static void later_steps_again_without_a_ring(void **state)
{
    (void)state;
    struct counting counting = {.later = 5};
    sem_init(&counting.stepped, 0, 0);
    struct worker *worker = start(counting_step, &counting, 1);
    worker_ring(worker);
    for (int i = 0; i < 6; i++)
        sem_wait(&counting.stepped);
    worker_stop(worker);
    sem_destroy(&counting.stepped);
}

static enum worker_next resting_step(void *context)
{
    sem_post(context);
    return WORKER_REST;
}

static void a_ring_during_a_rest_is_answered_after_it(void **state)
{
    (void)state;
    sem_t stepped;
    sem_init(&stepped, 0, 0);
    struct worker *worker = start(resting_step, &stepped, 0);
    for (int i = 0; i < 5; i++) {
        worker_ring(worker);
        sem_wait(&stepped);
    }
    worker_stop(worker);
    sem_destroy(&stepped);
}

static void a_worker_can_be_hurried_out_of_a_rest_and_out_of_sleep(void **state)
{
    (void)state;
    sem_t stepped;
    sem_init(&stepped, 0, 0);
    struct worker *worker = start(resting_step, &stepped, 0);
    for (int i = 0; i < 1000; i++) {
        worker_hurry(worker);
        sem_wait(&stepped);
    }
    worker_stop(worker);
    sem_destroy(&stepped);
}

static void stopping_goes_on_while_there_is_more(void **state)
{
    (void)state;
    struct counting counting = {.again = 1000};
    sem_init(&counting.stepped, 0, 0);
    worker_stop(start(counting_step, &counting, 0));
    assert_int_equal(atomic_load(&counting.steps), 1001);
    sem_destroy(&counting.stepped);
}

static void a_worker_nobody_rang_has_a_last_look_when_stopped(void **state)
{
    (void)state;
    struct counting counting = {0};
    sem_init(&counting.stepped, 0, 0);
    worker_stop(start(counting_step, &counting, 0));
    assert_int_equal(atomic_load(&counting.steps), 1);
    worker_stop(NULL);
    sem_destroy(&counting.stepped);
}

/* --- what it is like inside a step --- */

struct inside {
    struct worker *worker;
    sem_t known; /* `worker` is set */
    int64_t busy_us;
    bool signals_blocked;
};

static enum worker_next inside_step(void *context)
{
    struct inside *inside = context;
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    inside->signals_blocked = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGHUP);
    sem_wait(&inside->known);
    atomic_fetch_add(&now_us, 250);
    inside->busy_us = worker_busy_us(inside->worker);
    return WORKER_SLEEP;
}

static void a_step_is_timed_and_has_signals_blocked(void **state)
{
    (void)state;
    struct inside inside = {0};
    sem_init(&inside.known, 0, 0);
    inside.worker = start(inside_step, &inside, 0);
    assert_int_equal(worker_busy_us(inside.worker), 0);
    sem_post(&inside.known);
    sem_post(&inside.known); /* for the last look */
    worker_ring(inside.worker);
    worker_stop(inside.worker);
    assert_int_equal(inside.busy_us, 250);
    assert_true(inside.signals_blocked);
    sem_destroy(&inside.known);
}

struct nice {
    sem_t known;
    int niceness;
};

static enum worker_next nice_step(void *context)
{
    struct nice *nice = context;
    nice->niceness = getpriority(PRIO_PROCESS, 0);
    sem_post(&nice->known);
    return WORKER_SLEEP;
}

static void a_thread_may_give_way_and_only_that_one_does(void **state)
{
    (void)state;
    struct nice nice = {0};
    struct worker *worker;
    struct worker_duty duty = {"test-worker", nice_step, &nice, 0};
    int before = getpriority(PRIO_PROCESS, 0);
    int want = before + 3 < 19 ? before + 3 : 19;
    sem_init(&nice.known, 0, 0);
    assert_int_equal(worker_start_nice(&worker, &duty, &clock_system, 3, NULL), 0);
    worker_ring(worker);
    sem_wait(&nice.known);
    worker_stop(worker);
    assert_int_equal(nice.niceness, want);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), before);
    sem_destroy(&nice.known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_gives_back_in_order_what_was_pushed),
        cmocka_unit_test(a_push_says_when_the_reader_must_be_woken),
        cmocka_unit_test(what_many_threads_push_all_arrives_each_in_its_order),
        cmocka_unit_test(what_is_pushed_during_a_rest_arrives_too),
        cmocka_unit_test(stopping_finishes_what_was_pushed),
        cmocka_unit_test(it_sleeps_until_it_is_rung),
        cmocka_unit_test(again_steps_at_once),
        cmocka_unit_test(later_steps_again_without_a_ring),
        cmocka_unit_test(a_ring_during_a_rest_is_answered_after_it),
        cmocka_unit_test(a_worker_can_be_hurried_out_of_a_rest_and_out_of_sleep),
        cmocka_unit_test(stopping_goes_on_while_there_is_more),
        cmocka_unit_test(a_worker_nobody_rang_has_a_last_look_when_stopped),
        cmocka_unit_test(a_thread_may_give_way_and_only_that_one_does),
        cmocka_unit_test(a_step_is_timed_and_has_signals_blocked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
