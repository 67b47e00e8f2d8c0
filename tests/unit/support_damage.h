/* support_damage: files of a journal, spoiled and compared. */
#ifndef TILLQ_TESTS_UNIT_SUPPORT_DAMAGE_H
#define TILLQ_TESTS_UNIT_SUPPORT_DAMAGE_H

#include <sys/stat.h>

#include "base/disk.h"
#include "journal/inspect.h"
#include "journal/segment.h"
#include "support.h"

struct content {
    char *bytes;
    size_t length;
};

static inline struct content content_of(const char *path)
{
    struct content content = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s: cannot be read", path);
    fseek(file, 0, SEEK_END);
    content.length = (size_t)ftell(file);
    rewind(file);
    content.bytes = malloc(content.length + 1);
    assert_int_equal(fread(content.bytes, 1, content.length, file), content.length);
    fclose(file);
    return content;
}

static inline void write_content(const char *path, struct content content)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content.bytes, 1, content.length, file), content.length);
    fclose(file);
}

/* DIRECTORY/journal/0000000NNN.db and what follows. */
static inline const char *segment_file(const struct scene *scene, int number, const char *ending)
{
    char name[64];
    snprintf(name, sizeof name, JOURNAL_FOLDER "/%010d.db%s", number, ending);
    return scene_path(scene, name);
}

static inline long place_of(const char *path, const char *words)
{
    struct content content = content_of(path);
    char *found = memmem(content.bytes, content.length, words, strlen(words));
    long place = found ? found - content.bytes : -1;
    free(content.bytes);
    if (place < 0)
        fail_msg("%s: no '%s' in it", path, words);
    return place;
}

/* Changes one bit of `count` bytes. */
static inline void flip(const char *path, long at, int count)
{
    struct content content = content_of(path);
    chmod(path, 0640);
    for (int i = 0; i < count; i++)
        content.bytes[at + i] ^= 1;
    write_content(path, content);
    free(content.bytes);
}

static inline void spoil(const char *path, long at, long count)
{
    struct content content = content_of(path);
    chmod(path, 0640);
    assert_true(at >= 0 && (size_t)(at + count) <= content.length);
    memset(content.bytes + at, 0xa5, (size_t)count);
    write_content(path, content);
    free(content.bytes);
}

static inline void expect_same_content(const char *path, struct content want)
{
    struct content got = content_of(path);
    if (got.length != want.length || memcmp(got.bytes, want.bytes, got.length) != 0)
        fail_msg("%s: was changed", path);
    free(got.bytes);
}

/* --- a journal to spoil --- */

/* Records "v0", "v1", …, each a commit, from T01 with its offset as seq; `bytes` of padding. */
static inline void fill(struct scene *scene, int first, int count, int bytes)
{
    for (int i = first; i < first + count; i++) {
        char *value = NULL;
        assert_true(asprintf(&value, "\"v%d.%0*d\"", i, bytes, 0) > 0);
        scene_put(scene, append_sent("T01", i, value));
        free(value);
    }
}

/* What can be read of a topic, in words: "v0 v1 [2,5) v5 …": values without padding, and holes. */
static inline void tell(const struct scene *scene, const char *topic, struct buffer *words)
{
    struct journal_reader *reader = scene_reader(scene);
    struct batch batch;
    struct failure failure;
    int64_t offset = 0;
    int found;
    while ((found = journal_reader_find(reader, text_of(topic), 0, offset, &batch, &failure)) ==
           1) {
        struct batch_cursor cursor;
        struct record record;
        struct text meta;
        if (words->length > 0)
            buffer_add_byte(words, ' ');
        if (batch.format == BATCH_FORMAT_HOLE)
            buffer_add_format(words, "[%lld,%lld)", (long long)batch.base_offset,
                              (long long)(batch.base_offset + batch.count));
        batch_start(&cursor, &batch);
        while (batch_next(&cursor, &record, &meta) == 1) {
            const char *end = memchr(record.value.bytes, '.', record.value.length);
            const char *start = record.value.bytes + 1;
            buffer_add_text(words, (struct text){start, (size_t)(end - start)});
        }
        assert_int_equal(batch.base_offset, offset);
        offset = batch.base_offset + batch.count;
    }
    if (found < 0)
        fail_msg("offset %" PRId64 ": %s", offset, failure.message);
    journal_reader_close(reader);
}

static inline void expect_told(const struct scene *scene, const char *want)
{
    struct buffer words = {0};
    tell(scene, STOCK_TOPIC, &words);
    assert_text(buffer_text(&words), want);
    buffer_free(&words);
}

/* The active segment is one that a start finds nothing wrong with. */
static inline void expect_sound(struct scene *scene)
{
    struct failure why;
    int64_t number = journal_active_segment(scene->journal);
    scene_close(scene);
    if (inspect_active(scene->directory, number, &why) != SEGMENT_SOUND)
        fail_msg("%s", why.message);
    scene_open(scene);
    assert_false(scene->recovery.salvaged);
}

static inline void expect_new(struct scene *scene, int64_t seq, int64_t offset)
{
    struct append append = scene_append(scene, append_sent("T01", seq, "\"again.\""));
    assert_null(append.error);
    assert_false(append.duplicate);
    assert_int_equal(append.offset, offset);
}

static inline void expect_duplicate(struct scene *scene, int64_t seq)
{
    struct append append = scene_append(scene, append_sent("T01", seq, "\"again.\""));
    assert_null(append.error);
    assert_true(append.duplicate);
}

static inline int64_t end_of(const struct scene *scene)
{
    return journal_end(scene->journal, TEXT_LITERAL(STOCK_TOPIC), 0);
}

/* A journal as a power cut leaves it: a copy of its files while it is open. */
static inline void cut_power(struct scene *scene, struct content *file, struct content *log)
{
    *file = content_of(segment_file(scene, 0, ""));
    *log = content_of(segment_file(scene, 0, "-wal"));
    scene_close(scene);
}

static inline void put_back(struct scene *scene, struct content file, struct content log)
{
    scene_close(scene);
    unlink(segment_file(scene, 0, "-shm"));
    write_content(segment_file(scene, 0, ""), file);
    write_content(segment_file(scene, 0, "-wal"), log);
    scene_open(scene);
}

#endif
