#include "journal/producers.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/planted.h"

struct sent {
    int64_t seq;
    int64_t offset;
};

struct range {
    int64_t first;
    int64_t last;
};

struct producer {
    struct producer *next_in_bucket;
    struct producer *next_changed;
    bool changed;
    int64_t last_seq;   /* -1: nothing journaled yet */
    int64_t floor;      /* gaps below it are forgotten */
    struct range *gaps; /* ascending, apart, all in [floor, last_seq) */
    int gap_count, gap_capacity;
    struct sent *window; /* ring of the newest; slot of the next one is window_at */
    int window_count, window_capacity, window_at;
    size_t name_length;
    char name[];
};

struct producers {
    struct producer **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
    struct producer *changed;
    struct buffer gaps; /* work space of producers_save */
    struct json json;   /* work space of producers_restore */
};

struct producers *producers_new(void)
{
    struct producers *producers = calloc(1, sizeof *producers);
    if (!producers)
        return NULL;
    producers->bucket_count = 64;
    producers->buckets = calloc(producers->bucket_count, sizeof *producers->buckets);
    if (!producers->buckets) {
        free(producers);
        return NULL;
    }
    return producers;
}

void producers_free(struct producers *producers)
{
    if (!producers)
        return;
    for (size_t i = 0; i < producers->bucket_count; i++) {
        struct producer *next;
        for (struct producer *producer = producers->buckets[i]; producer; producer = next) {
            next = producer->next_in_bucket;
            free(producer->gaps);
            free(producer->window);
            free(producer);
        }
    }
    buffer_free(&producers->gaps);
    json_free(&producers->json);
    free(producers->buckets);
    free(producers);
}

static struct text name_of(const struct producer *producer)
{
    return (struct text){producer->name, producer->name_length};
}

static struct producer *find(struct producers *producers, struct text name)
{
    struct producer *producer = producers->buckets[hash_text(name) & (producers->bucket_count - 1)];
    while (producer && !text_equal(name_of(producer), name))
        producer = producer->next_in_bucket;
    return producer;
}

/* Without memory for more buckets the chains only grow longer. */
static void grow(struct producers *producers)
{
    size_t bucket_count = producers->bucket_count * 2;
    struct producer **buckets = calloc(bucket_count, sizeof(struct producer *));
    if (!buckets)
        return;
    for (size_t i = 0; i < producers->bucket_count; i++) {
        struct producer *next;
        for (struct producer *producer = producers->buckets[i]; producer; producer = next) {
            next = producer->next_in_bucket;
            size_t bucket = hash_text(name_of(producer)) & (bucket_count - 1);
            producer->next_in_bucket = buckets[bucket];
            buckets[bucket] = producer;
        }
    }
    free(producers->buckets);
    producers->buckets = buckets;
    producers->bucket_count = bucket_count;
}

static struct producer *find_or_add(struct producers *producers, struct text name)
{
    struct producer *producer = find(producers, name);
    if (producer)
        return producer;
    producer = calloc(1, sizeof *producer + name.length);
    if (!producer)
        return NULL;
    memcpy(producer->name, name.bytes, name.length);
    producer->name_length = name.length;
    producer->last_seq = -1;
    if (producers->count++ >= producers->bucket_count)
        grow(producers);
    struct producer **bucket = &producers->buckets[hash_text(name) & (producers->bucket_count - 1)];
    producer->next_in_bucket = *bucket;
    *bucket = producer;
    return producer;
}

/* The gap that holds `seq`, or -1. */
static int find_gap(const struct producer *producer, int64_t seq)
{
    int low = 0, high = producer->gap_count - 1;
    while (low <= high) {
        int middle = low + (high - low) / 2;
        if (seq < producer->gaps[middle].first)
            high = middle - 1;
        else if (seq > producer->gaps[middle].last)
            low = middle + 1;
        else
            return middle;
    }
    return -1;
}

