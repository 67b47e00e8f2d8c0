/* tillq dead: documents that were rejected or in conflict, and what is to become of them.
 *
 * A retry or a drop is itself a document in the journal: a replay decides the same again. */
#include <string.h>

#include "base/clock.h"
#include "cli/listing.h"
#include "cli/moment.h"
#include "cli/options.h"
#include "cli/request.h"
#include "cli/slice.h"
#include "cli/visible.h"

static const struct listing_column columns[] = {
    {"offset", "OFFSET", LISTING_FIGURE}, {"time", "TAKEN", LISTING_MOMENT},
    {"shop", "SHOP", LISTING_WORD},       {"terminal", "TERMINAL", LISTING_WORD},
    {"type", "TYPE", LISTING_WORD},       {"id", "ID", LISTING_WORD},
    {"outcome", "OUTCOME", LISTING_WORD}, {"reason", "REASON", LISTING_WORD},
};

struct dead_question {
    const char *reason;
    const char *terminal;
    int64_t partition;
    int64_t offset;
};

typedef int dead_function(struct invocation *invocation, const struct dead_question *question,
                          struct source *source);

static int list_dead(struct invocation *invocation, const struct dead_question *question,
                     struct source *source)
{
    (void)question;
    struct table table;
    struct column titles[TABLE_COLUMNS_MAX];
    struct listing listing = {.array = "dead",
                              .columns = columns,
                              .column_count = OPTION_COUNT(columns),
                              .most = INT64_MAX,
                              .json = invocation->json};
    listing_start_table(&listing, &table, titles);
    int result = listing_print(&listing, source, &table, text_of("{\"op\":\"dead\""));
    table_free(&table);
    return result;
}

static void print_member(struct text row, const char *key, bool is_moment)
{
    struct text value = slice_member(row, key);
    char moment[MOMENT_BYTES];
    struct buffer scratch = {0};
    struct buffer line = {0};
    if (value.length == 0)
        return;
    buffer_add_format(&line, "%-10s ", key);
    if (is_moment)
        buffer_add_text(&line, moment_format(slice_int_or(value, 0), moment));
    else
        visible_add(&line, slice_string(value, &scratch));
    print_line(buffer_text(&line));
    buffer_free(&scratch);
    buffer_free(&line);
}

/* The dead document asked about, in *row until the next question. 0, or -1 and said so. */
static int find_dead(const struct dead_question *question, struct source *source, struct text *row)
{
    struct buffer request = {0};
    struct text reply;
    buffer_add_string(&request, "{\"op\":\"dead\"");
    request_add_integer(&request, "offset", question->offset);
    request_add_integer(&request, "partition", question->partition);
    buffer_add_byte(&request, '}');
    int result = source_ask_or_complain(source, &request, &reply);
    buffer_free(&request);
    if (result < 0)
        return -1;
    if (slice_next(slice_member(reply, "dead"), &(size_t){0}, row))
        return 0;
    complain("stock/%lld offset %lld is not dead", (long long)question->partition,
             (long long)question->offset);
    return -1;
}

static int show_dead(struct invocation *invocation, const struct dead_question *question,
                     struct source *source)
{
    static const char *const keys[] = {"partition", "offset",  "time",   "shop",   "terminal", "id",
                                       "type",      "outcome", "reason", "detail", "value"};
    struct text row;
    if (find_dead(question, source, &row) < 0)
        return -1;
    if (invocation->json)
        print_line(row);
    else
        for (size_t i = 0; i < OPTION_COUNT(keys); i++)
            print_member(row, keys[i], strcmp(keys[i], "time") == 0);
    return 0;
}

static void build_decision(struct buffer *request, const struct dead_question *question,
                           const char *type)
{
    long long now = (long long)clock_wall_ms(&clock_system);
    buffer_add_format(request, "{\"op\":\"put\",\"ack\":\"applied\",\"doc\":{\"type\":\"%s\"",
                      type);
    buffer_add_format(request, ",\"id\":\"%s-%lld-%lld-%lld\"", type,
                      (long long)question->partition, (long long)question->offset, now);
    request_add_string(request, "terminal", question->terminal);
    request_add_integer(request, "partition", question->partition);
    request_add_integer(request, "offset", question->offset);
    request_add_string(request, "reason", question->reason);
    buffer_add_string(request, "}}");
}

