/* tillq verify: are the files sound, the offsets dense, and is the stock what the journal says? */
#include "cli/options.h"
#include "cli/slice.h"
#include "cli/source.h"
#include "cli/visible.h"
#include "stock/audit.h"

static bool show_progress(const char *stage, int64_t done, int64_t total, void *context)
{
    (void)context;
    fprintf(stderr, "\r\033[K%s %lld of %lld", stage, (long long)done, (long long)total);
    return true;
}

/* "not sound: stock-0 from offset 19: the batch is …" */
static void add_fault(struct buffer *shown, struct text audit, struct buffer *scratch)
{
    struct text topic = slice_string(slice_member(audit, "topic"), scratch);
    int64_t offset = slice_int_or(slice_member(audit, "offset"), -1);
    buffer_add_string(shown, "not sound: ");
    if (topic.length > 0) {
        visible_add(shown, topic);
        buffer_add_format(shown, "-%lld",
                          (long long)slice_int_or(slice_member(audit, "partition"), 0));
        if (offset >= 0)
            buffer_add_format(shown, " from offset %lld", (long long)offset);
        buffer_add_string(shown, ": ");
    }
    buffer_clear(scratch);
    visible_add(shown, slice_string(slice_member(audit, "fault"), scratch));
}

/* `members` is what an audit says, as the members of an object. */
static int print_audit(const struct invocation *invocation, struct text members)
{
    static const char *const figures[] = {"segments",  "batches",   "records",    "lost",
                                          "documents", "movements", "stock_rows", "applied"};
    struct buffer object = {0};
    struct buffer shown = {0};
    struct buffer scratch = {0};
    buffer_add_byte(&object, '{');
    buffer_add_text(&object, members);
    buffer_add_byte(&object, '}');
    struct text audit = buffer_text(&object);
    bool sound = slice_is_true(slice_member(audit, "sound"));
    if (invocation->json) {
        print_line(audit);
    } else {
        for (size_t i = 0; i < OPTION_COUNT(figures); i++)
            printf("%-11s %lld\n", figures[i],
                   (long long)slice_int_or(slice_member(audit, figures[i]), 0));
        add_fault(&shown, audit, &scratch);
        buffer_add_byte(&shown, '\0');
        if (sound)
            print_good("sound");
        else
            print_bad(shown.failed ? "not sound" : shown.bytes);
        putchar('\n');
    }
    buffer_free(&object);
    buffer_free(&shown);
    buffer_free(&scratch);
    return sound ? 0 : STATUS_FAILED;
}

static int verify_directory(const struct invocation *invocation)
{
    struct audit audit;
    struct failure failure;
    int result = audit_directory(invocation->directory, shows_progress() ? show_progress : NULL,
                                 NULL, &audit, &failure);
    clear_progress();
    if (result < 0)
        return complain("%s", failure.message);
    struct buffer members = {0};
    audit_add_json(&audit, &members);
    int status = members.failed ? complain("no memory for the answer")
                                : print_audit(invocation, buffer_text(&members));
    buffer_free(&members);
    return status;
}

static int verify_daemon(const struct invocation *invocation)
{
    struct source *source;
    struct text reply;
    struct buffer request = {0};
    if (source_open_or_complain(&source, invocation) < 0)
        return STATUS_FAILED;
    source_set_patience(source, SOURCE_FOR_EVER);
    buffer_add_string(&request, "{\"op\":\"verify\"}");
    int status = STATUS_FAILED;
    if (source_ask_or_complain(source, &request, &reply) == 0)
        status = print_audit(invocation, slice_after_first(reply));
    buffer_free(&request);
    source_close(source);
    return status;
}

int verify_command(struct invocation *invocation, int argc, char **argv)
{
    const struct usage usage = {
        "verify",
        "Checks every file and batch, and that the stock equals a rebuild from the journal. "
        "Prints\n"
        "what was checked and \"sound\", or the first fault. Succeeds only where all is sound.",
        NULL, 0};
    int status = options_read_alone(invocation, &usage, argc, argv);
    if (status >= 0)
        return status;
    return invocation->directory ? verify_directory(invocation) : verify_daemon(invocation);
}