static int64_t find_offset(const struct producer *producer, int64_t seq)
{
    for (int i = 0; i < producer->window_count; i++) /* the newest first: that is what is re-sent */
    {
        int slot = (producer->window_at - 1 - i + 2 * PRODUCER_WINDOW) % PRODUCER_WINDOW;
        if (producer->window[slot].seq == seq)
            return producer->window[slot].offset;
    }
    return -1;
}

enum producer_verdict producers_check(struct producers *producers, struct text name, int64_t seq,
                                      int64_t *offset)
{
    struct producer *producer = find(producers, name);
    *offset = -1;
    if (!producer || seq > producer->last_seq)
        return PRODUCER_NEW;
    if (find_gap(producer, seq) >= 0 && !PLANTED(LATE_SEQ_REFUSED))
        return PRODUCER_NEW;
    *offset = find_offset(producer, seq);
    if (seq < producer->floor && *offset < 0)
        return PRODUCER_TOO_OLD;
    return PRODUCER_DUPLICATE;
}

static void remember(struct producer *producer, int64_t seq, int64_t offset)
{
    if (producer->window_count == producer->window_capacity &&
        producer->window_capacity < PRODUCER_WINDOW) {
        int capacity = producer->window_capacity ? producer->window_capacity * 2 : 4;
        struct sent *window = realloc(producer->window, (size_t)capacity * sizeof *window);
        if (!window)
            return; /* a re-send is still recognised, only its offset is not known */
        producer->window = window;
        producer->window_capacity = capacity;
    }
    if (producer->window_count < PRODUCER_WINDOW)
        producer->window_count++;
    producer->window[producer->window_at] = (struct sent){seq, offset};
    producer->window_at = (producer->window_at + 1) % PRODUCER_WINDOW;
}

static int insert_gap(struct producer *producer, int at, struct range range)
{
    if (producer->gap_count == producer->gap_capacity) {
        int capacity = producer->gap_capacity ? producer->gap_capacity * 2 : 2;
        struct range *gaps = realloc(producer->gaps, (size_t)capacity * sizeof *gaps);
        if (!gaps)
            return -1;
        producer->gaps = gaps;
        producer->gap_capacity = capacity;
    }
    memmove(producer->gaps + at + 1, producer->gaps + at,
            (size_t)(producer->gap_count - at) * sizeof *producer->gaps);
    producer->gaps[at] = range;
    producer->gap_count++;
    return 0;
}

static void remove_gap(struct producer *producer, int at)
{
    producer->gap_count--;
    memmove(producer->gaps + at, producer->gaps + at + 1,
            (size_t)(producer->gap_count - at) * sizeof *producer->gaps);
}

/* `seq` inside gap `at` is journaled now: the gap shrinks, splits or goes. */
static int fill_gap(struct producer *producer, int at, int64_t seq)
{
    struct range gap = producer->gaps[at];
    if (gap.first == gap.last) {
        remove_gap(producer, at);
        return 0;
    }
    if (seq > gap.first && seq < gap.last) {
        producer->gaps[at].last = seq - 1;
        return insert_gap(producer, at + 1, (struct range){seq + 1, gap.last});
    }
    if (seq == gap.first)
        producer->gaps[at].first = seq + 1;
    else
        producer->gaps[at].last = seq - 1;
    return 0;
}

static void forget_lowest_gaps(struct producer *producer)
{
    while (producer->gap_count > PRODUCER_GAPS) {
        producer->floor = producer->gaps[0].last + 1;
        remove_gap(producer, 0);
    }
}

int producers_take(struct producers *producers, struct text name, int64_t seq, int64_t offset)
{
    struct producer *producer = find_or_add(producers, name);
    if (!producer)
        return -1;
    if (seq > producer->last_seq) {
        struct range skipped = {producer->last_seq + 1, seq - 1};
        if (skipped.first <= skipped.last &&
            insert_gap(producer, producer->gap_count, skipped) != 0)
            return -1;
        producer->last_seq = seq;
    } else {
        int gap = find_gap(producer, seq);
        if (gap < 0 || fill_gap(producer, gap, seq) != 0)
            return -1;
    }
    forget_lowest_gaps(producer);
    remember(producer, seq, offset);
    if (!producer->changed) {
        producer->changed = true;
        producer->next_changed = producers->changed;
        producers->changed = producer;
    }
    return 0;
}

