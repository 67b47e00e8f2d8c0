/* tillq rebuild: the stock file made again from the journal. */
#include "stock/rebuild.h"

#include "cli/options.h"
#include "cli/table.h"

static void show_progress(int64_t documents, int64_t total, void *context)
{
    (void)context;
    fprintf(stderr, "\r\033[K%lld of %lld documents", (long long)documents, (long long)total);
}

static void print_json(const struct rebuild *rebuild)
{
    struct buffer line = {0};
    buffer_add_format(&line, "{\"documents\":%lld,\"applied\":%lld", (long long)rebuild->documents,
                      (long long)rebuild->applied);
    if (rebuild->had_before)
        buffer_add_format(&line, ",\"equal\":%s", rebuild->equal ? "true" : "false");
    buffer_add_format(&line, ",\"elapsed_ms\":%lld,\"tables\":[", (long long)rebuild->elapsed_ms);
    for (int i = 0; i < rebuild->table_count; i++) {
        const struct rebuild_table *table = &rebuild->tables[i];
        buffer_add_format(&line, "%s{\"name\":\"%s\",\"rows\":%lld", i > 0 ? "," : "", table->name,
                          (long long)table->rows);
        if (rebuild->had_before)
            buffer_add_format(&line, ",\"equal\":%s", table->equal ? "true" : "false");
        buffer_add_byte(&line, '}');
    }
    buffer_add_string(&line, "]}");
    print_line(buffer_text(&line));
    buffer_free(&line);
}

static int print_rebuild(const struct rebuild *rebuild)
{
    static const struct column columns[] = {{"TABLE", false}, {"ROWS", true}, {"COMPARED", false}};
    struct table table;
    table_start(&table, columns, OPTION_COUNT(columns));
    for (int i = 0; i < rebuild->table_count; i++) {
        const struct rebuild_table *row = &rebuild->tables[i];
        const char *verdict = !rebuild->had_before ? "new" : row->equal ? "equal" : "different";
        table_add(&table, text_of(row->name));
        table_add_int(&table, row->rows);
        table_add(&table, text_of(verdict));
    }
    int result = table_flush(&table);
    table_free(&table);
    printf("%lld documents in %.1f s, applied %lld: ", (long long)rebuild->documents,
           (double)rebuild->elapsed_ms / 1000, (long long)rebuild->applied);
    if (!rebuild->had_before)
        fputs("there was no stock file before", stdout);
    else if (rebuild->equal)
        print_good("equal to the stock file that was there");
    else
        print_bad("different from the stock file that was there");
    putchar('\n');
    return result;
}

int rebuild_command(struct invocation *invocation, int argc, char **argv)
{
    const struct usage usage = {
        "rebuild",
        "Makes the stock file again from the journal, tells for each table whether it equals the\n"
        "one that was there, and puts it in its place. No daemon may be running on the directory.",
        NULL, 0};
    int status = options_read_alone(invocation, &usage, argc, argv);
    if (status >= 0)
        return status;
    if (!invocation->directory)
        return misuse("rebuild: stop the daemon, then: tillq -d DIR rebuild");
    struct rebuild rebuild;
    struct failure failure;
    int result = rebuild_directory(invocation->directory, shows_progress() ? show_progress : NULL,
                                   NULL, &rebuild, &failure);
    clear_progress();
    if (result < 0)
        return complain("%s", failure.message);
    if (invocation->json)
        print_json(&rebuild);
    else if (print_rebuild(&rebuild) < 0)
        return complain("no memory to print");
    return 0;
}
