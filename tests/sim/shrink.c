#include "shrink.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bugs.h"

#define TRIES 400

struct shrinking {
    struct run run;
    unsigned char *left_out; /* a flag an event */
    int tries;
};

/* Turns the flags into ranges. False where there are too many. */
static bool set_skips(struct shrinking *shrinking)
{
    struct run *run = &shrinking->run;
    run->skip_count = 0;
    for (int64_t i = 0; i < run->events; i++) {
        if (!shrinking->left_out[i])
            continue;
        if (run->skip_count > 0 && run->skips[run->skip_count - 1].last == i - 1) {
            run->skips[run->skip_count - 1].last = i;
            continue;
        }
        if (run->skip_count == SKIPS_MAX)
            return false;
        run->skips[run->skip_count++] = (struct event_range){i, i};
    }
    return true;
}

static bool still_fails(struct shrinking *shrinking)
{
    struct run_result result;
    if (!set_skips(shrinking) || shrinking->tries++ >= TRIES)
        return false;
    world_run(&shrinking->run, &result);
    return result.breach.found;
}

/* Leaves out blocks of `size` events, one after the other, that the breach does not need. */
static void leave_out(struct shrinking *shrinking, int64_t size)
{
    unsigned char *before = malloc((size_t)size);
    for (int64_t at = shrinking->run.events - size; before && at > -size; at -= size) {
        int64_t first = at < 0 ? 0 : at;
        int64_t length = at < 0 ? at + size : size;
        memcpy(before, shrinking->left_out + first, (size_t)length);
        if (memchr(before, 0, (size_t)length) == NULL)
            continue;
        memset(shrinking->left_out + first, 1, (size_t)length);
        if (!still_fails(shrinking))
            memcpy(shrinking->left_out + first, before, (size_t)length);
    }
    free(before);
}

void shrink(struct run *run)
{
    struct shrinking shrinking = {.run = *run};
    struct run_result result;
    world_run(run, &result);
    if (!result.breach.found)
        return;
    if (result.breach_at + 1 < run->events)
        shrinking.run.events = result.breach_at + 1;
    shrinking.left_out = calloc((size_t)shrinking.run.events + 1, 1);
    if (!shrinking.left_out)
        return;
    if (!still_fails(&shrinking))
        shrinking.run.events = run->events;
    for (int64_t size = shrinking.run.events / 2; size >= 1 && shrinking.tries < TRIES; size /= 2)
        leave_out(&shrinking, size);
    set_skips(&shrinking);
    *run = shrinking.run;
    free(shrinking.left_out);
}

void shrink_print(const struct run *run, const char *program, FILE *out)
{
    fprintf(out, "%s", program);
    if (bugs_name())
        fprintf(out, " --planted %s", bugs_name());
    fprintf(out, " --seed %" PRIu64 " --events %" PRId64, run->seed, run->events);
    for (int i = 0; i < run->skip_count; i++) {
        fprintf(out, "%s%" PRId64, i == 0 ? " --skip " : ",", run->skips[i].first);
        if (run->skips[i].last > run->skips[i].first)
            fprintf(out, "-%" PRId64, run->skips[i].last);
    }
    fputc('\n', out);
}