void producers_remember(struct producers *producers, struct text name, int64_t seq, int64_t offset)
{
    struct producer *producer = find(producers, name);
    if (producer)
        remember(producer, seq, offset);
}

/* Gaps are searched by halves, so their order is part of being a state. */
static bool gap_fits(const struct producer *producer, struct range gap)
{
    if (gap.first < producer->floor || gap.last < gap.first || gap.last >= producer->last_seq)
        return false;
    if (producer->gap_count == 0)
        return true;
    int64_t before = producer->gaps[producer->gap_count - 1].last;
    return gap.first > before && gap.first - before > 1;
}

static int restore_gaps(struct producers *producers, struct producer *producer, struct text gaps)
{
    struct json *json = &producers->json;
    struct failure failure;
    if (json_parse(json, gaps, &failure) != 0)
        return strcmp(failure.code, "NO_MEMORY") == 0 ? -2 : -1;
    if (json_type(json, 0) != JSON_ARRAY)
        return -1;
    producer->gap_count = 0;
    for (uint32_t i = json_first(json, 0); i != json_end(json, 0); i = json_next(json, i)) {
        struct range range;
        if (json_type(json, i) != JSON_ARRAY || json->nodes[i].count != 2 ||
            json_int(json, json_first(json, i), &range.first) != 0 ||
            json_int(json, json_next(json, json_first(json, i)), &range.last) != 0 ||
            !gap_fits(producer, range))
            return -1;
        if (insert_gap(producer, producer->gap_count, range) != 0)
            return -2;
    }
    return 0;
}

int producers_restore(struct producers *producers, const struct producer_state *state)
{
    if (state->floor < 0 || state->last_seq < state->floor)
        return -1;
    struct producer *producer = find_or_add(producers, state->name);
    if (!producer)
        return -2;
    producer->last_seq = state->last_seq;
    producer->floor = state->floor;
    return restore_gaps(producers, producer, state->gaps);
}

static int save_one(struct producers *producers, const struct producer *producer,
                    int (*save)(const struct producer_state *state, void *context), void *context)
{
    struct buffer *gaps = &producers->gaps;
    buffer_clear(gaps);
    buffer_add_byte(gaps, '[');
    for (int i = 0; i < producer->gap_count; i++) {
        buffer_add_string(gaps, i == 0 ? "[" : ",[");
        buffer_add_int(gaps, producer->gaps[i].first);
        buffer_add_byte(gaps, ',');
        buffer_add_int(gaps, producer->gaps[i].last);
        buffer_add_byte(gaps, ']');
    }
    buffer_add_byte(gaps, ']');
    if (gaps->failed)
        return -1;
    struct producer_state state = {name_of(producer), producer->last_seq, producer->floor,
                                   buffer_text(gaps)};
    return save(&state, context);
}

int producers_save(struct producers *producers, bool all,
                   int (*save)(const struct producer_state *state, void *context), void *context)
{
    int result = 0;
    if (!all) {
        for (struct producer *p = producers->changed; p && result == 0; p = p->next_changed)
            result = save_one(producers, p, save, context);
        return result;
    }
    for (size_t i = 0; i < producers->bucket_count && result == 0; i++)
        for (struct producer *p = producers->buckets[i]; p && result == 0; p = p->next_in_bucket)
            result = save_one(producers, p, save, context);
    return result;
}

void producers_saved(struct producers *producers)
{
    for (struct producer *producer = producers->changed; producer;
         producer = producer->next_changed)
        producer->changed = false;
    producers->changed = NULL;
}
