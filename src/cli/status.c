/* tillq status: how the daemon, the journal and the stock are. */
#include "base/incident.h"
#include "cli/options.h"
#include "cli/slice.h"
#include "cli/source.h"
#include "cli/table.h"
#include "cli/visible.h"

enum fact_kind { FACT_WORD, FACT_STATE, FACT_COUNT, FACT_BYTES, FACT_DURATION };

struct fact {
    const char *label;
    const char *path; /* "member" or "member.member" of the reply */
    enum fact_kind kind;
};

/* In the order printed; what a reply does not tell (a directory without a daemon has no
 * connections) is left out. */
static const struct fact facts[] = {
    {"version", "version", FACT_WORD},
    {"sqlite", "sqlite", FACT_WORD},
    {"directory", "directory", FACT_WORD},
    {"pid", "pid", FACT_COUNT},
    {"up", "uptime_ms", FACT_DURATION},
    {"connections", "connections", FACT_COUNT},
    {"journal", "journal.state", FACT_STATE},
    {"", "journal.message", FACT_WORD},
    {"  commits", "journal.commits", FACT_COUNT},
    {"  records", "journal.records", FACT_COUNT},
    {"  segments", "segments", FACT_COUNT},
    {"  size", "journal_bytes", FACT_BYTES},
    {"applier", "applier.state", FACT_STATE},
    {"", "applier.message", FACT_WORD},
    {"  stock size", "stock_bytes", FACT_BYTES},
    {"  lag", "lag_records", FACT_COUNT},
    {"  lag in time", "lag_ms", FACT_DURATION},
    {"  accepted", "outcomes.accepted", FACT_COUNT},
    {"  rejected", "outcomes.rejected", FACT_COUNT},
    {"  duplicate", "outcomes.duplicate", FACT_COUNT},
    {"  conflict", "outcomes.conflict", FACT_COUNT},
    {"  dead", "dead", FACT_COUNT},
};

static struct text find(struct text reply, const char *path)
{
    char name[32];
    size_t length = strcspn(path, ".");
    snprintf(name, sizeof name, "%.*s", (int)length, path);
    struct text value = slice_member(reply, name);
    return path[length] == '.' ? slice_member(value, path + length + 1) : value;
}

