/* tillq tail: the records of a topic, as the journal holds them. */
#include <time.h>

#include "cli/moment.h"
#include "cli/options.h"
#include "cli/request.h"
#include "cli/slice.h"
#include "cli/source.h"
#include "cli/visible.h"

#define PAGE_RECORDS 500
#define LAST_RECORDS 10
/* Well below the patience of a source. */
#define WAIT_MS 5000
/* A directory cannot tell when something comes; it is looked at so often. */
#define LOOK_NS 200000000L

struct tail {
    struct invocation *invocation;
    struct source *source;
    struct buffer request;
    const char *topic;
    int64_t partition;
    int64_t from; /* below 0: so many before the end */
    bool follow;
    int64_t offset; /* the next record to print */
    int64_t end;    /* where to stop unless following; -1 = not known yet */
};

static void print_record(const struct tail *tail, struct text record)
{
    if (tail->invocation->json) {
        print_line(record);
        return;
    }
    char moment[MOMENT_BYTES];
    struct buffer scratch = {0};
    struct buffer line = {0};
    struct text key = slice_member(record, "key");
    buffer_add_int(&line, slice_int_or(slice_member(record, "offset"), -1));
    buffer_add_string(&line, "  ");
    buffer_add_text(&line, moment_format(slice_int_or(slice_member(record, "time"), 0), moment));
    buffer_add_string(&line, "  ");
    visible_add(&line, key.length == 0 || text_is(key, "null") ? text_of("-")
                                                               : slice_string(key, &scratch));
    buffer_add_string(&line, "  ");
    visible_add(&line, slice_member(record, "value"));
    print_line(buffer_text(&line));
    buffer_free(&scratch);
    buffer_free(&line);
}

static void build_fetch(struct tail *tail, int64_t offset, int64_t most)
{
    buffer_clear(&tail->request);
    buffer_add_string(&tail->request, "{\"op\":\"fetch\"");
    request_add_string(&tail->request, "topic", tail->topic);
    request_add_integer(&tail->request, "partition", tail->partition);
    request_add_integer(&tail->request, "offset", offset);
    request_add_integer(&tail->request, "max", most);
    if (tail->follow)
        request_add_integer(&tail->request, "wait_ms", WAIT_MS);
    buffer_add_byte(&tail->request, '}');
}

/* Fetches from `offset`. Where that is no longer there (retention), 1 and tail->offset is the first
 * that is. -1 with the complaint made. */
static int fetch(struct tail *tail, struct text *reply)
{
    struct failure failure;
    build_fetch(tail, tail->offset, PAGE_RECORDS);
    if (source_ask(tail->source, buffer_text(&tail->request), reply, &failure) == 0)
        return 0;
    int64_t start = slice_int_or(slice_member(*reply, "start"), -1);
    if (start > tail->offset && text_is(slice_member(*reply, "error"), "\"OFFSET_OUT_OF_RANGE\"")) {
        complain("the records before %lld are gone", (long long)start);
        tail->offset = start;
        return 1;
    }
    complain("%s", failure.message);
    return -1;
}

/* Where the records of the partition begin and end. */
static int find_bounds(struct tail *tail, int64_t *start, int64_t *end)
{
    struct text reply;
    struct text partition;
    size_t position = 0;
    struct buffer scratch = {0};
    buffer_clear(&tail->request);
    buffer_add_string(&tail->request, "{\"op\":\"status\"}");
    if (source_ask_or_complain(tail->source, &tail->request, &reply) < 0)
        return -1;
    struct text partitions = slice_member(reply, "partitions");
    int result = -1;
    while (result < 0 && slice_next(partitions, &position, &partition)) {
        struct text topic = slice_string(slice_member(partition, "topic"), &scratch);
        if (!text_is(topic, tail->topic) ||
            slice_int_or(slice_member(partition, "partition"), -1) != tail->partition)
            continue;
        *start = slice_int_or(slice_member(partition, "start"), 0);
        *end = slice_int_or(slice_member(partition, "end"), 0);
        result = 0;
    }
    buffer_free(&scratch);
    if (result < 0)
        complain("no topic %s with a partition %lld", tail->topic, (long long)tail->partition);
    return result;
}

