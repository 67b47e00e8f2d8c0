#include "net/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/disk.h"
#include "base/incident.h"
#include "journal/segment.h"
#include "net/query_internal.h"
#include "stock/tables.h"

int query_open(struct query **out, const char *directory, struct failure *failure)
{
    size_t length = strlen(directory) + 1;
    struct query *query = calloc(1, sizeof *query + length);
    if (!query)
        return failure_set(failure, "NO_MEMORY", "no memory");
    memcpy(query->directory, directory, length);
    if (journal_reader_open(&query->journal, directory, failure) != 0) {
        query_close(query);
        return -1;
    }
    *out = query;
    return 0;
}

void query_close(struct query *query)
{
    if (!query)
        return;
    journal_reader_close(query->journal);
    db_close(query->stock);
    json_free(&query->json);
    request_free(&query->request);
    free(query);
}

void query_release(struct query *query)
{
    journal_reader_release(query->journal);
}

int query_open_stock(struct query *query, struct failure *failure)
{
    if (query->stock)
        return 0;
    int opened = stock_open_read(&query->stock, query->directory, failure);
    if (opened == 1)
        return failure_set(failure, "FAILED",
                           "%s: there is no usable " STOCK_FILE
                           " in it; start tillqd, or: tillq rebuild",
                           query->directory);
    return opened;
}

/* --- hello, committed --- */

static int answer_hello(struct query *query, const struct request *request,
                        const struct query_live *live, struct buffer *reply,
                        struct failure *failure)
{
    int64_t last_seq;
    if (journal_reader_last_seq(query->journal, request->terminal, &last_seq, failure) != 0)
        return -1;
    reply_begin(reply, request->tag, request->seq);
    reply_add_text(reply, "server", TEXT_LITERAL("tillqd " TILLQ_VERSION));
    reply_add_int(reply, "protocol", PROTOCOL_VERSION);
    reply_add_text(reply, "terminal", request->terminal);
    if (request->shop.bytes || live)
        reply_add_text(reply, "shop", request->shop.bytes ? request->shop : text_of(live->shop));
    reply_add_int(reply, "last_seq", last_seq);
    buffer_add_byte(reply, '}');
    return 0;
}

static int unknown_partition(struct query *query, const struct request *request,
                             struct failure *failure)
{
    int64_t start, end;
    int topic = journal_reader_bounds(query->journal, request->topic, 0, &start, &end, failure);
    if (topic < 0)
        return -1;
    if (topic == 0)
        return failure_set_field(failure, "UNKNOWN_TOPIC", "topic",
                                 "topic: there is no such topic");
    return failure_set_field(failure, "UNKNOWN_PARTITION", "partition",
                             "partition: the topic has no such partition");
}

static int answer_committed(struct query *query, const struct request *request,
                            struct buffer *reply, struct failure *failure)
{
    int64_t start, end, offset;
    int found = journal_reader_bounds(query->journal, request->topic, request->partition, &start,
                                      &end, failure);
    if (found != 1)
        return found < 0 ? -1 : unknown_partition(query, request, failure);
    if (journal_reader_committed(query->journal, request->group, request->topic, request->partition,
                                 &offset, failure) != 0)
        return -1;
    reply_begin(reply, request->tag, request->seq);
    reply_add_int(reply, "offset", offset);
    buffer_add_byte(reply, '}');
    return 0;
}

/* --- fetch --- */

static int add_record(struct query *query, const struct record *found, struct text meta,
                      struct buffer *reply)
{
    struct record record = *found;
    if (batch_origin(meta, &query->json, &record) != 0)
        return -1;
    buffer_add_string(reply, "{\"offset\":");
    buffer_add_int(reply, record.offset);
    reply_add_int(reply, "time", record.time_ms);
    buffer_add_string(reply, ",\"key\":");
    buffer_add_text(reply, record.key.bytes ? record.key : TEXT_LITERAL("null"));
    buffer_add_string(reply, ",\"value\":");
    buffer_add_text(reply, record.value);
    buffer_add_string(reply, ",\"headers\":");
    buffer_add_text(reply, record.headers.bytes ? record.headers : TEXT_LITERAL("{}"));
    buffer_add_byte(reply, '}');
    return 0;
}

