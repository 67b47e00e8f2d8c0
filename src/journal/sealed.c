#include "journal/sealed.h"

#include <stdio.h>

#include "base/incident.h"
#include "journal/inspect.h"
#include "journal/segment.h"

/* First offset of stock-0 in a segment; with `end` the one behind its last. -1 where it cannot be
 * read. */
static int64_t offset_in(const struct journal *journal, int64_t number, bool end)
{
    static const char *const sql[] = {
        "SELECT start FROM tillq_partition WHERE topic='" STOCK_TOPIC "' AND partition=0",
        "SELECT base_offset + count FROM \"" STOCK_TOPIC "-0\" ORDER BY base_offset DESC LIMIT 1",
    };
    if (number == journal->number)
        return end ? -1 : db_int_of(journal->db, sql[0], -1);
    char path[PATH_MAX];
    struct db *db;
    struct failure ignored;
    struct db_options options = {.mode = DB_READ, .quiet = true};
    segment_path(path, journal->directory, number);
    if (!segment_exists(journal->directory, number) || db_open(&db, path, &options, &ignored) != 0)
        return -1;
    int64_t offset = db_int_of(db, sql[end], -1);
    db_close(db);
    return offset;
}

static int64_t bytes_sealed(const struct journal *journal, int64_t number)
{
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT bytes FROM tillq_segment WHERE number=%lld",
             (long long)number);
    return db_int_of(journal->db, sql, -1);
}

/* What a damaged segment was to hold: from where it begins, or the one before it ends, to where the
 * next that can be read begins. */
static void find_range(const struct journal *journal, int64_t number, int64_t *first, int64_t *last)
{
    *first = offset_in(journal, number, false);
    if (*first < 0 && number > 0)
        *first = offset_in(journal, number - 1, true);
    int64_t next = -1;
    int64_t after = number;
    struct failure ignored;
    while (next < 0 && segment_after(journal->directory, after, &after, &ignored) == 0 &&
           after >= 0)
        next = offset_in(journal, after, false);
    *last = next - 1;
}

static void add(struct journal *journal, int64_t number, int64_t first, int64_t last,
                const char *why)
{
    struct buffer *damage = &journal->damage;
    buffer_add_string(damage, damage->length > 0 ? ",{" : "{");
    buffer_add_format(damage, "\"segment\":%lld,\"topic\":\"" STOCK_TOPIC "\",\"partition\":0",
                      (long long)number);
    if (first >= 0)
        buffer_add_format(damage, ",\"first\":%lld", (long long)first);
    buffer_add_format(damage, ",\"last\":%lld,\"message\":", (long long)last);
    buffer_add_json(damage, text_of(why));
    buffer_add_byte(damage, '}');
    if (first >= 0)
        incident_note(INCIDENT_SEGMENT_DAMAGED, "%s; offsets %lld to %lld of " STOCK_TOPIC "-0",
                      why, (long long)first, (long long)last);
    else
        incident_note(INCIDENT_SEGMENT_DAMAGED, "%s; offsets up to %lld of " STOCK_TOPIC "-0", why,
                      (long long)last);
}

int sealed_look(struct journal *journal, int64_t lowest)
{
    int damaged = 0;
    struct failure why;
    int64_t next;
    /* A stretch of missing ones is looked at once. */
    for (int64_t number = lowest < 0 ? 0 : lowest; number < journal->number; number = next) {
        next = number + 1;
        if (!segment_exists(journal->directory, number) &&
            segment_after(journal->directory, number, &next, &why) != 0)
            return damaged;
        if (inspect_sealed(journal->directory, number, bytes_sealed(journal, number), &why) ==
            SEGMENT_SOUND)
            continue;
        int64_t first, last;
        find_range(journal, number, &first, &last);
        add(journal, number, first, last, why.message);
        damaged++;
    }
    int64_t start = offset_in(journal, lowest < 0 ? journal->number : lowest, false);
    int64_t log_start = journal->partition_count > 0 ? journal->partitions[0].log_start : 0;
    if (start > log_start) {
        add(journal, lowest - 1, log_start, start - 1, "the segments before the first are missing");
        damaged++;
    }
    return damaged;
}