static void print_bytes(int64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    size_t unit = 0;
    while (size >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        size /= 1024;
        unit++;
    }
    printf(unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
}

static void print_duration(int64_t milliseconds)
{
    long long seconds = (long long)(milliseconds / 1000);
    if (seconds < 10)
        printf("%lld ms", (long long)milliseconds);
    else if (seconds < 3600)
        printf("%lld min %lld s", seconds / 60, seconds % 60);
    else
        printf("%lld h %lld min", seconds / 3600, seconds / 60 % 60);
}

static void print_fact(const struct fact *fact, struct text value)
{
    struct buffer scratch = {0};
    struct buffer word = {0};
    visible_add(&word, slice_string(value, &scratch));
    buffer_add_byte(&word, '\0');
    printf("%-14s ", fact->label);
    if (word.failed)
        fputs("?", stdout);
    else if (fact->kind == FACT_BYTES)
        print_bytes(slice_int_or(value, 0));
    else if (fact->kind == FACT_DURATION)
        print_duration(slice_int_or(value, 0));
    else if (fact->kind == FACT_STATE && strcmp(word.bytes, "ok") == 0)
        print_good(word.bytes);
    else if (fact->kind == FACT_STATE)
        print_bad(word.bytes);
    else
        fputs(word.bytes, stdout);
    putchar('\n');
    buffer_free(&scratch);
    buffer_free(&word);
}

static int print_partitions(struct text partitions)
{
    static const struct column columns[] = {
        {"TOPIC", false}, {"PARTITION", true}, {"START", true}, {"END", true}, {"APPLIED", true}};
    static const char *const keys[] = {"topic", "partition", "start", "end", "applied"};
    struct table table;
    struct text partition;
    struct buffer scratch = {0};
    size_t position = 0;
    table_start(&table, columns, OPTION_COUNT(columns));
    while (slice_next(partitions, &position, &partition)) {
        for (size_t i = 0; i < OPTION_COUNT(keys); i++) {
            buffer_clear(&scratch);
            table_add(&table, slice_string(slice_member(partition, keys[i]), &scratch));
        }
    }
    if (slice_next(partitions, &(size_t){0}, &partition))
        putchar('\n');
    int result = table_flush(&table);
    table_free(&table);
    buffer_free(&scratch);
    return result;
}

/* What was refused, failed or was mended since the daemon began; nothing where nothing was. */
static int print_counters(struct text counters)
{
    static const struct column columns[] = {{"COUNTER", false}, {"COUNT", true}, {"", false}};
    struct table table;
    int rows = 0;
    table_start(&table, columns, OPTION_COUNT(columns));
    for (int kind = 0; kind < INCIDENT_COUNT; kind++) {
        struct text count = slice_member(counters, incident_name((enum incident)kind));
        if (count.length == 0)
            continue;
        if (rows++ == 0)
            putchar('\n');
        table_add(&table, text_of(incident_name((enum incident)kind)));
        table_add(&table, count);
        table_add(&table, text_of(incident_meaning((enum incident)kind)));
    }
    int result = rows > 0 ? table_flush(&table) : 0;
    table_free(&table);
    return result;
}

static void print_text(struct text value)
{
    struct buffer scratch = {0}, word = {0};
    visible_add(&word, slice_string(value, &scratch));
    if (!word.failed && word.length > 0)
        fwrite(word.bytes, 1, word.length, stdout);
    buffer_free(&scratch);
    buffer_free(&word);
}

/* What is gone, wrong, or lies beside the data for somebody to look at. */
static void print_damage(struct text reply)
{
    struct text one;
    size_t position = 0;
    while (slice_next(slice_member(reply, "lost"), &position, &one)) {
        print_bad("lost");
        printf("           offsets %lld to %lld of ",
               (long long)slice_int_or(slice_member(one, "first"), -1),
               (long long)slice_int_or(slice_member(one, "last"), -1));
        print_text(slice_member(one, "topic"));
        printf("-%lld\n", (long long)slice_int_or(slice_member(one, "partition"), 0));
    }
    for (position = 0; slice_next(slice_member(reply, "damaged"), &position, &one);) {
        print_bad("damaged");
        printf("        ");
        print_text(slice_member(one, "message"));
        putchar('\n');
    }
    for (position = 0; slice_next(slice_member(reply, "aside"), &position, &one);) {
        printf("set aside      ");
        print_text(one);
        putchar('\n');
    }
}

static int print_status(struct text reply)
{
    for (size_t i = 0; i < OPTION_COUNT(facts); i++) {
        struct text value = find(reply, facts[i].path);
        if (value.length > 0 && !text_is(value, "\"\"") && !text_is(value, "null"))
            print_fact(&facts[i], value);
    }
    print_damage(reply);
    if (print_partitions(slice_member(reply, "partitions")) != 0)
        return -1;
    return print_counters(slice_member(reply, "counters"));
}

int status_command(struct invocation *invocation, int argc, char **argv)
{
    const struct usage usage = {"status", "Prints how the daemon, the journal and the stock are.",
                                NULL, 0};
    int status = options_read_alone(invocation, &usage, argc, argv);
    if (status >= 0)
        return status;
    struct source *source;
    if (source_open_or_complain(&source, invocation) < 0)
        return STATUS_FAILED;
    struct buffer request = {0};
    struct text reply;
    buffer_add_string(&request, "{\"op\":\"status\"}");
    int result = source_ask_or_complain(source, &request, &reply);
    if (result == 0 && invocation->json)
        print_object(slice_after_first(reply));
    else if (result == 0)
        result = print_status(reply);
    buffer_free(&request);
    source_close(source);
    return result < 0 ? STATUS_FAILED : 0;
}