/* Records from `*offset` on out of one batch. 0 or -1 (damaged). */
static int add_batch(struct query *query, const struct batch *batch, int64_t *offset,
                     int64_t *records, int64_t max, struct buffer *reply)
{
    struct batch_cursor cursor;
    struct record record;
    struct text meta;
    int more;
    batch_start(&cursor, batch);
    while ((more = batch_next(&cursor, &record, &meta)) == 1) {
        if (record.offset < *offset)
            continue;
        if (*records >= max || (*records > 0 && reply->length >= REPLY_BYTES))
            return 0;
        if (*records > 0)
            buffer_add_byte(reply, ',');
        if (add_record(query, &record, meta, reply) != 0)
            return -1;
        *offset = record.offset + 1;
        *records += 1;
    }
    return more;
}

/* Adds what there is from *offset on, which moves to the offset to go on at. The number of records,
 * or -1. */
static int64_t add_records(struct query *query, const struct request *request, int64_t *next,
                           int64_t end, struct buffer *reply, struct failure *failure)
{
    int64_t offset = request->offset, records = 0;
    while (offset < end && records < request->max &&
           (records == 0 || reply->length < REPLY_BYTES)) {
        struct batch batch;
        int found = journal_reader_find(query->journal, request->topic, request->partition, offset,
                                        &batch, failure);
        if (found < 0)
            return -1;
        if (found == 0)
            break;
        if (batch.format == BATCH_FORMAT_HOLE) {
            offset = batch.base_offset + batch.count;
            continue;
        }
        int64_t before = offset;
        if (add_batch(query, &batch, &offset, &records, request->max, reply) != 0 ||
            offset == before) {
            journal_reader_rest(query->journal);
            return failure_set(failure, "DAMAGED", "the batch at offset %lld is damaged",
                               (long long)batch.base_offset);
        }
    }
    journal_reader_rest(query->journal);
    *next = offset;
    return records;
}

static void add_range_error(const struct request *request, int64_t start, int64_t end,
                            struct buffer *reply)
{
    struct failure failure;
    failure_set_field(&failure, "OFFSET_OUT_OF_RANGE", "offset",
                      "offset: the partition begins at %lld and the next offset written is %lld",
                      (long long)start, (long long)end);
    reply_error(reply, request->tag, request->seq, &failure);
    reply->length--; /* its closing brace comes after these */
    reply_add_int(reply, "start", start);
    reply_add_int(reply, "end", end);
    buffer_add_byte(reply, '}');
}

/* 0, 1 where it found nothing and may wait, -1. */
static int answer_fetch(struct query *query, const struct request *request, struct buffer *reply,
                        struct failure *failure)
{
    int64_t start, end;
    int found = journal_reader_bounds(query->journal, request->topic, request->partition, &start,
                                      &end, failure);
    if (found != 1)
        return found < 0 ? -1 : unknown_partition(query, request, failure);
    if (request->offset < start || request->offset > end) {
        add_range_error(request, start, end, reply);
        return 0;
    }
    if (request->offset == end && request->wait_ms > 0)
        return 1;
    int64_t next = request->offset;
    size_t before = reply->length;
    reply_begin(reply, request->tag, request->seq);
    buffer_add_string(reply, ",\"records\":[");
    int64_t records = add_records(query, request, &next, end, reply, failure);
    if (records < 0)
        return -1;
    if (records == 0 && request->wait_ms > 0) { /* only a hole up to the end */
        reply->length = before;
        return 1;
    }
    buffer_add_byte(reply, ']');
    if (next > request->offset + records)
        reply_add_int(reply, "next", next);
    reply_add_int(reply, "start", start);
    reply_add_int(reply, "end", end);
    buffer_add_byte(reply, '}');
    return 0;
}

/* --- status --- */

struct partition_list {
    struct buffer *reply;
    int64_t applied;
    int64_t stock_end;
    int count;
};

static void add_partition(struct text topic, int partition, int64_t start, int64_t end,
                          void *context)
{
    struct partition_list *list = context;
    buffer_add_string(list->reply, list->count++ == 0 ? "{\"topic\":" : ",{\"topic\":");
    buffer_add_json(list->reply, topic);
    reply_add_int(list->reply, "partition", partition);
    reply_add_int(list->reply, "start", start);
    reply_add_int(list->reply, "end", end);
    if (text_is(topic, STOCK_TOPIC)) {
        reply_add_int(list->reply, "applied", list->applied);
        list->stock_end = end;
    }
    buffer_add_byte(list->reply, '}');
}

