/* What of the data was lost, is damaged, or was set aside: part of the status. */
#include <stdio.h>
#include <string.h>

#include "base/disk.h"
#include "journal/segment.h"
#include "net/query_internal.h"

struct list {
    struct buffer *reply;
    const char *folder; /* before a name; "" = none */
    int count;
};

static void begin_element(struct list *list)
{
    if (list->count++ > 0)
        buffer_add_byte(list->reply, ',');
}

static void add_hole(const struct hole *hole, void *context)
{
    struct list *list = context;
    begin_element(list);
    buffer_add_string(list->reply, "{\"topic\":");
    buffer_add_json(list->reply, hole->topic);
    reply_add_int(list->reply, "partition", hole->partition);
    reply_add_int(list->reply, "first", hole->first);
    reply_add_int(list->reply, "last", hole->next - 1);
    reply_add_text(list->reply, "file", hole->file);
    reply_add_int(list->reply, "time", hole->time_ms);
    buffer_add_byte(list->reply, '}');
}

static bool ends_in(const char *name, const char *ending)
{
    size_t length = strlen(name), end = strlen(ending);
    return length >= end && strcmp(name + length - end, ending) == 0;
}

/* Logs and indexes go with their file. */
static void add_aside(const char *name, void *context)
{
    struct list *list = context;
    char path[512];
    if ((!strstr(name, ".db.damaged-") && !strstr(name, ".db.aside-")) || ends_in(name, "-wal") ||
        ends_in(name, "-shm") || ends_in(name, "-journal"))
        return;
    begin_element(list);
    snprintf(path, sizeof path, "%s%s", list->folder, name);
    buffer_add_json(list->reply, text_of(path));
}

int query_add_damage(struct query *query, const struct query_live *live, struct buffer *reply,
                     struct failure *failure)
{
    struct list lost = {.reply = reply}, aside = {.reply = reply, .folder = ""};
    char folder[PATH_MAX + sizeof "/" JOURNAL_FOLDER];
    buffer_add_string(reply, ",\"lost\":[");
    if (journal_reader_holes(query->journal, add_hole, &lost, failure) != 0)
        return -1;
    if (live) {
        buffer_add_string(reply, "],\"damaged\":[");
        buffer_add_text(reply, live->damage);
    }
    buffer_add_string(reply, "],\"aside\":[");
    snprintf(folder, sizeof folder, "%s/" JOURNAL_FOLDER, query->directory);
    int listed = disk_list(query->directory, add_aside, &aside);
    aside.folder = JOURNAL_FOLDER "/";
    if (listed != 0 || disk_list(folder, add_aside, &aside) != 0)
        return failure_set(failure, "FAILED", "%s: cannot be read", query->directory);
    buffer_add_byte(reply, ']');
    return 0;
}