/* Offsets that were lost with a damaged file are told of, not passed over in silence. */
static void step_over(struct tail *tail, int64_t next)
{
    if (next <= tail->offset)
        return;
    complain("offsets %lld to %lld of %s/%lld are lost", (long long)tail->offset,
             (long long)next - 1, tail->topic, (long long)tail->partition);
    tail->offset = next;
}

static int print_records(struct tail *tail)
{
    struct text reply;
    struct text record;
    size_t position = 0;
    int result = fetch(tail, &reply);
    if (result != 0)
        return result < 0 ? -1 : 0;
    struct text records = slice_member(reply, "records");
    int64_t before = tail->offset;
    while (slice_next(records, &position, &record)) {
        int64_t offset = slice_int_or(slice_member(record, "offset"), tail->offset);
        if (!tail->follow && offset >= tail->end)
            break;
        step_over(tail, offset);
        print_record(tail, record);
        tail->offset = offset + 1;
    }
    step_over(tail, slice_int_or(slice_member(reply, "next"), tail->offset));
    fflush(stdout);
    if (tail->offset == before && tail->invocation->directory && tail->follow)
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    if (tail->offset != before || tail->follow)
        return 0;
    complain("%s/%lld should go on at %lld, but nothing came", tail->topic,
             (long long)tail->partition, (long long)tail->offset);
    return -1;
}

static int run(struct tail *tail)
{
    int64_t start;
    if (find_bounds(tail, &start, &tail->end) < 0)
        return -1;
    tail->offset = tail->from >= 0 ? tail->from : tail->end + tail->from;
    if (tail->offset < start && tail->from < 0)
        tail->offset = start;
    if (tail->offset > tail->end) {
        complain("%s/%lld ends at %lld", tail->topic, (long long)tail->partition,
                 (long long)tail->end);
        return -1;
    }
    int result = 0;
    while (result == 0 && (tail->follow || tail->offset < tail->end) && !ferror(stdout))
        result = print_records(tail);
    return result;
}

int tail_command(struct invocation *invocation, int argc, char **argv)
{
    struct tail tail = {.invocation = invocation, .topic = "stock", .from = -LAST_RECORDS};
    int64_t last = 0;
    const struct option_spec specs[] = {
        {'t', "topic", OPTION_TEXT, &tail.topic, "TOPIC", "default stock", 0, 0},
        {'p', "partition", OPTION_INTEGER, &tail.partition, "P", "default 0", 0, INT32_MAX},
        {0, "from", OPTION_INTEGER, &tail.from, "N",
         "from offset N on; -N: the last N (default -10)", -INT64_MAX / 2, INT64_MAX / 2},
        {'n', "last", OPTION_INTEGER, &last, "N", "the last N", 1, INT64_MAX / 2},
        {'f', "follow", OPTION_FLAG, &tail.follow, NULL, "go on as records come", 0, 0},
    };
    const struct usage usage = {"tail [--topic T] [--from N | --last N] [--follow]",
                                "Prints records: offset, time, key, value.", specs,
                                OPTION_COUNT(specs)};
    int first;
    int status = options_read(invocation, &usage, argc, argv, &first);
    if (status >= 0)
        return status;
    if (first < argc)
        return misuse("tail: takes no operand: %s", argv[first]);
    if (last > 0)
        tail.from = -last;
    if (source_open_or_complain(&tail.source, invocation) < 0)
        return STATUS_FAILED;
    int result = run(&tail);
    buffer_free(&tail.request);
    source_close(tail.source);
    return result < 0 ? STATUS_FAILED : 0;
}