/* Age of the oldest document not yet applied, in ms; 0 where all are. */
static int64_t lag_ms(struct query *query, int64_t applied, const struct clock *clock)
{
    struct batch batch;
    struct failure failure;
    if (journal_reader_find(query->journal, TEXT_LITERAL(STOCK_TOPIC), 0, applied, &batch,
                            &failure) != 1)
        return 0;
    int64_t now_ms = clock_wall_ms(clock);
    int64_t age_ms = batch.time_ms >= 0 && batch.time_ms < now_ms ? now_ms - batch.time_ms : 0;
    journal_reader_rest(query->journal);
    return age_ms;
}

static int64_t stock_bytes(const struct query *query)
{
    static const char *const suffixes[] = {"", "-wal"};
    int64_t bytes = 0;
    for (int i = 0; i < 2; i++) {
        char path[PATH_MAX];
        struct disk_status status;
        snprintf(path, sizeof path, "%s/" STOCK_FILE "%s", query->directory, suffixes[i]);
        if (disk_status(path, &status) == 0)
            bytes += status.bytes;
    }
    return bytes;
}

/* A figure of the stock file; 0 where there is none. 0, or -1 where it cannot be told now: a zero
 * would be a lie. A file of another kind is for verify to name. */
static int ask_stock(struct query *query, const char *sql, int64_t *value, struct failure *failure)
{
    *value = 0;
    enum db_result asked = query->stock ? db_ask_int(query->stock, sql, value) : DB_DONE;
    if (asked == DB_DONE || asked == DB_ROW || asked == DB_DAMAGED || asked == DB_MISTAKE)
        return 0;
    return failure_set(failure, "FAILED", "the stock file cannot be read");
}

static int add_outcomes(struct query *query, struct buffer *reply, struct failure *failure)
{
    int64_t value;
    buffer_add_string(reply, ",\"outcomes\":{");
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        char sql[80];
        const char *name = outcome_name((enum outcome)i);
        snprintf(sql, sizeof sql, "SELECT sum(%s) FROM progress", name);
        if (ask_stock(query, sql, &value, failure) != 0)
            return -1;
        buffer_add_format(reply, "%s\"%s\":%lld", i == 0 ? "" : ",", name, (long long)value);
    }
    buffer_add_byte(reply, '}');
    if (ask_stock(query, "SELECT count(*) FROM dead WHERE state='dead'", &value, failure) != 0)
        return -1;
    reply_add_int(reply, "dead", value);
    return 0;
}

static void add_live(const struct query_live *live, struct buffer *reply)
{
    reply_add_int(reply, "pid", getpid());
    reply_add_int(reply, "uptime_ms", live->uptime_ms);
    reply_add_int(reply, "connections", live->connections);
    buffer_add_string(reply, ",\"journal\":{\"state\":\"");
    buffer_add_string(reply, live->journal_state);
    buffer_add_byte(reply, '"');
    reply_add_int(reply, "commits", live->commits);
    reply_add_int(reply, "records", live->records);
    reply_add_int(reply, "reserve_bytes", live->reserve_bytes);
    if (live->journal_message)
        reply_add_text(reply, "message", text_of(live->journal_message));
    buffer_add_string(reply, "},\"applier\":{\"state\":\"");
    buffer_add_string(reply, live->applier_state);
    buffer_add_byte(reply, '"');
    if (live->applier_message)
        reply_add_text(reply, "message", text_of(live->applier_message));
    buffer_add_string(reply, "},\"counters\":");
    incident_add_json(reply);
}