static int decide(struct invocation *invocation, const struct dead_question *question,
                  struct source *source, const char *type)
{
    struct buffer request = {0};
    struct text reply;
    if (find_dead(question, source, &reply) < 0) /* a mistyped offset must not be journaled */
        return -1;
    build_decision(&request, question, type);
    int result = source_ask_or_complain(source, &request, &reply);
    buffer_free(&request);
    if (result < 0)
        return -1;
    struct text outcome = slice_member(reply, "outcome");
    if (invocation->json)
        print_object(slice_after_first(reply));
    else {
        print_member(reply, "offset", false);
        print_member(reply, "outcome", false);
        print_member(reply, "reason", false);
        print_member(reply, "detail", false);
    }
    return text_is(outcome, "\"accepted\"") ? 0 : -1;
}

static int retry_dead(struct invocation *invocation, const struct dead_question *question,
                      struct source *source)
{
    return decide(invocation, question, source, "retry");
}

static int drop_dead(struct invocation *invocation, const struct dead_question *question,
                     struct source *source)
{
    return decide(invocation, question, source, "drop");
}

static const struct dead_action {
    const char *name;
    dead_function *function;
    bool takes_offset;
    bool writes;
    bool takes_reason;
} actions[] = {
    {"list", list_dead, false, false, false},
    {"show", show_dead, true, false, false},
    {"retry", retry_dead, true, true, false},
    {"drop", drop_dead, true, true, true},
};

static const struct dead_action *find_action(const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT(actions); i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

/* -1 = all is right, else the exit status. */
static int check(const struct invocation *invocation, const struct dead_action *action,
                 struct dead_question *question, int operand_count, char **operands)
{
    int wanted = action->takes_offset ? 1 : 0;
    if (operand_count != wanted)
        return misuse("dead %s: needs %s", action->name, wanted ? "one OFFSET" : "no operand");
    if (wanted && options_integer(operands[0], 0, INT64_MAX, &question->offset) < 0)
        return misuse("dead %s: %s: is not an offset", action->name, operands[0]);
    if (action->takes_reason != (question->reason != NULL))
        return misuse("dead %s: %s --reason", action->name,
                      action->takes_reason ? "needs" : "takes no");
    if (action->writes && lacks_server(invocation))
        return STATUS_USAGE;
    return -1;
}

int dead_command(struct invocation *invocation, int argc, char **argv)
{
    struct dead_question question = {.terminal = "tillq"};
    const struct option_spec specs[] = {
        {'r', "reason", OPTION_TEXT, &question.reason, "R", "why it is dropped", 0, 0},
        {'t', "terminal", OPTION_TEXT, &question.terminal, "T", "who decides (default tillq)", 0,
         0},
        {'p', "partition", OPTION_INTEGER, &question.partition, "P", "default 0", 0, INT32_MAX},
    };
    const struct usage usage = {
        "dead list | show OFFSET | retry OFFSET | drop OFFSET --reason R",
        "Documents that were rejected or in conflict: lists them, shows one whole, has one "
        "decided\n"
        "anew, or takes one off the list. Fails where a retry or drop is not accepted.",
        specs, OPTION_COUNT(specs)};
    int first;
    int status = options_read(invocation, &usage, argc, argv, &first);
    if (status >= 0)
        return status;
    const struct dead_action *action = find_action(first < argc ? argv[first] : "list");
    if (!action)
        return misuse("dead: %s: is none of list, show, retry, drop", argv[first]);
    if (first < argc)
        first++;
    status = check(invocation, action, &question, argc - first, argv + first);
    if (status >= 0)
        return status;
    struct source *source;
    if (source_open_or_complain(&source, invocation) < 0)
        return STATUS_FAILED;
    int result = action->function(invocation, &question, source);
    source_close(source);
    return result < 0 ? STATUS_FAILED : 0;
}
