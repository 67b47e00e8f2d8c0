/* support: what several unit tests share: a directory of their own, a clock that stands still, dice
 * that always fall the same, and a journal to feed. Whatever fails in here fails the test. */
#ifndef TILLQ_TESTS_UNIT_SUPPORT_H
#define TILLQ_TESTS_UNIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/incident.h"
#include "journal/journal.h"
#include "journal/read.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Texts that should be equal; a failure shows both. */
static inline void assert_text(struct text got, const char *want)
{
    if (text_is(got, want))
        return;
    fail_msg("got '%.*s', want '%s'", (int)got.length, got.bytes ? got.bytes : "", want);
}

/* No lines of log, and what is counted begins at zero. */
static inline void quiet_log(void)
{
    log_set_level((enum log_level)0);
    incident_reset(NULL);
}

static inline void expect_counted(enum incident kind, int64_t want)
{
    if (incident_count(kind) != want)
        fail_msg("%s: got %" PRId64 ", want %" PRId64, incident_name(kind), incident_count(kind),
                 want);
}

/* Writes beyond `bytes` of any file fail from here on, with EFBIG; RLIM_INFINITY ends it. */
static inline void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* --- dice: SplitMix64 --- */

struct dice {
    uint64_t state;
};

static inline uint64_t dice_roll(struct dice *dice)
{
    uint64_t z = (dice->state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 to sides - 1 */
static inline int dice_below(struct dice *dice, int sides)
{
    return (int)(dice_roll(dice) % (uint64_t)sides);
}

/* --- a clock that moves when it is told to --- */

struct hand_clock {
    int64_t wall_ms;
    int64_t monotonic_us;
};

static inline int64_t hand_wall_ms(void *context)
{
    return ((struct hand_clock *)context)->wall_ms;
}

static inline int64_t hand_monotonic_us(void *context)
{
    return ((struct hand_clock *)context)->monotonic_us;
}

/* --- a directory, and a journal in it --- */

struct scene {
    char directory[128];
    struct hand_clock hands;
    struct clock clock;
    int64_t segment_bytes;
    int64_t reserve_bytes;   /* 0 = none */
    struct journal *journal; /* NULL while closed */
    struct journal_recovery recovery;
};

static inline void scene_begin(struct scene *scene)
{
    const char *base = getenv("TMPDIR");
    *scene = (struct scene){.segment_bytes = INT64_C(1) << 30,
                            .hands = {.wall_ms = 1795341303000, .monotonic_us = 1000000}};
    scene->clock = (struct clock){hand_wall_ms, hand_monotonic_us, &scene->hands};
    snprintf(scene->directory, sizeof scene->directory, "%s/tillq-unit-XXXXXX",
             base ? base : P_tmpdir);
    assert_non_null(mkdtemp(scene->directory));
}

static inline void scene_open(struct scene *scene)
{
    struct failure failure;
    struct journal_options options = {.directory = scene->directory,
                                      .segment_bytes = scene->segment_bytes,
                                      .clock = &scene->clock,
                                      .reserve_bytes = scene->reserve_bytes};
    if (journal_open(&scene->journal, &options, &scene->recovery, &failure) != 0)
        fail_msg("journal_open: %s", failure.message);
}

static inline void scene_close(struct scene *scene)
{
    journal_close(scene->journal);
    scene->journal = NULL;
}

static inline void scene_reopen(struct scene *scene)
{
    scene_close(scene);
    scene_open(scene);
}

static inline int scene_remove_one(const char *path, const struct stat *status, int type,
                                   struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void scene_end(struct scene *scene)
{
    scene_close(scene);
    assert_int_equal(nftw(scene->directory, scene_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* DIRECTORY/name; good until the next call but three. */
static inline const char *scene_path(const struct scene *scene, const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", scene->directory, name);
    return path;
}

/* --- appending --- */

static inline struct append append_of(const char *topic, const char *value)
{
    return (struct append){.topic = text_of(topic), .record = {.value = text_of(value), .seq = -1}};
}

static inline struct append append_sent(const char *producer, int64_t seq, const char *value)
{
    struct append append = append_of(STOCK_TOPIC, value);
    append.producer = text_of(producer);
    append.record.seq = seq;
    return append;
}

static inline struct append append_group_offset(const char *group, const char *topic,
                                                int64_t offset)
{
    return (struct append){.kind = APPEND_GROUP_OFFSET,
                           .topic = text_of(topic),
                           .group = text_of(group),
                           .group_offset = offset};
}

/* Writes them with one commit. */
static inline void scene_append_all(struct scene *scene, struct append *appends, size_t count)
{
    for (size_t i = 0; i < count; i++)
        appends[i].item.next = i + 1 < count ? &appends[i + 1].item : NULL;
    journal_append(scene->journal, appends);
}

static inline struct append scene_append(struct scene *scene, struct append append)
{
    scene_append_all(scene, &append, 1);
    return append;
}

/* The offset it was given; fails where it was refused. */
static inline int64_t scene_put(struct scene *scene, struct append append)
{
    append = scene_append(scene, append);
    if (append.error)
        fail_msg("refused: %s: %s", append.error, append.message);
    return append.offset;
}

/* Journals a document as a terminal's put would, without a seq. */
static inline int64_t scene_put_document(struct scene *scene, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline int64_t scene_put_document(struct scene *scene, const char *format, ...)
{
    char *value = NULL;
    va_list arguments;
    va_start(arguments, format);
    assert_true(vasprintf(&value, format, arguments) >= 0);
    va_end(arguments);
    int64_t offset = scene_put(scene, append_of(STOCK_TOPIC, value));
    free(value);
    return offset;
}

static inline int64_t scene_roll(struct scene *scene)
{
    return scene_put(scene, (struct append){.kind = APPEND_ROLL});
}

/* Housekeeping until there is nothing to do now. True where something waits for a reader to go. */
static inline bool scene_tend(struct scene *scene)
{
    bool retry = false;
    while (journal_tend(scene->journal, true, &retry))
        ;
    return retry;
}

/* --- reading back --- */

static inline struct journal_reader *scene_reader(const struct scene *scene)
{
    struct journal_reader *reader;
    struct failure failure;
    if (journal_reader_open(&reader, scene->directory, &failure) != 0)
        fail_msg("journal_reader_open: %s", failure.message);
    return reader;
}

/* Adds the values of `topic` from `offset` on, with a blank between them; offsets must be dense. */
static inline void read_values(struct journal_reader *reader, const char *topic, int64_t offset,
                               struct buffer *values)
{
    struct failure failure;
    struct batch batch;
    int found;
    while ((found = journal_reader_find(reader, text_of(topic), 0, offset, &batch, &failure)) ==
           1) {
        struct batch_cursor cursor;
        struct record record;
        struct text meta;
        int more;
        assert_true(batch.base_offset <= offset);
        batch_start(&cursor, &batch);
        while ((more = batch_next(&cursor, &record, &meta)) == 1) {
            if (record.offset < offset)
                continue;
            assert_int_equal(record.offset, offset);
            offset++;
            if (values->length > 0)
                buffer_add_byte(values, ' ');
            buffer_add_text(values, record.value);
        }
        assert_int_equal(more, 0);
    }
    if (found < 0)
        fail_msg("offset %" PRId64 " of %s: %s", offset, topic, failure.message);
}

static inline void expect_values_from(const struct scene *scene, const char *topic, int64_t offset,
                                      const char *want)
{
    struct buffer values = {0};
    struct journal_reader *reader = scene_reader(scene);
    read_values(reader, topic, offset, &values);
    journal_reader_close(reader);
    assert_text(buffer_text(&values), want);
    buffer_free(&values);
}

static inline void expect_values(const struct scene *scene, const char *topic, const char *want)
{
    expect_values_from(scene, topic, 0, want);
}

#endif