static int answer_status(struct query *query, const struct request *request,
                         const struct query_live *live, const struct clock *clock,
                         struct buffer *reply, struct failure *failure)
{
    /* Where there is none or it is damaged nothing is applied, and that is the truth. */
    if (!query->stock && stock_open_read(&query->stock, query->directory, failure) < 0 &&
        strcmp(failure->code, "DAMAGED") != 0)
        return -1;
    int64_t applied;
    if (ask_stock(query, "SELECT applied FROM progress WHERE partition=0", &applied, failure) != 0)
        return -1;
    if (applied < 0) /* no file of ours; verify names it */
        applied = 0;
    struct partition_list list = {.reply = reply, .applied = applied};
    int64_t segments, bytes;
    reply_begin(reply, request->tag, request->seq);
    reply_add_text(reply, "version", TEXT_LITERAL(TILLQ_VERSION));
    reply_add_int(reply, "protocol", PROTOCOL_VERSION);
    reply_add_text(reply, "sqlite", text_of(db_library_version()));
    reply_add_text(reply, "directory", text_of(query->directory));
    buffer_add_string(reply, ",\"partitions\":[");
    if (journal_reader_partitions(query->journal, add_partition, &list, failure) != 0 ||
        journal_reader_size(query->journal, &segments, &bytes, failure) != 0)
        return -1;
    buffer_add_byte(reply, ']');
    if (add_outcomes(query, reply, failure) != 0)
        return -1;
    int64_t lag = list.stock_end > applied ? list.stock_end - applied : 0;
    reply_add_int(reply, "lag_records", lag);
    reply_add_int(reply, "lag_ms", lag > 0 ? lag_ms(query, applied, clock) : 0);
    reply_add_int(reply, "segments", segments);
    reply_add_int(reply, "journal_bytes", bytes);
    reply_add_int(reply, "stock_bytes", stock_bytes(query));
    if (query_add_damage(query, live, reply, failure) != 0)
        return -1;
    if (live)
        add_live(live, reply);
    buffer_add_byte(reply, '}');
    return 0;
}

/* --- any of them --- */

/* 0, 1 a fetch that may wait, -1. */
static int answer(struct query *query, const struct request *request, const struct query_live *live,
                  const struct clock *clock, struct buffer *reply, struct failure *failure)
{
    switch (request->operation) {
    case OPERATION_HELLO:
        return answer_hello(query, request, live, reply, failure);
    case OPERATION_STOCK:
        return query_stock(query, request, reply, failure);
    case OPERATION_FETCH:
        return answer_fetch(query, request, reply, failure);
    case OPERATION_COMMITTED:
        return answer_committed(query, request, reply, failure);
    case OPERATION_STATUS:
        return answer_status(query, request, live, clock, reply, failure);
    case OPERATION_MOVEMENTS:
        return query_movements(query, request, reply, failure);
    case OPERATION_DEAD:
        return query_dead(query, request, reply, failure);
    default:
        return failure_set(failure, "READ_ONLY", "this needs a running daemon");
    }
}

/* Names and records come off the disk as the bytes that lie there: a bit that has turned over must
 * not leave as a line that is no JSON. */
static bool is_json(struct query *query, const struct buffer *reply, size_t from,
                    struct failure *failure)
{
    struct text line = {reply->bytes + from, reply->length - from};
    if (json_parse(&query->json, line, failure) == 0)
        return true;
    if (strcmp(failure->code, "BAD_JSON") == 0)
        failure_set(failure, "DAMAGED", "what lies on the disk is no text; tillq verify says more");
    return false;
}

bool query_answer(struct query *query, const struct request *request, const struct query_live *live,
                  const struct clock *clock, struct buffer *reply)
{
    struct failure failure = {.code = "FAILED"};
    size_t before = reply->length;
    if (live && live->stock_files != query->stock_files) {
        db_close(query->stock);
        query->stock = NULL;
        query->stock_files = live->stock_files;
    }
    int answered = answer(query, request, live, clock, reply, &failure);
    if (answered == 1)
        return true;
    if (answered == 0 && (reply->failed || is_json(query, reply, before, &failure)))
        return false;
    reply->length = before;
    reply_error(reply, request->tag, request->seq, &failure);
    return false;
}

void query_answer_line(struct query *query, struct text line, struct buffer *reply)
{
    struct request *request = &query->request;
    struct failure failure;
    if (request_read(request, line, &failure) != 0) {
        reply_error(reply, request->tag, request->seq, &failure);
        return;
    }
    int64_t until_us = clock_monotonic_us(&clock_system) + request->wait_ms * 1000;
    while (query_answer(query, request, NULL, &clock_system, reply)) {
        /* Nothing rings in another process: look again ten times a second. */
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        if (clock_monotonic_us(&clock_system) >= until_us)
            request->wait_ms = 0;
    }
}
